"""The address bar and the Filter: each says the other exactly, and a wrong value is named."""

from dataclasses import replace
from datetime import date, datetime

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from dashboard import filters
from reports.figures import period
from reports.filter import BOOKED, SERIES, STATES, Filter
from reports.text import fold

TODAY = date(2026, 3, 31)
SORTS = ("start_time", "topic")


def parse(query: str) -> Filter:
    return filters.parse(QueryDict(query), TODAY, SORTS)


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        ("7d", "2026-03-25", "2026-03-31"),
        ("30d", "2026-03-02", "2026-03-31"),
        ("90d", "2026-01-01", "2026-03-31"),
        ("12m", "2025-04-01", "2026-03-31"),
        ("month", "2026-03-01", "2026-03-31"),
        ("last-month", "2026-02-01", "2026-02-28"),
        ("year", "2026-01-01", "2026-03-31"),
    ],
)
def test_presets(preset, first, last):
    found = parse(f"period={preset}")
    assert (str(found.first), str(found.last)) == (first, last)


def test_defaults_and_empty_values():
    assert parse("") == parse("from=&to=&q=&state=&extra=&room=&page=&sort=") == parse("period=30d")
    assert (parse("period=all").first, parse("period=all").last) == (None, None)


def test_own_days_win_over_a_preset_and_open_sides():
    found = parse("from=2026-01-05&to=2026-01-06&period=7d")
    assert (found.first, found.last, found.period) == (date(2026, 1, 5), date(2026, 1, 6), "")
    assert parse("from=2026-01-05").last == TODAY
    assert parse("to=2026-01-05").first is None


@pytest.mark.parametrize(
    "query",
    [
        *("from=2026-02-30", "from=20260201", "to=1.2.2026", "from=2026-02-02&to=2026-02-01", "from=٢٠٢٦-01-01"),
        *("period=week", "state=open", "extra=yes", "calls=2", "compare=x", "sort=nonsense", "page=0", "page=-1"),
        *("page=x", "page=1e3", "page=9999999999", "q=%00", "room=%00", "q=" + "x" * 201, "room=" + "x" * 201),
        *(
            "from=9999-12-31",
            "during=2026-03-09",
            "during=2026-03-09T24",
            "during=2026-03-09T1",
            "during=9999-12-31T23",
        ),
        *("booked=late", "by=name", "present=0", "present=101", "present=x", "number=" + "1" * 201),
    ],
)
def test_a_wrong_value_is_named(query):
    with pytest.raises(filters.BadFilter) as caught:
        parse(query)
    assert str(caught.value).startswith(query.partition("=")[0].split("&")[0])


days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40).map(str.strip)


def whole_hour(moment):
    return moment.replace(minute=0, second=0, microsecond=0)


@given(
    span=st.one_of(
        st.tuples(days, days).map(lambda pair: (min(pair), max(pair), "")),
        st.sampled_from(period.PRESETS).map(lambda name: (*period.preset(name, TODAY), name)),
    ),
    rooms=st.lists(texts.filter(bool), max_size=3, unique=True).map(tuple),
    q=texts,
    state=st.sampled_from(["", *STATES]),
    extra=st.none() | st.booleans(),
    calls=st.none() | st.booleans(),
    weekday=st.none() | st.integers(1, 7),
    hour=st.none() | st.integers(0, 23),
    call=st.tuples(texts, texts, texts),
    name=st.none() | texts.map(fold),
    number=texts,
    topic=st.none() | texts.map(fold),
    during=st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(whole_hour),
    booked=st.sampled_from(["", *BOOKED]),
    by=st.sampled_from(SERIES),
    present=st.integers(1, 100),
    compare=st.booleans(),
    sort=st.sampled_from(["", "topic", "-start_time"]),
    page=st.integers(1, 999),
)
def test_every_filter_survives_the_address_bar(span, call, **parts):
    first, last, preset = span
    kind, country, phone = call
    chosen = Filter(first=first, last=last, period=preset, type=kind, country=country, phone=phone, **parts)
    assert parse(filters.to_query(chosen)) == chosen


@given(
    span=st.sampled_from(["", "from=2026-03-01&to=2026-03-02", "period=all", "period=90d"]),
    rest=st.sampled_from(["", "&q=周例&state=empty", "&extra=1&sort=topic&page=4&compare=1", "&topic=%20&present=80"]),
    rooms=st.lists(texts.filter(bool), max_size=2, unique=True).map(tuple),
    room=texts.filter(bool),
    changes=st.sampled_from([{}, {"sort": "", "compare": False}, {"extra": False}, {"state": "solo"}]),
)
def test_an_address_narrowed_to_a_room_is_that_of_any_other_change(span, rest, rooms, room, changes):
    chosen = replace(parse(span + rest), rooms=rooms)
    narrowed = filters.room_links("/meetings/", chosen, **changes)
    assert narrowed(room) == filters.link("/meetings/", chosen, rooms=(room,), **changes)


def test_a_change_leads_to_the_first_page_and_keeps_the_rest():
    chosen = parse("period=90d&state=empty&page=4")
    assert parse(filters.to_query(chosen, state="solo")) == parse("period=90d&state=solo")
    assert parse(filters.to_query(chosen, first=TODAY, last=TODAY)) == parse(
        "from=2026-03-31&to=2026-03-31&state=empty"
    )


def test_chips_take_away_one_thing_each(db):
    chosen = parse("from=2026-03-01&to=2026-03-02&room=A&room=B&q=x&state=solo&extra=1&calls=0")
    chips = filters.chips("/meetings/", chosen, {"A": "梧桐"})
    assert [(chip.label, chip.value) for chip in chips] == [
        *(("Period", "1 Mar 2026 – 2 Mar 2026"), ("Room", "梧桐"), ("Room", "B"), ("Search", "x")),
        *(("State", "solo"), ("Extra room", "yes"), ("Calls", "no")),
    ]
    left = parse(chips[1].remove_url.partition("?")[2])
    assert (left.rooms, left.q, left.state) == (("B",), "x", "solo")


def test_the_previous_period_has_as_many_days():
    before = parse("from=2026-03-01&to=2026-03-10").previous()
    assert (str(before.first), str(before.last)) == ("2026-02-19", "2026-02-28")
    assert parse("period=all").previous() is None
