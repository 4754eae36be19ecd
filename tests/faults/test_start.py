"""`start` as a newcomer runs it: everything comes up, keeps pulling, and Ctrl-C leaves nothing behind."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.faults.processes import ROOT, ended, manage, of_installation, wait_for


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
        assert wait_for(up, 60)
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
        assert wait_for(lambda: meetings() > 3000, 60, 0.5)
        first = last_pull(session, url)
        # Beat and worker go on by themselves; a hand on the button only saves the waiting.
        token = session.cookies["csrftoken"]
        headers = {"X-CSRFToken": token, "Referer": url}
        assert session.post(f"{url}/data/pull/", headers=headers, timeout=10).status_code == 200
        assert wait_for(lambda: last_pull(session, url) not in {"", first}, 120, 0.5)
        assert len(of_installation(environment)) >= 4
        process.send_signal(signal.SIGINT)
        process.wait(40)
        assert process.returncode == 0
        assert wait_for(lambda: of_installation(environment) == [], 5), of_installation(environment)


def test_a_child_that_dies_is_started_again(installation):
    with started(installation) as (url, process):
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
        assert wait_for(lambda: requests.get(f"{url}/healthz", timeout=5).ok if _up(url) else False, 20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        assert wait_for(lambda: of_installation(installation) == [], 5), of_installation(installation)


def _up(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def test_the_first_administrator_is_made_once(installation):
    with started(installation, "--no-worker") as (url, process):
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=40)[0].decode()
        name, password = re.search(r"administrator is (\S+) with the password (\S+)", output).groups()
    with started(installation, "--no-worker") as (url, process):
        sign_in(url, name, password)
        process.send_signal(signal.SIGINT)
        assert b"administrator" not in process.communicate(timeout=40)[0]
    manage(installation, "check")


@pytest.mark.parametrize("path", ["/static/js/theme.js"])
def test_files_are_served_by_their_hashed_names_only(installation, path):
    with started(installation, "--no-worker") as (url, _):
        assert requests.get(url + path, timeout=10).status_code == 404
        page = requests.get(f"{url}/accounts/login/", timeout=10)
        source = re.search(r'src="(/static/js/theme\.[0-9a-f]{12}\.js)"', page.text)[1]
        script = requests.get(url + source, timeout=10, headers={"Accept-Encoding": "gzip"})
        assert script.status_code == 200
        assert script.headers["Content-Encoding"] == "gzip"
        assert "immutable" in script.headers["Cache-Control"]
