"""The page of one meeting in a real browser: with one, twenty and five hundred attendees."""

import gzip
import random
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from reports.models import Meeting
from tests.support import SHANGHAI, meeting, take

START = datetime(2026, 3, 9, 10, tzinfo=SHANGHAI)
LONGEST = 100_000


def stamp(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def visits(attendees: int, each: int) -> list[dict[str, str]]:
    """So many attendees, who come and go so many times."""
    drawn = random.Random(attendees)
    found = []
    for number in range(attendees):
        name = f"{drawn.choice(['王伟', 'Anna', 'Østergård', 'Maximilian von Sigmaringen'])} {number}"
        moment = START + timedelta(seconds=drawn.randrange(1200))
        for _ in range(each):
            leave = moment + timedelta(seconds=drawn.randrange(60, 1500))
            found.append({"name": name, "join_time": stamp(moment), "leave_time": stamp(leave)})
            moment = leave + timedelta(seconds=drawn.randrange(10, 200))
    return found


def kept(attendees: int, each: int = 3) -> Meeting:
    take(
        meeting(
            start_time=stamp(START), end_time=stamp(START + timedelta(hours=2)), participants=visits(attendees, each)
        )
    )
    return Meeting.objects.get()


@pytest.fixture
def browser_at(transactional_db, live_server, page: Page, django_user_model, troubles):
    """A function that opens an address of the site, signed in as administrator."""
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("admin", password="a long password"))
    cookie = client.cookies["sessionid"]
    page.context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])

    def go(path: str) -> Page:
        page.goto(live_server.url + path)
        return page

    return go


def sideways(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("attendees", [1, 20, 500])
def test_it_stays_readable_for_few_and_for_many(browser_at, page: Page, attendees: int, width: int):
    found = kept(attendees)
    page.set_viewport_size({"width": width, "height": 900})
    browser_at(f"/meetings/{found.pk}/")
    rows = page.locator("#timeline .tl-rows:not(.tl-calls) .tl-row")
    expect(rows).to_have_count(attendees)
    assert sideways(page) == 0
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("#timeline .tl-rows:not(.tl-calls) .tl-row")].map((row) => {
            const track = row.querySelector(".tl-track").getBoundingClientRect();
            const bars = [...row.querySelectorAll("rect.b")].map((bar) => bar.getBoundingClientRect());
            return {
                height: row.getBoundingClientRect().height,
                least: Math.min(...bars.map((bar) => bar.height)),
                track: track.width,
                inside: bars.every((bar) => bar.left >= track.left - 1 && bar.right <= track.right + 1),
            };
        })"""
    )
    assert min(size["height"] for size in sizes) >= 14
    assert min(size["least"] for size in sizes) >= 6
    assert min(size["track"] for size in sizes) >= min(width * 0.6, 300)
    assert all(size["inside"] for size in sizes)
    # Bars, lines behind them and head-count share one axis.
    edges = page.evaluate(
        """() => [".tl-axis .tl-track", ".tl-grid", ".tl-rows .tl-track", ".tl-curve .tl-track"].map((name) => {
            const box = document.querySelector("#timeline " + name).getBoundingClientRect();
            return [Math.round(box.left), Math.round(box.right)];
        })"""
    )
    assert len({tuple(edge) for edge in edges}) == 1, edges


def test_five_hundred_attendees_weigh_less_than_100_kb(admin_client, transactional_db):
    found = kept(500)
    assert (found.attendees, found.visits) == (500, 1500)
    for query in ("", "?rows=all"):
        body = admin_client.get(f"/meetings/{found.pk}/{query}").content
        assert len(gzip.compress(body, 6)) < LONGEST, query


def test_axis_and_head_count_stay_in_view_in_a_long_list(browser_at, page: Page):
    found = kept(500)
    page.set_viewport_size({"width": 1440, "height": 900})
    browser_at(f"/meetings/{found.pk}/")
    box = page.locator("#timeline-box")
    box.scroll_into_view_if_needed()
    box.focus()
    expect(box).to_be_focused()
    page.keyboard.press("End")
    page.wait_for_timeout(600)
    assert box.evaluate("box => box.scrollTop") > 5000
    frame = box.bounding_box()
    head, foot = page.locator(".tl-head").bounding_box(), page.locator(".tl-foot").bounding_box()
    assert abs(head["y"] - frame["y"]) < 2
    assert abs(foot["y"] + foot["height"] - frame["y"] - frame["height"]) < 2
    last = page.locator("#timeline .tl-rows:not(.tl-calls) .tl-row").last.bounding_box()
    assert head["y"] + head["height"] <= last["y"] <= last["y"] + last["height"] <= foot["y"] + 1


def test_the_order_is_a_link_that_htmx_makes_quick(browser_at, page: Page):
    found = kept(20, each=1)
    browser_at(f"/meetings/{found.pk}/")
    page.get_by_role("link", name="by minutes").click()
    page.wait_for_url("**/?order=minutes")
    expect(page.get_by_role("link", name="by minutes")).to_have_attribute("aria-current", "true")
    expect(page.locator("#order-minutes")).to_be_focused()
    shown = [
        float(text)
        for text in page.locator("#timeline .tl-rows:not(.tl-calls) .tl-num:not(.tl-last)").all_inner_texts()
    ]
    assert shown == sorted(shown, reverse=True)


def test_a_running_meeting_keeps_up_and_one_stays_where_one_was(browser_at, page: Page):
    now = timezone.now()
    start = now - timedelta(minutes=20)

    def report(attendees: int) -> None:
        people = [{"name": f"guest {n}", "join_time": stamp(start), "leave_time": None} for n in range(attendees)]
        take(meeting(start_time=stamp(start), end_time=None, participants=people, telephony_usage=[]), now=now)

    report(60)
    page.clock.install()
    browser_at(f"/meetings/{Meeting.objects.get().pk}/")
    page.locator("#visits summary").click()
    page.locator("#timeline-box").evaluate("box => { box.scrollTop = 300; }")
    page.locator("#order-name").focus()
    page.evaluate("window.scrollTo(0, 200)")
    top = page.evaluate("window.scrollY")
    report(61)
    with page.expect_response(lambda response: "/meetings/" in response.url):
        page.clock.run_for(31_000)
    expect(page.locator("#timeline .tl-rows:not(.tl-calls) .tl-row")).to_have_count(61)
    assert page.locator("#timeline-box").evaluate("box => box.scrollTop") == 300
    assert page.locator("#visits").get_attribute("open") is not None
    expect(page.locator("#order-name")).to_be_focused()
    assert page.evaluate("window.scrollY") == top


def test_it_all_works_without_javascript(browser, live_server, transactional_db, django_user_model):
    found = kept(20)
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("admin", password="a long password"))
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    try:
        page = context.new_page()
        page.goto(f"{live_server.url}/meetings/{found.pk}/")
        page.get_by_role("link", name="by name").click()
        assert page.url.endswith("?order=name")
        page.locator("#visits summary").click()
        expect(page.locator("#visits table")).to_be_visible()
        expect(page.locator("#copy-uuid")).to_be_hidden()
    finally:
        context.close()
