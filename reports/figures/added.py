"""Sums over the meetings, calls and attendees of a filter: kept ones where they answer it, else straight from the rows.

Both come from the expressions of sums.py, so it is one figure either way.
"""

# ruff: noqa: S608 — only names of our own models and sums are in the statements here; every value is bound.

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import Count, F, Max, Q, QuerySet

from reports import kept
from reports.filter import Filter
from reports.kept import Row
from reports.keptmodels import KeptCalls, KeptEnds, KeptPeople, KeptRooms, KeptSeries, KeptTotals
from reports.models import Meeting, Participant, TelephonyUsage
from reports.querysets import MeetingQuerySet, TelephonyUsageQuerySet
from reports.sums import (
    ATTENDEE_SUMS,
    CALL_KEYS,
    CALL_SUMS,
    ENDS_BUCKET,
    JUDGED,
    ROOM_KEY,
    SERIES_KEYS,
    SERIES_SUMS,
)

Sums = Mapping[str, Any]

__all__ = ["Row"]


def _meetings(chosen: Filter) -> MeetingQuerySet:
    rows: MeetingQuerySet = Meeting.objects.matching(chosen).order_by()
    return rows


def _calls(chosen: Filter) -> TelephonyUsageQuerySet:
    rows: TelephonyUsageQuerySet = TelephonyUsage.objects.matching(chosen).order_by()
    return rows


def _marked(sums: Sums) -> dict[str, Any]:
    """The sums under names that no column has."""
    return {f"sum_{name}": expression for name, expression in sums.items()}


def _plain(row: Row, sums: Sums) -> Row:
    return {name: row[f"sum_{name}"] for name in sums}


def _asked(rows: "QuerySet[Any, Any]", by: Any, sums: Sums) -> Iterable[tuple[Any, Row]]:
    """(key, sums) of the groups of some rows. by: a column or an expression."""
    grouped = rows.values(key_=by).annotate(**_marked(sums))
    for key, *values in grouped.values_list("key_", *_marked(sums)):
        yield key, dict(zip(sums, values, strict=True))


def _together(rows: "QuerySet[Any, Any]", key: Any, sums: Sums) -> Iterable[tuple[Any, Row]]:
    """The same of all rows as one group."""
    yield key, _plain(rows.aggregate(**_marked(sums)), sums)


def _merge(into: dict[Any, Row], pairs: Iterable[tuple[Any, Row]]) -> dict[Any, Row]:
    for key, row in pairs:
        into[key] = kept.add(into[key], row) if key in into else row
    return into


def _gathered(
    chosen: Filter,
    read: Callable[[kept.Cover], Iterable[tuple[Any, Row]]],
    ask: Callable[[Filter], Iterable[tuple[Any, Row]]],
    largest: int = kept.YEAR,
) -> dict[Any, Row]:
    """Groups of a filter: those of kept stretches as `read` has them, and of the other days as `ask` does."""
    if not kept.serves(chosen):
        return dict(ask(chosen))
    cover = kept.cover(chosen.first, chosen.last, largest=largest)
    found = _merge({}, read(cover))
    for part in cover.unkept(chosen):
        _merge(found, ask(part))
    return found


@dataclass(frozen=True, slots=True)
class Kind:
    """What is told apart by something: how it is kept, and how its rows tell.

    key: the key column of what is kept; only: those with one value. rows: what a filter selects, without an order.
    by: what tells them apart, None where nothing is known of it.
    """

    model: type[models.Model]
    key: str
    by: Any
    rows: Callable[[Filter], "QuerySet[Any, Any]"]
    only: Mapping[str, Any] = field(default_factory=dict)

    def read(self, cover: kept.Cover, names: Sequence[str]) -> Iterable[tuple[Any, Row]]:
        """(key, sums) of what is kept."""
        return _by(kept.rows(self.model, cover.spans, names, **self.only), self.key)

    def ask(self, part: Filter, sums: Sums) -> Iterable[tuple[Any, Row]]:
        """The same straight from the rows."""
        return _asked(self.rows(part), self.by, sums)

    def every(self, chosen: Filter, sums: Sums) -> dict[Any, Row]:
        """The sums of all groups of a filter."""
        return _gathered(chosen, lambda cover: self.read(cover, [*sums]), lambda part: self.ask(part, sums))

    def top(
        self,
        chosen: Filter,
        sums: Sums,
        order: "Order | None",
        wanted: int,
        *,
        among: "Among | None" = None,
        most: Sequence[str] = (),
        also: Sequence[str] = (),
    ) -> "Top":
        """The first `wanted` groups of a filter by some order, and all that are equal to the last of them.

        Found by the database: of thousands a page shows some. order: None for all of them. most: sums of which the
        largest is told. also: keys that are given wherever they stand.
        """
        groups, parameters = self._groups(chosen, sums)
        if not groups:
            return Top({}, 0, dict.fromkeys(most))
        quote = connection.ops.quote_name
        columns = ", ".join(["key_", *map(quote, sums)])
        where = f"WHERE {among.condition}" if among else ""
        order = order or Order("NULL")  # where nothing is known everything is the last
        way, until = ("DESC", ">=") if order.descending else ("ASC", "<=")
        largest = [f"(SELECT MAX({quote(name)}) FROM valued_)" for name in most]
        named = f"OR key_ IN ({', '.join(['%s'] * len(also))})" if also else ""
        statement = f"""
            WITH {groups},
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
            cursor.execute(statement, [*parameters, max(0, wanted - 1), *also])
            raw = cursor.fetchall()
        if not raw:
            return Top({}, 0, dict.fromkeys(most))
        width = 1 + len(sums)
        found = kept.told(self.model, [self.key, *sums], (row[:width] for row in raw))
        [largest_of] = kept.told(self.model, most, [raw[0][width + 1 :]])
        return Top(
            rows={key: dict(zip(sums, values, strict=True)) for key, *values in found},
            groups=raw[0][width],
            most=dict(zip(most, largest_of, strict=True)),
        )

    def _groups(self, chosen: Filter, sums: Sums) -> tuple[str, list[Any]]:
        """The groups of a filter as a table `groups_` of a statement: `key_`, then the sums; "" where it has none."""
        parts = self._parts(chosen, sums)
        quote = connection.ops.quote_name
        columns = ", ".join(["key_", *map(quote, sums)])
        parameters = [parameter for _text, given in parts for parameter in given]
        text = " UNION ALL ".join(text for text, _given in parts)
        if len(parts) < 2:
            return text and f"groups_ ({columns}) AS ({text})", parameters
        added = ", ".join(["key_", *map(kept.sum_of, sums)])
        together = f"groups_ ({columns}) AS (SELECT {added} FROM parts_ GROUP BY key_)"
        return f"parts_ ({columns}) AS ({text}), {together}", parameters

    def _parts(self, chosen: Filter, sums: Sums) -> list[tuple[str, Sequence[Any]]]:
        """Statements that give the groups of a filter, each of some of its days: the key, then the sums."""
        parts: list[tuple[str, Sequence[Any]]] = []
        asked = [chosen]
        if kept.serves(chosen):
            cover = kept.cover(chosen.first, chosen.last)
            asked = cover.unkept(chosen)
            if cover.spans:
                parts.append(kept.added_up(self.model, cover.spans, [self.key], [*sums], **self.only))
        for part in asked:
            grouped = self.rows(part).values(key_=self.by).annotate(**_marked(sums))
            with contextlib.suppress(EmptyResultSet):
                query = grouped.values_list("key_", *_marked(sums)).query
                parts.append(query.get_compiler(connection=connection).as_sql())
        return parts


class Order(NamedTuple):
    """By what groups are put in order. value: an expression of their sums and their `key_`; unknown values are last."""

    value: str
    descending: bool = True


def containing(wanted: str) -> "Among":
    """The groups whose key contains a text."""
    return Among("instr(key_, %s) > 0" if connection.vendor == "sqlite" else "strpos(key_, %s) > 0", [wanted])


T = TypeVar("T")


def page_of(page: int, size: int, ask: Callable[[int], T], count: Callable[[T], int]) -> tuple[int, T]:
    """What `ask` gives for as many groups as a page and those before it have; the last page where there are fewer.

    Out: the page, and what was given. count: how many there are, of what was given.
    """
    found = ask(page * size)
    if page > 1 and count(found) <= (page - 1) * size:
        page = max(1, -(-count(found) // size))
        found = ask(page * size)
    return page, found


class Among(NamedTuple):
    """Which groups count. condition: over their sums and their `key_`, with its parameters."""

    condition: str
    parameters: Sequence[Any] = ()


class Top(NamedTuple):
    """The first of some groups, by key, in no order. groups: how many there are; most: the largest of some sums."""

    rows: dict[Any, Row]
    groups: int
    most: Row


def _by(rows: Iterable[Row], key: str, of: Callable[[Any], Any] = lambda value: value) -> Iterable[tuple[Any, Row]]:
    for row in rows:
        yield of(row.pop(key)), row


# Meetings ------------------------------------------------------------------------------------------------


def meetings(chosen: Filter, sums: Sums) -> Row | None:
    """Sums over all meetings of a filter together; None where there is none."""
    found = _gathered(
        chosen,
        lambda cover: ((None, row) for row in kept.rows(KeptTotals, cover.spans, [*sums])),
        lambda part: _together(_meetings(part), None, sums),
    )
    return found.get(None)


def meetings_by_day(chosen: Filter, sums: Sums) -> dict[date, Row]:
    """The same by the local day of the start."""
    return _gathered(
        chosen,
        lambda cover: _by(kept.rows(KeptTotals, cover.spans, [*sums], apart=True), "stretch", kept.day_of),
        lambda part: _asked(_meetings(part), F("local_day"), sums),
        largest=0,
    )


ROOMS = Kind(KeptRooms, "room", ROOM_KEY, _meetings)
SERIES = {by: Kind(KeptSeries, "key", key, _meetings, {"by": by}) for by, key in SERIES_KEYS.items()}


def meetings_by_room(chosen: Filter, sums: Sums, among: Sequence[int] | None = None) -> dict[int | None, Row]:
    """The same by the id of the room, None for the unknown one. among: of these rooms alone, by their ids."""

    def ask(part: Filter) -> Iterable[tuple[int | None, Row]]:
        rows = _meetings(part)
        return _asked(rows if among is None else rows.filter(room_id__in=among), F("room_id"), sums)

    def read(cover: kept.Cover) -> Iterable[tuple[int | None, Row]]:
        rows = kept.rows(KeptRooms, cover.spans, [*sums], among=among)
        return _by(rows, "room", lambda room: room or None)

    return _gathered(chosen, read, ask)


def series(chosen: Filter, by: str, sums: Sums = SERIES_SUMS) -> dict[str, Row]:
    """SERIES_SUMS, or some of them, by the meeting number or the folded topic."""
    return SERIES[by].every(chosen, sums)


def ends(chosen: Filter) -> dict[int, int]:
    """Judged meetings by the bucket of their end (see sums.ENDS_BUCKET)."""

    def ask(part: Filter) -> Iterable[tuple[int, Row]]:
        return _asked(_meetings(part).filter(JUDGED), ENDS_BUCKET, {"meetings": Count("pk")})

    found = _gathered(chosen, lambda cover: _by(kept.rows(KeptEnds, cover.spans, ["meetings"]), "bucket"), ask)
    return {bucket: row["meetings"] for bucket, row in found.items()}


# Calls ---------------------------------------------------------------------------------------------------


def calls(chosen: Filter, sums: Sums) -> Row | None:
    """Sums over all calls of a filter together; None where there is none."""
    found = _gathered(
        chosen,
        lambda cover: CALLS["all"].read(cover, [*sums]),
        lambda part: _together(_calls(part), "", sums),
    )
    return found.get("")


CALLS = {by: Kind(KeptCalls, "key", key, _calls, {"by": by}) for by, key in CALL_KEYS.items()}
# With the last local day of each group.
CALLS_WITH_LAST = CALL_SUMS | {"last": Max("local_day")}


def calls_by(chosen: Filter, by: str, sums: Sums) -> dict[str, Row]:
    """Sums by what calls have in common: "room" (its id, "" for the unknown one), "type", "country" or "phone"."""
    return CALLS[by].every(chosen, sums)


def calls_by_day(chosen: Filter, sums: Sums) -> dict[date, Row]:
    """Sums of all calls by their local day."""
    found = _gathered(
        chosen,
        lambda cover: _by(
            kept.rows(KeptCalls, cover.spans, [*sums], apart=True, by="all", key=""), "stretch", kept.day_of
        ),
        lambda part: _asked(_calls(part), F("local_day"), sums),
        largest=0,
    )
    return {day: row for day, row in found.items() if row["dials"]}


def calls_by_room(chosen: Filter, sums: Sums) -> dict[int | None, Row]:
    """Sums of the calls by the id of their meeting's room, None for the unknown one."""
    return {int(key) if key else None: row for key, row in calls_by(chosen, "room", sums).items()}


def calls_by_month(chosen: Filter, by: str, sums: Sums) -> dict[tuple[date, str], Row]:
    """Sums by month (its first day) and by what calls have in common."""

    def read(cover: kept.Cover) -> Iterable[tuple[Any, Row]]:
        for row in kept.rows(KeptCalls, cover.spans, [*sums], apart=True, by=by):
            yield (kept.day_of(row.pop("stretch")).replace(day=1), row.pop("key")), row

    def ask(part: Filter) -> Iterable[tuple[Any, Row]]:
        column = {"phone": "phone_number"}.get(by, by)
        for row in _calls(part).values("local_day", column).annotate(**_marked(sums)):
            yield (row["local_day"].replace(day=1), row[column]), _plain(row, sums)

    def ask_merged(part: Filter) -> Iterable[tuple[Any, Row]]:
        return _merge({}, ask(part)).items()

    return _gathered(chosen, read, ask_merged, largest=kept.MONTH)


# Attendees -----------------------------------------------------------------------------------------------


def _first_visits(chosen: Filter) -> "QuerySet[Any, Any]":
    ended = Q(attendee_visits__isnull=False, meeting__end_time__isnull=False)
    return Participant.objects.matching(chosen).filter(ended).order_by()


ATTENDEES = Kind(KeptPeople, "key", F("name_key"), _first_visits)


def attendees(chosen: Filter) -> dict[str, Row]:
    """ATTENDEE_SUMS by folded display name, over the ended meetings of a filter."""
    return ATTENDEES.every(chosen, ATTENDEE_SUMS)
