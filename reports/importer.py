"""Records of the API become rows: each meeting whole or not at all, and the same report twice changes nothing.

Everything is decided here: what is new, what changed, what is the same, what a report that knows less
may not erase. A page of records is one transaction, which also counts them in their Pull, so that
after a crash either both are there or neither.
"""

import hashlib
import logging
import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction
from django.db.models import F, QuerySet

from reports import bulk, privacy, search, summaries
from reports.models import (
    Change,
    Licence,
    Meeting,
    Participant,
    Pull,
    Rejected,
    Room,
    TelephonyUsage,
    TrackedNumber,
)
from reports.moments import spelt
from reports.provider.payloads import (
    Call,
    LicenceRecord,
    MeetingRecord,
    NoReport,
    Record,
    RoomRecord,
    Shape,
    Unreadable,
    Visit,
)
from reports.schedule import SETTLING
from reports.text import fold, name_key

logger = logging.getLogger(__name__)

# How often a page is tried while another worker's transaction stands against it, and how long is waited at most.
TRIES = 5
WAIT = 0.1

FACTS = (
    "room_id",
    "room_name",
    "room_email",
    "meeting_id",
    "topic",
    "start_time",
    "duration",
    "duration_is_weak",
    "end_time",
    "is_extra",
)
# A flag about the report, not about the meeting: it changes the row, but nothing that a person would see.
SILENT_FACTS = {"duration_is_weak", "room_name", "room_email"}


@dataclass(slots=True)
class Outcome:
    """What an import did. Numbers are the meeting numbers it met, for the settling schedule."""

    new: int = 0
    changed: int = 0
    same: int = 0
    rejected: int = 0

    fresh_numbers: set[str] = field(default_factory=set)
    reported_numbers: set[str] = field(default_factory=set)
    running_numbers: set[str] = field(default_factory=set)
    rejections: dict[str, str] = field(default_factory=dict)  # identity → reason
    rejected_numbers: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Outcome") -> None:
        self.new += other.new
        self.changed += other.changed
        self.same += other.same
        self.rejected += other.rejected
        self.fresh_numbers |= other.fresh_numbers
        self.reported_numbers |= other.reported_numbers
        self.running_numbers |= other.running_numbers
        self.rejections |= other.rejections
        self.rejected_numbers |= other.rejected_numbers


def import_page(records: Iterable[Record], pull: Pull, now: datetime, *, piece: str = "", pages: int = 1) -> Outcome:
    """Import the records of one answer in one transaction and count them in `pull`.

    In: records of either shape, `now` (UTC), and `piece`: the piece of work they were asked for.
    Out: what happened. Errors: those of the database, and then nothing of the page is kept.

    Rows are locked and inserted in an order that is the same for all workers: first the rooms, then the meetings,
    then the rejected records, of each those that are there and then those that are new, by their keys. Should two
    workers stand against each other all the same, the page is tried again.
    """
    # A page may hold a record twice when records shift while it is paged: each after the other.
    rounds: list[dict[str, MeetingRecord]] = []
    rooms: list[RoomRecord] = []
    unreadable: list[Unreadable] = []
    for record in records:
        match record:
            case MeetingRecord():
                place = next((seen for seen in rounds if record.uuid not in seen), None)
                if place is None:
                    rounds.append(place := {})
                place[record.uuid] = record
            case RoomRecord():
                rooms.append(record)
            case Unreadable():
                unreadable.append(record)
            case NoReport():
                pass
    for attempt in range(1, TRIES + 1):
        try:
            return _import(rounds, rooms, unreadable, pull, now, piece, pages)
        except OperationalError as error:
            # Inside somebody else's transaction nothing can be tried again: all of it has failed.
            if attempt == TRIES or connection.in_atomic_block or not bulk.is_conflict(error):
                raise
            logger.warning("a page stood against another worker's and is tried again (%d)", attempt)
            time.sleep(random.uniform(0, WAIT * 2**attempt))
    raise AssertionError


def _import(
    rounds: Sequence[Mapping[str, MeetingRecord]],
    rooms: Sequence[RoomRecord],
    unreadable: Sequence[Unreadable],
    pull: Pull,
    now: datetime,
    piece: str,
    pages: int,
) -> Outcome:
    """One try of `import_page`: one transaction."""
    outcome = Outcome()
    with transaction.atomic():
        veil = privacy.Veil(now)
        rounds = [veil.over(batch) for batch in rounds]
        unreadable = [veil.over_unreadable(record) for record in unreadable]
        book = RoomBook({host_id for batch in rounds for record in batch.values() if (host_id := record.host_id)})
        if rooms:
            counts = book.learn(rooms)
            if pull.source == Pull.Kind.ROOMS or not rounds:
                outcome.new, outcome.changed, outcome.same = counts
        book.make_missing(chain.from_iterable(batch.values() for batch in rounds))
        for batch in rounds:
            _import_meetings(batch, book, pull, now, outcome, veil)
        if outcome.new or outcome.changed:
            search.keep(record for batch in rounds for record in batch.values())
        _reject(unreadable, list(rounds[0]) if rounds else [], pull, now, piece, outcome)
        if rounds:
            _wake(outcome, now)
        Pull.objects.filter(pk=pull.pk).update(
            new=F("new") + outcome.new,
            changed=F("changed") + outcome.changed,
            same=F("same") + outcome.same,
            rejected=F("rejected") + outcome.rejected,
            pages=F("pages") + pages,
        )
    return outcome


class Known(NamedTuple):
    """A room that has a row."""

    pk: int
    temporary: bool


class RoomBook:
    """Rooms, to find the one a report speaks of: by host_id, by e-mail, by the provider's own name.

    In: the host_ids that will be asked for; None: any.
    """

    def __init__(self, host_ids: Collection[str] | None = None) -> None:
        self._wanted = host_ids
        self._load()

    def _load(self) -> None:
        names = ("host_id", "id", "temporary")
        if self._wanted is None:
            rooms: Iterable[tuple[Any, ...]] = Room.objects.order_by().values_list(*names)
        else:
            # There may be as many temporary rooms as there are meetings.
            rooms = bulk.find(Room, "host_id", self._wanted, names)
        self.by_host = {host_id: Known(pk, bool(temporary)) for host_id, pk, temporary in rooms}
        self._told: tuple[dict[str, list[int]], dict[str, list[int]]] | None = None

    def _by_told(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """All rooms by their e-mails and by their names; read when the first report without a host_id comes."""
        if self._told is None:
            by_email: dict[str, list[int]] = {}
            by_name: dict[str, list[int]] = {}
            told = Room.objects.order_by().exclude(email="", name="")
            for pk, email, name in told.values_list("pk", "email", "name"):
                if email:
                    by_email.setdefault(email.casefold(), []).append(pk)
                if name:
                    by_name.setdefault(fold(name), []).append(pk)
            self._told = by_email, by_name
        return self._told

    def find(self, host_id: str | None, email: str | None, name: str | None) -> int | None:
        """The room's id, or None while it cannot be told. An e-mail or name must be one room's alone."""
        if host_id:
            room = self.by_host.get(host_id)
            return room and room.pk
        if not (email or name):
            return None
        by_email, by_name = self._by_told()
        for key, index in (((email or "").casefold(), by_email), (fold(name or ""), by_name)):
            if key and len(found := index.get(key, [])) == 1:
                return found[0]
        return None

    def make_missing(self, records: Iterable[MeetingRecord]) -> None:
        """A room that is met for the first time in a report gets its row. In: the records in their order."""
        records = [record for record in records if record.host_id]
        undecided = {record.uuid for record in records if self._may_be_temporary(record.host_id or "")}
        if not undecided:
            return
        wanted: dict[str, bool] = {}  # host_id → temporary
        settled: set[str] = set()
        # A report that does not say leaves what is known of its meeting.
        silent = [record.uuid for record in records if record.is_extra is None and record.uuid in undecided]
        known_extra = set(Meeting.objects.filter(uuid__in=silent, is_extra=True).values_list("uuid", flat=True))
        for record in records:
            host_id = record.host_id or ""
            # Temporary only while nothing but extra meetings was seen in it.
            extra = record.uuid in known_extra if record.is_extra is None else record.is_extra
            (known_extra.add if extra else known_extra.discard)(record.uuid)
            if host_id not in self.by_host:
                wanted[host_id] = wanted.get(host_id, True) and extra
            elif not extra and self.by_host[host_id].temporary:
                settled.add(host_id)
        if settled:
            self._settle(settled)
        if wanted:
            fresh = [Room(host_id=host_id, temporary=wanted[host_id]) for host_id in sorted(wanted)]
            Room.objects.bulk_create(fresh, ignore_conflicts=True)
        if wanted or settled:
            self._load()
        # Made by another worker at this moment, who has seen only extra meetings in them.
        if others := {key for key, temporary in wanted.items() if self.by_host[key].temporary and not temporary}:
            self._settle(others)

    def _settle(self, host_ids: Collection[str]) -> None:
        """These rooms are no temporary ones."""
        rooms = Room.objects.filter(host_id__in=host_ids)
        _lock(rooms.order_by("host_id"))
        rooms.update(temporary=False)

    def _may_be_temporary(self, host_id: str) -> bool:
        room = self.by_host.get(host_id)
        return room is None or room.temporary

    def learn(self, records: Sequence[RoomRecord]) -> tuple[int, int, int]:
        """Names, e-mails and capacities from the provider's list of rooms; returns (new, changed, same)."""
        new = changed = same = 0
        told_of = {record.host_id: record for record in records}
        kept = Room.objects.select_for_update(no_key=True).filter(host_id__in=told_of).order_by("host_id")
        known = {room.host_id: room for room in kept}
        for host_id, record in sorted(told_of.items()):
            told = {
                "email": record.email,
                "name": record.name,
                "capacity": record.capacity,
                "temporary": False,
            }
            told = {key: value for key, value in told.items() if value not in (None, "")}
            room, made = known.get(host_id), False
            if room is None:
                room, made = Room.objects.get_or_create(host_id=host_id, defaults=told)
            if made:
                new += 1
            elif different := {key: value for key, value in told.items() if getattr(room, key) != value}:
                Room.objects.filter(pk=room.pk).update(**different)
                changed += 1
            else:
                same += 1
        self._load()
        if new or changed:
            self._find_unknown()
        return new, changed, same

    def _find_unknown(self) -> None:
        """Meetings whose room could not be told may be told now."""
        unknown = Meeting.objects.filter(room=None).exclude(room_email="", room_name="").order_by()
        told = unknown.values_list("room_email", "room_name").distinct()
        found = [(email, name, room) for email, name in told if (room := self.find(None, email, name))]
        if found:
            _lock(unknown.order_by("uuid"))
        for email, name, room in found:
            unknown.filter(room_email=email, room_name=name).update(room=room)


def _lock(rows: QuerySet[Any]) -> None:
    """Lock rows in their order. Where a database has no locks of rows, one transaction writes at a time.

    no_key, here and elsewhere: a row that is only pointed to, as the rooms are by another worker's new meetings
    when these are committed, is not waited for.
    """
    if connection.features.has_select_for_update:
        for _ in rows.select_for_update(no_key=True).values_list("pk").iterator():
            pass


def keep_licence(told: LicenceRecord, now: datetime) -> bool:
    """Keep what the provider says is rented; True when it never said so before.

    Only when it was told last is noted of an answer that is known. Whoever asks holds the lease of the rooms,
    so that nobody else keeps the same answer at this moment.
    """
    facts = {
        "capacity": {str(size): rooms for size, rooms in told.capacity.items()},
        "pay_type": told.pay_type,
        "expire_date": told.expire_date,
    }
    # In Python: databases differ in when two JSON values are equal.
    alike = (row for row in Licence.objects.all() if all(getattr(row, name) == facts[name] for name in facts))
    if (known := next(alike, None)) is None:
        Licence.objects.create(**facts, first_seen_at=now, last_seen_at=now)
        return True
    Licence.objects.filter(pk=known.pk).update(last_seen_at=now)
    return False


def _import_meetings(
    batch: Mapping[str, MeetingRecord],
    book: RoomBook,
    pull: Pull,
    now: datetime,
    outcome: Outcome,
    veil: privacy.Veil,
) -> None:
    known = {uuid for (uuid,) in bulk.find(Meeting, "uuid", batch, ["uuid"])}
    unseen = sorted(set(batch) - known)
    if unseen:
        told = [
            (record, canonical_visits(record.visits), canonical_calls(record.calls))
            for record in (batch[uuid] for uuid in unseen)
        ]
        meetings = [_fresh(record, visits, calls, book, pull, now, veil) for record, visits, calls in told]
        # Leaving out what another worker inserts at this moment: no double.
        rows = [tuple(meeting.values()) for meeting in meetings]
        made = bulk.insert_new(Meeting, tuple(meetings[0]), rows, "uuid")
        visit_rows: list[Sequence[Any]] = []
        call_rows: list[Sequence[Any]] = []
        for record, visits, calls in told:
            uuid = record.uuid
            if uuid in made:
                visit_rows += _visit_rows(made[uuid], visits or (), record.start_time, record.end_time)
                call_rows += _call_rows(made[uuid], calls or (), record.start_time)
                outcome.new += 1
                outcome.fresh_numbers.add(record.meeting_id)
            else:
                known.add(uuid)
        bulk.insert_rows(Participant, VISIT_COLUMNS, visit_rows)
        bulk.insert_rows(TelephonyUsage, CALL_COLUMNS, call_rows)
    if known:
        kept = Meeting.objects.select_for_update(of=("self",), no_key=True).filter(uuid__in=known).order_by("uuid")
        for meeting in kept:
            record = batch[meeting.uuid]
            if _update(meeting, record, book, pull, now, veil):
                outcome.changed += 1
                outcome.fresh_numbers.add(record.meeting_id)
            else:
                outcome.same += 1
    for record in batch.values():
        outcome.reported_numbers.add(record.meeting_id)
        if record.end_time is None:
            outcome.running_numbers.add(record.meeting_id)


def _fresh(
    record: MeetingRecord,
    visits: Sequence[Visit] | None,
    calls: Sequence[Call] | None,
    book: RoomBook,
    pull: Pull,
    now: datetime,
    veil: privacy.Veil,
) -> dict[str, Any]:
    """The row of a new meeting, every column but its id by its name, always in the same order.

    In: the record, and its visits and calls in their canonical order.
    """
    hashes = _hashes(record, visits, calls, veil)
    facts = {
        "uuid": record.uuid,
        "room_id": book.find(record.host_id, record.room_email, record.room_name),
        "room_name": record.room_name or "",
        "room_email": record.room_email or "",
        "meeting_id": record.meeting_id,
        "topic": record.topic or "",
        "start_time": record.start_time,
        "duration": record.duration,
        "duration_is_weak": record.duration is not None and record.shape is Shape.ARRAY,
        "end_time": record.end_time,
        "is_extra": record.is_extra,
        "participants_reported": visits is not None,
        "telephony_reported": calls is not None,
        "participants_withheld": False,
        "telephony_withheld": False,
        "participants_hash": veil.kept_hash(record, hashes[0]),
        "telephony_hash": veil.kept_hash(record, hashes[1]),
        "first_pull_id": pull.pk,
        "first_seen_at": now,
        "changed_at": now,
        "names_removed_at": now if veil.is_old(record) else None,
    }
    return facts | summaries.computed(facts, visits, calls)


def _hashes(
    record: MeetingRecord, visits: Sequence[Visit] | None, calls: Sequence[Call] | None, veil: privacy.Veil
) -> tuple[str, str]:
    """Hashes of the visits and calls as they came, whatever of them is kept. In: what is kept, in canonical order."""
    came = veil.as_it_came(record)
    if came is record:
        return digest(visits), digest(calls)
    return digest(canonical_visits(came.visits)), digest(canonical_calls(came.calls))


def _update(
    meeting: Meeting, record: MeetingRecord, book: RoomBook, pull: Pull, now: datetime, veil: privacy.Veil
) -> bool:
    """Bring a kept meeting up to a report of it; True when that changed anything a person can see."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    notes: list[str] = []
    touched: list[str] = []
    for name, value in _merged(meeting, record, book).items():
        old = getattr(meeting, name)
        if old != value:
            touched.append(name)
            if name not in SILENT_FACTS:
                before[name], after[name] = _plain(old), _plain(value)
            setattr(meeting, name, value)

    visits, calls = canonical_visits(record.visits), canonical_calls(record.calls)
    visits_hash, calls_hash = _hashes(record, visits, calls, veil)
    new_visits = new_calls = False
    if visits is not None and not privacy.alike(meeting.participants_hash, visits_hash):
        if not visits and meeting.visits:
            # Reported once, withheld now: what was reported stays.
            if not meeting.participants_withheld:
                meeting.participants_withheld = True
                touched.append("participants_withheld")
                notes.append("The provider reports no visits any more; those reported before are kept.")
        else:
            new_visits = True
            old_visits = canonical_visits(meeting.participants.all()) if meeting.participants_reported else None
            before["participants"], after["participants"] = _visit_list(old_visits), _visit_list(visits)
            meeting.participants_reported = True
            meeting.participants_hash = veil.kept_hash(record, visits_hash)
            meeting.participants_withheld = False
    if calls is not None and not privacy.alike(meeting.telephony_hash, calls_hash):
        if not calls and meeting.calls:
            if not meeting.telephony_withheld:
                meeting.telephony_withheld = True
                touched.append("telephony_withheld")
                notes.append("The provider reports no calls any more; those reported before are kept.")
        else:
            new_calls = True
            old_calls = canonical_calls(meeting.telephony_usage.all()) if meeting.telephony_reported else None
            before["telephony_usage"], after["telephony_usage"] = _call_list(old_calls), _call_list(calls)
            meeting.telephony_reported = True
            meeting.telephony_hash = veil.kept_hash(record, calls_hash)
            meeting.telephony_withheld = False
    if not (touched or new_visits or new_calls):
        return False

    visible = bool(before or after or notes)
    kept_visits: Sequence[Visit] | None = visits if new_visits else None
    if not new_visits and meeting.participants_reported:
        kept_visits = canonical_visits(meeting.participants.all())
    kept_calls: Sequence[Call] | None = calls if new_calls else None
    if not new_calls and meeting.telephony_reported:
        kept_calls = canonical_calls(meeting.telephony_usage.all())
    summaries.apply(meeting, kept_visits, kept_calls)
    if visible:
        meeting.changed_at = now
    if (new_visits or new_calls) and not veil.is_old(record):
        meeting.names_removed_at = None
    meeting.save()
    # An attendee's figures hang on when the meeting began and ended.
    if kept_visits is not None and (new_visits or {"start_time", "end_time"} & set(touched)):
        meeting.participants.all().delete()
        rows = _visit_rows(meeting.pk, kept_visits, meeting.start_time, meeting.end_time)
        bulk.insert_rows(Participant, VISIT_COLUMNS, rows)
    if new_calls:
        meeting.telephony_usage.all().delete()
        bulk.insert_rows(TelephonyUsage, CALL_COLUMNS, _call_rows(meeting.pk, calls or (), meeting.start_time))
    elif "start_time" in touched:
        for call in meeting.telephony_usage.filter(start_time=None):
            call.local_day = summaries.call_day(None, meeting.start_time)
            call.save(update_fields=["local_day"])
    if visible:
        Change.objects.create(meeting=meeting, pull=pull, seen_at=now, before=before, after=after, note=" ".join(notes))
    return visible


def _merged(meeting: Meeting, record: MeetingRecord, book: RoomBook) -> dict[str, Any]:
    """The facts after a report: what it knows replaces, what it does not know stays as it was."""
    room = book.find(record.host_id, record.room_email, record.room_name)
    # An e-mail or a name only finds a room where none is known; a host_id is the room.
    room_id = room if room and (record.host_id or meeting.room_id is None) else meeting.room_id
    duration, weak = meeting.duration, meeting.duration_is_weak
    if record.duration is not None:
        strong = record.shape == Shape.PAGED
        # The array answer's duration may be the meeting's actual length: it only fills a gap.
        if strong or duration is None or weak:
            duration, weak = record.duration, not strong
    return {
        "room_id": room_id,
        "room_name": record.room_name or meeting.room_name,
        "room_email": record.room_email or meeting.room_email,
        "meeting_id": record.meeting_id or meeting.meeting_id,
        "topic": record.topic or meeting.topic,
        "start_time": record.start_time,
        "duration": duration,
        "duration_is_weak": weak,
        "end_time": record.end_time or meeting.end_time,
        "is_extra": meeting.is_extra if record.is_extra is None else record.is_extra,
    }


# A visit and a call as they are kept in order, where nothing in them is unknown: read by C code.
_BY_TIME = itemgetter(Visit._fields.index("join_time"), Visit._fields.index("leave_time"), Visit._fields.index("name"))


def canonical_visits(visits: Iterable[Any] | None) -> tuple[Visit, ...] | None:
    """Visits as they are kept: by time, then name. The order an answer has them in means nothing."""
    if visits is None:
        return None
    plain = [v if type(v) is Visit else Visit(v.name, v.join_time, v.leave_time) for v in visits]
    try:
        plain.sort(key=_BY_TIME)
    except TypeError:
        # A leave that is unknown was compared with one that is known: it is the later one.
        plain.sort(key=lambda v: (v.join_time, v.leave_time or summaries.FAR, v.name))
    return tuple(plain)


def canonical_calls(calls: Iterable[Any] | None) -> tuple[Call, ...] | None:
    """Calls as they are kept: by time, then number, then everything else."""
    if calls is None:
        return None

    def key(call: Call) -> tuple[Any, ...]:
        far = summaries.FAR
        cost = Decimal(-1) if call.total is None else call.total
        length = -1 if call.duration is None else call.duration
        return (call.start_time or far, call.phone_number, call.end_time or far, call.type, length, cost)

    plain = [c if type(c) is Call else Call(*(getattr(c, name) for name in Call._fields)) for c in calls]
    return tuple(sorted(plain, key=key) if len(plain) > 1 else plain)


def digest(items: Sequence[Visit] | Sequence[Call] | None) -> str:
    """A hash of canonical visits or calls; "" for unreported. Equal content, equal hash."""
    if items is None:
        return ""
    # With its length in front, no text can run into its neighbour.
    parts = []
    for item in items:
        if type(item) is Visit:
            # The same as below, for what there is most of.
            name, join, leave = item
            came, left = spelt(join, "T"), "4:None"
            if leave is not None:
                left = spelt(leave, "T")
                left = f"{len(left) + 6}:{left}+00:00"
            parts.append(f"{len(name)}:{name}{len(came) + 6}:{came}+00:00{left};")
            continue
        for value in item:
            text = value if isinstance(value, str) else str(_plain(value))
            parts.append(f"{len(text)}:{text}")
        parts.append(";")
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """A value as JSON keeps it; equal values give equal texts (0.1 and 0.10, a time in two zones)."""
    if isinstance(value, datetime):
        return f"{spelt(value, 'T')}+00:00"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value


def _visit_list(visits: Sequence[Visit] | None) -> list[list[Any]] | None:
    return None if visits is None else [[v.name, _plain(v.join_time), _plain(v.leave_time)] for v in visits]


def _call_list(calls: Sequence[Call] | None) -> list[list[Any]] | None:
    return None if calls is None else [[_plain(value) for value in call] for call in calls]


VISIT_COLUMNS = (
    *("meeting_id", "place", "name", "join_time", "leave_time"),
    *("name_key", "attendee_visits", "attendee_seconds", "late_seconds"),
)
CALL_COLUMNS = (
    *("meeting_id", "place", "phone_number", "type", "start_time", "end_time", "duration", "total"),
    *("country", "local_day"),
)


def _visit_rows(meeting_pk: int, visits: Sequence[Visit], start: datetime, end: datetime | None) -> list[Sequence[Any]]:
    """Rows of VISIT_COLUMNS of the canonical visits of a meeting."""
    figures = summaries.on_first_visits(visits, start, end)
    return [
        (meeting_pk, place, name, join_time, leave_time, name_key(name), *of_attendee)
        for place, ((name, join_time, leave_time), of_attendee) in enumerate(zip(visits, figures, strict=True), 1)
    ]


def _call_rows(meeting_pk: int, calls: Iterable[Call], meeting_start: datetime) -> list[Sequence[Any]]:
    """Rows of CALL_COLUMNS of canonical calls."""
    return [
        (
            *(meeting_pk, place, *call),
            *(summaries.country_of(call.phone_number), summaries.call_day(call.start_time, meeting_start)),
        )
        for place, call in enumerate(calls, 1)
    ]


def _identity(record: Unreadable) -> str:
    return record.uuid or "#" + hashlib.sha256(record.raw.encode()).hexdigest()


def _reject(
    records: Sequence[Unreadable], read: Sequence[str], pull: Pull, now: datetime, piece: str, outcome: Outcome
) -> None:
    """Keep records that could not be read, each once however often it comes, and forget those that were read now.

    In: `read`, the uuids of what could be read.
    """
    if not records and not Rejected.objects.exists():
        return
    found = sorted(((_identity(record), record) for record in records), key=itemgetter(0))
    _lock(Rejected.objects.filter(identity__in={*read, *(identity for identity, _ in found)}).order_by("identity"))
    limit = privacy.names_limit(now)
    for identity, record in found:
        told = {"raw": record.raw, "field": record.field[:200], "reason": record.reason}
        where = piece or (f"number:{record.meeting_id}" if record.meeting_id else "")
        row, made = Rejected.objects.get_or_create(
            identity=identity, defaults={**told, "pull": pull, "first_seen_at": now, "piece": where}
        )
        if not made and limit is not None and row.first_seen_at < limit:
            told |= privacy.without_people(record.raw, record.field, record.reason)
        if not made and any(getattr(row, name) != value for name, value in told.items()):
            Rejected.objects.filter(pk=row.pk).update(**told)
        outcome.rejected += 1
        outcome.rejections[identity] = record.reason
        if record.meeting_id:
            outcome.rejected_numbers[record.meeting_id] = f"{record.field} {record.reason}"
    Rejected.objects.filter(identity__in=read).delete()


def forget_unnamed(pieces: Iterable[str], still: Iterable[str]) -> None:
    """Drop rejected records without a uuid once the piece they came with was read whole without them.

    In: the pieces read, and the identities that were rejected again.
    """
    unnamed = Rejected.objects.filter(identity__startswith="#", piece__in=list(pieces))
    unnamed.exclude(identity__in=list(still)).delete()


def _wake(outcome: Outcome, now: datetime) -> None:
    """A tracked number under which something new was reported is asked about soon again."""
    tracked = [pk for (pk,) in bulk.find(TrackedNumber, "number", outcome.fresh_numbers, ["id"])]
    if not tracked:
        return
    sleeping = TrackedNumber.objects.filter(pk__in=tracked, lease_until=None).exclude(
        next_due_at__lte=now + SETTLING[0]
    )
    for pk in list(sleeping.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True)):
        TrackedNumber.objects.filter(pk=pk).update(
            step=0, state=TrackedNumber.State.SETTLING, next_due_at=now + SETTLING[0]
        )
