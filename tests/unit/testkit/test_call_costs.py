"""What calls of simulated models take."""

import random
from statistics import median

import pytest

from penstock.testkit.call_costs import (
    NEVER_NS,
    CallCost,
    ConstantCost,
    DriftingCost,
    LogNormalCost,
    RaisingCost,
    RecordedCost,
    SlowerCost,
    StuckCost,
)

TEN = ConstantCost(10)


@pytest.mark.parametrize(
    ("cost", "taken"),
    [
        pytest.param(TEN, [10, 10, 10, 10], id="constant"),
        pytest.param(SlowerCost(TEN, 100, 200, 3.0), [10, 30, 30, 10], id="slower for a while"),
        pytest.param(DriftingCost(TEN, 100, 200, 3.0), [10, 10, 20, 30], id="drifting"),
        pytest.param(StuckCost(TEN, 100, 200), [10, NEVER_NS, NEVER_NS, 10], id="stuck for a while"),
        pytest.param(DriftingCost(StuckCost(TEN, 0, 1), 0, 1, 2.0), [NEVER_NS, 20, 20, 20], id="one in another"),
    ],
)
def test_costs_over_time(cost: CallCost, taken: list[int]) -> None:
    chance = random.Random(0)
    assert [min(cost.duration_ns(at, 1, 1, chance), NEVER_NS) for at in (0, 100, 150, 200)] == taken


def test_a_batch_costs_its_first_view_and_the_others() -> None:
    assert [ConstantCost(10, 4).duration_ns(0, views, 1, random.Random(0)) for views in (1, 2, 8)] == [10, 14, 38]
    assert TEN.duration_ns(0, 4, 1, random.Random(0)) == 40


def test_the_spread_of_calls_has_the_median_it_was_given() -> None:
    chance = random.Random(1)
    cost = LogNormalCost(ConstantCost(1_000_000), 0.25)
    drawn = sorted(cost.duration_ns(0, 1, 1, chance) for _ in range(20_000))
    assert median(drawn) == pytest.approx(1_000_000, rel=0.01)
    assert drawn[19_800] == pytest.approx(1_788_000, rel=0.03)  # exp(0.25 × 2.326)
    assert LogNormalCost(StuckCost(TEN)).duration_ns(0, 1, 1, chance) == NEVER_NS


def test_raising_between_two_instants() -> None:
    chance = random.Random(1)
    cost = RaisingCost(TEN, 100, 200)
    assert [cost.raises(at, chance) for at in (99, 100, 199, 200)] == [False, True, True, False]
    some = RaisingCost(TEN, share=0.25)
    assert sum(some.raises(0, chance) for _ in range(10_000)) == pytest.approx(2500, abs=150)
    assert LogNormalCost(cost).raises(150, chance)


def test_recorded_calls_come_again_in_their_order_by_load() -> None:
    cost = RecordedCost({1: [5, 6], 3: [50]})
    chance = random.Random(0)
    assert [cost.duration_ns(0, 1, load, chance) for load in (1, 3, 1, 1, 2, 9)] == [5, 50, 6, 5, 50, 50]
    with pytest.raises(ValueError, match="at least one call"):
        RecordedCost({1: []})
