"""Servers that go away and come back, workers killed again and again, two beats: the ledger is as if undisturbed.

On a PostgreSQL and a Redis of the tests' own. Each run ends with a pull by hand, as the next tick would do it, and
then every raw row is what it is after a run that nothing disturbed, and `verify` finds nothing.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.faults.contents import contents, rows
from tests.faults.processes import ROOT, ended, manage, send, wait_for, worker
from tests.faults.servers import Postgres, Redis, servers
from tests.support import KEY, SECRET

pytestmark = [
    pytest.mark.service,
    # All of it in one process: the servers and the undisturbed run are shared.
    pytest.mark.xdist_group("outages"),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="servers of its own: one run of the suite is enough"),
]
# Some in every run; KILLS=50 for the long one.
KILLS = int(os.environ.get("KILLS", "8"))


# The database that all the others begin as copies of.
MIGRATED = "migrated"


class Site:
    """One installation on its own database of the servers, and what the API was asked."""

    def __init__(self, given: tuple[Path, Sandbox, Postgres, Redis], name: str, source: str = MIGRATED) -> None:
        folder, api, postgres, broker = given
        self.api, self.postgres, self.broker = api, postgres, broker
        names = ("UMEET_", "DATA_DIR", "DATABASE_", "CELERY_", "SECRET_", "ALLOWED_", "CSRF_", "TIME_", "EMAIL_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith((*names, "DEBUG"))}
        self.environment = {
            **environment,
            "DJANGO_SETTINGS_MODULE": "tests.faults.few_days",
            "DATA_DIR": str(folder / name),
            "DATABASE_URL": postgres.database(name, source),
            "CELERY_BROKER_URL": broker.url,
            "UMEET_API_KEY": KEY,
            "UMEET_API_SECRET": SECRET,
            "UMEET_URL": api.url,
            "UMEET_TIMEOUT": "5",
        }

    def send(self, task: str = "reports.tasks.pull_recent_days") -> None:
        send(self.environment, task)

    def asks(self, more: int = 3, seconds: float = 180) -> bool:
        """Whether the API is asked so many more questions."""
        before = len(self.api.calls)
        return wait_for(lambda: len(self.api.calls) >= before + more, seconds)

    def ends(self) -> dict[str, list[str]]:
        """What is kept after the last pull."""
        self.api.faults.clear()
        manage(self.environment, "pull")
        assert manage(self.environment, "verify").startswith("verified: ")
        held = rows(self.environment, "SELECT count(*) AS held FROM reports_pull WHERE ended_at IS NULL")
        assert held == [{"held": 0}], "a record of a pull says that it still runs"
        return contents(self.environment)


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Sandbox, Postgres, Redis]]:
    moment = datetime.now(UTC)
    folder = tmp_path_factory.mktemp("outages")
    with (
        servers() as (postgres, broker),
        Sandbox(World(seed=3, meetings_per_day=4), key=KEY, secret=SECRET, clock=lambda: moment) as api,
    ):
        given = (folder, api, postgres, broker)
        first = Site(given, MIGRATED, "template1").environment
        manage(first, "migrate", "-v0")
        manage(first, "track", *api.world.numbers(moment.date(), moment.date())[:20])
        yield given


@pytest.fixture(scope="module")
def undisturbed(outage) -> dict[str, list[str]]:
    found = Site(outage, "undisturbed").ends()
    assert len(found["reports_meeting"]) > 90
    return found


@pytest.fixture
def site(outage, undisturbed, request) -> Site:
    site = Site(outage, request.node.name)
    site.api.faults.on("slow=0.2")
    return site


def test_redis_is_killed_and_comes_back(site, undisturbed):
    process = worker(site.environment)
    with ended(process):
        site.send()
        assert site.asks()
        site.broker.kill()
        # The pull that runs needs no broker.
        assert site.asks(5)
        site.broker.start()
        site.api.faults.clear()
        before = len(rows(site.environment, "SELECT id FROM reports_pull"))

        def taken_up() -> bool:
            """Every message that was lost costs a tick, and no more."""
            site.send()
            time.sleep(0.5)
            return len(rows(site.environment, "SELECT id FROM reports_pull")) > before

        assert wait_for(taken_up, 180), "the worker takes no message any more"
    assert site.ends() == undisturbed


def test_postgresql_is_restarted_in_the_middle_of_a_pull(site, undisturbed):
    told = "SELECT state, error FROM reports_pull WHERE source = 'dates' ORDER BY id LIMIT 1"
    process = worker(site.environment)
    with ended(process):
        site.send()
        assert wait_for(lambda: bool(rows(site.environment, told)), 180)
        assert site.asks()
        # As if its machine had lost its power.
        site.postgres.stop("immediate")
        site.postgres.start()
        # What was under way is given back and told, not held until its lease ends.
        assert wait_for(lambda: rows(site.environment, told)[0]["state"] == "failed", 60), rows(site.environment, told)
        assert "server cannot be reached" in rows(site.environment, told)[0]["error"]
        leased = "SELECT id FROM reports_pulledday WHERE lease_owner <> ''"
        assert wait_for(lambda: rows(site.environment, leased) == [], 60)

        def goes_on() -> bool:
            """A message that comes while the run that failed is still being closed leaves the days to the next."""
            site.send()
            return site.asks(3, seconds=3)

        assert wait_for(goes_on, 180), "the worker asks for nothing any more"
        assert process.poll() is None
    assert site.ends() == undisturbed


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_is_killed_again_and_again(site, undisturbed):
    # The processes of the pool do the work; the one above them starts others in their place.
    process = worker(site.environment, pool="prefork")
    draw = random.Random(7)
    site.api.faults.on("slow=0.3")
    killed = 0
    with ended(process):
        assert wait_for(lambda: len(children(process.pid)) >= 2, 180)
        while killed < KILLS:
            site.send("reports.tasks.pull_due" if killed else "reports.tasks.pull_recent_days")
            assert site.asks(2), f"after {killed} kills the worker asks for nothing"
            time.sleep(draw.uniform(0, 0.12))
            for child in children(process.pid):
                os.kill(child, signal.SIGKILL)
            killed += 1
        left = rows(site.environment, "SELECT id FROM reports_pulledday WHERE next_due_at < now()")
        assert left, "all was pulled before the last kill"
        assert process.poll() is None
    assert site.ends() == undisturbed


def test_two_beats_by_mistake_and_two_workers(site, undisturbed):
    def beat(number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "--quiet", "-A", "tests.faults.often", "beat", "--pidfile="),
                *("--schedule", f"{site.environment['DATA_DIR']}/beat-{number}"),
            ],
            env=site.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    site.api.faults.on("slow=0.02")
    with ExitStack() as stack:
        for process in (worker(site.environment, "one"), worker(site.environment, "two"), beat(1), beat(2)):
            stack.enter_context(ended(process))
        complete = "SELECT id FROM reports_pulledday WHERE complete_at IS NULL"
        known = "SELECT id FROM reports_pulledday"
        assert wait_for(lambda: bool(rows(site.environment, known)) and not rows(site.environment, complete), 300, 0.5)
        # Nothing was brought in twice.
        # In one statement: the workers go on asking for the newest days.
        (told,) = rows(
            site.environment,
            "SELECT (SELECT sum(new) FROM reports_pull WHERE source NOT IN ('summary', 'rooms')) AS new, "
            "(SELECT count(*) FROM reports_meeting) AS kept",
        )
        assert told["new"] == told["kept"]
    assert site.ends() == undisturbed


def test_a_worker_that_is_asked_to_stop_leaves_off_at_once(site, undisturbed):
    process = worker(site.environment)
    site.api.faults.on("slow=0.5")
    with ended(process):
        site.send()
        assert site.asks(6)
        process.terminate()
        begun = time.monotonic()
        assert process.wait(15) == 0
        assert time.monotonic() - begun < 10
    pulls = rows(site.environment, "SELECT state, error FROM reports_pull WHERE state <> 'done'")
    assert [row["state"] for row in pulls] == ["interrupted"]
    assert "The worker was stopped" in pulls[0]["error"]
    assert rows(site.environment, "SELECT id FROM reports_pulledday WHERE lease_owner <> ''") == []
    assert site.ends() == undisturbed
