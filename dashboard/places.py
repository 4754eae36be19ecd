"""The pages whose address holds a filter: what each of them shows can be kept as a view and sent by mail."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from django.urls import Resolver404, resolve
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reports.figures import rooms
from reports.figures.booking import BOOKING_SORTS
from reports.figures.people import PERSON_SORTS
from reports.figures.room_usage import ROOM_SORTS
from reports.figures.series import ATTENDANCE_SORTS, MEMBER_SORTS, SERIES_SORTS
from reports.figures.telephony import TELEPHONY_SORTS
from reports.figures.usage import MEETING_SORTS
from reports.filter import SERIES, Filter
from reports.models import Participant
from reports.text import fold, is_removed

Narrow = Callable[[Filter, Mapping[str, str]], Filter]


def _as_it_is(chosen: Filter, given: Mapping[str, str]) -> Filter:
    return chosen


def _one_room(chosen: Filter, given: Mapping[str, str]) -> Filter:
    return replace(chosen, rooms=(given["host_id"],))


def _one_name(chosen: Filter, given: Mapping[str, str]) -> Filter:
    return replace(chosen, name=fold(given["name"]))


def one_series(chosen: Filter, given: Mapping[str, str]) -> Filter:
    """The filter of the page of one series."""
    key = given["key"]
    if given["by"] == "number":
        return replace(chosen, by="number", number=key.strip())
    return replace(chosen, by="topic", topic=fold(key))


@dataclass(frozen=True, slots=True)
class Place:
    """One page. name: that of its URL; sorts: the columns it can be sorted by; tables: its CSV tables, its own first.

    narrow: the filter of the address together with what the path says. csv_sort: the order of its own CSV table.
    """

    name: str
    label: str | Promise
    tables: tuple[str, ...]
    sorts: Collection[str] = ()
    narrow: Narrow = _as_it_is
    csv_sort: Callable[[str], str] = str


DEAREST = "-cost"  # the order of calls, unless another is asked for
PLACES = {
    place.name: place
    for place in (
        Place(
            "overview",
            gettext_lazy("Overview"),
            ("days", "meetings", "participants", "attendees", "telephony", "rooms"),
        ),
        Place("pool", gettext_lazy("Pool"), ("pool", "sizes", "concurrency", "meetings", "rooms")),
        Place("rooms", gettext_lazy("Rooms"), ("rooms", "meetings", "days", "hours"), ROOM_SORTS),
        Place("booked", gettext_lazy("Booked and used"), ("booked", "meetings", "rooms"), BOOKING_SORTS),
        Place(
            "room",
            gettext_lazy("Room"),
            ("meetings", "participants", "attendees", "telephony", "days"),
            narrow=_one_room,
        ),
        Place(
            "meetings",
            gettext_lazy("Meetings"),
            ("meetings", "participants", "attendees", "telephony"),
            MEETING_SORTS,
        ),
        Place(
            "series-list",
            gettext_lazy("Series"),
            ("series", "attendees", "meetings"),
            SERIES_SORTS | ATTENDANCE_SORTS,
            # What series are sorted by is no column of the table of their attendees.
            csv_sort=lambda _sort: "",
        ),
        *(
            Place(
                f"series-{by}",
                gettext_lazy("Series"),
                ("series", "attendees", "participants", "meetings"),
                MEMBER_SORTS,
                narrow=one_series,
            )
            for by in SERIES
        ),
        Place(
            "telephony",
            gettext_lazy("Telephony"),
            ("telephony", "meetings", "days"),
            TELEPHONY_SORTS,
            csv_sort=lambda sort: sort or DEAREST,
        ),
        Place(
            "people",
            gettext_lazy("People"),
            ("attendees", "participants", "meetings"),
            PERSON_SORTS,
            # What names are sorted by is no column of the table of attendees.
            csv_sort=lambda _sort: "",
        ),
        Place(
            "person",
            gettext_lazy("Attendee"),
            ("attendees", "participants", "meetings"),
            narrow=_one_name,
        ),
    )
}


class NoPlace(ValueError):
    """An address that is none of our filtered pages."""


def find(path: str) -> tuple[Place, dict[str, str]]:
    """The page of a path, as an address has it, and what the path says. Errors: NoPlace."""
    plain = unquote(urlsplit(path).path)
    try:
        match = resolve(plain if path.startswith("/") and not path.startswith("//") else "")
    except Resolver404:
        match = None
    place = PLACES.get(match.url_name or "") if match is not None else None
    if match is None or place is None:
        raise NoPlace(_("This page cannot be kept as a view."))
    return place, {name: str(value) for name, value in match.kwargs.items()}


def is_one(path: str) -> bool:
    """Whether what a path shows can be kept."""
    try:
        find(path)
    except NoPlace:
        return False
    return True


def title(place: Place, given: Mapping[str, str], allowed: frozenset[str] | None = None) -> str:
    """What a page is called where it is spoken of: a room's or an attendee's name after the kind of page.

    allowed: host_ids of the rooms that may be seen; None is all. Of what is not seen the address alone tells.
    """
    label, nobody, untitled = str(place.label), _("(no name)"), _("(no topic)")
    if place.name == "room":
        host_id = given["host_id"]
        return f"{label}: {rooms.names([host_id], allowed).get(host_id) or host_id}"
    if place.name == "person":
        key = fold(given["name"])
        seen = Participant.objects.matching(Filter(name=key, allowed_rooms=allowed))
        visit = seen.order_by("-join_time").first()
        spelled = " ".join(visit.name.split()) if visit else key
        spelled = _("(names removed)") if is_removed(key) else spelled
        return f"{label}: {spelled or nobody}"
    if place.narrow is one_series:
        return f"{label}: {' '.join(given['key'].split()) or untitled}"
    return label
