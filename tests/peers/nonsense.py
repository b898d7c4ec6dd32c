"""Servers that misbehave: everything a connection to a camera can turn out to be, each with what we say of it.

Each behaviour is given a connection of a `ScriptedCamera` in place of the honest one.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from scripted_camera import Connection, Request, interleaved, response

ENDLESS = 1 << 30
AUDIO = "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track1\r\n"
UNKNOWN = "m=video 0 RTP/AVP 97\r\na=rtpmap:97 X-OWN-CODEC/90000\r\na=control:track1\r\n"
HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"


def random_bytes(connection: Connection) -> None:
    connection.send(random.Random(5).randbytes(65536))
    connection.wait(30)


def web_page(connection: Connection) -> None:
    connection.read()
    page = "<!doctype html><title>Login</title><form><input name=user></form>" * 20
    connection.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n{page}".encode())


def endless_headers(connection: Connection) -> None:
    request = connection.read()
    assert request is not None
    connection.send(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n")
    line = b"X-Padding: " + b"a" * 500 + b"\r\n"
    while not connection.wait(0.005):
        connection.send(line * 16)


def half_an_answer(connection: Connection) -> None:
    connection.read()
    connection.send(b"RTSP/1.0 200 OK\r\nCSe")
    connection.wait(30)


def no_answer(connection: Connection) -> None:
    connection.wait(30)


def closes_at_once(_connection: Connection) -> None:
    return


def to(method: str, answer: Callable[[Connection, Request], bytes | None]) -> Callable[[Connection], None]:
    """Honest until `method` comes, which gets `answer`; nothing more is said where that is None."""

    def behave(connection: Connection) -> None:
        while (request := connection.read()) is not None:
            if request.method != method:
                connection.send(connection.camera.answer(request))
                if request.method == "PLAY":
                    connection.camera.play(connection)
                continue
            data = answer(connection, request)
            if data is None:
                return
            connection.send(data)

    return behave


def enormous_body(connection: Connection, request: Request) -> bytes | None:
    connection.send(response(request, "Content-Type: application/sdp", f"Content-Length: {ENDLESS}") + HEAD.encode())
    connection.wait(30)
    return None


def described_as(body: str) -> Callable[[Connection], None]:
    return to("DESCRIBE", lambda _connection, request: response(request, body=body))


def refused_with(status: str, method: str = "DESCRIBE") -> Callable[[Connection], None]:
    return to(method, lambda _connection, request: response(request, status=status))


def sent_round(connection: Connection, request: Request) -> bytes:
    return response(request, f"Location: {connection.camera.url('again')}", status="302 Found")


def other_transport(_connection: Connection, request: Request) -> bytes:
    transport = "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001"
    return response(request, f"Transport: {transport}", "Session: 4711")


def plays(send: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Honest up to the answer to PLAY; then `send`."""

    def behave(connection: Connection) -> None:
        while (request := connection.read()) is not None:
            connection.send(connection.camera.answer(request))
            if request.method == "PLAY":
                send(connection)
                return

    return behave


def rtp_garbage(connection: Connection) -> None:
    generator = random.Random(7)
    while not connection.wait(0.01):
        connection.send(interleaved(generator.randbytes(generator.randrange(1, 1400)), generator.randrange(2)))


def unknown_channels(connection: Connection) -> None:
    for number, packets in enumerate(connection.camera.packets()):
        for packet in packets:
            connection.send(interleaved(packet, 6 + number % 40))
        if connection.wait(0.1):
            return


def no_keyframe(connection: Connection) -> None:
    """A stream joined in the middle of a picture series that never begins anew."""
    footage = connection.camera.footage
    for number, packets in enumerate(connection.camera.packets()):
        if number % len(footage.pictures) not in footage.keyframes:
            connection.send(b"".join(interleaved(packet) for packet in packets))
        if connection.wait(1 / footage.fps):
            return


def damaged(data: bytes, generator: random.Random) -> bytes:
    """Bits flipped in the payload of every eighth packet or so: radio links and broken memory do that."""
    if generator.random() > 0.12 or len(data) < 40:
        return data
    spoilt = bytearray(data)
    for _ in range(1 + len(data) // 60):
        spoilt[generator.randrange(14, len(data))] ^= 1 << generator.randrange(8)
    return bytes(spoilt)


class Nonsense(NamedTuple):
    """A misbehaviour, and the message it gets."""

    name: str
    behave: Callable[[Connection], None]
    told: str
    """what `/health` and the log say after the address"""


_SILENT = "no answer within 2 s"
_NO_RTSP = "what answers there does not speak RTSP"
_NO_STREAMS = "no video in it, no streams at all"
_REFUSED = "the camera refused the request (4xx)"
_BROKEN = "the camera answered with an error of its own (5xx)"
_STALLED = "nothing came for 2 s"
NOISE = random.Random(3).randbytes(3000).decode("latin-1")

CASES = (
    Nonsense("random-bytes", random_bytes, _SILENT),
    Nonsense("web-page", web_page, _NO_RTSP),
    Nonsense("endless-headers", endless_headers, _SILENT),
    Nonsense("half-an-answer", half_an_answer, _SILENT),
    Nonsense("no-answer", no_answer, _SILENT),
    Nonsense("closes-at-once", closes_at_once, _NO_RTSP),
    Nonsense("enormous-body", to("DESCRIBE", enormous_body), _NO_RTSP),
    Nonsense("sdp-of-noise", described_as(NOISE), _NO_STREAMS),
    Nonsense("sdp-without-media", described_as(HEAD), _NO_STREAMS),
    Nonsense("sdp-of-sound", described_as(HEAD + AUDIO), _NO_STREAMS),
    Nonsense("sdp-of-own-codec", described_as(HEAD + UNKNOWN), "its video codec is not known here"),
    Nonsense("wrong-transport", to("SETUP", other_transport), _NO_RTSP),
    Nonsense("redirected-for-ever", to("DESCRIBE", sent_round), _SILENT),
    Nonsense("not-found", refused_with("404 Not Found"), "the camera has no such stream"),
    Nonsense("bad-request", refused_with("400 Bad Request"), _REFUSED),
    Nonsense("too-many-viewers", refused_with("453 Not Enough Bandwidth", "SETUP"), _REFUSED),
    Nonsense(
        "no-such-transport",
        refused_with("461 Unsupported Transport", "SETUP"),
        "the camera does not offer this transport",
    ),
    Nonsense("broken-inside", refused_with("500 Internal Server Error"), _BROKEN),
    Nonsense("overloaded", refused_with("503 Service Unavailable", "PLAY"), _BROKEN),
    Nonsense("closes-after-setup", to("PLAY", lambda _connection, _request: None), "hung up before the stream began"),
    Nonsense("closes-after-play", plays(closes_at_once), "the camera closed the connection"),
    Nonsense("plays-nothing", plays(no_answer), _STALLED),
    Nonsense("rtp-garbage", plays(rtp_garbage), "(Input/output error)"),
    Nonsense("unknown-channels", plays(unknown_channels), _STALLED),
    Nonsense("no-keyframe", plays(no_keyframe), "it sends, but no keyframe for 10 s"),
)


def realvideo(connection: Connection) -> None:
    """RealVideo by plain RTP: FFmpeg 8's parser for it reads through a null pointer, and its process is gone."""
    sdp = connection.camera.footage.sdp.replace("rtpmap:96 H264", "rtpmap:96 x-pn-realvideo")
    described_as(sdp)(connection)
