"""The figures of one meeting, out of what was reported of it: pure functions, which know of no database."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import phonenumbers

from reports import intervals
from reports.text import REMOVED_NUMBER_OF, fold

FAR = datetime.max.replace(tzinfo=UTC)
LATE_AFTER = timedelta(minutes=5)
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


@dataclass(frozen=True, slots=True)
class Summary:
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


def on_first_visits(visits: Sequence[Visit], start: datetime, end: datetime | None) -> list[OnFirstVisit]:
    """What stands beside each visit of a meeting: figures of the attendee on their first one, unknown on the others.

    In: visits by time, the meeting's start and its end (None: running). Out: how many visits the attendee has,
    their attendance in seconds (unknown while the meeting runs) and how many seconds late they joined, 0 where
    they were not late.
    """
    together: dict[str, list[int]] = {}
    for place, visit in enumerate(visits):
        together.setdefault(fold(visit.name), []).append(place)
    on_time = start + LATE_AFTER
    found: list[OnFirstVisit] = [NOT_FIRST] * len(visits)
    for places in together.values():
        first = visits[places[0]]
        if end is None:
            seconds = None
        elif len(places) == 1:
            length = (first.leave_time or end) - first.join_time
            seconds = max(0, length.days * 86_400 + length.seconds)
        else:
            seconds = intervals.seconds([visit_span(visits[place], end, end) for place in places])
        late = 0
        if first.join_time > on_time:
            after = first.join_time - start
            late = after.days * 86_400 + after.seconds
        found[places[0]] = (len(places), seconds, late)
    return found


def open_seconds(start: datetime, end: datetime | None, now: datetime) -> int:
    """end_time − start_time, running: until now; never negative."""
    return max(0, int(((end or now) - start).total_seconds()))


def spare_seconds(start: datetime, booked: int | None, spans: Sequence[intervals.Moments]) -> int | None:
    """Booked seconds after the last visit had ended, all of them without a visit; None where no length was booked.

    What would be given back if an ended meeting's booking were trimmed to its visits.
    """
    if booked is None:
        return None
    last = max([start, *[stop for _start, stop in spans]])
    return max(0, int((start + timedelta(seconds=booked) - last).total_seconds()))


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
    growing = end is None and now is None
    known = visits is not None
    moment = now or FAR
    spans: list[intervals.Moments] = []
    people: dict[str, list[intervals.Moments]] = {}
    for visit in visits or ():
        span = stay_span(visit.join_time, visit.leave_time, end, moment)
        spans.append(span)
        key = fold(visit.name)
        if key in people:
            people[key].append(span)
        else:
            people[key] = [span]
    if not known:
        state = State.UNREPORTED
    elif end is None:
        state = State.RUNNING
    elif not visits:
        state = State.EMPTY
    elif len(people) == 1:
        state = State.SOLO
    else:
        state = State.ENDED
    lengths = [call.duration for call in calls if call.duration is not None] if calls else []
    prices = [call.total for call in calls if call.total is not None] if calls else []
    return Summary(
        state=state.value,
        open_seconds=None if growing else open_seconds(start, end, moment),
        used_seconds=intervals.seconds(spans) if known and not growing else None,
        attendees=len(people) if known else None,
        visits=len(spans) if known else None,
        peak_attendees=intervals.peak(spans) if known else None,
        attendee_seconds=(
            sum(intervals.seconds(stays) for stays in people.values()) if known and not growing else None
        ),
        spare_seconds=spare_seconds(start, booked, spans) if known and end is not None else None,
        calls=None if calls is None else len(calls),
        # With calls of which none has a length or a price, the sum is unknown. Without calls it is zero.
        call_seconds=None if calls is None or (calls and not lengths) else sum(lengths),
        call_cost=None if calls is None or (calls and not prices) else sum(prices, Decimal(0)),
        unpriced_calls=None if calls is None else len(calls) - len(prices),
    )


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day a moment falls on in a zone."""
    return moment.astimezone(zone).date()


def week_hour(moment: datetime, zone: ZoneInfo) -> int:
    """The hour of the local week that a moment falls in: 0 is Monday from 0:00."""
    local = moment.astimezone(zone)
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
    start = facts["start_time"]
    booked = None if facts["duration_is_weak"] else facts["duration"]
    summary = summarise(start, facts["end_time"], visits, calls, now=None, booked=booked)
    return {
        "search": search_text(facts["topic"], facts["meeting_id"]),
        "local_day": local_day(start, zone),
        "week_hour": week_hour(start, zone),
        **{name: getattr(summary, name) for name in summary.__slots__},
    }
