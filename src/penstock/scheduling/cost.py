"""What a call of a model will take, learnt from what calls took: a running quantile by model and load.

The cost of a call depends on how many run beside it (cores, caches and clock rates are shared), so samples are kept by
that number; an unseen number borrows from the nearest seen one.
"""

from bisect import bisect_left, insort
from collections import deque

WINDOW = 64
QUANTILE = 0.9


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

    __slots__ = ("_by_load", "_default_ns", "_overall")

    def __init__(self, default_ns: int) -> None:
        self._default_ns = default_ns
        self._by_load: dict[int, RunningQuantile] = {}
        self._overall = RunningQuantile()

    def observe(self, duration_ns: int, running: int) -> None:
        """A call took `duration_ns` with `running` calls on the executor, itself included."""
        quantile = self._by_load.get(running)
        if quantile is None:
            quantile = self._by_load[running] = RunningQuantile()
        quantile.add(duration_ns)
        self._overall.add(duration_ns)

    def predict_ns(self, running: int) -> int:
        """For a call that would be one of `running`; the default before the first observation."""
        quantile = self._by_load.get(running)
        if quantile is not None:
            return quantile.value
        return self._overall.value or self._default_ns
