"""When the worker looks at budgets, and that a broker which is away disturbs nobody."""

from decimal import Decimal

import pytest

from dashboard import checks, tasks
from dashboard.models import Budget
from reports import tasks as pulls

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(tasks, "wake", lambda task: found.append(task.name))
    return found


def after(task) -> None:
    """What Celery does when a task ended well."""
    from celery.signals import task_success

    task_success.send(sender=task, result=None)


def test_budgets_are_looked_at_after_a_pull_where_there_are_some_and_mail_is_on(woken, post, settings):
    after(pulls.pull_due)
    assert woken == []
    budget = Budget.objects.create(amount=Decimal(1))
    for task in (pulls.pull_due, pulls.pull_recent_days):
        after(task)
    assert woken == ["dashboard.tasks.check_budgets"] * 2
    for task in (pulls.prune, pulls.pull_rooms, tasks.check_budgets, tasks.send_due_reports):
        after(task)
    settings.EMAIL_ON = False
    after(pulls.pull_due)
    settings.EMAIL_ON = True
    Budget.objects.filter(pk=budget.pk).update(active=False)
    after(pulls.pull_due)
    assert len(woken) == 2


def test_a_broker_that_is_away_is_no_error(monkeypatch):
    def refuse(**_):
        raise ConnectionError

    monkeypatch.setattr(tasks.check_budgets, "apply_async", refuse)
    assert tasks.wake(tasks.check_budgets) is False


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({}, True),
        ({"EMAIL_USE_TLS": True}, False),
        ({"EMAIL_USE_SSL": True}, False),
        ({"EMAIL_HOST": "127.0.0.1"}, False),
        ({"EMAIL_HOST_PASSWORD": ""}, False),
        ({"EMAIL_ON": False}, False),
    ],
)
def test_a_password_that_would_travel_in_clear_is_warned_of(settings, changes, warned):
    plain = {"EMAIL_ON": True, "EMAIL_HOST": "mail.example.com", "EMAIL_HOST_PASSWORD": "x"}
    for name, value in {**plain, "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False, **changes}.items():
        setattr(settings, name, value)
    assert bool(checks.mail_password_is_not_sent_in_clear()) is warned
