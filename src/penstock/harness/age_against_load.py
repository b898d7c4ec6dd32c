"""Age against load: more and more real RTSP cameras, and how old results are at each number of them.

Every step is a run of its own with its own warm-up, so that it has settled before it counts. A camera wants five
analyses a second within 500 ms; with sub-streams the models look at 320×180 and the large stream is only kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.base.clock import NS_PER_MS, Clock
from penstock.contracts.identity import Role
from penstock.contracts.specs import (
    CameraSpec,
    ExecutorSpec,
    GateSpec,
    LaneSpec,
    ModelSpec,
    RecordSpec,
    RuleSpec,
    RunSpec,
    StreamSpec,
)
from penstock.harness.measured import Measured
from penstock.harness.scenario import Kind, Scenario
from penstock.harness.workload import RING_BYTES, RING_NS, Place, Wanted, run_of
from penstock.simulator.ready import ReadyCamera

STEPS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
DETECT_FPS = 5.0
BUDGET_NS = 500_000_000
BUDGETS_MS = (100, 200, 500)
FULL_RATE = 0.95

AGE_AGAINST_LOAD = Scenario(
    name="age_against_load",
    group="curve",
    about="real RTSP cameras, step by step more of them: age and granted rate, float and 8-bit, main and sub-streams",
    kind=Kind.STEPS,
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One curve."""

    model: str
    """`float` or `int8`"""
    path: Path
    sub: bool

    @property
    def name(self) -> str:
        return f"{self.model}, {'sub' if self.sub else 'main'}-stream"


def steps_to(most: int) -> list[int]:
    """Numbers of cameras up to `most`, which is the last."""
    return [*(step for step in STEPS if step < most), most]


def step_run(cameras: Sequence[ReadyCamera], variant: Variant, place: Place, clock: Clock) -> tuple[RunSpec, Wanted]:
    lanes = tuple(
        LaneSpec(camera.name, "detector", max_fps=DETECT_FPS, budget_ns=BUDGET_NS, gated=False) for camera in cameras
    )
    spec = run_of(
        place,
        clock,
        cameras=tuple(_camera(camera, sub=variant.sub) for camera in cameras),
        executors=(
            ExecutorSpec(
                "cpu",
                "cpu",
                (ModelSpec("detector", path=str(variant.path), confidence=0.4),),
                streams=max(1, place.cores),
            ),
        ),
        lanes=lanes,
        rules=(RuleSpec("somebody", "count(person) >= 1"),),
    )
    return spec, {(lane.camera, lane.model): (lane.max_fps, lane.priority) for lane in lanes}


def curve_row(run_id: int, variant: Variant, found: Measured) -> dict[str, Any]:
    """One step of one curve; rates are per camera."""
    cameras = max(len(found.lanes), 1)
    analysed_fps = sum(lane.analysed_fps for lane in found.lanes) / cameras
    age = found.age
    return {
        "run_id": run_id,
        "model": variant.model,
        "stream": "sub" if variant.sub else "main",
        "cameras": len(found.cameras),
        "wanted_fps": DETECT_FPS,
        "granted_fps": round(sum(lane.granted_fps for lane in found.lanes) / cameras, 3),
        "analysed_fps": round(analysed_fps, 3),
        "slowest_lane_fps": round(min((lane.analysed_fps for lane in found.lanes), default=0.0), 3),
        "age_p50_ms": round(age.percentile_ns(50) / NS_PER_MS, 2),
        "age_p95_ms": round(age.percentile_ns(95) / NS_PER_MS, 2),
        "age_p99_ms": round(age.percentile_ns(99) / NS_PER_MS, 2),
        "results": age.count,
        "cores": round(sum(process.cores for process in found.processes), 3),
        "rss_mib": round(sum(process.rss_bytes for process in found.processes) / 2**20, 1),
        "balanced": found.balanced,
    }


def largest_within(rows: Sequence[dict[str, Any]], budget_ms: float, *, full_rate: bool) -> int:
    """The largest number of cameras up to which every step had its p99 within `budget_ms`; 0 where none had.

    With `full_rate` every camera must also have got 95 % of the rate it wanted: ages alone may be bounded by analysing
    less often, which is what the capacity plan does.
    """
    largest = 0
    for row in sorted(rows, key=lambda row: int(row["cameras"])):
        rate = float(row["analysed_fps"]) / float(row["wanted_fps"])
        fits = int(row["results"]) > 0 and float(row["age_p99_ms"]) <= budget_ms
        if not fits or (full_rate and rate < FULL_RATE):
            break
        largest = int(row["cameras"])
    return largest


def _camera(camera: ReadyCamera, *, sub: bool) -> CameraSpec:
    def stream(url: str, *roles: Role) -> StreamSpec:
        return StreamSpec(camera.name, url, roles=roles, ring_seconds_ns=RING_NS, ring_bytes=4 * RING_BYTES)

    streams = (
        (stream(camera.sub_url, Role.DETECT), stream(camera.url, Role.RECORD))
        if sub
        else (stream(camera.url, Role.DETECT, Role.RECORD),)
    )
    record = RecordSpec(enabled=False, snapshot=False)
    return CameraSpec(camera.name, streams, gate=GateSpec(enabled=False), record=record)
