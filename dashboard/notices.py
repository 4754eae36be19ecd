"""Mails that tell of something once: claimed, sent, tried again, and never sent twice.

What is told is claimed by a row that can exist only once (Notice), and its mail by a lease on that row. The mail server
is spoken to outside of any transaction, and what is on its way is noted before: a mail of which nobody can know
whether it arrived is not sent again by itself.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import F, QuerySet

from dashboard import mailing
from dashboard.mailing import Letter, NotSent, Post
from dashboard.models import Notice, Posted
from dashboard.smtp import Unsure
from reports import leases

logger = logging.getLogger(__name__)

N = TypeVar("N", bound=Notice)

GIVE_UP = timedelta(days=3)
A_RUN = 50


def send_all(rows: QuerySet[N], write: Callable[[N], Letter | None], now: datetime) -> int:
    """Send what waits and is due, in the order of the rows. Out: mails sent.

    rows: those that may be told now; of the others too it is noted when their worker is no more. write: the letter of
    one, with its recipients; None when there is nothing to tell any more, which takes its row away.
    """
    model = rows.model
    leases.release_gone(model, now)
    # Whoever was at it is no more: nobody knows how far it came.
    model._default_manager.filter(leases.free(now), state=Posted.SENDING).update(
        state=Posted.UNSURE, last_error=mailing.STOPPED, next_due_at=None
    )
    due = rows.filter(state=Posted.WAITING, next_due_at__lte=now, noticed_at__gt=now - GIVE_UP)
    owner, clock = leases.new_owner(), mailing.running_from(now)
    sent = 0
    with Post() as post:
        for _number in range(A_RUN):
            for notice in (held := leases.claim(due, owner, clock(), 1)):
                try:
                    post.ready()
                    sent += _send(notice, owner, post, write, now)
                except NotSent as error:
                    _failed(notice, owner, str(error), now, Posted.WAITING, Posted.SENDING)
                    # A server that cannot be reached is asked once a run, not once a mail.
                    if error.unreachable:
                        return sent
                except Exception as error:
                    # The others may not wait for it. Whether it was sent, this error does not tell.
                    logger.exception("%s", _named(notice))
                    _failed(notice, owner, mailing.stopped_by(error), now, Posted.WAITING)
                finally:
                    _held(notice, owner).update(lease_owner="", lease_until=None)
            if not held:
                break
    return sent


def _held(notice: N, owner: str) -> QuerySet[N]:
    """The row as long as it is ours."""
    return type(notice)._default_manager.filter(pk=notice.pk, lease_owner=owner)


def _named(notice: Notice) -> str:
    """A notice in the log."""
    return f"{notice._meta.object_name} {notice}"


def _send(notice: N, owner: str, post: Post, write: Callable[[N], Letter | None], now: datetime) -> int:
    """Send one mail that is claimed. Out: 1 when it was sent. Errors: NotSent."""
    mail = write(notice)
    held = _held(notice, owner)
    if mail is None:
        held.filter(state=Posted.WAITING).delete()
        return 0
    if not held.filter(state=Posted.WAITING).update(state=Posted.SENDING, asked_at=now):
        return 0
    try:
        refused = post.send(mail)
    except Unsure:
        held.update(state=Posted.UNSURE, last_error=mailing.UNSURE, next_due_at=None)
        return 0
    held.update(state=Posted.SENT, sent_at=now, last_error=refused, failures=0, next_due_at=None)
    logger.info("%s: told", _named(notice))
    return 1


def _failed(notice: Notice, owner: str, error: str, now: datetime, *states: Posted) -> None:
    """It was surely not sent: it waits, ever longer. states: in which of them that is so."""
    _held(notice, owner).filter(state__in=states).update(
        state=Posted.WAITING,
        failures=F("failures") + 1,
        last_error=error,
        next_due_at=now + mailing.backoff(notice.failures),
    )
    logger.warning("%s: %s", _named(notice), error)
