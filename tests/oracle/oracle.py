"""Every figure of a world, from its raw answers: design.md's section 4 in plain Python.

Only the standard library. Nothing here is quick or clever: how many were there at an instant is counted at every
instant at which somebody came, and time is cut at the quarters of the clock, at which every zone shows a quarter
too, so that each piece has one local day and hour.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from tests.oracle import kept
from tests.oracle.kept import Kept, Room, fold
from tests.oracle.world import COUNTRIES, Question, World

QUARTER, HOUR = 900, 3600
LATE_AFTER = 5 * 60

Span = tuple[int, int]
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Stay:
    """A visit as it counts: `[join, until)`."""

    name: str
    key: str
    join: int
    leave: int | None
    until: int


@dataclass(frozen=True)
class Attendee:
    """One display name within one meeting. late: seconds, None when not late; share: of the used time."""

    key: str
    name: str
    visits: int
    first: int
    last: int
    seconds: int
    late: int | None
    share: Fraction | None


@dataclass(frozen=True)
class Dialled:
    """A call with its day."""

    meeting: "Met"
    told: kept.Call
    country: str
    day: date


@dataclass
class Met:
    """A meeting with what follows from it. stays, attendees and calls: None when they were not reported."""

    told: kept.Meeting
    until: int
    day: date
    weekday: int
    hour: int
    open: int
    state: str = ""
    stays: list[Stay] | None = None
    attendees: list[Attendee] | None = None
    used: int | None = None
    attendee_seconds: int | None = None
    peak: int | None = None
    calls: list[Dialled] | None = None


@dataclass(frozen=True)
class Sums:
    """A selection added up; None is unknown. Seconds, yuan, counts."""

    meetings: int
    extra: int | None
    empty: int
    solo: int
    unreported: int
    running: int
    booked_seconds: int | None
    open_seconds: int
    used_seconds: int | None
    attendees: int | None
    attendee_seconds: int | None
    visits: int | None
    calls: int | None
    call_seconds: int | None
    call_cost: Decimal | None
    unpriced_calls: int | None


@dataclass(frozen=True)
class CallSums:
    """Calls added up; None is unknown."""

    calls: int
    seconds: int | None
    cost: Decimal | None
    unpriced: int
    minute_price: Fraction | None


@dataclass
class Person:
    """One display name over the meetings of a selection. names: its spellings where it was seen last."""

    meetings: int = 0
    visits: int = 0
    seconds: int = 0
    late: int = 0
    late_seconds: int = 0
    first: int = 0
    last: int = 0
    names: set[str] = field(default_factory=set)


# Spans and sums --------------------------------------------------------------------------------------------


def covered(spans: Iterable[Span]) -> list[Span]:
    """The stretches of time that at least one of the half-open spans holds, cut at every edge."""
    spans = [(start, end) for start, end in spans if start < end]
    edges = sorted({edge for span in spans for edge in span})
    return [(a, b) for a, b in pairwise(edges) if any(start <= a and b <= end for start, end in spans)]


def seconds(spans: Iterable[Span]) -> int:
    """The length of their union."""
    return sum(end - start for start, end in covered(spans))


def most_at_once(spans: Iterable[Span], instants: Iterable[int]) -> int:
    """The most half-open spans that hold one of these instants."""
    spans = list(spans)
    return max((sum(start <= at < end for start, end in spans) for at in instants), default=0)


def known_sum(values: Iterable[T | None], zero: T) -> T | None:
    """The sum of what is known; None where there is something and nothing of it is known."""
    values = list(values)
    known: list[Any] = [value for value in values if value is not None]
    if values and not known:
        return None
    return reduce(add, known, zero)


def quarters(start: int, end: int) -> Iterator[Span]:
    """A stretch of time cut at the quarters of the clock."""
    while start < end:
        cut = min(end, start - start % QUARTER + QUARTER)
        yield start, cut
        start = cut


def grouped(items: Iterable[T], by: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(by(item), []).append(item)
    return found


# The oracle ------------------------------------------------------------------------------------------------


class Oracle:
    """The meetings of a world, and whatever is asked of them at its `now`."""

    def __init__(self, world: World) -> None:
        told = Kept(world.provider_zone)
        for answer in world.answers:
            told.take(answer)
        self.zone = ZoneInfo(world.zone)
        self.now = int(world.now.timestamp())
        self.opening = world.opening
        self.unreadable = told.unreadable
        self.rooms: dict[str, Room] = told.rooms
        self.all = [self._met(meeting) for meeting in told.meetings.values()]

    # One meeting

    def local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, self.zone)

    def midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def _met(self, told: kept.Meeting) -> Met:
        until = self.now if told.end is None else told.end
        local = self.local(told.start)
        met = Met(
            told=told,
            until=until,
            day=local.date(),
            weekday=local.isoweekday(),
            hour=local.hour,
            open=max(0, until - told.start),
        )
        if told.calls is not None:
            met.calls = [self._dialled(met, call) for call in told.calls]
        if told.visits is not None:
            met.stays = sorted((self._stay(visit, until) for visit in told.visits), key=_by_time)
            spans = [(stay.join, stay.until) for stay in met.stays]
            met.used = seconds(spans)
            met.peak = most_at_once(spans, (start for start, _ in spans))
            met.attendees = _attendees(met)
            met.attendee_seconds = sum(attendee.seconds for attendee in met.attendees)
        if met.attendees is None:
            met.state = "unreported"
        elif told.end is None:
            met.state = "running"
        else:
            met.state = {0: "empty", 1: "solo"}.get(len(met.attendees), "ended")
        return met

    def _stay(self, visit: kept.Visit, meeting_until: int) -> Stay:
        until = meeting_until if visit.leave is None else visit.leave
        return Stay(visit.name, fold(visit.name), visit.join, visit.leave, max(visit.join, until))

    def _dialled(self, met: Met, call: kept.Call) -> Dialled:
        start = met.told.start if call.start is None else call.start
        return Dialled(met, call, COUNTRIES[call.number], self.local(start).date())

    # What a question selects

    def _fits(self, met: Met, asked: Question) -> bool:
        """Everything but its days."""
        told = met.told
        wanted = fold(asked.q)
        texts = [fold(told.topic), told.number, *(stay.key for stay in met.stays or ())]
        number = re.sub(r"[\s-]", "", wanted)
        return (
            (asked.allowed_rooms is None or told.host_id in asked.allowed_rooms)
            and (not asked.rooms or told.host_id in asked.rooms)
            and asked.state in {"", met.state}
            and (asked.extra is None or asked.extra is told.extra)
            and (asked.calls is None or (met.calls is not None and bool(met.calls) is asked.calls))
            and asked.weekday in {None, met.weekday}
            and asked.hour in {None, met.hour}
            and (any(wanted in text for text in texts) or (number.isdigit() and number in told.number))
            and (asked.name is None or any(stay.key == asked.name for stay in met.stays or ()))
        )

    def _in(self, day: date, asked: Question) -> bool:
        return (asked.first is None or asked.first <= day) and (asked.last is None or day <= asked.last)

    def fitting(self, asked: Question) -> list[Met]:
        """Meetings of any day."""
        return [met for met in self.all if self._fits(met, asked)]

    def meetings(self, asked: Question) -> list[Met]:
        return [met for met in self.fitting(asked) if self._in(met.day, asked)]

    def calls(self, asked: Question) -> list[Dialled]:
        """Calls of the period's own days, of meetings of any day."""
        return [call for met in self.fitting(asked) for call in met.calls or () if self._in(call.day, asked)]

    def span(self, asked: Question) -> tuple[date, date]:
        """The days of a question; an open side ends where the ledger does, or today."""
        today = self.local(self.now).date()
        # Who sees some rooms is not told how far the ledger reaches beyond them.
        seen = [met for met in self.all if asked.allowed_rooms is None or met.told.host_id in asked.allowed_rooms]
        known = [today, *(met.day for met in seen), *(call.day for met in seen for call in met.calls or ())]
        first = asked.first or min([*known, asked.last or today])
        last = asked.last or max([*known, first])
        return first, last

    def days(self, asked: Question) -> list[date]:
        first, last = self.span(asked)
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    # Sums

    def sums(self, meetings: list[Met], calls: list[Dialled]) -> Sums:
        """Meetings that do not tell a figure are left out of its sum; where none of them tells it, it is unknown."""
        silent = bool(meetings) and not calls and all(met.calls is None for met in meetings)
        return Sums(
            meetings=len(meetings),
            extra=known_sum((None if met.told.extra is None else int(met.told.extra) for met in meetings), 0),
            empty=sum(met.state == "empty" for met in meetings),
            solo=sum(met.state == "solo" for met in meetings),
            unreported=sum(met.state == "unreported" for met in meetings),
            running=sum(met.told.end is None for met in meetings),
            booked_seconds=known_sum((met.told.booked for met in meetings), 0),
            open_seconds=sum(met.open for met in meetings),
            used_seconds=known_sum((met.used for met in meetings), 0),
            attendees=known_sum((None if met.attendees is None else len(met.attendees) for met in meetings), 0),
            attendee_seconds=known_sum((met.attendee_seconds for met in meetings), 0),
            visits=known_sum((None if met.stays is None else len(met.stays) for met in meetings), 0),
            calls=None if silent else len(calls),
            call_seconds=None if silent else known_sum((call.told.seconds for call in calls), 0),
            call_cost=None if silent else known_sum((call.told.price for call in calls), Decimal(0)),
            unpriced_calls=None if silent else sum(call.told.price is None for call in calls),
        )

    def of_meeting(self, met: Met) -> Sums:
        """One meeting and its calls, whatever their days."""
        return self.sums([met], met.calls or [])

    def totals(self, asked: Question) -> Sums:
        return self.sums(self.meetings(asked), self.calls(asked))

    def by_day(self, asked: Question) -> list[tuple[date, Sums]]:
        meetings = grouped(self.meetings(asked), lambda met: met.day)
        calls = grouped(self.calls(asked), lambda call: call.day)
        return [(day, self.sums(meetings.get(day, []), calls.get(day, []))) for day in self.days(asked)]

    # Rooms

    def peaks(self, asked: Question) -> list[tuple[date, int]]:
        """Of each day the most meetings that held a room at one instant, those that began before it included."""
        spans = [(met.told.start, met.until) for met in self.fitting(asked)]
        found = []
        for day in self.days(asked):
            begin, end = self.midnight(day), self.midnight(day + timedelta(days=1))
            found.append((day, most_at_once(spans, [begin, *(start for start, _ in spans if begin <= start < end)])))
        return found

    def peak(self, asked: Question) -> int:
        return max(most for _, most in self.peaks(asked))

    def _is_open(self, at: int) -> bool:
        local = self.local(at)
        hours = self.opening[local.weekday()]
        return hours is not None and hours[0] <= local.time() and (local.time() < hours[1] or hours[1] == time.max)

    def opening_seconds(self, asked: Question) -> int:
        return sum(end - start for day in self.days(asked) for start, end in self._opened(day))

    def _opened(self, day: date) -> list[Span]:
        whole = quarters(self.midnight(day), self.midnight(day + timedelta(days=1)))
        return [quarter for quarter in whole if self._is_open(quarter[0])]

    def held_seconds(self, asked: Question) -> dict[str, int]:
        """Seconds inside the period's opening hours for which each room was occupied, by host_id; "" is unknown."""
        first, last = self.span(asked)
        begin, end = self.midnight(first), self.midnight(last + timedelta(days=1))
        found = {}
        for host_id, meetings in grouped(self.fitting(asked), lambda met: met.told.host_id).items():
            held = covered((max(begin, met.told.start), min(end, met.until)) for met in meetings)
            pieces = [piece for stretch in held for piece in quarters(*stretch)]
            found[host_id] = sum(b - a for a, b in pieces if self._is_open(a))
        return found

    def room_usage(self, asked: Question) -> dict[str, tuple[Sums, Fraction | None]]:
        """Sums and utilisation by host_id; "" is the unknown room.

        Rooms of the pool are there without a meeting too, temporary ones and the unknown room where they have one.
        """
        meetings = grouped(self.meetings(asked), lambda met: met.told.host_id)
        calls = grouped(self.calls(asked), lambda call: call.meeting.told.host_id)
        held, opening = self.held_seconds(asked), self.opening_seconds(asked)
        pool = {
            host_id
            for host_id, room in self.rooms.items()
            if not room.temporary
            and (not asked.rooms or host_id in asked.rooms)
            and (asked.allowed_rooms is None or host_id in asked.allowed_rooms)
        }
        return {
            host_id: (
                self.sums(meetings.get(host_id, []), calls.get(host_id, [])),
                Fraction(held.get(host_id, 0), opening) if host_id and opening else None,
            )
            for host_id in pool | meetings.keys() | calls.keys()
        }

    def hours(self, asked: Question) -> list[tuple[int, int, int, int]]:
        """The 168 hours of the week: weekday, hour, meetings that began in it, seconds open in it."""
        began = {(weekday, hour): 0 for weekday in range(1, 8) for hour in range(24)}
        opened = dict(began)
        for met in self.meetings(asked):
            began[met.weekday, met.hour] += 1
            for start, end in quarters(met.told.start, met.until):
                local = self.local(start)
                opened[local.isoweekday(), local.hour] += end - start
        return [(*place, began[place], opened[place]) for place in began]

    # People

    def attended(self, asked: Question) -> list[tuple[Met, Attendee]]:
        return [
            (met, attendee)
            for met in self.meetings(asked)
            for attendee in met.attendees or ()
            if asked.name in {None, attendee.key}
        ]

    def people(self, asked: Question) -> dict[str, Person]:
        """By display name. Who looks for a name that is there means that name, not everybody it met."""
        found: dict[str, Person] = {}
        for _met, attendee in self.attended(asked):
            person = found.setdefault(attendee.key, Person(first=attendee.first, last=attendee.first))
            person.meetings += 1
            person.visits += attendee.visits
            person.seconds += attendee.seconds
            person.late += attendee.late is not None
            person.late_seconds += attendee.late or 0
            person.first = min(person.first, attendee.first)
            if attendee.first > person.last:
                person.names = set()
            person.last = max(person.last, attendee.first)
            if attendee.first == person.last:
                person.names.add(attendee.name)
        named = {key: person for key, person in found.items() if fold(asked.q) in key}
        return named or found

    # Telephony

    def call_sums(self, calls: list[Dialled]) -> CallSums:
        told = [call.told for call in calls]
        both = [call for call in told if call.price is not None and call.seconds]
        length = sum(call.seconds or 0 for call in both)
        cost = sum((Fraction(call.price or 0) for call in both), Fraction(0))
        return CallSums(
            calls=len(calls),
            seconds=known_sum((call.seconds for call in told), 0),
            cost=known_sum((call.price for call in told), Decimal(0)),
            unpriced=sum(call.price is None for call in told),
            minute_price=cost * 60 / length if length else None,
        )

    def call_groups(self, asked: Question, by: str) -> dict[str, tuple[CallSums, date]]:
        """By type, country, phone or room: the sums and the last day of its calls."""
        value: dict[str, Callable[[Dialled], str]] = {
            "type": lambda call: call.told.type,
            "country": lambda call: call.country,
            "phone": lambda call: call.told.number,
            "room": lambda call: call.meeting.told.host_id,
        }
        found = grouped(self.calls(asked), value[by])
        return {key: (self.call_sums(calls), max(call.day for call in calls)) for key, calls in found.items()}

    def call_months(self, asked: Question) -> list[tuple[date, CallSums, dict[str, CallSums]]]:
        """Of each month of the period the calls of its days in the period: all, and by type."""
        found = []
        for month in dict.fromkeys(day.replace(day=1) for day in self.days(asked)):
            calls = [call for call in self.calls(asked) if call.day.replace(day=1) == month]
            by_type = grouped(calls, lambda call: call.told.type)
            sums = {kind: self.call_sums(of_kind) for kind, of_kind in by_type.items()}
            found.append((month, self.call_sums(calls), sums))
        return found


def _by_time(stay: Stay) -> tuple[int, bool, int, str]:
    """Visits are listed by time, who has no leave last, then by name."""
    return stay.join, stay.leave is None, stay.leave or 0, stay.name


def _attendees(met: Met) -> list[Attendee]:
    """By first join. Shown in the spelling of the first visit, its white space one blank."""
    found = []
    for key, stays in grouped(met.stays or (), lambda stay: stay.key).items():
        first = min(stay.join for stay in stays)
        attendance = seconds((stay.join, stay.until) for stay in stays)
        late = first - met.told.start
        found.append(
            Attendee(
                key=key,
                name=" ".join(stays[0].name.split()),
                visits=len(stays),
                first=first,
                last=max(stay.until for stay in stays),
                seconds=attendance,
                late=late if late > LATE_AFTER else None,
                share=Fraction(attendance, met.used) if met.used else None,
            )
        )
    return sorted(found, key=lambda attendee: (attendee.first, attendee.key))
