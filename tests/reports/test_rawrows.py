"""Rows as the driver gives them: what is converted is what Django's own rows are, types and all."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest
from django.db.models import BooleanField, Case, F, Max, Min, QuerySet, Value, When

from reports import rawrows
from reports.models import Meeting, TelephonyUsage
from reports.sums import BOOKING_SUMS, CALL_SUMS, MEETING_SUMS
from tests.support import call, meeting, take, visit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ledger() -> None:
    stays = [visit("王伟", "10:00:00", "11:00:00"), visit("Anna", "10:10:00", None)]
    calls = [call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6), call("", "10:20:00", "10:30:00", None, None)]
    take(
        meeting(uuid="a", participants=stays, telephony_usage=calls),
        meeting(uuid="b", start_time="2026-03-10 10:00:00", end_time=None, participants=stays),
        meeting(uuid="c", start_time="2026-03-11 10:00:00", end_time="2026-03-11 11:00:00", is_extra=None),
    )


def by_day(rows: "QuerySet[Any, Any]", sums: dict[str, Any]) -> "QuerySet[Any, Any]":
    named = {f"sum_{name}": expression for name, expression in sums.items()}
    return rows.order_by("local_day").values(key_=F("local_day")).annotate(**named).values_list("key_", *named)


def told(rows: Iterable[Any]) -> list[list[tuple[type, Any]]]:
    """Values with their types: 1, 1.0 and True are equal, and so are moments of whatever zone."""
    return [[(type(value), value) for value in row] for row in rows]


def test_sums_days_moments_truth_and_money_are_as_django_gives_them() -> None:
    truth = Case(When(end_time=None, then=Value(True)), default=Value(False), output_field=BooleanField())
    first_and_last = {"first": Min("start_time"), "last": Max("end_time"), "day": Max("local_day")}
    for rows, sums in (
        (Meeting.objects.all(), MEETING_SUMS | BOOKING_SUMS | first_and_last),
        (TelephonyUsage.objects.all(), CALL_SUMS | {"last": Max("local_day")}),
    ):
        query = by_day(rows, sums)
        assert told(rawrows.converted(rawrows.statement(query))) == told(query)
        assert list(query)
    query = Meeting.objects.order_by("uuid").values_list("uuid", truth, "is_extra", "local_day", "call_cost")
    assert told(rawrows.converted(rawrows.statement(query))) == told(query)
    assert [row[1] for row in rawrows.converted(rawrows.statement(query))] == [False, True, False]


def test_where_no_row_is_there_is_none() -> None:
    query = by_day(Meeting.objects.filter(local_day=date(1999, 1, 1)), MEETING_SUMS)
    assert list(rawrows.converted(rawrows.statement(query))) == []
