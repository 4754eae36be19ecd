"""Pure interval algebra over half-open spans `[start, end)`.

A span is a pair of comparable points: aware UTC datetimes nearly everywhere, whole seconds in some tests.
A span whose end is not after its start holds no instant.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import Protocol, Self, TypeVar
from zoneinfo import ZoneInfo


class Point(Protocol):
    """Anything that can stand on a line: comparable, and its difference measurable."""

    def __lt__(self, other: Self, /) -> bool: ...
    def __le__(self, other: Self, /) -> bool: ...


P = TypeVar("P", bound=Point)
Span = tuple[P, P]
Moments = tuple[datetime, datetime]

HOUR = timedelta(hours=1)


def union(spans: Iterable[Span[P]]) -> list[Span[P]]:
    """The same instants as disjoint, ordered spans that do not touch."""
    merged: list[Span[P]] = []
    for start, end in sorted([span for span in spans if span[0] < span[1]], key=itemgetter(0)):
        if merged and start <= merged[-1][1]:
            if merged[-1][1] < end:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def clip(span: Span[P], to: Span[P]) -> Span[P] | None:
    """The part of `span` inside `to`, or None where there is none."""
    start = to[0] if span[0] < to[0] else span[0]
    end = to[1] if to[1] < span[1] else span[1]
    return (start, end) if start < end else None


def seconds(spans: Iterable[Moments]) -> int:
    """Length of the union, in whole seconds (fractions cut off)."""
    spans = spans if isinstance(spans, list) else list(spans)
    if len(spans) == 1:
        return max(0, int((spans[0][1] - spans[0][0]).total_seconds()))
    return int(sum((end - start for start, end in union(spans)), timedelta()).total_seconds())


def peak(spans: Iterable[Span[P]]) -> int:
    """The most spans that hold one instant. At one instant ends come before starts."""
    held = [span for span in spans if span[0] < span[1]]
    ends = sorted([end for _, end in held])
    most = over = 0
    for begun, start in enumerate(sorted([start for start, _ in held]), 1):
        while ends[over] <= start:
            over += 1
        if begun - over > most:
            most = begun - over
    return most


def by_day(span: Moments, zone: ZoneInfo) -> Iterator[tuple[date, Moments]]:
    """The span cut at local midnights, in order: (local day, part)."""
    start, end = span
    while start < end:
        day = start.astimezone(zone).date()
        after = day + timedelta(days=1)
        midnight = datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(start.tzinfo)
        cut = min(end, midnight)
        yield day, (start, cut)
        start = cut


def by_hour(span: Moments, zone: ZoneInfo) -> Iterator[tuple[date, int, Moments]]:
    """The span cut at the full hours of the local clock: (local day, hour 0–23, part).

    Zones whose offset is no whole hour, and clocks set forward or back, are cut where their own clock
    shows a full hour.
    """
    start, end = span
    while start < end:
        local = start.astimezone(zone)
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        # Counted in absolute time: an hour that the clock repeats comes twice, one it skips never.
        cut = min(end, start + (HOUR - into))
        yield local.date(), local.hour, (start, cut)
        start = cut
