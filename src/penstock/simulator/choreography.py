"""Where each drawn figure is at any instant of a loop, by seed: they walk, pause, leave and come back.

The loop has three spells (start, middle, end) in which everybody is outside the picture, so that motion starts and
stops at known times, also for those who compare with a background that they learnt: one who stands still is no part
of it for a while. It ends as it begins, so that it can be repeated without a jump.
"""

import bisect
import math
import random
from dataclasses import dataclass

_STILL = ((0.0, 0.13), (0.44, 0.62), (0.93, 1.0))
_JITTER = 0.01
_SIDES = ((-0.15, 1.15), (1.15, -0.15))


@dataclass(frozen=True, slots=True)
class Pose:
    """One figure at one instant; positions in fractions of the picture, of the point between its feet."""

    figure: int
    x: float
    y: float
    moving: bool
    stride: float
    """phase of the step in radians; a figure that stands has 0"""
    facing: int
    """1 to the right, -1 to the left"""


@dataclass(frozen=True, slots=True)
class _Waypoint:
    at: float
    """fraction of the loop"""
    x: float
    y: float


class Choreography:
    """`poses` is a pure function of the seed and the instant within the loop."""

    def __init__(self, seed: int, figures: int, seconds: float) -> None:
        if not 1 <= figures <= 8:
            raise ValueError(f"a scene has 1 to 8 figures, not {figures}")
        if seconds < 10:
            raise ValueError(f"a loop lasts at least 10 s, not {seconds}")
        chance = random.Random(seed)
        self._seconds = seconds
        self._still = tuple(
            (start + (chance.uniform(0, _JITTER) if start else 0), end - (chance.uniform(0, _JITTER) if end < 1 else 0))
            for start, end in _STILL
        )
        self._paths = tuple(self._path(seed, chance, figure) for figure in range(figures))

    def still(self, at: float) -> bool:
        """Whether nobody moves at `at`, a fraction of the loop."""
        return any(start <= at <= end for start, end in self._still)

    @property
    def still_s(self) -> float:
        """How long nobody moves in one loop."""
        return sum(end - start for start, end in self._still) * self._seconds

    def poses(self, at: float) -> list[Pose]:
        """All figures at `at`, a fraction of the loop, farthest first; some are outside the picture."""
        found = [self._pose(figure, path, at % 1.0) for figure, path in enumerate(self._paths)]
        return sorted(found, key=lambda pose: pose.y)

    def _path(self, seed: int, chance: random.Random, figure: int) -> tuple[_Waypoint, ...]:
        depth = chance.uniform(0.55, 0.95)
        home, middle = _SIDES[(seed + figure) % 2]
        (_, a_end), (b_start, b_end), (c_start, _) = self._still
        path = [_Waypoint(0.0, home, depth), _Waypoint(a_end, home, depth)]
        path += self._errand(chance, figure, a_end, b_start, home, depth)
        path += [_Waypoint(b_start, middle, depth), _Waypoint(b_end, middle, depth)]
        path += self._errand(chance, figure, b_end, c_start, middle, depth)
        path += [_Waypoint(c_start, home, depth), _Waypoint(1.0, home, depth)]
        return tuple(path)

    def _errand(
        self, chance: random.Random, figure: int, start: float, end: float, here: float, depth: float
    ) -> list[_Waypoint]:
        """How a figure crosses the picture: the first sets off at once and only walks, others stop on their way."""
        span = end - start
        near = min(max(depth + chance.uniform(-0.08, 0.08), 0.5), 0.97)
        spot = chance.uniform(0.25, 0.75)
        if figure == 0:
            return [_Waypoint(start + span / 2, spot, near)]
        off, first, last = (start + span * chance.uniform(low, low + 0.1) for low in (0.0, 0.3, 0.55))
        return [_Waypoint(off, here, depth), _Waypoint(first, spot, near), _Waypoint(last, spot, near)]

    def _pose(self, figure: int, path: tuple[_Waypoint, ...], at: float) -> Pose:
        after = min(max(bisect.bisect_right(path, at, key=lambda point: point.at), 1), len(path) - 1)
        start, end = path[after - 1], path[after]
        share = 0.0 if end.at == start.at else (at - start.at) / (end.at - start.at)
        moving = (start.x, start.y) != (end.x, end.y)
        x = start.x + (end.x - start.x) * share
        y = start.y + (end.y - start.y) * share
        stride = math.tau * 1.8 * self._seconds * (at - start.at) if moving else 0.0
        return Pose(figure, x, y, moving, stride, 1 if end.x >= start.x else -1)
