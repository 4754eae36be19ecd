"""Fetching what is missing in a real browser: the page says what it asked for, follows the pull, and rests."""

import re
from random import Random

import pytest
from playwright.sync_api import Page, expect

from reports import tasks
from reports.models import Meeting, PulledDay, Source


@pytest.fixture
def withheld(company, settings) -> list[str]:
    """Two meetings of settled days that are not here and not delivered, and are counted all the same."""
    settings.HISTORY_DAYS = 14
    newest = PulledDay.objects.order_by("-day").values_list("day", flat=True)[4]
    some = list(Meeting.objects.filter(state="ended", local_day__lte=newest, room__temporary=False).order_by("uuid"))
    gone = Random(5).sample(some, 2)
    company.undelivered = {one.uuid for one in gone}
    for one in gone:
        one.delete()
    # Nothing waits to be pulled but what the test asks for.
    PulledDay.objects.update(next_due_at=None)
    Source.objects.update(next_due_at=None)
    return [one.room.name for one in gone]


def test_a_gap_is_named_fetched_and_gone_without_a_reload(withheld, company, site: Page):
    site.goto(f"{site.root}/")
    site.get_by_role("link", name="Data", exact=True).click()
    site.get_by_role("link", name="Reconciliation", exact=True).click()
    expect(site.get_by_role("heading", name="2 meetings are being looked for")).to_be_visible()
    button = site.get_by_role("button", name="Fetch what is missing")
    button.click()
    expect(site.get_by_role("status").filter(has_text="Asked for: the totals of")).to_be_visible()
    site.evaluate("window.stayed = true")
    tasks.pull_due()
    expect(site.get_by_role("heading", name="2 meetings are missing")).to_be_visible(timeout=15_000)
    assert site.evaluate("window.stayed") is True
    items = site.locator("[data-gaps=missing] li a")
    for name in withheld:
        expect(items.filter(has_text=name).first).to_have_text(re.compile("missing here$"))

    marks = site.locator(".cover-gap[href]")
    expect(marks).not_to_have_count(0)
    label = marks.first.get_attribute("aria-label")
    assert label is not None
    assert "missing here" in label
    marks.first.focus()
    site.keyboard.press("Enter")
    site.wait_for_url("**/meetings/?from=*")
    site.go_back()

    company.undelivered.clear()
    button.click()
    expect(site.get_by_role("status").filter(has_text="Asked for:")).to_contain_text("day")
    tasks.pull_due()
    expect(site.get_by_role("heading", name="No meeting is missing")).to_be_visible(timeout=15_000)
    expect(site.locator(".month-differs")).to_have_count(0)


def test_it_works_without_javascript(withheld, company, live_server, browser, django_user_model):
    django_user_model.objects.create_superuser("admin", password="a long password")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/reconciliation/")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    company.undelivered.clear()
    page.get_by_role("button", name="Fetch what is missing").click()
    expect(page.get_by_text("Asked for: the totals of")).to_be_visible()
    tasks.pull_due()
    page.reload()
    expect(page.get_by_role("heading", name="No meeting is missing")).to_be_visible()
    context.close()
