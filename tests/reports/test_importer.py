"""Records become rows: new, changed, same; whole or not at all; nothing lost, nothing doubled."""

import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection
from hypothesis import given
from hypothesis import strategies as st

from reports import bulk, importer, prepared, schedule, summaries
from reports.models import Change, Meeting, Participant, Pull, Rejected, Room, TelephonyUsage, TrackedNumber
from reports.provider.payloads import Call, Visit
from tests.support import NOW, call, counts, examples, ledger, meeting, new_pull, take, take_array, visit

pytestmark = pytest.mark.django_db

ARRAY_ITEM = {
    "uuid": "abc+/DEF12345678==",
    "id": 1571106323,
    "host": "梧桐厅 ",
    "email": "room1@rooms.example",
    "start_time": "2026-03-09T02:00:00Z",
    "end_time": "2026-03-09T03:00:00Z",
    "duration": "60分钟",
    "participants": [
        {"id": "", "user_name": "Anna", "join_time": "2026-03-09T02:10:00Z", "leave_time": "2026-03-09T02:40:00Z"},
        {"id": "", "user_name": "王伟", "join_time": "2026-03-09T02:00:00Z", "leave_time": "2026-03-09T03:00:00Z"},
    ],
}


def test_a_new_meeting_is_kept_whole_with_its_figures():
    assert counts(take(meeting())) == (1, 0, 0, 0)
    kept = Meeting.objects.get()
    assert (kept.uuid, kept.meeting_id, kept.topic, kept.room.host_id) == (
        "abc+/DEF12345678==",
        "1571106323",
        "周例会",
        "HOST-1",
    )
    assert (kept.state, kept.open_seconds, kept.used_seconds, kept.attendee_seconds) == ("ended", 3600, 3600, 5400)
    assert (kept.attendees, kept.visits, kept.peak_attendees, kept.duration) == (2, 2, 2, 3600)
    assert (kept.calls, kept.call_seconds, kept.call_cost, kept.unpriced_calls) == (1, 600, Decimal("0.60"), 0)
    assert str(kept.local_day) == "2026-03-09"
    assert [row.place for row in kept.participants.all()] == [1, 2]


def test_the_same_report_again_changes_no_row():
    take(meeting())
    before = [list(model.objects.order_by("pk").values()) for model in (Meeting, Participant, TelephonyUsage, Change)]
    assert counts(take(meeting(), now=NOW + timedelta(hours=1))) == (0, 0, 1, 0)
    after = [list(model.objects.order_by("pk").values()) for model in (Meeting, Participant, TelephonyUsage, Change)]
    assert before == after


def test_another_order_or_spelling_is_the_same_report():
    take(meeting())
    same = meeting(
        meeting_id=1571106323,
        is_extra="0",
        duration="60分钟",
        start_time="2026-3-9 10:00:00",
        participants=meeting()["participants"][::-1],
        telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", "10", "0.60")],
        brand_new_field={"x": 1},
    )
    assert counts(take(same)) == (0, 0, 1, 0)
    assert Change.objects.count() == 0


def test_a_changed_report_replaces_and_tells_what_it_was():
    take(meeting())
    later = [visit("王伟", "10:00:00", "11:05:00"), visit("Bo", "10:59:00", "11:05:00")]
    assert counts(take(meeting(end_time="2026-03-09 11:06:00", participants=later))) == (0, 1, 0, 0)
    kept = Meeting.objects.get()
    assert list(kept.participants.values_list("place", "name")) == [(1, "王伟"), (2, "Bo")]
    assert kept.used_seconds == 65 * 60
    change = Change.objects.get()
    assert set(change.after) == {"end_time", "participants"}
    assert change.before["participants"][0][0] == "王伟"
    assert change.before["end_time"] == "2026-03-09T03:00:00+00:00"
    assert len(change.before["participants"]) == 2


@pytest.mark.parametrize("empty", [[], None])
def test_reported_visits_are_never_replaced_by_none(empty):
    take(meeting())
    take(meeting(participants=empty, telephony_usage=empty))
    kept = Meeting.objects.get()
    assert (kept.participants.count(), kept.telephony_usage.count(), kept.state) == (2, 1, "ended")
    # Null tells nothing; an empty list says something, and that is noted: once.
    take(meeting(participants=empty, telephony_usage=empty))
    assert Change.objects.count() == (1 if empty == [] else 0)
    if empty == []:
        assert "no visits any more" in Change.objects.get().note


def test_unreported_is_unknown_and_empty_is_zero():
    take(meeting(participants=None, telephony_usage=None))
    kept = Meeting.objects.get()
    assert kept.state == "unreported"
    assert (kept.attendees, kept.used_seconds, kept.peak_attendees, kept.visits, kept.calls, kept.call_cost) == (
        None,
    ) * 6
    take(meeting(participants=[], telephony_usage=[]))
    kept.refresh_from_db()
    assert (kept.state, kept.attendees, kept.used_seconds, kept.calls, kept.call_cost) == (
        "empty",
        0,
        0,
        0,
        Decimal("0"),
    )


def test_unpriced_calls_are_counted_never_zero():
    calls = [call("+8613912345678", "10:05:00", "10:15:00", 10, None)]
    take(meeting(telephony_usage=calls))
    kept = Meeting.objects.get()
    assert (kept.call_cost, kept.unpriced_calls, kept.calls) == (None, 1, 1)
    take(meeting(telephony_usage=[*calls, call("+8613912345678", "10:20:00", "10:21:00", 1, "0.06")]))
    kept.refresh_from_db()
    assert (kept.call_cost, kept.unpriced_calls, kept.calls) == (Decimal("0.06"), 1, 2)


def test_money_adds_up_exactly():
    calls = [call("+8613912345678", "10:05:00", "10:06:00", 1, "0.1") for _ in range(3)]
    take(meeting(telephony_usage=calls))
    assert Meeting.objects.get().call_cost == Decimal("0.30")


def test_the_array_shape_fills_gaps_and_erases_nothing():
    take(meeting())
    before = ledger()
    assert counts(take_array(ARRAY_ITEM)) == (0, 0, 1, 0)
    assert ledger() == before


def test_array_first_then_pages_ends_as_pages_alone():
    take(meeting())
    alone = ledger()
    Meeting.objects.all().delete()
    Room.objects.all().delete()
    take_array(ARRAY_ITEM)
    kept = Meeting.objects.get()
    assert (kept.topic, kept.is_extra, kept.room, kept.calls) == ("", None, None, None)
    take(meeting())
    assert ledger() == alone


def test_a_booked_length_is_not_overwritten_by_an_actual_one():
    take_array({**ARRAY_ITEM, "duration": "61分钟"})
    assert Meeting.objects.get().duration == 61 * 60
    take(meeting(duration=120))
    assert Meeting.objects.get().duration == 7200
    take_array({**ARRAY_ITEM, "duration": "61分钟"})
    assert Meeting.objects.get().duration == 7200


def test_a_room_is_found_by_email_then_by_a_name_that_is_one_rooms_alone():
    Room.objects.create(host_id="A", email="room1@rooms.example", name="X")
    Room.objects.create(host_id="B", name="梧桐厅")
    take_array(ARRAY_ITEM)
    assert Meeting.objects.get().room.host_id == "A"
    take_array({**ARRAY_ITEM, "uuid": "two", "email": ""})
    assert Meeting.objects.get(uuid="two").room.host_id == "B"
    Room.objects.create(host_id="C", name="梧桐厅")
    take_array({**ARRAY_ITEM, "uuid": "three", "email": ""})
    assert Meeting.objects.get(uuid="three").room is None


def test_a_room_learned_later_is_found_for_what_is_kept():
    take_array(ARRAY_ITEM)
    assert Meeting.objects.get().room is None
    rooms = [{"id": "A", "email": "ROOM1@rooms.example", "first_name": "梧桐", "meeting_capacity": "25"}]
    answer = {"status": 200, "message": "OK", "data": rooms}
    from reports.provider.payloads import read_answer
    from tests.support import SHANGHAI

    pull = new_pull("rooms")
    importer.import_page(read_answer(answer, SHANGHAI).records, pull, NOW)
    assert Meeting.objects.get().room.host_id == "A"
    assert Room.objects.get().capacity == 25


def test_an_own_name_for_a_room_outlives_every_pull():
    take(meeting())
    Room.objects.update(label="三楼大会议室")
    take(meeting(uuid="other"))
    assert Room.objects.get().label == "三楼大会议室"


def test_a_room_is_temporary_while_only_extra_meetings_were_seen_in_it():
    take(meeting(is_extra=1))
    assert Room.objects.get().temporary is True
    take(meeting(uuid="other", is_extra=0))
    assert Room.objects.get().temporary is False


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("first", ["extra", "silent"])
def test_a_meeting_that_does_not_say_whether_it_is_extra_shows_a_room_of_the_pool(pages, first):
    records = [meeting(uuid="extra", is_extra=1), meeting(uuid="silent", is_extra=None)]
    records.sort(key=lambda record: record["uuid"] != first)
    for page in (records,) if pages == 1 else ([record] for record in records):
        take(*page)
    assert Room.objects.get().temporary is False


def test_a_later_report_that_does_not_say_leaves_a_room_temporary():
    take(meeting(is_extra=1))
    take(meeting(is_extra=None))
    assert Room.objects.get().temporary is True
    # In another temporary room now.
    take(meeting(host_id="HOST-2", is_extra=None))
    assert Room.objects.get(host_id="HOST-2").temporary is True


def test_a_bad_record_is_kept_with_its_reason_and_the_others_go_on():
    outcome = take(meeting(uuid="one"), meeting(uuid="bad", start_time="yesterday"), meeting(uuid="two"))
    assert counts(outcome) == (2, 0, 0, 1)
    rejected = Rejected.objects.get()
    assert rejected.field == "start_time"
    assert "yesterday" in rejected.reason
    assert json.loads(rejected.raw)["topic"] == "周例会"
    # Again: no second row. Read well at last: gone.
    assert counts(take(meeting(uuid="bad", start_time="yesterday"))) == (0, 0, 0, 1)
    assert Rejected.objects.count() == 1
    assert counts(take(meeting(uuid="bad"))) == (1, 0, 0, 0)
    assert Rejected.objects.count() == 0


def test_a_record_twice_in_one_answer_is_kept_once():
    assert counts(take(meeting(), meeting())) == (1, 0, 1, 0)
    assert counts(take(meeting(topic="A"), meeting(topic="B"))) == (0, 2, 0, 0)
    assert Meeting.objects.get().topic == "B"


def test_uuids_are_told_apart_by_case():
    assert counts(take(meeting(uuid="abc=="), meeting(uuid="ABC=="))) == (2, 0, 0, 0)


def test_identical_visits_are_both_kept():
    twice = [visit("王伟", "10:00:00", "10:30:00")] * 2
    take(meeting(participants=twice))
    kept = Meeting.objects.get()
    assert (kept.visits, kept.attendees, kept.peak_attendees, kept.used_seconds) == (2, 1, 2, 1800)
    assert kept.state == "solo"


def test_an_end_that_was_known_stays_when_a_report_has_none():
    take(meeting())
    assert counts(take(meeting(end_time=""))) == (0, 0, 1, 0)
    assert Meeting.objects.get().end_time is not None


def test_a_page_is_imported_whole_or_not_at_all(monkeypatch):
    take(meeting())
    pull = new_pull()
    before = ledger()

    def full(*_, **__):
        raise IntegrityError("disk full")

    monkeypatch.setattr(bulk, "insert_rows", full)
    with pytest.raises(IntegrityError):
        take(meeting(topic="changed", participants=[]), meeting(uuid="new"), pull=pull)
    assert ledger() == before
    pull.refresh_from_db()
    assert (pull.new, pull.changed, pull.pages) == (0, 0, 0)


def test_a_pull_counts_what_it_did():
    pull = new_pull()
    take(meeting(), meeting(uuid="bad", start_time=None), pull=pull)
    take(meeting(topic="other"), meeting(uuid="two"), pull=pull)
    take(meeting(topic="other"), pull=pull)
    pull.refresh_from_db()
    assert (pull.new, pull.changed, pull.same, pull.rejected, pull.pages) == (2, 1, 1, 1, 3)


def test_a_new_record_wakes_its_settled_number():
    later = NOW + timedelta(days=6)
    TrackedNumber.objects.create(number="1571106323", state="settled", step=5, next_due_at=later)
    TrackedNumber.objects.create(number="1790001234", state="settled", step=5, next_due_at=later)
    take(meeting())
    woken = TrackedNumber.objects.get(number="1571106323")
    assert (woken.state, woken.step, woken.next_due_at) == ("settling", 0, NOW + schedule.SETTLING[0])
    assert TrackedNumber.objects.get(number="1790001234").next_due_at == later


def test_the_fast_insert_writes_what_django_would(django_user_model):
    take(meeting())
    kept = Participant.objects.first()
    copy_of = copy.copy(kept)
    copy_of.pk, copy_of.place = None, 99
    copy_of.save()
    slow = Participant.objects.filter(pk=copy_of.pk).values("join_time", "leave_time", "name", "name_key").get()
    fast = Participant.objects.filter(pk=kept.pk).values("join_time", "leave_time", "name", "name_key").get()
    assert slow == fast
    # Found by the database's own comparison too, not only after conversion.
    assert Participant.objects.filter(join_time=kept.join_time).count() == 2
    meeting_row = Meeting.objects.get()
    assert Meeting.objects.filter(start_time=meeting_row.start_time, local_day=meeting_row.local_day).exists()


def test_texts_come_back_as_they_were_told():
    """Whatever stands in them, also what has a meaning in the database's own formats."""
    odd = [
        "\\N",
        "a\\b",
        "tab\there",
        "line\nbreak",
        "car\rriage",
        "\\.",
        "'; --",
        '"',
        "%s %(x)s ?",
        "{}",
        "\u2028",
        "😀",
        "",
    ]
    people = [visit(name, f"10:00:{place:02}", None) for place, name in enumerate(odd)]
    phones = [call(number, "10:05:00", "10:06:00", None, None) for number in ("\\N", "+86\\t1", "\\")]
    for number, topic in enumerate(odd):
        take(meeting(uuid=f"u{number}\\", topic=topic, participants=people, telephony_usage=phones))
    for number, topic in enumerate(odd):
        kept = Meeting.objects.get(uuid=f"u{number}\\")
        assert kept.topic == topic
        assert list(kept.participants.values_list("name", flat=True)) == odd
        assert set(kept.participants.values_list("leave_time", flat=True)) == {None}
        assert sorted(kept.telephony_usage.values_list("phone_number", flat=True)) == sorted(["\\N", "+86\\t1", "\\"])
        assert {(one.duration, one.total) for one in kept.telephony_usage.all()} == {(None, None)}


def test_as_many_rows_as_there_are_come_in():
    """More than one statement holds, and a count that is no power of two."""
    people = [visit(f"guest {n}", f"10:{n // 60 % 60:02}:{n % 60:02}", "11:00:00") for n in range(2500)]
    take(meeting(participants=people))
    rows = Participant.objects.order_by("place").values_list("place", "name", "name_key")
    assert list(rows) == [(n + 1, f"guest {n}", f"guest {n}") for n in range(2500)]


@pytest.mark.parametrize("returns", [True, False])
def test_inserting_tells_the_ids_of_what_was_not_there(monkeypatch, returns):
    """As older versions of SQLite do it too."""
    if connection.vendor == "sqlite":
        monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", returns)
    there = Room.objects.create(host_id="b%s", name="kept")
    names = ["host_id", "email", "name", "label", "capacity", "temporary"]
    rows = [(host_id, "", "new", "", None, True) for host_id in ("a?", "b%s", "c'")]
    made = bulk.insert_new(Room, names, rows, "host_id")
    assert made == dict(Room.objects.exclude(pk=there.pk).values_list("host_id", "pk"))
    assert set(made) == {"a?", "c'"}
    assert Room.objects.get(pk=there.pk).name == "kept"
    assert bulk.insert_new(Room, names, rows, "host_id") == {}
    found = bulk.find(Room, "host_id", ["a?", "b%s", "nowhere", '"'], ["host_id", "name"])
    assert sorted(found) == [("a?", "new"), ("b%s", "kept")]
    assert bulk.find(Room, "host_id", [], ["id"]) == []


def test_the_digest_of_what_is_kept_stays_what_it_was():
    """Another digest would take every meeting that is kept for a changed one."""
    at = datetime(2026, 3, 9, 2, tzinfo=UTC)
    visits = [
        Visit("王伟", at + timedelta(minutes=5), None),
        Visit("Anna; 3:x", at, at + timedelta(seconds=61, microseconds=25)),
        Visit("", at, at),
    ]
    calls = [
        Call("+8613912345678", "call-out", at, at + timedelta(minutes=2), 120, Decimal("0.120")),
        Call("", "", None, None, None, None),
    ]
    assert prepared.digest(prepared.canonical_visits(visits)) == (
        "0d077c2d6e1e0b674d613b58c29137e399141c08d98120d30ec29f70befe95c2"
    )
    assert prepared.digest(prepared.canonical_calls(calls)) == (
        "e191b815a5055ec426a569e0c5e9f4cc8e6b9c7e57ba440f5a05cf39e933679f"
    )
    assert prepared.digest(()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert prepared.digest(None) == ""


moments = st.integers(0, 3).map(lambda minute: datetime(2026, 3, 9, 2, minute, tzinfo=UTC))


@given(st.lists(st.builds(Visit, st.sampled_from(["A", "B"]), moments, st.none() | moments), max_size=6), st.randoms())
def test_any_order_of_visits_becomes_the_same(stays, random):
    kept = prepared.canonical_visits(stays)
    random.shuffle(stays)
    assert prepared.canonical_visits(stays) == kept
    far = datetime.max.replace(tzinfo=UTC)
    assert list(kept or ()) == sorted(stays, key=lambda one: (one.join_time, one.leave_time or far, one.name))


names = st.sampled_from(["王伟", "Anna", "anna ", "", "Bo"])
times = st.integers(0, 7200)


def clock(second: int) -> str:
    return f"{10 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


visits = st.lists(
    st.builds(lambda n, a, b: visit(n, clock(a), clock(b) if b is not None else None), names, times, st.none() | times),
    max_size=6,
)
calls = st.lists(
    st.builds(
        lambda a, minutes, total: call("+8613912345678", clock(a), clock(a), minutes, total),
        times,
        st.none() | st.integers(0, 90),
        st.none() | st.decimals(0, 99, places=2).map(str),
    ),
    max_size=3,
)
reports = st.builds(
    lambda uuid, topic, end, people, phones, extra: meeting(
        uuid=uuid, topic=topic, end_time=end, participants=people, telephony_usage=phones, is_extra=extra
    ),
    st.sampled_from(["one", "two", "ONE"]),
    st.sampled_from(["A", "B", None]),
    st.sampled_from(["2026-03-09 11:00:00", "2026-03-09 12:00:00", "", None]),
    st.none() | visits,
    st.none() | calls,
    st.sampled_from([0, 1, "0", True, None]),
)


@examples(60)
@given(st.lists(reports, min_size=1, max_size=6))
def test_any_sequence_of_reports_can_be_repeated_and_rebuilt_without_a_change(db, sequence):
    for model in (Change, Meeting, Rejected, Room, Pull):
        model.objects.all().delete()
    for record in sequence:
        take(record)
    # The last report of each meeting again: nothing changes.
    last = {record["uuid"]: record for record in sequence}
    before, rows = ledger(), list(Meeting.objects.order_by("pk").values())
    assert counts(take(*last.values())) == (0, 0, len(last), 0)
    assert ledger() == before
    assert list(Meeting.objects.order_by("pk").values()) == rows
    # What was computed at import is what the raw rows say.
    assert summaries.rebuild() == 0
    assert ledger() == before
    # Reported once, never lost.
    for uuid in last:
        reported = [
            len(record["participants"]) for record in sequence if record["uuid"] == uuid and record["participants"]
        ]
        if reported:
            assert Participant.objects.filter(meeting__uuid=uuid).count() == reported[-1]
