"""The addresses of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.i18n import set_language

from dashboard.pages import (
    booked,
    budgets,
    csv,
    data,
    health,
    mail,
    meeting,
    meetings,
    overview,
    people,
    pool,
    reconciliation,
    room,
    rooms,
    series,
    telephony,
    views,
)
from reports.exports import TABLES
from reports.filter import SERIES

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("rooms/", rooms.rooms, name="rooms"),
    path("rooms/rename/", room.rename, name="rename-room"),
    # An id from outside may hold anything, a slash too.
    path("rooms/<path:host_id>/", room.room, name="room"),
    path("booked/", booked.booked, name="booked"),
    path("meetings/", meetings.meetings, name="meetings"),
    path("meetings/<int:pk>/", meeting.meeting, name="meeting"),
    path("telephony/", telephony.calls, name="telephony"),
    path("pool/", pool.page, name="pool"),
    path("people/", people.people, name="people"),
    path("people/<path:name>/", people.person, name="person"),
    path("series/", series.series, name="series-list"),
    *(path(f"series/{by}/<path:key>/", series.one_series, {"by": by}, name=f"series-{by}") for by in SERIES),
    path("budgets/", budgets.budgets, name="budgets"),
    path("budgets/new/", budgets.add, name="new-budget"),
    path("budgets/<int:pk>/", budgets.edit, name="budget"),
    path("budgets/<int:pk>/delete/", budgets.delete, name="delete-budget"),
    path("budgets/notices/<int:pk>/", budgets.send_again, name="send-notice"),
    path("views/", views.views, name="views"),
    path("views/save/", views.save, name="save-view"),
    path("views/<int:pk>/", views.view, name="view"),
    path("views/<int:pk>/change/", views.change, name="change-view"),
    path("views/<int:pk>/delete/", views.delete, name="delete-view"),
    path("mail/", mail.mail, name="mail"),
    path("mail/new/", mail.new, name="new-mail"),
    path("mail/<int:pk>/", mail.edit, name="edit-mail"),
    path("mail/<int:pk>/pause/", mail.pause, name="pause-mail"),
    path("mail/<int:pk>/send/", mail.send, name="send-mail"),
    path("mail/<int:pk>/delete/", mail.delete, name="delete-mail"),
    path("mail/unsubscribe/<str:token>/", mail.unsubscribe, name="unsubscribe"),
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
