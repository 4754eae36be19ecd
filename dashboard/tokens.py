"""Tokens, by which a program reads the CSV tables in the name of an account.

A token is 256 random bits, of which SHA-256 is kept. A slow hash, as passwords need, would add nothing: nobody goes
through 2^256 tokens however quick the hash is, while a password comes from far fewer. Being quick, it lets every
request show its token, and lets the database find it by an index.
"""

import base64
import binascii
import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest

from dashboard import audit
from dashboard.models import ApiToken

MAY_USE = "dashboard.use_tokens"
MAY_MANAGE = "dashboard.manage_accounts"
# So much of a token is kept to be told apart from others; the rest has more than 200 bits.
SHOWN = 8
USED_AGAIN = timedelta(hours=1)


def digest(secret: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def make(account: User, name: str, expires_at: datetime | None, now: datetime) -> tuple[ApiToken, str]:
    """A new token of an account, and the secret, which is not kept. Errors: IntegrityError for a name it has."""
    secret = f"rl_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        token = ApiToken.objects.create(
            account=account,
            name=name,
            hash=digest(secret),
            prefix=secret[:SHOWN],
            created_at=now,
            expires_at=expires_at,
        )
        audit.note(account, audit.Action.TOKEN_MADE, name, begins=token.prefix)
    return token, secret


def revoke(request: HttpRequest, token: ApiToken, now: datetime) -> bool:
    """End a token for good; False when that was done already."""
    with transaction.atomic():
        done = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
        if done:
            audit.note(
                request,
                audit.Action.TOKEN_REVOKED,
                token.name,
                begins=token.prefix,
                account=token.account.get_username(),
            )
    return bool(done)


def shown(header: str) -> str | None:
    """The token of an Authorization header: Bearer, or Basic with the token as the password; None without one."""
    scheme, _blank, rest = header.strip().partition(" ")
    if scheme.casefold() == "bearer":
        return rest.strip() or None
    if scheme.casefold() != "basic":
        return None
    try:
        _user, colon, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return secret if colon and secret else None


def find(secret: str, now: datetime) -> ApiToken | None:
    """The token of a secret, if it is good and its account is active. That it was used is noted once an hour."""
    token = ApiToken.objects.select_related("account").filter(hash=digest(secret)).first()
    if token is None or not token.is_good(now) or not token.account.is_active:
        return None
    long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_AGAIN)
    if token.last_used_at is None or token.last_used_at < now - USED_AGAIN:
        ApiToken.objects.filter(long_ago, pk=token.pk).update(last_used_at=now)
    return token
