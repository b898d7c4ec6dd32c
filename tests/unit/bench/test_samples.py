"""Percentiles, spreads and ratios of benchmarks: small samples with answers worked out by hand."""

import pytest
from bench.records import Comparison, Goal, Series, Taken
from bench.samples import percentile, ratio, summaries, summary, verdict


def turn(*samples: float, series: str = "time") -> Taken:
    return Taken({series: Series("µs", list(samples))})


@pytest.mark.parametrize(
    ("ordered", "percent", "expected"),
    [
        pytest.param([5.0], 50, 5.0, id="one sample is every percentile"),
        pytest.param([1.0, 2.0, 3.0, 4.0], 50, 2.0, id="half of four are not above the second"),
        pytest.param([1.0, 2.0, 3.0], 50, 2.0, id="the middle of three"),
        pytest.param([1.0, 2.0, 3.0, 4.0], 100, 4.0, id="the largest"),
        pytest.param([1.0, 2.0, 3.0, 4.0], 0, 1.0, id="the smallest"),
        pytest.param([float(n) for n in range(1, 1001)], 99.9, 999.0, id="one in a thousand lies above"),
    ],
)
def test_percentile_is_the_nearest_rank(ordered: list[float], percent: float, expected: float) -> None:
    assert percentile(ordered, percent) == expected


def test_summary_pools_samples_and_keeps_how_far_rounds_lie_apart() -> None:
    found = summary("µs", [[1.0, 3.0, 2.0], [], [10.0, 30.0, 20.0]])

    assert (found.count, found.p50, found.largest) == (6, 3.0, 30.0)
    assert (found.lowest_round, found.highest_round) == (2.0, 20.0)


def test_summaries_go_over_all_rounds_by_variant_and_series() -> None:
    rounds = [{"a": turn(1.0), "b": turn(5.0)}, {"b": turn(7.0), "a": turn(2.0)}]

    found = summaries(rounds)

    assert list(found) == ["a", "b"]
    assert (found["a"]["time"].count, found["b"]["time"].highest_round) == (2, 7.0)


def test_a_series_that_a_round_lacks_is_summed_up_from_the_others() -> None:
    found = summaries([{"a": Taken({})}, {"a": turn(4.0)}])

    assert found["a"]["time"].count == 1


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        pytest.param(Goal("a", "time", 3.0), 3.0, True, id="at the goal"),
        pytest.param(Goal("a", "time", 2.9), 3.0, False, id="above it"),
        pytest.param(Goal("a", "time", 9.0, "p99"), 9.0, True, id="by its own statistic"),
        pytest.param(Goal("b", "time", 9.0), None, False, id="what was not measured is not met"),
    ],
)
def test_verdict(goal: Goal, measured: float | None, met: bool) -> None:
    found = verdict(goal, summaries([{"a": turn(1.0, 3.0, 9.0)}]))

    assert (found.measured, found.met) == (measured, met)


def test_ratios_are_taken_within_rounds() -> None:
    # The machine is ten times slower in the second round: both are, so the ratio stays.
    rounds = [{"a": turn(1.0), "b": turn(2.0)}, {"a": turn(10.0), "b": turn(20.0)}, {"a": turn(3.0), "b": turn(4.0)}]

    found = ratio(Comparison("time", "a", "b"), rounds)

    assert found is not None
    assert (found.median, found.lowest, found.highest) == (0.5, 0.5, 0.75)


def test_no_ratio_where_no_round_has_both() -> None:
    assert ratio(Comparison("time", "a", "b"), [{"a": turn(1.0)}, {"b": turn(2.0)}]) is None
