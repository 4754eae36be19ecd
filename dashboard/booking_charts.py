"""The charts of booked against used: how far from their booked end meetings ended, and the hours of each weekday."""

from collections.abc import Sequence

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from dashboard.charts import Chart
from dashboard.filters import link
from dashboard.templatetags import ledger
from reports import csvtable
from reports.figures.booking import Booking, Bucket, Group
from reports.filter import Filter


def bucket_name(bucket: Bucket) -> str:
    """The minutes of a bucket as an axis has them, after the booked end or, with a minus, before it."""
    least, most = bucket.least, bucket.most
    if least is None:
        return f"< {_signed(most or 0)}"
    if most is None:
        return f"> {_signed(least)}"
    return "0" if least == most else f"{_signed(least)} … {_signed(most)}"


def _signed(minutes: int) -> str:
    return f"−{-minutes}" if minutes < 0 else str(minutes)


def bucket_words(bucket: Bucket) -> str:
    """The same in words."""
    least, most = bucket.least, bucket.most
    if least == most:
        return _("as booked")
    if least is None:
        return _("more than %(minutes)s min early") % {"minutes": -(most or 0)}
    if most is None:
        return _("more than %(minutes)s min over") % {"minutes": least}
    if least < 0:
        return _("%(least)s to %(most)s min early") % {"least": -most, "most": -least}
    return _("%(least)s to %(most)s min over") % {"least": least, "most": most}


def distribution(buckets: Sequence[Bucket], csv_url: str) -> Chart:
    """Judged meetings by how long after their booked end they ended. No filter asks for the meetings of one bar."""
    early, over = len(buckets) // 2, len(buckets) // 2 + 1
    counts: list[int | None] = [bucket.meetings for bucket in buckets]

    def only(first: int, last: int) -> list[int | None]:
        return [count if first <= place < last else None for place, count in enumerate(counts)]

    return Chart(
        id="chart-booked-end",
        kind="bar",
        title=_("How far from the booked end"),
        description=_("Meetings by how many minutes after their booked end they ended; before it with a minus."),
        data={
            "kind": "bar",
            "stacked": True,
            "labels": [bucket_name(bucket) for bucket in buckets],
            "x_title": _("minutes after the booked end"),
            "datasets": [
                {"label": _("ended early"), "data": only(0, early), "tone": 1},
                {"label": _("as booked"), "data": only(early, over), "tone": 3},
                {"label": _("ran over"), "data": only(over, len(buckets)), "tone": 2},
            ],
        },
        table_head=[_("Minutes after the booked end"), _("Meetings")],
        table_rows=[[bucket_words(bucket), ledger.count(bucket.meetings)] for bucket in buckets],
        csv_url=csv_url,
    )


def by_weekday(groups: Sequence[Group], chosen: Filter, path: str, csv_url: str) -> Chart:
    """Hours booked, used and to be given back, of the judged meetings of each weekday; a bar leads to its meetings."""
    known = {int(group.key): group.booking for group in groups}
    days = [known.get(weekday, Booking()) for weekday in range(1, 8)]
    names = [str(name) for name in WEEKDAYS.values()]
    links = [
        link(path, chosen, weekday=weekday, sort="", compare=False) if weekday in known else ""
        for weekday in range(1, 8)
    ]
    columns = [
        (_("booked"), [day.booked_seconds for day in days]),
        (_("used"), [day.used_seconds for day in days]),
        (_("to be given back"), [day.spare_seconds for day in days]),
    ]
    return Chart(
        id="chart-booked-by-weekday",
        kind="bar",
        title=_("Booked, used and given back by weekday"),
        description=_("By the local day of their start. Choose a bar to see its meetings."),
        data={
            "kind": "bar",
            "labels": names,
            "unit": _("h"),
            "datasets": [
                {
                    "label": label,
                    "data": [None if one is None else float(csvtable.hours(one)) for one in values],
                    "tone": tone,
                }
                for tone, (label, values) in zip((6, 3, 2), columns, strict=True)
            ],
            "links": links,
        },
        table_head=[_("Weekday"), _("Booked hours"), _("Used hours"), _("Given back")],
        table_rows=[
            [name, *(ledger.hours2(values[place]) for _label, values in columns)] for place, name in enumerate(names)
        ],
        csv_url=csv_url,
        row_urls=links,
    )
