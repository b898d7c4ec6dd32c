"""Lanes follow the capacity plan: how often each runs, or that its model does not run at all."""

from penstock.contracts.capacity import CapacityPlan, LaneGrant
from penstock.contracts.fates import Fate
from penstock.scheduling.board import Board
from penstock.scheduling.lane import NS_PER_S, Lane


def apply(board: Board, plan: CapacityPlan) -> None:
    """What the plan does not name keeps what it has."""
    for grant in plan.lanes:
        lane = board.by_name.get(grant.lane)
        if lane is not None and grant is not lane.grant and grant != lane.grant:
            _follow(board, lane, grant)


def _follow(board: Board, lane: Lane, grant: LaneGrant) -> None:
    lane.grant = grant
    shed = grant.fps <= 0
    newest_ns = board.cameras[lane.camera].capture_ns
    if shed:
        if not lane.shed:
            # What frames are shed is counted at the rate that the lane wants.
            lane.set_pace(lane.wanted_interval_ns, newest_ns)
        lane.shed = True
        board.leave(lane, Fate.SHED)
        return
    interval_ns = max(round(NS_PER_S / grant.fps), lane.wanted_interval_ns)
    if lane.shed:
        # The next frame is due as the shed ones were: soon, and not at one instant for all lanes that come back.
        lane.shed = False
        lane.keep_interval(interval_ns)
    else:
        lane.set_pace(interval_ns, newest_ns)
