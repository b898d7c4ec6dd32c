"""One MP4 file of a clip: packets of one session and one codec configuration, copied and never re-encoded.

A plain MP4, its index at the end. It grows under a temporary name and appears, synced and complete, by a rename, so
a fragmented file's one advantage (it plays after a crash) is never used: a crash leaves a temporary file, which the
next recorder removes, and the engine asks for the clip again while the ring still has the packets. In return every
player knows its duration and can seek. Index first (`faststart`) would write every clip twice; players that stream
find an index at the end by a ranged read.

PyAV makes an output stream with codec configuration only from a template stream: a scratch container that is never
written lends one. Without a configuration the muxer finds it in the first packet.
"""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.stream
import av.video.stream

from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.evidence.naming import partial_path
from penstock.evidence.timestamps import Stamp, Timeline, Timing

_READ_BYTES = 1 << 20


class ClipFailed(Exception):
    """No clip could be made of this; the message says why, for the event and its manifest."""


@dataclass(frozen=True, slots=True)
class FinishedPart:
    """What a closed part holds. Its file still has its temporary name."""

    temporary: Path
    session: int
    info: StreamInfo
    packets: int
    size_bytes: int
    sha256: str
    first_capture_ns: int
    last_capture_ns: int
    duration_ns: int
    repaired_timestamps: int
    encoded_from: str = ""
    """what the pictures were encoded from, where they did not come as these packets"""
    left_out: int = 0
    """pictures that could not be decoded, and so not be encoded"""


class PartWriter:
    """Writes one part: `open`, `write` in decode order, then `finish` or `discard`. Used by one thread.

    `write` and `finish` raise OSError (disk full, no permission) and ClipFailed (a codec that MP4 cannot hold,
    packets that the muxer refuses); after either only `discard` is allowed.
    """

    def __init__(self, path: Path, session: int, info_id: int, info: StreamInfo) -> None:
        self.path = path
        self.session = session
        self.info_id = info_id
        self.info = info
        self.packets = 0
        self.first_capture_ns = 0
        self.last_capture_ns = 0
        self._temporary = partial_path(path)
        self._timeline = Timeline(info.time_base, info.reorder_frames, info.fps)
        self._waiting: list[EncodedPacket] = []
        self._file: _Output | None = None
        self._container: av.container.OutputContainer | None = None
        self._stream: av.stream.Stream | None = None

    def open(self) -> None:
        """Creates the temporary file and the output stream in it."""
        self._file = _Output(io.FileIO(self._temporary, "wb"))
        with _named_failures(self.info):
            self._container = av.open(self._file, "w", format="mp4")
            self._stream = _output_stream(self._container, self.info, self._timeline.time_base)

    def write(self, packet: EncodedPacket) -> None:
        """Takes the next packet; it reaches the file once its decode time is settled, some packets later."""
        capture_ns = packet.capture.mono_ns
        if self.packets == 0:
            self.first_capture_ns = self.last_capture_ns = capture_ns
        self.first_capture_ns = min(self.first_capture_ns, capture_ns)
        self.last_capture_ns = max(self.last_capture_ns, capture_ns)
        self.packets += 1
        self._waiting.append(packet)
        self._mux(self._timeline.push(Timing(packet.pts, packet.dts, packet.duration, capture_ns)))

    def finish(self) -> FinishedPart:
        """Writes what waits and the index, and syncs the file; the caller renames it."""
        assert self._file is not None
        assert self._container is not None
        self._mux(self._timeline.flush())
        with _named_failures(self.info):
            self._container.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size_bytes = self._file.tell()
        self._file.close()
        return FinishedPart(
            temporary=self._temporary,
            session=self.session,
            info=self.info,
            packets=self.packets,
            size_bytes=size_bytes,
            sha256=sha256_of(self._temporary),
            first_capture_ns=self.first_capture_ns,
            last_capture_ns=self.last_capture_ns,
            duration_ns=round(self._timeline.end_pts * self._timeline.time_base * 1_000_000_000),
            repaired_timestamps=self._timeline.repaired,
            encoded_from=self.info.encoded_from,
        )

    def discard(self) -> None:
        """Removes the temporary file; safe at any time, whatever failed before."""
        # The file is closed first: closing the container of a closed file writes no trailer.
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._container = None
        self._waiting.clear()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def _mux(self, stamps: list[Stamp]) -> None:
        assert self._container is not None
        assert self._stream is not None
        for stamp in stamps:
            source = self._waiting.pop(0)
            # Not Packet(data): that lends FFmpeg the bytes without the padding that its filters may read into.
            packet: av.Packet[av.stream.Stream] = av.Packet(len(source.data))
            packet.update(source.data)
            packet.pts = stamp.pts
            packet.dts = stamp.dts
            packet.duration = stamp.duration
            packet.time_base = self._timeline.time_base
            packet.is_keyframe = source.keyframe
            packet.stream = self._stream
            with _named_failures(self.info):
                self._container.mux_one(packet)


class _Output(io.BufferedWriter):
    """The file as the muxer sees it: a disk that refuses is told of once. What the muxer still tries after that goes
    nowhere (the part is discarded), for PyAV prints every error but the first."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw)
        self._refused = False

    def write(self, data: Any, /) -> int:
        if self._refused:
            return len(data)
        with self._noting():
            return super().write(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if self._refused:
            return offset
        with self._noting():
            return super().seek(offset, whence)

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._refused = True
            raise


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _output_stream(container: av.container.OutputContainer, info: StreamInfo, time_base: Fraction) -> av.stream.Stream:
    stream = _described_stream(container, info, time_base)
    if info.codec == "hevc" and info.extradata:
        # FFmpeg's choice is hev1, which Safari and QuickTime do not play. hvc1 promises the parameter sets up front.
        stream.codec_context.codec_tag = "hvc1"
    return stream


def _described_stream(
    container: av.container.OutputContainer, info: StreamInfo, time_base: Fraction
) -> av.stream.Stream:
    if not info.extradata:
        return container.add_mux_stream(info.codec, width=info.width_px, height=info.height_px, time_base=time_base)
    scratch = av.open(io.BytesIO(), "w", format="mp4")
    template = scratch.add_stream(info.codec, width=info.width_px, height=info.height_px)
    assert isinstance(template, av.video.stream.VideoStream)
    stream = container.add_stream_from_template(template, opaque=True)
    stream.codec_context.extradata = info.extradata
    stream.time_base = time_base
    return stream


@contextlib.contextmanager
def _named_failures(info: StreamInfo) -> Iterator[None]:
    """Lets the system's errors through as they are, and names the codec where the muxer refuses."""
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno and error.errno > 0 and not isinstance(error, ValueError):
            raise OSError(error.errno, os.strerror(error.errno)) from error
        raise ClipFailed(f"the MP4 muxer refused a {info.codec} packet: {error.strerror}") from error
    except ValueError as error:
        raise ClipFailed(f"{info.codec} video cannot be kept in MP4: {error}") from error
