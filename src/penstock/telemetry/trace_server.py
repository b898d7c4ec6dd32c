"""Answers `GET /trace?for=10`: one trace at a time, written to the client while the frames pass.

Whoever asks decides how long processes write records: they are told anew every second, and stop by themselves two
seconds after the client has gone. A client that reads slowly slows nobody down: what it does not take in time is
overwritten in the rings, counted, and told in the file.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.units import format_duration, parse_duration_ns
from penstock.contracts.traces import TraceTap
from penstock.telemetry.guarded_http import ANSWER_WITHIN, ANSWERING
from penstock.telemetry.trace import TracedRun
from penstock.telemetry.trace_recording import TraceRecording

SHORTEST_NS, LONGEST_NS = NS_PER_S // 10, 60 * NS_PER_S

_ARMED_AHEAD_NS = 2 * NS_PER_S
_POLL_S = 0.1
_UNREAD_S = 20.0
"""beyond the trace itself, for a client to take the rest"""
_NO_STORE = {"cache-control": "no-store"}


class TraceDesk:
    """Takes one trace at a time; used by the server's event loop alone."""

    def __init__(self, run: TracedRun, open_tap: Callable[[], TraceTap], clock: Clock) -> None:
        """`open_tap` makes a reader that begins with what is written from then on."""
        self._run = run
        self._open_tap = open_tap
        self._clock = clock
        self._busy_until_ns: int | None = None

    async def answer(self, request: Request) -> Response:
        text = request.query_params.get("for", "")
        try:
            for_ns = _asked_ns(text)
        except ValueError as error:
            return _refusal(400, str(error))
        if request.method == "HEAD":
            return Response(media_type="application/json", headers=_NO_STORE)
        now_ns = self._clock.now_ns()
        if self._busy_until_ns is not None:
            left_s = max(1, -(-(self._busy_until_ns - now_ns) // NS_PER_S))
            what = f"another trace is being taken; it ends in about {left_s} s. Ask again then"
            return _refusal(409, what, {"retry-after": str(left_s)})
        recording = TraceRecording(self._run, now_ns, now_ns + for_ns)
        self._busy_until_ns = recording.window.end_ns
        prolong = request.scope.get("extensions", {}).get(ANSWERING, {}).get(ANSWER_WITHIN)
        if prolong is not None:
            prolong((recording.window.end_ns - now_ns) / NS_PER_S + _UNREAD_S)
        return _TraceAnswer(self._write(recording), self._free)

    async def _write(self, recording: TraceRecording) -> AsyncIterator[bytes]:
        end_ns = recording.window.end_ns
        tap = self._open_tap()
        yield recording.begin()
        over = False
        while not over:
            now_ns = self._clock.now_ns()
            over = now_ns >= end_ns
            if not over:
                tap.arm(min(now_ns + _ARMED_AHEAD_NS, end_ns))
                await asyncio.sleep(_POLL_S)
            while records := tap.read_nowait():
                if text := recording.take(records):
                    yield text
                # A trace of a busy run is much work; others of this loop take their turn between its parts.
                await asyncio.sleep(0)
        for part in recording.end(tap.missed()):
            yield part

    def _free(self) -> None:
        self._busy_until_ns = None


class _TraceAnswer(StreamingResponse):
    """Says when it is over, also where the client has gone."""

    def __init__(self, content: AsyncIterator[bytes], on_over: Callable[[], None]) -> None:
        headers = _NO_STORE | {"content-disposition": 'attachment; filename="penstock-trace.json"'}
        super().__init__(content, media_type="application/json", headers=headers)
        self._on_over = on_over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_over()


def _asked_ns(text: str) -> int:
    """`10`, `2.5` (seconds) or `500ms`; raises ValueError that says what is allowed."""
    allowed = f"{format_duration(SHORTEST_NS)} to {format_duration(LONGEST_NS)}"
    try:
        for_ns = round(float(text) * NS_PER_S) if text.replace(".", "", 1).isdigit() else parse_duration_ns(text)
    except (ValueError, OverflowError):
        raise ValueError(f"`for` says how long, {allowed}; write /trace?for=10s") from None
    if not SHORTEST_NS <= for_ns <= LONGEST_NS:
        raise ValueError(f"`for` may be {allowed}, not {format_duration(for_ns)}; write /trace?for=10s")
    return for_ns


def _refusal(status: int, what: str, headers: dict[str, Any] | None = None) -> Response:
    return JSONResponse({"error": what}, status, headers=_NO_STORE | (headers or {}))
