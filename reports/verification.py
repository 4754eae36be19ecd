"""Whether everything computed and kept is what the raw rows say, without writing to the ledger.

All of it is asked of one moment. What is computed of a meeting is computed again beside it. The kept sums are made
anew by the very code that made them, in temporary tables of the same names: a name without its schema means those,
so that `fold` neither needs to know of it nor can touch what it is compared with.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import AutoField, ForeignKey

from reports import folding, kept, measures, privacy, search, summaries, triggers
from reports.keptmodels import Stretch, Touched
from reports.models import Ledger, Meeting, Participant, SearchText, TelephonyUsage
from reports.prepared import canonical_calls, canonical_visits, digest
from reports.querysets import TRIGRAMS
from reports.text import name_key

# ruff: noqa: S608 — only names of our own tables are in the statements here; every value is bound.

FIRST_FEW = 3
BATCH = 500
SHADOWED: tuple[type[models.Model], ...] = (*kept.TABLES, Stretch, Touched, Ledger, SearchText)

REBUILD = "Mend what is computed with: manage.py rebuild."
RESTORE = "The raw rows themselves are damaged: restore a backup made before that, and pull the days since again."
DATABASE = "The database file or server is damaged: restore a backup."
Progress = Callable[[int, int], None]


class OtherVersion(Exception):
    """The tables are not those of this version of Roomledger; the text says what to do."""


@dataclass(slots=True)
class Difference:
    """One kind of difference: what differs, how often, the first few, and what mends it."""

    what: str
    remedy: str
    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, example: str, count: int = 1) -> None:
        self.count += count
        if len(self.first) < FIRST_FEW:
            self.first.append(example)

    def __str__(self) -> str:
        more = " …" if self.count > len(self.first) else ""
        return f"{self.what}: {self.count} ({'; '.join(self.first)}{more})"


@dataclass(slots=True)
class Verified:
    """What was looked at and what differed. notes: what is no difference and still worth a line."""

    differences: dict[str, Difference] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    meetings: int = 0
    visits: int = 0
    calls: int = 0
    stretches: int = 0

    def differs(self, what: str, example: str, remedy: str = REBUILD, count: int = 1) -> None:
        self.differences.setdefault(what, Difference(what, remedy)).add(example, count)

    @property
    def remedies(self) -> list[str]:
        """What to do, each once; what a rebuild mends comes last: it builds on the rows."""
        found = dict.fromkeys(difference.remedy for difference in self.differences.values())
        return sorted(found, key=lambda remedy: remedy == REBUILD)


def verify(progress: Progress | None = None) -> Verified:
    """Compare all that is computed and kept with the raw rows of one moment; pulls and readers go on meanwhile.

    Errors: OtherVersion, DatabaseError.
    """
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise OtherVersion("The database is of an older version of Roomledger. Run: manage.py migrate")
    found = Verified()
    with _one_moment():
        state = kept.state()
        _look_at_database(found)
        _look_at_meetings(found, progress)
        with _beside() as real:
            _look_at_search(found, real)
            _look_at_sums(found, state, real)
    return found


def mend() -> None:
    """What a rebuild mends beside the computed values: triggers that are missing, numbers that were given already."""
    triggers.install(connection)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
                cursor.execute(statement)


# One moment, and tables beside the real ones -----------------------------------------------------------------


@contextmanager
def _one_moment() -> Iterator[None]:
    """Inside, every question is answered as of one moment, and nothing that is written stays."""
    connection.ensure_connection()
    nested = connection.in_atomic_block
    lite: Any = connection
    mode = getattr(connection, "transaction_mode", None)
    if connection.vendor == "sqlite":
        # A reader's transaction: whoever writes is neither waited for nor kept waiting.
        lite.transaction_mode = "DEFERRED"
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql" and not nested:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield
            transaction.set_rollback(True)
    finally:
        if connection.vendor == "sqlite":
            lite.transaction_mode = mode


@contextmanager
def _beside() -> Iterator[Callable[[type[models.Model]], str]]:
    """Empty temporary tables that stand before the real ones; yields what names a real one all the same."""
    quote = connection.ops.quote_name
    schema = "main"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_schema()")
            schema = cursor.fetchone()[0]
        for model in SHADOWED:
            table = model._meta.db_table
            if connection.vendor == "postgresql":
                cursor.execute(f"CREATE TEMPORARY TABLE {quote(table)} (LIKE {quote(table)} INCLUDING ALL)")
                continue
            cursor.execute(
                "SELECT sql FROM main.sqlite_master WHERE tbl_name = %s AND type IN ('table', 'index') "
                "AND sql IS NOT NULL ORDER BY type DESC",
                [table],
            )
            for (text,) in cursor.fetchall():
                made = re.sub(r"^CREATE TABLE ", "CREATE TEMPORARY TABLE ", text)
                # No parameters: a percent sign of the text is one.
                connection.connection.execute(re.sub(r"^CREATE (UNIQUE )?INDEX ", r"CREATE \1INDEX temp.", made))
        if connection.vendor == "postgresql" and not connection.savepoint_ids:
            # From here on the server itself lets nothing but those be written.
            cursor.execute("SET TRANSACTION READ ONLY")
    yield lambda model: f"{quote(schema)}.{quote(model._meta.db_table)}"


def _anew(model: type[models.Model]) -> str:
    """The temporary table of a model."""
    schema = "pg_temp" if connection.vendor == "postgresql" else "temp"
    return f"{schema}.{connection.ops.quote_name(model._meta.db_table)}"


def _rows(statement: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))
        return list(cursor.fetchall())


# The database itself -------------------------------------------------------------------------------------------


def _look_at_database(found: Verified) -> None:
    if connection.vendor == "sqlite":
        for (told,) in _rows("PRAGMA main.integrity_check(10)"):
            if told != "ok":
                found.differs("the database file", " ".join(str(told).split())[:200], DATABASE)
        for table, rowid, parent, _number in _rows("PRAGMA main.foreign_key_check"):
            found.differs(f"rows of {table} without their {parent}", f"row {rowid}", RESTORE)
    else:
        _look_at_pointers(found)
        _look_at_sequences(found)
        for (name,) in _rows(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace"
        ):
            found.differs(
                "indexes that are not valid", name, "Mend the indexes with the statement: REINDEX INDEX name."
            )
    there = _triggers()
    for name in sorted(_triggers_wanted() - there):
        found.differs("triggers that are missing", name)


def _look_at_pointers(found: Verified) -> None:
    """Rows that point to none. The server sees to that, but for those that were written past its checks."""
    quote = connection.ops.quote_name
    for model in apps.get_models():
        for pointer in model._meta.concrete_fields:
            if not isinstance(pointer, ForeignKey) or not model._meta.managed:
                continue
            target = pointer.target_field
            table, parent = quote(model._meta.db_table), quote(target.model._meta.db_table)
            key, own, other = (quote(one.column or one.attname) for one in (model._meta.pk, pointer, target))
            rows = _rows(
                f"SELECT own.{key} FROM {table} own WHERE own.{own} IS NOT NULL "
                f"AND NOT EXISTS (SELECT 1 FROM {parent} other WHERE other.{other} = own.{own})"
            )
            for (pk,) in rows:
                what = f"rows of {model._meta.db_table} without their {target.model._meta.db_table}"
                found.differs(what, f"row {pk}", RESTORE)


def _look_at_sequences(found: Verified) -> None:
    """The next row's number must be free."""
    quote = connection.ops.quote_name
    for model in apps.get_models():
        pk = model._meta.pk
        if not isinstance(pk, AutoField):
            continue
        table, column = quote(model._meta.db_table), pk.column or pk.attname
        ((sequence, most),) = _rows(
            f"SELECT pg_get_serial_sequence(%s, %s), max({quote(column)}) FROM {table}", [table, column]
        )
        if sequence is None:
            continue
        ((last, called),) = _rows(f"SELECT last_value, is_called FROM {sequence}")
        if most is not None and (most > last or (most == last and not called)):
            found.differs("sequences that would give a number again", f"{sequence} is at {last}, row {most} exists")


def _triggers() -> set[str]:
    if connection.vendor == "sqlite":
        return {name for (name,) in _rows("SELECT name FROM main.sqlite_master WHERE type = 'trigger'")}
    return {name for (name,) in _rows("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")}


def _triggers_wanted() -> set[str]:
    tables = (*triggers.NAMES, triggers.ROOM)
    if connection.vendor != "sqlite":
        return {f"{table}_touched" for table in tables}
    wanted = {f"{table}_touched_{event}" for table in triggers.NAMES for event in ("insert", "update", "delete")}
    wanted.add(f"{triggers.ROOM}_touched_update")
    if _has_trigrams():
        wanted |= {f"{TRIGRAMS}_{event}" for event in ("insert", "update", "delete")}
    return wanted


def _has_trigrams() -> bool:
    return bool(_rows("SELECT 1 FROM main.sqlite_master WHERE name = %s", [TRIGRAMS]))


# What is computed of each meeting ------------------------------------------------------------------------------


def _look_at_meetings(found: Verified, progress: Progress | None) -> None:
    last, every = 0, Meeting.objects.count() if progress else 0
    while meetings := list(Meeting.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        first, last = meetings[0].pk, meetings[-1].pk
        within = {"meeting_id__gte": first, "meeting_id__lte": last}
        visits: dict[int, list[Participant]] = {}
        calls: dict[int, list[TelephonyUsage]] = {}
        for visit in Participant.objects.filter(**within).order_by("meeting_id", "place"):
            visits.setdefault(visit.meeting_id, []).append(visit)
        for call in TelephonyUsage.objects.filter(**within).order_by("meeting_id", "place"):
            calls.setdefault(call.meeting_id, []).append(call)
        for meeting in meetings:
            stays, dials = visits.get(meeting.pk, []), calls.get(meeting.pk, [])
            found.visits += len(stays)
            found.calls += len(dials)
            _look_at_meeting(found, meeting, stays, dials)
        found.meetings += len(meetings)
        if progress:
            progress(found.meetings, every)


def _look_at_meeting(found: Verified, meeting: Meeting, visits: list[Participant], calls: list[TelephonyUsage]) -> None:
    uuid = f"meeting {meeting.uuid}"
    for name, rows, reported, told, own in (
        ("visits", visits, meeting.participants_reported, meeting.participants_hash, canonical_visits),
        ("calls", calls, meeting.telephony_reported, meeting.telephony_hash, canonical_calls),
    ):
        if not reported and rows:
            found.differs(f"{name} of meetings that reported none", uuid, RESTORE)
        # An older version kept no hash of what it had; where names are gone, that of the report is not of what is left.
        elif reported and told and not privacy.is_keyed(told) and digest(own(rows)) != told:
            found.differs(f"meetings whose {name} are not those reported", uuid, RESTORE)
    zone = summaries.site_zone()
    anew = measures.computed(
        vars(meeting),
        visits if meeting.participants_reported else None,
        calls if meeting.telephony_reported else None,
        zone,
    )
    for name, value in anew.items():
        if getattr(meeting, name) != value:
            found.differs(f"meetings: {name}", uuid)
    figures = measures.on_first_visits(visits, meeting.start_time, meeting.end_time)
    for visit, (count, seconds, late) in zip(visits, figures, strict=True):
        wanted = (name_key(visit.name), count, seconds, late)
        for name, value in zip(summaries.VISIT_FIELDS, wanted, strict=True):
            if getattr(visit, name) != value:
                found.differs(f"visits: {name}", f"visit {visit.place} of {uuid}")
    for call in calls:
        if call.local_day != measures.call_day(call.start_time, meeting.start_time, zone):
            found.differs("calls: local_day", f"call {call.place} of {uuid}")
        if call.country != measures.country_of(call.phone_number):
            found.differs("calls: country", f"call {call.place} of {uuid}")


# What a search looks in ----------------------------------------------------------------------------------------


def _look_at_search(found: Verified, real: Callable[[type[models.Model]], str]) -> None:
    search.fill(Meeting.objects.all(), Participant.objects.all())
    both = (f"SELECT kind, text FROM {_anew(SearchText)}", f"SELECT kind, text FROM {real(SearchText)}")
    for kind, text in _rows(f"{both[0]} EXCEPT {both[1]}"):
        found.differs("texts that a search would not find", f"{kind} of {len(text)} characters")
    unused = _rows(f"SELECT count(*) FROM ({both[1]} EXCEPT {both[0]}) AS unused")[0][0]
    if unused:
        found.notes.append(f"Texts of the search that nothing has any more, which a rebuild drops: {unused}")
    if connection.vendor == "sqlite" and _has_trigrams():
        _look_at_trigrams(found, real)


def _look_at_trigrams(found: Verified, real: Callable[[type[models.Model]], str]) -> None:
    """The index by trigrams holds those of every text and no others."""
    _rows(f"CREATE VIRTUAL TABLE temp.reports_vocabulary USING fts5vocab('main', '{TRIGRAMS}', 'instance')")
    held = Counter(row for (row,) in _rows("SELECT doc FROM temp.reports_vocabulary"))
    terms: dict[int, set[str]] = {}
    for row, term in _rows("SELECT DISTINCT doc, term FROM temp.reports_vocabulary"):
        terms.setdefault(row, set()).add(term)
    for row, text in _rows(f"SELECT id, text FROM {real(SearchText)}"):
        wanted = [text[place : place + 3] for place in range(len(text) - 2)]
        if len(wanted) != held.pop(row, 0) or set(wanted) != terms.get(row, set()):
            found.differs("texts that are not as the index by trigrams has them", f"text {row}")
    for row in held:
        found.differs("texts that are not as the index by trigrams has them", f"text {row}, which is gone")


# Sums ------------------------------------------------------------------------------------------------------------


def stretch_name(code: int) -> str:
    """A stretch in words: a day, the days of a third, a month or a year."""
    first, scale = kept.day_of(code), code // kept.SCALE
    if scale == kept.THIRD:
        return f"{first} – {kept.end_of(first, scale)}"
    return first.isoformat()[: {0: 10, kept.MONTH: 7, kept.YEAR: 4}[scale]]


def _look_at_sums(found: Verified, state: kept.State, real: Callable[[type[models.Model]], str]) -> None:
    signed = _rows(f"SELECT time_zone FROM {real(Ledger)}")
    if signed and signed[0][0] != settings.TIME_ZONE:
        found.differs("the time zone of local days", f"kept in {signed[0][0]}, TIME_ZONE is {settings.TIME_ZONE}")
        return
    if not state.sound:
        if kept.known_days():
            found.notes.append("Sums of days wait to be made; until then every figure is added up from the rows.")
        return
    if state.touched:
        found.notes.append(f"Days that wait to be added up, until then read row by row: {len(state.touched)}")
    folding.fold()
    made = {code for (code,) in _rows(f"SELECT code FROM {_anew(Stretch)}")}
    spoilt = _ancestors(state.touched)
    used = state.stretches - spoilt
    for code in sorted(used - made):
        found.differs("stretches without a day", stretch_name(code))
    touched = {kept.code(day) for day in state.touched}

    def counts(code: int) -> bool:
        """Whether anybody reads the sums of a stretch."""
        return code not in touched if code < kept.SCALE else code in used

    quote = connection.ops.quote_name
    for model in kept.TABLES:
        keys, sums = kept.columns_of(model)
        columns = ", ".join(quote(name) for name in ("stretch", *keys, *sums))
        one, other = real(model), _anew(model)
        differing = Counter[int]()
        for here, there in ((one, other), (other, one)):
            for code, number in _rows(
                f"SELECT stretch, count(*) FROM (SELECT {columns} FROM {here} EXCEPT SELECT {columns} FROM {there}) "
                "AS apart GROUP BY stretch"
            ):
                differing[code] = max(differing[code], number)
        # A row that is there twice is in no set of differences.
        grouped = "SELECT stretch, count(*) FROM {} GROUP BY stretch"
        for code, _number in _rows(f"{grouped.format(one)} EXCEPT {grouped.format(other)}"):
            differing[code] = max(differing[code], 1)
        for code, number in sorted(differing.items()):
            if counts(code):
                found.differs(
                    f"sums of {model._meta.db_table.removeprefix('reports_kept')}", stretch_name(code), count=number
                )
    found.stretches = len(used) + len(
        {code for (code,) in _rows(f"SELECT stretch FROM {_anew(kept.TABLES[0])}") if code < kept.SCALE}
    )


def _ancestors(days: Iterable[date]) -> set[int]:
    return {
        kept.code(kept.begin_of(day, scale), scale) for day in days for scale in (kept.THIRD, kept.MONTH, kept.YEAR)
    }
