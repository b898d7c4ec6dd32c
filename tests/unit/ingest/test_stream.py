"""One stream's life on simulated time: its thread's work is run in the test's own thread, from a scripted source."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.identity import Role
from penstock.contracts.messages import CameraLoad, CameraState
from penstock.contracts.packets import EncodedPacket, RawFrame, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.specs import DecodePolicy, GateSpec, StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import HeapRegions
from penstock.framebus.ring import RingReader, RingWriter, format_ring, ring_bytes
from penstock.ingest.books import WORDS, UnitBooks, Word
from penstock.ingest.decoder import Decoder
from penstock.ingest.gate import Gate
from penstock.ingest.newest import NewestFrame
from penstock.ingest.status import StreamStatus
from penstock.ingest.stream import StreamWorker
from penstock.sources.backoff import Backoff
from penstock.testkit.film import Film, make_film

MS = 1_000_000
Step = EncodedPacket | SessionStatistics | Exception


@pytest.fixture(scope="module")
def film() -> Film:
    return make_film(frames=20, gop=5, width_px=64, height_px=48)


class ScriptedSession:
    def __init__(self, number: int, steps: Sequence[Step], info: StreamInfo) -> None:
        self.session = number
        self.closed = False
        self.counted = SessionStatistics()
        self._steps = list(steps)
        self._info = info

    def info(self, info_id: int) -> StreamInfo:
        return self._info

    def wait_read(self) -> EncodedPacket:
        if not self._steps:
            raise SourceError(SourceFault.INTERRUPTED, "the script is over")
        step = self._steps.pop(0)
        if isinstance(step, SessionStatistics):
            self.counted = step
            return self.wait_read()
        if isinstance(step, Exception):
            raise step
        stream = msgspec.structs.replace(step.id.stream, session=self.session)
        return msgspec.structs.replace(step, id=msgspec.structs.replace(step.id, stream=stream))

    def interrupt(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True

    def statistics(self) -> SessionStatistics:
        return self.counted


class ScriptedSource:
    """Opens one session after another; the stream is stopped when the script is over."""

    url = "rtsp://cam"
    live = True
    seekable = False

    def __init__(self, sessions: Sequence[Sequence[Step] | SourceError], info: StreamInfo, lossless: bool) -> None:
        self.lossless = lossless
        self.opened: list[ScriptedSession] = []
        self.over: Callable[[], None] = lambda: None
        self._sessions = list(sessions)
        self._info = info

    def wait_open(self) -> ScriptedSession:
        if not self._sessions:
            self.over()
            raise SourceError(SourceFault.INTERRUPTED, "the script is over")
        script = self._sessions.pop(0)
        if isinstance(script, SourceError):
            raise script
        self.opened.append(ScriptedSession(100 + len(self.opened), script, self._info))
        return self.opened[-1]

    def interrupt(self) -> None:
        """Nothing waits."""


class HookedClock(SimulatedClock):
    """`waiting` is called whenever the stream begins to wait."""

    waiting: Callable[[], None] = staticmethod(lambda: None)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waiting()
        return super().wait(event, timeout_s)


class Life:
    """A worker that has run its script, and what was seen of it at each of its news."""

    def __init__(
        self,
        sessions: Sequence[Sequence[Step] | SourceError],
        info: StreamInfo,
        *,
        roles: tuple[Role, ...] = (Role.DETECT, Role.RECORD),
        lossless: bool = False,
        loop: bool = True,
        decode: DecodePolicy = DecodePolicy.ALL,
        encodes_raw: bool = True,
    ) -> None:
        self.clock = HookedClock(1_000 * MS)
        self.on_news: Callable[[], None] = lambda: None
        self.counters = CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS)
        self.region = HeapRegions().create("ring", ring_bytes(100_000, 64))
        format_ring(self.region, 100_000, 64)
        self.source = ScriptedSource(sessions, info, lossless)
        self.newest = NewestFrame()
        self.ring = RingWriter(self.region, 10**12)
        self.gate = Gate(GateSpec())
        self.seen: list[tuple[str, int, int | None]] = []
        self.worker = StreamWorker(
            StreamSpec("door", "rtsp://cam", roles, loop=loop),
            self.source,
            books=UnitBooks(self.counters),
            ring=self.ring,
            newest=self.newest,
            gate=self.gate,
            backoff=Backoff(3_000 * MS, lambda: 0.0),
            clock=self.clock,
            on_news=self._news,
            decode=decode,
            quiet_ns=400 * MS,
            encodes_raw=encodes_raw,
        )
        self.source.over = self.worker.stop_nowait
        self.hand_over = True

    def _news(self) -> None:
        phase, newest = self.worker.phase(), self.newest.look().newest
        self.seen.append((phase.state.value, phase.session, None if newest is None else newest.ref.index))
        if newest is not None:
            assert newest.ref.id.stream.session == phase.session
            if self.hand_over:
                self.worker.handed_over(newest.ref.index)
        self.on_news()

    def run(self) -> "Life":
        self.worker._run()
        return self

    @property
    def units(self) -> Any:
        return self.worker.books.reading()


def test_units_are_numbered_kept_decoded_and_told(film: Film) -> None:
    life = Life([film.packets[:6]], film.info).run()
    assert (
        life.seen
        == [
            ("starting", 0, None),
            ("connecting", 0, None),
            ("up", 100, None),
            *[("up", 100, index) for index in range(1, 7)],
            ("connecting", 100, None),
        ][1:]
    )
    units = life.units
    assert (units.received, units.decoded, units.frames, units.sessions, units.in_flight) == (6, 6, 6, 1, 0)
    assert units.received_bytes == sum(len(packet.data) for packet in film.packets[:6])
    span = RingReader(life.region).span()
    assert span is not None
    assert (span.first_index, span.last_index) == (0, 5)
    assert life.source.opened[0].closed


def test_a_lost_camera_is_connected_again_ever_later(film: Film) -> None:
    refused = SourceError(SourceFault.REFUSED, "rtsp://cam refused the connection")
    stalled = SourceError(SourceFault.STALLED, "nothing came for 3 s")
    life = Life([refused, refused, [*film.packets[:2], stalled], film.packets[:1]], film.info)
    began_ns = life.clock.now_ns()
    life.run()
    states = [(state, session) for state, session, frame in life.seen if frame is None]
    assert states == [
        ("connecting", 0),
        ("down", 0),
        ("connecting", 0),
        ("down", 0),
        ("connecting", 0),
        ("up", 100),
        ("down", 100),
        ("connecting", 100),
        ("up", 101),
        ("connecting", 101),
    ]
    assert [frame for *_, frame in life.seen if frame is not None] == [1, 2, 3], "frames go on counting"
    assert (life.units.connect_failures, life.units.stalls, life.units.sessions) == (2, 1, 2)
    assert life.clock.now_ns() - began_ns == (100 + 200 + 400 + 800) * MS, "half of 0.2, 0.4, 0.8, 1.6 s"


def test_a_dead_camera_is_told_at_once_then_each_minute_with_a_count_and_when_it_is_back(
    film: Film, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    refused = SourceError(SourceFault.REFUSED, "rtsp://cam refused the connection", "Check the port")
    silent = SourceError(SourceFault.TIMEOUT, "rtsp://cam: no answer")
    life = Life([*[refused] * 45, silent, film.packets[:2]], film.info).run()
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    first, again, other, back = told
    assert first == ("WARNING", "cannot connect: rtsp://cam refused the connection. Check the port")
    # Tried again after half of 0.2, 0.4, 0.8, 1.6 and then of 3 s for each: the 44th is 60 s after the first.
    assert again == ("WARNING", f"{first[1]} (43 times since 2023-11-14 22:13:21 UTC)")
    assert other == ("WARNING", "cannot connect: rtsp://cam: no answer")
    assert back == ("INFO", "back after 1 m 4 s, 46 attempts failed")
    assert life.units.connect_failures == 46


def test_a_camera_that_comes_and_goes_is_told_twice_a_minute_not_twice_each_time(
    film: Film, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stalled = SourceError(SourceFault.STALLED, "nothing came for 3 s")
    life = Life([[film.packets[0], stalled]] * 30, film.info).run()
    assert life.clock.now_ns() < 60_000 * MS
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert life.units.stalls == 30


def test_no_frame_outlives_the_news_of_its_end(film: Film) -> None:
    stalled = SourceError(SourceFault.STALLED, "nothing came for 3 s")
    life = Life([[*film.packets[:2], stalled]], film.info).run()
    assert [frame for state, _, frame in life.seen if state == "down"] == [None]


@pytest.mark.parametrize("error", [RuntimeError("a defect"), MemoryError()], ids=["defect", "memory"])
def test_a_defect_ends_a_session_not_the_stream(film: Film, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    life = Life([[*film.packets[:3], error], film.packets[:2]], film.info).run()
    assert ("down", 100, None) in life.seen
    assert (life.units.sessions, life.units.decoded, life.units.in_flight) == (2, 5, 0)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_whatever_fails_between_two_counts_the_books_balance(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ring, the configuration and the gate fail in turn: each unit has its fate when its session has ended."""
    life = Life([film.packets[:4]] * 4, film.info)
    calls = [0]

    def failing(original: Callable[..., Any], on: int) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            calls[0] += 1
            if calls[0] % on == 0:
                raise OSError("broken")
            return original(*args)

        return call

    monkeypatch.setattr(life.ring, "write", failing(life.ring.write, 3))
    monkeypatch.setattr(life.gate, "moved", failing(life.gate.moved, 5))
    monkeypatch.setattr(ScriptedSession, "info", failing(ScriptedSession.info, 7))
    life.run()
    units = life.units
    assert units.sessions == 4
    assert units.in_flight == 0
    assert units.lost > 0
    assert units.received == units.decoded + units.lost


def test_a_stream_that_is_only_recorded_is_not_decoded(film: Film) -> None:
    life = Life([film.packets], film.info, roles=(Role.RECORD,)).run()
    units = life.units
    assert (units.received, units.kept, units.frames, units.in_flight) == (20, 20, 0, 0)


def test_a_file_read_to_its_end_is_flushed_and_never_opened_again(film: Film) -> None:
    ended = SourceError(SourceFault.ENDED, "end of file")
    source = make_film(frames=12, b_frames=2, gop=12, width_px=64, height_px=48)
    life = Life([[*source.packets, ended], source.packets], source.info, lossless=True).run()
    assert (life.units.received, life.units.decoded, life.units.lost) == (12, 12, 0)
    assert life.seen[-1] == ("ended", 100, None)
    assert life.worker.status().state is CameraState.ENDED


@pytest.mark.parametrize(("loop", "state", "sessions"), [(False, "ended", 1), (True, "connecting", 2)])
def test_a_live_stream_with_an_end_is_read_again_unless_told_otherwise(
    film: Film, loop: bool, state: str, sessions: int
) -> None:
    ended = SourceError(SourceFault.ENDED, "end of file")
    life = Life([[*film.packets[:3], ended], film.packets[:3]], film.info, loop=loop).run()
    assert life.seen[-1][0] == state
    assert life.units.sessions == sessions


def test_a_lossless_stream_goes_on_only_when_its_frame_was_handed_over(film: Film) -> None:
    life = Life([film.packets[:5]], film.info, lossless=True)
    life.hand_over = False
    waited = []

    def waiting() -> None:
        newest = life.newest.look().newest
        if newest is not None:
            waited.append(newest.ref.index)
            life.worker.handed_over(newest.ref.index - bool(len(waited) % 3))

    life.clock.waiting = waiting
    life.run()
    assert waited == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
    assert life.units.decoded == 5


def test_a_codec_without_decoder_says_so_and_settles_its_unit(film: Film) -> None:
    life = Life([film.packets[:1]], msgspec.structs.replace(film.info, codec="no-such-codec")).run()
    assert (life.units.received, life.units.undecodable, life.units.in_flight) == (1, 1, 0)
    assert ("down", 0, None) in life.seen


def test_status_can_be_asked_at_any_moment(film: Film) -> None:
    """By another thread, between any two lines: so never half of a change."""
    life = Life([film.packets[:5], film.packets[:5]], film.info)
    before = life.worker.status()
    assert (before.state, before.fps, before.codec) == (CameraState.STARTING, 0.0, "")
    asked: list[StreamStatus] = []
    life.on_news = lambda: asked.append(life.worker.status())
    life.run()
    assert [status.fps for status in asked if status.state is CameraState.UP][3] == pytest.approx(25.0)
    assert asked[-1].width_px == 64
    assert asked[-1].ring.packets == 10


@pytest.mark.parametrize("role", [Role.DETECT, Role.RECORD])
def test_fps_is_what_comes_now(role: Role) -> None:
    """A stream that is only recorded has a rate too; one that falls silent loses it before its session ends."""
    film = make_film(frames=60, gop=5, width_px=64, height_px=48)
    life = Life([[*film.packets, SourceError(SourceFault.STALLED, "nothing came")]], film.info, roles=(role,))
    life.clock.advance_to(film.packets[-1].received_ns)
    seen: dict[str, list[float]] = {}
    read = ScriptedSession.wait_read

    def wait_read(session: ScriptedSession) -> EncodedPacket:
        if len(session._steps) == 1:
            seen["up"] = [life.worker.status().fps]
            for _ in range(2):
                life.clock.advance(2_000 * MS)
                seen["up"].append(life.worker.status().fps)
        return read(session)

    def on_news() -> None:
        status = life.worker.status()
        seen.setdefault(status.state.value, [status.fps])

    life.on_news = on_news
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedSession, "wait_read", wait_read)
        life.run()
    assert seen["up"] == [pytest.approx(25.0, rel=0.01), 0.5, 0.25]
    assert seen["down"] == [0.0]


def test_an_earlier_process_left_units_behind(film: Film) -> None:
    life = Life([], film.info)
    for _ in range(3):
        life.worker.books.receive(10)
    life.worker.start()
    assert life.worker.wait_stopped(10)
    assert (life.units.received, life.units.lost) == (3, 3)


@pytest.mark.parametrize(("deaths", "waited_ms"), [(0, 0), (1, 250), (2, 1_000), (3, 4_000), (12, 75_000)])
def test_a_connection_that_ended_processes_is_tried_ever_later(film: Film, deaths: int, waited_ms: int) -> None:
    life = Life([film.packets[:2]], film.info)
    life.counters.set(Word.UNPROVEN, deaths)
    marks = []
    opened = life.source.wait_open

    def wait_open() -> ScriptedSession:
        marks.append(life.counters[Word.UNPROVEN])
        return opened()

    life.source.wait_open = wait_open  # type: ignore[method-assign]
    began_ns = life.clock.now_ns()
    life.run()
    assert marks == [deaths + 1, 1], "the first session showed a picture: that was not what ended them"
    assert life.counters[Word.UNPROVEN] == 0
    assert life.clock.now_ns() - began_ns == (waited_ms + 100) * MS
    assert [state for state, *_ in life.seen][: 1 + bool(deaths)] == ["down", "connecting"][not deaths :]


def test_an_orderly_refusal_is_no_crash(film: Film) -> None:
    life = Life([SourceError(SourceFault.REFUSED, "rtsp://cam refused the connection")], film.info).run()
    assert life.counters[Word.UNPROVEN] == 0


def test_what_sessions_count_is_summed_over_them(film: Film) -> None:
    first: list[Step] = [SessionStatistics(1, 0, 5, 0), film.packets[0], SessionStatistics(1, 2, 9, 4), film.packets[1]]
    stalled = SourceError(SourceFault.STALLED, "its segments came late")
    life = Life([[*first, SessionStatistics(1, 3, 9, 4), stalled], [SessionStatistics(2), film.packets[0]]], film.info)
    units = life.run().units
    assert (units.time_jumps, units.slips, units.lost_packets, units.times_refused) == (3, 3, 9, 4)


def test_pictures_still_in_the_decoder_are_shown_before_another_configuration(film: Film) -> None:
    """Without loss means all of them, also where the size changes in the middle of a file."""
    held = make_film(frames=12, b_frames=2, gop=12, width_px=64, height_px=48)
    changed = [msgspec.structs.replace(packet, info_id=1) for packet in held.packets]
    ended = SourceError(SourceFault.ENDED, "end of file")
    life = Life([[*held.packets, *changed, ended]], held.info, lossless=True).run()
    assert (life.units.received, life.units.decoded, life.units.lost) == (24, 24, 0)


def test_a_worker_that_never_started_has_stopped(film: Film) -> None:
    assert Life([], film.info).worker.wait_stopped(0)


POLICIES: dict[str, tuple[DecodePolicy, list[int]]] = {
    "all": (DecodePolicy.ALL, list(range(20))),
    # The drawn block walks: something moves in every picture.
    "auto": (DecodePolicy.AUTO, list(range(20))),
    "keyframes": (DecodePolicy.KEYFRAMES, [0, 5, 10, 15]),
    "none": (DecodePolicy.NONE, []),
}


@pytest.mark.parametrize(("policy", "shown"), POLICIES.values(), ids=POLICIES)
def test_a_stream_is_decoded_as_it_is_configured_and_kept_whole(
    film: Film, policy: DecodePolicy, shown: list[int]
) -> None:
    life = Life([film.packets], film.info, decode=policy)
    seqs: list[int] = []

    def on_news() -> None:
        newest = life.newest.look().newest
        if newest is not None:
            seqs.append(newest.ref.id.seq)

    life.on_news = on_news
    units = life.run().units
    assert seqs == shown
    assert (units.received, units.decoded, units.skipped, units.in_flight) == (20, len(shown), 20 - len(shown), 0)
    status = life.worker.status()
    assert status.ring.packets == 20
    assert status.last_capture_ns == film.packets[-1].capture.mono_ns, "a camera that is passed over is not silent"
    assert life.counters[Word.UNPROVEN] == 0


def test_a_policy_is_changed_while_the_stream_runs_and_outlives_its_sessions(film: Film) -> None:
    life = Life([film.packets, film.packets], film.info)
    seqs: list[tuple[int, int]] = []

    def on_news() -> None:
        newest = life.newest.look().newest
        if newest is not None:
            seqs.append((newest.ref.id.stream.session, newest.ref.id.seq))
            if newest.ref.index == 7:
                life.worker.set_decode(DecodePolicy.KEYFRAMES)

    life.on_news = on_news
    life.run()
    assert [seq for session, seq in seqs if session == 100] == [0, 1, 2, 3, 4, 5, 6, 10, 15]
    assert [seq for session, seq in seqs if session == 101] == [0, 5, 10, 15]


def test_a_lossless_stream_is_decoded_whole_whatever_is_asked(film: Film) -> None:
    life = Life([film.packets], film.info, lossless=True, decode=DecodePolicy.NONE)
    life.worker.set_decode(DecodePolicy.KEYFRAMES)
    assert life.run().units.decoded == 20


def test_what_a_stream_takes_of_the_processor(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading, decoding and gating: all that its thread does, and nothing of what it waits for."""
    packets = [msgspec.structs.replace(one, disposable=one.id.seq % 5 == 3) for one in film.packets]
    life = Life([packets, packets[:1]], film.info, decode=DecodePolicy.KEYFRAMES)
    read, moved = ScriptedSession.wait_read, life.gate.moved

    def wait_read(session: ScriptedSession) -> EncodedPacket:
        life.clock.advance(40 * MS)
        life.clock.compute(2)
        return read(session)

    def busy(frame: Any) -> bool:
        life.clock.compute(100)
        return moved(frame)

    monkeypatch.setattr(ScriptedSession, "wait_read", wait_read)
    monkeypatch.setattr(life.gate, "moved", busy)
    life.run()
    assert life.worker.load() == CameraLoad(
        "door", units=21, keyframes=5, disposable=4, decoded=5, decode_ns=21 * 2 + 5 * 100
    )


@pytest.mark.parametrize("policy", [DecodePolicy.KEYFRAMES, DecodePolicy.NONE])
def test_what_is_passed_over_is_not_missed(
    policy: DecodePolicy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A keyframe every 20 s is less than a watched stream is allowed; here nothing else was asked for."""
    film = make_film(frames=90, gop=40, width_px=64, height_px=48)
    life = Life([film.packets], film.info, decode=policy)
    read = ScriptedSession.wait_read

    def wait_read(session: ScriptedSession) -> EncodedPacket:
        life.clock.advance(500 * MS)
        return read(session)

    monkeypatch.setattr(ScriptedSession, "wait_read", wait_read)
    life.run()
    assert life.units.decoded == (3 if policy is DecodePolicy.KEYFRAMES else 0)
    assert caplog.records == []
    life = Life([film.packets[1:40]], film.info, decode=policy)
    life.run()
    assert ["no keyframe for 10 s" in record.getMessage() for record in caplog.records] == [True]


@pytest.fixture
def raw_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions give grey pictures instead of packets, 4 in a second."""
    read = ScriptedSession.wait_read

    def wait_read(session: ScriptedSession) -> RawFrame:
        packet = read(session)
        capture = msgspec.structs.replace(packet.capture, mono_ns=packet.id.seq * 250 * MS)
        return RawFrame(packet.id, "gray", 64, 48, bytes(64 * 48), packet.received_ns, capture)

    monkeypatch.setattr(ScriptedSession, "wait_read", wait_read)


@pytest.mark.usefixtures("raw_device")
@pytest.mark.parametrize("encodes_raw", [True, False])
def test_raw_pictures_are_shown_as_the_policy_asks_and_all_kept_for_clips(film: Film, encodes_raw: bool) -> None:
    """One a second stands for the rest. Where no clips are made of them the books are the same, and nothing is kept."""
    life = Life([film.packets[:12]], film.info, decode=DecodePolicy.KEYFRAMES, encodes_raw=encodes_raw)
    units = life.run().units
    assert (units.received, units.decoded, units.skipped, units.frames, units.in_flight) == (12, 3, 9, 3, 0)
    assert (units.undecodable, units.lost, units.kept) == (0, 0, 0)
    assert life.worker.status().ring.packets == (12 if encodes_raw else 0)
    assert (life.worker.load().decoded, life.worker.load().keyframes) == (3, 3)


@pytest.mark.usefixtures("raw_device")
@pytest.mark.parametrize("encodes_raw", [True, False])
def test_raw_pictures_that_nobody_decodes_are_kept_in_the_books(film: Film, encodes_raw: bool) -> None:
    life = Life([film.packets[:12]], film.info, roles=(Role.RECORD,), encodes_raw=encodes_raw).run()
    assert (life.units.received, life.units.kept, life.units.frames, life.units.in_flight) == (12, 12, 0, 0)
    assert life.worker.status().ring.packets == (12 if encodes_raw else 0)


@pytest.mark.usefixtures("raw_device")
def test_raw_pictures_are_never_decoded_by_ingest(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are encoded for others, and shown as they came."""

    def decode(decoder: Decoder, packet: EncodedPacket) -> None:
        raise AssertionError(f"{packet.id} was decoded")

    monkeypatch.setattr(Decoder, "decode", decode)
    life = Life([film.packets[:12]], film.info).run()
    assert (life.units.received, life.units.decoded, life.units.frames) == (12, 12, 12)
    assert life.worker.status().ring.packets == 12
