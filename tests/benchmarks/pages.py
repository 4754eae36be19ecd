"""How long the server takes for each page and each CSV, against an empty page and against the bare tool's dump."""

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import Client, override_settings
from django.urls import include, path

from reports.models import Meeting, Participant, Room

EMPTY = "/benchmark/empty/"
TURNS = 12


def empty(request: HttpRequest) -> HttpResponse:
    """A signed-in page with the frame of all pages and nothing in it: the floor."""
    return render(request, "base.html")


urlpatterns = [path(EMPTY.lstrip("/"), empty), path("", include("dashboard.urls"))]


class Timed(NamedTuple):
    """One address: seconds of the median and of the slowest but one in twenty, and bytes."""

    what: str
    median: float
    p95: float
    size: int


def filters() -> dict[str, str]:
    """The set of filters that every page is asked under."""
    room = Room.objects.order_by("host_id")[7].host_id
    return {
        "default": "",
        "room": f"room={room}",
        "90 days": "period=90d",
        "all": "period=all",
        "search": f"period=all&q={quote('复盘 17')}",
    }


def addresses() -> list[str]:
    """Every page that has figures."""
    meeting = Meeting.objects.order_by("-start_time")[100]
    name = Participant.objects.order_by("pk")[50].name_key
    room = Room.objects.order_by("host_id")[7].host_id
    return [
        *(
            "/",
            "/pool/",
            "/booked/",
            "/series/",
            "/rooms/",
            f"/rooms/{room}/",
            "/meetings/",
            f"/meetings/{meeting.pk}/",
            "/telephony/",
            "/people/",
        ),
        *(f"/people/{quote(name)}/", "/data/", "/reconciliation/"),
    ]


def client() -> Client:
    """A browser signed in as administrator."""
    user = get_user_model().objects.filter(username="benchmark").first()
    user = user or get_user_model().objects.create_superuser("benchmark", password=None)
    found = Client()
    found.force_login(user)
    return found


def timed(what: str, ask: Callable[[], int], turns: int = TURNS) -> Timed:
    """Ask so many times, after once that does not count."""
    size = ask()
    spent = []
    for _ in range(turns):
        began = time.perf_counter()
        size = ask()
        spent.append(time.perf_counter() - began)
    spent.sort()
    return Timed(what, statistics.median(spent), spent[min(len(spent) - 1, round(0.95 * len(spent)))], size)


def pages(turns: int = TURNS) -> Iterator[Timed]:
    """The empty page, then every page and fragment under every filter."""
    with override_settings(ROOT_URLCONF="tests.benchmarks.pages", ALLOWED_HOSTS=["*"]):
        browser = client()

        def get(address: str, **headers: str) -> Callable[[], int]:
            def ask() -> int:
                answer = browser.get(address, headers=headers)
                assert answer.status_code == 200, (address, answer.status_code)
                return len(answer.content)

            return ask

        yield timed("empty page", get(EMPTY), turns * 3)
        for page in addresses():
            for name, query in filters().items():
                address = f"{page}?{query}" if query else page
                yield timed(f"{page} · {name}", get(address), turns)
            yield timed(f"{page} · fragment", get(page, **{"HX-Request": "true"}), turns)


class Dump(NamedTuple):
    """One CSV: seconds to the first byte and to the last, bytes, and seconds of the bare tool's dump of its rows."""

    table: str
    first: float
    whole: float
    size: int
    floor: float | None


BARE = {
    "meetings": "select * from reports_meeting m left join reports_room r on r.id = m.room_id "
    "order by m.start_time desc",
    "participants": "select m.uuid, m.topic, m.meeting_id, p.* from reports_participant p "
    "join reports_meeting m on m.id = p.meeting_id order by m.start_time desc, m.id desc, p.place",
    "telephony": "select m.uuid, m.topic, m.meeting_id, c.* from reports_telephonyusage c "
    "join reports_meeting m on m.id = c.meeting_id order by m.start_time desc, m.id desc, c.place",
}


def bare(statement: str) -> float:
    """Seconds that the database's own tool takes to write the rows as CSV."""
    database = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        command = ["sqlite3", "-csv", str(database["NAME"]), statement]
    else:
        user, host, port = database["USER"], database["HOST"] or "127.0.0.1", database["PORT"] or 5432
        url = f"postgres://{user}@{host}:{port}/{database['NAME']}"
        command = ["psql", url, "-c", f"\\copy ({statement}) to stdout csv header"]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def dumps(tables: list[str]) -> Iterator[Dump]:
    """Every CSV over everything."""
    with override_settings(ROOT_URLCONF="tests.benchmarks.pages", ALLOWED_HOSTS=["*"]):
        browser = client()
        for table in tables:
            began = time.perf_counter()
            answer = browser.get(f"/{table}.csv?period=all")
            pieces = iter(answer.streaming_content)
            size = len(next(pieces))
            size += len(next(pieces, b""))
            first = time.perf_counter() - began
            size += sum(len(piece) for piece in pieces)
            whole = time.perf_counter() - began
            yield Dump(table, first, whole, size, bare(BARE[table]) if table in BARE else None)
