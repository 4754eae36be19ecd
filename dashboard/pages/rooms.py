"""The rooms compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import filters, tables
from dashboard.pages import base
from dashboard.places import PLACES
from dashboard.tables import Cell, Spec, Table
from dashboard.templatetags import ledger
from reports.figures import usage
from reports.figures.room_usage import ROOM_DEFAULT_SORT, ROOM_SORTS, RoomUsage, most_used, some_rooms
from reports.figures.usage import Totals
from reports.filter import Filter

ROWS_A_PAGE = 100
TOP = 8


def specs() -> list[Spec]:
    """The columns of the table, named as in rooms.csv."""
    return [
        Spec("room", _("Room")),
        Spec("capacity", _("Seats"), True),
        Spec("meetings", _("Meetings"), True),
        Spec("extra_meetings", _("Extra"), True),
        Spec("empty_meetings", _("Empty"), True),
        Spec("solo_meetings", _("Solo"), True),
        Spec("booked_hours", _("Booked"), True, _("h")),
        Spec("open_hours", _("Open"), True, _("h")),
        Spec("used_hours", _("Used"), True, _("h")),
        Spec("utilisation_percent", _("Utilisation"), True, "%"),
        Spec("attendees", _("Attendees"), True),
        Spec("attendee_hours", _("Attendee hours"), True, _("h")),
        Spec("calls", _("Calls"), True),
        Spec("call_minutes", _("Call time"), True, _("min")),
        Spec("call_cost", _("Call cost"), True, "¥"),
    ]


def room_url(host_id: str, chosen: Filter, **changes: object) -> str:
    """The page of a room under the rest of a filter."""
    return filters.link(filters.room_path(host_id), chosen, rooms=(), sort="", **changes)


# Columns that have a bar, and what it shows.
BARS = {"meetings": "meetings", "used_hours": "used_seconds", "call_cost": "call_cost"}


def _most(rows: Sequence[RoomUsage], name: str) -> float:
    values = [float(value) for one in rows if one.room and (value := getattr(one.totals, name)) is not None]
    return max(values, default=0.0)


def _sums(totals: Totals) -> dict[str, str]:
    """The figures of a row or of the foot, by column."""
    return {
        "meetings": ledger.count(totals.meetings),
        "extra_meetings": ledger.count(totals.extra),
        "empty_meetings": ledger.count(totals.empty),
        "solo_meetings": ledger.count(totals.solo),
        "booked_hours": ledger.hours2(totals.booked_seconds),
        "open_hours": ledger.hours2(totals.open_seconds),
        "used_hours": ledger.hours2(totals.used_seconds),
        "attendees": ledger.count(totals.attendees),
        "attendee_hours": ledger.hours2(totals.attendee_seconds),
        "calls": ledger.count(totals.calls),
        "call_minutes": ledger.minutes(totals.call_seconds),
        "call_cost": ledger.money(totals.call_cost),
    }


def table_of(
    rows: Sequence[RoomUsage],
    columns: Sequence[tables.Column],
    chosen: Filter,
    table_id: str,
    most: Mapping[str, float] | None = None,
) -> Table:
    """Rooms as a table: names lead to the room, counts to its meetings. most: by figure, where these are a page."""
    meetings, telephony = reverse("meetings"), reverse("telephony")
    longest = {name: _most(rows, name) for name in BARS.values()} if most is None else most
    narrowed: dict[str, dict[str, Any]] = {
        "meetings": {},
        "extra_meetings": {"extra": True},
        "empty_meetings": {"state": "empty"},
        "solo_meetings": {"state": "solo"},
    }
    query = filters.link("", chosen, rooms=(), sort="")  # of a room's own page
    plain: dict[str, Any] = {"sort": "", "compare": False}
    of_meetings = {name: filters.room_links(meetings, chosen, **plain, **only) for name, only in narrowed.items()}
    of_calls = filters.room_links(telephony, chosen, **plain)

    def cell(one: RoomUsage, name: str, sums: dict[str, str]) -> Cell:
        if name == "room":
            if one.room is None:
                return Cell(_("unknown room"))
            note = _("temporary") if one.room.temporary else ""
            return Cell(str(one.room), f"{filters.room_path(one.host_id)}{query}", note=note)
        if name == "capacity":
            return Cell(ledger.count(one.capacity))
        if name == "utilisation_percent":
            return Cell(ledger.tenths_percent(one.utilisation), bar=tables.bar(one.utilisation, 1))
        text = sums[name]
        url = ""
        if one.room and name in of_meetings and text not in {"0", ledger.UNKNOWN}:
            url = of_meetings[name](one.host_id)
        if one.room and name == "calls" and one.totals.calls:
            url = of_calls(one.host_id)
        value = getattr(one.totals, BARS[name]) if name in BARS else None
        return Cell(text, url, tables.bar(value, longest[BARS[name]]) if name in BARS else "")

    def row(one: RoomUsage) -> list[Cell]:
        sums = _sums(one.totals)
        return tables.aligned([cell(one, column.name, sums) for column in columns], columns)

    return Table(
        id=table_id,
        title=_("Rooms"),
        columns=columns,
        rows=[row(one) for one in rows],
    )


@require_safe
@base.clear_filters
@base.remembered
def rooms(request: base.HtmxHttpRequest) -> HttpResponse:
    """The rooms of the selection with their figures, a hundred a page."""
    now = timezone.now()
    chosen = base.parse(request, now, ROOM_SORTS)
    path = reverse("rooms")
    found = some_rooms(chosen, now, ROWS_A_PAGE, [*BARS.values()])
    page = tables.Counted(range(found.rooms), found.rooms, ROWS_A_PAGE).get_page(chosen.page)
    columns = tables.columns(path, chosen, specs(), ROOM_DEFAULT_SORT)
    most = {name: float(value) for name, value in found.most.items()}
    table = table_of(found.rows, columns, chosen, "rooms", most)
    sums = _sums(usage.totals(chosen, now))
    foot = tables.aligned([Cell(sums.get(spec.name, "")) for spec in specs()], table.columns)
    foot[0] = Cell(_("All"))
    context = {
        **base.frame(path, chosen, now, PLACES["rooms"].tables, filters.TABLE_PARTS),
        "table": replace(table, foot=foot),
        "page": page,
        "pager": tables.pager(path, chosen, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "rooms/rooms.html", "rooms/_fragment.html", context)


def top_rooms(chosen: Filter, now: datetime) -> Table:
    """The rooms that were used most."""
    wanted = {"room", "meetings", "used_hours", "utilisation_percent"}
    columns = tables.plain_columns([spec for spec in specs() if spec.name in wanted])
    return replace(table_of(most_used(chosen, now, TOP), columns, chosen, "top-rooms"), title=_("Most used rooms"))
