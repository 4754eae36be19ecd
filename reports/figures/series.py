"""Meetings that are one series, by their number or their topic, and who came to how many of them.

A display name is what somebody typed when they joined: nothing here is called a person's identity.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Q, QuerySet

from reports import kept, rawrows
from reports.figures import added
from reports.figures.attendance import Presence
from reports.figures.groups import Among, Order, page_of
from reports.figures.people import presences_in
from reports.filter import Filter
from reports.models import Meeting, Participant
from reports.querysets import MeetingQuerySet, of_topic
from reports.sums import NEWEST_MOMENT, SERIES_SUMS, FoldedTopic, Lines, newest
from reports.text import REMOVED, name_key

CHUNK = 500
EVERY_SUMS = {name: SERIES_SUMS[name] for name in ("meetings", "tell_people", "newest", "least_number", "most_number")}
SERIES_A_TIME = 100
LEAST = 2  # meetings that make a series


@dataclass(frozen=True, slots=True)
class Series:
    """A meeting number, or a folded topic, with its meetings of a filter.

    by: "number" or "topic". key: the number or the folded topic, "" for those without one. topic: as the newest
    meeting spells it. meeting_id: the one meeting number of all of them, or "". reported: meetings whose participants
    were reported.
    """

    by: str
    key: str
    topic: str
    meeting_id: str
    meetings: int
    reported: int
    last: datetime

    def within(self, chosen: Filter) -> Filter:
        """The filter narrowed to this series."""
        return replace(chosen, number=self.key) if self.by == "number" else replace(chosen, topic=self.key)


@dataclass(slots=True)
class Member:
    """One display name over the reported meetings of a series.

    attended: meetings it was seen in. present: those it was present at by the rule, None where none of them was
    used at all. left_early: None where none of them tells. late: those it joined late. shares: of the used time.
    """

    key: str
    reported: int
    name: str = ""
    attended: int = 0
    present: int | None = None
    seconds: int = 0
    late: int = 0
    left_early: int | None = None
    first_join: datetime | None = None
    last_leave: datetime | None = None
    shares: list[float] = field(default_factory=list)
    newest: datetime | None = field(default=None, repr=False)

    @property
    def present_share(self) -> float | None:
        """Meetings it was present at ÷ reported meetings of the series."""
        return None if self.present is None else self.present / self.reported

    @property
    def mean_share(self) -> float | None:
        """Presence a meeting it was seen in, over those that were used."""
        return sum(self.shares) / len(self.shares) if self.shares else None

    @property
    def regular(self) -> bool:
        """Whether it was present at half of the reported meetings or more."""
        return self.present is not None and self.present * 2 >= self.reported

    def add(self, one: Presence, percent: int) -> None:
        """Count one more meeting. The newest spelling of the name is the one shown."""
        attendee = one.attendee
        self.attended += 1
        self.seconds += attendee.seconds
        self.late += one.late is not None
        present, left_early = one.is_present(percent), one.left_early
        if present is not None:
            self.present = (self.present or 0) + present
        if left_early is not None:
            self.left_early = (self.left_early or 0) + left_early
        if one.share is not None:
            self.shares.append(one.share)
        if self.newest is None or attendee.first_join >= self.newest:
            self.name, self.newest = attendee.name, attendee.first_join
        self.first_join = min(self.first_join or attendee.first_join, attendee.first_join)
        self.last_leave = max(self.last_leave or attendee.last_leave, attendee.last_leave)


class Held(NamedTuple):
    """One meeting of a series and its attendees by folded name; None when they were not reported."""

    meeting: Meeting
    present: dict[str, Presence] | None


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who came to a series. held: its meetings, oldest first; members: its display names, in the filter's order.

    removed: how often somebody came whose name was removed since. Who of them is whom is not known any more.
    """

    series: Series
    held: list[Held]
    members: list[Member]
    removed: int = 0

    @property
    def regulars(self) -> int:
        """Display names that were present at half of the reported meetings or more."""
        return sum(member.regular for member in self.members)

    @property
    def mean_attendees(self) -> float | None:
        """Attendees a reported meeting."""
        reported = self.series.reported
        came = sum(member.attended for member in self.members) + self.removed
        return came / reported if reported else None

    @property
    def rate(self) -> float | None:
        """Times that somebody was present ÷ (attendees of the series × reported meetings); None where names went."""
        if self.removed:
            return None
        possible = len(self.members) * self.series.reported
        known = [member.present for member in self.members if member.present is not None]
        return sum(known) / possible if possible and known else None


@dataclass(frozen=True, slots=True)
class Brief:
    """Who came to a series, in numbers alone; as `Attendance` has them."""

    series: Series
    attendees: int
    regulars: int
    mean_attendees: float | None
    rate: float | None


# Which series there are -----------------------------------------------------------------------------------


def least(chosen: Filter) -> int:
    """How many meetings make a series: one is enough where the filter names it."""
    named = chosen.number if chosen.by == "number" else chosen.topic is not None
    return 1 if named else LEAST


def every(chosen: Filter) -> list[Series]:
    """The series in a filter, those with the most meetings first, then by topic and key.

    Meetings without a number are no series of one number.
    """
    rows = added.series(chosen, chosen.by, EVERY_SUMS)
    return _of_rows(
        {key: row for key, row in rows.items() if row["meetings"] >= least(chosen) and (key or chosen.by == "topic")},
        chosen,
    )


def _of_rows(rows: Mapping[str, added.Row], chosen: Filter) -> list[Series]:
    found = []
    for key, row in rows.items():
        last, topic = newest(row["newest"])
        number = row["least_number"] if row["least_number"] == row["most_number"] else ""
        found.append(
            Series(
                by=chosen.by,
                key=key,
                topic=topic,
                meeting_id=number,
                meetings=row["meetings"],
                reported=row["tell_people"],
                last=last,
            )
        )
    found.sort(key=lambda one: (-one.meetings, one.topic.casefold(), one.key))
    return found


def of_series(chosen: Filter) -> Series | None:
    """The one series that a filter names by number or topic; None where it has no meeting in the filter."""
    return next(iter(every(chosen)), None)


# Who came to them --------------------------------------------------------------------------------------------


def attendance(series: Iterable[Series], chosen: Filter, now: datetime) -> Iterator[Attendance]:
    """Who came to each of some series of a filter, in their order.

    Small series are read together; memory holds the meetings of some of them, or of one that is larger.
    """
    waiting: list[Series] = []
    for one in series:
        if waiting and sum(other.meetings for other in waiting) + one.meetings > CHUNK:
            yield from _together(waiting, chosen, now)
            waiting = []
        waiting.append(one)
    if waiting:
        yield from _together(waiting, chosen, now)


def _together(series: list[Series], chosen: Filter, now: datetime) -> Iterator[Attendance]:
    held: dict[str, list[Held]] = {one.key: [] for one in series}
    for met in _held(_meetings(series, chosen), chosen, now):
        topic, _break, number = met.meeting.search.partition("\n")
        key = number if chosen.by == "number" else topic
        # A meeting that came in between is told with the next answer.
        if key in held:
            held[key].append(met)
    for one in series:
        yield _of(one, held.pop(one.key), chosen)


def _meetings(series: list[Series], chosen: Filter) -> MeetingQuerySet:
    """The meetings of some series, oldest first."""
    rows = Meeting.objects.matching(chosen).filter(_these(series, chosen))
    return rows.order_by("start_time", "pk")


def _these(series: list[Series], chosen: Filter, prefix: str = "") -> Q:
    """The meetings of some series, on a meeting reached by `prefix`."""
    keys = [one.key for one in series]
    if chosen.by == "number":
        return Q(**{f"{prefix}meeting_id__in": keys})
    found = Q(pk__in=[])
    for key in keys:
        found |= of_topic(key, prefix)
    return found


def _held(meetings: "QuerySet[Meeting]", chosen: Filter, now: datetime) -> Iterator[Held]:
    stream = meetings.iterator(chunk_size=CHUNK)
    while chunk := list(islice(stream, CHUNK)):
        for meeting, present in presences_in(chunk, chosen.name, now):
            reported = {one.attendee.key: one for one in present} if meeting.participants_reported else None
            yield Held(meeting, reported)


def _of(series: Series, held: list[Held], chosen: Filter) -> Attendance:
    # The same meetings that are counted here are those that are shown.
    reported = sum(one.present is not None for one in held)
    series = replace(series, meetings=len(held), reported=reported)
    members: dict[str, Member] = {}
    for one in held:
        for key, presence in (one.present or {}).items():
            key = name_key(key)
            members.setdefault(key, Member(key, reported)).add(presence, chosen.present)
    removed = members.pop(REMOVED, None)
    known = members_in_order(list(members.values()), chosen.sort)
    return Attendance(series, held, known, removed.attended if removed else 0)


class _Seen(NamedTuple):
    """The names seen in the meetings of a series, as often as each was: present, absent by the rule, or in a meeting
    that nobody used.
    """

    present: Counter[str]
    absent: Counter[str]
    unused: Counter[str]


def briefs(series: Iterable[Series], chosen: Filter, now: datetime) -> Iterator[Brief]:
    """The figures of who came to each of some series of a filter, in their order, without their meetings."""
    stream = iter(series)
    while part := list(islice(stream, SERIES_A_TIME)):
        running: dict[str, list[Held]] = {}
        for held in _held(kept.running(_meetings(part, chosen)), chosen, now):
            topic, _break, number = held.meeting.search.partition("\n")
            running.setdefault(number if chosen.by == "number" else topic, []).append(held)
        seen = _ended(part, chosen)
        for key, meetings in running.items():
            present, absent, unused = seen.setdefault(key, _nobody())
            for held in meetings:
                for name, presence in (held.present or {}).items():
                    is_present = presence.is_present(chosen.present)
                    how = unused if is_present is None else present if is_present else absent
                    how[name_key(name)] += 1
        for one in part:
            yield _brief(one, seen.get(one.key) or _nobody())


def _ended(series: list[Series], chosen: Filter) -> dict[str, _Seen]:
    """The names seen in the ended meetings of some series, by the keys of these; none where nobody was."""
    used = Q(meeting__used_seconds__gt=0)
    # In whole numbers: a share of 29 percent is less than 0.29 in floating point.
    present = Q(hundredfold__gte=F("meeting__used_seconds") * chosen.present)
    ways = {"present_": used & present, "absent_": used & ~present, "unused_": ~used}
    rows = (
        Participant.objects.matching(replace(chosen, sort=""))
        .filter(_these(series, chosen, "meeting__"), attendee_visits__isnull=False, meeting__end_time__isnull=False)
        .alias(hundredfold=F("attendee_seconds") * 100)
        .order_by()
        .values(key_=F("meeting__meeting_id") if chosen.by == "number" else FoldedTopic("meeting__search"))
        # One text a series: to put tens of thousands of names into groups takes the database twice as long.
        .annotate(**{way: Lines("name_key", filter=which) for way, which in ways.items()})
        .values_list("key_", *ways)
    )
    return {key: _Seen(*(_counted(lines) for lines in told)) for key, *told in rawrows.every(rows)}


def _counted(lines: str | None) -> Counter[str]:
    """How often each line is there. A line may be empty; NULL has none."""
    return Counter() if lines is None else Counter(lines.split("\n"))


def _nobody() -> _Seen:
    return _Seen(Counter(), Counter(), Counter())


def _brief(series: Series, seen: _Seen) -> Brief:
    reported = series.reported
    removed = sum(names.pop(REMOVED, 0) for names in seen)
    present, absent, unused = seen
    attendees = len(present.keys() | absent.keys() | unused.keys())
    possible = attendees * reported
    used = bool(present or absent)
    return Brief(
        series=series,
        attendees=attendees,
        # By how often somebody was present: thousands of names have the same few numbers.
        regulars=sum(names for times, names in Counter(present.values()).items() if times * 2 >= reported),
        mean_attendees=(sum(names.total() for names in seen) + removed) / reported if reported else None,
        rate=present.total() / possible if possible and used and not removed else None,
    )


# Orders ------------------------------------------------------------------------------------------------------

# Columns of the table of attendees, named as in series.csv.
MEMBER_SORTS: dict[str, Callable[[Member], Any]] = {
    "name": lambda one: one.key or None,
    "attended": lambda one: one.attended,
    "present": lambda one: one.present,
    "present_percent": lambda one: one.present_share,
    "minutes": lambda one: one.seconds,
    "mean_presence_percent": lambda one: one.mean_share,
    "late": lambda one: one.late,
    "left_early": lambda one: one.left_early,
    "first_join": lambda one: one.first_join,
    "last_leave": lambda one: one.last_leave,
}
MEMBER_DEFAULT_SORT = "-present"
# Columns of the table of series. Only those of ATTENDANCE_SORTS need to know who came.
SERIES_SORTS: dict[str, Callable[[Series], Any]] = {
    "series": lambda one: one.topic.casefold() or None,
    "meetings": lambda one: one.meetings,
    "reported_meetings": lambda one: one.reported,
    "last": lambda one: one.last,
}
ATTENDANCE_SORTS: dict[str, Callable[[Brief], Any]] = {
    "attendees": lambda one: one.attendees if one.series.reported else None,
    "regulars": lambda one: one.regulars if one.series.reported else None,
    "mean_attendees": lambda one: one.mean_attendees,
    "attendance_percent": lambda one: one.rate,
}
SERIES_DEFAULT_SORT = "-meetings"


def _values() -> dict[str, str]:
    """Columns of SERIES_SORTS by the sums of a series, for the database. Texts are put in order in Python alone."""
    return {
        "meetings": "meetings",
        "reported_meetings": "tell_people",
        "last": NEWEST_MOMENT[connection.vendor],
    }


def members_in_order(rows: list[Member], sort: str) -> list[Member]:
    """Display names by one column of MEMBER_SORTS; ties by minutes, then by name; unknown values last."""
    rows.sort(key=lambda one: (-one.seconds, one.key))
    return _in_order(rows, MEMBER_SORTS, sort or MEMBER_DEFAULT_SORT)


def _in_order(rows: list[Any], columns: dict[str, Callable[[Any], Any]], sort: str) -> list[Any]:
    value = columns[sort.removeprefix("-")]
    known = [one for one in rows if value(one) is not None]
    known.sort(key=value, reverse=sort.startswith("-"))
    return known + [one for one in rows if value(one) is None]


class Some(NamedTuple):
    """A page of series and who came to them. series: how many there are; most: the most meetings of any."""

    rows: list[Brief]
    series: int
    most: int


def some(chosen: Filter, now: datetime, size: int) -> Some:
    """The page of a filter of its series in its order, or the last there is. size: series a page.

    Who came is asked for all series only where that gives the order.
    """
    sort = chosen.sort or SERIES_DEFAULT_SORT
    plain = replace(chosen, sort="")  # the sort is of series, not of those who came to them
    value = _values().get(sort.removeprefix("-"))
    numbered = "" if chosen.by == "topic" else " AND key_ <> ''"
    page, top = page_of(
        chosen.page,
        size,
        lambda wanted: added.SERIES[chosen.by].top(
            plain,
            EVERY_SUMS,
            Order(value, sort.startswith("-")) if value else None,
            wanted,
            among=Among(f"meetings >= %s{numbered}", [least(chosen)]),
            most=["meetings"],
        ),
        lambda top: top.groups,
    )
    found = _of_rows(top.rows, chosen)
    first, last = (page - 1) * size, page * size
    if sort.removeprefix("-") in ATTENDANCE_SORTS:
        rows = _in_order(list(briefs(found, plain, now)), ATTENDANCE_SORTS, sort)[first:last]
    else:
        rows = list(briefs(_in_order(found, SERIES_SORTS, sort)[first:last], plain, now))
    return Some(rows, top.groups, top.most["meetings"] or 0)
