"""What belongs to the site and its accounts: saved views, mail of views, budgets.

The database alone says what is due and what was sent, as it does for pulls: a mail is claimed by one conditional
UPDATE or one unique row, never by a message of the broker.
"""

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from reports.fields import MoneyField
from reports.models import Room, Work

LONGEST_NAME = 100


class SavedView(models.Model):
    """A named filter of one page."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=LONGEST_NAME)
    path = models.TextField(_("page"))
    query = models.TextField(_("filter"), blank=True, help_text="as filters.to_query writes it")
    shared = models.BooleanField(_("shared"), default=False, help_text="Every account may open it.")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "name"], name="saved_view_owner_name")]
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


class Posted(models.TextChoices):
    """How far one mail has come. SENDING ends as one of the next three, even if its worker does not live to tell."""

    WAITING = "waiting", _("to be sent")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    REFUSED = "refused", _("refused")
    UNSURE = "unsure", _("perhaps sent")


class MailReport(Work):
    """A view that is sent by mail again and again. next_due_at: when a worker looks at it next."""

    class Frequency(models.TextChoices):
        DAILY = "daily", _("daily")
        WEEKLY = "weekly", _("weekly, on Monday")
        MONTHLY = "monthly", _("monthly, on the 1st")

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="mail_reports", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=LONGEST_NAME)
    path = models.TextField(_("page"))
    query = models.TextField(_("filter"), blank=True)
    frequency = models.CharField(_("frequency"), max_length=10, choices=Frequency.choices, default=Frequency.WEEKLY)
    hour = models.PositiveSmallIntegerField(_("hour"), default=8, help_text="of the site's zone")
    table = models.CharField(_("CSV attached"), max_length=20, blank=True)
    language = models.CharField(_("language"), max_length=10, default="en")
    active = models.BooleanField(_("active"), default=True)
    # The moment whose mail is on its way; empty between two of them.
    sending_for = models.DateTimeField(null=True, editable=False)
    last_sent_at = models.DateTimeField(_("last sent"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="mail_report_owner_name"),
            models.CheckConstraint(condition=Q(hour__lte=23), name="mail_report_hour"),
        ]
        verbose_name = _("mail report")
        verbose_name_plural = _("mail reports")

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def new_token() -> str:
    """What nobody can guess: it is all that unsubscribing asks for."""
    return secrets.token_urlsafe(32)


class MailRecipient(models.Model):
    """One address that a report goes to, until its reader has had enough."""

    report = models.ForeignKey(MailReport, models.CASCADE, related_name="recipients")
    address = models.CharField(_("e-mail"), max_length=254)
    token = models.CharField(max_length=64, unique=True, default=new_token, editable=False)
    unsubscribed_at = models.DateTimeField(_("unsubscribed"), null=True)

    class Meta:
        ordering = ("address",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["report", "address"], name="mail_recipient_address"),
        ]
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")

    def __str__(self) -> str:
        return self.address


class MailDelivery(models.Model):
    """One mail of one report to one address: what was to go out at a moment goes out once."""

    report = models.ForeignKey(MailReport, models.CASCADE, related_name="deliveries")
    due_at = models.DateTimeField(_("due"))
    address = models.CharField(_("e-mail"), max_length=254)
    state = models.CharField(_("state"), max_length=10, choices=Posted.choices, default=Posted.WAITING)
    sent_at = models.DateTimeField(_("sent"), null=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        ordering = ("-due_at", "address")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["report", "due_at", "address"], name="mail_delivery_once"),
        ]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")

    def __str__(self) -> str:
        return f"{self.address} {self.due_at:%Y-%m-%d %H:%M}"


def usual_thresholds() -> list[int]:
    return [50, 80, 100]


class Budget(models.Model):
    """What the calls of a room, or of all rooms, may cost in a month, and who is told how much of it is spent."""

    room = models.ForeignKey(
        Room, models.CASCADE, null=True, blank=True, related_name="budgets", verbose_name=_("room")
    )
    amount = MoneyField(_("amount"), help_text="yuan a month")
    thresholds = models.JSONField(_("thresholds"), default=usual_thresholds, help_text="percent, rising")
    recipients = models.JSONField(_("recipients"), default=list, help_text="e-mail addresses")
    language = models.CharField(_("language"), max_length=10, default="en")
    active = models.BooleanField(_("active"), default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("room__host_id", "id")
        constraints: ClassVar = [
            # NULL would differ from NULL: two budgets for all rooms.
            models.UniqueConstraint(
                Coalesce(F("room"), Value(0), output_field=models.BigIntegerField()),
                name="budget_room",
                violation_error_message=_("There is a budget for that already. Change it instead."),
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="budget_amount"),
        ]
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")

    def __str__(self) -> str:
        return str(self.room) if self.room else str(_("All rooms"))


class BudgetNotice(Work):
    """One threshold of one budget that was reached in one month: told once, whatever happens afterwards.

    The row is what claims it. told_with: the notice of a higher threshold, reached at the same time, whose mail
    tells of this one too.
    """

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="notices")
    month = models.DateField(_("month"), help_text="its first day")
    threshold = models.PositiveIntegerField(_("threshold"), help_text="percent")
    state = models.CharField(_("state"), max_length=10, choices=Posted.choices, default=Posted.WAITING)
    told_with = models.ForeignKey("self", models.CASCADE, null=True, related_name="tells_too")
    noticed_at = models.DateTimeField(_("noticed"))
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta:
        ordering = ("-month", "-threshold")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "month", "threshold"], name="budget_notice_once"),
        ]
        verbose_name = _("budget notice")
        verbose_name_plural = _("budget notices")

    def __str__(self) -> str:
        return f"{self.budget_id} {self.month:%Y-%m} {self.threshold}%"
