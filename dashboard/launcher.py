"""Starting, watching and stopping the processes of an embedded Roomledger.

`start` is the parent of the web server, of the worker with beat and, in the demo, of the sandbox. Each
child leads a process group of its own, so that Ctrl-C reaches only the parent, which stops them in
order and leaves none behind.
"""

import contextlib
import ctypes
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError

from dashboard import setup
from dashboard.env import CHOICES
from reports import folding, inuse, kept, pulling, schedule, summaries
from reports.management.base import database_sentence
from reports.sandbox.world import World

DEMO_KEY = "demo-key"
DEMO_MEETINGS = 110  # an ordinary working day of the demo: its year is pulled within a minute
SANDBOX_PORT = "ROOMLEDGER_SANDBOX_PORT"
GRACE = 15.0  # seconds that a child has to end by itself
RESTART_AFTER = 2.0
BEHIND = 10  # who reads a page comes before the pulls: those can wait
Say = Callable[[str], object]


class CannotStart(Exception):
    """Why it cannot start and what to do; `status` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def start(*, demo: bool, address: str, worker: bool, say: Say) -> None:
    """Run until Ctrl-C or SIGTERM. Errors: CannotStart, before anything was started."""
    host, port = _parse(address)
    if demo:
        if not _is_loopback(host):
            raise CannotStart(
                f"The demo lets anyone in, so it listens on this computer only. Leave out --address, or give "
                f"127.0.0.1:{port}.",
                status=2,
            )
        if os.environ.get("ROOMLEDGER_DEMO") != "1":
            _again_as_demo(host, port, worker)
    elif settings.DEBUG and not _is_loopback(host):
        raise CannotStart(
            f"DEBUG is on, so that error pages show settings and data, and {host} may be reached by others. "
            f"Set DEBUG to 0, or give --address 127.0.0.1:{port}.",
            status=2,
        )
    elif bool(settings.UMEET_API_KEY) != bool(settings.UMEET_API_SECRET):
        missing = "UMEET_API_SECRET" if settings.UMEET_API_KEY else "UMEET_API_KEY"
        raise CannotStart(
            f"{missing} is not set. Set it, or unset the other: then the set-up page in the browser asks for both."
        )
    _check_port(host, port)
    try:
        inuse.share()
    except inuse.InUse as error:
        raise CannotStart(str(error)) from None
    _prepare(demo, say)

    family = Family(say)
    stop = _on_signals(family)
    try:
        if demo and worker:
            sized = ["--meetings-per-day", str(DEMO_MEETINGS)]
            family.add("sandbox", [sys.executable, _manage(), "sandbox", "--port", os.environ[SANDBOX_PORT], *sized])
        if worker:
            _wake_worker()
            family.add("worker", _celery())
        # The worker comes up while the files are made ready: the first page waits for nothing else.
        _collect_static()
        family.add("web", _gunicorn(host, port))
        _wait_until_up(host, port, family)
        say(f"\nRoomledger is running at {_shown(host, port)}")
        if demo:
            say("Sign in as demo with the password demo. The year's reports are being pulled now.")
        elif not setup.has_administrator():
            _invite(host, port, say)
        say("Stop it with Ctrl-C.")
        family.watch(stop, _Zone(say, family))
    finally:
        family.stop()
        say("Stopped.")


# Before the start ------------------------------------------------------------------------------------


def _parse(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise CannotStart(f"--address is '{address}'. Give it as HOST:PORT, such as 127.0.0.1:8000.", status=2)
    return host, int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name may stand for any address
        return False


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = "is in use by another program" if error.errno == 98 else f"cannot be used ({error.strerror})"
        raise CannotStart(
            f"The address {host}:{port} {reason}. Stop what runs there, or choose another: "
            f"--address {host}:{port + 1 if port < 65535 else 8000}"
        ) from None


def _prepare(demo: bool, say: Say) -> None:
    """Tables, static files, the first administrator, and local days in the site's zone."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
        if old := summaries.stale_zone():
            say(f"The time zone is {settings.TIME_ZONE} now, no longer {old}: counting the days again …")
            folding.rebuild()
        _fold(say)
        if demo:
            _demo_account()
            _track_some()
        _forget_refusals()
    except DatabaseError as error:
        raise CannotStart(database_sentence(error)) from None
    except OSError as error:
        raise CannotStart(f"{error.filename or settings.DATA_DIR} cannot be written: {error.strerror}.") from None


def _fold(say: Say) -> None:
    """Sums of days are made where a stop, an older version or other opening hours left some unmade."""
    waiting = kept.waiting()
    if waiting > 60:
        say(f"Adding up {waiting} days …")
    if waiting:
        folding.fold()


def _collect_static() -> None:
    """Hashed and compressed files for the browser; left alone when nothing changed since the last start."""
    if settings.DEBUG:
        return
    sources = [Path(settings.BASE_DIR) / "static", Path(django.__file__).parent / "contrib" / "admin" / "static"]
    state = hashlib.sha256(django.__version__.encode())
    for file in sorted(file for source in sources for file in source.rglob("*") if file.is_file()):
        found = file.stat()
        state.update(f"{file}:{found.st_size}:{found.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    try:
        if stamp.exists() and stamp.read_text(encoding="ascii") == state.hexdigest():
            return
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(state.hexdigest(), encoding="ascii")
    except OSError as error:
        where = error.filename or settings.STATIC_ROOT
        raise CannotStart(f"{where} cannot be written: {error.strerror}.") from None


def _demo_account() -> None:
    """Anyone may sign in as demo / demo: hashing that password slowly would protect nothing."""
    users = get_user_model()._default_manager
    user, _ = users.get_or_create(username="demo", defaults={"is_staff": True, "is_superuser": True})
    if not user.check_password("demo"):
        user.set_password("demo")
        user.save()


def _invite(host: str, port: int, say: Say) -> None:
    """A link for whoever reads this terminal to make the first administrator."""
    secret = setup.new_link(pulling.utcnow())
    # Behind TLS the site has a name; nobody is to make a password over plain HTTP there.
    https = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if origin.startswith("https://") and "*" not in origin]
    base = settings.SITE_URL or (f"{https[0]}/" if https else _shown(host, port))
    say(f"Set it up at {base}setup/{secret}/")
    hours = int(setup.GOOD_FOR.total_seconds() // 3600)
    say(f"The link works once, within {hours} hours. The next start prints a new one until there is an administrator.")


def _shown(host: str, port: int) -> str:
    """The address to open in a browser of this computer."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _track_some() -> None:
    """The demo follows the company's recurring meetings by their numbers."""
    schedule.track((series.number for series in World(meetings_per_day=DEMO_MEETINGS).series), pulling.utcnow())


def _forget_refusals() -> None:
    """The settings may have been mended since the provider refused: it is asked anew."""
    from reports.models import Source

    Source.objects.exclude(refused_at=None).update(refused_at=None, last_error="", failures=0)


def _again_as_demo(host: str, port: int, worker: bool) -> None:
    """Replace this process by one that has the demo's own data folder, database, broker and sandbox."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        sandbox_port = probe.getsockname()[1]
    kept = {
        name: value
        for name, value in os.environ.items()
        # Nothing of the real set-up may reach the demo: neither its data nor its key.
        if not name.startswith(
            (
                *("UMEET_", "DATABASE_URL", "CELERY_", "DATA_DIR", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_"),
                *("SSO_", "TRUSTED_PROXIES"),
            )
        )
    }
    kept |= {
        "ROOMLEDGER_DEMO": "1",
        SANDBOX_PORT: str(sandbox_port),
        "DATA_DIR": str(settings.DATA_DIR / "demo"),
        "UMEET_URL": f"http://127.0.0.1:{sandbox_port}/umeeting/",
        "UMEET_API_KEY": DEMO_KEY,
        "UMEET_API_SECRET": "demo-secret",
    }
    if not any(os.environ.get(name) for name in ("SITE_URL", "SITE_URL_FILE")):
        # Mail that the demo sends leads back to it.
        kept["SITE_URL"] = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    arguments = [sys.executable, _manage(), "start", "--demo", "--address", f"{host}:{port}"]
    sys.stdout.flush()
    os.execve(sys.executable, arguments + ([] if worker else ["--no-worker"]), kept)  # noqa: S606


# The children ----------------------------------------------------------------------------------------


def _manage() -> str:
    return str(Path(settings.BASE_DIR) / "manage.py")


def _gunicorn(host: str, port: int) -> list[str]:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    # Threads of one process wait for one another at each query; of more processes than cores the system makes the
    # best, while some readers wait for long tables to be written.
    return [
        *(sys.executable, "-m", "gunicorn", "dashboard.wsgi:application", "--bind", bind),
        # Not loaded ahead of all of them: a new time zone is theirs when they alone are started anew.
        *("--worker-class", "gthread", "--workers", "4", "--threads", "4"),
        *("--timeout", "120", "--graceful-timeout", "5", "--keep-alive", "5"),
        *("--log-level", "warning", "--no-control-socket"),
    ]


def _celery() -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "dashboard", "worker", "--beat", "--pool", "threads"),
        *("--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
        *("--without-heartbeat", "--hostname", "roomledger@%h", "--queues", "roomledger"),
    ]


def _wake_worker(*, recent: bool = True) -> None:
    """The pulls begin at once, not at the next tick. recent: of the recent days too; else of what is due already."""
    from reports import tasks

    # Redis may be away for a moment: the next tick does the same.
    with contextlib.suppress(Exception):
        (tasks.pull_recent_days if recent else tasks.pull_due).apply_async(retry=False)


def _prepare_child(behind: int) -> None:
    """In the child, before its command. behind: by how much others come first.

    Linux ends it when this process is killed without a chance to stop it.
    """
    if behind:
        os.nice(behind)
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


@dataclass(slots=True)
class Child:
    name: str
    command: list[str]
    process: subprocess.Popen[bytes]
    started: float
    restarts: int = 0


@dataclass(slots=True)
class Family:
    """The children, in the order of their start."""

    say: Say
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def add(self, name: str, command: list[str]) -> None:
        self.children.append(Child(name, command, self._spawn(name, command), time.monotonic()))

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 — our own commands
            command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            # What a child has to say goes to its log; only what went wrong is for the terminal.
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=partial(_prepare_child, 0 if name == "web" else BEHIND),
        )

    def watch(self, stop: Callable[[], bool], look: Callable[[], object]) -> None:
        """Until told to stop, start again whichever child ends by itself. look: called again and again."""
        while not stop():
            time.sleep(0.2)
            look()
            for child in self.children:
                if child.process.poll() is None or stop():
                    continue
                # What it started itself (beat, web workers) must not live on beside its successor.
                _kill_group(child.process.pid, signal.SIGKILL)
                lived = time.monotonic() - child.started
                if lived < RESTART_AFTER * 2:
                    child.restarts += 1
                    time.sleep(min(RESTART_AFTER * child.restarts, 30))
                else:
                    child.restarts = 0
                if stop():
                    return
                self.say(f"The {child.name} process ended (status {child.process.returncode}); it is started again.")
                child.process, child.started = self._spawn(child.name, child.command), time.monotonic()

    def pause(self, name: str) -> Child | None:
        """End one child, for `go_on` to start it again; None where there is none of that name."""
        child = next((child for child in self.children if child.name == name), None)
        if child is not None:
            child.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(GRACE)
            _kill_group(child.process.pid, signal.SIGKILL)
            child.process.wait()
        return child

    def go_on(self, child: Child) -> None:
        child.process, child.started = self._spawn(child.name, child.command), time.monotonic()

    def reload_web(self) -> None:
        """The web server reads the settings anew; it takes connections all the while."""
        for child in self.children:
            if child.name == "web" and child.process.poll() is None:
                child.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End every child and everything it started: asked first, made to after GRACE seconds."""
        self.stopping = True
        for child in reversed(self.children):
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for child in reversed(self.children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.1, deadline - time.monotonic()))
            _kill_group(child.process.pid, signal.SIGKILL)
            child.process.wait()


class _Zone:
    """Follows the zones that the set-up pages keep: all processes start anew with them, and days are recounted."""

    def __init__(self, say: Say, family: Family) -> None:
        self._say, self._family = say, family
        self._file = Path(settings.DATA_DIR) / CHOICES
        self._seen = self._state()

    def _state(self) -> bytes:
        try:
            return self._file.read_bytes()
        except OSError:
            return b""

    def __call__(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        self._say("The time zone was chosen: the processes start anew with it.")
        worker = self._family.pause("worker")
        self._family.reload_web()
        # This process still has the zone of its own start.
        done = subprocess.run(  # noqa: S603 — our own command
            [sys.executable, _manage(), "rebuild"], cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, capture_output=True
        )
        if done.returncode:
            self._say("The days could not be counted again. Stop and start again: that does it too.")
        if worker is not None:
            self._family.go_on(worker)
            # The one before left off in the middle of what it was woken for.
            _wake_worker(recent=False)


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _on_signals(family: Family) -> Callable[[], bool]:
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) > 1:
            # Pressed twice: no more waiting.
            for child in family.children:
                _kill_group(child.process.pid, signal.SIGKILL)

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, note)
    return lambda: bool(asked)


def _wait_until_up(host: str, port: int, family: Family, seconds: float = 30) -> None:
    """Until the web server takes connections."""
    target = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host  # noqa: S104
    deadline = time.monotonic() + seconds
    web = next(child for child in family.children if child.name == "web")
    while time.monotonic() < deadline and web.process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((target, port), timeout=1):
            return
        time.sleep(0.1)
    raise CannotStart(f"The web server did not start at {host}:{port}. See the lines above.")
