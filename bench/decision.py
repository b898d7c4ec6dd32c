"""How long one scheduling decision takes, with 1, 64 and 10,000 lanes: the real scheduler on simulated time.

Frames, views and outcomes come in the order and at the simulated instants of a live run; after each of them `plan` is
called, as the engine does. `decision` are the plans that asked for a view, which cost most; `plan` are all of them.
`cycle` is all of the scheduler's time between two analysed frames: what one result costs, frames not due included.
"""

import random
import time
from heapq import heappop, heappush
from itertools import count

import msgspec

from bench.records import Benchmark, Context, Effort, Goal, Series, Taken
from bench.stopwatch import overhead_us
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import OutcomeStatus
from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.scheduler import Scheduler

NS_PER_S = 1_000_000_000
BUDGET_NS = 500_000_000


class Fleet(msgspec.Struct, frozen=True):
    """Lanes of one model on one executor, each of a camera of its own."""

    lanes: int
    streams: int
    lane_fps: float
    frame_fps: float
    load: float
    """demanded device time over what there is"""

    @property
    def call_ns(self) -> int:
        """Time of one call, view included, that makes up `load`."""
        return round(self.load * self.streams * NS_PER_S / (self.lanes * self.lane_fps))


FLEETS = {
    "1 camera": Fleet(1, 2, 5, 25, 0.06),
    "64 lanes": Fleet(64, 2, 5, 25, 0.6),
    "64 lanes, 4× overload": Fleet(64, 2, 5, 25, 4),
    "10,000 lanes": Fleet(10_000, 16, 1, 5, 0.6),
    "10,000 lanes, 4× overload": Fleet(10_000, 16, 1, 5, 4),
}
_FRAME, _VIEW, _END = range(3)
_WARM_UP_NS = 2 * NS_PER_S


class Simulation:
    """Events by simulated instant; keeps how long each call of the scheduler took."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        specs = [LaneSpec(f"c{n}", "m", max_fps=fleet.lane_fps, budget_ns=BUDGET_NS) for n in range(fleet.lanes)]
        words = fleet.lanes * WORDS_PER_LANE
        ledger = CounterBlock(memoryview(bytearray(words * WORD_BYTES)), words)
        lanes = [Lane(n, spec, "cpu", 0, LaneLedger(ledger, n)) for n, spec in enumerate(specs)]
        self.scheduler = Scheduler(lanes, [ExecutorState("cpu", fleet.streams, ["m"], 10 * NS_PER_S)])
        self.scheduler.model_ready("m", {})
        self._names = [spec.camera for spec in specs]
        self._newest = [(0, 0)] * fleet.lanes
        self._asked: dict[int, int] = {}
        self._order = count()
        self._events: list[tuple[int, int, int, int]] = []
        chance = random.Random(seed)
        frame_ns = round(NS_PER_S / fleet.frame_fps)
        for camera in range(fleet.lanes):
            self._at(NS_PER_S + chance.randrange(frame_ns), _FRAME, camera)
        self._frame_ns = frame_ns
        self._call_ns = fleet.call_ns
        self.taken: dict[str, list[float]] = {
            name: [] for name in ("decision", "plan", "offered", "arrived", "finished", "cycle")
        }
        self._cycle_ns = 0

    def _at(self, at_ns: int, kind: int, subject: int) -> None:
        heappush(self._events, (at_ns, next(self._order), kind, subject))

    def run(self, until_ns: int, plans: int) -> int:
        """Runs until the simulated instant, or until `plans` decisions were kept; returns the last instant."""
        clock = time.perf_counter_ns
        scheduler, events, taken = self.scheduler, self._events, self.taken
        now_ns = 0
        while events and events[0][0] < until_ns and len(taken["plan"]) < plans:
            now_ns, _, kind, subject = heappop(events)
            if kind == _FRAME:
                index = self._newest[subject][0] + 1
                self._newest[subject] = (index, now_ns)
                name = self._names[subject]
                began = clock()
                scheduler.offered(name, index, now_ns, True, now_ns)
                self._keep("offered", clock() - began)
                self._at(now_ns + self._frame_ns, _FRAME, subject)
            elif kind == _VIEW:
                camera = self._asked.pop(subject)
                index, capture_ns = self._newest[camera]
                name = self._names[camera]
                began = clock()
                scheduler.offered(name, index, capture_ns, True, now_ns)
                start = scheduler.arrived(subject, index, capture_ns, now_ns)
                self._keep("arrived", clock() - began)
                if start is not None:
                    self._at(now_ns + self._call_ns * 4 // 5, _END, subject)
            else:
                began = clock()
                scheduler.finished(subject, OutcomeStatus.DONE, now_ns)
                self._keep("finished", clock() - began)
            began = clock()
            plan = scheduler.plan(now_ns)
            took_ns = clock() - began
            self._keep("plan", took_ns)
            if plan.ask:
                taken["decision"].append(took_ns / 1000)
            for ask in plan.ask:
                self._asked[ask.ticket] = int(ask.camera[1:])
                self._at(now_ns + self._call_ns // 5, _VIEW, ask.ticket)
            if kind == _END:
                taken["cycle"].append(self._cycle_ns / 1000)
                self._cycle_ns = 0
        return now_ns

    def _keep(self, name: str, took_ns: int) -> None:
        self.taken[name].append(took_ns / 1000)
        self._cycle_ns += took_ns

    def forget(self) -> None:
        for samples in self.taken.values():
            samples.clear()
        self._cycle_ns = 0


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    del context
    simulation = Simulation(FLEETS[variant], seed=7)
    simulation.run(NS_PER_S + _WARM_UP_NS, 1 << 62)
    simulation.forget()
    last_ns = simulation.run(1 << 62, effort.pick(40_000, 10_000))
    fates: dict[str, int] = {}
    for book in simulation.scheduler.snapshot():
        assert book.offered == sum(book.fates.values()) + book.in_flight, f"the books of {book.name} do not balance"
        for fate, counted in book.fates.items():
            fates[fate] = fates.get(fate, 0) + counted
    return Taken(
        {name: Series("µs", samples) for name, samples in simulation.taken.items()},
        {"clock_overhead_us": overhead_us(), "simulated_s": last_ns / NS_PER_S, "fates": fates},
    )


BENCHMARK = Benchmark(
    name="decision",
    title="one scheduling decision, simulated time",
    variants=tuple(FLEETS),
    measure=measure,
    rounds=5,
    quick_rounds=2,
    goals=(
        Goal("1 camera", "decision", 3.0),
        Goal("64 lanes", "decision", 5.0),
        Goal("64 lanes, 4× overload", "decision", 5.0),
        Goal("10,000 lanes", "decision", 10.0),
        Goal("10,000 lanes, 4× overload", "decision", 10.0),
    ),
)
