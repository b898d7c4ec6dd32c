"""A yard behind a wall with a gate: people come in and go out, some wait there, others turn back; a van delivers.

Zones: `gate`, the ground just inside the opening, a metre and a half deep, which who passes leaves within 1.4 s and
who waits stays in for at least seven; `loading`, where the van stands for at least eight.
"""

import math
import random

from penstock.simulator.backdrop import Backdrop
from penstock.simulator.choreography import SEAM_S, Choreography, Path
from penstock.simulator.perspective import View
from penstock.simulator.raster import Colour
from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.settings.stage import Screen, Stage

_WALLS: tuple[Colour, ...] = ((142, 92, 74), (150, 146, 138), (168, 156, 132), (120, 116, 112))
_FOOT = 0.45
_BEFORE, _BEHIND = 0.63, 0.36
_AWAY, _NEARER = math.pi / 2, -math.pi / 2


class _Yard:
    def __init__(self, spec: SceneSpec, chance: random.Random) -> None:
        self.spec, self.chance = spec, chance
        self.view = View(
            spec.width_px,
            spec.height_px,
            chance.uniform(-0.24, -0.16),
            chance.uniform(5.6, 6.2),
            chance.uniform(0.68, 0.75),
        )
        self.play = Choreography(self.view, spec.seconds)
        scale = self.view.scale_px(self.view.ground(0.5, _FOOT)[1])
        self.half = 1.9 * scale / spec.width_px
        self.gate = chance.uniform(0.36, 0.62)
        self.mirrored = chance.random() < 0.5
        away = self.view.ground(0.5, _FOOT)[1]
        low = self.view.fraction(0.0, away - 1.45)[1]
        left, right = self.gate - self.half * 0.98, self.gate + self.half * 0.98
        self.low = low
        self.play.zones["gate"] = (
            (left, _FOOT - 0.012),
            (right, _FOOT - 0.012),
            (right + 0.02, low),
            (left - 0.02, low),
        )
        near = 0.73 if self.gate < 0.5 else 0.27
        self.dock = (near, 0.665)
        self.clear_side = -0.12 if near > 0.5 else 1.12
        self.bay = ((near - 0.17, 0.56), (near + 0.17, 0.56), (near + 0.19, 0.78), (near - 0.19, 0.78))
        self.play.zones["loading"] = (*self.bay[:2], (near + 0.2, 0.84), (near - 0.2, 0.84))

    def stage(self) -> Stage:
        self._episodes()
        self._ambient()
        screens = Screen(self.view.ground(0.5, _FOOT)[1], self._wall_parts())
        light = self.chance.choice((-1, 1)) * self.chance.uniform(0.12, 0.3)
        return Stage(self.play, self._paint(), True, light, [screens])

    def _episodes(self) -> None:
        """One after the other at the gate, so that no two passers add up to somebody who stays."""
        kinds = [self._waits, self._van, self._enters, self._waits, self._leaves]
        if self.chance.random() < 0.5:
            kinds = [self._waits, self._enters, self._van, self._waits, self._leaves]
        now = SEAM_S + self.chance.uniform(0.2, 0.6)
        for turn in range(60):
            free = kinds[turn % len(kinds)](now)
            if free is None:
                if turn >= len(kinds):
                    break
                continue
            now = free + self.chance.uniform(0.6, 1.0)
        for part in range(max(round(self.spec.seconds / 20), 1)):
            self._turns_back(20.0 * part + self.chance.uniform(SEAM_S, 8.0))

    def _from_outside(self, at_s: float, speed: float) -> Path:
        side = self.chance.choice((-1, 1))
        start = self.gate + side * (self.half + 0.05)
        return self.play.person(at_s, start, _BEHIND, speed, 0.0 if side < 0 else math.pi).walk(
            (self._x(), _BEHIND + 0.005)
        )

    def _x(self) -> float:
        return self.gate + self.chance.uniform(-0.5, 0.5) * self.half

    def _exit(self, path: Path) -> Path:
        """Leaves by the camera's side of the yard, clear of the gate and of the loading bay."""
        x = self.clear_side
        return path.walk((0.5 + (x - 0.5) * 0.6, self.chance.uniform(0.8, 0.9)), (x, self.chance.uniform(0.84, 0.93)))

    def _enters(self, now: float) -> float | None:
        path = self._from_outside(now, 1.5)
        path.walk((self._x(), _FOOT - 0.02))
        begins = path.now_s
        path.walk((self._x(), self.low + 0.03), speed=1.65)
        inside = path.now_s
        self._exit(path)
        if not self.play.keep(path):
            return None
        self.play.happens("enters", begins, inside, path, zone="gate")
        return inside

    def _leaves(self, now: float) -> float | None:
        side = self.clear_side
        path = self.play.person(now, side, 0.85, 1.6, 0.0 if side < 0 else math.pi).walk((self._x(), self.low + 0.05))
        begins = path.now_s
        path.walk((self._x(), _FOOT - 0.03), speed=1.65)
        outside = path.now_s
        path.walk((self.gate, _BEHIND), (self.gate + 0.2, _BEHIND), speed=1.5)
        if not self.play.keep(path):
            return None
        self.play.happens("leaves", begins, outside, path, zone="gate")
        return outside

    def _waits(self, now: float) -> float | None:
        """Comes in, stands in the gate, goes on or back out."""
        path = self._from_outside(now, 1.6)
        path.walk((self._x(), (_FOOT + self.low) / 2 + 0.012))
        begins = path.now_s
        for _ in range(3):
            path.wait(self.chance.uniform(2.1, 2.5), self.chance.uniform(-2.6, -0.5))
        ends = path.now_s
        if self.chance.random() < 0.5 and ends + 9.0 < self.play.last_s:
            path.walk((self._x(), self.low + 0.04), speed=1.5)
            self._exit(path)
        else:
            side = self.chance.choice((-1, 1))
            path.walk((self.gate, _FOOT - 0.03), (self.gate + side * (self.half + 0.06), _BEHIND), speed=1.6)
        if not self.play.keep(path):
            return None
        self.play.happens("waits_at_gate", begins, ends, path, zone="gate")
        return ends + 1.5

    def _turns_back(self, now: float) -> None:
        """Comes towards the gate from within and turns back well before it."""
        side = self.clear_side
        path = self.play.person(now, side, 0.86, 1.5, 0.0 if side < 0 else math.pi)
        # Beside the opening: whoever waits in it stays to be seen.
        beside = self.gate + (self.half + self.chance.uniform(0.05, 0.1)) * (1.0 if side > 0.5 else -1.0)
        path.walk((beside, _BEFORE + self.chance.uniform(0.0, 0.03)))
        begins = path.now_s
        path.wait(self.chance.uniform(1.0, 3.0), _AWAY)
        self._exit(path)
        if self.play.keep(path):
            self.play.happens("turns_back", begins, path.now_s, path)

    def _van(self, now: float) -> float | None:
        """Drives in, stands in the loading bay with somebody beside it, drives out at the near side."""
        x, y = self.dock
        inward = 1.0 if x > self.gate else -1.0
        path = self.play.vehicle(
            self.chance.choice(("van", "van", "pickup", "estate")), now, self.gate, 0.3, 3.6, _NEARER
        )
        path.drive((self.gate, self.low + 0.05), (self.gate + 0.05 * inward, y), (x, y), end=0.0)
        begins = path.now_s
        path.wait(self.chance.uniform(7.0, 8.0))
        ends = path.now_s
        path.drive((x + 0.25 * inward, y + 0.05), (0.5 + inward * 0.85, y + 0.09), start=0.0)
        if not self.play.keep(path):
            return None
        self.play.happens("delivers", begins, ends, path, zone="loading")
        return begins - 2.0

    def _ambient(self) -> None:
        """People who cross the near part of the yard or stop there."""
        for _ in range(round(8 * self.spec.busy * self.spec.seconds / 40)):
            at_s = self.chance.uniform(SEAM_S, max(self.play.last_s - 9.0, SEAM_S + 1.0))
            y = self.chance.uniform(0.83, 0.99)
            side = self.chance.choice((0, 1))
            path = self.play.person(at_s, (-0.12, 1.12)[side], y, self.chance.uniform(1.1, 1.6), math.pi * side)
            kind = "passes"
            if self.chance.random() < 0.4:
                kind = "stops"
                spot = self.chance.uniform(0.1, 0.9)
                if abs(spot - self.gate) < self.half + 0.06:
                    spot = self.gate + math.copysign(self.half + 0.09, spot - self.gate)
                path.walk((spot, y - 0.02)).wait(self.chance.uniform(2, 6), self.chance.uniform(-3, 0))
            path.walk(((1.12, -0.12)[side], y))
            if self.play.keep(path):
                self.play.happens(kind, at_s, path.now_s, path)

    def _wall_parts(self) -> list[list[tuple[float, float]]]:
        left, right, top = self.gate - self.half, self.gate + self.half, self._top()
        return [
            [(0, top), (left, top), (left, _FOOT), (0, _FOOT)],
            [(right, top), (1, top), (1, _FOOT), (right, _FOOT)],
        ]

    def _top(self) -> float:
        away = self.view.ground(0.5, _FOOT)[1]
        return self.view.fraction(0.0, away, 2.7)[1]

    def _paint(self) -> Backdrop:
        backdrop, chance, view = Backdrop(self.view, self.spec.seed), self.chance, self.view
        top, left, right = self._top(), self.gate - self.half, self.gate + self.half
        sky = chance.uniform(150, 196)
        backdrop.box(0, 0, 1, _FOOT, (sky * 0.94, sky * 0.98, sky * 1.04))
        far = _BEHIND - 0.06
        scale = view.scale_px(view.ground(0.5, far)[1])
        x = 0.0
        while x < 1.0:
            wide = chance.uniform(0.15, 0.35)
            tone = chance.uniform(90, 150)
            backdrop.wall(
                [(x, 0), (x + wide, 0), (x + wide, far), (x, far)],
                (tone * 1.03, tone, tone * 0.94),
                scale_px=scale,
                joints_m=(0.6, 0.25),
                joint=0.94,
            )
            for column in range(3):
                backdrop.box(
                    x + wide * (0.12 + 0.3 * column), 0.02, x + wide * (0.3 + 0.3 * column), 0.1, (62, 70, 80), 0.9
                )
            x += wide
        grey = chance.uniform(92, 110)
        backdrop.strip(far, _FOOT, (grey, grey, grey * 1.02))
        wall = chance.choice(_WALLS)
        scale = view.scale_px(view.ground(0.5, _FOOT)[1])
        for corners in self._wall_parts():
            backdrop.wall(corners, wall, scale_px=scale, joints_m=(0.4, 0.2), joint=0.86)
        for x0, x1 in ((0, left), (right, 1)):
            backdrop.box(x0, top - 0.012, x1, top + 0.008, (wall[0] * 0.7, wall[1] * 0.7, wall[2] * 0.7))
        for post in (left, right):
            backdrop.box(
                post - 0.012, top - 0.03, post + 0.012, _FOOT + 0.006, (wall[0] * 0.82, wall[1] * 0.82, wall[2] * 0.85)
            )
        paving = chance.uniform(112, 146)
        backdrop.strip(_FOOT, 1.0, (paving, paving * 0.97, paving * 0.91), rough=7.0, joints_m=(1.2, 1.2), joint=0.86)
        backdrop.box(0, _FOOT, left, _FOOT + 0.012, (40, 40, 40), 0.35)
        backdrop.box(right, _FOOT, 1, _FOOT + 0.012, (40, 40, 40), 0.35)
        ring = list(self.bay)
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
            backdrop.line(view.ground(*a), view.ground(*b), 0.12, (200, 178, 70), 0.7)
        for _ in range(chance.randint(1, 3)):
            x = chance.choice((chance.uniform(0.02, 0.12), chance.uniform(0.88, 0.98)))
            backdrop.foliage(x, _FOOT - 0.01, 0.035, 0.06, (62, 92, 52))
        return backdrop


def build(spec: SceneSpec, chance: random.Random) -> Stage:
    return _Yard(spec, chance).stage()
