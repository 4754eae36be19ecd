"""Raw answers become what is kept of them: design.md's section 2 and facts.md in plain Python.

Only the standard library. Moments are whole seconds since 1970, lengths whole seconds, money exact Decimals;
None is what nobody told.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

Item = dict[str, Any]


class Unreadable(ValueError):
    """A record that cannot be read. It is left out whole, and its neighbours are not."""


@dataclass(frozen=True)
class Visit:
    name: str
    join: int
    leave: int | None


@dataclass(frozen=True)
class Call:
    number: str
    type: str
    start: int | None
    end: int | None
    seconds: int | None
    price: Decimal | None


@dataclass
class Room:
    """temporary: no list of rooms had it, and every meeting ever reported in it was an extra one."""

    host_id: str
    temporary: bool
    email: str = ""
    name: str = ""
    capacity: int | None = None


@dataclass
class Meeting:
    """One record. host_id: "" while the room is unknown; then told_email and told_name may find it later."""

    uuid: str
    start: int
    number: str = ""
    host_id: str = ""
    told_email: str = ""
    told_name: str = ""
    topic: str = ""
    end: int | None = None
    booked: int | None = None
    booked_may_be_actual: bool = False
    extra: bool | None = None
    visits: list[Visit] | None = None
    calls: list[Call] | None = None


def fold(text: str) -> str:
    """A text as it is compared: NFKC, trimmed, inner white space one blank, casefolded."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


class Kept:
    """Everything that was told so far. The answers are taken in the order in which they came."""

    def __init__(self, provider_zone: str) -> None:
        self.zone = ZoneInfo(provider_zone)
        self.rooms: dict[str, Room] = {}
        self.meetings: dict[str, Meeting] = {}
        self.unreadable = 0

    def take(self, answer: str) -> None:
        """One answer as JSON text, of whichever shape."""
        data = json.loads(answer, parse_float=Decimal)["data"]
        if isinstance(data, dict):
            self._take_items(data["meetings"], paged=True)
        elif any("first_name" in item for item in data):
            self._take_rooms(data)
        else:
            self._take_items(data, paged=False)

    # Rooms

    def _take_rooms(self, items: list[Item]) -> None:
        """What a list tells of a room replaces, what it leaves out stays; a listed room is of the pool."""
        for item in items:
            room = self.rooms.setdefault(item["id"], Room(item["id"], temporary=False))
            room.temporary = False
            room.email = (item.get("email") or "").strip() or room.email
            room.name = (item.get("first_name") or "").strip() or room.name
            if item.get("meeting_capacity") not in (None, ""):
                room.capacity = int(item["meeting_capacity"])
        for meeting in self.meetings.values():
            if not meeting.host_id:
                meeting.host_id = self._room_of(meeting.told_email, meeting.told_name)

    def _room_of(self, email: str, name: str) -> str:
        """The room of that e-mail, else of that name, if it is one room's alone; "" while it cannot be told."""
        by_email = [room for room in self.rooms.values() if email and room.email.casefold() == email.casefold()]
        by_name = [room for room in self.rooms.values() if fold(name) and fold(room.name) == fold(name)]
        for found in (by_email, by_name):
            if len(found) == 1:
                return found[0].host_id
        return ""

    def _met(self, host_id: str, extra: bool | None) -> None:
        """A report speaks of a room. Only one that held nothing but extra meetings is temporary."""
        room = self.rooms.setdefault(host_id, Room(host_id, temporary=extra is True))
        room.temporary = room.temporary and extra is True

    # Meetings

    def _take_items(self, items: list[Item], paged: bool) -> None:
        for item in items:
            if not any(value for name, value in item.items() if name not in {"id", "meeting_id"}):
                continue  # that number has no report yet
            try:
                told = self._read(item)
            except Unreadable:
                self.unreadable += 1
            else:
                self._merge(told, paged)

    def _merge(self, told: Meeting, paged: bool) -> None:
        """What a report tells replaces what is kept, what it does not tell stays."""
        kept = self.meetings.setdefault(told.uuid, Meeting(told.uuid, told.start))
        kept.start = told.start
        kept.number = told.number or kept.number
        kept.topic = told.topic or kept.topic
        kept.end = kept.end if told.end is None else told.end
        kept.extra = kept.extra if told.extra is None else told.extra
        # The array's length may be the actual one: it never replaces a booked one.
        if told.booked is not None and (paged or kept.booked is None or kept.booked_may_be_actual):
            kept.booked, kept.booked_may_be_actual = told.booked, not paged
        # Reported once is never replaced by none.
        if told.visits is not None and (told.visits or not kept.visits):
            kept.visits = told.visits
        if told.calls is not None and (told.calls or not kept.calls):
            kept.calls = told.calls
        kept.told_email = told.told_email or kept.told_email
        kept.told_name = told.told_name or kept.told_name
        if told.host_id:
            self._met(told.host_id, kept.extra)
            kept.host_id = told.host_id
        elif not kept.host_id:
            kept.host_id = self._room_of(told.told_email, told.told_name)

    # One record

    def _read(self, item: Item) -> Meeting:
        start = self._moment(item, "start_time")
        if start is None or not item.get("uuid"):
            raise Unreadable
        return Meeting(
            uuid=item["uuid"],
            start=start,
            number=str(_first(item, "meeting_id", "id") or ""),
            host_id=_first(item, "host_id") or "",
            told_email=(_first(item, "email") or "").strip(),
            told_name=(_first(item, "host") or "").strip(),
            topic=_first(item, "topic") or "",
            end=self._moment(item, "end_time"),
            booked=_length(item.get("duration")),
            extra=_flag(item.get("is_extra")),
            visits=_rows(item.get("participants"), self._visit),
            calls=_rows(item.get("telephony_usage"), self._call),
        )

    def _visit(self, row: Item) -> Visit:
        join = self._moment(row, "join_time", "joinTime")
        if join is None:
            raise Unreadable
        return Visit(
            name=_first(row, "name", "user_name") or "",
            join=join,
            leave=self._moment(row, "leave_time", "leaveTime"),
        )

    def _call(self, row: Item) -> Call:
        return Call(
            number=(_first(row, "phone_number") or "").strip(),
            type=(_first(row, "type") or "").strip(),
            start=self._moment(row, "start_time"),
            end=self._moment(row, "end_time"),
            seconds=_length(row.get("duration")),
            price=_money(row.get("total")),
        )

    def _moment(self, item: Item, *names: str) -> int | None:
        """`2017-8-31 00:00:00` in the provider's zone, or `2018-05-08T02:32:34Z`."""
        text = _first(item, *names)
        if not text:
            return None
        parts = re.fullmatch(r"(\d+)-(\d+)-(\d+)[ T](\d+):(\d+):(\d+)(Z?)", text)
        if parts is None:
            raise Unreadable
        year, month, day, hour, minute, second = map(int, parts.groups()[:6])
        zone = UTC if parts[7] else self.zone
        return int(datetime(year, month, day, hour, minute, second, tzinfo=zone).timestamp())


def _first(item: Item, *names: str) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _rows(rows: Any, read: Any) -> list[Any] | None:
    if rows is None:
        return None
    if not isinstance(rows, list):
        raise Unreadable
    return [read(row) for row in rows]


def _length(value: Any) -> int | None:
    """Seconds of `120` and `"45"` (minutes), `"6分钟"`, `"01:25"` (m:s) and `"03:55:08"` (h:m:s)."""
    if value in (None, ""):
        return None
    parts = [int(part) if part.isdigit() else -1 for part in str(value).removesuffix("分钟").split(":")]
    if min(parts) < 0:
        raise Unreadable
    match parts:
        case [minutes]:
            return minutes * 60
        case [minutes, seconds]:
            return minutes * 60 + seconds
        case _:
            hours, minutes, seconds = parts
            return (hours * 60 + minutes) * 60 + seconds


def _money(value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        raise Unreadable from None


def _flag(value: Any) -> bool | None:
    if value in (None, ""):
        return None
    if str(value).lower() not in {"0", "1", "true", "false"}:
        raise Unreadable
    return str(value).lower() in {"1", "true"}
