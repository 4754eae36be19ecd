"""Text that would like to be code – in topics, names, numbers, rooms, views and filters – stays text in a browser."""

import json
from decimal import Decimal
from urllib.parse import quote, urlencode

from django.test import Client
from django.utils import timezone
from playwright.sync_api import Dialog, Page, expect

from dashboard.models import Budget, MailReport, SavedView
from reports import folding, importer
from reports.models import Meeting, Room
from reports.provider.payloads import read_answer
from tests.support import SHANGHAI, call, meeting, new_pull, take, visit

# Each would call pwned(), or leave an element behind that the page has not made.
PAYLOADS = (
    "<script>pwned()</script>",
    '"><img src=x onerror=pwned()>',
    "'><svg/onload=pwned()>",
    "</script><script>pwned()</script>",
    "</title></textarea></select><iframe srcdoc='<script>parent.pwned()</script>'>",
    "javascript:pwned()",
    '" onmouseover="pwned()" autofocus onfocus="pwned()" x="',
    "' onmouseover='pwned()' x='",
    "';pwned();//",
    '\\";pwned();//',
    "${pwned()}`${pwned()}`",
    "{{constructor.constructor('pwned()')()}}",
    "{% load x %}{{ settings.SECRET_KEY }}",
    "<!--<script>pwned()//-->",
    "]]><b id=pwned>x</b>",
    "<style>*{background:url(javascript:pwned())}</style>",
    "<a href=javascript:pwned()>x</a>",
    "<b id=pwned hx-get=/accounts/logout/ hx-trigger=load hx-on:load=pwned()>x</b>",
    "&lt;img src=x onerror=pwned()&gt;",
    "\u2028pwned()\u2029<img src=x onerror=pwned()>",
    "<form id=pwned action=//evil.example><input name=q>",
    "<meta http-equiv=refresh content='0;url=javascript:pwned()'>",
)
WATCH = """
window.taken = [];
window.pwned = () => window.taken.push("pwned() was called");
document.addEventListener("securitypolicyviolation", (event) =>
  window.taken.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
STRANGERS = (
    "#pwned, img[src='x'], svg[onload], iframe, style, script:not([src]):not([type='application/json']), "
    "[onerror], [onload], [onfocus], [onmouseover], [href^='javascript:' i], [src^='javascript:' i], "
    "form[action^='//evil'], meta[http-equiv='refresh'], [hx-get^='/accounts/logout']"
)


def fill(user) -> None:
    """Everything that comes from outside holds each of them."""
    day = timezone.localdate().isoformat()
    rooms = [
        {"id": f"H{n} {text[:150]}", "first_name": text, "email": text[:300], "meeting_capacity": "25", "meetings": []}
        for n, text in enumerate(PAYLOADS)
    ]
    answer = json.loads(json.dumps({"status": 200, "message": "OK", "data": rooms}))
    importer.import_page(read_answer(answer, SHANGHAI).records, new_pull("rooms"), timezone.now())
    for n, text in enumerate(PAYLOADS):
        other = PAYLOADS[(n + 1) % len(PAYLOADS)]
        record = meeting(
            uuid=f"{n} {text[:150]}",
            host_id=f"H{n} {text[:150]}",
            meeting_id=str(157000000 + n),
            topic=text,
            start_time=f"{day} 00:00:00",
            end_time=f"{day} 00:40:00",
            participants=[
                visit(text, "00:01:00", "00:20:00", day),
                visit(text, "00:25:00", "00:30:00", day),
                visit(other, "00:02:00", "00:39:00", day),
            ],
            telephony_usage=[{**call(text[:100], "00:05:00", "00:15:00", 10, 0.6, day), "type": text[:100]}],
        )
        take(record)
        # A changed report, and one that cannot be read.
        take({**record, "topic": f"{text} again"})
        take({**record, "uuid": f"bad {n}", "start_time": text})
        SavedView.objects.create(owner=user, name=text[:100], path="/meetings/", query=urlencode({"q": text}))
        report = MailReport.objects.create(owner=user, name=text[:100], path="/", query="", last_error=text)
        report.recipients.create(address=text)
    Budget.objects.create(room=Room.objects.first(), amount=Decimal(1), recipients=[*PAYLOADS], created_by=user)
    folding.fold()


def addresses() -> list[str]:
    """Every page, plain and with each of them where the page takes a text."""
    found = [
        *("/", "/pool/", "/booked/", "/series/", "/series/?by=topic", "/rooms/", "/meetings/", "/telephony/"),
        *("/people/", "/data/", "/reconciliation/", "/views/", "/mail/", "/budgets/", "/budgets/new/"),
        *(f"/meetings/{pk}/" for pk in Meeting.objects.order_by("pk").values_list("pk", flat=True)[:6]),
        *("/admin/", "/admin/reports/meeting/", "/admin/reports/room/"),
    ]
    fields = ("q", "topic", "name", "room", "type", "phone", "country", "uuid", "state", "sort", "from", "period")
    pages = ("/", "/meetings/", "/people/", "/telephony/", "/rooms/", "/series/", "/booked/", "/pool/")
    for n, text in enumerate(PAYLOADS):
        path = quote(text, safe="")
        found += [
            f"{pages[n % len(pages)]}?{urlencode({fields[n % len(fields)]: text, 'period': 'all'})}",
            f"{pages[(n + 3) % len(pages)]}?{urlencode({fields[(n + 5) % len(fields)]: text})}",
            f"/meetings/?{urlencode({text: text, 'topic': text, 'name': text})}",
            (f"/people/{path}/", f"/series/topic/{path}/", f"/rooms/{quote(f'H{n} {text[:150]}', safe='')}/")[n % 3],
        ]
        if n % 4 == 0:
            found += [f"/{path}", f"/accounts/login/?next={path}", f"/setup/{path}/", f"/mail/new/?path={path}"]
    return found


def test_no_text_becomes_code_on_any_page(transactional_db, live_server, page: Page, django_user_model):
    user = django_user_model.objects.create_superuser("<b id=pwned>root", password="a long password")
    fill(user)
    client = Client()
    client.force_login(user)
    value = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": value, "url": live_server.url}])
    page.add_init_script(WATCH)
    troubles: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        troubles.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismissed)
    page.on("pageerror", lambda error: troubles.append(str(error)))

    def said(message) -> None:
        # That a page answers 400 or 404 is what some of them are about.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            troubles.append(message.text)

    page.on("console", said)
    for address in addresses():
        page.goto(live_server.url + address, wait_until="load")
        page.wait_for_timeout(20)
        # What is folded is looked at too.
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.url.startswith(live_server.url), address
        assert page.evaluate("window.taken") == [], address
        strangers = page.evaluate(
            "(wanted) => [...document.querySelectorAll(wanted)].map((one) => one.outerHTML.slice(0, 200))", STRANGERS
        )
        assert strangers == [], address
        assert troubles == [], address
    # It is shown, letter by letter.
    page.goto(f"{live_server.url}/meetings/?period=all")
    for text in PAYLOADS:
        shown = " ".join(f"{text} again".split())
        assert page.get_by_text(shown, exact=True).count() >= 1, text


def test_a_part_that_is_swapped_in_makes_nothing_of_it_either(
    transactional_db, live_server, page: Page, django_user_model
):
    user = django_user_model.objects.create_superuser("root", password="a long password")
    fill(user)
    client = Client()
    client.force_login(user)
    value = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": value, "url": live_server.url}])
    page.add_init_script(WATCH)
    page.goto(f"{live_server.url}/meetings/")
    for text in PAYLOADS[::3]:
        field = page.locator("input[name=q]")
        field.fill(text[:200])
        with page.expect_response(lambda response: "/meetings/?" in response.url):
            field.press("Enter")
        page.wait_for_load_state("networkidle")
        expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
        assert page.evaluate("window.taken") == [], text
        assert page.locator(STRANGERS).count() == 0, text
