"""What changed in a meeting's report, in the words of the page. No queries."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dashboard.templatetags import ledger
from reports.figures.record import Changes, Group, ListChange, list_change
from reports.models import Change

MOST_NAMES = 6
# Rows as the importer keeps them: name, join_time, leave_time; phone_number, type, start_time, end_time, …
SAME_VISIT, SAME_CALL = 2, 3

LABELS = {
    "room_id": gettext_lazy("Room"),
    "meeting_id": gettext_lazy("Meeting number"),
    "topic": gettext_lazy("Topic"),
    "start_time": gettext_lazy("Start"),
    "duration": gettext_lazy("Booked"),
    "end_time": gettext_lazy("End"),
    "is_extra": gettext_lazy("Extra room"),
    "participants": gettext_lazy("Visits"),
    "telephony_usage": gettext_lazy("Calls"),
}
# The notes of reports/importer.py, as it writes them.
NOTES = {
    "The provider reports no visits any more; those reported before are kept.": gettext_lazy(
        "The provider reports no visits any more; those reported before are kept."
    ),
    "The provider reports no calls any more; those reported before are kept.": gettext_lazy(
        "The provider reports no calls any more; those reported before are kept."
    ),
}


def view(changes: Changes, *, masked: bool) -> dict[str, Any]:
    """The changes as groups of lines. masked: telephone numbers are shown in part."""
    return {
        "total": changes.total,
        "shown": sum(len(group.changes) for group in changes.groups),
        "groups": [_group(group, changes.rooms, masked) for group in changes.groups],
    }


def _group(group: Group, rooms: Mapping[int, str], masked: bool) -> dict[str, Any]:
    entries = [_entry(change, rooms, masked) for change in group.changes]
    words = {"count": len(entries)}
    return {
        "entries": entries,
        "folded": group.folded,
        "first": group.changes[-1].seen_at,
        "last": group.changes[0].seen_at,
        "title": ngettext("%(count)d report while it grew", "%(count)d reports while it grew", len(entries)) % words,
        "sum": _sum(group) if group.folded else "",
    }


def _sum(group: Group) -> str:
    """From what to what the visits or calls of a run of changes went."""
    told = []
    words: dict[str, Callable[[int], str]] = {"participants": _visits, "telephony_usage": _calls}
    for name, counted in words.items():
        having = [change for change in group.changes if name in change.after]
        if having:
            ends = (having[-1].before.get(name), having[0].after.get(name))
            before, after = (_("not reported") if rows is None else counted(len(rows)) for rows in ends)
            told.append(before if before == after else f"{before} → {after}")
    return ", ".join(told)


def _entry(change: Change, rooms: Mapping[int, str], masked: bool) -> dict[str, Any]:
    fields = [name for name in LABELS if name in change.after] + [n for n in change.after if n not in LABELS]
    return {
        "seen_at": change.seen_at,
        "pull": change.pull,
        "lines": [_line(name, change.before.get(name), change.after[name], rooms, masked) for name in fields],
        "note": note(change.note),
    }


def note(text: str) -> str:
    """A note of the importer in the language of the page; what is not known stays as it is."""
    for known, shown in NOTES.items():
        text = text.replace(known, str(shown))
    return text


def _line(name: str, before: Any, after: Any, rooms: Mapping[int, str], masked: bool) -> dict[str, Any]:
    label = str(LABELS.get(name, name))
    if name in {"participants", "telephony_usage"} and _are_rows(before) and _are_rows(after):
        of_visits = name == "participants"
        change = list_change(before, after, SAME_VISIT if of_visits else SAME_CALL)
        count = _visits if of_visits else _calls
        counts = [_("not reported") if number is None else count(number) for number in (change.before, change.after)]
        return {"label": label, "before": counts[0], "after": counts[1], "details": _details(change, of_visits, masked)}
    return {"label": label, "before": _text(name, before, rooms), "after": _text(name, after, rooms), "details": []}


def _are_rows(value: Any) -> bool:
    """Whether a value is a list of rows as the importer keeps them, or none."""
    return value is None or (isinstance(value, list) and all(isinstance(row, list) and len(row) > 2 for row in value))


def _visits(number: int) -> str:
    return ngettext("%(count)s visit", "%(count)s visits", number) % {"count": ledger.count(number)}


def _calls(number: int) -> str:
    return ngettext("%(count)s call", "%(count)s calls", number) % {"count": ledger.count(number)}


def _details(change: ListChange, of_visits: bool, masked: bool) -> list[str]:
    def names(rows: Sequence[Sequence[Any]]) -> str:
        shown = [
            ledger.attendee(str(row[0] or "")) if of_visits else ledger.phone(str(row[0] or ""), masked)
            for row in rows[:MOST_NAMES]
        ]
        left = len(rows) - len(shown)
        more = ngettext("and %(count)d more", "and %(count)d more", left) % {"count": left} if left else ""
        return f"{', '.join(shown)} {more}".strip()

    count = _visits if of_visits else _calls
    told = []
    if change.before is not None and change.added:
        told.append(f"+{count(len(change.added))}: {names(change.added)}")
    if change.removed:
        told.append(f"−{count(len(change.removed))}: {names(change.removed)}")
    if change.ended:
        rows = [after for _before, after in change.ended]
        left = of_visits and all(before[2] is None and after[2] is not None for before, after in change.ended)
        words = {"names": names(rows)}
        told.append(_("left: %(names)s") % words if left else _("corrected: %(names)s") % words)
    return told


def _text(name: str, value: Any, rooms: Mapping[int, str]) -> str:
    if name == "end_time" and value is None:
        return _("running")
    if value is None or value == "":
        return ledger.UNKNOWN
    try:
        match name:
            case "room_id":
                return rooms.get(value, _("a room that is no longer kept"))
            case "start_time" | "end_time":
                return ledger.exact(localtime(datetime.fromisoformat(value)))
            case "duration":
                return _("%(minutes)s min") % {"minutes": ledger.minutes(int(value))}
    except (TypeError, ValueError):
        pass  # kept by an older version, in another form: shown as it is
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)
