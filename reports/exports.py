"""The CSV tables: their columns and their rows.

A screen's table and its CSV ask the same functions of `figures`.
"""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from reports import longtables
from reports.csvtable import (
    Row,
    Table,
    count,
    file_name,
    hours,
    minutes,
    moment,
    money,
    percent,
    rows_of,
    write,
)
from reports.figures import (
    booking,
    occupancy,
    pool,
    reconciliation,
    room_usage,
    series,
    telephony,
    usage,
)
from reports.figures.reconciliation import Figures, Line
from reports.figures.usage import Totals
from reports.filter import Filter
from reports.longtables import CURRENCY, NO_NAME
from reports.models import Room

__all__ = ["TABLES", "Table", "file_name", "write"]

ALL_ROOMS = "(all rooms)"
NOT_ASKED = "not asked"
# As the CSV names them, whatever the language of the page.
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _room(room: Room | None) -> tuple[str, str]:
    return (room.host_id, room.known_name) if room else ("", "")


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


def _pool_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    run = pool.course(chosen, now)
    asked = pool.what_if(run)
    for one in pool.levels(run):
        yield (
            count(one.rooms),
            hours(one.seconds),
            hours(one.at_least_seconds),
            count(one.without),
            count(asked.meetings),
            percent(asked.served(one.rooms)),
        )


def _size_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    for one in pool.by_size(pool.course(chosen, now), pool.size(chosen), chosen.allowed_rooms):
        for rooms in range((one.asked.rooms_for(1000) or 0) + 1):
            yield (
                one.kind if one.seats is None else count(one.seats),
                count(one.rooms),
                count(rooms),
                count(one.asked.without(rooms)),
                count(one.asked.meetings),
                percent(one.asked.served(rooms)),
            )


def _concurrency_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    for begin, most in pool.concurrency(pool.course(chosen, now)):
        yield (moment(begin, zone), count(most))


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


def _booked_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    for group in booking.groups(chosen):
        one = group.booking
        yield (
            group.by,
            group.key,
            WEEKDAYS[int(group.key) - 1] if group.by == "weekday" else group.name,
            count(one.meetings),
            count(one.judged),
            count(one.overruns),
            hours(one.over_seconds),
            count(one.early_ends),
            hours(one.early_seconds),
            count(one.empty),
            count(one.solo),
            hours(one.booked_seconds),
            hours(one.used_seconds),
            percent(one.used_share),
            hours(one.spare_seconds),
        )


def _series_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    for found in series.attendance(series.every(chosen), chosen, now):
        of = found.series
        for one in found.members:
            yield (
                of.by,
                of.key,
                of.topic,
                of.meeting_id,
                count(of.meetings),
                count(of.reported),
                one.name or NO_NAME,
                count(one.attended),
                count(one.present),
                percent(one.present_share),
                minutes(one.seconds),
                percent(one.mean_share),
                count(one.late),
                count(one.left_early),
                moment(one.first_join, zone),
                moment(one.last_leave, zone),
            )


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
    rows_of(longtables.meeting_blocks),
    blocks=longtables.meeting_blocks,
)
PARTICIPANTS = Table(
    "participants",
    (*MEETING_COLUMNS, "name", "join_time", "leave_time", "minutes"),
    MEETING_TEXTS | {"name"},
    frozenset(longtables.PARTICIPANT_SORTS),
    rows_of(longtables.participant_blocks),
    blocks=longtables.participant_blocks,
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
    rows_of(longtables.telephony_blocks),
    blocks=longtables.telephony_blocks,
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
    frozenset(longtables.MEETING_SORTS),
    rows_of(longtables.attendee_blocks),
    blocks=longtables.attendee_blocks,
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
POOL = Table(
    "pool",
    ("level", "hours_at_level", "hours_at_least", "meetings_without_room", "meetings", "served_percent"),
    frozenset(),
    frozenset(),
    _pool_rows,
)
SIZES = Table(
    "sizes",
    ("seats", "rooms", "level", "meetings_without_room", "meetings", "served_percent"),
    frozenset(),
    frozenset(),
    _size_rows,
)
CONCURRENCY = Table("concurrency", ("begin", "most_rooms"), frozenset(), frozenset(), _concurrency_rows)
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
BOOKED = Table(
    "booked",
    (
        "by",
        "key",
        "name",
        "meetings",
        "judged",
        "overruns",
        "overrun_hours",
        "early_ends",
        "early_hours",
        "empty_meetings",
        "solo_meetings",
        "booked_hours",
        "used_hours",
        "used_percent",
        "spare_hours",
    ),
    frozenset({"key", "name"}),
    frozenset(booking.BOOKING_SORTS),
    _booked_rows,
)
SERIES = Table(
    "series",
    (
        "by",
        "series",
        "topic",
        "meeting_id",
        "meetings",
        "reported_meetings",
        "name",
        "attended",
        "present",
        "present_percent",
        "minutes",
        "mean_presence_percent",
        "late",
        "left_early",
        "first_join",
        "last_leave",
    ),
    frozenset({"series", "topic", "meeting_id", "name"}),
    frozenset(series.MEMBER_SORTS),
    _series_rows,
)
TABLES = {
    table.name: table
    for table in (
        *(MEETINGS, PARTICIPANTS, ATTENDEES, TELEPHONY, ROOMS, DAYS, HOURS),
        *(POOL, SIZES, CONCURRENCY, RECONCILIATION),
        *(BOOKED, SERIES),
    )
}
