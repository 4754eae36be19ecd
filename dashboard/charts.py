"""Figures become Chart.js data: plain dicts, no queries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from dashboard.filters import link
from dashboard.templatetags import ledger
from reports.csvtable import hours as written_hours
from reports.figures import telephony
from reports.figures.people import Person
from reports.figures.period import month_end
from reports.figures.usage import Totals
from reports.filter import NOT_TOLD, Filter


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the same values as a table. id names its JSON on the page; kind is bar or line.

    table_rows: each a name and then its values, ready to show; row_urls: the address of each name.
    """

    id: str
    kind: str
    title: str
    description: str
    data: dict[str, Any]
    table_head: Sequence[str]
    table_rows: Sequence[Sequence[Any]]
    csv_url: str = ""
    row_urls: Sequence[str] = field(default=())


def _hours(seconds: int | None) -> float | None:
    """Seconds as hours to two places, rounded as the table and the CSV are."""
    return None if seconds is None else float(written_hours(seconds))


Days = Sequence[tuple[date, Totals]]


def _earlier(days: Days, before: Days) -> list[Totals]:
    """The totals of the previous period beside those of this one, day by day."""
    return [totals for _day, totals in before[: len(days)]]


def meetings_a_day(days: Days, before: Days, chosen: Filter, path: str, csv_url: str) -> Chart:
    """Meetings of each day, told apart by room of the pool and extra room; each bar leads to its meetings.

    before: the days of the previous period to compare with, or none. path: the page that a bar leads to.
    """
    labels = [day.isoformat() for day, _totals in days]
    extra = [totals.extra for _day, totals in days]
    # Where nothing says whether a room was an extra one, its meetings stand with the others; all of them are told.
    regular = [totals.meetings - (totals.extra or 0) for _day, totals in days]
    links = [link(path, chosen, first=day, last=day, compare=False) for day, _totals in days]
    datasets: list[dict[str, Any]] = [
        {"label": _("in rooms of the pool"), "data": regular},
        {"label": _("in extra rooms"), "data": extra},
    ]
    head = [_("Day"), _("In rooms of the pool"), _("In extra rooms"), _("All")]
    rows: list[list[Any]] = [
        [ledger.day(day), ledger.count(one), ledger.count(two), ledger.count(totals.meetings)]
        for (day, totals), one, two in zip(days, regular, extra, strict=True)
    ]
    if before:
        earlier = [totals.meetings for totals in _earlier(days, before)]
        datasets.append({"label": _("previous period"), "data": earlier, "kind": "line", "tone": "muted"})
        head.append(_("Previous period"))
        rows = [[*row, ledger.count(value)] for row, value in zip(rows, earlier, strict=True)]
    return Chart(
        id="chart-meetings-a-day",
        kind="bar",
        title=_("Meetings a day"),
        description=_("By the local day of their start. Choose a bar to see its meetings."),
        data={"kind": "bar", "axis": "day", "stacked": True, "labels": labels, "datasets": datasets, "links": links},
        table_head=head,
        table_rows=rows,
        csv_url=csv_url,
        row_urls=links,
    )


def used_hours_a_day(days: Days, before: Days, chosen: Filter, path: str, csv_url: str) -> Chart:
    """Hours that rooms were used each day; a day whose meetings were all unreported has no bar."""
    labels = [day.isoformat() for day, _totals in days]
    links = [link(path, chosen, first=day, last=day, compare=False) for day, _totals in days]
    datasets: list[dict[str, Any]] = [
        {"label": _("used hours"), "data": [_hours(totals.used_seconds) for _day, totals in days], "tone": 3}
    ]
    head = [_("Day"), _("Used hours")]
    rows: list[list[Any]] = [[ledger.day(day), ledger.hours2(totals.used_seconds)] for day, totals in days]
    if before:
        earlier = _earlier(days, before)
        data = [_hours(totals.used_seconds) for totals in earlier]
        datasets.append({"label": _("previous period"), "data": data, "kind": "line", "tone": "muted"})
        head.append(_("Previous period"))
        rows = [[*row, ledger.hours2(totals.used_seconds)] for row, totals in zip(rows, earlier, strict=True)]
    return Chart(
        id="chart-used-hours-a-day",
        kind="bar",
        title=_("Used hours a day"),
        description=_("Time in which at least one visitor was in the meeting."),
        data={"kind": "bar", "axis": "day", "labels": labels, "datasets": datasets, "links": links, "unit": _("h")},
        table_head=head,
        table_rows=rows,
        csv_url=csv_url,
        row_urls=links,
    )


def cost_by_month(months: Sequence[telephony.Month], chosen: Filter, path: str, csv_url: str) -> Chart:
    """Telephony cost of each month, piled up by direction; each bar leads to its month's calls of that direction.

    chosen: the filter that `months` were asked with. A month in which no call has a price has no bar.
    """
    kinds = telephony.types(months) or ["call-in", "call-out"]
    spans = [_month_span(month.first, chosen) for month in months]
    links = [link(path, chosen, first=first, last=last, sort="") for first, last in spans]
    nothing = telephony.Calls()

    def cost(month: telephony.Month, kind: str) -> Decimal | None:
        return month.by_type.get(kind, nothing).cost

    def links_of(kind: str) -> list[str]:
        return [link(path, chosen, first=first, last=last, sort="", type=kind or NOT_TOLD) for first, last in spans]

    return Chart(
        id="chart-cost-by-month",
        kind="bar",
        title=_("Telephony cost by month"),
        description=_("Whole months, by the day of the call. Calls without a price are not in it."),
        data={
            "kind": "bar",
            "axis": "month",
            "stacked": True,
            "currency": "CNY",
            "labels": [month.first.strftime("%Y-%m") for month in months],
            "datasets": [
                {
                    "label": ledger.call_type(kind),
                    "data": [None if (value := cost(month, kind)) is None else float(value) for month in months],
                    "links": links_of(kind),
                    "tone": 1 + place,
                }
                for place, kind in enumerate(kinds)
            ],
            "links": links,
        },
        table_head=[_("Month"), *(ledger.call_type(kind) for kind in kinds), _("All"), _("Calls"), _("Unpriced")],
        table_rows=[
            [
                ledger.month(month.first),
                *(ledger.money(cost(month, kind)) for kind in kinds),
                ledger.money(month.calls.cost),
                ledger.count(month.calls.calls),
                ledger.count(month.calls.unpriced),
            ]
            for month in months
        ],
        csv_url=csv_url,
        row_urls=links,
    )


def _month_span(month: date, chosen: Filter) -> tuple[date, date]:
    """The days of a month that lie in a filter's period."""
    first, last = month, month_end(month)
    return max(first, chosen.first or first), min(last, chosen.last or last)


def attendance_by_month(months: Sequence[tuple[date, Person]], chosen: Filter, path: str, csv_url: str) -> Chart:
    """Hours that one display name attended, by month; each bar leads to the meetings of that month."""
    spans = [_month_span(month, chosen) for month, _person in months]
    links = [link(path, chosen, first=first, last=last, page=1) for first, last in spans]
    return Chart(
        id="chart-attendance-by-month",
        kind="bar",
        title=_("Attended hours by month"),
        description=_("Time in which the name was present, counted once where it was there twice at a time."),
        data={
            "kind": "bar",
            "axis": "month",
            "labels": [month.strftime("%Y-%m") for month, _person in months],
            "datasets": [{"label": _("attended hours"), "data": [_hours(person.seconds) for _month, person in months]}],
            "links": links,
            "unit": _("h"),
        },
        table_head=[_("Month"), _("Attended hours"), _("Meetings"), _("Late")],
        table_rows=[
            [
                ledger.month(month),
                ledger.hours2(person.seconds),
                ledger.count(person.meetings),
                ledger.count(person.late),
            ]
            for month, person in months
        ],
        csv_url=csv_url,
        row_urls=links,
    )
