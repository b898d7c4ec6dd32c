"""Decodes one session's access units and says which of them each picture came from, or why none came.

One thread per decoder: FFmpeg's frame threads would hold pictures back, and a host with many cameras has no cores to
give to one. Pictures that FFmpeg marks as damaged are not given out: a grey frame is worse than none.
"""

from collections.abc import Iterator

import av
from av.codec.context import Flags

from penstock.contracts.fates import UnitFate
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.ingest.books import UnitBooks

# H.264 and H.265 may hold back at most 16 pictures; a unit older than that will never show one.
_MAX_HELD = 17


class Decoder:
    """One codec configuration's decoder; units and pictures are matched by FFmpeg's opaque pointer.

    What it points at is the packet itself: PyAV finds it by its address, so that one object in two decoders (a small
    number, which Python keeps once for all) would be gone for both as soon as one has done with it.
    """

    def __init__(self, info: StreamInfo, books: UnitBooks) -> None:
        self._info = info
        self._books = books
        self._codec: av.VideoCodecContext | None = None
        self._held: dict[int, EncodedPacket] = {}
        self._seen_keyframe = False

    def open(self) -> "Decoder":
        """Raises ValueError where this FFmpeg has no decoder for the codec."""
        try:
            codec = av.CodecContext.create(self._info.codec, "r")
        except (av.FFmpegError, ValueError) as error:
            raise ValueError(f"FFmpeg has no decoder for {self._info.codec}") from error
        assert isinstance(codec, av.VideoCodecContext)
        if self._info.extradata:
            codec.extradata = self._info.extradata
        codec.thread_count = 1
        codec.flags |= Flags.copy_opaque
        self._codec = codec
        return self

    def decode(self, packet: EncodedPacket) -> Iterator[tuple[EncodedPacket, av.VideoFrame]]:
        """Feeds one unit; yields each picture that is ready, with the unit it came from.

        Every unit fed is settled in the books when its picture comes, when it turns out damaged, or at `close`.
        """
        self._seen_keyframe = self._seen_keyframe or packet.keyframe
        if not self._seen_keyframe or not packet.data:
            # FFmpeg takes an empty unit for the end of the stream.
            self._books.settle(UnitFate.UNDECODABLE)
            return
        unit = av.Packet(packet.data)
        unit.pts = packet.pts
        unit.dts = packet.dts
        unit.opaque = packet
        self._held[packet.id.seq] = packet
        try:
            yield from self._settle(self._opened().decode(unit))
        except av.FFmpegError:
            if self._held.pop(packet.id.seq, None) is not None:
                self._books.settle(UnitFate.UNDECODABLE)
        while len(self._held) > _MAX_HELD:
            del self._held[next(iter(self._held))]
            self._books.settle(UnitFate.SKIPPED)

    def flush(self) -> Iterator[tuple[EncodedPacket, av.VideoFrame]]:
        """Gives out what the decoder still holds: at the end of a file, when no unit will follow."""
        try:
            yield from self._settle(self._opened().decode(None))
        except av.FFmpegError:
            pass
        self._books.settle(UnitFate.SKIPPED, len(self._held))
        self._held.clear()

    def close(self) -> None:
        """What has shown no picture by now ends `lost`: its session ended first."""
        self._books.settle(UnitFate.LOST, len(self._held))
        self._held.clear()
        self._codec = None

    def _settle(self, frames: list[av.VideoFrame]) -> Iterator[tuple[EncodedPacket, av.VideoFrame]]:
        for frame in frames:
            source = frame.opaque
            packet = self._held.pop(source.id.seq, None) if isinstance(source, EncodedPacket) else None
            if packet is None:
                # A second picture from one unit (field pairs): the unit is settled already.
                continue
            if frame.is_corrupt:
                self._books.settle(UnitFate.UNDECODABLE)
                continue
            self._books.settle(UnitFate.DECODED)
            yield packet, frame

    def _opened(self) -> av.VideoCodecContext:
        if self._codec is None:
            raise RuntimeError("the decoder is not open")
        return self._codec
