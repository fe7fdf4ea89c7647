"""The latency histogram: merging is counting all at once, and a percentile is right to within an eighth."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.timing import Histogram, bucket_bounds, bucket_of

durations = st.integers(0, 10_000_000) | st.integers(0, 100)
MICROSECOND_MS = 0.001


def counted(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(st.lists(durations)))
def test_merging_is_the_same_as_counting_all_at_once(parts: list[list[int]]) -> None:
    merged = Histogram()
    for part in parts:
        merged.merge(counted(part))
    assert merged == counted([value for part in parts for value in part])


@given(st.lists(durations), st.lists(durations))
def test_the_order_of_merging_does_not_matter(one: list[int], other: list[int]) -> None:
    first, second = counted(one), counted(other)
    first.merge(counted(other))
    second.merge(counted(one))
    assert first == second


@given(st.lists(durations, min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_right_to_within_an_eighth(values: list[int], percent: float) -> None:
    exact = sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)] / 1000
    given_ms = counted(values).percentile_ms(percent)
    assert abs(given_ms - exact) <= exact / 8 + MICROSECOND_MS


@given(st.lists(durations, min_size=1), st.floats(0, 100), st.floats(0, 100))
def test_percentiles_rise_and_never_pass_the_maximum(values: list[int], one: float, other: float) -> None:
    histogram = counted(values)
    low, high = sorted((one, other))
    assert histogram.percentile_ms(low) <= histogram.percentile_ms(high) <= histogram.max_ms


@given(st.integers(0, 2**50))
def test_every_duration_lies_within_the_bounds_of_its_bucket(microseconds: int) -> None:
    low, high = bucket_bounds(bucket_of(microseconds))
    assert low <= microseconds < high
    assert high - low <= max(1, low / 8)


def test_buckets_follow_one_another_without_gap_or_overlap() -> None:
    for bucket in range(300):
        assert bucket_bounds(bucket)[1] == bucket_bounds(bucket + 1)[0]
        assert bucket_of(bucket_bounds(bucket)[0]) == bucket


def test_number_sum_and_maximum_are_exact() -> None:
    histogram = counted([1_500, 2_500, 40_001])
    assert (histogram.count, histogram.total_ms, histogram.max_ms) == (3, 44.001, 40.001)


def test_an_empty_histogram_says_zero() -> None:
    assert [Histogram().percentile_ms(percent) for percent in (0, 50, 100)] == [0, 0, 0]
    assert (Histogram().total_ms, Histogram().max_ms) == (0, 0)


def test_merging_leaves_the_other_as_it_was() -> None:
    other = counted([5, 500])
    mine = Histogram()
    mine.merge(other)
    mine.add(5)
    assert other == counted([5, 500])


@pytest.mark.parametrize("value", [0, 1, 7, 15, 16, 1_000_000])
def test_one_duration_is_every_percentile_or_less(value: int) -> None:
    histogram = counted([value])
    assert histogram.percentile_ms(100) == value / 1000
    assert histogram.percentile_ms(50) <= value / 1000


@given(st.lists(durations), st.integers(0, 30))
def test_counting_below_a_power_of_two_is_exact(values: list[int], power: int) -> None:
    assert counted(values).count_below(1 << power) == sum(value < 1 << power for value in values)
