"""Plays thousands of spoilt RTSP conversations to our source and its decoder, each by its seed, in its own process.

`python tests/peers/rtsp_fuzz.py FIRST COUNT` prints one JSON line a case, and ends with the signal if FFmpeg crashes.
A good conversation (answers, SDP, RTP and RTCP of four payloads) is spoilt in one to three of its layers: bits flipped,
pieces cut out, doubled or moved elsewhere, numbers made huge, codecs renamed, packets lost, repeated, sent elsewhere.
"""

import contextlib
import faulthandler
import json
import random
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripted_camera import CLOCK_HZ, HEADER, Connection, Footage, Request, ScriptedCamera, film, interleaved

from penstock.base.clock import SystemClock
from penstock.contracts.identity import Role, StreamKey
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.sources import SourceError
from penstock.contracts.specs import StreamSpec
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.decoder import Decoder
from penstock.sources.rtsp import RtspSource

OPEN_S, STALL_S = 0.4, 0.3
READS = 60
SIDE_BY_SIDE = 6
PASSWORD = "Tr0ub4dor"
LARGEST_BYTES = 256 * 1024
NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483647", b"-2147483648", b"4294967296", b"9" * 40, b"1e9", b"NaN")
CODECS = (
    *("H264", "H265", "MP4V-ES", "JPEG", "VP8", "VP9", "AV1", "H263-1998", "H261", "MP2T", "MPV", "X-QT", "theora"),
    *("raw", "DV", "X-ASF-PF", "vc2", "L16"),
)
"""what a stream is renamed to; not x-pn-realvideo, which crashes this FFmpeg (`nonsense.realvideo`)"""
LAYERS = ("answers", "sdp", "rtp", "framing")
_SENDER_REPORT = bytes.fromhex("80c80006000047 11e8a1b2c3d4e5f6070000000000000001 00000100".replace(" ", ""))


def spoilt(data: bytes, generator: random.Random) -> bytes:
    """`data` with one fault in it, and at most `LARGEST_BYTES` long."""
    return _spoilt(data, generator)[:LARGEST_BYTES]


def _spoilt(data: bytes, generator: random.Random) -> bytes:
    if not data:
        return generator.randbytes(4)
    a, b = sorted(generator.randrange(len(data) + 1) for _ in range(2))
    match generator.randrange(8):
        case 0:
            changed = bytearray(data)
            for _ in range(generator.choice((1, 1, 2, 8, 64))):
                changed[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
            return bytes(changed)
        case 1:
            return data[:a]
        case 2:
            return data[:a] + data[b:]
        case 3:
            return data[:b] + data[a:b] * generator.choice((1, 2, 50)) + data[b:]
        case 4:
            return data[:a] + data[b : b + 40] + data[a:]
        case 5:
            return data[:a] + generator.randbytes(generator.choice((1, 4, 200))) + data[a:]
        case 6:
            found = list(re.finditer(rb"\d+", data))
            if not found:
                return data[:a]
            one = generator.choice(found)
            return data[: one.start()] + generator.choice(NUMBERS) + data[one.end() :]
        case _:
            lines = data.split(b"\r\n")
            line = generator.randrange(len(lines))
            lines[line] = generator.choice((b"", lines[line] * 2, generator.choice(lines), b"a=" + lines[line]))
            return b"\r\n".join(lines)


def jpeg_footage() -> Footage:
    """RFC 2435 with standard tables: 64×48, the scan made of noise, each picture in two packets."""
    pictures = []
    generator = random.Random(1)
    for _ in range(12):
        parts = []
        for offset in (0, 300):
            head = b"\0" + offset.to_bytes(3, "big") + bytes((1, 50, 8, 6))
            scan = generator.randbytes(300).replace(b"\xff", b"\xfe")
            parts.append(HEADER.pack(0x80, 26 | (0x80 if offset else 0), 0, 0, 0) + head + scan)
        pictures.append(tuple(parts))
    sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"
    return Footage("mjpeg", 64, 48, 10, sdp, tuple(pictures), frozenset(range(12)))


class Conversation:
    """What the camera of one seed says."""

    def __init__(self, seed: int, good: list[Footage]) -> None:
        generator = self.generator = random.Random(seed)
        self.footage = generator.choice(good)
        self.layers = generator.sample(LAYERS, generator.choice((1, 1, 2, 3)))
        self.method = generator.choice(("OPTIONS", "DESCRIBE", "SETUP", "PLAY", ""))
        self.stays = generator.random() < 0.15
        self.redirects = generator.choice((1, 1000)) if generator.random() < 0.02 else 0
        self.sdp = self._sdp()

    def _sdp(self) -> bytes:
        sdp = self.footage.sdp.encode()
        if "sdp" not in self.layers:
            return sdp
        if self.generator.random() < 0.3:
            name = self.generator.choice(CODECS).encode()
            sdp = re.sub(rb"a=rtpmap:96 [^/]*", b"a=rtpmap:96 " + name, sdp)
        for _ in range(self.generator.choice((1, 1, 2, 5, 20))):
            sdp = spoilt(sdp, self.generator)
        return sdp

    def answer(self, request: Request, url: str) -> bytes:
        generator = self.generator
        body = f"Content-Type: application/sdp\r\nContent-Length: {len(self.sdp)}"
        headers = {
            "DESCRIBE": f"Content-Base: {request.url}/\r\n{body}",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=4711\r\nSession: 4711;timeout=60",
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER",
        }.get(request.method, "Session: 4711\r\nRange: npt=0.000-\r\nRTP-Info: url=track1;seq=1;rtptime=1")
        head = f"RTSP/1.0 200 OK\r\nCSeq: {request.headers.get('cseq', '1')}\r\n{headers}".encode()
        if self.redirects and request.method == "DESCRIBE":
            self.redirects -= 1
            return f"RTSP/1.0 302 Found\r\nCSeq: 2\r\nLocation: {url}\r\n\r\n".encode()
        if "answers" in self.layers and self.method in ("", request.method):
            for _ in range(generator.choice((1, 1, 2, 5))):
                head = spoilt(head, generator)
            if generator.random() < 0.1:
                return head
        return head + b"\r\n\r\n" + (self.sdp if request.method == "DESCRIBE" else b"")

    def stream(self) -> Iterator[bytes]:
        """Interleaved packets, as they go over the wire."""
        generator = self.generator
        number = 0
        kept = b""
        for place, packets in enumerate(self.footage.pictures):
            for packet in packets:
                first, second, *_ = HEADER.unpack_from(packet)
                ticks = place * CLOCK_HZ // self.footage.fps
                rtp = HEADER.pack(first, second, number & 0xFFFF, ticks, 0x4711) + packet[HEADER.size :]
                number += 1
                if "rtp" in self.layers and generator.random() < 0.3:
                    match generator.randrange(6):
                        case 0:
                            rtp = spoilt(rtp, generator)
                        case 1:
                            rtp = rtp[:12] + spoilt(rtp[12:20], generator) + rtp[20:]
                        case 2:
                            rtp = spoilt(rtp[:12], generator) + rtp[12:]
                        case 3:
                            rtp = b""
                        case 4:
                            rtp, kept = kept or rtp, rtp
                        case _:
                            rtp = rtp[: generator.randrange(24)]
                if "framing" in self.layers and generator.random() < 0.1:
                    framed = interleaved(rtp, generator.choice((0, 1, 2, 36, 255)))
                    yield spoilt(framed, generator) if generator.random() < 0.5 else framed
                    continue
                yield interleaved(rtp)
            report = _SENDER_REPORT if "rtp" not in self.layers else spoilt(_SENDER_REPORT, generator)
            yield interleaved(report, 1)


class Camera(ScriptedCamera):
    """Each connection's first request names the seed of what it is told."""

    def __init__(self, good: list[Footage]) -> None:
        super().__init__(good[0], self._converse)
        self._good = good
        self._known: dict[int, Conversation] = {}

    def forget(self, seed: int) -> None:
        self._known.pop(seed, None)

    def _converse(self, connection: Connection) -> None:
        talk: Conversation | None = None
        while (request := connection.read(5)) is not None:
            if talk is None:
                found = re.search(r"/case-(\d+)", request.url)
                seed = int(found.group(1)) if found else 0
                talk = self._known.setdefault(seed, Conversation(seed, self._good))
                url = self.url(f"case-{seed}")
            connection.send(talk.answer(request, url))
            if request.method == "PLAY":
                for piece in talk.stream():
                    connection.send(piece)
                if talk.stays:
                    connection.wait(2)
                else:
                    connection.socket.shutdown(socket.SHUT_WR)
                    connection.wait(0.02)
                return


def played(camera: Camera, seed: int) -> dict[str, Any]:
    """One case: how it ended, how many access units and pictures came, and how long the longest call took."""
    clock = SystemClock()
    url = camera.url(f"case-{seed}", credentials=f"operator:{PASSWORD}")
    spec = StreamSpec("cam", url, open_timeout_ns=int(OPEN_S * 1e9), stall_timeout_ns=int(STALL_S * 1e9))
    source = RtspSource(
        spec,
        key=lambda session: StreamKey("h", "b", "r", "cam", Role.DETECT, session),
        clock=clock,
        new_session=lambda: 1,
    )
    counters: Any = _Counters()
    books = UnitBooks(counters)
    units = pictures = 0
    decoder: Decoder | None = None
    info_id = -1
    longest_s, began_s = 0.0, time.monotonic()
    ended = "went on"
    try:
        session = source.wait_open()
        longest_s = time.monotonic() - began_s
        with contextlib.closing(session):
            while units < READS and time.monotonic() - began_s < 4:
                called_s = time.monotonic()
                try:
                    packet = session.wait_read()
                finally:
                    longest_s = max(longest_s, time.monotonic() - called_s)
                assert isinstance(packet, EncodedPacket)
                units += 1
                books.receive(len(packet.data))
                if packet.info_id != info_id or decoder is None:
                    info_id = packet.info_id
                    if decoder is not None:
                        decoder.close()
                    decoder = Decoder(session.info(info_id), books).open()
                pictures += sum(1 for _ in decoder.decode(packet))
    except SourceError as error:
        ended = error.fault.value
        longest_s = max(longest_s, 0.0 if units else time.monotonic() - began_s)
        if PASSWORD in str(error):
            ended = f"shows the password: {error}"
    except BaseException as error:
        ended = f"unexpected {type(error).__name__}: {error}"
    if decoder is not None:
        decoder.close()
    camera.forget(seed)
    if books.in_flight():
        ended = f"{books.in_flight()} units without a fate; {ended}"
    return {"seed": seed, "ended": ended, "units": units, "pictures": pictures, "longest_s": round(longest_s, 2)}


class _Counters(list[int]):
    """Counters of a stream, in plain memory."""

    def __init__(self) -> None:
        super().__init__([0] * WORDS)

    def add(self, index: int, amount: int = 1) -> None:
        self[index] += amount


def main() -> None:
    faulthandler.enable()
    first, count = int(sys.argv[1]), int(sys.argv[2])
    lock = threading.Lock()
    good = [film(codec, 160, 96, frames=24, gop=6) for codec in ("h264", "hevc", "mpeg4")]
    good.append(jpeg_footage())
    with Camera(good) as camera, ThreadPoolExecutor(SIDE_BY_SIDE) as workers:

        def run(seed: int) -> None:
            with lock:
                print(json.dumps({"begins": seed}), flush=True)
            found = played(camera, seed)
            with lock:
                print(json.dumps(found), flush=True)

        list(workers.map(run, range(first, first + count)))
    print(json.dumps({"peak_mib": peak_mib()}), flush=True)


def peak_mib() -> int:
    """Of this program alone: `ru_maxrss` begins with what the process that started it had."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


if __name__ == "__main__":
    main()
