"""The CSV tables: their columns, their rows, and the one writer of CSV.

A screen's table and its CSV ask the same functions of `figures`. Rows are streamed: memory does not
grow with their number.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, QuerySet

from reports.fields import tidy
from reports.figures import usage
from reports.figures.attendance import stay
from reports.filter import Filter
from reports.models import Participant, Room, TelephonyUsage

CURRENCY = "CNY"
CHUNK = 1000
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV table: its name, its columns in order, the columns that hold free text, and its rows."""

    name: str
    columns: tuple[str, ...]
    texts: frozenset[str]
    sorts: frozenset[str]
    rows: Callable[[Filter, datetime], Iterator[Row]]


# How values are written: "" is unknown ---------------------------------------------------------------


def tenths(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.1"), ROUND_HALF_UP))


def minutes(seconds: int | None) -> str:
    """Seconds as minutes with one decimal."""
    return "" if seconds is None else tenths(Decimal(seconds) / 60)


def hours(seconds: int | None) -> str:
    """Seconds as hours with two decimals."""
    return "" if seconds is None else str((Decimal(seconds) / 3600).quantize(Decimal("0.01"), ROUND_HALF_UP))


def money(amount: Decimal | None) -> str:
    """Yuan, two decimals or more as exact."""
    return "" if amount is None else format(tidy(amount), "f")


def count(number: int | None) -> str:
    return "" if number is None else str(number)


def truth(value: bool | None) -> str:
    """1, 0 or unknown, as the API writes it."""
    return "" if value is None else str(int(value))


def moment(value: datetime | None, zone: ZoneInfo) -> str:
    """ISO 8601 with the local zone's offset, whole seconds."""
    return "" if value is None else value.astimezone(zone).isoformat(timespec="seconds")


def _room(room: Room | None) -> tuple[str, str]:
    return (room.host_id, room.known_name) if room else ("", "")


# The tables --------------------------------------------------------------------------------------------


def _meeting_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    stream = usage.meetings(chosen).iterator(chunk_size=CHUNK)
    while chunk := list(islice(stream, CHUNK)):
        summaries = usage.live_summaries(chunk, now)
        for meeting in chunk:
            figures = summaries[meeting.pk]
            yield (
                meeting.uuid,
                *_room(meeting.room),
                meeting.meeting_id,
                meeting.topic,
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
            meeting.uuid,
            *_room(meeting.room),
            meeting.meeting_id,
            meeting.topic,
            visit.name,
            moment(visit.join_time, zone),
            moment(visit.leave_time, zone),
            minutes(stay(visit, meeting.end_time, now).seconds),
        )


def _telephony_rows(chosen: Filter, now: datetime) -> Iterator[Row]:
    zone = ZoneInfo(settings.TIME_ZONE)
    rows = TelephonyUsage.objects.matching(chosen).select_related("meeting", "meeting__room")
    rows = _sorted(rows, chosen.sort, TELEPHONY_SORTS, ("-meeting__start_time", "-meeting", "place"))
    for call in rows.iterator(chunk_size=CHUNK):
        meeting = call.meeting
        yield (
            meeting.uuid,
            *_room(meeting.room),
            meeting.meeting_id,
            meeting.topic,
            call.phone_number,
            call.country,
            call.type,
            moment(call.start_time, zone),
            moment(call.end_time, zone),
            minutes(call.duration),
            money(call.total),
            CURRENCY,
        )


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
TELEPHONY_SORTS = _MEETING_PART | {
    "phone_number": "phone_number",
    "country": "country",
    "type": "type",
    "start_time": "start_time",
    "end_time": "end_time",
    "minutes": "duration",
    "cost": "total",
}

MEETINGS = Table(
    "meetings",
    (
        "uuid",
        "host_id",
        "room",
        "meeting_id",
        "topic",
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
    frozenset({"uuid", "host_id", "room", "meeting_id", "topic"}),
    frozenset(usage.MEETING_SORTS),
    _meeting_rows,
)
PARTICIPANTS = Table(
    "participants",
    ("uuid", "host_id", "room", "meeting_id", "topic", "name", "join_time", "leave_time", "minutes"),
    frozenset({"uuid", "host_id", "room", "meeting_id", "topic", "name"}),
    frozenset(PARTICIPANT_SORTS),
    _participant_rows,
)
TELEPHONY = Table(
    "telephony",
    (
        "uuid",
        "host_id",
        "room",
        "meeting_id",
        "topic",
        "phone_number",
        "country",
        "type",
        "start_time",
        "end_time",
        "minutes",
        "cost",
        "currency",
    ),
    frozenset({"uuid", "host_id", "room", "meeting_id", "topic", "phone_number", "type"}),
    frozenset(TELEPHONY_SORTS),
    _telephony_rows,
)
TABLES = {table.name: table for table in (MEETINGS, PARTICIPANTS, TELEPHONY)}


# The one writer ----------------------------------------------------------------------------------------


def write(table: Table, chosen: Filter, now: datetime, *, bom: bool = True, raw: bool = False) -> Iterator[bytes]:
    """The table as CSV: UTF-8, CRLF, header always, in pieces of some kilobytes.

    bom: begin with a byte order mark, without which Excel takes UTF-8 for something else. raw: leave
    texts as they are; else one that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    guarded = [place for place, column in enumerate(table.columns) if column in table.texts and not raw]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(table.columns)
    yield (codecs.BOM_UTF8 if bom else b"") + buffer.getvalue().encode()
    rows = table.rows(chosen, now)
    while chunk := list(islice(rows, 200)):
        buffer.seek(0)
        buffer.truncate()
        for row in chunk:
            if any(row[place].startswith(FORMULA) for place in guarded):
                row = tuple(
                    f"'{value}" if place in guarded and value.startswith(FORMULA) else value
                    for place, value in enumerate(row)
                )
            writer.writerow(row)
        yield buffer.getvalue().encode()


def file_name(table: Table, chosen: Filter, first: str, last: str) -> str:
    """Table, period and filter as a file name of plain characters."""
    parts = [table.name, first, last, *chosen.rooms[:3], chosen.state]
    parts += [f"more{len(chosen.rooms) - 3}"] if len(chosen.rooms) > 3 else []
    parts += [f"extra{int(chosen.extra)}"] if chosen.extra is not None else []
    parts += [f"calls{int(chosen.calls)}"] if chosen.calls is not None else []
    parts += ["search"] if chosen.q else []
    words = (
        "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in part) for part in parts if part
    )
    return "_".join(words)[:150] + ".csv"
