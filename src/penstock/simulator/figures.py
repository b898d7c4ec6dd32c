"""The figures of a scene: how each looks, its box in any pose, and its sprite there, painted when first needed."""

import math
import random
from functools import lru_cache

from penstock.simulator.choreography import Choreography, Pose
from penstock.simulator.people import PHASES, YAWS, PersonView
from penstock.simulator.people_looks import Person, a_person
from penstock.simulator.perspective import View
from penstock.simulator.raster import Placed, Sprite, place
from penstock.simulator.vehicle_looks import Vehicle, a_vehicle
from penstock.simulator.vehicles import VehicleView

_LEVELS = tuple(12.0 * math.sqrt(2.0) ** step for step in range(11))
_VEHICLE_YAWS = 90
_SPRITES, _SHAPES = 400, 6000
"""Kept at most; a sprite has some 40 to 700 kB. Steps repeat within a second or so."""

Box = tuple[float, float, float, float]
_Key = tuple[int, float, float, int, int, float]


class Figures:
    """Draws any pose of any figure; one of these per scene."""

    def __init__(self, play: Choreography, chance: random.Random, outdoors: bool, light: float) -> None:
        self._view: View = play.view
        self._looks: list[Person | Vehicle] = [
            a_person(chance, outdoors, light) if label == "person" else a_vehicle(chance, kind, light)
            for label, kind in zip(play.labels, play.kinds, strict=True)
        ]
        self._seen = lru_cache(maxsize=_SHAPES)(self._make_seen)
        self._sprite = lru_cache(maxsize=_SPRITES)(self._make_sprite)
        self._placed: dict[int, tuple[_Key, float, float, float, Placed]] = {}

    def box(self, pose: Pose) -> Box:
        """Left, top, right, bottom in pixels, not clipped."""
        x, y, scale = self._at(pose)
        left, bottom, right, top = self._seen(*self._key(pose)[:5])[1]
        return x + left * scale, y - top * scale, x + right * scale, y - bottom * scale

    def placed(self, pose: Pose) -> Placed:
        """The figure's picture at its size and place."""
        x, y, scale = self._at(pose)
        key = self._key(pose)
        known = self._placed.get(pose.figure)
        if known is not None and known[:4] == (key, x, y, scale):
            return known[4]
        placed = place(self._sprite(*key), x, y, scale)
        self._placed[pose.figure] = (key, x, y, scale, placed)
        return placed

    def _at(self, pose: Pose) -> tuple[float, float, float]:
        x, y = self._view.pixels(pose.right, pose.away)
        return x, y, self._view.scale_px(pose.away)

    def _key(self, pose: Pose) -> _Key:
        """Everything the sprite depends on, in steps too small to be seen."""
        scale = self._view.scale_px(pose.away)
        # What stays at its distance has sprites that fit as they are painted.
        level = scale if pose.sideways else next((level for level in _LEVELS if level >= scale), _LEVELS[-1])
        slant = pose.right / pose.away
        if isinstance(self._looks[pose.figure], Person):
            yaw = round(pose.yaw / math.tau * YAWS) % YAWS
            phase = -1
            if pose.moving:
                phase = int(pose.walked_m / 1.42 * PHASES) % PHASES
            drop = self._view.camera_m / pose.away
            return pose.figure, round(slant * 3) / 3, round(drop * 6) / 6, yaw, phase, level
        yaw = round(pose.yaw / math.tau * _VEHICLE_YAWS) % _VEHICLE_YAWS
        away = math.exp(round(math.log(pose.away) * 16) / 16)
        return pose.figure, round(slant * 12) / 12, away, yaw, -1, level

    def _make_seen(
        self, figure: int, slant: float, depth: float, yaw: int, phase: int
    ) -> tuple[PersonView | VehicleView, Box]:
        look = self._looks[figure]
        if isinstance(look, Person):
            step = None if phase < 0 else math.tau * phase / PHASES
            person = PersonView(look, math.tau * yaw / YAWS, step, slant, depth)
            return person, person.extent()
        vehicle = VehicleView(look, math.tau * yaw / _VEHICLE_YAWS, slant, depth, self._view.camera_m)
        return vehicle, vehicle.extent()

    def _make_sprite(self, figure: int, slant: float, depth: float, yaw: int, phase: int, level: float) -> Sprite:
        return self._seen(figure, slant, depth, yaw, phase)[0].sprite(level)
