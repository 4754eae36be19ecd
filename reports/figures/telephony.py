"""What telephone calls cost: by month, room, direction, country and number; the dearest; the unpriced.

A call belongs to the local day of its own start, its meeting's where that is missing. Calls without a price
are counted as unpriced and never as free.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Count, F, Max, Q, Sum

from reports.figures.period import span
from reports.filter import Filter
from reports.models import Meeting, Room, TelephonyUsage
from reports.querysets import TelephonyUsageQuerySet

GROUPS = {"type": "type", "country": "country", "phone": "phone_number", "room": "meeting__room_id"}


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls added up. seconds and cost are None when none of the calls tells it; cost is exact yuan.

    priced_seconds: of the calls that have both a price and a length; priced_cost: of the same.
    """

    calls: int = 0
    seconds: int | None = 0
    cost: Decimal | None = Decimal("0.00")
    unpriced: int = 0
    priced_seconds: int = 0
    priced_cost: Decimal = Decimal(0)

    @property
    def minute_price(self) -> Decimal | None:
        """Yuan a minute, to four places, over the calls that have a price and a length; None without any."""
        if not self.priced_seconds:
            return None
        return (self.priced_cost * 60 / self.priced_seconds).quantize(Decimal("0.0001"), ROUND_HALF_UP)


SUMS = {
    "calls": Count("pk"),
    "seconds": Sum("duration"),
    "cost": Sum("total"),
    "unpriced": Count("pk", filter=Q(total=None)),
    "priced_seconds": Sum("duration", filter=Q(total__isnull=False)),
    "priced_cost": Sum("total", filter=Q(duration__gt=0)),
}


def _calls(row: Mapping[str, Any]) -> Calls:
    if not row["calls"]:
        return Calls()
    return Calls(
        calls=row["calls"],
        seconds=row["seconds"],
        cost=row["cost"],
        unpriced=row["unpriced"],
        priced_seconds=row["priced_seconds"] or 0,
        priced_cost=row["priced_cost"] or Decimal(0),
    )


def _rows(chosen: Filter) -> TelephonyUsageQuerySet:
    rows: TelephonyUsageQuerySet = TelephonyUsage.objects.matching(chosen).order_by()
    return rows


def total(chosen: Filter) -> Calls:
    """All calls of a filter."""
    return _calls(_rows(chosen).aggregate(**SUMS))


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that have one value in common. key: as the filter takes it; room: where they are told apart by it."""

    key: str
    calls: Calls
    room: Room | None = None
    last: date | None = None


def groups(chosen: Filter, by: str, most: int | None = None) -> list[Group]:
    """Calls told apart by one of GROUPS, dearest first; `most`: no more than so many."""
    column = GROUPS[by]
    # Dearest first, then the longest: those without a price come last.
    rows = _rows(chosen).values(column).annotate(**SUMS, last=Max("local_day"))
    rows = rows.order_by(F("cost").desc(nulls_last=True), F("seconds").desc(nulls_last=True), "-calls", column)
    found = list(rows[:most] if most else rows)
    rooms = Room.objects.in_bulk([row[column] for row in found if row[column]]) if by == "room" else {}
    groups = []
    for row in found:
        room = rooms.get(row[column])
        key = (room.host_id if room else "") if by == "room" else row[column]
        groups.append(Group(key, _calls(row), room, row["last"]))
    return groups


def group_count(chosen: Filter, by: str) -> int:
    """How many different values there are."""
    return int(_rows(chosen).values(GROUPS[by]).distinct().count())


@dataclass(frozen=True, slots=True)
class Month:
    """The calls of one month: all, and by direction as the API names it."""

    first: date
    calls: Calls
    by_type: Mapping[str, Calls]


def months(chosen: Filter, now: datetime) -> list[Month]:
    """Calls of each month of the filter's period, by direction; months without a call included.

    Of a month that the period cuts, only the days inside it count.
    """
    first, last = span(chosen, now)
    rows = _rows(chosen).values("local_day", "type").annotate(**SUMS)
    cells: dict[date, dict[str, list[Calls]]] = {}
    month = first.replace(day=1)
    while month <= last:
        cells[month] = {}
        month = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    for row in rows:
        cells[row["local_day"].replace(day=1)].setdefault(row["type"], []).append(_calls(row))
    found = []
    for month, by_type in cells.items():
        sums = {kind: add(calls) for kind, calls in sorted(by_type.items())}
        found.append(Month(month, add(sums.values()), sums))
    return found


def add(parts: Iterable[Calls]) -> Calls:
    """Calls added up; a part that does not know a figure is left out, and where none knows it, it is unknown."""
    parts = [part for part in parts if part.calls]
    if not parts:
        return Calls()
    seconds = [part.seconds for part in parts if part.seconds is not None]
    costs = [part.cost for part in parts if part.cost is not None]
    return Calls(
        calls=sum(part.calls for part in parts),
        seconds=sum(seconds) if seconds else None,
        cost=sum(costs, Decimal(0)) if costs else None,
        unpriced=sum(part.unpriced for part in parts),
        priced_seconds=sum(part.priced_seconds for part in parts),
        priced_cost=sum((part.priced_cost for part in parts), Decimal(0)),
    )


def types(months: Iterable[Month]) -> list[str]:
    """The directions that occur, the usual ones first."""
    found = {kind for month in months for kind in month.by_type}
    return sorted(found, key=lambda kind: ({"call-in": 0, "call-out": 1}.get(kind.casefold(), 2), kind))


TELEPHONY_SORTS = {
    "uuid": "meeting__uuid",
    "host_id": "meeting__room__host_id",
    "room": "meeting__room__name",
    "meeting_id": "meeting__meeting_id",
    "topic": "meeting__search",
    "phone_number": "phone_number",
    "country": "country",
    "type": "type",
    "start_time": "start_time",
    "end_time": "end_time",
    "minutes": "duration",
    "cost": "total",
}


def calls(chosen: Filter) -> TelephonyUsageQuerySet:
    """The calls of a filter with their meetings and rooms, in its order, else newest meeting first; unknown last."""
    rows = TelephonyUsage.objects.matching(chosen).select_related("meeting", "meeting__room")
    default = ("-meeting__start_time", "-meeting_id", "place")
    if not chosen.sort:
        return rows.order_by(*default)
    key = F(TELEPHONY_SORTS[chosen.sort.removeprefix("-")])
    order = key.desc(nulls_last=True) if chosen.sort.startswith("-") else key.asc(nulls_last=True)
    return rows.order_by(order, *default)


def dearest_meetings(chosen: Filter, most: int) -> list[tuple[Meeting, Calls]]:
    """The meetings whose calls of the period cost most."""
    rows = (
        _rows(chosen)
        .filter(total__gt=0)
        .values("meeting")
        .annotate(**SUMS)
        .order_by(F("cost").desc(), "-meeting")[:most]
    )
    found = list(rows)
    kept = Meeting.objects.select_related("room").in_bulk([row["meeting"] for row in found])
    return [(kept[row["meeting"]], _calls(row)) for row in found if row["meeting"] in kept]
