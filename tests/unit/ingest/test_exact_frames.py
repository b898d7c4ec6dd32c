"""Parts of a frame that a model has seen whole: of that very frame or not at all, and all of them or none."""

from typing import cast

import av
import numpy as np
import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import Affine, Location, PixelFormat, ViewSpec
from penstock.contracts.messages import Ask, Box, CameraState, CameraUpdate, Message, Notice, ViewReady, ViewRefused
from penstock.contracts.specs import StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import HeapRegions
from penstock.framebus.slots import LeaseBook, SlotAllocator, SlotReader, format_pool, pool_bytes
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.newest import Newest, NewestFrame
from penstock.ingest.service import IngestService, ServedCamera
from penstock.ingest.status import Phase
from penstock.ingest.stream import StreamWorker
from penstock.testkit.views import frame_ref

WHOLE = ViewSpec(16, 12, PixelFormat.GRAY8)
PART = ViewSpec(8, 8, PixelFormat.GRAY8)
SLOTS = 6
LEFT, RIGHT = (0.0, 0.0, 16.0, 16.0), (16.0, 8.0, 32.0, 24.0)


class Stream:
    """Frame n is n × 10 on its left half and n × 10 + 5 on its right."""

    def __init__(self) -> None:
        self.spec = StreamSpec("door", "rtsp://cam")
        self.books = UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS))
        self.newest = NewestFrame()
        self.lossless = False
        self.session = 1
        self.state = CameraState.UP
        self.index = 0

    def phase(self) -> Phase:
        return Phase(self.state, self.session, 0, "")

    def decode(self) -> int:
        self.index += 1
        luma = np.full((24, 32), self.index * 10, np.uint8)
        luma[:, 16:] += 5
        picture = av.VideoFrame.from_ndarray(luma, "gray")
        ref = frame_ref("door", self.index - 1, session=self.session, width_px=32, height_px=24)
        self.newest.publish(Newest(ref, picture), moved=True)
        return self.index


class Desk:
    def __init__(self, crops: bool = True) -> None:
        region = HeapRegions().create("pool:door", pool_bytes(SLOTS, WHOLE.nbytes))
        format_pool(region, SLOTS, WHOLE.nbytes)
        self.stream = Stream()
        self.slots = SlotAllocator(region)
        self.camera = ServedCamera(cast(StreamWorker, self.stream), self.slots, Location.HEAP, crops=crops)
        self.service = IngestService([self.camera], SimulatedClock())
        self.leases, self.reader = LeaseBook(), SlotReader()
        self.leases.attach(region)
        self.reader.attach(region)
        self.told: list[Message] = []
        self.full = False
        self.service.connect(self.send)

    def send(self, message: Message) -> bool:
        if not self.full:
            self.told.append(message)
        return not self.full

    def ask(self, frame_index: int = 0, *regions: Box, spec: ViewSpec = WHOLE, keep: bool = True) -> Message:
        self.told.clear()
        self.service.handle(Ask(1, "door", spec, 0, 0, frame_index, regions, keep=keep))
        return next(one for one in self.told if not isinstance(one, CameraUpdate | Notice))

    def pixels(self, answer: Message) -> list[tuple[int, set[int]]]:
        """(frame, values) of each view, whose leases are given back."""
        assert isinstance(answer, ViewReady)
        found = []
        for view in answer.views:
            assert self.leases.take(view)
            found.append((view.frame.index, set(bytes(self.reader.pixels(view)))))
            self.leases.give_back(view.lease)
        return found

    def seen_whole(self, count: int, keep: bool = True) -> None:
        """So many frames, each looked at whole."""
        for _ in range(count):
            self.stream.decode()
            self.pixels(self.ask(keep=keep))


def test_one_view_per_region_of_the_very_frame() -> None:
    desk = Desk()
    desk.seen_whole(2)
    desk.stream.decode()
    answer = desk.ask(1, LEFT, RIGHT, spec=PART)
    assert isinstance(answer, ViewReady)
    assert [view.to_source for view in answer.views] == [Affine(2, 2, 0, 0), Affine(2, 2, 16, 8)]
    assert (answer.moved, answer.held_back) == (False, 0)
    assert desk.pixels(answer) == [(1, {10}), (1, {15})]
    assert desk.pixels(desk.ask(2, RIGHT, spec=PART)) == [(2, {25})]
    assert desk.stream.books.reading().views == 5
    (load_views,) = [desk.camera.views]
    assert load_views == 5


def test_an_exact_frame_is_no_news() -> None:
    """The engine heard of it before; what is newer is still to be told."""
    desk = Desk()
    desk.seen_whole(1)
    desk.stream.decode()
    desk.ask(1, LEFT, spec=PART)
    desk.told.clear()
    desk.service.tell_news()
    (notice,) = desk.told
    assert isinstance(notice, Notice)
    assert notice.frame.index == 2


def test_the_whole_of_an_exact_frame_and_parts_of_the_newest() -> None:
    desk = Desk()
    desk.seen_whole(1)
    desk.stream.decode()
    assert desk.pixels(desk.ask(1)) == [(1, {10, 15})]
    assert desk.pixels(desk.ask(0, LEFT, RIGHT, spec=PART)) == [(2, {20}), (2, {25})]


def test_the_newest_needs_no_view_before_it() -> None:
    desk = Desk(crops=False)
    desk.stream.decode()
    assert desk.pixels(desk.ask(1, LEFT, spec=PART)) == [(1, {10})]


def gone_after_four_more(desk: Desk) -> None:
    desk.seen_whole(4)


def gone_with_its_session(desk: Desk) -> None:
    desk.stream.newest.clear()
    desk.stream.session = 2
    desk.service.tell_news()
    desk.stream.decode()


def gone_with_its_session_before_that_was_told(desk: Desk) -> None:
    desk.stream.newest.clear()
    desk.stream.session = 2
    desk.stream.decode()


def gone_while_the_camera_is_away(desk: Desk) -> None:
    desk.stream.newest.clear()
    desk.stream.state = CameraState.DOWN


def gone_because_nobody_saw_it_whole(desk: Desk) -> None:
    desk.camera.kept.clear()
    desk.stream.decode()


@pytest.mark.parametrize(
    "happens",
    [
        gone_after_four_more,
        gone_with_its_session,
        gone_with_its_session_before_that_was_told,
        gone_while_the_camera_is_away,
        gone_because_nobody_saw_it_whole,
    ],
)
def test_what_is_gone_is_refused(happens: object) -> None:
    desk = Desk()
    desk.seen_whole(1)
    happens(desk)  # type: ignore[operator]
    assert desk.ask(1, LEFT, spec=PART) == ViewRefused(1, "door", "the frame is gone")
    assert desk.slots.statistics().leased == 0
    assert desk.stream.books.reading().views_refused == 1


def test_three_frames_later_it_is_still_there() -> None:
    desk = Desk()
    desk.seen_whole(4)
    assert desk.pixels(desk.ask(1, LEFT, spec=PART)) == [(1, {10})]
    assert len(desk.camera.kept) == 4


def test_lanes_that_nobody_waits_for_take_no_picture_from_those_that_somebody_does() -> None:
    desk = Desk()
    desk.seen_whole(1)
    desk.seen_whole(9, keep=False)
    assert desk.pixels(desk.ask(1, LEFT, spec=PART)) == [(1, {10})]
    assert len(desk.camera.kept) == 1


def test_without_lanes_that_crop_nothing_is_kept() -> None:
    desk = Desk(crops=False)
    desk.seen_whole(3)
    assert len(desk.camera.kept) == 0
    assert isinstance(desk.ask(1, LEFT, spec=PART), ViewRefused)


def test_all_regions_or_none() -> None:
    desk = Desk()
    desk.seen_whole(1)
    assert desk.ask(1, *[LEFT] * (SLOTS + 1), spec=PART) == ViewRefused(1, "door", "no free slot")
    assert desk.slots.statistics().leased == 0
    assert len(desk.pixels(desk.ask(1, *[LEFT] * SLOTS, spec=PART))) == SLOTS


def test_a_region_that_cannot_be_made_refuses_all() -> None:
    desk = Desk()
    desk.seen_whole(1)
    answer = desk.ask(1, LEFT, (float("nan"), 0, 1, 1), spec=PART)
    assert isinstance(answer, ViewRefused)
    assert "not four numbers" in answer.reason
    assert desk.slots.statistics().leased == 0


def test_views_that_could_not_be_sent_free_their_slots_and_leave_shared_ones() -> None:
    desk = Desk()
    desk.stream.decode()
    shared = desk.ask()
    assert isinstance(shared, ViewReady)
    assert desk.leases.take(shared.views[0])
    desk.full = True
    for regions in ((LEFT, RIGHT), ()):
        desk.service.handle(Ask(2, "door", WHOLE, 0, 0, 1, regions))
    assert desk.slots.statistics().leased == 1
    assert desk.reader.still_leased(shared.views[0])
