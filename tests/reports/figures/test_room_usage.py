"""The rooms compared: who is there, and with what figures."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import exports, folding
from reports.figures import telephony, usage
from reports.figures.room_usage import FIGURE_OF, ROOM_SORTS, most_used, room_usage, some_rooms
from reports.filter import Filter
from reports.models import Room
from tests.reports.figures.oracle import parts, periods, worlds
from tests.support import NOW, call, csv_rows, examples, meeting, take

pytestmark = pytest.mark.django_db
few = examples(40)
MARCH_9 = date(2026, 3, 9)
DAY = Filter(first=MARCH_9, last=MARCH_9)


@few
@given(world=worlds(), data=st.data())
def test_rooms_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        found = {one.host_id: (one.totals._asdict(), one.utilisation) for one in room_usage(chosen, world.now)}
        assert found == oracle.rooms(chosen)


@few
@given(world=worlds(least=1), data=st.data())
def test_rooms_csv_holds_the_calls_of_telephony_csv(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept():
        rooms = csv_rows(b"".join(exports.write(exports.ROOMS, chosen, world.now, raw=True)))
        calls = csv_rows(b"".join(exports.write(exports.TELEPHONY, chosen, world.now, raw=True)))
    by_host = {row["host_id"]: row["calls"] for row in rooms}
    assert sum(int(value or 0) for value in by_host.values()) == len(calls)
    for host in {row["host_id"] for row in calls}:
        assert int(by_host[host]) == sum(row["host_id"] == host for row in calls)


@few
@given(world=worlds(), data=st.data(), most=st.integers(1, 3))
def test_the_most_used_rooms_are_the_first_of_all_in_that_order(db, world, data, most):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept():
        rows = [
            replace(one, totals=one.totals._replace(**usage.UNKNOWN_CALLS))
            for one in room_usage(replace(chosen, sort="-used_hours"), world.now)
            if one.room and one.totals.meetings
        ]
        assert most_used(chosen, world.now, most) == rows[:most]


SORTS = [*ROOM_SORTS, *(f"-{name}" for name in ROOM_SORTS)]


def held_by_all(chosen, now, size):
    """A page of rooms is a part of all rooms, and its largest figures are those of all."""
    rows = room_usage(chosen, now)
    found = some_rooms(chosen, now, size, list(FIGURE_OF.values()))
    page = max(1, min(chosen.page, -(-len(rows) // size)))
    assert found.rooms == len(rows)
    assert found.rows == rows[(page - 1) * size : page * size]
    for name in FIGURE_OF.values():
        known = [value for one in rows if one.room and (value := getattr(one.totals, name)) is not None]
        assert found.most[name] == max([0, *known])


@examples(100)
@given(world=worlds(), data=st.data())
def test_a_page_of_rooms_is_a_part_of_all(db, world, data):
    part = {"sort": data.draw(st.sampled_from(SORTS) | st.just("")), "page": data.draw(st.integers(1, 4))}
    chosen = replace(data.draw(periods(world)), **data.draw(parts()), **part)
    with world.kept():
        held_by_all(chosen, world.now, data.draw(st.integers(1, 3)))


@pytest.mark.parametrize("sort", SORTS)
def test_pages_of_equal_rooms_hold_each_once_in_the_order_of_their_names(sort):
    take(
        *(
            meeting(
                uuid=f"{number}",
                host_id=f"T{number * 7 % 10}" if number else "",
                participants=None if number % 4 == 1 else [],
                telephony_usage=[call("1", "10:00:00", "10:01:00", 60, "1.00")] * (number % 3),
            )
            for number in range(12)
        )
    )
    Room.objects.bulk_create(Room(host_id=host) for host in ("IDLE-1", "IDLE-2"))
    for number in range(10):
        Room.objects.filter(host_id=f"T{number}").update(
            temporary=number > 3, label=f"Name {number * 3 % 10}" if number % 2 else "", capacity=number % 3 or None
        )
    for page in range(1, 7):
        held_by_all(replace(DAY, sort=sort, page=page), NOW, 3)


@pytest.mark.parametrize("folded", [False, True])
def test_rooms_that_were_only_called_after_midnight_are_there_too(folded):
    night = {"start_time": "2026-03-08 23:30:00", "end_time": "2026-03-09 00:30:00"}
    after = [call("1", "00:10:00", "00:20:00", 10, "3.00")]
    take(
        meeting(uuid="a", host_id="TEMP", is_extra=1, telephony_usage=after, **night),
        meeting(uuid="b", telephony_usage=after * 2, **night),
        meeting(uuid="c", host_id="", is_extra=1, telephony_usage=after, **night),
        meeting(uuid="d", host_id="OTHER", is_extra=1, telephony_usage=[]),
    )
    if folded:
        folding.fold()
    assert {one.host_id: one.totals.calls for one in room_usage(DAY, NOW)} == {
        "HOST-1": 2,
        "TEMP": 1,
        "": 1,
        "OTHER": 0,
    }
    for sort in ("-calls", "-call_cost", "meetings", "room"):
        for page in (1, 2, 3, 4):
            held_by_all(replace(DAY, sort=sort, page=page), NOW, 1)


def test_a_cost_that_was_given_back_is_not_the_largest_there_is():
    take(
        meeting(uuid="a", telephony_usage=[call("1", "10:00:00", "10:01:00", 60, "-1.50")]),
        meeting(uuid="b", host_id="T1", telephony_usage=None),
    )
    held_by_all(DAY, NOW, 1)
    assert some_rooms(DAY, NOW, 1, ["call_cost"]).most == {"call_cost": 0}


def hosts(chosen=DAY):
    return [one.host_id for one in room_usage(chosen, NOW)]


def test_idle_rooms_of_the_pool_are_there_and_temporary_ones_only_with_a_meeting():
    take(
        meeting(uuid="a", start_time="2026-02-09 10:00:00", end_time="2026-02-09 11:00:00", telephony_usage=[]),
        meeting(uuid="b", host_id="TEMP", is_extra=1, start_time="2026-02-09 10:00:00", telephony_usage=[]),
    )
    assert hosts() == ["HOST-1"]
    [idle] = room_usage(DAY, NOW)
    assert (idle.totals.meetings, idle.totals.calls, idle.utilisation) == (0, 0, 0.0)
    assert set(hosts(Filter())) == {"HOST-1", "TEMP"}
    assert hosts(replace(DAY, allowed_rooms=frozenset())) == []


def test_the_unknown_room_is_a_row_of_its_own_at_the_end_of_equals():
    take(meeting(uuid="a", host_id=""), meeting(uuid="b"))
    assert hosts() == ["HOST-1", ""]
    unknown = room_usage(DAY, NOW)[1]
    assert (unknown.room, unknown.capacity, unknown.utilisation) == (None, None, None)
    assert unknown.totals.meetings == 1
    assert hosts(replace(DAY, rooms=("HOST-1",))) == ["HOST-1"]


def test_utilisation_is_a_share_of_the_opening_hours():
    take(meeting(start_time="2026-03-09 17:30:00", end_time="2026-03-09 19:00:00"))
    [one] = room_usage(DAY, NOW)
    assert one.utilisation == 0.5 / 9
    sunday = Filter(first=date(2026, 3, 8), last=date(2026, 3, 8))
    assert room_usage(sunday, NOW)[0].utilisation is None
    [row] = csv_rows(b"".join(exports.write(exports.ROOMS, DAY, NOW)))
    assert row["utilisation_percent"] == "5.6"


@pytest.mark.parametrize("sort", SORTS)
def test_every_column_sorts_with_unknown_last(sort):
    silent = {"participants": None, "telephony_usage": None, "duration": None, "is_extra": None}
    take(
        meeting(uuid="a", host_id="C"),
        meeting(uuid="b", host_id="A", **silent),
        meeting(uuid="c", host_id="B", participants=[], duration=5, is_extra=1),
        meeting(uuid="d", host_id="B", start_time="2026-03-09 10:30:00"),
        meeting(uuid="e", host_id="", telephony_usage=[call("1", "10:00:00", "10:01:00", None, None)]),
    )
    Room.objects.filter(host_id="B").update(name="Zulu", capacity=8)
    Room.objects.filter(host_id="C").update(label="alpha", capacity=20)
    value = ROOM_SORTS[sort.removeprefix("-")]
    values = [value(one) for one in room_usage(replace(DAY, sort=sort), NOW)]
    known = [one for one in values if one is not None]
    assert len(values) == 4
    assert known == sorted(known, reverse=sort.startswith("-"))
    assert values == known + [None] * (4 - len(known))


def test_room_sums_are_those_of_the_telephony_page():
    take(meeting(uuid="a"), meeting(uuid="b", host_id="HOST-2"), meeting(uuid="c", host_id=""))
    cost = {one.host_id: one.totals.call_cost for one in room_usage(DAY, NOW)}
    assert {group.key: group.calls.cost for group in telephony.groups(DAY, "room")} == cost
