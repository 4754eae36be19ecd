"""What is due, and when again: the settling schedule of numbers and days, and whether a source may be asked.

All of it stands in the database. Nothing here speaks to the provider.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from reports import access
from reports.models import Meeting, ProviderPeriod, PulledDay, Source, TrackedNumber

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
    begin = today - timedelta(days=access.history_days() - 1)
    # Not only the first time: days may be missing because this machine was off.
    _add_missing(begin, today, now)
    schedule_days(today - timedelta(days=RECENT_DAYS - 1), today, now)


def reach_back(days: int, now: datetime) -> None:
    """Have pulls by date go so many days back, from now on; older days that were never pulled are not asked."""
    access.keep_history_days(days)
    begin = provider_today(now) - timedelta(days=days - 1)
    PulledDay.objects.filter(day__lt=begin, asked_at=None, lease_until=None).delete()
    schedule_recent(now)


# The provider's totals ------------------------------------------------------------------------------


def month_of(day: date) -> tuple[date, date]:
    """The first and the last day of a day's month."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def provider_midnight(day: date) -> datetime:
    """The moment a day of the provider's begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(settings.UMEET_TIME_ZONE)).astimezone(UTC)


def due_periods(now: datetime) -> QuerySet[ProviderPeriod]:
    """Months and days to ask share/summary about now: newest first, and a month before its days."""
    return ProviderPeriod.objects.filter(next_due_at__lte=now).order_by("-last", "first")


def compared_since(now: datetime) -> date | None:
    """The first day that totals can be compared for: the oldest day that was pulled or is due, and is kept.

    A month that the retention has begun to empty is left out as a whole. None: no day is pulled.
    """
    first = PulledDay.objects.order_by("day").values_list("day", flat=True).first()
    if first is None or settings.RETENTION_DAYS is None:
        return first
    emptied = provider_today(now - timedelta(days=settings.RETENTION_DAYS))
    return first if first > emptied else month_of(emptied)[1] + timedelta(days=1)


def schedule_totals(now: datetime, *, again: bool = False) -> None:
    """Have the provider's totals asked of this month and the last, and of each older one once its days are whole.

    again: of this month and the last also before their day is over.
    """
    if not settings.UMEET_PULL_DATES:
        return
    since, today = compared_since(now), provider_today(now)
    if since is None:
        return
    recent = recent_months(now)
    pulled: dict[date, list[bool]] = {}
    for day, complete in PulledDay.objects.filter(day__range=(since, today)).values_list("day", "complete_at"):
        pulled.setdefault(day.replace(day=1), []).append(complete is not None)

    def whole(month: date) -> bool:
        first, last = month_of(month)
        return sum(pulled[month]) == (min(last, today) - max(first, since)).days + 1

    wanted = [month for month in pulled if month in recent or whole(month)]
    known = set(ProviderPeriod.objects.filter(first__in=wanted).values_list("first", "last"))
    spans = [span for month in sorted(wanted, reverse=True) if (span := month_of(month)) not in known]
    ProviderPeriod.objects.bulk_create(
        [ProviderPeriod(first=first, last=last, next_due_at=now) for first, last in spans], ignore_conflicts=True
    )
    if again:
        ask_totals([month_of(month) for month in recent if month in pulled], now)


def recent_months(now: datetime) -> tuple[date, date]:
    """The first days of this month and of the last, whose totals are asked daily."""
    this = provider_today(now).replace(day=1)
    return this, (this - timedelta(days=1)).replace(day=1)


def wake_totals(now: datetime) -> None:
    """Have a settled month asked again when something of it changed here since, or older days of it were pulled."""
    since = compared_since(now)
    if since is None or not settings.UMEET_PULL_DATES:
        return
    settled = ProviderPeriod.objects.filter(next_due_at=None, last__gte=since).exclude(first=F("last"))
    for period in settled.exclude(sent_at=None):
        begin, end = provider_midnight(period.first), provider_midnight(period.last + timedelta(days=1))
        meetings = Meeting.objects.filter(start_time__gte=begin, start_time__lt=end)
        earlier = period.asked_first is not None and max(since, period.first) < period.asked_first
        if earlier or meetings.filter(changed_at__gte=period.sent_at).exists():
            ask_totals([(period.first, period.last)], now)


def ask_totals(spans: Collection[tuple[date, date]], now: datetime) -> None:
    """Have the provider's totals of these periods asked now."""
    known = set(ProviderPeriod.objects.filter(first__in=[first for first, _ in spans]).values_list("first", "last"))
    fresh = [ProviderPeriod(first=span[0], last=span[1], next_due_at=now) for span in spans if span not in known]
    ProviderPeriod.objects.bulk_create(fresh, ignore_conflicts=True)
    for first, last in known.intersection(spans):
        waiting = ProviderPeriod.objects.filter(first=first, last=last).exclude(next_due_at__lte=now)
        waiting.update(next_due_at=now)


def ask_for(days: Iterable[date], months: Collection[tuple[date, date]], now: datetime) -> None:
    """Somebody wants these days pulled and these months' totals asked now, whatever the sources wait for."""
    for day in days:
        schedule_days(day, day, now)
    ask_totals(months, now)
    _open((Source.Name.DATES, Source.Name.SUMMARY), now)


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
    schedule_totals(now, again=True)
    TrackedNumber.objects.exclude(state=TrackedNumber.State.SETTLED).filter(next_due_at__gt=now).update(next_due_at=now)
    _open(Source.Name.values, now)


def open_sources(now: datetime) -> None:
    """Have every source asked at once, whatever it waits for: the key is a new one."""
    _open(Source.Name.values, now)


def _open(names: Collection[str], now: datetime) -> None:
    """Have sources asked at once that were refused or wait after failures."""
    for name in names:
        source(name)
    Source.objects.filter(name__in=names).update(refused_at=None, failures=0, next_due_at=now)


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
