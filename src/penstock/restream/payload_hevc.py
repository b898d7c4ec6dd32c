"""H.265 over RTP (RFC 7798): single NAL units, aggregation packets for small ones, fragmentation units for large."""

import base64
from collections.abc import Sequence

from penstock.restream import nal_units
from penstock.restream.media import MediaDescription
from penstock.restream.nal_packing import packed
from penstock.restream.payload import DYNAMIC_PAYLOAD_TYPE, PayloadError

_SETS = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}
_SPS, _DELIMITER = 33, 35
_FIRST_NON_PICTURE = 32
_AGGREGATION, _FRAGMENTATION = 48, 49


class HevcPayload:
    payload_type = DYNAMIC_PAYLOAD_TYPE
    encoding = "H265/90000"

    def parameters(self, description: MediaDescription) -> str:
        found: dict[str, list[str]] = {}
        for unit in nal_units.split(description.config):
            name = _SETS.get(_kind(unit))
            if name is not None:
                found.setdefault(name, []).append(base64.b64encode(unit).decode())
        return ";".join(f"{name}={','.join(found[name])}" for name in _SETS.values() if name in found)

    def payloads(
        self, description: MediaDescription, data: bytes, *, keyframe: bool, largest_bytes: int
    ) -> list[bytes]:
        units = [unit for unit in nal_units.split(data) if len(unit) > 2]
        if not units:
            raise PayloadError("no NAL unit in an H.265 picture: is it a byte stream with start codes?")
        if keyframe and not any(_kind(unit) == _SPS for unit in units):
            at = 1 if _kind(units[0]) == _DELIMITER else 0
            units[at:at] = nal_units.split(description.config)
        return packed(units, largest_bytes, header_bytes=2, may_share=_may_share, header=_header, fragments=_fragments)


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _may_share(unit: bytes) -> bool:
    return _kind(unit) >= _FIRST_NON_PICTURE


def _header(units: Sequence[bytes]) -> bytes:
    """Section 4.4.2: the lowest layer and the lowest temporal id of those inside."""
    layer = min((unit[0] & 1) << 5 | unit[1] >> 3 for unit in units)
    temporal = min(unit[1] & 7 for unit in units)
    return bytes([_AGGREGATION << 1 | layer >> 5, (layer & 31) << 3 | temporal])


def _fragments(unit: bytes, largest_bytes: int) -> list[bytes]:
    head = bytes([unit[0] & 0x81 | _FRAGMENTATION << 1, unit[1]])
    kind = _kind(unit)
    step = largest_bytes - 3
    last = len(unit) - step
    return [
        head + bytes([kind | (0x80 if at == 2 else 0) | (0x40 if at >= last else 0)]) + unit[at : at + step]
        for at in range(2, len(unit), step)
    ]
