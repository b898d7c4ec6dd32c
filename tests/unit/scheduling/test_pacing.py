"""Which frames a lane takes: its pace, the gate, and clocks that begin anew. Frames are numbered from 1."""

import itertools
from typing import Any

import pytest

from penstock.contracts.specs import LaneSpec


def frames_taken(rig: Any, fps: float, every_ms: float, count: int, jitter: tuple[int, ...] = (0,)) -> list[int]:
    lanes = rig([LaneSpec("cam", "m", max_fps=fps, budget_ns=10**9)])
    times = [round(n * every_ms) + jitter[n % len(jitter)] for n in range(count)]
    return [n + 1 for n, at_ms in enumerate(times) if lanes.analyse("cam", n + 1, at_ms)]


@pytest.mark.parametrize(
    ("fps", "every_ms", "count", "expected"),
    [
        pytest.param(25, 40, 10, list(range(1, 11)), id="every frame of a camera as fast as the lane"),
        pytest.param(5, 40, 26, [1, 6, 11, 16, 21, 26], id="every fifth of 25 fps"),
        pytest.param(10, 40, 21, [1, 4, 6, 9, 11, 14, 16, 19, 21], id="every second or third of 25 fps, no drift"),
        pytest.param(12.5, 40, 9, [1, 3, 5, 7, 9], id="every second"),
        pytest.param(5, 200, 6, [1, 2, 3, 4, 5, 6], id="a sub-stream as slow as the lane"),
        pytest.param(5, 1000, 4, [1, 2, 3, 4], id="a camera slower than the lane"),
        pytest.param(1, 40, 76, [1, 26, 51, 76], id="one a second"),
    ],
)
def test_which_frames_are_due(rig: Any, fps: float, every_ms: int, count: int, expected: list[int]) -> None:
    assert frames_taken(rig, fps, every_ms, count) == expected


def test_jitter_costs_no_frame_and_adds_none(rig: Any) -> None:
    assert frames_taken(rig, 5, 40, 26, jitter=(0, 4, -4, 3)) == [1, 6, 11, 16, 21, 26]
    assert frames_taken(rig, 25, 40, 50, jitter=(0, 4, -4, 3)) == list(range(1, 51))


@pytest.mark.parametrize("fps", [1, 3, 5, 7, 10, 12, 15, 20, 24])
def test_the_rate_is_kept_over_a_minute(rig: Any, fps: int) -> None:
    taken = frames_taken(rig, fps, 40, 1500)
    assert len(taken) == pytest.approx(60 * fps, abs=1)
    gaps = {b - a for a, b in itertools.pairwise(taken)}
    assert max(gaps) - min(gaps) <= 1, "spaced as evenly as whole frames allow"


def test_a_pause_is_made_up_for_by_one_frame(rig: Any) -> None:
    lanes = rig([LaneSpec("cam", "m", max_fps=5)])
    taken = []
    for number, at_ms in enumerate([0, 40, 80, 120, 160, 200, *range(1560, 2200, 40)]):
        if lanes.analyse("cam", number + 1, at_ms):
            taken.append(at_ms)
    assert taken == [0, 200, 1560, 1600, 1800, 2000]


def test_a_clock_that_begins_anew_is_followed_at_once(rig: Any) -> None:
    lanes = rig([LaneSpec("cam", "m", max_fps=5)], quiet_ms=1_000)
    assert lanes.analyse("cam", 1, 60_000)
    taken = [at_ms for n, at_ms in enumerate(range(0, 1000, 40)) if lanes.analyse("cam", 2 + n, at_ms, moved=False)]
    assert taken == [0], "a new session's first frame is analysed, the still ones after it are gated"
    assert lanes.fates("cam/m") == {"analysed": 2, "not_due": 20, "gated": 4}


def test_frames_never_told_are_counted_by_whether_one_was_due(rig: Any) -> None:
    lanes = rig([LaneSpec("cam", "m", max_fps=5)])
    assert lanes.analyse("cam", 1, 0)
    lanes.offer("cam", 4, 120)
    assert lanes.fates("cam/m") == {"analysed": 1, "not_due": 3}
    lanes.offer("cam", 9, 320)
    assert lanes.fates("cam/m") == {"analysed": 1, "not_due": 3, "superseded": 4}
    assert lanes.lanes["cam/m"].in_flight == 1


# the gate


def gate(rig: Any, moves: str, *, every_ms: int = 200, quiet_ms: int = 5_000, gated: bool = True) -> str:
    """What becomes of frames that show movement (`M`) or none (`.`): analysed (`A`), gated (`g`)."""
    lanes = rig([LaneSpec("cam", "m", max_fps=5, gated=gated)], quiet_ms=quiet_ms)
    seen = ""
    for number, move in enumerate(moves):
        before = lanes.fates("cam/m").get("gated", 0)
        ran = lanes.analyse("cam", number + 1, number * every_ms, moved=move == "M")
        gated_now = lanes.fates("cam/m").get("gated", 0) - before
        seen += "A" if ran else "g" * gated_now
    return seen


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        pytest.param("......", "Aggggg", id="a still scene is looked at once"),
        pytest.param("M.....", "AAgggg", id="the first frame always counts as moved; the scene after it is looked at"),
        pytest.param("MMMM..", "AAAAAg", id="who walked out is seen to be gone: one still frame is analysed"),
        pytest.param("..M..M..", "AgAAgAAg", id="each movement, and the stillness after it"),
    ],
)
def test_what_the_gate_lets_through(rig: Any, moves: str, expected: str) -> None:
    assert gate(rig, moves) == expected


def test_a_still_scene_is_analysed_every_quiet_interval(rig: Any) -> None:
    assert gate(rig, "." * 12, quiet_ms=1_000) == "AggggAggggAg"


def test_a_lane_without_gate_takes_still_frames(rig: Any) -> None:
    assert gate(rig, "....", gated=False) == "AAAA"


def test_movement_in_a_frame_that_was_not_due_opens_the_gate(rig: Any) -> None:
    lanes = rig([LaneSpec("cam", "m", max_fps=5)])
    assert lanes.analyse("cam", 1, 0, moved=False)
    assert not lanes.analyse("cam", 2, 40, moved=True)
    assert lanes.analyse("cam", 6, 200, moved=False), "something moved since the last analysed frame"


def test_a_gated_frame_names_its_lanes_so_that_their_results_stay_valid(rig: Any) -> None:
    lanes = rig([LaneSpec("cam", "a", max_fps=5), LaneSpec("cam", "b", max_fps=5, gated=False)])
    lanes.analyse("cam", 1, 0, moved=False)
    assert lanes.offer("cam", 2, 200, moved=False) == ["cam/a"]


def test_movement_while_a_model_works_is_not_forgotten(rig: Any) -> None:
    lanes = rig([LaneSpec("cam", "m", max_fps=5)])
    lanes.offer("cam", 1, 0)
    ((ticket, _),) = lanes.asked(0)
    assert lanes.arrive(ticket, 1, 0, 0)
    lanes.offer("cam", 2, 40, moved=True)
    lanes.finish(ticket, 50)
    assert lanes.offer("cam", 6, 200, moved=False) == []
    assert lanes.lanes["cam/m"].candidate == 6
