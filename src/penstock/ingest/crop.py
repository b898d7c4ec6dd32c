"""Cuts a part out of a picture, in the picture's own format: only the bytes of the part are touched.

The part begins and ends where the format has whole colour samples, so that no sample moves and colours stay as they
are.
"""

import math
from typing import NamedTuple

import av
import numpy as np

from penstock.contracts.messages import Box

SMALLEST_PX = 2


class Region(NamedTuple):
    """A part of a picture, in its pixels."""

    left: int
    top: int
    width_px: int
    height_px: int


class _Plane(NamedTuple):
    """One plane: picture pixels per sample across and down, and bytes per sample."""

    across: int
    down: int
    sample_bytes: int


def region_of(box: Box, picture: av.VideoFrame) -> Region:
    """The smallest region that holds what of `box` lies in the picture, at least 2×2 pixels, on whole colour samples.

    A box beyond the picture's edge becomes the pixels next to it. Raises ValueError where a side is not a number.
    """
    if any(math.isnan(side) for side in box):
        raise ValueError(f"the region {box} is not four numbers")
    left, top, right, bottom = box
    across, down = _steps(picture.format)
    x0, x1 = _span(left, right, picture.width, across)
    y0, y1 = _span(top, bottom, picture.height, down)
    return Region(x0, y0, x1 - x0, y1 - y0)


def cut(picture: av.VideoFrame, region: Region) -> av.VideoFrame:
    """A copy of `region`, as `region_of` gives it, in the picture's format, or in RGB where that cannot be cut."""
    planes = _planes(picture.format)
    if planes is None:
        picture = picture.reformat(format="rgb24", threads=1)
        planes = [_Plane(1, 1, 3)]
    part = av.VideoFrame(region.width_px, region.height_px, picture.format.name)
    for plane, source, target in zip(planes, picture.planes, part.planes, strict=True):
        x, y = region.left // plane.across * plane.sample_bytes, region.top // plane.down
        row_bytes = -(-region.width_px // plane.across) * plane.sample_bytes
        rows = -(-region.height_px // plane.down)
        into = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        whole = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)
        into[:rows, :row_bytes] = whole[y : y + rows, x : x + row_bytes]
    part.colorspace, part.color_range = picture.colorspace, picture.color_range
    part.color_primaries, part.color_trc = picture.color_primaries, picture.color_trc
    return part


def _span(first: float, last: float, size_px: int, step: int) -> tuple[int, int]:
    begin = math.floor(min(max(first, 0.0), size_px - 1.0))
    end = math.ceil(min(max(last, 0.0), float(size_px)))
    if end - begin < SMALLEST_PX:
        begin = max(0, min(begin, size_px - SMALLEST_PX))
        end = min(begin + SMALLEST_PX, size_px)
    return begin // step * step, min(-(-end // step) * step, size_px)


def _steps(pixels: av.VideoFormat) -> tuple[int, int]:
    """Picture pixels per colour sample, across and down."""
    return 64 // pixels.chroma_width(64), 64 // pixels.chroma_height(64)


def _planes(pixels: av.VideoFormat) -> list[_Plane] | None:
    """None for formats whose samples are not whole bytes, or only numbers of colours."""
    if pixels.is_bit_stream or pixels.has_palette or pixels.is_bayer:
        return None
    across, down = _steps(pixels)
    count = 1 + max(component.plane for component in pixels.components)
    if count == 1:
        return [_Plane(across, 1, pixels.padded_bits_per_pixel * across // 8)]
    planes = []
    for number in range(count):
        on_it = [component for component in pixels.components if component.plane == number]
        sample_bytes = sum(-(-component.bits // 8) for component in on_it)
        coarse = bool(on_it[0].is_chroma)
        planes.append(_Plane(across if coarse else 1, down if coarse else 1, sample_bytes))
    return planes
