"""The table of meetings, and one meeting."""

from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import filters
from dashboard.pages import base
from reports.figures import attendance, rooms, usage
from reports.filter import Filter
from reports.models import Meeting

ROWS_A_PAGE = 50

# Columns of the screen's table: CSV name, whether numeric, unit.
COLUMNS = (
    ("start_time", False, ""),
    ("topic", False, ""),
    ("room", False, ""),
    ("state", False, ""),
    ("booked_minutes", True, "min"),
    ("open_minutes", True, "min"),
    ("used_minutes", True, "min"),
    ("attendees", True, ""),
    ("peak_attendees", True, ""),
    ("calls", True, ""),
    ("call_cost", True, "¥"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """One header of a sortable table. direction: asc, desc or None."""

    label: str
    url: str
    direction: str | None
    unit: str
    numeric: bool


def _labels() -> dict[str, str]:
    return {
        "start_time": _("Start"),
        "topic": _("Topic"),
        "room": _("Room"),
        "state": _("State"),
        "booked_minutes": _("Booked"),
        "open_minutes": _("Open"),
        "used_minutes": _("Used"),
        "attendees": _("Attendees"),
        "peak_attendees": _("Peak"),
        "calls": _("Calls"),
        "call_cost": _("Call cost"),
    }


def columns(path: str, chosen: Filter) -> list[Column]:
    """The headers with the address that each one sorts by: first a number's most, a text's first."""
    now_by = chosen.sort or usage.MEETING_DEFAULT_SORT
    labels = _labels()
    found = []
    for name, numeric, unit in COLUMNS:
        active = now_by.removeprefix("-") == name
        descending = now_by.startswith("-")
        starts_descending = numeric or name == "start_time"
        to_descending = not descending if active else starts_descending
        found.append(
            Column(
                label=labels[name],
                url=filters.link(path, chosen, sort=f"-{name}" if to_descending else name),
                direction=("desc" if descending else "asc") if active else None,
                unit=unit,
                numeric=numeric,
            )
        )
    return found


@require_safe
@base.clear_filters
def meetings(request: base.HtmxHttpRequest) -> HttpResponse:
    """The meetings of a filter, fifty a page."""
    now = timezone.now()
    chosen = base.parse(request, now, usage.MEETING_SORTS)
    path = reverse("meetings")
    page = Paginator(usage.meetings(chosen), ROWS_A_PAGE).get_page(chosen.page)
    shown = list(page.object_list)
    summaries = usage.live_summaries(shown, now)
    csv_links = [
        (name, filters.link(reverse(f"{name}-csv"), chosen, sort="")) for name in ("participants", "telephony")
    ]
    context = {
        "filter": chosen,
        "page": page,
        "rows": [(meeting, summaries[meeting.pk]) for meeting in shown],
        "columns": columns(path, chosen),
        "pager": pager(path, chosen, page.number, page.paginator.num_pages),
        "chips": filters.chips(path, chosen, rooms.names(chosen.rooms)),
        "filter_form": filters.bar(
            path,
            chosen,
            rooms.choices(chosen.rooms),
            [("meetings", filters.link(reverse("meetings-csv"), chosen, page=1)), *csv_links],
        ),
    }
    return base.answer(request, "meetings/meetings.html", "meetings/_fragment.html", context)


@dataclass(frozen=True, slots=True)
class Pager:
    """Addresses of the pages around this one. links: (label, address or "", is this one)."""

    prev: str
    next: str
    links: list[tuple[str, str, bool]]


def pager(path: str, chosen: Filter, number: int, pages: int) -> Pager:
    """The first, the last and the neighbouring pages."""
    near = sorted({1, pages, *range(max(1, number - 2), min(pages, number + 2) + 1)})
    links: list[tuple[str, str, bool]] = []
    before = 0
    for place in near:
        if place > before + 1:
            links.append(("…", "", False))
        links.append((str(place), filters.link(path, chosen, page=place), place == number))
        before = place
    return Pager(
        prev=filters.link(path, chosen, page=number - 1) if number > 1 else "",
        next=filters.link(path, chosen, page=number + 1) if number < pages else "",
        links=links,
    )


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
