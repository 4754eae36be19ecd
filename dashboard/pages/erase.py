"""A display name erased on request, and what is held on it as a download."""

import json

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from dashboard import audit
from dashboard.pages import base
from dashboard.pages.people import person_url
from dashboard.tasks import wake
from dashboard.templatetags import ledger
from reports import privacy
from reports.models import Participant
from reports.querysets import named
from reports.tasks import fold

MAY_ERASE = "dashboard.erase_names"


class EraseForm(forms.Form):
    """The question whether it is meant: there is no way back."""

    sure = forms.BooleanField(
        label=gettext_lazy("I have read this. The name is to go, and nobody can bring it back."),
        error_messages={"required": gettext_lazy("Nothing is erased yet. Tick this first.")},
    )


def _key(request: base.HtmxHttpRequest, name: str) -> str:
    """The folded name. Errors: PermissionDenied for an account that sees some rooms only; Http404 for no such name."""
    if base.parse_for(request.user, QueryDict(), timezone.now(), ()).allowed_rooms is not None:
        raise PermissionDenied
    key = privacy.erasable(name)
    if not key or not Participant.objects.filter(named(key)).exists():
        raise Http404
    return key


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(MAY_ERASE, raise_exception=True)
@base.of_all_rooms
def erase(request: base.HtmxHttpRequest, name: str) -> HttpResponse:
    """Ask whether a display name is to be erased, and erase it."""
    key = _key(request, name)
    visits = Participant.objects.filter(named(key))
    form = EraseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        done = privacy.erase(key, timezone.now(), fold_days=False)
        wake(fold)
        # The name itself would be kept with the message.
        messages.success(
            request,
            ngettext(
                "The name is erased from %(count)s meeting.",
                "The name is erased from %(count)s meetings.",
                done.meetings,
            )
            % {"count": ledger.count(done.meetings)},
        )
        return redirect("people")
    newest = visits.order_by("-join_time").values_list("name", flat=True)[0]
    context = {
        "name": " ".join(newest.split()),
        "meetings": visits.order_by().values("meeting").distinct().count(),
        "visits": visits.count(),
        "back": person_url(key),
        "held_url": f"{person_url(key)}held.json",
        "form": form,
    }
    return render(request, "erase/erase.html", context, status=400 if form.is_bound else 200)


@require_safe
@permission_required(MAY_ERASE, raise_exception=True)
@base.of_all_rooms
def held(request: base.HtmxHttpRequest, name: str) -> HttpResponse:
    """All that is held on a display name, as JSON."""
    key = _key(request, name)
    found = privacy.held(key)
    if request.method != "HEAD":
        with transaction.atomic():
            # Whose name it was is not written down: the audit outlives an erasure.
            audit.note(request, audit.Action.HELD_EXPORTED, visits=len(found["visits"]))
    response = HttpResponse(json.dumps(found, ensure_ascii=False, indent=1), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="held.json"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
