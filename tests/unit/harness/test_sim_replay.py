"""What is told of a replay."""

from pathlib import Path

import pytest

from penstock.harness import sim_replay
from penstock.testkit.recording import RecordingError
from penstock.testkit.replay import LanePrediction, Replayed

MS = 1_000_000


def prediction(lane: str, live_ms: int, predicted_ms: int) -> LanePrediction:
    live = {"p50": 50 * MS, "p95": 90 * MS, "p99": live_ms * MS}
    predicted = {"p50": 55 * MS, "p95": 90 * MS, "p99": predicted_ms * MS}
    return LanePrediction(lane, 100, 98, live, predicted)


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
    assert " ".join(row.split()) == "c0/m 100 98 50 ms 55 ms +10.0% 90 ms 90 ms +0.0% 100 ms 100 ms +0.0%"


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with pytest.raises(RecordingError, match=r"trace\.json cannot be read: No such file"):
        sim_replay.replay_file(path)
    path.write_text("[]")
    with pytest.raises(RecordingError, match=r"trace\.json: not a trace that can be replayed"):
        sim_replay.replay_file(path)
