"""How rows are selected. Every filter of the site is applied here and nowhere else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from reports.filter import NOT_TOLD, Filter
from reports.text import fold

if TYPE_CHECKING:
    from reports.models import Meeting, Participant, TelephonyUsage
else:
    Meeting = Participant = TelephonyUsage = Any


def _days(chosen: Filter, column: str) -> Q:
    condition = Q()
    if chosen.first is not None:
        condition &= Q(**{f"{column}__gte": chosen.first})
    if chosen.last is not None:
        condition &= Q(**{f"{column}__lte": chosen.last})
    return condition


def _meeting(chosen: Filter, prefix: str = "") -> Q:
    """Everything of the filter but its days, on a meeting reached by `prefix`."""
    condition = Q()
    if chosen.allowed_rooms is not None:
        condition &= Q(**{f"{prefix}room__host_id__in": sorted(chosen.allowed_rooms)})
    if chosen.rooms:
        condition &= Q(**{f"{prefix}room__host_id__in": chosen.rooms})
    if chosen.state:
        condition &= Q(**{f"{prefix}state": chosen.state})
    if chosen.extra is not None:
        condition &= Q(**{f"{prefix}is_extra": chosen.extra})
    if chosen.calls is not None:
        condition &= Q(**{f"{prefix}calls__gt": 0} if chosen.calls else {f"{prefix}calls": 0})
    if chosen.uuid:
        condition &= Q(**{f"{prefix}uuid": chosen.uuid})
    if chosen.weekday is not None or chosen.hour is not None:
        weekdays = range(7) if chosen.weekday is None else (chosen.weekday - 1,)
        hours = range(24) if chosen.hour is None else (chosen.hour,)
        condition &= Q(**{f"{prefix}week_hour__in": [day * 24 + hour for day in weekdays for hour in hours]})
    if chosen.number:
        condition &= Q(**{f"{prefix}meeting_id": chosen.number})
    if chosen.topic is not None:
        condition &= of_topic(chosen.topic, prefix)
    if chosen.booked:
        condition &= _booked(chosen.booked, prefix)
    if chosen.during is not None:
        condition &= _during(chosen.during, prefix)
    if chosen.q:
        wanted = fold(chosen.q)
        found = Q(**{f"{prefix}search__contains": wanted})
        digits = re.sub(r"[\s-]", "", wanted)
        if digits.isdigit() and digits != wanted:
            found |= Q(**{f"{prefix}meeting_id__contains": digits})
        visits = apps.get_model("reports", "Participant").objects.filter(
            meeting=OuterRef(f"{prefix}pk"), name_key__contains=wanted
        )
        condition &= found | Q(Exists(visits))
    return condition


def of_topic(topic: str, prefix: str = "") -> Q:
    """Meetings of one folded topic."""
    # A folded topic holds no line break: the first one ends it (see summaries.search_text).
    return Q(**{f"{prefix}search__startswith": f"{topic}\n"})


def judged(prefix: str = "") -> Q:
    """Ended meetings that tell what they were booked for: not those whose report may give the actual length for it."""
    told = {f"{prefix}end_time__isnull": False, f"{prefix}duration__isnull": False}
    return Q(**told, **{f"{prefix}duration_is_weak": False})


def _booked(booked: str, prefix: str) -> Q:
    match booked:
        case "over":
            return judged(prefix) & Q(**{f"{prefix}open_seconds__gt": F(f"{prefix}duration")})
        case "early":
            return judged(prefix) & Q(**{f"{prefix}open_seconds__lt": F(f"{prefix}duration")})
        case "known":
            return judged(prefix)
        case _:
            silent = Q(**{f"{prefix}duration": None}) | Q(**{f"{prefix}duration_is_weak": True})
            return Q(**{f"{prefix}end_time__isnull": False}) & silent


def clock_hour(hour: datetime) -> tuple[datetime, datetime]:
    """The moments between which the site's clock shows an hour; one that it repeats lasts two, one it skips none.

    In: the full hour as the local clock shows it, without a zone. Out: aware UTC moments.
    """
    local = hour.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, (first if second < first else second + timedelta(hours=1))


def _during(hour: datetime, prefix: str) -> Q:
    """Meetings whose occupied span holds an instant of a local clock hour; running ones are in it since they began."""
    begin, end = clock_hour(hour)
    if begin == end:
        return Q(**{f"{prefix}pk__in": []})
    lasting = Q(**{f"{prefix}end_time__gt": begin}) & Q(**{f"{prefix}end_time__gt": F(f"{prefix}start_time")})
    return Q(**{f"{prefix}start_time__lt": end}) & (lasting | Q(**{f"{prefix}end_time": None}))


def _call(chosen: Filter) -> Q:
    """What the filter says of a call itself, but for its day."""
    condition = Q()
    for column, value in (("type", chosen.type), ("country", chosen.country), ("phone_number", chosen.phone)):
        if value:
            condition &= Q(**{column: "" if value == NOT_TOLD else value})
    if chosen.priced is not None:
        condition &= Q(total__isnull=not chosen.priced)
    return condition


def _has_such_a_call(chosen: Filter, meeting: str) -> Q:
    if not chosen.of_calls:
        return Q()
    calls = apps.get_model("reports", "TelephonyUsage").objects
    return Q(Exists(calls.filter(_call(chosen), meeting=OuterRef(meeting))))


def _has_such_a_visit(chosen: Filter, meeting: str) -> Q:
    if chosen.name is None:
        return Q()
    visits = apps.get_model("reports", "Participant").objects
    return Q(Exists(visits.filter(name_key=chosen.name, meeting=OuterRef(meeting))))


class MeetingQuerySet(models.QuerySet["Meeting"]):
    def matching(self, chosen: Filter) -> MeetingQuerySet:
        """Meetings whose local start day is in the period and that fit the rest of the filter."""
        return self.fitting(chosen).filter(_days(chosen, "local_day"))

    def fitting(self, chosen: Filter) -> MeetingQuerySet:
        """Meetings of any day that fit the rest of the filter."""
        return self.filter(_meeting(chosen), _has_such_a_call(chosen, "pk"), _has_such_a_visit(chosen, "pk"))

    def running(self) -> MeetingQuerySet:
        return self.filter(end_time__isnull=True)


class ParticipantQuerySet(models.QuerySet["Participant"]):
    def matching(self, chosen: Filter) -> ParticipantQuerySet:
        """Visits of the meetings that `MeetingQuerySet.matching` gives; with a name, those of that name alone."""
        rows = self if chosen.name is None else self.filter(name_key=chosen.name)
        return rows.filter(
            _days(chosen, "meeting__local_day"), _meeting(chosen, "meeting__"), _has_such_a_call(chosen, "meeting")
        )


class TelephonyUsageQuerySet(models.QuerySet["TelephonyUsage"]):
    def matching(self, chosen: Filter) -> TelephonyUsageQuerySet:
        """Calls whose own local day is in the period, of meetings that fit the rest of the filter."""
        return self.filter(
            _days(chosen, "local_day"),
            _meeting(chosen, "meeting__"),
            _call(chosen),
            _has_such_a_visit(chosen, "meeting"),
        )
