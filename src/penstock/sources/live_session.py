"""One connection to a sender that FFmpeg reads: numbers every access unit, dates it, never waits longer than told.

After any error the connection is thrown away, for FFmpeg's state is broken by a time-out.
"""

import contextlib
from collections.abc import Iterator

import av
import av.error
from av.packet import Packet
from av.video.stream import VideoStream

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError
from penstock.contracts.specs import StreamSpec, Transport
from penstock.contracts.times import CaptureTime
from penstock.sources import faults, media_stream, nal_units
from penstock.sources.capture_time import CaptureClock
from penstock.sources.codec_config import CodecConfigurations
from penstock.sources.containers import Opened
from penstock.sources.interruption import Interruption
from penstock.sources.loss_log import Losses
from penstock.sources.temporal_layers import TemporalLayers

PARSED_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "vvc", "av1"})
"""put together by a parser, which knows a picture's end only by the next one's start; MJPEG and VP8 are not"""


class LiveSession:
    """`interrupt` ends a read under way within about 0.1 s (FFmpeg's polling interval)."""

    def __init__(self, opened: Opened, *, key: StreamKey, spec: StreamSpec, url: str, clock: Clock) -> None:
        self._container = opened.container
        self._packets: Iterator[Packet[VideoStream]] = opened.container.demux(opened.stream)
        info = media_stream.describe(opened.container, opened.stream)
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
        self._losses = Losses() if spec.transport is Transport.UDP else None
        self._seq = 0
        self._layers = TemporalLayers()
        self._over = False

    @property
    def session(self) -> int:
        return self._key.session

    @property
    def lost_packets(self) -> int:
        """Network packets that never came; what they were part of is marked corrupt. 0 where none can get lost."""
        return self._losses.packets if self._losses is not None else 0

    def info(self, info_id: int) -> StreamInfo:
        return self._configurations.get(info_id)

    def wait_read(self) -> EncodedPacket:
        """The next access unit; waits at most `stall_timeout_ns`. Raises SourceError, and then ever again.

        What is left of a picture when the connection ends in the middle of it is not given out.
        """
        lost_before = self.lost_packets
        began_ns = self._clock.now_ns()
        while True:
            packet = self._wait_packet()
            data, now_ns = bytes(packet), self._clock.now_ns()
            if nal_units.has_picture(self._configurations.current.codec, data):
                return self._encoded(packet, data, now_ns, damaged=self.lost_packets > lost_before)
            if now_ns - began_ns >= self._spec.stall_timeout_ns:
                # Parameter sets and delimiters without ever a picture are silence too.
                self._over = True
                raise faults.stalled(self._url, self._spec.stall_timeout_ns)

    def interrupt(self) -> None:
        self._interruption.set()

    def close(self) -> None:
        self._over = True
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()

    def statistics(self) -> SessionStatistics:
        return SessionStatistics(
            time_jumps=self._capture.anchors - 1,
            lost_packets=self.lost_packets,
            times_refused=self._capture.rtcp_refused,
        )

    def _wait_packet(self) -> "Packet[VideoStream]":
        if self._over or self._interruption.is_set():
            raise self._ended()
        began_ns = self._clock.now_ns()
        try:
            with self._interruption.ends_calls():
                packet = self._next()
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
        if self._clock.now_ns() - began_ns >= self._spec.stall_timeout_ns:
            # So may one that timed out: FFmpeg's parser gives out what it had, and the next read would wait as long.
            self._over = True
            raise faults.stalled(self._url, self._spec.stall_timeout_ns)
        return packet

    def _next(self) -> "Packet[VideoStream]":
        if self._losses is None:
            return next(self._packets)
        with self._losses.counted():
            return next(self._packets)

    def _encoded(self, packet: "Packet[VideoStream]", data: bytes, now_ns: int, *, damaged: bool) -> EncodedPacket:
        keyframe = packet.is_keyframe
        info_id = self._configurations.take(packet, data, keyframe)
        info = self._configurations.current
        pts = packet.pts
        if pts is None and self._seq == 0:
            # FFmpeg counts from the connection's first RTP packet, and its parser loses that one's time.
            pts = 0
        item = EncodedPacket(
            id=FrameId(self._key, self._seq),
            info_id=info_id,
            data=data,
            keyframe=keyframe,
            pts=pts,
            dts=packet.dts,
            duration=packet.duration or 0,
            received_ns=now_ns,
            capture=self._captured(packet, pts, info, now_ns),
            disposable=packet.is_disposable or self._layers.is_disposable(info.codec, data),
            corrupt=packet.is_corrupt or damaged,
        )
        self._seq += 1
        return item

    def _captured(self, packet: "Packet[VideoStream]", pts: int | None, info: StreamInfo, now_ns: int) -> CaptureTime:
        return self._capture.stamp(
            media_stream.media_ns(pts if pts is not None else packet.dts, info.time_base),
            now_ns,
            sender_utc_ns=media_stream.sender_utc_ns(packet),
            utc_offset_ns=self._clock.utc_ns() - self._clock.now_ns(),
        )

    def _ended(self) -> SourceError:
        if self._interruption.is_set():
            return faults.interrupted(self._url)
        return faults.hung_up(self._url)
