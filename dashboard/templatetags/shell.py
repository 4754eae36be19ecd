"""What the components of every page ask of their values: which way a change goes, where a row leads."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

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


@register.simple_tag
def cells(row: Sequence[Any]) -> SafeString:
    """The cells of a table's row (dashboard.tables.Cell); the first names the row.

    Written here and not by a template: there are thousands on a page, and an include each costs ten times
    as much. Every value of a cell is escaped.
    """
    return mark_safe("".join(_cell(cell, head=place == 0) for place, cell in enumerate(row)))  # noqa: S308


def _cell(cell: Any, *, head: bool) -> str:
    kind = "num" if cell.numeric else "text-nowrap" if cell.one_line else "topic" if head else "text"
    text: str = escape(cell.text)
    if cell.url:
        text = f'<a href="{escape(cell.url)}">{text}</a>'
    if cell.bar:
        bar = f'<rect width="{escape(cell.bar)}" height="4"/>'
        view = 'viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"'
        text = f'<svg class="cell-bar" {view}>{bar}</svg>{text}'
    if cell.note:
        text += f'<span class="cell-note">{escape(cell.note)}</span>'
    return f'<th scope="row" class="{kind}">{text}</th>' if head else f'<td class="{kind}">{text}</td>'
