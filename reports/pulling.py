"""What is due, claim it, fetch it, import it, record it.

Three sources feed one importer: meeting numbers (share/reports), dates (share/detail) and rooms
(share/rooms, and with them licensing); a fourth brings the provider's own totals (share/summary), which ours
are checked against. Each run claims pieces of work, asks the provider outside any transaction, imports page
by page, and only then notes the piece as done: whatever is cut off in between is asked for again, and
asking again changes nothing.

What goes wrong is sorted by its remedy. Transient: the piece and its source wait ever longer. Unreadable:
the piece waits, the others go on. Refused: the source stops and every page says so; it is tried once
an hour, and at once by hand.
"""

import gc
import logging
import os
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from queue import SimpleQueue
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet

from reports import access, bulk, folding, leases, logs, schedule, stopping, summaries, troubles
from reports.access import NotConfigured as NotConfigured  # what make_client raises
from reports.aside import Aside, Pace
from reports.figures import reconciliation
from reports.importer import Outcome, forget_unnamed, import_parts, keep_licence
from reports.models import Meeting, ProviderPeriod, ProviderRoom, Pull, PulledDay, Source, TrackedNumber, Work
from reports.provider.ahead import Ahead
from reports.provider.client import Client
from reports.provider.errors import BadPayload, Denied, ProviderError, Refused, Transient
from reports.provider.payloads import MeetingRecord, Page, Record, RoomTotals, Unreadable
from reports.reading import Reader

logger = logging.getLogger(__name__)

NUMBERS_A_CALL = 200  # "At most 200 in one call" (share/reports)
# No limit is documented. Other services of this family deliver at most 300 and take more as 300.
PAGE_SIZE = 300
# Some megabytes each. A transaction costs the more the more pages of indexes it touches, nearly whatever it brings.
FIRST_ROWS, ROWS_TOGETHER = 500, 16_000
ROWS_AHEAD = 16_000
OBJECTS_A_LOOK = 20_000
DAYS_A_CLAIM = 5
DAYS_AHEAD = 3  # days that are claimed at least, so that the next one is always asked about
DAYS_WORTH_A_READER = 15  # starting a process takes about as long as reading some days
PERIODS_A_CLAIM = 5

BACKOFF = timedelta(minutes=1)
BACKOFF_AT_MOST = timedelta(hours=1)
RUN_AT_MOST = timedelta(minutes=15)
LOOK_UP_EVERY = 0.3  # seconds, while an answer is waited for
CLOSING_AT_MOST = 10.0  # seconds that a database may need to be back

Clock = Callable[[], datetime]
Watcher = Callable[[Pull], None]


def utcnow() -> datetime:
    return datetime.now(UTC)


def make_client() -> Client:
    """The client of the settings and of what is kept. Errors: NotConfigured without a key."""
    return Client(
        settings.UMEET_URL,
        *access.credentials(),
        zone=ZoneInfo(settings.UMEET_TIME_ZONE),
        timeout=settings.UMEET_TIMEOUT,
        page_size=PAGE_SIZE,
    )


# Asking ahead --------------------------------------------------------------------------------------

# A page, the end of one question's pages, or why there are no more.
Answer = Page | ProviderError | None


def _asked(questions: Iterable[Iterator[Page]]) -> "Ahead[Answer]":
    """The answers of questions that are asked one after the other, up to the first that fails."""

    def answers() -> Iterator[Answer]:
        for pages in questions:
            try:
                yield from pages
            except ProviderError as error:
                yield error
                return
            yield None

    return Ahead(answers(), _rows, ROWS_AHEAD)


def _rows(answer: Answer) -> int:
    """How many rows an answer becomes, nearly."""
    if not isinstance(answer, Page):
        return 0
    told = (record for record in answer.records if isinstance(record, MeetingRecord))
    return len(answer.records) + sum(len(record.visits or ()) + len(record.calls or ()) for record in told)


# Runs ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Taken:
    """What one question brought. outcome: of the imports that its pages were part of. pages: without their records.

    delivered: how many records of meetings.
    """

    outcome: Outcome = field(default_factory=Outcome)
    pages: list[Page] = field(default_factory=list)
    delivered: int = 0


@dataclass(slots=True)
class Run:
    """One run of a source. Nothing is written until the first piece is claimed."""

    source: str
    clock: Clock
    watch: Watcher | None = None
    forced: bool = False
    owner: str = field(default_factory=leases.new_owner)
    pull: Pull | None = None
    error: str = ""
    state: str = Pull.State.DONE
    failed_in_a_row: int = 0
    claimed: int = 0
    started: datetime = field(default_factory=utcnow)
    pace: Pace = field(default_factory=Pace)
    aside: Aside | None = None
    kept_at: datetime | None = None
    untold: list[tuple[str, Sequence[Record], Outcome]] = field(default_factory=list)
    rows: int = 0
    together: int = FIRST_ROWS

    def begin(self, claimed: int, asked_for: str, waiting: int = 0) -> Pull:
        """Note pieces that were claimed, and how many more wait: what the progress is measured against."""
        pieces = self.claimed + claimed + waiting
        self.claimed += claimed
        if self.pull is None:
            self.pull = Pull.objects.create(
                source=self.source,
                started_at=self.clock(),
                owner=self.owner,
                asked_for=asked_for,
                pieces=pieces,
            )
            logs.note(pull=self.pull.pk)
        else:
            self.pull.asked_for = _joined(self.pull.asked_for, asked_for)
            Pull.objects.filter(pk=self.pull.pk).update(pieces=pieces, asked_for=self.pull.asked_for)
        self.tell()
        return self.pull

    def tell(self) -> None:
        if self.pull is not None and self.watch is not None:
            self.pull.refresh_from_db()
            self.watch(self.pull)

    def take(self, answers: "Ahead[Answer]", held: Sequence[Work], piece: str = "") -> "Taken":
        """Take the pages of one question as they come, and import them.

        Pages that wait already are imported together, up to ROWS_TOGETHER. What is not imported when the question
        ends, because more waits, is for the next `take` or `put`. Errors: ProviderError of the client, after the pages
        before it.
        """
        assert self.pull is not None  # noqa: S101 — begin() comes first
        taken = Taken()
        while True:
            while not answers.wait(LOOK_UP_EVERY):
                _look_up()
            _look_up()
            answer = next(answers, None)
            if answer is None:
                break
            if isinstance(answer, ProviderError):
                raise answer
            taken.pages.append(replace(answer, records=()))
            taken.delivered += sum(isinstance(record, MeetingRecord | Unreadable) for record in answer.records)
            self.untold.append((piece, answer.records, taken.outcome))
            self.rows += _rows(answer)
            if self.is_full or not answers.ready:
                self.put()
            self.keep(held)
        if self.is_full or not answers.ready:
            self.put()
        return taken

    @property
    def is_full(self) -> bool:
        """Whether so much was taken that it is time to import it. The first is soon, so that pages have something."""
        return self.rows >= min(self.together, ROWS_TOGETHER)

    def put(self) -> None:
        """Import what was taken."""
        if not self.untold:
            return
        assert self.pull is not None  # noqa: S101 — begin() comes first
        parts = [(piece, records) for piece, records, _outcome in self.untold]
        with self.turn():
            done = import_parts(parts, self.pull, self.clock(), pages=len(parts))
        for outcome in {id(outcome): outcome for _piece, _records, outcome in self.untold}.values():
            outcome.add(done)
        self.untold, self.rows, self.together = [], 0, self.together * 2
        self.tell()

    def keep(self, held: Sequence[Work]) -> None:
        """Extend the leases of pieces that are claimed, now and then: all that this run holds, of its kind."""
        now = self.clock()
        if held and (self.kept_at is None or not timedelta() <= now - self.kept_at < leases.LEASE / 10):
            leases.extend(held, self.owner, now)
            self.kept_at = now

    def turn(self) -> AbstractContextManager[None]:
        """Held while this run writes, where sums are made beside it."""
        return self.aside.turns if self.aside else nullcontext()

    def done(self, pieces: int) -> None:
        if self.pull is not None:
            with self.turn():
                Pull.objects.filter(pk=self.pull.pk).update(pieces_done=F("pieces_done") + pieces)
            self.tell()
            if self.aside:
                self.aside.wake()
            elif self.pace.is_due():
                self.pace.fold()
        self.failed_in_a_row = 0

    def failed(self, error: ProviderError) -> bool:
        """Note a failure and say whether to go on with the next piece."""
        self.error = str(error)
        now = self.clock()
        if isinstance(error, Denied | Refused):
            self.state = Pull.State.REFUSED
            # The key is the same for all sources that bring meetings; anything else may concern this one alone.
            # Totals stand apart: a key that may not read them may still bring the meetings, and where no total
            # is due nothing would show that they are open again.
            names = [name for name in Source.Name.values if name != Source.Name.SUMMARY]
            if self.source == Source.Name.SUMMARY or not isinstance(error, Denied):
                names = [self.source]
            for name in names:
                schedule.source(name)
            Source.objects.filter(name__in=names).update(refused_at=now, last_error=self.error)
            return False
        self.state = Pull.State.FAILED
        self.failed_in_a_row += 1
        row = schedule.source(self.source)
        if isinstance(error, BadPayload) and self.failed_in_a_row < 2:
            # This piece alone may be at fault: the source is told of, but not made to wait.
            Source.objects.filter(pk=row.pk).update(failures=F("failures") + 1, next_due_at=now, last_error=self.error)
            return True
        wait = _backoff(row.failures, error)
        Source.objects.filter(pk=row.pk).update(
            failures=F("failures") + 1, next_due_at=now + wait, last_error=self.error
        )
        return False

    def end(self) -> None:
        """Close the run; without a single piece there was none."""
        if self.pull is None:
            return
        now = self.clock()
        Pull.objects.filter(pk=self.pull.pk, ended_at=None).update(ended_at=now, state=self.state, error=self.error)
        if self.state in (Pull.State.DONE, Pull.State.PARTIAL):
            changes = {"refused_at": None, "failures": 0, "last_error": "", "asked_at": now}
            schedule.source(self.source)
            Source.objects.filter(name=self.source).update(**changes)
        with bulk.put_aside_in_memory():
            folding.fold()
        self.pull.refresh_from_db()
        logger.info(
            "pull %s %s: %d new, %d changed, %d same, %d rejected%s",
            self.source,
            self.pull.state,
            self.pull.new,
            self.pull.changed,
            self.pull.same,
            self.pull.rejected,
            f" ({self.error})" if self.error else "",
        )
        if self.watch is not None:
            self.watch(self.pull)

    def out_of_time(self) -> bool:
        return stopping.asked() or (not self.forced and self.clock() - self.started > RUN_AT_MOST)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """What an import makes holds no circles and goes by itself; looking for them takes a tenth of its time."""
    before = gc.get_threshold()
    gc.set_threshold(max(OBJECTS_A_LOOK, before[0]), *before[1:])
    try:
        yield
    finally:
        # Of two runs in one process the later one may leave the threshold up: that does no harm.
        gc.set_threshold(*before)


def _look_up() -> None:
    """Between two pages: whether to leave off."""
    if stopping.asked():
        raise stopping.Stopped


# Runs of this process that the database did not let close.
_unclosed: list[Run] = []


def _close(run: Run) -> None:
    """Give the leases of a run back and note its end; a server that is restarting is waited for a little."""
    deadline = time.monotonic() + CLOSING_AT_MOST
    wait = 0.25
    while True:
        try:
            leases.release(run.owner)
            run.end()
        except DatabaseError:
            # A lost connection is lost; the next question makes another. One in a transaction is somebody else's.
            if connection.in_atomic_block or time.monotonic() + wait > deadline:
                if not run.error:
                    run.error = "The database did not let it be closed."
                # Who called says it aloud.
                logger.info(
                    "pull %s could not be closed, the next one does it: %s",
                    run.source,
                    run.error,
                )
                _unclosed.append(run)
                raise
            connection.close()
            time.sleep(wait)
            wait *= 2
        else:
            return


def _close_left_ones() -> None:
    while _unclosed:
        run = _unclosed[-1]
        leases.release(run.owner)
        if run.pull is not None:
            state = run.state if run.state not in (Pull.State.DONE, Pull.State.PARTIAL) else Pull.State.INTERRUPTED
            Pull.objects.filter(pk=run.pull.pk, ended_at=None).update(
                ended_at=run.clock(), state=state, error=run.error
            )
        with suppress(ValueError):
            _unclosed.remove(run)


@contextmanager
def _running(run: Run) -> Iterator[Run]:
    """Whatever happens, leases are given back and the Pull is closed with its reason."""
    run.started = run.clock()
    _close_left_ones()
    leases.release_abandoned(run.started)
    failed = False
    try:
        with _seldom_collected(), bulk.put_aside_in_memory():
            yield run
    except stopping.Stopped:
        run.state = Pull.State.INTERRUPTED
        run.error = "The worker was stopped. What was imported stays; the rest is asked for again."
    except KeyboardInterrupt:
        failed = True
        run.state, run.error = Pull.State.INTERRUPTED, "Interrupted by hand. What was imported stays."
        raise
    except DatabaseError as error:
        failed = True
        run.state = Pull.State.FAILED
        run.error = f"The database did not take it: {troubles.sentence(error)} It is tried again."
        raise
    except Exception as error:
        failed = True
        run.state = Pull.State.FAILED
        run.error = f"Stopped by an error of the program ({type(error).__name__}); its log tells more."
        raise
    finally:
        try:
            _close(run)
        except DatabaseError:
            # What went wrong first says more.
            if not failed:
                raise
        finally:
            logs.note(pull=None)


def pull_numbers(
    client: Client,
    clock: Clock = utcnow,
    *,
    numbers: Sequence[str] | None = None,
    forced: bool = False,
    watch: Watcher | None = None,
) -> Pull | None:
    """Ask share/reports about the numbers that are due, at most 200 a call.

    In: the client, the clock; `numbers`: ask about just these, due or not (they need not be tracked);
    forced: also when the source waits after failures. Out: the Pull, or None when nothing was asked.
    """
    run = Run(Pull.Kind.NUMBERS, clock, watch, forced or numbers is not None)
    if not run.forced and not schedule.is_open(run.source, clock()):
        return None
    with _running(run):
        wanted = None if numbers is None else list(dict.fromkeys(numbers))
        while not run.out_of_time():
            if wanted is None:
                held = leases.claim(schedule.due_numbers(clock()), run.owner, clock(), NUMBERS_A_CALL)
                chunk = [piece.number for piece in held]
            else:
                chunk, wanted = wanted[:NUMBERS_A_CALL], wanted[NUMBERS_A_CALL:]
                tracked = TrackedNumber.objects.filter(number__in=chunk).order_by("pk")
                held = leases.claim(tracked, run.owner, clock(), NUMBERS_A_CALL)
            if not chunk:
                break
            if wanted is None:
                waiting = schedule.due_numbers(clock()).filter(leases.free(clock())).count()
            else:
                waiting = len(wanted)
            run.begin(len(chunk), f"{chunk[0]} …" if len(chunk) > 1 else chunk[0], waiting)
            try:
                with closing(_asked([client.reports(chunk)])) as answers:
                    taken = run.take(answers, held)
                    run.put()
            except ProviderError as error:
                run.put()
                _put_off(held, run, error)
                if not run.failed(error):
                    break
                continue
            _numbers_answered(held, taken.outcome, taken.pages, run)
            run.done(len(chunk))
    return run.pull


class Told(NamedTuple):
    """What an answer means for one number; numbers of which it means the same are written together."""

    state: str
    step: int
    next_due_at: datetime
    failures: int
    error: str


def _numbers_answered(held: Sequence[TrackedNumber], outcome: Outcome, pages: Sequence[Page], run: Run) -> None:
    """Write down what an answer means for the schedule of its numbers."""
    now = run.clock()
    names = [piece.number for piece in held]
    kept = set(Meeting.objects.filter(meeting_id__in=names).order_by().values_list("meeting_id", flat=True))
    _note_warnings(pages, run)
    alike: dict[Told, list[int]] = {}
    with transaction.atomic():
        for piece in held:
            number = piece.number
            if number in outcome.reported_numbers or number in kept:
                again = number in outcome.fresh_numbers or number in outcome.running_numbers
                step = 0 if again or piece.state != TrackedNumber.State.SETTLING else piece.step + 1
                settled = step >= len(schedule.SETTLING)
                state = TrackedNumber.State.SETTLED if settled else TrackedNumber.State.SETTLING
                if piece.state == TrackedNumber.State.SETTLED and not again:
                    state, settled, step = TrackedNumber.State.SETTLED, True, piece.step
                wait = schedule.SETTLED if settled else schedule.SETTLING[step]
            else:
                state = TrackedNumber.State.WAITING
                step = piece.step + 1 if piece.state == TrackedNumber.State.WAITING else 0
                wait = min(schedule.SETTLING[min(step, len(schedule.SETTLING) - 1)], schedule.WAITING)
            error = outcome.rejected_numbers.get(number, "")
            told = Told(state, min(step, len(schedule.SETTLING)), now + wait, piece.failures + 1 if error else 0, error)
            alike.setdefault(told, []).append(piece.pk)
        for told, pks in alike.items():
            TrackedNumber.objects.filter(pk__in=pks, lease_owner=run.owner).update(
                state=told.state,
                step=told.step,
                asked_at=now,
                next_due_at=told.next_due_at,
                failures=told.failures,
                last_error=told.error,
                lease_owner="",
                lease_until=None,
            )
        forget_unnamed((f"number:{name}" for name in names), outcome.rejections)


def pull_days(
    client: Client,
    clock: Clock = utcnow,
    *,
    days: tuple[date, date] | None = None,
    forced: bool = False,
    watch: Watcher | None = None,
) -> Pull | None:
    """Ask share/detail about the days that are due, newest first, each day a call of its own.

    In, out: as `pull_numbers`; `days`: only those from the first to the last (provider's zone), made due
    here. A day is complete when every record announced for it was delivered.
    """
    run = Run(Pull.Kind.DATES, clock, watch, forced or days is not None)
    if not run.forced and not schedule.is_open(run.source, clock()):
        return None
    if days is not None:
        schedule.schedule_days(*days, clock())
    due = _due(days, clock()).count()
    with _running(run), _read_aside(client, due), _fold_aside(run, due):
        _ask_days(client, clock, days, run)
    return run.pull


def _ask_days(client: Client, clock: Clock, days: tuple[date, date] | None, run: Run) -> None:
    held: deque[PulledDay] = deque()
    asked: SimpleQueue[PulledDay | None] = SimpleQueue()

    def claim() -> None:
        if run.out_of_time():
            return
        candidates = _due(days, clock())
        if more := leases.claim(candidates, run.owner, clock(), DAYS_A_CLAIM):
            waiting = candidates.filter(leases.free(clock())).count()
            run.begin(len(more), _span([piece.day for piece in more]), waiting)
            held.extend(more)
            for piece in more:
                asked.put(piece)

    def put(answered: list[tuple[PulledDay, Taken]]) -> None:
        """Import what is taken, and only then note its days as done."""
        run.put()
        if answered:
            with run.turn():
                for piece, taken in answered:
                    _day_answered(piece, taken, run)
            run.done(len(answered))
            answered.clear()

    answered: list[tuple[PulledDay, Taken]] = []  # not noted yet
    going = True
    while going and (held or not run.out_of_time()):
        # The next days are asked about while one is imported; after a failure only when it is to go on.
        asked = SimpleQueue()
        for piece in held:
            asked.put(piece)
        questions = (client.detail(piece.day, piece.day) for piece in iter(asked.get, None))
        with closing(_asked(questions)) as answers:
            try:
                while True:
                    if len(held) < DAYS_AHEAD:
                        claim()
                    if not held:
                        put(answered)
                        return
                    _look_up()
                    piece = held.popleft()
                    run.keep([*(done for done, _taken in answered), piece, *held])
                    try:
                        taken = run.take(answers, [piece], f"day:{piece.day}")
                    except ProviderError as error:
                        put(answered)
                        _put_off([piece], run, error)
                        going = run.failed(error)
                        break
                    answered.append((piece, taken))
                    if not run.untold:
                        put(answered)
            finally:
                asked.put(None)


def _due(days: tuple[date, date] | None, now: datetime) -> "QuerySet[PulledDay]":
    candidates = schedule.due_days(now)
    return candidates if days is None else candidates.filter(day__range=days)


@contextmanager
def _read_aside(client: Client, days: int) -> Iterator[None]:
    """Where many days wait, and there is a processor for it, another process reads what the client is answered."""
    if days < DAYS_WORTH_A_READER or _processors() < 2:
        yield
        return
    with Reader(ZoneInfo(settings.UMEET_TIME_ZONE), summaries.site_zone()) as reader:
        client.reader = reader.read
        try:
            yield
        finally:
            client.reader = None


@contextmanager
def _fold_aside(run: Run, days: int) -> Iterator[None]:
    """And another thread makes the sums of what came, where it can see it."""
    if days < DAYS_WORTH_A_READER or _processors() < 2 or connection.in_atomic_block:
        yield
        return
    try:
        with Aside() as run.aside:
            yield
    finally:
        run.aside = None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _day_answered(piece: PulledDay, taken: Taken, run: Run) -> None:
    now, pages = run.clock(), taken.pages
    complete = all(page.complete for page in pages)
    announced = next((page.total_record for page in reversed(pages) if page.total_record is not None), None)
    age = schedule.provider_today(now) - piece.day
    # Counted from the end of the day, so that its last meetings had as long to settle as its first.
    last_look = datetime.combine(piece.day, datetime.min.time(), UTC) + schedule.LAST_LOOK
    due: datetime | None
    if not complete:
        due = now + min(schedule.SETTLING[0] * 2 ** min(piece.failures, 10), schedule.DAY_WAITS_AT_MOST)
        run.state = Pull.State.PARTIAL
    elif age < timedelta(days=schedule.RECENT_DAYS):
        due = now + settings.RECENT_AGAIN
    else:
        due = last_look if last_look > now else None
    warnings = _note_warnings(pages, run)
    with transaction.atomic():
        PulledDay.objects.filter(pk=piece.pk, lease_owner=run.owner).update(
            asked_at=now,
            complete_at=now if complete else piece.complete_at,
            announced=announced,
            delivered=taken.delivered,
            next_due_at=due,
            failures=0 if complete else piece.failures + 1,
            last_error="" if complete else warnings,
            lease_owner="",
            lease_until=None,
        )
        if complete:
            forget_unnamed([f"day:{piece.day}"], taken.outcome.rejections)


def pull_rooms(
    client: Client, clock: Clock = utcnow, *, forced: bool = False, watch: Watcher | None = None
) -> Pull | None:
    """Ask share/rooms for the rooms' names and capacities, and licensing for how many are rented.

    In, out: as `pull_numbers`.
    """
    run = Run(Pull.Kind.ROOMS, clock, watch, forced)
    schedule.source(run.source)
    if not forced and not schedule.is_open(run.source, clock()):
        return None
    with _running(run):
        held = leases.claim(Source.objects.filter(name=run.source), run.owner, clock(), 1)
        if not held:
            return None
        run.begin(1, "")
        try:
            with closing(_asked([client.rooms()])) as answers:
                taken = run.take(answers, held)
                run.put()
        except ProviderError as error:
            run.put()
            run.failed(error)
        else:
            _note_warnings(taken.pages, run)
            _ask_licence(client, run)
            run.done(1)
    return run.pull


def _ask_licence(client: Client, run: Run) -> None:
    """Keep what is rented. An API that does not tell it takes nothing from the rooms: it is noted and asked daily."""
    try:
        told = client.licensing()
    except ProviderError as error:
        # A key that may do everything else is not refused for this.
        notes = [run.error] if run.error else []
        notes.append("The size of the pool could not be asked for.")
        run.error = " ".join([*notes, str(error)])[:2000]
        return
    keep_licence(told, run.clock())


def pull_totals(
    client: Client, clock: Clock = utcnow, *, forced: bool = False, watch: Watcher | None = None
) -> Pull | None:
    """Ask share/summary for the provider's own totals of the months and days that are due. In, out: as `pull_numbers`.

    A month whose meetings are not ours has its days asked one by one, so that the difference is found at its
    day; and a day that counts more than its last pull brought is pulled again.
    """
    run = Run(Pull.Kind.SUMMARY, clock, watch, forced)
    if not forced and not schedule.is_open(run.source, clock()):
        return None
    going = True
    with _running(run):
        while going and not run.out_of_time():
            candidates = schedule.due_periods(clock())
            held = leases.claim(candidates, run.owner, clock(), PERIODS_A_CLAIM)
            if not held:
                break
            days = [day for piece in held for day in (piece.first, piece.last)]
            run.begin(len(held), _span(days), candidates.filter(leases.free(clock())).count())
            for piece in held:
                _look_up()
                run.keep(held)
                first, last = _days_to_ask(piece, clock())
                sent = clock()
                try:
                    pages = list(client.summary(first, last))
                except ProviderError as error:
                    _put_off([piece], run, error)
                    going = run.failed(error)
                    if not going:
                        break
                    continue
                _totals_answered(piece, first, sent, pages, run)
                run.done(1)
    return run.pull


def _days_to_ask(piece: ProviderPeriod, now: datetime) -> tuple[date, date]:
    """The days of a period that can be compared: from the first that is pulled, up to today."""
    since = schedule.compared_since(now) or piece.first
    last = min(piece.last, schedule.provider_today(now))
    return min(max(piece.first, since), last), max(piece.first, last)


def _totals_answered(piece: ProviderPeriod, first: date, sent: datetime, pages: Sequence[Page], run: Run) -> None:
    """Keep the totals of a period in place of those told before, and say what has to be asked next."""
    now = run.clock()
    assert run.pull is not None  # noqa: S101 — begin() comes first
    warnings = _note_warnings(pages, run)
    if not all(page.complete for page in pages):
        # Totals without a room would be wrong: what was told before stays until a whole answer comes.
        run.state = Pull.State.PARTIAL
        wait = min(schedule.SETTLING[0] * 2 ** min(piece.failures, 10), schedule.DAY_WAITS_AT_MOST)
        mine = ProviderPeriod.objects.filter(pk=piece.pk, lease_owner=run.owner)
        mine.update(
            asked_at=now,
            next_due_at=now + wait,
            failures=piece.failures + 1,
            last_error=warnings,
            lease_owner="",
            lease_until=None,
        )
        return
    of_month = piece.first != piece.last
    daily = of_month and piece.first in schedule.recent_months(now)
    with transaction.atomic():
        mine = ProviderPeriod.objects.filter(pk=piece.pk, lease_owner=run.owner)
        kept = mine.update(
            asked_at=now,
            sent_at=sent,
            told_at=now,
            asked_first=first,
            meetings=next((page.total_meetings for page in pages if page.total_meetings is not None), None),
            next_due_at=now + settings.TOTALS_AGAIN if daily else None,
            failures=0,
            last_error="",
            lease_owner="",
            lease_until=None,
        )
        if not kept:
            # Another worker took it up when our lease had ended, and has the newer answer.
            return
        outcome = _replace_rooms(piece, pages)
        Pull.objects.filter(pk=run.pull.pk).update(pages=F("pages") + len(pages), **{outcome: F(outcome) + 1})
        piece.refresh_from_db()
        if of_month:
            found = reconciliation.month(piece.first, now)
            if found is not None and found.to_locate:
                count = (min(piece.last, schedule.provider_today(now)) - first).days + 1
                days = [first + timedelta(days=number) for number in range(count)]
                schedule.ask_totals([(day, day) for day in days], now)
        elif reconciliation.waits(piece):
            schedule.schedule_days(piece.first, piece.first, now)


ROOM_COLUMNS = (
    *("host_id", "is_extra", "meetings", "participants", "meeting_seconds"),
    *("audio_participants", "audio_total_seconds", "total_fee"),
)


def _replace_rooms(piece: ProviderPeriod, pages: Sequence[Page]) -> str:
    """Keep what an answer told of the rooms of a period; returns whether that is "new", "changed" or the "same"."""
    told = [record for page in pages for record in page.records if isinstance(record, RoomTotals)]
    # Where a room comes again while it is paged, the later figures are the newer ones.
    rooms = {(one.host_id, one.is_extra, -1 if one.host_id else place): one for place, one in enumerate(told)}
    rows = [tuple(getattr(one, name) for name in ROOM_COLUMNS) for one in rooms.values()]
    # By value: 0.9 and 0.90 yuan are the same.
    if Counter(rows) == Counter(piece.rooms.order_by().values_list(*ROOM_COLUMNS)):
        return "new" if piece.told_at is None else "same"
    piece.rooms.all().delete()
    ProviderRoom.objects.bulk_create(
        [ProviderRoom(period=piece, **dict(zip(ROOM_COLUMNS, row, strict=True))) for row in rows], batch_size=500
    )
    return "new" if piece.told_at is None else "changed"


# Small things --------------------------------------------------------------------------------------


def _put_off(held: Sequence[Work], run: Run, error: ProviderError) -> None:
    """A failed piece waits, ever longer; a refused one stays due and waits for its source."""
    now = run.clock()
    for piece in held:
        update: dict[str, object] = {"lease_owner": "", "lease_until": None, "last_error": str(error)}
        if not isinstance(error, Denied | Refused):
            update |= {"failures": F("failures") + 1, "next_due_at": now + _backoff(piece.failures, error)}
        type(piece)._default_manager.filter(pk=piece.pk, lease_owner=run.owner).update(**update)


def _backoff(failures: int, error: ProviderError) -> timedelta:
    """How long to wait after so many failures before this one; jitter keeps workers from marching in step."""
    told = error.retry_after if isinstance(error, Transient) else None
    wait = min(BACKOFF * (1 << min(failures, 10)), BACKOFF_AT_MOST) * random.uniform(0.75, 1.25)
    return max(wait, timedelta(seconds=min(told, 24 * 3600))) if told else wait


def _note_warnings(pages: Sequence[Page], run: Run) -> str:
    text = " ".join(dict.fromkeys(warning for page in pages for warning in page.warnings))
    if text and text not in run.error:
        run.error = f"{run.error} {text}".strip()[:2000]
    return text


def _span(days: Sequence[date]) -> str:
    newest, oldest = max(days), min(days)
    return str(newest) if newest == oldest else f"{oldest} – {newest}"


def _joined(before: str, more: str) -> str:
    """Spans of days as one: the oldest and the newest; numbers keep their first."""
    parts = sorted({*before.split(" – "), *more.split(" – ")})
    if all(len(part) == 10 and part[4] == "-" for part in parts):
        return f"{parts[0]} – {parts[-1]}"
    return before
