"""Where a month is going: against plain Python, and never with more certainty than there is."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import mean

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from reports.figures import telephony
from reports.figures.forecast import forecast, of_month
from reports.filter import Filter
from reports.models import Meeting, TelephonyUsage
from tests.support import examples, meeting, take

pytestmark = pytest.mark.django_db
few = examples(25)
NOW = datetime(2026, 3, 18, 4, 0, tzinfo=UTC)  # a Wednesday, noon in Shanghai
TODAY = date(2026, 3, 18)
EVERYTHING = Filter()


def keep(costs: Mapping[date, Sequence[Decimal | None]], begin: date | None = None) -> None:
    """Calls with these costs on these days; begin: the first day that the ledger knows of."""
    Meeting.objects.all().delete()
    take(meeting(uuid="first", start_time=f"{begin or min(costs)} 09:00:00", end_time=None, telephony_usage=[]))
    (kept,) = Meeting.objects.all()
    TelephonyUsage.objects.bulk_create(
        TelephonyUsage(
            meeting=kept, place=place, local_day=day, total=cost, type="call-out" if place % 2 else "call-in"
        )
        for place, (day, cost) in enumerate((day, cost) for day, some in costs.items() for cost in some)
    )


def days(count: int, last: date = TODAY - timedelta(days=1)) -> list[date]:
    return [last - timedelta(days=back) for back in range(count)]


money = st.decimals(0, 500, places=2)
daily = st.dictionaries(
    st.sampled_from(days(60, TODAY)), st.lists(st.one_of(money, st.none()), min_size=1, max_size=3), min_size=1
)


@few
@given(costs=daily)
def test_it_is_the_weekday_means_of_eight_weeks_on_top_of_what_was_spent(db, costs):
    keep(costs, TODAY - timedelta(days=80))
    found = forecast(EVERYTHING, NOW)
    spent: dict[date, Decimal | None] = {}
    for day, some in costs.items():
        known = [cost for cost in some if cost is not None]
        spent[day] = sum(known, Decimal(0)) if known else None
    this_month = [spent[day] for day in spent if day.month == 3]
    if this_month and all(cost is None for cost in this_month):
        assert found is None
        return
    assert found is not None
    by_weekday = defaultdict(list)
    for day in days(56):
        if (cost := spent.get(day, Decimal(0))) is not None:
            by_weekday[day.weekday()].append(cost)
    so_far = sum((cost for cost in this_month if cost is not None), Decimal(0))
    everything = [cost for some in by_weekday.values() for cost in some]
    means = {weekday: mean(by_weekday[weekday] or everything) for weekday in range(7)}
    today = max(Decimal(0), means[TODAY.weekday()] - (spent.get(TODAY) or 0))
    rest = today + sum(means[date(2026, 3, day).weekday()] for day in range(TODAY.day + 1, 32))
    assert abs(found.likely - so_far - rest) < Decimal("0.02")
    assert found.so_far == so_far == (telephony.total(of_month(EVERYTHING, NOW)).cost or 0)
    assert found.so_far <= found.least <= found.likely <= found.most
    assert found.unpriced == sum(cost is None for day, some in costs.items() if day.month == 3 for cost in some)
    assert (found.first, found.last) == (date(2026, 3, 1), date(2026, 3, 31))


def test_days_that_are_all_alike_leave_no_doubt(db):
    keep({day: [Decimal("10.00")] for day in days(56)})
    found = forecast(EVERYTHING, NOW)
    # Seventeen days at 10, today, and thirteen to come.
    assert (found.so_far, found.likely) == (Decimal("170.00"), Decimal("310.00"))
    assert found.least == found.likely == found.most


def test_a_day_that_has_cost_its_mean_already_adds_nothing(db):
    costs = {day: [Decimal("10.00")] for day in days(56)}
    keep(costs | {TODAY: [Decimal("25.00")]})
    assert forecast(EVERYTHING, NOW).likely == Decimal("325.00")
    keep(costs | {TODAY: [Decimal("4.00")]})
    assert forecast(EVERYTHING, NOW).likely == Decimal("310.00")


def test_the_range_is_wider_the_more_days_differ_and_the_more_are_to_come(db):
    wild = {day: [Decimal(20 if day.toordinal() // 7 % 2 else 0)] for day in days(56)}
    keep(wild)
    found = forecast(EVERYTHING, NOW)
    assert found.so_far < found.least < found.likely < found.most
    late = forecast(EVERYTHING, NOW + timedelta(days=8))
    assert late.most - late.least < found.most - found.least


@pytest.mark.parametrize(("known", "is_there"), [(13, False), (14, True)])
def test_it_takes_fourteen_days_of_history(db, known, is_there):
    keep({day: [Decimal("1.00")] for day in days(known)})
    assert (forecast(EVERYTHING, NOW) is not None) is is_there


def test_days_before_the_ledger_begins_are_not_free(db):
    keep({day: [Decimal("10.00")] for day in days(21)})
    # 310, not the 10 × 21/56 a day that zeros before would make of it.
    assert forecast(EVERYTHING, NOW).likely == Decimal("310.00")


def test_without_a_price_there_is_none_and_unpriced_calls_are_told(db):
    keep({day: [None] for day in days(40)})
    assert forecast(EVERYTHING, NOW) is None
    keep({day: [Decimal("10.00")] for day in days(40)} | {date(2026, 3, 5): [Decimal("10.00"), None, None]})
    assert forecast(EVERYTHING, NOW).unpriced == 2


def test_it_is_about_the_calls_of_the_filter_in_the_month_of_the_moment_whatever_its_days(db):
    keep({day: [Decimal("4.00"), Decimal("6.00")] for day in days(56)})
    narrow = Filter(first=date(2025, 1, 1), last=date(2025, 1, 2), type="call-in")
    some, whole = forecast(narrow, NOW), forecast(EVERYTHING, NOW)
    assert some.so_far == Decimal("68.00")
    assert whole.so_far == Decimal("170.00")


def test_the_month_is_that_of_the_local_day(db):
    keep({day: [Decimal("1.00")] for day in days(40)})
    moment = datetime(2026, 3, 31, 17, 0, tzinfo=UTC)  # 1 April in Shanghai
    with time_machine.travel(moment):
        assert forecast(EVERYTHING, moment).first == date(2026, 4, 1)
