"""Claiming pieces of work, so that two workers never do the same one.

A claim is one conditional UPDATE; whoever comes second updates no row. A lease ends by itself after
LEASE, and at once when its owner was a process of this machine that is no more: a killed worker
holds nothing up when it is started again.
"""

import os
import secrets
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from django.db.models import Q, QuerySet

from reports.models import ProviderPeriod, Pull, PulledDay, Source, TrackedNumber, Work

W = TypeVar("W", bound=Work)

LEASE = timedelta(minutes=10)
KINDS: tuple[type[Work], ...] = (TrackedNumber, PulledDay, ProviderPeriod, Source)


def new_owner() -> str:
    """A name for one run of this process: host/pid/start of the process/random."""
    pid = os.getpid()
    return f"{socket.gethostname()[:80]}/{pid}/{_born(pid)}/{secrets.token_hex(6)}"


def is_gone(owner: str) -> bool:
    """Whether the owner was a process of this machine that runs no more; False where one cannot tell."""
    host, _, rest = owner.partition("/")
    parts = rest.split("/")
    if host != socket.gethostname()[:80] or len(parts) != 3 or not parts[0].isdigit() or os.name != "posix":
        return False
    try:
        os.kill(int(parts[0]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    # Numbers of processes are used again: the same number with another start is another process.
    return _born(int(parts[0])) != parts[1]


def _born(pid: int) -> str:
    """When a process started, in the kernel's ticks; "0" where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "0"
    # The second field is the command in parentheses, and may hold blanks; a zombie runs no more.
    fields = stat.rpartition(")")[2].split()
    return "zombie" if fields[0] == "Z" else fields[19]


def free(now: datetime) -> Q:
    return Q(lease_until__isnull=True) | Q(lease_until__lt=now)


def claim(candidates: QuerySet[W], owner: str, now: datetime, limit: int) -> list[W]:
    """Claim up to `limit` of the candidates that nobody holds; returns those that are ours now."""
    model = candidates.model
    ids = list(candidates.filter(free(now)).values_list("pk", flat=True)[:limit])
    if not ids:
        return []
    # The candidates' own conditions are asked again: since the look somebody may have done the work.
    candidates.filter(free(now), pk__in=ids).order_by().update(lease_owner=owner, lease_until=now + LEASE)
    ours = {piece.pk: piece for piece in model._default_manager.filter(pk__in=ids, lease_owner=owner)}
    return [ours[pk] for pk in ids if pk in ours]


def extend(pieces: Sequence[W], owner: str, now: datetime) -> None:
    """Keep the lease of pieces that take long."""
    if pieces:
        held = type(pieces[0])._default_manager.filter(pk__in=[piece.pk for piece in pieces], lease_owner=owner)
        held.update(lease_until=now + LEASE)


def release(owner: str) -> None:
    """Give back whatever the owner still holds."""
    for model in KINDS:
        model._default_manager.filter(lease_owner=owner).update(lease_owner="", lease_until=None)


def release_abandoned(now: datetime) -> None:
    """Give back what killed processes of this machine held, and close their pulls."""
    owners = set(Pull.objects.filter(ended_at=None).values_list("owner", flat=True))
    for model in KINDS:
        owners |= set(model._default_manager.filter(lease_until__gte=now).values_list("lease_owner", flat=True))
    for owner in owners:
        if owner and is_gone(owner):
            release(owner)
            _interrupt(Pull.objects.filter(owner=owner), now)
    # Of another machine nothing can be told but the time: a pull that holds no lease any more is dead.
    for pull in Pull.objects.filter(ended_at=None, started_at__lt=now - LEASE):
        holds = any(
            model._default_manager.filter(lease_owner=pull.owner, lease_until__gte=now).exists() for model in KINDS
        )
        if not holds and not _lives(pull.owner):
            _interrupt(Pull.objects.filter(pk=pull.pk), now)


def release_gone(model: type[Work], now: datetime) -> None:
    """Give back what killed processes of this machine hold of one more kind of work."""
    held = model._default_manager.filter(lease_until__gte=now)
    for owner in set(held.order_by().values_list("lease_owner", flat=True)):
        if owner and is_gone(owner):
            held.filter(lease_owner=owner).update(lease_owner="", lease_until=None)


def _lives(owner: str) -> bool:
    """Whether the owner is surely a living process of this machine."""
    return owner.partition("/")[0] == socket.gethostname()[:80] and not is_gone(owner)


def _interrupt(pulls: "QuerySet[Pull]", now: datetime) -> None:
    pulls.filter(ended_at=None).update(
        ended_at=now,
        state=Pull.State.INTERRUPTED,
        error="The worker stopped in the middle. What was imported stays; the rest is asked for again.",
    )
