"""Which payload format carries which codec."""

from penstock.restream.media import Codec
from penstock.restream.payload import PayloadFormat
from penstock.restream.payload_h264 import H264Payload
from penstock.restream.payload_hevc import HevcPayload
from penstock.restream.payload_jpeg import JpegPayload
from penstock.restream.payload_mpeg4 import Mpeg4Payload

_FORMATS: dict[Codec, PayloadFormat] = {
    "h264": H264Payload(),
    "hevc": HevcPayload(),
    "mpeg4": Mpeg4Payload(),
    "mjpeg": JpegPayload(),
}


def format_for(codec: Codec) -> PayloadFormat:
    return _FORMATS[codec]
