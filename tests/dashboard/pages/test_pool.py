"""The page of the pool: its sentence tried out room by room, its charts, tables and CSV, and where they lead."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone, translation

from dashboard import filters, pool_cards, pool_charts
from dashboard.pages import pool as page_of_pool
from dashboard.pool_charts import LONGEST_AXIS
from reports import pulling, schedule
from reports.figures import pool
from reports.filter import Filter
from reports.models import Licence, Meeting, Room
from reports.provider.client import Client
from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.html import Page
from tests.support import KEY, NOW, SECRET, SHANGHAI, csv_rows, meeting, take, worked_out

pytestmark = pytest.mark.django_db


def read(client, query=""):
    response = client.get(f"/pool/{query}")
    assert response.status_code == 200
    return Page(response.content.decode())


def csv(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return csv_rows(b"".join(response.streaming_content))


def sentence(page):
    (found,) = page.root.find("p", data_sentence=None)
    return found.text


def counted(client, address):
    """How many meetings an address shows."""
    return worked_out(client, address).context["page"].paginator.count


# A company ---------------------------------------------------------------------------------------------------


@pytest.fixture
def company(db):
    """A week of a company that rents too few rooms, pulled as the worker does it; then the clock stands still."""
    # A Friday without holidays before it, whenever this runs.
    with time_machine.travel(datetime(2026, 3, 13, 7, tzinfo=UTC)):
        with Sandbox(World(seed=5, rooms=14, meetings_per_day=70), key=KEY, secret=SECRET) as api:
            today = schedule.provider_today(timezone.now())
            with Client(api.url, KEY, SECRET, zone=SHANGHAI) as client:
                pulling.pull_rooms(client, forced=True)
                pulling.pull_days(client, days=(today - timedelta(days=6), today))
        now = timezone.now()
    with time_machine.travel(now, tick=False):
        yield now


def tried(chosen_from, until, now):
    """Try every number of rooms on the meetings of the ledger: how many of the period's would have found none.

    Second by second there are as many in use as there are meetings that have begun and not ended.
    """
    everybody = [
        (one.start_time, one.uuid, one.end_time or now)
        for one in Meeting.objects.all()
        if one.start_time < until
        and (one.end_time is None or one.end_time > chosen_from or one.start_time >= chosen_from)
    ]
    everybody.sort()
    of_period = sum(start >= chosen_from for start, _uuid, _end in everybody)
    found: list[int] = []
    while not found or found[-1]:
        rooms, none = len(found), 0
        inside: list[datetime] = []
        for start, _uuid, end in everybody:
            inside = [other for other in inside if other > start]
            none += start >= chosen_from and len(inside) >= rooms
            if end > start:
                inside.append(end)
        found.append(none)
    return found, of_period


def test_the_sentence_says_what_trying_every_number_of_rooms_gives(company, admin):
    for query, days in (("?period=7d", 7), ("", 30)):
        page = read(admin, query)
        begin = timezone.localtime(company).replace(hour=0, minute=0, second=0, microsecond=0)
        without, meetings = tried(begin - timedelta(days=days - 1), begin + timedelta(days=1), company)
        enough = next(rooms for rooms, none in enumerate(without) if meetings - none >= 0.99 * meetings)
        assert meetings > 200
        assert 5 < enough < len(without) - 1
        assert sentence(page) == (f"{enough} rooms would have served 99% of the meetings of this period; you rent 14.")
        assert page.figure("rooms_for_99") == str(enough)
        rows = csv(admin, f"/pool.csv{query}")
        assert [int(row["meetings_without_room"]) for row in rows[: len(without)]] == without
        assert {row["meetings"] for row in rows} == {str(meetings)}


def test_page_charts_tables_and_csv_say_the_same(company, admin):
    for query in ("", "?period=7d", "?state=ended", "?period=7d&hour=10"):
        page = read(admin, query)
        rows = csv(admin, f"/pool.csv{query}")
        names = ("chart-hours-at-level", "chart-what-if", "chart-concurrent-rooms", "chart-what-if-by-size")
        hours, what_if, concurrent, by_size = (page.chart(name) for name in names)
        # Hours at each level.
        shown = page.chart_table("chart-hours-at-level")
        assert [(cells[1].replace(",", ""), cells[3].replace(",", "")) for cells in shown] == [
            (row["hours_at_level"], row["hours_at_least"]) for row in rows
        ]
        drawn = [sum(one["data"][place] or 0 for one in hours["datasets"]) for place in range(len(rows))]
        for value, row in zip(drawn, rows, strict=True):
            assert abs(value - float(row["hours_at_level"])) < 0.011
        # The curve.
        curve = what_if["datasets"][0]["data"]
        assert curve[: len(rows)] == [int(row["meetings_without_room"]) for row in rows]
        assert set(curve[len(rows) :]) <= {0}
        assert len(curve) == max(len(rows), 15) == len(hours["labels"])
        assert [cells[2] for cells in page.chart_table("chart-what-if")] == [
            f"{row['served_percent']}%" for row in rows
        ]
        enough, rented = what_if["datasets"][1:]
        served = [int(row["meetings"]) - int(row["meetings_without_room"]) for row in rows]
        place = next(place for place, count in enumerate(served) if count >= 0.99 * served[-1])
        assert enough["data"] == [curve[place] if rooms == place else None for rooms in range(len(curve))]
        assert (rented["label"], rented["data"][14]) == ("rented: 14", curve[14])
        # Over time.
        course = csv(admin, f"/concurrency.csv{query}")
        assert concurrent["datasets"][0]["data"] == [int(row["most_rooms"]) for row in course]
        assert set(concurrent["datasets"][1]["data"]) == {14}
        assert page.figure("peak_concurrent_rooms") == str(max(int(row["most_rooms"]) for row in course))
        if "7d" in query:
            assert concurrent["axis"] == "hour"
            assert [row["begin"][:13] for row in course] == [label[:13] for label in concurrent["labels"]]
        else:
            days = csv(admin, f"/days.csv{query}")
            assert [row["most_rooms"] for row in course] == [row["peak_concurrent_rooms"] for row in days]
        # By size.
        sizes = csv(admin, f"/sizes.csv{query}")
        for dataset in by_size["datasets"]:
            seats = dataset["label"].removesuffix(" seats")
            own = [row for row in sizes if row["seats"] == seats]
            assert [100 - value for value in dataset["data"][: len(own)]] == pytest.approx(
                [float(row["served_percent"]) for row in own], abs=0.11
            )
        for cells in page.table("sizes"):
            seats = {"extra rooms": "extra", "unknown size": "unknown"}.get(cells["seats"], cells["seats"])
            own = [row for row in sizes if row["seats"] == seats]
            assert cells["meetings"] == own[0]["meetings"]
            assert cells["rooms"] == (own[0]["rooms"] or "–")
            assert cells["for_1000"] == (own[-1]["level"] if own[0]["meetings"] != "0" else "–")
        assert sum(int(cells["meetings"]) for cells in page.table("sizes")) == int(rows[0]["meetings"])


def test_every_link_leads_to_what_it_says(company, admin):
    page = read(admin, "?period=7d")
    worst = page.table("worst-hours")
    links = page.links("worst-hours")
    assert len(worst) == 10
    assert int(worst[0]["most"]) == int(page.figure("peak_concurrent_rooms"))
    for row, link in zip(worst, links, strict=True):
        assert link["hour"] == link["meetings"]
        assert "period=all" in link["hour"]
        assert counted(admin, link["hour"]) == int(row["meetings"]) >= int(row["most"])
    # A bar of an hour, and one of a level.
    concurrent = page.chart("chart-concurrent-rooms")
    busy = max(range(len(concurrent["labels"])), key=lambda place: concurrent["datasets"][0]["data"][place])
    assert counted(admin, concurrent["links"][busy]) >= concurrent["datasets"][0]["data"][busy]
    for name in ("chart-hours-at-level", "chart-what-if"):
        links = page.chart(name)["links"]
        assert not links[0]
        assert sum(map(bool, links)) > 10
        for rooms, link in enumerate(links):
            assert not link or counted(admin, link) >= rooms
    # A size, and its meetings.
    for row, link in zip(page.table("sizes"), page.links("sizes"), strict=True):
        if "seats" in link:
            assert read(admin, link["seats"].removeprefix("/pool/")).figure("pool_size") == row["rooms"]
        if "meetings" in link:
            assert counted(admin, link["meetings"]) == int(row["meetings"])
    # The cards.
    cards = {card.figure: card for card in worked_out(admin, "/pool/?period=7d").context["cards"]}
    assert counted(admin, cards["extra_meetings"].url) == int(cards["extra_meetings"].value)
    assert counted(admin, cards["peak_concurrent_rooms"].url) == int(worst[0]["meetings"])


def test_short_times_and_extra_rooms_are_told(company, admin):
    page = read(admin, "?period=7d")
    short = page.table("short")
    assert short
    minutes = [float(row["minutes"].replace(",", "")) for row in short]
    assert minutes == sorted(minutes, reverse=True)
    assert all(int(row["most"]) >= 14 for row in short)
    seen = pool.picture(Filter(first=timezone.localdate() - timedelta(days=6), last=timezone.localdate()), company)
    assert seen.short
    assert seen.short.times >= len(short)
    assert page.figure("hours_short") == f"{round(seen.short.seconds / 3600 + 1e-9, 1)}"
    rows = csv(admin, "/pool.csv?period=7d")
    assert abs(float(rows[14]["hours_at_least"]) - seen.short.seconds / 3600) < 0.006
    # Every judged extra room is one, and as many rooms were free as is said.
    assert int(page.figure("extra_meetings")) == Meeting.objects.filter(is_extra=True).count()
    for row, link in zip(page.table("extra"), page.links("extra"), strict=True):
        assert int(row["free"]) == 14 - int(row["occupied"]) > 0
        found = worked_out(admin, link["topic"]).context["meeting"]
        others = Meeting.objects.filter(start_time__lte=found.start_time).exclude(pk=found.pk)
        inside = [one for one in others if one.end_time is None or one.end_time > found.start_time]
        same = [one for one in inside if one.start_time == found.start_time and one.uuid > found.uuid]
        assert found.is_extra
        assert len(inside) - len(same) == int(row["occupied"])


def test_queries_do_not_grow_with_the_period(company, admin, django_assert_max_num_queries):
    for query in ("?period=7d", "?period=all"):
        with django_assert_max_num_queries(40):
            read(admin, query)


# In words ------------------------------------------------------------------------------------------------------

DAY = "?from=2026-03-09&to=2026-03-09"


def rented(**capacity):
    sizes = {size.removeprefix("of"): count for size, count in capacity.items()}
    return Licence.objects.create(capacity=sizes, first_seen_at=NOW, last_seen_at=NOW, expire_date="2027-12-31")


def test_where_the_size_of_the_pool_comes_from_is_said(admin):
    take(meeting(uuid="a"), meeting(uuid="b"), meeting(uuid="c", host_id="HOST-2"))
    with time_machine.travel(NOW, tick=False):
        page = read(admin, DAY)
        assert sentence(page).endswith("; 2 are known.")
        assert "has not said how many rooms are rented" in page.root.text
        licence = rented(of25=5, of100=1)
        page = read(admin, DAY)
        assert sentence(page) == "3 rooms would have served 99% of the meetings of this period; you rent 6."
        for words in ("said on 10 Mar 2026", "until 31 Dec 2027", "Rooms known: 2."):
            assert words in page.root.text
        assert page.figure("pool_size") == "6"
        page = read(admin, f"{DAY}&room=HOST-1")
        assert sentence(page) == "2 rooms would have served 99% of the meetings of this period; 1 is chosen."
        assert "rooms of the filter are taken for the pool" in page.root.text
        licence.delete()
        Room.objects.update(temporary=True)
        page = read(admin, DAY)
        assert sentence(page).endswith("; the size of the pool is not known.")
        assert (page.figure("pool_size"), page.figure("hours_short")) == ("–", "–")
        assert page.table("short") == []


def test_a_period_without_a_meeting_says_so(admin):
    rented(of25=5)
    with time_machine.travel(NOW, tick=False):
        page = read(admin, DAY)
        assert sentence(page) == "No meeting began in this period."
        assert (page.figure("rooms_for_99"), page.figure("peak_concurrent_rooms")) == ("–", "0")
        assert csv(admin, f"/pool.csv{DAY}") == [
            {
                "level": "0",
                "hours_at_level": "24.00",
                "hours_at_least": "24.00",
                "meetings_without_room": "0",
                "meetings": "0",
                "served_percent": "",
            }
        ]


def test_a_selection_is_said_to_be_one(admin):
    take(meeting())
    words = "Only the meetings that fit the filter are counted"
    with time_machine.travel(NOW, tick=False):
        assert words not in read(admin, DAY).root.text
        assert words not in read(admin, f"{DAY}&room=HOST-1&compare=1&present=80&by=topic").root.text
        for part in ("q=%E5%91%A8", "state=ended", "extra=0", "calls=1", "hour=10", "during=2026-03-09T10", "topic=+"):
            assert words in read(admin, f"{DAY}&{part}").root.text, part


def test_every_part_of_a_filter_that_selects_meetings_is_called_narrowing():
    left = {"first", "last", "rooms", "by", "present", "sort", "page", "compare", "period", "allowed_rooms", "masked"}
    assert set(page_of_pool.NARROWING) | left == set(Filter.__dataclass_fields__)


def test_an_hour_that_is_chosen_already_is_the_only_one_that_can_be_linked(admin):
    take(meeting(uuid="a", end_time="2026-03-09 12:30:00"), meeting(uuid="b"))
    with time_machine.travel(NOW, tick=False):
        page = read(admin, f"{DAY}&during=2026-03-09T11")
        shown = [link.get("hour", "") for link in page.links("worst-hours")]
        assert shown == ["", "/meetings/?period=all&during=2026-03-09T11", ""]
        assert counted(admin, shown[1]) == 1 == int(page.table("worst-hours")[1]["meetings"])
        labels, links = (page.chart("chart-concurrent-rooms")[name] for name in ("labels", "links"))
        assert [label for label, link in zip(labels, links, strict=True) if link] == ["2026-03-09T11:00"]


def test_a_pool_out_of_all_proportion_does_not_stretch_the_axis(admin):
    take(meeting(uuid="a"), meeting(uuid="b"))
    with time_machine.travel(NOW, tick=False):
        rented(of25=LONGEST_AXIS)
        chart = read(admin, DAY).chart("chart-what-if")
        assert chart["labels"][-1] == str(LONGEST_AXIS)
        assert [one["label"] for one in chart["datasets"]][2] == f"rented: {LONGEST_AXIS}"
        Licence.objects.all().delete()
        rented(of25=LONGEST_AXIS + 1)
        chart = read(admin, DAY).chart("chart-what-if")
        assert len(chart["labels"]) == 3
        assert len(chart["datasets"]) == 2


def test_bars_from_the_size_of_the_pool_on_are_told_apart(admin):
    take(meeting(uuid="a"), meeting(uuid="b", start_time="2026-03-09 10:30:00"))
    rented(of25=2)
    with time_machine.travel(NOW, tick=False):
        page = read(admin, DAY)
        free, other, full = page.chart("chart-hours-at-level")["datasets"]
        assert (free["data"], other["data"], full["data"]) == (
            [8.0, 0.5, None],
            [15.0, 0.0, None],
            [None, None, 0.5],
        )
        assert full["label"] == "no room free"
        assert [row["without"] for row in page.table("short")] == ["0"]
        assert page.table("short")[0]["start"] == "9 Mar 2026, 10:30"


def test_the_previous_period_stands_beside(admin):
    take(
        meeting(uuid="a"),
        meeting(uuid="b"),
        meeting(uuid="c", start_time="2026-03-08 10:00:00", end_time="2026-03-08 12:00:00", is_extra=1),
        meeting(uuid="old", start_time="2026-03-01 10:00:00", end_time="2026-03-01 11:00:00"),
    )
    rented(of25=1)
    with time_machine.travel(NOW, tick=False):
        cards = {card.figure: card for card in worked_out(admin, f"/pool/{DAY}&compare=1").context["cards"]}
    assert {name: (card.value, card.hint) for name, card in cards.items() if name != "pool_size"} == {
        "peak_concurrent_rooms": ("2", "before: 1"),
        "hours_short": ("1.0", "before: 2.0"),
        "extra_meetings": ("0", "before: 1"),
        "rooms_for_99": ("2", "before: 1"),
    }


def test_the_overview_says_how_large_the_pool_is(admin):
    take(meeting())
    rented(of25=70)
    with time_machine.travel(NOW, tick=False):
        cards = {card.figure: card for card in worked_out(admin, "/").context["cards"]}
        assert cards["peak_concurrent_rooms"].hint == "of 70 rented · on 9 Mar 2026"
        Licence.objects.all().delete()
        cards = {card.figure: card for card in worked_out(admin, "/").context["cards"]}
        assert cards["peak_concurrent_rooms"].hint == "of 1 rooms · on 9 Mar 2026"


def test_the_sentence_in_chinese(db):
    take(*(meeting(uuid=f"{number}") for number in range(3)))
    rented(of25=70)
    with translation.override("zh-hans"):
        text = pool_cards.sentence(pool.picture(Filter(), NOW))
    assert text == "3 间会议室即可满足该时间范围内 99% 的会议；目前租用 70 间。"


@pytest.mark.parametrize("q", ["", "during=2000-01-01T00", "a&from=1&to=2"])
def test_many_addresses_at_once_are_those_made_one_by_one(q):
    hours = [datetime(2026, 3, 9, hour) for hour in (0, 13)]
    spans = [(date(2026, 3, 9), date(2026, 3, 9)), (date(2026, 3, 9), date(2026, 3, 15))]
    for during in (None, hours[1]):
        chosen = Filter(first=date(2026, 1, 1), q=q, rooms=("A", "B"), during=during, compare=True, extra=True)
        one_by_one = [pool_charts.hour_url("/meetings/", chosen, hour) for hour in hours]
        many = pool_charts.hour_urls("/meetings/", chosen)
        assert [many(hour) for hour in hours] == one_by_one
        assert filters.day_links("/x/", chosen, spans, sort="", compare=False) == [
            filters.link("/x/", chosen, first=first, last=last, sort="", compare=False) for first, last in spans
        ]
