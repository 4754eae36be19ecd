"""`manage.py restore`: a backup takes the place of the present database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from reports import backups
from reports.management.base import database_sentence


class Command(BaseCommand):
    help = (
        "Put a backup in the place of the present database, which is kept aside under another name. "
        "It is made ready and checked first; nothing may run on this data meanwhile."
    )
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")

    def handle(self, *, file: str, **options: Any) -> None:
        try:
            made = backups.restore(Path(file).expanduser())
        except backups.CannotDo as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"{database_sentence(error)} Nothing was changed.") from None
        found = made.verified
        self.stdout.write(f"restored: {found.meetings} meetings, {found.visits} visits, {found.calls} calls")
        self.stdout.write(f"schema of the backup: {made.schema}")
        if made.aside:
            self.stdout.write(f"the database before it is kept as {made.aside}")
        for line in [*found.notes, *map(str, found.differences.values())]:
            self.stdout.write(line)
        if found.differences:
            raise CommandError(
                f"It is restored, and what is kept in it is not what its rows say. {' '.join(found.remedies)}"
            )
