"""Many new rows at once, by the driver's own executemany.

Django's bulk_create builds one long statement and asks every field of every row how to prepare itself;
for the rows of an import that costs several times what the database does. The values are the same.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection, models

from reports.fields import MoneyField


def _moment_as_text(value: datetime | None) -> str | None:
    """As Django writes it into SQLite: UTC without saying so."""
    return None if value is None else value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _day_as_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _preparer(field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    """How a value of this field is handed to the driver; None: as it is."""
    if isinstance(field, MoneyField):
        return field.get_prep_value
    if connection.vendor == "sqlite":
        if isinstance(field, models.DateTimeField):
            return _moment_as_text
        if isinstance(field, models.DateField):
            return _day_as_text
    return None


def insert(model: type[models.Model], objects: Iterable[models.Model], *, skip_existing: bool = False) -> None:
    """Insert unsaved objects; their ids are not set. skip_existing: leave out those whose key is there."""
    names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    rows = ([getattr(item, name) for name in names] for item in objects)
    insert_rows(model, names, rows, skip_existing=skip_existing)


def insert_rows(
    model: type[models.Model], names: Sequence[str], rows: Iterable[list[Any]], *, skip_existing: bool = False
) -> None:
    """Insert rows of values in the order of `names` (attribute names of the model's columns)."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    prepared = [(place, prepare) for place, name in enumerate(names) if (prepare := _preparer(fields[name]))]
    values = []
    for row in rows:
        for place, prepare in prepared:
            row[place] = prepare(row[place])
        values.append(row)
    if not values:
        return
    quote = connection.ops.quote_name
    columns = ", ".join(quote(fields[name].column or name) for name in names)
    marks = ", ".join(["%s"] * len(names))
    conflict = " ON CONFLICT DO NOTHING" if skip_existing else ""
    # Only names of our own models are in the text; every value is bound.
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks}){conflict}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
