"""How the ledger is doing, in numbers for a monitoring system: asked of the database, nothing is counted here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from reports import kept
from reports.figures import coverage
from reports.models import (
    Meeting,
    Participant,
    ProviderPeriod,
    Pull,
    PulledDay,
    Rejected,
    Room,
    Source,
    TelephonyUsage,
    TrackedNumber,
)

LATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source. age: seconds since a pull of it ended well, None for never; failures: attempts since then."""

    name: str
    age: float | None
    failures: int
    refused: bool


@dataclass(frozen=True, slots=True)
class Health:
    """due, late (due for more than an hour) and kept: numbers by their names. outage: seconds; database: bytes."""

    sources: list[SourceHealth]
    running: int
    due: dict[str, int]
    late: dict[str, int]
    rejected: int
    kept: dict[str, int]
    waiting_days: int
    outage: float
    database: int
    schema: str


def health(now: datetime) -> Health:
    """All of it at this moment."""
    rows = {row.name: row for row in Source.objects.all()}
    work = {"numbers": TrackedNumber, "days": PulledDay, "totals": ProviderPeriod}
    stored = {"rooms": Room, "meetings": Meeting, "visits": Participant, "calls": TelephonyUsage}
    lasting = coverage.outage(now)
    return Health(
        sources=[_source(name, rows.get(name), now) for name in Source.Name.values],
        running=Pull.objects.filter(ended_at=None).count(),
        due={name: model._default_manager.filter(next_due_at__lte=now).count() for name, model in work.items()},
        late={name: model._default_manager.filter(next_due_at__lte=now - LATE).count() for name, model in work.items()},
        rejected=Rejected.objects.count(),
        kept={name: model._default_manager.count() for name, model in stored.items()},
        waiting_days=kept.waiting(),
        outage=(now - lasting.since).total_seconds() if lasting else 0,
        database=_bytes(),
        schema=_schema(),
    )


def _source(name: str, row: Source | None, now: datetime) -> SourceHealth:
    if row is None:
        return SourceHealth(name, None, 0, False)
    age = None if row.asked_at is None else (now - row.asked_at).total_seconds()
    return SourceHealth(name, age, row.failures, row.refused_at is not None)


def _bytes() -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        else:
            cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _schema() -> str:
    """The newest migration of the ledger."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(name) FROM django_migrations WHERE app = 'reports'")
        return str(cursor.fetchone()[0] or "")


def database_kind() -> str:
    """Which database it is, as people call it."""
    kinds = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    return kinds[connection.vendor]
