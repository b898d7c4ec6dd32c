"""A real network on real video: how much of it this machine does, and runs at multiples of that.

What `1×` means is measured first, not assumed: sixteen cameras with six copies of the model each want every picture,
and what the machine then analyses in a second is its capacity, decoding and all else included.
"""

from collections.abc import Sequence
from pathlib import Path

from penstock.base.clock import Clock
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
from penstock.harness.claims import books_balance, evenly, high_untouched, plan_settled, within_budget
from penstock.harness.scenario import Kind, Scenario
from penstock.harness.workload import RING_BYTES, RING_NS, Place, Wanted, run_of

COPIES = 6
PRIORITIES = (10,) * 2 + (5,) * 4 + (0,) * 10
"""of the sixteen cameras: the same parts as in the scenarios of 64"""
VIDEO_FPS = 25.0
BUDGET_NS = 500_000_000

NETWORK = (
    Scenario(
        name="openvino_1x",
        group="network",
        about="a real network in OpenVINO on 16 videos, asked for as much as this machine was measured to do",
        claims=(within_budget, high_untouched, books_balance),
        kind=Kind.NETWORK,
        load=1.0,
    ),
    Scenario(
        name="openvino_4x",
        group="network",
        about="the same network on the same videos, asked for four times as much",
        claims=(within_budget, evenly, high_untouched, plan_settled, books_balance),
        kind=Kind.NETWORK,
        load=4.0,
    ),
)


def network_run(
    videos: Sequence[Path], model: Path, place: Place, clock: Clock, *, total_fps: float
) -> tuple[RunSpec, Wanted]:
    """All lanes together ask for `total_fps` analyses a second, but none for more than the video has pictures."""
    names = [f"detector{copy}" for copy in range(1, COPIES + 1)]
    lane_fps = min(VIDEO_FPS, total_fps / (len(PRIORITIES) * COPIES))
    cameras, lanes = [], []
    for number, priority in enumerate(PRIORITIES):
        camera = f"video{number + 1}"
        cameras.append(_camera(camera, videos[number % len(videos)]))
        lanes += [
            LaneSpec(camera, name, max_fps=lane_fps, priority=priority, budget_ns=BUDGET_NS, gated=False)
            for name in names
        ]
    models = tuple(ModelSpec(name, path=str(model), backend="openvino", confidence=0.4) for name in names)
    spec = run_of(
        place,
        clock,
        cameras=tuple(cameras),
        executors=(ExecutorSpec("cpu", "cpu", models, streams=max(1, place.cores)),),
        lanes=tuple(lanes),
        rules=(RuleSpec("somebody", "count(person) >= 1"),),
    )
    return spec, {(lane.camera, lane.model): (lane.max_fps, lane.priority) for lane in lanes}


def _camera(name: str, video: Path) -> CameraSpec:
    stream = StreamSpec(
        camera=name, url=str(video), roles=(Role.DETECT,), ring_seconds_ns=RING_NS, ring_bytes=4 * RING_BYTES
    )
    return CameraSpec(name, (stream,), gate=GateSpec(enabled=False), record=RecordSpec(enabled=False, snapshot=False))
