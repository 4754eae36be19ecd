"""Who may see and who may change a saved view."""

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet

from dashboard.models import SavedView


def visible(user: User | AnonymousUser) -> QuerySet[SavedView]:
    """The views of an account and those that others share, by name. For all others they are not there."""
    if not isinstance(user, User):
        return SavedView.objects.none()
    return SavedView.objects.filter(Q(owner=user) | Q(shared=True)).select_related("owner")


def may_change(user: User | AnonymousUser, view: SavedView, deed: str = "change") -> bool:
    """Whether an account may change or delete a view that it sees: its owner, or staff with the permission."""
    if user.pk == view.owner_id:
        return True
    return bool(user.is_staff and user.has_perm(f"dashboard.{deed}_savedview"))


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
