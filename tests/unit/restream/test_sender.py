"""What a client is sent: order, reports that date the pictures, goodbyes, and nothing that it does not take."""

import struct
from collections.abc import Sequence

from penstock.base.clock import NS_PER_S
from penstock.restream import rtcp
from penstock.restream.broadcast import Broadcast
from penstock.restream.media import MediaDescription, MediaUnit
from penstock.restream.packet_filter import PacketFilter, Unfiltered
from penstock.restream.sender import RtpStart, Sender

FRAME_NS = 40_000_000
EPOCH_NS = 1_000_000_000_000
UTC_OFFSET_NS = 1_700_000_000 * NS_PER_S
VOL = bytes.fromhex("000001b003000001b50900000100000001200842")
PICTURE = b"\x00\x00\x01\xb6" + bytes(4)


class Recorded:
    """A channel that remembers and that can be full."""

    def __init__(self) -> None:
        self.writable = True
        self.payload_bytes = 1000
        self.dropped = 0
        self.sent: list[tuple[str, bytes]] = []

    def send_rtp_nowait(self, packets: Sequence[bytes]) -> None:
        self.sent += [("rtp", packet) for packet in packets]

    def send_rtcp_nowait(self, packet: bytes) -> None:
        self.sent.append(("rtcp", packet))

    def close(self) -> None:
        self.sent.append(("closed", b""))


def sender_to(channel: Recorded, broadcast: Broadcast, packet_filter: PacketFilter | None = None) -> Sender:
    return Sender(
        broadcast,
        channel,
        codec_payload_type=96,
        start=RtpStart(ssrc=7, sequence=100, timestamp=1000),
        cname="c",
        packet_filter=packet_filter or Unfiltered(),
        report_interval_ns=NS_PER_S,
    )


def publish(broadcast: Broadcast, begin: int, end: int) -> None:
    for number in range(begin, end):
        pts_ns = number * FRAME_NS
        broadcast.publish_nowait(MediaUnit(PICTURE, number % 5 == 0, pts_ns, EPOCH_NS + pts_ns))


def made() -> tuple[Recorded, Broadcast, Sender]:
    channel, broadcast = Recorded(), Broadcast(MediaDescription("mpeg4", 16, 16, 25.0, VOL))
    return channel, broadcast, sender_to(channel, broadcast)


def test_a_report_goes_before_the_first_picture_and_dates_it() -> None:
    channel, broadcast, sender = made()
    sender.play(lambda: None)
    publish(broadcast, 0, 2)
    # Sent 10 ms after the capture of the first picture.
    sender.pump(EPOCH_NS + 10_000_000, UTC_OFFSET_NS)
    assert [kind for kind, _ in channel.sent] == ["rtcp", "rtp", "rtp"]
    report = channel.sent[0][1]
    kind, ssrc, ntp, rtp_time, packets, octets = struct.unpack_from("!xBxxIQIII", report)
    assert (kind, ssrc, packets, octets) == (200, 7, 0, 0)
    assert ntp == rtcp.ntp_time(EPOCH_NS + 10_000_000 + UTC_OFFSET_NS)
    assert rtp_time == 1000 + 900
    first, second = (packet for kind, packet in channel.sent if kind == "rtp")
    assert struct.unpack_from("!HI", first, 2) == (100, 1000)
    assert struct.unpack_from("!HI", second, 2) == (101, 1000 + 3600)
    assert first[12:] == VOL + PICTURE
    assert second[12:] == PICTURE


def test_reports_come_before_the_interval_is_over() -> None:
    _channel, broadcast, sender = made()
    sender.play(lambda: None)
    at_frame = []
    for number in range(80):
        publish(broadcast, number, number + 1)
        before = sender.statistics().reports_sent
        sender.pump(EPOCH_NS + number * FRAME_NS, UTC_OFFSET_NS)
        if sender.statistics().reports_sent > before:
            at_frame.append(number)
    assert at_frame == [0, 25, 50, 75]


def test_a_full_channel_is_left_alone_and_the_queue_skips_to_a_keyframe() -> None:
    channel, broadcast, sender = made()
    sender.play(lambda: None)
    channel.writable = False
    publish(broadcast, 0, 53)
    sender.pump(EPOCH_NS, 0)
    assert channel.sent == []
    channel.writable = True
    sender.pump(EPOCH_NS, 0)
    statistics = sender.statistics()
    assert (statistics.dropped_units, statistics.skips, statistics.units) == (5, 1, 48)


def test_pausing_keeps_the_sequence_and_goodbye_is_said_once() -> None:
    channel, broadcast, sender = made()
    assert sender.play(lambda: None).sequence == 100
    publish(broadcast, 0, 1)
    sender.pump(EPOCH_NS, 0)
    sender.pause()
    publish(broadcast, 1, 5)
    assert sender.play(lambda: None).sequence == 101
    sender.finish()
    sender.finish()
    goodbyes = [data for kind, data in channel.sent if kind == "rtcp" and data.endswith(rtcp.goodbye(7))]
    assert len(goodbyes) == 1
    assert [type(packet) for packet in rtcp.parse_compound(goodbyes[0])] == [
        rtcp.ReceiverReport,
        rtcp.OtherPacket,
        rtcp.Goodbye,
    ]


def test_with_a_cached_gop_the_first_timestamp_is_known() -> None:
    channel, broadcast = Recorded(), Broadcast(MediaDescription("mpeg4", 16, 16, 25.0, VOL))
    publish(broadcast, 0, 8)
    sender = Sender(
        broadcast,
        channel,
        codec_payload_type=96,
        start=RtpStart(7, 100, 1000),
        cname="c",
        packet_filter=Unfiltered(),
        cached_gop=True,
    )
    assert sender.play(lambda: None).rtp_time == 1000 + 5 * 3600


def test_pictures_that_cannot_be_sent_are_counted_and_named() -> None:
    channel, broadcast, sender = made()
    sender.play(lambda: None)
    broadcast.publish_nowait(MediaUnit(b"nothing", True, 0, EPOCH_NS))
    sender.pump(EPOCH_NS, 0)
    assert channel.sent == []
    assert sender.statistics().unsendable == 1
    assert sender.last_problem == "no video object plane in an MPEG-4 picture"


class EveryOther:
    def __init__(self) -> None:
        self.seen = 0

    def pass_on(self, packets: Sequence[bytes], now_ns: int) -> Sequence[bytes]:
        self.seen += len(packets)
        return [packet for packet in packets if packet[3] % 2 == 0]


def test_a_filter_sees_every_packet_and_decides() -> None:
    channel, broadcast = Recorded(), Broadcast(MediaDescription("mpeg4", 16, 16, 25.0, VOL))
    lossy = EveryOther()
    sender = sender_to(channel, broadcast, lossy)
    sender.play(lambda: None)
    publish(broadcast, 0, 10)
    sender.pump(EPOCH_NS, 0)
    assert lossy.seen == 10
    assert [packet[3] for kind, packet in channel.sent if kind == "rtp"] == [100, 102, 104, 106, 108]
    # Reports count what was sent, as a sender does whose packets are lost on the way.
    assert sender.statistics().packets == 10
