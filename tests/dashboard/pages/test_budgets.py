"""The page of the budgets: what is spent, who may do what, and forms that say what is wrong."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from dashboard import budgets, tasks
from dashboard.models import Budget, BudgetNotice
from reports.figures import period
from reports.models import Room
from tests.html import Page
from tests.support import SHANGHAI, call, meeting, take

pytestmark = pytest.mark.django_db
FORM = {
    "room": "",
    "amount": "1,200.50",
    "thresholds": "80 50,100%",
    "recipients": "boss@example.com\nother@example.com",
    "language": "en",
    "active": "on",
}


@pytest.fixture
def woken(monkeypatch) -> list[str]:
    """The tasks that were woken."""
    found: list[str] = []
    monkeypatch.setattr(tasks, "wake", lambda task: found.append(task.name))
    return found


@pytest.fixture
def spent(db) -> None:
    """A call of 60 yuan of today, in one room."""
    day = f"{timezone.now().astimezone(SHANGHAI):%Y-%m-%d}"
    calls = [call("+8613912345678", "00:05:00", "00:15:00", 10, 60, day)]
    take(meeting(start_time=f"{day} 00:00:00", end_time=f"{day} 01:00:00", telephony_usage=calls), now=timezone.now())


def text(client: Client, path="/budgets/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return Page(answer.content.decode()).root.text


def test_a_budget_is_added_changed_and_deleted(admin, woken, spent):
    assert "No budget is set" in text(admin)
    answer = admin.post("/budgets/new/", FORM)
    assert answer["Location"] == "/budgets/"
    budget = Budget.objects.get()
    assert (budget.room, budget.amount, budget.thresholds) == (None, Decimal("1200.50"), [50, 80, 100])
    assert budget.recipients == ["boss@example.com", "other@example.com"]
    assert budget.created_by.get_username() == "admin"
    shown = text(admin)
    assert "¥60.00 of ¥1,200.50 5.0%" in shown
    assert "50%, 80%, 100% · next 50%" in shown
    assert "boss@example.com, other@example.com" in shown
    form = Page(admin.get(f"/budgets/{budget.pk}/").content.decode())
    fields = {field.attributes["name"]: field.attributes.get("value") for field in form.root.find("input", name=None)}
    assert (fields["amount"], fields["thresholds"]) == ("1200.50", "50, 80, 100")
    room = Room.objects.get()
    admin.post(f"/budgets/{budget.pk}/", {**FORM, "room": room.pk, "amount": "¥ 100"})
    assert "¥60.00 of ¥100.00 60.0%" in text(admin)
    admin.post(f"/budgets/{budget.pk}/delete/")
    assert Budget.objects.count() == 0
    assert woken == ["dashboard.tasks.check_budgets"] * 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"amount": ""}, "This field is required."),
        *(({"amount": value}, "Give an amount above 0") for value in ("0", "-5", "x", "1.234", "1e5", "NaN", "9" * 30)),
        *(
            ({"thresholds": value}, "whole numbers from 1 to 1000")
            for value in ("0", "x", "50.5", "-1", "1001", ",", ",".join(map(str, range(1, 12))))
        ),
        ({"recipients": "boss"}, "No e-mail address: boss"),
        ({"recipients": "boss@example.com\r\nBcc: x@y.example"}, "No e-mail address: Bcc:"),
        ({"recipients": " "}, "This field is required."),
        ({"recipients": ",".join(f"a{n}@example.com" for n in range(21))}, "21 addresses are too many."),
        ({"language": "xx"}, "Select a valid choice."),
        ({"room": "999"}, "Select a valid choice."),
    ],
)
def test_a_wrong_value_is_told_beside_its_field(admin, woken, change, why):
    answer = admin.post("/budgets/new/", {**FORM, **change})
    assert answer.status_code == 400
    page = Page(answer.content.decode())
    (name,) = change
    (field,) = page.root.find("", id=f"id_{name}")
    assert field.attributes["aria-invalid"] == "true"
    (error,) = page.root.find("div", id=f"id_{name}_error")
    assert why in error.text
    assert Budget.objects.count() == 0
    assert woken == []


def test_there_is_one_budget_for_a_room_and_one_for_all(admin, woken, spent):
    room = Room.objects.get()
    for value in ("", room.pk):
        assert admin.post("/budgets/new/", {**FORM, "room": value}).status_code == 302
        answer = admin.post("/budgets/new/", {**FORM, "room": value})
        assert answer.status_code == 400
        assert "There is a budget for that already." in answer.content.decode()
    assert Budget.objects.count() == 2


def test_who_may_do_what(viewer, django_user_model, woken):
    budget = Budget.objects.create(amount=Decimal(10), recipients=["boss@example.com"])
    notice = BudgetNotice.objects.create(
        budget=budget, month=period.today(timezone.now()).replace(day=1), threshold=50, noticed_at=timezone.now()
    )
    deeds = {
        "view_budget": ("get", "/budgets/"),
        "add_budget": ("post", "/budgets/new/"),
        "change_budget": ("post", f"/budgets/{budget.pk}/"),
        "delete_budget": ("post", f"/budgets/{budget.pk}/delete/"),
    }
    for method, path in (*deeds.values(), ("post", f"/budgets/notices/{notice.pk}/")):
        assert getattr(viewer, method)(path).status_code == 403
    assert b'href="/budgets/"' not in viewer.get("/telephony/").content
    user = django_user_model.objects.get(username="viewer")
    user.user_permissions.add(Permission.objects.get(codename="view_budget"))
    assert b'href="/budgets/"' in viewer.get("/telephony/").content
    shown = text(viewer)
    assert "All rooms" in shown
    # Addresses are for those who may change them.
    assert "boss@example.com" not in shown
    assert "New budget" not in shown
    for codename, (method, path) in deeds.items():
        user.user_permissions.add(Permission.objects.get(codename=codename))
        assert getattr(viewer, method)(path).status_code != 403, codename


def test_a_failed_mail_is_seen_with_its_reason_and_sent_again(admin, post, spent, woken):
    Budget.objects.create(amount=Decimal(100), recipients=["boss@example.com"])
    post.answers = {"DATA": "451 <b>busy</b>"}
    now = timezone.now()
    budgets.check(now)
    shown = text(admin)
    assert "50% to be sent" in shown
    assert "does not take the mail (451 <b>busy</b>)" in shown
    assert "next try" in shown
    post.answers = {}
    admin.post(f"/budgets/notices/{BudgetNotice.objects.get().pk}/")
    assert woken == ["dashboard.tasks.check_budgets"]
    budgets.check(timezone.now())
    shown = text(admin)
    assert "50% sent" in shown
    assert "451" not in shown
    assert "Send again" not in shown


def test_what_nobody_knows_or_is_given_up_is_told(admin, post, spent):
    Budget.objects.create(amount=Decimal(100), recipients=["boss@example.com"])
    post.drops = {"."}
    budgets.check(timezone.now())
    shown = text(admin)
    assert "50% perhaps sent" in shown
    assert "it may have arrived or not" in shown
    assert "Send again" in shown
    BudgetNotice.objects.update(state="waiting", noticed_at=timezone.now() - timedelta(days=4))
    assert "It is not tried any more." in text(admin)


def test_the_page_says_that_mail_is_off_and_how_to_turn_it_on(admin, settings):
    assert "Mail is off: nothing is sent. To turn it on, set EMAIL_URL" in text(admin)
    settings.EMAIL_ON = True
    assert "Mail is off" not in text(admin)


def test_the_page_is_in_chinese_too(admin, spent):
    Budget.objects.create(amount=Decimal(100), recipients=["boss@example.com"])
    admin.cookies["django_language"] = "zh-hans"
    assert "全部会议室 ¥60.00 ／ ¥100.00 60.0%" in text(admin)


def test_a_budget_costs_five_queries(admin, spent, django_assert_max_num_queries):
    admin.get("/budgets/")
    for number in range(4):
        room = Room.objects.create(host_id=f"R{number}")
        Budget.objects.create(amount=Decimal(100), recipients=["boss@example.com"], room=room)
    # Sign-in, freshness and the budgets themselves; then the sum, the forecast, the history and the notices of each.
    with django_assert_max_num_queries(12 + 4 * 5):
        admin.get("/budgets/")
