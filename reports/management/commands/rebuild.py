"""`manage.py rebuild`: compute every summary again from the raw rows."""

from typing import Any

from reports import folding, verification
from reports.management.base import LedgerCommand


class Command(LedgerCommand):
    help = "Compute every kept summary and sum again from the raw rows, for example after TIME_ZONE was changed."

    def handle(self, **options: Any) -> None:
        verification.mend()
        self.stdout.write(f"rebuilt: {folding.rebuild()} meetings differed")
