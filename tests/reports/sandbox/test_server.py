"""The simulated API over real HTTP: both shapes, paging, refusals, and what each fault does on the wire."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from reports.sandbox.faults import FAULTS, FaultSet, UnknownFault
from reports.sandbox.server import Sandbox
from reports.sandbox.world import FixedWorld, World

NOW = datetime(2026, 3, 12, 7, tzinfo=UTC)
KEY = {"api_key": "demo-key", "api_secret": "demo-secret"}
DAY = {"from": "2026-03-04", "to": "2026-03-04"}
FULL = {"show_participants": "true", "show_telephony_usage": "true"}


@pytest.fixture(scope="module")
def world():
    return World(2)


@pytest.fixture(scope="module")
def running(world):
    with Sandbox(world, clock=lambda: NOW) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    running.faults.clear()
    running.calls.clear()
    yield running
    running.faults.clear()
    running.undelivered.clear()


@pytest.fixture(scope="module")
def http():
    with requests.Session() as http:
        http.trust_env = False
        yield http


@dataclass
class Ask:
    post: Callable[..., requests.Response]
    data: Callable[..., Any]

    def __call__(self, endpoint: str, **form: Any) -> requests.Response:
        return self.post(endpoint, **form)


@pytest.fixture
def ask(sandbox, http):
    """Post one call and give back the response; `data` of it by `ask.data`."""

    def post(endpoint, timeout=10, **form):
        return http.post(sandbox.url + endpoint, data={**KEY, **form}, timeout=timeout)

    def data(endpoint, **form):
        answer = post(endpoint, **form).json()
        assert answer["status"] == 200, answer
        assert answer["message"] == "OK"
        return answer["data"]

    return Ask(post, data)


def everything(world, first=date(2026, 3, 4), last=date(2026, 3, 4)):
    return world.meetings(first, last, NOW)


class TestDetail:
    def test_pages_hold_everything_once(self, ask, world):
        found, number = [], 1
        while True:
            page = ask.data("share/detail", **DAY, **FULL, page_size="50", page_number=str(number))
            assert (page["page_number"], page["page_size"]) == (number, 50)
            assert page["has_previous_page"] == (number > 1)
            assert page["total_record"] == len(everything(world))
            assert page["total_page"] == -(-page["total_record"] // 50)
            found += page["meetings"]
            if not page["has_next_page"]:
                break
            number += 1
        assert number == page["total_page"] > 2
        assert found == everything(world)

    def test_page_size(self, ask):
        assert len(ask.data("share/detail", **DAY)["meetings"]) == 30
        wide = {"from": "2026-02-25", "to": "2026-03-11"}
        page = ask.data("share/detail", **wide, page_size="1000")
        assert (page["page_size"], len(page["meetings"])) == (300, 300)

    def test_beyond_the_last_page(self, ask):
        page = ask.data("share/detail", **DAY, page_number="99")
        assert page["meetings"] == []
        assert page["has_next_page"] is False

    def test_visits_and_calls_only_when_asked(self, ask):
        for form, there in (
            ({}, set()),
            ({"show_participants": "true"}, {"participants"}),
            ({"show_telephony_usage": "true"}, {"telephony_usage"}),
            (FULL, {"participants", "telephony_usage"}),
        ):
            keys = set().union(*ask.data("share/detail", **DAY, **form, page_size="300")["meetings"])
            assert keys & {"participants", "telephony_usage"} == there

    def test_today_is_the_provider_s(self, ask, world, sandbox):
        assert ask.data("share/detail")["to"] == "2026-03-12"
        sandbox.clock = lambda: datetime(2026, 3, 12, 17, tzinfo=UTC)
        try:
            assert ask.data("share/detail")["to"] == "2026-03-13"
        finally:
            sandbox.clock = lambda: NOW

    def test_unpadded_dates(self, ask):
        padded = ask.data("share/detail", **DAY)
        assert ask.data("share/detail", **{"from": "2026-3-4", "to": "2026-3-4"}) == padded
        assert (padded["from"], padded["to"]) == ("2026-3-4", "2026-03-04")

    def test_more_than_a_month_is_its_last_month(self, ask):
        page = ask.data("share/detail", **{"from": "2026-01-01", "to": "2026-03-10"})
        last = ask.data("share/detail", **{"from": "2026-02-08", "to": "2026-03-10"})
        assert page == last
        assert page["from"] == "2026-2-8"

    @pytest.mark.parametrize("first", ["yesterday", "2026-13-01", "2026-02-30", "2026-03-05"])
    def test_wrong_dates(self, ask, first):
        answer = ask("share/detail", **{"from": first, "to": "2026-03-04"}).json()
        assert (answer["status"], answer["data"]) == (400, None)
        assert answer["message"]

    def test_one_room(self, ask, world):
        host_id = everything(world)[0]["host_id"]
        found = ask.data("share/detail", **DAY, host_id=host_id, page_size="300")
        expected = [one["uuid"] for one in everything(world) if one["host_id"] == host_id]
        assert [one["uuid"] for one in found["meetings"]] == expected
        assert found["total_record"] == len(expected)


class TestReports:
    def test_paged(self, ask, world):
        numbers = world.numbers(date(2026, 3, 4), date(2026, 3, 4))[:60]
        expected = world.reports(numbers, NOW)
        first = ask.data("share/reports", meeting_ids=",".join(numbers))
        assert first["page_size"] == 30
        assert first["has_next_page"] is True
        found = []
        for page in range(1, first["total_page"] + 1):
            found += ask.data("share/reports", meeting_ids=",".join(numbers), page_number=str(page))["meetings"]
        assert found == expected

    def test_unknown_numbers(self, ask):
        page = ask.data("share/reports", meeting_ids="123456789, 987654321")
        assert (page["meetings"], page["total_record"], page["total_page"]) == ([], 0, 0)

    def test_array(self, ask, sandbox, world):
        sandbox.faults.on("array-shape")
        numbers = [*world.numbers(date(2026, 3, 4), date(2026, 3, 4)), "123456789"]
        items = ask.data("share/reports", meeting_ids=",".join(numbers[-200:]))
        bare = [item for item in items if item.keys() == {"id"}]
        full = [item for item in items if len(item) > 1]
        assert {"id": "123456789"} in bare
        assert {str(item["id"]) for item in items} == set(numbers[-200:])
        assert not {item["id"] for item in bare} & {str(item["id"]) for item in full}
        by_uuid = {one["uuid"]: one for one in world.reports(numbers, NOW)}
        rooms = {room["email"]: room["id"] for room in world.rooms()}
        for item in full:
            told = by_uuid[item["uuid"]]
            assert not item.keys() & {"topic", "is_extra", "telephony_usage", "meeting_id", "host_id"}
            assert rooms.get(item["email"], told["host_id"]) == told["host_id"]
            assert item["start_time"].endswith("Z")
            assert item["participants_count"] == len(item["participants"]) == len(told["participants"])
            for row, visit in zip(item["participants"], told["participants"], strict=True):
                local = datetime.fromisoformat(row["join_time"]).astimezone(ZoneInfo("Asia/Shanghai"))
                assert (row["user_name"], f"{local:%Y-%m-%d %H:%M:%S}") == (visit["name"], visit["join_time"])
        assert {type(item["id"]) for item in full} == {int, str}
        assert any(row["leave_time"] in (None, "") for item in full for row in item["participants"])

    @pytest.mark.parametrize("count", [0, 201, 500])
    def test_number_of_numbers(self, ask, count):
        ids = ",".join(str(100000000 + place) for place in range(count))
        answer = ask("share/reports", meeting_ids=ids)
        assert answer.status_code == 200
        assert answer.json()["status"] == 400
        assert answer.json()["message"]

    def test_two_hundred_are_fine(self, ask):
        ids = ",".join(str(100000000 + place) for place in range(200))
        assert ask.data("share/reports", meeting_ids=ids)["meetings"] == []


class TestTheRest:
    def test_rooms(self, ask, world):
        assert ask.data("share/rooms") == world.rooms()

    def test_licensing(self, ask, world):
        data = ask.data("licensing")
        assert data["capacity"] == world.licensing()
        assert data["payType"] == "1"

    def test_summary_sums_what_detail_tells(self, ask, world):
        page = ask.data("share/summary", **DAY, page_size="300")
        reported = [one for one in everything(world) if one.get("end_time") and one.get("participants") is not None]
        assert page["total_meetings"] == len(reported) == sum(room["meetings"] for room in page["rooms"])
        assert page["total_participants"] == sum(len(one["participants"]) for one in reported)
        fees = sum(float(call["total"] or 0) for one in reported for call in one["telephony_usage"])
        assert sum(room["total_fee"] for room in page["rooms"]) == pytest.approx(fees)
        minutes = sum(call["duration"] for one in reported for call in one["telephony_usage"])
        assert sum(room["audio_total_duration"] for room in page["rooms"]) == minutes
        assert page["total_meeting_minutes"] > page["total_meetings"]
        host_id = page["rooms"][0]["host_id"]
        assert ask.data("share/summary", **DAY, host_id=host_id)["rooms"] == page["rooms"][:1]

    def test_what_is_undelivered_is_counted_and_never_told(self, ask, sandbox, world):
        reported = [one for one in everything(world) if one.get("end_time") and one.get("participants")]
        gone = reported[3]
        before = ask.data("share/summary", **DAY)
        sandbox.undelivered.add(gone["uuid"])
        detail = ask.data("share/detail", **DAY, page_size="300")
        assert detail["total_record"] == len(everything(world)) - 1
        assert gone["uuid"] not in {one["uuid"] for one in detail["meetings"]}
        told = ask.data("share/reports", meeting_ids=str(gone["meeting_id"]))["meetings"]
        assert gone["uuid"] not in {one["uuid"] for one in told}
        assert ask.data("share/summary", **DAY) == before

    def test_what_is_late_is_late_for_the_totals_too(self, ask, sandbox, world):
        today = {"from": "2026-03-12", "to": "2026-03-12"}
        before = ask.data("share/summary", **today)["total_meetings"]
        sandbox.faults.on("late")
        assert ask.data("share/summary", **today)["total_meetings"] < before

    def test_unknown_interface(self, ask):
        assert ask("share/nothing").json()["status"] == 404
        assert requests.post("http://" + ask("licensing").url.split("/")[2] + "/x", timeout=5).status_code == 404

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
    def test_only_post(self, sandbox, http, method):
        answer = http.request(method, sandbox.url + "share/rooms", timeout=5)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"

    @pytest.mark.parametrize("form", [{}, {"api_key": "demo-key"}, {**KEY, "api_secret": "x"}, {**KEY, "api_key": ""}])
    def test_wrong_keys(self, sandbox, http, form):
        answer = http.post(sandbox.url + "share/rooms", data=form, timeout=5)
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["data"]) == (401, None)

    def test_calls_tell_what_was_asked_without_secrets(self, ask, sandbox):
        ask("share/detail", **DAY)
        sandbox.faults.on("500")
        ask("share/rooms")
        assert [(call.endpoint, call.status) for call in sandbox.calls] == [("share/detail", 200), ("share/rooms", 500)]
        assert sandbox.calls[0].form == DAY
        assert "demo-" not in repr(sandbox.calls)

    def test_connections_are_kept_and_quick(self, ask):
        ask("licensing")
        took = []
        for _ in range(20):
            started = time.perf_counter()
            assert ask("licensing").headers["Content-Length"]
            took.append(time.perf_counter() - started)
        # Nagle and delayed acknowledgements would cost 40 ms each; the quickest shows it on a busy machine too.
        assert min(took) < 0.035

    def test_listens_on_this_computer_only(self, sandbox):
        assert sandbox._server.server_address[0] == "127.0.0.1"

    @pytest.mark.parametrize("length", ["-5", "x", "99999999999"])
    def test_senseless_length(self, sandbox, length):
        port = sandbox._server.server_port
        with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
            peer.sendall(f"POST /umeeting/licensing HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
            assert peer.recv(100).split()[1] in {b"411", b"413"}

    def test_running_and_ended_as_the_clock_goes(self, world, http):
        clock = [datetime(2026, 3, 4, 2, 30, tzinfo=UTC)]
        with Sandbox(world, clock=lambda: clock[0]) as sandbox:

            def running():
                form = {**KEY, **FULL, "page_size": "300"}
                found = http.post(sandbox.url + "share/detail", data=form, timeout=5).json()["data"]["meetings"]
                return {one["uuid"] for one in found if not one.get("end_time")}

            before = running()
            clock[0] += timedelta(hours=5)
            assert len(before) > 10
            assert not before & running()

    def test_fixed_records(self, http):
        record = {"uuid": "a/+=", "meeting_id": "123456789", "start_time": "2026-03-12 10:00:00", "participants": []}
        with Sandbox(FixedWorld([record]), clock=lambda: NOW) as sandbox:
            for endpoint, form in (("share/detail", FULL), ("share/reports", {"meeting_ids": "123456789"})):
                answer = http.post(sandbox.url + endpoint, data={**KEY, **form}, timeout=5).json()
                assert answer["data"]["meetings"] == [record]
            assert http.post(sandbox.url + "share/summary", data=KEY, timeout=5).json()["data"]["rooms"] == []


class TestFaults:
    @pytest.mark.parametrize(("fault", "status"), [("500", 500), ("429", 429), ("403-throttle", 403)])
    def test_http_statuses(self, ask, sandbox, fault, status):
        sandbox.faults.on(fault)
        answer = ask("share/rooms")
        assert answer.status_code == status
        assert answer.json()["status"] == status
        assert ("maximum number of api requests" in answer.text) == (fault == "403-throttle")
        assert answer.headers.get("Retry-After") == ("1" if fault == "429" else None)

    def test_throttled_for_two_calls(self, ask, sandbox):
        sandbox.faults.on("429=2:7")
        answers = [ask("share/rooms") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 429, 200]
        assert answers[0].headers["Retry-After"] == "7"
        assert sandbox.faults.names() == []

    def test_throttled_for_good(self, ask, sandbox):
        sandbox.faults.on("429=:30")
        assert {ask("share/rooms").headers["Retry-After"] for _ in range(3)} == {"30"}

    @pytest.mark.parametrize(("fault", "status"), [("status-error", 500), ("wrong-secret", 401)])
    def test_failures_within_http_200(self, ask, sandbox, fault, status):
        sandbox.faults.on(fault)
        answer = ask("share/rooms")
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["data"]) == (status, None)

    def test_echo_secret(self, ask, sandbox):
        sandbox.faults.on("echo-secret")
        assert "demo-secret" in ask("share/rooms").json()["message"]

    def test_html(self, ask, sandbox):
        sandbox.faults.on("html")
        answer = ask("share/rooms")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<!doctype")

    def test_truncated(self, ask, sandbox):
        sandbox.faults.on("truncated")
        answer = ask("share/rooms")
        assert len(answer.content) == int(answer.headers["Content-Length"])
        assert answer.content.decode()
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.content)

    def test_cut(self, ask, sandbox):
        sandbox.faults.on("cut=1")
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
            ask("share/rooms")
        assert ask("share/rooms").status_code == 200

    def test_timeout(self, ask, sandbox):
        sandbox.faults.on("timeout=1")
        with pytest.raises(requests.exceptions.ReadTimeout):
            ask("share/rooms", timeout=0.2)
        assert ask("share/rooms").status_code == 200

    def test_drip(self, ask, sandbox, http):
        sandbox.faults.on("drip=1")
        started = time.monotonic()
        with http.post(sandbox.url + "licensing", data=KEY, timeout=1, stream=True) as answer:
            got = answer.raw.read(4)
        assert got == b'{"st'
        assert time.monotonic() - started >= 0.1

    def test_slow(self, ask, sandbox):
        sandbox.faults.on("slow=0.2")
        started = time.monotonic()
        ask("licensing")
        ask("licensing")
        assert time.monotonic() - started >= 0.4

    def test_data_null_and_string_status(self, ask, sandbox):
        sandbox.faults.on("data-null")
        sandbox.faults.on("string-status")
        assert ask("share/rooms").json() == {"status": "200", "message": "OK", "data": None}

    def test_stuck_paging(self, ask, sandbox):
        first = ask.data("share/detail", **DAY)
        sandbox.faults.on("stuck-paging")
        for number in ("1", "2", "9"):
            page = ask.data("share/detail", **DAY, page_number=number)
            assert (page["page_number"], page["has_next_page"]) == (1, True)
            assert page["meetings"] == first["meetings"]

    def test_endless_paging(self, ask, sandbox):
        sandbox.faults.on("endless-paging")
        pages = [ask.data("share/detail", **DAY, page_number=str(number)) for number in (1, 2, 50, 51)]
        assert [page["page_number"] for page in pages] == [1, 2, 50, 51]
        assert all(page["has_next_page"] for page in pages)
        assert [bool(page["meetings"]) for page in pages] == [True, True, False, False]

    def test_mid_page(self, ask, sandbox):
        sandbox.faults.on("mid-page")
        found = [ask("share/detail", **DAY, page_number=str(number)).status_code for number in (1, 2, 3)]
        assert found == [200, 500, 200]

    def test_one_bad_record_of_the_whole_answer(self, ask, sandbox):
        def told(size):
            pages = [
                ask.data("share/detail", **DAY, page_size=size, page_number=str(number))["meetings"]
                for number in range(1, 300 // int(size) + 1)
            ]
            return [one for page in pages for one in page]

        good = told("300")
        sandbox.faults.on("bad-record")
        bad = told("300")
        assert bad == told("30")
        differing = [(one, other) for one, other in zip(bad, good, strict=True) if one != other]
        assert len(differing) == 1
        assert differing[0][0] == {**differing[0][1], "start_time": "yesterday"}

    def test_bad_record_in_the_array(self, ask, sandbox, world):
        sandbox.faults.on("array-shape")
        sandbox.faults.on("bad-record")
        one = next(one for one in world.day(date(2026, 3, 4)) if len(one.stays) > 3 and not one.unreported)
        items = ask.data("share/reports", meeting_ids=one.number)
        assert [item["start_time"] for item in items].count("yesterday") == 1

    def test_late(self, ask, sandbox):
        form = {"from": "2026-03-12", "to": "2026-03-12", "page_size": "300"}
        everything = ask.data("share/detail", **form)["meetings"]
        sandbox.faults.on("late")
        fewer = ask.data("share/detail", **form)["meetings"]
        gone = [one for one in everything if one not in fewer]
        assert gone
        # NOW is 15:00 there.
        assert all("2026-03-12 14:00:00" <= one["end_time"] <= "2026-03-12 15:00:00" for one in gone)

    def test_every_fault_leaves_the_server_well(self, ask, sandbox):
        for name in FAULTS.keys() - {"timeout", "drip", "slow"}:
            sandbox.faults.on(f"{name}=1")
            try:
                ask("share/detail", **DAY, page_number="2")
                ask("share/reports", meeting_ids="123456789")
            except requests.exceptions.RequestException:
                assert name == "cut"
            sandbox.faults.clear()
            assert ask("share/rooms").json()["status"] == 200

    @pytest.mark.parametrize("name", ["nope", "", "500=x", "500=-1", "500=0", "500=nan", "slow=inf", "slow=", "429=:x"])
    def test_unknown_ones(self, name):
        with pytest.raises(UnknownFault) as error:
            FaultSet([name])
        text = str(error.value)
        assert text.endswith(".")
        assert "There are: timeout, drip" in text or "value" in text


class TestSwitching:
    def switch(self, sandbox, http, **form):
        return http.post(sandbox.url.replace("umeeting/", "sandbox/faults"), data=form, timeout=5)

    def test_while_it_runs(self, ask, sandbox, http):
        assert self.switch(sandbox, http, on="500").json()["data"] == ["500"]
        assert ask("share/rooms").status_code == 500
        assert self.switch(sandbox, http, on="429=3").json()["data"] == ["429", "500"]
        assert self.switch(sandbox, http, off="500").json()["data"] == ["429"]
        assert self.switch(sandbox, http, clear="1").json()["data"] == []
        assert self.switch(sandbox, http).json()["data"] == []
        assert ask("share/rooms").status_code == 200

    def test_meetings_are_withheld_and_released(self, sandbox, http):
        self.switch(sandbox, http, withhold="a/+=")
        self.switch(sandbox, http, withhold="b")
        assert sandbox.undelivered == {"a/+=", "b"}
        self.switch(sandbox, http, release="a/+=")
        assert sandbox.undelivered == {"b"}
        self.switch(sandbox, http, clear="1")
        assert sandbox.undelivered == set()

    @pytest.mark.parametrize("form", [{"on": "nope"}, {"off": "nope"}, {"onn": "500"}])
    def test_what_is_not_understood(self, sandbox, http, form):
        answer = self.switch(sandbox, http, **form)
        assert answer.status_code == 400
        assert "nope" in answer.json()["message"] or "onn" in answer.json()["message"]


class TestStopping:
    def test_no_thread_is_left(self, world):
        before = set(threading.enumerate())
        sandbox = Sandbox(world, clock=lambda: NOW, faults=["timeout"]).start()
        port = sandbox._server.server_port
        held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(3)]
        held[0].sendall(b"POST /umeeting/licensing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        held[1].sendall(b"POST /umeeting/lic")
        deadline = time.monotonic() + 5
        while len(set(threading.enumerate()) - before) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        started = time.monotonic()
        sandbox.stop()
        sandbox.stop()
        assert time.monotonic() - started < 20  # idle connections are dropped after 60 seconds only
        assert set(threading.enumerate()) - before == set()
        for peer in held:
            assert peer.recv(10) == b""
            peer.close()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1)

    def test_in_the_middle_of_a_drip(self, world):
        before = set(threading.enumerate())
        with Sandbox(world, clock=lambda: NOW, faults=["drip"]) as sandbox:
            peer = socket.create_connection(("127.0.0.1", sandbox._server.server_port), timeout=5)
            peer.sendall(b"POST /umeeting/licensing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert peer.recv(1)
        peer.close()
        assert set(threading.enumerate()) - before == set()

    def test_many_at_once(self, world):
        with Sandbox(world, clock=lambda: NOW) as sandbox:
            found = []

            def many():
                with requests.Session() as own:
                    for number in range(1, 6):
                        form = {**KEY, **DAY, "page_number": str(number)}
                        page = own.post(sandbox.url + "share/detail", data=form, timeout=10).json()["data"]
                        found.append((number, len(page["meetings"]), page["total_record"]))

            threads = [threading.Thread(target=many) for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(found) == 60
            assert len(set(found)) == 5
            assert len(sandbox.calls) == 60
