"""A backup of one moment, made while everything runs, and the way back from it: real processes, real files."""

import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.faults.contents import contents
from tests.faults.processes import ROOT, ended, manage, wait_for
from tests.faults.test_start import started
from tests.support import KEY, SECRET

pytestmark = pytest.mark.django_db(transaction=True)


def run(environment, *arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def api():
    moment = datetime.now(UTC)
    with Sandbox(World(seed=5, meetings_per_day=10), key=KEY, secret=SECRET, clock=lambda: moment) as api:
        yield api


@pytest.fixture
def environment(migrated, api):
    """An installation that has pulled ten days."""
    environment = {**migrated, "UMEET_URL": api.url}
    pull(environment, api, 10)
    return environment


def pull(environment, api, days: int) -> None:
    first = (datetime.now(UTC) - timedelta(days=days)).date()
    manage(environment, "pull", "--from", first.isoformat())


def sqlite(environment) -> bool:
    return "DATABASE_URL" not in environment


def asides(environment) -> list[str]:
    """Databases that were kept aside; those of PostgreSQL are dropped at once."""
    if sqlite(environment):
        return [str(file) for file in Path(environment["DATA_DIR"]).glob("*.before-restore-*")]
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as server:
        names = server.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE current_database() || '\\_%%' ESCAPE '\\'"
        ).fetchall()
        for (name,) in names:
            server.execute(f'DROP DATABASE "{name}"')
    return [name for (name,) in names]


def test_what_was_backed_up_comes_back_and_what_was_there_is_kept_aside(environment, api, tmp_path):
    file = tmp_path / "ledger.backup"
    said = manage(environment, "backup", str(file))
    assert re.match(rf"backed up: {file}, [\d.]+ MB, schema reports \d{{4}}_\w+, dashboard \d{{4}}_", said)
    assert file.stat().st_mode & 0o777 == 0o600
    before = contents(environment)
    pull(environment, api, 20)
    later = contents(environment)
    assert len(later["reports_meeting"]) > len(before["reports_meeting"])

    assert "exists already" in refused(run(environment, "backup", str(file)))
    said = manage(environment, "restore", str(file))
    assert "kept as" in said
    assert contents(environment) == before
    # What came after it is pulled again.
    pull(environment, api, 20)
    assert contents(environment) == later
    manage(environment, "backup", str(file), "--force")
    (aside,) = asides(environment)
    if sqlite(environment):
        manage(environment, "restore", aside)
        assert contents(environment) == later
    assert [found.name for found in tmp_path.iterdir() if ".partial" in found.name] == []


def test_a_backup_made_while_a_pull_goes_on_is_of_one_moment(environment, api, tmp_path):
    file = tmp_path / "ledger.backup"
    api.faults.on("slow=0.4")
    first = (datetime.now(UTC) - timedelta(days=60)).date().isoformat()
    command = [sys.executable, str(ROOT / "manage.py"), "pull", "--from", first]
    calls = len(api.calls)
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    with ended(process):
        for _ in range(2):
            assert wait_for(lambda: len(api.calls) > calls + 5, 60)  # noqa: B023
            calls = len(api.calls)
            manage(environment, "backup", str(file), "--force")
            assert process.poll() is None, "the pull was over before the backup was"
        api.faults.clear()
        # It was not disturbed.
        assert process.wait(120) == 0
    whole = contents(environment)
    said = manage(environment, "restore", str(file))
    assert not re.search(r"^(meetings|visits|calls|sums|rows|texts)\b.*: \d+ \(", said, re.M)
    partly = contents(environment)
    assert 50 < len(partly["reports_meeting"]) < len(whole["reports_meeting"])
    assert set(partly["reports_participant"]) <= set(whole["reports_participant"])
    pull(environment, api, 60)
    assert contents(environment) == whole
    asides(environment)


def test_nothing_is_restored_while_the_site_runs(environment, tmp_path):
    file = tmp_path / "ledger.backup"
    manage(environment, "backup", str(file))
    before = contents(environment)
    with started(environment, "--no-worker"):
        assert "Stop it first" in refused(run(environment, "restore", str(file)))
        # It does not stop a backup, nor other commands.
        manage(environment, "backup", str(file), "--force")
    assert contents(environment) == before
    assert asides(environment) == []


def test_what_is_no_backup_of_ours_changes_nothing(environment, tmp_path):
    before = contents(environment)
    whole = tmp_path / "whole"
    manage(environment, "backup", str(whole))
    text, half, other = (tmp_path / name for name in ("text", "half", "other"))
    text.write_text("not a database")
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    with sqlite3.connect(other) as made:
        made.execute("CREATE TABLE something (id)")
    for file in (text, half, other):
        assert re.search("no backup|damaged", refused(run(environment, "restore", str(file))))
    assert "no file" in refused(run(environment, "restore", str(tmp_path / "nothing")))
    assert contents(environment) == before
    assert asides(environment) == []


def test_a_backup_of_a_newer_version_is_refused(environment, tmp_path):
    from django.utils.timezone import now

    file = tmp_path / "newer"
    before = contents(environment)
    statement = "INSERT INTO django_migrations (app, name, applied) VALUES ('reports', '9999_later', '{}')"
    if sqlite(environment):
        manage(environment, "backup", str(file))
        with sqlite3.connect(file) as made:
            made.execute(statement.format(now()))
    else:
        with psycopg.connect(environment["DATABASE_URL"]) as made:
            made.execute(statement.format(now()))
        manage(environment, "backup", str(file))
        with psycopg.connect(environment["DATABASE_URL"]) as made:
            made.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
    assert "newer version of Roomledger" in refused(run(environment, "restore", str(file)))
    assert contents(environment) == before
    assert asides(environment) == []


def test_killed_in_the_middle_of_a_restore_the_ledger_is_the_old_or_the_new_one(environment, api, tmp_path):
    file = tmp_path / "ledger.backup"
    manage(environment, "backup", str(file))
    old = len(contents(environment)["reports_meeting"])
    pull(environment, api, 20)
    new = len(contents(environment)["reports_meeting"])
    draw = random.Random(4)
    for _ in range(3):
        command = [sys.executable, str(ROOT / "manage.py"), "restore", str(file)]
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
        )
        with ended(process):
            time.sleep(draw.uniform(0.4, 2.0))
            process.send_signal(signal.SIGKILL)
        assert len(contents(environment)["reports_meeting"]) in {old, new}
    manage(environment, "restore", str(file))
    assert len(contents(environment)["reports_meeting"]) == old
    asides(environment)


def test_without_the_programs_of_postgresql_the_message_says_what_to_install(environment, tmp_path):
    if sqlite(environment):
        pytest.skip("SQLite needs none")
    bare = tmp_path / "bin"
    bare.mkdir()
    done = run({**environment, "PATH": str(bare)}, "backup", str(tmp_path / "file"))
    assert "postgresql-client" in refused(done)
    assert not (tmp_path / "file").exists()


def test_a_folder_that_is_too_small_is_told_before_anything_is_written(environment, tmp_path, monkeypatch):
    from collections import namedtuple

    from reports import backups

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 10))
    with pytest.raises(backups.CannotDo, match="too little room"):
        backups.backup(tmp_path / "file")
    assert list(tmp_path.glob("*file*")) == []
