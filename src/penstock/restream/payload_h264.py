"""H.264 over RTP (RFC 6184, packetization-mode 1): single NAL units, STAP-A for small ones, FU-A for large ones."""

import base64
from collections.abc import Sequence

from penstock.restream import nal_units
from penstock.restream.media import MediaDescription
from penstock.restream.nal_packing import packed
from penstock.restream.payload import DYNAMIC_PAYLOAD_TYPE, PayloadError

_SPS, _PPS, _DELIMITER = 7, 8, 9
_STAP_A, _FU_A = 24, 28
_PICTURE_TYPES = frozenset(range(1, 6))


class H264Payload:
    payload_type = DYNAMIC_PAYLOAD_TYPE
    encoding = "H264/90000"

    def parameters(self, description: MediaDescription) -> str:
        units = nal_units.split(description.config)
        sets = [unit for kind in (_SPS, _PPS) for unit in units if unit[0] & 31 == kind]
        if not sets:
            # Legal: a receiver then takes them from the stream, where they precede every keyframe.
            return "packetization-mode=1"
        if sets[0][0] & 31 != _SPS or len(sets[0]) < 4:
            raise PayloadError("H.264 configuration without a sequence parameter set: give SPS and PPS, or nothing")
        encoded = ",".join(base64.b64encode(unit).decode() for unit in sets)
        return f"packetization-mode=1;profile-level-id={sets[0][1:4].hex().upper()};sprop-parameter-sets={encoded}"

    def payloads(
        self, description: MediaDescription, data: bytes, *, keyframe: bool, largest_bytes: int
    ) -> list[bytes]:
        units = nal_units.split(data)
        if not units:
            raise PayloadError("no NAL unit in an H.264 picture: is it a byte stream with start codes?")
        if keyframe and not any(unit[0] & 31 == _SPS for unit in units):
            at = 1 if units[0][0] & 31 == _DELIMITER else 0
            units[at:at] = nal_units.split(description.config)
        return packed(units, largest_bytes, header_bytes=1, may_share=_may_share, header=_header, fragments=_fragments)


def _may_share(unit: bytes) -> bool:
    return unit[0] & 31 not in _PICTURE_TYPES


def _header(units: Sequence[bytes]) -> bytes:
    return bytes([max(unit[0] & 0x60 for unit in units) | _STAP_A])


def _fragments(unit: bytes, largest_bytes: int) -> list[bytes]:
    indicator = unit[0] & 0x60 | _FU_A
    kind = unit[0] & 31
    step = largest_bytes - 2
    last = len(unit) - step
    return [
        bytes([indicator, kind | (0x80 if at == 1 else 0) | (0x40 if at >= last else 0)]) + unit[at : at + step]
        for at in range(1, len(unit), step)
    ]
