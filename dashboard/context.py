"""What every page shows around its own content."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from dashboard import filters, limits
from reports import access
from reports.figures import coverage, period
from reports.filter import NOT_TOLD

# Pages without a filter bar of the meetings' kind: no filter comes from them, none goes there.
UNFILTERED = ("data",)
# Pages about all rooms together.
ABOUT_ALL_ROOMS = ("data",)
FAILING = "The last pulls did not go well. An administrator sees why."
# Pages that stand under another one's name.
UNDER = {"data": ("reconciliation",)}


def site(request: HttpRequest) -> dict[str, Any]:
    """Navigation, languages and the freshness of the data; the first and the last only for who is signed in."""
    shown: dict[str, Any] = {"demo": settings.DEMO, "languages": _languages(request)}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or request.path.startswith("/admin/"):
        return shown
    return {
        **shown,
        "limited": limits.is_limited(user),
        "setup_open": request.session.get("setup", False),
        "nav": _nav(request),
        "nav_keeps": " ".join(filters.KEPT),
        "period_keys": list(zip(filters.PERIOD_KEYS, filters.PERIOD_LABELS.values(), strict=True)),
        "freshness": freshness(request),
    }


def freshness(request: HttpRequest) -> coverage.Freshness:
    """How fresh the data is. What stands in the way of a pull may name meetings: who is limited is told no more."""
    found = coverage.freshness()
    if found.problem and request.session.get("setup") and found.problem == access.problem():
        # Who is led back to the set-up by the line below need not be told twice that there is no key.
        return replace(found, problem="")
    if found.problem and limits.is_limited(request.user):
        return replace(found, problem=FAILING)
    return found


def _languages(request: HttpRequest) -> dict[str, Any]:
    """choices: (code, its own name, is this one); next: the address to come back to."""
    now = get_language()
    return {
        "choices": [(code, name, code == now) for code, name in settings.LANGUAGES],
        # What only answers a POST cannot be come back to.
        "next": request.get_full_path() if request.method in {"GET", "HEAD"} else reverse("overview"),
    }


def _nav(request: HttpRequest) -> list[dict[str, Any]]:
    """The pages: url with the present filter, label, active, key (after g), and whether the filter goes along."""
    places = (
        ("overview", _("Overview"), "o"),
        ("pool", _("Pool"), "c"),
        ("rooms", _("Rooms"), "r"),
        ("booked", _("Booked and used"), "b"),
        ("meetings", _("Meetings"), "m"),
        ("telephony", _("Telephony"), "t"),
        ("people", _("People"), "p"),
        ("series-list", _("Series"), "s"),
        ("data", _("Data"), "d"),
    )
    limited = limits.is_limited(request.user)
    items = []
    for name, label, key in places:
        if limited and name in ABOUT_ALL_ROOMS:
            continue
        url = reverse(name)
        under = [url, *(reverse(other) for other in UNDER.get(name, ()))]
        active = request.path == url if url == "/" else request.path.startswith(tuple(under))
        items.append({"url": url, "label": label, "active": active, "key": key, "filtered": name not in UNFILTERED})
    if any(item["active"] and not item["filtered"] for item in items):
        return items
    query = _present_query(request)
    for item in items:
        if query and item["filtered"]:
            item["url"] = f"{item['url']}?{query}"
    return items


def _present_query(request: HttpRequest) -> str:
    """The query string of the page's filter, without order and page; "" where it is no filter that is understood."""
    try:
        given = request.GET.copy()
    except SuspiciousOperation:  # the page that says so has a navigation too
        return ""
    for name in set(given) - set(filters.KEPT):
        del given[name]
    if not given:
        return ""
    try:
        chosen = filters.parse(given, period.today(timezone.now()), ())
    except filters.BadFilter:
        return ""
    if chosen.phone not in {"", NOT_TOLD} and not request.user.has_perm("reports.see_phone_numbers"):
        chosen = replace(chosen, phone="")
    return filters.to_query(chosen)
