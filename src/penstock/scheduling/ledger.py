"""The books of the lanes: every frame offered ends in exactly one fate, across crashes too.

What was offered is not counted but derived from one word, the index of the newest frame a lane has heard of. So a
process that is killed between two stores leaves books that its successor can close: what has no fate was lost.
"""

from penstock.contracts.counters import Counters
from penstock.contracts.fates import Fate
from penstock.contracts.traces import FateTrace

WORDS_PER_LANE = 16
_BASE, _LAST, _BEGUN, _FATES = 0, 1, 2, 3


class LaneLedger:
    """One lane's row in the counters: first and last index heard of, and a count for each fate."""

    __slots__ = ("_at", "_counters", "_fates_at", "_lane", "_trace")

    def __init__(self, counters: Counters, lane_number: int, lane: str = "", trace: FateTrace | None = None) -> None:
        """`trace` hears of every fate of `lane` but `analysed`."""
        self._counters = counters
        self._lane = lane
        self._trace = trace
        self._at = lane_number * WORDS_PER_LANE
        self._fates_at = self._at + _FATES

    @property
    def begun(self) -> bool:
        """Whether the lane has begun to hear frames: its model was loaded at some time."""
        return self._counters[self._at + _BEGUN] > 0

    @property
    def last_index(self) -> int:
        """Index of the newest frame that the lane has heard of."""
        return self._counters[self._at + _LAST]

    @property
    def offered(self) -> int:
        if not self.begun:
            return 0
        return self._counters[self._at + _LAST] - self._counters[self._at + _BASE]

    def begin(self, index: int) -> None:
        """The lane hears frames from the one after `index` on; only for a lane that has heard of none.

        The mark comes last: who is killed before it has not begun.
        """
        self._counters.set(self._at + _BASE, index)
        self._counters.set(self._at + _LAST, index)
        self._counters.set(self._at + _BEGUN, 1)

    def hear(self, index: int) -> None:
        self._counters.set(self._at + _LAST, index)

    def settle(self, fate: Fate, count: int = 1, first_index: int = 0) -> None:
        """`count` frames from `first_index` on have ended."""
        self._counters.add(self._fates_at + fate, count)
        if self._trace is not None and fate is not Fate.ANALYSED:
            self._trace.fate(self._lane, first_index, count, fate)

    def count(self, fate: Fate) -> int:
        return self._counters[self._fates_at + fate]

    def settled(self) -> int:
        return sum(self._counters[self._fates_at + fate] for fate in Fate)

    def close_after_crash(self) -> int:
        """Gives the fate `lost` to what an earlier process had in flight; returns how many."""
        lost = self.offered - self.settled()
        if lost:
            self.settle(Fate.LOST, lost, 0)
        return lost
