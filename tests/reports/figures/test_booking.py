"""Booked against used, every figure of it against plain Python."""

import itertools
from collections import defaultdict
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import exports, folding, kept, summaries
from reports.figures import booking
from reports.figures.booking import BOOKING_SORTS, Booking
from reports.filter import Filter
from reports.models import Meeting
from tests.reports.figures.oracle import fold, parts, periods, worlds
from tests.support import csv_rows, examples, meeting, take, take_array, visit

pytestmark = pytest.mark.django_db
few = examples(30)


def sums(meetings):
    """All of `Booking` in plain Python."""
    judged = [m for m in meetings if m.end is not None and m.booked is not None]
    told = [m for m in judged if m.visits is not None]
    past = [max(m.start, m.end) - (m.start + m.booked) for m in judged]

    def known(values, of):
        return None if meetings and not of else sum(values)

    return {
        "meetings": len(meetings),
        "judged": len(judged),
        "untold": sum(m.end is not None and m.booked is None for m in meetings),
        "running": sum(m.state == "running" for m in meetings),
        "unreported": sum(m.state == "unreported" for m in meetings),
        "empty": sum(m.state == "empty" for m in meetings),
        "solo": sum(m.state == "solo" for m in meetings),
        "overruns": known((one > 0 for one in past), judged),
        "over_seconds": known((max(0, one) for one in past), judged),
        "early_ends": known((one < 0 for one in past), judged),
        "early_seconds": known((max(0, -one) for one in past), judged),
        "booked_seconds": known((m.booked for m in judged), judged),
        "used_seconds": known((m.used for m in told), told),
        "used_booked_seconds": known((m.booked for m in told), told),
        "spare_seconds": known((m.spare for m in told), told),
    }


def grouped(meetings, key):
    found = defaultdict(list)
    for m in meetings:
        found[key(m)].append(m)
    return {name: sums(rows) for name, rows in found.items()}


KEYS = {
    "room": lambda m: m.host,
    "weekday": lambda m: str(m.week_hour[0]),
    "number": lambda m: m.meeting_id,
    "topic": lambda m: fold(m.topic),
}


@few
@given(world=worlds(), data=st.data())
def test_every_group_is_that_of_plain_python(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts(world)))
    with world.kept() as oracle:
        meetings = oracle.meetings(chosen)
        assert booking.total(chosen)._asdict() == sums(meetings)
        assert list(Meeting.objects.order_by("uuid").values_list("spare_seconds", flat=True)) == [
            m.spare for m in sorted(oracle.all, key=lambda m: m.uuid)
        ]
        found = booking.groups(chosen)
        for by, key in KEYS.items():
            rows = {group.key: group.booking._asdict() for group in found if group.by == by}
            assert rows == grouped(meetings, key), by
        assert len({(group.by, group.key) for group in found}) == len(found)
        for group in found:
            if group.by in {"number", "topic"}:
                newest = max((m.start, m.topic) for m in meetings if KEYS[group.by](m) == group.key)
                assert group.name == newest[1]


@few
@given(world=worlds(), data=st.data())
def test_a_page_of_groups_is_a_piece_of_all_of_them(db, world, data):
    sort = data.draw(st.sampled_from(["", *BOOKING_SORTS, *(f"-{name}" for name in BOOKING_SORTS)]))
    chosen = replace(data.draw(periods(world)), **data.draw(parts(world)), sort=sort)
    size = data.draw(st.integers(1, 3))
    with world.kept():
        rooms = booking.by_room(chosen)
        longest = max((group.booking.spare_seconds or 0 for group in rooms), default=0)
        assert booking.some_rooms(chosen, size) == (rooms[:size], len(rooms), longest)
        for by in ("number", "topic"):
            whole = booking.by_series(chosen, by)
            longest = max((group.booking.spare_seconds or 0 for group in whole), default=0)
            last = max(1, -(-len(whole) // size))
            for page in (*range(1, last + 1), last + 2):
                shown = min(page, last)
                expected = whole[(shown - 1) * size : shown * size]
                assert booking.some_series(replace(chosen, page=page), by, size) == (expected, len(whole), longest)


@few
@given(world=worlds(), data=st.data())
def test_what_the_filter_calls_booked_is_what_is_counted(db, world, data):
    chosen = replace(data.draw(periods(world)), **(data.draw(parts(world)) | {"booked": ""}))
    with world.kept():
        found = booking.total(chosen)
        counted = {
            booked: Meeting.objects.matching(replace(chosen, booked=booked)).count()
            for booked in ("over", "early", "known", "unknown")
        }
        expected = {
            "over": found.overruns or 0,
            "early": found.early_ends or 0,
            "known": found.judged,
            "unknown": found.untold,
        }
        assert counted == expected
        spread = booking.distribution(chosen)
        assert sum(bucket.meetings for bucket in spread) == found.judged
        assert sum(bucket.meetings for bucket in spread[6:]) == (found.overruns or 0)
        assert sum(bucket.meetings for bucket in spread[:5]) == (found.early_ends or 0)


@few
@given(world=worlds(), data=st.data())
def test_booked_csv_says_the_same(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts(world)))
    with world.kept() as oracle:
        meetings = oracle.meetings(chosen)
        rows = csv_rows(b"".join(exports.write(exports.BOOKED, chosen, world.now, raw=True)))

    def rounded(value, step):
        return "" if value is None else str(Decimal(value).quantize(Decimal(step), ROUND_HALF_UP))

    expected = {(by, key): row for by, of in KEYS.items() for key, row in grouped(meetings, of).items()}
    assert {(row["by"], row["key"]) for row in rows} == expected.keys()
    for row in rows:
        one = expected[row["by"], row["key"]]
        for column, name in (
            *(("meetings", "meetings"), ("judged", "judged"), ("overruns", "overruns"), ("early_ends", "early_ends")),
            *(("empty_meetings", "empty"), ("solo_meetings", "solo")),
        ):
            assert row[column] == ("" if one[name] is None else str(one[name]))
        for column, name in (
            *(("overrun_hours", "over"), ("early_hours", "early"), ("booked_hours", "booked")),
            *(("used_hours", "used"), ("spare_hours", "spare")),
        ):
            seconds = one[f"{name}_seconds"]
            assert row[column] == rounded(None if seconds is None else Decimal(seconds) / 3600, "0.01")
        used, booked = one["used_seconds"], one["used_booked_seconds"]
        if used is None or not booked:
            assert row["used_percent"] == ""
        else:
            assert abs(Decimal(row["used_percent"]) - Decimal(used) / booked * 100) <= Decimal("0.0501")


# Cases ---------------------------------------------------------------------------------------------------------


def told(**changes):
    return booking.total(Filter(**changes))._asdict()


@pytest.mark.parametrize(
    ("end", "over", "early", "place"),
    [
        ("11:00:00", 0, 0, 5),
        ("11:00:01", 1, 0, 6),
        ("11:15:00", 900, 0, 6),
        ("11:15:01", 901, 0, 7),
        ("12:00:00", 3600, 0, 9),
        ("12:00:01", 3601, 0, 10),
        ("10:59:59", 0, 1, 4),
        ("10:45:00", 0, 900, 4),
        ("10:44:59", 0, 901, 3),
        ("10:00:00", 0, 3600, 1),
        # An end before the start is no longer than no meeting at all.
        ("09:00:00", 0, 3600, 1),
    ],
)
def test_how_far_from_the_booked_end(end, over, early, place):
    take(meeting(end_time=f"2026-03-09 {end}"))
    found = told()
    assert (found["over_seconds"], found["early_seconds"]) == (over, early)
    assert (found["overruns"], found["early_ends"]) == (int(over > 0), int(early > 0))
    spread = booking.distribution(Filter())
    assert [bucket.meetings for bucket in spread].index(1) == place
    assert [(bucket.least, bucket.most) for bucket in spread] == [
        *((None, -60), (-60, -45), (-45, -30), (-30, -15), (-15, 0), (0, 0)),
        *((0, 15), (15, 30), (30, 45), (45, 60), (60, None)),
    ]


def test_beyond_an_hour_early_is_one_bucket():
    take(meeting(duration=120, end_time="2026-03-09 10:30:00"))
    assert booking.distribution(Filter())[0] == (None, -60, 1)


def test_without_meetings_all_is_zero_and_with_silent_ones_unknown():
    assert told() == Booking()._asdict()
    take(
        meeting(uuid="running", end_time=None),
        meeting(uuid="untold", duration=None),
        meeting(uuid="unreported", participants=None),
    )
    found = told()
    assert (found["meetings"], found["judged"], found["untold"], found["running"], found["unreported"]) == (
        *(3, 1, 1, 1, 1),
    )
    # The one that is judged tells nothing of its visits.
    assert (found["booked_seconds"], found["used_seconds"], found["spare_seconds"]) == (3600, None, None)
    assert booking.total(Filter()).used_share is None
    silent = told(state="running")
    assert (silent["judged"], silent["overruns"], silent["booked_seconds"], silent["spare_seconds"]) == (
        *(0, None, None, None),
    )


def test_a_length_that_may_be_the_actual_one_is_not_judged():
    take_array(
        {
            "uuid": "weak",
            "id": "1571106323",
            "start_time": "2026-03-09T02:00:00Z",
            "end_time": "2026-03-09T03:00:00Z",
            "duration": 90,
            "participants": [],
        }
    )
    one = Meeting.objects.get()
    assert (one.duration, one.duration_is_weak, one.spare_seconds) == (5400, True, None)
    found = told()
    assert (found["judged"], found["untold"], found["empty"], found["early_ends"]) == (0, 1, 1, None)
    assert booking.groups(Filter())[0].booking.spare_seconds is None
    # The other shape tells what was booked.
    take(meeting(uuid="weak", participants=[]))
    assert Meeting.objects.get().spare_seconds == 3600
    assert (told()["judged"], told()["spare_seconds"]) == (1, 3600)


def test_used_percent_is_over_those_that_tell_both():
    take(
        meeting(uuid="a", participants=[visit("A", "10:00:00", "10:30:00")]),
        meeting(uuid="b", duration=180, participants=None),
    )
    found = booking.total(Filter())
    assert (found.booked_seconds, found.used_seconds, found.used_share) == (4 * 3600, 1800, 0.5)


def test_a_report_that_changes_changes_what_is_spare():
    take(meeting(participants=[visit("A", "10:00:00", "10:30:00")]))
    assert Meeting.objects.get().spare_seconds == 1800
    take(meeting(duration=45, participants=[visit("A", "10:00:00", "10:30:00")]))
    assert Meeting.objects.get().spare_seconds == 900
    Meeting.objects.update(spare_seconds=7)
    assert summaries.rebuild() == 1
    assert Meeting.objects.get().spare_seconds == 900


def test_weekdays_keep_their_order_until_they_are_sorted():
    for day in range(2, 9):  # Monday to Sunday, on each a minute less of it used
        take(
            meeting(
                uuid=f"{day}",
                start_time=f"2026-03-0{day} 10:00:00",
                end_time=f"2026-03-0{day} 11:00:00",
                participants=[visit("A", "10:00:00", f"10:{10 + day}:00", f"2026-03-0{day}")],
            )
        )
    assert [one.key for one in booking.by_weekday(Filter())] == list("1234567")
    assert [one.key for one in booking.by_weekday(Filter(sort="used_hours"))] == list("1234567")
    assert [one.key for one in booking.by_weekday(Filter(sort="-used_hours"))] == list("7654321")


def test_one_number_of_two_topics_is_one_number_and_two_topics():
    take(
        meeting(uuid="a", topic="Weekly", meeting_id="111111111"),
        meeting(uuid="b", topic="WEEKLY ", meeting_id="222222222", start_time="2026-03-08 10:00:00"),
        meeting(uuid="c", topic="", meeting_id="222222222", start_time="2026-03-07 10:00:00"),
    )
    numbers = {one.key: (one.name, one.booking.meetings) for one in booking.by_series(Filter(), "number")}
    assert numbers == {"111111111": ("Weekly", 1), "222222222": ("WEEKLY ", 2)}
    topics = {one.key: (one.name, one.booking.meetings) for one in booking.by_series(Filter(), "topic")}
    assert topics == {"weekly": ("Weekly", 2), "": ("", 1)}


@pytest.mark.parametrize("sort", [*BOOKING_SORTS, *(f"-{name}" for name in BOOKING_SORTS)])
def test_every_column_sorts_with_unknown_last(sort):
    take(
        meeting(uuid="a", host_id="A", end_time="2026-03-09 11:30:00"),
        meeting(uuid="b", host_id="B", participants=None),
        meeting(uuid="c", host_id="C", duration=None, participants=[]),
        meeting(uuid="d", host_id="D", end_time="2026-03-09 10:30:00", participants=[]),
        meeting(uuid="e", host_id="", duration=600),
    )
    rows = booking.by_room(Filter(sort=sort))
    column = BOOKING_SORTS[sort.removeprefix("-")]
    values = [column(one) for one in rows]
    known = [value for value in values if value is not None]
    assert len(rows) == 5
    assert values[len(known) :] == [None] * (len(rows) - len(known))
    assert known == sorted(known, reverse=sort.startswith("-"))
    for before, after in itertools.pairwise(rows):
        assert column(before) != column(after) or (before.name, before.key) <= (after.name, after.key)


def test_queries_do_not_grow_with_groups(django_assert_num_queries):
    for count in (2, 20):
        take(*(meeting(uuid=f"{count}-{n}", host_id=f"H{n}", meeting_id=f"{111111111 + n}") for n in range(count)))
        folding.fold()
        with kept.steady():
            kept.state()
            with django_assert_num_queries(5):  # rooms with their names, weekdays, numbers, topics
                booking.groups(Filter())
            with django_assert_num_queries(1):
                booking.total(Filter())
            with django_assert_num_queries(1):
                booking.distribution(Filter())
