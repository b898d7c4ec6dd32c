"""Real RTSP: connecting, refusals with advice, stalls, deaths, coming back, and being told to stop."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign_rtsp import ForeignRtspServer

from penstock.base.clock import NS_PER_MS, NS_PER_S, SystemClock
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.sources.live_session import LiveSession
from penstock.sources.opening import open_source
from penstock.sources.probe import wait_probe

CLOCK = SystemClock()
SECRET = "Tr0ub4dor"


def source_of(url: str, *, open_ms: int = 5000, stall_ms: int = 3000) -> Source:
    spec = StreamSpec("camera", url, open_timeout_ns=open_ms * NS_PER_MS, stall_timeout_ns=stall_ms * NS_PER_MS)
    sessions = iter(range(1, 100))
    return open_source(spec, host_id="h", boot_id="b", run_id="r", clock=CLOCK, new_session=sessions.__next__)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignRtspServer]:
    with ForeignRtspServer(tmp_path_factory.mktemp("rtsp")) as running:
        running.add_timecode("cam", fps=25, gop_frames=25)
        running.add_timecode("quiet", fps=25, gop_frames=25)
        yield running


def read(session: object, count: int) -> list[EncodedPacket]:
    assert isinstance(session, LiveSession)
    return [session.wait_read() for _ in range(count)]


def test_connects_fast_and_numbers_every_access_unit(server: ForeignRtspServer) -> None:
    took_ms = []
    for _ in range(3):
        began_ns = CLOCK.now_ns()
        session = source_of(server.url("cam")).wait_open()
        (first,) = read(session, 1)
        took_ms.append((first.received_ns - began_ns) / NS_PER_MS)
        session.close()
    print(f"time to the first access unit: {[round(ms) for ms in took_ms]} ms")
    assert min(took_ms) <= 300

    session = source_of(server.url("cam")).wait_open()
    packets = read(session, 60)
    session.close()
    assert [packet.id.seq for packet in packets] == list(range(60))
    assert {packet.id.stream.session for packet in packets} == {1}
    assert sum(packet.keyframe for packet in packets) in (2, 3)
    # Joined in the middle of a GOP, the size comes with the first keyframe, as a configuration of its own.
    key = next(packet for packet in packets if packet.keyframe)
    info = session.info(key.info_id)
    assert (info.codec, info.width_px, info.height_px, info.fps) == ("h264", 640, 360, 25.0)
    assert info.extradata.startswith(b"\x00\x00\x00\x01\x67")
    assert {packet.info_id for packet in packets[key.id.seq :]} == {key.info_id}


def test_a_file_served_by_another_server_keeps_its_pictures(server: ForeignRtspServer, shared_data: Path) -> None:
    server.add_file("people", shared_data / "videos" / "vtest_480x360_h264.mp4", cached_gop=True)
    session = source_of(server.url("people")).wait_open()
    packets = read(session, 30)
    session.close()
    info = session.info(packets[-1].info_id)
    assert (info.codec, info.width_px, info.height_px) == ("h264", 480, 360)
    assert any(packet.disposable for packet in packets)
    assert packets[0].keyframe


def test_probe_measures_what_the_server_was_told(server: ForeignRtspServer) -> None:
    report = wait_probe(source_of(server.url("cam")), CLOCK, 3 * NS_PER_S)
    assert (report.codec, report.width_px, report.height_px) == ("h264", 640, 360)
    assert report.declared_fps == 25
    assert report.measured_fps == pytest.approx(25, rel=0.05)
    assert report.gop_pictures == 25
    assert not report.b_frames
    assert report.cached_burst_ns == 0
    assert report.first_packet_ns is not None
    assert report.first_packet_ns <= 500 * NS_PER_MS


def test_a_stalled_camera_is_given_up_after_the_stall_time_out(server: ForeignRtspServer) -> None:
    session = source_of(server.url("quiet"), stall_ms=700).wait_open()
    read(session, 10)
    server.stall("quiet", True)
    began_ns = CLOCK.now_ns()
    try:
        with pytest.raises(SourceError) as caught:
            read(session, 100)
    finally:
        server.stall("quiet", False)
    assert caught.value.fault is SourceFault.STALLED
    assert "nothing came for 700 ms" in str(caught.value)
    assert 600 <= (CLOCK.now_ns() - began_ns) / NS_PER_MS <= 1500
    session.close()
    again = source_of(server.url("quiet")).wait_open()
    assert read(again, 5)[4].id.seq == 4
    again.close()


def test_a_server_that_dies_breaks_the_session_and_can_come_back(tmp_path: Path) -> None:
    with ForeignRtspServer(tmp_path) as server:
        server.add_timecode("cam")
        source = source_of(server.url("cam"))
        session = source.wait_open()
        read(session, 5)
        server.kill()
        began_ns = CLOCK.now_ns()
        with pytest.raises(SourceError) as caught:
            read(session, 200)
        assert caught.value.fault is SourceFault.IO_ERROR
        assert CLOCK.now_ns() - began_ns < NS_PER_S
        session.close()
        with pytest.raises(SourceError) as caught:
            source.wait_open()
        assert caught.value.fault is SourceFault.REFUSED
        server.restart()
        again = source.wait_open()
        assert again.session == 2
        assert read(again, 5)[0].id.seq == 0
        again.close()


@pytest.mark.parametrize("auth", ["digest", "basic"])
def test_passwords(tmp_path: Path, auth: str, capfd: pytest.CaptureFixture[str]) -> None:
    with ForeignRtspServer(tmp_path, user="viewer", password=SECRET, auth=auth) as server:
        server.add_timecode("cam")
        session = source_of(server.url("cam", user="viewer", password=SECRET)).wait_open()
        assert read(session, 3)
        session.close()
        for url in (server.url("cam"), server.url("cam", user="viewer", password=SECRET + "x")):
            with pytest.raises(SourceError) as caught:
                source_of(url).wait_open()
            assert caught.value.fault is SourceFault.UNAUTHORIZED
            assert "refused the user name or password" in str(caught.value)
            assert SECRET not in repr(caught.value)
            assert caught.value.__suppress_context__
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_an_unknown_path_is_named(server: ForeignRtspServer) -> None:
    with pytest.raises(SourceError) as caught:
        source_of(server.url("nowhere")).wait_open()
    assert caught.value.fault is SourceFault.NOT_FOUND
    assert "the camera has no such stream" in str(caught.value)


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(SourceError) as caught:
        source_of(f"rtsp://viewer:{SECRET}@no-such-camera.invalid/x").wait_open()
    assert caught.value.fault is SourceFault.NOT_FOUND
    assert "the name no-such-camera.invalid is unknown" in str(caught.value)
    assert SECRET not in str(caught.value)


@contextlib.contextmanager
def listener(answer: bytes = b"") -> Iterator[int]:
    """Accepts connections; answers the first request with `answer`, or with silence."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    held.append(connection)
                    if answer:
                        connection.recv(4096)
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def test_something_that_is_no_rtsp_server_is_recognised() -> None:
    with listener(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as port, pytest.raises(SourceError) as caught:
        source_of(f"rtsp://127.0.0.1:{port}/x").wait_open()
    assert caught.value.fault is SourceFault.INVALID_DATA
    assert "does not speak RTSP" in str(caught.value)


def test_silence_while_opening_is_a_time_out() -> None:
    with listener() as port:
        began_ns = CLOCK.now_ns()
        with pytest.raises(SourceError) as caught:
            source_of(f"rtsp://127.0.0.1:{port}/x", open_ms=600).wait_open()
        assert caught.value.fault is SourceFault.TIMEOUT
        assert "no answer within 600 ms" in str(caught.value)
        assert CLOCK.now_ns() - began_ns < 1500 * NS_PER_MS


def interrupt_after(target: Source | LiveSession, seconds: float) -> list[int]:
    called_ns: list[int] = []

    def run() -> None:
        threading.Event().wait(seconds)
        called_ns.append(CLOCK.now_ns())
        target.interrupt()

    threading.Thread(target=run).start()
    return called_ns


def test_interrupt_ends_an_opening_that_hangs() -> None:
    with listener() as port:
        source = source_of(f"rtsp://127.0.0.1:{port}/x", open_ms=20_000)
        called_ns = interrupt_after(source, 0.3)
        with pytest.raises(SourceError) as caught:
            source.wait_open()
        took_ms = (CLOCK.now_ns() - called_ns[0]) / NS_PER_MS
    print(f"interrupted while opening: {took_ms:.0f} ms")
    assert caught.value.fault is SourceFault.INTERRUPTED
    assert took_ms < 500


def test_interrupt_ends_a_read_that_hangs_and_no_other(server: ForeignRtspServer) -> None:
    other = source_of(server.url("cam")).wait_open()
    read(other, 2)
    source = source_of(server.url("quiet"), stall_ms=20_000)
    session = source.wait_open()
    read(session, 5)
    server.stall("quiet", True)
    called_ns = interrupt_after(source, 0.3)
    try:
        with pytest.raises(SourceError) as caught:
            read(session, 100)
        took_ms = (CLOCK.now_ns() - called_ns[0]) / NS_PER_MS
    finally:
        server.stall("quiet", False)
    print(f"interrupted while reading: {took_ms:.0f} ms")
    assert caught.value.fault is SourceFault.INTERRUPTED
    assert took_ms < 500
    with pytest.raises(SourceError, match="reading was stopped"):
        read(session, 1)
    session.close()
    assert len(read(other, 5)) == 5
    other.close()


def test_interrupting_a_session_leaves_its_source_usable(server: ForeignRtspServer) -> None:
    source = source_of(server.url("cam"))
    session = source.wait_open()
    session.interrupt()
    with pytest.raises(SourceError, match="reading was stopped"):
        read(session, 1)
    session.close()
    again = source.wait_open()
    assert read(again, 2)
    again.close()
