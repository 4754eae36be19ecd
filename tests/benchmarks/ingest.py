"""From the provider over HTTP into the database: rows a second, against the bare driver writing the same rows.

A process of its own answers share/rooms and share/detail with pages that the sandbox's code has rendered once,
so that its cost is small, and shown as "fetch only". A second process pulls all of it with the real code into
an empty migrated database. Its rows are then read back as tuples and written by the bare driver: that is the floor.
"""

import contextlib
import http.client
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
LAST = date(2026, 6, 30)
KEY = "benchmark"
ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = ("reports_meeting", "reports_participant", "reports_telephonyusage")
# What the rows of the tables point to: there before them, and not counted.
POINTED_TO = ("reports_room", "reports_pull")


class Pulled(NamedTuple):
    """What the pulling process tells: seconds, of its processor too, rows written, kB it held, requests made."""

    seconds: float
    cpu: float
    rows: dict[str, int]
    peak_kb: int
    idle_kb: int
    requests: int


class Result(NamedTuple):
    """One measurement; seconds. floor: the bare driver with all indexes and keys; bare: into tables without any."""

    vendor: str
    pulled: Pulled
    fetch: float
    fetched_bytes: int
    floor: float
    bare: float

    @property
    def written(self) -> int:
        return sum(self.pulled.rows.values())


def size_of(share: float) -> Any:
    """So much of the large company, with as many meetings a day as it has."""
    from tests.benchmarks.data import LARGE

    part = LARGE.part(share)
    return replace(part, days=max(1, round(part.days * share)))


def days_of(share: float) -> tuple[date, date]:
    return LAST - timedelta(days=size_of(share).days - 1), LAST


# The serving process -----------------------------------------------------------------------------------


def _told(record: Any) -> dict[str, Any]:
    """A record in the API's spelling."""

    def text(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")

    told: dict[str, Any] = {
        "uuid": record.uuid,
        "host_id": record.host_id,
        "meeting_id": record.meeting_id,
        "topic": record.topic,
        "start_time": text(record.start_time),
        "duration": record.duration // 60,
        "end_time": text(record.end_time),
        "is_extra": int(record.is_extra),
    }
    if record.visits is not None:
        told["participants"] = [
            {"name": visit.name, "join_time": text(visit.join_time), "leave_time": text(visit.leave_time)}
            for visit in record.visits
        ]
    told["telephony_usage"] = [
        {
            "phone_number": call.phone_number,
            "type": call.type,
            "start_time": text(call.start_time),
            "end_time": text(call.end_time),
            "duration": call.duration // 60,
            "total": None if call.total is None else float(call.total),
        }
        for call in record.calls
    ]
    return told


class Days:
    """The company's records by their day: what the sandbox is given to answer from."""

    zone = ZONE

    def __init__(self, share: float) -> None:
        from tests.benchmarks.data import records

        self._rooms = size_of(share).rooms
        self._days: dict[date, list[dict[str, Any]]] = {}
        for record in records(size_of(share), LAST):
            self._days.setdefault(record.start_time.astimezone(ZONE).date(), []).append(_told(record))

    def meetings(self, first: date, last: date, now: datetime) -> list[dict[str, Any]]:
        days = ((first + timedelta(days=number)) for number in range((last - first).days + 1))
        return [record for day in days for record in self._days.get(day, ())]

    def reports(self, numbers: Any, now: datetime) -> list[dict[str, Any]]:
        return []

    def rooms(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"HOST-{number:04}",
                "email": f"room{number}@example.com",
                "first_name": f"Room {number:03}",
                "meeting_capacity": str((10, 25, 50)[number % 3]),
                "meetings": [],
            }
            for number in range(self._rooms)
        ]

    def licensing(self) -> dict[str, int]:
        return {"25": self._rooms}


def serve(share: float) -> None:
    """Answer until the process is ended; the first line on stdout is the address."""
    import django

    django.setup()
    from reports.sandbox.server import Sandbox

    sandbox = Sandbox(Days(share), key=KEY, secret=KEY)
    kept: dict[tuple[str, tuple[tuple[str, str], ...]], bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            endpoint, form = self.path.removeprefix("/umeeting/"), parse_qsl(asked)
            key = (endpoint, tuple(sorted(form)))
            if (body := kept.get(key)) is None:
                body = kept[key] = json.dumps(sandbox.answer(endpoint, dict(form)), ensure_ascii=False).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}/umeeting/", flush=True)
    server.serve_forever()


@contextmanager
def _serving(share: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.ingest", "serve", str(share)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def fetch(url: str, first: date, last: date) -> tuple[float, int]:
    """Ask for every page as the client does and throw the answers away: seconds and bytes."""
    from reports.provider.client import Client
    from reports.pulling import PAGE_SIZE

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    received = pages = 0
    # How many pages a day has is known from the first round: reading them would not be fetching alone.
    plan = []
    client = Client(url, KEY, KEY, zone=ZONE, page_size=PAGE_SIZE)
    day = first
    while day <= last:
        plan.append((day, sum(1 for _ in client.detail(day, day))))
        day += timedelta(days=1)
    client.close()
    began = time.perf_counter()
    for day, pages in plan:
        for number in range(1, pages + 1):
            form = {
                "from": day.isoformat(),
                "to": day.isoformat(),
                "show_participants": "true",
                "show_telephony_usage": "true",
                "page_size": str(PAGE_SIZE),
                "page_number": str(number),
                "api_key": KEY,
                "api_secret": KEY,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", f"{parts.path}share/detail", urlencode(form), headers)
            received += len(connection.getresponse().read())
    spent = time.perf_counter() - began
    connection.close()
    return spent, received


# The pulling process -----------------------------------------------------------------------------------


def _kb(name: str, pid: str = "self") -> int:
    """A figure of a process as the kernel tells it."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:")), 0)


class _OfReader(threading.Thread):
    """Looks at what the process holds that reads the answers, which has ended when the pull has.

    The kernel's own account of an ended child begins with the size of its parent.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.most = 0

    def run(self) -> None:
        # What is asked for is the most it held by then.
        while not self.ended.wait(0.2):
            # Threads and processes end at any moment.
            with contextlib.suppress(OSError):
                for thread in Path("/proc/self/task").iterdir():
                    self._look(thread)

    def _look(self, thread: Path) -> None:
        for pid in (thread / "children").read_text(encoding="ascii").split():
            if b"reports.reading" in Path(f"/proc/{pid}/cmdline").read_bytes():
                self.most = max(self.most, _kb("VmHWM", pid))


def pull(first: date, last: date) -> None:
    """Pull the rooms and these days into the database of the environment; the outcome as JSON on stdout."""
    import django

    django.setup()
    from django.apps import apps

    from reports import pulling

    with pulling.make_client() as client:
        pulling.pull_rooms(client, forced=True)
        idle, before = _kb("VmHWM"), client.requests_made
        reader = _OfReader()
        reader.start()
        began, busy = time.perf_counter(), time.process_time()
        run = pulling.pull_days(client, days=(first, last))
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
        reader.ended.set()
        asked = client.requests_made - before
    assert run is not None
    assert run.state == "done", (run.state, run.error)
    # As if both had their most at once.
    peak = _kb("VmHWM") + reader.most
    cpu += sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    models = {model._meta.db_table: model for model in apps.get_models()}
    rows = {table: models[table]._default_manager.count() for table in TABLES}
    print(json.dumps(Pulled(seconds, cpu, rows, peak, idle, asked)))


def _run(environment: dict[str, str], *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


# The floor ---------------------------------------------------------------------------------------------


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _sqlite_floor(file: Path) -> tuple[float, float]:
    """Seconds of executemany with all indexes and foreign keys, and into tables without any."""
    with closing(sqlite3.connect(file)) as source:
        columns = {
            table: [row[1] for row in source.execute(f"PRAGMA table_info({table})")] for table in (*POINTED_TO, *TABLES)
        }
        rows = {
            table: source.execute(f"SELECT {_quoted(names)} FROM {table} ORDER BY id").fetchall()
            for table, names in columns.items()
        }
        # Tables, then their indexes; no triggers, and no index of full texts: what the bare driver has to write.
        schema = [
            row[0]
            for row in source.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('table', 'index') "
                "AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%_trigrams%' ORDER BY type DESC"
            )
        ]

    def written(statements: Sequence[str], name: str, first: Sequence[str]) -> float:
        with closing(sqlite3.connect(file.with_name(name), isolation_level=None)) as connection:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-16000", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            for statement in statements:
                connection.execute(statement)
            spent = 0.0
            for table in (*first, *TABLES):
                marks = ", ".join("?" * len(columns[table]))
                began = time.perf_counter()
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(f"INSERT INTO {table} ({_quoted(columns[table])}) VALUES ({marks})", rows[table])
                connection.execute("COMMIT")
                spent += time.perf_counter() - began if table in TABLES else 0
        return spent

    plain = [f"CREATE TABLE {table} ({_quoted(columns[table])})" for table in TABLES]
    return written(schema, "floor.sqlite3", POINTED_TO), written(plain, "bare.sqlite3", ())


def _postgres_floor(url: str) -> tuple[float, float]:
    """Seconds of COPY into the same tables, emptied, and into tables without indexes."""
    import psycopg

    with psycopg.connect(url) as connection:
        columns, rows = {}, {}
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM {table} ORDER BY id")
            columns[table] = [column.name for column in cursor.description or ()]
            rows[table] = cursor.fetchall()
        connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        for table in TABLES:
            connection.execute(f"CREATE TABLE bare_{table} AS SELECT * FROM {table} WITH NO DATA")
        connection.commit()
        spent = []
        for prefix in ("", "bare_"):
            began = time.perf_counter()
            for table in TABLES:
                statement = f"COPY {prefix}{table} ({_quoted(columns[table])}) FROM STDIN"
                with connection.cursor() as cursor, cursor.copy(statement) as copy:
                    for row in rows[table]:
                        copy.write_row(row)
                connection.commit()
            spent.append(time.perf_counter() - began)
    return spent[0], spent[1]


@contextmanager
def _postgres(url: str) -> Iterator[str]:
    """The URL of an empty database beside the one given, dropped afterwards."""
    import psycopg

    name = f"{urlsplit(url).path.strip('/')}_ingest"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


# The measurement ---------------------------------------------------------------------------------------


def measure(share: float, database: str) -> Result:
    """One pull of so much of the large company into an empty database. database: URL of a PostgreSQL, "" for SQLite."""
    first, last = days_of(share)
    with tempfile.TemporaryDirectory(prefix="roomledger-ingest-") as folder, _serving(share) as url:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("UMEET_", "DATABASE_"))
        }
        environment |= {
            "DATA_DIR": folder,
            "UMEET_URL": url,
            "UMEET_API_KEY": KEY,
            "UMEET_API_SECRET": KEY,
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }
        fetch(url, first, last)  # renders every page
        spent, received = fetch(url, first, last)

        def pulled() -> Pulled:
            _run(environment, "manage.py", "migrate", "-v0")
            told = _run(environment, "-m", "tests.benchmarks.ingest", "pull", str(first), str(last))
            return Pulled(*json.loads(told))

        if not database:
            found = pulled()
            floor, bare = _sqlite_floor(Path(folder) / "roomledger.sqlite3")
            return Result("sqlite", found, spent, received, floor, bare)
        with _postgres(database) as address:
            environment["DATABASE_URL"] = address
            found = pulled()
            floor, bare = _postgres_floor(address)
            return Result("postgresql", found, spent, received, floor, bare)


def lines(results: Sequence[Result]) -> Iterator[str]:
    """Measurements, each of a pull and of the floor after it, in words and figures: the median of each figure.

    Other work on the machine may be at one and not at the other: the ratio is the median of their ratios.
    """
    result = results[0]
    rows = ", ".join(f"{number} {table.removeprefix('reports_')}" for table, number in result.pulled.rows.items())
    yield f"{result.vendor}: {rows}; {result.pulled.requests} answers of {result.fetched_bytes / 1e6:.1f} MB"
    yield f"{'median of ' + str(len(results)):<34}{'seconds':>9}{'rows/s':>10}{'of the floor':>14}"
    measured: dict[str, Callable[[Result], float]] = {
        "floor: bare driver, same tables": lambda one: one.floor,
        "bare driver, no index, no key": lambda one: one.bare,
        "pull": lambda one: one.pulled.seconds,
        "pull less fetching": lambda one: one.pulled.seconds - one.fetch,
    }
    for what, seconds_of in measured.items():
        seconds = statistics.median(map(seconds_of, results))
        parts = [one.floor / seconds_of(one) for one in results]
        spread = f"   {min(parts):.0%} to {max(parts):.0%}" if len(results) > 1 and what.startswith("pull") else ""
        yield f"{what:<34}{seconds:>9.2f}{result.written / seconds:>10.0f}{statistics.median(parts):>13.0%}{spread}"
    yield f"{'fetch only':<34}{statistics.median(one.fetch for one in results):>9.2f}"
    cpu = statistics.median(one.pulled.cpu for one in results)
    yield f"{'processor of the pulling process':<34}{cpu:>9.2f}{result.written / cpu:>10.0f}"
    peak = max(one.pulled.peak_kb for one in results) / 1024
    idle = max(one.pulled.idle_kb for one in results) / 1024
    yield f"memory of the pull: {peak:.0f} MB at most ({idle:.0f} MB before it began)"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", share]:
            serve(float(share))
        case ["pull", first, last]:
            pull(date.fromisoformat(first), date.fromisoformat(last))
