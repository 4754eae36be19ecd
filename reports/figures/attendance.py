"""Who was in one meeting, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reports.measures import LATE_AFTER, Attendee, Summary, Visit, attendees_of, visit_span
from reports.models import Meeting, Participant
from reports.summaries import live

EARLY_BEFORE = timedelta(minutes=5)
ORDERS = ("join", "minutes", "name")  # how attendees can be listed; the first is how they come


@dataclass(frozen=True, slots=True)
class Presence:
    """An attendee of a meeting with what follows from the whole of it. late: None when not late.

    used_seconds: the meeting's. before_end: how long before its last visit ended theirs did; None while that
    is not known (the meeting runs, or a leave of theirs was not reported) or was not asked for.
    """

    attendee: Attendee
    share: float | None  # attendance ÷ used, None when nothing was used
    late: timedelta | None
    used_seconds: int | None = None
    before_end: timedelta | None = None

    @property
    def left_early(self) -> bool | None:
        """Whether they left more than five minutes before the last visit ended; None where that is not known."""
        return None if self.before_end is None else self.before_end > EARLY_BEFORE

    def is_present(self, percent: int) -> bool | None:
        """Whether they were there for at least so many percent of the used time; None where nothing was used."""
        # In whole numbers: a share of 29 percent is less than 0.29 in floating point.
        return self.attendee.seconds * 100 >= percent * self.used_seconds if self.used_seconds else None


@dataclass(frozen=True, slots=True)
class Stay:
    """One visit ready to show: its span at `now`, and whether its end is provisional or its times were odd."""

    name: str
    join_time: datetime
    leave_time: datetime | None
    seconds: int
    provisional: bool
    flagged: bool


@dataclass(frozen=True, slots=True)
class MeetingAttendance:
    """The figures of one meeting, its attendees and its visits; both None when unreported."""

    summary: Summary
    attendees: list[Presence] | None
    visits: list[Stay] | None


def stay(visit: Participant, end: datetime | None, now: datetime) -> Stay:
    """One visit as it counts at `now`."""
    start, stop = visit_span(visit, end, now)
    return Stay(
        name=visit.name,
        join_time=visit.join_time,
        leave_time=visit.leave_time,
        seconds=int((stop - start).total_seconds()),
        provisional=visit.leave_time is None,
        flagged=visit.leave_time is not None and visit.leave_time < visit.join_time,
    )


def of_meeting(meeting: Meeting, now: datetime) -> MeetingAttendance:
    """Attendance of one meeting, from its visits."""
    visits = list(meeting.participants.all())
    summary = live(meeting, visits, now)
    if not meeting.participants_reported:
        return MeetingAttendance(summary, None, None)
    return MeetingAttendance(
        summary,
        presences(meeting, visits, summary.used_seconds, now),
        [stay(visit, meeting.end_time, now) for visit in visits],
    )


def presences(
    meeting: Meeting, visits: Iterable[Visit], used_seconds: int | None, now: datetime, *, whole: bool = True
) -> list[Presence]:
    """The attendees of one meeting with their share of its used time, in order of their first join.

    whole: whether these are all visits of the meeting, so that the last of them tells who left before it.
    """
    found = []
    attendees = attendees_of(visits, meeting.end_time, now)
    last = max((attendee.last_leave for attendee in attendees), default=now)
    for attendee in attendees:
        late = attendee.first_join - meeting.start_time
        left = whole and meeting.end_time is not None and not attendee.provisional
        found.append(
            Presence(
                attendee=attendee,
                share=attendee.seconds / used_seconds if used_seconds else None,
                late=late if late > LATE_AFTER else None,
                used_seconds=used_seconds,
                before_end=last - attendee.last_leave if left else None,
            )
        )
    return found


def ordered(presences: Iterable[Presence], order: str) -> list[Presence]:
    """Attendees by one of ORDERS: by first join, by minutes (most first), by name; those without a name come last."""
    match order:
        case "minutes":
            return sorted(presences, key=lambda presence: -presence.attendee.seconds)
        case "name":
            return sorted(presences, key=lambda presence: (not presence.attendee.key, presence.attendee.key))
        case _:
            return list(presences)
