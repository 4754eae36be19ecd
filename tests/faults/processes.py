"""Starting, finding and ending real processes of an installation."""

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import kombu

from dashboard.celery import app

ROOT = Path(__file__).resolve().parent.parent.parent


def manage(environment: Mapping[str, str], *arguments: str, timeout: float = 300) -> str:
    """Run a command to its end and return what it wrote; it must end well."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment,
        capture_output=True,
        timeout=timeout,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8-sig")


def worker(environment: Mapping[str, str], name: str = "one", pool: str = "threads") -> subprocess.Popen[bytes]:
    """Start a Celery worker in a session of its own, as the parent of an installation does."""
    command = [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "dashboard", "worker", "--pool", pool),
        *("--concurrency", "2", "--loglevel", "WARNING", "--queues", "roomledger", "--hostname", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[Any]) -> None:
    """kill -9, the whole session at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextmanager
def ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens inside, the processes are gone afterwards."""
    try:
        yield
    finally:
        for process in processes:
            kill(process)


def send(environment: Mapping[str, str], task: str) -> None:
    """Put a message to the workers of an installation into its broker."""
    url = environment.get("CELERY_BROKER_URL", "filesystem://localhost/")
    options = {}
    if url.startswith("filesystem"):
        folder = Path(environment["DATA_DIR"]) / "broker"
        (folder / "queue").mkdir(parents=True, exist_ok=True)
        (folder / "control").mkdir(parents=True, exist_ok=True)
        options = {
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
        }
    with kombu.Connection(url, transport_options=options) as connection:
        app.send_task(task, connection=connection, queue="roomledger", ignore_result=True)


def wait_for(what: Callable[[], bool], seconds: float = 60, every: float = 0.05) -> bool:
    """Until it is so, or the time is over; returns whether it is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(every)
    return what()


def of_installation(environment: Mapping[str, str]) -> list[str]:
    """Command lines of living processes that work on this installation's data folder."""
    mark = environment["DATA_DIR"].encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (
                mark in (folder / "environ").read_bytes()
                and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            ):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def tables(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """What an installation keeps, as its CSV tables without what the clock moves: sorted lines."""
    # By the missing end, not by the state: what is unreported may run as well.
    meetings = csv.DictReader(io.StringIO(manage(environment, "export", "meetings", "--raw").removeprefix("\ufeff")))
    running = {row["uuid"] for row in meetings if not row["end_time"]}
    found = {}
    for name in ("meetings", "participants", "telephony"):
        lines = manage(environment, "export", name, "--raw").splitlines()
        found[name] = sorted(line for line in lines if line.split(",")[0] not in running)
    found["running"] = sorted(running)
    return found
