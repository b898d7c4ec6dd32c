"""Encoded video as this room takes it: a description, and units of one picture each with their times."""

from typing import Literal

import msgspec

Codec = Literal["h264", "hevc", "mpeg4", "mjpeg"]


class MediaDescription(msgspec.Struct, frozen=True):
    """What a decoder has to know before the first picture."""

    codec: Codec
    width_px: int
    height_px: int
    fps: float
    """declared rate; 0 where it is not known"""
    config: bytes = b""
    """parameter sets as a byte stream (ITU-T H.264 and H.265, Annex B); for mpeg4 the headers up to the video
    object layer; empty for mjpeg"""


class MediaUnit(msgspec.Struct, frozen=True, gc=False):
    """One encoded picture (access unit, VOP, JPEG image)."""

    data: bytes
    """byte stream with start codes for h264, hevc and mpeg4; a whole JPEG image for mjpeg"""
    keyframe: bool
    """decoding can begin here"""
    pts_ns: int
    """media time; it only grows, apart from the order that B-frames need"""
    captured_ns: int
    """monotonic instant at which the picture was captured"""
