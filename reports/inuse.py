"""Who works on a ledger: each process of ours holds a shared lock of one file, and a restore wants it alone.

The system gives a lock back when its process ends, however it ends: nothing can be left behind.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from django.conf import settings
from django.db import connection

_held: dict[str, int] = {}


class InUse(Exception):
    """Somebody else holds it in a way that does not go together with ours; the text says what to do."""


def _file() -> Path:
    """Beside the database where that is a file: what it stands for may be used by more than one data folder."""
    if connection.vendor == "sqlite":
        database = Path(str(connection.settings_dict["NAME"]))
        return database.with_name(f"{database.name}.in-use")
    return Path(settings.DATA_DIR) / "in-use"


def share() -> None:
    """This process works on the ledger until it ends. Errors: InUse while a restore is under way."""
    file = str(_file())
    if file not in _held and not _lock(file, fcntl.LOCK_SH):
        raise InUse("A restore is under way. Wait until it has ended, and start again.")


def alone() -> None:
    """Keep everybody else away until this process ends or gives it back. Errors: InUse, who is there already."""
    file = str(_file())
    give_back()
    if not _lock(file, fcntl.LOCK_EX):
        raise InUse(
            "Roomledger is running on this data (the site, a worker or another command). Stop it first, then restore."
        )


def give_back() -> None:
    """Hold nothing any more."""
    descriptor = _held.pop(str(_file()), None)
    if descriptor is not None:
        os.close(descriptor)


def _lock(file: str, kind: int) -> bool:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError:
        return True  # a folder that cannot be written stops what needs it, with its own sentence
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:
        # A file system without locks: what else is looked at before a restore has to do.
        with contextlib.suppress(OSError):
            os.close(descriptor)
        return True
    _held[file] = descriptor
    return True
