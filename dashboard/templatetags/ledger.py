"""How figures are written on a page: one filter each for minutes, hours, money, percent, counts, days and times.

Unknown (None) is a dash, never zero.
"""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from phonenumbers.geodata.locale import LOCALE_DATA

from dashboard import sentences
from reports.fields import tidy
from reports.text import REMOVED_NUMBER_OF, is_removed, mask

register = template.Library()

UNKNOWN = "–"


def grouped(value: Decimal | int) -> str:
    """A number with all its places and a comma between thousands, as both languages write it (see formats/).

    Django's own way of writing is ten times as slow, and a page writes a thousand numbers.
    """
    return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"


_STEPS = [Decimal(1).scaleb(-places) for places in range(4)]


def _rounded(value: Decimal, places: int) -> str:
    return grouped(value.quantize(_STEPS[places], ROUND_HALF_UP))


@register.filter
def minutes(seconds: float | timedelta | None) -> str:
    """Seconds as minutes with one decimal."""
    if isinstance(seconds, timedelta):
        seconds = int(seconds.total_seconds())
    return UNKNOWN if seconds is None else _rounded(Decimal(seconds) / 60, 1)


@register.filter
def hours(seconds: int | None) -> str:
    """Seconds as hours with one decimal, as on a card."""
    return UNKNOWN if seconds is None else _rounded(Decimal(seconds) / 3600, 1)


@register.filter
def hours2(seconds: int | None) -> str:
    """Seconds as hours with two decimals, as a table has them."""
    return UNKNOWN if seconds is None else _rounded(Decimal(seconds) / 3600, 2)


@register.filter
def money(amount: Decimal | None) -> str:
    """Yuan as ¥1,234.50."""
    if amount is None:
        return UNKNOWN
    exact = tidy(amount)
    return f"{'-' if exact < 0 else ''}¥{grouped(abs(exact))}"


@register.filter
def price(amount: Decimal | None) -> str:
    """Yuan a minute, with three decimals."""
    return UNKNOWN if amount is None else f"¥{_rounded(amount, 3)}"


@register.filter
def count(number: int | None) -> str:
    """A whole number with its thousands told apart."""
    return UNKNOWN if number is None else grouped(number)


@register.filter
def percent(share: float | None) -> str:
    """A share as a percentage with one decimal."""
    return UNKNOWN if share is None else f"{_rounded(Decimal(repr(share)) * 100, 1)}%"


def tenths_percent(share: float | None) -> str:
    """A share in percent with one decimal, without the sign: for a column whose header has it."""
    return UNKNOWN if share is None else _rounded(Decimal(repr(share)) * 100, 1)


def tenths(number: float | None) -> str:
    """A mean with one decimal."""
    return UNKNOWN if number is None else _rounded(Decimal(repr(number)), 1)


@lru_cache(maxsize=4096)
def _written(value: date, form: str, _language: str | None) -> str:
    """A page writes the same days again and again, and Django takes its time over each."""
    return date_format(value, form)


@register.filter(expects_localtime=True)
def day(value: date | None) -> str:
    """A day, or the local day of a moment, as the language writes it."""
    if value is None:
        return UNKNOWN
    return _written(value.date() if isinstance(value, datetime) else value, "DATE_FORMAT", get_language())


@register.filter(expects_localtime=True)
def moment(value: datetime | None) -> str:
    """Day and time of day, to the minute."""
    if value is None:
        return UNKNOWN
    # Only what the text depends on: the wall clock, to the minute.
    return _written(value.replace(second=0, microsecond=0, tzinfo=None), "DATETIME_FORMAT", get_language())


@register.filter
def is_now(value: datetime) -> bool:
    """Whether a moment is less than a minute ago: Django would call that 0 minutes."""
    return timezone.now() - value < timedelta(minutes=1)


@register.filter(expects_localtime=True)
def exact(value: datetime | None) -> str:
    """Day and time of day, to the second."""
    return UNKNOWN if value is None else f"{day(value)} {value:%H:%M:%S}"


@register.filter(expects_localtime=True)
def clock(value: datetime | None) -> str:
    """Time of day, to the second."""
    return UNKNOWN if value is None else f"{value:%H:%M:%S}"


@register.filter
def month(value: date | None) -> str:
    """The month of a day."""
    return UNKNOWN if value is None else _written(value, "YEAR_MONTH_FORMAT", get_language())


@register.filter
def sentence(text: str | None) -> str:
    """What the ledger has written down in English, in the language of the page."""
    return sentences.say(text or "")


@register.filter
def asked_for(text: str | None) -> str:
    """What a pull asked for, its days as the language writes them."""
    return sentences.asked_for(text or "") or UNKNOWN


@register.filter
def attendee(name: str) -> str:
    """A display name as a page writes it: also where there is none, and where it was removed."""
    if not name:
        return _("(no name)")
    if is_removed(name):
        number = name.rpartition(" ")[2]
        return (
            _("attendee %(number)s (name removed)") % {"number": number} if number.isdigit() else _("(names removed)")
        )
    return name


@register.filter
def phone(number: str, masked: bool = True) -> str:
    """A telephone number, in part where the account may not see all of it."""
    if REMOVED_NUMBER_OF.fullmatch(number):
        return _("(number removed)")
    return (mask(number) if masked else number) or UNKNOWN


@register.filter
def country(code: str) -> str:
    """A country by its ISO 3166 code in the language of the page, as the telephone library names it."""
    names = LOCALE_DATA.get(code, {})
    name = names.get((get_language() or "en").partition("-")[0]) or names.get("en") or code
    # The library writes "*" and a code for a name that is the same in another language.
    return str(names.get(name[1:], code) if name.startswith("*") else name) or UNKNOWN


@register.filter
def call_type(kind: str) -> str:
    """The direction of a call as a reader says it; one that is not known stays as the API names it."""
    known = {"call-in": _("call-in"), "call-out": _("call-out"), "callback": _("callback"), "": _("not told")}
    return known.get(kind.casefold(), kind)
