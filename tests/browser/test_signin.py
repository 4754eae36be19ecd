"""The set-up, the closed sign-in and the end of a session, in a real browser."""

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Page, expect

from dashboard import setup
from reports import access
from tests.browser.test_accessibility import THEMES, axe, broken_rules
from tests.support import KEY, SECRET, meeting, take

PASSWORD = "Kestrel-over-9-hills"


def sideways(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture
def without_barriers(page: Page):
    """A function that looks at the page in both themes, on a wide and on a narrow screen."""
    script = axe()
    wide = page.viewport_size or {"width": 1440, "height": 900}

    def look() -> None:
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            assert broken_rules(page, script) == [], (page.url, theme)
        page.set_viewport_size({"width": 390, "height": 844})
        assert sideways(page) <= 0, page.url
        page.set_viewport_size(wide)

    return look


def test_an_installation_is_set_up_by_hand(
    transactional_db, live_server, page: Page, settings, tmp_path, api, without_barriers
):
    settings.UMEET_API_KEY = settings.UMEET_API_SECRET = ""
    settings.DATA_DIR, settings.SET_BY_ENVIRONMENT = tmp_path, frozenset()
    page.goto(f"{live_server.url}/setup/{setup.new_link(timezone.now())}/")
    assert page.url == f"{live_server.url}/setup/"
    without_barriers()
    page.get_by_label("User name").fill("chief")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the administrator").click()
    page.wait_for_url("**/setup/key/")
    without_barriers()
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("API secret").fill("wrong")
    page.get_by_role("button", name="Try and keep").click()
    expect(page.get_by_role("alert")).to_contain_text("does not accept our key")
    expect(page.get_by_label("API secret")).to_have_value("")
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("API secret").fill(SECRET)
    page.get_by_role("button", name="Try and keep").click()
    page.wait_for_url("**/setup/zone/")
    without_barriers()
    page.get_by_label("Time zone of the site").select_option("Europe/Berlin")
    page.get_by_role("button", name="That is right").click()
    page.wait_for_url("**/setup/pull/")
    without_barriers()
    page.get_by_label("How far back").select_option("30")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#progress")).to_contain_text("30 days are due")
    assert access.credentials() == (KEY, SECRET)


def test_a_closed_sign_in_says_for_how_long(
    transactional_db, live_server, page: Page, django_user_model, without_barriers
):
    django_user_model.objects.create_user("anna", password=PASSWORD)
    page.goto(f"{live_server.url}/accounts/login/")
    for _ in range(5):
        page.get_by_label("User name").fill("anna")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state("load")
    expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    expect(page.get_by_text("Try again in 15 minutes.")).to_be_visible()
    without_barriers()
    AccessAttempt.objects.all().delete()
    page.get_by_role("link", name="Back to the sign-in").click()
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{live_server.url}/")


def test_a_session_that_ended_leads_the_whole_page_to_the_sign_in_and_back(
    transactional_db, live_server, page: Page, django_user_model
):
    django_user_model.objects.create_superuser("anna", password=PASSWORD)
    take(meeting())
    page.goto(f"{live_server.url}/meetings/?period=all")
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/meetings/?period=all")
    Session.objects.all().delete()
    page.locator("select[name=state]").select_option("empty")
    page.wait_for_url("**/accounts/login/?next=*")
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.locator("#results")).to_have_count(0)
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/meetings/?period=all")
