"""System checks: of what the settings alone can tell, and of what the database lacks."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError, connection

from reports.models import SearchText
from reports.querysets import trigrams_are_there


@register()
def key_is_whole(**_: Any) -> list[CheckMessage]:
    """A key without its secret, or the other way round, is a slip."""
    if bool(settings.UMEET_API_KEY) == bool(settings.UMEET_API_SECRET):
        return []
    missing = "UMEET_API_SECRET" if settings.UMEET_API_KEY else "UMEET_API_KEY"
    return [Warning(f"{missing} is not set, so nothing can be pulled.", hint=f"Set {missing}.", id="reports.W001")]


@register()
def secret_is_not_sent_in_clear(**_: Any) -> list[CheckMessage]:
    """The secret travels in the form: over plain HTTP only to this computer."""
    parts = urlsplit(settings.UMEET_URL)
    if parts.scheme == "https" or parts.hostname in {"localhost", "127.0.0.1", "::1"}:
        return []
    return [
        Warning(
            "UMEET_URL is plain http, so the API secret travels unencrypted.",
            hint="Set UMEET_URL to an https address.",
            id="reports.W002",
        )
    ]


@register(Tags.database)
def search_has_its_index(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Without the index by trigrams a search finds the same, slower. Asked before the first migration: no matter."""
    if not databases or connection.alias not in databases:
        return []
    try:
        tables = connection.introspection.table_names()
        if SearchText._meta.db_table not in tables or trigrams_are_there():
            return []
    except DatabaseError:  # a database that does not answer is told about elsewhere
        return []
    of_sqlite = connection.vendor == "sqlite"
    hint = (
        "Use an SQLite of 3.34 or newer with FTS5" if of_sqlite else "Let an administrator run CREATE EXTENSION pg_trgm"
    )
    return [
        Warning(
            "The search has no index by trigrams, so it reads every topic, number and name that was ever kept.",
            hint=f"{hint}, then run manage.py rebuild.",
            id="reports.W003",
        )
    ]
