"""The clock of a machine jumps in the middle of a pull: forward over the leases, and back before what was noted."""

from datetime import date, timedelta

import pytest

from reports import folding, leases, pulling, verification
from reports.models import Pull, PulledDay
from reports.provider.client import Client
from tests.support import KEY, NOW, SECRET, SHANGHAI, ledger, meeting

pytestmark = pytest.mark.django_db(transaction=True)

LAST = date(2026, 3, 9)
DAYS = [LAST - timedelta(days=count) for count in range(12)]


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock(api):
    return Clock()


@pytest.fixture
def client(api, fixed):
    fixed.records = [
        meeting(
            uuid=f"{day}-{number}",
            start_time=f"{day} 1{number}:00:00",
            end_time=f"{day} 1{number}:30:00",
            participants=[{"name": f"N{number}", "join_time": f"{day} 1{number}:00:00", "leave_time": None}],
        )
        for day in DAYS
        for number in range(3)
    ]
    with Client(api.url, KEY, SECRET, zone=SHANGHAI, timeout=2, attempts=1, sleep=lambda _: None) as client:
        yield client


@pytest.fixture
def undisturbed(client):
    pulling.pull_days(client, lambda: NOW, days=(DAYS[-1], LAST))
    found = ledger()
    assert len(found["meetings"]) == 36
    from django.core.management import call_command

    call_command("flush", verbosity=0, interactive=False)
    folding.fold()
    return found


@pytest.mark.parametrize(
    "jump",
    [
        leases.LEASE * 3,  # whoever comes now takes the leases for ended
        timedelta(days=400),
        -leases.LEASE * 3,
        -timedelta(days=400),
    ],
)
def test_the_ledger_is_the_same_and_no_piece_is_lost(client, clock, undisturbed, jump, monkeypatch):
    monkeypatch.setattr(pulling, "ROWS_TOGETHER", 1)  # each day by itself
    seen: list[Pull] = []

    def watch(pull: Pull) -> None:
        """After some days the clock jumps, and another worker begins by the new time; then it is set right again."""
        if pull.pieces_done != 4 or seen:
            return
        seen.append(pull)
        clock.now = NOW + jump
        pulling.pull_days(client, clock)
        clock.now = NOW + timedelta(minutes=1)

    pulling.pull_days(client, clock, days=(DAYS[-1], LAST), watch=watch)
    assert seen, "the clock never jumped"
    for _ in range(3):
        pulling.pull_days(client, clock, forced=True)
    assert not PulledDay.objects.exclude(lease_owner="").exists()
    assert not PulledDay.objects.filter(complete_at=None).exists()
    assert not Pull.objects.filter(ended_at=None).exists()
    assert ledger() == undisturbed
    folding.fold()
    assert verification.verify().differences == {}
