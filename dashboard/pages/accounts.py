"""Accounts: who there is, what each may do and which rooms it may see; room groups; passwords."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard import accounts as figures
from dashboard import audit, limits, roles, tables
from dashboard.accounts import Entry, Refused
from dashboard.models import LONGEST_NAME, RoomGroup
from dashboard.pages import base, kept
from dashboard.tables import Cell, Spec, Table
from dashboard.templatetags import ledger
from reports.figures import rooms as known_rooms
from reports.models import Room

ROWS_A_PAGE = 50
ALL, SOME = "all", "some"
A_DAY = 24 * 3600


def _managed(view: Any) -> Any:
    """A page for who manages accounts."""
    return permission_required(roles.MAY_MANAGE_ACCOUNTS, raise_exception=True)(base.of_all_rooms(view))


# The accounts ------------------------------------------------------------------------------------------------


def specs() -> list[Spec]:
    """The columns of the list."""
    return [
        Spec("name", _("User name")),
        Spec("role", _("Role")),
        Spec("rooms", _("Rooms")),
        Spec("last", _("Last sign-in")),
        Spec("active", _("State")),
    ]


def rooms_in_words(count: int | None) -> str:
    """How many rooms an account may see."""
    if count is None:
        return _("all rooms")
    return ngettext("%(count)s room", "%(count)s rooms", count) % {"count": ledger.count(count)} if count else _("none")


def cells(one: Entry) -> list[Cell]:
    """An account as a row of `specs`."""
    user = one.account
    return [
        Cell(user.get_username(), reverse("account", args=[user.pk]), note=one.name),
        Cell(str(roles.LABELS[one.role]) if one.role else ledger.UNKNOWN),
        Cell(rooms_in_words(one.rooms)),
        Cell(ledger.moment(timezone.localtime(one.last)) if one.last else _("never signed in"), one_line=True),
        Cell(_("active") if user.is_active else _("closed")),
    ]


@require_safe
@_managed
@base.clear_filters
def accounts(request: base.HtmxHttpRequest) -> HttpResponse:
    """Every account. `q` looks for a name or a mail address."""
    chosen = base.parse(request, timezone.now(), figures.SORTS)
    path = reverse("accounts")
    page = Paginator(figures.entries(chosen.q, chosen.sort), ROWS_A_PAGE).get_page(chosen.page)
    columns = tables.columns(path, chosen, specs(), figures.DEFAULT_SORT)
    context = {
        "filter": chosen,
        "page": page,
        "table": Table("accounts", _("Accounts"), columns, [cells(one) for one in page.object_list]),
        "pager": tables.pager(path, chosen, page.number, page.paginator.num_pages),
        "tab": "accounts",
    }
    return base.answer(request, "accounts/accounts.html", "accounts/_list.html", context)


class AccountForm(forms.Form):
    """Who somebody is, what they may do, and which rooms they may see."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        validators=[User.username_validator],
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("For signing in: letters, digits and @ . + - _"),
    )
    name = forms.CharField(label=pgettext_lazy("of a person", "Name"), max_length=150, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    role = forms.ChoiceField(label=gettext_lazy("Role"))
    sees = forms.ChoiceField(
        label=gettext_lazy("May see"),
        choices=[(ALL, gettext_lazy("all rooms")), (SOME, gettext_lazy("only the rooms and groups chosen below"))],
        widget=forms.RadioSelect,
    )
    groups = forms.ModelMultipleChoiceField(
        RoomGroup.objects.all(),
        label=gettext_lazy("Room groups"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    rooms = forms.MultipleChoiceField(label=gettext_lazy("Rooms"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: Any, *, account: User, actor: User) -> None:
        self.account, self.actor = account, actor
        limit = getattr(account, "room_limit", None) if account.pk else None
        self.present = roles.role_of(account) if account.pk else ""
        chosen = [room.host_id for room in limit.rooms.all()] if limit else []
        initial = {
            "username": account.username,
            "name": account.get_full_name(),
            "email": account.email,
            "role": self.present or roles.VIEWER,
            "sees": SOME if limit else ALL,
            "groups": limit.groups.all() if limit else [],
            "rooms": chosen,
        }
        super().__init__(data, initial=initial)
        if account.pk and (account.is_superuser or not figures.may_demote(actor, account)):
            # What may not be changed is not asked for.
            for name in ("role", "sees", "groups", "rooms"):
                del self.fields[name]
            return
        self.fields["role"].choices = [(role, roles.LABELS[role]) for role in roles.ROLES]  # type: ignore[attr-defined]
        self.fields["rooms"].choices = known_rooms.choices(chosen)  # type: ignore[attr-defined]
        if not RoomGroup.objects.exists():
            del self.fields["groups"]

    def clean_username(self) -> str:
        name: str = User.normalize_username(self.cleaned_data["username"])
        if User.objects.filter(username__iexact=name).exclude(pk=self.account.pk).exists():
            raise ValidationError(_("There is an account of that name already. Choose another name."))
        return name

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("role") == roles.ADMINISTRATOR and given.get("sees") == SOME:
            self.add_error("sees", _("An administrator sees all rooms. Choose all rooms, or another role."))
        return given

    def save(self) -> bool:
        """Keep the account; False, and the error in the form, when it may not be or the name was taken meanwhile."""
        given, account = self.cleaned_data, self.account
        account.username, account.email = given["username"], given["email"]
        if given["name"] != account.get_full_name():
            account.first_name, account.last_name = given["name"], ""
        try:
            with figures.changing(self.actor):
                if not account.pk:
                    account.set_unusable_password()
                account.save()
                self._save_rights(given)
        except Refused:
            self.add_error(None, _("This would leave nobody who can manage accounts."))
            return False
        except IntegrityError:
            self.add_error("username", _("There is an account of that name already. Choose another name."))
            return False
        return True

    def _save_rights(self, given: dict[str, Any]) -> None:
        if "role" not in given:
            return
        # Unless its role is another one now, an account from before the roles keeps what it holds besides.
        if given["role"] != self.present:
            roles.give(self.account, given["role"])
        before = limits.told(self.account)
        if given["sees"] == ALL:
            limits.lift(self.account)
        else:
            rooms = Room.objects.filter(host_id__in=given["rooms"])
            limits.limit(self.account, rooms, given.get("groups") or [])
        if (after := limits.told(self.account)) != before:
            details: dict[str, Any] = {"all_rooms": True} if after is None else {**after}
            audit.note(None, audit.Action.LIMITS_CHANGED, self.account.get_username(), **details)


@require_http_methods(["GET", "HEAD", "POST"])
@_managed
def new(request: base.HtmxHttpRequest) -> HttpResponse:
    """A new account, without a password."""
    return _edit(request, User(), _("The account is there. Make a link below, with which its password is chosen."))


@require_http_methods(["GET", "HEAD", "POST"])
@_managed
def account(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Change an account."""
    return _edit(request, _account(request, pk), _("The account is changed."))


def _account(request: base.HtmxHttpRequest, pk: int) -> User:
    """An account that may be changed. Errors: Http404, PermissionDenied."""
    found = get_object_or_404(User, pk=pk)
    if not figures.may_change(base.account(request), found):
        raise PermissionDenied
    return found


def _edit(request: base.HtmxHttpRequest, found: User, done: str) -> HttpResponse:
    actor = base.account(request)
    form = AccountForm(request.POST if request.method == "POST" else None, account=found, actor=actor)
    if form.is_valid() and form.save():
        messages.success(request, done)
        return redirect("account", pk=found.pk)
    told = User.objects.get(pk=found.pk) if found.pk else None
    context = {
        "form": form,
        "account": told,
        "role": roles.LABELS.get(form.present, "") if told else "",
        "own": told is not None and told.pk == actor.pk,
        "more": told is not None and not told.is_superuser and roles.has_more(told),
        "may_close": told is not None and figures.may_demote(actor, told),
        "tab": "accounts",
    }
    return render(request, "accounts/edit.html", context, status=400 if form.is_bound else 200)


@require_POST
@_managed
def active(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Close an account, or open it again."""
    found, actor = _account(request, pk), base.account(request)
    if not figures.may_demote(actor, found):
        raise PermissionDenied
    wanted = request.POST.get("active") == "1"
    try:
        with figures.changing(actor):
            was = found.is_active
            # Of this column alone: the account may be another one by now.
            User.objects.filter(pk=found.pk).update(is_active=wanted)
            if was != wanted:
                changes = {"is_active": [was, wanted]}
                audit.note(request, audit.Action.ACCOUNT_CHANGED, found.get_username(), changes=changes)
    except Refused:
        messages.error(request, _("This would leave nobody who can manage accounts."))
    else:
        said = _("%(name)s can sign in again.") if wanted else _("%(name)s is closed, and signed out everywhere.")
        messages.success(request, said % {"name": found.get_username()})
    return redirect("account", pk=found.pk)


@require_POST
@_managed
def link(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Make a link with which an account chooses its password, and show it this once."""
    found = _account(request, pk)
    if not found.is_active:
        messages.error(request, _("The account is closed. Open it first."))
        return redirect("account", pk=found.pk)
    days = settings.PASSWORD_RESET_TIMEOUT // A_DAY
    context = {
        "account": found,
        "link": request.build_absolute_uri(figures.password_path(found)),
        "lasts": ngettext("%(count)s day", "%(count)s days", days) % {"count": days},
        "tab": "accounts",
    }
    response = render(request, "accounts/link.html", context)
    response["Cache-Control"] = "no-store"
    audit.note(request, audit.Action.LINK_MADE, found.get_username())
    return response


# Room groups ---------------------------------------------------------------------------------------------------


class GroupForm(forms.Form):
    """The name of a room group, and its rooms."""

    name = kept.NameField(label=pgettext_lazy("of what is kept", "Name"), max_length=LONGEST_NAME)
    rooms = forms.MultipleChoiceField(label=gettext_lazy("Rooms"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: Any, *, group: RoomGroup) -> None:
        self.group = group
        chosen = [room.host_id for room in group.rooms.all()] if group.pk else []
        super().__init__(data, initial={"name": group.name, "rooms": chosen})
        self.fields["rooms"].choices = known_rooms.choices(chosen)  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if RoomGroup.objects.filter(name=name).exclude(pk=self.group.pk).exists():
            raise ValidationError(_("There is a room group of that name already. Choose another name."))
        return name

    def save(self) -> bool:
        """Keep the group; False, and the error in the form, when its name was taken meanwhile."""
        self.group.name = self.cleaned_data["name"]
        try:
            with transaction.atomic():
                self.group.save()
                self.group.rooms.set(Room.objects.filter(host_id__in=self.cleaned_data["rooms"]))
                rooms = sorted(self.group.rooms.values_list("host_id", flat=True))
                audit.note(None, audit.Action.ROOMS_GROUPED, self.group.name, rooms=rooms)
        except IntegrityError:
            self.add_error("name", _("There is a room group of that name already. Choose another name."))
            return False
        return True


@require_safe
@_managed
def groups(request: base.HtmxHttpRequest) -> HttpResponse:
    """The room groups."""
    entries = [{"key": str(one.group.pk), "of": one} for one in figures.group_entries()]
    return render(request, "accounts/groups.html", {"entries": entries, "tab": "groups"})


@require_http_methods(["GET", "HEAD", "POST"])
@_managed
def new_group(request: base.HtmxHttpRequest) -> HttpResponse:
    """A new room group."""
    return _edit_group(request, RoomGroup(), _("The room group is added."))


@require_http_methods(["GET", "HEAD", "POST"])
@_managed
def group(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Rename a room group, and choose its rooms. Accounts that are limited to it see the change at once."""
    return _edit_group(request, get_object_or_404(RoomGroup, pk=pk), _("The room group is changed."))


def _edit_group(request: base.HtmxHttpRequest, found: RoomGroup, done: str) -> HttpResponse:
    form = GroupForm(request.POST if request.method == "POST" else None, group=found)
    if form.is_valid() and form.save():
        messages.success(request, done)
        return redirect("room-groups")
    context = {"form": form, "group": found, "tab": "groups"}
    return render(request, "accounts/group.html", context, status=400 if form.is_bound else 200)


@require_POST
@_managed
def delete_group(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Delete a room group. Accounts that were limited to it see its rooms no more, unless they may otherwise."""
    found = get_object_or_404(RoomGroup, pk=pk)
    with transaction.atomic():
        found.delete()
        audit.note(request, audit.Action.ROOMS_UNGROUPED, found.name)
    messages.success(request, _("The room group %(name)s is deleted.") % {"name": found.name})
    return redirect("room-groups")


# Passwords -----------------------------------------------------------------------------------------------------


class SetForm(SetPasswordForm):  # type: ignore[type-arg]  # a subscript is for the type checker alone
    """A new password, twice. What is wrong with it stands at the first, where Django has it at its repetition."""

    def validate_password_for_user(self, user: Any, password_field_name: str = "") -> None:
        super().validate_password_for_user(user, "new_password1")


class ChangeForm(SetForm, PasswordChangeForm):
    """The old password, and a new one."""


class Password(auth.PasswordChangeView):
    """Change one's own password."""

    form_class = ChangeForm

    template_name = "accounts/password.html"
    success_url = reverse_lazy("password")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is changed. Other browsers are signed out."))
        return super().form_valid(form)


class SetPassword(auth.PasswordResetConfirmView):
    """Choose the password of an account by the link that an administrator made; it works once."""

    form_class = SetForm
    template_name = "accounts/set_password.html"
    success_url = reverse_lazy("login")

    def get_user(self, uidb64: str) -> Any:
        user = super().get_user(uidb64)
        return user if user is not None and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("The password is set. Sign in with it."))
        return super().form_valid(form)
