"""Who did what: entries that are added in the transaction of the change and never changed.

`note` is for whoever changes something. Accounts and roles are watched by signals, so that no way of changing
them, Django's own administration among them, goes by unseen; what the data does by itself is told by reports.events.

Nothing secret is written down: keys that sound like a secret lose their value, and what looks like a telephone
number in a search is hidden in part.
"""

import json
import re
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from django.http import HttpRequest
from django.utils import timezone

from dashboard import roles
from dashboard.models import AuditEntry
from reports.events import happened
from reports.text import mask

Action = AuditEntry.Action

# What one entry holds at most.
LONGEST_TEXT = 300
MOST_IN_A_LIST = 20
LONGEST_DETAILS = 4000

SECRET = re.compile(r"password|secret|\bhash\b|api_key", re.IGNORECASE)
# Seven digits and more, with what people write between them.
NUMBER = re.compile(r"\+?\d(?:[\s().-]*\d){6,}")
# Of an account what may be told before and after; of its password only that it changed.
TOLD_OF_ACCOUNTS = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")

# The request that is being answered: signals know of none.
asking: ContextVar[HttpRequest | None] = ContextVar("asking", default=None)


def note(who: HttpRequest | User | None, action: str, what: str = "", **details: Any) -> AuditEntry:
    """Write down that something was done. Call it inside the transaction that does it.

    In: who does it, a request or an account, None for whoever asks at this moment, or nobody; a code of Action; the
    name of what it was done to; details, of JSON's kinds, which are cut to a bounded length and may hold no secret.
    """
    request = who if isinstance(who, HttpRequest) else asking.get()
    user = who if isinstance(who, User) else getattr(request, "user", None)
    account = user if isinstance(user, User) or getattr(user, "is_authenticated", False) else None
    return AuditEntry.objects.create(
        at=timezone.now(),
        account_id=account.pk if account else None,
        account_name=account.get_username()[:150] if account else "",
        client=client_address(request) if request else "",
        action=action,
        object=_text(what),
        details=bounded(details),
    )


def client_address(request: HttpRequest) -> str:
    """The address that a request came from: behind a trusted proxy, the one that the proxy tells (see proxies.py)."""
    found = str(request.META.get("REMOTE_ADDR", ""))
    return re.sub(r"[^0-9a-fA-F.:]", "", found)[:45]


def hide_numbers(text: str) -> str:
    """A text with whatever looks like a telephone number hidden in part."""
    return NUMBER.sub(lambda found: mask(found[0]), text)


def bounded(details: dict[str, Any]) -> dict[str, Any]:
    """Details as an entry keeps them."""
    kept = {key: "…" if SECRET.search(key) else _bounded(value) for key, value in details.items()}
    if len(json.dumps(kept, ensure_ascii=False)) <= LONGEST_DETAILS:
        return kept
    return {key: value for key, value in kept.items() if len(json.dumps(value)) <= LONGEST_TEXT} | {"cut": True}


def _bounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text(key): "…" if SECRET.search(str(key)) else _bounded(one) for key, one in list(value.items())[:50]}
    if isinstance(value, list | tuple | set):
        rest = len(value) - MOST_IN_A_LIST
        return [_bounded(one) for one in list(value)[:MOST_IN_A_LIST]] + ([f"+{rest}"] if rest > 0 else [])
    return value if value is None or isinstance(value, bool | int | float) else _text(value)


def _text(value: object) -> str:
    text = " ".join(str(value).replace("\x00", "").split())
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


# Signing in and out ---------------------------------------------------------------------------------------


def _signed_in(user: User, **_: Any) -> None:
    note(user, Action.SIGNED_IN)


def _signed_out(user: User | None, **_: Any) -> None:
    if user is not None:
        note(user, Action.SIGNED_OUT)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    name = str(credentials.get("username") or "")[:150]
    # What nobody is called may be a password that was typed into the wrong field.
    known = User.objects.filter(username=name).values_list("username", flat=True).first()
    note(request, Action.SIGN_IN_FAILED, known or "")


# Accounts and roles ---------------------------------------------------------------------------------------


def _before_account(instance: User, update_fields: Any = None, raw: bool = False, **_: Any) -> None:
    instance._audit_before = None  # type: ignore[attr-defined]
    # Signing in writes down when; that is no change of the account.
    if instance.pk and not raw and set(update_fields or ("all",)) != {"last_login"}:
        names = [*TOLD_OF_ACCOUNTS, "password"]
        instance._audit_before = User.objects.filter(pk=instance.pk).values(*names).first()  # type: ignore[attr-defined]
        # A sign-in may hash the same password anew by stronger rules.
        same = set(update_fields or ()) == {"password"} and instance._password is None  # type: ignore[attr-defined]
        instance._audit_same_password = same  # type: ignore[attr-defined]


def _account(instance: User, created: bool, raw: bool = False, **_: Any) -> None:
    if raw:
        return
    if created:
        kinds = [name for name in ("is_staff", "is_superuser") if getattr(instance, name)]
        note(None, Action.ACCOUNT_MADE, instance.get_username(), **({"is": kinds} if kinds else {}))
        return
    before = getattr(instance, "_audit_before", None)
    if before is None:
        return
    changes: dict[str, Any] = {
        name: [before[name], getattr(instance, name)]
        for name in TOLD_OF_ACCOUNTS
        if before[name] != getattr(instance, name)
    }
    renewed = before["password"] != instance.password and not instance._audit_same_password  # type: ignore[attr-defined]
    if changes or renewed:
        note(
            None, Action.ACCOUNT_CHANGED, before["username"], changes=changes, **({"renewed": True} if renewed else {})
        )


def _account_goes(instance: User, **_: Any) -> None:
    request = asking.get()
    own = request is not None and getattr(request, "user", None) == instance
    entry = note(None, Action.ACCOUNT_DELETED, instance.get_username()) if not own else None
    if entry is None and request is not None:
        # Who deletes the own account is known by name alone: the row is gone in a moment.
        AuditEntry.objects.create(
            at=timezone.now(),
            account_name=instance.get_username(),
            client=client_address(request),
            action=Action.ACCOUNT_DELETED,
            object=instance.get_username(),
        )


def _before_group(instance: Group, **_: Any) -> None:
    names = Group.objects.filter(pk=instance.pk).values_list("name", flat=True) if instance.pk else ()
    instance._audit_before = next(iter(names), None)  # type: ignore[attr-defined]


def _of_itself(group: Group) -> bool:
    """Whether the program keeps its own roles as they are said, which nobody has done."""
    return group.name in roles.ROLES and asking.get() is None


def _group(instance: Group, created: bool, raw: bool = False, **_: Any) -> None:
    if raw or _of_itself(instance):
        return
    before = instance._audit_before  # type: ignore[attr-defined]
    if created:
        note(None, Action.GROUP_MADE, instance.name)
    elif before != instance.name:
        note(None, Action.GROUP_CHANGED, before or "", changes={"name": [before, instance.name]})


def _group_goes(instance: Group, **_: Any) -> None:
    note(None, Action.GROUP_DELETED, instance.name)


def _memberships(
    instance: Model, action: str, reverse: bool, model: type[Model], pk_set: set[Any] | None, sender: Any, **_: Any
) -> None:
    """Roles of accounts, permissions of accounts and of roles. Either side may be the one that was changed."""
    if action not in {"post_add", "post_remove", "pre_clear"}:
        return
    found = model._default_manager.all()
    if action == "pre_clear":
        owner = model if reverse else type(instance)
        field = next(one for one in owner._meta.many_to_many if one.remote_field.through is sender)
        others = list(found.filter(**{field.name: instance}) if reverse else getattr(instance, field.name).all())
    else:
        others = list(found.filter(pk__in=pk_set or ()))
    if not others:
        return
    how = "added" if action == "post_add" else "removed"
    whole = [(instance, others)] if not reverse else [(other, [instance]) for other in others]
    for changed, given in whole:
        if isinstance(changed, Group) and _of_itself(changed):
            continue
        code = Action.ROLE_CHANGED if isinstance(changed, User) else Action.GROUP_CHANGED
        names = sorted(one.name if isinstance(one, Permission | Group) else str(one) for one in given)
        kind = "permissions" if isinstance(given[0], Permission) else "roles"
        note(None, code, str(changed), **{f"{kind}_{how}": names})


# The data itself ------------------------------------------------------------------------------------------


def _happened(action: str, what: str, details: dict[str, Any], **_: Any) -> None:
    note(None, action, what, **details)


def connect() -> None:
    """Listen to all of these; once, when the site starts."""
    for signal, listener, sender in (
        (user_logged_in, _signed_in, None),
        (user_logged_out, _signed_out, None),
        (user_login_failed, _failed, None),
        (pre_save, _before_account, User),
        (post_save, _account, User),
        (pre_delete, _account_goes, User),
        (pre_save, _before_group, Group),
        (post_save, _group, Group),
        (pre_delete, _group_goes, Group),
        (m2m_changed, _memberships, User.groups.through),
        (m2m_changed, _memberships, User.user_permissions.through),
        (m2m_changed, _memberships, Group.permissions.through),
        (happened, _happened, None),
    ):
        signal.connect(listener, sender=sender, dispatch_uid=f"audit-{listener.__name__}-{sender}")
