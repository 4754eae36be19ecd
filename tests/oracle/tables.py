"""The seven CSV tables as design.md's section 5 writes them, row by row. Only the standard library."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction

from tests.oracle.kept import Call
from tests.oracle.oracle import Met, Oracle, Sums
from tests.oracle.world import Question

OF_MEETING = "uuid, host_id, room, meeting_id, topic, "
COLUMNS = {
    "meetings": OF_MEETING + "start_time, end_time, state, booked_minutes, open_minutes, used_minutes, attendees, "
    "visits, peak_attendees, attendee_minutes, is_extra, calls, call_minutes, call_cost, currency",
    "participants": OF_MEETING + "name, join_time, leave_time, minutes",
    "attendees": OF_MEETING + "name, first_join, last_leave, visits, minutes, presence_percent, late_minutes",
    "telephony": OF_MEETING + "phone_number, country, type, start_time, end_time, minutes, cost, currency",
    "rooms": "host_id, room, capacity, meetings, extra_meetings, empty_meetings, solo_meetings, booked_hours, "
    "open_hours, used_hours, utilisation_percent, attendees, attendee_hours, calls, call_minutes, call_cost, currency",
    "days": "day, meetings, extra_meetings, empty_meetings, booked_hours, open_hours, used_hours, attendees, "
    "attendee_hours, peak_concurrent_rooms, calls, call_minutes, call_cost, unpriced_calls, currency",
    "hours": "weekday, hour, meetings, open_hours",
}
TEXTS = {"uuid", "host_id", "room", "meeting_id", "topic", "name", "phone_number", "type"}

Row = tuple[str, ...]


# Values: "" is unknown ---------------------------------------------------------------------------------------


def rounded(value: Fraction | None, places: int) -> str:
    """Half up, with all its decimals."""
    if value is None:
        return ""
    sign, value = ("-" if value < 0 else ""), abs(value)
    whole = int(value * 10**places + Fraction(1, 2))
    return f"{sign}{whole // 10**places}.{whole % 10**places:0{places}d}"


def minutes(seconds: int | None) -> str:
    return "" if seconds is None else rounded(Fraction(seconds, 60), 1)


def hours(seconds: int | None) -> str:
    return "" if seconds is None else rounded(Fraction(seconds, 3600), 2)


def percent(share: Fraction | None) -> str:
    return "" if share is None else rounded(share * 100, 1)


def money(amount: Decimal | None) -> str:
    """Two decimals or as many more as are exact."""
    if amount is None:
        return ""
    whole, decimals = f"{amount:.6f}".split(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def count(number: int | None) -> str:
    return "" if number is None else str(number)


def guarded(row: Iterable[str], columns: list[str]) -> Row:
    """Texts that a spreadsheet would run as a formula get a leading apostrophe."""
    dangerous = ("=", "+", "-", "@", "\t", "\r")
    return tuple(
        f"'{value}" if name in TEXTS and value.startswith(dangerous) else value
        for name, value in zip(columns, row, strict=True)
    )


# Tables ------------------------------------------------------------------------------------------------------


class Tables:
    """The tables that an oracle expects. Rows of one meeting come in their order, meetings in any."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    def columns(self, name: str) -> list[str]:
        return COLUMNS[name].split(", ")

    def rows(self, name: str, asked: Question, raw: bool) -> list[Row]:
        write: dict[str, Callable[[Question], list[Row]]] = {
            "meetings": self._meetings,
            "participants": self._participants,
            "attendees": self._attendees,
            "telephony": self._telephony,
            "rooms": self._rooms,
            "days": self._days,
            "hours": self._hours,
        }
        rows = write[name](asked)
        return rows if raw else [guarded(row, self.columns(name)) for row in rows]

    def _moment(self, at: int | None) -> str:
        return "" if at is None else self.oracle.local(at).isoformat()

    def _room(self, host_id: str) -> Row:
        room = self.oracle.rooms.get(host_id)
        return (host_id, room.name if room else "")

    def _of(self, met: Met) -> Row:
        return (met.told.uuid, *self._room(met.told.host_id), met.told.number, met.told.topic)

    def _meetings(self, asked: Question) -> list[Row]:
        found = []
        for met in self.oracle.meetings(asked):
            told, sums = met.told, self.oracle.of_meeting(met)
            found.append(
                (
                    *self._of(met),
                    self._moment(told.start),
                    self._moment(told.end),
                    met.state,
                    minutes(told.booked),
                    minutes(met.open),
                    minutes(met.used),
                    count(sums.attendees),
                    count(sums.visits),
                    count(met.peak),
                    minutes(met.attendee_seconds),
                    count(sums.extra),
                    count(sums.calls),
                    minutes(sums.call_seconds),
                    money(sums.call_cost),
                    "CNY",
                )
            )
        return found

    def _participants(self, asked: Question) -> list[Row]:
        return [
            (
                *self._of(met),
                stay.name,
                self._moment(stay.join),
                self._moment(stay.leave),
                minutes(stay.until - stay.join),
            )
            for met in self.oracle.meetings(asked)
            for stay in met.stays or ()
            if asked.name in {None, stay.key}
        ]

    def _attendees(self, asked: Question) -> list[Row]:
        return [
            (
                *self._of(met),
                attendee.name or "(no name)",
                self._moment(attendee.first),
                self._moment(attendee.last),
                count(attendee.visits),
                minutes(attendee.seconds),
                percent(attendee.share),
                minutes(attendee.late or 0),
            )
            for met, attendee in self.oracle.attended(asked)
        ]

    def _telephony(self, asked: Question) -> list[Row]:
        return [
            (
                *self._of(call.meeting),
                call.told.number,
                call.country,
                call.told.type,
                self._moment(call.told.start),
                self._moment(call.told.end),
                minutes(call.told.seconds),
                money(call.told.price),
                "CNY",
            )
            for call in sorted(self.oracle.calls(asked), key=lambda call: _by_time(call.told))
        ]

    def _sums(self, sums: Sums) -> tuple[Row, Row, Row]:
        return (
            (hours(sums.booked_seconds), hours(sums.open_seconds), hours(sums.used_seconds)),
            (count(sums.attendees), hours(sums.attendee_seconds)),
            (count(sums.calls), minutes(sums.call_seconds), money(sums.call_cost)),
        )

    def _rooms(self, asked: Question) -> list[Row]:
        found = []
        for host_id, (sums, utilisation) in self.oracle.room_usage(asked).items():
            lengths, people, calls = self._sums(sums)
            numbers = (sums.meetings, sums.extra, sums.empty, sums.solo)
            room = self.oracle.rooms.get(host_id)
            found.append(
                (
                    *self._room(host_id),
                    count(room.capacity if room else None),
                    *map(count, numbers),
                    *lengths,
                    percent(utilisation),
                    *people,
                    *calls,
                    "CNY",
                )
            )
        return found

    def _days(self, asked: Question) -> list[Row]:
        found = []
        peaks = dict(self.oracle.peaks(asked))
        for day, sums in self.oracle.by_day(asked):
            lengths, people, calls = self._sums(sums)
            numbers = map(count, (sums.meetings, sums.extra, sums.empty))
            peak, unpriced = count(peaks[day]), count(sums.unpriced_calls)
            found.append((day.isoformat(), *numbers, *lengths, *people, peak, *calls, unpriced, "CNY"))
        return found

    def _hours(self, asked: Question) -> list[Row]:
        return [
            (count(weekday), count(hour), count(began), hours(opened))
            for weekday, hour, began, opened in self.oracle.hours(asked)
        ]


def _by_time(call: Call) -> tuple[object, ...]:
    """Calls are listed by time, unknown times last, then by everything else they tell."""
    return (
        *(call.start is None, call.start or 0, call.number, call.end is None, call.end or 0, call.type),
        *(-1 if call.seconds is None else call.seconds, -1 if call.price is None else call.price),
    )
