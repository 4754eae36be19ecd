"""The hours of the week as a table whose colours an outlier cannot wash out."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import dates

from dashboard.filters import link
from reports.figures.occupancy import Hour
from reports.filter import Filter

LEVELS = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the week. level: 0 for none, else 1 to LEVELS by its rank among the hours that have any."""

    hour: int
    meetings: int
    open_seconds: int
    level: int
    url: str


@dataclass(frozen=True, slots=True)
class Heat:
    """The grid: (name of the weekday, its short form, its cells), and the values at which each level begins."""

    rows: list[tuple[str, str, list[Cell]]]
    hours: list[int]
    steps: list[int]
    total: int
    csv_url: str


def heat(hours: Sequence[Hour], chosen: Filter, path: str, csv_url: str) -> Heat:
    """The 168 hours as seven rows; each cell leads to the meetings that began in it.

    Colours go by rank: the levels part the hours that have any meeting into six of about the same number,
    so that one crowded hour does not leave all others pale.
    """
    steps = thresholds([one.meetings for one in hours])
    rows = []
    for weekday in range(1, 8):
        cells = [
            Cell(
                hour=one.hour,
                meetings=one.meetings,
                open_seconds=one.open_seconds,
                level=bisect_right(steps, one.meetings),
                url=link(path, chosen, weekday=weekday, hour=one.hour, sort="", compare=False) if one.meetings else "",
            )
            for one in hours
            if one.weekday == weekday
        ]
        rows.append((str(dates.WEEKDAYS[weekday - 1]), str(dates.WEEKDAYS_ABBR[weekday - 1]), cells))
    return Heat(rows, list(range(24)), steps, sum(one.meetings for one in hours), csv_url)


def thresholds(values: Sequence[int]) -> list[int]:
    """The least value of each level, rising; fewer levels where few values differ."""
    known = sorted(value for value in values if value > 0)
    if not known:
        return []
    return sorted({known[len(known) * level // LEVELS] for level in range(LEVELS)})
