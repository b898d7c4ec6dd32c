"""What a rule reads, what identifies it, and every name that nothing states, with its exact message."""

import hashlib

import pytest

from penstock.contracts.events import Severity
from penstock.contracts.specs import RuleSpec, ZoneSpec
from penstock.rules.compiler import compile_rule
from penstock.rules.errors import RuleError
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

DRIVE = ZoneSpec("driveway", ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))
LINE = ZoneSpec("line", ((0.0, 0.0), (1.0, 1.0)))
VOCABULARY = Vocabulary(
    zones=(DRIVE, LINE),
    lanes=(
        LaneVocabulary("front/yolox", ("person", "car", "sports ball")),
        LaneVocabulary("front/faces", ("face", "person")),
        LaneVocabulary("front/motion", ("motion",), ("motion", "PersonDetected")),
    ),
)
S = 10**9


def test_what_a_rule_reads() -> None:
    rule = compile_rule(RuleSpec("r", "count(person in driveway) >=2  for 1s and motion > 0.02"), "front", VOCABULARY)
    assert rule.lanes == ("front/faces", "front/motion", "front/yolox")
    assert rule.longest_window_ns == S
    assert rule.text == "count(person in driveway) >=2  for 1s and motion > 0.02"
    assert rule.normal_text == "count(person in driveway) >= 2 for 1s and motion > 0.02"


def test_a_class_and_a_signal_of_the_same_name_are_two_things() -> None:
    assert compile_rule(RuleSpec("r", "count(motion) > motion"), "front", VOCABULARY).lanes == ("front/motion",)


def test_a_lane_that_has_not_said_what_it_knows_may_know_anything() -> None:
    vocabulary = Vocabulary(lanes=(*VOCABULARY.lanes, LaneVocabulary("front/new", complete=False)))
    assert compile_rule(RuleSpec("r", "count(zebra) > 0"), "front", vocabulary).lanes == ("front/new",)
    assert compile_rule(RuleSpec("r", "Smoke"), "front", vocabulary).lanes == ("front/new",)


def hash_of(
    when: str = "count(person in driveway) >= 2", name: str = "r", zone: ZoneSpec = DRIVE, **fields: int
) -> str:
    spec = RuleSpec(name, when, **fields)  # type: ignore[arg-type]
    vocabulary = Vocabulary((zone, ZoneSpec("unused", LINE.points)), VOCABULARY.lanes)
    return compile_rule(spec, "front", vocabulary).rule_hash


def test_the_hash_is_that_of_the_meaning() -> None:
    moved = ZoneSpec("driveway", ((0.0, 0.6), *DRIVE.points[1:]))
    same = [hash_of(), hash_of("(count(person in 'driveway')>=2.0)")]
    spec = RuleSpec("r", "count(person in driveway) >= 2", severity=Severity.ALERT, cameras=("side",))
    same.append(compile_rule(spec, "side", Vocabulary((DRIVE,), VOCABULARY.lanes)).rule_hash)
    other = [
        hash_of("count(person in driveway) >= 3"),
        hash_of(name="q"),
        hash_of(zone=moved),
        hash_of(cooldown_ns=S),
        hash_of(unknown_limit_ns=S),
    ]
    assert len(set(same)) == 1
    assert len({*same, *other}) == 1 + len(other)

    # Events are named by it, across versions: what goes into it is written out here.
    identity = (
        b'[1,"r","count(person in driveway) >= 2",'
        b'[["driveway",[[0.0,0.5],[1.0,0.5],[1.0,1.0],[0.0,1.0]]]],10000000000,10000000000]'
    )
    assert same[0] == hashlib.sha256(identity).hexdigest()


ERRORS = {
    "unknown zone": (
        "count(person in DriveWay) >= 1",
        """\
rule 'people': line 1, column 17: camera 'front' has no zone 'DriveWay'
  count(person in DriveWay) >= 1
                  ^
Did you mean 'driveway'?""",
    ),
    "unknown class": (
        "motion > 0 and count(persn) >= 1",
        """\
rule 'people': line 1, column 22: no model on camera 'front' knows a class 'persn'
  motion > 0 and count(persn) >= 1
                       ^
Did you mean 'person'?""",
    ),
    "unknown class, nothing near": (
        "count(zebra) >= 1",
        """\
rule 'people': line 1, column 7: no model on camera 'front' knows a class 'zebra'
  count(zebra) >= 1
        ^
Known: car, face, motion, person, sports ball.""",
    ),
    "unknown signal": (
        "not PersonDetectd for 5s",
        """\
rule 'people': line 1, column 5: nothing on camera 'front' states a signal 'PersonDetectd'
  not PersonDetectd for 5s
      ^
Did you mean 'PersonDetected'?""",
    ),
    "class used as a signal": (
        "'sports ball' >= 1",
        """\
rule 'people': line 1, column 1: nothing on camera 'front' states a signal 'sports ball'
  'sports ball' >= 1
  ^
It is a class: write count("sports ball") to count its boxes.""",
    ),
    "zone that is no polygon": (
        "count(person in line) >= 1",
        """\
rule 'people': line 1, column 17: zone 'line' has 2 points; a polygon needs at least 3
  count(person in line) >= 1
                  ^
Draw it with three points or more.""",
    ),
    "reads nothing": (
        "1 < 2",
        """\
rule 'people': line 1, column 1: the condition reads nothing, so it can never change
  1 < 2
  ^
Compare a count or a signal, such as count(person) >= 1.""",
    ),
}


@pytest.mark.parametrize(("text", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_names_that_nothing_states(text: str, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(RuleSpec("people", text), "front", VOCABULARY)
    assert str(caught.value) == message


def test_a_camera_without_anything() -> None:
    with pytest.raises(RuleError, match="There is no model with classes on this camera"):
        compile_rule(RuleSpec("r", "count(person) > 0"), "bare", Vocabulary())
