"""Sums kept of stretches of local days, so that a page over years reads some hundreds of rows.

A tree: days, thirds of a month, months, years. Whatever comes, changes or goes touches its days: triggers of the
database note that in the very transaction (Touched), so that no way of writing can forget it. folding.py makes the
sums of touched days anew from the rows, and those of longer stretches from the shorter ones. Until it did, a
touched day counts as not kept and is asked of the rows themselves (`cover`): what is shown is never stale.

The sums stand on the zone and the opening hours of the settings: those that were made by others are not used.
What the clock moves is not kept: running meetings, and what makes a few meetings too long to be a day's,
are added when asked (holding.LONG).
"""

import calendar
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, models
from django.db.models import Max, QuerySet

from reports.clockwork import DAY, days_between, opening_rules
from reports.fields import MoneyField, tidy
from reports.filter import Filter
from reports.keptmodels import (
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
    Stretch,
    Touched,
)
from reports.models import Ledger, Meeting, TelephonyUsage

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


_PLAIN = Filter()
_SELECTS = (
    *("rooms", "q", "state", "extra", "calls", "weekday", "hour", "type", "country", "phone", "priced", "uuid"),
    *("name", "number", "topic", "during", "booked", "allowed_rooms"),
)


def serves(chosen: Filter) -> bool:
    """Whether a filter selects by its days alone."""
    return all(getattr(chosen, name) == getattr(_PLAIN, name) for name in _SELECTS)


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


REACH = 2 * DAY  # what a meeting of at most a day may reach into after the day of its start


def reached(day: date, end: datetime | None, zone: ZoneInfo) -> date:
    """The last day that the meetings which touch a day touch too, having ended by `end`: those of at most a day.

    How far the longest of them reaches is enough: of a few days more the rows are asked, or the sums made anew, instead
    of one end of thousands read after the other.
    """
    days = 0 if end is None else (end.astimezone(zone).date() - day).days
    return day + timedelta(days=min(max(0, days), REACH.days))


_steady: ContextVar[dict[Hashable, Any] | None] = ContextVar("steady", default=None)


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
    found: State = once("state", _state)
    return found


def once(name: Hashable, ask: Callable[[], Any]) -> Any:
    """What `ask` gives; within `steady`, what it gave when something of that name was asked for first."""
    held = _steady.get()
    if held is None:
        return ask()
    if name not in held:
        held[name] = ask()
    return held[name]


def _state() -> State:
    zone = ZoneInfo(settings.TIME_ZONE)
    found = State()
    for day, end in Touched.objects.values_list("day").annotate(end=Max("end_time")).order_by():
        found.touched.update(days_between(day, reached(day, end, zone)))
    # A meeting may reach into a day that has no row of its own. All in one statement, which Django has no way to say.
    quote = connection.ops.quote_name
    sides = [
        f"(SELECT {side}(stretch) FROM {quote(model._meta.db_table)} WHERE stretch < {SCALE})"  # noqa: S608
        for model in (KeptTotals, KeptPeak)
        for side in (MIN, MAX)
    ]
    ledger = quote(Ledger._meta.db_table)
    rules = [f"(SELECT {name} FROM {ledger})" for name in ("time_zone", "opening_hours")]  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join([*sides, *rules])}")
        *ends, zone_of_sums, hours_of_sums = cursor.fetchone()
        cursor.execute(f"SELECT code FROM {quote(Stretch._meta.db_table)}")  # noqa: S608
        found.stretches = {code for (code,) in cursor.fetchall()}
    days = [day_of(code) for code in ends if code is not None]
    days += [min(found.touched), max(found.touched)] if found.touched else []
    if days:
        found.first, found.last = min(days), max(days)
    found.sound = (zone_of_sums, hours_of_sums) == (settings.TIME_ZONE, opening_rules())
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
    asked_for = ("cover", first, last, largest, frozenset(without))
    found: Cover = once(asked_for, lambda: _cover(first, last, largest, asked_for[-1]))
    return found


def _cover(first: date | None, last: date | None, largest: int, without: frozenset[date]) -> Cover:
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
    ids = running_ids()
    return meetings.filter(pk__in=ids, end_time=None) if ids else meetings.none()


def running_ids() -> list[int]:
    """The ids of all meetings that still run."""
    ids: list[int] = once(
        "running", lambda: list(Meeting.objects.filter(end_time=None).order_by().values_list("pk", flat=True))
    )
    return ids


def running_meetings() -> list[Meeting]:
    """All meetings that still run, in no order."""
    found: list[Meeting] = once("running meetings", lambda: list(running(Meeting.objects.order_by())))
    return found


def known_days() -> tuple[date, date] | None:
    """The first and the last local day of any meeting or call; None where there is none."""
    found: tuple[date, date] | None = once("days", _known_days)
    return found


def _known_days() -> tuple[date, date] | None:
    quote = connection.ops.quote_name
    # One side at a time: asked for both at once, SQLite reads the whole index.
    sides = [
        f"(SELECT {side}(local_day) FROM {quote(model._meta.db_table)})"  # noqa: S608
        for model in (Meeting, TelephonyUsage)
        for side in (MIN, MAX)
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(sides)}")
        found = cursor.fetchone()
    [ends] = told(Meeting, ["local_day"] * len(sides), [found])
    days = [day for day in ends if day is not None]
    return (min(days), max(days)) if days else None


def holds_end(chosen: Filter) -> bool:
    """Whether no day of the ledger is after those of a filter."""
    last = state().last
    return chosen.last is None or last is None or chosen.last >= last


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
    "over": MAX,
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
    among: Sequence[int] | None = None,
    but: Mapping[str, int] | None = None,
    **only: str | int,
) -> list[Row]:
    """Kept sums of some stretches, added up by the key columns of the model. only: keys with one value.
    among: of these rooms alone, by their ids. but: keys with any other value than this.

    Out: rows of `names` and of the keys that are not in `only`; `apart`: of each stretch, with its code, by itself.
    """
    if not spans:
        return []
    keys = ["stretch"] * apart + [name for name in columns_of(model)[0] if name not in only]
    statement, parameters = added_up(model, spans, keys, names, among=among, but=but, **only)
    fields = [*keys, *names]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = [dict(zip(fields, row, strict=True)) for row in told(model, fields, cursor.fetchall())]
    if not keys and found and all(value is None for value in found[0].values()):
        return []  # no stretch has a row
    return found


def added_up(
    model: type[models.Model],
    spans: Sequence[tuple[int, int]],
    keys: Sequence[str],
    names: Sequence[str],
    *,
    among: Sequence[int] | None = None,
    but: Mapping[str, int] | None = None,
    **only: str | int | Sequence[str | int],
) -> tuple[str, list[Any]]:
    """The statement of `rows` and its parameters: `keys`, then `names`, under these names. There is a stretch.

    only: keys with one value, or with one of some.
    """
    quote = connection.ops.quote_name
    sums = [f"{sum_of(name)} AS {quote(name)}" for name in names]
    where, parameters = _where(spans)
    if among is not None:
        where += f" AND room IN ({', '.join(['%s'] * len(among)) or 'NULL'})"
        parameters += among
    for name, unwanted in (but or {}).items():
        where += f" AND {quote(name)} <> %s"
        parameters.append(unwanted)
    for name, value in only.items():
        if isinstance(value, str | int):
            where += f" AND {quote(name)} = %s"
            parameters.append(value)
        else:
            where += f" AND {quote(name)} IN ({', '.join(['%s'] * len(value))})"
            parameters += value
    quoted = [quote(key) for key in keys]
    # Only names of our own models are in the text; every value is bound.
    statement = f"SELECT {', '.join([*quoted, *sums])} FROM {quote(model._meta.db_table)} WHERE {where}"  # noqa: S608
    if keys:
        statement += f" GROUP BY {', '.join(quoted)}"
    return statement, parameters


def sum_of(name: str) -> str:
    """How a column of kept sums is put together, for the text of a statement."""
    return f"{ADDED.get(name, SUM)}({sorted_by_bytes(name)})"


def told(model: type[models.Model], names: Sequence[str], raw: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Rows of a model's columns `names`, as the driver gives them, as they are meant."""
    converters = [(place, _converter(model, name)) for place, name in enumerate(names)]
    wanted = [(place, convert) for place, convert in converters if convert]
    if not wanted:
        yield from raw
        return
    for row in raw:
        values = list(row)
        for place, convert in wanted:
            if values[place] is not None:
                values[place] = convert(values[place])
        yield values


def told_columns(
    model: type[models.Model], names: Sequence[str], raw: Sequence[Sequence[Any]]
) -> Iterator[Sequence[Any]]:
    """The same column by column: of tens of thousands of rows it takes a third of the time."""
    columns: Iterable[Sequence[Any]] = zip(*raw, strict=True) if raw else [()] * len(names)
    for name, column in zip(names, columns, strict=True):
        convert = _converter(model, name)
        yield [None if value is None else convert(value) for value in column] if convert else column


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


def sorted_by_bytes(name: str) -> str:
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
        if isinstance(kind, models.DateTimeField):
            return lambda value: datetime.fromisoformat(f"{value}+00:00")
        return date.fromisoformat
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
TABLES: tuple[type[models.Model], ...] = (
    *(KeptTotals, KeptRooms, KeptSeries, KeptCalls, KeptHours, KeptEnds, KeptOpening, KeptPeak, KeptPeople),
    *(KeptLevel, KeptCourse),
)
# Of days alone: it does not add up.
OF_DAYS = {KeptCourse}
