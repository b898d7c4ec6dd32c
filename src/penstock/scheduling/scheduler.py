"""Which camera's newest frame goes to which model next: earliest deadline first within a priority, late binding.

The scheduler never holds pixels or a queue of frames. A lane that is due remembers that its camera has something new;
when an executor is about to be free, the lane that has waited longest against its deadline is asked for, and gets the
newest frame there is by then. A frame whose result could not come within the lane's budget is not started.

Prior art: timed actions and "no work that cannot meet its deadline" from Clockwork (OSDI '20); deciding apart from
doing from vLLM's scheduler. Late binding is our own: see docs/architecture.md.
"""

from collections.abc import Iterable
from heapq import heappop, heappush

import msgspec

from penstock.contracts.fates import Fate
from penstock.contracts.work import OutcomeStatus
from penstock.scheduling.executors import ExecutorState, Ticket
from penstock.scheduling.lane import Lane, LaneState
from penstock.scheduling.plan import NOTHING, AskFor, Hung, Plan, StartWork
from penstock.scheduling.suspension import Suspension


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


class Scheduler:
    """See the room's docstring. Instants are monotonic nanoseconds, or media time for lossless cameras' frames."""

    def __init__(self, lanes: Iterable[Lane], executors: Iterable[ExecutorState]) -> None:
        self._lanes = list(lanes)
        self._by_camera: dict[str, list[Lane]] = {}
        self._by_model: dict[str, list[Lane]] = {}
        for lane in self._lanes:
            self._by_camera.setdefault(lane.camera, []).append(lane)
            self._by_model.setdefault(lane.model, []).append(lane)
        self._executors = {executor.name: executor for executor in executors}
        self._executor_list = list(self._executors.values())
        self._suspensions = {model: Suspension() for executor in self._executor_list for model in executor.costs}
        self._tickets: dict[int, Ticket] = {}
        self._next_ticket = 0

    # what happened

    def model_ready(self, model: str, camera_index: dict[str, int]) -> None:
        """A model is loaded: its lanes begin with the frames after `camera_index` (frames decoded so far), or go
        on where they were."""
        self._suspensions[model].arrive()
        for lane in self._by_model.get(model, ()):
            if not lane.active:
                lane.active = True
                if not lane.ledger.begun:
                    lane.last_index = camera_index.get(lane.camera, 0)
                    lane.ledger.begin(lane.last_index)

    def model_unavailable(self, model: str) -> None:
        """A model could not be loaded, or its executor is gone: its lanes' frames fail until it is ready again."""
        self._suspensions[model].leave()
        for lane in self._by_model.get(model, ()):
            if lane.state is LaneState.QUEUED:
                self._unqueue(lane, Fate.MODEL_FAILED)

    def set_lossless(self, camera: str, lossless: bool) -> None:
        for lane in self._by_camera.get(camera, ()):
            lane.lossless = lossless

    def offered(self, camera: str, index: int, capture_ns: int, moved: bool, now_ns: int) -> list[Lane]:
        """The camera's newest decoded frame is `index`; frames between the last one heard of and this one have
        already been replaced. Returns the lanes for which this frame was gated: their last result stays valid."""
        still: list[Lane] = []
        for lane in self._by_camera.get(camera, ()):
            missed = index - lane.last_index - 1
            if missed < 0 or not lane.active:
                continue
            ledger = lane.ledger
            lane.last_index = index
            ledger.hear(index)
            if moved:
                lane.moved_index = index
            if missed:
                ledger.settle(Fate.SUPERSEDED if lane.is_due(capture_ns) else Fate.NOT_DUE, missed)
            if not lane.is_due(capture_ns):
                ledger.settle(Fate.NOT_DUE)
            elif not moved and lane.is_still(capture_ns):
                ledger.settle(Fate.GATED)
                lane.advance_due(capture_ns)
                still.append(lane)
            elif self._suspensions[lane.model].refuses(now_ns):
                ledger.settle(Fate.MODEL_FAILED)
                lane.advance_due(capture_ns)
            else:
                if lane.candidate:
                    ledger.settle(Fate.SUPERSEDED)
                else:
                    lane.waiting_since_ns = capture_ns
                lane.candidate = index
                lane.candidate_capture_ns = capture_ns
                if lane.state is LaneState.IDLE:
                    self._queue(lane)
        return still

    def arrived(self, ticket_id: int, index: int, capture_ns: int, now_ns: int) -> StartWork | None:
        """The view asked for is here (call `offered` with its frame first). None: it would come too late, or
        nobody waits for it any more; give its lease back."""
        ticket = self._tickets.get(ticket_id)
        if ticket is None:
            return None
        lane = ticket.lane
        executor = self._executors[lane.executor]
        executor.view_latency.add(now_ns - ticket.asked_ns)
        executor.unask(ticket)
        if lane.candidate != index:
            # The model was suspended while its view was on the way, and the newer frame refused.
            self._forget(ticket)
            lane.drop_candidate(Fate.SUPERSEDED)
            self._rest(lane)
            return None
        predicted_ns = executor.predict_ns(lane.model)
        deadline_ns = capture_ns + lane.budget_ns
        lane.advance_due(capture_ns)
        in_time = lane.lossless or now_ns + predicted_ns <= deadline_ns
        if not in_time and not self._may_probe(executor, lane, deadline_ns, now_ns):
            self._forget(ticket)
            lane.drop_candidate(Fate.EXPIRED)
            self._rest(lane)
            return None
        lane.candidate = 0
        lane.running = index
        lane.running_capture_ns = capture_ns
        lane.state = LaneState.RUNNING
        executor.start(ticket, now_ns, predicted_ns, probe=not in_time)
        return StartWork(ticket_id, lane.name, executor.name, deadline_ns, probe=not in_time)

    def refused(self, ticket_id: int, fate: Fate = Fate.SUPERSEDED) -> None:
        """No view could be made, or the ask was not sent: the lane waits for the next frame.

        Lossless lanes ask again for the same one, unless it is gone for good (any `fate` but `superseded`).
        """
        ticket = self._tickets.get(ticket_id)
        if ticket is None or ticket.started_ns is not None:
            return
        self._executors[ticket.lane.executor].unask(ticket)
        self._forget(ticket)
        if not (ticket.lane.lossless and fate is Fate.SUPERSEDED):
            ticket.lane.drop_candidate(fate)
        self._rest(ticket.lane)

    def finished(self, ticket_id: int, status: OutcomeStatus, now_ns: int, counted: Fate | None = None) -> bool:
        """An outcome came in; False where its ticket is unknown (delivered twice, or given up). `counted`
        overrides the fate that `status` means."""
        ticket = self._tickets.get(ticket_id)
        if ticket is None or ticket.started_ns is None:
            return False
        lane = ticket.lane
        executor = self._executors[lane.executor]
        executor.finish(ticket)
        self._forget(ticket)
        if status is OutcomeStatus.DONE:
            duration_ns = now_ns - ticket.started_ns
            executor.costs[lane.model].observe(duration_ns, ticket.load, now_ns, probe=ticket.probe)
            self._suspensions[lane.model].answered()
            lane.analysed_index = lane.running
            lane.analysed_capture_ns = lane.running_capture_ns
        elif status is OutcomeStatus.FAILED:
            self._suspensions[lane.model].failed(now_ns)
        lane.end_running(counted if counted is not None else _FATES[status])
        self._rest(lane)
        return True

    def camera_lost(self, camera: str, fate: Fate) -> None:
        """The camera, or the ingest process that had it, is gone: views asked for will not come."""
        for lane in self._by_camera.get(camera, ()):
            if lane.state is LaneState.ASKED:
                self.refused(lane.ticket, fate)
            elif lane.state is LaneState.QUEUED:
                self._unqueue(lane, fate)
            else:
                lane.drop_candidate(fate)

    def executor_lost(self, name: str, fate: Fate, now_ns: int) -> None:
        """An executor died or was killed: what it worked on is over, its models are not there."""
        executor = self._executors[name]
        for ticket in [ticket for ticket in self._tickets.values() if ticket.lane.executor == name]:
            if ticket.started_ns is None:
                self.refused(ticket.id, fate)
            else:
                self.finished(ticket.id, OutcomeStatus.CANCELLED, now_ns, counted=fate)
        executor.reset()
        for model in executor.costs:
            self.model_unavailable(model)

    def cancel_all(self) -> None:
        """The run ends: whatever has no fate yet is cancelled."""
        for ticket in list(self._tickets.values()):
            executor = self._executors[ticket.lane.executor]
            if ticket.started_ns is None:
                executor.unask(ticket)
            else:
                executor.finish(ticket)
            self._forget(ticket)
        for lane in self._lanes:
            lane.drop_candidate(Fate.CANCELLED)
            lane.end_running(Fate.CANCELLED)
            lane.state = LaneState.IDLE
            lane.queue_token += 1
            lane.active = False

    # what to do

    def plan(self, now_ns: int) -> Plan:
        """Asks that may be sent now; call again when anything happened, or at `wake_at_ns`.

        A hung call is named until its executor is given up with `executor_lost`; its model is suspended at once.
        """
        asks: list[AskFor] | None = None
        hung: list[Hung] | None = None
        wake_at_ns: int | None = None
        for executor in self._executor_list:
            while (overdue := executor.overdue_ask(now_ns)) is not None:
                self.refused(overdue.id)
            if (call := executor.hung_call(now_ns)) is not None:
                hung = hung or []
                hung.append(Hung(executor.name, call.id, now_ns - (call.started_ns or now_ns)))
                self._suspensions[call.lane.model].hung(now_ns)
            while executor.queue:
                free_at_ns = executor.free_at_ns(now_ns)
                if free_at_ns is None:
                    break
                if free_at_ns > now_ns:
                    if wake_at_ns is None or free_at_ns < wake_at_ns:
                        wake_at_ns = free_at_ns
                    break
                ask = self._next_ask(executor, now_ns)
                if ask is None:
                    break
                if asks is None:
                    asks = [ask]
                else:
                    asks.append(ask)
            limit_ns = executor.next_limit_ns()
            if limit_ns is not None and limit_ns > now_ns and (wake_at_ns is None or limit_ns < wake_at_ns):
                wake_at_ns = limit_ns
        if asks is None and hung is None:
            return NOTHING if wake_at_ns is None else Plan(wake_at_ns=wake_at_ns)
        return Plan(tuple(asks or ()), tuple(hung or ()), wake_at_ns)

    def _next_ask(self, executor: ExecutorState, now_ns: int) -> AskFor | None:
        queue = executor.queue
        while queue:
            entry = heappop(queue)
            lane = self._lanes[entry[2]]
            if entry[3] != lane.queue_token or lane.state is not LaneState.QUEUED:
                continue
            if self._suspensions[lane.model].refuses(now_ns):
                lane.advance_due(lane.candidate_capture_ns)
                self._unqueue(lane, Fate.MODEL_FAILED)
                continue
            deadline_ns = lane.candidate_capture_ns + lane.budget_ns
            in_time = lane.lossless or now_ns + executor.predict_ns(lane.model) <= deadline_ns
            if not in_time and not self._may_probe(executor, lane, deadline_ns, now_ns):
                self._unqueue(lane, Fate.EXPIRED)
                continue
            self._next_ticket += 1
            ticket = Ticket(self._next_ticket, lane, now_ns)
            self._tickets[ticket.id] = ticket
            lane.state = LaneState.ASKED
            lane.ticket = ticket.id
            executor.ask(ticket)
            return AskFor(ticket.id, lane.name, lane.camera, lane.model, executor.name, lane.candidate - 1, deadline_ns)
        return None

    def _may_probe(self, executor: ExecutorState, lane: Lane, deadline_ns: int, now_ns: int) -> bool:
        """Whether a frame may be risked that is predicted to be too late. Not one that is too late already."""
        return now_ns < deadline_ns and executor.may_probe(lane.model, now_ns)

    # books

    def snapshot(self) -> list[LaneSnapshot]:
        """Every lane's books."""
        return [
            LaneSnapshot(
                name=lane.name,
                camera=lane.camera,
                model=lane.model,
                active=lane.active,
                offered=lane.ledger.offered,
                in_flight=lane.in_flight,
                fates={fate.label: lane.ledger.count(fate) for fate in Fate},
                predicted_ns=self._executors[lane.executor].predict_ns(lane.model),
                max_fps=1e9 / lane.interval_ns,
            )
            for lane in self._lanes
        ]

    def undecided(self, camera: str, index: int) -> bool:
        """Whether any lane still waits for a view of frame `index`."""
        return any(lane.candidate and lane.candidate <= index for lane in self._by_camera.get(camera, ()))

    def running(self) -> bool:
        """Whether any model works on a frame."""
        return any(executor.started for executor in self._executor_list)

    def knows(self, ticket_id: int) -> bool:
        """Whether a view or an outcome is still waited for under this ticket."""
        return ticket_id in self._tickets

    def busy(self, camera: str) -> bool:
        """Whether any frame of the camera has no fate yet."""
        return any(lane.in_flight for lane in self._by_camera.get(camera, ()))

    def _queue(self, lane: Lane) -> None:
        lane.state = LaneState.QUEUED
        lane.queue_token += 1
        deadline_ns = lane.waiting_since_ns + lane.budget_ns
        heappush(self._executors[lane.executor].queue, (-lane.priority, deadline_ns, lane.number, lane.queue_token))

    def _unqueue(self, lane: Lane, fate: Fate) -> None:
        """Its entry in the queue goes stale by its token and is thrown away when it comes up."""
        lane.state = LaneState.IDLE
        lane.queue_token += 1
        lane.drop_candidate(fate)

    def _rest(self, lane: Lane) -> None:
        lane.state = LaneState.IDLE
        lane.ticket = 0
        if lane.candidate:
            self._queue(lane)

    def _forget(self, ticket: Ticket) -> None:
        del self._tickets[ticket.id]


_FATES = {
    OutcomeStatus.DONE: Fate.ANALYSED,
    OutcomeStatus.FAILED: Fate.MODEL_FAILED,
    OutcomeStatus.EXPIRED: Fate.EXPIRED,
    OutcomeStatus.CANCELLED: Fate.CANCELLED,
}
