"""Meetings counted and added up: totals, days, and the rows of the meetings table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Value
from django.db.models.functions import Coalesce, NullIf

from reports import kept
from reports.clockwork import days_between
from reports.figures import added
from reports.figures.groups import Among, Order
from reports.figures.period import span
from reports.filter import Filter
from reports.measures import Summary
from reports.models import Meeting, Participant
from reports.querysets import MeetingQuerySet
from reports.summaries import live
from reports.sums import CALL_SUMS, MEETING_SUMS, UNKNOWN_ROOM

CHUNK = 2000


class Totals(NamedTuple):
    """Sums over a selection. Seconds and yuan.

    Meetings that do not tell a figure are left out of its sum. Where there are meetings and none of them
    tells it, the sum is unknown (None); where there are no meetings, it is zero. Calls are those of the
    selection's own days, which may be other calls than those of its meetings.
    """

    meetings: int = 0
    extra: int | None = 0
    empty: int = 0
    solo: int = 0
    unreported: int = 0
    running: int = 0
    booked_seconds: int | None = 0
    open_seconds: int = 0
    used_seconds: int | None = 0
    attendees: int | None = 0
    attendee_seconds: int | None = 0
    visits: int | None = 0
    calls: int | None = 0
    call_seconds: int | None = 0
    call_cost: Decimal | None = Decimal("0.00")
    unpriced_calls: int | None = 0

    def grown(self, growth: "Growth") -> "Totals":
        """With what running meetings add at a moment."""
        if growth.used_seconds is None:
            return self._replace(open_seconds=self.open_seconds + growth.open_seconds)
        return self._replace(
            open_seconds=self.open_seconds + growth.open_seconds,
            used_seconds=(self.used_seconds or 0) + growth.used_seconds,
            attendee_seconds=(self.attendee_seconds or 0) + (growth.attendee_seconds or 0),
        )


OF_CALLS = frozenset({"calls", "call_seconds", "call_cost", "unpriced_calls"})


def together(parts: Iterable[Totals]) -> Totals:
    """Totals of selections that have nothing in common, added up as if they were one.

    A figure is unknown where none of those that could tell it does. What has no meeting can tell nothing of
    meetings, though it may have calls, which have days of their own: its zeros are no knowledge. So with calls: where
    there are some, those without a call know neither their length nor their cost.
    """
    parts = list(parts)
    with_meetings = [part for part in parts if part.meetings]
    with_calls = [part for part in parts if part.calls]
    # Where no call was made, a meeting that tells so is what is known.
    with_either = with_calls or with_meetings
    sums: dict[str, Any] = {}
    for place, name in enumerate(Totals._fields):
        counting = with_either if name in OF_CALLS else with_meetings
        known = [value for part in counting if (value := part[place]) is not None]
        if counting:
            sums[name] = sum(known[1:], known[0]) if known else None
    return Totals(**sums)


class Growth(NamedTuple):
    """What one running meeting adds to the kept sums; used and attendee seconds are None when unreported."""

    open_seconds: int
    used_seconds: int | None
    attendee_seconds: int | None


def _totals(row: Mapping[str, Any] | None, calls: Mapping[str, Any] | None) -> Totals:
    """A row of MEETING_SUMS and one of CALL_SUMS as Totals."""
    if row is None and calls is None:
        return Totals()
    row, calls = row or _NO_MEETING, calls or _NO_CALL
    meetings, dials = row["meetings"], calls["dials"]
    # There are meetings, and none of them tells the figure: it is unknown.
    no_people, no_booking, no_extra = (
        bool(meetings) and not row[told] for told in ("tell_people", "tell_booked", "tell_extra")
    )
    no_calls_told = bool(meetings) and not row["tell_calls"] and not dials
    seconds, cost = calls["dial_seconds"], calls["cost"]
    # By place: a page makes a thousand of them.
    return Totals(
        meetings,
        None if no_extra else row["extra"] or 0,
        row["empty"],
        row["solo"],
        row["unreported"],
        row["running"],
        None if no_booking else row["booked"] or 0,
        row["opened"] or 0,
        None if no_people else row["used"] or 0,
        None if no_people else row["people"] or 0,
        None if no_people else row["people_seconds"] or 0,
        None if no_people else row["stays"] or 0,
        None if no_calls_told else dials,
        # Calls of which none has a length or a price: the sum is unknown.
        None if no_calls_told or (dials and seconds is None) else seconds or 0,
        None if no_calls_told or (dials and cost is None) else cost or Decimal("0.00"),
        None if no_calls_told else calls["unpriced"],
    )


_NO_MEETING: Mapping[str, Any] = dict.fromkeys(MEETING_SUMS, 0)
_NO_CALL: Mapping[str, Any] = {"dials": 0, "dial_seconds": None, "cost": None, "unpriced": 0}


def live_summaries(meetings: Sequence[Meeting], now: datetime) -> dict[int, Summary]:
    """The figures at `now` of each meeting, by its id; visits are fetched for running ones only."""
    running = [meeting.pk for meeting in meetings if meeting.end_time is None]
    visits: dict[int, list[Participant]] = {}
    if running:
        for visit in Participant.objects.filter(meeting__in=running):
            visits.setdefault(visit.meeting_id, []).append(visit)
    return {meeting.pk: live(meeting, visits.get(meeting.pk, []), now) for meeting in meetings}


def _growing(chosen: Filter, now: datetime) -> list[tuple[Meeting, Growth]]:
    """What each running meeting of a filter adds to the kept sums at `now`."""
    if not kept.running_ids():
        return []
    if kept.serves(chosen):
        # A page asks for several periods: what runs at all is read once.
        running = [meeting for meeting in kept.running_meetings() if chosen.has_day(meeting.local_day)]
        growths: dict[int, Growth] = kept.once(("growths", now), dict)
        new = [meeting for meeting in running if meeting.pk not in growths]
        growths |= _growths(new, now)
        return [(meeting, growths[meeting.pk]) for meeting in running]
    asked_for = ("growing", replace(chosen, sort="", page=1), now)

    def ask() -> list[tuple[Meeting, Growth]]:
        running = list(kept.running(Meeting.objects.matching(chosen)))
        growths = _growths(running, now)
        return [(meeting, growths[meeting.pk]) for meeting in running]

    found: list[tuple[Meeting, Growth]] = kept.once(asked_for, ask)
    return found


def _growths(running: Sequence[Meeting], now: datetime) -> dict[int, Growth]:
    return {
        pk: Growth(summary.open_seconds or 0, summary.used_seconds, summary.attendee_seconds)
        for pk, summary in live_summaries(running, now).items()
    }


def totals(chosen: Filter, now: datetime) -> Totals:
    """Everything added up over the meetings and calls of a filter; running meetings as they stand at `now`."""
    result = _totals(added.meetings(chosen, MEETING_SUMS), added.calls(chosen, CALL_SUMS))
    for _meeting, growth in _growing(chosen, now):
        result = result.grown(growth)
    return result


def meeting_count(chosen: Filter) -> int:
    """How many meetings a filter has."""
    row = added.meetings(chosen, {"meetings": MEETING_SUMS["meetings"]})
    return row["meetings"] if row else 0


def _grouped(
    chosen: Filter, now: datetime, by: str, rows: Mapping[Any, added.Row], call_rows: Mapping[Any, added.Row]
) -> dict[Any, Totals]:
    found = {key: _totals(rows.get(key), call_rows.get(key)) for key in rows.keys() | call_rows.keys()}
    for meeting, growth in _growing(chosen, now):
        key = getattr(meeting, by)
        # A meeting that came in between is told with the next answer.
        if key in found:
            found[key] = found[key].grown(growth)
    return found


UNKNOWN_CALLS: dict[str, Any] = {"calls": None, "call_seconds": None, "call_cost": None, "unpriced_calls": None}


def by_room(chosen: Filter, now: datetime, among: Sequence[int | None] | None = None) -> dict[int | None, Totals]:
    """Totals by the id of the room, None for the unknown one; rooms without a meeting or call are absent.

    among: of these rooms alone.
    """
    rows = added.meetings_by_room(chosen, MEETING_SUMS, among)
    return _grouped(chosen, now, "room_id", rows, added.calls_by_room(chosen, CALL_SUMS, among))


def of_rooms(chosen: Filter, now: datetime, rooms: Sequence[int]) -> dict[int | None, Totals]:
    """The same of some rooms, by their ids; their calls are left unknown."""
    found = _grouped(chosen, now, "room_id", added.meetings_by_room(chosen, MEETING_SUMS, rooms), {})
    return {room: totals._replace(**UNKNOWN_CALLS) for room, totals in found.items()}


# Some figures of Totals: the sum over meetings that each is, and the one that says how many of them tell it.
OF_MEETINGS = {
    "meetings": ("meetings", "meetings"),
    "extra": ("extra", "tell_extra"),
    "empty": ("empty", "meetings"),
    "solo": ("solo", "meetings"),
    "booked_seconds": ("booked", "tell_booked"),
    "open_seconds": ("opened", "meetings"),
    "used_seconds": ("used", "tell_people"),
    "attendees": ("people", "tell_people"),
    "attendee_seconds": ("people_seconds", "tell_people"),
}
CALL_FIGURES = {"calls": "dials", "call_seconds": "dial_seconds", "call_cost": "cost"}


class Figures(NamedTuple):
    """Some figures of rooms. rooms: their ids, None for the unknown one. of: by name, in the order of the rooms."""

    rooms: list[int | None]
    of: dict[str, list[Any]]


def figures_by_room(chosen: Filter, now: datetime, names: Sequence[str]) -> Figures:
    """Some figures of Totals alone, of all rooms that `by_room` gives, in no order.

    Of temporary rooms there may be tens of thousands, of which a page shows a hundred: no Totals are made of them.
    """
    columns = ["meetings", "tell_calls", *(column for name in names for column in OF_MEETINGS.get(name, ()))]
    call_columns = ["dials", *(CALL_FIGURES[name] for name in names if name in CALL_FIGURES)]
    sums = {column: MEETING_SUMS[column] for column in columns}
    call_sums = {column: CALL_SUMS[column] for column in call_columns}
    # Column by column: row by row it takes three times as long.
    room_keys, told = added.ROOMS.columns(chosen, sums)
    call_keys, dialled = added.CALLS["room"].columns(chosen, call_sums)
    rooms = [key or None for key in room_keys]
    called = {added.room_of(key): place for place, key in enumerate(call_keys)}
    if only_called := called.keys() - set(rooms):
        rooms += only_called
        told = {name: [*column, *[_NO_MEETING[name]] * len(only_called)] for name, column in told.items()}
    # Where nobody called, the place after the last.
    at = [called.get(room, len(called)) for room in rooms]
    dialled = {name: list(map([*column, _NO_CALL[name]].__getitem__, at)) for name, column in dialled.items()}
    found: dict[str, list[Any]] = {}
    for name in names:
        if name in OF_MEETINGS:
            values, tell = (told[column] for column in OF_MEETINGS[name])
            silent = [bool(count) and not telling for count, telling in zip(told["meetings"], tell, strict=True)]
            nothing: int | Decimal = 0
        else:
            values = dialled[CALL_FIGURES[name]]
            silent = [
                (not dials and bool(count) and not telling) or bool(dials and value is None)
                for count, telling, dials, value in zip(
                    told["meetings"], told["tell_calls"], dialled["dials"], values, strict=True
                )
            ]
            nothing = getattr(NONE, name)
        found[name] = [None if none else value or nothing for none, value in zip(silent, values, strict=True)]
    places = {room: place for place, room in enumerate(rooms)}
    for meeting, growth in _growing(chosen, now):
        if (place := places.get(meeting.room_id)) is None:
            continue
        for name in found.keys() & GROWING:
            more = getattr(growth, name)
            if name == "open_seconds" or growth.used_seconds is not None:
                found[name][place] = (found[name][place] or 0) + (more or 0)
    return Figures(rooms, found)


NONE = Totals()
GROWING = frozenset(Growth._fields)
_USED = {name: MEETING_SUMS[name] for name in ("used", "tell_people")}
_USED_SECONDS = "CASE WHEN tell_people > 0 THEN COALESCE(used, 0) END"


def most_used_rooms(chosen: Filter, now: datetime, most: int) -> list[int]:
    """The ids of known rooms that held a meeting, in no order: the first so many by used seconds are among them.

    So are all that are equal to the last of those; rooms of which no meeting tells it come last.
    """
    # What runs only makes the time longer: the first so many without it leave out none of the others.
    running = sorted({meeting.room_id for meeting, _growth in _growing(chosen, now) if meeting.room_id})
    known = Among("key_ <> %s", [UNKNOWN_ROOM])
    return list(added.ROOMS.top(chosen, _USED, Order(_USED_SECONDS), most, among=known, also=running).rows)


def days(chosen: Filter, now: datetime) -> list[tuple[date, Totals]]:
    """Totals of each local day of the period, days without a meeting included."""
    first, last = span(chosen, now)
    rows, call_rows = added.meetings_by_day(chosen, MEETING_SUMS), added.calls_by_day(chosen, CALL_SUMS)
    found = _grouped(chosen, now, "local_day", rows, call_rows)
    return [(day, found.get(day, Totals())) for day in days_between(first, last)]


# Columns of the meetings table by which it can be sorted. A column that grows while a meeting runs
# is sorted as it was kept, running meetings last.
MEETING_SORTS = {
    "uuid": "uuid",
    "host_id": "room__host_id",
    "room": "room__label",
    "meeting_id": "meeting_id",
    "topic": "search",
    "start_time": "start_time",
    "end_time": "end_time",
    "state": "state",
    "booked_minutes": "duration",
    "open_minutes": "open_seconds",
    "used_minutes": "used_seconds",
    "attendees": "attendees",
    "visits": "visits",
    "peak_attendees": "peak_attendees",
    "attendee_minutes": "attendee_seconds",
    "is_extra": "is_extra",
    "calls": "calls",
    "call_minutes": "call_seconds",
    "call_cost": "call_cost",
}
MEETING_DEFAULT_SORT = "-start_time"


# Local days begin at most so far from those of UTC: wider bounds of the moments hold every meeting of the days.
SLACK = timedelta(days=2)


def meetings(chosen: Filter) -> MeetingQuerySet:
    """The meetings of a filter with their rooms, in the filter's order; unknown values come last."""
    rows = Meeting.objects.matching(chosen).select_related("room")
    sort = chosen.sort or MEETING_DEFAULT_SORT
    if sort.removeprefix("-") == "start_time":
        # Says nothing new, but shows the database that the index of the order serves the days too.
        if chosen.first is not None and chosen.first.year > MINYEAR:
            rows = rows.filter(start_time__gte=_utc(chosen.first) - SLACK)
        if chosen.last is not None and chosen.last.year < MAXYEAR:
            rows = rows.filter(start_time__lt=_utc(chosen.last) + SLACK)
    return ordered(rows, sort)


def _utc(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def ordered(rows: MeetingQuerySet, sort: str) -> MeetingQuerySet:
    """Rows by one column of MEETING_SORTS, `-` in front for descending; ties by newest."""
    name = sort.removeprefix("-")
    column = MEETING_SORTS[name]
    key = Coalesce(NullIf(F("room__label"), Value("")), F("room__name")) if name == "room" else F(column)
    order = key.desc(nulls_last=True) if sort.startswith("-") else key.asc(nulls_last=True)
    if column == "start_time":
        # Never null: without the nulls clause the index serves the order.
        return rows.order_by(sort, "-pk" if sort.startswith("-") else "pk")
    return rows.order_by(order, "-start_time", "-pk")
