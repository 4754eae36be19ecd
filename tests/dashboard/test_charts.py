"""Chart data: the same values as its table and as the figures, with what is unknown left open."""

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import charts, pool_charts
from dashboard.templatetags import ledger
from reports import csvtable
from reports.figures import usage
from reports.figures.people import Person
from reports.figures.pool import Level, OfSize, WhatIf
from reports.figures.telephony import Calls, Month, add
from reports.figures.usage import Totals
from reports.filter import Filter
from tests.reports.figures.oracle import parts, worlds
from tests.support import examples

DAYS = [date(2026, 3, 8) + timedelta(days=number) for number in range(3)]
CHOSEN = Filter(first=DAYS[0], last=DAYS[-1], state="solo", compare=True, sort="topic", page=4)
TOTALS = [
    Totals(meetings=5, extra=2, used_seconds=5400),
    Totals(),
    Totals(meetings=3, extra=None, used_seconds=None),
]
PAIRS = list(zip(DAYS, TOTALS, strict=True))


def query(url):
    return parse_qs(urlsplit(url).query)


def columns(chart):
    """Table columns without the first, as lists."""
    return [list(column) for column in zip(*chart.table_rows, strict=True)][1:]


def check(chart, urls):
    """Labels, links and rows are of one length, and the table's rows lead where the bars do."""
    assert len(chart.data["labels"]) == len(chart.table_rows) == len(urls)
    assert chart.data["links"] == list(chart.row_urls) == urls
    for dataset in chart.data["datasets"]:
        assert len(dataset["data"]) == len(urls)
    assert {len(row) for row in chart.table_rows} <= {len(chart.table_head)}


def test_meetings_a_day():
    chart = charts.meetings_a_day(charts.bars(PAIRS, []), CHOSEN, "/meetings/", "/days.csv")
    check(chart, chart.data["links"])
    assert chart.data["labels"] == ["2026-03-08", "2026-03-09", "2026-03-10"]
    assert [one["data"] for one in chart.data["datasets"]] == [[3, 0, 3], [2, 0, None]]
    assert [row[0] for row in chart.table_rows] == ["8 Mar 2026", "9 Mar 2026", "10 Mar 2026"]
    assert columns(chart)[1:] == [["2", "0", "–"], ["5", "0", "3"]]
    assert query(chart.data["links"][1]) == {
        "from": ["2026-03-09"],
        "to": ["2026-03-09"],
        "state": ["solo"],
        "sort": ["topic"],
    }
    assert chart.csv_url == "/days.csv"


def test_the_previous_period_is_a_line_beside_the_bars():
    before = [(day - timedelta(days=3), Totals(meetings=9, used_seconds=None)) for day in DAYS]
    chart = charts.meetings_a_day(charts.bars(PAIRS, before), CHOSEN, "/", "")
    check(chart, chart.data["links"])
    assert (chart.data["datasets"][2]["data"], chart.data["datasets"][2]["kind"]) == ([9, 9, 9], "line")
    assert columns(chart)[3] == ["9", "9", "9"]
    chart = charts.used_hours_a_day(charts.bars(PAIRS, before), CHOSEN, "/", "")
    check(chart, chart.data["links"])
    assert chart.data["datasets"][1]["data"] == [None, None, None]
    assert columns(chart)[1] == ["–", "–", "–"]


def test_used_hours_a_day_leave_open_what_is_unknown():
    chart = charts.used_hours_a_day(charts.bars(PAIRS, []), CHOSEN, "/", "")
    check(chart, chart.data["links"])
    assert chart.data["datasets"][0]["data"] == [1.5, 0.0, None]
    assert columns(chart) == [["1.50", "0.00", "–"]]


@given(st.none() | st.integers(0, 10**7) | st.integers(0, 10**5).map(lambda number: number * 18))
def test_a_bar_its_table_and_the_csv_round_alike(seconds):
    drawn = charts.bars([(DAYS[0], Totals(meetings=1, used_seconds=seconds))], [])
    chart = charts.used_hours_a_day(drawn, CHOSEN, "/", "")
    value, written = chart.data["datasets"][0]["data"][0], csvtable.hours(seconds)
    assert ("" if value is None else f"{value:.2f}") == written
    assert chart.table_rows[0][1].replace(",", "") == (written or "–")


def test_cost_by_month():
    def calls(cost, unpriced=0):
        return Calls(1, 60, None if cost is None else Decimal(cost), unpriced)

    by_type = {"call-out": calls("0.3"), "": calls(None, 1)}
    months = [
        Month(date(2026, 1, 1), Calls(), {}),
        Month(date(2026, 2, 1), add(by_type.values()), by_type),
        Month(date(2026, 3, 1), calls(None, 1), {"call-out": calls(None, 1)}),
    ]
    chosen = Filter(first=date(2026, 1, 10), last=date(2026, 3, 9), sort="-cost")
    chart = charts.cost_by_month(months, chosen, "/telephony/", "")
    check(chart, chart.data["links"])
    assert chart.data["labels"] == ["2026-01", "2026-02", "2026-03"]
    out, silent = chart.data["datasets"]
    # A month without calls costs nothing; one whose calls have no price costs nobody knows what.
    assert (out["label"], out["data"]) == ("call-out", [0.0, 0.3, None])
    assert (silent["label"], silent["data"]) == ("not told", [0.0, None, 0.0])
    assert columns(chart) == [
        ["¥0.00", "¥0.30", "–"],
        ["¥0.00", "–", "¥0.00"],
        ["¥0.00", "¥0.30", "–"],
        ["0", "2", "1"],
        ["0", "1", "1"],
    ]
    spans = [(*query(url)["from"], *query(url)["to"]) for url in chart.row_urls]
    assert spans == [("2026-01-10", "2026-01-31"), ("2026-02-01", "2026-02-28"), ("2026-03-01", "2026-03-09")]
    assert all("sort" not in query(url) for url in chart.row_urls)
    assert [query(url)["type"] for url in silent["links"]] == [["-"]] * 3
    assert [query(url)["type"] for url in out["links"]] == [["call-out"]] * 3


def test_cost_by_month_without_calls_has_its_usual_bars():
    chart = charts.cost_by_month([Month(date(2026, 1, 1), Calls(), {})], Filter(), "/telephony/", "")
    assert [one["label"] for one in chart.data["datasets"]] == ["call-in", "call-out"]


def test_attendance_by_month():
    months = [(date(2026, 2, 1), Person("a", meetings=2, seconds=5454, late=1)), (date(2026, 3, 1), Person("a"))]
    chart = charts.attendance_by_month(months, Filter(first=date(2026, 2, 5), last=date(2026, 3, 9)), "/people/a/", "")
    check(chart, chart.data["links"])
    assert chart.data["datasets"][0]["data"] == [1.52, 0.0]
    assert chart.table_rows == [["Feb 2026", "1.52", "2", "1"], ["Mar 2026", "0.00", "0", "0"]]
    assert query(chart.row_urls[0]) == {"from": ["2026-02-05"], "to": ["2026-02-28"]}


def test_a_direction_is_said_as_readers_say_it():
    assert [ledger.call_type(kind) for kind in ("call-in", "CALL-OUT", "", "fax")] == [
        *("call-in", "call-out", "not told", "fax")
    ]
    assert ledger.UNKNOWN == "–"


@pytest.mark.parametrize(
    ("count", "step", "axis_title"), [(110, "day", "day"), (111, "week", "week"), (800, "month", "month")]
)
def test_a_bar_of_a_long_period_is_a_week_or_a_month_and_nothing_is_lost(count, step, axis_title):
    begin = date(2024, 2, 28)  # a Wednesday
    days = [(begin + timedelta(days=n), Totals(meetings=n, extra=n % 3, used_seconds=36 * n)) for n in range(count)]
    before = [(day - timedelta(days=count), totals) for day, totals in days]
    found_step, found = charts.bars(days, before)
    assert found_step == step
    assert len(found) <= charts.MOST_BARS
    # One after the other, from the first day to the last.
    assert (found[0].first, found[-1].last) == (days[0][0], days[-1][0])
    assert all(one.last + timedelta(days=1) == two.first for one, two in itertools.pairwise(found))
    assert sum(one.totals.meetings for one in found) == sum(totals.meetings for _day, totals in days)
    assert sum(one.earlier.used_seconds for one in found) == sum(totals.used_seconds for _day, totals in days)
    if step == "week":
        assert {one.first.weekday() for one in found[1:]} == {0}
    for make in (charts.meetings_a_day, charts.used_hours_a_day):
        chart = make(charts.bars(days, before), CHOSEN, "/meetings/", "")
        check(chart, chart.data["links"])
        assert step in chart.title
        assert query(chart.data["links"][-1])["to"] == [days[-1][0].isoformat()]


def test_a_week_of_which_no_day_tells_is_unknown():
    days = [(date(2026, 1, 5) + timedelta(days=n), Totals()) for n in range(120)]
    silent = Totals(meetings=1, unreported=1, used_seconds=None, extra=None)
    days[1] = (days[1][0], silent)
    days[8] = (days[8][0], silent)
    days[9] = (days[9][0], Totals(meetings=2, used_seconds=60))
    _step, found = charts.bars(days, [])
    assert [one.totals.used_seconds for one in found[:3]] == [None, 60, 0]
    assert [one.totals.meetings for one in found[:3]] == [1, 3, 0]


@pytest.mark.django_db
@examples(40)
@given(world=worlds(), chosen=parts())
def test_several_days_add_up_to_what_they_are_at_once(db, world, chosen):
    with world.kept():
        every = Filter(**chosen)
        days = usage.days(every, world.now)
        for begin in range(0, len(days), 3):
            some = days[begin : begin + 3]
            whole = usage.totals(replace(every, first=some[0][0], last=some[-1][0]), world.now)
            assert usage.together(totals for _day, totals in some) == whole


def test_a_day_with_nothing_but_calls_tells_nothing_of_meetings():
    silent = Totals(
        *(2, None),
        unreported=2,
        used_seconds=None,
        attendees=None,
        attendee_seconds=None,
        visits=None,
        calls=None,
        call_seconds=None,
        call_cost=None,
        unpriced_calls=None,
    )
    called = Totals(calls=3, call_seconds=None, call_cost=Decimal("0.60"), unpriced_calls=1)
    both = usage.together([called, silent, Totals()])
    assert both == silent._replace(calls=3, call_seconds=None, call_cost=Decimal("0.60"), unpriced_calls=1)
    # Nor does one without calls know how long the others' were.
    assert usage.together([called, Totals(meetings=1)]).call_seconds is None
    assert usage.together([silent, Totals(meetings=1)]).calls == 0
    assert usage.together([Totals(), Totals()]) == Totals()


# Very many rooms at once ---------------------------------------------------------------------------------


def many_levels(top):
    """Levels from none to `top` rooms: a different length at each, and a meeting that began beside each number."""
    asked = WhatIf(top, dict.fromkeys(range(top), 1))
    lengths = [60 * (rooms + 1) for rooms in range(top + 1)]
    least = list(itertools.accumulate(lengths[::-1]))[::-1]
    return asked, [
        Level(rooms, length, least[rooms], length // 2, asked.without(rooms), datetime(2026, 3, 9, rooms % 24))
        for rooms, length in enumerate(lengths)
    ]


def hour_link(hour):
    return f"/meetings/?during={hour:%H}"


@given(top=st.integers(1, 2500), size=st.none() | st.integers(1, 2600))
def test_of_very_many_rooms_some_go_together_and_no_hour_is_lost(top, size):
    _asked, levels = many_levels(top)
    chart = pool_charts.hours_at_levels(levels, size, hour_link, "/pool.csv")
    labels = chart.data["labels"]
    assert len(labels) <= charts.MOST_BARS
    # The bars follow one another without a gap, and hold all the time there was.
    spans = [[int(end) for end in label.split("–")] for label in labels]
    assert spans[0][0] == 0
    assert all(after[0] == before[-1] + 1 for before, after in itertools.pairwise(spans))
    assert spans[-1][-1] == pool_charts._axis(levels, size)
    for place, span in enumerate(spans):
        inside = levels[span[0] : span[-1] + 1]
        drawn = sum(one["data"][place] or 0 for one in chart.data["datasets"])
        assert drawn == pytest.approx(sum(one.seconds for one in inside) / 3600, abs=0.02)
        if inside:
            row = chart.table_rows[place]
            assert row[1:] == [
                ledger.hours2(sum(one.seconds for one in inside)),
                ledger.hours2(sum(one.opening_seconds for one in inside)),
                ledger.hours2(inside[0].at_least_seconds),
            ]
            assert chart.data["links"][place] == (hour_link(inside[-1].hour) if inside[-1].rooms else "")
    if (size or top) < top:
        short = chart.data["datasets"][2]["data"]
        assert sum(value or 0 for value in short) == pytest.approx(
            levels[size].at_least_seconds / 3600, abs=0.01 * len(short)
        )
    assert len(chart.table_rows) == len(chart.data["links"]) == sum(span[0] <= top for span in spans)
    assert ("the CSV has each" in chart.description) == (len(labels) < spans[-1][-1] + 1)


@given(top=st.integers(1, 2500), size=st.none() | st.integers(1, 2600))
def test_a_curve_over_very_many_rooms_has_the_points_that_are_spoken_of(top, size):
    asked, levels = many_levels(top)
    chart = pool_charts.what_if(levels, asked, size, "rented", hour_link, "/pool.csv")
    places = [int(label) for label in chart.data["labels"]]
    curve, enough, *rented = chart.data["datasets"]
    assert places == sorted(set(places))
    assert len(places) <= charts.MOST_BARS + 4
    assert (places[0], places[-1]) == (0, pool_charts._axis(levels, size))
    assert top in places
    assert curve["data"] == [asked.without(rooms) for rooms in places]
    assert [rooms for rooms, value in zip(places, enough["data"], strict=True) if value is not None] == [
        asked.rooms_for(990)
    ]
    for one in rented:
        assert [rooms for rooms, value in zip(places, one["data"], strict=True) if value is not None] == [size]
    assert bool(rented) == bool(size and size <= places[-1])
    assert [row[0] for row in chart.table_rows] == [ledger.count(rooms) for rooms in places if rooms <= top]
    assert len(chart.table_rows) == len(chart.data["links"])


def test_a_curve_of_each_size_is_thinned_too():
    many, few = (many_levels(top)[0] for top in (700, 30))
    sizes = [OfSize("size", seats, 5, [], 9, 0, asked) for seats, asked in ((10, many), (50, few))]
    chart = pool_charts.what_if_by_size(sizes, "/sizes.csv")
    places = [int(label) for label in chart.data["labels"]]
    assert places == [*range(0, 700, 10), 700]
    assert chart.data["datasets"][1]["data"][:5] == [100, 66.7, 33.3, 0, 0]
    assert [row[0] for row in chart.table_rows] == [ledger.count(rooms) for rooms in places]
