"""A model that takes ten times as long takes it from its own lanes, not from those beside them."""

import pytest
from pictures import MS

from penstock.scheduling.capacity import compute
from penstock.scheduling.fair_weights import ALIKE
from penstock.scheduling.picture import ExecutorSupply, HostSupply, LaneDemand, ModelCost, Picture
from penstock.scheduling.planner_settings import PlannerSettings

ALL = PlannerSettings(headroom=1.0)


def fleet(cameras: int, wanted_fps: float = 5.0, **cost_ms: float) -> Picture:
    """Every model on every camera, on one device of one stream."""
    return Picture(
        lanes=tuple(
            LaneDemand(f"c{number}/{model}", f"c{number}", model, "cpu", wanted_fps=wanted_fps)
            for number in range(cameras)
            for model in cost_ms
        ),
        models=tuple(ModelCost(model, "cpu", cost * MS) for model, cost in cost_ms.items()),
        cameras=(),
        executors=(ExecutorSupply("cpu", 1),),
        host=HostSupply(cores=4.0),
    )


def rates(of: Picture) -> dict[str, float]:
    """By model: what its lanes are granted; they must all be granted the same."""
    found: dict[str, set[float]] = {}
    for lane, grant in zip(of.lanes, compute(of, ALL).lanes, strict=True):
        found.setdefault(lane.model, set()).add(round(grant.fps, 9))
    assert all(len(fps) == 1 for fps in found.values())
    return {model: fps.pop() for model, fps in found.items()}


def test_a_model_that_becomes_slow_leaves_the_others_what_they_ask_for() -> None:
    assert rates(fleet(8, a=5, b=5, c=5, d=5)) == {"a": 5.0, "b": 5.0, "c": 5.0, "d": 5.0}
    slow = rates(fleet(8, a=5, b=5, c=5, d=50))
    assert (slow["a"], slow["b"], slow["c"]) == (5.0, 5.0, 5.0)
    # What the others leave: 1 s/s less 24 × 5/s × 5 ms = 0.4 s/s, for 8 lanes of 50 ms.
    assert slow["d"] == pytest.approx(1.0)


def test_where_all_are_short_each_lane_has_the_same_time() -> None:
    short = rates(fleet(40, a=10, b=100))
    assert short["a"] * 10 * ALIKE == pytest.approx(short["b"] * 100)
    assert 40 * (short["a"] * 10 + short["b"] * 100) == pytest.approx(1000)


@pytest.mark.parametrize("other_ms", [5.0, 5.5, 7.4])
def test_models_that_cost_about_the_same_run_equally_often(other_ms: float) -> None:
    short = rates(fleet(64, a=5, b=other_ms))
    assert short["a"] == short["b"]


def test_a_priority_is_fair_within_itself() -> None:
    of = fleet(8, a=5, d=50)
    cheap = LaneDemand("far/e", "far", "e", "cpu", priority=-5)
    with_cheap = Picture((*of.lanes, cheap), (*of.models, ModelCost("e", "cpu", 0.1 * MS)), (), of.executors, of.host)
    assert compute(with_cheap, ALL).lanes[:-1] == compute(of, ALL).lanes


def test_lanes_of_unknown_cost_are_not_held_back() -> None:
    assert rates(fleet(40, a=0, b=10)) == {"a": 5.0, "b": 2.5}
