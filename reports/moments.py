"""Moments as text: UTC, quickly. An import writes two for every visit, and datetime's own isoformat costs
several times as much of an aware datetime.
"""

from datetime import UTC, date, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = EPOCH.toordinal()
_MINUTES = [f"{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60)]
_SECONDS = [f"{second:02}" for second in range(60)]


class _Days(dict[int, str]):
    """Days since 1970 → 2017-08-31."""

    MOST = 50_000

    def __missing__(self, day: int) -> str:
        if len(self) >= self.MOST:
            self.clear()
        text = self[day] = date.fromordinal(_FIRST + day).isoformat()
        return text


_DAYS = _Days()


def spelt(moment: datetime, between: str = " ") -> str:
    """The same as `moment.astimezone(UTC).replace(tzinfo=None).isoformat(between)`, of an aware datetime."""
    since = moment - EPOCH
    second = since.seconds
    text = f"{_DAYS[since.days]}{between}{_MINUTES[second // 60]}{_SECONDS[second % 60]}"
    return f"{text}.{since.microseconds:06}" if since.microseconds else text
