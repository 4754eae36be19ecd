"""Records of the API become rows: each meeting whole or not at all, and the same report twice changes nothing.

Everything is decided here: what is new, what changed, what is the same, what a report that knows less
may not erase. A page of records is one transaction, which also counts them in their Pull, so that
after a crash either both are there or neither.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F

from reports import bulk, search, summaries
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
    outcome = Outcome()
    with transaction.atomic():
        book = RoomBook()
        if rooms:
            counts = book.learn(rooms)
            if pull.source == Pull.Kind.ROOMS or not rounds:
                outcome.new, outcome.changed, outcome.same = counts
        for batch in rounds:
            _import_meetings(batch, book, pull, now, outcome)
        if outcome.new or outcome.changed:
            search.keep(record for batch in rounds for record in batch.values())
        _reject(unreadable, pull, now, piece, outcome)
        if rounds:
            _forget_rejected(list(rounds[0]))
            _wake(outcome, now)
        Pull.objects.filter(pk=pull.pk).update(
            new=F("new") + outcome.new,
            changed=F("changed") + outcome.changed,
            same=F("same") + outcome.same,
            rejected=F("rejected") + outcome.rejected,
            pages=F("pages") + pages,
        )
    return outcome


class RoomBook:
    """All rooms, to find the one a report speaks of: by host_id, by e-mail, by the provider's own name."""

    def __init__(self) -> None:
        self._load()

    def _load(self) -> None:
        self.by_host = {room.host_id: room for room in Room.objects.all()}
        self.by_email: dict[str, list[Room]] = {}
        self.by_name: dict[str, list[Room]] = {}
        for room in self.by_host.values():
            if room.email:
                self.by_email.setdefault(room.email.casefold(), []).append(room)
            if room.name:
                self.by_name.setdefault(fold(room.name), []).append(room)

    def find(self, host_id: str | None, email: str | None, name: str | None) -> Room | None:
        """The room, or None while it cannot be told. An e-mail or name must be one room's alone."""
        if host_id:
            return self.by_host.get(host_id)
        for key, index in (((email or "").casefold(), self.by_email), (fold(name or ""), self.by_name)):
            if key and len(found := index.get(key, [])) == 1:
                return found[0]
        return None

    def make_missing(self, records: Iterable[MeetingRecord]) -> None:
        """A room that is met for the first time in a report gets its row."""
        wanted: dict[str, Room] = {}
        settled: set[str] = set()
        undecided = [
            (host_id, record) for record in records if (host_id := record.host_id) and self._may_be_temporary(host_id)
        ]
        # A report that does not say leaves what is known of its meeting.
        silent = [record.uuid for _host_id, record in undecided if record.is_extra is None]
        known_extra = set(Meeting.objects.filter(uuid__in=silent, is_extra=True).values_list("uuid", flat=True))
        for host_id, record in undecided:
            # Temporary only while nothing but extra meetings was seen in it.
            extra = record.is_extra is True or record.uuid in known_extra
            if host_id not in self.by_host:
                room = wanted.setdefault(host_id, Room(host_id=host_id, temporary=True))
                room.temporary = room.temporary and extra
            elif not extra:
                settled.add(host_id)
        if wanted:
            # In the order of their keys: two workers that make the same rooms never wait in a circle.
            Room.objects.bulk_create([wanted[key] for key in sorted(wanted)], ignore_conflicts=True)
        if settled:
            Room.objects.filter(host_id__in=settled).update(temporary=False)
        if wanted or settled:
            self._load()

    def _may_be_temporary(self, host_id: str) -> bool:
        return host_id not in self.by_host or self.by_host[host_id].temporary

    def learn(self, records: Sequence[RoomRecord]) -> tuple[int, int, int]:
        """Names, e-mails and capacities from the provider's list of rooms; returns (new, changed, same)."""
        new = changed = same = 0
        for record in sorted({record.host_id: record for record in records}.values(), key=lambda r: r.host_id):
            told = {
                "email": record.email,
                "name": record.name,
                "capacity": record.capacity,
                "temporary": False,
            }
            told = {key: value for key, value in told.items() if value not in (None, "")}
            room, made = Room.objects.get_or_create(host_id=record.host_id, defaults=told)
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
        unknown = Meeting.objects.filter(room=None).exclude(room_email="", room_name="")
        for email, name in unknown.order_by().values_list("room_email", "room_name").distinct():
            if room := self.find(None, email, name):
                Meeting.objects.filter(room=None, room_email=email, room_name=name).update(room=room)


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
    batch: Mapping[str, MeetingRecord], book: RoomBook, pull: Pull, now: datetime, outcome: Outcome
) -> None:
    book.make_missing(batch.values())
    known = set(Meeting.objects.filter(uuid__in=batch).values_list("uuid", flat=True))
    unseen = sorted(set(batch) - known)
    if unseen:
        # Sorted, and leaving out what another worker inserts at this moment: no deadlock, no double.
        meetings = [_fresh(batch[uuid], book, pull, now) for uuid in unseen]
        bulk.insert(Meeting, meetings, skip_existing=True)
        made = dict(Meeting.objects.filter(uuid__in=unseen, first_pull=pull).values_list("uuid", "pk"))
        visits: list[list[Any]] = []
        calls: list[list[Any]] = []
        for uuid in unseen:
            if uuid in made:
                record = batch[uuid]
                visits += _visit_rows(made[uuid], record.visits or (), record.start_time, record.end_time)
                calls += _call_rows(made[uuid], record.calls or (), record.start_time)
                outcome.new += 1
                outcome.fresh_numbers.add(record.meeting_id)
            else:
                known.add(uuid)
        bulk.insert_rows(Participant, VISIT_COLUMNS, visits)
        bulk.insert_rows(TelephonyUsage, CALL_COLUMNS, calls)
    if known:
        rows = Meeting.objects.select_for_update(of=("self",)).filter(uuid__in=known).order_by("uuid")
        for meeting in rows:
            record = batch[meeting.uuid]
            if _update(meeting, record, book, pull, now):
                outcome.changed += 1
                outcome.fresh_numbers.add(record.meeting_id)
            else:
                outcome.same += 1
    for record in batch.values():
        outcome.reported_numbers.add(record.meeting_id)
        if record.end_time is None:
            outcome.running_numbers.add(record.meeting_id)


def _fresh(record: MeetingRecord, book: RoomBook, pull: Pull, now: datetime) -> Meeting:
    visits, calls = canonical_visits(record.visits), canonical_calls(record.calls)
    room = book.find(record.host_id, record.room_email, record.room_name)
    meeting = Meeting(
        uuid=record.uuid,
        room=room,
        room_name=record.room_name or "",
        room_email=record.room_email or "",
        meeting_id=record.meeting_id,
        topic=record.topic or "",
        start_time=record.start_time,
        duration=record.duration,
        duration_is_weak=record.duration is not None and record.shape == Shape.ARRAY,
        end_time=record.end_time,
        is_extra=record.is_extra,
        participants_reported=visits is not None,
        telephony_reported=calls is not None,
        participants_hash=digest(visits),
        telephony_hash=digest(calls),
        first_pull=pull,
        first_seen_at=now,
        changed_at=now,
    )
    summaries.apply(meeting, visits, calls)
    return meeting


def _update(meeting: Meeting, record: MeetingRecord, book: RoomBook, pull: Pull, now: datetime) -> bool:
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
    new_visits = new_calls = False
    if visits is not None and digest(visits) != meeting.participants_hash:
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
            meeting.participants_reported, meeting.participants_hash = True, digest(visits)
            meeting.participants_withheld = False
    if calls is not None and digest(calls) != meeting.telephony_hash:
        if not calls and meeting.calls:
            if not meeting.telephony_withheld:
                meeting.telephony_withheld = True
                touched.append("telephony_withheld")
                notes.append("The provider reports no calls any more; those reported before are kept.")
        else:
            new_calls = True
            old_calls = canonical_calls(meeting.telephony_usage.all()) if meeting.telephony_reported else None
            before["telephony_usage"], after["telephony_usage"] = _call_list(old_calls), _call_list(calls)
            meeting.telephony_reported, meeting.telephony_hash = True, digest(calls)
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
    room_id = room.pk if room and (record.host_id or meeting.room_id is None) else meeting.room_id
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


def canonical_visits(visits: Iterable[Any] | None) -> tuple[Visit, ...] | None:
    """Visits as they are kept: by time, then name. The order an answer has them in means nothing."""
    if visits is None:
        return None
    plain = [
        v if isinstance(v, Visit) else Visit(name=v.name, join_time=v.join_time, leave_time=v.leave_time)
        for v in visits
    ]
    return tuple(sorted(plain, key=lambda v: (v.join_time, v.leave_time or summaries.FAR, v.name)))


def canonical_calls(calls: Iterable[Any] | None) -> tuple[Call, ...] | None:
    """Calls as they are kept: by time, then number, then everything else."""
    if calls is None:
        return None
    plain = (
        Call(
            phone_number=c.phone_number,
            type=c.type,
            start_time=c.start_time,
            end_time=c.end_time,
            duration=c.duration,
            total=c.total,
        )
        for c in calls
    )

    def key(call: Call) -> tuple[Any, ...]:
        far = summaries.FAR
        cost = Decimal(-1) if call.total is None else call.total
        length = -1 if call.duration is None else call.duration
        return (call.start_time or far, call.phone_number, call.end_time or far, call.type, length, cost)

    return tuple(sorted(plain, key=key))


def digest(items: Sequence[Visit] | Sequence[Call] | None) -> str:
    """A hash of canonical visits or calls; "" for unreported. Equal content, equal hash."""
    if items is None:
        return ""
    hashed = hashlib.sha256()
    for item in items:
        for name in item.__slots__:
            value = getattr(item, name)
            text = value if isinstance(value, str) else str(_plain(value))
            # With its length in front, no text can run into its neighbour.
            hashed.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
        hashed.update(b";")
    return hashed.hexdigest()


def _plain(value: Any) -> Any:
    """A value as JSON keeps it; equal values give equal texts (0.1 and 0.10, a time in two zones)."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Decimal():
            return format(value.normalize(), "f")
        case _:
            return value


def _visit_list(visits: Sequence[Visit] | None) -> list[list[Any]] | None:
    return None if visits is None else [[v.name, _plain(v.join_time), _plain(v.leave_time)] for v in visits]


def _call_list(calls: Sequence[Call] | None) -> list[list[Any]] | None:
    return None if calls is None else [[_plain(getattr(c, name)) for name in c.__slots__] for c in calls]


VISIT_COLUMNS = (
    *("meeting_id", "place", "name", "join_time", "leave_time"),
    *("name_key", "attendee_visits", "attendee_seconds", "late_seconds"),
)
CALL_COLUMNS = (
    *("meeting_id", "place", "phone_number", "type", "start_time", "end_time", "duration", "total"),
    *("country", "local_day"),
)


def _visit_rows(meeting_pk: int, visits: Iterable[Visit], start: datetime, end: datetime | None) -> list[list[Any]]:
    stays = canonical_visits(visits) or ()
    figures = summaries.on_first_visits(stays, start, end)
    return [
        [meeting_pk, place, visit.name, visit.join_time, visit.leave_time, fold(visit.name), *of_attendee]
        for place, (visit, of_attendee) in enumerate(zip(stays, figures, strict=True), 1)
    ]


def _call_rows(meeting_pk: int, calls: Iterable[Call], meeting_start: datetime) -> list[list[Any]]:
    return [
        [
            *(
                meeting_pk,
                place,
                call.phone_number,
                call.type,
                call.start_time,
                call.end_time,
                call.duration,
                call.total,
            ),
            *(summaries.country_of(call.phone_number), summaries.call_day(call.start_time, meeting_start)),
        ]
        for place, call in enumerate(canonical_calls(calls) or (), 1)
    ]


def _reject(records: Sequence[Unreadable], pull: Pull, now: datetime, piece: str, outcome: Outcome) -> None:
    """Keep records that could not be read, each once however often it comes."""
    for record in records:
        identity = record.uuid or "#" + hashlib.sha256(record.raw.encode()).hexdigest()
        told = {"raw": record.raw, "field": record.field[:200], "reason": record.reason}
        where = piece or (f"number:{record.meeting_id}" if record.meeting_id else "")
        row, made = Rejected.objects.get_or_create(
            identity=identity, defaults={**told, "pull": pull, "first_seen_at": now, "piece": where}
        )
        if not made and any(getattr(row, name) != value for name, value in told.items()):
            Rejected.objects.filter(pk=row.pk).update(**told)
        outcome.rejected += 1
        outcome.rejections[identity] = record.reason
        if record.meeting_id:
            outcome.rejected_numbers[record.meeting_id] = f"{record.field} {record.reason}"


def _forget_rejected(uuids: Sequence[str]) -> None:
    """A record that was read after all is no longer rejected."""
    if Rejected.objects.exists():
        Rejected.objects.filter(identity__in=uuids).delete()


def forget_unnamed(pieces: Iterable[str], still: Iterable[str]) -> None:
    """Drop rejected records without a uuid once the piece they came with was read whole without them.

    In: the pieces read, and the identities that were rejected again.
    """
    unnamed = Rejected.objects.filter(identity__startswith="#", piece__in=list(pieces))
    unnamed.exclude(identity__in=list(still)).delete()


def _wake(outcome: Outcome, now: datetime) -> None:
    """A tracked number under which something new was reported is asked about soon again."""
    if not outcome.fresh_numbers:
        return
    sleeping = TrackedNumber.objects.filter(number__in=outcome.fresh_numbers, lease_until=None).exclude(
        next_due_at__lte=now + SETTLING[0]
    )
    for pk in list(sleeping.order_by("pk").select_for_update().values_list("pk", flat=True)):
        TrackedNumber.objects.filter(pk=pk).update(
            step=0, state=TrackedNumber.State.SETTLING, next_due_at=now + SETTLING[0]
        )
