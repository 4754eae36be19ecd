"""Meetings that are one series, and who came to how many of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import attendance_grid, cards, filters, limits, tables
from dashboard.cards import Card
from dashboard.pages import base
from dashboard.pages.people import person_url, shown_name
from dashboard.places import PLACES
from dashboard.tables import Cell, Spec, Table
from dashboard.templatetags import ledger
from reports.figures import period
from reports.figures import series as figures
from reports.figures.series import (
    ATTENDANCE_SORTS,
    MEMBER_DEFAULT_SORT,
    MEMBER_SORTS,
    SERIES_DEFAULT_SORT,
    SERIES_SORTS,
    Attendance,
    Brief,
    Member,
)
from reports.filter import SERIES, Filter
from reports.models import Meeting
from reports.text import fold

ROWS_A_PAGE = 25
MEETINGS_A_PAGE = 24
# Of more attendees the first are shown, and the CSV holds all of them.
MOST_ATTENDEES = 200


def series_url(by: str, key: str, chosen: Filter | None = None, **changes: object) -> str:
    """The page of a meeting number or of a folded topic, under a filter. A blank stands for those without a topic."""
    # Browsers take `.` and `..` for folders; a blank after them changes no topic and keeps them.
    shown = f"{key} " if key in {"", ".", ".."} else key
    path = reverse(f"series-{by}", kwargs={"key": "KEY"}).replace("KEY", quote(shown, safe=""))
    return filters.link(path, own(chosen, by), **{"sort": "", **changes}) if chosen else path


def own(chosen: Filter, by: str) -> Filter:
    """A filter without what the address of a series says already."""
    plain = replace(chosen, by=SERIES[0], page=1)
    return replace(plain, number="") if by == "number" else replace(plain, topic=None)


def shown_topic(topic: str) -> str:
    """A topic as a page writes it."""
    return " ".join(topic.split()) or _("(no topic)")


def switch(path: str, chosen: Filter) -> dict[str, Any]:
    """What components/switch.html shows: series by number or by topic."""
    words = {"number": _("By number"), "topic": _("By topic")}
    choices = [(by, words[by], filters.link(path, chosen, by=by), by == chosen.by) for by in SERIES]
    return {"label": _("What makes a series"), "choices": choices}


# All series ----------------------------------------------------------------------------------------------------


def specs() -> list[Spec]:
    """The columns of the table of series."""
    return [
        Spec("series", _("Series")),
        Spec("meetings", _("Meetings"), True),
        Spec("reported_meetings", _("Reported"), True),
        Spec("attendees", _("Attendees"), True),
        Spec("regulars", _("Regulars"), True),
        Spec("mean_attendees", _("A meeting"), True, _("attendees")),
        Spec("attendance_percent", _("Attendance"), True, "%"),
        Spec("last", _("Last meeting")),
    ]


def cells(one: Brief, chosen: Filter, most: int) -> list[Cell]:
    """A series as a row of `specs`."""
    of = one.series
    within = of.within(chosen)
    note = of.key if of.by == "number" else of.meeting_id
    attendees = one.attendees if of.reported else None
    people = filters.link(reverse("people"), within, sort="", compare=False)
    return [
        Cell(shown_topic(of.topic), series_url(of.by, of.key, chosen), note=note),
        Cell(
            ledger.count(of.meetings),
            filters.link(reverse("meetings"), within, sort="", compare=False),
            tables.bar(of.meetings, most),
        ),
        Cell(ledger.count(of.reported)),
        Cell(ledger.count(attendees), people if attendees and not chosen.q else ""),
        Cell(ledger.count(one.regulars if of.reported else None)),
        Cell(ledger.tenths(one.mean_attendees)),
        Cell(ledger.tenths_percent(one.rate), bar=tables.bar(one.rate, 1)),
        Cell(ledger.moment(timezone.localtime(of.last)), one_line=True),
    ]


@require_safe
@base.clear_filters
@base.remembered
def series(request: base.HtmxHttpRequest) -> HttpResponse:
    """The series in a filter, with who came to them."""
    now = timezone.now()
    chosen = base.parse(request, now, SERIES_SORTS | ATTENDANCE_SORTS)
    path = reverse("series-list")
    found = figures.some(chosen, now, ROWS_A_PAGE)
    page = tables.Counted(range(found.series), found.series, ROWS_A_PAGE).get_page(chosen.page)
    columns = tables.columns(path, chosen, specs(), SERIES_DEFAULT_SORT)
    parts = tuple(part for part in filters.PRESENT_PARTS if part != "compare")
    frame = base.frame(path, chosen, now, parts=parts)
    frame["filter_form"]["csv_links"] = base.csv_links(replace(chosen, sort=""), PLACES["series-list"].tables)
    context = {
        **frame,
        "page": page,
        "switch": switch(path, chosen),
        "least": figures.least(chosen),
        "table": Table(
            "series",
            _("Series"),
            columns,
            [tables.aligned(cells(one, chosen, found.most), columns) for one in found.rows],
        ),
        "pager": tables.pager(path, chosen, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "series/series_list.html", "series/_list.html", context)


# One series ----------------------------------------------------------------------------------------------------


def member_specs() -> list[Spec]:
    """The columns of the figures of a display name, named as in series.csv."""
    return [
        Spec("name", _("Display name")),
        Spec("attended", _("Meetings"), True),
        Spec("present", _("Present"), True),
        Spec("present_percent", _("Present"), True, "%"),
        Spec("late", _("Late"), True),
        Spec("left_early", _("Left early"), True),
        Spec("minutes", _("Time"), True, _("min")),
    ]


def seen_specs() -> list[Spec]:
    """The columns that stand behind the meetings."""
    return [
        Spec("mean_presence_percent", _("Presence"), True, "%"),
        Spec("first_join", _("First seen")),
        Spec("last_leave", _("Last seen")),
    ]


def _moment(at: datetime | None) -> Cell:
    return Cell(ledger.moment(timezone.localtime(at)) if at else ledger.UNKNOWN, one_line=True)


def member_row(member: Member, shown: Sequence[figures.Held], chosen: Filter, asked: Filter) -> attendance_grid.Row:
    """A display name as a row. chosen: the filter within the series; asked: what q was asked for."""
    attended = filters.link(reverse("meetings"), chosen, name=member.key, sort="", compare=False)
    return attendance_grid.Row(
        figures=[
            Cell(shown_name(member.name), person_url(member.key, replace(chosen, name=None), q=asked.q, compare=False)),
            *(
                cell._replace(numeric=True)
                for cell in (
                    Cell(ledger.count(member.attended), attended),
                    Cell(ledger.count(member.present)),
                    Cell(ledger.tenths_percent(member.present_share), bar=tables.bar(member.present_share, 1)),
                    Cell(ledger.count(member.late)),
                    Cell(ledger.count(member.left_early)),
                    Cell(ledger.minutes(member.seconds)),
                )
            ),
        ],
        marks=attendance_grid.marks(member, shown, chosen.present),
        seen=[
            Cell(ledger.tenths_percent(member.mean_share), numeric=True),
            _moment(member.first_join),
            _moment(member.last_leave),
        ],
    )


def figure_cards(one: Attendance | None, past: Attendance | None, before: Filter | None, chosen: Filter) -> list[Card]:
    """The series in figures, each with its change against the previous period."""
    against = cards.against(before, chosen)
    within = replace(chosen, sort="", compare=False, page=1)

    def figure(of: Attendance | None, name: str) -> Any:
        if of is None:
            return 0 if name in {"meetings", "reported"} else None
        if name in {"meetings", "reported"}:
            return getattr(of.series, name)
        if not of.series.reported:
            return None
        return len(of.members) if name == "attendees" else getattr(of, name)

    def card(name: str, of: str, label: str, shown: Any, **more: Any) -> Card:
        return cards.compared(name, label, figure(one, of), figure(past, of), shown, against, **more)

    attendees = filters.link(reverse("people"), within) if one and one.members and not chosen.q else ""
    return [
        card("meetings", "meetings", _("Meetings"), ledger.count, url=filters.link(reverse("meetings"), within)),
        card("reported_meetings", "reported", _("Reported meetings"), ledger.count),
        card("attendees", "attendees", _("Attendees"), ledger.count, hint=_("display names"), url=attendees),
        card("regulars", "regulars", _("Regulars"), ledger.count, hint=_("present at half of them or more")),
        card("mean_attendees", "mean_attendees", _("Attendees a meeting"), ledger.tenths),
        card("attendance_percent", "rate", _("Attendance"), ledger.percent, hint=_("of all attendees at all meetings")),
    ]


def cards_of(chosen: Filter, before: Filter | None, now: datetime) -> list[Card]:
    """The cards of the page of one series by themselves. chosen: a filter within the series."""
    return figure_cards(_attendance(chosen, now), _attendance(before, now) if before else None, before, chosen)


def _attendance(chosen: Filter, now: datetime) -> Attendance | None:
    found = figures.of_series(chosen)
    return next(figures.attendance([found], chosen, now)) if found else None


@require_safe
@base.clear_filters
@base.remembered
def one_series(request: base.HtmxHttpRequest, by: str, key: str) -> HttpResponse:
    """Who came to the meetings of one number or topic. A topic in the address is folded as topics are compared."""
    now = timezone.now()
    key = fold(key) if by == "topic" else key.strip()
    newest = _newest(by, key, limits.allowed_rooms(request.user))
    if newest is None:
        raise Http404
    parsed = base.parse(request, now, MEMBER_SORTS)
    asked = replace(own(parsed, by), page=parsed.page)
    within = replace(asked, by=by)
    within = replace(within, number=key) if by == "number" else replace(within, topic=key)
    path = series_url(by, key)
    found = _attendance(within, now)
    before = period.known_before(within, now)
    held, members = (found.held, found.members) if found else ([], [])
    page = Paginator(held[::-1], MEETINGS_A_PAGE).get_page(asked.page)
    shown = list(page.object_list)[::-1]
    frame = base.frame(path, asked, now, parts=filters.PRESENT_PARTS)
    frame["filter_form"]["csv_links"] = base.csv_links(within, PLACES[f"series-{by}"].tables)
    context = {
        **frame,
        "name": shown_topic(found.series.topic if found else newest.topic),
        "number": key if by == "number" else "",
        "numbers": len({one.meeting.meeting_id for one in held}),
        "all_url": filters.link(reverse("series-list"), replace(asked, sort="", compare=False), by=by),
        "cards": figure_cards(found, _attendance(before, now) if before else None, before, within),
        "without_before": asked.compare and not before,
        "reported": found.series.reported if found else 0,
        "attendees": len(members),
        "removed": found.removed if found else 0,
        "columns": tables.columns(path, asked, member_specs(), MEMBER_DEFAULT_SORT),
        "seen_columns": tables.columns(path, asked, seen_specs(), MEMBER_DEFAULT_SORT),
        "days": [attendance_grid.day(one, asked.present) for one in shown],
        "rows": [member_row(member, shown, within, asked) for member in members[:MOST_ATTENDEES]],
        "legend": attendance_grid.legend(),
        "page": page,
        "pager": tables.pager(path, asked, page.number, page.paginator.num_pages),
    }
    return base.answer(request, "series/series.html", "series/_fragment.html", context)


def _newest(by: str, key: str, allowed: frozenset[str] | None) -> Meeting | None:
    """The newest meeting of a number or topic that is seen, whatever its day; there is no number that is none."""
    if by == "number" and not key:
        return None
    named = Filter(allowed_rooms=allowed)
    named = replace(named, number=key) if by == "number" else replace(named, topic=key)
    return Meeting.objects.fitting(named).order_by("-start_time", "-pk").first()
