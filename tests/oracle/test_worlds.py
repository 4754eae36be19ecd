"""The product against an independent oracle: every CSV table and every figure of some hundred seeded worlds.

ORACLE_WORLDS=3000 looks at more of them, ORACLE_SEED=17 at one again.
"""

import ast
import csv
import io
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.test import override_settings

from reports import exports, folding, importer
from reports.figures import occupancy, people, room_usage, telephony, usage
from reports.filter import Filter
from reports.models import Meeting, Pull, Room
from reports.provider.payloads import decode, read_answer
from tests.oracle import world as worlds
from tests.oracle.oracle import CallSums, Oracle
from tests.oracle.tables import COLUMNS, Row, Tables
from tests.oracle.world import EDGES, PLACES, Question, World

SEEDS = range(int(os.environ.get("ORACLE_WORLDS", "100")))
ONE_SEED = os.environ.get("ORACLE_SEED")
CHUNK = 20
CHUNKS = [range(int(ONE_SEED), int(ONE_SEED) + 1)] if ONE_SEED else [SEEDS[at : at + CHUNK] for at in SEEDS[::CHUNK]]


@pytest.mark.django_db
@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_table_and_figure_is_the_oracles(seeds: range) -> None:
    for seed in seeds:
        world = worlds.make(seed)
        with transaction.atomic(), override_settings(TIME_ZONE=world.zone, OPENING_HOURS=world.opening):
            _compare(world)
            transaction.set_rollback(True)  # the next world finds an empty ledger


def _compare(world: World) -> None:
    oracle = Oracle(world)
    rejected = _import(world)
    assert (Meeting.objects.count(), rejected) == (len(oracle.all), oracle.unreadable), f"seed {world.seed}: counts"
    for asked in worlds.questions(world):
        chosen = Filter(**vars(asked))
        for table in COLUMNS:
            raw = (world.seed + len(table)) % 2 == 0
            found = _csv(b"".join(exports.write(exports.TABLES[table], chosen, world.now, raw=raw)))
            _compare_table(_Context(world, table, asked), oracle, found, raw)
        for name, expected, got in _figures(oracle, asked, chosen, world.now):
            assert got == expected, str(_Context(world, name, asked))


def _import(world: World) -> int:
    """The answers by the way that all answers come; returns how many records were rejected."""
    pull = Pull.objects.create(source=Pull.Kind.LOAD, started_at=world.now)
    rejected = 0
    # Of every third world nothing is kept of its days, of another the days of its first answers, of another all.
    fold_after = (None, len(world.answers) // 2, len(world.answers))[world.seed % 3]
    for number, answer in enumerate(world.answers):
        if number == fold_after:
            folding.fold()
        page = read_answer(decode(answer), ZoneInfo(world.provider_zone))
        rejected += importer.import_page(page.records, pull, world.now).rejected
    if fold_after == len(world.answers):
        folding.fold()
    return rejected


@dataclass
class _Context:
    """What a failure names."""

    world: World
    what: str
    asked: Question

    def __str__(self) -> str:
        narrowed = {name: value for name, value in vars(self.asked).items() if value not in (None, "", ())}
        return f"{self.what} of {narrowed or 'everything'}, {self.world} (ORACLE_SEED={self.world.seed})"


# Tables --------------------------------------------------------------------------------------------------------


def _csv(body: bytes) -> list[Row]:
    return [tuple(row) for row in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""))]


def _compare_table(context: _Context, oracle: Oracle, found: list[Row], raw: bool) -> None:
    tables, name = Tables(oracle), context.what
    columns = tables.columns(name)
    header, *rows = found
    assert list(header) == columns, str(context)
    expected = tables.rows(name, context.asked, raw)
    if columns[0] == "uuid":
        # The newest meeting comes first; of two that began in one second either may.
        starts = {met.told.uuid: met.told.start for met in oracle.all}
        newest = [-starts.get(_unguarded(row[0]), 0) for row in rows]
        assert newest == sorted(newest), f"{context}: the newest meeting comes first"

        def place(row: Row) -> tuple[int, str]:
            return -starts.get(_unguarded(row[0]), 0), row[0]

        rows, expected = sorted(rows, key=place), sorted(expected, key=place)
    elif name == "rooms":
        meetings = [int(row[columns.index("meetings")]) for row in rows]
        assert meetings == sorted(meetings, reverse=True), f"{context}: most meetings first"
        rows, expected = sorted(rows), sorted(expected)
    for number, (row, wanted) in enumerate(zip(rows, expected, strict=False)):
        different = {
            column: f"{got!r}, not {want!r}"
            for column, got, want in zip(columns, row, wanted, strict=True)
            if got != want
        }
        assert not different, f"{context}, row {number}\n{different}\nfound    {row}\nexpected {wanted}"
    surplus = [*rows[len(expected) :], *expected[len(rows) :]]
    assert not surplus, f"{context}: {len(rows)} rows, not {len(expected)}: {surplus[0]}"


def _unguarded(text: str) -> str:
    return text.removeprefix("'")


# Figures -------------------------------------------------------------------------------------------------------

Triple = tuple[str, Any, Any]


def _figures(oracle: Oracle, asked: Question, chosen: Filter, now: datetime) -> Iterator[Triple]:
    """Name, what the oracle says, what the product says."""
    hosts = dict(Room.objects.values_list("pk", "host_id")) | {None: ""}
    yield "totals", asdict(oracle.totals(asked)), usage.totals(chosen, now)._asdict()
    yield "days", _plain(oracle.by_day(asked)), _plain(usage.days(chosen, now))
    yield "peaks", oracle.peaks(asked), occupancy.peaks(chosen, now)
    yield "peak", oracle.peak(asked), occupancy.peak(chosen, now)
    yield "hours", oracle.hours(asked), [tuple(hour) for hour in occupancy.hours(chosen, now)]
    held, opening = occupancy.utilisation(chosen, now)
    expected = {host_id: seconds for host_id, seconds in oracle.held_seconds(asked).items() if seconds}
    yield "occupied seconds", expected, {hosts[pk]: seconds for pk, seconds in held.items() if seconds}
    yield "opening seconds", oracle.opening_seconds(asked), opening
    yield from _rooms(oracle, asked, chosen, now)
    yield from _people(oracle, asked, chosen, now)
    yield from _calls(oracle, asked, chosen, now)
    before = chosen.previous()
    if asked.first and asked.last:
        days = asked.last - asked.first + timedelta(days=1)
        earlier = replace(asked, first=asked.first - days, last=asked.last - days)
        assert before is not None
        yield "previous period", asdict(oracle.totals(earlier)), usage.totals(before, now)._asdict()
    else:
        yield "previous period", None, before


def _plain(days: Any) -> list[tuple[Any, dict[str, Any]]]:
    return [(day, sums._asdict() if isinstance(sums, tuple) else asdict(sums)) for day, sums in days]


def _rooms(oracle: Oracle, asked: Question, chosen: Filter, now: datetime) -> Iterator[Triple]:
    expected = {
        host: (asdict(sums), share and float(share)) for host, (sums, share) in oracle.room_usage(asked).items()
    }
    rows = room_usage.room_usage(chosen, now)
    yield "rooms", expected, {row.host_id: (row.totals._asdict(), row.utilisation) for row in rows}
    yield "each room once", len(expected), len(rows)


def _people(oracle: Oracle, asked: Question, chosen: Filter, now: datetime) -> Iterator[Triple]:
    expected = {key: vars(person) for key, person in oracle.people(asked).items()}
    rows = people.people(chosen, now)
    for row in rows:
        # A name is shown as it was spelled last; of two spellings in one second either will do.
        spellings = expected.get(row.key, {}).pop("names", ())
        yield f"the spelling of {row.key!r}", True, row.name in spellings
    found = {row.key: asdict(row) for row in rows}
    for person in found.values():
        del person["key"], person["name"]
        for edge in ("first", "last"):
            person[edge] = int(person[edge].timestamp())
    yield "people", expected, found
    for sort in ("-meetings", "-last", "late_percent"):
        sorted_ = replace(chosen, sort=sort)
        yield f"the first people by {sort}", people.people(sorted_, now)[:3], people.some_people(sorted_, now, 3).rows
    yield "each name once", len(expected), len(rows)


def _calls(oracle: Oracle, asked: Question, chosen: Filter, now: datetime) -> Iterator[Triple]:
    yield "calls", _priced(oracle.call_sums(oracle.calls(asked))), _paid(telephony.total(chosen))
    for by in telephony.GROUPS:
        groups = telephony.groups(chosen, by)
        expected = {key: (_priced(sums), last) for key, (sums, last) in oracle.call_groups(asked, by).items()}
        yield f"calls by {by}", expected, {group.key: (_paid(group.calls), group.last) for group in groups}
        yield f"groups by {by}", (len(expected), len(expected)), (len(groups), telephony.dearest(chosen, by, 1).groups)
        yield f"dearest by {by}", groups[:3], telephony.dearest(chosen, by, 3).rows
        costs = [group.calls.cost for group in groups]
        known = [cost for cost in costs if cost is not None]
        dearest = sorted(known, reverse=True)
        yield f"calls by {by}, dearest first", dearest + [None] * (len(costs) - len(known)), costs
    months = [
        (month, _priced(sums), {kind: _priced(part) for kind, part in by_type.items()})
        for month, sums, by_type in oracle.call_months(asked)
    ]
    found = telephony.months(chosen, now)
    yield (
        "calls by month",
        months,
        [(one.first, _paid(one.calls), {kind: _paid(part) for kind, part in one.by_type.items()}) for one in found],
    )


def _priced(sums: CallSums) -> tuple[Any, ...]:
    return sums.calls, sums.seconds, sums.cost, sums.unpriced, _to_four_places(sums.minute_price)


def _paid(calls: telephony.Calls) -> tuple[Any, ...]:
    return calls.calls, calls.seconds, calls.cost, calls.unpriced, calls.minute_price


def _to_four_places(price: Fraction | None) -> Decimal | None:
    if price is None:
        return None
    scaled = price * 10_000
    whole = int(abs(scaled) + Fraction(1, 2))
    return Decimal(whole if scaled >= 0 else -whole) / 10_000


# The worlds, and the oracle's independence -----------------------------------------------------------------------


def test_every_edge_occurs_in_some_of_the_worlds() -> None:
    made = [worlds.make(seed) for seed in range(300)]
    edges = Counter(edge for world in made for edge in world.edges)
    assert set(edges) <= EDGES, set(edges) - EDGES
    rare = {edge: edges[edge] for edge in sorted(EDGES) if edges[edge] < 5}
    assert not rare, f"in how many of {len(made)} worlds: {rare}"
    zones = Counter(world.zone for world in made)
    assert set(zones) == {zone for zone, _day in PLACES}
    assert min(zones.values()) >= 10, zones


def test_a_seed_makes_the_same_world_again() -> None:
    assert worlds.make(7) == worlds.make(7)
    assert worlds.questions(worlds.make(7)) == worlds.questions(worlds.make(7))
    assert worlds.make(7).now.tzinfo == UTC


def test_the_oracle_shares_no_code_with_the_product(repository: Path) -> None:
    for file in (repository / "tests" / "oracle").glob("*.py"):
        if file.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{file.name} imports by a relative name"
                names = [node.module or ""]
            for name in names:
                own = name == "tests.oracle" or name.startswith("tests.oracle.")
                assert own or name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"
