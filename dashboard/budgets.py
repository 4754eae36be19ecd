"""Budgets: how much of each is spent, and telling once a month of each threshold that was reached.

A threshold is claimed by a row that can exist only once (BudgetNotice), and its mail is sent as notices.py does. Of
several that are reached at once the highest is told, and the lower ones with it. A mail of which nobody can know
whether it arrived is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from dashboard import filters, mailing, notices, outlook
from dashboard.mailing import Letter
from dashboard.models import Budget, BudgetNotice, Posted
from dashboard.templatetags import ledger
from reports import leases
from reports.figures import forecast, period, telephony
from reports.figures.forecast import Forecast
from reports.filter import Filter


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
    rows = BudgetNotice.objects.filter(budget__active=True).order_by("next_due_at", "pk")
    return notices.send_all(rows, lambda notice: _write(notice, now), now)


def _write(notice: BudgetNotice, now: datetime) -> Letter | None:
    """The mail of one threshold as things are now; None when the budget was changed, or a report, meanwhile."""
    budget = Budget.objects.select_related("room").get(pk=notice.budget_id)
    current = status(budget, notice.month)
    if notice.threshold not in current.reached():
        return None
    this_month = current.first <= period.today(now) <= current.last
    return letter(notice, current, forecast.forecast(filter_of(budget), now) if this_month else None)


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
