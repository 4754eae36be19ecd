"""Sums kept of stretches of local days, so that a page over years reads some hundreds of rows.

A tree: days, thirds of a month, months, years. Whatever comes, changes or goes touches its days: triggers of the
database note that in the very transaction (Touched), so that no way of writing can forget it. `fold` makes the
sums of touched days anew from the rows, and those of longer stretches from the shorter ones. Until it did, a
touched day counts as not kept and is asked of the rows themselves (`cover`): what is shown is never stale.

What the clock moves is not kept: running meetings, and what makes a few meetings too long to be a day's,
are added when asked (`LONG`).
"""

import calendar
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from reports import bulk, courses, intervals, summaries
from reports.clockwork import DAY, days_between, inside, midnight, opening, opening_rules, peaks, week_hours
from reports.courses import Use
from reports.fields import MoneyField, tidy
from reports.filter import Filter
from reports.models import (
    KeptCalls,
    KeptCourse,
    KeptEnds,
    KeptHours,
    KeptLevel,
    KeptOpening,
    KeptPeak,
    KeptPeople,
    KeptRooms,
    KeptSeries,
    KeptTotals,
    Ledger,
    Meeting,
    Participant,
    Room,
    Stretch,
    TelephonyUsage,
    Touched,
)
from reports.sums import (
    ATTENDEE_SUMS,
    BOOKING_SUMS,
    CALL_SUMS,
    MEETING_SUMS,
    SERIES_SUMS,
    FoldedTopic,
    ends_bucket,
    past_ends,
)

logger = logging.getLogger(__name__)

# Longer ones are no part of a day's peak and opening seconds: they are few, and would touch many days.
LONG = 86_400
DAYS_A_TURN = 31  # one transaction: whoever else writes waits no longer
UNKNOWN_ROOM = 0

SCALE = 100_000_000
THIRD, MONTH, YEAR = 1, 2, 3


def code(day: date, scale: int = 0) -> int:
    """How a stretch is named: its scale, then its first day as YYYYMMDD."""
    return scale * SCALE + day.year * 10_000 + day.month * 100 + day.day


def day_of(code: int) -> date:
    """The first day of a stretch."""
    plain = code % SCALE
    return date(plain // 10_000, plain // 100 % 100, plain % 100)


def begin_of(day: date, scale: int) -> date:
    """The first day of the stretch that a day lies in."""
    if scale == THIRD:
        return day.replace(day=min((day.day - 1) // 10, 2) * 10 + 1)
    return day.replace(day=1) if scale == MONTH else day.replace(month=1, day=1)


def end_of(first: date, scale: int) -> date:
    """The last day of the stretch that begins on a day."""
    month_end = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    if scale == THIRD:
        return month_end if first.day == 21 else first + timedelta(days=9)
    return month_end if scale == MONTH else first.replace(month=12, day=31)


# What a filter may be for the kept sums to answer it ------------------------------------------------------

_PLAIN = Filter()
_SELECTS = (
    *("rooms", "q", "state", "extra", "calls", "weekday", "hour", "type", "country", "phone", "priced", "uuid"),
    *("name", "number", "topic", "during", "booked", "allowed_rooms"),
)


def serves(chosen: Filter) -> bool:
    """Whether a filter selects by its days alone."""
    return all(getattr(chosen, name) == getattr(_PLAIN, name) for name in _SELECTS)


# Which stretches make up a period -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cover:
    """A period as kept stretches and days that are not kept. spans: codes from, to. asked: days from, to, in order."""

    spans: Sequence[tuple[int, int]]
    asked: Sequence[tuple[date, date]]

    def unkept(self, chosen: Filter) -> list[Filter]:
        """The filter over the days that have to be asked of the rows."""
        return [replace(chosen, first=first, last=last) for first, last in self.asked]


@dataclass(slots=True)
class State:
    """What is kept at this moment. first, last: days between which there is any row, None without one."""

    first: date | None = None
    last: date | None = None
    touched: set[date] = field(default_factory=set)
    stretches: set[int] = field(default_factory=set)
    sound: bool = True


def touched_days(rows: Iterable[tuple[date, datetime | None]], zone: ZoneInfo) -> set[date]:
    """The days that rows of Touched name; a meeting of at most a day touches the days it reaches into too."""
    found = set()
    for day, end in rows:
        found.add(day)
        if end is not None:
            last = end.astimezone(zone).date()
            if timedelta() < last - day <= 2 * DAY:
                found.update(days_between(day, last))
    return found


_steady: ContextVar[dict[str, Any] | None] = ContextVar("steady", default=None)


@contextmanager
def steady() -> Iterator[None]:
    """Inside, what is kept is asked for once: a page stands on what was so when its first figure was asked for."""
    if _steady.get() is not None:
        yield  # a part of a page stands on the same as all of it
        return
    token = _steady.set({})
    try:
        yield
    finally:
        _steady.reset(token)


def state() -> State:
    """What is kept at this moment; within `steady`, what was so at the first time."""
    found: State = _once("state", _state)
    return found


def _once(name: str, ask: Callable[[], Any]) -> Any:
    held = _steady.get()
    if held is None:
        return ask()
    if name not in held:
        held[name] = ask()
    return held[name]


def _state() -> State:
    zone = ZoneInfo(settings.TIME_ZONE)
    found = State()
    found.touched = touched_days(Touched.objects.values_list("day", "end_time").distinct(), zone)
    # A meeting may reach into a day that has no row of its own.
    sides = [
        model._default_manager.filter(stretch__lt=SCALE).aggregate(first=Min("stretch"), last=Max("stretch"))
        for model in (KeptTotals, KeptPeak)
    ]
    days = [day_of(found) for side in sides for found in side.values() if found is not None]
    days += [min(found.touched), max(found.touched)] if found.touched else []
    if days:
        found.first, found.last = min(days), max(days)
    found.stretches = set(Stretch.objects.values_list("code", flat=True))
    ledger = Ledger.objects.first()
    found.sound = ledger is not None and (ledger.time_zone, ledger.opening_hours) == (
        settings.TIME_ZONE,
        opening_rules(),
    )
    if not found.sound and (known := known_days()):
        # As after an update from an older version: nothing is kept or touched, and the rows alone tell their days.
        # The last of them may reach into a later one.
        found.first, found.last = known[0], known[1] + 2 * DAY
    return found


def cover(
    first: date | None,
    last: date | None,
    *,
    largest: int = YEAR,
    without: Iterable[date] = (),
) -> Cover:
    """The fewest kept stretches that make up the days from the first to the last, both included; None: no bound.

    largest: no longer stretches than these; 0 for days alone.
    without: days that are to be asked of the rows although they are kept.
    """
    now = state()
    if now.first is None or now.last is None:
        return Cover([], [])
    # Beyond the first and the last row there is nothing: an open side may be covered by whole stretches.
    open_first = first is None or first <= now.first
    open_last = last is None or last >= now.last
    begin = now.first if first is None or open_first else first
    end = now.last if last is None or open_last else last
    if begin > end:
        return Cover([], [])
    if not now.sound:
        return Cover([], [(begin, end)])
    apart = {*now.touched, *without}
    spoilt = {code(begin_of(day, scale), scale) for day in apart for scale in (THIRD, MONTH, YEAR)}
    stretches = now.stretches - spoilt
    spans: list[tuple[int, int]] = []
    asked: list[tuple[date, date]] = []
    day = begin
    while day <= end:
        after = day + DAY
        for scale in range(largest, 0, -1):
            starts = begin_of(day, scale)
            if (starts < day and not (open_first and day == begin)) or code(starts, scale) not in stretches:
                continue
            ends = end_of(starts, scale)
            if ends <= end or open_last:
                spans.append((code(starts, scale),) * 2)
                after = ends + DAY
                break
        else:
            if day in apart:
                if asked and asked[-1][1] == day - DAY:
                    asked[-1] = (asked[-1][0], day)
                else:
                    asked.append((day, day))
            elif spans and spans[-1][1] == code(day - DAY):
                spans[-1] = (spans[-1][0], code(day))
            else:
                spans.append((code(day), code(day)))
        day = after
    return Cover(spans, asked)


def not_kept(first: date, last: date) -> set[date]:
    """The days from the first to the last, both included, that have to be asked of the rows."""
    now = state()
    return {day for day in now.touched if first <= day <= last} if now.sound else set(days_between(first, last))


def waiting() -> int:
    """How many days have to be folded."""
    now = state()
    if now.sound or now.first is None or now.last is None:
        return len(now.touched)
    return (now.last - now.first).days + 1


def running(meetings: "QuerySet[Meeting]") -> "QuerySet[Meeting]":
    """Those of some meetings that still run. They are few: which they are is asked for first, by their own index."""
    ids: list[int] = _once(
        "running", lambda: list(Meeting.objects.filter(end_time=None).order_by().values_list("pk", flat=True))
    )
    return meetings.filter(pk__in=ids, end_time=None) if ids else meetings.none()


def known_days() -> tuple[date, date] | None:
    """The first and the last local day of any meeting or call; None where there is none."""
    found: tuple[date, date] | None = _once("days", _known_days)
    return found


def _known_days() -> tuple[date, date] | None:
    days: list[date] = []
    for model in (Meeting, TelephonyUsage):
        rows = model._default_manager.all()
        # One side at a time: asked for both at once, SQLite reads the whole index.
        for side in (Min("local_day"), Max("local_day")):
            if (day := rows.aggregate(day=side)["day"]) is not None:
                days.append(day)
    return (min(days), max(days)) if days else None


def holds_all(chosen: Filter) -> bool:
    """Whether every day of the ledger is among those of a filter."""
    now = state()
    if now.first is None or now.last is None:
        return True
    first, last = chosen.first, chosen.last
    return (first is None or first <= now.first) and (last is None or last >= now.last)


# Reading kept sums ----------------------------------------------------------------------------------------

SUM, MIN, MAX = "SUM", "MIN", "MAX"
# How the columns that are no plain sums are put together.
ADDED = {
    "newest": MAX,
    "least_number": MIN,
    "most_number": MAX,
    "first_join": MIN,
    "last": MAX,
    "rooms": MAX,
    "longest": MAX,
}
KEYS = ("by", "key", "room", "week_hour", "bucket", "size", "level")
Row = dict[str, Any]


def columns_of(model: type[models.Model]) -> tuple[list[str], list[str]]:
    """The columns that tell the rows of a stretch apart, and those that are added up."""
    names = [found.attname for found in model._meta.concrete_fields if not found.primary_key]
    keys = [name for name in names if name in KEYS]
    return keys, [name for name in names if name not in keys and name != "stretch"]


def rows(
    model: type[models.Model],
    spans: Sequence[tuple[int, int]],
    names: Sequence[str],
    *,
    apart: bool = False,
    **only: str | int,
) -> list[Row]:
    """Kept sums of some stretches, added up by the key columns of the model. only: keys with one value.

    Out: rows of `names` and of the keys that are not in `only`; `apart`: of each stretch, with its code, by itself.
    """
    if not spans:
        return []
    quote = connection.ops.quote_name
    keys = ["stretch"] * apart + [name for name in columns_of(model)[0] if name not in only]
    sums = [f"{ADDED.get(name, SUM)}({_sorted_by_bytes(name)})" for name in names]
    where, parameters = _where(spans)
    for name, value in only.items():
        where += f" AND {quote(name)} = %s"
        parameters.append(value)
    quoted = [quote(key) for key in keys]
    # Only names of our own models are in the text; every value is bound.
    statement = f"SELECT {', '.join([*quoted, *sums])} FROM {quote(model._meta.db_table)} WHERE {where}"  # noqa: S608
    if keys:
        statement += f" GROUP BY {', '.join(quoted)}"
    fields = [*keys, *names]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        converters = [(place, _converter(model, name)) for place, name in enumerate(fields)]
        converters = [(place, convert) for place, convert in converters if convert]
        found = []
        for row in cursor.fetchall():
            values = list(row)
            for place, convert in converters:
                if values[place] is not None:
                    values[place] = convert(values[place])  # type: ignore[misc]
            found.append(dict(zip(fields, values, strict=True)))
    if not keys and found and all(value is None for value in found[0].values()):
        return []  # no stretch has a row
    return found


def _where(spans: Sequence[tuple[int, int]]) -> tuple[str, list[Any]]:
    if len(spans) == 1 and spans[0][0] != spans[0][1]:
        return "stretch BETWEEN %s AND %s", [*spans[0]]
    # One by one, days too: beside an OR, SQLite would look at every stretch.
    codes = [
        found
        for first, last in spans
        for found in ([first] if first == last else map(code, days_between(day_of(first), day_of(last))))
    ]
    return f"stretch IN ({', '.join(['%s'] * len(codes))})", codes


def _sorted_by_bytes(name: str) -> str:
    """A text column as it is compared: by bytes, whatever order the database has for texts."""
    if connection.vendor == "postgresql" and name in {"newest", "least_number", "most_number"}:
        return f'"{name}" COLLATE "C"'
    return f'"{name}"'


def _converter(model: type[models.Model], name: str) -> Callable[[Any], Any] | None:
    kind = model._meta.get_field(name)
    if isinstance(kind, MoneyField):
        return lambda value: kind.from_db_value(value)
    if isinstance(kind, models.BigIntegerField | models.PositiveIntegerField):
        # PostgreSQL adds whole numbers up to a numeric.
        return int if connection.vendor == "postgresql" else None
    if connection.vendor == "sqlite" and isinstance(kind, models.DateField):
        parse = datetime.fromisoformat if isinstance(kind, models.DateTimeField) else date.fromisoformat
        if isinstance(kind, models.DateTimeField):
            return lambda value: parse(value).replace(tzinfo=UTC)  # type: ignore[call-arg]
        return parse
    return None


def add(one: Mapping[str, Any], other: Mapping[str, Any]) -> Row:
    """Two rows of the same sums put together; what neither tells stays unknown."""
    found = dict(one)
    for name, value in other.items():
        mine = found.get(name)
        if mine is None:
            found[name] = value
        elif value is not None and name not in KEYS:
            found[name] = _PUT.get(name, _plus)(mine, value)
    return found


def _plus(one: Any, other: Any) -> Any:
    found = one + other
    return tidy(found) if hasattr(found, "as_tuple") else found


_PUT: dict[str, Callable[[Any, Any], Any]] = {
    name: max if how == MAX else min for name, how in ADDED.items() if name != "rooms"
}


# Folding --------------------------------------------------------------------------------------------------

Progress = Callable[[int, int], None]
TABLES: tuple[type[models.Model], ...] = (
    *(KeptTotals, KeptRooms, KeptSeries, KeptCalls, KeptHours, KeptEnds, KeptOpening, KeptPeak, KeptPeople),
    *(KeptLevel, KeptCourse),
)
# Of days alone: it does not add up.
OF_DAYS = {KeptCourse}


def fold(*, stretches: bool = True, progress: Progress | None = None) -> int:
    """Make the sums of every touched day anew, and with `stretches` those of the longer ones; returns the days.

    Some days a transaction. Two that fold at once wait for one another.
    """
    _sign()
    done = 0
    while turn := _fold_some():
        done += turn
        if progress:
            progress(done, done + Touched.objects.values("day").distinct().count())
    if stretches:
        for scale in (THIRD, MONTH, YEAR):
            _fold_stretches(scale)
    return done


def rebuild(progress: Callable[[int], None] | None = None) -> int:
    """Compute every summary and every kept sum again from the rows; returns how many meetings differed."""
    differed = summaries.rebuild(progress)
    fold()
    return differed


def touch_all() -> None:
    """Every day counts as touched: nothing kept is used until it is folded anew."""
    with transaction.atomic():
        _lock()
        Stretch.objects.all().delete()
        for model in TABLES:
            model._default_manager.all().delete()
        Touched.objects.all().delete()
        quote = connection.ops.quote_name
        for model, names in ((Meeting, "end_time"), (TelephonyUsage, "")):
            source, target = quote(model._meta.db_table), quote(Touched._meta.db_table)
            more = f", {names}" if names else ""
            with connection.cursor() as cursor:
                # Only names of our own models are in the text.
                cursor.execute(f"INSERT INTO {target} (day{more}) SELECT DISTINCT local_day{more} FROM {source}")  # noqa: S608


def _lock() -> None:
    """One folds at a time: SQLite's transactions see to that by themselves."""
    if connection.vendor != "sqlite":
        list(Ledger.objects.select_for_update())


def _sign() -> None:
    """Sums made by other rules than those of the settings are no use."""
    rules = {"time_zone": settings.TIME_ZONE, "opening_hours": opening_rules()}
    ledger = Ledger.objects.first()
    # Local days made in another zone are for `summaries.rebuild` first.
    if ledger is None or (ledger.time_zone == rules["time_zone"] and ledger.opening_hours != rules["opening_hours"]):
        with transaction.atomic():
            Ledger.objects.update_or_create(id=1, defaults=rules)
            touch_all()


def _fold_some() -> int:
    zone = ZoneInfo(settings.TIME_ZONE)
    with transaction.atomic():
        _lock()
        waiting = list(Touched.objects.order_by("day", "pk").values_list("pk", "day", "end_time"))
        taken: list[int] = []
        days: set[date] = set()
        for pk, day, end in waiting:
            more = touched_days([(day, end)], zone)
            if days and len(days | more) > DAYS_A_TURN:
                break
            days |= more
            taken.append(pk)
        if not days:
            return 0
        ancestors = {code(begin_of(day, scale), scale) for day in days for scale in (THIRD, MONTH, YEAR)}
        Stretch.objects.filter(code__in=ancestors).delete()
        groups = groups_of_rooms()
        for day in sorted(days):
            _fold_day(day, zone, groups)
        for start in range(0, len(taken), 500):
            Touched.objects.filter(pk__in=taken[start : start + 500]).delete()
        return len(days)


BYS: dict[type[models.Model], tuple[str, ...]] = {
    KeptCalls: ("all", "room", "type", "country", "phone"),
    KeptSeries: ("number", "topic"),
}


def _drop(stretch: int) -> None:
    """Take the kept sums of a stretch away."""
    for model in TABLES:
        kept = model._default_manager.filter(stretch=stretch)
        # By the first column of its index.
        kept = kept.filter(by__in=BYS[model]) if model in BYS else kept
        kept._raw_delete(kept.db)


def _fold_day(day: date, zone: ZoneInfo, groups: Mapping[int, int]) -> None:
    _drop(code(day))
    _fold_spans(day, zone)
    _fold_course(day, zone, groups)
    if not any(model._default_manager.filter(local_day=day).exists() for model in (Meeting, TelephonyUsage)):
        return  # a day that lost its last row is no day of the ledger
    given: dict[Any, Any] = {ANY_CODE: code(day), ANY_DAY: day, ANY_DAY.isoformat(): day.isoformat()}
    with connection.cursor() as cursor:
        for statement, parameters in _statements(connection.vendor):
            # A day has no other day's name, nor has a word of the statement.
            cursor.execute(statement, [given.get(value, value) for value in parameters])
    _fold_hours(day, zone)
    _fold_ends(day)


# Stand for a day and its code in the statements, which are written once.
ANY_CODE, ANY_DAY = -1, date(1, 1, 1)


@lru_cache
def _statements(vendor: str) -> list[tuple[str, list[Any]]]:
    """One INSERT … SELECT for each kind of kept sums of a day, from the same expressions as figures of any filter."""
    stretch = Value(ANY_CODE, output_field=models.IntegerField())
    meetings = Meeting.objects.filter(local_day=ANY_DAY).order_by()
    calls = TelephonyUsage.objects.filter(local_day=ANY_DAY).order_by()
    ended = Participant.objects.filter(meeting__local_day=ANY_DAY, meeting__end_time__isnull=False).order_by()
    both = MEETING_SUMS | BOOKING_SUMS
    room = Coalesce(F("room_id"), Value(UNKNOWN_ROOM), output_field=models.BigIntegerField())
    call_room = Coalesce(Cast(F("meeting__room_id"), models.CharField()), Value(""))
    series = {"number": F("meeting_id"), "topic": FoldedTopic("search")}
    groups = {
        "all": Value(""),
        "room": call_room,
        "type": F("type"),
        "country": F("country"),
        "phone": F("phone_number"),
    }
    call_sums = CALL_SUMS | {"last": Max("local_day")}
    found = [
        # Grouped by nothing but a constant, there is one row whatever there is.
        _keep(KeptTotals, meetings.values(stretch_=stretch), both, "stretch"),
        _keep(KeptRooms, meetings.values(stretch_=stretch, key_=room), both, "stretch", "room"),
    ]
    for by, key in series.items():
        told = meetings.values(stretch_=stretch, by_=Value(by), key_=key)
        found.append(_keep(KeptSeries, told, SERIES_SUMS, "stretch", "by", "key"))
    for by, key in groups.items():
        told_calls = calls.values(stretch_=stretch, by_=Value(by), key_=key)
        found.append(_keep(KeptCalls, told_calls, call_sums, "stretch", "by", "key"))
    people = ended.filter(attendee_visits__isnull=False).values(stretch_=stretch, key_=F("name_key"))
    found.append(_keep(KeptPeople, people, ATTENDEE_SUMS, "stretch", "key"))
    return found


def _keep(
    model: type[models.Model], grouped: "QuerySet[Any, Any]", sums: Mapping[str, Any], *keys: str
) -> tuple[str, list[Any]]:
    """INSERT … SELECT: the groups of a query, with these sums, as rows of a model."""
    quote = connection.ops.quote_name
    marked = {f"sum_{name}": expression for name, expression in sums.items()}
    statement, parameters = grouped.annotate(**marked).query.get_compiler(connection=connection).as_sql()
    columns = ", ".join(quote(name) for name in [*keys, *sums])
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) {statement}", list(parameters)


def _fold_hours(day: date, zone: ZoneInfo) -> None:
    ended = Meeting.objects.filter(local_day=day, end_time__isnull=False).order_by()
    began, opened = week_hours(ended.values_list("start_time", "end_time", "week_hour"), zone)  # type: ignore[arg-type]
    rows = [[code(day), hour, began[hour], opened[hour]] for hour in range(168) if began[hour] or opened[hour]]
    bulk.insert_rows(KeptHours, ["stretch", "week_hour", "began", "open_seconds"], rows)


def _fold_ends(day: date) -> None:
    counted = Counter(ends_bucket(past) for past in past_ends(Meeting.objects.filter(local_day=day)))
    rows = [[code(day), bucket, meetings] for bucket, meetings in counted.items()]
    bulk.insert_rows(KeptEnds, ["stretch", "bucket", "meetings"], rows)


Spans = list[tuple[datetime, datetime, int | None]]


def short_spans(begin: datetime, end: datetime, meetings: "QuerySet[Meeting] | None" = None) -> Spans:
    """Start, end and room of the ended meetings of at most a day that hold an instant from begin to end (excluded).

    meetings: among which, all unless given.
    """
    asked = Meeting.objects.all() if meetings is None else meetings
    rows = asked.filter(
        start_time__gte=begin - timedelta(seconds=LONG), start_time__lt=end, end_time__gt=begin, open_seconds__lte=LONG
    ).filter(end_time__gt=F("start_time"))
    return list(rows.order_by().values_list("start_time", "end_time", "room_id"))  # type: ignore[arg-type]


def long_spans(begin: datetime, end: datetime, now: datetime, meetings: "QuerySet[Meeting] | None" = None) -> Spans:
    """The same of what is no part of the kept spans: running meetings, until now, and those longer than a day."""
    asked = Meeting.objects.all() if meetings is None else meetings
    still = running(asked).filter(start_time__lt=end)
    long = asked.filter(open_seconds__gt=LONG, start_time__lt=end, end_time__gt=begin)
    found = [
        (start, stop or now, room)
        for rows in (still, long)
        for start, stop, room in rows.order_by().values_list("start_time", "end_time", "room_id")
    ]
    return [span for span in found if span[0] < span[1] and begin < span[1]]


def _fold_spans(day: date, zone: ZoneInfo) -> None:
    begin, end = midnight(day, zone), midnight(day + DAY, zone)
    spans = short_spans(begin, end)
    if not spans:
        return
    ((_day, most),) = peaks(((start, stop) for start, stop, _room in spans), [day], zone)
    KeptPeak.objects.create(stretch=code(day), rooms=most)
    if not (opened := opening(day, day)):
        return
    by_room: dict[int, list[intervals.Moments]] = {}
    for start, stop, room in spans:
        by_room.setdefault(room or UNKNOWN_ROOM, []).append((start, stop))
    held = {room: inside(intervals.union(parts), opened) for room, parts in by_room.items()}
    rows = [[code(day), room, seconds] for room, seconds in held.items() if seconds]
    bulk.insert_rows(KeptOpening, ["stretch", "room", "seconds"], rows)


# How many rooms at once ------------------------------------------------------------------------------------


def groups_of_rooms() -> dict[int, int]:
    """The group of each room by its id: its seats, courses.EXTRA or courses.UNKNOWN."""
    rooms = Room.objects.order_by().values_list("pk", "capacity", "temporary")
    return {pk: courses.group_of_room(seats, temporary) for pk, seats, temporary in rooms}


USE = ("start_time", "uuid", "end_time", "is_extra", "room_id", "pk")


def use_of(row: tuple[Any, ...]) -> Use:
    """An ended meeting by its columns `USE`."""
    start, uuid, stop, extra, room, pk = row
    return Use(start, uuid, stop, False, extra, room, pk)


def short_uses(begin: datetime, end: datetime) -> list[Use]:
    """Ended meetings of at most a day that begin from begin to end (excluded) or hold an instant of it."""
    rows = Meeting.objects.filter(
        Q(end_time__gt=begin) | Q(start_time__gte=begin),
        start_time__gte=begin - timedelta(seconds=LONG),
        start_time__lt=end,
        open_seconds__lte=LONG,
    )
    return [use_of(row) for row in rows.order_by().values_list(*USE)]


def long_uses(begin: datetime, end: datetime, now: datetime) -> list[Use]:
    """What is no part of the kept courses: meetings longer than a day that hold an instant, and all running ones."""
    still = running(Meeting.objects.all()).filter(start_time__lt=end)
    long = Meeting.objects.filter(open_seconds__gt=LONG, start_time__lt=end, end_time__gt=begin)
    return [
        Use(start, uuid, stop or now, stop is None, extra, room, pk)
        for rows in (still, long)
        for start, uuid, stop, extra, room, pk in rows.order_by().values_list(*USE)
    ]


# A longest stretch as one number: the longer the greater, and of equals the earlier.
_LONGEST = 10_000_000_000


def longest_of(number: int) -> tuple[timedelta, datetime]:
    """Length and begin of a longest stretch."""
    length, before = divmod(number, _LONGEST)
    return timedelta(seconds=length), datetime.fromtimestamp(_LONGEST - before, UTC)


def _fold_course(day: date, zone: ZoneInfo, groups: Mapping[int, int]) -> None:
    begin, end = midnight(day, zone), midnight(day + DAY, zone)
    uses = sorted(short_uses(begin, end))
    if not uses:
        return
    run = courses.course_of(uses, begin, end, end)
    sums = {courses.ALL: courses.sums_of(run, opening(day, day))}
    for group, held in courses.by_group(uses, groups).items():
        sums[group] = courses.sums_of(courses.course_of(held, begin, end, end))
    rows = []
    for group, one in sums.items():
        every = group == courses.ALL
        for level in sorted({*one.lasted, *one.begun}):
            longest = None
            if every and level in one.longest:
                length, start = one.longest[level]
                longest = (int(length.total_seconds()) + 1) * _LONGEST - int(start.timestamp())
            rows.append(
                [
                    *(code(day), group, level),
                    # How long there was none is what is left of the period.
                    *((sums_ // 1_000_000 if level else 0) for sums_ in (one.lasted[level], one.opened[level])),
                    *(one.begun[level], one.extra[level] if every else 0),
                    *(one.told[level] if every else 0, longest),
                ]
            )
    names = ["stretch", "size", "level", "seconds", "opening", "begun", "extra", "told", "longest"]
    bulk.insert_rows(KeptLevel, names, rows)
    hours = [courses.measured(run, *hour) for hour in courses.hours_of(day)]
    by_number = {one.hour.hour: [one.most, one.room_seconds, one.meetings] for one in hours}
    extras = sorted((one.others, one.use.start, one.use.uuid, one.use.pk) for one in run.begun if one.use.extra)
    KeptCourse.objects.create(
        stretch=code(day),
        peak=run.peak,
        head=run.levels[0],
        head_until=int((run.times[1] if len(run.times) > 1 else end).timestamp()),
        tail=run.levels[-1],
        tail_from=int(run.times[-1].timestamp()),
        least_extra=extras[0][0] if extras else None,
        hours=_json([by_number.get(number) for number in range(24)]),
        extras=_json([[others, int(start.timestamp()), pk] for others, start, _uuid, pk in extras]) if extras else "",
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _fold_stretches(scale: int) -> None:
    """Make the stretches of a scale that are missing, from those one smaller."""
    codes = KeptTotals.objects.filter(stretch__lt=SCALE).values_list("stretch", flat=True)
    # A meeting may reach into a day that has no row of its own.
    opened = KeptPeak.objects.filter(stretch__lt=SCALE).values_list("stretch", flat=True)
    wanted = {code(begin_of(day_of(found), scale), scale) for found in {*codes, *opened}}
    codes_of_scale = (scale * SCALE, (scale + 1) * SCALE - 1)
    kept = set(Stretch.objects.filter(code__range=codes_of_scale).values_list("code", flat=True))
    made = KeptTotals.objects.filter(stretch__range=codes_of_scale).values_list("stretch", flat=True)
    lost = {*made, *KeptPeak.objects.filter(stretch__range=codes_of_scale).values_list("stretch", flat=True)} - wanted
    for spent in sorted(lost):
        # Only now: a page that was begun before may still read them.
        _drop(spent)
    for missing in sorted(wanted - kept):
        with transaction.atomic():
            _lock()
            first = day_of(missing)
            last = end_of(first, scale)
            # Of what it is made up of: days for a third, thirds for a month, months for a year.
            least, most = code(first, scale - 1), code(last, scale - 1)
            if scale > THIRD:
                parts = _parts(first, last, scale - 1)
                there = set(Stretch.objects.filter(code__in=parts).values_list("code", flat=True))
                if not _whole(parts, there):
                    continue  # a day of it was touched meanwhile: the next fold makes it
            _drop(missing)
            for model in TABLES:
                if model in OF_DAYS:
                    continue
                _add_up(model, missing, least, most)
            Stretch.objects.get_or_create(code=missing)


def _parts(first: date, last: date, scale: int) -> list[int]:
    days = [day for day in days_between(first, last) if begin_of(day, scale) == day]
    return [code(day, scale) for day in days]


def _whole(parts: Sequence[int], there: set[int]) -> bool:
    """Whether the parts that are not kept have no day in them."""
    for part in parts:
        if part not in there:
            first = day_of(part)
            inside = (code(first), code(end_of(first, part // SCALE)))
            if any(model._default_manager.filter(stretch__range=inside).exists() for model in (KeptTotals, KeptPeak)):
                return False
    return True


def _add_up(model: type[models.Model], target: int, least: int, most: int) -> None:
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    keys, sums = columns_of(model)
    columns = ", ".join(quote(name) for name in ["stretch", *keys, *sums])
    added = [f"{ADDED.get(name, SUM)}({_sorted_by_bytes(name)})" for name in sums]
    if connection.vendor == "postgresql":
        # Its sum of whole numbers is a numeric.
        added = [f"{text}::bigint" if text.startswith(SUM) else text for text in added]
    chosen = ", ".join(["%s", *(quote(key) for key in keys), *added])
    grouped = ", ".join(["stretch_", *(quote(key) for key in keys)])
    only = f" AND by IN ({', '.join(['%s'] * len(BYS[model]))})" if model in BYS else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {chosen.replace('%s', '%s AS stretch_', 1)} FROM {table} "  # noqa: S608
            f"WHERE stretch BETWEEN %s AND %s{only} GROUP BY {grouped}",
            [target, least, most, *BYS.get(model, ())],
        )
