"""Booked against used: overruns, early ends, empty and solo meetings, and the hours that trimming would give back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import booking_charts, cards, filters, tables
from dashboard.cards import Card
from dashboard.pages import base
from dashboard.pages.rooms import room_url
from dashboard.pages.series import series_url, shown_topic, switch
from dashboard.places import PLACES
from dashboard.tables import Cell, Column, Spec, Table
from dashboard.templatetags import ledger
from reports.figures import booking, period
from reports.figures.booking import BOOKING_DEFAULT_SORT, BOOKING_SORTS, Booking, Group
from reports.filter import Filter

ROWS_A_PAGE = 25
MOST_ROOMS = 25


def specs(first: str) -> list[Spec]:
    """The columns of a table of groups, named as in booked.csv."""
    return [
        Spec("name", first),
        Spec("meetings", _("Meetings"), True),
        Spec("judged", _("Judged"), True),
        Spec("overruns", _("Overruns"), True),
        Spec("overrun_hours", _("Overrun"), True, _("h")),
        Spec("early_ends", _("Early ends"), True),
        Spec("early_hours", _("Early"), True, _("h")),
        Spec("empty_meetings", _("Empty"), True),
        Spec("solo_meetings", _("Solo"), True),
        Spec("booked_hours", _("Booked"), True, _("h")),
        Spec("used_hours", _("Used"), True, _("h")),
        Spec("used_percent", _("Used"), True, "%"),
        Spec("spare_hours", _("Given back"), True, _("h")),
    ]


def _shown(one: Booking) -> dict[str, str]:
    """The figures of a row or of the foot, by column."""
    return {
        "meetings": ledger.count(one.meetings),
        "judged": ledger.count(one.judged),
        "overruns": ledger.count(one.overruns),
        "overrun_hours": ledger.hours2(one.over_seconds),
        "early_ends": ledger.count(one.early_ends),
        "early_hours": ledger.hours2(one.early_seconds),
        "empty_meetings": ledger.count(one.empty),
        "solo_meetings": ledger.count(one.solo),
        "booked_hours": ledger.hours2(one.booked_seconds),
        "used_hours": ledger.hours2(one.used_seconds),
        "used_percent": ledger.tenths_percent(one.used_share),
        "spare_hours": ledger.hours2(one.spare_seconds),
    }


def narrowed(chosen: Filter) -> dict[str, dict[str, Any]]:
    """What of the filter leads to exactly the meetings that a column counts."""
    # Those that ran over or ended early are judged already.
    known = chosen.booked if chosen.booked in {"over", "early"} else "known"
    return {
        "meetings": {},
        "judged": {"booked": known},
        "overruns": {"booked": "over"},
        "early_ends": {"booked": "early"},
        "empty_meetings": {"state": "empty"},
        "solo_meetings": {"state": "solo"},
    }


def within(group: Group, chosen: Filter) -> Filter | None:
    """The filter narrowed to a group; None where no filter can name it."""
    match group.by:
        case "room":
            return replace(chosen, rooms=(group.key,)) if group.key else None
        case "weekday":
            return replace(chosen, weekday=int(group.key))
        case "number":
            return replace(chosen, number=group.key) if group.key else None
        case _:
            return replace(chosen, topic=group.key)


def name_cell(group: Group, chosen: Filter) -> Cell:
    """The name of a group, leading to its page, or to this one for it alone."""
    if group.by == "room":
        name = group.name or group.key
        return Cell(name, room_url(group.key, chosen)) if group.key else Cell(_("unknown room"))
    if group.by == "weekday":
        weekday = int(group.key)
        url = filters.link(reverse("booked"), chosen, weekday=weekday)
        return Cell(str(WEEKDAYS[weekday - 1]), url)
    if group.by == "number" and not group.key:
        return Cell(_("(no number)"))
    url = series_url(group.by, group.key, chosen)
    return Cell(shown_topic(group.name), url, note=group.key if group.by == "number" else "")


def table_of(
    groups: Sequence[Group],
    columns: Sequence[Column],
    chosen: Filter,
    table_id: str,
    title: str,
    longest: int | None = None,
) -> Table:
    """Groups as a table; every count leads to exactly those meetings. longest: the most spare seconds of any group,
    where these are the first of them."""
    meetings = reverse("meetings")
    if longest is None:
        longest = max((group.booking.spare_seconds or 0 for group in groups), default=0)
    counted = narrowed(chosen)

    def row(group: Group) -> list[Cell]:
        own = within(group, chosen)
        cells = [name_cell(group, chosen)]
        for name, text in _shown(group.booking).items():
            url = ""
            if own and name in counted and text not in {"0", ledger.UNKNOWN}:
                url = filters.link(meetings, own, sort="", compare=False, **counted[name])
            bar = tables.bar(group.booking.spare_seconds, longest) if name == "spare_hours" else ""
            cells.append(Cell(text, url, bar))
        return tables.aligned(cells, columns)

    return Table(id=table_id, title=title, columns=columns, rows=[row(group) for group in groups])


def with_sums(table: Table, total: Booking) -> Table:
    """A table with the row of all of them."""
    foot = [Cell(_("All")), *(Cell(text) for text in _shown(total).values())]
    return replace(table, foot=tables.aligned(foot, table.columns))


def figure_cards(chosen: Filter, total: Booking, before: Filter | None) -> list[Card]:
    """The sums, each with its change against the previous period."""
    past = booking.total(before) if before else Booking()
    against = cards.against(before, chosen)
    meetings, counted = reverse("meetings"), narrowed(chosen)

    def url(column: str, number: int | None) -> str:
        return filters.link(meetings, chosen, sort="", compare=False, **counted[column]) if number else ""

    return [
        cards.compared(
            "booked_hours",
            _("Booked hours"),
            total.booked_seconds,
            past.booked_seconds,
            ledger.hours,
            against,
            unit=_("h"),
            hint=_("of the judged meetings"),
            url=url("judged", total.judged),
        ),
        cards.compared(
            "used_hours",
            _("Used hours"),
            total.used_seconds,
            past.used_seconds,
            ledger.hours,
            against,
            unit=_("h"),
            hint=_("somebody was there"),
        ),
        cards.compared(
            "used_percent",
            _("Used of booked"),
            total.used_share,
            past.used_share,
            ledger.percent,
            against,
            hint=_("where both are known"),
        ),
        cards.compared(
            "spare_hours",
            _("Given back by trimming"),
            total.spare_seconds,
            past.spare_seconds,
            ledger.hours,
            against,
            unit=_("h"),
            hint=_("booked after the last leave"),
        ),
        cards.compared(
            "empty_meetings",
            _("Empty meetings"),
            total.empty,
            past.empty,
            ledger.count,
            against,
            hint=_("nobody came"),
            url=url("empty_meetings", total.empty),
        ),
        cards.compared(
            "overruns",
            _("Overruns"),
            total.overruns,
            past.overruns,
            ledger.count,
            against,
            hint=_("ended after the booked end"),
            url=url("overruns", total.overruns),
        ),
        cards.compared(
            "overrun_hours",
            _("Overrun hours"),
            total.over_seconds,
            past.over_seconds,
            ledger.hours,
            against,
            unit=_("h"),
            url=url("overruns", total.overruns),
        ),
        cards.compared(
            "early_ends",
            _("Early ends"),
            total.early_ends,
            past.early_ends,
            ledger.count,
            against,
            hint=_("ended before the booked end"),
            url=url("early_ends", total.early_ends),
        ),
        cards.compared(
            "early_hours",
            _("Hours ended early"),
            total.early_seconds,
            past.early_seconds,
            ledger.hours,
            against,
            unit=_("h"),
            url=url("early_ends", total.early_ends),
        ),
        cards.compared(
            "solo_meetings",
            _("Solo meetings"),
            total.solo,
            past.solo,
            ledger.count,
            against,
            hint=_("one attendee alone"),
            url=url("solo_meetings", total.solo),
        ),
    ]


@require_safe
@base.clear_filters
@base.remembered
def booked(request: base.HtmxHttpRequest) -> HttpResponse:
    """Booked against used, in all and by room, weekday and series."""
    now = timezone.now()
    chosen = base.parse(request, now, BOOKING_SORTS)
    path, meetings = reverse("booked"), reverse("meetings")
    before = period.known_before(chosen, now)
    total = booking.total(chosen)
    rooms, weekdays = booking.some_rooms(chosen, MOST_ROOMS), booking.by_weekday(chosen)
    series = booking.some_series(chosen, chosen.by, ROWS_A_PAGE)
    page = tables.Counted(range(series.groups), series.groups, ROWS_A_PAGE).get_page(chosen.page)

    def columns(first: str, default: str = BOOKING_DEFAULT_SORT) -> list[Column]:
        return tables.columns(path, chosen, specs(first), default)

    def link(**changes: Any) -> str:
        return filters.link(meetings, chosen, sort="", compare=False, **changes)

    csv = filters.link(reverse("booked-csv"), chosen, compare=False, sort="")
    context = {
        **base.frame(path, chosen, now, PLACES["booked"].tables),
        "total": total,
        "untold_url": link(booked="unknown"),
        "unreported_url": link(state="unreported"),
        "running_url": link(state="running"),
        "without_before": chosen.compare and not before,
        "cards": figure_cards(chosen, total, before),
        "charts": [
            booking_charts.distribution(
                booking.distribution(chosen),
                filters.link(reverse("meetings-csv"), chosen, sort="", compare=False, **narrowed(chosen)["judged"]),
            ),
            booking_charts.by_weekday(weekdays, chosen, meetings, csv),
        ],
        "rooms": with_sums(
            table_of(rooms.rows, columns(_("Room")), chosen, "booked-rooms", _("By room"), rooms.spare_seconds), total
        ),
        "all_rooms": rooms.groups if rooms.groups > MOST_ROOMS else 0,
        "rooms_csv": csv,
        "weekdays": table_of(weekdays, columns(_("Weekday"), "name"), chosen, "booked-weekdays", _("By weekday")),
        "series": table_of(
            series.rows, columns(_("Series")), chosen, "booked-series", _("By series"), series.spare_seconds
        ),
        "switch": switch(path, chosen),
        "page": page,
        "pager": tables.pager(path, chosen, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "booked/booked.html", "booked/_fragment.html", context)
