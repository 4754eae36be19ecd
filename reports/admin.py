"""The administration of what a person may change: room names and tracked numbers. The rest is a ledger:
it can be read here, not rewritten."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from reports import events
from reports.models import (
    Change,
    Licence,
    Meeting,
    ProviderPeriod,
    Pull,
    PulledDay,
    Rejected,
    Room,
    Source,
    TrackedNumber,
)

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class Kept(Base):
    """Read only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Room)
class RoomAdmin(Base):
    list_display = ("host_id", "label", "name", "email", "capacity", "temporary")
    list_filter = ("temporary",)
    search_fields = ("host_id", "label", "name", "email")
    readonly_fields = ("host_id", "name", "email", "capacity", "temporary")

    def save_model(self, request: HttpRequest, obj: Room, form: Any, change: bool) -> None:
        before = Room.objects.filter(pk=obj.pk).values_list("label", flat=True).first()
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if before != obj.label:
                events.tell("room-renamed", obj.host_id, changes={"label": [before, obj.label]})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Licence)
class LicenceAdmin(Kept):
    list_display = ("last_seen_at", "first_seen_at", "__str__", "pay_type", "expire_date")


@admin.register(TrackedNumber)
class TrackedNumberAdmin(Base):
    list_display = ("number", "state", "asked_at", "next_due_at", "failures", "last_error")
    list_filter = ("state",)
    search_fields = ("number",)
    readonly_fields = ("state", "failures", "last_error")

    def save_model(self, request: HttpRequest, obj: TrackedNumber, form: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if not change:
                events.tell("numbers-tracked", new=1, numbers=[obj.number])


@admin.register(Meeting)
class MeetingAdmin(Kept):
    list_display = ("start_time", "topic", "meeting_id", "room", "state")
    list_select_related = ("room",)
    search_fields = ("meeting_id", "uuid")
    show_full_result_count = False


@admin.register(Pull)
class PullAdmin(Kept):
    list_display = ("started_at", "source", "state", "pages", "new", "changed", "same", "rejected", "error")
    list_filter = ("source", "state")


@admin.register(PulledDay)
class PulledDayAdmin(Kept):
    list_display = ("day", "complete_at", "announced", "delivered", "next_due_at", "failures", "last_error")


@admin.register(ProviderPeriod)
class ProviderPeriodAdmin(Kept):
    list_display = ("first", "last", "told_at", "meetings", "next_due_at", "failures", "last_error")


@admin.register(Source)
class SourceAdmin(Kept):
    list_display = ("name", "refused_at", "failures", "next_due_at", "last_error")


@admin.register(Rejected)
class RejectedAdmin(Kept):
    list_display = ("first_seen_at", "identity", "field", "reason")


@admin.register(Change)
class ChangeAdmin(Kept):
    list_display = ("seen_at", "meeting", "note")
    list_select_related = ("meeting",)
