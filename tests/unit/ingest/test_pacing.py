"""Frames that no lane is due for are not told: which, and how exactly they are counted. Streams are scripted."""

from collections.abc import Callable
from typing import Any, cast

import av
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import Location, PixelFormat, ViewSpec
from penstock.contracts.messages import Ask, CameraState, Message, Notice, SetDecode, ViewReady
from penstock.contracts.specs import DecodePolicy, StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import HeapRegions
from penstock.framebus.slots import LeaseBook, SlotAllocator, format_pool, pool_bytes
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.newest import Newest, NewestFrame
from penstock.ingest.service import IngestService, ServedCamera
from penstock.ingest.status import Phase
from penstock.ingest.stream import StreamWorker
from penstock.testkit.views import frame_ref

MS = 1_000_000
SPEC = ViewSpec(16, 12, PixelFormat.GRAY8)
PICTURE = av.VideoFrame.from_ndarray(np.zeros((12, 16), np.uint8), "gray")


class Stream:
    """A camera at 25 fps: frame n is captured at n × 40 ms, whatever session it is in."""

    def __init__(self, still_hold_ms: int = 0, lossless: bool = False) -> None:
        self.spec = StreamSpec("door", "rtsp://cam")
        self.books = UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS))
        self.newest = NewestFrame(still_hold_ms * MS)
        self.lossless = lossless
        self.session = 1
        self.index = 0
        self.up = True

    def phase(self) -> Phase:
        return Phase(CameraState.UP if self.up else CameraState.DOWN, self.session, 0, "")

    def decode(self, moved: bool = True) -> bool:
        """Whether somebody is woken for it."""
        self.index += 1
        ref = frame_ref("door", self.index - 1, self.index * 40 * MS, session=self.session)
        return self.newest.publish(Newest(ref, PICTURE), moved)

    def set_decode(self, policy: DecodePolicy) -> None:
        assert policy is DecodePolicy.ALL

    def reconnect(self) -> None:
        self.newest.clear()
        self.session += 1


class Desk:
    """The camera served, and what its engine heard; news are told whenever somebody is woken."""

    def __init__(self, **stream: Any) -> None:
        region = HeapRegions().create("pool:door", pool_bytes(4, SPEC.nbytes))
        format_pool(region, 4, SPEC.nbytes)
        self.stream = Stream(**stream)
        camera = ServedCamera(cast(StreamWorker, self.stream), SlotAllocator(region), Location.HEAP)
        self.service = IngestService([camera], SimulatedClock())
        self.leases = LeaseBook()
        self.leases.attach(region)
        self.full = False
        self.heard: list[Message] = []
        self.service.connect(self.send)

    def send(self, message: Message) -> bool:
        if not self.full:
            self.heard.append(message)
        return not self.full

    def decode(self, moved: bool = True, count: int = 1) -> None:
        for _ in range(count):
            if self.stream.decode(moved):
                self.service.tell_news()

    def ask(self, resume_ms: int, after: int = 0) -> None:
        self.service.handle(Ask(1, "door", SPEC, after, 0, resume_ns=resume_ms * MS))

    def news(self) -> list[tuple[str, int, bool, int]]:
        """(kind, index, moved, held back), and forgets them."""
        found = []
        for one in self.heard:
            if isinstance(one, Notice):
                found.append(("frame", one.frame.index, one.moved, one.held_back))
            elif isinstance(one, ViewReady):
                self.leases.take(one.views[0])
                self.leases.give_back(one.views[0].lease)
                found.append(("view", one.views[0].frame.index, one.moved, one.held_back))
        self.heard.clear()
        return found


def paced(resume_ms: int) -> Desk:
    """Frame 1 was told as a view, with `resume_ms`."""
    desk = Desk()
    desk.stream.decode(moved=False)
    desk.ask(resume_ms)
    assert desk.news() == [("view", 1, False, 0)]
    return desk


def held_until_due(desk: Desk) -> None:
    desk.decode(count=4)


def held_movement_is_told_with_the_next(desk: Desk) -> None:
    desk.decode(moved=False)
    desk.decode(moved=True)
    desk.decode(moved=False, count=2)


def the_view_of_a_held_frame_is_its_news(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.ask(240)
    desk.decode(moved=False, count=4)


def an_earlier_resume_frees_the_newest(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.ask(120, after=9)
    desk.decode(moved=False)


def a_later_resume_holds_more(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.ask(280)
    desk.decode(moved=False, count=4)


def a_refused_ask_waits_for_the_next_frame(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.ask(10_000, after=3)
    desk.decode(moved=False)


def a_lane_is_to_run_more_often(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.service.handle(SetDecode("door", DecodePolicy.ALL))
    desk.decode(moved=False)


def a_session_is_told_from_its_first_frame_on(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.stream.reconnect()
    desk.decode(moved=False)
    desk.decode(moved=False)


def a_new_engine_hears_all(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.service.connect(desk.send)
    desk.decode(moved=False)


def a_lost_notice_is_missed_and_not_held_back(desk: Desk) -> None:
    desk.decode(moved=False, count=2)
    desk.full = True
    desk.decode(moved=False, count=2)
    desk.full = False
    desk.decode(moved=False)


PACED: dict[str, tuple[Callable[[Desk], None], int, list[tuple[str, int, bool, int]]]] = {
    "held back until one is due": (held_until_due, 160, [("frame", 4, True, 2), ("frame", 5, True, 0)]),
    "movement is told with the next": (
        *(held_movement_is_told_with_the_next, 200),
        [("frame", 5, True, 3)],
    ),
    "a view of one held back": (
        *(the_view_of_a_held_frame_is_its_news, 160),
        [("view", 3, False, 1), ("frame", 6, False, 2), ("frame", 7, False, 0)],
    ),
    "due earlier than it seemed": (
        *(an_earlier_resume_frees_the_newest, 200),
        [("frame", 3, False, 1), ("frame", 4, False, 0)],
    ),
    "due later than it seemed": (a_later_resume_holds_more, 160, [("view", 3, False, 1), ("frame", 7, False, 3)]),
    "an ask that is refused": (
        *(a_refused_ask_waits_for_the_next_frame, 10_000),
        [("frame", 3, False, 1), ("frame", 4, False, 0)],
    ),
    "a lane is to run more often": (
        *(a_lane_is_to_run_more_often, 10_000),
        [("frame", 3, False, 1), ("frame", 4, False, 0)],
    ),
    "a new session": (
        *(a_session_is_told_from_its_first_frame_on, 10_000),
        [("frame", 4, False, 2)],
    ),
    "a new engine": (a_new_engine_hears_all, 10_000, [("frame", 3, False, 0), ("frame", 4, False, 0)]),
    "a lost notice": (a_lost_notice_is_missed_and_not_held_back, 160, [("frame", 6, False, 2)]),
}


@pytest.mark.parametrize(("happens", "resume_ms", "news"), PACED.values(), ids=PACED)
def test_pacing(happens: Callable[[Desk], None], resume_ms: int, news: list[tuple[str, int, bool, int]]) -> None:
    desk = paced(resume_ms)
    happens(desk)
    assert desk.news() == news


def test_a_lossless_camera_is_never_held_back() -> None:
    desk = Desk(lossless=True)
    desk.decode()
    desk.ask(10_000)
    desk.decode(count=2)
    assert desk.news() == [("frame", 1, True, 0), ("view", 1, False, 0), ("frame", 2, True, 0), ("frame", 3, True, 0)]


def test_while_nothing_moves_only_some_frames_are_told() -> None:
    desk = Desk(still_hold_ms=100)
    desk.decode(moved=True)
    desk.decode(moved=False, count=7)
    assert desk.news() == [
        ("frame", 1, True, 0),
        ("frame", 2, False, 0),
        ("frame", 5, False, 2),
        ("frame", 8, False, 2),
    ]
    desk.decode(moved=True)
    desk.decode(moved=False)
    assert desk.news() == [("frame", 9, True, 0), ("frame", 10, False, 0)], "movement is told at once"


def test_a_frame_held_back_while_another_is_told_is_counted_with_the_next() -> None:
    """The stream's thread runs on while the loop sends."""
    desk = paced(160)
    send = desk.send

    def meanwhile(message: Message) -> bool:
        desk.service._send = send
        desk.stream.newest.resume_at(240 * MS)
        desk.stream.decode(moved=False)
        return send(message)

    desk.decode(moved=False, count=2)
    desk.service._send = meanwhile
    desk.decode(moved=False, count=3)
    assert desk.news() == [("frame", 4, False, 2), ("frame", 6, False, 1), ("frame", 7, False, 0)]


class Counted(RuleBasedStateMachine):
    """Whatever happens when: what is said to be held back is what was, and never more than the engine missed."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(still_hold_ms=90)
        self.desk.heard.clear()
        self.held: set[int] = set()
        self.moved: set[int] = set()
        self.last: int | None = None

    @rule(moved=st.booleans(), told=st.booleans())
    def decode(self, moved: bool, told: bool) -> None:
        if not self.desk.stream.up:
            return
        woken = self.desk.stream.decode(moved)
        index = self.desk.stream.index
        if moved:
            self.moved.add(index)
        if not woken:
            self.held.add(index)
        elif told:
            self.desk.service.tell_news()

    @rule()
    def tell(self) -> None:
        self.desk.service.tell_news()

    @rule(ahead_ms=st.integers(-100, 300), behind=st.integers(0, 2))
    def ask(self, ahead_ms: int, behind: int) -> None:
        resume_ms = self.desk.stream.index * 40 + ahead_ms
        self.desk.ask(resume_ms, max(0, self.desk.stream.index - behind))
        look = self.desk.stream.newest.look()
        if look.due and look.newest is not None:
            # A lane is due earlier than it seemed: the newest is to be told after all.
            self.held.discard(self.desk.stream.index)

    @rule(full=st.booleans())
    def fill(self, full: bool) -> None:
        self.desk.full = full

    @rule(up=st.booleans())
    def connection(self, up: bool) -> None:
        if not up:
            self.desk.stream.newest.clear()
        elif not self.desk.stream.up:
            self.desk.stream.session += 1
        self.desk.stream.up = up

    @rule()
    def another_engine(self) -> None:
        self.heard_now()
        self.last = None
        self.desk.service.connect(self.desk.send)

    @invariant()
    def heard_now(self) -> None:
        for kind, index, moved, held_back in self.desk.news():
            if self.last is None:
                assert held_back == 0
            elif index == self.last:
                assert (kind, held_back) == ("view", 0)
            else:
                missed = set(range(self.last + 1, index))
                assert held_back == len(missed & self.held)
                assert moved or not self.moved & (missed | {index})
            self.last = index


Counted.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestCounted = Counted.TestCase
