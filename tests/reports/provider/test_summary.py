"""The provider's own totals: what is asked, how each field is read, and that a total is whole or no total."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.provider.client import Client
from reports.provider.errors import BadPayload, Denied, ProviderError, StuckPaging, Transient
from reports.provider.payloads import Page, RoomTotals, decode, read_summary

from .conftest import KEY, SECRET
from .http_peer import Peer, says

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def room(host_id: Any = "H", **changes: Any) -> dict[str, Any]:
    """A room of the totals as the document has it; a change to ... leaves the field out."""
    told = {
        "host_id": host_id,
        "is_extra": 0,
        "meetings": 3,
        "participants": 12,
        "meeting_minutes": 180,
        "audio_participants": 2,
        "audio_total_duration": 15,
        "total_fee": 0.9,
        **changes,
    }
    return {name: value for name, value in told.items() if value is not ...}


def answer(*rooms: Any, number: Any = 1, total: Any = None, pages: Any = 1, more: Any = False, **data: Any) -> Any:
    paging = {"page_number": number, "total_page": pages, "has_next_page": more}
    paging["total_record"] = len(rooms) if total is None else total
    return {"status": 200, "message": "OK", "data": {**paging, "total_meetings": 3, "rooms": list(rooms), **data}}


def read(told: Any) -> Page:
    return read_summary(decode(json.dumps(told)))


def one(**changes: Any) -> RoomTotals:
    (found,) = read(answer(room(**changes))).records
    assert isinstance(found, RoomTotals)
    return found


def refused(told: Any) -> str:
    with pytest.raises(BadPayload) as caught:
        read(told)
    return caught.value.message


# What is asked -------------------------------------------------------------------------------------


def test_the_days_of_a_month_are_asked_page_by_page(make: Callable[..., Client], peer: Peer) -> None:
    peer.script = [
        says(answer(room("A"), total=2, pages=2, more=True)),
        says(answer(room("B"), number=2, total=2, pages=2)),
    ]
    pages = list(make(page_size=1).summary(FIRST, LAST))
    assert [record.host_id for page in pages for record in page.records] == ["A", "B"]  # type: ignore[union-attr]
    assert all(page.complete for page in pages)
    assert peer.paths == ["/umeeting/share/summary"] * 2
    form = {"from": "2026-03-01", "to": "2026-03-31", "page_size": "1", "api_key": KEY, "api_secret": SECRET}
    assert peer.forms == [form | {"page_number": "1"}, form | {"page_number": "2"}]


@pytest.mark.parametrize("days", [(LAST, FIRST), (FIRST, date(2026, 4, 1)), (date(2025, 3, 1), LAST)])
def test_what_would_be_cut_in_silence_is_not_asked(client: Client, peer: Peer, days: tuple[date, date]) -> None:
    with pytest.raises(ValueError, match="one month"):
        client.summary(*days)
    assert peer.forms == []


def test_rooms_that_were_announced_and_did_not_come(client: Client, peer: Peer) -> None:
    peer.script = [says(answer(room("A"), total=5))]
    (page,) = client.summary(FIRST, LAST)
    assert not page.complete
    assert page.warnings == ("The provider announced 5 records and delivered 1.",)


def test_paging_that_is_stuck(client: Client, peer: Peer) -> None:
    peer.script = [says(answer(room("A"), total=2, pages=2, more=True))]
    with pytest.raises(StuckPaging):
        list(client.summary(FIRST, LAST))


def test_a_room_that_comes_twice_while_its_figures_grow_is_one(client: Client, peer: Peer) -> None:
    peer.script = [
        says(answer(room("A"), total=2, pages=2, more=True)),
        says(answer(room("A", meetings=4), number=2, total=2, pages=2)),
    ]
    pages = list(client.summary(FIRST, LAST))
    assert [page.complete for page in pages] == [True, False]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"status": 401, "message": "api_key is wrong"}, Denied),
        ({"status": 500, "message": "busy"}, Transient),
        ({"status": 200, "data": None}, BadPayload),
        ({"status": 200, "data": []}, BadPayload),
        ({"status": 200, "data": {"meetings": []}}, BadPayload),
    ],
)
def test_failures_are_sorted_as_everywhere(make: Callable[..., Client], peer: Peer, told: Any, kind: Any) -> None:
    peer.script = [says(told)]
    with pytest.raises(ProviderError) as caught:
        list(make(attempts=1).summary(FIRST, LAST))
    assert type(caught.value) is kind


def test_a_secret_in_a_field_is_not_repeated(client: Client, peer: Peer) -> None:
    peer.script = [says(answer(room(meetings=SECRET)))]
    with pytest.raises(BadPayload) as caught:
        list(client.summary(FIRST, LAST))
    assert SECRET not in caught.value.message
    assert "***" in caught.value.message


# How it is read ------------------------------------------------------------------------------------


def test_a_room_as_the_document_has_it() -> None:
    page = read(answer(room(), total_meetings=7))
    assert page.records == (RoomTotals("H", False, 3, 12, 10800, 2, 900, Decimal("0.9")),)
    assert page.total_meetings == 7


def test_a_missing_room_is_a_room_of_its_own() -> None:
    for nothing in (None, "", ..., "  "):
        assert one(host_id=nothing).host_id == ""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0, 0), (1, 60), (1.5, 90), ("2.25", 135), (" 7 ", 420), (100_000_000, 6_000_000_000), (None, None), ("", None)],
)
def test_minutes_whole_or_decimal(value: Any, seconds: int | None) -> None:
    assert one(meeting_minutes=value).meeting_seconds == seconds
    assert one(audio_total_duration=value).audio_total_seconds == seconds


@pytest.mark.parametrize(("value", "count"), [(0, 0), ("12", 12), (12.0, 12), (None, None), (..., None)])
def test_counts(value: Any, count: int | None) -> None:
    assert one(participants=value).participants == count
    assert one(audio_participants=value).audio_participants == count


@pytest.mark.parametrize(
    ("value", "yuan"),
    [
        *((0, "0"), (0.1, "0.1"), ("0.12", "0.12"), ("¥1,234.50", "1234.50"), (12.600000000000001, "12.6")),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_money_is_exact_and_without_the_dust_of_floating_point(value: Any, yuan: str) -> None:
    assert one(total_fee=value).total_fee == Decimal(yuan)
    assert one(total_fee=None).total_fee is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"meetings": ...}, "rooms[0].meetings is missing"),
        ({"meetings": 1.5}, "rooms[0].meetings is '1.5', not a whole number"),
        ({"meetings": -1}, "not a whole number"),
        ({"meetings": True}, "not a whole number"),
        ({"meetings": "many"}, "not a whole number"),
        ({"meetings": 10**12}, "not a whole number"),
        ({"participants": [1]}, "rooms[0].participants"),
        ({"meeting_minutes": "6分钟"}, "rooms[0].meeting_minutes is '6分钟', not a number of minutes"),
        ({"meeting_minutes": -0.5}, "not a number of minutes"),
        ({"audio_total_duration": {}}, "rooms[0].audio_total_duration"),
        ({"total_fee": "free"}, "rooms[0].total_fee is 'free', not an amount of money"),
        ({"total_fee": 1e30}, "rooms[0].total_fee"),
        ({"host_id": "x" * 201}, "rooms[0].host_id"),
        ({"is_extra": "maybe"}, "rooms[0].is_extra"),
    ],
)
def test_one_field_that_cannot_be_read_refuses_the_whole_and_is_named(changes: dict[str, Any], words: str) -> None:
    assert words in refused(answer(room(**changes)))


def test_a_room_that_is_none_and_a_total_that_is_none() -> None:
    assert "rooms[1] is a text, not an object" in refused(answer(room(), "room"))
    assert "total_meetings is 'x'" in refused(answer(room(), total_meetings="x"))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1e9", "¥", "１"])
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
names = st.sampled_from([*room(), "page_number"])


@given(st.lists(st.dictionaries(names, values) | values, max_size=3), st.dictionaries(names, values))
def test_no_answer_raises_anything_else(rooms: list[Any], data: dict[str, Any]) -> None:
    with suppress(ProviderError):
        for record in read_summary({"status": 200, "data": {**data, "rooms": rooms}}).records:
            assert isinstance(record, RoomTotals)
