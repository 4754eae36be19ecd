"""How rows are selected. Every filter of the site is applied here and nowhere else."""

from __future__ import annotations

import re
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
from django.db.models.sql import Query

from reports.expressions import LONG, AmongFew, Long, Short, Topic
from reports.filter import NOT_TOLD, Filter
from reports.text import fold

if TYPE_CHECKING:
    from reports.models import Meeting, Participant, TelephonyUsage
else:
    Meeting = Participant = TelephonyUsage = Any

# The index of SQLite by trigrams, over SearchText (see search.py): a name that only this project has.
TRIGRAMS = "reports_searchtext_trigrams"


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
    if chosen.q and (wanted := fold(chosen.q)):
        by_trigrams = connection.vendor == "sqlite" and trigrams_are_there()
        statement, parameters = _found(wanted, connection.vendor, by_trigrams)
        if not statement:
            return Q(pk__in=[])
        # Django made the statement (see there).
        condition &= Q(AmongFew(F(prefix.removesuffix("__") or "pk"), RawSQL(statement, parameters)))  # noqa: S611
    return condition


def of_topic(topic: str, prefix: str = "") -> Q:
    """Meetings of one folded topic, whole."""
    if len(topic) < LONG:
        return Q(Exact(Topic(f"{prefix}search"), topic))
    # A folded topic holds no line break: the first one ends it (see summaries.search_text).
    begins = Exact(StrIndex(F("search"), Value(f"{topic}\n")), 1)
    meetings = apps.get_model("reports", "Meeting").objects.order_by().filter(Long("search"), begins)
    return Q(**{f"{prefix.removesuffix('__') or 'pk'}__in": meetings.values("pk")})


def named(key: str) -> Q:
    """Visits of one folded name, whole."""
    # To the letter, or the database does not see that an index has them all.
    return Q(Short("name_key") if len(key) < LONG else Long("name_key"), name_key=key)


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
    by_topic = meetings.filter(AmongFew(Topic("search"), _texts("topic", wanted, trigrams)))
    by_name = visits.filter(Short("name_key"), AmongFew(F("name_key"), _texts("name", wanted, trigrams)))
    in_long = meetings.filter(Long("search")).alias(at=StrIndex("search", Value(wanted))).filter(at__gt=0)
    in_long_name = visits.filter(Long("name_key")).alias(at=StrIndex("name_key", Value(wanted))).filter(at__gt=0)
    ways = [by_name.values_list("meeting"), in_long.values_list("pk"), in_long_name.values_list("meeting")]
    digits = re.sub(r"[\s-]", "", wanted)  # a number may be typed with gaps
    if re.fullmatch(r"\d+", digits, re.ASCII):
        ways.append(meetings.filter(AmongFew(F("meeting_id"), _texts("number", digits, trigrams))).values_list("pk"))
    return by_topic.values_list("pk").union(*ways, all=True).query.sql_with_params()


def _texts(kind: str, wanted: str, trigrams: bool) -> Query | RawSQL:
    """The kept texts of a kind that contain a folded text."""
    texts = apps.get_model("reports", "SearchText").objects.filter(kind=kind)
    if len(wanted) >= LONG:
        return texts.none().values_list("text").query
    if trigrams and len(wanted) >= 3:
        # CROSS: from what the index has found to the texts, never the other way round. Only names of our own are
        # in the statement; the values are bound.
        statement = (
            f"SELECT kept.text FROM {TRIGRAMS} found CROSS JOIN {texts.model._meta.db_table} kept "  # noqa: S608
            f"ON kept.id = found.rowid WHERE found.{TRIGRAMS} MATCH %s AND kept.kind = %s"
        )
        return RawSQL(statement, ['"{}"'.format(wanted.replace('"', '""')), kind])  # noqa: S611
    # On PostgreSQL its index by trigrams answers this as well, where it is there.
    return texts.filter(text__contains=wanted).values_list("text").query


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
    return _clock_hour(hour, ZoneInfo(settings.TIME_ZONE))


@lru_cache(maxsize=4096)  # a page looks at hundreds of them, and the next one at the same
def _clock_hour(hour: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    local = hour.replace(tzinfo=zone)
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
