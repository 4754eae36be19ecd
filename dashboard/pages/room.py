"""One room: its figures, its days, its hours, its meetings, its cost; and its name."""

from dataclasses import replace
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit, charts, filters, heat, limits, room_days, tables, usage_cards
from dashboard.pages import base
from dashboard.pages.meetings import specs
from dashboard.places import PLACES
from reports.figures import occupancy, period, telephony, usage
from reports.models import Room

MAY_RENAME = "reports.change_room"
CARDS = ("meetings", "used_hours", "utilisation", "attendees", "extra_meetings", "call_cost")
MEETINGS = 12


def _seen(request: base.HtmxHttpRequest, host_id: str) -> Room:
    """A room that the account may see; others are not there for it. Errors: Http404."""
    allowed = limits.allowed_rooms(request.user)
    if allowed is not None and host_id not in allowed:
        raise Http404
    return get_object_or_404(Room, host_id=host_id)


@require_safe
@base.clear_filters
@base.remembered
def room(request: base.HtmxHttpRequest, host_id: str) -> HttpResponse:
    """The page of one room under a filter; rooms in the query are left aside."""
    now = timezone.now()
    found = _seen(request, host_id)
    chosen = replace(base.parse(request, now), rooms=(found.host_id,))
    path, meetings = reverse("room", args=[host_id]), reverse("meetings")
    # The address of this page names the room already.
    own = replace(chosen, rooms=())
    before = period.known_before(chosen, now)
    days = usage.days(chosen, now)
    drawn = charts.bars(days, usage.days(before, now) if before and chosen.compare else [])
    day = occupancy.last_day_in_use(chosen, now)
    monday = day - timedelta(days=day.weekday())
    held = occupancy.held(chosen, monday, monday + timedelta(days=6), now)
    week = room_days.days(monday, monday + timedelta(days=6), day, held, chosen, now)
    year = period.year_up_to(chosen, now)
    newest = list(usage.meetings(chosen)[:MEETINGS])
    summaries = usage.live_summaries(newest, now)
    csv = {name: filters.link(reverse(f"{name}-csv"), chosen, compare=False) for name in ("days", "hours")}
    frame = base.frame(path, own, now, ("days",), parts=("q", "state", "extra", "calls", "compare"))
    frame["filter_form"]["csv_links"] = base.csv_links(chosen, PLACES["room"].tables)
    context = {
        **frame,
        "room": found,
        "cards": usage_cards.usage_cards(CARDS, chosen, before, days, now),
        "charts": [
            charts.meetings_a_day(drawn, chosen, meetings, csv["days"]),
            charts.used_hours_a_day(drawn, chosen, meetings, csv["days"]),
        ],
        "day": next(line for line in week if line.chosen),
        "week": week,
        "previous_day": filters.link(path, own, first=day - timedelta(days=1), last=day - timedelta(days=1)),
        "next_day": filters.link(path, own, first=day + timedelta(days=1), last=day + timedelta(days=1))
        if day < period.today(now)
        else "",
        "heat": heat.heat(occupancy.hours(chosen, now), chosen, meetings, csv["hours"]),
        "cost_chart": charts.cost_by_month(
            telephony.months(year, now), year, reverse("telephony"), filters.link(reverse("telephony-csv"), year)
        ),
        "rows": [(meeting, summaries[meeting.pk]) for meeting in newest],
        "columns": tables.plain_columns([spec for spec in specs() if spec.name != "room"]),
        "count": usage.meetings(chosen).count(),
        "meetings_url": filters.link(meetings, chosen, compare=False),
        "may_rename": request.user.has_perm(MAY_RENAME),
        "here": request.get_full_path(),
    }
    return base.answer(request, "room/room.html", "room/_fragment.html", context)


@require_POST
@permission_required(MAY_RENAME, raise_exception=True)
def rename(request: base.HtmxHttpRequest) -> HttpResponse:
    """Give a room a name of one's own; an empty one gives it back the provider's."""
    found = _seen(request, request.POST.get("host_id", ""))
    label = " ".join(request.POST.get("label", "").replace("\x00", "").split())
    longest = Room._meta.get_field("label").max_length or 0
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
        back = reverse("room", args=[found.host_id])
    if len(label) > longest:
        messages.error(
            request, _("The name is longer than %(count)d characters. Choose a shorter one.") % {"count": longest}
        )
        return redirect(back)
    before, found.label = found.label, label
    with transaction.atomic():
        found.save(update_fields=["label"])
        if before != label:
            audit.note(request, audit.Action.ROOM_RENAMED, found.host_id, changes={"label": [before, label]})
    if label:
        messages.success(request, _("The room is now called %(name)s.") % {"name": label})
    else:
        messages.success(request, _("The room has the provider's name again: %(name)s.") % {"name": found})
    return redirect(back)
