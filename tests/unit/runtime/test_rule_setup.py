"""What rules start from: how long results hold at what is granted, where rules run, what an engine before left."""

import pytest

from penstock.contracts.frames import PixelFormat, ViewSpec
from penstock.contracts.specs import CameraSpec, LaneSpec, RuleSpec, RunSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.work import ModelDescription
from penstock.rules.decisions import CountedRule
from penstock.rules.errors import RuleError
from penstock.runtime.rule_setup import Validities, placed_rule, recovered_rules, validity_ns, vocabularies_of
from penstock.store.recovery import RecoveryState
from penstock.telemetry.analysis_statistics import RuleStatistics

MS = 1_000_000
VIEW = ViewSpec(64, 64, PixelFormat.BGR24)
S = 1000 * MS
LANE = LaneSpec("door", "yolox", max_fps=5.0, budget_ns=500 * MS)
TRIAL = LaneSpec("door", "trial", max_fps=2.0, shadow=True)
SPEC = RunSpec(
    host_id="host",
    boot_id="boot",
    run_id="run",
    clock=ClockReading("monotonic", 100 * S, 1_700_000_000 * S),
    data_dir="",
    cameras=(CameraSpec("door", ()), CameraSpec("gate", ())),
    executors=(),
    lanes=(LANE, TRIAL, LaneSpec("gate", "yolox")),
    rules=(RuleSpec("people", "count(person) >= 1"),),
    ingest_groups=(),
)


def described(model: str, *class_names: str) -> ModelDescription:
    return ModelDescription(model, VIEW, "", "", class_names, "cpu")


MODELS = {"yolox": described("yolox", "person"), "trial": described("trial", "person", "helmet")}


@pytest.mark.parametrize(("fps", "valid_ms"), [(5.0, 900), (2.0, 1500), (0.5, 4500), (4.0, 1000)])
def test_a_result_holds_for_two_granted_intervals_and_the_budget(fps: float, valid_ms: int) -> None:
    assert validity_ns(LANE, fps) == valid_ms * MS


def test_nothing_granted_has_no_interval() -> None:
    with pytest.raises(ValueError, match=r"lane door/yolox at 0\.0 pictures a second has no interval"):
        validity_ns(LANE, 0.0)


def test_validity_follows_what_is_granted_and_stays_where_nothing_is() -> None:
    validities = Validities(SPEC.lanes)
    assert validities["door/yolox"] == 900 * MS
    validities.set_granted("door/yolox", 1.0)
    assert validities["door/yolox"] == 2500 * MS
    validities.set_granted("door/yolox", 0.0)
    assert validities["door/yolox"] == 2500 * MS
    validities.set_granted("door/yolox", 5.0)
    assert (validities["door/yolox"], validities["door/trial"]) == (900 * MS, 1500 * MS)


def test_vocabularies_say_which_lanes_are_on_trial() -> None:
    vocabularies = vocabularies_of(SPEC, MODELS)
    assert [(lane.lane, lane.shadow) for lane in vocabularies["door"].lanes] == [
        ("door/yolox", False),
        ("door/trial", True),
    ]
    not_loaded = vocabularies_of(SPEC, {})["door"].lanes[1]
    assert (not_loaded.shadow, not_loaded.complete) == (True, False)


def test_a_rule_runs_where_a_model_on_trial_can_decide_it_too() -> None:
    vocabularies = vocabularies_of(SPEC, MODELS)
    assert placed_rule(RuleSpec("r", "count(person) >= 1"), vocabularies).cameras == ("door", "gate")
    assert placed_rule(RuleSpec("r", "count(helmet) >= 1"), vocabularies).cameras == ("door",)
    with pytest.raises(RuleError, match="knows a class 'zebra'"):
        placed_rule(RuleSpec("r", "count(zebra) >= 1"), vocabularies)


def test_counting_goes_on_from_what_was_published_of_rules_and_twins() -> None:
    published = [
        RuleStatistics("people", "door", counted_until_ns=50 * S),
        RuleStatistics("people", "door", counted_until_ns=40 * S, shadow=True, shadow_lane="door/trial"),
        RuleStatistics("people", "gate"),
    ]
    state = recovered_rules(
        SPEC, RecoveryState(), {(rule.rule, rule.camera, rule.shadow_lane): rule for rule in published}
    )
    assert state.counted == (CountedRule("people", "door", 50 * S), CountedRule("people", "door", 40 * S, "door/trial"))
