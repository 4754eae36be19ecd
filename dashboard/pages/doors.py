"""The sign-in, the sign-out and the choice of a language: Django's own, which lead nowhere else afterwards."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.i18n import set_language

from dashboard.form_errors import wrong_together

# Django lets "//" pass as an address of this site; a browser looks for a host in it.
NO_ADDRESS = ("//", "/\\")


class SignInForm(AuthenticationForm):
    """User name and password."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        name, password = self.fields["username"], self.fields["password"]
        name.label, password.label = gettext_lazy("User name"), gettext_lazy("Password")
        name.widget.attrs["spellcheck"] = "false"
        name.error_messages["required"] = gettext_lazy("Enter the user name.")
        password.error_messages["required"] = gettext_lazy("Enter the password.")

    def clean(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().clean()
        except forms.ValidationError:
            wrong_together(self, "username", "password")
            raise
        return found


class SignInView(LoginView):
    redirect_authenticated_user = True
    authentication_form = SignInForm

    def get_redirect_url(self) -> str:  # type: ignore[override]  # the stubs are of another version
        url = super().get_redirect_url()
        return "" if url.startswith(NO_ADDRESS) else url


class SignOutView(LogoutView):
    def get_redirect_url(self) -> str:  # type: ignore[override]  # the stubs are of another version
        url = super().get_redirect_url()
        return "" if url.startswith(NO_ADDRESS) else url


@login_not_required
def language(request: HttpRequest) -> HttpResponse:
    """Remember the language and lead back."""
    response = set_language(request)
    if response.headers.get("Location", "").startswith(NO_ADDRESS):
        response.headers["Location"] = reverse("overview")
    return response
