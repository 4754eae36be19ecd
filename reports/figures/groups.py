"""Sums of what is told apart by something: kept ones where they answer a filter, else straight from the rows.

A figure of every group, or the first groups in some order, which the database finds.
"""

# ruff: noqa: S608 — only names of our own models and sums are in the statements here; every value is bound.

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import QuerySet

from reports import kept, summing
from reports.clockwork import days_between
from reports.filter import Filter
from reports.kept import Row
from reports.summing import Sums


def asked(rows: "QuerySet[Any, Any]", by: Any, sums: Sums) -> Iterable[tuple[Any, Row]]:
    """(key, sums) of the groups of some rows. by: a column or an expression."""
    for key, *values in summing.groups(rows, [by], sums):
        yield key, dict(zip(sums, values, strict=True))


def together(rows: "QuerySet[Any, Any]", key: Any, sums: Sums) -> Iterable[tuple[Any, Row]]:
    """The same of all rows as one group; none where there is no row."""
    for _all, row in asked(rows, summing.ALL, sums):
        yield key, row


def merge(into: dict[Any, Row], pairs: Iterable[tuple[Any, Row]]) -> dict[Any, Row]:
    for key, row in pairs:
        into[key] = kept.add(into[key], row) if key in into else row
    return into


def gathered(
    chosen: Filter,
    read: Callable[[kept.Cover], Iterable[tuple[Any, Row]]],
    ask: Callable[[Filter], Iterable[tuple[Any, Row]]],
    largest: int = kept.YEAR,
) -> dict[Any, Row]:
    """Groups of a filter: those of kept stretches as `read` has them, and of the other days as `ask` does."""
    if not kept.serves(chosen):
        return dict(ask(chosen))
    cover = kept.cover(chosen.first, chosen.last, largest=largest)
    found = merge({}, read(cover))
    for part in cover.unkept(chosen):
        merge(found, ask(part))
    return found


@dataclass(frozen=True, slots=True)
class Kind:
    """What is told apart by something: how it is kept, and how its rows tell.

    key: the key column of what is kept; only: those with one value. rows: what a filter selects, without an order.
    by: what tells them apart. day: the column of their local day. many: whether there may be thousands of groups.
    """

    model: type[models.Model]
    key: str
    by: Any
    rows: Callable[[Filter], "QuerySet[Any, Any]"]
    only: Mapping[str, Any] = field(default_factory=dict)
    day: str = "local_day"
    many: bool = False

    def read(self, cover: kept.Cover, names: Sequence[str]) -> Iterable[tuple[Any, Row]]:
        """(key, sums) of what is kept."""
        return by_key(kept.rows(self.model, cover.spans, names, **self.only), self.key)

    def ask(self, part: Filter, sums: Sums) -> Iterable[tuple[Any, Row]]:
        """The same straight from the rows."""
        return asked(self.rows(part), self.by, sums)

    def every(self, chosen: Filter, sums: Sums) -> dict[Any, Row]:
        """The sums of all groups of a filter."""
        return gathered(chosen, lambda cover: self.read(cover, [*sums]), lambda part: self.ask(part, sums))

    def top(
        self,
        chosen: Filter,
        sums: Sums,
        order: "Order | None",
        wanted: int,
        *,
        among: "Among | None" = None,
        most: Sequence[str] = (),
        also: Sequence[Any] = (),
    ) -> "Top":
        """The first `wanted` groups of a filter by some order, and all that are equal to the last of them.

        Found by the database: of thousands a page shows some. order: None for all of them. most: sums of which the
        largest is told. also: keys that are given wherever they stand.
        """
        asked = _Asked(order or Order("NULL"), wanted, among, most, also)
        if order is None or not self.many or not kept.serves(chosen):
            return self._top(chosen, sums, asked)
        # Which they are is asked of few columns, and all the others of the few groups alone.
        texts = f"{order.value} {among.condition if among else ''}"
        few = {name: sums[name] for name in sums if name in most or re.search(rf"\b{name}\b", texts)}
        top = self._top(chosen, few, asked)
        if len(top.rows) > MOST_KEYS:
            return self._top(chosen, sums, asked)
        return top._replace(rows=self.some(chosen, sums, list(top.rows)))

    def _top(self, chosen: Filter, sums: Sums, asked: "_Asked") -> "Top":
        ctes, parameters = self._ctes(chosen, sums)
        most, among, order = asked.most, asked.among, asked.order
        if not ctes:
            return Top({}, 0, dict.fromkeys(most))
        quote = connection.ops.quote_name
        columns = ", ".join(["key_", *map(quote, sums)])
        where = f"WHERE {among.condition}" if among else ""
        way, until = ("DESC", ">=") if order.descending else ("ASC", "<=")
        largest = [f"(SELECT MAX({quote(name)}) FROM valued_)" for name in most]
        named = f"OR key_ IN ({', '.join(['%s'] * len(asked.also))})" if asked.also else ""
        statement = f"""
            WITH {ctes},
            valued_ AS (SELECT {columns}, {order.value} AS value_ FROM groups_ {where}),
            cut_ AS (SELECT (
                SELECT value_ FROM valued_ WHERE value_ IS NOT NULL ORDER BY value_ {way} LIMIT 1 OFFSET %s
            ) AS last_)
            SELECT {", ".join([columns, "(SELECT COUNT(*) FROM valued_)", *largest])}
            FROM valued_, cut_ WHERE last_ IS NULL OR value_ {until} last_ {named}
        """
        if among:
            parameters += among.parameters
        with connection.cursor() as cursor:
            cursor.execute(statement, [*parameters, max(0, asked.wanted - 1), *asked.also])
            raw = cursor.fetchall()
        if not raw:
            return Top({}, 0, dict.fromkeys(most))
        width = 1 + len(sums)
        [largest_of] = kept.told(self.model, most, [raw[0][width + 1 :]])
        return Top(
            rows=self._told(sums, (row[:width] for row in raw)),
            groups=raw[0][width],
            most=dict(zip(most, largest_of, strict=True)),
        )

    def some(self, chosen: Filter, sums: Sums, keys: Sequence[Any]) -> dict[Any, Row]:
        """The sums of some groups of a filter, by their keys."""
        return self._told(sums, self._raw(chosen, sums, keys)) if keys else {}

    def columns(self, chosen: Filter, sums: Sums) -> tuple[Sequence[Any], dict[str, Sequence[Any]]]:
        """The keys of every group of a filter, and its sums by name in their order: the quickest where there are tens
        of thousands.
        """
        raw = self._raw(chosen, sums)
        keys, *values = kept.told_columns(self.model, [self.key, *sums], raw)
        return keys, dict(zip(sums, values, strict=True))

    def _raw(self, chosen: Filter, sums: Sums, keys: Sequence[Any] | None = None) -> list[Sequence[Any]]:
        ctes, parameters = self._ctes(chosen, sums, keys)
        if not ctes:
            return []
        columns = ", ".join(["key_", *map(connection.ops.quote_name, sums)])
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {ctes} SELECT {columns} FROM groups_", parameters)
            found: list[Sequence[Any]] = cursor.fetchall()
        return found

    def _told(self, sums: Sums, raw: Iterable[Sequence[Any]]) -> dict[Any, Row]:
        found = kept.told(self.model, [self.key, *sums], raw)
        return {key: dict(zip(sums, values, strict=True)) for key, *values in found}

    def _ctes(self, chosen: Filter, sums: Sums, keys: Sequence[Any] | None = None) -> tuple[str, list[Any]]:
        """The groups of a filter as a table `groups_` of a statement: `key_`, then the sums; "" where it has none.

        keys: of these alone.
        """
        parts = self._parts(chosen, sums, keys)
        columns = ", ".join(["key_", *map(connection.ops.quote_name, sums)])
        parameters = [parameter for _text, given in parts for parameter in given]
        text = " UNION ALL ".join(text for text, _given in parts)
        if len(parts) < 2:
            return text and f"groups_ ({columns}) AS ({text})", parameters
        added = ", ".join(["key_", *map(kept.sum_of, sums)])
        together = f"groups_ ({columns}) AS (SELECT {added} FROM parts_ GROUP BY key_)"
        return f"parts_ ({columns}) AS ({text}), {together}", parameters

    def _parts(self, chosen: Filter, sums: Sums, keys: Sequence[Any] | None) -> list[tuple[str, Sequence[Any]]]:
        """Statements that give the groups of a filter, kept ones and of the other days: the key, then the sums."""
        parts: list[tuple[str, Sequence[Any]]] = []
        if kept.serves(chosen):
            cover = kept.cover(chosen.first, chosen.last)
            if cover.spans:
                only = self.only if keys is None else {**self.only, self.key: keys}
                parts.append(kept.added_up(self.model, cover.spans, [self.key], [*sums], **only))
            # All of them together: a database takes no more than some hundred parts.
            days = [day for first, last in cover.asked for day in days_between(first, last)]
            if not days:
                return parts
            rows = self.rows(chosen).filter(**{f"{self.day}__in": days})
        else:
            rows = self.rows(chosen)
        if keys is not None:
            rows = rows.alias(told_by=self.by).filter(told_by__in=keys)
        with contextlib.suppress(EmptyResultSet):
            statement = summing.grouped(rows, [self.by], sums)
            parts.append((statement.text, statement.parameters))
        return parts


# So many groups are asked for by their keys.
MOST_KEYS = 200


class Order(NamedTuple):
    """By what groups are put in order. value: an expression of their sums and their `key_`; unknown values are last."""

    value: str
    descending: bool = True


def containing(wanted: str, *, or_all: bool = False) -> "Among":
    """The groups whose key contains a text. or_all: all of them where there is none."""
    contains = "instr(key_, %s) > 0" if connection.vendor == "sqlite" else "strpos(key_, %s) > 0"
    if not or_all:
        return Among(contains, [wanted])
    return Among(f"({contains} OR NOT EXISTS (SELECT 1 FROM groups_ WHERE {contains}))", [wanted, wanted])


T = TypeVar("T")
MOST_PAGES = 1_000_000_000


def page_of(page: int, size: int, ask: Callable[[int], T], count: Callable[[T], int]) -> tuple[int, T]:
    """What `ask` gives for as many groups as a page and those before it have; the last page where there are fewer.

    Out: the page, and what was given. count: how many there are, of what was given.
    """
    # No more than a number of a database is.
    page = min(page, MOST_PAGES)
    found = ask(page * size)
    if page > 1 and count(found) <= (page - 1) * size:
        page = max(1, -(-count(found) // size))
        found = ask(page * size)
    return page, found


class Among(NamedTuple):
    """Which groups count. condition: over their sums and their `key_`, with its parameters."""

    condition: str
    parameters: Sequence[Any] = ()


class _Asked(NamedTuple):
    """What `Kind.top` was asked for."""

    order: Order
    wanted: int
    among: "Among | None"
    most: Sequence[str]
    also: Sequence[Any]


class Top(NamedTuple):
    """The first of some groups, by key, in no order. groups: how many there are; most: the largest of some sums."""

    rows: dict[Any, Row]
    groups: int
    most: Row


def by_key(rows: Iterable[Row], key: str, of: Callable[[Any], Any] = lambda value: value) -> Iterable[tuple[Any, Row]]:
    for row in rows:
        yield of(row.pop(key)), row
