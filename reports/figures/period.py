"""Periods: the presets, and the days a filter really spans."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, Min

from reports.filter import Filter
from reports.models import Meeting

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
        known = Meeting.objects.aggregate(first=Min("local_day"), last=Max("local_day"))
        first = first or min(known["first"] or here, last or here)
        last = last or max(known["last"] or here, here, first)
    return first, last
