"""Follows the least (arrival − media time) of a stream: the moment at which the sender's media clock read zero.

Every delay between sensor and reader is positive, so the least difference belongs to the picture that was delayed
least, and the others say how rough the way is. This is the minimum filter of one-way delay estimation (Paxson, "On
Calibrating Measurements of Packet Transit Times", 1998; Moon, Skelly, Towsley, 1999). It falls at once and rises no
faster than two real clocks drift apart: a difference that grows faster is a queue filling up (ours, when this
machine is overloaded), and to believe it would make stale pictures look fresh.
"""

from collections import deque

NS_PER_S = 1_000_000_000

BUCKET_NS = NS_PER_S
"""minima are kept for pieces of this length"""
WINDOW_BUCKETS = 10
"""the window of the minimum, in buckets: at 100 ppm a clock moves 1 ms within it"""
LATEST_SAMPLES = 32
"""the latest pictures, whose spread says how rough the way is"""
JITTER_FACTOR = 2
"""a queue that never ran empty hides its minimum; found by simulation with jitter of up to ten intervals"""
LEAK_PPM = 200
"""fastest rise that is believed to be the sender's clock: twice the worst crystal in use"""
SETTLE_NS = NS_PER_S
"""how long the minimum must have stood before it is trusted: five pictures at 5 fps"""
SETTLE_SAMPLES = 4
FALL_NS = 10_000_000
"""a minimum that fell by more than this, in one step or many, has not settled: a cached GOP is being sent"""


class OffsetFilter:
    """Windowed minimum with a bounded rise. Fed in order of arrival; pure; holds ten buckets and 32 samples at most."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int]] = deque(maxlen=WINDOW_BUCKETS)
        self._offset_ns = 0
        self._last_ns = 0
        self._samples: deque[int] = deque(maxlen=LATEST_SAMPLES)
        self._count = 0
        self._settled = False
        self._reference_ns = 0
        self._fell_at_ns = 0

    @property
    def offset_ns(self) -> int | None:
        """Monotonic instant of media time 0; None before the first sample."""
        return self._offset_ns if self._count else None

    @property
    def settled(self) -> bool:
        """Once true, stays true: later falls are small, and `uncertainty_ns` covers them."""
        return self._settled

    def lag_ns(self, pictures: int) -> int:
        """How far the latest pictures, all of them, stay above the minimum: they are late, or the sender stepped."""
        recent = list(self._samples)[-pictures:]
        return max(0, min(recent) - self._offset_ns) if recent else 0

    @property
    def uncertainty_ns(self) -> int:
        """How well the minimum is known: how far pieces of the window differ in theirs, and how far the better
        quarter of the latest pictures (the anchors, where there are B-pictures) lies above it."""
        if not self._samples:
            return 0
        minima = sorted(least for _, least in self._buckets)
        latest = sorted(self._samples)
        jitter_ns = latest[len(latest) // 4] - self._offset_ns
        return max(0, JITTER_FACTOR * jitter_ns, minima[len(minima) // 2] - self._offset_ns)

    def add(self, sample_ns: int, at_ns: int) -> None:
        """Takes one (arrival − media time), seen at `at_ns`."""
        if self._buckets and at_ns - self._buckets[-1][0] < BUCKET_NS:
            start_ns, least_ns = self._buckets[-1]
            self._buckets[-1] = (start_ns, min(least_ns, sample_ns))
        else:
            self._buckets.append((at_ns, sample_ns))
        if not self._count:
            self._offset_ns = self._reference_ns = sample_ns
            self._fell_at_ns = at_ns
        else:
            risen_ns = self._offset_ns + (at_ns - self._last_ns) * LEAK_PPM // 1_000_000
            self._offset_ns = min(risen_ns, *(least for _, least in self._buckets))
        self._last_ns = at_ns
        self._samples.append(sample_ns)
        self._count += 1
        self._settle(at_ns)

    def _settle(self, at_ns: int) -> None:
        if self._settled:
            return
        if self._offset_ns < self._reference_ns - FALL_NS:
            self._reference_ns = self._offset_ns
            self._fell_at_ns = at_ns
        self._settled = self._count >= SETTLE_SAMPLES and at_ns - self._fell_at_ns >= SETTLE_NS
