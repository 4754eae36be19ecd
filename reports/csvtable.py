"""How a CSV table is written: values, the guard against formulas, the stream of bytes, its file name.

Rows are streamed: memory does not grow with their number.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from zoneinfo import ZoneInfo

from reports.fields import tidy
from reports.filter import Filter

FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV table: its name, its columns in order, the columns that hold free text, and its rows.

    whole: where no days are given it holds everything, not the usual days.
    """

    name: str
    columns: tuple[str, ...]
    texts: frozenset[str]
    sorts: frozenset[str]
    rows: Callable[[Filter, datetime], Iterator[Row]]
    whole: bool = False


# How values are written: "" is unknown ---------------------------------------------------------------


def tenths(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.1"), ROUND_HALF_UP))


def minutes(seconds: int | None) -> str:
    """Seconds (not negative) as minutes with one decimal, halves up."""
    if seconds is None:
        return ""
    found = (seconds + 3) // 6
    return f"{found // 10}.{found % 10}"


def hours(seconds: int | None) -> str:
    """Seconds (not negative) as hours with two decimals, halves up."""
    if seconds is None:
        return ""
    found = (seconds + 18) // 36
    return f"{found // 100}.{found % 100:02}"


def money(amount: Decimal | None) -> str:
    """Yuan, two decimals or more as exact."""
    return "" if amount is None else format(tidy(amount), "f")


def millionths(amount: int | None) -> str:
    """`money` of an amount as the database keeps it, in millionths of a yuan (see fields.py)."""
    if amount is None:
        return ""
    whole, rest = divmod(abs(amount), 1_000_000)
    return f"{'-' if amount < 0 else ''}{whole}.{f'{rest:06}'.rstrip('0'):0<2}"


def count(number: int | None) -> str:
    return "" if number is None else str(number)


def truth(value: bool | None) -> str:
    """1, 0 or unknown, as the API writes it."""
    return "" if value is None else str(int(value))


def moment(value: datetime | None, zone: ZoneInfo) -> str:
    """ISO 8601 with the local zone's offset, whole seconds."""
    return "" if value is None else value.astimezone(zone).isoformat(timespec="seconds")


class LocalTime:
    """`moment` for many of them, of rows as the driver gives them: aware, or naive UTC.

    An offset is asked for once a quarter of an hour: clocks are set at such times only.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offsets: dict[int, tuple[timedelta, str]] = {}

    def __call__(self, value: datetime | None) -> str:
        if value is None:
            return ""
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        quarter = value.toordinal() * 96 + value.hour * 4 + value.minute // 15
        found = self._offsets.get(quarter)
        if found is None:
            local = value.replace(tzinfo=UTC).astimezone(self._zone)
            suffix = local.isoformat("T", "seconds")[19:]
            found = self._offsets[quarter] = (local.utcoffset() or timedelta(), suffix)
        offset, suffix = found
        return (value + offset).isoformat("T", "seconds") + suffix


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal."""
    return "" if share is None else tenths(Decimal(repr(share)) * 100)


# The one writer ----------------------------------------------------------------------------------------


def write(table: Table, chosen: Filter, now: datetime, *, bom: bool = True, raw: bool = False) -> Iterator[bytes]:
    """The table as CSV: UTF-8, CRLF, header always, in pieces of some kilobytes.

    bom: begin with a byte order mark, without which Excel takes UTF-8 for something else. raw: leave
    texts as they are; else one that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    guarded = [place for place, column in enumerate(table.columns) if column in table.texts and not raw]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(table.columns)
    yield (codecs.BOM_UTF8 if bom else b"") + buffer.getvalue().encode()
    rows = table.rows(chosen, now)
    while chunk := list(islice(rows, 200)):
        buffer.seek(0)
        buffer.truncate()
        writer.writerows([_without_formulas(row, guarded) for row in chunk])
        yield buffer.getvalue().encode()


def _without_formulas(row: Row, places: Sequence[int]) -> Row:
    """The row with an apostrophe before whatever a spreadsheet would run in these places."""
    for place in places:
        if row[place].startswith(FORMULA):
            break
    else:
        return row
    return tuple(
        f"'{value}" if place in places and value.startswith(FORMULA) else value for place, value in enumerate(row)
    )


def file_name(table: Table, chosen: Filter, first: str, last: str) -> str:
    """Table, period and filter as a file name of plain characters."""
    parts = [table.name, first, last, *chosen.rooms[:3], chosen.state]
    parts += [f"more{len(chosen.rooms) - 3}"] if len(chosen.rooms) > 3 else []
    parts += [f"extra{int(chosen.extra)}"] if chosen.extra is not None else []
    parts += [f"calls{int(chosen.calls)}"] if chosen.calls is not None else []
    parts += ["search"] if chosen.q else []
    words = (
        "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in part) for part in parts if part
    )
    return "_".join(words)[:150] + ".csv"
