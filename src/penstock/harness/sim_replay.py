"""A recorded run against its replay: a table of ages as measured and as the simulation predicts them."""

from pathlib import Path

from penstock.base.clock import NS_PER_S
from penstock.testkit.recording import RecordingError, load
from penstock.testkit.replay import LanePrediction, Replayed, replay

__all__ = ["TOLERANCE", "RecordingError", "replay_file", "text", "too_short"]

TOLERANCE = 0.2
"""a prediction of the 99th percentile that is further off says that the simulation is wrong"""


LEAST_OF_LANE, LEAST_OF_ALL = 50, 200
"""results; of fewer, a 99th percentile is what one or two of them happened to be"""
_LONGEST_S = 60
"""of a trace"""


def too_short(replayed: Replayed) -> str:
    """Why the recording does not tell whether the prediction is right, and how long to record; empty where it does.

    Lanes without any result are not in the table, and not judged.
    """
    few = [lane for lane in replayed.lanes if 0 < lane.results < LEAST_OF_LANE]
    total = replayed.whole.results
    if not few and total >= LEAST_OF_ALL:
        return ""
    parts = [f"{lane.lane} has {lane.results} results, fewer than {LEAST_OF_LANE}" for lane in few[:3]]
    parts += [f"{len(few) - 3} more lanes have as few"] if len(few) > 3 else []
    parts += [f"all together have {total}, fewer than {LEAST_OF_ALL}"] if total < LEAST_OF_ALL else []
    advice = f"record for longer: penstock trace --for {_LONGEST_S}s"
    if replayed.window_ns >= 0.9 * _LONGEST_S * NS_PER_S:
        advice = "no trace is longer, so record while more moves, or with a higher detect.fps"
    return f"the recording is too short to judge by ({'; '.join(parts)}); {advice}"


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
    short = too_short(replayed)
    verdict = f"within {TOLERANCE:.0%}" if abs(off) <= TOLERANCE else f"NOT within {TOLERANCE:.0%}"
    lines.append("")
    if short:
        lines.append(f"note: {short}")
        verdict = "not judged"
    lines.append(
        f"p99 age predicted {off:+.1%} off what was measured, {verdict}; "
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
