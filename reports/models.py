"""What is kept. Names and order of fields follow the API's; times are UTC; unknown is NULL.

The database alone says what is due: `TrackedNumber`, `PulledDay`, `ProviderPeriod` and `Source` rows are pieces
of work that a worker claims by one conditional UPDATE (see leases.py). A message of the broker only wakes it.
"""

from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from reports import keptmodels as keptmodels  # tables of ours too: Django looks for them here
from reports import measures
from reports.expressions import Long, Short, Topic
from reports.fields import MoneyField
from reports.querysets import MeetingQuerySet, ParticipantQuerySet, TelephonyUsageQuerySet


class Work(models.Model):
    """A piece of work: when it was last asked about, when it is next due, and who is at it."""

    asked_at = models.DateTimeField(_("last asked"), null=True, editable=False)
    next_due_at = models.DateTimeField(_("next due"), null=True, db_index=True)
    failures = models.PositiveIntegerField(default=0, help_text=_("failed attempts since the last good one"))
    last_error = models.TextField(_("last error"), blank=True)
    lease_owner = models.CharField(max_length=160, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


class Room(models.Model):
    """A public meeting room of the pool."""

    host_id = models.CharField(_("host id"), max_length=200, unique=True)
    email = models.CharField(_("e-mail"), max_length=320, blank=True)
    name = models.CharField(_("name at the provider"), max_length=500, blank=True)
    label = models.CharField(
        _("own name"), max_length=200, blank=True, help_text=_("Shown instead of the provider's name.")
    )
    capacity = models.PositiveIntegerField(_("capacity"), null=True, blank=True)
    temporary = models.BooleanField(
        _("temporary"), default=False, help_text=_("Made for one meeting when no room of the pool was free.")
    )

    class Meta:
        ordering = ("host_id",)
        # Every page asks for the rooms of the pool; of temporary ones there may be a hundred times as many.
        indexes: ClassVar = [
            models.Index(
                fields=["host_id"], name="room_of_pool", condition=models.Q(temporary=False) | ~models.Q(label="")
            )
        ]
        verbose_name = _("room")
        verbose_name_plural = _("rooms")

    def __str__(self) -> str:
        return self.known_name or self.host_id

    @property
    def known_name(self) -> str:
        """The administrator's name for the room, else the provider's, else nothing."""
        return self.label or self.name


class Licence(models.Model):
    """One answer of the provider on what is rented, and when it was told first and last."""

    capacity = models.JSONField(_("rooms by size"), help_text=_("how many rooms of so many seats, as the API tells it"))
    pay_type = models.CharField(
        _("billed by"), max_length=20, blank=True, help_text=_("1: room size, 2: concurrent participants, 3: time used")
    )
    expire_date = models.DateField(_("rented until"), null=True)
    first_seen_at = models.DateTimeField(_("first told"))
    last_seen_at = models.DateTimeField(_("last told"))

    class Meta:
        ordering = ("-last_seen_at", "-id")
        verbose_name = _("licence")
        verbose_name_plural = _("licences")

    def __str__(self) -> str:
        sizes = sorted((int(size), rooms) for size, rooms in self.capacity.items())
        return ", ".join(f"{rooms} × {size}" for size, rooms in sizes)


class TrackedNumber(Work):
    """A meeting number that `share/reports` is asked about."""

    class State(models.TextChoices):
        NEW = "new", _("not asked yet")
        WAITING = "waiting", _("no report yet")
        SETTLING = "settling", _("reported, may change")
        SETTLED = "settled", _("settled")

    number = models.CharField(_("meeting number"), max_length=20, unique=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.NEW)
    step = models.PositiveSmallIntegerField(default=0, editable=False, help_text=_("place in the settling schedule"))
    added_at = models.DateTimeField(_("added"), auto_now_add=True)

    class Meta:
        ordering = ("-added_at", "number")
        verbose_name = _("tracked number")
        verbose_name_plural = _("tracked numbers")

    def __str__(self) -> str:
        return self.number


class PulledDay(Work):
    """One day, in the provider's zone, of which `share/detail` is asked."""

    day = models.DateField(_("day"), unique=True)
    complete_at = models.DateTimeField(
        _("complete"), null=True, help_text=_("when every announced record of the day was last delivered")
    )
    announced = models.PositiveIntegerField(_("records announced"), null=True)
    delivered = models.PositiveIntegerField(_("records delivered"), null=True)

    class Meta:
        ordering = ("-day",)
        verbose_name = _("pulled day")
        verbose_name_plural = _("pulled days")

    def __str__(self) -> str:
        return self.day.isoformat()


class ProviderPeriod(Work):
    """A calendar month, or one day of it, in the provider's zone, of whose totals `share/summary` is asked.

    What the last whole answer told stands in `rooms`. It was counted at some moment from `sent_at` to `told_at`:
    what changed here since the one may not be in it, what ended after the other cannot be.
    """

    first = models.DateField(_("first day"))
    last = models.DateField(_("last day"))
    asked_first = models.DateField(
        _("asked from"), null=True, help_text=_("the first day asked about: days before it were never pulled")
    )
    sent_at = models.DateTimeField(null=True, editable=False)
    told_at = models.DateTimeField(_("told"), null=True, editable=False)
    meetings = models.PositiveIntegerField(
        _("meetings"), null=True, help_text=_("the provider's own total over all rooms")
    )

    class Meta:
        ordering = ("-last", "first")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["first", "last"], name="provider_period"),
        ]
        verbose_name = _("period of the provider's totals")
        verbose_name_plural = _("periods of the provider's totals")

    def __str__(self) -> str:
        return self.first.isoformat() if self.first == self.last else f"{self.first} – {self.last}"


class ProviderRoom(models.Model):
    """One room in the provider's totals of a period, as told."""

    period = models.ForeignKey(ProviderPeriod, models.CASCADE, related_name="rooms")
    # No Room of ours: the provider may count in rooms that nothing else was told of.
    host_id = models.CharField(_("host id"), max_length=200, blank=True)
    is_extra = models.BooleanField(_("extra room"), null=True)
    meetings = models.PositiveIntegerField(_("meetings"))
    participants = models.PositiveIntegerField(_("visits"), null=True)
    meeting_seconds = models.PositiveBigIntegerField(null=True, help_text=_("seconds (the API: minutes)"))
    audio_participants = models.PositiveIntegerField(_("calls"), null=True)
    audio_total_seconds = models.PositiveBigIntegerField(null=True, help_text=_("seconds (the API: minutes)"))
    total_fee = MoneyField(_("cost"), null=True, help_text=_("yuan"))

    class Meta:
        ordering = ("period", "host_id", "is_extra")
        verbose_name = _("room in the provider's totals")
        verbose_name_plural = _("rooms in the provider's totals")

    def __str__(self) -> str:
        return self.host_id


class Source(Work):
    """One of the sources, and whether the provider refuses us there."""

    class Name(models.TextChoices):
        NUMBERS = "numbers", _("meeting numbers")
        DATES = "dates", _("dates")
        ROOMS = "rooms", _("rooms")
        SUMMARY = "summary", _("provider's totals")

    name = models.CharField(_("name"), max_length=16, choices=Name.choices, unique=True)
    refused_at = models.DateTimeField(
        null=True,
        help_text=_("since when the provider refuses: nothing is asked until it is mended or tried anew"),
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("source")
        verbose_name_plural = _("sources")

    def __str__(self) -> str:
        return self.name


class Pull(models.Model):
    """One run of one source: what was asked for and what came of it."""

    class Kind(models.TextChoices):
        NUMBERS = "numbers", _("meeting numbers")
        DATES = "dates", _("dates")
        ROOMS = "rooms", _("rooms")
        SUMMARY = "summary", _("provider's totals")
        LOAD = "load", _("saved answers")

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        PARTIAL = "partial", _("incomplete")
        FAILED = "failed", _("failed, is tried again")
        REFUSED = "refused", _("refused")
        INTERRUPTED = "interrupted", _("interrupted, is taken up again")

    source = models.CharField(_("source"), max_length=16, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.RUNNING)
    asked_for = models.TextField(_("asked for"), blank=True)
    pieces = models.PositiveIntegerField(_("pieces"), default=0, help_text=_("numbers, days or files claimed"))
    pieces_done = models.PositiveIntegerField(_("pieces done"), default=0)
    pages = models.PositiveIntegerField(_("pages"), default=0)
    new = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    same = models.PositiveIntegerField(_("same"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, db_index=True)
    error = models.TextField(_("error"), blank=True)
    owner = models.CharField(max_length=160, blank=True, editable=False)

    class Meta:
        ordering = ("-started_at", "-id")
        verbose_name = _("pull")
        verbose_name_plural = _("pulls")

    def __str__(self) -> str:
        return f"{self.source} {self.started_at:%Y-%m-%d %H:%M}"


class Meeting(models.Model):
    """One meeting record with what is computed of it once, at import (see summaries.py).

    Of a running meeting, everything that grows with the clock (open, used, attendee seconds) is NULL
    here and computed when asked.
    """

    class State(models.TextChoices):
        RUNNING = measures.State.RUNNING.value, _("running")
        ENDED = measures.State.ENDED.value, _("ended")
        EMPTY = measures.State.EMPTY.value, _("empty")
        SOLO = measures.State.SOLO.value, _("solo")
        UNREPORTED = measures.State.UNREPORTED.value, _("unreported")

    uuid = models.CharField(max_length=200, unique=True)
    room = models.ForeignKey(Room, models.PROTECT, null=True, related_name="meetings", verbose_name=_("room"))
    # As reported by answers that name the room without its host_id: a later pull of the rooms may find it.
    room_name = models.CharField(max_length=500, blank=True)
    room_email = models.CharField(max_length=320, blank=True)
    meeting_id = models.CharField(_("meeting number"), max_length=20, db_index=True)
    topic = models.TextField(_("topic"), blank=True)
    start_time = models.DateTimeField(_("start"))
    duration = models.PositiveIntegerField(_("booked"), null=True, help_text=_("seconds (the API: minutes)"))
    end_time = models.DateTimeField(_("end"), null=True)
    is_extra = models.BooleanField(_("extra room"), null=True)

    # How it was reported.
    duration_is_weak = models.BooleanField(
        default=False, help_text=_("from the array answer, where it may be the actual length")
    )
    participants_reported = models.BooleanField(default=False)
    telephony_reported = models.BooleanField(default=False)
    participants_withheld = models.BooleanField(default=False)
    telephony_withheld = models.BooleanField(default=False)
    # Of what was reported, in whatever form it is kept (see privacy.py).
    participants_hash = models.CharField(max_length=64, blank=True)
    telephony_hash = models.CharField(max_length=64, blank=True)
    first_pull = models.ForeignKey(Pull, models.SET_NULL, null=True, related_name="+")
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    names_removed_at = models.DateTimeField(
        _("names removed"), null=True, help_text=_("when names and telephone numbers went by their age")
    )

    # Computed at import.
    search = models.TextField(blank=True, help_text=_("folded topic and number, for the topic search"))
    local_day = models.DateField(db_index=True)
    week_hour = models.PositiveSmallIntegerField(help_text=_("local hour of the start, counted from Monday 0:00"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    open_seconds = models.PositiveBigIntegerField(null=True)
    used_seconds = models.PositiveBigIntegerField(null=True)
    attendees = models.PositiveIntegerField(null=True)
    visits = models.PositiveIntegerField(null=True)
    peak_attendees = models.PositiveIntegerField(null=True)
    attendee_seconds = models.PositiveBigIntegerField(null=True)
    spare_seconds = models.PositiveBigIntegerField(
        null=True, help_text=_("booked time after the last leave of an ended meeting")
    )
    calls = models.PositiveIntegerField(null=True)
    call_seconds = models.PositiveBigIntegerField(null=True)
    call_cost = MoneyField(null=True)
    unpriced_calls = models.PositiveIntegerField(null=True)

    objects: ClassVar = MeetingQuerySet.as_manager()

    class Meta:
        ordering = ("-start_time", "-id")
        indexes: ClassVar = [
            models.Index(fields=["-start_time", "-id"], name="meeting_newest"),
            models.Index(fields=["room", "local_day"], name="meeting_room_day"),
            models.Index(fields=["state", "local_day"], name="meeting_state_day"),
            models.Index(fields=["start_time"], name="meeting_running", condition=models.Q(end_time=None)),
            # Those that reach into days other than their own.
            models.Index(fields=["start_time"], name="meeting_long", condition=models.Q(open_seconds__gt=86400)),
            models.Index(fields=["call_cost", "id"], name="meeting_dearest", condition=models.Q(call_cost__gt=0)),
            models.Index(Topic("search"), name="meeting_topic"),
            models.Index(fields=["id"], name="meeting_long_search", condition=models.Q(Long("search"))),
        ]
        verbose_name = _("meeting")
        verbose_name_plural = _("meetings")

    def __str__(self) -> str:
        return self.topic or self.meeting_id or self.uuid

    @property
    def running(self) -> bool:
        return self.end_time is None


class Participant(models.Model):
    """One visit: somebody was in a meeting from `join_time` to `leave_time`."""

    # Its place makes an index with it that serves both.
    meeting = models.ForeignKey(Meeting, models.CASCADE, related_name="participants", db_index=False)
    place = models.PositiveIntegerField(help_text=_("its place among the meeting's visits, by time"))
    name = models.TextField(_("display name"), blank=True)
    join_time = models.DateTimeField(_("joined"))
    leave_time = models.DateTimeField(_("left"), null=True)
    name_key = models.TextField(blank=True, help_text=_("folded name: one attendee of the meeting"))

    # What is computed at import of one attendee of the meeting stands on their first visit, NULL on others.
    attendee_visits = models.PositiveIntegerField(null=True)
    attendee_seconds = models.PositiveBigIntegerField(null=True)  # attendance; NULL too while the meeting runs
    late_seconds = models.PositiveBigIntegerField(null=True)  # how late they joined, 0 where not late

    objects: ClassVar = ParticipantQuerySet.as_manager()

    class Meta:
        ordering = ("meeting", "place")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["meeting", "place"], name="participant_place"),
        ]
        # Served by them: a name with Short or Long beside it (see querysets.named).
        indexes: ClassVar = [
            models.Index(
                fields=["name_key", "meeting"], name="participant_name", condition=models.Q(Short("name_key"))
            ),
            models.Index(fields=["meeting"], name="participant_long_name", condition=models.Q(Long("name_key"))),
        ]
        verbose_name = _("visit")
        verbose_name_plural = _("visits")

    def __str__(self) -> str:
        return self.name


class TelephonyUsage(models.Model):
    """One telephone call into or out of a meeting."""

    meeting = models.ForeignKey(Meeting, models.CASCADE, related_name="telephony_usage", db_index=False)
    place = models.PositiveIntegerField(help_text=_("its place among the meeting's calls, by time"))
    phone_number = models.CharField(_("phone number"), max_length=100, blank=True)
    type = models.CharField(_("type"), max_length=100, blank=True)
    start_time = models.DateTimeField(_("start"), null=True)
    end_time = models.DateTimeField(_("end"), null=True)
    duration = models.PositiveIntegerField(_("length"), null=True, help_text=_("seconds (the API: minutes)"))
    total = MoneyField(_("cost"), null=True, help_text=_("yuan"))
    country = models.CharField(_("country"), max_length=3, blank=True, help_text=_("ISO 3166 code of the number"))
    local_day = models.DateField(db_index=True)

    objects: ClassVar = TelephonyUsageQuerySet.as_manager()

    class Meta:
        ordering = ("meeting", "place")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["meeting", "place"], name="telephony_place"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-total"], name="telephony_dearest", condition=models.Q(total__isnull=False)),
        ]
        permissions: ClassVar = [("see_phone_numbers", _("Can see telephone numbers in full"))]
        verbose_name = _("call")
        verbose_name_plural = _("calls")

    def __str__(self) -> str:
        return self.phone_number


class SearchText(models.Model):
    """A folded topic, meeting number or folded name that some meeting has: what a search looks in (see search.py).

    There are far fewer of them than meetings and visits. Long ones (see expressions.py) are not among them. An index
    by trigrams hangs on this table that Django does not know of: on SQLite, a migration that alters the table
    makes it anew and has to call search.make_trigrams after that.
    """

    class Kind(StrEnum):
        TOPIC = "topic"
        NUMBER = "number"
        NAME = "name"

    kind = models.CharField(max_length=6)
    text = models.TextField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "text"], name="search_text_once")]
        default_permissions = ()

    def __str__(self) -> str:
        return self.text


class Rejected(models.Model):
    """One record that could not be read, kept whole until it is read again."""

    identity = models.CharField(max_length=320, unique=True, help_text=_("uuid, else # and a hash of the record"))
    pull = models.ForeignKey(Pull, models.SET_NULL, null=True, related_name="rejections")
    piece = models.CharField(max_length=200, blank=True, help_text=_("what was asked for when it came"))
    raw = models.TextField(_("record as sent"))
    field = models.CharField(_("field"), max_length=200)
    reason = models.TextField(_("reason"))
    first_seen_at = models.DateTimeField(_("first seen"))

    class Meta:
        ordering = ("-first_seen_at", "-id")
        verbose_name = _("rejected record")
        verbose_name_plural = _("rejected records")

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class Change(models.Model):
    """One change of a meeting's report after it was first kept: what it was, what it is."""

    meeting = models.ForeignKey(Meeting, models.CASCADE, related_name="changes")
    pull = models.ForeignKey(Pull, models.SET_NULL, null=True, related_name="changes")
    seen_at = models.DateTimeField(_("seen"))
    before = models.JSONField(help_text=_("the fields that changed, as they were"))
    after = models.JSONField(help_text=_("the same fields as they are now"))
    note = models.TextField(_("note"), blank=True)

    class Meta:
        ordering = ("-seen_at", "-id")
        verbose_name = _("change")
        verbose_name_plural = _("changes")

    def __str__(self) -> str:
        return f"{self.meeting_id} {', '.join(self.after)}"


class ErasedName(models.Model):
    """A display name that was erased on request, as a keyed hash of its folded text: it is not let in again."""

    digest = models.CharField(max_length=64, unique=True)
    erased_at = models.DateTimeField(_("erased"))

    class Meta:
        default_permissions = ()
        verbose_name = _("erased name")
        verbose_name_plural = _("erased names")

    def __str__(self) -> str:
        return self.digest[:8]


class Ledger(models.Model):
    """The one row that says by which rules the computed columns and the kept sums were made."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    time_zone = models.CharField(max_length=64, help_text=_("zone of every local day kept"))
    opening_hours = models.TextField(blank=True)  # opening hours that the kept sums were made with
    folds = models.PositiveBigIntegerField(default=0)  # how often touched days became kept ones

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="ledger_is_one_row")]
        verbose_name = _("ledger")

    def __str__(self) -> str:
        return self.time_zone


class Access(models.Model):
    """The one row of what the set-up pages asked for: the sealed key, and how far back pulls by date go."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sealed = models.TextField(blank=True, editable=False)
    history_days = models.PositiveIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="access_is_one_row")]
        verbose_name = _("access to the API")

    def __str__(self) -> str:
        return "access"
