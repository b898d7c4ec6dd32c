"""Decodes one session's access units and says which of them each picture came from, or why none came.

One thread per decoder: FFmpeg's frame threads would hold pictures back, and a host with many cameras has no cores to
give to one. Pictures that FFmpeg marks as damaged are not given out: a grey frame is worse than none.

What refers to a damaged picture is damaged too, and FFmpeg does not mark it (measured: after one lost or cut H.264
picture the rest of its GOP comes out unmarked). So after damage nothing is given out until the next intact keyframe:
all of it is decoded, so that the decoder keeps its state, and counted `undecodable`.
"""

from collections.abc import Iterator

import av
from av.codec.context import Flags

from penstock.contracts.fates import UnitFate
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.ingest.books import UnitBooks
from penstock.sources import image_header

INTRA_CODECS = frozenset({"mjpeg", "png", "rawvideo"})
"""pictures that refer to no other: damage stays in one"""
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
        self._intra = info.codec in INTRA_CODECS
        self._writes_ends = False
        self._damaged = False
        self._fed = False
        """it may refer to what it was fed"""
        self._tainted: set[int] = set()
        """units in the decoder that refer, or may refer, to damage"""
        self._clean_from_pts: int | None = None

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
        if not self._seen_keyframe or not packet.data or (self._intra and self._is_cut(packet)):
            # FFmpeg takes an empty unit for the end of the stream.
            self._books.settle(UnitFate.UNDECODABLE)
            return
        self._judge(packet)
        unit = _unit(packet)
        unit.opaque = packet
        self._held[packet.id.seq] = packet
        self._fed = True
        try:
            yield from self._settle(self._opened().decode(unit))
        except av.FFmpegError:
            if self._held.pop(packet.id.seq, None) is not None:
                self._books.settle(UnitFate.UNDECODABLE)
                self._tainted.discard(packet.id.seq)
                if not packet.disposable:
                    self._spread_from(packet)
        while len(self._held) > _MAX_HELD:
            self._give_up_oldest()

    def flush(self) -> Iterator[tuple[EncodedPacket, av.VideoFrame]]:
        """Gives out what the decoder still holds: at the end of a file, or before another decoder takes over."""
        try:
            yield from self._settle(self._opened().decode(None))
        except av.FFmpegError:
            pass
        while self._held:
            self._give_up_oldest()

    def holds(self, packet: EncodedPacket) -> bool:
        """Whether its picture is yet to come."""
        return packet.id.seq in self._held

    def forget(self) -> None:
        """Drops every picture it holds or refers to, also after `flush`: the next unit must be a keyframe.

        Recovery at a keyframe that is no IDR picture is FFmpeg's: it shows nothing that was not decoded whole.
        """
        while self._held:
            self._give_up_oldest()
        if self._fed:
            self._fed = False
            self._opened().flush_buffers()

    def feed_again(self, packet: EncodedPacket) -> None:
        """Feeds a keyframe whose picture was given out before `forget`: for what refers to it, and to no account."""
        self._fed = True
        try:
            self._opened().decode(_unit(packet))
        except av.FFmpegError:
            self._damaged = True

    def close(self) -> None:
        """What has shown no picture by now ends `lost`: its session ended first."""
        self._books.settle(UnitFate.LOST, len(self._held))
        self._held.clear()
        self._tainted.clear()
        self._codec = None

    def _give_up_oldest(self) -> None:
        """It will show no picture."""
        oldest = next(iter(self._held))
        del self._held[oldest]
        self._books.settle(UnitFate.UNDECODABLE if oldest in self._tainted else UnitFate.SKIPPED)
        self._tainted.discard(oldest)

    def _settle(self, frames: list[av.VideoFrame]) -> Iterator[tuple[EncodedPacket, av.VideoFrame]]:
        for frame in frames:
            source = frame.opaque
            packet = self._held.pop(source.id.seq, None) if isinstance(source, EncodedPacket) else None
            if packet is None:
                # A second picture from one unit (field pairs): the unit is settled already.
                continue
            tainted = packet.id.seq in self._tainted
            self._tainted.discard(packet.id.seq)
            if frame.is_corrupt and not packet.disposable:
                self._spread_from(packet)
            if frame.is_corrupt or tainted:
                self._books.settle(UnitFate.UNDECODABLE)
                continue
            self._books.settle(UnitFate.DECODED)
            yield packet, frame

    def _judge(self, packet: EncodedPacket) -> None:
        """Whether the unit is damaged, or may refer to damage."""
        if self._intra:
            if packet.corrupt:
                self._tainted.add(packet.id.seq)
            return
        if packet.keyframe and not packet.corrupt:
            if self._damaged:
                # Pictures that are shown before the keyframe but come after it may refer to before it.
                self._clean_from_pts = packet.pts
            self._damaged = False
        elif packet.corrupt and not packet.disposable:
            self._damaged = True
        leading = self._clean_from_pts is not None and packet.pts is not None and packet.pts < self._clean_from_pts
        if packet.corrupt or self._damaged or leading:
            self._tainted.add(packet.id.seq)

    def _spread_from(self, packet: EncodedPacket) -> None:
        """Damage showed in the decoder: units fed since, up to the next keyframe, may refer to it."""
        if self._intra:
            return
        for unit in self._held.values():
            if unit.id.seq > packet.id.seq:
                if unit.keyframe:
                    return
                self._tainted.add(unit.id.seq)
        self._damaged = True

    def _is_cut(self, packet: EncodedPacket) -> bool:
        """Images without an end are cut off, unless this camera never writes one."""
        if self._info.codec not in ("mjpeg", "png"):
            return False
        whole = image_header.is_whole(packet.data)
        self._writes_ends = self._writes_ends or whole
        return self._writes_ends and not whole

    def _opened(self) -> av.VideoCodecContext:
        if self._codec is None:
            raise RuntimeError("the decoder is not open")
        return self._codec


def _unit(packet: EncodedPacket) -> "av.Packet[av.stream.Stream]":
    # Not Packet(data): that lends FFmpeg the bytes without the padding behind them that its decoders read into
    # (measured: damage reported in intact MPEG-4).
    unit = av.Packet(len(packet.data))
    unit.update(packet.data)
    unit.pts = packet.pts
    unit.dts = packet.dts
    return unit
