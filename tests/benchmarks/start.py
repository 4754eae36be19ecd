"""`manage.py start --demo` in an empty data folder until the first full page, as somebody sees it who tries it out."""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from tests.benchmarks.site import free_port, stop

ROOT = Path(__file__).resolve().parents[2]


def start(seconds: float = 120) -> tuple[float, int]:
    """Seconds from the command to the whole overview after signing in, and its bytes. Errors: RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="roomledger-demo-") as folder:
        port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("UMEET_", "DATA"))}
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "start", "--demo", "--address", f"127.0.0.1:{port}"],
            env={**environment, "DATA_DIR": folder},
            stdout=subprocess.DEVNULL,
        )
        try:
            while time.perf_counter() - began < seconds and process.poll() is None:
                try:
                    size = _sign_in(port)
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
                    continue
                return time.perf_counter() - began, size
            raise RuntimeError("the demo did not start")
        finally:
            stop(process)


def _sign_in(port: int) -> int:
    """Sign in as the demo's account and read the overview; its bytes."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("GET", "/accounts/login/")
        answer = line.getresponse()
        page = answer.read().decode()
        cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        form = urlencode({"csrfmiddlewaretoken": token[1] if token else "", "username": "demo", "password": "demo"})
        headers = {
            "Cookie": cookie,
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"http://127.0.0.1:{port}/accounts/login/",
        }
        line.request("POST", "/accounts/login/", form, headers)
        answer = line.getresponse()
        answer.read()
        found = [value.partition(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie"]
        line.request("GET", "/", headers={"Cookie": "; ".join(found)})
        answer = line.getresponse()
        body = answer.read()
        if answer.status != 200 or not found:
            raise RuntimeError(f"no overview after signing in: {answer.status}")
        return len(body)
    finally:
        line.close()
