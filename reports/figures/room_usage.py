"""The rooms compared: what each was used for, and how much of its opening hours."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reports.figures import occupancy
from reports.figures.usage import Totals, by_room, of_rooms, used_by_room
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


ROOM_SORTS = {
    "host_id": lambda one: one.host_id or None,
    "room": lambda one: one.room.known_name.casefold() or None if one.room else None,
    "capacity": lambda one: one.capacity,
    "meetings": lambda one: one.totals.meetings,
    "extra_meetings": lambda one: one.totals.extra,
    "empty_meetings": lambda one: one.totals.empty,
    "solo_meetings": lambda one: one.totals.solo,
    "booked_hours": lambda one: one.totals.booked_seconds,
    "open_hours": lambda one: one.totals.open_seconds,
    "used_hours": lambda one: one.totals.used_seconds,
    "utilisation_percent": lambda one: one.utilisation,
    "attendees": lambda one: one.totals.attendees,
    "attendee_hours": lambda one: one.totals.attendee_seconds,
    "calls": lambda one: one.totals.calls,
    "call_minutes": lambda one: one.totals.call_seconds,
    "call_cost": lambda one: one.totals.call_cost,
}
ROOM_DEFAULT_SORT = "-meetings"


def room_usage(chosen: Filter, now: datetime) -> list[RoomUsage]:
    """Every room of the selection, in the filter's order; unknown values come last.

    Rooms of the pool are there without a meeting too: an idle room is paid for. Temporary ones are there
    when they held a meeting, and so is the unknown room.
    """
    found = by_room(chosen, now)
    pool = Room.objects.filter(temporary=False)
    if chosen.rooms:
        pool = pool.filter(host_id__in=chosen.rooms)
    if chosen.allowed_rooms is not None:
        pool = pool.filter(host_id__in=sorted(chosen.allowed_rooms))
    rooms = {room.pk: room for room in pool}
    # Whatever held a meeting of the selection is one of its rooms.
    rooms |= Room.objects.in_bulk([pk for pk in found if pk and pk not in rooms])
    occupied, opening = occupancy.utilisation(chosen, now)
    rows = [
        RoomUsage(room, found.get(room.pk, Totals()), occupied.get(room.pk, 0) / opening if opening else None)
        for room in rooms.values()
    ]
    if None in found:
        rows.append(RoomUsage(None, found[None], None))
    return in_order(rows, chosen.sort or ROOM_DEFAULT_SORT)


def most_used(chosen: Filter, now: datetime, most: int) -> list[RoomUsage]:
    """The known rooms that held a meeting, those used for longest first: what `room_usage` has of them, less calls.

    All else is asked of these few alone.
    """
    used = used_by_room(chosen, now)
    seconds = sorted((length for length in used.values() if length is not None), reverse=True)
    # Of equals the name decides; rooms of which no meeting tells it come last.
    least = seconds[most - 1] if len(seconds) >= most else None
    near = [pk for pk, length in used.items() if least is None or (length or 0) >= least]
    rooms, found = Room.objects.in_bulk(near), of_rooms(chosen, now, near)
    occupied, opening = occupancy.utilisation(chosen, now, near)
    rows = [
        RoomUsage(rooms[pk], found[pk], occupied.get(pk, 0) / opening if opening else None)
        for pk in near
        if pk in rooms and pk in found
    ]
    return in_order(rows, "-used_hours")[:most]


def in_order(rows: list[RoomUsage], sort: str) -> list[RoomUsage]:
    """Rows by one column of ROOM_SORTS, `-` in front for descending; ties by name, unknown values last."""
    value: Any = ROOM_SORTS[sort.removeprefix("-")]
    rows.sort(key=lambda one: (one.room is None, str(one.room), one.host_id))
    known = [one for one in rows if value(one) is not None]
    known.sort(key=value, reverse=sort.startswith("-"))
    return known + [one for one in rows if value(one) is None]
