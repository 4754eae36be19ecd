"""The pool: how many rooms were occupied at once, against how many there are, and what fewer would have meant.

A meeting occupies a room during `[start_time, end_time)`, a running one until now: one of the pool, an extra
one, or one that nobody knows. One that begins and ends at one instant occupies none, but it began.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from reports.clockwork import midnight, opening
from reports.figures.period import bounds, today
from reports.filter import Filter
from reports.intervals import Moments
from reports.models import Licence, Meeting, Room
from reports.querysets import clock_hour

CHUNK = 5000
# Longer periods are shown by the day.
DAYS_BY_HOUR = 14
# Shares of the meetings to be served, in thousandths.
SHARES = (950, 990, 999, 1000)


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


class Use(NamedTuple):
    """One meeting that began in a period or occupied a room in it. end: now while it runs; room: its row's id."""

    start: datetime
    uuid: str
    end: datetime
    running: bool
    extra: bool | None
    room: int | None
    pk: int


class Begun(NamedTuple):
    """One meeting of the period, and how many others occupied rooms when it began."""

    use: Use
    others: int


@dataclass(frozen=True, slots=True)
class Course:
    """How many rooms were occupied from the begin of a period to its end (excluded).

    times, levels: from each of these instants on so many rooms, the first at the begin. until: the end, or now
    where that is earlier. begun: the meetings of the period in order. starts, ends: of what occupied a room,
    in order; without an end while it runs.
    """

    begin: datetime
    end: datetime
    until: datetime
    times: Sequence[datetime]
    levels: Sequence[int]
    begun: Sequence[Begun]
    starts: Sequence[datetime] = field(repr=False)
    ends: Sequence[datetime] = field(repr=False)
    uses: Sequence[Use] = field(repr=False)

    @property
    def peak(self) -> int:
        """The most rooms occupied at one instant of the period."""
        return max(self.levels)

    def most(self, begin: datetime, end: datetime) -> int:
        """The most rooms occupied at one instant of a stretch of the period."""
        return max(self.levels[bisect_right(self.times, begin) - 1 : bisect_left(self.times, end)])

    def pieces(self, begin: datetime, end: datetime) -> Iterator[tuple[int, datetime, datetime]]:
        """A stretch of the period cut where the number of rooms changes: (rooms, from, to)."""
        if begin >= end:
            return
        place = bisect_right(self.times, begin) - 1
        last = bisect_left(self.times, end) - 1
        for number in range(place, last):
            after = self.times[number + 1]
            yield self.levels[number], begin, after
            begin = after
        yield self.levels[last], begin, end

    def meetings(self, begin: datetime, end: datetime) -> int:
        """How many meetings occupied a room at some instant of a stretch; running ones have since they began."""
        return bisect_left(self.starts, end) - bisect_right(self.ends, begin)


def course(chosen: Filter, now: datetime) -> Course:
    """How many rooms the meetings of a filter occupied over its period; those that began before it included."""
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


def course_of(uses: Sequence[Use], begin: datetime, end: datetime, now: datetime) -> Course:
    """The course of these meetings, which come by start, then uuid.

    At one instant ends come before starts, and those that begin at the same one come one after the other.
    """
    stops = sorted(use.end for use in uses if use.start < use.end)
    times, levels = [begin], [0]
    begun = []
    level = place = 0

    def note(at: datetime) -> None:
        if at <= times[-1]:  # what was before the period began counts at its begin
            levels[-1] = level
        else:
            times.append(at)
            levels.append(level)

    for use in uses:
        while place < len(stops) and stops[place] <= use.start:
            level -= 1
            note(stops[place])
            place += 1
        if use.start >= begin:
            begun.append(Begun(use, level))
        if use.start < use.end:
            level += 1
            note(use.start)
    while place < len(stops) and stops[place] < end:
        level -= 1
        note(stops[place])
        place += 1
    # Where one leaves as another comes, nothing changes.
    kept = [number for number, rooms in enumerate(levels) if not number or rooms != levels[number - 1]]
    return Course(
        begin=begin,
        end=end,
        until=max(begin, min(end, now)),
        times=[times[number] for number in kept],
        levels=[levels[number] for number in kept],
        begun=begun,
        starts=[use.start for use in uses if use.running or use.start < use.end],
        ends=sorted(use.end for use in uses if not use.running and use.start < use.end),
        uses=uses,
    )


class Hour(NamedTuple):
    """One hour of the local clock, without a zone: the most rooms at once, their occupied seconds, the meetings."""

    hour: datetime
    most: int
    room_seconds: int
    meetings: int


def clock_hours(run: Course) -> list[tuple[datetime, datetime, datetime]]:
    """The hours of the local clock that have begun by now: (as the clock shows it, from, to)."""
    found = []
    for day in local_days(run):
        for number in range(24):
            hour = datetime(day.year, day.month, day.day, number)  # noqa: DTZ001 — on the clock
            begin, end = clock_hour(hour)
            # One that the clock skips is none.
            if begin < end and begin < run.until:
                found.append((hour, begin, end))
    return found


def local_days(run: Course) -> list[date]:
    """The local days of the period that have begun by now."""
    if run.until <= run.begin:
        return []
    first, last = today(run.begin), today(run.until - timedelta.resolution)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def by_hour(run: Course) -> list[tuple[datetime, int]]:
    """The most rooms occupied at once, of each clock hour that has begun."""
    return [(hour, run.most(begin, end)) for hour, begin, end in clock_hours(run)]


def by_day(run: Course) -> list[tuple[date, int]]:
    """The same of each local day."""
    zone = ZoneInfo(settings.TIME_ZONE)
    return [(day, run.most(midnight(day, zone), midnight(day + timedelta(days=1), zone))) for day in local_days(run)]


def is_by_hour(run: Course) -> bool:
    """Whether the period is short enough to be shown by the hour; else it is by the day."""
    return run.end - run.begin <= timedelta(days=DAYS_BY_HOUR, hours=2)  # a clock may have been set in it


def concurrency(run: Course) -> list[tuple[datetime, int]]:
    """The most rooms at once of each hour, or day, that has begun: (its begin, rooms)."""
    if is_by_hour(run):
        return [(begin, run.most(begin, end)) for _hour, begin, end in clock_hours(run)]
    zone = ZoneInfo(settings.TIME_ZONE)
    return [(midnight(day, zone), most) for day, most in by_day(run)]


def worst_hours(run: Course, count: int) -> list[Hour]:
    """The clock hours with the most rooms at once; of equals those with more occupied time, then the earlier."""
    found = [(run.most(begin, end), hour, begin, end) for hour, begin, end in clock_hours(run)]
    # Only those that can be among the first are measured.
    least = sorted((most for most, *_ in found), reverse=True)[:count][-1:]
    hours = [
        Hour(
            hour=hour,
            most=most,
            room_seconds=_seconds((rooms * (stop - start) for rooms, start, stop in run.pieces(begin, end))),
            meetings=run.meetings(begin, end),
        )
        for most, hour, begin, end in found
        if most and most >= least[0]
    ]
    return sorted(hours, key=lambda one: (-one.most, -one.room_seconds, one.hour))[:count]


def _seconds(lengths: Iterable[timedelta]) -> int:
    return int(sum(lengths, timedelta()).total_seconds())


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


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What fewer or more rooms would have meant. meetings: of the period; others: when each began, counted."""

    meetings: int
    others: Mapping[int, int]

    def without(self, rooms: int) -> int:
        """Meetings that began while so many others or more were already occupying rooms."""
        return sum(count for others, count in self.others.items() if others >= rooms)

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


def what_if(run: Course) -> WhatIf:
    """How the meetings of the period would have fared with any number of rooms."""
    return WhatIf(len(run.begun), Counter(one.others for one in run.begun))


def levels(run: Course) -> list[Level]:
    """Every number of rooms from none to the most that were occupied, or that would have served every meeting.

    Time counts up to now.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    asked = what_if(run)
    top = max(run.peak, asked.rooms_for(1000) or 0)
    lasted = [timedelta()] * (top + 1)
    longest: dict[int, tuple[timedelta, datetime]] = {}
    for rooms, start, stop in run.pieces(run.begin, run.until):
        length = stop - start
        lasted[rooms] += length
        if rooms not in longest or length > longest[rooms][0]:
            longest[rooms] = (length, start)
    in_opening = seconds_at(run, opening_hours(run), top)
    at_least, without = timedelta(), 0
    found = []
    for rooms in range(top, -1, -1):
        at_least += lasted[rooms]
        without += asked.others.get(rooms, 0)
        hour = longest[rooms][1].astimezone(zone).replace(tzinfo=None) if rooms in longest else None
        found.append(
            Level(
                rooms=rooms,
                seconds=int(lasted[rooms].total_seconds()),
                at_least_seconds=int(at_least.total_seconds()),
                opening_seconds=in_opening[rooms],
                without=without,
                hour=hour and hour.replace(minute=0, second=0, microsecond=0),
            )
        )
    return found[::-1]


def opening_hours(run: Course) -> list[Moments]:
    """The opening hours of the period, up to now."""
    days = local_days(run)
    found = opening(days[0], days[-1]) if days else []
    return [(begin, min(end, run.until)) for begin, end in found if begin < run.until]


def seconds_at(run: Course, stretches: Iterable[Moments], top: int) -> list[int]:
    """For how long exactly 0, 1, … top rooms were occupied in some stretches of the period."""
    lasted = [timedelta()] * (top + 1)
    for begin, end in stretches:
        for rooms, start, stop in run.pieces(begin, end):
            lasted[rooms] += stop - start
    return [int(length.total_seconds()) for length in lasted]


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


def shortages(run: Course, rooms: int, now: datetime) -> list[Short]:
    """The stretches up to now during which so many rooms or more were occupied, in order."""
    spans: list[tuple[datetime, datetime, int]] = []
    for level, start, stop in run.pieces(run.begin, run.until):
        if level < rooms:
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], stop, max(spans[-1][2], level))
        else:
            spans.append((start, stop, level))
    began = [one.use.start for one in run.begun]
    found = []
    for start, stop, most in spans:
        inside = run.begun[bisect_left(began, start) : bisect_left(began, stop)]
        found.append(
            Short(
                start=start,
                end=stop,
                most=most,
                began=len(inside),
                without=sum(one.others >= rooms for one in inside),
                extra=_extra(one.use for one in inside),
                going_on=stop == now and stop < run.end,
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

    needless: those that began while rooms of the pool were free by our count, most free rooms first.
    """

    meetings: int | None
    needless: Sequence[Begun]


def extras(run: Course, rooms: int | None) -> Extras:
    """The extra-room meetings of the period against a pool of so many rooms; None: nobody knows its size."""
    needless = [one for one in run.begun if one.use.extra and rooms is not None and one.others < rooms]
    needless.sort(key=lambda one: (one.others, one.use.start, one.use.uuid))
    return Extras(_extra(one.use for one in run.begun), needless)


# By the size of the room ----------------------------------------------------------------------------------


KINDS = ("size", "unknown", "extra")
Group = tuple[str, int | None]
UNKNOWN: Group = ("unknown", None)
EXTRA: Group = ("extra", None)


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


def by_size(run: Course, pool: Size) -> list[OfSize]:
    """The pool told apart by the seats of its rooms, smallest first; then rooms of unknown size, then temporary ones.

    A size counts only the meetings that were in rooms of that size. A meeting whose room is unknown is with the
    unknown, or with the temporary ones where it is reported to be in an extra room.
    """
    rooms = Room.objects.order_by("host_id").values_list("pk", "host_id", "capacity", "temporary")
    group: dict[int | None, Group] = {}
    hosts: dict[Group, list[str]] = {}
    for pk, host_id, capacity, temporary in rooms:
        group[pk] = EXTRA if temporary else UNKNOWN if capacity is None else ("size", capacity)
        hosts.setdefault(group[pk], []).append(host_id)
    uses: dict[Group, list[Use]] = {}
    for use in run.uses:
        uses.setdefault(group.get(use.room, EXTRA if use.extra else UNKNOWN), []).append(use)
    sizes: dict[Group, int] = {
        UNKNOWN if seats is None else ("size", seats): count for seats, count in pool.by_capacity.items() if count
    }
    found = []
    for key in sorted(sizes.keys() | uses.keys(), key=lambda key: (KINDS.index(key[0]), key[1] or 0)):
        part = course_of(uses.get(key, []), run.begin, run.end, run.until)
        count = sizes.get(key)
        lasted = seconds_at(part, [(part.begin, part.until)], part.peak)
        found.append(
            OfSize(
                kind=key[0],
                seats=key[1],
                rooms=count,
                host_ids=hosts.get(key, []) if key[0] == "size" else [],
                peak=part.peak,
                all_seconds=sum(lasted[count:]) if count else None,
                asked=what_if(part),
            )
        )
    return found


# All of it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """What a period says of the pool. short: none where nobody knows how many rooms there are."""

    size: Size
    run: Course
    asked: WhatIf
    short: Sequence[Short]
    extras: Extras

    @property
    def short_seconds(self) -> int | None:
        """For how long no room of the pool was free; None where nobody knows how many there are."""
        return None if self.size.rooms is None else sum(one.seconds for one in self.short)


def picture(chosen: Filter, now: datetime) -> Picture:
    """The pool over the period of a filter."""
    there_is = size(chosen)
    run = course(chosen, now)
    return Picture(
        size=there_is,
        run=run,
        asked=what_if(run),
        short=shortages(run, there_is.rooms, now) if there_is.rooms else [],
        extras=extras(run, there_is.rooms),
    )
