"""The rooms of the pool."""

from collections.abc import Iterable

from reports.models import Room


def choices() -> list[tuple[str, str]]:
    """(host_id, shown name) of every room, by name; unnamed ones by their host_id, last."""
    rooms = list(Room.objects.all())
    rooms.sort(key=lambda room: (not room.known_name, room.known_name or room.host_id, room.host_id))
    return [(room.host_id, str(room)) for room in rooms]


def names(host_ids: Iterable[str]) -> dict[str, str]:
    """Shown names by host_id, of those that are known."""
    return {room.host_id: str(room) for room in Room.objects.filter(host_id__in=list(host_ids))}
