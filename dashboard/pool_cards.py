"""The pool in words and in cards: how many rooms there are, and how many would have done."""

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import cards, filters, pool_charts
from dashboard.cards import Card
from dashboard.templatetags import ledger
from reports.courses import Hour
from reports.figures.pool import Picture, Size, WhatIf
from reports.filter import Filter

SERVED = 990  # thousandths of the meetings: the share that the page speaks of


# In words --------------------------------------------------------------------------------------------------


def against_pool(size: Size) -> str:
    """The end of the sentence: what there is."""
    if size.rooms is None:
        return _("the size of the pool is not known.")
    count = {"count": ledger.count(size.rooms)}
    if size.source == "licence":
        return ngettext("you rent %(count)s.", "you rent %(count)s.", size.rooms) % count
    if size.source == "chosen":
        return ngettext("%(count)s is chosen.", "%(count)s are chosen.", size.rooms) % count
    return ngettext("%(count)s is known.", "%(count)s are known.", size.rooms) % count


def sentence(seen: Picture) -> str:
    """How many rooms would have done, against how many there are."""
    rooms = seen.asked.rooms_for(SERVED)
    if rooms is None:
        return _("No meeting began in this period.")
    text = ngettext(
        "%(rooms)s room would have served %(share)s of the meetings of this period; %(pool)s",
        "%(rooms)s rooms would have served %(share)s of the meetings of this period; %(pool)s",
        rooms,
    )
    return text % {"rooms": ledger.count(rooms), "share": f"{SERVED // 10}%", "pool": against_pool(seen.size)}


def explanation(asked: WhatIf) -> str:
    """What the sentence counted."""
    rooms = asked.rooms_for(SERVED)
    if rooms is None:
        return ""
    without = asked.without(rooms)
    text = ngettext(
        "With so many, %(without)s of %(meetings)s meetings would have found none.",
        "With so many, %(without)s of %(meetings)s meetings would have found none.",
        without,
    )
    return text % {"without": ledger.count(without), "meetings": ledger.count(asked.meetings)}


def source(size: Size) -> str:
    """Where the size of the pool comes from."""
    if size.source == "chosen":
        return _("The rooms of the filter are taken for the pool.")
    licence = size.licence
    if licence is None:
        return _("The provider has not said how many rooms are rented: the rooms known are taken for the pool.")
    day = ledger.day(timezone.localtime(licence.last_seen_at))
    parts = [_("The size of the pool is what the provider said on %(day)s is rented.") % {"day": day}]
    if licence.expire_date:
        parts.append(_("It is rented until %(day)s.") % {"day": ledger.day(licence.expire_date)})
    if size.known != size.rooms:
        parts.append(_("Rooms known: %(count)s.") % {"count": ledger.count(size.known)})
    return " ".join(parts)


def marked(size: Size) -> str:
    """The same, for the point on the chart."""
    if size.source == "licence":
        return _("rented: %(rooms)s") % {"rooms": ledger.count(size.rooms)}
    return _("rooms of the pool: %(rooms)s") % {"rooms": ledger.count(size.rooms)}


def beside(size: Size) -> str:
    """How many rooms there are, short enough for a card."""
    if size.rooms is None:
        return ""
    text = _("of %(count)s rented") if size.source == "licence" else _("of %(count)s rooms")
    return text % {"count": ledger.count(size.rooms)}


# Cards -------------------------------------------------------------------------------------------------------


def figure_cards(
    chosen: Filter, before: Filter | None, now: Picture, past: Picture | None, worst: Hour | None
) -> list[Card]:
    """The peak, the pool, for how long it was short, the extra rooms, and how many rooms would have done.

    before, past: the previous period, None where the ledger does not reach back to it. worst: the worst hour.
    """
    against = cards.against(before, chosen)
    meetings = reverse("meetings")
    size = now.size
    needless = now.extras.free
    short = now.short.times if now.short else 0
    times = ngettext("%(count)s time", "%(count)s times", short) % {"count": ledger.count(short)}
    free = ngettext("%(count)s while rooms were free", "%(count)s while rooms were free", needless)
    return [
        cards.compared(
            "peak_concurrent_rooms",
            _("Peak concurrent rooms"),
            now.run.peak,
            past.run.peak if past else None,
            ledger.count,
            against,
            hint=_("on %(day)s") % {"day": ledger.day(worst.hour)} if worst else "",
            url=pool_charts.hour_url(meetings, chosen, worst.hour) if worst else "",
        ),
        Card(
            figure="pool_size",
            label=_("Rooms of the pool"),
            value=ledger.count(size.rooms),
            hint={"licence": _("rented"), "chosen": _("chosen"), "rooms": _("known")}[size.source],
            url=filters.link(reverse("rooms"), chosen, sort="", compare=False),
        ),
        cards.compared(
            "hours_short",
            _("No room free"),
            now.short and now.short.seconds,
            past.short and past.short.seconds if past else None,
            ledger.hours,
            against,
            unit=_("h"),
            hint=times if now.short else "",
            url="#short" if short else "",
        ),
        cards.compared(
            "extra_meetings",
            _("Extra-room meetings"),
            now.extras.meetings,
            past.extras.meetings if past else None,
            ledger.count,
            against,
            hint=free % {"count": ledger.count(needless)} if size.rooms and now.extras.meetings else "",
            url=filters.link(meetings, chosen, extra=True, sort="", compare=False),
        ),
        cards.compared(
            "rooms_for_99",
            _("Rooms for 99%"),
            now.asked.rooms_for(SERVED),
            past.asked.rooms_for(SERVED) if past else None,
            ledger.count,
            against,
            hint=beside(size),
            url="#what-if" if now.asked.meetings else "",
        ),
    ]
