"""Rows as the driver gives them, streamed: for tables of millions of rows, of which Django's objects cost most.

A query set says which rows and columns; only its converters are left out. What a column then is:
text, whole numbers and NULL as they are; truth 0/1 or False/True; a moment a naive UTC datetime on SQLite
and an aware one elsewhere (`csvtable.LocalTime` takes both); money in whole millionths (see fields.py).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

CHUNK = 2000


def stream(rows: "QuerySet[Any, tuple[Any, ...]]", chunk: int = CHUNK) -> Iterator[tuple[Any, ...]]:
    """The rows of a query set made by `values_list`, in its order; memory does not grow with their number."""
    try:
        statement, parameters = rows.query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:  # no row can be such: there is nothing to ask
        return
    # A cursor of the server's own, where there is a server: else the driver would fetch all rows at once.
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while found := cursor.fetchmany(chunk):
            yield from found


def moment(value: datetime) -> datetime:
    """An aware moment as the rows have theirs, to be compared with them."""
    return value.astimezone(UTC).replace(tzinfo=None) if connection.vendor == "sqlite" else value
