"""Telling administrators by mail that nothing can be pulled any more, once, and that it can again, once.

What an outage is, the ledger says (see coverage.outage). A row of Outage can exist only once while one lasts, and each
of its two mails is a row that can exist only once, and is sent as notices.py does.
"""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from dashboard import accounts, mailing, notices, sentences
from dashboard.mailing import Letter
from dashboard.models import Outage, OutageNotice, Posted
from reports import leases
from reports.figures import coverage


def recipients() -> list[str]:
    """The addresses of the administrators who have one."""
    users = accounts.administrators().exclude(email="").order_by("pk")
    return list(dict.fromkeys(users.values_list("email", flat=True)))


def check(now: datetime) -> int:
    """Note that an outage began or is over, and send what is to be sent. Out: mails sent."""
    if not mailing.is_on():
        return 0
    found = coverage.outage(now)
    if found is not None:
        lasting, _ours = Outage.objects.get_or_create(
            ended_at=None, defaults={"since": found.since, "source": found.source, "reason": found.reason}
        )
        _notice(lasting, OutageNotice.Kind.BEGAN, now)
    else:
        for lasting in Outage.objects.filter(ended_at=None):
            _end(lasting, now)
    return _send_all(now)


def _notice(outage: Outage, kind: str, now: datetime) -> None:
    OutageNotice.objects.get_or_create(outage=outage, kind=kind, defaults={"noticed_at": now, "next_due_at": now})


def _end(outage: Outage, now: datetime) -> None:
    """It is over. Nobody is told of the end of what nobody was told of."""
    if not Outage.objects.filter(pk=outage.pk, ended_at=None).update(ended_at=now):
        return
    told = outage.notices.filter(kind=OutageNotice.Kind.BEGAN)
    told.filter(leases.free(now), state=Posted.WAITING).delete()
    if told.exists():
        _notice(outage, OutageNotice.Kind.OVER, now)


def _send_all(now: datetime) -> int:
    to = recipients()
    rows = OutageNotice.objects.order_by("pk") if to else OutageNotice.objects.none()
    return notices.send_all(rows, lambda notice: letter(notice, to), now)


def _moment(value: datetime) -> str:
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"


def letter(notice: OutageNotice, to: list[str]) -> Letter:
    """The mail that an outage began, or that it is over, in the site's language.

    Which language somebody reads the site in, only their browser knows; and one mail to all is told once.
    """
    outage = notice.outage
    page = mailing.absolute(reverse("data"))
    with translation.override(settings.LANGUAGE_CODE):
        facts = [(_("No pull ended well since"), _moment(outage.since))]
        if notice.kind == OutageNotice.Kind.BEGAN:
            title = _("Nothing has been pulled for a while")
            lead = _("The figures get no newer until this is mended. You are told once, and once more when it is over.")
            facts.append((_("Why"), sentences.say(outage.reason)))
        else:
            title = _("Pulls end well again")
            lead = _("What was missed meanwhile is being pulled.")
            facts.append((_("Over since"), _moment(outage.ended_at or notice.noticed_at)))
        context = {
            "language": settings.LANGUAGE_CODE,
            "title": title,
            "lead": lead,
            "facts": facts,
            "url": page,
            "label": _("Open the data page"),
        }
        lines = [title, "", lead, "", *(mailing.named(label, value) for label, value in facts), ""]
        lines += [mailing.named(_("The data page"), page)]
        return Letter(
            subject=title,
            text="\n".join(map(str, lines)) + "\n",
            html=render_to_string("mail/outage.html", context),
            to=to,
            message_id=mailing.message_id("outage", outage.pk, notice.kind),
        )
