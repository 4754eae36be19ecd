"""Totals and days against plain Python; what is not told is unknown, and the sums agree."""

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from reports import exports, kept
from reports.figures import usage
from reports.figures.usage import Totals
from reports.filter import Filter
from tests.reports.figures.oracle import most_at_once, parts, periods, worlds
from tests.support import NOW, call, csv_rows, examples, meeting, take, visit

pytestmark = pytest.mark.django_db
few = examples(40)
MARCH_9 = date(2026, 3, 9)
DAY = Filter(first=MARCH_9, last=MARCH_9)


def table(name, chosen=DAY, now=NOW):
    return csv_rows(b"".join(exports.write(exports.TABLES[name], chosen, now, raw=True)))


def added(values):
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def tenths(value):
    return str(value.quantize(Decimal("0.1"), ROUND_HALF_UP))


@few
@given(world=worlds(), data=st.data())
def test_totals_and_days_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        assert usage.totals(chosen, world.now)._asdict() == oracle.totals(chosen)
        found = usage.days(chosen, world.now)
        assert [(day, totals._asdict()) for day, totals in found] == oracle.by_day(chosen)


@few
@given(world=worlds(least=1), data=st.data())
def test_days_rooms_and_groups_add_up_to_the_totals(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept():
        totals = usage.totals(chosen, world.now)._asdict()
        by_day = [one._asdict() for _day, one in usage.days(chosen, world.now)]
        by_room = [one._asdict() for one in usage.by_room(chosen, world.now).values()]
    for name, whole in totals.items():
        assert added(one[name] for one in by_day) == whole or whole is None, name
        # No room: nothing was there, and nothing is zero.
        assert (added(one[name] for one in by_room) if by_room else 0) == whole or whole is None, name


@few
@given(world=worlds(), data=st.data())
def test_each_meetings_figures_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        rows = list(usage.meetings(chosen))
        found = usage.live_summaries(rows, world.now)
        expected = {m.uuid: m for m in oracle.meetings(chosen)}
        visits = csv_rows(b"".join(exports.write(exports.PARTICIPANTS, chosen, world.now, raw=True)))
    assert {row.uuid for row in rows} == expected.keys()
    for row in rows:
        one, m = found[row.pk], expected[row.uuid]
        stays = None if m.visits is None else [(visit.join, visit.until) for visit in m.visits]
        assert (one.state, one.open_seconds, one.used_seconds) == (m.state, m.open, m.used)
        assert one.attendee_seconds == m.attendee_seconds
        assert one.attendees == (None if stays is None else len(m.attendees))
        assert one.visits == (None if stays is None else len(stays))
        most = None if stays is None else max((most_at_once(stays, a, b) for a, b in stays if a < b), default=0)
        assert one.peak_attendees == most
        sums = oracle.sums([m], m.calls or [])
        for name in ("calls", "call_seconds", "call_cost", "unpriced_calls"):
            assert getattr(one, name) == sums[name]
    shown = [(row["uuid"], row["name"], row["leave_time"] == "", row["minutes"]) for row in visits]
    assert sorted(shown) == sorted(
        (m.uuid, visit.name, visit.leave is None, tenths(Decimal(visit.until - visit.join) / 60))
        for m, visit in oracle.visits(chosen)
    )


def test_a_selection_without_meetings_is_zero():
    assert usage.totals(Filter(), NOW) == Totals()
    [row] = table("days")
    assert row == {
        **dict.fromkeys(("meetings", "extra_meetings", "empty_meetings", "attendees"), "0"),
        **dict.fromkeys(("booked_hours", "open_hours", "used_hours", "attendee_hours", "call_cost"), "0.00"),
        **dict.fromkeys(("peak_concurrent_rooms", "calls", "unpriced_calls"), "0"),
        "day": "2026-03-09",
        "call_minutes": "0.0",
        "currency": "CNY",
    }


def test_a_day_a_room_and_an_hour_as_rows():
    take(meeting(uuid="a"), meeting(uuid="b", host_id="HOST-2", is_extra=1, participants=[], telephony_usage=[]))
    sums = {"meetings": "2", "extra_meetings": "1", "empty_meetings": "1", "attendees": "2", "calls": "1"}
    lengths = {"booked_hours": "2.00", "open_hours": "2.00", "used_hours": "1.00", "attendee_hours": "1.50"}
    calls = {"call_minutes": "10.0", "call_cost": "0.60", "currency": "CNY"}
    [day] = table("days")
    assert day == {"day": "2026-03-09", **sums, **lengths, **calls, "peak_concurrent_rooms": "2", "unpriced_calls": "0"}
    room = next(row for row in table("rooms") if row["host_id"] == "HOST-1")
    assert room == {
        **dict.fromkeys(("room", "capacity"), ""),
        **dict.fromkeys(("extra_meetings", "empty_meetings", "solo_meetings"), "0"),
        **(lengths | calls),
        "host_id": "HOST-1",
        "meetings": "1",
        "booked_hours": "1.00",
        "open_hours": "1.00",
        "utilisation_percent": "11.1",
        "attendees": "2",
        "calls": "1",
    }
    [hour] = [row for row in table("hours") if row["meetings"] != "0"]
    assert hour == {"weekday": "1", "hour": "10", "meetings": "2", "open_hours": "2.00"}


SILENT = {"participants": None, "telephony_usage": None, "duration": None, "is_extra": None}
UNKNOWN = {"extra_meetings", "booked_hours", "used_hours", "attendees", "attendee_hours", "calls", "call_minutes"}


def test_what_no_meeting_tells_is_unknown_and_never_zero():
    take(meeting(uuid="a", **SILENT), meeting(uuid="b", end_time=None, **SILENT))
    totals = usage.totals(DAY, NOW)
    assert (totals.meetings, totals.unreported, totals.running, totals.open_seconds) == (2, 2, 1, 27 * 3600)
    unknown = {name for name, value in totals._asdict().items() if value is None}
    assert unknown == {
        *("extra", "booked_seconds", "used_seconds", "attendees", "attendee_seconds", "visits", "calls"),
        *("call_seconds", "call_cost", "unpriced_calls"),
    }
    [day], [room] = table("days"), table("rooms")
    assert {name for name, value in day.items() if value == ""} == UNKNOWN | {"call_cost", "unpriced_calls"}
    assert {name for name, value in room.items() if value == ""} == UNKNOWN | {"room", "capacity", "call_cost"}


def test_one_meeting_that_tells_makes_a_sum_known():
    take(meeting(uuid="a", **SILENT), meeting(uuid="b", participants=[], telephony_usage=[], duration=0, is_extra=0))
    totals = usage.totals(DAY, NOW)
    assert (totals.used_seconds, totals.attendees, totals.visits, totals.attendee_seconds) == (0, 0, 0, 0)
    assert (totals.extra, totals.booked_seconds, totals.calls) == (0, 0, 0)
    assert (totals.call_seconds, totals.call_cost, totals.unpriced_calls) == (0, Decimal("0.00"), 0)
    assert (totals.empty, totals.unreported) == (1, 1)


def test_calls_of_which_none_has_a_price_cost_an_unknown_amount():
    take(meeting(telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", None, None) for _ in range(2)]))
    totals = usage.totals(DAY, NOW)
    assert (totals.calls, totals.call_cost, totals.call_seconds, totals.unpriced_calls) == (2, None, None, 2)
    [row] = table("days")
    assert (row["calls"], row["call_cost"], row["call_minutes"], row["unpriced_calls"]) == ("2", "", "", "2")


def test_a_free_call_is_not_an_unpriced_one():
    take(meeting(telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", 0, 0)]))
    totals = usage.totals(DAY, NOW)
    assert (totals.call_cost, totals.call_seconds, totals.unpriced_calls) == (Decimal("0.00"), 0, 0)


def test_costs_add_up_exactly():
    take(meeting(telephony_usage=[call("1", "10:05:00", "10:15:00", 1, "0.1") for _ in range(30)]))
    assert usage.totals(DAY, NOW).call_cost == Decimal("3.00")
    assert table("days")[0]["call_cost"] == "3.00"


def test_a_running_meeting_counts_until_now_beside_ended_ones():
    inside = [visit("A", "11:40:00", None, "2026-03-10"), visit("B", "11:45:00", "11:50:00", "2026-03-10")]
    take(
        meeting(uuid="a", start_time="2026-03-10 11:30:00", end_time=None, participants=inside),
        meeting(uuid="b", start_time="2026-03-10 10:00:00", end_time="2026-03-10 10:30:00", participants=[]),
    )
    totals = usage.totals(Filter(first=date(2026, 3, 10)), NOW)
    assert (totals.open_seconds, totals.used_seconds, totals.attendee_seconds) == (3600, 1200, 1500)


def test_what_runs_is_read_once_an_answer_and_counts_in_its_own_days():
    begun = {"a": date(2026, 3, 8), "b": date(2026, 3, 9), "c": date(2026, 3, 10)}
    for uuid, day in begun.items():
        stays = [visit("A", "10:00:00", None, f"{day}")]
        take(meeting(uuid=uuid, start_time=f"{day} 10:00:00", end_time=None, participants=stays))
    spans = [(None, None), (MARCH_9, None), (None, MARCH_9), (MARCH_9, MARCH_9), (date(2026, 3, 11), None)]
    chosen = [Filter(first=first, last=last, rooms=rooms) for first, last in spans for rooms in ((), ("HOST-1",))]
    apart = [(usage.totals(one, NOW), usage.by_room(one, NOW)) for one in chosen]
    assert [totals.running for totals, _by_room in apart] == [3, 3, 2, 2, 2, 2, 1, 1, 0, 0]
    with kept.steady(), CaptureQueriesContext(connection) as queries:
        assert [(usage.totals(one, NOW), usage.by_room(one, NOW)) for one in chosen] == apart
    of_visits = [query for query in queries if 'FROM "reports_participant"' in query["sql"]]
    # For all periods together, and for each that is narrowed to a room.
    assert len(of_visits) == 1 + 4


def test_a_late_call_counts_on_its_own_day_and_in_no_other():
    late = [call("+8613912345678", "00:10:00", "00:20:00", 10, 1, "2026-03-10")]
    take(meeting(start_time="2026-03-09 23:30:00", end_time="2026-03-10 00:30:00", telephony_usage=late))
    days = dict(usage.days(Filter(first=MARCH_9, last=date(2026, 3, 10)), NOW))
    assert (days[MARCH_9].meetings, days[MARCH_9].calls) == (1, 0)
    assert (days[date(2026, 3, 10)].meetings, days[date(2026, 3, 10)].calls) == (0, 1)
    assert days[date(2026, 3, 10)].call_cost == Decimal("1.00")


def test_the_days_of_an_open_period_hold_every_call():
    # Dialled before midnight into a meeting that began after it: the ledger's first day is the call's.
    early = [call("+8613912345678", "23:58:00", "23:59:00", 1, 1, "2026-02-28")]
    take(meeting(start_time="2026-03-01 00:01:00", end_time="2026-03-01 00:30:00", telephony_usage=early))
    assert usage.totals(Filter(), NOW).calls == 1
    assert sum(totals.calls or 0 for _day, totals in usage.days(Filter(), NOW)) == 1


@few
@given(world=worlds(least=1), data=st.data())
def test_meetings_come_in_order_with_unknown_last(db, world, data):
    name = data.draw(st.sampled_from(("attendees", "booked_minutes", "calls", "visits")))
    descending = data.draw(st.booleans())
    attribute = {"booked_minutes": "duration"}.get(name, name)
    with world.kept():
        rows = list(usage.meetings(Filter(sort=f"-{name}" if descending else name)))
    values = [getattr(row, attribute) for row in rows]
    known = [value for value in values if value is not None]
    assert len(rows) == len(world.records)
    assert known == sorted(known, reverse=descending)
    assert values == known + [None] * (len(values) - len(known))
