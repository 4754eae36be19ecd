"""The key and the secret are found nowhere after a run at debug level with every kind of failing call."""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

from reports.sandbox.server import Sandbox
from reports.sandbox.world import FixedWorld
from tests.faults.processes import ROOT, manage
from tests.smtp import SmtpServer
from tests.support import KEY, SECRET, SHANGHAI, call, meeting

SPELLINGS = {
    spelling.encode()
    for secret in (KEY, SECRET)
    for spelling in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
}


def holds_a_secret(text: bytes) -> list[bytes]:
    return [spelling for spelling in SPELLINGS if spelling in text]


def test_no_trace_of_the_secret_anywhere(migrated):
    # A record that cannot be read and echoes what it was asked with: it is kept raw, but not that raw.
    records = [meeting(), meeting(uuid="bad", start_time=f"{KEY} {SECRET}")]
    said = b""
    with Sandbox(FixedWorld(records), key=KEY, secret=SECRET) as api:
        environment = {**migrated, "UMEET_URL": api.url, "DEBUG": "1", "UMEET_TIMEOUT": "0.3"}
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
    dump = manage(migrated, "dumpdata").encode()
    assert b"bad" in dump
    assert holds_a_secret(dump) == []
    files = [file for file in Path(migrated["DATA_DIR"]).rglob("*") if file.is_file()]
    assert any(file.suffix == ".log" for file in files)
    for file in files:
        assert holds_a_secret(file.read_bytes()) == [], file


MAIL_PASSWORD = "m4il/+&=%do-not-tell"
SEND = """
import django; django.setup()
from decimal import Decimal
from datetime import datetime, UTC
from dashboard import budgets
from dashboard.models import Budget
Budget.objects.get_or_create(defaults={"amount": Decimal("0.01"), "recipients": ["boss@example.com"]})
budgets.check(datetime.now(UTC))
"""


def test_no_trace_of_the_mail_password_anywhere(migrated):
    """The mail server refuses the sign-in and repeats what it was sent."""
    spellings = {MAIL_PASSWORD, quote(MAIL_PASSWORD, safe=""), b64encode(MAIL_PASSWORD.encode()).decode()}
    spellings.add(b64encode(f"\0mailer\0{MAIL_PASSWORD}".encode()).decode())
    now = f"{datetime.now(SHANGHAI):%Y-%m-%d}"
    usage = [call("+8613912345678", "00:00:01", "00:00:02", 1, 5, now)]
    record = meeting(start_time=f"{now} 00:00:00", end_time=f"{now} 00:00:03", telephony_usage=usage)
    said = ""
    with SmtpServer() as post, Sandbox(FixedWorld([record]), key=KEY, secret=SECRET) as api:
        environment = {
            **migrated,
            "DEBUG": "1",
            "UMEET_URL": api.url,
            "EMAIL_URL": f"smtp://mailer:{quote(MAIL_PASSWORD, safe='')}@127.0.0.1:{post.port}",
            "SITE_URL": "https://rooms.example.com",
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }
        manage(environment, "pull", "--from", now)
        for answer in (f"535 {' '.join(sorted(spellings))}", "334 again", "535 no"):
            post.answers = {"AUTH": answer}
            done = subprocess.run(
                [sys.executable, "-c", SEND], env=environment, cwd=ROOT, capture_output=True, timeout=120, text=True
            )
            said += done.stdout + done.stderr
            assert done.returncode == 0, done.stderr
        assert any(MAIL_PASSWORD in b64decode(line.split()[-1]).decode() for line in post.said if "AUTH" in line)
        said += manage(environment, "dumpdata")
    assert "does not accept the user name and password" in said
    files = [file for file in Path(migrated["DATA_DIR"]).rglob("*") if file.is_file()]
    everything = said.encode() + b"".join(file.read_bytes() for file in files)
    assert [spelling for spelling in spellings if spelling.encode() in everything] == []
