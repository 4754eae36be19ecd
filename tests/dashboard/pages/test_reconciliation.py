"""The reconciliation page: it names exactly the gaps there are, says why the rest differs, fetches what is missing."""

from datetime import date, datetime, timedelta
from random import Random

import pytest
import time_machine
from django.utils import timezone

from dashboard.coverage_strip import local_days
from reports import exports, schedule, tasks
from reports.figures import reconciliation
from reports.filter import Filter
from reports.models import Meeting, ProviderPeriod, Pull, PulledDay, Room, TrackedNumber
from reports.sandbox.server import Sandbox
from reports.sandbox.world import World, read_time
from tests.html import Page
from tests.reports.figures.test_reconciliation import DAY, HOUR, MARCH, pulled, times, told, told_days
from tests.support import KEY, NOW, SECRET, SHANGHAI, csv_rows, meeting, take, worked_out

pytestmark = pytest.mark.django_db
PATH = "/reconciliation/"


def get(client, address=PATH):
    response = client.get(address)
    assert response.status_code == 200
    return Page(response.content.decode())


def csv(client, query=""):
    return csv_rows(b"".join(client.get(f"/reconciliation.csv?{query}").streaming_content))


def gaps(page, kind="missing") -> list[str]:
    """The sentences of a list of gaps, without their hints."""
    return [item.find("a")[0].text for group in page.root.find("ul", data_gaps=kind) for item in group.find("li")]


def states(page) -> set[str]:
    return {
        node.text
        for row in page.root.find("table", data_table="months")
        for node in row.find("span")
        if "badge" in node.attributes.get("class", "")
    }


@pytest.fixture
def march(db):
    """March as it stands an hour after noon of the tenth: a meeting of two that the provider counts."""
    pulled(at=NOW + HOUR)
    Room.objects.create(host_id="HOST-1", name="梧桐")
    take(meeting(), now=NOW - HOUR)
    told(MARCH, {"HOST-1": times(3), "HOST-2": times(1)})
    told_days({DAY: {"HOST-1": times(3), "HOST-2": times(1)}})
    with time_machine.travel(NOW + HOUR, tick=False):
        yield


# What it must show -----------------------------------------------------------------------------------


def test_withheld_meetings_are_named_exactly_and_vanish_when_they_are_delivered(admin, settings):
    settings.HISTORY_DAYS = 45
    world = World(seed=23, meetings_per_day=7, rooms=9)
    with Sandbox(world, key=KEY, secret=SECRET) as api:
        settings.UMEET_URL = api.url
        today = schedule.provider_today(timezone.now())
        settled = [
            one
            for one in world.meetings(today - timedelta(days=40), today - timedelta(days=5), timezone.now())
            if one.get("end_time") and one.get("participants")
        ]
        gone = Random(today.toordinal()).sample(settled, 6)
        # And one of the same room and day as another, if there is one.
        where = {(day_of(one), one["host_id"]) for one in gone}
        rest = [one for one in settled if one not in gone]
        gone.append(next((one for one in rest if (day_of(one), one["host_id"]) in where), rest[0]))
        api.undelivered = {one["uuid"] for one in gone}

        tasks.pull_recent_days()
        counts: dict[tuple[date, str], int] = {}
        for one in gone:
            counts[day_of(one), one["host_id"]] = counts.get((day_of(one), one["host_id"]), 0) + 1
        names = {room.host_id: str(room) for room in Room.objects.all()}
        expected = [
            f"{day.day} {day:%b %Y}, room {names[host_id]}: "
            + (
                "1 meeting that the provider counts is"
                if count == 1
                else f"{count} meetings that the provider counts are"
            )
            + " missing here"
            for (day, host_id), count in counts.items()
        ]
        page = get(admin)
        assert sorted(gaps(page)) == sorted(expected)
        assert gaps(page, "only_here") == []
        assert "7 meetings are missing" in page.root.text
        marked = [node.attributes["aria-label"] for node in page.root.find("a", class_="cover cover-gap")]
        assert len(marked) == len({day for day, _host in counts})
        assert all("missing here" in label for label in marked)

        api.undelivered.clear()
        api.calls.clear()
        days = len({day for day, _host in counts})
        months = len({(day.year, day.month) for day, _host in counts})
        response = admin.post(f"{PATH}fetch/", follow=True)
        assert f"Asked for: {days} day" in response.content.decode()
        assert not api.calls
        tasks.pull_due()
        details = {call.form["from"] for call in api.calls if call.endpoint == "share/detail"}
        assert details == {day.isoformat() for day, _host in counts}
        asked = {call.form["from"][:7] for call in api.calls if call.endpoint == "share/summary"}
        assert len(asked) >= months
        page = get(admin)
        assert gaps(page) == gaps(page, "only_here") == []
        assert "No meeting is missing" in page.root.text
        assert states(page) <= {"agrees", "explained"}


def day_of(record) -> date:
    start = read_time(record["start_time"], SHANGHAI)
    assert start is not None
    return start.astimezone(SHANGHAI).date()


# The page ----------------------------------------------------------------------------------------------


def test_gaps_stand_first_in_plain_words_and_lead_to_their_day(admin, march):
    page = get(admin)
    assert gaps(page) == [
        "9 Mar 2026, room HOST-2: 1 meeting that the provider counts is missing here",
        "9 Mar 2026, room 梧桐: 2 meetings that the provider counts are missing here",
    ]
    link = page.root.find("ul", data_gaps="missing")[0].find("a")[1].attributes["href"]
    assert link == "/meetings/?from=2026-03-09&to=2026-03-09&room=HOST-1"
    assert worked_out(admin, link).context["page"].paginator.count == 1


def test_the_page_its_csv_and_the_figure_say_the_same(admin, march):
    months = {row["month"]: row for row in get(admin).table("months")}
    (found,) = reconciliation.months(Filter(), NOW + HOUR)
    rows = csv(admin)
    (whole,) = (row for row in rows if row["room"] == exports.ALL_ROOMS)
    row = months["Mar 2026"]
    assert (row["their_meetings"], row["our_meetings"], row["difference"]) == ("4", "1", "+3")
    assert (whole["their_meetings"], whole["our_meetings"]) == ("4", "1")
    assert found.total.difference("meetings") == 3
    # Theirs, and below it ours, which is a note.
    assert (row["participants"], whole["their_participants"], whole["our_participants"]) == ("8", "8", "2")
    assert (row["minutes"], whole["their_minutes"]) == ("240.0", "240.0")
    assert (row["cost"], whole["their_cost"]) == ("¥2.40", "2.40")
    assert row["explanation"] == "3 meetings are missing here"
    rooms = {one["room"]: one for one in get(admin, f"{PATH}?from=2026-03-01&to=2026-03-31").table("rooms")}
    assert {name: (one["their_meetings"], one["our_meetings"]) for name, one in rooms.items()} == {
        "梧桐": ("3", "1"),
        "HOST-2": ("1", "0"),
    }
    assert {(one["host_id"], one["their_meetings"], one["our_meetings"]) for one in rows} == {
        ("HOST-1", "3", "1"),
        ("HOST-2", "1", "0"),
        ("", "4", "1"),
    }


def test_explanations_lead_to_as_many_meetings_as_they_count(admin, db):
    pulled(at=NOW - HOUR)
    silent = {"participants": None, "telephony_usage": None}
    take(
        meeting(),
        *(meeting(uuid=f"r{n}", end_time=None) for n in range(2)),
        *(meeting(uuid=f"u{n}", **silent) for n in range(3)),
        now=NOW - HOUR,
    )
    told(MARCH, {"HOST-1": times(6)})
    told_days({DAY: {"HOST-1": times(6)}})
    with time_machine.travel(NOW, tick=False):
        page = get(admin)
        table = page.root.find("table", data_table="months")[0]
        links = {node.text: node.attributes["href"] for node in table.find("a")}
        assert states(page) == {"explained"}
        for text, count in (
            ("2 meetings still run here", 2),
            ("3 meetings are unreported here", 3),
            ("2 running", 2),
            ("3 unreported", 3),
            ("1", 6),  # of ours one counts, and it leads to all that is here
        ):
            assert worked_out(admin, links[text]).context["page"].paginator.count == count, text


def test_a_month_and_a_room_can_be_looked_at_alone(admin, march):
    page = get(admin, f"{PATH}?room=HOST-2")
    assert gaps(page) == ["9 Mar 2026, room HOST-2: 1 meeting that the provider counts is missing here"]
    assert page.foot("rooms")["their_meetings"] == "1"
    assert page.root.find("ul", class_="chips")
    assert not get(admin).root.find("ul", class_="chips")
    assert get(admin, f"{PATH}?from=2026-01-01&to=2026-02-01").table("months") == []
    assert admin.get(f"{PATH}?from=soon").status_code == 400


def test_the_csv_holds_all_months_unless_days_are_given(admin, march):
    pulled(date(2025, 11, 1))
    assert {row["month"] for row in csv(admin)} == {"2025-11", "2025-12", "2026-01", "2026-02", "2026-03"}
    assert {row["month"] for row in csv(admin, "from=2026-03-01&to=2026-03-09")} == {"2026-03"}
    assert {row["month"] for row in csv(admin, "period=30d")} == {"2026-02", "2026-03"}
    assert {row["host_id"] for row in csv(admin, "room=HOST-2")} == {"HOST-2", ""}


def test_where_nothing_was_compared(admin, settings):
    assert "Nothing to compare" in get(admin).root.text
    pulled(timezone.now().date() - timedelta(days=3), timezone.now().date(), at=timezone.now())
    page = get(admin)
    assert "Not compared yet" in page.root.text
    assert states(page) == {"not asked yet"}
    PulledDay.objects.all().delete()
    settings.UMEET_PULL_DATES = False
    assert "UMEET_PULL_DATES is off" in get(admin).root.text
    assert admin.post(f"{PATH}fetch/").status_code == 302
    assert not PulledDay.objects.exists()


def test_what_is_still_looked_for_is_no_promise(admin, march):
    ProviderPeriod.objects.exclude(first=MARCH[0], last=MARCH[1]).delete()
    page = get(admin)
    assert "3 meetings are being looked for" in page.root.text
    assert gaps(page) == []
    PulledDay.objects.update(asked_at=NOW - HOUR, complete_at=NOW - HOUR)
    told_days({DAY: {"HOST-1": times(3), "HOST-2": times(1)}})
    page = get(admin)
    assert "3 meetings are being looked for" in page.root.text
    assert len(gaps(page, "waiting")) == 2
    assert states(page) == {"explained"}


def test_the_page_follows_a_pull_and_rests_after_it(admin, march):
    Pull.objects.update(ended_at=NOW)
    assert "hx-trigger" not in admin.get(PATH).content.decode().partition('id="results"')[2].partition("</main>")[0]
    ProviderPeriod.objects.filter(first=MARCH[0], last=MARCH[1]).update(next_due_at=timezone.now())
    fragment = admin.get(PATH, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 4s"' in fragment
    assert "<html" not in fragment


def test_zones_are_told_and_links_hold_the_whole_day(admin, march, settings):
    assert "the provider's, in Asia/Shanghai" in get(admin).root.text
    assert "The other pages count days" not in get(admin).root.text
    settings.TIME_ZONE = "Europe/Berlin"
    page = get(admin)
    assert "The other pages count days in Europe/Berlin" in page.root.text
    # A day in Shanghai begins the evening before in Berlin.
    assert local_days(DAY, DAY) == (date(2026, 3, 8), date(2026, 3, 9))
    assert (
        "from=2026-03-08&to=2026-03-09" in page.root.find("ul", data_gaps="missing")[0].find("a")[0].attributes["href"]
    )


def test_chinese(admin, march):
    admin.cookies["django_language"] = "zh-hans"
    assert gaps(get(admin))[1] == "2026年3月9日，会议室 梧桐：此处缺少服务商计入的 2 场会议"


def test_text_from_outside_is_text(admin, march):
    told(MARCH, {"<script>alert(1)</script>": times(1)})
    assert "<script>alert(1)" not in admin.get(f"{PATH}?from=2026-03-01&to=2026-03-31").content.decode()


def test_queries_do_not_grow_with_rooms_or_gaps(admin, march, django_assert_max_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counted = []
    for count in (2, 40):
        rooms = {f"H{n}": times(2) for n in range(count)}
        take(*(meeting(uuid=f"{count}-{n}", host_id=f"H{n}") for n in range(count)), now=NOW - HOUR)
        told(MARCH, rooms)
        told_days({DAY: rooms})
        with CaptureQueriesContext(connection) as queries:
            get(admin)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 34


# Fetching ------------------------------------------------------------------------------------------------


def test_fetching_makes_just_what_is_missing_due(admin, march):
    PulledDay.objects.filter(day=date(2026, 3, 3)).delete()
    PulledDay.objects.filter(day=date(2026, 3, 4)).update(complete_at=None)
    TrackedNumber.objects.create(number="1571106323", next_due_at=NOW + timedelta(days=9))
    ProviderPeriod.objects.update(next_due_at=None)
    response = admin.post(f"{PATH}fetch/", follow=True)
    assert "Asked for: 3 days and the totals of 1 month." in response.content.decode()
    assert {piece.day.day for piece in schedule.due_days(timezone.now())} == {3, 4, 9}
    assert [(piece.first, piece.last) for piece in schedule.due_periods(timezone.now())] == [MARCH]
    assert not schedule.due_numbers(timezone.now()).exists()


def test_where_nothing_is_missing_nothing_is_asked(admin, march):
    told(MARCH, {"HOST-1": times(1)}, at=NOW + HOUR / 2)
    ProviderPeriod.objects.update(next_due_at=None)
    response = admin.post(f"{PATH}fetch/", follow=True)
    assert "Nothing is missing" in response.content.decode()
    assert not schedule.due_days(timezone.now()).exists()
    assert not schedule.due_periods(timezone.now()).exists()


def test_fetching_needs_a_post_and_the_permission(admin, viewer, march):
    assert admin.get(f"{PATH}fetch/").status_code == 405
    assert viewer.post(f"{PATH}fetch/").status_code == 403
    assert "Fetch what is missing" in get(admin).root.text
    assert "Fetch what is missing" not in get(viewer).root.text


@pytest.mark.parametrize("path", [PATH, "/reconciliation.csv", f"{PATH}fetch/"])
def test_it_needs_a_sign_in(client, path):
    assert client.get(path).status_code == 302


# The calendar ----------------------------------------------------------------------------------------------


def test_the_calendar_stands_on_both_pages(admin, march):
    PulledDay.objects.filter(day=date(2026, 3, 3)).delete()
    PulledDay.objects.filter(day=date(2026, 3, 4)).update(complete_at=None)
    for path, gap in ((PATH, True), ("/data/", False)):
        page = get(admin, path)
        (table,) = page.root.find("table", class_="coverage")
        marks = {node.attributes.get("aria-label"): node.attributes["href"] for node in table.find("a")}
        assert len(marks) == 10
        assert marks["3 Mar 2026: never pulled"] == "/meetings/?from=2026-03-03&to=2026-03-03"
        assert "4 Mar 2026: partial" in marks
        assert "2 Mar 2026: complete" in marks
        assert ("9 Mar 2026: complete, 3 meetings are missing here" in marks) == gap
        # To come: no link, and still in words.
        titles = [node.attributes["title"] for node in table.find("span", class_="cover cover-not_due")]
        assert titles[0] == "11 Mar 2026: not due"
        legend = page.root.find("ul", class_="coverage-legend")[0].text
        assert "complete 7" in legend or "complete 8" in legend
        assert "partial 1" in legend
        assert "never pulled 1" in legend


def test_the_calendar_reaches_back_as_far_as_the_ledger_but_not_for_ever(admin, march):
    pulled(date(2025, 12, 24), date(2025, 12, 24))
    assert len(get(admin).root.find("table", class_="coverage")[0].find("tr")) == 1 + 4
    pulled(date(2020, 1, 1), date(2020, 1, 1))
    assert len(get(admin).root.find("table", class_="coverage")[0].find("tr")) == 1 + 24


def test_where_no_day_is_pulled_the_calendar_says_so(admin):
    assert "No day is pulled by date yet." in get(admin, "/data/").root.text


def test_the_navigation_counts_it_as_data(admin, march):
    page = get(admin)
    (here,) = [
        node for node in page.root.find("nav", class_="topnav")[0].find("a") if "aria-current" in node.attributes
    ]
    assert here.text == "Data"
    tabs = page.root.find("nav", class_="tabs")[0].find("a")
    assert [(tab.text, "aria-current" in tab.attributes) for tab in tabs] == [
        ("Pulls", False),
        ("Reconciliation", True),
    ]


def test_now_is_the_clock_of_the_page(admin, march):
    with time_machine.travel(datetime(2026, 4, 2, tzinfo=SHANGHAI), tick=False):
        assert [row["month"] for row in get(admin).table("months")] == ["Apr 2026", "Mar 2026"]
        assert Meeting.objects.count() == 1
