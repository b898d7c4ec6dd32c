"""`python -m bench.web_timecodes mjpeg|hls FOLDER`: a camera behind HTTP that draws the instant of capture.

In a process of its own, so that its drawing takes no time from who watches it. It says its address in one line and
ends when its standard input does. MJPEG comes from Python's HTTP server, HLS from FFmpeg's own encoder and muxer:
segments of a second, six of them listed.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from bench import tests_peers
from bench.environment import ROOT
from bench.records import Skipped
from penstock.simulator.timecode import draw_timecode

FPS, WIDTH_PX, HEIGHT_PX = 25, 640, 360
NEEDED = 4
"""segments that are there before anybody connects"""


@contextmanager
def web_camera(kind: str, folder: Path) -> Iterator[str]:
    """The address of a running camera; raises Skipped where FFmpeg's command is not installed."""
    command = [sys.executable, "-m", "bench.web_timecodes", kind, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            url = process.stdout.readline().strip()
            if not url.startswith("http"):
                raise Skipped(url or "the camera behind HTTP did not start")
            yield url
        finally:
            process.stdin.close()
            process.wait(10)


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    with tests_peers.load("peers/web_cameras.py").WebCamera() as camera:
        stop = threading.Event()
        if kind == "mjpeg":
            camera.mounts["/video.mjpg"] = lambda handler: _answer_mjpeg(handler, stop)
            _serve(camera.url("/video.mjpg"), stop)
        else:
            _serve_hls(camera, folder, stop)


def _serve(url: str, stop: threading.Event) -> None:
    print(url, flush=True)
    sys.stdin.read()
    stop.set()


def _pictures(stop: threading.Event) -> Iterator[NDArray[np.uint8]]:
    """4:2:0 pictures, each given out the moment it was captured."""
    began_ns = time.monotonic_ns()
    number = 0
    while not stop.is_set():
        stop.wait(max(0.0, (began_ns + number * 1_000_000_000 // FPS - time.monotonic_ns()) / 1e9))
        planes = np.full((HEIGHT_PX * 3 // 2, WIDTH_PX), 128, np.uint8)
        luma = planes[:HEIGHT_PX]
        left = number * 7 % (WIDTH_PX - 32)
        luma[200:300, left : left + 32] = 200
        draw_timecode(luma[..., None], time.monotonic_ns())
        yield planes
        number += 1


def _answer_mjpeg(handler: BaseHTTPRequestHandler, stop: threading.Event) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    handler.end_headers()
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuvj420p"
    encoder.time_base = Fraction(1, FPS)
    encoder.thread_count = 1
    for number, planes in enumerate(_pictures(stop)):
        picture = av.VideoFrame.from_ndarray(planes, "yuvj420p")
        picture.pts, picture.time_base = number, Fraction(1, FPS)
        for packet in encoder.encode(picture):
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % packet.size
            handler.wfile.write(head + bytes(packet) + b"\r\n")


def _serve_hls(camera: Any, folder: Path, stop: threading.Event) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    playlist = folder / "live.m3u8"
    size, rate = f"{WIDTH_PX}x{HEIGHT_PX}", str(FPS)
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", rate, "-i", "-"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-g", rate]
    command += ["-f", "hls", "-hls_time", "1", "-hls_list_size", "6", "-hls_flags", "delete_segments", str(playlist)]
    try:
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        print("FFmpeg's command is not installed (apt-get install ffmpeg)", flush=True)
        return
    feeding = threading.Thread(target=_feed, args=(encoder, stop))
    feeding.start()
    try:
        camera.mounts = _Folder(folder)
        while not (playlist.is_file() and playlist.read_text(encoding="utf-8").count("#EXTINF") >= NEEDED):
            time.sleep(0.1)
        _serve(camera.url("/live.m3u8"), stop)
    finally:
        stop.set()
        feeding.join()
        encoder.wait(10)


def _feed(encoder: "subprocess.Popen[bytes]", stop: threading.Event) -> None:
    assert encoder.stdin is not None
    with encoder.stdin as pipe:
        for planes in _pictures(stop):
            pipe.write(planes.tobytes())


class _Folder(dict[str, Any]):
    """Mounts of whatever files lie in a folder now."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def get(self, path: str, default: Any = None) -> Any:
        file = self._folder / path.rpartition("/")[2]
        try:
            body = file.read_bytes()
        except OSError:
            return default
        kind = "application/vnd.apple.mpegurl" if file.suffix == ".m3u8" else "video/mp2t"

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return answer


if __name__ == "__main__":
    main()
