"""The provider's totals over real HTTP: when they are asked, what is kept, what follows, faults by their remedy."""

import threading
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection

from reports import leases, pulling, schedule, tasks
from reports.figures import coverage, reconciliation
from reports.figures.reconciliation import Kind, State
from reports.filter import Filter
from reports.models import Meeting, ProviderPeriod, ProviderRoom, Pull, PulledDay, Source
from reports.provider.client import Client
from tests.support import KEY, NOW, SECRET, SHANGHAI, meeting

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 10)
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
FEBRUARY = (date(2026, 2, 1), date(2026, 2, 28))
DAY = timedelta(days=1)


class Clock:
    """A clock that the test moves, and that goes on a little with every look."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        self.now += timedelta(milliseconds=10)
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
    with Client(
        api.url, KEY, SECRET, zone=SHANGHAI, timeout=1, attempts=1, sleep=lambda _: None, page_size=2
    ) as client:
        yield client


def at(day, number=0, **changes):
    """A meeting of an hour on a day."""
    times = {"start_time": f"{day} {9 + number % 8:02}:00:00", "end_time": f"{day} {10 + number % 8:02}:00:00"}
    return meeting(uuid=f"{day}-{number}", **{**times, "participants": [], "telephony_usage": [], **changes})


def pull(client, clock, first=date(2026, 2, 1)):
    """Everything that is due, as the worker does it."""
    schedule._add_missing(first, TODAY, clock())
    pulling.pull_days(client, clock)
    schedule.schedule_totals(clock())
    found = pulling.pull_totals(client, clock)
    pulling.pull_days(client, clock)
    return found


def asked(api, endpoint="share/summary"):
    return [(call.form["from"], call.form["to"]) for call in api.calls if call.endpoint == endpoint]


def months(clock):
    return {one.first.month: one for one in reconciliation.months(Filter(), clock())}


def kept():
    return [list(model.objects.order_by("pk").values()) for model in (ProviderRoom, Meeting)]


# What is asked ---------------------------------------------------------------------------------------


def test_whole_months_are_asked_once_and_their_rooms_are_kept(api, fixed, client, clock):
    fixed.records = [
        meeting(),
        at(TODAY),
        at("2026-02-03", host_id="A"),
        *(at("2026-02-04", n, host_id="BCD"[n]) for n in range(3)),
    ]
    found = pull(client, clock)
    assert (found.source, found.state, found.new, found.pieces_done) == ("summary", "done", 2, 2)
    # Four rooms come on two pages; to-day is the last day that is asked about.
    assert asked(api) == [("2026-03-01", "2026-03-10"), *[("2026-02-01", "2026-02-28")] * 2]
    assert found.pages == 3
    period = ProviderPeriod.objects.get(first=MARCH[0])
    assert (period.last, period.meetings, period.asked_first) == (MARCH[1], 2, MARCH[0])
    assert period.sent_at < period.told_at == period.asked_at
    (room,) = period.rooms.all()
    assert (room.host_id, room.meetings, room.participants, room.meeting_seconds) == ("HOST-1", 2, 2, 7200)
    assert (room.audio_participants, room.audio_total_seconds, room.total_fee) == (1, 600, Decimal("0.6"))
    assert {one.state for one in months(clock).values()} == {State.AGREES}
    api.calls.clear()
    assert pulling.pull_totals(client, clock) is None
    assert not api.calls


def test_the_same_answer_again_changes_no_row(api, fixed, client, clock):
    fixed.records = [meeting(), at("2026-02-03"), at("2026-02-03", 1, host_id="")]
    pull(client, clock)
    before = kept()
    schedule.ask_totals([MARCH, FEBRUARY], clock())
    found = pulling.pull_totals(client, clock)
    assert (found.new, found.changed, found.same) == (0, 0, 2)
    assert kept() == before


def test_a_changed_answer_replaces_the_rooms(fixed, client, clock):
    fixed.records = [meeting(), at("2026-03-02", host_id="GOES")]
    pull(client, clock)
    fixed.records = [meeting(), at("2026-03-02", host_id="COMES"), at("2026-03-02", 1, host_id="COMES")]
    schedule.ask_totals([MARCH], clock())
    assert pulling.pull_totals(client, clock).changed == 1
    rooms = ProviderRoom.objects.filter(period__first=MARCH[0], period__last=MARCH[1])
    assert sorted(rooms.values_list("host_id", "meetings")) == [("COMES", 2), ("HOST-1", 1)]


def test_this_month_and_the_last_daily_and_older_ones_once(api, client, clock):
    pull(client, clock, date(2026, 1, 1))
    due = dict(ProviderPeriod.objects.values_list("first", "next_due_at"))
    assert due.pop(date(2026, 1, 1)) is None
    assert all(timedelta(hours=23) < moment - clock() <= DAY for moment in due.values())
    api.calls.clear()
    clock.forward(hours=25)
    pulling.pull_totals(client, clock)
    assert [first for first, _ in asked(api)] == ["2026-03-01", "2026-02-01"]
    # When its time has come February is asked once more, and then is an old one.
    clock.forward(days=30)
    pulling.pull_totals(client, clock)
    assert ProviderPeriod.objects.get(first=FEBRUARY[0]).next_due_at is None


def test_an_older_month_waits_until_its_days_are_whole(api, client, clock):
    schedule._add_missing(date(2025, 12, 31), TODAY, clock())
    PulledDay.objects.update(asked_at=clock(), complete_at=clock(), next_due_at=None)
    PulledDay.objects.filter(day=date(2026, 1, 20)).update(complete_at=None)
    schedule.schedule_totals(clock())
    assert {period.first.month for period in schedule.due_periods(clock())} == {3, 2, 12}
    PulledDay.objects.filter(day=date(2026, 1, 20)).update(complete_at=clock())
    PulledDay.objects.filter(day=date(2026, 1, 21)).delete()
    schedule.schedule_totals(clock())
    assert ProviderPeriod.objects.count() == 3
    schedule._add_missing(date(2026, 1, 21), date(2026, 1, 21), clock())
    PulledDay.objects.update(complete_at=clock())
    schedule.schedule_totals(clock())
    assert [period.first.month for period in schedule.due_periods(clock())] == [3, 2, 1, 12]


def test_the_first_month_is_asked_from_the_first_day_that_is_pulled(api, fixed, client, clock):
    fixed.records = [at("2026-02-20")]
    pull(client, clock, date(2026, 2, 15))
    assert asked(api)[-1] == ("2026-02-15", "2026-02-28")
    assert months(clock)[2].state == State.AGREES
    # Older days are pulled afterwards: the month is asked again as a whole, whether they brought something or not.
    pulling.pull_days(client, clock, days=(date(2026, 2, 1), date(2026, 2, 14)))
    ProviderPeriod.objects.update(next_due_at=None)
    schedule.wake_totals(clock())
    api.calls.clear()
    pulling.pull_totals(client, clock)
    assert ("2026-02-01", "2026-02-28") in asked(api)
    assert months(clock)[2].since == FEBRUARY[0]
    schedule.wake_totals(clock())
    assert not schedule.due_periods(clock()).filter(first=FEBRUARY[0]).exists()


def test_a_settled_month_is_woken_by_what_changed_here(fixed, client, clock):
    fixed.records = [at("2026-01-05")]
    pull(client, clock, date(2026, 1, 1))
    schedule.wake_totals(clock())
    assert not schedule.due_periods(clock()).exists()
    fixed.records = [at("2026-01-05", topic="another")]
    pulling.pull_days(client, clock, days=(date(2026, 1, 5),) * 2)
    schedule.wake_totals(clock())
    assert [period.first for period in schedule.due_periods(clock())] == [date(2026, 1, 1)]
    pulling.pull_totals(client, clock)
    schedule.wake_totals(clock())
    assert not schedule.due_periods(clock()).exists()


def test_nothing_is_asked_where_days_are_not_pulled(settings, api, client, clock):
    settings.UMEET_PULL_DATES = False
    schedule._add_missing(*FEBRUARY, clock())
    schedule.schedule_totals(clock(), again=True)
    schedule.wake_totals(clock())
    assert not ProviderPeriod.objects.exists()
    settings.UMEET_PULL_DATES = True
    PulledDay.objects.all().delete()
    schedule.schedule_totals(clock(), again=True)
    assert not ProviderPeriod.objects.exists()


def test_months_that_the_retention_empties_are_left_alone(settings, clock):
    settings.RETENTION_DAYS = 30  # since 8 February
    schedule._add_missing(date(2026, 1, 1), TODAY, clock())
    PulledDay.objects.update(asked_at=clock(), complete_at=clock())
    schedule.schedule_totals(clock())
    assert [period.first for period in ProviderPeriod.objects.all()] == [MARCH[0]]


def test_pull_now_asks_recent_totals_too(client, clock):
    pull(client, clock)
    assert not schedule.due_periods(clock()).exists()
    schedule.ask_now(clock())
    assert [period.first for period in schedule.due_periods(clock())] == [MARCH[0], FEBRUARY[0]]


# What follows ----------------------------------------------------------------------------------------


def test_a_month_that_differs_has_its_days_asked_and_the_gap_stays_at_its_day(api, fixed, client, clock):
    fixed.records = [at("2026-02-03"), at("2026-02-03", 1, host_id="B"), at("2026-02-09")]
    api.undelivered = {"2026-02-03-1"}
    found = pull(client, clock)
    # March, February, and each of February's days.
    assert (found.state, found.pieces_done, found.pieces) == ("done", 30, 30)
    assert all(first == last for first, last in asked(api)[2:])
    assert {first for first, _ in asked(api)[2:]} == {f"2026-02-{day:02}" for day in range(1, 29)}
    # Its day was asked for once more, and that did not bring it.
    details = [call.form["from"] for call in api.calls if call.endpoint == "share/detail"]
    assert [day for day in details if details.count(day) > 1] == ["2026-02-03"] * 2
    (gap,) = reconciliation.gaps(months(clock).values())
    assert (gap.day, gap.host_id, gap.kind, gap.count) == (date(2026, 2, 3), "B", Kind.MISSING, 1)
    # And now all rests.
    assert pulling.pull_totals(client, clock) is None
    assert not schedule.due_days(clock()).filter(day__lt=date(2026, 3, 1)).exists()
    # It is delivered: the day brings it, without another total.
    api.undelivered.clear()
    wanted = reconciliation.to_fetch(clock())
    assert (wanted.days, wanted.months) == ([date(2026, 2, 3)], [FEBRUARY])
    schedule.ask_for(wanted.days, [], clock())
    pulling.pull_days(client, clock)
    assert reconciliation.gaps(months(clock).values()) == []
    assert months(clock)[2].state == State.AGREES


def test_a_late_report_brings_its_day_again_and_is_no_gap(fixed, client, clock):
    fixed.records = [at("2026-02-03")]
    schedule._add_missing(FEBRUARY[0], TODAY, clock())
    pulling.pull_days(client, clock)
    fixed.records.append(at("2026-02-03", 1))
    pull(client, clock)
    assert Meeting.objects.count() == 2
    assert months(clock)[2].state == State.AGREES


def test_gaps_are_looked_for_again_with_the_next_totals(api, fixed, client, clock):
    fixed.records = [at("2026-03-03")]
    api.undelivered = {"2026-03-03-0"}
    pull(client, clock)
    api.calls.clear()
    clock.forward(hours=25)
    pulling.pull_totals(client, clock)
    assert ("2026-03-03", "2026-03-03") in asked(api)
    pulling.pull_days(client, clock)
    assert [gap.count for gap in months(clock)[3].gaps] == [1]


def test_fetching_opens_sources_that_wait(clock):
    Source.objects.create(name="dates", refused_at=clock(), failures=3, last_error="no")
    Source.objects.create(name="summary", failures=2, next_due_at=clock() + DAY)
    schedule.ask_for([TODAY], [MARCH], clock())
    assert schedule.is_open("dates", clock())
    assert schedule.is_open("summary", clock())
    assert schedule.due_days(clock()).get().day == TODAY
    assert schedule.due_periods(clock()).get().first == MARCH[0]
    later = clock() + DAY
    PulledDay.objects.update(next_due_at=later)
    ProviderPeriod.objects.update(next_due_at=later)
    schedule.ask_for([TODAY], [MARCH], clock())
    assert schedule.due_days(clock()).count() == schedule.due_periods(clock()).count() == 1


def test_the_workers_tick_does_all_of_it(api, fixed, settings, monkeypatch):
    clock = Clock()
    api.clock = clock
    monkeypatch.setattr(pulling, "utcnow", clock)
    settings.HISTORY_DAYS = 40
    fixed.records = [at("2026-02-20"), at("2026-03-02", 1)]
    api.undelivered = {"2026-03-02-1"}
    tasks.pull_recent_days()
    assert set(Pull.objects.values_list("source", "state")) == {
        ("rooms", "done"),
        ("dates", "done"),
        ("summary", "done"),
    }
    assert [(gap.day, gap.kind) for gap in months(clock)[3].gaps] == [(date(2026, 3, 2), Kind.MISSING)]
    # Totals bring no meeting: they make the ledger no fresher.
    last = Pull.objects.filter(source="dates").latest("ended_at").ended_at
    assert coverage.freshness().last_pull == last


# Faults ----------------------------------------------------------------------------------------------

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
    "data-null": ("failed", "no totals"),
    "echo-secret": ("refused", "***"),
    "string-status": ("done", ""),
    "endless-paging": ("done", ""),
    "slow": ("done", ""),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_ends_as_designed_and_leaves_no_trace_after_it(fault, api, fixed, client, clock):
    state, words = FAULTS[fault]
    fixed.records = [at("2026-02-03", n, host_id=f"ROOM-{n}") for n in range(5)] + [meeting()]
    pull(client, clock)
    undisturbed = [list(ProviderRoom.objects.order_by("host_id").values("host_id", "meetings")), kept()[1]]
    schedule.ask_totals([MARCH, FEBRUARY], clock())
    api.faults.on("slow=0.05" if fault == "slow" else fault)
    found = pulling.pull_totals(client, clock)
    assert (found.state, found.ended_at is not None) == (state, True)
    assert words in found.error
    assert SECRET not in found.error
    assert KEY not in found.error
    # What was told before stays, and what was asked for is still due.
    assert list(ProviderRoom.objects.order_by("host_id").values("host_id", "meetings")) == undisturbed[0]
    if state != "done":
        assert coverage.freshness().problem
        assert ProviderPeriod.objects.exclude(next_due_at=None).exists()
        assert not ProviderPeriod.objects.exclude(lease_owner="").exists()
    api.faults.clear()
    clock.forward(hours=7)
    schedule.ask_for([], [MARCH, FEBRUARY], clock())
    assert pulling.pull_totals(client, clock).state == "done"
    # Days are not pulled here, which is said; of the totals nothing is.
    assert not Source.objects.exclude(last_error="").exists()
    assert [list(ProviderRoom.objects.order_by("host_id").values("host_id", "meetings")), kept()[1]] == undisturbed


def test_every_fault_that_concerns_totals_is_tried():
    from reports.sandbox.faults import FAULTS as KNOWN

    of_records = {"bad-record", "array-shape", "late"}
    assert set(FAULTS) | of_records | {"drip"} == set(KNOWN)


def test_an_answer_that_falls_short_is_asked_again_and_replaces_nothing(api, fixed, client, clock, monkeypatch):
    fixed.records = [at("2026-03-03", n, host_id=f"ROOM-{n}") for n in range(3)]
    pull(client, clock)
    before = kept()
    real = api._page

    def short(records, *rest):
        page = real(records, *rest)
        return {**page, "total_record": page["total_record"] + 1}

    monkeypatch.setattr(api, "_page", short)
    schedule.ask_totals([MARCH], clock())
    found = pulling.pull_totals(client, clock)
    assert (found.state, found.new, found.changed) == ("partial", 0, 0)
    assert "announced 4 records and delivered 3" in found.error
    assert kept() == before
    period = ProviderPeriod.objects.get(first=MARCH[0])
    assert (period.failures, "announced" in period.last_error) == (1, True)
    assert timedelta(minutes=9) < period.next_due_at - clock() <= timedelta(minutes=10)
    monkeypatch.undo()
    clock.forward(minutes=11)
    assert pulling.pull_totals(client, clock).state == "done"
    period.refresh_from_db()
    assert (period.failures, period.last_error) == (0, "")


def test_one_month_that_cannot_be_read_does_not_hold_up_the_others(api, fixed, client, clock, monkeypatch):
    fixed.records = [at("2026-03-03"), at("2026-02-03")]
    real = api._summary

    def spoiled(form, now):
        page = real(form, now)
        if form["from"].startswith("2026-03"):
            page["rooms"][0]["meetings"] = "some"
        return page

    monkeypatch.setattr(api, "_summary", spoiled)
    found = pull(client, clock)
    assert (found.state, found.new) == ("failed", 1)
    assert "rooms[0].meetings is 'some'" in found.error
    told = dict(ProviderPeriod.objects.exclude(told_at=None).values_list("first", "meetings"))
    assert told == {FEBRUARY[0]: 1}
    assert months(clock)[3].state == State.NOT_ASKED


def test_totals_that_a_key_may_not_read_stop_only_themselves(api, fixed, client, clock):
    fixed.records = [meeting()]
    schedule._add_missing(FEBRUARY[0], TODAY, clock())
    pulling.pull_days(client, clock)
    schedule.schedule_totals(clock())
    api.faults.on("wrong-secret")
    assert pulling.pull_totals(client, clock).state == "refused"
    assert pulling.pull_totals(client, clock) is None
    assert not schedule.is_open("summary", clock())
    for name in ("numbers", "dates", "rooms"):
        assert schedule.is_open(name, clock())
    # And they find out themselves: a refusal that nothing is asked after would stand on every page for good.
    ProviderPeriod.objects.update(next_due_at=None)
    schedule.ask_for([TODAY], [], clock())
    assert pulling.pull_days(client, clock).state == "refused"
    assert schedule.is_open("summary", clock())


def test_after_a_transient_fault_the_piece_waits_and_is_taken_up_again(api, client, clock):
    schedule._add_missing(FEBRUARY[0], TODAY, clock())
    schedule.schedule_totals(clock())
    api.faults.on("500=1")
    assert pulling.pull_totals(client, clock).state == "failed"
    assert len(asked(api)) == 1
    assert pulling.pull_totals(client, clock) is None
    clock.forward(minutes=2)
    assert pulling.pull_totals(client, clock).state == "done"
    assert ProviderPeriod.objects.filter(told_at=None).count() == 0


# Crashes and claims ------------------------------------------------------------------------------------


def test_a_crash_while_an_answer_is_kept_keeps_nothing_of_it_and_asks_again(api, fixed, client, clock, monkeypatch):
    fixed.records = [at("2026-03-03")]
    schedule._add_missing(MARCH[0], TODAY, clock())
    pulling.pull_days(client, clock)
    schedule.schedule_totals(clock())

    def broken(*_):
        raise DatabaseError("disk full")

    monkeypatch.setattr(reconciliation, "month", broken)
    with pytest.raises(DatabaseError):
        pulling.pull_totals(client, clock)
    period = ProviderPeriod.objects.get()
    assert (period.told_at, period.lease_owner, period.rooms.count()) == (None, "", 0)
    assert Pull.objects.get(source="summary").state == "failed"
    assert Pull.objects.get(source="summary").new == 0
    monkeypatch.undo()
    assert pulling.pull_totals(client, clock).new == 1
    assert months(clock)[3].state == State.AGREES


def test_nothing_is_held_open_while_the_provider_is_asked(api, client, clock, monkeypatch):
    schedule._add_missing(MARCH[0], TODAY, clock())
    schedule.schedule_totals(clock())
    seen = []
    real = Client.summary

    def watched(self, first, last):
        seen.append(len(connection.savepoint_ids))
        return real(self, first, last)

    outside = len(connection.savepoint_ids)
    monkeypatch.setattr(Client, "summary", watched)
    pulling.pull_totals(client, clock)
    assert seen == [outside]


def test_an_answer_that_lost_its_lease_is_left_aside(fixed, client, clock, monkeypatch):
    fixed.records = [at("2026-03-03")]
    schedule._add_missing(MARCH[0], TODAY, clock())
    schedule.schedule_totals(clock())
    mine = leases.claim(schedule.due_periods(clock()), leases.new_owner(), clock(), 5)
    assert len(mine) == 1
    assert pulling.pull_totals(client, clock) is None
    leases.release(mine[0].lease_owner)
    real = Client.summary

    def overtaken(self, first, last):
        pages = list(real(self, first, last))
        ProviderPeriod.objects.update(lease_owner="another")
        return pages

    monkeypatch.setattr(Client, "summary", overtaken)
    assert pulling.pull_totals(client, clock).new == 0
    period = ProviderPeriod.objects.get()
    assert (period.told_at, period.lease_owner, period.rooms.count()) == (None, "another", 0)


def test_what_a_killed_worker_held_is_free_at_once(clock):
    import socket
    import subprocess

    process = subprocess.Popen(["true"])
    process.wait()
    owner = f"{socket.gethostname()[:80]}/{process.pid}/1/abc"
    schedule.ask_totals([MARCH], clock())
    assert leases.claim(schedule.due_periods(clock()), owner, clock(), 5)
    leases.release_abandoned(clock())
    assert ProviderPeriod.objects.get().lease_owner == ""


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_keep_each_total_once(api, fixed, clock):
    fixed.records = [at("2026-02-03", n, host_id=f"ROOM-{n}") for n in range(4)]
    schedule._add_missing(date(2025, 10, 1), TODAY, clock())
    PulledDay.objects.update(asked_at=NOW, complete_at=NOW)
    schedule.schedule_totals(clock())

    def work():
        try:
            with Client(api.url, KEY, SECRET, zone=SHANGHAI) as client:
                pulling.pull_totals(client, lambda: NOW + timedelta(minutes=1))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = [span for span in asked(api) if span[0] != span[1]]
    assert len(spans) == len(set(spans)) == 6
    rooms = ProviderRoom.objects.filter(period__last=FEBRUARY[1], period__first=FEBRUARY[0])
    assert sorted(rooms.values_list("host_id", flat=True)) == [f"ROOM-{n}" for n in range(4)]
