"""Which rooms an account may see. Whoever makes a Filter for an account asks here."""

from collections.abc import Iterable

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import Q

from dashboard.models import RoomGroup, RoomLimit
from reports.models import Room

_ASKED = "_allowed_rooms"


def allowed_rooms(user: User | AnonymousUser) -> frozenset[str] | None:
    """The host_ids that an account may see; None for all of them.

    A superuser sees all; nobody, and a limit without a room, sees none. Asked once of each account object.
    """
    if not isinstance(user, User):
        return frozenset()
    if user.is_superuser:
        return None
    if not hasattr(user, _ASKED):
        setattr(user, _ASKED, _asked(user))
    found: frozenset[str] | None = getattr(user, _ASKED)
    return found


def _asked(user: User) -> frozenset[str] | None:
    limit = RoomLimit.objects.filter(account=user).values_list("pk", flat=True).first()
    if limit is None:
        return None
    rooms = Room.objects.filter(Q(limits=limit) | Q(room_groups__limits=limit)).order_by()
    return frozenset(rooms.values_list("host_id", flat=True))


def is_limited(user: User | AnonymousUser) -> bool:
    """Whether there are rooms that an account may not see, now or once they are known."""
    return allowed_rooms(user) is not None


def limit(user: User, rooms: Iterable[Room], groups: Iterable[RoomGroup]) -> None:
    """Let an account see these rooms and those of these groups, and no others."""
    with transaction.atomic():
        found, _new = RoomLimit.objects.get_or_create(account=user)
        found.rooms.set(rooms)
        found.groups.set(groups)
    _forget(user)


def told(user: User) -> dict[str, list[str]] | None:
    """The host_ids and the names of the room groups that an account is limited to; None where it sees all rooms."""
    found = RoomLimit.objects.filter(account=user).first()
    if found is None:
        return None
    rooms, groups = found.rooms.values_list("host_id", flat=True), found.groups.values_list("name", flat=True)
    return {"rooms": sorted(rooms), "room_groups": sorted(groups)}


def lift(user: User) -> None:
    """Let an account see all rooms."""
    RoomLimit.objects.filter(account=user).delete()
    _forget(user)


def _forget(user: User) -> None:
    if hasattr(user, _ASKED):
        delattr(user, _ASKED)
