"""The plan comes to rest within five seconds of a change of load, and then stays: for steady costs, by name."""

import pytest

from penstock.contracts.specs import LaneSpec
from penstock.testkit.call_costs import CallCost, ConstantCost, SlowerCost
from penstock.testkit.host_model import CameraModel, ExecutorModel, HostModel
from penstock.testkit.schedules import Schedule, check, draw
from penstock.testkit.simulated_models import CostedModel

MS = 1_000_000
S = 1_000_000_000
CHANGED = (15 * S, 35 * S)


def schedule(cost: CallCost, *, cameras: int = 8, priorities: tuple[int, ...] = (0,), outage: bool = False) -> Schedule:
    """Cameras of 25 fps with a lane of 5 a second each, on two streams; every second camera goes where `outage`."""
    return Schedule(
        HostModel(
            tuple(
                CameraModel(f"c{n}", fps=25.0, unit_ns=100_000, outages=(CHANGED,) if outage and n % 2 else ())
                for n in range(cameras)
            ),
            tuple(
                LaneSpec(f"c{n}", "m", max_fps=5.0, priority=priorities[n % len(priorities)]) for n in range(cameras)
            ),
            (ExecutorModel("cpu", (CostedModel("m", cost),), 2),),
            cores=8.0,
        ),
        (0, *CHANGED),
        55 * S,
        "named",
    )


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(schedule(ConstantCost(20 * MS)), id="half load"),
        pytest.param(schedule(ConstantCost(90 * MS)), id="twice the load"),
        pytest.param(
            schedule(SlowerCost(ConstantCost(20 * MS), *CHANGED, 4.0)), id="a model becomes slow and recovers"
        ),
        pytest.param(schedule(SlowerCost(ConstantCost(60 * MS), *CHANGED, 0.3)), id="a model becomes fast for a while"),
        pytest.param(
            schedule(SlowerCost(ConstantCost(30 * MS), *CHANGED, 3.0), priorities=(0, 5)), id="priorities, three times"
        ),
        pytest.param(schedule(ConstantCost(40 * MS), outage=True), id="half the cameras go and come back"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_plan_comes_to_rest(given: Schedule, seed: int) -> None:
    checked = check(given, seed)
    assert checked.faults == ()
    assert checked.settled_ns <= 5 * S
    assert checked.steps > 2000


def test_a_seed_draws_one_schedule() -> None:
    assert draw(4).host.lanes == draw(4).host.lanes
    assert {draw(seed).kind for seed in range(30)} == {"dearer", "cheaper", "outage", "movement"}
    assert all(len(draw(seed).host.lanes) >= 4 for seed in range(30))
