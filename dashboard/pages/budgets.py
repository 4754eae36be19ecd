"""Budgets of the telephone calls: how much is spent, where it is going, and who is told."""

import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit, limits, mailing, outlook, tables, tasks
from dashboard import budgets as figures
from dashboard.models import Budget, BudgetNotice, Posted
from dashboard.notices import GIVE_UP
from dashboard.pages import base
from reports.figures import forecast, period
from reports.models import Room

MAY_SEE, MAY_ADD = "dashboard.view_budget", "dashboard.add_budget"
MAY_CHANGE, MAY_DELETE = "dashboard.change_budget", "dashboard.delete_budget"
MOST_RECIPIENTS = 20
MOST_THRESHOLDS = 10
HIGHEST_THRESHOLD = 1000
LARGEST = Decimal(1_000_000_000)


if TYPE_CHECKING:
    Form = forms.ModelForm[Budget]
else:
    Form = forms.ModelForm


class BudgetForm(Form):
    """A budget as people write one: ¥ 1,200 and 50, 80, 100 %."""

    amount = forms.CharField(label=gettext_lazy("Budget a month"), help_text=gettext_lazy("Yuan, such as 1200."))
    thresholds = forms.CharField(
        label=gettext_lazy("Tell at"),
        help_text=gettext_lazy("Percent of the budget, with commas between. Each is told once a month."),
    )
    recipients = forms.CharField(
        label=gettext_lazy("Recipients"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("E-mail addresses, with commas or lines between. They see one another."),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language of the mail"), choices=settings.LANGUAGES)
    active = forms.BooleanField(label=gettext_lazy("Tell when a threshold is reached"), required=False)

    class Meta:
        model = Budget
        fields = ("room", "amount", "thresholds", "recipients", "language", "active")
        labels = {"room": gettext_lazy("Calls of")}

    def __init__(self, *args: Any, allowed: QuerySet[Room], whole: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        room = self.fields["room"]
        assert isinstance(room, forms.ModelChoiceField)  # noqa: S101 — a foreign key's field
        room.queryset = allowed
        room.required = not whole
        room.empty_label = _("All rooms") if whole else None
        if self.instance.pk:
            self.initial["amount"] = format(self.instance.amount or Decimal(0), "f")
        self.initial["recipients"] = "\n".join(self.instance.recipients)
        self.initial["thresholds"] = ", ".join(map(str, self.instance.thresholds))

    def clean_amount(self) -> Decimal:
        text = re.sub(r"[\s,，¥￥]", "", self.cleaned_data["amount"])
        try:
            amount = Decimal(text) if re.fullmatch(r"\d+(\.\d{1,2})?", text, re.ASCII) else Decimal(0)
        except InvalidOperation:
            amount = Decimal(0)
        if not 0 < amount <= LARGEST:
            raise ValidationError(_("Give an amount above 0 with two decimals at most, such as 1200 or 99.50."))
        return amount

    def clean_thresholds(self) -> list[int]:
        pieces = [piece for piece in re.split(r"[\s,;，；、%％]+", self.cleaned_data["thresholds"]) if piece]
        good = all(re.fullmatch(r"\d{1,4}", piece, re.ASCII) for piece in pieces)
        numbers = sorted({int(piece) for piece in pieces}) if good else []
        if not numbers or not 1 <= numbers[0] <= numbers[-1] <= HIGHEST_THRESHOLD or len(numbers) > MOST_THRESHOLDS:
            raise ValidationError(
                _("Give one to %(most)d whole numbers from 1 to %(highest)d, such as 50, 80, 100.")
                % {"most": MOST_THRESHOLDS, "highest": HIGHEST_THRESHOLD}
            )
        return numbers

    def clean_recipients(self) -> list[str]:
        return mailing.read_addresses(self.cleaned_data["recipients"], MOST_RECIPIENTS)


def _allowed(request: base.HtmxHttpRequest) -> frozenset[str] | None:
    """The rooms whose costs the account may see; None: all."""
    return limits.allowed_rooms(request.user)


def _budgets(request: base.HtmxHttpRequest) -> QuerySet[Budget]:
    """The budgets that the account may see: of its rooms, and the one of all rooms only if it sees all."""
    allowed = _allowed(request)
    found = Budget.objects.select_related("room")
    return found if allowed is None else found.filter(room__host_id__in=allowed)


def _form(request: base.HtmxHttpRequest, budget: Budget) -> BudgetForm:
    allowed = _allowed(request)
    # Temporary rooms had one meeting each; a budget for one says nothing.
    rooms = Room.objects.filter(Q(temporary=False) | Q(pk=budget.room_id))
    if allowed is not None:
        rooms = rooms.filter(host_id__in=allowed)
    given = request.POST if request.method == "POST" else None
    return BudgetForm(given, instance=budget, allowed=rooms, whole=allowed is None)


@require_safe
@permission_required(MAY_SEE, raise_exception=True)
def budgets(request: base.HtmxHttpRequest) -> HttpResponse:
    """Every budget with what is spent of it this month, where it is going, and what was told."""
    now = timezone.now()
    today = period.today(now)
    entries = []
    allowed = _allowed(request)
    for budget in _budgets(request):
        status = figures.status(budget, today)
        notices = list(budget.notices.filter(month=status.first).order_by("threshold"))
        expected = forecast.forecast(replace(figures.filter_of(budget), allowed_rooms=allowed), now)
        entries.append(
            {
                "key": str(budget.pk),
                "budget": budget,
                "name": str(budget),
                "status": status,
                "next": status.next(),
                "bar": _bar(status),
                "expected": outlook.sentence(expected) if expected else "",
                "over": expected is not None and expected.so_far <= status.amount < expected.likely,
                "unpriced": outlook.unpriced(status.unpriced),
                "calls_url": figures.calls_url(status),
                "notices": [_told(notice, now) for notice in notices],
            }
        )
    context = {
        "entries": entries,
        "month": today,
        "mail_on": mailing.is_on(),
        "may_add": request.user.has_perm(MAY_ADD),
        "may_change": request.user.has_perm(MAY_CHANGE),
        "may_delete": request.user.has_perm(MAY_DELETE),
    }
    return render(request, "budgets/budgets.html", context)


def _bar(status: figures.Status) -> dict[str, Any]:
    """What is spent as a bar within 100, and where its thresholds are."""
    share = status.share
    return {
        "width": tables.bar(share, 1),
        "over": share is not None and share > 1,
        "ticks": [one for one in status.budget.thresholds if one < 100],
    }


def _told(notice: BudgetNotice, now: Any) -> dict[str, Any]:
    """One threshold of this month as the page has it."""
    given_up = notice.state == Posted.WAITING and notice.noticed_at <= now - GIVE_UP
    return {
        "notice": notice,
        "given_up": given_up,
        "with": notice.told_with.threshold if notice.told_with else None,
        "stuck": notice.state in {Posted.UNSURE, Posted.REFUSED} or given_up or notice.failures > 0,
    }


@permission_required(MAY_ADD, raise_exception=True)
def add(request: base.HtmxHttpRequest) -> HttpResponse:
    """A new budget."""
    budget = Budget(created_by=base.account(request), language=get_language() or settings.LANGUAGE_CODE)
    return _edit(request, budget, _("The budget is added."))


@permission_required(MAY_CHANGE, raise_exception=True)
def edit(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Change a budget. What was told this month stays told."""
    return _edit(request, get_object_or_404(_budgets(request), pk=pk), _("The budget is changed."))


def _edit(request: base.HtmxHttpRequest, budget: Budget, done: str) -> HttpResponse:
    form = _form(request, budget)
    if form.is_valid():
        with transaction.atomic():
            code = audit.Action.BUDGET_CHANGED if budget.pk else audit.Action.BUDGET_MADE
            kept = form.save()
            told = {"amount": str(kept.amount), "thresholds": kept.thresholds, "active": kept.active}
            audit.note(request, code, str(kept), recipients=kept.recipients, **told)
        # What it has reached already is told at once, not in five minutes.
        tasks.wake(tasks.check_budgets)
        messages.success(request, done)
        return redirect("budgets")
    context = {"form": form, "budget": budget, "mail_on": mailing.is_on()}
    return render(request, "budgets/edit.html", context, status=400 if form.is_bound else 200)


@require_POST
@permission_required(MAY_DELETE, raise_exception=True)
def delete(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Delete a budget and what it told."""
    budget = get_object_or_404(_budgets(request), pk=pk)
    with transaction.atomic():
        audit.note(request, audit.Action.BUDGET_DELETED, str(budget), amount=str(budget.amount))
        budget.delete()
    messages.success(request, _("The budget is deleted: %(what)s.") % {"what": budget})
    return redirect("budgets")


@require_POST
@permission_required(MAY_CHANGE, raise_exception=True)
def send_again(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Send the mail of a threshold again of which nobody knows whether it arrived."""
    notice = get_object_or_404(BudgetNotice, pk=pk, budget__in=_budgets(request))
    with transaction.atomic():
        sent = figures.send_again(notice, timezone.now())
        if sent:
            audit.note(request, audit.Action.BUDGET_SENT, str(notice.budget), threshold=notice.threshold)
    if sent:
        tasks.wake(tasks.check_budgets)
        messages.success(request, _("The mail is sent again in a moment."))
    else:
        messages.info(request, _("The mail is sent already, or just being sent."))
    return redirect("budgets")
