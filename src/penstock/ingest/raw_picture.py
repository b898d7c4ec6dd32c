"""Wraps raw pixels as FFmpeg pictures: rows are copied once, for FFmpeg pads them."""

from typing import NamedTuple

import av
import numpy as np

from penstock.contracts.packets import RawFrame

LARGEST_SIDE_PX = 16384


class _Plane(NamedTuple):
    """One plane: picture pixels per sample across and down, and bytes per sample."""

    across: int
    down: int
    sample_bytes: int


_WHOLE = {"gray": 1, "bgr24": 3, "rgb24": 3, "bgra": 4, "rgba": 4, "bgr0": 4, "rgb0": 4}
_PLANES: dict[str, tuple[_Plane, ...]] = {
    **{name: (_Plane(1, 1, size),) for name, size in _WHOLE.items()},
    **{name: (_Plane(2, 1, 4),) for name in ("yuyv422", "uyvy422", "yvyu422")},
    **{name: (_Plane(1, 1, 1), _Plane(2, 2, 2)) for name in ("nv12", "nv21")},
    **{name: (_Plane(1, 1, 1), _Plane(2, 2, 1), _Plane(2, 2, 1)) for name in ("yuv420p", "yuvj420p")},
    **{name: (_Plane(1, 1, 1), _Plane(2, 1, 1), _Plane(2, 1, 1)) for name in ("yuv422p", "yuvj422p")},
    **{name: (_Plane(1, 1, 1),) * 3 for name in ("yuv444p", "yuvj444p")},
}
FORMATS = tuple(_PLANES)


def frame_bytes(pixel_format: str, width_px: int, height_px: int) -> int:
    """How long the data of such a frame is; raises ValueError for formats and sizes that are not taken."""
    planes = _PLANES.get(pixel_format)
    if planes is None:
        raise ValueError(f"the pixel format {pixel_format!r} is not known; known are {', '.join(FORMATS)}")
    if not (0 < width_px <= LARGEST_SIDE_PX and 0 < height_px <= LARGEST_SIDE_PX):
        raise ValueError(f"{width_px}x{height_px} is no size of a picture")
    return sum(_row_bytes(plane, width_px) * _rows(plane, height_px) for plane in planes)


def picture_of(frame: RawFrame) -> av.VideoFrame:
    """The frame as FFmpeg holds it; raises ValueError where data and description do not fit."""
    size = frame_bytes(frame.format, frame.width_px, frame.height_px)
    if len(frame.data) != size:
        stated = f"{frame.width_px}x{frame.height_px} {frame.format}"
        raise ValueError(f"{len(frame.data)} bytes came, but {stated} has {size}")
    picture = av.VideoFrame(frame.width_px, frame.height_px, frame.format)
    at = 0
    for plane, target in zip(_PLANES[frame.format], picture.planes, strict=True):
        row_bytes, rows = _row_bytes(plane, frame.width_px), _rows(plane, frame.height_px)
        source = np.frombuffer(frame.data, np.uint8, row_bytes * rows, at).reshape(rows, row_bytes)
        padded = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        padded[:rows, :row_bytes] = source
        at += row_bytes * rows
    return picture


def _row_bytes(plane: _Plane, width_px: int) -> int:
    return -(-width_px // plane.across) * plane.sample_bytes


def _rows(plane: _Plane, height_px: int) -> int:
    return -(-height_px // plane.down)
