"""The lanes of a run: their rows in the ledger's memory, and the scheduler that works on them."""

from collections.abc import Mapping

from penstock.contracts.specs import RunSpec
from penstock.contracts.traces import FateTrace
from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.framebus.regions import Region
from penstock.runtime import wiring
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import LaneLedger
from penstock.scheduling.scheduler import Scheduler


def lane_ledgers(spec: RunSpec, regions: Mapping[str, Region], trace: FateTrace | None = None) -> list[LaneLedger]:
    """Each lane's row, in the order of the specification; `trace` hears of the fates of frames not analysed."""
    counters = CounterBlock(regions[wiring.LEDGER].memory, wiring.ledger_bytes(spec) // WORD_BYTES)
    return [LaneLedger(counters, number, lane.name, trace) for number, lane in enumerate(spec.lanes)]


def make_scheduler(spec: RunSpec, ledgers: list[LaneLedger]) -> Scheduler:
    """The run's scheduler, which goes on with the books in `ledgers`."""
    executor_of = {model.name: executor.name for executor in spec.executors for model in executor.models}
    quiet_ns = {camera.name: camera.gate.quiet_interval_ns for camera in spec.cameras}
    lanes = [
        Lane(number, lane, executor_of[lane.model], quiet_ns[lane.camera], ledgers[number])
        for number, lane in enumerate(spec.lanes)
    ]
    executors = [
        ExecutorState(
            executor.name, executor.streams, [model.name for model in executor.models], executor.hang_timeout_ns
        )
        for executor in spec.executors
    ]
    return Scheduler(lanes, executors)
