"""Pulling over real HTTP from the simulated API: schedules, claims, faults by their remedy."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from reports import leases, pulling, schedule
from reports.figures import coverage
from reports.models import Licence, Meeting, Pull, PulledDay, Rejected, Room, Source, TrackedNumber
from reports.provider.client import Client
from tests.support import KEY, NOW, SECRET, SHANGHAI, ledger, meeting

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 9)


class Clock:
    """A clock that the test moves."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += timedelta(**span)


@pytest.fixture
def clock(api):
    clock = Clock()
    api.clock = clock
    return clock


@pytest.fixture
def client(api):
    # One attempt a call and no waiting: what is tested here is what happens after the client gave up.
    with Client(api.url, KEY, SECRET, zone=SHANGHAI, timeout=1, attempts=1, sleep=lambda _: None) as client:
        yield client


def records(count):
    return [
        meeting(uuid=f"uuid-{n}", meeting_id=str(1571000000 + n), start_time=f"2026-03-09 10:{n % 60:02d}:00")
        for n in range(count)
    ]


def asked(api, endpoint):
    return [call for call in api.calls if call.endpoint == endpoint]


def test_5000_numbers_are_asked_for_in_25_calls_and_again_changes_no_row(api, fixed, client, clock):
    fixed.records = records(5000)
    numbers = [str(1571000000 + n) for n in range(5000)]
    assert schedule.track(numbers, clock()) == 5000
    assert schedule.track(numbers, clock()) == 0
    pull = pulling.pull_numbers(client, clock)
    assert (pull.new, pull.state, pull.pieces_done) == (5000, "done", 5000)
    calls = [call for call in asked(api, "share/reports") if "page_number" not in call.form]
    assert len(calls) == 25
    assert {len(call.form["meeting_ids"].split(",")) for call in calls} == {200}
    rows = list(Meeting.objects.order_by("pk").values())
    # Right after: nothing is due, so nothing is asked.
    api.calls.clear()
    assert pulling.pull_numbers(client, clock) is None
    assert not api.calls
    # And asked all the same: nothing changes.
    pull = pulling.pull_numbers(client, clock, numbers=numbers[:400])
    assert (pull.new, pull.changed, pull.same) == (0, 0, 400)
    assert list(Meeting.objects.order_by("pk").values()) == rows


def test_a_number_settles_step_by_step_and_is_woken(fixed, client, clock):
    fixed.records = [meeting()]
    schedule.track(["1571106323"], clock())
    waits = []
    for _ in range(8):
        assert pulling.pull_numbers(client, clock) is not None
        number = TrackedNumber.objects.get()
        waits.append(number.next_due_at - clock())
        clock.forward(seconds=waits[-1].total_seconds())
    assert waits == [*schedule.SETTLING, *[schedule.SETTLED] * 3]
    assert number.state == "settled"
    fixed.records = [meeting(), meeting(uuid="second")]
    pulling.pull_numbers(client, clock)
    number.refresh_from_db()
    assert (number.state, number.step) == ("settling", 0)


def test_a_running_meeting_is_asked_about_again_soon(fixed, client, clock):
    fixed.records = [meeting(end_time="")]
    schedule.track(["1571106323"], clock())
    for _ in range(3):
        pulling.pull_numbers(client, clock)
        number = TrackedNumber.objects.get()
        assert number.next_due_at - clock() == schedule.SETTLING[0]
        clock.forward(minutes=10)


def test_no_report_yet_is_a_state_and_never_goes_to_sleep(client, clock):
    schedule.track(["1579334441"], clock())
    for _ in range(10):
        pull = pulling.pull_numbers(client, clock)
        assert pull.state == "done"
        number = TrackedNumber.objects.get()
        assert (number.state, number.last_error) == ("waiting", "")
        assert number.next_due_at - clock() <= timedelta(days=1)
        clock.now = number.next_due_at
    assert number.next_due_at - number.asked_at == timedelta(days=1)


def test_the_array_shape_over_http(api, fixed, client, clock):
    fixed.records = [meeting()]
    api.faults.on("array-shape")
    schedule.track(["1571106323", "1579334441"], clock())
    pull = pulling.pull_numbers(client, clock)
    assert (pull.new, pull.state) == (1, "done")
    assert dict(TrackedNumber.objects.values_list("number", "state")) == {
        "1571106323": "settling",
        "1579334441": "waiting",
    }


def test_days_are_asked_one_by_one_newest_first_and_settle(api, fixed, client, clock):
    fixed.records = records(130)
    schedule.schedule_days(date(2026, 3, 1), date(2026, 3, 10), clock())
    pull = pulling.pull_days(client, clock)
    assert (pull.new, pull.state, pull.pieces_done) == (130, "done", 10)
    days = list(dict.fromkeys(call.form["from"] for call in asked(api, "share/detail")))
    assert days == [f"2026-03-{day:02d}" for day in range(10, 0, -1)]
    assert all(call.form["from"] == call.form["to"] for call in api.calls)
    kept = PulledDay.objects.get(day=DAY)
    assert (kept.announced, kept.delivered, kept.complete_at) == (130, 130, clock())
    # Recent days come again within the hour, old ones once more when they are a week old, then never.
    assert kept.next_due_at == clock() + timedelta(hours=1)
    assert PulledDay.objects.get(day=date(2026, 3, 5)).next_due_at > clock() + timedelta(days=1)
    clock.forward(days=30)
    pulling.pull_days(client, clock)
    assert not schedule.due_days(clock() + timedelta(days=999)).exists()


def test_progress_is_measured_against_all_that_is_due(fixed, client, clock):
    seen = []
    schedule.schedule_days(date(2026, 3, 1), date(2026, 3, 10), clock())
    pulling.pull_days(client, clock, watch=lambda pull: seen.append((pull.pieces_done, pull.pieces)))
    assert {pieces for _, pieces in seen} == {10}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (10, 10)


def test_the_first_schedule_reaches_back_a_year_and_fills_gaps_later(clock, settings):
    settings.HISTORY_DAYS = 366
    schedule.schedule_recent(clock())
    assert PulledDay.objects.count() == 366
    PulledDay.objects.update(next_due_at=None)
    clock.forward(days=10)  # the machine was off
    schedule.schedule_recent(clock())
    due = set(schedule.due_days(clock()).values_list("day", flat=True))
    assert due == {date(2026, 3, 10) + timedelta(days=n) for n in range(1, 11)}


def test_only_numbers_are_pulled_when_dates_are_off(clock, settings):
    settings.UMEET_PULL_DATES = False
    schedule.schedule_recent(clock())
    assert not PulledDay.objects.exists()


def test_rooms_get_names_and_capacities(api, fixed, client, clock):
    fixed.records = [meeting()]
    fixed.room_records = [{"id": "HOST-1", "email": "r1@x.example", "first_name": "梧桐", "meeting_capacity": "25"}]
    pulling.pull_days(client, clock, days=(DAY, DAY))
    pull = pulling.pull_rooms(client, clock)
    assert (pull.changed, pull.new) == (1, 0)
    assert list(Room.objects.values_list("host_id", "name", "capacity")) == [("HOST-1", "梧桐", 25)]
    assert pulling.pull_rooms(client, clock).same == 1


LICENCE = {"payType": "1", "expire_date": "2027-12-31", "capacity": {"25": 5, "100": 1}}


def answers_licensing(api, monkeypatch, data, status=200):
    """Have the simulated API answer licensing with just this; share/rooms stays as it is."""
    usual = api.answer

    def answer(endpoint, form):
        told = usual(endpoint, form)
        return {"status": status, "message": "not yours", "data": data} if endpoint == "licensing" else told

    monkeypatch.setattr(api, "answer", answer)


def licences():
    return list(Licence.objects.values_list("capacity", "pay_type", "expire_date", "first_seen_at", "last_seen_at"))


def test_the_licence_is_pulled_with_the_rooms_and_again_changes_nothing(api, client, clock, monkeypatch):
    answers_licensing(api, monkeypatch, LICENCE)
    first = clock()
    pull = pulling.pull_rooms(client, clock)
    assert (pull.state, pull.error, pull.pages) == ("done", "", 1)
    told = ({"25": 5, "100": 1}, "1", date(2027, 12, 31))
    assert licences() == [(*told, first, first)]
    pulling.pull_rooms(client, clock)
    assert licences() == [(*told, first, first)]
    clock.forward(days=1)
    pulling.pull_rooms(client, clock)
    assert licences() == [(*told, first, clock())]
    assert [call.endpoint for call in api.calls] == ["share/rooms", "licensing"] * 3


def test_another_licence_is_another_row_and_the_newest_told_comes_first(api, client, clock, monkeypatch):
    more = {**LICENCE, "capacity": {"25": 6, "100": 1}}
    for data in (LICENCE, more, {**more, "payType": "3"}, {**more, "expire_date": None}, LICENCE):
        answers_licensing(api, monkeypatch, data)
        pulling.pull_rooms(client, clock)
        clock.forward(days=1)
    assert Licence.objects.count() == 4
    newest = Licence.objects.first()
    assert (newest.capacity, newest.pay_type) == ({"25": 5, "100": 1}, "1")
    assert newest.last_seen_at - newest.first_seen_at == timedelta(days=4)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (None, 404, "The provider refuses the question (status 404: not yours)."),
        (None, 401, "The provider does not accept our key (status 401: not yours)."),
        (None, 500, "The provider has a fault of its own (status 500: not yours)."),
        (None, 200, "The licence cannot be read: data is null, not an object."),
        ({"capacity": {"25": "many"}}, 200, "capacity has 'many', not a number of rooms."),
    ],
)
def test_an_api_that_does_not_tell_the_licence_takes_nothing_from_the_rooms(
    api, fixed, client, clock, monkeypatch, data, status, words
):
    fixed.room_records = [{"id": "HOST-1", "first_name": "梧桐", "meeting_capacity": "25"}]
    answers_licensing(api, monkeypatch, data, status)
    pull = pulling.pull_rooms(client, clock)
    assert (pull.state, pull.new, pull.pieces_done) == ("done", 1, 1)
    assert pull.error.startswith("The size of the pool could not be asked for. ")
    assert words in pull.error
    assert licences() == []
    # Nothing waits, nothing is refused, nothing stands on every page.
    assert coverage.problem(clock()) == ""
    assert Source.objects.get(name="rooms").failures == 0
    assert not Source.objects.exclude(refused_at=None).exists()
    assert not schedule.rooms_are_due(clock())
    clock.forward(days=2)
    assert schedule.rooms_are_due(clock())


# Faults ----------------------------------------------------------------------------------------------

UNDISTURBED_DAYS = (DAY, DAY)
FAULTS = {
    # fault: (state of the pull, words of its message)
    "timeout": ("failed", "did not answer within"),
    "500": ("failed", "fault"),
    "429": ("failed", "thrott"),
    "403-throttle": ("failed", "thrott"),
    "html": ("failed", "HTML"),
    "truncated": ("failed", "JSON"),
    "cut": ("failed", "cut off"),
    "wrong-secret": ("refused", "UMEET_API_KEY"),
    "status-error": ("failed", "system busy"),
    "stuck-paging": ("failed", "page"),
    "mid-page": ("failed", ""),
    "string-status": ("done", ""),
    "endless-paging": ("done", ""),
    "slow": ("done", ""),
    "bad-record": ("done", ""),
    "data-null": ("done", ""),
    "late": ("done", ""),
    "array-shape": ("done", ""),
    "echo-secret": ("refused", "***"),
}


@pytest.fixture
def undisturbed(fixed, client, clock):
    """The ledger of a run that never saw a fault; the database is empty again after."""
    fixed.records = records(250)
    fixed.room_records = [{"id": "HOST-1", "email": "r@x.example", "first_name": "梧桐", "meeting_capacity": "25"}]
    everything(client, clock)
    found = ledger()
    assert len(found["meetings"]) == 250
    for model in (Meeting, Room, Licence, Rejected, Pull, PulledDay, TrackedNumber, Source):
        model.objects.all().delete()
    return found


def everything(client, clock):
    """One pull of all that there is, by hand; returns the pulls."""
    schedule.track(["1571000001", "1571000002"], clock())
    pulls = [pulling.pull_rooms(client, clock, forced=True)]
    pulls.append(pulling.pull_numbers(client, clock, numbers=["1571000001", "1571000002"]))
    pulls.append(pulling.pull_days(client, clock, days=UNDISTURBED_DAYS))
    return [pull for pull in pulls if pull]


def test_every_fault_of_the_sandbox_is_tried():
    from reports.sandbox.faults import FAULTS as KNOWN

    assert set(FAULTS) | {"drip"} == set(KNOWN)  # drip: a test of the client, for it takes its time


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_ends_as_designed_and_leaves_no_trace_after_it(fault, api, client, clock, undisturbed):
    state, words = FAULTS[fault]
    api.faults.on("slow=0.05" if fault == "slow" else fault)
    pulls = everything(client, clock)
    dates = pulls[-1]
    assert dates.state == state
    assert words in dates.error
    assert SECRET not in dates.error
    assert KEY not in dates.error
    assert dates.ended_at is not None
    if state != "done":
        assert coverage.freshness().problem
    api.faults.clear()
    clock.forward(hours=2)
    for pull in everything(client, clock):
        assert pull.state == "done"
    assert ledger() == undisturbed
    assert coverage.problem(clock()) == ""
    assert not Pull.objects.filter(ended_at=None).exists()


def test_one_bad_record_among_good_ones_is_rejected_alone(api, client, clock, undisturbed):
    api.faults.on("bad-record")
    dates = everything(client, clock)[-1]
    # Each of the three pages came from an answer with its one bad record.
    assert dates.rejected == 1
    assert dates.new + dates.same == 249
    assert Rejected.objects.filter(field="start_time").count() >= 1


def test_a_refused_key_stops_all_sources_until_tried_anew(api, fixed, client, clock):
    fixed.records = records(3)
    schedule.track(["1571000001"], clock())
    schedule.schedule_days(DAY, DAY, clock())
    api.faults.on("wrong-secret")
    assert pulling.pull_numbers(client, clock).state == "refused"
    calls = len(api.calls)
    assert calls == 1
    for _ in range(5):
        clock.forward(minutes=1)
        assert pulling.pull_numbers(client, clock) is None
        assert pulling.pull_days(client, clock) is None
        assert pulling.pull_rooms(client, clock) is None
    assert len(api.calls) == calls
    # What was asked for is still due, and by hand it is asked at once.
    assert schedule.due_numbers(clock()).count() == 1
    api.faults.clear()
    assert pulling.pull_numbers(client, clock, forced=True).state == "done"


def test_after_a_transient_fault_the_source_waits_ever_longer(api, client, clock):
    schedule.track(["1571000001"], clock())
    api.faults.on("500")
    waits = []
    for _ in range(5):
        pulling.pull_numbers(client, clock)
        due = Source.objects.get(name="numbers").next_due_at
        waits.append((due - clock()).total_seconds())
        assert not schedule.is_open("numbers", clock())
        clock.now = max(due, TrackedNumber.objects.get().next_due_at)
    assert waits == sorted(waits)
    assert 45 <= waits[0] <= 75
    assert waits[-1] > 600


def test_retry_after_is_honoured(api, client, clock):
    schedule.track(["1571000001"], clock())
    api.faults.on("429")
    pulling.pull_numbers(client, clock)
    assert TrackedNumber.objects.get().next_due_at > clock()


def test_a_failing_page_in_the_middle_keeps_the_pages_before_and_stays_due(api, fixed, client, clock):
    fixed.records = records(250)
    schedule.schedule_days(DAY, DAY, clock())
    api.faults.on("mid-page")
    pull = pulling.pull_days(client, clock)
    assert (pull.state, pull.new, pull.pages) == ("failed", 100, 1)
    day = PulledDay.objects.get(day=DAY)
    assert (day.complete_at, day.failures) == (None, 1)
    assert day.next_due_at > clock()


# Claims ----------------------------------------------------------------------------------------------


def test_a_piece_is_claimed_by_one_worker_only(clock):
    schedule.track([str(1571000000 + n) for n in range(300)], clock())
    first, second = leases.new_owner(), leases.new_owner()
    mine = leases.claim(schedule.due_numbers(clock()), first, clock(), 200)
    theirs = leases.claim(schedule.due_numbers(clock()), second, clock(), 200)
    assert (len(mine), len(theirs)) == (200, 100)
    assert not {piece.pk for piece in mine} & {piece.pk for piece in theirs}
    leases.release(first)
    assert len(leases.claim(schedule.due_numbers(clock()), second, clock(), 500)) == 200


def test_a_lease_ends_by_itself_and_with_its_process(clock):
    schedule.track(["1571000001"], clock())
    other = "another-machine/1/1/abc"
    assert leases.claim(schedule.due_numbers(clock()), other, clock(), 1)
    leases.release_abandoned(clock())
    assert not leases.claim(schedule.due_numbers(clock()), leases.new_owner(), clock(), 1)
    clock.forward(minutes=11)
    assert leases.claim(schedule.due_numbers(clock()), leases.new_owner(), clock(), 1)


def test_what_a_killed_process_held_is_free_at_once_and_its_pull_is_closed(clock):
    import socket
    import subprocess

    process = subprocess.Popen(["sleep", "60"])
    owner = f"{socket.gethostname()[:80]}/{process.pid}/{leases._born(process.pid)}/abc"
    schedule.track(["1571000001"], clock())
    assert leases.claim(schedule.due_numbers(clock()), owner, clock(), 1)
    pull = Pull.objects.create(source="numbers", started_at=clock(), owner=owner)
    leases.release_abandoned(clock())
    pull.refresh_from_db()
    assert (pull.state, leases.is_gone(owner)) == ("running", False)
    process.kill()
    process.wait()
    assert leases.is_gone(owner)
    leases.release_abandoned(clock())
    pull.refresh_from_db()
    assert pull.state == "interrupted"
    assert leases.claim(schedule.due_numbers(clock()), leases.new_owner(), clock(), 1)


def test_another_process_with_the_same_number_is_not_the_owner():
    import os
    import socket

    assert leases.is_gone(f"{socket.gethostname()[:80]}/{os.getpid()}/1/abc")
    assert not leases.is_gone(leases.new_owner())


def test_pull_now_makes_everything_due_that_is_not_settled(clock):
    later = clock() + timedelta(days=2)
    TrackedNumber.objects.create(number="1571000001", state="settling", next_due_at=later)
    TrackedNumber.objects.create(number="1571000002", state="settled", next_due_at=later)
    Source.objects.create(name="dates", refused_at=clock(), failures=3, last_error="no")
    schedule.ask_now(clock())
    assert [number.number for number in schedule.due_numbers(clock())] == ["1571000001"]
    assert schedule.due_days(clock()).count() == 366
    assert schedule.is_open("dates", clock())


def test_freshness_is_the_last_good_pull(fixed, client):
    fixed.records = records(1)
    assert coverage.freshness().last_pull is None
    pull = pulling.pull_days(client, days=UNDISTURBED_DAYS)
    assert coverage.freshness().last_pull == pull.ended_at
    assert timezone.now() - pull.ended_at < timedelta(minutes=1)
