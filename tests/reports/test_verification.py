"""`verify` finds what is not as the rows say, writes nothing, and `rebuild` mends what can be mended."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from reports import folding, privacy, triggers, verification
from reports.keptmodels import KeptCalls, KeptCourse, KeptPeople, KeptSeries, KeptTotals, Stretch, Touched
from reports.models import Ledger, Meeting, Participant, SearchText, TelephonyUsage
from tests.support import NOW, call, meeting, take, visit

# Triggers and transactions as in real life.
pytestmark = pytest.mark.django_db(transaction=True)


def on(day: str, uuid: str, **changes):
    record = {
        "uuid": uuid,
        "start_time": f"{day} 10:00:00",
        "end_time": f"{day} 11:00:00",
        "participants": [
            visit("王伟", "10:00:00", "11:00:00", day),
            visit("Anna", "10:10:00", "10:40:00", day),
            visit("Anna", "10:50:00", None, day),
        ],
        "telephony_usage": [call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6, day)],
    }
    return meeting(**{**record, **changes})


@pytest.fixture
def ledger():
    """Two months of a few meetings, all added up."""
    take(
        on("2026-01-10", "a"),
        on("2026-01-11", "b", topic="评审", is_extra=1),
        on("2026-02-28", "c", participants=None),
        on("2026-02-28", "d", end_time=None),
    )
    folding.fold()


def run(command: str = "verify") -> str:
    out = StringIO()
    call_command(command, stdout=out)
    return out.getvalue()


def found() -> dict[str, int]:
    return {what: one.count for what, one in verification.verify().differences.items()}


def everything() -> dict[str, list[Any]]:
    return {model.__name__: sorted(model._default_manager.values_list(), key=str) for model in verification.SHADOWED}


def test_a_sound_ledger_has_no_difference_and_nothing_is_written(ledger):
    before = everything()
    assert run() == (
        "verified: 4 meetings, 9 visits, 4 calls and the sums of 9 stretches of days are what the raw rows say\n"
    )
    assert everything() == before


def test_an_empty_ledger_is_sound():
    assert found() == {}


def _missing_trigger() -> None:
    triggers.remove(connection)


# What is done to the ledger past all that looks after it, and what is found.
DAMAGE = {
    "meeting": (lambda: _set(Meeting, "used_seconds", 5), {"meetings: used_seconds"}),
    "day": (lambda: _set(Meeting, "week_hour", 5), {"meetings: week_hour"}),
    "visit": (lambda: _set(Participant, "attendee_seconds", 5), {"visits: attendee_seconds"}),
    "name": (lambda: _set(Participant, "name_key", "anna b"), {"visits: name_key"}),
    "call": (lambda: _set(TelephonyUsage, "country", "DE"), {"calls: country"}),
    "sums": (lambda: _set(KeptTotals, "people", 77), {"sums of totals"}),
    "people": (lambda: KeptPeople.objects.order_by("pk").first().delete(), {"sums of people"}),
    "calls": (lambda: _set(KeptCalls, "cost", 77), {"sums of calls"}),
    "course": (lambda: _set(KeptCourse, "hours", "[]"), {"sums of course"}),
    "twice": (lambda: _twice(KeptSeries), {"sums of series"}),
    "lost day": (lambda: KeptTotals.objects.order_by("stretch").first().delete(), {"sums of totals"}),
    "stretch": (lambda: Stretch.objects.create(code=320200101), {"stretches without a day"}),
    "text": (
        lambda: SearchText.objects.filter(text="评审").delete(),
        {"texts that a search would not find"},
    ),
    "trigger": (lambda: _missing_trigger(), {"triggers that are missing"}),
}


def _set(model, name: str, value) -> None:
    """Change one row, and have the triggers note nothing of it."""
    row = model._default_manager.order_by("pk").first()
    model._default_manager.filter(pk=row.pk).update(**{name: value})
    Touched.objects.all().delete()


def _twice(model) -> None:
    row = model._default_manager.order_by("pk").first()
    row.pk = None
    row.save(force_insert=True)


@pytest.mark.parametrize("name", DAMAGE)
def test_each_kind_of_damage_is_found_and_mended_by_a_rebuild(ledger, name):
    damage, wanted = DAMAGE[name]
    damage()
    before = everything()
    assert wanted <= set(found())
    with pytest.raises(CommandError, match=r"manage\.py rebuild"):
        run()
    assert everything() == before
    call_command("rebuild", stdout=StringIO())
    assert found() == {}


def test_a_lost_visit_is_told_apart_from_what_a_rebuild_mends(ledger):
    Participant.objects.order_by("pk").first().delete()
    folding.fold()
    call_command("rebuild", stdout=StringIO())
    assert found() == {"meetings whose visits are not those reported": 1}
    with pytest.raises(CommandError, match="restore a backup"):
        run()


def test_days_that_wait_are_no_difference(ledger):
    take(on("2026-01-10", "e"), on("2026-03-01", "f"))
    assert found() == {}
    assert "wait to be added up, until then read row by row: 2" in run()
    folding.fold(stretches=False)
    assert found() == {}
    assert "wait" not in run()


def test_another_zone_is_a_difference_and_other_opening_hours_are_not(ledger, settings):
    settings.OPENING_HOURS = (None,) * 7
    assert found() == {}
    assert "wait to be made" in run()
    settings.TIME_ZONE = "Europe/Berlin"
    assert "the time zone of local days" in found()
    call_command("rebuild", stdout=StringIO())
    assert found() == {}
    Ledger.objects.all().delete()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the index by trigrams can be told apart on SQLite")
def test_the_index_by_trigrams_is_compared_with_its_texts(ledger):
    text = SearchText.objects.get(text="1571106323")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reports_searchtext_trigrams (reports_searchtext_trigrams, rowid, text) "
            "VALUES ('delete', %s, %s)",
            [text.pk, text.text],
        )
    assert found() == {"texts that are not as the index by trigrams has them": 1}
    call_command("rebuild", stdout=StringIO())
    assert found() == {}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only a server's sequences can fall behind")
def test_a_sequence_that_would_give_a_number_again_is_found_and_mended(ledger):
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('reports_meeting', 'id'), 1)")
    assert found() == {"sequences that would give a number again": 1}
    call_command("rebuild", stdout=StringIO())
    assert found() == {}
    take(on("2026-01-12", "after"))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a server checks it by itself")
def test_rows_without_their_meeting_are_found(ledger):
    with connection.constraint_checks_disabled():
        Participant.objects.filter(meeting__uuid="a").update(meeting_id=999)
        assert found()["rows of reports_participant without their reports_meeting"] == 3
        Participant.objects.all().delete()


def test_a_ledger_from_which_names_were_removed_is_sound(ledger, settings):
    """What stands in place of a name is no difference, nor that the hash of the report is a keyed one."""
    privacy.erase("anna", NOW)
    assert Participant.objects.filter(name__startswith="(name removed)").exists()
    assert found() == {}
    settings.RETENTION_NAMES_DAYS = 30
    assert privacy.prune(NOW) > 0
    folding.fold()
    assert not Participant.objects.filter(meeting__uuid="a", name="王伟").exists()
    assert found() == {}
    assert folding.rebuild() == 0
    assert found() == {}
