"""What a call of a simulated model takes, and whether it answers: constant, spread, drifting, slower for a while,
stuck, raising, or as recorded.

A cost is the time of one call alone on an idle host; what calls take from each other is the host's business (see
`processor`). Each draws from the chance it is given, so that one seed gives one run.
"""

import random
from collections.abc import Mapping, Sequence
from math import exp
from typing import Protocol

import msgspec

NEVER_NS = 1 << 62
"""a call that does not come back"""


class CallCost(Protocol):
    """The time of a call that starts at `at_ns` with `views` views, beside `running - 1` other calls."""

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int: ...

    def raises(self, at_ns: int, chance: random.Random) -> bool:
        """Whether the call fails when its time is over."""
        ...


class ConstantCost(msgspec.Struct, frozen=True):
    """`first_ns` for a call of one view, and `next_ns` for each view more."""

    first_ns: int
    next_ns: int | None = None
    """None: as much as the first"""

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int:  # noqa: ARG002
        return self.first_ns + (views - 1) * (self.first_ns if self.next_ns is None else self.next_ns)

    def raises(self, at_ns: int, chance: random.Random) -> bool:  # noqa: ARG002
        return False


class Varied(msgspec.Struct, frozen=True):
    """A cost of which another is made; the classes below change one thing each, and may be put into each other."""

    of: CallCost

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int:
        return self.of.duration_ns(at_ns, views, running, chance)

    def raises(self, at_ns: int, chance: random.Random) -> bool:
        return self.of.raises(at_ns, chance)


class LogNormalCost(Varied, frozen=True):
    """`of` is the median; `sigma` the standard deviation of the logarithm (0.25: the slowest of 100 takes 1.8 times
    as long as usual). Calls are drawn apart: real slow calls come together, so real tails are longer."""

    sigma: float = 0.25

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int:
        alone_ns = self.of.duration_ns(at_ns, views, running, chance)
        return alone_ns if alone_ns >= NEVER_NS else round(alone_ns * exp(self.sigma * chance.gauss(0.0, 1.0)))


class DriftingCost(Varied, frozen=True):
    """Becomes `factor` times as dear between two instants, evenly, and stays so: a host that gets warm."""

    from_ns: int = 0
    until_ns: int = 0
    factor: float = 2.0

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int:
        part = min(max((at_ns - self.from_ns) / max(1, self.until_ns - self.from_ns), 0.0), 1.0)
        return round(self.of.duration_ns(at_ns, views, running, chance) * (1.0 + (self.factor - 1.0) * part))


class SlowerCost(Varied, frozen=True):
    """`factor` times as dear between two instants, then as before."""

    from_ns: int = 0
    until_ns: int = NEVER_NS
    factor: float = 10.0

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int:
        factor = self.factor if self.from_ns <= at_ns < self.until_ns else 1.0
        return round(self.of.duration_ns(at_ns, views, running, chance) * factor)


class StuckCost(Varied, frozen=True):
    """Calls that start between two instants never come back."""

    from_ns: int = 0
    until_ns: int = NEVER_NS

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int:
        stuck = self.from_ns <= at_ns < self.until_ns
        return NEVER_NS if stuck else self.of.duration_ns(at_ns, views, running, chance)


class RaisingCost(Varied, frozen=True):
    """Calls that start between two instants raise, `share` of them."""

    from_ns: int = 0
    until_ns: int = NEVER_NS
    share: float = 1.0

    def raises(self, at_ns: int, chance: random.Random) -> bool:
        if self.from_ns <= at_ns < self.until_ns and (self.share >= 1.0 or chance.random() < self.share):
            return True
        return self.of.raises(at_ns, chance)


class RecordedCost:
    """Durations as a run recorded them, by how many calls ran side by side, taken in recorded order and again from the
    first at the end: slow calls that came together come together again. Includes what calls took from each other.

    A load that was never recorded takes the durations of the nearest one that was, the greater of two.
    """

    def __init__(self, by_load: Mapping[int, Sequence[int]]) -> None:
        if not any(by_load.values()):
            raise ValueError("a recorded cost needs at least one call")
        self._by_load = {load: tuple(durations) for load, durations in sorted(by_load.items()) if durations}
        self._taken = dict.fromkeys(self._by_load, 0)

    def duration_ns(self, at_ns: int, views: int, running: int, chance: random.Random) -> int:  # noqa: ARG002
        load = running
        if load not in self._by_load:
            load = min(self._by_load, key=lambda known: (abs(known - running), -known))
        durations = self._by_load[load]
        taken = self._taken[load]
        self._taken[load] = taken + 1
        return durations[taken % len(durations)]

    def raises(self, at_ns: int, chance: random.Random) -> bool:  # noqa: ARG002
        return False
