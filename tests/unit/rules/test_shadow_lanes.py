"""Models on trial: rules never hear of them, and their twins hear of nothing else where the model speaks."""

import array

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.contracts.events import event_id
from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.messages import CameraState
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import RuleSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.rules.compiler import compile_forms, compile_rule
from penstock.rules.decisions import Ended, Opened, RuleDecision
from penstock.rules.errors import RuleError
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import CameraStateInput, ConfigInput, ResultInput, RuleInput, StillInput, TickInput
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

MS = 1_000_000
S = 1000 * MS
CLASSES = ("person", "car", "helmet")
REAL = (
    LaneVocabulary("front/yolox", ("person", "car"), budget_ns=500 * MS),
    LaneVocabulary("front/motion", ("motion",), ("motion",), budget_ns=100 * MS),
)
TRIAL = LaneVocabulary("front/trial", ("person", "helmet"), budget_ns=900 * MS, shadow=True)
VOCABULARY = Vocabulary(lanes=(*REAL, TRIAL))


def seen(at_ms: int, *names: str, lane: str = "front/yolox", motion: float | None = None) -> ResultInput:
    frame = FrameRef(
        FrameId(StreamKey("host", "boot", "run", "front", Role.DETECT, 1), at_ms),
        at_ms,
        CaptureTime(at_ms * MS, TimeBasis.ARRIVAL, 0),
        at_ms * MS,
        at_ms * MS,
        100,
        100,
    )
    boxes = Detections(
        xyxy=array.array("f", [10, 10, 30, 60] * len(names)).tobytes(),
        confidence=array.array("f", [0.5] * len(names)).tobytes(),
        class_id=array.array("i", [CLASSES.index(name) for name in names]).tobytes(),
        class_names=CLASSES,
    )
    scalars = {} if motion is None else {"motion": motion}
    return ResultInput("front", lane, Result(lane.split("/")[1], "", frame, boxes, scalars=scalars), 700 * MS)


def trial(at_ms: int, *names: str) -> ResultInput:
    return seen(at_ms, *names, lane="front/trial")


def configured(*rules: str, vocabulary: Vocabulary = VOCABULARY) -> RuleEvaluator:
    evaluator = RuleEvaluator()
    specs = tuple(RuleSpec(f"r{i}", when, cooldown_ns=S) for i, when in enumerate(rules, 1))
    evaluator.take(ConfigInput(specs, {"front": vocabulary}))
    return evaluator


def told(decision: RuleDecision) -> str:
    if isinstance(decision, Opened):
        return f"{decision.rule}{'*' if decision.shadow_lane else ''} opened {decision.start_ns // MS}"
    return f"{decision.rule} ended {decision.end_ns // MS}"


FORMS: dict[str, tuple[str, list[tuple[str, tuple[str, ...]]]]] = {
    "the model on trial knows nothing of it": ("count(car) >= 1", [("", ("front/yolox",))]),
    "it knows what a real one knows": (
        "count(person) >= 1",
        [("", ("front/yolox",)), ("front/trial", ("front/trial",))],
    ),
    "other names are read from the real ones": (
        "count(person) >= 1 and motion > 0.5",
        [("", ("front/motion", "front/yolox")), ("front/trial", ("front/motion", "front/trial"))],
    ),
    "a sum may be of both": (
        "count(person or car) >= 2",
        [("", ("front/yolox",)), ("front/trial", ("front/trial", "front/yolox"))],
    ),
    "only the model on trial can decide it": ("count(helmet) >= 1", [("front/trial", ("front/trial",))]),
    "ready-made signals too": ("PersonDetected", [("", ("front/yolox",)), ("front/trial", ("front/trial",))]),
}


@pytest.mark.parametrize(("when", "forms"), FORMS.values(), ids=FORMS.keys())
def test_forms(when: str, forms: list[tuple[str, tuple[str, ...]]]) -> None:
    found = compile_forms(RuleSpec("r", when), "front", VOCABULARY)
    assert [(form.shadow_lane, form.lanes) for form in found] == forms
    assert [form.shadow for form in found] == [bool(form.shadow_lane) for form in found]
    assert {form.name for form in found} == {"r"}


def test_each_model_on_trial_has_a_twin_of_its_own() -> None:
    both = Vocabulary(lanes=(*REAL, TRIAL, LaneVocabulary("front/other", ("person",), shadow=True)))
    found = compile_forms(RuleSpec("r", "count(person) >= 1"), "front", both)
    assert [form.lanes for form in found] == [("front/yolox",), ("front/trial",), ("front/other",)]
    assert len({form.rule_hash for form in found}) == 3
    assert len({event_id(form.rule_hash, "front", 1, 5) for form in found}) == 3


def test_a_twin_changes_nothing_of_the_rule_itself() -> None:
    spec = RuleSpec("r", "count(person) >= 1 for 1s")
    without = compile_rule(spec, "front", Vocabulary(lanes=REAL))
    rule, twin = compile_forms(spec, "front", VOCABULARY)
    assert (rule.rule_hash, rule.lanes) == (without.rule_hash, without.lanes)
    assert twin.rule_hash != rule.rule_hash


def test_a_rule_on_trial_has_twins_as_others() -> None:
    found = compile_forms(RuleSpec("r", "count(person) >= 1", shadow=True), "front", VOCABULARY)
    assert [(form.shadow, form.shadow_lane) for form in found] == [(True, ""), (True, "front/trial")]


def test_a_model_on_trial_that_is_not_loaded_takes_only_what_no_other_says() -> None:
    vocabulary = Vocabulary(lanes=(*REAL, LaneVocabulary("front/new", complete=False, shadow=True)))
    forms = compile_forms(RuleSpec("r", "count(person) >= 1"), "front", vocabulary)
    assert [form.lanes for form in forms] == [("front/yolox",)]
    forms = compile_forms(RuleSpec("r", "count(zebra) >= 1 and count(person) >= 1"), "front", vocabulary)
    assert [(form.shadow_lane, form.lanes) for form in forms] == [("front/new", ("front/new", "front/yolox"))]


def test_a_name_that_nobody_knows_is_told_with_all_that_are_known() -> None:
    with pytest.raises(
        RuleError, match=r"no model on camera 'front' knows a class 'helmt'\n(.*\n)*Did you mean 'helmet'"
    ):
        compile_forms(RuleSpec("r", "count(helmt) >= 1"), "front", VOCABULARY)


def test_a_rule_hears_nothing_of_it_and_its_twin_hears_only_it() -> None:
    evaluator = configured("count(person) >= 1")
    log = [seen(0), trial(0, "person"), seen(300, "person"), trial(300), seen(500), trial(2000, "person"), seen(2400)]
    assert [told(decision) for given in log for decision in evaluator.take(given)] == [
        "r1* opened 0",
        "r1 opened 300",
        "r1 ended 300",
        "r1 ended 500",
        "r1* opened 2000",
    ]


def test_statistics_explanations_and_what_is_kept_tell_them_apart() -> None:
    evaluator = configured("count(person) >= 1")
    evaluator.take(CameraStateInput("front", CameraState.UP, 1, 0))
    for entry in (seen(100, "person"), trial(200)):
        evaluator.take(entry)
    rule, twin = evaluator.statistics().rules
    assert (rule.shadow, rule.shadow_lane, rule.opened) == (False, "", 1)
    assert (twin.shadow, twin.shadow_lane, twin.opened) == (True, "front/trial", 0)
    assert evaluator.explain("r1", "front").terms[0].value == "1"
    assert evaluator.explain("r1", "front", "front/trial").terms[0].value == "0"
    with pytest.raises(LookupError, match="no rule 'r1' runs on camera 'front' for 'front/none'"):
        evaluator.explain("r1", "front", "front/none")
    evaluator.take(trial(300, "person"))
    kept = evaluator.snapshot()
    assert len(kept.open_events) == 2
    again = configured("count(person) >= 1")
    assert again.restore(kept) == []
    assert again.snapshot() == kept
    assert [told(d) for given in (trial(400), seen(500)) for d in again.take(given)] == ["r1 ended 400", "r1 ended 500"]


def test_a_larger_budget_of_the_model_on_trial_delays_no_rule() -> None:
    evaluator = configured("count(person) >= 1")
    for entry in (seen(0, "person"), trial(0, "person")):
        evaluator.take(entry)
    # Valid to 700, unknown for 10 s from then on; results may come 500 ms later, of the model on trial 900.
    assert [told(decision) for decision in evaluator.take(TickInput("front", 11_200 * MS))] == []
    (ended,) = evaluator.take(TickInput("front", 11_201 * MS))
    assert isinstance(ended, Ended)
    assert ended.rule_hash == evaluator.compiled()[0].rule_hash
    assert len(evaluator.take(TickInput("front", 11_601 * MS))) == 1


def test_a_model_on_trial_that_is_withdrawn_ends_its_events_alone() -> None:
    evaluator = configured("count(person) >= 1")
    for entry in (seen(0, "person"), trial(0, "person")):
        evaluator.take(entry)
    spec = RuleSpec("r1", "count(person) >= 1", cooldown_ns=S)
    decisions = evaluator.take(ConfigInput((spec,), {"front": Vocabulary(lanes=REAL)}))
    assert [told(decision) for decision in decisions] == ["r1 ended 0"]
    assert [told(decision) for decision in evaluator.take(seen(300))] == ["r1 ended 300"]


def test_one_that_joins_later_begins_with_what_the_camera_is() -> None:
    evaluator = configured("count(person) >= 1", vocabulary=Vocabulary(lanes=REAL))
    evaluator.take(CameraStateInput("front", CameraState.UP, 1, 0))
    evaluator.take(seen(400, "person"))
    evaluator.take(ConfigInput((RuleSpec("r1", "count(person) >= 1", cooldown_ns=S),), {"front": VOCABULARY}))
    assert [told(decision) for decision in evaluator.take(trial(600, "person"))] == ["r1* opened 600"]
    evaluator.take(TickInput("front", 1600 * MS))
    _, twin = evaluator.statistics().rules
    assert (twin.blind_ns, twin.known_ns) == (200 * MS, 100 * MS), "from 400 on; the tick settles up to 700"


def test_what_a_lane_without_twins_says_is_nobodys_and_no_mistake() -> None:
    evaluator = configured("count(car) >= 1")
    assert evaluator.take(trial(0, "person")) == []
    assert [rule.shadow_lane for rule in evaluator.compiled()] == [""]
    assert evaluator.statistics().unaddressed == 0


@st.composite
def logs(draw: st.DrawFn) -> list[RuleInput]:
    log: list[RuleInput] = []
    now_ms = 0
    for _ in range(draw(st.integers(1, 30))):
        now_ms += draw(st.integers(0, 400))
        names = draw(st.sampled_from([(), ("person",), ("person", "person"), ("car",)]))
        match draw(st.sampled_from(["real", "real", "trial", "trial", "motion", "still", "tick", "state"])):
            case "real":
                log.append(seen(now_ms - draw(st.sampled_from([0, 0, 100])), *names))
            case "trial":
                log.append(trial(now_ms - draw(st.sampled_from([0, 0, 100])), *names))
            case "motion":
                log.append(seen(now_ms, lane="front/motion", motion=draw(st.sampled_from([0.0, 0.9]))))
            case "still":
                lane = draw(st.sampled_from(["front/yolox", "front/trial"]))
                log.append(StillInput("front", lane, now_ms * MS, (now_ms + 700) * MS))
            case "tick":
                log.append(TickInput("front", now_ms * MS))
            case _:
                state = draw(st.sampled_from([CameraState.UP, CameraState.DOWN, CameraState.ENDED]))
                log.append(CameraStateInput("front", state, 1, now_ms * MS))
    return log


RULES = ("count(person) >= 1", "count(person) >= 2 for 500ms", "not PersonDetected and motion > 0.5", "count(car) >= 1")


@settings(max_examples=200, deadline=None)
@given(logs())
def test_with_and_without_models_on_trial_the_rules_decide_the_same(log: list[RuleInput]) -> None:
    with_trial, without = configured(*RULES), configured(*RULES, vocabulary=Vocabulary(lanes=REAL))
    hashes = {rule.rule_hash for rule in without.compiled()}
    for given_ in log:
        decisions = [d for d in with_trial.take(given_) if d.rule_hash in hashes]
        of_trial = isinstance(given_, (ResultInput, StillInput)) and given_.lane == "front/trial"
        expected = [] if of_trial else without.take(given_)
        assert [msgspec.msgpack.encode(d) for d in decisions] == [msgspec.msgpack.encode(d) for d in expected]
    real = tuple(rule for rule in with_trial.statistics().rules if not rule.shadow)
    assert real == without.statistics().rules


@settings(max_examples=200, deadline=None)
@given(logs())
def test_a_twin_decides_what_the_rule_would_if_the_model_were_the_real_one(log: list[RuleInput]) -> None:
    """Only for rules whose names are all the model's: then its lane could stand in the real one's place."""
    rule = "count(person) >= 1 for 300ms"
    on_trial = configured(rule)
    in_place = configured(rule, vocabulary=Vocabulary(lanes=(*REAL[1:], msgspec.structs.replace(TRIAL, shadow=False))))
    twin_hash = on_trial.compiled()[1].rule_hash
    for given_ in log:
        twins = [d for d in on_trial.take(given_) if d.rule_hash == twin_hash]
        if isinstance(given_, (ResultInput, StillInput)) and given_.lane == "front/yolox":
            assert twins == [], "the real lane says nothing that it reads"
        else:
            expected = in_place.take(given_)
            assert [told(d).replace("*", "") for d in twins] == [told(d) for d in expected]
