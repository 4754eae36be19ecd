"""A running demo, a real mail server: a budget that is crossed sends one mail, whatever happens to its worker."""

import os
import re
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from reports.sandbox.server import Sandbox
from reports.sandbox.world import FixedWorld
from tests.faults.processes import send, wait_for
from tests.faults.test_start import free_port, sign_in, started
from tests.smtp import SmtpServer
from tests.support import KEY, SECRET, SHANGHAI, meeting


def called(number: int, cost: float) -> dict[str, Any]:
    """A meeting of today that has just ended, with one call of so much."""
    now = datetime.now(SHANGHAI)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = max(midnight, now - timedelta(minutes=10))
    begin, end = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (start, start + (now - start) / 2))
    one = {"phone_number": "+8613912345678", "type": "call-out", "start_time": begin, "end_time": end}
    return meeting(
        uuid=f"m-{number}",
        start_time=begin,
        end_time=end,
        participants=[],
        telephony_usage=[{**one, "duration": 1, "total": cost}],
    )


def post_form(session: requests.Session, address: str, **form: str) -> None:
    """Send a form as a browser does."""
    page = session.get(address.replace("/pull/", "/"), timeout=30).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    answer = session.post(address, data={**form, "csrfmiddlewaretoken": token}, timeout=30)
    assert answer.status_code == 200, answer.text


def worker_of(process_id: int) -> int:
    """The worker among the children of `start`."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"PPid:\t{process_id}\n" in (folder / "status").read_text()
            if mine and b"celery" in (folder / "cmdline").read_bytes():
                return int(folder.name)
        except OSError:
            continue
    return 0


def test_a_budget_that_is_crossed_sends_one_mail_not_two(migrated):
    world = FixedWorld([called(1, 30)])
    with SmtpServer() as post, Sandbox(world, key=KEY, secret=SECRET) as api:
        # The demo with a company of the test's own: what crosses the budget is pulled as everything is.
        environment = {
            **migrated,
            "ROOMLEDGER_DEMO": "1",
            "ROOMLEDGER_SANDBOX_PORT": str(free_port()),
            "UMEET_URL": api.url,
            "EMAIL_URL": post.url,
            "EMAIL_FROM": "Roomledger <roomledger@example.com>",
            "SITE_URL": "http://rooms.example.com/",
        }
        with started(environment, "--demo") as (url, process):
            session = sign_in(url, "demo", "demo")

            def spent(amount: str) -> bool:
                return f"¥{amount}</b>" in session.get(f"{url}/budgets/", timeout=30).text

            def pulled(cost: float, amount: str) -> None:
                """One more call is reported, and it is pulled."""
                world.records.append(called(len(world.records) + 1, cost))
                post_form(session, f"{url}/data/pull/")
                assert wait_for(lambda: spent(amount), 180, 0.2), amount

            post_form(
                session,
                f"{url}/budgets/new/",
                amount="100",
                thresholds="50, 80, 100",
                recipients="boss@example.com",
                language="en",
                active="on",
            )
            assert wait_for(lambda: spent("30.00"), 180, 0.2)
            assert post.mails == []

            pulled(55, "85.00")
            assert wait_for(lambda: len(post.mails) == 1, 90)
            (mail,) = post.mails
            assert mail.to == ("boss@example.com",)
            assert mail.message["Subject"].strip() == "Telephony budget: 80% of ¥100.00 reached (All rooms)"
            assert "http://rooms.example.com/telephony/?from=" in mail.part("text/plain")

            # More calls, more looks, and a worker that is killed and started again: nothing more to tell.
            for _ in range(3):
                send(environment, "dashboard.tasks.check_budgets")
            pulled(1, "86.00")
            first = worker_of(process.pid)
            os.kill(first, signal.SIGKILL)
            assert wait_for(lambda: worker_of(process.pid) not in {0, first}, 90)
            pulled(1, "87.00")
            for _ in range(3):
                send(environment, "dashboard.tasks.check_budgets")
            # The next threshold is told after all of that, and so by a worker that has seen all of it.
            pulled(13, "100.00")
            assert wait_for(lambda: len(post.mails) == 2, 180)
            wait_for(lambda: len(post.mails) > 2, 3)
            assert [mail.message["Subject"].strip()[:23] for mail in post.mails] == [
                "Telephony budget: 80% o",
                "Telephony budget: 100% ",
            ]
