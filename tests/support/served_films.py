"""The RTSP server with films on it, in a thread of its own, and small films to put there."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import av
from av.video.stream import VideoStream

from penstock.base.clock import SystemClock
from penstock.restream.broadcast import Broadcast
from penstock.restream.server import RtspServer
from penstock.restream.statistics import ServerStatistics
from penstock.simulator.film import Film
from penstock.simulator.player import FilmPlayer
from penstock.testkit.film import picture

T = TypeVar("T")
ANSWER_TIMEOUT_S = 10.0
FPS = 25


def write_clip(
    path: Path,
    encoder: str,
    frames: int = 20,
    *,
    width_px: int = 160,
    height_px: int = 96,
    gop: int = 10,
    b_frames: int = 0,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """A clip whose pictures all differ; the container follows from the name."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, pix_fmt
        stream.time_base = Fraction(1, FPS)
        context = stream.codec_context
        context.gop_size, context.max_b_frames, context.thread_count = gop, b_frames, 1
        own = {
            "libx264": {"preset": "ultrafast", "x264-params": f"scenecut=0:bframes={b_frames}:keyint={gop}:b-adapt=0"},
            "libx265": {
                "preset": "ultrafast",
                "x265-params": f"log-level=none:scenecut=0:pools=1:frame-threads=1:bframes={b_frames}"
                f":keyint={gop}:min-keyint={gop}",
            },
        }
        context.options = own.get(encoder, {}) | (options or {})
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(i, width_px, height_px), "yuv420p").reformat(format=pix_fmt)
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class ServedFilms:
    """A context manager; `make` builds the server in the loop's thread."""

    def __init__(self, make: Callable[[], RtspServer]) -> None:
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rtsp-server")
        self._players: list[FilmPlayer] = []
        self._server: RtspServer | None = None
        self.epochs_ns: dict[str, int] = {}

    def __enter__(self) -> "ServedFilms":
        self._thread.start()

        async def begin() -> None:
            self._server = self._make()
            await self._server.start()

        self.run(begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            for player in self._players:
                await player.wait_stopped()
            await self.server.wait_stopped()

        try:
            self.run(end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @property
    def server(self) -> RtspServer:
        assert self._server is not None
        return self._server

    def url(self, name: str, credentials: str = "") -> str:
        return self.server.url(name).replace("://", f"://{credentials}@" if credentials else "://")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for `work` in the server's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_TIMEOUT_S)

    def call(self, work: Callable[[], T]) -> T:
        """Waits for `work()` in the server's thread."""

        async def called() -> T:
            return work()

        return self.run(called())

    def play(self, name: str, film: Film, **mount: Any) -> Broadcast:
        """Mounts `film` at `name` and plays it from now on."""
        clock = SystemClock()
        self.epochs_ns[name] = clock.now_ns()
        broadcast = Broadcast()
        player = FilmPlayer(film, broadcast, clock, epoch_ns=self.epochs_ns[name])

        def begin() -> None:
            player.start()
            self.server.add_mount(name, broadcast, **mount)

        self.call(begin)
        self._players.append(player)
        return broadcast

    def statistics(self) -> ServerStatistics:
        return self.call(self.server.statistics)
