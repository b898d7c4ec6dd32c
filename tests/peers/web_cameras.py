"""Cameras that speak HTTP, on the standard library: MJPEG in all its dialects, snapshots, HLS, and what goes wrong."""

import base64
import hashlib
import io
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.video.stream
import numpy as np

USER, PASSWORD = "viewer", "p%ss wörd"
REALM, NONCE = "cam", "f84f1cec41e6cbe5aea9c8e88d359"
SEGMENT_S = 1.0
FPS = 25


def jpeg(n: int, width: int = 320, height: int = 240) -> bytes:
    """Picture `n`: grey, with a bright block whose place says the number."""
    picture = np.full((height, width, 3), 90, np.uint8)
    x = n * 7 % (width - 32)
    picture[40:72, x : x + 32] = 240
    frame = av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format="yuvj420p")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
    context.time_base = Fraction(1, 25)
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


@dataclass
class Mjpeg:
    """How an MJPEG mount behaves."""

    fps: float = FPS
    with_length: bool = True
    boundary: str = "frame"
    """as the header names it"""
    delimiter: str = "--frame"
    """as the lines have it"""
    newline: bytes = b"\r\n"
    ends_after: int | None = None
    stalled: threading.Event = field(default_factory=threading.Event)
    content_type: str = "multipart/x-mixed-replace; boundary={}"


class WebCamera:
    """An HTTP server on a free port of 127.0.0.1, as a context manager. Mounts are `path → answer(handler)`."""

    def __init__(self, *, auth: str = "", certificate: tuple[Path, Path] | None = None) -> None:
        self.auth = auth
        self.requests: list[str] = []
        self.mounts: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.stopping = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_GET(self) -> None:
                camera.requests.append(self.path)
                if camera.auth and not camera._authorized(self):
                    return
                answer = camera.mounts.get(self.path.partition("?")[0])
                if answer is None:
                    self.send_error(404)
                    return
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Tests read what the client says, not the server."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                """A client that goes away is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, *, user: str = "", password: str = "", host: str = "127.0.0.1") -> str:
        credentials = f"{user}:{password}@" if user else ""
        return f"{self._scheme}://{credentials}{host}:{self.port}{path}"

    def __enter__(self) -> "WebCamera":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add_mjpeg(self, path: str, mjpeg: Mjpeg) -> None:
        """Serves numbered pictures at `fps`, in the dialect that `mjpeg` says."""
        pictures = [jpeg(n) for n in range(25)]

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            handler.send_response(200)
            handler.send_header("Content-Type", mjpeg.content_type.format(mjpeg.boundary))
            handler.end_headers()
            eol = mjpeg.newline
            n, due_s = 0, time.monotonic()
            while not self.stopping.is_set() and n != mjpeg.ends_after:
                if not mjpeg.stalled.is_set():
                    body = pictures[n % len(pictures)]
                    length = b"Content-Length: %d%b" % (len(body), eol) if mjpeg.with_length else b""
                    head = mjpeg.delimiter.encode() + eol + b"Content-Type: image/jpeg" + eol + length + eol
                    handler.wfile.write(head + body + eol)
                    n += 1
                due_s += 1 / mjpeg.fps
                self.stopping.wait(max(0.0, due_s - time.monotonic()))

        self.mounts[path] = answer

    def add_bytes(self, path: str, content_type: str, make: Callable[[], bytes], status: int = 200) -> None:
        """Serves what `make` gives, with its length."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            body = make()
            handler.send_response(status)
            handler.send_header("Content-Type", content_type)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.mounts[path] = answer

    def add_redirection(self, path: str, location: str) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", location)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        self.mounts[path] = answer

    def add_stream(self, path: str, content_type: str, pieces: Callable[[], Iterator[bytes]]) -> None:
        """Serves bytes as they come, without a length, until they end."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            handler.send_response(200)
            handler.send_header("Content-Type", content_type)
            handler.end_headers()
            for piece in pieces():
                if self.stopping.is_set():
                    return
                handler.wfile.write(piece)

        self.mounts[path] = answer

    def _authorized(self, handler: BaseHTTPRequestHandler) -> bool:
        given = handler.headers.get("Authorization") or ""
        if self.auth == "basic":
            challenge = f'Basic realm="{REALM}"'
            right = given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        else:
            qop = ', qop="auth"' if self.auth == "digest" else ""
            challenge = f'Digest realm="{REALM}", nonce="{NONCE}"{qop}'
            right = _digest_is_right(given, handler.path)
        if not right:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", challenge)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        return right


def _digest_is_right(given: str, path: str) -> bool:
    fields = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', given)}

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    if fields.get("nonce") != NONCE or fields.get("uri") != path:
        return False
    middle = f"{fields['nc']}:{fields['cnonce']}:{fields['qop']}:" if "qop" in fields else ""
    secret, request = md5(f"{USER}:{REALM}:{PASSWORD}"), md5(f"GET:{path}")
    return fields.get("response") == md5(f"{secret}:{NONCE}:{middle}{request}")


def encode_segment(number: int, *, seconds: float = SEGMENT_S, width: int = 320, height: int = 240) -> bytes:
    """One MPEG-TS segment of H.264, whose times continue those of the one before."""
    target = io.BytesIO()
    count = round(seconds * FPS)
    with av.open(target, "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency"})
        assert isinstance(stream, av.video.stream.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for n in range(number * count, (number + 1) * count):
            picture = np.full((height, width), 90, np.uint8)
            x = n * 7 % (width - 32)
            picture[40:72, x : x + 32] = 240
            frame = av.VideoFrame.from_ndarray(picture, "gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


class HlsServer:
    """Mounts of a live playlist on a `WebCamera`: a segment appears each `SEGMENT_S`, `window` of them are listed."""

    def __init__(self, camera: WebCamera, path: str = "/live", *, window: int = 6, total: int = 40) -> None:
        self._segments = [encode_segment(n) for n in range(total)]
        self._window = window
        self._path = path
        self._began_s = time.monotonic() - window * SEGMENT_S
        self.held_at: int | None = None
        self.ended = False
        for n, segment in enumerate(self._segments):
            camera.add_bytes(f"{path}/{n}.ts", "video/mp2t", partial(bytes, segment))
        camera.add_bytes(f"{path}/index.m3u8", "application/vnd.apple.mpegurl", self.playlist)

    @property
    def newest(self) -> int:
        """Number of segments that are complete now."""
        made = int((time.monotonic() - self._began_s) / SEGMENT_S)
        return min(made if self.held_at is None else min(made, self.held_at), len(self._segments))

    def hold(self) -> None:
        """No new segment appears until `release`, as when the encoder is stuck."""
        self.held_at = self.newest

    def release(self) -> None:
        self.held_at = None

    def playlist(self) -> bytes:
        newest = self.newest
        first = 0 if self.ended else max(0, newest - self._window)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        for n in range(first, newest):
            lines += [f"#EXTINF:{SEGMENT_S:.3f},", f"{n}.ts"]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        return ("\n".join(lines) + "\n").encode()
