"""The pages of series and of one series, as a browser without JavaScript gets them."""

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.pages.series import MEETINGS_A_PAGE, MOST_ATTENDEES, series_url
from reports.models import Meeting
from tests.html import Page
from tests.support import NOW, csv_rows, meeting, take, visit, worked_out

pytestmark = pytest.mark.django_db
NUMBER = "/series/number/1571106323/?period=all"


@pytest.fixture(autouse=True)
def _noon():
    with time_machine.travel(NOW, tick=False):
        yield


def day(number, **changes):
    """A meeting from ten to eleven on a day of March."""
    start = f"2026-03-{number:02}"
    visits = changes.pop("visits", [("Anna", "10:00:00", "11:00:00")])
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
    """Five meetings of one number in which Anna and Bo did everything that one can do, and two of another."""
    take(
        day(2, visits=[("Anna", "10:00:00", "11:00:00"), ("Bo", "10:07:00", "11:00:00")]),
        day(3, visits=[("Anna", "10:00:00", "10:20:00"), ("Bo", "10:00:00", "11:00:00")]),
        day(4, visits=None),
        day(5, visits=[("Bo", "10:00:00", "11:00:00")]),
        day(6, visits=[("Anna", "10:20:00", "10:10:00")]),
        day(7, meeting_id="222222222", topic="Budget <b>"),
        day(8, meeting_id="222222222", topic="周例会"),
    )


def page(client, address):
    response = client.get(address)
    assert response.status_code == 200, address
    return Page(response.content.decode())


def grid(found):
    """The words of each mark, by display name."""
    (table,) = found.root.find("table", data_table="members")
    rows = table.find("tbody")[0].find("tr")
    return {
        row.find("th")[0].text: [cell.attributes["title"] for cell in row.find("td", class_="mark")] for row in rows
    }


def heads(found):
    (table,) = found.root.find("table", data_table="members")
    return [head.find("a")[0].attributes for head in table.find("thead")[0].find("th", data_col="meeting")]


# All series ----------------------------------------------------------------------------------------------------


def test_the_list_shows_series_of_two_meetings_or_more(admin, kept):
    take(day(9, uuid="alone", meeting_id="333333333"))
    rows = page(admin, "/series/?period=all").table("series")
    assert [(row["series"], row["meetings"], row["reported_meetings"]) for row in rows] == [
        ("周例会", "5", "4"),
        ("周例会", "2", "2"),
    ]
    first = rows[0]
    assert (first["attendees"], first["regulars"], first["mean_attendees"]) == ("2", "1", "1.5")
    # Anna was present once and Bo thrice, of two names at four meetings.
    assert first["attendance_percent"] == "50.0"
    topics = page(admin, "/series/?period=all&by=topic").table("series")
    assert [(row["series"], row["meetings"]) for row in topics] == [("周例会", "7")]


def test_names_lead_to_the_series_and_counts_to_what_they_count(admin, kept):
    for by in ("number", "topic"):
        found = page(admin, f"/series/?period=all&by={by}")
        for row, links in zip(found.table("series"), found.links("series"), strict=True):
            assert str(worked_out(admin, links["meetings"]).context["page"].paginator.count) == row["meetings"]
            assert str(worked_out(admin, links["attendees"]).context["page"].paginator.count) == row["attendees"]
            assert page(admin, links["series"]).figure("meetings") == row["meetings"]


def test_a_search_leads_to_no_list_of_people_that_is_another(admin, kept):
    found = page(admin, "/series/?period=all&q=anna")
    assert all("attendees" not in links for links in found.links("series"))


@pytest.mark.parametrize("sort", ["series", "meetings", "reported_meetings", "attendees", "regulars", "last"])
def test_the_list_is_sorted_and_paged(admin, sort):
    for number in range(27):
        take(*(day(n, uuid=f"{number}-{n}", meeting_id=f"{111111111 + number}", topic=f"T{number:02}") for n in (2, 3)))
    first = admin.get(f"/series/?period=all&sort=-{sort}")
    second = admin.get(first.context["pager"].next)
    rows = [row for response in (first, second) for row in Page(response.content.decode()).table("series")]
    assert len(rows) == len({row["series"] for row in rows}) == 27
    if sort == "series":
        assert [row["series"] for row in rows] == [f"T{number:02}" for number in reversed(range(27))]


def test_the_rule_is_kept_in_the_address(admin, kept):
    found = page(admin, "/series/?period=all&present=20")
    (field,) = found.root.find("input", id="filter-present")
    assert field.attributes["value"] == "20"
    assert "at least 20% of the time" in found.root.find("p", class_="caution")[0].text
    links = found.links("series")[0]
    assert all("present=20" in address for address in links.values())
    # Anna's twenty minutes of the second meeting are enough now.
    assert found.table("series")[0]["attendance_percent"] == "62.5"
    assert any(
        "present=" in chip.attributes["href"] or chip for chip in found.root.find("li", class_="chip")[0].find("a")
    )
    for wrong in ("present=0", "present=101", "present=half"):
        response = admin.get(f"/series/?{wrong}")
        assert response.status_code == 400
        assert wrong in response.content.decode()


def test_nothing_is_said_to_be_nothing(admin):
    assert "No series here" in admin.get("/series/").content.decode()


# One series ----------------------------------------------------------------------------------------------------


def test_a_grid_tells_who_came_to_which(admin, kept):
    found = page(admin, NUMBER)
    assert grid(found) == {
        "Bo": ["present · 7.0 min late", "present", "not reported", "present", "absent"],
        "Anna": [
            "present",
            "there for 33.3% · left 40.0 min early",
            "not reported",
            "absent",
            "there for no time · 20.0 min late",
        ],
    }
    # What is drawn is said too, for those who do not see it.
    (table,) = found.root.find("table", data_table="members")
    for cell in table.find("td", class_="mark"):
        assert cell.find("span", class_="visually-hidden")[0].text == cell.attributes["title"]
        used = {use.attributes["href"] for use in cell.find("use")}
        assert ("#mark-late" in used) == ("late" in cell.attributes["title"])
        assert ("#mark-early" in used) == ("early" in cell.attributes["title"])
        assert used <= {
            f"#{shape.attributes['id']}" for shape in found.root.find("defs")[0] if "id" in shape.attributes
        }
    rows = {row["name"]: row for row in found.table("members")}
    assert rows["Bo"] | {"meeting": ""} == {
        "name": "Bo",
        "attended": "3",
        "present": "3",
        "present_percent": "75.0",
        "late": "1",
        "left_early": "0",
        "minutes": "173.0",
        "mean_presence_percent": "96.1",
        "first_join": "2 Mar 2026, 10:07",
        "last_leave": "5 Mar 2026, 11:00",
        "meeting": "",
    }
    assert (rows["Anna"]["attended"], rows["Anna"]["present"], rows["Anna"]["left_early"]) == ("3", "1", "1")


def test_dates_lead_to_the_meetings_under_the_same_rule(admin, kept):
    found = page(admin, f"{NUMBER}&present=40")
    addresses = [head["href"] for head in heads(found)]
    assert addresses == [
        f"/meetings/{pk}/?present=40"
        for pk in Meeting.objects.filter(meeting_id="1571106323").order_by("start_time").values_list("pk", flat=True)
    ]
    assert heads(found)[0]["title"] == "2 Mar 2026, 10:00 · 周例会"
    there = page(admin, addresses[1])
    (field,) = there.root.find("input", id="present-from")
    assert field.attributes["value"] == "40"


def test_a_name_leads_to_its_page_within_the_series_and_its_count_to_its_meetings(admin, kept):
    take(day(9, uuid="other", meeting_id="222222222"))
    for address in (NUMBER, series_url("topic", "周例会") + "?period=all"):
        found = page(admin, address)
        for row, links in zip(found.table("members"), found.links("members"), strict=True):
            assert page(admin, links["name"]).figure("meetings") == row["attended"]
            assert str(worked_out(admin, links["attended"]).context["page"].paginator.count) == row["attended"]


def test_the_newest_meetings_come_first_and_stand_in_their_order(admin):
    take(*(day(n % 9 + 1, uuid=f"{n}", start_time=f"2026-02-{n + 1:02} 10:00:00", visits=[]) for n in range(28)))
    take(*(day(n, uuid=f"march-{n}") for n in range(1, 6)))
    found = page(admin, NUMBER)
    titles = [head["title"] for head in heads(found)]
    assert len(titles) == MEETINGS_A_PAGE
    assert (titles[0][:10], titles[-1][:10]) == ("10 Feb 202", "5 Mar 2026")
    (following,) = found.root.find("a", id="pager-next")
    second = page(admin, following.attributes["href"])
    older = [head["title"] for head in heads(second)]
    assert (older[0][:10], older[-1][:10], len(older)) == ("1 Feb 2026", "9 Feb 2026", 9)
    # Only the columns are of this page: all else is of the whole series, and leads to it from its beginning.
    assert second.figure("meetings") == found.figure("meetings") == "33"
    leading = [link.attributes["href"] for link in second.root.find("a") if "href" in link.attributes]
    assert {address for address in leading if "page=2" in address} <= {following.attributes["href"]}


@pytest.mark.parametrize("sort", ["name", "-minutes", "late", "-present_percent", "first_join"])
def test_the_grid_is_sorted_and_series_csv_is_it(admin, kept, sort):
    found = page(admin, f"{NUMBER}&sort={sort}")
    csv = next(
        link.attributes["href"]
        for link in found.root.find("a", download=None)
        if link.attributes["href"].startswith("/series.csv")
    )
    lines = csv_rows(b"".join(admin.get(csv).streaming_content))
    shown = found.table("members")
    assert [row["name"] for row in shown] == [line["name"] for line in lines]
    for row, line in zip(shown, lines, strict=True):
        for column in (
            "attended",
            "present",
            "present_percent",
            "late",
            "left_early",
            "minutes",
            "mean_presence_percent",
        ):
            assert row[column] == (line[column] or "–"), column
    assert {line["series"] for line in lines} == {"1571106323"}
    assert found.figure("meetings") == lines[0]["meetings"]
    assert found.figure("reported_meetings") == lines[0]["reported_meetings"]
    assert found.figure("attendees") == str(len(lines))


def test_one_meeting_in_the_period_is_shown_and_in_its_csv(admin, kept):
    found = page(admin, "/series/number/1571106323/?from=2026-03-05&to=2026-03-05")
    assert grid(found) == {"Bo": ["present"]}
    lines = csv_rows(
        b"".join(admin.get("/series.csv?number=1571106323&from=2026-03-05&to=2026-03-05").streaming_content)
    )
    assert [line["name"] for line in lines] == ["Bo"]


def test_a_series_that_has_no_meeting_in_the_period_says_so(admin, kept):
    found = page(admin, "/series/number/1571106323/?from=2026-01-01&to=2026-01-31")
    assert "No meeting of this series fits the filter." in found.root.text
    assert found.root.find("h1")[0].text == "周例会"
    assert found.figure("meetings") == "0"
    assert found.figure("attendees") == "–"


def test_meetings_without_any_report_or_attendee_say_so(admin):
    take(day(2, visits=None), day(3, visits=None))
    found = page(admin, NUMBER)
    assert "Participants were not reported for any of these meetings." in found.root.text
    assert (found.figure("attendees"), found.figure("attendance_percent")) == ("–", "–")
    take(day(2, visits=[]), day(3, visits=[]))
    found = page(admin, NUMBER)
    assert "Nobody came." in found.root.text
    assert (found.figure("attendees"), found.figure("mean_attendees")) == ("0", "0.0")


def test_the_previous_period_is_beside(admin, kept):
    found = page(admin, "/series/number/1571106323/?from=2026-03-04&to=2026-03-06&compare=1")
    texts = {
        card.find(data_figure=None)[0].attributes["data-figure"]: card.text
        for card in found.root.find("div", class_="figure-card")
    }
    assert "the ledger does not reach back" in found.root.text
    found = page(admin, "/series/number/1571106323/?from=2026-03-04&to=2026-03-05&compare=1")
    texts = {
        card.find(data_figure=None)[0].attributes["data-figure"]: card.text
        for card in found.root.find("div", class_="figure-card")
    }
    assert "before: 2" in texts["attendees"]
    assert "before: 75.0%" in texts["attendance_percent"]


@pytest.mark.parametrize("topic", ["Anna", "", "a/b", "a/", ".", "..", "Ünïcode 王", "50% & <b>", "?x=1#y"])
def test_every_topic_has_its_own_page(admin, topic):
    take(day(2, topic=topic), day(3, topic=topic), day(4, topic="another"))
    (links,) = page(admin, "/series/?period=all&by=topic").links("series")
    found = page(admin, links["series"])
    assert found.figure("meetings") == "2"
    assert found.root.find("h1")[0].text == (topic or "(no topic)")
    (csv,) = [
        link.attributes["href"]
        for link in found.root.find("a", download=None)
        if link.attributes["href"].startswith("/series.csv")
    ]
    assert len(csv_rows(b"".join(admin.get(csv).streaming_content))) == 1
    (back,) = [link for link in found.root.find("a") if link.text == "All series"]
    assert "by=topic" in back.attributes["href"]


def test_a_topic_in_the_address_is_folded(admin, kept):
    take(day(9, uuid="x", topic="Weekly  Sync"))
    assert page(admin, "/series/topic/WEEKLY%20sync/?period=all").figure("meetings") == "1"


@pytest.mark.parametrize(
    "address", ["number/987654321/", "number/%20/", "topic/nothing/", "topic/%20/", "room/HOST-1/"]
)
def test_what_is_no_series_is_404(admin, kept, address):
    assert admin.get(f"/series/{address}").status_code == 404


def test_text_from_outside_is_text(admin):
    name = '"><script>alert(1)</script>'
    take(*(day(n, topic=name, visits=[(name, "10:00:00", "11:00:00")]) for n in (2, 3)))
    body = admin.get(NUMBER).content.decode()
    assert "<script>alert(1)" not in body
    assert body.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


def test_of_very_many_attendees_the_first_are_shown_and_told(admin):
    many = [(f"guest {n:03}", "10:00:00", "11:00:00") for n in range(MOST_ATTENDEES + 3)]
    take(day(2, visits=many), day(3))
    found = page(admin, f"{NUMBER}&sort=name")
    assert len(grid(found)) == MOST_ATTENDEES
    assert f"The first {MOST_ATTENDEES} of {MOST_ATTENDEES + 4} attendees in this order." in found.root.text
    assert "attendees in this order" not in page(admin, f"{NUMBER}&weekday=2").root.text


def test_a_running_meeting_says_nothing_of_leaving_early(admin):
    take(
        day(9),
        meeting(
            uuid="running",
            start_time="2026-03-10 11:00:00",
            end_time=None,
            participants=[
                visit("Anna", "11:00:00", "11:10:00", "2026-03-10"),
                visit("Bo", "11:00:00", None, "2026-03-10"),
            ],
        ),
    )
    assert grid(page(admin, NUMBER)) == {"Anna": ["present", "there for 16.7%"], "Bo": ["absent", "present"]}


def test_a_fragment_is_part_of_the_page(admin, kept):
    for address in (NUMBER, "/series/?period=all"):
        whole = admin.get(address).content.decode()
        fragment = admin.get(address, headers={"HX-Request": "true"}).content.decode()
        assert "<html" not in fragment
        assert fragment.count("<tr") == whole.count("<tr") > 2


def test_queries_do_not_grow_with_rows(admin):
    counts = []
    for number in (2, 26):
        visits = [(f"guest {n}", "10:00:00", "11:00:00") for n in range(number)]
        take(*(day(n + 1, uuid=f"{number}-{n}", visits=visits) for n in range(number)))
        take(*(day(n % 2 + 1, uuid=f"x{number}-{n}", meeting_id=f"{222222222 + n // 2}") for n in range(number)))
        found = []
        for address in (NUMBER, "/series/?period=all", "/series/?period=all&sort=regulars&by=topic"):
            with CaptureQueriesContext(connection) as queries:
                page(admin, address)
            found.append(len(queries))
        counts.append(found)
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 26
