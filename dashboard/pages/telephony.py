"""Telephone calls: what they cost, by month, direction, country, room and number; the dearest; the unpriced."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from dashboard import cards, charts, filters, outlook, tables
from dashboard.cards import Card
from dashboard.pages import base
from dashboard.pages.rooms import room_url
from dashboard.places import DEAREST, PLACES
from dashboard.tables import Cell, Spec, Table
from dashboard.templatetags import ledger
from reports.figures import forecast, period, telephony
from reports.figures.telephony import Calls, Group
from reports.filter import NOT_TOLD, Filter
from reports.models import TelephonyUsage

ROWS_A_PAGE = 25
TOP = 10


def group_specs(first: Spec) -> list[Spec]:
    """The columns of calls that were told apart by something."""
    return [
        first,
        Spec("calls", _("Calls"), True),
        Spec("minutes", _("Time"), True, _("min")),
        Spec("cost", _("Cost"), True, "¥"),
        Spec("minute_price", _("A minute"), True, "¥"),
        Spec("unpriced", _("Unpriced"), True),
    ]


def sums(calls: Calls, most: Decimal, url: str = "") -> list[Cell]:
    """The figures of calls, in the order of `group_specs`."""
    return [
        Cell(ledger.count(calls.calls), url),
        Cell(ledger.minutes(calls.seconds)),
        Cell(ledger.money(calls.cost), bar=tables.bar(calls.cost, most)),
        Cell(ledger.price(calls.minute_price)),
        Cell(ledger.count(calls.unpriced)),
    ]


def grouped(chosen: Filter, by: str, title: str, found: Sequence[Group]) -> Table:
    """Calls told apart by direction, country, room or number, dearest first; each row narrows the filter."""
    path = reverse("telephony")
    heads = {"type": _("Direction"), "country": _("Country"), "room": _("Room"), "phone": _("Number")}
    columns = tables.plain_columns(group_specs(Spec(by, heads[by])))
    longest = max((group.calls.cost or Decimal(0) for group in found), default=Decimal(0))

    def named(group: Group) -> Cell:
        if by == "room":
            if group.room is None:
                return Cell(_("unknown room"))
            return Cell(str(group.room), room_url(group.key, chosen, compare=False))
        key = group.key or NOT_TOLD
        url = filters.link(path, chosen, sort="", compare=False, **{by: key})
        if by == "type":
            return Cell(ledger.call_type(group.key), url)
        if by == "country":
            return Cell(ledger.country(group.key) if group.key else _("not told"), url)
        # Who may not see numbers cannot ask for one either.
        shown = ledger.phone(group.key, chosen.masked) if group.key else _("not told")
        return Cell(shown, "" if chosen.masked and group.key else url)

    def narrowed(group: Group) -> str:
        if by != "room" or group.room is None:
            return ""
        return filters.link(path, chosen, rooms=(group.key,), sort="", compare=False)

    rows = [tables.aligned([named(group), *sums(group.calls, longest, narrowed(group))], columns) for group in found]
    return Table(id=f"by-{by}", title=title, columns=columns, rows=rows)


def dearest_meetings(chosen: Filter) -> Table:
    """The meetings whose calls cost most."""
    columns = tables.plain_columns(group_specs(Spec("topic", _("Meeting"))))
    found = telephony.dearest_meetings(chosen, TOP)
    longest = max((calls.cost or Decimal(0) for _meeting, calls in found), default=Decimal(0))
    rows = [
        tables.aligned(
            [
                Cell(str(meeting), reverse("meeting", args=[meeting.pk]), note=ledger.day(meeting.local_day)),
                *sums(calls, longest),
            ],
            columns,
        )
        for meeting, calls in found
    ]
    return Table(id="dearest-meetings", title=_("Dearest meetings"), columns=columns, rows=rows)


def call_specs() -> list[Spec]:
    """The columns of the table of calls, named as in telephony.csv."""
    return [
        Spec("start_time", _("Start")),
        Spec("phone_number", _("Number")),
        Spec("country", _("Country")),
        Spec("type", _("Direction")),
        Spec("topic", _("Meeting")),
        Spec("room", _("Room")),
        Spec("minutes", _("Time"), True, _("min")),
        Spec("cost", _("Cost"), True, "¥"),
    ]


def call_rows(calls: Sequence[TelephonyUsage], chosen: Filter) -> list[list[Cell]]:
    """Calls as rows of `call_specs`."""
    columns = tables.plain_columns(call_specs())
    path = reverse("telephony")

    def narrow(**changes: str) -> str:
        return filters.link(path, chosen, compare=False, **changes)

    return [
        tables.aligned(
            [
                Cell(ledger.moment(timezone.localtime(call.start_time)) if call.start_time else _("not told")),
                Cell(
                    ledger.phone(call.phone_number, chosen.masked),
                    "" if chosen.masked or not call.phone_number else narrow(phone=call.phone_number),
                ),
                Cell(ledger.country(call.country), narrow(country=call.country) if call.country else ""),
                Cell(ledger.call_type(call.type), narrow(type=call.type) if call.type else ""),
                Cell(str(call.meeting), reverse("meeting", args=[call.meeting_id])),
                Cell(
                    str(call.meeting.room) if call.meeting.room else _("unknown room"),
                    room_url(call.meeting.room.host_id, chosen, compare=False) if call.meeting.room else "",
                ),
                Cell(ledger.minutes(call.duration)),
                Cell(_("unpriced") if call.total is None else ledger.money(call.total)),
            ],
            columns,
        )
        for call in calls
    ]


def figure_cards(chosen: Filter, before: Filter | None, now: datetime) -> list[Card]:
    """Calls, their time, their cost, the price of a minute, the unpriced; and where the month is going, if it is on."""
    total = telephony.total(chosen)
    past = telephony.total(before) if before else Calls()
    against = cards.against(before, chosen)
    path = reverse("telephony")
    first, last = period.span(chosen, now)
    # Of a single meeting or hour there is nothing more to come.
    goes_on = first <= period.today(now) <= last and not chosen.uuid and chosen.during is None
    return [
        cards.compared("call_cost", _("Cost"), total.cost, past.cost, ledger.money, against),
        cards.compared("calls", _("Calls"), total.calls, past.calls, ledger.count, against),
        cards.compared("call_minutes", _("Time"), total.seconds, past.seconds, ledger.minutes, against, unit=_("min")),
        cards.compared(
            "minute_price",
            _("Price of a minute"),
            total.minute_price,
            past.minute_price,
            ledger.price,
            against,
            hint=_("over calls with a price and a length"),
        ),
        cards.compared(
            "unpriced_calls",
            _("Unpriced calls"),
            total.unpriced,
            past.unpriced,
            ledger.count,
            against,
            hint=_("not in the cost"),
            url=filters.link(path, chosen, priced=False, sort="", compare=False) if total.unpriced else "",
        ),
        *([outlook.card(forecast.forecast(chosen, now))] if goes_on else []),
    ]


@require_safe
@base.clear_filters
@base.remembered
def calls(request: base.HtmxHttpRequest) -> HttpResponse:
    """The calls of a filter, added up in every way that is asked for, and one by one."""
    now = timezone.now()
    asked = base.parse(request, now, telephony.TELEPHONY_SORTS)
    chosen = replace(asked, sort=asked.sort or DEAREST)
    path = reverse("telephony")
    year = period.year_up_to(replace(chosen, sort=""), now)
    of_all = telephony.total(chosen)
    count = of_all.calls
    page = tables.Counted(range(count), count, ROWS_A_PAGE).get_page(chosen.page)
    shown = telephony.some_calls(chosen, of_all, page.start_index() - 1 if count else 0, page.end_index())
    phones = telephony.dearest(chosen, "phone", TOP)
    columns = tables.columns(path, asked, call_specs(), DEAREST)
    frame = base.frame(path, asked, now)
    frame["filter_form"]["csv_links"] = base.csv_links(chosen, PLACES["telephony"].tables)
    context = {
        **frame,
        "cards": figure_cards(chosen, period.known_before(chosen, now), now),
        "cost_chart": charts.cost_by_month(
            telephony.months(year, now), year, path, filters.link(reverse("telephony-csv"), year)
        ),
        "groups": [
            grouped(chosen, "type", _("By direction"), telephony.groups(chosen, "type")),
            grouped(chosen, "country", _("By country"), telephony.dearest(chosen, "country", TOP).rows),
            grouped(chosen, "room", _("Dearest rooms"), telephony.dearest(chosen, "room", TOP).rows),
            grouped(chosen, "phone", _("Dearest numbers"), phones.rows),
        ],
        "dearest_meetings": dearest_meetings(chosen),
        "numbers": ngettext("%(count)s telephone number.", "%(count)s telephone numbers.", phones.groups)
        % {"count": ledger.count(phones.groups)},
        "page": page,
        "table": Table("calls", _("Calls"), columns, call_rows(shown, asked)),
        "pager": tables.pager(path, asked, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "telephony/telephony.html", "telephony/_fragment.html", context)
