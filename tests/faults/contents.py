"""What an installation keeps, row by row, so that two of them can be compared: without ids and records of pulls."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

OF_MEETING = "JOIN reports_meeting m ON m.id = t.meeting_id"
# Rows that point to others are told apart by what those are known by.
QUESTIONS = {
    "reports_meeting": ("r.host_id AS room", "LEFT JOIN reports_room r ON r.id = t.room_id"),
    "reports_participant": ("m.uuid AS of_meeting", OF_MEETING),
    "reports_telephonyusage": ("m.uuid AS of_meeting", OF_MEETING),
    "reports_change": ("m.uuid AS of_meeting", OF_MEETING),
    "reports_room": ("1", ""),
    "reports_rejected": ("1", ""),
    "reports_licence": ("1", ""),
    "reports_trackednumber": ("1", ""),
    "reports_pulledday": ("1", ""),
    # Of months alone: a single day's totals are asked for to find where a month's difference lies, and whether there
    # was one before all of its days were in is a matter of who asked when.
    "reports_providerperiod": ("1", "WHERE t.first <> t.last"),
    "reports_providerroom": (
        "p.first || ' ' || p.last AS period",
        "JOIN reports_providerperiod p ON p.id = t.period_id AND p.first <> p.last",
    ),
}
# Ids, and what says when or how often something was asked and not what came of it.
LEFT_OUT = {
    *("id", "pull_id", "period_id", "room_id", "first_pull_id", "first_seen_at", "last_seen_at", "changed_at"),
    *("asked_at", "next_due_at", "failures", "last_error", "lease_owner", "lease_until", "complete_at", "seen_at"),
    *("step", "state", "added_at", "sent_at", "told_at", "asked_first"),
}
# A meeting's state is computed of it; its number has the name of a pointer elsewhere.
KEPT_THOUGH = {("reports_meeting", "state")}


def rows(environment: Mapping[str, str], statement: str) -> list[dict[str, Any]]:
    """Ask the database of an installation, past all of Roomledger."""
    url = environment.get("DATABASE_URL", "")
    if not url:
        file = Path(environment["DATA_DIR"]) / "roomledger.sqlite3"
        with closing(sqlite3.connect(file, timeout=30)) as database:
            cursor = database.execute(statement)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
    with psycopg.connect(url, autocommit=True) as server:
        asked = server.execute(statement)  # type: ignore[call-overload]
        names = [column.name for column in asked.description]
        return [dict(zip(names, row, strict=True)) for row in asked]


def contents(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """The raw rows of each table, sorted."""
    found = {}
    for table, (known_by, joined) in QUESTIONS.items():
        told = rows(environment, f"SELECT {known_by}, t.* FROM {table} t {joined}")
        found[table] = sorted(
            str(sorted((name, str(value)) for name, value in row.items() if _counts(table, name))) for row in told
        )
    return found


def _counts(table: str, name: str) -> bool:
    if name == "meeting_id":
        return table == "reports_meeting"
    return name not in LEFT_OUT or (table, name) in KEPT_THOUGH
