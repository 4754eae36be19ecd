"""Seeded worlds: raw answers of the API in the order in which they came, with every edge that is known of them.

A world follows from its seed alone, and says which edges it holds. Everything is written as the API writes it, in
one of the spellings that facts.md and the document of share/reports know; nothing here reads an answer.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86_400

Opening = tuple[tuple[time, time] | None, ...]
Visit = tuple[str, int, int | None]  # name, join, leave
Item = dict[str, Any]

# A zone and the day two days before something happens there, at midnight or in the hours after it.
PLACES = (
    ("Asia/Shanghai", date(2026, 3, 30)),  # a month ends
    ("Asia/Shanghai", date(2026, 12, 30)),  # a year ends
    ("Asia/Shanghai", date(2028, 2, 27)),  # 29 February begins
    ("Europe/Berlin", date(2024, 2, 27)),  # 29 February begins
    ("Europe/Berlin", date(2026, 3, 27)),  # the clock is set forward
    ("Europe/Berlin", date(2026, 10, 23)),  # the clock is set back
    ("America/St_Johns", date(2026, 3, 6)),  # forward, half an hour beside the full hours of UTC
    ("America/St_Johns", date(2026, 10, 30)),  # back, and a month ends
    ("Australia/Lord_Howe", date(2026, 4, 3)),  # back by half an hour
)
# time.max stands for midnight, as in the site's settings.
OPENINGS: tuple[Opening, ...] = (
    tuple((time(9), time(18)) if day < 5 else None for day in range(7)),
    tuple((time(8, 30), time(17, 45)) if day != 1 else None for day in range(7)),
    tuple((time.min, time.max) for _ in range(7)),
    tuple((time(1), time(4)) if day in {0, 6} else (time(22), time.max) for day in range(7)),
    (None,) * 7,
)
# Display names in groups that fold together.
PEOPLE = (
    ("Anna", "ANNA ", "Ａｎｎａ", "\tanna"),
    ("王伟", "王伟\u3000"),
    ("Bo Li", "bo  li", "Bo\u00a0LI"),
    ("Straße 5", "STRASSE 5"),
    ("=SUM(A1)", "=sum(a1)"),
    ('<b>Device</b> "3", left',),
    ("-9",),
    ("", "  ", "\u3000"),
)
NO_NAME = PEOPLE[-1]
GROUP = {name: number for number, names in enumerate(PEOPLE) for name in names}
TOPICS = (
    *("周例会", "Budget 预算", "Ｂudget\u3000预算", "=1+1", "+86", "-x", "@me", "\ttab", "\rreturn", "'quoted"),
    *("<script>alert('1')</script> & more", 'two\r\nlines, "and" commas', "100% done_", ""),
)
# Telephone numbers and the countries they belong to; "" cannot be told. Without a + they are dialled in China.
COUNTRIES = {
    "+8613912345678": "CN",
    "13912345678": "CN",
    "+12025550123": "US",
    "+447700900123": "GB",
    "+493012345678": "DE",
    "+85221234567": "HK",
    "139****5678": "",
    "=1+1": "",
    "": "",
}
TYPES = ("call-out", "call-in", "call-out", "callback", "=type", "")
PRICES = (None, None, "0", "0.06", "0.6", "0.12", "2", "1234.5", "0.125", "0.000001", "0.123456", "-0.5")
NUMBERS = ("1571106323", "157110632", "98765432101", "1790001234")
HOSTS = ("Room-a/1==", "ROOM-A/1==", "-room_C", "QUJDREVGR0hJ+g==")
ROOM_NAMES = ("梧桐厅", "Linden", "ＬＩＮＤＥＮ ", "=Hall", 'Hall, "2"', "")
QUERIES = (
    *("周", "budget", "ANNA", "100%", "_", "B>", "bo  LI", "strasse", "nobody"),
    *("157-110 63", "5711", "98765432101"),
)

EDGES = frozenset(
    {
        *("over midnight", "month end", "leap day", "clock set forward", "clock set back", "several days"),
        *("zero length", "negative length", "running", "starts after now", "touches opening hours"),
        *("unreported", "empty", "solo", "rejoin", "rejoin in the same second", "two devices"),
        *("leaves and joins in the same second", "no leave", "no leave of an ended meeting", "leave before join"),
        *("stays after the end", "joins before the start", "joins after now", "no name", "names that fold together"),
        *("late by exactly five minutes", "late by a second more", "a room changes hands in the same second"),
        *("two begin in the same second", "two share a room", "formula", "HTML", "Chinese", "line break"),
        *("paged shape", "array shape", "paged then array", "array then paged", "the same again", "visits grow"),
        *("visits come later", "visits withheld", "visits withheld as []", "leave comes later", "calls grow"),
        *("calls withheld", "calls withheld as []", "end comes later", "end withheld", "topic changes"),
        *("topic withheld", "start changes", "start changes its day", "room changes", "host_id withheld"),
        *("is_extra changes", "is_extra withheld", "booked changes", "booked withheld", "twice in one answer"),
        *("extra room", "extra meeting in a room of the pool", "no host_id", "no is_extra", "no booked length"),
        *("rooms listed", "rooms listed after meetings", "rooms listed twice", "rooms of one name"),
        *("no meeting number", "e-mail in capitals"),
        *("a number without report", "an unreadable record", "an unreadable record of a known meeting"),
        *("uuids that differ by case", "one number, two meetings", "no calls told", "no calls", "call on another day"),
        *("call without start", "call without end", "call ends before its start", "call without length"),
        *("call without price", "call without number", "call of no known country", "six decimals", "negative price"),
        *("money as text", "money as number", "time with Z", "time without zone", "time without zeros"),
        *("duration 120", 'duration "45"', "duration 6分钟", "duration 01:25", "duration 03:55:08"),
        *("is_extra 1", "is_extra 0", 'is_extra "1"', 'is_extra "0"', "is_extra true", "is_extra false"),
        *("missing", "null", "empty text"),
    }
)


@dataclass(frozen=True)
class World:
    """What came, and how it is looked at. answers: JSON texts in their order; now: UTC.

    zone: the site's. provider_zone: of times that name none. hosts, numbers, begun and first_day say what a question
    may ask for: host_ids, meeting numbers, (weekday, hour) of starts, and the first local day.
    """

    seed: int
    zone: str
    provider_zone: str
    now: datetime
    opening: Opening
    answers: tuple[str, ...] = field(repr=False)
    edges: frozenset[str] = field(repr=False)
    hosts: tuple[str, ...] = field(repr=False)
    begun: tuple[tuple[int, int], ...] = field(repr=False)
    first_day: date = field(repr=False)


@dataclass(frozen=True)
class Question:
    """A selection of meetings, by the words of design.md's section 5. name: a folded display name, "" for none."""

    first: date | None = None
    last: date | None = None
    rooms: tuple[str, ...] = ()
    q: str = ""
    state: str = ""
    extra: bool | None = None
    calls: bool | None = None
    weekday: int | None = None
    hour: int | None = None
    name: str | None = None
    allowed_rooms: frozenset[str] | None = None


def make(seed: int) -> World:
    """The world of a seed."""
    return _Maker(seed).world()


def questions(world: World) -> list[Question]:
    """What is asked of a world: the first question of its days alone, one or two more narrowed in one way or two."""
    draw = random.Random(f"questions of {world.seed}")
    count = 2 + world.seed % 2
    return [_question(world, draw, parts=0 if number == 0 else draw.choice((1, 1, 1, 2))) for number in range(count)]


def _question(world: World, draw: random.Random, parts: int) -> Question:
    first = world.first_day + timedelta(days=draw.randrange(-1, 5))
    last = first + timedelta(days=draw.choice((0, 0, 1, 2, 4, 7)))
    sides = draw.choice(("both", "both", "both", "first", "last", "none", "none"))
    weekday, hour = draw.choice(world.begun)
    values: dict[str, Callable[[], Any]] = {
        "rooms": lambda: tuple(sorted(draw.sample(world.hosts, draw.randint(1, 2)))),
        "q": lambda: draw.choice(QUERIES),
        "state": lambda: draw.choice(("running", "ended", "empty", "solo", "unreported")),
        "extra": lambda: draw.random() < 0.5,
        "calls": lambda: draw.random() < 0.5,
        "weekday": lambda: weekday,
        "hour": lambda: hour,
        "name": lambda: draw.choice(("anna", "王伟", "bo li", "strasse 5", "=sum(a1)", "")),
        "allowed_rooms": lambda: frozenset(draw.sample(world.hosts, draw.randint(0, 2))),
    }
    return Question(
        first=first if sides in {"both", "first"} else None,
        last=last if sides in {"both", "last"} else None,
        **{name: values[name]() for name in draw.sample(sorted(values), parts)},
    )


@dataclass
class _Call:
    """A call as it was. start, end: seconds since 1970; price: yuan as a text."""

    number: str
    type: str
    start: int | None
    end: int | None
    seconds: int | None
    price: str | None


@dataclass
class _Meeting:
    """A meeting as the provider knows it at some time; it changes from report to report."""

    uuid: str
    number: str
    host: str
    topic: str
    start: int
    end: int | None
    booked: int | None
    extra: bool | None
    visits: list[Visit] | None
    calls: list[_Call] | None


class _Maker:
    """One world in the making."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draw = random.Random(seed)
        self.edges: set[str] = set()
        name, self.first_day = self.draw.choice(PLACES)
        self.zone = ZoneInfo(name)
        self.provider_zone = ZoneInfo(self.draw.choice(("Asia/Shanghai", "Asia/Shanghai", "Asia/Shanghai", "UTC")))
        self.begin = self._midnight(self.first_day)
        self.special = self._midnight(self.first_day + timedelta(days=2))
        self.now = self.begin + self._aligned(self.draw.randrange(2 * DAY, 8 * DAY))
        self.opening = self.draw.choice((OPENINGS[0], *OPENINGS))
        self.meetings: list[_Meeting] = []
        self.room_names = {host: self.draw.choice(ROOM_NAMES) for host in HOSTS}

    def world(self) -> World:
        self._meetings()
        began = [datetime.fromtimestamp(meeting.start, self.zone) for meeting in self.meetings]
        queues = [self._reports(meeting) for meeting in self.meetings]
        answers = self._with_rooms(self._answers(queues))
        return World(
            seed=self.seed,
            zone=self.zone.key,
            provider_zone=self.provider_zone.key,
            now=datetime.fromtimestamp(self.now, UTC),
            opening=self.opening,
            answers=tuple(json.dumps(answer, ensure_ascii=False) for answer in answers),
            edges=frozenset(self.edges),
            hosts=tuple(sorted({*HOSTS, *(meeting.host for meeting in self.meetings)} - {""})),
            begun=tuple((local.isoweekday(), local.hour) for local in began),
            first_day=self.first_day,
        )

    # Chance and time

    def _chance(self, share: float) -> bool:
        return self.draw.random() < share

    def _mark(self, edge: str, holds: object = True) -> None:
        if holds:
            self.edges.add(edge)

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def _day(self, at: int) -> date:
        return datetime.fromtimestamp(at, self.zone).date()

    def _aligned(self, seconds: int) -> int:
        """Often on a full minute; else where a minute or an hour with decimals has to be rounded."""
        return seconds - seconds % self.draw.choice((1, 3, 9, 18, 60, 60, 300))

    # What happened

    def _meetings(self) -> None:
        for number in range(self.draw.randint(3, 10)):
            uuid = f"{self.draw.choice('abcXYZ')}{number}+/{self.draw.choice('dwMQ')}=="
            if self.meetings and self._chance(0.1):
                other = self.draw.choice(self.meetings).uuid.swapcase()
                if all(other != meeting.uuid for meeting in self.meetings):
                    uuid = other
            self._mark("uuids that differ by case", any(uuid.swapcase() == m.uuid for m in self.meetings))
            start = self._start()
            end = start + self._length(start)
            meeting = _Meeting(
                uuid=uuid,
                number=self.draw.choice((*NUMBERS, *NUMBERS, "")),
                host=self.draw.choice((*HOSTS, "") if self._chance(0.8) else (f"EXTRA-{self.draw.randint(1, 3)}",)),
                topic=self.draw.choice(TOPICS),
                start=start,
                end=None if self._chance(0.2) else end,
                booked=None if self._chance(0.15) else self.draw.choice((0, 30, 45, 60, 90, 120)) * MINUTE,
                extra=self.draw.choice((False, False, False, True, None)),
                visits=None,
                calls=None,
            )
            if self._chance(0.1):
                meeting.booked = self.draw.randrange(5 * HOUR)
            if meeting.host.startswith("EXTRA"):
                meeting.extra = self.draw.choice((True, True, True, True, None, False))
            self._follow(meeting)
            if not self._chance(0.15):
                meeting.visits = self._visits(meeting) if self._chance(0.85) else []
            if not self._chance(0.2):
                meeting.calls = [self._call(meeting) for _ in range(self.draw.choice((0, 0, 1, 1, 2, 3)))]
            self.meetings.append(meeting)
            self._mark_meeting(meeting)
        numbers = [meeting.number for meeting in self.meetings if meeting.number]
        self._mark("one number, two meetings", len(set(numbers)) < len(numbers))

    def _start(self) -> int:
        if self._chance(0.35):
            # Around the midnight that something happens at, and the hours after it in which clocks are set.
            return self._aligned(self.special + self.draw.randrange(-3 * HOUR, 5 * HOUR))
        if self._chance(0.5):
            day = self.draw.randrange(5)
            return self._aligned(self.begin + day * DAY + self.draw.randrange(8 * HOUR, 19 * HOUR))
        return self._aligned(self.begin + self.draw.randrange(5 * DAY))

    def _length(self, start: int) -> int:
        draw = self.draw
        longest = draw.choice((600, HOUR, 2 * HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR, 14 * HOUR, 70 * HOUR))
        if self._chance(0.06):
            return 0
        if self._chance(0.06):
            return -draw.randrange(1, 2 * HOUR)
        return self._aligned(draw.randrange(1, longest))

    def _follow(self, meeting: _Meeting) -> None:
        """Now and then a meeting begins in the second in which another ends or begins, and in its room."""
        if not self.meetings or not self._chance(0.3):
            return
        other = self.draw.choice(self.meetings)
        length = None if meeting.end is None else meeting.end - meeting.start
        if other.end is not None and self._chance(0.6):
            meeting.start, meeting.host = other.end, other.host
            self._mark("a room changes hands in the same second", other.host)
        else:
            meeting.start = other.start
            self._mark("two begin in the same second")
            if self._chance(0.5):
                meeting.host = other.host
                self._mark("two share a room", other.host)
        meeting.end = None if length is None else meeting.start + length

    def _visits(self, meeting: _Meeting) -> list[Visit]:
        found: list[Visit] = []
        for _ in range(self.draw.choice((1, 1, 2, 3, 4, 5, 6))):
            found.append(self._visit(meeting, found))
        return found

    def _visit(self, meeting: _Meeting, others: list[Visit]) -> Visit:
        draw, start = self.draw, meeting.start
        until = max(start + 600, self.now if meeting.end is None else meeting.end)
        name = draw.choice(draw.choice(PEOPLE))
        join = start + self._aligned(draw.randrange(until - start))
        if self._chance(0.3):
            join = start + draw.choice((0, 0, 299, 300, 300, 301, 301, -1, -draw.randrange(900)))
        if others and self._chance(0.5):
            before, joined, left = draw.choice(others)
            if left is not None and joined < left:
                match draw.choice(("rejoin", "touch", "device", "follow")):
                    case "rejoin":
                        name, join = self._as(before), left + draw.randrange(1, 600)
                    case "touch":
                        name, join = self._as(before), left
                    case "device":
                        name, join = self._as(before), draw.randrange(joined, left)
                    case _:
                        join = left
        leave: int | None = join + self._aligned(draw.randrange(max(1, until - join, 1800)))
        if self._chance(0.15):
            leave = None
        elif self._chance(0.08):
            leave = join - draw.randrange(1, 900)
        elif self._chance(0.3):
            leave = max(join, until - until % 60)
        return name, join, leave

    def _as(self, name: str) -> str:
        """The same name, perhaps in another spelling that folds to it."""
        return self.draw.choice(PEOPLE[GROUP[name]])

    def _call(self, meeting: _Meeting) -> _Call:
        draw = self.draw
        until = max(meeting.start + 600, self.now if meeting.end is None else meeting.end)
        start: int | None = meeting.start + self._aligned(draw.randrange(-300, until - meeting.start))
        if self._chance(0.2):
            start = meeting.start + draw.choice((-1, 1)) * draw.randrange(12 * HOUR, 30 * HOUR)
        if self._chance(0.15):
            start = None
        seconds = draw.choice((None, None, 0, MINUTE, 2 * MINUTE, 10 * MINUTE, 90 * MINUTE, draw.randrange(2 * HOUR)))
        end = (start or meeting.start) + (seconds or 0)
        return _Call(
            number=draw.choice(sorted(COUNTRIES)),
            type=draw.choice(TYPES),
            start=start,
            end=None if self._chance(0.2) else end - draw.randrange(60, 600) if self._chance(0.1) else end,
            seconds=seconds,
            price=draw.choice(PRICES),
        )

    # What changed from report to report

    def _reports(self, meeting: _Meeting) -> list[tuple[str, Item]]:
        """The reports of a meeting in their order, each with its shape."""
        reports: list[tuple[str, Item]] = []
        hidden: frozenset[str] = frozenset()
        for number in range(self.draw.choice((1, 1, 1, 2, 2, 3, 4))):
            if number:
                hidden = self._change(meeting)
                self._mark_meeting(meeting)
            shape = "array" if self._chance(0.3) else "paged"
            self._mark(f"{shape} shape")
            if reports and reports[-1][0] != shape:
                self._mark(f"{reports[-1][0]} then {shape}")
            reports.append((shape, self._item(shape, meeting, hidden)))
        return reports

    def _change(self, meeting: _Meeting) -> frozenset[str]:
        """Change a meeting in one way or two; returns the fields that its next report withholds."""
        changes = (
            *(self._visits_change, self._visits_change, self._calls_change, self._end_changes, self._topic_changes),
            *(self._start_changes, self._room_changes, self._extra_changes, self._booked_changes, self._withhold),
            *(self._withhold, self._nothing_changes),
        )
        hidden: set[str] = set()
        for change in self.draw.sample(changes, self.draw.choice((1, 1, 2))):
            hidden |= {change(meeting) or ""}
        return frozenset(hidden)

    def _nothing_changes(self, meeting: _Meeting) -> None:
        self._mark("the same again")

    def _visits_change(self, meeting: _Meeting) -> None:
        if meeting.visits is None:
            meeting.visits = self._visits(meeting)
            self._mark("visits come later")
            return
        inside = [place for place, visit in enumerate(meeting.visits) if visit[2] is None]
        if inside and self._chance(0.7):
            name, join, _ = meeting.visits[inside[0]]
            meeting.visits = [*meeting.visits]
            meeting.visits[inside[0]] = (name, join, join + self._aligned(self.draw.randrange(2 * HOUR)))
            self._mark("leave comes later")
        else:
            meeting.visits = [*meeting.visits, self._visit(meeting, meeting.visits)]
            self._mark("visits grow")

    def _calls_change(self, meeting: _Meeting) -> None:
        meeting.calls = [*(meeting.calls or []), self._call(meeting)]
        self._mark("calls grow")

    def _end_changes(self, meeting: _Meeting) -> None:
        self._mark("end comes later", meeting.end is None)
        meeting.end = meeting.start + self._length(meeting.start)

    def _topic_changes(self, meeting: _Meeting) -> None:
        topic = self.draw.choice([topic for topic in TOPICS if topic and topic != meeting.topic])
        self._mark("topic changes", meeting.topic)
        meeting.topic = topic

    def _start_changes(self, meeting: _Meeting) -> None:
        day = self._day(meeting.start)
        meeting.start += self.draw.choice((-DAY, -HOUR, -9, 300, HOUR, 5 * HOUR))
        self._mark("start changes")
        self._mark("start changes its day", self._day(meeting.start) != day)

    def _room_changes(self, meeting: _Meeting) -> None:
        host = self.draw.choice(HOSTS)
        self._mark("room changes", meeting.host and meeting.host != host)
        meeting.host = host

    def _extra_changes(self, meeting: _Meeting) -> None:
        extra = self._chance(0.5)
        self._mark("is_extra changes", meeting.extra is not None and meeting.extra != extra)
        meeting.extra = extra

    def _booked_changes(self, meeting: _Meeting) -> None:
        self._mark("booked changes", meeting.booked is not None)
        meeting.booked = self.draw.choice((15, 75, 150)) * MINUTE

    def _withhold(self, meeting: _Meeting) -> str:
        told = {
            "visits": meeting.visits,
            "calls": meeting.calls,
            "end": meeting.end is not None,
            "topic": meeting.topic,
            "is_extra": meeting.extra is not None,
            "booked": meeting.booked is not None,
            "host_id": meeting.host,
        }
        names = [name for name, value in told.items() if value]
        name = self.draw.choice(
            ["visits" if "visits" in names else "end", "calls" if "calls" in names else "end", *names]
        )
        self._mark(f"{name} withheld")
        return name

    # How it is written

    def _item(self, shape: str, meeting: _Meeting, hidden: frozenset[str]) -> Item:
        """One record of a meeting, its fields in any order."""
        item: Item = {"uuid": meeting.uuid}
        end = None if "end" in hidden else meeting.end
        booked = None if "booked" in hidden else meeting.booked
        item["start_time"] = self._time(meeting.start, shape)
        self._put(item, "end_time", self._time(end, shape))
        self._put(item, "duration", self._duration(booked))
        self._put_number(item, shape, meeting)
        self._put_list(item, "participants", meeting.visits, "visits" in hidden, lambda v: self._visit_row(v, shape))
        if shape == "array":
            item["participants_count"] = len(meeting.visits or ())
            if "host_id" not in hidden and meeting.host in HOSTS:
                name = self.room_names[meeting.host]
                self._put(item, "host", name if self._chance(0.7) else None)
                self._put(item, "email", None if self._chance(0.4) else self._email(meeting.host))
        else:
            self._put(item, "host_id", None if "host_id" in hidden else meeting.host or None)
            self._put(item, "topic", None if "topic" in hidden else meeting.topic or None)
            self._put(item, "is_extra", self._flag(None if "is_extra" in hidden else meeting.extra))
            self._put_list(item, "telephony_usage", meeting.calls, "calls" in hidden, self._call_row)
            self._mark("no host_id", not meeting.host)
            self._mark("no is_extra", meeting.extra is None)
            self._mark("no calls told", meeting.calls is None)
        names = list(item)
        self.draw.shuffle(names)
        return {name: item[name] for name in names}

    def _put(self, item: Item, name: str, value: Any) -> None:
        """A value, or one of the ways to say that there is none."""
        if value is not None:
            item[name] = value
            return
        how = self.draw.choice(("missing", "null", "empty text"))
        self._mark(how)
        if how != "missing":
            item[name] = None if how == "null" else ""

    def _put_number(self, item: Item, shape: str, meeting: _Meeting) -> None:
        self._mark("no meeting number", not meeting.number)
        if meeting.number:
            number = int(meeting.number) if self._chance(0.5) else meeting.number
            item["id" if shape == "array" else "meeting_id"] = number

    def _put_list(
        self, item: Item, name: str, rows: list[Any] | None, withheld: bool, write: Callable[[Any], Item]
    ) -> None:
        if rows is None or withheld:
            how = self.draw.choice(("missing", "null", "[]") if withheld else ("missing", "null"))
            if how != "missing":
                item[name] = None if how == "null" else []
            self._mark(f"{'visits' if name == 'participants' else 'calls'} withheld as []", how == "[]")
        else:
            item[name] = [write(row) for row in self.draw.sample(rows, len(rows))]  # the order means nothing

    def _visit_row(self, visit: Visit, shape: str) -> Item:
        name, join, leave = visit
        later = shape == "paged" or self._chance(0.5)
        row: Item = {}
        if shape == "array" and self._chance(0.5):
            row["id"] = ""
        self._put(row, "name" if later else "user_name", name or None)
        row["join_time" if shape == "paged" or self._chance(0.5) else "joinTime"] = self._time(join, shape)
        self._put(row, "leave_time" if "join_time" in row else "leaveTime", self._time(leave, shape))
        return row

    def _call_row(self, call: _Call) -> Item:
        row: Item = {}
        self._put(row, "phone_number", call.number or None)
        self._put(row, "type", call.type or None)
        self._put(row, "start_time", self._time(call.start, "paged"))
        self._put(row, "end_time", self._time(call.end, "paged"))
        self._put(row, "duration", self._duration(call.seconds))
        price: Any = call.price
        if price is not None:
            as_text = self._chance(0.5)
            self._mark("money as text" if as_text else "money as number")
            price = price if as_text else float(price) if "." in price else int(price)
        self._put(row, "total", price)
        self._mark("call without start", call.start is None)
        self._mark("call without end", call.end is None)
        self._mark("call without length", call.seconds is None)
        self._mark("call without price", call.price is None)
        self._mark("call without number", not call.number)
        self._mark("call of no known country", call.number and not COUNTRIES[call.number])
        self._mark("six decimals", call.price in {"0.000001", "0.123456"})
        self._mark("negative price", call.price and call.price.startswith("-"))
        return row

    def _time(self, at: int | None, shape: str) -> str | None:
        if at is None:
            return None
        if shape == "array" or self._chance(0.2):
            self._mark("time with Z")
            return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        local = datetime.fromtimestamp(at, self.provider_zone)
        self._mark("time without zone")
        if self._chance(0.2):
            self._mark("time without zeros", local.month < 10 or local.day < 10)
            return f"{local.year}-{local.month}-{local.day} {local:%H:%M:%S}"
        return f"{local:%Y-%m-%d %H:%M:%S}"

    def _duration(self, seconds: int | None) -> Any:
        if seconds is None:
            return None
        minutes, rest = divmod(seconds, MINUTE)
        spellings: dict[str, Any] = {"duration 03:55:08": f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"}
        if minutes < 100:
            spellings["duration 01:25"] = f"{minutes:02d}:{rest:02d}"
        if not rest:
            spellings |= {"duration 120": minutes, 'duration "45"': str(minutes), "duration 6分钟": f"{minutes}分钟"}
        spelling = self.draw.choice(sorted(spellings))
        self._mark(spelling)
        return spellings[spelling]

    def _flag(self, value: bool | None) -> Any:
        if value is None:
            return None
        spellings = {1: "is_extra 1", "1": 'is_extra "1"', "true": "is_extra true"}
        if not value:
            spellings = {0: "is_extra 0", "0": 'is_extra "0"', "false": "is_extra false"}
        spelling = self.draw.choice(list(spellings))
        self._mark(spellings[spelling])
        return json.loads(spelling) if spelling in {"true", "false"} else spelling

    # In which answers it came

    def _answers(self, queues: list[list[tuple[str, Item]]]) -> list[Item]:
        """All reports in answers of one shape each; those of one meeting stay in their order."""
        answers = []
        while waiting := [queue for queue in queues if queue]:
            shape = self.draw.choice(waiting)[0][0]
            ready = [queue for queue in waiting if queue[0][0] == shape]
            items = []
            for queue in self.draw.sample(ready, self.draw.randint(1, len(ready))):
                items.append(queue.pop(0)[1])
                if queue and queue[0][0] == shape and self._chance(0.2):
                    items.append(queue.pop(0)[1])
                    self._mark("twice in one answer")
            if self._chance(0.3):
                items.insert(self.draw.randint(0, len(items)), self._unreadable(shape))
            if self._chance(0.2):
                number = self.draw.choice(NUMBERS)
                items.append({"id": int(number)} if shape == "array" else {"meeting_id": number})
                self._mark("a number without report")
            answers.append(_answer(shape, items))
        return answers

    def _unreadable(self, shape: str) -> Item:
        """A record that makes no sense; perhaps of a meeting that is known, of which it must not change a thing."""
        known = self._chance(0.5)
        meeting = replace(self.draw.choice(self.meetings), topic="unreadable", visits=[("Nobody", self.begin, None)])
        if not known:
            meeting.uuid = f"unreadable-{self.draw.randrange(100)}"
        item = self._item(shape, meeting, frozenset())
        wrongs: tuple[Item, ...] = (
            {"start_time": None},
            {"start_time": "yesterday"},
            {"uuid": ""},
            {"duration": "long"},
            {"participants": "none"},
            {"participants": [{"name": "Anna", "leave_time": None}]},
            {"is_extra": "perhaps"},
            {"telephony_usage": [{"phone_number": "1", "total": "free"}]},
        )
        self._mark("an unreadable record")
        self._mark("an unreadable record of a known meeting", known)
        return item | self.draw.choice(wrongs)

    def _with_rooms(self, answers: list[Item]) -> list[Item]:
        """Lists of rooms in between, before or after."""
        lists = self.draw.choice((0, 1, 1, 1, 2))
        for number in range(lists):
            if number:
                self.room_names[self.draw.choice(HOSTS)] = self.draw.choice(ROOM_NAMES)
                self._mark("rooms listed twice")
            hosts = self.draw.sample(HOSTS, self.draw.randint(1, len(HOSTS)))
            names = [" ".join(self.room_names[host].split()) for host in hosts]
            self._mark("rooms listed")
            self._mark("rooms of one name", any(names.count(name) > 1 for name in names if name))
            place = self.draw.randint(0, len(answers))
            self._mark("rooms listed after meetings", place)
            answers.insert(place, {"status": 200, "message": "OK", "data": [self._room(host) for host in hosts]})
        return answers

    def _room(self, host: str) -> Item:
        item: Item = {"id": host, "first_name": self.room_names[host] or None, "meetings": []}
        self._put(item, "email", self._email(host) if self._chance(0.8) else None)
        self._put(item, "meeting_capacity", self.draw.choice(("25", 50, "100", None)))
        return item

    def _email(self, host: str) -> str:
        email = f"room{HOSTS.index(host)}@rooms.example"
        if self._chance(0.2):
            self._mark("e-mail in capitals")
            return email.upper()
        return email

    # Which edges a meeting holds

    def _mark_meeting(self, meeting: _Meeting) -> None:
        start, end = meeting.start, meeting.end
        until = self.now if end is None else end
        self._mark("running", end is None)
        self._mark("zero length", start == end)
        self._mark("negative length", end is not None and end < start)
        self._mark("starts after now", start > self.now)
        if until > start:
            self._mark_span(start, until)
        self._mark("no booked length", meeting.booked is None)
        extra_room = meeting.host.startswith("EXTRA")
        self._mark("extra room", extra_room and meeting.extra)
        self._mark("extra meeting in a room of the pool", meeting.host in HOSTS and meeting.extra)
        self._mark("unreported", meeting.visits is None)
        self._mark("empty", end is not None and meeting.visits == [])
        self._mark("no calls", meeting.calls == [])
        self._mark("formula", meeting.topic.startswith(("=", "+", "-", "@", "\t", "\r")))
        self._mark("HTML", "<" in meeting.topic)
        self._mark("Chinese", "周" in meeting.topic)
        self._mark("line break", "\n" in meeting.topic)
        self._mark_visits(meeting, meeting.visits or [], until)
        for call in meeting.calls or []:
            if call.start is not None:
                self._mark("call on another day", self._day(call.start) != self._day(start))
                self._mark("call ends before its start", call.end is not None and call.end < call.start)

    def _mark_span(self, start: int, until: int) -> None:
        begin, last = self._day(start), self._day(until - 1)
        days = [begin + timedelta(days=number) for number in range((last - begin).days + 1)]
        self._mark("over midnight", len(days) > 1)
        self._mark("several days", len(days) > 2)
        self._mark("month end", begin.month != last.month)
        self._mark("leap day", any((day.month, day.day) == (2, 29) for day in days))
        before, after = (datetime.fromtimestamp(at, self.zone).utcoffset() for at in (start, until))
        self._mark("clock set forward", before < after)
        self._mark("clock set back", before > after)
        local = datetime.fromtimestamp(start, self.zone)
        hours = self.opening[local.weekday()]
        self._mark("touches opening hours", hours and hours[0] <= local.time() < hours[1])

    def _mark_visits(self, meeting: _Meeting, visits: list[Visit], until: int) -> None:
        groups: dict[int, list[Visit]] = {}
        for visit in visits:
            groups.setdefault(GROUP[visit[0]], []).append(visit)
            name, join, leave = visit
            self._mark("no name", name in NO_NAME)
            self._mark("no leave", leave is None)
            self._mark("no leave of an ended meeting", leave is None and meeting.end is not None)
            self._mark("leave before join", leave is not None and leave < join)
            self._mark("stays after the end", meeting.end is not None and leave is not None and leave > meeting.end)
            self._mark("joins before the start", join < meeting.start)
            self._mark("joins after now", join > self.now)
            if leave is not None and join < leave:
                others = {other[1] for other in visits if GROUP[other[0]] != GROUP[name]}
                self._mark("leaves and joins in the same second", leave in others)
        self._mark("solo", len(groups) == 1 and meeting.end is not None)
        for group in groups.values():
            self._mark("names that fold together", len({name for name, _, _ in group}) > 1)
            first = min(join for _, join, _ in group)
            self._mark("late by exactly five minutes", first == meeting.start + 300)
            self._mark("late by a second more", first == meeting.start + 301)
            stays = sorted((join, until if leave is None else leave) for _, join, leave in group)
            stays = [stay for stay in stays if stay[0] < stay[1]]
            for (_, left), (joined, _) in pairwise(stays):
                self._mark("rejoin", left < joined)
                self._mark("rejoin in the same second", left == joined)
                self._mark("two devices", joined < left)


def _answer(shape: str, items: list[Item]) -> Item:
    if shape == "array":
        return {"status": 200, "message": "OK", "data": items}
    paging = {"total_record": len(items), "total_page": 1, "page_number": 1, "page_size": 30, "has_next_page": False}
    return {
        "status": 200,
        "message": "OK",
        "data": {"from": "2026-1-1", "to": "2026-12-31", **paging, "meetings": items},
    }
