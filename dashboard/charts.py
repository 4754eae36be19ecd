"""Figures become Chart.js data: plain dicts, no queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from dashboard.filters import link
from reports.figures.usage import Totals
from reports.filter import Filter


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the same values as a table. id names its JSON on the page; kind is bar or line."""

    id: str
    kind: str
    title: str
    description: str
    data: dict[str, Any]
    table_head: Sequence[str]
    table_rows: Sequence[Sequence[Any]]
    csv_url: str = ""


def meetings_a_day(days: Sequence[tuple[date, Totals]], chosen: Filter, meetings_path: str, csv_url: str) -> Chart:
    """Meetings of each day, told apart by room of the pool and extra room; each bar leads to its meetings."""
    labels = [day.isoformat() for day, _totals in days]
    regular = [totals.meetings - totals.extra for _day, totals in days]
    extra = [totals.extra for _day, totals in days]
    return Chart(
        id="chart-meetings-a-day",
        kind="bar",
        title=_("Meetings a day"),
        description=_("Meetings by the local day of their start. Choose a bar to see that day's meetings."),
        data={
            "kind": "bar",
            "stacked": True,
            "labels": labels,
            "datasets": [
                {"label": _("in rooms of the pool"), "data": regular},
                {"label": _("in extra rooms"), "data": extra},
            ],
            "links": [link(meetings_path, chosen, first=day, last=day) for day, _totals in days],
        },
        table_head=[_("Day"), _("In rooms of the pool"), _("In extra rooms"), _("All")],
        table_rows=[(label, one, two, one + two) for label, one, two in zip(labels, regular, extra, strict=True)],
        csv_url=csv_url,
    )
