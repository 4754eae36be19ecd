"""The embedded site as people start it, for the parts of the benchmark that ask over HTTP; and who asks."""

import http.client
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Site:
    """A running `manage.py start`: where it is, its process, and the cookie of somebody signed in."""

    port: int
    process: subprocess.Popen[bytes]
    cookie: str

    def connect(self, seconds: float = 120) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def processes(self, what: str) -> list[int]:
        """The ids of its processes whose command line holds these words; none where there is no /proc."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            try:
                line = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                for thread in (PROC / str(pid) / "task").iterdir():
                    waiting += [int(child) for child in (thread / "children").read_text().split()]
            except OSError:
                continue
            if what in line:
                found.append(pid)
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def signed_in() -> str:
    """The cookie of a browser signed in as administrator of this process's data."""
    user = get_user_model().objects.filter(username="benchmark").first()
    user = user or get_user_model().objects.create_superuser("benchmark", password=None)
    browser = Client()
    browser.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[Site]:
    """`manage.py start` over the data of this process, from its first answer on. Errors: RuntimeError."""
    port = free_port()
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "start", "--address", f"127.0.0.1:{port}"]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    try:
        site = Site(port, process, signed_in())
        wait_until_up(site)
        yield site
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does; it ends its children."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_up(site: Site, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and site.process.poll() is None:
        try:
            if asked(site.connect(5), site, "/healthz").status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    raise RuntimeError("the site did not start")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    seconds: float
    size: int


def asked(connection: http.client.HTTPConnection, site: Site, address: str, **headers: str) -> Answer:
    """One GET, the whole body read."""
    began = time.perf_counter()
    connection.request("GET", address, headers={"Cookie": site.cookie, **headers})
    answer = connection.getresponse()
    body = answer.read()
    return Answer(answer.status, time.perf_counter() - began, len(body))


def p95(values: list[float]) -> float:
    """What no more than one in twenty is slower than."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def forget_peaks(pids: list[int]) -> None:
    """From now on, a process's peak of memory is counted anew."""
    for pid in pids:
        (PROC / str(pid) / "clear_refs").write_text("5")


def memory(pids: list[int], what: str = "VmRSS") -> dict[int, float]:
    """Megabytes held by each process: VmRSS now, VmHWM at most."""
    found = {}
    for pid in pids:
        status = (PROC / str(pid) / "status").read_text()
        match = re.search(rf"{what}:\s+(\d+) kB", status)
        found[pid] = int(match[1]) / 1024 if match else 0.0
    return found
