"""Kept sums that are made anew, and how they take the place of those there are (see folding.py)."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F

from reports import bulk
from reports.kept import TABLES, columns_of
from reports.keptmodels import KeptCalls, KeptSeries
from reports.models import Ledger
from reports.rawrows import one_moment

# ruff: noqa: S608 — only names of our own tables are in the statements here; every value is bound.

# The first column of the index of those that have their rows by something.
BYS: dict[type[models.Model], tuple[str, ...]] = {
    KeptCalls: ("all", "room", "type", "country", "phone"),
    KeptSeries: ("number", "topic"),
}
Turn = AbstractContextManager[Any]


def table_of(model: type[models.Model]) -> str:
    """Where new rows of a model are written first, for the text of a statement."""
    name = model._meta.db_table
    return f"temp.fresh_{name}" if connection.vendor == "sqlite" else connection.ops.quote_name(name)


class Fresh:
    """New sums of some stretches.

    On SQLite, where one who writes keeps all others waiting, they are put aside, in tables of this connection alone,
    and `move` puts them in the place of the old ones. On a server everything is done at once.
    """

    def __init__(self) -> None:
        self._aside = connection.vendor == "sqlite"
        self._drops: list[tuple[int, int, Sequence[type[models.Model]]]] = []
        self._rows: list[tuple[type[models.Model], Sequence[str], Sequence[Sequence[Any]]]] = []
        if self._aside:
            with connection.cursor() as cursor:
                for model in TABLES:
                    columns = ", ".join(_columns(model))
                    table = connection.ops.quote_name(model._meta.db_table)
                    cursor.execute(
                        f"CREATE TABLE IF NOT EXISTS {table_of(model)} AS SELECT {columns} FROM {table} WHERE 0"
                    )
                    cursor.execute(f"DELETE FROM {table_of(model)}")

    def drop(self, least: int, most: int, tables: Sequence[type[models.Model]] = TABLES) -> None:
        """What is kept of the stretches from one code to another goes."""
        if self._aside:
            self._drops.append((least, most, tables))
        else:
            drop(least, most, tables)

    def add(self, model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Rows of values in the order of `names`."""
        if self._aside:
            self._rows.append((model, names, rows))
        else:
            bulk.insert_rows(model, names, rows)

    def move(self) -> None:
        """Everything takes its place; in a transaction, once. On a server it has."""
        if not self._aside:
            return
        for least, most, tables in self._drops:
            drop(least, most, tables)
        with connection.cursor() as cursor:
            for model in TABLES:
                columns = ", ".join(_columns(model))
                table = connection.ops.quote_name(model._meta.db_table)
                cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table_of(model)}")
        together: dict[tuple[type[models.Model], tuple[str, ...]], list[Sequence[Any]]] = {}
        for model, names, rows in self._rows:
            together.setdefault((model, tuple(names)), []).extend(rows)
        for (model, names), rows in together.items():
            bulk.insert_rows(model, names, rows)


def _columns(model: type[models.Model]) -> list[str]:
    keys, sums = columns_of(model)
    return [connection.ops.quote_name(name) for name in ("stretch", *keys, *sums)]


def drop(least: int, most: int, tables: Sequence[type[models.Model]] = TABLES) -> None:
    """Take the kept sums of some stretches away."""
    for model in tables:
        kept = model._default_manager.filter(stretch__range=(least, most))
        # By the first column of its index.
        kept = kept.filter(by__in=BYS[model]) if model in BYS else kept
        kept._raw_delete(kept.db)


def replace(make: Callable[[Fresh], Callable[[], None] | None], turn: Turn) -> bool:
    """Make sums of one moment and put them in their place.

    make: makes them, and gives what is left to be done with their writing; None where there is nothing to write. turn:
    is held while others of this process must not write. Out: False where somebody else has put sums in their place
    meanwhile, and nothing was written.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            # One at a time.
            list(Ledger.objects.select_for_update())
            finish = make(Fresh())
            if finish is not None:
                finish()
        return True
    with one_moment():
        began = folds()
        fresh = Fresh()
        finish = make(fresh)
    if finish is None:
        return True
    with turn, transaction.atomic():
        if folds() != began:
            return False
        fresh.move()
        finish()
    return True


def folds() -> int | None:
    """Changes whenever sums of days have taken their place; None where nothing was ever kept."""
    return Ledger.objects.values_list("folds", flat=True).first()


def count() -> None:
    """Sums of days take their place, or what is being made has become void. Waits for who is at it on a server."""
    Ledger.objects.update(folds=F("folds") + 1)
