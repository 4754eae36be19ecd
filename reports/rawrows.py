"""Rows as the driver gives them, streamed: for tables of millions of rows, of which Django's objects cost most.

A query set says which rows and columns; only its converters are left out. What a column then is: text, whole
numbers and NULL as they are; truth 0/1 or False/True; money in whole millionths (see fields.py); a moment
is asked for as `Instant("column")`, in whole microseconds since 1970, or as `Moment("column")`, of which `moment`
makes one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import BigIntegerField, Func, IntegerField, QuerySet, TextField

from reports.moments import SECOND

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

Raw = tuple[Any, ...]
Parameters = tuple[str | int, ...]
Rows = QuerySet[Any, Raw]

CHUNK = 2000
# Of meetings and of what lies in them: no more of either is held at a time, but for the whole of one meeting.
PARENTS = 250
CHILDREN = 1000


class Instant(Func):
    """A moment as whole microseconds since 1970, exact; NULL stays."""

    arity = 1
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: "SQLCompiler", connection: "BaseDatabaseWrapper", **_: Any) -> tuple[str, Parameters]:
        """Kept as text: `2026-01-31 09:00:00`, with six more digits where there are parts of a second."""
        moment, parameters = compiler.compile(self.get_source_expressions()[0])
        # SQLite itself counts in thousandths, and would round.
        text = f"substr({moment}, 1, 19)"
        whole = f"unixepoch({text})" if _has_unixepoch() else f"CAST(strftime('%%s', {text}) AS INTEGER)"
        part = f"CAST(substr({moment}, 21, 6) AS INTEGER)"
        return f"({whole} * {SECOND} + {part})", (*parameters, *parameters)

    def as_postgresql(
        self, compiler: "SQLCompiler", connection: "BaseDatabaseWrapper", **_: Any
    ) -> tuple[str, Parameters]:
        """By date_part: a double holds the microseconds of these centuries, and is quicker than extract's decimal."""
        moment, parameters = compiler.compile(self.get_source_expressions()[0])
        return f"CAST(date_part('epoch', {moment}) * {SECOND} AS bigint)", parameters


class Moment(Func):
    """A moment for `moment`: on SQLite its text, which its driver would take apart more slowly."""

    arity = 1
    output_field = TextField()

    def as_sqlite(self, compiler: "SQLCompiler", connection: "BaseDatabaseWrapper", **_: Any) -> tuple[str, Parameters]:
        """The column as it is kept; a cast hides from the driver what it is."""
        text, parameters = compiler.compile(self.get_source_expressions()[0])
        return f"CAST({text} AS text)", tuple(parameters)

    def as_postgresql(
        self, compiler: "SQLCompiler", connection: "BaseDatabaseWrapper", **_: Any
    ) -> tuple[str, Parameters]:
        """The column."""
        text, parameters = compiler.compile(self.get_source_expressions()[0])
        return text, tuple(parameters)


def _has_unixepoch() -> bool:
    """SQLite's quicker function, since 3.38."""
    from sqlite3 import sqlite_version_info

    return sqlite_version_info >= (3, 38)


def moment(value: str | datetime) -> datetime:
    """A moment in UTC, of a column that holds them: as `Moment` gives it, or the driver, which on SQLite leaves out the
    zone, which is UTC.
    """
    if isinstance(value, str):
        return datetime.fromisoformat(f"{value}+00:00")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def every(rows: Rows) -> list[Raw]:
    """All rows of a query set made by `values_list`: of few thousands, whose conversion costs most."""
    try:
        statement, parameters = rows.query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


Converters = Mapping[int, tuple[Sequence[Callable[..., Any]], Any]]


class Statement(NamedTuple):
    """A statement, and how what the driver gives becomes values: by place, Django's converters and the expression."""

    text: str
    parameters: Sequence[Any]
    converters: Converters


def statement(rows: Rows) -> Statement:
    """What a query set made by `values_list` asks. Errors: EmptyResultSet where no row can be such."""
    compiler = rows.query.get_compiler(connection=connection)
    text, parameters = compiler.as_sql()
    return Statement(text, parameters, compiler.get_converters([found for found, _text, _alias in compiler.select]))


def converted(asked: Statement) -> Iterator[Raw]:
    """The rows of a statement, as Django gives them, for many rows of many sums.

    Django makes a whole number of each whole number: where the driver gives them as such, that is left out, and columns
    that are to be converted are so one by one, not row by row.
    """
    with connection.cursor() as cursor:
        cursor.execute(asked.text, asked.parameters)
        raw = cursor.fetchall()
    columns: list[Sequence[Any]] = list(zip(*raw, strict=True))
    # Without a row there are no columns either.
    for place, (converters, expression) in asked.converters.items() if raw else ():
        kind = expression.output_field
        # SQLite's sums and counts of whole numbers are whole; PostgreSQL's sums are numerics. Money is no number.
        if connection.vendor == "sqlite" and isinstance(kind, IntegerField) and not kind.get_db_converters(connection):
            continue
        column = columns[place]
        for convert in converters:
            column = [convert(value, expression, connection) for value in column]
        columns[place] = column
    return zip(*columns, strict=True)


@contextmanager
def one_moment() -> Iterator[None]:
    """What is asked inside sees the ledger as it stood at one moment, whatever is written meanwhile."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        # As long as one of its statements is unfinished, SQLite answers all others from the same moment. A
        # transaction of Django's would be a writer's (see settings) and keep the pulls waiting.
        with connection.cursor() as unfinished:
            unfinished.execute("SELECT 1 FROM sqlite_master")
            yield
    else:
        # It also lets a server's cursor begin with its first row: outside a transaction the server would first
        # put all of them aside.
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield


def stream(rows: Rows, chunk: int = CHUNK) -> Iterator[Raw]:
    """The rows of a query set made by `values_list`, in its order; memory does not grow with their number."""
    try:
        statement, parameters = rows.query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:  # no row can be such: there is nothing to ask
        return
    # A cursor of the server's own, where there is a server: else the driver would fetch all rows at once.
    with one_moment(), connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while found := cursor.fetchmany(chunk):
            yield from found


class _Children:
    """The children of some parents, by a statement that is made once and asked many times."""

    def __init__(self, children: Rows, foreign_key: str) -> None:
        # Numbers that no row has stand for the parents' own.
        marks = [-number for number in range(1, PARENTS + 1)]
        asked = children.filter(**{f"{foreign_key}__in": marks})
        self._statement, parameters = asked.query.get_compiler(connection=connection).as_sql()
        self._places = {mark: place for place, mark in enumerate(parameters) if type(mark) is int and mark < 0}
        self._parameters = list(parameters)
        self._marks = marks

    def of(self, parents: Sequence[int]) -> list[Raw]:
        """Theirs; no more than PARENTS, and one at least."""
        for number, mark in enumerate(self._marks):
            # Fewer than there is room for: the last one is asked for again, which adds nothing.
            self._parameters[self._places[mark]] = parents[min(number, len(parents) - 1)]
        with connection.cursor() as cursor:
            cursor.execute(self._statement, self._parameters)
            return list(cursor.fetchall())


def with_children(parents: Rows, children: Rows, foreign_key: str) -> Iterator[list[tuple[Raw, list[Raw]]]]:
    """Each parent in their order with its children in theirs, some at a time; those without any are left out.

    parents: their first column is their id, their second how many children to expect (None: unknown). children:
    their first column is their parent's id, by which they are ordered first. foreign_key: its name. Neither is
    sorted by the other's columns, so that an index serves each order: the first row comes at once, however many
    follow.
    """
    pending: list[Raw] = []
    expected = 0

    try:
        asked = _Children(children, foreign_key)
    except EmptyResultSet:
        return

    def together() -> list[tuple[Raw, list[Raw]]]:
        rows = asked.of([parent[0] for parent in pending])
        found = {key: list(group) for key, group in groupby(rows, itemgetter(0))}
        return [(parent, found[parent[0]]) for parent in pending if parent[0] in found]

    with one_moment():
        for parent in stream(parents, 5 * PARENTS):
            if pending and (len(pending) >= PARENTS or expected + (parent[1] or 0) > CHILDREN):
                yield together()
                pending, expected = [], 0
            pending.append(parent)
            expected += parent[1] or 0
        if pending:
            yield together()


def batches(rows: Iterator[Raw], size: int) -> Iterator[list[Raw]]:
    """Rows so many at a time."""
    while chunk := list(islice(rows, size)):
        yield chunk
