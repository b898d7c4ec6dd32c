"""Time in which a rule could say something, and time in which it could not: every nanosecond is one of both."""

import array
from collections.abc import Callable

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.messages import CameraState
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import RuleSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import (
    CameraStateInput,
    ConfigInput,
    RestoreInput,
    ResultInput,
    RuleInput,
    StillInput,
    TickInput,
)
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

SETTLE = 4
VOCABULARY = Vocabulary(lanes=(LaneVocabulary("front/a", ("person",), budget_ns=SETTLE),))
UP, DOWN, CONNECTING, ENDED = CameraState.UP, CameraState.DOWN, CameraState.CONNECTING, CameraState.ENDED


def result(at: int, validity: int = 10, session: int = 1) -> ResultInput:
    frame = FrameRef(
        FrameId(StreamKey("h", "b", "r", "front", Role.DETECT, session), at),
        at,
        CaptureTime(at, TimeBasis.ARRIVAL, 0),
        at,
        at,
        8,
        8,
    )
    boxes = Detections(
        xyxy=array.array("f", [0, 0, 1, 1]).tobytes(),
        confidence=array.array("f", [1]).tobytes(),
        class_id=array.array("i", [0]).tobytes(),
        class_names=("person",),
    )
    return ResultInput("front", "front/a", Result("m", "", frame, boxes), validity)


def tick(now: int) -> TickInput:
    return TickInput("front", now)


def camera(state: CameraState, at: int, session: int = 1) -> CameraStateInput:
    return CameraStateInput("front", state, session, at)


def configured(*names: str) -> RuleEvaluator:
    evaluator = RuleEvaluator()
    evaluator.take(config(*names or ("r",)))
    return evaluator


def config(*names: str) -> ConfigInput:
    return ConfigInput(tuple(RuleSpec(name, "count(person) >= 1") for name in names), {"front": VOCABULARY})


def times(evaluator: RuleEvaluator, rule: str = "r") -> tuple[int, int]:
    """Blind and known."""
    found = next(one for one in evaluator.statistics().rules if one.rule == rule)
    return found.blind_ns, found.known_ns


SCENARIOS: dict[str, tuple[list[RuleInput], tuple[int, int]]] = {
    "a camera that never comes up is not counted": ([tick(50), camera(CONNECTING, 60), tick(100)], (0, 0)),
    "before the first result it is blind": ([camera(UP, 10), tick(104)], (90, 0)),
    "from the capture of the first result to the end of its validity it is not": (
        [camera(UP, 10), result(30), tick(104)],
        (20 + 59, 11),
    ),
    "a first picture from before the news of its camera is where it begins": (
        [camera(UP, 40), result(30), tick(44)],
        (0, 10),
    ),
    "but not where time was counted already": ([camera(UP, 10), tick(30), result(20), tick(34)], (16, 4)),
    "a lane that is paused is blind when its last result has run out": (
        [camera(UP, 0), result(0), result(5), *(tick(now) for now in range(10, 1005, 5))],
        (1000 - 4 - 16, 16),
    ),
    "a camera that is down is blind": (
        [
            camera(UP, 0),
            result(0, 100),
            camera(DOWN, 50),
            tick(104),
            camera(UP, 110, 2),
            result(120, 100, 2),
            tick(164),
        ],
        (70, 50 + 40),
    ),
    "a session that nobody announced begins with its first result": (
        [result(10, 100), result(50, 100, session=2), tick(104)],
        (0, 90),
    ),
    "a camera that ended is not counted": ([camera(UP, 0), result(10, 100), camera(ENDED, 30), tick(504)], (10, 20)),
    "one that has never shown anything ends all the same": ([camera(UP, 0), camera(ENDED, 30), tick(504)], (30, 0)),
    "one that comes back after its end is counted again": (
        [camera(UP, 0), result(10, 100), camera(ENDED, 30), camera(UP, 100, 2), result(110, 50, 2), tick(124)],
        (10 + 10, 20 + 10),
    ),
    "media time needs no ticks": (
        # Told late, on another clock: a lossless camera's captures are its own.
        [camera(UP, 9_000), result(1_000, 50), result(1_040, 50), camera(ENDED, 1_080)],
        (0, 80),
    ),
    "a still picture keeps it from being blind": (
        [camera(UP, 0), result(0, 10), StillInput("front", "front/a", 8, 60), tick(104)],
        (39, 61),
    ),
}


@pytest.mark.parametrize(("log", "expected"), SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenarios(log: list[RuleInput], expected: tuple[int, int]) -> None:
    evaluator = configured()
    for entry in log:
        evaluator.take(entry)
    assert times(evaluator) == expected


def test_a_rule_that_is_added_is_counted_from_then_on() -> None:
    evaluator = configured("old")
    for entry in (camera(UP, 0), result(10, 100), tick(54), config("old", "r"), tick(104)):
        evaluator.take(entry)
    assert times(evaluator, "old") == (10, 90)
    assert times(evaluator) == (46, 0), "it has heard of nothing yet"


def test_what_was_not_seen_between_two_engines_was_blind() -> None:
    first = configured()
    for entry in (camera(UP, 0), result(10, 1000), tick(104)):
        first.take(entry)
    assert times(first) == (10, 90)
    second = configured()
    again: tuple[RuleInput, ...] = (RestoreInput(first.snapshot()), camera(UP, 300), result(290, 1000), tick(404))
    for taken in again:
        second.take(taken)
    assert times(second) == (190, 110), "from 100, up to where the first had counted, to 290"


def test_an_engine_that_begins_while_the_camera_is_away_counts_that_too() -> None:
    first = configured()
    for entry in (camera(UP, 0), result(10, 50), tick(104)):
        first.take(entry)
    second = configured()
    again: tuple[RuleInput, ...] = (RestoreInput(first.snapshot()), camera(DOWN, 200), tick(304))
    for taken in again:
        second.take(taken)
    assert times(second) == (200, 0)


@st.composite
def logs(draw: st.DrawFn) -> list[RuleInput]:
    """Inputs as the engine takes them: no result older than what ticks have settled."""
    log: list[RuleInput] = []
    now = settled = shown = session = 0
    for _ in range(draw(st.integers(1, 30))):
        now += draw(st.integers(0, 6))
        match draw(st.sampled_from(["result"] * 4 + ["still", "tick", "tick", "state"])):
            case "result":
                shown = max(now - draw(st.integers(0, SETTLE)), settled, shown)
                log.append(result(shown, draw(st.integers(0, 12)), max(session, 1)))
            case "still":
                shown = max(now - draw(st.integers(0, SETTLE)), settled, shown)
                log.append(StillInput("front", "front/a", shown, shown + draw(st.integers(0, 12))))
            case "tick":
                settled = max(settled, now - SETTLE)
                log.append(tick(now))
            case _:
                state = draw(st.sampled_from([UP, UP, DOWN]))
                session += state is UP
                log.append(camera(state, now, max(session, 1)))
                settled = shown = now
    return log


def known_at(log: list[RuleInput]) -> Callable[[int], bool]:
    """Whether something was known of the camera at an instant, by asking every statement of the log anew."""
    statements: list[list[int]] = []
    last = session = 0
    sees = False
    for entry in log:
        match entry:
            case ResultInput():
                at = entry.result.frame.capture.mono_ns
                if at >= last and entry.result.frame.id.stream.session == max(session, 1):
                    for statement in statements:
                        statement[1] = min(statement[1], at - 1)
                    statements.append([at, at + entry.validity_ns])
                    last, sees, session = at, True, max(session, 1)
            case StillInput():
                if sees and entry.at_ns >= last:
                    # What has run out comes to life again with the picture that says so, not before.
                    if entry.at_ns > statements[-1][1]:
                        statements.append([entry.at_ns, entry.valid_until_ns])
                    else:
                        statements[-1][1] = max(statements[-1][1], entry.valid_until_ns)
                    last = entry.at_ns
            case CameraStateInput():
                same = entry.state is UP and entry.session == session
                if sees and not same:
                    for statement in statements:
                        statement[1] = min(statement[1], entry.at_ns - 1)
                    last, sees = max(last, entry.at_ns), False
                if entry.state is UP:
                    session = entry.session
    return lambda at: any(first <= at <= until for first, until in statements)


@given(logs())
def test_blind_and_known_are_all_the_time_there_was(log: list[RuleInput]) -> None:
    evaluator = configured()
    begins: int | None = None
    for entry in log:
        before = evaluator.statistics()
        evaluator.take(entry)
        after = evaluator.statistics()
        (rule,) = after.rules
        counted = rule.blind_ns + rule.known_ns
        if isinstance(entry, CameraStateInput) and entry.state is UP and begins is None:
            begins = entry.at_ns
        elif isinstance(entry, ResultInput) and after.results > before.results:
            at = entry.result.frame.capture.mono_ns
            nothing_yet = before.rules[0].blind_ns + before.rules[0].known_ns == 0
            begins = at if begins is None else min(begins, at) if nothing_yet else begins
        if begins is None:
            assert (counted, rule.counted_until_ns) == (0, None)
            continue
        assert rule.counted_until_ns is not None
        assert counted == rule.counted_until_ns - begins
        if isinstance(entry, TickInput):
            assert rule.counted_until_ns == max(entry.now_ns - SETTLE, before.rules[0].counted_until_ns or 0, begins)
    (rule,) = evaluator.statistics().rules
    if begins is not None and rule.counted_until_ns is not None:
        known = known_at(log)
        assert rule.known_ns == sum(known(at) for at in range(begins, rule.counted_until_ns))
        event(f"known: {min(rule.known_ns, 20)}, blind: {min(rule.blind_ns, 20)}")
