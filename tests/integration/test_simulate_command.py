"""`penstock simulate` as a program: what viewers see of it, with every option and fault, and how it ends."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import av.error
import pytest
from av.video.frame import PictureType
from certificates import make_certificate
from foreign_rtsp import SYSTEM_PYTHON, skip_unless_installed
from simulating import PLAIN, SMALL, Simulating
from viewing import numbers, opened, read, viewed

from penstock.base.clock import SystemClock
from penstock.cli.main import main
from penstock.simulator.truth import read_truth

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn once for all tests of this file."""
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def plain(films: Path) -> Iterator[Simulating]:
    """Both streams, a timecode, no faults."""
    with Simulating(films, *SMALL, "--timecode", "--sub-fps", "5") as running:
        yield running


def refused(*arguments: str) -> str:
    """What the command says of a mistake."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "simulate", "--port", "0", "--for", "1s", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


# Viewers


def test_ffprobe_reads_both_streams(plain: Simulating) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed (apt-get install ffmpeg)")
    wanted = {plain.camera.url: "h264,512,288", plain.camera.sub_url: "h264,320,180"}
    for url, expected in wanted.items():
        told = subprocess.run(
            ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-fpsprobesize", "0",
             "-show_entries", "stream=codec_name,width,height",
             "-of", "csv=p=0", url],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        assert told.stdout.strip() == expected


def test_gstreamer_plays_it(plain: Simulating) -> None:
    skip_unless_installed()
    script = (
        "import sys, gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None); "
        "p = Gst.parse_launch(f'rtspsrc location={sys.argv[1]} protocols=tcp ! rtph264depay ! h264parse ! "
        "fakesink name=s num-buffers=10'); p.set_state(Gst.State.PLAYING); "
        "m = p.get_bus().timed_pop_filtered(15 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR); "
        "p.set_state(Gst.State.NULL); sys.exit(0 if m is not None and m.type == Gst.MessageType.EOS else 1)"
    )
    played = subprocess.run(
        [SYSTEM_PYTHON, "-c", script, plain.camera.url], capture_output=True, timeout=30, check=False
    )
    assert played.returncode == 0, played.stderr.decode()


def test_the_timecode_and_the_ready_line_give_the_true_instant_of_capture(plain: Simulating) -> None:
    for url, fps, step in ((plain.camera.url, 10, 1), (plain.camera.sub_url, 5, 2)):
        _, pictures = viewed(url, 12)
        now_ns = CLOCK.now_ns()
        seen = numbers(pictures)
        assert None not in seen
        first = seen[0] or 0
        assert seen == [(first + step * n) % 100 for n in range(12)]
        true_ns = plain.camera.captured_ns(seen[-1] or 0, 10, now_ns)
        # FFmpeg hands a picture out when the next begins; more than a few seconds would be another loop.
        assert 0 <= now_ns - true_ns < 3_000_000_000, fps


def test_what_is_true_of_the_scene_lies_where_the_ready_line_says(plain: Simulating) -> None:
    truth = read_truth(Path(plain.camera.truth))
    assert truth.spec.setting == "yard"
    assert len(truth.frames) == 100
    assert plain.camera.loop_ns == 10_000_000_000


def test_two_viewers_see_the_same_camera_by_different_ways(plain: Simulating) -> None:
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(viewed, plain.camera.url, 20, transport) for transport in ("tcp", "udp")]
        seen = [numbers(job.result(20)[1]) for job in jobs]
    common = set(seen[0]) & set(seen[1])
    assert None not in seen[0] + seen[1]
    assert len(common) >= 5


# Options


@pytest.mark.parametrize("codec", ["hevc", "mpeg4", "mjpeg"])
def test_codecs(films: Path, codec: str) -> None:
    with Simulating(films, *PLAIN, "--codec", codec) as running:
        name, pictures = viewed(running.camera.url)
        assert name == codec
        assert None not in numbers(pictures)
        assert (pictures[0].width, pictures[0].height) == (512, 288)


def test_b_frames_are_shown_in_order(films: Path) -> None:
    with Simulating(films, *PLAIN, "--b-frames", "2") as running:
        with opened(running.camera.url) as container:
            kinds, seen = [], []
            for picture in itertools.islice(container.decode(video=0), 15):
                kinds.append(picture.pict_type)
                seen += numbers([picture])
        assert PictureType.B in kinds
        assert seen == [((seen[0] or 0) + n) % 100 for n in range(15)]


def test_a_user_and_a_password(films: Path) -> None:
    with Simulating(films, *PLAIN, "--user", "ann", "--password", "s3cret") as running:
        for credentials in ("", "ann:wrong@"):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                viewed(running.camera.url.replace("://", f"://{credentials}"))
        assert len(viewed(running.camera.url.replace("://", "://ann:s3cret@"))[1]) == 10
        assert "s3cret" not in running.said()


def test_tls(films: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with Simulating(films, *PLAIN, "--tls-cert", str(certificate), "--tls-key", str(key)) as running:
        assert running.camera.url.startswith("rtsps://")
        with read(running.camera.url, tls_ca=str(certificate)) as reading:
            assert reading.until(lambda packet: packet.keyframe).data


def test_a_file_is_sent_as_it_is_encoded_under_a_name_that_an_address_can_hold(films: Path, plain: Simulating) -> None:
    film = Path(plain.camera.truth.replace(".truth.json", ".mp4"))
    clip = films / "my clip (1).mp4"
    shutil.copy(film, clip)
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        sizes = [packet.size for packet in container.demux(stream) if packet.size]
    with Simulating(films, "--file", str(clip), "--file", str(clip), "--fault", "my-clip-12:stall@60s") as running:
        assert [camera.name for camera in running.ready.cameras] == ["my-clip-1", "my-clip-12"]
        assert running.camera.loop_ns == 10_000_000_000
        assert (running.camera.truth, running.camera.sub_url) == ("", "")
        with read(running.camera.url) as reading:
            assert reading.until(lambda packet: packet.keyframe).keyframe
        assert None not in numbers(viewed(running.ready.cameras[1].url)[1])
    assert len(sizes) == 100


# Mistakes

MISTAKES = {
    "a size": (("--size", "big"), "'big' is no size; write 640x360"),
    "an odd size": (("--size", "321x180"), "even numbers of pixels"),
    "too small for a timecode": (("--timecode", "--size", "320x180"), "a timecode needs 512×96 pixels"),
    "a short loop": (("--loop", "3s"), "a loop lasts 10 to 600 s, not 3"),
    "half a picture": (("--loop", "10.03s"), "no whole number of pictures"),
    "B-frames in JPEG": (("--codec", "mjpeg", "--b-frames", "1"), "mjpeg has no B-frames"),
    "B-frames in MPEG-4": (("--codec", "mpeg4", "--b-frames", "5"), "mpeg4 has 0 to 4 B-frames in a row, not 5"),
    "half a password": (("--user", "ann"), "--user and --password go together"),
    "a key alone": (("--tls-key", "key.pem"), "--tls-key goes with --tls-cert"),
    "no certificate": (("--tls-cert", "/none.pem"), "/none.pem: no usable certificate and key: No such file"),
    "no PEM": (("--tls-cert", __file__), "not PEM"),
    "no file": (("--file", "/none.mp4"), "/none.mp4 cannot be read as video: No such file"),
    "no video": (("--file", __file__), "cannot be read as video: Invalid data"),
    "no fault": (("--fault", "yard:boom"), "there is no fault 'boom'; known: stall, down, loss"),
    "no share": (("--fault", "yard:loss"), "loss needs a value, such as loss=1%"),
    "nobody's fault": (
        ("--fault", "attic:stall"),
        "meant for 'attic'; the cameras are street, yard, corridor, car_park",
    ),
    "no duration": (("--for", "soon"), "--for: 'soon' is not a duration"),
    "a foreign address": (("--host", "192.0.2.1"), "the address is not this machine's; choose another --host"),
    "no setting": (("--setting", "moon"), "'moon' is not one of 'street', 'yard', 'corridor', 'car_park'"),
}


@pytest.mark.parametrize(("arguments", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told_before_anything_is_drawn(
    arguments: tuple[str, ...],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "--port", "0", "--for", "1s", "--films", str(tmp_path / "films"), *arguments])
    assert ended.value.code == 2
    printed, said = capsys.readouterr()
    assert printed == ""
    assert told in re.sub(r"[│\s]+", " ", said)
    assert "Drawing" not in said
    assert not (tmp_path / "films").exists()


def test_a_port_in_use_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("--films", str(tmp_path / "films"), "--port", str(port))
    assert f"127.0.0.1:{port} cannot be listened on: it is in use; choose another --port, 0 takes any" in said
    assert not (tmp_path / "films").exists()


def test_faults_of_codec_and_size_need_drawn_cameras(plain: Simulating) -> None:
    film = plain.camera.truth.replace(".truth.json", ".mp4")
    said = refused("--file", film, "--fault", f"{Path(film).stem}:codec=hevc")
    assert "need drawn cameras, without --file" in said


# The end


def test_it_ends_by_itself_and_tells_people_what_to_try(films: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "simulate", *PLAIN, "--port", "0", "--films", str(films), "--for", "200ms",
         "--user", "ann", "--password", "s3cret"],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    address = re.search(r"^yard +(rtsp://127\.0\.0\.1:\d+/yard) +-", done.stdout, re.MULTILINE)
    assert address is not None, done.stdout
    assert f"penstock probe {address[1].replace('://', '://USER:PASSWORD@')} " in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing(films: Path, number: signal.Signals) -> None:
    with Simulating(films, *PLAIN) as drawn:  # also where this test runs alone
        assert drawn.stop() == 0
    drawn.log.unlink()
    before = sorted(films.iterdir())
    with Simulating(films, *PLAIN) as running:
        url = running.camera.url
        with opened(url) as container:
            next(container.decode(video=0))
            assert running.stop(number) == 0
        assert running.said() == ""
        host, _, port = url.partition("://")[2].partition("/")[0].partition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=2)
        running.log.unlink()
    assert sorted(films.iterdir()) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_drawing_ends_the_drawing_too(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "penstock", "simulate", "-n", "2", "--loop", "600s", "--films", str(tmp_path)]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            assert b"Drawing 2 scenes, once" in process.stderr.readline()
            until_s = time.monotonic() + 20
            while len(list(tmp_path.glob(".*.part"))) < 4:
                assert time.monotonic() < until_s
                time.sleep(0.05)
            children = _children(process.pid)
            assert len(children) == 2
            process.send_signal(number)
            assert process.wait(10) == 130
        finally:
            process.kill()
    assert not [pid for pid in children if _runs(pid)]
    assert list(tmp_path.iterdir()) == []


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _runs(pid: int) -> bool:
    try:
        return "penstock" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except OSError:
        return False
