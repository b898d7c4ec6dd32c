"""Percentiles within their error, merging and travelling without loss: for any values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.telemetry.histogram import (
    BUCKETS,
    MAX_NS,
    Histogram,
    HistogramRecord,
    bounds_of,
    bucket_of,
    grown,
    merged,
)

VALUES = st.lists(st.integers(0, MAX_NS) | st.integers(0, 2_000_000_000), max_size=200)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_buckets_cover_every_value_once() -> None:
    end = -1
    for bucket in range(BUCKETS):
        low, high = bounds_of(bucket)
        assert low == end + 1
        assert bucket_of(low) == bucket_of(high) == bucket
        assert high - low <= low / 32
        end = high
    assert end == MAX_NS


@given(VALUES.filter(bool), st.floats(0, 100))
def test_percentiles_are_within_two_percent(values: list[int], percent: float) -> None:
    found = histogram_of(values).percentile_ns(percent)
    rank = max(1, -int(-len(values) * percent // 100))
    exact = sorted(values)[rank - 1]
    assert abs(found - exact) <= 0.02 * exact


@given(VALUES)
def test_count_sum_least_and_greatest_are_exact(values: list[int]) -> None:
    record = histogram_of(values).to_record()
    assert (record.count, record.sum_ns) == (len(values), sum(values))
    assert (record.min_ns, record.max_ns) == ((min(values), max(values)) if values else (0, 0))


@given(VALUES)
def test_a_record_holds_all_of_it(values: list[int]) -> None:
    record = histogram_of(values).to_record()
    assert merged([record]).to_record() == record


@given(VALUES, VALUES)
def test_merging_is_the_same_as_recording_both(first: list[int], second: list[int]) -> None:
    both = histogram_of(first)
    both.merge(histogram_of(second))
    assert both.to_record() == histogram_of(first + second).to_record()


@given(VALUES, VALUES)
def test_growth_is_what_was_recorded_since(before: list[int], since: list[int]) -> None:
    later = histogram_of(before + since).to_record()
    found = grown(later, histogram_of(before).to_record())
    assert found.count == len(since)
    assert found.sum_ns == sum(since)
    expected = histogram_of(since)
    for percent in (0, 50, 99, 100):
        assert found.percentile_ns(percent) == pytest.approx(expected.percentile_ns(percent), rel=0.032)


def test_growth_of_a_histogram_that_began_anew_is_all_of_it() -> None:
    assert grown(histogram_of([5]).to_record(), histogram_of([9, 9]).to_record()).count == 1


@given(VALUES, st.lists(st.integers(0, MAX_NS), min_size=1, max_size=8))
def test_cumulative_counts_never_fall_and_are_right_within_a_bucket(values: list[int], bounds: list[int]) -> None:
    bounds.sort()
    counts = histogram_of(values).cumulative(bounds)
    assert counts == sorted(counts)
    for bound, count in zip(bounds, counts, strict=True):
        assert sum(value <= bound * 0.967 - 1 for value in values) <= count
        assert count <= sum(value <= bound * 1.033 + 1 for value in values)


@pytest.mark.parametrize(("value", "counted_as"), [(-5, 0), (MAX_NS + 1, MAX_NS), (2**70, MAX_NS)])
def test_values_beyond_the_ends_count_as_the_ends(value: int, counted_as: int) -> None:
    assert histogram_of([value]).to_record() == histogram_of([counted_as]).to_record()


def test_an_empty_histogram_is_an_empty_record() -> None:
    assert Histogram().to_record() == HistogramRecord()
    assert Histogram().percentile_ns(99) == 0


@pytest.mark.parametrize(("count", "width"), [(255, 1), (256, 2), (65_536, 4)])
def test_counts_travel_in_the_narrowest_width(count: int, width: int) -> None:
    record = histogram_of([1_000_000] * count).to_record()
    assert (record.width_bytes, len(record.counts)) == (width, width)


def test_a_percentile_outside_0_to_100_is_an_error() -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        Histogram().percentile_ns(101)
