"""Making the kept sums: of touched days from the rows, of longer stretches from the shorter ones (see kept.py)."""

import json
import logging
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, F, Func, Max, QuerySet, Value

from reports import courses, intervals, rawrows, summaries
from reports.clockwork import DAY, days_between, inside, midnight, opening, opening_rules, runs, week_hours
from reports.courses import Course
from reports.fresh import BYS, Fresh, Turn, count, drop, replace, table_of
from reports.holding import LONG, LONGEST, groups_of_rooms, short_uses
from reports.kept import (
    MONTH,
    OF_DAYS,
    SCALE,
    SUM,
    TABLES,
    THIRD,
    YEAR,
    begin_of,
    code,
    columns_of,
    day_of,
    end_of,
    reached,
    sum_of,
)
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
from reports.models import Ledger, Meeting, Participant, TelephonyUsage
from reports.sums import (
    ATTENDEE_SUMS,
    BOOKING_SUMS,
    CALL_KEYS,
    CALL_SUMS,
    ENDS_BUCKET,
    JUDGED,
    MEETING_SUMS,
    ROOM_KEY,
    SERIES_KEYS,
    SERIES_SUMS,
    UNKNOWN_ROOM,
)

logger = logging.getLogger(__name__)
DAYS_A_TURN = 31  # one transaction: whoever else writes waits no longer
STRETCHES_A_TURN = 4
Progress = Callable[[int, int], None]


def fold(
    *, stretches: bool = True, once: set[int] | None = None, progress: Progress | None = None, turn: Turn | None = None
) -> int:
    """Make the sums of every day anew that is touched by now, and with `stretches` those of the longer ones.

    Out: how many days. Some days a transaction. Of two that fold at once one waits for the other, or begins anew.
    once: of the longer stretches only those in which no day was folded just now, as the others will soon be void again,
    and which are not among these, to which they are added. turn: held whenever sums are put in their place; None where
    nobody else in this process writes.
    """
    _sign()
    done = 0
    spoilt: set[int] = set()
    turn = turn or nullcontext()
    # What comes meanwhile is for the next time: while a pull goes on there would be no end of it.
    newest = Touched.objects.aggregate(pk=Max("pk"))["pk"] or 0
    while days := _fold_some(newest, turn):
        done += len(days)
        spoilt |= _ancestors(days)
        if progress:
            progress(done, done + Touched.objects.values("day").distinct().count())
    if stretches:
        for scale in (THIRD, MONTH, YEAR):
            made = _fold_stretches(scale, turn, set() if once is None else spoilt | once)
            if once is not None:
                once |= made
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
        count()
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


def _ancestors(days: Collection[date]) -> set[int]:
    """The codes of all longer stretches that some days lie in."""
    return {code(begin_of(day, scale), scale) for day in days for scale in (THIRD, MONTH, YEAR)}


def _fold_some(newest: int, turn: Turn) -> set[date]:
    """Make the sums of some days anew that are touched up to a row of Touched; returns them, none where none is."""
    zone = ZoneInfo(settings.TIME_ZONE)
    made: set[date] = set()

    def make(fresh: Fresh) -> Callable[[], None] | None:
        nonlocal made
        waiting = Touched.objects.filter(pk__lte=newest)
        days: set[date] = set()
        own: set[date] = set()
        for day, end in waiting.values_list("day").annotate(end=Max("end_time")).order_by("day"):
            more = {*days_between(day, reached(day, end, zone))}
            if days and len(days | more) > DAYS_A_TURN:
                break
            days |= more
            own.add(day)
        taken = waiting.filter(day__in=own).order_by()
        if connection.vendor != "sqlite":
            # Before the first sum is made, one by one: another worker may yet bring one that was numbered earlier.
            taken = Touched.objects.filter(pk__in=[*taken.values_list("pk", flat=True)])
        made = days
        if not days:
            return None
        groups = groups_of_rooms()
        for first, last in runs(days):
            _fold_occupied(first, last, zone, groups, fresh)
        # A meeting that only reaches into a day changes nothing but who held a room in it.
        for first, last in runs(own):
            _fold_rows(first, last, zone, fresh)

        def finish() -> None:
            # What comes to these days after the moment that they were made of touches them again.
            Stretch.objects.filter(code__in=_ancestors(days)).delete()
            taken.delete()
            count()

        return finish

    while not replace(make, turn):
        pass
    return made


# What the meetings of other days have a part in, by holding a room beyond midnight.
OCCUPIED: tuple[type[models.Model], ...] = (KeptPeak, KeptOpening, KeptLevel, KeptCourse)


def _fold_rows(first: date, last: date, zone: ZoneInfo, fresh: Fresh) -> None:
    """The sums of days that follow one another, over the meetings and calls of each."""
    fresh.drop(code(first), code(last), [model for model in TABLES if model not in OCCUPIED])
    days = (first, last)
    with_meetings, with_calls = (
        set(rows.filter(local_day__range=days).order_by().values_list("local_day", flat=True).distinct())
        for rows in (Meeting.objects.all(), TelephonyUsage.objects.all())
    )
    # Without its last row a day is no day of the ledger; with calls alone it is one.
    if only_calls := sorted(with_calls - with_meetings):
        # What the sums over nothing are: nothing is counted, and of nothing else is anything told.
        counted = [field for field in KeptTotals._meta.concrete_fields if not field.primary_key and not field.null]
        names = [field.attname for field in counted]
        fresh.add(KeptTotals, names, [[code(day) if name == "stretch" else 0 for name in names] for day in only_calls])
    if not with_meetings and not with_calls:
        return
    given: dict[Any, Any] = {ANY_FIRST: first, ANY_LAST: last}
    given |= {stand_in.isoformat(): day.isoformat() for stand_in, day in given.items()}
    with connection.cursor() as cursor:
        for statement, parameters in _statements(connection.vendor):
            # A day has no other day's name, nor has a word of the statement.
            cursor.execute(statement, [given.get(value, value) for value in parameters])
    _fold_hours(days, zone, fresh)


# Stand for the first and the last day in the statements, which are written once.
ANY_FIRST, ANY_LAST = date(1, 1, 1), date(1, 1, 2)


class DayCode(Func):
    """The code of a local day's stretch (see kept.code)."""

    output_field = models.IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="CAST(replace(%(expressions)s, '-', '') AS integer)", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="to_char(%(expressions)s, 'YYYYMMDD')::integer", **extra)


@lru_cache
def _statements(vendor: str) -> list[tuple[str, list[Any]]]:
    """One INSERT … SELECT for each kind of kept sums of days, from the same expressions as figures of any filter."""
    days = (ANY_FIRST, ANY_LAST)
    stretch = DayCode("local_day")
    meetings = Meeting.objects.filter(local_day__range=days).order_by()
    calls = TelephonyUsage.objects.filter(local_day__range=days).order_by()
    ended = Participant.objects.filter(meeting__local_day__range=days, meeting__end_time__isnull=False).order_by()
    both = MEETING_SUMS | BOOKING_SUMS
    call_sums = CALL_SUMS | {"last": Max("local_day")}
    found = [
        _keep(KeptTotals, meetings.values(stretch_=stretch), both, "stretch"),
        _keep(KeptRooms, meetings.values(stretch_=stretch, key_=ROOM_KEY), both, "stretch", "room"),
    ]
    ends = meetings.filter(JUDGED).values(stretch_=stretch, key_=ENDS_BUCKET)
    found.append(_keep(KeptEnds, ends, {"meetings": Count("pk")}, "stretch", "bucket"))
    for by, key in SERIES_KEYS.items():
        told = meetings.values(stretch_=stretch, by_=Value(by), key_=key)
        found.append(_keep(KeptSeries, told, SERIES_SUMS, "stretch", "by", "key"))
    for by, key in CALL_KEYS.items():
        told_calls = calls.values(stretch_=stretch, by_=Value(by), key_=key)
        found.append(_keep(KeptCalls, told_calls, call_sums, "stretch", "by", "key"))
    people = ended.filter(attendee_visits__isnull=False).values(
        stretch_=DayCode("meeting__local_day"), key_=F("name_key")
    )
    found.append(_keep(KeptPeople, people, ATTENDEE_SUMS, "stretch", "key"))
    return found


def _keep(
    model: type[models.Model], grouped: "QuerySet[Any, Any]", sums: Mapping[str, Any], *keys: str
) -> tuple[str, list[Any]]:
    """INSERT … SELECT: the groups of a query, with these sums, as rows of a model."""
    marked = {f"sum_{name}": expression for name, expression in sums.items()}
    statement, parameters = grouped.annotate(**marked).query.get_compiler(connection=connection).as_sql()
    columns = ", ".join(connection.ops.quote_name(name) for name in [*keys, *sums])
    return f"INSERT INTO {table_of(model)} ({columns}) {statement}", list(parameters)


def _fold_hours(days: tuple[date, date], zone: ZoneInfo, fresh: Fresh) -> None:
    ended = Meeting.objects.filter(local_day__range=days, end_time__isnull=False).order_by()
    stretch = DayCode("local_day")
    by_day: dict[int, list[tuple[datetime, datetime, int]]] = {}
    moments = rawrows.Moment("start_time"), rawrows.Moment("end_time")
    for day, start, end, hour in rawrows.every(ended.values_list(stretch, *moments, "week_hour")):
        by_day.setdefault(day, []).append((rawrows.moment(start), rawrows.moment(end), hour))
    rows = []
    for day, spans in sorted(by_day.items()):
        began, opened = week_hours(spans, zone)
        rows += [[day, hour, began[hour], opened[hour]] for hour in range(168) if began[hour] or opened[hour]]
    fresh.add(KeptHours, ["stretch", "week_hour", "began", "open_seconds"], rows)


def _fold_occupied(first: date, last: date, zone: ZoneInfo, groups: Mapping[int, int], fresh: Fresh) -> None:
    """How rooms were held on days that follow one another, over all meetings of at most a day that reach into them."""
    fresh.drop(code(first), code(last), OCCUPIED)
    uses = sorted(short_uses(midnight(first, zone), midnight(last + DAY, zone)))
    starts = [use.start for use in uses]
    for day in days_between(first, last):
        begin, end = midnight(day, zone), midnight(day + DAY, zone)
        near = uses[bisect_left(starts, begin - timedelta(seconds=LONG)) : bisect_left(starts, end)]
        held = [use for use in near if use.end > begin or use.start >= begin]
        if held:
            run = courses.course_of(held, begin, end, end)
            _fold_spans(day, run, fresh)
            _fold_course(day, run, groups, fresh)


def _fold_spans(day: date, run: Course, fresh: Fresh) -> None:
    spans = [(use.start, use.end, use.room) for use in run.uses if use.end > use.start and use.end > run.begin]
    if not spans:
        return
    fresh.add(KeptPeak, ["stretch", "rooms"], [[code(day), run.peak]])
    if not (opened := opening(day, day)):
        return
    by_room: dict[int, list[intervals.Moments]] = {}
    for start, stop, room in spans:
        by_room.setdefault(room or UNKNOWN_ROOM, []).append((start, stop))
    held = {room: inside(intervals.union(parts), opened) for room, parts in by_room.items()}
    rows = [[code(day), room, seconds] for room, seconds in held.items() if seconds]
    fresh.add(KeptOpening, ["stretch", "room", "seconds"], rows)


def _fold_course(day: date, run: Course, groups: Mapping[int, int], fresh: Fresh) -> None:
    begin, end = run.begin, run.end
    sums = {courses.ALL: courses.sums_of(run, opening(day, day))}
    for group, held in courses.by_group(run.uses, groups).items():
        sums[group] = courses.sums_of(courses.course_of(held, begin, end, end))
    over = courses.longest_over(run)
    rows = []
    for group, one in sums.items():
        every = group == courses.ALL
        for level in sorted({*one.lasted, *one.begun}):
            longest = None
            if every and level in one.longest:
                length, start = one.longest[level]
                longest = (int(length.total_seconds()) + 1) * LONGEST - int(start.timestamp())
            rows.append(
                [
                    *(code(day), group, level),
                    # How long there was none is what is left of the period.
                    *((sums_ // 1_000_000 if level else 0) for sums_ in (one.lasted[level], one.opened[level])),
                    *(one.begun[level], one.extra[level] if every else 0),
                    *((one.told[level], one.rises[level]) if every else (0, 0)),
                    *(longest, _whole_seconds(over[level]) if every and level in over else None),
                ]
            )
    names = ["stretch", "size", "level", "seconds", "opening", "begun", "extra", "told", "rises", "longest", "over"]
    fresh.add(KeptLevel, names, rows)
    hours = [courses.measured(run, *hour) for hour in courses.hours_of(day)]
    by_number = {one.hour.hour: [one.most, one.room_seconds, one.meetings] for one in hours}
    extras = sorted((one.others, one.use.start, one.use.uuid, one.use.pk) for one in run.begun if one.use.extra)
    of_day = {
        "stretch": code(day),
        "peak": run.peak,
        "head": run.levels[0],
        "head_until": int((run.times[1] if len(run.times) > 1 else end).timestamp()),
        "tail": run.levels[-1],
        "tail_from": int(run.times[-1].timestamp()),
        "least_extra": extras[0][0] if extras else None,
        "hours": _json([by_number.get(number) for number in range(24)]),
        "extras": _json([[others, int(start.timestamp()), pk] for others, start, _uuid, pk in extras])
        if extras
        else "",
    }
    fresh.add(KeptCourse, [*of_day], [[*of_day.values()]])


def _whole_seconds(length: timedelta) -> int:
    """Rounded up."""
    return -(-length // timedelta(seconds=1))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _fold_stretches(scale: int, turn: Turn, but: Collection[int]) -> set[int]:
    """Make the stretches of a scale that are missing, from those one smaller; returns them. but: leaving out these."""
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
        with turn:
            drop(spent, spent)
    missing = wanted - kept - set(but)
    waiting = sorted(missing)
    while some := waiting[:STRETCHES_A_TURN]:
        waiting = waiting[STRETCHES_A_TURN:]
        while not replace(partial(_make_stretches, some, scale), turn):
            pass
    return missing


def _make_stretches(missing: Sequence[int], scale: int, fresh: Fresh) -> Callable[[], None] | None:
    made = [one for one in missing if _add_up_all(one, scale, fresh)]
    if not made:
        return None

    def finish() -> None:
        Stretch.objects.bulk_create([Stretch(code=one) for one in made], ignore_conflicts=True)

    return finish


def _add_up_all(missing: int, scale: int, fresh: Fresh) -> bool:
    """Make the sums of a stretch; False where something that it is made of is not there."""
    first = day_of(missing)
    last = end_of(first, scale)
    # Of what it is made up of: days for a third, thirds for a month, months for a year.
    least, most = code(first, scale - 1), code(last, scale - 1)
    if scale > THIRD:
        parts = _parts(first, last, scale - 1)
        there = set(Stretch.objects.filter(code__in=parts).values_list("code", flat=True))
        if not _whole(parts, there):
            return False  # a day of it was touched meanwhile: the next fold makes it
    fresh.drop(missing, missing)
    for model in TABLES:
        if model not in OF_DAYS:
            _add_up(model, missing, least, most)
    return True


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
    added = [sum_of(name) for name in sums]
    if connection.vendor == "postgresql":
        # Its sum of whole numbers is a numeric.
        added = [f"{text}::bigint" if text.startswith(SUM) else text for text in added]
    chosen = ", ".join(["%s", *(quote(key) for key in keys), *added])
    grouped = ", ".join(["stretch_", *(quote(key) for key in keys)])
    only = f" AND by IN ({', '.join(['%s'] * len(BYS[model]))})" if model in BYS else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table_of(model)} ({columns}) "  # noqa: S608
            f"SELECT {chosen.replace('%s', '%s AS stretch_', 1)} FROM {table} "
            f"WHERE stretch BETWEEN %s AND %s{only} GROUP BY {grouped}",
            [target, least, most, *BYS.get(model, ())],
        )
