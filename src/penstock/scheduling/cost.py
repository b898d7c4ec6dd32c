"""What a call of a model will take, learnt from what calls took: a running quantile by model and load.

The cost of a call depends on how many run beside it (cores, caches and clock rates are shared), so samples are kept by
that number; an unseen number borrows from all that was seen. What is refused for its cost does not run, and would never
be learnt to have become cheap again: so it is probed now and then.
"""

from bisect import bisect_left, insort
from collections import deque

WINDOW = 64
QUANTILE = 0.9
PROBE_NS = 1_000_000_000
# Probes of a model that is too slow take at most this part of a stream.
PROBE_SHARE = 0.1


class RunningQuantile:
    """The `QUANTILE` of the last `WINDOW` samples: exact, O(log n) to find and O(n) to move within 64 numbers."""

    __slots__ = ("_order", "_sorted", "value")

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._sorted: list[int] = []
        self.value = 0

    def add(self, sample: int) -> None:
        if len(self._order) == WINDOW:
            oldest = self._order.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._order.append(sample)
        insort(self._sorted, sample)
        self.value = self._sorted[int((len(self._sorted) - 1) * QUANTILE)]


class CostModel:
    """Predicts nanoseconds from starting a call of one model to its outcome."""

    __slots__ = ("_by_load", "_default_ns", "_overall", "_tried_ns")

    def __init__(self, default_ns: int) -> None:
        self._default_ns = default_ns
        self._by_load: dict[int, RunningQuantile] = {}
        self._overall = RunningQuantile()
        self._tried_ns: dict[int, int] = {}

    def observe(self, duration_ns: int, running: int, now_ns: int, *, probe: bool = False) -> None:
        """A call that was started as one of `running` took `duration_ns`. A probe's replaces what was learnt before
        it: that was too old to be believed."""
        quantile = self._by_load.get(running)
        if quantile is None or probe:
            quantile = self._by_load[running] = RunningQuantile()
        if probe:
            self._overall = RunningQuantile()
        quantile.add(duration_ns)
        self._overall.add(duration_ns)
        self._tried_ns[running] = now_ns

    def predict_ns(self, running: int) -> int:
        """For a call that would be one of `running`; the default before the first observation."""
        quantile = self._by_load.get(running)
        if quantile is not None:
            return quantile.value
        return self._overall.value or self._default_ns

    def may_probe(self, running: int, now_ns: int) -> bool:
        """Whether what is known of this load is so old that a call may be risked against it."""
        tried_ns = self._tried_ns.get(running)
        return tried_ns is None or now_ns - tried_ns >= max(PROBE_NS, self.predict_ns(running) / PROBE_SHARE)

    def probing(self, running: int, now_ns: int) -> None:
        """A call was started against the prediction."""
        self._tried_ns[running] = now_ns
