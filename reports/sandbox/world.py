"""A believable company that rents a pool of meeting rooms: the same seed is always the same world.

Every local day is drawn from its own seeded random numbers, so that any range of days can be asked in
any order and always gives the same meetings. What a report tells at a moment depends on that moment:
meetings run, end, are reported late, and some reports change afterwards.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from random import Random
from threading import Lock
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from reports.sandbox import words

Record = dict[str, Any]

EPOCH = date(2020, 1, 1)
# Half-hour slots of a working day with their weight: peaks at 10 and at 14–15, a lull at noon.
SLOTS = (
    *((8 * 60 + 30, 3), (9 * 60, 14), (9 * 60 + 30, 11), (10 * 60, 22), (10 * 60 + 30, 9), (11 * 60, 7)),
    *((13 * 60, 3), (13 * 60 + 30, 8), (14 * 60, 20), (14 * 60 + 30, 10), (15 * 60, 15), (16 * 60, 10)),
    *((16 * 60 + 30, 5), (17 * 60, 4), (19 * 60, 2), (20 * 60 + 30, 1)),
)
SLOT_STARTS = [slot for slot, _ in SLOTS]
SLOT_WEIGHTS = [weight for _, weight in SLOTS]
# Weekday, Monday first: how busy.
BUSY = (1.2, 1.0, 0.95, 1.15, 0.8, 0.05, 0.03)
CAPACITIES = ((10, 15), (25, 21), (50, 15), (100, 7), (200, 1), (300, 1))
# Public holidays by (month, day), and Spring Festival by year: the company rests.
HOLIDAYS = {(1, 1), (5, 1), (5, 2), (5, 3), *((10, day) for day in range(1, 8))}
SPRING = {
    2024: date(2024, 2, 9),
    2025: date(2025, 1, 28),
    2026: date(2026, 2, 16),
    2027: date(2027, 2, 5),
    2028: date(2028, 1, 25),
}
# Shape of a number, price of a minute in yuan, weight. Ranges for fiction where a country has them.
PHONES = (
    ("+861391{:07d}", "0.06", 40),
    ("+861580{:07d}", "0.06", 20),
    ("+86215{:07d}", "0.06", 10),
    ("1371{:07d}", "0.06", 5),
    ("+8529{:07d}", "0.35", 6),
    ("+658{:07d}", "0.42", 5),
    ("+1202555{:04d}", "0.30", 6),
    ("+447700900{:03d}", "0.55", 3),
    ("+4915{:09d}", "0.60", 3),
    ("+8190{:08d}", "0.80", 2),
    ("+6149{:07d}", "0.75", 2),
)


class Answers(Protocol):
    """What the server serves from: a World, or records written by hand."""

    zone: ZoneInfo

    def meetings(self, first: date, last: date, now: datetime) -> list[Record]: ...
    def reports(self, numbers: Iterable[str], now: datetime) -> list[Record]: ...
    def rooms(self) -> list[Record]: ...
    def licensing(self) -> dict[str, int]: ...


@dataclass(slots=True)
class Room:
    """A room of the pool, or a temporary one."""

    host_id: str
    name: str
    email: str
    capacity: int


@dataclass(slots=True)
class Series:
    """Meetings that come again under one number."""

    number: str
    topic: str
    weekdays: frozenset[int]
    minute: int
    booked: int
    people: list[str]
    every: int  # weeks


@dataclass(slots=True)
class Stay:
    name: str
    join: datetime
    leave: datetime | None


@dataclass(slots=True)
class Phone:
    number: str
    type: str
    start: datetime
    end: datetime
    minutes: int
    total: str | None


@dataclass(slots=True)
class Gathering:
    """One meeting with everything that will ever be reported of it. Times are UTC."""

    uuid: str
    number: str
    topic: str
    start: datetime
    booked: int | None
    end: datetime
    need: int
    stays: list[Stay]
    phones: list[Phone]
    reported_at: datetime
    final_at: datetime
    unreported: bool
    spelling: int
    room: Room | None = None
    extra: bool = False
    held_back: int = 0  # visits that only the final report tells


@dataclass
class World:
    """The simulated company.

    In: the seed; the provider's zone; how many rooms and meetings a working day. Out: records of the
    API's paged shape, plain dicts, in the spelling that the sandbox sends them.
    """

    seed: int = 1
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    room_count: int = 60
    meetings_per_day: int = 150
    withheld: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._days: dict[date, list[Gathering]] = {}
        self._drafts = lru_cache(maxsize=8)(self._draft)

    def _random(self, *parts: object) -> Random:
        return Random(":".join(str(part) for part in (self.seed, *parts)))

    # The fixed part ------------------------------------------------------------------------------------

    @cached_property
    def pool(self) -> list[Room]:
        """The rented rooms, the smallest first."""
        random = self._random("rooms")
        weights = [weight for _, weight in CAPACITIES]
        total = sum(weights)
        sizes: list[int] = []
        for capacity, weight in CAPACITIES:
            sizes += [capacity] * max(1, round(weight * self.room_count / total))
        sizes = sorted(sizes[: self.room_count] + [25] * max(0, self.room_count - len(sizes)))
        rooms = []
        for number, capacity in enumerate(sizes, 1):
            place = words.PLACES[(number - 1) % len(words.PLACES)]
            lap = (number - 1) // len(words.PLACES)
            name = f"{place}厅{lap + 1 if lap else ''}（{capacity}方）"
            rooms.append(Room(_token(random, 22), name, f"shareroom{number}@rooms.example", capacity))
        return rooms

    @cached_property
    def people(self) -> list[str]:
        """Display names of the company; some of them two people share."""
        random = self._random("people")
        names: dict[str, None] = {}
        while len(names) < 420:
            names[random.choice(words.SURNAMES) + random.choice(words.GIVEN)] = None
        return [*names, *words.FOREIGN]

    @cached_property
    def teams(self) -> list[list[str]]:
        random = self._random("teams")
        return [random.sample(self.people, random.randint(8, 22)) for _ in words.TEAMS]

    @cached_property
    def series(self) -> list[Series]:
        """Weekly and daily meetings, each under one number for good."""
        random = self._random("series")
        found = []
        scale = self.meetings_per_day / 150
        for index in range(max(2, round(80 * scale))):
            team = random.randrange(len(words.TEAMS))
            daily = index % 7 == 0
            topic = random.choice(words.DAILY if daily else words.WEEKLY)
            size = min(len(self.teams[team]), random.randint(3, 7) if daily else random.randint(3, 10))
            found.append(
                Series(
                    number=str(9_000_000_00 + random.randrange(10**8) + index)[:9],
                    topic=f"{words.TEAMS[team]} {topic}",
                    weekdays=frozenset(range(5)) if daily else frozenset({random.randrange(5)}),
                    minute=random.choice((525, 540, 555)) if daily else random.choices(SLOT_STARTS, SLOT_WEIGHTS)[0],
                    booked=random.choice((15, 20, 30)) if daily else random.choice((30, 60, 60, 90)),
                    people=self.teams[team][:size],
                    every=1 if daily else random.choice((1, 1, 1, 2)),
                )
            )
        return found

    @cached_property
    def _series_numbers(self) -> set[str]:
        return {series.number for series in self.series}

    # One day -------------------------------------------------------------------------------------------

    def day(self, day: date) -> list[Gathering]:
        """All meetings that start on a local day, by start."""
        with self._lock:
            found = self._days.get(day)
        if found is None:
            found = self._allocate(day)
            with self._lock:
                if len(self._days) > 1200:
                    self._days.clear()
                self._days[day] = found
        return found

    def _load(self, day: date) -> float:
        """How busy a day is: 1 is an ordinary working day."""
        spring = SPRING.get(day.year)
        if (day.month, day.day) in HOLIDAYS or (spring and timedelta(0) <= day - spring < timedelta(days=8)):
            return 0.02
        growth = 0.85 + 0.3 * ((day.toordinal() % 365) / 365)
        return BUSY[day.weekday()] * growth * self._random("load", day).uniform(0.85, 1.15)

    def _draft(self, day: date) -> list[Gathering]:
        """The meetings of a day before they got rooms; those over midnight have theirs."""
        random = self._random("day", day)
        load = self._load(day)
        week = day.isocalendar().week
        gatherings = []
        if load > 0.3:
            for series in self.series:
                if day.weekday() in series.weekdays and week % series.every == 0 and random.random() < 0.93:
                    gatherings.append(
                        self._gathering(
                            day, random, series.minute, series.booked, series.topic, series.number, series.people
                        )
                    )
        wanted = round(self.meetings_per_day * load)
        serial = 0
        while len(gatherings) < wanted:
            serial += 1
            number = f"1{(day - EPOCH).days:04d}{serial:05d}"
            minute = random.choices(SLOT_STARTS, SLOT_WEIGHTS)[0]
            booked = random.choices((30, 45, 60, 90, 120, 180), (20, 8, 40, 18, 10, 4))[0]
            size = random.choices((2, 3, 4, 5, 6, 8, 12, 20, 40), (24, 24, 18, 12, 8, 7, 4, 2, 1))[0]
            team = random.choice(self.teams)
            topic = f"{random.choice(words.TEAMS)} {random.choice(words.SINGLE)}"
            kind = random.random()
            need = 0
            if kind < 0.002:
                minute, booked, size = random.choice((600, 840)), 90, random.randint(80, 260)
                topic = random.choice(words.LARGE)
            elif kind < 0.028:
                # Booked for many, attended by some: what makes large rooms run short.
                minute, booked, topic = random.choice((600, 840, 870)), 90, random.choice(words.LARGE)
                size, need = random.randint(12, 40), random.choice((80, 120, 150, 180, 250))
            elif kind < 0.032:
                # A call with another continent, over midnight.
                minute, booked = random.choice((1365, 1380, 1400)), 90
                topic = "海外同步 Global sync"
            elif kind < 0.04:
                topic = random.choice(words.NASTY)
            people = random.sample(team, min(size, len(team)))
            people += random.sample(self.people, max(0, min(size, 300) - len(people)))
            gathering = self._gathering(day, random, minute, booked, topic, number, people)
            gathering.need = max(gathering.need, need)
            gatherings.append(gathering)
        gatherings.sort(key=lambda gathering: (gathering.start, gathering.uuid))
        late: list[Gathering] = []
        for gathering in gatherings:
            if gathering.end.astimezone(self.zone).date() > day:
                taken = {other.room.host_id for other in late if other.room}
                fitting = [room for room in self.pool if room.capacity >= gathering.need and room.host_id not in taken]
                self._give(gathering, fitting[0] if fitting else None)
                late.append(gathering)
        return gatherings

    def _gathering(
        self, day: date, random: Random, minute: int, booked: int, topic: str, number: str, people: Sequence[str]
    ) -> Gathering:
        booked_start = datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC) + timedelta(
            minutes=minute
        )
        start = booked_start + timedelta(seconds=random.randint(-600, 240))
        second = timedelta(seconds=1)
        draw = random.random()
        instant = draw < 0.12
        stays: list[Stay] = []
        if draw < 0.025:
            # Nobody came: "an instant meeting that nobody joins is deleted 30 minutes after its start".
            end = start + timedelta(minutes=30)
        else:
            length = timedelta(minutes=booked * random.choice((0.4, 0.6, 0.75, 0.85, 0.95, 1.0, 1.05, 1.2, 1.5)))
            if draw > 0.985:
                people = people[:1]
            closing = start + max(length, timedelta(minutes=4))
            for name in people:
                stays += self._stays(random, name, start, closing)
            stays.sort(key=lambda stay: (stay.join, stay.name))
            last = max(stay.leave or closing for stay in stays)
            end = last + random.randint(0, 90) * second
        phones = self._phones(random, start, end) if stays and random.random() < 0.12 else []
        lag = random.choices((random.randint(2, 20), random.randint(40, 300), random.randint(1000, 4000)), (85, 12, 3))[
            0
        ]
        reported_at = end + timedelta(minutes=lag)
        revised = len(stays) > 2 and random.random() < 0.05
        return Gathering(
            uuid=base64.b64encode(random.randbytes(16)).decode(),
            number=number,
            topic=topic,
            start=start,
            booked=None if instant and random.random() < 0.2 else booked,
            end=end,
            need=max(2, len(people)),
            stays=stays,
            phones=phones,
            reported_at=reported_at,
            final_at=reported_at + timedelta(minutes=random.randint(60, 1500)) if revised else reported_at,
            unreported=random.random() < 0.007,
            spelling=random.randrange(2**16),
            held_back=random.randint(1, 2) if revised else 0,
        )

    def _stays(self, random: Random, name: str, start: datetime, closing: datetime) -> list[Stay]:
        """The visits of one person: one mostly; rejoins, second devices, clock faults and missing ends too."""
        second = timedelta(seconds=1)
        total = int((closing - start).total_seconds())
        when = random.random()
        if when < 0.15:
            join = start - random.randint(0, 900) * second  # up to 15 minutes early
        elif when < 0.85:
            join = start + random.randint(0, 240) * second
        else:
            join = start + random.randint(240, max(241, total * 2 // 3)) * second
        leave = closing + random.randint(-60, 45) * second
        if random.random() < 0.1:
            leave = join + timedelta(seconds=random.randint(30, max(31, total // 2)))
        leave = max(leave, join + second)
        shown = name
        look = random.random()
        if look < 0.02:
            shown = name.upper() if name.isascii() else f" {name} "
        elif look < 0.03:
            shown = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in name)
        fate = random.random()
        if fate < 0.07 and total > 600:
            middle = join + (leave - join) * random.uniform(0.2, 0.7)
            middle = middle.replace(microsecond=0)
            # Some come back in the very second they dropped out.
            back = middle + random.choice((0, random.randint(5, 240))) * second
            return [Stay(shown, join, middle), Stay(shown, back, max(leave, back))]
        if fate < 0.11:
            device = name + random.choice(words.DEVICES) if random.random() < 0.6 else shown
            late = join + random.randint(10, 120) * second
            return [Stay(shown, join, leave), Stay(device, late, max(leave, late))]
        if fate < 0.113:
            return [Stay(shown, join, join - random.randint(1, 90) * second)]  # a clock fault
        if fate < 0.118:
            return [Stay(shown, join, None)]  # an end that was never told
        if fate < 0.12:
            return [Stay("", join, leave)]
        return [Stay(shown, join, leave)]

    def _phones(self, random: Random, start: datetime, end: datetime) -> list[Phone]:
        phones = []
        total = max(60, int((end - start).total_seconds()))
        for _ in range(random.choices((1, 2, 3, 5), (60, 25, 10, 5))[0]):
            shape, price, _weight = random.choices(PHONES, [weight for _, _, weight in PHONES])[0]
            digits = shape[shape.index("{:0") + 3]
            number = shape.format(random.randrange(10 ** int(digits)))
            begin = start + timedelta(seconds=random.randint(0, total // 2))
            finish = min(end, begin + timedelta(seconds=random.randint(20, total)))
            minutes = max(1, -(-int((finish - begin).total_seconds()) // 60))
            cents = int(price.replace(".", "")) * minutes
            kind = random.choices(("call-out", "call-in", "callback"), (60, 39, 1))[0]
            priced = random.random() > 0.02
            phones.append(
                Phone(number, kind, begin, finish, minutes, f"{cents // 100}.{cents % 100:02d}" if priced else None)
            )
        return phones

    def _allocate(self, day: date) -> list[Gathering]:
        """Give every meeting of a day its room: the smallest that fits and is free, else a temporary one."""
        gatherings = self._drafts(day)
        before = [late for late in self._drafts(day - timedelta(days=1)) if late.room]
        busy: dict[str, list[tuple[datetime, datetime]]] = {}
        for late in (*before, *(gathering for gathering in gatherings if gathering.room)):
            if late.room:
                busy.setdefault(late.room.host_id, []).append((late.start, late.end))
        for gathering in gatherings:
            if gathering.room is not None:
                continue
            span = (gathering.start, gathering.end)
            for room in self.pool:
                if room.capacity >= gathering.need and not any(
                    start < span[1] and span[0] < end for start, end in busy.get(room.host_id, ())
                ):
                    busy.setdefault(room.host_id, []).append(span)
                    self._give(gathering, room)
                    break
            else:
                self._give(gathering, None)
        return gatherings

    def _give(self, gathering: Gathering, room: Room | None) -> None:
        if room is None:
            digest = hashlib.sha256(f"{self.seed}:{gathering.uuid}".encode()).digest()
            token = base64.urlsafe_b64encode(digest).decode()[:22]
            room = Room(token, "", "", 0)
            gathering.extra = True
        gathering.room = room

    # What is told --------------------------------------------------------------------------------------

    def meetings(self, first: date, last: date, now: datetime) -> list[Record]:
        """Records of the meetings that start on local days first to last, as they are told at `now`."""
        today = now.astimezone(self.zone).date()
        found = []
        day = first
        while day <= min(last, today + timedelta(days=1)):
            found += [
                _record(gathering, self.zone, now)
                for gathering in self.day(day)
                if gathering.start <= now and gathering.uuid not in self.withheld
            ]
            day += timedelta(days=1)
        return found

    def reports(self, numbers: Iterable[str], now: datetime) -> list[Record]:
        """Records under some numbers: of a single meeting its day's, of a series the last thirty days'."""
        found = []
        today = now.astimezone(self.zone).date()
        wanted = list(dict.fromkeys(numbers))
        days: dict[date, set[str]] = {}
        for number in wanted:
            if number in self._series_numbers:
                for back in range(30):
                    days.setdefault(today - timedelta(days=back), set()).add(number)
            elif len(number) == 10 and number.startswith("1") and number.isdigit():
                days.setdefault(EPOCH + timedelta(days=int(number[1:5])), set()).add(number)
        for day in sorted(days):
            if day > today + timedelta(days=1):
                continue
            found += [
                _record(gathering, self.zone, now)
                for gathering in self.day(day)
                if gathering.number in days[day]
                and gathering.reported_at <= now
                and gathering.uuid not in self.withheld
            ]
        return found

    def numbers(self, first: date, last: date) -> list[str]:
        """Every meeting number in use on some local days, each once."""
        found: dict[str, None] = {}
        for back in range((last - first).days + 1):
            found.update(dict.fromkeys(gathering.number for gathering in self.day(first + timedelta(days=back))))
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
        counts: dict[str, int] = {}
        for room in self.pool:
            counts[str(room.capacity)] = counts.get(str(room.capacity), 0) + 1
        return counts


@dataclass
class FixedWorld:
    """Records written by hand, served as they are: lists of the API's dicts."""

    records: list[Record] = field(default_factory=list)
    room_records: list[Record] = field(default_factory=list)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))

    def meetings(self, first: date, last: date, now: datetime) -> list[Record]:
        def day(record: Record) -> str:
            parts = str(record.get("start_time", ""))[:10].strip().split("-")
            return "-".join(part.zfill(2) for part in parts)

        return [record for record in self.records if first.isoformat() <= day(record) <= last.isoformat()]

    def reports(self, numbers: Iterable[str], now: datetime) -> list[Record]:
        wanted = set(numbers)
        return [record for record in self.records if str(record.get("meeting_id")) in wanted]

    def rooms(self) -> list[Record]:
        return self.room_records

    def licensing(self) -> dict[str, int]:
        return {"50": len(self.room_records)}


def _token(random: Random, length: int) -> str:
    return base64.urlsafe_b64encode(random.randbytes(length)).decode()[:length]


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    # isoformat is several times faster than strftime, and a year of this is a million times.
    return "" if moment is None else moment.astimezone(zone).isoformat(" ", "seconds")[:19]


def _record(gathering: Gathering, zone: ZoneInfo, now: datetime) -> Record:
    """What is told of a meeting at a moment, in one of the spellings that the real service was seen to use."""
    spelling = gathering.spelling
    running = gathering.end > now
    stays = gathering.stays
    phones = gathering.phones
    if running:
        stays = [
            Stay(stay.name, stay.join, stay.leave if stay.leave and stay.leave <= now else None)
            for stay in stays
            if stay.join <= now
        ]
        phones = [phone for phone in phones if phone.end <= now]
    elif now < gathering.final_at and gathering.held_back:
        stays = stays[: -gathering.held_back]
        phones = [Phone(p.number, p.type, p.start, p.end, p.minutes, None) for p in phones]
    record: Record = {
        "uuid": gathering.uuid,
        "host_id": gathering.room.host_id if gathering.room else "",
        "meeting_id": int(gathering.number) if spelling & 1 else gathering.number,
        "topic": gathering.topic,
        "start_time": _unpadded(_local(gathering.start, zone)) if spelling & 2 else _local(gathering.start, zone),
        "duration": _booked(gathering.booked, spelling),
        "end_time": _local(gathering.end, zone),
        "is_extra": ("1", 1, True, 1)[spelling >> 2 & 3] if gathering.extra else ("0", 0, False, 0)[spelling >> 2 & 3],
    }
    if running:
        if spelling & 16:
            record["end_time"] = None if spelling & 32 else ""
        else:
            del record["end_time"]
    if gathering.unreported or (not running and now < gathering.reported_at):
        # Over, but its report has not come yet (or never will).
        return {**record, "participants": None} if spelling & 64 else record
    record["participants"] = [
        {
            "name": stay.name,
            "join_time": _local(stay.join, zone),
            "leave_time": _local(stay.leave, zone) if stay.leave else ("" if spelling & 128 else None),
        }
        for stay in stays
    ]
    record["telephony_usage"] = [
        {
            "phone_number": phone.number,
            "type": phone.type,
            "start_time": _local(phone.start, zone),
            "end_time": _local(phone.end, zone),
            "duration": phone.minutes,
            "total": phone.total if phone.total is None or spelling & 256 else float(phone.total),
        }
        for phone in phones
    ]
    return record


def _booked(minutes: int | None, spelling: int) -> Any:
    if minutes is None:
        return None
    return (minutes, minutes, str(minutes), f"{minutes}分钟")[spelling >> 9 & 3]


def _unpadded(text: str) -> str:
    day, _, clock = text.partition(" ")
    year, month, number = day.split("-")
    return f"{year}-{int(month)}-{int(number)} {clock}"
