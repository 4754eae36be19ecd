"""The overview: the period's figures, its days, the hours of its week, its rooms, its costs."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard import charts, filters, heat, usage_cards
from dashboard.pages import base
from dashboard.pages.rooms import top_rooms
from dashboard.places import PLACES
from reports.figures import coverage, occupancy, period, telephony, usage

CARDS = ("meetings", "used_hours", "attendees", "peak_concurrent_rooms", "extra_meetings", "call_cost")


@require_safe
@base.clear_filters
@base.remembered
def overview(request: base.HtmxHttpRequest) -> HttpResponse:
    """Totals of the period with their change, and where they come from."""
    now = timezone.now()
    chosen = base.parse(request, now)
    path, meetings = reverse("overview"), reverse("meetings")
    before = period.known_before(chosen, now)
    days = usage.days(chosen, now)
    drawn = charts.bars(days, usage.days(before, now) if before and chosen.compare else [])
    year = period.year_up_to(chosen, now)
    frame = base.frame(path, chosen, now, PLACES["overview"].tables)
    csv = {name: filters.link(reverse(f"{name}-csv"), chosen, compare=False) for name in ("days", "hours", "rooms")}
    context = {
        **frame,
        "cards": usage_cards.usage_cards(CARDS, chosen, before, days, now),
        "charts": [
            charts.meetings_a_day(drawn, chosen, meetings, csv["days"]),
            charts.used_hours_a_day(drawn, chosen, meetings, csv["days"]),
        ],
        "heat": heat.heat(occupancy.hours(chosen, now), chosen, meetings, csv["hours"]),
        "top_rooms": top_rooms(chosen, now),
        "rooms_url": filters.link(reverse("rooms"), chosen, sort="-used_hours", compare=False),
        "cost_chart": charts.cost_by_month(
            telephony.months(year, now), year, reverse("telephony"), filters.link(reverse("telephony-csv"), year)
        ),
        "coverage": coverage.of_days(frame["first"], frame["last"], now),
        "without_before": chosen.compare and not before,
    }
    return base.answer(request, "overview/overview.html", "overview/_fragment.html", context)
