"""Which rooms were held when: what the most rooms at once, the opening hours and the pool are figured from."""

from datetime import UTC, datetime, timedelta

from django.db.models import F, Q, QuerySet

from reports import courses
from reports.courses import Use
from reports.kept import once, running, running_meetings
from reports.models import Meeting, Room
from reports.rawrows import Moment, Raw, every, moment

# Longer ones are no part of a day's peak and opening seconds: they are few, and would touch many days.
LONG = 86_400
Spans = list[tuple[datetime, datetime, int | None]]


def short_spans(begin: datetime, end: datetime, meetings: "QuerySet[Meeting] | None" = None) -> Spans:
    """Start, end and room of the ended meetings of at most a day that hold an instant from begin to end (excluded).

    meetings: among which, all unless given.
    """
    if meetings is not None:
        return _short_spans(begin, end, meetings)
    # The peaks and the opening hours of a page are figured from the same days.
    found: Spans = once(("short", begin, end), lambda: _short_spans(begin, end, Meeting.objects.all()))
    return found


def _short_spans(begin: datetime, end: datetime, meetings: "QuerySet[Meeting]") -> Spans:
    rows = meetings.filter(
        start_time__gte=begin - timedelta(seconds=LONG), start_time__lt=end, end_time__gt=begin, open_seconds__lte=LONG
    ).filter(end_time__gt=F("start_time"))
    found = every(rows.order_by().values_list(Moment("start_time"), Moment("end_time"), "room_id"))
    return [(moment(start), moment(stop), room) for start, stop, room in found]


def long_spans(begin: datetime, end: datetime, now: datetime, meetings: "QuerySet[Meeting] | None" = None) -> Spans:
    """The same of what is no part of the kept spans: running meetings, until now, and those longer than a day."""
    asked = Meeting.objects.all() if meetings is None else meetings
    still = running_meetings() if meetings is None else running(meetings.order_by())
    long = _long(asked, begin, end)
    found: Spans = [
        *((meeting.start_time, now, meeting.room_id) for meeting in still if meeting.start_time < end),
        *((start, stop or now, room) for start, stop, room in long.values_list("start_time", "end_time", "room_id")),
    ]
    return [span for span in found if span[0] < span[1] and begin < span[1]]


FEW = 500  # ids that a statement takes


def _long(meetings: "QuerySet[Meeting]", begin: datetime, end: datetime) -> "QuerySet[Meeting]":
    """Those of some meetings that ended, lasted longer than a day, and hold an instant from begin to end (excluded).

    Mostly there is none, and then nothing is asked; which there are is asked for first, by their own index.
    """
    every_long = Meeting.objects.filter(open_seconds__gt=LONG).order_by().values_list("pk", flat=True)
    ids: list[int] = once("long", lambda: list(every_long[: FEW + 1]))
    if not ids:
        return meetings.none()
    long = meetings if len(ids) > FEW else meetings.filter(pk__in=ids)
    return long.filter(open_seconds__gt=LONG, start_time__lt=end, end_time__gt=begin).order_by()


def groups_of_rooms() -> dict[int, int]:
    """The group of each room of the pool by its id: its seats, or courses.UNKNOWN. Temporary ones are left out."""
    rooms = Room.objects.filter(temporary=False).order_by().values_list("pk", "capacity")
    return {pk: courses.group_of_room(seats) for pk, seats in rooms}


USE = ("start_time", "uuid", "end_time", "is_extra", "room_id", "pk")


def uses_of(meetings: "QuerySet[Meeting]") -> list[Use]:
    """Some ended meetings, in no order."""
    start, uuid, end, *others = USE
    return list(map(_use_of, every(meetings.order_by().values_list(Moment(start), uuid, Moment(end), *others))))


def _use_of(row: Raw) -> Use:
    start, uuid, stop, extra, room, pk = row
    return Use(moment(start), uuid, moment(stop), False, None if extra is None else bool(extra), room, pk)


def short_uses(begin: datetime, end: datetime) -> list[Use]:
    """Ended meetings of at most a day that begin from begin to end (excluded) or hold an instant of it."""
    rows = Meeting.objects.filter(
        Q(end_time__gt=begin) | Q(start_time__gte=begin),
        start_time__gte=begin - timedelta(seconds=LONG),
        start_time__lt=end,
        open_seconds__lte=LONG,
    )
    return uses_of(rows)


def long_uses(begin: datetime, end: datetime, now: datetime) -> list[Use]:
    """What is no part of the kept courses: meetings longer than a day that hold an instant, and all running ones."""
    found = [
        Use(meeting.start_time, meeting.uuid, now, True, meeting.is_extra, meeting.room_id, meeting.pk)
        for meeting in running_meetings()
        if meeting.start_time < end
    ]
    long = _long(Meeting.objects.all(), begin, end)
    return found + [
        Use(start, uuid, stop or now, False, extra, room, pk)
        for start, uuid, stop, extra, room, pk in long.values_list(*USE)
    ]


# A longest stretch as one number: the longer the greater, and of equals the earlier.
LONGEST = 10_000_000_000


def longest_of(number: int) -> tuple[timedelta, datetime]:
    """Length and begin of a longest stretch."""
    length, before = divmod(number, LONGEST)
    return timedelta(seconds=length), datetime.fromtimestamp(LONGEST - before, UTC)
