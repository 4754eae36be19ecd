"""The key and the secret that pulls ask with: the environment's, else those that the set-up pages were given.

What is given there is kept in the database, which every process and every worker reads, and sealed with a key made
from SECRET_KEY: a copy of the database alone opens nothing, and no second file has to be carried along.
"""

import base64
import json

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.utils.crypto import salted_hmac

from reports.models import Access
from reports.provider.errors import Denied

# The names of the environment.
KEY, SECRET = "UMEET_API_KEY", "UMEET_API_SECRET"
NAMES = (KEY, SECRET)
GIVE_AGAIN = "Check the key and the secret in your account, and give both again at /setup/key/."


class NotConfigured(Exception):
    """There is no key to pull with; the text says what to do."""


def from_environment() -> bool:
    """Whether the environment gives the key or the secret, so that nothing kept counts."""
    return any(getattr(settings, name) for name in NAMES)


def credentials() -> tuple[str, str]:
    """(key, secret). Errors: NotConfigured."""
    missing = [name for name in NAMES if not getattr(settings, name)]
    if not missing:
        return settings.UMEET_API_KEY, settings.UMEET_API_SECRET
    if len(missing) == 1:
        raise NotConfigured(f"{missing[0]} is not set. Set it, or unset the other and give both on the set-up page.")
    sealed = Access.objects.values_list("sealed", flat=True).first()
    if not sealed:
        raise NotConfigured(
            "UMEET_API_KEY and UMEET_API_SECRET are not set, and the set-up page was given none. Finish the set-up in "
            "the browser, or set both."
        )
    try:
        key, secret = json.loads(_box().decrypt(sealed.encode()))
    except (InvalidToken, ValueError):
        raise NotConfigured(
            "The key of the API was kept under another SECRET_KEY and cannot be read. Give it again at /setup/key/."
        ) from None
    return key, secret


def keep(key: str, secret: str) -> None:
    """Keep what credentials() returns where the environment gives none."""
    sealed = _box().encrypt(json.dumps([key, secret]).encode()).decode()
    Access.objects.update_or_create(id=1, defaults={"sealed": sealed})


def is_kept() -> bool:
    """Whether a key is kept, readable or not."""
    return Access.objects.exclude(sealed="").exists()


def problem() -> str:
    """Why nothing can be pulled, or ""."""
    try:
        credentials()
    except NotConfigured as error:
        return str(error)
    return ""


def advised(error: str) -> str:
    """What a pull wrote down. Whose key was given in the browser is not sent to look at a variable."""
    return error if from_environment() else error.replace(Denied.ADVICE, GIVE_AGAIN)


def _box() -> Fernet:
    # A key of its own: what SECRET_KEY signs elsewhere tells nothing about it.
    return Fernet(base64.urlsafe_b64encode(salted_hmac("reports.access", "seal", algorithm="sha256").digest()))


def history_days() -> int:
    """How many days back pulls by date go."""
    return Access.objects.values_list("history_days", flat=True).first() or settings.HISTORY_DAYS


def keep_history_days(days: int) -> None:
    Access.objects.update_or_create(id=1, defaults={"history_days": days})
