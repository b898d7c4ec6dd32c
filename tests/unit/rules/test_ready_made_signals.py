"""Signals that nobody configures: presence by class, the level of motion, and probabilities of classes."""

from collections.abc import Callable

import pytest

from penstock.contracts.results import Classification, Detections, Result
from penstock.contracts.specs import RuleSpec
from penstock.rules.compiler import Program, compile_rule
from penstock.rules.errors import RuleError
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary
from penstock.signals.blackboard import Blackboard
from penstock.signals.logic import Truth
from penstock.signals.statements import signals_of
from penstock.testkit.views import frame_ref

VOCABULARY = Vocabulary(
    lanes=(
        LaneVocabulary("front/yolox", ("person", "car")),
        LaneVocabulary("front/small", ("person",)),
        LaneVocabulary("front/motion", ("motion",), ("motion",)),
        LaneVocabulary("front/shop", picture_classes=("coffee mug", "cup")),
        LaneVocabulary("front/parts", signals=("anomaly_score", "Anomalous")),
    )
)
PEOPLE = Detections(b"\0" * 16, b"\0\0\0\x3f", b"\0" * 4, ("person", "car"))
NOBODY = Detections(class_names=("person", "car"))

State = Callable[..., None]


def truth_of(program: Program) -> Truth:
    return program.root.truth


def board(when: str) -> tuple[Program, State]:
    """A rule on a blackboard, and what states a lane's result of one instant and evaluates the rule at it."""
    blackboard = Blackboard("front")
    program = compile_rule(RuleSpec("r", when), "front", VOCABULARY).bind(blackboard)

    def state(at_ns: int, lane: str, **fields: object) -> None:
        result = Result(lane, "hash", frame_ref("front", at_ns, at_ns), **fields)  # type: ignore[arg-type]
        for signal in signals_of(result, lane, 100):
            blackboard.set(signal)
        program.evaluate(at_ns)

    return program, state


def test_presence_is_true_where_any_model_sees_it() -> None:
    program, state = board("PersonDetected")
    program.evaluate(0)
    assert truth_of(program) is Truth.UNKNOWN
    state(10, "front/yolox", detections=NOBODY)
    assert truth_of(program) is Truth.FALSE
    state(20, "front/yolox", detections=PEOPLE)
    assert truth_of(program) is Truth.TRUE
    # A newer picture in which another model finds nobody does not hide what this one sees.
    state(30, "front/small", detections=NOBODY)
    assert truth_of(program) is Truth.TRUE
    program.evaluate(125)
    assert truth_of(program) is Truth.FALSE
    program.evaluate(131)
    assert truth_of(program) is Truth.UNKNOWN


def test_the_level_of_motion_is_the_models() -> None:
    program, state = board("MotionLevel >= 0.25")
    state(1, "front/motion", scalars={"motion": 0.25})
    assert truth_of(program) is Truth.TRUE
    assert program.leaves[0].values(1) == "0.25"
    state(2, "front/motion", scalars={"motion": 0.125})
    assert truth_of(program) is Truth.FALSE


def test_a_class_of_the_picture_is_its_probability_and_0_where_it_is_not_stated() -> None:
    program, state = board('"coffee mug" > 0.5 for 20ns')
    mug = (Classification(504, "coffee mug", 0.75), Classification(968, "cup", 0.125))
    state(10, "front/shop", classifications=mug)
    state(30, "front/shop", classifications=mug)
    assert truth_of(program) is Truth.TRUE
    state(40, "front/shop", classifications=(Classification(968, "cup", 0.75),))
    assert truth_of(program) is Truth.FALSE
    assert program.leaves[0].values(40) == "0"
    program.evaluate(141)
    assert program.root.inner is Truth.UNKNOWN


def test_an_anomaly_is_a_score_and_a_decision() -> None:
    program, state = board("Anomalous and anomaly_score > 0.6")
    state(1, "front/parts", scalars={"anomaly_score": 0.75, "Anomalous": 1.0})
    assert truth_of(program) is Truth.TRUE
    state(2, "front/parts", scalars={"anomaly_score": 0.5, "Anomalous": 1.0})
    assert truth_of(program) is Truth.FALSE


@pytest.mark.parametrize(
    ("when", "what", "advice"),
    [
        ("PersonDetcted", "nothing on camera 'front' states a signal 'PersonDetcted'", "'PersonDetected'?"),
        ("motionlevel > 1", "states a signal 'motionlevel'", "Did you mean 'MotionLevel'?"),
        ("FacePresent", "states a signal 'FacePresent'", "Models with a class 'face' state it"),
        ('"cofee mug" > 0.5', "states a signal 'cofee mug'", "Did you mean 'coffee mug'?"),
        ("count(cup) > 0", "no model on camera 'front' knows a class 'cup'", ""),
    ],
)
def test_what_nothing_states(when: str, what: str, advice: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(RuleSpec("r", when), "front", VOCABULARY)
    assert what in caught.value.what
    assert advice in caught.value.advice


def test_the_level_of_motion_needs_the_model() -> None:
    vocabulary = Vocabulary(lanes=VOCABULARY.lanes[:1])
    with pytest.raises(RuleError, match="The model 'motion' states it"):
        compile_rule(RuleSpec("r", "MotionLevel > 0.1"), "front", vocabulary)
