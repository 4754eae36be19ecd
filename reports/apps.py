from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


def _install_triggers(using: str, **_kwargs: Any) -> None:
    """A migration that makes a table anew takes its triggers with it: they are looked after whenever one has run."""
    from reports import triggers

    triggers.install(connections[using])


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = "Roomledger"

    def ready(self) -> None:
        from reports import checks  # noqa: F401 — registers the system checks

        post_migrate.connect(_install_triggers, sender=self)
