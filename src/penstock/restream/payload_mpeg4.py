"""MPEG-4 part 2 over RTP (RFC 6416, section 5): the video object plane, cut where the packet is full."""

from penstock.restream.media import MediaDescription
from penstock.restream.payload import DYNAMIC_PAYLOAD_TYPE, PayloadError

_START = b"\x00\x00\x01"
_SEQUENCE_START = b"\x00\x00\x01\xb0"
_PLANE_START = b"\x00\x00\x01\xb6"
_LAYER_CODES = range(0x20, 0x30)
_SIMPLE_PROFILE_LEVEL_1 = 1


class Mpeg4Payload:
    payload_type = DYNAMIC_PAYLOAD_TYPE
    encoding = "MP4V-ES/90000"

    def parameters(self, description: MediaDescription) -> str:
        config = description.config
        if not has_layer(config):
            raise PayloadError(
                "MPEG-4 configuration without a video object layer: give the headers before the first VOP"
            )
        at = config.find(_SEQUENCE_START)
        level = config[at + 4] if 0 <= at < len(config) - 4 else _SIMPLE_PROFILE_LEVEL_1
        return f"profile-level-id={level};config={config.hex().upper()}"

    def payloads(
        self, description: MediaDescription, data: bytes, *, keyframe: bool, largest_bytes: int
    ) -> list[bytes]:
        if _PLANE_START not in data:
            raise PayloadError("no video object plane in an MPEG-4 picture")
        if keyframe and not has_layer(data):
            data = description.config + data
        return [data[at : at + largest_bytes] for at in range(0, len(data), largest_bytes)]


def has_layer(data: bytes) -> bool:
    """Whether the video object layer, which says the size, is in `data` before the first picture."""
    at = data.find(_START)
    while 0 <= at < len(data) - 3:
        code = data[at + 3]
        if code in _LAYER_CODES:
            return True
        if code == _PLANE_START[3]:
            return False
        at = data.find(_START, at + 3)
    return False
