"""Knows which codec configuration each packet of a session was made with, and notices when it changes in-band.

A camera that is reconfigured, or a stream joined in the middle of a GOP, brings its parameter sets with a keyframe;
a container brings new extradata with a packet. Each change makes a new `StreamInfo`. Its size is learnt by decoding
that one keyframe: once per change, and nothing has to be parsed twice.
"""

import contextlib

import av
import av.error
import msgspec
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from penstock.contracts.packets import StreamInfo
from penstock.sources import nal_units

BOUND = 64
"""configurations remembered per session; the oldest leaves: packets that old have left every ring"""


class CodecConfigurations:
    """The configurations of one session, by `info_id`."""

    def __init__(self, first: StreamInfo) -> None:
        self._infos = {0: first}
        self._current_id = 0
        self._sets = _sets_of(first)

    @property
    def current(self) -> StreamInfo:
        return self._infos[self._current_id]

    def get(self, info_id: int) -> StreamInfo:
        """Raises LookupError for an id that was never given out or has been forgotten."""
        return self._infos[info_id]

    def take(self, packet: "Packet[VideoStream]", data: bytes, keyframe: bool) -> int:
        """The configuration of `packet`, whose bytes are `data`: the current one, or a new one that it brings."""
        if packet.has_sidedata("new_extradata"):
            extradata = bytes(packet.get_sidedata("new_extradata"))
            if extradata != self.current.extradata:
                self._add(msgspec.structs.replace(self.current, extradata=extradata), data)
                self._sets = _sets_of(self.current)
        elif keyframe and self.current.codec in ("h264", "hevc"):
            length_bytes = nal_units.length_size(self.current.codec, self.current.extradata)
            sets = nal_units.parameter_sets(self.current.codec, data, length_bytes) if not length_bytes else ()
            if sets and not self._sets.issuperset(sets):
                self._sets = frozenset(sets)
                extradata = nal_units.byte_stream(tuple(dict.fromkeys(sets)))
                self._add(msgspec.structs.replace(self.current, extradata=extradata), data)
        return self._current_id

    def _add(self, info: StreamInfo, keyframe_data: bytes) -> None:
        self._current_id += 1
        self._infos[self._current_id] = _described(info, keyframe_data)
        if len(self._infos) > BOUND:
            del self._infos[min(self._infos)]


def _sets_of(info: StreamInfo) -> frozenset[bytes]:
    if info.codec not in ("h264", "hevc") or not nal_units.is_byte_stream(info.extradata):
        return frozenset()
    return frozenset(nal_units.parameter_sets(info.codec, info.extradata))


def _described(info: StreamInfo, keyframe_data: bytes) -> StreamInfo:
    """`info` with the size and profile of the picture in `keyframe_data`; as it was where that does not decode."""
    with contextlib.suppress(av.error.FFmpegError):
        decoder = CodecContext.create(info.codec, "r")
        assert isinstance(decoder, VideoCodecContext)
        decoder.extradata = info.extradata or None
        decoder.thread_count = 1
        # Not Packet(data): that lends FFmpeg the bytes without the padding that its decoders read into.
        packet = Packet(len(keyframe_data))
        packet.update(keyframe_data)
        pictures = [*decoder.decode(packet), *decoder.decode(None)]
        if pictures:
            return msgspec.structs.replace(
                info,
                width_px=pictures[0].width,
                height_px=pictures[0].height,
                profile=decoder.profile or info.profile,
                reorder_frames=int(decoder.reorder_depth),
            )
    return info
