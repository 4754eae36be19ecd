"""The pool: how many rooms were occupied at once, against how many there are, and what fewer would have meant.

A meeting occupies a room during `[start_time, end_time)`, a running one until now: one of the pool, an extra
one, or one that nobody knows. One that begins and ends at one instant occupies none, but it began.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, Q

from reports import courses, holding, kept
from reports.clockwork import DAY, days_between, midnight, opening, runs
from reports.courses import MICROSECOND, Begun, Course, Hour, Sums, Use, course_of
from reports.figures.period import bounds, span, today
from reports.filter import Filter
from reports.keptmodels import KeptCourse, KeptLevel
from reports.models import Licence, Meeting, Room
from reports.querysets import clock_hour

CHUNK = 5000
# Longer periods are shown by the day.
DAYS_BY_HOUR = 14
# Shares of the meetings to be served, in thousandths.
SHARES = (950, 990, 999, 1000)
# Of extra-room meetings that began while rooms were free, so many are named.
NAMED = 15


# How large the pool is ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Size:
    """How many rooms there are to be had at once. rooms: None where nobody knows one.

    source: "licence" as the provider says what is rented, "rooms" as its rooms are known, "chosen" as the filter
    names them. by_capacity: the same by seats, None for rooms whose size is not known. known: rooms of the pool
    that are known, whatever the source. licence: the newest that tells how many rooms are rented.
    """

    rooms: int | None
    source: str
    by_capacity: Mapping[int | None, int]
    known: int
    licence: Licence | None = None


def size(chosen: Filter) -> Size:
    """The pool's size: what is rented by the newest licence, else the rooms known; or the rooms that a filter names.

    Temporary rooms are no part of the pool, unless the filter names them; of no size are they in any case.
    """
    found: Size = kept.once(("size", chosen.rooms, chosen.allowed_rooms), lambda: _size(chosen))
    return found


def _size(chosen: Filter) -> Size:
    rooms = Room.objects.filter(host_id__in=chosen.rooms) if chosen.rooms else Room.objects.filter(temporary=False)
    if chosen.allowed_rooms is not None:
        rooms = rooms.filter(host_id__in=sorted(chosen.allowed_rooms))
    found = list(rooms.order_by().values_list("capacity", "temporary"))
    by_capacity = Counter(capacity for capacity, temporary in found if not temporary)
    known = len(found)
    if chosen.rooms:
        return Size(known or None, "chosen", by_capacity, known)
    # Who may see some rooms only is not told of a pool of others.
    licence = Licence.objects.first() if chosen.allowed_rooms is None else None
    rented: dict[int | None, int] = {int(seats): count for seats, count in licence.capacity.items()} if licence else {}
    if total := sum(rented.values()):
        return Size(total, "licence", rented, known, licence)
    return Size(known or None, "rooms", by_capacity, known)


# How many rooms were occupied -----------------------------------------------------------------------------


class Kept(NamedTuple):
    """What is kept of one day's course: rooms at its begin until a moment (seconds since 1970), and at its end."""

    peak: int
    head: int
    head_until: int
    tail: int
    tail_from: int
    least_extra: int | None


NOTHING = Kept(0, 0, 0, 0, 0, None)
Over = tuple[tuple[int, int], ...]
NEVER = -1  # fewer rooms than none: what the period begins with is a rise


@dataclass(frozen=True, slots=True)
class Days:
    """How many rooms were occupied over a period, from what is kept of its days.

    days: what is kept of them, none where nothing is. swept: the courses of the other days, of those that follow one
    another together: not kept, not over yet, or such on which a running or a long meeting begins or ends. long: those
    meetings. over: how many of them, in the rooms of each group, were there all of a day that is kept.
    """

    first: date
    last: date
    begin: datetime
    end: datetime
    until: datetime
    now: datetime
    days: Mapping[date, Kept]
    swept: Sequence[Course]
    long: Sequence[Use]
    over: Mapping[date, Mapping[int, int]]
    whole: Sequence[date]
    sums: Sums

    @property
    def peak(self) -> int:
        """The most rooms occupied at one instant of the period."""
        return self.sums.peak

    def held(self, day: date) -> int:
        """How many running and long meetings were there all of a day that is kept."""
        return self.over[day][courses.ALL] if day in self.over else 0

    def most(self, day: date) -> int:
        """The most rooms at one instant of a day that is kept."""
        return self.days.get(day, NOTHING).peak + self.held(day)

    def texts(self, days: Iterable[date], name: str) -> dict[date, list[list[int] | None]]:
        """A text that is kept of each of some days; of a day without a meeting there is none."""
        codes = [kept.code(day) for day in days]
        found = {}
        for start in range(0, len(codes), 500):
            rows = KeptCourse.objects.filter(stretch__in=codes[start : start + 500]).values_list("stretch", name)
            found.update({kept.day_of(code): json.loads(text) for code, text in rows if text})
        return found

    def sweep(self, days: Iterable[date]) -> list[Course]:
        """The courses of some days, those that follow one another together, from the meetings themselves."""
        known = {(run.begin, run.end): run for run in self.swept}
        return [known.get(edges_of(part)) or _swept(part, self.long, self.now) for part in runs(days)]


Run = Course | Days


def edges_of(days: Sequence[date]) -> tuple[datetime, datetime]:
    """The moments between which days in a row lie."""
    return midnight(days[0]), midnight(days[-1] + DAY)


def course(chosen: Filter, now: datetime) -> Run:
    """How many rooms the meetings of a filter occupied over its period; those that began before it included."""
    if kept.serves(chosen):
        with kept.steady():
            if kept.state().sound:
                return _course_of_days(chosen, now)
    begin, end = bounds(chosen, now)
    rows = (
        Meeting.objects.fitting(chosen)
        .filter(Q(end_time__gt=begin) | Q(end_time=None) | Q(start_time__gte=begin), start_time__lt=end)
        .order_by()
        .values_list("start_time", "uuid", "end_time", "is_extra", "room_id", "pk")
    )
    uses = [
        Use(start, uuid, stop or now, stop is None, extra, room, pk)
        for start, uuid, stop, extra, room, pk in rows.iterator(chunk_size=CHUNK)
    ]
    # By start, then uuid: in Python, since databases sort texts by rules of their own.
    uses.sort()
    return course_of(uses, begin, end, now)


def _swept(days: Sequence[date], long: Sequence[Use], now: datetime) -> Course:
    begin, end = edges_of(days)
    there = [use for use in long if use.start < end and (use.running or begin < use.end)]
    return course_of(sorted([*holding.short_uses(begin, end), *there]), begin, end, now)


def _course_of_days(chosen: Filter, now: datetime) -> Days:
    first, last = span(chosen, now)
    begin, end = edges_of([first, last])
    long = holding.long_uses(begin, end, now)
    here = today(now)
    apart = set(kept.not_kept(first, last))
    if here <= last:
        apart.update(days_between(max(first, here), last))
    groups = holding.groups_of_rooms() if long else {}
    covered: list[tuple[int, date, date]] = []
    for use in long:
        if use.start < use.end:
            starts, ends = today(use.start), today(use.end)
            apart.update(day for day in (starts, ends) if first <= day <= last)
            covered.append((courses.group_of(use.room, use.extra, groups), max(first, starts), min(last, ends)))
    over: dict[date, Counter[int]] = {}
    for group, starts, ends in covered:
        for day in days_between(starts, ends):
            if day not in apart:
                over.setdefault(day, Counter()).update((group, courses.ALL))
    swept = [_swept(part, long, now) for part in runs(apart)]
    whole = [day for day in days_between(first, min(last, here)) if day not in apart]
    rows = (
        KeptCourse.objects.filter(stretch__range=(kept.code(first), kept.code(last)))
        .order_by()
        .values_list("stretch", "peak", "head", "head_until", "tail", "tail_from", "least_extra")
    )
    days = {day: Kept(*row[1:]) for row in rows if (day := kept.day_of(row[0])) not in apart}
    found = Days(
        first=first,
        last=last,
        begin=begin,
        end=end,
        until=max(begin, min(end, now)),
        now=now,
        days=days,
        swept=swept,
        long=long,
        over=over,
        whole=whole,
        sums=Sums(),
    )
    found.sums.add(_kept_sums(found, every=False)[courses.ALL])
    for run in swept:
        found.sums.add(courses.sums_of(run, courses.opening_hours(run)))
    _join(found)
    return found


def _kept_sums(run: Days, *, every: bool) -> dict[int, Sums]:
    """The sums over the days that are kept of all rooms together; every: of each group of them instead."""
    alike: dict[Over, list[date]] = {}
    for day in run.whole:
        alike.setdefault(tuple(sorted(run.over[day].items())) if day in run.over else (), []).append(day)
    found: dict[int, Sums] = {} if every else {courses.ALL: Sums()}
    apart = set(days_between(run.first, run.last)).difference(run.whole)
    for over, days in alike.items():
        added = dict(over)
        spans: list[tuple[int, int]] = []
        lasted = opened = 0
        for part in runs(days):
            spans += kept.cover(part[0], part[-1], without=apart).spans
            begin, end = edges_of(part)
            lasted += (end - begin) // MICROSECOND
            opened += sum((stop - start) // MICROSECOND for start, stop in opening(part[0], part[-1]))
        sums = {group: Sums() for group in (added.keys() - {courses.ALL} if every else (courses.ALL,))}
        names = ["seconds", "opening", "begun", "extra", "told", "rises", "longest"]
        only: dict[str, Any] = {"but": {"size": courses.ALL}} if every else {"size": courses.ALL}
        for row in kept.rows(KeptLevel, spans, names, apart=False, **only):
            group = row.get("size", courses.ALL)
            if (one := sums.get(group)) is None:
                one = sums[group] = Sums()
            level = row["level"] + added.get(group, 0)
            # One by one: there are thousands of rows.
            if seconds := row["seconds"]:
                one.lasted[level] += seconds * 1_000_000
            if seconds := row["opening"]:
                one.opened[level] += seconds * 1_000_000
            if count := row["begun"]:
                one.begun[level] += count
            if count := row["extra"]:
                one.extra[level] += count
            if count := row["told"]:
                one.told[level] += count
            if count := row["rises"]:
                one.rises[level] += count
            if row["longest"] is not None:
                one.note(level, *holding.longest_of(row["longest"]))
        for group, one in sums.items():
            # What is left had no other meeting than those that were there all day.
            for counter, length in ((one.lasted, lasted), (one.opened, opened)):
                if left := length - counter.total():
                    counter[added.get(group, 0)] += left
            one.peak = max(one.lasted, default=0)
            found.setdefault(group, Sums()).add(one)
    return found


def _join(run: Days) -> None:
    """Note the stretches at one number of rooms that midnight cuts, and the rises at midnight."""
    swept = {today(part.begin): part for part in run.swept}
    held: tuple[int, datetime] | None = None

    def begin(level: int) -> None:
        run.sums.rise(NEVER if held is None else held[0], level)

    def change(level: int, at: datetime) -> None:
        nonlocal held
        if held is not None:
            run.sums.note(held[0], at - held[1], held[1])
        held = (level, at)

    day, end = run.first, today(run.until - timedelta.resolution) if run.begin < run.until else run.first - DAY
    while day <= end:
        if part := swept.get(day):
            begin(part.levels[0])
            for level, start, _stop in part.pieces(part.begin, part.until):
                if held is None or held[0] != level:
                    change(level, start)
            day = today(part.end)
            continue
        over, told = run.held(day), run.days.get(day, NOTHING)
        begin(told.head + over)
        if held is None or held[0] != told.head + over:
            change(told.head + over, midnight(day))
        # Where the whole day was one piece its end is a midnight, and the next day says what came then.
        if told is not NOTHING and told.tail_from >= told.head_until:
            if told.tail_from > told.head_until:
                change(-1, datetime.fromtimestamp(told.head_until, UTC))
            change(told.tail + over, datetime.fromtimestamp(told.tail_from, UTC))
        day += DAY
    if held is not None:
        change(-1, run.until)
    run.sums.longest.pop(-1, None)


# Over the hours and the days ------------------------------------------------------------------------------------


def by_hour(run: Run) -> list[tuple[datetime, int]]:
    """The most rooms occupied at once, of each clock hour that has begun."""
    if isinstance(run, Course):
        return [(hour, run.most(begin, end)) for hour, begin, end in courses.clock_hours(run)]
    found = [one for part in run.swept for one in by_hour(part)]
    texts = run.texts(run.whole, "hours")
    for day in run.whole:
        told = texts.get(day)
        for hour, _begin, _end in courses.hours_of(day):
            row = told[hour.hour] if told else None
            found.append((hour, (row[0] if row else 0) + run.held(day)))
    return sorted(found)


def by_day(run: Run) -> list[tuple[date, int]]:
    """The same of each local day."""
    if isinstance(run, Course):
        return courses.most_by_day(run)
    found = [one for part in run.swept for one in courses.most_by_day(part)]
    return sorted([*found, *((day, run.most(day)) for day in run.whole)])


def is_by_hour(run: Run) -> bool:
    """Whether the period is short enough to be shown by the hour; else it is by the day."""
    return run.end - run.begin <= timedelta(days=DAYS_BY_HOUR, hours=2)  # a clock may have been set in it


def concurrency(run: Run) -> list[tuple[datetime, int]]:
    """The most rooms at once of each hour, or day, that has begun: (its begin, rooms)."""
    if is_by_hour(run):
        return [(clock_hour(hour)[0], most) for hour, most in by_hour(run)]
    zone = ZoneInfo(settings.TIME_ZONE)
    return [(midnight(day, zone), most) for day, most in by_day(run)]


def worst_hours(run: Run, count: int) -> list[Hour]:
    """The clock hours with the most rooms at once; of equals those with more occupied time, then the earlier."""
    # Each of the days with the most has an hour with as many: no other day has one that is among the first.
    hours: list[Hour] = []
    if isinstance(run, Course):
        days = courses.most_by_day(run)
        # Of the last day some hours may be to come.
        least = _least((most for _day, most in days[:-1]), count)
        for day in [day for day, most in days[:-1] if most >= least] + [day for day, _most in days[-1:]]:
            for hour, begin, end in courses.hours_of(day):
                if begin < run.until and run.most(begin, end) >= least:
                    hours.append(courses.measured(run, hour, begin, end))
    else:
        for part in run.swept:
            hours += worst_hours(part, count)
        least = _least((run.most(day) for day in run.whole), count)
        whole = [day for day in run.whole if run.most(day) >= least]
        texts = run.texts(whole, "hours")
        for day in whole:
            hours += _hours_of(day, texts.get(day), run.held(day), least)
    return sorted(hours, key=lambda one: (-one.most, -one.room_seconds, one.hour))[:count]


def _least(most: Iterable[int], count: int) -> int:
    """How many rooms an hour has at least to be among so many worst ones, by the most of each day."""
    return max(1, (sorted(most, reverse=True)[count - 1 : count] or [1])[0])


def _hours_of(day: date, told: list[list[int] | None] | None, held: int, least: int) -> list[Hour]:
    """The hours of a day that is kept with at least so many rooms. held: meetings that were there all day."""
    if not held:
        return [
            Hour(datetime(day.year, day.month, day.day, number), *row)  # noqa: DTZ001 — on the clock
            for number, row in enumerate(told or ())
            if row and row[0] >= least
        ]
    found = []
    for hour, begin, end in courses.hours_of(day):
        most, room_seconds, meetings = (told[hour.hour] if told else None) or (0, 0, 0)
        if most + held >= least:
            length = int((end - begin).total_seconds())
            found.append(Hour(hour, most + held, room_seconds + held * length, meetings + held))
    return found


# With so many rooms ---------------------------------------------------------------------------------------


class Level(NamedTuple):
    """So many rooms: how long exactly so many were occupied, how long at least, and in opening hours.

    without: meetings of the period that would have found none of so many. hour: of the local clock, in which
    the longest stretch at this level began; None where there was none.
    """

    rooms: int
    seconds: int
    at_least_seconds: int
    opening_seconds: int
    without: int
    hour: datetime | None


@dataclass(frozen=True)
class WhatIf:
    """What fewer or more rooms would have meant. meetings: of the period; others: when each began, counted."""

    meetings: int
    others: Mapping[int, int]

    def without(self, rooms: int) -> int:
        """Meetings that began while so many others or more were already occupying rooms."""
        return self._from[max(0, rooms)] if rooms < len(self._from) else 0

    @cached_property
    def _from(self) -> list[int]:
        """The same by the number of rooms: it is asked of hundreds."""
        counts = [self.others.get(others, 0) for others in range(max(self.others, default=-1), -1, -1)]
        return list(accumulate(counts))[::-1]

    def served(self, rooms: int) -> float | None:
        """The share of the meetings that would have found one of so many rooms; None without a meeting."""
        return (self.meetings - self.without(rooms)) / self.meetings if self.meetings else None

    def rooms_for(self, thousandths: int) -> int | None:
        """The fewest rooms that would have served such a share of the meetings; None without a meeting."""
        if not self.meetings:
            return None
        # Whole numbers: a share such as 0.999 of them is no exact one.
        allowed = self.meetings * (1000 - thousandths)
        left = 0
        for others in sorted(self.others, reverse=True):
            left += self.others[others]
            if left * 1000 > allowed:
                return others + 1
        return 0


def sums_of(run: Run) -> Sums:
    """The period added up by the number of rooms occupied at once."""
    return courses.sums_of(run, courses.opening_hours(run)) if isinstance(run, Course) else run.sums


def what_if(run: Run) -> WhatIf:
    """How the meetings of the period would have fared with any number of rooms."""
    return _asked(courses.sums_of(run) if isinstance(run, Course) else run.sums)


def _asked(sums: Sums) -> WhatIf:
    return WhatIf(sums.begun.total(), sums.begun)


def levels(run: Run) -> list[Level]:
    """Every number of rooms from none to the most that were occupied, or that would have served every meeting.

    Time counts up to now.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    sums = sums_of(run)
    asked = _asked(sums)
    top = max(run.peak, asked.rooms_for(1000) or 0)
    at_least, without = 0, 0
    found = []
    for rooms in range(top, -1, -1):
        at_least += sums.lasted[rooms]
        without += asked.others.get(rooms, 0)
        hour = sums.longest[rooms][1].astimezone(zone).replace(tzinfo=None) if rooms in sums.longest else None
        found.append(
            Level(
                rooms=rooms,
                seconds=sums.lasted[rooms] // 1_000_000,
                at_least_seconds=at_least // 1_000_000,
                opening_seconds=sums.opened[rooms] // 1_000_000,
                without=without,
                hour=hour and hour.replace(minute=0, second=0, microsecond=0),
            )
        )
    return found[::-1]


# When it ran short ----------------------------------------------------------------------------------------


class Short(NamedTuple):
    """A stretch during which every room of the pool was occupied. most: rooms at once, extra ones included.

    began: meetings that began in it; without: those of them that would have found none of the pool's rooms;
    extra: those that were reported to be in an extra room, None where none of them tells. going_on: until now.
    """

    start: datetime
    end: datetime
    most: int
    began: int
    without: int
    extra: int | None
    going_on: bool

    @property
    def seconds(self) -> int:
        return int((self.end - self.start).total_seconds())


class Shortages(NamedTuple):
    """How often, and for how many seconds, every room of the pool was occupied."""

    times: int
    seconds: int


def shortages(run: Run, rooms: int) -> Shortages:
    """The stretches up to now during which so many rooms or more were occupied, counted and added up."""
    if isinstance(run, Course):
        spans = _short_spans(run, rooms)
        return Shortages(len(spans), courses.whole_seconds(stop - start for start, stop, _most in spans))
    return Shortages(
        # Each begins with a rise from fewer.
        times=sum(count for level, count in run.sums.rises.items() if level >= rooms),
        seconds=sum(length for level, length in run.sums.lasted.items() if level >= rooms) // 1_000_000,
    )


def longest_shortages(run: Run, rooms: int, now: datetime, most: int) -> list[Short]:
    """The longest of these stretches, so many at most: the longest first, of equals the earlier."""
    found: list[Short] = []
    for bound, sweep in _chains(run, rooms):
        if len(found) >= most and found[-1].seconds > bound:
            break
        for part in sweep():
            found += [one._replace(going_on=one.end == now and one.end < run.end) for one in _shorts(part, rooms)]
        found = sorted(found, key=lambda one: (-one.seconds, one.start))[:most]
    return found


class _Segment(NamedTuple):
    """Days that are kept or swept together. bound: no stretch within them is longer, in seconds.

    head, tail: whether every room is occupied as they begin, and as they end.
    """

    days: Sequence[date]
    bound: int
    head: bool
    tail: bool


def _chains(run: Run, rooms: int) -> list[tuple[int, Callable[[], list[Course]]]]:
    """Days over whose midnights a stretch may go on: how long one may be at most, and what gives their courses.

    Those with the longest first.
    """
    if isinstance(run, Course):
        return [(0, lambda: [run])]
    chains: list[list[_Segment]] = []
    for one in _segments(run, rooms):
        if chains and one.head and chains[-1][-1].tail and chains[-1][-1].days[-1] == one.days[0] - DAY:
            chains[-1].append(one)
        else:
            chains.append([one])
    found = []
    for chain in chains:
        days = [day for one in chain for day in one.days]
        found.append((sum(one.bound for one in chain), partial(run.sweep, days)))
    return sorted(found, key=lambda one: -one[0])


def _segments(run: Days, rooms: int) -> list[_Segment]:
    """The days on which so many rooms or more were occupied at once, in order."""
    short = [day for day in run.whole if run.most(day) >= rooms]
    bounds: dict[date, int] = {}
    codes = [kept.code(day) for day in short]
    for start in range(0, len(codes), 500):
        rows = KeptLevel.objects.filter(stretch__in=codes[start : start + 500], size=courses.ALL, level__gte=rooms)
        # The most of all is that of the fewest rooms of these.
        longest = rows.order_by().values_list("stretch").annotate(over=Max("over"))
        bounds |= {kept.day_of(code): seconds for code, seconds in longest}
    found = []
    for day in short:
        begin, end = edges_of([day])
        told, held = run.days.get(day, NOTHING), run.held(day)
        # Where others were there all day, what is kept stands for fewer rooms.
        bound = int((end - begin).total_seconds()) if held else bounds[day]
        found.append(_Segment([day], bound, told.head + held >= rooms, told.tail + held >= rooms))
    for part in run.swept:
        if spans := _short_spans(part, rooms):
            bound = max(-(-(stop - start) // timedelta(seconds=1)) for start, stop, _most in spans)
            days = days_between(today(part.begin), today(part.end - timedelta.resolution))
            found.append(_Segment(days, bound, spans[0][0] == part.begin, spans[-1][1] == part.end))
    return sorted(found, key=lambda one: one.days[0])


def _short_spans(run: Course, rooms: int) -> list[tuple[datetime, datetime, int]]:
    """When so many rooms or more were occupied, and the most of each such stretch."""
    spans: list[tuple[datetime, datetime, int]] = []
    for level, start, stop in run.pieces(run.begin, run.until):
        if level < rooms:
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], stop, max(spans[-1][2], level))
        else:
            spans.append((start, stop, level))
    return spans


def _shorts(run: Course, rooms: int) -> list[Short]:
    began = [one.use.start for one in run.begun]
    found = []
    for start, stop, most in _short_spans(run, rooms):
        inside = run.begun[bisect_left(began, start) : bisect_left(began, stop)]
        found.append(
            Short(
                start=start,
                end=stop,
                most=most,
                began=len(inside),
                without=sum(one.others >= rooms for one in inside),
                extra=_extra(one.use for one in inside),
                going_on=False,
            )
        )
    return found


def _extra(uses: Iterable[Use]) -> int | None:
    """How many are reported to be in an extra room; None where there are some and none of them tells."""
    told = [use.extra for use in uses]
    known = [extra for extra in told if extra is not None]
    return None if told and not known else sum(known)


@dataclass(frozen=True, slots=True)
class Extras:
    """The extra-room meetings of a period, judged. meetings: all of them, None where no meeting tells.

    free: how many began while rooms of the pool were free by our count. needless: the first of those, most free
    rooms first.
    """

    meetings: int | None
    free: int
    needless: Sequence[Begun]


def extras(run: Run, rooms: int | None) -> Extras:
    """The extra-room meetings of the period against a pool of so many rooms; None: nobody knows its size."""
    sums = courses.sums_of(run) if isinstance(run, Course) else run.sums
    meetings = None if sums.begun.total() and not sums.told.total() else sums.extra.total()
    if rooms is None:
        return Extras(meetings, 0, [])
    free = sum(count for others, count in sums.extra.items() if others < rooms)
    needless = _needless(run, rooms) if free else []
    return Extras(meetings, free, needless)


def _needless(run: Run, rooms: int) -> list[Begun]:
    if isinstance(run, Course):
        found = [one for one in run.begun if one.use.extra and one.others < rooms]
        return sorted(found, key=lambda one: (one.others, one.use.start, one.use.uuid))[:NAMED]
    found = [one for part in run.swept for one in _needless(part, rooms)]
    # Of the days the first by their first: none of another is before it.
    least = sorted(
        (told.least_extra + run.held(day), day) for day, told in run.days.items() if told.least_extra is not None
    )
    days = [day for others, day in least[:NAMED] if others < rooms]
    texts = run.texts(days, "extras")
    kept_ones = sorted((row[0] + run.held(day), row[1], row[2]) for day in days for row in texts.get(day, ()) if row)
    named = [one for one in kept_ones if one[0] < rooms]
    # Of one instant the order is that of the uuids.
    last = named[:NAMED][-1:]
    asked = {pk: others for others, start, pk in named if (others, start) <= last[0][:2]}
    found += [Begun(use, asked[use.pk]) for use in holding.uses_of(Meeting.objects.filter(pk__in=asked))]
    return sorted(found, key=lambda one: (one.others, one.use.start, one.use.uuid))[:NAMED]


# By the size of the room ----------------------------------------------------------------------------------


KINDS = ("size", "unknown", "extra")


@dataclass(frozen=True, slots=True)
class OfSize:
    """The rooms of one size by themselves. rooms: how many there are, None for those that are no part of the pool.

    kind: "size" with its seats, "unknown" for rooms whose size nobody knows, "extra" for temporary rooms.
    host_ids: of the rooms of this size that are known. all_seconds: for how long all of them were occupied.
    """

    kind: str
    seats: int | None
    rooms: int | None
    host_ids: Sequence[str]
    peak: int
    all_seconds: int | None
    asked: WhatIf


def by_size(run: Run, pool: Size, allowed: Collection[str] | None = None) -> list[OfSize]:
    """The pool told apart by the seats of its rooms, smallest first; then rooms of unknown size, then temporary ones.

    A size counts only the meetings that were in rooms of that size. A meeting whose room is unknown is with the
    unknown, or with the temporary ones where it is reported to be in an extra room. allowed: host_ids of the rooms
    that may be seen; None is all.
    """
    groups: dict[int, int] = {}
    hosts: dict[int, list[str]] = {}
    rooms = Room.objects.filter(temporary=False).order_by("host_id")
    for pk, host_id, seats in rooms.values_list("pk", "host_id", "capacity"):
        groups[pk] = courses.group_of_room(seats)
        if allowed is not None and host_id not in allowed:
            continue
        hosts.setdefault(groups[pk], []).append(host_id)
    sums = _sums_by_size(run, groups)
    sizes = {courses.UNKNOWN if seats is None else seats: count for seats, count in pool.by_capacity.items() if count}
    found = []
    for group in sorted(sizes.keys() | sums.keys(), key=_place):
        count = sizes.get(group)
        one = sums.get(group) or Sums()
        kind = {courses.UNKNOWN: "unknown", courses.EXTRA: "extra"}.get(group, "size")
        found.append(
            OfSize(
                kind=kind,
                seats=group if kind == "size" else None,
                rooms=count,
                host_ids=hosts.get(group, []) if kind == "size" else [],
                peak=one.peak,
                all_seconds=sum(length // 1_000_000 for rooms, length in one.lasted.items() if rooms >= count)
                if count
                else None,
                asked=_asked(one),
            )
        )
    return found


def _place(group: int) -> tuple[int, int]:
    """Where a group stands: sizes by their seats, then rooms of unknown size, then temporary ones."""
    return (KINDS.index("size"), group) if group >= 0 else (1 if group == courses.UNKNOWN else 2, 0)


def _sums_by_size(run: Run, groups: Mapping[int, int]) -> dict[int, Sums]:
    found: dict[int, Sums] = {}
    if isinstance(run, Days):
        found = _kept_sums(run, every=True)
        # One that runs without having occupied a room in the period is one of its group.
        for use in run.long:
            found.setdefault(courses.group_of(use.room, use.extra, groups), Sums())
    for part in [run] if isinstance(run, Course) else run.swept:
        for group, held in courses.by_group(part.uses, groups).items():
            of_group = course_of(held, part.begin, part.end, part.until)
            found.setdefault(group, Sums()).add(courses.sums_of(of_group))
    return found


# All of it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """What a period says of the pool. short: None where nobody knows how many rooms there are."""

    size: Size
    run: Run
    asked: WhatIf
    short: Shortages | None
    extras: Extras


def picture(chosen: Filter, now: datetime) -> Picture:
    """The pool over the period of a filter."""
    there_is = size(chosen)
    run = course(chosen, now)
    return Picture(
        size=there_is,
        run=run,
        asked=what_if(run),
        short=shortages(run, there_is.rooms) if there_is.rooms else None,
        extras=extras(run, there_is.rooms),
    )
