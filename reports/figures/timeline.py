"""The time axis of one meeting: where it begins and ends, its ticks, and what stands on it.

Pure: rows in, spans out, no queries. Moments are aware; the zone given is the one the ticks are round in.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count, pairwise
from zoneinfo import ZoneInfo

from reports import intervals
from reports.figures.attendance import MeetingAttendance, Presence, Stay
from reports.intervals import Moments
from reports.measures import visit_span
from reports.models import Meeting, TelephonyUsage
from reports.text import fold

# How far beside the meeting (or as far as the meeting is long, if that is more) the axis follows a visit or
# a call. What lies beyond is a clock fault more often than not, and would squash everything else.
REACH = timedelta(hours=2)
BOOKED_REACH = timedelta(days=1)
SHORTEST = timedelta(minutes=10)
MOST_STEPS = 12
DAY = timedelta(days=1)
STEPS = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)]
DAY_STEPS = (1, 2, 7, 14, 28)


@dataclass(frozen=True, slots=True)
class Bar:
    """A span on the axis: [start, end) is what is drawn, `whole` what there is.

    open: its end was not reported. fault: an end before the start was reported. lane: 0, 1, … beside others.
    """

    start: datetime
    end: datetime
    whole: Moments
    open: bool = False
    fault: bool = False
    lane: int = 0

    @property
    def before(self) -> bool:
        """Whether it begins before the axis does."""
        return self.whole[0] < self.start

    @property
    def after(self) -> bool:
        """Whether it goes on after the axis ends."""
        return self.whole[1] > self.end


@dataclass(frozen=True, slots=True)
class Row:
    """One attendee. bars: the union of the visits; singles: the visits, where the union hides some of them;
    marks: visits that hold no instant, clock faults among them."""

    presence: Presence
    bars: list[Bar]
    singles: list[Bar]
    marks: list[Bar]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything on one axis [start, end). ticks: round local times, the first and the last are its ends.

    booked: None where unknown or of no length. rows, steps: None when participants were not reported.
    steps: from when on how many visits are going on, unclipped. peak: the most of them, and peaks: when that was.
    calls: None when not reported; those that tell no start stand in `untimed`.
    """

    start: datetime
    end: datetime
    ticks: list[datetime]
    by_day: bool
    occupied: Bar
    booked: Bar | None
    rows: list[Row] | None
    calls: list[tuple[TelephonyUsage, Bar]] | None
    untimed: list[TelephonyUsage]
    steps: list[tuple[datetime, int]] | None
    peak: int | None
    peaks: list[Moments]


def build(
    meeting: Meeting,
    attendance: MeetingAttendance,
    calls: Sequence[TelephonyUsage] | None,
    now: datetime,
    zone: ZoneInfo,
) -> Timeline:
    """The axis of a meeting as it stands at `now`. Attendees keep the order they come in."""
    occupied = (meeting.start_time, max(meeting.start_time, meeting.end_time or now))
    booked = (meeting.start_time, meeting.start_time + timedelta(seconds=meeting.duration or 0))
    visits = attendance.visits or []
    stays = [(visit, visit_span(visit, meeting.end_time, now)) for visit in visits]
    timed = [(call, *call_span(call, occupied[1])) for call in calls or () if call.start_time]
    others = [span for _visit, span in stays] + [span for _call, span, _open, _fault in timed]
    (start, end), ticks, by_day = axis(window(occupied, booked[1], others), zone)
    whole = (start, end)

    rows = None
    if attendance.attendees is not None:
        by_key: dict[str, list[tuple[Stay, Moments]]] = {}
        for visit, span in stays:
            by_key.setdefault(fold(visit.name), []).append((visit, span))
        rows = [_row(presence, by_key.get(presence.attendee.key, []), whole) for presence in attendance.attendees]
    steps = None if rows is None else head_count(span for _visit, span in stays)
    most = None if steps is None else max((level for _at, level in steps), default=0)
    return Timeline(
        start=start,
        end=end,
        ticks=ticks,
        by_day=by_day,
        occupied=bar(occupied, whole, open=meeting.end_time is None),
        booked=bar(booked, whole) if meeting.duration else None,
        rows=rows,
        calls=None if calls is None else [(c, bar(s, whole, open=o, fault=f)) for c, s, o, f in timed],
        untimed=[call for call in calls or () if not call.start_time],
        steps=steps,
        peak=most,
        peaks=_at_level(steps, most) if steps and most else [],
    )


def call_span(call: TelephonyUsage, meeting_end: datetime) -> tuple[Moments, bool, bool]:
    """(its span, whether its end is only assumed, whether it was reported to end before it began).

    A call without an end lasts its length; without a length too it is drawn to the meeting's end.
    """
    start = call.start_time
    if start is None:
        raise ValueError("a call without a start has no span")
    if call.end_time is not None:
        return (start, max(start, call.end_time)), False, call.end_time < start
    if call.duration is not None:
        return (start, start + timedelta(seconds=call.duration)), False, False
    return (start, max(start, meeting_end)), True, False


def window(occupied: Moments, booked_end: datetime, others: Iterable[Moments]) -> Moments:
    """The span an axis has to show: the meeting and its booking, and of the others each end within reach of it."""
    start, end = occupied
    end = max(end, min(booked_end, start + BOOKED_REACH))
    reach = max(REACH, end - start)
    least, most = start - reach, end + reach
    near = [moment for span in others for moment in span if least <= moment <= most]
    start, end = min([start, *near]), max([end, *near])
    return start, max(end, start + SHORTEST)


def axis(span: Moments, zone: ZoneInfo) -> tuple[Moments, list[datetime], bool]:
    """The span widened to round local times: (axis, ticks from end to end, whether they are days)."""
    start, end = span
    step = next((step for step in STEPS if end - start <= step * MOST_STEPS), None)
    if step:
        marks = sorted(_clock_marks(start, end, step, zone))
    else:
        days = next((days for days in DAY_STEPS if end - start <= DAY * days * MOST_STEPS), 0)
        days = days or next(28 * 2**n for n in count(1) if end - start <= DAY * 28 * 2**n * MOST_STEPS)
        marks = list(_day_marks(start, end, days, zone))
    first = max(mark for mark in marks if mark <= start)
    last = min(mark for mark in marks if mark >= end)
    return (first, last), [mark for mark in marks if first <= mark <= last], step is None


def _clock_marks(start: datetime, end: datetime, step: timedelta, zone: ZoneInfo) -> set[datetime]:
    """Moments at which the local clock shows a multiple of the step, from before start to after end.

    Hours that the clock repeats come twice, hours that it skips not at all.
    """
    local = start.astimezone(zone).replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    wall = midnight + (local - midnight) // step * step - max(step, timedelta(hours=2))
    stop = end.astimezone(zone).replace(tzinfo=None) + max(step, timedelta(hours=2))
    found = set()
    while wall <= stop:
        for twice in (0, 1):
            mark = wall.replace(tzinfo=zone, fold=twice).astimezone(start.tzinfo)
            if mark.astimezone(zone).replace(tzinfo=None) == wall:
                found.add(mark)
        wall += step
    return found


def _day_marks(start: datetime, end: datetime, days: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Local midnights, every so many days; weeks begin on Monday."""
    ordinal = (start.astimezone(zone).toordinal() - 1) // days * days + 1
    while True:
        day = date.fromordinal(ordinal)
        mark = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(start.tzinfo)
        yield mark
        if mark >= end:
            return
        ordinal += days


def bar(span: Moments, axis: Moments, *, open: bool = False, fault: bool = False, lane: int = 0) -> Bar:
    """A span cut to the axis; one that lies beside it stands without length at that end."""
    start, end = (min(max(moment, axis[0]), axis[1]) for moment in span)
    return Bar(start=start, end=end, whole=span, open=open, fault=fault, lane=lane)


def _row(presence: Presence, visits: Sequence[tuple[Stay, Moments]], axis: Moments) -> Row:
    lasting = [(visit, span) for visit, span in visits if span[0] < span[1]]
    merged = intervals.union(span for _visit, span in lasting)
    # The end of a bar is open when a visit without a reported leave reaches it.
    open_ends = {span[1] for visit, span in lasting if visit.provisional}
    singles: list[Bar] = []
    if len(merged) < len(lasting):
        lanes: list[datetime] = []  # until when each lane is taken
        for visit, span in sorted(lasting, key=lambda pair: pair[1]):
            lane = next((number for number, until in enumerate(lanes) if until <= span[0]), len(lanes))
            lanes[lane : lane + 1] = [span[1]]
            singles.append(bar(span, axis, open=visit.provisional, lane=lane))
    return Row(
        presence=presence,
        bars=[bar(span, axis, open=span[1] in open_ends) for span in merged],
        singles=singles,
        marks=[bar(span, axis, fault=visit.flagged) for visit, span in visits if span[0] == span[1]],
    )


def head_count(spans: Iterable[Moments]) -> list[tuple[datetime, int]]:
    """(from when on, how many spans hold each instant), one entry where the number changes; the last is 0.

    Spans are half-open, so at one instant ends come before starts: the highest is `intervals.peak`.
    """
    changes: dict[datetime, int] = {}
    for start, end in spans:
        if start < end:
            changes[start] = changes.get(start, 0) + 1
            changes[end] = changes.get(end, 0) - 1
    level, steps = 0, []
    for moment in sorted(changes):
        if changes[moment]:
            level += changes[moment]
            steps.append((moment, level))
    return steps


def _at_level(steps: Sequence[tuple[datetime, int]], level: int) -> list[Moments]:
    return [(moment, after) for (moment, here), (after, _next) in pairwise(steps) if here == level]
