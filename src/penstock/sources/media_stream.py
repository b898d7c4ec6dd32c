"""The video stream of an opened FFmpeg container: its description, and its packets turned into plain values."""

import struct
from fractions import Fraction

import av
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from penstock.contracts.packets import StreamInfo
from penstock.sources import allocation_limit, faults, loss_log

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000

UNKNOWN_TIME_BASE = (1, 1_000_000)


def prepare_ffmpeg() -> None:
    """Before anything is opened. FFmpeg writes nothing by itself: its lines hold URLs with passwords, and faults say
    what matters. And it takes no more memory at once than video needs."""
    if not loss_log.listening():
        av.logging.set_level(None)
    allocation_limit.limit_allocations()


def choose_video(container: InputContainer, url: str) -> VideoStream:
    """The first video stream; all others are left unread. Raises SourceError where there is none to decode."""
    chosen: VideoStream | None = None
    for stream in container.streams:
        if chosen is None and isinstance(stream, VideoStream):
            chosen = stream
        else:
            stream.discard = Discard.all
    if chosen is None:
        if any(stream.type == "video" for stream in container.streams):
            raise faults.unknown_codec(url)
        raise faults.no_video(url, [stream.type for stream in container.streams])
    if getattr(chosen, "codec_context", None) is None or chosen.codec_context.name in ("", "none"):
        raise faults.unknown_codec(url)
    return chosen


def describe(container: InputContainer, stream: VideoStream) -> StreamInfo:
    """What is known of the stream at opening; sizes are 0 where no keyframe has been seen yet."""
    codec = stream.codec_context
    rate = stream.average_rate or stream.guessed_rate or Fraction(0)
    base = stream.time_base
    return StreamInfo(
        codec=codec.name,
        width_px=codec.width,
        height_px=codec.height,
        time_base=(base.numerator, base.denominator) if base else UNKNOWN_TIME_BASE,
        extradata=bytes(codec.extradata or b""),
        fps=round(float(rate), 3),
        reorder_frames=int(codec.reorder_depth),
        profile=codec.profile or "",
        bit_rate=codec.bit_rate or container.bit_rate or 0,
        has_audio=any(other.type == "audio" for other in container.streams),
    )


def media_ns(value: int | None, time_base: tuple[int, int]) -> int | None:
    """A time stamp in nanoseconds, rounded down; exact integers, for a stream runs for years."""
    return None if value is None else value * time_base[0] * NS_PER_S // time_base[1]


def sender_utc_ns(packet: "Packet[VideoStream]") -> int | None:
    """The sender's wall clock for this packet, from RTCP (FFmpeg's AVProducerReferenceTime); None without it."""
    if not packet.has_sidedata("prft"):
        return None
    (wallclock_us,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
    return int(wallclock_us) * NS_PER_US
