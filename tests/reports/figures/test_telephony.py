"""What calls cost, told apart in every way, against plain Python; an unpriced call is never a free one."""

from dataclasses import asdict, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import exports
from reports.figures import telephony
from reports.figures.telephony import Calls
from reports.filter import Filter
from tests.reports.figures.oracle import parts, periods, worlds
from tests.support import NOW, call, csv_rows, examples, meeting, take

pytestmark = pytest.mark.django_db
few = examples(40)
KEYS = {
    "type": lambda one: one.type,
    "country": lambda one: one.country,
    "phone": lambda one: one.number,
    "room": lambda one: one.meeting.host,
}


def apart(calls, key):
    found: dict[Any, list[Any]] = {}
    for one in calls:
        found.setdefault(key(one), []).append(one)
    return found


@few
@given(world=worlds(), data=st.data())
def test_the_total_and_every_group_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        calls = oracle.calls(chosen)
        assert asdict(telephony.total(chosen)) == oracle.call_sums(calls)
        for by, key in KEYS.items():
            groups = telephony.groups(chosen, by)
            expected = apart(calls, key)
            assert {one.key: asdict(one.calls) for one in groups} == {
                value: oracle.call_sums(rows) for value, rows in expected.items()
            }
            assert {one.key: one.last for one in groups} == {
                value: max(row.day for row in rows) for value, rows in expected.items()
            }
            assert len(groups) == len(expected)
            # Dearest first, unknown last; the top ones are the first of all.
            costs = [one.calls.cost for one in groups]
            known = [cost for cost in costs if cost is not None]
            assert costs == sorted(known, reverse=True) + [None] * (len(costs) - len(known))
            for most in (1, 2, 50):
                assert telephony.dearest(chosen, by, most) == (groups[:most], len(groups))
            # Groups added up are the total.
            assert telephony.add(one.calls for one in groups) == telephony.total(chosen)


@few
@given(world=worlds(), data=st.data())
def test_months_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        found = telephony.months(chosen, world.now)
        calls = apart(oracle.calls(chosen), lambda one: one.day.replace(day=1))
        days = {day.replace(day=1) for day in oracle.days(chosen)}
        assert [month.first for month in found] == sorted(days)
        for month in found:
            rows = calls.get(month.first, [])
            assert asdict(month.calls) == oracle.call_sums(rows)
            assert {kind: asdict(one) for kind, one in month.by_type.items()} == {
                kind: oracle.call_sums(some) for kind, some in apart(rows, KEYS["type"]).items()
            }
        assert set(telephony.types(found)) == {one.type for rows in calls.values() for one in rows}


def test_months_of_an_open_period():
    early = [call("+8613912345678", "23:58:00", "23:59:00", 1, 1, "2026-02-28")]
    take(meeting(start_time="2026-03-01 00:01:00", end_time="2026-03-01 00:30:00", telephony_usage=early))
    assert sum(month.calls.calls for month in telephony.months(Filter(), NOW)) == 1


@few
@given(world=worlds(), data=st.data())
def test_calls_are_listed_in_order_with_unknown_last(db, world, data):
    name = data.draw(st.sampled_from(("minutes", "cost", "start_time")))
    descending = data.draw(st.booleans())
    column = telephony.TELEPHONY_SORTS[name]
    with world.kept() as oracle:
        rows = list(telephony.calls(Filter(sort=f"-{name}" if descending else name)))
        assert len(rows) == len(oracle.calls(Filter()))
    values = [getattr(row, column) for row in rows]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=descending) + [None] * (len(values) - len(known))


@few
@given(world=worlds(), data=st.data())
def test_the_first_calls_are_the_first_of_all_in_order(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept():
        spans = (chosen, replace(chosen, last=None), data.draw(periods(world)), Filter())
        for some in (*spans, *(replace(one, sort="-cost") for one in spans)):
            whole = list(telephony.calls(some).values_list("pk", flat=True))
            for first, last in ((0, 1), (0, 3), (2, 5)):
                shown = telephony.some_calls(some, telephony.total(some), first, last)
                assert [call.pk for call in shown] == whole[first:last]


@few
@given(world=worlds(), data=st.data(), few_calls=st.sampled_from((0, 1000)))
def test_the_dearest_meetings_are_those_of_plain_python(db, world, data, few_calls):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle, pytest.MonkeyPatch.context() as patch:
        patch.setattr(telephony, "FEW_CALLS", few_calls)
        found = telephony.dearest_meetings(chosen, 3)
        dear = [one for one in oracle.calls(chosen) if one.cost is not None and one.cost > 0]
        sums = {uuid: oracle.call_sums(rows) for uuid, rows in apart(dear, lambda one: one.meeting.uuid).items()}
    assert [calls.cost for _meeting, calls in found] == sorted((one["cost"] for one in sums.values()), reverse=True)[:3]
    for one, calls in found:
        assert calls.cost == sums[one.uuid]["cost"]


def test_the_newest_meeting_may_have_its_call_on_a_day_before_the_period():
    take(
        meeting(
            uuid="older",
            start_time="2026-03-08 10:00:00",
            end_time="2026-03-08 11:00:00",
            telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", 10, "1.00", day="2026-03-08")],
        ),
        meeting(
            uuid="newer",
            telephony_usage=[call("+8613900000000", "10:05:00", "10:15:00", 10, "1.00", day="2026-03-06")],
        ),
    )
    chosen = Filter(first=date(2026, 3, 7))
    [one] = telephony.some_calls(chosen, telephony.total(chosen), 0, 1)
    assert one.meeting.uuid == "older"


def test_unpriced_calls_are_counted_and_never_free():
    take(
        meeting(
            telephony_usage=[
                call("+8613912345678", "10:05:00", "10:15:00", 10, None),
                call("+8613912345678", "10:25:00", "10:35:00", None, None),
            ]
        )
    )
    assert telephony.total(Filter()) == Calls(2, 600, None, 2, 0, Decimal(0))
    assert telephony.total(Filter()).minute_price is None
    assert [row["cost"] for row in csv_rows(b"".join(exports.write(exports.TELEPHONY, Filter(), NOW)))] == ["", ""]
    assert telephony.total(Filter(phone="nobody's")) == Calls()


def test_the_price_of_a_minute_is_over_calls_with_a_price_and_a_length():
    take(
        meeting(
            telephony_usage=[
                call("1", "10:00:00", "10:15:00", 10, "1"),
                call("2", "10:00:00", "10:15:00", None, "100"),
                call("3", "10:00:00", "10:15:00", 100, None),
                call("4", "10:00:00", "10:15:00", 5, "2"),
                call("5", "10:00:00", "10:15:00", 0, "50"),
            ]
        )
    )
    assert telephony.total(Filter()).minute_price == Decimal("0.2000")


part = st.builds(
    Calls,
    calls=st.integers(1, 3),
    seconds=st.none() | st.integers(0, 999),
    cost=st.none() | st.decimals(0, 9, places=2),
    unpriced=st.integers(0, 3),
    priced_seconds=st.integers(0, 9),
    priced_cost=st.decimals(0, 9, places=2),
)


@given(st.lists(part | st.just(Calls()), max_size=5), st.integers(0, 5))
def test_adding_is_the_same_in_any_bracketing(found, place):
    assert telephony.add(found) == telephony.add([telephony.add(found[:place]), telephony.add(found[place:])])
    silent = [one for one in found if one.calls]
    if silent and all(one.cost is None for one in silent):
        assert telephony.add(found).cost is None


def test_the_usual_directions_come_first():
    months = [telephony.Month(date(2026, 3, 1), Calls(), dict.fromkeys(("", "zz", "Call-Out", "call-in"), Calls()))]
    assert telephony.types(months) == ["call-in", "Call-Out", "", "zz"]


def test_equally_dear_groups_are_told_apart_by_length_then_count():
    take(
        meeting(
            telephony_usage=[
                call("b", "10:00:00", "10:15:00", 10, "1"),
                call("a", "10:00:00", "10:15:00", 20, "1"),
                call("d", "10:00:00", "10:15:00", None, "1"),
                call("c", "10:00:00", "10:15:00", None, None),
            ]
        )
    )
    assert [one.key for one in telephony.groups(Filter(), "phone")] == ["a", "b", "d", "c"]
