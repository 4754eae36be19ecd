"""The next answer is asked for and read while the last one is imported."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """An iterator that is run ahead by a thread of its own.

    In: the source, which nobody else may use meanwhile, and how much may wait: `weigh` tells the weight of an
    item, and while `most` or more of it waits the source is not asked for another one.
    What the source raises is raised here, after everything that came before it.
    """

    def __init__(self, source: Iterator[T], weigh: Callable[[T], int], most: int) -> None:
        self._source = source
        self._weigh = weigh
        self._most = most
        self._waiting: deque[T] = deque()
        self._weight = 0
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        with self._changed:
            self._start()
            while not self._waiting and not self._ended:
                self._changed.wait()
            if self._waiting:
                item = self._waiting.popleft()
                self._weight -= self._weigh(item)
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def wait(self, seconds: float) -> bool:
        """Wait so long at most for the next item; whether it, or the end, is there."""
        with self._changed:
            self._start()
            if not self._waiting and not self._ended:
                self._changed.wait(seconds)
            return bool(self._waiting) or self._ended

    def _start(self) -> None:
        if self._thread is None and not self._ended:
            self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)
            self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether the next item, or the end, is there already."""
        with self._changed:
            return bool(self._waiting) or self._ended

    def close(self) -> None:
        """Ask for nothing more. What the source is at is not waited for."""
        with self._changed:
            self._closed = self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                with self._changed:
                    self._waiting.append(item)
                    self._weight += self._weigh(item)
                    self._changed.notify_all()
                    while self._weight >= self._most and not self._closed:
                        self._changed.wait()
                    if self._closed:
                        break
        except BaseException as raised:  # noqa: BLE001 — it is raised again where the item was waited for
            error = raised
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()
