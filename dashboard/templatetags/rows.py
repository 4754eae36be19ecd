"""The heads and rows of tables, written here and not by templates: there are hundreds on a page.

An include for each costs ten times as much. Every value is escaped.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from dashboard.filters import room_path
from dashboard.templatetags import ledger
from dashboard.templatetags.shell import escape
from reports.models import Meeting

register = template.Library()

_SORT_MARK = (
    '<svg class="sort-mark" viewBox="0 0 8 12" aria-hidden="true">'
    '<path class="sort-up" d="M4 0 7.5 5H.5z" /><path class="sort-down" d="M4 12 7.5 7H.5z" /></svg>'
)
_SORTED = {"asc": ' aria-sort="ascending"', "desc": ' aria-sort="descending"'}


@register.simple_tag
def heads(columns: Sequence[Any], table_id: str = "") -> SafeString:
    """The header cells of a table (dashboard.tables.Column). With the table's id they keep the focus where it was."""
    return mark_safe("".join(_head(column, f"{table_id}-" if table_id else "") for column in columns))  # noqa: S308


def _head(column: Any, prefix: str) -> str:
    kind = ' class="num"' if column.numeric else ""
    label = f"<span>{escape(column.label)}</span>"
    if column.unit:
        label += f' <span class="unit">{escape(column.unit)}</span>'
    if column.url:
        url = escape(column.url)
        label = (
            f'<a id="sort-{escape(prefix + column.name)}" class="sort" href="{url}" hx-get="{url}" '
            f'hx-target="#results" hx-swap="innerHTML" hx-push-url="true" hx-indicator="#results">'
            f"{label}{_SORT_MARK}</a>"
        )
    sorted_by = _SORTED.get(column.direction or "", "")
    return f'<th scope="col" data-col="{escape(column.name)}"{kind}{sorted_by}>{label}</th>'


@register.simple_tag
def meeting_rows(rows: Iterable[tuple[Meeting, Any]], no_room: bool = False) -> SafeString:
    """Meetings with their figures as table rows. no_room: the room is left out."""
    # Once for all rows: Django's own way to the words of a state puts all its choices into words for each.
    words = {str(state): str(state.label) for state in Meeting.State}
    words |= {"no room": _("unknown room"), "extra": _("extra")}
    address = reverse("meeting", args=[0]).removesuffix("0/")
    return mark_safe("".join(_meeting(*row, no_room, words, address) for row in rows))  # noqa: S308


def _meeting(meeting: Meeting, figures: Any, no_room: bool, words: dict[str, str], address: str) -> str:
    start = timezone.localtime(meeting.start_time)
    topic = escape(meeting.topic or meeting.meeting_id or meeting.uuid)
    number = f'<span class="cell-note">{escape(meeting.meeting_id)}</span>' if meeting.meeting_id else ""
    url = f"{address}{meeting.pk}/"
    held = _room(meeting, words)
    room = "" if no_room else f'<td class="text">{held}</td>'
    state = f'<span class="badge state state-{escape(meeting.state)}">{escape(words[meeting.state])}</span>'
    told = (
        ledger.minutes(meeting.duration),
        ledger.minutes(figures.open_seconds),
        ledger.minutes(figures.used_seconds),
        ledger.count(figures.attendees),
        ledger.count(figures.peak_attendees),
        ledger.count(figures.calls),
        ledger.money(figures.call_cost),
    )
    numbers = "".join(f'<td class="num">{escape(text)}</td>' for text in told)
    when = f'<time datetime="{escape(start.isoformat())}">{escape(ledger.moment(start))}</time>'
    return (
        f'<tr><td class="text-nowrap">{when}</td>'
        f'<th scope="row" class="topic"><a href="{url}">{topic}</a>{number}</th>{room}<td>{state}</td>{numbers}</tr>'
    )


def _room(meeting: Meeting, words: dict[str, str]) -> str:
    extra = f' <span class="badge bg-orange-lt">{escape(words["extra"])}</span>' if meeting.is_extra else ""
    if meeting.room is None:
        return f'<span class="text-secondary">{escape(words["no room"])}</span>{extra}'
    url = escape(room_path(meeting.room.host_id))
    return f'<a href="{url}">{escape(meeting.room)}</a>{extra}'
