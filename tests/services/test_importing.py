"""Several workers import the same meetings at once on PostgreSQL: they never stand against each other for ever."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests import services
from tests.faults.processes import ROOT, kill, manage

pytestmark = pytest.mark.service

WORKERS, ROUNDS = 4, 20


@pytest.fixture
def environment(tmp_path: Path, installation: dict[str, str], on_server: str) -> Iterator[dict[str, str]]:
    with services.database(on_server) as url:
        environment = {
            **{name: value for name, value in installation.items() if name != "CELERY_BROKER_URL"},
            "DATABASE_URL": url,
            "DATA_DIR": str(tmp_path / "workers"),
        }
        yield environment


class Importer:
    """A process of importing.py."""

    def __init__(self, environment: dict[str, str], seed: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.importing", str(seed)],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pull = int(self.process.stdout.readline())

    def start(self, turn: int) -> None:
        self.process.stdin.write(f"{turn}\n")
        self.process.stdin.flush()

    def wait(self) -> tuple[str, list[int]]:
        """What was imported, and what that did: new, changed, same, rejected."""
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        kind, *counts = line.split()
        return kind, [int(count) for count in counts]


@contextmanager
def importers(environment: dict[str, str], count: int) -> Iterator[list[Importer]]:
    found: list[Importer] = []
    try:
        for seed in range(count):
            found.append(Importer(environment, seed))
        yield found
    finally:
        for one in found:
            kill(one.process)


# Every row that is written takes its time, so that transactions overlap in the middle of a statement too.
SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON reports_room FOR EACH ROW EXECUTE FUNCTION slow();
CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON reports_meeting FOR EACH ROW EXECUTE FUNCTION slow();
CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON reports_rejected FOR EACH ROW EXECUTE FUNCTION slow();
"""


def tried_again(environment: dict[str, str]) -> int:
    log = Path(environment["DATA_DIR"]) / "roomledger.log"
    return log.read_text(encoding="utf-8").count("tried again") if log.exists() else 0


CHECK = """
from reports import importer, prepared, summaries
from reports.models import *
for meeting in Meeting.objects.prefetch_related("participants", "telephony_usage"):
    visits, calls = list(meeting.participants.all()), list(meeting.telephony_usage.all())
    assert [row.place for row in visits] == list(range(1, len(visits) + 1)), meeting.uuid
    if meeting.participants_reported:
        assert prepared.digest(prepared.canonical_visits(visits)) == meeting.participants_hash, meeting.uuid
    if meeting.telephony_reported:
        assert prepared.digest(prepared.canonical_calls(calls)) == meeting.telephony_hash, meeting.uuid
assert summaries.rebuild() == 0
for pull in Pull.objects.all():
    print(pull.pk, pull.pages, pull.new, pull.changed, pull.same, pull.rejected)
"""


def test_workers_that_import_the_same_at_once_never_stand_against_each_other(environment):
    told: dict[int, list[int]] = {}
    fresh = 0
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute(SLOW)
    with importers(environment, WORKERS) as workers:
        for turn in range(ROUNDS):
            for worker in workers:
                worker.start(turn)
            for worker in workers:
                kind, counts = worker.wait()
                fresh += counts[0] if kind != "rooms" else 0
                told[worker.pull] = [a + b for a, b in zip(told.get(worker.pull, [0] * 4), counts, strict=True)]
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        deadlocks = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        meetings = connection.execute("SELECT count(*), count(DISTINCT uuid) FROM reports_meeting").fetchone()
    assert deadlocks == (0,)
    assert tried_again(environment) == 0
    assert meetings[0] == meetings[1] == fresh
    # Every row is of one report, and each pull has counted what it did.
    kept = [
        [int(part) for part in line.split()]
        for line in manage(environment, "shell", "-v0", "--no-imports", "-c", CHECK).splitlines()
    ]
    assert {pull: counts for pull, _pages, *counts in kept} == told
    assert {pages for _pull, pages, *_ in kept} == {ROUNDS}


def test_a_page_that_stands_against_another_transaction_is_tried_again_and_kept_once(environment):
    """Another transaction locks the other way round; the database ends one of the two, which is the import."""
    with (
        importers(environment, 1) as (worker,),
        psycopg.connect(environment["DATABASE_URL"]) as other,
        psycopg.connect(environment["DATABASE_URL"], autocommit=True) as watcher,
    ):
        worker.start(0)
        worker.wait()
        uuids = [row[0] for row in watcher.execute('SELECT uuid FROM reports_meeting ORDER BY uuid COLLATE "C"')]
        last = "0-9"
        assert last in uuids
        # The import finds the circle first: it looks after a second, we would only after ten.
        other.execute("SET deadlock_timeout = '10s'")
        other.execute("UPDATE reports_meeting SET topic = 'other' WHERE uuid = %s", [last])
        worker.start(0)
        # In this database: beside this test others may run on the server.
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while watcher.execute(waiting).fetchone() == (0,):
            time.sleep(0.01)
        others = threading.Thread(
            target=lambda: other.execute("UPDATE reports_meeting SET topic = 'other' WHERE uuid <> %s", [last])
        )
        others.start()
        others.join(30)
        assert not others.is_alive()
        other.rollback()
        _kind, again = worker.wait()
        assert tried_again(environment) == 1
        assert watcher.execute("SELECT count(*) FROM reports_meeting").fetchone() == (len(uuids),)
        pages, same = watcher.execute("SELECT pages, same FROM reports_pull").fetchone()
        # The try that failed counted nothing.
        assert (pages, same) == (2, again[2])
        assert again[0] == 0
