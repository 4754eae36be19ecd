"""Sums that are made beside a pull: nothing is lost or stale, and whatever comes between makes them void."""

import threading
import time
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from django.db import OperationalError, connection, transaction

from reports import aside, bulk, folding, fresh, privacy, pulling
from reports.figures import usage
from reports.filter import Filter
from reports.keptmodels import KeptPeople, KeptTotals, Stretch, Touched
from reports.models import Meeting, PulledDay, Rejected
from reports.provider.client import Client
from tests.reports.test_kept import on, rebuilt, sums
from tests.support import KEY, NOW, SECRET, SHANGHAI, meeting, take

DAYS = [date(2026, 3, 9) - timedelta(days=number) for number in range(20)]
pytestmark = pytest.mark.django_db(transaction=True)
of_a_file = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="a server writes sums where they belong while it makes them"
)


@pytest.fixture
def client(api):
    api.clock = lambda: NOW
    with Client(api.url, KEY, SECRET, zone=SHANGHAI, timeout=5, attempts=1, sleep=lambda _: None) as client:
        yield client


@pytest.fixture
def folds(monkeypatch):
    """The threads that made sums, one a time that they did."""
    found = []
    fold = folding.fold

    def noted(**how):
        days = fold(**how)
        if days:
            found.append(threading.current_thread().name)
        return days

    monkeypatch.setattr(folding, "fold", noted)
    monkeypatch.setattr(aside, "PAUSE", 0)
    monkeypatch.setattr(pulling, "_processors", lambda: 2)
    return found


def pulled(client, fixed):
    fixed.records = [on(f"{day}", f"{day}-{number}", end="23:59:59") for day in DAYS for number in range(3)]
    return pulling.pull_days(client, lambda: NOW, days=(DAYS[-1], DAYS[0]))


def test_sums_made_beside_a_pull_are_what_a_rebuild_makes(client, fixed, folds):
    run = pulled(client, fixed)
    assert (run.state, run.new, run.pieces_done) == ("done", 60, 20)
    assert "folding" in folds
    assert not Touched.objects.exists()
    assert usage.totals(Filter(), NOW).meetings == 60
    found = sums()
    assert rebuilt() == found


def test_what_cannot_be_made_beside_a_pull_is_made_at_its_end(client, fixed, folds, monkeypatch):
    real = fresh.replace

    def locked(make, turn):
        if threading.current_thread().name == "folding":
            raise OperationalError("database is locked")
        return real(make, turn)

    monkeypatch.setattr(folding, "replace", locked)
    assert pulled(client, fixed).state == "done"
    assert set(folds) == {"MainThread"}
    assert not Touched.objects.exists()
    assert KeptTotals.objects.get(stretch=320260101).meetings == 60


def test_turns_go_to_who_has_waited_longest():
    turns, order = aside.Turns(), []

    def take_one(name):
        with turns:
            order.append(name)

    turns.__enter__()
    threads = []
    for name in range(5):
        threads.append(threading.Thread(target=take_one, args=(name,)))
        threads[-1].start()
        while turns._next < name + 2:
            pass
    time.sleep(0.05)
    assert order == []
    turns.__exit__(None, None, None)
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]


@contextmanager
def between(what):
    """Something that happens after sums were made and before they take their place."""
    happened: list[bool] = []

    class Turn:
        def __enter__(self):
            if not happened:
                happened.append(True)
                what()

        def __exit__(self, *error):
            return None

    yield Turn()


@of_a_file
def test_sums_become_void_when_others_took_their_place_meanwhile():
    take(on("2026-03-09", "a"))
    made = []

    def another_fold():
        take(on("2026-03-09", "b"))
        made.append(folding.fold())

    with between(another_fold) as turn:
        folding.fold(turn=turn)
    assert made == [1]
    assert not Touched.objects.exists()
    assert usage.totals(Filter(), NOW).meetings == 2
    assert KeptTotals.objects.get(stretch=20260309).meetings == 2


@of_a_file
def test_what_comes_while_sums_are_made_touches_its_day_again():
    take(on("2026-03-09", "a"))
    with between(lambda: take(on("2026-03-09", "b"))) as turn:
        folding.fold(turn=turn)
    assert KeptTotals.objects.get(stretch=20260309).meetings == 1
    assert Touched.objects.exists()
    # Nobody is told the older sum.
    assert usage.totals(Filter(), NOW).meetings == 2
    folding.fold()
    found = sums()
    assert rebuilt() == found


@of_a_file
def test_sums_have_no_name_that_was_erased_while_they_were_made():
    take(on("2026-03-09", "a"))
    with between(lambda: privacy.erase("Anna", NOW, fold_days=False)) as turn:
        folding.fold(turn=turn)
    assert KeptPeople.objects.filter(key="王伟").exists()
    assert not KeptPeople.objects.filter(key="anna").exists()


@of_a_file
def test_sums_that_are_being_made_when_a_pull_ends_take_their_place():
    take(on("2026-03-09", "a"))
    turns, ended = aside.Turns(), threading.Event()
    ended.set()
    with pytest.raises(aside._Closing):
        folding.fold(turn=aside._Turn(turns, ended))
    assert KeptTotals.objects.get(stretch=20260309).meetings == 1
    assert not Touched.objects.exists()
    # And nothing more is made after them.
    assert not Stretch.objects.exists()
    with turns:
        pass


def test_longer_stretches_are_made_where_the_pull_has_gone_on():
    take(on("2026-02-25", "a"), on("2026-02-05", "b"))
    once: set[int] = set()
    folding.fold(once=once)
    assert not Stretch.objects.exists()
    take(on("2026-02-04", "c"))
    folding.fold(once=once)
    assert set(Stretch.objects.values_list("code", flat=True)) == {120260221} == once
    # It comes back to them: they wait for the end.
    take(on("2026-02-26", "d"))
    folding.fold(once=once)
    take(on("2026-01-04", "e"))
    folding.fold(once=once)
    assert set(Stretch.objects.values_list("code", flat=True)) == {120260201}
    folding.fold()
    found = sums()
    assert rebuilt() == found


def test_days_that_wait_are_imported_together_and_each_is_noted(client, fixed, monkeypatch):
    """A record that cannot be read stays with its own day, and is forgotten when that day is read whole without it."""
    parts = []
    real = pulling.import_parts

    def noted(some, *rest, **more):
        some = list(some)
        parts.append([piece for piece, _records in some])
        return real(some, *rest, **more)

    monkeypatch.setattr(pulling, "import_parts", noted)
    # The first import waits until more days are there.
    monkeypatch.setattr(pulling.Ahead, "ready", property(lambda self: not self._ended))
    first, second, third = DAYS[:3]
    fixed.records = [
        on(f"{first}", "a"),
        {**meeting(uuid="", start_time=f"{second} 10:00:00"), "duration": "never"},
        on(f"{second}", "b"),
        on(f"{third}", "c"),
    ]
    run = pulling.pull_days(client, lambda: NOW, days=(third, first))
    assert parts == [[f"day:{day}" for day in (first, second, third)]]
    assert (run.new, run.rejected, run.pages, run.pieces_done) == (3, 1, 3, 3)
    assert Rejected.objects.get().piece == f"day:{second}"
    assert dict(PulledDay.objects.values_list("day", "delivered")) == {first: 1, second: 2, third: 1}
    del fixed.records[1]
    pulling.pull_days(client, lambda: NOW, days=(second, second))
    assert not Rejected.objects.exists()
    assert Meeting.objects.count() == 3


@of_a_file
def test_what_is_put_aside_stays_in_memory_inside_and_goes_to_files_outside():
    def where() -> int:
        with connection.cursor() as cursor:
            return cursor.execute("PRAGMA temp_store").fetchone()[0]

    default, memory = 0, 2
    with bulk.put_aside_in_memory():
        assert where() == memory
        with transaction.atomic(), bulk.put_aside_in_memory():  # nothing can be changed inside a transaction
            assert where() == memory
    assert where() == default
    with pytest.raises(ValueError), bulk.put_aside_in_memory():
        raise ValueError
    assert where() == default
    with bulk.put_aside_in_memory():
        connection.close()
    assert where() == default
