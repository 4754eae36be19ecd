"""The simulated company: the same seed is the same world, and everything that reports may hold does occur."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reports.sandbox.world import Clock, FixedWorld, World, _day_of, read_time

ROOT = Path(__file__).parents[3]
ZONE = ZoneInfo("Asia/Shanghai")
FIRST, LAST = date(2026, 3, 1), date(2026, 5, 31)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
DIGEST = """
import hashlib, json, sys
from datetime import UTC, date, datetime
from reports.sandbox.world import World
told = World(7).meetings(date(2026, 3, 2), date(2026, 3, 4), datetime(2026, 12, 1, tzinfo=UTC))
print(hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def world():
    with pytest.MonkeyPatch.context() as patch:
        # The tests look at one quarter from many sides.
        patch.setattr("reports.sandbox.world.KEPT_DAYS", 400)
        yield World()


@pytest.fixture(scope="module")
def quarter(world):
    return world.meetings(FIRST, LAST, LATER)


@pytest.fixture(scope="module")
def gatherings(world):
    return [one for offset in range((LAST - FIRST).days + 1) for one in world.day(FIRST + timedelta(days=offset))]


def days(count, first=FIRST):
    return [first + timedelta(days=offset) for offset in range(count)]


def at(text):
    return read_time(text, ZONE)


def visits(records):
    return [(record, visit) for record in records for visit in record.get("participants") or ()]


def calls(records):
    return [call for record in records for call in record.get("telephony_usage") or ()]


def is_extra(record):
    return str(record.get("is_extra")) in {"1", "True"}


class TestTheSame:
    def test_seed_is_the_same_world_in_every_process(self):
        told = World(7).meetings(date(2026, 3, 2), date(2026, 3, 4), LATER)
        here = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        found = {
            subprocess.run(
                [sys.executable, "-c", DIGEST],
                env={**os.environ, "PYTHONHASHSEED": seed},
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for seed in ("1", "99")
        }
        assert found == {here}

    def test_another_seed_is_another_world(self):
        day = date(2026, 3, 2)
        one, other = (World(seed).meetings(day, day, LATER) for seed in (1, 2))
        assert not {record["uuid"] for record in one} & {record["uuid"] for record in other}

    @pytest.mark.parametrize("order", ["backwards", "scattered", "piecewise"])
    def test_order_of_questions_does_not_matter(self, order):
        asked = days(12)
        forward, other = World(3), World(3)
        expected = {day: forward.meetings(day, day, LATER) for day in asked}
        match order:
            case "backwards":
                asked.reverse()
            case "scattered":
                asked = asked[::3] + asked[1::3] + asked[2::3]
            case "piecewise":
                other.meetings(asked[5], asked[9], LATER)
        assert {day: other.meetings(day, day, LATER) for day in asked} == dict(expected.items())

    def test_a_day_forgotten_comes_back_the_same(self, monkeypatch):
        monkeypatch.setattr("reports.sandbox.world.KEPT_DAYS", 2)
        small = World(3, meetings_per_day=30)
        before = [small.meetings(day, day, LATER) for day in days(8)]
        assert [small.meetings(day, day, LATER) for day in days(8)] == before

    def test_many_threads_see_one_world(self):
        shared, alone = World(5), World(5)
        seen: list[list[Any]] = [[] for _ in range(6)]

        def ask(place):
            asked = days(6) if place % 2 else days(6)[::-1]
            seen[place] = sorted((shared.meetings(day, day, LATER) for day in asked), key=lambda told: str(told[0]))

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = sorted((alone.meetings(day, day, LATER) for day in days(6)), key=lambda told: str(told[0]))
        assert seen == [expected] * 6

    def test_start_of_the_company_changes_no_later_day(self):
        young = World(3, first_day=FIRST)
        assert young.meetings(FIRST - timedelta(days=40), FIRST - timedelta(days=1), LATER) == []
        day = FIRST + timedelta(days=3)
        assert young.meetings(day, day, LATER) == World(3).meetings(day, day, LATER)


class TestRooms:
    def test_no_room_is_booked_twice(self, gatherings):
        spans = defaultdict(list)
        for one in gatherings:
            assert one.end > one.start
            spans[one.room.host_id].append((one.start, one.end))
        for taken in spans.values():
            taken.sort()
            assert all(earlier[1] <= later[0] for earlier, later in pairwise(taken))

    def test_temporary_rooms_only_when_no_fitting_one_is_free(self, world, gatherings):
        extras = [one for one in gatherings if one.extra]
        busy = [one for one in gatherings if not one.extra]
        for extra in extras:
            taken = {one.room.host_id for one in busy if one.start < extra.end and extra.start < one.end}
            assert [room for room in world.pool if room.capacity >= extra.need and room.host_id not in taken] == [], (
                extra
            )

    def test_pool_runs_short_now_and_then(self, gatherings):
        weeks = len(days((LAST - FIRST).days)) / 7
        assert 1 <= sum(one.extra for one in gatherings) / weeks <= 10

    def test_temporary_rooms_are_new_and_not_of_the_pool(self, world, gatherings):
        extras = [one.room.host_id for one in gatherings if one.extra]
        assert len(set(extras)) == len(extras)
        assert not set(extras) & {room.host_id for room in world.pool}

    def test_rooms_hold_those_who_come(self, gatherings):
        assert all(one.room.capacity >= one.need for one in gatherings if not one.extra)

    def test_rooms_and_licence_tell_the_same(self, world):
        rooms = world.rooms()
        assert len(rooms) == 60
        assert Counter(room["meeting_capacity"] for room in rooms) == world.licensing()
        assert len({room["first_name"] for room in rooms}) == len({room["id"] for room in rooms}) == 60
        assert all(len(room["id"]) == 22 for room in rooms)

    @pytest.mark.parametrize("count", [1, 3, 10, 60, 500])
    def test_pool_has_as_many_rooms_as_asked(self, count):
        assert len(World(rooms=count).rooms()) == count


class TestBelievable:
    def test_amount(self, quarter):
        working = sum(day.weekday() < 5 for day in days((LAST - FIRST).days))
        assert 130 <= len(quarter) / working <= 180
        assert 4 <= len(visits(quarter)) / len(quarter) <= 7
        assert 0.08 <= sum(bool(one.get("telephony_usage")) for one in quarter) / len(quarter) <= 0.16

    def test_hours_and_weekdays(self, quarter):
        starts = [at(one["start_time"]).astimezone(ZONE) for one in quarter]
        hours = Counter(start.hour for start in starts)
        assert hours[10] > hours[12] * 3
        assert hours[14] > hours[12] * 3
        weekdays = Counter(start.weekday() for start in starts)
        assert max(weekdays[5], weekdays[6]) * 4 < min(weekdays[day] for day in range(5))

    def test_holidays_are_quiet(self, world):
        def count(day):
            return len(world.meetings(day, day, LATER))

        assert count(date(2026, 5, 4)) * 4 < count(date(2026, 5, 11))
        assert count(date(2026, 2, 18)) * 4 < count(date(2026, 3, 4))

    def test_growth_has_no_cliff(self, world):
        loads = [
            sum(world._load(first + timedelta(days=offset)) for offset in range(28))
            for first in days(200, date(2026, 5, 11))[:120:7]
        ]
        assert max(loads) / min(loads) < 1.35
        assert world._load(date(2026, 11, 4)) > world._load(date(2024, 11, 6)) * 1.02

    def test_numbers_come_again_and_tell_their_day(self, world, quarter):
        counted = Counter(str(one["meeting_id"]) for one in quarter)
        assert {len(number) for number in counted} == {9, 10, 11}
        assert max(counted.values()) > 40
        assert len({one["uuid"] for one in quarter}) == len(quarter)
        for one in quarter:
            number = str(one["meeting_id"])
            if number not in world._series_numbers:
                assert _day_of(number) == at(one["start_time"]).astimezone(ZONE).date()

    @pytest.mark.parametrize("number", ["", "123", "0123456789", "12345678901", "abcdefghij", "１２３４５６７８９０"])
    def test_no_number_of_ours(self, number):
        assert _day_of(number) is None
        assert World().reports([number], LATER) == []


def _overlap(one, other):
    return bool(one[1] and other[1]) and one[0] < other[1] and other[0] < one[1]


class TestEverythingOccurs:
    """Whatever the real reports are known to hold is found in a quarter of the simulated ones."""

    def test_spellings(self, quarter):
        kinds = {type(one["meeting_id"]) for one in quarter}
        assert kinds == {int, str}
        assert {(type(one["is_extra"]), str(one["is_extra"])) for one in quarter if "is_extra" in one} >= {
            (int, "0"),
            (str, "0"),
            (bool, "False"),
            (int, "1"),
        }
        assert any("is_extra" not in one for one in quarter)
        durations = [one["duration"] for one in quarter]
        assert {type(one) for one in durations} == {int, str, type(None)}
        assert any(str(one).endswith("分钟") for one in durations)
        assert any(len(one["start_time"].split()[0]) < 10 for one in quarter)

    def test_spelling_of_a_record_is_stable(self, world, quarter):
        assert world.meetings(FIRST, FIRST + timedelta(days=5), LATER + timedelta(days=9)) == [
            one for one in quarter if at(one["start_time"]).astimezone(ZONE).date() <= FIRST + timedelta(days=5)
        ]

    def test_topics(self, quarter):
        topics = {one["topic"] for one in quarter}
        assert any(topic.startswith("=") for topic in topics)
        assert any("<b>" in topic for topic in topics)
        assert any("🚀" in topic for topic in topics)
        assert any(len(topic) > 150 for topic in topics)
        assert any(topic.isascii() for topic in {topic.split()[-1] for topic in topics})

    def test_sizes(self, quarter):
        sizes = Counter(len({visit["name"] for visit in one.get("participants") or ()}) for one in quarter)
        assert sum(sizes[size] for size in range(2, 9)) > len(quarter) * 0.7
        assert any(30 <= size <= 120 for size in sizes)
        assert any(size > 120 for size in sizes)

    def test_empty_solo_unreported(self, quarter):
        empty = [one for one in quarter if one.get("participants") == []]
        assert empty
        assert all(at(one["end_time"]) - at(one["start_time"]) == timedelta(minutes=30) for one in empty)
        assert any(len(one.get("participants") or ()) == 1 for one in quarter)
        assert any("participants" not in one for one in quarter)
        assert any("participants" in one and one["participants"] is None for one in quarter)

    def test_visits(self, quarter):
        rejoined = same_second = overlapping = early = late = left = False
        faults = missing = nameless = 0
        for one in quarter:
            start, end = at(one["start_time"]), at(one["end_time"])
            by_name = defaultdict(list)
            for visit in one.get("participants") or ():
                join, leave = at(visit["join_time"]), at(visit["leave_time"])
                by_name[visit["name"]].append((join, leave))
                early |= timedelta(minutes=5) < start - join
                assert start - join <= timedelta(minutes=15)
                late |= join - start > timedelta(minutes=10)
                faults += leave is not None and leave < join
                missing += leave is None
                nameless += not visit["name"]
                left |= leave is not None and end - leave > timedelta(minutes=20)
                assert leave is None or leave <= end
            for spans in by_name.values():
                for first, second in pairwise(spans):
                    rejoined |= bool(first[1]) and second[0] > first[1]
                    same_second |= second[0] == first[1]
                    overlapping |= _overlap(first, second)
        assert rejoined
        assert same_second
        assert overlapping
        assert early
        assert late
        assert left
        assert 0 < faults < len(quarter) * 0.05
        assert 0 < missing < len(quarter) * 0.06
        assert nameless

    def test_names(self, world, quarter):
        names = {visit["name"] for _, visit in visits(quarter)}
        assert any(name.endswith("的 iPhone") for name in names)
        assert any(name != name.strip() for name in names)
        assert any("Ａ" <= letter <= "ｚ" for name in names for letter in name)
        assert any(name.isascii() and name != name.upper() and name.upper() in names for name in names)
        assert len(names) > 400
        assert any(times > 1 for times in Counter(world.people).values())

    def test_booked_and_actual(self, quarter):
        known = [one for one in quarter if isinstance(one["duration"], int) and one.get("participants")]
        lasted = [(at(one["end_time"]) - at(one["start_time"])).total_seconds() / 60 - one["duration"] for one in known]
        assert any(over > 10 for over in lasted)
        assert any(over < -10 for over in lasted)
        assert any(
            at(one["end_time"]) > max(leaves)
            for one in known
            if (leaves := [at(visit["leave_time"]) for visit in one["participants"] if visit["leave_time"]])
        )

    def test_over_midnight_and_at_night(self, quarter):
        spans = [(at(one["start_time"]).astimezone(ZONE), at(one["end_time"]).astimezone(ZONE)) for one in quarter]
        assert any(start.date() < end.date() for start, end in spans)
        assert any(start.hour < 6 for start, _ in spans)

    def test_calls(self, quarter):
        found = calls(quarter)
        assert {call["type"] for call in found} == {"call-out", "call-in", "callback"}
        assert {type(call["total"]) for call in found} == {str, float, type(None)}
        for prefix in ("+8613", "+8621", "+852", "+65", "+1202", "+447700900", "+49", "+81", "+61"):
            assert any(call["phone_number"].startswith(prefix) for call in found), prefix
        for call in found:
            lasted = (at(call["end_time"]) - at(call["start_time"])).total_seconds()
            assert lasted > 0
            assert call["duration"] == -(-lasted // 60)
            if call["total"] is not None:
                cents = round(float(call["total"]) * 100, 6)
                assert cents == int(cents)
                assert cents % call["duration"] == 0

    def test_second_record_under_the_number_of_a_host_who_dropped(self, world, quarter):
        single = Counter(str(one["meeting_id"]) for one in quarter)
        again = [number for number, times in single.items() if times == 2 and number not in world._series_numbers]
        assert len(again) > 20

    def test_late_and_changed_reports(self, gatherings):
        lags = [(one.reported_at - one.end) / 3600 for one in gatherings]
        assert sum(lag < 1 for lag in lags) > len(lags) * 0.8
        assert any(1 < lag < 6 for lag in lags)
        assert any(lag > 24 for lag in lags)
        assert any(one.final_at > one.reported_at for one in gatherings)


class TestThePresent:
    DAY = date(2026, 3, 4)

    def moment(self, hour, minute=0):
        return datetime(2026, 3, 4, hour, minute, tzinfo=ZONE)

    def told(self, world, now):
        return {one["uuid"]: one for one in world.meetings(self.DAY, self.DAY, now)}

    def test_nothing_of_the_future(self, world):
        for hour in (0, 9, 12, 18):
            now = self.moment(hour)
            for one in self.told(world, now).values():
                assert at(one["start_time"]) <= now
                assert one.get("end_time") in (None, "") or at(one["end_time"]) <= now
                for visit in one.get("participants") or ():
                    assert at(visit["join_time"]) <= now
                    assert not visit["leave_time"] or at(visit["leave_time"]) <= now
                for call in one.get("telephony_usage") or ():
                    assert at(call["end_time"]) <= now
        assert world.meetings(self.DAY + timedelta(days=1), self.DAY + timedelta(days=9), self.moment(12)) == []

    def test_running_ones_end_as_time_goes_on(self, world):
        now = self.moment(10, 30)
        running = {one["uuid"]: one for one in world.snapshot(now)}
        assert len(running) > 15
        assert {one.get("end_time", "missing") for one in running.values()} == {"missing", "", None}
        assert any(not visit["leave_time"] for _, visit in visits(running.values()))
        later = self.told(world, now + timedelta(days=1))
        assert all(later[uuid]["end_time"] for uuid in running)
        assert not running.keys() & {one["uuid"] for one in world.snapshot(now + timedelta(hours=9))}

    def test_snapshot_is_what_runs(self, world):
        now = self.moment(14, 20)
        expected = [one for one in self.told(world, now).values() if not one.get("end_time")]
        assert [one for one in world.snapshot(now) if one["uuid"] in self.told(world, now)] == expected

    def test_ended_ones_tell_nobody_until_reported(self, world):
        for one in world.day(self.DAY):
            if one.unreported:
                continue
            before = self.told(world, datetime.fromtimestamp(one.reported_at - 1, UTC))[one.uuid]
            after = self.told(world, datetime.fromtimestamp(one.reported_at, UTC))[one.uuid]
            assert before.get("participants") is None
            assert before["end_time"]
            assert after["participants"] is not None

    def test_reports_come_when_they_are_reported(self, world):
        one = next(one for one in world.day(self.DAY) if one.stays)
        before, after = (datetime.fromtimestamp(one.reported_at + step, UTC) for step in (-1, 0))
        assert one.uuid not in {told["uuid"] for told in world.reports([one.number], before)}
        assert one.uuid in {told["uuid"] for told in world.reports([one.number], after)}

    def test_some_reports_change(self, gatherings, world):
        one = next(one for one in gatherings if one.held_back and one.phones and not one.unreported)
        early, final = (
            next(told for told in world.reports([one.number], when) if told["uuid"] == one.uuid)
            for when in (datetime.fromtimestamp(one.reported_at, UTC), datetime.fromtimestamp(one.final_at, UTC))
        )
        assert len(early["participants"]) == len(final["participants"]) - one.held_back
        assert all(call["total"] is None for call in early["telephony_usage"])
        assert any(call["total"] is not None for call in final["telephony_usage"])

    def test_series_tells_its_last_month(self, world):
        number = next(iter(one.number for one in world.series if len(one.weekdays) == 5))
        found = world.reports([number], LATER)
        assert 15 <= len(found) <= 22

    def test_withheld(self):
        small = World(rooms=8, meetings_per_day=12)
        now = self.moment(23, 59) + timedelta(days=9)
        everything = self.told(small, now)
        gone = next(uuid for uuid, one in everything.items() if _day_of(str(one["meeting_id"])))
        small.withheld.add(gone)
        assert everything.keys() - self.told(small, now).keys() == {gone}
        assert small.reports([str(everything[gone]["meeting_id"])], now) == []

    def test_numbers(self, world):
        now = self.moment(23, 59) + timedelta(days=9)
        numbers = world.numbers(self.DAY, self.DAY)
        assert set(numbers) == {str(one["meeting_id"]) for one in self.told(world, now).values()}
        assert {str(one["meeting_id"]) for one in world.reports(numbers, now)} == set(numbers)


class TestZones:
    @pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
    def test_clock_writes_what_the_zone_shows(self, zone):
        clock = Clock(ZoneInfo(zone))
        for moment in range(1_772_000_000, 1_772_000_000 + 366 * 86_400, 3_599 * 7):
            shown = datetime.fromtimestamp(moment, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
            assert clock.text(moment) == shown

    @pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
    def test_days_when_clocks_are_set(self, day):
        zone = ZoneInfo("America/New_York")
        world = World(zone="America/New_York")
        now = datetime(2027, 1, 1, tzinfo=UTC)
        told = world.meetings(day, day, now)
        assert told
        starts = [read_time(one["start_time"], zone) for one in told]
        assert all(start and start.astimezone(zone).date() == day for start in starts)


class TestFixedWorld:
    RECORD = {"uuid": "a/+=", "meeting_id": 123456789, "start_time": "2026-3-4 23:30:00"}

    def test_serves_what_it_was_given(self):
        world = FixedWorld([self.RECORD], [{"id": "r", "meeting_capacity": "25"}])
        assert world.meetings(date(2026, 3, 4), date(2026, 3, 4), LATER) == [self.RECORD]
        assert world.meetings(date(2026, 3, 5), date(2026, 3, 5), LATER) == []
        assert world.reports(["123456789", "5"], LATER) == [self.RECORD]
        assert world.licensing() == {"25": 1}

    def test_days_are_local(self):
        record = {**self.RECORD, "start_time": "2026-03-04T20:00:00Z"}
        assert FixedWorld([record]).meetings(date(2026, 3, 5), date(2026, 3, 5), LATER) == [record]

    def test_unreadable_start_is_served_at_any_day(self):
        record = {**self.RECORD, "start_time": "2026-13-45 99:00:00"}
        assert FixedWorld([record]).meetings(date(2020, 1, 1), date(2020, 1, 1), LATER) == [record]


def test_a_year_is_made_in_seconds():
    """Generous for a busy machine: measured 3.5 s a year of one core, so a month must not take 3."""
    started = os.times()
    World(11).meetings(date(2026, 3, 1), date(2026, 3, 31), LATER)
    ended = os.times()
    assert ended.user - started.user < 3
