"""What the engine counts of calls that fail, and how a model's state follows from it."""

import pytest

from penstock.contracts.capacity import LadderStep, LaneGrant
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import Failure, FailureCause
from penstock.runtime.engine_statistics import EngineCounts
from penstock.scheduling.books import LaneSnapshot
from penstock.telemetry.analysis_statistics import ModelStatistics
from penstock.telemetry.joined_statistics import all_models
from penstock.telemetry.statistics import ProcessStatistics

RAISED = Failure(FailureCause.RAISED, "too bright")
READY = ModelStatistics(model="moody", executor="cpu", state="ready", head="python")


class Reduced:
    """Every lane has half of what it asked for."""

    def grant(self, lane: str) -> LaneGrant:
        return LaneGrant(lane, LadderStep.REDUCED, 2.5, "device:cpu")

    def floor_fps(self, lane: str) -> float:
        return 1.0


def told(counts: EngineCounts) -> ModelStatistics:
    (found,) = counts.models([book()], {"moody": "cpu"})
    return found


def book() -> LaneSnapshot:
    return LaneSnapshot(
        name="front/moody",
        camera="front",
        model="moody",
        active=True,
        offered=0,
        fates={},
        in_flight=0,
        max_fps=5.0,
        predicted_ns=1,
    )


@pytest.mark.parametrize(("failures", "state"), [(0, ""), (2, ""), (3, "suspended"), (4, "suspended")])
def test_a_model_that_fails_again_and_again_is_suspended(failures: int, state: str) -> None:
    counts = EngineCounts([])
    for _ in range(failures):
        counts.failed("moody", RAISED)
    found = told(counts)
    assert (found.state, found.calls, found.failures.get("raised", 0)) == (state, failures, failures)
    assert found.fault == ("too bright" if failures else "")


@pytest.mark.parametrize("engine_first", [True, False])
def test_the_engines_word_counts_more_than_the_executors(engine_first: bool) -> None:
    counts = EngineCounts([])
    for _ in range(3):
        counts.failed("moody", RAISED)
    engine = ProcessStatistics(process="engine", models=(told(counts),))
    executor = ProcessStatistics(process="executor-cpu", models=(READY,))
    (whole,) = all_models([engine, executor] if engine_first else [executor, engine])
    assert (whole.state, whole.fault, whole.head) == ("suspended", "too bright", "python")


def test_failures_outlive_the_engine() -> None:
    counts = EngineCounts([])
    counts.failed("moody", RAISED)
    later = EngineCounts([])
    later.go_on_from(ProcessStatistics(process="engine", models=(told(counts),)))
    later.failed("moody", RAISED)
    assert told(later).failures == {"raised": 2}


def test_when_a_lane_heard_of_frames_outlives_the_engine() -> None:
    spec = LaneSpec("front", "moody")
    counts = EngineCounts([spec])
    counts.heard(spec.name, 5)
    later = EngineCounts([spec])
    later.go_on_from(ProcessStatistics(process="engine", lanes=counts.lanes([book()], {spec.name: spec}, Reduced())))
    (lane,) = later.lanes([book()], {spec.name: spec}, Reduced())
    assert (lane.first_taken_ns, lane.last_heard_ns) == (0, 5)


def test_a_lane_says_what_the_plan_gives_it_and_why() -> None:
    spec = LaneSpec("front", "moody", max_fps=5.0)
    (lane,) = EngineCounts([spec]).lanes([book()], {spec.name: spec}, Reduced())
    assert (lane.granted_fps, lane.max_fps, lane.level, lane.limited_by, lane.floor_fps) == (
        2.5,
        5.0,
        "reduced",
        "device:cpu",
        1.0,
    )
