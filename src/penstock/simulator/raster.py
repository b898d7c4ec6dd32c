"""Shapes with smooth edges painted into small pictures, and those laid onto a large one at any size and place.

A sprite is painted once at a size somewhat above the one needed and then interpolated to its exact size and
sub-pixel place, so that what moves slowly moves smoothly. Colours are premultiplied
by cover (T. Porter, T. Duff: Compositing Digital Images, SIGGRAPH 1984).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Colour = tuple[float, float, float]


@dataclass(slots=True)
class Sprite:
    """H×W×4 float32 (RGB 0–255 times cover, cover 0–1); the origin is the figure's place on the ground."""

    pixels: Floats
    scale_px: float
    """pixels per metre"""
    origin_x: float
    origin_y: float


class Painter:
    """Paints shapes given in metres (right, up) around a figure's place on the ground."""

    def __init__(self, left: float, bottom: float, right: float, top: float, scale_px: float) -> None:
        width = int((right - left) * scale_px) + 3
        height = int((top - bottom) * scale_px) + 3
        self._planes = np.zeros((4, height, width), np.float32)
        self._origin_x, self._origin_y = 1.0 - left * scale_px, 1.0 + top * scale_px
        self._scale = scale_px

    def capsule(
        self,
        a: tuple[float, float],
        b: tuple[float, float],
        radius_a: float,
        radius_b: float,
        colour: Colour,
        shade: float = 0.0,
    ) -> None:
        """A limb from `a` to `b` whose radius changes along it; `shade` darkens its right side, lightens its left."""
        (ax, ay), (bx, by) = self._at(a), self._at(b)
        ra, rb = max(radius_a * self._scale, 0.45), max(radius_b * self._scale, 0.45)
        region = self._region(
            min(ax - ra, bx - rb), min(ay - ra, by - rb), max(ax + ra, bx + rb), max(ay + ra, by + rb)
        )
        if region is None:
            return
        window, xs, ys = region
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy
        px, py = xs - np.float32(ax), ys - np.float32(ay)
        share = (px * np.float32(dx) + py * np.float32(dy)) / np.float32(length2 or 1.0)
        along: Floats = np.clip(share, 0.0, 1.0).astype(np.float32, copy=False)
        radius = np.float32(ra) + along * np.float32(rb - ra)
        off_x = px - along * np.float32(dx)
        distance = np.hypot(off_x, py - along * np.float32(dy))
        cover: Floats = np.clip(radius - distance + np.float32(0.5), 0.0, 1.0).astype(np.float32, copy=False)
        self._lay(window, cover, colour, off_x / radius, shade)

    def ellipse(
        self,
        centre: tuple[float, float],
        radius_x: float,
        radius_y: float,
        colour: Colour,
        shade: float = 0.0,
        opacity: float = 1.0,
        soft: float = 0.0,
    ) -> None:
        """`soft` is the share of the radius over which the edge fades."""
        cx, cy = self._at(centre)
        rx, ry = max(radius_x * self._scale, 0.5), max(radius_y * self._scale, 0.5)
        region = self._region(cx - rx, cy - ry, cx + rx, cy + ry)
        if region is None:
            return
        window, xs, ys = region
        across = (xs - np.float32(cx)) / np.float32(rx)
        distance = 1.0 - np.hypot(across, (ys - np.float32(cy)) / np.float32(ry))
        edge = min(rx, ry) if soft == 0.0 else 1.0 / soft
        cover = np.clip(distance * np.float32(edge) + np.float32(0.5 if soft == 0.0 else 0.0), 0.0, 1.0)
        self._lay(window, cover * np.float32(opacity), colour, across, shade)

    def polygon(
        self, points: list[tuple[float, float]], colour: Colour, shade: float = 0.0, opacity: float = 1.0
    ) -> None:
        """A convex polygon, either way round; its upper part is lightened by `shade`, its lower darkened."""
        corners = [self._at(point) for point in points]
        xs_, ys_ = [c[0] for c in corners], [c[1] for c in corners]
        region = self._region(min(xs_), min(ys_), max(xs_), max(ys_))
        if region is None:
            return
        window, xs, ys = region
        cover = convex_cover(corners, xs, ys)
        if cover is None:
            return
        middle, half = (min(ys_) + max(ys_)) / 2, max((max(ys_) - min(ys_)) / 2, 1.0)
        self._lay(window, cover * np.float32(opacity), colour, (ys - np.float32(middle)) / np.float32(half), shade)

    def finished(self) -> Sprite:
        """The sprite without its empty margins but for one pixel, which smooth edges need."""
        cover = self._planes[3]
        rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
        top, left = max(int(rows[0]) - 1, 0), max(int(columns[0]) - 1, 0)
        planes = self._planes[:, top : int(rows[-1]) + 2, left : int(columns[-1]) + 2]
        planes[:, (0, -1)] = 0.0
        planes[:, :, (0, -1)] = 0.0
        pixels = np.ascontiguousarray(planes.transpose(1, 2, 0))
        return Sprite(pixels, self._scale, self._origin_x - left, self._origin_y - top)

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        return self._origin_x + point[0] * self._scale, self._origin_y - point[1] * self._scale

    def _region(self, x0: float, y0: float, x1: float, y1: float) -> tuple[tuple[slice, slice], Floats, Floats] | None:
        _, height, width = self._planes.shape
        left, right = max(int(x0 - 1), 0), min(int(x1 + 2), width)
        top, bottom = max(int(y0 - 1), 0), min(int(y1 + 2), height)
        if left >= right or top >= bottom:
            return None
        xs = np.arange(left, right, dtype=np.float32)[None, :] + np.float32(0.5)
        ys = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        return (slice(top, bottom), slice(left, right)), xs, ys

    def _lay(self, window: tuple[slice, slice], cover: Floats, colour: Colour, across: Floats, shade: float) -> None:
        region = self._planes[(slice(None), *window)]
        region *= 1.0 - cover
        lit = cover if shade == 0.0 else cover * (1.0 - np.float32(shade) * np.clip(across, -1.0, 1.0))
        for channel in range(3):
            region[channel] += lit * np.float32(colour[channel])
        region[3] += cover


def convex_cover(corners: list[tuple[float, float]], xs: Floats, ys: Floats) -> Floats | None:
    """How much of each pixel lies in a convex polygon, 0–1, with an edge one pixel wide; None where it has no area."""
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True))
    if abs(area) < 1e-3:
        return None
    turn = 1.0 if area > 0 else -1.0
    inside: Floats | None = None
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        dx, dy = x2 - x1, y2 - y1
        length = (dx * dx + dy * dy) ** 0.5
        if length < 1e-6:
            continue
        nx, ny = np.float32(-dy / length * turn), np.float32(dx / length * turn)
        distance = xs * nx + (ys * ny - np.float32(x1 * nx + y1 * ny))
        inside = distance if inside is None else np.minimum(inside, distance, out=inside)
    return None if inside is None else np.clip(inside + np.float32(0.5), 0.0, 1.0)


@lru_cache(maxsize=4096)
def _taps(source: int, target: int, ratio: float, start: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The two source pixels on either side of each target pixel's middle, and the second one's weight."""
    middle = start + ratio * (np.arange(target) + 0.5) - 0.5
    first = np.floor(middle).astype(np.intp)
    return first.clip(0, source - 1), (first + 1).clip(0, source - 1), (middle - first).astype(np.float32)


@dataclass(slots=True)
class Placed:
    """A sprite at its final size: H×W×4 as in Sprite, whose first pixel is (left, top) of the picture."""

    pixels: Floats
    left: int
    top: int


def place(sprite: Sprite, x_px: float, y_px: float, scale_px: float) -> Placed:
    """The sprite with its origin at (x, y) of the picture and `scale_px` pixels a metre.

    To an eighth of a pixel; where the sprite has that very scale, to a whole one, which costs nothing.
    """
    height, width, _ = sprite.pixels.shape
    if sprite.scale_px == scale_px:
        return Placed(sprite.pixels, round(x_px - sprite.origin_x), round(y_px - sprite.origin_y))
    ratio = round(sprite.scale_px / scale_px * 128) / 128
    left = round((x_px - sprite.origin_x / ratio) * 8) / 8
    top = round((y_px - sprite.origin_y / ratio) * 8) / 8
    first_x, first_y = math.floor(left), math.floor(top)
    columns = math.ceil(left + width / ratio) - first_x
    rows = math.ceil(top + height / ratio) - first_y
    near, far, weight = _taps(width, columns, ratio, (first_x - left) * ratio)
    across = sprite.pixels.take(near, axis=1)
    across += (sprite.pixels.take(far, axis=1) - across) * weight[:, None]
    upper, lower, weight = _taps(height, rows, ratio, (first_y - top) * ratio)
    placed = across[upper]
    placed += (across[lower] - placed) * weight[:, None, None]
    return Placed(placed, first_x, first_y)
