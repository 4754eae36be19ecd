"""Periods: the presets, and the days a filter really spans."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, Min

from reports import kept
from reports.clockwork import midnight
from reports.filter import Filter
from reports.models import Meeting, TelephonyUsage

PRESETS = ("7d", "30d", "90d", "12m", "month", "last-month", "year", "all")
DEFAULT = "30d"


def today(now: datetime) -> date:
    """The local day of a moment, in the site's zone."""
    return now.astimezone(ZoneInfo(settings.TIME_ZONE)).date()


def preset(name: str, today: date) -> tuple[date | None, date | None]:
    """First and last local day of a preset, both included; (None, None) for `all`. KeyError: no such one."""
    month_start = today.replace(day=1)
    last_month_end = month_start - timedelta(days=1)
    return {
        "7d": (today - timedelta(days=6), today),
        "30d": (today - timedelta(days=29), today),
        "90d": (today - timedelta(days=89), today),
        "12m": (_year_before(today) + timedelta(days=1), today),
        "month": (month_start, today),
        "last-month": (last_month_end.replace(day=1), last_month_end),
        "year": (today.replace(month=1, day=1), today),
        "all": (None, None),
    }[name]


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)


def span(chosen: Filter, now: datetime) -> tuple[date, date]:
    """The days a filter spans, both included; an open side ends where the ledger does, or today."""
    here = today(now)
    first, last = chosen.first, chosen.last
    if first is None or last is None:
        # A call may belong to another day than its meeting.
        known = _known_days(chosen)
        first = first or min([*known, here, last or here])
        last = last or max([*known, here, first])
    return first, last


def _known_days(chosen: Filter) -> tuple[date, ...]:
    """The first and the last day of the ledger, or of those of its rooms that may be seen; none where it is empty."""
    if chosen.allowed_rooms is None:
        return kept.known_days() or ()
    seen = Filter(allowed_rooms=chosen.allowed_rooms)
    ends = {"first": Min("local_day"), "last": Max("local_day")}
    found = [
        day
        for rows in (Meeting.objects.matching(seen), TelephonyUsage.objects.matching(seen))
        for day in rows.order_by().aggregate(**ends).values()
        if day is not None
    ]
    return (min(found), max(found)) if found else ()


def first_meeting(chosen: Filter) -> date | None:
    """The local day of the first meeting of the ledger, or of those of its rooms that a filter may see."""

    def ask() -> date | None:
        rows = Meeting.objects.all()
        if chosen.allowed_rooms is not None:
            rows = rows.matching(Filter(allowed_rooms=chosen.allowed_rooms))
        first: date | None = rows.order_by().aggregate(first=Min("local_day"))["first"]
        return first

    found: date | None = kept.once(("first meeting", chosen.allowed_rooms), ask)
    return found


def bounds(chosen: Filter, now: datetime) -> tuple[datetime, datetime]:
    """The moments between which a filter's period lies: from the first included to the last excluded, in UTC."""
    first, last = span(chosen, now)
    return midnight(first), midnight(last + timedelta(days=1))


def year_up_to(chosen: Filter, now: datetime) -> Filter:
    """The same filter over whole months: the twelve that end with the month of the period's last day, or today's.

    A few days say little of a cost by month; and days to come have none.
    """
    last = min(span(chosen, now)[1], today(now))
    end = month_end(last)
    first = end.replace(day=1)
    for _ in range(11):
        first = (first - timedelta(days=1)).replace(day=1)
    return replace(chosen, first=first, last=end, period="", compare=False)


def month_end(day: date) -> date:
    """The last day of a day's month."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def known_before(chosen: Filter, now: datetime) -> Filter | None:
    """The previous period, if the ledger reaches back to it; None else: what was never pulled is no comparison."""
    before = chosen.previous()
    if before is None or before.first is None:
        return None
    begin = first_meeting(chosen)
    return before if begin is not None and begin <= before.first else None
