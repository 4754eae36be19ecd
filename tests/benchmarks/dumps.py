"""How long each CSV takes over HTTP, what memory it holds meanwhile, and what it lets others wait.

`python -m tests.benchmarks.dumps PORT COOKIE ADDRESS ENCODING` downloads one in a process of its own and tells of it.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.benchmarks.site import Site, asked, forget_peaks, memory, p95, running

BARE = {
    "meetings": "select * from reports_meeting m left join reports_room r on r.id = m.room_id "
    "order by m.start_time desc",
    "participants": "select m.uuid, m.topic, m.meeting_id, p.* from reports_participant p "
    "join reports_meeting m on m.id = p.meeting_id order by m.start_time desc, m.id desc, p.place",
    "telephony": "select m.uuid, m.topic, m.meeting_id, c.* from reports_telephonyusage c "
    "join reports_meeting m on m.id = c.meeting_id order by m.start_time desc, m.id desc, c.place",
}
# Every visit is an attendee's, and few attendees have two.
BARE["attendees"] = BARE["participants"]
OTHERS = ("/healthz", "/meetings/")
TURNS = 40
PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Dump:
    """One CSV. Seconds to the first byte, to the first row and to the end; bytes; the most memory above idle, in MB.

    floor: seconds of the bare tool's dump of its rows. others: p95 of other pages meanwhile, by address.
    """

    table: str
    first_byte: float
    first_row: float
    whole: float
    size: int
    memory: float | None
    floor: float | None
    others: dict[str, float]


def bare(statement: str) -> float:
    """Seconds that the database's own tool takes to write the rows as CSV."""
    from django.conf import settings
    from django.db import connection

    database = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        command = ["sqlite3", "-csv", str(database["NAME"]), statement]
    else:
        user, host, port = database["USER"], database["HOST"] or "127.0.0.1", database["PORT"] or 5432
        url = f"postgres://{user}@{host}:{port}/{database['NAME']}"
        command = ["psql", url, "-c", f"\\copy ({statement}) to stdout csv header"]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def dumps(tables: list[str], encoding: str = "identity") -> Iterator[Dump]:
    """Every CSV over everything, each after another, from a site started for it."""
    with running("--no-worker") as site:
        others(site, lambda turn: turn < 8)  # by now both workers have seen each page
        yield Dump("(none)", 0, 0, 0, 0, None, None, others(site, lambda turn: turn < TURNS))
        pids = site.processes("gunicorn")
        for table in tables:
            once(site, f"/{table}.csv?period=7d")
            idle = memory(pids)
            forget_peaks(pids)
            told = json.loads(reading(site, table, encoding).communicate()[0])
            peaks = memory(pids, "VmHWM")
            waited = {}
            if table in BARE:  # and again, while others ask for pages
                reader = reading(site, table, encoding)
                waited = others(site, lambda turn, reader=reader: reader.poll() is None)
                reader.communicate()
            yield Dump(
                table,
                *(told[name] for name in ("first_byte", "first_row", "whole", "size")),
                memory=max((peaks[pid] - idle[pid] for pid in pids), default=None),
                floor=bare(BARE[table]) if table in BARE else None,
                others=waited,
            )


def reading(site: Site, table: str, encoding: str) -> subprocess.Popen[str]:
    """A download in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.dumps", str(site.port), site.cookie]
    return subprocess.Popen([*command, f"/{table}.csv?period=all", encoding], stdout=subprocess.PIPE, text=True)


def once(site: Site, address: str) -> float:
    """Seconds of one page over a connection of its own: by either worker."""
    connection = site.connect()
    try:
        return asked(connection, site, address).seconds
    finally:
        connection.close()


def others(site: Site, going_on: Callable[[int], bool]) -> dict[str, float]:
    """p95 of other pages, asked for by turns as long as something goes on."""
    spent: dict[str, list[float]] = {address: [] for address in OTHERS}
    turn = 0
    while going_on(turn):
        for address in OTHERS:
            spent[address].append(once(site, address))
            time.sleep(PAUSE)
        turn += 1
    return {address: p95(seconds) for address, seconds in spent.items() if seconds}


def download(port: int, cookie: str, address: str, encoding: str) -> dict[str, float]:
    """One download, thrown away as it comes."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", address, headers={"Cookie": cookie, "Accept-Encoding": encoding})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{address}: {answer.status}")
    size = len(answer.read1(1))
    first_byte = time.perf_counter() - began
    head = answer.read1(1 << 16)
    size += len(head)
    while encoding == "identity" and b"\n" not in head[:-1] and (more := answer.read1(1 << 16)):
        size += len(more)
        head += more
    first_row = time.perf_counter() - began
    while piece := answer.read(1 << 16):
        size += len(piece)
    return {
        "first_byte": first_byte,
        "first_row": first_row,
        "whole": time.perf_counter() - began,
        "size": size,
    }


if __name__ == "__main__":
    print(json.dumps(download(int(sys.argv[1]), *sys.argv[2:])))
