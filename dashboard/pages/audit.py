"""What was done on the site, and by whom; and the same as CSV."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from dashboard import filters, limits, places, roles, tables
from dashboard.filters import BadFilter, Chip
from dashboard.models import AuditEntry, MailReport
from dashboard.pages import base
from dashboard.tables import Cell, Spec, Table
from dashboard.templatetags import ledger
from reports import csvtable
from reports.clockwork import DAY, midnight
from reports.figures import period, rooms
from reports.filter import NOT_TOLD, Filter
from reports.models import Room

MAY_SEE = "dashboard.see_audit"
ROWS_A_PAGE = 50
LABELS = dict(AuditEntry.Action.choices)

# What the details of an entry are called. Those that are not here are said in other words below.
DETAILS = {
    "all_rooms": gettext_lazy("all rooms"),
    "room_groups": gettext_lazy("room groups"),
    "account": gettext_lazy("account"),
    "active": gettext_lazy("active"),
    "amount": gettext_lazy("amount"),
    "begins": gettext_lazy("begins with"),
    "changes_kept": gettext_lazy("changes of reports"),
    "days_asked": gettext_lazy("days asked for"),
    "entries": gettext_lazy("audit entries"),
    "from": gettext_lazy("from"),
    "to": gettext_lazy("to"),
    "hour": gettext_lazy("hour"),
    "meetings": gettext_lazy("meetings"),
    "months_asked": gettext_lazy("months asked for"),
    "new": gettext_lazy("new"),
    "numbers": gettext_lazy("meeting numbers"),
    "older_than_days": gettext_lazy("older than, in days"),
    "owner": gettext_lazy("owner"),
    "permissions_added": gettext_lazy("permissions given"),
    "permissions_removed": gettext_lazy("permissions taken away"),
    "recipients": gettext_lazy("recipients"),
    "rejected": gettext_lazy("rejected records"),
    "roles_added": gettext_lazy("roles given"),
    "roles_removed": gettext_lazy("roles taken away"),
    "rooms": gettext_lazy("rooms"),
    "shared": gettext_lazy("shared"),
    "threshold": gettext_lazy("threshold"),
    "thresholds": gettext_lazy("thresholds"),
    "token": gettext_lazy("token"),
    "views": gettext_lazy("views and mail reports"),
    "visits": gettext_lazy("visits"),
}
WAYS = {
    "session": gettext_lazy("in a browser"),
    "token": gettext_lazy("by token"),
    "command": gettext_lazy("by a command"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries: days, account ("" for any, NOT_TOLD for nobody's) and what was done ("" for anything)."""

    chosen: Filter
    account: str = ""
    action: str = ""

    def link(self, path: str, **changes: Any) -> str:
        """An address with all of it; another page than the first only where it is asked for."""
        own = {"account": changes.pop("account", self.account), "action": changes.pop("action", self.action)}
        changes.setdefault("page", 1)
        query = filters.to_query(self.chosen, **changes)
        more = urlencode({name: value for name, value in own.items() if value})
        query = "&".join(part for part in (query, more) if part)
        return f"{path}?{query}" if query else path


def read(request: HttpRequest, now: datetime) -> Asked:
    """What the address asks for. Errors: BadFilter."""
    given = QueryDict(mutable=True)
    for name in ("from", "to", "period", "page"):
        given.setlist(name, request.GET.getlist(name))
    chosen = filters.parse(given, period.today(now), ())
    account, action = request.GET.get("account", ""), request.GET.get("action", "")
    if len(account) > 150 or "\x00" in account:
        raise BadFilter("account", account[:150].replace("\x00", ""), _("is too long"))
    if action and action not in LABELS:
        raise BadFilter("action", action, _("choose one of %(choices)s") % {"choices": ", ".join(LABELS)})
    return Asked(chosen, account, action)


def entries(asked: Asked) -> QuerySet[AuditEntry]:
    """The entries asked for, newest first."""
    zone = ZoneInfo(settings.TIME_ZONE)
    found = AuditEntry.objects.all()
    if asked.chosen.first:
        found = found.filter(at__gte=midnight(asked.chosen.first, zone))
    if asked.chosen.last:
        found = found.filter(at__lt=midnight(asked.chosen.last + DAY, zone))
    if asked.account:
        found = found.filter(account_name="" if asked.account == NOT_TOLD else asked.account)
    return found.filter(action=asked.action) if asked.action else found


@require_safe
@permission_required(MAY_SEE, raise_exception=True)
@base.of_all_rooms
@base.clear_filters
def page(request: base.HtmxHttpRequest) -> HttpResponse:
    """The entries of some days, of all accounts or one, of all that was done or one kind."""
    now = timezone.now()
    asked = read(request, now)
    path = reverse("audit")
    shown = Paginator(entries(asked), ROWS_A_PAGE).get_page(asked.chosen.page)
    found = list(shown.object_list)
    columns = tables.plain_columns(
        [
            Spec("time", _("When")),
            Spec("account", _("Account")),
            Spec("client", _("Address")),
            Spec("action", _("What was done")),
            Spec("object", _("To what")),
        ]
    )
    names = room_names(found)
    first, last = period.span(asked.chosen, now)
    context = {
        "filter_form": _bar(path, asked),
        "chips": _chips(path, asked),
        "page": shown,
        "first": first,
        "last": last,
        "table": Table("audit", _("Audit"), columns, [_cells(path, asked, one, names) for one in found]),
        "pager": _pager(path, asked, shown.number, shown.paginator.num_pages),
    }
    return base.answer(request, "audit/audit.html", "audit/_fragment.html", context)


def _cells(path: str, asked: Asked, entry: AuditEntry, names: Mapping[str, str]) -> list[Cell]:
    return [
        Cell(ledger.exact(timezone.localtime(entry.at))),
        Cell(entry.account_name or nobody(entry), asked.link(path, account=entry.account_name or NOT_TOLD)),
        Cell(entry.client or ledger.UNKNOWN, one_line=True),
        Cell(deed(entry.action), asked.link(path, action=entry.action) if entry.action in LABELS else ""),
        Cell(target(entry, names) or ledger.UNKNOWN, note=" · ".join(words(entry, names))),
    ]


def nobody(entry: AuditEntry) -> str:
    """Who did what no account did."""
    return _("not signed in") if entry.client else _("the site itself")


def deed(action: str) -> str:
    """What was done, in words."""
    return str(LABELS.get(action, action.replace("-", " ")))


def target(entry: AuditEntry, names: Mapping[str, str]) -> str:
    """To what it was done; rooms and roles by their names."""
    match entry.action:
        case AuditEntry.Action.CSV:
            return base.csv_labels().get(entry.object, _("audit") if entry.object == "audit" else entry.object)
        case AuditEntry.Action.ROOM_RENAMED:
            return names.get(entry.object, entry.object)
        case AuditEntry.Action.GROUP_MADE | AuditEntry.Action.GROUP_CHANGED | AuditEntry.Action.GROUP_DELETED:
            return _role(entry.object)
    return entry.object


def _role(name: str) -> str:
    """A role in the language of the page; a group of somebody's own is called as it is."""
    return str(roles.LABELS.get(name, name))


# Details in words -----------------------------------------------------------------------------------------


def room_names(found: Iterable[AuditEntry]) -> dict[str, str]:
    """Shown names of the rooms that some entries speak of."""
    hosts = {entry.object for entry in found if entry.action == AuditEntry.Action.ROOM_RENAMED}
    for entry in found:
        hosts.update(QueryDict(str(entry.details.get("filter", ""))).getlist("room"))
        hosts.update(_hosts(entry.details.get("rooms")))
        if "page" in entry.details:
            hosts.add(_given(str(entry.details["page"])).get("host_id", ""))
    return rooms.names(hosts) if hosts else {}


def words(entry: AuditEntry, names: Mapping[str, str]) -> list[str]:
    """The details of an entry, each a phrase."""
    found: list[str] = []
    for key, value in entry.details.items():
        match key:
            case "filter":
                found += _filter(str(value), names, asked=entry.object == "audit")
            case "page":
                found.append(_place(str(value), names))
            case "rooms" if hosts := _hosts(value):
                found.append(_said(str(DETAILS[key]), _value(key, [names.get(host, host) for host in hosts])))
            case "roles_added" | "roles_removed" if isinstance(value, list):
                found.append(_said(str(DETAILS[key]), _value(key, [_role(str(name)) for name in value])))
            case "by":
                found.append(str(WAYS.get(value, value)))
            case "table":
                found += [_said("CSV", base.csv_labels().get(value, value))] if value else []
            case "frequency":
                found.append(str(dict(MailReport.Frequency.choices).get(value, value)))
            case "changes":
                found += _changes(value)
            case "renewed":
                found.append(_("the password is a new one"))
            case "is":
                found += [_field(name) for name in value]
            case "cut":
                found.append(_("and more than is kept"))
            case _:
                found.append(_said(str(DETAILS.get(key, key.replace("_", " "))), _value(key, value)))
    return [phrase for phrase in found if phrase]


def _said(label: str, value: str) -> str:
    return _("%(label)s: %(value)s") % {"label": label, "value": value}


def _value(key: str, value: Any) -> str:
    if value is None or value == "":
        return ledger.UNKNOWN
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        # Permissions are kept by their names, which are messages; what was typed comes out as it is.
        return ", ".join(_(one) if key.startswith("permissions") and one else str(one) for one in value)
    if key == "amount":
        return ledger.money(Decimal(str(value)))
    return ledger.count(value) if isinstance(value, int) else str(value)


def _field(name: str) -> str:
    if name == "label":
        return str(Room._meta.get_field("label").verbose_name)
    known = {field.name: field for field in User._meta.concrete_fields}
    return str(known[name].verbose_name) if name in known else name.replace("_", " ")


def _changes(changes: Any) -> list[str]:
    """Each field with what it was and what it is."""
    if not isinstance(changes, dict):
        return []
    found = []
    for name, both in changes.items():
        before, after = both if isinstance(both, list) and len(both) == 2 else ("", both)
        found.append(_said(_field(name), f"{_value(name, before)} → {_value(name, after)}"))
    return found


def _hosts(value: Any) -> list[str]:
    """The rooms that the details of an entry name by their host_ids; "+3" at the end stands for more of them."""
    return [str(one) for one in value] if isinstance(value, list) else []


def _given(path: str) -> dict[str, str]:
    """What the address of a page says, such as which room."""
    try:
        return places.find(path)[1]
    except places.NoPlace:
        return {}


def _place(path: str, names: Mapping[str, str]) -> str:
    try:
        place, given = places.find(path)
    except places.NoPlace:
        return path
    told = next(iter(given.values()), "")
    return _said(str(place.label), names.get(told, told) if "host_id" in given else told) if told else str(place.label)


def _filter(query: str, names: Mapping[str, str], *, asked: bool) -> list[str]:
    """A filter as its chips say it."""
    given = QueryDict(query)
    found = []
    if asked:
        for name, label in (("account", _("account")), ("action", _("What was done"))):
            if value := given.get(name):
                found.append(_said(label, deed(value) if name == "action" else value))
    try:
        chosen = filters.parse(_without(given, "sort"), timezone.localdate(), ())
    except BadFilter:
        return [query]
    if chosen.period in filters.PERIOD_LABELS:
        found.append(str(filters.PERIOD_LABELS[chosen.period]))
    return found + [_said(chip.label, chip.value) for chip in filters.chips("", chosen, names)]


def _without(given: QueryDict, name: str) -> QueryDict:
    found = given.copy()
    found.pop(name, None)
    return found


# Around the table -----------------------------------------------------------------------------------------


def _bar(path: str, asked: Asked) -> dict[str, Any]:
    accounts = list(
        AuditEntry.objects.exclude(account_name="")
        .order_by("account_name")
        .values_list("account_name", flat=True)
        .distinct()
    )
    if asked.account and asked.account not in {*accounts, NOT_TOLD}:
        accounts.append(asked.account)
    of_account = [("", _("any account"), not asked.account), (NOT_TOLD, _("nobody's"), asked.account == NOT_TOLD)]
    of_account += [(name, name, name == asked.account) for name in accounts]
    of_action = [("", _("anything"), not asked.action)]
    of_action += [(code, str(label), code == asked.action) for code, label in LABELS.items()]
    chosen = replace(asked.chosen, page=1)
    found = filters.bar(path, chosen, (), [(_("audit"), asked.link(reverse("audit-csv")))], ())
    keep = asked.link("", period=period.DEFAULT, first=None, last=None).removeprefix("?")

    def kept(url: str) -> str:
        return f"{url}{'&' if '?' in url else '?'}{keep}" if url and keep else url

    choices = [(name, label, now, kept(url), key) for name, label, now, url, key in found["period_choices"]]
    return {
        **found,
        "query": None,  # no view of it can be kept
        "period_choices": choices,
        "earlier_url": kept(found["earlier_url"]),
        "later_url": kept(found["later_url"]),
        "selects": [("account", _("Account"), of_account), ("action", _("What was done"), of_action)],
        "set": found["set"] + bool(asked.account) + bool(asked.action),
    }


def _chips(path: str, asked: Asked) -> list[Chip]:
    found = [
        replace(chip, remove_url=asked.link(path, first=None, last=None, period=period.DEFAULT))
        for chip in filters.chips(path, asked.chosen, {})
    ]
    if asked.account:
        name = _("nobody's") if asked.account == NOT_TOLD else asked.account
        found.append(Chip(_("Account"), name, asked.link(path, account="")))
    if asked.action:
        found.append(Chip(_("What was done"), deed(asked.action), asked.link(path, action="")))
    return found


def _pager(path: str, asked: Asked, number: int, pages: int) -> tables.Pager:
    plain = tables.pager(path, asked.chosen, number, pages)
    links = [(label, asked.link(path, page=int(label)) if url else "", active) for label, url, active in plain.links]
    return tables.Pager(
        prev=asked.link(path, page=number - 1) if plain.prev else "",
        next=asked.link(path, page=number + 1) if plain.next else "",
        links=links,
    )


# CSV ------------------------------------------------------------------------------------------------------

COLUMNS = ("time", "account", "address", "action", "object", "details")


@require_safe
def download(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The same entries as CSV: the codes of what was done, the details as JSON."""
    if not request.user.has_perm(MAY_SEE) or limits.is_limited(request.user):
        line = _("Your account may not see the audit.")
        return HttpResponse(f"{line}\n", status=403, content_type="text/plain; charset=utf-8")
    now = timezone.now()
    try:
        asked = read(request, now)
        flags = base.csv_flags(request)
    except BadFilter as error:
        return base.bad_csv(error)
    zone = ZoneInfo(settings.TIME_ZONE)

    def rows(_chosen: Filter, _now: datetime) -> Iterator[csvtable.Row]:
        for entry in found.iterator(chunk_size=1000):
            yield (
                csvtable.moment(entry.at, zone),
                *(entry.account_name, entry.client, entry.action, entry.object),
                json.dumps(entry.details, ensure_ascii=False) if entry.details else "",
            )

    found = entries(asked)
    texts = frozenset({"account", "address", "object", "details"})
    table = csvtable.Table("audit", COLUMNS, texts, frozenset(), rows)
    first, last = period.span(asked.chosen, now)
    base.note_csv(request, "audit", asked.link("").removeprefix("?"))
    name = csvtable.file_name(table, asked.chosen, first.isoformat(), last.isoformat())
    return base.as_csv(csvtable.write(table, asked.chosen, now, **flags), name)
