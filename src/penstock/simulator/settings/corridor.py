"""A wide corridor: people pass along its left side, others queue at a door in its right wall.

Zone: `door`, the floor before that door. Passers keep out of it; who queues stays in it for at least seven seconds,
at least two at a time for at least six.
"""

import math
import random
from collections.abc import Callable

from penstock.simulator.backdrop import Backdrop
from penstock.simulator.choreography import SEAM_S, Choreography
from penstock.simulator.perspective import View
from penstock.simulator.raster import Colour
from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.settings.stage import Stage

_WALLS: tuple[Colour, ...] = ((176, 172, 160), (160, 170, 174), (180, 166, 146), (156, 164, 150))
_FAR_M, _HALF_M = 17.0, 2.9
_AWAY, _NEARER = math.pi / 2, -math.pi / 2


class _Corridor:
    def __init__(self, spec: SceneSpec, chance: random.Random) -> None:
        self.spec, self.chance = spec, chance
        self.view = View(
            spec.width_px,
            spec.height_px,
            chance.uniform(0.1, 0.16),
            chance.uniform(2.75, 3.0),
            chance.uniform(0.7, 0.78),
        )
        self.play = Choreography(self.view, spec.seconds)
        self.door_m = chance.uniform(7.6, 8.4)
        ring = (
            (0.75, self.door_m + 1.9),
            (2.9, self.door_m + 1.9),
            (2.9, self.door_m - 1.9),
            (0.75, self.door_m - 1.9),
        )
        self.play.zones["door"] = tuple(self._spot(*spot) for spot in ring)

    def _spot(self, right: float, away: float) -> tuple[float, float]:
        return self.view.fraction(right, away)

    def stage(self) -> Stage:
        now = SEAM_S + self.chance.uniform(0.3, 1.0)
        first = self.chance.randint(0, 1)
        for turn in range(40):
            ends = self._queue(now, 2 + (turn + first) % 2, near=turn % 2 == 1)
            if ends is None:
                break
            self._calls(ends + 0.5)
            now = ends + self.chance.uniform(2.3, 3.0)
        self._passers()
        return Stage(self.play, self._paint(), False, self.chance.choice((-1, 1)) * 0.15, lamp=(0.5, 0.75, 0.42))

    def _queue(self, now: float, people: int, near: bool) -> float | None:
        """They come one after the other from one end, stand in line, go through the door in turn."""
        paths = []
        stays = self.chance.uniform(6.3, 7.2)
        for place in range(people):
            right, away = ((2.15, -0.3), (1.25, -0.5), (1.72, 0.9))[place]
            away += self.door_m
            if near:
                path = self.play.person(now + 0.9 * place, *self._spot(0.1, 2.9), speed=1.5, face=_AWAY)
                path.walk(self._spot(0.35, away - 1.8), self._spot(right, away))
            else:
                path = self.play.person(now + 0.9 * place, *self._spot(0.9, _FAR_M), speed=1.9, face=_NEARER)
                path.walk(self._spot(0.45, away + 2.8), self._spot(right, away))
            paths.append(path)
        full = max(path.now_s for path in paths)
        leave = full + stays
        for place, path in enumerate(paths):
            for _ in range(2):
                path.wait((leave - path.now_s) / (2 - _), self.chance.uniform(-1.6, -0.2))
            path.wait(0.15 + 0.45 * place).walk(self._spot(2.0, self.door_m))
            path.walk(self._spot(3.15, self.door_m), speed=1.5)
        if not self.play.keep(*paths):
            return None
        self.play.happens("queue", full, leave, *paths, zone="door")
        return max(path.now_s for path in paths)

    def _calls(self, now: float) -> None:
        """One alone comes out of the door and leaves: never two at it."""
        path = self.play.person(now, *self._spot(3.15, self.door_m), speed=1.6, face=math.pi)
        path.walk(self._spot(0.4, self.door_m), self._spot(0.2, 3.0))
        if self.play.keep(path):
            self.play.happens("leaves", now, path.now_s, path)

    def _passers(self) -> None:
        for _ in range(round(9 * self.spec.busy * self.spec.seconds / 40)):
            at_s = self.chance.uniform(SEAM_S, max(self.play.last_s - 9.0, SEAM_S + 1.0))
            lane = self.chance.uniform(-2.2, -0.35)
            near, far = self._spot(lane * 0.8, 2.9), self._spot(lane, _FAR_M)
            comes = self.chance.random() < 0.5
            start, end = (far, near) if comes else (near, far)
            path = self.play.person(at_s, *start, self.chance.uniform(1.3, 1.8), _NEARER if comes else _AWAY)
            kind = self.chance.choices(("passes", "stops", "turns_back"), (6, 2, 2))[0]
            middle = self._spot(lane, self.chance.uniform(6.0, 11.0))
            begins = at_s
            if kind != "passes":
                path.walk(middle)
                begins = path.now_s
                path.wait(
                    self.chance.uniform(2.0, 6.0) if kind == "stops" else 0.6, self.chance.uniform(-math.pi, math.pi)
                )
            path.walk(start if kind == "turns_back" else end)
            if self.play.keep(path):
                self.play.happens(kind, begins, path.now_s, path)

    def _poster(self) -> Colour:
        return self.chance.uniform(90, 190), self.chance.uniform(90, 190), self.chance.uniform(90, 190)

    def _paint(self) -> Backdrop:
        backdrop, chance, view = Backdrop(self.view, self.spec.seed), self.chance, self.view
        wall = chance.choice(_WALLS)
        high = 3.1

        def ring(*spots: tuple[float, float, float]) -> list[tuple[float, float]]:
            return [view.fraction(right, away, up) for right, away, up in spots]

        def side(
            sign: float, near: float, far: float, low: float, top: float, colour: Colour, opacity: float = 1.0
        ) -> None:
            x = sign * _HALF_M
            backdrop.flat(ring((x, near, low), (x, far, low), (x, far, top), (x, near, top)), colour, opacity)

        backdrop.box(0, 0, 1, 1, (170, 168, 164))
        backdrop.flat(
            ring((-9, 2.0, high), (9, 2.0, high), (_HALF_M, _FAR_M, high), (-_HALF_M, _FAR_M, high)), (184, 184, 180)
        )
        floor = chance.choice(((132, 128, 120), (118, 124, 128), (142, 128, 108), (110, 112, 108)))
        backdrop.ground(
            ring((-9, 2.0, 0), (9, 2.0, 0), (9, _FAR_M, 0), (-9, _FAR_M, 0)),
            floor,
            rough=5.0,
            joints_m=(0.6, 0.6),
            joint=0.88,
        )
        scale = view.scale_px(_FAR_M)
        backdrop.wall(
            ring((-_HALF_M, _FAR_M, 0), (_HALF_M, _FAR_M, 0), (_HALF_M, _FAR_M, high), (-_HALF_M, _FAR_M, high)),
            (wall[0] * 0.85, wall[1] * 0.85, wall[2] * 0.85),
            scale_px=scale,
            rough=3.0,
        )
        backdrop.flat(ring((-1.2, _FAR_M, 0), (1.4, _FAR_M, 0), (1.4, _FAR_M, 2.3), (-1.2, _FAR_M, 2.3)), (72, 80, 88))
        for sign, light in ((-1.0, 0.92), (1.0, 1.0)):
            near = 1.2
            while near < _FAR_M:
                far = min(near + 1.6, _FAR_M)
                tone = light * chance.uniform(0.965, 1.03)
                side(sign, near, far, 0.0, high, (wall[0] * tone, wall[1] * tone, wall[2] * tone))
                near = far
            side(sign, 1.2, _FAR_M, 0.0, 0.14, (84, 80, 76))
            side(sign, 1.2, _FAR_M, 0.95, 1.1, (wall[0] * 0.72, wall[1] * 0.74, wall[2] * 0.78))
        self._doors(side)
        for away in (4.5, 7.5, 10.5, 13.5):
            backdrop.flat(
                ring((-0.5, away, high), (0.5, away, high), (0.5, away + 1.2, high), (-0.5, away + 1.2, high)),
                (232, 232, 224),
            )
            shine = ring((-0.4, away, 0), (0.4, away, 0), (0.35, away + 1.4, 0), (-0.35, away + 1.4, 0))
            backdrop.flat(shine, (214, 212, 204), 0.18)
        return backdrop

    def _doors(self, paint: Callable[[float, float, float, float, float, Colour], None]) -> None:
        """`paint` fills a rectangle of a side wall: which wall, from and to metres away, from and to metres up."""
        tone = self.chance.choice(((122, 84, 54), (86, 104, 122), (130, 120, 104)))
        paint(1.0, self.door_m - 0.62, self.door_m + 0.62, 0.0, 2.2, (52, 50, 48))
        paint(1.0, self.door_m - 0.55, self.door_m + 0.55, 0.0, 2.12, tone)
        paint(1.0, self.door_m - 0.45, self.door_m - 0.33, 0.95, 1.1, (210, 206, 190))
        paint(1.0, self.door_m + 1.0, self.door_m + 1.5, 1.4, 1.9, (206, 196, 120))
        for away in (5.0, 10.5, 13.5):
            paint(-1.0, away - 0.55, away + 0.55, 0.0, 2.1, (tone[0] * 0.8, tone[1] * 0.8, tone[2] * 0.8))
        for away in (7.2, 12.2):
            paint(-1.0, away - 0.6, away + 0.4, 1.3, 2.0, self._poster())


def build(spec: SceneSpec, chance: random.Random) -> Stage:
    return _Corridor(spec, chance).stage()
