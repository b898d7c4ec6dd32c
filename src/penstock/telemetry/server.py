"""Serves `/metrics`, `/health` and `/trace` over HTTP, on an address of this host, to clients that may be hostile.

Its own thread and event loop: a scrape costs the caller of `snapshot` and nobody else.
"""

import errno
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from penstock.base.clock import NS_PER_MS, Clock
from penstock.telemetry.exporter import exposition
from penstock.telemetry.guarded_http import CONNECTIONS, HEAD_BYTES, Guard, HttpStatistics, protocol_for
from penstock.telemetry.health import OK, UNAVAILABLE, health
from penstock.telemetry.statistics import ProcessStatistics, Snapshot
from penstock.telemetry.trace_server import TraceDesk

log = logging.getLogger(__name__)

_REUSE_NS = 200 * NS_PER_MS
"""answers are made at most five times a second, however often somebody asks"""
_INDEX = "Penstock\n\n/metrics       Prometheus\n/health        state of the run and of every camera\n"
_INDEX += "/health/live   200 while its processes are heard of\n/health/ready  200 while it works\n"
_INDEX += "/trace?for=10  every frame's way in the next 10 s, for ui.perfetto.dev\n"


_Pick = Callable[[dict[str, Any], int], tuple[dict[str, Any], int]]


class PortUnavailable(OSError):
    """The address cannot be listened on; says where and what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


class MetricsServer:
    """Listens between `start` and `stop`."""

    def __init__(
        self,
        host: str,
        port: int,
        snapshot: Snapshot,
        clock: Clock,
        *,
        version: str = "",
        traces: TraceDesk | None = None,
    ) -> None:
        """`port` 0 takes any that is free: see `port` after `start`. Without `traces` there is no `/trace`."""
        self._host = host
        self._wanted_port = port
        self._snapshot = snapshot
        self._clock = clock
        self._version = version
        self._traces = traces
        self._guard = Guard()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port listened on; 0 before `start`."""
        return self._port

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def statistics(self) -> HttpStatistics:
        return self._guard.statistics()

    def start(self) -> None:
        """Returns once it listens; raises PortUnavailable where it cannot."""
        listener = _listen(self._host, self._wanted_port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            metrics_app(self._snapshot, self._clock, self._version, self._traces),
            http=protocol_for(self._guard),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS + 8,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        server = _Server(config)
        self._server = server
        self._thread = threading.Thread(target=server.run, args=([listener],), name="metrics-http", daemon=True)
        self._thread.start()
        server.up.wait(10)
        log.info("metrics at %s/metrics, health at %s/health", self.url, self.url)

    def stop(self) -> None:
        """Answers under way get a second; safe to call twice."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None and thread is not None:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Tells when it listens, also when it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.up.set()


def metrics_app(snapshot: Snapshot, clock: Clock, version: str, traces: TraceDesk | None = None) -> Starlette:
    """The application without its server: `/metrics`, `/health`, `/health/live`, `/health/ready`, `/trace`."""
    recent = _Recent(snapshot, clock)
    text: Callable[[], bytes] = exposition(recent.snapshot, clock.now_ns, version)

    async def index(_: Request) -> Response:
        return PlainTextResponse(_INDEX)

    async def metrics(_: Request) -> Response:
        return Response(recent.once("metrics", text), media_type=None, headers={"content-type": CONTENT_TYPE_LATEST})

    def answer(pick: _Pick) -> Callable[[Request], Awaitable[Response]]:
        async def respond(_: Request) -> Response:
            body, status = pick(*health(recent.snapshot(), clock.now_ns()))
            return JSONResponse(body, status, headers={"cache-control": "no-store"})

        return respond

    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/health", answer(lambda body, status: (body, status))),
            Route("/health/live", answer(lambda body, _: _short(body, "alive"))),
            Route("/health/ready", answer(lambda body, _: _short(body, "ready"))),
            *([Route("/trace", traces.answer)] if traces is not None else []),
        ]
    )


def _short(body: dict[str, Any], key: str) -> tuple[dict[str, Any], int]:
    return {key: body[key]}, OK if body[key] else UNAVAILABLE


class _Recent:
    """Keeps what was made a moment ago; used by one event loop."""

    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._made: dict[str, tuple[int, Any]] = {}

    def snapshot(self) -> list[ProcessStatistics]:
        found: list[ProcessStatistics] = self.once("snapshot", self._snapshot)
        return found

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        made_ns, value = self._made.get(name, (-_REUSE_NS, None))
        now_ns = self._clock.now_ns()
        if now_ns - made_ns >= _REUSE_NS:
            value = make()
            self._made[name] = (now_ns, value)
        return value


def _listen(host: str, port: int) -> socket.socket:
    where = f"{host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        what = f"metrics cannot be served on {where}: the host is not known ({error.strerror})"
        raise PortUnavailable(errno.EADDRNOTAVAIL, f"{what}. Set metrics.host to an address of this host") from None
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        advice = {
            errno.EADDRINUSE: "another program listens there; set metrics.port (or --metrics-port) to another, or to 0",
            errno.EACCES: "ports below 1024 need rights that this user lacks; set metrics.port above 1024",
            errno.EADDRNOTAVAIL: "this host has no such address; set metrics.host to one that it has",
        }.get(error.errno or 0, str(error.strerror))
        raise PortUnavailable(error.errno, f"metrics cannot be served on {where}: {advice}") from None
    return listener
