"""What belongs to the site and its accounts: saved views, mail of views, budgets, what was done, tokens.

The database alone says what is due and what was sent, as it does for pulls: a mail is claimed by one conditional
UPDATE or one unique row, never by a message of the broker.
"""

import secrets
from datetime import datetime
from typing import Any, ClassVar, NoReturn

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


class Notice(Work):
    """One mail that tells of something once, whatever happens afterwards. Which row can exist once, each kind says."""

    state = models.CharField(_("state"), max_length=10, choices=Posted.choices, default=Posted.WAITING)
    noticed_at = models.DateTimeField(_("noticed"))
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta:
        abstract = True


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


class BudgetNotice(Notice):
    """One threshold of one budget that was reached in one month: told once, whatever happens afterwards.

    The row is what claims it. told_with: the notice of a higher threshold, reached at the same time, whose mail
    tells of this one too.
    """

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="notices")
    month = models.DateField(_("month"), help_text="its first day")
    threshold = models.PositiveIntegerField(_("threshold"), help_text="percent")
    told_with = models.ForeignKey("self", models.CASCADE, null=True, related_name="tells_too")

    class Meta:
        ordering = ("-month", "-threshold")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "month", "threshold"], name="budget_notice_once"),
        ]
        verbose_name = _("budget notice")
        verbose_name_plural = _("budget notices")

    def __str__(self) -> str:
        return f"{self.budget_id} {self.month:%Y-%m} {self.threshold}%"


class RoomGroup(models.Model):
    """Rooms under one name, for accounts that may see no others."""

    name = models.CharField(_("name"), max_length=LONGEST_NAME, unique=True)
    rooms = models.ManyToManyField(Room, blank=True, related_name="room_groups", verbose_name=_("rooms"))

    class Meta:
        ordering = ("name",)
        verbose_name = _("room group")
        verbose_name_plural = _("room groups")

    def __str__(self) -> str:
        return self.name


class RoomLimit(models.Model):
    """The rooms that one account may see: those chosen, and those of the chosen groups. Without a row it sees all."""

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="room_limit", verbose_name=_("account")
    )
    rooms = models.ManyToManyField(Room, blank=True, related_name="limits", verbose_name=_("rooms"))
    groups = models.ManyToManyField(RoomGroup, blank=True, related_name="limits", verbose_name=_("room groups"))

    class Meta:
        default_permissions = ()
        verbose_name = _("limit to rooms")
        verbose_name_plural = _("limits to rooms")
        permissions: ClassVar = [
            ("download_csv", _("Can download CSV")),
            ("share_views", _("Can share views with every account")),
            ("manage_accounts", _("Can manage accounts")),
        ]

    def __str__(self) -> str:
        return str(self.account)


# What was done, by whom ---------------------------------------------------------------------------------------


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Entries are added and read, never changed or removed."""

    def update(self, **_kwargs: Any) -> NoReturn:
        raise TypeError("An entry of the audit is never changed.")

    def delete(self) -> NoReturn:
        raise TypeError("An entry of the audit is never removed.")


class AuditEntry(models.Model):
    """One thing that was done: when, by which account, from where. audit.note writes it, in the change's transaction.

    Nothing secret is in it: no password, no token, no telephone number in full. An entry outlives its account, whose
    name stays. No account: the site itself, a command, or somebody who is not signed in.
    """

    class Action(models.TextChoices):
        SIGNED_IN = "signed-in", _("signed in")
        SIGN_IN_FAILED = "sign-in-failed", _("failed to sign in")
        SIGNED_OUT = "signed-out", _("signed out")
        CSV = "csv", _("downloaded a CSV table")
        VIEW_MADE = "view-made", _("saved a view")
        VIEW_CHANGED = "view-changed", _("changed a view")
        VIEW_DELETED = "view-deleted", _("deleted a view")
        MAIL_MADE = "mail-made", _("set up a mail report")
        MAIL_CHANGED = "mail-changed", _("changed a mail report")
        MAIL_PAUSED = "mail-paused", _("paused a mail report")
        MAIL_RESUMED = "mail-resumed", _("let a mail report go on")
        MAIL_SENT = "mail-sent", _("had a mail report sent")
        MAIL_DELETED = "mail-deleted", _("deleted a mail report")
        BUDGET_MADE = "budget-made", _("set a budget")
        BUDGET_CHANGED = "budget-changed", _("changed a budget")
        BUDGET_DELETED = "budget-deleted", _("deleted a budget")
        BUDGET_SENT = "budget-sent", _("had a budget's mail sent again")
        ROOM_RENAMED = "room-renamed", _("renamed a room")
        NUMBERS_TRACKED = "numbers-tracked", _("registered meeting numbers")
        PULL_STARTED = "pull-started", _("started a pull")
        ACCOUNT_MADE = "account-made", _("made an account")
        ACCOUNT_CHANGED = "account-changed", _("changed an account")
        ACCOUNT_DELETED = "account-deleted", _("deleted an account")
        ROLE_CHANGED = "role-changed", _("changed an account's roles")
        LIMITS_CHANGED = "limits-changed", _("changed which rooms an account sees")
        LINK_MADE = "link-made", _("made a link to choose a password")
        ROOMS_GROUPED = "rooms-grouped", _("set up a room group")
        ROOMS_UNGROUPED = "rooms-ungrouped", _("deleted a room group")
        GROUP_MADE = "group-made", _("made a role")
        GROUP_CHANGED = "group-changed", _("changed a role")
        GROUP_DELETED = "group-deleted", _("deleted a role")
        TOKEN_MADE = "token-made", _("made a token")
        TOKEN_REVOKED = "token-revoked", _("revoked a token")
        NAME_ERASED = "name-erased", _("erased a display name")
        HELD_EXPORTED = "held-exported", _("exported what is held on a display name")
        NAMES_PRUNED = "names-pruned", _("removed names and telephone numbers by their age")
        MEETINGS_PRUNED = "meetings-pruned", _("removed meetings by their age")

    at = models.DateTimeField(_("time"), db_index=True)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("account")
    )
    account_name = models.CharField(_("account"), max_length=150, blank=True)
    client = models.CharField(_("address"), max_length=45, blank=True)
    action = models.CharField(_("what"), max_length=40)
    object = models.CharField(_("of what"), max_length=300, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        indexes: ClassVar = [
            models.Index(fields=["account_name", "-at"], name="audit_account"),
            models.Index(fields=["action", "-at"], name="audit_action"),
        ]
        default_permissions = ()
        permissions: ClassVar = [
            ("see_audit", _("Can see what was done on the site, and by whom")),
            ("erase_names", _("Can erase a display name, and export what is held on it")),
        ]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An entry of the audit is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("An entry of the audit is never removed.")


class ApiToken(models.Model):
    """What a program shows in place of an account to read the CSV tables. Only its hash is kept (see tokens.py)."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", verbose_name=_("account")
    )
    name = models.CharField(_("name"), max_length=LONGEST_NAME)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(_("begins with"), max_length=12, editable=False)
    created_at = models.DateTimeField(_("created"))
    last_used_at = models.DateTimeField(_("last used"), null=True, help_text="to the hour")
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "name"], name="api_token_account_name")]
        default_permissions = ()
        permissions: ClassVar = [("use_tokens", _("Can read the CSV tables with tokens"))]
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self) -> str:
        return self.name

    def is_good(self, now: datetime) -> bool:
        """Whether it opens anything at a moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class SetupLink(models.Model):
    """A one-time link to make the first administrator, and how far the set-up that it began has come.

    Only the hash of its secret is kept: who reads the database cannot open it.
    """

    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    zone_at = models.DateTimeField(null=True)  # when the time zone was confirmed
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("set-up link")
        verbose_name_plural = _("set-up links")

    def __str__(self) -> str:
        return f"{self.made_at:%Y-%m-%d %H:%M}"


class Outage(models.Model):
    """A time in which no pull ended well: from the last that did. ended_at: when one did again, NULL until then."""

    since = models.DateTimeField(_("since"))
    source = models.CharField(_("source"), max_length=16)
    reason = models.TextField(_("reason"), blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        ordering = ("-since",)
        constraints: ClassVar = [
            # Two workers that notice it at once make one row.
            models.UniqueConstraint(
                Value(1, output_field=models.IntegerField()), name="outage_lasts_once", condition=Q(ended_at=None)
            ),
        ]
        default_permissions = ()
        verbose_name = _("outage")
        verbose_name_plural = _("outages")

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M}"


class OutageNotice(Notice):
    """The mail that an outage began, or that it is over: each is told once."""

    class Kind(models.TextChoices):
        BEGAN = "began", _("began")
        OVER = "over", _("is over")

    outage = models.ForeignKey(Outage, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=5, choices=Kind.choices)

    class Meta:
        ordering = ("-noticed_at",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["outage", "kind"], name="outage_notice_once")]
        default_permissions = ()
        verbose_name = _("notice of an outage")
        verbose_name_plural = _("notices of outages")

    def __str__(self) -> str:
        return f"{self.outage_id} {self.kind}"
