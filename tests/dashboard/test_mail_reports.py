"""Views by mail: when they are due, that the mail says what the page says, and that nobody gets one twice."""

import io
import re
import threading
import zipfile
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from dashboard import mail_reports, mailing
from dashboard.models import MailDelivery, MailReport, Posted
from reports import leases
from reports.models import Meeting, Room
from tests.html import Page
from tests.support import NOW, call, meeting, take, visit

pytestmark = pytest.mark.django_db
DUE = NOW - timedelta(minutes=1)


@pytest.fixture
def owner(django_user_model):
    return django_user_model.objects.create_superuser("anna")


@pytest.fixture
def make(owner):
    """Make a report that is due."""

    def made(path="/", query="", to=("a@example.com",), **changes) -> MailReport:
        values = {"owner": owner, "name": "Report", "next_due_at": DUE, "frequency": "daily", **changes}
        report = MailReport.objects.create(path=path, query=query, **values)
        for address in to:
            report.recipients.create(address=address)
        return report

    return made


@pytest.fixture
def company(db):
    """Some meetings of two rooms and a month, with calls."""
    Room.objects.create(host_id="HOST-1", label="会议室/1")
    records = []
    for number in range(40):
        day = f"2026-{2 + number // 28:02}-{1 + number % 28:02}"
        records.append(
            meeting(
                uuid=f"m-{number}",
                host_id=f"HOST-{1 + number % 2}",
                topic=f"=Topic {number % 3}",
                start_time=f"{day} 10:00:00",
                end_time=f"{day} 11:00:00",
                participants=[visit("Anna", "10:00:00", "11:00:00", day)] if number % 5 else None,
                telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", 10, number / 4, day)],
            )
        )
    take(*records)


def to(post) -> list[str]:
    return [mail.to[0] for mail in post.mails]


# When ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "frequency", "hour", "after", "expected"),
    [
        ("Asia/Shanghai", "daily", 8, "2026-03-10T07:59:59+08:00", "2026-03-10T08:00:00+08:00"),
        ("Asia/Shanghai", "daily", 8, "2026-03-10T08:00:00+08:00", "2026-03-11T08:00:00+08:00"),
        ("Asia/Shanghai", "weekly", 0, "2026-03-09T00:00:00+08:00", "2026-03-16T00:00:00+08:00"),
        ("Asia/Shanghai", "weekly", 23, "2026-03-10T08:00:00+08:00", "2026-03-16T23:00:00+08:00"),
        ("Asia/Shanghai", "monthly", 8, "2026-01-31T23:00:00+08:00", "2026-02-01T08:00:00+08:00"),
        ("Asia/Shanghai", "monthly", 8, "2026-12-01T08:00:00+08:00", "2027-01-01T08:00:00+08:00"),
        # The clock skips 02:00 on 29 March; 03:00 is what there is of it.
        ("Europe/Berlin", "daily", 2, "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("Europe/Berlin", "daily", 2, "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"),
        # It shows 02:00 twice on 25 October: the first one counts, and only that one.
        ("Europe/Berlin", "daily", 2, "2026-10-25T01:59:00+02:00", "2026-10-25T02:00:00+02:00"),
        ("Europe/Berlin", "daily", 2, "2026-10-25T02:00:00+02:00", "2026-10-26T02:00:00+01:00"),
        ("Europe/Berlin", "daily", 8, "2026-10-24T08:00:00+02:00", "2026-10-25T08:00:00+01:00"),
    ],
)
def test_the_next_moment(settings, zone, frequency, hour, after, expected):
    settings.TIME_ZONE = zone
    assert mail_reports.next_due(frequency, hour, datetime.fromisoformat(after)) == datetime.fromisoformat(expected)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["daily", "weekly", "monthly"]),
    st.integers(0, 23),
)
def test_moments_follow_one_another_at_their_hour_of_their_day(after, frequency, hour):
    zone = ZoneInfo("Asia/Shanghai")
    first = mail_reports.next_due(frequency, hour, after)
    second = mail_reports.next_due(frequency, hour, first)
    assert after < first < second
    for moment in (first.astimezone(zone), second.astimezone(zone)):
        assert (moment.hour, moment.minute) == (hour, 0)
        assert frequency != "weekly" or moment.weekday() == 0
        assert frequency != "monthly" or moment.day == 1
    assert second - first <= timedelta(days={"daily": 1, "weekly": 7, "monthly": 31}[frequency])


def test_a_report_is_sent_when_it_is_due_and_then_waits_for_its_next_moment(post, make):
    report = make(next_due_at=NOW + timedelta(seconds=1), hour=8)
    assert mail_reports.send_due(NOW) == 0
    assert mail_reports.send_due(NOW + timedelta(seconds=1)) == 1
    report.refresh_from_db()
    assert report.last_sent_at == NOW + timedelta(seconds=1)
    assert report.next_due_at == datetime(2026, 3, 11, 0, 0, tzinfo=UTC)
    assert (report.sending_for, report.lease_owner, report.last_error) == (None, "", "")
    assert mail_reports.send_due(NOW + timedelta(hours=1)) == 0


def test_after_a_week_off_one_mail_goes_out_not_seven(post, make):
    make(next_due_at=NOW - timedelta(days=7))
    assert [mail_reports.send_due(NOW) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("change", [{"active": False}, {"next_due_at": None}])
def test_what_is_paused_is_not_sent(post, make, change):
    make(**change)
    assert mail_reports.send_due(NOW) == 0


def test_the_report_of_a_closed_account_rests(post, make, owner):
    make()
    owner.is_active = False
    owner.save()
    assert mail_reports.send_due(NOW) == 0
    owner.is_active = True
    owner.save()
    assert mail_reports.send_due(NOW) == 1


def test_where_mail_is_off_nothing_is_lost(post, make, settings):
    make()
    settings.EMAIL_ON = False
    assert mail_reports.send_due(NOW) == 0
    settings.EMAIL_ON = True
    assert mail_reports.send_due(NOW) == 1


# What ----------------------------------------------------------------------------------------------------------

VIEWS = [
    ("/", "", "days"),
    ("/", "period=month&q=Topic&state=ended&compare=1", "meetings"),
    ("/rooms/", "sort=-used_hours&room=HOST-1", "rooms"),
    ("/rooms/HOST-1/", "period=7d&weekday=2", "meetings"),
    ("/meetings/", "from=2026-02-03&to=2026-02-20&sort=topic&extra=0", "meetings"),
    ("/meetings/", "calls=1", "telephony"),
    ("/telephony/", "period=month&type=call-out&priced=1", "telephony"),
    ("/telephony/", "sort=start_time&period=all", "telephony"),
    ("/people/", "sort=name", "attendees"),
    ("/people/anna/", "period=90d", "participants"),
    ("/pool/", "period=7d", "pool"),
    ("/booked/", "sort=meetings", "booked"),
    ("/series/", "by=topic&sort=-meetings", "series"),
    ("/series/number/1571106323/", "present=80&sort=name", "series"),
]


@pytest.mark.parametrize(("path", "query", "table"), VIEWS)
def test_the_mail_says_what_the_page_says(post, make, owner, company, path, query, table):
    make(path, query, table=table, name="Überblick")
    with time_machine.travel(NOW, tick=False):
        assert mail_reports.send_due(NOW) == 1
        client = Client()
        client.force_login(owner)
        page = Page(client.get(f"{path}?{query}").content.decode())
        (mail,) = post.mails
        html = Page(mail.part("text/html"))
        # Its figures: all those of the page, where it has some.
        shown = page.figures() or html.figures()
        assert html.figures() == shown
        for figure in page.figures():
            assert html.figure(figure) == page.figure(figure)
            assert page.figure(figure) in mail.part("text/plain")
        # Its filter, in the same words.
        chips = [" ".join(chip.text.split()) for chip in page.root.find("li", class_="chip")]
        for chip in chips:
            assert chip in html.root.text, chip
        # Its CSV, byte by byte, by the page's own link.
        (menu,) = page.root.find("details", id="filter-csv")
        links = [link.attributes["href"] for link in menu.find("a")]
        (address,) = (link for link in links if link.startswith(f"/{table}.csv"))
        answer = client.get(address)
        body = b"".join(answer.streaming_content)
        assert body.startswith(b"\xef\xbb\xbf")
        name = re.search(r'filename="(.+)"', answer["Content-Disposition"])[1]
        assert mail.attached == {name: body}
        assert name in html.root.text
    (button,) = (link for link in html.root.find("a") if link.text == "Open the page")
    assert button.attributes["href"] == f"https://rooms.example.com{path}{f'?{query}' if query else ''}"
    assert mail.message["Subject"].strip().startswith("Überblick · ")


def test_days_and_names_are_those_of_the_moment_of_sending(post, make, company):
    make("/meetings/", "period=7d&room=HOST-1", name="Week", language="zh-hans")
    mail_reports.send_due(NOW)
    (mail,) = post.mails
    assert mail.message["Subject"].strip() == "Week · 2026年3月4日 – 2026年3月10日"
    text = mail.part("text/plain")
    assert "时间范围：7 天：2026年3月4日 – 2026年3月10日" in text
    assert "会议室：会议室/1" in text
    Room.objects.filter(host_id="HOST-1").update(label="New")
    MailReport.objects.update(next_due_at=NOW + timedelta(days=2))
    mail_reports.send_due(NOW + timedelta(days=2))
    assert "7 天：2026年3月6日 – 2026年3月12日" in post.mails[1].part("text/plain")
    assert "会议室：New" in post.mails[1].part("text/plain")


def test_numbers_are_masked_by_the_rights_of_the_owner_at_that_time(post, make, company, django_user_model):
    owner = django_user_model.objects.create_user("bert")
    may_mail = Permission.objects.filter(codename__in=("add_mailreport", "download_csv"))
    owner.user_permissions.set(may_mail)
    report = make("/telephony/", "period=all", owner=owner, table="telephony")
    mail_reports.send_due(NOW)
    (body,) = post.mails[0].attached.values()
    assert b"+8613912345678" not in body
    assert b"+8613*******78" in body
    assert "shown in part" in post.mails[0].part("text/plain")
    owner.user_permissions.add(Permission.objects.get(codename="see_phone_numbers"))
    MailReport.objects.filter(pk=report.pk).update(next_due_at=NOW)
    mail_reports.send_due(NOW)
    (body,) = post.mails[1].attached.values()
    assert b"'+8613912345678" in body
    assert "shown in part" not in post.mails[1].part("text/plain")
    # A filter that one account may use is broken for another.
    owner.user_permissions.set(may_mail)
    later = NOW + timedelta(minutes=1)
    MailReport.objects.filter(pk=report.pk).update(next_due_at=later, query="phone=%2B8613912345678")
    assert mail_reports.send_due(later) == 0
    report.refresh_from_db()
    assert report.last_error == mail_reports.BROKEN
    assert report.next_due_at > later


@pytest.mark.parametrize(("path", "query"), [("/", "period=never"), ("/nowhere/", ""), ("/data/", ""), ("/admin/", "")])
def test_a_view_that_cannot_be_opened_is_told_of_and_tried_at_its_next_moment(post, make, path, query):
    report = make(path, query)
    other = make(name="Other")
    assert mail_reports.send_due(NOW) == 1
    report.refresh_from_db()
    other.refresh_from_db()
    assert (report.last_error, other.last_error) == (mail_reports.BROKEN, "")
    assert report.next_due_at == other.next_due_at


def test_a_large_csv_is_packed_and_a_larger_one_left_out(post, make, company, monkeypatch):
    report = make("/meetings/", "period=all", table="meetings")
    monkeypatch.setattr(mail_reports, "ZIP_FROM", 500)
    mail_reports.send_due(NOW)
    ((name, body),) = post.mails[0].attached.items()
    assert name.endswith(".csv.zip")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == [name.removesuffix(".zip")]
        assert archive.read(archive.namelist()[0]).count(b"\r\n") == 41
    monkeypatch.setattr(mail_reports, "LEFT_OUT_FROM", 300)
    MailReport.objects.filter(pk=report.pk).update(next_due_at=NOW)
    mail_reports.send_due(NOW)
    assert post.mails[1].attached == {}
    assert "The CSV is too large for a mail." in post.mails[1].part("text/plain")


def test_a_report_without_a_table_has_nothing_attached(post, make):
    make(table="")
    mail_reports.send_due(NOW)
    assert post.mails[0].attached == {}


def test_nothing_that_is_in_a_name_or_a_topic_becomes_markup_or_a_header(post, make):
    make("/meetings/", "q=%3Cb%3Ex%0D%0ABcc%3A+x%40y.example", name="<script>\r\nBcc: evil@example.com")
    mail_reports.send_due(NOW)
    (mail,) = post.mails
    assert mail.message["Bcc"] is None
    assert mail.to == ("a@example.com",)
    assert "<script>" not in mail.part("text/html")
    assert "<b>x" not in mail.part("text/html")


# To whom -------------------------------------------------------------------------------------------------------


def test_each_reader_gets_a_mail_with_a_way_out_of_its_own(post, make, client):
    report = make(to=("a@example.com", "b@example.com"))
    mail_reports.send_due(NOW)
    assert to(post) == ["a@example.com", "b@example.com"]
    links = []
    for mail in post.mails:
        header = mail.message["List-Unsubscribe"].strip()
        link = re.fullmatch(r"<(https://rooms.example.com/mail/unsubscribe/([\w-]{43})/)>", header)
        assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert link[1] in mail.part("text/html")
        assert link[1] in mail.part("text/plain")
        links.append(f"/mail/unsubscribe/{link[2]}/")
    assert len(set(links)) == 2
    client.get(links[0])
    assert report.recipients.filter(unsubscribed_at=None).count() == 2
    # As a mail program's own button asks.
    answer = Client(enforce_csrf_checks=True).post(links[0], {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    MailReport.objects.update(next_due_at=NOW)
    mail_reports.send_due(NOW)
    assert to(post)[2:] == ["b@example.com"]


def test_when_nobody_is_left_the_report_goes_on_without_mail(post, make):
    report = make(to=())
    assert mail_reports.send_due(NOW) == 0
    report.refresh_from_db()
    assert report.next_due_at > NOW
    assert report.last_sent_at is None


# What fails ----------------------------------------------------------------------------------------------------


def test_after_a_failure_only_those_get_it_who_have_not(post, make):
    report = make(to=("a@example.com", "b@example.com", "c@example.com"))
    post.answers = {"RCPT TO:<b@": "450 come again"}
    assert mail_reports.send_due(NOW) == 2
    report.refresh_from_db()
    assert report.failures == 1
    assert "does not take mail to b@example.com (450 come again)" in report.last_error
    assert report.next_due_at == NOW + timedelta(minutes=1)
    assert report.sending_for == DUE
    post.answers = {}
    assert mail_reports.send_due(NOW + timedelta(minutes=2)) == 1
    assert to(post) == ["a@example.com", "c@example.com", "b@example.com"]
    report.refresh_from_db()
    assert (report.failures, report.last_error, report.sending_for) == (0, "", None)


def test_an_address_that_is_refused_for_good_is_told_of_and_holds_nobody_up(post, make):
    report = make(to=("a@example.com", "b@example.com"))
    post.answers = {"RCPT TO:<a@": "550 nobody here"}
    assert mail_reports.send_due(NOW) == 1
    report.refresh_from_db()
    assert "550 nobody here" in report.last_error
    assert report.failures == 0
    assert report.next_due_at > NOW + timedelta(minutes=30)


def test_a_dead_server_is_asked_once_and_the_mail_comes_when_it_is_back(post, make, settings):
    first, second = make(), make(name="Second", next_due_at=DUE + timedelta(seconds=1))
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 9
    assert mail_reports.send_due(NOW) == 0
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.failures, second.failures) == (1, 0)
    assert "cannot be reached" in first.last_error
    settings.EMAIL_PORT = port
    assert mail_reports.send_due(NOW + timedelta(minutes=2)) == 2
    assert len(post.mails) == 2


def test_a_mail_that_fails_for_a_day_is_overtaken_by_the_next(post, make):
    report = make(frequency="daily", hour=8)
    post.answers = {"DATA": "451 busy"}
    mail_reports.send_due(NOW)
    post.answers = {}
    later = NOW + timedelta(days=3)
    MailReport.objects.update(next_due_at=later)
    assert mail_reports.send_due(later) == 1
    assert set(report.deliveries.values_list("state", flat=True)) == {"sent"}


def test_what_may_have_arrived_is_not_sent_again(post, make):
    report = make(to=("a@example.com", "b@example.com"))
    post.drops = {"."}
    mail_reports.send_due(NOW)
    post.drops = set()
    for hours in range(1, 4):
        mail_reports.send_due(NOW + timedelta(hours=hours))
    assert to(post) == ["a@example.com", "b@example.com"]
    report.refresh_from_db()
    assert report.last_error == mailing.UNSURE
    assert set(report.deliveries.values_list("state", flat=True)) == {Posted.UNSURE}


def test_a_worker_that_dies_in_the_middle_has_sent_nobody_twice(post, make, monkeypatch):
    report = make(to=("a@example.com", "b@example.com", "c@example.com"))
    send = mailing.Post.send

    def send_and_die(self, letter):
        send(self, letter)
        if letter.to == ["b@example.com"]:
            raise SystemExit

    monkeypatch.setattr(mailing.Post, "send", send_and_die)
    with pytest.raises(SystemExit):
        mail_reports.send_due(NOW)
    monkeypatch.setattr(mailing.Post, "send", send)
    assert mail_reports.send_due(NOW + timedelta(hours=1)) == 1
    assert to(post) == ["a@example.com", "b@example.com", "c@example.com"]
    report.refresh_from_db()
    # Of the mail in the middle its worker could not tell any more.
    assert report.last_error == mailing.STOPPED


def test_a_lease_of_a_dead_process_ends_at_once(post, make):
    report = make()
    dead = f"{leases.new_owner().partition('/')[0]}/999999999/1/abc"
    MailReport.objects.update(lease_owner=dead, lease_until=NOW + leases.LEASE)
    assert mail_reports.send_due(NOW) == 1
    report.refresh_from_db()
    MailReport.objects.update(next_due_at=NOW, lease_owner=leases.new_owner(), lease_until=NOW + leases.LEASE)
    assert mail_reports.send_due(NOW) == 0
    assert mail_reports.send_now(report, NOW) is False


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_the_same_moment_send_each_mail_once(post, make):
    for number in range(3):
        make(name=f"Report {number}", to=("a@example.com", "b@example.com"))
    barrier = threading.Barrier(5)
    wrong = []

    def send() -> None:
        try:
            barrier.wait(10)
            mail_reports.send_due(NOW)
        except Exception as error:  # noqa: BLE001 — whatever it is, the test is to tell it
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(post.mails) == 6
    assert len({mail.message["Message-ID"] for mail in post.mails}) == 6


def test_a_fault_of_our_own_keeps_no_other_report_from_its_mail(post, make, monkeypatch):
    first, _second = make(name="First"), make(name="Second")
    read = mail_reports.content

    def broken(report, now):
        if report.pk == first.pk:
            raise ZeroDivisionError
        return read(report, now)

    monkeypatch.setattr(mail_reports, "content", broken)
    assert mail_reports.send_due(NOW) == 1
    first.refresh_from_db()
    assert "ZeroDivisionError" in first.last_error


def test_old_deliveries_are_forgotten(post, make):
    report = make()
    MailDelivery.objects.create(report=report, due_at=NOW - timedelta(days=91), address="a@example.com", state="sent")
    MailDelivery.objects.create(report=report, due_at=NOW - timedelta(days=89), address="a@example.com", state="sent")
    mail_reports.send_due(NOW)
    assert report.deliveries.count() == 2


def test_meetings_of_the_fixture_are_there(company):
    assert Meeting.objects.count() == 40
