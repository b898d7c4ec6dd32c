"""HTTP/1.1 that hostile clients cannot starve: every connection is in one of three phases, each with its end.

uvicorn bounds an idle connection after its first answer, but not one that never finishes its first request, nor
one that never reads its answer; and its limit on connections answers 503 to the honest client that comes last.
Here a request must be complete within `HEAD_S`, its answer taken within `ANSWER_S`, and when all places are
taken the connection that has been without a request for longest makes room.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 64
HEAD_S = 5.0
ANSWER_S = 20.0
HEAD_BYTES = 16 * 1024
ANSWERING, ANSWER_WITHIN = "penstock.answering", "within"
"""extension of the HTTP scope, and its one value: a function that gives the answer under way so many seconds more"""


@dataclass(frozen=True, slots=True)
class HttpStatistics:
    """Connections open now, and those cut off since the start: to make room, or at the end of their time."""

    open: int
    evicted: int
    expired: int


class Guard:
    """The places of one server; used by its event loop alone."""

    def __init__(self, connections: int = CONNECTIONS) -> None:
        self.bound = connections
        self.idle: dict[GuardedProtocol, None] = {}
        """connections without a complete request, oldest first"""
        self.open = 0
        self.evicted = 0
        self.expired = 0

    def statistics(self) -> HttpStatistics:
        return HttpStatistics(self.open, self.evicted, self.expired)


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol with a deadline in each phase. Subclassed per server: see `protocol_for`."""

    guard: Guard
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.guard.open += 1
        if self.guard.open > self.guard.bound and self.guard.idle:
            self.guard.evicted += 1
            oldest = next(iter(self.guard.idle))
            del self.guard.idle[oldest]
            oldest.transport.abort()
        self._await_request()

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete and self in self.guard.idle:
            del self.guard.idle[self]
            self._end_in(ANSWER_S)
            # The application may give an answer that takes its time more of it, once it has decided to make it.
            self.scope.setdefault("extensions", {})[ANSWERING] = {ANSWER_WITHIN: self._end_in}

    def on_response_complete(self) -> None:
        # First, for requests that were sent together begin their answers within the call.
        if self.transport.is_closing():
            self._cancel()
        else:
            self._await_request()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self.guard.idle.pop(self, None)
        self.guard.open -= 1
        super().connection_lost(exc)

    def _await_request(self) -> None:
        self.guard.idle.pop(self, None)
        self.guard.idle[self] = None
        self._end_in(HEAD_S)

    def _end_in(self, seconds: float) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        self.guard.expired += 1
        self.transport.abort()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def protocol_for(guard: Guard) -> type[GuardedProtocol]:
    """A protocol class whose connections share `guard`: uvicorn makes its protocols from a class."""
    namespace: dict[str, Any] = {"guard": guard}
    return type("GuardedProtocol", (GuardedProtocol,), namespace)
