"""Many new rows at once, by the shortest way: some rows a statement on SQLite, COPY on PostgreSQL.

Django's bulk_create builds one long statement and asks every field of every row how to prepare itself;
for the rows of an import that costs several times what the database does. The values are the same.
Rows are prepared column by column: what a column needs is decided once. Moments and days may come as their texts
already (`spelt`, isoformat).
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import DatabaseError, connection, models

from reports.fields import MoneyField
from reports.moments import spelt

Prepare = Callable[[Sequence[Any]], Iterable[Any]]


def _each(prepare: Callable[[Any], Any]) -> Prepare:
    return lambda column: [None if value is None else prepare(value) for value in column]


def _moment(value: datetime | str) -> str:
    """As Django writes it into SQLite: UTC without saying so."""
    return value if type(value) is str else spelt(value)  # type: ignore[arg-type]


_MOMENTS = _each(_moment)
_DAYS = _each(lambda day: day if type(day) is str else day.isoformat())


def _preparer(field: "models.Field[Any, Any]") -> Prepare | None:
    """How a column of this field is handed to SQLite's driver, or written as JSON; None: as it is."""
    if isinstance(field, MoneyField):
        return _each(field.get_prep_value)
    if isinstance(field, models.DateTimeField):
        return _MOMENTS
    if isinstance(field, models.DateField):
        return _DAYS
    return None


def insert_rows(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]], *, ready: bool = False
) -> None:
    """Insert rows of values in the order of `names` (attribute names of the model's columns).

    ready: in all of them moments and days are texts, and amounts of money whole millionths.
    """
    if not rows:
        return
    fields = _fields(model, names)
    if connection.vendor == "postgresql":
        _copy(model, fields, list(zip(*rows, strict=True)), ready)
        return
    if not ready:
        rows = _prepared_rows(fields, rows)
    _insert(f"INSERT INTO {_table(model)} ({_columns(fields)})", "", len(fields), rows)


def find(model: type[models.Model], key: str, values: Iterable[str], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """The columns `names`, as the driver has them, of the rows whose `key`, a text column, has one of the values.

    One parameter, however many values: Django's own `in` prepares, binds and spells each of them.
    """
    wanted = list(values)
    if not wanted:
        return []
    given: list[Any]
    where = connection.ops.quote_name(_fields(model, [key])[0].column or key)
    if connection.vendor == "postgresql":
        one_of, given = "= ANY(%s)", [wanted]
    else:
        one_of, given = "IN (SELECT value FROM json_each(%s))", [json.dumps(wanted)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_columns(_fields(model, names))} FROM {_table(model)} WHERE {where} {one_of}",  # noqa: S608
            given,
        )
        return list(cursor.fetchall())


def insert_new(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]], key: str, *, ready: bool = False
) -> dict[str, int]:
    """Insert rows as `insert_rows` does, leaving out those whose `key`, a unique text column, is there already.

    Out: the ids of those that were inserted, by their keys. The rows come in the order of their keys: of two workers
    that insert the same ones, the second waits for the first, and they never wait in a circle.
    """
    if not rows:
        return {}
    fields = _fields(model, names)
    if not ready:
        rows = _prepared_rows(fields, rows)
    into = f"INSERT INTO {_table(model)} ({_columns(fields)})"
    unless = f"ON CONFLICT ({connection.ops.quote_name(key)}) DO NOTHING"
    returning = f"{unless} RETURNING {_columns(_fields(model, [key, 'id']))}"
    if connection.vendor == "postgresql":
        # COPY knows no conflicts. One JSON text is one parameter, and the server reads it into rows of the table.
        held = [field.column for field in fields]
        objects = [dict(zip(held, row, strict=True)) for row in rows]
        source = f"json_populate_recordset(NULL::{_table(model)}, %s::json)"
        with connection.cursor() as cursor:
            cursor.execute(
                f"{into} SELECT {_columns(fields)} FROM {source} {returning}",  # noqa: S608
                [json.dumps(objects, ensure_ascii=False)],
            )
            return dict(cursor.fetchall())
    if connection.features.can_return_rows_from_bulk_insert:
        return dict(_insert(into, returning, len(fields), rows))
    # SQLite before 3.35. Nobody else writes while this transaction does.
    keys = [row[names.index(key)] for row in rows]
    there = {one for (one,) in find(model, key, keys, [key])}
    _insert(into, unless, len(fields), rows)
    return {one: pk for one, pk in find(model, key, keys, [key, "id"]) if one not in there}


def _fields(model: type[models.Model], names: Sequence[str]) -> "list[models.Field[Any, Any]]":
    known = {field.attname: field for field in model._meta.concrete_fields}
    return [known[name] for name in names]


# Only names of our own models are in the text of a statement; every value is bound.


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _columns(fields: "Sequence[models.Field[Any, Any]]") -> str:
    return ", ".join(connection.ops.quote_name(field.column or field.attname) for field in fields)


def _prepared_rows(fields: "Sequence[models.Field[Any, Any]]", rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    columns = [
        column if (prepare := _preparer(field)) is None else prepare(column)
        for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    return list(zip(*columns, strict=True))


MOST_ROWS = 1024  # a statement


def _insert(into: str, after: str, width: int, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Many rows a statement: half the time of one row a statement, which is what executemany does.

    And while a statement runs, other threads do: the next answer is read meanwhile. Out: what `after` has returned.
    """
    # The driver's own marks and its own execute: Django's would look through every statement for marks to replace.
    marks = f"({', '.join('?' * width)})"
    done = 0
    returned: list[tuple[Any, ...]] = []
    with connection.wrap_database_errors, connection.cursor() as wrapped:
        cursor = wrapped.cursor
        most = connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // width
        while left := len(rows) - done:
            # Powers of two: the driver keeps a handful of statements and prepares none twice.
            size = 1 << min(left, most, MOST_ROWS).bit_length() - 1
            values = list(chain.from_iterable(rows[done : done + size]))
            sqlite3.Cursor.execute(cursor, f"{into} VALUES {', '.join([marks] * size)} {after}", values)
            if "RETURNING" in after:
                returned += cursor.fetchall()
            done += size
    return returned


# COPY --------------------------------------------------------------------------------------------------

NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _copy(
    model: type[models.Model], fields: "Sequence[models.Field[Any, Any]]", columns: Sequence[Sequence[Any]], ready: bool
) -> None:
    written = [_copied(field, column, ready) for field, column in zip(fields, columns, strict=True)]
    lines = "\n".join(map("\t".join, zip(*written, strict=True)))
    # psycopg's own errors become Django's, as those of every other statement.
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {_table(model)} ({_columns(fields)}) FROM STDIN") as copy,
    ):
        copy.write(f"{lines}\n")


def _copied(field: "models.Field[Any, Any]", column: Sequence[Any], ready: bool) -> list[str]:
    """A column in the text format of COPY."""
    if isinstance(field, models.DateTimeField):
        return [NULL if value is None else f"{_moment(value)}+00" for value in column]
    if isinstance(field, models.CharField | models.TextField):
        if None in column:
            return [NULL if value is None else value.translate(_ESCAPES) for value in column]
        together = "".join(column)
        if any(special in together for special in "\\\t\n\r"):
            return [value.translate(_ESCAPES) for value in column]
        return list(column)
    prepare = field.get_prep_value if isinstance(field, MoneyField) and not ready else None
    return [NULL if value is None else str(prepare(value) if prepare else value) for value in column]


@contextmanager
def put_aside_in_memory() -> Iterator[None]:
    """Inside, what statements of this connection put aside stays in memory; outside transactions, on SQLite alone.

    A statement of many rows keeps each page as it was, to undo itself; new sums wait to take their place. In files that
    costs a fifth of the writing. Elsewhere it may be millions of rows that are sorted: those belong in a file.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    _temp_store("MEMORY")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.in_atomic_block:
            # What made the work end is told by others.
            with suppress(DatabaseError):
                _temp_store("DEFAULT")


def _temp_store(where: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA temp_store = {where}")


def is_conflict(error: Exception) -> bool:
    """Whether a transaction failed only because of another one at the same time, so that it can be tried again."""
    # Deadlock, serialisation failure.
    return getattr(error.__cause__, "sqlstate", None) in {"40P01", "40001"}
