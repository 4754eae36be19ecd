"""Which days were pulled, as a calendar: a row a month, a mark a day, and each mark leads to the day's meetings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from dashboard.filters import link
from dashboard.templatetags import ledger
from reports import schedule
from reports.figures import coverage
from reports.figures.coverage import DayState
from reports.filter import Filter

MOST_MONTHS = 24
STATES = {
    DayState.COMPLETE: pgettext_lazy("day", "complete"),
    DayState.PARTIAL: gettext_lazy("partial"),
    DayState.NEVER: gettext_lazy("never pulled"),
    DayState.NOT_DUE: gettext_lazy("not due"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One day. state: of coverage, or "gap" where meetings are known to be missing; label: all of it in words."""

    state: str
    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The calendar: (first day of the month, its marks); legend: (state, its name, how many days of it)."""

    rows: list[tuple[date, list[Mark]]]
    legend: list[tuple[str, str, int]]
    days: range
    zone: str


def local_days(first: date, last: date) -> tuple[date, date]:
    """The site's local days that hold all of these days of the provider's."""
    zone = ZoneInfo(settings.TIME_ZONE)
    after = schedule.provider_midnight(last + timedelta(days=1)).astimezone(UTC)
    return (
        schedule.provider_midnight(first).astimezone(zone).date(),
        (after - timedelta(microseconds=1)).astimezone(zone).date(),
    )


def meetings_url(first: date, last: date, host_id: str = "", **changes: object) -> str:
    """The meetings of some days of the provider's, of one room or of all."""
    begin, end = local_days(first, last)
    chosen = Filter(first=begin, last=end, rooms=(host_id,) if host_id else ())
    return link(reverse("meetings"), chosen, **changes)


def strip(now: datetime, missing: Mapping[date, int] | None = None) -> Strip | None:
    """The days from the first that is pulled by date, two years back at most; None where none is.

    missing: how many meetings are known to be missing, by the provider's day.
    """
    since, today = schedule.compared_since(now), schedule.provider_today(now)
    if since is None or not settings.UMEET_PULL_DATES:
        return None
    months = [schedule.month_of(today)]
    while months[-1][0] > since and len(months) < MOST_MONTHS:
        months.append(schedule.month_of(months[-1][0] - timedelta(days=1)))
    states = coverage.days(months[-1][0], months[0][1], now)
    rows = []
    counts: dict[str, int] = {}
    for first, last in months:
        marks = []
        for day in _days(first, last):
            gap = (missing or {}).get(day, 0)
            state = "gap" if gap else states[day]
            counts[state] = counts.get(state, 0) + 1
            marks.append(Mark(state, _url(day, states[day]), _label(day, states[day], gap)))
        rows.append((first, marks))
    legend = [(state.value, str(name), counts.get(state, 0)) for state, name in STATES.items()]
    if missing is not None:
        legend.insert(1, ("gap", _("complete, meetings missing"), counts.get("gap", 0)))
    return Strip(rows, legend, range(1, 32), settings.UMEET_TIME_ZONE)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _url(day: date, state: DayState) -> str:
    return "" if state == DayState.NOT_DUE else meetings_url(day, day)


def _label(day: date, state: DayState, gap: int) -> str:
    words = {"day": ledger.day(day), "state": STATES[state]}
    if not gap:
        return _("%(day)s: %(state)s") % words
    more = ngettext("%(count)s meeting is missing here", "%(count)s meetings are missing here", gap)
    return _("%(day)s: %(state)s, %(more)s") % {**words, "more": more % {"count": ledger.count(gap)}}
