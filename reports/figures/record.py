"""One meeting record among the others: those of the same number, those beside it in the room, and how it changed."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from reports import summaries
from reports.figures.usage import live_summaries
from reports.measures import Summary, local_day
from reports.models import Change, Meeting, Room

NEAREST = 4
MOST_CHANGES = 60
# As the importer writes them: meeting's columns, and the two lists that a report may replace.
LISTS = ("participants", "telephony_usage")


@dataclass(frozen=True, slots=True)
class SameNumber:
    """Other records of a meeting's number. near: those around it in time, newest first, with their figures."""

    total: int
    near: list[tuple[Meeting, Summary]]


def same_number(meeting: Meeting, now: datetime, allowed: Collection[str] | None = None) -> SameNumber:
    """The other records of a meeting's number; none where it has no number.

    allowed: host_ids of the rooms that may be seen; None is all.
    """
    if not meeting.meeting_id:
        return SameNumber(0, [])
    others = Meeting.objects.filter(meeting_id=meeting.meeting_id).exclude(pk=meeting.pk)
    if allowed is not None:
        others = others.filter(room__host_id__in=sorted(allowed))
    later = Q(start_time__gt=meeting.start_time) | Q(start_time=meeting.start_time, pk__gt=meeting.pk)
    after = list(others.filter(later).order_by("start_time", "pk")[:NEAREST])
    before = list(others.exclude(later).order_by("-start_time", "-pk")[:NEAREST])
    near = [*reversed(after), *before]
    figures = live_summaries(near, now)
    return SameNumber(others.count(), [(other, figures[other.pk]) for other in near])


@dataclass(frozen=True, slots=True)
class BesideInRoom:
    """The meetings just before and just after one, in its room on its day; None where there is none."""

    before: Meeting | None
    after: Meeting | None


def beside_in_room(meeting: Meeting) -> BesideInRoom:
    """The neighbours of a meeting in its room that day; none while the room is unknown."""
    if meeting.room_id is None:
        return BesideInRoom(None, None)
    others = Meeting.objects.filter(room=meeting.room_id, local_day=meeting.local_day).exclude(pk=meeting.pk)
    later = Q(start_time__gt=meeting.start_time) | Q(start_time=meeting.start_time, pk__gt=meeting.pk)
    return BesideInRoom(
        before=others.exclude(later).order_by("-start_time", "-pk").first(),
        after=others.filter(later).order_by("start_time", "pk").first(),
    )


def against_booked(meeting: Meeting, now: datetime) -> timedelta | None:
    """How long after its booked end a meeting ended (negative: before it); running: as it stands at `now`.

    None where the booked length is unknown, or where the report may have given the actual length for it.
    """
    if meeting.duration is None or meeting.duration_is_weak:
        return None
    booked_end = meeting.start_time + timedelta(seconds=meeting.duration)
    return max(meeting.start_time, meeting.end_time or now) - booked_end


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a meeting was first reported, newest first.

    groups: runs of changes; one with `while_running` is of a day on which the running meeting grew.
    total: how many there are, also of those left out. rooms: names by id, of the rooms in them.
    """

    total: int
    groups: list["Group"]
    rooms: dict[int, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Changes that followed one another. folded: so alike that one line may stand for them."""

    changes: list[Change]
    day: date
    folded: bool


def changes(meeting: Meeting, allowed: Collection[str] | None = None) -> Changes:
    """The newest changes of a meeting, and of those seen on one day while it ran, runs.

    allowed: host_ids of the rooms that may be named; None is all.
    """
    kept = list(meeting.changes.select_related("pull")[: MOST_CHANGES + 1])
    total = len(kept) if len(kept) <= MOST_CHANGES else meeting.changes.count()
    kept = kept[:MOST_CHANGES]
    ids = {value for change in kept for value in (change.before.get("room_id"), change.after.get("room_id")) if value}
    found = Room.objects.filter(pk__in=ids) if ids else ()
    rooms = {room.pk: str(room) for room in found if allowed is None or room.host_id in allowed}
    return Changes(total, grouped(kept), rooms)


def grouped(kept: Iterable[Change]) -> list[Group]:
    """Changes as they come, those that only let the meeting grow in runs of one local day; three make a fold."""
    runs: list[tuple[bool, date, list[Change]]] = []
    for change in kept:
        growth, day = _is_growth(change), local_day(change.seen_at, summaries.site_zone())
        if runs and runs[-1][0] == growth and (not growth or runs[-1][1] == day):
            runs[-1][2].append(change)
        else:
            runs.append((growth, day, [change]))
    found: list[Group] = []
    for growth, day, run in runs:
        if growth and len(run) >= 3:
            found.append(Group(run, day, folded=True))
        elif found and not found[-1].folded:
            found[-1].changes.extend(run)
        else:
            found.append(Group(run, day, folded=False))
    return found


def _is_growth(change: Change) -> bool:
    """Whether only visits or calls changed, as they do with every report of a running meeting."""
    return bool(change.after) and not change.note and change.after.keys() <= set(LISTS)


@dataclass(frozen=True, slots=True)
class ListChange:
    """How a list of visits or calls changed. before, after: their numbers, None when it was not reported.

    added, removed: the rows, as kept in a Change. ended: pairs of a row and the same row with another end.
    """

    before: int | None
    after: int | None
    added: Sequence[Sequence[Any]]
    removed: Sequence[Sequence[Any]]
    ended: Sequence[tuple[Sequence[Any], Sequence[Any]]]


def list_change(before: Sequence[Any] | None, after: Sequence[Any] | None, same: int) -> ListChange:
    """Compare two lists of rows; rows that agree in their first `same` values are one visit that went on."""
    old, new = [tuple(row) for row in before or ()], [tuple(row) for row in after or ()]
    gone = Counter(old)
    added = []
    for row in new:
        if gone[row]:
            gone[row] -= 1
        else:
            added.append(row)
    earlier: dict[Sequence[Any], list[Sequence[Any]]] = {}
    for row in gone.elements():
        earlier.setdefault(row[:same], []).append(row)
    ended, fresh = [], []
    for row in added:
        if match := earlier.get(row[:same]):
            ended.append((match.pop(0), row))
        else:
            fresh.append(row)
    return ListChange(
        before=None if before is None else len(old),
        after=None if after is None else len(new),
        added=fresh,
        removed=[row for rows in earlier.values() for row in rows],
        ended=ended,
    )
