"""System checks of what the settings say of mail."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register()
def mail_password_is_not_sent_in_clear(**_: Any) -> list[CheckMessage]:
    """A password travels without TLS only to this computer."""
    if not settings.EMAIL_ON or not settings.EMAIL_HOST_PASSWORD or settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL:
        return []
    if settings.EMAIL_HOST in {"localhost", "127.0.0.1", "::1"}:
        return []
    return [
        Warning(
            "EMAIL_URL sends its password unencrypted.",
            hint="Add ?tls=1 to EMAIL_URL, or begin it with smtps://.",
            id="dashboard.W001",
        )
    ]
