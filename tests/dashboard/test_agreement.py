"""One walk through every figure of every page: the page, its chart, its table and its CSV say the same."""

from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlsplit

import pytest
import time_machine
from django.utils import timezone

from reports import pulling, schedule
from reports.models import Meeting, Room
from reports.provider.client import Client
from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from reports.text import fold
from tests.html import Page
from tests.support import KEY, SECRET, SHANGHAI, csv_rows

UNKNOWN = "–"
FILTERS = (
    "",
    "period=7d&compare=1",
    "period=all",
    "state=empty",
    "extra=1",
    "calls=1&weekday=2",
    "hour=10&state=ended",
    "q=周",
    "type=call-out",
    "room={room}&room={other}&period=month",
    "from={day}&to={day}",
    "state=unreported",
)


@pytest.fixture
def company(transactional_db, settings):
    """Three weeks of a small company, pulled as the worker does it; then the clock stands still."""
    with Sandbox(World(seed=11, meetings_per_day=9), key=KEY, secret=SECRET) as api:
        settings.UMEET_URL = api.url
        today = schedule.provider_today(timezone.now())
        with Client(api.url, KEY, SECRET, zone=SHANGHAI) as client:
            pulling.pull_rooms(client, forced=True)
            pulling.pull_days(client, days=(today - timedelta(days=20), today))
    with time_machine.travel(timezone.now(), tick=False):
        yield


def number(text: str) -> Decimal | None:
    """A figure as it is written on a page or in a CSV; None where it is unknown."""
    plain = text.replace(",", "").replace("¥", "").replace("%", "").strip()
    return None if plain in {UNKNOWN, ""} else Decimal(plain)


def total(rows, column: str) -> Decimal | None:
    """The sum of a column's known values; unknown where there are rows and none is known."""
    known = [value for row in rows if (value := number(row[column])) is not None]
    return sum(known, Decimal(0)) if known or not rows else None


def rounded(value: Decimal | None, places: int) -> Decimal | None:
    return None if value is None else value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def near(one: Decimal | None, other: Decimal | None, slack: str) -> bool:
    """Equal but for what rounding each row before adding may cost; unknown only equals unknown or no rows."""
    if one is None or other is None:
        return one is other or (one or other or 0) == 0
    return abs(one - other) <= Decimal(slack)


class Reader:
    """Reads pages and tables as an administrator does."""

    def __init__(self, client) -> None:
        self.client = client

    def page(self, address: str) -> Page:
        response = self.client.get(address)
        assert response.status_code == 200, address
        return Page(response.content.decode())

    def csv(self, table: str, query: str = ""):
        return self.rows(f"/{table}.csv?{query}")

    def rows(self, address: str):
        response = self.client.get(address)
        assert response.status_code == 200, address
        return csv_rows(b"".join(response.streaming_content))

    def all_pages(self, address: str, table: str):
        """The rows of a table over all its pages."""
        page = self.page(address)
        rows = page.table(table)
        while following := page.root.find("a", rel="next", id="pager-next"):
            page = self.page(following[0].attributes["href"])
            rows += page.table(table)
        return rows


@pytest.fixture
def read(company, admin) -> Reader:
    return Reader(admin)


def filled(query: str) -> str:
    rooms = list(Room.objects.filter(temporary=False).values_list("host_id", flat=True))
    busiest = Meeting.objects.exclude(room=None).order_by("-local_day").first()
    return query.format(room=busiest.room.host_id, other=rooms[-1], day=busiest.local_day - timedelta(days=3))


def plain(query: str) -> str:
    """The filter as a CSV's address has it."""
    return "&".join(part for part in query.split("&") if part != "compare=1")


def test_every_figure_of_every_page_agrees_with_its_chart_its_table_and_its_csv(read: Reader):
    # One test, for one company: pulling it costs more than reading all of it.
    for query in FILTERS:
        try:
            walk(read, filled(query))
        except AssertionError as error:
            error.add_note(f"under the filter {query!r}")
            raise


def walk(read: Reader, query: str) -> None:
    tables = {
        name: read.csv(name, plain(query))
        for name in ("meetings", "participants", "attendees", "telephony", "rooms", "days", "hours", "booked", "series")
    }
    tables_agree(tables)
    overview(read, query, tables)
    rooms(read, query, tables)
    meetings(read, query, tables)
    telephony(read, query, tables)
    people(read, query, tables)
    booked(read, query, tables)
    series(read, query, tables)


def tables_agree(tables) -> None:
    meetings, days, rooms = tables["meetings"], tables["days"], tables["rooms"]
    for rows in (days, rooms, tables["hours"]):
        assert total(rows, "meetings") == len(meetings)
    assert total(days, "calls") == total(rooms, "calls") == len(tables["telephony"])
    assert total(days, "call_cost") == (total(rooms, "call_cost") or 0)
    assert (total(tables["telephony"], "cost") or 0) == (total(days, "call_cost") or 0)
    assert (total(days, "attendees") or 0) == (total(meetings, "attendees") or 0) == len(tables["attendees"])
    assert (total(meetings, "visits") or 0) == len(tables["participants"])
    for column, source in (
        ("used_hours", "used_minutes"),
        ("open_hours", "open_minutes"),
        ("booked_hours", "booked_minutes"),
    ):
        minutes = (total(meetings, source) or Decimal(0)) / 60
        slack = f"{(len(meetings) + len(days) + len(rooms)) * 0.006 + 0.01:.3f}"
        assert near(total(days, column), minutes, slack)
        assert near(total(rooms, column), minutes, slack)
    assert near(total(days, "open_hours"), total(tables["hours"], "open_hours"), "2")
    attended = (total(tables["attendees"], "minutes") or Decimal(0)) / 60
    assert near(total(days, "attendee_hours"), attended, f"{len(tables['attendees']) * 0.001 + 0.3:.3f}")


def overview(read: Reader, query: str, tables) -> None:
    page = read.page(f"/?{query}")
    days, meetings = tables["days"], tables["meetings"]
    assert number(page.figure("meetings")) == len(meetings)
    assert near(number(page.figure("used_hours")), total(days, "used_hours"), f"{0.06 + len(days) * 0.005:.3f}")
    assert near(number(page.figure("attendees")), total(days, "attendees"), "0")
    assert number(page.figure("peak_concurrent_rooms")) == max(number(row["peak_concurrent_rooms"]) for row in days)
    assert near(number(page.figure("extra_meetings")), total(days, "extra_meetings"), "0")
    assert near(number(page.figure("call_cost")), total(days, "call_cost"), "0")
    day_charts(page, days, compared="compare=1" in query)
    for name in ("chart-meetings-a-day", "chart-used-hours-a-day"):
        assert read.rows(page.chart_csv(name)) == days
    heat(page, tables["hours"])
    month_chart(read, page)
    by_host = {row["room"] or row["host_id"]: row for row in tables["rooms"]}
    for row in page.table("top-rooms"):
        for column in ("meetings", "used_hours", "utilisation_percent"):
            assert number(row[column]) == number(by_host[row["room"]][column])


def day_charts(page: Page, days, compared: bool) -> None:
    chart = page.chart("chart-meetings-a-day")
    assert chart["labels"] == [row["day"] for row in days]
    regular, extra = chart["datasets"][0]["data"], chart["datasets"][1]["data"]
    assert extra == [None if row["extra_meetings"] == "" else int(row["extra_meetings"]) for row in days]
    assert [one + (two or 0) for one, two in zip(regular, extra, strict=True)] == [int(row["meetings"]) for row in days]
    for row, cells in zip(days, page.chart_table("chart-meetings-a-day"), strict=True):
        assert number(cells[3]) == number(row["meetings"])
        assert number(cells[2]) == number(row["extra_meetings"])
    used = page.chart("chart-used-hours-a-day")["datasets"][0]["data"]
    shown = page.chart_table("chart-used-hours-a-day")
    for row, drawn, cells in zip(days, used, shown, strict=True):
        assert number(cells[1]) == number(row["used_hours"])
        assert near(None if drawn is None else Decimal(str(drawn)), number(row["used_hours"]), "0")
        assert (drawn is None) == (row["used_hours"] == "")
    assert (len(chart["datasets"]) == 3) <= compared


def heat(page: Page, hours) -> None:
    (table,) = page.root.find("table", data_table="hours")
    cells = [cell for row in table.find("tbody")[0].find("tr") for cell in row.find("td")]
    assert [int(cell.text or 0) for cell in cells] == [int(row["meetings"]) for row in hours]
    for cell, row in zip(cells, hours, strict=True):
        for link in cell.find("a"):
            assert link.attributes["title"] == f"{Decimal(row['open_hours']):,} h open"


def month_chart(read: Reader, page: Page) -> None:
    """The cost by month stands over whole months of its own: its CSV is the one beside it."""
    chart = page.chart("chart-cost-by-month")
    calls = read.rows(page.chart_csv("chart-cost-by-month"))
    assert len(chart["labels"]) == 12
    shown = page.chart_table("chart-cost-by-month")
    drawn = [
        sum((Decimal(str(data[place] or 0)) for data in (one["data"] for one in chart["datasets"])), Decimal(0))
        for place in range(12)
    ]
    assert sum(drawn) == (total(calls, "cost") or 0) == sum(number(row[-3]) or 0 for row in shown)
    assert sum(number(row[-2]) for row in shown) == len(calls)
    assert sum(number(row[-1]) for row in shown) == sum(not row["cost"] for row in calls)
    by_month: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in calls:
        by_month[row["start_time"][:7]] += number(row["cost"]) or 0
    for label, value in zip(chart["labels"], drawn, strict=True):
        # A call without a start belongs to its meeting's day; the simulated company always tells it.
        assert by_month[label] == value


def rooms(read: Reader, query: str, tables) -> None:
    page = read.page(f"/rooms/?{query}")
    shown = page.table("rooms")
    assert [row["room"] for row in shown] == [
        row["room"] or row["host_id"] or "unknown room" for row in tables["rooms"]
    ]
    for row, line in zip(shown, tables["rooms"], strict=True):
        for column in row.keys() - {"room"}:
            assert number(row[column]) == number(line[column]), (column, line)
    foot = page.foot("rooms")
    for column in ("meetings", "empty_meetings", "solo_meetings", "calls", "attendees"):
        assert near(number(foot[column]), total(tables["rooms"], column), "0"), column
    for column in ("booked_hours", "open_hours", "used_hours", "attendee_hours"):
        assert near(number(foot[column]), total(tables["rooms"], column), f"{len(shown) * 0.005 + 0.005:.3f}"), column
    for line in [line for line in tables["rooms"] if line["host_id"]][:1]:
        room(read, query, line)


def room(read: Reader, query: str, line) -> None:
    rest = "&".join(part for part in query.split("&") if part and not part.startswith("room="))
    host_id = line["host_id"]
    page = read.page(f"/rooms/{host_id}/?{rest}")
    for figure, column, slack in (
        ("meetings", "meetings", "0"),
        ("used_hours", "used_hours", "0.055"),
        ("utilisation_percent", "utilisation_percent", "0"),
        ("attendees", "attendees", "0"),
        ("extra_meetings", "extra_meetings", "0"),
        ("call_cost", "call_cost", "0"),
    ):
        assert near(number(page.figure(figure)), number(line[column]), slack), figure
    narrowed = f"{plain(rest)}&room={host_id}"
    day_charts(page, read.csv("days", narrowed), compared="compare=1" in rest)
    heat(page, read.csv("hours", narrowed))
    month_chart(read, page)
    newest = read.csv("meetings", narrowed)
    meeting_rows(page.table("meetings"), newest[:12])


def meeting_rows(shown, lines) -> None:
    assert len(shown) == len(lines)
    for row, line in zip(shown, lines, strict=True):
        for column in row.keys() & {
            "booked_minutes",
            "open_minutes",
            "used_minutes",
            "attendees",
            "peak_attendees",
            "calls",
            "call_cost",
        }:
            assert number(row[column]) == number(line[column]), (column, line)
        assert row["state"] == line["state"]
        assert row["topic"] == " ".join(line["topic"].removeprefix("'").split())


def meetings(read: Reader, query: str, tables) -> None:
    rows = read.all_pages(f"/meetings/?{query}", "meetings")
    meeting_rows(rows, tables["meetings"])
    for line in tables["meetings"][:2]:
        meeting(read, line)


def meeting(read: Reader, line) -> None:
    found = Meeting.objects.get(uuid=line["uuid"])
    page = read.page(f"/meetings/{found.pk}/?rows=all")
    for figure in page.figures() & line.keys():
        assert number(page.figure(figure)) == number(line[figure]), figure
    assert {"booked_minutes", "used_minutes", "attendees", "peak_attendees", "calls", "call_cost"} <= page.figures()


def telephony(read: Reader, query: str, tables) -> None:
    page = read.page(f"/telephony/?{query}")
    calls = tables["telephony"]
    costs = total(calls, "cost")
    assert number(page.figure("calls")) == len(calls)
    assert near(number(page.figure("call_cost")), costs, "0")
    assert near(number(page.figure("call_minutes")), total(calls, "minutes"), "0")
    assert number(page.figure("unpriced_calls")) == sum(not row["cost"] for row in calls)
    priced = [row for row in calls if row["cost"] and row["minutes"]]
    if priced and total(priced, "minutes"):
        price = total(priced, "cost") / total(priced, "minutes")
        assert near(number(page.figure("minute_price")), rounded(price, 3), "0.001")
    month_chart(read, page)
    for by, column in (("type", "type"), ("country", "country"), ("room", "room"), ("phone", "phone_number")):
        groups = defaultdict(list)
        for row in calls:
            groups[row[column]].append(row)
        shown = page.table(f"by-{by}")
        assert len(shown) == min(10, len(groups))
        told: list[tuple[Decimal | None, ...]] = sorted(
            (
                Decimal(len(rows)),
                total(rows, "cost"),
                total(rows, "minutes"),
                Decimal(sum(not row["cost"] for row in rows)),
            )
            for rows in groups.values()
        )
        for row in shown:
            assert (
                number(row["calls"]),
                number(row["cost"]),
                number(row["minutes"]),
                number(row["unpriced"]),
            ) in told
        if len(groups) <= 10:
            assert total(shown, "calls") == len(calls)
    by_meeting: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in calls:
        by_meeting[row["uuid"]] += number(row["cost"]) or 0
    dearest = sorted((cost for cost in by_meeting.values() if cost), reverse=True)[:10]
    assert [number(row["cost"]) for row in page.table("dearest-meetings")] == dearest
    one_by_one = read.all_pages(f"/telephony/?{query}", "calls")
    lines = read.csv("telephony", f"{plain(query)}&sort=-cost")
    assert len(one_by_one) == len(lines)
    for row, line in zip(one_by_one, lines, strict=True):
        assert row["phone_number"] == line["phone_number"].removeprefix("'")
        assert number(row["minutes"]) == number(line["minutes"])
        assert (None if row["cost"] == "unpriced" else number(row["cost"])) == number(line["cost"])


def people(read: Reader, query: str, tables) -> None:
    groups = defaultdict(list)
    for row in tables["attendees"]:
        groups["" if row["name"] == "(no name)" else fold(row["name"].removeprefix("'"))].append(row)
    wanted = next((fold(part[2:]) for part in query.split("&") if part.startswith("q=")), "")
    if wanted and any(wanted in key for key in groups):
        for key in [key for key in groups if wanted not in key]:
            del groups[key]
    shown = read.all_pages(f"/people/?{query}", "people")
    assert len(shown) == len(groups)
    for row in shown:
        rows = groups["" if row["name"] == "(no name)" else fold(row["name"])]
        assert number(row["meetings"]) == len(rows)
        assert number(row["visits"]) == total(rows, "visits")
        assert near(number(row["minutes"]), total(rows, "minutes"), f"{len(rows) * 0.05 + 0.05:.2f}")
        assert number(row["late"]) == sum(number(one["late_minutes"]) > 0 for one in rows)
    if shown:
        person(read, query, shown[0])


def person(read: Reader, query: str, row) -> None:
    rest = "&".join(part for part in query.split("&") if part and not part.startswith("q="))
    address = next(
        links["name"]
        for links, one in zip(
            read.page(f"/people/?{rest}").links("people"), read.page(f"/people/?{rest}").table("people"), strict=True
        )
        if one["name"] == row["name"] or row["name"]
    )
    page = read.page(address)
    (csv,) = {
        link.attributes["href"]
        for link in page.root.find("a", download=None)
        if urlsplit(link.attributes["href"]).path == "/attendees.csv"
        and "chart-csv" not in link.attributes.get("class", "")
    }
    lines = read.rows(csv)
    assert number(page.figure("meetings")) == len(lines)
    assert number(page.figure("visits")) == total(lines, "visits")
    assert near(
        number(page.figure("attended_hours")),
        (total(lines, "minutes") or Decimal(0)) / 60,
        f"{len(lines) * 0.001 + 0.06:.3f}",
    )
    assert number(page.figure("late")) == sum(number(one["late_minutes"]) > 0 for one in lines)
    shown = page.table("attended")
    for cells, line in zip(shown, lines[: len(shown)], strict=True):
        for column in ("visits", "minutes", "presence_percent", "late_minutes"):
            assert number(cells[column]) == number(line[column]), column
    chart = page.chart("chart-attendance-by-month")
    year = read.rows(page.chart_csv("chart-attendance-by-month"))
    drawn = sum((Decimal(str(value)) for value in chart["datasets"][0]["data"]), Decimal(0))
    assert near(drawn, (total(year, "minutes") or Decimal(0)) / 60, f"{len(year) * 0.001 + 0.1:.3f}")
    assert sum(number(cells[2]) for cells in page.chart_table("chart-attendance-by-month")) == len(year)


def booked(read: Reader, query: str, tables) -> None:
    page = read.page(f"/booked/?{query}")
    by = {
        name: [row for row in tables["booked"] if row["by"] == name] for name in ("room", "weekday", "number", "topic")
    }
    for rows in by.values():
        for column in ("meetings", "judged", "overruns", "early_ends", "empty_meetings", "solo_meetings"):
            assert (total(rows, column) or 0) == (total(by["room"], column) or 0), column
        assert total(rows, "meetings") == len(tables["meetings"])
    assert (total(by["room"], "empty_meetings") or 0) == (total(tables["rooms"], "empty_meetings") or 0)
    if not tables["meetings"]:
        assert page.figures() == set()
        return
    judged = [
        row for row in tables["meetings"] if row["end_time"] and row["booked_minutes"] and row["uuid"] not in weak()
    ]
    past = [number(row["open_minutes"]) - number(row["booked_minutes"]) for row in judged]
    assert (total(by["room"], "judged") or 0) == len(judged)
    # A tenth of a minute is not told apart in meetings.csv.
    assert (
        sum(value > 0 for value in past) <= (number(page.figure("overruns")) or 0) <= sum(value >= 0 for value in past)
    )
    for figure, column in (
        *(("booked_hours", "booked_hours"), ("used_hours", "used_hours"), ("spare_hours", "spare_hours")),
        *(("overrun_hours", "overrun_hours"), ("early_hours", "early_hours")),
    ):
        slack = f"{len(by['room']) * 0.005 + 0.051:.3f}"
        assert near(number(page.figure(figure)), total(by["room"], column), slack), figure
    for figure in ("overruns", "early_ends", "empty_meetings", "solo_meetings"):
        assert near(number(page.figure(figure)), total(by["room"], figure), "0"), figure
    shown = {"room": page.table("booked-rooms"), "weekday": page.table("booked-weekdays")}
    shown["number"] = read.all_pages(f"/booked/?{query}", "booked-series")
    shown["topic"] = read.page(f"/booked/?{query}&by=topic").table("booked-series")
    for kind, rows in shown.items():
        assert len(rows) == (min(25, len(by[kind])) if kind == "topic" else len(by[kind]))
        for cells, line in zip(rows, by[kind], strict=kind != "topic"):
            for column in cells.keys() - {"name"}:
                assert number(cells[column]) == number(line[column]), (column, line)
    spread = page.chart("chart-booked-end")["datasets"]
    assert sum(value or 0 for one in spread for value in one["data"]) == len(judged)


def weak() -> set[str]:
    """Meetings whose report may have given the actual length for the booked one."""
    return set(Meeting.objects.filter(duration_is_weak=True).values_list("uuid", flat=True))


def series(read: Reader, query: str, tables) -> None:
    shown = read.all_pages(f"/series/?{query}", "series")
    groups = defaultdict(list)
    for row in tables["series"]:
        groups[row["series"]].append(row)
    meetings: defaultdict[str, int] = defaultdict(int)
    for row in tables["meetings"]:
        meetings[row["meeting_id"]] += 1
    assert sorted(int(row["meetings"]) for row in shown) == sorted(
        count for key, count in meetings.items() if count > 1 and key
    )
    assert sum(number(row["attendees"]) or 0 for row in shown) == len(tables["series"])
    # Whoever attended a meeting of a series is told of once, and for as long.
    attended = [row for row in tables["attendees"] if row["meeting_id"] in groups]
    assert (total(tables["series"], "attended") or 0) == len(attended)
    slack = f"{len(attended) * 0.05 + 0.1:.2f}"
    assert near(total(tables["series"], "minutes") or Decimal(0), total(attended, "minutes") or Decimal(0), slack)
    assert (total(tables["series"], "late") or 0) == sum(number(row["late_minutes"]) > 0 for row in attended)
    for key, rows in list(groups.items())[:2]:
        rest = "&".join(part for part in query.split("&") if part)
        page = read.page(f"/series/number/{key}/?{rest}")
        assert number(page.figure("meetings")) == number(rows[0]["meetings"]) == meetings[key]
        assert number(page.figure("attendees")) == len(rows)
        lines = page.table("members")
        assert [line["name"] for line in lines] == [row["name"].removeprefix("'") for row in rows]
        for line, row in zip(lines, rows, strict=True):
            for column in ("attended", "present", "present_percent", "late", "left_early", "minutes"):
                assert number(line[column]) == number(row[column]), column
        regulars = sum(2 * (number(row["present"]) or 0) >= number(row["reported_meetings"]) for row in rows)
        assert number(page.figure("regulars")) == regulars
