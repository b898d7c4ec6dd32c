"""What ingest tells the engine and in which order, and the views it makes and shares. Streams are scripted, the slots
real.
"""

from collections.abc import Callable
from typing import Any, cast

import av
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import Lease, Location, PixelFormat, ViewSpec
from penstock.contracts.messages import (
    Ask,
    CameraLoad,
    CameraState,
    CameraUpdate,
    FrameDone,
    HeldLeases,
    Message,
    Notice,
    Ready,
    SetDecode,
    ViewReady,
    ViewRefused,
)
from penstock.contracts.specs import DecodePolicy, StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import HeapRegions
from penstock.framebus.slots import LeaseBook, SlotAllocator, SlotReader, format_pool, pool_bytes
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.newest import Newest, NewestFrame
from penstock.ingest.service import IngestService, ServedCamera
from penstock.ingest.status import Phase
from penstock.ingest.stream import StreamWorker
from penstock.testkit.views import frame_ref

SPEC = ViewSpec(16, 12, PixelFormat.GRAY8)
OTHER = ViewSpec(8, 6, PixelFormat.GRAY8)
SLOTS = 2


class ScriptedStream:
    """Stands where a stream's thread would; its frames come when a test says so."""

    def __init__(self, camera: str, lossless: bool = False) -> None:
        self.spec = StreamSpec(camera, "rtsp://cam")
        self.books = UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS))
        self.newest = NewestFrame()
        self.lossless = lossless
        self.handed: list[int] = []
        self.policies: list[DecodePolicy] = []
        self._index = 0
        self._phase = Phase(CameraState.STARTING, 0, 0, "")

    def phase(self) -> Phase:
        return self._phase

    def handed_over(self, index: int) -> None:
        self.handed.append(index)

    def set_decode(self, policy: DecodePolicy) -> None:
        self.policies.append(policy)

    def load(self) -> CameraLoad:
        return CameraLoad(self.spec.camera, units=9, keyframes=1, disposable=3, decoded=5, decode_ns=7)

    def be(self, state: CameraState, session: int, reason: str = "") -> None:
        self._phase = Phase(state, session, 0, reason)

    def connect(self, session: int) -> None:
        self.be(CameraState.UP, session)

    def lose(self, reason: str = "gone") -> None:
        self.newest.clear()
        self.be(CameraState.DOWN, self._phase.session, reason)

    def decode(self, moved: bool = False) -> int:
        """A frame whose every pixel is its index."""
        self._index += 1
        picture = av.VideoFrame.from_ndarray(np.full((24, 32), self._index % 251, np.uint8), "gray")
        ref = frame_ref(self.spec.camera, seq=self._index - 1, session=self._phase.session, width_px=32, height_px=24)
        self.newest.publish(Newest(ref, picture), moved)
        return self._index


class Engine:
    """The other end of the link: notes what it is told, and may be full."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.full = False

    def send(self, message: Message) -> bool:
        if not self.full:
            self.told.append(message)
        return not self.full

    def taken(self) -> list[Message]:
        told, self.told = self.told, []
        return told


class Desk:
    """One camera served, its engine, and the engine's leases."""

    def __init__(self, lossless: bool = False) -> None:
        self.region = HeapRegions().create("pool:door", pool_bytes(SLOTS, SPEC.nbytes))
        format_pool(self.region, SLOTS, SPEC.nbytes)
        self.stream = ScriptedStream("door", lossless)
        self.camera = ServedCamera(cast(StreamWorker, self.stream), SlotAllocator(self.region), Location.HEAP)
        self.clock = SimulatedClock(5_000)
        self.service = IngestService([self.camera], self.clock)
        self.engine = Engine()
        self.leases = LeaseBook()
        self.leases.attach(self.region)
        self.reader = SlotReader()
        self.reader.attach(self.region)
        self._ticket = 0

    def ask(self, after: int = 0, spec: ViewSpec = SPEC, camera: str = "door") -> Message:
        """The answer to one ask."""
        self._ticket += 1
        self.service.handle(Ask(self._ticket, camera, spec, after, 10**9))
        return self.engine.told[-1] if self.engine.told else Ready()

    def view(self, after: int = 0, spec: ViewSpec = SPEC) -> ViewReady:
        answer = self.ask(after, spec)
        assert isinstance(answer, ViewReady)
        assert answer.ticket == self._ticket
        return answer


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.service.connect(made.engine.send)
    made.stream.connect(7)
    made.service.tell_news()
    made.engine.taken()
    return made


def kinds(messages: list[Message]) -> list[Any]:
    """Messages in short."""
    short: list[Any] = []
    for one in messages:
        match one:
            case CameraUpdate():
                short.append((one.state.value, one.session))
            case Notice():
                short.append(("frame", one.frame.index, one.moved))
            case ViewReady():
                short.append(("view", one.views[0].frame.index, one.moved))
            case ViewRefused():
                short.append(("refused", one.reason))
    return short


def test_news_are_told_once_and_in_order(desk: Desk) -> None:
    desk.stream.decode(moved=True)
    desk.service.tell_news()
    desk.service.tell_news()
    desk.stream.decode()
    desk.stream.decode()
    desk.service.tell_news()
    assert kinds(desk.engine.taken()) == [("frame", 1, True), ("frame", 3, False)]


def test_a_refused_notice_is_counted_and_its_movement_told_with_the_next(desk: Desk) -> None:
    desk.engine.full = True
    desk.stream.decode(moved=True)
    desk.service.tell_news()
    desk.stream.decode()
    desk.engine.full = False
    desk.service.tell_news()
    assert kinds(desk.engine.taken()) == [("frame", 2, True)]
    assert desk.stream.books.reading().notices_refused == 1


def test_movement_that_comes_while_a_notice_is_sent_is_not_lost() -> None:
    desk = Desk()
    desk.stream.connect(1)
    told: list[Message] = []

    def send(message: Message) -> bool:
        if isinstance(message, Notice) and message.frame.index == 1:
            desk.stream.decode(moved=True)
        told.append(message)
        return True

    desk.stream.decode()
    desk.service.connect(send)
    desk.service.tell_news()
    assert kinds(told) == [("up", 1), ("frame", 1, False), ("frame", 2, True)]


def test_a_session_is_told_before_its_frames_and_none_after_its_end(desk: Desk) -> None:
    desk.stream.decode()
    desk.service.tell_news()
    desk.stream.lose("stalled")
    desk.service.tell_news()
    desk.stream.be(CameraState.CONNECTING, 7)
    desk.stream.connect(8)
    desk.stream.decode()
    answer = desk.view()
    assert answer.views[0].frame.id.stream.session == 8
    assert kinds(desk.engine.taken()) == [("frame", 1, False), ("down", 7), ("up", 8), ("view", 2, False)]


def test_an_orderly_end_is_told_of_every_camera_and_nothing_after_it(desk: Desk) -> None:
    """The engine cancels what waits for a view; were the link only to close, it would count it as lost in a crash."""
    desk.stream.decode()
    desk.service.tell_news()
    desk.engine.taken()
    desk.service.end()
    (update,) = desk.engine.told
    assert isinstance(update, CameraUpdate)
    assert (update.camera, update.state, update.session) == ("door", CameraState.DOWN, 7)
    desk.stream.decode()
    desk.service.tell_news()
    desk.service.connect(desk.engine.send)
    desk.ask()
    assert kinds(desk.engine.taken()) == [("down", 7)]


def test_a_frame_whose_session_ends_while_one_looks_is_not_told() -> None:
    """The stream's thread may run between any two lines of the loop."""
    desk = Desk()
    desk.service.connect(desk.engine.send)
    desk.stream.connect(1)
    desk.stream.decode()
    phase = desk.stream.phase

    def lost_meanwhile() -> Phase:
        desk.stream.lose()
        return phase()

    desk.stream.phase = lost_meanwhile  # type: ignore[method-assign]
    desk.service.tell_news()
    assert isinstance(desk.ask(), ViewRefused)
    assert kinds(desk.engine.taken())[:2] == [("starting", 0), ("down", 1)]
    assert not any(isinstance(one, Notice | ViewReady) for one in desk.engine.told)


def test_a_state_that_could_not_be_told_holds_its_frames_back() -> None:
    desk = Desk()
    desk.service.connect(desk.engine.send)
    desk.engine.full = True
    desk.stream.connect(1)
    desk.stream.decode(moved=True)
    desk.service.tell_news()
    desk.engine.full = False
    desk.service.tell_news()
    assert kinds(desk.engine.taken())[-2:] == [("up", 1), ("frame", 1, True)]


def test_a_view_shows_the_newest_frame_and_is_never_told_again(desk: Desk) -> None:
    desk.stream.decode()
    desk.stream.decode(moved=True)
    answer = desk.view(after=1)
    assert (answer.views[0].frame.index, answer.moved) == (2, True)
    assert set(bytes(desk.reader.pixels(answer.views[0]))) == {2}
    assert answer.views[0].made_ns == 5_000
    desk.service.tell_news()
    assert kinds(desk.engine.taken()) == [("view", 2, True)], "the view was the news"


@pytest.mark.parametrize(
    ("prepare", "camera", "reason"),
    [
        pytest.param(lambda desk: None, "door", "no newer frame", id="nothing decoded"),
        pytest.param(lambda desk: desk.stream.decode(), "garden", "no newer frame", id="not our camera"),
        pytest.param(lambda desk: (desk.stream.decode(), desk.stream.lose()), "door", "no newer frame", id="down"),
    ],
)
def test_asks_that_cannot_be_met_are_refused(
    desk: Desk, prepare: Callable[[Desk], object], camera: str, reason: str
) -> None:
    prepare(desk)
    assert kinds([desk.ask(camera=camera)]) == [("refused", reason)]


def test_an_ask_for_something_newer_than_there_is_is_refused(desk: Desk) -> None:
    desk.stream.decode()
    assert kinds([desk.ask(after=1)]) == [("refused", "no newer frame")]
    desk.stream.decode()
    assert kinds([desk.ask(after=1)]) == [("view", 2, False)]


def test_equal_views_of_one_frame_are_made_once(desk: Desk) -> None:
    desk.stream.decode()
    one, two, small = desk.view(), desk.view(), desk.view(spec=OTHER)
    assert one.views[0] == two.views[0]
    assert small.views[0].lease != one.views[0].lease
    assert desk.stream.books.reading().views == 2
    for answer in (one, two, small):
        assert desk.leases.take(answer.views[0])
    desk.leases.give_back(one.views[0].lease)
    assert desk.reader.still_leased(two.views[0]), "the other lane has it yet"
    desk.leases.give_back(two.views[0].lease)
    assert desk.view().views[0].lease != one.views[0].lease, "what was given back is made anew"


def test_full_slots_refuse_and_free_ones_serve_again(desk: Desk) -> None:
    for _ in range(SLOTS):
        desk.stream.decode()
        assert desk.leases.take(desk.view().views[0])
    desk.stream.decode()
    assert kinds([desk.ask()]) == [("refused", "no free slot")]
    assert desk.stream.books.reading().views_refused == 1
    desk.leases.give_back(desk.leases.held(["pool:door"])[0])
    assert isinstance(desk.ask(), ViewReady)


def test_a_view_that_cannot_be_made_costs_no_slot(desk: Desk) -> None:
    desk.stream.decode()
    for _ in range(SLOTS + 1):
        (refused,) = kinds([desk.ask(spec=ViewSpec(640, 640, PixelFormat.BGR24))])
        assert refused[0] == "refused"
        assert "needs 1228800 bytes, a slot has 4096" in refused[1]
    assert desk.camera.slots.statistics().leased == 0


def test_a_view_that_could_not_be_sent_frees_its_slot(desk: Desk) -> None:
    desk.stream.decode(moved=True)
    desk.engine.full = True
    desk.ask()
    assert desk.camera.slots.statistics().leased == 0
    desk.engine.full = False
    desk.service.tell_news()
    assert kinds(desk.engine.taken()) == [("frame", 1, True)], "and its news come with the next message"


def test_a_shared_view_that_could_not_be_sent_again_stays_with_who_has_it(desk: Desk) -> None:
    desk.stream.decode()
    first = desk.view()
    assert desk.leases.take(first.views[0])
    desk.engine.full = True
    desk.ask()
    assert desk.reader.still_leased(first.views[0]), "another lane's model is reading it"
    assert set(bytes(desk.reader.pixels(first.views[0]))) == {1}


def test_a_new_engine_hears_everything_anew_and_frees_what_the_last_one_held(desk: Desk) -> None:
    desk.stream.decode(moved=True)
    old = desk.view()
    assert desk.leases.take(old.views[0])
    desk.service.disconnect()
    desk.stream.decode()
    desk.service.tell_news()
    desk.ask()
    assert kinds(desk.engine.taken()) == [("view", 1, True)], "nobody is told while nobody is there"
    successor = Engine()
    desk.service.connect(successor.send)
    assert kinds(successor.taken()) == [("up", 7), ("frame", 2, False)]
    desk.service.handle(HeldLeases(()))
    assert not desk.reader.still_leased(old.views[0])
    assert desk.camera.slots.statistics().leased == 0


def test_what_the_engine_still_holds_survives_a_new_link(desk: Desk) -> None:
    desk.stream.decode()
    kept, lost = desk.view(), desk.view(spec=OTHER)
    assert desk.leases.take(kept.views[0])
    desk.service.handle(HeldLeases((*desk.leases.held(["pool:door"]), Lease("pool:garden", 1, 1))))
    assert desk.reader.still_leased(kept.views[0])
    assert not desk.reader.still_leased(lost.views[0])


def test_lossless_frames_are_handed_on_and_strangers_ignored() -> None:
    desk = Desk(lossless=True)
    desk.service.connect(desk.engine.send)
    desk.service.handle(FrameDone("door", 3))
    desk.service.handle(FrameDone("garden", 9))
    desk.service.handle(Ready())
    assert desk.stream.handed == [3]
    (update,) = desk.engine.told
    assert isinstance(update, CameraUpdate)
    assert update.lossless


def test_a_policy_goes_to_its_camera(desk: Desk) -> None:
    desk.service.handle(SetDecode("door", DecodePolicy.KEYFRAMES))
    desk.service.handle(SetDecode("garden", DecodePolicy.NONE))
    assert desk.stream.policies == [DecodePolicy.KEYFRAMES]


def test_a_load_is_the_streams_and_that_of_its_views(desk: Desk) -> None:
    make = desk.camera.maker.make

    def busy(*arguments: Any) -> Any:
        desk.clock.compute(30)
        return make(*arguments)

    desk.camera.maker.make = busy  # type: ignore[method-assign, assignment]
    desk.stream.decode()
    desk.view()
    desk.view()
    desk.view(spec=OTHER)
    (load,) = desk.service.loads()
    assert load == CameraLoad("door", 9, 1, 3, 5, 7, views=2, view_ns=60), "a shared view costs nothing"


class ToldInOrder(RuleBasedStateMachine):
    """Whatever happens when: the engine hears of frames in order, each under its own session, none twice."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.session = 0
        self.moved: set[int] = set()
        self.index = 0
        self.told_up: int | None = None
        self.connect()

    @rule()
    def connect(self) -> None:
        self.desk.engine = Engine()
        self.desk.leases = LeaseBook()
        self.desk.leases.attach(self.desk.region)
        self.heard, self.heard_moved, self.told_up = 0, self.index, None
        self.desk.service.connect(self.desk.engine.send)
        self.desk.service.handle(HeldLeases(()))

    @rule()
    def up(self) -> None:
        self.session += 1
        self.desk.stream.connect(self.session)

    @rule()
    def lose(self) -> None:
        self.desk.stream.lose()

    @rule(moved=st.booleans())
    def decode(self, moved: bool) -> None:
        if self.desk.stream.phase().state is CameraState.UP:
            self.index = self.desk.stream.decode(moved)
            if moved:
                self.moved.add(self.index)

    @rule(full=st.booleans())
    def fill(self, full: bool) -> None:
        self.desk.engine.full = full

    @rule()
    def news(self) -> None:
        self.desk.service.tell_news()

    @rule(spec=st.sampled_from([SPEC, OTHER]), after=st.integers(0, 5))
    def ask(self, spec: ViewSpec, after: int) -> None:
        self.desk.ask(max(0, self.heard - after), spec)

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        held = self.desk.leases.held(["pool:door"])
        if held:
            self.desk.leases.give_back(data.draw(st.sampled_from(held)))

    @invariant()
    def in_order(self) -> None:
        for message in self.desk.engine.taken():
            if isinstance(message, CameraUpdate):
                self.told_up = message.session if message.state is CameraState.UP else None
            if isinstance(message, Notice | ViewReady):
                frame = message.frame if isinstance(message, Notice) else message.views[0].frame
                assert frame.id.stream.session == self.told_up, "a frame comes under its own session"
                assert frame.index > self.heard or (isinstance(message, ViewReady) and frame.index == self.heard)
                news = {index for index in self.moved if self.heard_moved < index <= frame.index}
                assert message.moved or not news, "movement is never lost"
                self.heard = frame.index
                self.heard_moved = max(self.heard_moved, frame.index)
            if isinstance(message, ViewReady):
                assert self.desk.leases.take(message.views[0])
                assert set(bytes(self.desk.reader.pixels(message.views[0]))) == {message.views[0].frame.index % 251}

    @invariant()
    def no_slot_leaks(self) -> None:
        assert self.desk.camera.slots.statistics().leased == len(self.desk.leases)


ToldInOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestToldInOrder = ToldInOrder.TestCase
