"""Lanes that need others: what they require, and the boxes that they look at."""

from typing import Any

import pytest

from penstock.contracts.specs import CropSpec, LaneSpec, Requirement
from penstock.contracts.work import OutcomeStatus

MS = 1_000_000
START_NS = 1_000_000_000_000


def stated(box: Any, signal: str, from_ms: int, until_ms: int) -> None:
    box.scheduler.stated("cam", signal, START_NS + from_ms * MS, START_NS + until_ms * MS)


@pytest.mark.parametrize(
    ("within_ms", "statements", "expected"),
    [
        pytest.param(0, [], [], id="never stated is not enough"),
        pytest.param(0, [(0, 300)], [0, 200], id="as long as the statement is valid"),
        pytest.param(0, [(300, 500)], [320, 480], id="the first frame after it comes true, not the next that is due"),
        pytest.param(250, [(0, 300)], [0, 200, 400], id="a while after, where that is allowed"),
        pytest.param(0, [(0, 900), (0, 199)], [0], id="a statement may be ended earlier"),
        pytest.param(0, [(0, 250), (200, 450)], [0, 200, 400], id="one statement goes on with another"),
        pytest.param(0, [(0, 100), (500, 700)], [0, 520, 680], id="not between two statements"),
    ],
)
def test_which_frames_have_what_is_required(
    rig: Any, within_ms: int, statements: list[tuple[int, int]], expected: list[int]
) -> None:
    box = rig([LaneSpec("cam", "m", max_fps=5, requires=(Requirement("person", within_ms * MS),))])
    assert box.scheduler.required("cam") == ("person",)
    taken = []
    told = list(statements)
    for number, at_ms in enumerate(range(0, 700, 40)):
        while told and told[0][0] <= at_ms:
            stated(box, "person", *told.pop(0))
        if box.analyse("cam", number + 1, at_ms):
            taken.append(at_ms)
    assert taken == expected
    fates = box.fates("cam/m")
    assert sum(fates.values()) == 18
    assert fates.get("analysed", 0) == len(expected)
    assert set(fates) <= {"analysed", "not_due", "dependency_stale"}


def test_what_is_required_is_asked_for_again_when_the_lane_comes_up(rig: Any) -> None:
    box = rig([LaneSpec("busy", "m"), LaneSpec("cam", "m", requires=(Requirement("person"),))])
    stated(box, "person", 0, 500)
    box.offer("busy", 1, 0)
    ((ticket, _),) = box.asked(0)
    assert box.arrive(ticket, 1, 0, 1)
    box.offer("cam", 1, 10)
    stated(box, "person", 0, 5)
    box.finish(ticket, 20)
    assert box.asked(20) == []
    assert box.fates("cam/m") == {"dependency_stale": 1}


def test_all_that_is_required_must_be_so(rig: Any) -> None:
    box = rig([LaneSpec("cam", "m", requires=(Requirement("person"), Requirement("motion")))])
    stated(box, "person", 0, 500)
    assert not box.analyse("cam", 1, 0)
    stated(box, "motion", 0, 500)
    assert box.analyse("cam", 2, 40) == ["cam/m"]


# crops


def crops_box(rig: Any, **spec: Any) -> Any:
    lanes = [LaneSpec("cam", "find", max_fps=25), LaneSpec("cam", "face", crops=CropSpec("find", limit=3), **spec)]
    return rig(lanes, executors={"one": ("find",), "two": ("face",)})


def find(box: Any, index: int, at_ms: int, boxes: int) -> None:
    box.scheduler.offer_crops("cam/face", index, START_NS + at_ms * MS, boxes, START_NS + (at_ms + 20) * MS)


def test_crops_are_asked_for_of_the_very_frame(rig: Any) -> None:
    box = crops_box(rig, max_fps=5, budget_ns=300 * MS)
    box.offer("cam", 1, 0)
    assert box.fates("cam/face") == {}, "it hears of what was analysed only"
    find(box, 3, 80, 2)
    (ask,) = [one for one in box.scheduler.plan(START_NS + 100 * MS).ask if one.lane == "cam/face"]
    assert (ask.frame_index, ask.deadline_ns) == (3, START_NS + 380 * MS)
    box.offer("cam", 4, 120)
    find(box, 4, 120, 1)
    assert box.arrive(ask.ticket, 3, 80, 125)
    box.finish(ask.ticket, 150)
    find(box, 6, 200, 0)
    find(box, 8, 280, 0)
    find(box, 9, 320, 1)
    assert box.lanes["cam/face"].candidate == 9
    assert box.fates("cam/face") == {"not_due": 6, "analysed": 1, "dependency_stale": 1}


def test_a_newer_frame_with_boxes_waits_beside_the_one_asked_for(rig: Any) -> None:
    box = crops_box(rig, max_fps=25)
    find(box, 1, 0, 1)
    ((ticket, _),) = box.asked(5)
    find(box, 2, 40, 1)
    find(box, 3, 80, 2)
    assert box.fates("cam/face") == {"superseded": 1}
    assert box.lanes["cam/face"].in_flight == 2
    box.scheduler.refused(ticket)
    assert box.fates("cam/face") == {"superseded": 2}, "the frame is gone"
    (ask,) = box.scheduler.plan(START_NS + 100 * MS).ask
    assert ask.frame_index == 3
    assert not box.arrive(ask.ticket, 4, 120, 121), "another frame than was asked for"


def test_what_crops_cost_is_learnt_by_their_number(rig: Any) -> None:
    box = crops_box(rig, max_fps=25, budget_ns=100 * MS)
    for number, (boxes, took_ms) in enumerate([(1, 30), (9, 60), (1, 30), (3, 60)]):
        index, at_ms = number + 1, number * 200
        find(box, index, at_ms, boxes)
        ((ticket, _),) = box.asked(at_ms)
        assert box.arrive(ticket, index, at_ms, at_ms)
        box.finish(ticket, at_ms + took_ms)
    costs = box.executors["two"].models["face"].costs
    assert [costs.predict_ns(1, views) for views in (1, 2, 3)] == [30 * MS, 60 * MS, 60 * MS]
    (_, face) = box.scheduler.measurements().lanes
    assert 1.0 < face.views < 3.0
    find(box, 9, 1_000, 3)
    assert box.asked(1_041) == [], "60 ms for three boxes, and only 59 are left"
    assert box.fates("cam/face") == {"analysed": 4, "not_due": 4, "expired": 1}


def test_a_lossless_camera_waits_for_the_boxes_and_for_their_lane(rig: Any) -> None:
    box = crops_box(rig, max_fps=25)
    box.scheduler.set_lossless("cam", True)
    box.offer("cam", 1, 0)
    ((finder, _),) = box.asked(0)
    assert box.arrive(finder, 1, 0, 1)
    assert box.scheduler.undecided("cam", 1), "its boxes are being found"
    box.finish(finder, 30)
    find(box, 1, 0, 1)
    ((ticket, _),) = box.asked(30)
    assert box.scheduler.undecided("cam", 1), "its pixels are still needed"
    assert box.arrive(ticket, 1, 0, 900_000)
    assert not box.scheduler.undecided("cam", 1)
    assert box.scheduler.finished(ticket, OutcomeStatus.DONE, START_NS + 900_001 * MS)
    assert box.fates("cam/find") == box.fates("cam/face") == {"analysed": 1}
