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
    held = sorted([span for span in spans if span[0] < span[1]], key=itemgetter(0))
    if not held:
        return []
    merged: list[Span[P]] = []
    begin, until = held[0]
    for start, end in held:
        if until < start:
            merged.append((begin, until))
            begin, until = start, end
        elif until < end:
            until = end
    merged.append((begin, until))
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
        start, end = spans[0]
        length = end - start if start < end else timedelta()
    else:
        length = sum([end - start for start, end in union(spans)], timedelta())
    return length.days * 86400 + length.seconds


def peak(spans: Iterable[Span[P]]) -> int:
    """The most spans that hold one instant. At one instant ends come before starts."""
    held = [span for span in spans if span[0] < span[1]]
    starts, ends = sorted([start for start, _ in held]), sorted([end for _, end in held])
    if held and starts[-1] < ends[0]:
        return len(held)
    most = over = 0
    for begun, start in enumerate(starts, 1):
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
