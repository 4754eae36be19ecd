"""Every part of a filter selects exactly the rows that it says, of meetings, visits and calls; what is masked."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import Permission
from hypothesis import given
from hypothesis import strategies as st

from reports import exports
from reports.filter import Filter
from reports.models import Meeting, Participant, TelephonyUsage
from reports.querysets import clock_hour
from reports.text import mask
from tests.reports.figures.oracle import parts, periods, worlds
from tests.support import NOW, call, csv_rows, examples, meeting, take

pytestmark = pytest.mark.django_db
few = examples(80)


@few
@given(world=worlds(), data=st.data())
def test_parts_alone_and_together_select_what_plain_python_does(db, world, data):
    chosen = replace(data.draw(periods(world)), **data.draw(parts(world)))
    with world.kept() as oracle:
        meetings = Meeting.objects.matching(chosen).values_list("uuid", flat=True)
        assert sorted(meetings) == sorted(m.uuid for m in oracle.meetings(chosen))
        fitting = Meeting.objects.fitting(chosen).values_list("uuid", flat=True)
        assert sorted(fitting) == sorted(m.uuid for m in oracle.fitting(chosen))
        visits = Participant.objects.matching(chosen).values_list("meeting__uuid", "name", "join_time")
        assert sorted((uuid, name, int(at.timestamp())) for uuid, name, at in visits) == sorted(
            (m.uuid, visit.name, visit.join) for m, visit in oracle.visits(chosen)
        )
        calls = TelephonyUsage.objects.matching(chosen).values_list("meeting__uuid", "phone_number", "type", "total")
        assert sorted((*row[:3], str(row[3] is None), row[3] or 0) for row in calls) == sorted(
            (c.meeting.uuid, c.number, c.type, str(c.cost is None), c.cost or 0) for c in oracle.calls(chosen)
        )


@pytest.fixture
def three():
    """Monday ten o'clock with two calls; Sunday a minute before midnight with an unpriced one; Monday noon, silent."""
    take(
        meeting(
            uuid="ten",
            telephony_usage=[
                call("+8613912345678", "10:05:00", "10:15:00", 10, "0.6"),
                {**call("+12025550123", "10:05:00", "10:15:00", 10, "2"), "type": "call-in"},
            ],
        ),
        meeting(
            uuid="night",
            start_time="2026-03-08 23:59:59",
            end_time="2026-03-09 00:30:00",
            telephony_usage=[{**call("", "00:05:00", "00:15:00", 10, None), "type": ""}],
        ),
        meeting(uuid="noon", start_time="2026-03-09 12:00:00", participants=None, telephony_usage=None),
    )


@pytest.mark.parametrize(
    ("chosen", "meetings", "calls"),
    [
        ({}, {"ten", "night", "noon"}, 3),
        ({"weekday": 1}, {"ten", "noon"}, 2),
        ({"weekday": 7}, {"night"}, 1),
        ({"hour": 23}, {"night"}, 1),
        ({"hour": 0}, set(), 0),
        ({"weekday": 1, "hour": 10}, {"ten"}, 2),
        ({"weekday": 7, "hour": 10}, set(), 0),
        ({"type": "call-in"}, {"ten"}, 1),
        ({"type": "-"}, {"night"}, 1),
        ({"country": "CN"}, {"ten"}, 1),
        ({"country": "-"}, {"night"}, 1),
        ({"phone": "+12025550123"}, {"ten"}, 1),
        ({"phone": "+1202555012"}, set(), 0),
        ({"phone": "-"}, {"night"}, 1),
        ({"priced": True}, {"ten"}, 2),
        ({"priced": False}, {"night"}, 1),
        # One call must be all of it: no meeting has a Chinese call of 2 yuan.
        ({"country": "CN", "type": "call-in"}, set(), 0),
        ({"country": "US", "type": "call-in", "priced": True}, {"ten"}, 1),
        ({"uuid": "noon"}, {"noon"}, 0),
        ({"uuid": "NOON"}, set(), 0),
        ({"number": "1571106323"}, {"ten", "night", "noon"}, 3),
        ({"number": "157110632"}, set(), 0),
        ({"topic": "周例会"}, {"ten", "night", "noon"}, 3),
        ({"topic": "周例"}, set(), 0),
        ({"topic": ""}, set(), 0),
        ({"booked": "over"}, set(), 0),
        ({"booked": "early"}, {"night", "noon"}, 1),
        ({"during": datetime(2026, 3, 9, 0)}, {"night"}, 1),
        ({"during": datetime(2026, 3, 9, 10)}, {"ten"}, 2),
        ({"during": datetime(2026, 3, 9, 11)}, set(), 0),
        ({"name": "anna"}, {"ten", "night"}, 3),
        ({"name": ""}, set(), 0),
        ({"name": "anna", "type": "call-in", "weekday": 1}, {"ten"}, 1),
        ({"calls": True, "priced": False}, {"night"}, 1),
        ({"calls": False}, set(), 0),
        ({"state": "unreported", "weekday": 1}, {"noon"}, 0),
    ],
)
def test_a_part_selects_its_meetings_and_calls(three, chosen, meetings, calls):
    found = Filter(**chosen)
    assert set(Meeting.objects.matching(found).values_list("uuid", flat=True)) == meetings
    assert TelephonyUsage.objects.matching(found).count() == calls


@pytest.mark.parametrize(
    ("hour", "first", "last"),
    [
        ("2026-03-29T01", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("2026-03-29T02", "2026-03-29T01:00", "2026-03-29T01:00"),
        ("2026-03-29T03", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("2026-10-25T02", "2026-10-25T00:00", "2026-10-25T02:00"),
    ],
)
def test_an_hour_of_the_clock_lasts_as_long_as_the_clock_shows_it(settings, hour, first, last):
    settings.TIME_ZONE = "Europe/Berlin"
    begin, end = clock_hour(datetime.fromisoformat(f"{hour}:00"))
    assert (f"{begin:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}") == (first, last)


# In the address bar --------------------------------------------------------------------------------------------


def get(client, address):
    with time_machine.travel(NOW, tick=False):
        response = client.get(address)
        body = b"".join(response.streaming_content) if response.streaming else response.content
    return response.status_code, body


COLUMNS = {
    "meetings": "uuid, host_id, room, meeting_id, topic, start_time, end_time, state, booked_minutes, open_minutes, "
    "used_minutes, attendees, visits, peak_attendees, attendee_minutes, is_extra, calls, call_minutes, call_cost, "
    "currency",
    "participants": "uuid, host_id, room, meeting_id, topic, name, join_time, leave_time, minutes",
    "attendees": "uuid, host_id, room, meeting_id, topic, name, first_join, last_leave, visits, minutes, "
    "presence_percent, late_minutes",
    "telephony": "uuid, host_id, room, meeting_id, topic, phone_number, country, type, start_time, end_time, minutes, "
    "cost, currency",
    "rooms": "host_id, room, capacity, meetings, extra_meetings, empty_meetings, solo_meetings, booked_hours, "
    "open_hours, used_hours, utilisation_percent, attendees, attendee_hours, calls, call_minutes, call_cost, currency",
    "days": "day, meetings, extra_meetings, empty_meetings, booked_hours, open_hours, used_hours, attendees, "
    "attendee_hours, peak_concurrent_rooms, calls, call_minutes, call_cost, unpriced_calls, currency",
    "hours": "weekday, hour, meetings, open_hours",
    "pool": "level, hours_at_level, hours_at_least, meetings_without_room, meetings, served_percent",
    "sizes": "seats, rooms, level, meetings_without_room, meetings, served_percent",
    "concurrency": "begin, most_rooms",
    "reconciliation": "month, host_id, room, their_meetings, our_meetings, their_participants, our_participants, "
    "their_minutes, our_minutes, their_calls, our_calls, their_call_minutes, our_call_minutes, their_cost, our_cost, "
    "currency, explanation",
    "booked": "by, key, name, meetings, judged, overruns, overrun_hours, early_ends, early_hours, empty_meetings, "
    "solo_meetings, booked_hours, used_hours, used_percent, spare_hours",
    "series": "by, series, topic, meeting_id, meetings, reported_meetings, name, attended, present, present_percent, "
    "minutes, mean_presence_percent, late, left_early, first_join, last_leave",
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_columns_are_the_contracts_in_its_order(admin, three, name):
    status, body = get(admin, f"/{name}.csv")
    header, *rows = body.decode("utf-8-sig").split("\r\n")
    assert (status, header) == (200, COLUMNS[name].replace(", ", ","))
    assert body.startswith(b"\xef\xbb\xbf")
    assert body.count(b"\n") == body.count(b"\r\n") == len(rows)
    expected = {"meetings": 3, "participants": 4, "attendees": 4, "telephony": 3, "rooms": 1, "days": 30, "hours": 168}
    expected |= {"pool": 2, "sizes": 2, "concurrency": 30, "booked": 5, "series": 2}
    # Totals are compared from the first day that is pulled by date, and here none was.
    assert len(csv_rows(body)) == expected.get(name, 0)


def test_there_are_these_tables_and_no_others():
    assert set(exports.TABLES) == set(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("query", ["weekday=1&hour=10", "type=call-in", "name=anna&priced=1", "uuid=ten"])
def test_every_table_takes_every_part(admin, three, name, query):
    status, body = get(admin, f"/{name}.csv?{query}")
    assert status == 200
    if name in {"meetings", "participants", "attendees", "telephony"}:
        assert {row["uuid"] for row in csv_rows(body)} == {"ten"}


@pytest.mark.parametrize("query", ["weekday=0", "weekday=8", "hour=24", "hour=x", "priced=2", "uuid=" + "x" * 201])
def test_a_wrong_part_is_named(admin, query):
    status, body = get(admin, f"/telephony.csv?{query}")
    assert (status, body.count(b"\n")) == (400, 1)
    assert body.decode().startswith(query.partition("=")[0])


# Telephone numbers ---------------------------------------------------------------------------------------------


def test_who_may_not_see_numbers_gets_them_with_their_middle_hidden(viewer, admin, three):
    shown = {row["uuid"]: row["phone_number"] for row in csv_rows(get(admin, "/telephony.csv?raw=1&country=CN")[1])}
    assert shown == {"ten": "+8613912345678"}
    status, body = get(viewer, "/telephony.csv?raw=1")
    hidden = {row["phone_number"] for row in csv_rows(body)}
    assert status == 200
    assert hidden == {mask("+8613912345678"), mask("+12025550123"), ""}
    assert all("*" in number for number in hidden if number)
    assert "13912345678" not in body.decode()


@pytest.mark.parametrize("table", COLUMNS)
def test_who_may_not_see_numbers_cannot_ask_for_one(viewer, admin, three, table):
    for address in (f"/{table}.csv?phone=%2B8613912345678", f"/{table}.csv?phone=1"):
        status, body = get(viewer, address)
        assert (status, body.count(b"\n")) == (400, 1)
        assert body.startswith(b"phone=")
        assert get(admin, address)[0] == 200
    # Calls that tell no number hide nothing.
    assert get(viewer, f"/{table}.csv?phone=-")[0] == 200


def test_a_permission_is_enough_to_see_numbers(viewer, three, django_user_model):
    user = django_user_model.objects.get(username="viewer")
    user.user_permissions.add(Permission.objects.get(codename="see_phone_numbers"))
    rows = csv_rows(get(viewer, "/telephony.csv?raw=1&phone=%2B8613912345678")[1])
    assert [row["phone_number"] for row in rows] == ["+8613912345678"]
    assert Decimal(rows[0]["cost"]) == Decimal("0.6")


digits = st.text("0123456789", min_size=0, max_size=20)
written = st.lists(st.sampled_from(list("0123456789+ -().")), max_size=24).map("".join)


@given(digits | written | digits.map(lambda text: f"+86{text}"))
def test_a_mask_keeps_the_length_and_whatever_is_no_digit(number):
    masked = mask(number)
    assert len(masked) == len(number)
    for before, after in zip(number, masked, strict=True):
        assert after == before or (after == "*" and before.isdigit())
    count = sum(letter.isdigit() for letter in number)
    shown = sum(letter.isdigit() for letter in masked)
    if count >= 11:
        assert shown <= 7
    if count >= 3:
        assert shown < count
    assert mask(masked).count("*") >= masked.count("*")


@given(digits.filter(lambda text: len(text) >= 7))
def test_a_mask_hides_at_least_half_of_a_long_number(number):
    assert mask(number).count("*") * 2 >= len(number)
