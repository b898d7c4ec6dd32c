"""Boxes that second models are to see: kept for a moment, and never mistaken for the whole picture."""

from array import array

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import CropSpec, LaneSpec
from penstock.contracts.work import ModelDescription
from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.runtime.cascades import FRAMES_KEPT, Cascades, crops_of_nothing
from penstock.runtime.engine_models import ModelBook
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.scheduler import Scheduler
from penstock.testkit.views import frame_ref

MS = 1_000_000
FINDS = LaneSpec("door", "finds")
LOOKS = LaneSpec("door", "looks", crops=CropSpec("finds"))


def make_cascades() -> Cascades:
    words = 2 * WORDS_PER_LANE
    ledger = CounterBlock(memoryview(bytearray(words * WORD_BYTES)), words)
    lanes = [Lane(number, spec, "x", 0, LaneLedger(ledger, number)) for number, spec in enumerate((FINDS, LOOKS))]
    scheduler = Scheduler(lanes, [ExecutorState("x", 1, ["finds", "looks"], 10_000 * MS)])
    return Cascades((FINDS, LOOKS), scheduler, ModelBook((FINDS, LOOKS)))


def found(index: int, late: bool = False) -> Result:
    boxes = Detections(
        xyxy=array("f", [10.0, 10.0, 50.0, 60.0]).tobytes(),
        confidence=array("f", [0.9]).tobytes(),
        class_id=array("i", [0]).tobytes(),
        class_names=("person",),
    )
    return Result("finds", "h", frame_ref("door", seq=index - 1, capture_ns=index * 40 * MS), boxes, late=late)


def test_boxes_that_are_not_kept_any_more_are_not_the_whole_picture() -> None:
    cascades = make_cascades()
    for index in range(1, FRAMES_KEPT + 2):
        cascades.found(FINDS, found(index), index * 40 * MS)
    assert cascades.regions(LOOKS.name, 1) is None, "it has left for newer ones"
    kept = cascades.regions(LOOKS.name, 2)
    assert kept is not None
    assert len(kept) == 1


def test_pictures_are_kept_of_lanes_on_which_others_wait() -> None:
    cascades = make_cascades()
    assert [cascades.followed(lane.name) for lane in (FINDS, LOOKS)] == [True, False]


def test_a_lane_that_looks_at_whole_pictures_asks_for_no_part_of_them() -> None:
    assert make_cascades().regions(FINDS.name, 0) == ()


def test_boxes_of_a_late_result_are_not_looked_at() -> None:
    cascades = make_cascades()
    cascades.found(FINDS, found(1, late=True), 40 * MS)
    assert cascades.regions(LOOKS.name, 1) is None


def description(class_names: tuple[str, ...]) -> ModelDescription:
    view = ViewSpec(64, 64, PixelFormat.RGB24, Fit.STRETCH)
    return ModelDescription("finds", view, "", "python", class_names, "cpu", picture_classes=("street",))


def test_a_loaded_model_without_boxes_is_nothing_to_look_at() -> None:
    lanes = (FINDS, LOOKS)
    assert crops_of_nothing(lanes, {}) == "", "not loaded, it may find anything"
    assert crops_of_nothing(lanes, {"finds": description(("person",))}) == ""
    assert crops_of_nothing((FINDS,), {"finds": description(())}) == "", "nobody looks"
    told = crops_of_nothing(lanes, {"finds": description(())})
    assert told.startswith("model looks looks at crops of finds, which finds no boxes (python)")
    assert "models.looks.crops.of" in told
    assert told.endswith("name their classes in its `class_names`")
