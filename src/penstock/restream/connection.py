"""One RTSP connection on asyncio: bytes in, requests to the conversation, bytes out with a bounded buffer."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from penstock.base.clock import Clock
from penstock.base.redaction import redact
from penstock.restream.channel import InterleavedChannel
from penstock.restream.conversation import Conversation
from penstock.restream.limits import Limits
from penstock.restream.message import InterleavedFrame, MessageReader, Request, Response, RtspSyntaxError
from penstock.restream.session import Session

_log = logging.getLogger(__name__)


class ConnectionOwner(Protocol):
    """What a connection tells the server."""

    def admit(self, connection: "Connection", peer_host: str) -> bool: ...

    def left(self, connection: "Connection") -> None: ...

    def count(self, what: str) -> None: ...

    def pump(self, session: Session) -> None: ...

    def sessions_of(self, connection: "Connection") -> list[Session]: ...


class Connection(asyncio.Protocol):
    """While the client reads too slowly nothing more is read from it either, so its answers cannot pile up."""

    def __init__(
        self,
        owner: ConnectionOwner,
        clock: Clock,
        limits: Limits,
        converse: Callable[["Connection", str, str], Conversation],
    ) -> None:
        self._owner = owner
        self._clock = clock
        self._limits = limits
        self._converse = converse
        self._transport: asyncio.Transport | None = None
        self._reader = MessageReader()
        self._conversation: Conversation | None = None
        self._full_since_ns: int | None = None
        self._asked_ns = 0
        self.peer_host = ""

    @property
    def writable(self) -> bool:
        return self._full_since_ns is None and self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.peer_host = peer[0] if peer else ""
        self._asked_ns = self._clock.now_ns()
        transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        if not self._owner.admit(self, self.peer_host):
            transport.abort()
            return
        self._conversation = self._converse(self, self.peer_host, local[0] if local else "127.0.0.1")

    def data_received(self, data: bytes) -> None:
        if self._conversation is None:
            return
        try:
            for item in self._reader.feed(data):
                if self._transport is None or self._transport.is_closing():
                    return
                if isinstance(item, InterleavedFrame):
                    self._hear_frame(item)
                else:
                    self._answer(self._conversation, item)
        except RtspSyntaxError as error:
            self._owner.count("malformed")
            _log.debug("%s sent what is no RTSP: %s", self.peer_host, redact(str(error)))
            self.write_nowait(Response(error.status).encode())
            self.close()

    def pause_writing(self) -> None:
        self._full_since_ns = self._clock.now_ns()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full_since_ns = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        for session in self._owner.sessions_of(self):
            self._owner.pump(session)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._owner.left(self)

    def write_nowait(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Closes after what is buffered has been sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes now."""
        if self._transport is not None:
            self._transport.abort()

    def overdue(self, now_ns: int, *, has_session: bool) -> str:
        """`slow` or `idle` where the connection has been so for longer than it may; else empty."""
        if self._full_since_ns is not None and now_ns - self._full_since_ns > self._limits.slow_client_s * 1e9:
            return "slow"
        if not has_session and now_ns - self._asked_ns > self._limits.idle_s * 1e9:
            return "idle"
        return ""

    def _hear_frame(self, frame: InterleavedFrame) -> None:
        for session in self._owner.sessions_of(self):
            if isinstance(session.channel, InterleavedChannel) and frame.channel == session.channel.numbers[1]:
                session.hear_rtcp(frame.data, self._clock.now_ns())

    def _answer(self, conversation: Conversation, request: Request) -> None:
        now_ns = self._clock.now_ns()
        self._asked_ns = now_ns
        self._owner.count("requests")
        try:
            answer = conversation.answer(request, now_ns)
        except Exception:
            # One client's request must not take down the server that others use; the log says what to mend.
            _log.exception("a %s request could not be answered", request.method)
            self._owner.count("failed_requests")
            self.write_nowait(Response(500, request.cseq).encode())
            return
        if answer.unauthorized:
            self._owner.count("unauthorized")
        self.write_nowait(answer.response.encode())
        if answer.started is not None:
            self._owner.pump(answer.started)
