"""Servers and programs that take our memory, our time or our place: each is given up, in time and with a name."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from nonsense import to
from scripted_camera import Connection, Request, ScriptedCamera, film, response
from web_cameras import WebCamera, jpeg

from penstock.base.clock import NS_PER_MS, SystemClock
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.push import PushCamera
from penstock.sources.opening import open_source

CLOCK = SystemClock()
MIB = 1024 * 1024
STEP_S = 0.3
"""between two bytes of a server that drips: less than any time-out"""


def source_of(url: str, data_dir: Path | None = None, *, stall_ms: int = 600, open_ms: int = 1000) -> Source:
    spec = StreamSpec("camera", url, open_timeout_ns=open_ms * NS_PER_MS, stall_timeout_ns=stall_ms * NS_PER_MS)
    sessions = iter(range(1, 100))
    return open_source(
        spec, host_id="h", boot_id="b", run_id="r", clock=CLOCK, new_session=sessions.__next__, data_dir=data_dir
    )


def flood(connection: Connection, request: Request) -> bytes | None:
    connection.send(response(request, "Content-Type: application/sdp", "Content-Length: 2000000000"))
    while not connection.wait(0):
        connection.send(bytes(MIB))
    return None


def probe_peak_mib(url: str) -> float:
    """Peak memory of a process that opens `url` once."""
    program = (
        "import sys\n"
        "from penstock.cli.probe_command import probe_command\n"
        "try:\n    probe_command(sys.argv[1], '1s')\n"
        "except Exception as error:\n    print(error)\n"
        # Of this program alone: ru_maxrss begins with what the process that started it had.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout.splitlines()[-1]) / 1024


def test_an_enormous_answer_is_refused_before_it_is_read() -> None:
    with ScriptedCamera(film(frames=10), to("DESCRIBE", flood)) as camera:
        peak_mib = probe_peak_mib(camera.url())
    print(f"peak {peak_mib:.0f} MiB")
    assert peak_mib < 200


def dripping(head: bytes, drop: bytes) -> Any:
    """Answers with `head`, and then with `drop` after `drop`, ever slower than a picture and faster than a time-out."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(head)
        handler.wfile.flush()
        for _ in range(100):
            time.sleep(STEP_S)
            handler.wfile.write(drop)

    return answer


@pytest.fixture
def web() -> Iterator[WebCamera]:
    with WebCamera() as running:
        yield running


OK = b"HTTP/1.1 200 OK\r\n"
MULTIPART = OK + b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n"
DRIPS = {
    "a header without an end": (OK, b"X-Padding: a\r\n", SourceFault.TIMEOUT),
    "a snapshot without an end": (OK + b"Content-Type: image/jpeg\r\n\r\n", b"\xff", SourceFault.STALLED),
    "a part without an end": (MULTIPART + b"\r\n", b"--frame", SourceFault.STALLED),
    "a chunk's length without an end": (
        MULTIPART + b"Transfer-Encoding: chunked\r\n\r\n",
        b"0",
        SourceFault.STALLED,
    ),
}


@pytest.mark.parametrize(("head", "drop", "fault"), DRIPS.values(), ids=DRIPS)
def test_a_server_that_drips_is_given_up(web: WebCamera, head: bytes, drop: bytes, fault: SourceFault) -> None:
    web.mounts["/drip"] = dripping(head, drop)
    began_s = time.monotonic()
    with pytest.raises(SourceError) as caught, closing(source_of(web.url("/drip")).wait_open()) as session:
        session.wait_read()
    assert caught.value.fault is fault
    assert time.monotonic() - began_s < 100 * STEP_S / 2


ADDRESSES = {
    "no address": "http://[",
    "another protocol": "rtsp://10.0.0.1/x",
}


@pytest.mark.parametrize("location", ADDRESSES.values(), ids=ADDRESSES)
def test_a_redirection_to_nowhere_is_a_fault(web: WebCamera, location: str) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\n\r\n")

    web.mounts["/away"] = answer
    with pytest.raises(SourceError) as caught:
        source_of(web.url("/away")).wait_open()
    assert caught.value.fault in (SourceFault.NOT_FOUND, SourceFault.UNSUPPORTED)


def test_an_address_that_is_none_shows_no_password() -> None:
    with pytest.raises(SourceError) as caught:
        source_of("http://user:hunter2@\u2100/").wait_open()
    assert caught.value.fault is SourceFault.NOT_FOUND
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_part_of_absurd_length_is_a_fault(web: WebCamera) -> None:
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
    web.add_stream("/video", "multipart/x-mixed-replace; boundary=frame", lambda: iter([head, bytes(40 * MIB)]))
    with closing(source_of(web.url("/video")).wait_open()) as session, pytest.raises(SourceError) as caught:
        session.wait_read()
    assert caught.value.fault is SourceFault.INVALID_DATA


def test_letters_of_any_language_in_path_and_password() -> None:
    with WebCamera() as camera:
        seen: list[str] = []
        camera.add_bytes("/%D0%B4%D0%B2%D0%B5%D1%80%D1%8C.jpg", "image/jpeg", lambda: jpeg(1))
        with closing(source_of(camera.url("/дверь.jpg")).wait_open()) as session:
            assert session.wait_read()

        def secured(handler: BaseHTTPRequestHandler) -> None:
            given = handler.headers.get("Authorization") or ""
            seen.append(given)
            handler.send_response(200 if given else 401)
            handler.send_header("WWW-Authenticate", 'Digest realm="cam", nonce="1"')
            handler.send_header("Content-Type", "image/jpeg")
            handler.send_header("Content-Length", str(len(jpeg(2)) if given else 0))
            handler.end_headers()
            handler.wfile.write(jpeg(2) if given else b"")

        camera.mounts["/secured.jpg"] = secured
        with closing(source_of(camera.url("/secured.jpg", user="вахтёр", password="x")).wait_open()) as session:
            assert session.wait_read()
    assert 'username="вахтёр"' in seen[1].encode("latin-1").decode()


def test_a_second_listener_takes_nothing_away(tmp_path: Path) -> None:
    engine, probe = source_of("push://crane", tmp_path, open_ms=5000), source_of("push://crane", tmp_path)
    with PushCamera(tmp_path, "crane") as camera:
        session = engine.wait_open()
        with pytest.raises(SourceError, match="another engine takes this camera's pictures") as caught:
            probe.wait_open()
        assert caught.value.fault is SourceFault.REFUSED
        assert camera.wait_connected(5)
        while not camera.push_nowait(jpeg(1)):
            time.sleep(0.002)
        assert session.wait_read()
        session.close()
        engine.interrupt()
        # What the first gave back the second may have.
        session = probe.wait_open()
        session.close()
        probe.interrupt()


def test_capture_times_of_pushed_pictures_never_go_back(tmp_path: Path) -> None:
    source = source_of("push://crane", tmp_path, open_ms=5000)
    with PushCamera(tmp_path, "crane") as camera:
        session = source.wait_open()
        assert camera.wait_connected(5)
        began_ns = CLOCK.now_ns()
        stated = [began_ns, None, began_ns + 1, began_ns - 1, CLOCK.now_ns() + 10**12]
        captures = []
        for captured_ns in stated:
            while not camera.push_nowait(jpeg(1), captured_ns):
                time.sleep(0.002)
            captures.append(session.wait_read().capture)
        assert [capture.mono_ns for capture in captures] == sorted(capture.mono_ns for capture in captures)
        assert captures[2].mono_ns - captures[2].error_ns <= began_ns + 1, "the true time lies within the error"
        assert session.statistics().times_refused == 2
        session.close()
        source.interrupt()


def test_a_program_in_a_long_queue_can_be_stopped(tmp_path: Path) -> None:
    """An engine that takes nobody: eight programs wait for it, more than its socket keeps in line."""
    engine = source_of("push://crane", tmp_path, open_ms=50)
    with pytest.raises(SourceError):
        engine.wait_open()
    cameras = [PushCamera(tmp_path, "crane") for _ in range(8)]
    for camera in cameras:
        camera.start()
    time.sleep(0.5)

    def stop() -> None:
        for camera in cameras:
            camera.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    stopping.join(5)
    assert not stopping.is_alive()
    engine.interrupt()
