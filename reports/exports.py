"""The CSV tables: their columns and their rows.

A screen's table and its CSV ask the same functions of `figures`.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, QuerySet

from reports.csvtable import Row, Table, count, file_name, hours, minutes, moment, money, percent, truth, write
from reports.figures import occupancy, people, reconciliation, room_usage, telephony, usage
from reports.figures.attendance import stay
from reports.figures.reconciliation import Figures, Line
from reports.figures.usage import Totals
from reports.filter import Filter
from reports.models import Meeting, Participant, Room
from reports.text import mask

__all__ = ["TABLES", "Table", "file_name", "write"]

CURRENCY = "CNY"
CHUNK = 1000
# Of a meeting's attendees without a name. Never blank: blank is unknown.
NO_NAME = "(no name)"
ALL_ROOMS = "(all rooms)"
NOT_ASKED = "not asked"


def _room(room: Room | None) -> tuple[str, str]:
    return (room.host_id, room.known_name) if room else ("", "")


def _of(meeting: Meeting) -> Row:
    """The columns that say which meeting a row belongs to."""
    return (meeting.uuid, *_room(meeting.room), meeting.meeting_id, meeting.topic)


def _meeting_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    stream = usage.meetings(chosen).iterator(chunk_size=CHUNK)
    while chunk := list(islice(stream, CHUNK)):
        summaries = usage.live_summaries(chunk, now)
        for meeting in chunk:
            figures = summaries[meeting.pk]
            yield (
                *_of(meeting),
                moment(meeting.start_time, zone),
                moment(meeting.end_time, zone),
                figures.state,
                minutes(meeting.duration),
                minutes(figures.open_seconds),
                minutes(figures.used_seconds),
                count(figures.attendees),
                count(figures.visits),
                count(figures.peak_attendees),
                minutes(figures.attendee_seconds),
                truth(meeting.is_extra),
                count(figures.calls),
                minutes(figures.call_seconds),
                money(figures.call_cost),
                CURRENCY,
            )


def _participant_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    rows = Participant.objects.matching(chosen).select_related("meeting", "meeting__room")
    rows = _sorted(rows, chosen.sort, PARTICIPANT_SORTS, ("-meeting__start_time", "-meeting", "place"))
    for visit in rows.iterator(chunk_size=CHUNK):
        meeting = visit.meeting
        yield (
            *_of(meeting),
            visit.name,
            moment(visit.join_time, zone),
            moment(visit.leave_time, zone),
            minutes(stay(visit, meeting.end_time, now).seconds),
        )


def _attendee_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    for meeting, presence in people.attended(chosen, now):
        attendee, late = presence.attendee, presence.late
        yield (
            *_of(meeting),
            attendee.name or NO_NAME,
            moment(attendee.first_join, zone),
            moment(attendee.last_leave, zone),
            count(attendee.visits),
            minutes(attendee.seconds),
            percent(presence.share),
            minutes(int(late.total_seconds()) if late else 0),
        )


def _telephony_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    for call in telephony.calls(chosen).iterator(chunk_size=CHUNK):
        yield (
            *_of(call.meeting),
            mask(call.phone_number) if chosen.masked else call.phone_number,
            call.country,
            call.type,
            moment(call.start_time, zone),
            moment(call.end_time, zone),
            minutes(call.duration),
            money(call.total),
            CURRENCY,
        )


def _hours(totals: Totals) -> Row:
    return (hours(totals.booked_seconds), hours(totals.open_seconds), hours(totals.used_seconds))


def _people(totals: Totals) -> Row:
    return (count(totals.attendees), hours(totals.attendee_seconds))


def _calls(totals: Totals) -> Row:
    return (count(totals.calls), minutes(totals.call_seconds), money(totals.call_cost))


def _room_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    for one in room_usage.room_usage(chosen, now):
        totals = one.totals
        yield (
            *_room(one.room),
            count(one.capacity),
            count(totals.meetings),
            count(totals.extra),
            count(totals.empty),
            count(totals.solo),
            *_hours(totals),
            percent(one.utilisation),
            *_people(totals),
            *_calls(totals),
            CURRENCY,
        )


def _day_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    peaks = dict(occupancy.peaks(chosen, now))
    for day, totals in usage.days(chosen, now):
        yield (
            day.isoformat(),
            count(totals.meetings),
            count(totals.extra),
            count(totals.empty),
            *_hours(totals),
            *_people(totals),
            count(peaks[day]),
            *_calls(totals),
            count(totals.unpriced_calls),
            CURRENCY,
        )


def _hour_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    for one in occupancy.hours(chosen, now):
        yield (count(one.weekday), count(one.hour), count(one.meetings), hours(one.open_seconds))


def _told(figures: Figures | None) -> Row:
    if figures is None:
        return ("",) * len(reconciliation.MEASURES)
    return (
        count(figures.meetings),
        count(figures.participants),
        minutes(figures.seconds),
        count(figures.calls),
        minutes(figures.call_seconds),
        money(figures.cost),
    )


def _why(line: Line) -> str:
    """The explanations of a line: `missing 3 (2026-11-19: 2, 2026-11-20: 1); since 1`."""
    if line.theirs is None:
        return NOT_ASKED
    parts = []
    for one in line.explanations:
        where = ", ".join(f"{day}: {number}" for day, number in one.days) or ", ".join(one.measures)
        parts.append(f"{one.kind} {one.count} ({where})" if where else f"{one.kind} {one.count}")
    return "; ".join(parts)


def _reconciliation_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    for month in reconciliation.months(chosen, now):
        for line in (*month.lines, month.total):
            room = ("", ALL_ROOMS) if line is month.total else (line.host_id, line.room.known_name if line.room else "")
            pairs = zip(_told(line.theirs), _told(line.ours), strict=True)
            yield (f"{month.first:%Y-%m}", *room, *(value for pair in pairs for value in pair), CURRENCY, _why(line))


Q = TypeVar("Q", bound="QuerySet[Any]")


def _sorted(rows: Q, sort: str, columns: dict[str, str], default: tuple[str, ...]) -> Q:
    if not sort:
        return rows.order_by(*default)
    key = F(columns[sort.removeprefix("-")])
    order = key.desc(nulls_last=True) if sort.startswith("-") else key.asc(nulls_last=True)
    return rows.order_by(order, *default)


_MEETING_PART = {
    "uuid": "meeting__uuid",
    "host_id": "meeting__room__host_id",
    "room": "meeting__room__name",
    "meeting_id": "meeting__meeting_id",
    "topic": "meeting__search",
}
PARTICIPANT_SORTS = _MEETING_PART | {"name": "name_key", "join_time": "join_time", "leave_time": "leave_time"}

MEETING_COLUMNS = ("uuid", "host_id", "room", "meeting_id", "topic")
MEETING_TEXTS = frozenset(MEETING_COLUMNS)

MEETINGS = Table(
    "meetings",
    (
        *MEETING_COLUMNS,
        "start_time",
        "end_time",
        "state",
        "booked_minutes",
        "open_minutes",
        "used_minutes",
        "attendees",
        "visits",
        "peak_attendees",
        "attendee_minutes",
        "is_extra",
        "calls",
        "call_minutes",
        "call_cost",
        "currency",
    ),
    MEETING_TEXTS,
    frozenset(usage.MEETING_SORTS),
    _meeting_rows,
)
PARTICIPANTS = Table(
    "participants",
    (*MEETING_COLUMNS, "name", "join_time", "leave_time", "minutes"),
    MEETING_TEXTS | {"name"},
    frozenset(PARTICIPANT_SORTS),
    _participant_rows,
)
TELEPHONY = Table(
    "telephony",
    (
        *MEETING_COLUMNS,
        "phone_number",
        "country",
        "type",
        "start_time",
        "end_time",
        "minutes",
        "cost",
        "currency",
    ),
    MEETING_TEXTS | {"phone_number", "type"},
    frozenset(telephony.TELEPHONY_SORTS),
    _telephony_rows,
)
ATTENDEES = Table(
    "attendees",
    (
        *MEETING_COLUMNS,
        "name",
        "first_join",
        "last_leave",
        "visits",
        "minutes",
        "presence_percent",
        "late_minutes",
    ),
    MEETING_TEXTS | {"name"},
    frozenset(_MEETING_PART),
    _attendee_rows,
)
ROOMS = Table(
    "rooms",
    (
        "host_id",
        "room",
        "capacity",
        "meetings",
        "extra_meetings",
        "empty_meetings",
        "solo_meetings",
        "booked_hours",
        "open_hours",
        "used_hours",
        "utilisation_percent",
        "attendees",
        "attendee_hours",
        "calls",
        "call_minutes",
        "call_cost",
        "currency",
    ),
    frozenset({"host_id", "room"}),
    frozenset(room_usage.ROOM_SORTS),
    _room_rows,
)
DAYS = Table(
    "days",
    (
        "day",
        "meetings",
        "extra_meetings",
        "empty_meetings",
        "booked_hours",
        "open_hours",
        "used_hours",
        "attendees",
        "attendee_hours",
        "peak_concurrent_rooms",
        "calls",
        "call_minutes",
        "call_cost",
        "unpriced_calls",
        "currency",
    ),
    frozenset(),
    frozenset(),
    _day_rows,
)
HOURS = Table("hours", ("weekday", "hour", "meetings", "open_hours"), frozenset(), frozenset(), _hour_rows)
RECONCILIATION = Table(
    "reconciliation",
    (
        "month",
        "host_id",
        "room",
        *(
            f"{whose}_{measure}"
            for measure in ("meetings", "participants", "minutes", "calls", "call_minutes", "cost")
            for whose in ("their", "our")
        ),
        "currency",
        "explanation",
    ),
    frozenset({"host_id", "room"}),
    frozenset(),
    _reconciliation_rows,
    whole=True,
)
TABLES = {
    table.name: table for table in (MEETINGS, PARTICIPANTS, ATTENDEES, TELEPHONY, ROOMS, DAYS, HOURS, RECONCILIATION)
}
