"""`manage.py export`: a CSV table on standard output."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from reports import exports, pulling
from reports.filter import Filter
from reports.management.base import LedgerCommand, day, wrong


class Command(LedgerCommand):
    help = "Write a CSV table to standard output: everything, or the days and rooms given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("table", metavar="TABLE", choices=sorted(exports.TABLES), help=", ".join(exports.TABLES))
        parser.add_argument("--from", dest="first", metavar="D", help="first local day, YYYY-MM-DD")
        parser.add_argument("--to", dest="last", metavar="D", help="last local day, YYYY-MM-DD")
        parser.add_argument("--room", dest="rooms", metavar="HOST_ID", action="append", nargs="+", default=[])
        parser.add_argument("--raw", action="store_true", help="leave texts that a spreadsheet would run as they are")
        parser.add_argument("--no-bom", action="store_true", help="without a byte order mark")

    def handle(
        self,
        *,
        table: str,
        first: str | None,
        last: str | None,
        rooms: list[list[str]],
        raw: bool,
        no_bom: bool,
        **options: Any,
    ) -> None:
        chosen = Filter(
            first=day(first, "--from") if first else None,
            last=day(last, "--to") if last else None,
            rooms=tuple(room for group in rooms for room in group),
        )
        if chosen.first and chosen.last and chosen.first > chosen.last:
            raise wrong(f"--from {chosen.first} is after --to {chosen.last}.")
        # Bytes, past the terminal's own encoding: the file is UTF-8 wherever it is made.
        stream = getattr(self.stdout, "_out", sys.stdout)
        binary = getattr(stream, "buffer", None)
        pieces = exports.write(exports.TABLES[table], chosen, pulling.utcnow(), bom=not no_bom, raw=raw)
        try:
            for piece in pieces:
                if binary is not None:
                    binary.write(piece)
                else:
                    stream.write(piece.decode())
            (binary or stream).flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(f"The table could not be written: {error.strerror}.") from None
