"""Names and telephone numbers that are kept no longer, while every total stays.

Two ways lead here. By age: RETENTION_NAMES_DAYS after a meeting the display names and numbers of it go (`prune`).
On request: one display name goes everywhere (`erase`).

Within a meeting attendees are still told apart, by a number that means nothing in another one (see text.py): what is
computed of them stays as it was. What comes later does not bring a name back: a record of a meeting that is as
old is taken in without names, and a name that was erased is known again by a keyed hash, which is all that is kept of
it (`Veil`). The same report again is still the same: what decides is a hash of the report as it came, and where its
names are gone a keyed one, from which nobody without the key can tell which names those were.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction

from reports import events, folding, fresh, search
from reports.keptmodels import KeptPeople
from reports.measures import country_of
from reports.models import Change, ErasedName, Meeting, Participant, Rejected, SearchText, TelephonyUsage
from reports.provider.payloads import MeetingRecord, Unreadable, Visit
from reports.querysets import named
from reports.text import REMOVED, REMOVED_NUMBER, REMOVED_NUMBER_OF, fold, is_removed, name_key

FAR = datetime.max.replace(tzinfo=UTC)
A_TURN = 500  # meetings a transaction: whoever else writes waits no longer
KEYED = "~"

Raw = dict[str, Any]
# Whether a display name is to go.
Goes = Callable[[str], bool]


# Keyed hashes -----------------------------------------------------------------------------------------------


def _secrets() -> list[str]:
    """The key by which hashes are made, and those of before."""
    return [str(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def _keyed(purpose: str, text: str, secret: str) -> str:
    key = hashlib.sha256(f"roomledger.{purpose}:{secret}".encode()).digest()
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@lru_cache(maxsize=50_000)  # the same names come again in every meeting
def _name_digest(key: str, secret: str) -> str:
    return _keyed("erased-name", key, secret)


def name_digest(key: str) -> str:
    """What is kept of an erased name, in: folded."""
    return _name_digest(key, settings.SECRET_KEY)


def keyed_hash(plain: str) -> str:
    """A hash of visits or calls as it is kept where their names are gone. What was not reported stays ""."""
    return f"{KEYED}{_keyed('report', plain, settings.SECRET_KEY)[:63]}" if plain else ""


def is_keyed(kept_hash: str) -> bool:
    """Whether a kept hash is of a report whose names are gone: of what is left it says nothing."""
    return kept_hash.startswith(KEYED)


def alike(kept_hash: str, plain: str) -> bool:
    """Whether what came has the content that a kept hash, plain or keyed, was made of."""
    if not is_keyed(kept_hash):
        return kept_hash == plain
    if not plain:
        return False
    return any(kept_hash == f"{KEYED}{_keyed('report', plain, secret)[:63]}" for secret in _secrets())


# What stands in their place ---------------------------------------------------------------------------------


def stand_ins(names: Iterable[str], goes: Goes, also: Iterable[str] = ()) -> dict[str, str]:
    """What stands for each display name of a meeting that goes, by its folded text.

    In: the names of its visits by time, and `also` others that its reports once had. No two get the same, nor one that
    somebody of the meeting has already; those without a name stay without.
    """
    keys = list(dict.fromkeys(map(fold, [*names, *also])))
    going = {key: place for place, key in enumerate(keys, 1) if key and not is_removed(key) and goes(key)}
    taken = set(keys) - going.keys()
    found = {}
    for key, number in going.items():
        while (stand_in := f"{REMOVED} {number}") in taken:
            number += 1
        taken.add(stand_in)
        found[key] = stand_in
    return found


def number_stand_in(number: str) -> str:
    """What stands for a telephone number: its country alone."""
    if not number or REMOVED_NUMBER_OF.fullmatch(number):
        return number
    country = country_of(number)
    return f"{REMOVED_NUMBER[:-1]}: {country})" if country else REMOVED_NUMBER


def _everybody(_key: str) -> bool:
    return True


def names_limit(now: datetime) -> datetime | None:
    """Meetings that ended before it have no names any more; None: names are kept."""
    days = settings.RETENTION_NAMES_DAYS
    return None if days is None else now - timedelta(days=days)


# What comes in ----------------------------------------------------------------------------------------------


class Veil:
    """What of some records is taken in. Made inside the transaction that keeps them.

    On PostgreSQL, that it has read the erased names is what an erasure waits for (see `erase`).
    """

    def __init__(self, now: datetime) -> None:
        self._erased = frozenset(ErasedName.objects.values_list("digest", flat=True))
        self._limit = names_limit(now)
        # By the id of the veiled record, which is held here too, so that no other object gets its id.
        self._came: dict[int, tuple[MeetingRecord, MeetingRecord]] = {}
        self._old: set[str] = set()

    def over(self, batch: Mapping[str, MeetingRecord]) -> Mapping[str, MeetingRecord]:
        """The records as they are taken in, by their uuids; most of them as they are."""
        if self._limit is not None:
            self._find_old(batch.values())
        if not (self._erased or self._old):
            return batch
        return {uuid: self._veiled(record) for uuid, record in batch.items()}

    def _find_old(self, records: Iterable[MeetingRecord]) -> None:
        limit = self._limit or FAR
        unsure = []
        for record in records:
            if record.start_time < limit:
                if record.end_time is None:
                    unsure.append(record.uuid)
                elif record.end_time < limit:
                    self._old.add(record.uuid)
        if unsure:
            # A report that does not tell the end leaves the known one.
            ended = Meeting.objects.filter(uuid__in=unsure, end_time__lt=limit)
            self._old.update(ended.order_by().values_list("uuid", flat=True))

    def _veiled(self, record: MeetingRecord) -> MeetingRecord:
        old = record.uuid in self._old
        by_time = sorted(record.visits or (), key=_by_time)
        found = stand_ins([visit.name for visit in by_time], _everybody if old else self.is_erased)
        numbers = old and any(call.phone_number for call in record.calls or ())
        if not found and not numbers:
            return record
        changes: dict[str, Any] = {"prepared": None}
        if found and record.visits is not None:
            changes["visits"] = tuple(
                visit._replace(name=found.get(fold(visit.name), visit.name)) for visit in record.visits
            )
        if numbers and record.calls is not None:
            changes["calls"] = tuple(
                call._replace(phone_number=number_stand_in(call.phone_number)) for call in record.calls
            )
        veiled = record._replace(**changes)
        self._came[id(veiled)] = (veiled, record)
        return veiled

    def is_erased(self, key: str) -> bool:
        """Whether a folded name was erased."""
        return any(_name_digest(key, secret) in self._erased for secret in _secrets())

    def is_old(self, record: MeetingRecord) -> bool:
        """Whether the meeting of a record is too old for names."""
        return record.uuid in self._old

    def as_it_came(self, record: MeetingRecord) -> MeetingRecord:
        """The record that a veiled one was made of; itself where nothing was taken from it."""
        return self._came.get(id(record), (record, record))[1]

    def kept_hash(self, record: MeetingRecord, plain: str) -> str:
        """A hash of what came as it is kept."""
        return keyed_hash(plain) if id(record) in self._came else plain

    def over_unreadable(self, record: Unreadable) -> Unreadable:
        """A record that cannot be read, without erased names."""
        if not self._erased:
            return record
        raw, reason = without_names(record.raw, self.is_erased), _quoted(record.reason, self.is_erased)
        if (raw, reason) == (record.raw, record.reason):
            return record
        return Unreadable(raw, record.field, reason, record.uuid, record.meeting_id, record.start_time)


def _by_time(visit: Visit) -> tuple[datetime, datetime, str]:
    return visit.join_time, visit.leave_time or FAR, visit.name


# Records that could not be read -------------------------------------------------------------------------------

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_QUOTED = re.compile(r"'([^']*)'")
# What tells nothing of who it was.
PLAIN_KEYS = re.compile(r"(join|leave|start|end)_?time|duration|total|type", re.IGNORECASE)
OF_PEOPLE = ("participants", "telephony_usage")


def without_names(raw: str, goes: Goes) -> str:
    """A record as JSON text with whatever text is such a name replaced; all else stays as it was sent."""

    def replaced(found: re.Match[str]) -> str:
        try:
            text = json.loads(found[0])
        except ValueError:
            return found[0]
        key = fold(text)
        return json.dumps(REMOVED) if key and goes(key) else found[0]

    return _STRING.sub(replaced, raw)


def _quoted(reason: str, goes: Goes) -> str:
    return _QUOTED.sub(lambda found: f"'{REMOVED}'" if goes(fold(found[1])) else found[0], reason)


def without_people(raw: str, field: str, reason: str) -> Raw:
    """Record and reason without anything that tells who was there or who called, as columns of Rejected."""
    try:
        item = json.loads(raw)
    except ValueError:
        return {"raw": json.dumps(REMOVED)}
    if isinstance(item, dict):
        told = {key: _bare(value) if key in OF_PEOPLE else value for key, value in item.items()}
        text = raw if told == item else json.dumps(told)
    else:
        text = json.dumps(REMOVED)
    found = {"raw": text}
    if field.startswith(OF_PEOPLE):
        found["reason"] = _QUOTED.sub(f"'{REMOVED}'", reason)
    return found


def _bare(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _bare(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_bare(one, key) for one in value]
    return value if value in (None, "") or PLAIN_KEYS.fullmatch(key) else REMOVED


# What is kept -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Removed:
    """How much was removed."""

    meetings: int = 0
    visits: int = 0
    changes: int = 0
    rejected: int = 0

    def add(self, other: "Removed") -> None:
        self.meetings += other.meetings
        self.visits += other.visits
        self.changes += other.changes
        self.rejected += other.rejected


def prune(now: datetime) -> int:
    """Remove names and numbers of the meetings that are older than RETENTION_NAMES_DAYS; returns how many these are.

    Some meetings a transaction. Sums and search texts are made anew afterwards.
    """
    limit = names_limit(now)
    if limit is None:
        return 0
    _overwrite()
    done = 0
    old = Meeting.objects.filter(names_removed_at=None, start_time__lt=limit, end_time__lt=limit).order_by("start_time")
    while turn := list(old.values_list("pk", flat=True)[:A_TURN]):
        with transaction.atomic():
            rows = Meeting.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=turn)
            meetings = list(rows.filter(names_removed_at=None, end_time__lt=limit).order_by("uuid"))
            removed = _remove(meetings, _everybody, now, whole=True)
            if meetings:
                events.tell(
                    "names-pruned",
                    meetings=len(meetings),
                    visits=removed.visits,
                    older_than_days=settings.RETENTION_NAMES_DAYS,
                )
        done += len(meetings)
    with transaction.atomic():
        for row in Rejected.objects.select_for_update().filter(first_seen_at__lt=limit).order_by("identity"):
            told = without_people(row.raw, row.field, row.reason)
            if any(getattr(row, name) != value for name, value in told.items()):
                Rejected.objects.filter(pk=row.pk).update(**told)
    if done:
        search.tidy()
        folding.fold()
    return done


def _remove(meetings: Sequence[Meeting], goes: Goes, now: datetime, *, whole: bool) -> Removed:
    """Remove names from meetings, which are locked, and from their changes. whole: all names, and the numbers."""
    done = Removed()
    by_meeting: dict[int, list[tuple[int, str]]] = {meeting.pk: [] for meeting in meetings}
    stays = Participant.objects.filter(meeting__in=by_meeting).order_by("meeting", "place")
    for pk, meeting_id, name in stays.values_list("pk", "meeting_id", "name"):
        by_meeting[meeting_id].append((pk, name))
    changes: dict[int, list[Change]] = {}
    for change in Change.objects.filter(meeting__in=by_meeting).order_by("pk"):
        changes.setdefault(change.meeting_id, []).append(change)
    renamed: list[tuple[str, str, int]] = []
    for meeting in meetings:
        visits = by_meeting[meeting.pk]
        reported = [name for change in changes.get(meeting.pk, ()) for name in _names(change)]
        found = stand_ins([name for _pk, name in visits], goes, reported)
        here = [(found[key], name_key(found[key]), pk) for pk, name in visits if (key := fold(name)) in found]
        renamed += here
        done.visits += len(here)
        done.meetings += bool(here)
        for change in changes.get(meeting.pk, ()):
            if _rewrite(change, found, numbers=whole):
                Change.objects.filter(pk=change.pk).update(before=change.before, after=change.after)
                done.changes += 1
        if whole:
            meeting.names_removed_at = now
        if here or whole:
            meeting.participants_hash = _again_keyed(meeting.participants_hash)
        if whole:
            meeting.telephony_hash = _again_keyed(meeting.telephony_hash)
    _many(Participant, ("name", "name_key"), renamed)
    if whole:
        calls = TelephonyUsage.objects.filter(meeting__in=by_meeting).exclude(phone_number="")
        told = calls.order_by("pk").values_list("pk", "phone_number")
        _many(TelephonyUsage, ("phone_number",), [(number_stand_in(number), pk) for pk, number in told])
    # Whatever is written to a meeting touches its days, so that their sums are made anew.
    columns = ["participants_hash", "telephony_hash", "names_removed_at"]
    Meeting.objects.bulk_update(meetings, columns, batch_size=100)
    return done


def _again_keyed(kept_hash: str) -> str:
    return kept_hash if kept_hash.startswith(KEYED) else keyed_hash(kept_hash)


def _many(model: type[models.Model], columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Set columns of many rows, each (values…, id)."""
    if rows:
        quote = connection.ops.quote_name
        given = ", ".join(f"{quote(name)} = %s" for name in columns)
        with connection.cursor() as cursor:
            # Only names of our own models are in the text.
            cursor.executemany(f"UPDATE {quote(model._meta.db_table)} SET {given} WHERE id = %s", rows)  # noqa: S608


def _lists(change: Change, name: str) -> Iterable[list[list[Any]]]:
    for side in (change.before, change.after):
        rows = side.get(name) if isinstance(side, dict) else None
        if isinstance(rows, list):
            yield rows


def _names(change: Change) -> list[str]:
    """The display names that a change tells of."""
    return [str(row[0]) for rows in _lists(change, "participants") for row in rows if row and row[0]]


def _rewrite(change: Change, found: Mapping[str, str], *, numbers: bool) -> bool:
    """Put what stands for them in the place of names, and of numbers; True when there was any."""
    done = False
    for rows in _lists(change, "participants"):
        for row in rows:
            if row and row[0] and (key := fold(str(row[0]))) in found:
                row[0], done = found[key], True
    for rows in _lists(change, "telephony_usage") if numbers else ():
        for row in rows:
            if row and row[0] and (stand_in := number_stand_in(str(row[0]))) != row[0]:
                row[0], done = stand_in, True
    return done


def _overwrite() -> None:
    """Have SQLite write over what it deletes, not only forget where it stood."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")


def erasable(name: str) -> str:
    """A display name folded, if it is one that can be erased; else ""."""
    key = fold(name)
    return "" if is_removed(key) else key


def erase(name: str, now: datetime, *, fold_days: bool = True) -> Removed:
    """Remove one display name everywhere, and never let it in again.

    In one transaction; sums are made anew afterwards. In: any spelling of the name, which need not be known: what has
    not come yet is not let in either. fold_days: make the sums anew here, which may take some seconds; else whoever
    folds next does, and until then pages ask the rows. Errors: ValueError for no name.
    """
    if not (key := erasable(name)):
        raise ValueError("There is no such name.")
    _overwrite()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Whoever has read which names are erased, and is taking records in, ends first; nobody begins.
                cursor.execute(f"LOCK TABLE {ErasedName._meta.db_table} IN ACCESS EXCLUSIVE MODE")
        ErasedName.objects.get_or_create(digest=name_digest(key), defaults={"erased_at": now})
        done = Removed()
        pks = set(Participant.objects.filter(named(key)).order_by().values_list("meeting_id", flat=True))
        pks |= {
            change.meeting_id
            for change in Change.objects.iterator(2000)
            if key in {fold(name) for name in _names(change)}
        }
        for turn in _turns(sorted(pks), A_TURN):
            rows = Meeting.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=turn).order_by("uuid")
            done.add(_remove(list(rows), key.__eq__, now, whole=False))
        for row in Rejected.objects.select_for_update().order_by("identity"):
            raw, reason = without_names(row.raw, key.__eq__), _quoted(row.reason, key.__eq__)
            if (raw, reason) != (row.raw, row.reason):
                changes = {"raw": raw, "reason": reason}
                if row.identity.startswith("#"):
                    # It comes without the name from now on, and is known by what comes.
                    changes["identity"] = "#" + hashlib.sha256(raw.encode()).hexdigest()
                    Rejected.objects.filter(identity=changes["identity"]).exclude(pk=row.pk).delete()
                Rejected.objects.filter(pk=row.pk).update(**changes)
                done.rejected += 1
        # Their days are touched, so that nobody asks for these until they are made anew; and sums that are being made
        # have the name no more when they take their place.
        fresh.count()
        KeptPeople.objects.filter(key=key).delete()
        SearchText.objects.filter(kind=SearchText.Kind.NAME.value, text=key).delete()
        if done.visits:
            # What stands in its place is found as any other name is.
            SearchText.objects.get_or_create(kind=SearchText.Kind.NAME.value, text=REMOVED)
        told = sum(int(found or 0) for _listener, found in events.erasing.send(sender=None, key=key))
        events.tell(
            "name-erased",
            meetings=done.meetings,
            visits=done.visits,
            changes_kept=done.changes,
            rejected=done.rejected,
            views=told,
        )
    search.make_trigrams()
    if fold_days:
        folding.fold()
    return done


def _turns(items: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (items[start : start + size] for start in range(0, len(items), size))


# What is held -------------------------------------------------------------------------------------------------


def held(name: str) -> Raw:
    """All that is held on a display name, of JSON's kinds: times in UTC. Nothing of anybody else is in it."""
    key = fold(name)
    visits = Participant.objects.filter(named(key)).select_related("meeting__room").order_by("join_time", "pk")
    changes = []
    for change in Change.objects.select_related("meeting").order_by("seen_at", "pk").iterator(2000):
        if key in map(fold, _names(change)):
            sides = (("before", change.before), ("after", change.after))
            told = {
                side: [row for row in given.get("participants") or () if fold(str(row[0])) == key]
                for side, given in sides
            }
            changes.append({"uuid": change.meeting.uuid, "seen_at": _time(change.seen_at), **told})
    rejected = [
        {"identity": row.identity, "first_seen_at": _time(row.first_seen_at), "field": row.field, "reason": row.reason}
        for row in Rejected.objects.order_by("first_seen_at", "pk")
        if without_names(row.raw, key.__eq__) != row.raw
    ]
    return {
        "name": key,
        "visits": [
            {
                "uuid": visit.meeting.uuid,
                "meeting_id": visit.meeting.meeting_id,
                "topic": visit.meeting.topic,
                "host_id": visit.meeting.room.host_id if visit.meeting.room else "",
                "room": visit.meeting.room.known_name if visit.meeting.room else "",
                "start_time": _time(visit.meeting.start_time),
                "end_time": _time(visit.meeting.end_time),
                "name": visit.name,
                "join_time": _time(visit.join_time),
                "leave_time": _time(visit.leave_time),
                "attendee_visits": visit.attendee_visits,
                "attendee_seconds": visit.attendee_seconds,
                "late_seconds": visit.late_seconds,
            }
            for visit in visits.iterator(2000)
        ],
        # The provider reports no names with telephone calls.
        "calls": [],
        "changes": changes,
        "rejected": rejected,
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat()
