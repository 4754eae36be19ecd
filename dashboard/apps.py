from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DashboardConfig(AppConfig):
    name = "dashboard"

    def ready(self) -> None:
        from dashboard import (
            audit,
            checks,  # noqa: F401 — registers the system checks
            erasing,
            roles,
        )

        post_migrate.connect(roles.after_migrate, dispatch_uid="dashboard.roles")
        audit.connect()
        erasing.connect()
