"""The rows of the CSV tables that may have millions of them: meetings, visits, attendees, calls.

They come in blocks (see csvtable.py) from rows as the driver gives them (see rawrows.py). Meetings are asked for in
their order, and what lies in them for some of them at a time: nothing is sorted that an index does not hold sorted,
and the first row comes at once. Moments are whole microseconds since 1970 throughout.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, repeat
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from reports import intervals, rawrows
from reports.csvtable import Block, LocalTime, Row, count, millionths, minutes, minutes_of, percents_of, truth
from reports.fields import MoneyField
from reports.figures import telephony, usage
from reports.filter import Filter
from reports.measures import LATE_AFTER, Summary
from reports.models import Meeting, Participant, TelephonyUsage
from reports.moments import MICROSECOND, SECOND, instant
from reports.rawrows import Instant, Raw
from reports.text import fold, mask, name_key

CURRENCY = "CNY"
CHUNK = 500
# Of a meeting's attendees without a name. Never blank: blank is unknown.
NO_NAME = "(no name)"
# Columns of a meeting by which its visits and calls can be sorted.
MEETING_SORTS = {
    "uuid": "uuid",
    "host_id": "room__host_id",
    "room": "room__name",
    "meeting_id": "meeting_id",
    "topic": "search",
}
IN_TIME = minutes(0)
NEWEST = ("-start_time", "-pk")
OF_A_MEETING = ("uuid", "room__host_id", "room__label", "room__name", "meeting_id", "topic")
PARTICIPANT_SORTS = {name: f"meeting__{column}" for name, column in MEETING_SORTS.items()} | {
    "name": "name_key",
    "join_time": "join_time",
    "leave_time": "leave_time",
}
SUMMARY = Summary._fields

Q_ = TypeVar("Q_", bound="QuerySet[Any]")


def _clock() -> LocalTime:
    return LocalTime(ZoneInfo(settings.TIME_ZONE))


def _of(uuid: str, host_id: str | None, label: str | None, name: str | None, number: str, topic: str) -> Row:
    """The columns that say which meeting a row belongs to."""
    return (uuid, host_id or "", label or name or "", number, topic)


def _sorted(rows: Q_, sort: str, columns: dict[str, str], default: tuple[str, ...]) -> Q_:
    if not sort:
        return rows.order_by(*default)
    key = F(columns[sort.removeprefix("-")])
    order = key.desc(nulls_last=True) if sort.startswith("-") else key.asc(nulls_last=True)
    return rows.order_by(order, *default)


def _around(chosen: Filter) -> Q:
    """The moments in which a filter's days lie, whatever the zone: their index is in the order that is wanted.

    The days' own index is not, so that a database that chose it would sort all meetings before the first.
    """
    moments = Q()
    if chosen.first is not None and chosen.first > date.min:
        moments &= Q(start_time__gte=datetime.combine(chosen.first - timedelta(days=1), time.min, UTC))
    if chosen.last is not None and chosen.last < date.max - timedelta(days=2):
        moments &= Q(start_time__lt=datetime.combine(chosen.last + timedelta(days=2), time.min, UTC))
    return moments


def _is_of_meetings(sort: str) -> bool:
    """Whether rows so sorted come meeting by meeting."""
    return not sort or sort.removeprefix("-") in MEETING_SORTS


# Meetings ----------------------------------------------------------------------------------------------


def meeting_blocks(chosen: Filter, now: datetime) -> Iterator[Block]:
    """The meetings of a filter in its order."""
    clock = _clock()
    columns = ("pk", "duration", "is_extra", Instant("start_time"), Instant("end_time"))
    meetings = usage.meetings(chosen).select_related(None).filter(_around(chosen))
    stream = rawrows.stream(meetings.values_list(*OF_A_MEETING, *columns, *SUMMARY))
    for chunk in rawrows.batches(stream, CHUNK):
        pks, booked, extra, starts, ends = zip(*(row[6:11] for row in chunk), strict=True)
        # Of what runs, the figures are those of this moment.
        running = [pk for pk, end in zip(pks, ends, strict=True) if end is None]
        live = usage.live_summaries(list(Meeting.objects.filter(pk__in=running)), now) if running else {}
        kept = [_figures(live[row[6]]) if row[6] in live else row[11:] for row in chunk]
        told = dict(zip(SUMMARY, zip(*kept, strict=True), strict=True))
        yield Block(
            [
                *zip(*(_of(*row[:6]) for row in chunk), strict=True),
                clock(starts),
                clock(ends),
                told["state"],
                list(map(minutes, booked)),
                list(map(minutes, told["open_seconds"])),
                list(map(minutes, told["used_seconds"])),
                list(map(count, told["attendees"])),
                list(map(count, told["visits"])),
                list(map(count, told["peak_attendees"])),
                list(map(minutes, told["attendee_seconds"])),
                list(map(truth, extra)),
                list(map(count, told["calls"])),
                list(map(minutes, told["call_seconds"])),
                list(map(millionths, told["call_cost"])),
                [CURRENCY] * len(chunk),
            ]
        )


def _figures(of: Summary) -> Raw:
    """A summary as its columns are kept."""
    cost = MoneyField().get_prep_value(of.call_cost)
    return tuple(cost if name == "call_cost" else getattr(of, name) for name in SUMMARY)


# Visits ------------------------------------------------------------------------------------------------


def participant_blocks(chosen: Filter, now: datetime) -> Iterator[Block]:
    """The visits of a filter in its order, else newest meeting first and in it as they came."""
    clock = _clock()
    at = instant(now)
    visit = ("name", Instant("join_time"), Instant("leave_time"))

    def columns(visits: Sequence[Raw], ends: Iterable[int | None]) -> list[Sequence[str]]:
        """Of visits whose own columns stand at their end, with their meetings' ends."""
        joins, leaves = [row[-2] for row in visits], [row[-1] for row in visits]
        stops = leaves
        if None in leaves:
            lasts = (at if end is None else end for end in ends)
            stops = [last if leave is None else leave for leave, last in zip(leaves, lasts, strict=True)]
        lengths = [(stop - join) // SECOND if stop > join else 0 for join, stop in zip(joins, stops, strict=True)]
        return [[row[-3] for row in visits], clock(joins), clock(leaves), minutes_of(lengths)]

    if not _is_of_meetings(chosen.sort):
        rows = _sorted(
            Participant.objects.matching(chosen),
            chosen.sort,
            PARTICIPANT_SORTS,
            ("-meeting__start_time", "-meeting_id", "place"),
        )
        found = rows.values_list(*(f"meeting__{name}" for name in OF_A_MEETING), Instant("meeting__end_time"), *visit)
        for chunk in rawrows.batches(rawrows.stream(found), CHUNK):
            of = zip(*(_of(*row[:6]) for row in chunk), strict=True)
            yield Block([*of, *columns(chunk, [row[6] for row in chunk])])
        return
    meetings = _sorted(Meeting.objects.matching(chosen).filter(_around(chosen)), chosen.sort, MEETING_SORTS, NEWEST)
    visits = Participant.objects.order_by("meeting_id", "place")
    if chosen.name is not None:
        visits = visits.filter(name_key=chosen.name)
    parents = meetings.values_list("pk", "visits", Instant("end_time"), *OF_A_MEETING)
    for some in rawrows.with_children(parents, visits.values_list("meeting_id", *visit), "meeting_id"):
        ends = chain.from_iterable(repeat(meeting[2], len(its)) for meeting, its in some)
        heads = [(_of(*meeting[3:]), len(its)) for meeting, its in some]
        yield Block(columns([visit for _meeting, its in some for visit in its], ends), heads)


# Attendees ---------------------------------------------------------------------------------------------


Span = tuple[int, int]
# Of `measures.Attendee`: first join, folded name, name, last leave, length, visits. Microseconds.
Attended = tuple[int, str, str, int, int, int]


def attendee_blocks(chosen: Filter, now: datetime) -> Iterator[Block]:
    """What `people.attended` tells of the attendees of a filter, in its order."""
    clock = _clock()
    at = instant(now)
    late_after = LATE_AFTER // MICROSECOND
    meetings = usage.meetings(chosen).select_related(None).filter(_around(chosen), participants_reported=True)
    visits = Participant.objects.order_by("meeting_id", "place")
    if chosen.name is not None:
        # Of a running meeting the whole is needed, since its used time is computed here.
        visits = visits.filter(Q(name_key=chosen.name) | Q(meeting__end_time=None))
    columns = ("used_seconds", Instant("start_time"), Instant("end_time"))
    parents = meetings.values_list("pk", "visits", *columns, *OF_A_MEETING)
    children = visits.values_list("meeting_id", "name", Instant("join_time"), Instant("leave_time"))
    for some in rawrows.with_children(parents, children, "meeting_id"):
        attended: list[Attended] = []
        heads: list[tuple[Row, int]] = []
        wholes: list[int | None] = []
        late: list[str] = []
        for (_pk, _visits, used, start, end, *of), its in some:
            last = at if end is None else end
            if end is None:
                used = _length(_spans(its, last)) // SECOND
            found = _attended(its, last)
            if chosen.name is not None:
                found = [one for one in found if name_key(one[1]) == chosen.name]
            attended += found
            heads.append((_of(*of), len(found)))
            wholes += [used] * len(found)
            until = start + late_after
            late += [minutes((one[0] - start) // SECOND) if one[0] > until else IN_TIME for one in found]
        if attended:
            seconds = [one[4] // SECOND for one in attended]
            yield Block(
                [
                    [" ".join(one[2].split()) or NO_NAME for one in attended],
                    clock([one[0] for one in attended]),
                    clock([one[3] for one in attended]),
                    [str(one[5]) for one in attended],
                    minutes_of(seconds),
                    percents_of(seconds, wholes),
                    late,
                ],
                heads,
            )


def _attended(visits: Iterable[Raw], last: int) -> list[Attended]:
    """The attendees of one meeting by first join. In: (…, name, join, leave) as they came; last: its end, or now."""
    groups: dict[str, list[Raw]] = {}
    for visit in visits:
        key = fold(visit[1])
        if key in groups:
            groups[key].append(visit)
        else:
            groups[key] = [visit]
    found: list[Attended] = []
    for key, group in groups.items():
        if len(group) == 1:
            _pk, name, first, stop = group[0]
            if stop is None:
                stop = last
            if stop < first:
                stop = first
            length = stop - first
        else:
            spans = _spans(group, last)
            first, stop = min(join for join, _ in spans), max(leave for _, leave in spans)
            name = next(visit[1] for visit in group if visit[2] == first)
            length = _length(spans)
        found.append((first, key, name, stop, length, len(group)))
    found.sort()
    return found


def _spans(visits: Iterable[Raw], last: int) -> list[Span]:
    """`measures.stay_span` of each."""
    return [(join, max(join, last if leave is None else leave)) for _pk, _name, join, leave in visits]


def _length(spans: Iterable[Span]) -> int:
    return sum(stop - begin for begin, stop in intervals.union(spans))


# Calls -------------------------------------------------------------------------------------------------


def telephony_blocks(chosen: Filter, now: datetime) -> Iterator[Block]:
    """The calls of a filter in its order, else newest meeting first and in it as they were made."""
    clock = _clock()
    call = ("phone_number", "country", "type", Instant("start_time"), Instant("end_time"), "duration", "total")

    def columns(calls: Sequence[Raw]) -> list[Sequence[str]]:
        """Of calls whose own columns stand at their end."""
        numbers, countries, kinds, starts, ends, lengths, totals = zip(*(row[-7:] for row in calls), strict=True)
        return [
            list(map(mask, numbers)) if chosen.masked else numbers,
            countries,
            kinds,
            clock(starts),
            clock(ends),
            list(map(minutes, lengths)),
            list(map(millionths, totals)),
            [CURRENCY] * len(calls),
        ]

    if not _is_of_meetings(chosen.sort):
        rows = telephony.calls(chosen).select_related(None)
        found = rows.values_list(*(f"meeting__{name}" for name in OF_A_MEETING), *call)
        for chunk in rawrows.batches(rawrows.stream(found), CHUNK):
            yield Block([*zip(*(_of(*row[:6]) for row in chunk), strict=True), *columns(chunk)])
        return
    calls = TelephonyUsage.objects.matching(chosen).order_by("meeting_id", "place")
    # A call's day may be another than its meeting's.
    meetings = Meeting.objects.fitting(chosen).filter(Exists(calls.filter(meeting=OuterRef("pk"))))
    meetings = _sorted(meetings, chosen.sort, MEETING_SORTS, NEWEST)
    parents = meetings.values_list("pk", "calls", *OF_A_MEETING)
    for some in rawrows.with_children(parents, calls.values_list("meeting_id", *call), "meeting_id"):
        heads = [(_of(*meeting[2:]), len(its)) for meeting, its in some]
        yield Block(columns([call for _meeting, its in some for call in its]), heads)
