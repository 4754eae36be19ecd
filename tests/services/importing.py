"""A process that imports pages when it is told to: one line on stdin is one page, one line on stdout its end.

A line holds the number of the round; in one round all such processes take up the same meetings, rooms, numbers and
unreadable records, each in an order and with contents of its own.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
MEETINGS, ROOMS, BAD = 30, 8, 4


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def paged(random: Random, turn: int) -> list[dict[str, Any]]:
    """Most of a round's meetings and of those of the round before, some of them unreadable."""
    records = []
    for pool in {turn, max(0, turn - 1)}:
        for number in random.sample(range(MEETINGS), MEETINGS - 5):
            start = datetime(2026, 3, 9, 2) + timedelta(minutes=number)
            version = random.randrange(3)
            records.append(
                {
                    "uuid": f"{pool}-{number}",
                    # Every second round its rooms are known already, and nobody waits for them.
                    "host_id": f"R{pool // 2}-{random.randrange(ROOMS)}",
                    "meeting_id": str(1571000000 + number),
                    "topic": f"version {version}",
                    "start_time": _text(start),
                    "duration": 60,
                    "end_time": _text(start + timedelta(minutes=50)),
                    "is_extra": random.choice((0, 1, 1, None)),
                    "participants": [
                        {"name": f"guest {place}", "join_time": _text(start), "leave_time": _text(start + delta)}
                        for place, delta in enumerate([timedelta(minutes=5 + version)] * (version + 1))
                    ],
                    "telephony_usage": [
                        {
                            "phone_number": "+8613912345678",
                            "type": "call-in",
                            "start_time": _text(start),
                            "duration": version,
                        }
                    ],
                }
            )
    for number in range(BAD):
        good = random.random() < 0.5
        records.append({"uuid": f"bad-{number}", "start_time": "2026-03-09 10:00:00" if good else f"soon {turn}"})
    random.shuffle(records)
    return records


def unnamed(random: Random, turn: int) -> list[dict[str, Any]]:
    """Meetings of the array answer, whose rooms are told by their e-mails."""
    items = [
        {
            "uuid": f"{turn}-array-{number}",
            "id": 1572000000 + number,
            "email": f"r{turn // 2}-{number % ROOMS}@rooms.example",
            "start_time": "2026-03-09T02:00:00Z",
            "end_time": "2026-03-09T03:00:00Z",
            "participants": [{"user_name": "Li", "join_time": "2026-03-09T02:00:00Z", "leave_time": ""}],
        }
        for number in range(10)
    ]
    random.shuffle(items)
    return items


def rooms(random: Random, turn: int) -> list[dict[str, Any]]:
    """The provider's list of a round's rooms."""
    told = [
        {
            "id": f"R{pool}-{number}",
            "email": f"r{pool}-{number}@rooms.example",
            "first_name": f"Room {random.randrange(3)}",
        }
        for pool in {turn // 2, max(0, turn // 2 - 1)}
        for number in range(ROOMS)
    ]
    random.shuffle(told)
    return told


def main(seed: str) -> None:
    import django

    django.setup()
    from zoneinfo import ZoneInfo

    from reports import importer
    from reports.models import Pull
    from reports.provider.payloads import decode, read_answer

    zone = ZoneInfo("Asia/Shanghai")
    pull = Pull.objects.create(source=Pull.Kind.LOAD, started_at=NOW)
    sys.stdout.write(f"{pull.pk}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        turn = int(line)
        random = Random(f"{seed} {turn}")
        kind = random.choices(("paged", "unnamed", "rooms"), (6, 1, 1))[0]
        data: Any = {"paged": paged, "unnamed": unnamed, "rooms": rooms}[kind](random, turn)
        if kind == "paged":
            data = {"page_number": 1, "meetings": data}
        page = read_answer(decode(json.dumps({"status": 200, "data": data})), zone)
        outcome = importer.import_page(page.records, pull, NOW + timedelta(minutes=turn))
        sys.stdout.write(f"{kind} {outcome.new} {outcome.changed} {outcome.same} {outcome.rejected}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    main(sys.argv[1])
