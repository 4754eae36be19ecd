"""The rooms of the pool."""

from collections.abc import Collection, Iterable

from django.db.models import Q, QuerySet

from reports.models import Room


def _seen(allowed: Collection[str] | None) -> "QuerySet[Room]":
    """The rooms that may be seen, by their host_ids; None is all."""
    rooms = Room.objects.all()
    return rooms if allowed is None else rooms.filter(host_id__in=sorted(allowed))


def choices(chosen: Iterable[str] = (), allowed: Collection[str] | None = None) -> list[tuple[str, str]]:
    """(host_id, shown name) of the rooms to choose from, by name; unnamed ones by their host_id, last.

    Temporary rooms had one meeting each and would bury the others: only those already chosen are offered. allowed:
    host_ids of the rooms that may be seen, None is all.
    """
    rooms = _seen(allowed).filter(Q(temporary=False) | Q(host_id__in=list(chosen))).order_by()
    # Without objects: every page asks for them, and there may be hundreds.
    named = [(label or name, host_id) for host_id, label, name in rooms.values_list("host_id", "label", "name")]
    named.sort(key=lambda one: (not one[0], one[0] or one[1], one[1]))
    return [(host_id, name or host_id) for name, host_id in named]


def names(host_ids: Iterable[str], allowed: Collection[str] | None = None) -> dict[str, str]:
    """Shown names by host_id, of those that are known and may be seen."""
    return {room.host_id: str(room) for room in _seen(allowed).filter(host_id__in=list(host_ids))}
