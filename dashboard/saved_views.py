"""Who may see and who may change a saved view."""

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet

from dashboard import limits
from dashboard.models import SavedView


def visible(user: User | AnonymousUser) -> QuerySet[SavedView]:
    """The views of an account and those that others share, by name. For all others they are not there.

    Names and filters of others may tell of rooms that a limited account may not see: it has its own alone.
    """
    if not isinstance(user, User):
        return SavedView.objects.none()
    wanted = Q(owner=user)
    if not limits.is_limited(user):
        wanted |= Q(shared=True)
    return SavedView.objects.filter(wanted).select_related("owner")


def may_change(user: User | AnonymousUser, view: SavedView, deed: str = "change") -> bool:
    """Whether an account may change or delete a view that it sees: its owner, or who has the permission."""
    return user.pk == view.owner_id or user.has_perm(f"dashboard.{deed}_savedview")


def grouped(user: User | AnonymousUser, here: str) -> dict[str, list[dict[str, Any]]]:
    """The views of an account and those shared with it, for the list. here: the address that is shown now."""
    found: dict[str, list[dict[str, Any]]] = {"own": [], "shared": []}
    for view in visible(user):
        own = view.owner_id == user.pk
        found["own" if own else "shared"].append(
            {
                "name": view.name,
                "url": view.url,
                "by": "" if own else view.owner.get_username(),
                "current": view.url == here,
            }
        )
    return found
