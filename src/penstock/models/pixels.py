"""Pixels of a leased view as an array, without a copy."""

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import View


def array_of(view: View, pixels: memoryview) -> NDArray[np.uint8]:
    """uint8 height×width×3, or height×width for one channel, over the bytes of the view's slot.

    Rows may be padded; raises ValueError where the slot is too small for what the view says.
    """
    spec = view.spec
    plane = view.planes[0]
    if len(view.planes) != 1 or (plane.width_px, plane.height_px) != (spec.width_px, spec.height_px):
        raise ValueError(f"a {spec.format} view of {spec.width_px}×{spec.height_px} has one plane of that size")
    shape: tuple[int, ...] = (spec.height_px, spec.width_px)
    strides: tuple[int, ...] = (plane.stride_bytes, spec.channels)
    if spec.channels > 1:
        shape, strides = (*shape, spec.channels), (*strides, 1)
    return np.ndarray(shape, np.uint8, buffer=pixels, offset=plane.offset_bytes, strides=strides)
