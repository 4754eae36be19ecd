"""SQLite on a disk that fills up, and under a lock that lasts too long: said clearly, and nothing is half written."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, OperationalError, connection

from dashboard.pages import errors
from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.faults.contents import contents, rows
from tests.faults.processes import ROOT, ended, manage, wait_for
from tests.support import KEY, SECRET

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="about the file that SQLite keeps")
DAYS = 25


@pytest.fixture
def api() -> Iterator[Sandbox]:
    moment = datetime.now(UTC)
    with Sandbox(World(seed=9, meetings_per_day=80), key=KEY, secret=SECRET, clock=lambda: moment) as api:
        yield api


@pytest.fixture
def pull(api: Sandbox) -> list[str]:
    first = (api.clock() - timedelta(days=DAYS)).date().isoformat()
    return ["pull", "--from", first]


@pytest.fixture
def environment(migrated, api) -> dict[str, str]:
    return {**migrated, "UMEET_URL": api.url, "DJANGO_SETTINGS_MODULE": "tests.faults.few_days"}


def mount(folder: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "roomledger-test", str(folder)]
    return subprocess.run(command, capture_output=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    if os.getuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("only root on Linux can mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    done = mount(folder, "size=6m")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def run(environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_a_disk_that_fills_up_during_a_pull_costs_nothing_but_the_rest(environment, pull, small, tmp_path):
    tight = {**environment, "DATA_DIR": str(small / "data")}
    Path(tight["DATA_DIR"]).mkdir()
    manage(tight, "migrate", "-v0")
    assert "disk is full" in one_line(run(tight, *pull))
    # A full disk says so again, and lets what is there be looked at.
    assert "disk is full" in one_line(run(tight, *pull))
    assert run(tight, "export", "days").returncode == 0
    assert "too little room" in one_line(run(tight, "backup", str(small / "copy")))
    part = len(contents(tight)["reports_meeting"])
    assert part > 100
    done = mount(small, "remount", "size=200m")
    assert done.returncode == 0, done.stderr
    assert manage(tight, "verify").strip().splitlines()[-1].startswith("verified: ")
    manage(tight, *pull)
    assert manage(tight, "verify").startswith("verified: ")
    running = rows(tight, "SELECT id FROM reports_pull WHERE ended_at IS NULL")
    assert running == []
    manage(environment, *pull)
    undisturbed = contents(environment)
    assert contents(tight) == undisturbed
    assert len(undisturbed["reports_meeting"]) > part


def test_a_lock_that_lasts_too_long_ends_the_pull_and_nothing_else(environment, api, pull, tmp_path):
    manage(environment, "migrate", "-v0")
    api.faults.on("slow=0.1")
    command = [sys.executable, str(ROOT / "manage.py"), *pull]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    with ended(process):
        assert wait_for(lambda: len(api.calls) > 5, 180)
        file = Path(environment["DATA_DIR"]) / "roomledger.sqlite3"
        with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            # It does not let the pull be closed either: the message is the same.
            said = process.communicate(timeout=60)[1].decode()
            other.execute("ROLLBACK")
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith("CommandError: The database is locked"), said
    assert "Traceback" not in said
    api.faults.clear()
    assert contents(environment)["reports_meeting"]
    assert manage(environment, "verify").strip().splitlines()[-1].startswith("verified: ")
    manage(environment, *pull)
    told = rows(environment, "SELECT state FROM reports_pull WHERE state NOT IN ('done', 'interrupted')")
    assert told == []
    calm = {**environment, "DATA_DIR": str(tmp_path / "calm")}
    manage(calm, *pull)
    assert contents(environment) == contents(calm)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (OperationalError("database or disk is full"), 503, "The disk is full"),
        (OperationalError("database is locked"), 503, "The database is busy"),
        (OperationalError("connection failed: Connection refused"), 503, "The database cannot be reached"),
        (OperationalError("attempt to write a readonly database"), 503, "The database cannot be written"),
        (DatabaseError("near SELECT: syntax error"), 500, "Something broke"),
        (ValueError("something else"), 500, "Something broke"),
    ],
)
def test_the_page_says_what_is_the_matter_with_the_database(viewer, monkeypatch, error, status, says):
    from reports.figures import coverage

    def broken():
        raise error

    monkeypatch.setattr(coverage, "freshness", broken)
    viewer.raise_request_exception = False
    answer = viewer.get("/data/", headers={"X-Request-ID": "abc-123"})
    text = answer.content.decode()
    assert (answer.status_code, says in text) == (status, True)
    assert ("<title>The database does not answer ·" in text) == (status == 503)
    assert "abc-123" in text
    assert answer["X-Request-ID"] == "abc-123"
    assert answer.has_header("Retry-After") == (status == 503)
    assert str(error) not in text
    assert errors.PASSING
