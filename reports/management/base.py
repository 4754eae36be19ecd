"""What our commands share: errors in one line, the last line of an import, a progress bar."""

import signal
import sys
import threading
from datetime import date
from types import FrameType
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from reports import inuse
from reports.models import Pull
from reports.troubles import sentence as database_sentence

__all__ = ["Bar", "LedgerCommand", "database_sentence", "day", "last_line", "stops_on_sigterm", "wrong"]

WRONG_ARGUMENTS = 2


class LedgerCommand(BaseCommand):
    """A command whose database errors are one clear line too."""

    requires_system_checks: Any = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            if getattr(self, "_called_from_command_line", False):
                inuse.share()
            if not connection.introspection.table_names():
                # The first command on a new installation: there is nothing yet that could be lost.
                call_command("migrate", verbosity=0, interactive=False)
            return super().execute(*args, **options)
        except DatabaseError as error:
            if options.get("traceback"):
                raise
            raise CommandError(database_sentence(error)) from None
        except inuse.InUse as error:
            raise CommandError(str(error)) from None
        except BrokenPipeError:
            # Whoever read the output has seen enough (`… | head`).
            sys.stdout = None
            raise SystemExit(0) from None


def stops_on_sigterm() -> None:
    """Have a request to end do what Ctrl-C does: leases are given back, and the record of the pull says so."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # asked twice: at once
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)


def wrong(message: str) -> CommandError:
    """An error of the arguments: exit status 2."""
    return CommandError(message, returncode=WRONG_ARGUMENTS)


def day(text: str, name: str) -> date:
    """An argument YYYY-MM-DD. Errors: CommandError with exit status 2."""
    try:
        if len(text) != 10:
            raise ValueError
        found = date.fromisoformat(text)
        if not 2000 <= found.year <= 2100:
            raise ValueError
    except ValueError:
        raise wrong(f"{name} is '{text}', which is no day. Give it as YYYY-MM-DD, such as 2026-01-31.") from None
    return found


def last_line(pulls: list[Pull]) -> str:
    """`pulled: N new, N changed, N same, N rejected` over the pulls."""
    sums = {name: sum(getattr(pull, name) for pull in pulls) for name in ("new", "changed", "same", "rejected")}
    return "pulled: " + ", ".join(f"{number} {name}" for name, number in sums.items())


class Bar:
    """A progress bar on a terminal; silent where the output goes elsewhere."""

    WIDTH = 30

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.shown = bool(getattr(stream, "isatty", lambda: False)())

    def __call__(self, pull: Pull) -> None:
        if not self.shown:
            return
        share = pull.pieces_done / pull.pieces if pull.pieces else 0
        full = round(share * self.WIDTH)
        self.stream.write(
            f"\r\x1b[2K{pull.source:8} [{'#' * full}{'.' * (self.WIDTH - full)}] {pull.pieces_done}/{pull.pieces}  "
            f"{pull.new} new, {pull.changed} changed, {pull.same} same, {pull.rejected} rejected",
            ending="",
        )
        if pull.ended_at is not None:
            self.stream.write("")
        self.stream.flush()
