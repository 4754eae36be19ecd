"""`manage.py sandbox` as it is run: starts without a database, prints where it is, ends by a signal."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from django.core.management import call_command
from django.core.management.base import CommandError

from reports.management.commands.sandbox import Command
from reports.sandbox.faults import FAULTS
from reports.sandbox.server import Sandbox

ROOT = Path(__file__).parents[3]


def test_serves_until_told_to_stop(tmp_path):
    """Two processes at once, since most of the time goes into their start."""
    processes = [
        (
            number,
            subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "sandbox", "--port", "0", "--fault", "500=1"],
                env={"PATH": "/usr/bin:/bin", "DATA_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A shell that puts the tests into the background has them ignore it, and what they start too.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            ),
        )
        for number in (signal.SIGTERM, signal.SIGINT)
    ]
    try:
        for number, process in processes:
            assert process.stdout
            settings = dict(re.findall(r"(UMEET_\w+)=(\S+)", process.stdout.readline()))
            form = {"api_key": settings["UMEET_API_KEY"], "api_secret": settings["UMEET_API_SECRET"]}
            address = settings["UMEET_URL"] + "share/rooms"
            assert [requests.post(address, data=form, timeout=10).status_code for _ in range(2)] == [500, 200]
            process.send_signal(number)
            rest, errors = process.communicate(timeout=20)
            assert (process.returncode, rest, errors) == (0, "", "")
    finally:
        for _, process in processes:
            process.kill()
            process.communicate()
    assert not list(tmp_path.glob("*.sqlite3"))


def test_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as error:
            call_command("sandbox", "--port", str(port))
    assert error.value.returncode == 1
    assert str(port) in str(error.value)
    assert "--port" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--fault", "nope"), "There are: timeout, drip"),
        (("--fault", "500=x"), "500=2"),
        (("--zone", "Mars/Olympus"), "Mars/Olympus"),
        (("--zone", ""), "--zone"),
        (("--rooms", "0"), "--rooms"),
        (("--port", "70000"), "70000"),
    ],
)
def test_wrong_arguments(arguments, told):
    with pytest.raises(CommandError) as error:
        call_command("sandbox", *arguments)
    assert error.value.returncode == 2
    assert told in str(error.value)


def test_help_lists_every_fault():
    text = Command().create_parser("manage.py", "sandbox").format_help()
    for name, line in FAULTS.items():
        assert name in text
        assert line in text


def test_withheld_meetings_reach_the_server(monkeypatch):
    made = []
    monkeypatch.setattr(Sandbox, "serve_forever", lambda server: made.append(server))
    before = signal.getsignal(signal.SIGTERM)
    try:
        call_command("sandbox", "--port", "0", "--withhold", "a/+=", "b==", "--withhold", "c")
    finally:
        signal.signal(signal.SIGTERM, before)
    (server,) = made
    assert server.undelivered == {"a/+=", "b==", "c"}
