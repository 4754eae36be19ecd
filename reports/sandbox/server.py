"""The simulated API over real HTTP, on this computer only.

Speaks `share/reports` (both shapes), `share/detail`, `share/rooms`, `share/summary` and `licensing` as the
vendor's document has them: POST forms, key and secret in the form, JSON with `status`, `message`, `data`.
"""

import contextlib
import json
import math
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl
from zlib import crc32

from reports.sandbox.faults import FaultSet, UnknownFault
from reports.sandbox.world import Answers, Record, read_time

MOST_NUMBERS = 200
DEFAULT_PAGE = 30
LARGEST_PAGE = 300
LONGEST_SPAN = 31  # days: "a range of more than one month silently returns only its last month"
PREFIX = "/umeeting/"


def utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that was made: endpoint, form without key and secret, HTTP status (0: never answered)."""

    endpoint: str
    form: dict[str, str]
    status: int


class Failure(Exception):
    """An answer whose status is not 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Sandbox:
    """The server, to be started and stopped by a command or a test.

    In: where the answers come from, the key and secret to accept, a port (0: any free one), the clock, names
    of faults, and the uuids of meetings that are never delivered although share/summary counts them. `calls`
    tells what was asked; `faults` and `undelivered` can be changed while it runs.
    """

    def __init__(
        self,
        world: Answers,
        *,
        key: str = "demo-key",
        secret: str = "demo-secret",  # noqa: S107 — of a simulation
        port: int = 0,
        clock: Callable[[], datetime] = utcnow,
        faults: Iterable[str] = (),
        undelivered: Iterable[str] = (),
    ) -> None:
        self.world = world
        self.key, self.secret = key, secret
        self.clock = clock
        self.faults = FaultSet(faults)
        self.undelivered = set(undelivered)
        self.calls: deque[Asked] = deque(maxlen=100_000)
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.sandbox = self
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{PREFIX}"

    def start(self) -> Self:
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox", daemon=True
        )
        self._thread.start()
        return self

    def serve_forever(self) -> None:
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """End every call, idle connections and held ones too; no thread is left. Asking twice does no harm."""
        self.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.hang_up()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What is answered ----------------------------------------------------------------------------------

    def answer(self, endpoint: str, form: dict[str, str]) -> dict[str, Any]:
        """The JSON of one call without faults. Errors: Failure."""
        if form.get("api_key") != self.key or form.get("api_secret") != self.secret:
            raise Failure(401, "api_key or api_secret is wrong")
        now = self.clock()
        match endpoint:
            case "share/reports":
                data: Any = self._reports(form, now)
            case "share/detail":
                data = self._detail(form, now)
            case "share/rooms":
                data = self.world.rooms()
            case "share/summary":
                data = self._summary(form, now)
            case "licensing":
                capacity = self.world.licensing()
                data = {"payType": "1", "expire_date": f"{now.year + 1}-12-31", "capacity": capacity}
            case _:
                raise Failure(404, "no such interface")
        return {"status": 200, "message": "OK", "data": data}

    def _reports(self, form: dict[str, str], now: datetime) -> Any:
        numbers = [number.strip() for number in form.get("meeting_ids", "").split(",") if number.strip()]
        if not numbers:
            raise Failure(400, "meeting_ids is missing")
        if len(numbers) > MOST_NUMBERS:
            raise Failure(400, f"at most {MOST_NUMBERS} meeting_ids in one call")
        records = self._one_bad(self._without_late(self._delivered(self.world.reports(numbers, now)), now))
        if self.faults.strikes("array-shape"):
            return self._array(numbers, records)
        days = sorted(
            start.astimezone(self.world.zone).date()
            for record in records
            if (start := read_time(record.get("start_time"), self.world.zone))
        )
        return self._page(records, form, *((days[0], days[-1]) if days else (None, None)))

    def _array(self, numbers: list[str], records: list[Record]) -> list[Record]:
        """The later revision's shape: "only ended meetings with two or more participants have a report"."""
        rooms = {room["id"]: room for room in self.world.rooms()}
        found: dict[str, list[Record]] = {number: [] for number in numbers}
        for record in records:
            visits = record.get("participants") or []
            ended = record.get("end_time")
            # Who comes back is one participant with two visits.
            if len({visit.get("name") for visit in visits}) < 2 or not ended:
                continue
            room = rooms.get(record.get("host_id"), {})
            start, end = self._utc(record.get("start_time")), self._utc(ended)
            item = {
                "uuid": record["uuid"],
                "id": record["meeting_id"],
                "type": "Past Meeting",
                "host": f"{room.get('first_name', '')} ",
                "email": room.get("email", ""),
                "user_type": "Corp",
                "start_time": start,
                "end_time": end,
                "duration": None if (minutes := self._minutes(start, end)) is None else f"{minutes}分钟",
                "has_pstn": bool(record.get("telephony_usage")),
                "participants_count": len(visits),
                "page_count": 1,
                "page_number": 1,
                "page_size": 100,
                "participants": [
                    {
                        "id": "",
                        "user_id": str(16778240 + place),
                        "user_name": visit.get("name"),
                        "device": "Windows",
                        "join_time": self._utc(visit.get("join_time")),
                        "leave_time": self._utc(visit.get("leave_time")),
                    }
                    for place, visit in enumerate(visits)
                ],
            }
            found.setdefault(str(record["meeting_id"]), []).append(item)
        items: list[Record] = []
        for number, reported in found.items():
            items += reported or [{"id": number}]
        return items

    def _utc(self, text: Any) -> Any:
        moment = read_time(text, self.world.zone)
        return text if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _minutes(self, start: Any, end: Any) -> int | None:
        """Actual length, "minutes rounded up"."""
        first, last = read_time(start, self.world.zone), read_time(end, self.world.zone)
        return None if first is None or last is None else math.ceil((last - first).total_seconds() / 60)

    def _span(self, form: dict[str, str], now: datetime) -> tuple[date, date]:
        today = now.astimezone(self.world.zone).date()
        try:
            first, last = (_day(form[name]) if form.get(name) else today for name in ("from", "to"))
        except ValueError:
            raise Failure(400, "from or to is no date") from None
        if first > last:
            raise Failure(400, "from is after to")
        return max(first, last - timedelta(days=LONGEST_SPAN - 1)), last

    def _detail(self, form: dict[str, str], now: datetime) -> dict[str, Any]:
        first, last = self._span(form, now)
        records = self._without_late(self._delivered(self.world.meetings(first, last, now)), now)
        if host_id := form.get("host_id"):
            records = [record for record in records if record.get("host_id") == host_id]
        records = self._one_bad(records)
        hidden = {
            name
            for name, flag in (("participants", "show_participants"), ("telephony_usage", "show_telephony_usage"))
            if form.get(flag, "false").casefold() not in {"true", "1"}
        }
        page = self._page(records, form, first, last)
        page["meetings"] = [
            {key: value for key, value in record.items() if key not in hidden} for record in page["meetings"]
        ]
        return page

    def _page(
        self, records: list[Record], form: dict[str, str], first: date | None, last: date | None
    ) -> dict[str, Any]:
        """One page in the document's frame; its dates are spelt unlike each other, as in the sample."""
        size = min(max(1, _whole(form.get("page_size"), DEFAULT_PAGE)), LARGEST_PAGE)
        number = max(1, _whole(form.get("page_number"), 1))
        stuck = self.faults.strikes("stuck-paging")
        shown = 1 if stuck else number
        pages = -(-len(records) // size)
        return {
            "from": f"{first.year}-{first.month}-{first.day}" if first else "",
            "to": last.isoformat() if last else "",
            # Stuck means that what was announced never comes, else a client could tell that it has all.
            "total_record": len(records) + (size if stuck else 0),
            "total_page": pages + (1 if stuck else 0),
            "page_number": shown,
            "page_size": size,
            "has_previous_page": shown > 1,
            "has_next_page": stuck or self.faults.strikes("endless-paging") or shown < pages,
            "meetings": records[(shown - 1) * size : shown * size],
        }

    def _delivered(self, records: list[Record]) -> list[Record]:
        """Without what is counted and never told."""
        if not self.undelivered:
            return records
        return [record for record in records if record.get("uuid") not in self.undelivered]

    def _without_late(self, records: list[Record], now: datetime) -> list[Record]:
        if not self.faults.strikes("late"):
            return records
        limit = now - timedelta(hours=1)
        ends = [read_time(record.get("end_time"), self.world.zone) for record in records]
        return [record for record, end in zip(records, ends, strict=True) if end is None or end < limit]

    def _one_bad(self, records: list[Record]) -> list[Record]:
        """With one start made unreadable: always the same of the same records, however they are paged."""
        known = [record for record in records if "uuid" in record]
        if not known or not self.faults.strikes("bad-record"):
            return records
        bad = min(known, key=lambda record: (crc32(str(record["uuid"]).encode()), str(record["uuid"])))
        return [{**record, "start_time": "yesterday"} if record is bad else record for record in records]

    def _summary(self, form: dict[str, str], now: datetime) -> dict[str, Any]:
        """The provider's own totals by room: reported meetings only, minutes rounded up."""
        first, last = self._span(form, now)
        rooms: dict[str, dict[str, Any]] = {}
        # What is late is late for the totals too; what is never delivered is counted all the same.
        for record in self._without_late(self.world.meetings(first, last, now), now):
            if not record.get("end_time") or record.get("participants") is None:
                continue
            extra = int(str(record.get("is_extra")).casefold() in {"1", "true"})
            host_id = str(record.get("host_id") or "")
            room = rooms.setdefault(
                host_id,
                {
                    "host_id": host_id,
                    "is_extra": extra,
                    "meetings": 0,
                    "participants": 0,
                    "meeting_minutes": 0,
                    "audio_participants": 0,
                    "audio_total_duration": 0,
                    "total_fee": Decimal(0),
                },
            )
            room["meetings"] += 1
            room["participants"] += len(record["participants"])
            room["meeting_minutes"] += self._minutes(record.get("start_time"), record["end_time"]) or 0
            calls = record.get("telephony_usage") or []
            room["audio_participants"] += len(calls)
            room["audio_total_duration"] += sum(_whole(str(call.get("duration")), 0) for call in calls)
            room["total_fee"] += sum((Decimal(str(call.get("total") or 0)) for call in calls), Decimal(0))
        everything = [room for room in rooms.values() if form.get("host_id") in (None, "", room["host_id"])]
        for room in everything:
            room["total_fee"] = float(room["total_fee"])
        page = self._page(everything, form, first, last)
        page["rooms"] = page.pop("meetings")
        for name, field in (
            ("total_meetings", "meetings"),
            ("total_participants", "participants"),
            ("total_meeting_minutes", "meeting_minutes"),
        ):
            page[name] = sum(room[field] for room in everything)
        return page


def _day(text: str) -> date:
    year, month, day = (int(part) for part in text.split("-"))
    return date(year, month, day)


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # We wait for the threads ourselves, after hanging up: an idle connection would hold one for a minute.
    block_on_close = False
    request_queue_size = 128
    # Only a port that another socket listens at is taken; one that rests after a restart is not.
    allow_reuse_address = True
    sandbox: Sandbox

    def __init__(self, *args: Any) -> None:
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(*args)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.pop(request, None)

    def hang_up(self) -> None:
        """Close every connection and wait for its thread."""
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up is no error of ours; anything else is told as usual."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    # One write an answer: else the second half waits for the first one's acknowledgement.
    wbufsize = -1
    timeout = 60
    _asked: tuple[str, dict[str, str]] | None = None

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal: `calls` tells what was asked."""

    @property
    def sandbox(self) -> Sandbox:
        assert isinstance(self.server, _Server)  # noqa: S101
        return self.server.sandbox

    def do_GET(self) -> None:
        # A body that nobody reads would be taken for the next question.
        self.close_connection = True
        self._send(405, {"status": 405, "message": "POST only", "data": None}, {"Allow": "POST"})

    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_GET

    def do_POST(self) -> None:
        length = _whole(self.headers.get("Content-Length"), -1)
        if not 0 <= length <= 10 * 2**20:
            self.close_connection = True
            status, message = (411, "Content-Length is missing") if length < 0 else (413, "too large")
            self._send(status, {"status": status, "message": message, "data": None})
            return
        pairs = parse_qsl(self.rfile.read(length).decode("utf-8", "replace"), keep_blank_values=True)
        if self.path == "/sandbox/faults":
            self._switch(pairs)
            return
        if not self.path.startswith(PREFIX):
            self._send(404, {"status": 404, "message": "no such interface", "data": None})
            return
        form = dict(pairs)
        endpoint = self.path.removeprefix(PREFIX).strip("/")
        plain = {name: value for name, value in form.items() if name not in {"api_key", "api_secret"}}
        self._asked = (endpoint, plain)
        self._serve(endpoint, form)

    def _note(self, status: int) -> None:
        """Put the call on record, once and before its answer leaves: whoever has the answer finds it there."""
        if self._asked is not None:
            self.sandbox.calls.append(Asked(*self._asked, status))
            self._asked = None

    def _switch(self, pairs: list[tuple[str, str]]) -> None:
        """POST /sandbox/faults with on=NAME, off=NAME, withhold=UUID, release=UUID or clear=1.

        Answers the faults that are on. clear=1 ends the faults and delivers everything.
        """
        faults, undelivered = self.sandbox.faults, self.sandbox.undelivered
        try:
            for name, value in pairs:
                if name == "clear":
                    faults.clear()
                    undelivered.clear()
                elif name == "withhold":
                    undelivered.add(value)
                elif name == "release":
                    undelivered.discard(value)
                elif name == "on":
                    faults.on(value)
                elif name == "off":
                    faults.off(value)
                else:
                    raise UnknownFault(
                        f"'{name}' is not understood: say on=NAME, off=NAME, withhold=UUID, release=UUID or clear=1."
                    )
        except UnknownFault as error:
            self._send(400, {"status": 400, "message": str(error), "data": None})
            return
        self._send(200, {"status": 200, "message": "OK", "data": faults.names()})

    def _serve(self, endpoint: str, form: dict[str, str]) -> None:
        """Answer one call with whatever fault is on."""
        faults, stopping = self.sandbox.faults, self.sandbox.stopping
        if (wait := faults.seconds("slow", 0.5)) is not None:
            stopping.wait(wait)
        if faults.strikes("timeout"):
            return self._hold()
        if faults.strikes("500"):
            return self._send(500, {"status": 500, "message": "internal error", "data": None})
        if faults.strikes("429"):
            return self._send(429, {"status": 429, "message": "too many requests"}, {"Retry-After": faults.retry_after})
        if faults.strikes("403-throttle"):
            message = "You have reached the maximum number of api requests."
            return self._send(403, {"status": 403, "message": message, "data": None})
        if faults.strikes("html"):
            return self._write(200, b"<!doctype html><title>Sign in</title><p>Proxy", {"Content-Type": "text/html"})
        if faults.strikes("status-error"):
            return self._send(200, {"status": 500, "message": "system busy", "data": None})
        if faults.strikes("echo-secret"):
            message = f"bad signature for {form.get('api_key')} with {form.get('api_secret')}"
            return self._send(200, {"status": 1001, "message": message, "data": None})
        if faults.strikes("wrong-secret"):
            return self._send(200, {"status": 401, "message": "api_key or api_secret is wrong", "data": None})
        if _whole(form.get("page_number"), 1) == 2 and faults.strikes("mid-page"):
            return self._send(500, {"status": 500, "message": "internal error", "data": None})
        try:
            answer = self.sandbox.answer(endpoint, form)
        except Failure as error:
            return self._send(200, {"status": error.status, "message": error.message, "data": None})
        if faults.strikes("data-null"):
            answer["data"] = None
        if faults.strikes("string-status"):
            answer["status"] = "200"
        body = json.dumps(answer, ensure_ascii=False).encode()
        if faults.strikes("truncated"):
            # Two thirds, and never in the middle of a character: it is the JSON that is cut, not the text.
            body = body[: len(body) * 2 // 3].decode("utf-8", "ignore").encode()
        if faults.strikes("cut"):
            self.close_connection = True
            return self._write(200, body[: len(body) // 2], announce=len(body))
        if faults.strikes("drip"):
            return self._drip(body)
        return self._write(200, body)

    def _hold(self) -> None:
        """Say nothing until the other side hangs up or the server stops."""
        self._note(0)
        self.close_connection = True
        self.connection.settimeout(0.1)
        started = time.monotonic()
        while not self.sandbox.stopping.is_set() and time.monotonic() - started < 600:
            try:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _drip(self, body: bytes) -> None:
        self._note(200)
        self.close_connection = True
        try:
            self._head(200, len(body), {})
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                self.wfile.flush()
                if self.sandbox.stopping.wait(0.05):
                    return
        except OSError:
            return

    def _send(self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._write(status, json.dumps(answer, ensure_ascii=False).encode(), headers)

    def _write(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, announce: int | None = None
    ) -> None:
        self._note(status)
        try:
            self._head(status, len(body) if announce is None else announce, headers or {})
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:
            # The other side has hung up: its time-out, or it was killed.
            self.close_connection = True

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        if self.close_connection:
            # Said, not only done: else the other side may send its next question into a closing connection.
            self.send_header("Connection", "close")
        self.end_headers()
