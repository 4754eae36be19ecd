"""Small worlds of records in the API's spelling, and what design.md's section 4 says of them in plain Python.

Nothing here calls the code under test. Moments are whole seconds since 1970; every stretch of time is cut
at the quarters of the clock, at which every zone of today shows a quarter too, and each piece is asked for
its own local day and hour. Slow, and easy to believe.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from django.test import override_settings
from hypothesis import strategies as st

from reports import folding
from reports.filter import Filter
from reports.models import Change, Ledger, Meeting, Pull, Rejected, Room
from tests.support import SHANGHAI, take

QUARTER = 900
DAY = 86_400
WEEKDAYS = tuple((time(9), time(18)) if day < 5 else None for day in range(7))
ROUND_THE_CLOCK = tuple((time.min, time.max) for _ in range(7))
# On Sundays around the hours in which Berlin's clock is set.
AND_SUNDAY_NIGHT = (*WEEKDAYS[:6], (time(1), time(4)))


# The world ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """Records and the circumstances in which they are looked at. base: the local midnight they lie around.

    folded: after how many of the records the sums of days are kept; the others come after it. None: never.
    """

    zone: str
    base: int
    now_at: int
    opening: tuple[tuple[time, time] | None, ...]
    records: tuple[dict[str, Any], ...] = field(repr=False)
    folded: int | None = None

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_at, UTC)

    @contextmanager
    def kept(self) -> Iterator["Oracle"]:
        """The records imported into an empty ledger of this zone, and the oracle of them."""
        with override_settings(TIME_ZONE=self.zone, OPENING_HOURS=self.opening):
            for model in (Change, Meeting, Rejected, Room, Pull, Ledger):
                model.objects.all().delete()
            before = self.folded or 0
            outcome = take(*self.records[:before], now=self.now)
            if self.folded is not None:
                folding.fold()
            outcome.add(take(*self.records[before:], now=self.now))
            assert (outcome.new, outcome.rejected) == (len(self.records), 0)
            yield Oracle(self)


def _midnight(zone: str, year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=ZoneInfo(zone)).timestamp())


PLACES = (
    ("Asia/Shanghai", _midnight("Asia/Shanghai", 2026, 3, 6), 0),
    # Two days and some hours later the clock is set.
    ("Europe/Berlin", _midnight("Europe/Berlin", 2026, 3, 27), 2 * DAY + 2 * 3600),
    ("Europe/Berlin", _midnight("Europe/Berlin", 2026, 10, 23), 2 * DAY + 2 * 3600),
)
NUMBERS = {  # and their countries
    "+8613912345678": "CN",
    "13912345678": "CN",
    "+12025550123": "US",
    "+447700900123": "GB",
    "139****5678": "",
    "": "",
}
NAMES = ("王伟", "Anna", "ANNA ", "Ａｎｎａ", "Bo  Li", "bo li", "", "\u3000")
PRICES = (None, "0", "0.6", "0.125", "1234.5", "-0.5", "0.000001")
LENGTHS = (0, 1, 60, 600, 3599, 3600, 3601, 5400, DAY - 1, DAY, 3 * DAY)


def stamp(at: int) -> str:
    """A moment as the API writes it: in Shanghai's clock."""
    return datetime.fromtimestamp(at, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


@st.composite
def worlds(draw: st.DrawFn, least: int = 0, most: int = 8) -> World:
    """A few meetings over a few days, with everything that a report may leave out or get wrong."""
    zone, base, change = draw(st.sampled_from(PLACES))
    minutes = st.integers(0, 5 * 1440) | st.integers(change // 60 - 240, change // 60 + 240)
    moments = st.builds(lambda minute, second: base + minute * 60 + second, minutes, st.sampled_from((0, 0, 0, 1, 59)))
    lengths = st.sampled_from(LENGTHS) | st.integers(-600, 4 * 3600)
    near = st.integers(-20, 150).map(lambda minute: minute * 60) | st.integers(-600, 9000) | st.just(300) | st.just(301)

    def visits(start: int) -> list[dict[str, Any]]:
        found = []
        for _ in range(draw(st.integers(0, 4))):
            join = start + draw(near)
            leave = draw(st.none() | near)
            left = None if leave is None else stamp(join + leave)
            found.append({"name": draw(st.sampled_from(NAMES)), "join_time": stamp(join), "leave_time": left})
        return found

    def calls(start: int) -> list[dict[str, Any]]:
        found = []
        for _ in range(draw(st.integers(0, 3))):
            dialled = draw(st.none() | (near | lengths).map(lambda after: start + after))
            found.append(
                {
                    "phone_number": draw(st.sampled_from(sorted(NUMBERS))),
                    "type": draw(st.sampled_from(("call-in", "call-out", "callback", ""))),
                    "start_time": None if dialled is None else stamp(dialled),
                    "end_time": None if dialled is None or draw(st.booleans()) else stamp(dialled + 60),
                    "duration": draw(st.none() | st.integers(0, 90)),
                    "total": draw(st.sampled_from(PRICES)),
                }
            )
        return found

    records = []
    for number in range(draw(st.integers(least, most))):
        start = draw(moments)
        runs = draw(st.integers(0, 4)) == 0
        record: dict[str, Any] = {
            "uuid": f"uuid-{number}",
            "host_id": draw(st.sampled_from(("HOST-1", "HOST-1", "HOST-2", "HOST-3", ""))),
            "meeting_id": draw(st.sampled_from(("1571106323", "987654321"))),
            "topic": draw(st.sampled_from(("周例会", "Budget 预算", ""))),
            "start_time": stamp(start),
            "end_time": None if runs else stamp(start + draw(lengths)),
            "duration": draw(st.none() | st.integers(0, 240)),
            "participants": None if draw(st.integers(0, 3)) == 0 else visits(start),
            "telephony_usage": None if draw(st.integers(0, 3)) == 0 else calls(start),
        }
        extra = draw(st.sampled_from((None, 0, 0, 1)))
        if extra is not None or draw(st.booleans()):
            record["is_extra"] = extra
        records.append(record)
    now_at = base + draw(st.integers(2 * 24 * 4, 7 * 24 * 4)) * QUARTER
    opening = draw(st.sampled_from((WEEKDAYS, ROUND_THE_CLOCK, AND_SUNDAY_NIGHT)))
    folded = draw(st.none() | st.integers(0, len(records)) | st.just(len(records)))
    return World(zone, base, now_at, opening, tuple(records), folded)


@st.composite
def periods(draw: st.DrawFn, world: World, open_sides: bool = True) -> Filter:
    """A period in or around a world: a few days, or open on a side."""
    begin = datetime.fromtimestamp(world.base, ZoneInfo(world.zone)).date()
    first = begin + timedelta(days=draw(st.integers(-1, 5)))
    last = first + timedelta(days=draw(st.integers(0, 7)))
    sides = draw(st.integers(0, 7)) if open_sides else 3
    return Filter(first=first if sides & 1 or sides > 3 else None, last=last if sides & 2 or sides > 3 else None)


def parts(world: World | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """What narrows a filter besides its days: mostly one part, sometimes some together."""
    base = datetime.fromtimestamp(world.base, ZoneInfo(world.zone)) if world else datetime(2026, 3, 6)
    # On the clock, without a zone: it may be an hour that comes twice or not at all.
    hours = st.integers(0, 5 * 24).map(lambda number: base.replace(tzinfo=None) + timedelta(hours=number))
    choices: dict[str, st.SearchStrategy[Any]] = {
        "rooms": st.sampled_from((("HOST-1",), ("HOST-2", "HOST-3"), ("nobody's",))),
        "allowed_rooms": st.sampled_from((frozenset({"HOST-1", "HOST-2"}), frozenset())),
        "q": st.sampled_from(("周", "budget", "ANNA", "王", "157-110", "9876", "bo li", "nothing")),
        "state": st.sampled_from(("running", "ended", "empty", "solo", "unreported")),
        "extra": st.booleans(),
        "calls": st.booleans(),
        "weekday": st.integers(1, 7),
        "hour": st.integers(0, 23),
        "type": st.sampled_from(("call-in", "call-out", "-", "none such")),
        "country": st.sampled_from(("CN", "US", "-", "FR")),
        "phone": st.sampled_from(("+8613912345678", "13912345678", "-")),
        "priced": st.booleans(),
        "uuid": st.sampled_from(("uuid-0", "uuid-1", "uuid-X")),
        "name": st.sampled_from(("anna", "王伟", "bo li", "")),
        "number": st.sampled_from(("1571106323", "987654321", "157110632")),
        "topic": st.sampled_from(("周例会", "budget 预算", "", "budget")),
        "booked": st.sampled_from(("over", "early", "known", "unknown")),
        "during": hours,
    }
    return st.lists(st.sampled_from(sorted(choices)), min_size=0, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: choices[name] for name in names})
    )


# What is true of it --------------------------------------------------------------------------------------


def fold(text: str) -> str:
    """A display name as attendees are told apart."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def covered(spans: Iterable[tuple[int, int]], low: int | None = None, high: int | None = None) -> int:
    """Seconds that at least one of the half-open spans holds, between two moments."""
    spans = [(max(a, a if low is None else low), min(b, b if high is None else high)) for a, b in spans]
    spans = [(a, b) for a, b in spans if a < b]
    points = sorted({point for span in spans for point in span})
    return sum(b - a for a, b in itertools.pairwise(points) if any(c <= a and b <= d for c, d in spans))


def most_at_once(spans: Iterable[tuple[int, int]], low: int, high: int) -> int:
    """The most half-open spans that hold one instant of `[low, high)`."""
    spans = list(spans)
    instants = [low, *(a for a, _b in spans if low <= a < high)]
    return max(sum(a <= at < b for a, b in spans) for at in instants)


def known_sum(values: Iterable[Any], zero: Any = 0) -> Any:
    """The sum of what is known; None where there is something and nothing of it is known."""
    values = list(values)
    known = [value for value in values if value is not None]
    return None if values and not known else sum(known, zero)


class Oracle:
    """The meetings of a world, with whatever follows from them at its `now`."""

    def __init__(self, world: World) -> None:
        self.zone = ZoneInfo(world.zone)
        self.now = world.now_at
        self.opening = world.opening
        self.all = [self._meeting(record) for record in world.records]

    # One record

    def _at(self, text: str | None) -> Any:
        return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()) if text else None

    def local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, self.zone)

    def _meeting(self, record: dict[str, Any]) -> SimpleNamespace:
        start, end = self._at(record["start_time"]), self._at(record["end_time"])
        until = self.now if end is None else end
        seconds = record["duration"]
        one = SimpleNamespace(
            uuid=record["uuid"],
            host=record["host_id"],
            meeting_id=record["meeting_id"],
            topic=record["topic"],
            start=start,
            end=end,
            until=until,
            booked=None if seconds is None else seconds * 60,
            extra=None if record.get("is_extra") is None else bool(record["is_extra"]),
            day=self.local(start).date(),
            week_hour=(self.local(start).isoweekday(), self.local(start).hour),
            open=max(0, until - start),
            visits=None,
            calls=None,
        )
        if record["participants"] is not None:
            one.visits = [self._visit(row, until) for row in record["participants"]]
        if record["telephony_usage"] is not None:
            one.calls = [self._call(row, one) for row in record["telephony_usage"]]
        one.attendees = None if one.visits is None else self._attendees(one)
        one.used = None if one.visits is None else covered((v.join, v.until) for v in one.visits)
        one.attendee_seconds = None if one.visits is None else sum(a.seconds for a in one.attendees.values())
        for attendee in (one.attendees or {}).values():
            attendee.share = attendee.seconds / one.used if one.used else None
        one.spare = None
        if end is not None and one.visits is not None and one.booked is not None:
            one.spare = max(0, start + one.booked - max([start, *(visit.until for visit in one.visits)]))
        if one.visits is None:
            one.state = "unreported"
        elif end is None:
            one.state = "running"
        else:
            one.state = {0: "empty", 1: "solo"}.get(len(one.attendees), "ended")
        return one

    def _visit(self, row: dict[str, Any], meeting_until: int) -> SimpleNamespace:
        join, leave = self._at(row["join_time"]), self._at(row["leave_time"])
        until = max(join, meeting_until if leave is None else leave)
        return SimpleNamespace(name=row["name"], key=fold(row["name"]), join=join, leave=leave, until=until)

    def _call(self, row: dict[str, Any], meeting: SimpleNamespace) -> SimpleNamespace:
        start = self._at(row["start_time"])
        return SimpleNamespace(
            meeting=meeting,
            number=row["phone_number"],
            country=NUMBERS[row["phone_number"]],
            type=row["type"],
            start=start,
            day=self.local(meeting.start if start is None else start).date(),
            seconds=None if row["duration"] is None else row["duration"] * 60,
            cost=None if row["total"] is None else Decimal(row["total"]),
        )

    def _attendees(self, meeting: SimpleNamespace) -> dict[str, SimpleNamespace]:
        found = {}
        end = max((visit.until for visit in meeting.visits), default=None)
        for key in {visit.key for visit in meeting.visits}:
            visits = [visit for visit in meeting.visits if visit.key == key]
            first, last = min(visit.join for visit in visits), max(visit.until for visit in visits)
            late = first - meeting.start
            told = meeting.end is not None and all(visit.leave is not None for visit in visits)
            found[key] = SimpleNamespace(
                key=key,
                visits=len(visits),
                first=first,
                last=last,
                seconds=covered((visit.join, visit.until) for visit in visits),
                late=late if late > 5 * 60 else None,
                left_early=end - last > 5 * 60 if told else None,
            )
        return found

    # What a filter selects

    def span(self, chosen: Filter) -> tuple[date, date]:
        """The days of a filter; an open side ends where the ledger does, as far as it may be seen, or today."""
        here = self.local(self.now).date()
        seen = [m for m in self.all if chosen.allowed_rooms is None or m.host in chosen.allowed_rooms]
        days = [here, *(m.day for m in seen), *(call.day for m in seen for call in m.calls or ())]
        first = chosen.first or min([chosen.last or here, *days])
        last = chosen.last or max([first, *days])
        return first, last

    def days(self, chosen: Filter) -> list[date]:
        first, last = self.span(chosen)
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    def midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def _in(self, day: date, chosen: Filter) -> bool:
        return (chosen.first is None or chosen.first <= day) and (chosen.last is None or day <= chosen.last)

    def _is_such_a_call(self, call: SimpleNamespace, chosen: Filter) -> bool:
        def as_told(value: str, wanted: str) -> bool:
            return not wanted or value == ("" if wanted == "-" else wanted)

        return (
            as_told(call.type, chosen.type)
            and as_told(call.country, chosen.country)
            and as_told(call.number, chosen.phone)
            and (chosen.priced is None or chosen.priced == (call.cost is not None))
        )

    def _fits(self, m: SimpleNamespace, chosen: Filter) -> bool:
        """Whether a meeting of any day fits what the filter says of meetings, but for its calls and visits."""
        wanted = fold(chosen.q)
        told = [fold(m.topic), m.meeting_id, *(visit.key for visit in m.visits or ())]
        as_number = wanted.replace("-", "").replace(" ", "")
        return (
            (chosen.allowed_rooms is None or m.host in chosen.allowed_rooms)
            and (not chosen.rooms or m.host in chosen.rooms)
            and chosen.state in {"", m.state}
            and (chosen.extra is None or m.extra is chosen.extra)
            and (chosen.calls is None or (m.calls is not None and bool(m.calls) == chosen.calls))
            and chosen.weekday in {None, m.week_hour[0]}
            and chosen.hour in {None, m.week_hour[1]}
            and chosen.uuid in {"", m.uuid}
            and chosen.number in {"", m.meeting_id}
            and chosen.topic in {None, fold(m.topic)}
            and (not chosen.booked or self._is_so_long(m, chosen.booked))
            and (chosen.during is None or self._is_during(m, chosen.during))
            and (any(wanted in text for text in told) or (as_number.isdigit() and as_number in m.meeting_id))
        )

    def _is_so_long(self, m: SimpleNamespace, booked: str) -> bool:
        """Whether an ended meeting stands so to its booked length: these worlds never give the actual one for it."""
        if m.end is None:
            return False
        told = m.booked is not None
        if booked in {"known", "unknown"}:
            return told == (booked == "known")
        return told and (m.open > m.booked if booked == "over" else m.open < m.booked)

    def _is_during(self, m: SimpleNamespace, hour: datetime) -> bool:
        """Whether it occupied its room at a second at which the local clock showed that hour."""
        until = m.until if m.end is not None else max(m.until, m.start + 7 * DAY)  # it may go on for ever
        if until <= m.start:
            return False  # it occupied nothing
        seconds = range(m.start - m.start % QUARTER, until, QUARTER)
        shown = (self.local(at) for at in (max(m.start, second) for second in seconds))
        return any((at.date(), at.hour) == (hour.date(), hour.hour) for at in shown)

    def _has_such_a_call(self, m: SimpleNamespace, chosen: Filter) -> bool:
        narrows = chosen.type or chosen.country or chosen.phone or chosen.priced is not None
        return not narrows or any(self._is_such_a_call(call, chosen) for call in m.calls or ())

    def _has_such_a_visit(self, m: SimpleNamespace, chosen: Filter) -> bool:
        return chosen.name is None or any(visit.key == chosen.name for visit in m.visits or ())

    def fitting(self, chosen: Filter) -> list[SimpleNamespace]:
        """Meetings of any day."""
        return [
            m
            for m in self.all
            if self._fits(m, chosen) and self._has_such_a_call(m, chosen) and self._has_such_a_visit(m, chosen)
        ]

    def meetings(self, chosen: Filter) -> list[SimpleNamespace]:
        return [m for m in self.fitting(chosen) if self._in(m.day, chosen)]

    def visits(self, chosen: Filter) -> list[tuple[SimpleNamespace, SimpleNamespace]]:
        return [
            (m, visit)
            for m in self.meetings(chosen)
            for visit in m.visits or ()
            if chosen.name is None or visit.key == chosen.name
        ]

    def calls(self, chosen: Filter) -> list[SimpleNamespace]:
        return [
            call
            for m in self.all
            if self._fits(m, chosen) and self._has_such_a_visit(m, chosen)
            for call in m.calls or ()
            if self._in(call.day, chosen) and self._is_such_a_call(call, chosen)
        ]

    # Figures

    def sums(self, meetings: list[SimpleNamespace], calls: list[SimpleNamespace]) -> dict[str, Any]:
        """Everything that `Totals` holds, by its names."""
        silent = bool(meetings) and not calls and all(m.calls is None for m in meetings)
        return {
            "meetings": len(meetings),
            "extra": known_sum(None if m.extra is None else int(m.extra) for m in meetings),
            "empty": sum(m.state == "empty" for m in meetings),
            "solo": sum(m.state == "solo" for m in meetings),
            "unreported": sum(m.state == "unreported" for m in meetings),
            "running": sum(m.end is None for m in meetings),
            "booked_seconds": known_sum(m.booked for m in meetings),
            "open_seconds": sum(m.open for m in meetings),
            "used_seconds": known_sum(m.used for m in meetings),
            "attendees": known_sum(None if m.visits is None else len(m.attendees) for m in meetings),
            "attendee_seconds": known_sum(m.attendee_seconds for m in meetings),
            "visits": known_sum(None if m.visits is None else len(m.visits) for m in meetings),
            "calls": None if silent else len(calls),
            "call_seconds": None if silent else known_sum(call.seconds for call in calls),
            "call_cost": None if silent else known_sum((call.cost for call in calls), Decimal(0)),
            "unpriced_calls": None if silent else sum(call.cost is None for call in calls),
        }

    def totals(self, chosen: Filter) -> dict[str, Any]:
        return self.sums(self.meetings(chosen), self.calls(chosen))

    def by_day(self, chosen: Filter) -> list[tuple[date, dict[str, Any]]]:
        meetings, calls = self.meetings(chosen), self.calls(chosen)
        return [
            (day, self.sums([m for m in meetings if m.day == day], [call for call in calls if call.day == day]))
            for day in self.days(chosen)
        ]

    def occupied(self, chosen: Filter) -> list[tuple[int, int]]:
        return [(m.start, m.until) for m in self.fitting(chosen)]

    def peaks(self, chosen: Filter) -> list[tuple[date, int]]:
        spans = self.occupied(chosen)
        return [
            (day, most_at_once(spans, self.midnight(day), self.midnight(day + timedelta(days=1))))
            for day in self.days(chosen)
        ]

    def quarters(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """A stretch of time cut at the quarters of the clock."""
        while start < end:
            cut = min(end, start - start % QUARTER + QUARTER)
            yield start, cut
            start = cut

    def hours(self, chosen: Filter) -> list[tuple[int, int, int, int]]:
        began = dict.fromkeys(itertools.product(range(1, 8), range(24)), 0)
        held = dict(began)
        for m in self.meetings(chosen):
            began[m.week_hour] += 1
            for start, end in self.quarters(m.start, m.until):
                at = self.local(start)
                held[at.isoweekday(), at.hour] += end - start
        return [(*key, began[key], held[key]) for key in sorted(began)]

    def _is_open(self, at: int) -> bool:
        local = self.local(at)
        hours = self.opening[local.weekday()]
        return hours is not None and hours[0] <= local.time() < hours[1]

    def utilisation(self, chosen: Filter) -> tuple[dict[str, int], int]:
        """Occupied seconds inside opening hours by host_id, rooms without any left out; the opening seconds."""
        first, last = self.span(chosen)
        whole = (self.midnight(first), self.midnight(last + timedelta(days=1)))
        opened = [quarter for quarter in self.quarters(*whole) if self._is_open(quarter[0])]
        found = {}
        for host in {m.host for m in self.all}:
            spans = [(m.start, m.until) for m in self.fitting(chosen) if m.host == host and m.start < m.until]
            inside = sum(covered(spans, *quarter) for quarter in opened if spans)
            if inside:
                found[host] = inside
        return found, sum(end - start for start, end in opened)

    def rooms(self, chosen: Filter) -> dict[str, tuple[dict[str, Any], float | None]]:
        """Totals and utilisation by host_id; "" is the unknown room."""
        held, opening = self.utilisation(chosen)
        meetings, calls = self.meetings(chosen), self.calls(chosen)
        found = {}
        for host in {m.host for m in self.all}:
            mine = [m for m in meetings if m.host == host]
            its_calls = [call for call in calls if call.meeting.host == host]
            if host and chosen.rooms and host not in chosen.rooms:
                continue
            if host and chosen.allowed_rooms is not None and host not in chosen.allowed_rooms:
                continue
            temporary = all(m.extra is True for m in self.all if m.host == host)
            if mine or its_calls or (host and not temporary):
                share = held.get(host, 0) / opening if host and opening else None
                found[host] = (self.sums(mine, its_calls), share)
        return found

    def call_sums(self, calls: Iterable[SimpleNamespace]) -> dict[str, Any]:
        """Everything that `telephony.Calls` holds, by its names."""
        calls = list(calls)
        both = [call for call in calls if call.cost is not None and call.seconds is not None]
        return {
            "calls": len(calls),
            "seconds": known_sum(call.seconds for call in calls),
            "cost": known_sum((call.cost for call in calls), Decimal(0)),
            "unpriced": sum(call.cost is None for call in calls),
            "priced_seconds": sum(call.seconds for call in both),
            "priced_cost": sum((call.cost for call in both if call.seconds), Decimal(0)),
        }
