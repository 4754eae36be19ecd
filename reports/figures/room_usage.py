"""The rooms compared: what each was used for, and how much of its opening hours."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import QuerySet

from reports.figures import occupancy
from reports.figures.usage import Totals, by_room, figures_by_room, most_used_rooms, of_rooms
from reports.filter import Filter
from reports.models import Room


@dataclass(frozen=True, slots=True)
class RoomUsage:
    """One room in a period. room: None for the meetings whose room is unknown.

    utilisation: occupied seconds inside opening hours ÷ opening seconds of the period; None where the
    period has no opening hours, or for unknown rooms together.
    """

    room: Room | None
    totals: Totals
    utilisation: float | None

    @property
    def host_id(self) -> str:
        return self.room.host_id if self.room else ""

    @property
    def capacity(self) -> int | None:
        return self.room.capacity if self.room else None


# Columns that a room tells itself, and those that are figures of Totals.
OF_ROOM: dict[str, Callable[["Room | _Brief"], Any]] = {
    "host_id": lambda room: room.host_id or None,
    "room": lambda room: room.known_name.casefold() or None,
    "capacity": lambda room: room.capacity,
}
FIGURE_OF = {
    "meetings": "meetings",
    "extra_meetings": "extra",
    "empty_meetings": "empty",
    "solo_meetings": "solo",
    "booked_hours": "booked_seconds",
    "open_hours": "open_seconds",
    "used_hours": "used_seconds",
    "attendees": "attendees",
    "attendee_hours": "attendee_seconds",
    "calls": "calls",
    "call_minutes": "call_seconds",
    "call_cost": "call_cost",
}


def _of_room(value: Callable[[Room], Any]) -> Callable[[RoomUsage], Any]:
    return lambda one: value(one.room) if one.room else None


ROOM_SORTS: dict[str, Callable[[RoomUsage], Any]] = {
    **{column: _of_room(value) for column, value in OF_ROOM.items()},
    **{column: attrgetter(f"totals.{figure}") for column, figure in FIGURE_OF.items()},
    "utilisation_percent": attrgetter("utilisation"),
}
ROOM_DEFAULT_SORT = "-meetings"


def _of_pool(chosen: Filter) -> "QuerySet[Room]":
    """The rooms of the pool that a filter may have: they are there without a meeting too."""
    pool = Room.objects.filter(temporary=False)
    if chosen.rooms:
        pool = pool.filter(host_id__in=chosen.rooms)
    if chosen.allowed_rooms is not None:
        pool = pool.filter(host_id__in=sorted(chosen.allowed_rooms))
    return pool.order_by()


def _rows(
    chosen: Filter,
    now: datetime,
    rooms: Iterable[Room],
    found: Mapping[int | None, Totals],
    among: Sequence[int] | None = None,
) -> list[RoomUsage]:
    """Some known rooms, and the unknown one where it was found, with what was found of them.

    among: the ids of the rooms, where they are not all there are.
    """
    occupied, opening = occupancy.utilisation(chosen, now, among)
    rows = [
        RoomUsage(room, found.get(room.pk, Totals()), occupied.get(room.pk, 0) / opening if opening else None)
        for room in rooms
    ]
    return [*rows, RoomUsage(None, found[None], None)] if None in found else rows


def room_usage(chosen: Filter, now: datetime) -> list[RoomUsage]:
    """Every room of the selection, in the filter's order; unknown values come last.

    Rooms of the pool are there without a meeting too: an idle room is paid for. Temporary ones are there
    when they held a meeting, and so is the unknown room.
    """
    found = by_room(chosen, now)
    rooms = {room.pk: room for room in _of_pool(chosen)}
    # Whatever held a meeting of the selection is one of its rooms.
    rooms |= Room.objects.in_bulk([pk for pk in found if pk and pk not in rooms])
    return in_order(_rows(chosen, now, rooms.values(), found), chosen.sort or ROOM_DEFAULT_SORT)


class SomeRooms(NamedTuple):
    """Some rooms. rooms: how many there are; most: of some figures of Totals the largest of any known room.

    It is 0 where none is more: a cost that was given back is less.
    """

    rows: list[RoomUsage]
    rooms: int
    most: Mapping[str, Any]


def some_rooms(chosen: Filter, now: datetime, size: int, most: Sequence[str] = ()) -> SomeRooms:
    """The page of a filter of what `room_usage` gives, or the last there is. size: rooms a page.

    Which they are is asked of few figures, and all else of these rooms alone: of temporary ones there may be tens of
    thousands. most: figures whose largest is wanted.
    """
    sort = chosen.sort or ROOM_DEFAULT_SORT
    column = sort.removeprefix("-")
    figure = FIGURE_OF.get(column)
    figures = figures_by_room(chosen, now, list(dict.fromkeys([*most, *([figure] if figure else [])])))
    there = set(figures.rooms)
    idle = [pk for pk in _of_pool(chosen).values_list("pk", flat=True) if pk not in there]
    rooms = [*figures.rooms, *idle]
    values: Sequence[Any]
    if figure:
        values = [*figures.of[figure], *[getattr(Totals(), figure)] * len(idle)]
    elif column == "utilisation_percent":
        occupied, opening = occupancy.utilisation(chosen, now)
        values = [occupied.get(room, 0) / opening if room and opening else None for room in rooms]
    else:
        brief = dict(_brief(rooms))
        values = [OF_ROOM[column](brief[room]) if room else None for room in rooms]
    page = max(1, min(chosen.page, -(-len(rooms) // size)))
    shown = _between(rooms, values, (page - 1) * size, page * size, descending=sort.startswith("-"))
    known = [room for room in shown if room]
    rows = _rows(chosen, now, Room.objects.in_bulk(known).values(), by_room(chosen, now, shown), known)
    known_values = {
        name: [value for room, value in zip(figures.rooms, figures.of[name], strict=True) if room and value is not None]
        for name in most
    }
    largest = {name: max([0, *values]) for name, values in known_values.items()}
    return SomeRooms(in_order(rows, sort), len(rooms), largest)


def _between(
    rooms: Sequence[int | None], values: Sequence[Any], first: int, last: int, *, descending: bool
) -> list[int | None]:
    """The rooms from a place to another (excluded), by one value of each, in the order of `in_order`."""
    places = range(len(rooms))
    order = sorted((place for place in places if values[place] is not None), key=values.__getitem__, reverse=descending)
    order += [place for place in places if values[place] is None]
    if not order[first:last]:
        return []
    last = min(last, len(order))
    begin, end = first, last
    # Of equals the names decide: only of those that the ends are among is any name asked for.
    while begin and values[order[begin - 1]] == values[order[first]]:
        begin -= 1
    while end < len(order) and values[order[end]] == values[order[last - 1]]:
        end += 1
    near = order[begin:end]
    brief = dict(_brief(rooms[place] for place in near))

    def name(place: int) -> tuple[bool, str, str]:
        one = brief.get(rooms[place])
        return (False, one.known_name or one.host_id, one.host_id) if one else (True, "", "")

    near.sort(key=name)
    known = [place for place in near if values[place] is not None]
    known.sort(key=values.__getitem__, reverse=descending)
    near = known + [place for place in near if values[place] is None]
    return [rooms[place] for place in near[first - begin : last - begin]]


class _Brief(NamedTuple):
    """What a room is put in order by: as Room tells it."""

    host_id: str
    known_name: str
    capacity: int | None


NAMES = 900  # ids that a statement takes


def _brief(rooms: Iterable[int | None]) -> Iterator[tuple[int | None, _Brief]]:
    """Of known rooms, by their ids, what they are put in order by."""
    ids = [room for room in rooms if room]
    columns = ("pk", "host_id", "label", "name", "capacity")
    for start in range(0, len(ids), NAMES):
        found = Room.objects.filter(pk__in=ids[start : start + NAMES]).order_by().values_list(*columns)
        for pk, host_id, label, name, capacity in found:
            yield pk, _Brief(host_id, label or name, capacity)


def most_used(chosen: Filter, now: datetime, most: int) -> list[RoomUsage]:
    """The known rooms that held a meeting, those used for longest first: what `room_usage` has of them, less calls.

    All else is asked of these few alone.
    """
    near = most_used_rooms(chosen, now, most)
    rows = _rows(chosen, now, Room.objects.in_bulk(near).values(), of_rooms(chosen, now, near), near)
    return in_order([one for one in rows if one.room and one.totals.meetings], "-used_hours")[:most]


def in_order(rows: list[RoomUsage], sort: str) -> list[RoomUsage]:
    """Rows by one column of ROOM_SORTS, `-` in front for descending; ties by name, unknown values last."""
    value: Any = ROOM_SORTS[sort.removeprefix("-")]
    rows.sort(key=lambda one: (one.room is None, str(one.room), one.host_id))
    known = [one for one in rows if value(one) is not None]
    known.sort(key=value, reverse=sort.startswith("-"))
    return known + [one for one in rows if value(one) is None]
