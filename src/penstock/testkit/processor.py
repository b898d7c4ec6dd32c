"""The processor of a simulated host: who runs on its cores at once, and how much slower each goes when they are short.

Processor sharing: while the work at hand (calls that run, decoding, views, everything fixed) wants no more than the
cores, each goes at full speed; when it wants more, all go slower by the same factor, and calls under way are stretched
from that instant on. Beside that, calls that run together slow each other by caches and memory, whatever the cores:
`contention` per other call.

How it errs. Decoding is a steady flow here, not a burst per keyframe, which flatters the tail of ages where cores are
nearly full. Decoding that is short of time makes frames late, by the time it is stretched, but builds up no backlog,
which flatters hosts whose decoding alone does not fit: `decode_short_ns` says for how long that was so, and a run with
any of it should not be believed. Calls cannot change cores at a cost, and no other program runs.
"""


class Processor:
    """Cores shared by calls (1 core each, or less where a device does the work) and by a steady flow of other work."""

    __slots__ = (
        "_asked_from_ns",
        "_asked_ns",
        "_contention",
        "_cores",
        "_running",
        "_since_ns",
        "_steady",
        "decode_short_ns",
        "speed",
        "used_ns",
    )

    def __init__(self, cores: float, contention: float) -> None:
        self._cores = cores
        self._contention = contention
        self._steady = 0.0
        self._running = 0.0
        self._since_ns = 0
        self._asked_ns = 0.0
        self._asked_from_ns = 0
        self.speed = 1.0
        """of everything that runs now: 1 while the cores suffice"""
        self.used_ns = 0.0
        """processor time taken so far"""
        self.decode_short_ns = 0
        """time in which the steady work alone wanted more than the cores"""

    @property
    def steady(self) -> float:
        """Cores that the steady work wants."""
        return self._steady

    def stretch(self, others: int) -> float:
        """How much longer a call takes for `others` that run beside it, cores apart."""
        return 1.0 + self._contention * others

    def set_steady(self, cores: float, now_ns: int) -> bool:
        """The steady work wants so many cores from now on; True where the speed has changed."""
        self._account(now_ns)
        self._steady = cores
        return self._speed_changed()

    def add_call(self, cores: float, now_ns: int) -> bool:
        """A call that uses so many cores starts (or ends: below 0); True where the speed has changed."""
        self._account(now_ns)
        self._running = max(0.0, self._running + cores)
        return self._speed_changed()

    def stretched(self, now_ns: int) -> float:
        """How much longer work took on average since the last time of asking: 0.5 for half as long again."""
        self._account(now_ns)
        span_ns = now_ns - self._asked_from_ns
        wanted = self._asked_ns / span_ns if span_ns else 0.0
        self._asked_ns = 0.0
        self._asked_from_ns = now_ns
        return max(0.0, wanted / self._cores - 1.0)

    def _account(self, now_ns: int) -> None:
        passed_ns = now_ns - self._since_ns
        self._since_ns = now_ns
        wanted = self._steady + self._running
        self.used_ns += min(self._cores, wanted) * passed_ns
        self._asked_ns += wanted * passed_ns
        if self._steady > self._cores:
            self.decode_short_ns += passed_ns

    def _speed_changed(self) -> bool:
        wanted = self._steady + self._running
        speed = 1.0 if wanted <= self._cores else self._cores / wanted
        if speed == self.speed:
            return False
        self.speed = speed
        return True
