"""System checks of what the settings alone can tell."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


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
