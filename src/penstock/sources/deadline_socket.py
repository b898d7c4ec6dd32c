"""A socket whose reads end by one instant, however the bytes drip in.

A socket's own time-out begins anew with every byte: a server that sends one now and then would be waited for, for days.
"""

import io
import socket
from typing import Any

from penstock.base.clock import NS_PER_S, Clock


class DeadlineSocket:
    """What `http.client` uses of a socket, on one that somebody else owns: `close` leaves it open.

    Sending and reading raise TimeoutError at `until_ns` (monotonic), which may be moved between two reads.
    """

    def __init__(self, inner: socket.socket, clock: Clock, until_ns: int) -> None:
        self._inner = inner
        self._clock = clock
        self.until_ns = until_ns

    def sendall(self, data: Any) -> None:
        self._limit()
        self._inner.sendall(data)

    def recv_into(self, buffer: Any) -> int:
        self._limit()
        return self._inner.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        """For reading bytes only."""
        assert mode == "rb"
        return io.BufferedReader(_Bytes(self))

    def close(self) -> None:
        """The owner closes it."""

    def _limit(self) -> None:
        left_ns = self.until_ns - self._clock.now_ns()
        if left_ns <= 0:
            raise TimeoutError
        self._inner.settimeout(left_ns / NS_PER_S)


class _Bytes(io.RawIOBase):
    def __init__(self, source: DeadlineSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._source.recv_into(buffer)
