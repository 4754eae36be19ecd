"""The commands as a person runs them: real processes, exit status, one clear line when something is wrong."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reports.sandbox.server import Sandbox
from reports.sandbox.world import FixedWorld
from tests.support import KEY, SECRET, SHANGHAI, csv_rows, meeting

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def run(migrated, repository):
    """Run manage.py in an installation of its own; returns the finished process."""

    def run(*arguments: str, stdin: str | None = None, **changes: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, str(repository / "manage.py"), *arguments],
            env={**migrated, **changes},
            input=None if stdin is None else stdin.encode(),
            capture_output=True,
            timeout=120,
            cwd=repository,
        )

    return run


def refused(process, status=1):
    """The one line of an expected failure."""
    error = process.stderr.decode()
    assert process.returncode == status, error
    assert "Traceback" not in error
    assert SECRET not in error
    lines = [line for line in error.splitlines() if line.strip()]
    assert len(lines) == 1, error
    return lines[0]


def test_the_documents_sample_loads_and_comes_out_exactly(run):
    loaded = run("load", str(DATA / "document-sample.json"))
    assert loaded.returncode == 0, loaded.stderr.decode()
    assert loaded.stdout.decode() == "pulled: 1 new, 0 changed, 0 same, 0 rejected\n"
    assert run("load", str(DATA / "document-sample-array.json")).stdout.decode().endswith("1 same, 0 rejected\n")
    (row,) = csv_rows(run("export", "meetings").stdout)
    assert (row["booked_minutes"], row["open_minutes"], row["used_minutes"]) == ("120.0", "60.0", "2.1")
    assert (row["calls"], row["call_cost"], row["state"]) == ("1", "0.12", "solo")
    (visit,) = csv_rows(run("export", "participants", "--raw", "--no-bom").stdout)
    assert (visit["name"], visit["join_time"], visit["leave_time"], visit["minutes"]) == (
        *("XYZ", "2017-08-31T00:51:00+08:00", "2017-08-31T00:53:04+08:00"),
        "2.1",
    )
    (call,) = csv_rows(run("export", "telephony", "--raw").stdout)
    assert (call["phone_number"], call["minutes"], call["cost"], call["country"]) == (
        *("+8613716819201", "2.0", "0.12"),
        "CN",
    )
    assert run("export", "meetings", "--from", "2017-09-01").stdout.count(b"\r\n") == 1
    assert run("export", "meetings", "--room", "NOBODY").stdout.count(b"\r\n") == 1


def test_a_pull_over_http_with_a_bad_record_among_good_ones(run):
    records = [meeting(uuid=f"u{n}", meeting_id=f"157000000{n}") for n in range(4)]
    with Sandbox(FixedWorld(records), key=KEY, secret=SECRET) as api:
        assert run("track", "1570000001", "157-000-0002").stdout == b"tracked: 2 new, 0 known\n"
        environment = {"UMEET_URL": api.url, "UMEET_PULL_DATES": "0"}
        assert run("pull", **environment).stdout == b"pulled: 2 new, 0 changed, 0 same, 0 rejected\n"
        assert run("pull", **environment).stdout == b"pulled: 0 new, 0 changed, 0 same, 0 rejected\n"
        assert {call.endpoint for call in api.calls} == {"share/reports"}
        days = run("pull", "--from", "2026-03-09", "--to", "2026-03-09", UMEET_URL=api.url)
        assert days.stdout == b"pulled: 2 new, 0 changed, 2 same, 0 rejected\n"
        api.faults.on("bad-record")
        spoiled = run("pull", "1570000001", UMEET_URL=api.url)
        assert spoiled.stdout == b"pulled: 0 new, 0 changed, 0 same, 1 rejected\n"
        assert spoiled.returncode == 0
        assert b"could not be read" in spoiled.stderr


def test_a_pull_of_all_compares_with_the_providers_totals_and_names_what_is_missing(run):
    day = datetime.now(SHANGHAI).date() - timedelta(days=9)
    times = {"start_time": f"{day} 10:00:00", "end_time": f"{day} 11:00:00"}
    records = [meeting(uuid=f"u{n}", **times) for n in range(3)]
    with Sandbox(FixedWorld(records), key=KEY, secret=SECRET, undelivered=["u1"]) as api:
        assert run("pull", UMEET_URL=api.url).returncode == 0
        table = csv_rows(run("export", "reconciliation").stdout)
        (room,) = (row for row in table if row["host_id"] == "HOST-1")
        assert (room["their_meetings"], room["our_meetings"]) == ("3", "2")
        assert room["explanation"] == f"missing 1 ({day}: 1)"
        api.undelivered.clear()
        assert run("pull", "--from", str(day), "--to", str(day), UMEET_URL=api.url).stdout.startswith(b"pulled: 1 new")
        assert not [row for row in csv_rows(run("export", "reconciliation").stdout) if row["explanation"]]


def test_track_reads_files_and_standard_input(run, tmp_path):
    file = tmp_path / "numbers.csv"
    file.write_text("\ufeff1571106323，1579334441\r\n157 110 6323\r\n", encoding="utf-8")
    assert run("track", "--file", str(file)).stdout == b"tracked: 2 new, 0 known\n"
    assert run("track", "--file", "-", stdin="1571106323\n1790001234\n").stdout == b"tracked: 1 new, 1 known\n"


def test_numbers_that_are_none(run, tmp_path):
    assert "'abc'" in refused(run("track", "1571106323", "abc"), 2)
    assert "'12345'" in refused(run("pull", "12345"), 2)
    assert "line 2: oops" in refused(run("track", "--file", "-", stdin="1571106323\noops\n"), 2)
    assert "cannot be read" in refused(run("track", "--file", str(tmp_path / "none.txt")))
    assert "No numbers" in refused(run("track"), 2)
    # None of the good ones was registered either.
    assert run("track", "1571106323").stdout == b"tracked: 1 new, 0 known\n"


def test_wrong_days_and_tables(run):
    assert "YYYY-MM-DD" in refused(run("pull", "--from", "9.3.2026"), 2)
    assert "is after" in refused(run("pull", "--from", "2026-03-10", "--to", "2026-03-09"), 2)
    assert "--from" in refused(run("pull", "--to", "2026-03-09"), 2)
    assert "is after" in refused(run("export", "meetings", "--from", "2026-03-10", "--to", "2026-03-09"), 2)
    assert run("export", "nonsense").returncode == 2


def test_no_key_a_wrong_key_and_an_unreachable_address(run):
    assert "UMEET_API_KEY and UMEET_API_SECRET are not set" in refused(
        run("pull", UMEET_API_KEY="", UMEET_API_SECRET="")
    )
    assert "UMEET_API_SECRET is not set" in refused(run("pull", UMEET_API_SECRET=""))
    assert "UMEET_API_KEY is not set" in refused(run("start", UMEET_API_KEY=""))
    with Sandbox(FixedWorld(), key="another", secret="another") as api:
        wrong = run("pull", "1571106323", UMEET_URL=api.url)
    assert "Check UMEET_API_KEY and UMEET_API_SECRET" in refused(wrong)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        away = run("pull", "1571106323", UMEET_URL=f"http://127.0.0.1:{port}/umeeting/")
    assert f"127.0.0.1:{port}" in refused(away)


WRONG_VALUES = {
    "DEBUG": "maybe",
    "TIME_ZONE": "Mars/Olympus",
    "UMEET_URL": "ftp://x",
    "UMEET_TIMEOUT": "soon",
    "UMEET_PULL_DATES": "2",
    "OPENING_HOURS": "always",
    "RETENTION_DAYS": "-1",
    "DATABASE_URL": "mysql://x",
    "CELERY_BROKER_URL": "amqp://x",
    "SECRET_KEY": "short",
    "ALLOWED_HOSTS": "https://x",
    "CSRF_TRUSTED_ORIGINS": "x",
}


def test_a_wrong_environment_value_stops_the_start_and_is_named(run):
    with ThreadPoolExecutor(2) as two:
        done = two.map(lambda pair: (pair[0], run("check", **dict([pair]))), WRONG_VALUES.items())
    for name, process in done:
        assert name in refused(process)


def test_a_value_may_come_from_a_file_but_not_from_two_places(run, tmp_path):
    file = tmp_path / "zone"
    file.write_text("Mars/Olympus\n")
    environment = {"TIME_ZONE": "", "TIME_ZONE_FILE": str(file)}
    assert "TIME_ZONE is 'Mars/Olympus'" in refused(run("check", **environment))
    assert "both set" in refused(run("check", TIME_ZONE="Asia/Shanghai", TIME_ZONE_FILE=str(file)))
    assert "cannot be read" in refused(run("check", UMEET_API_SECRET="", UMEET_API_SECRET_FILE=str(tmp_path / "no")))


def test_a_data_folder_that_cannot_be_written(run, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    line = refused(run("check", DATA_DIR=str(blocked / "data")))
    assert "DATA_DIR" in line
    assert "cannot be written" in line


def test_a_busy_port_is_told_before_anything_starts(run, tmp_path):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        line = refused(run("start", "--address", f"127.0.0.1:{port}"))
        assert f"127.0.0.1:{port} is in use" in line
        assert str(port) in refused(run("sandbox", "--port", str(port)))
    assert "HOST:PORT" in refused(run("start", "--address", "nowhere"), 2)
    assert "this computer only" in refused(run("start", "--demo", "--address", "0.0.0.0:8000"), 2)


def test_an_unknown_fault_is_told_with_those_that_there_are(run):
    assert "stuck-paging" in refused(run("sandbox", "--fault", "nonsense"), 2)


def test_load_says_where_a_file_is_wrong_and_imports_the_others(run, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text('{"status": 200,\n "data": // no JSON\n}')
    failed = tmp_path / "failed.json"
    failed.write_text(json.dumps({"status": 500, "message": "busy"}))
    process = run("load", str(broken), str(DATA / "document-sample.json"), str(failed), str(tmp_path / "none.json"))
    assert process.returncode == 1
    assert process.stdout == b"pulled: 1 new, 0 changed, 0 same, 0 rejected\n"
    error = process.stderr.decode()
    assert "Traceback" not in error
    assert "broken.json" in error
    assert "line 2" in error
    assert "failed.json" in error
    assert "none.json cannot be read" in error


def test_a_reader_that_stops_early_is_no_error(run, migrated, repository):
    run("load", str(DATA / "document-sample.json"))
    command = f"{sys.executable} {repository}/manage.py export meetings | head -c 5"
    done = subprocess.run(["bash", "-c", command], env=migrated, capture_output=True, timeout=60)
    assert done.stderr == b""


def test_local_days_follow_the_sites_zone_after_a_rebuild(run):
    run("load", str(DATA / "document-sample.json"))
    assert run("rebuild").stdout == b"rebuilt: 0 meetings differed\n"
    assert run("rebuild", TIME_ZONE="America/New_York").stdout == b"rebuilt: 1 meetings differed\n"
    options = ("export", "meetings", "--from", "2017-08-30", "--to", "2017-08-30")
    (row,) = csv_rows(run(*options, TIME_ZONE="America/New_York").stdout)
    assert row["start_time"] == "2017-08-30T12:00:00-04:00"


def test_installations_of_tests_have_nothing_of_this_one(installation):
    assert installation["DATA_DIR"] != os.environ.get("DATA_DIR")
