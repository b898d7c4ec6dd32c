"""Reads a still image's size from its header: JPEG (ITU-T T.81, B.2.2) and PNG (ISO/IEC 15948, 11.2.2)."""

_PNG = b"\x89PNG\r\n\x1a\n"
# Frame headers are SOF0 to SOF15 without DHT, JPG and DAC, which share their range.
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None where the header does not tell."""
    if data.startswith(_PNG):
        return (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) if len(data) >= 24 else None
    if not data.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAME_HEADERS:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def is_whole(data: bytes) -> bool:
    """Whether the image has its end: FFmpeg shows a cut JPEG's missing part as grey, without a mark.

    Some cameras pad their JPEGs, so the end may be followed by zeros and a little more.
    """
    padded = data.rstrip(b"\x00")
    mark = b"IEND" if data.startswith(_PNG) else b"\xff\xd9"
    return padded.rfind(mark, max(0, len(padded) - 64)) >= 0
