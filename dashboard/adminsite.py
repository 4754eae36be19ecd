"""Django's administration: for staff that sees all rooms, and of everything but the accounts."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from dashboard import limits


class LedgerAdmin(AdminSite):
    """Its lists know nothing of rooms that an account may not see: who is limited does not get in."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not limits.is_limited(request.user)

    def register(self, model_or_iterable: Any, *args: Any, **options: Any) -> None:
        """Take a model up; accounts have pages of their own, on which nobody shuts out the last administrator."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        super().register([model for model in models if model not in (User, Group)], *args, **options)
