"""The pages as a browser without JavaScript gets them."""

import json
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection
from django.urls import reverse
from django.utils import timezone

from reports import schedule
from reports.figures import usage
from reports.filter import Filter
from reports.models import Meeting, Pull, Source, TrackedNumber
from tests.html import Page
from tests.support import SHANGHAI, csv_rows, meeting, take, visit, worked_out

pytestmark = pytest.mark.django_db
PAGES = [*("/", "/pool/", "/rooms/", "/meetings/", "/telephony/", "/people/", "/data/", "/booked/", "/series/")]
PAGES += ["/reconciliation/"]


def today(back=0):
    return (timezone.now().astimezone(SHANGHAI) - timedelta(days=back)).date().isoformat()


@pytest.fixture
def kept(db):
    """Three meetings of the last days, one of them running."""
    start = timezone.now().astimezone(SHANGHAI) - timedelta(minutes=30)
    take(
        meeting(uuid="one", start_time=f"{today(2)} 10:00:00", end_time=f"{today(2)} 11:00:00"),
        meeting(
            uuid="two",
            topic="<script>alert(1)</script>",
            start_time=f"{today(1)} 10:00:00",
            end_time=f"{today(1)} 11:00:00",
            participants=None,
            is_extra=1,
            host_id="EXTRA",
        ),
        meeting(
            uuid="three",
            topic="running",
            start_time=start.strftime("%Y-%m-%d %H:%M:%S"),
            end_time=None,
            participants=[visit("Anna", start.strftime("%H:%M:%S"), None, start.strftime("%Y-%m-%d"))],
        ),
        now=timezone.now(),
    )


@pytest.mark.parametrize("path", [*PAGES, "/meetings/1/", "/meetings.csv", "/data/progress/", "/admin/"])
def test_everything_needs_a_sign_in(client, path):
    response = client.get(path)
    assert response.status_code == 302
    assert "/login/" in response["Location"]


def test_health_needs_none_and_tells_the_truth(client, monkeypatch):
    assert client.get("/healthz").json()["status"] == "ok"

    def broken(*_):
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", broken)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")


def test_pages_work_on_an_empty_ledger(admin):
    for path in (*PAGES, "/?period=all", "/meetings/?period=all"):
        response = admin.get(path)
        assert response.status_code == 200, path
    assert b"No meetings here" in admin.get("/meetings/").content


def test_the_overview_shows_the_figures_of_its_filter(admin, kept):
    response = admin.get("/")
    totals = usage.totals(Filter(), timezone.now())
    assert (totals.meetings, totals.extra, totals.unreported, totals.running) == (3, 1, 1, 1)
    assert Page(response.content.decode()).figure("meetings") == "3"
    data = json.loads(re.search(r'<script id="chart-meetings-a-day"[^>]*>(.*?)</script>', response.content.decode())[1])
    assert sum(data["datasets"][0]["data"]) == 2
    assert sum(data["datasets"][1]["data"]) == 1
    assert len(data["labels"]) == 30
    # Each bar leads to just its meetings.
    for label, link, one, two in zip(
        data["labels"], data["links"], data["datasets"][0]["data"], data["datasets"][1]["data"], strict=True
    ):
        if one + two:
            assert label in link
            assert worked_out(admin, link).context["page"].paginator.count == one + two


def test_text_from_outside_is_text(admin, kept):
    body = admin.get("/meetings/").content.decode()
    assert "<script>alert(1)</script>" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body


def test_unknown_is_a_dash_and_running_goes_on(admin, kept):
    rows = {pair[0].uuid: pair[1] for pair in worked_out(admin, "/meetings/").context["rows"]}
    assert rows["two"].attendees is None
    assert rows["two"].used_seconds is None
    assert 1790 < rows["three"].open_seconds < 1900
    assert 1790 < rows["three"].used_seconds < 1900
    pk = Meeting.objects.get(uuid="two").pk
    assert "Participants were not reported" in admin.get(f"/meetings/{pk}/").content.decode()


def test_a_fragment_is_part_of_the_page_and_a_restored_history_gets_the_page(admin, kept):
    page = admin.get("/meetings/").content.decode()
    fragment = admin.get("/meetings/", headers={"HX-Request": "true"})
    assert "<html" in page
    assert "<html" not in fragment.content.decode()
    assert fragment.content.decode().count("<tr") == page.count("<tr")
    restored = admin.get("/meetings/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in restored.content.decode()
    for response in (fragment, restored, admin.get("/")):
        assert "HX-Request" in response["Vary"]
        assert "Cookie" in response["Vary"]


@pytest.mark.parametrize("path", ["/", "/meetings/", "/data/"])
def test_a_wrong_filter_value_answers_400_and_says_why(admin, path):
    response = admin.get(path, {"from": "tomorrow"})
    assert response.status_code == 400
    assert "from=tomorrow" in response.content.decode()


def test_a_wrong_filter_value_of_a_csv_is_one_line(admin):
    for query in ({"state": "open"}, {"bom": "2"}, {"sort": "nonsense"}, {"q": "a\nb\x00"}):
        response = admin.get("/meetings.csv", query)
        assert response.status_code == 400
        assert response["Content-Type"].startswith("text/plain")
        assert response.content.count(b"\n") == 1


@pytest.mark.parametrize("name", ["meetings", "participants", "attendees", "telephony"])
def test_a_csv_holds_the_rows_of_its_filter(admin, kept, name):
    response = admin.get(f"/{name}.csv", {"period": "all", "q": "周例会"})
    body = b"".join(response.streaming_content)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="{name}_' in response["Content-Disposition"]
    assert body.startswith(b"\xef\xbb\xbf")
    assert {row["uuid"] for row in csv_rows(body)} == {"one"}
    plain = b"".join(admin.get(f"/{name}.csv", {"period": "all", "bom": "0", "raw": "1"}).streaming_content)
    assert plain.startswith(b"uuid,")


def test_the_table_and_its_csv_are_the_same_rows_in_the_same_order(admin, kept):
    for sort in ("topic", "-used_minutes", "start_time"):
        page = [pair[0].uuid for pair in worked_out(admin, "/meetings/", {"sort": sort}).context["rows"]]
        rows = csv_rows(b"".join(admin.get("/meetings.csv", {"sort": sort}).streaming_content))
        assert page == [row["uuid"] for row in rows]


def test_paging_shows_every_meeting_once(admin):
    take(*(meeting(uuid=f"u{n}", start_time=f"{today(1)} 10:00:00") for n in range(120)))
    seen = []
    url = "/meetings/"
    for _ in range(3):
        response = admin.get(url)
        seen += [pair[0].uuid for pair in response.context["rows"]]
        url = response.context["pager"].next
    assert url == ""
    assert len(seen) == len(set(seen)) == 120
    assert worked_out(admin, "/meetings/?page=99").context["page"].number == 3


def test_a_meeting_that_is_none_is_404(admin):
    assert admin.get("/meetings/999999/").status_code == 404
    assert admin.get("/nowhere/").status_code == 404


def test_tracking_pasted_and_uploaded_numbers(admin):
    response = admin.post("/data/track/", {"numbers": "157-110-6323，1579334441"}, follow=True)
    assert "2 numbers are new, 0 were known." in response.content.decode()
    file = SimpleUploadedFile("numbers.csv", "\ufeff1571106323\r\n1790001234\r\n".encode())
    response = admin.post("/data/track/", {"file": file}, follow=True)
    assert "1 number is new, 1 was known." in response.content.decode()
    assert TrackedNumber.objects.count() == 3


def test_wrong_numbers_are_named_and_nothing_is_registered(admin):
    response = admin.post("/data/track/", {"numbers": "1571106323\nabc <b>"})
    assert response.status_code == 400
    body = response.content.decode()
    assert "line 2: abc &lt;b&gt;" in body
    assert "1571106323" in body  # what was pasted is still there
    assert not TrackedNumber.objects.exists()
    assert admin.post("/data/track/", {"numbers": " "}).status_code == 400
    binary = SimpleUploadedFile("numbers.xlsx", b"PK\x03\x04\xff\xfe")
    assert "no text" in admin.post("/data/track/", {"file": binary}).content.decode()


def test_pull_now_makes_it_due_and_shows_progress(admin):
    TrackedNumber.objects.create(number="1571106323", next_due_at=timezone.now() + timedelta(days=1))
    response = admin.post("/data/pull/", headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert "Asked for" in response.content.decode()
    assert schedule.due_numbers(timezone.now()).count() == 1
    Pull.objects.create(source="dates", started_at=timezone.now(), pieces=10, pieces_done=4, new=1234)
    progress = admin.get("/data/progress/").content.decode()
    assert 'value="4"' in progress
    assert "1,234 new" in progress
    assert admin.post("/data/pull/").status_code == 302


@pytest.mark.parametrize("path", ["/data/pull/", "/data/track/"])
def test_changes_need_a_post_and_the_permission(admin, viewer, path):
    assert admin.get(path).status_code == 405
    assert viewer.post(path, {"numbers": "1571106323"}).status_code == 403
    assert not TrackedNumber.objects.exists()


def test_changes_need_a_csrf_token(django_user_model):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("admin"))
    assert client.post("/data/track/", {"numbers": "1571106323"}).status_code == 403


def test_a_refusal_stands_on_every_page(admin):
    Source.objects.create(name="dates", refused_at=timezone.now(), last_error="The provider does not accept our key.")
    for path in PAGES:
        assert "The provider does not accept our key." in admin.get(path).content.decode()


def test_headers_that_keep_a_browser_safe(admin):
    response = admin.get("/")
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"


def test_the_urls_of_the_contract():
    assert reverse("overview") == "/"
    assert reverse("meetings") == "/meetings/"
    assert reverse("data") == "/data/"
    assert reverse("healthz") == "/healthz"
    assert reverse("login") == "/accounts/login/"
    assert reverse("meeting", args=[7]) == "/meetings/7/"


def test_the_administration_opens_and_rewrites_no_ledger(admin, kept):
    for model in (
        "room",
        "licence",
        "trackednumber",
        "meeting",
        "pull",
        "pulledday",
        "providerperiod",
        "source",
        "rejected",
        "change",
    ):
        assert admin.get(f"/admin/reports/{model}/").status_code == 200, model
    assert admin.get("/admin/reports/meeting/add/").status_code == 403
