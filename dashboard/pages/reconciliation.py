"""The reconciliation page: our totals against the provider's own, where they differ, why, and what to do about it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit, coverage_strip, filters
from dashboard.coverage_strip import meetings_url
from dashboard.pages import base
from dashboard.pages.data import MAY_MANAGE, wake
from dashboard.tables import Spec
from dashboard.templatetags import ledger
from reports import schedule
from reports.figures import coverage, reconciliation, rooms
from reports.figures.reconciliation import MEASURES, Explanation, Gap, Kind, Line, Month, State
from reports.filter import Filter
from reports.models import Room

GAPS_SHOWN = 200

STATES = {
    State.AGREES: gettext_lazy("agrees"),
    State.EXPLAINED: gettext_lazy("explained"),
    State.DIFFERS: gettext_lazy("differs"),
    State.NOT_ASKED: gettext_lazy("not asked yet"),
}
WRITTEN: dict[str, Callable[[Any], str]] = {
    "meetings": ledger.count,
    "participants": ledger.count,
    "seconds": ledger.minutes,
    "calls": ledger.count,
    "call_seconds": ledger.minutes,
    "cost": ledger.money,
}


@dataclass(frozen=True, slots=True)
class Words:
    """A text that may lead somewhere."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of both sides: theirs, and ours where it is another."""

    theirs: str
    ours: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line ready to show. difference: theirs less ours; beside: what else is here of it and is not counted."""

    head: Words
    note: str
    state: str
    state_label: str
    asked: str
    theirs: str
    ours: Words
    difference: str
    pairs: Sequence[Pair]
    why: Sequence[Words]
    beside: Sequence[Words]


def specs(first: Spec, *more: Spec) -> list[Spec]:
    """The columns of a table of lines."""
    return [
        first,
        *more,
        Spec("their_meetings", _("Meetings, theirs"), True),
        Spec("our_meetings", _("ours"), True),
        Spec("difference", _("difference"), True),
        Spec("participants", _("Visits"), True),
        Spec("minutes", _("Open"), True, _("min")),
        Spec("calls", _("Calls"), True),
        Spec("call_minutes", _("Call time"), True, _("min")),
        Spec("cost", _("Call cost"), True, "¥"),
        Spec("explanation", _("Explanation")),
    ]


@require_safe
@base.of_all_rooms
@base.clear_filters
def reconciliation_page(request: base.HtmxHttpRequest) -> HttpResponse:
    """Months, gaps and coverage. Of the filter its days and its rooms count; without days it is about everything."""
    now = timezone.now()
    asked = base.parse(request, now, whole=True)
    # Totals can be asked of nothing else.
    chosen = Filter(
        first=asked.first,
        last=asked.last,
        period=asked.period,
        rooms=asked.rooms,
        allowed_rooms=asked.allowed_rooms,
    )
    path = reverse("reconciliation")
    months = reconciliation.months(chosen, now)
    gaps = reconciliation.gaps(months)
    missing: dict[Any, int] = {}
    for gap in gaps:
        if gap.kind == Kind.MISSING:
            missing[gap.day] = missing.get(gap.day, 0) + gap.count
    month = months[0] if len(months) == 1 else None
    context = {
        "filter": chosen,
        "chips": [] if chosen.period == "all" and not chosen.rooms else _chips(path, chosen),
        "months": [_month_row(one, chosen, path) for one in months],
        "month_specs": specs(Spec("month", _("Month")), Spec("state", _("State"))),
        "month": month,
        "rooms": [_room_row(line, month) for line in month.lines] if month else [],
        "all_rooms": _room_row(month.total, month, _("All")) if month else None,
        "room_specs": specs(Spec("room", _("Room"))),
        "missing": _gap_lines(gaps, Kind.MISSING),
        "only_here": _gap_lines(gaps, Kind.ONLY_HERE),
        "waiting": _gap_lines(gaps, Kind.WAITING),
        "missing_count": sum(missing.values()),
        "sought": sum(
            one.count
            for found in months
            for one in found.total.explanations
            if one.kind in (Kind.UNLOCATED, Kind.WAITING)
        ),
        "settled": bool(months) and all(one.state in (State.AGREES, State.EXPLAINED) for one in months),
        "asked": any(one.told_at for one in months),
        "coverage": coverage_strip.strip(now, missing),
        "csv_url": filters.link(reverse("reconciliation-csv"), chosen),
        "everything_url": path,
        "zone": settings.UMEET_TIME_ZONE,
        "other_zone": settings.TIME_ZONE if settings.TIME_ZONE != settings.UMEET_TIME_ZONE else "",
        "pulled_by_date": settings.UMEET_PULL_DATES,
        "may_manage": request.user.has_perm(MAY_MANAGE),
        "here": request.get_full_path(),
        "moving": coverage.moving(now),
        "tab": "reconciliation",
    }
    return base.answer(request, "reconciliation/reconciliation.html", "reconciliation/_fragment.html", context)


def _chips(path: str, chosen: Filter) -> list[filters.Chip]:
    return filters.chips(path, chosen, rooms.names(chosen.rooms))


@require_POST
@permission_required(MAY_MANAGE, raise_exception=True)
@base.of_all_rooms
def fetch(request: base.HtmxHttpRequest) -> HttpResponse:
    """Make due just what is missing: days with gaps or not pulled whole, and the totals that do not agree."""
    now = timezone.now()
    if not settings.UMEET_PULL_DATES:
        messages.warning(request, _("Nothing was asked for: days are not pulled by date here."))
        return redirect("reconciliation")
    found = reconciliation.to_fetch(now)
    if not found.days and not found.months:
        messages.success(request, _("Nothing is missing: every day is pulled whole and every month agrees."))
        return redirect("reconciliation")
    days, months = len(found.days), len(found.months)
    with transaction.atomic():
        schedule.ask_for(found.days, found.months, now)
        audit.note(request, audit.Action.PULL_STARTED, days_asked=days, months_asked=months)
    words = {
        "days": ngettext("%(count)s day", "%(count)s days", days) % {"count": ledger.count(days)},
        "totals": ngettext("the totals of %(count)s month", "the totals of %(count)s months", months)
        % {"count": ledger.count(months)},
    }
    if days and months:
        text = _("Asked for: %(days)s and %(totals)s.")
    else:
        text = _("Asked for: %(days)s.") if days else _("Asked for: %(totals)s.")
    messages.success(request, text % words)
    wake(request)
    return redirect("reconciliation")


# Lines in words ----------------------------------------------------------------------------------------


def _month_row(month: Month, chosen: Filter, path: str) -> Row:
    url = filters.link(path, chosen, first=month.first, last=month.last)
    note = _("from %(day)s") % {"day": ledger.day(month.since)} if month.since > month.first else ""
    return _row(Words(ledger.month(month.first), url), note, month.total, month, url)


def _room_row(line: Line, month: Month, name: str = "") -> Row:
    url, note = "", ""
    if not name:
        name = str(line.room or line.host_id or _("unknown room"))
        note = _("temporary") if line.room and line.room.temporary else ""
        if line.room:
            begin, end = coverage_strip.local_days(month.since, month.last)
            url = filters.link(filters.room_path(line.host_id), Filter(first=begin, last=end))
        elif line.host_id:
            note = _("not known here")
    return _row(Words(name, url), note, line, month, "")


def _row(head: Words, note: str, line: Line, month: Month, month_url: str) -> Row:
    def pair(measure: str) -> Pair:
        written, ours = WRITTEN[measure], getattr(line.ours, measure)
        if line.theirs is None:
            return Pair(ledger.UNKNOWN, written(ours))
        return Pair(written(getattr(line.theirs, measure)), written(ours) if line.difference(measure) else "")

    difference = line.difference("meetings")
    url = meetings_url(month.since, month.last, line.host_id) if line.host_id or month_url else ""
    why = [Words(*_why(one, line, month, month_url)) for one in line.explanations]
    if month_url and month.their_total is not None:
        text = _("the provider's own sum over all rooms is %(count)s meetings")
        why.append(Words(text % {"count": ledger.count(month.their_total)}))
    return Row(
        head=head,
        note=note,
        state=month.state,
        state_label=str(STATES[month.state]),
        asked=ledger.moment(timezone.localtime(month.told_at)) if month.told_at else "",
        theirs=ledger.count(line.theirs.meetings) if line.theirs else ledger.UNKNOWN,
        ours=Words(ledger.count(line.ours.meetings), url if line.ours.meetings else ""),
        difference=ledger.UNKNOWN if difference is None else _signed(difference),
        pairs=[pair(measure) for measure in MEASURES[1:]],
        why=why,
        beside=_beside(line, month, bool(month_url)),
    )


def _signed(number: int) -> str:
    return f"+{ledger.count(number)}" if number > 0 else f"−{ledger.count(-number)}" if number else "0"


def _beside(line: Line, month: Month, of_month: bool) -> list[Words]:
    """Meetings that are here and count on neither side."""
    found = []
    for state, number, text in (
        ("running", line.running, ngettext("%(count)s running", "%(count)s running", line.running)),
        ("unreported", line.unreported, ngettext("%(count)s unreported", "%(count)s unreported", line.unreported)),
    ):
        if number:
            known = line.host_id or of_month
            url = meetings_url(month.since, month.last, line.host_id, state=state) if known else ""
            found.append(Words(text % {"count": ledger.count(number)}, url))
    return found


def _why(one: Explanation, line: Line, month: Month, month_url: str) -> tuple[str, str]:
    """One reason in words, and where its meetings or days are."""
    number = one.count
    known = bool(line.host_id or month_url)
    here = meetings_url(month.since, month.last, line.host_id) if known else ""
    match one.kind:
        case Kind.MISSING:
            text = ngettext("%(count)s meeting is missing here", "%(count)s meetings are missing here", number)
            url = month_url or "#gaps"
        case Kind.ONLY_HERE:
            text = ngettext("%(count)s meeting is only here", "%(count)s meetings are only here", number)
            url = month_url or "#gaps"
        case Kind.UNLOCATED:
            text = ngettext(
                "%(count)s meeting differs; its day is being looked for",
                "%(count)s meetings differ; their days are being looked for",
                number,
            )
            url = ""
        case Kind.OTHERWISE:
            return _("the meetings agree, and add up to other figures"), ""
        case Kind.WAITING:
            text = ngettext(
                "%(count)s meeting came after its day was last pulled",
                "%(count)s meetings came after their day was last pulled",
                number,
            )
            url = month_url or "#gaps"
        case Kind.UNPULLED:
            text = ngettext("%(count)s day is not pulled whole", "%(count)s days are not pulled whole", number)
            url = "#coverage"
        case Kind.RUNNING:
            text = ngettext("%(count)s meeting still runs here", "%(count)s meetings still run here", number)
            url = meetings_url(month.since, month.last, line.host_id, state="running") if known else ""
        case Kind.UNREPORTED:
            text = ngettext("%(count)s meeting is unreported here", "%(count)s meetings are unreported here", number)
            url = meetings_url(month.since, month.last, line.host_id, state="unreported") if known else ""
        case Kind.REJECTED:
            text = ngettext("%(count)s record could not be read", "%(count)s records could not be read", number)
            url = f"{reverse('data')}#rejected"
        case Kind.SINCE:
            text = ngettext(
                "%(count)s meeting came, ended or changed since",
                "%(count)s meetings came, ended or changed since",
                number,
            )
            url = here
        case Kind.YOUNG:
            text = ngettext(
                "%(count)s meeting ended within the day before they counted, and may not have been reported then",
                "%(count)s meetings ended within the day before they counted, and may not have been reported then",
                number,
            )
            url = here
        case Kind.WITHHELD:
            text = ngettext(
                "%(count)s meeting keeps visits or calls that are no longer reported",
                "%(count)s meetings keep visits or calls that are no longer reported",
                number,
            )
            url = here
        case Kind.SETTLING:
            text = ngettext(
                "%(count)s day was pulled before and is read once more",
                "%(count)s days were pulled before and are read once more",
                number,
            )
            url = "#coverage"
    return text % {"count": ledger.count(number)}, url


def _gap_lines(gaps: Iterable[Gap], kind: Kind) -> dict[str, Any]:
    """The gaps of one kind as sentences, and how many more there are."""
    wanted = [gap for gap in gaps if gap.kind == kind]
    return {"lines": [_gap_line(gap) for gap in wanted[:GAPS_SHOWN]], "more": max(0, len(wanted) - GAPS_SHOWN)}


def _gap_line(gap: Gap) -> tuple[Words, str]:
    """A gap as a sentence that leads to the meetings that are here, and what might be meant by it."""
    number = gap.count
    if gap.kind == Kind.MISSING:
        text = ngettext(
            "%(day)s, %(room)s: %(count)s meeting that the provider counts is missing here",
            "%(day)s, %(room)s: %(count)s meetings that the provider counts are missing here",
            number,
        )
    elif gap.kind == Kind.ONLY_HERE:
        text = ngettext(
            "%(day)s, %(room)s: %(count)s meeting is here that the provider does not count",
            "%(day)s, %(room)s: %(count)s meetings are here that the provider does not count",
            number,
        )
    else:
        text = ngettext(
            "%(day)s, %(room)s: %(count)s meeting came after the day was last pulled",
            "%(day)s, %(room)s: %(count)s meetings came after the day was last pulled",
            number,
        )
    words = {"day": ledger.day(gap.day), "room": _room(gap.room, gap.host_id), "count": ledger.count(number)}
    hints = []
    if gap.running:
        hint = ngettext("besides, %(count)s still runs there", "besides, %(count)s still run there", gap.running)
        hints.append(hint % _n(gap.running))
    if gap.unreported:
        hint = ngettext(
            "besides, %(count)s is unreported there", "besides, %(count)s are unreported there", gap.unreported
        )
        hints.append(hint % _n(gap.unreported))
    if gap.unplaced and gap.kind == Kind.MISSING:
        hint = ngettext(
            "the room of %(count)s meeting of that day is unknown here",
            "the room of %(count)s meetings of that day is unknown here",
            gap.unplaced,
        )
        hints.append(hint % _n(gap.unplaced))
    return Words(text % words, meetings_url(gap.day, gap.day, gap.host_id)), " · ".join(hints)


def _n(number: int) -> dict[str, str]:
    return {"count": ledger.count(number)}


def _room(room: Room | None, host_id: str) -> str:
    if not room and not host_id:
        return _("unknown room")
    return _("room %(name)s") % {"name": room or host_id}
