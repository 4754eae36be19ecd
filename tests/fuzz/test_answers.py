"""Answers that went wrong, through the real client over real HTTP into a real database.

FUZZ_ANSWERS is how many changed records are tried (10,000 for a long look), FUZZ_SEED where chance begins.
"""

import os
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reports import folding, importer, summaries
from reports.models import Meeting, Participant, Rejected, TelephonyUsage
from reports.provider.client import Client
from reports.provider.errors import ProviderError
from reports.provider.payloads import MeetingRecord, Shape, Unreadable, decode, read_record
from tests.fuzz import answers
from tests.reports.provider.http_peer import Peer, raw
from tests.support import NOW, SECRET, new_pull

pytestmark = pytest.mark.django_db
RECORDS = int(os.environ.get("FUZZ_ANSWERS", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "20260310"))
TOGETHER = 20  # changed records in one answer
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def peer():
    with Peer() as peer:
        yield peer


def client(peer: Peer) -> Client:
    return Client(peer.url, "fuzz-key-1", SECRET, zone=SHANGHAI, timeout=10, attempts=1, sleep=lambda _: None)


def identity(record: Unreadable) -> str:
    return record.uuid or record.raw


def body_of(items: list[Any], array: bool) -> bytes:
    data = items if array else {"total_record": len(items), "page_number": 1, "total_page": 1, "meetings": items}
    # "surrogatepass" is not needed: dump() writes ASCII.
    return answers.dump({"status": 200, "message": "OK", "data": data}).encode()


def test_bad_records_are_rejected_one_by_one_and_good_ones_kept_whole(peer, admin):
    random = Random(SEED)
    pull = new_pull()
    seen: dict[str, int] = {}
    tried = refused = 0
    with client(peer) as asking:
        for batch in range(-(-RECORDS // TOGETHER)):
            array = random.random() < 0.25
            wrong = [answers.record(f"wrong-{batch}-{n}==", random) for n in range(TOGETHER)]
            good = [answers.record(f"good-{batch}-{n}==", random) for n in range(2)]
            spelt = [answers.array_item(one) if array else one for one in (*wrong, *good)]
            items = [*(answers.changed(one, random) for one in spelt[:TOGETHER]), *spelt[TOGETHER:]]
            random.shuffle(items)
            peer.forms.clear()
            peer.script = [raw(body_of(items, array))]
            where = f"seed {SEED}, batch {batch}"
            pages = list(asking.reports(["1571106323"]))
            records = [record for page in pages for record in page.records]
            assert len(records) == len(items), where
            outcome = importer.import_page(records, pull, NOW)
            tried += TOGETHER
            refused += outcome.rejected
            told = {record.uuid: record for record in records if isinstance(record, MeetingRecord)}
            for one in good:
                assert one["uuid"] in told, f"{where}: a good record was lost"
            for record in records:
                if isinstance(record, MeetingRecord):
                    seen[record.uuid] = seen.get(record.uuid, 0) + 1
            check_kept(told, seen, where)
            check_rejected([record for record in records if isinstance(record, Unreadable)], told, where)
    # The answers were bad enough, and not all of them.
    assert tried * 0.3 < refused < tried * 0.95
    # What was computed while they came is what the rows say.
    assert summaries.rebuild() == 0
    folding.fold()
    for path in ("/", "/meetings/?period=all", "/people/?period=all", "/telephony/?period=all", "/data/", "/series/"):
        assert admin.get(path).status_code == 200, path
    for table in ("meetings", "participants", "telephony", "attendees"):
        assert b"".join(admin.get(f"/{table}.csv?period=all").streaming_content), table


def check_kept(told: dict[str, MeetingRecord], seen: dict[str, int], where: str) -> None:
    """Each meeting is there with all of its visits and calls."""
    rows = {row.uuid: row for row in Meeting.objects.filter(uuid__in=told)}
    assert rows.keys() == told.keys(), where
    ids = [row.pk for row in rows.values()]
    visits = list(Participant.objects.filter(meeting__in=ids).values_list("meeting_id", flat=True))
    calls = list(TelephonyUsage.objects.filter(meeting__in=ids).values_list("meeting_id", flat=True))
    for uuid, record in told.items():
        # A second report of a meeting adds to the first: what it becomes is for the importer's own tests.
        if seen[uuid] > 1:
            continue
        assert visits.count(rows[uuid].pk) == len(record.visits or ()), f"{where}: {uuid}"
        assert calls.count(rows[uuid].pk) == len(record.calls or ()), f"{where}: {uuid}"
        assert rows[uuid].visits == (None if record.visits is None else len(record.visits)), f"{where}: {uuid}"


def check_rejected(records: list[Unreadable], told: dict[str, MeetingRecord], where: str) -> None:
    """Each is kept with field and reason, in a text that is JSON and is read as wrong again."""
    kept_rows = {row.raw: row for row in Rejected.objects.filter(raw__in=[record.raw for record in records])}
    for record in records:
        assert record.field, where
        assert record.reason, where
        assert "Error" not in record.reason, f"{where}: {record.field} {record.reason}"
        if record.uuid in told:
            continue  # the same answer had it in a readable form too
        row = kept_rows.get(record.raw)
        if row is None:
            # The last one of a uuid counts.
            assert sum(other.uuid == record.uuid for other in records) > 1, where
            continue
        assert (row.field, row.reason) == (record.field, record.reason), where
        again = read_record(decode(row.raw), Shape.PAGED, SHANGHAI)
        assert isinstance(again, Unreadable), f"{where}: {row.raw[:300]}"


def test_answers_that_are_damaged_as_a_whole_end_in_one_sentence(peer):
    random = Random(SEED + 1)
    before = Meeting.objects.count()
    with client(peer) as asking:
        for batch in range(RECORDS // 10):
            items = [answers.record(f"whole-{batch}-{n}==", random) for n in range(3)]
            body = answers.broken(body_of(items, random.random() < 0.25), random)
            peer.forms.clear()
            peer.script = [raw(body)]
            said = ""
            try:
                # Some damage leaves an answer that can be read: then its records are like any others.
                records = [record for page in asking.reports(["1571106323"]) for record in page.records]
                assert len(records) <= 6
            except ProviderError as error:
                said = str(error)
            assert "Error" not in said, (batch, said)
            assert "fuzz-key-1" not in said
            assert SECRET not in said
            assert len(said) < 1000
    assert Meeting.objects.count() == before


def test_every_text_comes_back_as_json_can_hold_it():
    """Whatever a record holds, what is kept of it is ASCII, and is read as it was: no database refuses it."""
    random = Random(SEED + 2)
    for _ in range(RECORDS):
        body = answers.dump(answers.changed(answers.record("one==", random), random))
        record = read_record(decode(body.encode()), Shape.PAGED, SHANGHAI)
        if isinstance(record, Unreadable):
            assert record.raw.isascii()
            assert isinstance(read_record(decode(record.raw), Shape.PAGED, SHANGHAI), Unreadable)
