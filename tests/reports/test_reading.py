"""Answers read by another process: what it gives is what is read here, and nothing hangs on whether it lives."""

import json
import marshal
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reports import pulling, reading, schedule
from reports.models import Meeting
from reports.prepared import canonical_calls, canonical_visits, digest, prepare
from reports.provider.client import Client
from reports.provider.payloads import MeetingRecord, Page, decode, read_answer
from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.support import KEY, NOW, SECRET, SHANGHAI, ledger, meeting

NEW_YORK = ZoneInfo("America/New_York")


def answer(*records, **paging) -> bytes:
    data = {"page_number": 1, "total_page": 1, "total_record": len(records), "has_next_page": False, **paging}
    return json.dumps({"status": 200, "message": "", "data": {**data, "meetings": list(records)}}).encode()


STRANGE = (
    meeting(uuid="running", end_time=None),
    meeting(uuid="silent", participants=None, telephony_usage=None, host_id=None, email="a@b.example", host="会议室"),
    meeting(uuid="nobody", participants=[], telephony_usage=[], topic=""),
    meeting(
        uuid="parts",
        start_time="2026-03-09T10:00:00.250000Z",
        end_time="2026-03-09T11:00:00.5+08:00",
        participants=[
            {"name": "İ Ａ\u2003b", "join_time": "2026-03-09 10:00:00.5", "leave_time": None},
            {"name": "", "join_time": "2026-03-09 09:00:00", "leave_time": "2026-03-09 08:00:00"},
            {"name": "a b", "join_time": "2026-03-09 10:00:00.5", "leave_time": "2026-03-09 10:30:00"},
        ],
        telephony_usage=[
            {"phone_number": "+86 10 1234 5678", "type": "call-in", "duration": None, "total": "1,234.567891"},
            {"phone_number": "", "type": "", "start_time": "2026-03-10 00:30:00", "duration": 3, "total": -0.1},
        ],
    ),
    meeting(uuid="old", duration="6分钟", is_extra=1),
)


def here(body: bytes, site_zone: ZoneInfo) -> Page:
    page = read_answer(decode(body), SHANGHAI)
    return Page(**{name: getattr(page, name) for name in Page.__slots__} | {"records": told(page, site_zone)})


def told(page: Page, site_zone: ZoneInfo) -> tuple[MeetingRecord, ...]:
    """Records in the one form that both ways of reading have, with what is made of them."""
    return tuple(
        record._replace(
            visits=canonical_visits(record.visits),
            calls=canonical_calls(record.calls),
            prepared=record.prepared or prepare(record, site_zone),
        )
        for record in page.records
        if isinstance(record, MeetingRecord)
    )


def elsewhere(body: bytes, site_zone: ZoneInfo) -> Page:
    page = reading._page(marshal.loads(reading.answered(body, SHANGHAI, site_zone)))
    assert all(isinstance(record, MeetingRecord) and record.prepared for record in page.records)
    return Page(**{name: getattr(page, name) for name in Page.__slots__} | {"records": told(page, site_zone)})


@pytest.mark.parametrize("site_zone", [SHANGHAI, NEW_YORK], ids=str)
def test_what_is_read_elsewhere_is_what_is_read_here(site_zone):
    body = answer(*STRANGE, has_next_page=True, total_page=3, total_record=70)
    assert elsewhere(body, site_zone) == here(body, site_zone)


def test_every_page_of_a_simulated_month_is_read_the_same():
    world = World(seed=3, zone=SHANGHAI)
    read = 0
    with Sandbox(world, key=KEY, secret=SECRET, clock=lambda: NOW) as sandbox:
        for number in range(20):
            day = str(NOW.date() - timedelta(days=number))
            form = {"from": day, "to": day, "show_participants": "true", "show_telephony_usage": "true"}
            form |= {"page_size": "300", "api_key": KEY, "api_secret": SECRET}
            body = json.dumps(sandbox.answer("share/detail", form)).encode()
            page = here(body, SHANGHAI)
            if page.records:
                assert elsewhere(body, SHANGHAI) == page
            read += len(page.records)
    assert read > 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"status": 401, "message": "no such api_key"}).encode(),
        answer(),
        answer(meeting(), meeting(uuid="wrong", start_time="yesterday")),
        answer({"id": "123456789"}),
    ],
)
def test_what_is_not_as_usual_is_for_the_pulling_process_to_read(body):
    assert reading.answered(body, SHANGHAI, SHANGHAI) == b""


def test_the_digest_of_prepared_visits_is_the_digest_of_the_visits():
    for record in here(answer(*STRANGE), SHANGHAI).records:
        assert isinstance(record, MeetingRecord)
        visits, calls = canonical_visits(record.visits), canonical_calls(record.calls)
        ready = prepare(record, SHANGHAI)
        assert (ready.participants_hash, ready.telephony_hash) == (digest(visits), digest(calls))


# The process ----------------------------------------------------------------------------------------------


def patient(reader: reading.Reader, body: bytes) -> Page | None:
    """What it reads once it has started."""
    until = time.monotonic() + 20
    while (page := reader.read(body)) is None and time.monotonic() < until:
        time.sleep(0.02)
    return page


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_the_process_reads_and_knows_no_secret(monkeypatch):
    monkeypatch.setenv("UMEET_API_SECRET", "the-secret-itself")
    monkeypatch.setenv("SECRET_KEY", "the-key-itself")
    body = answer(*STRANGE)
    with reading.Reader(SHANGHAI, NEW_YORK) as reader:
        page = patient(reader, body)
        assert page is not None
        assert told(page, NEW_YORK) == here(body, NEW_YORK).records
        assert reader.read(b"<html>") is None
        assert reader.read(body) is not None
        pid = reader._process.pid
        known = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"itself" not in known
    assert not alive(pid)


def test_when_it_dies_it_is_asked_no_more():
    body = answer(meeting())
    with reading.Reader(SHANGHAI, SHANGHAI) as reader:
        assert patient(reader, body) is not None
        reader._process.kill()
        reader._process.wait()
        assert reader.read(body) is None
        assert reader.read(body) is None


def test_it_ends_with_whoever_started_it():
    program = (
        "import sys, time; from zoneinfo import ZoneInfo; from reports.reading import Reader; z = ZoneInfo('UTC');"
        "reader = Reader(z, z); print(reader._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(1)
        assert alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        until = time.monotonic() + 10
        while alive(pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert not alive(pid)


# A pull -----------------------------------------------------------------------------------------------------

DAYS = [date(2026, 3, 9) - timedelta(days=number) for number in range(6)]


def records():
    return [
        meeting(
            uuid=f"{day}-{number}",
            meeting_id=str(157100000 + number),
            start_time=f"{day} 10:{number:02}:00",
            end_time=f"{day} 11:{number:02}:00",
            participants=[
                {"name": f"Name {one}", "join_time": f"{day} 10:{one:02}:00", "leave_time": f"{day} 10:59:00"}
                for one in range(number % 4)
            ],
        )
        for day in DAYS
        for number in range(10)
    ]


@pytest.fixture
def client(api):
    api.clock = lambda: NOW
    with Client(api.url, KEY, SECRET, zone=SHANGHAI, timeout=5, attempts=1, sleep=lambda _: None) as client:
        yield client


def pulled(client, fixed, **change):
    fixed.records = records() if not change else [record | change for record in records()]
    return pulling.pull_days(client, lambda: NOW, days=(DAYS[-1], DAYS[0]))


@pytest.mark.django_db(transaction=True)
def test_a_pull_brings_the_same_whoever_reads(client, fixed, monkeypatch):
    run = pulled(client, fixed)
    assert (run.new, run.state) == (60, "done")
    expected = ledger()
    Meeting.objects.all().delete()

    asked: list[Page | None] = []
    monkeypatch.setattr(pulling, "DAYS_WORTH_A_READER", 2)
    monkeypatch.setattr(pulling, "Reader", lambda *zones: Eager(asked, *zones))
    run = pulled(client, fixed)
    assert (run.new, run.state) == (60, "done")
    assert ledger() == expected
    assert [page is not None for page in asked] == [True] * len(DAYS)
    assert client.reader is None

    # The same again, and the same with other facts and visits.
    assert pulled(client, fixed).same == 60
    assert pulled(client, fixed, topic="Another").changed == 60
    visit = {"name": "New", "join_time": "2026-03-09 10:00:00", "leave_time": "2026-03-09 10:30:00"}
    assert pulled(client, fixed, topic="Another", participants=[visit]).changed == 60
    assert set(Meeting.objects.values_list("participants__name", "topic")) == {("New", "Another")}


class Eager(reading.Reader):
    """One that has started before it is asked, and notes what it gave."""

    def __init__(self, asked, *zones):
        super().__init__(*zones)
        self.asked = []
        assert patient(self, answer(meeting())) is not None
        self.asked = asked

    def read(self, body):
        page = super().read(body)
        self.asked.append(page)
        return page


@pytest.mark.django_db(transaction=True)
def test_a_reader_that_dies_in_the_middle_costs_nothing(client, fixed, monkeypatch):
    asked: list[Page | None] = []

    class Dying(Eager):
        def read(self, body):
            if self.asked is asked and len(asked) == 3:
                self._process.kill()
            return super().read(body)

    monkeypatch.setattr(pulling, "DAYS_WORTH_A_READER", 2)
    monkeypatch.setattr(pulling, "Reader", lambda *zones: Dying(asked, *zones))
    run = pulled(client, fixed)
    assert (run.new, run.state, run.error) == (60, "done", "")
    assert [page is not None for page in asked] == [True] * 3 + [False] * 3


@pytest.mark.django_db
def test_few_days_are_not_worth_a_process(client, fixed, monkeypatch):
    monkeypatch.setattr(pulling, "Reader", None)
    assert schedule.due_days(NOW).count() < pulling.DAYS_WORTH_A_READER
    assert pulled(client, fixed).new == 60
