"""The tokens of an account: made, shown once, revoked; and everybody's, for whoever looks after the accounts."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST, require_safe

from dashboard import tokens as deeds
from dashboard.models import LONGEST_NAME, ApiToken
from dashboard.pages import base, kept
from dashboard.tokens import MAY_MANAGE, MAY_USE


class TokenForm(forms.Form):
    """What a token is called, and until when it is good."""

    name = kept.NameField(
        label=pgettext_lazy("of what is kept", "Name"),
        max_length=LONGEST_NAME,
        help_text=gettext_lazy("What it is for, such as the report that reads it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    expires = forms.DateField(
        label=gettext_lazy("Good until"),
        required=False,
        help_text=gettext_lazy("The last day on which it opens anything. Empty: until it is revoked."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )

    def clean_expires(self) -> datetime | None:
        day = self.cleaned_data["expires"]
        if day is None:
            return None
        if not timezone.localdate() <= day <= timezone.localdate() + timedelta(days=36500):
            raise ValidationError(_("Choose today or a later day."))
        end = datetime.combine(day + timedelta(days=1), datetime.min.time())
        return timezone.make_aware(end)


def _allowed(request: base.HtmxHttpRequest) -> tuple[bool, bool]:
    """Whether the account may have tokens, and whether it may see everybody's. Errors: PermissionDenied for neither."""
    found = request.user.has_perm(MAY_USE), request.user.has_perm(MAY_MANAGE)
    if not any(found):
        raise PermissionDenied
    return found


@require_safe
def tokens(request: base.HtmxHttpRequest) -> HttpResponse:
    """One's own tokens, and those of all others for whoever may revoke them."""
    return _page(request)


def _page(
    request: base.HtmxHttpRequest, form: TokenForm | None = None, secret: str = "", made: ApiToken | None = None
) -> HttpResponse:
    may_use, may_manage = _allowed(request)
    now = timezone.now()
    found = ApiToken.objects.select_related("account").order_by("-created_at", "-pk")
    user = base.account(request)
    others = found.exclude(account=user) if may_manage else found.none()
    context: dict[str, Any] = {
        "own": [_entry(token, now) for token in found.filter(account=user)],
        "others": [_entry(token, now) for token in others],
        "may_use": may_use,
        "may_manage": may_manage,
        "form": form or TokenForm(),
        "secret": secret,
        "made": made,
        "example": f'curl -H "Authorization: Bearer {secret}" {request.build_absolute_uri(reverse("meetings-csv"))}',
    }
    response = render(request, "tokens/tokens.html", context, status=400 if form is not None and form.errors else 200)
    if secret:
        response["Cache-Control"] = "no-store"
    return response


def _entry(token: ApiToken, now: datetime) -> dict[str, Any]:
    last_day = token.expires_at - timedelta(microseconds=1) if token.expires_at else None
    return {"token": token, "key": str(token.pk), "good": token.is_good(now), "last_day": last_day}


@require_POST
def add(request: base.HtmxHttpRequest) -> HttpResponse:
    """Make a token. Its secret is shown in this one answer and kept nowhere."""
    may_use, _may_manage = _allowed(request)
    if not may_use:
        raise PermissionDenied
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        made, secret = deeds.make(
            base.account(request), form.cleaned_data["name"], form.cleaned_data["expires"], timezone.now()
        )
    except IntegrityError:
        form.add_error("name", _("There is a token of that name already. Choose another name."))
        return _page(request, form)
    return _page(request, None, secret, made)


@require_POST
def revoke(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """End a token of one's own, or of anybody's for whoever looks after the accounts."""
    _may_use, may_manage = _allowed(request)
    found = ApiToken.objects.select_related("account")
    token = get_object_or_404(found if may_manage else found.filter(account=base.account(request)), pk=pk)
    if deeds.revoke(request, token, timezone.now()):
        messages.success(request, _("The token %(name)s opens nothing any more.") % {"name": token.name})
    return redirect("tokens")
