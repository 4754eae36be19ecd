"""A display name that is erased goes from what accounts have set up, too: views, mail reports, and what was written
down of them.

A view or a mail report whose address holds the name is of nothing any more and goes whole. A name that somebody gave
one, and the audit, lose the words alone: that something was done stays.
"""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from django.contrib.admin.models import LogEntry
from django.db import models

from dashboard.models import LONGEST_NAME, AuditEntry, MailReport, SavedView
from reports.events import erasing
from reports.text import REMOVED, fold, mentions

# What is written down under these keys may hold a display name; accounts and addresses are none.
ADDRESSES = ("page", "filter")
# The kinds of entries whose object is a name that somebody typed for a view or a report.
NAMED = ("view-", "mail-")
PARTS = ("name", "q")


def forget(key: str) -> int:
    """Remove a folded display name; returns from how many views and mail reports."""
    done = _set_up(SavedView, key) + _set_up(MailReport, key)
    _audit(key)
    kinds = ("savedview", "mailreport")
    for entry in LogEntry.objects.filter(content_type__app_label="dashboard", content_type__model__in=kinds):
        if mentions(entry.object_repr, key) or mentions(entry.change_message, key):
            LogEntry.objects.filter(pk=entry.pk).update(object_repr=REMOVED, change_message="")
    return done


def in_address(path: str, query: str, key: str) -> bool:
    """Whether an address is of a display name, or looks for it."""
    page = fold(unquote(path).removeprefix("/people/").rstrip("/")) if path.startswith("/people/") else ""
    given = parse_qsl(query, keep_blank_values=True)
    return page == key or any(name in PARTS and mentions(value, key) for name, value in given)


def _set_up(model: Any, key: str) -> int:
    done = 0
    for one in model.objects.only("pk", "name", "path", "query"):
        if in_address(one.path, one.query, key):
            model.objects.filter(pk=one.pk).delete()
            done += 1
        elif mentions(one.name, key):
            # Names are told apart within an account.
            model.objects.filter(pk=one.pk).update(name=f"{REMOVED} {one.pk}"[:LONGEST_NAME])
            done += 1
    return done


def _audit(key: str) -> None:
    # Past the guard of the model: this is the one thing that is taken from an entry.
    rows: models.QuerySet[AuditEntry] = AuditEntry._base_manager.all()
    for entry in rows.iterator(2000):
        changes: dict[str, Any] = {}
        if entry.action.startswith(NAMED) and mentions(entry.object, key):
            changes["object"] = REMOVED
        details = {name: _without(name, value, key) for name, value in entry.details.items()}
        if details != entry.details:
            changes["details"] = details
        if changes:
            rows.filter(pk=entry.pk).update(**changes)


def _without(name: str, value: Any, key: str) -> Any:
    if name not in ADDRESSES or not isinstance(value, str):
        return value
    if name == "page":
        return f"/people/{REMOVED}/" if in_address(value, "", key) else value
    given = parse_qsl(value, keep_blank_values=True)
    if not any(mentions(text, key) for _name, text in given):
        return value
    return urlencode([(part, REMOVED if mentions(text, key) else text) for part, text in given])


def _erasing(key: str, **_: Any) -> int:
    return forget(key)


def connect() -> None:
    """Listen; once, when the site starts."""
    erasing.connect(_erasing, dispatch_uid="erasing")
