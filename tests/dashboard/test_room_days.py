"""A room's days as lines: geometry in percent of a day that may have 23 or 25 hours."""

from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard import room_days
from reports.figures.occupancy import Held
from reports.filter import Filter
from tests.support import SHANGHAI

CHOSEN = Filter(rooms=("HOST-1",), first=date(2026, 3, 1), last=date(2026, 3, 31), sort="topic", state="solo")
NEVER = datetime(2020, 1, 1, tzinfo=UTC)
PLACES = (
    ("Asia/Shanghai", date(2026, 3, 8)),
    ("Europe/Berlin", date(2026, 3, 28)),
    ("Europe/Berlin", date(2026, 10, 24)),
)


def held(start, end, booked_end=None, running=False):
    return Held(7, "Topic", "157", start, end, booked_end, running)


def at(day, hour, minute=0):
    return datetime(2026, 3, day, hour, minute, tzinfo=SHANGHAI)


def lines(*found, first=date(2026, 3, 9), last=date(2026, 3, 10), now=NEVER):
    return room_days.days(first, last, first, found, CHOSEN, now)


def test_one_meeting_and_its_booking():
    first, second = lines(held(at(9, 6), at(9, 12), at(9, 18)))
    [bar] = first.bars
    assert (bar.occupied, bar.booked) == (room_days.Span("25.000", "25.000"), room_days.Span("25.000", "50.000"))
    assert (bar.title, bar.url, bar.running) == ("06:00–12:00 Topic · booked until 18:00", "/meetings/7/", False)
    assert (first.chosen, second.chosen, second.bars) == (True, False, [])
    assert (first.open, first.now) == (room_days.Span("37.500", "37.500"), "")
    assert parse_qs(urlsplit(first.url).query) == {"from": ["2026-03-09"], "to": ["2026-03-09"], "state": ["solo"]}


def test_over_midnight_and_a_booking_that_reaches_further():
    first, second = lines(held(at(9, 18), at(10, 6), at(10, 12)))
    assert [bar.occupied for bar in (*first.bars, *second.bars)] == [
        room_days.Span("75.000", "25.000"),
        room_days.Span("0.000", "25.000"),
    ]
    assert second.bars[0].booked == room_days.Span("0.000", "50.000")
    # Ended before the day, booked into it.
    _first, second = lines(held(at(9, 18), at(9, 19), at(10, 12)))
    assert (second.bars[0].occupied, second.bars[0].booked) == (None, room_days.Span("0.000", "50.000"))


def test_now_and_running():
    first, second = lines(held(at(10, 6), at(10, 12), running=True), now=at(10, 12))
    assert (first.now, second.now) == ("", "50.000")
    assert (second.bars[0].running, second.bars[0].title) == (True, "06:00–running Topic")


def test_a_weekend_has_no_opening_hours_and_an_open_day_is_all_of_it():
    assert [day.open for day in lines(first=date(2026, 3, 7), last=date(2026, 3, 8))] == [None, None]
    with override_settings(OPENING_HOURS=((time.min, time.max),) * 7):
        assert [day.open for day in lines()] == [room_days.Span("0.000", "100.000")] * 2


def test_a_minute_is_still_something_to_see():
    assert lines(held(at(9, 6), at(9, 6, 1)))[0].bars[0].occupied.width == "0.250"


def test_the_hours_named_above():
    assert [(tick.hour, tick.x) for tick in lines()[0].ticks][:3] == [(0, "0.000"), (3, "12.500"), (6, "25.000")]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from(PLACES),
    start=st.integers(-2 * 86_400, 4 * 86_400),
    length=st.integers(0, 3 * 86_400),
    booked=st.none() | st.integers(0, 86_400),
)
def test_lines_hold_all_of_a_meeting_and_no_more(place, start, length, booked):
    name, first = place
    zone = ZoneInfo(name)
    days = [first + timedelta(days=number) for number in range(3)]
    edges = [datetime(*day.timetuple()[:3], tzinfo=zone).timestamp() for day in [*days, days[-1] + timedelta(days=1)]]
    begin = datetime.fromtimestamp(edges[0] + start, UTC)
    one = held(begin, begin + timedelta(seconds=length), None if booked is None else begin + timedelta(seconds=booked))
    with override_settings(TIME_ZONE=name):
        found = room_days.days(days[0], days[-1], first, [one], CHOSEN, NEVER)
    assert [line.day for line in found] == days
    for line, low, high in zip(found, edges, edges[1:], strict=False):
        spans = {}
        for what, end in (("occupied", length), ("booked", booked or 0)):
            left, right = max(low, begin.timestamp()), min(high, begin.timestamp() + end)
            spans[what] = (left - low, right - left, high - low) if left < right else None
        if not any(spans.values()):
            assert line.bars == []
            continue
        [bar] = line.bars
        for what, expected in spans.items():
            span = getattr(bar, what)
            assert (span is None) == (expected is None)
            if expected:
                left, width, whole = expected
                assert float(span.x) == pytest.approx(left / whole * 100, abs=0.0006)
                assert float(span.width) == pytest.approx(max(0.25, width / whole * 100), abs=0.0006)


def test_the_named_hours_stand_where_they_are_on_a_day_of_23_hours():
    six = datetime(2026, 3, 29, 6, tzinfo=ZoneInfo("Europe/Berlin"))
    with override_settings(TIME_ZONE="Europe/Berlin"):
        [line] = lines(held(six, six + timedelta(hours=1)), first=six.date(), last=six.date())
    assert line.bars[0].occupied.x == next(tick.x for tick in line.ticks if tick.hour == 6)
