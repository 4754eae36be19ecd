"""What the components of every page ask of their values: which way a change goes, where a row leads."""

from collections.abc import Sequence
from typing import Any

from django import template

from dashboard.filters import CHIPS_SHOWN

register = template.Library()


@register.filter
def direction(change: str | None) -> str:
    """Which way a change written as text such as '+12.5 %' goes: 'up', 'down', or '' for neither."""
    text = str(change or "").strip()
    if not any(digit in "123456789" for digit in text):
        return ""
    return {"+": "up", "-": "down", "−": "down"}.get(text[0], "")


@register.filter
def linked_rows(chart: Any) -> list[tuple[str, Any, Sequence[Any]]]:
    """The rows of a chart's table as (address or '', name, values).

    The addresses are chart.row_urls, or else those of the chart's columns where there is one for each row.
    """
    rows = list(chart.table_rows)
    urls = getattr(chart, "row_urls", None) or chart.data.get("links") or []
    if len(urls) != len(rows):
        urls = [""] * len(rows)
    return [(url or "", row[0], row[1:]) for url, row in zip(urls, rows, strict=True)]


@register.filter
def first_chips(chips: Sequence[Any]) -> Sequence[Any]:
    """The chips that stay in view: all, when folding would hide only one."""
    return chips if len(chips) <= CHIPS_SHOWN + 1 else chips[:CHIPS_SHOWN]


@register.filter
def other_chips(chips: Sequence[Any]) -> Sequence[Any]:
    """The chips that fold."""
    return chips[len(first_chips(chips)) :]
