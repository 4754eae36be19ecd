"""A large company's two years, straight into an empty database."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db import connection, transaction

from reports import bulk, importer, prepared, privacy, search, summaries
from reports.models import Meeting, Participant, Pull, Room, TelephonyUsage
from reports.moments import spelt
from reports.provider.payloads import Call, MeetingRecord, Shape, Visit

BATCH = 2000
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
GIVEN = "安博昌德恩方国海慧嘉建静俊凯兰丽明宁鹏琪瑞思涛文晓欣雅妍宇泽"
TOPICS = (
    "周例会",
    "项目评审",
    "预算讨论",
    "Design review",
    "客户沟通",
    "招聘面试",
    "Sprint planning",
    "培训",
    "月度复盘",
)
NUMBERS = ("+86139{:08d}", "+8610655{:05d}", "+85291{:06d}", "+120255501{:02d}", "+447700900{:03d}")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is: meetings, about how many visits and calls, rooms, and the days they lie in."""

    meetings: int
    visits: int
    calls: int
    rooms: int
    days: int

    def part(self, share: float) -> "Size":
        """The same company, so much smaller or larger; as many days, and rooms where it is smaller."""
        return Size(
            max(1, int(self.meetings * share)),
            max(1, int(self.visits * share)),
            max(1, int(self.calls * share)),
            int(self.rooms * max(1, share)),
            self.days,
        )


LARGE = Size(200_000, 2_000_000, 200_000, 500, 731)
ALL_HANDS = 30  # each so many days the meetings of three are at the same hour, and the pool runs short


def records(size: Size, last: date, seed: int = 1) -> Iterator[MeetingRecord]:
    """Meetings as a report of the API is read, oldest first, the last of them on `last`."""
    rng = random.Random(seed)
    names = [f"{rng.choice(SURNAMES)}{rng.choice(GIVEN)}{rng.choice(GIVEN)}" for _ in range(4000)]
    first = last - timedelta(days=size.days - 1)
    series = [f"15{number:08d}" for number in range(2000)]
    together = 0
    for number in range(size.meetings):
        place = number * size.days // size.meetings
        all_hands = place >= ALL_HANDS and place % ALL_HANDS < 3
        together = together + 1 if all_hands else 0
        day = first + timedelta(days=place - (place % ALL_HANDS if all_hands else 0))
        hour = rng.choices(
            range(24), (1, 1, 1, 1, 1, 1, 2, 5, 20, 40, 30, 15, 8, 25, 35, 25, 20, 10, 5, 4, 3, 2, 1, 1)
        )[0]
        start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
            hours=(10 if all_hands else hour) - 8, minutes=rng.randrange(0, 60, 5), seconds=rng.randrange(60)
        )
        booked = (90 if all_hands else rng.choice((15, 30, 30, 45, 60, 60, 90, 120))) * 60
        end = start + timedelta(seconds=int(booked * rng.uniform(0.4, 1.3)))
        count = max(0, int(rng.expovariate(size.meetings / max(1, size.visits))))
        visits = []
        for _ in range(count):
            join = start + timedelta(seconds=rng.randrange(0, 600))
            leave = min(end, join + timedelta(seconds=rng.randrange(60, 7200)))
            visits.append(Visit(name=rng.choice(names), join_time=join, leave_time=leave))
        calls = []
        for _ in range(int(rng.expovariate(size.meetings / max(1, size.calls)) + 0.5)):
            dialled = start + timedelta(seconds=rng.randrange(0, 900))
            minutes = rng.randrange(1, 90)
            calls.append(
                Call(
                    phone_number=rng.choice(NUMBERS).format(rng.randrange(100)),
                    type=rng.choice(("call-in", "call-out")),
                    start_time=dialled,
                    end_time=dialled + timedelta(minutes=minutes),
                    duration=minutes * 60,
                    total=Decimal(minutes * 6) / 100 if rng.random() > 0.01 else None,
                )
            )
        # Who finds no room in the pool is given one that is temporary.
        extra = together > size.rooms
        room = f"EXTRA-{number:07}" if extra else f"HOST-{(together or rng.randrange(size.rooms)) % size.rooms:04}"
        yield MeetingRecord(
            shape=Shape.PAGED,
            room_name=None,
            room_email=None,
            uuid=f"{seed:02x}{number:022x}==",
            host_id=room,
            meeting_id=rng.choice(series),
            topic=f"{rng.choice(TOPICS)} {rng.randrange(400)}",
            start_time=start,
            duration=booked,
            end_time=end,
            is_extra=extra,
            visits=tuple(visits) if rng.random() > 0.01 else None,
            calls=tuple(calls),
        )


def fill(size: Size, last: date, now: datetime) -> dict[str, int]:
    """Write such a company into an empty database; returns how many rows of each kind."""
    Room.objects.bulk_create(
        Room(host_id=f"HOST-{n:04}", name=f"Room {n:03}", email=f"room{n}@example.com", capacity=(10, 25, 50)[n % 3])
        for n in range(size.rooms)
    )
    pull = Pull.objects.create(source=Pull.Kind.LOAD, started_at=now, ended_at=now, state=Pull.State.DONE)
    book = importer.RoomBook()
    veil = privacy.Veil(now)
    zone = summaries.site_zone()
    counts = {"rooms": size.rooms, "meetings": 0, "visits": 0, "calls": 0}
    stream = records(size, last)
    moment = spelt(now)
    pk = 0
    while batch := list(islice(stream, BATCH)):
        meetings: list[Sequence[Any]] = []
        visits: list[Sequence[Any]] = []
        calls: list[Sequence[Any]] = []
        book.make_missing(batch)
        for record in batch:
            pk += 1
            ready = prepared.prepare(record, zone)
            meetings.append((pk, *importer.fresh_row(record, ready, book, pull, moment, veil)))
            visits += importer.of_meeting(pk, ready.visits)
            calls += importer.of_meeting(pk, ready.calls)
        with transaction.atomic():
            bulk.insert_rows(Meeting, ("id", *importer.OF_MEETINGS), meetings, ready=True)
            bulk.insert_rows(Participant, importer.OF_VISITS, visits, ready=True)
            bulk.insert_rows(TelephonyUsage, importer.OF_CALLS, calls, ready=True)
        counts["meetings"] += len(meetings)
        counts["visits"] += len(visits)
        counts["calls"] += len(calls)
    search.tidy()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            table = Meeting._meta.db_table
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, pk])
        cursor.execute("ANALYZE")
    return counts
