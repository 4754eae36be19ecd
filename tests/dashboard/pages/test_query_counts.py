"""How often each page asks the database, pinned in query_counts.txt: it does not grow with rows, nor unnoticed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.remembered import shelf
from reports import folding
from reports.models import Meeting
from tests.support import meeting, take, visit

pytestmark = pytest.mark.django_db

PINNED = Path(__file__).with_name("query_counts.txt")
NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
PATHS = (
    *("/", "/pool/", "/booked/", "/series/", "/series/number/157000000/", "/rooms/", "/rooms/H0/", "/meetings/"),
    *("/meetings/{pk}/", "/telephony/", "/people/", "/people/anna/", "/data/", "/reconciliation/"),
)
FILTERS = ("", "room=H0", "period=90d", "period=all", "period=all&q=周例", "compare=1")


def fill(count: int) -> None:
    """Meetings in four rooms over 200 days, of two numbers, each with a name of its own and a call."""
    for n in range(count):
        day = (NOW - timedelta(days=200 - 200 * n // count)).date().isoformat()
        take(
            meeting(
                uuid=f"{count}-{n}",
                host_id=f"H{n % 4}",
                meeting_id=f"{157000000 + n % 2}",
                start_time=f"{day} 10:00:00",
                end_time=f"{day} 11:00:00",
                participants=[visit("Anna", "10:00:00", "11:00:00", day), visit(f"V{n}", "10:00:00", None, day)],
            )
        )
    take(
        meeting(
            uuid=f"{count}-running",
            host_id="H0",
            meeting_id="157000000",
            start_time="2026-03-10 11:00:00",
            end_time=None,
        )
    )
    folding.fold()


def counted(client: Client) -> list[str]:
    pk = Meeting.objects.order_by("start_time", "pk").values_list("pk", flat=True)[0]
    found = []
    for path in PATHS:
        for chosen in FILTERS:
            address = f"{path.format(pk=pk)}?{chosen}"
            client.get(address)  # what a process asks once is asked
            shelf.clear()
            with CaptureQueriesContext(connection) as queries:
                assert client.get(address).status_code == 200, address
            found.append(f"{len(queries):3} {path}?{chosen}")
    return found


def test_every_page_asks_as_often_as_is_pinned_however_much_there_is(django_user_model):
    with time_machine.travel(NOW, tick=False):
        client = Client()
        client.force_login(django_user_model.objects.create_superuser("root", password=None))
        fill(60)
        few = counted(client)
        fill(130)
        many = counted(client)
    assert few == many
    pinned = PINNED.read_text(encoding="utf-8").splitlines()
    assert many == pinned, "\n".join(["If this is meant, query_counts.txt is:", *many])
