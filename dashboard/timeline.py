"""The time axis of one meeting as the template draws it: places in percent of the axis, and their words. No queries."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.templatetags import ledger
from reports.figures.timeline import Bar, Row, Timeline
from reports.models import TelephonyUsage

# From so many rows on they are thin, and scroll in a box of their own.
DENSE_FROM = 31
LANES = 3
# Something that was there at all is to be seen: about a pixel.
LEAST_WIDTH = 0.2
CURVE_WIDTH = 2000


class Axis:
    """Moments of one axis as places and words."""

    def __init__(self, timeline: Timeline) -> None:
        self.start = timeline.start
        self.length = (timeline.end - timeline.start).total_seconds()
        self.day = localtime(timeline.start).date()

    def share(self, moment: datetime) -> float:
        """Where a moment stands: 0 at the axis' start, 1 at its end."""
        return (moment - self.start).total_seconds() / self.length

    def at(self, moment: datetime) -> str:
        """Where a moment stands, as SVG writes it."""
        return _percent(self.share(moment) * 100)

    def box(self, bar: Bar) -> dict[str, str]:
        """Where a bar stands, never without width and never outside the axis."""
        left = self.share(bar.start) * 100
        width = max(self.share(bar.end) * 100 - left, LEAST_WIDTH)
        left = min(left, 100 - width)
        return {"x": _percent(left), "width": _percent(width)}

    def clock(self, moment: datetime) -> str:
        """A moment in words, with its day where it is not the one that the axis begins on and names."""
        local = localtime(moment)
        return ledger.clock(local) if local.date() == self.day else ledger.exact(local)

    def until(self, start: datetime, end: datetime) -> str:
        """The end of a span in words, with its day where it is not the start's."""
        local = localtime(end)
        return ledger.clock(local) if local.date() == localtime(start).date() else ledger.exact(local)

    def span(self, start: datetime, end: datetime) -> str:
        return f"{self.clock(start)} – {self.until(start, end)}"


def _percent(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") + "%"


def view(timeline: Timeline, *, running: bool, masked: bool) -> dict[str, Any]:
    """Everything the templates of the time axis show. masked: telephone numbers are shown in part."""
    axis = Axis(timeline)
    seen: set[str] = set()
    rows = None if timeline.rows is None else [_row(row, timeline, axis, running, seen) for row in timeline.rows]
    calls = [_call(call, bar, axis, running, masked, seen) for call, bar in timeline.calls or ()]
    edges = [bar for bar in (timeline.booked, timeline.occupied) if bar]
    if any(bar.before or bar.after for bar in edges):
        seen.add("beyond")
    if running:
        seen.add("now")
    if timeline.booked:
        seen.add("booked")
    return {
        "day": ledger.day(localtime(timeline.start)),
        "ticks": _ticks(timeline, axis),
        "occupied": _span(timeline.occupied, axis),
        "booked": timeline.booked and _span(timeline.booked, axis),
        "edges": [axis.at(timeline.occupied.start), axis.at(timeline.occupied.end)],
        "running": running,
        "rows": rows,
        "calls": calls,
        "untimed": [
            {"number": ledger.phone(call.phone_number, masked), "type": ledger.call_type(call.type)}
            for call in timeline.untimed
        ],
        "curve": _curve(timeline, axis),
        "dense": len(rows or ()) + len(calls) >= DENSE_FROM,
        "legend": [(name, text) for name, text in _legend() if name in seen],
    }


def _legend() -> list[tuple[str, str]]:
    return [
        ("booked", _("booked")),
        ("present", _("present")),
        ("single", _("single visits, where several went on at once")),
        ("now", _("still going on")),
        ("assumed", _("no leave reported: counted until the end")),
        ("late", _("late")),
        ("fault", _("clock fault: left before the join")),
        ("beyond", _("goes on beyond the axis")),
        ("call", _("telephone call")),
    ]


def _ticks(timeline: Timeline, axis: Axis) -> list[dict[str, Any]]:
    found = []
    last = len(timeline.ticks) - 1
    day = axis.day
    for number, moment in enumerate(timeline.ticks):
        local = localtime(moment)
        new_day = local.date() != day and number < last
        day = local.date()
        found.append(
            {
                "x": axis.at(moment),
                "label": date_format(local, "MONTH_DAY_FORMAT" if timeline.by_day else "TIME_FORMAT"),
                "day": date_format(local, "MONTH_DAY_FORMAT") if new_day and not timeline.by_day else "",
                "new_day": new_day and not timeline.by_day,
                "anchor": "start" if number == 0 else "end" if number == last else "middle",
                # A small screen has no place for every label.
                "minor": number % 2 == 1 or (number == last - 1 and last % 2 == 1),
            }
        )
    return found


def _span(bar: Bar, axis: Axis) -> dict[str, Any]:
    words = {"span": axis.span(*bar.whole), "minutes": ledger.minutes(bar.whole[1] - bar.whole[0])}
    title = _("%(span)s, %(minutes)s min") % words
    return {**axis.box(bar), "before": bar.before, "after": bar.after, "title": title, "minutes": words["minutes"]}


def _untimed(call: TelephonyUsage, masked: bool) -> dict[str, str]:
    return {"number": ledger.phone(call.phone_number, masked), "type": ledger.call_type(call.type)}


def _row(row: Row, timeline: Timeline, axis: Axis, running: bool, seen: set[str]) -> dict[str, Any]:
    attendee = row.presence.attendee
    name = ledger.attendee(attendee.name)
    late = None
    if row.presence.late is not None:
        seen.add("late")
        start = timeline.occupied.start
        gap = Bar(start=start, end=min(max(attendee.first_join, start), timeline.end), whole=(start, start))
        words = {"name": name, "minutes": ledger.minutes(row.presence.late)}
        late = {
            "from": axis.at(gap.start),
            "to": axis.at(gap.end),
            "title": _("%(name)s: %(minutes)s min late") % words,
        }
    if row.bars:
        seen.add("present")
    if row.singles:
        seen.add("single")
    bars = [_bar(bar, name, axis, running, seen) for bar in row.bars]
    marks = [_mark(bar, name, axis, seen) for bar in row.marks]
    everything = [*row.bars, *row.marks]
    before, after = any(bar.before for bar in everything), any(bar.after for bar in everything)
    if before or after:
        seen.add("beyond")
    return {
        "name": attendee.name and name,
        "minutes": ledger.minutes(attendee.seconds),
        "share": ledger.percent(row.presence.share),
        "late": late,
        "bars": bars,
        "singles": [
            {**axis.box(bar), "lane": min(bar.lane, LANES - 1), "title": _title(bar, name, axis, running)}
            for bar in row.singles
        ],
        "marks": marks,
        "before": before,
        "after": after,
    }


def _bar(bar: Bar, name: str, axis: Axis, running: bool, seen: set[str]) -> dict[str, Any]:
    kind = "" if not bar.open else "now" if running else "assumed"
    seen.add(kind)
    return {**axis.box(bar), "kind": kind, "end": axis.at(bar.end), "title": _title(bar, name, axis, running)}


def _mark(bar: Bar, name: str, axis: Axis, seen: set[str]) -> dict[str, Any]:
    if bar.fault:
        seen.add("fault")
        title = _("%(name)s, %(start)s: a leave before the join was reported; counts as zero")
    else:
        title = _("%(name)s, %(start)s: joined and left at once")
    words = {"name": name, "start": axis.clock(bar.whole[0])}
    return {**axis.box(bar), "fault": bar.fault, "title": title % words}


def _title(bar: Bar, name: str, axis: Axis, running: bool) -> str:
    words = {
        "name": name,
        "start": axis.clock(bar.whole[0]),
        "end": axis.until(*bar.whole),
        "minutes": ledger.minutes(bar.whole[1] - bar.whole[0]),
    }
    if bar.open and running:
        return _("%(name)s, since %(start)s, %(minutes)s min so far") % words
    if bar.open:
        return _("%(name)s, %(start)s – %(end)s, %(minutes)s min; the end was not reported") % words
    return _("%(name)s, %(start)s – %(end)s, %(minutes)s min") % words


def _call(call: TelephonyUsage, bar: Bar, axis: Axis, running: bool, masked: bool, seen: set[str]) -> dict[str, Any]:
    seen.add("call")
    number = ledger.phone(call.phone_number, masked)
    cost = _("unpriced") if call.total is None else ledger.money(call.total)
    if bar.before or bar.after:
        seen.add("beyond")
    if bar.fault:
        seen.add("fault")
    shape = _bar(bar, number, axis, running, seen)
    what = f"{number} ({ledger.call_type(call.type)})" if call.type else number
    return {
        "number": number,
        "type": ledger.call_type(call.type),
        "minutes": ledger.minutes(call.duration),
        "cost": cost,
        "unpriced": call.total is None,
        "bar": {**shape, "fault": bar.fault, "title": f"{_title(bar, what, axis, running)}, {cost}"},
        "before": bar.before,
        "after": bar.after,
    }


def _curve(timeline: Timeline, axis: Axis) -> dict[str, Any] | None:
    """The head-count as one path of steps, in a box CURVE_WIDTH wide and as high as the peak; None without any."""
    if not timeline.steps or not timeline.peak:
        return None
    start, end = timeline.peaks[0]
    shown = [span for span in timeline.peaks if span[1] > timeline.start and span[0] < timeline.end]
    middle = None
    if shown:
        left, right = (min(max(axis.share(moment), 0), 1) for moment in shown[0])
        middle = (left + right) / 2
    more = len(timeline.peaks) - 1
    words = {"span": axis.span(start, end), "count": more}
    when = (
        ngettext("%(span)s and once more", "%(span)s and %(count)d times more", more) % words if more else words["span"]
    )
    return {
        "path": path(timeline.steps, timeline.peak, axis),
        "box": f"{CURVE_WIDTH} {timeline.peak}",
        "peak": ledger.count(timeline.peak),
        "when": when,
        "at": None if middle is None else _percent(middle * 100),
        "anchor": "" if middle is None else "start" if middle < 0.1 else "end" if middle > 0.9 else "middle",
        "marks": [axis.box(Bar(*_inside(span, timeline), whole=span)) for span in shown],
    }


def _inside(span: tuple[datetime, datetime], timeline: Timeline) -> tuple[datetime, datetime]:
    return max(span[0], timeline.start), min(span[1], timeline.end)


def path(steps: Sequence[tuple[datetime, int]], height: int, axis: Axis) -> str:
    """Steps as an SVG path whose y counts heads from the top. Where several changes fall on one place of the
    picture, the line still goes up to the highest of them."""
    level = 0
    columns: dict[int, list[int]] = {}
    for moment, count in steps:
        share = axis.share(moment)
        if share <= 0:
            level = count
        elif share < 1:
            columns.setdefault(round(share * CURVE_WIDTH), []).append(count)
    parts = [f"M0 {height}", *_vertical(height, height - level)]
    x = 0
    for place, counts in columns.items():
        parts += [f"h{place - x}"] if place != x else []
        x = place
        for target in dict.fromkeys((max(counts), counts[-1])):
            parts += _vertical(height - level, height - target)
            level = target
    return "".join([*parts, f"H{CURVE_WIDTH}V{height}z"])


def _vertical(start: int, end: int) -> Iterable[str]:
    return [] if start == end else [f"v{end - start}"]
