"""Booked against used: overruns, early ends, and the hours that would be given back if bookings were trimmed.

Judged are ended meetings that tell what they were booked for; the others are counted and left out.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from reports.figures import added
from reports.figures.groups import Order, page_of
from reports.filter import Filter
from reports.models import Room
from reports.sums import BOOKING_SUMS, EDGES, SERIES_SUMS, UNKNOWN_ROOM, newest_text


class Booking(NamedTuple):
    """Meetings of a selection against what they were booked for. Seconds and counts.

    meetings, and by their state empty, solo, unreported and running: of all of them. judged: ended ones that tell
    a booked length; untold: ended ones that do not. overruns, early_ends: judged ones that ended after and before
    their booked end, and for how long. booked: what the judged were booked for. used: for how long they were used,
    and used_booked what these were booked for; spare: booked time after their last leave. Of judged meetings whose
    participants were not reported, used and spare are unknown. None: there are meetings, and none tells it.
    """

    meetings: int = 0
    judged: int = 0
    untold: int = 0
    running: int = 0
    unreported: int = 0
    empty: int = 0
    solo: int = 0
    overruns: int | None = 0
    over_seconds: int | None = 0
    early_ends: int | None = 0
    early_seconds: int | None = 0
    booked_seconds: int | None = 0
    used_seconds: int | None = 0
    used_booked_seconds: int | None = 0
    spare_seconds: int | None = 0

    @property
    def used_share(self) -> float | None:
        """Used ÷ booked time of the judged meetings that tell both; more than 1 where they ran over."""
        used, booked = self.used_seconds, self.used_booked_seconds
        return None if used is None or not booked else used / booked


class Group(NamedTuple):
    """Meetings that have something in common. key: what; name: its name as written last; number: of what it is.

    by: "room" (key: host_id), "weekday" (1 is Monday), "number" (the meeting number) or "topic" (the folded
    topic); an unknown room, number or topic is "".
    """

    by: str
    key: str
    name: str
    booking: Booking


def _booking(row: Mapping[str, Any] | None) -> Booking:
    """A row of BOOKING_SUMS; its sums are unknown where there are meetings and none tells them."""

    if row is None:
        return Booking()
    silent, unused = (bool(row["meetings"]) and not row[told] for told in ("judged_count", "told_count"))
    # By place: a page makes thousands of them.
    return Booking(
        row["meetings"],
        row["judged_count"],
        row["untold_count"],
        row["running_state"],
        row["unreported"],
        row["empty"],
        row["solo"],
        None if silent else row["over_count"] or 0,
        None if silent else row["over_sum"] or 0,
        None if silent else row["early_count"] or 0,
        None if silent else row["early_sum"] or 0,
        None if silent else row["booked_sum"] or 0,
        None if unused else row["used_sum"] or 0,
        None if unused else row["used_booked_sum"] or 0,
        None if unused else row["spare_sum"] or 0,
    )


def total(chosen: Filter) -> Booking:
    """All meetings of a filter together."""
    return _booking(added.meetings(chosen, BOOKING_SUMS))


def by_room(chosen: Filter) -> list[Group]:
    """The rooms that have a meeting in the filter, and the unknown room."""
    return in_order(_of_rooms(added.ROOMS.every(chosen, BOOKING_SUMS)), chosen.sort)


def _of_rooms(rows: Mapping[int, added.Row]) -> list[Group]:
    rooms = Room.objects.in_bulk([pk for pk in rows if pk != UNKNOWN_ROOM])
    groups = []
    for pk, row in rows.items():
        room = rooms.get(pk)
        groups.append(Group("room", room.host_id if room else "", room.known_name if room else "", _booking(row)))
    return groups


class Some(NamedTuple):
    """Some groups in their order. groups: how many there are; spare_seconds: the most of any."""

    rows: list[Group]
    groups: int
    spare_seconds: int


def some_rooms(chosen: Filter, most: int) -> Some:
    """The first of `by_room`."""
    top = added.ROOMS.top(chosen, BOOKING_SUMS, _order(chosen.sort), most, most=["spare_sum"])
    return Some(in_order(_of_rooms(top.rows), chosen.sort)[:most], top.groups, top.most["spare_sum"] or 0)


def _summed(rows: Sequence[added.Row]) -> added.Row:
    """Rows of BOOKING_SUMS added up; what none of them tells stays unknown."""
    columns = {name: [row[name] for row in rows if row[name] is not None] for name in BOOKING_SUMS}
    return {name: sum(values) if values else None for name, values in columns.items()}


def by_weekday(chosen: Filter) -> list[Group]:
    """The weekdays of the local start on which a meeting of the filter began; in their order unless sorted."""
    rows: dict[int, list[added.Row]] = {}
    for day, row in added.meetings_by_day(chosen, BOOKING_SUMS).items():
        if row["meetings"]:
            rows.setdefault(day.isoweekday(), []).append(row)
    found = {weekday: _booking(_summed(same)) for weekday, same in rows.items()}
    groups = [Group("weekday", str(weekday), "", found[weekday]) for weekday in sorted(found)]
    return in_order(groups, chosen.sort, default="name")


def by_series(chosen: Filter, by: str) -> list[Group]:
    """The meeting numbers, or the folded topics, of a filter's meetings; the topic as its newest meeting has it."""
    return in_order(_of_series(added.series(chosen, by, _SERIES_SUMS), by), chosen.sort)


def _of_series(rows: Mapping[str, added.Row], by: str) -> list[Group]:
    return [Group(by, key, newest_text(row["newest"]), _booking(row)) for key, row in rows.items()]


def some_series(chosen: Filter, by: str, size: int) -> Some:
    """The page of a filter of what `by_series` gives, or the last there is. size: groups a page."""
    page, top = page_of(
        chosen.page,
        size,
        lambda wanted: added.SERIES[by].top(chosen, _SERIES_SUMS, _order(chosen.sort), wanted, most=["spare_sum"]),
        lambda top: top.groups,
    )
    rows = in_order(_of_series(top.rows, by), chosen.sort)
    return Some(rows[(page - 1) * size : page * size], top.groups, top.most["spare_sum"] or 0)


def groups(chosen: Filter) -> list[Group]:
    """Every group of a filter: its rooms, weekdays, meeting numbers and topics, each in the filter's order."""
    return [*by_room(chosen), *by_weekday(chosen), *by_series(chosen, "number"), *by_series(chosen, "topic")]


_SERIES_SUMS = {**BOOKING_SUMS, "newest": SERIES_SUMS["newest"]}

# Columns of the tables, named as in booked.csv.
BOOKING_SORTS: dict[str, Callable[[Group], Any]] = {
    "name": lambda one: one.key if one.by == "weekday" else one.name.casefold() or None,
    "meetings": lambda one: one.booking.meetings,
    "judged": lambda one: one.booking.judged,
    "overruns": lambda one: one.booking.overruns,
    "overrun_hours": lambda one: one.booking.over_seconds,
    "early_ends": lambda one: one.booking.early_ends,
    "early_hours": lambda one: one.booking.early_seconds,
    "empty_meetings": lambda one: one.booking.empty,
    "solo_meetings": lambda one: one.booking.solo,
    "booked_hours": lambda one: one.booking.booked_seconds,
    "used_hours": lambda one: one.booking.used_seconds,
    "used_percent": lambda one: one.booking.used_share,
    "spare_hours": lambda one: one.booking.spare_seconds,
}
BOOKING_DEFAULT_SORT = "-spare_hours"


def _told(by: str, value: str) -> str:
    return f"CASE WHEN {by} > 0 THEN {value} END"


# The same by the sums of a group, for the database. Texts are put in order in Python alone.
_VALUES = {
    "meetings": "meetings",
    "judged": "judged_count",
    "overruns": _told("judged_count", "over_count"),
    "overrun_hours": _told("judged_count", "COALESCE(over_sum, 0)"),
    "early_ends": _told("judged_count", "early_count"),
    "early_hours": _told("judged_count", "COALESCE(early_sum, 0)"),
    "empty_meetings": "empty",
    "solo_meetings": "solo",
    "booked_hours": _told("judged_count", "COALESCE(booked_sum, 0)"),
    "used_hours": _told("told_count", "COALESCE(used_sum, 0)"),
    "used_percent": _told("used_booked_sum", "CAST(COALESCE(used_sum, 0) AS double precision) / used_booked_sum"),
    "spare_hours": _told("told_count", "COALESCE(spare_sum, 0)"),
}


def _order(sort: str) -> Order | None:
    """The order of the database that is that of a sort; None for that of texts."""
    sort = sort or BOOKING_DEFAULT_SORT
    value = _VALUES.get(sort.removeprefix("-"))
    return Order(value, sort.startswith("-")) if value else None


def in_order(groups: Sequence[Group], sort: str, default: str = BOOKING_DEFAULT_SORT) -> list[Group]:
    """Groups by one column of BOOKING_SORTS, `-` in front for descending; ties by name, unknown values last."""
    sort = sort or default
    value = BOOKING_SORTS[sort.removeprefix("-")]
    rows = sorted(groups, key=lambda one: (one.name.casefold(), one.key))
    known = [one for one in rows if value(one) is not None]
    known.sort(key=value, reverse=sort.startswith("-"))
    return known + [one for one in rows if value(one) is None]


# How far from the booked end -----------------------------------------------------------------------------


class Bucket(NamedTuple):
    """Judged meetings that ended so many minutes after their booked end, negative: before it.

    From `least` to `most`, the one nearer to the booked end left out, the other included; None is no bound.
    The bucket from 0 to 0 holds those that ended as booked.
    """

    least: int | None
    most: int | None
    meetings: int


def distribution(chosen: Filter) -> list[Bucket]:
    """Judged meetings by how long after their booked end they ended, in quarters of an hour up to one hour."""
    found = added.ends(chosen)
    counted = [found.get(place, 0) for place in range(-len(EDGES), len(EDGES) + 1)]
    minutes = [edge // 60 for edge in EDGES]
    late: list[tuple[int | None, int | None]] = [*pairwise(minutes), (minutes[-1], None)]
    early = [(None if most is None else -most, None if least is None else -least) for least, most in reversed(late)]
    return [Bucket(*edges, number) for edges, number in zip([*early, (0, 0), *late], counted, strict=True)]
