"""PostgreSQL, Redis and two workers: the same ledger, and no piece of work done twice."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests import services
from tests.faults.processes import ended, manage, send, tables, wait_for, worker
from tests.support import KEY, SECRET

pytestmark = pytest.mark.service

DAYS = 60


def test_two_workers_share_the_work_and_double_nothing(tmp_path, installation, on_server):
    moment = datetime.now(UTC)
    some_days = {"DJANGO_SETTINGS_MODULE": "tests.faults.some_days", "HISTORY": str(DAYS)}
    base = {name: value for name, value in installation.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
    with (
        services.database(on_server) as url,
        services.broker() as broker,
        Sandbox(World(seed=5, meetings_per_day=12), key=KEY, secret=SECRET, clock=lambda: moment) as api,
    ):
        shared = {
            **base,
            **some_days,
            "UMEET_URL": api.url,
            "DATABASE_URL": url,
            "CELERY_BROKER_URL": broker,
            "DATA_DIR": str(tmp_path / "shared"),
        }
        numbers = [str(1571000000 + n) for n in range(1000)]
        manage(shared, "track", *numbers)
        first, second = (worker(shared, name, "prefork") for name in ("first", "second"))
        with ended(first, second):
            for _ in range(4):
                send(shared, "reports.tasks.pull_recent_days")
            assert wait_for(
                lambda: len({c.form.get("from") for c in tuple(api.calls) if c.endpoint == "share/detail"}) == DAYS, 240
            )
            last = 0

            def quiet() -> bool:
                nonlocal last
                before, last = last, len(api.calls)
                return before == last

            assert wait_for(quiet, 60, 2)
        asked = Counter(
            (call.endpoint, call.form.get("from") or call.form.get("meeting_ids"), call.form.get("page_number", "1"))
            for call in tuple(api.calls)
            if call.endpoint not in {"share/rooms", "licensing"}
        )
        # The recent days are asked for by each of the four messages; nothing else comes twice.
        twice = {key for key, count in asked.items() if count > 1 and key[0] == "share/reports"}
        assert twice == set()
        days = [key[1] for key, count in asked.items() if key[0] == "share/detail" and count > 1]
        assert len(set(days)) <= 3, days
        assert manage(shared, "pull").endswith("0 rejected\n")
        found = tables(shared)

        alone = {**base, **some_days, "UMEET_URL": api.url, "DATA_DIR": str(tmp_path / "alone")}
        manage(alone, "track", *numbers)
        manage(alone, "pull")
        assert found == tables(alone)
        assert len(found["meetings"]) > 4 * DAYS


def test_the_site_answers_on_postgresql(tmp_path, installation):
    with services.database() as url, services.broker() as broker:
        environment = {
            **installation,
            "DATABASE_URL": url,
            "CELERY_BROKER_URL": broker,
            "DATA_DIR": str(tmp_path / "x"),
        }
        assert "roomledger" in url
        manage(environment, "migrate", "-v0")
        assert manage(environment, "check", "--database", "default").startswith("System check identified no issues")
