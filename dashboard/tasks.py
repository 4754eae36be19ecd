"""Celery's entry points of the site: when budgets are looked at and mail is sent.

Retries are no matter of the broker: what could not be sent stays due in the database with its own waiting time.
"""

from typing import Any

from celery import shared_task
from celery.signals import task_success
from django.core.management import call_command

from dashboard import budgets, mail_reports, mailing, outages, setup, signin
from dashboard.models import Budget
from reports.pulling import utcnow

PULLS = ("reports.tasks.pull_due", "reports.tasks.pull_recent_days")


@shared_task
def check_budgets() -> None:
    """Every five minutes, after each pull, and when a budget was changed."""
    budgets.check(utcnow())


@shared_task
def send_due_reports() -> None:
    """Every five minutes."""
    mail_reports.send_due(utcnow())


@shared_task
def tidy_accounts() -> None:
    """Daily: sessions that ended, attempts to sign in that count no more, set-up links that work no more."""
    call_command("clearsessions")
    signin.forget_old_attempts(utcnow())
    setup.forget_old_links(utcnow())


@shared_task
def check_outages() -> None:
    """Every five minutes."""
    outages.check(utcnow())


@task_success.connect
def _after_a_pull(sender: Any = None, **_: Any) -> None:
    """A pull may have brought the call that crosses a budget."""
    if getattr(sender, "name", "") in PULLS and mailing.is_on() and Budget.objects.filter(active=True).exists():
        wake(check_budgets)


def wake(task: Any) -> bool:
    """Have a worker do a task now; False when the broker is away. The next tick does the same."""
    try:
        task.apply_async(retry=False)
    except Exception:  # noqa: BLE001 — brokers raise errors of their own libraries
        return False
    return True
