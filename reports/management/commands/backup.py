"""`manage.py backup`: the whole ledger in one file, while everything runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from reports import backups
from reports.management.base import LedgerCommand


class Command(LedgerCommand):
    help = (
        "Write the whole ledger, as of this moment, into one file; the site and the pulls may go on meanwhile. "
        "SQLite: a database file. PostgreSQL: a dump of pg_dump's custom format."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--force", action="store_true", help="replace FILE where it exists")

    def handle(self, *, file: str, force: bool, **options: Any) -> None:
        try:
            made = backups.backup(Path(file).expanduser(), force=force)
        except backups.CannotDo as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"backed up: {made.file}, {made.size / 2**20:,.1f} MB, schema {made.schema}")
