"""Names that go by their age or on request: every total stays, and nothing brings a name back."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports import exports, folding, importer, kept, maintenance, privacy, search
from reports.filter import Filter
from reports.keptmodels import KeptCalls, KeptPeople, Touched
from reports.models import (
    Change,
    ErasedName,
    Ledger,
    Meeting,
    Participant,
    Pull,
    Rejected,
    Room,
    SearchText,
    TelephonyUsage,
)
from reports.provider.payloads import read_answer
from reports.sums import ATTENDEE_SUMS
from reports.text import REMOVED, fold, mentions
from tests.support import NOW, SHANGHAI, call, counts, meeting, new_pull, paged, take, take_array, visit

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=90)
DAYS = 30
ANNA = ("Anna Quartz", "ＡＮＮＡ  quartz", "\tanna QUARTZ")
WEI = ("王伟强",)
OTHERS = ("Bo Basalt", "bo basalt ", "", "(name removed) 1")
PHONES = ("+8613912345678", "+12025550123", "139****5678", "")


def everything_kept() -> list[tuple[str, str]]:
    """Every text in every column of every table, with the name of the table."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            if table.startswith("reports_searchtext_trigrams"):
                continue
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [(table, str(value)) for row in cursor.fetchall() for value in row if value is not None]
    return found


def where_is(name: str) -> list[tuple[str, str]]:
    """Where a display name stands, in whatever spelling or escape."""
    key = fold(name)

    def told(text: str) -> bool:
        plain = re.sub(r"\\u([0-9a-f]{4})", lambda one: chr(int(one[1], 16)), text)
        return any(key in fold(one) for one in (text, plain, unquote_plus(text)))

    return [(table, text) for table, text in everything_kept() if told(text)]


def totals() -> dict[str, Any]:
    """Every figure that is no name's alone."""
    found: dict[str, Any] = {}
    for name, table in exports.TABLES.items():
        hidden = {"name", "phone_number"} & set(table.columns)
        places = [place for place, column in enumerate(table.columns) if column not in hidden]
        if name != "series":  # of each name
            found[name] = sorted(tuple(row[place] for place in places) for row in table.rows(Filter(), LATER))
    first = Participant.objects.filter(attendee_visits__isnull=False)
    sums = {name: sum_ for name, sum_ in ATTENDEE_SUMS.items() if name != "newest"}
    found["attendees summed"] = first.aggregate(**sums)
    people = KeptPeople.objects.filter(stretch__lt=kept.SCALE)
    names = ("attended", "visits", "seconds", "late", "late_sum")
    found["people kept"] = {name: sum(people.values_list(name, flat=True)) for name in names}
    calls = KeptCalls.objects.exclude(by="phone").order_by("by", "key", "stretch")
    found["calls kept"] = list(calls.values_list("stretch", "by", "dials", "dial_seconds", "cost", "unpriced"))
    found["countries"] = sorted(TelephonyUsage.objects.values_list("country", "total"), key=str)
    found["changes"] = sorted(Change.objects.values_list("meeting__uuid", "note"))
    return found


def empty() -> None:
    for model in (Meeting, Room, Rejected, ErasedName, Pull, SearchText):
        model.objects.all().delete()
    folding.touch_all()
    Touched.objects.all().delete()
    Ledger.objects.all().delete()


# By age ---------------------------------------------------------------------------------------------------


@pytest.fixture
def old(settings) -> None:
    """Names are kept for a month."""
    settings.RETENTION_NAMES_DAYS = DAYS


def grown() -> None:
    """A meeting whose report changed once, and one that is like it."""
    take(meeting())
    take(meeting(participants=[visit(ANNA[0], "10:00:00", "11:00:00"), visit(ANNA[1], "10:30:00", "11:00:00")]))
    take(meeting(uuid="b", participants=[visit(WEI[0], "10:00:00", "10:30:00"), visit("", "10:00:00", "10:10:00")]))
    folding.fold()


def test_by_default_names_are_kept():
    grown()
    maintenance.prune(LATER + timedelta(days=3000))
    assert where_is(ANNA[0])


def test_names_and_numbers_go_by_age_and_every_total_stays(old):
    grown()
    before = totals()
    maintenance.prune(LATER)
    for name in (*ANNA, *WEI, "王伟", "Anna"):
        assert where_is(name) == []
    assert where_is("13912345678") == []
    assert not Touched.objects.exists()
    assert totals() == before
    assert folding.rebuild() == 0
    assert totals() == before
    assert set(TelephonyUsage.objects.values_list("country", flat=True)) == {"CN"}
    # Those without a name had none to lose.
    assert Participant.objects.filter(name="", name_key="").count() == 1
    assert not Meeting.objects.matching(Filter(q="quartz")).exists()
    assert Meeting.objects.filter(names_removed_at=LATER).count() == 2


def test_what_is_young_or_running_keeps_its_names(old):
    take(meeting(uuid="young", participants=[visit(ANNA[0], "10:00:00", "11:00:00")]))
    take(meeting(uuid="running", end_time=None, participants=[visit(WEI[0], "10:00:00", None)]))
    maintenance.prune(NOW + timedelta(days=DAYS - 2))
    assert where_is(ANNA[0])
    maintenance.prune(LATER)
    assert not where_is(ANNA[0])
    assert where_is(WEI[0])


def test_the_same_report_again_stays_the_same_and_a_changed_one_brings_no_name_back(old):
    grown()
    maintenance.prune(LATER)
    again = meeting(participants=[visit(ANNA[1], "10:30:00", "11:00:00"), visit(ANNA[0], "10:00:00", "11:00:00")])
    assert counts(take(again, now=LATER)) == (0, 0, 1, 0)
    more = meeting(participants=[*again["participants"], visit("Cy Chalk", "10:00:00", "10:20:00")], topic="Other")
    assert counts(take(more, now=LATER)) == (0, 1, 0, 0)
    assert counts(take(more, now=LATER)) == (0, 0, 1, 0)
    assert Meeting.objects.get(uuid=again["uuid"]).attendees == 2
    for name in ("Cy Chalk", ANNA[0]):
        assert where_is(name) == []
    assert where_is("13912345678") == []
    # The day's own run finds nothing to do.
    assert privacy.prune(LATER) == 0


def test_a_report_that_does_not_tell_the_end_brings_no_name_back(old):
    grown()
    maintenance.prune(LATER)
    take_array(
        {
            "id": 1571106323,
            "uuid": "b",
            "start_time": "2026-03-09T02:00:00Z",
            "participants": [{"name": "Cy Chalk", "join_time": "2026-03-09T02:00:00Z", "leave_time": None}],
        },
        now=LATER,
    )
    assert Meeting.objects.get(uuid="b").visits == 1
    assert where_is("Cy Chalk") == []


def test_what_is_old_when_it_comes_is_taken_in_without_names(old):
    grown()
    before = totals()
    empty()
    for records in (
        meeting(),
        meeting(participants=[visit(ANNA[0], "10:00:00", "11:00:00"), visit(ANNA[1], "10:30:00", "11:00:00")]),
        meeting(uuid="b", participants=[visit(WEI[0], "10:00:00", "10:30:00"), visit("", "10:00:00", "10:10:00")]),
    ):
        take(records, now=LATER)
    folding.fold()
    assert totals() == before
    for name in (*ANNA, *WEI, "13912345678"):
        assert where_is(name) == []


def test_the_hash_that_is_kept_of_a_report_tells_no_name(old):
    """Whoever has the ledger and no key cannot try names against it."""
    take(meeting())
    plain = Meeting.objects.get().participants_hash
    maintenance.prune(LATER)
    found = Meeting.objects.get()
    assert found.participants_hash.startswith("~")
    assert len(found.participants_hash) == 64
    assert plain not in found.participants_hash
    assert privacy.alike(found.participants_hash, plain)


def test_a_new_key_knows_what_the_old_one_wrote(old, settings):
    take(meeting())
    maintenance.prune(LATER)
    privacy.erase("Cy Chalk", LATER)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "x" * 60
    assert counts(take(meeting(), now=LATER)) == (0, 0, 1, 0)
    take(meeting(uuid="c", participants=[visit("Cy Chalk", "10:00:00", "11:00:00")]), now=NOW)
    assert where_is("Cy Chalk") == []


def test_no_attendee_is_followed_from_one_meeting_into_another(old):
    for number in range(3):
        take(meeting(uuid=str(number), participants=[visit(ANNA[0], f"10:0{number}:00", "11:00:00")]))
    maintenance.prune(LATER)
    assert set(Participant.objects.values_list("name_key", flat=True)) == {REMOVED}
    assert KeptPeople.objects.filter(stretch__lt=kept.SCALE).get().attended == 3


# What could not be read -----------------------------------------------------------------------------------


def broken(**changes: Any) -> dict[str, Any]:
    return (
        meeting(start_time="someday", participants=[visit(ANNA[0], "10:00:00", None), visit("Bo", "10:00:00", None)])
        | changes
    )


def test_a_record_that_could_not_be_read_loses_its_names_by_age_and_stays_so(old):
    take(broken(), now=NOW)
    assert where_is(ANNA[0])
    maintenance.prune(LATER)
    assert where_is(ANNA[0]) == where_is("13912345678") == []
    kept_raw = Rejected.objects.get().raw
    assert json.loads(kept_raw)["start_time"] == "someday"
    assert counts(take(broken(), now=LATER)) == (0, 0, 0, 1)
    assert Rejected.objects.get().raw == kept_raw


@pytest.mark.parametrize("uuid", ["abc", None])
def test_an_erased_name_goes_from_records_that_could_not_be_read_and_stays_away(uuid):
    record = broken(uuid=uuid)
    take(record)
    assert privacy.erase(ANNA[1], NOW).rejected == 1
    assert where_is(ANNA[0]) == []
    assert "Bo" in Rejected.objects.get().raw
    take(record)
    assert Rejected.objects.count() == 1
    assert where_is(ANNA[0]) == []


# On request -----------------------------------------------------------------------------------------------


def test_an_erased_name_goes_everywhere_and_every_total_stays():
    grown()
    before = totals()
    done = privacy.erase("anna quartz", NOW)
    assert (done.meetings, done.visits, done.changes) == (1, 2, 1)
    assert where_is(ANNA[0]) == []
    assert where_is(WEI[0])
    assert totals() == before
    assert folding.rebuild() == 0
    assert totals() == before
    assert not Meeting.objects.matching(Filter(q="quartz")).exists()
    assert not SearchText.objects.filter(text__contains="quartz").exists()
    again = meeting(participants=[visit(ANNA[0], "10:00:00", "11:00:00"), visit(ANNA[1], "10:30:00", "11:00:00")])
    assert counts(take(again)) == (0, 0, 1, 0)
    take(
        meeting(uuid="new", participants=[visit(ANNA[2], "10:00:00", "11:00:00"), visit("Cy", "10:00:00", "11:00:00")])
    )
    assert where_is(ANNA[0]) == []
    assert where_is("Cy")
    assert privacy.name_digest("anna quartz") in set(ErasedName.objects.values_list("digest", flat=True))


def test_before_the_sums_are_made_anew_the_name_is_gone_and_the_totals_are_right():
    grown()
    before = list(exports.TABLES["days"].rows(Filter(), LATER))
    privacy.erase(ANNA[0], NOW, fold_days=False)
    assert Touched.objects.exists()
    assert where_is(ANNA[0]) == []
    assert list(exports.TABLES["days"].rows(Filter(), LATER)) == before
    folding.fold()
    assert where_is(ANNA[0]) == []


def test_an_erased_attendee_is_not_taken_for_another_one():
    take(
        meeting(
            participants=[
                visit(ANNA[0], "10:00:00", "11:00:00"),
                visit("(name removed) 1", "10:05:00", "11:00:00"),
                visit("(Name  REMOVED) 2", "10:06:00", "11:00:00"),
            ]
        )
    )
    privacy.erase(ANNA[0], NOW)
    assert folding.rebuild() == 0
    assert Meeting.objects.get().attendees == 3
    assert len({fold(name) for name in Participant.objects.values_list("name", flat=True)}) == 3


def test_erasing_twice_or_what_never_came_is_no_error_and_keeps_it_out():
    grown()
    privacy.erase(ANNA[0], NOW)
    assert privacy.erase(ANNA[0], NOW).meetings == 0
    privacy.erase("Cy Chalk", NOW)
    take(meeting(uuid="c", participants=[visit("Cy Chalk", "10:00:00", "11:00:00")]))
    assert where_is("Cy Chalk") == []
    for wrong in ("", "  ", "(name removed)", "(name removed) 7"):
        with pytest.raises(ValueError, match="no such name"):
            privacy.erase(wrong, NOW)


def test_the_command_erases_and_says_how_much(capsys):
    grown()
    call_command("erase-name", "ANNA quartz")
    assert capsys.readouterr().out == "erased: 1 meetings, 2 visits, 1 changes, 0 rejected\n"
    assert where_is(ANNA[0]) == []
    with pytest.raises(CommandError) as error:
        call_command("erase-name", " ")
    assert error.value.returncode == 2


def test_what_is_held_on_a_name_is_its_own_and_nobody_elses():
    grown()
    take(broken(uuid="x"))
    told = privacy.held("anna QUARTZ")
    assert [one["name"] for one in told["visits"]] == [ANNA[0], ANNA[1]]
    assert [one["attendee_visits"] for one in told["visits"]] == [2, None]
    assert [len(one["after"]) for one in told["changes"]] == [2]
    assert told["changes"][0]["before"] == []
    assert [one["identity"] for one in told["rejected"]] == ["x"]
    assert told["calls"] == []
    text = json.dumps(told, ensure_ascii=False)
    assert "王" not in text
    assert "Bo" not in text
    assert privacy.held("nobody")["visits"] == []


@pytest.mark.parametrize(
    ("text", "key", "held"),
    [
        ("Report of Anna", "anna", True),
        ("Annabel", "anna", False),
        ("王伟强的会议", "王伟强", True),
        ("=SUM(A1)", "=sum(a1)", True),
        ("x", "anna", False),
    ],
)
def test_a_text_mentions_a_name_as_words_of_its_own(text, key, held):
    assert mentions(text, key) is held


# Any order of it all --------------------------------------------------------------------------------------

VISITS = st.one_of(
    st.none(),
    st.lists(
        st.builds(
            lambda name, at, length: visit(
                name, f"10:{at:02}:00", None if length is None else f"10:{at + length:02}:00"
            ),
            st.sampled_from([*ANNA, *WEI, *OTHERS]),
            st.integers(0, 29),
            st.one_of(st.none(), st.integers(0, 30)),
        ),
        max_size=5,
    ),
)
CALLS = st.one_of(
    st.none(),
    st.lists(
        st.builds(
            lambda number, price: call(number, "10:05:00", "10:15:00", 10, price),
            st.sampled_from(PHONES),
            st.sampled_from([None, 0, 0.6]),
        ),
        max_size=3,
    ),
)
RECORDS = st.builds(
    lambda uuid, visits, calls, end, topic: meeting(
        uuid=uuid, participants=visits, telephony_usage=calls, end_time=end and f"2026-03-09 {end}", topic=topic
    ),
    st.sampled_from("abc"),
    VISITS,
    CALLS,
    st.sampled_from([None, "11:00:00", "11:30:00"]),
    st.sampled_from(["x", "y"]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), RECORDS),
        st.tuples(st.just("take late"), RECORDS),
        st.tuples(st.just("reject"), VISITS),
        st.tuples(st.just("prune"), st.none()),
        st.tuples(st.just("erase"), st.sampled_from([ANNA[1], WEI[0]])),
        st.tuples(st.just("rebuild"), st.none()),
    ),
    min_size=1,
    max_size=10,
)


def walk(steps: list[tuple[str, Any]], *, removing: bool) -> list[tuple[int, int, int, int]]:
    """Do the steps; without `removing`, only those that bring something. Out: what each import said it did."""
    said = []
    for deed, what in steps:
        match deed:
            case "take" | "take late":
                answer = read_answer(json.loads(json.dumps(paged(what)), parse_float=Decimal), SHANGHAI)
                now = LATER if deed == "take late" and removing else NOW
                said.append(counts(importer.import_page(answer.records, new_pull(), now)))
            case "reject":
                take(broken(uuid="r", participants=what))
            case "rebuild":
                folding.rebuild()
            case "prune" if removing:
                maintenance.prune(LATER)
            case "erase" if removing:
                privacy.erase(what, LATER)
    folding.fold()
    return said


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS)
def test_whatever_comes_and_goes_in_whatever_order_every_total_is_that_of_the_whole_ledger(old, steps):
    empty()
    said = walk(steps, removing=False)
    whole = totals()
    empty()
    assert walk(steps, removing=True) == said
    assert totals() == whole
    erased = {fold(what) for deed, what in steps if deed == "erase"}
    for key in erased:
        assert where_is(key) == []
    maintenance.prune(LATER)
    assert totals() == whole
    # Whoever was never in a meeting that runs is nowhere any more.
    running = Meeting.objects.filter(end_time=None)
    still = set(Participant.objects.filter(meeting__in=running).values_list("name_key", flat=True))
    still |= {fold(name) for change in Change.objects.filter(meeting__in=running) for name in privacy._names(change)}
    for key in {fold(ANNA[0]), fold(WEI[0])} - still:
        assert where_is(key) == []
    search.tidy()
    assert folding.rebuild() == 0
    assert totals() == whole
