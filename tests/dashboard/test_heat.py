"""The hours of the week as colours by rank."""

import itertools
from bisect import bisect_right
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from dashboard.heat import LEVELS, heat, thresholds
from reports.figures.occupancy import Hour
from reports.filter import Filter

counts = st.lists(st.integers(0, 9) | st.integers(0, 10_000), max_size=168)


def level(values, value):
    return bisect_right(thresholds(values), value)


@given(counts)
def test_none_is_level_zero_and_any_is_one_of_the_levels(values):
    steps = thresholds(values)
    assert steps == sorted(set(steps))
    assert len(steps) <= LEVELS
    for value in values:
        assert (level(values, value) == 0) == (value == 0)
        assert level(values, value) <= LEVELS
    if any(values):
        assert steps[0] == min(value for value in values if value)
        assert level(values, max(values)) == len(steps)


@given(counts, st.integers(0, 10_000), st.integers(0, 10_000))
def test_more_meetings_are_never_paler(values, one, other):
    assert level(values, min(one, other)) <= level(values, max(one, other))


@given(st.lists(st.integers(1, 10_000), min_size=LEVELS, max_size=168, unique=True))
def test_the_levels_part_the_hours_into_equal_numbers(values):
    found = [level(values, value) for value in values]
    sizes = [found.count(number) for number in range(1, LEVELS + 1)]
    assert sum(sizes) == len(values)
    assert max(sizes) - min(sizes) <= 1


def test_an_outlier_does_not_wash_out_the_others():
    values = [1, 2, 3, 4, 5, 6, 5000]
    assert [level(values, value) for value in values] == [1, 2, 3, 4, 5, 6, 6]
    assert thresholds([7, 7, 7]) == [7]
    assert thresholds([0, 0]) == thresholds([]) == []


def test_the_grid_has_every_hour_and_leads_to_its_meetings():
    hours = [
        Hour(day, hour, (day * hour) % 5, day * 100 + hour) for day, hour in itertools.product(range(1, 8), range(24))
    ]
    found = heat(hours, Filter(period="30d", state="solo", sort="topic", compare=True), "/meetings/", "/hours.csv")
    assert [(name, short) for name, short, _cells in found.rows][::6] == [("Monday", "Mon"), ("Sunday", "Sun")]
    assert found.hours == list(range(24))
    assert found.total == sum(one.meetings for one in hours)
    assert found.steps == thresholds([one.meetings for one in hours])
    cells = [(day, cell) for day, (_name, _short, row) in enumerate(found.rows, 1) for cell in row]
    assert [(day, cell.hour, cell.meetings, cell.open_seconds) for day, cell in cells] == [tuple(one) for one in hours]
    for day, cell in cells:
        assert cell.level == level([one.meetings for one in hours], cell.meetings)
        wanted = {"weekday": [str(day)], "hour": [str(cell.hour)], "state": ["solo"]} if cell.meetings else {}
        assert parse_qs(urlsplit(cell.url).query) == wanted
