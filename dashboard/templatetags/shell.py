"""What the components of every page ask of their values: which way a change goes, where a row leads."""

import html
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from dashboard.filters import CHIPS_SHOWN
from dashboard.templatetags import ledger

register = template.Library()


def escape(value: object) -> str:
    """Text for a page, whatever it holds; Django's own, without what it does for values that are not known yet."""
    return html.escape(str(value))


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
def cells(row: Sequence[Any], named: bool = True) -> SafeString:
    """The cells of a table's row (dashboard.tables.Cell); the first names the row, unless they go on with one.

    Written here and not by a template: there are thousands on a page, and an include each costs ten times
    as much. Every value of a cell is escaped.
    """
    return mark_safe("".join(_cell(cell, head=named and place == 0) for place, cell in enumerate(row)))  # noqa: S308


def _cell(cell: Any, *, head: bool) -> str:
    kind = "num" if cell.numeric else "text-nowrap" if cell.one_line else "topic" if head else "text"
    text = escape(cell.text)
    if cell.url:
        text = f'<a href="{escape(cell.url)}">{text}</a>'
    if cell.bar:
        bar = f'<rect width="{escape(cell.bar)}" height="4"/>'
        view = 'viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"'
        text = f'<svg class="cell-bar" {view}>{bar}</svg>{text}'
    if cell.note:
        text += f'<span class="cell-note">{escape(cell.note)}</span>'
    return f'<th scope="row" class="{kind}">{text}</th>' if head else f'<td class="{kind}">{text}</td>'


@register.simple_tag
def room_choices(choices: Sequence[tuple[str, str, bool]]) -> SafeString:
    """The rooms to choose from in the filter bar, (host_id, name, chosen), written here as `cells` are."""
    return mark_safe(_written(tuple(choices)))  # noqa: S308


@lru_cache(maxsize=16)
def _written(choices: tuple[tuple[str, str, bool], ...]) -> str:
    """Every page has the same hundreds of rooms."""
    return "".join(_room_choice(number, *one) for number, one in enumerate(choices, 1))


def _room_choice(number: int, value: str, label: str, chosen: bool) -> str:
    box = f'<input id="filter-room-{number}" type="checkbox" name="room" value="{escape(value)}"'
    return f"<label>{box}{' checked' if chosen else ''} data-auto><span>{escape(label)}</span></label>"


@register.simple_tag
def chart_rows(chart: Any) -> SafeString:
    """The rows of a chart's table, written here as `cells` are."""
    return mark_safe("".join(_chart_row(*row) for row in linked_rows(chart)))  # noqa: S308


def _chart_row(url: str, name: Any, values: Sequence[Any]) -> str:
    head = f'<a href="{escape(url)}">{escape(name)}</a>' if url else escape(name)
    told = "".join(f'<td class="num">{escape(value)}</td>' for value in values)
    return f'<tr><th scope="row">{head}</th>{told}</tr>'


@register.simple_tag
def heat_cells(row: Sequence[Any]) -> SafeString:
    """A weekday of the heat map (dashboard.heat.Cell), written here as `cells` are."""
    words = _("%(hours)s h open")
    return mark_safe("".join(_heat_cell(cell, words) for cell in row))  # noqa: S308


def _heat_cell(cell: Any, words: str) -> str:
    if not cell.url:
        return f'<td class="heat-{escape(cell.level)}"></td>'
    title = words % {"hours": ledger.hours2(cell.open_seconds)}
    link = f'<a href="{escape(cell.url)}" title="{escape(title)}">{escape(ledger.count(cell.meetings))}</a>'
    return f'<td class="heat-{escape(cell.level)}">{link}</td>'


@register.simple_tag
def marks(row: Sequence[Any]) -> SafeString:
    """The cells of a grid's row (dashboard.attendance_grid.Mark), written here as `cells` are."""
    return mark_safe("".join(f'<td class="mark" title="{escape(one.words)}">{_mark(one)}</td>' for one in row))  # noqa: S308


@register.simple_tag
def shape(one: Any) -> SafeString:
    """One mark by itself, as the legend has it."""
    return mark_safe(_drawn(one))  # noqa: S308


def _mark(one: Any) -> str:
    return f'{_drawn(one)}<span class="visually-hidden">{escape(one.words)}</span>'


def _drawn(one: Any) -> str:
    names = [one.kind, *(["late"] if one.late else []), *(["early"] if one.early else [])]
    used = "".join(f'<use href="#mark-{name}"/>' for name in names)
    return f'<svg class="mark-shape" viewBox="0 0 28 16" aria-hidden="true">{used}</svg>'
