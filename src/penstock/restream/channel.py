"""Where a session's packets go: the shape of channels, and the one within the RTSP connection."""

from collections.abc import Sequence
from typing import Protocol


class Channel(Protocol):
    """Carries one session's RTP and RTCP. Never waits."""

    @property
    def writable(self) -> bool:
        """Whether more may be handed over now; where not, the sender leaves its units in the queue."""
        ...

    @property
    def payload_bytes(self) -> int:
        """The longest RTP payload it takes."""
        ...

    @property
    def dropped(self) -> int:
        """Packets that could not be handed over."""
        ...

    def send_rtp_nowait(self, packets: Sequence[bytes]) -> None: ...

    def send_rtcp_nowait(self, packet: bytes) -> None: ...

    def close(self) -> None:
        """Gives back what the channel holds; the RTSP connection itself stays open."""
        ...


class ConnectionWriter(Protocol):
    """The writing side of an RTSP connection."""

    @property
    def writable(self) -> bool: ...

    def write_nowait(self, data: bytes) -> None: ...


class InterleavedChannel:
    """RTP and RTCP as frames of the RTSP connection (RFC 2326, section 10.12)."""

    dropped = 0

    def __init__(self, writer: ConnectionWriter, channels: tuple[int, int], payload_bytes: int) -> None:
        self._writer = writer
        self.numbers = channels
        """of RTP and of RTCP; receiver reports come on the second"""
        self._rtp, self._rtcp = channels
        self.payload_bytes = payload_bytes

    @property
    def writable(self) -> bool:
        return self._writer.writable

    def send_rtp_nowait(self, packets: Sequence[bytes]) -> None:
        parts: list[bytes] = []
        for packet in packets:
            parts.append(b"$" + bytes((self._rtp,)) + len(packet).to_bytes(2, "big"))
            parts.append(packet)
        if parts:
            # One write for the whole picture: one system call instead of one per packet.
            self._writer.write_nowait(b"".join(parts))

    def send_rtcp_nowait(self, packet: bytes) -> None:
        self._writer.write_nowait(b"$" + bytes((self._rtcp,)) + len(packet).to_bytes(2, "big") + packet)

    def close(self) -> None:
        pass
