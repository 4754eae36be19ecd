"""A PostgreSQL and a Redis of a test's own, to be killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import redis

from tests.services import missing


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A cluster in a folder. It refuses to run as root: there it is the account postgres."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs, self.port = folder, programs, free_port()
        self.folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", str(folder), "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        before = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*before, str(self.programs / program), *arguments]
        # Its output goes nowhere: the server inherits it, and would hold a pipe open.
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "-D", str(self.folder), "-o", options, "-w", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str) -> None:
        """fast: clients are thrown out; immediate: as if the machine had lost its power."""
        self._run("pg_ctl", "-D", str(self.folder), "-m", mode, "-w", "stop")

    def url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def database(self, name: str, source: str = "template1") -> str:
        """The URL of a new database, a copy of another to which nobody is connected."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        return self.url(name)


class Redis:
    """A server that keeps nothing: killed, it has lost every message."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.program, self.port = folder, program, free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client = redis.Redis.from_url(self.url)
        for _ in range(200):
            with suppress(redis.ConnectionError):
                client.ping()
                client.close()
                return
            time.sleep(0.05)
        raise AssertionError("redis-server does not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def servers() -> Iterator[tuple[Postgres, Redis]]:
    """Both, gone afterwards. Left out where their programs are missing, but in CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = found[-1].parent if found else None
    if programs is None and (initdb := shutil.which("initdb")):
        programs = Path(initdb).parent
    program = shutil.which("redis-server")
    if programs is None or program is None:
        missing("The programs of PostgreSQL and Redis are not both here")
        raise AssertionError
    # pytest's own folders are closed to the server's account.
    with tempfile.TemporaryDirectory(prefix="roomledger-") as folder:
        Path(folder).chmod(0o755)
        postgres = Postgres(Path(folder) / "postgres", programs)
        try:
            broker = Redis(Path(folder), program)
            try:
                yield postgres, broker
            finally:
                broker.kill()
        finally:
            postgres.stop("immediate")
