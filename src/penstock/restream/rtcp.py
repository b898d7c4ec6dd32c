"""RTCP (RFC 3550, section 6): writes sender reports, descriptions and goodbyes; reads what receivers send."""

import struct

import msgspec

_NTP_EPOCH_S = 2_208_988_800
"""from 1900 to 1970"""
SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, GOODBYE = 200, 201, 202, 203
LARGEST_BYTES = 65_536
_BLOCK = struct.Struct("!IIIIII")


class RtcpError(ValueError):
    """The bytes are no RTCP packet; says where they stop being one."""


class ReportBlock(msgspec.Struct, frozen=True):
    """What one receiver says of one sender (section 6.4.1)."""

    ssrc: int
    fraction_lost: float
    packets_lost: int
    """since the beginning; negative where packets were repeated"""
    highest_sequence: int
    jitter_ticks: int
    last_report: int
    """middle 32 bits of the NTP time of the last sender report seen; 0 before the first"""
    delay_ns: int
    """between that report and this one"""


class ReceiverReport(msgspec.Struct, frozen=True):
    ssrc: int
    blocks: tuple[ReportBlock, ...]


class Goodbye(msgspec.Struct, frozen=True):
    ssrcs: tuple[int, ...]


class OtherPacket(msgspec.Struct, frozen=True):
    """A well-formed packet of a type that is not looked into."""

    packet_type: int


RtcpPacket = ReceiverReport | Goodbye | OtherPacket


def ntp_time(utc_ns: int) -> int:
    """64-bit NTP timestamp of nanoseconds since the Unix epoch (wraps in 2036, as NTP does)."""
    seconds, rest_ns = divmod(utc_ns, 1_000_000_000)
    return ((seconds + _NTP_EPOCH_S) & 0xFFFFFFFF) << 32 | (rest_ns << 32) // 1_000_000_000


def sender_report(ssrc: int, utc_ns: int, rtp_timestamp: int, packets: int, octets: int) -> bytes:
    """Ties `rtp_timestamp` to the wall time `utc_ns`; counts wrap at 2³²."""
    head = struct.pack("!BBHI", 2 << 6, SENDER_REPORT, 6, ssrc)
    return head + struct.pack(
        "!QIII", ntp_time(utc_ns), rtp_timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    )


def source_description(ssrc: int, cname: str) -> bytes:
    """SDES with the canonical name that every compound packet needs (section 6.5.1); at most 255 bytes of it."""
    text = cname.encode()[:255]
    chunk = struct.pack("!IBB", ssrc, 1, len(text)) + text + b"\x00"
    chunk += bytes(-len(chunk) % 4)
    return struct.pack("!BBH", 2 << 6 | 1, DESCRIPTION, len(chunk) // 4) + chunk


def goodbye(ssrc: int) -> bytes:
    return struct.pack("!BBHI", 2 << 6 | 1, GOODBYE, 1, ssrc)


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """The packets in one datagram or interleaved frame. Raises RtcpError, and nothing else, for anything malformed."""
    if not 8 <= len(data) <= LARGEST_BYTES:
        raise RtcpError(f"RTCP of {len(data)} bytes: a compound packet has at least 8 and at most {LARGEST_BYTES}")
    packets: list[RtcpPacket] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise RtcpError(f"RTCP header cut off at byte {at}")
        first, packet_type, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2:
            raise RtcpError(f"RTCP version {first >> 6} at byte {at}: 2 is the only one")
        if end > len(data):
            raise RtcpError(f"RTCP packet at byte {at} says it ends at {end}, but there are {len(data)} bytes")
        packets.append(_parse_one(packet_type, first & 31, data[at + 4 : end]))
        at = end
    return packets


def _parse_one(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    if packet_type == GOODBYE:
        if len(body) < 4 * count:
            raise RtcpError(f"RTCP BYE names {count} sources in {len(body)} bytes")
        return Goodbye(struct.unpack_from(f"!{count}I", body))
    if packet_type not in (SENDER_REPORT, RECEIVER_REPORT):
        return OtherPacket(packet_type)
    begin = 4 if packet_type == RECEIVER_REPORT else 24
    if len(body) < begin + count * _BLOCK.size:
        raise RtcpError(f"RTCP report with {count} blocks in {len(body)} bytes")
    blocks = tuple(_parse_block(body, begin + index * _BLOCK.size) for index in range(count))
    return ReceiverReport(int.from_bytes(body[:4], "big"), blocks)


def _parse_block(body: bytes, at: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(body, at)
    lost = loss & 0xFFFFFF
    return ReportBlock(
        ssrc=ssrc,
        fraction_lost=(loss >> 24) / 256,
        packets_lost=lost - 0x1000000 if lost & 0x800000 else lost,
        highest_sequence=highest,
        jitter_ticks=jitter,
        last_report=last,
        delay_ns=delay * 1_000_000_000 // 65536,
    )
