"""Sums by statements that are put together of two halves are those of Django's own statements, types and all."""

from typing import Any

import pytest
from django.db.models import Count, F, Max, QuerySet
from hypothesis import given
from hypothesis import strategies as st

from reports import summing
from reports.filter import Filter
from reports.models import Meeting, Participant, TelephonyUsage
from reports.sums import ATTENDEE_SUMS, BOOKING_SUMS, CALL_KEYS, CALL_SUMS, ENDS_BUCKET, MEETING_SUMS, SERIES_KEYS
from tests.support import call, meeting, take, visit

pytestmark = pytest.mark.django_db

FILTERS = (
    Filter(),
    Filter(rooms=("H1",)),
    Filter(q="周例"),
    Filter(q="Anna", rooms=("H0", "H1"), state="ended"),
    Filter(country="CN"),
    Filter(name="anna"),
    Filter(weekday=1, hour=10),
    Filter(allowed_rooms=frozenset({"H0"})),
    Filter(allowed_rooms=frozenset()),
    Filter(uuid="none of them"),
)
OF_MEETINGS = (
    *(["local_day"], ["room_id"], [F("room__host_id")], [ENDS_BUCKET], [SERIES_KEYS["topic"]], [summing.ALL]),
    *(["local_day", "room_id"], [F("meeting_id"), ENDS_BUCKET]),
)
OF_CALLS = (*([key] for key in CALL_KEYS.values()), ["local_day", "phone_number"], [summing.ALL])
OF_VISITS = ([F("name_key")], [F("meeting__local_day")])


@pytest.fixture(autouse=True)
def _ledger() -> None:
    stays = [visit("王伟", "10:00:00", "11:00:00"), visit("Anna", "10:10:00", None)]
    calls = [call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6), call("", "10:20:00", "10:30:00", None, None)]
    take(
        meeting(uuid="a", host_id="H0", topic="周例会", participants=stays, telephony_usage=calls),
        meeting(uuid="b", host_id="H1", start_time="2026-03-10 10:00:00", end_time=None, participants=stays),
        meeting(uuid="c", host_id="H1", start_time="2026-03-11 10:00:00", end_time="2026-03-11 11:00:00"),
        meeting(uuid="d", host_id="T0", is_extra=None, participants=stays[1:], telephony_usage=calls[:1]),
    )


def of_django(rows: "QuerySet[Any, Any]", keys: list[Any], sums: summing.Sums) -> list[tuple[Any, ...]]:
    columns = {f"by_{place}": F(key) if isinstance(key, str) else key for place, key in enumerate(keys)}
    added = {f"of_{name}": expression for name, expression in sums.items()}
    if not rows.exists():
        return []  # by a constant Django has one group of nothing
    return list(rows.values(**columns).annotate(**added).values_list(*columns, *added))


def told(rows: Any) -> list[str]:
    """In one order, with types: 1, 1.0 and True are equal."""
    return sorted(repr(row) for row in rows)


@given(st.sampled_from(FILTERS), st.data())
def test_the_groups_of_any_filter_are_those_of_django(chosen: Filter, data: st.DataObject) -> None:
    first_and_last = {"first": Max("start_time"), "last": Max("local_day"), "count": Count("pk")}
    kinds: tuple[tuple[Any, Any, dict[str, Any]], ...] = (
        (Meeting.objects.matching(chosen), OF_MEETINGS, MEETING_SUMS | BOOKING_SUMS | first_and_last),
        (TelephonyUsage.objects.matching(chosen), OF_CALLS, CALL_SUMS | {"last": Max("local_day")}),
        (Participant.objects.matching(chosen), OF_VISITS, ATTENDEE_SUMS),
    )
    rows, all_keys, all_sums = data.draw(st.sampled_from(kinds))
    keys = data.draw(st.sampled_from(all_keys))
    names = data.draw(st.lists(st.sampled_from(sorted(all_sums)), min_size=1, unique=True))
    sums = {name: all_sums[name] for name in names}
    assert told(summing.groups(rows.order_by(), keys, sums)) == told(of_django(rows.order_by(), keys, sums))


def test_there_is_something_to_compare() -> None:
    assert len(list(summing.groups(Meeting.objects.order_by(), ["room_id"], MEETING_SUMS))) == 3
    assert len(list(summing.groups(TelephonyUsage.objects.order_by(), [CALL_KEYS["room"]], CALL_SUMS))) == 3
    assert len(list(summing.groups(Participant.objects.order_by(), ["name_key"], ATTENDEE_SUMS))) == 2


def test_where_no_row_is_or_can_be_there_is_no_group() -> None:
    for rows in (Meeting.objects.filter(pk=-1), Meeting.objects.none()):
        for key in ("local_day", summing.ALL):
            assert list(summing.groups(rows.order_by(), [key], MEETING_SUMS)) == []


def test_the_first_groups_are_the_largest_and_of_equals_those_with_the_larger_key() -> None:
    bills = {"e": 0.6, "f": 2, "g": 0.6, "h": 0.5}
    for uuid, total in bills.items():
        take(meeting(uuid=uuid, telephony_usage=[call("", "10:20:00", "10:30:00", 10, total)]))
    rows = TelephonyUsage.objects.filter(meeting__uuid__in=bills).order_by()
    uuids = dict(Meeting.objects.values_list("pk", "uuid"))
    for most in range(5):
        first = summing.first_groups(rows, "meeting_id", CALL_SUMS, "cost", most)
        assert [uuids[pk] for pk, *_sums in first] == ["f", "g", "e", "h"][:most]
    assert summing.first_groups(rows.none(), "meeting_id", CALL_SUMS, "cost", 3) == []
