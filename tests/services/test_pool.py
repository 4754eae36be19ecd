"""A pool of connections to PostgreSQL: the site's threads share it, and workers that are forked have their own."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests import services
from tests.faults.processes import ROOT, ended, send, wait_for, worker
from tests.support import KEY, SECRET

pytestmark = pytest.mark.service

POOL = 2
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def environment(tmp_path: Path, installation: dict[str, str], on_server: str) -> Iterator[dict[str, str]]:
    with services.database(on_server) as url, services.broker() as broker:
        environment = {
            **installation,
            "DATABASE_URL": url,
            "DATABASE_POOL": str(POOL),
            "CELERY_BROKER_URL": broker,
            "DATA_DIR": str(tmp_path / "pooled"),
        }
        yield environment


def connected(connection: psycopg.Connection) -> int:
    return connection.execute(CONNECTED).fetchone()[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_more_threads_than_connections_answer_all_the_same(environment):
    port = free_port()
    site = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "dashboard.wsgi:application", "--bind", f"127.0.0.1:{port}"),
            *("--worker-class", "gthread", "--workers", "2", "--threads", "8", "--log-level", "warning"),
            "--no-control-socket",
        ],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def ask(_: int = 0) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    with ended(site), psycopg.connect(environment["DATABASE_URL"], autocommit=True) as watcher:
        assert wait_for(lambda: ask() == 200)
        most, over = 0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not over.is_set():
                most = max(most, connected(watcher))
                time.sleep(0.005)

        watching = threading.Thread(target=watch)
        watching.start()
        with ThreadPoolExecutor(32) as visitors:
            answers = set(visitors.map(ask, range(600)))
        over.set()
        watching.join()
        assert answers == {200}
        assert 1 <= most <= 2 * POOL
        # The server ends every connection, as when it is started anew: nobody is shown an error for it.
        watcher.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert {ask() for _ in range(8)} == {200}


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_worker_pulls_with_a_pool(environment, pool):
    moment = datetime.now(UTC)
    with Sandbox(World(seed=5, meetings_per_day=2), key=KEY, secret=SECRET, clock=lambda: moment) as api:
        environment["UMEET_URL"] = api.url
        process = worker(environment, "pooled", pool)
        with (
            ended(process),
            psycopg.connect(environment["DATABASE_URL"], autocommit=True) as watcher,
        ):
            for _ in range(4):
                send(environment, "reports.tasks.pull_recent_days")

            def pulled() -> bool:
                left = watcher.execute(
                    "SELECT count(*) FILTER (WHERE complete_at IS NULL), count(*) FROM reports_pulledday"
                ).fetchone()
                return left == (0, 366)

            assert wait_for(pulled, 240, 0.5)
            assert connected(watcher) <= (2 + 1) * POOL
            failed = watcher.execute("SELECT count(*) FROM reports_pull WHERE error <> ''").fetchone()
            assert failed == (0,)
    # A command leaves nothing on the terminal that the pool has to say.
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "pull", "--rooms"],
        env={**environment, "UMEET_URL": "http://127.0.0.1:9/umeeting/"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "pool" not in done.stderr
    assert "Traceback" not in done.stderr
