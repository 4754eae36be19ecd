"""The client against a real server that misbehaves in every way we know of."""

import copy
import email.utils
import gzip
import itertools
import logging
import pickle
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import requests

from reports.provider.client import Client, Secret
from reports.provider.errors import BadPayload, Denied, ProviderError, Refused, StuckPaging, Transient
from reports.provider.payloads import LicenceRecord, MeetingRecord, NoReport, Page, RoomRecord, Unreadable

from .conftest import KEY, SECRET, SHANGHAI
from .http_peer import Answer, Peer, bytes_only, meeting, page, raw, says
from .test_payloads import SAMPLE

Make = Callable[..., Client]
FINE = says(page(1, [meeting("a")], total=1, pages=1))
HEAD = b"HTTP/1.1 200 OK\r\n"


def ids(pages: list[Page]) -> list[list[str]]:
    return [[getattr(record, "uuid", None) or "-" for record in told.records] for told in pages]


def asked(client: Client) -> list[Page]:
    return list(client.reports(["1790001234"]))


def failed(client: Client, kind: type[ProviderError]) -> Any:
    with pytest.raises(ProviderError) as caught:
        asked(client)
    assert type(caught.value) is kind, caught.value
    return caught.value


# What is sent --------------------------------------------------------------------------------------


def test_reports_sends_numbers_and_credentials_as_a_form(client: Client, peer: Peer) -> None:
    peer.script = [raw(SAMPLE.encode())]
    (told,) = client.reports(["1571106323", "1579334441"])
    (record,) = told.records
    assert isinstance(record, MeetingRecord)
    assert record.uuid == "dgvOvqWVRUWjrEOS2YI2ig=="
    assert peer.paths == ["/umeeting/share/reports"]
    assert peer.forms == [{"meeting_ids": "1571106323,1579334441", "api_key": KEY, "api_secret": SECRET}]
    assert peer.headers[0]["Content-Type"] == "application/x-www-form-urlencoded"
    assert client.requests_made == 1


def test_the_array_shape_is_one_page(client: Client, peer: Peer) -> None:
    visit = {"name": "Li", "join_time": "2018-05-08T02:32:34Z"}
    item = {"uuid": "u", "id": 5, "start_time": "2018-05-08T02:32:34Z", "participants": [visit], "page_count": 2}
    peer.script = [says({"status": 200, "data": [item, {"id": 6}]})]
    (told,) = client.reports(["5", "6"])
    assert [type(record) for record in told.records] == [MeetingRecord, NoReport]
    assert told.complete
    assert len(told.warnings) == 1
    assert client.requests_made == 1


def test_detail_asks_for_visits_and_calls(make: Make, peer: Peer) -> None:
    peer.script = [says(page(1, [meeting("a")], total=2, pages=2, more=True)), says(page(2, [meeting("b")], total=2))]
    client = make(page_size=7)
    assert ids(list(client.detail(date(2017, 8, 1), date(2017, 8, 31), host_id="H/1"))) == [["a"], ["b"]]
    form = {
        "from": "2017-08-01",
        "to": "2017-08-31",
        "show_participants": "true",
        "show_telephony_usage": "true",
        "page_size": "7",
        "host_id": "H/1",
        "api_key": KEY,
        "api_secret": SECRET,
    }
    assert peer.forms == [form | {"page_number": "1"}, form | {"page_number": "2"}]
    assert peer.paths == ["/umeeting/share/detail"] * 2


def test_after_a_heavy_answer_later_questions_ask_for_smaller_pages(make: Make, peer: Peer) -> None:
    heavy = page(1, [meeting("a", topic="x" * 9_000_000)], total=2, pages=2, more=True)
    peer.script = [says(heavy), says(page(2, [meeting("b")], total=2)), *[says(page(1, [])) for _ in range(2)]]
    client = make(page_size=100)
    day = date(2017, 8, 1)
    for _ in range(3):
        list(client.detail(day, day))
    # One question's pages are all of one size.
    assert [form["page_size"] for form in peer.forms] == ["100", "100", "46", "46"]


def test_rooms(client: Client, peer: Peer) -> None:
    peer.script = [says({"status": 200, "data": [{"id": "H", "first_name": "Big", "meeting_capacity": "25"}]})]
    (told,) = client.rooms()
    assert told.records == (RoomRecord("H", None, "Big", 25),)
    assert peer.paths == ["/umeeting/share/rooms"]
    assert peer.forms == [{"api_key": KEY, "api_secret": SECRET}]


def test_licensing_lies_beside_share(client: Client, peer: Peer) -> None:
    data = {"payType": "1", "expire_date": "2018-12-31", "capacity": {"25": 5, "50": 55}}
    peer.script = [says({"status": 200, "message": "OK", "data": data})]
    assert client.licensing() == LicenceRecord({25: 5, 50: 55}, "1", date(2018, 12, 31))
    assert peer.paths == ["/umeeting/licensing"]
    assert peer.forms == [{"api_key": KEY, "api_secret": SECRET}]


def test_licensing_fails_as_everything_does(make: Make, peer: Peer, slept: list[float]) -> None:
    peer.script = [says({}, 500), says({"status": 200, "data": {"capacity": {"25": 5}}})]
    assert make().licensing().capacity == {25: 5}
    assert len(slept) == 1
    for answer, kind in ((raw(b"<html>", 404), Refused), (says({"status": 401}), Denied), (says([]), BadPayload)):
        peer.script, peer.forms[:] = [answer], []
        with pytest.raises(kind):
            make().licensing()
        assert len(peer.forms) == 1


@pytest.mark.parametrize(
    "data",
    [
        *({"capacity": {secret * 3: 5}} for secret in (KEY, SECRET)),
        *({"capacity": {"25": ["x" * 45 + secret]}} for secret in (KEY, SECRET)),
        *({"capacity": {}, "expire_date": "x" * 45 + secret} for secret in (KEY, SECRET)),
    ],
)
def test_a_licence_that_echoes_the_secret_does_not_tell_it(client: Client, peer: Peer, data: Any) -> None:
    peer.script = [says({"status": 200, "data": data})]
    with pytest.raises(BadPayload) as caught:
        client.licensing()
    # Cut short as well: no part of it is left.
    assert not any(part in str(caught.value) for part in (KEY[:8], KEY[-6:], SECRET[:8], SECRET[-6:]))
    peer.script = [says({"status": 200, "data": {"payType": KEY, "capacity": {}}})]
    assert client.licensing().pay_type == "***"


def test_the_second_page_of_reports_is_asked_by_number(client: Client, peer: Peer) -> None:
    peer.script = [says(page(1, [meeting("a")], total=2, pages=2, more=True)), says(page(2, [meeting("b")], total=2))]
    assert ids(asked(client)) == [["a"], ["b"]]
    assert [form.get("page_number") for form in peer.forms] == [None, "2"]


@pytest.mark.parametrize("url", ["", "api.example.com", "ftp://h/", "https://", "http://h:99999/", "http://[::1"])
def test_an_address_that_is_none(make: Make, url: str) -> None:
    with pytest.raises(ValueError, match="UMEET_URL"):
        Client(url, KEY, SECRET, zone=SHANGHAI)


@pytest.mark.parametrize("url", ["http://u:hunter2@h/", "https://h/?api_key=hunter2", "https://h/#hunter2"])
def test_an_address_holds_no_secret(url: str) -> None:
    with pytest.raises(ValueError, match="UMEET_URL") as caught:
        Client(url, KEY, SECRET, zone=SHANGHAI)
    assert "hunter2" not in str(caught.value)


def test_the_slash_at_the_end_does_not_matter(make: Make, peer: Peer) -> None:
    peer.script = [FINE]
    asked(make(peer.url.rstrip("/")))
    assert peer.paths == ["/umeeting/share/reports"]


def test_wrong_questions_are_not_asked(client: Client, peer: Peer) -> None:
    # At once, not only when the pages are taken.
    for numbers in ([], ["1"] * 201, "1790001234", ["1,2"], ["x"], [""]):
        with pytest.raises(ValueError, match="share/reports"):
            client.reports(numbers)
    for first, last in (((2017, 8, 2), (2017, 8, 1)), ((2017, 8, 1), (2017, 9, 1)), ((2016, 8, 1), (2017, 8, 1))):
        with pytest.raises(ValueError, match="share/detail"):
            client.detail(date(*first), date(*last))
    assert peer.forms == []


def test_a_netrc_does_not_take_the_place_of_the_key(
    client: Client, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    peer.script = [FINE]
    asked(client)
    assert "Authorization" not in peer.headers[0]
    assert peer.forms[0]["api_secret"] == SECRET


def test_a_session_of_ones_own(make: Make, peer: Peer) -> None:
    peer.script = [FINE]
    with requests.Session() as session:
        assert len(asked(make(session=session))) == 1


def test_leaving_the_block_closes(peer: Peer) -> None:
    with Client(peer.url, KEY, SECRET, zone=SHANGHAI) as client:
        peer.script = [FINE]
        asked(client)
    assert isinstance(client, Client)


# Failures, by remedy -------------------------------------------------------------------------------

TOO_MANY = "You have reached the maximum number of API requests"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        *((says({}, 429), Transient), (says({}, 500), Transient), (raw(b"<html>", 502), Transient)),
        *((raw(b"", 503), Transient), (raw(b"x" * 300_000, 502), Transient), (says({}, 408), Transient)),
        *((says({"status": 403, "message": TOO_MANY}, 403), Transient), (says({"status": 429}), Transient)),
        *(
            (says({"status": 500, "message": "busy"}), Transient),
            (says({"status": 403, "message": TOO_MANY}), Transient),
        ),
        *((says({"status": 429}, 400), Transient), (says({}, 401), Denied), (says({}, 403), Denied)),
        *((says({"status": 401}), Denied), (says({"status": 300, "message": "bad api_key"}), Denied)),
        *((says({"status": 401}, 400), Denied), (says({"message": "api secret?"}, 400), Denied)),
        *((says({}, 400), Refused), (raw(b"<html>", 404), Refused), (says({"status": -1, "message": "no"}), Refused)),
        *((raw(b"<html>login</html>"), BadPayload), (raw(b'{"status": 200, "da'), BadPayload), (raw(b""), BadPayload)),
        *((says([]), BadPayload), (says({"status": 200, "data": 5}), BadPayload), (raw(b"[" * 100_000), BadPayload)),
        (raw(b"no gzip", Content_Encoding="gzip"), BadPayload),
        (bytes_only(HEAD + b"Content-Length: 100\r\n\r\n" + b'{"status": 200'), Transient),
        (bytes_only(HEAD + b"Transfer-Encoding: chunked\r\n\r\n8\r\n{'status"), Transient),
        (bytes_only(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"), Transient),
        *((bytes_only(b""), Transient), (bytes_only(b"SSH-2.0-nothing\r\n"), Transient)),
    ],
)
def test_failures_are_sorted_by_remedy(make: Make, peer: Peer, slept: list[float], answer: Answer, kind: Any) -> None:
    peer.script = [answer]
    client = make(attempts=3)
    error = failed(client, kind)
    tries = 3 if kind is Transient else 1
    assert (client.requests_made, len(peer.forms), len(slept)) == (tries, tries, tries - 1)
    assert ("3 times" in error.message) == (kind is Transient)
    if kind is Denied:
        assert "UMEET_API_KEY and UMEET_API_SECRET" in error.message
    if kind is Refused and b"-1" not in error.message.encode():
        assert "UMEET_URL" in error.message
    assert (str(error), error.message.isprintable()) == (error.message, True)


@pytest.mark.parametrize("answer", [says({}, 429), raw(b"", 503), says({"status": 500}), bytes_only(b"")])
def test_a_transient_failure_passes(client: Client, peer: Peer, slept: list[float], answer: Answer) -> None:
    peer.script = [answer, answer, FINE]
    assert ids(asked(client)) == [["a"]]
    assert (client.requests_made, len(slept)) == (3, 2)


def test_waits_grow_with_full_jitter(make: Make, peer: Peer, slept: list[float], monkeypatch: Any) -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high / 2

    monkeypatch.setattr("reports.provider.client.random.uniform", uniform)
    peer.script = [raw(b"", 503)]
    failed(make(attempts=8), Transient)
    assert bounds[:7] == [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (0, 20), (0, 20)]
    assert slept == [0.5, 1, 2, 4, 8, 10, 10]


def test_retry_after_is_kept_to(client: Client, peer: Peer, slept: list[float]) -> None:
    in_ten = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    peer.script = [
        raw(b"", 503, Retry_After="7"),
        says({"status": 429}, Retry_After=in_ten),
        raw(b"", 429, Retry_After="Mon, 01 Jan 2001 00:00:00 GMT"),
        FINE,
    ]
    asked(client)
    assert slept[0] == 7
    assert 7 < slept[1] <= 10
    assert slept[2] == 0


@pytest.mark.parametrize("value", ["soon", "-5", "1e400", "9" * 400, "²"])
def test_a_retry_after_that_is_none_is_left_out(client: Client, peer: Peer, slept: list[float], value: str) -> None:
    peer.script = [bytes_only(f"HTTP/1.1 503 No\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode()), FINE]
    asked(client)
    assert 0 <= slept[0] <= 1


def test_who_is_asked_to_wait_long_comes_back_later(client: Client, peer: Peer, slept: list[float]) -> None:
    peer.script = [raw(b"", 429, Retry_After="3600")]
    assert failed(client, Transient).retry_after == 3600
    assert (slept, client.requests_made) == ([], 1)


def test_a_short_longest_wait_does_not_cost_attempts(make: Make, peer: Peer, slept: list[float]) -> None:
    peer.script = [raw(b"", 503)]
    client = make(attempts=6, longest_wait=0.01)
    failed(client, Transient)
    assert client.requests_made == 6
    assert max(slept) <= 0.01


def test_a_redirect_is_not_followed(client: Client, peer: Peer) -> None:
    other = peer.url.replace("umeeting", "elsewhere")
    for status in (301, 302, 303, 307, 308):
        peer.script = [raw(b"", status, Location=f"{other}?token=hunter2")]
        error = failed(client, Refused)
        assert "UMEET_URL" in error.message
        assert "elsewhere" in error.message
        assert "hunter2" not in error.message
    assert set(peer.paths) == {"/umeeting/share/reports"}
    assert client.requests_made == len(peer.paths) == 5


def test_the_body_of_a_redirect_is_not_waited_for(make: Make, peer: Peer) -> None:
    endless = bytes_only(
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 99999\r\n\r\n",
        b"x",
        then=lambda: peer.over.wait(5),
    )
    peer.script = [endless]
    started = time.monotonic()
    failed(make(), Refused)
    assert time.monotonic() - started < 4.5


def test_nobody_listens(make: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = make(f"http://127.0.0.1:{port}/")
    error = failed(client, Transient)
    assert f"127.0.0.1:{port}" in error.message
    assert "UMEET_URL and the network" in error.message
    assert "4 times" in error.message
    assert client.requests_made == 4


def test_a_name_without_address(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    message = failed(make("https://umeet.invalid/x/", attempts=1), Transient).message
    assert "umeet.invalid:443" in message
    assert "UMEET_URL and the network" in message


def test_a_silent_server(make: Make, peer: Peer) -> None:
    peer.script = [bytes_only(b"", b"", then=lambda: peer.over.wait(5))]
    assert "0.1 seconds" in failed(make(timeout=0.1, attempts=1), Transient).message


@pytest.mark.parametrize(
    "start",
    [
        b"",
        HEAD + b"X-Slow: ",
        HEAD + b"Content-Length: 9999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\n",
        HEAD + b"Content-Length: 9999\r\n\r\n" + b" " * 500,
    ],
    ids=["status line", "headers", "body", "chunk size", "no length", "some body"],
)
def test_a_server_that_drips_does_not_hold_us(make: Make, peer: Peer, start: bytes) -> None:
    drops = [b"1"] * 100
    peer.script = [bytes_only(start, *drops, then=lambda: peer.over.wait(0.04))]
    client = make(timeout=0.12, attempts=1)
    started = time.monotonic()
    failed(client, Transient)
    assert 0.3 < time.monotonic() - started < 3.5


def test_a_drip_without_length_is_no_whole_answer(make: Make, peer: Peer) -> None:
    # What came before the deadline is valid JSON: the end that we ourselves made must not be taken for the real one.
    body = b'{"status": 200, "data": []}'
    peer.script = [
        bytes_only(HEAD + b"Connection: close\r\n\r\n" + body, *[b" "] * 100, then=lambda: peer.over.wait(0.04))
    ]
    failed(make(timeout=0.12, attempts=1), Transient)


def test_too_large(make: Make, peer: Peer) -> None:
    for answer in (
        raw(b'"' + b"x" * 200_000 + b'"'),
        raw(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"),
        bytes_only(HEAD + b"Connection: close\r\n\r\n", b" " * 200_000),
    ):
        peer.script = [answer]
        client = make(max_bytes=100_000)
        assert "100000 bytes" in failed(client, BadPayload).message
        assert client.requests_made == 1


def test_an_answer_of_just_the_size_and_packed(make: Make, peer: Peer) -> None:
    body = SAMPLE.encode().ljust(100_000)
    peer.script = [raw(gzip.compress(body), Content_Encoding="gzip"), raw(body)]
    client = make(max_bytes=100_000)
    assert asked(client) == asked(client)
    assert peer.headers[0]["Accept-Encoding"] == "gzip"


def test_a_certificate_file_that_is_not_there(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    assert "REQUESTS_CA_BUNDLE" in failed(make("https://127.0.0.1:1/"), Refused).message


def test_the_environments_proxy_is_used(make: Make, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{peer.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    peer.script = [FINE]
    asked(make("http://umeet.invalid/x/"))
    assert peer.paths == ["http://umeet.invalid/x/share/reports"]


def test_a_proxy_that_is_away(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:hunter2@127.0.0.1:1")
    message = failed(make("http://umeet.invalid/x/", attempts=1), Transient).message
    assert "HTTP_PROXY" in message
    assert "hunter2" not in message


# Paging --------------------------------------------------------------------------------------------


def test_a_next_page_that_is_promised_for_ever(client: Client, peer: Peer) -> None:
    peer.script = [
        says(page(1, [meeting("a"), meeting("b")], total=3, pages=2, more=True)),
        says(page(2, [meeting("c")], total=3, pages=2, more=True)),
    ]
    pages = asked(client)
    assert ids(pages) == [["a", "b"], ["c"]]
    assert [told.complete for told in pages] == [True, True]
    assert len(peer.forms) == 2


def test_all_records_but_not_all_pages(client: Client, peer: Peer) -> None:
    # Number-only items may fill a page of their own.
    peer.script = [
        says(page(1, [meeting("a")], total=1, pages=2, more=True)),
        says(page(2, [{"id": 5}], total=1, pages=2)),
    ]
    assert len(asked(client)) == 2


def test_an_empty_page_ends_it(client: Client, peer: Peer) -> None:
    peer.script = [says(page(1, [meeting("a")], more=True)), says(page(2, [], more=True))]
    first, last = asked(client)
    assert (first.complete, last.complete) == (True, False)  # more was promised
    assert len(last.warnings) == 1


def test_records_that_were_announced_and_did_not_come(client: Client, peer: Peer) -> None:
    peer.script = [
        says(page(1, [meeting("a"), meeting("b")], total=5, pages=2, more=True)),
        says(page(2, [meeting("b"), {"uuid": "bad"}, {"id": 7}, {"id": 8}], total=5, pages=2)),
    ]
    first, last = asked(client)
    assert (first.complete, first.warnings) == (True, ())
    assert last.complete is False
    # Twice the same is one, a record that cannot be read is one, a number without report is none.
    assert last.warnings == ("The provider announced 5 records and delivered 3.",)


def test_the_total_changes_on_the_way(client: Client, peer: Peer) -> None:
    peer.script = [
        says(page(1, [meeting("a"), meeting("b")], total=9, pages=5, more=True)),
        says(page(2, [meeting("c")], total=3, pages=2)),
    ]
    assert [told.complete for told in asked(client)] == [True, True]


def test_records_shift_on_the_way(client: Client, peer: Peer) -> None:
    peer.script = [
        says(page(1, [meeting("a"), meeting("b")], total=3, pages=2, more=True)),
        says(page(2, [meeting("b"), meeting("c")], total=3, pages=2)),
    ]
    assert asked(client)[-1].complete is True


FIRST = page(1, [meeting("a")], total=3, pages=3, more=True)


@pytest.mark.parametrize(
    "second",
    [
        FIRST,
        page(1, [meeting("b")], total=3, pages=3, more=True),
        page(3, [meeting("b")], total=3, pages=3, more=False),
        page(2, [meeting("a")], total=3, pages=3, more=True),
        page(None, [meeting("a")], more=True),
    ],
    ids=["first page again", "wrong number", "skipped", "nothing new", "no numbers at all"],
)
def test_paging_that_is_stuck(client: Client, peer: Peer, second: Any) -> None:
    peer.script = [says(FIRST), says(second)]
    pages = client.reports(["1"])
    assert ids([next(pages)]) == [["a"]]
    with pytest.raises(StuckPaging) as caught:
        next(pages)
    assert " of 3 records came" in caught.value.message
    assert client.requests_made == 2


def test_another_page_number_is_no_matter_when_all_came(client: Client, peer: Peer) -> None:
    peer.script = [says(page(0, [meeting("a")], total=1, pages=1))]
    assert ids(asked(client)) == [["a"]]


def test_paging_without_end(client: Client, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.provider.client.MOST_PAGES", 5)
    count = itertools.count(1)
    peer.script = [lambda handler: says(page(None, [meeting(f"u{next(count)}")], more=True))(handler)]
    with pytest.raises(StuckPaging, match="5 pages"):
        asked(client)
    assert client.requests_made == 5


def test_a_failure_in_the_middle_keeps_what_came(client: Client, peer: Peer) -> None:
    peer.script = [says(FIRST), raw(b"", 503)]
    pages: Iterator[Page] = client.reports(["1"])
    assert ids([next(pages)]) == [["a"]]
    with pytest.raises(Transient):
        next(pages)
    assert client.requests_made == 5
    assert [form.get("page_number") for form in peer.forms] == [None, "2", "2", "2", "2"]


# The secret ----------------------------------------------------------------------------------------

SPELLINGS = [
    text
    for secret in (KEY, SECRET)
    for text in (secret, quote(secret, safe=""), quote_plus(secret), quote(secret).lower(), ascii(secret)[1:-1])
]


def shows(text: str) -> bool:
    """Whether a text gives away key or secret, or so much of either that it helps."""
    parts = (*SPELLINGS, "sec&ret", "key/K", "sec%26", "key%2FK", "cr'et")
    return any(part in text for part in parts)


ECHOES = [
    *(says({"status": 401, "message": f"wrong: {text}"}) for text in SPELLINGS),
    *(says({"status": 1, "message": "x" * pad + SECRET + KEY}) for pad in (*range(60, 320, 7), 1990)),
    says({"message": f"wrong {SECRET}"}, 500),
    raw(f"<html>{KEY}".encode(), 502),
    raw(f"no JSON {SECRET}".encode(), 400),
    raw(f"no JSON {SECRET}".encode()),
    raw(f'{{"api_secret": "{SECRET}", '.encode()),
    says({"status": SECRET}),
    says({"status": 200, "data": SECRET}),
    raw(b"", 302, Location=f"http://h/{quote(SECRET)}"),
    bytes_only(HEAD + b"Content-Length: 999\r\n\r\n" + quote(SECRET).encode()),
    bytes_only(quote(SECRET).encode() + b"\r\n"),
]


@pytest.mark.parametrize("answer", ECHOES)
def test_no_error_and_no_log_shows_the_secret(
    make: Make, peer: Peer, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.script = [answer]
    client = make(attempts=2)
    with pytest.raises(ProviderError) as caught:
        asked(client)
    error = caught.value
    # From here down: this test's own frame holds the server's script.
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    told = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    text = "".join(told.format())
    assert "in _ask" in text
    assert not shows(text)
    assert not shows(f"{error} {error!r} {error.args} {vars(error)}")
    assert not shows(caplog.text)
    assert error.__cause__ is None
    assert error.__context__ is None  # it would hold the request, and with it the form
    assert len(error.message) < 450


def test_each_call_leaves_one_line_of_log(client: Client, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "reports.provider.client")
    peer.script = [raw(b"", 503), FINE]
    asked(client)
    lines = [record.getMessage() for record in caplog.records if record.name == "reports.provider.client"]
    assert len(lines) == 2
    assert "share/reports page 1: Transient" in lines[0]
    assert lines[1].endswith("ms")


def test_what_is_kept_of_an_unreadable_record_does_not_hold_the_secret(client: Client, peer: Peer) -> None:
    peer.script = [says(page(1, [{"uuid": "u", "start_time": SECRET, "note": KEY}], total=1))]
    ((record,),) = [told.records for told in asked(client)]
    assert isinstance(record, Unreadable)
    assert "***" in record.raw
    assert not shows(f"{record}")


def test_neither_client_nor_secret_shows_itself(client: Client) -> None:
    for thing in (client, Secret(SECRET), vars(client)):
        assert not shows(f"{thing} {thing!r}")
    assert f"{Secret(SECRET)}" == "***"
    assert Secret(SECRET).reveal() == SECRET
    assert client._url in repr(client)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_neither_is_written_anywhere(client: Client, way: Callable[[Any], Any]) -> None:
    for thing in (client, Secret(SECRET)):
        with pytest.raises(TypeError):
            way(thing)


def test_redact(client: Client) -> None:
    for text in SPELLINGS:
        assert client.redact(f"a {text} b") == "a *** b"
    assert client.redact("nothing here") == "nothing here"
    # One that holds the other leaves no rest behind.
    both = Client("http://h/", "abc", "abcdef", zone=SHANGHAI)
    assert both.redact("abcdef abc") == "*** ***"
