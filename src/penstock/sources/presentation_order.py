"""Capture times of one session never run backwards in presentation order, whatever their estimates do.

Pictures arrive in decode order: a P-picture comes before the B-pictures that are shown before it. So a new time is
held between those of its neighbours in presentation order, not just above the last one given out.
"""

import bisect

KEPT = 64
"""neighbours remembered; H.264 and H.265 reorder over at most 16 pictures"""


class PresentationOrder:
    """A non-decreasing map from media time to capture time, filled in any order; bounded."""

    def __init__(self) -> None:
        self._media_ns: list[int] = []
        self._times_ns: list[int] = []
        self._floor_ns: int | None = None

    def place(self, pts_ns: int, time_ns: int) -> int:
        """Takes `time_ns` for the picture of `pts_ns`, moved as little as its neighbours demand."""
        at = bisect.bisect_right(self._media_ns, pts_ns)
        lower_ns = self._times_ns[at - 1] if at else self._floor_ns
        if lower_ns is not None:
            time_ns = max(time_ns, lower_ns)
        if at < len(self._times_ns):
            time_ns = min(time_ns, self._times_ns[at])
        self._media_ns.insert(at, pts_ns)
        self._times_ns.insert(at, time_ns)
        if len(self._media_ns) > KEPT:
            del self._media_ns[0]
            self._floor_ns = self._times_ns.pop(0)
        return time_ns

    def start_anew(self) -> None:
        """Media time has jumped: what comes now is shown after everything before."""
        if self._times_ns:
            self._floor_ns = self._times_ns[-1]
        self._media_ns.clear()
        self._times_ns.clear()
