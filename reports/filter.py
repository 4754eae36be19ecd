"""What a question is about. Every figure takes one Filter, and so does every screen, chart and CSV."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

STATES = ("running", "ended", "empty", "solo", "unreported")


@dataclass(frozen=True, slots=True)
class Filter:
    """A selection of meetings.

    first, last: local days, both included; None is no bound on that side.
    rooms: host_ids, empty for all. q: topic, number or attendee name contains it.
    state: the most telling state. extra, calls: True, False, or None for either.
    period: the preset that the days came from, if any. compare: show the previous period too.
    allowed_rooms: host_ids that the account may see; None is all.
    """

    first: date | None = None
    last: date | None = None
    rooms: tuple[str, ...] = ()
    q: str = ""
    state: str = ""
    extra: bool | None = None
    calls: bool | None = None
    sort: str = ""
    page: int = 1
    compare: bool = False
    period: str = ""
    allowed_rooms: frozenset[str] | None = field(default=None, repr=False)

    @property
    def days(self) -> int | None:
        """Number of local days, None where a side is open."""
        return None if self.first is None or self.last is None else (self.last - self.first).days + 1

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
