"""Moments as text in UTC and as whole numbers, quickly. An import needs two for every visit, and datetime's own
isoformat costs several times as much of an aware datetime.
"""

from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = EPOCH.toordinal()
_MINUTES = [f"{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60)]
_SECONDS = [f"{second:02}" for second in range(60)]
SECOND = 1_000_000  # microseconds, in which moments and lengths are exact whole numbers
MICROSECOND = timedelta(microseconds=1)


class _Days(dict[int, str]):
    """Days since 1970 → 2017-08-31."""

    MOST = 50_000

    def __missing__(self, day: int) -> str:
        if len(self) >= self.MOST:
            self.clear()
        text = self[day] = date.fromordinal(_FIRST + day).isoformat()
        return text


_DAYS = _Days()


def taken_apart(moment: datetime) -> tuple[str, str, int]:
    """An aware moment's day and clock time in UTC, as texts, and its microseconds since 1970."""
    since = moment - EPOCH
    days, second, micro = since.days, since.seconds, since.microseconds
    clock = f"{_MINUTES[second // 60]}{_SECONDS[second % 60]}"
    if micro:
        clock = f"{clock}.{micro:06}"
    return _DAYS[days], clock, (days * 86_400 + second) * SECOND + micro


def instant(moment: datetime) -> int:
    """An aware moment as whole microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def spelt(moment: datetime, between: str = " ") -> str:
    """The same as `moment.astimezone(UTC).replace(tzinfo=None).isoformat(between)`, of an aware datetime."""
    since = moment - EPOCH
    second = since.seconds
    text = f"{_DAYS[since.days]}{between}{_MINUTES[second // 60]}{_SECONDS[second % 60]}"
    return f"{text}.{since.microseconds:06}" if since.microseconds else text
