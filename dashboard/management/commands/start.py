"""`manage.py start`: the whole of Roomledger in one command."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard import launcher


class Command(BaseCommand):
    help = "Migrate, print the set-up link if there is no administrator, and run the site and the worker until Ctrl-C."
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="a year of a simulated company, to look around")
        parser.add_argument("--address", default="127.0.0.1:8000", metavar="HOST:PORT", help="default 127.0.0.1:8000")
        parser.add_argument(
            "--no-worker", action="store_true", help="the site only: pulls run elsewhere, or not at all"
        )

    def handle(self, *, demo: bool, address: str, no_worker: bool, **options: Any) -> None:
        def say(text: str) -> None:
            self.stdout.write(text)
            # Where the output goes to a file, the address has to be there at once too.
            self.stdout.flush()

        try:
            launcher.start(demo=demo, address=address, worker=not no_worker, say=say)
        except launcher.CannotStart as error:
            raise CommandError(str(error), returncode=error.status) from None
