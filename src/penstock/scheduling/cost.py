"""What a call of a model will take, learnt from what calls took: a running quantile by views and load.

The cost of a call depends on how many views it has and how many calls run beside it (cores, caches and clock rates are
shared), so samples are kept by both; an unseen pair borrows from what was seen of its views, or of other numbers of
views in proportion. A model that has changed (slower three times in a row, faster eight times) is learnt anew at once.
What is refused for its cost does not run, and would never be learnt to have become cheap again: so it is probed.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

WINDOW = 64
QUANTILE = 0.9
PROBE_NS = 1_000_000_000
# Probes of a model that is too slow take at most this part of a stream; less where other models have only that stream.
PROBE_SHARE = 0.1
CROWDED_PROBE_SHARE = 0.02
# So many samples in a row beyond these multiples of the quantile mean that it belongs to another time.
SLOWER, SLOWER_COUNT = 1.5, 3
FASTER, FASTER_COUNT = 0.5, 5
# A case is a number of views above so many bits of calls running.
_LOAD_BITS = 16
_LOAD_MASK = (1 << _LOAD_BITS) - 1


class RunningQuantile:
    """The `QUANTILE` of the last `WINDOW` samples: exact, O(log n) to find and O(n) to move within 64 numbers."""

    __slots__ = ("_above", "_below", "_high", "_low", "_order", "_sorted", "value")

    def __init__(self, samples: Iterable[int] = ()) -> None:
        self._order: deque[int] = deque(samples)
        self._sorted: list[int] = sorted(self._order)
        self._above = 0
        self._below = 0
        self.value = 0
        self._low = self._high = 0.0
        if self._sorted:
            self._pick()

    @property
    def samples(self) -> tuple[int, ...]:
        """What it is computed from, oldest first."""
        return tuple(self._order)

    def add(self, sample: int) -> bool:
        """Whether the samples have changed so much that those before the newest were forgotten."""
        order, in_order = self._order, self._sorted
        if not self._low <= sample <= self._high:
            if self._is_another_time(sample):
                return True
        elif self._above or self._below:
            self._above = self._below = 0
        if len(order) == WINDOW:
            del in_order[bisect_left(in_order, order.popleft())]
        order.append(sample)
        insort(in_order, sample)
        value = in_order[int((len(in_order) - 1) * QUANTILE)]
        if value != self.value:
            self._pick()
        return False

    def _pick(self) -> None:
        self.value = value = self._sorted[int((len(self._sorted) - 1) * QUANTILE)]
        self._low, self._high = value * FASTER, value * SLOWER

    def _is_another_time(self, sample: int) -> bool:
        """Whether this sample is one too many of those that do not belong to the others."""
        if sample > self._high:
            self._below = 0
            self._above += 1
            keep = SLOWER_COUNT if self._above == SLOWER_COUNT else 0
        else:
            self._above = 0
            self._below += 1
            keep = FASTER_COUNT if self._below == FASTER_COUNT else 0
        if not keep or len(self._order) <= keep:
            return False
        self._order = deque([*list(self._order)[1 - keep :], sample])
        self._sorted = sorted(self._order)
        self._above = self._below = 0
        self._pick()
        return True


class CostModel:
    """Predicts nanoseconds from submitting a call of one model to its outcome."""

    __slots__ = ("_by_case", "_by_views", "_default_ns", "_probed_ns", "_tried_ns")

    def __init__(self, default_ns: int) -> None:
        self._default_ns = default_ns
        self._by_case: dict[int, RunningQuantile] = {}
        self._by_views: dict[int, RunningQuantile] = {}
        self._tried_ns: dict[int, int] = {}
        self._probed_ns: int | None = None

    def observe(self, duration_ns: int, running: int, now_ns: int, *, views: int = 1, probe: bool = False) -> bool:
        """A call of so many views that was started as one of `running` took `duration_ns`. A probe's replaces what was
        learnt before it, for that was too old to be believed. Returns whether the model has changed."""
        case = views << _LOAD_BITS | running
        self._tried_ns[case] = now_ns
        quantile = self._by_case.get(case)
        if probe:
            self._begin_anew(case, (duration_ns,))
            return True
        if quantile is None:
            quantile = self._by_case[case] = RunningQuantile()
        if quantile.add(duration_ns):
            self._begin_anew(case, quantile.samples)
            return True
        by_views = self._by_views.get(views)
        if by_views is None:
            by_views = self._by_views[views] = RunningQuantile()
        by_views.add(duration_ns)
        return False

    def predict_ns(self, running: int, views: int = 1) -> int:
        """For a call of so many views that would be one of `running`; the default, for each view, before the first
        observation."""
        quantile = self._by_case.get(views << _LOAD_BITS | running)
        if quantile is not None:
            return quantile.value
        by_views = self._by_views.get(views)
        if by_views is not None:
            # Learnt beside other calls only, it holds time that was spent waiting for them; taken as it is, it might
            # refuse all and so never be learnt to be less.
            least = min(case & _LOAD_MASK for case in self._by_case if case >> _LOAD_BITS == views)
            return by_views.value if running >= least else by_views.value * running // least
        if not self._by_views:
            return self._default_ns * views
        nearest = min(self._by_views, key=lambda seen: abs(seen - views))
        return self._by_views[nearest].value * views // nearest

    def may_probe(self, running: int, now_ns: int, views: int = 1, share: float = PROBE_SHARE) -> bool:
        """Whether what is known of this case is so old that a call may be risked against it."""
        wait_ns = max(PROBE_NS, self.predict_ns(running, views) / share)
        if self._probed_ns is not None and now_ns - self._probed_ns < wait_ns:
            return False
        tried_ns = self._tried_ns.get(views << _LOAD_BITS | running)
        return tried_ns is None or now_ns - tried_ns >= wait_ns

    def probing(self, running: int, now_ns: int, views: int = 1) -> None:
        """A call was started against the prediction."""
        self._probed_ns = now_ns
        self._tried_ns[views << _LOAD_BITS | running] = now_ns

    def _begin_anew(self, case: int, samples: tuple[int, ...]) -> None:
        """Other cases were learnt of the model as it was."""
        self._by_case = {case: RunningQuantile(samples)}
        self._by_views = {case >> _LOAD_BITS: RunningQuantile(samples)}
