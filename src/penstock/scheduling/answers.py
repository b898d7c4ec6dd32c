"""What comes back for asks and calls: views, refusals, outcomes, and news of processes that are gone.

Every way in which an ask or a call ends gives each of its frames a fate.
"""

from penstock.contracts.fates import Fate
from penstock.contracts.work import OutcomeStatus
from penstock.scheduling.board import Board
from penstock.scheduling.calls import Call
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.gathering import Gathering
from penstock.scheduling.lane import Lane, LaneState
from penstock.scheduling.plan import StartWork

_FATES = {
    OutcomeStatus.DONE: Fate.ANALYSED,
    OutcomeStatus.FAILED: Fate.MODEL_FAILED,
    OutcomeStatus.EXPIRED: Fate.EXPIRED,
    OutcomeStatus.CANCELLED: Fate.CANCELLED,
}


class Answers:
    """Asks and calls under way."""

    def __init__(self, board: Board, gathering: Gathering) -> None:
        self._board = board
        self._gathering = gathering

    def arrived(self, ticket_id: int, index: int, capture_ns: int, now_ns: int) -> StartWork | None:
        """The view asked for is here (call `offered` with its frame first). Returns the call that starts now, if one
        does: this view's, or that of the others of its batch, which waited for it alone.

        Give its lease back where `knows` then says that nobody waits for it any more: it would come too late, or was
        withdrawn. Otherwise it is in the call that starts, or waits for the others of its batch.
        """
        call = self._board.tickets.get(ticket_id)
        if call is None or call.started_ns is not None:
            return None
        queue = call.queue
        executor = queue.executor
        executor.view_latency.add(now_ns - call.asked_ns)
        if call.batch is not None:
            return self._gathering.arrived(call, call.batch, ticket_id, index, capture_ns, now_ns)
        lane = call.lane
        exact = lane.crops is not None
        if index != (lane.running if exact else lane.candidate):
            # The frame was withdrawn while its view was on the way: its model was suspended, or the plan sheds it.
            self._drop(call, Fate.SUPERSEDED)
            return None
        running = len(executor.started) + 1
        predicted_ns = queue.costs.predict_ns(running, call.views)
        deadline_ns = capture_ns + lane.budget_ns
        if not exact:
            lane.advance_due(capture_ns)
        in_time = now_ns + predicted_ns <= deadline_ns or lane.lossless
        if not in_time and not may_probe(lane, running, call.views, now_ns, deadline_ns):
            self._drop(call, Fate.EXPIRED)
            return None
        executor.unask(call)
        lane.candidate = 0 if not exact else lane.candidate
        lane.running = index
        lane.running_capture_ns = capture_ns
        lane.state = LaneState.RUNNING
        call.deadline_ns = deadline_ns
        executor.start(call, now_ns, predicted_ns, probe=not in_time)
        return StartWork(ticket_id, (ticket_id,), (lane.name,), queue.model, executor.name, deadline_ns, not in_time)

    def refused(self, ticket_id: int, fate: Fate = Fate.SUPERSEDED) -> None:
        """No view could be made, or the ask was not sent: the lane waits for the next frame.

        Lossless lanes ask again for the same one, unless it is gone for good (any `fate` but `superseded`), or crops
        of it were asked for. The others of its batch start with the next plan if they waited for it alone.
        """
        call = self._board.tickets.get(ticket_id)
        if call is None or call.started_ns is not None:
            return
        if call.batch is None:
            lane = call.lane
            keep = lane.lossless and fate is Fate.SUPERSEDED and lane.crops is None
            self._drop(call, None if keep else fate)
        elif ticket_id not in call.batch.deadlines_ns:
            self._gathering.drop(call, call.batch, ticket_id, fate)

    def finished(self, work: int, status: OutcomeStatus, now_ns: int, counted: Fate | None = None) -> bool:
        """The outcome of a call came in, or it could not be submitted: all its frames end. False where `work` is
        unknown (delivered twice, or given up). `counted` overrides the fate that `status` means."""
        call = self._board.tickets.get(work)
        if call is None or call.started_ns is None or work != call.work:
            return False
        queue = call.queue
        queue.executor.finish(call, now_ns)
        if status is OutcomeStatus.DONE:
            queue.suspension.answered()
            stream_ns = now_ns - (call.began_ns or now_ns)
            queue.observe(now_ns - call.started_ns, stream_ns, call.load, call.views, now_ns, probe=call.probe)
        elif status is OutcomeStatus.FAILED:
            queue.suspension.failed(now_ns)
        fate = counted if counted is not None else _FATES[status]
        if call.batch is None:
            self._end(work, call.lane, call, status, fate, now_ns)
        else:
            for ticket, lane in call.batch.members.items():
                self._end(ticket, lane, call, status, fate, now_ns)
        return True

    def camera_lost(self, camera: str, fate: Fate) -> None:
        """The camera, or the ingest process that had it, is gone: views asked for will not come."""
        for lane in self._board.lanes_of(camera):
            if lane.state is LaneState.ASKED:
                self.refused(lane.ticket, fate)
            self._board.leave(lane, fate)

    def executor_lost(self, executor: ExecutorState, fate: Fate, now_ns: int) -> None:
        for call in list(executor.asked.values()):
            if call.batch is None:
                self._drop(call, fate)
            else:
                self._gathering.abandon(call, call.batch, fate)
        for call in list(executor.started.values()):
            self.finished(call.work, OutcomeStatus.CANCELLED, now_ns, fate)
        executor.reset()

    def give_up(self, call: Call) -> None:
        """Views that should have come long ago; those of a batch that are here start with the next plan."""
        for ticket, _ in call.members():
            self.refused(ticket)

    def _drop(self, call: Call, fate: Fate | None) -> None:
        """A call of one lane ends before it has started; None lets its frame wait on."""
        lane = call.lane
        call.queue.executor.unask(call)
        if fate is not None:
            if lane.crops is not None:
                lane.end_running(fate)
            else:
                lane.drop_candidate(fate)
        del self._board.tickets[call.id]
        self._board.rest(lane)

    def _end(self, ticket: int, lane: Lane, call: Call, status: OutcomeStatus, fate: Fate, now_ns: int) -> None:
        if status is OutcomeStatus.DONE:
            lane.analysed_index = lane.running
            lane.analysed_capture_ns = lane.running_capture_ns
            if lane.crops is not None:
                lane.views_per_analysis.add(call.views, 1, now_ns)
        del self._board.tickets[ticket]
        lane.end_running(fate)
        self._board.rest(lane)


def may_probe(lane: Lane, running: int, views: int, now_ns: int, deadline_ns: int) -> bool:
    """Whether a frame may be risked that is predicted to be too late. Not one that is too late already."""
    queue = lane.queue
    return now_ns < deadline_ns and queue.costs.may_probe(running, now_ns, views, queue.executor.probe_share)
