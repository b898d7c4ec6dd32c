"""RTP and RTCP over UDP: a pair of ports for one session, and the datagrams its client sends back."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from penstock.restream.payload import UDP_PAYLOAD_BYTES

_TRIES = 64
_LARGEST_DATAGRAM = 2048
_DATAGRAMS_PER_TURN = 16
_SEND_BUFFER_BYTES = 1024 * 1024


class NoPortsError(OSError):
    """No free pair of ports was found."""


class UdpChannel:
    """Sends from an even and the next odd port of `local_host` to two ports of one peer.

    A datagram that the kernel does not take is dropped and counted, as UDP would lose it. `heard` gets each datagram
    that the peer sends to the RTCP port; datagrams from elsewhere are ignored and counted.
    """

    writable = True
    payload_bytes = UDP_PAYLOAD_BYTES

    def __init__(
        self, local_host: str, peer_host: str, peer_ports: tuple[int, int], heard: Callable[[bytes], None]
    ) -> None:
        self._local_host = local_host
        self._peer_host = peer_host
        self._peer_ports = peer_ports
        self._heard = heard
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rtp: socket.socket | None = None
        self._rtcp: socket.socket | None = None
        self.dropped = 0
        self.foreign = 0
        """datagrams that came from somebody else"""

    @property
    def server_ports(self) -> tuple[int, int]:
        assert self._rtp is not None, "open() comes first"
        assert self._rtcp is not None
        return self._rtp.getsockname()[1], self._rtcp.getsockname()[1]

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Binds the pair and begins to listen; raises NoPortsError."""
        self._rtp, self._rtcp = _bind_pair(self._local_host)
        self._loop = loop
        for sock in (self._rtp, self._rtcp):
            loop.add_reader(sock.fileno(), self._read, sock)

    def send_rtp_nowait(self, packets: Sequence[bytes]) -> None:
        for packet in packets:
            self._send(self._rtp, packet, self._peer_ports[0])

    def send_rtcp_nowait(self, packet: bytes) -> None:
        self._send(self._rtcp, packet, self._peer_ports[1])

    def close(self) -> None:
        for sock in (self._rtp, self._rtcp):
            if sock is not None:
                if self._loop is not None:
                    self._loop.remove_reader(sock.fileno())
                sock.close()
        self._rtp = self._rtcp = None

    def _send(self, sock: socket.socket | None, packet: bytes, port: int) -> None:
        if sock is None:
            return
        try:
            sock.sendto(packet, (self._peer_host, port))
        except OSError:
            # Full buffer, or the peer's port is closed (ICMP): the next packets, or the time-out, decide.
            self.dropped += 1

    def _read(self, sock: socket.socket) -> None:
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                data, address = sock.recvfrom(_LARGEST_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                continue
            if address[0] != self._peer_host:
                self.foreign += 1
            elif sock is self._rtcp:
                self._heard(data)
            if self._rtp is None:
                # What was heard ended the session.
                return


def _bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_TRIES):
        first = _bound(family, host, 0)
        if first is None:
            continue
        port = first.getsockname()[1]
        # RFC 3550, section 11: RTP on an even port, RTCP on the next.
        second = _bound(family, host, port + 1 if port % 2 == 0 else port - 1)
        if second is not None:
            return (first, second) if port % 2 == 0 else (second, first)
        first.close()
    raise NoPortsError(f"no free pair of UDP ports on {host}")


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket | None:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        sock.bind((host, port))
    except OSError:
        sock.close()
        return None
    return sock
