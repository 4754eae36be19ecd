"""Sums over the meetings, calls and attendees of a filter: kept ones where they answer it, else straight from the rows.

Both come from the expressions of sums.py, so it is one figure either way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet

from reports import kept
from reports.filter import Filter
from reports.kept import Row
from reports.keptmodels import KeptCalls, KeptEnds, KeptPeople, KeptRooms, KeptSeries, KeptTotals
from reports.models import Meeting, Participant, TelephonyUsage
from reports.querysets import MeetingQuerySet, TelephonyUsageQuerySet
from reports.sums import ATTENDEE_SUMS, ENDS_BUCKET, JUDGED, SERIES_SUMS, FoldedTopic

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
    key = F("meeting_id") if by == "number" else FoldedTopic("search")
    return _gathered(
        chosen,
        lambda cover: _by(kept.rows(KeptSeries, cover.spans, [*sums], by=by), "key"),
        lambda part: _asked(_meetings(part), key, sums),
    )


def ends(chosen: Filter) -> dict[int, int]:
    """Judged meetings by the bucket of their end (see sums.ENDS_BUCKET)."""

    def ask(part: Filter) -> Iterable[tuple[int, Row]]:
        return _asked(_meetings(part).filter(JUDGED), ENDS_BUCKET, {"meetings": Count("pk")})

    found = _gathered(chosen, lambda cover: _by(kept.rows(KeptEnds, cover.spans, ["meetings"]), "bucket"), ask)
    return {bucket: row["meetings"] for bucket, row in found.items()}


# Calls ---------------------------------------------------------------------------------------------------


def calls(chosen: Filter, sums: Sums) -> Row | None:
    """Sums over all calls of a filter together; None where there is none."""
    return calls_by(chosen, "all", sums).get("")


def calls_by(chosen: Filter, by: str, sums: Sums, *, last: bool = False) -> dict[str, Row]:
    """Sums by what calls have in common: "room" (its id, "" for the unknown one), "type", "country" or "phone".

    last: with the last local day of each.
    """
    names = [*sums, *(["last"] if last else [])]
    asked = {**sums, **({"last": Max("local_day")} if last else {})}

    def ask(part: Filter) -> Iterable[tuple[str, Row]]:
        if by == "all":
            yield from _together(_calls(part), "", asked)
            return
        column = {"room": "meeting__room_id", "phone": "phone_number"}.get(by, by)
        for key, row in _asked(_calls(part), F(column), asked):
            yield "" if key is None else str(key), row

    return _gathered(chosen, lambda cover: _by(kept.rows(KeptCalls, cover.spans, names, by=by), "key"), ask)


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


def attendees(chosen: Filter) -> dict[str, Row]:
    """ATTENDEE_SUMS by folded display name, over the ended meetings of a filter."""
    first_visits = Q(attendee_visits__isnull=False, meeting__end_time__isnull=False)

    def ask(part: Filter) -> Iterable[tuple[str, Row]]:
        return _asked(Participant.objects.matching(part).filter(first_visits).order_by(), F("name_key"), ATTENDEE_SUMS)

    return _gathered(chosen, lambda cover: _by(kept.rows(KeptPeople, cover.spans, [*ATTENDEE_SUMS]), "key"), ask)
