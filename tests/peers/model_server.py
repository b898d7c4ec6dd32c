"""A file server on this host that behaves as badly as it is told to."""

import http.server
import threading
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class Manners:
    """How one path is answered."""

    body: bytes = b""
    status: int = 200
    cut_at: int | None = None
    """closes the connection after so many bytes of the body"""
    ranges: bool = True
    """understands `Range`"""
    wrong_range: bool = False
    """answers 206 with another range than was asked for"""
    location: str = ""
    length: bool = True
    """says how long the body is"""
    stall: threading.Event | None = None
    """sends nothing of the body until it is set"""
    drip: tuple[int, float] | None = None
    """so many bytes at a time, and seconds between them"""


@dataclass
class Seen:
    """One request as the server got it."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)


class ModelServer:
    """Serves `manners` by path; notes every request."""

    def __init__(self) -> None:
        self.manners: dict[str, Manners] = {}
        self.seen: list[Seen] = []
        self._stopping = threading.Event()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

            def do_GET(self) -> None:
                peer.seen.append(Seen(self.path, dict(self.headers)))
                peer.answer(self)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._server.block_on_close = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def __enter__(self) -> "ModelServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        manners = self.manners.get(request.path, Manners(status=404))
        asked = request.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and manners.ranges else 0
        status = manners.status
        if start >= len(manners.body) and asked and manners.ranges:
            status, start = 416, 0
        partial = bool(asked) and manners.ranges and status == 200
        body = manners.body[start:] if status in (200, 206) else b""
        request.send_response(206 if partial else status)
        if manners.location:
            request.send_header("Location", manners.location)
        if partial:
            first = start + 1 if manners.wrong_range else start
            request.send_header("Content-Range", f"bytes {first}-{len(manners.body) - 1}/{len(manners.body)}")
        if manners.length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if manners.cut_at is not None:
            body = body[: max(manners.cut_at - start, 0)]
        try:
            if manners.stall is not None:
                while not manners.stall.wait(0.05) and not self._stopping.is_set():
                    pass
            size, pause_s = manners.drip or (len(body) or 1, 0.0)
            for place in range(0, len(body), size):
                request.wfile.write(body[place : place + size])
                request.wfile.flush()
                if pause_s and self._stopping.wait(pause_s):
                    return
        except (BrokenPipeError, ConnectionResetError):
            return
