"""The figures of one meeting, each definition on its own."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from reports import measures, summaries
from reports.provider.payloads import Call, Visit

START = datetime(2026, 3, 9, 2, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def stay(name: str, join: float, leave: float | None) -> Visit:
    return Visit(name, at(join), None if leave is None else at(leave))


def figures(visits, end=60.0, now=None, calls=(), booked=None):
    seconds = None if booked is None else booked * 60
    return measures.summarise(START, None if end is None else at(end), visits, calls, now, seconds)


def test_rejoins_are_a_union_not_a_sum():
    found = figures([stay("A", 0, 30), stay("A", 20, 40), stay("a ", 50, 60)])
    assert (found.attendees, found.visits, found.attendee_seconds, found.used_seconds) == (1, 3, 50 * 60, 50 * 60)
    assert found.state == "solo"


def test_visits_outside_the_meeting_count_as_they_are():
    assert figures([stay("A", -15, 10), stay("B", 5, 70)]).used_seconds == 85 * 60


def test_a_missing_leave_ends_with_the_meeting_or_now():
    assert figures([stay("A", 10, None)]).used_seconds == 50 * 60
    running = figures([stay("A", 10, None)], end=None, now=at(25))
    assert (running.used_seconds, running.open_seconds, running.state) == (15 * 60, 25 * 60, "running")


def test_a_missing_leave_after_the_meetings_end_is_zero():
    assert figures([stay("A", 70, None), stay("B", 0, 10)]).attendee_seconds == 600


def test_a_leave_before_its_join_is_zero_and_flagged():
    assert figures([stay("A", 30, 20)]).used_seconds == 0
    assert measures.attendees_of([stay("A", 30, 20)], at(60), at(60))[0].flagged


def test_what_grows_with_the_clock_is_not_kept_of_a_running_meeting():
    kept = figures([stay("A", 0, None)], end=None)
    assert (kept.open_seconds, kept.used_seconds, kept.attendee_seconds) == (None, None, None)
    assert (kept.attendees, kept.visits, kept.peak_attendees) == (1, 1, 1)


@pytest.mark.parametrize(
    ("visits", "end", "state"),
    [
        (None, 60, "unreported"),
        (None, None, "unreported"),
        ([], None, "running"),
        ([], 60, "empty"),
        ([stay("A", 0, 5)], 60, "solo"),
        ([stay("A", 0, 5), stay("B", 0, 5)], 60, "ended"),
    ],
)
def test_the_most_telling_state(visits, end, state):
    assert figures(visits, end).state == state


@pytest.mark.parametrize(
    ("visits", "end", "booked", "spare"),
    [
        ([stay("A", 0, 30), stay("B", 5, 45)], 60, 60, 15),
        ([stay("A", 0, 30), stay("A", 40, 50)], 60, 60, 10),
        # Who leaves after the booked end leaves nothing over, however early the room was given back.
        ([stay("A", 0, 70)], 50, 60, 0),
        ([stay("A", 0, 60)], 60, 60, 0),
        # A missing leave lasts until the meeting's end.
        ([stay("A", 0, None)], 20, 60, 40),
        ([stay("A", 0, 10), stay("B", 0, None)], 90, 60, 0),
        # A leave before its join holds no time: it ends where it began.
        ([stay("A", 30, 20)], 60, 60, 30),
        # Who was gone before the start leaves no more than was booked.
        ([stay("A", -15, -5)], 60, 60, 60),
        ([], 30, 60, 60),
        ([], 30, 0, 0),
        ([], 30, None, None),
        (None, 30, 60, None),
        ([stay("A", 0, 10)], None, 60, None),
        ([], None, 60, None),
    ],
)
def test_spare_is_what_was_booked_after_the_last_leave(visits, end, booked, spare):
    expected = None if spare is None else spare * 60
    assert figures(visits, end, booked=booked).spare_seconds == expected
    # It does not depend on when it is asked for.
    assert figures(visits, end, now=at(30), booked=booked).spare_seconds == expected


def test_nameless_visits_are_one_attendee():
    assert figures([stay("", 0, 5), stay(" \u3000", 3, 9)]).attendees == 1


def test_an_end_before_the_start_is_no_negative_length():
    assert figures([], end=-5).open_seconds == 0


def test_sums_of_calls():
    def call(minutes, total):
        return Call("+8613912345678", "call-in", None, None, minutes and minutes * 60, total)

    none = figures([], calls=None)
    assert (none.calls, none.call_cost, none.call_seconds, none.unpriced_calls) == (None,) * 4
    mixed = figures([], calls=[call(2, Decimal("0.12")), call(None, None)])
    assert (mixed.calls, mixed.call_cost, mixed.call_seconds, mixed.unpriced_calls) == (2, Decimal("0.12"), 120, 1)


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+8613716819201", "CN"),
        ("13716819201", "CN"),
        ("+85291234567", "HK"),
        ("+12025550123", "US"),
        ("+447700900123", "GB"),
        ("137****9201", ""),
        ("", ""),
        ("anonymous", ""),
    ],
)
def test_country_of_a_number(number, country):
    assert measures.country_of(number) == country


def test_a_day_belongs_to_the_sites_zone(settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    assert str(measures.local_day(datetime(2026, 3, 9, 16, tzinfo=UTC), summaries.site_zone())) == "2026-03-10"
    assert str(measures.call_day(None, datetime(2026, 3, 9, 15, 59, tzinfo=UTC), summaries.site_zone())) == "2026-03-09"
