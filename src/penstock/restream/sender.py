"""Turns one subscription into the RTP packets and sender reports of one client. Pure: channel and time are given."""

from collections.abc import Callable

import msgspec

from penstock.restream import rtcp
from penstock.restream.broadcast import Broadcast, Subscription, SubscriptionStatistics
from penstock.restream.channel import Channel
from penstock.restream.media import MediaDescription, MediaUnit
from penstock.restream.packet_filter import PacketFilter
from penstock.restream.payload import PayloadError
from penstock.restream.payload_formats import format_for
from penstock.restream.rtp import RtpStream, media_ticks

REPORT_INTERVAL_NS = 5_000_000_000


class RtpStart(msgspec.Struct, frozen=True):
    """What RFC 3550 wants random: identity, first sequence number, first timestamp."""

    ssrc: int
    sequence: int
    timestamp: int


class RtpInfo(msgspec.Struct, frozen=True):
    """Where playing begins (RFC 2326, section 12.33)."""

    sequence: int
    rtp_time: int | None
    """None where the first picture is not known yet"""


class SenderStatistics(msgspec.Struct, frozen=True):
    units: int
    unsendable: int
    """pictures that the payload format cannot carry"""
    packets: int
    octets: int
    dropped_units: int
    """forgotten because the client did not keep up"""
    skips: int
    dropped_packets: int
    reports_sent: int


class Sender:
    """One client's stream: `play`, `pump` whenever there may be something to send, `pause`, `finish`."""

    def __init__(
        self,
        broadcast: Broadcast,
        channel: Channel,
        *,
        codec_payload_type: int,
        start: RtpStart,
        cname: str,
        packet_filter: PacketFilter,
        cached_gop: bool = False,
        report_interval_ns: int = REPORT_INTERVAL_NS,
    ) -> None:
        self._broadcast = broadcast
        self._channel = channel
        self._rtp = RtpStream(
            payload_type=codec_payload_type,
            ssrc=start.ssrc,
            first_sequence=start.sequence,
            timestamp_offset=start.timestamp,
        )
        self._cname = cname
        self._filter = packet_filter
        self._cached_gop = cached_gop
        self._report_interval_ns = report_interval_ns
        self._reported_ns: int | None = None
        self._subscription: Subscription | None = None
        self._before = SubscriptionStatistics(0, 0, 0, 0)
        self._units = 0
        self._unsendable = 0
        self._reports_sent = 0
        self._said_goodbye = False
        self.last_problem = ""

    @property
    def ssrc(self) -> int:
        return self._rtp.ssrc

    @property
    def playing(self) -> bool:
        return self._subscription is not None

    @property
    def ended(self) -> str:
        """Why the broadcast gives no more; empty while it goes on."""
        return self._subscription.ended if self._subscription is not None else ""

    def play(self, wake: Callable[[], None]) -> RtpInfo:
        """Subscribes; `wake` is called when `pump` has something to do, in the publisher's thread."""
        if self._subscription is None:
            self._subscription = self._broadcast.subscribe(wake, cached_gop=self._cached_gop)
        first = self._subscription.peek_nowait()
        return RtpInfo(self._rtp.next_sequence, None if first is None else self._rtp.timestamp(first.pts_ns))

    def pause(self) -> None:
        if self._subscription is not None:
            self._before = _added(self._before, self._subscription.statistics())
            self._broadcast.unsubscribe(self._subscription)
            self._subscription = None

    def pump(self, now_ns: int, utc_offset_ns: int) -> None:
        """Sends what is queued while the channel takes it."""
        while self._subscription is not None and self._channel.writable:
            item = self._subscription.take_nowait()
            if item is None:
                return
            self._send(*item, now_ns, utc_offset_ns)

    def finish(self) -> None:
        """Pauses for good, with a goodbye where anything was sent."""
        self.pause()
        if self._rtp.packets_sent and not self._said_goodbye:
            self._said_goodbye = True
            ssrc = self._rtp.ssrc
            report = bytes((0x80, rtcp.RECEIVER_REPORT, 0, 1)) + ssrc.to_bytes(4, "big")
            self._channel.send_rtcp_nowait(report + rtcp.source_description(ssrc, self._cname) + rtcp.goodbye(ssrc))

    def statistics(self) -> SenderStatistics:
        queue = self._before
        if self._subscription is not None:
            queue = _added(queue, self._subscription.statistics())
        return SenderStatistics(
            units=self._units,
            unsendable=self._unsendable,
            packets=self._rtp.packets_sent,
            octets=self._rtp.octets_sent,
            dropped_units=queue.dropped,
            skips=queue.skips,
            dropped_packets=self._channel.dropped,
            reports_sent=self._reports_sent,
        )

    def _send(self, description: MediaDescription, unit: MediaUnit, now_ns: int, utc_offset_ns: int) -> None:
        try:
            payloads = format_for(description.codec).payloads(
                description, unit.data, keyframe=unit.keyframe, largest_bytes=self._channel.payload_bytes
            )
        except PayloadError as error:
            self._unsendable += 1
            self.last_problem = str(error)
            return
        self._report_when_due(unit, description.fps, now_ns, utc_offset_ns)
        packets = self._rtp.packets(payloads, unit.pts_ns)
        self._units += 1
        self._channel.send_rtp_nowait(self._filter.pass_on(packets, now_ns))

    def _report_when_due(self, unit: MediaUnit, fps: float, now_ns: int, utc_offset_ns: int) -> None:
        """A report before the first picture dates it from the start; later ones come before the interval is over.

        They go with pictures, so that a camera that is silent is silent altogether.
        """
        interval_ns = round(1_000_000_000 / fps) if fps > 0 else 0
        if self._reported_ns is not None and now_ns - self._reported_ns + interval_ns <= self._report_interval_ns:
            return
        self._reported_ns = now_ns
        self._reports_sent += 1
        # Both times are those of now, carried on from the instant at which this picture was captured.
        since_ns = now_ns - unit.captured_ns
        timestamp = self._rtp.timestamp(unit.pts_ns) + media_ticks(since_ns)
        report = rtcp.sender_report(
            self._rtp.ssrc, now_ns + utc_offset_ns, timestamp, self._rtp.packets_sent, self._rtp.octets_sent
        )
        self._channel.send_rtcp_nowait(report + rtcp.source_description(self._rtp.ssrc, self._cname))


def _added(one: SubscriptionStatistics, other: SubscriptionStatistics) -> SubscriptionStatistics:
    return SubscriptionStatistics(
        one.taken + other.taken, one.dropped + other.dropped, one.skips + other.skips, other.queued
    )
