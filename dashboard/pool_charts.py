"""The charts of the pool: rooms at once over time, hours at each level, what other numbers would have meant."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts import MOST_BARS, Chart, bar_label, bar_name, parts_of
from dashboard.filters import day_links, link
from dashboard.templatetags import ledger
from reports import csvtable
from reports.figures.pool import Level, OfSize, WhatIf
from reports.filter import Filter

# Further than that the axis is not drawn for a pool that is far larger than what is asked about.
LONGEST_AXIS = 300
TONES = 7

HourUrl = Callable[[datetime], str]
HOUR = "%Y-%m-%dT%H"


def hour_url(path: str, chosen: Filter, hour: datetime) -> str:
    """The address of the meetings that occupied rooms in a clock hour, those that began before the period included.

    "" where the filter says another hour already: nothing can ask for the meetings of both.
    """
    if chosen.during not in (None, hour):
        return ""
    return link(path, chosen, first=None, last=None, period="all", during=hour, sort="", compare=False)


def hour_urls(path: str, chosen: Filter) -> HourUrl:
    """`hour_url` for many hours: what their addresses have in common is written once."""
    mark = datetime(2000, 1, 1)  # noqa: DTZ001 — on the clock
    before, name, after = hour_url(path, replace(chosen, during=None), mark).partition(f"during={mark:{HOUR}}")

    def url(hour: datetime) -> str:
        return f"{before}during={hour:{HOUR}}{after}" if chosen.during in (None, hour) else ""

    # Of no other value is it a part: an equals sign in one is written otherwise.
    return url if name else partial(hour_url, path, chosen)


def limit(pool: int | None, count: int) -> list[dict[str, Any]]:
    """The size of the pool as a line across so many values; none where it is not known."""
    return [{"label": _("rooms of the pool"), "data": [pool] * count, "tone": 4, "mark": "limit"}] if pool else []


def concurrent_by_hour(hours: Sequence[tuple[datetime, int]], pool: int | None, url: HourUrl, csv_url: str) -> Chart:
    """The most rooms at once in each clock hour; each bar leads to the meetings that occupied them."""
    links = [url(hour) for hour, _most in hours]
    return _concurrent(
        _("Choose a bar to see the meetings of that hour."),
        "hour",
        [hour.isoformat(timespec="minutes") for hour, _most in hours],
        [f"{ledger.day(hour)} {hour:%H:%M}" for hour, _most in hours],
        [most for _hour, most in hours],
        links,
        pool,
        csv_url,
    )


def concurrent_by_day(days: Sequence[tuple[date, int]], pool: int | None, path: str, chosen: Filter, csv: str) -> Chart:
    """The most rooms at once on each local day; each bar leads to the meetings that began on it.

    Of a long period a bar is a week or a month, with the most of its days.
    """
    step, parts = parts_of([day for day, _most in days])
    told = dict(days)
    names = [bar_name(part[0], part[-1], step) for part in parts]
    description = {
        "day": _("The most of each day. Choose a bar to see its meetings."),
        "week": _("The most of each week. Choose a bar to see its meetings."),
        "month": _("The most of each month. Choose a bar to see its meetings."),
    }
    chart = _concurrent(
        description[step],
        step,
        [bar_label(part[0], step) for part in parts],
        names,
        [max(told[day] for day in part) for part in parts],
        day_links(path, chosen, [(part[0], part[-1]) for part in parts], sort="", compare=False),
        pool,
        csv,
    )
    chart.data["ends"] = [part[-1].isoformat() for part in parts] if step == "week" else []
    return chart


def _concurrent(
    description: str,
    axis: str,
    labels: list[str],
    names: list[str],
    most: list[int],
    links: list[str],
    pool: int | None,
    csv_url: str,
) -> Chart:
    datasets = [{"label": _("rooms at once"), "data": most}, *limit(pool, len(most))]
    heads = {"hour": _("Hour"), "day": _("Day"), "week": _("Week"), "month": _("Month")}
    return Chart(
        id="chart-concurrent-rooms",
        kind="bar",
        title=_("Concurrent rooms"),
        description=description,
        data={"kind": "bar", "axis": axis, "labels": labels, "datasets": datasets, "links": links},
        table_head=[heads[axis], _("Rooms at once")],
        table_rows=[[name, ledger.count(value)] for name, value in zip(names, most, strict=True)],
        csv_url=csv_url,
        row_urls=links,
    )


def _axis(levels: Sequence[Level], pool: int | None) -> int:
    """The last number of rooms that is drawn: that of the pool too, unless it is out of all proportion."""
    top = levels[-1].rooms
    return max(top, pool) if pool and pool <= LONGEST_AXIS else top


def _step(count: int) -> int:
    """How many numbers of rooms go together, where there are so many: no more parts than can be told apart."""
    tens = 1
    while count > 5 * tens * MOST_BARS:
        tens *= 10
    return next(step for step in (tens, 2 * tens, 5 * tens) if count <= step * MOST_BARS)


def _said(description: str, step: int, each: str) -> str:
    """What a chart is about, and what it leaves out."""
    return description if step == 1 else f"{description} {each % {'step': ledger.count(step)}}"


def hours_at_levels(levels: Sequence[Level], pool: int | None, url: HourUrl, csv_url: str) -> Chart:
    """For how long so many rooms were occupied, told apart by opening hours; from the pool's size on none was free.

    Of very many numbers some go together in each bar, which leads to an hour of the most.
    """
    count = _axis(levels, pool) + 1
    full = pool or count
    step = _step(count)
    starts = range(0, count, step)

    def drawn(seconds: Callable[[Level], int], low: int, high: int) -> list[float | None]:
        return [
            float(csvtable.hours(sum(seconds(one) for one in part))) if part else None
            for start in starts
            for part in [levels[max(low, start) : min(high, start + step)]]
        ]

    parts = [part for start in starts if (part := levels[start : start + step])]
    hours = [[one.hour for one in part if one.hour and one.rooms] for part in parts]
    links = [url(found[-1]) if found else "" for found in hours]
    datasets = [
        {"label": _("in opening hours"), "data": drawn(lambda one: one.opening_seconds, 0, full), "tone": 1},
        {
            "label": _("at other hours"),
            "data": drawn(lambda one: one.seconds - one.opening_seconds, 0, full),
            "tone": 2,
        },
    ]
    if full < len(levels):
        everything = drawn(lambda one: one.seconds, full, len(levels))
        datasets.append({"label": _("no room free"), "data": everything, "tone": 4})
    return Chart(
        id="chart-hours-at-level",
        kind="bar",
        title=_("Hours at each number of rooms"),
        description=_said(
            _("For how long exactly so many were occupied. Choose a bar to see an hour of it."),
            step,
            _("%(step)s numbers to a bar; the CSV has each."),
        ),
        data={
            "kind": "bar",
            "stacked": True,
            "labels": [_span(start, min(start + step, count) - 1, str) for start in starts],
            "x_title": _("rooms at once"),
            "datasets": datasets,
            "links": links,
            "unit": _("h"),
        },
        table_head=[_("Rooms at once"), _("Hours"), _("In opening hours"), _("At least so many")],
        table_rows=[
            [
                _span(part[0].rooms, part[-1].rooms, ledger.count),
                ledger.hours2(sum(one.seconds for one in part)),
                ledger.hours2(sum(one.opening_seconds for one in part)),
                ledger.hours2(part[0].at_least_seconds),
            ]
            for part in parts
        ],
        csv_url=csv_url,
        row_urls=links,
    )


def _span(first: int, last: int, written: Callable[[int], str]) -> str:
    return written(first) if first == last else f"{written(first)}–{written(last)}"


def _points(count: int, step: int, marked: Iterable[int | None]) -> list[int]:
    """The numbers of rooms, fewer than `count`, that a line has points at: the marked ones and the last among them."""
    return sorted({*range(0, count, step), count - 1, *(one for one in marked if one is not None and one < count)})


def what_if(levels: Sequence[Level], asked: WhatIf, pool: int | None, rented: str, url: HourUrl, csv_url: str) -> Chart:
    """How many meetings would have found none of so many rooms; the pool and what serves 99% are marked.

    rented: what the point of the pool is called. Of very many numbers only some have a point.
    """
    count = _axis(levels, pool) + 1
    step = _step(count)
    enough = asked.rooms_for(990)
    places = _points(count, step, (enough, pool, levels[-1].rooms))
    shown = [levels[rooms] for rooms in places if rooms < len(levels)]
    without = [one.without for one in shown] + [0] * (len(places) - len(shown))
    # A level that never was has no hour to lead to.
    links = [url(one.hour) if one.hour and one.rooms else "" for one in shown]

    def point(label: str, rooms: int, tone: int) -> dict[str, Any]:
        data = [value if place == rooms else None for place, value in zip(places, without, strict=True)]
        return {"label": label, "data": data, "tone": tone, "mark": "point"}

    datasets: list[dict[str, Any]] = [{"label": _("would have found none"), "data": without, "tone": 1}]
    if enough is not None:
        named = _("%(share)s served: %(rooms)s") % {"share": "99%", "rooms": ledger.count(enough)}
        datasets.append(point(named, enough, 3))
    if pool and pool < count:
        datasets.append(point(rented, pool, 4))
    return Chart(
        id="chart-what-if",
        kind="line",
        title=_("With so many rooms"),
        description=_said(
            _("Meetings that would have found none. Choose a point to see an hour with so many in use."), step, _each()
        ),
        data={
            "kind": "line",
            "labels": [str(rooms) for rooms in places],
            "x_title": _("rooms"),
            "datasets": datasets,
            "links": links,
        },
        table_head=[_("Rooms"), _("Would have found none"), _("Served")],
        table_rows=[
            [ledger.count(one.rooms), ledger.count(one.without), ledger.percent(asked.served(one.rooms))]
            for one in shown
        ],
        csv_url=csv_url,
        row_urls=links,
    )


def _each() -> str:
    return _("In steps of %(step)s; the CSV has each.")


def what_if_by_size(sizes: Sequence[OfSize], csv_url: str) -> Chart | None:
    """The same for the rooms of each size by themselves, a line each; None where there are not two to compare."""
    shown = [one for one in sizes if one.kind == "size" and one.asked.meetings]
    if len(shown) < 2:
        return None
    count = max(one.asked.rooms_for(1000) or 0 for one in shown) + 1
    step = _step(count)
    places = _points(count, step, ())
    names = [_("%(seats)s seats") % {"seats": ledger.count(one.seats)} for one in shown]
    return Chart(
        id="chart-what-if-by-size",
        kind="line",
        title=_("With so many rooms of a size"),
        description=_said(
            _("Of the meetings in rooms of that size, those that would have found none of so many."), step, _each()
        ),
        data={
            "kind": "line",
            "labels": [str(rooms) for rooms in places],
            "x_title": _("rooms of the size"),
            "unit": "%",
            "datasets": [
                {
                    "label": name,
                    # A share of its own meetings: the sizes are not used alike.
                    "data": [
                        float(csvtable.percent(one.asked.without(rooms) / one.asked.meetings)) for rooms in places
                    ],
                    "tone": place % TONES + 1,
                }
                for place, (name, one) in enumerate(zip(names, shown, strict=True))
            ],
        },
        table_head=[_("Rooms"), *names],
        table_rows=[
            [
                ledger.count(rooms),
                *(
                    f"{ledger.count(left)} · {ledger.percent(left / one.asked.meetings)}"
                    for one in shown
                    for left in [one.asked.without(rooms)]
                ),
            ]
            for rooms in places
        ],
        csv_url=csv_url,
    )
