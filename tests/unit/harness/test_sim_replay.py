"""What is told of a replay."""

from pathlib import Path

import pytest

from penstock.harness import sim_replay
from penstock.testkit.recording import RecordingError
from penstock.testkit.replay import LanePrediction, Replayed

MS = 1_000_000


def prediction(lane: str, live_ms: int, predicted_ms: int, results: int = 200) -> LanePrediction:
    live = {"p50": 50 * MS, "p95": 90 * MS, "p99": live_ms * MS}
    predicted = {"p50": 55 * MS, "p95": 90 * MS, "p99": predicted_ms * MS}
    return LanePrediction(lane, results, 98, live, predicted)


@pytest.mark.parametrize(
    ("predicted_ms", "verdict"),
    [
        (110, "p99 age predicted +10.0% off what was measured, within 20%"),
        (79, "p99 age predicted -21.0% off what was measured, NOT within 20%"),
    ],
)
def test_the_difference_is_told_with_a_verdict(predicted_ms: int, verdict: str) -> None:
    whole = prediction("", 100, predicted_ms)
    text = sim_replay.text(Replayed(whole, (prediction("c0/m", 100, 100),), 20_000 * MS, 5_000 * MS, ("c1/faces",)))
    assert verdict in text
    assert "window 20 s, its first 5.0 s left out" in text
    assert "left out, for they wait for other lanes: c1/faces." in text
    row = next(line for line in text.splitlines() if line.startswith("c0/m"))
    assert " ".join(row.split()) == "c0/m 200 98 50 ms 55 ms +10.0% 90 ms 90 ms +0.0% 100 ms 100 ms +0.0%"


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with pytest.raises(RecordingError, match=r"trace\.json cannot be read: No such file"):
        sim_replay.replay_file(path)
    path.write_text("[]")
    with pytest.raises(RecordingError, match=r"trace\.json: not a trace that can be replayed"):
        sim_replay.replay_file(path)


@pytest.mark.parametrize(
    ("lanes", "whole", "told"),
    [
        ((50, 150), 200, ""),
        ((0, 200), 200, ""),
        ((49, 200), 249, "(c0/m has 49 results, fewer than 50); record for longer: penstock trace --for 60s"),
        ((60, 60), 120, "(all together have 120, fewer than 200); record for longer: penstock trace --for 60s"),
        ((0, 0), 0, "(all together have 0, fewer than 200); record for longer: penstock trace --for 60s"),
    ],
)
def test_few_results_are_no_verdict(lanes: tuple[int, ...], whole: int, told: str) -> None:
    rows = tuple(prediction(f"c{number}/m", 100, 200, results) for number, results in enumerate(lanes))
    replayed = Replayed(prediction("", 100, 200, whole), rows, 20_000 * MS, 5_000 * MS, ())
    assert sim_replay.too_short(replayed).removeprefix("the recording is too short to judge by ") == told
    text = sim_replay.text(replayed)
    assert ("note: the recording is too short" in text, "NOT within" in text) == (bool(told), not told)
    assert "all " in text


def test_the_longest_trace_with_few_results_is_not_told_to_be_longer() -> None:
    rows = tuple(prediction(f"c{number}/m", 100, 200, 20) for number in range(6))
    replayed = Replayed(prediction("", 100, 200, 120), rows, 60_000 * MS, 5_000 * MS, ())
    why = sim_replay.too_short(replayed)
    assert "; 3 more lanes have as few; " in why
    assert why.endswith("no trace is longer, so record while more moves, or with a higher detect.fps")
