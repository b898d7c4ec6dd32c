"""A car park: cars come along the lane, park in a bay, their drivers walk off; others leave or only drive through.

Zone: `bays`, the free bays. What drives along the lane never enters it; what parks stays for at least seven seconds.
Cars that stand for the whole loop are outside it.
"""

import math
import random

from penstock.simulator.backdrop import Backdrop
from penstock.simulator.choreography import SEAM_S, Choreography, some_kind
from penstock.simulator.perspective import View
from penstock.simulator.raster import Colour
from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.settings.stage import Stage

_CARS = ("saloon", "hatchback", "estate", "pickup", "saloon", "hatchback")
_BAY_M, _DEEP_M = 2.7, 5.2
_AWAY, _NEARER = math.pi / 2, -math.pi / 2
_PARKING_S = 18.5
"""That a car takes at most from its coming to its going."""


class _CarPark:
    def __init__(self, spec: SceneSpec, chance: random.Random) -> None:
        self.spec, self.chance = spec, chance
        self.view = View(
            spec.width_px,
            spec.height_px,
            chance.uniform(-0.2, -0.1),
            chance.uniform(6.6, 7.4),
            chance.uniform(0.7, 0.78),
        )
        self.play = Choreography(self.view, spec.seconds)
        self.front_m = self.view.ground(0.5, 0.56)[1]
        self.back_m = self.front_m + _DEEP_M
        self.lane = 0.735
        self.shift = chance.uniform(-0.4, 0.4)
        self.side = chance.choice((-1, 1))
        self.free = chance.choice(((-1, 0), (0, 1), (-1, 0, 1)))
        left, right = (self.free[0] - 0.5) * _BAY_M + self.shift, (self.free[-1] + 0.5) * _BAY_M + self.shift
        ring = ((left, self.back_m), (right, self.back_m), (right, self.front_m - 1.0), (left, self.front_m - 1.0))
        self.play.zones["bays"] = tuple(self.view.fraction(*spot) for spot in ring)

    def _bay(self, number: int) -> tuple[float, float]:
        return self.view.fraction(number * _BAY_M + self.shift, self.front_m + 2.5)

    def stage(self) -> Stage:
        for number in range(-4, 5):
            if number not in self.free and self.chance.random() < 0.62:
                x, y = self._bay(number)
                self.play.parked(self.chance.choice(_CARS), x, y, self.chance.choice((_AWAY, _NEARER)))
        now = SEAM_S + self.chance.uniform(0.1, 0.6)
        for turn in range(40):
            gone = self._parks(now, self.free[turn % len(self.free)])
            if gone is None:
                break
            now = gone + self.chance.uniform(-1.0, 0.0)
            room = now + _PARKING_S <= self.play.last_s
            if room == (now + 2.0 + _PARKING_S <= self.play.last_s) and self._drives_through(now):
                now += self.chance.uniform(1.2, 2.0)
        self._walkers()
        return Stage(self.play, self._paint(), True, self.chance.choice((-1, 1)) * self.chance.uniform(0.12, 0.3))

    def _parks(self, now: float, number: int) -> float | None:
        """In nose first, the driver gets out and walks off; out backwards and away."""
        side = self.side
        x, y = self._bay(number)
        start = 0.5 - side * 0.72
        path = self.play.vehicle(self.chance.choice(_CARS), now, start, self.lane, 6.0, 0.0 if side > 0 else math.pi)
        mouth = self.view.fraction(number * _BAY_M + self.shift, self.front_m - 1.2)
        path.drive((mouth[0] - side * 0.04, self.lane - 0.01), (x, mouth[1]), (x, y), end=0.0)
        begins = path.now_s
        path.wait(self.chance.uniform(6.0, 6.8))
        ends = path.now_s
        back = (x - side * 0.16, self.lane + 0.015)
        path.drive((x, mouth[1] + 0.03), (x, self.lane), back, start=0.0, end=0.0, backwards=True).wait(0.3)
        path.speed = 5.5
        path.drive((x + side * 0.3, self.lane), (0.5 + side * 0.8, self.lane), start=0.0)
        driver = self.play.person(begins + 1.2, x + 0.035, y - 0.005, 1.4, _NEARER)
        driver.walk((x + 0.045, self.lane - 0.09), (0.5 + self.chance.uniform(-0.3, 0.3), 0.86))
        driver.walk((self.chance.choice((-0.1, 1.1)), self.chance.uniform(0.88, 0.95)))
        if not self.play.keep(path, driver):
            return None
        self.play.happens("parks", begins, ends, path, zone="bays")
        self.play.happens("walks_away", begins + 1.2, driver.now_s, driver, path)
        return path.now_s

    def _drives_through(self, now: float) -> bool:
        side = self.side
        path = self.play.vehicle(
            some_kind(self.chance), now, 0.5 - side * 0.78, self.lane, 5.5, 0.0 if side > 0 else math.pi
        )
        path.drive((0.5 + side * 0.85, self.lane))
        if not self.play.keep(path):
            return False
        self.play.happens("drives_through", now, path.now_s, path)
        return True

    def _walkers(self) -> None:
        for _ in range(round(7 * self.spec.busy * self.spec.seconds / 40)):
            at_s = self.chance.uniform(SEAM_S, max(self.play.last_s - 9.0, SEAM_S + 1.0))
            y = self.chance.uniform(0.86, 0.99)
            side = self.chance.choice((0, 1))
            path = self.play.person(at_s, (-0.1, 1.1)[side], y, self.chance.uniform(1.1, 1.6), math.pi * side)
            kind = self.chance.choices(("passes", "stops", "turns_back"), (6, 2, 2))[0]
            begins = at_s
            if kind != "passes":
                path.walk((self.chance.uniform(0.25, 0.75), y))
                begins = path.now_s
                path.wait(self.chance.uniform(2.0, 5.0) if kind == "stops" else 0.7, self.chance.uniform(-math.pi, 0))
            path.walk((((-0.1, 1.1) if kind == "turns_back" else (1.1, -0.1))[side], y))
            if self.play.keep(path):
                self.play.happens(kind, begins, path.now_s, path)

    def _paint(self) -> Backdrop:
        backdrop, chance, view = Backdrop(self.view, self.spec.seed), self.chance, self.view
        hedge_m = self.back_m + 1.2
        edge = view.fraction(0.0, hedge_m)[1]
        sky = chance.uniform(150, 200)
        backdrop.box(0, 0, 1, edge, (sky * 0.95, sky * 0.99, sky * 1.04))
        scale = view.scale_px(hedge_m + 6)
        x, foot = 0.0, edge - 0.05
        while x < 1.0:
            wide, tone = chance.uniform(0.2, 0.45), chance.uniform(96, 160)
            paint: Colour = (tone * 1.02, tone, tone * 0.96)
            backdrop.wall(
                [(x, 0), (x + wide, 0), (x + wide, foot), (x, foot)],
                paint,
                scale_px=scale,
                joints_m=(0.8, 0.4),
                joint=0.94,
            )
            for column in range(int(wide / 0.07)):
                for row in (0.02, 0.13):
                    if row + 0.07 < foot - 0.02:
                        backdrop.box(
                            x + 0.015 + column * 0.07, row, x + 0.05 + column * 0.07, row + 0.065, (60, 70, 82), 0.9
                        )
            x += wide
        backdrop.strip(foot, edge, (92, 104, 74), rough=9.0)
        for step in range(26):
            backdrop.foliage(
                step / 25, edge - 0.02, 0.03, 0.045, (58 + chance.uniform(-8, 8), 88 + chance.uniform(-8, 8), 50)
            )
        tar = chance.uniform(84, 112)
        backdrop.strip(edge, 1.0, (tar, tar, tar * 1.02), rough=7.0)
        paint = (204, 204, 196)
        for number in range(-6, 7):
            right = (number - 0.5) * _BAY_M + self.shift
            backdrop.line((right, self.front_m), (right, self.back_m), 0.11, paint, 0.75)
        backdrop.line((-30, self.back_m + 0.1), (30, self.back_m + 0.1), 0.25, (150, 148, 142), 0.9)
        kerb = 0.845
        grey = chance.uniform(128, 150)
        backdrop.strip(kerb, 1.0, (grey, grey * 0.98, grey * 0.93), joints_m=(0.5, 0.5), joint=0.86)
        backdrop.box(0, kerb - 0.006, 1, kerb + 0.012, (176, 174, 168), 0.9)
        middle = view.ground(0.5, self.lane + 0.02)[1]
        for start in (-4.0, 3.0):
            backdrop.line((start, middle), (start + 1.6, middle), 0.16, paint, 0.6)
        return backdrop


def build(spec: SceneSpec, chance: random.Random) -> Stage:
    return _CarPark(spec, chance).stage()
