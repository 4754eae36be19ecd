"""The set-up of a new installation: the first administrator, the key, the zone, the first pull."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login, password_validation
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from dashboard import accounts, setup
from dashboard.form_errors import wrong_together
from dashboard.pages import base, data
from dashboard.sentences import say
from dashboard.setup import Step
from reports import access
from reports.provider.errors import Denied, ProviderError

# In the session: which link was opened.
LINK = "setup_link"
HISTORY = (30, 90, 366, 731, 1096)
BACKEND = "django.contrib.auth.backends.ModelBackend"
form_view = require_http_methods(["GET", "HEAD", "POST"])


class AdministratorForm(forms.Form):
    """Name and password of the first administrator."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("8 characters or more, no usual word and not digits alone."),
    )
    again = forms.CharField(
        label=gettext_lazy("Password again"),
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        name = User.normalize_username(name)
        field = User._meta.get_field("username")
        for validator in field.validators:
            validator(name)
        if get_user_model()._default_manager.filter(username=name).exists():
            raise ValidationError(_("There is an account of that name already. Choose another name."))
        return name

    def clean(self) -> None:
        given = self.cleaned_data
        password, again = given.get("password"), given.get("again")
        if not password:
            return
        if again and password != again:
            self.add_error("again", _("The two passwords differ. Type the same one twice."))
        try:
            password_validation.validate_password(password, User(username=given.get("username", "")))
        except ValidationError as error:
            self.add_error("password", error)


class KeyForm(forms.Form):
    """Key and secret of the account at the provider; they are never shown again."""

    key = forms.CharField(
        label=gettext_lazy("API key"),
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    secret = forms.CharField(
        label=gettext_lazy("API secret"),
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


class ZoneForm(forms.Form):
    """The zones that the environment leaves open."""

    TIME_ZONE = forms.ChoiceField(
        label=gettext_lazy("Time zone of the site"),
        help_text=gettext_lazy("Its days, hours and CSV times."),
    )
    UMEET_TIME_ZONE = forms.ChoiceField(
        label=gettext_lazy("Time zone of the provider"),
        help_text=gettext_lazy("Of times that the API gives without a zone."),
    )

    def __init__(self, given: Any, fixed: set[str]) -> None:
        super().__init__(given, initial={name: getattr(settings, name) for name in setup.ZONES})
        for name in setup.ZONES:
            if name in fixed:
                del self.fields[name]
                continue
            zones = sorted(available_timezones() | {getattr(settings, name)})
            self.fields[name].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]


class HistoryForm(forms.Form):
    """How far back the first pull goes."""

    days = forms.TypedChoiceField(label=gettext_lazy("How far back"), coerce=int)

    def __init__(self, given: Any) -> None:
        super().__init__(given, initial={"days": access.history_days()})
        labels = {366: _("1 year"), 731: _("2 years"), 1096: _("3 years")}
        self.fields["days"].choices = [  # type: ignore[attr-defined]
            (days, labels.get(days) or ngettext("%(count)d day", "%(count)d days", days) % {"count": days})
            for days in sorted({*HISTORY, access.history_days()})
        ]


def _steps(now: Step) -> list[dict[str, Any]]:
    """The steps as they stand above each page."""
    labels = {
        Step.ADMINISTRATOR: _("Administrator"),
        Step.KEY: _("API key"),
        Step.ZONE: _("Time zone"),
        Step.PULL: _("First pull"),
    }
    order = list(Step)
    return [
        {"label": label, "number": place + 1, "now": step is now, "done": place < order.index(now)}
        for place, (step, label) in enumerate(labels.items())
    ]


def _page(request: HttpRequest, template: str, step: Step, context: dict[str, Any], status: int = 200) -> HttpResponse:
    context = {"steps": _steps(step) if setup.underway() or step is Step.ADMINISTRATOR else [], **context}
    return render(request, f"setup/{template}.html", context, status=status)


def for_administrators(
    view: Callable[[base.HtmxHttpRequest], HttpResponse],
) -> Callable[[base.HtmxHttpRequest], HttpResponse]:
    """A step after the first: for a signed-in administrator, by role or as a superuser."""

    @never_cache
    @wraps(view)
    @base.of_all_rooms
    def wrapped(request: base.HtmxHttpRequest) -> HttpResponse:
        if not accounts.is_administrator(base.account(request)):
            raise PermissionDenied
        return view(request)

    return wrapped


# The administrator -----------------------------------------------------------------------------------


@login_not_required
@never_cache
@require_safe
def link(request: HttpRequest, secret: str) -> HttpResponse:
    """What `start` prints. The secret leaves the address at once, so that no Referer and no log has it long."""
    found = setup.hashed(secret)
    if not setup.is_open(found, timezone.now()):
        return _closed(request)
    request.session[LINK] = found
    return redirect("setup")


@login_not_required
@never_cache
@sensitive_post_parameters()
@form_view
def administrator(request: HttpRequest) -> HttpResponse:
    """Make the first administrator; or go on where the set-up stopped."""
    if request.user.is_authenticated:
        return _onward()
    now = timezone.now()
    found = request.session.get(LINK, "")
    if not setup.is_open(found, now):
        return _closed(request)
    form = AdministratorForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        given = form.cleaned_data
        try:
            user = setup.make_administrator(found, given["username"], given["password"], now)
        except setup.Closed:
            return _closed(request)
        del request.session[LINK]
        login(request, user, backend=BACKEND)
        return _onward()
    return _page(request, "administrator", Step.ADMINISTRATOR, {"form": form}, 400 if form.is_bound else 200)


def _closed(request: HttpRequest) -> HttpResponse:
    """No link, or one that has ended."""
    if setup.has_administrator():
        return redirect("login")
    return render(request, "setup/closed.html", status=410)


def _onward() -> HttpResponse:
    return redirect(setup.next_step() or "overview")


# The key ---------------------------------------------------------------------------------------------


@for_administrators
@sensitive_post_parameters()
@form_view
def key(request: base.HtmxHttpRequest) -> HttpResponse:
    """Take the key and the secret, after the provider has accepted them; or say that the environment has them."""
    fixed = access.from_environment()
    if fixed and request.method == "POST":
        return redirect(setup.next_step() or "data")
    form = KeyForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        given = form.cleaned_data
        try:
            setup.keep_key(given["key"], given["secret"], timezone.now())
        except Denied as error:
            nothing = _(
                "Nothing was kept. Check what you typed against your account there: both, and each of them whole."
            )
            form.add_error(None, [say(error.refusal), nothing])
            wrong_together(form, "key", "secret")
        except ProviderError as error:
            form.add_error(None, [say(error.message), _("Nothing was kept. Try again in a moment.")])
        else:
            messages.success(request, _("The provider accepts the key. It is kept and not shown again."))
            data.wake(request)
            return redirect(setup.next_step() or "data")
    context = {
        "form": form,
        "fixed": fixed,
        "kept": access.is_kept(),
        "where": settings.UMEET_URL,
        "onward": setup.next_step() or "data",
    }
    return _page(request, "key", Step.KEY, context, 400 if form.is_bound else 200)


# The zone --------------------------------------------------------------------------------------------


@for_administrators
@form_view
def zone(request: base.HtmxHttpRequest) -> HttpResponse:
    """Confirm the zones, or choose what the environment leaves open."""
    if setup.underway() is None:
        return redirect("overview")
    fixed = set(settings.SET_BY_ENVIRONMENT)
    if setup.times_are_kept():
        fixed.add("UMEET_TIME_ZONE")
    form = ZoneForm(request.POST if request.method == "POST" else None, fixed)
    if form.is_valid():
        if setup.keep_zones(form.cleaned_data, timezone.now()):
            messages.success(request, _("The time zone is kept. The processes start anew with it in a moment."))
        return redirect(setup.next_step() or "overview")
    context = {
        "form": form,
        "fixed": [(name, getattr(settings, name), name in settings.SET_BY_ENVIRONMENT) for name in sorted(fixed)],
        "apart": not settings.EMBEDDED_BROKER,
        "now": timezone.now(),
    }
    return _page(request, "zone", Step.ZONE, context, 400 if form.is_bound else 200)


# The first pull --------------------------------------------------------------------------------------


@for_administrators
@form_view
def pull(request: base.HtmxHttpRequest) -> HttpResponse:
    """Say how far back, and begin; then show how far it has come."""
    now = timezone.now()
    if setup.underway() is None:
        if not setup.was_used():
            return redirect("overview")
        done = [{**step, "now": False, "done": True} for step in _steps(Step.PULL)]
        context = {"steps": done, **data.progress_context(), "watched": True}
        return render(request, "setup/pull.html", context)
    form = HistoryForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        setup.begin_pulling(form.cleaned_data["days"], now)
        request.session.pop(setup.OPEN, None)
        data.wake(request)
        return redirect("setup-pull")
    context = {"form": form, "dates": settings.UMEET_PULL_DATES}
    return _page(request, "pull", Step.PULL, context, 400 if form.is_bound else 200)
