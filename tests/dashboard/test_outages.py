"""An outage is shown on every page with its reason, and told by mail once when it begins and once when it is over."""

from datetime import timedelta

import pytest
from django.utils import translation

from dashboard import mailing, outages, roles
from dashboard.models import Outage, OutageNotice, Posted
from reports.figures import coverage
from reports.models import Pull, Source, TrackedNumber
from tests.support import NOW

pytestmark = pytest.mark.django_db

REASON = "The provider has a fault of its own (HTTP 500). It is asked again later."


@pytest.fixture
def boss(django_user_model):
    django_user_model.objects.create_superuser("boss", email="boss@example.com")
    django_user_model.objects.create_superuser("second", email="second@example.com")
    django_user_model.objects.create_superuser("nowhere")
    django_user_model.objects.create_user("viewer", email="viewer@example.com")


def dates(hours: float, **changes) -> Source:
    """The days were last pulled well so many hours ago."""
    asked = {"asked_at": NOW - timedelta(hours=hours), **changes}
    return Source.objects.update_or_create(name="dates", defaults=asked)[0]


def subjects(post) -> list[str]:
    return [mail.message["Subject"] for mail in post.mails]


@pytest.mark.parametrize(
    ("source", "hours", "failures", "out"),
    [
        ("dates", 2.9, 9, False),
        ("dates", 3.1, 9, True),
        ("dates", 3.1, 0, True),  # nothing fails: nothing runs
        ("rooms", 70, 1, False),
        ("rooms", 73, 0, True),
        ("numbers", 5, 1, True),
        ("numbers", 500, 0, False),  # none is due
        ("summary", 500, 3, False),  # brings no meeting
    ],
)
def test_a_source_is_out_after_three_of_its_intervals(source, hours, failures, out):
    Source.objects.create(name=source, asked_at=NOW - timedelta(hours=hours), failures=failures)
    found = coverage.outage(NOW)
    assert (found is not None) == out
    if found:
        assert found.since == NOW - timedelta(hours=hours)
        assert found.reason == coverage.NOTHING_RUNS


def test_numbers_that_are_due_for_hours_are_out_though_nothing_fails():
    Source.objects.create(name="numbers", asked_at=NOW - timedelta(hours=9))
    TrackedNumber.objects.create(number="1571106323", next_due_at=NOW - timedelta(hours=4))
    assert coverage.outage(NOW).source == "numbers"


def test_what_never_ended_well_is_out_since_its_first_try():
    Source.objects.create(name="dates", failures=4, last_error=REASON)
    assert coverage.outage(NOW) is None
    Pull.objects.create(source="dates", started_at=NOW - timedelta(hours=4), state="failed", ended_at=NOW)
    assert coverage.outage(NOW) == coverage.Stale("dates", NOW - timedelta(hours=4), REASON)


def test_days_that_are_not_pulled_are_never_out(settings):
    settings.UMEET_PULL_DATES = False
    dates(100)
    assert coverage.outage(NOW) is None


def test_every_page_says_since_when_and_why_in_its_language(viewer, time_machine):
    time_machine.move_to(NOW)
    dates(5, failures=3, last_error=REASON)
    text = viewer.get("/pool/").content.decode()
    assert "No pull has ended well since 2026-03-10 07:00." in text
    assert "The provider has a fault of its own" in text
    text = viewer.get("/data/", headers={"Accept-Language": "zh-hans"}).content.decode()
    assert "自 2026-03-10 07:00 起没有一次拉取成功。" in text
    dates(1)
    assert "No pull has ended well" not in viewer.get("/pool/").content.decode()


def test_its_begin_and_its_end_are_told_once_each(boss, post):
    dates(2, failures=2, last_error=REASON)
    assert outages.check(NOW) == 0
    dates(4, failures=5, last_error=REASON)
    assert [outages.check(NOW + timedelta(minutes=5 * turn)) for turn in range(4)] == [1, 0, 0, 0]
    (mail,) = post.mails
    assert mail.message["Subject"] == "Nothing has been pulled for a while"
    assert mail.message["To"] == "boss@example.com, second@example.com"
    text = mail.message.get_body(("plain",)).get_content()
    assert "2026-03-10 08:00" in text
    assert REASON in text
    assert "https://rooms.example.com/data/" in text
    dates(0, failures=0, last_error="")
    assert [outages.check(NOW + timedelta(minutes=30 + turn)) for turn in range(3)] == [1, 0, 0]
    assert subjects(post)[1:] == ["Pulls end well again"]
    # The next one is another one.
    later = NOW + timedelta(hours=9)
    assert [outages.check(later), outages.check(later)] == [1, 0]
    assert len(post.mails) == 3
    assert Outage.objects.count() == 2


@pytest.mark.parametrize(
    ("site", "active", "told", "reason"),
    [
        ("en", "zh-hans", ["Nothing has been pulled for a while", "Pulls end well again"], REASON),
        ("zh-hans", "en", ["已有一段时间没有拉取到数据", "拉取已恢复正常"], "服务商出现故障（HTTP 500）"),
    ],
)
def test_both_mails_are_in_the_language_of_the_site(boss, post, settings, site, active, told, reason):
    settings.LANGUAGE_CODE = site
    with translation.override(active):
        dates(4, failures=5, last_error=REASON)
        outages.check(NOW)
        dates(0)
        outages.check(NOW + timedelta(hours=1))
    assert subjects(post) == told
    assert reason in post.mails[0].part("text/plain")
    assert f'lang="{site}"' in post.mails[0].part("text/html")


def test_what_nobody_was_told_of_has_no_end_to_tell(boss, post):
    post.answers = {"MAIL": "451 later"}
    dates(4)
    assert outages.check(NOW) == 0
    dates(0)
    post.answers = {}
    assert outages.check(NOW + timedelta(hours=1)) == 0
    assert post.mails == []
    assert not OutageNotice.objects.exists()
    assert Outage.objects.get().ended_at == NOW + timedelta(hours=1)


def test_a_mail_that_was_not_taken_is_tried_again_later(boss, post):
    post.answers = {"MAIL": "451 later"}
    dates(4)
    assert outages.check(NOW) == 0
    notice = OutageNotice.objects.get()
    assert (notice.state, notice.failures, notice.lease_owner) == (Posted.WAITING, 1, "")
    post.answers = {}
    assert outages.check(NOW + timedelta(seconds=10)) == 0
    assert outages.check(NOW + timedelta(minutes=2)) == 1
    assert len(post.mails) == 1


def test_a_mail_that_may_have_arrived_is_not_sent_again(boss, post):
    dates(4)
    outages.check(NOW)
    OutageNotice.objects.update(state=Posted.SENDING)
    assert outages.check(NOW + timedelta(minutes=20)) == 0
    assert OutageNotice.objects.get().state == Posted.UNSURE
    assert len(post.mails) == 1


def test_a_fault_of_our_own_after_the_mail_was_taken_does_not_send_it_again(boss, post, monkeypatch):
    dates(4)
    send = mailing.Post.send

    def send_and_fail(self, letter):
        send(self, letter)
        raise ZeroDivisionError

    monkeypatch.setattr(mailing.Post, "send", send_and_fail)
    assert outages.check(NOW) == 0
    monkeypatch.setattr(mailing.Post, "send", send)
    assert outages.check(NOW + timedelta(hours=1)) == 0
    assert OutageNotice.objects.get().state == Posted.UNSURE
    assert len(post.mails) == 1


def test_nothing_is_sent_without_mail_or_addresses(post, settings):
    dates(4)
    assert outages.check(NOW) == 0
    settings.EMAIL_ON = False
    assert outages.check(NOW) == 0
    assert post.mails == []


def test_administrators_by_role_are_told_too(boss, django_user_model):
    chief = django_user_model.objects.create_user("chief", email="chief@example.com")
    roles.give(chief, roles.ADMINISTRATOR)
    closed = django_user_model.objects.create_user("closed", email="closed@example.com", is_active=False)
    roles.give(closed, roles.ADMINISTRATOR)
    assert outages.recipients() == ["boss@example.com", "second@example.com", "chief@example.com"]
