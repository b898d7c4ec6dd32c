"""Typed values on a camera's blackboard, valid for a stated time."""

import msgspec

from penstock.contracts.results import Detection

SignalValue = bool | float | str | tuple[Detection, ...]


class Signal(msgspec.Struct, frozen=True, gc=False):
    """What `name` was at `capture_ns`; unknown, not false, after `valid_until_ns`."""

    camera: str
    name: str
    value: SignalValue
    capture_ns: int
    valid_until_ns: int
    source: str
    """the lane that stated it"""
    frame_width_px: int = 0
    """size of the frame that detections' boxes count in; 0 for values without a place in the picture"""
    frame_height_px: int = 0
