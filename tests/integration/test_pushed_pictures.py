"""Pictures pushed by a program, and sources that a user wrote, on real sockets and files."""

import os
import re
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import Running
from web_cameras import jpeg

from penstock.base.clock import NS_PER_MS, SystemClock
from penstock.contracts.packets import EncodedImage, RawFrame
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import TimeBasis
from penstock.push import PushCamera
from penstock.sources import push_wire
from penstock.sources.opening import open_source
from penstock.sources.push_wire import PushedHeader, encode_header

CLOCK = SystemClock()
DOCS = Path(__file__).parents[2] / "docs" / "sources.md"


def source_of(url: str, data_dir: Path, *, open_ms: int = 5000, stall_ms: int = 3000, **more: Any) -> Source:
    spec = StreamSpec("camera", url, open_timeout_ns=open_ms * NS_PER_MS, stall_timeout_ns=stall_ms * NS_PER_MS, **more)
    sessions = iter(range(1, 100))
    return open_source(
        spec, host_id="h", boot_id="b", run_id="r", clock=CLOCK, new_session=sessions.__next__, data_dir=data_dir
    )


def push(camera: PushCamera, picture: object, captured_ns: int | None = None) -> None:
    """Pushes until it is taken: the one before may be on its way still."""
    while not camera.push_nowait(picture, captured_ns):  # type: ignore[arg-type]
        threading.Event().wait(0.002)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    # Longer than a Unix socket's path may be.
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    return folder


def test_pixels_and_jpegs_arrive_as_they_were_pushed(data_dir: Path) -> None:
    source = source_of("push://crane", data_dir)
    with PushCamera(data_dir, "crane") as camera:
        assert not camera.push_nowait(jpeg(0)), "nobody listens yet"
        session = source.wait_open()
        socket_file = data_dir / "push" / "crane.sock"
        assert stat.S_IMODE(os.stat(socket_file).st_mode) == 0o600
        assert camera.wait_connected(5)
        colour = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
        grey = colour[:, :, 0]
        before_ns = CLOCK.now_ns()
        push(camera, colour, before_ns)
        first = session.wait_read()
        push(camera, grey)
        second = session.wait_read()
        push(camera, jpeg(3), CLOCK.now_ns() + 10**12)
        third = session.wait_read()
        assert isinstance(first, RawFrame)
        assert (first.format, first.width_px, first.height_px, first.data) == ("bgr24", 64, 48, colour.tobytes())
        assert (first.capture.basis, first.capture.mono_ns) == (TimeBasis.SENDER, before_ns)
        assert isinstance(second, RawFrame)
        assert (second.format, second.data, second.capture.basis) == ("gray", grey.tobytes(), TimeBasis.ARRIVAL)
        assert isinstance(third, EncodedImage)
        assert (third.data, third.capture.basis) == (jpeg(3), TimeBasis.ARRIVAL), "a time in the future is refused"
        assert [item.id.seq for item in (first, second, third)] == [0, 1, 2]
        statistics = camera.statistics()
        assert (statistics.sent, statistics.lost, statistics.connections) == (3, 0, 1)
        session.close()
        source.interrupt()
    assert not socket_file.exists()


def test_one_pusher_at_a_time_and_engines_that_come_back(data_dir: Path) -> None:
    source = source_of("push://crane", data_dir)
    with PushCamera(data_dir, "crane") as first:
        session = source.wait_open()
        assert first.wait_connected(5)
        with PushCamera(data_dir, "crane") as second:
            assert not second.wait_connected(0.3)
            first.stop()
            with pytest.raises(SourceError, match="the program that pushes has gone"):
                session.wait_read()
            session.close()
            session = source.wait_open()
            assert second.wait_connected(5)
            source.interrupt()
            session.close()
            # Another engine finds the program again.
            again = source_of("push://crane", data_dir)
            session = again.wait_open()
            push(second, jpeg(1))
            assert session.wait_read()
            session.close()
            again.interrupt()


def test_a_slow_engine_costs_pictures_not_time(data_dir: Path) -> None:
    source = source_of("push://crane", data_dir)
    with PushCamera(data_dir, "crane") as camera:
        session = source.wait_open()
        assert camera.wait_connected(5)
        large = np.zeros((1080, 1920, 3), np.uint8)
        taken = sum(camera.push_nowait(large) for _ in range(20))
        statistics = camera.statistics()
        assert (statistics.pushed, statistics.refused) == (taken, 20 - taken)
        assert taken <= 3
        session.close()
        source.interrupt()


HOSTILE = {
    "noise": os.urandom(64),
    "a huge picture": push_wire.HEADER.pack(push_wire.MAGIC, 0, 0, 0, -1, 2**40),
    "size and shape differ": push_wire.HEADER.pack(push_wire.MAGIC, 1, 64, 48, -1, 100),
    "no picture at all": push_wire.HEADER.pack(push_wire.MAGIC, 1, 0, 0, -1, 0),
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
def test_a_program_that_does_not_speak_as_agreed_is_disconnected(data_dir: Path, sent: bytes) -> None:
    source = source_of("push://x", data_dir, open_ms=100)
    with pytest.raises(SourceError, match="no program pushes pictures") as caught:
        source.wait_open()
    assert caught.value.fault is SourceFault.TIMEOUT
    with socket.socket(socket.AF_UNIX) as hostile:
        folder = os.open(data_dir / "push", os.O_RDONLY)
        hostile.connect(f"/proc/self/fd/{folder}/x.sock")
        os.close(folder)
        session = source.wait_open()
        hostile.sendall(sent)
        with pytest.raises(SourceError, match="is disconnected") as caught:
            session.wait_read()
        assert caught.value.fault is SourceFault.INVALID_DATA
        session.close()
    source.interrupt()


def test_half_a_picture_is_no_picture(data_dir: Path) -> None:
    source = source_of("push://x", data_dir, open_ms=100, stall_ms=300)
    with pytest.raises(SourceError):
        source.wait_open()
    with socket.socket(socket.AF_UNIX) as slow:
        folder = os.open(data_dir / "push", os.O_RDONLY)
        slow.connect(f"/proc/self/fd/{folder}/x.sock")
        os.close(folder)
        session = source.wait_open()
        slow.sendall(encode_header(PushedHeader("gray", 100, 100, None, 10_000)) + bytes(5_000))
        with pytest.raises(SourceError, match="nothing came for 300 ms"):
            session.wait_read()
        session.close()
    source.interrupt()


def test_pushed_pictures_become_events_with_clips(tmp_path: Path) -> None:
    """Raw pixels through the whole engine: analysed, an event, a clip that says that it was encoded."""
    config = {
        "cameras": {
            "crane": {
                "url": "push://crane",
                "models": ["motion"],
                "record": {"pre_capture": "1s", "post_capture": "1s"},
            }
        },
        "rules": {"moving": {"when": "motion > 0.001 for 300ms", "cooldown": "1s"}},
    }
    with Running(tmp_path / "run", config) as run:
        stop = threading.Event()

        def film() -> None:
            with PushCamera(run.data, "crane") as camera:
                n = 0
                while not stop.wait(0.04):
                    picture = np.full((240, 320, 3), 60, np.uint8)
                    if 50 < n < 100:
                        x = n * 6 % 260
                        picture[80:160, x : x + 60] = 220
                    camera.push_nowait(picture, CLOCK.now_ns())
                    n += 1

        thread = threading.Thread(target=film)
        thread.start()
        try:
            run.wait_event("moving", "crane")
            run.wait_for("a clip", lambda: list(run.data.rglob("clips/**/manifest.json")))
        finally:
            stop.set()
            thread.join()
        run.wait_for("another program to be waited for", lambda: run.camera("crane")["state"] == "connecting")
        run.stop()
        assert "left to end with the process" not in run.log(), "waiting for a program does not hold up the end"
        assert not [path for path in run.data.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o007]
        manifests = [path.read_text() for path in run.data.rglob("clips/**/manifest.json")]
        assert manifests
        assert '"encoded": true' in manifests[0]
        assert '"encoded_from": "bgr24"' in manifests[0]
        assert run.report()["books_balanced"] is True
        assert list(run.data.rglob("clips/**/clip.mp4"))


def test_the_documented_plugin_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    plugin = tmp_path / "folder_of_pictures.py"
    plugin.write_text(code, encoding="utf-8")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    source = source_of(f"python:{plugin}:factory", tmp_path, options={"folder": str(pictures), "fps": "50"})
    with pytest.raises(SourceError, match=r"has no \*.jpg"):
        source.wait_open()
    for n in range(3):
        (pictures / f"{n}.jpg").write_bytes(jpeg(n))
    session = source.wait_open()
    found = [session.wait_read() for _ in range(4)]
    assert [item.data for item in found] == [jpeg(0), jpeg(1), jpeg(2), jpeg(0)]
    source.interrupt()
    with pytest.raises(SourceError, match="reading was stopped"):
        session.wait_read()
    session.close()
