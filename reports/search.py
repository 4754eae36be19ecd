"""What a search looks in: the distinct topics, numbers and names that the kept meetings have, and their index.

A ledger of millions of visits has some thousands of them: a text of one or two characters is looked for by
reading them all, a longer one by an index of their trigrams. From the texts to the meetings the way is an index
(see querysets.py). Long texts are not kept here: they are so few
that they are read one by one.
"""

import json
from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet, TextField, Value

from reports.expressions import LONG, Short, Topic
from reports.models import Meeting, Participant, SearchText
from reports.prepared import VISIT_COLUMNS
from reports.provider.payloads import MeetingRecord
from reports.querysets import TRIGRAMS
from reports.text import fold, name_key

# ruff: noqa: S608 — only names of our own tables are in the statements here; every value is bound.

Kind = SearchText.Kind
TABLE = SearchText._meta.db_table
NAME_KEY = VISIT_COLUMNS.index("name_key")


def keep(records: Iterable[MeetingRecord]) -> None:
    """Make the texts of some records that are not there yet. In the transaction that keeps their meetings.

    Call it once in a transaction, with all its records: texts are made in one order, so that two workers that
    make the same ones never wait in a circle. What is known to be there is asked for all the same: `tidy` then
    waits for this transaction, and drops nothing that it relies on.
    """
    topics: set[str] = set()
    numbers: set[str] = set()
    names: set[str] = set()
    for record in records:
        topics.add(record.topic or "")
        numbers.add(record.meeting_id)
        ready = record.prepared
        if ready is None:
            names.update([name_key(visit.name) for visit in record.visits or ()])
        else:
            names.update([row[NAME_KEY] for row in ready.visits])
    for kind, texts in ((Kind.NAME, names), (Kind.NUMBER, numbers), (Kind.TOPIC, map(fold, topics))):
        _make(kind, sorted({text for text in texts if 0 < len(text) < LONG}))


def _make(kind: SearchText.Kind, texts: list[str]) -> None:
    """Make those of a kind that are not there, in their order and by one statement: many cost several times that."""
    bound: list[str] | str = texts
    if connection.vendor == "postgresql":
        given = "unnest(%s::text[]) AS given (value)"
    else:
        given, bound = "json_each(%s) AS given", json.dumps(texts, ensure_ascii=False)
    wanted = f"SELECT %s, value FROM {given} WHERE true ON CONFLICT DO NOTHING"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (kind, text) {wanted}", [kind.value, bound])


def tidy() -> None:
    """Make the texts that are missing and drop those that no meeting and no visit has any more.

    Imports wait meanwhile, as long as it takes to read the names of all visits once; nobody else does.
    """
    make_trigrams()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Whoever is making texts ends first, and nobody begins: what is unused now stays unused.
                cursor.execute(f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE")
        fill(Meeting.objects.all(), Participant.objects.all())
        users = {
            Kind.TOPIC: Meeting.objects.alias(of=Topic("search")).filter(of=OuterRef("text")),
            Kind.NUMBER: Meeting.objects.filter(meeting_id=OuterRef("text")),
            Kind.NAME: Participant.objects.filter(Short("name_key"), name_key=OuterRef("text")),
        }
        for kind, rows in users.items():
            SearchText.objects.filter(~Exists(rows), kind=kind.value).delete()


def fill(meetings: "QuerySet[Any]", visits: "QuerySet[Any]") -> None:
    """Make the texts of these meetings and visits that are not there yet, within the database."""
    meetings = meetings.alias(of=Topic("search"))
    _fill(Kind.TOPIC, meetings.filter(Short(Topic("search"))), "of")
    _fill(Kind.NUMBER, meetings, "meeting_id")
    _fill(Kind.NAME, visits.filter(Short("name_key")), "name_key")


def _fill(kind: SearchText.Kind, rows: "QuerySet[Any]", column: str) -> None:
    texts = rows.order_by().exclude(**{column: ""}).annotate(of_kind=Value(kind.value, TextField()), of_text=F(column))
    wanted, parameters = texts.values_list("of_kind", "of_text").distinct().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (kind, text) {wanted} ON CONFLICT DO NOTHING", parameters)


def make_trigrams() -> bool:
    """Make the index by trigrams, or mend it; False where the database has none to offer or does not allow it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in TRIGRAMS_MADE_BY[connection.vendor]:
                cursor.execute(statement)
    except DatabaseError:
        return False
    return True


_ADD = f"INSERT INTO {TRIGRAMS} (rowid, text) VALUES (new.id, new.text);"
_DROP = f"INSERT INTO {TRIGRAMS} ({TRIGRAMS}, rowid, text) VALUES ('delete', old.id, old.text);"
TRIGRAMS_MADE_BY = {
    # Full-text search beside the table, holding no text of its own; triggers keep it alike whoever writes.
    "sqlite": (
        f"CREATE VIRTUAL TABLE IF NOT EXISTS {TRIGRAMS} USING fts5(text, content='{TABLE}', content_rowid='id', "
        "tokenize='trigram case_sensitive 1', columnsize=0)",
        f"CREATE TRIGGER IF NOT EXISTS {TRIGRAMS}_insert AFTER INSERT ON {TABLE} BEGIN {_ADD} END",
        f"CREATE TRIGGER IF NOT EXISTS {TRIGRAMS}_delete AFTER DELETE ON {TABLE} BEGIN {_DROP} END",
        f"CREATE TRIGGER IF NOT EXISTS {TRIGRAMS}_update AFTER UPDATE ON {TABLE} BEGIN {_DROP} {_ADD} END",
        f"INSERT INTO {TRIGRAMS} ({TRIGRAMS}) VALUES ('rebuild')",
    ),
    # The extension is one that the owner of a database may make, where the server has it.
    "postgresql": (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        f"CREATE INDEX IF NOT EXISTS {TRIGRAMS} ON {TABLE} USING gin (text gin_trgm_ops)",
    ),
}
