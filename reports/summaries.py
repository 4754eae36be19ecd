"""What is computed of a meeting once, at import, so that pages stay fast: kept, read back, and made again.

`rebuild` writes the same values again from the raw rows, for example after the site's time zone was changed.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from reports import measures, search
from reports.measures import Call, Summary, Visit
from reports.models import Ledger, Meeting, Participant, TelephonyUsage
from reports.prepared import SUMMARY_FIELDS
from reports.text import name_key

VISIT_FIELDS = ("name_key", "attendee_visits", "attendee_seconds", "late_seconds")


def site_zone() -> ZoneInfo:
    """The zone in which the site's days are."""
    return ZoneInfo(settings.TIME_ZONE)  # ZoneInfo keeps its zones


def apply(meeting: Meeting, visits: Sequence[Visit] | None, calls: Sequence[Call] | None) -> None:
    """Set every computed column of a meeting (not saved) from its report."""
    for name, value in measures.computed(vars(meeting), visits, calls, site_zone()).items():
        setattr(meeting, name, value)


def live(meeting: Meeting, visits: Sequence[Visit], now: datetime) -> Summary:
    """The figures of a meeting at `now`: those kept, and for a running one those that the clock moves."""
    if meeting.end_time is not None:
        return Summary(*[getattr(meeting, name) for name in Summary._fields])
    moving = measures.summarise(meeting.start_time, None, visits if meeting.participants_reported else None, None, now)
    kept = {name: getattr(meeting, name) for name in ("calls", "call_seconds", "call_cost", "unpriced_calls")}
    return moving._replace(**kept)


def rebuild(progress: Callable[[int], None] | None = None, batch: int = 500) -> int:
    """Compute every summary again from the raw rows; returns how many meetings differed.

    Batches are transactions of their own, so a pull may go on meanwhile.
    """
    differed = done = last = 0
    zone = site_zone()
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
                figures = measures.on_first_visits(stays, meeting.start_time, meeting.end_time)
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
                wanted = (
                    measures.call_day(call.start_time, starts[call.meeting_id], zone),
                    measures.country_of(call.phone_number),
                )
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
