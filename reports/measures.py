"""The figures of one meeting, out of what was reported of it: pure functions, which know of no database."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import phonenumbers

from reports import intervals
from reports.moments import MICROSECOND, SECOND, instant
from reports.text import REMOVED_NUMBER_OF, fold

FAR = datetime.max.replace(tzinfo=UTC)
LATE_AFTER = timedelta(minutes=5)
FAR_, LATE_AFTER_ = instant(FAR), LATE_AFTER // MICROSECOND
# Numbers without a leading + are read as seen from here: the rooms are rented in China.
HOME_REGION = "CN"


class State(StrEnum):
    """What a meeting came to; what each is called is said by the model."""

    RUNNING = "running"
    ENDED = "ended"
    EMPTY = "empty"
    SOLO = "solo"
    UNREPORTED = "unreported"


class Visit(Protocol):
    """One stay in a meeting, as a row or as a record of the API has it."""

    @property
    def name(self) -> str: ...
    @property
    def join_time(self) -> datetime: ...
    @property
    def leave_time(self) -> datetime | None: ...


class Call(Protocol):
    """One telephone call, as a row or as a record of the API has it. duration: seconds; total: yuan."""

    @property
    def duration(self) -> int | None: ...
    @property
    def total(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Attendee:
    """One display name within one meeting. Never called a person's identity."""

    key: str
    name: str
    visits: int
    first_join: datetime
    last_leave: datetime
    seconds: int
    provisional: bool  # somebody of that name has no leave yet reported
    flagged: bool  # a leave before its join was reported


class Summary(NamedTuple):
    """The figures of one meeting; None is unknown, never zero. Seconds, yuan, counts."""

    state: str
    open_seconds: int | None
    used_seconds: int | None
    attendees: int | None
    visits: int | None
    peak_attendees: int | None
    attendee_seconds: int | None
    spare_seconds: int | None
    calls: int | None
    call_seconds: int | None
    call_cost: Decimal | None
    unpriced_calls: int | None


def stay_span(join: datetime, leave: datetime | None, end: datetime | None, now: datetime) -> intervals.Moments:
    """`[join, leave)`; no leave: until the meeting's end, or `now` while it runs. Never negative."""
    stop = leave or end or now
    return join, (stop if join < stop else join)


def visit_span(visit: Visit, end: datetime | None, now: datetime) -> intervals.Moments:
    """`stay_span` of a visit."""
    return stay_span(visit.join_time, visit.leave_time, end, now)


def attendees_of(visits: Iterable[Visit], end: datetime | None, now: datetime) -> list[Attendee]:
    """The attendees of one meeting, in order of their first join."""
    groups: dict[str, list[Visit]] = {}
    for visit in visits:
        groups.setdefault(fold(visit.name), []).append(visit)
    found = []
    for key, group in groups.items():
        spans = [visit_span(visit, end, now) for visit in group]
        first = min(group, key=lambda visit: visit.join_time)
        found.append(
            Attendee(
                key=key,
                name=" ".join(first.name.split()),
                visits=len(group),
                first_join=first.join_time,
                last_leave=max(stop for _, stop in spans),
                seconds=intervals.seconds(spans),
                provisional=any(visit.leave_time is None for visit in group),
                flagged=any(visit.leave_time and visit.leave_time < visit.join_time for visit in group),
            )
        )
    return sorted(found, key=lambda attendee: (attendee.first_join, attendee.key))


OnFirstVisit = tuple[int | None, int | None, int | None]
NOT_FIRST: OnFirstVisit = (None, None, None)
# An attendee's folded name, the visit's join and its leave, None where it has none. Moments here are microseconds.
Stay = tuple[str, int, int | None]


class Attended(NamedTuple):
    """What follows from all visits of a meeting: attendees, the most at once, seconds with anybody, seconds of all.

    last: when the last of them ended, None without one. on_first: see `on_first_visits`.
    """

    attendees: int
    peak: int
    used: int
    seconds: int
    last: int | None
    on_first: list[OnFirstVisit]


def stay_of(visit: Visit) -> Stay:
    """A visit in whole numbers."""
    return fold(visit.name), instant(visit.join_time), None if visit.leave_time is None else instant(visit.leave_time)


def attended(stays: Sequence[Stay], start: int, end: int | None, now: int) -> Attended:
    """What follows from the visits of a meeting, by their time; now: where those end that have no leave while it runs.

    Each attendee's is a union of spans (see `stay_span`), and whole seconds of it.
    """
    stop_at = now if end is None else end
    spans: list[tuple[int, int]] = []
    people: dict[str, list[int]] = {}
    last = None
    for place, (key, join, leave) in enumerate(stays):
        stop = stop_at if leave is None else leave
        if stop < join:
            stop = join
        if last is None or stop > last:
            last = stop
        spans.append((join, stop))
        if key in people:
            people[key].append(place)
        else:
            people[key] = [place]
    on_time = start + LATE_AFTER_
    total = 0
    on_first: list[OnFirstVisit] = [NOT_FIRST] * len(spans)
    for places in people.values():
        first = places[0]
        join, stop = spans[first]
        seconds = (stop - join) // SECOND if len(places) == 1 else _seconds([spans[place] for place in places])
        total += seconds
        late = (join - start) // SECOND if join > on_time else 0
        on_first[first] = (len(places), None if end is None else seconds, late)
    return Attended(len(people), intervals.peak(spans), _seconds(spans), total, last, on_first)


def _of_visits(visits: Sequence[Visit], start: datetime, end: datetime | None, now: datetime | None) -> Attended:
    """As `attended`, of visits and moments that are no numbers yet."""
    until = FAR_ if now is None else instant(now)
    return attended([stay_of(visit) for visit in visits], instant(start), None if end is None else instant(end), until)


def _seconds(spans: Sequence[tuple[int, int]]) -> int:
    return sum([stop - begin for begin, stop in intervals.union(spans)]) // SECOND


def on_first_visits(visits: Sequence[Visit], start: datetime, end: datetime | None) -> list[OnFirstVisit]:
    """What stands beside each visit of a meeting: figures of the attendee on their first one, unknown on the others.

    In: visits by time, the meeting's start and its end (None: running). Out: how many visits the attendee has,
    their attendance in seconds (unknown while the meeting runs) and how many seconds late they joined, 0 where
    they were not late.
    """
    return _of_visits(visits, start, end, None).on_first


def open_seconds(start: datetime, end: datetime | None, now: datetime) -> int:
    """end_time − start_time, running: until now; never negative."""
    return max(0, int(((end or now) - start).total_seconds()))


def spare_seconds(start: int, booked: int | None, last: int | None) -> int | None:
    """Booked seconds after the last visit had ended, all of them without a visit; None where no length was booked.

    What would be given back if an ended meeting's booking were trimmed to its visits. start, last: microseconds.
    """
    if booked is None:
        return None
    since = start if last is None else max(start, last)
    return max(0, start + booked * SECOND - since) // SECOND


def summarise(
    start: datetime,
    end: datetime | None,
    visits: Sequence[Visit] | None,
    calls: Sequence[Call] | None,
    now: datetime | None,
    booked: int | None = None,
) -> Summary:
    """The figures of one meeting from its report.

    In: start and end (None: running), visits and calls (None: not reported), and `now`, which only
    matters while the meeting runs; with now=None what grows with the clock is left unknown. booked: seconds,
    None where they are unknown or may be the actual length.
    """
    told = None if visits is None else _of_visits(visits, start, end, now)
    return summary_of(start, end, told, calls, now, booked)


def summary_of(
    start: datetime,
    end: datetime | None,
    told: Attended | None,
    calls: Sequence[Call] | None,
    now: datetime | None,
    booked: int | None,
) -> Summary:
    """As `summarise`; told: what follows from the visits, None where they are not reported."""
    grows = end is None and now is None
    if told is None:
        state = State.UNREPORTED
    elif end is None:
        state = State.RUNNING
    elif not told.on_first:
        state = State.EMPTY
    elif told.attendees == 1:
        state = State.SOLO
    else:
        state = State.ENDED
    lengths = [call.duration for call in calls if call.duration is not None] if calls else []
    prices = [call.total for call in calls if call.total is not None] if calls else []
    return Summary(
        state=state.value,
        open_seconds=None if grows else open_seconds(start, end, now or FAR),
        used_seconds=None if told is None or grows else told.used,
        attendees=None if told is None else told.attendees,
        visits=None if told is None else len(told.on_first),
        peak_attendees=None if told is None else told.peak,
        attendee_seconds=None if told is None or grows else told.seconds,
        spare_seconds=None if told is None or end is None else spare_seconds(instant(start), booked, told.last),
        calls=None if calls is None else len(calls),
        # With calls of which none has a length or a price, the sum is unknown. Without calls it is zero.
        call_seconds=None if calls is None or (calls and not lengths) else sum(lengths),
        call_cost=None if calls is None or (calls and not prices) else sum(prices, Decimal(0)),
        unpriced_calls=None if calls is None else len(calls) - len(prices),
    )


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day a moment falls on in a zone."""
    return moment.astimezone(zone).date()


def week_hour(local: datetime) -> int:
    """The hour of the week that a moment, in its own zone, falls in: 0 is Monday from 0:00."""
    return local.weekday() * 24 + local.hour


def search_text(topic: str, meeting_id: str) -> str:
    """What the topic search looks in."""
    return f"{fold(topic)}\n{meeting_id}"


@lru_cache(maxsize=20_000)
def country_of(number: str) -> str:
    """ISO 3166 code of a telephone number's country, or "" where it cannot be told (masked, short)."""
    if not re.fullmatch(r"\+?[\d\s().-]+", number):
        # Of a number that was removed the country is what stays.
        removed = REMOVED_NUMBER_OF.fullmatch(number)
        return (removed[1] or "") if removed else ""
    try:
        parsed = phonenumbers.parse(number, HOME_REGION)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(parsed):
        return ""
    region = phonenumbers.region_code_for_number(parsed)
    if not region:
        # Fictional and newly opened ranges belong to no region's plan; their country code still tells.
        region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return region if region and region not in {"ZZ", "001"} else ""


def call_day(start: datetime | None, meeting_start: datetime, zone: ZoneInfo) -> date:
    """The local day a call belongs to: its own start's, its meeting's where that is missing."""
    return local_day(start or meeting_start, zone)


def computed(
    facts: Mapping[str, Any], visits: Sequence[Visit] | None, calls: Sequence[Call] | None, zone: ZoneInfo
) -> dict[str, Any]:
    """Every computed column of a meeting from its report, by its name.

    In: the meeting's own columns by their names, its visits and calls (None: not reported), the site's zone.
    """
    told = None if visits is None else _of_visits(visits, facts["start_time"], facts["end_time"], None)
    return computed_of(facts, told, calls, zone)


def computed_of(
    facts: Mapping[str, Any], told: Attended | None, calls: Sequence[Call] | None, zone: ZoneInfo
) -> dict[str, Any]:
    """As `computed`; told: what follows from the visits, None where they are not reported."""
    start = facts["start_time"]
    booked = None if facts["duration_is_weak"] else facts["duration"]
    summary = summary_of(start, facts["end_time"], told, calls, None, booked)
    local = start.astimezone(zone)
    return {
        "search": search_text(facts["topic"], facts["meeting_id"]),
        "local_day": local.date(),
        "week_hour": week_hour(local),
        **summary._asdict(),
    }
