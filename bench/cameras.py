"""How each kind of camera fares: time to connect and to the first picture, capture times against true ones, the books.

Every picture carries its number or its instant of capture, and goes through the product's own source, ring and
decoder. Cameras are `penstock simulate`, gst-rtsp-server, Python's HTTP server and FFmpeg's HLS muxer, each started
for its variant alone: 640×360 at 25 pictures a second and a keyframe a second, unless the variant says otherwise.

A stated time is *settled* once less than the allowance of the first seconds is claimed for its error; errors are
those of settled pictures, `within claim` counts all that were decoded. `books` reads received = decoded + skipped +
undecodable + lost; what the decoder still held at the end is lost.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import sleep
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from bench import tests_peers
from bench.foreign_server import foreign_server
from bench.records import Benchmark, Context, Effort, Series, Skipped, Taken
from bench.samples import percentile
from bench.watched_stream import TrueTime, Watched, watch
from bench.web_timecodes import web_camera
from penstock.base.clock import NS_PER_MS, NS_PER_S
from penstock.contracts.specs import ClockTrust, StreamSpec, Transport
from penstock.simulator.ready import ReadyCamera
from penstock.simulator.timecode import read_timecode
from penstock.sources.capture_time import UNSETTLED_ERROR_NS

FPS, WIDTH_PX = 25, 640
GOP_AGE_S = 6.0
"""how old a GOP is, at least, when somebody connects in the middle of it"""
Peer = Callable[[Context], AbstractContextManager[tuple[StreamSpec, TrueTime]]]


class Way(NamedTuple):
    """How a variant is connected to."""

    transport: Transport = Transport.TCP
    tls: bool = False
    trust: ClockTrust = ClockTrust.ARRIVAL


TCP, UDP, TLS, RTCP = Way(), Way(Transport.UDP), Way(tls=True), Way(trust=ClockTrust.RTCP)


def _spec(url: str, way: Way, context: Context) -> StreamSpec:
    authority = context["certificate"][0] if way.tls else ""
    return StreamSpec("camera", url, transport=way.transport, trust=way.trust, tls_ca=authority)


@contextmanager
def _simulated(
    context: Context, *arguments: str, way: Way = TCP, sub_fps: int = 0, wait_s: float = 0.0
) -> Iterator[tuple[StreamSpec, TrueTime]]:
    """`penstock simulate` with one street; the pictures' numbers and the simulation's epoch give the truth."""
    if way.tls:
        arguments += ("--tls-cert", context["certificate"][0], "--tls-key", context["certificate"][1])
    simulating = tests_peers.load("support/simulating.py").Simulating
    usual = ["-n", "1", "--setting", "street", "--timecode", "--loop", "20s", "--sub-fps", str(sub_fps or 5)]
    usual += [] if "--gop" in arguments else ["--gop", str(FPS)]
    with simulating(Path(context["films"]), *usual, *arguments) as running:
        camera: ReadyCamera = running.camera
        sleep(wait_s)

        def true_time(luma: NDArray[np.uint8], received_ns: int) -> int | None:
            number = read_timecode(luma, WIDTH_PX)
            return None if number is None else camera.captured_ns(number, FPS, received_ns)

        yield _spec(camera.sub_url if sub_fps else camera.url, way, context), true_time


def _drawn_time(luma: NDArray[np.uint8], received_ns: int) -> int | None:
    """The instant itself stands in the picture."""
    del received_ns
    return read_timecode(luma)


@contextmanager
def _foreign(
    context: Context, *, way: Way = TCP, wait_s: float = 0.5, **drawing: Any
) -> Iterator[tuple[StreamSpec, TrueTime]]:
    """gst-rtsp-server, which draws the instant of capture."""
    certificate = tuple(map(Path, context["certificate"])) if way.tls else None
    with foreign_server(Path(context["folder"]), certificate) as server:  # type: ignore[arg-type]
        server.add_timecode("camera", **drawing)
        sleep(wait_s)
        yield _spec(server.url("camera"), way, context), _drawn_time


@contextmanager
def _foreign_mpeg4(context: Context) -> Iterator[tuple[StreamSpec, TrueTime]]:
    """gst-rtsp-server with the simulator's film: it has no MPEG-4 encoder that could draw."""
    with _simulated(context, "--codec", "mpeg4"):
        pass
    (film,) = Path(context["films"]).glob("street-1-mpeg4-640x360-*.mp4")
    with foreign_server(Path(context["folder"])) as server:
        camera = ReadyCamera("camera", "", epoch_ns=server.add_file("camera", film), loop_ns=20 * NS_PER_S)

        def true_time(luma: NDArray[np.uint8], received_ns: int) -> int | None:
            number = read_timecode(luma)
            return None if number is None else camera.captured_ns(number, FPS, received_ns)

        yield _spec(server.url("camera"), TCP, context), true_time


@contextmanager
def _web(context: Context, kind: str) -> Iterator[tuple[StreamSpec, TrueTime]]:
    with web_camera(kind, Path(context["folder"]) / kind) as url:
        yield _spec(url, TCP, context), _drawn_time


SIMULATOR, FOREIGN = "simulator", "gst-rtsp-server"
B_FRAMES = ("--b-frames", "2")
LOSS = ("--fault", "street:loss=1%")
LONG_GOP = ("--gop", "250")
PEERS: dict[str, Peer] = {
    f"H.264, {SIMULATOR}": partial(_simulated),
    f"H.264, {FOREIGN}": partial(_foreign),
    f"H.264 by the camera's clock, {SIMULATOR}": lambda context: _simulated(context, way=RTCP),
    f"H.264 by the camera's clock, {FOREIGN}": partial(_foreign, way=RTCP),
    f"H.264 with B-frames, {SIMULATOR}": lambda context: _simulated(context, *B_FRAMES),
    f"H.264 with B-frames, {FOREIGN}": partial(_foreign, bframes=2),
    f"H.265, {SIMULATOR}": lambda context: _simulated(context, "--codec", "hevc"),
    f"H.265, {FOREIGN}": partial(_foreign, codec="h265"),
    f"H.265 with B-frames, {SIMULATOR}": lambda context: _simulated(context, "--codec", "hevc", *B_FRAMES),
    f"MPEG-4, {SIMULATOR}": lambda context: _simulated(context, "--codec", "mpeg4"),
    f"MPEG-4, {FOREIGN}": _foreign_mpeg4,
    f"MJPEG, {SIMULATOR}": lambda context: _simulated(context, "--codec", "mjpeg"),
    f"MJPEG, {FOREIGN}": partial(_foreign, codec="jpeg"),
    f"H.264 over UDP, {SIMULATOR}": lambda context: _simulated(context, way=UDP),
    f"H.264 over UDP, {FOREIGN}": partial(_foreign, way=UDP),
    f"H.264 over UDP, 1 % lost, {SIMULATOR}": lambda context: _simulated(context, *LOSS, way=UDP),
    f"H.264 over UDP, 1 % lost, {FOREIGN}": partial(_foreign, way=UDP, loss=0.01),
    f"H.264 over TLS, {SIMULATOR}": lambda context: _simulated(context, way=TLS),
    f"H.264 over TLS, {FOREIGN}": partial(_foreign, way=TLS),
    f"5 fps sub-stream, {SIMULATOR}": lambda context: _simulated(context, sub_fps=5),
    f"5 fps, {FOREIGN}": partial(_foreign, fps=5, gop_frames=10),
    f"GOP of 10 s, {SIMULATOR}": lambda context: _simulated(context, *LONG_GOP, wait_s=GOP_AGE_S),
    f"GOP of 10 s, {FOREIGN}": partial(_foreign, gop_frames=250, wait_s=GOP_AGE_S),
    f"GOP of 10 s, cached, {SIMULATOR}": lambda context: _simulated(
        context, *LONG_GOP, "--cached-gop", wait_s=GOP_AGE_S
    ),
    f"GOP of 10 s, cached, {FOREIGN}": partial(_foreign, gop_frames=250, cached_gop=True, wait_s=GOP_AGE_S),
    "MJPEG over HTTP, Python's http.server": partial(_web, kind="mjpeg"),
    "HLS, FFmpeg": partial(_web, kind="hls"),
}


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    try:
        with PEERS[variant](context) as (spec, true_time):
            watched = watch(spec, true_time, seconds=effort.pick(12, 4))
    except Skipped as why:
        return Taken({}, cells={"books": f"skipped: {why}"})
    return taken(watched)


def taken(watched: Watched) -> Taken:
    """The row of one variant. Pure."""
    units = watched.units
    books = f"{units.received} = {units.decoded} + {units.skipped} + {units.undecodable} + {units.lost}"
    cells = {"books": books if units.in_flight == 0 else f"{books}, UNBALANCED by {units.in_flight}"}
    facts = {"units": msgspec.to_builtins(units), "said": watched.said}
    if not watched.seen:
        return Taken({}, facts, {"books": f"{books}; no picture: {watched.said}"})
    read = [one for one in watched.seen if one.true_ns is not None]
    settled = [one for one in read if one.claimed_error_ns < UNSETTLED_ERROR_NS] or read
    sizes_ms = sorted(abs(one.error_ns or 0) / NS_PER_MS for one in settled)
    within = sum(1 for one in read if abs(one.error_ns or 0) <= one.claimed_error_ns)
    series = {
        "connects in": Series("ms", [watched.connect_ns / NS_PER_MS]),
        "first picture": Series("ms", [watched.first_picture_ns / NS_PER_MS]),
        "settled after": Series("s", [(settled[0].received_ns - read[0].received_ns) / NS_PER_S] if settled else []),
        "error p50": Series("ms", [percentile(sizes_ms, 50)] if sizes_ms else []),
        "p95": Series("ms", [percentile(sizes_ms, 95)] if sizes_ms else []),
        "claimed": Series("ms", [median(one.claimed_error_ns / NS_PER_MS for one in settled)] if settled else []),
    }
    cells = {"within claim": f"{within} of {len(watched.seen)}", **cells}
    pictures = [[one.received_ns, one.stated_ns, one.claimed_error_ns, one.true_ns] for one in watched.seen]
    return Taken(series, facts | {"pictures": pictures}, cells)


@contextmanager
def surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    del effort
    try:
        certificate, key = tests_peers.load("peers/certificates.py").make_certificate(folder)
    except pytest.skip.Exception as why:
        raise Skipped(str(why)) from None
    yield {"folder": str(folder), "films": str(folder / "films"), "certificate": [str(certificate), str(key)]}


BENCHMARK = Benchmark(
    name="cameras",
    title="every kind of camera: connecting, capture times, books",
    variants=tuple(PEERS),
    measure=measure,
    rounds=1,
    surroundings=surroundings,
    layout="variants",
)
