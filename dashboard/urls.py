"""The addresses of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.i18n import set_language

from dashboard.pages import (
    csv,
    data,
    health,
    meeting,
    meetings,
    overview,
    people,
    pool,
    reconciliation,
    room,
    rooms,
    telephony,
)
from reports.exports import TABLES

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("rooms/", rooms.rooms, name="rooms"),
    path("rooms/rename/", room.rename, name="rename-room"),
    # An id from outside may hold anything, a slash too.
    path("rooms/<path:host_id>/", room.room, name="room"),
    path("meetings/", meetings.meetings, name="meetings"),
    path("meetings/<int:pk>/", meeting.meeting, name="meeting"),
    path("telephony/", telephony.calls, name="telephony"),
    path("pool/", pool.page, name="pool"),
    path("people/", people.people, name="people"),
    path("people/<path:name>/", people.person, name="person"),
    path("data/", data.data, name="data"),
    path("data/progress/", data.progress, name="progress"),
    path("data/freshness/", data.freshness, name="freshness"),
    path("data/pull/", data.pull_now, name="pull-now"),
    path("data/track/", data.track, name="track"),
    path("reconciliation/", reconciliation.reconciliation_page, name="reconciliation"),
    path("reconciliation/fetch/", reconciliation.fetch, name="fetch-missing"),
    *(path(f"{name}.csv", csv.download, {"table": name}, name=f"{name}-csv") for name in TABLES),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("language/", login_not_required(set_language), name="set_language"),
    path("healthz", health.healthz, name="healthz"),
    path("admin/", admin.site.urls),
]
