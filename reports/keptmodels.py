"""The tables of the sums that are kept of stretches of days (see kept.py)."""

from typing import ClassVar

from django.db import models

from reports.fields import MoneyField


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


class KeptBookings(models.Model):
    """What is told of booked and used time over the meetings of a stretch: see sums.py for what each sum is."""

    stretch = models.PositiveIntegerField()
    meetings = models.BigIntegerField()
    empty = models.BigIntegerField()
    solo = models.BigIntegerField()
    unreported = models.BigIntegerField()
    tell_people = models.BigIntegerField()
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


class KeptSums(KeptBookings):
    """All sums over the meetings of a stretch of local days."""

    extra = models.BigIntegerField()
    running = models.BigIntegerField()
    booked = models.BigIntegerField(null=True)
    opened = models.BigIntegerField(null=True)
    used = models.BigIntegerField(null=True)
    people = models.BigIntegerField(null=True)
    people_seconds = models.BigIntegerField(null=True)
    stays = models.BigIntegerField(null=True)
    tell_extra = models.BigIntegerField()
    tell_booked = models.BigIntegerField()
    tell_calls = models.BigIntegerField()

    class Meta:
        abstract = True


class KeptTotals(KeptSums):
    """All meetings of a stretch together."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch"], name="kept_totals")]


class KeptRooms(KeptSums):
    """The meetings of one room in a stretch. room: its id, 0 for the unknown room."""

    room = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["stretch", "room"], name="kept_rooms")]


class KeptSeries(KeptBookings):
    """The meetings of one number or one folded topic in a stretch.

    A day has nearly as many of them as it has meetings: they hold no sum that no page of series tells.
    """

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
    """Judged meetings of a stretch by how long after their booked end they ended (see sums.ENDS_BUCKET)."""

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
    rises: how often it rose to so many, less how often it rose on from there (see courses.Sums).
    longest: the longest stretch within a day, as one number that says its begin too (see holding.py). over: the seconds
    of the longest at so many or more, rounded up; both of all rooms alone.
    """

    stretch = models.PositiveIntegerField()
    size = models.IntegerField()
    level = models.PositiveIntegerField()
    seconds = models.BigIntegerField()
    opening = models.BigIntegerField()
    begun = models.BigIntegerField()
    extra = models.BigIntegerField()
    told = models.BigIntegerField()
    rises = models.BigIntegerField()
    longest = models.BigIntegerField(null=True)
    over = models.BigIntegerField(null=True)

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
