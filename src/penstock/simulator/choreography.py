"""Where each figure is at any instant of a loop: paths walked and driven on the ground, in metres and seconds.

A path is a list of marks between which everything changes evenly; people turn at corners, vehicles follow curves
and speed up and slow down with a constant acceleration. The first and last moments of a loop are still, so that it
joins itself without a jump.
"""

import bisect
import itertools
import math
import random
from dataclasses import dataclass, field

from penstock.simulator.perspective import View
from penstock.simulator.truth import Polygon, Situation

SEAM_S = 1.5
"""At both ends of the loop nobody moves."""
TURN_S = 0.35
ACCELERATION = 2.2


@dataclass(frozen=True, slots=True)
class Mark:
    """A figure's place at an instant; metres to the right of and away from the camera."""

    at_s: float
    right: float
    away: float
    yaw: float
    """heading in radians: 0 to the right, π/2 away from the camera"""
    walked_m: float
    """way covered since the path began: the phase of the step"""


@dataclass(frozen=True, slots=True)
class Pose:
    """One figure at one instant."""

    figure: int
    right: float
    away: float
    yaw: float
    walked_m: float
    moving: bool
    sideways: bool
    """whether it keeps its distance from the camera"""


@dataclass(slots=True)
class Path:
    """The way of one figure, which is in the scene between its first and last mark only."""

    view: View
    figure: int
    marks: list[Mark]
    speed: float
    """metres a second, when under way"""

    @property
    def now_s(self) -> float:
        """When the path ends, as far as it is laid."""
        return self.marks[-1].at_s

    def wait(self, for_s: float, face: float | None = None) -> "Path":
        """Stands for `for_s`; a person may turn to `face` first."""
        last = self.marks[-1]
        if face is not None and for_s > TURN_S:
            self.marks.append(Mark(last.at_s + TURN_S, last.right, last.away, _near(last.yaw, face), last.walked_m))
            last, for_s = self.marks[-1], for_s - TURN_S
        self.marks.append(Mark(last.at_s + for_s, last.right, last.away, last.yaw, last.walked_m))
        return self

    def walk(self, *spots: tuple[float, float], speed: float | None = None) -> "Path":
        """Goes straight from spot to spot, fractions of the picture on the ground, at an even speed."""
        for spot in spots:
            self._walk(*self.view.ground(*spot), speed or self.speed)
        return self

    def drive(
        self,
        *spots: tuple[float, float],
        start: float | None = None,
        end: float | None = None,
        backwards: bool = False,
    ) -> "Path":
        """Follows a smooth curve through the spots, entering at `start` and leaving at `end` metres a second."""
        here = self.marks[-1]
        points = _curve([(here.right, here.away), *(self.view.ground(*spot) for spot in spots)])
        lengths = [0.0]
        for (x1, z1), (x2, z2) in itertools.pairwise(points):
            lengths.append(lengths[-1] + math.hypot(x2 - x1, z2 - z1))
        first = self.speed if start is None else start
        last = self.speed if end is None else end
        speeds = _speeds(lengths, first, last, self.speed)
        at_s, yaw = here.at_s, here.yaw
        for step in range(1, len(points)):
            (x1, z1), (x2, z2) = points[step - 1], points[step]
            along = lengths[step] - lengths[step - 1]
            if along < 1e-6:
                continue
            at_s += 2.0 * along / (speeds[step - 1] + speeds[step])
            yaw = _near(yaw, math.atan2(z2 - z1, x2 - x1) + (math.pi if backwards else 0.0))
            self.marks.append(Mark(at_s, x2, z2, yaw, here.walked_m + lengths[step]))
        return self

    def pose(self, at_s: float) -> Pose | None:
        """Where the figure is, or None before and after its time."""
        marks = self.marks
        if not marks[0].at_s <= at_s <= marks[-1].at_s:
            return None
        after = min(max(bisect.bisect_right(marks, at_s, key=lambda mark: mark.at_s), 1), len(marks) - 1)
        a, b = marks[after - 1], marks[after]
        share = 0.0 if b.at_s == a.at_s else (at_s - a.at_s) / (b.at_s - a.at_s)
        moving = b.walked_m - a.walked_m > 0.05 * (b.at_s - a.at_s)
        return Pose(
            self.figure,
            a.right + (b.right - a.right) * share,
            a.away + (b.away - a.away) * share,
            a.yaw + (b.yaw - a.yaw) * share,
            a.walked_m + (b.walked_m - a.walked_m) * share,
            moving,
            a.away == b.away,
        )

    def _walk(self, right: float, away: float, speed: float) -> None:
        last = self.marks[-1]
        length = math.hypot(right - last.right, away - last.away)
        if length < 0.02:
            return
        yaw = _near(last.yaw, math.atan2(away - last.away, right - last.right))
        end_s = last.at_s + length / speed
        turned = min(TURN_S, length / speed / 2)
        if abs(yaw - last.yaw) > 0.05:
            share = turned * speed / length
            self.marks.append(
                Mark(
                    last.at_s + turned,
                    last.right + (right - last.right) * share,
                    last.away + (away - last.away) * share,
                    yaw,
                    last.walked_m + turned * speed,
                )
            )
        self.marks.append(Mark(end_s, right, away, yaw, last.walked_m + length))


@dataclass(slots=True)
class Choreography:
    """All figures of a scene and what they do."""

    view: View
    seconds: float
    paths: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """a vehicle's kind, empty for a person"""
    situations: list[Situation] = field(default_factory=list)
    zones: dict[str, Polygon] = field(default_factory=dict)

    @property
    def last_s(self) -> float:
        """When everybody must have left."""
        return self.seconds - SEAM_S

    def person(self, at_s: float, x: float, y: float, speed: float = 1.35, face: float = 0.0) -> Path:
        """A person who is at (x, y) from `at_s`."""
        return self._add("person", "", at_s, x, y, speed, face)

    def vehicle(self, kind: str, at_s: float, x: float, y: float, speed: float = 7.0, face: float = 0.0) -> Path:
        return self._add("vehicle", kind, at_s, x, y, speed, face)

    def parked(self, kind: str, x: float, y: float, face: float) -> Path:
        """A vehicle that stands there for the whole loop."""
        return self._add("vehicle", kind, 0.0, x, y, 1.0, face).wait(self.seconds)

    def forget(self, *paths: Path) -> None:
        """Takes back the newest figures, whose way would not end in time."""
        for path in sorted(paths, key=lambda path: -path.figure):
            if path.figure != len(self.paths) - 1:
                raise ValueError("only the newest figures can be taken back")
            self.paths.pop()
            self.labels.pop()
            self.kinds.pop()

    def keep(self, *paths: Path) -> bool:
        """Whether the newest figures have left in time; takes them back where they have not."""
        if all(path.now_s <= self.last_s for path in paths):
            return True
        self.forget(*paths)
        return False

    def bring_to_life(self) -> None:
        """In a loop too short for anything else, somebody hurries past in front."""
        if any(path.marks[-1].walked_m > 0.5 for path in self.paths):
            return
        start, end = self.view.ground(-0.1, 0.93), self.view.ground(1.1, 0.93)
        speed = max(math.dist(start, end) / (self.last_s - SEAM_S), 1.4)
        path = self.person(SEAM_S, -0.1, 0.93, speed).walk((1.1, 0.93))
        self.happens("passes", SEAM_S, path.now_s, path)

    def happens(self, kind: str, start_s: float, end_s: float, *paths: Path, zone: str = "") -> None:
        self.situations.append(Situation(kind, tuple(path.figure for path in paths), start_s, end_s, zone))

    def poses(self, at_s: float) -> list[Pose]:
        """Everybody who is in the scene, farthest first."""
        found = [pose for path in self.paths if (pose := path.pose(at_s)) is not None]
        return sorted(found, key=lambda pose: -pose.away)

    def _add(self, label: str, kind: str, at_s: float, x: float, y: float, speed: float, face: float) -> Path:
        path = Path(self.view, len(self.paths), [Mark(at_s, *self.view.ground(x, y), face, 0.0)], speed)
        self.paths.append(path)
        self.labels.append(label)
        self.kinds.append(kind)
        return path


def some_kind(chance: random.Random) -> str:
    """A kind of vehicle, as often as streets have it."""
    return chance.choices(("saloon", "hatchback", "estate", "van", "pickup", "lorry"), (5, 5, 4, 3, 1, 2))[0]


def _near(yaw: float, wanted: float) -> float:
    """`wanted`, with whole turns added so that it is the shorter way round from `yaw`."""
    return yaw + (wanted - yaw + math.pi) % math.tau - math.pi


def _curve(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Corners rounded: each inner point becomes a quadratic Bézier from the middle before it to the middle after."""
    steps = 10
    found = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        first = _between(before, corner, 0.5) if before is not points[0] else _between(before, corner, 0.35)
        last = _between(corner, after, 0.5) if after is not points[-1] else _between(corner, after, 0.65)
        for step in range(steps + 1):
            share = step / steps
            found.append(_between(_between(first, corner, share), _between(corner, last, share), share))
    found += [_between(found[-1], points[-1], share) for share in (0.25, 0.5, 0.75, 1.0)]
    dense = [found[0]]
    for a, b in itertools.pairwise(found):
        pieces = max(1, math.ceil(math.hypot(b[0] - a[0], b[1] - a[1]) / 0.6))
        dense += [_between(a, b, piece / pieces) for piece in range(1, pieces + 1)]
    return dense


def _between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _speeds(lengths: list[float], first: float, last: float, cruise: float) -> list[float]:
    """Speed at each point: as fast as `cruise` and the acceleration allow, given the ends."""
    slowest, total = 0.4, lengths[-1]
    return [
        max(
            min(
                cruise,
                math.sqrt(first * first + 2 * ACCELERATION * length),
                math.sqrt(last * last + 2 * ACCELERATION * (total - length)),
            ),
            slowest,
        )
        for length in lengths
    ]
