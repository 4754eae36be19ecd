"""What saved views and mail reports share: an address that is kept, read again for an account."""

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext as _

from dashboard import filters, limits, mailing, places
from dashboard.pages import base
from dashboard.places import Place
from reports.figures import rooms

LONGEST_ADDRESS = 8000


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept address in words: its page, its filter, or why it cannot be opened."""

    title: str
    words: str
    problem: str


def read(path: str, query: str, user: User | AnonymousUser, now: datetime) -> Kept:
    """What an address means to an account."""
    try:
        place, given = places.find(path)
    except places.NoPlace:
        return Kept(path, "", _("This page is not there any more."))
    allowed = limits.allowed_rooms(user)
    title = places.title(place, given, allowed)
    try:
        chosen = base.parse_for(user, QueryDict(query), now, place.sorts)
    except filters.BadFilter as error:
        return Kept(title, query, str(error))
    label = filters.PERIOD_LABELS.get(chosen.period)
    parts = [str(label)] if label else []
    for chip in filters.chips(path, chosen, rooms.names(chosen.rooms, allowed)):
        parts.append(chip.value if chip.label == _("Period") else mailing.named(chip.label, chip.value))
    return Kept(title, " · ".join(parts), "")


def canonical(path: str, query: str, user: User | AnonymousUser, now: datetime) -> tuple[str, str, Place]:
    """An address as it is kept: the filter in its one spelling, without a page. Errors: ValidationError."""
    if len(path) + len(query) > LONGEST_ADDRESS or "\x00" in path:
        raise ValidationError(_("This address is too long to be kept."))
    try:
        place, _given = places.find(path)
        chosen = base.parse_for(user, QueryDict(query), now, place.sorts)
    except (places.NoPlace, filters.BadFilter) as error:
        raise ValidationError(str(error)) from None
    return iri_to_uri(path) or "", filters.to_query(chosen, page=1), place


class NameField(forms.CharField):
    """A name on one line: it stands in a list, and in the header of a mail."""

    def to_python(self, value: object) -> str:
        return mailing.one_line(str(value or ""))
