"""Sums over the rows of a filter, by statements of which what they add up is put into words once for all filters.

Django takes seven times as long over the sixteen sums of a meeting as over a filter, and a page has a dozen such
statements.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import QuerySet, Value

from reports.rawrows import Converters, Raw, Statement, converted, statement

Sums = Mapping[str, Any]
ALL = Value(0)  # by which all rows are one group


class _Selected(NamedTuple):
    """What a statement gives, of each column: its text and parameters; and how values are made of what comes."""

    texts: Sequence[str]
    parameters: Sequence[Sequence[Any]]
    converters: Converters


@lru_cache(maxsize=256)
def _selected(
    model: type[models.Model], _vendor: str, keys: tuple[Any, ...], sums: tuple[Any, ...]
) -> _Selected | None:
    """The keys and sums over rows of a model, as columns; None where other tables have a part in them."""
    columns = {f"column_{place}": found for place, found in enumerate(keys)}
    added = {f"sum_{place}": found for place, found in enumerate(sums)}
    rows = model._default_manager.order_by().values(**columns).annotate(**added).values_list(*columns, *added)
    compiler = rows.query.get_compiler(connection=connection)
    compiler.as_sql()
    if len(rows.query.alias_map) > 1:
        return None
    told = [text for _expression, text, _alias in compiler.select]
    texts, parameters = zip(*told, strict=True)
    return _Selected(texts, parameters, compiler.get_converters([found for found, _text, _alias in compiler.select]))


def grouped(rows: "QuerySet[Any, Any]", keys: Sequence[Any], sums: Sums) -> Statement:
    """The statement of the groups of some rows, which have no order: their keys, then their sums.

    keys: columns or expressions. Errors: EmptyResultSet where no row can be such.
    """
    keys = tuple(models.F(key) if isinstance(key, str) else key for key in keys)
    model: Any = rows.model
    selected = _selected(model, connection.vendor, keys, tuple(sums.values()))
    if selected is None:
        columns = {f"column_{place}": found for place, found in enumerate(keys)}
        added = {f"sum_{name}": found for name, found in sums.items()}
        return statement(rows.values(**columns).annotate(**added).values_list(*columns, *added))
    text, parameters = rows.values_list("pk").query.get_compiler(connection=connection).as_sql()
    # All that follows the one column: the table, what is joined to it, and the conditions.
    where = text[text.index(" FROM ") :]
    by = ", ".join(str(place + 1) for place in range(len(keys)))
    given = [parameter for column in selected.parameters for parameter in column]
    return Statement(
        f"SELECT {', '.join(selected.texts)}{where} GROUP BY {by}",
        [*given, *parameters],
        selected.converters,
    )


def groups(rows: "QuerySet[Any, Any]", keys: Sequence[Any], sums: Sums) -> Iterator[Raw]:
    """The groups of some rows, which have no order: their keys, then their sums. keys: columns or expressions."""
    try:
        return converted(grouped(rows, keys, sums))
    except EmptyResultSet:
        return iter(())


def first_groups(rows: "QuerySet[Any, Any]", key: str, sums: Sums, by: str, most: int) -> list[Raw]:
    """Of `groups` by one column the first so many by one of the sums, which is known of each: the largest first.

    Of equals the one with the larger key is before the other.
    """
    try:
        asked = grouped(rows, [key], sums)
    except EmptyResultSet:
        return []
    place = 2 + [*sums].index(by)
    text = f"{asked.text} ORDER BY {place} DESC, 1 DESC LIMIT %s"
    return list(converted(asked._replace(text=text, parameters=[*asked.parameters, most])))
