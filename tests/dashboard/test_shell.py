"""What stands around every page: navigation, filter bar, chips, languages, cards, charts, errors."""

import re
from datetime import date, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dashboard import filters
from reports.figures import period
from reports.filter import STATES, Filter
from reports.models import Pull

TODAY = date(2026, 3, 31)
PATH = "/meetings/"
QUERY = "from=2026-01-05&to=2026-01-09&room=A&room=B&q=x%26y&state=empty&extra=1&weekday=2&hour=9&compare=1"


class Page(HTMLParser):
    """What a test asks of a page: its links, and the fields that its forms send without JavaScript."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: dict[str, dict[str, str]] = {}
        self.sent: dict[str, list[tuple[str, str]]] = {}
        self.buttons: list[dict[str, str]] = []
        self._form = self._select = ""
        self._link: dict[str, str] | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        fields = self.sent.setdefault(self._form, [])
        if tag == "form":
            self._form = given.get("action", "")
            self.sent.setdefault(self._form, [])
        elif tag == "a":
            self._link = {**given, "text": ""}
        elif tag == "button":
            self.buttons.append(given)
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and "selected" in given:
            fields.append((self._select, given["value"]))
        elif tag == "input" and "name" in given and (given.get("type") != "checkbox" or "checked" in given):
            fields.append((given["name"], given.get("value", "")))

    def handle_data(self, data):
        if self._link is not None:
            self._link["text"] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = ""
        elif tag == "a" and self._link is not None:
            self.links[" ".join((self._link.get("aria-label") or self._link["text"]).split())] = self._link
            self._link = None


def parse(query: str, today: date | None = None) -> Filter:
    return filters.parse(QueryDict(query), today or period.today(timezone.now()), ("topic",))


def asked(url: str) -> str:
    return url.partition("?")[2]


def page(client: Client, url: str, status: int = 200) -> Page:
    response = client.get(url)
    assert response.status_code == status
    return Page(response.content.decode())


# Navigation ----------------------------------------------------------------------------------------------------------

FILTERED = {"Overview": "/", "Rooms": "/rooms/", "Meetings": "/meetings/", "Telephony": "/telephony/"}
FILTERED |= {"People": "/people/"}


def test_the_filter_goes_along_to_the_other_pages_but_not_its_order_and_page(admin):
    found = page(admin, f"{PATH}?{QUERY}&sort=topic&page=2").links
    for label, path in FILTERED.items():
        url = found[label]["href"]
        assert url.partition("?")[0] == path
        assert parse(asked(url)) == parse(QUERY)
        assert "sort" not in url
        assert "page=" not in url
    assert found["Data"]["href"] == "/data/"
    assert [label for label, link in found.items() if link.get("aria-current") == "page"] == ["Meetings"]


def test_the_usual_filter_needs_no_query(admin):
    found = page(admin, PATH).links
    assert {label: found[label]["href"] for label in FILTERED} == FILTERED


@pytest.mark.parametrize(
    ("url", "status"),
    [("/data/?q=157", 200), (f"{PATH}?state=open", 400), ("/?from=x", 400), ("/nowhere/?page=x", 404)],
)
def test_no_filter_goes_along_from_where_there_is_none(admin, url, status):
    found = page(admin, url, status).links
    assert {label: found[label]["href"] for label in FILTERED} == FILTERED


def test_a_number_that_the_account_may_not_ask_for_does_not_go_along(viewer, admin):
    query = "state=empty&phone=%2B861391234"
    assert asked(page(viewer, f"/data/x/?{query}", 404).links["Meetings"]["href"]) == ""
    assert asked(page(viewer, f"/nowhere/?{query}", 404).links["Meetings"]["href"]) == "state=empty"
    assert "phone" in page(admin, f"/nowhere/?{query}", 404).links["Meetings"]["href"]


# Filter bar ----------------------------------------------------------------------------------------------------------


def bar(chosen: Filter, rooms=(("A", "梧桐"), ("B", "银杏")), **more) -> Page:
    form = filters.bar(PATH, chosen, rooms, [("meetings", "/meetings.csv")], **more)
    return Page(render_to_string("components/filter_bar.html", {"filter_form": form}))


days = st.dates(date(2020, 1, 1), date(2026, 3, 1))
chosen_filters = st.builds(
    lambda span, **rest: Filter(first=span[0], last=span[1], period=span[2], **rest),
    st.tuples(days, days).map(lambda pair: (min(pair), max(pair), ""))
    | st.sampled_from(period.PRESETS).map(lambda name: (*period.preset(name, period.today(timezone.now())), name)),
    rooms=st.lists(st.sampled_from(["A", "B", "gone&"]), max_size=3, unique=True).map(tuple),
    q=st.sampled_from(["", "x", '"><b>']),
    state=st.sampled_from(["", *STATES]),
    extra=st.none() | st.booleans(),
    calls=st.none() | st.booleans(),
    weekday=st.none() | st.integers(1, 7),
    hour=st.none() | st.integers(0, 23),
    type=st.sampled_from(["", "-", "call-in"]),
    country=st.sampled_from(["", "CN"]),
    phone=st.sampled_from(["", "+86 139"]),
    uuid=st.sampled_from(["", "abc+/=="]),
    name=st.sampled_from([None, "", "anna"]),
    compare=st.booleans(),
    sort=st.sampled_from(["", "topic"]),
)


@given(chosen=chosen_filters, parts=st.sets(st.sampled_from(filters.PARTS)))
def test_sending_the_bar_as_it_is_changes_nothing(chosen, parts):
    sent = urlencode(bar(chosen, parts=parts).sent[PATH])
    found = parse(sent)
    # The days are sent beside the preset that says them, and win.
    assert (found.first, found.last) == (chosen.first, chosen.last)
    for name in ("q", "state", "extra", "calls", "weekday", "hour", "type", "country", "phone", "uuid", "name"):
        assert getattr(found, name) == getattr(chosen, name), name
    assert set(found.rooms) == set(chosen.rooms)
    assert (found.compare, found.sort) == (chosen.compare, chosen.sort)


def test_a_part_that_is_left_out_has_no_field():
    html = render_to_string(
        "components/filter_bar.html", {"filter_form": filters.bar(PATH, parse(QUERY), (), (), parts=("q",))}
    )
    assert 'id="filter-q"' in html
    for name in ("rooms", "state", "extra", "calls", "compare"):
        assert f'id="filter-{name}"' not in html


@given(first=days, length=st.integers(0, 400))
def test_a_step_back_and_one_forth_end_where_they_began(first, length):
    last = min(first + timedelta(days=length), TODAY)
    chosen = Filter(first=first, last=last, q="x", sort="topic", page=4)
    earlier, later = filters.steps(PATH, chosen, TODAY)
    before = parse(asked(earlier), TODAY)
    assert (before.last, before.days, before.q, before.page) == (first - timedelta(days=1), chosen.days, "x", 1)
    assert parse(asked(filters.steps(PATH, before, TODAY)[1]), TODAY).first == first
    if last < TODAY:
        after = parse(asked(later), TODAY)
        assert (after.first, after.days) == (last + timedelta(days=1), chosen.days)
    else:
        assert later == ""


def test_back_at_the_usual_days_the_address_is_the_usual_one():
    earlier, _later = filters.steps(PATH, parse("", TODAY), TODAY)
    assert filters.steps(PATH, parse(asked(earlier), TODAY), TODAY)[1] == PATH


@pytest.mark.parametrize("query", ["period=all", "to=2026-01-01", "from=1900-01-01&to=1900-01-02"])
def test_there_is_no_period_before_an_open_one_or_the_first_of_all(query):
    assert filters.steps(PATH, parse(query, TODAY), TODAY)[0] == ""


def test_compare_is_switched_by_its_link_and_absent_for_an_open_period():
    off = bar(parse("q=x")).links["Compare"]
    assert "aria-current" not in off
    assert parse(asked(off["href"])) == parse("q=x&compare=1")
    on = bar(parse("q=x&compare=1")).links["Compare"]
    assert on["aria-current"] == "true"
    assert parse(asked(on["href"])) == parse("q=x")
    assert "Compare" not in bar(parse("period=all")).links


def test_the_fold_says_how_many_parts_are_set():
    assert filters.bar(PATH, parse("period=7d"), (), ())["set"] == 0
    assert filters.bar(PATH, parse("room=A&room=B&q=x&weekday=3"), (), ())["set"] == 3
    html = render_to_string("components/filter_bar.html", {"filter_form": filters.bar(PATH, parse("q=x"), (), ())})
    assert re.search(r'class="filter-set">1<', html)


# Chips ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "label", "value"),
    [
        ("weekday=1", "Weekday", "Monday"),
        ("weekday=7", "Weekday", "Sunday"),
        ("hour=9", "Hour", "09:00–10:00"),
        ("type=call-in", "Call type", "call-in"),
        ("type=-", "Call type", "not told"),
        ("country=CN", "Country", "CN"),
        ("phone=%2B86", "Phone number", "+86"),
        ("name=Anna", "Attendee", "anna"),
        ("name=%20", "Attendee", "(no name)"),
        ("uuid=abc", "Record", "abc"),
    ],
)
def test_every_filter_has_a_chip_that_takes_it_away(query, label, value):
    [chip] = filters.chips(PATH, parse(query), {})
    assert (chip.label, chip.value) == (label, value)
    assert parse(asked(chip.remove_url)) == parse("")


def chips(query: str) -> str:
    return render_to_string("components/chips.html", {"chips": filters.chips(PATH, parse(query), {})})


def test_many_chips_fold_and_none_gets_lost():
    rooms = "&".join(f"room=R{number}" for number in range(70))
    html = chips(f"{rooms}&q=word")
    shown, folded = html.split("<details>")
    assert shown.count('class="chip"') == 6
    assert ">word<" in shown
    assert folded.count('class="chip"') == 65
    assert re.search(r">\s*\+65\s*</summary>", folded)
    assert len({link["href"] for link in Page(html).links.values()}) == 71


def test_few_chips_do_not_fold():
    html = chips("&".join(f"room=R{number}" for number in range(7)))
    assert html.count('class="chip"') == 7
    assert "<details" not in html


# Languages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/accounts/login/", f"{PATH}?q=x", "/data/"])
def test_every_page_offers_the_languages_each_in_its_own(path, client, admin):
    browser = client if "login" in path else admin
    html = browser.get(path).content.decode()
    found = {button.get("lang"): button for button in Page(html).buttons if button.get("name") == "language"}
    assert set(found) == {"en", "zh-hans"}
    assert (found["en"]["aria-pressed"], found["zh-hans"]["aria-pressed"]) == ("true", "false")
    assert "简体中文" in html
    assert ("next", path) in Page(html).sent["/language/"]


def test_a_chosen_language_is_remembered_and_leads_back(client):
    path = "/accounts/login/?next=/data/"
    response = client.post("/language/", {"language": "zh-hans", "next": path})
    assert (response.status_code, response["Location"]) == (302, path)
    cookie = response.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert cookie.value == "zh-hans"
    assert cookie["max-age"] >= 300 * 24 * 3600
    assert '<html lang="zh-hans"' in client.get(path).content.decode()


def test_the_language_form_leads_nowhere_else(client):
    response = client.post("/language/", {"language": "en", "next": "https://elsewhere.example/"})
    assert "elsewhere" not in response["Location"]


def test_what_only_answers_a_post_is_not_come_back_to(admin):
    html = admin.post("/data/track/", {"numbers": "nonsense"}).content.decode()
    assert ("next", "/") in Page(html).sent["/language/"]


# Cards and charts ----------------------------------------------------------------------------------------------------


def card(**context) -> str:
    return render_to_string("components/card.html", {"label": "Meetings", "value": "1,234", **context})


def test_the_element_of_a_figure_holds_just_its_value():
    assert re.search(r'<span data-figure="meetings">1,234</span>', card(figure="meetings", unit="h", hint="x"))
    assert "data-figure" not in card()


@pytest.mark.parametrize(
    ("change", "word"),
    [("+12.5 %", "up"), ("-3.0 %", "down"), ("−3.0 %", "down"), ("+0.0 %", ""), ("0.0 %", ""), ("new", "")],
)
def test_a_change_has_a_word_and_a_shape(change, word):
    html = card(change=change)
    assert change in html
    assert [found for found in ("up", "down") if f">{found}</span>" in html] == ([word] if word else [])
    assert ("<path" in html) == bool(word)


def test_a_card_says_where_it_leads():
    link = Page(card(url="/x/", url_label="to the table")).links["Meetings: to the table"]
    assert link["href"] == "/x/"


def chart(**context) -> str:
    rows = [("Monday", 1, 2), ("Tuesday", 3, 4)]
    given = {"id": "chart-x", "title": "X", "data": {}, "table_head": ["Day", "A", "B"], "table_rows": rows}
    return render_to_string("components/chart.html", {"chart": SimpleNamespace(**{**given, **context})})


def test_names_below_a_chart_are_links_without_javascript():
    found = Page(chart(row_urls=["/mon/", None])).links
    assert found["Monday"]["href"] == "/mon/"
    assert "Tuesday" not in found
    assert Page(chart(data={"links": ["/1/", "/2/"]})).links["Tuesday"]["href"] == "/2/"


def test_addresses_that_are_not_one_a_row_make_no_links():
    assert Page(chart(row_urls=["/mon/"])).links == {}
    assert Page(chart(row_urls=None)).links == {}
    assert chart(row_urls=None).count("<td") == 4


def test_a_chart_has_its_name_and_its_table_closed():
    html = chart()
    assert 'data-chart-name="chart-x"' in html
    assert '<details class="chart-table">' in html


# The page itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", PATH, "/data/", "/accounts/login/"])
def test_pages_keep_to_the_content_security_policy(path, client, admin):
    html = (client if "login" in path else admin).get(path).content.decode()
    assert not re.search(r"<[^>]*\sstyle=", html)
    assert "<style" not in html
    assert not re.search(r"<[^>]*\son[a-z]+=", html)
    for tag in re.findall(r"<script[^>]*>", html):
        assert "src=" in tag or 'type="application/json"' in tag


def test_every_style_sheet_is_linked_and_every_linked_one_exists(admin, repository):
    html = admin.get("/").content.decode()
    linked = re.findall(r'href="[^"]*/css/([a-z]+)(?:\.[0-9a-f]+)?\.css"', html)
    own = {file.stem for file in (repository / "static" / "css").glob("*.css")}
    assert set(linked) == own
    for name in own:
        assert finders.find(f"css/{name}.css")
    assert "tabler.min.js" not in html


def test_a_form_that_has_expired_says_what_to_do_and_nothing_of_the_inside(admin):
    guarded = Client(enforce_csrf_checks=True)
    guarded.cookies = admin.cookies
    response = guarded.post("/data/pull/")
    html = response.content.decode()
    assert response.status_code == 403
    assert "reload the page" in html
    assert "cookies" in html
    text = re.search(r"<main.*</main>", html, re.DOTALL)[0]
    assert not re.search(r"csrf|reason|debug|traceback", text, re.IGNORECASE)


def test_the_account_menu_and_the_fold_need_no_javascript(admin):
    html = admin.get(PATH).content.decode()
    assert re.search(r'<details class="[^"]*account', html)
    assert re.search(r'<details id="filter-fold"', html)
    assert "data-bs-toggle" not in html


def test_a_pull_of_this_minute_was_just_now(viewer):
    ended = timezone.now() - timedelta(seconds=20)
    Pull.objects.create(source="dates", started_at=ended, ended_at=ended, state="done")
    assert "Last pull just now" in viewer.get("/data/freshness/").content.decode()
    Pull.objects.update(ended_at=ended - timedelta(minutes=3))
    assert "Last pull 3\xa0minutes ago" in viewer.get("/data/freshness/").content.decode()
