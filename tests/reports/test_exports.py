"""The CSV tables: exactly the contract's columns, spellings and guards."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from reports import csvtable, exports, longtables, measures, moments, rawrows, summaries
from reports.figures import people, telephony, usage
from reports.filter import Filter
from reports.models import Participant
from tests.reports.figures.oracle import parts, periods, worlds
from tests.support import NOW, call, csv_rows, examples, meeting, take, visit

pytestmark = pytest.mark.django_db

COLUMNS = {
    "meetings": "uuid, host_id, room, meeting_id, topic, start_time, end_time, state, booked_minutes, open_minutes, "
    "used_minutes, attendees, visits, peak_attendees, attendee_minutes, is_extra, calls, call_minutes, call_cost, "
    "currency",
    "participants": "uuid, host_id, room, meeting_id, topic, name, join_time, leave_time, minutes",
    "telephony": "uuid, host_id, room, meeting_id, topic, phone_number, country, type, start_time, end_time, minutes, "
    "cost, currency",
}


def table(name, chosen=None, now=NOW, **options):
    return b"".join(exports.write(exports.TABLES[name], chosen or Filter(), now, **options))


@pytest.mark.parametrize("name", COLUMNS)
def test_header_bom_and_line_ends(name):
    assert table(name) == b"\xef\xbb\xbf" + COLUMNS[name].replace(", ", ",").encode() + b"\r\n"
    assert table(name, bom=False).startswith(b"uuid,")
    take(meeting())
    body = table(name)
    assert body.count(b"\r\n") == body.count(b"\n")


def test_a_meeting_as_a_row():
    take(meeting())
    assert csv_rows(table("meetings")) == [
        {
            "uuid": "abc+/DEF12345678==",
            "host_id": "HOST-1",
            "room": "",
            "meeting_id": "1571106323",
            "topic": "周例会",
            "start_time": "2026-03-09T10:00:00+08:00",
            "end_time": "2026-03-09T11:00:00+08:00",
            "state": "ended",
            "booked_minutes": "60.0",
            "open_minutes": "60.0",
            "used_minutes": "60.0",
            "attendees": "2",
            "visits": "2",
            "peak_attendees": "2",
            "attendee_minutes": "90.0",
            "is_extra": "0",
            "calls": "1",
            "call_minutes": "10.0",
            "call_cost": "0.60",
            "currency": "CNY",
        }
    ]


def test_unknown_is_empty():
    take(meeting(participants=None, telephony_usage=None, duration=None, is_extra=None, end_time="", host_id=""))
    row = csv_rows(table("meetings"))[0]
    empty = {name for name, value in row.items() if value == ""}
    assert empty == {
        *("host_id", "room", "end_time", "booked_minutes", "used_minutes", "attendees", "visits", "peak_attendees"),
        *("attendee_minutes", "is_extra", "calls", "call_minutes", "call_cost"),
    }
    # It runs since ten o'clock of the day before.
    assert row["open_minutes"] == "1560.0"


def test_a_running_meeting_counts_until_now():
    take(
        meeting(
            start_time="2026-03-10 11:30:00", end_time=None, participants=[visit("A", "11:40:00", None, "2026-03-10")]
        )
    )
    row = csv_rows(table("meetings"))[0]
    assert (row["state"], row["open_minutes"], row["used_minutes"]) == ("running", "30.0", "20.0")
    row = csv_rows(table("participants"))[0]
    assert (row["leave_time"], row["minutes"]) == ("", "20.0")


def test_texts_that_a_spreadsheet_would_run_are_guarded():
    nasty = ["=1+1", "+86", "-x", "@me", "\tx", "\rx", "'=x", "safe =1"]
    take(
        *(
            meeting(uuid=f"u{n}", topic=text, participants=[visit(text, "10:00:00", None)])
            for n, text in enumerate(nasty)
        )
    )
    guarded = {row["uuid"]: row["topic"] for row in csv_rows(table("meetings"))}
    for number, text in enumerate(nasty):
        dangerous = text[0] in "=+-@\t\r"
        assert guarded[f"u{number}"] == (f"'{text}" if dangerous else text)
    assert {row["topic"] for row in csv_rows(table("meetings", raw=True))} == set(nasty)
    assert csv_rows(table("telephony"))[0]["phone_number"] == "'+8613912345678"
    assert csv_rows(table("telephony", raw=True))[0]["phone_number"] == "+8613912345678"


def test_calls_as_rows():
    take(
        meeting(
            telephony_usage=[
                call("+8613912345678", "10:05:00", "10:15:00", "01:25", "0.125"),
                call("+12025550123", "10:06:00", "10:16:00", None, None),
            ]
        )
    )
    rows = csv_rows(table("telephony", raw=True))
    assert [(row["country"], row["minutes"], row["cost"]) for row in rows] == [("CN", "1.4", "0.125"), ("US", "", "")]
    assert rows[0]["start_time"] == "2026-03-09T10:05:00+08:00"


def test_the_filter_selects_the_rows():
    take(
        meeting(uuid="one"),
        meeting(
            uuid="two", start_time="2026-03-08 23:59:59", host_id="HOST-2", topic="预算 Budget", telephony_usage=[]
        ),
        meeting(uuid="three", start_time="2026-02-28 10:00:00", participants=[], is_extra=1),
    )

    def uuids(**changes):
        return {row["uuid"] for row in csv_rows(table("meetings", Filter(**changes)))}

    from datetime import date

    assert uuids(first=date(2026, 3, 9)) == {"one"}
    assert uuids(last=date(2026, 3, 8)) == {"two", "three"}
    assert uuids(rooms=("HOST-2",)) == {"two"}
    assert uuids(q="bUDGET") == {"two"}
    assert uuids(q="anna") == {"one", "two"}
    assert uuids(q="157-110-6323") == {"one", "two", "three"}
    assert uuids(q="100%") == set()
    assert uuids(state="empty") == {"three"}
    assert uuids(extra=True) == {"three"}
    assert uuids(calls=False) == {"two"}
    assert uuids(allowed_rooms=frozenset({"HOST-2"})) == {"two"}
    assert len(csv_rows(table("participants", Filter(rooms=("HOST-1",))))) == 2


def test_a_call_belongs_to_its_own_day():
    from datetime import date

    late = [call("+8613912345678", "00:10:00", "00:20:00", 10, 1, "2026-03-10")]
    take(meeting(start_time="2026-03-09 23:30:00", end_time="2026-03-10 00:30:00", telephony_usage=late))
    assert csv_rows(table("telephony", Filter(first=date(2026, 3, 10)))) != []
    assert csv_rows(table("telephony", Filter(last=date(2026, 3, 9)))) == []
    assert csv_rows(table("meetings", Filter(first=date(2026, 3, 10)))) == []


@pytest.mark.parametrize("sort", [f"{sign}{name}" for sign in ("", "-") for name in sorted(exports.MEETINGS.sorts)])
def test_every_column_sorts_with_unknown_last(sort):
    take(meeting(uuid="a"), meeting(uuid="b", participants=None, telephony_usage=None, duration=None, is_extra=None))
    take(meeting(uuid="c", host_id="", topic="", participants=[], telephony_usage=[]))
    rows = csv_rows(table("meetings", Filter(sort=sort)))
    assert len(rows) == 3
    column = sort.removeprefix("-")
    if column in {"attendees", "used_minutes", "calls", "call_cost", "booked_minutes"}:
        values = [row[column] for row in rows]
        known = [float(value) for value in values if value]
        assert values[len(known) :] == [""] * (3 - len(known))
        assert known == sorted(known, reverse=sort.startswith("-"))


def test_file_names_are_plain():
    name = exports.file_name(
        exports.MEETINGS, Filter(rooms=("a/b+c",), q="预算", extra=True), "2026-01-01", "2026-01-31"
    )
    assert name == "meetings_2026-01-01_2026-01-31_a-b-c_extra1_search.csv"


@given(st.integers(0, 10**10))
def test_minutes_and_hours_are_rounded_half_up(seconds):
    assert csvtable.minutes(seconds) == str((Decimal(seconds) / 60).quantize(Decimal("0.1"), ROUND_HALF_UP))
    assert csvtable.hours(seconds) == str((Decimal(seconds) / 3600).quantize(Decimal("0.01"), ROUND_HALF_UP))


@given(st.integers(-(10**12), 10**12))
def test_money_is_written_alike_from_the_field_and_from_the_row(amount):
    assert csvtable.millionths(amount) == csvtable.money(Decimal(amount).scaleb(-6))


zones = st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"])


@given(st.lists(st.datetimes(datetime(1985, 1, 1), datetime(2100, 1, 1)), max_size=20), zones.map(ZoneInfo))
def test_many_times_are_written_as_one_is(naive, zone):
    # Around the hours at which the clocks of the year are set, where an offset must not be kept for too long.
    naive += [datetime(2026, month, 25, hour, 29, 59) for month in (3, 4, 10) for hour in range(24)]
    aware = [value.replace(tzinfo=UTC) for value in naive]
    found = csvtable.LocalTime(zone)([*map(moments.instant, aware), None])
    assert found == [csvtable.moment(value, zone) for value in [*aware, None]]


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_many_minutes_are_written_as_one_is(lengths):
    assert csvtable.minutes_of(lengths) == [csvtable.minutes(length) for length in lengths]


@given(st.integers(0, 10**8), st.none() | st.integers(0, 10**8))
def test_percents_are_written_alike_from_whole_numbers_and_from_a_share(part, whole):
    expected = csvtable.percent(part / whole if whole else None)
    assert [csvtable.percent_of(part, whole), *csvtable.percents_of([part], [whole])] == [expected, expected]


texts = st.text("=+-@\t\r\n,\"' \0a\u5468", max_size=4)


@given(st.lists(st.tuples(texts, texts, st.lists(texts, max_size=3)), max_size=4), st.booleans())
def test_blocks_are_written_as_their_rows_are(meetings, raw):
    heads = [((uuid, topic), len(names)) for uuid, topic, names in meetings]
    names = [name for *_, names in meetings for name in names]
    numbers = [str(place) for place in range(len(names))]

    def blocks(chosen, now):
        yield csvtable.Block([names, numbers], heads)
        yield csvtable.Block([numbers, numbers, names, numbers])

    written = csvtable.Table(
        "t", ("uuid", "topic", "name", "n"), frozenset({"uuid", "topic", "name"}), frozenset(), csvtable.rows_of(blocks)
    )
    in_blocks = replace(written, blocks=blocks)
    expected = b"".join(csvtable.write(written, Filter(), NOW, raw=raw))
    assert b"".join(csvtable.write(in_blocks, Filter(), NOW, raw=raw)) == expected
    assert len(list(written.rows(Filter(), NOW))) == 2 * len(names)


few = examples(60)


def slow_attendees(chosen, now):
    """The attendees' table by the figures that the pages show."""
    zone = ZoneInfo(django_settings.TIME_ZONE)
    for of, presence in people.attended(chosen, now):
        attendee, late, room = presence.attendee, presence.late, of.room
        yield (
            of.uuid,
            room.host_id if room else "",
            room.known_name if room else "",
            of.meeting_id,
            of.topic,
            attendee.name or "(no name)",
            csvtable.moment(attendee.first_join, zone),
            csvtable.moment(attendee.last_leave, zone),
            str(attendee.visits),
            csvtable.minutes(attendee.seconds),
            csvtable.percent(presence.share),
            csvtable.minutes(int(late.total_seconds()) if late else 0),
        )


def slow_visits(chosen, now):
    """The visits' table by Django's own objects, in the order of the meetings' table."""
    zone = ZoneInfo(django_settings.TIME_ZONE)
    for of in usage.meetings(chosen):
        room = of.room
        for one in of.participants.all():
            if chosen.name not in {None, one.name_key}:
                continue
            begin, end = measures.visit_span(one, of.end_time, now)
            yield (
                of.uuid,
                room.host_id if room else "",
                room.known_name if room else "",
                of.meeting_id,
                of.topic,
                one.name,
                csvtable.moment(one.join_time, zone),
                csvtable.moment(one.leave_time, zone),
                csvtable.minutes(int((end - begin).total_seconds())),
            )


@few
@given(world=worlds(), data=st.data(), micro=st.sampled_from((0, 0, 1, 999_999)))
def test_the_quick_tables_are_those_of_the_figures(db, world, data, micro):
    chosen = replace(data.draw(periods(world)), **data.draw(parts()))
    now = world.now + timedelta(microseconds=micro)
    size = data.draw(st.sampled_from((1, 2, 100)))
    with world.kept(), pytest.MonkeyPatch.context() as patch:
        # Times with parts of a second, and as few rows at a time as makes every seam show.
        for visit in Participant.objects.filter(place=data.draw(st.integers(0, 2))):
            visit.join_time += timedelta(microseconds=data.draw(st.sampled_from((0, 500_000, 999_999))))
            visit.save()
        summaries.rebuild()
        patch.setattr(rawrows, "PARENTS", size)
        patch.setattr(rawrows, "CHILDREN", size)
        patch.setattr(longtables, "CHUNK", size)
        assert list(exports.ATTENDEES.rows(chosen, now)) == list(slow_attendees(chosen, now))
        assert list(exports.PARTICIPANTS.rows(chosen, now)) == list(slow_visits(chosen, now))
        for sort in sorted(exports.PARTICIPANTS.sorts):
            for sign in ("", "-"):
                found = exports.PARTICIPANTS.rows(replace(chosen, sort=f"{sign}{sort}"), now)
                assert sorted(found) == sorted(slow_visits(chosen, now))
        calls = [(call.meeting.uuid, call.phone_number) for call in telephony.calls(chosen)]
        assert [(row[0], row[5]) for row in exports.TELEPHONY.rows(chosen, now)] == calls


@pytest.mark.parametrize("quicker", [True, False])
def test_instants_are_exact(monkeypatch, quicker):
    if not quicker:  # as on an SQLite of before 2022
        monkeypatch.setattr(rawrows, "_has_unixepoch", lambda: False)
    take(meeting())
    told = [NOW + timedelta(days=days, microseconds=micro) for days in (-9000, 0, 9000) for micro in (0, 1, 999_999)]
    for moment in told:
        Participant.objects.filter(name="Anna").update(join_time=moment, leave_time=None)
        rows = Participant.objects.filter(name="Anna").values_list(*map(rawrows.Instant, ("join_time", "leave_time")))
        assert list(rawrows.stream(rows)) == [(moments.instant(moment), None)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["participants", "attendees", "telephony", "meetings"])
def test_a_table_is_of_one_moment_whatever_is_pulled_meanwhile(monkeypatch, name):
    monkeypatch.setattr(rawrows, "PARENTS", 1)
    monkeypatch.setattr(rawrows, "CHUNK", 1)
    monkeypatch.setattr(longtables, "CHUNK", 1)
    records = [meeting(uuid=f"u{n}", start_time=f"2026-03-09 10:0{n}:00") for n in range(4)]
    take(*records)
    whole = table(name, bom=False)
    pieces = exports.write(exports.TABLES[name], Filter(), NOW, bom=False)
    begun = next(pieces) + next(pieces)

    def pull():
        # Every meeting is reported anew, with another start and another name; one more comes.
        anew = [visit("Eve", "10:20:00", "10:30:00")]
        take(*(meeting(uuid=f"u{n}", start_time="2026-03-09 09:00:00", participants=anew) for n in range(5)))
        connection.close()

    thread = threading.Thread(target=pull)
    thread.start()
    thread.join()
    assert begun + b"".join(pieces) == whole
    assert table(name, bom=False) != whole
