"""When sums of days are made while a pull goes on, and a thread of its own that makes them beside it."""

import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection

from reports import bulk, folding, troubles
from reports.fresh import Turn

logger = logging.getLogger(__name__)

FOLD_EVERY = 1.0  # seconds
PAUSE = 0.1


class Pace:
    """When sums are made: pages need not add up again what came with the last pieces, nor read every day of years."""

    def __init__(self) -> None:
        self._folded = time.monotonic()
        # Of a pull that goes from month to month without an order each is added up twice at most: here, and at its end.
        self._added_up: set[int] = set()

    def is_due(self) -> bool:
        """Not after each piece: its late meetings reach into the day that came before it."""
        return time.monotonic() - self._folded > FOLD_EVERY

    def fold(self, turn: Turn | None = None) -> None:
        """Make the sums of touched days, and those of months and years that the pull has left."""
        folding.fold(once=self._added_up, turn=turn)
        self._folded = time.monotonic()


class Turns:
    """A lock that goes to who has waited longest."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next = self._serving = 0

    def __enter__(self) -> None:
        with self._changed:
            mine = self._next
            self._next += 1
            while self._serving != mine:
                self._changed.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._serving += 1
            self._changed.notify_all()


class Aside:
    """A thread that makes sums again and again while a pull brings in its pieces, with a connection of its own.

    The adding up is the database's work, during which Python runs other threads. Whatever it leaves undone, or cannot
    do, is left for the end of the pull. turns: held by whoever writes much.
    """

    def __init__(self) -> None:
        self.turns = Turns()
        self._come = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folding", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._come.set()
        self._thread.join()

    def wake(self) -> None:
        """Days were touched."""
        self._come.set()

    def _run(self) -> None:
        try:
            with bulk.put_aside_in_memory():
                self._fold()
        finally:
            connection.close()

    def _fold(self) -> None:
        pace = Pace()
        while True:
            self._come.wait()
            if self._closing.is_set():
                return
            self._come.clear()
            try:
                pace.fold(_Turn(self.turns, self._closing))
            except _Closing:
                return
            except DatabaseError as error:
                logger.info("sums could not be made beside a pull, its end does it: %s", troubles.sentence(error))
                connection.close()
            self._closing.wait(PAUSE)


class _Closing(Exception):
    pass


class _Turn:
    """The turn of the thread, as often as it is asked for, until the pull has ended."""

    def __init__(self, turns: Turns, closing: threading.Event) -> None:
        self._turns = turns
        self._closing = closing

    def __enter__(self) -> None:
        self._turns.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turns.__exit__(kind, error, trace)
        # What was made already has taken its place.
        if error is None and self._closing.is_set():
            raise _Closing
