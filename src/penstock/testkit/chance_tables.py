"""Random numbers that belong to an index, so that whatever lies between two frames may be passed over unseen.

A camera's thousandth frame is as late as it is whether or not anybody looked at the 999 before it: numbers are drawn
once by seed into tables, and a frame's index picks one. They repeat after `SIZE` frames, from another place for each
camera, which no statistic here can see.
"""

import random
from math import exp
from typing import Final

SIZE: Final = 4096
MASK: Final = SIZE - 1


class ChanceTables:
    """Tables of one seed: evenly spread parts of 1 either side of 0, and log-normal factors around 1."""

    def __init__(self, seed: int | str) -> None:
        chance = random.Random(f"tables {seed}")
        self.even = tuple(chance.uniform(-1.0, 1.0) for _ in range(SIZE))
        """uniform in −1 to 1"""
        self.normal = tuple(chance.gauss(0.0, 1.0) for _ in range(SIZE))

    def spread_ns(self, most_ns: int) -> tuple[int, ...]:
        """Offsets within ± `most_ns`."""
        return tuple(round(part * most_ns) for part in self.even)

    def log_normal_ns(self, median_ns: int, sigma: float) -> tuple[int, ...]:
        """Durations with that median; `sigma` is the standard deviation of their logarithm."""
        return tuple(round(median_ns * exp(sigma * z)) for z in self.normal)
