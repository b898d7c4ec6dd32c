"""A clip as a camera would send it: encoded pictures in decode order that follow themselves when the end is reached.

Nothing is encoded again: H.264 and H.265 become byte streams by FFmpeg's bitstream filters, JPEG images get the
Huffman tables that RTP needs without loss. The film begins at the first picture that can be decoded by itself.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.error
import msgspec
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from penstock.restream import nal_units
from penstock.restream.jpeg_image import JpegError
from penstock.restream.jpeg_transcode import for_rtp
from penstock.restream.media import Codec, MediaDescription
from penstock.restream.payload import PayloadError
from penstock.restream.payload_formats import format_for
from penstock.restream.payload_mpeg4 import has_layer

NS_PER_S = 1_000_000_000
LARGEST_BYTES = 512 * 1024 * 1024
"""a film is kept in memory whole"""
_FILTERS: dict[str, str] = {
    "h264": "h264_mp4toannexb",
    "hevc": "hevc_mp4toannexb",
    "mpeg4": "mpeg4_unpack_bframes",
}
_CODECS: dict[str, Codec] = {"h264": "h264", "hevc": "hevc", "mpeg4": "mpeg4", "mjpeg": "mjpeg"}
_PARAMETER_SETS = {"h264": frozenset({7, 8}), "hevc": frozenset({32, 33, 34})}


class FilmError(ValueError):
    """A file that cannot be sent as it is: says what, where and what to do."""


class FilmUnit(msgspec.Struct, frozen=True, gc=False):
    """One encoded picture; times count from the film's first shown picture."""

    data: bytes
    keyframe: bool
    pts_ns: int
    dts_ns: int
    """never later than `pts_ns`, never earlier than that of the unit before; the first may be negative"""


class Film(msgspec.Struct, frozen=True):
    media: MediaDescription
    units: tuple[FilmUnit, ...]
    """in decode order; the first is a keyframe"""
    duration_ns: int
    """after so long the film begins again"""

    @property
    def reorder_ns(self) -> int:
        """How long an encoder holds pictures back for reordering: 0 without B-frames."""
        return max(unit.pts_ns - unit.dts_ns for unit in self.units)


def film_of_file(path: Path) -> Film:
    """Reads the video of `path`. Raises FilmError for a file that is missing, damaged, or cannot be sent by RTP."""
    try:
        with av.open(path) as container:
            return _film(path, container)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FilmError(f"{path} cannot be read as video: {reason}. Give a video file that FFmpeg plays") from None


def _film(path: Path, container: InputContainer) -> Film:
    if not container.streams.video:
        raise FilmError(f"{path} has no video. Give a file with a video stream")
    stream = container.streams.video[0]
    codec = _CODECS.get(stream.codec_context.name)
    if codec is None:
        raise FilmError(
            f"{path}: {stream.codec_context.name} cannot be sent over RTSP here. "
            f"Convert it to H.264: ffmpeg -i {path.name} -c:v libx264 out.mp4"
        )
    if container.format.name == "avi" and stream.codec_context.has_b_frames:
        raise FilmError(
            f"{path}: an AVI file with B-frames does not say when its pictures are shown. "
            "Convert it anew: ffmpeg -i … -c:v libx264 out.mp4"
        )
    packets = list(_packets(path, container, stream, codec))
    first = next((index for index, packet in enumerate(packets) if packet.is_keyframe), None)
    if first is None:
        raise FilmError(f"{path} has no keyframe: decoding could not begin anywhere. Convert it anew")
    base = stream.time_base
    if base is None:
        raise FilmError(f"{path} has no time base. Convert it to MP4")
    rate = stream.average_rate or stream.guessed_rate
    fps = float(rate) if rate else 0.0
    units, duration_ns = _timed(path, packets[first:], base.numerator, base.denominator, fps, codec)
    media = MediaDescription(
        codec=codec,
        width_px=stream.codec_context.width,
        height_px=stream.codec_context.height,
        fps=fps,
        config=_config(codec, units[0].data, bytes(stream.codec_context.extradata or b"")),
    )
    try:
        format_for(codec).parameters(media)
        for unit in units:
            format_for(codec).payloads(media, unit.data, keyframe=unit.keyframe, largest_bytes=1400)
    except PayloadError as error:
        raise FilmError(f"{path} cannot be sent over RTSP: {error}") from None
    return Film(media, units, duration_ns)


def _packets(path: Path, container: InputContainer, stream: VideoStream, codec: Codec) -> "Iterator[Packet[Any]]":
    name = _FILTERS.get(codec)
    through = BitStreamFilterContext(name, in_stream=stream) if name is not None else None
    total_bytes = 0
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        total_bytes += packet.size
        if total_bytes > LARGEST_BYTES:
            raise FilmError(f"{path} is longer than {LARGEST_BYTES >> 20} MiB, which a film keeps in memory. Cut it")
        yield from [packet] if through is None else through.filter(packet)
    if through is not None:
        yield from through.filter(None)


def _timed(
    path: Path, packets: "list[Packet[Any]]", numerator: int, denominator: int, fps: float, codec: Codec
) -> tuple[tuple[FilmUnit, ...], int]:
    def ns(ticks: int) -> int:
        return ticks * numerator * NS_PER_S // denominator

    interval = max(1, round(denominator / ((fps or 25.0) * numerator)))
    start = packets[0].pts
    if start is None or any(packet.pts is None for packet in packets):
        raise FilmError(f"{path} has pictures without presentation times. Put it into MP4: ffmpeg -i … -c copy out.mp4")
    # Pictures shown before the first keyframe refer to pictures that are not there.
    kept = [packet for packet in packets if packet.pts is not None and packet.pts >= start]
    decoded = _decode_times(kept, interval)
    for index, (packet, dts) in enumerate(zip(kept, decoded, strict=True)):
        if dts > int(packet.pts or 0) or (index and dts < decoded[index - 1]):
            raise FilmError(
                f"{path}: the timestamps at picture {index} run backwards. "
                "Convert it anew: ffmpeg -i … -c:v libx264 out.mp4"
            )
    units = tuple(
        FilmUnit(_data(path, packet, codec), packet.is_keyframe, ns(int(packet.pts or 0) - start), ns(dts - start))
        for packet, dts in zip(kept, decoded, strict=True)
    )
    shown_end = max(int(packet.pts or 0) + (packet.duration or interval) for packet in kept) - start
    decoded_end = decoded[-1] + (kept[-1].duration or interval) - decoded[0]
    return units, ns(max(shown_end, decoded_end))


def _decode_times(packets: "list[Packet[Any]]", interval: int) -> list[int]:
    """Matroska leaves out the first ones; they lie one picture apart before the first that is known."""
    times: list[int] = []
    following: int | None = None
    for packet in reversed(packets):
        if packet.dts is not None:
            following = packet.dts
        else:
            following = int(packet.pts or 0) if following is None else following - interval
        times.append(following)
    return times[::-1]


def _data(path: Path, packet: "Packet[Any]", codec: Codec) -> bytes:
    data = bytes(packet)
    if codec != "mjpeg":
        return data
    try:
        return for_rtp(data)
    except JpegError as error:
        raise FilmError(f"{path} cannot be sent over RTSP: {error}. Convert it to H.264") from None


def _config(codec: Codec, first: bytes, extradata: bytes) -> bytes:
    """The parameter sets: from the first keyframe, where the bitstream filter has put them, or the container's."""
    if codec == "mjpeg":
        return b""
    if codec == "mpeg4":
        at = first.find(b"\x00\x00\x01\xb6")
        own = first[: max(at, 0)]
        gov = own.find(b"\x00\x00\x01\xb3")
        own = own[:gov] if gov >= 0 else own
        return own if has_layer(own) else extradata
    kinds = _PARAMETER_SETS[codec]
    sets = [
        unit for unit in nal_units.split(first) if (unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63) in kinds
    ]
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in sets)
