"""The administration of what accounts set up: it is seen and cleared away here, and changed on its own pages."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from dashboard import audit
from dashboard.models import AuditEntry, Budget, MailReport, SavedView

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class SetUp(Base):
    """Seen and deleted. deleted: how that is called in the audit."""

    deleted: str = ""

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with transaction.atomic():
            audit.note(request, self.deleted, str(obj))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for one in queryset:
                audit.note(request, self.deleted, str(one))
            super().delete_queryset(request, queryset)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(SavedView)
class SavedViewAdmin(SetUp):
    deleted = audit.Action.VIEW_DELETED
    list_display = ("name", "owner", "path", "query", "shared", "created_at")
    list_filter = ("shared", "owner")


@admin.register(MailReport)
class MailReportAdmin(SetUp):
    deleted = audit.Action.MAIL_DELETED
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
    deleted = audit.Action.BUDGET_DELETED
    list_display = ("__str__", "amount", "active", "created_by", "created_at")
    list_select_related = ("room",)


@admin.register(AuditEntry)
class AuditEntryAdmin(Base):
    """Read only, by whoever may see the page of them."""

    list_display = ("at", "account_name", "client", "action", "object")
    list_filter = ("action",)
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("dashboard.see_audit")

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("dashboard.see_audit")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
