"""The address bar ⇄ one frozen Filter."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from reports.figures import period
from reports.filter import STATES, Filter
from reports.models import Meeting

LONGEST_SEARCH = 200
LONGEST_ID = 200

PERIOD_LABELS = {
    "7d": gettext_lazy("7 days"),
    "30d": gettext_lazy("30 days"),
    "90d": gettext_lazy("90 days"),
    "12m": gettext_lazy("12 months"),
    "month": gettext_lazy("This month"),
    "last-month": gettext_lazy("Last month"),
    "year": gettext_lazy("This year"),
    "all": gettext_lazy("All"),
}


class BadFilter(ValueError):
    """A value of the address bar that cannot be used; the text says which and why."""

    def __init__(self, name: str, value: str, reason: str) -> None:
        shown = value if len(value) <= 60 else f"{value[:60]}…"
        super().__init__(f"{name}={shown}: {reason}")


def parse(query: QueryDict, today: date, sorts: Collection[str]) -> Filter:
    """The Filter that a query string means.

    In: the query, today's local day, and the columns that may be sorted by. An empty value counts as not
    given: a form sends its empty fields too. Unknown names are left alone. Errors: BadFilter.
    """
    for name, values in query.lists():
        for value in (name, *values):
            if "\x00" in value or re.search(r"[\ud800-\udfff]", value):
                raise BadFilter(_printable(name), _printable(value), _("holds a character that no text can hold"))
    first, last, preset = _days(query, today)
    state = query.get("state", "")
    if state and state not in STATES:
        raise BadFilter("state", state, _("choose one of %(choices)s") % {"choices": ", ".join(STATES)})
    rooms = tuple(dict.fromkeys(room for room in query.getlist("room") if room))
    for room in rooms:
        if len(room) > LONGEST_ID:
            raise BadFilter("room", room, _("is too long for a host id"))
    search = query.get("q", "").strip()
    if len(search) > LONGEST_SEARCH:
        raise BadFilter("q", search, _("is longer than %(count)d characters") % {"count": LONGEST_SEARCH})
    sort = query.get("sort", "")
    if sort and sort.removeprefix("-") not in sorts:
        raise BadFilter("sort", sort, _("choose one of %(choices)s") % {"choices": ", ".join(sorted(sorts)) or "–"})
    page = query.get("page", "") or "1"
    if not re.fullmatch(r"[1-9]\d{0,8}", page, re.ASCII):
        raise BadFilter("page", page, _("is no page number"))
    return Filter(
        first=first,
        last=last,
        rooms=rooms,
        q=search,
        state=state,
        extra=_switch(query, "extra"),
        calls=_switch(query, "calls"),
        sort=sort,
        page=int(page),
        compare=_switch(query, "compare") is True,
        period=preset,
    )


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "�")


def _days(query: QueryDict, today: date) -> tuple[date | None, date | None, str]:
    given = {name: _day(query, name) for name in ("from", "to")}
    preset = query.get("period", "")
    if preset and preset not in period.PRESETS:
        raise BadFilter("period", preset, _("choose one of %(choices)s") % {"choices": ", ".join(period.PRESETS)})
    first, last = given["from"], given["to"]
    if first is None and last is None:
        preset = preset or period.DEFAULT
        return (*period.preset(preset, today), preset)
    if first is not None and last is None:
        last = max(first, today)
    if first is not None and last is not None and first > last:
        raise BadFilter("from", first.isoformat(), _("is after to=%(day)s") % {"day": last.isoformat()})
    return first, last, ""


def _day(query: QueryDict, name: str) -> date | None:
    value = query.get(name, "").strip()
    if not value:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise ValueError
        day = date.fromisoformat(value)
    except ValueError:
        raise BadFilter(name, value, _("is no day such as 2026-01-31")) from None
    # Beyond these a calendar cannot count back or forth any more.
    if not 1900 <= day.year <= 9000:
        raise BadFilter(name, value, _("is out of reach"))
    return day


def _switch(query: QueryDict, name: str) -> bool | None:
    value = query.get(name, "")
    if value not in {"", "0", "1"}:
        raise BadFilter(name, value, _("choose 1 or 0"))
    return {"": None, "0": False, "1": True}[value]


def to_query(chosen: Filter, **changes: Any) -> str:
    """The query string of a filter, with changes; the inverse of `parse`. Defaults are left out.

    A change of anything but the page leads to the first page.
    """
    if changes and "page" not in changes:
        changes["page"] = 1
    if {"first", "last"} & changes.keys():
        changes.setdefault("period", "")
    wanted = replace(chosen, **changes)
    parts: list[tuple[str, str]] = []
    if wanted.period:
        if wanted.period != period.DEFAULT:
            parts.append(("period", wanted.period))
    else:
        parts += [("from", wanted.first.isoformat())] if wanted.first else []
        parts += [("to", wanted.last.isoformat())] if wanted.last else []
        if wanted.first is None and wanted.last is None:
            parts.append(("period", "all"))
    parts += [("room", room) for room in wanted.rooms]
    for name, value in (("q", wanted.q), ("state", wanted.state)):
        parts += [(name, value)] if value else []
    for name, flag in (("extra", wanted.extra), ("calls", wanted.calls)):
        parts += [(name, str(int(flag)))] if flag is not None else []
    parts += [("compare", "1")] if wanted.compare else []
    parts += [("sort", wanted.sort)] if wanted.sort else []
    parts += [("page", str(wanted.page))] if wanted.page > 1 else []
    return urlencode(parts)


def link(path: str, chosen: Filter, **changes: Any) -> str:
    """An address with the query of a filter."""
    query = to_query(chosen, **changes)
    return f"{path}?{query}" if query else path


@dataclass(frozen=True, slots=True)
class Chip:
    """One part of the filter, and the address without it."""

    label: str
    value: str
    remove_url: str


def chips(path: str, chosen: Filter, room_names: Mapping[str, str]) -> list[Chip]:
    """What narrows the view, each with the way back. room_names: shown names by host_id."""
    found = []
    if not chosen.period:
        days = f"{chosen.first or '…'} – {chosen.last or '…'}"
        if chosen.first == chosen.last and chosen.first:
            days = chosen.first.isoformat()
        url = link(path, chosen, **dict(zip(("first", "last", "period"), (None, None, "30d"), strict=True)))
        found.append(Chip(_("Period"), days, url))
    for room in chosen.rooms:
        others = tuple(other for other in chosen.rooms if other != room)
        found.append(Chip(_("Room"), room_names.get(room, room), link(path, chosen, rooms=others)))
    if chosen.q:
        found.append(Chip(_("Search"), chosen.q, link(path, chosen, q="")))
    if chosen.state:
        found.append(Chip(_("State"), str(Meeting.State(chosen.state).label), link(path, chosen, state="")))
    if chosen.extra is not None:
        found.append(Chip(_("Extra room"), _("yes") if chosen.extra else _("no"), link(path, chosen, extra=None)))
    if chosen.calls is not None:
        found.append(Chip(_("Calls"), _("yes") if chosen.calls else _("no"), link(path, chosen, calls=None)))
    return found


def bar(
    path: str, chosen: Filter, rooms: Sequence[tuple[str, str]], csv_links: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Everything the filter bar's template needs. rooms: (host_id, name) of those to choose from."""

    def yes_no(value: bool | None) -> list[tuple[str, str, bool]]:
        return [("", _("any"), value is None), ("1", _("yes"), value is True), ("0", _("no"), value is False)]

    return {
        "action": path,
        "period_choices": [
            (name, label, name == chosen.period, link(path, chosen, first=None, last=None, period=name))
            for name, label in PERIOD_LABELS.items()
        ],
        "period": "" if chosen.period == period.DEFAULT else chosen.period,
        "from": chosen.first.isoformat() if chosen.first else "",
        "to": chosen.last.isoformat() if chosen.last else "",
        "q": chosen.q,
        "state_choices": [("", _("any state"), not chosen.state)]
        + [(state, Meeting.State(state).label, state == chosen.state) for state in STATES],
        "room_choices": [(host_id, name, host_id in chosen.rooms) for host_id, name in rooms],
        "rooms_label": ngettext("%(count)d room", "%(count)d rooms", len(chosen.rooms)) % {"count": len(chosen.rooms)}
        if chosen.rooms
        else _("all rooms"),
        "extra": yes_no(chosen.extra),
        "calls": yes_no(chosen.calls),
        "sort": chosen.sort,
        "csv_links": list(csv_links),
        "reset_url": path,
    }
