"""News of a camera's frames on their way to the scheduler: what counts as news, and asks that cannot be sent."""

from array import array
from typing import cast

import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import Affine, FrameRef, Lease, Location, PixelFormat, View, ViewSpec
from penstock.contracts.messages import Ask, Message, Notice, ViewReady
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import CameraSpec, CropSpec, ExecutorSpec, LaneSpec, ModelSpec, RunSpec, StreamSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.work import ModelDescription
from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.framebus.regions import HeapRegions
from penstock.runtime import wiring
from penstock.runtime.calls import CallBook
from penstock.runtime.cascades import FRAMES_KEPT
from penstock.runtime.decisions import DecisionPath
from penstock.runtime.engine_cameras import CameraBook
from penstock.runtime.engine_models import ModelBook
from penstock.runtime.engine_statistics import EngineCounts
from penstock.runtime.frame_path import FramePath
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.scheduler import Scheduler
from penstock.testkit.views import frame_ref

MS = 1_000_000
FINDS, LOOKS = LaneSpec("door", "finds"), LaneSpec("door", "looks", crops=CropSpec("finds"))
SPEC = ViewSpec(16, 12, PixelFormat.GRAY8)


def frame(index: int) -> FrameRef:
    return frame_ref("door", seq=index - 1, capture_ns=index * 40 * MS)


class Engine:
    """One camera, a lane that finds boxes and one that looks at them."""

    def __init__(self) -> None:
        spec = RunSpec(
            host_id="h",
            boot_id="b",
            run_id="r",
            clock=ClockReading("simulated", 0, 0),
            data_dir="",
            cameras=(CameraSpec("door", (StreamSpec("door", "none", ring_bytes=1 << 16),)),),
            executors=(ExecutorSpec("x", "cpu", (ModelSpec("finds"), ModelSpec("looks"))),),
            lanes=(FINDS, LOOKS),
            rules=(),
            ingest_groups=(("door",),),
        )
        ledger = CounterBlock(memoryview(bytearray(2 * WORDS_PER_LANE * WORD_BYTES)), 2 * WORDS_PER_LANE)
        lanes = [Lane(number, lane, "x", 0, LaneLedger(ledger, number)) for number, lane in enumerate(spec.lanes)]
        self.scheduler = Scheduler(lanes, [ExecutorState("x", 1, ["finds", "looks"], 10_000 * MS)])
        self.cameras = CameraBook(spec, wiring.create_regions(spec, HeapRegions()))
        self.calls = CallBook()
        self.models = ModelBook(spec.lanes)
        self.sent: list[Message] = []
        self.path = FramePath(
            spec.lanes,
            lease_epoch=1,
            clock=SimulatedClock(0),
            scheduler=self.scheduler,
            calls=self.calls,
            cameras=self.cameras,
            models=self.models,
            counts=EngineCounts(spec.lanes),
            decisions=cast(DecisionPath, None),
            send_to=self.send,
        )
        for model in ("finds", "looks"):
            self.scheduler.model_ready(model, {})

    def send(self, peer: str, message: Message) -> bool:
        del peer
        self.sent.append(message)
        return True


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_the_picture_is_kept_where_another_lane_waits_for_what_is_found_in_it(engine: Engine) -> None:
    engine.path.noticed(Notice(frame(1), True), 50 * MS)
    (ask,) = engine.scheduler.plan(50 * MS).ask
    engine.models.ready(ModelDescription("finds", SPEC, "h", "head", (), "cpu"))
    engine.path.ask(ask, 50 * MS)
    (message,) = engine.sent
    assert isinstance(message, Ask)
    assert message.keep


def test_boxes_of_an_older_frame_are_no_news_of_the_camera(engine: Engine) -> None:
    engine.path.noticed(Notice(frame(5), True), 200 * MS)
    view = View(frame(3), SPEC, Lease("gone", 0, 1), Location.HEAP, "cpu", (), Affine(1.0, 1.0, 0.0, 0.0))
    engine.path.viewed(ViewReady(77, (view,), moved=False), 210 * MS)
    camera = engine.cameras["door"]
    assert (camera.last_index, camera.last_capture_ns) == (5, 200 * MS)
    assert engine.scheduler._board.cameras["door"].capture_ns == 200 * MS
    assert engine.scheduler.snapshot()[0].offered == 5


def test_a_frame_whose_boxes_have_left_is_not_asked_for_whole(engine: Engine) -> None:
    boxes = Detections(
        xyxy=array("f", [10.0, 10.0, 50.0, 60.0]).tobytes(),
        confidence=array("f", [0.9]).tobytes(),
        class_id=array("i", [0]).tobytes(),
        class_names=("person",),
    )
    engine.scheduler.offer_crops(LOOKS.name, 1, 40 * MS, 1, 50 * MS)
    (ask,) = engine.scheduler.plan(50 * MS).ask
    assert (ask.lane, ask.frame_index) == (LOOKS.name, 1)
    cascades = engine.path._cascades
    for index in range(2, FRAMES_KEPT + 3):
        cascades.found(FINDS, Result("finds", "h", frame(index), boxes), 50 * MS)
    engine.path.ask(ask, 50 * MS)
    assert engine.sent == []
    assert not engine.scheduler.knows(ask.ticket)
    (_, looks) = engine.scheduler.snapshot()
    assert looks.offered == sum(looks.fates.values()) + looks.in_flight
