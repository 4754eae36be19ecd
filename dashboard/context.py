"""What every page shows around its own content."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from reports.figures import coverage


def site(request: HttpRequest) -> dict[str, Any]:
    """Navigation and the freshness of the data; the latter only for who is signed in."""
    shown: dict[str, Any] = {"demo": settings.DEMO}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or request.path.startswith("/admin/"):
        return shown
    places = (("overview", _("Overview")), ("meetings", _("Meetings")), ("data", _("Data")))
    items = []
    for name, label in places:
        url = reverse(name)
        active = request.path == url if url == "/" else request.path.startswith(url)
        items.append({"url": url, "label": label, "active": active})
    return {**shown, "nav": items, "freshness": coverage.freshness()}
