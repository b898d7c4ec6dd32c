"""JPEG over RTP (RFC 2435): baseline images of 4:2:0 or 4:2:2, quantisation tables in band (Q = 255).

The format carries neither Huffman tables nor headers; a receiver makes them up. So an image must be coded with the
typical tables: `jpeg_transcode.for_rtp` turns any baseline image into such a one without loss.
"""

from penstock.restream.jpeg_image import JpegError, parse_jpeg
from penstock.restream.jpeg_tables import uses_typical_tables
from penstock.restream.media import MediaDescription
from penstock.restream.payload import PayloadError

JPEG_PAYLOAD_TYPE = 26
LARGEST_PX = 2040
_TYPES: dict[tuple[tuple[int, int], ...], int] = {((2, 1), (1, 1), (1, 1)): 0, ((2, 2), (1, 1), (1, 1)): 1}
_TABLES_IN_BAND = 255
_WITH_RESTARTS = 64
_WHOLE_IMAGE = b"\xff\xff"
"""restart header: first and last set, count 0x3FFF: the receiver gets all fragments before it decodes"""


class JpegPayload:
    payload_type = JPEG_PAYLOAD_TYPE
    encoding = "JPEG/90000"

    def parameters(self, description: MediaDescription) -> str:
        if max(description.width_px, description.height_px) > LARGEST_PX:
            raise PayloadError(
                f"JPEG over RTP carries at most {LARGEST_PX}×{LARGEST_PX} pixels, not "
                f"{description.width_px}×{description.height_px}: use H.264 or a smaller picture"
            )
        return ""

    def payloads(
        self,
        description: MediaDescription,  # noqa: ARG002 - every image brings its own size and tables
        data: bytes,
        *,
        keyframe: bool,  # noqa: ARG002
        largest_bytes: int,
    ) -> list[bytes]:
        try:
            image = parse_jpeg(data)
        except JpegError as error:
            raise PayloadError(str(error)) from None
        kind = _TYPES.get(image.sampling)
        if kind is None:
            said = ", ".join(f"{across}x{down}" for across, down in image.sampling)
            raise PayloadError(f"a JPEG image sampled {said}: RTP carries 4:2:0 and 4:2:2 only; encode it so")
        if not uses_typical_tables(image):
            raise PayloadError(
                "a JPEG image with Huffman tables of its own, which RTP cannot carry: transcode it first"
            )
        if max(image.width_px, image.height_px) > LARGEST_PX:
            raise PayloadError(f"a JPEG image of {image.width_px}×{image.height_px} pixels: RTP carries {LARGEST_PX}")
        luma, blue, red = (image.quantisation.get(component.quantisation) for component in image.components)
        if luma is None or blue is None or blue != red:
            raise PayloadError("a JPEG image whose quantisation tables are missing, or differ between Cb and Cr")
        restart = b""
        if image.restart_interval:
            kind |= _WITH_RESTARTS
            restart = image.restart_interval.to_bytes(2, "big") + _WHOLE_IMAGE
        size = bytes([kind, _TABLES_IN_BAND, -(-image.width_px // 8), -(-image.height_px // 8)])
        tables = b"\x00\x00" + (len(luma) + len(blue)).to_bytes(2, "big") + luma + blue
        payloads = []
        at = 0
        while at < len(image.scan):
            head = b"\x00" + at.to_bytes(3, "big") + size + restart + (tables if at == 0 else b"")
            piece = image.scan[at : at + largest_bytes - len(head)]
            payloads.append(head + piece)
            at += len(piece)
        return payloads
