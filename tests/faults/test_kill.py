"""A worker that is killed in the middle, again and again, loses nothing and doubles nothing."""

import os
import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.faults.processes import ended, kill, manage, send, tables, wait_for, worker
from tests.support import KEY, SECRET, SHANGHAI

# A handful in every run; KILLS=50 for the long one.
KILLS = int(os.environ.get("KILLS", "3"))
# So many that the last kill has something left to disturb.
DAYS = min(366, 45 + 8 * KILLS)


@pytest.mark.django_db(transaction=True)
def test_killed_at_random_moments_the_ledger_is_as_if_undisturbed(migrated, tmp_path):
    moment = datetime.now(UTC)
    with Sandbox(World(seed=3, meetings_per_day=10), key=KEY, secret=SECRET, clock=lambda: moment) as api:
        environment = {
            **migrated,
            "UMEET_URL": api.url,
            "DJANGO_SETTINGS_MODULE": "tests.faults.some_days",
            "HISTORY": str(DAYS),
        }
        numbers = api.world.numbers(moment.date(), moment.date())[:40]
        manage(environment, "migrate", "-v0")
        manage(environment, "track", *numbers)
        # Each call takes its time, so that there is still something to pull at the last kill.
        api.faults.on(f"slow={0.05 + KILLS * 0.004}")
        draw = random.Random(42)
        for _ in range(KILLS):
            before = len(api.calls)
            process = worker(environment)
            with ended(process):
                send(environment, "reports.tasks.pull_recent_days")
                assert wait_for(lambda: len(api.calls) > before + 1, 180), "the worker asks for nothing"  # noqa: B023
                time.sleep(draw.uniform(0, 1.5))
                assert process.poll() is None
                kill(process)
        assert len({call.form.get("from") for call in tuple(api.calls)}) < DAYS, "all was pulled before the last kill"
        api.faults.clear()
        manage(environment, "pull")
        found = tables(environment)

        calm = {**environment, "DATA_DIR": str(tmp_path / "calm")}
        if "DATABASE_URL" in calm:
            from tests import services

            with services.database() as url:
                calm["DATABASE_URL"] = url
                manage(calm, "track", *numbers)
                manage(calm, "pull")
                undisturbed = tables(calm)
        else:
            manage(calm, "track", *numbers)
            manage(calm, "pull")
            undisturbed = tables(calm)
        # Nothing is left claimed or half done.
        assert manage(environment, "pull") == (f"pulled: 0 new, 0 changed, {recent(environment)} same, 0 rejected\n")
    assert len(found["meetings"]) > 4 * DAYS
    assert found == undisturbed


def recent(environment) -> int:
    """Meetings of the days that every pull asks about again: today and the two before."""
    today = datetime.now(SHANGHAI).date()
    first = (today - timedelta(days=2)).isoformat()
    return len(manage(environment, "export", "meetings", "--from", first).splitlines()) - 1
