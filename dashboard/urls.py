"""The addresses of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import path

from dashboard.pages import csv, data, health, meeting, meetings, overview
from reports.exports import TABLES

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("meetings/", meetings.meetings, name="meetings"),
    path("meetings/<int:pk>/", meeting.meeting, name="meeting"),
    path("data/", data.data, name="data"),
    path("data/progress/", data.progress, name="progress"),
    path("data/freshness/", data.freshness, name="freshness"),
    path("data/pull/", data.pull_now, name="pull-now"),
    path("data/track/", data.track, name="track"),
    *(path(f"{name}.csv", csv.download, {"table": name}, name=f"{name}-csv") for name in TABLES),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("healthz", health.healthz, name="healthz"),
    path("admin/", admin.site.urls),
]
