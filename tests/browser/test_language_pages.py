"""Simplified Chinese in a real browser: chosen, remembered, and on every page without a word of English."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from dashboard import audit, mailing, tokens
from dashboard.models import AuditEntry, Budget, BudgetNotice, MailReport, Posted, SavedView
from dashboard.pages.audit import DETAILS
from reports import schedule
from reports.models import (
    Meeting,
    Participant,
    ProviderPeriod,
    ProviderRoom,
    PulledDay,
    Room,
    Source,
    TrackedNumber,
)
from tests.browser.conftest import settled
from tests.support import SHANGHAI, call, meeting, new_pull, take, visit

PASSWORD = "a long password"
# What is the same in every language: names of products, of formats and of zones.
SAME_EVERYWHERE = {"Roomledger", "CSV", "JSON", "Excel", "JavaScript", "Asia", "Shanghai", "English"}
# Every text and every attribute that is read, but for keys, code, what is marked as of another language, and
# the links of CSV tables, which are named as the file is.
READ = """() => {
    const found = [];
    const left = 'script, style, kbd, pre, .code, button[lang=en], a[download]';
    const texts = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        if (!texts.currentNode.parentElement.closest(left)) found.push(texts.currentNode.textContent);
    }
    for (const name of ['title', 'aria-label', 'placeholder', 'alt']) {
        for (const element of document.querySelectorAll(`[${name}]`)) {
            if (!element.closest(left)) found.push(element.getAttribute(name));
        }
    }
    const charts = window.Chart ? Object.values(Chart.instances) : [];
    for (const chart of charts) found.push(...chart.data.datasets.map((dataset) => dataset.label));
    return found.map((text) => text.trim()).filter(Boolean);
}"""


@pytest.fixture
def records(transactional_db) -> Meeting:
    """Meetings without a Latin letter in them, so that any other is the site's own."""
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
    begun = timezone.now().astimezone(SHANGHAI) - timedelta(minutes=30)
    Room.objects.create(host_id="10001", name="一号会议室", capacity=12)
    Room.objects.create(host_id="10002", name="临时", temporary=True)
    ended = {"host_id": "10001", "start_time": f"{yesterday} 10:00:00", "end_time": f"{yesterday} 11:10:00"}
    visits = [
        visit("王伟", "09:58:00", "10:30:00", yesterday),
        visit("王伟", "10:20:00", "11:00:00", yesterday),
        visit("李娜", "10:10:00", None, yesterday),
        visit("", "10:40:00", "10:35:00", yesterday),
    ]
    calls = [
        call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6, yesterday),
        {**call("+861065551234", "10:05:00", "10:15:00", 10, None, yesterday), "type": "call-in"},
        {"phone_number": "+4930123456", "type": "callback", "duration": 3, "total": 2.5},
    ]
    take(
        meeting(uuid="1", **ended, participants=visits, telephony_usage=calls),
        meeting(uuid="2", **ended, participants=[], telephony_usage=[]),
        meeting(
            uuid="3",
            **{**ended, "host_id": "10002"},
            is_extra=1,
            participants=[visits[0], visits[3]],
            telephony_usage=[],
        ),
        meeting(uuid="4", **ended, participants=None, telephony_usage=None),
        meeting(
            uuid="5",
            host_id="10001",
            start_time=f"{begun:%Y-%m-%d %H:%M:%S}",
            end_time=None,
            participants=[visit("王伟", f"{begun:%H:%M:%S}", None, f"{begun:%Y-%m-%d}")],
            telephony_usage=[],
        ),
        meeting(uuid="6", start_time="星期二"),
        now=timezone.now(),
    )
    # A report that grew leaves changes behind.
    take(meeting(uuid="1", **ended, topic="月会", participants=visits[:3], telephony_usage=calls), now=timezone.now())
    take(meeting(uuid="1", **ended, topic="月会", participants=[], telephony_usage=calls), now=timezone.now())
    error = "The provider is throttling us (status 429). It is asked again later. It was tried 4 times."
    Source.objects.create(name="dates", failures=1, last_error=error, next_due_at=timezone.now())
    TrackedNumber.objects.create(number="1571106323", last_error=error)
    pull = new_pull("dates")
    pull.asked_for, pull.error, pull.state, pull.ended_at = "2026-03-01 – 2026-03-05", error, "failed", timezone.now()
    pull.save()
    totals(timezone.now())
    return Meeting.objects.get(uuid="1")


def totals(now: datetime) -> None:
    """Days that were pulled, more or less, and what the provider counts on them: some of it is not here."""
    today = schedule.provider_today(now)
    for back in range(6):
        whole = {"asked_at": now, "complete_at": now if back != 3 else None}
        PulledDay.objects.create(day=today - timedelta(days=back), **(whole if back != 4 else {}))
    kept = {"sent_at": now, "told_at": now, "asked_first": today - timedelta(days=5)}
    spans = {schedule.month_of(today), schedule.month_of(today - timedelta(days=5))}
    spans |= {(today - timedelta(days=back),) * 2 for back in range(6)}
    for first, last in spans:
        period = ProviderPeriod.objects.create(first=first, last=last, **kept)
        ProviderRoom.objects.create(period=period, host_id="10001", meetings=20)
        ProviderRoom.objects.create(period=period, host_id="10003", meetings=2, participants=1)
    PulledDay.objects.filter(day=today - timedelta(days=2)).update(
        asked_at=now - timedelta(1), complete_at=now - timedelta(1)
    )


@pytest.fixture
def chinese(records, live_server, page: Page, django_user_model, troubles) -> Page:
    """The browser, signed in, with Chinese chosen on the sign-in page."""
    django_user_model.objects.create_superuser("管理员", password=PASSWORD)
    page.root = live_server.url
    page.goto(page.root)
    page.get_by_role("button", name="简体中文").click()
    sign_in(page)
    return page


def sign_in(page: Page) -> None:
    page.locator("input[name=username]").fill("管理员")
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("^(登录|Sign in)$")).click()
    page.wait_for_url(f"{page.root}/")


def language(page: Page) -> str:
    return page.evaluate("document.documentElement.lang")


def english(page: Page) -> list[str]:
    """Texts with a Latin word that is not the same in every language."""
    settled(page)
    return [text for text in page.evaluate(READ) if set(re.findall(r"[A-Za-z]{2,}", text)) - SAME_EVERYWHERE]


def test_the_language_of_the_sign_in_page_stays(chinese: Page) -> None:
    expect(chinese.get_by_role("heading", name="概览")).to_be_visible()
    chinese.reload()
    assert language(chinese) == "zh-hans"
    chinese.locator("details.account summary").click()
    chinese.get_by_role("button", name="退出登录").click()
    expect(chinese.get_by_role("button", name="登录", exact=True)).to_be_visible()
    assert language(chinese) == "zh-hans"
    sign_in(chinese)
    assert language(chinese) == "zh-hans"


def test_the_language_changes_on_a_page_and_its_address_stays(chinese: Page) -> None:
    chinese.goto(f"{chinese.root}/meetings/?period=7d&state=empty")
    for name, code, heading in (("English", "en", "Meetings"), ("简体中文", "zh-hans", "会议")):
        chinese.locator("details.account summary").click()
        chinese.get_by_role("button", name=name).click()
        expect(chinese.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
        assert chinese.url == f"{chinese.root}/meetings/?period=7d&state=empty"
        assert language(chinese) == code
        chinese.reload()
        assert language(chinese) == code


def test_the_switch_follows_a_filter_that_was_swapped_in(chinese: Page) -> None:
    chinese.get_by_role("link", name="7 天", exact=True).click()
    chinese.wait_for_url("**/?period=7d")
    chinese.locator("details.account summary").click()
    chinese.get_by_role("button", name="English").click()
    expect(chinese.get_by_role("heading", name="Overview")).to_be_visible()
    assert chinese.url.endswith("/?period=7d")


NAMED = (
    "overview",
    "pool",
    "rooms",
    "booked",
    "meetings",
    "telephony",
    "people",
    "series-list",
    "data",
    "reconciliation",
)


def pages(first: Meeting) -> list[str]:
    listed = [reverse(name) for name in NAMED]
    meetings = [reverse("meeting", args=[pk]) for pk in Meeting.objects.values_list("pk", flat=True)]
    name = Participant.objects.exclude(name_key="").values_list("name_key", flat=True)[0]
    return [
        *listed,
        *meetings,
        f"{reverse('meeting', args=[first.pk])}?rows=all&order=name",
        reverse("room", args=["10001"]),
        reverse("person", args=[name]),
        reverse("person", args=[" "]),
        "/?compare=1&period=7d",
        "/pool/?compare=1&period=7d&state=ended",
        "/pool/?period=all&room=10001",
        "/booked/?compare=1&period=7d&by=topic",
        "/booked/?period=all&booked=known",
        "/series/?period=all&by=topic&present=80",
        "/series/?q=没有这个会议",
        reverse("series-number", args=[first.meeting_id]),
        f"{reverse('series-topic', args=[first.topic])}?period=all",
        f"{reverse('series-number', args=[first.meeting_id])}?period=all&compare=1",
        "/meetings/?period=all&room=10001&q=1&state=solo&extra=1&calls=0&weekday=1&hour=9&uuid=1&name=1",
        "/telephony/?period=all&country=-&phone=-",
        "/people/?q=没有这个人",
        "/meetings/?q=没有这个会议",
        "/data/?q=999",
        f"/reconciliation/?from={timezone.localdate():%Y-%m}-01&to={timezone.localdate()}&room=10001",
        *(reverse(name) for name in ("budgets", "new-budget", "views", "mail", "audit", "tokens")),
        "/audit/?period=all&account=-&action=csv",
        reverse("erase-name", args=[name]),
        *(reverse("budget", args=[pk]) for pk in Budget.objects.values_list("pk", flat=True)),
        "/mail/new/?path=/telephony/&query=type%3D-",
        *(reverse("edit-mail", args=[pk]) for pk in MailReport.objects.values_list("pk", flat=True)),
    ]


def keep_some(user) -> None:
    """Views, mail reports and budgets in every state, tokens, and an entry of each kind of deed."""
    told = {"shared": True, "page": "/meetings/", "filter": "period=90d&state=empty&calls=1", "by": "session"}
    for code, _label in AuditEntry.Action.choices:
        audit.note(user, code, "甲", changes={"is_active": [True, False], "label": ["", "乙"]}, renewed=True, **told)
    audit.note(
        None,
        "csv",
        "meetings",
        **dict.fromkeys((*(DETAILS.keys() - {"permissions_added"}), "cut"), 1),
        permissions_added=["Can see telephone numbers in full"],
    )
    tokens.make(user, "丙", None, timezone.now())
    tokens.make(user, "丁", timezone.now(), timezone.now())
    # What a token begins with is of no language.
    AuditEntry._base_manager.filter(action="token-made").update(details={})
    for name, path, query in (("甲", "/meetings/", "state=empty"), ("乙", "/rooms/10001/", "period=7d")):
        SavedView.objects.create(owner=user, name=name, path=path, query=query, shared=name == "乙")
        values = {"owner": user, "name": name, "path": path, "query": query, "active": name == "甲"}
        MailReport.objects.create(**values, next_due_at=timezone.now(), last_error=mailing.UNSURE)
    budget = Budget.objects.create(amount=Decimal(1), created_by=user)
    month = timezone.localdate().replace(day=1)
    notices = [
        BudgetNotice(budget=budget, month=month, threshold=1 + place, state=state, noticed_at=timezone.now())
        for place, state in enumerate(Posted.values)
    ]
    notices[0].failures, notices[0].next_due_at, notices[0].last_error = 1, timezone.now(), mailing.STOPPED
    BudgetNotice.objects.bulk_create(notices)


def test_no_page_has_a_word_of_english(chinese: Page, records: Meeting, django_user_model) -> None:
    keep_some(django_user_model.objects.get())
    wrong = []
    for path in pages(records):
        answer = chinese.goto(f"{chinese.root}{path}")
        assert answer is not None
        assert answer.status == 200, path
        assert language(chinese) == "zh-hans", path
        wrong += [f"{path}: {text}" for text in english(chinese)]
    assert not wrong, "\n".join(dict.fromkeys(wrong))


@pytest.mark.parametrize(("path", "status"), [("/nowhere/", 404), ("/?from=1", 400), ("/meetings/?state=1", 400)])
def test_error_pages_are_in_chinese(records, live_server, page: Page, django_user_model, path, status) -> None:
    """Without `troubles`: a browser complains of every such answer."""
    django_user_model.objects.create_superuser("管理员", password=PASSWORD)
    page.root = live_server.url
    page.goto(page.root)
    page.get_by_role("button", name="简体中文").click()
    sign_in(page)
    answer = page.goto(f"{page.root}{path}")
    assert answer is not None
    assert answer.status == status
    # The names and values of the address bar are no words of a language.
    named = re.compile(r"\b(from|state)=\d|running, ended, empty, solo, unreported")
    assert [text for text in english(page) if not named.search(text)] == []


def test_numbers_dates_and_money_are_written_as_in_chinese(chinese: Page, records: Meeting) -> None:
    chinese.goto(f"{chinese.root}{reverse('meeting', args=[records.pk])}")
    day = records.local_day
    expect(chinese.locator("dl.facts")).to_contain_text(f"{day.year}年{day.month}月{day.day}日")
    expect(chinese.locator("#calls")).to_contain_text("¥0.60")
    expect(chinese.locator("#calls")).to_contain_text("中国")
    expect(chinese.locator("#calls")).to_contain_text("呼出")
    chinese.goto(f"{chinese.root}/data/")
    expect(chinese.locator("main")).to_contain_text("2026年3月1日 – 2026年3月5日")
    expect(chinese.locator("#freshness")).to_contain_text("服务商正在限流（状态码 429），稍后将重新查询。已尝试 4 次。")


def test_the_languages_are_buttons_in_their_own_language(records, live_server, page: Page) -> None:
    page.goto(live_server.url)
    for name, code in (("English", "en"), ("简体中文", "zh-hans")):
        expect(page.get_by_role("button", name=name)).to_have_attribute("lang", code)
    assert english(page) != []
