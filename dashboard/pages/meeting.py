"""One meeting."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard import filters
from dashboard.pages import base
from reports.figures import attendance, usage
from reports.filter import Filter
from reports.models import Meeting


@require_safe
def meeting(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """One meeting: its facts, its attendees and visits, its calls, what changed since it was first reported."""
    now = timezone.now()
    found = get_object_or_404(Meeting.objects.select_related("room", "first_pull"), pk=pk)
    path = reverse("meetings")
    everything = Filter()
    others = usage.meetings(Filter(q=found.meeting_id)).filter(meeting_id=found.meeting_id).exclude(pk=found.pk)
    context = {
        "meeting": found,
        "attendance": attendance.of_meeting(found, now),
        "calls": list(found.telephony_usage.all()) if found.telephony_reported else None,
        "changes": list(found.changes.select_related("pull")[:50]),
        "others": list(others[:10]) if found.meeting_id else [],
        "links": {
            "room": filters.link(path, everything, rooms=(found.room.host_id,)) if found.room else "",
            "number": filters.link(path, everything, q=found.meeting_id) if found.meeting_id else "",
            "day": filters.link(path, everything, first=found.local_day, last=found.local_day),
        },
    }
    return base.answer(request, "meeting/meeting.html", "meeting/meeting.html", context)
