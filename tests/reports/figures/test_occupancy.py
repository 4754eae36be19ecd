"""When rooms were occupied, against counts that any child could make."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from hypothesis import example, given
from hypothesis import strategies as st

from reports import clockwork, exports, holding, intervals
from reports.figures import occupancy, usage
from reports.figures.occupancy import Occupied
from reports.filter import Filter
from reports.models import Meeting, Room
from tests.reports.figures.oracle import parts, periods, worlds
from tests.support import NOW, SHANGHAI, csv_rows, examples, meeting, take

few = examples(40)
many = examples(300)
MARCH_9 = date(2026, 3, 9)  # a Monday


# Concurrent rooms ------------------------------------------------------------------------------------------


@many
@given(
    spans=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), max_size=10),
    zone=st.sampled_from(("Asia/Shanghai", "Europe/Berlin")),
)
def test_peaks_are_the_most_in_any_hour_of_each_day(spans, zone):
    # Whole units of four hours around the night in which Berlin's clock is set, counted one by one.
    here = ZoneInfo(zone)
    begin = datetime(2026, 3, 27, tzinfo=here).astimezone(UTC)
    unit = timedelta(hours=1)
    spans = [(start * 4, start * 4 + length) for start, length in spans]
    occupied = [Occupied(begin + a * unit, begin + b * unit, None) for a, b in spans]
    days = [date(2026, 3, 28) + timedelta(days=number) for number in range(4)]
    expected = dict.fromkeys(days, 0)
    for number in range(200):
        at = begin + number * unit
        day = at.astimezone(here).date()
        if day in expected:
            expected[day] = max(expected[day], sum(a <= number < b for a, b in spans))
    assert occupancy.peaks_of(occupied, days, here) == list(expected.items())


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=SHANGHAI)


def test_who_leaves_makes_room_and_midnight_belongs_to_the_new_day():
    days = [date(2026, 3, day) for day in (9, 10, 11)]
    one_after_the_other = [Occupied(at(9, 8), at(9, 10), 1), Occupied(at(9, 10), at(9, 12), 1)]
    assert [most for _day, most in occupancy.peaks_of(one_after_the_other, days, SHANGHAI)] == [1, 0, 0]
    to_midnight = [Occupied(at(9, 22), at(10, 0), 1), Occupied(at(9, 23), at(11, 1), 2)]
    assert [most for _day, most in occupancy.peaks_of(to_midnight, days, SHANGHAI)] == [2, 1, 1]
    assert occupancy.peaks_of([], days, SHANGHAI) == [(day, 0) for day in days]


@few
@given(world=worlds(), data=st.data())
def test_peaks_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        expected = oracle.peaks(chosen)
        assert occupancy.peaks(chosen, world.now) == expected
        assert occupancy.peak(chosen, world.now) == max(most for _day, most in expected)


@few
@given(world=worlds(), data=st.data(), few_ids=st.sampled_from((0, 1, 500)))
def test_long_meetings_are_found_however_many_there_are(db, world, data, few_ids):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle, pytest.MonkeyPatch.context() as patch:
        patch.setattr(holding, "FEW", few_ids)
        assert occupancy.peaks(chosen, world.now) == oracle.peaks(chosen)


def test_a_meeting_that_began_before_the_period_is_in_its_peak(db):
    take(meeting(uuid="a", start_time="2026-03-07 10:00:00", end_time="2026-03-09 00:00:01"))
    take(meeting(uuid="b", start_time="2026-03-07 10:00:00", end_time="2026-03-09 00:00:00"))
    assert occupancy.peak(Filter(first=MARCH_9, last=MARCH_9), NOW) == 1


# Opening hours -----------------------------------------------------------------------------------------------

lengths = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 8)), max_size=6)


def disjoint(pieces):
    """Gaps and lengths as spans of moments that neither touch nor overlap, and the seconds they hold."""
    spans, seconds, place = [], set(), 0
    for gap, length in pieces:
        place += gap + 1
        spans.append((at(9, 0) + timedelta(seconds=place), at(9, 0) + timedelta(seconds=place + length)))
        seconds |= set(range(place, place + length))
        place += length
    return spans, seconds


@many
@given(lengths, lengths)
def test_inside_is_a_count_of_common_seconds(one, other):
    held, held_seconds = disjoint(one)
    opened, opened_seconds = disjoint(other)
    assert clockwork.inside(held, opened) == len(held_seconds & opened_seconds)


@few
@given(world=worlds(), data=st.data())
def test_utilisation_is_that_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        found, opening = occupancy.utilisation(chosen, world.now)
        hosts = {None: "", **{room.pk: room.host_id for room in Room.objects.all()}}
        seconds = {hosts[room]: held for room, held in found.items() if held}
        assert (seconds, opening) == oracle.utilisation(chosen)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Europe/Berlin", (2026, 3, 29), 23), ("Europe/Berlin", (2026, 10, 25), 25), ("Asia/Shanghai", (2026, 3, 29), 24)],
)
def test_a_day_that_is_open_all_day_is_as_long_as_it_is(settings, zone, day, hours):
    settings.TIME_ZONE = zone
    settings.OPENING_HOURS = ((time.min, time.max),) * 7
    assert intervals.seconds(clockwork.opening(date(*day), date(*day))) == hours * 3600


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 2), ((2026, 10, 25), 4), ((2026, 3, 22), 3)])
def test_opening_hours_over_the_night_in_which_the_clock_is_set(settings, day, hours):
    settings.TIME_ZONE = "Europe/Berlin"
    settings.OPENING_HOURS = (*[None] * 6, (time(1), time(4)))
    opened = clockwork.opening(date(*day), date(*day))
    assert intervals.seconds(opened) == hours * 3600
    [(begin, end)] = opened
    assert clockwork.inside([(begin - timedelta(days=1), end + timedelta(days=1))], opened) == hours * 3600


def test_two_meetings_of_a_room_at_once_count_once(db):
    take(meeting(uuid="a"), meeting(uuid="b"))
    found, opening = occupancy.utilisation(Filter(first=MARCH_9, last=MARCH_9), NOW)
    assert (list(found.values()), opening) == ([3600], 9 * 3600)


def test_days_without_opening_hours_have_none(db):
    take(meeting(start_time="2026-03-08 10:00:00", end_time="2026-03-08 11:00:00"))
    found, opening = occupancy.utilisation(Filter(first=date(2026, 3, 7), last=date(2026, 3, 8)), NOW)
    assert (list(found.values()), opening) == ([0], 0)


# The clock of the week -------------------------------------------------------------------------------------


@few
@given(world=worlds(), data=st.data())
def test_hours_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        assert [tuple(hour) for hour in occupancy.hours(chosen, world.now)] == oracle.hours(chosen)


@examples(80)
@given(
    start=st.integers(0, 6 * 86_400),
    length=st.integers(-60, 7200) | st.integers(0, 86_500) | st.sampled_from((86_399, 86_400)),
    place=st.sampled_from((("Europe/Berlin", 3, 27), ("Europe/Berlin", 10, 23), ("Asia/Kathmandu", 3, 27))),
)
@example(start=2 * 86_400 + 3600, length=3 * 3600, place=("Europe/Berlin", 3, 27))
@example(start=2 * 86_400 + 3600, length=3 * 3600, place=("Europe/Berlin", 10, 23))
def test_one_meeting_is_split_as_its_interval_is(db, start, length, place):
    name, month, day = place
    zone = ZoneInfo(name)
    begin = datetime(2026, month, day, tzinfo=zone).astimezone(UTC) + timedelta(seconds=start)
    end = begin + timedelta(seconds=length)
    with override_settings(TIME_ZONE=name):
        Meeting.objects.all().delete()
        Room.objects.all().delete()
        take(meeting(start_time=begin.strftime("%Y-%m-%dT%H:%M:%SZ"), end_time=end.strftime("%Y-%m-%dT%H:%M:%SZ")))
        found = {(one.weekday, one.hour): one.open_seconds for one in occupancy.hours(Filter(), end)}
    expected = dict.fromkeys(itertools.product(range(1, 8), range(24)), 0)
    for day, hour, (one, other) in intervals.by_hour((begin, end), zone):
        expected[day.isoweekday(), hour] += int((other - one).total_seconds())
    assert found == expected


def test_an_hour_that_the_clock_repeats_counts_twice(db, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    take(meeting(start_time="2026-10-24T23:30:00Z", end_time="2026-10-25T02:30:00Z"))
    hours = {(one.weekday, one.hour): one for one in occupancy.hours(Filter(), NOW)}
    seconds = [hours[7, hour].open_seconds for hour in range(5)]
    assert seconds == [0, 1800, 7200, 1800, 0]
    assert hours[7, 1].meetings == 1


@few
@given(world=worlds(least=1), data=st.data())
def test_hours_csv_and_days_csv_have_the_same_open_time(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept():
        hours = csv_rows(b"".join(exports.write(exports.HOURS, chosen, world.now)))
        days = csv_rows(b"".join(exports.write(exports.DAYS, chosen, world.now)))
        by_hour = sum(one.open_seconds for one in occupancy.hours(chosen, world.now))
        by_day = sum(one.open_seconds for _day, one in usage.days(chosen, world.now))
    assert by_hour == by_day
    assert len(hours) == 168
    assert [(row["weekday"], row["hour"]) for row in hours] == [
        (str(day), str(hour)) for day in range(1, 8) for hour in range(24)
    ]
    assert sum(int(row["meetings"]) for row in hours) == sum(int(row["meetings"]) for row in days)
    # Each row is rounded by itself, by half a hundredth at most.
    difference = sum(Decimal(row["open_hours"]) for row in hours) - sum(Decimal(row["open_hours"]) for row in days)
    assert abs(difference) <= Decimal("0.005") * (len(hours) + len(days))


# A room's days -----------------------------------------------------------------------------------------------


@few
@given(world=worlds(), data=st.data())
def test_a_rooms_days_hold_every_meeting_that_occupies_or_books_them(db, world, data):
    chosen = Filter(rooms=("HOST-1",))
    first = data.draw(periods(world, open_sides=False)).first
    last = first + timedelta(days=data.draw(st.integers(0, 3)))
    with world.kept() as oracle:
        held = occupancy.held(chosen, first, last, world.now)
        low, high = oracle.midnight(first), oracle.midnight(last + timedelta(days=1))
        known = {m.uuid: m for m in oracle.fitting(chosen)}
        uuids = dict(Meeting.objects.values_list("pk", "uuid"))
    needed = {m.uuid for m in known.values() if m.start < high and max(m.until, m.start + (m.booked or 0)) > low}
    found = [uuids[one.pk] for one in held]
    assert needed <= set(found) <= known.keys()
    assert [one.start for one in held] == sorted(one.start for one in held)
    for one in held:
        m = known[uuids[one.pk]]
        assert (one.start.timestamp(), one.running) == (m.start, m.end is None)
        assert one.end.timestamp() == (max(m.start, m.until) if one.running else m.end)
        assert (one.booked_end and one.booked_end.timestamp()) == (None if m.booked is None else m.start + m.booked)


def test_what_was_held_tells_its_booking_and_whether_it_runs(db):
    take(
        meeting(uuid="a", duration=90),
        meeting(uuid="b", start_time="2026-03-10 11:00:00", end_time=None, duration=None, topic=""),
    )
    first, second = occupancy.held(Filter(), MARCH_9, date(2026, 3, 10), NOW)
    assert (first.start, first.end, first.booked_end) == (
        datetime(2026, 3, 9, 2, tzinfo=UTC),
        datetime(2026, 3, 9, 3, tzinfo=UTC),
        datetime(2026, 3, 9, 3, 30, tzinfo=UTC),
    )
    assert (first.running, first.topic) == (False, "周例会")
    assert (second.end, second.booked_end, second.running, second.topic) == (NOW, None, True, "1571106323")


def test_a_booking_that_reaches_into_the_day_of_a_meeting_that_had_ended_before_it(db):
    take(
        meeting(uuid="a", start_time="2026-03-08 23:00:00", end_time="2026-03-08 23:30:00", duration=120),
        meeting(uuid="b", start_time="2026-03-06 23:00:00", end_time="2026-03-06 23:30:00", duration=120),
    )
    found = occupancy.held(Filter(), MARCH_9, MARCH_9, NOW)
    assert [one.booked_end for one in found] == [datetime(2026, 3, 8, 17, tzinfo=UTC)]


def test_the_last_day_in_use(db):
    assert occupancy.last_day_in_use(Filter(), NOW) == date(2026, 3, 10)
    take(meeting(uuid="a"), meeting(uuid="b", start_time="2026-03-01 10:00:00", end_time="2026-03-01 11:00:00"))
    assert occupancy.last_day_in_use(Filter(), NOW) == MARCH_9
    assert occupancy.last_day_in_use(Filter(last=date(2026, 3, 8)), NOW) == date(2026, 3, 1)
    assert occupancy.last_day_in_use(Filter(first=date(2026, 2, 1), last=date(2026, 2, 3)), NOW) == date(2026, 2, 3)
