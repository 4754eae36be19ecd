"""The key and the secret are found nowhere after a run at debug level with every kind of failing call."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

from reports.sandbox.server import Sandbox
from reports.sandbox.world import FixedWorld
from tests.faults.processes import ROOT, manage
from tests.support import KEY, SECRET, meeting

SPELLINGS = {
    spelling.encode()
    for secret in (KEY, SECRET)
    for spelling in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
}


def holds_a_secret(text: bytes) -> list[bytes]:
    return [spelling for spelling in SPELLINGS if spelling in text]


def test_no_trace_of_the_secret_anywhere(installation):
    # A record that cannot be read and echoes what it was asked with: it is kept raw, but not that raw.
    records = [meeting(), meeting(uuid="bad", start_time=f"{KEY} {SECRET}")]
    said = b""
    with Sandbox(FixedWorld(records), key=KEY, secret=SECRET) as api:
        environment = {**installation, "UMEET_URL": api.url, "DEBUG": "1", "UMEET_TIMEOUT": "0.3"}
        for fault in ("", "echo-secret", "wrong-secret", "500", "html", "truncated"):
            api.faults.clear()
            if fault:
                api.faults.on(fault)
            done = subprocess.run(
                [sys.executable, str(ROOT / "manage.py"), "pull", "--traceback", "1571106323", "--verbosity", "3"],
                env=environment,
                capture_output=True,
                timeout=120,
            )
            said += done.stdout + done.stderr
            if fault in {"echo-secret", "wrong-secret"}:
                assert done.returncode == 1
    assert b"POST" in said, "the run was not at debug level"
    assert holds_a_secret(said) == []
    dump = manage(installation, "dumpdata").encode()
    assert b"bad" in dump
    assert holds_a_secret(dump) == []
    files = [file for file in Path(installation["DATA_DIR"]).rglob("*") if file.is_file()]
    assert any(file.suffix == ".log" for file in files)
    for file in files:
        assert holds_a_secret(file.read_bytes()) == [], file
