"""Figures become Chart.js data: plain dicts, no queries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from dashboard.filters import day_links, link
from dashboard.templatetags import ledger
from reports.csvtable import hours as written_hours
from reports.figures import telephony, usage
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


# As many bars as can be told apart and pointed at; of more days each has a week, of more weeks a month.
MOST_BARS = 110


class Bar(NamedTuple):
    """One bar: the days it stands for, both included, their totals, and those of as many days before."""

    first: date
    last: date
    totals: Totals
    earlier: Totals | None


# What each bar is: "day", "week" or "month"; and the bars.
Drawn = tuple[str, list[Bar]]


def parts_of(days: Sequence[date]) -> tuple[str, list[Sequence[date]]]:
    """Days in a row, a part for each bar, and what each of them is: "day", "week" or "month".

    Weeks begin on Monday; the ends of the row cut them.
    """
    step, starts = "day", list(range(len(days)))
    if len(starts) > MOST_BARS:
        step = "week"
        starts = [place for place, day in enumerate(days) if not place or day.weekday() == 0]
    if len(starts) > MOST_BARS:
        step = "month"
        starts = [place for place, day in enumerate(days) if not place or day.day == 1]
    return step, [days[start:end] for start, end in pairwise([*starts, len(days)])]


def bars(days: Days, before: Days) -> Drawn:
    """The days of a period as bars, and what each of them is: "day", "week" or "month".

    Weeks begin on Monday; the period's ends cut them. before: the previous period, as many days, or none.
    """
    step, parts = parts_of([day for day, _totals in days])
    found = []
    start = 0
    for part_days in parts:
        end = start + len(part_days)
        part, past = days[start:end], before[start:end]
        whole = usage.together(totals for _day, totals in part)
        earlier = usage.together(totals for _day, totals in past) if past else None
        found.append(Bar(part[0][0], part[-1][0], whole, earlier))
        start = end
    return step, found


def bar_name(first: date, last: date, step: str) -> str:
    """What a bar is called: its day, its days, or its month."""
    if step == "month":
        return ledger.month(first)
    return ledger.day(first) if first == last else f"{ledger.day(first)} – {ledger.day(last)}"


def bar_label(first: date, step: str) -> str:
    """Its place on the axis."""
    return f"{first:%Y-%m}" if step == "month" else first.isoformat()


def _ends(found: Sequence[Bar], step: str) -> list[str]:
    """The last day of each bar that is a week; nothing for other bars, whose labels tell it."""
    return [one.last.isoformat() for one in found] if step == "week" else []


def meetings_a_day(drawn: Drawn, chosen: Filter, path: str, csv_url: str) -> Chart:
    """Meetings of each day, told apart by room of the pool and extra room; each bar leads to its meetings.

    drawn: the period's `bars`. path: the page that a bar leads to. Of a long period a bar is a week or a month.
    """
    step, found = drawn
    extra = [one.totals.extra for one in found]
    # Where nothing says whether a room was an extra one, its meetings stand with the others; all of them are told.
    regular = [one.totals.meetings - (one.totals.extra or 0) for one in found]
    links = day_links(path, chosen, [(one.first, one.last) for one in found], compare=False)
    datasets: list[dict[str, Any]] = [
        {"label": _("in rooms of the pool"), "data": regular},
        {"label": _("in extra rooms"), "data": extra},
    ]
    heads = {"day": _("Day"), "week": _("Week"), "month": _("Month")}
    head = [heads[step], _("In rooms of the pool"), _("In extra rooms"), _("All")]
    rows: list[list[Any]] = [
        [
            bar_name(one.first, one.last, step),
            ledger.count(inside),
            ledger.count(outside),
            ledger.count(one.totals.meetings),
        ]
        for one, inside, outside in zip(found, regular, extra, strict=True)
    ]
    if any(one.earlier for one in found):
        earlier = [one.earlier.meetings if one.earlier else None for one in found]
        datasets.append({"label": _("previous period"), "data": earlier, "kind": "line", "tone": "muted"})
        head.append(_("Previous period"))
        rows = [[*row, ledger.count(value)] for row, value in zip(rows, earlier, strict=True)]
    titles = {"day": _("Meetings a day"), "week": _("Meetings a week"), "month": _("Meetings a month")}
    labels = [bar_label(one.first, step) for one in found]
    return Chart(
        id="chart-meetings-a-day",
        kind="bar",
        title=titles[step],
        description=_("By the local day of their start. Choose a bar to see its meetings."),
        data={
            "kind": "bar",
            "axis": step,
            "stacked": True,
            "labels": labels,
            "ends": _ends(found, step),
            "datasets": datasets,
            "links": links,
        },
        table_head=head,
        table_rows=rows,
        csv_url=csv_url,
        row_urls=links,
    )


def used_hours_a_day(drawn: Drawn, chosen: Filter, path: str, csv_url: str) -> Chart:
    """Hours that rooms were used each day; a day whose meetings were all unreported has no bar. In, out: as above."""
    step, found = drawn
    labels = [bar_label(one.first, step) for one in found]
    links = day_links(path, chosen, [(one.first, one.last) for one in found], compare=False)
    datasets: list[dict[str, Any]] = [
        {"label": _("used hours"), "data": [_hours(one.totals.used_seconds) for one in found], "tone": 3}
    ]
    heads = {"day": _("Day"), "week": _("Week"), "month": _("Month")}
    head = [heads[step], _("Used hours")]
    rows: list[list[Any]] = [
        [bar_name(one.first, one.last, step), ledger.hours2(one.totals.used_seconds)] for one in found
    ]
    if any(one.earlier for one in found):
        earlier = [one.earlier.used_seconds if one.earlier else None for one in found]
        data = [_hours(seconds) for seconds in earlier]
        datasets.append({"label": _("previous period"), "data": data, "kind": "line", "tone": "muted"})
        head.append(_("Previous period"))
        rows = [[*row, ledger.hours2(seconds)] for row, seconds in zip(rows, earlier, strict=True)]
    titles = {"day": _("Used hours a day"), "week": _("Used hours a week"), "month": _("Used hours a month")}
    return Chart(
        id="chart-used-hours-a-day",
        kind="bar",
        title=titles[step],
        description=_("Time in which at least one visitor was in the meeting."),
        data={
            "kind": "bar",
            "axis": step,
            "unit": _("h"),
            "labels": labels,
            "ends": _ends(found, step),
            "datasets": datasets,
            "links": links,
        },
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
