"""The pages in a real browser, on data that was pulled over HTTP from the simulated company."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from reports.models import Meeting
from tests.browser.conftest import settled
from tests.support import csv_rows


def rows(page: Page) -> list[str]:
    return page.locator("#results tbody th a").all_inner_texts()


def charts(page: Page) -> int:
    settled(page)
    return page.evaluate("Object.keys(Chart.instances).length")


def test_the_overview_draws_a_chart_of_the_pulled_meetings(site: Page):
    expect(site.get_by_role("heading", name="Overview")).to_be_visible()
    total = Meeting.objects.count()
    assert f"{total:,}" in site.locator(".figure-card").first.inner_text()
    settled(site)
    drawn = site.evaluate("Object.values(Chart.instances)[0].data.datasets.flatMap(d => d.data)")
    assert sum(value for value in drawn if value) == total


def test_a_bar_leads_to_its_meetings_and_back_returns(site: Page):
    day = (Meeting.objects.order_by("-local_day").exclude(local_day=timezone.localdate()).first()).local_day
    canvas = site.locator("canvas").first
    settled(site)
    place = site.evaluate(
        """day => {
            const chart = Object.values(Chart.instances)[0];
            const index = chart.data.labels.indexOf(day);
            const bar = chart.getDatasetMeta(0).data[index];
            return [bar.x, (bar.y + bar.base) / 2];
        }""",
        day.isoformat(),
    )
    canvas.click(position={"x": place[0], "y": place[1]})
    site.wait_for_url(f"**/meetings/?from={day}&to={day}*")
    count = Meeting.objects.filter(local_day=day).count()
    expect(site.locator("#results")).to_contain_text(f"{count} meeting")
    site.go_back()
    expect(site.get_by_role("heading", name="Overview")).to_be_visible()
    assert charts(site) == 3


def test_a_filter_swaps_the_fragment_keeps_its_address_and_leaks_no_chart(site: Page):
    site.evaluate("window.stayed = true")
    for preset in ("7 days", "90 days", "30 days"):
        site.get_by_role("link", name=preset, exact=True).click()
        expect(site.locator("[aria-current]", has_text=preset)).to_be_visible()
        assert charts(site) == 3
    site.get_by_role("link", name="7 days", exact=True).click()
    site.wait_for_url("**/?period=7d")
    first = timezone.localdate() - timedelta(days=6)
    count = Meeting.objects.filter(local_day__gte=first).count()
    expect(site.locator(".figure-card").first).to_contain_text(f"{count:,}")
    assert site.evaluate("window.stayed") is True  # no page was loaded in between
    site.reload()
    expect(site.locator(".figure-card").first).to_contain_text(f"{count:,}")


def test_searching_sorting_and_paging_meetings(site: Page):
    site.goto(f"{site.root}/meetings/")
    meeting = Meeting.objects.exclude(meeting_id="").order_by("pk").first()
    site.keyboard.press("/")
    site.keyboard.type(meeting.meeting_id)
    site.keyboard.press("Enter")
    site.wait_for_url(f"**q={meeting.meeting_id}*")
    count = Meeting.objects.filter(meeting_id=meeting.meeting_id).count()
    expect(site.locator("#results tbody tr")).to_have_count(count)
    site.goto(f"{site.root}/meetings/")
    newest = rows(site)
    site.get_by_role("link", name="Attendees").click()
    site.wait_for_url("**sort=-attendees*")
    expect(site.locator("th[aria-sort=descending]")).to_contain_text("Attendees")
    assert rows(site) != newest
    site.get_by_role("link", name="Next").click()
    site.wait_for_url("**page=2*")
    expect(site.locator("#results tbody tr")).not_to_have_count(0)
    site.go_back()
    site.wait_for_url("**sort=-attendees")


def test_a_csv_download_is_the_table_of_the_screen(site: Page):
    site.goto(f"{site.root}/meetings/?period=all&calls=1&sort=topic")
    shown = site.locator("#results tbody tr").count()
    site.locator("summary", has_text="CSV").first.click()
    with site.expect_download() as download:
        site.locator("#filter-csv a[href^='/meetings.csv']").click()
    table = csv_rows(download.value.path().read_bytes())
    assert len(table) == min(shown, 50) or len(table) > 50
    assert len(table) == Meeting.objects.filter(calls__gt=0).count()
    assert download.value.suggested_filename.startswith("meetings_")
    assert [row["meeting_id"] for row in table][:shown] == site.locator(
        "#results tbody th .cell-note"
    ).all_inner_texts()


def test_a_meeting_shows_its_visits_and_calls(site: Page):
    meeting = Meeting.objects.filter(calls__gt=0, visits__gt=2, end_time__lt=datetime.now(UTC)).first()
    site.goto(f"{site.root}/meetings/{meeting.pk}/")
    expect(site.locator("dl.facts")).to_contain_text(meeting.uuid)
    for call in meeting.telephony_usage.all():
        expect(site.get_by_text(call.phone_number).first).to_be_visible()
    for visit in meeting.participants.all():
        if visit.name.strip():
            assert visit.name.strip() in site.content()


def test_the_data_page_follows_a_pull_live(site: Page):
    site.goto(f"{site.root}/data/")
    expect(site.locator("#progress")).to_contain_text("Nothing is being pulled")
    site.get_by_role("button", name="Pull now").click()
    expect(site.locator("#progress")).to_contain_text("Asked for")
    from reports.models import Pull

    pull = Pull.objects.create(
        source="dates", started_at=timezone.now(), pieces=10, pieces_done=3, asked_for="2026-01-01"
    )
    expect(site.locator("#progress progress")).to_have_attribute("value", "3", timeout=8000)
    Pull.objects.filter(pk=pull.pk).update(pieces_done=9)
    expect(site.locator("#progress progress")).to_have_attribute("value", "9", timeout=8000)
    Pull.objects.filter(pk=pull.pk).update(ended_at=timezone.now(), state="done")
    expect(site.locator("#progress")).to_contain_text("Nothing is being pulled", timeout=8000)


@pytest.mark.parametrize("width", [390, 1250, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_the_screen(site: Page, width, scheme):
    site.set_viewport_size({"width": width, "height": 900})
    site.emulate_media(color_scheme=scheme)
    pk = Meeting.objects.order_by("-attendees").first().pk
    room = Meeting.objects.exclude(room=None).first().room.host_id
    for path in (
        "/",
        "/rooms/",
        f"/rooms/{room}/",
        "/meetings/",
        f"/meetings/{pk}/",
        "/telephony/",
        "/people/",
        "/data/",
        "/reconciliation/",
        "/budgets/",
        "/budgets/new/",
        "/audit/",
        "/tokens/",
        "/views/",
        "/mail/",
        "/mail/new/?path=/",
        "/accounts/",
        "/accounts/new/",
        "/accounts/groups/new/",
        "/accounts/password/",
    ):
        site.goto(f"{site.root}{path}")
        # A table that is wider than its box has to scroll in it: what sticks out is cut off.
        cut = site.evaluate(
            """[...document.querySelectorAll('.table-responsive')].filter(box =>
                getComputedStyle(box).overflowX === 'visible' && box.scrollWidth > box.clientWidth + 1).length"""
        )
        assert cut == 0, path
        wide = site.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
        assert site.evaluate("document.documentElement.dataset.bsTheme") == scheme


def test_pages_work_without_javascript(company, live_server, browser, django_user_model):
    django_user_model.objects.create_superuser("admin", password="a long password")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url)
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{live_server.url}/meetings/")
    page.locator("select[name=state]").select_option("empty")
    page.get_by_role("button", name="Apply").click()
    assert "state=empty" in page.url
    first = timezone.localdate() - timedelta(days=29)
    count = Meeting.objects.filter(state="empty", local_day__gte=first).count()
    expect(page.locator("#results tbody tr")).to_have_count(count)
    context.close()
