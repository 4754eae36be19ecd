"""No page breaks a rule that axe-core can check, in either theme and language; everything answers to the keyboard."""

import importlib.util
from pathlib import Path
from typing import Literal

from django.contrib.auth.models import User
from django.db.models import Count
from django.utils import timezone
from playwright.sync_api import Page, expect

from reports.models import Meeting, Participant
from tests.browser.conftest import settled

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe() -> str:
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None
    assert found.origin is not None
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def addresses() -> list[str]:
    room = Meeting.objects.exclude(room=None).order_by("-start_time").first().room
    name = Participant.objects.exclude(name_key="").first().name_key
    crowded = Meeting.objects.filter(calls__gt=0, visits__gt=3).first()
    running = Meeting.objects.filter(end_time=None).first()
    silent = Meeting.objects.filter(state="unreported").first()
    counts = Meeting.objects.values("meeting_id").annotate(meetings=Count("pk")).order_by("-meetings")
    series = counts[0]["meeting_id"]
    return [
        "/?compare=1",
        "/pool/",
        "/pool/?period=7d&compare=1&state=ended",
        "/booked/?compare=1",
        "/series/?by=topic",
        f"/series/number/{series}/?period=all&present=80",
        "/rooms/",
        f"/rooms/{room.host_id}/",
        "/meetings/?state=ended&q=会",
        *(f"/meetings/{meeting.pk}/" for meeting in (crowded, running, silent) if meeting),
        "/telephony/",
        "/people/",
        f"/people/{name}/",
        f"/people/{name}/erase/",
        "/data/",
        "/reconciliation/",
        f"/reconciliation/?from={timezone.localdate():%Y-%m}-01&to={timezone.localdate()}",
        "/budgets/",
        "/budgets/new/",
        "/audit/",
        "/audit/?period=all&action=signed-in",
        "/tokens/",
        "/views/",
        "/mail/",
        "/mail/new/?path=/meetings/&query=state%3Dempty",
        "/mail/unsubscribe/nobody/",
        "/accounts/",
        "/accounts/new/",
        f"/accounts/{User.objects.latest('pk').pk}/",
        "/accounts/groups/",
        "/accounts/groups/new/",
        "/accounts/password/",
        "/accounts/set-password/x/y/",
        "/meetings/?q=nothing-of-that-kind",
        "/?from=never",
        "/nowhere/",
    ]


COLOURS = "color-contrast"  # takes most of axe's time


def broken_rules(page: Page, script: str, colours: bool | Literal["alone"] = True) -> list[str]:
    """What axe finds; colours: whether contrast is looked at too, or alone."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(script)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    if colours == "alone":
        options["runOnly"] = {"type": "rule", "values": [COLOURS]}
    elif not colours:
        options["rules"] = {COLOURS: {"enabled": False}}
    result = page.evaluate("options => axe.run(document, options)", options)
    return [f"{one['id']}: {[node['target'] for node in one['nodes'][:4]]}" for one in result["violations"]]


def test_axe_finds_nothing_on_any_page(site: Page, troubles):
    """All rules in light; in dark colours alone, since nothing else differs."""
    script = axe()
    found = {}
    themes: dict[Literal["light", "dark"], bool | Literal["alone"]] = {"light": True, "dark": "alone"}
    for path in addresses():
        site.emulate_media(color_scheme="light", reduced_motion="reduce")
        site.goto(f"{site.root}{path}")
        settled(site)
        for theme, colours in themes.items():
            site.emulate_media(color_scheme=theme, reduced_motion="reduce")
            expect(site.locator("html")).to_have_attribute("data-bs-theme", theme)
            if wrong := broken_rules(site, script, colours):
                found[theme, path] = wrong
    for theme in THEMES:
        site.emulate_media(color_scheme=theme)
        site.goto(f"{site.root}/")
        site.keyboard.press("?")
        expect(site.locator("dialog[open]")).to_be_visible()
        if wrong := broken_rules(site, script):
            found[theme, "the sheet of keys"] = wrong
    site.context.clear_cookies(name="sessionid")
    site.goto(f"{site.root}/")
    if wrong := broken_rules(site, script):
        found["sign-in"] = wrong
    # The pages that answer 400 and 404 are complained of by the browser itself.
    troubles[:] = [one for one in troubles if "status of 40" not in one]
    assert found == {}


def test_axe_finds_nothing_on_a_phone_in_chinese(site: Page, troubles):
    """Other words and another layout; the colours are those of the large screen."""
    script = axe()
    site.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": site.root}])
    site.set_viewport_size({"width": 390, "height": 844})
    found = {}
    for path in [*addresses(), "/accounts/login/"]:
        if path == "/accounts/login/":
            site.context.clear_cookies(name="sessionid")
        site.goto(f"{site.root}{path}")
        settled(site)
        assert site.locator("html").get_attribute("lang") == "zh-hans"
        for fold in site.locator("details.filter-fold > summary").all():
            if fold.is_visible():
                fold.click()
        if wrong := broken_rules(site, script, colours=False):
            found[path] = wrong
    troubles[:] = [one for one in troubles if "status of 40" not in one]
    assert found == {}


def test_everything_can_be_reached_with_the_tab_key(site: Page, troubles):
    """Tab goes through every link, button and field that is shown, each once, and shows where it is."""
    for path in ("/", "/meetings/?state=empty", "/data/", "/reconciliation/"):
        site.goto(f"{site.root}{path}")
        settled(site)
        wanted = site.evaluate(
            """() => {
                const kinds = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
                const seen = [...document.querySelectorAll(kinds)].filter(one =>
                    !one.disabled && one.type !== 'hidden' && one.getClientRects().length
                    && one.checkVisibility({visibilityProperty: true}));
                seen.forEach((one, place) => { one.dataset.place = place; });
                return seen.length;
            }"""
        )
        reached, outlined = set(), set()
        for _ in range(wanted + 30):
            site.keyboard.press("Tab")
            place, has_outline = site.evaluate(
                """() => {
                    const one = document.activeElement, style = getComputedStyle(one);
                    return [one.dataset.place ?? null, style.outlineStyle !== 'none' || style.boxShadow !== 'none'];
                }"""
            )
            if place is not None:
                reached.add(int(place))
                # A field for a day takes the key several times, and shows its parts in turn.
                outlined |= {int(place)} if has_outline else set()
        missed = sorted(set(range(wanted)) - reached & outlined)
        named = [
            site.locator(f"[data-place='{place}']").evaluate("one => one.outerHTML.slice(0, 120)") for place in missed
        ]
        assert named == [], path
