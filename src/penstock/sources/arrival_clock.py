"""Dates pictures that carry no time of their own by when their first byte came, and says how late that may be.

HTTP pictures have no media time. A camera takes them at an even rate, so a picture that lies behind that rhythm was
held up on the way, and so were those that come crowding after it: its lateness is how far it lies above the least of
(arrival − number × interval) over the latest pictures. Where the camera itself is uneven, that claims too much error,
never too little.
"""

from collections import deque
from itertools import pairwise

from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources.capture_time import SENDER_DELAY_NS

WINDOW = 32
"""pictures that make the rhythm"""
FEWEST = 4
UNSETTLED_ERROR_NS = 2_000_000_000
"""claimed until there is a rhythm: a server may hold back a picture or two at connect"""


class ArrivalClock:
    """For one session, in order of arrival. Pure."""

    def __init__(self) -> None:
        self._arrivals: deque[int] = deque(maxlen=WINDOW)
        self._last_ns: int | None = None

    def stamp(self, began_ns: int) -> CaptureTime:
        """Capture time of the picture whose first byte came at `began_ns`; never before that of the one before."""
        began_ns = began_ns if self._last_ns is None else max(began_ns, self._last_ns)
        self._last_ns = began_ns
        self._arrivals.append(began_ns)
        if len(self._arrivals) < FEWEST:
            return CaptureTime(began_ns, TimeBasis.ARRIVAL, UNSETTLED_ERROR_NS)
        arrivals = list(self._arrivals)
        gaps = sorted(after - before for before, after in pairwise(arrivals))
        interval_ns = gaps[len(gaps) // 2]
        offsets = [arrival - n * interval_ns for n, arrival in enumerate(arrivals)]
        late_ns = offsets[-1] - min(offsets)
        return CaptureTime(began_ns, TimeBasis.ARRIVAL, SENDER_DELAY_NS + late_ns)
