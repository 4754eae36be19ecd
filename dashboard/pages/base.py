"""What the pages share: parsing the filter, answering a page or its fragment, CSV."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from dashboard import filters
from reports import exports
from reports.figures import period, rooms
from reports.filter import NOT_TOLD, Filter

SEES_PHONES = "reports.see_phone_numbers"

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
    return replace(chosen, masked=masked)


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
    shown = filters.bar(path, chosen, rooms.choices(chosen.rooms), links, filters.PARTS if parts is None else parts)
    return {
        "filter": chosen,
        "first": first,
        "last": last,
        "chips": filters.chips(path, chosen, rooms.names(chosen.rooms)),
        "filter_form": shown,
    }


def answer(request: HtmxHttpRequest, page: str, fragment: str, context: dict[str, Any]) -> HttpResponse:
    """The whole page, or its fragment when htmx swaps a part of the page. A restored history gets the whole page."""
    partial = request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request
    return render(request, fragment if partial else page, context)


def csv(request: HttpRequest, table: exports.Table) -> HttpResponse | StreamingHttpResponse:
    """A CSV table under the request's filter, streamed; a wrong value answers 400 with one line."""
    now = timezone.now()
    try:
        chosen = parse(request, now, table.sorts, whole=table.whole)
        flags = {}
        for name, default in (("bom", True), ("raw", False)):
            value = request.GET.get(name, "")
            if value not in {"", "0", "1"}:
                raise filters.BadFilter(name, value, _("choose 1 or 0"))
            flags[name] = default if not value else value == "1"
    except filters.BadFilter as error:
        line = " ".join(str(error).split())
        return HttpResponse(f"{line}\n", status=400, content_type="text/plain; charset=utf-8")
    first, last = period.span(chosen, now)
    name = exports.file_name(table, chosen, first.isoformat(), last.isoformat())
    body = exports.write(table, chosen, now, **flags)
    response = StreamingHttpResponse(body, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
