"""Where the telephony cost of a month is going: what it cost so far, and what its other days are likely to add."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import fmean, variance

from django.db.models import Count, Q, Sum

from reports.figures.period import first_meeting, month_end, today
from reports.filter import Filter
from reports.models import TelephonyUsage

WEEKS = 8
LEAST_DAYS = 14
# Of a normal distribution, 80 % lie within so many standard deviations of its mean.
SPREAD = 1.2815515655446004
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The cost of one month as far as it is known, and as it is likely to end. Yuan.

    so_far: of the month's calls up to now. likely: the whole month; with a chance of 80 % it ends between
    least and most. unpriced: calls of the month without a price, of which none of these knows anything.
    """

    first: date
    last: date
    so_far: Decimal
    likely: Decimal
    least: Decimal
    most: Decimal
    unpriced: int


def of_month(chosen: Filter, now: datetime) -> Filter:
    """The same filter over the local month of a moment."""
    first = today(now).replace(day=1)
    return replace(chosen, first=first, last=month_end(first), period="", compare=False)


def forecast(chosen: Filter, now: datetime) -> Forecast | None:
    """How the month of `now` is likely to end for the calls of a filter; its days are left aside.

    Each day to come costs what its weekday cost on average in the eight whole weeks before today, days
    without a call included; today is expected to reach that average. None with fewer than fourteen days of
    history, or where calls were made and none has a price.
    """
    here = today(now)
    first, last = here.replace(day=1), month_end(here)
    begin = here - timedelta(weeks=WEEKS)
    rows = {
        row["local_day"]: row
        for row in TelephonyUsage.objects.matching(replace(of_month(chosen, now), first=min(begin, first)))
        .order_by()
        .values("local_day")
        .annotate(cost=Sum("total"), unpriced=Count("pk", filter=Q(total=None)))
    }
    known = first_meeting(chosen)
    days = [begin + timedelta(days=count) for count in range(7 * WEEKS)]
    # A day that the ledger does not reach back to is not a day without calls.
    days = [day for day in days if known is not None and day >= known]
    if len(days) < LEAST_DAYS:
        return None

    def cost(day: date) -> Decimal | None:
        return rows[day]["cost"] if day in rows else Decimal(0)

    by_weekday: list[list[float]] = [[] for _ in range(7)]
    for day in days:
        if (spent := cost(day)) is not None:
            by_weekday[day.weekday()].append(float(spent))
    spent_days = [row["cost"] for day, row in rows.items() if day >= first]
    if not any(by_weekday) or (spent_days and all(one is None for one in spent_days)):
        return None
    so_far = sum((one for one in spent_days if one is not None), Decimal(0))
    rest, spread = _rest(by_weekday, here, last, float(cost(here) or 0))
    return Forecast(
        first=first,
        last=last,
        so_far=so_far,
        likely=so_far + _cents(rest),
        least=so_far + _cents(max(0.0, rest - SPREAD * spread)),
        most=so_far + _cents(rest + SPREAD * spread),
        unpriced=sum(row["unpriced"] for day, row in rows.items() if day >= first),
    )


def _rest(by_weekday: Sequence[Sequence[float]], here: date, last: date, so_far: float) -> tuple[float, float]:
    """What the days from today to the last are expected to add, and the standard deviation of that.

    by_weekday: costs of whole days, Monday's first; so_far: what today has cost. A weekday of which no cost is
    known is taken for an average day. Of today only the part counts that is still to come.
    """
    all_days = [value for values in by_weekday for value in values]
    known = [values or all_days for values in by_weekday]
    mean = fmean(known[here.weekday()])
    # How many days of each weekday are to come.
    to_come = [0.0] * 7
    to_come[here.weekday()] = max(0.0, 1 - so_far / mean) if mean else 0.0
    for count in range(1, (last - here).days + 1):
        to_come[(here + timedelta(days=count)).weekday()] += 1
    rest = spread = 0.0
    for days, values in zip(to_come, known, strict=True):
        rest += days * fmean(values)
        if len(values) > 1:
            # Days differ from their mean each for itself, and all of them from a mean of so few days alike.
            spread += variance(values) * (days + days**2 / len(values))
    return rest, spread**0.5


def _cents(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(CENT, ROUND_HALF_UP)
