"""Writes RTP packets (RFC 3550, section 5.1) with a 90 kHz clock."""

import struct
from collections.abc import Sequence

CLOCK_HZ = 90_000
HEADER_BYTES = 12
_HEADER = struct.Struct("!BBHII")
_VERSION = 2 << 6
_MARKER = 0x80


def media_ticks(pts_ns: int) -> int:
    """Media time in units of 1/90000 s, rounded to the nearest."""
    return (pts_ns * 9 + 50_000) // 100_000


class RtpStream:
    """Numbers the packets of one synchronisation source. Pure; the starts should be random (section 5.1)."""

    def __init__(self, *, payload_type: int, ssrc: int, first_sequence: int, timestamp_offset: int) -> None:
        self._payload_type = payload_type
        self._sequence = first_sequence & 0xFFFF
        self._timestamp_offset = timestamp_offset
        self.ssrc = ssrc & 0xFFFFFFFF
        self.packets_sent = 0
        self.octets_sent = 0
        """payload only, as sender reports count it"""

    @property
    def next_sequence(self) -> int:
        return self._sequence

    def timestamp(self, pts_ns: int) -> int:
        """RTP timestamp of a media time; wraps at 2³²."""
        return (self._timestamp_offset + media_ticks(pts_ns)) & 0xFFFFFFFF

    def packets(self, payloads: Sequence[bytes], pts_ns: int) -> list[bytes]:
        """The packets of one picture: one timestamp, the marker bit on the last."""
        timestamp = self.timestamp(pts_ns)
        last = len(payloads) - 1
        packets = []
        for index, payload in enumerate(payloads):
            kind = self._payload_type | _MARKER if index == last else self._payload_type
            packets.append(_HEADER.pack(_VERSION, kind, self._sequence, timestamp, self.ssrc) + payload)
            self._sequence = (self._sequence + 1) & 0xFFFF
            self.octets_sent += len(payload)
        self.packets_sent += len(payloads)
        return packets
