"""Daily housekeeping: what is dropped, and by which rule."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef

from reports import events, folding, privacy
from reports.models import Change, Meeting, Pull, Rejected

logger = logging.getLogger(__name__)

UNEVENTFUL_PULLS = timedelta(days=30)


def prune(now: datetime) -> int:
    """Drop meetings older than RETENTION_DAYS (none by default), spent sessions, and pulls without an event.

    Of those that stay, names and telephone numbers go after RETENTION_NAMES_DAYS (see privacy.py). Returns how many
    meetings went. Pulls that brought, changed or rejected something are kept for good.
    """
    gone = 0
    if settings.RETENTION_DAYS is not None:
        limit = now - timedelta(days=settings.RETENTION_DAYS)
        old = Meeting.objects.filter(start_time__lt=limit, end_time__lt=limit)
        while batch := list(old.order_by("pk").values_list("pk", flat=True)[:500]):
            with transaction.atomic():
                Meeting.objects.filter(pk__in=batch).delete()
                events.tell("meetings-pruned", meetings=len(batch), older_than_days=settings.RETENTION_DAYS)
            gone += len(batch)
    Session.objects.filter(expire_date__lt=now).delete()
    uneventful = Pull.objects.filter(
        state=Pull.State.DONE, new=0, changed=0, rejected=0, started_at__lt=now - UNEVENTFUL_PULLS
    )
    named = [Meeting.objects.filter(first_pull=OuterRef("pk")), Rejected.objects.filter(pull=OuterRef("pk"))]
    for rows in (*named, Change.objects.filter(pull=OuterRef("pk"))):
        uneventful = uneventful.filter(~Exists(rows))
    pulls, _ = uneventful.delete()
    if gone:
        folding.fold()
    if gone or pulls:
        logger.info("pruned %d meetings older than %s days and %d old pulls", gone, settings.RETENTION_DAYS, pulls)
    if nameless := privacy.prune(now):
        logger.info("removed the names of %d meetings older than %s days", nameless, settings.RETENTION_NAMES_DAYS)
    return gone
