"""How long the server takes for each page, against an empty page."""

import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import Client, override_settings
from django.urls import include, path

from dashboard.remembered import shelf
from reports.models import Meeting, Participant, Room
from tests.benchmarks.site import p95

EMPTY = "/benchmark/empty/"


def empty(request: HttpRequest) -> HttpResponse:
    """A signed-in page with the frame of all pages and nothing in it: the floor."""
    return render(request, "base.html")


urlpatterns = [path(EMPTY.lstrip("/"), empty), path("", include("dashboard.urls"))]


class Timed(NamedTuple):
    """One address: seconds of the median and of the 95th percentile, and bytes.

    anew, anew_p95: the same where the page has to be worked out; else it is asked again before anything changed.
    """

    what: str
    median: float
    p95: float
    anew: float
    anew_p95: float
    size: int


def filters() -> dict[str, str]:
    """The set of filters that every page is asked under."""
    room = Room.objects.filter(temporary=False).order_by("host_id")[7].host_id
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
    room = Room.objects.filter(temporary=False).order_by("host_id")[7].host_id
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


def timed(what: str, ask: Callable[[], int], turns: int) -> Timed:
    """Ask so many times, after once that does not count; and then so many times a page that nobody remembers."""
    size = ask()

    def spent(before: Callable[[], object]) -> tuple[float, float]:
        seconds = []
        for _ in range(turns):
            before()
            began = time.perf_counter()
            ask()
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds), p95(seconds)

    return Timed(what, *spent(lambda: None), *spent(shelf.clear), size)


def pages(turns: int) -> Iterator[Timed]:
    """The empty page, then every page and fragment under every filter."""
    importlib.import_module("dashboard.wsgi")  # as the web server has it
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
