"""Every page in a real browser: its filters, its links, its charts, its downloads, the way back."""

import json
import re
from datetime import timedelta

import pytest
from django.db.models import Count
from django.utils import timezone
from playwright.sync_api import Page, expect

from reports.figures import telephony, usage
from reports.filter import Filter
from reports.models import Meeting, Participant, Room
from tests.browser.conftest import settled
from tests.support import csv_rows


@pytest.fixture
def site(site: Page) -> Page:
    """Without what still runs: its figures grow from one look to the next."""
    Meeting.objects.filter(end_time=None).delete()
    site.reload()
    return site


def shown(page: Page) -> str:
    """All that the results say, less how long ago something was."""
    return page.locator("#results").inner_text()


def charts(page: Page) -> int:
    return page.evaluate("typeof Chart === 'undefined' ? 0 : Object.keys(Chart.instances).length")


def series_path() -> str:
    """The page of the number that has the most meetings."""
    counts = Meeting.objects.exclude(meeting_id="").values("meeting_id").annotate(meetings=Count("pk"))
    return f"/series/number/{counts.order_by('-meetings', 'meeting_id')[0]['meeting_id']}/"


def back_at(page: Page, text: str, numbers: set[int]) -> None:
    """Wait until the results say this and so many charts are drawn: the way back loads the page anew."""
    settled(page)
    expect(page.locator("#results")).to_have_text(text, use_inner_text=True)
    page.wait_for_function(
        "numbers => numbers.includes(Object.keys(window.Chart?.instances ?? {}).length)", arg=sorted(numbers)
    )


def pages(page: Page) -> dict[str, set[int]]:
    """Every page with a filter bar, and how many charts it may draw."""
    room = Meeting.objects.exclude(room=None).order_by("-start_time").first().room
    name = Participant.objects.exclude(name_key="").order_by("-join_time").first().name_key
    return {
        "/": {3},
        "/pool/": {3, 4},  # one by size, where there are two to compare
        "/rooms/": {0},
        f"/rooms/{room.host_id}/": {3},
        "/meetings/": {0},
        "/telephony/": {1},
        "/people/": {0},
        "/booked/": {2},
        "/series/": {0},
        series_path(): {0},
        f"/people/{name}/": {1},
    }


def test_every_filter_of_every_page_swaps_to_what_its_address_shows(site: Page):
    room = Meeting.objects.exclude(room=None).order_by("-start_time").first().room
    day = timezone.localdate() - timedelta(days=3)
    whole = ("/", "/pool/", "/meetings/", "/telephony/", "/people/", "/booked/")
    for path, drawn in pages(site).items():
        site.goto(f"{site.root}{path}?period=7d")
        site.evaluate("window.stayed = true")

        def swapped(part: str, path: str = path, drawn: set[int] = drawn, again: bool = False) -> None:
            site.wait_for_url(f"**{part}*")
            settled(site)
            assert site.evaluate("window.stayed") is True, (path, part)
            assert charts(site) in drawn | {0}, (path, part)
            if not again:
                return
            now = shown(site)
            # A page of its own, as another reader opens it from the address.
            other = site.context.new_page()
            other.goto(site.url)
            assert other.locator("#results").inner_text() == now, (path, part)
            other.close()

        site.get_by_role("link", name="30 days", exact=True).click()
        expect(site).not_to_have_url(re.compile("7d"))
        swapped("")
        if path not in whole:
            # The bar is the same one: here the page itself is looked at, once.
            site.locator("select[name=state]").select_option("solo")
            swapped("state=solo", again=True)
            continue
        site.locator("select[name=state]").select_option("solo")
        swapped("state=solo", again=True)
        site.locator("select[name=state]").select_option("")
        expect(site).not_to_have_url(re.compile("state"))
        site.locator("select[name=calls]").select_option("1")
        swapped("calls=1")
        site.locator("select[name=extra]").select_option("0")
        swapped("extra=0")
        site.locator("#filter-q").fill("会")
        site.keyboard.press("Enter")
        swapped("q=%E4%BC%9A", again=True)
        if site.locator("#filter-rooms").count():
            site.locator("#filter-rooms > summary").click()
            site.locator(f"input[name=room][value='{room.host_id}']").check()
            site.wait_for_url("**room=*")
            settled(site)
            site.keyboard.press("Escape")  # the list stays open through the swap; a page of its own has it shut
            expect(site.locator("#filter-rooms[open]")).to_have_count(0)
            swapped("room=")
        site.locator("#filter-from").fill(day.isoformat())
        site.wait_for_url(f"**from={day}*")
        settled(site)
        site.locator("#filter-to").fill(day.isoformat())
        swapped(f"to={day}", again=True)
        for chip in range(site.locator(".chips a").count(), 0, -1):
            site.locator(".chips a").first.click()
            expect(site.locator(".chips a")).to_have_count(chip - 1)
        settled(site)


def test_back_and_reload_return_to_each_state(site: Page):
    for path, drawn in pages(site).items():
        site.goto(f"{site.root}{path}?period=7d")
        settled(site)
        first = shown(site)
        site.get_by_role("link", name="This year", exact=True).click()
        site.wait_for_url("**period=year*")
        settled(site)
        second = shown(site)
        site.go_back()
        site.wait_for_url("**period=7d*")
        back_at(site, first, drawn)
        site.go_forward()
        site.wait_for_url("**period=year*")
        back_at(site, second, drawn)
        site.reload()
        back_at(site, second, drawn)


def test_swapping_again_and_again_leaks_no_chart(site: Page):
    settled(site)
    for turn in range(6):
        name, address = (("7 days", "7d"), ("90 days", "90d"))[turn % 2]
        site.get_by_role("link", name=name, exact=True).click()
        site.wait_for_url(f"**period={address}*")
        settled(site)
        assert charts(site) == 3
        assert site.locator("canvas").count() == 3
        drawn = site.evaluate("Object.values(Chart.instances).map(chart => chart.canvas.isConnected)")
        assert drawn == [True] * 3


def bar(page: Page, chart: str, label: str, dataset: int) -> None:
    """Click on a bar, where the chart has drawn it."""
    canvas = page.locator(f"canvas[data-chart={chart}]")
    canvas.scroll_into_view_if_needed()
    x, y = page.evaluate(
        """([id, label, dataset]) => {
            const canvas = document.querySelector(`canvas[data-chart=${id}]`);
            const chart = Object.values(Chart.instances).find(one => one.canvas === canvas);
            const bar = chart.getDatasetMeta(dataset).data[chart.data.labels.indexOf(label)];
            return [bar.x, (bar.y + bar.base) / 2];
        }""",
        [chart, label, dataset],
    )
    canvas.click(position={"x": x, "y": y})


def test_the_overview_drills_down_to_just_what_it_counted(site: Page):
    settled(site)
    # A bar of the used hours leads to its day's meetings.
    day = Meeting.objects.filter(used_seconds__gt=7200).order_by("-local_day").last().local_day
    bar(site, "chart-used-hours-a-day", day.isoformat(), 0)
    site.wait_for_url(f"**/meetings/?from={day}&to={day}*")
    expect(site.locator("[data-result-count]")).to_have_text(
        f"{Meeting.objects.filter(local_day=day).count()} meetings"
    )
    site.go_back()
    settled(site)
    # A cell of the week leads to the meetings that began in that hour.
    cell = site.locator("table.heat td a").first
    count = int(cell.inner_text())
    cell.click()
    site.wait_for_url("**weekday=*hour=*")
    expect(site.locator("[data-result-count]")).to_contain_text(f"{count} meeting")
    expect(site.locator(".chip")).to_have_count(2)
    site.go_back()
    settled(site)
    # A card leads to what it counts.
    extra = site.locator("[data-figure=extra_meetings]").inner_text()
    site.get_by_role("link", name="Extra-room meetings").click()
    site.wait_for_url("**/meetings/?extra=1")
    expect(site.locator("#results")).to_contain_text("No meetings here" if extra == "0" else f"{extra} meeting")
    site.go_back()
    settled(site)
    # A room leads to its page, and the cost of a month to its calls of that direction.
    link = site.locator("table[data-table=top-rooms] tbody th a").first
    name = link.inner_text()
    link.click()
    expect(site.locator("h1")).to_have_text(name)
    site.go_back()
    settled(site)
    months = [month for month in telephony.months(Filter(), timezone.now()) if month.by_type.get("call-out")]
    month = months[-1]
    datasets = json.loads(site.locator("#chart-cost-by-month").text_content() or "")["datasets"]
    place = next(place for place, one in enumerate(datasets) if one["label"] == "call-out")
    bar(site, "chart-cost-by-month", f"{month.first:%Y-%m}", place)
    site.wait_for_url("**/telephony/?*type=call-out*")
    expect(site.locator("[data-result-count]")).to_contain_text(f"{month.by_type['call-out'].calls} call")


def test_counts_in_tables_lead_to_as_many_rows(site: Page):
    site.goto(f"{site.root}/rooms/?period=all&sort=-empty_meetings")
    row = site.locator("table[data-table=rooms] tbody tr").first
    for place in (2, 4):  # meetings, empty meetings
        cell = row.locator("> *").nth(place)
        count = cell.inner_text()
        cell.locator("a").click()
        site.wait_for_url("**/meetings/?*")
        expect(site.locator("[data-result-count]")).to_contain_text(f"{count} meeting")
        site.go_back()
        site.wait_for_url("**/rooms/**")
    for table in ("by-type", "by-country", "by-phone"):
        site.goto(f"{site.root}/telephony/?period=all")
        row = site.locator(f"table[data-table={table}] tbody tr").first
        count = row.locator("td").first.inner_text()
        row.locator("th a").click()
        settled(site)
        expect(site.locator("[data-result-count]")).to_contain_text(f"{count} call")
    site.goto(f"{site.root}/people/?period=all")
    row = site.locator("table[data-table=people] tbody tr").first
    name, count = row.locator("th").inner_text(), row.locator("td").first.inner_text()
    row.locator("th a").click()
    expect(site.locator("h1")).to_have_text(name)
    expect(site.locator("[data-figure=meetings]")).to_have_text(count)
    site.locator("table[data-table=attended] tbody th").first.wait_for()
    assert site.locator("table[data-table=attended] tbody tr").count() == min(50, int(count.replace(",", "")))


@pytest.mark.parametrize(
    ("path", "table", "csv", "column", "shown_column"),
    [
        ("/rooms/?sort=room", "rooms", "rooms", "used_hours", "used_hours"),
        ("/telephony/?sort=-minutes", "calls", "telephony", "minutes", "minutes"),
        ("/meetings/?sort=-used_minutes&state=ended", "meetings", "meetings", "used_minutes", "used_minutes"),
    ],
)
def test_a_download_is_the_table_of_the_screen(site: Page, path, table, csv, column, shown_column):
    site.goto(f"{site.root}{path}")
    heads = site.locator(f"table[data-table={table}] thead th").evaluate_all("all => all.map(one => one.dataset.col)")
    place = heads.index(shown_column)
    rows = site.locator(f"table[data-table={table}] tbody tr").evaluate_all(
        "(all, place) => all.map(row => row.children[place].innerText.trim())", place
    )
    site.locator("#filter-csv > summary").click()
    with site.expect_download() as download:
        site.locator(f"#filter-csv a[href^='/{csv}.csv']").click()
    lines = csv_rows(download.value.path().read_bytes())
    assert download.value.suggested_filename.startswith(f"{csv}_")
    assert [line[column] or "–" for line in lines[: len(rows)]] == [text.replace(",", "") for text in rows]


def test_the_pool_is_drawn_and_its_worst_hour_leads_to_as_many_meetings_as_it_says(site: Page):
    site.get_by_role("link", name="Pool", exact=True).click()
    settled(site)
    expect(site.locator("[data-sentence]")).to_have_text(
        re.compile(r"^\d+ rooms? would have served 99% of the meetings of this period; you rent 60\.$")
    )
    assert charts(site) == site.locator("canvas").count() == 4
    row = site.locator("table[data-table=worst-hours] tbody tr").first
    most, _occupied, count = row.locator("td").all_inner_texts()
    assert most == site.locator("[data-figure=peak_concurrent_rooms]").inner_text()
    row.locator("th a").click()
    site.wait_for_url("**/meetings/?period=all&during=*")
    expect(site.locator("[data-result-count]")).to_contain_text(f"{count} meeting")
    expect(site.locator(".chip")).to_have_count(1)
    # A bar of the most rooms leads to an hour of it, and by the hour each bar is one.
    site.goto(f"{site.root}/pool/?period=7d")
    settled(site)
    data = json.loads(site.locator("#chart-concurrent-rooms").text_content() or "")
    place = max(range(len(data["labels"])), key=lambda place: data["datasets"][0]["data"][place])
    bar(site, "chart-concurrent-rooms", data["labels"][place], 0)
    site.wait_for_url(f"**/meetings/?period=all&during={data['labels'][place][:13]}")
    found = int(site.locator("[data-result-count]").inner_text().split()[0])
    assert found >= data["datasets"][0]["data"][place]
    site.go_back()
    settled(site)
    level = str(max(int(one) for one, link in zip(*(levels(site)), strict=False) if link))
    bar(site, "chart-hours-at-level", level, 0)
    site.wait_for_url("**/meetings/?period=all&during=*")
    assert int(site.locator("[data-result-count]").inner_text().split()[0]) >= int(level)


def levels(page: Page) -> tuple[list[str], list[str]]:
    """The labels of the chart of hours at each level, and where its bars lead."""
    data = json.loads(page.locator("#chart-hours-at-level").text_content() or "")
    return data["labels"], data["links"]


def test_booked_and_used_drills_down_to_just_what_it_counted(site: Page):
    site.get_by_role("link", name="Booked and used", exact=True).click()
    settled(site)
    assert charts(site) == site.locator("canvas").count() == 2
    overruns = site.locator("[data-figure=overruns]").inner_text()
    site.get_by_role("link", name="Overruns", exact=True).first.click()
    site.wait_for_url("**/meetings/?booked=over")
    expect(site.locator("[data-result-count]")).to_contain_text(f"{overruns} meeting")
    site.go_back()
    settled(site)
    weekday = site.locator("table[data-table=booked-weekdays] tbody tr").first
    name, count = weekday.locator("th").inner_text(), weekday.locator("td").first.inner_text()
    bar(site, "chart-booked-by-weekday", name, 0)
    site.wait_for_url("**/meetings/?weekday=*")
    expect(site.locator("[data-result-count]")).to_contain_text(f"{count} meeting")
    site.go_back()
    settled(site)
    # One order for all three tables, and the way series are made, without loading the page anew.
    site.evaluate("window.stayed = true")
    site.locator("#sort-booked-rooms-early_ends").click()
    site.wait_for_url("**sort=-early_ends*")
    settled(site)
    expect(site.locator("th[aria-sort=descending][data-col=early_ends]")).to_have_count(3)
    site.get_by_role("link", name="By topic", exact=True).click()
    site.wait_for_url("**by=topic*")
    settled(site)
    assert site.evaluate("window.stayed") is True
    row = site.locator("table[data-table=booked-series] tbody tr").first
    count = row.locator("td").nth(4).inner_text()
    row.locator("td").nth(4).locator("a").click()
    site.wait_for_url("**/meetings/?*booked=early*topic=*")
    expect(site.locator("[data-result-count]")).to_contain_text(f"{count} meeting")


def test_a_series_tells_who_came_by_the_rule_that_is_set(site: Page):
    site.get_by_role("link", name="Series", exact=True).click()
    settled(site)
    row = site.locator("table[data-table=series] tbody tr").first
    meetings, attendees = row.locator("td").nth(0).inner_text(), row.locator("td").nth(2).inner_text()
    row.locator("th a").click()
    site.wait_for_url("**/series/number/**")
    settled(site)
    expect(site.locator("[data-figure=meetings]")).to_have_text(meetings)
    expect(site.locator("[data-figure=attendees]")).to_have_text(attendees)
    rows = site.locator("table[data-table=members] tbody tr")
    expect(rows).to_have_count(int(attendees))
    kept = "all => all.filter(one => one.title.startsWith('present')).length"
    usual = site.locator("td.mark").evaluate_all(kept)
    # Another rule, by the field alone; the usual one leaves the address.
    site.evaluate("window.stayed = true")
    field = site.locator("#filter-present")
    field.fill("100")
    field.press("Enter")
    site.wait_for_url("**/?present=100")
    settled(site)
    strict = site.locator("td.mark").evaluate_all(kept)
    assert strict < usual
    expect(site.locator(".chip")).to_have_count(1)
    dated = site.locator(".mark-day a").last
    title = dated.get_attribute("title") or ""
    dated.click()
    site.wait_for_url("**/meetings/*/?present=100")
    expect(site.locator("h1")).to_have_text(title.partition(" · ")[2])
    expect(site.locator("#present-from")).to_have_value("100")
    site.locator("#present-from").fill("50")
    site.locator("#present-from").press("Enter")
    expect(site).not_to_have_url(re.compile("present"))
    site.go_back()
    expect(site.locator("#present-from")).to_have_value("100")
    settled(site)
    site.go_back()
    settled(site)
    assert site.locator("td.mark").evaluate_all(kept) == strict
    field.fill("50")
    field.press("Enter")
    expect(site).not_to_have_url(re.compile("present"))
    settled(site)
    assert site.locator("td.mark").evaluate_all(kept) == usual
    # Names lead to their page within the series.
    name, count = rows.first.locator("th").inner_text(), rows.first.locator("td").first.inner_text()
    rows.first.locator("th a").click()
    site.wait_for_url("**/people/**number=*")
    expect(site.locator("h1")).to_have_text(name)
    expect(site.locator("[data-figure=meetings]")).to_have_text(count)


def test_the_grid_of_a_series_scrolls_inside_of_its_card_on_a_phone(site: Page):
    site.set_viewport_size({"width": 390, "height": 844})
    site.goto(f"{site.root}{series_path()}")
    settled(site)
    assert site.evaluate("document.documentElement.scrollWidth") == 390
    box = site.locator(".series-scroll")
    name = site.locator("table[data-table=members] tbody th").first
    before = name.bounding_box()
    assert box.evaluate("one => { one.scrollLeft = 300; return one.scrollLeft; }") > 100
    assert name.bounding_box() == before


def test_a_room_is_renamed_in_place(site: Page):
    room = Meeting.objects.exclude(room=None).first().room
    site.goto(f"{site.root}/rooms/{room.host_id}/?period=7d")
    site.get_by_text("Rename", exact=True).click()
    site.get_by_label("Own name").fill("  Board   room ")
    site.get_by_role("button", name="Save").click()
    expect(site.locator("h1")).to_have_text("Board room")
    assert "period=7d" in site.url
    assert Room.objects.get(pk=room.pk).label == "Board room"
    site.get_by_text("Rename", exact=True).click()
    site.get_by_label("Own name").fill("")
    site.get_by_role("button", name="Save").click()
    expect(site.locator("h1")).to_have_text(room.name or room.host_id)


def test_a_rooms_day_shows_its_meetings_and_its_week_leads_on(site: Page):
    room = Meeting.objects.exclude(room=None).filter(end_time__isnull=False).order_by("-start_time").first().room
    site.goto(f"{site.root}/rooms/{room.host_id}/")
    lines = site.locator(".day-line:not(.day-axis)")
    expect(lines).to_have_count(8)  # the day, and its week
    day = Meeting.objects.filter(room=room).order_by("-local_day").first().local_day
    bars = site.locator(".day-line.is-tall .day-track a")
    assert bars.count() >= Meeting.objects.filter(room=room, local_day=day).count()
    inside = site.evaluate(
        """[...document.querySelectorAll('.day-occupied')].every(bar => {
            const own = bar.getBoundingClientRect(), track = bar.closest('.day-track').getBoundingClientRect();
            return own.left >= track.left - 1 && own.width > 0;
        })"""
    )
    assert inside
    site.locator(".day-line:not(.is-tall) a.day-name").first.click()
    settled(site)
    first = site.url.split("from=")[1][:10]
    count = usage.meetings(Filter(rooms=(room.host_id,))).filter(local_day=first).count()
    expect(site.locator("[data-figure=meetings]")).to_have_text(str(count))


def test_the_first_visit_is_light(site: Page):
    """All that a first visit of the overview transfers, as it goes over the wire."""
    site.context.clear_cookies(name="nothing")
    session = site.context.new_cdp_session(site)
    session.send("Network.enable")
    session.send("Network.clearBrowserCache")
    transferred: list[float] = []
    session.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
    site.goto(f"{site.root}/")
    settled(site)
    assert len(transferred) > 8  # the page, its styles, its scripts
    assert sum(transferred) <= 300_000
