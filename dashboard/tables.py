"""What the tables of the screen share: sortable headers and links to the other pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.paginator import Paginator

from dashboard import filters
from reports.filter import Filter


class Spec(NamedTuple):
    """A column as a page declares it. name: that of the CSV; unit: a word for the header."""

    name: str
    label: str
    numeric: bool = False
    unit: str = ""
    sortable: bool = True


@dataclass(frozen=True, slots=True)
class Column:
    """One header of a sortable table. url: "" where it cannot be sorted by; direction: asc, desc or None."""

    name: str
    label: str
    url: str
    direction: str | None
    unit: str
    numeric: bool


class Cell(NamedTuple):
    """One cell, ready to show. bar: its length in percent of the longest, or ""; note: a second line.

    one_line: never broken, as a time is not.
    """

    text: str
    url: str = ""
    bar: str = ""
    note: str = ""
    numeric: bool = False
    one_line: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What components/table.html shows. id: unique on the page; foot: the row of sums, or none."""

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Cell] = ()
    csv_url: str = ""


def aligned(cells: Sequence[Cell], columns: Sequence[Column]) -> list[Cell]:
    """The cells of a row, each aligned as its column is."""
    return [
        # A cell begins as text; to make it anew is quicker than to replace one value.
        Cell(cell.text, cell.url, cell.bar, cell.note, True, cell.one_line) if column.numeric else cell
        for cell, column in zip(cells, columns, strict=True)
    ]


def plain_columns(specs: Sequence[Spec]) -> list[Column]:
    """Headers of a table that cannot be sorted."""
    return [Column(spec.name, spec.label, "", None, spec.unit, spec.numeric) for spec in specs]


def bar(value: float | Decimal | None, most: float | Decimal | None) -> str:
    """The length of a bar in percent of the longest; "" for nothing or unknown."""
    if not value or not most:
        return ""
    return f"{max(0.5, min(100.0, float(value) / float(most) * 100)):.1f}"


def columns(path: str, chosen: Filter, specs: Sequence[Spec], default: str) -> list[Column]:
    """The headers with the address that each one sorts by: first a number's most, a text's first."""
    now_by = chosen.sort or default
    found = []
    for spec in specs:
        active = now_by.removeprefix("-") == spec.name
        descending = now_by.startswith("-")
        starts_descending = spec.numeric or spec.name == "start_time"
        to_descending = not descending if active else starts_descending
        url = filters.link(path, chosen, sort=f"-{spec.name}" if to_descending else spec.name)
        found.append(
            Column(
                name=spec.name,
                label=spec.label,
                url=url if spec.sortable else "",
                direction=("desc" if descending else "asc") if active else None,
                unit=spec.unit,
                numeric=spec.numeric,
            )
        )
    return found


class Counted(Paginator):  # type: ignore[type-arg]
    """Pages of rows whose number is known without counting them."""

    def __init__(self, rows: Any, count: int, rows_a_page: int) -> None:
        super().__init__(rows, rows_a_page)
        # Where Django's own, which it counts once, would stand.
        self.__dict__["count"] = count


@dataclass(frozen=True, slots=True)
class Pager:
    """Addresses of the pages around this one. links: (label, address or "", is this one)."""

    prev: str
    next: str
    links: list[tuple[str, str, bool]]


def pager(path: str, chosen: Filter, number: int, pages: int) -> Pager:
    """The first, the last and the neighbouring pages."""
    near = sorted({1, pages, *range(max(1, number - 2), min(pages, number + 2) + 1)})
    links: list[tuple[str, str, bool]] = []
    before = 0
    for place in near:
        if place > before + 1:
            links.append(("…", "", False))
        links.append((str(place), filters.link(path, chosen, page=place), place == number))
        before = place
    return Pager(
        prev=filters.link(path, chosen, page=number - 1) if number > 1 else "",
        next=filters.link(path, chosen, page=number + 1) if number < pages else "",
        links=links,
    )
