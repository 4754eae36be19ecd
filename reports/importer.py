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
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction
from django.db.models import F, QuerySet

from reports import bulk, measures, privacy, search, summaries
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
from reports.prepared import (
    CALL_COLUMNS,
    SUMMARY_FIELDS,
    VISIT_COLUMNS,
    Prepared,
    Row,
    call_rows,
    canonical_calls,
    canonical_visits,
    is_weak,
    plain,
    prepared,
    visit_rows,
)
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
from reports.text import fold

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
    """Import the records of one answer in one transaction and count them in `pull`: see `import_parts`."""
    return import_parts([(piece, records)], pull, now, pages=pages)


def import_parts(
    parts: Iterable[tuple[str, Iterable[Record]]], pull: Pull, now: datetime, *, pages: int = 1
) -> Outcome:
    """Import the records of some answers in one transaction and count them in `pull`.

    In: the piece of work that records were asked for, and the records, of either shape; `now` (UTC); of how many
    pages they are. Out: what happened. Errors: those of the database, and then nothing of them is kept.

    Rows are locked and inserted in an order that is the same for all workers: first the rooms, then the meetings,
    then the rejected records, of each those that are there and then those that are new, by their keys. Should two
    workers stand against each other all the same, it is tried again.
    """
    # A record may come twice when records shift while it is paged: each after the other.
    rounds: list[dict[str, MeetingRecord]] = []
    rooms: list[RoomRecord] = []
    unreadable: list[tuple[str, Unreadable]] = []
    for piece, record in ((piece, record) for piece, records in parts for record in records):
        match record:
            case MeetingRecord():
                place = next((seen for seen in rounds if record.uuid not in seen), None)
                if place is None:
                    rounds.append(place := {})
                place[record.uuid] = record
            case RoomRecord():
                rooms.append(record)
            case Unreadable():
                unreadable.append((piece, record))
            case NoReport():
                pass
    for attempt in range(1, TRIES + 1):
        try:
            return _import(rounds, rooms, unreadable, pull, now, pages)
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
    unreadable: Sequence[tuple[str, Unreadable]],
    pull: Pull,
    now: datetime,
    pages: int,
) -> Outcome:
    """One try of `import_parts`: one transaction."""
    outcome = Outcome()
    with transaction.atomic():
        veil = privacy.Veil(now)
        rounds = [veil.over(batch) for batch in rounds]
        unreadable = [(piece, veil.over_unreadable(record)) for piece, record in unreadable]
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
        _reject(unreadable, list(rounds[0]) if rounds else [], pull, now, outcome)
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


# The columns of the rows that `fresh_row` gives.
OF_MEETINGS = (
    *("uuid", "room_id"),
    *("room_name", "room_email", "meeting_id", "topic"),
    *("start_time", "duration", "duration_is_weak", "end_time", "is_extra"),
    *("participants_reported", "telephony_reported", "participants_withheld", "telephony_withheld"),
    *("participants_hash", "telephony_hash"),
    *("first_pull_id", "first_seen_at", "changed_at", "names_removed_at"),
    *SUMMARY_FIELDS,
)
# And of those that `of_meeting` gives.
OF_VISITS, OF_CALLS = ("meeting_id", *VISIT_COLUMNS), ("meeting_id", *CALL_COLUMNS)


def of_meeting(pk: int, rows: Iterable[Row]) -> list[Row]:
    """Prepared rows of visits or calls, with the id of their meeting."""
    return [(pk, *row) for row in rows]


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
        zone = summaries.site_zone()
        told = [(record, prepared(record, zone)) for record in (batch[uuid] for uuid in unseen)]
        moment = spelt(now)
        rows = [fresh_row(record, ready, book, pull, moment, veil) for record, ready in told]
        # Leaving out what another worker inserts at this moment: no double.
        made = bulk.insert_new(Meeting, OF_MEETINGS, rows, "uuid", ready=True)
        visits: list[Row] = []
        calls: list[Row] = []
        for record, ready in told:
            if (pk := made.get(record.uuid)) is not None:
                visits += of_meeting(pk, ready.visits)
                calls += of_meeting(pk, ready.calls)
                outcome.new += 1
                outcome.fresh_numbers.add(record.meeting_id)
            else:
                known.add(record.uuid)
        bulk.insert_rows(Participant, OF_VISITS, visits, ready=True)
        bulk.insert_rows(TelephonyUsage, OF_CALLS, calls, ready=True)
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


def fresh_row(record: MeetingRecord, ready: Prepared, book: RoomBook, pull: Pull, now: str, veil: privacy.Veil) -> Row:
    """The row of a new meeting: the values of OF_MEETINGS. now: as it is `spelt`."""
    visits_hash, calls_hash = _hashes(record, ready, veil)
    return (
        *(record.uuid, book.find(record.host_id, record.room_email, record.room_name)),
        *(record.room_name or "", record.room_email or "", record.meeting_id, record.topic or ""),
        *(ready.start, record.duration, is_weak(record), ready.end, record.is_extra),
        *(record.visits is not None, record.calls is not None, False, False),
        *(veil.kept_hash(record, visits_hash), veil.kept_hash(record, calls_hash)),
        *(pull.pk, now, now, now if veil.is_old(record) else None),
        *ready.computed,
    )


def _hashes(record: MeetingRecord, ready: Prepared, veil: privacy.Veil) -> tuple[str, str]:
    """Hashes of the visits and calls as they came, whatever of them is kept. In: what is kept."""
    came = veil.as_it_came(record)
    if came is not record:
        ready = prepared(came, summaries.site_zone())
    return ready.participants_hash, ready.telephony_hash


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
                before[name], after[name] = plain(old), plain(value)
            setattr(meeting, name, value)

    visits, calls = record.visits, record.calls
    visits_hash, calls_hash = _hashes(record, prepared(record, summaries.site_zone()), veil)
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
            visits = canonical_visits(visits)
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
            calls = canonical_calls(calls)
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
        rows = visit_rows(kept_visits, meeting.start_time, meeting.end_time)
        bulk.insert_rows(Participant, OF_VISITS, of_meeting(meeting.pk, rows), ready=True)
    if new_calls:
        meeting.telephony_usage.all().delete()
        rows = call_rows(calls or (), meeting.start_time, summaries.site_zone())
        bulk.insert_rows(TelephonyUsage, OF_CALLS, of_meeting(meeting.pk, rows), ready=True)
    elif "start_time" in touched:
        for call in meeting.telephony_usage.filter(start_time=None):
            call.local_day = measures.call_day(None, meeting.start_time, summaries.site_zone())
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


def _visit_list(visits: Sequence[Visit] | None) -> list[list[Any]] | None:
    return None if visits is None else [[v.name, plain(v.join_time), plain(v.leave_time)] for v in visits]


def _call_list(calls: Sequence[Call] | None) -> list[list[Any]] | None:
    return None if calls is None else [[plain(value) for value in call] for call in calls]


def _identity(record: Unreadable) -> str:
    return record.uuid or "#" + hashlib.sha256(record.raw.encode()).hexdigest()


def _reject(
    records: Sequence[tuple[str, Unreadable]], read: Sequence[str], pull: Pull, now: datetime, outcome: Outcome
) -> None:
    """Keep records that could not be read, each once however often it comes, and forget those that were read now.

    In: the records with the pieces they came with; `read`, the uuids of what could be read.
    """
    if not records and not Rejected.objects.exists():
        return
    found = sorted(((_identity(record), piece, record) for piece, record in records), key=itemgetter(0))
    _lock(Rejected.objects.filter(identity__in={*read, *(identity for identity, *_ in found)}).order_by("identity"))
    limit = privacy.names_limit(now)
    for identity, piece, record in found:
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
