"""Draws a fixed camera's view of people on a square, by seed: the same index is always the same picture.

Background, sensor noise and figures' colours are made once; a picture is then a copy, a slow drift of light and a
few small patches. True boxes come with it, so that detections and events can be checked against what was drawn.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.simulator.choreography import Choreography, Pose

_NOISE_BANK = 16
_NOISE_SIGMA = 2.0
_LIGHT_AMPLITUDE = 3.0
_HEADROOM = 24

Picture = NDArray[np.uint8]
_Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class TrueBox:
    """A figure that is at least partly in the picture: `xyxy` in pixels, clipped to it."""

    figure: int
    xyxy: tuple[float, float, float, float]
    moving: bool


class Scene:
    """A loop of `seconds` at `fps`; index `frames` is index 0 again."""

    def __init__(
        self,
        seed: int,
        *,
        width_px: int = 640,
        height_px: int = 360,
        fps: int = 25,
        seconds: float = 30.0,
        figures: int = 3,
    ) -> None:
        self.seed = seed
        self.width_px = width_px
        self.height_px = height_px
        self.fps = fps
        self.seconds = seconds
        self.figures = figures
        self.frames = round(fps * seconds)
        self._choreography = Choreography(seed, figures, seconds)
        chance = np.random.default_rng(seed)
        background = _background(chance, width_px, height_px)
        noise = chance.normal(0.0, _NOISE_SIGMA, (_NOISE_BANK, height_px, width_px, 1)).astype(np.float32)
        self._bank = np.clip(background + noise, _HEADROOM, 255 - _HEADROOM).astype(np.uint8)
        self._order = chance.integers(0, _NOISE_BANK, self.frames)
        self._grain = noise[0, :, :, 0]
        self._dither = chance.random((height_px, width_px, 1), dtype=np.float32)
        clothes = chance.uniform(20, 235, (figures, 2, 3))
        self._clothes = (0.6 * clothes + 0.4 * clothes.mean(axis=2, keepdims=True)).astype(np.float32)

    def still(self, index: int) -> bool:
        """Whether nobody moves in picture `index`."""
        return self._choreography.still(self._at(index))

    @property
    def still_s(self) -> float:
        """How long nobody moves in one loop."""
        return self._choreography.still_s

    def true_boxes(self, index: int) -> list[TrueBox]:
        """Every figure of picture `index`, farthest first; near ones may hide those behind them."""
        boxes = []
        for pose in self._choreography.poses(self._at(index)):
            left, top, right, bottom = self._extent(pose)
            box = (max(left, 0.0), max(top, 0.0), min(right, self.width_px), min(bottom, self.height_px))
            if box[2] - box[0] >= 1.0 and box[3] - box[1] >= 1.0:
                boxes.append(TrueBox(pose.figure, box, pose.moving))
        return boxes

    def render(self, index: int) -> Picture:
        """Picture `index`: uint8 height×width×3, RGB. About 2 ms at 640×360."""
        index %= self.frames
        picture: Picture = self._bank[self._order[index]].copy()
        self._light(picture, index)
        for pose in self._choreography.poses(self._at(index)):
            self._draw(picture, pose)
        return picture

    def _at(self, index: int) -> float:
        return (index % self.frames) / self.frames

    def _light(self, picture: Picture, index: int) -> None:
        """Drifts by a few levels in a loop, dithered: whole levels would be jumps of the whole picture."""
        level = _LIGHT_AMPLITUDE * (1.0 - math.cos(math.tau * self._at(index)))
        whole = math.floor(level)
        picture += (self._dither < level - whole).view(np.uint8)
        picture += np.uint8(whole)

    def _height_px(self, pose: Pose) -> float:
        return self.height_px * (0.12 + 0.3 * pose.y)

    def _extent(self, pose: Pose) -> tuple[float, float, float, float]:
        tall = self._height_px(pose)
        x, feet = pose.x * self.width_px, pose.y * self.height_px
        half = tall * 0.19
        return x - half, feet - tall, x + half, feet

    def _draw(self, picture: Picture, pose: Pose) -> None:
        left, top, right, bottom = self._extent(pose)
        x0, x1 = max(math.floor(left), 0), min(math.ceil(right), self.width_px)
        y0, y1 = max(math.floor(top), 0), min(math.ceil(bottom) + 4, self.height_px)
        if x0 >= x1 or y0 >= y1:
            return
        tall = self._height_px(pose)
        x, feet = (left + right) / 2, bottom
        ys, xs = np.ogrid[y0:y1, x0:x1]
        across = (xs - x).astype(np.float32) / tall
        up = (feet - ys).astype(np.float32) / tall
        patch = picture[y0:y1, x0:x1].astype(np.float32)
        swing = 0.09 * math.sin(pose.stride)
        bob = 0.012 * abs(math.cos(pose.stride)) if pose.moving else 0.0
        shirt, trousers = self._clothes[pose.figure]
        grain = self._grain[y0:y1, x0:x1, None]
        parts = (
            (0.0, 0.0, 0.17, 0.022, np.float32(40.0)),
            (-swing, 0.22, 0.055, 0.23, trousers * np.float32(0.85)),
            (swing, 0.22, 0.055, 0.23, trousers),
            (0.0, 0.58 + bob, 0.13, 0.235, shirt),
            (0.02 * pose.facing, 0.9 + bob, 0.068, 0.09, np.array((205, 165, 140), np.float32)),
        )
        for centre_x, centre_y, radius_x, radius_y, colour in parts:
            lean = centre_x * (1.0 - up / 0.45) if centre_y == 0.22 else centre_x
            cover = _ellipse(across - lean, up - centre_y, radius_x, radius_y, tall)
            shade = 1.0 - 1.2 * pose.facing * (across - centre_x)
            patch += cover * (np.clip(colour * shade[..., None], 8, 247) + grain - patch)
        picture[y0:y1, x0:x1] = np.clip(patch, 0, 255).astype(np.uint8)


def _ellipse(dx: _Floats, dy: _Floats, radius_x: float, radius_y: float, tall: float) -> _Floats:
    """How much of each pixel lies within the ellipse, 0–1, with an edge one pixel wide."""
    distance = 1.0 - np.hypot(dx / radius_x, dy / radius_y)
    cover: _Floats = np.clip(distance * (min(radius_x, radius_y) * tall) + 0.5, 0.0, 1.0)[..., None]
    return cover


def _background(chance: np.random.Generator, width_px: int, height_px: int) -> _Floats:
    """A wall with windows above, paving below, both with texture at several scales."""
    ground = np.empty((height_px, width_px, 3), np.float32)
    horizon = round(height_px * 0.42)
    wall = chance.uniform(90, 150) * np.array(chance.uniform(0.9, 1.1, 3))
    paving = chance.uniform(90, 140) * np.array(chance.uniform(0.95, 1.05, 3))
    ground[:horizon] = wall
    ground[horizon:] = paving
    ground[horizon:] *= np.linspace(0.8, 1.1, height_px - horizon, dtype=np.float32)[:, None, None]
    for scale, strength in ((8, 9.0), (3, 6.0), (1, 4.0)):
        ground += strength * _smooth(chance, width_px, height_px, scale)[..., None]
    windows = int(chance.integers(3, 6))
    for number in range(windows):
        left = round(width_px * (number + 0.25) / windows)
        right = round(width_px * (number + 0.75) / windows)
        ground[round(height_px * 0.08) : round(height_px * 0.3), left:right] *= 0.55
    for row in np.linspace(horizon, height_px - 1, 7).astype(int):
        ground[row] *= 0.88
    return np.clip(ground, _HEADROOM, 255 - _HEADROOM)


def _smooth(chance: np.random.Generator, width_px: int, height_px: int, scale: int) -> _Floats:
    """Noise of unit variance whose grains are `scale` pixels wide, smoothed to hide their edges."""
    coarse = chance.normal(0.0, 1.0, (height_px // scale + 2, width_px // scale + 2)).astype(np.float32)
    fine = np.repeat(np.repeat(coarse, scale, axis=0), scale, axis=1)
    smooth: _Floats = fine
    for axis in (0, 1) if scale > 1 else ():
        sums = np.cumsum(smooth, axis=axis)
        smooth = (np.roll(sums, -scale, axis=axis) - sums) / scale
    return smooth[:height_px, :width_px]
