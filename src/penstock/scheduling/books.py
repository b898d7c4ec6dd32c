"""What the scheduler shows of itself: every lane's books, and what it has measured for the capacity plan."""

import msgspec

from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.scheduling.board import Board
from penstock.scheduling.lane import NS_PER_S
from penstock.scheduling.measurements import LaneMeasurement, Measurements, ModelMeasurement


class LaneSnapshot(msgspec.Struct, frozen=True):
    """One lane's books at one instant: `offered` equals the sum of `fates` plus `in_flight`."""

    name: str
    camera: str
    model: str
    active: bool
    offered: int
    in_flight: int
    fates: dict[str, int]
    predicted_ns: int
    max_fps: float
    """what it asks for"""
    granted_fps: float = 0.0
    """what the plan gives it"""
    step: LadderStep = LadderStep.FULL
    limited_by: str = ""
    shadow: bool = False


def snapshot(board: Board) -> list[LaneSnapshot]:
    """Every lane's books."""
    shown = []
    for lane in board.lanes:
        running = len(lane.queue.executor.started) + 1
        shown.append(
            LaneSnapshot(
                name=lane.name,
                camera=lane.camera,
                model=lane.model,
                active=lane.active,
                offered=lane.ledger.offered,
                in_flight=lane.in_flight,
                fates={fate.label: lane.ledger.count(fate) for fate in Fate},
                predicted_ns=lane.queue.costs.predict_ns(running),
                max_fps=NS_PER_S / lane.wanted_interval_ns,
                granted_fps=lane.grant.fps,
                step=lane.grant.step,
                limited_by=lane.grant.limited_by,
                shadow=lane.shadow,
            )
        )
    return shown


def measurements(board: Board) -> Measurements:
    """Costs of all models and activity of all lanes."""
    return Measurements(
        models=tuple(
            ModelMeasurement(
                model=model,
                executor=queue.executor.name,
                stream_ns=queue.stream.value,
                samples=queue.stream.count,
                measured_ns=queue.stream.at_ns,
            )
            for model, queue in board.queues.items()
        ),
        lanes=tuple(
            LaneMeasurement(lane=lane.name, activity=lane.activity.share, views=lane.views_per_analysis.value or 1.0)
            for lane in board.lanes
        ),
    )
