"""What a fixed camera sees when nobody is there: ground, walls and things, with texture, by seed.

Textures and joints lie in metres on the ground or on a wall, so that they shrink with distance as figures do.
"""

import math

import numpy as np
from numpy.typing import NDArray

from penstock.simulator.perspective import View
from penstock.simulator.raster import Colour, Floats, convex_cover

Spot = tuple[float, float]


class Backdrop:
    """A picture under construction: `picture` is float32 H×W×3, RGB 0–255; places in fractions of the picture."""

    def __init__(self, view: View, seed: int) -> None:
        self.view = view
        self.chance = np.random.default_rng(seed)
        self.picture: Floats = np.full((view.height_px, view.width_px, 3), 120.0, np.float32)
        self._xs = np.arange(view.width_px, dtype=np.float32)[None, :] + np.float32(0.5)
        self._ys = np.arange(view.height_px, dtype=np.float32)[:, None] + np.float32(0.5)
        self._grain = [_smooth(self.chance, 256, scale) for scale in (1, 4, 16)]

    def cover(self, corners: list[Spot]) -> tuple[tuple[slice, slice], Floats] | None:
        """Where a convex polygon is, and how much of each pixel there it covers; None outside the picture."""
        view = self.view
        pixels = [(x * view.width_px, y * view.height_px) for x, y in corners]
        left = max(int(min(x for x, _ in pixels)) - 1, 0)
        right = min(int(max(x for x, _ in pixels)) + 2, view.width_px)
        top = max(int(min(y for _, y in pixels)) - 1, 0)
        bottom = min(int(max(y for _, y in pixels)) + 2, view.height_px)
        if left >= right or top >= bottom:
            return None
        cover = convex_cover(pixels, self._xs[:, left:right], self._ys[top:bottom])
        return None if cover is None else ((slice(top, bottom), slice(left, right)), cover)

    def flat(self, corners: list[Spot], colour: Colour, opacity: float = 1.0) -> None:
        """Fills a convex polygon."""
        found = self.cover(corners)
        if found is not None:
            window, cover = found
            region = self.picture[window]
            region += (cover * np.float32(opacity))[..., None] * (np.array(colour, np.float32) - region)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, opacity: float = 1.0) -> None:
        """Fills an upright rectangle."""
        self.flat([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, opacity)

    def ground(
        self,
        corners: list[Spot],
        colour: Colour,
        *,
        rough: float = 6.0,
        joints_m: tuple[float, float] | None = None,
        joint: float = 0.82,
    ) -> None:
        """Fills a convex polygon of ground with grain of `rough` levels and, every so many metres, joints."""
        found = self.cover(corners)
        if found is None:
            return
        window, cover = found
        below = self._ys[window[0]] / np.float32(self.view.height_px) - np.float32(self.view.horizon)
        ys: Floats = np.maximum(below, np.float32(1e-3)).astype(np.float32, copy=False)
        away = np.float32(self.view.focal_px * self.view.camera_m / self.view.height_px) / ys
        right = (self._xs[:, window[1]] - np.float32(self.view.width_px / 2)) * (away / np.float32(self.view.focal_px))
        self._lay(
            window,
            cover,
            colour,
            right,
            np.broadcast_to(away, right.shape),
            rough,
            joints_m,
            joint,
            np.float32(self.view.focal_px) / away,
            ys * np.float32(self.view.height_px / self.view.camera_m),
        )

    def wall(
        self,
        corners: list[Spot],
        colour: Colour,
        *,
        scale_px: float,
        rough: float = 5.0,
        joints_m: tuple[float, float] | None = None,
        joint: float = 0.88,
    ) -> None:
        """Fills a convex polygon that faces the camera, `scale_px` pixels a metre."""
        found = self.cover(corners)
        if found is None:
            return
        window, cover = found
        across = np.broadcast_to(self._xs[:, window[1]] / np.float32(scale_px), cover.shape)
        up = np.broadcast_to(self._ys[window[0]] / np.float32(scale_px), cover.shape)
        scale = np.float32(scale_px)
        self._lay(window, cover, colour, across, up, rough, joints_m, joint, scale, scale)

    def _lay(
        self,
        window: tuple[slice, slice],
        cover: Floats,
        colour: Colour,
        u: Floats,
        v: Floats,
        rough: float,
        joints_m: tuple[float, float] | None,
        joint: float,
        scale_u: Floats | np.float32,
        scale_v: Floats | np.float32,
    ) -> None:
        level = np.zeros(cover.shape, np.float32)
        for grain, size_m, share in zip(self._grain, (0.06, 0.12, 0.3), (0.5, 0.6, 0.9), strict=True):
            rows, columns = (
                (v / np.float32(size_m)).astype(np.int32) & 255,
                (u / np.float32(size_m)).astype(np.int32) & 255,
            )
            level += np.float32(rough * share) * grain[rows, columns]
        bright = np.ones(cover.shape, np.float32)
        if joints_m is not None:
            for place, every, scale in ((u, joints_m[0], scale_u), (v, joints_m[1], scale_v)):
                if math.isfinite(every):
                    off = np.abs(place / np.float32(every) - np.round(place / np.float32(every))) * np.float32(every)
                    line = np.clip(np.float32(1.0) - off * scale, 0.0, 1.0)
                    bright *= 1.0 - np.float32(1.0 - joint) * line
        paint = (np.array(colour, np.float32) + level[..., None]) * bright[..., None]
        region = self.picture[window]
        region += cover[..., None] * (paint - region)

    def strip(self, y0: float, y1: float, colour: Colour, **how: object) -> None:
        """Ground across the whole picture, from y0 to y1."""
        self.ground([(0, y0), (1, y0), (1, y1), (0, y1)], colour, **how)  # type: ignore[arg-type]

    def line(
        self, a: tuple[float, float], b: tuple[float, float], width_m: float, colour: Colour, opacity: float = 0.8
    ) -> None:
        """Paint on the ground from `a` to `b`, metres."""
        length = math.hypot(b[0] - a[0], b[1] - a[1])
        nx, nz = -(b[1] - a[1]) / length * width_m / 2, (b[0] - a[0]) / length * width_m / 2
        ring = [(a[0] + nx, a[1] + nz), (b[0] + nx, b[1] + nz), (b[0] - nx, b[1] - nz), (a[0] - nx, a[1] - nz)]
        self.flat([self.view.fraction(*spot) for spot in ring], colour, opacity)

    def foliage(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> None:
        """A bush or a tree's crown: blobs of leaves, darker below."""
        view = self.view
        for _ in range(26):
            angle, far = self.chance.uniform(0, math.tau), self.chance.uniform(0.0, 0.8)
            cx, cy = x + radius_x * far * math.cos(angle), y + radius_y * far * math.sin(angle)
            light = 1.0 - 0.35 * (cy - y) / radius_y + self.chance.uniform(-0.15, 0.15)
            size = radius_x * self.chance.uniform(0.25, 0.45)
            ring = [
                (
                    cx + size * math.cos(math.tau * k / 9),
                    cy + size * view.width_px / view.height_px * math.sin(math.tau * k / 9) * 0.8,
                )
                for k in range(9)
            ]
            self.flat(ring, (colour[0] * light, colour[1] * light, colour[2] * light), 0.8)

    def weathered(self) -> Floats:
        """The picture as the camera has it: stains, a vignette, a tint; within the room that noise and light need."""
        height, width = self.picture.shape[:2]
        stains = _smooth(self.chance, 256, 32)[:, :, None]
        rows, columns = np.arange(height) * 256 // height, np.arange(width) * 256 // width
        self.picture *= 1.0 + np.float32(0.03) * stains[rows][:, columns]
        off_x = (self._xs / width - np.float32(0.5)) * 2
        off_y = (self._ys / height - np.float32(0.5)) * 2
        self.picture *= (1.0 - np.float32(0.07) * (off_x * off_x + off_y * off_y))[..., None]
        self.picture *= self.chance.uniform(0.96, 1.04, 3).astype(np.float32)
        return np.clip(self.picture, 12.0, 236.0, out=self.picture)


def _smooth(chance: np.random.Generator, size: int, scale: int) -> Floats:
    """Noise of about unit variance, size×size and seamless, whose grains are `scale` pixels wide."""
    coarse = chance.normal(0.0, 1.0, (size // scale, size // scale))
    fine: NDArray[np.float64] = np.repeat(np.repeat(coarse, scale, axis=0), scale, axis=1)
    for axis in (0, 1) if scale > 1 else ():
        shifts = range(0, scale, max(scale // 4, 1))
        fine = np.mean([np.roll(fine, shift, axis=axis) for shift in shifts], axis=0)
    return (fine / max(float(fine.std()), 1e-6)).astype(np.float32)
