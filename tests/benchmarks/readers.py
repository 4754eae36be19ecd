"""Many readers at once while a pull runs: the embedded site, its worker, a simulated provider, people who click."""

import http.client
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.db.models import Sum

from reports.models import Meeting, Participant, Pull, Room
from tests.benchmarks.site import PROC, Site, asked, free_port, p95, running, stop

# What is read, and how often beside the others. {}: one of many such pages.
MIX: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("/", 20, ("", "", "period=90d", "{room}", "period=all")),
    ("/meetings/", 20, ("", "page=2", "sort=-attendees", "period=90d", "{room}")),
    ("/meetings/ fragment", 12, ("q={topic}", "state=solo", "{room}", "period=7d")),
    ("/meetings/{meeting}/", 12, ("",)),
    ("/rooms/", 8, ("", "sort=-used_hours", "period=90d")),
    ("/rooms/{host}/", 8, ("", "period=90d")),
    ("/telephony/", 6, ("", "period=90d")),
    ("/people/", 3, ("", "{room}")),
    ("/people/{name}/", 3, ("",)),
    ("/pool/", 3, ("", "period=90d")),
    ("/booked/", 2, ("",)),
    ("/series/", 2, ("",)),
    ("/data/", 3, ("",)),
    ("/meetings.csv", 1, ("", "period=90d")),
    ("/participants.csv", 1, ("period=7d",)),
)
TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(slots=True)
class Page:
    """What one kind of page took, in seconds, and what went wrong with it."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """pages: by kind. pulled: meetings that came meanwhile. cores: processors that each kind of process kept busy."""

    pages: dict[str, Page]
    pulled: int
    cores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Places:
    """Ids that addresses are made of."""

    hosts: list[str]
    meetings: list[int]
    names: list[str]

    def address(self, rng: random.Random, page: str, queries: tuple[str, ...]) -> str:
        host, meeting, name = rng.choice(self.hosts), rng.choice(self.meetings), rng.choice(self.names)
        topic = quote(f"复盘 {rng.randrange(400)}")
        parts = {"room": f"room={host}", "host": host, "meeting": meeting, "name": quote(name), "topic": topic}
        return f"{page.removesuffix(' fragment')}?{rng.choice(queries)}".format(**parts).removesuffix("?")


def places() -> Places:
    newest = Meeting.objects.order_by("-start_time").values_list("pk", flat=True)[:2000]
    names = Participant.objects.exclude(name_key="").order_by("pk").values_list("name_key", flat=True)[:2000]
    hosts = Room.objects.filter(temporary=False).values_list("host_id", flat=True)
    return Places(list(hosts), list(newest), sorted(set(names)))


def read(count: int, seconds: float, think: float) -> Outcome:
    """So many readers for so long; each looks at a page for `think` seconds on average before the next."""
    found = places()
    before = Pull.objects.aggregate(new=Sum("new"))["new"] or 0
    connection.close()
    with provider() as environment, running(**environment) as site:
        pages: dict[str, Page] = {page: Page() for page, _weight, _queries in MIX}
        began = {what: busy(site.processes(command)) for what, command in PROCESSES.items()}
        own, start = time.process_time(), time.perf_counter()
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=_reader, args=(site, found, pages, random.Random(number), until, think))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = time.perf_counter() - start
        cores = {what: (busy(site.processes(command)) - began[what]) / spent for what, command in PROCESSES.items()}
        cores["readers"] = (time.process_time() - own) / spent
        pulled = (Pull.objects.aggregate(new=Sum("new"))["new"] or 0) - before
    return Outcome(pages, pulled, cores)


PROCESSES = {"web": "gunicorn", "worker": "celery"}


def _reader(site: Site, found: Places, pages: dict[str, Page], rng: random.Random, until: float, think: float) -> None:
    weights = [weight for _page, weight, _queries in MIX]
    line = site.connect()
    time.sleep(rng.random() * think)  # not all at once
    while time.monotonic() < until:
        page, _weight, queries = rng.choices(MIX, weights)[0]
        address = found.address(rng, page, queries)
        headers = {"HX-Request": "true"} if page.endswith("fragment") else {}
        try:
            try:
                answer = asked(line, site, address, **headers)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # Let go of while nothing was asked; a browser opens a new one and asks again.
                line.close()
                answer = asked(line, site, address, **headers)
            if answer.status == 200:
                pages[page].seconds.append(answer.seconds)
            else:
                pages[page].errors.append(f"{answer.status} {address}")
        except (OSError, http.client.HTTPException) as error:
            pages[page].errors.append(f"{error!r} {address}")
            line.close()
        if think:
            time.sleep(rng.expovariate(1 / think))
    line.close()


@contextmanager
def provider() -> Iterator[dict[str, str]]:
    """A simulated provider whose year takes longer to pull than the readers read; the settings that lead to it."""
    port = free_port()
    command = [
        sys.executable,
        str(Path(settings.BASE_DIR) / "manage.py"),
        "sandbox",
        "--port",
        str(port),
        "--rooms",
        "500",
    ]
    process = subprocess.Popen([*command, "--meetings-per-day", "600"], stdout=subprocess.DEVNULL)
    try:
        yield {
            "UMEET_URL": f"http://127.0.0.1:{port}/umeeting/",
            "UMEET_API_KEY": "demo-key",
            "UMEET_API_SECRET": "demo-secret",
        }
    finally:
        stop(process)


def busy(pids: list[int]) -> float:
    """Seconds of processor that some processes have used."""
    total = 0
    for pid in pids:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def report(outcome: Outcome) -> Iterator[str]:
    """The outcome as lines."""
    yield f"{'page':<26}{'requests':>9}{'errors':>8}{'median ms':>11}{'p95 ms':>9}{'max ms':>9}"
    every = Page()
    for name, page in outcome.pages.items():
        yield _line(name, page)
        every.seconds += page.seconds
        every.errors += page.errors
    yield _line("all", every)
    yield from (f"  {error}" for error in every.errors[:10])
    used = ", ".join(f"{what} {cores:.2f}" for what, cores in outcome.cores.items())
    yield f"meetings pulled meanwhile: {outcome.pulled}; processors kept busy: {used} of {os.cpu_count()}"


def _line(name: str, page: Page) -> str:
    if not page.seconds:
        return f"{name:<26}{0:>9}{len(page.errors):>8}{'–':>11}{'–':>9}{'–':>9}"
    numbers = (statistics.median(page.seconds), p95(page.seconds), max(page.seconds))
    return f"{name:<26}{len(page.seconds):>9}{len(page.errors):>8}" + "".join(
        f"{seconds * 1000:>{width}.0f}" for seconds, width in zip(numbers, (11, 9, 9), strict=True)
    )
