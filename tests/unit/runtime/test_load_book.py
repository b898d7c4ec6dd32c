"""Cumulative loads become rates and mean costs, across restarts of the processes that tell of them."""

import pytest

from penstock.contracts.messages import CameraLoad, Load, ModelLoad
from penstock.runtime.load_book import LoadBook

S = 1_000_000_000
MS = 1_000_000


def load(second: int, cpu_ms: int = 0, busy_ms: int = 0, *cameras: CameraLoad) -> Load:
    return Load(second * S, cpu_ms * MS, (ModelLoad("m", busy_ms // 10, busy_ms * MS),), 0, cameras)


def camera(units: int, decoded: int, decode_ms: int, views: int = 0, view_ms: int = 0) -> CameraLoad:
    return CameraLoad("door", units, units // 50, units // 5, decoded, decode_ms * MS, views, view_ms * MS)


def test_nothing_is_known_from_one_load() -> None:
    book = LoadBook()
    book.heard("ingest-0", load(1, 500, 0, camera(25, 25, 30)))
    assert book.cpu_rate("ingest-0") == 0.0
    assert list(book.cameras()) == []
    assert book.cpu_ns() == 500 * MS


def test_rates_and_means_are_those_of_the_window() -> None:
    book = LoadBook()
    book.heard("ingest-0", load(10, 1000, 0, camera(100, 100, 120, 20, 8)))
    book.heard("ingest-0", load(14, 2000, 0, camera(200, 180, 220, 40, 20)))
    ((name, rates),) = book.cameras()
    assert name == "door"
    assert rates.unit_fps == 25.0
    assert rates.keyframe_fps == 0.5
    assert rates.disposable == 0.2
    assert rates.decoded == 0.8
    assert rates.unit_ns == 100 * MS / 80
    assert rates.decode_ns == 25 * MS
    assert rates.view_ns == 0.6 * MS
    assert rates.views_fps == 5.0
    assert book.cpu_rate("ingest-0") == 0.25


def test_what_is_older_than_the_window_is_forgotten() -> None:
    book = LoadBook()
    for second in range(30):
        slow = second < 15
        book.heard("e", load(second, 900 * min(second, 15) + (0 if slow else 100 * (second - 15))))
    assert book.cpu_rate("e") == pytest.approx(0.1)


def test_a_process_that_begins_again_counts_from_zero() -> None:
    book = LoadBook()
    book.heard("e", load(1, 5000, 4000))
    book.heard("e", load(2, 5900, 4900))
    book.heard("e", load(5, 100, 0))
    assert book.cpu_rate("e") == 0.0
    book.heard("e", load(6, 600, 1000))
    assert book.cpu_rate("e") == 0.5
    rates = book.model("e", "m")
    assert rates is not None
    assert (rates.on_processor, rates.cpu_ns, rates.busy_ns) == (0.5, 5 * MS, 10 * MS)
    book.gone("e")
    assert book.cpu_ns() == 0
    assert book.model("e", "m") is None


def test_an_executor_that_hardly_runs_says_nothing_of_its_calls() -> None:
    book = LoadBook()
    book.heard("e", load(1))
    book.heard("e", load(2, 30, 10))
    assert book.model("e", "m") is None


def test_an_executors_time_is_shared_by_its_models_as_their_calls_are() -> None:
    book = LoadBook()
    book.heard("e", Load(S, 0, (ModelLoad("slow"),)))
    book.heard("e", Load(2 * S, 800 * MS, (ModelLoad("slow", 10, 750 * MS), ModelLoad("quick", 50, 250 * MS))))
    slow, quick = book.model("e", "slow"), book.model("e", "quick")
    assert slow is not None
    assert quick is not None
    assert (slow.cpu_ns, slow.busy_ns) == (60 * MS, 75 * MS)
    assert (quick.cpu_ns, quick.busy_ns) == (4 * MS, 5 * MS)
    assert book.model("e", "other") is None
