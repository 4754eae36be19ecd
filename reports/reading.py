"""Answers are read, and their records made ready for the tables, in a process of its own, on another processor.

Reading costs as much as writing does, and Python runs one thread of a process at a time. The process knows neither the
key nor the database: it gets the bytes of an answer and gives rows of plain values. It may end at any moment. What it
cannot give at once, or what is not as usual in an answer (a failure, a record that cannot be read), the pulling
process reads itself, with the same functions: no figure depends on who read.

Run as a program, this module is that process.
"""

import gc
import marshal
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar, overload
from zoneinfo import ZoneInfo

from reports.money import UNIT
from reports.prepared import Prepared, Row, prepare
from reports.provider.errors import ProviderError
from reports.provider.payloads import Call, MeetingRecord, Page, Shape, Visit, decode, read_answer

PIPE_SIZE = 1024 * 1024
LENGTH = 8  # bytes before each message that say how long it is
ANSWER_WITHIN = 60.0  # seconds; whoever takes longer is asked no more
OBJECTS_A_LOOK = 20_000
# What the process needs of the environment: to find Python's own files and ours. No key, no secret.
ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONTZPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "SYSTEMROOT")

T = TypeVar("T")


class Reader:
    """A process that reads answers of the provider.

    In: the provider's zone, of times that name none, and the site's, in which days are. Used by one thread at a time;
    `close` may come from another.
    """

    def __init__(self, zone: ZoneInfo, site_zone: ZoneInfo) -> None:
        self._ready = self._gone = False
        self._process = subprocess.Popen(  # noqa: S603 — our own module, and zones that are known
            [sys.executable, "-m", "reports.reading", zone.key, site_zone.key],
            cwd=Path(__file__).resolve().parent.parent,
            env={name: value for name in ENVIRONMENT if (value := os.environ.get(name)) is not None},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for pipe in (self._input, self._output):
            _widen(pipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; what it is at is lost."""
        self._gone = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def read(self, body: bytes) -> Page | None:
        """The page that an answer's bytes are, its records prepared; None: it is for the caller to read."""
        if self._gone:
            return None
        try:
            if not self._ready:
                if not self._waits(0):
                    return None  # it is still starting
                _received(self._output)
                self._ready = True
            _send(self._input, body)
            if not self._waits(ANSWER_WITHIN):
                self._process.kill()
                raise EOFError
            told = _received(self._output)
        except (OSError, EOFError, ValueError):
            self._gone = True
            return None
        return _page(marshal.loads(told)) if told else None  # noqa: S302 — our own process wrote it

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 — as it was made
        return self._process.stdin

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101
        return self._process.stdout

    def _waits(self, seconds: float) -> bool:
        """Whether something waits to be read within some seconds."""
        return bool(select.select([self._output], [], [], seconds)[0])


# Messages -----------------------------------------------------------------------------------------------------


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold a whole message, where that can be said: each part of one waits for its turn in Python."""
    with suppress(ImportError, AttributeError, OSError):
        from fcntl import F_SETPIPE_SZ, fcntl

        fcntl(pipe.fileno(), F_SETPIPE_SZ, PIPE_SIZE)


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(LENGTH, "big"))
    pipe.write(message)
    pipe.flush()


def _received(pipe: IO[bytes]) -> bytes:
    """The next message. Errors: EOFError when there is none."""
    begin = pipe.read(LENGTH)
    if len(begin) < LENGTH:
        raise EOFError
    size = int.from_bytes(begin, "big")
    message = pipe.read(size)
    if len(message) < size:
        raise EOFError
    return message


# Records as plain values, and back ----------------------------------------------------------------------------


def _flat(record: MeetingRecord, site_zone: ZoneInfo) -> Row:
    return (
        *(record.shape.value, record.uuid, record.meeting_id, record.host_id, record.room_name, record.room_email),
        *(record.topic, record.duration, record.is_extra, record.visits is not None, record.calls is not None),
        tuple(prepare(record, site_zone)),
    )


def _record(flat: Row) -> MeetingRecord:
    shape, uuid, number, host_id, name, email, topic, duration, is_extra, visits, calls, ready = flat
    ready = Prepared(*ready)
    return MeetingRecord(
        Shape(shape),
        uuid,
        number,
        host_id,
        name,
        email,
        topic,
        _required(ready.start),
        _moment(ready.end),
        duration,
        is_extra,
        Later(ready.visits, _visit) if visits else None,
        Later(ready.calls, _call) if calls else None,
        ready,
    )


def _required(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else _required(text)


def _visit(row: Row) -> Visit:
    return Visit(row[1], _required(row[2]), _moment(row[3]))


def _call(row: Row) -> Call:
    _place, number, kind, start, end, duration, total, *_computed = row
    return Call(number, kind, _moment(start), _moment(end), duration, None if total is None else Decimal(total) / UNIT)


class Later(Sequence[T]):
    """Visits or calls out of their prepared rows, made when one is looked at: of most meetings none is."""

    def __init__(self, rows: Sequence[Row], make: Callable[[Row], T]) -> None:
        self._rows = rows
        self._make = make
        self._made: tuple[T, ...] | None = None

    def _all(self) -> tuple[T, ...]:
        if self._made is None:
            self._made = tuple(map(self._make, self._rows))
        return self._made

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        return self._all()[place]

    def __iter__(self) -> Iterator[T]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())


def _page(told: Any) -> Page:
    (shape, *paging), records = told
    return Page(Shape(shape), tuple(map(_record, records)), *paging)


def answered(body: bytes, zone: ZoneInfo, site_zone: ZoneInfo) -> bytes:
    """What an answer's bytes say, as a message; an empty one where it is for others to read."""
    try:
        page = read_answer(decode(body), zone)
    except ProviderError:
        return b""
    if not page.records or not all(type(record) is MeetingRecord for record in page.records):
        return b""
    paging = (page.page_number, page.total_page, page.total_record, page.has_next, page.warnings, page.complete)
    records = [_flat(record, site_zone) for record in page.records if isinstance(record, MeetingRecord)]
    return marshal.dumps(((page.shape.value, *paging), records))


# The process --------------------------------------------------------------------------------------------------


def _work(zone: ZoneInfo, site_zone: ZoneInfo) -> None:
    """Read what comes until there is no more, which is when the pulling process has gone."""
    gc.set_threshold(OBJECTS_A_LOOK)
    # Who presses Ctrl+C ends the pulling process, and that ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(0), "rb") as come, os.fdopen(os.dup(1), "wb") as go:
        # Whatever prints would spoil the messages.
        os.dup2(2, 1)
        _send(go, b"")
        while True:
            try:
                body = _received(come)
            except EOFError:
                return
            try:
                told = answered(body, zone, site_zone)
            except Exception:  # noqa: BLE001 — who asked reads it, and says what is wrong
                told = b""
            try:
                _send(go, told)
            except BrokenPipeError:
                return


if __name__ == "__main__":
    _work(ZoneInfo(sys.argv[1]), ZoneInfo(sys.argv[2]))
