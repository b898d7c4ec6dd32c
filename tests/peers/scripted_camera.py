"""An RTSP camera that plays encoded footage over TCP and can be told to change, to refuse, to hang up and to lie.

Threads and plain sockets, no parser of the project: what it sends is put together here or by FFmpeg's RTP muxer.
What a connection gets is decided by `behave`; the honest behaviour is `ScriptedCamera.serve`.
"""

import base64
import contextlib
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import NamedTuple, Self

import av
import av.video.codeccontext
import numpy as np

CLOCK_HZ = 90_000
HEADER = struct.Struct("!BBHII")
ENCODERS = {
    "h264": ("libx264", {"preset": "ultrafast", "x264-params": "scenecut=0:bframes=0"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1:bframes=0"}),
    "mpeg4": ("mpeg4", {}),
}
RTPMAP = {"h264": "H264", "hevc": "H265", "mpeg4": "MP4V-ES"}


class Footage(NamedTuple):
    """Encoded pictures as RTP packets, to be sent round and round."""

    codec: str
    width_px: int
    height_px: int
    fps: int
    sdp: str
    pictures: tuple[tuple[bytes, ...], ...]
    """RTP packets of each access unit, in order; their numbers and times are set when they are sent"""
    keyframes: frozenset[int]


class _Packets:
    """What FFmpeg's RTP muxer writes: each call is one packet."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.taken.append(bytes(data))
        return len(data)


def draw(i: int, width_px: int, height_px: int, bright: bool = False) -> av.VideoFrame:
    """A grey picture in which a bar walks to the right."""
    picture = np.full((height_px * 3 // 2, width_px), 128, np.uint8)
    picture[:height_px] = 200 if bright else 90
    x = (i * width_px // 40) % (width_px - width_px // 8)
    picture[height_px // 4 : height_px * 3 // 4, x : x + width_px // 8] = 235 if not bright else 40
    return av.VideoFrame.from_ndarray(picture, "yuv420p")


def film(
    codec: str = "h264",
    width_px: int = 320,
    height_px: int = 192,
    *,
    fps: int = 10,
    frames: int = 60,
    gop: int = 10,
    bright: bool = False,
) -> Footage:
    """Encodes a bar that walks, with parameter sets before every keyframe, and packs it into RTP."""
    name, options = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.video.codeccontext.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width_px, height_px, "yuv420p"
    encoder.framerate, encoder.time_base, encoder.thread_count = Fraction(fps), Fraction(1, fps), 1
    encoder.gop_size, encoder.max_b_frames, encoder.options = gop, 0, dict(options)
    if codec == "hevc":
        encoder.options = {"x265-params": f"{options['x265-params']}:keyint={gop}:min-keyint={gop}:repeat-headers=1"}
    units = []
    for i in range(frames):
        drawn = draw(i, width_px, height_px, bright)
        drawn.pts, drawn.time_base = i, encoder.time_base
        units += encoder.encode(drawn)
    units += encoder.encode(None)
    sink = _Packets()
    pictures = []
    with av.open(sink, "w", format="rtp") as muxer:
        stream = muxer.add_mux_stream(codec, width=width_px, height=height_px, time_base=Fraction(1, CLOCK_HZ))
        for i, unit in enumerate(units):
            # Not Packet(data): that lends FFmpeg the bytes without the padding that its packetisers may read into.
            packet: av.Packet[av.stream.Stream] = av.Packet(unit.size)
            packet.update(bytes(unit))
            packet.pts = packet.dts = i * CLOCK_HZ // fps
            packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, CLOCK_HZ), unit.is_keyframe, stream
            muxer.mux_one(packet)
            pictures.append(tuple(taken for taken in sink.taken if not 200 <= taken[1] <= 204))
            sink.taken.clear()
    keyframes = frozenset(i for i, unit in enumerate(units) if unit.is_keyframe)
    return Footage(codec, width_px, height_px, fps, _sdp(codec, bytes(units[0])), tuple(pictures), keyframes)


def _sdp(codec: str, first: bytes) -> str:
    parameters = ""
    if codec == "h264":
        sets = [unit.rstrip(b"\0") for unit in first.split(b"\0\0\1") if unit and unit[0] & 31 in (7, 8)]
        coded = ",".join(base64.b64encode(one).decode() for one in sets)
        parameters = f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={coded}\r\n"
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
        f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {RTPMAP[codec]}/{CLOCK_HZ}\r\n{parameters}a=control:track1\r\n"
    )


class Request(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]


def response(request: Request, *headers: str, status: str = "200 OK", body: str = "") -> bytes:
    """An RTSP answer to `request`; text is sent as Latin-1, as cameras with a local name do."""
    lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '1')}", *headers]
    if body:
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def interleaved(packet: bytes, channel: int = 0) -> bytes:
    return b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet


class Connection:
    """One client's socket."""

    def __init__(self, camera: "ScriptedCamera", client: socket.socket) -> None:
        self.camera = camera
        self.socket = client
        self._unread = b""

    def read(self, timeout_s: float = 30.0) -> Request | None:
        """The next request; None where the client has gone or says nothing for so long."""
        self.socket.settimeout(timeout_s)
        while b"\r\n\r\n" not in self._unread:
            piece = self.socket.recv(65536)
            if not piece:
                return None
            self._unread += piece
        head, self._unread = self._unread.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, url, _ = first.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines if ":" in line)
        return Request(method, url, {key.strip().lower(): value.strip() for key, value in pairs})

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def asked(self) -> bool:
        """Whether the client has said something."""
        return bool(self._unread) or bool(select.select([self.socket], [], [], 0)[0])

    def wait(self, seconds: float) -> bool:
        """Waits; True once the camera is to end."""
        return self.camera.stopping.wait(seconds)


Behaviour = Callable[[Connection], None]
"""what a connection gets; it may raise OSError, and returning closes the connection"""


class ScriptedCamera:
    """On a free port of 127.0.0.1, as a context manager; all its threads end with it."""

    def __init__(self, footage: Footage, behave: Behaviour | None = None, *, password: str = "", port: int = 0) -> None:
        self.footage = footage
        self.behave = behave
        self.password = password
        self.spoil: Callable[[bytes, random.Random], bytes] | None = None
        """changes RTP packets on their way"""
        self.stalled = False
        self.stopping = threading.Event()
        self.connections = 0
        self._port = port
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._clients: set[socket.socket] = set()

    @property
    def port(self) -> int:
        return self._port

    def url(self, path: str = "cam", *, credentials: str = "") -> str:
        return f"rtsp://{credentials}{'@' if credentials else ''}127.0.0.1:{self._port}/{path}"

    def start(self) -> None:
        """Listens; without, the port refuses connections."""
        self.stopping.clear()
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = int(self._listener.getsockname()[1])
        self._listener.settimeout(0.1)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        """Resets every connection and refuses new ones."""
        self.stopping.set()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def hang_up(self) -> None:
        """Resets every connection; new ones are welcome."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                # No lingering: the client gets a reset, as from a machine whose power was cut and is back.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.shutdown(socket.SHUT_RDWR)

    def cure(self) -> None:
        """From now on honest; whoever is connected is hung up on."""
        self.behave = None
        self.spoil = None
        self.hang_up()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # what is said

    def serve(self, connection: Connection) -> None:
        """The honest behaviour: answers requests, and plays once it is told to."""
        while (request := connection.read()) is not None:
            connection.send(self.answer(request))
            if request.method == "PLAY" and self._allows(request):
                self.play(connection)
                return

    def answer(self, request: Request) -> bytes:
        if not self._allows(request):
            return response(request, 'WWW-Authenticate: Basic realm="camera"', status="401 Unauthorized")
        match request.method:
            case "OPTIONS":
                return response(request, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
            case "DESCRIBE":
                return response(request, f"Content-Base: {request.url}/", body=self.footage.sdp)
            case "SETUP":
                return response(request, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 4711;timeout=60")
            case _:
                return response(request, "Session: 4711")

    def play(self, connection: Connection) -> None:
        """Sends pictures at their rate until the client leaves."""
        began_s = time.monotonic()
        for number, packets in enumerate(self.packets()):
            if connection.asked() and ((request := connection.read(1)) is None or request.method == "TEARDOWN"):
                return
            if not self.stalled:
                connection.send(b"".join(interleaved(packet) for packet in packets))
            rest_s = began_s + (number + 1) / self.footage.fps - time.monotonic()
            if rest_s > 0 and connection.wait(rest_s):
                return

    def packets(self) -> Iterator[list[bytes]]:
        """RTP packets of picture after picture, round and round, numbered and timed; of new footage once it is set."""
        generator = random.Random(1)
        number = ticks = place = 0
        footage = self.footage
        while True:
            if place == 0 or footage is not self.footage:
                footage, place = self.footage, 0
            found = []
            for packet in footage.pictures[place]:
                first, second, *_ = HEADER.unpack_from(packet)
                patched = (
                    HEADER.pack(first, second, number & 0xFFFF, ticks & 0xFFFFFFFF, 0x4711) + packet[HEADER.size :]
                )
                found.append(self.spoil(patched, generator) if self.spoil is not None else patched)
                number += 1
            yield found
            ticks += CLOCK_HZ // footage.fps
            place = (place + 1) % len(footage.pictures)

    # pieces

    def _allows(self, request: Request) -> bool:
        if not self.password or request.method == "OPTIONS":
            return True
        expected = base64.b64encode(f"operator:{self.password}".encode()).decode()
        return request.headers.get("authorization", "") == f"Basic {expected}"

    def _accept(self) -> None:
        assert self._listener is not None
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                self.connections += 1
                self._clients.add(client)
                thread = threading.Thread(target=self._guarded, args=(client,), daemon=True)
                self._threads = [one for one in self._threads if one.is_alive()] + [thread]
                thread.start()

    def _guarded(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, ValueError):
            (self.behave or self.serve)(Connection(self, client))
        self._clients.discard(client)
