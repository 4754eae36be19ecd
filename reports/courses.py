"""How many rooms were occupied at once: a sweep over meetings, and what it comes to.

Pure functions of rows, for figures asked straight from the meetings and for days kept ahead (see kept.py).
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from reports.clockwork import DAY, days_between, midnight, opening
from reports.intervals import Moments
from reports.querysets import clock_hour

# Groups of rooms besides those of one size, which are named by their seats.
ALL, EXTRA, UNKNOWN = -3, -2, -1


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


def course_of(uses: Sequence[Use], begin: datetime, end: datetime, now: datetime) -> Course:
    """The course of these meetings, which come by start, then uuid.

    At one instant ends come before starts, and those that begin at the same one come one after the other.
    """
    held = [use for use in uses if use.start < use.end]
    stops = sorted([use.end for use in held])
    begun: list[Begun] = []
    # What was before the period began counts at its begin. Of what changes at one instant the last counts.
    times, levels = [begin], [0]
    level = place = 0
    last = begin
    for use in uses:
        start = use.start
        while place < len(stops) and (stop := stops[place]) <= start:
            level -= 1
            place += 1
            if stop > last:
                times.append(last := stop)
                levels.append(level)
            else:
                levels[-1] = level
        if start >= begin:
            begun.append(Begun(use, level))
        if start < use.end:
            level += 1
            if start > last:
                times.append(last := start)
                levels.append(level)
            else:
                levels[-1] = level
    for stop in stops[place:]:
        if stop >= end:
            break
        level -= 1
        if stop > last:
            times.append(last := stop)
            levels.append(level)
        else:
            levels[-1] = level
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
        ends=sorted([use.end for use in held if not use.running]),
        uses=uses,
    )


# What a course comes to -----------------------------------------------------------------------------------


class Hour(NamedTuple):
    """One hour of the local clock, without a zone: the most rooms at once, their occupied seconds, the meetings."""

    hour: datetime
    most: int
    room_seconds: int
    meetings: int


def local_days(run: Course) -> list[date]:
    """The local days of the period that have begun by now."""
    if run.until <= run.begin:
        return []
    zone = ZoneInfo(settings.TIME_ZONE)
    first, last = (at.astimezone(zone).date() for at in (run.begin, run.until - timedelta.resolution))
    return days_between(first, last)


def clock_hours(run: Course) -> list[tuple[datetime, datetime, datetime]]:
    """The hours of the local clock that have begun by now: (as the clock shows it, from, to)."""
    return [(hour, begin, end) for day in local_days(run) for hour, begin, end in hours_of(day) if begin < run.until]


def hours_of(day: date) -> Iterator[tuple[datetime, datetime, datetime]]:
    """The hours of the local clock on a day: (as the clock shows it, from, to). One that it skips is none."""
    for number in range(24):
        hour = datetime(day.year, day.month, day.day, number)  # noqa: DTZ001 — on the clock
        begin, end = clock_hour(hour)
        if begin < end:
            yield hour, begin, end


def most_by_day(run: Course) -> list[tuple[date, int]]:
    """The most rooms occupied at once, of each local day that has begun."""
    zone = ZoneInfo(settings.TIME_ZONE)
    return [(day, run.most(midnight(day, zone), midnight(day + DAY, zone))) for day in local_days(run)]


def measured(run: Course, hour: datetime, begin: datetime, end: datetime) -> Hour:
    """A clock hour of a course."""
    return Hour(
        hour=hour,
        most=run.most(begin, end),
        room_seconds=whole_seconds(rooms * (stop - start) for rooms, start, stop in run.pieces(begin, end)),
        meetings=run.meetings(begin, end),
    )


def whole_seconds(lengths: Iterable[timedelta]) -> int:
    """Whole seconds of some lengths together."""
    return int(sum(lengths, timedelta()).total_seconds())


@dataclass(slots=True)
class Sums:
    """A course added up by how many rooms were occupied at once, up to now.

    lasted: for how long exactly so many; opened: in opening hours. begun: meetings that began beside so many others;
    extra: those of them in extra rooms; told: those that tell whether they were. rises: how often it rose to each
    number, less how often it rose from there; none as the period begins. longest: the longest stretch at each number,
    the first of equals: (length, start). peak: the most of the whole period, that to come included.
    Times are in microseconds: so that nothing is cut off before it is added up.
    """

    lasted: Counter[int] = field(default_factory=Counter)
    opened: Counter[int] = field(default_factory=Counter)
    begun: Counter[int] = field(default_factory=Counter)
    extra: Counter[int] = field(default_factory=Counter)
    told: Counter[int] = field(default_factory=Counter)
    rises: Counter[int] = field(default_factory=Counter)
    longest: dict[int, tuple[timedelta, datetime]] = field(default_factory=dict)
    peak: int = 0

    def add(self, other: "Sums") -> None:
        """Another period's sums to these."""
        for mine, more in (
            (self.lasted, other.lasted),
            (self.opened, other.opened),
            (self.begun, other.begun),
            (self.extra, other.extra),
            (self.told, other.told),
            (self.rises, other.rises),
        ):
            mine.update(more)
        for rooms, (length, start) in other.longest.items():
            self.note(rooms, length, start)
        self.peak = max(self.peak, other.peak)

    def rise(self, before: int, after: int) -> None:
        """Note that from so many rooms it came to so many."""
        if after > before:
            self.rises[after] += 1
            self.rises[before] -= 1

    def note(self, rooms: int, length: timedelta, start: datetime) -> None:
        """A stretch at one number of rooms, where it is the longest there."""
        held = self.longest.get(rooms)
        if held is None or length > held[0] or (length == held[0] and start < held[1]):
            self.longest[rooms] = (length, start)


MICROSECOND = timedelta(microseconds=1)


def sums_of(run: Course, opened: Iterable[Moments] = ()) -> Sums:
    """A course added up. opened: the opening hours of its period."""
    found = Sums(peak=run.peak)
    found.lasted, found.longest = _lasted(run.pieces(run.begin, run.until))
    for before, after in pairwise(run.levels[: bisect_left(run.times, run.until)]):
        found.rise(before, after)
    for begin, end in opened:
        more, _longest = _lasted(run.pieces(begin, min(end, run.until)))
        found.opened.update(more)
    for one in run.begun:
        found.begun[one.others] += 1
        if one.use.extra is not None:
            found.told[one.others] += 1
            if one.use.extra:
                found.extra[one.others] += 1
    return found


def _lasted(
    pieces: Iterable[tuple[int, datetime, datetime]],
) -> tuple[Counter[int], dict[int, tuple[timedelta, datetime]]]:
    """Microseconds at each number of rooms, and the first of the longest stretches at each."""
    lasted: dict[int, timedelta] = {}
    longest: dict[int, tuple[timedelta, datetime]] = {}
    for rooms, start, stop in pieces:
        length = stop - start
        if rooms in lasted:
            lasted[rooms] += length
            if length > longest[rooms][0]:
                longest[rooms] = length, start
        else:
            lasted[rooms] = length
            longest[rooms] = length, start
    return Counter({rooms: length // MICROSECOND for rooms, length in lasted.items()}), longest


def longest_over(run: Course) -> dict[int, timedelta]:
    """The longest stretch at each number of rooms that were occupied at once, or more."""
    found: dict[int, timedelta] = {}
    # Those that go on: the rooms, which grow from one to the next, and since when there were so many or more.
    going_on: list[tuple[int, datetime]] = []
    for rooms, start, _stop in [*run.pieces(run.begin, run.until), (-1, run.until, run.until)]:
        since = start
        while going_on and going_on[-1][0] >= rooms:
            level, since = going_on.pop()
            found[level] = max(found.get(level, timedelta()), start - since)
        going_on.append((rooms, since))
    # A stretch that never was at just so many rooms has been told of more alone.
    longest = timedelta()
    for level in sorted(found, reverse=True):
        found[level] = longest = max(longest, found[level])
    return found


def opening_hours(run: Course) -> list[Moments]:
    """The opening hours of the period, up to now."""
    days = local_days(run)
    found = opening(days[0], days[-1]) if days else []
    return [(begin, min(end, run.until)) for begin, end in found if begin < run.until]


def by_group(uses: Iterable[Use], groups: Mapping[int, int]) -> dict[int, list[Use]]:
    """The meetings by the group of their room: its seats, EXTRA or UNKNOWN. groups: by the id of the room.

    One whose room is unknown is with the unknown, or with the extra ones where it is reported to be in such a room.
    """
    found: dict[int, list[Use]] = {}
    for use in uses:
        found.setdefault(group_of(use.room, use.extra, groups), []).append(use)
    return found


def group_of(room: int | None, extra: bool | None, groups: Mapping[int, int]) -> int:
    """The group of one meeting's room. groups: those of the rooms of the pool; all others are temporary ones."""
    if room is None:
        return EXTRA if extra else UNKNOWN
    return groups.get(room, EXTRA)


def group_of_room(seats: int | None) -> int:
    """The group of a room of the pool."""
    return UNKNOWN if seats is None else seats
