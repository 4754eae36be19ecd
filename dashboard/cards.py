"""Figure cards: a value, its change against the previous period, and a sparkline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from dashboard.templatetags import ledger
from reports.filter import Filter

Number = int | float | Decimal


@dataclass(frozen=True, slots=True)
class Card:
    """What components/card.html shows. figure names it for those who look for it; the rest is ready to read."""

    figure: str
    label: str
    value: str
    unit: str = ""
    hint: str = ""
    url: str = ""
    change: str = ""
    change_hint: str = ""
    spark: str = ""


@dataclass(frozen=True, slots=True)
class Against:
    """The previous period that cards are compared with. days: it in words, "" without one.

    spell_out: whether its value stands on the card, not only behind the change.
    """

    days: str
    spell_out: bool


def against(before: Filter | None, chosen: Filter) -> Against:
    """What the cards of a filter are compared with. before: the previous period, if the ledger has it."""
    if before is None:
        return Against("", False)
    return Against(f"{ledger.day(before.first)} – {ledger.day(before.last)}", chosen.compare)


def change(now: Number | None, before: Number | None) -> str:
    """By how much a figure grew or shrank, in percent; "" where there is nothing to compare with."""
    if now is None or before is None or not before:
        return ""
    share = (Decimal(now) - Decimal(before)) / Decimal(before) * 100
    places = 0 if abs(share) >= 100 else 1
    rounded = share.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else "±"
    return f"{sign}{number_format(abs(rounded), decimal_pos=places, force_grouping=True)}%"


MOST_POINTS = 100


def _mean(values: Sequence[Number | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def spark(values: Sequence[Number | None]) -> str:
    """Values as the points of a line within 100 × 24; unknown ones are passed over.

    Of more values than it has room for, each point is the mean of as many neighbours as it takes.
    """
    if len(values) > MOST_POINTS:
        size = -(-len(values) // MOST_POINTS)
        values = [_mean(values[start : start + size]) for start in range(0, len(values), size)]
    known = [(place, float(value)) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return ""
    most = max(value for _place, value in known) or 1.0
    across = 100 / (len(values) - 1)
    # A pixel is left free above and below for the thickness of the line.
    return " ".join(f"{place * across:.1f},{23 - value / most * 22:.1f}" for place, value in known)


def compared(
    figure: str,
    label: str,
    value: Number | None,
    before: Number | None,
    shown: Callable[[Any], str],
    past: Against,
    *,
    unit: str = "",
    hint: str = "",
    url: str = "",
    spark: str = "",
) -> Card:
    """A card with its change. value, before: the figure now and in the previous period; shown: how it is written."""
    change_hint = ""
    if past.days:
        change_hint = _("%(value)s in the previous period, %(period)s") % {"value": shown(before), "period": past.days}
        if past.spell_out:
            hint = _("before: %(value)s") % {"value": shown(before)}
    return Card(
        figure=figure,
        label=label,
        value=shown(value),
        unit=unit,
        hint=hint,
        url=url,
        change=change(value, before) if past.days else "",
        change_hint=change_hint,
        spark=spark,
    )
