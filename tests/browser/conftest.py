"""A real Chromium, Debian's own; in CI it may not be missing."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandlerMixin
from django.utils import timezone
from playwright.sync_api import Page, expect

from reports import pulling, schedule
from reports.provider.client import Client
from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.support import KEY, SECRET, SHANGHAI

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
                item.add_marker(pytest.mark.skip(reason=f"no Chromium at {CHROMIUM}"))


@pytest.fixture(scope="session", autouse=True)
def _files_as_in_production() -> Iterator[None]:
    """Django's live server would look for files by their plain names; let WhiteNoise serve the hashed ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFilesHandlerMixin, "_should_handle", lambda self, path: False)
        yield


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "chromium_sandbox": False,
        "args": ARGUMENTS,
    }


@pytest.fixture
def troubles(page: Page) -> Iterator[list[str]]:
    """What the browser complained of; a test that uses it fails when there is anything at its end."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    yield found
    assert found == []


@pytest.fixture
def company(transactional_db, settings):
    """A fortnight of a small company, pulled as the worker does it."""
    with Sandbox(World(seed=7, meetings_per_day=30), key=KEY, secret=SECRET) as api:
        settings.UMEET_URL = api.url
        today = schedule.provider_today(timezone.now())
        with Client(api.url, KEY, SECRET, zone=SHANGHAI) as client:
            pulling.pull_rooms(client, forced=True)
            pull = pulling.pull_days(client, days=(today - timedelta(days=13), today))
            schedule.schedule_totals(timezone.now())
            pulling.pull_totals(client)
        assert pull is not None
        assert pull.state == "done"
        assert pull.new > 100
        yield api


def settled(page: Page) -> None:
    """Wait until no request runs, no swap is half done and the charts are drawn."""
    page.wait_for_load_state("load")
    expect(page.locator("#results[aria-busy]")).to_have_count(0)
    # What was swapped in settles a moment after it is there and after the address has changed; only then
    # are the new charts drawn and those of the canvases that left the page let go.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    expect(page.locator("canvas[data-chart]:not([data-drawn])")).to_have_count(0)


def sign_in(page: Page, root: str, django_user_model) -> Page:
    """The browser, signed in as administrator, on the overview; page.root is the site's address."""
    django_user_model.objects.create_superuser("admin", password="a long password")
    page.goto(root)
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{root}/")
    page.root = root
    return page


@pytest.fixture
def site(company, live_server, page: Page, django_user_model, troubles):
    """The browser, signed in, on the overview, with a fortnight of meetings."""
    return sign_in(page, live_server.url, django_user_model)
