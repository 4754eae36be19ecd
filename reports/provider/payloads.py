"""Raw JSON becomes frozen dataclasses: both answer shapes of the API, and every spelling seen in it.

One record that cannot be read becomes `Unreadable` and never spoils its neighbours; only an answer that
as a whole makes no sense raises. The field names and their quirks are those of the vendor's document of
`share/reports` and of its later revisions.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from reports.provider.errors import BadPayload, Denied, ProviderError, Refused, Transient

LONGEST_ID = 200
LONGEST_NAME_OF_ROOM = 500
TEN_YEARS = 10 * 366 * 24 * 3600
MONEY_PLACES = 6
LEAST_MONEY = Decimal(1).scaleb(-MONEY_PLACES)
MOST_MONEY = Decimal(10) ** 9
MOST_COUNTED = 10**9
LONGEST_MESSAGE = 300


class Shape(StrEnum):
    """How an answer is built: `data` an object with pages of meetings, or an array of items."""

    PAGED = "paged"
    ARRAY = "array"


class Visit(NamedTuple):
    """One row of participants: somebody came and went. Times are UTC; no leave: still inside, or not told."""

    name: str
    join_time: datetime
    leave_time: datetime | None


class Call(NamedTuple):
    """One row of telephony_usage. duration: seconds; total: yuan; None is unknown."""

    phone_number: str
    type: str
    start_time: datetime | None
    end_time: datetime | None
    duration: int | None
    total: Decimal | None


class MeetingRecord(NamedTuple):
    """One meeting as reported. None is what this answer does not tell. duration: booked seconds."""

    shape: Shape
    uuid: str
    meeting_id: str
    host_id: str | None
    room_name: str | None
    room_email: str | None
    topic: str | None
    start_time: datetime
    end_time: datetime | None
    duration: int | None
    is_extra: bool | None
    visits: Sequence[Visit] | None
    calls: Sequence[Call] | None
    prepared: Any = None  # what its reader has made of it for the tables (see reading.py)


@dataclass(frozen=True, slots=True)
class NoReport:
    """An item with nothing but its number: that meeting has no report yet."""

    meeting_id: str


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """One room of share/rooms."""

    host_id: str
    email: str | None
    name: str | None
    capacity: int | None


@dataclass(frozen=True, slots=True)
class LicenceRecord:
    """What is rented. capacity: rooms by their size in seats, none where it is not told; pay_type as told, or ""."""

    capacity: Mapping[int, int]
    pay_type: str
    expire_date: date | None


@dataclass(frozen=True, slots=True)
class RoomTotals:
    """One room of share/summary: the provider's own totals. Seconds and yuan; None is what it does not tell.

    host_id: "" where the totals name no room.
    """

    host_id: str
    is_extra: bool | None
    meetings: int
    participants: int | None
    meeting_seconds: int | None
    audio_participants: int | None
    audio_total_seconds: int | None
    total_fee: Decimal | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that cannot be read: as it came (ASCII JSON), the field and the reason."""

    raw: str
    field: str
    reason: str
    uuid: str | None
    meeting_id: str | None
    start_time: str | None


Record = MeetingRecord | NoReport | RoomRecord | RoomTotals | Unreadable


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. Paging fields are None where the shape has none. complete: False when records are missing.

    total_meetings: of share/summary, all meetings by the provider's count.
    """

    shape: Shape
    records: tuple[Record, ...]
    page_number: int | None = None
    total_page: int | None = None
    total_record: int | None = None
    has_next: bool = False
    warnings: tuple[str, ...] = ()
    complete: bool = True
    total_meetings: int | None = None


class FieldError(ValueError):
    """A field of one record that cannot be read."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


# The answer --------------------------------------------------------------------------------------------


def decode(body: bytes | str) -> Any:
    """Strict JSON as Python objects, decimals exact. Errors: BadPayload, which says where and why."""
    if isinstance(body, bytes):
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadPayload(f"The answer is no UTF-8 text (byte {error.start}).") from None
    else:
        text = body.removeprefix("\ufeff")
    start = text.lstrip()[:1]
    if start == "<":
        raise BadPayload("The answer is HTML, not JSON: is there a proxy or a sign-in page in between?")
    if not start:
        raise BadPayload("The answer is empty.")
    try:
        try:
            return _loads(text)
        except RecursionError:
            # One record of many may be to blame: the others are read all the same.
            text = _pruned(text)
            return _loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - 1
        reason = "it ends in the middle" if cut else error.msg
        raise BadPayload(
            f"The answer is not valid JSON: {reason} (line {error.lineno}, column {error.colno})."
        ) from None


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=NoNumber)


DEEPEST = 60
TOO_DEEP = '"(nested too deeply)"'
STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def _pruned(text: str) -> str:
    """JSON text with a word in place of whatever is nested deeper than DEEPEST."""
    parts = []
    depth = copied = 0
    for token in STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                parts += [text[copied : token.start()], TOO_DEEP]
                copied = len(text)
        elif token[0] in "]}":
            if depth == DEEPEST + 1:
                copied = token.end()
            depth -= 1
    return "".join([*parts, text[copied:]])


@dataclass(frozen=True, slots=True)
class NoNumber:
    """NaN and Infinity, which some programs write and which is no JSON, or an exponent beyond all bounds.

    No field takes it, and its record alone fails.
    """

    text: str

    def __str__(self) -> str:
        return self.text


def _decimal(text: str) -> Decimal | NoNumber:
    try:
        return Decimal(text)
    except InvalidOperation:
        return NoNumber(text)


def _integer(text: str) -> int | Decimal:
    # Python itself refuses ints of more than some thousand digits; a Decimal holds them exactly.
    return int(text) if len(text) <= 400 else Decimal(text)


def _as_it_is(text: str) -> str:
    return text


def read_answer(answer: Any, zone: ZoneInfo, *, redact: Callable[[str], str] = _as_it_is) -> Page:
    """One decoded answer of share/reports, share/detail or share/rooms.

    In: the JSON value, the zone of times that name none, and `redact`, which takes secrets out of the
    provider's message. Out: its records in their order. Errors: BadPayload for what is no answer at all;
    Transient, Denied or Refused when `status` is not 200.
    """
    data = _data(answer, redact)
    if data is None:
        return Page(Shape.PAGED, ())
    if isinstance(data, list):
        return _array(data, zone)
    if isinstance(data, dict):
        return _paged(data, zone)
    raise BadPayload(f"The answer's data is {_kind(data)}, neither an object nor an array.")


def read_summary(answer: Any, *, redact: Callable[[str], str] = _as_it_is) -> Page:
    """One decoded answer of share/summary: a page of RoomTotals. In, errors: as `read_answer`.

    Read strictly: totals with a room left out would be wrong without a word, so one room that cannot be read
    makes the whole answer a BadPayload, which names the field.
    """
    data = _data(answer, redact)
    rooms = data.get("rooms") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(rooms, list):
        raise BadPayload("The answer holds no totals: its data has no list of rooms.")
    try:
        records = tuple(_room_totals(item, f"rooms[{place}]") for place, item in enumerate(rooms))
        total = _counted(data, "total_meetings", "total_meetings")
    except FieldError as error:
        why = redact(clean_message(error.reason))
        raise BadPayload(f"The provider's totals cannot be read: {error.field} {why}.") from None
    return _framed(data, records, total)


def _data(answer: Any, redact: Callable[[str], str]) -> Any:
    """What a successful answer holds. Errors: those of `read_answer`."""
    if not isinstance(answer, dict):
        raise BadPayload(f"The answer is {_kind(answer)}, not an object with status, message and data.")
    status = answer.get("status")
    code = status_of(answer)
    if code is None:
        raise BadPayload("The answer has no status." if status is None else "The answer's status is no number.")
    if code != 200:
        raise failure(code, redact(message_of(answer)))
    return answer.get("data")


def status_of(answer: Any) -> int | None:
    """The status in an answer's body, which some services make negative; None where none can be read."""
    status = answer.get("status") if isinstance(answer, dict) else None
    if isinstance(status, bool) or not isinstance(status, int | str):
        return None
    text = str(status).strip() if isinstance(status, str) or abs(status) < 10**9 else ""
    return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else None


def message_of(answer: Any) -> str:
    """The provider's words in an answer's body, whole; "" where it has none."""
    message = answer.get("message") if isinstance(answer, dict) else None
    return message if isinstance(message, str) else ""


def failure(status: int, message: Any, http: bool = False) -> ProviderError:
    """The error that a failed answer means, by its status and message.

    "status 200 means success, anything else is a failure, and message then says why." No list of codes is
    published, so the message is looked at as well.
    """
    words = clean_message(message)
    told = f": {words}" if words else ""
    name = f"HTTP {status}" if http else f"status {status}"
    lower = words.casefold()
    if status == 429 or re.search(r"maximum number of|too many|rate limit|throttl|频繁|频率|超过.*(次|限)", lower):
        return Transient(f"The provider is throttling us ({name}{told}). It is asked again later.")
    if 500 <= status <= 599:
        return Transient(f"The provider has a fault of its own ({name}{told}). It is asked again later.")
    if status in {408, 425}:
        return Transient(f"The provider did not take the question in time ({name}{told}). It is asked again later.")
    credentials = r"api[ _-]?key|api[ _-]?secret|credential|unauthori|permission|signature|鉴权|密钥|认证|权限"
    if status in {401, 403} or re.search(credentials, lower):
        return Denied(f"The provider does not accept our key ({name}{told}). Check UMEET_API_KEY and UMEET_API_SECRET.")
    if http:
        return Refused(f"The provider refuses the question ({name}{told}). Check UMEET_URL.")
    return Refused(f"The provider refuses the question ({name}{told}).")


def clean_message(message: Any) -> str:
    """A text of the provider for our own sentences: one short line without control characters."""
    if not isinstance(message, str):
        return ""
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in message[:2000])
    line = " ".join(plain.split()).rstrip(".。")
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}…"


PAGING = ("from", "to", "total_record", "total_page", "page_number", "page_size", "has_next_page")


def _paged(data: dict[str, Any], zone: ZoneInfo) -> Page:
    meetings = data.get("meetings")
    if meetings is None:
        if not any(name in data for name in PAGING):
            raise BadPayload("The answer's data has neither meetings nor paging fields.")
        meetings = []
    if not isinstance(meetings, list):
        raise BadPayload(f"The answer's meetings are {_kind(meetings)}, not a list.")
    return _framed(data, tuple(read_record(item, Shape.PAGED, zone) for item in meetings))


def _framed(data: dict[str, Any], records: tuple[Record, ...], total_meetings: int | None = None) -> Page:
    """Records in the paging fields of their answer."""
    number, pages = _paging_int(data.get("page_number")), _paging_int(data.get("total_page"))
    has_next = data.get("has_next_page")
    if has_next is None:
        # The numbers tell as well, and a page left out would be lost without a word.
        has_next = number is not None and pages is not None and number < pages
    return Page(
        Shape.PAGED,
        records,
        page_number=number,
        total_page=pages,
        total_record=_paging_int(data.get("total_record")),
        has_next=has_next is True or has_next == 1 or str(has_next).strip().casefold() in {"true", "1"},
        total_meetings=total_meetings,
    )


def _array(items: list[Any], zone: ZoneInfo) -> Page:
    if any(isinstance(item, dict) and {"first_name", "meeting_capacity"} & item.keys() for item in items):
        return Page(Shape.ARRAY, tuple(_room(item) for item in items))
    warnings = []
    for item in items:
        if isinstance(item, dict) and item.get("participants"):
            pages = _paging_int(item.get("page_count"))
            if pages is not None and pages > 1:
                number = clean_message(str(item.get("id")))
                warnings.append(f"Of meeting {number} only the first of {pages} pages of visits was delivered.")
    return Page(Shape.ARRAY, tuple(read_record(item, Shape.ARRAY, zone) for item in items), warnings=tuple(warnings))


def _paging_int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value, re.ASCII):
        return int(value)
    if isinstance(value, int) and 0 <= value < 10**9:
        return value
    return None


# One record --------------------------------------------------------------------------------------------


def read_record(item: Any, shape: Shape, zone: ZoneInfo) -> Record:
    """One item of an answer; never raises."""
    if not isinstance(item, dict):
        return _unreadable(item, FieldError("record", f"is {_kind(item)}, not an object"))
    try:
        number = _number(item)
        if _says_nothing_more(item):
            if not number:
                raise FieldError("uuid", "is missing")
            return NoReport(number)
        return _meeting(item, shape, zone, number)
    except FieldError as error:
        return _unreadable(item, error)
    except (ValueError, OverflowError, RecursionError, ArithmeticError) as error:
        return _unreadable(item, FieldError("record", f"cannot be read ({type(error).__name__})"))


_OF_NUMBER = {"id", "meeting_id", "meetingId"}


def _says_nothing_more(item: Mapping[str, Any]) -> bool:
    return all(name in _OF_NUMBER or value in (None, "", [], {}) for name, value in item.items())


def _meeting(item: Mapping[str, Any], shape: Shape, zone: ZoneInfo, number: str) -> MeetingRecord:
    uuid = _identifier(item, ("uuid",), "uuid")
    if not uuid:
        raise FieldError("uuid", "is missing")
    start = _time(item, ("start_time", "startTime"), "start_time", zone)
    if start is None:
        raise FieldError("start_time", "is missing")
    return MeetingRecord(
        shape=shape,
        uuid=uuid,
        meeting_id=number,
        host_id=_identifier(item, ("host_id", "hostId"), "host_id") or None,
        room_name=_short_text(item, ("host",), "host", LONGEST_NAME_OF_ROOM),
        room_email=_short_text(item, ("email",), "email", 320),
        topic=_text(item, ("topic",), "topic"),
        start_time=start,
        end_time=_time(item, ("end_time", "endTime"), "end_time", zone),
        duration=_duration(_first(item, ("duration",)), "duration"),
        is_extra=_flag(_first(item, ("is_extra", "isExtra")), "is_extra"),
        visits=_visits(_first(item, ("participants",)), zone),
        calls=_calls(_first(item, ("telephony_usage", "telephonyUsage")), zone),
    )


def _visits(rows: Any, zone: ZoneInfo) -> tuple[Visit, ...] | None:
    if rows is None:
        return None
    hours = _hours(zone)
    visits = []
    for place, row in enumerate(_rows(rows, "participants")):
        # The usual spelling of a row costs a few look-ups; whatever is not found there is read with care.
        try:
            join, leave = row["join_time"], row["leave_time"]
            visit = Visit(
                _NAMES[row["name"]],
                hours[join[:13]] + _INTO_HOUR[join[13:]],
                hours[leave[:13]] + _INTO_HOUR[leave[13:]],
            )
        except (KeyError, TypeError):
            visit = _visit(row, f"participants[{place}]", zone)
        visits.append(visit)
    return tuple(visits)


def _visit(row: Mapping[str, Any], where: str, zone: ZoneInfo) -> Visit:
    """A visit in any spelling. Errors: FieldError, its field with `where` in front."""
    join = _time(row, ("join_time", "joinTime"), f"{where}.join_time", zone)
    if join is None:
        raise FieldError(f"{where}.join_time", "is missing")
    return Visit(
        name=_text(row, ("name", "user_name", "userName"), f"{where}.name") or "",
        join_time=join,
        leave_time=_time(row, ("leave_time", "leaveTime"), f"{where}.leave_time", zone),
    )


def _calls(rows: Any, zone: ZoneInfo) -> tuple[Call, ...] | None:
    if rows is None:
        return None
    hours = _hours(zone)
    calls = []
    for place, row in enumerate(_rows(rows, "telephony_usage")):
        try:
            start, end = row["start_time"], row["end_time"]
            call = Call(
                _WORDS[row["phone_number"]],
                _WORDS[row["type"]],
                hours[start[:13]] + _INTO_HOUR[start[13:]],
                hours[end[:13]] + _INTO_HOUR[end[13:]],
                _duration(row["duration"], "duration"),
                _money(row["total"], "total"),
            )
        except (KeyError, TypeError, FieldError):
            call = _call(row, f"telephony_usage[{place}]", zone)
        calls.append(call)
    return tuple(calls)


def _call(row: Mapping[str, Any], where: str, zone: ZoneInfo) -> Call:
    """A call in any spelling. Errors: as of `_visit`."""
    return Call(
        phone_number=_short_text(row, ("phone_number", "phoneNumber"), f"{where}.phone_number", 100) or "",
        type=_short_text(row, ("type",), f"{where}.type", 100) or "",
        start_time=_time(row, ("start_time", "startTime"), f"{where}.start_time", zone),
        end_time=_time(row, ("end_time", "endTime"), f"{where}.end_time", zone),
        duration=_duration(_first(row, ("duration",)), f"{where}.duration"),
        total=_money(_first(row, ("total",)), f"{where}.total"),
    )


def _rows(rows: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(rows, list):
        raise FieldError(name, f"is {_kind(rows)}, not a list")
    if not {*map(type, rows)} <= {dict}:
        place, row = next((place, row) for place, row in enumerate(rows) if type(row) is not dict)
        raise FieldError(f"{name}[{place}]", f"is {_kind(row)}, not an object")
    return rows


def _room(item: Any) -> RoomRecord | Unreadable:
    if not isinstance(item, dict):
        return _unreadable(item, FieldError("record", f"is {_kind(item)}, not an object"))
    try:
        host_id = _identifier(item, ("id", "host_id"), "id")
        if not host_id:
            raise FieldError("id", "is missing")
        capacity = _first(item, ("meeting_capacity",))
        seats = None if capacity in (None, "") else _paging_int(capacity)
        if capacity not in (None, "") and seats is None:
            raise FieldError("meeting_capacity", f"is {_shown(capacity)}, not a number of people")
        return RoomRecord(
            host_id=host_id,
            email=_short_text(item, ("email",), "email", 320),
            name=_short_text(item, ("first_name",), "first_name", LONGEST_NAME_OF_ROOM),
            capacity=seats,
        )
    except FieldError as error:
        return _unreadable(item, error)
    except (ValueError, OverflowError, RecursionError, ArithmeticError) as error:
        return _unreadable(item, FieldError("record", f"cannot be read ({type(error).__name__})"))


# The licence -------------------------------------------------------------------------------------------


def read_licence(answer: Any, zone: ZoneInfo, *, redact: Callable[[str], str] = _as_it_is) -> LicenceRecord:
    """One decoded answer of licensing. In, errors: as `read_answer`; a field that makes no sense spoils all of it."""
    data = _data(answer, redact)
    try:
        if not isinstance(data, dict):
            raise FieldError("data", f"is {_kind(data)}, not an object")
        if not {"capacity", "payType", "pay_type", "expire_date", "expireDate"} & data.keys():
            raise FieldError("capacity", "is missing")
        # Before anything is cut short for a message: a part of a secret would not be found any more.
        told = {name: redact(value) if isinstance(value, str) else value for name, value in data.items()}
        return LicenceRecord(
            capacity=_capacity(told.get("capacity"), redact),
            pay_type=_short_text(told, ("payType", "pay_type"), "payType", 20) or "",
            expire_date=_day(told, ("expire_date", "expireDate"), "expire_date", zone),
        )
    except FieldError as error:
        raise BadPayload(f"The licence cannot be read: {error.field} {error.reason}.") from None


def _capacity(sizes: Any, redact: Callable[[str], str]) -> dict[int, int]:
    """Rooms by their size: {"25": 5, "50": 55}, in the order of the sizes."""
    if sizes is None:
        return {}
    if not isinstance(sizes, dict):
        raise FieldError("capacity", f"is {_kind(sizes)}, not an object")
    found: dict[int, int] = {}
    for size, rooms in sizes.items():
        seats, count = _paging_int(size), _paging_int(rooms)
        if seats is None:
            raise FieldError("capacity", f"has {_shown(redact(size))}, not a number of seats")
        if count is None:
            raise FieldError("capacity", f"has {_shown(redact(str(rooms)))}, not a number of rooms")
        if seats in found:
            raise FieldError("capacity", f"has the size {seats} twice")
        found[seats] = count
    return dict(sorted(found.items()))


DAY = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)


def _day(item: Mapping[str, Any], names: Iterable[str], field: str, zone: ZoneInfo) -> date | None:
    """A date, or the day of a time in `zone`. A licence may be given until a day that is out of a meeting's reach."""
    value = _first(item, names)
    try:
        if isinstance(value, str) and (day := DAY.fullmatch(value.strip())) and int(day[1]):
            return date(*(int(part) for part in day.groups()))
        moment = _time(item, names, field, zone)
    except ValueError:
        raise FieldError(field, f"is {_shown(value)}, not a date such as 2017-08-31") from None
    return None if moment is None else moment.astimezone(zone).date()


def _room_totals(item: Any, place: str) -> RoomTotals:
    """One room of share/summary. Errors: FieldError, its field with the place in front."""
    if not isinstance(item, dict):
        raise FieldError(place, f"is {_kind(item)}, not an object")
    meetings = _counted(item, "meetings", f"{place}.meetings")
    if meetings is None:
        raise FieldError(f"{place}.meetings", "is missing")
    return RoomTotals(
        host_id=_identifier(item, ("host_id",), f"{place}.host_id"),
        is_extra=_flag(_first(item, ("is_extra",)), f"{place}.is_extra"),
        meetings=meetings,
        participants=_counted(item, "participants", f"{place}.participants"),
        meeting_seconds=_added_up(item, "meeting_minutes", f"{place}.meeting_minutes"),
        audio_participants=_counted(item, "audio_participants", f"{place}.audio_participants"),
        audio_total_seconds=_added_up(item, "audio_total_duration", f"{place}.audio_total_duration"),
        total_fee=_fee(_first(item, ("total_fee",)), f"{place}.total_fee"),
    )


def _unreadable(item: Any, error: FieldError) -> Unreadable:
    known = item if isinstance(item, dict) else {}
    try:
        uuid = _identifier(known, ("uuid",), "uuid") or None
    except FieldError:
        uuid = None
    try:
        number = _number(known) or None
    except FieldError:
        number = None
    start = known.get("start_time")
    return Unreadable(
        raw=_json_text(item),
        field=error.field,
        reason=clean_message(error.reason),
        uuid=uuid,
        meeting_id=number,
        start_time=_scrub(str(start))[:100] if isinstance(start, str | int | Decimal) else None,
    )


def _json_text(value: Any, depth: int = 0) -> str:
    """A decoded value as ASCII JSON text. Unlike json.dumps it writes numbers as they were sent, even those that are
    none, and a word in place of what is nested deeper than DEEPEST.
    """
    match value:
        case dict() | list() if depth >= DEEPEST:
            return TOO_DEEP
        case dict():
            pairs = [f"{json.dumps(key)}: {_json_text(item, depth + 1)}" for key, item in sorted(value.items())]
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join([_json_text(item, depth + 1) for item in value])}]"
        case NoNumber():
            return value.text
        case Decimal() if value.is_finite():
            return str(value)
        case None | bool() | int() | float():
            return json.dumps(value)
        case _:
            return json.dumps(str(value))


# One field ---------------------------------------------------------------------------------------------


def _first(item: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first of several spellings that is there and not null."""
    for name in names:
        if (value := item.get(name)) is not None:
            return value
    return None


UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def _scrub(text: str) -> str:
    """Without what no database can hold: NUL and halves of surrogate pairs become U+FFFD."""
    # Neither of them is printable, and nearly every text is.
    return text if text.isprintable() else UNKEEPABLE.sub("\ufffd", text)


class _Texts(dict[str, str]):
    """Short texts as sent → as they are read; the same few hundred come again and again.

    Asked for anything else, it raises KeyError.
    """

    MOST, LONGEST = 50_000, 100

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read

    def __missing__(self, text: Any) -> str:
        if type(text) is not str or len(text) > self.LONGEST:
            raise KeyError
        if len(self) >= self.MOST:
            self.clear()
        read = self[text] = self._read(text)
        return read


_NAMES = _Texts(_scrub)
_WORDS = _Texts(lambda text: _scrub(text).strip())


def _shown(value: Any) -> str:
    # Python's own text of a list has no end that is near enough.
    text = _json_text(value) if isinstance(value, dict | list) else str(value)
    return f"'{_scrub(text[:60])}{'…' if len(text) > 60 else ''}'"


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _text(item: Mapping[str, Any], names: Iterable[str], field: str) -> str | None:
    value = _first(item, names)
    if value is None:
        return None
    if type(value) is str:
        return _scrub(value)
    if isinstance(value, bool | dict | list):
        raise FieldError(field, f"is {_kind(value)}, not a text")
    if isinstance(value, NoNumber):
        raise FieldError(field, f"is {_shown(value)}, not a text")
    return _scrub(str(value))


def _short_text(item: Mapping[str, Any], names: Sequence[str], field: str, longest: int) -> str | None:
    # Nearly always the first spelling is there, and there is nothing to mend.
    usual = item.get(names[0])
    if usual is None and len(names) == 1:
        return None
    if type(usual) is str and len(usual) <= longest and usual.isprintable():
        return usual.strip() or None
    value = (_text(item, names, field) or "").strip()
    if len(value) > longest:
        raise FieldError(field, f"is longer than {longest} characters")
    return value or None


def _identifier(item: Mapping[str, Any], names: Sequence[str], field: str) -> str:
    """A uuid or a host_id: base64 and the like, case-sensitive, never changed but for white space around it."""
    text = _short_text(item, names, field, LONGEST_ID) or ""
    # An id is not mended as other texts are: two that differ could become one.
    if _first(item, names) is not None and text != str(_first(item, names)).strip():
        raise FieldError(field, f"is {_shown(text)} with a character that no id has")
    return text


def _number(item: Mapping[str, Any]) -> str:
    """The meeting number: "9 to 11 digits, string or integer"; "" when missing."""
    value = _first(item, ("meeting_id", "meetingId", "id"))
    if value is None:
        return ""
    if isinstance(value, Decimal) and value.is_finite() and 0 <= value < 10**20 and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FieldError("meeting_id", f"is {_kind(value)}, not a meeting number")
    digits = str(value)
    if digits.isascii() and digits.isdigit() and len(digits) <= 20:
        return digits
    if isinstance(value, str):  # a number's own minus is no dash
        digits = DASHES_AND_BLANKS.sub("", unicodedata.normalize("NFKC", value))
    if (digits or str(value).strip()) and not re.fullmatch(r"\d{1,20}", digits, re.ASCII):
        raise FieldError("meeting_id", f"is {_shown(value)}, not a meeting number")
    return digits


DASHES_AND_BLANKS = re.compile(r"[-\s\u2010-\u2015\u2212\u200b-\u200f\u2060\ufe58\ufe63\uff0d\ufeff]")
TIME = re.compile(
    r"(?P<y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})"
    r"(?:[T ]\s*(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"\s*(?P<z>Z|z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)


class _Hours(dict[str, datetime]):
    """Hours of one zone's local clock, written `2017-08-31 00` → the moment they begin, UTC."""

    MOST = 50_000

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def __missing__(self, text: str) -> datetime:
        """Errors: KeyError for what is not written so, and for an hour in which the clock is set."""
        if type(text) is not str or not HOUR.fullmatch(text):
            raise KeyError
        try:
            begin, last = (parse_time(f"{text}{rest}", self._zone) for rest in (":00:00", ":59:59"))
        except (ValueError, OverflowError):
            raise KeyError from None
        if last - begin != _INTO_HOUR[":59:59"]:
            raise KeyError
        if len(self) >= self.MOST:
            self.clear()
        self[text] = begin
        return begin


GREENWICH = ZoneInfo("UTC")
HOUR = re.compile(r"\d{4}-\d\d-\d\d \d\d", re.ASCII)
_hours = lru_cache(maxsize=8)(_Hours)
_INTO_HOUR = {f":{m:02}:{s:02}": timedelta(minutes=m, seconds=s) for m in range(60) for s in range(60)}


def _time(item: Mapping[str, Any], names: Iterable[str], field: str, zone: ZoneInfo) -> datetime | None:
    value = _first(item, names)
    if value is None:
        return None
    try:
        return _hours(zone)[value[:13]] + _INTO_HOUR[value[13:]]
    except (KeyError, TypeError):
        pass  # not the usual spelling
    text = value.strip() if isinstance(value, str) else None
    # "0000-00-00 00:00:00" is how some databases write that there is no time.
    if text == "" or (text and text.startswith("0000-00-00")):
        return None
    try:
        if text is None:
            raise ValueError
        return parse_time(text, zone)
    except (ValueError, OverflowError):
        raise FieldError(field, f"is {_shown(value)}, not a time such as 2017-08-31 00:00:00") from None


def parse_time(text: str, zone: ZoneInfo) -> datetime:
    """A time of the API as UTC: `2017-08-31 00:00:00`, `2018-05-08T02:32:34Z`, `2017-8-31` and their like.

    Times that name no zone are read in `zone`. Errors: ValueError for anything else, and for years outside
    2000 to 2100.
    """
    if len(text) == 20 and text[10] == "T" and text[19] == "Z":
        # The usual spelling of the array answer.
        with suppress(KeyError):
            return _hours(GREENWICH)[f"{text[:10]} {text[11:13]}"] + _INTO_HOUR[text[13:19]]
    match = TIME.fullmatch(text)
    if match is None or not 2000 <= int(match["y"]) <= 2100:
        raise ValueError(text)
    day = datetime(int(match["y"]), int(match["m"]), int(match["d"]))  # noqa: DTZ001 — its zone follows
    hour, minute, second = (int(match[name] or 0) for name in "HMS")
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        raise ValueError(text)
    # 24:00 and a leap second are ways to write the next day and the next minute.
    offset = match["z"]
    tzinfo: ZoneInfo | timezone = zone
    if offset in {"Z", "z"}:
        tzinfo = UTC
    elif offset:
        sign = -1 if offset[0] == "-" else 1
        minutes = int(offset[1:3]) * 60 + int(offset[-2:])
        if minutes >= 24 * 60 or int(offset[-2:]) > 59:
            raise ValueError(text)
        tzinfo = timezone(sign * timedelta(minutes=minutes))
    micro = int((match["f"] or "0").ljust(6, "0")[:6])
    local = day + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)
    return local.replace(tzinfo=tzinfo).astimezone(UTC)


CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,6}):(\d{2})", re.ASCII)
UNITS = re.compile(
    r"(?:(\d+(?:\.\d+)?)\s*(?:小时|时|h|hours?|hrs?)\s*)?"
    r"(?:(\d+(?:\.\d+)?)\s*(?:分钟|分|m|min|mins|minutes?)\s*)?"
    r"(?:(\d+(?:\.\d+)?)\s*(?:秒钟|秒|s|sec|secs|seconds?)\s*)?",
    re.ASCII | re.IGNORECASE,
)


def _duration(value: Any, field: str) -> int | None:
    """Seconds of a duration: `120` and `"45"` are minutes, `"6分钟"`, `"01:25"` (mm:ss), `"03:55:08"`."""
    if value is None:
        return None
    if type(value) is int and 0 <= value <= TEN_YEARS // 60:
        return value * 60
    wrong = FieldError(field, f"is {_shown(value)}, not a duration such as 120, 6分钟 or 03:55:08")
    if isinstance(value, bool):
        raise wrong
    if isinstance(value, int | Decimal):
        seconds = _seconds(value, wrong)
    elif isinstance(value, str):
        text = unicodedata.normalize("NFKC", value).strip()
        if not text:
            return None
        if re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text, re.ASCII):
            seconds = _seconds(Decimal(text), wrong)
        elif clock := CLOCK.fullmatch(text):
            hours, minutes, rest = (int(part or 0) for part in clock.groups())
            if rest > 59 or (clock[1] and minutes > 59):
                raise wrong
            seconds = hours * 3600 + minutes * 60 + rest
        elif (units := UNITS.fullmatch(text)) and any(units.groups()) and len(text) < 60:
            parts = (Decimal(part or 0) * size for part, size in zip(units.groups(), (3600, 60, 1), strict=True))
            seconds = int(sum(parts, Decimal(0)).quantize(Decimal(1), ROUND_HALF_UP))
        else:
            raise wrong
    else:
        raise wrong
    if not 0 <= seconds <= TEN_YEARS:
        raise wrong
    return seconds


def _seconds(minutes: int | Decimal, wrong: FieldError) -> int:
    if not 0 <= minutes <= TEN_YEARS:  # a NaN cannot come: decode() refuses it
        raise wrong
    return int((Decimal(minutes) * 60).quantize(Decimal(1), ROUND_HALF_UP))


def _money(value: Any, field: str) -> Decimal | None:
    """Yuan, exact: `0.12`, `"0.12"`, `"¥0.12"`, `"1,234.50"`."""
    if value is None:
        return None
    if type(value) is Decimal and -MOST_MONEY < value < MOST_MONEY and value == value.quantize(LEAST_MONEY):
        return value
    wrong = FieldError(field, f"is {_shown(value)}, not an amount of money such as 0.12")
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise wrong
    if isinstance(value, str):
        text = re.sub(r"^(¥|RMB|CNY)|(元|RMB|CNY)$", "", unicodedata.normalize("NFKC", value).strip()).strip()
        if not text:
            return None
        if not re.fullmatch(r"-?(\d{1,3}(,\d{3})+|\d{1,12})(\.\d{1,20})?", text, re.ASCII):
            raise wrong
        amount = Decimal(text.replace(",", ""))
    else:
        amount = Decimal(value)
    # The size first: arithmetic with 1E+9999999 overflows.
    if not amount.is_finite() or not -MOST_MONEY < amount < MOST_MONEY:
        raise wrong
    if amount != amount.quantize(LEAST_MONEY):
        raise FieldError(field, f"is {_shown(value)}, which has more than {MONEY_PLACES} decimal places")
    return amount


def _fee(value: Any, field: str) -> Decimal | None:
    """Yuan that the provider has added up: as `_money`, less what adding with floating point leaves behind."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < MOST_MONEY:
        value = value.quantize(LEAST_MONEY, ROUND_HALF_UP)
    return _money(value, field)


def _number_of(value: Any) -> Decimal | None:
    """A number not below zero, as JSON or as text; None for what is none, or is beyond all bounds."""
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,12}(\.\d{1,12})?\s*", value, re.ASCII):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() and 0 <= number < MOST_COUNTED else None


def _counted(item: Mapping[str, Any], name: str, field: str) -> int | None:
    """How many: `12`, `"12"`, `12.0`; None where it is not told."""
    value = item.get(name)
    if value in (None, ""):
        return None
    number = _number_of(value)
    if number is None or number != number.to_integral_value():
        raise FieldError(field, f"is {_shown(value)}, not a whole number")
    return int(number)


def _added_up(item: Mapping[str, Any], name: str, field: str) -> int | None:
    """Seconds of minutes that were added up, whole or decimal: a sum has none of the spellings of one duration."""
    value = item.get(name)
    if value in (None, ""):
        return None
    number = _number_of(value)
    if number is None:
        raise FieldError(field, f"is {_shown(value)}, not a number of minutes")
    return int((number * 60).quantize(Decimal(1), ROUND_HALF_UP))


def _flag(value: Any, field: str) -> bool | None:
    """0/1, "0"/"1", true/false."""
    if value is None:
        return None
    if value is True or value is False:
        return bool(value)
    if isinstance(value, str):
        value = value.strip().casefold()
    if value == "":
        return None
    for flag, spellings in ((True, (1, "1", "true")), (False, (0, "0", "false"))):
        if any(value == spelling for spelling in spellings):
            return flag
    raise FieldError(field, f"is {_shown(value)}, neither 0 nor 1")
