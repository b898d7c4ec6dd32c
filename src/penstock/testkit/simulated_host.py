"""One host on simulated time: modelled cameras, ingest, executors and cores around the real scheduler, plan and rules.

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
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import cycle
from typing import Any

import msgspec

from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import OutcomeStatus
from penstock.scheduling.plan import Plan, StartWork
from penstock.scheduling.scheduler import Scheduler
from penstock.testkit.arrivals import Arrivals
from penstock.testkit.camera_side import CameraSide
from penstock.testkit.chance_tables import ChanceTables
from penstock.testkit.host_model import NS_PER_S, HostModel
from penstock.testkit.host_parts import Ages, NoAges, Watcher, cameras_of, lanes_of, states_of
from penstock.testkit.processor import Processor
from penstock.testkit.simulated_executor import AskedView, SimulatedCall, SimulatedExecutor
from penstock.testkit.simulated_findings import Findings
from penstock.testkit.simulated_plan import SimulatedPlan
from penstock.testkit.simulated_rules import SimulatedRules

REPLAN_NS = NS_PER_S // 5
TICK_NS = NS_PER_S
_NEVER_NS = 1 << 62


class SimulatedHost:
    """One host from instant 0. `arrivals` replaces the paced frames of the cameras it names (a recorded run)."""

    def __init__(
        self,
        model: HostModel,
        seed: int | str = 0,
        *,
        tables: ChanceTables | None = None,
        ages: Callable[[LaneSpec], Ages] | None = None,
        arrivals: Mapping[str, Arrivals] | None = None,
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
        self._order = 0
        self._heap: list[tuple[int, int, Callable[[Any, int], bool], Any]] = []
        steady = (model.hop_ns,)
        self._result_hop = cycle(steady if model.hops is None else model.hops.result_ns)
        submit_hop = cycle(steady if model.hops is None else model.hops.submit_ns)
        self._wake_ns = _NEVER_NS
        executor_of = {one.name: executor.name for executor in model.executors for one in executor.models}
        models = {one.name: one for executor in model.executors for one in executor.models}
        self.lanes = lanes_of(model)
        self.states = states_of(model)
        self.scheduler = Scheduler(self.lanes, self.states.values())
        self.cameras = cameras_of(model, seed, tables, arrivals or {})
        self._ages: list[Ages] = [ages(spec) if ages is not None else NoAges() for spec in model.lanes]
        self.executors = {
            one.name: SimulatedExecutor(one, self.processor, self._chance, submit_hop) for one in model.executors
        }
        self.rules = SimulatedRules(model.rules, model.lanes, models)
        self.plan = SimulatedPlan(model, self.scheduler) if model.planned else None
        self.findings = Findings(model.lanes, self.scheduler, self.rules)
        self._told_views: dict[int, AskedView] = {}
        self._planned_ns = 0
        self._cost_changes = 0
        self._homes = {name: self.executors[executor] for name, executor in executor_of.items()}
        self._analyses_before = 0
        self._side = CameraSide(self, tables)
        self._begun = False

    # running

    def run(self, until_ns: int) -> None:
        """Goes on up to that instant; may be called again with a later one."""
        if not self._begun:
            self._begin()
        heap = self._heap
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
                at_ns, _, happen, subject = heappop(heap)
                self.now_ns = at_ns
                if happen(subject, at_ns):
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
        self._side.begin()
        self.at(TICK_NS, self._on_tick, None)

    def at(self, at_ns: int, happen: Callable[[Any, int], bool], subject: object) -> None:
        """Has `happen` called with `subject` at that instant; it says whether the scheduler may be able to do more."""
        self._order += 1
        heappush(self._heap, (at_ns, self._order, happen, subject))

    # what happens

    def _on_view(self, view: AskedView, now_ns: int) -> bool:
        if not self._side.heard(view, now_ns):
            self.scheduler.refused(view.ticket)
            self._side.await_frame(view.camera)
            return True
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
            self.retime(before, now_ns)

    def _await_end(self, call: SimulatedCall, now_ns: int) -> None:
        if call.end_ns < _NEVER_NS:
            self.at(max(now_ns, call.end_ns + next(self._result_hop)), self._on_taken, (call, call.end_ns))

    def retime(self, before: float, now_ns: int) -> None:
        """The processor's speed was `before` until now: calls under way end earlier or later."""
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
            self.retime(before, now_ns)
        status = OutcomeStatus.FAILED if call.raises else call.status
        if self.scheduler.finished(call.work, status, now_ns) and status is OutcomeStatus.DONE:
            for view in call.views:
                self._take(view, call, now_ns)
        # As the engine does: a model that became slower or quicker is planned for at once.
        if self.scheduler.cost_changes() != self._cost_changes and now_ns - self._planned_ns >= REPLAN_NS:
            self._plan_capacity(now_ns)
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
        if ruled or self.findings.wanted(lane):
            result = call.model.result(view)
            if result is not None:
                if late:
                    result = msgspec.structs.replace(result, late=True)
                if ruled:
                    self.rules.result(lane, result, now_ns)
                self.findings.found(lane, result, now_ns)

    def _on_ready(self, executor: SimulatedExecutor, now_ns: int) -> bool:
        executor.alive = True
        newest = {name: camera.arrivals.newest_at(now_ns) for name, camera in self.cameras.items()}
        for model in executor.model.models:
            self.scheduler.model_ready(model.name, newest, model.max_batch)
        return True

    def _on_tick(self, _: None, now_ns: int) -> bool:
        self.at(now_ns + TICK_NS, self._on_tick, None)
        self.rules.tick(now_ns)
        self._plan_capacity(now_ns)
        self._side.measure((self.analyses - self._analyses_before) * self.model.control_ns, now_ns)
        self._analyses_before = self.analyses
        if self._told_views:
            self._told_views = {
                ticket: view for ticket, view in self._told_views.items() if self.scheduler.knows(ticket)
            }
        return True

    def _plan_capacity(self, now_ns: int) -> None:
        """Who gets what from now on, and has it done."""
        self._planned_ns = now_ns
        self._cost_changes = self.scheduler.cost_changes()
        plan = None if self.plan is None else self.plan.update(now_ns)
        if plan is None:
            return
        for grant in plan.lanes:
            self.rules.set_granted(grant.lane, grant.fps)
        for told in plan.cameras:
            self.cameras[told.camera].set_decode(told.decode, now_ns)
        for camera in self.cameras.values():
            self._side.await_frame(camera)

    def _plan(self, now_ns: int) -> None:
        """Has the scheduler say what to do, and does it."""
        plan: Plan = self.scheduler.plan(now_ns)
        for ask in plan.ask:
            made_ns, view = self._side.make_view(ask, now_ns)
            self.at(made_ns, self._on_view, view)
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
        self.retime(before, now_ns)
        self.at(now_ns + executor.model.restart_ns, self._on_ready, executor)
