"""What a line of the log is: one JSON object, or one line of text; and which request, task and pull it belongs to."""

import json
import logging
import logging.handlers
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

# Names of the settings that no line may hold, whatever went wrong with what was said of them.
SECRET_SETTINGS = ("UMEET_API_KEY", "UMEET_API_SECRET", "SECRET_KEY", "EMAIL_HOST_PASSWORD", "METRICS_TOKEN")
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
HIDDEN = "***"

_belongs: ContextVar[dict[str, Any]] = ContextVar("belongs", default={})  # noqa: B039 — never changed, only replaced


def new_id() -> str:
    """An id that nothing else has."""
    return secrets.token_hex(8)


@contextmanager
def belonging(**names: Any) -> Iterator[None]:
    """Inside, every line carries these names and values, such as request="3f0c…" or pull=12."""
    token = _belongs.set({**_belongs.get(), **names})
    try:
        yield
    finally:
        _belongs.reset(token)


def begin(**names: Any) -> None:
    """From here on, lines of this thread carry these and nothing else."""
    _belongs.set(names)


def note(**names: Any) -> None:
    """From here to the end of the surrounding `belonging`, every line carries these too."""
    both = {**_belongs.get(), **names}
    _belongs.set({name: value for name, value in both.items() if value is not None})


def current(name: str) -> Any:
    """What lines carry under a name at present; None for nothing."""
    return _belongs.get().get(name)


class Belongs(logging.Filter):
    """Gives a record what it belongs to, in the thread that makes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.belongs = _belongs.get()
        return True


def _hide(text: str) -> str:
    values = [getattr(settings, name, "") for name in SECRET_SETTINGS]
    databases = getattr(settings, "DATABASES", {})
    values += [database.get("PASSWORD", "") for database in databases.values()]
    for value in values:
        if value and len(str(value)) > 3:
            for spelling in {str(value), json.dumps(str(value))[1:-1]}:
                text = text.replace(spelling, HIDDEN)
    return text


class Line(logging.Formatter):
    """One line of text, what it belongs to in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        belongs = getattr(record, "belongs", {})
        record.where = "".join(f" [{name} {value}]" for name, value in belongs.items())
        return _hide(super().format(record))


class Json(logging.Formatter):
    """One JSON object on one line: time (UTC), level, logger, process, message, what it belongs to, and any error.

    A record's `fields` (a dict given as `extra={"fields": …}`) come as they are.
    """

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **getattr(record, "belongs", {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return _hide(json.dumps(told, ensure_ascii=False, default=str))


class WholeLines(logging.handlers.WatchedFileHandler):
    """Many processes append to one file: each line is one write, so that none lands inside another.

    Rotation is left to the system. A disk that is full loses lines and stops nothing.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if self.stream is None:
                self.stream = self._open()
                self._statstream()
            self.reopenIfNeeded()
            os.write(self.stream.fileno(), f"{text}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            pass
        except Exception:  # noqa: BLE001 — as logging itself does
            self.handleError(record)
