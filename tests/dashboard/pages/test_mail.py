"""The pages of the mail reports, and the way out for who gets them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from dashboard import mail_reports, tasks
from dashboard.models import MailRecipient, MailReport, SavedView
from tests.html import Page
from tests.support import meeting, take

pytestmark = pytest.mark.django_db
FORM = {
    "path": "/meetings/",
    "query": "state=empty&page=2",
    "name": "Empty rooms",
    "frequency": "weekly",
    "hour": "8",
    "table": "meetings",
    "language": "zh-hans",
    "recipients": "a@example.com, b@example.com",
}


@pytest.fixture(autouse=True)
def woken(monkeypatch) -> list[str]:
    """The tasks that were woken."""
    found: list[str] = []
    monkeypatch.setattr(tasks, "wake", lambda task: found.append(task.name))
    return found


@pytest.fixture
def colleague(django_user_model) -> Client:
    """A browser of somebody who may mail, and no more."""
    user = django_user_model.objects.create_user("colleague")
    user.user_permissions.add(*Permission.objects.filter(codename__in=("add_mailreport", "download_csv")))
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, path="/mail/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return Page(answer.content.decode()).root.text


def test_a_report_is_set_up_from_a_view(admin, post):
    SavedView.objects.create(
        owner=admin.get("/views/").wsgi_request.user, name="My view", path="/meetings/", query="state=empty"
    )
    page = Page(admin.get("/mail/new/?path=/meetings/&query=state%3Dempty%26page%3D2").content.decode())
    assert "Meetings · 30 days · State: empty" in page.root.text
    (name,) = page.root.find("input", name="name")
    assert name.attributes["value"] == "My view"
    tables = [option.text for option in page.root.find("select", name="table")[0].find("option")]
    assert tables == ["none", "meetings", "visits", "attendees", "telephone calls"]
    assert admin.post("/mail/new/", FORM)["Location"] == "/mail/"
    report = MailReport.objects.get()
    assert (report.path, report.query, report.table, report.language) == (
        "/meetings/",
        "state=empty",
        "meetings",
        "zh-hans",
    )
    assert report.next_due_at == mail_reports.next_due("weekly", 8, timezone.now())
    assert [one.address for one in report.recipients.all()] == ["a@example.com", "b@example.com"]
    shown = text(admin)
    assert "Empty rooms" in shown
    assert "weekly, on Monday, 08:00 · 2 recipients" in shown
    assert "Mail is off" not in shown


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": ""}, "This field is required."),
        ({"frequency": "hourly"}, "Select a valid choice."),
        ({"hour": "24"}, "Select a valid choice."),
        ({"hour": "x"}, "Select a valid choice."),
        ({"table": "rooms"}, "Select a valid choice."),
        ({"language": "fr"}, "Select a valid choice."),
        ({"recipients": "nobody"}, "No e-mail address: nobody"),
        ({"recipients": "a@example.com\r\nBcc:evil@example.com"}, "No e-mail address: Bcc:evil@example.com"),
        ({"recipients": ",".join(f"a{n}@example.com" for n in range(51))}, "51 addresses are too many."),
    ],
)
def test_a_wrong_value_is_told_beside_its_field(admin, change, why):
    answer = admin.post("/mail/new/", {**FORM, **change})
    assert answer.status_code == 400
    (name,) = change
    (error,) = Page(answer.content.decode()).root.find("div", id=f"id_{name}_error")
    assert why in error.text
    assert MailReport.objects.count() == 0


@pytest.mark.parametrize(
    ("view", "why"),
    [
        ({"path": "/data/"}, "This page cannot be kept as a view."),
        ({"path": ""}, "This page cannot be kept as a view."),
        ({"query": "state=flying"}, "state=flying: choose one of"),
    ],
)
def test_what_is_no_view_cannot_be_mailed(admin, view, why):
    for answer in (admin.post("/mail/new/", {**FORM, **view}), admin.get("/mail/new/", {**FORM, **view})):
        assert answer.status_code == 400
        assert why in Page(answer.content.decode()).root.text


def test_a_name_holds_no_line_break(admin):
    admin.post("/mail/new/", {**FORM, "name": "A\r\nBcc: x@y.example"})
    assert MailReport.objects.get().name == "A Bcc: x@y.example"
    assert admin.post("/mail/new/", {**FORM, "name": "A Bcc: x@y.example"}).status_code == 400


def test_a_change_keeps_the_moment_unless_it_is_about_it(admin):
    admin.post("/mail/new/", FORM)
    report = MailReport.objects.get()
    MailReport.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    due = MailReport.objects.get().next_due_at
    tokens = {one.address: one.token for one in report.recipients.all()}
    admin.post(f"/mail/{report.pk}/", {**FORM, "name": "Other", "recipients": "b@example.com c@example.com"})
    report.refresh_from_db()
    assert (report.name, report.next_due_at) == ("Other", due)
    # Who stays keeps the link that was mailed.
    assert {one.address for one in report.recipients.all()} == {"b@example.com", "c@example.com"}
    assert report.recipients.get(address="b@example.com").token == tokens["b@example.com"]
    admin.post(f"/mail/{report.pk}/", {**FORM, "frequency": "monthly"})
    report.refresh_from_db()
    assert report.next_due_at == mail_reports.next_due("monthly", 8, timezone.now())


def test_pausing_going_on_sending_and_deleting(admin, post, woken):
    admin.post("/mail/new/", FORM)
    pk = MailReport.objects.get().pk
    admin.post(f"/mail/{pk}/pause/")
    assert "paused" in text(admin)
    admin.post(f"/mail/{pk}/send/")
    assert woken == []
    MailReport.objects.update(next_due_at=timezone.now() - timedelta(days=30))
    admin.post(f"/mail/{pk}/pause/")
    # Nothing of the time in between is made up for.
    assert MailReport.objects.get().next_due_at > timezone.now()
    admin.post(f"/mail/{pk}/send/")
    assert woken == ["dashboard.tasks.send_due_reports"]
    assert mail_reports.send_due(timezone.now()) == 2
    admin.post(f"/mail/{pk}/delete/")
    assert MailReport.objects.count() == 0


def test_an_error_is_seen(admin, post):
    admin.post("/mail/new/", FORM)
    post.answers = {"MAIL": "550 no relay"}
    MailReport.objects.update(next_due_at=timezone.now())
    mail_reports.send_due(timezone.now())
    assert "does not take mail from this sender (550 no relay). Check EMAIL_FROM." in text(admin)
    admin.cookies["django_language"] = "zh-hans"
    assert "不接受此发件人的邮件（550 no relay）。请检查 EMAIL_FROM。" in text(admin)


def test_where_mail_is_off_the_pages_say_how_to_turn_it_on(admin):
    admin.post("/mail/new/", FORM)
    for path in ("/mail/", f"/mail/{MailReport.objects.get().pk}/", "/mail/new/?path=/"):
        assert "Mail is off: nothing is sent. To turn it on, set EMAIL_URL" in text(admin, path)
    assert "Send now" not in text(admin)


def test_a_report_is_its_owners(admin, colleague, viewer):
    assert b"Mail this view" in colleague.get("/meetings/").content
    assert colleague.post("/mail/new/", FORM).status_code == 302
    pk = MailReport.objects.get().pk
    assert "Empty rooms" in text(colleague)
    # An administrator sees whose it is.
    assert "of colleague" in text(admin)
    assert admin.get(f"/mail/{pk}/").status_code == 200
    assert "Empty rooms" not in text(viewer)
    assert "Your account may not send mail." in text(viewer)
    assert b"Mail this view" not in viewer.get("/meetings/").content
    assert viewer.get("/mail/new/?path=/").status_code == 403
    assert viewer.post("/mail/new/", FORM).status_code == 403
    for path, status in (("", 403), ("pause/", 404), ("send/", 403), ("delete/", 404)):
        assert viewer.post(f"/mail/{pk}/{path}", FORM).status_code == status
    assert MailReport.objects.count() == 1


def test_an_administrators_change_leaves_the_report_its_owners(admin, colleague):
    colleague.post("/mail/new/", FORM)
    pk = MailReport.objects.get().pk
    admin.post(f"/mail/{pk}/", {**FORM, "name": "Renamed"})
    assert MailReport.objects.get().owner.get_username() == "colleague"


# The way out ---------------------------------------------------------------------------------------------------


@pytest.fixture
def report(admin) -> MailReport:
    admin.post("/mail/new/", FORM)
    return MailReport.objects.get()


def gone(recipient: MailRecipient) -> bool:
    return MailRecipient.objects.filter(pk=recipient.pk, unsubscribed_at__isnull=False).exists()


def test_unsubscribing_needs_no_sign_in_and_no_more_than_its_link(client, report, admin):
    one, other = report.recipients.all()
    path = f"/mail/unsubscribe/{one.token}/"
    for _ in range(2):
        page = text(client, path)
        assert "a@example.com gets the report “Empty rooms” by mail." in page
        assert "Unsubscribe" in page
    assert gone(one) is False
    assert client.head(path).status_code == 200
    for _ in range(2):
        assert "a@example.com gets no further mail of “Empty rooms”." in client.post(path).content.decode()
    assert (gone(one), gone(other)) == (True, False)
    assert "1 recipient · 1 unsubscribed" in text(admin)
    # Nobody else puts it back: not by typing it again, nor by leaving it out.
    again = admin.post(f"/mail/{report.pk}/", {**FORM, "recipients": "A@example.com, b@example.com"})
    assert "A@example.com unsubscribed from this report." in again.content.decode()
    admin.post(f"/mail/{report.pk}/", {**FORM, "recipients": "b@example.com"})
    assert report.recipients.filter(unsubscribed_at=None).count() == 1
    assert "Unsubscribed" in text(admin, f"/mail/{report.pk}/")
    assert "Subscribed again" in client.post(path, {"again": "1"}).content.decode()
    assert gone(one) is False


def test_a_link_of_no_report_says_so(client, report):
    token = report.recipients.first().token
    report.delete()
    for path in (f"/mail/unsubscribe/{token}/", "/mail/unsubscribe/guessed/"):
        for answer in (client.get(path), client.post(path)):
            assert answer.status_code == 404
            assert "This link belongs to no report that is still sent." in answer.content.decode()


def test_the_page_of_the_way_out_is_in_the_readers_language(client, report):
    path = f"/mail/unsubscribe/{report.recipients.first().token}/"
    client.cookies["django_language"] = "zh-hans"
    assert "要退订吗？" in text(client, path)


def test_a_mail_of_many_meetings_holds_them_all(admin, post):
    take(*(meeting(uuid=f"m{n}") for n in range(250)))
    admin.post("/mail/new/", {**FORM, "query": "period=all", "recipients": "a@example.com"})
    MailReport.objects.update(next_due_at=timezone.now())
    mail_reports.send_due(timezone.now())
    (body,) = post.mails[0].attached.values()
    assert body.count(b"\r\n") == 251
