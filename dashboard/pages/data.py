"""The data page: what was pulled, what is due, what could not be read; tracked numbers; pull now."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit, context, coverage_strip, filters, tables
from dashboard.pages import base
from reports import schedule, tasks
from reports.figures import coverage
from reports.filter import Filter
from reports.models import Pull, Rejected, TrackedNumber
from reports.text import read_numbers

NUMBERS_A_PAGE = 15
LARGEST_UPLOAD = 5 * 2**20
MAY_MANAGE = "reports.add_trackednumber"


@require_safe
@base.of_all_rooms
@base.clear_filters
def data(request: base.HtmxHttpRequest) -> HttpResponse:
    """Pulls, tracked numbers and rejected records. `q` looks for a number, `page` pages the numbers."""
    return _page(request)


def _page(request: base.HtmxHttpRequest, pasted: str = "", wrong: str = "", status: int = 200) -> HttpResponse:
    now = timezone.now()
    chosen = base.parse(request, now)
    numbers = TrackedNumber.objects.all()
    if chosen.q:
        numbers = numbers.filter(number__contains="".join(chosen.q.replace("-", " ").split()))
    page = Paginator(numbers, NUMBERS_A_PAGE).get_page(chosen.page)
    shown = {
        **progress_context(),
        "numbers": page,
        "number_count": TrackedNumber.objects.count(),
        "pager": tables.pager(reverse("data"), chosen, page.number, page.paginator.num_pages),
        "filter": chosen,
        "pulls": list(Pull.objects.all()[:25]),
        "rejected": list(Rejected.objects.select_related("pull")[:50]),
        "rejected_count": coverage.rejected_count(),
        "may_manage": request.user.has_perm(MAY_MANAGE),
        # A record as it was sent holds the telephone numbers in full.
        "sees_raw": request.user.has_perm(base.SEES_PHONES),
        "pasted": pasted,
        "wrong": wrong,
        "coverage": coverage_strip.strip(now),
        "tab": "data",
    }
    return render(request, "data/data.html", shown, status=status)


def progress_context() -> dict[str, object]:
    """What templates/data/_progress.html shows."""
    return {
        "running": list(Pull.objects.filter(ended_at=None)),
        "last_pulls": list(Pull.objects.exclude(ended_at=None)[:5]),
        "backlog": coverage.backlog(timezone.now()),
    }


@require_safe
@base.of_all_rooms
def progress(request: base.HtmxHttpRequest) -> HttpResponse:
    """The part of the data page that follows the pulls as they run."""
    return render(
        request,
        "data/_progress.html",
        {
            **progress_context(),
            "may_manage": request.user.has_perm(MAY_MANAGE),
            # The last page of the set-up looks on: its one button leads to the overview.
            "watched": request.GET.get("watch") == "1",
        },
    )


@require_safe
def freshness(request: base.HtmxHttpRequest) -> HttpResponse:
    """The status line of every page; it asks for itself again and again."""
    return render(request, "components/freshness.html", {"freshness": context.freshness(request)})


@require_POST
@permission_required(MAY_MANAGE, raise_exception=True)
@base.of_all_rooms
def pull_now(request: base.HtmxHttpRequest) -> HttpResponse:
    """Make everything due that is not settled, and wake the worker."""
    with transaction.atomic():
        schedule.ask_now(timezone.now())
        audit.note(request, audit.Action.PULL_STARTED)
    wake(request)
    if request.htmx:
        return progress_after(request)
    return redirect("data")


def wake(request: base.HtmxHttpRequest) -> None:
    """Have the worker look at once at what is due."""
    try:
        # The database has it already; a broker that is away costs a minute at most.
        tasks.pull_due.apply_async(retry=False)
    except Exception:  # noqa: BLE001 — brokers raise errors of their own libraries
        messages.warning(request, _("The worker could not be woken; it starts within a minute."))


def progress_after(request: base.HtmxHttpRequest) -> HttpResponse:
    return render(request, "data/_progress.html", {**progress_context(), "may_manage": True, "asked": True})


@require_POST
@permission_required(MAY_MANAGE, raise_exception=True)
@base.of_all_rooms
def track(request: base.HtmxHttpRequest) -> HttpResponse:
    """Register pasted or uploaded meeting numbers: all of them, or none and a word on which are wrong."""
    text = request.POST.get("numbers", "")
    upload = request.FILES.get("file")
    if upload is not None:
        if (upload.size or 0) > LARGEST_UPLOAD:
            return _page(request, text, _("The file is larger than 5 MB. Split it."), 400)
        try:
            text = f"{text}\n{upload.read().decode('utf-8-sig')}"
        except UnicodeDecodeError:
            return _page(request, text, _("The file is no text. Save it as CSV or plain text in UTF-8."), 400)
    numbers = read_numbers(text)
    if numbers.wrong:
        shown = "; ".join(
            _("line %(line)d: %(text)s") % {"line": line, "text": piece[:40]} for line, piece in numbers.wrong[:5]
        )
        more = len(numbers.wrong) - 5
        if more > 0:
            shown += ngettext(" and %(count)d more", " and %(count)d more", more) % {"count": more}
        reason = _("Nothing was registered, because these are no meeting numbers of 9 to 11 digits: %(list)s")
        return _page(request, text, reason % {"list": shown}, 400)
    if not numbers.found:
        return _page(request, text, _("There is no meeting number in it. Paste one or more, 9 to 11 digits each."), 400)
    with transaction.atomic():
        new = schedule.track(numbers.found, timezone.now())
        audit.note(request, audit.Action.NUMBERS_TRACKED, new=new, numbers=numbers.found)
    known = len(numbers.found) - new
    messages.success(
        request,
        ngettext("%(new)d number is new", "%(new)d numbers are new", new) % {"new": new}
        + ", "
        + ngettext("%(known)d was known.", "%(known)d were known.", known) % {"known": known},
    )
    return redirect(f"{filters.link(reverse('data'), Filter(period='30d'))}#numbers")
