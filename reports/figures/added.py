"""Sums over the meetings, calls and attendees of a filter: kept ones where they answer it, else straight from the rows.

Both come from the expressions of sums.py, so it is one figure either way.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet

from reports import kept, summing
from reports.figures.groups import Kind, asked, by_key, gathered, merge, together
from reports.filter import Filter
from reports.kept import Row
from reports.keptmodels import KeptCalls, KeptEnds, KeptPeople, KeptRooms, KeptSeries, KeptTotals
from reports.models import Meeting, Participant, TelephonyUsage
from reports.querysets import MeetingQuerySet, TelephonyUsageQuerySet
from reports.summing import Sums
from reports.sums import (
    ATTENDEE_SUMS,
    CALL_KEYS,
    CALL_SUMS,
    ENDS_BUCKET,
    JUDGED,
    ROOM_KEY,
    SERIES_KEYS,
    SERIES_SUMS,
    UNKNOWN_ROOM,
)

__all__ = ["Row"]


def _meetings(chosen: Filter) -> MeetingQuerySet:
    rows: MeetingQuerySet = Meeting.objects.matching(chosen).order_by()
    return rows


def _calls(chosen: Filter) -> TelephonyUsageQuerySet:
    rows: TelephonyUsageQuerySet = TelephonyUsage.objects.matching(chosen).order_by()
    return rows


# Meetings ------------------------------------------------------------------------------------------------


def meetings(chosen: Filter, sums: Sums) -> Row | None:
    """Sums over all meetings of a filter together; None where there is none."""
    found = gathered(
        chosen,
        lambda cover: ((None, row) for row in kept.rows(KeptTotals, cover.spans, [*sums])),
        lambda part: together(_meetings(part), None, sums),
    )
    return found.get(None)


def meetings_by_day(chosen: Filter, sums: Sums) -> dict[date, Row]:
    """The same by the local day of the start."""
    return gathered(
        chosen,
        lambda cover: by_key(kept.rows(KeptTotals, cover.spans, [*sums], apart=True), "stretch", kept.day_of),
        lambda part: asked(_meetings(part), F("local_day"), sums),
        largest=0,
    )


# Temporary rooms may be thousands.
ROOMS = Kind(KeptRooms, "room", ROOM_KEY, _meetings, many=True)
SERIES = {by: Kind(KeptSeries, "key", key, _meetings, {"by": by}, many=True) for by, key in SERIES_KEYS.items()}


def meetings_by_room(chosen: Filter, sums: Sums, among: Sequence[int | None] | None = None) -> dict[int | None, Row]:
    """The same by the id of the room, None for the unknown one. among: of these rooms alone."""
    if among is None:
        found = ROOMS.every(chosen, sums)
    else:
        found = ROOMS.some(chosen, sums, [room or UNKNOWN_ROOM for room in among])
    return {room or None: row for room, row in found.items()}


def series(chosen: Filter, by: str, sums: Sums = SERIES_SUMS) -> dict[str, Row]:
    """SERIES_SUMS, or some of them, by the meeting number or the folded topic."""
    return SERIES[by].every(chosen, sums)


def ends(chosen: Filter) -> dict[int, int]:
    """Judged meetings by the bucket of their end (see sums.ENDS_BUCKET)."""

    def ask(part: Filter) -> Iterable[tuple[int, Row]]:
        return asked(_meetings(part).filter(JUDGED), ENDS_BUCKET, {"meetings": Count("pk")})

    found = gathered(chosen, lambda cover: by_key(kept.rows(KeptEnds, cover.spans, ["meetings"]), "bucket"), ask)
    return {bucket: row["meetings"] for bucket, row in found.items()}


# Calls ---------------------------------------------------------------------------------------------------


def calls(chosen: Filter, sums: Sums) -> Row | None:
    """Sums over all calls of a filter together; None where there is none."""
    found = gathered(
        chosen,
        lambda cover: CALLS["all"].read(cover, [*sums]),
        lambda part: together(_calls(part), "", sums),
    )
    return found.get("")


CALLS = {
    by: Kind(KeptCalls, "key", key, _calls, {"by": by}, many=by in ("phone", "room")) for by, key in CALL_KEYS.items()
}
# With the last local day of each group.
CALLS_WITH_LAST = CALL_SUMS | {"last": Max("local_day")}


def calls_by(chosen: Filter, by: str, sums: Sums) -> dict[str, Row]:
    """Sums by what calls have in common: "room" (its id, "" for the unknown one), "type", "country" or "phone"."""
    return CALLS[by].every(chosen, sums)


def calls_by_day(chosen: Filter, sums: Sums) -> dict[date, Row]:
    """Sums of all calls by their local day."""
    found = gathered(
        chosen,
        lambda cover: by_key(
            kept.rows(KeptCalls, cover.spans, [*sums], apart=True, by="all", key=""), "stretch", kept.day_of
        ),
        lambda part: asked(_calls(part), F("local_day"), sums),
        largest=0,
    )
    return {day: row for day, row in found.items() if row["dials"]}


def calls_by_room(chosen: Filter, sums: Sums, among: Sequence[int | None] | None = None) -> dict[int | None, Row]:
    """Sums of the calls by the id of their meeting's room, None for the unknown one. among: of these rooms alone."""
    if among is None:
        found = calls_by(chosen, "room", sums)
    else:
        found = CALLS["room"].some(chosen, sums, ["" if room is None else str(room) for room in among])
    return {room_of(key): row for key, row in found.items()}


def room_of(key: str) -> int | None:
    """The id of the room by which calls are kept; None for the unknown one."""
    return int(key) if key else None


def calls_by_month(chosen: Filter, by: str, sums: Sums) -> dict[tuple[date, str], Row]:
    """Sums by month (its first day) and by what calls have in common."""

    def read(cover: kept.Cover) -> Iterable[tuple[Any, Row]]:
        for row in kept.rows(KeptCalls, cover.spans, [*sums], apart=True, by=by):
            yield (kept.day_of(row.pop("stretch")).replace(day=1), row.pop("key")), row

    def ask(part: Filter) -> Iterable[tuple[Any, Row]]:
        column = {"phone": "phone_number"}.get(by, by)
        for day, key, *values in summing.groups(_calls(part), ["local_day", column], sums):
            yield (day.replace(day=1), key), dict(zip(sums, values, strict=True))

    def ask_merged(part: Filter) -> Iterable[tuple[Any, Row]]:
        return merge({}, ask(part)).items()

    return gathered(chosen, read, ask_merged, largest=kept.MONTH)


# Attendees -----------------------------------------------------------------------------------------------


def _first_visits(chosen: Filter) -> "QuerySet[Any, Any]":
    ended = Q(attendee_visits__isnull=False, meeting__end_time__isnull=False)
    return Participant.objects.matching(chosen).filter(ended).order_by()


ATTENDEES = Kind(KeptPeople, "key", F("name_key"), _first_visits, day="meeting__local_day", many=True)


def attendees(chosen: Filter) -> dict[str, Row]:
    """ATTENDEE_SUMS by folded display name, over the ended meetings of a filter."""
    return ATTENDEES.every(chosen, ATTENDEE_SUMS)


def attendees_by_day(chosen: Filter) -> dict[date, Row]:
    """ATTENDEE_SUMS of the one name of a filter by the local day of the meetings, over those that ended."""
    return dict(asked(_first_visits(chosen), F("meeting__local_day"), ATTENDEE_SUMS))
