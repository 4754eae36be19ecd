"""The provider's totals against ours: the rule, each reason for a difference, zones; against plain Python."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import exports, schedule
from reports.figures import coverage, reconciliation
from reports.figures.reconciliation import Figures, Here, Kind, State, explain_day, explain_month
from reports.filter import Filter
from reports.models import Meeting, ProviderPeriod, ProviderRoom, PulledDay, Rejected, Room
from tests.reports.figures.oracle import Oracle, known_sum, worlds
from tests.support import NOW, SHANGHAI, call, csv_rows, examples, meeting, take, visit

pytestmark = pytest.mark.django_db
few = examples(40)

DAY = date(2026, 3, 9)
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
HOUR = timedelta(hours=1)


def pulled(first=MARCH[0], last=date(2026, 3, 10), at=NOW, **changes):
    """Days that were pulled whole."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        told = {"asked_at": at, "complete_at": at, "next_due_at": None, **changes}
        PulledDay.objects.update_or_create(day=day, defaults=told)


def told(span, rooms, at=NOW, sent=None, total=None):
    """What share/summary told of a period: figures by host_id, as a number of meetings or by the model's names."""
    ProviderPeriod.objects.filter(first=span[0], last=span[1]).delete()
    period = ProviderPeriod.objects.create(
        first=span[0], last=span[1], asked_first=span[0], sent_at=sent or at, told_at=at, meetings=total
    )
    for host_id, figures in rooms.items():
        figures = {"meetings": figures} if isinstance(figures, int) else figures
        ProviderRoom.objects.create(period=period, host_id=host_id, **figures)
    return period


def told_days(rooms_by_day, at=NOW, first=MARCH[0], last=date(2026, 3, 10)):
    """The totals of each day: {day: {host_id: figures}}; days that are left out have none."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        told((day, day), rooms_by_day.get(day, {}), at)


def march(**chosen) -> reconciliation.Month:
    return next(one for one in reconciliation.months(Filter(**chosen), NOW + HOUR) if one.first == MARCH[0])


def reasons(line) -> dict[str, int]:
    return {one.kind.value: one.count for one in line.explanations}


def of(month, host_id="HOST-1"):
    return next(line for line in month.lines if line.host_id == host_id)


AS_IT_IS = {  # what the provider tells of the usual meeting
    "meetings": 1,
    "participants": 2,
    "meeting_seconds": 3600,
    "audio_participants": 1,
    "audio_total_seconds": 600,
    "total_fee": Decimal("0.6"),
}


def times(number):
    return {name: value * number for name, value in AS_IT_IS.items()}


# The rule --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "here", "expected"),
    [
        (3, Here(counted=3), {}),
        (3, Here(counted=3, running=2, unreported=1, rejected=1), {}),
        (5, Here(counted=3), {"unlocated": 2}),
        (3, Here(counted=5), {"unlocated": 2}),
        # One ended after they had counted.
        (3, Here(counted=4, ended=1), {"since": 1}),
        (4, Here(counted=4, ended=1), {"unlocated": 1, "since": 1}),
        # Two came since, and may be in their count or not.
        (3, Here(counted=5, late=2), {"since": 2}),
        (5, Here(counted=5, late=2), {}),
        (2, Here(counted=5, late=2), {"since": 2, "unlocated": 1}),
        (6, Here(counted=5, late=2), {"unlocated": 1}),
        # Running and unreported ones hide nothing before its day was asked.
        (4, Here(counted=3, running=1, unreported=1), {"unlocated": 1}),
    ],
)
def test_a_month(theirs, here, expected):
    assert explain_month(theirs, here) == expected


YES, NO = {"pulled": True, "looked": True}, {"pulled": True, "looked": False}


@pytest.mark.parametrize(
    ("theirs", "here", "known", "expected"),
    [
        (3, Here(counted=3), YES, {}),
        (5, Here(counted=3), YES, {"missing": 2}),
        (3, Here(counted=5), YES, {"only_here": 2}),
        (3, Here(counted=6, ended=1, late=1), YES, {"since": 2, "only_here": 1}),
        (5, Here(counted=4, ended=1), YES, {"missing": 2, "since": 1}),
        (3, Here(counted=6, late=1, young=1), YES, {"since": 1, "young": 1, "only_here": 1}),
        (3, Here(counted=4, young=3), NO, {"young": 1}),
        (5, Here(counted=3, young=2), YES, {"missing": 2}),
        (5, Here(counted=3, rejected=1), YES, {"rejected": 1, "missing": 1}),
        (5, Here(counted=3, rejected=9), YES, {"rejected": 2}),
        # What runs or is unreported by a look that was later than their count is nothing they counted.
        (5, Here(counted=3, running=2, unreported=2), YES, {"missing": 2}),
        (5, Here(counted=3), NO, {"waiting": 2}),
        (5, Here(counted=3, running=1), NO, {"running": 1, "waiting": 1}),
        (5, Here(counted=3, unreported=3), NO, {"unreported": 2}),
        (5, Here(counted=3), {"pulled": False, "looked": False}, {"unpulled": 2}),
        (2, Here(counted=3), {"pulled": False, "looked": False}, {"only_here": 1}),
    ],
)
def test_a_day(theirs, here, known, expected):
    assert explain_day(theirs, here, **known, fits=lambda count: False) == expected


def test_unreported_meetings_that_are_just_as_long_are_what_is_meant():
    here = Here(counted=3, unreported=2)
    assert explain_day(4, here, **YES, fits=lambda count: count == 1) == {"unreported": 1}
    assert explain_day(5, here, **YES, fits=lambda count: count == 1) == {"missing": 2}
    assert explain_day(6, here, **YES, fits=lambda count: True) == {"missing": 3}


small = st.integers(0, 4)


@given(small, small, small, small, small, small, small, small, st.booleans(), st.booleans(), st.booleans())
def test_the_reasons_add_up_to_the_difference(
    theirs, plain, ended, late, young, running, unreported, rejected, a, b, fits
):
    here = Here(plain + ended + late + young, ended, late, young, running, unreported, rejected)
    less = (Kind.ONLY_HERE, Kind.SINCE, Kind.YOUNG)
    found = explain_day(theirs, here, pulled=a, looked=a and b, fits=lambda count: fits)
    assert sum(-count if kind in less else count for kind, count in found.items()) == theirs - here.counted
    assert all(count > 0 for count in found.values())
    # Without anything that came since, each side's surplus is named in full.
    if not late and not young:
        sure = theirs - plain
        assert found.get(Kind.ONLY_HERE, 0) == max(0, -sure)
        if a and b and not rejected and not fits:
            assert found.get(Kind.MISSING, 0) == max(0, sure)
    of_month = explain_month(theirs, here)
    assert (Kind.UNLOCATED in of_month) == any(kind not in (Kind.SINCE, Kind.YOUNG) for kind in found)


# Months ----------------------------------------------------------------------------------------------


def test_nothing_is_compared_before_a_day_is_pulled():
    take(meeting())
    assert reconciliation.months(Filter(), NOW) == []


def test_a_month_that_was_not_asked_yet():
    pulled()
    take(meeting())
    month = march()
    assert (month.state, month.told_at, month.gaps) == (State.NOT_ASKED, None, [])
    assert of(month).theirs is None
    assert of(month).ours.meetings == 1
    assert of(month).difference("meetings") is None


def test_the_same_figures_agree():
    pulled()
    take(meeting(), meeting(uuid="2", start_time="2026-03-02 10:00:00", end_time="2026-03-02 11:00:00"))
    told(MARCH, {"HOST-1": times(2)}, total=2)
    month = march()
    assert month.state == State.AGREES
    assert month.total.theirs == Figures(2, 4, 7200, 2, 1200, Decimal("1.2"))
    assert month.total.theirs == month.total.ours
    assert (month.total.explanations, month.gaps, month.their_total) == ((), [], None)


def test_what_is_counted_and_what_stands_beside():
    pulled()
    take(
        meeting(),
        meeting(uuid="empty", participants=[], telephony_usage=[]),
        meeting(uuid="running", end_time=None),
        meeting(uuid="unreported", participants=None, telephony_usage=None),
        # Half a second more than an hour is 61 minutes; each is rounded by itself.
        meeting(uuid="longer", end_time="2026-03-09 11:00:01", telephony_usage=[]),
    )
    told(MARCH, {"HOST-1": {"meetings": 3, "participants": 4, "meeting_seconds": 3600 + 3600 + 3660}})
    month = march()
    assert month.state == State.AGREES
    assert of(month).ours == Figures(3, 4, 10860, 1, 600, Decimal("0.6"))
    assert (of(month).running, of(month).unreported) == (1, 1)


def test_rooms_that_only_one_side_knows_and_the_unknown_one():
    pulled()
    take(meeting(), meeting(uuid="2", host_id=""))
    told(MARCH, {"THEIRS": times(1), "": times(1)})
    month = march()
    assert {line.host_id: (line.theirs.meetings, line.ours.meetings) for line in month.lines} == {
        "THEIRS": (1, 0),
        "HOST-1": (0, 1),
        "": (1, 1),
    }
    assert of(month, "THEIRS").room is None
    assert reasons(of(month, "")) == {}
    assert month.state == State.DIFFERS
    assert month.total.difference("meetings") == 0


def test_a_room_told_in_two_rows_is_one():
    pulled()
    take(meeting(), meeting(uuid="2", is_extra=1))
    period = told(MARCH, {"HOST-1": times(1)})
    ProviderRoom.objects.create(period=period, host_id="HOST-1", is_extra=True, **times(1))
    assert march().state == State.AGREES


def test_their_own_sum_is_checked_against_their_rooms():
    pulled()
    take(meeting())
    told(MARCH, {"HOST-1": times(1)}, total=3)
    month = march()
    assert (month.state, month.their_total) == (State.DIFFERS, 3)
    # A choice of rooms is no sum.
    assert march(rooms=("HOST-1",)).their_total is None


def test_only_the_rooms_of_the_filter_are_compared():
    pulled()
    take(meeting(), meeting(uuid="2", host_id="HOST-2"), meeting(uuid="3", host_id=""))
    told(MARCH, {"HOST-1": 1, "HOST-2": 1, "": 1})
    for chosen in ({"rooms": ("HOST-2",)}, {"allowed_rooms": frozenset({"HOST-2"})}):
        month = march(**chosen)
        assert [line.host_id for line in month.lines] == ["HOST-2"]
        assert month.total.theirs.meetings == month.total.ours.meetings == 1


def test_the_months_that_a_filter_touches():
    pulled(date(2026, 1, 15))
    firsts = [one.first for one in reconciliation.months(Filter(), NOW)]
    assert firsts == [date(2026, 3, 1), date(2026, 2, 1), date(2026, 1, 1)]
    chosen = Filter(first=date(2026, 1, 31), last=date(2026, 2, 1))
    assert [one.first for one in reconciliation.months(chosen, NOW)] == firsts[1:]
    assert [one.since for one in reconciliation.months(Filter(), NOW)][-1] == date(2026, 1, 15)


def test_what_the_retention_has_emptied_is_not_compared(settings):
    pulled(date(2026, 1, 1))
    settings.RETENTION_DAYS = 30
    assert [one.first for one in reconciliation.months(Filter(), NOW)] == [MARCH[0]]


# Each reason -----------------------------------------------------------------------------------------


def test_missing_is_found_at_its_room_and_day():
    pulled(at=NOW + HOUR)
    take(meeting())
    told(MARCH, {"HOST-1": times(3)})
    assert reasons(of(march())) == {"unlocated": 2}
    assert march().to_locate
    told_days({DAY: {"HOST-1": times(1)}, date(2026, 3, 3): {"HOST-1": times(2)}})
    month = march()
    assert not month.to_locate
    assert [(gap.day, gap.host_id, gap.kind, gap.count) for gap in month.gaps] == [
        (date(2026, 3, 3), "HOST-1", Kind.MISSING, 2)
    ]
    (why,) = of(month).explanations
    assert (why.kind, why.count, why.days) == (Kind.MISSING, 2, ((date(2026, 3, 3), 2),))
    assert month.state == State.DIFFERS


def test_missing_and_surplus_in_one_room_do_not_hide_each_other():
    pulled(at=NOW + HOUR)
    take(meeting(), meeting(uuid="2", start_time="2026-03-05 10:00:00", end_time="2026-03-05 11:00:00"), now=NOW - HOUR)
    told(MARCH, {"HOST-1": times(2)})
    told_days({DAY: {"HOST-1": times(1)}, date(2026, 3, 3): {"HOST-1": times(1)}})
    month = march()
    assert {(gap.day.day, gap.kind.value, gap.count) for gap in month.gaps} == {(3, "missing", 1), (5, "only_here", 1)}
    assert month.state == State.DIFFERS


def test_a_meeting_in_another_room_is_missing_there_and_only_here():
    pulled(at=NOW + HOUR)
    take(meeting(host_id=""), now=NOW - HOUR)
    told(MARCH, {"HOST-1": times(1)})
    told_days({DAY: {"HOST-1": times(1)}})
    gaps = {gap.host_id: gap for gap in march().gaps}
    assert (gaps["HOST-1"].kind, gaps["HOST-1"].unplaced) == (Kind.MISSING, 1)
    assert gaps[""].kind == Kind.ONLY_HERE


def test_a_day_pulled_before_they_counted_is_waited_for():
    pulled(at=NOW - HOUR)
    take(meeting(), now=NOW - HOUR)
    told(MARCH, {"HOST-1": times(2)})
    told_days({DAY: {"HOST-1": times(2)}})
    month = march()
    assert reasons(of(month)) == {"waiting": 1}
    assert [gap.kind for gap in month.gaps] == [Kind.WAITING]
    assert month.state == State.EXPLAINED
    # The day is pulled again: what came is no gap, and what did not is one.
    pulled(at=NOW + HOUR)
    assert reasons(of(march())) == {"missing": 1}
    take(meeting(uuid="2"), now=NOW + HOUR)
    assert march().state == State.AGREES


def test_still_running_and_unreported_when_the_day_was_pulled():
    pulled(at=NOW - HOUR)
    take(
        meeting(),
        meeting(uuid="2", end_time=None),
        meeting(uuid="3", participants=None, telephony_usage=None),
        now=NOW - HOUR,
    )
    told(MARCH, {"HOST-1": times(3)})
    told_days({DAY: {"HOST-1": times(3)}})
    assert reasons(of(march())) == {"running": 1, "unreported": 1}
    assert march().state == State.EXPLAINED


def test_an_unreported_meeting_is_told_from_a_missing_one_by_its_length():
    pulled(at=NOW + HOUR)
    silent = {"participants": None, "telephony_usage": None}
    # Early in the morning, when it is still the day before in UTC.
    take(meeting(), meeting(uuid="2", **silent, start_time="2026-03-09 00:10:00", end_time="2026-03-09 00:39:30"))
    for seconds, expected in ((1800, {"unreported": 1}), (1740, {"missing": 1})):
        figures = {"HOST-1": {"meetings": 2, "meeting_seconds": 3600 + seconds}}
        told(MARCH, figures)
        told_days({DAY: figures})
        assert reasons(of(march())) == expected


def test_never_pulled_and_partial_days():
    pulled(at=NOW + HOUR)
    never, partial = date(2026, 3, 3), date(2026, 3, 4)
    PulledDay.objects.filter(day=never).delete()
    PulledDay.objects.filter(day=partial).update(complete_at=NOW - HOUR)
    told(MARCH, {"HOST-1": times(5)})
    told_days({never: {"HOST-1": times(2)}, partial: {"HOST-1": times(3)}})
    month = march()
    (why,) = of(month).explanations
    assert (why.kind, why.count, why.days) == (Kind.UNPULLED, 2, ((never, 2), (partial, 3)))
    assert (month.state, month.gaps, month.unpulled) == (State.EXPLAINED, [], [never, partial])


def test_what_ended_came_or_changed_since_they_counted():
    pulled(at=NOW)
    take(meeting(uuid="before"), now=NOW - HOUR)
    told(MARCH, {"HOST-1": times(1)}, at=NOW, sent=NOW - timedelta(seconds=5))
    # Noon in Shanghai is NOW.
    take(
        meeting(uuid="ended", start_time="2026-03-10 11:30:00", end_time="2026-03-10 12:00:01"),
        meeting(uuid="late", start_time="2026-03-10 11:00:00", end_time="2026-03-10 12:00:00"),
        now=NOW + timedelta(minutes=5),
    )
    month = march()
    assert reasons(of(month)) == {"since": 2}
    assert month.state == State.EXPLAINED
    # What ended in the very second may be in their count.
    told(MARCH, {"HOST-1": times(2)}, at=NOW, sent=NOW - timedelta(seconds=5))
    assert reasons(of(march())) == {"since": 1}
    told(MARCH, {"HOST-1": times(1)}, at=NOW, sent=NOW - timedelta(seconds=5))
    # While the answer was on its way.
    Meeting.objects.filter(uuid="late").update(changed_at=NOW - timedelta(seconds=2))
    assert reasons(of(march())) == {"since": 2}
    # One that was here in time has no such excuse.
    take(meeting(uuid="in time"), now=NOW - timedelta(minutes=1))
    assert reasons(of(march())) == {"since": 2, "unlocated": 1}


def test_a_changed_report_explains_other_figures():
    pulled(at=NOW)
    take(meeting(), now=NOW - HOUR)
    told(MARCH, {"HOST-1": times(1)})
    assert march().state == State.AGREES
    take(meeting(participants=[visit("Anna", "10:00:00", "11:00:00")]), now=NOW + HOUR)
    assert reasons(of(march())) == {"since": 1}
    assert march().state == State.EXPLAINED


def test_rejected_records_that_wait():
    pulled(at=NOW + HOUR)
    raw = '{"uuid": "x", "host_id": "HOST-1", "start_time": "%s"}'
    Rejected.objects.create(
        identity="x", piece="day:2026-03-09", raw=raw % "yesterday", field="start_time", reason="-", first_seen_at=NOW
    )
    # Of one that came by its number, the start tells the day.
    Rejected.objects.create(
        identity="y", piece="number:1", raw=raw % "2026-03-08 23:59:59", field="topic", reason="-", first_seen_at=NOW
    )
    for broken in ("[]", '{"start_time": "never"}', "{"):
        Rejected.objects.create(identity=broken, piece="", raw=broken, field="-", reason="-", first_seen_at=NOW)
    told(MARCH, {"HOST-1": times(3)})
    told_days({DAY: {"HOST-1": times(2)}, date(2026, 3, 8): {"HOST-1": times(1)}})
    month = march()
    assert reasons(of(month)) == {"rejected": 2, "missing": 1}
    assert [(gap.day, gap.count) for gap in month.gaps] == [(DAY, 1)]


def test_visits_that_are_reported_no_more():
    pulled(at=NOW)
    take(meeting(), now=NOW - 2 * HOUR)
    take(meeting(participants=[]), now=NOW - HOUR)
    told(MARCH, {"HOST-1": {**times(1), "participants": 0}})
    assert reasons(of(march())) == {"withheld": 1}
    assert march().state == State.EXPLAINED


def test_days_that_are_read_once_more_explain_other_figures():
    pulled(at=NOW - HOUR)
    PulledDay.objects.filter(day=DAY).update(next_due_at=NOW + timedelta(days=7))
    take(meeting(), now=NOW - HOUR)
    told(MARCH, {"HOST-1": {**times(1), "participants": 3}})
    (why,) = of(march()).explanations
    assert (why.kind, why.count, why.days) == (Kind.SETTLING, 1, ((DAY, 1),))
    assert march().state == State.EXPLAINED


def test_the_same_meetings_with_other_figures():
    pulled(at=NOW)
    take(meeting(), now=NOW - HOUR)
    told(MARCH, {"HOST-1": {**times(1), "participants": 3, "total_fee": Decimal("0.61")}})
    (why,) = of(march()).explanations
    assert (why.kind, why.count, why.measures) == (Kind.OTHERWISE, 2, ("participants", "cost"))
    assert march().state == State.DIFFERS


def test_figures_that_they_do_not_tell_are_not_compared():
    pulled(at=NOW)
    take(meeting(), now=NOW - HOUR)
    told(MARCH, {"HOST-1": 1})
    assert march().state == State.AGREES
    assert march().total.theirs.participants is None


def test_days_asked_before_their_month_was_asked_again_say_nothing_any_more():
    pulled(at=NOW + HOUR)
    take(meeting())
    told_days({DAY: {"HOST-1": times(2)}}, at=NOW - HOUR)
    told(MARCH, {"HOST-1": times(1)})
    assert (march().state, march().gaps) == (State.AGREES, [])


# Zones -----------------------------------------------------------------------------------------------


def test_days_and_months_are_the_providers_whatever_the_sites_zone(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    pulled(date(2026, 2, 27), at=NOW + HOUR)
    # In Shanghai it is March, in Berlin still February.
    take(meeting(start_time="2026-03-01 00:30:00", end_time="2026-03-01 01:30:00"))
    assert Meeting.objects.get().local_day == date(2026, 2, 28)
    told(MARCH, {"HOST-1": times(2)})
    told_days({MARCH[0]: {"HOST-1": times(2)}})
    february, month = (
        next(one for one in reconciliation.months(Filter(), NOW) if one.first.month == number) for number in (2, 3)
    )
    assert (february.total.ours.meetings, month.total.ours.meetings) == (0, 1)
    assert [(gap.day, gap.count) for gap in month.gaps] == [(MARCH[0], 1)]


def test_another_zone_of_the_provider(settings):
    settings.UMEET_TIME_ZONE = "America/New_York"
    pulled(at=NOW + HOUR)
    # Half past eleven at night of the day on which New York's clock is set.
    take(meeting(start_time="2026-03-09 11:30:00", end_time="2026-03-09 11:40:00"))
    told(MARCH, {"HOST-1": times(2)})
    told_days({date(2026, 3, 8): {"HOST-1": times(2)}})
    assert [(gap.day, gap.count) for gap in march().gaps] == [(date(2026, 3, 8), 1)]


# Coverage --------------------------------------------------------------------------------------------


def test_how_far_each_day_was_pulled():
    pulled(date(2026, 3, 2))
    PulledDay.objects.filter(day=date(2026, 3, 3)).delete()
    PulledDay.objects.filter(day=date(2026, 3, 4)).update(asked_at=None, complete_at=None)
    PulledDay.objects.filter(day=date(2026, 3, 5)).update(complete_at=None)
    PulledDay.objects.filter(day=date(2026, 3, 6)).update(complete_at=NOW - HOUR)
    # Pulled at noon of its own day and not since.
    noon = datetime(2026, 3, 7, 12, tzinfo=SHANGHAI)
    PulledDay.objects.filter(day=date(2026, 3, 7)).update(complete_at=noon, asked_at=noon)
    found = coverage.days(MARCH[0], date(2026, 3, 11), NOW)
    assert [state.value for state in found.values()] == [
        *("not_due", "complete", "never", "never", "partial", "partial", "partial", "complete", "complete"),
        *("complete", "not_due"),
    ]


def test_nothing_is_due_where_no_day_is_pulled(settings):
    assert set(coverage.days(*MARCH, NOW).values()) == {"not_due"}
    pulled()
    settings.UMEET_PULL_DATES = False
    assert set(coverage.days(*MARCH, NOW).values()) == {"not_due"}


def test_what_can_be_fetched():
    pulled(date(2026, 2, 20), at=NOW + HOUR)
    assert reconciliation.to_fetch(NOW).days == []
    PulledDay.objects.filter(day=date(2026, 2, 21)).delete()
    take(meeting(), now=NOW - HOUR)
    take(meeting(uuid="2", start_time="2026-03-04 10:00:00", end_time="2026-03-04 11:00:00"), now=NOW - HOUR)
    february = schedule.month_of(date(2026, 2, 1))
    told(february, {})
    told(MARCH, {"HOST-1": times(2)})
    told_days({DAY: {"HOST-1": times(2)}})  # of the fourth they know nothing
    found = reconciliation.to_fetch(NOW)
    assert found.days == [date(2026, 2, 21), DAY]
    assert found.months == [MARCH]


# CSV -------------------------------------------------------------------------------------------------


def test_the_table_has_a_line_a_room_and_one_a_month():
    pulled(date(2026, 2, 27), at=NOW + HOUR)
    Room.objects.create(host_id="HOST-1", name="梧桐")
    take(meeting(), meeting(uuid="2", host_id="HOST-2"))
    told(MARCH, {"HOST-1": times(2), "HOST-2": times(1)})
    told_days({DAY: {"HOST-1": times(2), "HOST-2": times(1)}})
    rows = csv_rows(b"".join(exports.write(exports.RECONCILIATION, Filter(), NOW + HOUR)))
    assert [(row["month"], row["host_id"], row["room"], row["explanation"]) for row in rows] == [
        ("2026-03", "HOST-1", "梧桐", "missing 1 (2026-03-09: 1)"),
        ("2026-03", "HOST-2", "", ""),
        ("2026-03", "", "(all rooms)", "missing 1 (2026-03-09: 1)"),
        ("2026-02", "", "(all rooms)", "not asked"),
    ]
    first = {name: value for name, value in rows[0].items() if name.startswith(("their", "our"))}
    assert list(first.items()) == [
        *(("their_meetings", "2"), ("our_meetings", "1"), ("their_participants", "4"), ("our_participants", "2")),
        *(("their_minutes", "120.0"), ("our_minutes", "60.0"), ("their_calls", "2"), ("our_calls", "1")),
        *(("their_call_minutes", "20.0"), ("our_call_minutes", "10.0"), ("their_cost", "1.20"), ("our_cost", "0.60")),
    ]
    assert rows[-1]["their_meetings"] == ""


# Against plain Python ----------------------------------------------------------------------------------


def counted(oracle, uuids, at):
    """The meetings that count, by the provider's month and day, room: with plain sums."""
    found: dict[Any, Any] = {}
    for one in oracle.all:
        if one.uuid in uuids and one.end is not None and one.visits is not None and one.end <= at:
            start = datetime.fromtimestamp(one.start, SHANGHAI).date()
            found.setdefault((start, one.host), []).append(one)
    return found


def plain(meetings) -> Figures:
    if not meetings:
        return Figures()
    calls = [one.calls for one in meetings]
    lengths = [None if c is None or (c and all(x.seconds is None for x in c)) else c for c in calls]
    prices = [None if c is None or (c and all(x.cost is None for x in c)) else c for c in calls]
    return Figures(
        meetings=len(meetings),
        participants=sum(len(one.visits) for one in meetings),
        seconds=sum(-(-max(0, one.end - one.start) // 60) * 60 for one in meetings),
        calls=known_sum(None if c is None else len(c) for c in calls),
        call_seconds=known_sum(None if c is None else sum(x.seconds or 0 for x in c) for c in lengths),
        cost=known_sum((None if c is None else sum((x.cost or 0 for x in c), Decimal(0)) for c in prices), Decimal(0)),
    )


def as_rows(figures) -> dict[str, Any]:
    names = ("meetings", "participants", "meeting_seconds", "audio_participants", "audio_total_seconds", "total_fee")
    return dict(zip(names, asdict(figures).values(), strict=True))


@few
@given(world=worlds(most=10), data=st.data())
def test_gaps_and_figures_are_those_of_plain_python(db, world, data):
    hidden = set(data.draw(st.lists(st.sampled_from(range(10)), unique=True, max_size=5)))
    here = replace(world, records=tuple(one for n, one in enumerate(world.records) if n not in hidden))
    counts_at, looked_at = world.now, world.now + HOUR
    with here.kept() as oracle:
        for model in (ProviderPeriod, PulledDay):
            model.objects.all().delete()
        everything = counted(Oracle(world), {one["uuid"] for one in world.records}, world.now_at)
        mine = counted(oracle, {one["uuid"] for one in here.records}, world.now_at)
        ends_later = counted(oracle, {one["uuid"] for one in here.records}, world.now_at + 99 * 86_400)
        first = datetime.fromtimestamp(world.base, SHANGHAI).date() - timedelta(days=2)
        today = schedule.provider_today(counts_at)
        pulled(first, today, at=looked_at)
        for span in {schedule.month_of(first), schedule.month_of(today)}:
            rooms: dict[Any, Any] = {}
            for (day, host), meetings in everything.items():
                if span[0] <= day <= span[1]:
                    rooms.setdefault(host, []).extend(meetings)
            begin, end = max(span[0], first), min(span[1], today)
            month = told(span, {host: as_rows(plain(found)) for host, found in rooms.items()}, counts_at)
            ProviderPeriod.objects.filter(pk=month.pk).update(asked_first=begin)
            by_day: dict[Any, Any] = {}
            for (day, host), meetings in everything.items():
                by_day.setdefault(day, {})[host] = as_rows(plain(meetings))
            told_days(by_day, counts_at, begin, end)
        months = reconciliation.months(Filter(), looked_at)
        silent = {(datetime.fromtimestamp(m.start, SHANGHAI).date(), m.host) for m in oracle.all if m.visits is None}
        lost: Counter[Any] = Counter()
        for key, meetings in everything.items():
            lost[key] += len(meetings) - len(mine.get(key, ()))
        for one in months:
            for line in one.lines:
                all_mine = [
                    meeting
                    for (day, host), meetings in ends_later.items()
                    if host == line.host_id and max(one.since, one.first) <= day <= one.last
                    for meeting in meetings
                ]
                assert line.ours == plain(all_mine)
    found = {(gap.day, gap.host_id): gap.count for one in months for gap in one.gaps if gap.kind == Kind.MISSING}
    expected = {key: count for key, count in lost.items() if count and first <= key[0] <= today}
    # Where an unreported meeting is just as long as what is missing, either may be meant.
    assert {key: count for key, count in found.items() if key not in silent} == {
        key: count for key, count in expected.items() if key not in silent
    }
    assert found.items() <= expected.items()
    assert not [gap for one in months for gap in one.gaps if gap.kind not in (Kind.MISSING, Kind.ONLY_HERE)]


def test_now_comes_in(settings):
    """Asked at another moment about the same rows, the months go on to that moment's."""
    pulled()
    later = datetime(2026, 5, 1, tzinfo=UTC)
    assert [one.first.month for one in reconciliation.months(Filter(), later)] == [5, 4, 3]
    assert reconciliation.month(MARCH[0], later).first == MARCH[0]
    assert reconciliation.month(date(2025, 1, 1), later) is None


def test_calls_are_those_of_the_meetings_whenever_they_were_made():
    pulled(at=NOW)
    late = call("+8613912345678", "00:10:00", "00:20:00", 10, "0.60", day="2026-03-01")
    take(
        meeting(start_time="2026-02-28 23:50:00", end_time="2026-03-01 00:30:00", telephony_usage=[late]),
        now=NOW - HOUR,
    )
    assert march().total.ours.calls == 0
