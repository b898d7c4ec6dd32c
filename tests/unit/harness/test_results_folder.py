"""A results folder adds, replaces what is measured anew, and says plainly when it cannot be written."""

import json
from pathlib import Path

import pytest

from penstock.harness.age_against_load import largest_within, steps_to
from penstock.harness.results_folder import ResultsFolder, csv_text, histogram_json, read_sessions, read_table
from penstock.harness.single_run import BenchError
from penstock.telemetry.histogram import Histogram

KEYS = ("run_id", "scenario")


def test_rows_are_added_and_those_of_the_same_run_replaced(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "new" / "deep").open()
    folder.merge("t.csv", [{"run_id": 1, "scenario": "a", "x": 1}, {"run_id": 1, "scenario": "a", "x": 2}], KEYS)
    folder.merge("t.csv", [{"run_id": 2, "scenario": "a", "x": 3}], KEYS)
    folder.merge("t.csv", [{"run_id": 1, "scenario": "a", "x": 4, "y": 5}], KEYS)
    folder.merge("t.csv", [], KEYS)
    assert read_table(folder.path / "t.csv") == [
        {"run_id": "2", "scenario": "a", "x": "3", "y": ""},
        {"run_id": "1", "scenario": "a", "x": "4", "y": "5"},
    ]
    assert read_table(folder.path / "other.csv") == []


def test_the_environment_keeps_that_of_the_sessions_before(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    assert read_sessions(tmp_path) == []
    for number in (1, 2, 3):
        folder.write_environment({"cores": number})
    assert read_sessions(tmp_path) == [{"cores": 1}, {"cores": 2}, {"cores": 3}]
    assert json.loads((tmp_path / "environment.json").read_text(encoding="utf-8"))["cores"] == 3
    (tmp_path / "environment.json").write_text("{", encoding="utf-8")
    assert read_sessions(tmp_path) == []


def test_texts_with_commas_survive() -> None:
    assert csv_text([{"a": "x, y"}]) == 'a\n"x, y"\n'


def test_a_histogram_is_written_bucket_by_bucket() -> None:
    histogram = Histogram()
    for value_ns in (5, 5, 1000):
        histogram.record(value_ns)
    told = histogram_json(histogram)
    assert told["buckets"] == [[5, 5, 2], [992, 1007, 1]]
    assert (told["count"], told["sum_ns"], told["max_ns"]) == (3, 1010, 1000)
    assert histogram_json(Histogram())["buckets"] == []
    assert json.loads(json.dumps(told)) == told


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BenchError, match=r"file/results cannot be written: .*--out"):
        ResultsFolder(tmp_path / "file" / "results").open()


def step(cameras: int, p99_ms: float, rate: float = 5.0, results: int = 100) -> dict[str, object]:
    return {
        "cameras": cameras,
        "age_p99_ms": p99_ms,
        "analysed_fps": rate,
        "wanted_fps": 5.0,
        "results": results,
    }


STEPS = [step(1, 50), step(2, 60), step(4, 120, 4.0), step(8, 90, 2.0), step(16, 700, 1.0)]


@pytest.mark.parametrize(
    ("budget_ms", "full_rate", "largest"),
    [(100, False, 2), (200, False, 8), (200, True, 2), (500, False, 8), (1000, False, 16), (40, False, 0)],
)
def test_the_largest_number_within_a_budget_is_the_last_before_the_first_that_is_not(
    budget_ms: float, full_rate: bool, largest: int
) -> None:
    assert largest_within(STEPS, budget_ms, full_rate=full_rate) == largest


def test_a_step_without_results_is_within_no_budget() -> None:
    assert largest_within([step(1, 0.0, 0.0, 0)], 500, full_rate=False) == 0


@pytest.mark.parametrize(("most", "steps"), [(1, [1]), (2, [1, 2]), (10, [1, 2, 4, 8, 10]), (16, [1, 2, 4, 8, 12, 16])])
def test_steps_end_at_the_most(most: int, steps: list[int]) -> None:
    assert steps_to(most) == steps
