"""Mail of views: what is sent, to whom and when; and the way out for its readers."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required, permission_required
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard import audit, limits, mail_reports, mailing, roles, tasks
from dashboard.mail_reports import MOST_RECIPIENTS
from dashboard.models import LONGEST_NAME, MailRecipient, MailReport
from dashboard.pages import base, kept
from dashboard.places import Place

MAY_CHANGE_ALL = "dashboard.change_mailreport"
# A CSV may go along.
MAY_MAIL = (roles.MAY_MAIL, roles.MAY_DOWNLOAD)


class MailForm(forms.Form):
    """What is mailed how often, and to whom."""

    name = kept.NameField(
        label=pgettext_lazy("of what is kept", "Name"),
        max_length=LONGEST_NAME,
        help_text=gettext_lazy("The subject of the mail begins with it."),
    )
    frequency = forms.ChoiceField(label=gettext_lazy("How often"), choices=MailReport.Frequency.choices)
    hour = forms.TypedChoiceField(
        label=gettext_lazy("At"), coerce=int, choices=[(hour, f"{hour:02}:00") for hour in range(24)]
    )
    table = forms.ChoiceField(label=gettext_lazy("CSV attached"), required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language of the mail"), choices=settings.LANGUAGES)
    recipients = forms.CharField(
        label=gettext_lazy("Recipients"),
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("E-mail addresses, with commas or lines between. Each gets a mail of its own."),
    )

    def __init__(self, data: Any, *, report: MailReport, place: Place | None) -> None:
        self.report = report
        known = list(report.recipients.all()) if report.pk else []
        self.unsubscribed = [one for one in known if one.unsubscribed_at]
        initial = {
            "name": report.name,
            "frequency": report.frequency,
            "hour": report.hour,
            "table": report.table,
            "language": report.language,
            "recipients": "\n".join(one.address for one in known if not one.unsubscribed_at),
        }
        super().__init__(data, initial=initial)
        tables = place.tables if place else ()
        labels = base.csv_labels()
        self.fields["table"].choices = [("", _("none")), *((name, labels[name]) for name in tables)]  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if MailReport.objects.filter(owner=self.report.owner, name=name).exclude(pk=self.report.pk).exists():
            raise ValidationError(_("There is a mail report of that name already. Choose another name."))
        return name

    def clean_recipients(self) -> list[str]:
        found = mailing.read_addresses(self.cleaned_data["recipients"], MOST_RECIPIENTS)
        gone = {one.address.casefold() for one in self.unsubscribed}
        if back := [address for address in found if address.casefold() in gone]:
            raise ValidationError(
                _("%(list)s unsubscribed from this report. Only the link in a mail of it can undo that.")
                % {"list": ", ".join(back)}
            )
        return found

    def save(self, now: datetime) -> bool:
        """Keep the report and its recipients; False, and the error in the form, when the name was taken meanwhile."""
        report, given = self.report, self.cleaned_data
        moved = (report.frequency, report.hour) != (given["frequency"], given["hour"])
        for name in ("name", "frequency", "hour", "table", "language"):
            setattr(report, name, given[name])
        if moved or report.next_due_at is None:
            mail_reports.plan(report, now)
        try:
            with transaction.atomic():
                code = audit.Action.MAIL_CHANGED if report.pk else audit.Action.MAIL_MADE
                report.save()
                kept_ones = {one.address for one in report.recipients.all()}
                wanted = given["recipients"]
                report.recipients.filter(unsubscribed_at=None).exclude(address__in=wanted).delete()
                MailRecipient.objects.bulk_create(
                    MailRecipient(report=report, address=address) for address in wanted if address not in kept_ones
                )
                told = {"frequency": report.frequency, "hour": report.hour, "table": report.table}
                address = base.safe_address(report.path, report.query)
                owner = report.owner.get_username()
                audit.note(None, code, report.name, owner=owner, recipients=wanted, **told, **address)
        except IntegrityError:
            self.add_error("name", _("There is a mail report of that name already. Choose another name."))
            return False
        return True


def _own(request: base.HtmxHttpRequest) -> QuerySet[MailReport]:
    """The reports that the account may change: its own, or all for staff with the permission."""
    if request.user.is_staff and request.user.has_perm(MAY_CHANGE_ALL) and not limits.is_limited(request.user):
        return MailReport.objects.select_related("owner")
    return MailReport.objects.filter(owner=base.account(request)).select_related("owner")


@require_safe
def mail(request: base.HtmxHttpRequest) -> HttpResponse:
    """The mail reports of an account: when the next one goes out, when the last one did, and what went wrong."""
    now = timezone.now()
    counts = {
        "readers": Count("recipients", filter=Q(recipients__unsubscribed_at=None)),
        "gone": Count("recipients", filter=~Q(recipients__unsubscribed_at=None)),
    }
    entries = [
        {
            "key": str(report.pk),
            "report": report,
            "hour": f"{report.hour:02}:00",
            "kept": kept.read(report.path, report.query, report.owner, now),
            "own": report.owner_id == request.user.pk,
        }
        for report in _own(request).annotate(**counts)
    ]
    context = {"entries": entries, "mail_on": mailing.is_on(), "may_mail": roles.may_mail(request.user)}
    return render(request, "mail_reports/mail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(MAY_MAIL, raise_exception=True)
def new(request: base.HtmxHttpRequest) -> HttpResponse:
    """A new report of the view that the query names."""
    given = request.POST if request.method == "POST" else request.GET
    user = base.account(request)
    report = MailReport(owner=user, language=get_language() or settings.LANGUAGE_CODE)
    try:
        report.path, report.query, place = kept.canonical(
            given.get("path", ""), given.get("query", ""), user, timezone.now()
        )
    except ValidationError as error:
        return render(request, "400.html", {"reason": " ".join(error.messages), "back": "/views/"}, status=400)
    view = user.saved_views.filter(path=report.path, query=report.query).first()
    report.name = view.name if view else ""
    report.table = place.tables[0]
    return _edit(request, report, place, _("The report is set up. Its first mail goes out at the time below."))


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(MAY_MAIL, raise_exception=True)
def edit(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Change a report; its view stays as it is."""
    report = get_object_or_404(_own(request), pk=pk)
    try:
        _path, _query, place = kept.canonical(report.path, report.query, report.owner, timezone.now())
    except ValidationError:
        place = None
    return _edit(request, report, place, _("The report is changed."))


def _edit(request: base.HtmxHttpRequest, report: MailReport, place: Place | None, done: str) -> HttpResponse:
    now = timezone.now()
    form = MailForm(request.POST if request.method == "POST" else None, report=report, place=place)
    if form.is_valid() and form.save(now):
        messages.success(request, done)
        return redirect("mail")
    context = {
        "form": form,
        "report": report,
        "kept": kept.read(report.path, report.query, report.owner, now),
        "mail_on": mailing.is_on(),
    }
    return render(request, "mail_reports/edit.html", context, status=400 if form.is_bound else 200)


@require_POST
def pause(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Pause a report, or go on with it at its next moment."""
    report = get_object_or_404(_own(request), pk=pk)
    report.active = not report.active
    if report.active:
        mail_reports.plan(report, timezone.now())
    with transaction.atomic():
        report.save(update_fields=["active", "next_due_at", "sending_for", "failures", "last_error"])
        code = audit.Action.MAIL_RESUMED if report.active else audit.Action.MAIL_PAUSED
        audit.note(request, code, report.name, owner=report.owner.get_username())
    said = _("%(name)s goes on.") if report.active else _("%(name)s is paused.")
    messages.success(request, said % {"name": report.name})
    return redirect("mail")


def _send_now(request: base.HtmxHttpRequest, report: MailReport) -> bool:
    with transaction.atomic():
        sent = mail_reports.send_now(report, timezone.now())
        if sent:
            audit.note(request, audit.Action.MAIL_SENT, report.name, owner=report.owner.get_username())
    return sent


@require_POST
@permission_required(MAY_MAIL, raise_exception=True)
def send(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Send a report as soon as a worker looks."""
    report = get_object_or_404(_own(request), pk=pk)
    if not mailing.is_on():
        messages.error(request, _("Mail is off, so that nothing can be sent."))
    elif _send_now(request, report):
        tasks.wake(tasks.send_due_reports)
        messages.success(request, _("%(name)s is sent in a moment.") % {"name": report.name})
    else:
        messages.info(request, _("%(name)s is paused, or just being sent.") % {"name": report.name})
    return redirect("mail")


@require_POST
def delete(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Delete a report and its recipients."""
    report = get_object_or_404(_own(request), pk=pk)
    with transaction.atomic():
        audit.note(request, audit.Action.MAIL_DELETED, report.name, owner=report.owner.get_username())
        report.delete()
    messages.success(request, _("The report %(name)s is deleted.") % {"name": report.name})
    return redirect("mail")


@csrf_exempt  # a mail program's own button has no form of ours; the token is what nobody can guess
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: base.HtmxHttpRequest, token: str) -> HttpResponse:
    """End the mail of one report to one address, or take that back. Looking at the page changes nothing."""
    recipient = MailRecipient.objects.select_related("report").filter(token=token).first()
    if recipient is None:
        return render(request, "mail_reports/unsubscribe.html", {"recipient": None}, status=404)
    if request.method == "POST":
        again = "again" in request.POST
        rows = MailRecipient.objects.filter(pk=recipient.pk, unsubscribed_at__isnull=not again)
        rows.update(unsubscribed_at=None if again else timezone.now())
        recipient.refresh_from_db()
    return render(request, "mail_reports/unsubscribe.html", {"recipient": recipient, "done": request.method == "POST"})
