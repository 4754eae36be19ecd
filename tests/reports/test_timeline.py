"""The time axis of one meeting: what stands on it, where, and that it agrees with the figures."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard import timeline as drawn
from reports import intervals
from reports.figures import timeline
from reports.figures.attendance import MeetingAttendance, ordered, presences, stay
from reports.measures import summarise
from reports.models import Meeting, Participant, TelephonyUsage
from reports.summaries import live
from tests.support import SHANGHAI

START = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
NOW = START + timedelta(days=30)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def meeting(visits, end=60.0, booked=60, now=NOW, calls=None, start=START, zone=SHANGHAI):
    """The axis of a meeting, with its rows. visits: (name, join, leave or None) in minutes from its start."""
    rows = [
        Participant(name=name, join_time=at(join), leave_time=None if leave is None else at(leave))
        for name, join, leave in visits or ()
    ]
    stop = None if end is None else at(end)
    record = Meeting(
        start_time=start,
        end_time=stop,
        duration=None if booked is None else booked * 60,
        participants_reported=visits is not None,
    )
    for name, value in vars_of(summarise(start, stop, rows if visits is not None else None, (), None)).items():
        setattr(record, name, value)
    summary = live(record, rows, now)
    present = MeetingAttendance(
        summary,
        None if visits is None else presences(record, rows, summary.used_seconds, now),
        None if visits is None else [stay(row, stop, now) for row in rows],
    )
    return SimpleNamespace(
        record=record, summary=summary, present=present, axis=timeline.build(record, present, calls, now, zone)
    )


def vars_of(summary):
    return summary._asdict()


minutes = st.integers(-400, 600) | st.floats(-60, 120, allow_nan=False) | st.sampled_from([0, 30, 60, 3_000_000])
visits_of = st.lists(st.tuples(st.sampled_from(["Anna", "anna", "Ben", ""]), minutes, st.none() | minutes), max_size=12)


@given(visits_of, st.none() | st.integers(0, 300), st.none() | st.integers(0, 100_000))
@example([("Anna", -3_000_000, 30)], 60, 60)
@example([("Anna", 0, 30), ("Ben", 30, 60)], 60, 60)
@example([], 0, None)
def test_everything_stands_inside_the_axis_and_agrees_with_the_figures(visits, end, booked):
    made = meeting(visits, end, booked, now=at(45) if end is None else NOW)
    axis = made.axis
    assert axis.start <= axis.occupied.start <= axis.occupied.end <= axis.end
    assert (axis.ticks[0], axis.ticks[-1]) == (axis.start, axis.end)
    assert len(axis.ticks) <= timeline.MOST_STEPS + 3
    assert axis.ticks == sorted(set(axis.ticks))
    for row in axis.rows:
        for bar in [*row.bars, *row.singles, *row.marks]:
            assert axis.start <= bar.start <= bar.end <= axis.end
            assert (bar.whole[0] < bar.start) == bar.before
        if not any(bar.before or bar.after for bar in row.bars):
            length = sum((bar.end - bar.start for bar in row.bars), timedelta())
            assert int(length.total_seconds()) == row.presence.attendee.seconds
        whole = intervals.seconds([bar.whole for bar in row.bars])
        assert whole == row.presence.attendee.seconds
        if row.singles:
            assert intervals.seconds([single.whole for single in row.singles]) == whole
    assert axis.peak == made.summary.peak_attendees
    assert max((level for _at, level in axis.steps), default=0) == made.summary.peak_attendees
    # And drawn: nothing sticks out.
    view = drawn.view(axis, running=end is None, masked=False)
    boxes = [box for row in view["rows"] for box in (*row["bars"], *row["singles"], *row["marks"])]
    for box in [*boxes, view["occupied"], *(view["curve"]["marks"] if view["curve"] else ())]:
        left, width = float(box["x"].rstrip("%")), float(box["width"].rstrip("%"))
        assert left >= 0
        assert width > 0
        assert left + width <= 100.011


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=15))
def test_the_steps_are_the_head_count_at_every_instant(pairs):
    spans = [(at(min(pair)), at(max(pair))) for pair in pairs]
    steps = timeline.head_count(spans)
    for minute in range(-1, 21):
        level = [count for moment, count in steps if moment <= at(minute)][-1:] or [0]
        assert level == [sum(start <= at(minute) < end for start, end in spans)]
    assert max((count for _moment, count in steps), default=0) == intervals.peak(spans)
    assert not steps or steps[-1][1] == 0
    assert all(one[1] != two[1] for one, two in itertools.pairwise(steps))


def test_at_one_instant_who_leaves_goes_before_who_joins():
    made = meeting([("Anna", 0, 30), ("Ben", 30, 60)])
    assert made.axis.steps == [(at(0), 1), (at(60), 0)]
    assert made.axis.peak == 1


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=40))
def test_the_drawn_steps_reach_the_peak_and_come_back_to_nothing(pairs):
    made = meeting([(f"n{number}", min(p) / 10, max(p) / 10) for number, p in enumerate(pairs)], end=90)
    curve = drawn.view(made.axis, running=False, masked=False)["curve"]
    if made.axis.peak == 0:
        assert curve is None
        return
    y = x = 0
    highest = made.axis.peak
    for order, number in re.findall(r"([Mhv])(-?\d+)", curve["path"].replace(" ", "v")):
        if order == "v":
            y += int(number)
            highest = min(highest, y)
        elif order == "h":
            assert int(number) > 0
            x += int(number)
    assert highest == 0
    assert curve["path"].endswith(f"H{drawn.CURVE_WIDTH}V{made.axis.peak}z")
    assert x <= drawn.CURVE_WIDTH


def test_a_peak_of_a_moment_is_drawn_up_to_its_height():
    made = meeting([("Anna", 0, 60), ("Blink", 30, 30.005)])
    path = drawn.view(made.axis, running=False, masked=False)["curve"]["path"]
    assert path == "M0 2v-1h1000v-1v1H2000V2z"


def test_a_visit_years_off_does_not_squash_the_axis():
    made = meeting([("Off", -3_000_000, 30), ("Ben", 0, 60), ("Future", 10, 3_000_000)])
    assert made.axis.end - made.axis.start <= timedelta(hours=2)
    off, ben, future = (row.bars[0] for row in made.axis.rows)
    assert (off.before, off.after) == (True, False)
    assert (ben.before, ben.after) == (False, False)
    assert (future.before, future.after) == (False, True)


def test_a_visit_near_the_meeting_is_covered_whole():
    made = meeting([("Early", -50, 20), ("Late", 40, 150)])
    assert not any(bar.before or bar.after for row in made.axis.rows for bar in row.bars)


def test_the_booked_end_is_covered_up_to_a_day():
    assert meeting([], end=10, booked=300).axis.end >= at(300)
    assert meeting([], end=10, booked=60 * 24 * 40).axis.booked.after


def test_several_devices_are_one_bar_and_single_visits_in_lanes():
    row = meeting([("Anna", 0, 30), ("anna", 20, 50), ("ANNA", 55, 60)]).axis.rows[0]
    assert [bar.whole for bar in row.bars] == [(at(0), at(50)), (at(55), at(60))]
    assert [bar.lane for bar in row.singles] == [0, 1, 0]


def test_a_rejoin_is_a_gap_and_needs_no_single_visits():
    row = meeting([("Anna", 0, 30), ("Anna", 35, 60)]).axis.rows[0]
    assert len(row.bars) == 2
    assert row.singles == []


def test_an_open_end_and_a_clock_fault_are_told():
    axis = meeting([("Open", 10, None), ("Fault", 20, 5), ("Closed", 10, 60)]).axis
    closed, opened, fault = axis.rows
    assert (opened.bars[0].open, closed.bars[0].open) == (True, False)
    assert opened.bars[0].end == at(60)
    assert fault.bars == []
    assert [mark.fault for mark in fault.marks] == [True]
    kinds = {name for name, _words in drawn.view(axis, running=False, masked=False)["legend"]}
    assert {"assumed", "fault"} <= kinds
    assert "now" not in kinds


def test_a_running_meeting_reaches_until_now_and_goes_on():
    axis = meeting([("Anna", 0, None)], end=None, now=at(25)).axis
    assert axis.occupied.end == at(25)
    assert axis.occupied.open
    view = drawn.view(axis, running=True, masked=False)
    assert view["rows"][0]["bars"][0]["kind"] == "now"


def test_unreported_is_unknown_and_not_nobody():
    axis = meeting(None).axis
    assert (axis.rows, axis.steps, axis.peak) == (None, None, None)
    assert drawn.view(axis, running=False, masked=False)["curve"] is None


def test_calls_stand_on_the_axis_by_what_is_known_of_them():
    calls = [
        TelephonyUsage(start_time=at(5), end_time=at(20), phone_number="+8613912345678"),
        TelephonyUsage(start_time=at(5), duration=600),
        TelephonyUsage(start_time=at(5)),
        TelephonyUsage(start_time=at(30), end_time=at(10)),
        TelephonyUsage(phone_number="+8621"),
    ]
    axis = meeting([], calls=calls).axis
    spans = [(bar.start, bar.end, bar.open, bar.fault) for _call, bar in axis.calls]
    assert spans == [
        (at(5), at(20), False, False),
        (at(5), at(15), False, False),
        (at(5), at(60), True, False),
        (at(30), at(30), False, True),
    ]
    assert axis.untimed == calls[-1:]
    view = drawn.view(axis, running=False, masked=True)
    assert [call["cost"] for call in view["calls"]] == ["unpriced"] * 4
    assert "12345" not in view["calls"][0]["number"] + view["calls"][0]["bar"]["title"]


@pytest.mark.parametrize(
    ("length", "step"),
    [(10, 1), (24, 2), (60, 5), (61, 10), (180, 15), (24 * 60, 120), (6 * 24 * 60, 720), (7 * 24 * 60, 24 * 60)],
)
def test_ticks_are_round_local_times(length, step):
    (first, last), ticks, by_day = timeline.axis((at(0), at(length)), SHANGHAI)
    gaps = {(two - one) for one, two in itertools.pairwise(ticks)}
    assert gaps == {timedelta(minutes=step)}
    assert by_day == (step >= 24 * 60)
    assert first <= at(0)
    assert last >= at(length)


def test_ticks_follow_the_clock_through_a_change_of_it():
    berlin = ZoneInfo("Europe/Berlin")
    night = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30, half an hour before the clock is set forward
    _span, ticks, _by_day = timeline.axis((night, night + timedelta(hours=10)), berlin)
    clocks = [tick.astimezone(berlin).strftime("%H:%M") for tick in ticks]
    assert clocks == ["01:00", "03:00", *(f"{hour:02}:00" for hour in range(4, 14))]
    autumn = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    _span, ticks, _by_day = timeline.axis((autumn, autumn + timedelta(hours=3)), berlin)
    assert len({two - one for one, two in itertools.pairwise(ticks)}) == 1


@given(st.integers(60 * 24 * 6, 60 * 24 * 365 * 60))
def test_even_decades_have_few_ticks(length):
    (first, last), ticks, _by_day = timeline.axis((at(0), at(length)), SHANGHAI)
    assert first <= at(0) < at(length) <= last
    assert 2 <= len(ticks) <= timeline.MOST_STEPS + 3


def test_attendees_can_be_ordered():
    present = meeting([("Ben", 0, 5), ("", 1, 60), ("Anna", 2, 30)]).present.attendees
    names = {order: [p.attendee.name for p in ordered(present, order)] for order in ("join", "minutes", "name")}
    assert names == {"join": ["Ben", "", "Anna"], "minutes": ["", "Anna", "Ben"], "name": ["Anna", "Ben", ""]}
