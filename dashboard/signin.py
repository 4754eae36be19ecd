"""Signing in: who guesses is held back, sessions end, and another system may say who somebody is.

Failures are counted by account and address together, so that nobody locks an account for its owner elsewhere, and
by address alone, with a higher limit, for who tries many accounts.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import LoginRequiredMiddleware, RemoteUserMiddleware
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db.models import Max
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from dashboard import roles
from dashboard.proxies import meta_name, network_of

# Failures of one address with many accounts that count as much as AXES_FAILURE_LIMIT with one: an office may share it.
ADDRESS_LIMIT = 50
# In the session: when it began, and when it was last used, in seconds of the clock.
BEGAN, SEEN = "began", "seen"
# What asks by itself, again and again, is no sign of somebody being there.
BY_THEMSELVES = ("/data/progress/", "/data/freshness/")


# Who guesses -----------------------------------------------------------------------------------------


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # a class without types
    """The counting of django-axes, with a limit of its own for an address as a whole."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        pair, address = (
            sum(attempts.values_list("failures_since_start", flat=True))
            for attempts in self.get_user_attempts(request, credentials)
        )
        return int(max(pair, address * settings.AXES_FAILURE_LIMIT // ADDRESS_LIMIT))

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """A sign-in forgives its own account: with one account nobody buys more guesses at others."""
        return int(self.filter_user_attempts(request, credentials)[0].delete()[0])


def client_address(request: HttpRequest) -> str:
    """What django-axes counts by."""
    return network_of(request)


def client_words(username: str | None, ip_address: str | None, *_: object) -> str:
    """How the log names who tried: a name may hold line ends, or be a password typed into the wrong field."""
    return str(ip_address)


def is_said_by_a_proxy(request: HttpRequest, credentials: dict[str, Any] | None) -> bool:
    """No password was tried: another system vouches for somebody who has no account here."""
    return bool(credentials) and (credentials or {}).get("remote_user") is not None


def locked(request: HttpRequest, *_: object) -> HttpResponse:
    """The page of who has to wait."""
    latest = AccessAttempt.objects.filter(ip_address=network_of(request)).aggregate(at=Max("attempt_time"))["at"]
    wait: timedelta = settings.AXES_COOLOFF_TIME
    left = (latest or timezone.now()) + wait - timezone.now()
    seconds = max(1, int(left.total_seconds()) + 1)
    answer = render(request, "registration/locked.html", {"minutes": -(-seconds // 60)}, status=429)
    answer["Retry-After"] = str(seconds)
    answer["Cache-Control"] = "no-store"
    return answer


def forget_old_attempts(now: datetime) -> None:
    """Attempts that count no more are not kept: they hold names and addresses."""
    AccessAttempt.objects.filter(attempt_time__lt=now - settings.AXES_COOLOFF_TIME).delete()


# How long --------------------------------------------------------------------------------------------


@receiver(user_logged_in)
def _begin(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    request.session[BEGAN] = request.session[SEEN] = int(time.time())


class SessionTimeMiddleware:
    """A session ends when it was not used for SESSION_COOKIE_AGE, and SESSION_MOST after its sign-in in any case."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        session = request.session
        if session.get(SESSION_KEY):
            now = int(time.time())
            # A session of before an update begins now.
            began = session.setdefault(BEGAN, now)
            seen = session.setdefault(SEEN, now)
            if now - began >= settings.SESSION_MOST.total_seconds() or now - seen >= settings.SESSION_COOKIE_AGE:
                session.flush()
            elif now - seen >= settings.SESSION_COOKIE_AGE / 24 and request.path not in BY_THEMSELVES:
                # Now and then, not with every request: each time is a write.
                session[SEEN] = now
        return self.get_response(request)


class SignInMiddleware(LoginRequiredMiddleware):
    """Who is not signed in goes to the sign-in page: with the whole page, also where only a part of it was asked."""

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., Any]) -> HttpResponseBase:  # type: ignore[override]  # Django itself takes any
        if request.headers.get("HX-Request") != "true":
            return super().handle_no_permission(request, view_func)
        here = request.headers.get("HX-Current-URL", "")
        query = ""
        if url_has_allowed_host_and_scheme(here, {request.get_host()}):
            parts = urlsplit(here)
            query = "?" + urlencode({"next": parts.path + (f"?{parts.query}" if parts.query else "")})
        return HttpResponse(status=401, headers={"HX-Redirect": resolve_url(settings.LOGIN_URL) + query})


# Another system says who it is -----------------------------------------------------------------------


class HeaderMiddleware(RemoteUserMiddleware):
    """SSO_HEADER of a trusted proxy names the account; TrustedProxyMiddleware has taken it from all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self.header = meta_name(settings.SSO_HEADER)  # type: ignore[misc]  # as Django's own docs have it


class HeaderBackend(RemoteUserBackend):
    """Accounts by that header. One that is not there is made only where SSO_CREATE says so, without any permission."""

    @property
    def create_unknown_user(self) -> bool:  # type: ignore[override]  # Django's is a plain attribute
        return bool(settings.SSO_CREATE)

    def configure_user(self, request: HttpRequest | None, user: Any, created: bool = True) -> Any:
        if created:
            user.set_unusable_password()
            user.save(update_fields=["password"])
            roles.give(user, roles.VIEWER)
        return user
