"""The shell in a real browser: keys, loading, folding, the language, paper; and the same without JavaScript."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from reports.models import Room
from tests.browser.conftest import sign_in
from tests.support import SHANGHAI, meeting, take

ROOMS = 40


@pytest.fixture
def kept(transactional_db):
    """A dozen meetings of the last week, and forty rooms."""
    today = timezone.now().astimezone(SHANGHAI).date()
    take(
        *(
            meeting(
                uuid=f"m{number}",
                topic=f"Topic {number:02}",
                start_time=f"{today - timedelta(days=number % 6 + 1)} 10:{number:02}:00",
                end_time=f"{today - timedelta(days=number % 6 + 1)} 11:00:00",
                participants=[],
            )
            for number in range(12)
        ),
        now=timezone.now(),
    )
    Room.objects.bulk_create(
        Room(host_id=f"R{number}", name=f"Room {number:02}", email=f"r{number}@example.com") for number in range(ROOMS)
    )


@pytest.fixture
def desk(kept, live_server, page: Page, django_user_model, troubles) -> Page:
    """The browser, signed in, on the table of meetings."""
    sign_in(page, live_server.url, django_user_model)
    page.goto(f"{page.root}/meetings/")
    page.evaluate("window.stayed = true")
    return page


def query(page: Page) -> str:
    return page.url.partition("?")[2]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("7", "period=7d"),
        ("9", "period=90d"),
        ("y", "period=12m"),
        ("m", "period=month"),
        ("l", "period=last-month"),
        ("t", "period=year"),
        ("a", "period=all"),
    ],
)
def test_a_key_follows_its_link_without_loading_the_page(desk: Page, key, found):
    desk.keyboard.press(key)
    desk.wait_for_url(f"**/meetings/?{found}")
    assert desk.evaluate("window.stayed") is True
    desk.keyboard.press("3")
    desk.wait_for_url("**/meetings/")


def test_c_compares_where_there_is_something_to_compare(desk: Page):
    desk.keyboard.press("c")
    expect(desk.locator("#filter-compare")).to_have_count(0)
    assert "compare" not in desk.url
    desk.goto(f"{desk.root}/")
    desk.keyboard.press("c")
    desk.wait_for_url("**/?compare=1")
    desk.keyboard.press("c")
    desk.wait_for_url(f"{desk.root}/")


def test_arrows_step_through_the_periods_and_stop_at_today(desk: Page):
    desk.keyboard.press("7")
    desk.wait_for_url("**?period=7d")
    today = timezone.now().astimezone(SHANGHAI).date()
    desk.keyboard.press("ArrowLeft")
    desk.wait_for_url(f"**?from={today - timedelta(days=13)}&to={today - timedelta(days=7)}")
    expect(desk.locator("#filter-later")).to_be_visible()
    desk.keyboard.press("ArrowRight")
    desk.wait_for_url("**?period=7d")
    expect(desk.locator("#filter-later")).to_have_count(0)
    desk.keyboard.press("ArrowRight")
    desk.keyboard.press("x")
    desk.wait_for_url("**/meetings/")


def test_g_and_a_letter_go_to_a_page_and_the_filter_goes_along(desk: Page):
    desk.keyboard.press("7")
    desk.wait_for_url("**?period=7d")
    desk.keyboard.press("g")
    desk.keyboard.press("o")
    desk.wait_for_url(f"{desk.root}/?period=7d")
    desk.keyboard.press("g")
    desk.keyboard.press("d")
    desk.wait_for_url(f"{desk.root}/data/")
    # Alone, or too late, the letter is no page.
    desk.keyboard.press("g")
    desk.wait_for_timeout(1700)
    desk.keyboard.press("o")
    desk.wait_for_timeout(200)
    assert desk.url == f"{desk.root}/data/"


def test_j_and_k_move_through_the_rows_and_enter_opens(desk: Page):
    links = (
        desk.locator("#results tbody tr")
        .filter(has=desk.locator("a"))
        .evaluate_all("rows => rows.map(row => row.querySelector('a').getAttribute('href'))")
    )
    focused = "document.activeElement.getAttribute('href')"
    desk.keyboard.press("j")
    assert desk.evaluate(focused) == links[0]
    for _ in range(2):
        desk.keyboard.press("j")
    assert desk.evaluate(focused) == links[2]
    desk.keyboard.press("k")
    assert desk.evaluate(focused) == links[1]
    for _ in range(20):
        desk.keyboard.press("j")
    assert desk.evaluate(focused) == links[-1]
    desk.keyboard.press("Enter")
    desk.wait_for_url(f"**{links[-1]}")


def test_no_key_acts_while_typing_or_with_a_modifier_or_while_composing(desk: Page):
    desk.keyboard.press("/")
    assert desk.evaluate("document.activeElement.id") == "filter-q"
    desk.keyboard.type("7a?xg")
    expect(desk.locator("#filter-q")).to_have_value("7a?xg")
    desk.locator("#filter-state").focus()
    desk.keyboard.press("9")
    desk.evaluate("document.activeElement.blur()")
    for keys in ("Control+7", "Alt+7", "Meta+a"):
        desk.keyboard.press(keys)
    desk.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '7', bubbles: true, isComposing: true}))"
    )
    desk.wait_for_timeout(300)
    assert desk.url == f"{desk.root}/meetings/"
    expect(desk.locator("#shortcuts")).to_be_hidden()
    desk.keyboard.press("7")
    desk.wait_for_url("**?period=7d")


def test_arrows_scroll_where_something_scrolls(desk: Page):
    desk.locator(".table-responsive").first.focus()
    desk.keyboard.press("ArrowLeft")
    desk.wait_for_timeout(300)
    assert desk.url == f"{desk.root}/meetings/"


def test_a_key_without_its_link_does_nothing(desk: Page):
    desk.goto(f"{desk.root}/data/")
    for key in ("7", "ArrowLeft", "c", "x", "/"):
        desk.keyboard.press(key)
    desk.wait_for_timeout(200)
    assert desk.url == f"{desk.root}/data/"


def test_the_sheet_opens_by_key_and_button_and_gives_the_focus_back(desk: Page):
    sheet = desk.get_by_role("dialog", name="Keyboard")
    desk.locator("#filter-apply").focus()
    desk.keyboard.press("?")
    expect(sheet).to_be_visible()
    desk.keyboard.press("7")  # no key acts behind it
    desk.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    assert desk.evaluate("document.activeElement.id") == "filter-apply"
    button = desk.get_by_role("button", name="Keyboard")
    button.click()
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_be_hidden()
    expect(button).to_be_focused()
    assert desk.url == f"{desk.root}/meetings/"
    # It lists every key that a link of the page answers to.
    keys = set(desk.locator("[data-key]").evaluate_all("links => links.map(link => link.dataset.key)"))
    listed = set(desk.locator("#shortcuts kbd").all_text_contents())
    assert {{"ArrowLeft": "←", "ArrowRight": "→"}.get(key, key) for key in keys} <= listed


def test_the_keys_can_be_turned_off_and_stay_off(desk: Page):
    desk.keyboard.press("?")
    desk.get_by_label("Use these keys").uncheck()
    desk.keyboard.press("Escape")
    desk.reload()
    for key in ("7", "?", "/"):
        desk.keyboard.press(key)
    desk.wait_for_timeout(300)
    assert desk.url == f"{desk.root}/meetings/"
    expect(desk.locator("#shortcuts")).to_be_hidden()
    desk.get_by_role("button", name="Keyboard").click()
    expect(desk.get_by_label("Use these keys")).not_to_be_checked()
    desk.get_by_label("Use these keys").check()
    desk.keyboard.press("Escape")
    desk.keyboard.press("7")
    desk.wait_for_url("**?period=7d")


def test_what_lies_outside_follows_a_swap(desk: Page):
    expect(desk.locator("#announcement")).to_have_text("")
    desk.locator("#filter-q").fill("Topic 0")
    desk.keyboard.press("Enter")
    desk.wait_for_url(re.compile(r"\?q=Topic(\+|%20)0$"))
    expect(desk.locator("#announcement")).to_contain_text("10")
    desk.get_by_role("link", name="Topic", exact=True).click()
    desk.wait_for_url("**sort=topic*")
    link = desk.get_by_role("navigation", name="Main").get_by_role("link", name="Overview")
    expect(link).to_have_attribute("href", re.compile(r"/\?q=Topic\+0$"))
    assert (
        desk.get_by_role("navigation", name="Main").get_by_role("link", name="Data").get_attribute("href") == "/data/"
    )
    assert desk.locator("[data-here]").first.input_value() == f"/meetings/?{query(desk)}"
    assert desk.evaluate("window.stayed") is True
    desk.locator("#filter-q").fill("nothing of the kind")
    desk.keyboard.press("Enter")
    expect(desk.locator("#announcement")).to_contain_text(re.compile("^(0|No) meetings"))


def test_loading_shows_a_line_until_the_answer_is_there(desk: Page):
    line, results = desk.locator(".loading"), desk.locator("#results")
    expect(line).to_have_css("visibility", "hidden")
    held: list[Route] = []
    desk.route("**period=7d*", lambda route: held.append(route))
    desk.locator("#filter-7d").click()
    expect(results).to_have_attribute("aria-busy", "true")
    expect(line).to_have_css("visibility", "visible")
    expect(desk.locator("#results .card").first).to_have_css("opacity", "0.5")
    expect(desk.locator(".filter-bar")).to_have_css("opacity", "1")
    held[0].continue_()
    desk.wait_for_url("**?period=7d")
    expect(results).not_to_have_attribute("aria-busy", "true")
    expect(line).to_have_css("visibility", "hidden")


def test_on_a_phone_the_bar_is_low_and_the_rest_unfolds(desk: Page):
    desk.set_viewport_size({"width": 390, "height": 844})
    assert desk.locator(".filter-bar").bounding_box()["height"] <= 120
    expect(desk.locator("#filter-q")).to_be_hidden()
    # Search opens what hides it.
    desk.keyboard.press("/")
    expect(desk.locator("#filter-q")).to_be_focused()
    desk.locator("#filter-state").select_option("empty")
    desk.wait_for_url("**state=empty")
    # What was unfolded stays so.
    expect(desk.locator("#filter-state")).to_be_visible()
    expect(desk.locator("#filter-fold-summary .filter-set")).to_contain_text("1")
    # What is chosen is in view, and all pages can be brought there.
    desk.keyboard.press("Escape")
    desk.evaluate("document.activeElement.blur()")
    desk.keyboard.press("a")
    desk.wait_for_url("**period=all*")
    expect(desk.locator("#filter-all")).to_be_in_viewport(ratio=0.9)
    pages = desk.get_by_role("navigation", name="Main")
    expect(pages.locator("[aria-current]")).to_be_in_viewport(ratio=0.9)
    for link in pages.get_by_role("link").all():
        link.scroll_into_view_if_needed()
        expect(link).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize(("width", "rows"), [(768, 3), (1024, 2), (1440, 2)])
def test_on_a_wide_screen_all_is_open_on_few_lines(desk: Page, width, rows):
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto(f"{desk.root}/?period=last-month")
    tops = set()
    fields = "#filter-7d, #filter-compare, #filter-from, #filter-q, #filter-state, #filter-apply, #filter-csv summary"
    for field in desk.locator(fields).all():
        expect(field).to_be_visible()
        box = field.bounding_box()
        tops.add(round(box["y"] / 10))
        if field.get_attribute("id") != "filter-7d":  # this one may be scrolled out of its row
            assert box["x"] + box["width"] <= width
    assert len(tops) == rows
    expect(desk.locator("#filter-fold-summary")).to_be_hidden()


def test_the_room_picker_narrows_as_one_types_and_stays_narrowed(desk: Page):
    desk.locator("#filter-rooms-summary").click()
    choices = desk.locator("#filter-rooms label:visible")
    before = choices.count()
    assert before >= ROOMS
    narrow = desk.get_by_label("Find a room")
    narrow.fill("room 3")
    expect(choices).to_have_count(10)
    desk.keyboard.press("Enter")
    assert desk.url == f"{desk.root}/meetings/"
    desk.get_by_role("checkbox", name="Room 31").check()
    desk.wait_for_url("**room=R31")
    expect(choices).to_have_count(10)
    expect(desk.get_by_role("checkbox", name="Room 31")).to_be_checked()
    assert "narrow" not in query(desk)
    narrow.fill("no such room")
    expect(choices).to_have_count(0)
    expect(desk.get_by_text("No room has such a name.")).to_be_visible()


def test_the_header_of_a_long_table_sticks_and_one_that_scrolls_sideways_shows_it(desk: Page):
    head = desk.locator("#results thead th").first
    desk.set_viewport_size({"width": 1440, "height": 420})
    desk.locator("#results tbody tr").last.scroll_into_view_if_needed()
    assert desk.evaluate("window.scrollY") > 100
    assert abs(head.bounding_box()["y"]) < 2
    assert desk.locator(".topbar").bounding_box()["y"] < 0
    desk.set_viewport_size({"width": 390, "height": 844})
    box = desk.locator("#results .table-responsive")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert "local" in box.evaluate("box => getComputedStyle(box).backgroundAttachment")


def test_paper_is_light_and_holds_the_content_alone(desk: Page):
    desk.emulate_media(color_scheme="dark")
    desk.goto(f"{desk.root}/meetings/?q=Topic+1")
    desk.emulate_media(media="print", color_scheme="dark")
    shown = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    assert desk.evaluate(shown, "--surface") == "#fff"
    for part in (".topbar", ".filter-bar", ".status-line", ".foot", ".chip a", ".btn"):
        for element in desk.locator(part).all():
            expect(element).to_be_hidden()
    expect(desk.locator(".print-only")).to_contain_text("30 days")
    expect(desk.locator(".chip")).to_contain_text("Topic 1")
    expect(desk.locator("#results tbody tr").first).to_be_visible()
    wide = desk.evaluate(
        "[...document.querySelectorAll('.table-responsive')].map(box => getComputedStyle(box).overflowX)"
    )
    assert set(wide) == {"visible"}
    desk.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert desk.evaluate("document.documentElement.dataset.bsTheme") == "light"
    desk.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert desk.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_the_account_menu_closes_by_escape_and_by_a_click_elsewhere(desk: Page):
    menu = desk.locator(".account")
    out = menu.get_by_role("button", name="Sign out")
    menu.locator("summary").click()
    expect(out).to_be_visible()
    out.focus()
    desk.keyboard.press("Escape")
    expect(out).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    menu.locator("summary").click()
    desk.locator("h1").click()
    expect(out).to_be_hidden()
    menu.locator("summary").click()
    menu.get_by_role("button", name="简体中文").click()
    desk.wait_for_load_state()
    assert desk.url == f"{desk.root}/meetings/"
    assert desk.evaluate("document.documentElement.lang") == "zh-hans"


@pytest.mark.parametrize("width", [390, 1440])
def test_the_shell_works_without_javascript(kept, live_server, browser, django_user_model, width):
    context = browser.new_context(java_script_enabled=False, viewport={"width": width, "height": 844})
    page = sign_in(context.new_page(), live_server.url, django_user_model)
    page.goto(f"{page.root}/meetings/?period=7d")
    if width == 390:
        expect(page.locator("#filter-q")).to_be_hidden()
        page.locator("#filter-fold-summary").click()
    page.locator("#filter-q").fill("Topic 03")
    page.locator("#filter-apply").click()
    expect(page.locator("#results tbody tr")).to_have_count(1)
    page.locator("#filter-earlier").click()
    expect(page.locator("#results tbody tr")).to_have_count(0)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Overview").click()
    assert "q=Topic+03" in query(page)
    expect(page.get_by_role("button", name="Keyboard")).to_be_hidden()
    page.locator(".account summary").click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    assert "q=Topic+03" in query(page)
    page.locator(".account summary").click()
    page.locator(".account form[action$='logout/'] button").click()
    page.wait_for_url("**/accounts/login/")
    context.close()
