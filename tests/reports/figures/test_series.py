"""Series of meetings and who came to them, every figure of it against plain Python."""

import itertools
from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import exports
from reports.figures import series
from reports.figures.series import ATTENDANCE_SORTS, MEMBER_SORTS, SERIES_SORTS
from reports.filter import Filter
from reports.models import Meeting, Participant
from tests.reports.figures.oracle import fold, parts, periods, worlds
from tests.support import NOW, csv_rows, examples, meeting, take, visit

pytestmark = pytest.mark.django_db
few = examples(40)


@st.composite
def asked(draw, world):
    """A filter with a rule and a kind of series."""
    rule = {"by": draw(st.sampled_from(("number", "topic"))), "present": draw(st.integers(1, 100))}
    return replace(draw(periods(world)), **(draw(parts(world)) | rule))


def series_of(oracle, chosen):
    """Meetings of each series by its key, oldest first."""
    found = defaultdict(list)
    for m in sorted(oracle.meetings(chosen), key=lambda m: m.start):
        found[m.meeting_id if chosen.by == "number" else fold(m.topic)].append(m)
    named = chosen.number != "" if chosen.by == "number" else chosen.topic is not None
    return {key: rows for key, rows in found.items() if len(rows) >= (1 if named else 2)}


def members_of(meetings, chosen):
    """What is told of each attendee of a series, in plain Python."""
    reported = [m for m in meetings if m.visits is not None]
    seen = defaultdict(list)
    for m in reported:
        for key, attendee in m.attendees.items():
            if chosen.name in {None, key}:
                seen[key].append((m, attendee))
    found = {}
    for key, rows in seen.items():
        used = [(m, one) for m, one in rows if m.used]
        left = [one.left_early for _m, one in rows if one.left_early is not None]
        present = sum(one.seconds * 100 >= chosen.present * m.used for m, one in used) if used else None
        found[key] = {
            "attended": len(rows),
            "present": present,
            "present_share": None if present is None else present / len(reported),
            "seconds": sum(one.seconds for _m, one in rows),
            "mean_share": sum(one.seconds / m.used for m, one in used) / len(used) if used else None,
            "late": sum(one.late is not None for _m, one in rows),
            "left_early": sum(left) if left else None,
            "first_join": min(one.first for _m, one in rows),
            "last_leave": max(one.last for _m, one in rows),
        }
    return found


def brief(one):
    return series.Brief(one.series, len(one.members), one.regulars, one.mean_attendees, one.rate)


def told(member):
    """The same of what the product says."""
    found = {name: getattr(member, name) for name in ("attended", "present", "present_share", "seconds", "late")}
    found |= {"left_early": member.left_early}
    found |= {name: int(getattr(member, name).timestamp()) for name in ("first_join", "last_leave")}
    return found


@few
@given(world=worlds(), data=st.data())
def test_series_and_their_attendees_are_those_of_plain_python(db, world, data):
    chosen = data.draw(asked(world))
    with world.kept() as oracle:
        every = series.every(chosen)
        found = list(series.attendance(every, chosen, world.now))
        page = series.some(chosen, world.now, 25)
        expected = series_of(oracle, chosen)
    assert [one.series.key for one in found] == [one.key for one in every]
    assert {one.series.key for one in found} == expected.keys()
    # Where names alone are asked for, the database adds them up.
    assert page.rows == [brief(one) for one in found[:25]]
    assert (page.series, page.most) == (len(every), max((one.meetings for one in every), default=0))
    for one in found:
        meetings = expected[one.series.key]
        reported = [m for m in meetings if m.visits is not None]
        assert sorted(held.meeting.uuid for held in one.held) == sorted(m.uuid for m in meetings)
        assert [held.meeting.start_time for held in one.held] == sorted(held.meeting.start_time for held in one.held)
        assert (one.series.meetings, one.series.reported) == (len(meetings), len(reported))
        assert one.series.last.timestamp() == meetings[-1].start
        assert one.series.topic in {m.topic for m in meetings if m.start == meetings[-1].start}
        numbers = {m.meeting_id for m in meetings}
        assert one.series.meeting_id == (numbers.pop() if len(numbers) == 1 else "")
        members = members_of(meetings, chosen)
        assert {member.key for member in one.members} == members.keys()
        for member in one.members:
            wanted = members[member.key]
            assert (member.mean_share is None) == (wanted["mean_share"] is None)
            assert abs((member.mean_share or 0) - (wanted.pop("mean_share") or 0)) < 1e-9
            assert told(member) == wanted
            assert fold(member.name) == member.key
        regulars = [key for key, wanted in members.items() if (wanted["present"] or 0) * 2 >= len(reported)]
        regulars = [key for key in regulars if members[key]["present"] is not None]
        assert one.regulars == len(regulars)
        seen = sum(wanted["attended"] for wanted in members.values())
        assert one.mean_attendees == (seen / len(reported) if reported else None)
        present = [wanted["present"] for wanted in members.values() if wanted["present"] is not None]
        assert one.rate == (sum(present) / (len(members) * len(reported)) if present else None)


@few
@given(world=worlds(), data=st.data())
def test_series_csv_says_the_same(db, world, data):
    chosen = data.draw(asked(world))
    with world.kept() as oracle:
        rows = csv_rows(b"".join(exports.write(exports.SERIES, chosen, world.now, raw=True)))
        expected = {
            (key, name): (meetings, member)
            for key, meetings in series_of(oracle, chosen).items()
            for name, member in members_of(meetings, chosen).items()
        }

    def tenths(value):
        return "" if value is None else str(Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP))

    def written(number):
        return "" if number is None else str(number)

    found = {(row["series"], "" if row["name"] == "(no name)" else fold(row["name"])): row for row in rows}
    assert set(found) == set(expected)
    assert len(rows) == len(expected)
    for key, row in found.items():
        meetings, member = expected[key]
        assert row["by"] == chosen.by
        numbers = {m.meeting_id for m in meetings}
        assert row["meeting_id"] == (numbers.pop() if len(numbers) == 1 else "")
        assert row["meetings"] == str(len(meetings))
        assert row["reported_meetings"] == str(sum(m.visits is not None for m in meetings))
        for column in ("attended", "present", "late", "left_early"):
            assert row[column] == written(member[column])
        assert row["minutes"] == tenths(Decimal(member["seconds"]) / 60)
        for column, share in (("present_percent", "present_share"), ("mean_presence_percent", "mean_share")):
            assert (row[column] == "") == (member[share] is None)
            assert abs(float(row[column] or 0) - (member[share] or 0) * 100) <= 0.05 + 1e-9


# Cases ---------------------------------------------------------------------------------------------------------


def weekly(number, **changes):
    """A meeting from ten to eleven, so many days before 9 March, and its visits on that day."""
    day = f"2026-03-{9 - number:02}"
    visits = changes.pop("visits", [("Anna", "10:00:00", "11:00:00")])
    return meeting(
        **{
            "uuid": f"week-{number}",
            "start_time": f"{day} 10:00:00",
            "end_time": f"{day} 11:00:00",
            "participants": None if visits is None else [visit(name, join, leave, day) for name, join, leave in visits],
            **changes,
        }
    )


def only(chosen=None):
    """The attendance of the one series there is, and its members by key."""
    chosen = chosen or Filter()
    [found] = series.attendance(series.every(chosen), chosen, NOW)
    return found, {member.key: member for member in found.members}


def test_who_came_to_how_many():
    take(
        weekly(0, visits=[("Anna", "10:00:00", "11:00:00"), ("Bo", "10:30:00", "11:00:00")]),
        weekly(1, visits=[("ANNA", "10:06:00", "10:20:00"), ("Bo", "10:00:00", "11:00:00")]),
        weekly(2, visits=[]),
        weekly(3, visits=None),
    )
    found, members = only()
    assert (found.series.meetings, found.series.reported) == (4, 3)
    anna, bo = members["anna"], members["bo"]
    assert (anna.attended, anna.present, anna.late, anna.left_early) == (2, 1, 1, 1)
    assert (bo.attended, bo.present, bo.late, bo.left_early) == (2, 2, 1, 0)
    assert (anna.present_share, bo.present_share) == (1 / 3, 2 / 3)
    assert (anna.regular, bo.regular) == (False, True)
    assert (found.regulars, found.mean_attendees, found.rate) == (1, 4 / 3, 3 / 6)
    assert (anna.name, anna.seconds) == ("Anna", 3600 + 14 * 60)
    assert anna.mean_share == (1 + 14 / 60) / 2
    # Of the meeting that was not reported nobody is said to have stayed away.
    assert [held.present if held.present is None else len(held.present) for held in found.held] == [None, 0, 2, 2]


@pytest.mark.parametrize(("percent", "present"), [(1, 2), (50, 2), (51, 1), (100, 1)])
def test_the_rule_is_of_the_filter(percent, present):
    take(
        weekly(0, visits=[("Anna", "10:00:00", "11:00:00"), ("Bo", "10:00:00", "11:00:00")]),
        weekly(1, visits=[("Anna", "10:00:00", "10:30:00"), ("Bo", "10:00:00", "11:00:00")]),
    )
    _found, members = only(Filter(present=percent))
    assert (members["anna"].present, members["bo"].present) == (present, 2)


def test_a_meeting_that_was_not_used_makes_nobody_present_or_absent():
    take(weekly(0, visits=[("Anna", "10:20:00", "10:10:00")]), weekly(1, visits=[("Anna", "10:20:00", "10:10:00")]))
    found, members = only()
    anna = members["anna"]
    assert (anna.attended, anna.present, anna.present_share, anna.mean_share) == (2, None, None, None)
    assert (anna.regular, found.rate) == (False, None)
    [row] = csv_rows(b"".join(exports.write(exports.SERIES, Filter(), NOW)))
    assert (row["present"], row["present_percent"], row["mean_presence_percent"]) == ("", "", "")


def test_rejoins_and_missing_leaves_are_one_attendance():
    take(
        weekly(0, visits=[("Anna", "10:00:00", "10:10:00"), ("anna ", "10:05:00", "10:40:00")]),
        weekly(1, visits=[("Anna", "10:00:00", None), ("Bo", "10:00:00", "10:10:00")]),
    )
    _found, members = only()
    assert (members["anna"].seconds, members["anna"].attended) == (100 * 60, 2)
    # When she left the second is not known, and it is that one that tells nothing.
    assert (members["anna"].left_early, members["bo"].left_early) == (0, 1)


def test_a_running_meeting_counts_and_tells_no_leave():
    day = "2026-03-10"
    visits = [visit("Anna", "11:30:00", None, day), visit("Bo", "11:30:00", "11:40:00", day)]
    take(
        meeting(uuid="running", start_time=f"{day} 11:30:00", end_time=None, participants=visits),
        weekly(1, visits=[]),
    )
    _found, members = only()
    assert (members["anna"].seconds, members["bo"].seconds) == (1800, 600)
    assert (members["anna"].present, members["bo"].present) == (1, 0)
    assert (members["anna"].left_early, members["bo"].left_early) == (None, None)


def test_names_in_running_meetings_and_removed_ones_count_where_names_are_added_up():
    day = "2026-03-10"
    take(
        # One series with a meeting that runs, in which is who was in another, and one with names removed.
        meeting(
            uuid="running",
            meeting_id="157000000",
            start_time=f"{day} 11:30:00",
            end_time=None,
            participants=[visit("Anna", "11:30:00", None, day), visit("Dora", "11:35:00", None, day)],
        ),
        *(meeting(uuid=f"a{n}", meeting_id="157000000", start_time=f"2026-03-0{n} 10:00:00") for n in (3, 4)),
        *(of_day(1, n, "Bo", "Cy", "(name removed) 1", "(name removed) 2") for n in (5, 6)),
        *(of_day(2, n, "Bo", "Cy", "Dee") for n in (7, 8)),
    )
    chosen = Filter(by="number")
    every = series.every(chosen)
    page = series.some(chosen, NOW, 25).rows
    assert page == [brief(one) for one in series.attendance(every, chosen, NOW)]
    found = {one.series.key: one for one in page}
    with_names, with_removed = found["157000000"], found["157000001"]
    assert (with_removed.attendees, with_removed.regulars) == (2, 2)
    assert (with_removed.mean_attendees, with_removed.rate) == (4, None)
    # Names of which the same is known count each.
    assert (found["157000002"].attendees, found["157000002"].mean_attendees, found["157000002"].rate) == (3, 3, 1)
    assert with_names.attendees == len({"anna", "dora", *(name.name_key for name in _visits_of("157000000"))})


def of_day(number, day, *names):
    return meeting(
        uuid=f"{number}-{day}",
        meeting_id=f"15700000{number}",
        start_time=f"2026-03-0{day} 10:00:00",
        participants=[visit(name, "10:00:00", "11:00:00", f"2026-03-0{day}") for name in names],
    )


def _visits_of(number):
    return Participant.objects.filter(meeting__meeting_id=number)


def test_one_meeting_is_a_series_only_where_it_is_asked_for_by_its_name():
    take(weekly(0))
    assert series.every(Filter()) == []
    assert series.every(Filter(by="topic")) == []
    assert [one.key for one in series.every(Filter(number="1571106323"))] == ["1571106323"]
    assert [one.key for one in series.every(Filter(by="topic", topic="周例会"))] == ["周例会"]
    # To ask for a topic is not to ask for a number.
    assert series.every(Filter(topic="周例会")) == []
    assert series.every(Filter(number="987654321")) == []


def test_by_number_and_by_topic():
    take(
        weekly(0, meeting_id="111111111", topic="Sync"),
        weekly(1, meeting_id="111111111", topic="Sync "),
        weekly(2, meeting_id="222222222", topic="ＳＹＮＣ"),
        weekly(3, meeting_id="333333333", topic=""),
        weekly(4, meeting_id="444444444", topic=" "),
    )
    [number] = series.every(Filter())
    assert (number.key, number.topic, number.meeting_id, number.meetings) == ("111111111", "Sync", "111111111", 2)
    sync, nameless = series.every(Filter(by="topic"))
    assert (sync.key, sync.topic, sync.meeting_id, sync.meetings) == ("sync", "Sync", "", 3)
    assert (nameless.key, nameless.topic, nameless.meetings) == ("", "", 2)
    found, _members = only(Filter(by="topic", topic="sync"))
    assert [held.meeting.uuid for held in found.held] == ["week-2", "week-1", "week-0"]


def test_many_small_series_are_read_together_and_a_large_one_alone(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(series, "CHUNK", 5)
    take(*(weekly(n, uuid=f"a{n}", meeting_id="111111111") for n in range(7)))
    take(*(weekly(n % 2, uuid=f"{n}", meeting_id=f"{222222222 + n // 2}") for n in range(8)))
    every = series.every(Filter())
    assert [one.meetings for one in every] == [7, 2, 2, 2, 2]
    # The large one in two pieces, and the small ones two at a time: meetings, and their visits.
    with django_assert_num_queries(1 + 2 + 2 + 2):
        found = list(series.attendance(every, Filter(), NOW))
    assert [(one.series.key, len(one.held)) for one in found] == [(one.key, one.meetings) for one in every]
    assert [one.members[0].attended for one in found] == [7, 2, 2, 2, 2]


def test_texts_that_a_spreadsheet_would_run_are_guarded():
    take(*(weekly(n, topic="=1+1", visits=[("+86", "10:00:00", "11:00:00")]) for n in range(2)))
    chosen = Filter(by="topic")
    [row] = csv_rows(b"".join(exports.write(exports.SERIES, chosen, NOW)))
    assert (row["series"], row["topic"], row["name"]) == ("'=1+1", "'=1+1", "'+86")
    [row] = csv_rows(b"".join(exports.write(exports.SERIES, chosen, NOW, raw=True)))
    assert (row["series"], row["topic"], row["name"]) == ("=1+1", "=1+1", "+86")


def test_a_row_is_written_as_the_other_tables_write_theirs():
    take(weekly(0), weekly(1, visits=[("", "10:00:00", "10:20:00"), ("Anna", "10:00:00", "11:00:00")]))
    rows = csv_rows(b"".join(exports.write(exports.SERIES, Filter(), NOW)))
    assert rows == [
        {
            "by": "number",
            "series": "1571106323",
            "topic": "周例会",
            "meeting_id": "1571106323",
            "meetings": "2",
            "reported_meetings": "2",
            "name": name,
            "attended": attended,
            "present": present,
            "present_percent": percent,
            "minutes": minutes,
            "mean_presence_percent": mean,
            "late": "0",
            "left_early": early,
            "first_join": "2026-03-08T10:00:00+08:00",
            "last_leave": last,
        }
        for name, attended, present, percent, minutes, mean, early, last in (
            ("Anna", "2", "2", "100.0", "120.0", "100.0", "0", "2026-03-09T11:00:00+08:00"),
            ("(no name)", "1", "0", "0.0", "20.0", "33.3", "1", "2026-03-08T10:20:00+08:00"),
        )
    ]


@pytest.mark.parametrize("sort", [*MEMBER_SORTS, *(f"-{name}" for name in MEMBER_SORTS)])
def test_every_column_of_attendees_sorts_with_unknown_last(sort):
    take(
        weekly(0, visits=[("Anna", "10:00:00", "11:00:00"), ("Bo", "10:30:00", None), ("", "10:50:00", "10:55:00")]),
        weekly(1, visits=[("Anna", "10:06:00", "10:20:00"), ("Cy", "10:00:00", "11:00:00")]),
    )
    found, _members = only(Filter(sort=sort))
    column = MEMBER_SORTS[sort.removeprefix("-")]
    values = [column(member) for member in found.members]
    known = [value for value in values if value is not None]
    assert len(values) == 4
    assert values[len(known) :] == [None] * (len(values) - len(known))
    assert known == sorted(known, reverse=sort.startswith("-"))
    for before, after in itertools.pairwise(found.members):
        if column(before) == column(after):
            assert (-before.seconds, before.key) < (-after.seconds, after.key)


@pytest.mark.parametrize("sort", [*SERIES_SORTS, *ATTENDANCE_SORTS])
def test_every_column_of_series_sorts_in_pages(sort):
    for number in range(4):
        visits = [[("Anna", "10:00:00", "11:00:00"), ("Bo", "10:00:00", "10:20:00")][: number % 3], None][number == 3]
        for week in range(2 + number % 2):
            take(
                weekly(
                    week,
                    uuid=f"{number}-{week}",
                    meeting_id=f"11111111{number}",
                    topic=f"Topic {number % 3}",
                    visits=visits,
                )
            )
    for direction in ("", "-"):
        chosen = Filter(sort=f"{direction}{sort}")
        rows = [one for page in (1, 2) for one in series.some(replace(chosen, page=page), NOW, 3).rows]
        assert series.some(replace(chosen, page=9), NOW, 3).rows == rows[3:]
        assert len({one.series.key for one in rows}) == 4
        values = [
            SERIES_SORTS[sort](one.series) if sort in SERIES_SORTS else ATTENDANCE_SORTS[sort](one) for one in rows
        ]
        known = [value for value in values if value is not None]
        assert values[len(known) :] == [None] * (4 - len(known))
        assert known == sorted(known, reverse=direction == "-")


def test_the_period_is_that_of_the_filter():
    take(*(weekly(n) for n in range(5)))
    found, members = only(Filter(first=date(2026, 3, 6), last=date(2026, 3, 8)))
    assert (found.series.meetings, members["anna"].attended) == (3, 3)
    assert Meeting.objects.count() == 5


def test_who_came_only_when_nobody_stayed_is_an_attendee_too():
    took_part, passed_by = [visit("Anna", "10:00:00", "10:30:00")], [visit("Bob", "10:00:00", "10:00:00")]
    for uuid, stays in (("a", took_part), ("b", took_part), ("c", passed_by)):
        take(meeting(uuid=uuid, participants=stays))
    [brief] = series.some(Filter(), NOW, 10).rows
    [whole] = series.attendance([brief.series], Filter(), NOW)
    assert brief.attendees == len(whole.members) == 2
    assert (brief.regulars, brief.mean_attendees, brief.rate) == (1, 1, 2 / 6)
    assert (whole.regulars, whole.mean_attendees, whole.rate) == (1, 1, 2 / 6)
