"""What a pushing program and ingest say to each other over their Unix socket: a greeting, then pictures.

The engine greets with `GREETING` once it takes the program as the camera's one sender. Each picture is a header of
`HEADER` and its bytes. Native byte order: both ends are on one host.
"""

import struct
from typing import NamedTuple

GREETING = b"PENSTOCK-PUSH-1\n"
MAGIC = 0x50555348
HEADER = struct.Struct("=IIIIqQ")
"""magic, format, width, height, captured_ns, size"""
UNKNOWN_TIME = -1
LARGEST_BYTES = 64 * 1024 * 1024
LARGEST_SIDE_PX = 16384
JPEG = 0
FORMATS = {JPEG: "jpeg", 1: "bgr24", 2: "rgb24", 3: "gray"}
CHANNELS = {"bgr24": 3, "rgb24": 3, "gray": 1}


class PushedHeader(NamedTuple):
    """What is said of one picture before its bytes."""

    format: str
    width_px: int
    height_px: int
    captured_ns: int | None
    """CLOCK_MONOTONIC of this host"""
    size_bytes: int


class PushProtocolError(ValueError):
    """What came is not what a pushing program sends; the message says in which way."""


def encode_header(header: PushedHeader) -> bytes:
    code = next(code for code, name in FORMATS.items() if name == header.format)
    captured_ns = UNKNOWN_TIME if header.captured_ns is None else header.captured_ns
    return HEADER.pack(MAGIC, code, header.width_px, header.height_px, captured_ns, header.size_bytes)


def decode_header(data: bytes) -> PushedHeader:
    """Raises PushProtocolError for everything that no well-meaning program sends."""
    magic, code, width_px, height_px, captured_ns, size_bytes = HEADER.unpack(data)
    name = FORMATS.get(code)
    if magic != MAGIC or name is None:
        raise PushProtocolError("it does not begin as a picture does")
    if size_bytes > LARGEST_BYTES or not size_bytes:
        raise PushProtocolError(f"a picture of {size_bytes} bytes; the most is {LARGEST_BYTES}")
    if name in CHANNELS:
        if not (0 < width_px <= LARGEST_SIDE_PX and 0 < height_px <= LARGEST_SIDE_PX):
            raise PushProtocolError(f"a picture of {width_px}x{height_px}")
        if size_bytes != width_px * height_px * CHANNELS[name]:
            raise PushProtocolError(f"{size_bytes} bytes for {width_px}x{height_px} {name}")
    return PushedHeader(name, width_px, height_px, None if captured_ns < 0 else captured_ns, size_bytes)
