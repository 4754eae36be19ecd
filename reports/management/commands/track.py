"""`manage.py track`: register meeting numbers."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from reports import events, pulling, schedule
from reports.management.base import LedgerCommand, wrong
from reports.text import read_numbers


class Command(LedgerCommand):
    help = (
        "Register meeting numbers to be asked about. Numbers have 9 to 11 digits; dashes and blanks inside "
        "them, commas between them (full-width ones too) and doubles are understood. All are registered, or none."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("numbers", nargs="*", metavar="NUMBER")
        parser.add_argument("--file", metavar="F", help="a text or CSV file of numbers; - is standard input")

    def handle(self, *, numbers: list[str], file: str | None, **options: Any) -> None:
        if not numbers and file is None:
            raise wrong("No numbers. Give meeting numbers, or --file with a file of them (- is standard input).")
        found = read_numbers("\n".join(numbers))
        if found.wrong:
            raise wrong(_sentence([piece for _, piece in found.wrong], ""))
        wanted = list(found.found)
        if file is not None:
            from_file = read_numbers(self._read(file))
            if from_file.wrong:
                pieces = [f"line {line}: {piece}" for line, piece in from_file.wrong]
                raise wrong(_sentence(pieces, f" in {'standard input' if file == '-' else file}"))
            wanted += from_file.found
        if not wanted:
            raise wrong("There is no meeting number in it. Give one or more, 9 to 11 digits each.")
        wanted = list(dict.fromkeys(wanted))
        with transaction.atomic():
            new = schedule.track(wanted, pulling.utcnow())
            events.tell("numbers-tracked", by="command", new=new, numbers=wanted)
        self.stdout.write(f"tracked: {new} new, {len(wanted) - new} known")

    def _read(self, file: str) -> str:
        try:
            raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise CommandError(f"{file} is no text in UTF-8. Save it as CSV or plain text in UTF-8.") from None


def _sentence(pieces: list[str], where: str) -> str:
    shown = "; ".join(f"'{piece[:40]}'" for piece in pieces[:5])
    more = f" and {len(pieces) - 5} more" if len(pieces) > 5 else ""
    return (
        f"Nothing was registered: {shown}{more}{where} {'are' if len(pieces) > 1 else 'is'} no meeting "
        "number of 9 to 11 digits. Mend or remove and run it again."
    )
