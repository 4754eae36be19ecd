"""`manage.py verify`: is everything computed and kept what the raw rows say?"""

from typing import Any

from django.core.management.base import CommandError

from reports import verification
from reports.management.base import LedgerCommand


class Command(LedgerCommand):
    help = "Compare every kept summary and sum with one computed anew from the raw rows. Writes nothing."

    def handle(self, **options: Any) -> None:
        try:
            found = verification.verify(self._tell if getattr(self.stderr, "isatty", bool)() else None)
        except verification.OtherVersion as error:
            raise CommandError(str(error)) from None
        for note in found.notes:
            self.stdout.write(note)
        for difference in found.differences.values():
            self.stdout.write(str(difference))
        if found.differences:
            raise CommandError(f"What is kept is not what the rows say. {' '.join(found.remedies)}")
        self.stdout.write(
            f"verified: {found.meetings} meetings, {found.visits} visits, {found.calls} calls and the sums of "
            f"{found.stretches} stretches of days are what the raw rows say"
        )

    def _tell(self, done: int, every: int) -> None:
        self.stderr.write(f"\r\x1b[2K{done}/{every} meetings", ending="\r" if done >= every else "")
        self.stderr.flush()
