"""Real players on the RTSP server: what they decode is what is in the file, also where the film begins again."""

import hashlib
import itertools
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream
from foreign_rtsp import SYSTEM_PYTHON
from served_films import FPS, ServedFilms, write_clip

from penstock.base.clock import NS_PER_MS, NS_PER_S, SystemClock
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.specs import ClockTrust, StreamSpec
from penstock.contracts.times import TimeBasis
from penstock.restream.server import RtspServer
from penstock.simulator.film import Film, film_of_file
from penstock.sources.media_stream import sender_utc_ns
from penstock.sources.opening import open_source

CLIPS = {
    "h264": ("h264.mp4", "libx264", 0, "yuv420p", {}),
    "h264_b": ("h264_b.mp4", "libx264", 2, "yuv420p", {}),
    "hevc": ("hevc.mp4", "libx265", 0, "yuv420p", {}),
    "hevc_b": ("hevc_b.mp4", "libx265", 2, "yuv420p", {}),
    "mpeg4": ("mpeg4.mp4", "mpeg4", 0, "yuv420p", {}),
    "mpeg4_b": ("mpeg4_b.mp4", "mpeg4", 2, "yuv420p", {}),
    "mjpeg": ("mjpeg.avi", "mjpeg", 0, "yuvj420p", {"huffman": "optimal"}),
    "mjpeg_422": ("mjpeg_422.mov", "mjpeg", 0, "yuvj422p", {"huffman": "default"}),
}
FRAMES = 20
WATCHED = FRAMES + 6
GST_DEPAYLOADERS = {
    "h264_b": ("rtph264depay ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au", "h264"),
    "hevc_b": ("rtph265depay ! h265parse ! video/x-h265,stream-format=byte-stream,alignment=au", "hevc"),
    "mpeg4_b": ("rtpmp4vdepay", "m4v"),
    "mjpeg": ("rtpjpegdepay", "mjpeg"),
}


def checksum(frame: av.VideoFrame) -> str:
    rows = [
        np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width] for plane in frame.planes
    ]
    return hashlib.sha256(b"".join(row.tobytes() for row in rows)).hexdigest()


def decoded(path: Path, container_format: str | None = None) -> list[str]:
    with av.open(str(path), format=container_format) as container:
        return [checksum(frame) for frame in container.decode(video=0)]


def assert_follows(seen: list[str], film: list[str]) -> None:
    """`seen` is a stretch of `film` repeated for ever, with nothing missing and nothing twice."""
    assert len(set(film)) == len(film)
    places = [film.index(one) for one in seen]
    assert all((b - a) % len(film) == 1 for a, b in itertools.pairwise(places)), places


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        name: write_clip(folder / file, encoder, FRAMES, b_frames=b_frames, pix_fmt=pix_fmt, options=options)
        for name, (file, encoder, b_frames, pix_fmt, options) in CLIPS.items()
    }


@pytest.fixture(scope="module")
def films(clips: dict[str, Path]) -> dict[str, Film]:
    return {name: film_of_file(path) for name, path in clips.items()}


@pytest.fixture(scope="module")
def served(films: dict[str, Film]) -> Iterator[ServedFilms]:
    with ServedFilms(lambda: RtspServer("127.0.0.1", 0, clock=SystemClock())) as running:
        for name, film in films.items():
            running.play(name, film)
        running.play("burst", films["h264"], cached_gop=True)
        yield running
        end = running.statistics()
        assert end.failed_requests == 0
        assert end.malformed == 0
        assert end.units_unsendable == 0


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pyav_decodes_the_files_pictures(
    served: ServedFilms, clips: dict[str, Path], name: str, transport: str
) -> None:
    with av.open(served.url(name), options={"rtsp_transport": transport}, timeout=10) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.width, stream.codec_context.height) == (160, 96)
        frames = list(itertools.islice(container.decode(stream), WATCHED))
    times = [frame.time for frame in frames if frame.time is not None]
    # Across the loop too the media clock goes on evenly. FFmpeg does not know the first picture's time.
    assert [round((b - a) * FPS, 3) for a, b in itertools.pairwise(times[1:])] == [1.0] * (len(times) - 2)
    assert_follows([checksum(frame) for frame in frames], decoded(clips[name]))


@pytest.mark.parametrize("name", ["h264_b", "hevc", "mpeg4", "mjpeg"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffmpeg_and_ffprobe_play_it(
    served: ServedFilms, clips: dict[str, Path], tmp_path: Path, name: str, transport: str
) -> None:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed (apt-get install ffmpeg)")
    url = served.url(name)
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-rtsp_transport", transport, "-of", "csv=p=0",
         "-show_entries", "stream=codec_name,width,height", url],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert shown.stdout.strip() == f"{name.partition('_')[0]},160,96"
    out = tmp_path / "frames.txt"
    arguments = ["-frames:v", str(WATCHED), "-f", "framehash", "-hash", "md5", "-fps_mode", "passthrough", str(out)]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-rtsp_transport", transport, "-i", url, *arguments], timeout=20, check=True
    )
    whole = tmp_path / "whole.txt"
    arguments[1] = str(FRAMES)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(clips[name]), *arguments[:-1], str(whole)], timeout=20, check=True
    )
    seen, film = (
        [line.rpartition(",")[2].strip() for line in path.read_text().splitlines() if not line.startswith("#")]
        for path in (out, whole)
    )
    assert len(seen) == WATCHED
    assert_follows(seen, film)


@pytest.fixture(scope="module")
def gstreamer() -> None:
    needed = (
        "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None); "
        "raise SystemExit(sum(Gst.ElementFactory.find(e) is None for e in "
        "('rtspsrc', 'rtph264depay', 'h264parse', 'h265parse', 'identity', 'filesink')))"
    )
    found = subprocess.run([SYSTEM_PYTHON, "-c", needed], capture_output=True, timeout=60, check=False)
    if found.returncode:
        pytest.skip(
            "GStreamer is not installed (apt-get install python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)"
        )


PLAY_WITH_GSTREAMER = """
import sys, gi
gi.require_version('Gst', '1.0')
from gi.repository import Gst
Gst.init(None)
pipeline = Gst.parse_launch(sys.argv[1])
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(10 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
pipeline.set_state(Gst.State.NULL)
if message is None or message.type != Gst.MessageType.EOS:
    raise SystemExit('no end: ' + (str(message.parse_error()) if message else 'time-out'))
"""


@pytest.mark.usefixtures("gstreamer")
@pytest.mark.parametrize("name", GST_DEPAYLOADERS)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_gstreamer_receives_the_files_pictures(
    served: ServedFilms, clips: dict[str, Path], tmp_path: Path, name: str, transport: str
) -> None:
    depayloader, container_format = GST_DEPAYLOADERS[name]
    out = tmp_path / "received"
    pipeline = (
        f"rtspsrc location={served.url(name)} protocols={transport} latency=100 ! {depayloader} ! "
        f"identity eos-after={WATCHED} ! filesink location={out}"
    )
    played = subprocess.run(
        [SYSTEM_PYTHON, "-c", PLAY_WITH_GSTREAMER, pipeline], capture_output=True, text=True, timeout=30, check=False
    )
    assert played.returncode == 0, played.stderr
    seen = decoded(out, container_format)
    assert len(seen) >= FRAMES
    # Cut off in the middle of a GOP, B-frames at the very end lack the picture after them.
    assert_follows(seen[: FRAMES + 2], decoded(clips[name]))


def picture_of(film: Film, data: bytes) -> int | None:
    """Which unit of `film` these bytes hold, by its last NAL unit."""
    for index, unit in enumerate(film.units):
        if data.endswith(unit.data[-24:]):
            return index
    return None


def capture_errors_ms(film: Film, epoch_ns: int, stated: list[tuple[bytes, int]]) -> list[float]:
    """Stated minus true instants of capture; the film is so short that its repetitions cannot be confused."""
    errors = []
    for data, stated_ns in stated:
        index = picture_of(film, data)
        assert index is not None
        off_ns = (stated_ns - epoch_ns - film.units[index].pts_ns) % film.duration_ns
        errors.append((off_ns if off_ns < film.duration_ns / 2 else off_ns - film.duration_ns) / NS_PER_MS)
    return errors


@pytest.mark.parametrize("name", ["h264", "h264_b", "hevc_b"])
def test_sender_reports_give_the_true_time_of_capture(served: ServedFilms, films: dict[str, Film], name: str) -> None:
    clock = SystemClock()
    utc_offset_ns = clock.utc_ns() - clock.now_ns()
    stated = []
    with av.open(served.url(name), options={"rtsp_transport": "tcp"}, timeout=10) as container:
        stream = container.streams.video[0]
        assert isinstance(stream, VideoStream)
        packets: Iterator[Packet[VideoStream]] = container.demux(stream)
        for packet in itertools.islice(packets, WATCHED):
            utc_ns = sender_utc_ns(packet)
            if utc_ns is not None:
                stated.append((bytes(packet), utc_ns - utc_offset_ns))
    errors = capture_errors_ms(films[name], served.epochs_ns[name], stated)
    assert len(errors) > FRAMES
    # FFmpeg gives the packets next to a report the time of their neighbour; the others are exact.
    assert abs(statistics.median(errors)) < 1
    assert sum(abs(error) < 1 for error in errors) >= len(errors) - 4


@pytest.mark.parametrize("name", ["h264", "h264_b", "burst"])
@pytest.mark.parametrize("trust", list(ClockTrust))
def test_our_own_source_reads_it_and_dates_it(
    served: ServedFilms, films: dict[str, Film], name: str, trust: ClockTrust
) -> None:
    clock = SystemClock()
    source = open_source(
        StreamSpec("camera", served.url(name), trust=trust),
        host_id="h", boot_id="b", run_id="r", clock=clock, new_session=iter(range(1, 9)).__next__,
    )  # fmt: skip
    began_ns = clock.now_ns()
    session = source.wait_open()
    packets = [session.wait_read()]
    took_ms = (clock.now_ns() - began_ns) / NS_PER_MS
    while packets[-1].received_ns - began_ns < 3 * NS_PER_S:
        packets.append(session.wait_read())
    session.close()
    last = packets[-10:]
    film = films["h264" if name == "burst" else name]
    stated = []
    for packet in last:
        assert isinstance(packet, EncodedPacket)
        stated.append((packet.data, packet.capture.mono_ns))
    errors = capture_errors_ms(film, served.epochs_ns[name], stated)
    print(f"{name}: first access unit after {took_ms:.0f} ms; errors {[round(error, 1) for error in errors]} ms")
    for packet, error in zip(last, errors, strict=True):
        assert abs(error) <= packet.capture.error_ns / NS_PER_MS
    if trust is ClockTrust.RTCP:
        assert last[-1].capture.basis is TimeBasis.RTCP
        assert max(abs(error) for error in errors) < 5
