"""A ledger of every schema that there has been is taken over by this version, and nothing of it is lost."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.faults.processes import ROOT, manage
from tests.ledgers import KEPT, load, schema
from tests.ledgers.__main__ import known

FILES = sorted(KEPT.glob("*.sql.gz"))
HOW = "Make it with: python -m tests.ledgers"
FACTS = {
    "meetings": "SELECT uuid, meeting_id, topic, start_time, end_time, duration FROM reports_meeting",
    "visits": "SELECT m.uuid, p.name, p.join_time, p.leave_time FROM reports_participant p "
    "JOIN reports_meeting m ON m.id = p.meeting_id",
    "calls": "SELECT m.uuid, t.phone_number, t.start_time, t.total FROM reports_telephonyusage t "
    "JOIN reports_meeting m ON m.id = t.meeting_id",
    "rooms": "SELECT host_id, name, capacity FROM reports_room",
    "tracked": "SELECT number FROM reports_trackednumber",
    "accounts": "SELECT username FROM auth_user",
}


def facts(ask: Any) -> dict[str, list[str]]:
    return {name: sorted(str(tuple(map(_plain, row))) for row in ask(statement)) for name, statement in FACTS.items()}


def _plain(value: Any) -> str:
    from datetime import UTC, datetime

    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None)
    return str(value)


def of_file(database: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(database)) as read:
        return facts(lambda statement: read.execute(statement).fetchall())


def name(file: Path) -> str:
    return file.name.removesuffix(".sql.gz")


def test_there_is_a_ledger_of_the_newest_schema_and_none_of_an_unknown_one(tmp_path):
    held = []
    for number, file in enumerate(FILES):
        assert file.stat().st_size < 200_000, file.name
        load(file, tmp_path / str(number))
        held.append(schema(tmp_path / str(number)))
        strange = held[-1] - known(ROOT)
        assert not strange, f"{file.name} holds {sorted(strange)}, which is not here any more. Mend it: {HOW}"
    missing = known(ROOT) - set().union(*held)
    assert known(ROOT) in held, f"There is no kept ledger with {sorted(missing)}. {HOW}"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="they are SQLite's")
@pytest.mark.parametrize("file", FILES, ids=name)
def test_an_older_ledger_is_taken_over_whole(installation, tmp_path, file):
    old = tmp_path / "old.sqlite3"
    load(file, old)
    before = of_file(old)
    assert min(len(before[name]) for name in ("meetings", "visits", "calls", "rooms")) > 2
    # It is migrated and verified beside the database; any difference would end it with 1.
    said = manage(installation, "restore", str(old))
    assert f"restored: {len(before['meetings'])} meetings, {len(before['visits'])} visits" in said
    database = Path(installation["DATA_DIR"]) / "roomledger.sqlite3"
    assert of_file(database) == before
    assert schema(database) == known(ROOT)
    # And its sums can be made.
    assert manage(installation, "rebuild") == "rebuilt: 0 meetings differed\n"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="for a ledger that is on a server")
@pytest.mark.parametrize("file", [FILES[0], FILES[len(FILES) // 2], FILES[-2]], ids=name)
def test_an_older_ledger_on_a_server_is_taken_over_whole(installation, tmp_path, file):
    old = tmp_path / "old.sqlite3"
    load(file, old)
    before = of_file(old)
    held = schema(old)
    for app in ("reports", "dashboard"):
        newest = max((found for of, found in held if of == app), default="zero")
        manage(installation, "migrate", "-v0", app, newest)
    manage(installation, "migrate", "-v0", "auth")
    with closing(sqlite3.connect(old)) as read, psycopg.connect(installation["DATABASE_URL"]) as server:
        copy(read, server)
    manage(installation, "migrate", "-v0")
    verified = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "verify"], env=installation, cwd=ROOT, capture_output=True, text=True
    )
    assert verified.returncode == 0, verified.stdout
    with psycopg.connect(installation["DATABASE_URL"]) as server:
        assert facts(lambda statement: server.execute(statement).fetchall()) == before


def whole_moment(column: str) -> str:
    """A parameter's text. What is kept of the newest begins with its moment, on a server to the microsecond."""
    if column != "newest":
        return "%s::text"
    return r"regexp_replace(%s::text, '^([^\t]{19})\t', E'\\1.000000\t')"


def copy(read: sqlite3.Connection, server: "psycopg.Connection[Any]") -> None:
    """The rows of our tables, in whatever order: what points to what is not looked at meanwhile."""
    server.execute("SET session_replication_role = replica")
    tables = read.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND (name LIKE 'reports\\_%' ESCAPE '\\' "
        "OR name LIKE 'dashboard\\_%' ESCAPE '\\' OR name = 'auth_user') AND name NOT LIKE '%trigrams%'"
    ).fetchall()
    for (table,) in tables:
        kinds = dict(
            server.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", [table]
            ).fetchall()
        )
        cursor = read.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in cursor.description]
        # A moment is kept by SQLite in UTC without saying so.
        zone = {one: " || 'Z'" if kinds[one].startswith("timestamp") else "" for one in names}
        values = ", ".join(f"({whole_moment(one)}{zone[one]})::{kinds[one]}" for one in names)
        columns = ", ".join(f'"{one}"' for one in names)
        server.execute(f'DELETE FROM "{table}"')
        for row in cursor:
            statement = f'INSERT INTO "{table}" ({columns}) VALUES ({values})'
            server.execute(statement, [None if value is None else str(value) for value in row])  # type: ignore[arg-type]
        if "id" in kinds:
            server.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM \"{table}\" "
                f"HAVING max(id) IS NOT NULL AND pg_get_serial_sequence('{table}', 'id') IS NOT NULL"
            )
