"""Middleware of our own."""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from dashboard import audit, tokens
from reports import kept, logs

logger = logging.getLogger(__name__)

# Of these filters the log may tell the value; all others may hold a name, a number or a topic.
TOLD = frozenset(
    ("from", "to", "period", "state", "extra", "calls", "sort", "page", "compare", "weekday", "hour", "bom", "raw")
)
# Parts of a path that are somebody's words or nobody else's business.
HIDDEN_PARTS = frozenset(("name", "key", "token", "uidb64", "secret"))
SELDOM_TOLD = ("/healthz", "/metrics")


class RequestMiddleware:
    """Gives each request an id, says it in the answer, and writes one line of the log about it.

    An id that a proxy gave (X-Request-ID) is taken over where it is of plain characters, so that its lines and ours
    can be put side by side.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.monotonic()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if logs.REQUEST_ID.fullmatch(given) else logs.new_id()
        with logs.belonging(request=request_id):
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            # Nobody is asked for who has not been asked for yet.
            account = getattr(getattr(request, "_cached_user", None), "pk", None)
            took = round((time.monotonic() - begun) * 1000)
            where = told_path(request)
            fields = {
                "method": request.method,
                "path": where,
                "status": response.status_code,
                "milliseconds": took,
                "account": account,
            }
            level = logging.DEBUG if request.path in SELDOM_TOLD and response.status_code < 400 else logging.INFO
            message = f"{request.method} {where} {response.status_code} in {took} ms"
            logger.log(level, "%s", message, extra={"fields": fields})
        return response


def told_path(request: HttpRequest) -> str:
    """The address of a request without what the log is not to hold: names, numbers, topics, tokens."""
    path = request.path
    match = request.resolver_match
    if match is not None and HIDDEN_PARTS.intersection(match.kwargs):
        path = f"/{match.route}"
    pieces = []
    try:
        given = request.GET
    except SuspiciousOperation:  # more values than a request may hold
        return f"{path}?…"
    for name in given:
        plain = name if name.isidentifier() and len(name) < 30 else "?"
        value = ",".join(given.getlist(name)) if name in TOLD else "***"
        pieces.append(f"{plain}={value[:60]}")
    return path + (f"?{'&'.join(pieces)}" if pieces else "")


class SteadyMiddleware:
    """All figures of one answer agree on which sums are kept, which is asked for once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with kept.steady():
            return self.get_response(request)


class HtmxVaryMiddleware:
    """Pages and fragments share an address: caches are told what tells them apart.

    Every answer of a view varies, not only those that htmx asked for: a cached page must not be given
    to htmx either. `patch_vary_headers` adds to what others have set.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        patch_vary_headers(response, ("HX-Request", "HX-History-Restore-Request"))
        return response


class TokenMiddleware:
    """Whoever shows a token on the address of a CSV table is its account, for this request and without a session.

    Nothing else is opened by a token, nothing is changed by it, and a wrong one is told so in one line instead of
    being led to the sign-in page. A token goes before a session: a program that shows one means it. It stands before
    the middleware that asks for a sign-in, and after the one that knows the sessions.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        header = request.headers.get("Authorization", "")
        if not header or not request.path.endswith(".csv"):
            return self.get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return self._no(_("A token opens the CSV tables to be read, and changes nothing."), 405)
        secret = tokens.shown(header)
        token = tokens.find(secret, timezone.now()) if secret else None
        if token is None:
            return self._no(_("The token is wrong, expired or revoked, or its account is closed. Make a new one."), 401)
        if not token.account.has_perm(tokens.MAY_USE):
            return self._no(_("The account of this token may not use tokens."), 403)
        request.user = token.account
        request.api_token = token  # type: ignore[attr-defined]
        response = self.get_response(request)
        patch_vary_headers(response, ("Authorization",))
        return response

    @staticmethod
    def _no(line: str, status: int) -> HttpResponse:
        response = HttpResponse(f"{line}\n", status=status, content_type="text/plain; charset=utf-8")
        if status == 401:
            # Excel asks for user and password only after this.
            response["WWW-Authenticate"] = 'Basic realm="Roomledger", charset="UTF-8", Bearer realm="Roomledger"'
        if status == 405:
            response["Allow"] = "GET, HEAD"
        response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ("Authorization",))
        return response


class AskingMiddleware:
    """What changes an account knows who asks for it (see audit.py)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        mark = audit.asking.set(request)
        try:
            return self.get_response(request)
        finally:
            audit.asking.reset(mark)


class HeadersMiddleware:
    """Headers that Django and django-csp have none of: what a page may ask of the browser, and who may load it."""

    UNUSED = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone")
    MORE_UNUSED = (
        "midi",
        "payment",
        "publickey-credentials-get",
        "screen-wake-lock",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._policy = ", ".join(f"{name}=()" for name in (*self.UNUSED, *self.MORE_UNUSED))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", self._policy)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


class BodySizeMiddleware:
    """Nobody sends more than LARGEST_BODY, or asks for what no text can hold: it is said before anything is kept."""

    # So much more is read and thrown away: a browser shows the answer only when it could send all of it.
    THROWN_AWAY = 64 * 2**20

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\x00" in request.path:
            raise Http404  # nothing that is kept can be called so, and PostgreSQL cannot even be asked for it
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isascii() and length.isdigit() and int(length) <= settings.LARGEST_BODY:
            return self.get_response(request)
        read = 0
        while read < self.THROWN_AWAY and (piece := request.read(2**16)):
            read += len(piece)
        return too_large(request)


def too_large(request: HttpRequest) -> HttpResponse:
    """The page that says how much may be sent."""
    response = render(request, "413.html", {"megabytes": settings.LARGEST_BODY // 2**20}, status=413)
    response["Cache-Control"] = "no-store"
    return response
