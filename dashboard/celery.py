"""The Celery application. `celery -A dashboard worker` finds it here."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_init, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

app = Celery("roomledger")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def _work_on_ledger(**_kwargs: Any) -> None:
    from reports import inuse

    inuse.share()


@worker_shutting_down.connect
def _leave_off(**_kwargs: Any) -> None:
    """A pull may take a quarter of an hour; whoever stops a worker does not wait so long."""
    from reports import stopping

    stopping.ask()


@task_prerun.connect
def _say_which_task(task_id: str = "", task: Any = None, **_kwargs: Any) -> None:
    """Lines of the log carry the task that they come from. The next one of this thread takes its place."""
    from reports import logs

    logs.begin(task=task_id, name=getattr(task, "name", ""))
