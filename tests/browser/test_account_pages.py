"""What stands around an account, in a real browser: its menu, its tokens, where the focus goes when a form is wrong."""

import time

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Route, ViewportSize, expect

from tests.browser.test_signin import PASSWORD, sideways

NARROW: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1440, "height": 900}


@pytest.fixture
def chief(transactional_db, live_server, page: Page) -> Page:
    """The page of a superuser, whose menu has the most entries."""
    User.objects.create_superuser("chief", password=PASSWORD)
    page.goto(f"{live_server.url}/accounts/login/?next=/tokens/")
    page.get_by_label("User name").fill("chief")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/tokens/")
    return page


def test_the_menu_of_the_account_is_shown_to_its_end(chief: Page):
    menu = chief.locator(".account > .picker-list")
    for size in (NARROW, WIDE):
        chief.set_viewport_size(size)
        chief.locator(".account > summary").click()
        expect(menu.get_by_role("button", name="Sign out")).to_be_in_viewport(ratio=1)
        assert menu.evaluate("list => list.scrollHeight - list.clientHeight") <= 0, size
        assert sideways(chief) <= 0, size
        chief.locator(".account > summary").click()


def test_a_new_token_is_copied_with_one_key(chief: Page):
    """The button has the focus only once a key does something, however late its script comes."""

    def late(route: Route) -> None:
        time.sleep(0.5)
        route.continue_()

    chief.route("**/js/copy*.js", late)
    chief.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chief.get_by_label("Name").fill("Sheet")
    chief.get_by_role("button", name="Make the token").click()
    copy = chief.get_by_role("button", name="Copy").first
    expect(copy).to_be_focused()
    chief.keyboard.press("Enter")
    expect(chief.get_by_role("button", name="Copied")).to_be_visible()
    expect(chief.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    secret = chief.locator("#token-secret").inner_text()
    assert secret.startswith("rl_")
    assert chief.evaluate("navigator.clipboard.readText()") == secret
    expect(chief.get_by_role("button", name="Copied")).to_have_count(0)


def test_without_a_clipboard_it_is_copied_all_the_same(chief: Page):
    chief.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    chief.get_by_label("Name").fill("Sheet")
    chief.get_by_role("button", name="Make the token").click()
    copy = chief.get_by_role("button", name="Copy").first
    expect(copy).to_be_focused()  # its script is there
    copy.click()
    assert chief.evaluate("getSelection().toString()") == chief.locator("#token-secret").inner_text()


def test_the_first_field_that_is_wrong_has_the_focus_and_its_error_beside_it(chief: Page, live_server):
    chief.goto(f"{live_server.url}/accounts/new/")
    chief.get_by_label("User name").fill("fine")
    chief.get_by_label("E-mail").fill("no address")
    chief.get_by_label("Role").select_option("Administrator")
    chief.get_by_label("only the rooms and groups chosen below").check()
    chief.get_by_role("button", name="Save").click()
    field = chief.get_by_label("E-mail")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("Enter a valid email address.")
    field.fill("fine@example.com")
    chief.get_by_role("button", name="Save").click()
    expect(chief.get_by_label("all rooms", exact=True)).to_be_focused()
    expect(chief.get_by_role("group", name="May see")).to_have_accessible_description(
        "An administrator sees all rooms. Choose all rooms, or another role."
    )
