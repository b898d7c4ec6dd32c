"""Real files played live on simulated time, and a real RTSP camera: what each decode policy costs, and that the live
edge is reached at once when it becomes richer.
"""

import random
import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from foreign_rtsp import ForeignRtspServer

from penstock.base.clock import NS_PER_S, Clock, SimulatedClock, SystemClock
from penstock.contracts.identity import Role
from penstock.contracts.specs import DecodePolicy, GateSpec, SourceMode, StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import HeapRegions
from penstock.framebus.ring import RingWriter, format_ring, ring_bytes
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.gate import Gate
from penstock.ingest.newest import NewestFrame
from penstock.ingest.stream import StreamWorker
from penstock.sources.backoff import Backoff
from penstock.sources.opening import open_source

FPS = 25
GOP = 50
QUIET_S = 2
STILL_UNTIL_S, MOVES_UNTIL_S, FILM_S = 12, 15, 24


def write_film(path: Path, b_frames: int, moves: Callable[[float], bool]) -> Path:
    """A grey slope, and a bright block that walks while `moves` says so of the second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        options = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:b-adapt=0:b-pyramid=none:bframes={b_frames}"
        stream.options = {"preset": "ultrafast", "x264-params": options}
        luma = np.tile(np.linspace(40, 120, 320).astype(np.uint8), (192, 1))
        place = 0
        for i in range(FPS * FILM_S):
            place += 3 * moves(i / FPS)
            drawn = luma.copy()
            x = place % 256
            drawn[60:124, x : x + 64] = 220
            chroma = np.full((96, 320), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([drawn, chroma]), "yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Timetable(SimulatedClock):
    """Runs actions at their instants while the stream waits for its next picture."""

    def __init__(self) -> None:
        super().__init__(100 * NS_PER_S)
        self._actions: list[tuple[int, Callable[[], None]]] = []

    def at(self, at_s: float, action: Callable[[], None]) -> None:
        """In the order of time, before it begins."""
        self._actions.append((self.now_ns() + round(at_s * NS_PER_S), action))

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        until_ns = self.now_ns() + round(timeout_s * NS_PER_S)
        while self._actions and self._actions[0][0] <= until_ns and not event.is_set():
            at_ns, action = self._actions.pop(0)
            self.advance_to(max(at_ns, self.now_ns()))
            action()
        return super().wait(event, max(0, until_ns - self.now_ns()) / NS_PER_S)


class Camera:
    """A stream's worker, and what it shows."""

    def __init__(self, url: str, clock: Clock, decode: DecodePolicy) -> None:
        spec = StreamSpec("door", url, (Role.DETECT,), SourceMode.LIVE, loop=False)
        region = HeapRegions().create("ring", ring_bytes(8 << 20, 4096))
        format_ring(region, 8 << 20, 4096)
        sessions = iter(range(1, 99))
        self.newest = NewestFrame()
        self.shown: list[tuple[int, int]] = []
        """(unit shown, last unit that had come)"""
        self.frames = threading.Condition()
        self._index = 0
        self.worker = StreamWorker(
            spec,
            open_source(spec, host_id="h", boot_id="b", run_id="r", clock=clock, new_session=sessions.__next__),
            books=UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS)),
            ring=RingWriter(region, 60 * NS_PER_S),
            newest=self.newest,
            gate=Gate(GateSpec()),
            backoff=Backoff(NS_PER_S, random.random),
            clock=clock,
            on_news=self._news,
            decode=decode,
            quiet_ns=QUIET_S * NS_PER_S,
        )

    def _news(self) -> None:
        newest, last = self.newest.look().newest, self.worker._reader.last
        if newest is None or last is None or newest.ref.index == self._index:
            return
        self._index = newest.ref.index
        with self.frames:
            self.shown.append((newest.ref.id.seq, last.id.seq))
            self.frames.notify_all()


def play(film: Path, decode: DecodePolicy, changes: Sequence[tuple[float, DecodePolicy]] = ()) -> Camera:
    """The film once, live on simulated time, with `changes` at their seconds."""
    clock = Timetable()
    camera = Camera(str(film), clock, decode)
    for at_s, policy in changes:
        clock.at(at_s, partial(camera.worker.set_decode, policy))
    camera.worker._run()
    units = camera.worker.books.reading()
    assert (units.received, units.in_flight) == (FPS * FILM_S, 0)
    assert units.received == units.decoded + units.skipped + units.undecodable + units.lost
    return camera


@pytest.fixture(scope="module")
def walking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("films") / "walking.mp4", 0, lambda _: True)


@pytest.fixture(scope="module")
def walking_b_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("films") / "walking-b.mp4", 2, lambda _: True)


@pytest.fixture(scope="module")
def seldom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something moves for 3 s of 24."""
    return write_film(
        tmp_path_factory.mktemp("films") / "seldom.mp4", 0, lambda at_s: STILL_UNTIL_S <= at_s < MOVES_UNTIL_S
    )


def test_what_each_policy_decodes(walking: Path, walking_b_frames: Path) -> None:
    frames = FPS * FILM_S
    decoded = {
        (film.name, policy): play(film, policy).worker.books.reading().decoded
        for film in (walking, walking_b_frames)
        for policy in (DecodePolicy.ALL, DecodePolicy.NONREF, DecodePolicy.KEYFRAMES, DecodePolicy.NONE)
    }
    print(decoded)
    for film in (walking, walking_b_frames):
        assert decoded[film.name, DecodePolicy.ALL] == frames
        assert decoded[film.name, DecodePolicy.KEYFRAMES] == frames // GOP
        assert decoded[film.name, DecodePolicy.NONE] == 0
    assert decoded[walking.name, DecodePolicy.NONREF] == frames, "nothing in it is disposable"
    assert frames // 3 <= decoded[walking_b_frames.name, DecodePolicy.NONREF] <= frames // 2


@pytest.mark.parametrize("before", [DecodePolicy.KEYFRAMES, DecodePolicy.NONE])
def test_back_to_all_is_at_the_live_edge_at_once(walking: Path, before: DecodePolicy) -> None:
    """In the middle of a GOP, 37 pictures after its keyframe: the next unit that comes is shown, then every one."""
    camera = play(walking, before, [(11.5, DecodePolicy.ALL)])
    shown = camera.shown
    first = next(n for n, (seq, _) in enumerate(shown) if seq % GOP)
    assert 285 <= shown[first][0] <= 290
    assert all(seq == came for seq, came in shown), "what is shown is the newest that has come"
    assert [seq for seq, _ in shown[first:]] == list(range(shown[first][0], FPS * FILM_S))
    assert [seq for seq, _ in shown[:first]] == ([*range(0, 251, GOP)] if before is DecodePolicy.KEYFRAMES else [])
    units = camera.worker.books.reading()
    # The GOP from its keyframe at 250 on was decoded after all.
    assert units.decoded == FPS * FILM_S - 250 + (5 if before is DecodePolicy.KEYFRAMES else 0)


def test_back_to_all_with_b_frames_shows_what_decoding_all_would(walking_b_frames: Path) -> None:
    always = play(walking_b_frames, DecodePolicy.ALL).shown
    camera = play(walking_b_frames, DecodePolicy.KEYFRAMES, [(11.5, DecodePolicy.ALL)])
    shown = camera.shown
    first = next(n for n, (seq, _) in enumerate(shown) if seq % GOP and seq > 250)
    came = shown[first][1]
    assert shown[first] == max((one for one in always if one[1] <= came), key=always.index)
    assert shown[first + 1 :] == always[always.index(shown[first]) + 1 :]


def test_auto_decodes_all_only_while_something_moves(seldom: Path) -> None:
    camera = play(seldom, DecodePolicy.AUTO)
    shown = [seq for seq, _ in camera.shown]
    # Awake at the session's first picture, and quiet from its second second on: the next keyframe is at 2 s. What
    # begins at 12 s is in the keyframe of that instant or the next; it ends at 15 s, and a rest follows 2 s later at
    # the next keyframe.
    assert [seq for seq in shown if seq < 50] == list(range(50))
    assert [seq for seq in shown if 50 <= seq < 300] == [*range(50, 300, GOP)]
    woken = next(seq for seq in shown if seq >= 300 and seq % GOP) - 1
    rests = max(seq for seq in shown if seq % GOP) + 1
    print(f"woken at {woken / FPS:g} s, at rest from {rests / FPS:g} s")
    assert woken in (300, 350)
    assert (MOVES_UNTIL_S + QUIET_S) * FPS <= rests <= (MOVES_UNTIL_S + QUIET_S + 3) * FPS
    assert [seq for seq in shown if woken <= seq < rests] == list(range(woken, rests))
    units = camera.worker.books.reading()
    assert units.decoded == len(shown) < FPS * FILM_S / 2


def test_a_camera_on_the_network_goes_from_keyframes_to_all_within_a_gop(tmp_path: Path) -> None:
    with ForeignRtspServer(tmp_path) as server:
        server.add_timecode("cam", fps=FPS, gop_frames=GOP)
        camera = Camera(server.url("cam"), SystemClock(), DecodePolicy.KEYFRAMES)
        camera.worker.start()
        try:
            with camera.frames:
                assert camera.frames.wait_for(lambda: len(camera.shown) >= 2, 30)
            before = camera.worker.load()
            keyframe = camera.shown[-1][0]
            while (last := camera.worker._reader.last) is None or last.id.seq < keyframe + 20:
                assert not camera.worker._stop.wait(0.02)
            camera.worker.set_decode(DecodePolicy.ALL)
            with camera.frames:
                assert camera.frames.wait_for(lambda: len(camera.shown) >= 40, 30)
        finally:
            camera.worker.stop_nowait()
            assert camera.worker.wait_stopped(10)
    assert before.decoded * 20 <= before.units
    shown = camera.shown
    first = next(n for n, (seq, _) in enumerate(shown) if seq > keyframe)
    assert keyframe + 20 <= shown[first][0] < keyframe + GOP, "no keyframe was waited for"
    assert all(seq == came for seq, came in shown)
    assert [seq for seq, _ in shown[first:]] == list(range(shown[first][0], shown[-1][0] + 1))
    load, units = camera.worker.load(), camera.worker.books.reading()
    assert units.in_flight == 0
    print(f"{load.decode_ns / load.units / 1000:.0f} µs of processor time a unit, {load.decoded} of {load.units}")
