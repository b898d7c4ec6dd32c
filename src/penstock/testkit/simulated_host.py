"""One host on simulated time: modelled cameras, ingest, executors and cores around the real scheduler, capacity planner,
blackboards and rules.

Events come in the order of their instants, and of their making where instants are equal, so one seed is one run. The
scheduler hears what the engine would tell it, in the same order, and plans after everything that may let it do more.
Frames that no lane is due for are passed over by arithmetic and counted with the next news, as ingest does.

What is modelled: jitter and latency of cameras, outages, sessions, movement and gate, notices held back, one thread per
ingest process that makes views one after another, the newest frame taken when a view is begun, messages that take a
hop, executors with streams and a call submitted ahead, calls stretched where cores or caches are shared, models that
drift, hang and raise, executors given up and replaced.

What is not, and which way that errs. Flattering: the engine itself takes no time (a live one is behind by up to a
millisecond where it is busy), decode cost is even, nothing else runs on the host, and tails of network and cameras are
those of log-normal draws (see `processor`, `host_model`). Against us: several lanes of one camera never share a view,
and `auto` decoding counts as always awake. The host's steady work is averaged over the last second.
"""

import random
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import cycle
from typing import Protocol

import msgspec

from penstock.contracts.counters import Counters
from penstock.contracts.fates import Fate
from penstock.contracts.messages import CameraState
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import OutcomeStatus
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.plan import AskFor, Plan, StartWork
from penstock.scheduling.scheduler import Scheduler
from penstock.testkit.arrivals import Arrivals, PacedArrivals
from penstock.testkit.chance_tables import MASK, ChanceTables
from penstock.testkit.host_model import NS_PER_S, HostModel
from penstock.testkit.processor import Processor
from penstock.testkit.simulated_cameras import IngestProcess, SimulatedCamera
from penstock.testkit.simulated_executor import AskedView, SimulatedCall, SimulatedExecutor
from penstock.testkit.simulated_findings import Findings
from penstock.testkit.simulated_plan import SimulatedPlan
from penstock.testkit.simulated_rules import SimulatedRules

TICK_NS = NS_PER_S
_FRAME, _VIEW, _TAKEN, _CAMERA_OFF, _CAMERA_DOWN, _CAMERA_ON, _READY, _TICK = range(8)
_NEVER_NS = 1 << 62


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


class _NoAges:
    def record(self, value_ns: int) -> None:
        """Nobody wants to know."""


class SimulatedHost:
    """One host from instant 0. `arrivals` replaces the paced frames of the cameras it names (a recorded run)."""

    def __init__(
        self,
        model: HostModel,
        seed: int | str = 0,
        *,
        tables: ChanceTables | None = None,
        ages: Callable[[LaneSpec], Ages] | None = None,
        arrivals: dict[str, Arrivals] | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.model = model
        self.seed = seed
        self.now_ns = 0
        self.events = 0
        self.analyses = 0
        self.late_of = [0] * len(model.lanes)
        """results that were older than their budget, by lane number"""
        self.processor = Processor(model.cores, model.contention)
        self.watcher = watcher
        self._chance = random.Random(f"host {seed}")
        tables = tables or ChanceTables(seed)
        self._views = tables.log_normal_ns(model.view_ns, model.view_sigma)
        self._order = 0
        self._heap: list[tuple[int, int, int, object]] = []
        self._hop_ns = model.hop_ns
        hops = model.hops
        steady = (model.hop_ns,)
        self._ask_hop = cycle(steady if hops is None else hops.ask_ns)
        self._view_hop = cycle(steady if hops is None else hops.view_ns)
        self._result_hop = cycle(steady if hops is None else hops.result_ns)
        submit_hop = cycle(steady if hops is None else hops.submit_ns)
        self._making = None if hops is None else cycle(hops.making_ns)
        self._wake_ns = _NEVER_NS
        executor_of = {one.name: executor.name for executor in model.executors for one in executor.models}
        models = {one.name: one for executor in model.executors for one in executor.models}
        quiet_ns = {camera.name: camera.quiet_ns for camera in model.cameras}
        counters: Counters = ListedCounters(len(model.lanes) * WORDS_PER_LANE)
        self.lanes = [
            Lane(number, spec, executor_of[spec.model], quiet_ns[spec.camera], LaneLedger(counters, number))
            for number, spec in enumerate(model.lanes)
        ]
        self.states = {
            one.name: ExecutorState(one.name, one.streams, [m.name for m in one.models], one.hang_timeout_ns)
            for one in model.executors
        }
        self.scheduler = Scheduler(self.lanes, self.states.values())
        self._number_of = {lane.name: lane.number for lane in self.lanes}
        self._ages: list[Ages] = [ages(spec) if ages is not None else _NoAges() for spec in model.lanes]
        self._ingests = [IngestProcess() for _ in range(1 + max(camera.ingest for camera in model.cameras))]
        self.cameras: dict[str, SimulatedCamera] = {}
        for camera in model.cameras:
            lanes = sum(lane.camera == camera.name and lane.crops is None for lane in model.lanes)
            paced = (arrivals or {}).get(camera.name) or PacedArrivals(
                random.Random(f"key {seed} {camera.name}").randrange(MASK),
                tables.spread_ns(camera.jitter_ns),
                tables.log_normal_ns(camera.latency_ns, camera.latency_sigma),
            )
            self.cameras[camera.name] = SimulatedCamera(camera, seed, self._ingests[camera.ingest], paced, lanes)
        self.executors = {
            one.name: SimulatedExecutor(one, self.processor, self._chance, submit_hop) for one in model.executors
        }
        self.rules = SimulatedRules(model.rules, model.lanes, models)
        self.plan = SimulatedPlan(model, self.scheduler) if model.planned else None
        self._findings = Findings(model.lanes, self.scheduler, self.rules)
        self._told_views: dict[int, AskedView] = {}
        self._homes = {name: self.executors[executor] for name, executor in executor_of.items()}
        self._views_made = 0
        self._analyses_before = 0
        self._flow = 0.0
        self._begun = False

    # running

    def run(self, until_ns: int) -> None:
        """Goes on up to that instant; may be called again with a later one."""
        if not self._begun:
            self._begin()
        heap = self._heap
        handlers = (
            self._on_frame,
            self._on_view,
            self._on_taken,
            self._on_camera_off,
            self._on_camera_down,
            self._on_camera_on,
            self._on_ready,
            self._on_tick,
        )
        watcher = self.watcher
        while True:
            next_ns = heap[0][0]
            if self._wake_ns < next_ns:
                if self._wake_ns > until_ns:
                    break
                self.now_ns = max(self.now_ns, self._wake_ns)
                self._plan(self.now_ns)
            else:
                if next_ns > until_ns:
                    break
                at_ns, _, kind, subject = heappop(heap)
                self.now_ns = at_ns
                if handlers[kind](subject, at_ns):  # type: ignore[operator]
                    self._plan(at_ns)
            self.events += 1
            if watcher is not None:
                watcher.stepped(self.now_ns)
        self.now_ns = until_ns

    def finish(self) -> None:
        """Ends the run: whatever has no fate yet is cancelled."""
        self.scheduler.cancel_all()

    def fates(self, lane: int) -> dict[str, int]:
        ledger = self.lanes[lane].ledger
        return {fate.label: ledger.count(fate) for fate in Fate}

    def _begin(self) -> None:
        self._begun = True
        for executor in self.model.executors:
            for model in executor.models:
                self.scheduler.model_ready(model.name, {}, model.max_batch)
        if self.plan is not None:
            self.plan.set_floors(self.rules.floors())
        for name, camera in self.cameras.items():
            spec = camera.model
            phase_ns = spec.phase_ns
            if phase_ns is None:
                chance = random.Random(f"phase {self.seed} {name}")
                phase_ns = chance.randrange(self.model.start_spread_ns) + spec.jitter_ns
            self._at(phase_ns, _CAMERA_ON, camera)
            for from_ns, until_ns in spec.outages:
                self._at(from_ns, _CAMERA_OFF, camera)
                if until_ns - from_ns > spec.stall_timeout_ns:
                    self._at(from_ns + spec.stall_timeout_ns, _CAMERA_DOWN, camera)
                self._at(until_ns, _CAMERA_ON, camera)
        self._at(TICK_NS, _TICK, None)

    def _at(self, at_ns: int, kind: int, subject: object) -> None:
        self._order += 1
        heappush(self._heap, (at_ns, self._order, kind, subject))

    # what happens; each says whether the scheduler may be able to do more

    def _on_frame(self, subject: tuple[SimulatedCamera, int, bool], now_ns: int) -> bool:
        camera, index, waited = subject
        if index != camera.awaited_index:
            return False
        name = camera.model.name
        capture_ns = camera.arrivals.capture_ns(index)
        resume_ns = self.scheduler.resume_ns(name)
        if index <= camera.told_index or capture_ns < resume_ns:
            self._await_frame(camera, resume_ns)
            return False
        if camera.ingest.free_at_ns > now_ns and not waited:
            # A view is being made: the news leaves after it.
            self._at(camera.ingest.free_at_ns + self._hop_ns, _FRAME, (camera, index, True))
            return False
        still = self._hear(camera, index, capture_ns, now_ns)
        self._await_frame(camera, self.scheduler.resume_ns(name))
        return still < camera.lanes

    def _hear(self, camera: SimulatedCamera, index: int, capture_ns: int, now_ns: int) -> int:
        """News of a frame reaches the engine; how many lanes it was gated for."""
        name = camera.model.name
        moved = camera.moved_until(capture_ns)
        held_back = index - camera.told_index - 1
        camera.told_index = index
        still = self.scheduler.offered(name, index, capture_ns, moved, now_ns, max(0, held_back))
        if still:
            ruled = name in self.rules.cameras
            for lane in still:
                spec = self.model.lanes[lane.number]
                if ruled:
                    self.rules.still(name, lane.name, capture_ns, now_ns)
                self._findings.still(lane, spec, capture_ns)
        return len(still)

    def _await_frame(self, camera: SimulatedCamera, resume_ns: int) -> None:
        """The next frame that somebody may be due for; those before it are passed over."""
        arrivals = camera.arrivals
        index = arrivals.first_captured(resume_ns, camera.told_index)
        if index and index != camera.awaited_index:
            at_ns = arrivals.decoded_ns(index) + self._hop_ns
            self._at(at_ns if at_ns > self.now_ns else self.now_ns, _FRAME, (camera, index, False))
        camera.awaited_index = index

    def _ask(self, ask: AskFor, now_ns: int) -> None:
        """Ingest takes the newest frame when it is free to make the view."""
        camera = self.cameras[ask.camera]
        views = self._findings.views_of(ask.lane, ask.frame_index) if ask.frame_index else 1
        view = AskedView(ask.ticket, self._number_of[ask.lane], camera, now_ns, views)
        ingest = camera.ingest
        begin_ns = max(now_ns + next(self._ask_hop), ingest.free_at_ns)
        arrivals = camera.arrivals
        index = ask.frame_index or arrivals.newest_at(begin_ns)
        if not views or index <= max(ask.after_index, camera.newest_session_index):
            self._at(begin_ns + next(self._view_hop), _VIEW, view)
            return
        view.index = index
        view.capture_ns = arrivals.capture_ns(index)
        view.decoded_ns = arrivals.decoded_ns(index)
        self._views_made += views
        making_ns = self._views[ask.ticket & MASK] if self._making is None else next(self._making)
        made_ns = begin_ns + round(views * making_ns / self.processor.speed)
        ingest.free_at_ns = view.made_ns = made_ns
        self._at(made_ns + next(self._view_hop), _VIEW, view)

    def _on_view(self, view: AskedView, now_ns: int) -> bool:
        camera = view.camera
        if not view.index or camera.session != view.session:
            self.scheduler.refused(view.ticket)
            self._await_frame(camera, self.scheduler.resume_ns(camera.model.name))
            return True
        if view.index > camera.told_index:
            self._hear(camera, view.index, view.capture_ns, now_ns)
        view.moving = camera.moves_at(view.capture_ns)
        self._told_views[view.ticket] = view
        start = self.scheduler.arrived(view.ticket, view.index, view.capture_ns, now_ns)
        if start is not None:
            self._start(start, now_ns)
        elif not self.scheduler.knows(view.ticket):
            del self._told_views[view.ticket]
        return True

    def _start(self, start: StartWork, now_ns: int) -> None:
        views = [self._told_views.pop(ticket) for ticket in start.tickets]
        executor = self.executors[start.executor]
        call = SimulatedCall(start.work, executor.models[start.model], views, start.deadline_ns, now_ns)
        if self.watcher is not None:
            self.watcher.started(start, call, now_ns)
        before = self.processor.speed
        if executor.submit(call, now_ns):
            self._await_end(call, now_ns)
            self._retime(before, now_ns)

    def _await_end(self, call: SimulatedCall, now_ns: int) -> None:
        if call.end_ns < _NEVER_NS:
            self._at(max(now_ns, call.end_ns + next(self._result_hop)), _TAKEN, (call, call.end_ns))

    def _retime(self, before: float, now_ns: int) -> None:
        if self.processor.speed != before:
            for executor in self.executors.values():
                for call in executor.retime(before, now_ns):
                    self._await_end(call, now_ns)

    def _on_taken(self, subject: tuple[SimulatedCall, int], now_ns: int) -> bool:
        call, end_ns = subject
        if call.end_ns != end_ns:
            return False
        executor = self._homes[call.model.name]
        if call.status is OutcomeStatus.DONE and call not in executor.running:
            return False
        before = self.processor.speed
        if call.status is OutcomeStatus.DONE:
            for begun in executor.ended(call, now_ns):
                self._await_end(begun, now_ns)
            self._retime(before, now_ns)
        status = OutcomeStatus.FAILED if call.raises else call.status
        if self.scheduler.finished(call.work, status, now_ns) and status is OutcomeStatus.DONE:
            for view in call.views:
                self._take(view, call, now_ns)
        return True

    def _take(self, view: AskedView, call: SimulatedCall, now_ns: int) -> None:
        """A result is there."""
        lane = self.model.lanes[view.lane]
        age_ns = now_ns - view.capture_ns
        self.analyses += 1
        late = age_ns > lane.budget_ns
        self.late_of[view.lane] += late
        self._ages[view.lane].record(age_ns)
        if self.watcher is not None:
            self.watcher.analysed(view, call, now_ns)
        ruled = lane.camera in self.rules.cameras
        if ruled or self._findings.wanted(lane):
            result = call.model.result(view)
            if result is not None:
                if late:
                    result = msgspec.structs.replace(result, late=True)
                if ruled:
                    self.rules.result(lane, result, now_ns)
                self._findings.found(lane, result, now_ns)

    def _on_camera_off(self, camera: SimulatedCamera, now_ns: int) -> bool:
        camera.end(now_ns)
        self._weigh(now_ns)
        return False

    def _on_camera_down(self, camera: SimulatedCamera, now_ns: int) -> bool:
        name = camera.model.name
        self.scheduler.camera_lost(name, Fate.CANCELLED)
        self.rules.camera_state(name, CameraState.DOWN, camera.session, now_ns)
        camera.begin_session(now_ns)
        return True

    def _on_camera_on(self, camera: SimulatedCamera, now_ns: int) -> bool:
        camera.begin(now_ns)
        self._weigh(now_ns)
        self.rules.camera_state(camera.model.name, CameraState.UP, camera.session, now_ns)
        self._await_frame(camera, self.scheduler.resume_ns(camera.model.name))
        return False

    def _on_ready(self, executor: SimulatedExecutor, now_ns: int) -> bool:
        executor.alive = True
        newest = {name: camera.arrivals.newest_at(now_ns) for name, camera in self.cameras.items()}
        for model in executor.model.models:
            self.scheduler.model_ready(model.name, newest, model.max_batch)
        return True

    def _on_tick(self, _: None, now_ns: int) -> bool:
        self._at(now_ns + TICK_NS, _TICK, None)
        self.rules.tick(now_ns)
        if self.plan is not None:
            plan = self.plan.update(now_ns)
            if plan is not None:
                for grant in plan.lanes:
                    self.rules.set_granted(grant.lane, grant.fps)
                for told in plan.cameras:
                    camera = self.cameras[told.camera]
                    camera.set_decode(told.decode, now_ns)
                    self._await_frame(camera, self.scheduler.resume_ns(told.camera))
        self._measure(now_ns)
        if self._told_views:
            self._told_views = {
                ticket: view for ticket, view in self._told_views.items() if self.scheduler.knows(ticket)
            }
        return True

    def _measure(self, now_ns: int) -> None:
        """What views and control work took in the last second goes on in the next; decoding that was short of time
        makes frames late."""
        model = self.model
        done = self._views_made * model.view_ns + (self.analyses - self._analyses_before) * model.control_ns
        self._flow = done / TICK_NS
        self._views_made, self._analyses_before = 0, self.analyses
        stretched = self.processor.stretched(now_ns)
        for camera in self.cameras.values():
            camera.arrivals.lag_ns = round(camera.model.unit_ns * stretched)
        self._weigh(now_ns)

    def _weigh(self, now_ns: int) -> None:
        """What takes processor time beside calls from now on."""
        decoding = sum([camera.decode_cores for camera in self.cameras.values()])
        before = self.processor.speed
        if self.processor.set_steady(self.model.fixed + self._flow + decoding, now_ns):
            self._retime(before, now_ns)

    def _plan(self, now_ns: int) -> None:
        """Has the scheduler say what to do, and does it."""
        plan: Plan = self.scheduler.plan(now_ns)
        for ask in plan.ask:
            self._ask(ask, now_ns)
        for start in plan.start:
            self._start(start, now_ns)
        for hung in plan.hung:
            self._replace(self.executors[hung.executor], now_ns)
        if plan.hung:
            plan = self.scheduler.plan(now_ns)
        self._wake_ns = _NEVER_NS if plan.wake_at_ns is None else max(plan.wake_at_ns, now_ns + 1)

    def _replace(self, executor: SimulatedExecutor, now_ns: int) -> None:
        before = self.processor.speed
        executor.die(now_ns)
        self.scheduler.executor_lost(executor.model.name, Fate.MODEL_FAILED, now_ns)
        self._retime(before, now_ns)
        self._at(now_ns + executor.model.restart_ns, _READY, executor)
