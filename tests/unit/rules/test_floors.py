"""The slowest rate at which a rule is decidable: what it is, and exactly what it promises."""

import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import RuleSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.rules.compiler import compile_rule
from penstock.rules.decisions import Opened
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import ConfigInput, ResultInput, RuleInput, TickInput
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

MS = 1_000_000
S = 1000 * MS
BUDGET = 500 * MS
VOCABULARY = Vocabulary(
    lanes=(
        LaneVocabulary("front/yolox", ("person", "car"), budget_ns=BUDGET),
        LaneVocabulary("front/faces", ("face", "person"), budget_ns=BUDGET),
        LaneVocabulary("front/motion", ("motion",), ("motion",), budget_ns=BUDGET),
    )
)

INTERVALS: dict[str, tuple[str, dict[str, int | None]]] = {
    "no window, no floor": ("count(car) >= 1", {"front/yolox": None}),
    "half of the window": ("count(car) >= 1 for 1s", {"front/yolox": 500 * MS}),
    "the shorter of two windows": ("count(car) >= 1 for 3s or count(car) >= 5 for 1s", {"front/yolox": 500 * MS}),
    "every lane that knows the class": (
        "count(person) >= 1 for 1s",
        {"front/faces": 500 * MS, "front/yolox": 500 * MS},
    ),
    "each lane by its own terms": (
        "count(car) >= 1 for 2s and motion > 0.1",
        {"front/motion": None, "front/yolox": S},
    ),
    "a window over both": (
        "(count(car) >= 1 and motion > 0.1) for 4s",
        {"front/motion": 2 * S, "front/yolox": 2 * S},
    ),
    "a window inside a window": ("not (count(car) >= 1 for 2s) for 10s", {"front/yolox": S}),
    "with and without a window": ("count(car) > 0 or count(car) > 1 for 6s", {"front/yolox": 3 * S}),
    "never less than a nanosecond": ("count(car) > 0 for 1ns", {"front/yolox": 1}),
}


@pytest.mark.parametrize(("when", "intervals"), INTERVALS.values(), ids=INTERVALS.keys())
def test_the_slowest_interval_of_each_lane(when: str, intervals: dict[str, int | None]) -> None:
    assert compile_rule(RuleSpec("r", when), "front", VOCABULARY).slowest_interval_ns == intervals


def test_the_floor_of_a_lane_is_the_largest_that_any_rule_asks_for() -> None:
    evaluator = RuleEvaluator()
    rules = (
        RuleSpec("slow", "count(car) >= 1 for 10s"),
        RuleSpec("fast", "count(car) >= 1 for 1s and motion > 0"),
        RuleSpec("none", "count(face) >= 1"),
    )
    evaluator.take(ConfigInput(rules, {"front": VOCABULARY}))
    assert evaluator.floors() == {"front/yolox": 2.0}


def test_a_shadow_lane_has_the_floor_of_its_twins_and_the_real_lanes_that_these_read() -> None:
    vocabulary = Vocabulary(
        lanes=(
            LaneVocabulary("front/yolox", ("person",)),
            LaneVocabulary("front/new", ("person",), shadow=True),
            LaneVocabulary("front/motion", ("motion",), ("motion",)),
        )
    )
    evaluator = RuleEvaluator()
    evaluator.take(ConfigInput((RuleSpec("r", "(count(person) >= 1 and motion > 0) for 4s"),), {"front": vocabulary}))
    assert evaluator.floors() == {"front/yolox": 0.5, "front/motion": 0.5, "front/new": 0.5}


def looked(at_ns: int, cars: int, validity_ns: int) -> ResultInput:
    frame = FrameRef(
        FrameId(StreamKey("h", "b", "r", "front", Role.DETECT, 1), at_ns),
        at_ns,
        CaptureTime(at_ns, TimeBasis.ARRIVAL, 0),
        at_ns,
        at_ns,
        8,
        8,
    )
    boxes = Detections(
        xyxy=array.array("f", [0, 0, 1, 1] * cars).tobytes(),
        confidence=array.array("f", [1] * cars).tobytes(),
        class_id=array.array("i", [0] * cars).tobytes(),
        class_names=("car",),
    )
    return ResultInput("front", "front/yolox", Result("m", "", frame, boxes), validity_ns)


def opened(window_ns: int, log: list[RuleInput]) -> list[Opened]:
    evaluator = RuleEvaluator()
    evaluator.take(ConfigInput((RuleSpec("r", f"count(car) >= 1 for {window_ns}ns"),), {"front": VOCABULARY}))
    return [found for given in log for found in evaluator.take(given) if isinstance(found, Opened)]


@given(
    window_ns=st.integers(2, 40).map(lambda tens: tens * 100 * MS),
    gaps=st.lists(st.floats(0.01, 1.0), min_size=400, max_size=400),
    late=st.floats(0, 1),
)
def test_at_the_floor_constant_truth_confirms_and_every_window_holds_two_results(
    window_ns: int, gaps: list[float], late: float
) -> None:
    """Results at most half a window apart, each taken within its budget and valid for two intervals and the budget."""
    interval_ns = window_ns // 2
    validity_ns = 2 * interval_ns + BUDGET
    captures = [0]
    log: list[RuleInput] = []
    while captures[-1] < 2 * window_ns and len(captures) < len(gaps):
        captures.append(captures[-1] + max(1, int(gaps[len(captures)] * interval_ns)))
    for at_ns in captures:
        log += [looked(at_ns, 1, validity_ns), TickInput("front", at_ns + int(late * BUDGET))]
    full = [at_ns for at_ns in captures if at_ns >= window_ns]
    decisions = opened(window_ns, log)
    assert [found.confirmed_ns for found in decisions] == full[:1], "with the first result that the window is full at"
    for at_ns in full:
        assert sum(at_ns - window_ns <= one <= at_ns for one in captures) >= 2


def test_at_the_floor_exactly_it_confirms_with_the_third_result() -> None:
    interval_ns = 500 * MS
    log: list[RuleInput] = [looked(at * interval_ns, 1, 2 * interval_ns + BUDGET) for at in range(4)]
    assert [(found.start_ns, found.confirmed_ns) for found in opened(S, log)] == [(0, S)]


def test_at_half_of_the_floor_it_confirms_on_a_single_result() -> None:
    """Two results a little more than a window apart: only the second lies in the window that it completes."""
    interval_ns = S + MS
    validity_ns = 2 * interval_ns + BUDGET
    decisions = opened(S, [looked(0, 1, validity_ns), looked(interval_ns, 1, validity_ns)])
    assert [found.confirmed_ns for found in decisions] == [interval_ns]
    assert sum(interval_ns - S <= at_ns <= interval_ns for at_ns in (0, interval_ns)) == 1


def test_one_result_that_contradicts_is_seen_at_the_floor_and_may_be_missed_below_it() -> None:
    """Gone for 0.6 s of every 1.2 s: at the floor of `for 1s` somebody is seen to be away, at half of it never."""

    def cars(at_ns: int) -> int:
        return int(at_ns % (1200 * MS) < 600 * MS)

    at_floor = [looked(at_ns, cars(at_ns), S + BUDGET) for at_ns in range(0, 12 * S, 500 * MS)]
    below = [looked(at_ns, cars(at_ns), 3 * S) for at_ns in range(0, 12 * S, 1200 * MS)]
    assert opened(S, [*at_floor]) == []
    assert [found.confirmed_ns for found in opened(S, [*below])] == [1200 * MS]
