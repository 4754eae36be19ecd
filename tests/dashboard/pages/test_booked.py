"""The page of booked against used, as a browser without JavaScript gets it."""

import pytest
import time_machine

from reports.figures import booking
from reports.filter import Filter
from tests.html import Page
from tests.support import NOW, csv_rows, meeting, take, take_array, visit, worked_out

pytestmark = pytest.mark.django_db
TABLES = ("booked-rooms", "booked-weekdays", "booked-series")
COUNTS = ("meetings", "judged", "overruns", "early_ends", "empty_meetings", "solo_meetings")


@pytest.fixture(autouse=True)
def _noon():
    with time_machine.travel(NOW, tick=False):
        yield


def day(number, **changes):
    """A meeting from ten to eleven on a day of March."""
    start = f"2026-03-{number:02}"
    visits = changes.pop("visits", [("A", "10:00:00", "10:50:00"), ("B", "10:00:00", "10:55:00")])
    return meeting(
        **{
            "uuid": f"day-{number}",
            "start_time": f"{start} 10:00:00",
            "end_time": f"{start} 11:00:00",
            "participants": None
            if visits is None
            else [visit(name, join, leave, start) for name, join, leave in visits],
            **changes,
        }
    )


@pytest.fixture
def kept(db):
    """Meetings of every kind there is."""
    take(
        day(2),
        day(3, end_time="2026-03-03 11:20:00"),
        day(4, end_time="2026-03-04 10:15:00", host_id="HOST-2", meeting_id="222222222", topic="Budget"),
        day(5, visits=[], host_id="HOST-2"),
        day(6, visits=[("A", "10:00:00", "10:30:00")], meeting_id="222222222"),
        day(7, visits=None, topic=""),
        day(8, duration=None, host_id="", end_time="2026-03-08 11:30:00"),
        day(9, duration=30, end_time="2026-03-09 12:00:00", meeting_id="333333333", topic="BUDGET "),
        meeting(uuid="running", start_time="2026-03-10 11:30:00", end_time=None, participants=[]),
    )
    take_array(
        {
            "uuid": "weak",
            "id": "444444444",
            "start_time": "2026-03-01T02:00:00Z",
            "end_time": "2026-03-01T03:00:00Z",
            "duration": 60,
        }
    )


def page(client, query=""):
    response = client.get(f"/booked/?{query}")
    assert response.status_code == 200
    return Page(response.content.decode())


def counted(client, address):
    """How many meetings an address of the table of meetings shows."""
    assert address.startswith("/meetings/")
    return worked_out(client, address).context["page"].paginator.count


@pytest.mark.parametrize(
    "query",
    [
        "period=all",
        "period=all&by=topic",
        "period=all&booked=over",
        "period=all&booked=early&by=topic",
        "period=all&booked=known",
        "period=all&booked=unknown",
        "period=all&state=ended&room=HOST-1",
        "period=all&name=a&weekday=1",
        "from=2026-03-04&to=2026-03-08",
        "period=all&topic=budget&by=topic",
    ],
)
def test_every_count_leads_to_exactly_those_meetings(admin, kept, query):
    found = page(admin, query)
    followed = 0
    for name in TABLES:
        rows = found.table(name)
        for cells, links in zip(rows, found.links(name), strict=True):
            named = cells["name"] not in {"unknown room", "(no number)"}
            for column in COUNTS:
                assert (column in links) == (named and cells[column] not in {"0", "–"}), (name, cells, column)
                if column in links:
                    assert str(counted(admin, links[column])) == cells[column], (name, cells, column)
                    followed += 1
    assert followed > 2
    for card in found.root.find("div", class_="figure-card"):
        figure = card.find(data_figure=None)[0]
        if figure.attributes["data-figure"] in COUNTS and card.find("a"):
            assert str(counted(admin, card.find("a")[0].attributes["href"])) == figure.text
    for words, shown in (("tell no booked length", "untold"), ("not reported", "unreported"), ("still run", "running")):
        number = getattr(worked_out(admin, f"/booked/?{query}").context["total"], shown)
        for link in found.root.find("p", class_="caution")[0].find("a"):
            if words in link.text or words.replace("tell ", "tells ") in link.text:
                assert counted(admin, link.attributes["href"]) == number


def test_the_cards_are_the_sums(admin, kept):
    found = page(admin, "period=all")
    total = booking.total(Filter())
    assert (total.meetings, total.judged, total.untold, total.unreported, total.running) == (10, 7, 2, 2, 1)
    assert {name: found.figure(name) for name in COUNTS[2:]} == {
        "overruns": "2",
        "early_ends": "1",
        "empty_meetings": "1",
        "solo_meetings": "1",
    }
    assert found.figure("booked_hours") == "6.5"
    assert found.figure("overrun_hours") == "1.8"  # 20 minutes and 90
    assert found.figure("early_hours") == "0.8"
    # 55 minutes of four meetings, none of one, half an hour of another; of the silent one nothing is known.
    assert found.figure("used_hours") == "4.2"
    assert found.figure("used_percent") == "75.8%"
    assert found.figure("spare_hours") == "1.8"  # 5 minutes thrice, 60, 30, and nothing of the short one
    words = found.root.find("p", class_="caution")[0].text
    assert words.startswith("7 meetings have ended and tell what they were booked for; they are judged.")
    assert "2 meetings tell no booked length." in words
    assert "1 meeting still runs." in words


def test_unknown_is_a_dash_and_leads_nowhere(admin):
    take(day(2, duration=None), day(3, visits=None))
    found = page(admin, "period=all&booked=unknown")
    assert {found.figure(name) for name in ("booked_hours", "used_hours", "overruns", "spare_hours")} == {"–"}
    assert found.figure("empty_meetings") == "0"
    found = page(admin, "period=all&booked=known")
    assert [found.figure(name) for name in ("booked_hours", "used_hours", "spare_hours")] == ["1.0", "–", "–"]


def test_the_tables_are_booked_csv_in_its_order(admin, kept):
    for sort in ("", "name", "-overruns", "used_percent"):
        rows = csv_rows(b"".join(admin.get("/booked.csv", {"period": "all", "sort": sort}).streaming_content))
        for by, name in (("room", "booked-rooms"), ("weekday", "booked-weekdays"), ("number", "booked-series")):
            shown = page(admin, f"period=all&sort={sort}").table(name)
            lines = [row for row in rows if row["by"] == by]
            assert len(shown) == len(lines) > 2
            for cells, line in zip(shown, lines, strict=True):
                for column in cells.keys() - {"name"}:
                    assert cells[column] == (line[column] or "–"), (by, column)
        foot = page(admin, f"period=all&sort={sort}").foot("booked-rooms")
        assert foot["meetings"] == str(sum(int(row["meetings"]) for row in rows if row["by"] == "room"))


def test_the_switch_keeps_the_filter_and_tells_topics_apart(admin, kept):
    found = page(admin, "period=all&weekday=1&sort=-meetings")
    (link,) = found.root.find("a", id="switch-topic")
    assert link.attributes["href"] == "/booked/?period=all&weekday=1&by=topic&sort=-meetings"
    topics = page(admin, "period=all&by=topic")
    # The newest spelling, blanks tidied.
    assert [row["name"] for row in topics.table("booked-series")].count("BUDGET") == 1
    names = {row["name"] for row in topics.table("booked-series")}
    assert names == {"周例会", "BUDGET", "(no topic)"}
    assert topics.links("booked-series")[0]["name"].startswith("/series/topic/")


def test_every_name_leads_to_a_page_of_it(admin, kept):
    for by in ("number", "topic"):
        found = page(admin, f"period=all&by={by}")
        for name in TABLES:
            for links, row in zip(found.links(name), found.table(name), strict=True):
                if row["name"] not in {"unknown room", "(no number)"}:
                    assert admin.get(links["name"]).status_code == 200, row
    weekday = found.links("booked-weekdays")[0]["name"]
    assert page(admin, weekday.partition("?")[2]).figure("overruns") == "1"


def test_the_charts_say_what_the_figures_say(admin, kept):
    found = page(admin, "period=all")
    spread = found.chart("chart-booked-end")
    assert sum(value or 0 for one in spread["datasets"] for value in one["data"]) == 7
    assert "links" not in spread
    assert not any("links" in one for one in spread["datasets"])
    assert [row[1] for row in found.chart_table("chart-booked-end")] == list("00100401001")
    words = [row[0] for row in found.chart_table("chart-booked-end")[4:7]]
    assert words == ["0 to 15 min early", "as booked", "0 to 15 min over"]
    rows = csv_rows(b"".join(admin.get(found.chart_csv("chart-booked-end")).streaming_content))
    assert len(rows) == 7
    chart = found.chart("chart-booked-by-weekday")
    weekdays = {row["name"]: row for row in found.table("booked-weekdays")}
    for label, link, *values in zip(
        chart["labels"], chart["links"], *(one["data"] for one in chart["datasets"]), strict=True
    ):
        shown = [weekdays[label][column] for column in ("booked_hours", "used_hours", "spare_hours")]
        assert shown == ["–" if value is None else f"{value:.2f}" for value in values]
        assert str(counted(admin, link)) == weekdays[label]["meetings"]


def test_the_previous_period_is_beside(admin, kept):
    take(day(1, uuid="before"))
    found = page(admin, "from=2026-03-05&to=2026-03-08&compare=1")
    hints = {
        card.find(data_figure=None)[0].attributes["data-figure"]: card.text
        for card in found.root.find("div", class_="figure-card")
    }
    assert "before: 1" in hints["overruns"]
    assert "before: 4.0" in hints["booked_hours"]


def test_nothing_is_said_to_be_nothing(admin):
    response = admin.get("/booked/")
    assert "No meetings here" in response.content.decode()
    assert "figure-card" not in response.content.decode()


def test_a_fragment_is_part_of_the_page_and_wrong_values_are_named(admin, kept):
    fragment = admin.get("/booked/?period=all", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert fragment.count("<tr") == admin.get("/booked/?period=all").content.decode().count("<tr")
    for wrong in ("booked=late", "by=room", "sort=room", "present=0"):
        response = admin.get(f"/booked/?{wrong}")
        assert response.status_code == 400
        assert wrong in response.content.decode()
