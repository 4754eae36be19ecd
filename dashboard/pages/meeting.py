"""One meeting."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import changes, filters, limits, timeline
from dashboard.pages import base
from dashboard.pages.people import person_url
from dashboard.pages.series import series_url
from reports.figures import attendance, record
from reports.figures import timeline as figures
from reports.filter import PRESENT, Filter
from reports.models import Meeting

# Of longer tables the first rows are shown, and a link to all.
MOST_ROWS = 50
TABLES = ("attendees", "participants", "telephony")


@require_safe
@base.clear_filters
@base.remembered
def meeting(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """One meeting: who was in it and when, on one axis and as tables; its facts, its calls, what changed in its report.

    In the query: `order` of the attendees, `rows=all` for tables in full, and `present`, the percent of the used
    time from which on somebody counts as present.
    """
    now = timezone.now()
    order = _choice(request, "order", attendance.ORDERS)
    everything = _choice(request, "rows", ("", "all")) == "all"
    percent = filters.present_from(request.GET)
    allowed = limits.allowed_rooms(request.user)
    # What an account may not see is not there for it.
    seen = Meeting.objects.fitting(Filter(allowed_rooms=allowed))
    found = get_object_or_404(seen.select_related("room", "first_pull"), pk=pk)
    masked = not request.user.has_perm(base.SEES_PHONES)
    present = attendance.of_meeting(found, now)
    if present.attendees is not None:
        present.attendees[:] = attendance.ordered(present.attendees, order)
    calls = list(found.telephony_usage.all()) if found.telephony_reported else None
    axis = figures.build(found, present, calls, now, ZoneInfo(settings.TIME_ZONE))
    cut = None if everything else MOST_ROWS
    context = {
        "meeting": found,
        "heading": found.topic or found.meeting_id or found.uuid,
        "now": now,
        "masked": masked,
        "attendance": present,
        "figures": present.summary,
        "axis": timeline.view(axis, running=found.running, masked=masked),
        "order": order,
        "orders": _orders(order, everything, percent),
        "percent": percent,
        "usual_percent": PRESENT,
        "everything": everything,
        "attendees": [
            (one, one.is_present(percent), person_url(one.attendee.key, Filter()))
            for one in (present.attendees or [])[:cut]
        ],
        "present_count": sum(one.is_present(percent) is True for one in present.attendees or []),
        "visits": (present.visits or [])[:cut],
        "calls": calls,
        "all_rows": "" if everything else _query(order, True, percent),
        "most_rows": MOST_ROWS,
        "csv": {name: filters.link(reverse(f"{name}-csv"), Filter(uuid=found.uuid)) for name in TABLES},
        "against_booked": _against_booked(found, now),
        "same_number": record.same_number(found, now, allowed),
        "beside": record.beside_in_room(found),
        "changes": changes.view(record.changes(found, allowed), masked=masked),
        "links": _links(found, percent),
    }
    return base.answer(request, "meeting/meeting.html", "meeting/_fragment.html", context)


def _choice(request: base.HtmxHttpRequest, name: str, choices: tuple[str, ...]) -> str:
    """A value of the address bar, or the first of its choices. Errors: BadFilter."""
    value = request.GET.get(name) or choices[0]
    if value not in choices:
        shown = ", ".join(choice for choice in choices if choice)
        raise filters.BadFilter(name, value, _("choose one of %(choices)s") % {"choices": shown})
    return value


def _query(order: str, everything: bool, percent: int) -> str:
    parts = ({"order": order} if order != attendance.ORDERS[0] else {}) | ({"rows": "all"} if everything else {})
    parts |= {"present": str(percent)} if percent != PRESENT else {}
    return f"?{urlencode(parts)}" if parts else "?"


def _orders(order: str, everything: bool, percent: int) -> list[tuple[str, str, bool, str]]:
    """(name, words, whether it is this one, address) of each order."""
    words = {"join": _("first join"), "minutes": _("minutes"), "name": _("name")}
    return [(name, words[name], name == order, _query(name, everything, percent)) for name in attendance.ORDERS]


def _links(found: Meeting, percent: int) -> dict[str, str]:
    path, everything = reverse("meetings"), Filter()
    room = filters.room_path(found.room.host_id) if found.room else ""
    return {
        "room": room,
        "room_day": filters.link(
            path, everything, rooms=(found.room.host_id,), first=found.local_day, last=found.local_day
        )
        if found.room
        else "",
        "number": filters.link(path, everything, q=found.meeting_id) if found.meeting_id else "",
        "series": series_url("number", found.meeting_id, Filter(present=percent)) if found.meeting_id else "",
        "day": filters.link(path, everything, first=found.local_day, last=found.local_day),
    }


def _against_booked(found: Meeting, now: datetime) -> dict[str, Any] | None:
    """How the meeting stands to its booked end: a code for the words, and the time between as a length."""
    over = record.against_booked(found, now)
    if over is None:
        return None
    seconds = int(over.total_seconds())
    # Less than a tenth of a minute is not told apart on the page.
    code = "exact" if abs(seconds) < 3 else "over" if seconds > 0 else "early"
    return {"code": code, "seconds": abs(seconds)}
