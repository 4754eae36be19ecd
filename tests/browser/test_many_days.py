"""Two years in a real browser: bars of weeks that say so, lead to their days and stand in the table as well."""

import re
from datetime import date, timedelta

from django.utils import timezone
from playwright.sync_api import Page, expect

from reports.figures import period, usage
from reports.filter import Filter
from tests.browser.conftest import settled

CHART = "chart-meetings-a-day"
BAR = """([id, place]) => {
    const canvas = document.querySelector(`canvas[data-chart=${id}]`);
    const chart = Object.values(Chart.instances).find(one => one.canvas === canvas);
    const bar = chart.getDatasetMeta(0).data[place];
    return [bar.x, (bar.y + bar.base) / 2];
}"""
TITLE = """id => {
    const canvas = document.querySelector(`canvas[data-chart=${id}]`);
    return Object.values(Chart.instances).find(one => one.canvas === canvas).tooltip.title.join(" ");
}"""


def test_a_bar_of_a_week_says_its_days_and_leads_to_its_meetings(site: Page):
    today = period.today(timezone.now())
    first = today - timedelta(days=729)
    site.goto(f"{site.root}/?from={first}&to={today}")
    settled(site)
    figure = site.locator(f"figure[data-chart-name={CHART}]")
    expect(figure.get_by_role("heading")).to_have_text("Meetings a week")
    labels = site.evaluate(f"JSON.parse(document.getElementById('{CHART}').textContent).labels")
    assert len(labels) in {105, 106}
    # The last whole week: a fortnight of meetings is there.
    place = len(labels) - 2
    begin, end = date.fromisoformat(labels[place]), date.fromisoformat(labels[place]) + timedelta(days=6)
    row = figure.locator("tbody tr").nth(place)
    figure.locator("summary").click()
    found = usage.totals(Filter(first=begin, last=end), timezone.now())
    expect(row.locator("td").last).to_have_text(str(found.meetings))
    x, y = site.evaluate(BAR, [CHART, place])
    canvas = figure.locator("canvas")
    canvas.hover(position={"x": x, "y": y})
    title = site.evaluate(TITLE, CHART)
    assert re.search(rf"\b{begin.day}\b.*\b{end.day}\b.*{end.year}", title), title
    canvas.click(position={"x": x, "y": y})
    site.wait_for_url(re.compile(rf"/meetings/\?from={begin}&to={end}$"))
