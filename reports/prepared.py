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
from reports.moments import instant, spelt, taken_apart
from reports.money import millionths
from reports.provider.payloads import Call, MeetingRecord, Shape, Visit
from reports.text import fold, name_key

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
NO_LEAVE = "4:None"  # in a digest


class Prepared(NamedTuple):
    """What follows from a record, every value as it is kept: see `bulk.insert_rows`.

    start, end: the meeting's. The hashes are of its visits and calls, "" where they are not reported; computed: values
    of SUMMARY_FIELDS; visits, calls: rows of VISIT_COLUMNS and CALL_COLUMNS.
    """

    start: str
    end: str | None

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
    told: measures.Attended | None = None
    rows: list[Row] = []
    parts: list[str] = []
    if visits is not None:
        told, rows, parts = _visits(visits, record.start_time, record.end_time)
    computed = measures.computed_of(facts, told, calls, zone)
    return Prepared(
        spelt(record.start_time),
        None if record.end_time is None else spelt(record.end_time),
        "" if visits is None else _hash(parts),
        digest(calls),
        _all_kept(_SUMMARY(computed)),
        rows,
        call_rows(calls or (), record.start_time, zone),
    )


def is_weak(record: MeetingRecord) -> bool:
    """Whether the duration may be the meeting's actual length (of the array answer it is not known)."""
    return record.duration is not None and record.shape is Shape.ARRAY


def visit_rows(visits: Sequence[Visit], start: datetime, end: datetime | None) -> list[Row]:
    """Rows of VISIT_COLUMNS of canonical visits. start, end: the meeting's."""
    return _visits(visits, start, end)[1]


def _visits(
    visits: Sequence[Visit], start: datetime, end: datetime | None
) -> tuple[measures.Attended, list[Row], list[str]]:
    """What follows from canonical visits, their rows, and what stands of them in their digest: moments in one go."""
    stays: list[measures.Stay] = []
    told: list[tuple[str, str | None]] = []
    parts: list[str] = []
    for name, join, leave in visits:
        day, clock, joined = taken_apart(join)
        if leave is None:
            left, until, of_leave = None, None, NO_LEAVE
        else:
            day_left, clock_left, until = taken_apart(leave)
            left = f"{day_left} {clock_left}"
            of_leave = f"{len(clock_left) + 17}:{day_left}T{clock_left}+00:00"
        stays.append((fold(name), joined, until))
        told.append((f"{day} {clock}", left))
        parts.append(f"{len(name)}:{name}{len(clock) + 17}:{day}T{clock}+00:00{of_leave};")
    found = measures.attended(stays, instant(start), None if end is None else instant(end), measures.FAR_)
    rows = [
        (place, visit[0], came, left, name_key(visit[0]), *of_attendee)
        for place, (visit, (came, left), of_attendee) in enumerate(zip(visits, told, found.on_first, strict=True), 1)
    ]
    return found, rows, parts


def call_rows(calls: Iterable[Call], meeting_start: datetime, zone: ZoneInfo) -> list[Row]:
    """Rows of CALL_COLUMNS of canonical calls. zone: the site's."""
    rows = []
    for place, call in enumerate(calls, 1):
        day = measures.call_day(call.start_time, meeting_start, zone).isoformat()
        rows.append((place, *_all_kept(call), measures.country_of(call.phone_number), day))
    return rows


PLAIN = {str, int, bool, type(None)}
_SUMMARY = itemgetter(*SUMMARY_FIELDS)


def _all_kept(values: Iterable[Any]) -> Row:
    """`_kept` of each of some values, of which most are kept as they are."""
    return tuple([value if type(value) in PLAIN else _kept(value) for value in values])


def _kept(value: Any) -> Any:
    """A moment or a day as its text, an amount of money in millionths, anything else as it is."""
    if isinstance(value, datetime):
        return spelt(value)
    if isinstance(value, date):
        return value.isoformat()
    return millionths(value) if isinstance(value, Decimal) else value


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


def digest(items: Sequence[Visit] | Sequence[Call] | None) -> str:
    """A hash of canonical visits or calls; "" for unreported. Equal content, equal hash."""
    if items is None:
        return ""
    # With its length in front, no text can run into its neighbour. `_visits` writes the same of visits.
    parts = []
    for item in items:
        for value in item:
            text = value if type(value) is str else str(value if type(value) in PLAIN else plain(value))
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
