"""The rooms of the pool."""

from collections.abc import Iterable

from django.db.models import Q

from reports.models import Room


def choices(chosen: Iterable[str] = ()) -> list[tuple[str, str]]:
    """(host_id, shown name) of the rooms to choose from, by name; unnamed ones by their host_id, last.

    Temporary rooms had one meeting each and would bury the others: only those already chosen are offered.
    """
    rooms = list(Room.objects.filter(Q(temporary=False) | Q(host_id__in=list(chosen))))
    rooms.sort(key=lambda room: (not room.known_name, room.known_name or room.host_id, room.host_id))
    return [(room.host_id, str(room)) for room in rooms]


def names(host_ids: Iterable[str]) -> dict[str, str]:
    """Shown names by host_id, of those that are known."""
    return {room.host_id: str(room) for room in Room.objects.filter(host_id__in=list(host_ids))}
