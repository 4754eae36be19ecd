"""Attendance by display name against plain Python."""

import itertools
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import exports
from reports.clockwork import days_between
from reports.figures import people, period
from reports.figures.people import PERSON_SORTS, Person
from reports.filter import Filter
from reports.text import REMOVED
from tests.reports.figures.oracle import fold, parts, periods, worlds
from tests.support import NOW, csv_rows, examples, meeting, take, visit

pytestmark = pytest.mark.django_db
few = examples(40)


def attendees_of(oracle, chosen):
    """(meeting, attendee) of every attendee that a filter selects."""
    return [
        (m, attendee)
        for m in oracle.meetings(chosen)
        for key, attendee in (m.attendees or {}).items()
        if chosen.name is None or key == chosen.name
    ]


def seconds(late):
    return None if late is None else int(late.total_seconds())


@few
@given(world=worlds(), data=st.data())
def test_attendees_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        found = list(people.attended(chosen, world.now))
        expected = attendees_of(oracle, chosen)
    rows = {(one.meeting.uuid, one.presence.attendee.key): one.presence for one in found}
    assert len(rows) == len(found)
    assert rows.keys() == {(m.uuid, attendee.key) for m, attendee in expected}
    for m, attendee in expected:
        presence = rows[m.uuid, attendee.key]
        one = presence.attendee
        assert (one.visits, one.seconds) == (attendee.visits, attendee.seconds)
        assert (one.first_join.timestamp(), one.last_leave.timestamp()) == (attendee.first, attendee.last)
        assert (presence.share, seconds(presence.late)) == (attendee.share, attendee.late)
        assert fold(one.name) == one.key
    # Newest meeting first, and in it who came first.
    order = [(-one.meeting.start_time.timestamp(), -one.meeting.pk) for one in found]
    assert order == sorted(order)
    for before, after in itertools.pairwise(found):
        if before.meeting == after.meeting:
            assert before.presence.attendee.first_join <= after.presence.attendee.first_join


@few
@given(world=worlds(), data=st.data())
def test_people_are_those_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        found = people.people(chosen, world.now)
        expected: dict[str, list[Any]] = {}
        for _m, attendee in attendees_of(oracle, chosen):
            expected.setdefault(attendee.key, []).append(attendee)
    if any(fold(chosen.q) in key for key in expected):
        expected = {key: rows for key, rows in expected.items() if fold(chosen.q) in key}
    assert {person.key for person in found} == expected.keys()
    for person in found:
        rows = expected[person.key]
        late = [row.late for row in rows if row.late is not None]
        assert (person.meetings, person.visits) == (len(rows), sum(row.visits for row in rows))
        assert person.seconds == sum(row.seconds for row in rows)
        assert (person.late, person.late_seconds) == (len(late), sum(late))
        assert person.first.timestamp() == min(row.first for row in rows)
        assert person.last.timestamp() == max(row.first for row in rows)
        assert fold(person.name) == person.key
        assert person.late_share == len(late) / len(rows)
        assert person.mean_seconds == sum(row.seconds for row in rows) / len(rows)


@few
@given(world=worlds(), data=st.data())
def test_a_page_of_people_is_a_piece_of_all_of_them(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    sort = data.draw(st.sampled_from(["", *PERSON_SORTS, *(f"-{name}" for name in PERSON_SORTS)]))
    size = data.draw(st.integers(1, 4))
    with world.kept():
        whole = people.people(replace(chosen, sort=sort), world.now)
        last = max(1, -(-len(whole) // size))
        for page in (*range(1, last + 1), last + 3):
            found = people.some_people(replace(chosen, sort=sort, page=page), world.now, size)
            shown = min(page, last)
            assert found.rows == whole[(shown - 1) * size : shown * size]
            assert found.names == len(whole)
            assert found.most.meetings == max((one.meetings for one in whole), default=0)
            assert found.most.seconds == max((one.seconds for one in whole), default=0)
            assert found.by_name == (bool(chosen.q) and any(fold(chosen.q) in one.key for one in whole))


@few
@given(world=worlds(), data=st.data())
def test_one_name_is_what_its_meetings_say(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    chosen = replace(chosen, name=data.draw(st.sampled_from(("anna", "王伟", "bo li", ""))))
    size = data.draw(st.integers(1, 3))

    def facts(rows):
        late = [int(one.presence.late.total_seconds()) for one in rows if one.presence.late is not None]
        seconds = [one.presence.attendee.seconds for one in rows]
        return len(rows), sum(one.presence.attendee.visits for one in rows), sum(seconds), len(late), sum(late)

    def told(of):
        return of.meetings, of.visits, of.seconds, of.late, of.late_seconds

    with world.kept():
        rows = list(people.attended(chosen, world.now))
        whole = people.person(chosen, world.now)
        months = people.by_month(chosen, world.now)
        for first in range(0, len(rows) + 1, size):
            assert people.some_attended(chosen, world.now, first, first + size) == rows[first : first + size]
    assert told(whole) == facts(rows)
    joins = [one.presence.attendee.first_join for one in rows]
    assert (whole.key, whole.first, whole.last) == (chosen.name, min(joins, default=None), max(joins, default=None))
    days = days_between(*period.span(chosen, world.now))
    assert [month for month, _one in months] == sorted({day.replace(day=1) for day in days})
    for month, one in months:
        assert told(one) == facts([row for row in rows if row.meeting.local_day.replace(day=1) == month])


@pytest.mark.parametrize(
    ("q", "names", "by_name"),
    [
        ("sync", ["anna", "bo", "budget owner"], False),
        ("budget", ["budget owner"], True),
        ("bo", ["bo"], True),
        ("nobody", [], False),
    ],
)
def test_a_search_finds_names_of_meetings_that_ended_and_that_run(q, names, by_name):
    running = {"start_time": "2026-03-10 11:00:00", "end_time": None, "topic": "Sync of the budget"}
    take(
        meeting(uuid="a", topic="Sync", participants=[visit("Anna", "10:00:00", "10:30:00")]),
        meeting(uuid="b", topic="Sync", participants=[visit("Budget owner", "10:00:00", "10:30:00")]),
        meeting(uuid="r", participants=[visit("Bo", "11:00:00", None, "2026-03-10")], **running),
    )
    for sort in ("-meetings", "name"):
        chosen = Filter(q=q, sort=sort)
        found = people.some_people(chosen, NOW, 50)
        assert sorted(person.key for person in found.rows) == names
        assert (found.names, found.by_name) == (len(names), by_name)
        assert found.rows == people.people(chosen, NOW)


def test_names_that_were_removed_are_in_pages_each_for_itself():
    removed = [visit(f"(name removed) {number}", f"10:0{number}:00", "10:30:00") for number in (1, 2, 3)]
    take(meeting(uuid="a", participants=removed), meeting(uuid="b", participants=removed[:2]))
    chosen = Filter(name=REMOVED)
    assert people.person(chosen, NOW).meetings == 5
    rows = list(people.attended(chosen, NOW))
    assert len(rows) == 5
    assert [people.some_attended(chosen, NOW, first, first + 2) for first in (0, 2, 4)] == [
        rows[:2],
        rows[2:4],
        rows[4:],
    ]


@few
@given(world=worlds(), data=st.data())
def test_attendees_csv_says_the_same(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    with world.kept() as oracle:
        rows = csv_rows(b"".join(exports.write(exports.ATTENDEES, chosen, world.now, raw=True)))
        expected = {(m.uuid, attendee.key): attendee for m, attendee in attendees_of(oracle, chosen)}

    def tenths(value):
        return str(value.quantize(Decimal("0.1"), ROUND_HALF_UP))

    names = {(row["uuid"], fold(row["name"]) if row["name"] != "(no name)" else ""): row for row in rows}
    assert (names.keys(), len(rows)) == (expected.keys(), len(expected))
    for key, row in names.items():
        attendee = expected[key]
        assert row["minutes"] == tenths(Decimal(attendee.seconds) / 60)
        assert row["late_minutes"] == tenths(Decimal(attendee.late or 0) / 60)
        assert row["visits"] == str(attendee.visits)
        assert (row["presence_percent"] == "") == (attendee.share is None)
        if attendee.share is not None:
            assert abs(float(row["presence_percent"]) - attendee.share * 100) <= 0.05 + 1e-9


def test_five_minutes_are_not_late_and_a_second_more_is():
    visits = [visit("on time", "10:05:00", None), visit("late", "10:05:01", None), visit("early", "09:50:00", None)]
    take(meeting(participants=visits))
    late = {one.presence.attendee.key: seconds(one.presence.late) for one in people.attended(Filter(), NOW)}
    assert late == {"early": None, "on time": None, "late": 301}


def test_presence_is_a_share_of_the_used_time_not_of_the_open_time():
    take(meeting(participants=[visit("A", "10:00:00", "10:40:00"), visit("B", "10:30:00", "10:40:00")]))
    shares = {one.presence.attendee.key: one.presence.share for one in people.attended(Filter(), NOW)}
    assert shares == {"a": 1.0, "b": 0.25}
    # With one name alone, and in a meeting that still runs, it is of the whole meeting all the same.
    [only] = people.attended(Filter(name="b"), NOW)
    assert only.presence.share == 0.25
    take(meeting(uuid="r", start_time="2026-03-10 11:00:00", end_time=None, participants=[
        visit("A", "11:00:00", None, "2026-03-10"), visit("B", "11:30:00", "11:45:00", "2026-03-10"),
    ]))  # fmt: skip
    assert [one.presence.share for one in people.attended(Filter(name="b"), NOW)] == [0.25, 0.25]


def test_the_newest_spelling_is_shown_and_spellings_are_one_name():
    take(
        meeting(uuid="a", participants=[visit("ANNA  Li", "10:00:00", "10:10:00")]),
        meeting(
            uuid="b",
            start_time="2026-03-08 10:00:00",
            end_time="2026-03-08 11:00:00",
            participants=[visit("anna li", "10:00:00", "10:10:00", "2026-03-08")],
        ),
    )
    [person] = people.people(Filter(), NOW)
    assert (person.name, person.key, person.meetings) == ("ANNA Li", "anna li", 2)


def test_a_search_for_a_name_is_for_that_name_and_for_a_topic_is_for_all_in_it():
    take(meeting(topic="Budget"))
    assert [person.key for person in people.people(Filter(q="ANN"), NOW)] == ["anna"]
    assert {person.key for person in people.people(Filter(q="budget"), NOW)} == {"anna", "王伟"}


def test_those_without_a_name_are_one_and_are_named_so():
    take(meeting(participants=[visit("", "10:00:00", "10:10:00"), visit(" ", "10:20:00", "10:30:00")]))
    [row] = csv_rows(b"".join(exports.write(exports.ATTENDEES, Filter(), NOW)))
    assert (row["name"], row["visits"], row["minutes"]) == ("(no name)", "2", "20.0")


@pytest.mark.parametrize("sort", [*PERSON_SORTS, *(f"-{name}" for name in PERSON_SORTS)])
def test_every_column_sorts_with_ties_by_name(sort):
    take(
        meeting(uuid="a"),
        meeting(uuid="b", participants=[visit("Anna", "10:30:00", "10:40:00"), visit("Bo", "10:00:00", "10:50:00")]),
        meeting(uuid="c", participants=[visit("Cy", "10:00:00", "10:50:00")]),
    )
    found = people.people(Filter(sort=sort), NOW)
    column = PERSON_SORTS[sort.removeprefix("-")]
    values = [column(person) for person in found]
    assert values == sorted(values, reverse=sort.startswith("-"))
    for before, after in itertools.pairwise(found):
        assert column(before) != column(after) or before.key < after.key


def test_sums_of_one_name_and_its_months():
    take(
        meeting(uuid="a"),
        meeting(
            uuid="b",
            start_time="2026-01-31 23:30:00",
            end_time="2026-02-01 00:30:00",
            participants=[visit("Anna", "23:59:00", None, "2026-01-31")],
        ),
    )
    whole = people.person(Filter(name="anna"), NOW)
    assert (whole.meetings, whole.seconds, whole.late) == (2, 1800 + 31 * 60, 2)
    months = people.by_month(Filter(name="anna", first=date(2026, 1, 15), last=date(2026, 3, 10)), NOW)
    # A meeting belongs to the day of its start, whenever it ended.
    assert [(str(month), one.meetings, one.seconds) for month, one in months] == [
        ("2026-01-01", 1, 31 * 60),
        ("2026-02-01", 0, 0),
        ("2026-03-01", 1, 1800),
    ]
    assert (Person("x").late_share, Person("x").mean_seconds) == (None, None)
