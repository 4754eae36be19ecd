"""How rows are selected. Every filter of the site is applied here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import StrIndex
from django.db.models.lookups import Exact

from reports.expressions import LONGEST, Long, Short, Topic
from reports.filter import NOT_TOLD, Filter
from reports.text import fold

if TYPE_CHECKING:
    from reports.models import Meeting, Participant, TelephonyUsage
else:
    Meeting = Participant = TelephonyUsage = Any

# The index of SQLite by trigrams, over SearchText (see search.py): a name that only this project has.
TRIGRAMS = "reports_searchtext_trigrams"
# As long as the text that a meeting keeps after its topic may be: a line break and a number.
_NUMBER = 1 + 20


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
        condition &= _of_topic(chosen.topic, prefix)
    if chosen.booked:
        condition &= _booked(chosen.booked, prefix)
    if chosen.during is not None:
        condition &= _during(chosen.during, prefix)
    if chosen.q and (wanted := fold(chosen.q)):
        # The database begins with what is found.
        statement, parameters = _found(
            wanted, connection.vendor, connection.vendor == "sqlite" and trigrams_are_there()
        )
        found = RawSQL(statement, parameters) if statement else []  # noqa: S611 — made by Django, see there
        condition &= Q(**{f"{prefix.removesuffix('__') or 'pk'}__in": found})
    return condition


def _of_topic(topic: str, prefix: str) -> Q:
    """Meetings of one folded topic, whole."""
    same = Q(Exact(Topic(f"{prefix}search"), topic))
    condition = Q()
    # Both to the letter, or the database does not see that an index has them all.
    if len(topic) < LONGEST:
        condition |= Q(Short(f"{prefix}search")) & same
    if len(topic) + _NUMBER > LONGEST:
        condition |= Q(Long(f"{prefix}search")) & same
    return condition


def named(key: str) -> Q:
    """Visits of one folded name, whole."""
    return Q(Short("name_key") if len(key) <= LONGEST else Long("name_key"), name_key=key)


@lru_cache(maxsize=200)  # a page asks for the same some thirty times, and Django takes longer for it than the database
def _found(wanted: str, vendor: str, trigrams: bool) -> tuple[str, tuple[Any, ...]]:
    """The statement for the ids of meetings whose topic, number or some attendee's name contains a folded text.

    In: whether SQLite's index by trigrams is to be used. Out: the statement and its parameters; "" where nothing can be
    found. An id may come more than once. The text is looked for among the distinct texts that meetings have, which
    are few; from those to the meetings the way is an index.
    """
    if "\0" in wanted or any("\ud800" <= letter <= "\udfff" for letter in wanted):
        return "", ()  # nothing kept holds such a letter, and no database takes it
    meetings = apps.get_model("reports", "Meeting").objects.order_by()
    visits = apps.get_model("reports", "Participant").objects.order_by()
    digits = re.sub(r"[\s-]", "", wanted)  # a number may be typed with gaps
    numbers = {wanted, digits} if digits.isdigit() else {wanted}
    by_topic = (
        meetings.filter(Short("search")).alias(of=Topic("search")).filter(of__in=_texts("topic", {wanted}, trigrams))
    )
    by_number = meetings.filter(meeting_id__in=_texts("number", numbers, trigrams))
    by_name = visits.filter(Short("name_key"), name_key__in=_texts("name", {wanted}, trigrams))
    in_long = meetings.filter(Long("search")).alias(at=StrIndex("search", Value(wanted))).filter(at__gt=0)
    in_long_name = visits.filter(Long("name_key")).alias(at=StrIndex("name_key", Value(wanted))).filter(at__gt=0)
    of_meetings = [rows.values_list("pk") for rows in (by_number, in_long)]
    of_visits = [rows.values_list("meeting") for rows in (by_name, in_long_name)]
    found = by_topic.values_list("pk").union(*of_meetings, *of_visits, all=True)
    return found.query.sql_with_params()


def _texts(kind: str, wanted: Iterable[str], trigrams: bool) -> models.QuerySet[Any]:
    """The kept texts of a kind that contain one of some folded texts."""
    condition = Q(pk__in=[])
    for text in wanted:
        condition |= _contains(text, trigrams)
    return apps.get_model("reports", "SearchText").objects.filter(condition, kind=kind).values_list("text")


def _contains(wanted: str, trigrams: bool) -> Q:
    if len(wanted) > LONGEST:
        return Q(pk__in=[])
    if trigrams and len(wanted) >= 3:
        phrase = '"{}"'.format(wanted.replace('"', '""'))
        # Only a name of our own is in the text; the phrase is bound.
        return Q(pk__in=RawSQL(f"SELECT rowid FROM {TRIGRAMS} WHERE {TRIGRAMS} MATCH %s", [phrase]))  # noqa: S608, S611
    # On PostgreSQL its index by trigrams answers this as well, where it is there.
    return Q(text__contains=wanted)


# The databases whose index was seen, by their names: it is made once and stays.
_seen: set[str] = set()
_PARTS = {
    # Without one of its triggers the index would miss what is new.
    "sqlite": (
        "sqlite_master",
        "name",
        (TRIGRAMS, *(f"{TRIGRAMS}_{event}" for event in ("insert", "delete", "update"))),
    ),
    "postgresql": ("pg_indexes", "indexname", (TRIGRAMS,)),
}


def trigrams_are_there() -> bool:
    """Whether the database has its index by trigrams; without it a search reads every distinct text."""
    database = str(connection.settings_dict["NAME"])
    if database not in _seen:
        table, column, parts = _PARTS[connection.vendor]
        marks = ", ".join(["%s"] * len(parts))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {column} IN ({marks})", parts)  # noqa: S608
            if cursor.fetchone()[0] < len(parts):
                return False
        _seen.add(database)
    return True


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
    return Q(**{f"{meeting}__in": visits.order_by().filter(named(chosen.name)).values("meeting")})


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
        rows = self if chosen.name is None else self.filter(named(chosen.name))
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
