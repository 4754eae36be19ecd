"""The pool: rooms at once against its size, when it ran short, and how many rooms would have done."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import charts, filters, pool_cards, pool_charts, tables
from dashboard.cards import Card
from dashboard.pages import base
from dashboard.places import PLACES
from dashboard.tables import Cell, Spec, Table
from dashboard.templatetags import ledger
from reports.courses import Hour
from reports.figures import period, pool
from reports.figures.pool import OfSize, Picture
from reports.filter import Filter
from reports.models import Meeting

WORST = 10
ROWS = 10
# What selects some of the meetings, besides the period and the rooms.
NARROWING = (
    *("q", "state", "extra", "calls", "weekday", "hour", "type", "country", "phone", "priced", "uuid", "name"),
    *("number", "topic", "during", "booked"),
)


def is_narrowed(chosen: Filter) -> bool:
    """Whether other meetings may have occupied rooms at the same time that are not counted."""
    everything = Filter()
    return any(getattr(chosen, name) != getattr(everything, name) for name in NARROWING)


# Tables ------------------------------------------------------------------------------------------------------


def moment(at: datetime) -> str:
    """A moment where the site is."""
    return ledger.moment(timezone.localtime(at))


def clock_hour(at: datetime) -> datetime:
    """The full hour that the local clock shows at a moment, without a zone."""
    local = at.astimezone(ZoneInfo(settings.TIME_ZONE))
    return local.replace(minute=0, second=0, microsecond=0, tzinfo=None)


def worst_table(worst: Sequence[Hour], chosen: Filter) -> Table:
    """The clock hours with the most rooms at once; each leads to the meetings that occupied them."""
    columns = tables.plain_columns(
        [
            Spec("hour", _("Hour")),
            Spec("most", _("Most rooms"), True),
            Spec("room_hours", _("Occupied"), True, _("room hours")),
            Spec("meetings", _("Meetings"), True),
        ]
    )
    meetings = reverse("meetings")
    longest = max((one.room_seconds for one in worst), default=0)
    rows = []
    for one in worst:
        url = pool_charts.hour_url(meetings, chosen, one.hour)
        cells = [
            Cell(f"{ledger.day(one.hour)} {one.hour:%H:%M}", url, one_line=True),
            Cell(ledger.count(one.most)),
            Cell(ledger.hours2(one.room_seconds), bar=tables.bar(one.room_seconds, longest)),
            Cell(ledger.count(one.meetings), url),
        ]
        rows.append(tables.aligned(cells, columns))
    return Table("worst-hours", _("Worst hours"), columns, rows)


def short_table(seen: Picture, chosen: Filter, now: datetime) -> Table:
    """The longest stretches without a free room; each leads to the meetings of the hour in which it began."""
    columns = tables.plain_columns(
        [
            Spec("start", _("From")),
            Spec("end", _("To")),
            Spec("minutes", _("Time"), True, _("min")),
            Spec("most", _("Most rooms"), True),
            Spec("began", _("Meetings begun"), True),
            Spec("without", _("Found none"), True),
            Spec("extra", _("In extra rooms"), True),
        ]
    )
    meetings = reverse("meetings")
    shown = pool.longest_shortages(seen.run, seen.size.rooms, now, ROWS) if seen.size.rooms else []
    longest = max((one.seconds for one in shown), default=0)
    rows = [
        tables.aligned(
            [
                Cell(moment(one.start), pool_charts.hour_url(meetings, chosen, clock_hour(one.start)), one_line=True),
                Cell(_("still so") if one.going_on else moment(one.end), one_line=True),
                Cell(ledger.minutes(one.seconds), bar=tables.bar(one.seconds, longest)),
                Cell(ledger.count(one.most)),
                Cell(ledger.count(one.began)),
                Cell(ledger.count(one.without)),
                Cell(ledger.count(one.extra)),
            ],
            columns,
        )
        for one in shown
    ]
    return Table("short", _("When no room was free"), columns, rows)


def extra_table(seen: Picture) -> Table:
    """Extra-room meetings that began while rooms were free, those with the most free rooms first."""
    columns = tables.plain_columns(
        [
            Spec("start", _("Start")),
            Spec("topic", _("Meeting")),
            Spec("free", _("Free rooms"), True),
            Spec("occupied", _("Occupied rooms"), True),
        ]
    )
    shown = seen.extras.needless
    known = Meeting.objects.only("topic", "meeting_id", "uuid").in_bulk([one.use.pk for one in shown])
    rows = [
        tables.aligned(
            [
                Cell(moment(one.use.start), one_line=True),
                Cell(str(known.get(one.use.pk, one.use.uuid)), reverse("meeting", args=[one.use.pk])),
                Cell(ledger.count((seen.size.rooms or 0) - one.others)),
                Cell(ledger.count(one.others)),
            ],
            columns,
        )
        for one in shown
    ]
    return Table("extra", _("Extra rooms while rooms were free"), columns, rows)


def size_table(sizes: Sequence[OfSize], chosen: Filter) -> Table:
    """The pool told apart by the size of its rooms; a size leads to this page for its rooms alone."""
    columns = tables.plain_columns(
        [
            Spec("seats", _("Seats")),
            Spec("rooms", _("Rooms"), True),
            Spec("meetings", _("Meetings"), True),
            Spec("most", _("Rooms at once"), True),
            Spec("all_in_use", _("All in use"), True, _("h")),
            *(
                Spec(f"for_{share}", _("For %(share)s") % {"share": f"{share / 10:g}%"}, True, _("rooms"))
                for share in pool.SHARES
            ),
        ]
    )
    path, meetings = reverse("pool"), reverse("meetings")
    names = {"unknown": _("unknown size"), "extra": _("extra rooms")}
    rows = []
    for one in sizes:
        # The rooms of the filter that are of this size; of another they are not shown.
        hosts = tuple(host for host in one.host_ids if not chosen.rooms or host in chosen.rooms)
        narrowed = {"rooms": hosts, "sort": "", "compare": False}
        cells = [
            Cell(
                ledger.count(one.seats) if one.kind == "size" else names[one.kind],
                filters.link(path, chosen, **narrowed) if hosts else "",
            ),
            Cell(ledger.count(one.rooms)),
            Cell(
                ledger.count(one.asked.meetings),
                filters.link(meetings, chosen, **narrowed) if hosts and one.asked.meetings else "",
            ),
            Cell(ledger.count(one.peak), bar=tables.bar(one.peak, one.rooms) if one.rooms else ""),
            Cell(ledger.hours2(one.all_seconds)),
            *(Cell(ledger.count(one.asked.rooms_for(share))) for share in pool.SHARES),
        ]
        rows.append(tables.aligned(cells, columns))
    return Table("sizes", _("By size of room"), columns, rows)


# The page ----------------------------------------------------------------------------------------------------


def concurrent(seen: Picture, chosen: Filter, csv_url: str) -> charts.Chart:
    """Rooms at once over time: by the hour for a fortnight, by the day for more."""
    meetings = reverse("meetings")
    if pool.is_by_hour(seen.run):
        url = pool_charts.hour_urls(meetings, chosen)
        return pool_charts.concurrent_by_hour(pool.by_hour(seen.run), seen.size.rooms, url, csv_url)
    return pool_charts.concurrent_by_day(pool.by_day(seen.run), seen.size.rooms, meetings, chosen, csv_url)


def cards_of(chosen: Filter, before: Filter | None, now: datetime) -> list[Card]:
    """The cards of the page by themselves."""
    seen, past = pool.picture(chosen, now), pool.picture(before, now) if before else None
    worst = pool.worst_hours(seen.run, 1)
    return pool_cards.figure_cards(chosen, before, seen, past, worst[0] if worst else None)


@require_safe
@base.clear_filters
@base.remembered
def page(request: base.HtmxHttpRequest) -> HttpResponse:
    """The pool over a period."""
    now = timezone.now()
    chosen = base.parse(request, now)
    path = reverse("pool")
    seen = pool.picture(chosen, now)
    before = period.known_before(chosen, now)
    past = pool.picture(before, now) if before else None
    worst = pool.worst_hours(seen.run, WORST)
    sizes = pool.by_size(seen.run, seen.size, chosen.allowed_rooms)
    levels = pool.levels(seen.run)
    hour_url = pool_charts.hour_urls(reverse("meetings"), chosen)
    csv = {
        name: filters.link(reverse(f"{name}-csv"), chosen, compare=False) for name in ("pool", "sizes", "concurrency")
    }
    context = {
        **base.frame(path, chosen, now, PLACES["pool"].tables),
        "sentence": pool_cards.sentence(seen),
        "explanation": pool_cards.explanation(seen.asked),
        "source": pool_cards.source(seen.size),
        "narrowed": is_narrowed(chosen),
        "without_before": chosen.compare and not before,
        "seen": seen,
        "cards": pool_cards.figure_cards(chosen, before, seen, past, worst[0] if worst else None),
        "concurrent": concurrent(seen, chosen, csv["concurrency"]),
        "charts": [
            pool_charts.hours_at_levels(levels, seen.size.rooms, hour_url, csv["pool"]),
            pool_charts.what_if(
                levels, seen.asked, seen.size.rooms, pool_cards.marked(seen.size), hour_url, csv["pool"]
            ),
        ],
        "size_chart": pool_charts.what_if_by_size(sizes, csv["sizes"]),
        "sizes": size_table(sizes, chosen),
        "short": short_table(seen, chosen, now),
        "extra": extra_table(seen),
        "extra_url": filters.link(reverse("meetings"), chosen, extra=True, sort="", compare=False),
        "worst": worst_table(worst, chosen),
    }
    return base.answer(request, "pool/pool.html", "pool/_fragment.html", context)
