"""Periods, and how much of one was pulled."""

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.figures import coverage, period
from reports.filter import Filter
from reports.models import PulledDay
from tests.support import NOW, meeting, take

days = st.dates(date(2001, 1, 1), date(2090, 12, 31))
TODAY = date(2026, 3, 10)


@given(days)
def test_presets_are_what_their_names_say(today):
    lengths = {"7d": 7, "30d": 30, "90d": 90}
    for name, length in lengths.items():
        first, last = period.preset(name, today)
        assert (last, (last - first).days + 1) == (today, length)
    first, last = period.preset("12m", today)
    assert last == today
    # The day before it is the same day of the year before, or the last of a February.
    before = first - timedelta(days=1)
    assert (before.year, before.month) == (today.year - 1, today.month)
    assert before.day == min(today.day, calendar.monthrange(before.year, before.month)[1])
    assert period.preset("month", today) == (today.replace(day=1), today)
    assert period.preset("year", today) == (date(today.year, 1, 1), today)
    first, last = period.preset("last-month", today)
    assert (first.day, last + timedelta(days=1)) == (1, today.replace(day=1))
    assert first.month == last.month
    assert period.preset("all", today) == (None, None)


@given(days)
def test_the_end_of_a_month(day):
    assert period.month_end(day).day == calendar.monthrange(day.year, day.month)[1]
    assert (period.month_end(day).year, period.month_end(day).month) == (day.year, day.month)


@given(days, st.integers(1, 500))
def test_the_previous_period_is_as_long_and_ends_the_day_before(first, length):
    chosen = Filter(first=first, last=first + timedelta(days=length - 1), period="x", compare=True)
    before = chosen.previous()
    assert (before.last, before.days) == (first - timedelta(days=1), length)
    assert (before.period, before.compare) == ("", False)


@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [
        *(("Asia/Shanghai", "2026-03-09", 16), ("Europe/Berlin", "2026-03-29", 23)),
        # After a clock was set, midnight is at another hour of UTC.
        *(("Europe/Berlin", "2026-03-30", 22), ("Europe/Berlin", "2026-10-26", 23), ("UTC", "2026-03-09", 0)),
    ],
)
def test_a_day_begins_at_the_local_midnight(settings, zone, day, hour):
    settings.TIME_ZONE = zone
    day = date.fromisoformat(day)
    begins = period.midnight(day)
    assert (begins.utcoffset(), begins.hour) == (timedelta(0), hour)
    assert begins == period.midnight(day, ZoneInfo(zone))
    assert (period.today(begins), period.today(begins - timedelta(seconds=1))) == (day, day - timedelta(days=1))


def test_an_open_period_reaches_over_the_ledger_and_to_today(db):
    assert period.span(Filter(), NOW) == (TODAY, TODAY)
    assert period.span(Filter(last=date(2026, 1, 5)), NOW) == (date(2026, 1, 5), date(2026, 1, 5))
    assert period.span(Filter(first=date(2027, 1, 5)), NOW) == (date(2027, 1, 5), date(2027, 1, 5))
    take(meeting(uuid="a", start_time="2025-12-31 23:00:00"), meeting(uuid="b", start_time="2026-04-01 08:00:00"))
    assert period.span(Filter(), NOW) == (date(2025, 12, 31), date(2026, 4, 1))
    assert period.span(Filter(last=date(2026, 1, 5)), NOW) == (date(2025, 12, 31), date(2026, 1, 5))
    assert period.span(Filter(first=TODAY), NOW) == (TODAY, date(2026, 4, 1))
    assert period.span(Filter(first=TODAY, last=TODAY), NOW) == (TODAY, TODAY)


def test_the_bounds_of_a_period(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    sunday = date(2026, 3, 29)
    assert period.bounds(Filter(first=sunday, last=sunday), NOW) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("last", "first", "end"),
    [
        ("2026-03-04", "2025-04-01", "2026-03-31"),
        ("2026-02-01", "2025-03-01", "2026-02-28"),
        # Days to come have no cost yet.
        ("2027-01-01", "2025-04-01", "2026-03-31"),
        ("2024-12-31", "2024-01-01", "2024-12-31"),
    ],
)
def test_the_year_up_to_a_period_is_twelve_whole_months(last, first, end):
    chosen = Filter(first=date(2024, 1, 1), last=date.fromisoformat(last), period="x", compare=True, rooms=("A",))
    found = period.year_up_to(chosen, NOW)
    assert (str(found.first), str(found.last)) == (first, end)
    assert (found.rooms, found.period, found.compare) == (("A",), "", False)


def test_there_is_a_previous_period_only_where_the_ledger_reaches(db):
    chosen = Filter(first=date(2026, 3, 5), last=date(2026, 3, 9))
    assert period.known_before(chosen, NOW) is None
    take(meeting(uuid="a", start_time="2026-02-28 12:00:00"))
    before = period.known_before(chosen, NOW)
    assert (before.first, before.last) == (date(2026, 2, 28), date(2026, 3, 4))
    assert period.known_before(Filter(first=date(2026, 3, 4), last=date(2026, 3, 9)), NOW) is None
    assert period.known_before(Filter(), NOW) is None


# Coverage ------------------------------------------------------------------------------------------------


def test_coverage_counts_whole_days_up_to_today(db):
    for day, complete in (("2026-03-07", NOW), ("2026-03-08", None), ("2026-03-09", NOW), ("2026-03-12", NOW)):
        PulledDay.objects.create(day=day, complete_at=complete)
    month = (date(2026, 3, 1), date(2026, 3, 31))
    assert coverage.of_days(*month, NOW) == coverage.Coverage(10, 2)
    assert coverage.of_days(date(2026, 3, 8), date(2026, 3, 8), NOW) == coverage.Coverage(1, 0)
    assert coverage.of_days(date(2026, 4, 1), date(2026, 4, 2), NOW) == coverage.Coverage(0, 0)


def test_coverage_is_unknown_where_days_are_not_pulled(db, settings):
    settings.UMEET_PULL_DATES = False
    PulledDay.objects.create(day="2026-03-07", complete_at=NOW)
    assert coverage.of_days(date(2026, 3, 1), date(2026, 3, 9), NOW) == coverage.Coverage(9, None)
