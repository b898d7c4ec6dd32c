"""Lanes follow the plan: how soon they change their pace, what is shed, and which frames ingest need not tell of."""

from typing import Any

import pytest

from penstock.contracts.specs import LaneSpec

MS = 1_000_000
START_NS = 1_000_000_000_000


def taken(rig: Any, grants: dict[int, float], until_ms: int, *, wanted_fps: float = 5.0) -> list[int]:
    """Capture times in ms of the analysed frames of a 25 fps camera, with grants given just before those times."""
    box = rig([LaneSpec("cam", "m", max_fps=wanted_fps)])
    times = []
    for number, at_ms in enumerate(range(0, until_ms, 40)):
        if at_ms in grants:
            box.grant("cam/m", grants[at_ms], at_ms)
        if box.analyse("cam", number + 1, at_ms):
            times.append(at_ms)
    return times


@pytest.mark.parametrize(
    ("grants", "until_ms", "expected"),
    [
        pytest.param({}, 900, [0, 200, 400, 600, 800], id="nothing said: as wanted"),
        pytest.param({440: 1.0}, 3_000, [0, 200, 400, 1400, 2400], id="slower: one interval after the last frame"),
        pytest.param({0: 1.0, 440: 5.0}, 1_200, [0, 440, 600, 800, 1000], id="faster: at once, nothing made up for"),
        pytest.param({0: 1.0, 120: 5.0}, 700, [0, 200, 400, 600], id="faster before the shorter interval is over"),
        pytest.param({0: 50.0}, 500, [0, 200, 400], id="never faster than wanted"),
        pytest.param({240: 0.0, 1000: 5.0}, 1_500, [0, 200, 1000, 1200, 1400], id="shed, and back as it was"),
        pytest.param({240: 0.0, 1040: 1.0}, 3_000, [0, 200, 1200, 2200], id="back, but slower: soon, then evenly"),
        pytest.param({0: 0.0, 400: 5.0}, 1_000, [400, 600, 800], id="shed from the first frame on"),
    ],
)
def test_the_pace_follows_the_grant(rig: Any, grants: dict[int, float], until_ms: int, expected: list[int]) -> None:
    assert taken(rig, grants, until_ms) == expected


def test_a_shed_lane_sheds_what_it_would_have_taken_and_nothing_else(rig: Any) -> None:
    box = rig([LaneSpec("cam", "m", max_fps=5)])
    box.grant("cam/m", 0)
    for n in range(50):
        assert not box.analyse("cam", n + 1, n * 40)
    assert box.fates("cam/m") == {"shed": 10, "not_due": 40}


def test_what_waits_when_a_lane_is_shed_is_shed_too(rig: Any) -> None:
    box = rig([LaneSpec("a", "m"), LaneSpec("b", "m"), LaneSpec("c", "m")])
    for camera in "abc":
        box.offer(camera, 1, 0)
    ((ticket, _),) = box.asked(0)
    box.grant("a/m", 0, 1)
    box.grant("b/m", 0, 1)
    assert box.fates("a/m") == box.fates("b/m") == {"shed": 1}, "one was asked for, one waited"
    assert not box.arrive(ticket, 1, 0, 2), "its view comes for nothing"
    assert not box.scheduler.knows(ticket)
    assert [lane for _, lane in box.asked(2)] == ["c/m"]


def test_a_running_call_of_a_shed_lane_ends_as_it_would(rig: Any) -> None:
    box = rig([LaneSpec("a", "m")])
    box.offer("a", 1, 0)
    ((ticket, _),) = box.asked(0)
    assert box.arrive(ticket, 1, 0, 1)
    box.grant("a/m", 0, 2)
    assert box.finish(ticket, 20)
    assert box.fates("a/m") == {"analysed": 1}


def test_frames_held_back_were_not_due_whatever_the_newest_is(rig: Any) -> None:
    box = rig([LaneSpec("cam", "m", max_fps=5)])
    assert box.analyse("cam", 1, 0)
    box.scheduler.offered("cam", 8, START_NS + 280 * MS, True, START_NS + 280 * MS, 4)
    assert box.fates("cam/m") == {"analysed": 1, "not_due": 4, "superseded": 2}, "of six missed, four were held back"
    assert box.lanes["cam/m"].candidate == 8


def test_until_when_no_lane_is_due(rig: Any) -> None:
    box = rig([LaneSpec("cam", "slow", max_fps=1), LaneSpec("cam", "fast", max_fps=5)], streams=2)
    assert box.scheduler.resume_ns("cam") == 0, "no lane has begun"
    assert box.scheduler.resume_ns("no such camera") == 0
    box.offer("cam", 1, 0)
    assert box.scheduler.resume_ns("cam") == 0, "both wait for their newest frame"
    asks = box.asked(0)
    assert box.scheduler.resume_ns("cam") == START_NS + 190 * MS, "200 ms after the frame that is asked for, less 10"
    for ticket, _ in asks:
        assert box.arrive(ticket, 1, 0, 5)
        box.finish(ticket, 30)
    assert box.scheduler.resume_ns("cam") == START_NS + 190 * MS
    box.grant("cam/fast", 2.0)
    assert box.scheduler.resume_ns("cam") == START_NS + 490 * MS
    box.scheduler.set_lossless("cam", True)
    assert box.scheduler.resume_ns("cam") == 0


def test_activity_is_the_part_of_the_time_that_needs_the_model(rig: Any) -> None:
    """Also of a lane that is shed, so that the plan knows what it would take."""
    box = rig([LaneSpec("cam", "m", max_fps=5), LaneSpec("cam", "shed", max_fps=5), LaneSpec("cam", "x", gated=False)])
    box.grant("cam/shed", 0)
    for n in range(300):
        box.analyse("cam", n + 1, n * 200, moved=False)
    seen = {one.lane: one.activity for one in box.scheduler.measurements().lanes}
    assert seen["cam/m"] < 0.1, "one frame in 25 is analysed: the quiet interval"
    assert seen["cam/shed"] == seen["cam/m"], "what it would be analysed for in a still scene"
    assert seen["cam/x"] == 1.0
    for n in range(300, 600):
        box.analyse("cam", n + 1, n * 200, moved=True)
    assert all(one.activity > 0.99 for one in box.scheduler.measurements().lanes)
