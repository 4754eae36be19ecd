"""The set-up of a new installation: who may begin it, what it asks for, and where it goes on after a stop.

A link that `start` prints opens it. Whoever has the link makes the first administrator, and with that it has ended;
all further steps are for a signed-in administrator, so that a set-up which was left half-way goes on after a sign-in.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from dashboard import accounts
from dashboard.env import keep_choices
from dashboard.models import SetupLink
from reports import access, schedule
from reports.models import Meeting
from reports.provider.client import Client

# In the session of an administrator: the set-up is not done.
OPEN = "setup"
GOOD_FOR = timedelta(hours=24)
ZONES = ("TIME_ZONE", "UMEET_TIME_ZONE")
# A person waits for the answer.
CHECK_WITHIN = 10.0


class Step(StrEnum):
    """A page of the set-up, in order, by the name of its address."""

    ADMINISTRATOR = "setup"
    KEY = "setup-key"
    ZONE = "setup-zone"
    PULL = "setup-pull"


class Closed(Exception):
    """The link was used meanwhile, or there is an administrator."""


def has_administrator() -> bool:
    """Whether there is an administrator, by role or as a superuser: then no link makes one."""
    return accounts.administrators().exists()


# The link --------------------------------------------------------------------------------------------


def new_link(now: datetime) -> str:
    """A new secret for the address /setup/<secret>/. Those that were made before and not used end."""
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        SetupLink.objects.filter(used_at=None).delete()
        SetupLink.objects.create(secret_hash=hashed(secret), made_at=now)
    return secret


def forget_old_links(now: datetime) -> None:
    """Links that were never used and are too old."""
    SetupLink.objects.filter(used_at=None, made_at__lt=now - GOOD_FOR).delete()


def hashed(secret: str) -> str:
    """What is kept of a secret. It is long and random: nobody finds it by trying, so a plain hash will do."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def is_open(secret_hash: str, now: datetime) -> bool:
    """Whether a link still makes an administrator."""
    if not secret_hash or has_administrator():
        return False
    return SetupLink.objects.filter(secret_hash=secret_hash, used_at=None, made_at__gt=now - GOOD_FOR).exists()


def make_administrator(secret_hash: str, name: str, password: str, now: datetime) -> User:
    """The first administrator; the link ends. Errors: Closed."""
    with transaction.atomic():
        # One conditional UPDATE: of two who come at once only one goes on.
        usable = SetupLink.objects.filter(secret_hash=secret_hash, used_at=None, made_at__gt=now - GOOD_FOR)
        if not usable.update(used_at=now) or has_administrator():
            raise Closed
        user: User = get_user_model()._default_manager.create_superuser(username=name, email="", password=password)
    return user


# The steps -------------------------------------------------------------------------------------------


def underway() -> SetupLink | None:
    """The set-up that was begun and is not done; None on every installation that needs none."""
    return SetupLink.objects.filter(done_at=None).exclude(used_at=None).order_by("-used_at").first()


def was_used() -> bool:
    """Whether this installation was set up by these pages at all."""
    return SetupLink.objects.exclude(used_at=None).exists()


@receiver(user_logged_in)
def _remind(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    """Who signs in while the set-up is half-way is shown the way back to it on every page."""
    if underway() is not None and accounts.is_administrator(user):
        request.session[OPEN] = True


def next_step() -> Step | None:
    """Where the set-up goes on; None when it is done or was never begun."""
    link = underway()
    if link is None:
        return None
    if not access.from_environment() and not access.is_kept():
        return Step.KEY
    return Step.ZONE if link.zone_at is None else Step.PULL


def check_key(key: str, secret: str) -> None:
    """Ask the provider one real question with a key. Errors: ProviderError, which says what to do."""
    client = Client(
        settings.UMEET_URL,
        key,
        secret,
        zone=ZoneInfo(settings.UMEET_TIME_ZONE),
        timeout=min(settings.UMEET_TIMEOUT, CHECK_WITHIN),
        attempts=1,
    )
    with client:
        next(client.rooms(), None)


def keep_key(key: str, secret: str, now: datetime) -> None:
    """Check and keep them, and have every source asked anew. Errors: ProviderError; then nothing is kept."""
    check_key(key, secret)
    access.keep(key, secret)
    schedule.open_sources(now)


def times_are_kept() -> bool:
    """Whether there are meetings already, whose times were read in the zone of the provider."""
    return Meeting.objects.exists()


def keep_zones(chosen: dict[str, str], now: datetime) -> bool:
    """Confirm the zones; returns whether one differs from what this process has, so that all have to start anew.

    chosen: by the names of the environment, and only those that it leaves open.
    """
    changed = {name: zone for name, zone in chosen.items() if zone != getattr(settings, name)}
    if changed:
        keep_choices(settings.DATA_DIR, changed)
    SetupLink.objects.filter(done_at=None).exclude(used_at=None).update(zone_at=now)
    return bool(changed)


def begin_pulling(days: int, now: datetime) -> None:
    """The first pull goes so many days back, and the set-up is done."""
    schedule.reach_back(days, now)
    SetupLink.objects.filter(done_at=None).exclude(used_at=None).update(done_at=now)
