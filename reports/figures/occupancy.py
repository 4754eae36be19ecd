"""When rooms were occupied: concurrency, opening hours, the clock of the week.

A meeting occupies its room during `[start_time, end_time)`, a running one until now.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from reports import intervals
from reports.figures.period import bounds, midnight, span, today
from reports.filter import Filter
from reports.models import Meeting

CHUNK = 5000


class Occupied(NamedTuple):
    """The occupied span of one meeting. room: the id of its row, None where the room is unknown."""

    start: datetime
    end: datetime
    room: int | None


def spans(chosen: Filter, now: datetime) -> list[Occupied]:
    """Occupied spans that hold an instant of the filter's period: meetings that began before it included."""
    first, last = bounds(chosen, now)
    rows = (
        Meeting.objects.fitting(chosen)
        .filter(Q(end_time__gt=first) | Q(end_time=None), start_time__lt=last)
        .order_by()
        .values_list("start_time", "end_time", "room_id")
    )
    found = (Occupied(start, end or now, room) for start, end, room in rows.iterator(chunk_size=CHUNK))
    return [one for one in found if one.start < one.end and first < one.end]


def peaks(chosen: Filter, now: datetime) -> list[tuple[date, int]]:
    """The most rooms occupied at one instant, of each local day of the period."""
    first, last = span(chosen, now)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return peaks_of(spans(chosen, now), days, ZoneInfo(settings.TIME_ZONE))


def peaks_of(occupied: Iterable[Occupied], days: Sequence[date], zone: ZoneInfo) -> list[tuple[date, int]]:
    """The most spans that hold one instant, of each of these days in their order."""
    edges = [(one.start, 1) for one in occupied]
    edges += [(one.end, -1) for one in occupied]
    edges.sort()  # at one instant -1 comes first: who leaves makes room
    found = []
    level = place = 0
    for day in days:
        begin, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
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


def peak(chosen: Filter, now: datetime) -> int:
    """The most rooms occupied at one instant of the period."""
    return max((most for _day, most in peaks(chosen, now)), default=0)


# Opening hours ----------------------------------------------------------------------------------------


def opening(first: date, last: date) -> list[intervals.Moments]:
    """The opening hours of these local days, both included."""
    zone = ZoneInfo(settings.TIME_ZONE)
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        hours = settings.OPENING_HOURS[day.weekday()]
        if hours is None:
            continue
        opens, closes = hours
        begin = datetime.combine(day, opens, zone)
        end = midnight(day + timedelta(days=1), zone) if closes == time.max else datetime.combine(day, closes, zone)
        # In UTC: a difference of two moments of one zone ignores that its clock may have been set.
        found.append((begin.astimezone(UTC), end.astimezone(UTC)))
    return found


def utilisation(chosen: Filter, now: datetime) -> tuple[dict[int | None, int], int]:
    """Seconds that each room was occupied inside opening hours, and the opening seconds of the period.

    Time in which a room is reported to hold two meetings counts once.
    """
    opened = opening(*span(chosen, now))
    by_room: dict[int | None, list[intervals.Moments]] = {}
    for start, end, room in spans(chosen, now):
        by_room.setdefault(room, []).append((start, end))
    found = {room: _inside(intervals.union(held), opened) for room, held in by_room.items()}
    return found, intervals.seconds(opened)


def _inside(held: Sequence[intervals.Moments], opened: Sequence[intervals.Moments]) -> int:
    """Seconds of the one inside the other; both are disjoint and in order."""
    total = timedelta()
    place = 0
    for start, end in held:
        while place < len(opened) and opened[place][1] <= start:
            place += 1
        at = place
        while at < len(opened) and opened[at][0] < end:
            total += min(end, opened[at][1]) - max(start, opened[at][0])
            at += 1
    return int(total.total_seconds())


# The clock of the week ----------------------------------------------------------------------------------


class Hour(NamedTuple):
    """One hour of the week: 1 is Monday, 0 the hour after midnight; meetings that began in it; seconds open in it."""

    weekday: int
    hour: int
    meetings: int
    open_seconds: int


def hours(chosen: Filter, now: datetime) -> list[Hour]:
    """The 168 hours of the local week over the meetings of a filter; open time is split by the clock."""
    zone = ZoneInfo(settings.TIME_ZONE)
    began = [0] * 168
    opened = [0] * 168
    rows = Meeting.objects.matching(chosen).order_by().values_list("start_time", "end_time", "week_hour")
    for start, end, week_hour in rows.iterator(chunk_size=CHUNK):
        began[week_hour] += 1
        end = end or now
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
    return [Hour(place // 24 + 1, place % 24, began[place], opened[place]) for place in range(168)]


# A room's days --------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """One meeting on its room's time line. end: now while it runs; booked_end: None where no length was booked."""

    pk: int
    topic: str
    meeting_id: str
    start: datetime
    end: datetime
    booked_end: datetime | None
    running: bool


def held(chosen: Filter, first: date, last: date, now: datetime) -> list[Held]:
    """The meetings of a filter's rooms that occupy or book any of these local days, by start."""
    begin, end = midnight(first), midnight(last + timedelta(days=1))
    rows = (
        Meeting.objects.fitting(chosen)
        # A booking that reaches into the first day from a meeting that had ended before it: within a day.
        .filter(Q(end_time__gt=begin) | Q(end_time=None) | Q(start_time__gte=begin - timedelta(days=1)))
        .filter(start_time__lt=end)
        .order_by("start_time", "pk")
        .only("pk", "topic", "meeting_id", "start_time", "end_time", "duration")
    )
    return [
        Held(
            pk=meeting.pk,
            topic=str(meeting),
            meeting_id=meeting.meeting_id,
            start=meeting.start_time,
            end=meeting.end_time or max(now, meeting.start_time),
            booked_end=None if meeting.duration is None else meeting.start_time + timedelta(seconds=meeting.duration),
            running=meeting.end_time is None,
        )
        for meeting in rows
    ]


def last_day_in_use(chosen: Filter, now: datetime) -> date:
    """The last local day of the period, up to today, that has a meeting; the period's last day where none has."""
    last = span(chosen, now)[1]
    found = Meeting.objects.matching(chosen).order_by("-local_day").values_list("local_day", flat=True).first()
    return found or min(last, today(now))
