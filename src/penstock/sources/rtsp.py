"""An RTSP camera over TCP, read by FFmpeg: connects fast, never waits longer than told, dates every picture.

Probing is cut to the first packet: an IP camera describes itself in SDP, and what it leaves out comes with its next
keyframe. After any error the connection is thrown away, for FFmpeg's RTSP state is broken by a time-out.
"""

import contextlib
from collections.abc import Iterator

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from penstock.base.clock import Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.sources import faults, media_stream, nal_units
from penstock.sources.capture_time import CaptureClock, CaptureStatistics
from penstock.sources.codec_config import CodecConfigurations
from penstock.sources.interruption import Interruption
from penstock.sources.reopenable import ReopenableSource

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000

OPTIONS = {
    "rtsp_transport": "tcp",
    # All packets of all streams are asked for in SETUP; audio would only cost bandwidth.
    "allowed_media_types": "video",
    "analyzeduration": "100000",
    # Ends probing after the first packet: half the time to connect, measured against gst-rtsp-server.
    "probesize": "32",
    "fpsprobesize": "0",
}
PARSED_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "vvc", "av1"})
"""put together by a parser, which knows a picture's end only by the next one's start; MJPEG and VP8 are not"""


class RtspSource(ReopenableSource["RtspSession"]):
    """A camera that can be connected to again and again; `interrupt` is final."""

    def _wait_connect(self) -> "RtspSession":
        """Connects within `open_timeout_ns`, except that a slow name server is waited for; raises SourceError."""
        media_stream.silence_ffmpeg()
        spec = self._spec
        began_ns = self._clock.now_ns()
        try:
            with self._interruption.ends_calls():
                self._refuse_interrupted()
                container = av.open(
                    spec.url,
                    options={**OPTIONS, "timeout": str(spec.open_timeout_ns // NS_PER_US), **spec.options},
                    timeout=(spec.open_timeout_ns / NS_PER_S, spec.stall_timeout_ns / NS_PER_S),
                )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._refuse_interrupted()
            waited_ns = self._clock.now_ns() - began_ns
            raise faults.open_fault(error, self._url, spec.url, waited_ns, spec.open_timeout_ns) from None
        try:
            self._refuse_interrupted()
            stream = media_stream.choose_video(container, self._url)
        except SourceError:
            container.close()
            raise
        return RtspSession(
            container,
            container.demux(stream),
            media_stream.describe(container, stream),
            key=self._next_key(),
            spec=spec,
            url=self._url,
            clock=self._clock,
        )


class RtspSession:
    """One connection. `interrupt` ends a read under way within about 0.1 s (FFmpeg's polling interval)."""

    def __init__(
        self,
        container: InputContainer,
        packets: "Iterator[Packet[VideoStream]]",
        info: StreamInfo,
        *,
        key: StreamKey,
        spec: StreamSpec,
        url: str,
        clock: Clock,
    ) -> None:
        self._container = container
        self._packets = packets
        self._key = key
        self._spec = spec
        self._url = url
        self._clock = clock
        self._interruption = Interruption()
        self._configurations = CodecConfigurations(info)
        self._capture = CaptureClock(
            handed_out_by_next=info.codec in PARSED_CODECS,
            interval_ns=round(NS_PER_S / info.fps) if info.fps else 0,
            trust=spec.trust,
        )
        self._seq = 0
        self._over = False

    @property
    def session(self) -> int:
        return self._key.session

    def info(self, info_id: int) -> StreamInfo:
        return self._configurations.get(info_id)

    def wait_read(self) -> EncodedPacket:
        """The next access unit; waits at most `stall_timeout_ns`. Raises SourceError, and then ever again.

        What is left of a picture when the connection ends in the middle of it is not given out.
        """
        while True:
            packet = self._wait_packet()
            data = bytes(packet)
            if nal_units.has_picture(self._configurations.current.codec, data):
                return self._encoded(packet, data, self._clock.now_ns())

    def _wait_packet(self) -> "Packet[VideoStream]":
        if self._over or self._interruption.is_set():
            raise self._ended()
        try:
            with self._interruption.ends_calls():
                packet = next(self._packets)
        except StopIteration:
            self._over = True
            raise self._ended() from None
        except (av.error.FFmpegError, OSError) as error:
            self._over = True
            if self._interruption.is_set():
                raise self._ended() from None
            raise faults.read_fault(error, self._url, self._spec.stall_timeout_ns) from None
        if packet.size == 0:
            # FFmpeg's flush packet: the camera said goodbye.
            self._over = True
            raise self._ended()
        if self._interruption.is_set():
            # An interrupted read may end with the beginning of a picture.
            raise self._ended()
        return packet

    def interrupt(self) -> None:
        self._interruption.set()

    def close(self) -> None:
        self._over = True
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()

    def statistics(self) -> CaptureStatistics:
        return self._capture.statistics()

    def _encoded(self, packet: "Packet[VideoStream]", data: bytes, now_ns: int) -> EncodedPacket:
        keyframe = packet.is_keyframe
        info_id = self._configurations.take(packet, data, keyframe)
        info = self._configurations.current
        pts = packet.pts
        if pts is None and self._seq == 0:
            # FFmpeg counts from the connection's first RTP packet, and its parser loses that one's time.
            pts = 0
        shown = pts if pts is not None else packet.dts
        capture = self._capture.stamp(
            media_stream.media_ns(shown, info.time_base),
            now_ns,
            sender_utc_ns=media_stream.sender_utc_ns(packet),
            utc_offset_ns=self._clock.utc_ns() - self._clock.now_ns(),
        )
        item = EncodedPacket(
            id=FrameId(self._key, self._seq),
            info_id=info_id,
            data=data,
            keyframe=keyframe,
            pts=pts,
            dts=packet.dts,
            duration=packet.duration or 0,
            received_ns=now_ns,
            capture=capture,
            disposable=packet.is_disposable or nal_units.is_disposable(info.codec, data),
            corrupt=packet.is_corrupt,
        )
        self._seq += 1
        return item

    def _ended(self) -> SourceError:
        if self._interruption.is_set():
            return faults.interrupted(self._url)
        return SourceError(SourceFault.IO_ERROR, f"{self._url}: the camera closed the connection")
