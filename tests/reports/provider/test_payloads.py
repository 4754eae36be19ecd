"""Reading answers: what every field may look like, and that nothing a server sends is more than a rejected record."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.provider import payloads
from reports.provider.errors import BadPayload, Denied, ProviderError, Refused, Transient
from reports.provider.payloads import (
    DEEPEST,
    Call,
    LicenceRecord,
    MeetingRecord,
    NoReport,
    Page,
    RoomRecord,
    Shape,
    Unreadable,
    Visit,
    decode,
    read_answer,
    read_licence,
)

from .conftest import SHANGHAI
from .http_peer import meeting, page

# The document's own sample, its comments taken out and the missing comma put in; the name is invented.
SAMPLE = """{
  "status": 200, "message": "OK",
  "data": {
    "from": "2017-8-31", "to": "2017-09-01", "total_record": 1, "total_page": 1, "page_number": 1,
    "page_size": 30, "has_previous_page": false, "has_next_page": false,
    "meetings": [{
      "uuid": "dgvOvqWVRUWjrEOS2YI2ig==", "host_id": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "meeting_id": "1790001234",
      "topic": "Hello world!", "start_time": "2017-08-31 00:00:00", "duration": 120,
      "end_time": "2017-08-31 01:00:00", "is_extra": 0,
      "participants": [
        {"name": "XYZ", "join_time": "2017-08-31 00:51:00", "leave_time": "2017-08-31 00:53:04"}],
      "telephony_usage": [
        {"phone_number": "+8613700000000", "type": "call-out", "start_time": "2017-08-31 00:51:00",
         "end_time": "2017-08-31 00:53:00", "duration": 2, "total": 0.12}]
    }]}}"""


def utc(*parts: int) -> datetime:
    year, month, day, *rest = parts
    return datetime(year, month, day, *rest, tzinfo=UTC)  # type: ignore[misc, arg-type]


def read(answer: Any) -> Page:
    """An answer on its whole way, as text."""
    return read_answer(decode(json.dumps(answer)), SHANGHAI)


def one(item: Any, shape: Shape = Shape.PAGED) -> Any:
    answer = page(1, [item]) if shape is Shape.PAGED else {"status": 200, "data": [item]}
    (record,) = read(answer).records
    return record


def rejected(item: Any, field: str) -> Unreadable:
    record = one(item)
    assert isinstance(record, Unreadable), record
    assert record.field == field
    return record


def test_the_documents_own_sample() -> None:
    told = read_answer(decode(SAMPLE), SHANGHAI)
    assert (told.shape, told.page_number, told.total_page, told.total_record) == ("paged", 1, 1, 1)
    assert (told.has_next, told.warnings, told.complete) == (False, (), True)
    assert told.records == (
        MeetingRecord(
            shape=Shape.PAGED,
            uuid="dgvOvqWVRUWjrEOS2YI2ig==",
            meeting_id="1790001234",
            host_id="ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            room_name=None,
            room_email=None,
            topic="Hello world!",
            start_time=utc(2017, 8, 30, 16),
            end_time=utc(2017, 8, 30, 17),
            duration=7200,
            is_extra=False,
            visits=(Visit("XYZ", utc(2017, 8, 30, 16, 51), utc(2017, 8, 30, 16, 53, 4)),),
            calls=(
                Call(
                    "+8613700000000",
                    "call-out",
                    utc(2017, 8, 30, 16, 51),
                    utc(2017, 8, 30, 16, 53),
                    120,
                    Decimal("0.12"),
                ),
            ),
        ),
    )


def test_the_array_shape_and_its_names() -> None:
    item = {
        "uuid": "a/b+c==",
        "id": 1579334441,
        "host": " Room 7 ",
        "email": "r7@example.com",
        "start_time": "2018-05-08T02:32:34Z",
        "duration": "6分钟",
        "participants_count": 2,
        "participants": [
            {"id": "x", "user_name": "Li", "joinTime": "2018-05-08T02:32:35Z", "leaveTime": ""},
            {"id": "y", "name": "Wu", "join_time": "2018-05-08T02:33:00Z"},
        ],
    }
    told = read({"status": "200", "data": [item, {"id": "157-110-6323"}, {"id": 9, "uuid": None, "host": ""}]})
    assert (told.shape, told.has_next, told.total_record) == ("array", False, None)
    record, *waiting = told.records
    assert waiting == [NoReport("1571106323"), NoReport("9")]
    assert isinstance(record, MeetingRecord)
    assert (record.shape, record.uuid, record.meeting_id) == ("array", "a/b+c==", "1579334441")
    assert (record.host_id, record.room_name, record.room_email) == (None, "Room 7", "r7@example.com")
    assert (record.topic, record.is_extra, record.calls, record.duration) == (None, None, None, 360)
    assert record.visits == (
        Visit("Li", utc(2018, 5, 8, 2, 32, 35), None),
        Visit("Wu", utc(2018, 5, 8, 2, 33), None),
    )


def test_rooms() -> None:
    items = [
        {"id": "H1", "email": "a@b.c", "first_name": "Big", "meeting_capacity": "25", "meetings": []},
        {"id": "H2", "meeting_capacity": 50},
        {"id": "H3", "first_name": "", "meeting_capacity": None},
        {"first_name": "nobody"},
        {"id": "H5", "first_name": "x", "meeting_capacity": "many"},
    ]
    first, second, third, nobody, many = read({"status": 200, "data": items}).records
    assert first == RoomRecord("H1", "a@b.c", "Big", 25)
    assert second == RoomRecord("H2", None, None, 50)
    assert third == RoomRecord("H3", None, None, None)
    assert isinstance(nobody, Unreadable)
    assert nobody.field.endswith("id")
    assert isinstance(many, Unreadable)
    assert many.field == "meeting_capacity"


# The licence -------------------------------------------------------------------------------------------


def licence(**data: Any) -> LicenceRecord:
    return read_licence(decode(json.dumps({"status": 200, "data": data})), SHANGHAI)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            {"payType": "1", "expire_date": "2018-12-31", "capacity": {"100": 3, "25": 5, "50": 55}},
            LicenceRecord({25: 5, 50: 55, 100: 3}, "1", date(2018, 12, 31)),
        ),
        ({"payType": 2, "capacity": {"25": "5", " 50 ": 0}}, LicenceRecord({25: 5, 50: 0}, "2", None)),
        ({"capacity": {}}, LicenceRecord({}, "", None)),
        ({"payType": "3", "capacity": None, "expire_date": ""}, LicenceRecord({}, "3", None)),
        ({"capacity": {"25": 1}, "expire_date": "0000-00-00"}, LicenceRecord({25: 1}, "", None)),
        ({"capacity": {"25": 1}, "expire_date": "2018-8-1"}, LicenceRecord({25: 1}, "", date(2018, 8, 1))),
        ({"capacity": {"25": 1}, "expire_date": "9999-12-31"}, LicenceRecord({25: 1}, "", date(9999, 12, 31))),
        # A time is a day where the company is.
        ({"capacity": {"25": 1}, "expireDate": "2018-08-31T16:00:00Z"}, LicenceRecord({25: 1}, "", date(2018, 9, 1))),
        ({"capacity": {"25": 1}, "expire_date": "2018-08-31 23:59:59"}, LicenceRecord({25: 1}, "", date(2018, 8, 31))),
    ],
)
def test_a_licence(data: dict[str, Any], told: LicenceRecord) -> None:
    found = licence(**data)
    assert found == told
    assert list(found.capacity) == sorted(found.capacity)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "data is null, not an object"),
        ([], "data is a list, not an object"),
        ({}, "capacity is missing"),
        ({"meetings": []}, "capacity is missing"),
        ({"capacity": [5]}, "capacity is a list, not an object"),
        ({"capacity": "25"}, "capacity is a text, not an object"),
        ({"capacity": {"big": 5}}, "capacity has 'big', not a number of seats"),
        ({"capacity": {"-25": 5}}, "capacity has '-25', not a number of seats"),
        ({"capacity": {"": 5}}, "capacity has '', not a number of seats"),
        ({"capacity": {"25": -1}}, "capacity has '-1', not a number of rooms"),
        ({"capacity": {"25": 1.5}}, "capacity has '1.5', not a number of rooms"),
        ({"capacity": {"25": True}}, "capacity has 'True', not a number of rooms"),
        ({"capacity": {"25": None}}, "capacity has 'None', not a number of rooms"),
        ({"capacity": {"25": 1, "025": 2}}, "capacity has the size 25 twice"),
        ({"capacity": {}, "payType": "x" * 21}, "payType is longer than 20 characters"),
        ({"capacity": {}, "payType": {}}, "payType is an object, not a text"),
        ({"capacity": {}, "expire_date": "soon"}, "expire_date is 'soon', not a date such as 2017-08-31"),
        ({"capacity": {}, "expire_date": "2018-02-30"}, "expire_date is '2018-02-30', not a date such as 2017-08-31"),
        ({"capacity": {}, "expire_date": 20181231}, "expire_date is '20181231', not a date such as 2017-08-31"),
    ],
)
def test_a_licence_that_makes_no_sense(data: Any, words: str) -> None:
    with pytest.raises(BadPayload) as caught:
        read_licence(decode(json.dumps({"status": 200, "data": data})), SHANGHAI)
    assert caught.value.message == f"The licence cannot be read: {words}."


def test_a_licence_that_is_refused() -> None:
    with pytest.raises(Denied):
        read_licence({"status": 401, "message": "no"}, SHANGHAI)
    with pytest.raises(BadPayload, match="no status"):
        read_licence({"data": {"capacity": {}}}, SHANGHAI)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2017-08-31 00:00:00", utc(2017, 8, 30, 16)),
        ("2017-8-31 1:02:03", utc(2017, 8, 30, 17, 2, 3)),
        ("2017-08-31T00:00:00", utc(2017, 8, 30, 16)),
        ("2017-08-31T00:00:00Z", utc(2017, 8, 31)),
        ("2017-08-31T00:00:00+08:00", utc(2017, 8, 30, 16)),
        ("2017-08-31 00:00:00 -0330", utc(2017, 8, 31, 3, 30)),
        ("2017-08-31T00:00:00.123456789Z", utc(2017, 8, 31, 0, 0, 0, 123456)),
        ("2017/8/31 09:30", utc(2017, 8, 31, 1, 30)),
        (" 2017-8-31 ", utc(2017, 8, 30, 16)),
        ("2000-01-01T00:00:00Z", utc(2000, 1, 1)),
    ],
)
def test_times(sent: str, kept: datetime) -> None:
    start = one(meeting("u", start_time=sent)).start_time
    assert (start, start.tzinfo) == (kept, UTC)


def test_an_hour_that_comes_twice_is_read_as_its_first() -> None:
    told = read_answer(page(1, [meeting("u", start_time="2017-10-29 02:30:00")]), ZoneInfo("Europe/Berlin"))
    assert told.records[0].start_time == utc(2017, 10, 29, 0, 30)  # type: ignore[union-attr]


@pytest.mark.parametrize("sent", [None, "", "  ", "0000-00-00 00:00:00", "0000-00-00"])
def test_a_time_that_says_nothing(sent: Any) -> None:
    assert one(meeting("u", end_time=sent)).end_time is None
    rejected(meeting("u", start_time=sent), "start_time")


@pytest.mark.parametrize(
    "sent",
    [
        *("1999-12-31 00:00:00", "2101-01-01", "2017-02-30", "2017-13-01", "2017-08-31 25:00", "2017-08-31 00:61:00"),
        *("31.08.2017", "yesterday", "2017-08-31 00:00:00+99:00", "２０１７-08-31", "9" * 500),
        *(
            "2017-08-31T00:00:00+08:99",
            "2017-W35-4 00:00:00",
            "20170831 000000.000",
            "2017-08-31 000000.1",
            1504137600,
            1504137600.5,
            True,
            [],
            {},
        ),
    ],
)
def test_a_time_that_is_none(sent: Any) -> None:
    record = rejected(meeting("u", end_time=sent), "end_time")
    assert "not a time such as 2017-08-31 00:00:00" in record.reason


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2100, 12, 30)),
    st.sampled_from(["Asia/Shanghai", "UTC", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_times_survive_the_way(moment: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    aware = moment.replace(tzinfo=UTC)
    local = aware.astimezone(zone)
    texts = [aware.isoformat(), aware.isoformat().replace("+00:00", "Z"), local.isoformat()]
    if local.fold == 0:
        texts.append(local.replace(tzinfo=None).isoformat(" "))
    for text in texts:
        told = read_answer(page(1, [meeting("u", start_time=text)]), zone)
        assert told.records[0].start_time == aware  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        *((120, 7200), (0, 0), (120.5, 7230), ("45", 2700), ("6分钟", 360), ("1小时5分钟", 3900), ("30秒", 30)),
        *(("2小时", 7200), ("6 min", 360), ("01:25", 85), ("03:55:08", 14108), ("75:00", 4500), ("６分钟", 360)),
        *((0.025, 2), (0.008, 0), ("", None), (" ", None), (None, None)),
    ],
)
def test_durations(sent: Any, seconds: int | None) -> None:
    assert one(meeting("u", duration=sent)).duration == seconds


@pytest.mark.parametrize(
    "sent", [-1, "-1", True, "long", "01:60", "1:60:00", "分钟", 10**9, 1e300, "1:2:3:4", [], {}, "9" * 400]
)
def test_a_duration_that_is_none(sent: Any) -> None:
    rejected(meeting("u", duration=sent), "duration")


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_every_spelling_of_a_length_is_the_same_length(hours: int, minutes: int, seconds: int) -> None:
    length = hours * 3600 + minutes * 60 + seconds
    for text in (
        f"{hours}:{minutes:02}:{seconds:02}",
        f"{hours * 60 + minutes}:{seconds:02}",
        f"{hours}小时{minutes}分钟{seconds}秒",
        f"{hours}h {minutes}min {seconds}s",
    ):
        assert one(meeting("u", duration=text)).duration == length


@pytest.mark.parametrize(
    ("sent", "yuan"),
    [
        *((0.12, "0.12"), ("0.12", "0.12"), ("¥0.12", "0.12"), ("￥0.12", "0.12"), ("0.12元", "0.12")),
        *(("1,234.50", "1234.50"), (3, "3"), (-0.5, "-0.5"), ("-0.5", "-0.5"), (0.1234560000, "0.123456")),
        *(("0.12000000", "0.12"), (0, "0"), ("", None), (None, None), (999999999.999999, "999999999.999999")),
    ],
)
def test_money_is_exact(sent: Any, yuan: str | None) -> None:
    (call,) = one(meeting("u", telephony_usage=[{"total": sent}])).calls
    assert call.total == (None if yuan is None else Decimal(yuan))


@pytest.mark.parametrize(
    "sent", ["1e3", "12,34", "0.1234567", 0.1234567, 10**9, -(10**9), True, "free", "NaN", [], {}, "1.2.3"]
)
def test_money_that_is_none(sent: Any) -> None:
    rejected(meeting("u", telephony_usage=[{}, {"total": sent}]), "telephony_usage[1].total")


@pytest.mark.parametrize("number", ["1e9999999", "1e-9999999", "-1e9999999", "9" * 5000, "1e99999999999999999999"])
@pytest.mark.parametrize("field", ["duration", "topic", "is_extra", "uuid", "meeting_id", "start_time"])
def test_numbers_beyond_all_bounds_spoil_one_record_at_most(number: str, field: str) -> None:
    wild = json.dumps(meeting("wild") | {field: "@"}).replace('"@"', number)
    text = f'{{"status": 200, "data": {{"meetings": [{wild}, {json.dumps(meeting("tame"))}]}}}}'
    first, second = read_answer(decode(text), SHANGHAI).records
    assert isinstance(second, MeetingRecord)
    if isinstance(first, Unreadable):
        assert first.field == field


@pytest.mark.parametrize("number", ["1e9999999", "1e-9999999", "9" * 5000, "1e-8", f"0.1{'0' * 40}1"])
def test_money_beyond_all_bounds(number: str) -> None:
    text = json.dumps(page(1, [meeting("u", telephony_usage=[{"total": "@"}])])).replace('"@"', number)
    (record,) = read_answer(decode(text), SHANGHAI).records
    assert isinstance(record, Unreadable)
    assert record.field == "telephony_usage[0].total"


@pytest.mark.parametrize(
    ("sent", "extra"),
    [
        *((0, False), (1, True), ("0", False), ("1", True), (True, True), (False, False), ("true", True)),
        *(("False", False), (None, None), ("", None)),
    ],
)
def test_is_extra(sent: Any, extra: bool | None) -> None:
    assert one(meeting("u", is_extra=sent)).is_extra is extra


@pytest.mark.parametrize("sent", [2, -1, "yes", [], {}, 0.5])
def test_is_extra_that_is_neither(sent: Any) -> None:
    rejected(meeting("u", is_extra=sent), "is_extra")


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        *(("1790001234", "1790001234"), (1790001234, "1790001234"), ("179-000 1234", "1790001234")),
        *(
            ("１７９０００１２３４", "1790001234"),
            ("179–000–1234", "1790001234"),
            (None, ""),
            ("", ""),
            ("0012", "0012"),
        ),
        (1790001234.0, "1790001234"),
    ],
)
def test_meeting_numbers(sent: Any, number: str) -> None:
    assert one(meeting("u", meeting_id=sent)).meeting_id == number


@pytest.mark.parametrize("sent", [True, 17.5, -5, "12a", "1" * 21, 10**20, [], {}])
def test_a_meeting_number_that_is_none(sent: Any) -> None:
    record = rejected(meeting("u", meeting_id=sent), "meeting_id")
    assert (record.uuid, record.meeting_id) == ("u", None)


def test_the_other_naming_style() -> None:
    item = {
        "uuid": "u",
        "meetingId": 5,
        "hostId": "H",
        "startTime": "2017-08-31 00:00:00",
        "endTime": "2017-08-31 01:00:00",
        "isExtra": 1,
        "participants": [{"name": None, "user_name": "Li", "joinTime": "2017-08-31 00:00:00"}],
        "telephonyUsage": [{"phoneNumber": 8613700000000}],
        "something_new": {"a": [1]},
    }
    record = one(item)
    assert (record.meeting_id, record.host_id, record.is_extra) == ("5", "H", True)
    assert (record.start_time, record.end_time) == (utc(2017, 8, 30, 16), utc(2017, 8, 30, 17))
    assert record.visits == (Visit("Li", utc(2017, 8, 30, 16), None),)
    assert record.calls == (Call("8613700000000", "", None, None, None, None),)


def test_texts() -> None:
    record = one(meeting(" aB/+= c ", host_id=" H ", host=" R ", email=" e@x ", topic=" =<b>\x00\ud800 "))
    assert (record.uuid, record.host_id, record.room_name, record.room_email) == ("aB/+= c", "H", "R", "e@x")
    assert record.topic == " =<b>\ufffd\ufffd "
    assert (one(meeting("u", topic="")).topic, one(meeting("u", topic=7)).topic, one(meeting("u")).topic) == (
        "",
        "7",
        None,
    )
    assert one(meeting("u", host_id="")).host_id is None
    assert one(meeting(77)).uuid == "77"  # type: ignore[arg-type]
    visits = one(
        meeting("u", participants=[{"join_time": "2017-08-31 00:00:00", "name": 7}, {"join_time": "2017-8-31"}])
    )
    assert [visit.name for visit in visits.visits] == ["7", ""]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *(({"uuid": None}, "uuid"), ({"uuid": " "}, "uuid"), ({"uuid": "u" * 201}, "uuid"), ({"uuid": True}, "uuid")),
        *(
            ({"uuid": []}, "uuid"),
            ({"topic": []}, "topic"),
            ({"topic": {}}, "topic"),
            ({"host_id": "h" * 201}, "host_id"),
        ),
        *(({"uuid": "a\x00"}, "uuid"), ({"uuid": "a\udc00"}, "uuid")),
        *(({"participants": "x"}, "participants"), ({"participants": [1]}, "participants[0]")),
        ({"participants": [{"join_time": "2017-8-31"}, {"name": "n"}]}, "participants[1].join_time"),
        ({"participants": [{"join_time": "2017-8-31", "leave_time": "later"}]}, "participants[0].leave_time"),
        ({"participants": [{"join_time": "2017-8-31", "name": []}]}, "participants[0].name"),
        *(({"telephony_usage": {}}, "telephony_usage"), ({"telephony_usage": [None]}, "telephony_usage[0]")),
        ({"telephony_usage": [{"duration": "x"}]}, "telephony_usage[0].duration"),
        ({"telephony_usage": [{"start_time": "x"}]}, "telephony_usage[0].start_time"),
    ],
)
def test_the_path_of_what_is_wrong(change: dict[str, Any], field: str) -> None:
    record = rejected(meeting("u") | change, field)
    assert record.reason
    assert record.uuid == (None if "uuid" in change else "u")
    assert (record.meeting_id, record.start_time) == ("1790001234", "2017-08-31 00:00:00")


def test_unreported_is_not_empty() -> None:
    unreported, empty = one(meeting("u", participants=None)), one(meeting("u", participants=[], telephony_usage=[]))
    assert (unreported.visits, unreported.calls) == (None, None)
    assert (empty.visits, empty.calls) == ((), ())


def test_visits_stay_as_they_were_sent() -> None:
    rows = [{"name": name, "join_time": f"2017-08-31 0{hour}:00:00"} for name, hour in (("b", 2), ("a", 1), ("a", 1))]
    rows.append({"name": "back", "join_time": "2017-08-31 05:00:00", "leave_time": "2017-08-31 04:00:00"})
    visits = one(meeting("u", participants=rows)).visits
    assert [visit.name for visit in visits] == ["b", "a", "a", "back"]
    assert visits[3].leave_time < visits[3].join_time


def test_a_bad_record_spoils_no_other_and_keeps_its_text() -> None:
    bad_text = '{"uuid": "ü", "total": 0.10, "start_time": 5}'
    items = ", ".join([json.dumps(meeting("a")), bad_text, "7", json.dumps(meeting("b"))])
    text = f'{{"status": 200, "data": {{"meetings": [{items}]}}}}'
    first, bad, seven, last = read_answer(decode(text), SHANGHAI).records
    assert isinstance(first, MeetingRecord)
    assert isinstance(last, MeetingRecord)
    assert isinstance(bad, Unreadable)
    assert (bad.field, bad.uuid, bad.start_time) == ("start_time", "ü", "5")
    assert bad.raw.isascii()
    assert decode(bad.raw) == {"uuid": "ü", "total": Decimal("0.10"), "start_time": 5}
    assert isinstance(seven, Unreadable)
    assert (seven.raw, seven.uuid) == ("7", None)


def test_nothing_at_all_is_no_number_without_report() -> None:
    assert isinstance(one({}, Shape.ARRAY), Unreadable)
    assert isinstance(one({"id": "", "uuid": None}, Shape.ARRAY), Unreadable)
    assert isinstance(one({"id": "abc"}, Shape.ARRAY), Unreadable)


def test_visits_beyond_the_first_page_are_told_of() -> None:
    visits = [{"name": "a", "join_time": "2018-05-08T02:00:00Z"}]
    item = meeting("u", id=5, page_count=3, participants=visits)
    del item["meeting_id"]
    (warning,) = read({"status": 200, "data": [item]}).warnings
    assert "5" in warning
    assert read({"status": 200, "data": [item | {"page_count": 1}]}).warnings == ()


# The answer as a whole -----------------------------------------------------------------------------


def test_paging_fields() -> None:
    told = read(page("2", [], total="118", pages=4, more="true"))
    assert (told.page_number, told.total_page, told.total_record, told.has_next) == (2, 4, 118, True)
    for sent, more in ((1, True), ("1", True), (0, False), (False, False), ("false", False)):
        assert read(page(1, [], more=sent)).has_next is more
    # Without has_next_page the numbers tell: a page left out would be lost without a word.
    assert read(page(1, [], pages=2, more=None)).has_next is True
    assert read(page(2, [], pages=2, more=None)).has_next is False


def test_empty_answers() -> None:
    every: list[Any] = [None, {"meetings": None, "total_record": 0}, {"total_record": 0}, {"meetings": []}, []]
    for data in every:
        told = read({"status": 200, "data": data})
        assert (told.records, told.has_next) == ((), False)


@pytest.mark.parametrize(
    "answer",
    [
        *([], "x", 5, None, {}, {"status": None}, {"status": "ok"}, {"status": True, "data": []}, {"status": []}),
        *({"status": 200, "data": "x"}, {"status": 200, "data": {}}, {"status": 200, "data": {"meetings": "x"}}),
        {"status": 200, "data": True},
    ],
)
def test_an_answer_of_another_shape(answer: Any) -> None:
    with pytest.raises(BadPayload):
        read(answer)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        *((429, "", Transient), (500, "oops", Transient), ("503", None, Transient)),
        *((403, "You reached the maximum number of API requests", Transient), (1, "请求过于频繁", Transient)),
        *((401, "", Denied), (403, "no", Denied), (300, "Invalid api_key", Denied), (1, "API secret error", Denied)),
        *(
            (1, "bad credentials", Denied),
            (1, "No permission", Denied),
            (1, "鉴权失败", Denied),
            (-1, "密钥错误", Denied),
        ),
        *((400, "meeting_ids missing", Refused), (404, "", Refused), (-1, "x", Refused), (0, ["odd"], Refused)),
    ],
)
def test_a_failing_status_is_sorted_by_remedy(status: Any, message: Any, kind: type[ProviderError]) -> None:
    with pytest.raises(ProviderError) as caught:
        read({"status": status, "message": message, "data": None})
    assert type(caught.value) is kind
    if isinstance(message, str):
        assert message in caught.value.message
    if kind is Denied:
        assert "UMEET_API_KEY and UMEET_API_SECRET" in caught.value.message


def test_a_message_is_short_and_on_one_line() -> None:
    with pytest.raises(Refused) as caught:
        read({"status": 1, "message": "a\n\x1b[31mb\u202e" + "x" * 5000})
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 420


@pytest.mark.parametrize(
    ("body", "words"),
    [
        *(
            (b"", "empty"),
            (b" \n", "empty"),
            (b"<html>", "HTML"),
            (b"  <!DOCTYPE html>", "HTML"),
            (b"\xff\xfe{", "UTF-8"),
        ),
        (b'{\n "a": 1,,}', "line 2, column 9"),
        *((b'{"a": 1} x', "line 1, column 10"), (b'{"a": [1, 2', "line 1"), (b'{"a": "tex', "line 1")),
        (b"[" * 200_000, "in the middle"),
    ],
)
def test_a_body_that_is_no_json(body: bytes, words: str) -> None:
    with pytest.raises(BadPayload, match=words) as caught:
        decode(body)
    assert "api" not in caught.value.message


def test_bodies_that_are_json() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 0.10, "b": 5}') == {"a": Decimal("0.10"), "b": 5}
    assert decode('\ufeff["\\u00e4"]') == ["ä"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999"])
@pytest.mark.parametrize("field", ["topic", "duration", "start_time", "meeting_id", "uuid", "participants", "is_extra"])
def test_a_number_that_is_none_fails_its_record_alone(number: str, field: str) -> None:
    good, bad = (json.dumps(meeting(uuid=uuid, is_extra=0)) for uuid in ("one", "two"))
    bad = f'{bad[:-1]}, "{field}": {number}}}'
    answer = decode(f'{{"status": 200, "data": {{"page_number": 1, "meetings": [{good}, {bad}]}}}}')
    one, two = payloads.read_answer(answer, SHANGHAI).records
    assert isinstance(one, MeetingRecord)
    assert isinstance(two, Unreadable)
    assert (two.field, number in two.raw) == (field, True)


def test_what_is_nested_too_deeply_is_left_out_and_its_neighbours_are_read() -> None:
    deep = decode('{"a": [1, "]["], "b": ' + "[" * 100_000 + '"x"' + "]" * 100_000 + ', "c": "\\"[{"}')
    assert (deep["a"], deep["c"]) == ([1, "]["], '"[{')
    for _ in range(DEEPEST - 1):
        deep = deep["b"] if isinstance(deep, dict) else deep[0]
    assert deep == ["(nested too deeply)"]
    # What Python itself still reads is cut short where it is kept.
    deep = {"uuid": "u", "topic": decode("[" * 500 + "]" * 500)}
    record = payloads.read_record(deep, Shape.PAGED, ZoneInfo("Asia/Shanghai"))
    assert isinstance(record, Unreadable)
    assert "(nested too deeply)" in record.raw
    json.loads(record.raw)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
# Wild values under the names that are looked at.
fields = st.sampled_from(
    "uuid meeting_id id start_time end_time duration is_extra participants telephony_usage topic host join_time "
    "name total meeting_capacity first_name page_count".split()
)
spelt = st.sampled_from(["2017-08-31", "0000-00-00", "1e400", "6分钟", "-", "¥", "１", "\x00", "\ud800", "24:00", "::"])
items = st.recursive(scalars | spelt, lambda inner: st.lists(inner) | st.dictionaries(fields, inner), max_leaves=12)
readable = {"uuid": "u", "start_time": "2017-08-31 00:00:00"}
answers = st.fixed_dictionaries(
    {"status": st.just(200) | scalars, "data": items | st.lists(items) | st.fixed_dictionaries({"meetings": items})}
)


@given(anything | answers)
def test_no_answer_raises_anything_else(answer: Any) -> None:
    with suppress(ProviderError):
        for record in read_answer(answer, SHANGHAI).records:
            if isinstance(record, Unreadable):
                json.loads(record.raw.encode("ascii"))
                assert "\x00" not in record.reason


# Wild values of a licence.
licences = st.fixed_dictionaries(
    {"status": st.just(200) | scalars},
    optional={
        "data": items
        | st.fixed_dictionaries({}, optional=dict.fromkeys(("payType", "expire_date"), scalars | spelt | items))
        | st.fixed_dictionaries({"capacity": st.dictionaries(st.text() | spelt, scalars | items) | items})
    },
)


@given(licences)
def test_no_licence_raises_anything_else(answer: Any) -> None:
    with suppress(ProviderError):
        found = read_licence(answer, SHANGHAI)
        assert all(type(one) is int and one >= 0 for pair in found.capacity.items() for one in pair)


@given(st.lists(items, max_size=3), st.dictionaries(fields, items))
def test_neighbours_of_wild_records_are_read(wild: list[Any], changes: dict[str, Any]) -> None:
    answer = {"status": 200, "data": {"meetings": [*wild, readable | changes, readable]}}
    told = read_answer(answer, SHANGHAI)
    assert len(told.records) == len(wild) + 2
    assert isinstance(told.records[-1], MeetingRecord)


@given(st.binary() | st.text(alphabet='{}[]":,0123456789.eE-+ntfalsru \n'))
def test_no_body_raises_anything_else(body: bytes | str) -> None:
    with suppress(BadPayload):
        decode(body)


# The short way ---------------------------------------------------------------------------------------

# Clocks that are set by an hour, by half an hour at 2:00, and never.
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "Australia/Lord_Howe", "Asia/Shanghai", "Asia/Kathmandu")]
CHANGES = [datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 4, 5), datetime(2026, 10, 4)]
around_a_change = st.sampled_from([*CHANGES, datetime(2024, 2, 29)])
written = st.builds(
    lambda day, second, form: form(day + timedelta(seconds=second)),
    around_a_change,
    st.integers(0, 4 * 3600),
    st.sampled_from(
        [
            lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"),
            lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            lambda moment: f" {moment:%Y-%m-%d %H:%M:%S}",
            lambda moment: f"{moment.year}-{moment.month}-{moment.day} {moment:%H:%M:%S}",
            lambda moment: moment.strftime("%Y-%m-%d %H:%M"),
            lambda moment: moment.isoformat(" ", "milliseconds"),
        ]
    ),
)
odd: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            "2026-02-30 10:00:00",
            "2026-03-09 24:00:00",
            "2026-03-09 23:59:60",
            "2026-03-09 25:00:00",
            "0000-00-00 00:00:00",
        ),
        *(
            "1999-12-31 23:59:59",
            "2101-01-01 00:00:00",
            "2026-03-09 10:00:0",
            "２０２６-03-09 10:00:00",
            "2026-03-09 1０:00:00",
        ),
        *("", None, 5, [], {}, True, "soon", "2026-03-09 10:61:00", "2026-03-09T10:00:00", "2026-03-09T24:00:00Z"),
    ]
)


def by_the_book(text: str, zone: ZoneInfo) -> datetime:
    """What a time means, without any table."""
    utc = text.endswith("Z")
    parts = text.strip().rstrip("Z").replace("T", " ").split(" ")
    year, month, day = (int(part) for part in parts[0].split("-"))
    hours, minutes, *seconds = parts[1].split(":")
    second = float(seconds[0]) if seconds else 0.0
    plain = datetime(year, month, day) + timedelta(hours=int(hours), minutes=int(minutes), seconds=second)
    return plain.replace(tzinfo=UTC if utc else zone).astimezone(UTC)


@given(st.sampled_from(ZONES), written)
def test_a_time_means_the_same_by_the_table_of_hours(zone, text):
    assert payloads._time({"t": text}, ("t",), "t", zone) == by_the_book(text, zone)
    assert payloads.parse_time(text.strip(), zone) == by_the_book(text, zone)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_every_minute_around_a_change_of_the_clock_means_the_same_by_the_table(zone):
    for day in CHANGES:
        for minute in range(5 * 60):
            text = (day + timedelta(minutes=minute, seconds=59)).strftime("%Y-%m-%d %H:%M:%S")
            assert payloads._time({"t": text}, ("t",), "t", zone) == by_the_book(text, zone), text


def outcome(read: Any) -> Any:
    try:
        return read()
    except payloads.FieldError as error:
        return (error.field, error.reason)


words: st.SearchStrategy[Any] = st.sampled_from(
    ["王伟", " Anna ", "", "a\x00b", "\ud800", "x" * 101, "l" * 100 + " ", None, 7, True, ["x"], {}]
)
USUAL_VISIT = {"name": "Li", "join_time": "2026-03-09 10:00:00", "leave_time": "2026-03-09 11:00:00"}
USUAL_CALL = {
    "phone_number": "+8613912345678",
    "type": "call-in",
    "start_time": "2026-03-09 10:00:00",
    "end_time": "2026-03-09 10:02:00",
    "duration": 2,
    "total": Decimal("0.12"),
}
visit_fields = {"name": words, "user_name": words, "join_time": written | odd, "leave_time": written | odd}
call_fields = {
    "phone_number": words,
    "phoneNumber": words,
    "type": words,
    "start_time": written | odd,
    "end_time": odd,
    "duration": st.sampled_from([2, "3", 0, -1, None, "01:25", True, Decimal("1.5"), 10**12]),
    "total": st.sampled_from(
        [Decimal("0.12"), Decimal("0.1200000"), Decimal("1E+20"), Decimal("0.1234567"), "0.12", 1, None, "x", True]
    ),
}


def nearly(usual: dict[str, Any], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """The usual row with a field or two that are different, or not there."""
    names = st.sampled_from([*usual])
    changes = st.fixed_dictionaries({}, optional=fields) | st.one_of(
        [field.map(lambda value, name=name: {name: value}) for name, field in fields.items()]
    )
    return st.builds(
        lambda change, gone: {name: value for name, value in {**usual, **change}.items() if name != gone},
        changes,
        st.none() | names,
    )


visit_rows, call_rows = nearly(USUAL_VISIT, visit_fields), nearly(USUAL_CALL, call_fields)


@given(st.sampled_from(ZONES), st.lists(visit_rows, max_size=4), st.lists(call_rows, max_size=4))
def test_rows_are_read_the_same_by_the_short_way(zone, visits, calls):
    """Whatever the rows hold: the same visits and calls, or the same field and reason, as when read with care."""
    assert outcome(lambda: payloads._visits(visits, zone)) == outcome(
        lambda: tuple(payloads._visit(row, f"participants[{place}]", zone) for place, row in enumerate(visits))
    )
    assert outcome(lambda: payloads._calls(calls, zone)) == outcome(
        lambda: tuple(payloads._call(row, f"telephony_usage[{place}]", zone) for place, row in enumerate(calls))
    )


long_words = st.sampled_from(["u" * 200, " " + "u" * 200, "u" * 201, "\u3000u ", "u\n", " u "])


@given(st.text(max_size=12) | words | long_words)
def test_a_text_is_read_the_same_under_its_usual_name_as_with_care(value):
    """Only under its first name is a short way looked for."""
    names = ("host_id", "hostId")
    first, second = ({name: value} for name in names)
    assert outcome(lambda: payloads._short_text(first, names, "host_id", 200)) == outcome(
        lambda: payloads._short_text(second, names, "host_id", 200)
    )


def test_what_is_remembered_of_texts_and_hours_has_an_end(monkeypatch):
    names, hours = payloads._Texts(str.strip), payloads._Hours(SHANGHAI)
    monkeypatch.setattr(payloads._Texts, "MOST", 10)
    monkeypatch.setattr(payloads._Hours, "MOST", 10)
    for number in range(100):
        assert names[f" {number} "] == str(number)
        assert hours[f"2026-03-{number % 28 + 1:02} {number % 24:02}"].tzinfo is UTC
    assert len(names) <= 10
    assert len(hours) <= 10
    with pytest.raises(KeyError):
        names["x" * 101]
