"""Migrations over rows that are there already."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from reports import folding, measures, querysets, summaries
from reports.expressions import LONG
from reports.filter import Filter
from reports.keptmodels import KeptSeries, Stretch, Touched
from reports.models import Ledger, Meeting, Pull, Room, SearchText
from tests.support import meeting, take, visit

BEFORE = [("reports", "0001_initial")]
AFTER = [("reports", "0002_week_hour")]


@pytest.fixture
def before(transactional_db):
    """The models as they were before 0002; whatever happens, the database ends as the newest migration has it."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    try:
        yield executor.loader.project_state(BEFORE).apps
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
        Ledger.objects.all().delete()


def fill(apps, zone: str | None, count: int) -> None:
    """Meetings a little more than an hour apart, some from before a clock was set and some from after it."""
    begin = datetime(2026, 3, 27, 22, 59, 59, tzinfo=UTC)
    old = apps.get_model("reports", "Meeting")
    old.objects.bulk_create(
        old(
            uuid=f"uuid-{number}",
            meeting_id="1571106323",
            start_time=begin + timedelta(minutes=67) * number,
            local_day="2026-03-27",
            state="empty",
            first_seen_at=begin,
            changed_at=begin,
        )
        for number in range(count)
    )
    if zone:
        apps.get_model("reports", "Ledger").objects.create(id=1, time_zone=zone)


@pytest.mark.parametrize(
    ("site", "kept_in", "count"),
    [
        # More than one batch.
        ("Asia/Shanghai", "Asia/Shanghai", 2003),
        # The kept days, and so the hours, are in the ledger's zone until it is rebuilt.
        ("Asia/Shanghai", "Europe/Berlin", 100),
        ("Europe/Berlin", None, 100),
        ("Asia/Shanghai", None, 0),
    ],
)
def test_0002_gives_every_meeting_its_hour_of_the_week(before, settings, site, kept_in, count):
    settings.TIME_ZONE = site
    fill(before, kept_in, count)
    MigrationExecutor(connection).migrate(AFTER)
    settings.TIME_ZONE = kept_in or site
    rows = list(Meeting.objects.values_list("start_time", "week_hour"))
    assert len(rows) == count
    assert [kept for _start, kept in rows] == [
        measures.week_hour(start.astimezone(summaries.site_zone())) for start, _kept in rows
    ]
    if count:
        assert len({kept for _start, kept in rows}) > 80


@pytest.fixture
def before_spare(transactional_db):
    """The models as they were before 0004; whatever happens, the database ends as the newest migration has it."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    executor = MigrationExecutor(connection)
    executor.migrate([("reports", "0003_licence")])
    try:
        yield executor.loader.project_state([("reports", "0003_licence")]).apps
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
        Meeting.objects.all().delete()


def test_0004_gives_every_meeting_the_spare_time_that_an_import_gives_it(before_spare, monkeypatch):
    monkeypatch.setattr(import_module("reports.migrations.0004_spare_seconds"), "BATCH", 50)
    old, visits = before_spare.get_model("reports", "Meeting"), before_spare.get_model("reports", "Participant")
    begin = datetime(2026, 3, 9, 2, tzinfo=UTC)
    # More than one batch; and of every fifth one something is unknown.
    old.objects.bulk_create(
        old(
            uuid=f"uuid-{number}",
            meeting_id="1571106323",
            start_time=begin,
            end_time=None if number % 5 == 1 else begin + timedelta(minutes=40),
            duration=None if number % 5 == 2 else 3600,
            duration_is_weak=number % 5 == 3,
            participants_reported=number % 5 != 4,
            local_day="2026-03-09",
            week_hour=10,
            state="ended",
            first_seen_at=begin,
            changed_at=begin,
        )
        for number in range(105)
    )
    spans = [(0, 30), (10, 20), (-20, -10), (20, None), (5, 1), (0, 70)]
    visits.objects.bulk_create(
        visits(
            meeting_id=pk,
            place=place,
            join_time=begin + timedelta(minutes=join),
            leave_time=None if leave is None else begin + timedelta(minutes=leave),
        )
        for number, pk in enumerate(old.objects.order_by("pk").values_list("pk", flat=True))
        for place, (join, leave) in enumerate(spans[number % 7 : number % 7 + 2])
    )
    MigrationExecutor(connection).migrate([("reports", "0004_spare_seconds")])
    MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())
    filled = dict(Meeting.objects.values_list("uuid", "spare_seconds"))
    assert len(filled) == 105
    assert len(set(filled.values())) > 4
    assert {int(uuid[5:]) % 5 for uuid, spare in filled.items() if spare is not None} == {0}
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    summaries.rebuild()
    assert dict(Meeting.objects.values_list("uuid", "spare_seconds")) == filled


@pytest.fixture
def before_search(transactional_db):
    """The models as they were before 0006; whatever happens, the database ends as the newest migration has it."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    take(
        meeting(uuid="a", topic="月度复盘 17", participants=[visit("王伟强", "10:00:00", "11:00:00")]),
        meeting(uuid="b", topic="长" * LONG, meeting_id="", participants=[visit("", "10:00:00", "11:00:00")]),
        meeting(uuid="c", topic=None, participants=[visit("Anna", "10:00:00", "11:00:00")] * 2),
    )
    kept = set(SearchText.objects.values_list("kind", "text"))
    executor = MigrationExecutor(connection)
    executor.migrate([("reports", "0005_provider_totals")])
    try:
        yield kept
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
        for model in (Meeting, Room, Pull, SearchText, Ledger):
            model.objects.all().delete()


def test_0006_makes_the_texts_that_an_import_makes_and_their_index(before_search, monkeypatch):
    monkeypatch.setattr(querysets, "_seen", set())
    assert SearchText._meta.db_table not in connection.introspection.table_names()
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    assert set(SearchText.objects.values_list("kind", "text")) == before_search
    assert querysets.trigrams_are_there()
    for q, uuids in {
        "复盘 17": ["a"],
        "伟": ["a"],
        "王伟强": ["a"],
        "长长长": ["b"],
        "anna": ["c"],
        "5711": ["a", "c"],
    }.items():
        assert sorted(Meeting.objects.matching(Filter(q=q)).values_list("uuid", flat=True)) == uuids


def of_series() -> list[tuple[object, ...]]:
    names = [field.attname for field in KeptSeries._meta.concrete_fields if not field.primary_key]
    return sorted(KeptSeries.objects.values_list(*names), key=repr)


@pytest.fixture
def kept_series(transactional_db):
    """The sums of series of three days and of what they lie in."""
    for place, day in enumerate(("2026-03-09", "2026-03-10", "2026-04-01")):
        when = {"start_time": f"{day} 10:00:00", "end_time": f"{day} 11:10:00"}
        stays = [visit("王伟强", "10:00:00", "11:00:00", day)]
        topic = ("周例会", None)[place % 2]
        take(meeting(uuid=str(place), topic=topic, participants=stays, telephony_usage=[], **when))
    folding.fold()
    yield of_series()
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    for model in (Meeting, Room, Pull, SearchText, Ledger, KeptSeries, Stretch, Touched):
        model.objects.all().delete()


def test_0014_keeps_the_sums_of_series_that_are_there(kept_series):
    before = [("reports", "0013_room_of_pool")]
    executor = MigrationExecutor(connection)
    executor.migrate(before)
    # As that version had them: with eleven sums more.
    old = executor.loader.project_state(before).apps.get_model("reports", "KeptSeries")
    names = [field.attname for field in KeptSeries._meta.concrete_fields if not field.primary_key]
    more = {field.attname: 1 for field in old._meta.concrete_fields if field.attname not in {"id", *names}}
    assert len(more) == 11
    old.objects.bulk_create(old(**dict(zip(names, row, strict=True)), **more) for row in kept_series)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    # Of one number and two topics: three days, two thirds, two months, a year.
    assert len(kept_series) == 6 + 5 + 5 + 3
    assert of_series() == kept_series


def test_back_from_0014_the_sums_of_series_are_made_anew(kept_series):
    executor = MigrationExecutor(connection)
    executor.migrate([("reports", "0013_room_of_pool")])
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    assert of_series() == []
    folding.fold()
    assert of_series() == kept_series


def test_models_and_migrations_agree(transactional_db):
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
