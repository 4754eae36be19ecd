"""The four roles of accounts: groups of permissions, kept as they are said here.

An account has one role. Without one it sees what a viewer sees; a superuser may do everything.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps as installed
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

VIEWER, ANALYST, MANAGER, ADMINISTRATOR = ROLES = ("Viewer", "Analyst", "Manager", "Administrator")
SUPERUSER = "Superuser"
LABELS: dict[str, str | Promise] = {
    VIEWER: pgettext_lazy("role", "Viewer"),
    ANALYST: pgettext_lazy("role", "Analyst"),
    MANAGER: pgettext_lazy("role", "Manager"),
    ADMINISTRATOR: pgettext_lazy("role", "Administrator"),
    SUPERUSER: pgettext_lazy("role", "Superuser"),
}

SEES_PHONES = "reports.see_phone_numbers"
MAY_DOWNLOAD = "dashboard.download_csv"
MAY_MAIL = "dashboard.add_mailreport"
MAY_SHARE = "dashboard.share_views"
MAY_MANAGE_ACCOUNTS = "dashboard.manage_accounts"

_ANALYST = (SEES_PHONES, MAY_DOWNLOAD, "dashboard.use_tokens")
_MANAGER = (
    *_ANALYST,
    "reports.change_room",
    "reports.add_trackednumber",
    *(f"dashboard.{deed}_budget" for deed in ("view", "add", "change", "delete")),
    MAY_MAIL,
    MAY_SHARE,
    "dashboard.change_savedview",
    "dashboard.delete_savedview",
)
# An administrator has every permission of these apps.
OWN_APPS = ("dashboard", "reports")
PERMISSIONS: dict[str, tuple[str, ...]] = {VIEWER: (), ANALYST: _ANALYST, MANAGER: _MANAGER}


def _named(names: Iterable[str]) -> Q:
    found = Q(pk__in=[])
    for name in names:
        app, _dot, codename = name.partition(".")
        found |= Q(content_type__app_label=app, codename=codename)
    return found


def sync(groups: Any = Group, permissions: Any = Permission, using: str = "default") -> None:
    """Make the groups of the roles, and give each exactly the permissions of its role; those not made yet later."""
    for role in ROLES:
        group, _new = groups.objects.using(using).get_or_create(name=role)
        of_role = (
            Q(content_type__app_label__in=OWN_APPS) if role == ADMINISTRATOR else _named(PERMISSIONS.get(role, ()))
        )
        wanted = set(permissions.objects.using(using).filter(of_role).values_list("pk", flat=True))
        if set(group.permissions.using(using).values_list("pk", flat=True)) != wanted:
            group.permissions.set(wanted)


def after_migrate(sender: Any, using: str, apps: Any = installed, **_: Any) -> None:
    """Permissions are made after the migrations, app by app; our own apps come before that of the accounts."""
    if sender.label != "auth":
        return
    try:
        groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to where there are no accounts
        return
    sync(groups, permissions, using)


def role_of(user: User) -> str:
    """The role of an account, the highest where it has several; SUPERUSER, or "" without one."""
    if user.is_superuser:
        return SUPERUSER
    names = {group.name for group in user.groups.all()}
    return next((role for role in reversed(ROLES) if role in names), "")


def has_more(user: User) -> bool:
    """Whether an account holds permissions besides those of its role, as accounts from before the roles may."""
    return user.user_permissions.exists() or user.groups.exclude(name__in=ROLES).exists()


def give(user: User, role: str) -> None:
    """Give an account one role and nothing besides. A superuser keeps what it is."""
    with transaction.atomic():
        user.groups.set([Group.objects.get_or_create(name=role)[0]])
        user.user_permissions.clear()
        if not user.is_superuser:
            user.is_staff = role == ADMINISTRATOR
            user.save(update_fields=["is_staff"])


def may_download(user: User | AnonymousUser) -> bool:
    """Whether an account may take data away as CSV, from a page or by mail."""
    return user.has_perm(MAY_DOWNLOAD)


def may_mail(user: User | AnonymousUser) -> bool:
    """Whether an account may have views sent by mail: a CSV may go along."""
    return user.has_perm(MAY_MAIL) and may_download(user)
