"""The pool, against worlds so small that every second and every number of rooms can be tried."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from reports import courses, exports, folding, kept
from reports.courses import Use
from reports.figures import occupancy, pool, usage
from reports.filter import Filter
from reports.keptmodels import Touched
from reports.models import Ledger, Licence, Meeting, Room
from reports.querysets import clock_hour
from tests.reports.figures.oracle import parts, periods, worlds
from tests.support import NOW, csv_rows, examples, meeting, take

few = examples(40)
many = examples(300)
many_worlds = examples(100)
MARCH_9 = date(2026, 3, 9)

# A world of some seconds -----------------------------------------------------------------------------------

BEGIN, END = 20, 50
BASE = datetime(2026, 3, 9, 1, tzinfo=UTC)  # nine o'clock in Shanghai


def at(second: int) -> datetime:
    return BASE + timedelta(seconds=second)


def second(moment: datetime) -> int:
    return int((moment - BASE).total_seconds())


@st.composite
def seconds(draw: st.DrawFn) -> tuple[list[Use], int]:
    """Meetings around a period from BEGIN to END, and now. Many begin at the same second; some last none, or less."""
    now = draw(st.integers(0, 70))
    uses = []
    for number in range(draw(st.integers(0, 12))):
        start = draw(st.integers(0, END - 1) | st.sampled_from((BEGIN, 30, 30)))
        running = draw(st.integers(0, 4)) == 0
        end = now if running else start + draw(st.integers(-2, 25))
        # What had ended before the period is not asked for.
        if start >= BEGIN or end > BEGIN or running:
            extra = draw(st.sampled_from((None, False, True)))
            uses.append(Use(at(start), f"{draw(st.integers(0, 9))}-{number}", at(end), running, extra, None, number))
    return sorted(uses), now


def run_of(uses: list[Use], now: int) -> courses.Course:
    return courses.course_of(uses, at(BEGIN), at(END), at(now))


def occupied(uses: list[Use], when: int) -> int:
    return sum(use.start <= at(when) < use.end for use in uses)


def in_period(uses: list[Use]) -> list[Use]:
    return [use for use in uses if BEGIN <= second(use.start) < END]


def found_none(uses: list[Use], rooms: int) -> list[Use]:
    """Try it with so many rooms: everybody comes in turn, and whoever finds as many others or more finds none."""
    inside: list[Use] = []
    turned_away = []
    for use in sorted(uses, key=lambda use: (use.start, use.uuid)):
        inside = [other for other in inside if other.end > use.start]
        if len(inside) >= rooms and second(use.start) >= BEGIN:
            turned_away.append(use)
        if use.end > use.start:
            inside.append(use)
    return turned_away


def lent_none(uses: list[Use], rooms: int) -> int:
    """Try it with rooms that are lent out: who finds none free gets an extra room and takes none of the pool."""
    free_at = [BASE - timedelta(days=1)] * rooms
    turned_away = 0
    for use in sorted(uses, key=lambda use: (use.start, use.uuid)):
        free = next((place for place, end in enumerate(free_at) if end <= use.start), None)
        if free is not None:
            free_at[free] = max(use.end, use.start)
        elif second(use.start) >= BEGIN:
            turned_away += 1
    return turned_away


@many
@given(seconds())
def test_every_second_has_as_many_rooms_as_were_occupied_in_it(world):
    uses, now = world
    run = run_of(uses, now)
    counted = [occupied(uses, when) for when in range(BEGIN, END)]
    assert run.peak == max(counted)
    for when in range(BEGIN, END):
        assert run.most(at(when), at(when + 1)) == counted[when - BEGIN]
        assert run.most(at(BEGIN), at(when + 1)) == max(counted[: when - BEGIN + 1])
    assert sorted(run.times) == list(dict.fromkeys(run.times))


@many
@given(seconds())
def test_hours_at_each_level_are_its_seconds_up_to_now(world):
    uses, now = world
    with override_settings(OPENING_HOURS=(None,) * 7):
        levels = pool.levels(run_of(uses, now))
    counted = Counter(occupied(uses, when) for when in range(BEGIN, min(END, now)))
    assert {one.rooms: one.seconds for one in levels if one.seconds} == counted
    assert [one.rooms for one in levels] == list(range(len(levels)))
    for one in levels:
        assert one.at_least_seconds == sum(count for level, count in counted.items() if level >= one.rooms)
        assert one.opening_seconds == 0
        assert (one.hour is None) == (not one.seconds)


@many
@given(seconds())
def test_the_what_if_of_every_number_of_rooms_is_what_trying_it_gives(world):
    uses, now = world
    run = run_of(uses, now)
    asked = pool.what_if(run)
    everybody = in_period(uses)
    assert asked.meetings == len(everybody) == len(run.begun)
    tried = [len(found_none(uses, rooms)) for rooms in range(len(uses) + 2)]
    assert [asked.without(rooms) for rooms in range(len(uses) + 2)] == tried
    assert tried[0] == len(everybody)
    assert tried[-1] == 0
    for one in pool.levels(run):
        assert one.without == tried[one.rooms]
    # The last of the curve serves everybody, and its number is the least that does or the most ever occupied.
    assert pool.levels(run)[-1].without == 0
    for share in (*pool.SHARES, 500, 1, 0):
        enough = [rooms for rooms, left in enumerate(tried) if (len(everybody) - left) * 1000 >= share * len(everybody)]
        assert asked.rooms_for(share) == (enough[0] if everybody else None)
    for rooms, left in enumerate(tried):
        assert asked.served(rooms) == ((len(everybody) - left) / len(everybody) if everybody else None)


@many
@given(seconds())
def test_a_pool_that_is_really_lent_out_never_turns_away_more(world):
    uses, now = world
    asked = pool.what_if(run_of(uses, now))
    for rooms in range(len(uses) + 1):
        assert lent_none(uses, rooms) <= asked.without(rooms)
    if uses and in_period(uses) == uses:
        # And as many rooms are needed to turn nobody away.
        enough = next(rooms for rooms in range(len(uses) + 1) if not lent_none(uses, rooms))
        assert asked.rooms_for(1000) == enough


def test_at_one_instant_ends_come_first_and_those_who_begin_come_in_the_order_of_their_uuids():
    uses = [
        Use(at(start), uuid, at(end), False, None, None, number)
        for number, (uuid, start, end) in enumerate((("z", 21, 30), ("A", 30, 40), ("B", 30, 30), ("a", 30, 40)))
    ]
    run = run_of(sorted(uses), 60)
    assert [(one.use.uuid, one.others) for one in run.begun] == [("z", 0), ("A", 0), ("B", 1), ("a", 1)]
    assert run.peak == 2


@many
@given(seconds(), st.integers(1, 5))
def test_it_ran_short_in_just_the_seconds_in_which_all_rooms_were_occupied(world, rooms):
    uses, now = world
    run = run_of(uses, now)
    longest = pool.longest_shortages(run, rooms, at(now), 99)
    assert longest == sorted(longest, key=lambda one: (-one.seconds, one.start))
    assert pool.longest_shortages(run, rooms, at(now), 2) == longest[:2]
    found = sorted(longest, key=lambda one: one.start)
    assert pool.shortages(run, rooms) == (len(found), sum(one.seconds for one in found))
    short = [when for when in range(BEGIN, min(END, now)) if occupied(uses, when) >= rooms]
    covered = [when for one in found for when in range(second(one.start), second(one.end))]
    assert covered == short  # in order, each once
    for before, after in itertools.pairwise(found):
        assert before.end < after.start  # what touches is one
    for one in found:
        inside = [use for use in in_period(uses) if one.start <= use.start < one.end]
        assert one.most == max(occupied(uses, when) for when in range(second(one.start), second(one.end)))
        assert one.began == len(inside)
        assert one.without == sum(use in found_none(uses, rooms) for use in inside)
        told = [use.extra for use in inside if use.extra is not None]
        assert one.extra == (None if inside and not told else sum(told))
        assert one.going_on == (one.end == at(now) and now < END)
        assert one.seconds == second(one.end) - second(one.start)
    if now >= END:
        assert sum(one.without for one in found) == pool.what_if(run).without(rooms)
        assert sum(one.seconds for one in found) == sum(one.seconds for one in pool.levels(run)[rooms:])


@many
@given(seconds())
def test_the_longest_stretch_at_a_number_of_rooms_or_more_is_told_of_each_that_there_was(world):
    uses, now = world
    counted = [occupied(uses, when) for when in range(BEGIN, min(END, now))]
    stretches = {
        rooms: [len(list(group)) for short, group in itertools.groupby(counted, lambda one: one >= rooms) if short]  # noqa: B023
        for rooms in set(counted)
    }
    found = courses.longest_over(run_of(uses, now))
    assert {rooms: second(BASE + length) for rooms, length in found.items()} == {
        rooms: max(lengths) for rooms, lengths in stretches.items()
    }


@many
@given(seconds(), st.none() | st.integers(1, 5))
def test_extra_rooms_are_judged_by_how_many_rooms_were_free(world, rooms):
    uses, now = world
    found = pool.extras(run_of(uses, now), rooms)
    everybody = in_period(uses)
    told = [use.extra for use in everybody if use.extra is not None]
    assert found.meetings == (None if everybody and not told else sum(told))
    turned_away = found_none(uses, rooms or 0)
    needless = [use for use in everybody if use.extra and rooms and use not in turned_away]
    assert {one.use for one in found.needless} == set(needless)
    free = [(rooms or 0) - one.others for one in found.needless]
    assert free == sorted(free, reverse=True)
    assert all(count > 0 for count in free)


# Hours and days of the clock ---------------------------------------------------------------------------------

TWENTY = timedelta(minutes=20)


@many
@given(
    spans=st.lists(st.tuples(st.integers(0, 100), st.integers(1, 60)), max_size=8),
    place=st.sampled_from((("Asia/Shanghai", 3, 28), ("Europe/Berlin", 3, 28), ("Europe/Berlin", 10, 24))),
    now=st.integers(0, 60),
)
def test_hours_of_the_clock_against_twenty_minutes_each(spans, place, now):
    zone, month, day = place
    here = ZoneInfo(zone)
    begin = datetime(2026, month, day, tzinfo=here).astimezone(UTC)
    end = datetime(2026, month, day + 2, tzinfo=here).astimezone(UTC)  # the clock is set in the second night
    at_now = begin + now * 3 * TWENTY
    uses = sorted(
        Use(begin + (a - 3) * TWENTY, f"{n}", begin + (a - 3 + length) * TWENTY, False, None, None, n)
        for n, (a, length) in enumerate(spans)
        if a - 3 + length > 0
    )
    run = courses.course_of(uses, begin, end, at_now)
    hours: dict[datetime, list[int]] = {}
    at = begin
    while at < end:
        shown = at.astimezone(here).replace(minute=0, tzinfo=None, fold=0)
        hours.setdefault(shown, []).append(sum(use.start <= at < use.end for use in uses))
        at += TWENTY
    with override_settings(TIME_ZONE=zone):
        found = pool.by_hour(run)
        begun = [hour for hour in hours if clock_hour(hour)[0] < at_now]
        assert found == [(hour, max(hours[hour])) for hour in begun]
        whole: dict[date, int] = {}
        for hour, held_in in hours.items():
            whole[hour.date()] = max(whole.get(hour.date(), 0), *held_in)
        assert pool.by_day(run) == [(day, whole[day]) for day in dict.fromkeys(hour.date() for hour in begun)]
        for count in (1, 3, 10):
            expected = sorted(
                ((-max(hours[hour]), -sum(hours[hour]) * 1200, hour) for hour in begun if max(hours[hour])),
            )[:count]
            worst = pool.worst_hours(run, count)
            assert [(-one.most, -one.room_seconds, one.hour) for one in worst] == expected
        # The longest stretch at a level began in the hour that stands for it; of equals the first.
        held = [sum(use.start <= begin + number * TWENTY < use.end for use in uses) for number in range(now * 3)]
        stretches: dict[int, list[tuple[int, int]]] = {}
        number = 0
        for rooms, group in itertools.groupby(held[: (end - begin) // TWENTY]):
            length = len(list(group))
            stretches.setdefault(rooms, []).append((-length, number))
            number += length
        for level in pool.levels(run):
            if level.rooms not in stretches:
                assert level.hour is None
                continue
            longest = begin + min(stretches[level.rooms])[1] * TWENTY
            assert level.hour == longest.astimezone(here).replace(minute=0, tzinfo=None)


@few
@given(world=worlds(), data=st.data())
def test_an_hour_counts_the_meetings_that_its_link_shows(db, world, data):
    narrowed = data.draw(parts())
    narrowed.pop("during", None)
    chosen = replace(data.draw(periods(world)), **narrowed)
    with world.kept():
        run = pool.course(chosen, world.now)
        for one in pool.worst_hours(run, 3):
            linked = replace(chosen, first=None, last=None, during=one.hour)
            assert Meeting.objects.matching(linked).count() == one.meetings
            assert one.meetings >= one.most > 0
        for level in pool.levels(run):
            if level.hour is not None:
                linked = replace(chosen, first=None, last=None, during=level.hour)
                assert Meeting.objects.matching(linked).count() >= level.rooms


def test_a_running_meeting_that_begins_in_a_moment_is_in_the_hour_as_its_link_shows(db):
    take(
        meeting(uuid="a", start_time="2026-03-10 12:00:00", end_time="2026-03-10 12:40:00"),
        meeting(uuid="b", start_time="2026-03-10 12:30:00", end_time=None),
        now=NOW,
    )
    [one] = pool.worst_hours(pool.course(Filter(first=date(2026, 3, 10)), NOW + timedelta(minutes=20)), 3)
    assert Meeting.objects.matching(Filter(during=one.hour)).count() == one.meetings == 2


@pytest.mark.parametrize(("first", "second", "others"), [("A", "a", {0: 1, 1: 1}), ("a", "A", {0: 2})])
def test_of_those_that_begin_at_one_second_the_order_is_that_of_their_uuids(db, first, second, others):
    # The one lasts an hour and the other no time at all. Capitals come first, in every database.
    take(meeting(uuid=second, end_time="2026-03-09 10:00:00"), meeting(uuid=first))
    assert pool.what_if(pool.course(Filter(), NOW)).others == others


# Of a ledger ---------------------------------------------------------------------------------------------------


@few
@given(world=worlds(), data=st.data())
def test_the_course_of_a_filter_is_that_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts(world)))
    with world.kept() as oracle:
        run = pool.course(chosen, world.now)
        days = oracle.days(chosen)
        low, high = oracle.midnight(days[0]), oracle.midnight(days[-1] + timedelta(days=1))
        assert (run.begin.timestamp(), run.end.timestamp()) == (low, high)
        spans = sorted((m.start, m.uuid, m.until) for m in oracle.fitting(chosen))
        points = sorted({low, *(p for a, _, b in spans for p in (a, b) if low <= p < min(high, oracle.now))})
        lasted: Counter[int] = Counter()
        opened: Counter[int] = Counter()
        until = max(low, min(high, oracle.now))
        quarters = [part for part in oracle.quarters(low, until) if oracle._is_open(part[0])]
        for a, b in zip(points, [*points[1:], until], strict=True):
            count = sum(start <= a < end for start, _, end in spans)
            lasted[count] += b - a
            opened[count] += sum(max(0, min(b, d) - max(a, c)) for c, d in quarters)
        levels = pool.levels(run)
        assert {one.rooms: one.seconds for one in levels if one.seconds} == {k: v for k, v in lasted.items() if v}
        assert {one.rooms: one.opening_seconds for one in levels if one.opening_seconds} == {
            k: v for k, v in opened.items() if v
        }
        others = Counter(
            sum(a <= start < b and (a, other) < (start, uuid) for a, other, b in spans)
            for start, uuid, _end in spans
            if low <= start < high
        )
        assert pool.what_if(run) == pool.WhatIf(others.total(), others)
        # The same as elsewhere on the site.
        assert run.peak == occupancy.peak(chosen, world.now)
        assert pool.what_if(run).meetings == usage.totals(chosen, world.now).meetings
        assert pool.extras(run, None).meetings == usage.totals(chosen, world.now).extra
        here = oracle.local(oracle.now - 1).date()
        assert pool.by_day(run) == [(day, most) for day, most in oracle.peaks(chosen) if day <= here]


@few
@given(world=worlds(), data=st.data())
def test_pool_csv_has_a_row_for_every_number_of_rooms(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts(world)))
    with world.kept():
        rows = csv_rows(b"".join(exports.write(exports.POOL, chosen, world.now)))
        levels = pool.levels(pool.course(chosen, world.now))
        total = usage.totals(chosen, world.now).meetings
    assert [int(row["level"]) for row in rows] == list(range(len(levels)))
    for row, one in zip(rows, levels, strict=True):
        assert row["hours_at_level"] == f"{one.seconds / 3600:.2f}" or one.seconds % 18 == 0
        assert (int(row["meetings_without_room"]), int(row["meetings"])) == (one.without, total)
        assert (row["served_percent"] == "") == (not total)
    if total:
        assert (rows[0]["served_percent"], rows[-1]["served_percent"]) == ("0.0", "100.0")


@pytest.fixture
def three_sizes(db):
    """Two rooms of 10 seats and one of 50, one whose size is not known, two temporary ones."""
    Room.objects.bulk_create(
        Room(host_id=host, capacity=seats, temporary=host.startswith("T"))
        for host, seats in (("A", 10), ("B", 10), ("C", 50), ("D", None), ("T1", None), ("T2", None))
    )


def test_each_size_counts_only_its_own_rooms(three_sizes):
    take(
        meeting(uuid="1", host_id="A"),
        meeting(uuid="2", host_id="B", start_time="2026-03-09 10:30:00"),
        meeting(uuid="3", host_id="C", start_time="2026-03-09 12:00:00", end_time="2026-03-09 12:30:00"),
        meeting(uuid="4", host_id="C", start_time="2026-03-09 12:30:00", end_time="2026-03-09 13:30:00"),
        meeting(uuid="5", host_id="D"),
        meeting(uuid="6", host_id="T1", is_extra=1),
        meeting(uuid="7", host_id="T2", is_extra=1),
        meeting(uuid="8", host_id="", is_extra=1),
        meeting(uuid="9", host_id="", is_extra=None),
    )
    chosen = Filter(first=MARCH_9, last=MARCH_9)
    run = pool.course(chosen, NOW)
    found = {
        (one.kind, one.seats): (one.rooms, one.asked.meetings, one.peak, one.all_seconds, one.asked.rooms_for(1000))
        for one in pool.by_size(run, pool.size(chosen))
    }
    assert found == {
        ("size", 10): (2, 2, 2, 1800, 2),
        ("size", 50): (1, 2, 1, 5400, 1),
        ("unknown", None): (1, 2, 2, 3600, 2),
        ("extra", None): (None, 3, 3, None, 3),
    }
    assert [one.host_ids for one in pool.by_size(run, pool.size(chosen))] == [["A", "B"], ["C"], [], []]
    # A size that is rented and never used is told as well.
    Licence.objects.create(capacity={"10": 2, "500": 3}, first_seen_at=NOW, last_seen_at=NOW)
    found_again = {(one.kind, one.seats): one for one in pool.by_size(run, pool.size(chosen))}
    assert (found_again["size", 500].rooms, found_again["size", 500].asked.meetings) == (3, 0)
    assert found_again["size", 50].rooms is None
    assert found_again["unknown", None].rooms is None


@few
@given(world=worlds(), data=st.data())
def test_sizes_add_up_to_the_meetings_of_the_filter(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts(world)))
    with world.kept() as oracle:
        Room.objects.filter(host_id="HOST-1").update(capacity=25)
        run = pool.course(chosen, world.now)
        found = pool.by_size(run, pool.size(chosen))
        assert sum(one.asked.meetings for one in found) == pool.what_if(run).meetings
        for one in found:
            if one.kind == "size":
                mine = [m for m in oracle.fitting(chosen) if m.host == "HOST-1"]
                asked = Counter(
                    sum(o.start <= m.start < o.until and (o.start, o.uuid) < (m.start, m.uuid) for o in mine)
                    for m in mine
                    if run.begin.timestamp() <= m.start < run.end.timestamp()
                )
                assert one.asked.others == asked


# The size of the pool ------------------------------------------------------------------------------------------


def licence(day: int, **capacity: int) -> Licence:
    seen = NOW + timedelta(days=day)
    counts = {size.removeprefix("of"): rooms for size, rooms in capacity.items()}
    return Licence.objects.create(capacity=counts, first_seen_at=NOW, last_seen_at=seen)


def told(chosen: Filter = Filter()) -> tuple[int | None, str, dict[int | None, int], int]:  # noqa: B008
    found = pool.size(chosen)
    return found.rooms, found.source, dict(found.by_capacity), found.known


def test_the_pool_is_as_large_as_is_rented_else_as_is_known(three_sizes):
    assert told() == (4, "rooms", {10: 2, 50: 1, None: 1}, 4)
    licence(0, of25=5, of100=1)
    assert told() == (6, "licence", {25: 5, 100: 1}, 4)
    # The newest counts, and one that tells no number does not.
    licence(-1, of25=900)
    assert told()[0] == 6
    licence(1)
    assert told() == (4, "rooms", {10: 2, 50: 1, None: 1}, 4)


def test_under_a_filter_of_rooms_they_are_the_pool(three_sizes):
    licence(0, of25=5)
    assert told(Filter(rooms=("A", "C"))) == (2, "chosen", {10: 1, 50: 1}, 2)
    assert told(Filter(rooms=("A", "T1", "nobody's"))) == (2, "chosen", {10: 1}, 2)
    assert told(Filter(rooms=("nobody's",))) == (None, "chosen", {}, 0)
    assert told(Filter(allowed_rooms=frozenset({"A", "T1"}))) == (1, "rooms", {10: 1}, 1)
    assert told(Filter(rooms=("A", "C"), allowed_rooms=frozenset({"C"}))) == (1, "chosen", {50: 1}, 1)


def test_without_a_room_nobody_knows_the_size(db):
    assert told() == (None, "rooms", {}, 0)
    run = pool.course(Filter(first=MARCH_9, last=MARCH_9), NOW)
    assert pool.by_size(run, pool.size(Filter())) == []
    assert pool.what_if(run).rooms_for(990) is None
    assert [tuple(one)[:5] for one in pool.levels(run)] == [(0, 86_400, 86_400, 32_400, 0)]


# Edges of the period ---------------------------------------------------------------------------------------------


def test_a_period_to_come_has_no_hours_yet(db):
    take(meeting(uuid="runs", start_time="2026-03-10 11:00:00", end_time=None))
    run = pool.course(Filter(first=date(2026, 3, 11), last=date(2026, 3, 12)), NOW)
    assert (pool.by_hour(run), pool.by_day(run), pool.worst_hours(run, 5)) == ([], [], [])
    assert [one.seconds for one in pool.levels(run)] == [0]
    today = pool.course(Filter(first=date(2026, 3, 10), last=date(2026, 3, 12)), NOW)
    assert [one.seconds for one in pool.levels(today)] == [11 * 3600, 3600]
    assert pool.by_hour(today)[-1] == (datetime(2026, 3, 10, 11), 1)
    assert [one.going_on for one in pool.longest_shortages(today, 1, NOW, 5)] == [True]


def test_an_open_period_begins_with_the_ledger(db):
    take(meeting(start_time="2026-03-01 10:00:00", end_time="2026-03-01 11:00:00"))
    levels = pool.levels(pool.course(Filter(), NOW))
    assert sum(one.seconds for one in levels) == 9 * 86_400 + 12 * 3600
    assert levels[1].seconds == 3600


def test_a_meeting_of_no_length_at_the_first_midnight_began_in_the_period(db):
    midnight = "2026-03-09 00:00:00"
    take(
        meeting(uuid="none", start_time=midnight, end_time=midnight),
        meeting(uuid="before", start_time="2026-03-08 23:00:00", end_time=midnight),
        meeting(uuid="after", start_time="2026-03-10 00:00:00"),
    )
    run = pool.course(Filter(first=MARCH_9, last=MARCH_9), NOW)
    assert [(one.use.uuid, one.others) for one in run.begun] == [("none", 0)]
    assert run.peak == 0


@pytest.mark.parametrize("last", [date(2026, 3, 29), date(2026, 10, 25)])  # in the middle a clock is set
@pytest.mark.parametrize(("days", "by_hour"), [(13, True), (14, True), (15, False)])
def test_a_fortnight_is_shown_by_the_hour(db, last, days, by_hour):
    with override_settings(TIME_ZONE="Europe/Berlin"):
        last += timedelta(days=3)
        run = pool.course(Filter(first=last - timedelta(days=days - 1), last=last), NOW)
        assert pool.is_by_hour(run) == by_hour


# From what is kept of days -------------------------------------------------------------------------------------


def everything(chosen: Filter, now: datetime, rooms: int) -> dict[str, Any]:
    """All that a period says of the pool, whatever it is made from."""
    run = pool.course(chosen, now)
    extras = pool.extras(run, rooms)
    return {
        "edges": (run.begin, run.end, run.until, run.peak),
        "levels": pool.levels(run),
        "what if": pool.what_if(run),
        "hours": pool.by_hour(run),
        "days": pool.by_day(run),
        "course": pool.concurrency(run),
        "worst": [pool.worst_hours(run, count) for count in (1, 3, 10)],
        "short": pool.shortages(run, rooms),
        "longest": [pool.longest_shortages(run, rooms, now, count) for count in (1, 2, 99)],
        "extras": (extras.meetings, extras.free, [(one.use.pk, one.others) for one in extras.needless]),
        "sizes": pool.by_size(run, pool.size(chosen)),
    }


@many_worlds
@given(world=worlds(), data=st.data())
def test_kept_days_say_the_same_as_the_meetings(db, world, data):
    chosen = data.draw(periods(world))
    rooms = data.draw(st.integers(1, 4))
    later = world.now + data.draw(st.sampled_from((timedelta(), timedelta(hours=7), timedelta(days=3))))
    with world.kept():
        Room.objects.filter(host_id="HOST-1").update(capacity=25)
        if data.draw(st.booleans()):
            folding.fold()
        found = everything(chosen, later, rooms)
        Ledger.objects.update(opening_hours="")  # nothing kept is used
        assert isinstance(pool.course(chosen, later), courses.Course)
        assert everything(chosen, later, rooms) == found


def test_long_and_running_meetings_lie_over_kept_days(db):
    nights = [("2026-03-01", "2026-03-02"), ("2026-03-02", "2026-03-03"), ("2026-03-04", "2026-03-05")]
    take(
        *(
            meeting(uuid=f"night-{begin}", start_time=f"{begin} 20:00:00", end_time=f"{end} 06:00:00", is_extra=1)
            for begin, end in nights
        ),
        meeting(uuid="long", start_time="2026-02-27 12:00:00", end_time="2026-03-04 00:00:00", host_id="HOST-2"),
        meeting(uuid="runs", start_time="2026-02-28 09:00:00", end_time=None, host_id="", is_extra=1),
        # At a midnight that a running one lies over.
        meeting(uuid="until", start_time="2026-03-06 22:00:00", end_time="2026-03-07 00:00:00"),
        meeting(uuid="from", start_time="2026-03-09 00:00:00", end_time="2026-03-09 00:30:00"),
    )
    chosen = Filter(first=date(2026, 2, 26), last=date(2026, 3, 12))
    folding.fold()
    assert isinstance(pool.course(chosen, NOW), pool.Days)
    found = [everything(chosen, NOW, rooms) for rooms in (1, 2, 3)]
    assert found[0]["edges"][3] == 3
    Ledger.objects.update(opening_hours="")
    assert [everything(chosen, NOW, rooms) for rooms in (1, 2, 3)] == found


def test_a_night_shorter_than_its_two_days_say_hides_no_longer_stretch(db):
    stretches = [
        ("2026-03-02 09:00:00", "2026-03-02 12:00:00"),
        ("2026-03-02 23:30:00", "2026-03-03 00:30:00"),
        ("2026-03-03 09:00:00", "2026-03-03 12:00:00"),
        ("2026-03-05 09:00:00", "2026-03-05 13:00:00"),
    ]
    take(*(meeting(uuid=start, start_time=start, end_time=end) for start, end in stretches))
    folding.fold()
    run = pool.course(Filter(first=date(2026, 3, 1), last=date(2026, 3, 8)), NOW)
    assert [one.seconds // 3600 for one in pool.longest_shortages(run, 1, NOW, 1)] == [4]
    assert [one.seconds // 3600 for one in pool.longest_shortages(run, 1, NOW, 3)] == [4, 3, 3]


@pytest.mark.parametrize("change", [{"capacity": 50}, {"capacity": None}, {"temporary": True}])
def test_a_room_whose_size_changes_touches_its_days(three_sizes, change):
    take(meeting(uuid="a", host_id="A", start_time="2026-03-06 23:00:00", end_time="2026-03-07 01:00:00"))
    take(meeting(uuid="b", host_id="B", start_time="2026-03-01 10:00:00", end_time="2026-03-01 11:00:00"))
    folding.fold()
    Room.objects.filter(host_id="A").update(name="Other", capacity=10)
    assert not Touched.objects.exists()
    Room.objects.filter(host_id="A").update(**change)
    touched = kept.not_kept(date(2026, 3, 1), date(2026, 3, 7))
    assert touched == {date(2026, 3, 6), date(2026, 3, 7)}
    folding.fold()
    found = everything(Filter(), NOW, 1)
    Ledger.objects.update(opening_hours="")
    assert everything(Filter(), NOW, 1) == found


def test_a_period_that_is_kept_reads_no_meetings(three_sizes):
    days = [f"2026-01-{day:02}" for day in range(1, 32)]
    take(*(meeting(uuid=day, start_time=f"{day} 10:00:00", end_time=f"{day} 11:00:00", host_id="A") for day in days))
    folding.fold()
    with CaptureQueriesContext(connection) as queries:
        found: Any = everything(Filter(first=date(2026, 1, 1), last=date(2026, 1, 31)), NOW, 2)
    assert len(found["levels"]) > 1
    for query in queries:
        if 'FROM "reports_meeting"' in query["sql"]:
            assert '"end_time" IS NULL' in query["sql"] or '"open_seconds" > 86400' in query["sql"], query["sql"]
