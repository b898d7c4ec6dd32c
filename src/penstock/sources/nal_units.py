"""Looks into H.264 and H.265 access units just far enough: parameter sets, and whether others refer to a picture.

Only NAL unit headers are read (ITU-T H.264 and H.265, section 7.3.1); both byte stream (Annex B) and length-prefixed
units (as in MP4) are understood.
"""

from collections.abc import Iterator

START_CODE = b"\x00\x00\x01"
H264_PARAMETER_SETS = frozenset({7, 8})
HEVC_PARAMETER_SETS = frozenset({32, 33, 34})


def is_byte_stream(extradata: bytes) -> bool:
    """Whether a stream with this codec configuration carries start codes; without configuration it must."""
    return not extradata or extradata.startswith((START_CODE, b"\x00" + START_CODE))


def length_size(codec: str, extradata: bytes) -> int:
    """Bytes of the length before each unit, from `avcC` or `hvcC`; 0 for a byte stream."""
    if is_byte_stream(extradata):
        return 0
    at = 4 if codec == "h264" else 21
    return (extradata[at] & 3) + 1 if len(extradata) > at else 4


def units(data: bytes, length_bytes: int = 0) -> Iterator[bytes]:
    """The NAL units of an access unit, without start codes or lengths; a cut-off one is left out."""
    if length_bytes:
        at = 0
        while at + length_bytes < len(data):
            size = int.from_bytes(data[at : at + length_bytes], "big")
            at += length_bytes
            if size and at + size <= len(data):
                yield data[at : at + size]
            at += size
        return
    begin = data.find(START_CODE)
    while begin >= 0:
        begin += len(START_CODE)
        end = data.find(START_CODE, begin)
        # The zero before a four-byte start code, and trailing zeros, belong to no unit.
        unit = data[begin : end if end >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            yield unit
        begin = end


def parameter_sets(codec: str, data: bytes, length_bytes: int = 0) -> tuple[bytes, ...]:
    """The parameter sets that come before the first slice; empty for other codecs than H.264 and H.265."""
    found = []
    for unit in units(data, length_bytes):
        kind = _kind(codec, unit)
        if kind in (H264_PARAMETER_SETS if codec == "h264" else HEVC_PARAMETER_SETS):
            found.append(unit)
        elif _is_slice(codec, kind):
            break
    return tuple(found)


def is_disposable(codec: str, data: bytes, length_bytes: int = 0) -> bool:
    """Whether no other picture of its temporal layer refers to this one; False where the codec does not say so
    cheaply. H.264: no other at all."""
    if codec not in ("h264", "hevc"):
        return False
    for unit in units(data, length_bytes):
        kind = _kind(codec, unit)
        if _is_slice(codec, kind):
            # H.264: nal_ref_idc is 0. H.265: even types below 16 are sub-layer non-reference pictures.
            return unit[0] & 0x60 == 0 if codec == "h264" else kind < 16 and kind % 2 == 0
    return False


def temporal_layer(data: bytes, length_bytes: int = 0) -> int:
    """Number of the H.265 picture's temporal layer, from 0; 0 where there is no slice."""
    for unit in units(data, length_bytes):
        if _is_slice("hevc", _kind("hevc", unit)) and len(unit) > 1:
            return max(0, (unit[1] & 0x07) - 1)
    return 0


def has_picture(codec: str, data: bytes, length_bytes: int = 0) -> bool:
    """Whether there is a slice in it; True for codecs that are not looked into.

    A connection that ends within an access unit leaves its beginning: a delimiter, perhaps parameter sets.
    """
    if codec not in ("h264", "hevc"):
        return True
    return any(_is_slice(codec, _kind(codec, unit)) for unit in units(data, length_bytes))


def byte_stream(sets: tuple[bytes, ...]) -> bytes:
    """Parameter sets as FFmpeg takes them for configuration of a byte stream."""
    return b"".join(b"\x00" + START_CODE + unit for unit in sets)


def _kind(codec: str, unit: bytes) -> int:
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def _is_slice(codec: str, kind: int) -> bool:
    return 1 <= kind <= 5 if codec == "h264" else kind < 32
