"""`manage.py erase-name`: remove one display name everywhere."""

from argparse import ArgumentParser
from typing import Any

from reports import privacy, pulling
from reports.management.base import LedgerCommand, wrong


class Command(LedgerCommand):
    help = (
        "Remove one display name everywhere, in every spelling that is compared alike, and never let it in again. "
        "Every figure stays. It cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the display name, in any spelling")

    def handle(self, *, name: str, **options: Any) -> None:
        if not privacy.erasable(name):
            raise wrong("There is no such name. Give a display name, as a page shows it.")
        done = privacy.erase(name, pulling.utcnow())
        self.stdout.write(
            f"erased: {done.meetings} meetings, {done.visits} visits, {done.changes} changes, {done.rejected} rejected"
        )
