"""A recorded run against its replay: a table of ages as measured and as the simulation predicts them."""

from pathlib import Path

from penstock.testkit.recording import RecordingError, load
from penstock.testkit.replay import LanePrediction, Replayed, replay

__all__ = ["TOLERANCE", "RecordingError", "replay_file", "text"]

TOLERANCE = 0.2
"""a prediction of the 99th percentile that is further off says that the simulation is wrong"""


def replay_file(path: Path, seed: int = 0) -> Replayed:
    """Replays a file of `penstock trace`; raises RecordingError, also where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return replay(load(content), seed)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None


def text(replayed: Replayed) -> str:
    """Lanes one by one where there are few, then all together, and the verdict."""
    lines = [f"{'lane':24} {'results':>15}   {'age p50':>23}   {'age p95':>23}   {'age p99':>23}"]
    lines.append(f"{'':24} {'live':>7} {'sim':>7}" + f"   {'live':>7} {'sim':>7} {'off':>7}" * 3)
    if len(replayed.lanes) <= 40:
        lines += [_row(lane) for lane in replayed.lanes if lane.results]
    lines.append(_row(replayed.whole))
    off = replayed.whole.difference("p99")
    verdict = "within" if abs(off) <= TOLERANCE else "NOT within"
    lines.append("")
    lines.append(
        f"p99 age predicted {off:+.1%} off what was measured, {verdict} {TOLERANCE:.0%}; "
        f"window {replayed.window_ns / 1e9:.0f} s, its first {replayed.skipped_ns / 1e9:.1f} s left out"
    )
    if replayed.left_out:
        named = ", ".join(replayed.left_out[:5]) + (" …" if len(replayed.left_out) > 5 else "")
        lines.append(f"left out, for they wait for other lanes: {named}. Their calls took time that is missing here.")
    return "\n".join(lines) + "\n"


def _row(lane: LanePrediction) -> str:
    ages = "".join(
        f"   {lane.live_ns[name] / 1e6:4.0f} ms {lane.predicted_ns[name] / 1e6:4.0f} ms {lane.difference(name):+7.1%}"
        for name in ("p50", "p95", "p99")
    )
    return f"{lane.lane or 'all':24} {lane.results:7d} {lane.predicted_results:7d}{ages}"
