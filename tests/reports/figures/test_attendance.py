"""The attendance rule within one meeting: present, late, left early, and what is not known of them."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reports.figures import attendance, people
from reports.filter import Filter
from reports.models import Meeting
from tests.reports.figures.oracle import worlds
from tests.support import NOW, examples, meeting, take, visit

pytestmark = pytest.mark.django_db
few = examples(30)


def of(*visits, **changes):
    """What the rule says of each attendee of one meeting from ten to eleven, by folded name."""
    take(meeting(participants=list(visits), **changes))
    return {one.attendee.key: one for one in attendance.of_meeting(Meeting.objects.get(), NOW).attendees}


@few
@given(world=worlds(least=1), percent=st.integers(1, 100))
def test_the_rule_is_that_of_plain_python(db, world, percent):
    with world.kept() as oracle:
        for expected in oracle.all:
            found = attendance.of_meeting(Meeting.objects.get(uuid=expected.uuid), world.now).attendees
            if expected.attendees is None:
                assert found is None
                continue
            assert {one.attendee.key for one in found} == expected.attendees.keys()
            for one in found:
                attendee = expected.attendees[one.attendee.key]
                present = attendee.seconds * 100 >= percent * expected.used if expected.used else None
                assert (one.is_present(percent), one.left_early) == (present, attendee.left_early)
                assert (one.late is not None) == (attendee.late is not None)


@given(used=st.integers(1, 100_000), percent=st.integers(1, 100))
@example(used=100, percent=29)  # 29 / 100 * 100 < 29 in floating point
@example(used=3, percent=100)
def test_just_enough_is_present_and_a_second_less_is_not(used, percent):
    enough = -(-percent * used // 100)
    one = attendance.Presence(attendee_for(enough), enough / used, None, used)
    less = replace(one, attendee=attendee_for(enough - 1))
    assert (one.is_present(percent), less.is_present(percent)) == (True, False)


def attendee_for(seconds):
    from reports.measures import Attendee

    return Attendee("a", "A", 1, NOW, NOW, seconds, provisional=False, flagged=False)


def test_five_minutes_before_the_last_leave_is_not_early_and_a_second_more_is():
    found = of(
        visit("last", "10:00:00", "10:50:00"),
        visit("just", "10:00:00", "10:45:00"),
        visit("early", "10:00:00", "10:44:59"),
        visit("back", "10:00:00", "10:10:00"),
        visit("back", "10:30:00", "10:48:00"),
    )
    assert {key: one.left_early for key, one in found.items()} == {
        "last": False,
        "just": False,
        "early": True,
        "back": False,
    }
    # It is the last visit that counts, not when the meeting was deleted.
    assert found["early"].before_end.total_seconds() == 301


def test_a_leave_that_was_not_reported_is_neither_early_nor_not():
    found = of(visit("A", "10:00:00", "10:10:00"), visit("B", "10:00:00", None), visit("B", "10:00:00", "10:05:00"))
    assert (found["b"].left_early, found["b"].before_end) == (None, None)
    # The missing leave lasts until the meeting's end, and the others are compared with that.
    assert found["a"].left_early is True


def test_nobody_has_left_a_running_meeting_early():
    day = "2026-03-10"
    found = of(
        visit("A", "11:00:00", "11:05:00", day),
        visit("B", "11:00:00", None, day),
        start_time=f"{day} 11:00:00",
        end_time=None,
    )
    assert [one.left_early for one in found.values()] == [None, None]
    assert [one.is_present(50) for one in found.values()] == [False, True]


def test_where_nothing_was_used_nobody_is_present_or_absent():
    found = of(visit("A", "10:20:00", "10:10:00"))
    assert (found["a"].is_present(1), found["a"].share) == (None, None)


def test_one_names_attendance_is_not_compared_with_leaves_that_were_not_read():
    take(meeting(participants=[visit("A", "10:00:00", "10:10:00"), visit("B", "10:00:00", "11:00:00")]))
    [alone] = people.attended(Filter(name="a"), NOW)
    assert alone.presence.left_early is None
