"""The parts of a simulated host, made from its description; and what a host takes from those who look on."""

import random
from collections.abc import Mapping
from typing import Protocol

from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.plan import StartWork
from penstock.testkit.arrivals import Arrivals, PacedArrivals
from penstock.testkit.chance_tables import MASK, ChanceTables
from penstock.testkit.host_model import HostModel
from penstock.testkit.simulated_cameras import IngestProcess, SimulatedCamera
from penstock.testkit.simulated_executor import AskedView, SimulatedCall


class Ages(Protocol):
    """Takes the age of each result of a lane, from capture to the engine, in nanoseconds."""

    def record(self, value_ns: int) -> None: ...


class Watcher(Protocol):
    """Looks on. It may read everything and must change nothing."""

    def stepped(self, now_ns: int) -> None:
        """One event was dealt with, and everything that followed from it at once."""
        ...

    def started(self, start: StartWork, call: SimulatedCall, now_ns: int) -> None:
        """The scheduler had a call start."""
        ...

    def analysed(self, view: AskedView, call: SimulatedCall, taken_ns: int) -> None: ...


class ListedCounters:
    """Counters in a list, for one process."""

    def __init__(self, count: int) -> None:
        self._words = [0] * count

    def add(self, index: int, amount: int = 1) -> None:
        self._words[index] += amount

    def set(self, index: int, value: int) -> None:
        self._words[index] = value

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def __len__(self) -> int:
        return len(self._words)


class NoAges:
    def record(self, value_ns: int) -> None:
        """Nobody wants to know."""


def lanes_of(model: HostModel) -> list[Lane]:
    """The scheduler's lanes, their books in one list of counters."""
    executor_of = {one.name: executor.name for executor in model.executors for one in executor.models}
    quiet_ns = {camera.name: camera.quiet_ns for camera in model.cameras}
    counters = ListedCounters(len(model.lanes) * WORDS_PER_LANE)
    return [
        Lane(number, spec, executor_of[spec.model], quiet_ns[spec.camera], LaneLedger(counters, number))
        for number, spec in enumerate(model.lanes)
    ]


def states_of(model: HostModel) -> dict[str, ExecutorState]:
    """What the scheduler knows of the executors."""
    return {
        one.name: ExecutorState(one.name, one.streams, [m.name for m in one.models], one.hang_timeout_ns)
        for one in model.executors
    }


def cameras_of(
    model: HostModel, seed: int | str, tables: ChanceTables, arrivals: Mapping[str, Arrivals]
) -> dict[str, SimulatedCamera]:
    """The cameras by name; those that `arrivals` does not name send frames at an even pace."""
    ingests = [IngestProcess() for _ in range(1 + max((camera.ingest for camera in model.cameras), default=0))]
    cameras = {}
    for camera in model.cameras:
        lanes = sum(lane.camera == camera.name and lane.crops is None for lane in model.lanes)
        given = arrivals.get(camera.name)
        if given is None:
            given = PacedArrivals(
                random.Random(f"key {seed} {camera.name}").randrange(MASK),
                tables.spread_ns(camera.jitter_ns),
                tables.log_normal_ns(camera.latency_ns, camera.latency_sigma),
            )
        cameras[camera.name] = SimulatedCamera(camera, seed, ingests[camera.ingest], given, lanes)
    return cameras
