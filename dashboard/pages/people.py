"""Attendance by display name: all of them, and one."""

from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import cards, charts, filters, limits, tables
from dashboard.cards import Card
from dashboard.pages import base
from dashboard.places import PLACES
from dashboard.tables import Cell, Spec, Table
from dashboard.templatetags import ledger
from reports.figures import people as figures
from reports.figures import period
from reports.figures.people import Attended, Person
from reports.filter import Filter
from reports.models import Participant
from reports.text import is_removed, name_key

ROWS_A_PAGE = 50


def person_url(key: str, chosen: Filter | None = None, **changes: object) -> str:
    """The page of a display name, under a filter. A blank stands for those without a name."""
    # Browsers take `.` and `..` for folders; a blank after them changes no name and keeps them.
    shown = f"{key} " if key in {"", ".", ".."} else key
    path = reverse("person", kwargs={"name": "NAME"}).replace("NAME", quote(shown, safe=""))
    return filters.link(path, chosen, **{"sort": "", "q": "", **changes}) if chosen else path


def shown_name(name: str) -> str:
    """A name as a page of many meetings writes it: all that were removed are one."""
    return _("(names removed)") if is_removed(name) else name or _("(no name)")


def specs() -> list[Spec]:
    """The columns of the table of names."""
    return [
        Spec("name", _("Display name")),
        Spec("meetings", _("Meetings"), True),
        Spec("visits", _("Visits"), True),
        Spec("minutes", _("Attended"), True, _("min")),
        Spec("mean_minutes", _("A meeting"), True, _("min"), sortable=False),
        Spec("late", _("Late"), True),
        Spec("late_percent", _("Late"), True, "%"),
        Spec("last", _("Last seen")),
    ]


def cells(person: Person, chosen: Filter, most: Person) -> list[Cell]:
    """A display name as a row of `specs`."""
    return [
        Cell(shown_name(person.name), person_url(person.key, chosen)),
        Cell(ledger.count(person.meetings), bar=tables.bar(person.meetings, most.meetings)),
        Cell(ledger.count(person.visits)),
        Cell(ledger.minutes(person.seconds), bar=tables.bar(person.seconds, most.seconds)),
        Cell(ledger.minutes(person.mean_seconds)),
        Cell(ledger.count(person.late)),
        Cell(ledger.tenths_percent(person.late_share), bar=tables.bar(person.late_share, 1)),
        Cell(ledger.moment(timezone.localtime(person.last)) if person.last else ledger.UNKNOWN, one_line=True),
    ]


@require_safe
@base.clear_filters
@base.remembered
def people(request: base.HtmxHttpRequest) -> HttpResponse:
    """The display names in the meetings of a filter, fifty a page."""
    now = timezone.now()
    chosen = base.parse(request, now, figures.PERSON_SORTS)
    path = reverse("people")
    found = figures.some_people(chosen, now, ROWS_A_PAGE)
    page = tables.Counted(range(found.names), found.names, ROWS_A_PAGE).get_page(chosen.page)
    columns = tables.columns(path, chosen, specs(), figures.PERSON_DEFAULT_SORT)
    frame = base.frame(path, chosen, now, parts=filters.TABLE_PARTS)
    frame["filter_form"]["csv_links"] = base.csv_links(replace(chosen, sort=""), PLACES["people"].tables)
    context = {
        **frame,
        "page": page,
        "by_name": found.by_name,
        "table": Table(
            "people",
            _("People"),
            columns,
            [tables.aligned(cells(one, chosen, found.most), columns) for one in found.rows],
        ),
        "pager": tables.pager(path, chosen, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "people/people.html", "people/_fragment.html", context)


def attended_specs() -> list[Spec]:
    """The columns of the meetings that one name attended, named as in attendees.csv."""
    return [
        Spec("start_time", _("Start")),
        Spec("topic", _("Topic")),
        Spec("room", _("Room")),
        Spec("first_join", _("First join")),
        Spec("last_leave", _("Last leave")),
        Spec("visits", _("Visits"), True),
        Spec("minutes", _("Attended"), True, _("min")),
        Spec("presence_percent", _("Presence"), True, "%"),
        Spec("late_minutes", _("Late"), True, _("min")),
    ]


def attended_cells(one: Attended) -> list[Cell]:
    """One attended meeting as a row of `attended_specs`."""
    meeting, presence = one
    attendee, late = presence.attendee, presence.late
    left = ledger.clock(timezone.localtime(attendee.last_leave))
    return [
        Cell(ledger.moment(timezone.localtime(meeting.start_time)), one_line=True),
        Cell(str(meeting), reverse("meeting", args=[meeting.pk])),
        Cell(str(meeting.room) if meeting.room else _("unknown room")),
        Cell(ledger.clock(timezone.localtime(attendee.first_join))),
        Cell(left, note=_("provisional") if attendee.provisional else ""),
        Cell(ledger.count(attendee.visits)),
        Cell(ledger.minutes(attendee.seconds)),
        Cell(ledger.tenths_percent(presence.share)),
        Cell(ledger.minutes(late or 0)),
    ]


def figure_cards(sums: Person, chosen: Filter, before: Filter | None, now: datetime) -> list[Card]:
    """The figures of one display name. sums: those of `chosen`, whose name it is."""
    past = figures.person(before, now) if before else Person(sums.key)
    against = cards.against(before, chosen)
    late = _("%(minutes)s min in all") % {"minutes": ledger.minutes(sums.late_seconds)}
    return [
        cards.compared(
            "meetings",
            _("Meetings"),
            sums.meetings,
            past.meetings,
            ledger.count,
            against,
            url=filters.link(reverse("meetings"), chosen, compare=False),
        ),
        cards.compared(
            "attended_hours", _("Attended hours"), sums.seconds, past.seconds, ledger.hours, against, unit=_("h")
        ),
        cards.compared(
            "mean_minutes",
            _("Minutes a meeting"),
            sums.mean_seconds,
            past.mean_seconds,
            ledger.minutes,
            against,
            unit=_("min"),
        ),
        cards.compared("visits", _("Visits"), sums.visits, past.visits, ledger.count, against),
        cards.compared("late", _("Joined late"), sums.late, past.late, ledger.count, against, hint=late),
    ]


@require_safe
@base.clear_filters
@base.remembered
def person(request: base.HtmxHttpRequest, name: str) -> HttpResponse:
    """The meetings of one display name. The name in the address is folded as names are when they are compared."""
    now = timezone.now()
    key = name_key(name)
    seen = Participant.objects.matching(Filter(name=key, allowed_rooms=limits.allowed_rooms(request.user)))
    if not seen.exists():
        raise Http404
    asked = base.parse(request, now)
    chosen = replace(asked, name=key)
    path = person_url(key)
    year = period.year_up_to(chosen, now)
    sums = figures.person(chosen, now)
    page = tables.Counted(range(sums.meetings), sums.meetings, ROWS_A_PAGE).get_page(chosen.page)
    shown = figures.some_attended(chosen, now, max(0, page.start_index() - 1), page.end_index())
    columns = tables.plain_columns(attended_specs())
    spelled = sums.name or seen.order_by("-join_time").values_list("name", flat=True)[0]
    frame = base.frame(path, asked, now)
    frame["filter_form"]["csv_links"] = base.csv_links(chosen, PLACES["person"].tables)
    # Under the name as it is compared; what was removed already has no name.
    may_erase = request.user.has_perm("dashboard.erase_names") and not limits.is_limited(request.user)
    own = path if may_erase and key and not is_removed(key) else ""
    context = {
        **frame,
        "erase_url": f"{own}erase/" if own else "",
        "held_url": f"{own}held.json" if own else "",
        "name": shown_name(" ".join(spelled.split())),
        "cards": figure_cards(sums, chosen, period.known_before(chosen, now), now),
        "chart": charts.attendance_by_month(
            figures.by_month(year, now), replace(year, name=None), path, filters.link(reverse("attendees-csv"), year)
        ),
        "page": page,
        "table": Table(
            "attended",
            _("Meetings"),
            columns,
            [tables.aligned(attended_cells(one), columns) for one in shown],
        ),
        "pager": tables.pager(path, asked, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "person/person.html", "person/_fragment.html", context)
