"""A room's days as time lines: what was booked behind what was occupied. Geometry only, in percent of a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from dashboard.filters import link
from reports import intervals
from reports.clockwork import midnight, opening
from reports.figures.occupancy import Held
from reports.filter import Filter

TICKS = range(0, 24, 3)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a day: where it begins and how long it is, in percent, as text for SVG."""

    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One meeting on a day. booked: None where nothing of it lies on this day; title: all of it in words."""

    url: str
    label: str
    title: str
    occupied: Span | None
    booked: Span | None
    running: bool


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a room. open: its opening hours, if it has any; now: where the present moment is, or ""."""

    day: date
    url: str
    chosen: bool
    bars: list[Bar]
    open: Span | None
    now: str
    ticks: list["Tick"]


@dataclass(frozen=True, slots=True)
class Tick:
    """An hour of the clock, and where it stands on its day."""

    hour: int
    x: str


def _ticks(day: date, zone: ZoneInfo) -> list[Tick]:
    """The hours that are named above a line. A day on which the clock is set has them elsewhere."""
    begin, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    hours = [(hour, datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)) for hour in TICKS]
    return [Tick(hour, f"{(moment - begin) / (end - begin) * 100:.3f}") for hour, moment in hours]


def _span(part: intervals.Moments, day: intervals.Moments) -> Span | None:
    clipped = intervals.clip(part, day)
    if clipped is None:
        return None
    whole = (day[1] - day[0]).total_seconds()
    begin = (clipped[0] - day[0]).total_seconds() / whole * 100
    # A meeting of a minute is still something to see and to point at.
    return Span(f"{begin:.3f}", f"{max(0.25, (clipped[1] - clipped[0]).total_seconds() / whole * 100):.3f}")


def _title(one: Held, zone: ZoneInfo) -> str:
    start, end = one.start.astimezone(zone), one.end.astimezone(zone)
    until = _("running") if one.running else f"{end:%H:%M}"
    booked = _("booked until %(time)s") % {"time": f"{one.booked_end.astimezone(zone):%H:%M}"} if one.booked_end else ""
    return " · ".join(part for part in (f"{start:%H:%M}–{until} {one.topic}", booked) if part)


def days(first: date, last: date, chosen_day: date, held: Sequence[Held], chosen: Filter, now: datetime) -> list[Day]:
    """The lines of the days from first to last. chosen_day: the one that stands out; chosen: for the addresses."""
    zone = ZoneInfo(settings.TIME_ZONE)
    path = reverse("room", args=chosen.rooms[:1])
    opened = opening(first, last)
    lines = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        whole = (midnight(day, zone), midnight(day + timedelta(days=1), zone))
        bars = []
        for one in held:
            occupied = _span((one.start, one.end), whole)
            booked = _span((one.start, one.booked_end), whole) if one.booked_end else None
            if occupied or booked:
                url = reverse("meeting", args=[one.pk])
                bars.append(Bar(url, one.topic, _title(one, zone), occupied, booked, one.running))
        hours = next((span for part in opened if (span := _span(part, whole))), None)
        present = _span((now, now + timedelta(seconds=1)), whole)
        lines.append(
            Day(
                day=day,
                url=link(path, chosen, rooms=(), first=day, last=day, sort="", compare=False),
                chosen=day == chosen_day,
                bars=bars,
                open=hours,
                now=present.x if present else "",
                ticks=_ticks(day, zone),
            )
        )
    return lines
