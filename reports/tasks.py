"""Celery's entry points: when to pull. Retries are no matter of the broker: a failed piece stays due in
the database with its own waiting time, and the next tick takes it up."""

import logging
from threading import Lock

from celery import shared_task
from django.conf import settings

from reports import access, folding, maintenance, pulling, schedule, summaries
from reports.provider.client import Client

logger = logging.getLogger(__name__)
one_at_a_time = Lock()


def _client() -> Client | None:
    if other := summaries.stale_zone():
        # It would count meetings to other days than the pages do.
        logger.error(
            "The days are counted in %s, and this worker has %s: restart it, with TIME_ZONE=%s where its data folder "
            "is not the site's.",
            *(other, settings.TIME_ZONE, other),
        )
        return None
    try:
        return pulling.make_client()
    except pulling.NotConfigured as error:
        # Every minute of a set-up that is not done yet: every page says it too.
        logger.info("%s", error)
        return None


@shared_task
def pull_due() -> None:
    """Every minute: rooms when they were never pulled, then the numbers, the days and the totals that are due."""
    client = _client()
    if client is None:
        return
    with client:
        if settings.UMEET_PULL_DATES and schedule.rooms_are_due(pulling.utcnow()):
            pulling.pull_rooms(client)
        pulling.pull_numbers(client)
        # Two threads of one process that both import days would only wait for each other: for the
        # interpreter, and with SQLite for the one writer. Other processes have their own lock.
        if settings.UMEET_PULL_DATES and one_at_a_time.acquire(blocking=False):
            try:
                pulling.pull_days(client)
                schedule.schedule_totals(pulling.utcnow())
                if pulling.pull_totals(client) is not None:
                    # They may have counted what a day's last pull, which was earlier, did not bring.
                    pulling.pull_days(client)
            finally:
                one_at_a_time.release()


@shared_task
def pull_recent_days() -> None:
    """Hourly: today and the two days before, whatever day is missing, and the totals of months that changed here."""
    if access.problem():
        # How far back is asked for on the set-up page, after the key.
        _client()
        return
    schedule.schedule_recent(pulling.utcnow())
    schedule.wake_totals(pulling.utcnow())
    pull_due()


@shared_task
def pull_rooms() -> None:
    """Daily: the rooms' names and capacities."""
    client = _client()
    if client is not None and settings.UMEET_PULL_DATES:
        with client:
            pulling.pull_rooms(client)


@shared_task
def fold() -> None:
    """When a name was erased on the site: make the sums of its days anew."""
    folding.fold()


@shared_task
def prune() -> None:
    """Daily: drop what the retention says, and records of old uneventful pulls."""
    maintenance.prune(pulling.utcnow())
