"""Makes of everything that a source may yield what the rest of ingest works with: a packet for the ring, and a picture.

An access unit passes as it is. A still image (JPEG, PNG) is a packet of its own codec that needs no other. Raw pixels
are a picture already; where clips and snapshots are made of them they are encoded here as well, see `raw_encoder` for
what that costs. Nothing that is encoded here is ever decoded by ingest.
"""

import logging
from typing import NamedTuple

import av

from penstock.contracts.packets import EncodedImage, EncodedPacket, RawFrame, SourceItem, StreamInfo
from penstock.contracts.sources import SourceError, SourceFault, SourceSession
from penstock.ingest.raw_encoder import RawEncoder
from penstock.ingest.raw_picture import picture_of
from penstock.sources import image_header

log = logging.getLogger(__name__)

TIME_BASE = (1, 90_000)
_CODECS = {"image/jpeg": "mjpeg", "image/png": "png"}


class Taken(NamedTuple):
    """One item on its way: exactly one of `packet` and `picture` is there."""

    packet: EncodedPacket | None
    picture: av.VideoFrame | None
    info: StreamInfo
    unit: EncodedPacket
    """identity and times in the shape of a packet; for raw pixels without data"""


class Intake:
    """For one session; used by one thread."""

    def __init__(self, session: SourceSession) -> None:
        self._session = session
        self._infos: dict[tuple[str, int, int], tuple[int, StreamInfo]] = {}
        self._first_ns: int | None = None
        self._last_pts = -1
        self._encoder: RawEncoder | None = None
        self._unencodable = False

    def take(self, item: SourceItem) -> Taken:
        """Raises SourceError where an item is not what it says."""
        if isinstance(item, EncodedPacket):
            return Taken(item, None, self._session.info(item.info_id), item)
        if isinstance(item, EncodedImage):
            codec = _CODECS.get(item.mime.lower())
            if codec is None:
                raise SourceError(SourceFault.UNSUPPORTED, f"images of type {item.mime}", "JPEG and PNG are known")
            width_px, height_px = image_header.size_of(item.data) or (0, 0)
            info_id, info = self._info(codec, width_px, height_px)
            unit = self._unit(item, info_id, item.data)
            return Taken(unit, None, info, unit)
        if not isinstance(item, RawFrame):
            raise SourceError(SourceFault.UNSUPPORTED, f"a source gave a {type(item).__name__}, which nobody knows")
        try:
            picture = picture_of(item)
        except ValueError as error:
            raise SourceError(SourceFault.INVALID_DATA, f"raw pixels: {error}") from error
        info_id, info = self._info(item.format, item.width_px, item.height_px)
        return Taken(None, picture, info, self._unit(item, info_id, b""))

    def encoded(self, taken: Taken) -> tuple[EncodedPacket, StreamInfo] | None:
        """A raw picture's packet, with its configuration; None where the encoder gave none.

        Where pictures cannot be encoded the session has no clips, which is said once; it goes on.
        """
        assert taken.picture is not None
        unit = taken.unit
        if self._unencodable:
            return None
        try:
            if self._encoder is None or not self._encoder.fits(taken.picture):
                self._encoder = RawEncoder(taken.picture, unit.info_id).open()
            return self._encoder.encode(taken.picture, unit)
        except (av.FFmpegError, ValueError) as error:
            self._unencodable = True
            where = {"camera": unit.id.stream.camera}
            log.warning("its raw pictures cannot be encoded, so there are no clips: %s", error, extra=where)
            return None

    def _info(self, codec: str, width_px: int, height_px: int) -> tuple[int, StreamInfo]:
        key = (codec, width_px, height_px)
        if key not in self._infos:
            # Ids are not given twice, whatever was forgotten: sizes that keep changing must not fill the memory.
            next_id = max((known for known, _ in self._infos.values()), default=-1) + 1
            if len(self._infos) >= 16:
                del self._infos[next(iter(self._infos))]
            self._infos[key] = (next_id, StreamInfo(codec, width_px, height_px, TIME_BASE, b""))
        return self._infos[key]

    def _unit(self, item: EncodedImage | RawFrame, info_id: int, data: bytes) -> EncodedPacket:
        capture_ns = item.capture.mono_ns
        if self._first_ns is None:
            self._first_ns = capture_ns
        pts = (capture_ns - self._first_ns) * TIME_BASE[1] // 1_000_000_000
        pts = self._last_pts = max(pts, self._last_pts + 1)
        return EncodedPacket(
            id=item.id,
            info_id=info_id,
            data=data,
            keyframe=True,
            pts=pts,
            dts=pts,
            duration=0,
            received_ns=item.received_ns,
            capture=item.capture,
        )
