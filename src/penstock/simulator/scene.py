"""Draws what a fixed camera sees, by seed: the same specification and index always give the same picture.

The background is painted once. A picture is that, brighter or darker as the light has it, with the figures laid on
it farthest first, and fresh sensor noise. True boxes and situations come with it, so that detections and events can
be checked against what was drawn.
"""

import random

import numpy as np
from numpy.typing import NDArray

from penstock.simulator.figures import Box, Figures
from penstock.simulator.light import some_light
from penstock.simulator.raster import Floats, Placed
from penstock.simulator.scene_spec import LABELS, SETTINGS, SceneSpec
from penstock.simulator.settings import car_park, corridor, street, yard
from penstock.simulator.settings.stage import Stage
from penstock.simulator.timecode import draw_timecode
from penstock.simulator.truth import Polygon, Situation, TrueBox

__all__ = ["LABELS", "SETTINGS", "Picture", "Scene", "SceneSpec", "Situation", "TrueBox"]

Picture = NDArray[np.uint8]

_BUILDERS = {"street": street.build, "yard": yard.build, "corridor": corridor.build, "car_park": car_park.build}
_NOISE_SIGMA = (1.6, 2.6)
_NOISE_ROOM = 48
"""The noise is a window, moved by up to so many pixels from picture to picture, of a larger field."""
_SAMPLES_X, _SAMPLES_Y = 10, 16
_BODY_SHARE = 0.74
"""How much of a person's box, in the middle, hides what is behind; of a vehicle's all."""
_LEAST_PX = 1.0


class Scene:
    """A loop of pictures; index `frames` is index 0 again. Raises ValueError as SceneSpec does."""

    def __init__(self, spec: SceneSpec) -> None:
        self.spec = spec
        chance = random.Random(f"{spec.setting} {spec.seed}")
        stage: Stage = _BUILDERS[spec.setting](spec, chance)
        self._play = stage.choreography
        self._play.bring_to_life()
        self._figures = Figures(self._play, chance, stage.outdoors, stage.light)
        self._light = some_light(chance, spec.seconds, stage.outdoors)
        self._background: Floats = stage.backdrop.weathered()
        self._lamp: Floats | None = None if stage.lamp is None else self._background * _glow(spec, *stage.lamp)
        self._canvas = np.empty_like(self._background)
        self._screens = [(screen.away, self._mask(stage, screen.polygons)) for screen in stage.screens]
        texture = np.random.default_rng(spec.seed + 1)
        size = (spec.height_px + _NOISE_ROOM, spec.width_px + _NOISE_ROOM)
        noise = texture.normal(0.0, 0.8, (*size, 1)) + texture.normal(0.0, 0.6, (*size, 3))
        self._noise: Floats = (noise * chance.uniform(*_NOISE_SIGMA) + 0.5).astype(np.float32)
        self._shifts = texture.integers(0, _NOISE_ROOM, (spec.frames, 2))

    @property
    def frames(self) -> int:
        return self.spec.frames

    @property
    def zones(self) -> dict[str, Polygon]:
        """Polygons in fractions of the picture, by name."""
        return dict(self._play.zones)

    @property
    def situations(self) -> tuple[Situation, ...]:
        """What happens, in the order in which it begins."""
        return tuple(sorted(self._play.situations, key=lambda situation: situation.start_s))

    def still(self, index: int) -> bool:
        """Whether nobody moves in picture `index`; so it is in the first and last moments of the loop."""
        return not any(pose.moving for pose in self._play.poses((index % self.frames) / self.spec.fps))

    def render(self, index: int) -> Picture:
        """Picture `index`: uint8 height×width×3, RGB. About 3 ms at 640×360."""
        index %= self.frames
        at_s = index / self.spec.fps
        gain, lamp = self._light.gain(at_s), self._light.lamp(at_s)
        canvas = self._canvas
        np.multiply(self._background, np.float32(gain), out=canvas)
        if self._lamp is not None and lamp:
            canvas += self._lamp * np.float32(lamp)
        for pose in self._play.poses(at_s):
            self._draw(canvas, pose.away, self._figures.placed(pose), gain + 0.6 * lamp)
        down, along = self._shifts[index]
        canvas += self._noise[down : down + self.spec.height_px, along : along + self.spec.width_px]
        np.clip(canvas, 0.0, 255.0, out=canvas)
        picture = canvas.astype(np.uint8)
        if self.spec.timecode:
            draw_timecode(picture, index)
        return picture

    def truth(self, index: int) -> tuple[TrueBox, ...]:
        """Everybody in picture `index`, farthest first, who shows at least in part."""
        width, height = self.spec.width_px, self.spec.height_px
        poses = self._play.poses((index % self.frames) / self.spec.fps)
        whole = [self._figures.box(pose) for pose in poses]
        found = []
        for order, pose in enumerate(poses):
            left, top, right, bottom = whole[order]
            box = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
            if box[2] - box[0] < _LEAST_PX or box[3] - box[1] < _LEAST_PX:
                continue
            nearer = [
                self._solid(other.figure, whole[order + 1 + step]) for step, other in enumerate(poses[order + 1 :])
            ]
            visible = self._visible(pose.away, whole[order], nearer)
            if visible > 0.0:
                label = self._play.labels[pose.figure]
                found.append(TrueBox(pose.figure, label, box, visible, pose.moving))
        return tuple(found)

    def _solid(self, figure: int, box: Box) -> Box:
        """The part of a figure's box through which nothing is seen."""
        if self._play.labels[figure] == "vehicle":
            return box
        spare = (box[2] - box[0]) * (1.0 - _BODY_SHARE) / 2
        return box[0] + spare, box[1], box[2] - spare, box[3]

    def _visible(self, away: float, box: Box, nearer: list[Box]) -> float:
        """Share of a grid of points in the whole box that lie in the picture and behind nothing."""
        left, top, right, bottom = box
        xs = left + (right - left) * (np.arange(_SAMPLES_X) + 0.5) / _SAMPLES_X
        ys = top + (bottom - top) * (np.arange(_SAMPLES_Y) + 0.5) / _SAMPLES_Y
        seen = ((xs >= 0) & (xs < self.spec.width_px))[None, :] & ((ys >= 0) & (ys < self.spec.height_px))[:, None]
        for x0, y0, x1, y1 in nearer:
            if x0 < right and x1 > left and y0 < bottom and y1 > top:
                seen &= ~(((xs >= x0) & (xs < x1))[None, :] & ((ys >= y0) & (ys < y1))[:, None])
        for screen, mask in self._screens:
            if away > screen:
                rows = ys.clip(0, self.spec.height_px - 1).astype(int)
                columns = xs.clip(0, self.spec.width_px - 1).astype(int)
                seen &= mask[rows[:, None], columns[None, :], 0] > 0.5
        return float(seen.mean())

    def _draw(self, canvas: Floats, away: float, placed: Placed, gain: float) -> None:
        height, width, _ = placed.pixels.shape
        top, bottom = max(placed.top, 0), min(placed.top + height, self.spec.height_px)
        left, right = max(placed.left, 0), min(placed.left + width, self.spec.width_px)
        if top >= bottom or left >= right:
            return
        pixels = placed.pixels[top - placed.top : bottom - placed.top, left - placed.left : right - placed.left]
        cover, paint = pixels[..., 3:], pixels[..., :3]
        for screen, mask in self._screens:
            if away > screen:
                open_ = mask[top:bottom, left:right]
                cover, paint = cover * open_, paint * open_
        region = canvas[top:bottom, left:right]
        region *= 1.0 - cover
        region += paint * np.float32(gain)

    def _mask(self, stage: Stage, polygons: list[list[tuple[float, float]]]) -> Floats:
        """H×W×1: 0 where the screen is, 1 where one sees past it."""
        mask = np.ones((self.spec.height_px, self.spec.width_px, 1), np.float32)
        for polygon in polygons:
            found = stage.backdrop.cover(polygon)
            if found is not None:
                mask[found[0]] *= 1.0 - found[1][..., None]
        return mask


def _glow(spec: SceneSpec, x: float, y: float, radius: float) -> Floats:
    """H×W×1: how much of a lamp's light falls on each pixel, 0–1."""
    xs = (np.arange(spec.width_px, dtype=np.float32) / spec.width_px - np.float32(x))[None, :]
    ys = (np.arange(spec.height_px, dtype=np.float32) / spec.height_px - np.float32(y))[:, None]
    return np.exp(-(xs * xs + ys * ys) / np.float32(radius * radius))[..., None].astype(np.float32)
