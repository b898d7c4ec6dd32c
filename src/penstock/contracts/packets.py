"""What a source yields: an encoded access unit, an encoded still image, or raw pixels."""

import msgspec

from penstock.contracts.identity import FrameId
from penstock.contracts.times import CaptureTime


class StreamInfo(msgspec.Struct, frozen=True):
    """One codec configuration within a session; a change of size or codec makes a new one.

    `time_base` is (numerator, denominator) in seconds; packets' `pts`, `dts` and `duration` count in it.
    """

    codec: str
    """FFmpeg's name: h264, hevc, mpeg4, mjpeg, …"""
    width_px: int
    height_px: int
    time_base: tuple[int, int]
    extradata: bytes
    """codec configuration as FFmpeg holds it; may be empty where it comes in-band"""
    fps: float = 0.0
    """declared frame rate; 0 where the stream declares none"""
    reorder_frames: int = 0
    """how many pictures the decoder may hold back (B-frames), as declared"""
    profile: str = ""
    bit_rate: int = 0
    has_audio: bool = False
    encoded_from: str = ""
    """pixel format that ingest encoded this from; empty for packets as received"""


class EncodedPacket(msgspec.Struct, frozen=True, gc=False):
    """One access unit as received, complete, with its number and times."""

    id: FrameId
    info_id: int
    """counts the codec configurations of this session from 0"""
    data: bytes
    keyframe: bool
    pts: int | None
    dts: int | None
    duration: int
    """0 where unknown"""
    received_ns: int
    capture: CaptureTime
    disposable: bool = False
    """no other picture refers to it"""
    corrupt: bool = False
    """the demuxer knows that parts are missing"""


class EncodedImage(msgspec.Struct, frozen=True, gc=False):
    """A still image that decodes by itself (JPEG, PNG)."""

    id: FrameId
    mime: str
    data: bytes
    received_ns: int
    capture: CaptureTime


class RawFrame(msgspec.Struct, frozen=True, gc=False):
    """Pixels as a device or a program delivered them; `data` holds the planes one after another, unpadded."""

    id: FrameId
    format: str
    """FFmpeg's pixel format name"""
    width_px: int
    height_px: int
    data: bytes
    received_ns: int
    capture: CaptureTime


SourceItem = EncodedPacket | EncodedImage | RawFrame
