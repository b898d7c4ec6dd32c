"""The encoded pictures of a video file, in decode order, with times that go on when the file is read again."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from penstock.contracts.packets import StreamInfo
from penstock.contracts.sources import SourceError
from penstock.sources import faults, media_stream, nal_units
from penstock.sources.codec_config import CodecConfigurations

NS_PER_S = 1_000_000_000

DEFAULT_FPS = 25.0
"""assumed where a file declares no rate and its packets no duration"""
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


def path_of(url: str) -> str:
    """The path that `file://…` or a plain path names."""
    return unquote(urlsplit(url).path) if url.lower().startswith("file://") else url


class Timeline:
    """Gives the packets of each reading of a file times that continue those of the reading before. Pure."""

    def __init__(self, time_base: tuple[int, int], fps: float) -> None:
        self._base = time_base
        self._interval = max(1, round(time_base[1] / ((fps or DEFAULT_FPS) * time_base[0])))
        self._first_shown: int | None = None
        self._first: tuple[int, int] | None = None
        self._offset = 0
        self._end: int | None = None
        self._last_dts: int | None = None
        self._next_shown = 0

    @property
    def interval_ns(self) -> int:
        return self._interval * self._base[0] * NS_PER_S // self._base[1]

    def place(self, pts: int | None, dts: int | None, duration: int) -> tuple[int | None, int | None, int, int]:
        """(pts, dts) moved to where this reading is, and (shown, decoded) in ns since the first picture."""
        shown = pts if pts is not None else dts if dts is not None else self._next_shown
        decoded = dts if dts is not None else shown
        if self._first is None:
            self._first = (shown, decoded)
            if self._last_dts is not None and self._end is not None:
                # Decode times must go on growing too, or the packets could not be put into one MP4.
                self._offset = max(self._end - shown, self._last_dts + self._interval - decoded)
        if self._first_shown is None:
            self._first_shown = shown
        self._next_shown = shown + (duration or self._interval)
        shown += self._offset
        decoded += self._offset
        end = shown + (duration or self._interval)
        self._end = end if self._end is None else max(self._end, end)
        self._last_dts = decoded
        return (
            None if pts is None else pts + self._offset,
            None if dts is None else dts + self._offset,
            self._ns(shown - self._first_shown),
            self._ns(decoded - self._first_shown),
        )

    def start_over(self) -> None:
        """The next packet is the file's first again."""
        self._first = None
        self._next_shown = 0

    def _ns(self, ticks: int) -> int:
        return ticks * self._base[0] * NS_PER_S // self._base[1]


class MediaFile:
    """A file open for reading. `wait_open` and `close` bracket its use; one thread."""

    def __init__(self, path: str, url: str, options: dict[str, str]) -> None:
        self._path = path
        self._url = url
        self._options = options
        self._container: InputContainer | None = None
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._configurations: CodecConfigurations | None = None
        self._timeline: Timeline | None = None
        self._length_bytes = 0
        self.time_error_ns = 0
        """how wrong a picture's place in the file can be: not 0 where the container has no presentation times"""

    def wait_open(self) -> None:
        """Opens the file, or opens it again from its start; raises SourceError."""
        media_stream.silence_ffmpeg()
        self.close()
        try:
            container = av.open(self._path, options=dict(self._options))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise faults.open_fault(error, self._url, self._path, 0, 1) from None
        self._container = container
        try:
            stream = media_stream.choose_video(container, self._url)
        except SourceError:
            self.close()
            raise
        self._packets = container.demux(stream)
        if self._configurations is None or self._timeline is None:
            info = media_stream.describe(container, stream)
            self._configurations = CodecConfigurations(info)
            self._length_bytes = nal_units.length_size(info.codec, info.extradata)
            self._timeline = Timeline(info.time_base, info.fps)
            if container.format.name == "avi" and info.reorder_frames:
                # AVI has decode times only; FFmpeg passes them off as presentation times.
                self.time_error_ns = MOST_REORDERED * self._timeline.interval_ns
        else:
            self._timeline.start_over()

    def info(self, info_id: int) -> StreamInfo:
        if self._configurations is None:
            raise LookupError(f"{self._url} has not been opened")
        return self._configurations.get(info_id)

    def read(self) -> FilePacket | None:
        """The next access unit; None at the end. Raises SourceError where the file is damaged."""
        assert self._configurations is not None, "wait_open comes first"
        assert self._timeline is not None
        try:
            packet = next(self._packets, None)
        except (av.error.FFmpegError, OSError) as error:
            raise faults.read_fault(error, self._url, 0) from None
        if packet is None or packet.size == 0:
            return None
        data = bytes(packet)
        info_id = self._configurations.take(packet, data, packet.is_keyframe)
        codec = self._configurations.current.codec
        duration = packet.duration or 0
        pts, dts, shown_ns, decoded_ns = self._timeline.place(packet.pts, packet.dts, duration)
        return FilePacket(
            info_id=info_id,
            data=data,
            keyframe=packet.is_keyframe,
            pts=pts,
            dts=dts,
            duration=duration,
            shown_ns=shown_ns,
            decoded_ns=decoded_ns,
            disposable=packet.is_disposable or nal_units.is_disposable(codec, data, self._length_bytes),
            corrupt=packet.is_corrupt,
        )

    def close(self) -> None:
        container, self._container = self._container, None
        self._packets = iter(())
        if container is not None:
            with contextlib.suppress(av.error.FFmpegError, OSError):
                container.close()
