"""How many views one call takes: as many as raise the throughput, are waiting, and leave the earliest deadline whole.

Whether batches pay depends on the device: on a CPU hardly ever, on a GPU nearly always. So sizes are tried, each twice
the one before and only where that one paid, and a size is used where it analyses at least `GAIN` times as many views
in the time. One that does not pay is tried again now and then, for the load beside it may have changed.
"""

from collections import deque

GAIN = 1.1
TRIALS = 3
SAMPLES = 5
RETRY_NS = 60_000_000_000
# A size that was never tried may cost more than in proportion.
TRIAL_SLACK = 1.5


class BatchSizes:
    """What is known of the sizes of one model's calls. `most` is 1 where it takes one view at a time."""

    __slots__ = ("_sizes", "_took", "_tried_ns", "most")

    def __init__(self) -> None:
        self.most = 1
        self._sizes: tuple[int, ...] = ()
        self._took: dict[int, deque[int]] = {}
        self._tried_ns: dict[int, int] = {}

    def limit(self, most: int) -> None:
        """The model was loaded: calls take up to `most` views. What was known of another limit is forgotten."""
        if most != self.most:
            self.most = most
            self._sizes = tuple(sorted({*(1 << step for step in range(1, most.bit_length())), most} - {1}))
            self._took.clear()
            self._tried_ns.clear()

    def observe(self, views: int, stream_ns: int) -> None:
        """A call of so many views took a stream for so long."""
        self._took.setdefault(views, deque(maxlen=SAMPLES)).append(stream_ns)

    def median_ns(self, views: int) -> int:
        """Of the last calls of that size; 0 until there were `TRIALS`, of which the first may have had to warm up."""
        took = self._took.get(views)
        if took is None or len(took) < TRIALS:
            return 0
        return sorted(took)[len(took) // 2]

    def choose(self, waiting: int, slack_ns: int, now_ns: int) -> int:
        """The size of the next call, where so many lanes wait and the earliest deadline is `slack_ns` away."""
        best, best_ns = 1, self.median_ns(1)
        if not best_ns:
            return 1
        for size in self._sizes:
            if size > waiting:
                break
            took_ns = self.median_ns(size)
            pays = took_ns > 0 and size * best_ns >= GAIN * best * took_ns
            if pays:
                if took_ns > slack_ns:
                    break
                best, best_ns = size, took_ns
                continue
            if TRIAL_SLACK * best_ns * size / best <= slack_ns and self._may_try(
                size, known=took_ns > 0, now_ns=now_ns
            ):
                self._tried_ns[size] = now_ns
                return size
            break
        return best

    def _may_try(self, size: int, *, known: bool, now_ns: int) -> bool:
        return not known or now_ns - self._tried_ns.get(size, 0) >= RETRY_NS
