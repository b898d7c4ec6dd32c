"""The encoded pictures of a video file, in decode order, again and again from its start."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from penstock.base.clock import NS_PER_S
from penstock.base.units import format_duration
from penstock.contracts.identity import FrameId
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.times import CaptureTime
from penstock.sources import faults, media_stream, nal_units
from penstock.sources.codec_config import CodecConfigurations
from penstock.sources.file_timeline import Timeline
from penstock.sources.interruption import Interruption
from penstock.sources.temporal_layers import TemporalLayers

log = logging.getLogger(__name__)

CUT_NS = NS_PER_S
"""a file that ends this much before its declared end is cut off"""
MOST_REORDERED = 16
"""pictures that H.264 and H.265 may hold back for reordering"""


class FilePacket(NamedTuple):
    """One access unit of a file; times in nanoseconds beside those in the stream's time base."""

    info_id: int
    data: bytes
    keyframe: bool
    pts: int | None
    dts: int | None
    duration: int
    shown_ns: int
    """when it is to be shown: its PTS, or the best that stands for it; 0 for the first packet"""
    decoded_ns: int
    """when it is to be decoded, on the same scale"""
    disposable: bool
    corrupt: bool

    def encoded(self, identity: FrameId, received_ns: int, capture: CaptureTime) -> EncodedPacket:
        """This access unit as sources yield it."""
        return EncodedPacket(
            id=identity,
            info_id=self.info_id,
            data=self.data,
            keyframe=self.keyframe,
            pts=self.pts,
            dts=self.dts,
            duration=self.duration,
            received_ns=received_ns,
            capture=capture,
            disposable=self.disposable,
            corrupt=self.corrupt,
        )


def path_of(url: str) -> str:
    """The path that `file://…` or a plain path names."""
    return unquote(urlsplit(url).path) if url.lower().startswith("file://") else url


class MediaFile:
    """A file open for reading. `wait_open` and `close` bracket its use; one thread.

    `open_container` opens it elsewhere than by its path (over HTTP); `interruption` then ends calls that wait.
    """

    def __init__(
        self,
        path: str,
        url: str,
        options: dict[str, str],
        *,
        open_container: Callable[[], InputContainer] | None = None,
        interruption: Interruption | None = None,
    ) -> None:
        self._path = path
        self._url = url
        self._options = options
        self._open_container = open_container
        self._interruption = interruption or Interruption()
        self._container: InputContainer | None = None
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._configurations: CodecConfigurations | None = None
        self._timeline: Timeline | None = None
        self._first: StreamInfo | None = None
        self._declared_ns = 0
        self._reached_ns = 0
        self._told_cut = False
        self._length_bytes = 0
        self._layers = TemporalLayers()
        self.time_error_ns = 0
        """how wrong a picture's place in the file can be: not 0 where the container has no presentation times"""

    def wait_open(self) -> None:
        """Opens the file, or opens it again from its start; raises SourceError."""
        media_stream.prepare_ffmpeg()
        self.close()
        container = self._container = self._opened()
        try:
            stream = media_stream.choose_video(container, self._url)
        except SourceError:
            self.close()
            raise
        self._packets = container.demux(stream)
        self._declared_ns, self._reached_ns = _declared_ns(container, stream), 0
        if self._configurations is None or self._timeline is None:
            info = self._first = media_stream.describe(container, stream)
            self._configurations = CodecConfigurations(info)
            self._length_bytes = nal_units.length_size(info.codec, info.extradata)
            self._timeline = Timeline(info.time_base, info.fps)
            if container.format.name == "avi" and info.reorder_frames:
                # AVI has decode times only; FFmpeg passes them off as presentation times.
                self.time_error_ns = MOST_REORDERED * self._timeline.interval_ns
        else:
            self._refuse_another(media_stream.describe(container, stream))
            self._timeline.start_over()

    def _opened(self) -> InputContainer:
        if self._open_container is not None:
            return self._open_container()
        try:
            return av.open(self._path, options=dict(self._options), metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise faults.open_fault(error, self._url, self._path, 0, 1) from None

    def info(self, info_id: int) -> StreamInfo:
        if self._configurations is None:
            raise LookupError(f"{self._url} has not been opened")
        return self._configurations.get(info_id)

    def read(self) -> FilePacket | None:
        """The next access unit; None at the end. Raises SourceError where the file is damaged."""
        assert self._configurations is not None, "wait_open comes first"
        assert self._timeline is not None
        try:
            with self._interruption.ends_calls():
                packet = next(self._packets, None)
        except (av.error.FFmpegError, OSError) as error:
            if self._interruption.is_set():
                raise faults.interrupted(self._url) from None
            if self._reached_ns == 0 and faults.is_without_ranges(error, self._path):
                raise faults.no_ranges(self._url) from None
            raise faults.read_fault(error, self._url, 0) from None
        if packet is None or packet.size == 0:
            self._tell_if_cut()
            return None
        data = bytes(packet)
        info_id = self._configurations.take(packet, data, packet.is_keyframe)
        codec = self._configurations.current.codec
        duration = packet.duration or 0
        pts, dts, shown_ns, decoded_ns = self._timeline.place(packet.pts, packet.dts, duration)
        self._reached_ns = max(
            self._reached_ns, shown_ns + self._timeline.interval_ns - self._timeline.reading_start_ns
        )
        return FilePacket(
            info_id=info_id,
            data=data,
            keyframe=packet.is_keyframe,
            pts=pts,
            dts=dts,
            duration=duration,
            shown_ns=shown_ns,
            decoded_ns=decoded_ns,
            disposable=packet.is_disposable or self._layers.is_disposable(codec, data, self._length_bytes),
            corrupt=packet.is_corrupt,
        )

    def _refuse_another(self, info: StreamInfo) -> None:
        """Its packets could not be read with what was learnt of the first: another session has to begin."""
        assert self._first is not None
        known = self._first
        if (info.codec, info.extradata, info.time_base) != (known.codec, known.extradata, known.time_base):
            self.close()
            raise SourceError(
                SourceFault.IO_ERROR,
                f"{self._url}: the file was replaced by another video ({_gist(known)} before, {_gist(info)} now)",
                "It is read from its start",
            )

    def _tell_if_cut(self) -> None:
        if self._declared_ns - self._reached_ns > CUT_NS and not self._told_cut:
            self._told_cut = True
            log.warning(
                "%s ends after %s of the %s it declares: it is cut off, or still being written",
                self._url,
                format_duration(self._reached_ns),
                format_duration(self._declared_ns),
            )

    def close(self) -> None:
        container, self._container = self._container, None
        self._packets = iter(())
        if container is not None:
            with contextlib.suppress(av.error.FFmpegError, OSError):
                container.close()


def _declared_ns(container: InputContainer, stream: VideoStream) -> int:
    """How long the file says that its pictures last; 0 where it does not."""
    if stream.duration and stream.time_base:
        return int(stream.duration * stream.time_base * NS_PER_S)
    alone = len(container.streams) == 1
    return container.duration * 1_000 if alone and container.duration and container.duration > 0 else 0


def _gist(info: StreamInfo) -> str:
    return f"{info.codec} {info.width_px}×{info.height_px}"
