"""Message links between processes: bounded, never waiting, one datagram a message.

Sequenced-packet Unix sockets keep message borders, tell at once when the peer is gone, and carry descriptors. Their
buffer is the bound: a full one refuses the message, which is counted; what that means is the sender's to know (notices
and asks are repeated by the next one; a view is taken back). The same class serves threads of one process.
"""

import array
import errno
import os
import socket
from collections.abc import Sequence

import msgspec

from penstock.contracts.messages import WIRE_VERSION, Message

BUFFER_BYTES = 1 << 20
_MAX_DATAGRAM_BYTES = 1 << 20
_MAX_FDS = 4

_encoder = msgspec.msgpack.Encoder()
_decoder: "msgspec.msgpack.Decoder[Message]" = msgspec.msgpack.Decoder(Message)
_VERSION_BYTE = bytes([WIRE_VERSION])


class LinkClosed(Exception):
    """The peer is gone, or speaks another version."""


class LinkStatistics(msgspec.Struct, frozen=True):
    """Cumulative counts of one link."""

    sent: int
    refused: int
    received: int


def encode(message: Message) -> bytes:
    """One datagram: the wire version, then msgpack."""
    return _VERSION_BYTE + _encoder.encode(message)


def decode(datagram: bytes | memoryview) -> Message:
    """Raises LinkClosed for another version, msgspec.DecodeError for what is no message."""
    if datagram[0] != WIRE_VERSION:
        raise LinkClosed(f"the peer speaks version {datagram[0]} of the wire, this process {WIRE_VERSION}")
    return _decoder.decode(memoryview(datagram)[1:])


def link_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends, not inheritable; hand each to its process or make a `Link` of it."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Link:
    """One end. `send_nowait` and `receive_nowait` never wait; `fileno` is for a selector."""

    def __init__(self, sock: socket.socket, peer: str, peer_generation: int = 0) -> None:
        self._socket = sock
        self.peer = peer
        self.peer_generation = peer_generation
        self.closed = False
        self._sent = 0
        self._refused = 0
        self._received = 0
        self._buffer = bytearray(_MAX_DATAGRAM_BYTES)

    @classmethod
    def from_descriptor(cls, descriptor: int, peer: str, peer_generation: int = 0) -> "Link":
        """A link on a descriptor that came from another process; takes it over."""
        return cls(socket.socket(fileno=descriptor), peer, peer_generation)

    def open(self) -> "Link":
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        return self

    def fileno(self) -> int:
        return self._socket.fileno()

    def send_nowait(self, message: Message, fds: Sequence[int] = ()) -> bool:
        """Hands `message` to the kernel; False, counted, where the buffer is full, the message too large or the
        peer gone. A gone peer shows in `receive_nowait`."""
        try:
            if fds:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                self._socket.sendmsg([encode(message)], rights)
            else:
                self._socket.send(encode(message))
        except OSError as error:
            if error.errno not in (
                errno.EAGAIN,
                errno.EMSGSIZE,
                errno.EPIPE,
                errno.ECONNRESET,
                errno.EBADF,
                errno.ENOBUFS,
                # More descriptors on their way than this user may have open: room comes when they are received.
                errno.ETOOMANYREFS,
            ):
                raise
            self._refused += 1
            return False
        self._sent += 1
        return True

    def receive_nowait(self) -> tuple[Message, list[int]] | None:
        """The next message with its descriptors; None when there is none now.

        Raises LinkClosed once everything that a gone peer sent has been taken, and for what is no message.
        """
        try:
            try:
                size, ancillary, _, _ = self._receive()
            except ConnectionResetError:
                # A peer that left messages of ours unread; the kernel says so once, before its last words.
                size, ancillary, _, _ = self._receive()
        except BlockingIOError:
            return None
        except OSError as error:
            raise LinkClosed(f"link to {self.peer}: {error}") from error
        if size == 0:
            raise LinkClosed(f"link to {self.peer}: the peer has gone")
        fds = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        self._received += 1
        try:
            return decode(memoryview(self._buffer)[:size]), fds.tolist()
        except (LinkClosed, msgspec.DecodeError) as error:
            for fd in fds:
                os.close(fd)
            raise LinkClosed(f"link to {self.peer}: {error}") from error

    def _receive(self) -> tuple[int, list[tuple[int, int, bytes]], int, object]:
        return self._socket.recvmsg_into(
            [self._buffer], socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize), socket.MSG_CMSG_CLOEXEC
        )

    def close(self) -> None:
        self.closed = True
        self._socket.close()

    def statistics(self) -> LinkStatistics:
        return LinkStatistics(self._sent, self._refused, self._received)
