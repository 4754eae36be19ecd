"""Attendance by display name, over many meetings.

A display name is what somebody typed when they joined: two people may share one, and one person may have
several. Nothing here is called a person's identity.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet

from reports import kept
from reports.figures import added, period
from reports.figures.attendance import Presence, presences
from reports.figures.groups import Order, Top, containing, page_of
from reports.figures.usage import meetings
from reports.filter import Filter
from reports.models import Meeting, Participant
from reports.summaries import live
from reports.sums import ATTENDEE_SUMS, NEWEST_MOMENT, newest
from reports.text import fold, is_removed, name_key

CHUNK = 500
# Nothing of who attended is told by these, and a name may have attended a thousand meetings.
UNUSED = (
    *("room_name", "room_email", "participants_hash", "telephony_hash", "first_pull", "first_seen_at", "changed_at"),
    *("names_removed_at", "search", "peak_attendees", "spare_seconds"),
)


class Stay(NamedTuple):
    """One visit as little as it needs to be."""

    name: str
    join_time: datetime
    leave_time: datetime | None


class Attended(NamedTuple):
    """One attendee of one meeting."""

    meeting: Meeting
    presence: Presence


def attended(chosen: Filter, now: datetime, *, running: bool = False) -> Iterator[Attended]:
    """Every attendee of every meeting of a filter: meetings in the filter's order, attendees by first join.

    With a name in the filter, that name's alone; their share is of the whole meeting all the same.
    When they left is not compared with the others' leaves. Memory does not grow with their number.
    running: of running meetings alone.
    """
    if running and not kept.running_ids():
        return
    rows = _meetings(chosen)
    yield from _attended(kept.running(rows) if running else rows, chosen, now)


def some_attended(chosen: Filter, now: datetime, first: int, last: int) -> list[Attended]:
    """Of what `attended` gives for one name, from a place to another (excluded)."""
    if is_removed(chosen.name or ""):
        # Only of those who have no name any more may there be several in one meeting.
        return list(islice(attended(chosen, now), first, last))
    return list(_attended(_meetings(chosen)[first:last], chosen, now))


def _meetings(chosen: Filter) -> "QuerySet[Meeting]":
    return meetings(chosen).filter(participants_reported=True).defer(*UNUSED)


def _attended(rows: "QuerySet[Meeting]", chosen: Filter, now: datetime) -> Iterator[Attended]:
    stream = rows.iterator(chunk_size=CHUNK)
    while chunk := list(islice(stream, CHUNK)):
        for meeting, present in presences_in(chunk, chosen.name, now, whole=False):
            for presence in present:
                yield Attended(meeting, presence)


def presences_in(
    chunk: Sequence[Meeting], name: str | None, now: datetime, *, whole: bool = True
) -> Iterator[tuple[Meeting, list[Presence]]]:
    """The attendees of each of some meetings, by first join; with a folded name, that name's alone.

    whole: whether when they left is compared with the leaves of all others, for which all visits are needed.
    """
    visits: dict[int, list[Stay]] = {}
    rows = Participant.objects.filter(meeting__in=[meeting.pk for meeting in chunk]).order_by("meeting", "place")
    # Of a running meeting the whole is needed, since its used time is computed here.
    if not whole and name is not None and all(meeting.end_time for meeting in chunk):
        rows = rows.filter(name_key=name)
    for meeting_id, spelled, join_time, leave_time in rows.values_list("meeting_id", "name", "join_time", "leave_time"):
        visits.setdefault(meeting_id, []).append(Stay(spelled, join_time, leave_time))
    for meeting in chunk:
        stays = visits.get(meeting.pk, [])
        used = meeting.used_seconds if meeting.end_time else live(meeting, stays, now).used_seconds
        found = presences(meeting, stays, used, now, whole=whole)
        yield meeting, [one for one in found if name is None or name_key(one.attendee.key) == name]


@dataclass(slots=True)
class Person:
    """One display name over the meetings of a selection. seconds: attendance, late_seconds: of the late ones."""

    key: str
    name: str = ""
    meetings: int = 0
    visits: int = 0
    seconds: int = 0
    late: int = 0
    late_seconds: int = 0
    first: datetime | None = None
    last: datetime | None = None

    @property
    def late_share(self) -> float | None:
        """Meetings joined late ÷ meetings."""
        return self.late / self.meetings if self.meetings else None

    @property
    def mean_seconds(self) -> float | None:
        """Attendance a meeting."""
        return self.seconds / self.meetings if self.meetings else None

    def add(self, one: Attended) -> None:
        """Count one more meeting. The newest spelling of the name is the one shown."""
        attendee = one.presence.attendee
        self.meetings += 1
        self.visits += attendee.visits
        self.seconds += attendee.seconds
        if one.presence.late is not None:
            self.late += 1
            self.late_seconds += int(one.presence.late.total_seconds())
        if self.last is None or (attendee.first_join, attendee.name) >= (self.last, self.name):
            self.name, self.last = attendee.name, attendee.first_join
        if self.first is None or attendee.first_join < self.first:
            self.first = attendee.first_join


def _person(key: str, row: added.Row) -> Person:
    """A row of ATTENDEE_SUMS."""
    last, name = newest(row["newest"])
    return Person(
        key,
        name=" ".join(name.split()),
        meetings=row["attended"],
        visits=row["visits"],
        seconds=row["seconds"],
        late=row["late"],
        late_seconds=row["late_sum"],
        first=row["first_join"],
        last=last,
    )


PERSON_SORTS = {
    "name": lambda one: one.key,
    "meetings": lambda one: one.meetings,
    "visits": lambda one: one.visits,
    "minutes": lambda one: one.seconds,
    "late": lambda one: one.late,
    "late_percent": lambda one: one.late_share or 0,
    "last": lambda one: one.last,
}
PERSON_DEFAULT_SORT = "-meetings"


def _values() -> dict[str, str]:
    """Columns of PERSON_SORTS by the sums of a name, for the database. Texts are put in order in Python alone."""
    return {
        "meetings": "attended",
        "visits": "visits",
        "minutes": "seconds",
        "late": "late",
        "late_percent": "CAST(late AS double precision) / attended",
        "last": NEWEST_MOMENT[connection.vendor],
    }


def people(chosen: Filter, now: datetime) -> list[Person]:
    """The display names in the meetings of a filter, in its order.

    Where some of the names contain what is searched for, those alone: who looks for a name means the
    name. Else the search was for a topic or a number, and everybody in those meetings is there.
    """
    found = _with_running(added.attendees(chosen), _running(chosen, now))
    if chosen.q:
        wanted = fold(chosen.q)
        found = [person for person in found if wanted in person.key] or found
    return in_order(found, chosen.sort or PERSON_DEFAULT_SORT)


class People(NamedTuple):
    """A page of display names. names: how many there are; most: the most meetings and seconds of any.

    by_name: whether they are those whose names contain what is searched for.
    """

    rows: list[Person]
    names: int
    most: Person
    by_name: bool


def some_people(chosen: Filter, now: datetime, size: int) -> People:
    """The page of a filter of what `people` gives, or the last there is. size: names a page."""
    sort = chosen.sort or PERSON_DEFAULT_SORT
    value = _values().get(sort.removeprefix("-"))
    running = _running(chosen, now)
    text = fold(chosen.q)
    named = {key: rows for key, rows in running.items() if text in key}

    def ask(wanted: int) -> Top:
        return added.ATTENDEES.top(
            chosen,
            ATTENDEE_SUMS,
            Order(value, sort.startswith("-")) if value else None,
            # Each name of a running meeting may stand before others when that is added to it.
            wanted + len(running),
            # Where a name in a running meeting is one of them, there are some.
            among=containing(text, or_all=not named) if text else None,
            most=("attended", "seconds"),
            also=list(running),
        )

    def by_name(top: Top) -> bool:
        return bool(chosen.q) and (bool(named) or any(text in key for key in top.rows))

    def added_to(top: Top) -> dict[str, list[Attended]]:
        return named if by_name(top) else running

    def count(top: Top) -> int:
        return top.groups + len(added_to(top).keys() - top.rows.keys())

    page, top = page_of(chosen.page, size, ask, count)
    found = in_order(_with_running(top.rows, added_to(top)), sort)
    most = Person(
        "",
        meetings=max([top.most["attended"] or 0, *(one.meetings for one in found)]),
        seconds=max([top.most["seconds"] or 0, *(one.seconds for one in found)]),
    )
    return People(found[(page - 1) * size : page * size], count(top), most, by_name(top))


def _running(chosen: Filter, now: datetime) -> dict[str, list[Attended]]:
    """The attendees of the running meetings of a filter by folded name."""
    found: dict[str, list[Attended]] = {}
    # The sort is of people, not of their meetings.
    for one in attended(replace(chosen, sort=""), now, running=True):
        found.setdefault(name_key(one.presence.attendee.key), []).append(one)
    return found


def _with_running(rows: Mapping[str, added.Row], running: Mapping[str, list[Attended]]) -> list[Person]:
    """Rows of ATTENDEE_SUMS by name, with the running meetings."""
    found = {key: _person(key, row) for key, row in rows.items()}
    for key, more in running.items():
        person = found.setdefault(key, Person(key))
        for one in more:
            person.add(one)
    return list(found.values())


def in_order(rows: list[Person], sort: str) -> list[Person]:
    """People by one column of PERSON_SORTS, `-` in front for descending; ties by name."""
    rows.sort(key=lambda one: one.key)
    rows.sort(key=PERSON_SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    return rows


def person(chosen: Filter, now: datetime) -> Person:
    """The sums of the one display name of a filter."""
    found = _with_running(added.attendees(chosen), _running(chosen, now))
    return found[0] if found else Person(chosen.name or "")


def by_month(chosen: Filter, now: datetime) -> list[tuple[date, Person]]:
    """The same by the month of the meetings' local day; months of the period without a meeting included."""
    first, last = period.span(chosen, now)
    rows: dict[date, added.Row] = {}
    for day, row in added.attendees_by_day(chosen).items():
        month = day.replace(day=1)
        rows[month] = kept.add(rows[month], row) if month in rows else row
    found: dict[date, Person] = {}
    month = first.replace(day=1)
    while month <= last:
        found[month] = _person("", rows[month]) if month in rows else Person("")
        month = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    for one in attended(chosen, now, running=True):
        if month_of := found.get(one.meeting.local_day.replace(day=1)):
            month_of.add(one)
    return list(found.items())
