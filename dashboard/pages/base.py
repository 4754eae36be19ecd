"""What the pages share: parsing the filter, answering a page or its fragment, CSV."""

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import parse_qsl, unquote, urlencode

from django.conf import settings
from django.contrib.auth.context_processors import PermWrapper
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from dashboard import audit, filters, limits, roles
from dashboard.remembered import Made, shelf
from dashboard.templatetags.views import HOLES
from reports import exports
from reports.figures import period, rooms
from reports.figures.version import version
from reports.filter import NOT_TOLD, Filter

SEES_PHONES = roles.SEES_PHONES

# CSV tables of pages that are about all rooms together.
ABOUT_ALL_ROOMS = ("reconciliation",)

P = ParamSpec("P")


class HtmxHttpRequest(HttpRequest):
    """A request after django-htmx's middleware."""

    htmx: HtmxDetails


def clear_filters(
    view: Callable[Concatenate[HtmxHttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HtmxHttpRequest, P], HttpResponse]:
    """A view whose wrong filter values answer 400 with a page that says which and why."""

    @wraps(view)
    def wrapped(request: HtmxHttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except filters.BadFilter as error:
            return render(request, "400.html", {"reason": str(error), "back": request.path}, status=400)

    return wrapped


def parse(request: HttpRequest, now: datetime, sorts: Collection[str] = (), *, whole: bool = False) -> Filter:
    """The request's Filter, with what its account may see. Errors: filters.BadFilter.

    whole: without days in the address it is about all days.
    """
    try:
        request.GET  # noqa: B018 — reading it is the check
    except SuspiciousOperation:
        most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        reason = _("holds more than %(count)d values") % {"count": most}
        raise filters.BadFilter(_("the address"), "…", reason) from None
    chosen = parse_for(request.user, request.GET, now, sorts)
    if whole and not any(request.GET.get(name) for name in ("from", "to", "period")):
        chosen = replace(chosen, first=None, last=None, period="all")
    return chosen


def parse_for(user: User | AnonymousUser, query: QueryDict, now: datetime, sorts: Collection[str]) -> Filter:
    """The Filter of a query string, with what an account may see. Errors: filters.BadFilter."""
    chosen = filters.parse(query, period.today(now), sorts)
    masked = not user.has_perm(SEES_PHONES)
    if masked and chosen.phone not in {"", NOT_TOLD}:
        # Else one could guess at the digits that are not shown.
        raise filters.BadFilter("phone", chosen.phone, _("your account may not see telephone numbers"))
    return replace(chosen, masked=masked, allowed_rooms=limits.allowed_rooms(user))


def of_all_rooms(
    view: Callable[Concatenate[HtmxHttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HtmxHttpRequest, P], HttpResponse]:
    """A view that is about all rooms together, and so is not for who may see some of them."""

    @wraps(view)
    def wrapped(request: HtmxHttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if limits.is_limited(request.user):
            return render(request, "403.html", {"reason": about_all_rooms()}, status=403)
        return view(request, *args, **kwargs)

    return wrapped


def about_all_rooms() -> str:
    """Why a limited account gets no answer."""
    return _("This page is about all rooms, and your account may see some of them only. Ask an administrator.")


def account(request: HttpRequest) -> User:
    """Who asks. Errors: PermissionDenied for nobody, whom no page but those without a sign-in answers."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def csv_labels() -> dict[str, str]:
    """What each CSV table holds, in words."""
    return {
        "meetings": _("meetings"),
        "participants": _("visits"),
        "attendees": _("attendees"),
        "telephony": _("telephone calls"),
        "rooms": _("rooms"),
        "days": _("days"),
        "hours": _("hours of the week"),
        "pool": _("numbers of rooms"),
        "sizes": _("numbers of rooms by size"),
        "concurrency": _("rooms at once"),
        "reconciliation": _("reconciliation"),
        "booked": _("booked and used"),
        "series": _("attendees of series"),
    }


def csv_links(chosen: Filter, tables: Iterable[str]) -> list[tuple[str, str]]:
    """(what it holds, address) of CSV tables under a filter. The first is the page's own table, and keeps its order."""
    labels = csv_labels()
    links = []
    for place, name in enumerate(tables):
        changes = {"page": 1, "compare": False} | ({"sort": ""} if place else {})
        links.append((labels[name], filters.link(reverse(f"{name}-csv"), chosen, **changes)))
    return links


def frame(
    path: str, chosen: Filter, now: datetime, csv_tables: Iterable[str] = (), parts: Collection[str] | None = None
) -> dict[str, Any]:
    """What every page with a filter bar shows around its figures: the filter, its chips, its days, its CSV tables.

    parts: the fields of the filter bar, all of them unless given.
    """
    first, last = period.span(chosen, now)
    links = csv_links(chosen, csv_tables)
    offered = rooms.choices(chosen.rooms, chosen.allowed_rooms)
    shown = filters.bar(path, chosen, offered, links, filters.PARTS if parts is None else parts)
    return {
        "filter": chosen,
        "first": first,
        "last": last,
        "chips": filters.chips(path, chosen, rooms.names(chosen.rooms, chosen.allowed_rooms)),
        "filter_form": shown,
    }


# What a page shows around the part that its filter changes; all else of its context is for that part alone.
HEAD = ("room", "heading", "name", "may_rename", "here", "erase_url", "held_url")


def remembered(
    view: Callable[Concatenate[HtmxHttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HtmxHttpRequest, P], HttpResponse]:
    """A view whose page is worked out once for all who may see the same, until what it shows changes.

    The view has to end with `answer`, and may show nothing but figures of the ledger, rooms and what was pulled.
    """

    @wraps(view)
    def wrapped(request: HtmxHttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        now = timezone.now()
        asked = (request.path, request.META["QUERY_STRING"], get_language(), period.today(now))
        key = (*asked, sight(account(request)))
        other: list[HttpResponse] = []

        def make() -> Made | None:
            answered = view(request, *args, **kwargs)
            made: Made | None = getattr(request, "made", None)
            if made is None:
                other.append(answered)
            return made

        request.remembers = True  # type: ignore[attr-defined]
        made = shelf.page(key, version(), now, make)
        return other[0] if made is None else _served(request, made)

    return wrapped


def sight(user: User) -> Hashable:
    """What tells apart the accounts that may see different things."""
    return "all" if user.is_superuser else (frozenset(user.get_all_permissions()), limits.allowed_rooms(user))


def answer(request: HtmxHttpRequest, page: str, fragment: str, context: dict[str, Any]) -> HttpResponse:
    """The whole page, or its fragment when htmx swaps a part of the page. A restored history gets the whole page."""
    form = context.get("filter_form")
    told = {
        "request": request,
        "user": request.user,
        "perms": PermWrapper(request.user),
        "limited": limits.is_limited(request.user),
    }
    remembers = hasattr(request, "remembers")
    made = Made(
        page,
        render_to_string(fragment, {**told, **context}),
        {name: context[name] for name in HEAD if name in context} if remembers else context,
        {"action": form["action"], "query": form["query"]} if form else None,
    )
    if remembers:
        request.made = made  # type: ignore[attr-defined]
        return HttpResponse()  # `remembered` serves it
    return _served(request, made)


def _served(request: HtmxHttpRequest, made: Made) -> HttpResponse:
    """A page that was worked out, with what is this account's own in it."""
    fragment = made.fragment
    for hole, template in HOLES.items():
        if hole in fragment:
            # Not as a page of its own, for which all that stands around a page would be asked for again.
            own = render_to_string(
                template, {"filter_form": made.form, "request": request, "csrf_token": get_token(request)}
            )
            fragment = fragment.replace(hole, own)
    partial = request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request
    if partial:
        return HttpResponse(fragment)
    # Both come from templates, which escaped every value.
    return render(request, made.page, {**made.head, "fragment": mark_safe(fragment)})  # noqa: S308


def _line(text: str, status: int) -> HttpResponse:
    """One line of text, as who asked for a CSV can read it."""
    return HttpResponse(f"{' '.join(text.split())}\n", status=status, content_type="text/plain; charset=utf-8")


def csv(request: HttpRequest, table: exports.Table) -> HttpResponse | StreamingHttpResponse:
    """A CSV table under the request's filter, streamed; a wrong value answers 400 with one line.

    Who may not download gets 403 with one line, and so does who is limited to rooms where a table is about all of them.
    """
    if not roles.may_download(request.user):
        return _line(_("Your account may not download CSV. Ask an administrator."), 403)
    if table.name in ABOUT_ALL_ROOMS and limits.is_limited(request.user):
        return _line(about_all_rooms(), 403)
    now = timezone.now()
    try:
        chosen = parse(request, now, table.sorts, whole=table.whole)
        flags = csv_flags(request)
    except filters.BadFilter as error:
        return bad_csv(error)
    first, last = period.span(chosen, now)
    name = exports.file_name(table, chosen, first.isoformat(), last.isoformat())
    note_csv(request, table.name, safe_query(chosen))
    return as_csv(exports.write(table, chosen, now, **flags), name)


def csv_flags(request: HttpRequest) -> dict[str, bool]:
    """How a CSV table is written. Errors: filters.BadFilter."""
    flags = {}
    for name, default in (("bom", True), ("raw", False)):
        value = request.GET.get(name, "")
        if value not in {"", "0", "1"}:
            raise filters.BadFilter(name, value, _("choose 1 or 0"))
        flags[name] = default if not value else value == "1"
    return flags


def bad_csv(error: filters.BadFilter) -> HttpResponse:
    """A wrong value as one line of text."""
    return _line(str(error), 400)


def note_csv(request: HttpRequest, table: str, query: str) -> None:
    """Write down that a CSV table is downloaded, under what filter; looking for it (HEAD) is no download."""
    if request.method == "HEAD":
        return
    token = getattr(request, "api_token", None)
    how = {"by": "token", "token": token.name, "begins": token.prefix} if token else {"by": "session"}
    audit.note(request, audit.Action.CSV, table, filter=query, **how)


def safe_query(chosen: Filter) -> str:
    """The query string of a filter as it may be written down: without a telephone number in full."""
    hidden = {
        name: audit.hide_numbers(value) for name in ("q", "phone", "name", "topic") if (value := getattr(chosen, name))
    }
    return filters.to_query(chosen, page=1, **hidden)


def safe_address(path: str, query: str) -> dict[str, str]:
    """The same of an address that is kept: its page and its filter, as details of an audit entry."""
    given = [
        (name, audit.hide_numbers(value) if name in {"q", "phone", "name", "topic"} else value)
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return {"page": audit.hide_numbers(unquote(path)), "filter": urlencode(given)}


def as_csv(body: Iterable[bytes], name: str) -> StreamingHttpResponse:
    """Bytes of a CSV table as a download that nobody keeps on the way."""
    response = StreamingHttpResponse(body, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
