"""One row of `summary.csv`: RVO's columns by its names and in its order, then ours.

A *tick* is one scheduling decision: a call of the engine's planner, and nothing else, for no model runs in it. Where a
figure is of one camera (`actual_camera_fps`, `effective_fps`, `frame_loss_rate`) it is the mean over cameras.

- `actual_camera_fps`: frames that a camera's source gave, per second. Frames that were due while the source was late
  are not among them: they are `total_frame_drops`.
- `exec_*`: the model's own call, network and head, without waiting and without transport.
- `total_execs`: calls that gave a result.
- `total_skips`: frames that a lane was due for and that did not run: superseded, expired or shed.
- `total_frame_drops`: frames of the cameras' schedules that no lane could be offered.
- `refused_fps`: what the capacity plan, at the end, granted all lanes together less than they asked for. Frames that a
  reduced rate passes over end `not_due` and are no skips.
- `effective_fps`: offered frames per second and lane that were dealt with as wanted: all but those skipped and refused.
  A frame that the lane's wanted rate did not ask for, or that showed nothing new, was dealt with.
- `frame_loss_rate`: frames per second of a camera that its lanes should have had and did not: what the source dropped,
  and what is between `actual_camera_fps` and `effective_fps`. Without lanes only the first.
- `age_*`: from capture to the result in the engine, where the capture is the instant at which the frame was due.
"""

from collections.abc import Iterable
from typing import Any

from penstock.contracts.fates import Fate
from penstock.harness.fairness import jain
from penstock.harness.measured import LaneMeasured, Measured
from penstock.harness.scenario import Scenario
from penstock.telemetry.histogram import Histogram

RVO_COLUMNS = (
    "run_id",
    "scenario",
    "detector_sleep_ms",
    "input_fps",
    "actual_camera_fps",
    "duration_secs",
    "tick_p50_ns",
    "tick_p99_ns",
    "tick_p999_ns",
    "tick_count",
    "exec_p50_ns",
    "exec_p99_ns",
    "exec_p999_ns",
    "total_ticks",
    "total_execs",
    "total_skips",
    "total_events",
    "total_frame_drops",
    "effective_fps",
    "frame_loss_rate",
)
OWN_COLUMNS = (
    "age_p50_ns",
    "age_p99_ns",
    "age_p999_ns",
    "age_count",
    "over_budget_share",
    "wanted_fps",
    "analysed_fps",
    "refused_fps",
    "jain_worst_priority",
    "high_priority_share",
    "model_failed",
    "plan_changes",
    "control_p50_ns",
    "cores",
    "rss_bytes",
    "cameras",
    "lanes",
    "balanced",
    "complete",
)
COLUMNS = RVO_COLUMNS + OWN_COLUMNS
FLAT_FPS = 1e-9
LEAST_SHARED = 0.02
"""part of what a priority asked for, below which it has nothing to share"""


def summary_row(run_id: int, scenario: Scenario, found: Measured, *, complete: bool = True) -> dict[str, Any]:
    """`complete` is False where the run was interrupted: what was measured until then."""
    actual_fps, effective_fps, loss_fps = camera_rates(found)
    row: dict[str, Any] = {
        "run_id": run_id,
        "scenario": scenario.name,
        "detector_sleep_ms": f"{scenario.detector_sleep_ms:g}",
        "input_fps": f"{scenario.input_fps:g}",
        "actual_camera_fps": round(actual_fps, 2),
        "duration_secs": round(found.seconds, 3),
        **_percentiles("tick", found.plan),
        "tick_count": found.plan.count,
        **_percentiles("exec", found.exec),
        "total_ticks": found.plans,
        "total_execs": found.exec.count,
        "total_skips": sum(lane.skipped for lane in found.lanes),
        "total_events": found.events,
        "total_frame_drops": sum(camera.lost for camera in found.cameras),
        "effective_fps": round(effective_fps, 2),
        "frame_loss_rate": round(loss_fps, 2),
        **_percentiles("age", found.age),
        "age_count": found.age.count,
        "over_budget_share": round(over_budget_share(found.lanes), 6),
        "wanted_fps": round(sum(lane.wanted_fps for lane in found.lanes), 3),
        "analysed_fps": round(sum(lane.analysed_fps for lane in found.lanes), 3),
        "refused_fps": round(sum(refused_fps(lane) for lane in found.lanes), 3),
        "jain_worst_priority": round(min(fairness_by_priority(found).values(), default=1.0), 5),
        "high_priority_share": round(high_priority_share(found), 4),
        "model_failed": found.fate(Fate.MODEL_FAILED),
        "plan_changes": found.plan_changes,
        "control_p50_ns": found.control.percentile_ns(50),
        "cores": round(sum(process.cores for process in found.processes), 3),
        "rss_bytes": sum(process.rss_bytes for process in found.processes),
        "cameras": len(found.cameras),
        "lanes": len(found.lanes),
        "balanced": found.balanced,
        "complete": complete,
    }
    assert tuple(row) == COLUMNS
    return row


def camera_rates(found: Measured) -> tuple[float, float, float]:
    """`actual_camera_fps`, `effective_fps` and `frame_loss_rate`, as the module says."""
    cameras = len(found.cameras)
    if not cameras:
        return 0.0, 0.0, 0.0
    actual_fps = sum(camera.fps for camera in found.cameras) / cameras
    dropped_fps = sum(camera.lost / camera.seconds for camera in found.cameras if camera.seconds > 0) / cameras
    lanes = [lane for lane in found.lanes if lane.seconds > 0]
    if not lanes:
        return actual_fps, actual_fps, dropped_fps
    offered_fps = sum(lane.offered / lane.seconds for lane in lanes) / len(lanes)
    lost_fps = sum(lane.skipped / lane.seconds + refused_fps(lane) for lane in lanes) / len(lanes)
    return actual_fps, max(0.0, offered_fps - lost_fps), dropped_fps + min(lost_fps, offered_fps)


def refused_fps(lane: LaneMeasured) -> float:
    """What the plan grants the lane less than it wants; 0 for one that it has paused, whose frames all end `shed`."""
    return max(0.0, lane.wanted_fps - lane.granted_fps) if lane.granted_fps > 0 else 0.0


def over_budget_share(lanes: Iterable[LaneMeasured]) -> float:
    """Of all results, the part that was older than its lane's budget."""
    counted = [(lane.over_budget, lane.age.count) for lane in lanes]
    results = sum(count for _, count in counted)
    return sum(over for over, _ in counted) / results if results else 0.0


def fairness_by_priority(found: Measured) -> dict[int, float]:
    """Jain's index over the lanes of each priority, of the part of its wanted rate that each lane got.

    A priority for which nothing was left shares nothing: the few analyses before the plan was made say nothing of it.
    """
    shares: dict[int, list[float]] = {}
    for lane in found.lanes:
        shares.setdefault(lane.priority, []).append(min(1.0, lane.analysed_fps / max(lane.wanted_fps, FLAT_FPS)))
    return {
        priority: jain(values)
        for priority, values in sorted(shares.items())
        if sum(values) >= LEAST_SHARED * len(values)
    }


def share_by_priority(found: Measured) -> dict[int, float]:
    """What the lanes of each priority got of what they asked for together."""
    sums: dict[int, tuple[float, float]] = {}
    for lane in found.lanes:
        got, asked = sums.get(lane.priority, (0.0, 0.0))
        sums[lane.priority] = (got + lane.analysed_fps, asked + lane.wanted_fps)
    return {priority: got / max(asked, FLAT_FPS) for priority, (got, asked) in sorted(sums.items())}


def high_priority_share(found: Measured) -> float:
    """What the lanes of the highest priority got of what they asked for; 1 without lanes."""
    shares = share_by_priority(found)
    return shares[max(shares)] if shares else 1.0


def _percentiles(name: str, histogram: Histogram) -> dict[str, int]:
    return {
        f"{name}_p{label}_ns": histogram.percentile_ns(percent)
        for label, percent in (("50", 50), ("99", 99), ("999", 99.9))
    }
