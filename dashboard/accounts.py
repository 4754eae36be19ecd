"""Accounts: who there is, and what may be changed by whom. Nobody can shut out the last administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from dashboard import roles
from dashboard.models import RoomGroup, RoomLimit
from reports.text import fold


class Refused(Exception):
    """A change that may not be made."""


def administrators() -> QuerySet[User]:
    """The accounts that can manage accounts: active administrators and superusers."""
    of_role = User.objects.filter(groups__name=roles.ADMINISTRATOR).values("pk")
    return User.objects.filter(Q(is_superuser=True) | Q(pk__in=of_role), is_active=True)


def is_administrator(account: User) -> bool:
    """Whether an account is one of them."""
    return account.is_superuser or administrators().filter(pk=account.pk).exists()


def may_change(actor: User, account: User) -> bool:
    """Whether who manages accounts may change this one: a superuser is changed by superusers alone."""
    return actor.is_superuser or not account.is_superuser


def may_demote(actor: User, account: User) -> bool:
    """Whether the role of an account may be changed, or the account be closed: not one's own."""
    return may_change(actor, account) and actor.pk != account.pk


@contextmanager
def changing(actor: User) -> Iterator[None]:
    """A change of roles, limits or activity, one after the other.

    Errors: Refused when who makes it may not any more, or when no administrator would be left; nothing is changed.
    """
    with transaction.atomic():
        # Two who close each other's accounts at the same time would both succeed: the second one waits, and is none.
        held = {user.pk for user in administrators().select_for_update().order_by("pk")}
        if not (actor.pk in held or User.objects.get(pk=actor.pk).has_perm(roles.MAY_MANAGE_ACCOUNTS)):
            raise Refused
        yield
        if not administrators().exists():
            raise Refused


def password_path(account: User) -> str:
    """The path at which the password of an account can be set once, for some days."""
    uid = urlsafe_base64_encode(force_bytes(account.pk))
    return reverse("set-password", args=[uid, default_token_generator.make_token(account)])


# The list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One account in the list. rooms: how many it may see; None: all."""

    account: User
    name: str
    role: str
    rooms: int | None

    @property
    def last(self) -> datetime | None:
        return self.account.last_login


SORTS: dict[str, Any] = {
    "name": lambda one: one.account.get_username().casefold(),
    "role": lambda one: _rank(one.role),
    "rooms": lambda one: one.rooms,
    "last": lambda one: one.last,
    "active": lambda one: not one.account.is_active,
}
DEFAULT_SORT = "name"


def _rank(role: str) -> int:
    """From the least to the most that a role may do."""
    return ("", *roles.ROLES, roles.SUPERUSER).index(role)


def entries(wanted: str = "", sort: str = "") -> list[Entry]:
    """The accounts whose names or mail address contain a text, by one column of SORTS; unknown values last."""
    found = []
    users = User.objects.prefetch_related("groups", "room_limit__rooms", "room_limit__groups__rooms")
    for user in users.order_by("username", "pk"):
        if wanted and fold(wanted) not in fold(f"{user.get_username()} {user.get_full_name()} {user.email}"):
            continue
        found.append(Entry(user, user.get_full_name(), roles.role_of(user), _rooms(user)))
    sort = sort or DEFAULT_SORT
    value = SORTS[sort.removeprefix("-")]
    known = [one for one in found if value(one) is not None]
    known.sort(key=value, reverse=sort.startswith("-"))
    return known + [one for one in found if value(one) is None]


def _rooms(user: User) -> int | None:
    limit: RoomLimit | None = getattr(user, "room_limit", None)
    if limit is None or user.is_superuser:
        return None
    rooms = {room.pk for room in limit.rooms.all()}
    return len(rooms.union(*({room.pk for room in group.rooms.all()} for group in limit.groups.all())))


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A room group, its rooms by name, and how many accounts are limited to it."""

    group: RoomGroup
    rooms: list[str]
    accounts: int


def group_entries() -> list[GroupEntry]:
    """The room groups by name."""
    groups = RoomGroup.objects.prefetch_related("rooms", "limits")
    return [GroupEntry(one, sorted(map(str, one.rooms.all())), len(one.limits.all())) for one in groups]
