"""Saved views: named filters, private or shared."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit, roles, saved_views
from dashboard.models import LONGEST_NAME, SavedView
from dashboard.pages import base, kept


class ViewForm(forms.Form):
    """The name of a view, and who may open it."""

    name = kept.NameField(
        label=pgettext_lazy("of what is kept", "Name"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    shared = forms.BooleanField(label=gettext_lazy("Every account may open it"), required=False)

    def __init__(self, *args: Any, view: SavedView, may_share: bool, **kwargs: Any) -> None:
        self.view = view
        super().__init__(*args, **kwargs)
        if not may_share:
            del self.fields["shared"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if SavedView.objects.filter(owner=self.view.owner, name=name).exclude(pk=self.view.pk).exists():
            raise ValidationError(_("There is a view of that name already. Choose another name."))
        return name

    def save(self) -> bool:
        """Keep the view; False, and the error in the form, when another one took the name in the meantime."""
        self.view.name = self.cleaned_data["name"]
        # Who may not share leaves it as it is.
        self.view.shared = self.cleaned_data.get("shared", self.view.shared)
        try:
            with transaction.atomic():
                code = audit.Action.VIEW_CHANGED if self.view.pk else audit.Action.VIEW_MADE
                self.view.save()
                address = base.safe_address(self.view.path, self.view.query)
                audit.note(None, code, self.view.name, shared=self.view.shared, **address)
        except IntegrityError:
            self.add_error("name", _("There is a view of that name already. Choose another name."))
            return False
        return True


@require_safe
def views(request: base.HtmxHttpRequest) -> HttpResponse:
    """The views that an account may open, to be renamed, shared and deleted."""
    return _list(request)


def _list(request: base.HtmxHttpRequest, wrong: ViewForm | None = None) -> HttpResponse:
    now = timezone.now()
    entries = []
    may_share = request.user.has_perm(roles.MAY_SHARE)
    for view in saved_views.visible(request.user):
        changeable = saved_views.may_change(request.user, view)
        form = None
        if changeable:
            mine = wrong is not None and wrong.view.pk == view.pk
            initial = {"name": view.name, "shared": view.shared}
            form = (
                wrong
                if mine
                else ViewForm(initial=initial, view=view, may_share=may_share, auto_id=f"view-{view.pk}-%s")
            )
        entries.append(
            {
                "key": str(view.pk),
                "view": view,
                "own": view.owner_id == request.user.pk,
                "kept": kept.read(view.path, view.query, request.user, now),
                "form": form,
                "deletable": saved_views.may_change(request.user, view, "delete"),
            }
        )
    # One's own come first.
    entries.sort(key=lambda entry: not entry["own"])
    context = {"entries": entries, "may_mail": roles.may_mail(request.user)}
    return render(request, "views/views.html", context, status=400 if wrong else 200)


@require_POST
def save(request: base.HtmxHttpRequest) -> HttpResponse:
    """Keep the view that a page shows."""
    view = SavedView(owner=base.account(request))
    form = ViewForm(request.POST, view=view, may_share=request.user.has_perm(roles.MAY_SHARE))
    path, query = request.POST.get("path", ""), request.POST.get("query", "")
    now = timezone.now()
    try:
        view.path, view.query, _place = kept.canonical(path, query, request.user, now)
    except ValidationError as error:
        form.add_error(None, error)
    if form.is_valid() and form.save():
        messages.success(request, _("The view is saved as %(name)s.") % {"name": view.name})
        return redirect(view.url)
    told = kept.read(path, query, request.user, now)
    context = {"form": form, "path": path, "query": query, "kept": told}
    return render(request, "views/save.html", context, status=400)


def _seen(request: base.HtmxHttpRequest, pk: int) -> SavedView:
    """A view that the account may open; for all others there is none."""
    view = saved_views.visible(request.user).filter(pk=pk).first()
    if view is None:
        raise Http404
    return view


@require_safe
def view(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """A view by its number: leads to its address."""
    return redirect(_seen(request, pk).url)


@require_POST
def change(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Rename, share or unshare a view."""
    found = _seen(request, pk)
    if not saved_views.may_change(request.user, found):
        raise PermissionDenied
    form = ViewForm(
        request.POST,
        view=found,
        may_share=request.user.has_perm(roles.MAY_SHARE),
        auto_id=f"view-{found.pk}-%s",
    )
    if not (form.is_valid() and form.save()):
        return _list(request, form)
    messages.success(request, _("The view %(name)s is changed.") % {"name": found.name})
    return redirect("views")


@require_POST
def delete(request: base.HtmxHttpRequest, pk: int) -> HttpResponse:
    """Delete a view; mail reports that were made from it keep their filter."""
    found = _seen(request, pk)
    if not saved_views.may_change(request.user, found, "delete"):
        raise PermissionDenied
    with transaction.atomic():
        audit.note(
            request,
            audit.Action.VIEW_DELETED,
            found.name,
            owner=found.owner.get_username(),
            **base.safe_address(found.path, found.query),
        )
        found.delete()
    messages.success(request, _("The view %(name)s is deleted.") % {"name": found.name})
    return redirect("views")
