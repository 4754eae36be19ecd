"""What is due, and when again: the settling schedule of numbers and days, and whether a source may be asked.

All of it stands in the database. Nothing here speaks to the provider.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from reports.models import PulledDay, Source, TrackedNumber

# When a number is asked about again while its report settles; after the last step it is settled.
SETTLING = (
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
)
# Numbers are used again, and where dates are not pulled nothing else would tell: settled ones are looked at weekly.
SETTLED = timedelta(days=7)
# A number without any report may stand for a meeting still to come: it never goes to sleep for longer.
WAITING = timedelta(days=1)
RECENT_DAYS = 3
LAST_LOOK = timedelta(days=8)  # reports change afterwards: every day is read once more when it is so old
DAY_WAITS_AT_MOST = timedelta(hours=6)
REFUSED_AGAIN = timedelta(hours=1)


def due_numbers(now: datetime) -> QuerySet[TrackedNumber]:
    """Tracked numbers to ask about now, the longest waiting first."""
    return TrackedNumber.objects.filter(next_due_at__lte=now).order_by("next_due_at", "pk")


def due_days(now: datetime) -> QuerySet[PulledDay]:
    """Days to ask about now, newest first."""
    return PulledDay.objects.filter(next_due_at__lte=now).order_by("-day")


def provider_today(now: datetime) -> date:
    """Today in the provider's zone, by which share/detail counts days."""
    return now.astimezone(ZoneInfo(settings.UMEET_TIME_ZONE)).date()


def schedule_days(first: date, last: date, now: datetime) -> None:
    """Have the days from `first` to `last` (provider's zone, both included) pulled now."""
    _add_missing(first, last, now)
    PulledDay.objects.filter(day__range=(first, last)).exclude(next_due_at__lte=now).update(next_due_at=now)


def _add_missing(first: date, last: date, now: datetime) -> None:
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    known = set(PulledDay.objects.filter(day__range=(first, last)).values_list("day", flat=True))
    fresh = [PulledDay(day=day, next_due_at=now) for day in days if day not in known]
    PulledDay.objects.bulk_create(fresh, batch_size=500, ignore_conflicts=True)


def schedule_recent(now: datetime) -> None:
    """Have today and the two days before pulled now, and, the first time, the history before them."""
    if not settings.UMEET_PULL_DATES:
        return
    today = provider_today(now)
    begin = today - timedelta(days=settings.HISTORY_DAYS - 1)
    # Not only the first time: days may be missing because this machine was off.
    _add_missing(begin, today, now)
    schedule_days(today - timedelta(days=RECENT_DAYS - 1), today, now)


def track(numbers: Iterable[str], now: datetime) -> int:
    """Register meeting numbers to be asked about from now on; returns how many are new."""
    wanted = list(dict.fromkeys(numbers))
    new = 0
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        with transaction.atomic():
            known = set(TrackedNumber.objects.filter(number__in=chunk).values_list("number", flat=True))
            rows = [TrackedNumber(number=number, next_due_at=now) for number in chunk if number not in known]
            TrackedNumber.objects.bulk_create(rows, ignore_conflicts=True)
            new += len(rows)
    return new


def ask_now(now: datetime) -> None:
    """Somebody wants it all now: recent days, rooms, and every number that is not settled."""
    schedule_recent(now)
    TrackedNumber.objects.exclude(state=TrackedNumber.State.SETTLED).filter(next_due_at__gt=now).update(next_due_at=now)
    for name in Source.Name.values:
        source(name)
    Source.objects.update(refused_at=None, failures=0, next_due_at=now)


def source(name: str) -> Source:
    """The row of a source, made when it is first asked for."""
    return Source.objects.get_or_create(name=name)[0]


def is_open(name: str, now: datetime) -> bool:
    """Whether a source may be asked now: neither refused lately nor waiting after failures."""
    row = source(name)
    if row.refused_at is not None:
        return now >= row.refused_at + REFUSED_AGAIN
    return row.failures == 0 or row.next_due_at is None or row.next_due_at <= now


def rooms_are_due(now: datetime) -> bool:
    """Whether the rooms were never pulled, or not within a day."""
    row = source(Source.Name.ROOMS)
    return row.asked_at is None or now - row.asked_at > timedelta(days=1)
