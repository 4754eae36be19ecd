"""Records in the API's spelling, and what is kept of them in a form that can be compared."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
from django.test import Client

from dashboard.remembered import shelf
from reports import exports, importer
from reports.filter import Filter
from reports.models import Meeting, Pull, Rejected, Room
from reports.provider.payloads import read_answer

KEY = "key-5f1e0c7ab2"
SECRET = "s3cret/+&=%秘密-do-not-tell"
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)  # noon in Shanghai
SAMPLE = Path(__file__).parent / "data" / "document-sample.json"


# What a long run tries more of: EXAMPLES=1 all that is written beside each test, 0.5 half of them.
EXAMPLES = float(os.environ.get("EXAMPLES", "0.5"))


def examples(count: int) -> hypothesis.settings:
    """So many worlds of a test, or the share of them that this run takes; in a ledger that is emptied by the test."""
    return hypothesis.settings(
        max_examples=max(3, round(count * EXAMPLES)),
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
    )


def meeting(**changes: Any) -> dict[str, Any]:
    """One meeting of the paged shape: an hour with two visits and one call, unless changed. None values stay."""
    record: dict[str, Any] = {
        "uuid": "abc+/DEF12345678==",
        "host_id": "HOST-1",
        "meeting_id": "1571106323",
        "topic": "周例会",
        "start_time": "2026-03-09 10:00:00",
        "duration": 60,
        "end_time": "2026-03-09 11:00:00",
        "is_extra": 0,
        "participants": [
            visit("王伟", "10:00:00", "11:00:00"),
            visit("Anna", "10:10:00", "10:40:00"),
        ],
        "telephony_usage": [call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6)],
    }
    return {**record, **changes}


def visit(name: str, join: str, leave: str | None, day: str = "2026-03-09") -> dict[str, Any]:
    return {"name": name, "join_time": f"{day} {join}", "leave_time": leave and f"{day} {leave}"}


def call(number: str, start: str, end: str, minutes: Any, total: Any, day: str = "2026-03-09") -> dict[str, Any]:
    return {
        "phone_number": number,
        "type": "call-out",
        "start_time": f"{day} {start}",
        "end_time": f"{day} {end}",
        "duration": minutes,
        "total": total,
    }


def paged(*records: dict[str, Any]) -> dict[str, Any]:
    """An answer of the paged shape."""
    data = {
        "total_record": len(records),
        "total_page": 1,
        "page_number": 1,
        "page_size": 300,
        "has_next_page": False,
        "meetings": list(records),
    }
    return {"status": 200, "message": "OK", "data": data}


def new_pull(source: str = "load") -> Pull:
    """A pull that is over when its one answer was imported: none is at work."""
    return Pull.objects.create(source=source, started_at=NOW, ended_at=NOW)


def take(*records: dict[str, Any], now: datetime = NOW, pull: Pull | None = None) -> importer.Outcome:
    """Read and import records of the paged shape, through JSON as everything that comes in."""
    answer = json.loads(json.dumps(paged(*records)), parse_float=_decimal)
    return importer.import_page(read_answer(answer, SHANGHAI).records, pull or new_pull(), now)


def take_array(*items: dict[str, Any], now: datetime = NOW) -> importer.Outcome:
    """Read and import items of the array shape."""
    answer = json.loads(json.dumps({"status": 200, "message": "OK", "data": list(items)}), parse_float=_decimal)
    return importer.import_page(read_answer(answer, SHANGHAI).records, new_pull(), now)


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def counts(outcome: importer.Outcome) -> tuple[int, int, int, int]:
    """(new, changed, same, rejected)"""
    return outcome.new, outcome.changed, outcome.same, outcome.rejected


def ledger(now: datetime = NOW) -> dict[str, Any]:
    """Everything kept that a person may come to see, without ids and times of our own doing."""
    everything = Filter()
    tables = {name: sorted(table.rows(everything, now)) for name, table in exports.TABLES.items()}
    return {
        **tables,
        "rooms": sorted(Room.objects.values_list("host_id", "email", "name", "capacity", "temporary")),
        "flags": sorted(
            Meeting.objects.values_list("uuid", "participants_reported", "telephony_reported", "local_day")
        ),
        "rejected": sorted(Rejected.objects.values_list("identity", "field")),
    }


def csv_rows(body: bytes) -> list[dict[str, str]]:
    """A CSV body as rows by column."""
    import csv
    import io

    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def worked_out(client: Client, address: str, data: dict[str, str] | None = None) -> Any:
    """The answer to a GET with the context of its templates, which a page that is remembered has no more."""
    shelf.clear()
    return client.get(address, data)
