"""The provider's own totals against ours, by month and room: what differs, and why.

What share/summary counts is documented nowhere. Its siblings tell of meetings that are over and reported, and
so we take it to count those: on our side a meeting counts when it has ended and its participants were reported.
Its participants are visits, its minutes are end − start, each meeting's rounded up as the family's "actual
time" is; calls, their minutes and their cost are those of the meetings counted, whenever the call was made.
Everything belongs to the day of the meeting's start in the provider's zone, by which it is asked, not to the
site's local day. What else is here of a room and a day, running or unreported, is told beside, and explains a
difference where it can be what they counted.

A total was counted at a moment between `sent_at` and `told_at`. A meeting that ended after the one cannot be in
it; one that came or changed here since the other may be in it or not. So a difference is a gap only when
neither that nor anything else accounts for it, and a meeting is missing here only when its day was pulled whole
after the totals were told: until then it is waited for.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import combinations
from typing import Any, NamedTuple, Self, cast
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Case, Count, F, IntegerField, Q, Sum, Value, When

from reports import schedule
from reports.figures import coverage
from reports.figures.coverage import DayState
from reports.filter import Filter
from reports.models import Meeting, ProviderPeriod, ProviderRoom, PulledDay, Rejected, Room
from reports.provider.payloads import parse_time

COUNTED = Q(state__in=(Meeting.State.ENDED, Meeting.State.EMPTY, Meeting.State.SOLO))
MEASURES = ("meetings", "participants", "seconds", "calls", "call_seconds", "cost")
# More unreported meetings of one room and day are not tried against each other.
MOST_TRIED = 12
# "Reports arrive minutes to hours late": what ended so shortly before they counted may not have been reported yet.
FRESH = timedelta(days=1)


class Kind(StrEnum):
    """Why a count of theirs is not ours. The first four are what nothing here accounts for."""

    MISSING = "missing"  # they count it, and its day was pulled whole since without it
    ONLY_HERE = "only_here"  # it was here before they counted, and they do not count it
    UNLOCATED = "unlocated"  # the month differs, and its days were not asked yet
    OTHERWISE = "otherwise"  # the same meetings, added up to something else
    WAITING = "waiting"  # they count it, and its day is pulled again
    UNPULLED = "unpulled"  # its day was never pulled, or not whole
    RUNNING = "running"  # here it still runs
    UNREPORTED = "unreported"  # here its participants are not reported
    REJECTED = "rejected"  # its record could not be read and waits
    SINCE = "since"  # it came, ended or changed here since they counted
    YOUNG = "young"  # here it is known from while it ran; they report some hours after the end, and count then
    WITHHELD = "withheld"  # they report its visits or calls no more; here they are kept
    SETTLING = "settling"  # days that were pulled before they counted and are pulled once more


UNEXPLAINED = (Kind.MISSING, Kind.ONLY_HERE, Kind.UNLOCATED, Kind.OTHERWISE)


class State(StrEnum):
    """How a month stands. agrees: in every figure of every room; explained: every difference has its reason."""

    AGREES = "agrees"
    EXPLAINED = "explained"
    DIFFERS = "differs"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, slots=True)
class Figures:
    """One side of a comparison. Seconds and yuan; None is not told."""

    meetings: int = 0
    participants: int | None = 0
    seconds: int | None = 0
    calls: int | None = 0
    call_seconds: int | None = 0
    cost: Decimal | None = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One reason and how many meetings it accounts for (UNPULLED, SETTLING: days; OTHERWISE: figures).

    days: where they are, as far as days were asked: (day of the provider's, how many). measures: for OTHERWISE.
    """

    kind: Kind
    count: int
    days: tuple[tuple[date, int], ...] = ()
    measures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One room of a month, or all of them. room: None for one that is not known here. theirs: None: not asked.

    running, unreported: meetings that are here beside the counted ones.
    """

    host_id: str
    room: Room | None
    theirs: Figures | None
    ours: Figures
    explanations: tuple[Explanation, ...] = ()
    running: int = 0
    unreported: int = 0

    def difference(self, measure: str) -> Any:
        """Theirs less ours; None where one of them is not told."""
        theirs, ours = getattr(self.theirs, measure, None), getattr(self.ours, measure)
        return None if theirs is None or ours is None else theirs - ours

    @property
    def differs(self) -> bool:
        return any(self.difference(measure) for measure in MEASURES)

    @property
    def unexplained(self) -> bool:
        return any(one.kind in UNEXPLAINED for one in self.explanations)


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference that was found at its room and day. kind: MISSING, ONLY_HERE or WAITING.

    running, unreported: what else is here of that room and day and might be meant. unplaced: meetings of
    that day whose room is unknown here.
    """

    day: date
    host_id: str
    room: Room | None
    kind: Kind
    count: int
    running: int
    unreported: int
    unplaced: int


@dataclass(frozen=True, slots=True)
class Month:
    """One calendar month of the provider's. since: its first day that is compared; told_at: None: not asked yet.

    their_total: their own count of all meetings, where it is not the sum of their rooms.
    """

    first: date
    last: date
    since: date
    told_at: datetime | None
    state: State
    lines: Sequence[Line]
    total: Line
    gaps: Sequence[Gap]
    unpulled: Sequence[date]
    their_total: int | None

    @property
    def to_locate(self) -> bool:
        """Whether its days have to be asked one by one."""
        return any(one.kind == Kind.UNLOCATED for one in self.total.explanations)


# The rule --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Here:
    """What is here of one room and period, against one count of theirs.

    counted: meetings that count. Of them, ended: ended after they counted; late: came or changed here since,
    and may be in their count or not; young: of the others, those that had ended for less than FRESH.
    running, unreported, rejected: beside them.
    """

    counted: int = 0
    ended: int = 0
    late: int = 0
    young: int = 0
    running: int = 0
    unreported: int = 0
    rejected: int = 0


def _surplus(here: Here, more: int) -> dict[Kind, int]:
    """Ours are `more` than theirs, less those that had not ended."""
    late = min(here.late, more)
    young = min(here.young, more - late)
    return {Kind.SINCE: here.ended + late, Kind.YOUNG: young, Kind.ONLY_HERE: more - late - young}


def explain_month(theirs: int, here: Here) -> dict[Kind, int]:
    """Why a month's count of meetings is not ours, before its days were asked."""
    missing = theirs - (here.counted - here.ended)
    if missing > 0:
        return _told({Kind.SINCE: here.ended, Kind.UNLOCATED: missing})
    surplus = _surplus(here, -missing)
    return _told({Kind.UNLOCATED: surplus.pop(Kind.ONLY_HERE), **surplus})


def explain_day(theirs: int, here: Here, *, pulled: bool, looked: bool, fits: Callable[[int], bool]) -> dict[Kind, int]:
    """Why a day's count of meetings is not ours.

    pulled: the day was pulled whole; looked: and that after they had counted. fits: whether so many of the
    unreported meetings are just as long as what is missing: only then are they taken for it, since as a rule
    what has no report is not counted, and else it would hide a meeting that is not here.
    """
    missing = theirs - (here.counted - here.ended)
    if missing <= 0:
        return _told(_surplus(here, -missing))
    found = {Kind.SINCE: here.ended}
    if not pulled:
        return _told({**found, Kind.UNPULLED: missing})
    found[Kind.REJECTED] = min(here.rejected, missing)
    missing -= found[Kind.REJECTED]
    if looked:
        unreported = not found[Kind.REJECTED] and 0 < missing <= here.unreported and fits(missing)
        found[Kind.UNREPORTED if unreported else Kind.MISSING] = missing
        return _told(found)
    # The day was pulled before they counted: what ran or had no report then may have ended or been reported.
    found[Kind.RUNNING] = min(here.running, missing)
    found[Kind.UNREPORTED] = min(here.unreported, missing - found[Kind.RUNNING])
    found[Kind.WAITING] = missing - found[Kind.RUNNING] - found[Kind.UNREPORTED]
    return _told(found)


def _told(found: Mapping[Kind, int]) -> dict[Kind, int]:
    return {kind: count for kind, count in found.items() if count}


# What is asked ---------------------------------------------------------------------------------------


def months(chosen: Filter, now: datetime) -> list[Month]:
    """The months that the filter's period touches and that can be compared, newest first.

    Of the filter its days count, and its rooms; nothing else can be asked of totals.
    """
    since, today = schedule.compared_since(now), schedule.provider_today(now)
    if since is None:
        return []
    spans = []
    span = schedule.month_of(today)
    while span[1] >= since:
        if (chosen.first is None or chosen.first <= span[1]) and (chosen.last is None or span[0] <= chosen.last):
            spans.append(span)
        span = schedule.month_of(span[0] - timedelta(days=1))
    return _Comparison(spans, since, chosen, now).months() if spans else []


def month(first: date, now: datetime) -> Month | None:
    """One month by its first day; None where it is not compared."""
    found = months(Filter(first=first, last=schedule.month_of(first)[1]), now)
    return found[0] if found else None


def waits(period: ProviderPeriod) -> bool:
    """Whether a day's totals count meetings that its last pull, which was earlier, may have missed."""
    early = (Kind.WAITING, Kind.RUNNING, Kind.UNREPORTED)
    told = _Totals.of(period)
    found = _Days([told]).found.values() if told else ()
    return any(kind in early for one in found if not one.looked for kind in one.kinds)


def gaps(found: Iterable[Month]) -> list[Gap]:
    """The gaps of some months, newest first; those that are waited for come last."""
    return sorted(
        (gap for one in found for gap in one.gaps),
        key=lambda gap: (gap.kind == Kind.WAITING, -gap.day.toordinal(), str(gap.room or gap.host_id)),
    )


@dataclass(frozen=True, slots=True)
class ToFetch:
    """What can be asked for to close the gaps: days of meetings, and months of totals."""

    days: Sequence[date]
    months: Sequence[tuple[date, date]]


def to_fetch(now: datetime) -> ToFetch:
    """The days with gaps, the days that were never pulled or not whole, and the months that do not agree."""
    found = months(Filter(), now)
    days = {gap.day for one in found for gap in one.gaps if gap.kind != Kind.ONLY_HERE}
    days |= {day for one in found for day in one.unpulled}
    stale = [(one.first, one.last) for one in found if one.state != State.AGREES]
    return ToFetch(sorted(days), sorted(stale))


# How it is found -------------------------------------------------------------------------------------


class _Totals(NamedTuple):
    """A period whose totals were told. sent_at, told_at: between which moments they were counted."""

    pk: int
    first: date
    last: date
    asked_first: date
    sent_at: datetime
    told_at: datetime
    meetings: int | None

    @classmethod
    def of(cls, period: ProviderPeriod) -> Self | None:
        """None while nothing was told."""
        if period.sent_at is None or period.told_at is None:
            return None
        begin = period.asked_first or period.first
        return cls(period.pk, period.first, period.last, begin, period.sent_at, period.told_at, period.meetings)


class _Ours(NamedTuple):
    """What is here of one room and span."""

    figures: Figures = Figures()
    running: int = 0
    unreported: int = 0
    withheld: int = 0


class _Late(NamedTuple):
    """A counted meeting that came or changed here after some totals were asked for."""

    host_id: str
    start: datetime
    end: datetime
    changed: datetime


_ROUNDED_UP = (F("open_seconds") + 59) / 60 * 60
_SUMS = {
    "counted": Count("pk", filter=COUNTED),
    "participants": Sum("visits", filter=COUNTED),
    "seconds": Sum(_ROUNDED_UP, filter=COUNTED),
    "dials": Sum("calls", filter=COUNTED),
    "dial_seconds": Sum("call_seconds", filter=COUNTED),
    "costs": Sum("call_cost", filter=COUNTED),
    "running": Count("pk", filter=Q(state=Meeting.State.RUNNING)),
    "unreported": Count("pk", filter=Q(state=Meeting.State.UNREPORTED)),
    "withheld": Count("pk", filter=COUNTED & (Q(participants_withheld=True) | Q(telephony_withheld=True))),
}
Span = tuple[date, date]


def _within(span: Span, column: str = "start_time") -> dict[str, datetime]:
    """The days of a span as a condition on moments."""
    after = schedule.provider_midnight(span[1] + timedelta(days=1))
    return {f"{column}__gte": schedule.provider_midnight(span[0]), f"{column}__lt": after}


def _host_ids() -> dict[int | None, str]:
    return {None: "", **dict(Room.objects.values_list("pk", "host_id"))}


def _ours(spans: Sequence[Span], host_ids: Mapping[int | None, str]) -> dict[tuple[int, str], _Ours]:
    """What is here, by the place of a span and host_id ("": the room is unknown), in one query."""
    if not spans:
        return {}
    places = [When(**_within(span), then=Value(place)) for place, span in enumerate(spans)]
    whole = (min(first for first, _ in spans), max(last for _, last in spans))
    rows = (
        Meeting.objects.filter(**_within(whole))
        .annotate(place=Case(*places, output_field=IntegerField()))
        .exclude(place=None)
        .order_by()
        .values("place", "room_id")
        .annotate(**_SUMS)
    )
    found = {}
    # Django's types do not see through sums that are unpacked.
    for row in cast("Iterable[dict[str, Any]]", rows):

        def told(name: str, none: Any = 0, row: Mapping[str, Any] = row) -> Any:
            return none if not row["counted"] else row[name]

        figures = Figures(
            row["counted"],
            told("participants"),
            told("seconds"),
            told("dials"),
            told("dial_seconds"),
            told("costs", Decimal("0.00")),
        )
        key = (row["place"], host_ids[row["room_id"]])
        found[key] = _Ours(figures, row["running"], row["unreported"], row["withheld"])
    return found


def _late(periods: Iterable[tuple[Span, datetime]], host_ids: Mapping[int | None, str]) -> list[_Late]:
    """Counted meetings of some spans that came, changed or ended since the moment given with each, or just before."""
    wanted = Q()
    for span, sent_at in periods:
        wanted |= Q(**_within(span)) & (Q(changed_at__gte=sent_at) | Q(end_time__gte=sent_at - FRESH))
    if not wanted:
        return []
    rows = Meeting.objects.filter(COUNTED, wanted).order_by()
    return [
        _Late(host_ids[room], start, end or start, changed)
        for room, start, end, changed in rows.values_list("room_id", "start_time", "end_time", "changed_at")
    ]


def _theirs(periods: Iterable[_Totals]) -> dict[tuple[int, str], Figures]:
    """Their figures by period and host_id. A room that is told in several rows, extra or not, is one."""
    told: dict[tuple[int, str], list[Figures]] = {}
    for row in ProviderRoom.objects.filter(period__in=[period.pk for period in periods]):
        figures = Figures(
            row.meetings,
            row.participants,
            row.meeting_seconds,
            row.audio_participants,
            row.audio_total_seconds,
            row.total_fee,
        )
        told.setdefault((row.period_id, row.host_id), []).append(figures)
    return {key: added(rows) for key, rows in told.items()}


def added(rows: Sequence[Figures]) -> Figures:
    """The sum of some figures. One that some do not tell is the sum of the others; that none tells, is unknown."""

    def total(measure: str, zero: Any = 0) -> Any:
        values = [value for row in rows if (value := getattr(row, measure)) is not None]
        return None if rows and not values else sum(values, zero)

    counts = {measure: total(measure) for measure in MEASURES if measure != "cost"}
    return Figures(**counts, cost=total("cost", Decimal("0.00")))


def _rejected() -> dict[tuple[date, str], int]:
    """Records that wait to be read, by the provider's day and host_id, as far as they can be told."""
    zone = ZoneInfo(settings.UMEET_TIME_ZONE)
    found: dict[tuple[date, str], int] = {}
    for piece, raw in Rejected.objects.order_by().values_list("piece", "raw"):
        try:
            record = json.loads(raw)
            if not isinstance(record, dict):
                continue
            if piece.startswith("day:"):
                day = date.fromisoformat(piece.removeprefix("day:"))
            else:
                day = parse_time(str(record.get("start_time")), zone).astimezone(zone).date()
        except (ValueError, OverflowError, RecursionError):
            continue
        key = (day, str(record.get("host_id") or ""))
        found[key] = found.get(key, 0) + 1
    return found


class _Found(NamedTuple):
    """What came of comparing one room on one day. looked: the day was pulled whole after its totals were told."""

    kinds: dict[Kind, int]
    ours: _Ours
    looked: bool


class _Days:
    """Days whose totals were told, compared room by room."""

    def __init__(self, periods: Sequence[_Totals]) -> None:
        self.found: dict[tuple[date, str], _Found] = {}
        if not periods:
            return
        zone = ZoneInfo(settings.UMEET_TIME_ZONE)
        spans = [(period.first, period.first) for period in periods]
        host_ids = _host_ids()
        theirs, ours = _theirs(periods), _ours(spans, host_ids)
        late = _late([(span, period.sent_at) for span, period in zip(spans, periods, strict=True)], host_ids)
        by_room: dict[tuple[date, str], list[_Late]] = {}
        for one in late:
            by_room.setdefault((one.start.astimezone(zone).date(), one.host_id), []).append(one)
        lengths: dict[tuple[date, str], list[int]] = {}
        unreported = Meeting.objects.filter(
            **_within((min(spans)[0], max(spans)[0])), state=Meeting.State.UNREPORTED, open_seconds__isnull=False
        )
        for room, start, seconds in unreported.order_by().values_list("room_id", "start_time", "open_seconds"):
            key = (start.astimezone(zone).date(), host_ids[room])
            lengths.setdefault(key, []).append((seconds or 0) + -(seconds or 0) % 60)
        rejected = _rejected()
        pulled = {piece.day: piece for piece in PulledDay.objects.filter(day__in=[first for first, _ in spans])}
        for place, period in enumerate(periods):
            day = period.first
            complete = _whole(pulled.get(day))
            looked = complete is not None and complete >= period.told_at
            rooms = {host for pk, host in theirs if pk == period.pk} | {host for spot, host in ours if spot == place}
            for host_id in rooms:
                told = theirs.get((period.pk, host_id), Figures())
                own = ours.get((place, host_id), _Ours())
                kinds = explain_day(
                    told.meetings,
                    _here(own, by_room.get((day, host_id), ()), period, rejected.get((day, host_id), 0)),
                    pulled=complete is not None,
                    looked=looked,
                    fits=_fitting(told, own.figures, lengths.get((day, host_id), [])),
                )
                self.found[day, host_id] = _Found(kinds, own, looked)


def _whole(piece: PulledDay | None) -> datetime | None:
    """When a day was pulled, if its last answer was whole."""
    return piece.complete_at if piece and piece.complete_at == piece.asked_at else None


def _here(ours: _Ours, late: Iterable[_Late], period: _Totals, rejected: int = 0) -> Here:
    """What is here against the totals of a period. late: what came or changed in it, perhaps before they were asked."""
    ended = came = young = 0
    for one in late:
        if one.end > period.told_at:
            ended += 1
        elif one.changed >= period.sent_at:
            came += 1
        elif one.end > period.told_at - FRESH:
            young += 1
    return Here(ours.figures.meetings, ended, came, young, ours.running, ours.unreported, rejected)


def _fitting(theirs: Figures, ours: Figures, lengths: Sequence[int]) -> Callable[[int], bool]:
    """Says whether so many of these lengths, in seconds, add up to what is missing."""

    def fits(count: int) -> bool:
        if theirs.seconds is None or ours.seconds is None or len(lengths) > MOST_TRIED:
            return False
        return any(sum(some) == theirs.seconds - ours.seconds for some in combinations(lengths, count))

    return fits


class _Comparison:
    """Some months, put together from everything that is known of them."""

    def __init__(self, spans: Sequence[Span], since: date, chosen: Filter, now: datetime) -> None:
        self.spans, self.since, self.chosen = spans, since, chosen
        self.rooms = {room.host_id: room for room in Room.objects.all()}
        self.told: dict[Span, _Totals] = {}
        days: dict[date, list[_Totals]] = {}
        newest, oldest = spans[0][1], spans[-1][0]
        for row in ProviderPeriod.objects.filter(first__gte=oldest, last__lte=newest):
            period = _Totals.of(row)
            if period is None:
                continue
            if period.first == period.last:
                days.setdefault(period.first.replace(day=1), []).append(period)
            else:
                self.told[period.first, period.last] = period
        # Days that were asked before their month was asked again say nothing of it any more.
        self.days = {
            span: [day for day in days.get(span[0], ()) if day.sent_at >= period.sent_at]
            for span, period in self.told.items()
        }
        self.begins = [self._begin(span) for span in spans]
        host_ids = _host_ids()
        self.ours = _ours([(begin, span[1]) for begin, span in zip(self.begins, spans, strict=True)], host_ids)
        self.theirs = _theirs(self.told.values())
        self.late = self._late(host_ids)
        self.pulled = coverage.days(min(self.begins), newest, now)
        self.settling = list(PulledDay.objects.filter(day__gte=oldest, day__lte=newest).exclude(next_due_at=None))

    def _begin(self, span: Span) -> date:
        period = self.told.get(span)
        return max(span[0], self.since, period.asked_first if period else span[0])

    def _late(self, host_ids: Mapping[int | None, str]) -> dict[tuple[date, str], list[_Late]]:
        """Counted meetings that came or changed after their month was asked, by its first day and host_id."""
        zone = ZoneInfo(settings.UMEET_TIME_ZONE)
        found: dict[tuple[date, str], list[_Late]] = {}
        asked = [
            ((begin, span[1]), self.told[span].sent_at)
            for begin, span in zip(self.begins, self.spans, strict=True)
            if span in self.told
        ]
        for one in _late(asked, host_ids):
            found.setdefault((one.start.astimezone(zone).date().replace(day=1), one.host_id), []).append(one)
        return found

    def _shown(self, host_id: str) -> bool:
        chosen = self.chosen
        if chosen.allowed_rooms is not None and host_id not in chosen.allowed_rooms:
            return False
        return not chosen.rooms or host_id in chosen.rooms

    def months(self) -> list[Month]:
        return [self._month(place, span) for place, span in enumerate(self.spans)]

    def _month(self, place: int, span: Span) -> Month:
        period, begin = self.told.get(span), self.begins[place]
        unpulled = [
            day
            for day, state in self.pulled.items()
            if begin <= day <= span[1] and state in (DayState.PARTIAL, DayState.NEVER)
        ]
        hosts = {host for spot, host in self.ours if spot == place}
        if period is not None:
            hosts |= {host for pk, host in self.theirs if pk == period.pk}
        shown = [host for host in hosts if self._shown(host)]
        gaps: list[Gap] = []
        if period is None:
            lines = [self._line(host, None, self.ours.get((place, host), _Ours())) for host in shown]
        else:
            days = _Days(self.days[span]).found
            end = min(span[1], schedule.provider_today(period.told_at))
            located = len(self.days[span]) >= (end - begin).days + 1
            lines = [self._compared(host, place, span, period, days, located) for host in shown]
            gaps = self._gaps(days, shown)
        lines.sort(key=lambda one: (not one.unexplained, not one.differs, not one.host_id, *self._name(one.host_id)))
        total = _total(lines, asked=period is not None)
        their_total = None
        whole = not self.chosen.rooms and self.chosen.allowed_rooms is None
        if period is not None and whole and period.meetings not in (None, total.theirs and total.theirs.meetings):
            their_total = period.meetings
        return Month(
            first=span[0],
            last=span[1],
            since=begin,
            told_at=period.told_at if period else None,
            state=_state(lines, period, their_total),
            lines=lines,
            total=total,
            gaps=gaps,
            unpulled=unpulled,
            their_total=their_total,
        )

    def _name(self, host_id: str) -> tuple[bool, str, str]:
        room = self.rooms.get(host_id)
        name = room.known_name if room else ""
        return not name, name, host_id

    def _line(self, host_id: str, theirs: Figures | None, ours: _Ours, found: Sequence[Explanation] = ()) -> Line:
        room = self.rooms.get(host_id)
        return Line(host_id, room, theirs, ours.figures, tuple(found), ours.running, ours.unreported)

    def _compared(
        self,
        host_id: str,
        place: int,
        span: Span,
        period: _Totals,
        days: Mapping[tuple[date, str], _Found],
        located: bool,
    ) -> Line:
        theirs = self.theirs.get((period.pk, host_id), Figures())
        ours = self.ours.get((place, host_id), _Ours())
        here = _here(ours, self.late.get((span[0], host_id), ()), period)
        of_month = explain_month(theirs.meetings, here)
        by_kind: dict[Kind, list[tuple[date, int]]] = {}
        for (day, host), one in sorted(days.items()):
            for kind, count in one.kinds.items() if host == host_id else ():
                by_kind.setdefault(kind, []).append((day, count))
        since = sum(count for _day, count in by_kind.pop(Kind.SINCE, ()))
        found = [
            Explanation(
                kind, len(where) if kind == Kind.UNPULLED else sum(count for _day, count in where), tuple(where)
            )
            for kind, where in by_kind.items()
        ]
        if not located and (left := of_month.get(Kind.UNLOCATED, 0) - sum(one.count for one in found)) > 0:
            found.append(Explanation(Kind.UNLOCATED, left))
        if not located and (young := of_month.get(Kind.YOUNG, 0)) and not any(one.kind == Kind.YOUNG for one in found):
            found.append(Explanation(Kind.YOUNG, young))
        if since := max(of_month.get(Kind.SINCE, 0), since if located else 0):
            found.append(Explanation(Kind.SINCE, since))
        line = self._line(host_id, theirs, ours)
        if not found and line.differs:
            found.append(self._otherwise(line, here, ours, period))
        found.sort(key=lambda one: list(Kind).index(one.kind))
        return replace(line, explanations=tuple(found))

    def _otherwise(self, line: Line, here: Here, ours: _Ours, period: _Totals) -> Explanation:
        """As many meetings, and yet not the same figures."""
        if here.late:
            return Explanation(Kind.SINCE, here.late)
        if ours.withheld:
            return Explanation(Kind.WITHHELD, ours.withheld)
        settling = [
            piece.day
            for piece in self.settling
            if period.first <= piece.day <= period.last
            and (piece.complete_at is None or piece.complete_at < period.told_at)
        ]
        if settling:
            return Explanation(Kind.SETTLING, len(settling), tuple((day, 1) for day in sorted(settling)))
        differing = tuple(measure for measure in MEASURES if line.difference(measure))
        return Explanation(Kind.OTHERWISE, len(differing), measures=differing)

    def _gaps(self, days: Mapping[tuple[date, str], _Found], shown: Collection[str]) -> list[Gap]:
        return [
            Gap(
                day=day,
                host_id=host_id,
                room=self.rooms.get(host_id),
                kind=kind,
                count=count,
                running=one.ours.running,
                unreported=one.ours.unreported,
                unplaced=days[day, ""].kinds.get(Kind.ONLY_HERE, 0) if host_id and (day, "") in days else 0,
            )
            for (day, host_id), one in days.items()
            if host_id in shown
            for kind, count in one.kinds.items()
            if kind in (Kind.MISSING, Kind.ONLY_HERE, Kind.WAITING)
        ]


def _total(lines: Sequence[Line], *, asked: bool) -> Line:
    """All lines of a month as one."""
    by_kind: dict[Kind, list[Explanation]] = {}
    for line in lines:
        for one in line.explanations:
            by_kind.setdefault(one.kind, []).append(one)
    found = []
    for kind in Kind:
        if kind not in by_kind:
            continue
        where: dict[date, int] = {}
        for one in by_kind[kind]:
            for day, count in one.days:
                where[day] = where.get(day, 0) + count
        # Days are the same days for every room, and figures the same figures.
        measures = tuple(dict.fromkeys(name for one in by_kind[kind] for name in one.measures))
        of_days = kind in (Kind.UNPULLED, Kind.SETTLING)
        count = len(where) if of_days else len(measures) or sum(one.count for one in by_kind[kind])
        found.append(Explanation(kind, count, tuple(sorted(where.items())), measures))
    return Line(
        host_id="",
        room=None,
        theirs=added([line.theirs or Figures() for line in lines]) if asked else None,
        ours=added([line.ours for line in lines]),
        explanations=tuple(found),
        running=sum(line.running for line in lines),
        unreported=sum(line.unreported for line in lines),
    )


def _state(lines: Sequence[Line], period: _Totals | None, their_total: int | None) -> State:
    if period is None:
        return State.NOT_ASKED
    if their_total is not None or any(line.unexplained for line in lines):
        return State.DIFFERS
    return State.EXPLAINED if any(line.differs for line in lines) else State.AGREES
