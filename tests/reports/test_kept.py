"""Kept sums: whatever came, they are what the rows say, and what is not folded yet is asked of the rows."""

import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from reports import folding, kept, maintenance
from reports.figures import booking, groups, occupancy, telephony, usage
from reports.figures.booking import BOOKING_SORTS
from reports.figures.people import PERSON_SORTS, people, some_people
from reports.figures.room_usage import room_usage
from reports.filter import Filter
from reports.keptmodels import KeptPeople, KeptTotals, Stretch, Touched
from reports.models import Ledger, Meeting, Room, TelephonyUsage
from tests.support import NOW, call, examples, meeting, take, visit

pytestmark = pytest.mark.django_db
few = examples(40)
ANYWHEN = replace(Filter(), first=date(2024, 1, 1), last=date(2027, 12, 31))


def sums() -> dict[str, list[tuple[Any, ...]]]:
    """Everything kept, without ids."""
    found = {}
    for model in kept.TABLES:
        names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
        found[model.__name__] = sorted(model._default_manager.values_list(*names), key=repr)
    found["stretches"] = sorted(Stretch.objects.values_list("code"))
    return found


def rebuilt() -> dict[str, list[tuple[Any, ...]]]:
    folding.rebuild()
    return sums()


def on(day: str, uuid: str, start: str = "10:00:00", end: str | None = "11:00:00", **changes: Any) -> dict[str, Any]:
    """A meeting with two visits and a call on a day."""
    stays = [visit("王伟", "10:00:00", "11:00:00", day), visit("Anna", "10:10:00", None, day)]
    calls = [call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6, day)]
    told = {"participants": stays, "telephony_usage": calls, **changes}
    return meeting(uuid=uuid, start_time=f"{day} {start}", end_time=end and f"{day} {end}", **told)


days = st.dates(date(2025, 11, 20), date(2026, 2, 12)).map(date.isoformat)
steps = st.lists(
    st.one_of(
        st.just("fold"),
        st.just("days"),
        st.just("prune"),
        st.builds(
            lambda day, number, end, host, lists: on(
                day,
                f"uuid-{number}",
                end=end,
                host_id=host,
                **({} if lists is None else {"participants": lists[0], "telephony_usage": lists[1]}),
            ),
            days,
            st.integers(0, 5),
            st.sampled_from((None, "10:00:00", "10:30:00", "23:59:59")),
            st.sampled_from(("HOST-1", "HOST-2")),
            st.none() | st.just((None, None)) | st.just(([], [])),
        ),
    ),
    max_size=14,
)


@few
@given(steps=steps)
def test_what_is_kept_is_what_a_rebuild_makes_whatever_came(db, settings, steps):
    settings.RETENTION_DAYS = 60
    for model in (Meeting, Room, Ledger):
        model.objects.all().delete()
    for step in steps:
        if step == "fold":
            folding.fold()
        elif step == "days":
            folding.fold(stretches=False)
        elif step == "prune":
            maintenance.prune(NOW)
        else:
            take(step)
    folding.fold()
    found = sums()
    assert not Touched.objects.exists()
    assert rebuilt() == found


def test_a_stretch_is_kept_of_every_third_month_and_year_that_has_a_row():
    take(on("2026-01-10", "a"), on("2026-01-11", "b"), on("2026-02-28", "c"), on("2025-12-31", "d"))
    # More than are made at a time.
    take(on("2026-03-15", "e"), on("2026-04-01", "f"), on("2026-05-31", "g"))
    folding.fold()
    codes = list(Stretch.objects.order_by("code").values_list("code", flat=True))
    thirds = [120251221, 120260101, 120260111, 120260221, 120260311, 120260401, 120260521]
    months = [220251201, 220260101, 220260201, 220260301, 220260401, 220260501]
    assert codes == [*thirds, *months, 320250101, 320260101]
    assert KeptTotals.objects.get(stretch=320260101).meetings == 6
    assert KeptPeople.objects.get(stretch=320260101, key="anna").attended == 6


@pytest.mark.parametrize(
    ("first", "last", "spans"),
    [
        (None, None, [320250101, 320260101]),
        ("2025-01-01", "2027-01-01", [320250101, 320260101]),  # beyond the rows on both sides
        ("2026-01-01", "2026-01-31", [220260101]),
        ("2026-01-05", "2026-01-20", [(20260105, 20260110), 120260111]),
        ("2026-01-05", "2026-01-19", [(20260105, 20260119)]),
        ("2026-02-20", None, [20260220, 120260221]),
    ],
)
def test_a_period_is_made_up_of_the_fewest_stretches(first, last, spans):
    take(*(on(f"2026-01-{day:02}", f"a{day}") for day in range(1, 32)))
    take(on("2025-12-30", "b"), *(on(f"2026-02-{day:02}", f"c{day}") for day in range(1, 29)))
    folding.fold()
    found = kept.cover(first and date.fromisoformat(first), last and date.fromisoformat(last))
    assert list(found.spans) == [span if isinstance(span, tuple) else (span, span) for span in spans]
    assert not found.asked


def test_a_touched_day_is_asked_of_the_rows_until_it_is_folded():
    take(*(on(f"2026-01-{day:02}", f"a{day}") for day in range(1, 32)))
    folding.fold()
    take(on("2026-01-15", "late"))
    cover = kept.cover(date(2026, 1, 1), date(2026, 1, 31))
    assert cover.asked == [(date(2026, 1, 15), date(2026, 1, 15))]
    assert [span[0] for span in cover.spans] == [120260101, 20260111, 20260116, 120260121]
    assert usage.totals(ANYWHEN, NOW).meetings == 32
    folding.fold()
    assert kept.cover(date(2026, 1, 1), date(2026, 1, 31)).spans == [(320260101, 320260101)]
    assert usage.totals(ANYWHEN, NOW).meetings == 32


@pytest.mark.parametrize(
    "write",
    [
        lambda: Meeting.objects.filter(uuid="a1").update(open_seconds=1),
        lambda: Meeting.objects.filter(uuid="a1").update(room=None),
        lambda: Meeting.objects.filter(uuid="a1").delete(),
        lambda: TelephonyUsage.objects.filter(meeting__uuid="a1").update(total=5),
        lambda: TelephonyUsage.objects.filter(meeting__uuid="a1").delete(),
        lambda: connection.cursor().execute("UPDATE reports_meeting SET is_extra = NULL WHERE uuid = 'a1'"),
    ],
)
def test_no_way_of_writing_forgets_to_touch_the_day(write):
    take(on("2026-01-05", "a1"), on("2026-01-06", "a2"))
    folding.fold()
    write()
    assert kept.not_kept(date(2026, 1, 1), date(2026, 1, 31)) == {date(2026, 1, 5)}


def test_a_meeting_over_midnight_touches_the_day_it_reaches_into():
    take(on("2026-01-04", "a"), on("2026-01-06", "b"))
    folding.fold()
    take(meeting(uuid="night", start_time="2026-01-04 23:00:00", end_time="2026-01-05 01:00:00"))
    assert kept.not_kept(date(2026, 1, 1), date(2026, 1, 31)) == {date(2026, 1, 4), date(2026, 1, 5)}
    folding.fold()
    assert dict(occupancy.peaks(ANYWHEN, NOW))[date(2026, 1, 5)] == 1


@pytest.mark.parametrize("rule", ["TIME_ZONE", "OPENING_HOURS"])
def test_sums_made_by_other_rules_are_not_used(settings, rule):
    take(on("2026-01-05", "a"))
    folding.fold()
    if rule == "TIME_ZONE":
        settings.TIME_ZONE = "Europe/Berlin"
    else:
        settings.OPENING_HOURS = (None,) * 7
    cover = kept.cover(None, None)
    assert not cover.spans
    assert cover.asked[0][0] == date(2026, 1, 5)
    folding.rebuild()
    assert not kept.cover(None, None).asked


def test_running_and_long_meetings_are_added_when_asked():
    take(on("2026-03-09", "short"), on("2026-02-20", "runs", end=None))
    take(meeting(uuid="long", start_time="2026-02-27 12:00:00", end_time="2026-03-03 12:00:00", host_id="HOST-2"))
    figures = (usage.totals, usage.days, usage.by_room, occupancy.peaks, occupancy.utilisation, occupancy.hours)
    asked = [figure(ANYWHEN, NOW) for figure in figures]
    folding.fold()
    assert [figure(ANYWHEN, NOW) for figure in figures] == asked
    later = NOW + timedelta(days=3)
    kept_later = [figure(ANYWHEN, later) for figure in figures]
    Ledger.objects.update(opening_hours="")  # nothing kept is used
    assert [figure(ANYWHEN, later) for figure in figures] == kept_later


def test_no_figure_over_years_reads_the_meetings():
    take(*(on(f"2026-01-{day:02}", f"a{day}") for day in range(1, 32)))
    folding.fold()
    with CaptureQueriesContext(connection) as queries:
        usage.days(ANYWHEN, NOW)
        occupancy.peaks(ANYWHEN, NOW)
        occupancy.hours(ANYWHEN, NOW)
        room_usage(ANYWHEN, NOW)
        telephony.groups(ANYWHEN, "phone")
        telephony.months(ANYWHEN, NOW)
        booking.groups(ANYWHEN)
        booking.distribution(ANYWHEN)
        people(ANYWHEN, NOW)
    for query in queries:
        if 'FROM "reports_meeting"' in query["sql"] or 'FROM "reports_participant"' in query["sql"]:
            # What is not kept: running meetings and those longer than a day.
            assert '"end_time" IS NULL' in query["sql"] or '"open_seconds" > 86400' in query["sql"], query["sql"]
        assert 'FROM "reports_telephonyusage"' not in query["sql"]


def test_touched_days_apart_are_asked_together_however_many():
    days = [date(2024, 1, 2) + timedelta(days=2 * number) for number in range(12)]
    take(*(on(f"{day}", f"a{day}") for day in days[:2]))
    folding.fold()
    take(*(on(f"{day}", f"a{day}") for day in days[2:]))
    assert len(kept.cover(None, None).asked) == 10
    with few_parts():
        found = some_people(ANYWHEN, NOW, 5).rows
        assert [(one.key, one.meetings) for one in found] == [("anna", len(days)), ("王伟", len(days))]
        [room] = booking.some_rooms(ANYWHEN, 5).rows
        assert room.booking.meetings == len(days)
        assert some_people(replace(ANYWHEN, page=10**30), NOW, 5).rows == found


@pytest.mark.parametrize("most_keys", [1, 200])
@pytest.mark.parametrize("way", ["", "-"])
def test_pages_out_of_kept_sums_are_pieces_of_all_groups(monkeypatch, way, most_keys):
    """Of few groups the sums are asked by their keys, of many all at once; some days are kept, and some are touched."""
    monkeypatch.setattr(groups, "MOST_KEYS", most_keys)
    numbers = [f"15710632{number % 4}{number % 3}" for number in range(14)]
    records = [
        on(f"2026-01-{number + 1:02}", f"a{number}", meeting_id=one, topic=f"Topic {one}",
           participants=[visit(f"Name {place}", f"10:{place:02}:00", None, f"2026-01-{number + 1:02}")
                         for place in range(number % 5 + 1)])
        for number, one in enumerate(numbers)
    ]  # fmt: skip
    take(*records[:10])
    folding.fold()
    take(*records[10:])
    assert kept.cover(None, None).spans
    assert kept.cover(None, None).asked
    for sort in PERSON_SORTS:
        chosen = Filter(sort=way + sort)
        whole = people(chosen, NOW)
        pages = [some_people(replace(chosen, page=page), NOW, 2).rows for page in (1, 2, 3)]
        assert pages == [whole[0:2], whole[2:4], whole[4:6]], sort
    for sort in BOOKING_SORTS:
        chosen = Filter(sort=way + sort)
        every = booking.by_series(chosen, "number")
        found = [booking.some_series(replace(chosen, page=page), "number", 3).rows for page in (1, 2)]
        assert found == [every[0:3], every[3:6]], sort
    assert telephony.dearest(Filter(), "phone", 1).rows == telephony.groups(Filter(), "phone")[:1]


@contextmanager
def few_parts():
    """SQLite takes no more than so many SELECTs with UNION; usually 500, and there are more days."""
    if connection.vendor != "sqlite":
        yield
        return
    before = connection.connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 4)
    try:
        yield
    finally:
        connection.connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, before)


@pytest.mark.parametrize("ledger", [True, False])
def test_an_older_ledger_is_asked_of_its_rows_until_it_is_first_folded(ledger):
    take(on("2026-01-05", "a"), meeting(uuid="n", start_time="2026-01-06 23:00:00", end_time="2026-01-07 10:00:00"))
    figures = (usage.totals, usage.days, usage.by_room, occupancy.peaks, occupancy.utilisation, occupancy.hours)
    asked = [figure(Filter(), NOW) for figure in figures]
    # As a migration leaves it.
    Ledger.objects.all().delete()
    if ledger:
        Ledger.objects.create(time_zone="Asia/Shanghai")
    Touched.objects.all().delete()
    assert [figure(Filter(), NOW) for figure in figures] == asked
    assert asked[0].meetings == 2
    assert kept.waiting() > 0
    folding.fold()
    assert KeptTotals.objects.filter(stretch=kept.code(date(2026, 1, 5))).exists()
