"""What a question is about. Every figure takes one Filter, and so does every screen, chart and CSV."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

STATES = ("running", "ended", "empty", "solo", "unreported")
NOT_TOLD = "-"
BOOKED = ("over", "early", "known", "unknown")
SERIES = ("number", "topic")
PRESENT = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """A selection of meetings.

    first, last: local days, both included; None is no bound on that side.
    rooms: host_ids, empty for all. q: topic, number or attendee name contains it.
    state: the most telling state. extra, calls: True, False, or None for either.
    weekday, hour: of the local start; 1 is Monday, 0 the hour after midnight.
    type, country, phone: a call's, as kept; NOT_TOLD for calls that do not say. priced: whether it has a
    price. They select calls, and the meetings that have such a call. uuid: one meeting record.
    name: a folded display name, "" for those without one: the visits of that name, and the meetings that
    have such a visit.
    number: one meeting number, whole. topic: one folded topic, whole; "" for those without one.
    during: the local clock hour that begins then (no zone of its own): meetings that occupied a room in it.
    booked: of ended meetings, "over" for those open for longer than they were booked for, "early" for shorter,
    "known" for those that tell what they were booked for, "unknown" for those that do not.
    by: what makes meetings one series, their number or their topic. present: who was there for at least so
    many percent of a meeting's used time counts as present.
    period: the preset that the days came from, if any. compare: show the previous period too.
    allowed_rooms: host_ids that the account may see; None is all.
    masked: telephone numbers are shown in part only.
    """

    first: date | None = None
    last: date | None = None
    rooms: tuple[str, ...] = ()
    q: str = ""
    state: str = ""
    extra: bool | None = None
    calls: bool | None = None
    weekday: int | None = None
    hour: int | None = None
    type: str = ""
    country: str = ""
    phone: str = ""
    priced: bool | None = None
    uuid: str = ""
    name: str | None = None
    number: str = ""
    topic: str | None = None
    during: datetime | None = None
    booked: str = ""
    by: str = SERIES[0]
    present: int = PRESENT
    sort: str = ""
    page: int = 1
    compare: bool = False
    period: str = ""
    allowed_rooms: frozenset[str] | None = field(default=None, repr=False)
    masked: bool = False

    @property
    def days(self) -> int | None:
        """Number of local days, None where a side is open."""
        return None if self.first is None or self.last is None else (self.last - self.first).days + 1

    def has_day(self, day: date) -> bool:
        """Whether a local day is one of its days."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    @property
    def of_calls(self) -> bool:
        """Whether only some calls are meant."""
        return bool(self.type or self.country or self.phone) or self.priced is not None

    def previous(self) -> "Filter | None":
        """The same number of days ending the day before this period begins; None for an open one."""
        if self.first is None or self.days is None:
            return None
        last = self.first - timedelta(days=1)
        try:
            first = last - timedelta(days=self.days - 1)
        except OverflowError:
            return None
        return replace(self, first=first, last=last, period="", compare=False)
