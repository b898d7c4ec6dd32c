"""The books of the lanes balance under any order of calls, and when the engine is killed between any two stores.

So do the other promises: bounded calls, nothing started that is predicted to be late, exact frames for crops, no lane
asked for without what it requires, shadow lanes last, nothing waiting in a shed lane.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.contracts.capacity import CapacityPlan, LadderStep, LaneGrant
from penstock.contracts.fates import Fate
from penstock.contracts.specs import CropSpec, LaneSpec, Requirement
from penstock.contracts.work import OutcomeStatus
from penstock.framebus.counters import CounterBlock
from penstock.scheduling.executors import ASK_TIMEOUT_NS, ExecutorState
from penstock.scheduling.lane import Lane, LaneState
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.plan import AskFor, StartWork
from penstock.scheduling.scheduler import Scheduler

MS = 1_000_000
START_NS = 1_000_000_000_000
EXECUTORS = {"e1": (2, ("m1", "face")), "e2": (1, ("m2", "m3", "unused")), "e3": (1, ("many",))}
MODELS = tuple(model for _, models in EXECUTORS.values() for model in models)
LANES = (
    LaneSpec("a", "m1", max_fps=25.0),
    LaneSpec("a", "m2", max_fps=5.0, budget_ns=100 * MS),
    LaneSpec("b", "m1", max_fps=10.0, priority=1),
    LaneSpec("b", "m3", max_fps=12.5, gated=False),
    LaneSpec("file", "m1", max_fps=25.0),
    LaneSpec("file", "m3", max_fps=5.0),
    LaneSpec("a", "face", max_fps=10.0, crops=CropSpec("m1", limit=3), budget_ns=300 * MS),
    LaneSpec("file", "face", max_fps=25.0, crops=CropSpec("m1")),
    LaneSpec("b", "m2", max_fps=5.0, shadow=True),
    LaneSpec("a", "m3", max_fps=5.0, requires=(Requirement("person"), Requirement("moving", 200 * MS))),
    *(LaneSpec(camera, "many", max_fps=10.0, priority=int(camera == "c")) for camera in ("a", "b", "c", "d", "file")),
)
BY_NAME = {lane.name: lane for lane in LANES}
CAMERAS = ("a", "b", "c", "d", "file")
HANG_NS = 10_000 * MS


class Killed(Exception):
    """The engine was killed here."""


class FusedCounters(CounterBlock):
    """Counters whose writer dies before its `fuse`-th next store; -1 never."""

    def __init__(self, memory: memoryview, count: int) -> None:
        super().__init__(memory, count)
        self.fuse = -1

    def _burn(self) -> None:
        if self.fuse == 0:
            self.fuse = -1
            raise Killed
        self.fuse -= self.fuse > 0

    def add(self, index: int, amount: int = 1) -> None:
        self._burn()
        super().add(index, amount)

    def set(self, index: int, value: int) -> None:
        self._burn()
        super().set(index, value)


class SchedulerBooks(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        words = len(LANES) * WORDS_PER_LANE
        self.counters = FusedCounters(memoryview(bytearray(8 * words)), words)
        self.now_ns = START_NS
        self.decoded = dict.fromkeys(CAMERAS, 0)
        self.capture = dict.fromkeys(CAMERAS, START_NS)
        self.expired = {lane.name: 0 for lane in LANES}
        """by word of an executor"""
        self.started_index: dict[str, int] = {}
        self.cancelled = False
        self.max_batch = 4
        self.loaded = False
        """executors outlive the engine: their models are there for the next"""
        self._fresh()

    def _fresh(self) -> None:
        """A new engine on the same counters."""
        self.asks: dict[int, AskFor] = {}
        self.starts: dict[int, StartWork] = {}
        self.held: set[int] = set()
        """tickets whose views are here and wait for the others of their batch"""
        self.frames: dict[int, int] = {}
        """index of the view that came, by ticket"""
        self.facts: dict[tuple[str, str], tuple[int, int]] = {}
        self.told: dict[str, int] = {}
        """capture of the newest frame told of"""
        self.boxes: dict[str, dict[int, int]] = {lane.name: {} for lane in LANES}
        self.known: list[int] = []
        self.ledgers = [LaneLedger(self.counters, number) for number in range(len(LANES))]
        for ledger in self.ledgers:
            self._close(ledger)
            assert ledger.offered == ledger.settled()
        executor_of = {model: name for name, (_, models) in EXECUTORS.items() for model in models}
        self.lanes = [
            Lane(number, spec, executor_of[spec.model], 1_000 * MS, self.ledgers[number])
            for number, spec in enumerate(LANES)
        ]
        self.executors = [
            ExecutorState(name, streams, models, HANG_NS) for name, (streams, models) in EXECUTORS.items()
        ]
        self.scheduler = Scheduler(self.lanes, self.executors)
        self.scheduler.set_lossless("file", True)
        self.cancelled = False
        if self.loaded:
            for model in MODELS:
                self._ready(model)

    def _close(self, ledger: LaneLedger) -> None:
        """Who takes over may be killed in turn."""
        try:
            ledger.close_after_crash()
        except Killed:
            ledger.close_after_crash()

    def alive(self, step: Callable[[], Any]) -> Any:
        """Runs `step`; where the engine was killed in it, another takes over."""
        try:
            return step()
        except Killed:
            self._fresh()
            return None

    @rule(rounds=st.integers(1, 6), moved=st.booleans(), view_ms=st.sampled_from((0, 2, 30)), data=st.data())
    def go_on(self, rounds: int, moved: bool, view_ms: int, data: st.DataObject) -> None:
        """Everything works for a while: frames are told, most views come, most calls end."""
        for _ in range(rounds):
            self.now_ns += 40 * MS
            for camera in CAMERAS:
                self.decoded[camera] += 1
                self.capture[camera] = max(self.capture[camera], self.now_ns - 10 * MS)
                self._offer(camera, self.decoded[camera], moved)
            self.plan()
            self.now_ns += view_ms * MS
            late = data.draw(st.sets(st.sampled_from(sorted(self.asks)), max_size=2)) if self.asks else set()
            for ticket in sorted(set(self.asks) - late):
                if ticket in self.asks:
                    self._arrive(ticket)
            self.plan()
            running = data.draw(st.sets(st.sampled_from(sorted(self.starts)), max_size=1)) if self.starts else set()
            for work in sorted(set(self.starts) - running):
                if work in self.starts:
                    self._finish(work, OutcomeStatus.DONE)

    @initialize()
    def load(self) -> None:
        self.loaded = True
        for model in MODELS:
            self._ready(model)

    def _ready(self, model: str) -> None:
        self.scheduler.model_ready(model, dict(self.decoded), self.max_batch if model == "many" else 1)

    @rule(fuse=st.integers(0, 8))
    def arm(self, fuse: int) -> None:
        self.counters.fuse = fuse

    @rule(seldom=st.integers(0, 4))
    def crash(self, seldom: int) -> None:
        if not seldom or self.cancelled:
            self._fresh()

    @rule(model=st.sampled_from(MODELS))
    def model_ready(self, model: str) -> None:
        if not self.cancelled:
            self.alive(lambda: self._ready(model))

    @rule(ms=st.sampled_from((5, 20, 60)), repeats=st.integers(3, 6))
    def learn_batches(self, ms: int, repeats: int) -> None:
        """The model has run for a while: batches of two cost as much as single views, of four nearly so."""
        many = self.executors[2].models["many"]
        for views in (1, 2, 4):
            for _ in range(repeats):
                many.observe(ms * MS, ms * MS, 1, views, self.now_ns, probe=False)

    @rule(lane=st.sampled_from(sorted(BY_NAME)), fps=st.sampled_from((0.0, 0.5, 2.0, 5.0, 25.0)))
    def grant(self, lane: str, fps: float) -> None:
        step = LadderStep.REDUCED if fps else LadderStep.MOTION_ONLY
        plan = CapacityPlan(self.now_ns, (LaneGrant(lane, step, fps), LaneGrant("no/such", step, fps)))
        self.alive(lambda: self.scheduler.apply(plan))

    @rule(
        camera=st.sampled_from(("a", "b")),
        signal=st.sampled_from(("person", "moving")),
        back_ms=st.sampled_from((0, 100, 1_000)),
        valid_ms=st.sampled_from((0, 300, 3_000)),
    )
    def stated(self, camera: str, signal: str, back_ms: int, valid_ms: int) -> None:
        from_ns = self.capture[camera] - back_ms * MS
        until_ns = from_ns + valid_ms * MS
        self.scheduler.stated(camera, signal, from_ns, until_ns)
        known = self.facts.get((camera, signal), (1, 0))
        self.facts[camera, signal] = (known[0] if known[0] <= from_ns <= known[1] else from_ns, until_ns)
        assert set(self.scheduler.required("a")) == {"person", "moving"}

    @rule(lane=st.sampled_from(("a/face", "file/face")), boxes=st.integers(0, 5), back=st.integers(0, 3))
    def crops_found(self, lane: str, boxes: int, back: int) -> None:
        camera = BY_NAME[lane].camera
        index = self.decoded[camera] - back
        capture_ns = self.capture[camera] - back * 40 * MS
        if index > 0:
            self.boxes[lane].setdefault(index, boxes)
            found = self.boxes[lane][index]
            self.alive(lambda: self.scheduler.offer_crops(lane, index, capture_ns, found, self.now_ns))

    @rule(model=st.sampled_from(MODELS))
    def model_unavailable(self, model: str) -> None:
        self.alive(lambda: self.scheduler.model_unavailable(model))

    @rule(ms=st.sampled_from((1, 5, 40, 200, 1500, 12_000)))
    def wait(self, ms: int) -> None:
        self.now_ns += ms * MS

    @rule(
        camera=st.sampled_from(CAMERAS),
        frames=st.sampled_from((1, 1, 1, 2, 7)),
        step_ms=st.sampled_from((40, 40, 40, 0, 300, -500)),
        age_ms=st.sampled_from((10, 60, 600)),
        moved=st.booleans(),
        told=st.booleans(),
        held_back=st.sampled_from((0, 0, 1, 5, 20)),
    )
    def frame(
        self, camera: str, frames: int, step_ms: int, age_ms: int, moved: bool, told: bool, held_back: int
    ) -> None:
        """Frames are decoded, and the newest may be told."""
        self.decoded[camera] += frames
        self.capture[camera] = max(self.capture[camera] + step_ms * MS, self.now_ns - age_ms * MS)
        if told:
            self._offer(camera, self.decoded[camera], moved, held_back)

    @rule(camera=st.sampled_from(CAMERAS))
    def told_again(self, camera: str) -> None:
        self._offer(camera, self.decoded[camera], False)

    def _offer(self, camera: str, index: int, moved: bool, held_back: int = 0) -> None:
        capture_ns = self.told[camera] = self.capture[camera]
        still = self.alive(lambda: self.scheduler.offered(camera, index, capture_ns, moved, self.now_ns, held_back))
        if still:
            assert not moved
            assert all(lane.camera == camera and lane.gated and lane.analysed_index > 0 for lane in still)

    @rule()
    def plan(self) -> None:
        plan = self.alive(lambda: self.scheduler.plan(self.now_ns))
        if plan is None:
            return
        for ask in plan.ask:
            assert ask.ticket not in self.known
            self.known.append(ask.ticket)
            self.asks[ask.ticket] = ask
            assert ask.after_index < self.decoded[ask.camera]
            self._may_be_asked(ask)
        self._take_starts(plan.start)
        if plan.wake_at_ns is not None and not plan.ask:
            assert plan.wake_at_ns >= self.now_ns
        for hung in plan.hung:
            assert hung.work in self.starts
            assert hung.running_ns >= HANG_NS
        again = self.alive(lambda: self.scheduler.plan(self.now_ns))
        assert again is None or (again.ask, again.start) == ((), ())

    def _may_be_asked(self, ask: AskFor) -> None:
        spec, lane = BY_NAME[ask.lane], self._lane(ask.lane)
        capture_ns = lane.running_capture_ns if spec.crops else lane.candidate_capture_ns
        for one in spec.requires:
            from_ns, until_ns = self.facts[ask.camera, one.signal]
            assert from_ns <= capture_ns <= until_ns + one.within_ns
        if spec.crops is not None:
            assert 0 < ask.frame_index == lane.running
            assert self.boxes[ask.lane][ask.frame_index] > 0
        else:
            assert ask.frame_index == 0
        if spec.shadow:
            real = [one for one in self.lanes if one.executor == ask.executor and not one.shadow]
            assert not any(one.state is LaneState.QUEUED for one in real), "real lanes come first"
        assert not lane.shed
        if ask.batch:
            assert ask.model == "many"
            assert ask.camera != "file"

    def _lane(self, name: str) -> Lane:
        return next(lane for lane in self.lanes if lane.name == name)

    def _take_starts(self, starts: tuple[StartWork, ...]) -> None:
        """Calls that start now; nothing in them is predicted to be late, but for probes."""
        for start in starts:
            assert start.work == start.tickets[0]
            assert len(set(start.lanes)) == len(start.lanes) == len(start.tickets)
            assert len(start.tickets) <= (self.max_batch if start.model == "many" else 1)
            executor = next(one for one in self.executors if one.name == start.executor)
            call = executor.started[next(c.id for c in executor.started.values() if c.work == start.work)]
            lossless = any(BY_NAME[lane].camera == "file" for lane in start.lanes)
            if not lossless:
                assert start.probe or call.finish_at_ns <= start.deadline_ns
                assert self.now_ns <= start.deadline_ns
            for ticket, name in zip(start.tickets, start.lanes, strict=True):
                index = self.frames.pop(ticket)
                assert index > self.started_index.get(name, 0), "results of a lane come in frame order"
                self.started_index[name] = index
            self.held -= set(start.tickets)
            self.starts[start.work] = start

    @rule()
    def time_out(self) -> None:
        """Once the ask time-out has passed, a plan leaves no lane waiting for a view."""
        self.now_ns += ASK_TIMEOUT_NS
        before = list(self.asks.values())
        plan = self.alive(lambda: self.scheduler.plan(self.now_ns))
        if plan is not None:
            self._take_starts(plan.start)
            assert not any(self._waited_for(ask) for ask in before)
            for ask in plan.ask:
                self.known.append(ask.ticket)
                self.asks[ask.ticket] = ask

    @precondition(lambda self: self.asks)
    @rule(data=st.data(), newer=st.booleans(), latency_ms=st.sampled_from((0, 3, 400)))
    def arrive(self, data: st.DataObject, newer: bool, latency_ms: int) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.asks)))
        if newer:
            self.decoded[self.asks[ticket].camera] += 1
        self.now_ns += latency_ms * MS
        self._arrive(ticket)

    def _arrive(self, ticket: int) -> None:
        ask = self.asks.pop(ticket)
        index, capture_ns = self.decoded[ask.camera], self.capture[ask.camera]
        self._offer(ask.camera, index, False)
        if ask.frame_index:
            index = ask.frame_index
            capture_ns = self._lane(ask.lane).running_capture_ns
        self.frames[ticket] = index
        start = self.alive(lambda: self.scheduler.arrived(ticket, index, capture_ns, self.now_ns))
        if start is not None:
            self._take_starts((start,))
        elif self.scheduler.knows(ticket):
            assert ask.batch
            self.held.add(ticket)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), fate=st.sampled_from((Fate.SUPERSEDED, Fate.CANCELLED)))
    def refused(self, data: st.DataObject, fate: Fate) -> None:
        """Also tickets that were answered or forgotten long ago."""
        ticket = data.draw(st.sampled_from(self.known))
        self.asks.pop(ticket, None)
        self.alive(lambda: self.scheduler.refused(ticket, fate))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), status=st.sampled_from(OutcomeStatus))
    def finished(self, data: st.DataObject, status: OutcomeStatus) -> None:
        """Also outcomes delivered twice, and of calls that never began."""
        self._finish(data.draw(st.sampled_from([*self.known, 10**9])), status)

    def _finish(self, ticket: int, status: OutcomeStatus) -> None:
        taken = self.alive(lambda: self.scheduler.finished(ticket, status, self.now_ns))
        assert not taken or ticket in self.starts
        if taken:
            start = self.starts.pop(ticket)
            for lane in start.lanes:
                self.expired[lane] += status is OutcomeStatus.EXPIRED
            assert not any(self.scheduler.knows(one) for one in start.tickets)
            assert not self.scheduler.finished(ticket, status, self.now_ns)

    @rule(camera=st.sampled_from(CAMERAS), fate=st.sampled_from((Fate.LOST, Fate.CANCELLED)))
    def camera_lost(self, camera: str, fate: Fate) -> None:
        self.alive(lambda: self.scheduler.camera_lost(camera, fate))
        assert not any(lane.candidate for lane in self.lanes if lane.camera == camera)
        assert not any(lane.state is LaneState.ASKED for lane in self.lanes if lane.camera == camera)

    @rule(name=st.sampled_from(sorted(EXECUTORS)), fate=st.sampled_from((Fate.LOST, Fate.MODEL_FAILED)))
    def executor_lost(self, name: str, fate: Fate) -> None:
        self.alive(lambda: self.scheduler.executor_lost(name, fate, self.now_ns))
        assert not any(lane.running for lane in self.lanes if lane.executor == name)

    @rule(seldom=st.integers(0, 4))
    def cancel_all(self, seldom: int) -> None:
        if seldom:
            return

        def cancel() -> None:
            self.scheduler.cancel_all()
            self.cancelled = True
            assert not self.scheduler.running()
            assert not any(self.scheduler.busy(camera) for camera in CAMERAS)

        self.alive(cancel)

    @invariant()
    def books_balance(self) -> None:
        for lane, ledger, shown in zip(self.lanes, self.ledgers, self.scheduler.snapshot(), strict=True):
            fates = [ledger.count(fate) for fate in Fate]
            assert all(count >= 0 for count in fates)
            assert shown.offered == ledger.offered == sum(fates) + lane.in_flight
            assert shown.in_flight == lane.in_flight <= 2
            assert ledger.last_index <= self.decoded[lane.camera]
            if lane.camera == "file":
                assert ledger.count(Fate.EXPIRED) == self.expired[lane.name], "no lossless frame expires here"

    @invariant()
    def calls_are_bounded_and_tickets_do_not_leak(self) -> None:
        tickets: list[int] = []
        for executor in self.executors:
            calls = [*executor.asked.values(), *executor.started.values()]
            assert len(calls) <= executor.streams + 1
            assert executor.gathering == sum(call.batch is not None for call in executor.asked.values())
            assert executor.waiting == sum(queue.waiting for queue in executor.queues)
            for call in calls:
                for ticket, lane in call.members():
                    tickets.append(ticket)
                    assert self.scheduler.knows(ticket)
                    assert lane.executor == executor.name
            for queue in executor.queues:
                waiting = [lane for lane in self.lanes if lane.queue is queue and lane.state is LaneState.QUEUED]
                assert queue.waiting == len(waiting)
        busy = [lane for lane in self.lanes if lane.state in (LaneState.ASKED, LaneState.RUNNING)]
        assert len(tickets) == len(set(tickets)) == len(busy)
        assert not any(self.scheduler.knows(ticket) for ticket in self.known if ticket not in tickets)

    @invariant()
    def states_are_true(self) -> None:
        for lane in self.lanes:
            assert not (lane.shed and lane.candidate), "nothing waits in a shed lane"
            assert lane.state is not LaneState.QUEUED or lane.candidate
            assert lane.state is not LaneState.IDLE or not lane.in_flight
            assert lane.state is not LaneState.RUNNING or lane.running
            assert 0.0 <= lane.activity.share <= 1.0

    @invariant()
    def nothing_is_due_before_it_is_told_of(self) -> None:
        for camera in CAMERAS:
            resume_ns = self.scheduler.resume_ns(camera)
            of = [lane for lane in self.lanes if lane.camera == camera and lane.crops is None]
            if resume_ns and camera != "file":
                before_ns = max(resume_ns - 1, self.told.get(camera, 0))
                for lane in of:
                    if lane.state is not LaneState.ASKED and before_ns < resume_ns:
                        assert not lane.candidate
                        assert not lane.is_due(before_ns)
            elif camera == "file":
                assert resume_ns == 0

    def _waited_for(self, ask: AskFor) -> bool:
        return any(lane.name == ask.lane and lane.ticket == ask.ticket for lane in self.lanes)

    @invariant()
    def undecided_is_true(self) -> None:
        for camera in CAMERAS:
            of = [lane for lane in self.lanes if lane.camera == camera]
            waiting = [lane.candidate for lane in of if lane.candidate]
            waiting += [lane.running for lane in of if lane.crops and lane.running and lane.state is LaneState.ASKED]
            waiting += [lane.running for lane in of if lane.model == "m1" and lane.running and camera != "b"]
            for index in {self.decoded[camera], *waiting}:
                assert self.scheduler.undecided(camera, index) == any(one <= index for one in waiting)
            assert self.scheduler.busy(camera) == any(lane.in_flight for lane in self.lanes if lane.camera == camera)


SchedulerBooks.TestCase.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSchedulerBooks = SchedulerBooks.TestCase
