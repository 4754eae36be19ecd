"""How figures are written on a page: one filter each for minutes, hours, money, percent, counts, days and times.

Unknown (None) is a dash, never zero.
"""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from phonenumbers.geodata.locale import LOCALE_DATA

from dashboard import sentences
from reports.fields import tidy
from reports.text import mask

register = template.Library()

UNKNOWN = "–"


def _rounded(value: Decimal, places: int) -> str:
    step = Decimal(1).scaleb(-places)
    return number_format(value.quantize(step, ROUND_HALF_UP), decimal_pos=places, force_grouping=True)


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
    exponent = exact.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 2
    sign = "-" if exact < 0 else ""
    return f"{sign}¥{number_format(abs(exact), decimal_pos=places, force_grouping=True)}"


@register.filter
def price(amount: Decimal | None) -> str:
    """Yuan a minute, with three decimals."""
    return UNKNOWN if amount is None else f"¥{_rounded(amount, 3)}"


@register.filter
def count(number: int | None) -> str:
    """A whole number with its thousands told apart."""
    return UNKNOWN if number is None else number_format(number, decimal_pos=0, force_grouping=True)


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


@register.filter(expects_localtime=True)
def day(value: date | None) -> str:
    """A day, or the local day of a moment, as the language writes it."""
    return UNKNOWN if value is None else date_format(value, "DATE_FORMAT")


@register.filter(expects_localtime=True)
def moment(value: datetime | None) -> str:
    """Day and time of day, to the minute."""
    return UNKNOWN if value is None else date_format(value, "DATETIME_FORMAT")


@register.filter(expects_localtime=True)
def exact(value: datetime | None) -> str:
    """Day and time of day, to the second."""
    return UNKNOWN if value is None else f"{date_format(value, 'DATE_FORMAT')} {date_format(value, 'H:i:s')}"


@register.filter(expects_localtime=True)
def clock(value: datetime | None) -> str:
    """Time of day, to the second."""
    return UNKNOWN if value is None else date_format(value, "H:i:s")


@register.filter
def month(value: date | None) -> str:
    """The month of a day."""
    return UNKNOWN if value is None else date_format(value, "YEAR_MONTH_FORMAT")


@register.filter
def sentence(text: str | None) -> str:
    """What the ledger has written down in English, in the language of the page."""
    return sentences.say(text or "")


@register.filter
def asked_for(text: str | None) -> str:
    """What a pull asked for, its days as the language writes them."""
    return sentences.asked_for(text or "") or UNKNOWN


@register.filter
def phone(number: str, masked: bool = True) -> str:
    """A telephone number, in part where the account may not see all of it."""
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
