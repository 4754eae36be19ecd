"""A reported meeting made ready for the tables: all that follows from its record alone, which is most of an import.

Pure functions, which know of no database: another process may do this (see reading.py).
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from reports import measures
from reports.moments import spelt
from reports.provider.payloads import Call, MeetingRecord, Shape, Visit
from reports.text import name_key

# The columns of a meeting that are computed of its report.
SUMMARY_FIELDS = (
    "search",
    "local_day",
    "week_hour",
    "state",
    "open_seconds",
    "used_seconds",
    "attendees",
    "visits",
    "peak_attendees",
    "attendee_seconds",
    "spare_seconds",
    "calls",
    "call_seconds",
    "call_cost",
    "unpriced_calls",
)
# Those of a visit and of a call; the id of the meeting comes before them.
VISIT_COLUMNS = (
    *("place", "name", "join_time", "leave_time"),
    *("name_key", "attendee_visits", "attendee_seconds", "late_seconds"),
)
CALL_COLUMNS = (
    *("place", "phone_number", "type", "start_time", "end_time", "duration", "total"),
    *("country", "local_day"),
)

Row = tuple[Any, ...]


class Prepared(NamedTuple):
    """What follows from a record. Moments, days and amounts of money in the rows are texts (see bulk.py).

    The hashes are of its visits and calls, "" where they are not reported; computed: values of SUMMARY_FIELDS;
    visits, calls: rows of VISIT_COLUMNS and CALL_COLUMNS.
    """

    participants_hash: str
    telephony_hash: str
    computed: Row
    visits: list[Row]
    calls: list[Row]


def prepared(record: MeetingRecord, zone: ZoneInfo) -> Prepared:
    """A record made ready; what its reader has made ready is not made again. zone: the site's."""
    ready: Prepared | None = record.prepared
    return prepare(record, zone) if ready is None else ready


def prepare(record: MeetingRecord, zone: ZoneInfo) -> Prepared:
    """Make a record ready for the tables. zone: the site's, in which its day is."""
    visits, calls = canonical_visits(record.visits), canonical_calls(record.calls)
    facts = {
        "topic": record.topic or "",
        "meeting_id": record.meeting_id,
        "start_time": record.start_time,
        "end_time": record.end_time,
        "duration": record.duration,
        "duration_is_weak": is_weak(record),
    }
    computed = measures.computed(facts, visits, calls, zone)
    rows, parts = _visits(visits or (), record.start_time, record.end_time)
    return Prepared(
        "" if visits is None else _hash(parts),
        digest(calls),
        tuple(_text(computed[name]) for name in SUMMARY_FIELDS),
        rows,
        call_rows(calls or (), record.start_time, zone),
    )


def is_weak(record: MeetingRecord) -> bool:
    """Whether the duration may be the meeting's actual length (of the array answer it is not known)."""
    return record.duration is not None and record.shape is Shape.ARRAY


def visit_rows(visits: Sequence[Visit], start: datetime, end: datetime | None) -> list[Row]:
    """Rows of VISIT_COLUMNS of canonical visits. start, end: the meeting's."""
    return _visits(visits, start, end)[0]


def _visits(visits: Sequence[Visit], start: datetime, end: datetime | None) -> tuple[list[Row], list[str]]:
    """The rows of canonical visits, and what stands of them in their digest."""
    rows: list[Row] = []
    parts: list[str] = []
    figures = measures.on_first_visits(visits, start, end)
    for place, ((name, join, leave), of_attendee) in enumerate(zip(visits, figures, strict=True), 1):
        came, left = spelt(join), None if leave is None else spelt(leave)
        rows.append((place, name, came, left, name_key(name), *of_attendee))
        parts.append(_of_visit(name, came, left))
    return rows, parts


def call_rows(calls: Iterable[Call], meeting_start: datetime, zone: ZoneInfo) -> list[Row]:
    """Rows of CALL_COLUMNS of canonical calls. zone: the site's."""
    return [
        (
            *(place, *map(_text, call)),
            *(measures.country_of(call.phone_number), _text(measures.call_day(call.start_time, meeting_start, zone))),
        )
        for place, call in enumerate(calls, 1)
    ]


def _text(value: Any) -> Any:
    """A moment, a day or an amount of money as its text, anything else as it is."""
    if isinstance(value, datetime):
        return spelt(value)
    return str(value) if isinstance(value, date | Decimal) else value


# A visit and a call as they are kept in order, where nothing in them is unknown: read by C code.
_BY_TIME = itemgetter(Visit._fields.index("join_time"), Visit._fields.index("leave_time"), Visit._fields.index("name"))


def canonical_visits(visits: Iterable[Any] | None) -> tuple[Visit, ...] | None:
    """Visits as they are kept: by time, then name. The order an answer has them in means nothing."""
    if visits is None:
        return None
    plain = [v if type(v) is Visit else Visit(v.name, v.join_time, v.leave_time) for v in visits]
    try:
        plain.sort(key=_BY_TIME)
    except TypeError:
        # A leave that is unknown was compared with one that is known: it is the later one.
        plain.sort(key=lambda v: (v.join_time, v.leave_time or measures.FAR, v.name))
    return tuple(plain)


def canonical_calls(calls: Iterable[Any] | None) -> tuple[Call, ...] | None:
    """Calls as they are kept: by time, then number, then everything else."""
    if calls is None:
        return None

    def key(call: Call) -> tuple[Any, ...]:
        far = measures.FAR
        cost = Decimal(-1) if call.total is None else call.total
        length = -1 if call.duration is None else call.duration
        return (call.start_time or far, call.phone_number, call.end_time or far, call.type, length, cost)

    plain = [c if type(c) is Call else Call(*(getattr(c, name) for name in Call._fields)) for c in calls]
    return tuple(sorted(plain, key=key) if len(plain) > 1 else plain)


def _of_visit(name: str, join: str, leave: str | None) -> str:
    """What stands of a visit in a digest: the same as of any other row, for what there is most of. In: as `spelt`."""
    left = "4:None" if leave is None else f"{len(leave) + 6}:{leave[:10]}T{leave[11:]}+00:00"
    return f"{len(name)}:{name}{len(join) + 6}:{join[:10]}T{join[11:]}+00:00{left};"


def digest(items: Sequence[Visit] | Sequence[Call] | None) -> str:
    """A hash of canonical visits or calls; "" for unreported. Equal content, equal hash."""
    if items is None:
        return ""
    # With its length in front, no text can run into its neighbour.
    parts = []
    for item in items:
        if type(item) is Visit:
            name, join, leave = item
            parts.append(_of_visit(name, spelt(join), None if leave is None else spelt(leave)))
            continue
        for value in item:
            text = value if isinstance(value, str) else str(plain(value))
            parts.append(f"{len(text)}:{text}")
        parts.append(";")
    return _hash(parts)


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def plain(value: Any) -> Any:
    """A value as JSON keeps it; equal values give equal texts (0.1 and 0.10, a time in two zones)."""
    if isinstance(value, datetime):
        return f"{spelt(value, 'T')}+00:00"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value
