"""The table of meetings."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import filters, tables
from dashboard.pages import base
from dashboard.places import PLACES
from dashboard.tables import Spec
from reports.figures import usage

ROWS_A_PAGE = 50


def specs() -> list[Spec]:
    """The columns of a table of meetings, named as in meetings.csv."""
    return [
        Spec("start_time", _("Start")),
        Spec("topic", _("Topic")),
        Spec("room", _("Room")),
        Spec("state", _("State")),
        Spec("booked_minutes", _("Booked"), True, _("min")),
        Spec("open_minutes", _("Open"), True, _("min")),
        Spec("used_minutes", _("Used"), True, _("min")),
        Spec("attendees", _("Attendees"), True),
        Spec("peak_attendees", _("Peak"), True),
        Spec("calls", _("Calls"), True),
        Spec("call_cost", _("Call cost"), True, "¥"),
    ]


@require_safe
@base.clear_filters
@base.remembered
def meetings(request: base.HtmxHttpRequest) -> HttpResponse:
    """The meetings of a filter, fifty a page."""
    now = timezone.now()
    chosen = base.parse(request, now, usage.MEETING_SORTS)
    path = reverse("meetings")
    rows = usage.meetings(chosen)
    page = tables.Counted(rows, usage.meeting_count(chosen), ROWS_A_PAGE).get_page(chosen.page)
    shown = list(page.object_list)
    summaries = usage.live_summaries(shown, now)
    context = {
        **base.frame(path, chosen, now, PLACES["meetings"].tables, filters.TABLE_PARTS),
        "page": page,
        "rows": [(meeting, summaries[meeting.pk]) for meeting in shown],
        "columns": tables.columns(path, chosen, specs(), usage.MEETING_DEFAULT_SORT),
        "pager": tables.pager(path, chosen, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "meetings/meetings.html", "meetings/_fragment.html", context)
