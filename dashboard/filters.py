"""The address bar ⇄ one frozen Filter."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import QueryDict
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from reports.figures import period
from reports.filter import BOOKED, NOT_TOLD, PRESENT, SERIES, STATES, Filter
from reports.models import Meeting
from reports.text import fold, is_removed

LONGEST_SEARCH = 200
LONGEST_ID = 200
LONGEST_TOPIC = 2000
EARLIEST_YEAR = 1900

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
# The key that each of them answers to.
PERIOD_KEYS = ("7", "3", "9", "y", "m", "l", "t", "a")
CALL_LABELS = {
    "type": gettext_lazy("Call type"),
    "country": gettext_lazy("Country"),
    "phone": gettext_lazy("Phone number"),
}
BOOKED_LABELS = {
    "over": gettext_lazy("longer than booked"),
    "early": gettext_lazy("shorter than booked"),
    "known": gettext_lazy("booked length known"),
    "unknown": gettext_lazy("booked length not known"),
}
# The fields of the filter bar besides the period.
PARTS = ("q", "rooms", "state", "extra", "calls", "compare")
# Of pages that are one table, which has nothing beside it to compare with.
TABLE_PARTS = tuple(part for part in PARTS if part != "compare")
# Of pages that tell who was present.
PRESENT_PARTS = (*PARTS, "present")
# What a link to another page takes along: all but order and page.
KEPT = (
    *("from", "to", "period", "room", "q", "state", "extra", "calls", "weekday", "hour"),
    *("type", "country", "phone", "uuid", "name", "number", "topic", "during", "booked", "by", "present", "compare"),
)
# More of them fold.
CHIPS_SHOWN = 6


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
    state = _one_of(query, "state", STATES)
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
    texts = {name: query.get(name, "").strip() for name in ("type", "country", "phone", "uuid", "number")}
    for name, value in (*texts.items(), ("name", query.get("name", "")), ("topic", query.get("topic", ""))):
        if len(value) > (LONGEST_TOPIC if name == "topic" else LONGEST_ID):
            raise BadFilter(name, value, _("is too long"))
    return Filter(
        first=first,
        last=last,
        rooms=rooms,
        q=search,
        state=state,
        extra=_switch(query, "extra"),
        calls=_switch(query, "calls"),
        weekday=_whole(query, "weekday", 1, 7),
        hour=_whole(query, "hour", 0, 23),
        type=texts["type"],
        country=texts["country"],
        phone=texts["phone"],
        uuid=texts["uuid"],
        priced=_switch(query, "priced"),
        name=fold(name) if (name := query.get("name", "")) else None,
        number=texts["number"],
        topic=fold(topic) if (topic := query.get("topic", "")) else None,
        during=_hour(query, "during"),
        booked=_one_of(query, "booked", BOOKED),
        by=_one_of(query, "by", SERIES) or SERIES[0],
        present=present_from(query),
        sort=sort,
        page=int(page),
        compare=_switch(query, "compare") is True,
        period=preset,
    )


def present_from(query: QueryDict) -> int:
    """From how many percent of the used time on somebody counts as present. Errors: BadFilter."""
    return _whole(query, "present", 1, 100) or PRESENT


def present_query(percent: int) -> str:
    """The query of a page that has nothing of a filter but who counts as present; "" for the usual rule."""
    return f"?present={percent}" if percent != PRESENT else ""


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
    if not EARLIEST_YEAR <= day.year <= 9000:
        raise BadFilter(name, value, _("is out of reach"))
    return day


def _hour(query: QueryDict, name: str) -> datetime | None:
    value = query.get(name, "").strip()
    if not value:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}", value, re.ASCII):
            raise ValueError
        hour = datetime.fromisoformat(f"{value}:00")
    except ValueError:
        raise BadFilter(name, value, _("is no hour such as 2026-01-31T14")) from None
    if not EARLIEST_YEAR <= hour.year <= 9000:
        raise BadFilter(name, value, _("is out of reach"))
    return hour


def _one_of(query: QueryDict, name: str, choices: Sequence[str]) -> str:
    value = query.get(name, "")
    if value and value not in choices:
        raise BadFilter(name, value, _("choose one of %(choices)s") % {"choices": ", ".join(choices)})
    return value


def _switch(query: QueryDict, name: str) -> bool | None:
    value = query.get(name, "")
    if value not in {"", "0", "1"}:
        raise BadFilter(name, value, _("choose 1 or 0"))
    return {"": None, "0": False, "1": True}[value]


def _whole(query: QueryDict, name: str, least: int, most: int) -> int | None:
    value = query.get(name, "")
    if not value:
        return None
    if not re.fullmatch(r"\d{1,3}", value, re.ASCII) or not least <= int(value) <= most:
        raise BadFilter(
            name, value, _("choose a whole number from %(least)d to %(most)d") % {"least": least, "most": most}
        )
    return int(value)


Pairs = list[tuple[str, str]]
Read = Callable[[str], Any]


def _write_days(read: Read) -> Pairs:
    if preset := read("period"):
        return [("period", preset)] if preset != period.DEFAULT else []
    first, last = read("first"), read("last")
    if first is None and last is None:
        return [("period", "all")]
    return [(name, day.isoformat()) for name, day in (("from", first), ("to", last)) if day]


def _texts(*names: str) -> tuple[set[str], Callable[[Read], Pairs]]:
    return {*names}, lambda read: [(name, value) for name in names if (value := read(name))]


def _flags(*names: str) -> tuple[set[str], Callable[[Read], Pairs]]:
    # A flag is written as its number.
    return {*names}, lambda read: [(name, str(int(value))) for name in names if (value := read(name)) is not None]


# In the order in which they stand in an address: the fields, and how they are written there. Defaults are left out.
_PARTS: tuple[tuple[set[str], Callable[[Read], Pairs]], ...] = (
    ({"period", "first", "last"}, _write_days),
    ({"rooms"}, lambda read: [("room", room) for room in read("rooms")]),
    _texts("q", "state", "booked"),
    _flags("extra", "calls", "priced", "weekday", "hour"),
    _texts("type", "country", "phone", "uuid", "number"),
    # A blank stands for those without a name or topic: an empty value is a field left empty.
    (
        {"name", "topic"},
        lambda read: [(name, text or " ") for name in ("name", "topic") if (text := read(name)) is not None],
    ),
    ({"during"}, lambda read: [("during", f"{hour:%Y-%m-%dT%H}")] if (hour := read("during")) is not None else []),
    ({"by"}, lambda read: [("by", by)] if (by := read("by")) != SERIES[0] else []),
    ({"present"}, lambda read: [("present", str(percent))] if (percent := read("present")) != PRESENT else []),
    ({"compare"}, lambda read: [("compare", "1")] if read("compare") else []),
    _texts("sort"),
    ({"page"}, lambda read: [("page", str(page))] if (page := read("page")) > 1 else []),
)


_PLACES = {name: place for place, (fields, _write) in enumerate(_PARTS) for name in fields}


# The fields of each part in one order, as `_part` gets their values.
_FIELDS = [tuple(sorted(fields)) for fields, _write in _PARTS]


@lru_cache(maxsize=4096)
def _part(place: int, *values: Any) -> str:
    """One of _PARTS as it stands in an address. A page writes some hundreds of addresses, which are much alike."""
    return urlencode(_PARTS[place][1](dict(zip(_FIELDS[place], values, strict=True)).__getitem__))


@lru_cache(maxsize=64)
def _written(chosen: Filter) -> tuple[str, ...]:
    """Each of _PARTS as it stands in the address of a filter."""
    return tuple(_part(place, *[getattr(chosen, name) for name in fields]) for place, fields in enumerate(_FIELDS))


def to_query(chosen: Filter, **changes: Any) -> str:
    """The query string of a filter, with changes; the inverse of `parse`. Defaults are left out.

    A change of anything but the page leads to the first page.
    """
    texts: Iterable[str] = _written(chosen)
    if changes:
        changes.setdefault("page", 1)
        if "first" in changes or "last" in changes:
            changes.setdefault("period", "")
        texts = list(texts)
        for place in {_PLACES[name] for name in changes}:
            values = [changes[name] if name in changes else getattr(chosen, name) for name in _FIELDS[place]]
            texts[place] = _part(place, *values)
    return "&".join([text for text in texts if text])


def link(path: str, chosen: Filter, **changes: Any) -> str:
    """An address with the query of a filter."""
    query = to_query(chosen, **changes)
    return f"{path}?{query}" if query else path


def room_links(path: str, chosen: Filter, **changes: Any) -> Callable[[str], str]:
    """`link` narrowed to one room, by its host_id: what the addresses of all rooms have in common is written once."""
    texts = list(_written(replace(chosen, **{"page": 1, **changes})))
    place = _PLACES["rooms"]
    before = "".join(f"{text}&" for text in texts[:place] if text)
    after = "".join(f"&{text}" for text in texts[place + 1 :] if text)
    return lambda host_id: f"{path}?{before}{_part(place, (host_id,))}{after}"


def room_path(host_id: str) -> str:
    """The address of a room's page, without a query. A page leads to a hundred rooms, and often to the same."""
    return _room_path(host_id, get_script_prefix())


@lru_cache(maxsize=4096)
def _room_path(host_id: str, _prefix: str) -> str:
    return reverse("room", args=[host_id])


def day_links(path: str, chosen: Filter, spans: Sequence[tuple[date, date]], **changes: Any) -> list[str]:
    """`link` with each of some spans of days, first and last: what they have in common is written once."""
    if not spans:
        return []
    first, last = spans[0]
    # The days come first.
    rest = to_query(chosen, first=first, last=last, **changes).removeprefix(f"from={first}&to={last}")
    return [f"{path}?from={first}&to={last}{rest}" for first, last in spans]


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
        ends = [date_format(day, "DATE_FORMAT") if day else "…" for day in (chosen.first, chosen.last)]
        days = " – ".join(dict.fromkeys(ends))
        url = link(path, chosen, first=None, last=None, period=period.DEFAULT)
        found.append(Chip(_("Period"), days, url))
    rooms = []
    for room in chosen.rooms:
        others = tuple(other for other in chosen.rooms if other != room)
        rooms.append(Chip(_("Room"), room_names.get(room, room), link(path, chosen, rooms=others)))
    many = len(rooms) > CHIPS_SHOWN
    found += [] if many else rooms

    def chip(label: str, value: str, **without: Any) -> None:
        found.append(Chip(label, value, link(path, chosen, **without)))

    if chosen.q:
        chip(_("Search"), chosen.q, q="")
    if chosen.state:
        chip(_("State"), str(Meeting.State(chosen.state).label), state="")
    if chosen.extra is not None:
        chip(_("Extra room"), _("yes") if chosen.extra else _("no"), extra=None)
    if chosen.calls is not None:
        chip(_("Calls"), _("yes") if chosen.calls else _("no"), calls=None)
    if chosen.weekday is not None:
        chip(_("Weekday"), str(WEEKDAYS[chosen.weekday - 1]), weekday=None)
    if chosen.hour is not None:
        chip(_("Hour"), f"{chosen.hour:02}:00–{chosen.hour + 1:02}:00", hour=None)
    for name, label in CALL_LABELS.items():
        if value := getattr(chosen, name):
            chip(str(label), _("not told") if value == NOT_TOLD else value, **{name: ""})
    if chosen.priced is not None:
        chip(_("Priced"), _("yes") if chosen.priced else _("no"), priced=None)
    if chosen.name is not None:
        removed = _("(names removed)") if is_removed(chosen.name) else ""
        chip(_("Attendee"), removed or chosen.name or _("(no name)"), name=None)
    if chosen.number:
        chip(_("Meeting number"), chosen.number, number="")
    if chosen.topic is not None:
        chip(_("Topic"), chosen.topic or _("(no topic)"), topic=None)
    if chosen.during is not None:
        hour = f"{chosen.during:%H}:00–{chosen.during.hour + 1:02}:00"
        chip(_("Rooms in use"), f"{date_format(chosen.during, 'DATE_FORMAT')} {hour}", during=None)
    if chosen.booked:
        chip(_("Against booked"), str(BOOKED_LABELS[chosen.booked]), booked="")
    if chosen.present != PRESENT:
        chip(_("Present from"), f"{chosen.present}%", present=PRESENT)
    if chosen.uuid:
        chip(_("Record"), chosen.uuid, uuid="")
    # Many chips fold, and the many are the rooms: what else is set stays in view.
    return found + (rooms if many else [])


def steps(path: str, chosen: Filter, today: date) -> tuple[str, str]:
    """Addresses of the period before and of the one after: as many days. "" where there is none to go to.

    Days that a preset says are written as that preset, so that a step back and one forth end where they began.
    """

    def address(first: date, last: date) -> str:
        named = [period.DEFAULT, *period.PRESETS]
        preset = next((name for name in named if period.preset(name, today) == (first, last)), "")
        return link(path, chosen, first=first, last=last, period=preset)

    before = chosen.previous()
    if before is None or before.first is None or before.last is None or chosen.last is None:
        return "", ""
    earlier = address(before.first, before.last) if before.first.year >= EARLIEST_YEAR else ""
    if chosen.last >= today:
        return earlier, ""
    first = chosen.last + timedelta(days=1)
    return earlier, address(first, chosen.last + (chosen.last - before.last))


def bar(
    path: str,
    chosen: Filter,
    rooms: Sequence[tuple[str, str]],
    csv_links: Sequence[tuple[str, str]],
    parts: Collection[str] = PARTS,
) -> dict[str, Any]:
    """Everything the filter bar's template needs.

    rooms: (host_id, name) of those to choose from. parts: the fields to show; what the others hold is
    carried along unseen.
    """

    def yes_no(value: bool | None) -> list[tuple[str, str, bool]]:
        return [("", _("any"), value is None), ("1", _("yes"), value is True), ("0", _("no"), value is False)]

    earlier, later = steps(path, chosen, period.today(timezone.now()))
    shown: dict[str, dict[str, Any]] = {
        "q": {"q": chosen.q},
        "state": {
            "state_choices": [("", _("any state"), not chosen.state)]
            + [(state, Meeting.State(state).label, state == chosen.state) for state in STATES]
        },
        "rooms": {
            "room_choices": [(host_id, name, host_id in chosen.rooms) for host_id, name in rooms],
            "rooms_label": ngettext("%(count)d room", "%(count)d rooms", len(chosen.rooms))
            % {"count": len(chosen.rooms)}
            if chosen.rooms
            else _("all rooms"),
        },
        "extra": {"extra": yes_no(chosen.extra)},
        "calls": {"calls": yes_no(chosen.calls)},
        "compare": {"compare_url": link(path, chosen, compare=not chosen.compare) if chosen.days else ""},
        "present": {"present": chosen.present, "present_usual": PRESENT},
    }
    fields = {"rooms": "room"}
    visible = {fields.get(part, part) for part in parts if part != "compare"} | {"from", "to", "period", "page"}
    # Rooms that are not offered, as when there are none to choose from, may not get lost either.
    offered = {host_id for host_id, _name in rooms}
    hidden = [
        (name, value)
        for name, value in parse_qsl(to_query(chosen), keep_blank_values=True)
        if name not in visible or (name == "room" and value not in offered)
    ]
    return {
        "action": path,
        # What the address holds, for a view to keep.
        "query": to_query(chosen, page=1),
        "period_choices": [
            (name, label, name == chosen.period, link(path, chosen, first=None, last=None, period=name), key)
            for (name, label), key in zip(PERIOD_LABELS.items(), PERIOD_KEYS, strict=True)
        ],
        "period": "" if chosen.period == period.DEFAULT else chosen.period,
        "period_label": PERIOD_LABELS.get(chosen.period, ""),
        "first": chosen.first,
        "last": chosen.last,
        "from": chosen.first.isoformat() if chosen.first else "",
        "to": chosen.last.isoformat() if chosen.last else "",
        "earlier_url": earlier,
        "later_url": later,
        "compare": chosen.compare,
        "set": len({chip.label for chip in chips(path, chosen, {})}),
        "hidden": hidden,
        "csv_links": list(csv_links),
        "reset_url": path,
        **{key: value for part in parts for key, value in shown[part].items()},
    }
