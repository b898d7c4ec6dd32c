"""A scheduler with lanes and executors in one line, and a world in which cameras tick and calls take their time."""

import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from penstock.contracts.capacity import CapacityPlan, LadderStep, LaneGrant
from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import OutcomeStatus
from penstock.framebus.counters import CounterBlock
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.plan import AskFor
from penstock.scheduling.scheduler import Scheduler

MS = 1_000_000
START_NS = 1_000_000_000_000


class Rig:
    """Lanes `camera/model` on one executor; every model is ready and every camera has decoded nothing."""

    def __init__(
        self,
        lanes: Sequence[LaneSpec],
        *,
        streams: int = 1,
        quiet_ms: int = 5_000,
        hang_ms: int = 10_000,
        executors: dict[str, tuple[str, ...]] | None = None,
        max_batch: int = 1,
    ) -> None:
        words = len(lanes) * WORDS_PER_LANE
        counters = CounterBlock(memoryview(bytearray(8 * words)), words)
        executors = executors or {"cpu": tuple(dict.fromkeys(lane.model for lane in lanes))}
        home = {model: name for name, models in executors.items() for model in models}
        self.lanes = {
            spec.name: Lane(number, spec, home[spec.model], quiet_ms * MS, LaneLedger(counters, number))
            for number, spec in enumerate(lanes)
        }
        self.executors = {name: ExecutorState(name, streams, of, hang_ms * MS) for name, of in executors.items()}
        self.scheduler = Scheduler(self.lanes.values(), self.executors.values())
        for model in home:
            self.scheduler.model_ready(model, {}, max_batch)

    def offer(self, camera: str, index: int, at_ms: int, *, moved: bool = True, now_ms: int | None = None) -> list[str]:
        """A frame captured `at_ms` after the start is told at `now_ms`, by default at once; names of still lanes."""
        now_ns = START_NS + (at_ms if now_ms is None else now_ms) * MS
        return [lane.name for lane in self.scheduler.offered(camera, index, START_NS + at_ms * MS, moved, now_ns)]

    def asked(self, at_ms: int) -> list[tuple[int, str]]:
        """Tickets and lanes of the asks planned at that time."""
        return [(ask.ticket, ask.lane) for ask in self.scheduler.plan(START_NS + at_ms * MS).ask]

    def arrive(self, ticket: int, index: int, captured_ms: int, at_ms: int) -> bool:
        """Whether the view starts a call."""
        start = self.scheduler.arrived(ticket, index, START_NS + captured_ms * MS, START_NS + at_ms * MS)
        return start is not None

    def finish(self, ticket: int, at_ms: int, status: OutcomeStatus = OutcomeStatus.DONE) -> bool:
        return self.scheduler.finished(ticket, status, START_NS + at_ms * MS)

    def analyse(self, camera: str, index: int, at_ms: int, *, moved: bool = True, took_ms: int = 1) -> list[str]:
        """Offers a frame, and runs at once whatever it makes start; names of the lanes that ran."""
        self.offer(camera, index, at_ms, moved=moved)
        ran = []
        while asks := self.asked(at_ms):
            for ticket, lane in asks:
                if self.arrive(ticket, index, at_ms, at_ms):
                    ran.append(lane)
                self.finish(ticket, at_ms + took_ms)
        return ran

    def grant(self, lane: str, fps: float, at_ms: int = 0) -> None:
        """The plan gives the lane so much; 0 lets its model not run."""
        step = LadderStep.REDUCED if fps else LadderStep.MOTION_ONLY
        self.scheduler.apply(CapacityPlan(START_NS + at_ms * MS, (LaneGrant(lane, step, fps),)))

    def fates(self, lane: str) -> dict[str, int]:
        """The fates that occurred, by name."""
        ledger = self.lanes[lane].ledger
        return {fate.label: ledger.count(fate) for fate in Fate if ledger.count(fate)}


class Call(NamedTuple):
    """One that a model works on."""

    ticket: int
    lane: str
    captured_ms: float
    cost_ms: float


class World:
    """Cameras that tick and calls that end, on simulated time; every view is there `view_ms` after its ask."""

    def __init__(
        self,
        rig: Rig,
        *,
        frame_ms: dict[str, float],
        cost_ms: Callable[[str, float], float],
        view_ms: float = 1.0,
        age_ms: float = 5.0,
    ) -> None:
        self._rig = rig
        self._frame_ms = frame_ms
        self._cost_ms = cost_ms
        self._view_ms = view_ms
        self._age_ms = age_ms
        self._events: list[tuple[float, int, str, object]] = []
        self._count = 0
        self._newest = dict.fromkeys(frame_ms, (0, 0.0))
        self._free_at_ms = 0.0
        self.analysed: dict[str, list[float]] = {name: [] for name in rig.lanes}
        """capture times in ms of analysed frames, by lane"""
        self.ages_ms: dict[str, list[float]] = {name: [] for name in rig.lanes}
        self.probes = 0
        for number, camera in enumerate(frame_ms):
            self._at(number * 0.1, "frame", camera)

    def _at(self, ms: float, kind: str, what: object) -> None:
        self._count += 1
        heapq.heappush(self._events, (ms, self._count, kind, what))

    def run(self, until_ms: float) -> None:
        scheduler = self._rig.scheduler
        while self._events and self._events[0][0] <= until_ms:
            ms, _, kind, what = heapq.heappop(self._events)
            now_ns = START_NS + round(ms * MS)
            if kind == "frame":
                assert isinstance(what, str)
                index = self._newest[what][0] + 1
                self._newest[what] = (index, ms)
                scheduler.offered(what, index, START_NS + round((ms - self._age_ms) * MS), True, now_ns)
                self._at(ms + self._frame_ms[what], "frame", what)
            elif kind == "view":
                assert isinstance(what, AskFor)
                self._view(what, ms, now_ns)
            elif kind == "end":
                assert isinstance(what, Call)
                ticket, lane, captured_ms, _ = what
                scheduler.finished(ticket, OutcomeStatus.DONE, now_ns)
                self.analysed[lane].append(captured_ms)
                self.ages_ms[lane].append(ms - captured_ms)
            plan = scheduler.plan(now_ns)
            for ask in plan.ask:
                self._at(ms + self._view_ms, "view", ask)
            if plan.wake_at_ns is not None:
                self._at(max(ms, (plan.wake_at_ns - START_NS) / MS), "wake", None)

    def _view(self, ask: AskFor, ms: float, now_ns: int) -> None:
        index, told_ms = self._newest[ask.camera]
        captured_ms = told_ms - self._age_ms
        start = self._rig.scheduler.arrived(
            ask.ticket,
            index,
            START_NS + round(captured_ms * MS),
            now_ns,
        )
        if start is None:
            return
        self.probes += start.probe
        cost_ms = self._cost_ms(start.lanes[0], ms)
        self._free_at_ms = max(ms, self._free_at_ms) + cost_ms
        self._at(self._free_at_ms, "end", Call(start.work, start.lanes[0], captured_ms, cost_ms))


@pytest.fixture
def rig() -> type[Rig]:
    return Rig


@pytest.fixture
def world() -> type[World]:
    return World
