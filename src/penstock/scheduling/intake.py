"""What becomes of a frame that a camera tells of: it waits for the lane's model, or ends at once, and why.

In this order: the lane's rate does not ask for it, the plan sheds it, what it requires is not so, nothing moves in
it, its model is suspended.
"""

from penstock.contracts.fates import Fate
from penstock.scheduling.board import Board
from penstock.scheduling.lane import Lane, LaneState


class Intake:
    """Frames as they are told of."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def offered(
        self, camera: str, index: int, capture_ns: int, moved: bool, now_ns: int, held_back: int = 0
    ) -> list[Lane]:
        """The camera's newest decoded frame is `index`; frames between the last one heard of and this one have
        already been replaced, or, `held_back` of them, were not due by `resume_ns`. Lanes that look at crops do not
        hear of it. Returns the lanes for which this frame was gated: their last result stays valid."""
        still: list[Lane] = []
        of = self._board.cameras.get(camera)
        if of is None:
            return still
        of.capture_ns = capture_ns
        of.delay_ns = now_ns - capture_ns
        for lane in of.lanes:
            missed = index - lane.last_index - 1
            if missed < 0 or not lane.active:
                continue
            ledger = lane.ledger
            lane.last_index = index
            ledger.hear(index)
            if moved:
                lane.moved_index = index
            if held_back and missed:
                held = min(held_back, missed)
                ledger.settle(Fate.NOT_DUE, held, index - missed)
                missed -= held
            if not lane.candidate and not lane.is_due(capture_ns):
                ledger.settle(Fate.NOT_DUE, missed + 1, index - missed)
            elif lane.shed:
                ledger.settle(Fate.SHED, missed + 1, index - missed)
                needed = not lane.gated or moved
                if lane.requires:
                    needed = needed and of.facts.met(lane.requires, capture_ns)
                lane.saw_due(capture_ns, needed=needed)
                lane.advance_due(capture_ns)
            elif lane.requires and not of.facts.met(lane.requires, capture_ns):
                ledger.settle(Fate.DEPENDENCY_STALE, missed + 1, index - missed)
                lane.saw_due(capture_ns, needed=False)
                self._board.leave(lane, Fate.SUPERSEDED)
                lane.stay_due(capture_ns)
            else:
                if missed:
                    ledger.settle(Fate.SUPERSEDED, missed, index - missed)
                if not moved and lane.is_still(capture_ns):
                    ledger.settle(Fate.GATED, 1, index)
                    lane.saw_due(capture_ns, needed=False)
                    self._board.leave(lane, Fate.SUPERSEDED)
                    lane.advance_due(capture_ns)
                    still.append(lane)
                else:
                    # A still scene that is looked at once more, or again after a while, has a share of its own.
                    lane.saw_due(capture_ns, needed=not lane.gated or moved)
                    self._take(lane, index, capture_ns, now_ns)
        return still

    def offer_crops(self, lane_name: str, index: int, capture_ns: int, crops: int, now_ns: int) -> None:
        """The lane whose boxes lane `lane_name` looks at has analysed frame `index`, and found so many (0 for none).
        Frames come in order; those between were not due. Raises KeyError where there is no such lane."""
        lane = self._board.by_name[lane_name]
        missed = index - lane.last_index - 1
        if missed < 0 or not lane.active or lane.crops is None:
            return
        ledger = lane.ledger
        lane.last_index = index
        ledger.hear(index)
        if missed:
            ledger.settle(Fate.NOT_DUE, missed, index - missed)
        if not lane.candidate and not lane.is_due(capture_ns):
            ledger.settle(Fate.NOT_DUE, 1, index)
            return
        met = crops > 0 and self._board.cameras[lane.camera].facts.met(lane.requires, capture_ns)
        lane.saw_due(capture_ns, needed=met)
        if lane.shed:
            ledger.settle(Fate.SHED, 1, index)
            lane.advance_due(capture_ns)
        elif not met:
            # A candidate before it still has its boxes and its pixels: it is not replaced.
            ledger.settle(Fate.DEPENDENCY_STALE, 1, index)
            lane.stay_due(capture_ns)
        else:
            lane.candidate_views = min(crops, lane.crops.limit)
            self._take(lane, index, capture_ns, now_ns)

    def _take(self, lane: Lane, index: int, capture_ns: int, now_ns: int) -> None:
        """The frame waits for its model, in the place of the one before it."""
        if lane.queue.suspension.refuses(now_ns):
            lane.ledger.settle(Fate.MODEL_FAILED, 1, index)
            self._board.leave(lane, Fate.SUPERSEDED)
            lane.advance_due(capture_ns)
            return
        if lane.candidate:
            lane.ledger.settle(Fate.SUPERSEDED, 1, lane.candidate)
        else:
            lane.waiting_since_ns = capture_ns
        lane.candidate = index
        lane.candidate_capture_ns = capture_ns
        if lane.state is LaneState.IDLE:
            self._board.wait(lane)
