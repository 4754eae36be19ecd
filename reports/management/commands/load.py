"""`manage.py load`: import saved answers of the API."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import CommandError

from reports import folding, importer, leases, pulling
from reports.management.base import LedgerCommand, last_line, stops_on_sigterm
from reports.models import Pull
from reports.provider.errors import ProviderError
from reports.provider.payloads import decode, read_answer


class Command(LedgerCommand):
    help = "Import saved answers of the API, either shape, one JSON a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *, files: list[str], **options: Any) -> None:
        stops_on_sigterm()
        zone = ZoneInfo(settings.UMEET_TIME_ZONE)
        pull = Pull.objects.create(
            source=Pull.Kind.LOAD,
            started_at=pulling.utcnow(),
            asked_for=", ".join(Path(file).name for file in files)[:2000],
            pieces=len(files),
            owner=leases.new_owner(),
        )
        problems: list[str] = []
        try:
            for number, file in enumerate(files, 1):
                try:
                    page = read_answer(decode(Path(file).read_bytes()), zone)
                    importer.import_page(page.records, pull, pulling.utcnow(), piece=f"file:{Path(file).name}"[:200])
                    problems += [f"{file}: {warning}" for warning in page.warnings]
                    Pull.objects.filter(pk=pull.pk).update(pieces_done=number - len(problems))
                except OSError as error:
                    problems.append(f"{file} cannot be read: {error.strerror}.")
                except ProviderError as error:
                    problems.append(f"{file} cannot be imported: {error}")
        finally:
            Pull.objects.filter(pk=pull.pk).update(
                ended_at=pulling.utcnow(),
                state=Pull.State.FAILED if problems else Pull.State.DONE,
                error=" ".join(problems)[:2000],
            )
        folding.fold()
        pull.refresh_from_db()
        self.stdout.write(last_line([pull]))
        if pull.rejected:
            self.stderr.write(
                f"{pull.rejected} could not be read and are kept with the reason: see Data in the dashboard."
            )
        if problems:
            raise CommandError("\n".join(problems))
