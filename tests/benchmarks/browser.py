"""What a page costs the browser: how long it keeps it from answering, when its charts are drawn, what it weighs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.benchmarks.site import running
from tests.browser.conftest import ARGUMENTS, CHROMIUM

# Tasks of more than 50 ms, as the browser itself counts them; from before anything of the page is there.
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) {
    window.longTasks.push({ start: task.startTime, duration: task.duration });
  }
}).observe({ type: "longtask", buffered: true });
"""
DRAWN = """() => document.readyState === "complete"
  && !document.querySelector("canvas[data-chart]:not([data-drawn])")"""
PAGES = ("/", "/?period=12m", "/?period=all", "/pool/?period=all", "/rooms/?period=all", "/meetings/?period=all")
SIZE: ViewportSize = {"width": 1440, "height": 900}


@dataclass(frozen=True, slots=True)
class Seen:
    """One page, of several loads. longest, blocked: of its long tasks, milliseconds, the median load's; tasks: its
    number of them. drawn: milliseconds until all of its charts are there; size: bytes of HTML before compression."""

    address: str
    tasks: int
    longest: float
    blocked: float
    drawn: float
    size: int


def seen(turns: int) -> Iterator[Seen]:
    """Each of PAGES at 1440 pixels, after a first load that fills the caches."""
    with running("--no-worker") as site, sync_playwright() as playwright:
        # Django would take Playwright's loop for an async context of its own.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=ARGUMENTS)
        context = browser.new_context(viewport=SIZE)
        name, _, value = site.cookie.partition("=")
        root = f"http://127.0.0.1:{site.port}"
        context.add_cookies([{"name": name, "value": value, "url": root}])
        page = context.new_page()
        page.add_init_script(WATCH)
        page.set_default_timeout(120_000)
        try:
            for address in PAGES:
                load(page, root, address)
                loads = sorted((load(page, root, address) for _ in range(turns)), key=lambda one: one.longest)
                yield loads[len(loads) // 2]
        finally:
            browser.close()


def load(page: Page, root: str, address: str) -> Seen:
    """One load, and a moment more in which what is late can still be."""
    answer = page.goto(f"{root}{address}")
    page.wait_for_function(DRAWN)
    drawn = float(page.evaluate("performance.now() - performance.getEntriesByType('navigation')[0].responseStart"))
    page.wait_for_timeout(700)
    tasks = [float(task["duration"]) for task in page.evaluate("window.longTasks")]
    return Seen(
        address=address,
        tasks=len(tasks),
        longest=max(tasks, default=0.0),
        blocked=sum(tasks),
        drawn=drawn,
        size=len(answer.body()) if answer else 0,
    )
