"""A forecast in words."""

from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.cards import Card
from dashboard.templatetags import ledger
from reports.figures.forecast import Forecast

# From here on nobody looks at the cents of what is only expected.
WHOLE_FROM = Decimal(100)


def rough(amount: Decimal, most: Decimal) -> str:
    """Yuan as a forecast has them: whole ones, unless even the most of it is little."""
    places = 0 if most >= WHOLE_FROM else 2
    rounded = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"¥{number_format(rounded, decimal_pos=places, force_grouping=True)}"


def span(found: Forecast) -> str:
    """From the least to the most, by the last day of the month."""
    return _("%(least)s – %(most)s by %(day)s") % {
        "least": rough(found.least, found.most),
        "most": rough(found.most, found.most),
        "day": ledger.day(found.last),
    }


def sentence(found: Forecast) -> str:
    """The whole of it: ¥1,234 – ¥1,480 by 30 November, most likely ¥1,350."""
    return _("%(span)s, most likely %(likely)s") % {"span": span(found), "likely": rough(found.likely, found.most)}


def unpriced(count: int) -> str:
    """How many calls it knows nothing of; "" for none."""
    if not count:
        return ""
    return ngettext("%(count)s call unpriced", "%(count)s calls unpriced", count) % {"count": ledger.count(count)}


def card(found: Forecast | None) -> Card:
    """The card of the month's end."""
    label = _("Cost at the month's end")
    if found is None:
        return Card("month_end_cost", label, ledger.UNKNOWN, hint=_("needs 14 days of calls with prices"))
    hint = " · ".join(part for part in (span(found), unpriced(found.unpriced)) if part)
    return Card("month_end_cost", label, rough(found.likely, found.most), hint=hint)
