"""Who is asked for next: real lanes by priority, then earliest deadline; shadow lanes where there is room to spare.

A lane that comes up is checked again, for it may have waited long: its model may be suspended, what it requires may
be over, and its result may come too late by now.
"""

from penstock.contracts.fates import Fate
from penstock.scheduling.answers import Answers, may_probe
from penstock.scheduling.board import Board
from penstock.scheduling.calls import Batch, Call
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.gathering import Gathering
from penstock.scheduling.lane import SHADOW_RANK, Lane, LaneState
from penstock.scheduling.model_queue import Entry
from penstock.scheduling.plan import NOTHING, AskFor, Hung, Plan, StartWork
from penstock.scheduling.spare import SpareWatch

_FIRST_SHADOW = SHADOW_RANK // 2


class Dispatch:
    """What to do next."""

    def __init__(self, board: Board, answers: Answers, gathering: Gathering) -> None:
        self._board = board
        self._answers = answers
        self._gathering = gathering
        self._spare = SpareWatch(board)
        self._look_again_ns: int | None = None

    def plan(self, now_ns: int) -> Plan:
        """Asks that may be sent and batches to submit now; call again when anything happened, or at `wake_at_ns`.

        A hung call is named until its executor is given up with `executor_lost`; its model is suspended at once.
        """
        asks: list[AskFor] | None = None
        starts: list[StartWork] | None = None
        hung: list[Hung] | None = None
        wake_at_ns: int | None = None
        for executor in self._board.executor_list:
            if executor.asked:
                while (overdue := executor.overdue_ask(now_ns)) is not None:
                    self._answers.give_up(overdue)
                    if overdue.id in executor.asked:
                        break
                if executor.gathering:
                    starts = starts or []
                    wake_at_ns = _sooner(wake_at_ns, self._gathering.due(executor, starts, now_ns))
            if executor.started and (call := executor.hung_call(now_ns)) is not None:
                hung = hung or []
                hung.append(Hung(executor.name, call.work, now_ns - (call.started_ns or now_ns)))
                call.queue.suspension.hung(now_ns)
            while executor.waiting:
                free_at_ns = executor.free_at_ns(now_ns)
                if free_at_ns is None:
                    break
                if free_at_ns > now_ns:
                    if wake_at_ns is None or free_at_ns < wake_at_ns:
                        wake_at_ns = free_at_ns
                    break
                if asks is None:
                    asks = []
                if not self._ask_next(executor, asks, now_ns):
                    wake_at_ns = _sooner(wake_at_ns, self._look_again_ns)
                    break
            if executor.asked or executor.started:
                limit_ns = executor.next_limit_ns()
                if limit_ns > now_ns and (wake_at_ns is None or limit_ns < wake_at_ns):
                    wake_at_ns = limit_ns
        if not asks and hung is None and not starts:
            return NOTHING if wake_at_ns is None else Plan(wake_at_ns=wake_at_ns)
        return Plan(tuple(asks or ()), tuple(hung or ()), wake_at_ns, tuple(starts or ()))

    def _ask_next(self, executor: ExecutorState, asks: list[AskFor], now_ns: int) -> bool:
        """Asks for who comes first, with others where a batch pays; False where nobody may be asked for now."""
        self._look_again_ns = None
        running = len(executor.started) + 1
        while (entry := executor.first()) is not None:
            lane = entry[4]
            queue = lane.queue
            views = lane.candidate_views
            predicted_ns = queue.costs.predict_ns(running, views)
            if entry[0] >= _FIRST_SHADOW:
                self._look_again_ns = self._spare.blocked_until_ns(executor, predicted_ns, now_ns)
                if self._look_again_ns is not None:
                    return False
            queue.take()
            deadline_ns = lane.candidate_capture_ns + lane.budget_ns
            fate = self._refusal(lane, now_ns + predicted_ns, deadline_ns, now_ns)
            if fate is not None and not (fate is Fate.EXPIRED and may_probe(lane, running, views, now_ns, deadline_ns)):
                _refuse(lane, fate)
                continue
            board = self._board
            number = board.last_ticket = board.last_ticket + 1
            board.tickets[number] = call = executor.asked[number] = Call(number, queue, lane, views, now_ns)
            lane.state = LaneState.ASKED
            lane.ticket = number
            if queue.waiting and queue.sizes.most > 1 and not lane.lossless and lane.crops is None:
                self._fill(call, entry, deadline_ns, now_ns)
            if call.batch is None:
                asks.append(_ask_for(number, lane, executor.name, 0))
            else:
                asks.extend([_ask_for(one, other, executor.name, number) for one, other in call.batch.members.items()])
            return True
        return False

    def _refusal(self, lane: Lane, end_ns: int, deadline_ns: int, now_ns: int) -> Fate | None:
        """How a lane's candidate ends that is not worth a view any more; None for one that is."""
        if lane.queue.suspension.refuses(now_ns):
            return Fate.MODEL_FAILED
        if lane.requires:
            facts = self._board.cameras[lane.camera].facts
            if not facts.met(lane.requires, lane.candidate_capture_ns):
                return Fate.DEPENDENCY_STALE
        if end_ns > deadline_ns and not lane.lossless:
            return Fate.EXPIRED
        return None

    def _fill(self, call: Call, first: Entry, deadline_ns: int, now_ns: int) -> None:
        """Adds lanes to a call, as many as pay and none that must not wait for the others."""
        board, queue, rank = self._board, call.queue, first[0]
        size = queue.sizes.choose(queue.waiting + 1, deadline_ns - now_ns, now_ns)
        while size > 1 and not self._leaves_room(call, rank, deadline_ns, size, now_ns):
            size //= 2
        if size == 1:
            return
        predicted_ns = queue.costs.predict_ns(len(queue.executor.started) + 1, size)
        members: list[Lane] = []
        aside: list[Lane] = []
        while len(members) + 1 < size and (entry := queue.first()) is not None:
            shadows = entry[0] >= _FIRST_SHADOW or rank >= _FIRST_SHADOW
            if entry[0] != rank and (shadows or now_ns + 2 * predicted_ns > deadline_ns):
                break
            other = queue.take()
            others_deadline_ns = other.candidate_capture_ns + other.budget_ns
            fate = self._refusal(other, now_ns + predicted_ns, others_deadline_ns, now_ns)
            if other.lossless or other.crops is not None or fate is Fate.EXPIRED:
                # Too late for a batch, it may still be in time alone.
                aside.append(other)
            elif fate is not None:
                _refuse(other, fate)
            else:
                members.append(other)
        for other in aside:
            board.wait(other)
        if not members:
            return
        call.batch = Batch(call.asked_ns + queue.executor.hold_ns())
        call.batch.members[call.id] = call.lane
        queue.executor.gathering += 1
        for other in members:
            number = board.last_ticket = board.last_ticket + 1
            call.batch.members[number] = other
            board.tickets[number] = call
            other.state = LaneState.ASKED
            other.ticket = number

    def _leaves_room(self, call: Call, rank: int, deadline_ns: int, size: int, now_ns: int) -> bool:
        """Whether a call of that size ends by the deadline, and makes no lane too late that waits for another model of
        the executor and would be in time after a single view."""
        executor, costs = call.queue.executor, call.queue.costs
        running = len(executor.started) + 1
        end_ns = now_ns + costs.predict_ns(running, size)
        if end_ns > deadline_ns:
            return False
        if executor.free_streams() > 1:
            return True
        single_end_ns = now_ns + costs.predict_ns(running)
        for queue in executor.queues:
            entry = queue.first() if queue is not call.queue and queue.waiting else None
            if entry is not None and entry[0] <= rank:
                other = entry[4]
                start_by_ns = other.candidate_capture_ns + other.budget_ns - queue.costs.predict_ns(running)
                if single_end_ns <= start_by_ns < end_ns:
                    return False
        return True


def _refuse(lane: Lane, fate: Fate) -> None:
    """The candidate of a lane that was just taken from its queue ends."""
    lane.state = LaneState.IDLE
    if fate is Fate.MODEL_FAILED:
        lane.advance_due(lane.candidate_capture_ns)
    lane.drop_candidate(fate)


def _ask_for(ticket: int, lane: Lane, executor: str, batch: int) -> AskFor:
    index, capture_ns = lane.candidate, lane.candidate_capture_ns
    frame_index = 0
    if lane.crops is not None:
        # This very frame is meant: it is taken from now on, and a newer one may wait beside it.
        frame_index = lane.running = index
        lane.running_capture_ns = capture_ns
        lane.candidate = 0
        lane.advance_due(capture_ns)
    deadline_ns = capture_ns + lane.budget_ns
    return AskFor(ticket, lane.name, lane.camera, lane.model, executor, index - 1, deadline_ns, frame_index, batch)


def _sooner(one_ns: int | None, other_ns: int | None) -> int | None:
    if one_ns is None or other_ns is None:
        return one_ns if other_ns is None else other_ns
    return min(one_ns, other_ns)
