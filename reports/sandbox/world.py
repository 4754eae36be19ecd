"""A believable company that rents a pool of meeting rooms: the same seed is always the same world.

Every local day is drawn from its own seeded random numbers, so that any range of days can be asked in
any order, by any number of threads, and always gives the same meetings. What a report tells depends on the
moment of the question: meetings run, end, are reported late, and some reports change afterwards.

Moments inside are whole seconds since 1970 (UTC): a year holds a million of them, and they become text only
at the edge.
"""

import base64
import math
import re
from bisect import bisect
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from random import Random
from threading import RLock
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from reports.sandbox import words

Record = dict[str, Any]

# Days outside have no meetings: the number of a single meeting holds its day.
EPOCH = date(2015, 1, 1)
MOST_DAYS = 8999
SERIES_DAYS = 30  # share/reports tells the last so many days of a number that comes again
KEPT_DAYS = 70  # two months in memory: paging through one month asks for the same days again and again
MINUTE, DAY = 60, 86_400

# Half-hour slots of a working day with their weight: peaks at 10 and at 14–15, a lull at noon.
SLOTS = (
    *((8 * 60 + 30, 3), (9 * 60, 14), (9 * 60 + 30, 11), (10 * 60, 22), (10 * 60 + 30, 9), (11 * 60, 7)),
    *((12 * 60, 1), (13 * 60, 3), (13 * 60 + 30, 8), (14 * 60, 20), (14 * 60 + 30, 10), (15 * 60, 15)),
    *((16 * 60, 10), (16 * 60 + 30, 5), (17 * 60, 4), (19 * 60, 2), (20 * 60 + 30, 1)),
)
BOOKED = ((30, 20), (45, 8), (60, 40), (90, 18), (120, 10), (180, 4))
SIZES = ((2, 27), (3, 25), (4, 19), (5, 12), (6, 8), (8, 6), (12, 4), (20, 2), (40, 1), (70, 0.3))
LENGTHS = (0.4, 0.6, 0.75, 0.85, 0.95, 1.0, 1.05, 1.2, 1.5)
# Weekday, Monday first: how busy.
BUSY = (1.2, 1.0, 0.95, 1.15, 0.8, 0.05, 0.03)
CAPACITIES = ((10, 15), (25, 21), (50, 15), (100, 7), (200, 1), (300, 1))
# Public holidays by (month, day), and Spring Festival by year (eight days from its eve): the company rests.
HOLIDAYS = {(1, 1), *((5, day) for day in range(1, 6)), *((10, day) for day in range(1, 8))}
SPRING = {
    2024: date(2024, 2, 9),
    2025: date(2025, 1, 28),
    2026: date(2026, 2, 16),
    2027: date(2027, 2, 5),
    2028: date(2028, 1, 25),
}
# Shape of a number, how many numbers it has, cents of a minute, weight. Ranges for fiction where a country has them.
PHONES = (
    (("+861391{:07d}", 10**7, 6), 40),
    (("+861580{:07d}", 10**7, 6), 20),
    (("+86215{:07d}", 10**7, 6), 8),
    (("1371{:07d}", 10**7, 6), 5),
    (("+8610655{:05d}", 10**5, 6), 4),
    (("+85291{:06d}", 10**6, 35), 6),
    (("+6581{:06d}", 10**6, 42), 5),
    (("+120255501{:02d}", 100, 30), 6),
    (("+447700900{:03d}", 1000, 55), 3),
    (("+4915{:09d}", 10**9, 60), 3),
    (("+8190{:08d}", 10**8, 80), 2),
    (("+61491570{:03d}", 1000, 75), 2),
)

# One-off numbers look drawn at random and yet tell their day: multiplied within 9·10⁹ by a number without a
# common factor, which can be undone.
SPAN, FACTOR = 9_000_000_000, 3_141_592_651
UNDO = pow(FACTOR, -1, SPAN)
A_DAY = 10**6


class Answers(Protocol):
    """What the server serves from: a World, or records written by hand. Its records are not to be changed."""

    zone: ZoneInfo

    def meetings(self, first: date, last: date, now: datetime) -> list[Record]: ...
    def reports(self, numbers: Iterable[str], now: datetime) -> list[Record]: ...
    def rooms(self) -> list[Record]: ...
    def licensing(self) -> dict[str, int]: ...


@dataclass(slots=True)
class Room:
    """A room of the pool, or a temporary one (capacity 0)."""

    host_id: str
    name: str
    email: str
    capacity: int


@dataclass(slots=True)
class Series:
    """Meetings that come again under one number. minute: of the local day; booked: minutes; every: weeks."""

    number: str
    topic: str
    weekdays: frozenset[int]
    minute: int
    booked: int
    people: list[str]
    every: int


# Name, join and leave: one visit. No leave: it was never told.
Stay = tuple[str, int, int | None]


@dataclass(slots=True)
class Phone:
    number: str
    type: str
    start: int
    end: int
    minutes: int
    total: str | None


@dataclass(slots=True)
class Gathering:
    """One meeting with everything that will ever be reported of it.

    need: people the room must hold; held_back: visits that only the final report, at `final_at`, tells;
    spelling: bits that choose how its values are written.
    """

    uuid: str
    number: str
    topic: str
    start: int
    booked: int | None
    end: int
    need: int
    stays: list[Stay]
    phones: list[Phone]
    reported_at: int
    final_at: int
    unreported: bool
    spelling: int
    held_back: int
    room: Room | None = None
    extra: bool = False


@dataclass(slots=True)
class Day:
    """The meetings of a local day; `records` once nothing of them can change any more, from `settled_at` on."""

    gatherings: list[Gathering]
    settled_at: int
    records: list[Record] | None = None


class World:
    """The simulated company.

    In: the seed; the provider's zone; how many rooms; meetings of an ordinary working day; the first local
    day that has meetings (None: as far back as anyone asks). Out: records of the API's paged shape, plain
    dicts in the spelling that the sandbox sends, which are shared and not to be changed. The uuids in
    `withheld` are never told, not even counted in a total; a Sandbox's `undelivered` are counted.
    """

    def __init__(
        self,
        seed: int = 1,
        zone: ZoneInfo | str = "Asia/Shanghai",
        rooms: int = 60,
        meetings_per_day: int = 150,
        *,
        first_day: date | None = None,
        withheld: Iterable[str] = (),
    ) -> None:
        self.seed = seed
        self.zone = ZoneInfo(zone) if isinstance(zone, str) else zone
        self.room_count = rooms
        self.meetings_per_day = meetings_per_day
        self.first_day = max(first_day or EPOCH, EPOCH)
        self.last_day = EPOCH + timedelta(days=MOST_DAYS - 1)
        self.withheld = set(withheld)
        self._clock = Clock(self.zone)
        # Generation is one thread's work at a time: two that share a draft would book a room twice.
        self._lock = RLock()
        self._days: OrderedDict[date, Day] = OrderedDict()
        # Drawn but not yet given rooms; and which rooms (places in the pool) a day keeps until when on the next.
        self._drafts: OrderedDict[date, list[Gathering]] = OrderedDict()
        self._spills: dict[date, list[tuple[int, int]]] = {}

    def __repr__(self) -> str:
        return f"<World {self.seed}: {self.room_count} rooms, {self.meetings_per_day} meetings a day, {self.zone}>"

    def _random(self, *parts: object) -> Random:
        # A text as seed is hashed by SHA-512, the same in every process.
        return Random(":".join(str(part) for part in (self.seed, *parts)))

    # The fixed part ------------------------------------------------------------------------------------

    @cached_property
    def pool(self) -> list[Room]:
        """The rented rooms, the smallest first."""
        random = self._random("rooms")
        total = sum(weight for _, weight in CAPACITIES)
        sizes: list[int] = []
        for capacity, weight in CAPACITIES:
            sizes += [capacity] * max(1, round(weight * self.room_count / total))
        # A pool of a few rooms has the large ones too; what rounding leaves over is of the usual size.
        sizes = sorted(sizes, reverse=True)[: self.room_count] if len(sizes) > self.room_count else sizes
        sizes = sorted(sizes + [25] * (self.room_count - len(sizes)))
        rooms = []
        for number, capacity in enumerate(sizes, 1):
            lap, place = divmod(number - 1, len(words.PLACES))
            name = f"{words.PLACES[place]}厅{lap + 1 if lap else ''}（{capacity}方）"
            rooms.append(Room(_token(random), name, f"shareroom{number}@rooms.example", capacity))
        return rooms

    @cached_property
    def _classes(self) -> list[tuple[int, list[int]]]:
        """Places in the pool by capacity, the smallest first."""
        found: dict[int, list[int]] = {}
        for place, room in enumerate(self.pool):
            found.setdefault(room.capacity, []).append(place)
        return sorted(found.items())

    @cached_property
    def people(self) -> list[str]:
        """Display names of the company; a name that stands twice is shared by two people."""
        random = self._random("people")
        names: dict[str, None] = {}
        while len(names) < 420:
            names[random.choice(words.SURNAMES) + random.choice(words.GIVEN)] = None
        return [*names, *random.sample(list(names), 12), *words.FOREIGN]

    @cached_property
    def teams(self) -> list[list[str]]:
        random = self._random("teams")
        return [random.sample(self.people, random.randint(8, 22)) for _ in words.TEAMS]

    @cached_property
    def series(self) -> list[Series]:
        """Weekly and daily meetings, each under one number of 9 or 11 digits for good."""
        random = self._random("series")
        found: dict[str, Series] = {}
        wanted = max(2, round(80 * self.meetings_per_day / 150))
        slots, weights = _table(SLOTS)
        while len(found) < wanted:
            team = random.randrange(len(words.TEAMS))
            daily = len(found) % 7 == 0
            size = min(len(self.teams[team]), random.randint(3, 6) if daily else random.randint(3, 9))
            digits = 9 if random.random() < 0.7 else 11
            number = str(random.randrange(10 ** (digits - 1), 10**digits))
            found[number] = Series(
                number=number,
                topic=f"{words.TEAMS[team]} {random.choice(words.DAILY if daily else words.WEEKLY)}",
                weekdays=frozenset(range(5)) if daily else frozenset({random.randrange(5)}),
                minute=random.choice((525, 540, 555)) if daily else _draw(random, slots, weights),
                booked=random.choice((15, 20, 30)) if daily else random.choice((30, 60, 60, 90)),
                people=self.teams[team][:size],
                every=1 if daily else random.choice((1, 1, 1, 2)),
            )
        return list(found.values())

    @cached_property
    def _series_numbers(self) -> set[str]:
        return {series.number for series in self.series}

    # One day -------------------------------------------------------------------------------------------

    def day(self, day: date) -> list[Gathering]:
        """All meetings that start on a local day, by start. They are shared and not to be changed."""
        return self._day(day).gatherings

    def _day(self, day: date) -> Day:
        with self._lock:
            found = self._days.get(day)
            if found is None:
                gatherings = self._allocate(day) if self.first_day <= day <= self.last_day else []
                settled = max((max(one.end, one.final_at) for one in gatherings), default=0)
                found = self._days[day] = Day(gatherings, settled)
                while len(self._days) > KEPT_DAYS:
                    self._days.popitem(last=False)
            else:
                self._days.move_to_end(day)
            return found

    def _load(self, day: date) -> float:
        """How busy a day is: 1 is an ordinary working day of early 2026."""
        spring = SPRING.get(day.year)
        if (day.month, day.day) in HOLIDAYS or (spring and timedelta(0) <= day - spring < timedelta(days=8)):
            return 0.02
        growth = min(max(0.94 + 0.1 * (day - date(2026, 1, 1)).days / 365, 0.5), 1.6)
        season = 1 + 0.05 * math.sin(2 * math.pi * day.timetuple().tm_yday / 365)
        week = self._random("week", *day.isocalendar()[:2]).uniform(0.92, 1.08)
        return BUSY[day.weekday()] * growth * season * week * self._random("load", day).uniform(0.9, 1.1)

    def _draft(self, day: date) -> list[Gathering]:
        """The meetings of a day before they got rooms; those that end after it already have theirs.

        So the next day knows its spill-over from this draft alone, and no day hangs on a chain of days before.
        """
        found = self._drafts.pop(day, None) or self._draw_day(day)
        midnight = self._clock.midnight(day + timedelta(days=1))
        spill: list[tuple[int, int]] = []
        self._spills[day] = spill
        taken: set[int] = set()
        for gathering in found:
            if gathering.end > midnight:
                fitting = (
                    place
                    for place, room in enumerate(self.pool)
                    if room.capacity >= gathering.need and place not in taken
                )
                place = next(fitting, None)
                if place is None:
                    gathering.room = self._temporary(gathering)
                else:
                    gathering.room = self.pool[place]
                    taken.add(place)
                    spill.append((place, gathering.end))
        return found

    def _spill(self, day: date) -> list[tuple[int, int]]:
        if day < self.first_day:
            return []
        if day not in self._spills:
            # Whoever asks backwards wants this very day next.
            self._drafts[day] = self._draft(day)
            if len(self._drafts) > 4:
                self._drafts.popitem(last=False)
        return self._spills[day]

    def _draw_day(self, day: date) -> list[Gathering]:
        maker = _Maker(self._random("day", day), self._clock.midnight(day), self._clock)
        random = maker.random
        load = self._load(day)
        weekday, week = day.weekday(), day.isocalendar().week
        gatherings = []
        if load > 0.3:
            for series in self.series:
                if weekday in series.weekdays and week % series.every == 0 and random.random() < 0.93:
                    there = [name for name in series.people if random.random() < 0.9] or series.people[:1]
                    gatherings.append(maker.gathering(series.minute, series.booked, series.topic, series.number, there))
        wanted = round(self.meetings_per_day * load)
        code = (day - EPOCH).days * A_DAY
        people, teams = self.people, self.teams
        evening = self._clock.midnight(day + timedelta(days=1)) - 10 * MINUTE
        for _ in range(max(1, round(self.meetings_per_day * 0.08))):
            # Operations never sleep: at any hour of any day somebody meets.
            code += 1
            topic = f"{words.OPERATIONS} {random.choice(words.SHIFT)}"
            there = random.sample(teams[words.TEAMS.index(words.OPERATIONS)], random.randint(2, 5))
            minute, booked = random.randint(15, 1425), random.choice((30, 60, 90))
            gatherings.append(maker.gathering(minute, booked, topic, _single(code), there))
        while len(gatherings) < wanted:
            code += 1
            number = _single(code)
            minute = _draw(random, *_SLOTS)
            booked = _draw(random, *_BOOKED)
            size = _draw(random, *_SIZES)
            team = random.choice(teams)
            topic = f"{random.choice(words.TEAMS)} {random.choice(words.SINGLE)}"
            kind = random.random()
            need = 0
            if kind < 0.002:
                minute, booked, size = random.choice((600, 840)), 90, random.randint(80, 300)
                topic = random.choice(words.LARGE)
            elif kind < 0.034:
                # Booked for many, attended by some: what makes large rooms run short.
                minute, booked, topic = random.choice((600, 840, 870)), 90, random.choice(words.LARGE)
                size, need = random.randint(8, 30), random.choice((80, 120, 150, 180, 250))
            elif kind < 0.039:
                # A call with another continent, over midnight.
                minute, booked = random.choice((1365, 1380, 1400)), 90
                topic = "海外同步 Global sync"
            elif kind < 0.048:
                topic = random.choice(words.NASTY)
            there = random.sample(team, min(size, len(team)))
            if size > len(there):
                there += random.sample(people, min(size - len(there), len(people)))
            gathering = maker.gathering(minute, booked, topic, number, there, need)
            gatherings.append(gathering)
            if kind > 0.99 and gathering.end - gathering.start > 20 * MINUTE and gathering.end < evening:
                # The host dropped out and opened the same number again: a second record under it.
                again = maker.gathering(minute, 30, topic, number, there[: max(2, size // 2)], need, gathering.end)
                gatherings.append(again)
        gatherings.sort(key=lambda gathering: (gathering.start, gathering.uuid))
        return gatherings

    def _allocate(self, day: date) -> list[Gathering]:
        """Give every meeting of a day its room: of the smallest size that has a free one, else a temporary one."""
        pool = self.pool
        free_at = [0] * len(pool)
        for place, end in self._spill(day - timedelta(days=1)):
            free_at[place] = end
        gatherings = self._draft(day)
        kept = {room.host_id: place for place, room in enumerate(pool)}
        reserved: dict[int, int] = {}
        for gathering in gatherings:
            if gathering.room is not None and not gathering.extra:
                reserved[kept[gathering.room.host_id]] = gathering.start
        for gathering in gatherings:
            if gathering.room is not None:
                continue
            found = self._free(gathering, free_at, reserved)
            if found is None:
                gathering.room = self._temporary(gathering)
            else:
                gathering.room = pool[found]
                # By order of start: whoever comes later needs only know when the room is free again.
                free_at[found] = gathering.end
        return gatherings

    def _free(self, gathering: Gathering, free_at: list[int], reserved: dict[int, int]) -> int | None:
        start, end = gathering.start, gathering.end
        for capacity, places in self._classes:
            if capacity < gathering.need:
                continue
            # Some rooms are better liked than others: the search begins rather in front than behind.
            count = len(places)
            first = (gathering.spelling % 97) ** 2 * count // 97**2
            for step in range(count):
                place = places[(first + step) % count]
                # A room reserved over midnight is free before, and no more after.
                if free_at[place] <= start and end <= reserved.get(place, end):
                    return place
        return None

    def _temporary(self, gathering: Gathering) -> Room:
        gathering.extra = True
        return Room(_token(self._random("extra", gathering.uuid)), "", "", 0)

    # What is told --------------------------------------------------------------------------------------

    def meetings(self, first: date, last: date, now: datetime) -> list[Record]:
        """Records of the meetings that start on local days first to last, as they are told at `now`."""
        today = now.astimezone(self.zone).date()
        first, last = max(first, self.first_day), min(last, today)
        found: list[Record] = []
        for offset in range((last - first).days + 1):
            found += self._told(first + timedelta(days=offset), int(now.timestamp()))
        if self.withheld:
            found = [record for record in found if record["uuid"] not in self.withheld]
        return found

    def _told(self, day: date, now: int) -> list[Record]:
        kept = self._day(day)
        if now < kept.settled_at:
            return [_record(one, self._clock, now) for one in kept.gatherings if one.start <= now]
        records = kept.records
        if records is None:
            # Two threads may do this at once; both make the same.
            records = kept.records = [_record(one, self._clock, now) for one in kept.gatherings]
        return records

    def snapshot(self, now: datetime) -> list[Record]:
        """Records of the meetings that run at `now`."""
        moment = int(now.timestamp())
        today = now.astimezone(self.zone).date()
        return [
            _record(one, self._clock, moment)
            for day in (today - timedelta(days=1), today)
            for one in self.day(day)
            if one.start <= moment < one.end and one.uuid not in self.withheld
        ]

    def reports(self, numbers: Iterable[str], now: datetime) -> list[Record]:
        """Reported records under some numbers: of a one-off its day's, of a series the last SERIES_DAYS days'."""
        moment = int(now.timestamp())
        today = now.astimezone(self.zone).date()
        days: dict[date, set[str]] = {}
        for number in dict.fromkeys(numbers):
            if number in self._series_numbers:
                for back in range(SERIES_DAYS):
                    days.setdefault(today - timedelta(days=back), set()).add(number)
            elif (day := _day_of(number)) and day <= today:
                days.setdefault(day, set()).add(number)
        return [
            _record(one, self._clock, moment)
            for day in sorted(days)
            for one in self.day(day)
            if one.number in days[day] and one.reported_at <= moment and one.uuid not in self.withheld
        ]

    def numbers(self, first: date, last: date) -> list[str]:
        """Every meeting number in use on some local days, each once."""
        found: dict[str, None] = {}
        for offset in range((last - first).days + 1):
            found.update(dict.fromkeys(one.number for one in self.day(first + timedelta(days=offset))))
        return list(found)

    def rooms(self) -> list[Record]:
        """The pool as share/rooms tells it."""
        return [
            {
                "id": room.host_id,
                "email": room.email,
                "first_name": room.name,
                "meeting_capacity": str(room.capacity),
                "meetings": [],
            }
            for room in self.pool
        ]

    def licensing(self) -> dict[str, int]:
        """How many rooms of each size are rented."""
        return {str(capacity): len(places) for capacity, places in self._classes}


class FixedWorld:
    """Records written by hand, served as they are at any time of asking: lists of the API's dicts.

    A record whose start cannot be read belongs to every day, so that a broken one is served at all.
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        rooms: Iterable[Record] = (),
        zone: ZoneInfo | str = "Asia/Shanghai",
    ) -> None:
        self.records = list(records)
        self.room_records = list(rooms)
        self.zone = ZoneInfo(zone) if isinstance(zone, str) else zone

    def meetings(self, first: date, last: date, now: datetime) -> list[Record]:
        found = []
        for record in self.records:
            start = read_time(record.get("start_time"), self.zone)
            if start is None or first <= start.astimezone(self.zone).date() <= last:
                found.append(record)
        return found

    def reports(self, numbers: Iterable[str], now: datetime) -> list[Record]:
        wanted = set(numbers)
        return [record for record in self.records if str(record.get("meeting_id")) in wanted]

    def rooms(self) -> list[Record]:
        return self.room_records

    def licensing(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for room in self.room_records:
            capacity = str(room.get("meeting_capacity", ""))
            counts[capacity] = counts.get(capacity, 0) + 1
        return counts


# How one meeting comes about ---------------------------------------------------------------------------


def _table(weighted: Sequence[tuple[Any, float]]) -> tuple[list[Any], list[float]]:
    """Values and their running weights, for `_draw`."""
    return [value for value, _ in weighted], list(accumulate(weight for _, weight in weighted))


def _draw(random: Random, values: list[Any], running: list[float]) -> Any:
    return values[bisect(running, random.random() * running[-1], 0, len(values) - 1)]


_SLOTS, _BOOKED, _SIZES, _PHONES = _table(SLOTS), _table(BOOKED), _table(SIZES), _table(PHONES)


class _Maker:
    """Draws the meetings of one local day, whose midnight (seconds since 1970) is given."""

    def __init__(self, random: Random, midnight: int, clock: "Clock") -> None:
        self.random = random
        self._midnight = midnight
        self._clock = clock

    def _below(self, limit: int) -> int:
        # Random.randrange takes five times as long, and this is asked a million times a year.
        return int(self.random.random() * limit)

    def gathering(
        self,
        minute: int,
        booked: int,
        topic: str,
        number: str,
        people: Sequence[str],
        need: int = 0,
        after: int | None = None,
    ) -> Gathering:
        """One meeting. In: booked start (minute of the local day) and length in minutes, who comes, how many
        the room must hold at least, and the moment of an earlier meeting's end if it follows one."""
        random, below = self.random, self._below
        start = self._midnight + minute * MINUTE
        # On the two days when clocks are set, the same wall time is another moment.
        start -= self._clock.offset(start) - self._clock.offset(self._midnight)
        start = start + below(841) - 600 if after is None else after + 60 + below(240)
        kind = random.random()
        stays: list[Stay] = []
        phones: list[Phone] = []
        if kind < 0.025 and after is None:
            # "An instant meeting that nobody joins is deleted 30 minutes after its start."
            end = start + 30 * MINUTE
        else:
            closing = start + max(int(booked * MINUTE * random.choice(LENGTHS)), 4 * MINUTE)
            if kind > 0.982:
                people = people[:1]
            for name in people:
                self._stay(stays, name, start, closing)
            stays.sort(key=_by_join)
            last = max([closing if leave is None else leave for _, _, leave in stays])
            end = max(last, start + MINUTE) + below(91)
            if random.random() < 0.12:
                phones = self._phones(start, end)
        late = random.random()
        lag = 2 + below(19) if late < 0.85 else 40 + below(261) if late < 0.97 else 1000 + below(3001)
        reported_at = end + lag * MINUTE
        revised = len(stays) > 2 and random.random() < 0.05
        return Gathering(
            uuid=base64.b64encode(random.randbytes(16)).decode(),
            number=number,
            topic=topic,
            start=start,
            booked=None if kind < 0.1 and random.random() < 0.2 else booked,
            end=end,
            need=max(2, len(people), need),
            stays=stays,
            phones=phones,
            reported_at=reported_at,
            final_at=reported_at + (60 + below(1441)) * MINUTE if revised else reported_at,
            unreported=random.random() < 0.007,
            spelling=random.getrandbits(20),
            held_back=1 + below(2) if revised else 0,
        )

    def _stay(self, stays: list[Stay], name: str, start: int, closing: int) -> None:
        """The visits of one person: one mostly; rejoins, second devices, clock faults and missing ends too."""
        random, below = self.random.random, self._below
        total = closing - start
        when = random()
        if when < 0.15:
            join = start - below(901)  # up to 15 minutes early
        elif when < 0.85:
            join = start + below(min(241, total))
        else:
            join = start + min(240, total // 2) + below(max(1, total // 2))
        leave = join + 30 + below(max(1, total // 2)) if random() < 0.1 else closing + below(106) - 60
        leave = max(leave, join + 1)
        fate = random()
        if fate < 0.85:
            stays.append((name, join, leave))
            return
        shown = name
        if fate < 0.88:
            # One person writes the own name in more than one way.
            if fate < 0.86 or not name.isascii():
                shown = name.upper() if name.isascii() else f" {name} "
            else:
                shown = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in name)
            stays.append((shown, join, leave))
        elif fate < 0.94 and leave - join > 600:
            middle = join + 120 + below(leave - join - 240)
            # Some come back in the very second they dropped out.
            back = middle + self.random.choice((0, 5 + below(100)))
            stays += ((name, join, middle), (name, back, leave))
        elif fate < 0.98:
            device = name + self.random.choice(words.DEVICES) if random() < 0.6 else name
            late = join + 10 + below(111)
            stays += ((name, join, leave), (device, late, max(leave, late)))
        elif fate < 0.983:
            stays.append((name, join, join - 1 - below(90)))  # a clock fault
        elif fate < 0.988:
            stays.append((name, join, None))
        elif fate < 0.99:
            stays.append(("", join, leave))
        else:
            stays.append((name + self.random.choice(words.DEVICES), join, leave))

    def _phones(self, start: int, end: int) -> list[Phone]:
        random, below = self.random, self._below
        phones = []
        total = end - start
        for _ in range(random.choice((1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 5))):
            shape, count, cents = _draw(random, *_PHONES)
            begin = start + below(max(1, total // 2))
            finish = max(begin + 1, min(end, begin + 20 + below(total)))
            minutes = -(-(finish - begin) // MINUTE)
            kind = random.random()
            phones.append(
                Phone(
                    number=shape.format(below(count)),
                    type="call-out" if kind < 0.6 else "call-in" if kind < 0.99 else "callback",
                    start=begin,
                    end=finish,
                    minutes=minutes,
                    total=f"{cents * minutes // 100}.{cents * minutes % 100:02d}" if random.random() > 0.02 else None,
                )
            )
        return phones


def _by_join(stay: Stay) -> tuple[int, str]:
    return stay[1], stay[0]


def _token(random: Random) -> str:
    """22 url-safe characters, as the API's ids of rooms."""
    return base64.urlsafe_b64encode(random.randbytes(17)).decode()[:22]


def _single(code: int) -> str:
    """The number of a one-off meeting, 10 digits; `_day_of` reads it."""
    return str(SPAN // 9 + code * FACTOR % SPAN)


def _day_of(number: str) -> date | None:
    """The local day of a one-off meeting by its number; None when it is none."""
    if len(number) != 10 or not number.isascii() or not number.isdigit() or number[0] == "0":
        return None
    days, serial = divmod((int(number) - SPAN // 9) * UNDO % SPAN, A_DAY)
    return EPOCH + timedelta(days=days) if serial else None


# How it is written -------------------------------------------------------------------------------------

_MINUTES = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
_SECONDS = [f"{second:02d}" for second in range(60)]


class Clock:
    """Writes moments (seconds since 1970) as the local times of a zone, fast."""

    QUARTER = 900  # no zone's offset changes but at a quarter of an hour

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offsets: dict[int, int] = {}
        self._days: dict[int, str] = {}

    def midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp())

    def offset(self, moment: int) -> int:
        """Seconds that the zone is ahead of UTC."""
        quarter = moment // self.QUARTER
        found = self._offsets.get(quarter)
        if found is None:
            ahead = datetime.fromtimestamp(quarter * self.QUARTER, self._zone).utcoffset() or timedelta(0)
            found = self._offsets[quarter] = int(ahead.total_seconds())
            if len(self._offsets) > 50_000:
                self._offsets = {}
        return found

    def text(self, moment: int) -> str:
        """`2017-08-31 00:00:00`."""
        day, second = divmod(moment + self.offset(moment), DAY)
        shown = self._days.get(day)
        if shown is None:
            shown = self._days[day] = f"{date(1970, 1, 1) + timedelta(days=day)} "
        return shown + _MINUTES[second // 60] + _SECONDS[second % 60]


def _record(gathering: Gathering, clock: Clock, now: int) -> Record:
    """What is told of a meeting at a moment, in one of the spellings that the real service was seen to use."""
    spelling = gathering.spelling
    running = gathering.end > now
    stays: Sequence[Stay] = gathering.stays
    phones = gathering.phones
    unpriced = False
    if running:
        stays = [
            (name, join, leave if leave is not None and leave <= now else None)
            for name, join, leave in stays
            if join <= now
        ]
        phones = [phone for phone in phones if phone.end <= now]
    elif now < gathering.final_at and gathering.held_back:
        stays = stays[: -gathering.held_back]
        phones, unpriced = phones[:-1] if len(phones) > 1 else phones, True
    text = clock.text
    start = text(gathering.start)
    record: Record = {
        "uuid": gathering.uuid,
        "host_id": gathering.room.host_id if gathering.room else "",
        "meeting_id": int(gathering.number) if spelling & 1 else gathering.number,
        "topic": gathering.topic,
        "start_time": _unpadded(start) if spelling & 2 else start,
        "duration": _booked(gathering.booked, spelling),
    }
    if not running:
        record["end_time"] = text(gathering.end)
    elif spelling & 16:
        record["end_time"] = None if spelling & 32 else ""
    if gathering.extra:
        record["is_extra"] = (1, 1, "1", True)[spelling >> 2 & 3]
    elif spelling >> 12 & 31:
        record["is_extra"] = (0, 0, "0", False)[spelling >> 2 & 3]
    if gathering.unreported or (not running and now < gathering.reported_at):
        # Over, but its report has not come yet (or never will).
        return {**record, "participants": None} if spelling & 64 else record
    unknown = "" if spelling & 128 else None
    record["participants"] = [
        {"name": name, "join_time": text(join), "leave_time": unknown if leave is None else text(leave)}
        for name, join, leave in stays
    ]
    record["telephony_usage"] = [
        {
            "phone_number": phone.number,
            "type": phone.type,
            "start_time": text(phone.start),
            "end_time": text(phone.end),
            "duration": phone.minutes,
            "total": None
            if unpriced or phone.total is None
            else (phone.total if spelling & 256 else float(phone.total)),
        }
        for phone in phones
    ]
    return record


def _booked(minutes: int | None, spelling: int) -> Any:
    if minutes is None:
        return None
    return (minutes, minutes, str(minutes), f"{minutes}分钟")[spelling >> 9 & 3]


def _unpadded(text: str) -> str:
    """2026-01-05 08:00:00 as 2026-1-5 08:00:00."""
    return f"{text[:5]}{int(text[5:7])}-{int(text[8:10])}{text[10:]}"


_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?(Z?)", re.ASCII)


def read_time(text: object, zone: ZoneInfo) -> datetime | None:
    """A time in any spelling that is served here, as UTC; None for what is no time."""
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        parts = [int(part or 0) for part in match.groups()[:6]]
        local = datetime(*parts, tzinfo=UTC if match[7] else zone)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    return local.astimezone(UTC)
