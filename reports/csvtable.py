"""How a CSV table is written: values, the guard against formulas, the stream of bytes, its file name.

Rows are streamed: memory does not grow with their number.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import chain, islice, repeat
from typing import NamedTuple
from zoneinfo import ZoneInfo

from reports.fields import tidy
from reports.filter import Filter

FORMULA = ("=", "+", "-", "@", "\t", "\r")

# What a spreadsheet takes for the end of a cell or of a line stands in quotes.
QUOTED = re.compile(r'[",\r\n]')
# And, of values with a NUL between each two, what would be run.
GUARDED = re.compile(r'[",\r\n]|(?:^|\0)[=+\-@\t\r]')
PIECE = 500  # rows, some ten kilobytes, that are handed over at a time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Minutes and seconds of an hour.
CLOCK = [f"{minute:02}:{second:02}" for minute in range(60) for second in range(60)]

# Tenths: of the minutes of four hours, of percents.
TENTHS = [f"{found // 10}.{found % 10}" for found in range(2400)]

Row = tuple[str, ...]


class Block(NamedTuple):
    """Some rows of a table, in their order, column by column.

    columns: all of one length. heads: what some rows have before them in common, each with how many rows those
    are; no heads: the columns are the whole.
    """

    columns: Sequence[Sequence[str]]
    heads: Sequence[tuple[Row, int]] = ()

    def rows(self) -> Iterator[Row]:
        heads = chain.from_iterable(repeat(head, times) for head, times in self.heads) if self.heads else repeat(())
        return (head + rest for head, rest in zip(heads, zip(*self.columns, strict=True), strict=False))


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV table: its name, its columns in order, the columns that hold free text, and its rows.

    whole: where no days are given it holds everything, not the usual days. blocks: the same rows in blocks, of
    tables so long that a row must not cost much.
    """

    name: str
    columns: tuple[str, ...]
    texts: frozenset[str]
    sorts: frozenset[str]
    rows: Callable[[Filter, datetime], Iterator[Row]]
    whole: bool = False
    blocks: Callable[[Filter, datetime], Iterator[Block]] | None = None


def rows_of(blocks: Callable[[Filter, datetime], Iterator[Block]]) -> Callable[[Filter, datetime], Iterator[Row]]:
    """Blocks row by row."""

    def rows(chosen: Filter, now: datetime) -> Iterator[Row]:
        for block in blocks(chosen, now):
            yield from block.rows()

    return rows


# How values are written: "" is unknown ---------------------------------------------------------------


def tenths(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.1"), ROUND_HALF_UP))


def minutes(seconds: int | None) -> str:
    """Seconds (not negative) as minutes with one decimal, halves up."""
    if seconds is None:
        return ""
    found = (seconds + 3) // 6
    return f"{found // 10}.{found % 10}"


def minutes_of(column: Iterable[int]) -> list[str]:
    """`minutes` of many."""
    known, least = TENTHS, len(TENTHS)
    return [known[found] if (found := (seconds + 3) // 6) < least else minutes(seconds) for seconds in column]


def hours(seconds: int | None) -> str:
    """Seconds (not negative) as hours with two decimals, halves up."""
    if seconds is None:
        return ""
    found = (seconds + 18) // 36
    return f"{found // 100}.{found % 100:02}"


def money(amount: Decimal | None) -> str:
    """Yuan, two decimals or more as exact."""
    return "" if amount is None else format(tidy(amount), "f")


@lru_cache(maxsize=5_000)  # most calls cost what others did
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
    """`moment` for many of them, in whole microseconds since 1970 (see rawrows.py).

    The zone is asked once a quarter of an hour: clocks are set at such times only. Some thousand quarters are
    remembered, for which it is enough that neighbouring rows lie near each other.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._quarters: dict[int, tuple[str, int, str]] = {}

    def __call__(self, values: Iterable[int | None]) -> list[str]:
        """A column of them."""
        known, clock = self._quarters, CLOCK
        found = []
        for value in values:
            if value is None:
                found.append("")
                continue
            quarter, rest = divmod(value, 900_000_000)
            hour, begin, offset = known.get(quarter) or self._asked(quarter)
            found.append(f"{hour}{clock[begin + rest // 1_000_000]}{offset}")
        return found

    def _asked(self, quarter: int) -> tuple[str, int, str]:
        """The local day and hour, the seconds of that hour at which the quarter begins, and the offset."""
        local = (EPOCH + timedelta(minutes=15 * quarter)).astimezone(self._zone)
        text = local.isoformat("T", "seconds")
        if len(self._quarters) >= 10_000:
            self._quarters.clear()
        found = self._quarters[quarter] = (text[:14], local.minute * 60 + local.second, text[19:])
        return found


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal."""
    return "" if share is None else tenths(Decimal(repr(share)) * 100)


def percent_of(part: int, whole: int | None) -> str:
    """`percent` of part ÷ whole (neither negative), in whole numbers; of nothing it is unknown."""
    if not whole:
        return ""
    found = (2000 * part + whole) // (2 * whole)
    return f"{found // 10}.{found % 10}"


def percents_of(parts: Iterable[int], wholes: Iterable[int | None]) -> list[str]:
    """`percent_of` of many."""
    known, least = TENTHS, len(TENTHS)
    return [
        known[found] if whole and (found := (2000 * part + whole) // (2 * whole)) < least else percent_of(part, whole)
        for part, whole in zip(parts, wholes, strict=True)
    ]


# The one writer ----------------------------------------------------------------------------------------


def write(table: Table, chosen: Filter, now: datetime, *, bom: bool = True, raw: bool = False) -> Iterator[bytes]:
    """The table as CSV: UTF-8, CRLF, header always, in pieces of some kilobytes.

    bom: begin with a byte order mark, without which Excel takes UTF-8 for something else. raw: leave
    texts as they are; else one that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    first = io.StringIO()
    csv.writer(first, lineterminator="\r\n").writerow(table.columns)
    yield (codecs.BOM_UTF8 if bom else b"") + first.getvalue().encode()
    if table.blocks is not None:
        yield from _in_blocks(table, table.blocks(chosen, now), raw=raw)
    else:
        yield from _in_rows(table, table.rows(chosen, now), raw=raw)


def _in_rows(table: Table, rows: Iterator[Row], *, raw: bool) -> Iterator[bytes]:
    guarded = [place for place, column in enumerate(table.columns) if column in table.texts and not raw]
    while chunk := list(islice(rows, 200)):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\r\n").writerows([_without_formulas(row, guarded) for row in chunk])
        yield buffer.getvalue().encode()


def _in_blocks(table: Table, blocks: Iterator[Block], *, raw: bool) -> Iterator[bytes]:
    """The same text column by column. Only texts can need quotes or a guard: all else is made of plain signs."""
    cells, special = (_quoted, QUOTED) if raw else (_guarded, GUARDED)
    texts = [column in table.texts for column in table.columns]
    for columns, heads in blocks:
        rest = texts[len(texts) - len(columns) :]
        ready: list[Iterable[str]] = []
        if heads:
            # Looked through together: it is some hundred times quicker, and nearly never is there anything.
            plain = not special.search("\0".join([text for head, _times in heads for text in head]))
            begins = [(",".join(head if plain else cells(head)), times) for head, times in heads]
            ready.append(chain.from_iterable(repeat(begin, times) for begin, times in begins))
        ready += [cells(column) if text else column for column, text in zip(columns, rest, strict=True)]
        lines = map(",".join, zip(*ready, strict=True))
        while piece := list(islice(lines, PIECE)):
            piece.append("")
            yield "\r\n".join(piece).encode()


def _quoted(values: Sequence[str]) -> Sequence[str]:
    """Values as `csv.writer` writes them among others."""
    if not QUOTED.search("\0".join(values)):  # as nearly always; to look once is much quicker
        return values
    return [_cell(value) for value in values]


def _guarded(values: Sequence[str]) -> Sequence[str]:
    """The same with an apostrophe before whatever a spreadsheet would run."""
    if not GUARDED.search("\0".join(values)):
        return values
    return [_guarded_cell(value) for value in values]


@lru_cache(maxsize=5_000)  # numbers, which all begin with a plus, come again and again
def _guarded_cell(value: str) -> str:
    return _cell(f"'{value}" if value.startswith(FORMULA) else value)


def _cell(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if QUOTED.search(value) else value


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
