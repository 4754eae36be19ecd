"""The overview: the period's totals and its days."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard import charts, filters
from dashboard.pages import base
from reports.figures import coverage, usage


@require_safe
@base.clear_filters
def overview(request: base.HtmxHttpRequest) -> HttpResponse:
    """Totals of the period and its meetings a day."""
    now = timezone.now()
    chosen = base.parse(request, now)
    path, meetings = reverse("overview"), reverse("meetings")
    context = {
        **base.frame(path, chosen, now, ("meetings", "participants", "telephony")),
        "totals": usage.totals(chosen, now),
        "chart": charts.meetings_a_day(
            usage.days(chosen, now), chosen, meetings, filters.link(reverse("meetings-csv"), chosen)
        ),
        "links": {
            "meetings": filters.link(meetings, chosen),
            "extra": filters.link(meetings, chosen, extra=True),
            "empty": filters.link(meetings, chosen, state="empty"),
            "unreported": filters.link(meetings, chosen, state="unreported"),
            "running": filters.link(meetings, chosen, state="running"),
            "calls": filters.link(meetings, chosen, calls=True),
        },
        "backlog": coverage.backlog(now),
    }
    return base.answer(request, "overview/overview.html", "overview/_fragment.html", context)
