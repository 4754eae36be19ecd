"""What is computed of a meeting once, at import, so that pages stay fast.

Everything here is a pure function of what was reported; `rebuild` writes the same values again from
the raw rows, for example after the site's time zone was changed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import phonenumbers
from django.conf import settings
from django.db import transaction

from reports import intervals, search
from reports.models import Ledger, Meeting, Participant, TelephonyUsage
from reports.text import REMOVED_NUMBER_OF, fold, name_key

FAR = datetime.max.replace(tzinfo=UTC)
LATE_AFTER = timedelta(minutes=5)
# Numbers without a leading + are read as seen from here: the rooms are rented in China.
HOME_REGION = "CN"
SUMMARY_FIELDS = (
    "search",
    "local_day",
    "week_hour",
    "state",
    "open_seconds",
    "used_seconds",
    "attendees",
    "visits",
    "peak_attendees",
    "attendee_seconds",
    "spare_seconds",
    "calls",
    "call_seconds",
    "call_cost",
    "unpriced_calls",
)


VISIT_FIELDS = ("name_key", "attendee_visits", "attendee_seconds", "late_seconds")


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
        state = Meeting.State.UNREPORTED
    elif end is None:
        state = Meeting.State.RUNNING
    elif not visits:
        state = Meeting.State.EMPTY
    elif len(people) == 1:
        state = Meeting.State.SOLO
    else:
        state = Meeting.State.ENDED
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


def local_day(moment: datetime, zone: ZoneInfo | None = None) -> date:
    """The day a moment falls on in the site's zone."""
    return moment.astimezone(zone or ZoneInfo(settings.TIME_ZONE)).date()  # ZoneInfo keeps its zones


def week_hour(moment: datetime) -> int:
    """The hour of the site's local week that a moment falls in: 0 is Monday from 0:00."""
    local = moment.astimezone(ZoneInfo(settings.TIME_ZONE))
    return local.weekday() * 24 + local.hour


def search_text(topic: str, meeting_id: str) -> str:
    """What the topic search looks in."""
    return f"{fold(topic)}\n{meeting_id}"


def computed(facts: Mapping[str, Any], visits: Sequence[Visit] | None, calls: Sequence[Call] | None) -> dict[str, Any]:
    """Every computed column of a meeting from its report, in the order of SUMMARY_FIELDS.

    In: the meeting's own columns by their names, its visits and calls (None: not reported).
    """
    start = facts["start_time"]
    booked = None if facts["duration_is_weak"] else facts["duration"]
    summary = summarise(start, facts["end_time"], visits, calls, now=None, booked=booked)
    return {
        "search": search_text(facts["topic"], facts["meeting_id"]),
        "local_day": local_day(start),
        "week_hour": week_hour(start),
        **{name: getattr(summary, name) for name in summary.__slots__},
    }


def apply(meeting: Meeting, visits: Sequence[Visit] | None, calls: Sequence[Call] | None) -> None:
    """Set every computed column of a meeting (not saved) from its report."""
    for name, value in computed(vars(meeting), visits, calls).items():
        setattr(meeting, name, value)


def live(meeting: Meeting, visits: Sequence[Visit], now: datetime) -> Summary:
    """The figures of a meeting at `now`: those kept, and for a running one those that the clock moves."""
    if meeting.end_time is not None:
        return Summary(**{name: getattr(meeting, name) for name in Summary.__slots__})
    moving = summarise(meeting.start_time, None, visits if meeting.participants_reported else None, None, now)
    kept = {name: getattr(meeting, name) for name in ("calls", "call_seconds", "call_cost", "unpriced_calls")}
    return Summary(**{**{name: getattr(moving, name) for name in Summary.__slots__}, **kept})


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


def call_day(start: datetime | None, meeting_start: datetime, zone: ZoneInfo | None = None) -> date:
    """The local day a call belongs to: its own start's, its meeting's where that is missing."""
    return local_day(start or meeting_start, zone)


def rebuild(progress: Callable[[int], None] | None = None, batch: int = 500) -> int:
    """Compute every summary again from the raw rows; returns how many meetings differed.

    Batches are transactions of their own, so a pull may go on meanwhile.
    """
    differed = done = last = 0
    while True:
        with transaction.atomic():
            meetings = list(Meeting.objects.select_for_update().filter(pk__gt=last).order_by("pk")[:batch])
            if not meetings:
                break
            last = meetings[-1].pk
            visits: dict[int, list[Participant]] = {}
            calls: dict[int, list[TelephonyUsage]] = {}
            for visit in Participant.objects.filter(meeting__in=meetings):
                visits.setdefault(visit.meeting_id, []).append(visit)
            for call in TelephonyUsage.objects.filter(meeting__in=meetings):
                calls.setdefault(call.meeting_id, []).append(call)
            stale = []
            for meeting in meetings:
                before = [getattr(meeting, name) for name in SUMMARY_FIELDS]
                apply(
                    meeting,
                    visits.get(meeting.pk, []) if meeting.participants_reported else None,
                    calls.get(meeting.pk, []) if meeting.telephony_reported else None,
                )
                if before != [getattr(meeting, name) for name in SUMMARY_FIELDS]:
                    stale.append(meeting)
            Meeting.objects.bulk_update(stale, SUMMARY_FIELDS, batch_size=100)
            changed_visits = []
            for meeting in meetings:
                stays = sorted(visits.get(meeting.pk, []), key=lambda visit: visit.place)
                figures = on_first_visits(stays, meeting.start_time, meeting.end_time)
                for visit, (count, seconds, late) in zip(stays, figures, strict=True):
                    wanted_columns = (name_key(visit.name), count, seconds, late)
                    if wanted_columns != tuple(getattr(visit, name) for name in VISIT_FIELDS):
                        for name, value in zip(VISIT_FIELDS, wanted_columns, strict=True):
                            setattr(visit, name, value)
                        changed_visits.append(visit)
            Participant.objects.bulk_update(changed_visits, VISIT_FIELDS, batch_size=200)
            changed_calls = []
            starts = {meeting.pk: meeting.start_time for meeting in meetings}
            for call in (call for group in calls.values() for call in group):
                wanted = (call_day(call.start_time, starts[call.meeting_id]), country_of(call.phone_number))
                if wanted != (call.local_day, call.country):
                    call.local_day, call.country = wanted
                    changed_calls.append(call)
            TelephonyUsage.objects.bulk_update(changed_calls, ["local_day", "country"], batch_size=400)
        differed += len(stale)
        done += len(meetings)
        if progress:
            progress(done)
    search.tidy()
    # The kept sums were made of what stood here before: without its rules they count for nothing.
    Ledger.objects.update_or_create(id=1, defaults={"time_zone": settings.TIME_ZONE, "opening_hours": ""})
    return differed


def stale_zone() -> str:
    """The zone that the kept local days were made in, if it is not the site's; else ""."""
    ledger = Ledger.objects.first()
    if ledger is None:
        Ledger.objects.get_or_create(id=1, defaults={"time_zone": settings.TIME_ZONE})
        return ""
    return ledger.time_zone if ledger.time_zone != settings.TIME_ZONE else ""
