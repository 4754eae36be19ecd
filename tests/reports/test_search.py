"""A search finds what plain reading of every topic, number and name finds, however it is asked and whoever wrote."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from reports import checks, importer, maintenance, querysets, search, summaries
from reports.expressions import LONG
from reports.filter import Filter
from reports.models import Meeting, Participant, SearchText, TelephonyUsage
from reports.text import fold
from tests.support import NOW, call, examples, meeting, take, visit

pytestmark = pytest.mark.django_db


def report(place: int, topic: str, names: list[str], number: str = "1571106323") -> dict[str, Any]:
    visits = [visit(name, "10:00:00", "11:00:00") for name in names]
    calls = [call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6)]
    return meeting(uuid=f"uuid-{place}", topic=topic, meeting_id=number, participants=visits, telephony_usage=calls)


def read(q: str) -> set[str]:
    """The uuids of the meetings that a search is for, by reading all there is."""
    wanted = fold(q)
    digits = "".join(wanted.replace("-", "").split())
    found = set()
    for met in Meeting.objects.prefetch_related("participants"):
        texts = [fold(met.topic), *(fold(one.name) for one in met.participants.all())]
        number = wanted in met.meeting_id or (digits.isdigit() and digits in met.meeting_id)
        if number or any(wanted in text for text in texts):
            found.add(met.uuid)
    return found


def found(chosen: Filter) -> set[str]:
    """The uuids of the meetings of a filter; visits and calls have to be of the same ones, each once."""
    uuids = list(Meeting.objects.matching(chosen).values_list("uuid", flat=True))
    assert len(uuids) == len(set(uuids))
    for model in (Participant, TelephonyUsage):
        rows = sorted(model.objects.matching(chosen).values_list("pk", flat=True))
        assert rows == sorted(model.objects.filter(meeting__uuid__in=uuids).values_list("pk", flat=True))
    return set(uuids)


def texts() -> set[tuple[str, str]]:
    return set(SearchText.objects.values_list("kind", "text"))


# Few letters, so that texts have something in common; and all that is special to some pattern or query language.
LETTERS = "复盘会议王ab1５Ａß%_\\'\"*?[]()-^ \u3000é\u0301😀\ufffd"
some_text = st.text(LETTERS, max_size=9)
some_number = st.sampled_from(["", "157110632", "15711063231", "1579334441"])
some_query = st.text(LETTERS + "\x00", min_size=1, max_size=4) | st.sampled_from(["15", "157-110", "1 5", "5711063231"])


@examples(60)
@given(
    st.lists(st.tuples(some_text, st.lists(some_text, max_size=3), some_number), min_size=1, max_size=8),
    st.lists(some_query, min_size=1, max_size=12),
    st.data(),
)
def test_any_text_finds_what_contains_it(db, meetings, queries, data):
    Meeting.objects.all().delete()
    take(*(report(place, *one) for place, one in enumerate(meetings)))
    kept = [text for topic, names, _number in meetings for text in (topic, *names) if text.strip()]
    # Parts of what is there, too: a text at random is seldom in another one.
    for text in kept:
        start = data.draw(st.integers(0, len(text) - 1))
        queries.append(text[start : start + data.draw(st.integers(1, 9))])
    for q in queries:
        assert found(Filter(q=q)) == read(q), q
    # Whole topics and names.
    for text in {"", *map(fold, kept)}:
        topics = {met.uuid for met in Meeting.objects.all() if fold(met.topic) == text}
        assert found(Filter(topic=text)) == topics
        named = Meeting.objects.filter(participants__in=[v for v in Participant.objects.all() if fold(v.name) == text])
        assert set(Meeting.objects.matching(Filter(name=text))) == set(named)
        assert {one.meeting for one in Participant.objects.matching(Filter(name=text))} == set(named)


@pytest.mark.parametrize("length", [LONG - 2, LONG - 1, LONG, LONG + 1, 3 * LONG, 20_000])
def test_texts_of_any_length_are_found_by_any_part_and_as_a_whole(length):
    # Not to be compressed: an index of PostgreSQL refuses what is still too long then.
    text = "".join(chr(0x4E00 + place * 7919 % 20_000) for place in range(length))
    other = text[:-1] + "尾"
    take(report(1, text, ["Anna"]), report(2, "周例会", [text]), report(3, other, [other]))
    assert found(Filter(q=text)) == {"uuid-1", "uuid-2"}
    assert found(Filter(q=text[-3:])) == {"uuid-1", "uuid-2"}
    assert found(Filter(q=text[:40])) == found(Filter(q=text[:2])) == {"uuid-1", "uuid-2", "uuid-3"}
    assert found(Filter(topic=text)) == {"uuid-1"}
    assert found(Filter(topic=text[:-1])) == set()
    assert {met.uuid for met in Meeting.objects.matching(Filter(name=text))} == {"uuid-2"}
    assert [one.name for one in Participant.objects.matching(Filter(name=other))] == [other]
    assert found(Filter(q=text + "x")) == found(Filter(q="x" * 60_000)) == set()


@pytest.mark.parametrize("q", ["\x00", "周\x00", "\ud83d", "例会\udc00x"])
def test_what_no_text_can_hold_is_found_nowhere(q):
    take(meeting())
    assert found(Filter(q=q)) == set()


def test_a_search_follows_every_write():
    take(report(1, "周例会", ["王伟", "Anna"]), report(2, "预算讨论", ["Bo"], "1579334441"))
    assert found(Filter(q="例会")) == {"uuid-1"}
    # A topic, a name and a number that change with a later report.
    take(report(2, "月度复盘", ["李娜"], "1790001234"))
    for q, uuids in {
        "预算": set(),
        "预算讨论": set(),
        "复": {"uuid-2"},
        "月度复": {"uuid-2"},
        "bo": set(),
        "李娜": {"uuid-2"},
        "157933": set(),
        "790001": {"uuid-2"},
    }.items():
        assert found(Filter(q=q)) == read(q) == uuids, q
    # A report that knows no topic and no visits: what was known stays found.
    take(meeting(uuid="uuid-2", topic=None, participants=None, meeting_id="1790001234", end_time="2026-03-09 11:30:00"))
    assert found(Filter(q="月度复")) == found(Filter(q="李娜")) == {"uuid-2"}
    Meeting.objects.get(uuid="uuid-2").delete()
    assert found(Filter(q="月度复")) == found(Filter(q="李娜")) == set()
    take(report(3, "月度复盘", ["李娜"]))
    assert found(Filter(q="月度复")) == found(Filter(q="李娜")) == {"uuid-3"}


def test_pruned_meetings_are_not_found_and_the_others_are(settings):
    old = {"start_time": "2020-01-01 10:00:00", "end_time": "2020-01-01 11:00:00"}
    take(report(1, "周例会", ["王伟"]), report(2, "周例会", ["王伟", "Anna"]) | old)
    settings.RETENTION_DAYS = 365
    assert maintenance.prune(NOW) == 1
    assert found(Filter(q="周例会")) == found(Filter(q="王")) == {"uuid-1"}
    assert found(Filter(q="anna")) == set()


def test_an_import_that_is_undone_leaves_no_text_and_the_next_one_makes_it(monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(importer, "_wake", fail)
    with pytest.raises(RuntimeError):
        take(report(1, "周例会", ["王伟"]))
    assert texts() == set()
    monkeypatch.undo()
    take(report(1, "周例会", ["王伟"]))
    assert texts() == {("topic", "周例会"), ("number", "1571106323"), ("name", "王伟")}
    assert found(Filter(q="王伟")) == found(Filter(q="周例会")) == {"uuid-1"}


def test_a_rebuild_makes_what_is_missing_and_drops_what_nobody_has():
    long = "长" * LONG
    take(report(1, "周例会", ["王伟", "", long]), report(2, long, ["Anna"], ""), report(3, "", ["Bo"], "1579334441"))
    whole = {("topic", "周例会"), ("name", "王伟"), ("name", "anna"), ("name", "bo")}
    whole |= {("number", "1571106323"), ("number", "1579334441")}
    assert texts() == whole
    SearchText.objects.all().delete()
    SearchText.objects.create(kind="name", text="周例会")
    summaries.rebuild()
    assert texts() == whole
    Meeting.objects.filter(uuid="uuid-1").delete()
    assert texts() == whole
    summaries.rebuild()
    assert texts() == {("name", "anna"), ("name", "bo"), ("number", "1579334441")}
    assert found(Filter(q="anna")) == {"uuid-2"}
    assert found(Filter(q="周例会")) == set()


def drop_trigrams() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP {'TABLE' if connection.vendor == 'sqlite' else 'INDEX'} {querysets.TRIGRAMS}")
        if connection.vendor == "sqlite":  # the triggers hang on the table of the texts
            for event in ("insert", "delete", "update"):
                cursor.execute(f"DROP TRIGGER {querysets.TRIGRAMS}_{event}")


def warnings() -> list[str]:
    return [str(one.id) for one in checks.search_has_its_index(databases=["default"])]


def test_without_the_index_a_search_finds_the_same_and_a_check_says_so(monkeypatch):
    monkeypatch.setattr(querysets, "_seen", set())
    assert warnings() == []
    monkeypatch.setattr(querysets, "_seen", set())
    drop_trigrams()
    take(report(1, "周例会 12", ["王伟强"]))
    assert warnings() == ["reports.W003"]
    assert found(Filter(q="会 12")) == found(Filter(q="王伟强")) == found(Filter(q="5711")) == {"uuid-1"}
    summaries.rebuild()
    assert warnings() == []
    assert found(Filter(q="会 12")) == found(Filter(q="王伟强")) == found(Filter(q="5711")) == {"uuid-1"}


def test_where_the_index_may_not_be_made_everything_else_goes_on(monkeypatch):
    monkeypatch.setattr(querysets, "_seen", set())
    drop_trigrams()
    wrong = dict.fromkeys(search.TRIGRAMS_MADE_BY, ("CREATE TABLE half_way (x integer)", "CREATE NOTHING"))
    monkeypatch.setattr(search, "TRIGRAMS_MADE_BY", wrong)
    take(report(1, "周例会 12", ["王伟强"]))
    assert search.make_trigrams() is False
    assert summaries.rebuild() == 0
    assert found(Filter(q="王伟强")) == {"uuid-1"}
    assert "half_way" not in connection.introspection.table_names()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL drops no trigger with a table that is altered")
def test_an_index_that_would_miss_what_is_new_is_not_used(monkeypatch):
    take(report(1, "周例会 12", ["王伟强"]))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {querysets.TRIGRAMS}_insert")
    monkeypatch.setattr(querysets, "_seen", set())
    take(report(2, "周例会 13", ["王伟国"]))
    assert found(Filter(q="会 13")) == {"uuid-2"}
    assert warnings() == ["reports.W003"]
    search.tidy()
    assert warnings() == []
    assert found(Filter(q="会 13")) == {"uuid-2"}


@pytest.mark.parametrize("prefix", ["meetings", "visits", "calls"])
@pytest.mark.parametrize(
    "chosen",
    [
        Filter(q="复盘"),
        Filter(q="复盘 17"),
        Filter(q="15711"),
        Filter(q="复盘 17", first=NOW.date(), last=NOW.date()),
        Filter(topic="复盘 17"),
        Filter(topic="复" * LONG),
        Filter(name="王伟"),
        Filter(name=""),
        Filter(name="王" * LONG),
    ],
    ids=lambda chosen: chosen.q or f"{(chosen.topic or '')[:5]} {(chosen.name or '')[:5]}",
)
def test_no_filter_by_text_reads_all_meetings_or_visits(chosen, prefix):
    take(*(report(place, f"复盘 {place}", [f"王伟{place}"]) for place in range(30)))
    model = {"meetings": Meeting, "visits": Participant, "calls": TelephonyUsage}[prefix]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
            cursor.execute("SET LOCAL enable_seqscan = off")  # which so few rows would be worth
    plan = model.objects.matching(chosen).order_by().explain()
    tables = ("reports_meeting", "reports_participant", "reports_telephonyusage")
    for line in plan.splitlines():
        if connection.vendor == "postgresql":
            assert "Seq Scan" not in line or "searchtext" in line, plan
        elif "SCAN" in line:
            # Of the long ones all are read: that index holds no others.
            assert not any(f"SCAN {table}" in line for table in tables) or "_long_" in line, plan
    if connection.vendor == "sqlite" and len(chosen.q) >= 3:
        # Nor all texts, where trigrams tell which.
        assert "SEARCH kept USING INTEGER PRIMARY KEY" in plan
        assert "(kind=?)" not in plan


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_drops_no_text_that_an_import_at_work_relies_on(monkeypatch):
    monkeypatch.setattr(search, "make_trigrams", lambda: True)  # making an index waits as well, and for another reason
    take(report(1, "周例会", ["王伟"]))
    Meeting.objects.all().delete()  # its texts are unused now
    begun, tidied = threading.Event(), threading.Event()

    def rebuild() -> None:
        try:
            begun.wait(20)
            search.tidy()
        finally:
            tidied.set()
            connection.close()

    other = threading.Thread(target=rebuild)
    other.start()
    with transaction.atomic():
        take(report(2, "周例会", ["王伟"]))
        begun.set()
        assert not tidied.wait(0.5)
    other.join(20)
    assert tidied.is_set()
    assert found(Filter(q="王伟")) == found(Filter(q="周例会")) == {"uuid-2"}
