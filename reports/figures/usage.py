"""Meetings counted and added up: totals, days, and the rows of the meetings table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, Sum, Value
from django.db.models.functions import Coalesce, NullIf

from reports.figures.period import span
from reports.filter import Filter
from reports.models import Meeting, Participant
from reports.querysets import MeetingQuerySet
from reports.summaries import Summary, live

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a selection. Seconds and yuan; unreported meetings are left out of what they do not tell."""

    meetings: int = 0
    extra: int = 0
    empty: int = 0
    solo: int = 0
    unreported: int = 0
    running: int = 0
    booked_seconds: int = 0
    open_seconds: int = 0
    used_seconds: int = 0
    attendees: int = 0
    attendee_seconds: int = 0
    visits: int = 0
    calls: int = 0
    call_seconds: int = 0
    call_cost: Decimal = Decimal("0.00")
    unpriced_calls: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


SUMS = {
    "meetings": Count("pk"),
    "extra": Count("pk", filter=Q(is_extra=True)),
    "empty": Count("pk", filter=Q(state=Meeting.State.EMPTY)),
    "solo": Count("pk", filter=Q(state=Meeting.State.SOLO)),
    "unreported": Count("pk", filter=Q(state=Meeting.State.UNREPORTED)),
    "running": Count("pk", filter=Q(end_time=None)),
    "booked": Sum("duration"),
    "open": Sum("open_seconds"),
    "used": Sum("used_seconds"),
    "people": Sum("attendees"),
    "people_seconds": Sum("attendee_seconds"),
    "stays": Sum("visits"),
    "dials": Sum("calls"),
    "dial_seconds": Sum("call_seconds"),
    "cost": Sum("call_cost"),
    "unpriced": Sum("unpriced_calls"),
}


def _totals(row: Mapping[str, Any]) -> Totals:
    """A row of SUMS as Totals: a sum over nothing is nothing."""
    values: list[Any] = []
    for name in SUMS:
        nothing = Decimal("0.00") if name == "cost" else 0
        values.append(nothing if row[name] is None else row[name])
    return Totals(*values)


def live_summaries(meetings: Sequence[Meeting], now: datetime) -> dict[int, Summary]:
    """The figures at `now` of each meeting, by its id; visits are fetched for running ones only."""
    running = [meeting.pk for meeting in meetings if meeting.end_time is None]
    visits: dict[int, list[Participant]] = {}
    if running:
        for visit in Participant.objects.filter(meeting__in=running):
            visits.setdefault(visit.meeting_id, []).append(visit)
    return {meeting.pk: live(meeting, visits.get(meeting.pk, []), now) for meeting in meetings}


def _growing(meetings: MeetingQuerySet, now: datetime) -> Iterator[tuple[date, Totals]]:
    """What running meetings add to the kept sums at `now`: (their local day, the part that grows)."""
    running = list(meetings.running())
    summaries = live_summaries(running, now)
    for meeting in running:
        summary = summaries[meeting.pk]
        yield (
            meeting.local_day,
            Totals(
                open_seconds=summary.open_seconds or 0,
                used_seconds=summary.used_seconds or 0,
                attendee_seconds=summary.attendee_seconds or 0,
            ),
        )


def totals(chosen: Filter, now: datetime) -> Totals:
    """Everything added up over the meetings of a filter; running ones as they stand at `now`."""
    meetings = Meeting.objects.matching(chosen)
    result = _totals(meetings.order_by().aggregate(**SUMS))
    for _, part in _growing(meetings, now):
        result += part
    return result


def days(chosen: Filter, now: datetime) -> list[tuple[date, Totals]]:
    """Totals of each local day of the period, days without a meeting included."""
    first, last = span(chosen, now)
    meetings = Meeting.objects.matching(chosen)
    found = {row["local_day"]: _totals(row) for row in meetings.order_by().values("local_day").annotate(**SUMS)}
    for day, part in _growing(meetings, now):
        found[day] += part
    count = (last - first).days + 1
    return [(day, found.get(day, Totals())) for day in (first + timedelta(days=n) for n in range(count))]


# Columns of the meetings table by which it can be sorted. A column that grows while a meeting runs
# is sorted as it was kept, running meetings last.
MEETING_SORTS = {
    "uuid": "uuid",
    "host_id": "room__host_id",
    "room": "room__label",
    "meeting_id": "meeting_id",
    "topic": "search",
    "start_time": "start_time",
    "end_time": "end_time",
    "state": "state",
    "booked_minutes": "duration",
    "open_minutes": "open_seconds",
    "used_minutes": "used_seconds",
    "attendees": "attendees",
    "visits": "visits",
    "peak_attendees": "peak_attendees",
    "attendee_minutes": "attendee_seconds",
    "is_extra": "is_extra",
    "calls": "calls",
    "call_minutes": "call_seconds",
    "call_cost": "call_cost",
}
MEETING_DEFAULT_SORT = "-start_time"


def meetings(chosen: Filter) -> MeetingQuerySet:
    """The meetings of a filter with their rooms, in the filter's order; unknown values come last."""
    return ordered(Meeting.objects.matching(chosen).select_related("room"), chosen.sort or MEETING_DEFAULT_SORT)


def ordered(rows: MeetingQuerySet, sort: str) -> MeetingQuerySet:
    """Rows by one column of MEETING_SORTS, `-` in front for descending; ties by newest."""
    name = sort.removeprefix("-")
    column = MEETING_SORTS[name]
    key = Coalesce(NullIf(F("room__label"), Value("")), F("room__name")) if name == "room" else F(column)
    order = key.desc(nulls_last=True) if sort.startswith("-") else key.asc(nulls_last=True)
    if column == "start_time":
        # Never null: without the nulls clause the index serves the order.
        return rows.order_by(sort, "-pk" if sort.startswith("-") else "pk")
    return rows.order_by(order, "-start_time", "-pk")
