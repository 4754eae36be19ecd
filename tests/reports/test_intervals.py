"""Interval algebra against a plain count of seconds."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import intervals

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)
START = datetime(2026, 3, 1, tzinfo=UTC)
moments = st.integers(0, 3 * 24 * 3600).map(lambda second: START + timedelta(seconds=second))


def held(given_spans: list[tuple[int, int]]) -> set[int]:
    return {point for start, end in given_spans for point in range(start, end)}


@given(spans)
def test_union_holds_the_same_points_in_disjoint_order(given_spans):
    merged = intervals.union(given_spans)
    assert held(merged) == held(given_spans)
    assert all(start < end for start, end in merged)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(merged))


@given(spans)
def test_peak_is_the_most_at_one_point(given_spans):
    most = max((sum(start <= point < end for start, end in given_spans) for point in range(41)), default=0)
    assert intervals.peak(given_spans) == most


def test_leaves_come_before_joins_at_one_instant():
    assert intervals.peak([(0, 5), (5, 9)]) == 1


@given(st.tuples(st.integers(0, 40), st.integers(0, 40)), st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_clip_is_the_intersection(one, other):
    part = intervals.clip(one, other)
    assert held([part] if part else []) == held([one]) & held([other])


@given(st.lists(st.tuples(moments, moments), max_size=6))
def test_seconds_of_moments_are_the_seconds_they_hold(given_spans):
    plain = [(int((a - START).total_seconds()), int((b - START).total_seconds())) for a, b in given_spans]
    assert intervals.seconds(given_spans) == sum(end - start for start, end in intervals.union(plain))


@pytest.mark.parametrize("name", ["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
@given(start=st.integers(0, 400 * 24 * 3600), length=st.integers(0, 3 * 24 * 3600))
def test_splitting_loses_and_doubles_nothing_and_names_the_local_clock(name, start, length):
    zone = ZoneInfo(name)
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=start)
    span = (begin, begin + timedelta(seconds=length))
    for parts in (
        [(day, None, part) for day, part in intervals.by_day(span, zone)],
        [(day, hour, part) for day, hour, part in intervals.by_hour(span, zone)],
    ):
        assert sum((part[1] - part[0] for *_, part in parts), timedelta()) == span[1] - span[0]
        assert all(before[2][1] == after[2][0] for before, after in itertools.pairwise(parts))
        for day, hour, part in parts:
            assert part[0] < part[1]
            for point in (part[0], part[1] - timedelta(seconds=1)):
                local = point.astimezone(zone)
                assert local.date() == day
                assert hour is None or local.hour == hour


def test_a_day_that_is_an_hour_short_has_23_hours():
    zone = ZoneInfo("Europe/Berlin")
    span = (datetime(2026, 3, 29, tzinfo=zone).astimezone(UTC), datetime(2026, 3, 30, tzinfo=zone).astimezone(UTC))
    assert [day for day, _ in intervals.by_day(span, zone)] == [date(2026, 3, 29)]
    assert len(list(intervals.by_hour(span, zone))) == 23
