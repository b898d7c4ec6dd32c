"""RTP packets and RTCP reports, byte for byte."""

import pytest

from penstock.restream import rtcp
from penstock.restream.rtp import RtpStream, media_ticks


def test_packets_carry_one_timestamp_and_the_marker_on_the_last() -> None:
    stream = RtpStream(payload_type=96, ssrc=0x01020304, first_sequence=0xFFFF, timestamp_offset=0xFFFFFFFF)
    packets = stream.packets([b"ab", b"c"], 40_000_000)
    assert [packet.hex() for packet in packets] == [
        "8060ffff00000e0f010203046162",
        "80e0000000000e0f0102030463",
    ]
    assert (stream.packets_sent, stream.octets_sent, stream.next_sequence) == (2, 3, 1)


@pytest.mark.parametrize(
    ("pts_ns", "ticks"), [(0, 0), (1_000_000_000, 90_000), (33_333_333, 3000), (11_111, 1), (5_555, 0), (5_556, 1)]
)
def test_media_time_in_ticks(pts_ns: int, ticks: int) -> None:
    assert media_ticks(pts_ns) == ticks


def test_ntp_time_counts_from_1900_in_fractions() -> None:
    assert rtcp.ntp_time(0) == 2_208_988_800 << 32
    assert rtcp.ntp_time(500_000_000) == 2_208_988_800 << 32 | 1 << 31


def test_sender_report_description_and_goodbye_are_as_rfc_3550_draws_them() -> None:
    assert rtcp.sender_report(0xAABBCCDD, 500_000_000, 7, 8, 9).hex() == (
        "80c80006aabbccdd83aa7e8080000000000000070000000800000009"
    )
    assert rtcp.source_description(1, "ab").hex() == "81ca0003000000010102616200000000"
    assert rtcp.goodbye(1).hex() == "81cb000100000001"


def test_a_receiver_report_is_read() -> None:
    report = bytes.fromhex("81c90007000000050000000180fffffe00010002000000030000000400010000")
    assert rtcp.parse_compound(report + rtcp.source_description(5, "x") + rtcp.goodbye(5)) == [
        rtcp.ReceiverReport(5, (rtcp.ReportBlock(1, 0.5, -2, 0x10002, 3, 4, 1_000_000_000),)),
        rtcp.OtherPacket(202),
        rtcp.Goodbye((5,)),
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "0 bytes"),
        ("81c9000700000005", "ends at 32"),
        ("41c9000100000005", "version 1"),
        ("81c9000100000005", "1 blocks"),
        ("82cb000100000005", "names 2"),
        ("80c900010000000581c9", "cut off"),
    ],
)
def test_malformed_rtcp_is_named(data: str, says: str) -> None:
    with pytest.raises(rtcp.RtcpError, match=says):
        rtcp.parse_compound(bytes.fromhex(data))
