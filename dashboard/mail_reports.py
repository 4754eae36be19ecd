"""Views that are sent by mail: when they are due, what stands in them, and that nobody gets one twice.

A report is claimed by one conditional UPDATE. The moment it was due names what is sent: each of its recipients has
one row for it (MailDelivery), which is noted as on its way before the mail server gets the mail. What was on its way
when a worker died is not sent again by itself: it may have arrived.
"""

import io
import logging
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.mime.base import MIMEBase
from itertools import chain
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, QuerySet
from django.http import QueryDict
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from dashboard import cards, filters, mailing, places, roles, usage_cards
from dashboard.cards import Card
from dashboard.filters import Chip
from dashboard.mailing import Letter, NotSent, Post
from dashboard.models import MailDelivery, MailRecipient, MailReport, Posted
from dashboard.pages import base, booked, overview, people, pool, room, series, telephony
from dashboard.places import Place
from dashboard.smtp import Unsure
from dashboard.templatetags import ledger
from reports import exports, leases
from reports.figures import booking, period, rooms, usage
from reports.figures import people as attendance
from reports.filter import Filter

logger = logging.getLogger(__name__)

ZIP_FROM = 10 * 2**20
LEFT_OUT_FROM = 20 * 2**20
MOST_RECIPIENTS = 50
KEPT = timedelta(days=90)
A_RUN = 50
MONTH_AT_MOST = 31  # days
NOT_ANY_MORE = (
    "The account that set this report up may not send mail any more, so that nothing was sent. Ask an administrator."
)
BROKEN = "The view cannot be opened any more, so that nothing was sent. Open it to see why, and make the report anew."


# When -------------------------------------------------------------------------------------------------------


def next_due(frequency: str, hour: int, after: datetime) -> datetime:
    """The first moment after another at which a report is due: its hour of the site's clock on its next day.

    Where the clock skips that hour, it is the same time after the change; where it comes twice, the first.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    day = after.astimezone(zone).date()
    for count in range(MONTH_AT_MOST + 1):
        one = day + timedelta(days=count)
        fits = {
            MailReport.Frequency.DAILY: True,
            MailReport.Frequency.WEEKLY: one.weekday() == 0,
            MailReport.Frequency.MONTHLY: one.day == 1,
        }[MailReport.Frequency(frequency)]
        moment = datetime(one.year, one.month, one.day, hour, tzinfo=zone).astimezone(after.tzinfo)
        if fits and moment > after:
            return moment
    raise AssertionError("a month has a first day and a week a Monday")


def plan(report: MailReport, now: datetime) -> None:
    """Have a report sent at its next moment from now on, and nothing before it."""
    report.next_due_at = next_due(report.frequency, report.hour, now)
    report.sending_for, report.failures, report.last_error = None, 0, ""


def send_now(report: MailReport, now: datetime) -> bool:
    """Have a report sent as soon as a worker looks; False when one is at it already."""
    rows = MailReport.objects.filter(leases.free(now), pk=report.pk, active=True)
    return bool(rows.update(next_due_at=now))


# What -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Content:
    """What a report says at one moment, in its language.

    days: the period in words; chips: the rest of the filter, as the page has it; against: the days that changes are
    against. attached: its CSV, or nothing; note: why it is left out; masked: a sentence where telephone numbers are
    shown in part.
    """

    subject: str
    place: str
    days: str
    chips: Sequence[Chip]
    cards: Sequence[Card]
    against: str
    masked: str
    url: str
    attached: Sequence[MIMEBase]
    file: str
    note: str


def content(report: MailReport, now: datetime) -> Content:
    """A report as its owner sees the page at this moment. Errors: filters.BadFilter, places.NoPlace."""
    place, given = places.find(report.path)
    asked = base.parse_for(report.owner, QueryDict(report.query), now, place.sorts)
    chosen = place.narrow(asked, given)
    first, last = period.span(chosen, now)
    days = f"{ledger.day(first)} – {ledger.day(last)}" if first != last else ledger.day(first)
    chips = filters.chips(report.path, asked, rooms.names(asked.rooms, asked.allowed_rooms))
    before = period.known_before(chosen, now)
    name, attached, note = _csv(report, place, chosen, now)
    return Content(
        subject=f"{report.name} · {days}",
        place=places.title(place, given, asked.allowed_rooms),
        days=_days(asked, days),
        chips=[chip for chip in chips if chip.label != _("Period")],
        cards=figure_cards(place, chosen, before, now),
        against=cards.against(before, chosen).days,
        masked=_("Telephone numbers are shown in part.") if asked.masked and report.table == "telephony" else "",
        url=mailing.absolute(report.url),
        attached=attached,
        file=name,
        note=note,
    )


def _days(asked: Filter, days: str) -> str:
    """The period in words: the preset's name before its days."""
    label = filters.PERIOD_LABELS.get(asked.period, "")
    return mailing.named(str(label), days) if label else days


def figure_cards(place: Place, chosen: Filter, before: Filter | None, now: datetime) -> list[Card]:
    """The figures of a page under its filter; those of the overview where a page is one table."""
    if place.name == "telephony":
        return telephony.figure_cards(replace(chosen, sort=chosen.sort or places.DEAREST), before, now)
    if place.name == "person":
        sums = attendance.person(chosen, now)
        return people.figure_cards(sums, chosen, before, now)
    if place.name == "pool":
        return pool.cards_of(chosen, before, now)
    if place.name == "booked":
        return booked.figure_cards(chosen, booking.total(chosen), before)
    if place.narrow is places.one_series:
        return series.cards_of(chosen, before, now)
    names = room.CARDS if place.name == "room" else overview.CARDS
    return usage_cards.usage_cards(names, chosen, before, usage.days(chosen, now), now)


def _csv(report: MailReport, place: Place, chosen: Filter, now: datetime) -> tuple[str, list[MIMEBase], str]:
    """(file name, the part, why there is none) of the CSV table that goes along, the very one of the page's link."""
    if report.table not in place.tables:
        return "", [], ""
    table = exports.TABLES[report.table]
    links = base.csv_links(replace(chosen, sort=place.csv_sort(chosen.sort)), place.tables)
    address = links[place.tables.index(report.table)][1]
    asked = base.parse_for(report.owner, QueryDict(address.partition("?")[2]), now, table.sorts)
    first, last = period.span(asked, now)
    name = exports.file_name(table, asked, first.isoformat(), last.isoformat())
    packed, body = _packed(name, exports.write(table, asked, now), now)
    if body is None:
        return "", [], _("The CSV is too large for a mail. Download it from the page.")
    if packed:
        return f"{name}.zip", [mailing.attachment(f"{name}.zip", "application/zip", body)], ""
    return name, [mailing.attachment(name, "text/csv", body)], ""


def _packed(name: str, pieces: Iterable[bytes], now: datetime) -> tuple[bool, bytes | None]:
    """(whether it is a ZIP file, the bytes) of a CSV for a mail; None where even the ZIP file is too large."""
    rest = iter(pieces)
    plain = bytearray()
    for piece in rest:
        plain += piece
        if len(plain) > ZIP_FROM:
            break
    else:
        return False, bytes(plain)
    sink = io.BytesIO()
    local = now.astimezone(ZoneInfo(settings.TIME_ZONE))
    info = zipfile.ZipInfo(name, local.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(sink, "w") as archive, archive.open(info, "w", force_zip64=True) as file:
        for piece in chain([bytes(plain)], rest):
            file.write(piece)
            if sink.tell() > LEFT_OUT_FROM:
                break
    return True, sink.getvalue() if sink.tell() <= LEFT_OUT_FROM else None


def letter(report: MailReport, due: datetime, recipient: MailRecipient, told: Content) -> Letter:
    """The mail of a report to one recipient, in its language."""
    unsubscribe = mailing.absolute(reverse("unsubscribe", args=[recipient.token]))
    with translation.override(report.language):
        why = _("%(name)s is sent to you %(often)s, as asked for by %(owner)s.") % {
            "name": report.name,
            "often": report.get_frequency_display(),
            "owner": report.owner.get_username(),
        }
        context = {
            "language": report.language,
            "title": report.name,
            "told": told,
            "filter": _filter(told),
            "cards": [(card, mailing.absolute(card.url) if card.url else "") for card in told.cards],
            "changes": _changes(told),
            "unsubscribe_url": unsubscribe,
            "why": why,
        }
        return Letter(
            subject=told.subject,
            text=_text(report, told, why, unsubscribe),
            html=render_to_string("mail/report.html", context),
            to=[recipient.address],
            message_id=mailing.message_id("report", report.pk, due.isoformat(), recipient.address),
            headers={
                "List-Unsubscribe": f"<{unsubscribe}>",
                # RFC 8058: the mail program's own button asks that address by POST, without a sign-in.
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
            attached=told.attached,
        )


def _filter(told: Content) -> list[tuple[str, str]]:
    """The whole filter, name and value, in the words of the page."""
    return [(_("Period"), told.days), *((chip.label, chip.value) for chip in told.chips)]


def _changes(told: Content) -> str:
    if not any(card.change for card in told.cards):
        return ""
    return _("Changes are against the previous period, %(days)s.") % {"days": told.against}


def _text(report: MailReport, told: Content, why: str, unsubscribe: str) -> str:
    """The same without markup."""
    lines = [report.name, told.place, "", *(mailing.named(*fact) for fact in _filter(told)), ""]
    for card in told.cards:
        value = f"{card.value} {card.unit}".rstrip()
        beside = ", ".join(part for part in (card.change, card.hint) if part)
        lines.append(mailing.named(card.label, f"{value} ({beside})" if beside else value))
    lines += ["", mailing.named(_("The page"), told.url)]
    lines += [mailing.named(_("Attached"), told.file)] if told.file else []
    lines += [note for note in (told.note, told.masked, _changes(told)) if note]
    lines += ["", why, mailing.named(_("Unsubscribe"), unsubscribe)]
    return "\n".join(lines) + "\n"


# Sending ----------------------------------------------------------------------------------------------------


def send_due(now: datetime) -> int:
    """Send every report that is due. Out: mails sent."""
    if not mailing.is_on():
        return 0
    leases.release_gone(MailReport, now)
    owner, clock = leases.new_owner(), mailing.running_from(now)
    due = MailReport.objects.filter(active=True, owner__is_active=True, next_due_at__lte=now)
    due = due.order_by("next_due_at", "pk")
    sent = 0
    with Post() as post:
        for _number in range(A_RUN):
            for report in (held := leases.claim(due, owner, clock(), 1)):
                try:
                    sent += _send(report, owner, post, clock, now)
                except NotSent as error:
                    _put_off(report, owner, str(error), now)
                    # A server that cannot be reached is asked once a run, not once a mail.
                    return sent
                except (filters.BadFilter, places.NoPlace):
                    # It will be as wrong in a minute: the next try is the next regular one.
                    _done(report, owner, now, BROKEN)
                except Exception as error:
                    # The others may not wait for it.
                    logger.exception("mail report %s", report.pk)
                    _put_off(report, owner, mailing.stopped_by(error), now)
                finally:
                    _held(report, owner).update(lease_owner="", lease_until=None)
            if not held:
                break
    return sent


def _held(report: MailReport, owner: str) -> QuerySet[MailReport]:
    return MailReport.objects.filter(pk=report.pk, lease_owner=owner)


def _moment(report: MailReport, now: datetime) -> datetime:
    """Which moment's mail is to be sent: the one that is on its way, or the newest that has come since."""
    moment = report.sending_for or report.next_due_at or now
    while (following := next_due(report.frequency, report.hour, moment)) <= now:
        moment = following
    return moment


def _send(report: MailReport, owner: str, post: Post, clock: Callable[[], datetime], now: datetime) -> int:
    """Send one report that is claimed to all of its recipients who have not got it. Out: mails sent.

    What was refused or may have been sent is done with, and shown. Errors: NotSent when the mail server cannot be
    reached, filters.BadFilter and places.NoPlace when the view cannot be opened.
    """
    if not roles.may_mail(report.owner):
        _done(report, owner, now, NOT_ANY_MORE)
        return 0
    moment = _moment(report, now)
    _held(report, owner).update(sending_for=moment)
    readers = {one.address: one for one in report.recipients.filter(unsubscribed_at=None)}
    MailDelivery.objects.bulk_create(
        (MailDelivery(report=report, due_at=moment, address=address) for address in sorted(readers)),
        ignore_conflicts=True,
    )
    # The mail of an earlier moment that never went out is overtaken by this one.
    MailDelivery.objects.filter(report=report, due_at__lt=moment, state=Posted.WAITING).delete()
    rows = MailDelivery.objects.filter(report=report, due_at=moment)
    # The lease is ours: whoever was sending is no more.
    rows.filter(state=Posted.SENDING).update(state=Posted.UNSURE, error=mailing.STOPPED)
    waiting = [row for row in rows.filter(state=Posted.WAITING).order_by("address") if row.address in readers]
    sent = 0
    told = None
    again = ""
    for row in waiting:
        if told is None:
            with translation.override(report.language):
                told = content(report, now)
        mail = letter(report, moment, readers[row.address], told)
        post.ready()
        leases.extend([report], owner, clock())
        one = rows.filter(pk=row.pk)
        if not _held(report, owner).exists() or not one.filter(state=Posted.WAITING).update(state=Posted.SENDING):
            return sent
        try:
            post.send(mail)
        except NotSent as error:
            # One address that is put off keeps no other from its mail.
            again = again if error.for_good else str(error)
            one.update(state=Posted.REFUSED if error.for_good else Posted.WAITING, error=str(error))
        except Unsure:
            one.update(state=Posted.UNSURE, error=mailing.UNSURE)
        else:
            one.update(state=Posted.SENT, sent_at=now, error="")
            _held(report, owner).update(last_sent_at=now)
            sent += 1
    if again:
        _put_off(report, owner, again, now)
        return sent
    errors = rows.exclude(state=Posted.SENT).exclude(error="").order_by("address").values_list("error", flat=True)
    _done(report, owner, now, " ".join(dict.fromkeys(errors)))
    MailDelivery.objects.filter(report=report, due_at__lt=min(now, moment) - KEPT).delete()
    if sent:
        logger.info("mail report %s: %d mails sent", report.pk, sent)
    return sent


def _done(report: MailReport, owner: str, now: datetime, error: str) -> None:
    """This moment is done with; the next one is the next regular one."""
    _held(report, owner).update(
        sending_for=None,
        failures=0,
        last_error=error,
        asked_at=now,
        next_due_at=next_due(report.frequency, report.hour, now),
    )


def _put_off(report: MailReport, owner: str, error: str, now: datetime) -> None:
    """Not all of it could be sent: the rest waits, ever longer."""
    _held(report, owner).update(
        failures=F("failures") + 1, last_error=error, next_due_at=now + mailing.backoff(report.failures)
    )
    logger.warning("mail report %s: %s", report.pk, error)
