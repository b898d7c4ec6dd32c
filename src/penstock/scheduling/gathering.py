"""Batches on their way: views come one by one, some not at all, and the call starts when waiting longer is no use."""

from penstock.contracts.fates import Fate
from penstock.scheduling.board import Board
from penstock.scheduling.calls import Batch, Call
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import LaneState
from penstock.scheduling.plan import StartWork


class Gathering:
    """Calls of several lanes between their asks and their start."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def arrived(
        self, call: Call, batch: Batch, ticket: int, index: int, capture_ns: int, now_ns: int
    ) -> StartWork | None:
        """The view of one member is here."""
        if ticket in batch.deadlines_ns:
            return None
        lane = batch.members[ticket]
        deadline_ns = capture_ns + lane.budget_ns
        running = len(call.queue.executor.started) + 1
        latest_ns = deadline_ns - call.queue.costs.predict_ns(running, len(batch.members))
        fate = None
        if index != lane.candidate:
            fate = Fate.SUPERSEDED
        else:
            lane.advance_due(capture_ns)
            if now_ns > latest_ns:
                fate = Fate.EXPIRED
        if fate is not None:
            self.drop(call, batch, ticket, fate)
        else:
            lane.candidate = 0
            lane.running = index
            lane.running_capture_ns = capture_ns
            lane.state = LaneState.RUNNING
            batch.deadlines_ns[ticket] = deadline_ns
            batch.hold_until_ns = min(batch.hold_until_ns, latest_ns)
        if not batch.members or len(batch.deadlines_ns) < len(batch.members):
            return None
        return self.start(call, batch, now_ns)

    def drop(self, call: Call, batch: Batch, ticket: int, fate: Fate | None) -> None:
        """A member whose view is not taken leaves; None lets its frame wait on."""
        lane = batch.members.pop(ticket)
        if not batch.members:
            call.queue.executor.unask(call)
        if fate is not None:
            lane.drop_candidate(fate)
        del self._board.tickets[ticket]
        self._board.rest(lane)

    def due(self, executor: ExecutorState, starts: list[StartWork], now_ns: int) -> int | None:
        """Starts what is complete but for members that were refused, or has waited long enough, without those whose
        views are missing; returns until when the next batch waits."""
        wake_at_ns: int | None = None
        for call in list(executor.asked.values()):
            batch = call.batch
            if batch is None or not batch.deadlines_ns:
                continue
            if len(batch.deadlines_ns) < len(batch.members) and now_ns < batch.hold_until_ns:
                wake_at_ns = batch.hold_until_ns if wake_at_ns is None else min(wake_at_ns, batch.hold_until_ns)
                continue
            for ticket in [one for one in batch.members if one not in batch.deadlines_ns]:
                self.drop(call, batch, ticket, None)
            start = self.start(call, batch, now_ns)
            if start is not None:
                starts.append(start)
        return wake_at_ns

    def start(self, call: Call, batch: Batch, now_ns: int) -> StartWork | None:
        """Starts a batch whose members are all here, without those that have become too late; None where nobody is
        left."""
        executor, costs, members = call.queue.executor, call.queue.costs, batch.members
        executor.unask(call)
        running = len(executor.started) + 1
        end_ns = now_ns + costs.predict_ns(running, len(members))
        for ticket in [one for one, deadline_ns in batch.deadlines_ns.items() if end_ns > deadline_ns]:
            self._end(batch, ticket, Fate.EXPIRED)
        if not members:
            return None
        call.views = len(members)
        call.deadline_ns = min(batch.deadlines_ns.values())
        executor.start(call, now_ns, costs.predict_ns(running, call.views), probe=False)
        tickets = tuple(members)
        lanes = tuple([lane.name for lane in members.values()])
        return StartWork(tickets[0], tickets, lanes, call.queue.model, executor.name, call.deadline_ns)

    def abandon(self, call: Call, batch: Batch, fate: Fate) -> None:
        """The executor is gone: no member is started."""
        for ticket in list(batch.members):
            if ticket in batch.deadlines_ns:
                self._end(batch, ticket, fate)
            else:
                self.drop(call, batch, ticket, fate)

    def _end(self, batch: Batch, ticket: int, fate: Fate) -> None:
        lane = batch.members.pop(ticket)
        del batch.deadlines_ns[ticket]
        del self._board.tickets[ticket]
        lane.end_running(fate)
        self._board.rest(lane)
