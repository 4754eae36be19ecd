"""What is added up over meetings, calls and attendees, defined once.

The same expressions give a figure straight from the rows and, computed ahead, the kept sums of a stretch of
days (see kept.py). A sum over nothing that tells is unknown; the `tell_…` and `…_count` columns say how many told.
"""

from datetime import datetime
from typing import Any

from django.db.models import (
    Aggregate,
    BigIntegerField,
    Case,
    CharField,
    Count,
    ExpressionWrapper,
    F,
    Func,
    Max,
    Min,
    Q,
    SmallIntegerField,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce

from reports.models import Meeting
from reports.querysets import judged

# Meetings ------------------------------------------------------------------------------------------------

MEETING_SUMS = {
    "meetings": Count("pk"),
    "extra": Count("pk", filter=Q(is_extra=True)),
    "empty": Count("pk", filter=Q(state=Meeting.State.EMPTY)),
    "solo": Count("pk", filter=Q(state=Meeting.State.SOLO)),
    "unreported": Count("pk", filter=Q(state=Meeting.State.UNREPORTED)),
    "running": Count("pk", filter=Q(end_time=None)),
    "booked": Sum("duration"),
    "opened": Sum("open_seconds"),
    "used": Sum("used_seconds"),
    "people": Sum("attendees"),
    "people_seconds": Sum("attendee_seconds"),
    "stays": Sum("visits"),
    # How many tell it at all.
    "tell_extra": Count("is_extra"),
    "tell_booked": Count("duration"),
    "tell_people": Count("attendees"),
    "tell_calls": Count("calls"),
}

_judged = judged()
_told = _judged & Q(participants_reported=True)
PAST = ExpressionWrapper(F("open_seconds") - F("duration"), BigIntegerField())
_short = ExpressionWrapper(F("duration") - F("open_seconds"), BigIntegerField())
_over, _early = _judged & Q(open_seconds__gt=F("duration")), _judged & Q(open_seconds__lt=F("duration"))
BOOKING_SUMS = {
    "meetings": Count("pk"),
    "judged_count": Count("pk", filter=_judged),
    "untold_count": Count("pk", filter=Q(end_time__isnull=False) & ~_judged),
    "told_count": Count("pk", filter=_told),
    "running_state": Count("pk", filter=Q(state=Meeting.State.RUNNING)),
    "unreported": Count("pk", filter=Q(state=Meeting.State.UNREPORTED)),
    "empty": Count("pk", filter=Q(state=Meeting.State.EMPTY)),
    "solo": Count("pk", filter=Q(state=Meeting.State.SOLO)),
    "over_count": Count("pk", filter=_over),
    "over_sum": Sum(PAST, filter=_over),
    "early_count": Count("pk", filter=_early),
    "early_sum": Sum(_short, filter=_early),
    "booked_sum": Sum("duration", filter=_judged),
    "used_sum": Sum("used_seconds", filter=_told),
    "used_booked_sum": Sum("duration", filter=_told),
    "spare_sum": Sum("spare_seconds", filter=_told),
}

BUCKET = 15 * 60
BUCKETS = 4  # on each side, and one more for all beyond
EDGES = [BUCKET * number for number in range(BUCKETS + 1)]


# In which of the buckets a judged meeting ended. 0: as booked; 1: within the first quarter of an hour after its booked
# end, and so on; negative: before it.
ENDS_BUCKET = Case(
    *(When(open_seconds__gt=F("duration") + edge, then=place + 1) for place, edge in reversed([*enumerate(EDGES)])),
    *(When(open_seconds__gte=F("duration") - edge, then=-place) for place, edge in enumerate(EDGES)),
    default=-len(EDGES),
    output_field=SmallIntegerField(),
)
JUDGED = _judged


UNKNOWN_ROOM = 0
# By what meetings are told apart.
ROOM_KEY = Coalesce(F("room_id"), Value(UNKNOWN_ROOM), output_field=BigIntegerField())


# Calls -----------------------------------------------------------------------------------------------------

CALL_SUMS = {
    "dials": Count("pk"),
    "dial_seconds": Sum("duration"),
    "cost": Sum("total"),
    "unpriced": Count("pk", filter=Q(total=None)),
    "priced_seconds": Sum("duration", filter=Q(total__isnull=False)),
    "priced_cost": Sum("total", filter=Q(duration__gt=0)),
}

# By what they are told apart, as texts: the id of their meeting's room is one too.
CALL_KEYS = {
    "all": Value("", TextField()),
    "room": Coalesce(Cast(F("meeting__room_id"), CharField()), Value("")),
    "type": F("type"),
    "country": F("country"),
    "phone": F("phone_number"),
}


# Texts -----------------------------------------------------------------------------------------------------


class Lines(Aggregate):
    """Some texts, none of which has a line break, as the lines of one, in no order; NULL of no text."""

    function = "STRING_AGG"
    name = "Lines"
    output_field = TextField()

    def __init__(self, text: Any, **extra: Any) -> None:
        super().__init__(text, Value("\n"), **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, function="GROUP_CONCAT", **extra)


# The newest of some texts ---------------------------------------------------------------------------------


class Newest(Aggregate):
    """The text that goes with the latest moment, as one text that sorts: of equals the greatest text.

    In: a moment and a text. Out: what `newest` takes apart. As one text, it can be kept and compared again.
    """

    name = "Newest"
    arity = 2
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(
            compiler, connection, template="MAX(%(expressions)s)", arg_joiner=" || char(9) || ", **extra
        )

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        moment, text = self.get_source_expressions()[:2]
        moment_sql, moment_parameters = compiler.compile(moment)
        text_sql, text_parameters = compiler.compile(text)
        written = f"to_char({moment_sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || chr(9) || {text_sql}"
        # Byte order, which is that of the code points: the same on every database.
        return f'MAX(({written}) COLLATE "C")', [*moment_parameters, *text_parameters]


def newest(kept: str) -> tuple[datetime, str]:
    """The latest moment (UTC) and its text, of what `Newest` gave."""
    moment, _tab, text = kept.partition("\t")
    return datetime.fromisoformat(f"{moment}+00:00"), text


def newest_text(kept: str) -> str:
    """The text alone of what `Newest` gave."""
    return kept.partition("\t")[2]


# The moment of a column `newest`, as a text that sorts, for the text of a statement.
NEWEST_MOMENT = {
    "sqlite": "substr(newest, 1, instr(newest, char(9)) - 1)",
    "postgresql": 'split_part(newest, chr(9), 1) COLLATE "C"',
}


class FoldedTopic(Func):
    """The folded topic out of what a meeting keeps for the search: it ends at the first line break."""

    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "substr(%(expressions)s, 1, instr(%(expressions)s, char(10)) - 1)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="split_part(%(expressions)s, chr(10), 1)", **extra)


SERIES_KEYS = {"number": F("meeting_id"), "topic": FoldedTopic("search")}
SERIES_SUMS = {
    **BOOKING_SUMS,
    "tell_people": MEETING_SUMS["tell_people"],
    "newest": Newest("start_time", "topic"),
    "least_number": Min("meeting_id"),
    "most_number": Max("meeting_id"),
}

# Attendees ---------------------------------------------------------------------------------------------

# Over the first visit of each attendee of a meeting, which carries their figures (see Participant).
ATTENDEE_SUMS = {
    "attended": Count("pk"),
    "visits": Sum("attendee_visits"),
    "seconds": Sum("attendee_seconds"),
    "late": Count("pk", filter=Q(late_seconds__gt=0)),
    "late_sum": Sum("late_seconds"),
    "first_join": Min("join_time"),
    "newest": Newest("join_time", "name"),
}
