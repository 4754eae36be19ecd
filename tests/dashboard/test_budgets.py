"""Budgets: each threshold is told once a month, by one mail, whatever fails or happens twice."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import translation

from dashboard import budgets, mailing, notices
from dashboard.models import Budget, BudgetNotice, Posted
from reports import leases
from reports.models import Room, TelephonyUsage
from tests.support import NOW, call, meeting, take

pytestmark = pytest.mark.django_db
MARCH = date(2026, 3, 1)


def spend(amount: str, host_id: str = "HOST-1", day: str = "2026-03-09") -> None:
    """One more call of so much, reported as calls are."""
    count = TelephonyUsage.objects.count()
    take(
        meeting(
            uuid=f"{host_id}-{count}",
            host_id=host_id,
            start_time=f"{day} 10:00:00",
            end_time=f"{day} 11:00:00",
            telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", 10, amount, day)],
        )
    )


def budget(amount: str = "100", room: str = "", **changes) -> Budget:
    values = {"amount": Decimal(amount), "recipients": ["boss@example.com"], **changes}
    return Budget.objects.create(room=Room.objects.get_or_create(host_id=room)[0] if room else None, **values)


def subjects(post) -> list[str]:
    return [mail.message["Subject"].strip() for mail in post.mails]


def told() -> dict[int, str]:
    """State of each threshold."""
    return dict(BudgetNotice.objects.values_list("threshold", "state"))


# What is reached -----------------------------------------------------------------------------------------------


def test_a_budget_counts_the_calls_of_its_room_in_the_local_month():
    spend("30")
    spend("50", "HOST-2")
    spend("7", day="2026-02-28")
    whole, one = budgets.status(budget(), MARCH), budgets.status(budget(room="HOST-1"), MARCH)
    assert (whole.spent, one.spent) == (Decimal("80.00"), Decimal("30.00"))
    assert (whole.reached(), one.reached()) == ([50, 80], [])
    assert (whole.next(), one.next()) == (100, 50)
    assert whole.share == 0.8
    assert (whole.first, whole.last) == (MARCH, date(2026, 3, 31))


def test_calls_without_a_price_are_no_zero():
    take(meeting(telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", 10, None)]))
    status = budgets.status(budget(), MARCH)
    assert (status.spent, status.share, status.reached(), status.unpriced) == (None, None, [], 1)


# What is told --------------------------------------------------------------------------------------------------


def test_each_threshold_is_told_once(post):
    budget()
    spend("49.99")
    assert budgets.check(NOW) == 0
    spend("0.01")
    assert [budgets.check(NOW) for _ in range(3)] == [1, 0, 0]
    spend("30")
    assert [budgets.check(NOW) for _ in range(2)] == [1, 0]
    assert subjects(post) == [
        "Telephony budget: 50% of ¥100.00 reached (All rooms)",
        "Telephony budget: 80% of ¥100.00 reached (All rooms)",
    ]
    assert {mail.to for mail in post.mails} == {("boss@example.com",)}


def test_of_several_that_are_crossed_at_once_the_highest_is_told(post):
    budget(thresholds=[50, 80, 100, 120])
    spend("110")
    assert [budgets.check(NOW) for _ in range(2)] == [1, 0]
    (mail,) = post.mails
    for text in (mail.part("text/plain"), mail.part("text/html")):
        assert "100% of the telephony budget is reached" in text
        assert "With it, for the first time this month: 50%, 80%." in text
        assert "120%" in text
        assert "https://rooms.example.com/telephony/?from=2026-03-01" in text.replace("&amp;", "&")
    assert told() == {50: "sent", 80: "sent", 100: "sent"}
    assert BudgetNotice.objects.get(threshold=50).told_with.threshold == 100


def test_the_next_month_begins_anew(post):
    budget()
    spend("60")
    budgets.check(NOW)
    april = datetime(2026, 3, 31, 16, 0, tzinfo=UTC)  # midnight in Shanghai
    assert budgets.check(april) == 0
    spend("60", day="2026-04-01")
    assert budgets.check(april + timedelta(hours=12)) == 1
    assert sorted(BudgetNotice.objects.values_list("month", flat=True)) == [MARCH, date(2026, 4, 1)]


def test_a_changed_amount_tells_nothing_again(post):
    one = budget()
    spend("60")
    budgets.check(NOW)
    for amount in ("1000", "100", "110"):
        Budget.objects.filter(pk=one.pk).update(amount=Decimal(amount))
        assert budgets.check(NOW) == 0
    Budget.objects.filter(pk=one.pk).update(amount=Decimal("60"))
    assert budgets.check(NOW) == 1
    assert [subject[:26] for subject in subjects(post)] == ["Telephony budget: 50% of ¥", "Telephony budget: 100% of "]


def test_an_inactive_budget_and_a_site_without_mail_tell_nothing(post, settings):
    budget(active=False)
    spend("60")
    assert budgets.check(NOW) == 0
    assert told() == {}
    Budget.objects.update(active=True)
    settings.EMAIL_ON = False
    assert budgets.check(NOW) == 0
    # Nothing counts as told that nobody was told.
    assert told() == {}
    settings.EMAIL_ON = True
    assert budgets.check(NOW) == 1


def test_the_mail_is_in_the_language_of_the_budget(post):
    budget(language="zh-hans", room="HOST-1")
    Room.objects.update(label="<b>大厅</b>")
    spend("60")
    with translation.override("en"):
        budgets.check(NOW)
    (mail,) = post.mails
    assert subjects(post) == ["电话预算：已达 ¥100.00 的 50%（<b>大厅</b>）"]
    assert "2026年3月的电话费用目前为 ¥60.00，占预算 ¥100.00 的 60.0%。" in mail.part("text/plain")
    assert "&lt;b&gt;大厅&lt;/b&gt;" in mail.part("text/html")


# What fails ----------------------------------------------------------------------------------------------------


def test_a_server_that_fails_is_tried_again_later_and_told_of(post):
    budget()
    spend("60")
    post.answers = {"DATA": "451 busy"}
    assert budgets.check(NOW) == 0
    (notice,) = BudgetNotice.objects.all()
    assert (notice.state, notice.failures) == (Posted.WAITING, 1)
    assert "does not take the mail (451 busy)" in notice.last_error
    assert notice.next_due_at == NOW + timedelta(minutes=1)
    assert budgets.check(NOW + timedelta(seconds=30)) == 0
    assert budgets.check(NOW + timedelta(minutes=2)) == 0
    notice.refresh_from_db()
    assert (notice.failures, notice.next_due_at) == (2, NOW + timedelta(minutes=4))
    post.answers = {}
    assert budgets.check(NOW + timedelta(minutes=5)) == 1
    notice.refresh_from_db()
    assert (notice.state, notice.last_error, notice.failures) == (Posted.SENT, "", 0)
    assert len(post.mails) == 1


def test_what_could_not_be_told_goes_out_with_the_next_threshold(post):
    budget()
    spend("60")
    post.answers = {"DATA": "451 busy"}
    budgets.check(NOW)
    post.answers = {}
    spend("30")
    assert budgets.check(NOW + timedelta(hours=1)) == 1
    assert subjects(post) == ["Telephony budget: 80% of ¥100.00 reached (All rooms)"]
    assert "50%" in post.mails[0].part("text/plain")
    assert told() == {50: "sent", 80: "sent"}


def test_a_dead_server_is_asked_once_a_run(post, settings):
    settings.EMAIL_PORT = 9
    spend("60")
    budget()
    budget(room="HOST-1")
    assert budgets.check(NOW) == 0
    assert sorted(BudgetNotice.objects.values_list("failures", flat=True)) == [0, 1]


def test_a_mail_that_waits_too_long_is_given_up_until_somebody_says_so(post):
    budget()
    spend("60")
    post.answers = {"DATA": "451 busy"}
    budgets.check(NOW)
    post.answers = {}
    late = NOW + notices.GIVE_UP
    assert budgets.check(late) == 0
    assert budgets.send_again(BudgetNotice.objects.get(), late) is True
    assert budgets.check(late) == 1
    assert budgets.send_again(BudgetNotice.objects.get(), late) is False


def test_a_threshold_that_is_no_longer_reached_is_not_told(post):
    one = budget()
    spend("90")
    post.answers = {"DATA": "451 busy"}
    budgets.check(NOW)
    post.answers = {}
    Budget.objects.filter(pk=one.pk).update(amount=Decimal("1000"))
    assert budgets.check(NOW + timedelta(hours=1)) == 0
    assert told() == {}
    Budget.objects.filter(pk=one.pk).update(amount=Decimal("150"))
    assert budgets.check(NOW + timedelta(hours=2)) == 1
    assert subjects(post) == ["Telephony budget: 50% of ¥150.00 reached (All rooms)"]


def test_a_mail_of_which_nobody_knows_is_not_sent_again_by_itself(post):
    budget()
    spend("60")
    post.drops = {"."}
    budgets.check(NOW)
    post.drops = set()
    for hours in range(1, 4):
        assert budgets.check(NOW + timedelta(hours=hours)) == 0
    (notice,) = BudgetNotice.objects.all()
    assert (notice.state, notice.last_error) == (Posted.UNSURE, mailing.UNSURE)
    assert len(post.mails) == 1
    assert budgets.send_again(notice, NOW) is True
    assert budgets.check(NOW) == 1
    # The same mail, by its id: a mail program may show it once.
    assert len({mail.message["Message-ID"] for mail in post.mails}) == 1


@pytest.mark.parametrize(("state", "sent"), [(Posted.WAITING, 1), (Posted.SENDING, 0)])
def test_after_a_crash_nothing_is_sent_twice(post, state, sent):
    """A worker that died before it began to send, or in the middle."""
    spend("60")
    dead = f"{leases.new_owner().partition('/')[0]}/999999999/1/abc"
    BudgetNotice.objects.create(
        budget=budget(),
        month=MARCH,
        threshold=50,
        state=state,
        noticed_at=NOW,
        next_due_at=NOW,
        lease_owner=dead,
        lease_until=NOW + leases.LEASE,
    )
    assert budgets.check(NOW) == sent
    assert budgets.check(NOW + timedelta(hours=1)) == 0
    assert len(post.mails) == sent
    if not sent:
        assert BudgetNotice.objects.get().last_error == mailing.STOPPED


def test_a_worker_that_dies_right_after_the_mail_was_taken(post, monkeypatch):
    budget()
    spend("60")
    send = mailing.Post.send

    def send_and_die(self, letter):
        send(self, letter)
        raise SystemExit

    monkeypatch.setattr(mailing.Post, "send", send_and_die)
    with pytest.raises(SystemExit):
        budgets.check(NOW)
    monkeypatch.setattr(mailing.Post, "send", send)
    assert budgets.check(NOW + timedelta(hours=1)) == 0
    assert len(post.mails) == 1
    assert told() == {50: Posted.UNSURE}


def test_while_another_worker_is_at_it_nobody_else_is(post):
    spend("60")
    notice = BudgetNotice.objects.create(
        budget=budget(), month=MARCH, threshold=50, state=Posted.SENDING, noticed_at=NOW, next_due_at=NOW
    )
    BudgetNotice.objects.update(lease_owner=leases.new_owner(), lease_until=NOW + leases.LEASE)
    assert budgets.check(NOW) == 0
    notice.refresh_from_db()
    assert notice.state == Posted.SENDING
    assert budgets.send_again(notice, NOW) is False


@pytest.mark.django_db(transaction=True)
def test_many_checks_at_the_same_moment_send_one_mail(post):
    budget(thresholds=[10, 20, 50])
    spend("60")
    barrier = threading.Barrier(6)
    wrong = []

    def check() -> None:
        try:
            barrier.wait(10)
            budgets.check(NOW)
        except Exception as error:  # noqa: BLE001 — whatever it is, the test is to tell it
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=check) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(post.mails) == 1
    assert told() == {10: "sent", 20: "sent", 50: "sent"}


def test_a_fault_of_our_own_keeps_no_other_budget_from_its_mail(post, monkeypatch):
    spend("60")
    first, _second = budget(), budget(room="HOST-1")
    written = budgets.letter

    def broken(notice, *rest):
        if notice.budget_id == first.pk:
            raise ZeroDivisionError
        return written(notice, *rest)

    monkeypatch.setattr(budgets, "letter", broken)
    assert budgets.check(NOW) == 1
    assert "ZeroDivisionError" in BudgetNotice.objects.get(budget=first).last_error
