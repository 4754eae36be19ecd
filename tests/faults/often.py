"""The Celery application with a beat that ticks several times a second. `celery -A tests.faults.often beat`."""

from dashboard.celery import app

app.conf.beat_max_loop_interval = 0.2
app.conf.beat_schedule = {
    "pull-due": {"task": "reports.tasks.pull_due", "schedule": 0.3, "options": {"expires": 5}},
    "pull-recent-days": {"task": "reports.tasks.pull_recent_days", "schedule": 1.0, "options": {"expires": 5}},
}
