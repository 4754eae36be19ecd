"""Pages that were worked out, kept in the memory of a process until anything that they show may have changed.

What a page shows is the same for all who may see the same, until a meeting, a call, a room, what is rented or what was
pulled changes (`figures.version`), or time goes on. Nothing is shown that is older than the ledger, with one exception:
while a pull is bringing in its many pieces, a page stands for MOMENT, so that readers do not wait for every piece
to be added up. When the pull ends, the next page has all of it.
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reports.figures.version import Version

MINUTE = timedelta(minutes=1)  # what says "so far today" moves on
MOMENT = timedelta(seconds=3)  # running meetings grow; the pieces of a pull come in
MOST_BYTES = 24 * 2**20  # in each process


@dataclass(frozen=True, slots=True)
class Made:
    """A page that was worked out. page: its template, for what stands around; fragment: what the filter changes.

    head: what the template shows around the fragment. form: action and query of its filter bar, for saved views.
    """

    page: str
    fragment: str
    head: dict[str, Any]
    form: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Entry:
    made: Made
    version: Version
    at: datetime
    size: int


def _bytes(made: Made) -> int:
    """What the texts of a page take in memory: two bytes a character with Chinese in it, four with one emoji."""
    return sum(sys.getsizeof(text) for text in (made.fragment, *(made.form or {}).values()))


class Shelf:
    """Pages by what was asked and by whom it may be seen; those longest not asked for go first."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self.size = 0
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, tuple[threading.Lock, int]] = {}

    def page(self, key: Hashable, version: Version, now: datetime, make: Callable[[], Made | None]) -> Made | None:
        """The page under a key; made, by one at a time, where none is kept that still holds.

        make: gives the page, or None where there is none to keep (an error, a redirect), which is handed on.
        """
        if found := self._holding(key, version, now):
            return found
        with self._alone(key):
            # Somebody else may have made it meanwhile.
            if found := self._holding(key, version, now):
                return found
            made = make()
            if made is not None:
                self._put(key, _Entry(made, version, now, _bytes(made)))
            return made

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.size = 0

    def _holding(self, key: Hashable, version: Version, now: datetime) -> Made | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            age = abs(now - entry.at)
            if entry.version.rest != version.rest or age >= MINUTE:
                return None
            if (version.running or version.pulling) and age >= MOMENT:
                return None
            # Only between the pieces of a pull may the ledger be a little ahead of what is shown.
            if entry.version.ledger != version.ledger and not (version.pulling and entry.version.pulling):
                return None
            self._entries.move_to_end(key)
            return entry.made

    def _put(self, key: Hashable, entry: _Entry) -> None:
        with self._lock:
            if before := self._entries.pop(key, None):
                self.size -= before.size
            self._entries[key] = entry
            self.size += entry.size
            while self.size > self.most:
                _key, old = self._entries.popitem(last=False)
                self.size -= old.size

    @contextmanager
    def _alone(self, key: Hashable) -> Iterator[None]:
        """One at a time for each key: who asks for the same page waits for it rather than work it out too."""
        with self._lock:
            lock, waiting = self._making.get(key, (threading.Lock(), 0))
            self._making[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._making[key]
                if waiting == 1:
                    del self._making[key]
                else:
                    self._making[key] = (lock, waiting - 1)


shelf = Shelf()
