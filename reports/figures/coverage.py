"""How fresh and how complete the ledger is."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from reports import access, schedule
from reports.figures.period import today
from reports.models import ProviderPeriod, Pull, PulledDay, Rejected, Source, TrackedNumber

TAKEN_UP_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Freshness:
    """What every page says of its data. problem: a sentence when something needs a hand."""

    last_pull: datetime | None
    running: bool
    problem: str


def freshness() -> Freshness:
    """When the last pull ended well, whether one runs, and what stands in the way."""
    # Totals bring no meeting: the data is no fresher for them.
    of_meetings = [name for name in Source.Name.values if name != Source.Name.SUMMARY]
    last = Pull.objects.filter(state__in=(Pull.State.DONE, Pull.State.PARTIAL), source__in=of_meetings).aggregate(
        last=Max("ended_at")
    )["last"]
    running = Pull.objects.filter(ended_at=None).exists()
    return Freshness(last, running, problem())


def problem(now: datetime | None = None) -> str:
    """The sentence for the top of every page, or "". now: unless it is this moment."""
    if missing := access.problem():
        return missing
    sources = list(Source.objects.order_by("-failures"))
    refused = max((row for row in sources if row.refused_at), key=_refused_at, default=None)
    if refused is not None:
        return access.advised(refused.last_error)
    failing = next((row.last_error for row in sources if row.failures >= 1 and row.last_error), "")
    lasting = _outage(sources, now or timezone.now())
    if lasting is None:
        return failing
    since = f"{timezone.localtime(lasting.since):%Y-%m-%d %H:%M}"
    return f"No pull has ended well since {since}. {access.advised(lasting.reason)}"


@dataclass(frozen=True, slots=True)
class Stale:
    """A source of which no pull ended well for several times as long as usual. since: the last that did."""

    source: str
    since: datetime
    reason: str


# After how many of its intervals without a success a source is out; and no sooner than that.
MISSED = 3
AT_LEAST = timedelta(minutes=30)
NOTHING_RUNS = (
    "No pull fails, none is made either: the worker does not run. Start it with: manage.py start, or see the log."
)


def outage(now: datetime) -> Stale | None:
    """The source that has been out for the longest; None while all of them are pulled as usual."""
    return _outage(list(Source.objects.order_by("-failures")), now)


def _outage(sources: list[Source], now: datetime) -> Stale | None:
    # Numbers are asked about when one is due, and else never.
    numbers_due = TrackedNumber.objects.filter(next_due_at__lte=now - MISSED * timedelta(hours=1)).exists()
    dates = settings.UMEET_PULL_DATES
    usual = {
        Source.Name.NUMBERS: timedelta(hours=1),
        Source.Name.DATES: settings.RECENT_AGAIN,
        Source.Name.ROOMS: timedelta(days=1),
    }
    expected = {Source.Name.NUMBERS: numbers_due, Source.Name.DATES: dates, Source.Name.ROOMS: dates}
    found = []
    for row in sources:
        if row.name not in usual:
            continue
        trouble = row.failures > 0 or row.refused_at is not None
        if not (trouble or expected[Source.Name(row.name)]):
            continue
        since = row.asked_at
        if since is None and trouble:
            since = Pull.objects.filter(source=row.name).aggregate(first=Min("started_at"))["first"]
        if since is not None and now - since > max(MISSED * usual[Source.Name(row.name)], AT_LEAST):
            found.append(Stale(row.name, since, row.last_error or NOTHING_RUNS))
    return min(found, key=lambda one: one.since, default=None)


def _refused_at(row: Source) -> datetime:
    assert row.refused_at is not None  # noqa: S101 — only such rows are compared
    return row.refused_at


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be pulled, and what was pulled of the days."""

    numbers_due: int
    days_due: int
    days_complete: int
    days_known: int
    first_complete: date | None
    last_complete: date | None

    @property
    def history_share(self) -> float | None:
        """Complete days ÷ all days asked about, None when dates are not pulled."""
        return self.days_complete / self.days_known if self.days_known else None


def backlog(now: datetime) -> Backlog:
    """What is due now."""
    days = PulledDay.objects.aggregate(
        due=Count("pk", filter=Q(next_due_at__lte=now)),
        complete=Count("pk", filter=~Q(complete_at=None)),
        known=Count("pk"),
        first=Min("day", filter=~Q(complete_at=None)),
        last=Max("day", filter=~Q(complete_at=None)),
    )
    return Backlog(
        numbers_due=TrackedNumber.objects.filter(next_due_at__lte=now).count(),
        days_due=days["due"],
        days_complete=days["complete"],
        days_known=days["known"],
        first_complete=days["first"],
        last_complete=days["last"],
    )


def moving(now: datetime) -> bool:
    """Whether something is being pulled, or days or totals became due so lately that a worker will begin with them."""
    if Pull.objects.filter(ended_at=None).exists():
        return True
    lately = {"next_due_at__lte": now, "next_due_at__gt": now - TAKEN_UP_WITHIN}
    return any(model.objects.filter(**lately).exists() for model in (PulledDay, ProviderPeriod))


def rejected_count() -> int:
    """Records that wait to be read."""
    return Rejected.objects.count()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of a period's days, up to today, were pulled whole. days: all of them; None: days are not pulled."""

    days: int
    complete: int | None


def of_days(first: date, last: date, now: datetime) -> Coverage:
    """What is known of the days of a period. Days are the provider's: those that it is asked for."""
    last = min(last, today(now))
    count = max(0, (last - first).days + 1)
    if not settings.UMEET_PULL_DATES:
        return Coverage(count, None)
    return Coverage(count, PulledDay.objects.filter(day__range=(first, last)).exclude(complete_at=None).count())


class DayState(StrEnum):
    """How far a day was pulled. not_due: it is before the first day that is pulled by date, or still to come."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    NEVER = "never"
    NOT_DUE = "not_due"


def days(first: date, last: date, now: datetime) -> dict[date, DayState]:
    """How far each day from `first` to `last` (provider's zone) was pulled.

    A day is partial when the last answer fell short of what it announced, or when it was last pulled before it
    was over: what began afterwards is not here.
    """
    known = {
        day: (asked, complete)
        for day, asked, complete in PulledDay.objects.values_list("day", "asked_at", "complete_at")
    }
    here = schedule.provider_today(now)
    begin = min(known, default=None) if settings.UMEET_PULL_DATES else None

    def state(day: date) -> DayState:
        if begin is None or not begin <= day <= here:
            return DayState.NOT_DUE
        asked, complete = known.get(day, (None, None))
        if asked is None:
            return DayState.NEVER
        over = schedule.provider_midnight(day + timedelta(days=1))
        if complete is None or complete < asked or (day < here and complete < over):
            return DayState.PARTIAL
        return DayState.COMPLETE

    return {day: state(day) for day in (first + timedelta(days=count) for count in range((last - first).days + 1))}
