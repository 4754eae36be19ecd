"""The figure cards of a selection of meetings: for the overview and for one room."""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import cards, filters, outlook, pool_cards
from dashboard.cards import Card
from dashboard.charts import Days
from dashboard.templatetags import ledger
from reports.figures import forecast, occupancy, pool, usage
from reports.filter import Filter


def usage_cards(names: Iterable[str], chosen: Filter, before: Filter | None, days: Days, now: datetime) -> list[Card]:
    """Cards by their names, each with its change against `before` and its line over the days.

    before: the previous period, None where the ledger does not reach back to it. days: those of `chosen`.
    """
    totals = usage.totals(chosen, now)
    past = usage.totals(before, now) if before else usage.Totals()
    against = cards.against(before, chosen)
    each = [one for _day, one in days]

    def link(name: str, **changes: object) -> str:
        return filters.link(reverse(name), chosen, compare=False, **{"sort": "", **changes})

    def counted(text: str, number: int | None) -> str:
        return text % {"count": ledger.count(number)}

    def meetings() -> Card:
        running = counted(ngettext("%(count)s running", "%(count)s running", totals.running), totals.running)
        empty = counted(ngettext("%(count)s empty", "%(count)s empty", totals.empty), totals.empty)
        return cards.compared(
            "meetings",
            _("Meetings"),
            totals.meetings,
            past.meetings,
            ledger.count,
            against,
            hint=f"{running} · {empty}",
            url=link("meetings"),
            spark=cards.spark([one.meetings for one in each]),
        )

    def used_hours() -> Card:
        return cards.compared(
            "used_hours",
            _("Used hours"),
            totals.used_seconds,
            past.used_seconds,
            ledger.hours,
            against,
            unit=_("h"),
            hint=_("%(hours)s h open") % {"hours": ledger.hours(totals.open_seconds)},
            url=link("rooms", sort="-used_hours"),
            spark=cards.spark([one.used_seconds for one in each]),
        )

    def attendees() -> Card:
        silent = ngettext("%(count)s meeting not reported", "%(count)s meetings not reported", totals.unreported)
        spent = _("%(hours)s attendee hours") % {"hours": ledger.hours(totals.attendee_seconds)}
        return cards.compared(
            "attendees",
            _("Attendees"),
            totals.attendees,
            past.attendees,
            ledger.count,
            against,
            hint=counted(silent, totals.unreported) if totals.unreported else spent,
            url=link("people"),
            spark=cards.spark([one.attendees for one in each]),
        )

    def peak_concurrent_rooms() -> Card:
        peaks = occupancy.peaks(chosen, now)
        day, most = max(peaks, key=lambda pair: pair[1])
        on_day = _("on %(day)s") % {"day": ledger.day(day)} if most else ""
        return cards.compared(
            "peak_concurrent_rooms",
            _("Peak concurrent rooms"),
            most,
            occupancy.peak(before, now) if before else None,
            ledger.count,
            against,
            hint=" · ".join(filter(None, (pool_cards.beside(pool.size(chosen)), on_day))),
            url=link("meetings", first=day, last=day) if most else "",
            spark=cards.spark([value for _day, value in peaks]),
        )

    def extra_meetings() -> Card:
        return cards.compared(
            "extra_meetings",
            _("Extra-room meetings"),
            totals.extra,
            past.extra,
            ledger.count,
            against,
            hint=_("no room of the pool was free"),
            url=link("meetings", extra=True),
            spark=cards.spark([one.extra for one in each]),
        )

    def call_cost() -> Card:
        unpriced = ngettext("%(count)s call unpriced", "%(count)s calls unpriced", totals.unpriced_calls or 0)
        made = ngettext("%(count)s call", "%(count)s calls", totals.calls or 0)
        hint = counted(unpriced, totals.unpriced_calls) if totals.unpriced_calls else counted(made, totals.calls)
        # Only beside the cost of this very month so far, which it goes on from.
        if chosen.period == "month" and (expected := forecast.forecast(chosen, now)):
            hint = f"{hint} · {outlook.span(expected)}"
        return cards.compared(
            "call_cost",
            _("Telephony cost"),
            totals.call_cost,
            past.call_cost,
            ledger.money,
            against,
            hint=hint,
            url=link("telephony"),
            spark=cards.spark([one.call_cost for one in each]),
        )

    def utilisation() -> Card:
        return cards.compared(
            "utilisation_percent",
            _("Utilisation"),
            _share(chosen, now),
            _share(before, now) if before else None,
            ledger.percent,
            against,
            hint=_("of the opening hours"),
        )

    makers: dict[str, Callable[[], Card]] = {
        maker.__name__: maker
        for maker in (
            meetings,
            used_hours,
            attendees,
            peak_concurrent_rooms,
            extra_meetings,
            call_cost,
            utilisation,
        )
    }
    return [makers[name]() for name in names]


def _share(chosen: Filter, now: datetime) -> float | None:
    """Occupied ÷ opening time of the one room of a filter."""
    occupied, opening = occupancy.utilisation(chosen, now)
    return sum(occupied.values()) / opening if opening else None
