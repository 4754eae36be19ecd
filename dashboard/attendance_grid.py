"""Who came to which meeting of a series, as a grid: one row a display name, one column a meeting."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from dashboard.filters import present_query
from dashboard.tables import Cell
from dashboard.templatetags import ledger
from reports.figures.attendance import Presence
from reports.figures.series import Held, Member


@dataclass(frozen=True, slots=True)
class Mark:
    """One cell. kind: present, partly, absent, unknown or silent (not reported); words: the same to be read."""

    kind: str
    words: str
    late: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One column: the lines of its head, what they stand for in full, and its address."""

    lines: Sequence[str]
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One display name: its figures, its marks, and when it was seen first and last."""

    figures: Sequence[Cell]
    marks: Sequence[Mark]
    seen: Sequence[Cell]


def legend() -> list[Mark]:
    """Every mark there is, with what it means."""
    return [
        Mark("present", pgettext("attendance", "present")),
        Mark("partly", _("there for less")),
        Mark("absent", _("absent")),
        Mark("silent", _("not reported")),
        Mark("present", _("late"), late=True),
        Mark("present", _("left early"), early=True),
    ]


def day(held: Held, percent: int) -> Day:
    """The head of a meeting's column; it leads to the meeting, under the same rule."""
    meeting = held.meeting
    start = timezone.localtime(meeting.start_time)
    url = f"{reverse('meeting', args=[meeting.pk])}{present_query(percent)}"
    # The day over the month, or the month over the day, as the language writes them.
    lines = re.split(r" |(?<=月)", date_format(start, "MONTH_DAY_FORMAT"))
    return Day(lines, f"{ledger.moment(start)} · {meeting}", url)


def mark(held: Held, key: str, percent: int) -> Mark:
    """What a meeting tells of a display name by the rule."""
    if held.present is None:
        return Mark("silent", _("not reported"))
    one = held.present.get(key)
    if one is None and held.meeting.names_removed_at:
        return Mark("silent", _("names removed"))
    if one is None:
        return Mark("absent", _("absent"))
    present = one.is_present(percent)
    if present is None:
        return _with_times(one, "unknown", _("there for no time"))
    if present:
        return _with_times(one, "present", pgettext("attendance", "present"))
    return _with_times(one, "partly", _("there for %(share)s") % {"share": ledger.percent(one.share)})


def _with_times(one: Presence, kind: str, words: str) -> Mark:
    parts = [words]
    if one.late is not None:
        parts.append(_("%(late)s min late") % {"late": ledger.minutes(one.late)})
    early = bool(one.left_early)
    if early:
        parts.append(_("left %(early)s min early") % {"early": ledger.minutes(one.before_end)})
    return Mark(kind, " · ".join(parts), late=one.late is not None, early=early)


def marks(member: Member, shown: Sequence[Held], percent: int) -> list[Mark]:
    """The marks of a display name in some meetings."""
    return [mark(held, member.key, percent) for held in shown]
