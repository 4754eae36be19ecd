"""The administration of what accounts set up: it is seen and cleared away here, and changed on its own pages."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from dashboard.models import Budget, MailReport, SavedView

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class SetUp(Base):
    """Seen and deleted."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(SavedView)
class SavedViewAdmin(SetUp):
    list_display = ("name", "owner", "path", "query", "shared", "created_at")
    list_filter = ("shared", "owner")


@admin.register(MailReport)
class MailReportAdmin(SetUp):
    list_display = (
        "name",
        "owner",
        "path",
        "query",
        "frequency",
        "active",
        "next_due_at",
        "last_sent_at",
        "last_error",
    )
    list_filter = ("active", "owner")


@admin.register(Budget)
class BudgetAdmin(SetUp):
    list_display = ("__str__", "amount", "active", "created_by", "created_at")
    list_select_related = ("room",)
