"""Occupied spans against the local clock: opening hours, the most at once a day, the hours of the week.

Pure functions of rows, for sums asked straight from the meetings and for those kept ahead.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from operator import itemgetter
from zoneinfo import ZoneInfo

from django.conf import settings

from reports import intervals

DAY = timedelta(days=1)


def midnight(day: date, zone: ZoneInfo | None = None) -> datetime:
    """The moment a local day begins, in UTC."""
    return _midnight(day, zone or ZoneInfo(settings.TIME_ZONE))


@lru_cache(maxsize=4096)  # a page over years asks for each of their days some times
def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to the last, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Some days, in any order, as stretches of days that follow one another: first and last, both included."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and found[-1][1] + DAY == day:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def opening(first: date, last: date) -> list[intervals.Moments]:
    """The opening hours of these local days, both included."""
    zone = ZoneInfo(settings.TIME_ZONE)
    found = []
    for day in days_between(first, last):
        hours = settings.OPENING_HOURS[day.weekday()]
        if hours is None:
            continue
        found.append(_opening_of(day, *hours, zone))
    return found


@lru_cache(maxsize=4096)
def _opening_of(day: date, opens: time, closes: time, zone: ZoneInfo) -> intervals.Moments:
    begin = datetime.combine(day, opens, zone)
    end = midnight(day + DAY, zone) if closes == time.max else datetime.combine(day, closes, zone)
    # In UTC: a difference of two moments of one zone ignores that its clock may have been set.
    return begin.astimezone(UTC), end.astimezone(UTC)


def opening_rules() -> str:
    """The opening hours of the settings as a text: equal rules, equal text."""
    return repr(settings.OPENING_HOURS)


_CLOSES = itemgetter(1)


def inside(held: Sequence[intervals.Moments], opened: Sequence[intervals.Moments]) -> int:
    """Seconds of the one inside the other; both are disjoint and in order."""
    total = timedelta()
    place, many = 0, len(opened)
    for start, end in held:
        # Most of two years lie before a room's few meetings of a search.
        place = at = bisect_right(opened, start, place, key=_CLOSES)
        while at < many and opened[at][0] < end:
            total += min(end, opened[at][1]) - max(start, opened[at][0])
            at += 1
    return int(total.total_seconds())


def peaks(spans: Iterable[intervals.Moments], days: Sequence[date], zone: ZoneInfo) -> list[tuple[date, int]]:
    """The most spans that hold one instant, of each of these days, which come in order."""
    edges = []
    for start, end in spans:
        edges.append((start, 1))
        edges.append((end, -1))
    edges.sort()  # at one instant -1 comes first: who leaves makes room
    found = []
    level = place = 0
    for day in days:
        begin, end = midnight(day, zone), midnight(day + DAY, zone)
        while place < len(edges) and edges[place][0] <= begin:
            level += edges[place][1]
            place += 1
        most = level
        while place < len(edges) and edges[place][0] < end:
            level += edges[place][1]
            most = max(most, level)
            place += 1
        found.append((day, most))
    return found


def week_hours(rows: Iterable[tuple[datetime, datetime, int]], zone: ZoneInfo) -> tuple[list[int], list[int]]:
    """The 168 hours of the local week: meetings that began in each, and seconds open in each, split by the clock.

    In: start, end and the local hour of the start, counted from Monday 0:00.
    """
    began = [0] * 168
    opened = [0] * 168
    for start, end, week_hour in rows:
        began[week_hour] += 1
        left = int((end - start).total_seconds())
        local = start.astimezone(zone)
        until_full = 3600 - local.minute * 60 - local.second
        if left <= until_full:  # nearly all: within one hour of the clock
            opened[week_hour] += max(0, left)
        elif left < 86_400 and local.utcoffset() == end.astimezone(zone).utcoffset():
            # Some hours, and no clock was set in between: whole numbers do.
            opened[week_hour] += until_full
            left -= until_full
            place = week_hour
            while left > 0:
                place = (place + 1) % 168
                opened[place] += min(3600, left)
                left -= 3600
        else:
            for day, hour, (part_start, part_end) in intervals.by_hour((start, end), zone):
                opened[day.weekday() * 24 + hour] += int((part_end - part_start).total_seconds())
    return began, opened
