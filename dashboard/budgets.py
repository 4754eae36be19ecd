"""Budgets: how much of each is spent, and telling once a month of each threshold that was reached.

A threshold is claimed by a row that can exist only once (BudgetNotice), and its mail by a lease on that row. Of
several that are reached at once the highest is told, and the lower ones with it. The mail server is spoken to
outside of any transaction, and what is on its way is noted before: a mail of which nobody can know whether it
arrived is not sent again by itself, but shown.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from dashboard import filters, mailing, outlook
from dashboard.mailing import Letter, NotSent, Post
from dashboard.models import Budget, BudgetNotice, Posted
from dashboard.smtp import Unsure
from dashboard.templatetags import ledger
from reports import leases
from reports.figures import forecast, period, telephony
from reports.figures.forecast import Forecast
from reports.filter import Filter

logger = logging.getLogger(__name__)

GIVE_UP = timedelta(days=3)
A_RUN = 50


@dataclass(frozen=True, slots=True)
class Status:
    """One budget in one month. spent is None when calls were made and none has a price."""

    budget: Budget
    first: date
    last: date
    spent: Decimal | None
    unpriced: int

    @property
    def amount(self) -> Decimal:
        # The field is not null; its type does not say so.
        return self.budget.amount or Decimal(1)

    @property
    def share(self) -> float | None:
        """Spent ÷ amount."""
        return None if self.spent is None else float(self.spent / self.amount)

    def reached(self) -> list[int]:
        """The thresholds that are spent, rising. A threshold is reached when exactly so much is spent."""
        spent = self.spent
        if spent is None:
            return []
        return sorted(one for one in self.budget.thresholds if spent * 100 >= self.amount * one)

    def next(self) -> int | None:
        """The lowest threshold that is still to come."""
        return min(set(self.budget.thresholds) - set(self.reached()), default=None)


def filter_of(budget: Budget) -> Filter:
    """The calls that a budget is about, of any day."""
    return Filter(rooms=(budget.room.host_id,) if budget.room else ())


def status(budget: Budget, month: date) -> Status:
    """How a budget stands in the month of a local day."""
    first, last = month.replace(day=1), period.month_end(month)
    total = telephony.total(replace(filter_of(budget), first=first, last=last))
    return Status(budget, first, last, total.cost, total.unpriced)


def calls_url(found: Status) -> str:
    """The page of the calls that were counted."""
    return filters.link(reverse("telephony"), filter_of(found.budget), first=found.first, last=found.last)


# Checking ---------------------------------------------------------------------------------------------------


def check(now: datetime) -> int:
    """Note every threshold that was reached and is not told of yet, and send what is to be sent. Out: mails sent."""
    if not mailing.is_on():
        return 0
    for budget in Budget.objects.filter(active=True).select_related("room"):
        _notice(status(budget, period.today(now)), now)
    return _send_all(now)


def _notice(found: Status, now: datetime) -> None:
    """Rows for the thresholds that are reached for the first time: the highest is to be sent, the others with it."""
    reached = found.reached()
    rows = BudgetNotice.objects.filter(budget=found.budget, month=found.first)
    fresh = set(reached) - set(rows.values_list("threshold", flat=True))
    if not fresh:
        return
    highest = max(fresh)
    with transaction.atomic():
        notice, _ours = rows.get_or_create(
            threshold=highest,
            defaults={
                "budget": found.budget,
                "month": found.first,
                "noticed_at": now,
                "next_due_at": now,
            },
        )
        BudgetNotice.objects.bulk_create(
            (
                BudgetNotice(
                    budget=found.budget,
                    month=found.first,
                    threshold=threshold,
                    state=Posted.SENT,
                    told_with=notice,
                    noticed_at=now,
                )
                # In one order: two workers who insert the same rows crosswise would wait for each other for ever.
                for threshold in sorted(fresh - {highest}, reverse=True)
            ),
            ignore_conflicts=True,
        )
        # A lower one whose mail could not be sent so far goes out with this one.
        rows.filter(leases.free(now), threshold__lt=highest, state=Posted.WAITING).update(
            state=Posted.SENT, told_with=notice, next_due_at=None, last_error=""
        )


# Sending ----------------------------------------------------------------------------------------------------


def _send_all(now: datetime) -> int:
    leases.release_gone(BudgetNotice, now)
    # Whoever was at it is no more: nobody knows how far it came.
    BudgetNotice.objects.filter(leases.free(now), state=Posted.SENDING).update(
        state=Posted.UNSURE, last_error=mailing.STOPPED, next_due_at=None
    )
    due = BudgetNotice.objects.filter(
        Q(state=Posted.WAITING) & Q(next_due_at__lte=now) & Q(budget__active=True), noticed_at__gt=now - GIVE_UP
    ).order_by("next_due_at", "pk")
    owner, clock = leases.new_owner(), mailing.running_from(now)
    sent = 0
    with Post() as post:
        for _number in range(A_RUN):
            for notice in (held := leases.claim(due, owner, clock(), 1)):
                try:
                    post.ready()
                    sent += _send(notice, owner, post, now)
                except NotSent as error:
                    _failed(notice, owner, str(error), now, Posted.WAITING, Posted.SENDING)
                    # A server that cannot be reached is asked once a run, not once a mail.
                    if error.unreachable:
                        return sent
                except Exception as error:
                    # The others may not wait for it.
                    logger.exception("budget %s", notice.budget_id)
                    _failed(notice, owner, mailing.stopped_by(error), now, Posted.WAITING)
                finally:
                    BudgetNotice.objects.filter(pk=notice.pk, lease_owner=owner).update(
                        lease_owner="", lease_until=None
                    )
            if not held:
                break
    return sent


def _send(notice: BudgetNotice, owner: str, post: Post, now: datetime) -> int:
    """Send one mail that is claimed. Out: 1 when it was sent. Errors: NotSent."""
    budget = Budget.objects.select_related("room").get(pk=notice.budget_id)
    held = BudgetNotice.objects.filter(pk=notice.pk, lease_owner=owner)
    current = status(budget, notice.month)
    if notice.threshold not in current.reached():
        # The budget was changed, or a report, before anybody was told: there is nothing to tell.
        held.filter(state=Posted.WAITING).delete()
        return 0
    this_month = current.first <= period.today(now) <= current.last
    mail = letter(notice, current, forecast.forecast(filter_of(budget), now) if this_month else None)
    if not held.filter(state=Posted.WAITING).update(state=Posted.SENDING, asked_at=now):
        return 0
    try:
        refused = post.send(mail)
    except Unsure:
        held.update(state=Posted.UNSURE, last_error=mailing.UNSURE, next_due_at=None)
        return 0
    held.update(state=Posted.SENT, sent_at=now, last_error=refused, failures=0, next_due_at=None)
    logger.info("budget %s: told that %d%% is reached", budget.pk, notice.threshold)
    return 1


def _failed(notice: BudgetNotice, owner: str, error: str, now: datetime, *states: Posted) -> None:
    """It was surely not sent: it waits, ever longer. states: in which of them that is so."""
    BudgetNotice.objects.filter(pk=notice.pk, lease_owner=owner, state__in=states).update(
        state=Posted.WAITING,
        failures=F("failures") + 1,
        last_error=error,
        next_due_at=now + mailing.backoff(notice.failures),
    )
    logger.warning("budget %s, %d%%: %s", notice.budget_id, notice.threshold, error)


def send_again(notice: BudgetNotice, now: datetime) -> bool:
    """Have a mail sent once more of which a person says so; False when it needs none or somebody is at it."""
    stuck = Q(state__in=(Posted.UNSURE, Posted.REFUSED, Posted.WAITING))
    found = BudgetNotice.objects.filter(stuck & leases.free(now), pk=notice.pk)
    return bool(found.update(state=Posted.WAITING, next_due_at=now, noticed_at=now, failures=0, last_error=""))


def letter(notice: BudgetNotice, current: Status, expected: Forecast | None) -> Letter:
    """The mail of one threshold, in the budget's language."""
    budget = current.budget
    with translation.override(budget.language):
        what = str(budget)
        lower = list(notice.tells_too.order_by("threshold").values_list("threshold", flat=True))
        facts = _facts(current, expected)
        subject = _("Telephony budget: %(percent)s%% of %(amount)s reached (%(what)s)") % {
            "percent": notice.threshold,
            "amount": ledger.money(budget.amount),
            "what": what,
        }
        lead = _(
            "The calls of %(month)s have cost %(spent)s so far. That is %(share)s of the budget of %(amount)s."
        ) % {
            "month": ledger.month(current.first),
            "spent": ledger.money(current.spent),
            "share": ledger.percent(current.share),
            "amount": ledger.money(budget.amount),
        }
        also = _also(lower)
        once = _("Each threshold is told once a month.")
        calls = mailing.absolute(calls_url(current))
        page = mailing.absolute(reverse("budgets"))
        context = {
            "language": budget.language,
            "title": _("%(percent)s%% of the telephony budget is reached") % {"percent": notice.threshold},
            "what": what,
            "lead": lead,
            "also": also,
            "facts": facts,
            "once": once,
            "calls_url": calls,
            "calls_label": _("Open the calls"),
            "budgets_url": page,
            "budgets_label": _("All budgets"),
        }
        lines = [context["title"], what, "", lead, *([also] if also else []), ""]
        lines += [mailing.named(label, value) for label, value in facts]
        lines += ["", mailing.named(_("The calls"), calls), mailing.named(_("All budgets"), page), "", once]
        return Letter(
            subject=subject,
            text="\n".join(map(str, lines)) + "\n",
            html=render_to_string("mail/budget.html", context),
            to=budget.recipients,
            message_id=mailing.message_id("budget", budget.pk, notice.month, notice.threshold),
        )


def _also(lower: Sequence[int]) -> str:
    if not lower:
        return ""
    return _("With it, for the first time this month: %(list)s.") % {"list": ", ".join(f"{one}%" for one in lower)}


def _facts(current: Status, expected: Forecast | None) -> list[tuple[str, str]]:
    """What stands in the mail one below the other: name and value."""
    facts = [
        (_("Spent"), ledger.money(current.spent)),
        (_("Budget"), ledger.money(current.budget.amount)),
    ]
    if expected is not None:
        facts.append((_("Expected"), outlook.sentence(expected)))
    if following := current.next():
        facts.append((_("Next threshold"), f"{following}%"))
    if current.unpriced:
        facts.append((_("Unpriced calls"), ledger.count(current.unpriced)))
    return facts
