"""Whole logs against decisions at exact instants: one named scenario each."""

import array

import pytest

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.messages import CameraState
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import RuleSpec, ZoneSpec
from penstock.contracts.times import CaptureTime, ClockReading, TimeBasis
from penstock.rules.decisions import CoolingRule, CountedRule, Ended, Opened, OpenEvent, RulesState, Term
from penstock.rules.errors import RuleError
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import (
    CameraStateInput,
    ClockInput,
    ConfigInput,
    RestoreInput,
    ResultInput,
    RuleInput,
    StillInput,
    TickInput,
)
from penstock.rules.machine import RuleState
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary
from penstock.signals.logic import Truth

MS = 1_000_000
S = 1000 * MS
VOCABULARY = Vocabulary(
    zones=(ZoneSpec("right", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))),),
    lanes=(
        LaneVocabulary("front/yolox", ("person", "car"), budget_ns=500 * MS),
        LaneVocabulary("front/faces", ("face", "person"), budget_ns=200 * MS),
        LaneVocabulary("front/motion", ("motion",), ("motion",), budget_ns=100 * MS),
    ),
)
CLASSES = ("person", "car", "face")


def seen(
    at_ms: int,
    *names: str,
    lane: str = "front/yolox",
    session: int = 1,
    late: bool = False,
    valid_ms: int = 700,
    motion: float | None = None,
    x: float = 10,
) -> ResultInput:
    """A result with one box for each name, 20 pixels wide at `x`, in a frame of 100 × 100, valid for 0.7 s."""
    frame = FrameRef(
        id=FrameId(StreamKey("host", "boot", "run", "front", Role.DETECT, session), at_ms),
        index=at_ms,
        capture=CaptureTime(at_ms * MS, TimeBasis.ARRIVAL, 3 * MS),
        received_ns=at_ms * MS,
        decoded_ns=at_ms * MS,
        width_px=100,
        height_px=100,
    )
    boxes = Detections(
        xyxy=array.array("f", [x, 10, x + 20, 60] * len(names)).tobytes(),
        confidence=array.array("f", [0.5] * len(names)).tobytes(),
        class_id=array.array("i", [CLASSES.index(name) for name in names]).tobytes(),
        class_names=CLASSES,
    )
    scalars = {} if motion is None else {"motion": motion}
    result = Result(lane.split("/")[1], "hash", frame, boxes, scalars=scalars, late=late)
    return ResultInput("front", lane, result, valid_ms * MS)


def still(at_ms: int, until_ms: int, lane: str = "front/yolox") -> StillInput:
    return StillInput("front", lane, at_ms * MS, until_ms * MS)


def tick(now_ms: int) -> TickInput:
    return TickInput("front", now_ms * MS)


def camera(state: CameraState, at_ms: int, session: int = 1) -> CameraStateInput:
    return CameraStateInput("front", state, session, at_ms * MS)


def configured(*rules: str, cooldown_ms: int = 1000) -> RuleEvaluator:
    evaluator = RuleEvaluator()
    specs = tuple(RuleSpec(f"r{i}", when, cooldown_ns=cooldown_ms * MS) for i, when in enumerate(rules, 1))
    evaluator.take(ConfigInput(specs, {"front": VOCABULARY}))
    return evaluator


def played(rule: str, log: list[RuleInput]) -> list[str]:
    """Decisions as text: `opened START CONFIRMED` and `ended START END CAUSE`, in milliseconds."""
    evaluator = configured(rule)
    return [told(decision) for given in log for decision in evaluator.take(given)]


def told(decision: Opened | Ended) -> str:
    if isinstance(decision, Opened):
        return f"opened {decision.start_ns // MS} {decision.confirmed_ns // MS}"
    return f"ended {decision.start_ns // MS} {decision.end_ns / MS:g} {decision.cause}"


UP, DOWN, CONNECTING, ENDED = CameraState.UP, CameraState.DOWN, CameraState.CONNECTING, CameraState.ENDED

SCENARIOS: dict[str, tuple[str, list[RuleInput], list[str]]] = {
    "opens with the frame that shows it, ends with the one that does not": (
        "count(person) >= 1",
        [seen(0), seen(200, "person"), seen(400, "person"), seen(600)],
        ["opened 200 200", "ended 200 600 false"],
    ),
    "counts only its class": ("count(person) >= 2", [seen(0, "person", "car")], []),
    "counts only in the zone": (
        "count(person in right) >= 1",
        [seen(0, "person", x=39), seen(200, "person", x=40)],
        ["opened 200 200"],
    ),
    "for is confirmed with the first frame that is late enough": (
        "count(person) >= 1 for 1s",
        [seen(0), seen(300, "person"), seen(800, "person"), seen(1299, "person"), seen(1500, "person")],
        ["opened 300 1500"],
    ),
    "for is confirmed exactly after its duration": (
        "count(person) >= 1 for 1s",
        [seen(0), seen(300, "person"), seen(800, "person"), seen(1300, "person")],
        ["opened 300 1300"],
    ),
    "a gap in sight interrupts for": (
        "count(person) >= 1 for 1s",
        [seen(0, "person"), seen(600, "person"), seen(1301, "person"), seen(1900, "person"), seen(2301, "person")],
        ["opened 1301 2301"],
    ),
    "sight to the last instant of validity does not": (
        "count(person) >= 1 for 1s",
        [seen(0, "person"), seen(600, "person"), seen(1300, "person")],
        ["opened 0 1300"],
    ),
    "a still picture keeps somebody in sight": (
        "count(person) >= 1 for 2s",
        [seen(0, "person"), still(500, 1200), still(1000, 1700), still(1500, 2200), still(2000, 2700)],
        ["opened 0 2000"],
    ),
    "a still picture before any result states nothing": (
        "not count(person) >= 1",
        [still(500, 1200), seen(600, "person"), still(700, 1400)],
        [],
    ),
    "absence is not a camera that is off": (
        "not count(person) >= 1 for 1s",
        [seen(0, "person"), camera(DOWN, 300), tick(5_000), tick(9_000)],
        [],
    ),
    "absence that is seen is": (
        "not count(person) >= 1 for 1s",
        [seen(0, "person"), seen(200), seen(700), seen(1200)],
        ["opened 200 1200"],
    ),
    "a tick alone opens nothing": (
        "count(person) >= 1 for 1s",
        [seen(0, "person", valid_ms=60_000), tick(1_500), tick(9_000)],
        [],
    ),
    "a tick ends what has been unknown for too long": (
        "count(person) >= 1",
        [seen(0, "person"), tick(11_200), tick(11_201), tick(11_202)],
        # Valid until 700, unknown one nanosecond later, 10 s of that, and 500 ms in which results may still come.
        ["opened 0 0", "ended 0 0 unknown_limit"],
    ),
    "a camera that comes back in time goes on with its event": (
        "count(person) >= 1 for 1s",
        [
            *(seen(at, "person") for at in (0, 500, 1000)),
            camera(DOWN, 1200),
            tick(3_000),
            camera(CONNECTING, 4_000),
            camera(UP, 6_000, session=2),
            *(seen(at, "person", session=2) for at in (5_900, 6_400)),
            seen(6_900, session=2),
        ],
        ["opened 0 1000", "ended 0 6900 false"],
    ),
    "a camera that is down makes its signals unknown at once": (
        "count(person) >= 1 for 1s",
        [
            *(seen(at, "person") for at in (0, 500)),
            camera(DOWN, 600),
            camera(UP, 650, session=2),
            *(seen(at, "person", session=2) for at in (700, 1000, 1400)),
            seen(1700, "person", session=2),
        ],
        ["opened 700 1700"],
    ),
    "a session that begins unannounced hides what the one before said": (
        "count(person) >= 1 for 1s",
        [*(seen(at, "person") for at in (0, 500)), *(seen(at, "person", session=2) for at in (900, 1400, 1900))],
        ["opened 900 1900"],
    ),
    "results of a session that is over are late": (
        "count(person) >= 1",
        [camera(UP, 0, session=2), seen(100, "person", session=1)],
        [],
    ),
    "the end of a lossless source ends its events": (
        "count(person) >= 1",
        [seen(0, "person"), seen(200, "person"), camera(ENDED, 300)],
        ["opened 0 0", "ended 0 200 camera_ended"],
    ),
    "a result older than the last of its lane is not inserted": (
        "count(person) >= 1",
        [seen(400), seen(300, "person"), seen(500)],
        [],
    ),
    "a lane that lags behind another is heard when it speaks": (
        "count(person) >= 1 and motion > 0.5",
        [seen(300, lane="front/motion", motion=0.9), seen(200, "person")],
        ["opened 300 300"],
    ),
    "the largest count of the lanes that know the class": (
        "count(person) >= 2",
        [
            seen(0, "person", "person", lane="front/faces"),
            seen(10, "person"),
            seen(100, "person", lane="front/faces"),
        ],
        ["opened 0 0", "ended 0 100 false"],
    ),
    "one lane that speaks is enough": (
        "count(person) == 0",
        [seen(0, lane="front/faces", valid_ms=100), seen(50, "person", valid_ms=100), seen(200, lane="front/faces")],
        # Between 101 and 150 only the lane that saw somebody speaks; from 151 on, none.
        ["opened 0 0", "ended 0 50 false"],
    ),
    "a sum needs every class": (
        "count(car or face) >= 1",
        [seen(0, "car"), seen(50, lane="front/faces")],
        ["opened 50 50"],
    ),
    "a result that missed its deadline decides nothing": ("count(person) >= 1", [seen(0, "person", late=True)], []),
    "cooldown": (
        "count(person) >= 1",
        [seen(0, "person"), seen(200), seen(400, "person"), seen(1100, "person"), seen(1300, "person"), seen(1500)],
        ["opened 0 0", "ended 0 200 false", "opened 1300 1300", "ended 1300 1500 false"],
    ),
}


@pytest.mark.parametrize(("rule", "log", "decisions"), SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenarios(rule: str, log: list[RuleInput], decisions: list[str]) -> None:
    assert played(rule, log) == decisions


def test_what_an_opening_says() -> None:
    evaluator = configured("motion > 0.5 or count(person) >= 2 for 300ms")
    clock = ClockReading("monotonic", 0, 1_700_000_000 * S)
    evaluator.take(ClockInput(clock))
    log = [
        seen(0, lane="front/motion", motion=0.125),
        seen(100, "person", session=1),
        seen(300, "person", "person"),
        seen(400, "person", "person", "person"),
        confirming := seen(600, "person", "person"),
    ]
    decisions = [decision for given in log for decision in evaluator.take(given)]
    assert decisions == [
        Opened(
            rule="r1",
            rule_hash=evaluator.compiled()[0].rule_hash,
            camera="front",
            session=1,
            start_ns=300 * MS,
            start_error_ns=3 * MS,
            confirmed_ns=600 * MS,
            rule_text="motion > 0.5 or count(person) >= 2 for 300ms",
            terms=(
                Term("motion > 0.5", Truth.FALSE, "0.125", 0),
                Term("count(person) >= 2", Truth.TRUE, "2", 300 * MS),
            ),
            result=confirming.result,
            clock=clock,
        )
    ]


def test_a_still_picture_confirms_with_the_result_that_it_extends() -> None:
    evaluator = configured("count(person) >= 1 for 1s")
    shown = seen(0, "person")
    decisions = [d for given in (shown, still(500, 1500), still(1000, 2000)) for d in evaluator.take(given)]
    assert len(decisions) == 1
    assert isinstance(decisions[0], Opened)
    assert decisions[0].result == shown.result


def test_the_end_is_dated_by_the_clock_of_the_opening() -> None:
    evaluator = configured("count(person) >= 1")
    before, after = ClockReading("monotonic", 0, 10 * S), ClockReading("monotonic", 0, 20 * S)
    evaluator.take(ClockInput(before, "front"))
    opened = evaluator.take(seen(0, "person"))
    evaluator.take(ClockInput(after))
    ended = evaluator.take(seen(200))
    assert [decision.clock for decision in opened + ended] == [before, before]
    assert [decision.clock for decision in evaluator.take(seen(2_000, "person"))] == [after]


def test_why_and_why_not() -> None:
    evaluator = configured("count(person in right) >= 1 for 1s and not motion > 0.5")
    assert evaluator.explain("r1", "front").describe() == (
        "r1 on front: idle, condition unknown: count(person in right) >= 1 for 1s and not motion > 0.5\n"
        "  nothing has been seen yet"
    )
    for given in (seen(0), seen(200, "person", x=60), seen(600, "person", x=60)):
        evaluator.take(given)
    explained = evaluator.explain("r1", "front")
    assert (explained.state, explained.truth, explained.start_ns) == (RuleState.IDLE, Truth.FALSE, None)
    assert explained.describe() == (
        "r1 on front: idle, condition false: count(person in right) >= 1 for 1s and not motion > 0.5\n"
        "  count(person in right) >= 1: true for 400 ms, value 1\n"
        "  motion > 0.5: unknown for 600 ms, value unknown"
    )
    evaluator.take(seen(700, lane="front/motion", motion=0.25))
    assert evaluator.explain("r1", "front").state is RuleState.POTENTIAL
    for given in (seen(1200, "person", x=60), seen(1400, x=60)):
        evaluator.take(given)
    assert evaluator.explain("r1", "front").describe() == (
        "r1 on front: cooldown, condition false: count(person in right) >= 1 for 1s and not motion > 0.5\n"
        "  opens nothing for another 1 s\n"
        "  count(person in right) >= 1: false for 0 µs, value 0\n"
        "  motion > 0.5: false for 700 ms, value 0.25"
    )
    with pytest.raises(LookupError, match="no rule 'r9' runs on camera 'front'"):
        evaluator.explain("r9", "front")


def test_everything_taken_is_counted() -> None:
    evaluator = configured("count(person) >= 1")
    for given in (
        seen(0, "person"),
        seen(300),
        seen(200),
        seen(400, late=True),
        still(250, 900),
        still(500, 1200),
        seen(600, lane="front/other"),
        TickInput("back", 0),
        tick(2_000),
    ):
        evaluator.take(given)
    statistics = evaluator.statistics()
    counts = (statistics.results, statistics.late, statistics.unusable, statistics.stills, statistics.ticks)
    assert counts == (2, 2, 1, 1, 1)
    assert statistics.unaddressed == 2
    (rule,) = statistics.rules
    # Known from 0 to 1200; the tick at 2000 settles what was before 1500.
    assert (rule.opened, rule.ended, rule.known_ns, rule.blind_ns) == (1, 1, 1200 * MS + 1, 300 * MS - 1)


def test_a_rule_that_cannot_be_used_changes_nothing() -> None:
    evaluator = configured("count(person) >= 1")
    evaluator.take(seen(0, "person"))
    before = evaluator.compiled()
    with pytest.raises(RuleError, match="knows a class 'persn'"):
        evaluator.take(ConfigInput((RuleSpec("r1", "count(persn) >= 1"),), {"front": VOCABULARY}))
    assert evaluator.compiled() == before
    assert [told(decision) for decision in evaluator.take(seen(200))] == ["ended 0 200 false"]


def test_two_rules_of_one_name() -> None:
    specs = (RuleSpec("r", "motion > 1"), RuleSpec("r", "motion > 2"))
    with pytest.raises(RuleError, match="two rules have this name"):
        RuleEvaluator().take(ConfigInput(specs, {"front": VOCABULARY}))


def test_a_new_configuration_ends_what_changed_and_goes_on_with_the_rest() -> None:
    evaluator = RuleEvaluator()
    kept, changed, removed = (RuleSpec(name, "count(person) >= 1 for 1s") for name in ("kept", "changed", "removed"))
    evaluator.take(ConfigInput((kept, changed, removed), {"front": VOCABULARY, "back": VOCABULARY}))
    for at_ms in (0, 500, 1000):
        evaluator.take(seen(at_ms, "person"))
    new = RuleSpec("changed", "count(person) >= 2 for 1s")
    decisions = evaluator.take(ConfigInput((new, kept), {"front": VOCABULARY}))
    assert [(decision.rule, told(decision)) for decision in decisions] == [
        ("changed", "ended 0 1000 rule_removed"),
        ("removed", "ended 0 1000 rule_removed"),
    ]
    assert [(rule.name, rule.camera) for rule in evaluator.compiled()] == [("changed", "front"), ("kept", "front")]
    assert evaluator.explain("kept", "front").truth is Truth.TRUE, "its window went on"


def test_a_model_that_comes_later_is_read_without_losing_the_event() -> None:
    evaluator = configured("count(person) >= 1")
    evaluator.take(seen(0, "person"))
    more = Vocabulary(VOCABULARY.zones, (*VOCABULARY.lanes, LaneVocabulary("front/new", ("person",))))
    assert evaluator.take(ConfigInput((RuleSpec("r1", "count(person) >= 1", cooldown_ns=S),), {"front": more})) == []
    assert evaluator.take(seen(100, "person", lane="front/new")) == []
    assert evaluator.take(seen(200)) == [], "the new lane still sees somebody"
    assert [told(decision) for decision in evaluator.take(seen(300, lane="front/new"))] == ["ended 0 300 false"]


def test_rules_run_on_the_cameras_they_name() -> None:
    evaluator = RuleEvaluator()
    specs = (RuleSpec("all", "motion > 0"), RuleSpec("one", "motion > 0", cameras=("back",)))
    evaluator.take(ConfigInput(specs, {"front": VOCABULARY, "back": VOCABULARY}))
    running = [(rule.name, rule.camera) for rule in evaluator.compiled()]
    assert running == [("all", "front"), ("all", "back"), ("one", "back")]


def test_open_events_and_cooldowns_outlive_the_evaluator() -> None:
    first = configured("count(person) >= 1 for 1s", "count(car) >= 1")
    for given in (seen(0, "person", "car"), seen(500, "person"), seen(1000, "person")):
        first.take(given)
    state = first.snapshot()
    r1, r2 = (rule.rule_hash for rule in first.compiled())
    assert state == RulesState(
        open_events=(OpenEvent("r1", r1, "front", 1, 0, 3 * MS, 1000 * MS, 1000 * MS, None, 1000 * MS),),
        cooling=(CoolingRule("r2", r2, "front", 1500 * MS),),
        counted=(CountedRule("r1", "front", 1000 * MS), CountedRule("r2", "front", 1000 * MS)),
    )
    second = configured("count(person) >= 1 for 1s", "count(car) >= 1")
    assert second.restore(state) == []
    assert second.snapshot() == state
    log = [seen(1400, "person", "car"), seen(1600, "person", "car"), seen(1800)]
    decisions = [(d.rule, told(d)) for given in log for d in second.take(given)]
    assert decisions == [
        ("r2", "opened 1600 1600"),
        ("r1", "ended 0 1800 false"),
        ("r2", "ended 1600 1800 false"),
    ]


def test_a_restored_event_that_nothing_goes_on_with_ends_by_a_tick() -> None:
    first = configured("count(person) >= 1")
    first.take(seen(1000, "person"))
    second = configured("count(person) >= 1")
    second.take(RestoreInput(first.snapshot()))
    assert second.take(tick(11_500)) == []
    assert [told(decision) for decision in second.take(tick(11_501))] == ["ended 1000 1000 unknown_limit"]


def test_a_restored_event_is_given_its_limit_from_when_sight_was_lost() -> None:
    """Who only knows when the event was confirmed says since when nothing was seen: at the latest, since the crash."""
    evaluator = configured("count(person) >= 1")
    rule_hash = evaluator.compiled()[0].rule_hash
    event = OpenEvent("r1", rule_hash, "front", 1, 0, 0, 0, 0, None, unknown_since_ns=60 * S)
    evaluator.restore(RulesState(open_events=(event,)))
    assert evaluator.snapshot().open_events == (event,)
    assert evaluator.take(seen(69_000, "person")) == []
    assert [told(decision) for decision in evaluator.take(seen(69_200))] == ["ended 0 69200 false"]


def test_restored_events_of_rules_and_cameras_that_are_gone_end_where_they_last_held() -> None:
    first = configured("count(person) >= 1", "count(person) >= 1 or motion > 2")
    for given in (seen(0, "person"), seen(200, "person")):
        first.take(given)
    assert [told(d) for d in configured("count(person) >= 2").restore(first.snapshot())] == [
        "ended 0 200 rule_removed"
    ] * 2
    assert [told(d) for d in RuleEvaluator().restore(first.snapshot())] == ["ended 0 200 rule_removed"] * 2
