"""How long to wait before the next attempt to connect: longer each time up to a cap, jittered, for ever.

Equal jitter: half of the delay is certain, half random, so that cameras which died together do not all come back
in the same instant, and a camera is never hammered (Brooker, "Exponential Backoff and Jitter", 2015).
"""

from collections.abc import Callable

NS_PER_MS = 1_000_000

FIRST_NS = 200 * NS_PER_MS
FACTOR = 2
HEALTHY_NS = 10_000 * NS_PER_MS


class Backoff:
    """Delays between attempts. `random` gives numbers in [0, 1); pure, reads no clock."""

    def __init__(self, cap_ns: int, random: Callable[[], float], first_ns: int = FIRST_NS) -> None:
        self._cap_ns = cap_ns
        self._random = random
        self._first_ns = min(first_ns, cap_ns)
        self._next_ns = self._first_ns
        self.failures = 0
        """attempts that failed since the last healthy session"""

    def failed(self, lasted_ns: int = 0) -> int:
        """An attempt failed, or a session of `lasted_ns` ended: nanoseconds to wait before the next.

        A session that lasted starts the ladder anew; one that died at once does not, or a camera that accepts
        and hangs up would be hammered.
        """
        if lasted_ns >= HEALTHY_NS:
            self.reset()
        self.failures += 1
        ceiling_ns = self._next_ns
        self._next_ns = min(self._cap_ns, self._next_ns * FACTOR)
        return self.between(ceiling_ns // 2, ceiling_ns)

    def between(self, least_ns: int, most_ns: int) -> int:
        """Some delay from `least_ns` on, below `most_ns`."""
        return least_ns + int(self._random() * (most_ns - least_ns))

    def reset(self) -> None:
        """The next delay is the first again."""
        self._next_ns = self._first_ns
        self.failures = 0
