"""When a shadow lane may take a stream: none of the real lanes wants it, nor will before the call has ended.

Known is when each real lane is due and how late its camera's frames come; a lane whose frame should have come long ago
(its camera is slow or away), or that hardly ever needs its model (nothing moves), is not expected.
"""

from penstock.scheduling.board import Board
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane, LaneState

OVERDUE_NS = 100_000_000
QUIET = 0.1
# Looking at every lane takes time: again after so long at the earliest, and longer where there are many.
LOOK_AGAIN_NS = 1_000_000
LOOK_AGAIN_PER_LANE_NS = 5_000
_FAR_NS = 1 << 62


class SpareWatch:
    """Of each executor, the soonest instant at which a real lane is expected, remembered until it may have changed."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._real = {
            name: [
                lane
                for model in executor.models
                for lane in board.by_model.get(model, ())
                if not lane.shadow and lane.crops is None
            ]
            for name, executor in board.executors.items()
        }
        self._expected_ns: dict[str, int] = {}
        self._looked_ns: dict[str, int] = {}

    def blocked_until_ns(self, executor: ExecutorState, call_ns: int, now_ns: int) -> int | None:
        """None where a shadow call of so long may be asked for now; else when to ask again."""
        free = executor.free_streams()
        if free <= 0:
            return now_ns + LOOK_AGAIN_NS
        if free > 1:
            return None
        real = self._real[executor.name]
        looked_ns = self._looked_ns.get(executor.name)
        expected_ns = self._expected_ns.get(executor.name, 0)
        again_ns = 0 if looked_ns is None else looked_ns + LOOK_AGAIN_NS + LOOK_AGAIN_PER_LANE_NS * len(real)
        if now_ns >= again_ns:
            expected_ns = self._look(real, now_ns)
            self._expected_ns[executor.name] = expected_ns
            self._looked_ns[executor.name] = now_ns
            again_ns = now_ns + LOOK_AGAIN_NS + LOOK_AGAIN_PER_LANE_NS * len(real)
        return None if expected_ns > now_ns + call_ns else max(again_ns, min(expected_ns, now_ns + call_ns))

    def _look(self, real: list[Lane], now_ns: int) -> int:
        soonest_ns = _FAR_NS
        for lane in real:
            if not lane.active or lane.shed or lane.lossless or not lane.due_ns or lane.activity.share < QUIET:
                continue
            if lane.state is LaneState.RUNNING and lane.candidate:
                return now_ns
            expected_ns = lane.due_ns + self._board.cameras[lane.camera].delay_ns
            if now_ns - OVERDUE_NS <= expected_ns < soonest_ns:
                soonest_ns = expected_ns
        return soonest_ns
