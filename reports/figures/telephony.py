"""What telephone calls cost: by month, room, direction, country and number; the dearest; the unpriced.

A call belongs to the local day of its own start, its meeting's where that is missing. Calls without a price
are counted as unpriced and never as free.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from django.db.models import F, Q, Subquery

from reports import kept, rawrows, summing
from reports.figures import added
from reports.figures.groups import Order
from reports.figures.period import span
from reports.filter import Filter
from reports.models import Meeting, Room, TelephonyUsage
from reports.querysets import TelephonyUsageQuerySet
from reports.sums import CALL_SUMS

GROUPS = ("type", "country", "phone", "room")


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


def _calls(row: Mapping[str, Any] | None) -> Calls:
    """A row of CALL_SUMS."""
    if row is None or not row["dials"]:
        return Calls()
    return Calls(
        calls=row["dials"],
        seconds=row["dial_seconds"],
        cost=row["cost"],
        unpriced=row["unpriced"],
        priced_seconds=row["priced_seconds"] or 0,
        priced_cost=row["priced_cost"] or Decimal(0),
    )


def total(chosen: Filter) -> Calls:
    """All calls of a filter."""
    # The table, the cards and the dearest meetings of a page each ask for it.
    plain = replace(chosen, sort="", page=1)
    found: Calls = kept.once(("calls", plain), lambda: _calls(added.calls(plain, CALL_SUMS)))
    return found


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that have one value in common. key: as the filter takes it; room: where they are told apart by it."""

    key: str
    calls: Calls
    room: Room | None = None
    last: date | None = None


def groups(chosen: Filter, by: str) -> list[Group]:
    """Calls told apart by one of GROUPS, dearest first."""
    return _groups(added.CALLS[by].every(chosen, added.CALLS_WITH_LAST), by)


class Dearest(NamedTuple):
    """The dearest groups of calls. groups: how many there are."""

    rows: list[Group]
    groups: int


def dearest(chosen: Filter, by: str, most: int) -> Dearest:
    """The first of `groups`, no more than so many."""
    top = added.CALLS[by].top(chosen, added.CALLS_WITH_LAST, Order("cost"), most)
    return Dearest(_groups(top.rows, by, most), top.groups)


def _groups(rows: Mapping[str, Mapping[str, Any]], by: str, most: int | None = None) -> list[Group]:
    found = sorted(rows.items(), key=lambda item: _dearness(item[1], item[0]))[:most]
    rooms = Room.objects.in_bulk([int(key) for key, _row in found if key]) if by == "room" else {}
    groups = []
    for key, row in found:
        room = rooms.get(int(key)) if by == "room" and key else None
        told = (room.host_id if room else "") if by == "room" else key
        groups.append(Group(told, _calls(row), room, row["last"]))
    return groups


def _dearness(row: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """Dearest first, then the longest: those without a price come last."""
    cost, seconds = row["cost"], row["dial_seconds"]
    return (cost is None, -(cost or 0), seconds is None, -(seconds or 0), -row["dials"], key)


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
    cells: dict[date, dict[str, Calls]] = {}
    month = first.replace(day=1)
    while month <= last:
        cells[month] = {}
        month = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    for (month, kind), row in added.calls_by_month(chosen, "type", CALL_SUMS).items():
        cells[month][kind] = _calls(row)
    found = []
    for month, by_type in cells.items():
        sums = dict(sorted(by_type.items()))
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


NEWEST = ("-meeting__start_time", "-meeting_id", "place")


def calls(chosen: Filter) -> TelephonyUsageQuerySet:
    """The calls of a filter with their meetings and rooms, in its order, else newest meeting first; unknown last."""
    rows = TelephonyUsage.objects.matching(chosen).select_related("meeting", "meeting__room")
    if not chosen.sort:
        return rows.order_by(*NEWEST)
    key = F(TELEPHONY_SORTS[chosen.sort.removeprefix("-")])
    order = key.desc(nulls_last=True) if chosen.sort.startswith("-") else key.asc(nulls_last=True)
    return rows.order_by(order, *NEWEST)


def some_calls(chosen: Filter, of_all: Calls, first: int, last: int) -> list[TelephonyUsage]:
    """The calls of a filter from a place to another (excluded), in the order of `calls`. of_all: its `total`."""
    rows = calls(chosen)
    if chosen.sort == "-cost":
        priced = rows.filter(total__isnull=False)
        if last <= of_all.calls - of_all.unpriced:
            # An index has them in this order; those without a price come after all of these.
            rows = priced.order_by("-total", *NEWEST)
            if kept.serves(chosen) and last > 0:
                # Else the meetings of all of them would be looked up for the order of the few that cost the same.
                cut = priced.select_related(None).order_by("-total").values("total")[last - 1 : last]
                rows = rows.filter(total__gte=Subquery(cut))
    # Their ids are put in order first: what a page shows of them is much, and only a few are shown.
    ids = _newest_ids(chosen, rows, first, last)
    if ids is None:
        ids = list(rows.select_related(None).values_list("pk", flat=True)[first:last])
    found = TelephonyUsage.objects.select_related("meeting", "meeting__room").in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


NEAR = 500  # meetings whose ids a statement takes


def _newest_ids(chosen: Filter, rows: TelephonyUsageQuerySet, first: int, last: int) -> list[int] | None:
    """The ids of the calls from a place to another where that is quick; None where it is not.

    Each of the newest meetings with a call has one at least: so many meetings as calls are enough, unless some of
    their calls are of days before the period.
    """
    if chosen.sort or last > NEAR or not kept.serves(chosen) or not kept.holds_end(chosen):
        return None
    near = Meeting.objects.filter(calls__gt=0).order_by("-start_time", "-pk")
    meetings = list(near.values_list("pk", flat=True)[:last])
    of_these = rows.filter(meeting__in=meetings).select_related(None).values_list("pk", flat=True)
    ids = list(of_these[first:last])
    return ids if len(ids) == last - first else None


FEW_CALLS = 3000  # are added up by meeting in no time


def dearest_meetings(chosen: Filter, most: int) -> list[tuple[Meeting, Calls]]:
    """The meetings whose calls of the period cost most."""
    calls: TelephonyUsageQuerySet = TelephonyUsage.objects.matching(chosen).order_by()
    rows = calls.filter(total__gt=0)
    many = kept.serves(chosen) and total(chosen).calls > FEW_CALLS
    found = _dearest(rows, most) if many and not _any_credit() else _dearest_among(rows, most)
    meetings = Meeting.objects.select_related("room").in_bulk([pk for pk, _row in found])
    return [(meetings[pk], _calls(row)) for pk, row in found if pk in meetings]


def _dearest_among(rows: "TelephonyUsageQuerySet", most: int) -> list[tuple[int, added.Row]]:
    """The dearest meetings of some priced calls, by their ids, with CALL_SUMS of these."""
    found = summing.first_groups(rows, "meeting_id", CALL_SUMS, "cost", most)
    return [(pk, dict(zip(CALL_SUMS, values, strict=True))) for pk, *values in found]


def _any_credit() -> bool:
    """Whether any call has a price below zero: then a meeting's cost is no bound of what some of its calls cost."""
    return TelephonyUsage.objects.filter(total__isnull=False, total__lt=0).exists()


def _dearest(rows: "TelephonyUsageQuerySet", most: int) -> list[tuple[int, added.Row]]:
    """What `_dearest_among` gives, out of the meetings by what all their calls cost.

    In the period a meeting's calls cost at most that, as long as no price is below zero: once as many as are wanted
    cost more than the next meeting altogether, none that follows is among them.
    """
    ways = Meeting.objects.filter(call_cost__gt=0).order_by("-call_cost", "-pk")
    found: list[tuple[int, added.Row]] = []
    rest, size = ways, most
    # Raw: of hundreds of meetings the last one's cost alone is looked at.
    while part := rawrows.every(rest.values_list("pk", "call_cost")[:size]):
        found += _dearest_among(rows.filter(meeting__in=[pk for pk, _cost in part]), most)
        found.sort(key=lambda one: (one[1]["cost"], one[0]), reverse=True)
        pk, raw = part[-1]
        [[cost]] = kept.told(Meeting, ["call_cost"], [[raw]])
        if len(found) >= most and found[most - 1][1]["cost"] > cost:
            break
        # From where it stands, not from how many there were: what is pulled meanwhile would move a meeting into two.
        rest, size = ways.filter(Q(call_cost__lt=cost) | Q(pk__lt=pk), call_cost__lte=cost), NEAR
    return found[:most]
