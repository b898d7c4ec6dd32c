"""Clients that send garbage, do not read, give wrong passwords or vanish: the server answers, counts and serves on."""

import contextlib
import itertools
import random
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import av.error
import pytest
from served_films import ServedFilms, write_clip

from penstock.base.clock import SystemClock
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.restream.authentication import PasswordAuthentication
from penstock.restream.limits import Limits
from penstock.restream.media import MediaDescription
from penstock.restream.server import RtspServer
from penstock.simulator.film import Film, film_of_file
from penstock.sources.opening import open_source

SECRET = b"0123456789abcdef"
LIMITS = Limits(connections=12, session_timeout_s=1, idle_s=1.5, slow_client_s=1.0, write_buffer_bytes=32 * 1024)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return film_of_file(write_clip(tmp_path_factory.mktemp("clips") / "h264.mp4", "libx264"))


@pytest.fixture
def served(film: Film) -> Iterator[ServedFilms]:
    with ServedFilms(lambda: RtspServer("127.0.0.1", 0, clock=SystemClock(), limits=LIMITS)) as running:
        running.play("cam", film, cached_gop=True)
        running.play(
            "locked", film, authentication=PasswordAuthentication({"ann": "Tr0ub4dor"}, secret=SECRET), cached_gop=True
        )
        yield running
        assert running.statistics().failed_requests == 0


def plays(served: ServedFilms, name: str = "cam", credentials: str = "", transport: str = "tcp") -> int:
    """How many of ten pictures arrive."""
    options = {"rtsp_transport": transport}
    with av.open(served.url(name, credentials), options=options, timeout=5) as container:
        return len(list(itertools.islice(container.decode(video=0), 10)))


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until `holds`, at most ten seconds."""
    for _ in range(500):
        if holds():
            return
        time.sleep(0.02)
    assert holds()


class Raw:
    """A client that speaks by hand."""

    def __init__(self, served: ServedFilms, name: str = "cam") -> None:
        self._uri = served.url(name)
        self.socket = socket.create_connection(("127.0.0.1", served.server.port), timeout=5)

    def ask(self, method: str, suffix: str = "", **headers: str) -> str:
        lines = [f"{method} {self._uri}{suffix} RTSP/1.0", "CSeq: 1", *(f"{k}: {v}" for k, v in headers.items())]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(1)
        return data.decode()

    def play(self, transport: str = "RTP/AVP/TCP;unicast;interleaved=0-1") -> str:
        answer = self.ask("SETUP", "/trackID=0", Transport=transport)
        session = answer.partition("Session: ")[2].partition(";")[0]
        answer = self.ask("PLAY", Session=session)
        assert "200 OK" in answer
        return answer

    def read_frame(self) -> tuple[int, bytes]:
        """(channel, data) of the next interleaved frame."""
        head = self._read(4)
        assert head[:1] == b"$"
        return head[1], self._read(int.from_bytes(head[2:], "big"))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data

    def wait_closed(self) -> bytes:
        """Everything up to the end of the connection."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := self.socket.recv(65536):
                data += piece
        return data

    def close(self) -> None:
        self.socket.close()


def test_garbage_is_answered_or_closed_and_others_are_served_on(served: ServedFilms) -> None:
    noise = random.Random(3)
    garbage = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"A" * 100_000,
        b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\n" + b"X: y\r\n" * 5000,
        b"SETUP rtsp://h/cam RTSP/1.0\r\nContent-Length: 99999999999\r\n\r\n",
        *(noise.randbytes(noise.randrange(1, 5000)) for _ in range(20)),
    ]
    with av.open(served.url("cam"), options={"rtsp_transport": "tcp"}, timeout=5) as container:
        frames = container.decode(video=0)
        next(frames)
        for data in garbage:
            raw = Raw(served)
            with contextlib.suppress(ConnectionError):
                raw.socket.sendall(data)
                raw.socket.shutdown(socket.SHUT_WR)
            answer = raw.wait_closed()
            assert answer == b"" or answer.startswith(b"RTSP/1.0 4"), answer[:60]
            raw.close()
        assert len(list(itertools.islice(frames, 10))) == 10
    assert served.statistics().malformed >= 5
    eventually(lambda: served.statistics().connections == 0)


def test_a_client_that_does_not_read_is_bounded_and_then_cut_off(tmp_path: Path) -> None:
    # Noise that does not compress fills the kernel's buffers within a second or two.
    big = film_of_file(
        write_clip(tmp_path / "big.avi", "mjpeg", 10, width_px=1280, height_px=720, pix_fmt="yuvj420p",
                   options={"qmin": "1", "qmax": "1", "huffman": "default"})
    )  # fmt: skip
    with ServedFilms(lambda: RtspServer("127.0.0.1", 0, clock=SystemClock(), limits=LIMITS)) as running:
        running.play("cam", big)
        raw = Raw(running)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.play()
        assert plays(running) == 10
        eventually(lambda: running.statistics().closed_slow == 1)
        raw.close()
        assert plays(running) == 10


def test_wrong_and_missing_passwords_are_refused_and_the_right_one_passes(served: ServedFilms) -> None:
    for credentials in ("", "ann:other", "bob:Tr0ub4dor"):
        with pytest.raises(av.error.HTTPUnauthorizedError):
            plays(served, "locked", credentials)
    assert plays(served, "locked", "ann:Tr0ub4dor") == 10
    spec = StreamSpec("camera", served.url("locked", "ann:other"))
    source = open_source(
        spec, host_id="h", boot_id="b", run_id="r", clock=SystemClock(), new_session=iter(range(1, 9)).__next__
    )
    with pytest.raises(SourceError) as caught:
        source.wait_open()
    assert caught.value.fault is SourceFault.UNAUTHORIZED
    assert served.statistics().unauthorized >= 3


@pytest.mark.parametrize("schemes", [("digest-sha256", "digest-md5"), ("digest-md5",), ("basic",)])
def test_each_scheme_works_with_ffmpeg(film: Film, schemes: tuple[str, ...]) -> None:
    guard = PasswordAuthentication({"ann": "Tr0ub4dor"}, secret=SECRET, schemes=schemes)
    make = lambda: RtspServer("127.0.0.1", 0, clock=SystemClock(), authentication=guard)  # noqa: E731
    with ServedFilms(make) as running:
        running.play("cam", film, cached_gop=True)
        assert plays(running, credentials="ann:Tr0ub4dor") == 10
        with pytest.raises(av.error.HTTPUnauthorizedError):
            plays(running, credentials="ann:other")


def test_a_mount_that_goes_disconnects_its_viewers_and_may_come_back(served: ServedFilms, film: Film) -> None:
    raw = Raw(served)
    raw.play()
    served.call(lambda: served.server.remove_mount("cam"))
    # The last that comes is a goodbye (RTCP BYE), then the end.
    assert raw.wait_closed()[-8:-4] == b"\x81\xcb\x00\x01"
    raw.close()
    with pytest.raises(av.error.HTTPNotFoundError):
        plays(served)
    with pytest.raises(KeyError):
        served.call(lambda: served.server.remove_mount("cam"))
    served.play("cam", film, cached_gop=True)
    assert plays(served) == 10
    with pytest.raises(ValueError, match="served already"):
        served.call(lambda: served.server.add_mount("/cam/", None))  # type: ignore[arg-type]


def test_viewers_over_udp_are_disconnected_too(served: ServedFilms) -> None:
    raw = Raw(served)
    raw.play("RTP/AVP;unicast;client_port=40000-40001")
    assert served.call(lambda: served.server.disconnect("cam")) == 1
    assert raw.wait_closed() == b""
    raw.close()
    assert plays(served, transport="udp") == 10


def test_another_codec_ends_the_session(served: ServedFilms) -> None:
    raw = Raw(served)
    raw.play()
    broadcast = served.server.find_mount("/cam")
    assert broadcast is not None
    # From this thread, which is not the server's: publishers may live anywhere.
    broadcast.broadcast.publish_nowait(MediaDescription("mjpeg", 160, 96, 25.0))
    assert raw.wait_closed()[-8:-4] == b"\x81\xcb\x00\x01"
    raw.close()
    assert served.statistics().closed_ended == 1


def test_a_udp_viewer_that_vanishes_times_out_and_one_that_reports_stays(served: ServedFilms) -> None:
    raw = Raw(served)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp,
    ):
        for sock in (rtp, rtcp):
            sock.bind(("127.0.0.1", 0))
        ports = f"{rtp.getsockname()[1]}-{rtcp.getsockname()[1]}"
        answer = raw.ask("SETUP", "/trackID=0", Transport=f"RTP/AVP;unicast;client_port={ports}")
        server_rtcp = int(answer.partition("server_port=")[2].partition(";")[0].partition("-")[2])
        session = answer.partition("Session: ")[2].partition(";")[0]
        assert "200 OK" in raw.ask("PLAY", Session=session)
        raw.close()
        ssrc = bytes.fromhex(answer.partition("ssrc=")[2][:8])
        report = (
            bytes.fromhex("81c9000700000001") + ssrc + bytes.fromhex("000000070000000000000000000000000000") + bytes(2)
        )
        for _ in range(20):
            # The time-out is 1 s; for 2 s these keep it alive.
            rtcp.sendto(report, ("127.0.0.1", server_rtcp))
            rtcp.sendto(b"noise", ("127.0.0.1", server_rtcp))
            time.sleep(0.1)
        (state,) = served.statistics().sessions
        assert state.playing
        assert (state.reports_heard, state.rtcp_malformed, state.packets_lost) == (20, 20, 7)
        eventually(lambda: served.statistics().sessions_timed_out == 1)
    assert served.statistics().sessions == ()


def test_connections_are_bounded_and_idle_ones_are_closed(served: ServedFilms) -> None:
    raws = [Raw(served) for _ in range(LIMITS.connections)]
    assert all("200 OK" in raw.ask("OPTIONS") for raw in raws)
    extra = Raw(served)
    assert extra.wait_closed() == b""
    extra.close()
    assert served.statistics().refused_connections == 1
    assert [raw.wait_closed() for raw in raws] == [b""] * len(raws)
    for raw in raws:
        raw.close()
    eventually(lambda: served.statistics().closed_idle == len(raws))
    assert plays(served) == 10


def test_it_stops_while_clients_are_playing_and_one_does_not_read(film: Film) -> None:
    with ServedFilms(lambda: RtspServer("127.0.0.1", 0, clock=SystemClock())) as running:
        running.play("cam", film, cached_gop=True)
        reading, silent = Raw(running), Raw(running)
        reading.play()
        silent.play()
        port = running.server.port
    assert reading.wait_closed()[-8:-4] == b"\x81\xcb\x00\x01"
    for raw in (reading, silent):
        raw.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


class LoseEveryFifth:
    def __init__(self) -> None:
        self.seen = 0

    def pass_on(self, packets: list[bytes], now_ns: int) -> list[bytes]:
        kept = [packet for index, packet in enumerate(packets, self.seen) if index % 5]
        self.seen += len(packets)
        return kept


def test_packets_can_be_lost_on_purpose(served: ServedFilms, film: Film) -> None:
    numbers: list[int] = []

    def lossy(number: int) -> LoseEveryFifth:
        numbers.append(number)
        return LoseEveryFifth()

    served.play("lossy", film, new_filter=lossy, cached_gop=True)
    raw = Raw(served, "lossy")
    answer = raw.play()
    first = int(answer.partition("seq=")[2].partition(";")[0].split()[0])
    seen: list[int] = []
    while len(seen) < 24:
        channel, data = raw.read_frame()
        if channel == 0:
            seen.append((int.from_bytes(data[2:4], "big") - first) % 65536)
    raw.close()
    assert seen == [number for number in range(30) if number % 5]
    assert numbers == [0]


def test_rtsps(film: Film, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt-get install openssl): no certificate can be made")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with ServedFilms(lambda: RtspServer("127.0.0.1", 0, clock=SystemClock(), tls=context)) as running:
        running.play("cam", film, cached_gop=True)
        assert running.url("cam").startswith("rtsps://")
        assert plays(running) == 10
        garbage = socket.create_connection(("127.0.0.1", running.server.port), timeout=5)
        garbage.sendall(b"OPTIONS * RTSP/1.0\r\n\r\n")
        garbage.close()
        assert plays(running) == 10
