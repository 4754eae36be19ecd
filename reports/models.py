"""What is kept. Names and order of fields follow the API's; times are UTC; unknown is NULL.

The database alone says what is due: `TrackedNumber`, `PulledDay`, `ProviderPeriod` and `Source` rows are pieces
of work that a worker claims by one conditional UPDATE (see leases.py). A message of the broker only wakes it.
"""

from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

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
        RUNNING = "running", _("running")
        ENDED = "ended", _("ended")
        EMPTY = "empty", _("empty")
        SOLO = "solo", _("solo")
        UNREPORTED = "unreported", _("unreported")

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
    participants_hash = models.CharField(max_length=64, blank=True)
    telephony_hash = models.CharField(max_length=64, blank=True)
    first_pull = models.ForeignKey(Pull, models.SET_NULL, null=True, related_name="+")
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()

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


class Ledger(models.Model):
    """The one row that says by which rules the computed columns and the kept sums were made."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    time_zone = models.CharField(max_length=64, help_text=_("zone of every local day kept"))
    opening_hours = models.TextField(blank=True)  # opening hours that the kept sums were made with

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="ledger_is_one_row")]
        verbose_name = _("ledger")

    def __str__(self) -> str:
        return self.time_zone


# Sums kept of stretches of days (see kept.py) ----------------------------------------------------------------


class Touched(models.Model):
    """A day of which a meeting or a call came, changed or went since its sums were made. Triggers write it.

    end_time: of a meeting, which may reach into later days.
    """

    day = models.DateField()
    end_time = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.day.isoformat()


class Stretch(models.Model):
    """A third of a month, a month or a year whose sums are kept. Days are kept without a row here."""

    code = models.PositiveIntegerField(primary_key=True)  # scale, and its first day as YYYYMMDD

    def __str__(self) -> str:
        return str(self.code)


class KeptSums(models.Model):
    """Sums over the meetings of a stretch of local days: see sums.py for what each of them is."""

    stretch = models.PositiveIntegerField()
    meetings = models.BigIntegerField()
    extra = models.BigIntegerField()
    empty = models.BigIntegerField()
    solo = models.BigIntegerField()
    unreported = models.BigIntegerField()
    running = models.BigIntegerField()
    booked = models.BigIntegerField(null=True)
    opened = models.BigIntegerField(null=True)
    used = models.BigIntegerField(null=True)
    people = models.BigIntegerField(null=True)
    people_seconds = models.BigIntegerField(null=True)
    stays = models.BigIntegerField(null=True)
    tell_extra = models.BigIntegerField()
    tell_booked = models.BigIntegerField()
    tell_people = models.BigIntegerField()
    tell_calls = models.BigIntegerField()
    judged_count = models.BigIntegerField()
    untold_count = models.BigIntegerField()
    told_count = models.BigIntegerField()
    running_state = models.BigIntegerField()
    over_count = models.BigIntegerField()
    over_sum = models.BigIntegerField(null=True)
    early_count = models.BigIntegerField()
    early_sum = models.BigIntegerField(null=True)
    booked_sum = models.BigIntegerField(null=True)
    used_sum = models.BigIntegerField(null=True)
    used_booked_sum = models.BigIntegerField(null=True)
    spare_sum = models.BigIntegerField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.stretch)


class KeptTotals(KeptSums):
    """All meetings of a stretch together."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch"], name="kept_totals")]


class KeptRooms(KeptSums):
    """The meetings of one room in a stretch. room: its id, 0 for the unknown room."""

    room = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch", "room"], name="kept_rooms")]


class KeptSeries(KeptSums):
    """The meetings of one number or one folded topic in a stretch."""

    by = models.CharField(max_length=6)
    key = models.TextField()
    newest = models.TextField()  # start and topic of the newest meeting
    least_number = models.CharField(max_length=20)
    most_number = models.CharField(max_length=20)

    class Meta:
        # No index has the key: a topic may be longer than a database takes into one.
        indexes: ClassVar = [models.Index(fields=["by", "stretch"], name="kept_series")]


class KeptCalls(models.Model):
    """The calls of a stretch that have one value in common. by: "all", "room", "type", "country" or "phone"."""

    stretch = models.PositiveIntegerField()
    by = models.CharField(max_length=7)
    key = models.CharField(max_length=100)
    dials = models.BigIntegerField()
    dial_seconds = models.BigIntegerField(null=True)
    cost = MoneyField(null=True)
    unpriced = models.BigIntegerField()
    priced_seconds = models.BigIntegerField(null=True)
    priced_cost = MoneyField(null=True)
    last = models.DateField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["by", "stretch", "key"], name="kept_calls")]

    def __str__(self) -> str:
        return f"{self.stretch} {self.key}"


class KeptHours(models.Model):
    """The hours of the local week over the ended meetings of a stretch: begun in it, seconds open in it."""

    stretch = models.PositiveIntegerField()
    week_hour = models.PositiveSmallIntegerField()
    began = models.BigIntegerField()
    open_seconds = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch", "week_hour"], name="kept_hours")]

    def __str__(self) -> str:
        return f"{self.stretch} {self.week_hour}"


class KeptEnds(models.Model):
    """Judged meetings of a stretch by how long after their booked end they ended (see sums.ends_bucket)."""

    stretch = models.PositiveIntegerField()
    bucket = models.SmallIntegerField()
    meetings = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch", "bucket"], name="kept_ends")]

    def __str__(self) -> str:
        return f"{self.stretch} {self.bucket}"


class KeptOpening(models.Model):
    """For how many seconds of the opening hours of a stretch a room was occupied by meetings of at most a day."""

    stretch = models.PositiveIntegerField()
    room = models.BigIntegerField()  # 0: unknown
    seconds = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch", "room"], name="kept_opening")]

    def __str__(self) -> str:
        return f"{self.stretch} {self.room}"


class KeptPeak(models.Model):
    """The most rooms that meetings of at most a day occupied at once in a stretch."""

    stretch = models.PositiveIntegerField(unique=True)
    rooms = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.stretch} {self.rooms}"


class KeptCourse(models.Model):
    """How many rooms meetings of at most a day occupied at once on a day: what joins it to others, hours, extra rooms.

    Days alone: nothing of it adds up to longer stretches. head, tail: rooms at its begin, until a moment,
    and before its end, from one; both in seconds since 1970.
    hours: JSON, of each clock hour the most rooms, room seconds and meetings, null where the clock skips it.
    extras: JSON, of each meeting in an extra room how many others occupied one as it began, its begin (seconds since
    1970) and id, in this order. least_extra: the fewest others of those; NULL without one.
    """

    stretch = models.PositiveIntegerField(unique=True)
    peak = models.PositiveIntegerField()
    head = models.PositiveIntegerField()
    head_until = models.BigIntegerField()
    tail = models.PositiveIntegerField()
    tail_from = models.BigIntegerField()
    least_extra = models.PositiveIntegerField(null=True)
    hours = models.TextField()
    extras = models.TextField(blank=True)

    def __str__(self) -> str:
        return str(self.stretch)


class KeptLevel(models.Model):
    """So many rooms at once, by meetings of at most a day, in a stretch: of all rooms, or of one size.

    size: seats, or a group as courses.py names it. seconds, opening: for how long exactly so many rooms, none not
    counted. begun: meetings that began beside so many others; extra: of them in extra rooms; told: that tell.
    longest: the longest stretch within a day, as one number that says its begin too (see kept.py).
    """

    stretch = models.PositiveIntegerField()
    size = models.IntegerField()
    level = models.PositiveIntegerField()
    seconds = models.BigIntegerField()
    opening = models.BigIntegerField()
    begun = models.BigIntegerField()
    extra = models.BigIntegerField()
    told = models.BigIntegerField()
    longest = models.BigIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch", "size", "level"], name="kept_level")]

    def __str__(self) -> str:
        return f"{self.stretch} {self.size} {self.level}"


class KeptPeople(models.Model):
    """One folded display name over the ended meetings of a stretch."""

    stretch = models.PositiveIntegerField()
    key = models.TextField()
    attended = models.BigIntegerField()
    visits = models.BigIntegerField()
    seconds = models.BigIntegerField()
    late = models.BigIntegerField()
    late_sum = models.BigIntegerField()
    first_join = models.DateTimeField()
    newest = models.TextField()  # first join and spelling of the newest meeting

    class Meta:
        # No index has the key: a name may be longer than a database takes into one.
        indexes: ClassVar = [models.Index(fields=["stretch"], name="kept_people")]

    def __str__(self) -> str:
        return f"{self.stretch} {self.key}"
