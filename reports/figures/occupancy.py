"""When rooms were occupied: concurrency, opening hours, the clock of the week.

A meeting occupies its room during `[start_time, end_time)`, a running one until now.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from reports import clockwork, holding, intervals, kept, rawrows
from reports.clockwork import days_between, midnight, opening, runs
from reports.figures.period import bounds, span, today
from reports.filter import Filter
from reports.keptmodels import KeptHours, KeptOpening, KeptPeak
from reports.models import Meeting
from reports.rawrows import Moment, moment
from reports.sums import UNKNOWN_ROOM


class Occupied(NamedTuple):
    """The occupied span of one meeting. room: the id of its row, None where the room is unknown."""

    start: datetime
    end: datetime
    room: int | None


def spans(chosen: Filter, now: datetime) -> list[Occupied]:
    """Occupied spans that hold an instant of the filter's period: meetings that began before it included."""
    found: list[Occupied] = kept.once(("spans", replace(chosen, sort="", page=1), now), lambda: _spans(chosen, now))
    return found


def _spans(chosen: Filter, now: datetime) -> list[Occupied]:
    begin, end = bounds(chosen, now)
    meetings = Meeting.objects.fitting(chosen)
    found = holding.short_spans(begin, end, meetings) + holding.long_spans(begin, end, now, meetings)
    return [Occupied(*span) for span in found]


class _Apart(NamedTuple):
    """What kept figures of whole days do not hold. long: spans of running and of long meetings.

    days: those on which such a span begins or ends. over: how many cover each of the other days from end to end.
    """

    long: list[Occupied]
    days: set[date]
    over: Counter[date]


def _apart(first: date, last: date, now: datetime) -> _Apart:
    begin, end = midnight(first), midnight(last + timedelta(days=1))
    long = [Occupied(*span) for span in holding.long_spans(begin, end, now)]
    days: set[date] = set()
    over: Counter[date] = Counter()
    for one in long:
        starts, ends = today(one.start), today(one.end)
        days.update({starts, ends})
        over.update(days_between(max(first, starts), min(last, ends)))
    return _Apart(long, {day for day in days if first <= day <= last}, over)


def peaks(chosen: Filter, now: datetime) -> list[tuple[date, int]]:
    """The most rooms occupied at one instant, of each local day of the period."""
    first, last = span(chosen, now)
    days = days_between(first, last)
    zone = ZoneInfo(settings.TIME_ZONE)
    if not kept.serves(chosen):
        return peaks_of(spans(chosen, now), days, zone)
    apart = _apart(first, last, now)
    asked = apart.days | {day for day in kept.not_kept(first, last) if first <= day <= last}
    rows = kept.rows(KeptPeak, [(kept.code(first), kept.code(last))], ["rooms"], apart=True)
    found = {kept.day_of(row["stretch"]): row["rooms"] for row in rows}
    # A long meeting that covers a day from end to end is one more at any instant of it.
    most = {day: found.get(day, 0) + apart.over[day] for day in days if day not in asked}
    for part in runs(asked):
        begin, end = midnight(part[0]), midnight(part[-1] + timedelta(days=1))
        held = [Occupied(*one) for one in holding.short_spans(begin, end)]
        held += [one for one in apart.long if one.start < end and begin < one.end]
        most |= peaks_of(held, days_between(*part), zone)
    return [(day, most[day]) for day in days]


def peaks_of(occupied: Iterable[Occupied], days: Sequence[date], zone: ZoneInfo) -> list[tuple[date, int]]:
    """The most spans that hold one instant, of each of these days in their order."""
    return clockwork.peaks(((one.start, one.end) for one in occupied), days, zone)


def peak(chosen: Filter, now: datetime) -> int:
    """The most rooms occupied at one instant of the period."""
    return max((most for _day, most in peaks(chosen, now)), default=0)


# Opening hours ----------------------------------------------------------------------------------------


def utilisation(chosen: Filter, now: datetime, rooms: Sequence[int] | None = None) -> tuple[dict[int | None, int], int]:
    """Seconds that each room was occupied inside opening hours, and the opening seconds of the period.

    Time in which a room is reported to hold two meetings counts once. rooms: of these alone, by their ids.
    """
    first, last = span(chosen, now)
    opened = opening(first, last)
    if not kept.serves(chosen):
        return _occupied_inside(_in_rooms(spans(chosen, now), rooms), opened), intervals.seconds(opened)
    apart = _apart(first, last, now)
    cover = kept.cover(first, last, without=apart.days)
    rows = kept.rows(KeptOpening, cover.spans, ["seconds"], among=rooms)
    found: Counter[int | None] = Counter({row["room"] or None: row["seconds"] for row in rows})
    asked = {day for begin, end in cover.asked for day in days_between(begin, end)}
    for part in runs(asked | apart.days):
        begin, end = midnight(part[0]), midnight(part[-1] + timedelta(days=1))
        held = [Occupied(*one) for one in holding.short_spans(begin, end)]
        held += [one for one in apart.long if one.start < end and begin < one.end]
        found.update(_occupied_inside(_in_rooms(held, rooms), opening(part[0], part[-1])))
    # On the days that a long meeting covers from end to end its room was occupied throughout.
    whole: dict[int | None, set[date]] = {}
    for one in _in_rooms(apart.long, rooms):
        covered = set(days_between(max(first, today(one.start)), min(last, today(one.end))))
        whole.setdefault(one.room, set()).update(covered - apart.days - asked)
    for room, covered in whole.items():
        for part in runs(covered):
            stretches = [(kept.code(part[0]), kept.code(part[-1]))]
            told = kept.rows(KeptOpening, stretches, ["seconds"], room=room or UNKNOWN_ROOM)
            found[room] += intervals.seconds(opening(part[0], part[-1])) - sum(row["seconds"] for row in told)
    return dict(found), intervals.seconds(opened)


def _in_rooms(occupied: list[Occupied], rooms: Sequence[int] | None) -> list[Occupied]:
    if rooms is None:
        return occupied
    wanted = set(rooms)
    return [one for one in occupied if one.room in wanted]


def _occupied_inside(occupied: Iterable[Occupied], opened: Sequence[intervals.Moments]) -> dict[int | None, int]:
    by_room: dict[int | None, list[intervals.Moments]] = {}
    for start, end, room in occupied:
        by_room.setdefault(room, []).append((start, end))
    return {room: clockwork.inside(intervals.union(held), opened) for room, held in by_room.items()}


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
    meetings = Meeting.objects.matching(chosen).order_by()
    columns = ("start_time", "end_time", "week_hour")
    running = ((start, now, hour) for start, _end, hour in kept.running(meetings).values_list(*columns))
    began, opened = clockwork.week_hours(running, zone)
    ended: Iterable[Filter] = [chosen]
    if kept.serves(chosen):
        cover = kept.cover(chosen.first, chosen.last)
        for row in kept.rows(KeptHours, cover.spans, ["began", "open_seconds"]):
            began[row["week_hour"]] += row["began"]
            opened[row["week_hour"]] += row["open_seconds"]
        ended = cover.unkept(chosen)
    for part in ended:
        rows = Meeting.objects.matching(part).filter(end_time__isnull=False).order_by()
        raw = rawrows.stream(rows.values_list(Moment("start_time"), Moment("end_time"), "week_hour"))
        more, longer = clockwork.week_hours(((moment(start), moment(end), hour) for start, end, hour in raw), zone)
        began = [one + other for one, other in zip(began, more, strict=True)]
        opened = [one + other for one, other in zip(opened, longer, strict=True)]
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
