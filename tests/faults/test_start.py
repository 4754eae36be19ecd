"""`start` as a newcomer runs it: everything comes up, keeps pulling, and Ctrl-C leaves nothing behind."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
import requests

from reports.sandbox.server import Sandbox
from reports.sandbox.world import FixedWorld
from tests.faults.processes import ROOT, ended, manage, of_installation, wait_for
from tests.support import KEY, SECRET, csv_rows, meeting


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(environment, *arguments) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`start` on a free port: its address, once it answers, and its process."""
    port = free_port()
    command = [sys.executable, str(ROOT / "manage.py"), "start", "--address", f"127.0.0.1:{port}", *arguments]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return requests.get(f"{url}/healthz", timeout=2).status_code == 200
        except requests.RequestException:
            return process.poll() is not None

    with ended(process):
        assert wait_for(up, 180)
        assert process.poll() is None, process.communicate()
        yield url, process


def sign_in(url: str, name: str, password: str) -> requests.Session:
    session = requests.Session()
    page = session.get(f"{url}/accounts/login/", timeout=10)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    form = {"username": name, "password": password, "csrfmiddlewaretoken": token and token[1]}
    answer = session.post(f"{url}/accounts/login/", data=form, timeout=10)
    assert answer.url == f"{url}/", answer.url
    return session


def last_pull(session: requests.Session, url: str) -> str:
    found = re.search(r'<time datetime="([^"]+)"', session.get(f"{url}/data/freshness/", timeout=10).text)
    return found[1] if found else ""


def test_the_demo_shows_pulled_data_keeps_pulling_and_leaves_no_process(installation):
    environment = {name: value for name, value in installation.items() if not name.startswith(("UMEET_", "DATABASE_"))}
    with started(environment, "--demo") as (url, process):
        session = sign_in(url, "demo", "demo")

        def meetings() -> int:
            page = session.get(f"{url}/meetings/?period=all", timeout=30).text
            found = re.search(r"([\d,]+) meetings", page)
            return int(found[1].replace(",", "")) if found else 0

        # The newest days come first: a full month is there long before the year is.
        assert wait_for(lambda: meetings() > 3000, 180, 0.5)
        first = last_pull(session, url)
        # Beat and worker go on by themselves; a hand on the button only saves the waiting.
        token = session.cookies["csrftoken"]
        headers = {"X-CSRFToken": token, "Referer": url}
        assert session.post(f"{url}/data/pull/", headers=headers, timeout=10).status_code == 200
        assert wait_for(lambda: last_pull(session, url) not in {"", first}, 240, 0.5)
        assert len(of_installation(environment)) >= 4
        process.send_signal(signal.SIGINT)
        process.wait(40)
        assert process.returncode == 0
        assert wait_for(lambda: of_installation(environment) == [], 5), of_installation(environment)


def test_a_child_that_dies_is_started_again(migrated):
    with started(migrated) as (url, process):
        import os
        from pathlib import Path

        def children() -> dict[str, int]:
            found = {}
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    if f"PPid:\t{process.pid}\n" in (folder / "status").read_text():
                        command = (folder / "cmdline").read_bytes()
                        found["web" if b"gunicorn" in command else "worker"] = int(folder.name)
                except OSError:
                    continue
            return found

        before = children()
        assert set(before) == {"web", "worker"}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        assert wait_for(
            lambda: set(children()) == {"web", "worker"} and not set(children().values()) & set(before.values()), 40
        )
        assert wait_for(lambda: requests.get(f"{url}/healthz", timeout=5).ok if _up(url) else False, 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        assert wait_for(lambda: of_installation(migrated) == [], 5), of_installation(migrated)


def _up(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


PASSWORD = "Kestrel-over-9-hills"


def set_up_link(process: subprocess.Popen[bytes]) -> str:
    """The address that `start` prints for who sets it up. It ends the process."""
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=40)[0].decode()
    found = re.search(r"Set it up at (http://127\.0\.0\.1:\d+)(/setup/[\w-]{43}/)", output)
    return found[2] if found else ""


def printed_link(process: subprocess.Popen[bytes]) -> str:
    """The same while it runs on."""
    for line in iter(process.stdout.readline, b""):
        if found := re.search(rb"Set it up at (\S+)", line):
            return found[1].decode()
    raise AssertionError("no link was printed")


def send(session: requests.Session, url: str, **form: str) -> requests.Response:
    """Fill in the form of a page and follow where it leads."""
    page = session.get(url, timeout=10)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
    return session.post(url, data={**form, "csrfmiddlewaretoken": token}, timeout=30)


def test_each_start_prints_a_new_link_until_there_is_an_administrator(installation):
    with started(installation, "--no-worker") as (url, process):
        old = set_up_link(process)
    with started(installation, "--no-worker") as (url, process):
        link = printed_link(process)
        assert not link.endswith(old)
        # The old one ended with the new one; neither is in the log.
        assert requests.get(url + old, timeout=10).status_code == 410
        session = requests.Session()
        assert session.get(link, timeout=10).url == f"{url}/setup/"
        answer = send(session, f"{url}/setup/", username="chief", password=PASSWORD, again=PASSWORD)
        # The environment of this installation has the key.
        assert answer.url == f"{url}/setup/zone/"
        # It ends with its use: whoever comes later has to sign in.
        assert requests.get(link, timeout=10).url.startswith(f"{url}/accounts/login/")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)
    with started(installation, "--no-worker") as (url, process):
        sign_in(url, "chief", PASSWORD)
        assert set_up_link(process) == ""
    manage(installation, "check")


def test_a_new_installation_is_set_up_in_the_browser_and_pulls(installation):
    """Without a key in the environment, in another zone, and with a stop half-way."""
    environment = {**installation, "UMEET_API_KEY": "", "UMEET_API_SECRET": ""}
    days = [meeting(uuid=f"u{day}", start_time=f"{date.today() - timedelta(days=day)} 01:00:00") for day in (1, 3, 180)]
    with Sandbox(FixedWorld(days), key=KEY, secret=SECRET) as api:
        environment["UMEET_URL"] = api.url
        with started(environment) as (url, process):
            session = requests.Session()
            session.get(printed_link(process), timeout=10)
            answer = send(session, f"{url}/setup/", username="chief", password=PASSWORD, again=PASSWORD)
            assert answer.url == f"{url}/setup/key/"
            wrong = send(session, answer.url, key=KEY, secret="another")
            assert wrong.status_code == 400
            assert "does not accept our key" in wrong.text
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=40)
        with started(environment) as (url, process):
            session = sign_in(url, "chief", PASSWORD)
            assert "The set-up is not finished." in session.get(f"{url}/rooms/", timeout=10).text
            assert session.get(f"{url}/setup/", timeout=10).url == f"{url}/setup/key/"
            answer = send(session, f"{url}/setup/key/", key=KEY, secret=SECRET)
            assert answer.url == f"{url}/setup/zone/", answer.text
            answer = send(session, answer.url, TIME_ZONE="America/New_York", UMEET_TIME_ZONE="Asia/Shanghai")
            assert answer.url == f"{url}/setup/pull/"
            answer = send(session, answer.url, days="30")
            assert 'id="progress"' in answer.text

            def page() -> str:
                try:
                    return session.get(f"{url}/meetings/?period=all", timeout=30).text
                except requests.RequestException:
                    return ""

            # Web server and worker have come up anew, in the zone; the month before last was not asked for.
            assert wait_for(lambda: "2 meetings" in page() and "times in America/New_York" in page(), 180, 0.5)
            assert "The set-up is not finished." not in page()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=40)
    two_days_ago = (date.today() - timedelta(days=2)).isoformat()
    assert two_days_ago in manage(environment, "export", "days", "--from", two_days_ago, "--to", two_days_ago)
    # One o'clock of yesterday in Shanghai is the day before in New York.
    rows = csv_rows(manage(environment, "export", "days", "--from", two_days_ago, "--to", two_days_ago).encode())
    assert rows[0]["meetings"] == "1"
    held = [file for file in Path(environment["DATA_DIR"]).rglob("*") if file.is_file()]
    assert [file for file in held if SECRET.encode() in file.read_bytes()] == []


@pytest.mark.parametrize("path", ["/static/js/theme.js"])
def test_files_are_served_by_their_hashed_names_only(migrated, path):
    with started(migrated, "--no-worker") as (url, _):
        assert requests.get(url + path, timeout=10).status_code == 404
        page = requests.get(f"{url}/accounts/login/", timeout=10)
        source = re.search(r'src="(/static/js/theme\.[0-9a-f]{12}\.js)"', page.text)[1]
        script = requests.get(url + source, timeout=10, headers={"Accept-Encoding": "gzip"})
        assert script.status_code == 200
        assert script.headers["Content-Encoding"] == "gzip"
        assert "immutable" in script.headers["Cache-Control"]
