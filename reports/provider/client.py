"""The one place that speaks HTTP to the API: POST forms, time-outs, retries by remedy, bounded paging.

The key and the secret travel as form fields of every call. They are put into the body at the last
moment by `FormCredentials`, so that no URL, log line, exception or variable of ours holds them.
A client is used by one thread at a time.
"""

import json
import logging
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import quote, quote_plus, urlsplit
from zoneinfo import ZoneInfo

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool

from reports.provider.errors import BadPayload, Denied, ProviderError, Refused, StuckPaging, Transient
from reports.provider.payloads import (
    LicenceRecord,
    MeetingRecord,
    NoReport,
    Page,
    Record,
    RoomTotals,
    Unreadable,
    clean_message,
    decode,
    failure,
    message_of,
    read_answer,
    read_licence,
    read_summary,
    status_of,
)

logger = logging.getLogger(__name__)

DETAIL, SUMMARY = "share/detail", "share/summary"
MOST_NUMBERS = 200  # "At most 200 in one call" (share/reports)
MOST_PAGES = 10_000
CONNECT_WITHIN = 10.0
DEADLINE = 4  # an answer as a whole may take so many times the read time-out
CHUNK = 64 * 2**10
# An answer longer than that has later questions ask for smaller pages: read, it takes some twenty times as much.
HEAVY = 4 * 2**20
SMALLEST_PAGE = 10
LONGEST_REFUSAL = 64 * 2**10  # of an answer that is a failure anyway only the first bytes are read
OUR_FORM = re.compile(r"\d{1,20}", re.ASCII)

# What an answer is read into: a page of records, or the licence.
A = TypeVar("A", Page, LicenceRecord)


class Secret:
    """A text that does not show itself: not by print, repr, format, logging or pickling."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


class FormCredentials(AuthBase):
    """Adds api_key and api_secret to the form when a request is made ready to be sent."""

    def __init__(self, key: Secret, secret: Secret) -> None:
        self._key = key
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or ""
        form = body.decode() if isinstance(body, bytes) else str(body)
        request.body = "&".join(
            (
                *([form] if form else []),
                f"api_key={quote_plus(self._key.reveal())}",
                f"api_secret={quote_plus(self._secret.reveal())}",
            )
        )
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        request.prepare_content_length(request.body)
        return request


class _Deadline:
    """Ends one exchange when its time is over, whatever the other side is busy dripping.

    A read time-out starts anew with every byte, so neither endless headers nor an endless body ever meet it.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._token = _deadline.set(self)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _deadline.reset(self._token)

    def watch(self, connection: socket.socket | None) -> None:
        """From now on `connection` is what has to end."""
        self._socket = connection
        if self.passed:
            self._end()

    def _end(self) -> None:
        self.passed = True
        if self._socket is not None:
            with suppress(OSError, AttributeError):
                # Wakes the reader at once; closing is left to it.
                self._socket.shutdown(socket.SHUT_RDWR)


_deadline: ContextVar[_Deadline | None] = ContextVar("_deadline", default=None)


def _watch(connection: HTTPConnection) -> None:
    if (deadline := _deadline.get()) is not None:
        deadline.watch(connection.sock)


class _WatchedHTTP(HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        _watch(self)
        return super().getresponse()


class _WatchedHTTPS(HTTPSConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        _watch(self)
        return super().getresponse()


class _Adapter(HTTPAdapter):
    """Connections whose answers end with the deadline, also those through a proxy."""

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> ConnectionPool:
        pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if isinstance(pool, HTTPSConnectionPool):
            pool.ConnectionCls = _WatchedHTTPS
        elif isinstance(pool, HTTPConnectionPool):
            pool.ConnectionCls = _WatchedHTTP
        return pool


class _TooLarge(Exception):
    """The body is longer than it may be."""


class Client:
    """Asks the share-rooms API and yields its answers page by page.

    In: `url` (http or https, the part before `share/…`), key and secret, the zone of times that name none,
    `timeout` in seconds for connecting and for each read, `attempts` for what is transient, `max_bytes` of
    one answer, `page_size`: records to ask for in one answer, fewer once answers are heavy, `longest_wait`:
    seconds it may sleep before an attempt; when the provider asks for more, the call ends and
    `Transient.retry_after` says how long. Errors of every method: ProviderError.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        *,
        zone: ZoneInfo,
        timeout: float = 30.0,
        attempts: int = 4,
        max_bytes: int = 64 * 2**20,
        page_size: int = 100,
        sleep: Callable[[float], None] = time.sleep,
        longest_wait: float = 20.0,
        session: requests.Session | None = None,
    ) -> None:
        wrong = "UMEET_URL is no web address. Set it to one such as https://host/umeeting/."
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 — reading it is the check
            requests.Request("POST", url).prepare()
        except (ValueError, requests.RequestException):
            raise ValueError(wrong) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(wrong)
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            # It is shown in messages, so nothing that could be a secret belongs there.
            raise ValueError("UMEET_URL may hold no user name, no password, no ? and no #.")
        self._url = url.rstrip("/") + "/"
        self._where = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        self._key, self._secret = Secret(key), Secret(secret)
        self._zone = zone
        self._timeout = timeout
        self._attempts = attempts
        self._max_bytes = max_bytes
        self._page_size = page_size
        self._sleep = sleep
        self._longest_wait = longest_wait
        self._credentials = FormCredentials(self._key, self._secret)
        if session is None:
            session = requests.Session()
            session.mount("http://", _Adapter(max_retries=0))  # retries are ours
            session.mount("https://", _Adapter(max_retries=0))
        self._session = session
        self.requests_made = 0
        # Reads the bytes of an answer of share/detail elsewhere; None of it: they are read here.
        self.reader: Callable[[bytes], Page | None] | None = None

    def __repr__(self) -> str:
        return f"<Client {self._url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds a secret and is not written anywhere")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def redact(self, text: str) -> str:
        """A text without our key and secret, in any spelling that a server may echo them in."""
        plain = [secret.reveal() for secret in (self._secret, self._key)]
        ways = (
            str,
            quote,
            quote_plus,
            lambda text: quote(text, safe=""),
            lambda text: json.dumps(text)[1:-1],
            lambda text: ascii(text)[1:-1],
        )
        spellings = {way(text) for text in plain for way in ways} - {""}
        # The longest first, or one that holds another would leave its rest behind. %2f and %2F are one.
        found = "|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True))
        return re.sub(found, "***", text, flags=re.IGNORECASE) if found else text

    # The endpoints ------------------------------------------------------------------------------------

    def reports(self, numbers: Sequence[str]) -> Iterator[Page]:
        """POST share/reports: what is reported of 1 to 200 meeting numbers ("At most 200 in one call").

        ValueError: none, too many, or what is no number.
        """
        if not 1 <= len(numbers) <= MOST_NUMBERS:
            raise ValueError(f"share/reports takes 1 to {MOST_NUMBERS} numbers, not {len(numbers)}")
        if isinstance(numbers, str) or not all(OUR_FORM.fullmatch(number) for number in numbers):
            raise ValueError("share/reports takes a list of meeting numbers, digits only")
        return self._pages("share/reports", {"meeting_ids": ",".join(numbers)}, first_plain=True)

    def detail(self, first: date, last: date, host_id: str | None = None) -> Iterator[Page]:
        """POST share/detail: the meetings of some days of one calendar month, with visits and calls.

        "A range of more than one month silently returns only its last month", so a range that leaves its
        month is a ValueError here.
        """
        if first > last or (first.year, first.month) != (last.year, last.month):
            raise ValueError(f"share/detail takes days of one month in order, not {first} to {last}")
        form = {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "show_participants": "true",
            "show_telephony_usage": "true",
            "page_size": str(self._page_size),
        }
        return self._pages(DETAIL, form | ({"host_id": host_id} if host_id else {}))

    def rooms(self) -> Iterator[Page]:
        """POST share/rooms: every room of the pool with name and capacity."""
        return self._pages("share/rooms", {}, first_plain=True)

    def licensing(self) -> LicenceRecord:
        """POST licensing, which lies beside share/: how many rooms of each size are rented, and until when."""
        return self._ask("licensing", {}, 1, self._licence)

    def summary(self, first: date, last: date) -> Iterator[Page]:
        """POST share/summary: the provider's own totals by room over some days of one calendar month.

        As of share/detail, a longer range would silently be cut to its last month: ValueError here.
        """
        if first > last or (first.year, first.month) != (last.year, last.month):
            raise ValueError(f"share/summary takes days of one month in order, not {first} to {last}")
        form = {"from": first.isoformat(), "to": last.isoformat(), "page_size": str(self._page_size)}
        return self._pages(SUMMARY, form)

    # Paging -------------------------------------------------------------------------------------------

    def _pages(self, endpoint: str, form: Mapping[str, str], first_plain: bool = False) -> Iterator[Page]:
        seen: set[str] = set()
        waiting: set[str] = set()  # numbers without a report: progress, but no records of total_record
        total: int | None = None
        number = 1
        while True:
            asked = dict(form) if number == 1 and first_plain else {**form, "page_number": str(number)}
            page = self._ask(endpoint, asked, number, self._totals if endpoint == SUMMARY else self._page)
            before = len(seen) + len(waiting)
            for record in page.records:
                (waiting if isinstance(record, NoReport) else seen).add(_identity(record))
            total = page.total_record if page.total_record is not None else total
            came = f"{len(seen)} of {_or_unknown(total)} records came."
            missing = total is not None and len(seen) < total
            # Some servers promise a next page for ever: what was announced is here, so it is the end.
            done = total is not None and not missing and number >= (page.total_page or 0)
            last = not page.has_next or not page.records or done
            if page.page_number not in (None, number) and (missing or not last):
                raise StuckPaging(
                    f"{endpoint}: the provider was asked for page {number} and answered page {page.page_number}; {came}"
                )
            if not last:
                if len(seen) + len(waiting) == before:
                    raise StuckPaging(
                        f"{endpoint}: page {number} of the provider's answer brought nothing new but promises "
                        f"more; {came}"
                    )
                if number >= MOST_PAGES:
                    raise StuckPaging(f"{endpoint}: the provider's answer has no end after {MOST_PAGES} pages.")
            elif missing:
                short = f"The provider announced {total} records and delivered {len(seen)}."
                page = replace(page, complete=False, warnings=(*page.warnings, short))
            elif page.has_next and not done:
                short = f"The provider promised more records, and page {number} was empty."
                page = replace(page, complete=False, warnings=(*page.warnings, short))
            yield page
            if last:
                return
            number += 1

    # One call -----------------------------------------------------------------------------------------

    def _ask(self, endpoint: str, form: Mapping[str, str], page: int, read: Callable[[Any], A]) -> A:
        """One answer, tried as often as it makes sense. read: what makes of its JSON what it means."""
        attempt = 0
        while True:
            attempt += 1
            answer = self._try(endpoint, form, page, read)
            if not isinstance(answer, ProviderError):
                return answer
            if not isinstance(answer, Transient):
                raise answer
            wait = self._wait(attempt, answer)
            if attempt >= self._attempts or wait > self._longest_wait:
                tried = f" It was tried {attempt} times." if attempt > 1 else ""
                raise Transient(answer.message + tried, answer.retry_after)
            self._sleep(wait)

    def _try(self, endpoint: str, form: Mapping[str, str], page: int, read: Callable[[Any], A]) -> A | ProviderError:
        """One attempt. Errors are returned, not raised: an error raised here would hold, in the frames of
        its traceback and in its context, the request with the secret and what the server echoed of it."""
        started = time.monotonic()
        self.requests_made += 1
        answer: A | ProviderError
        with _Deadline(DEADLINE * self._timeout) as deadline:
            answer = self._exchange(endpoint, form, read, deadline, started)
        logger.debug(
            "POST %s page %d: %s, %d ms",
            *(endpoint, page, answer.shape if isinstance(answer, Page) else type(answer).__name__),
            (time.monotonic() - started) * 1000,
        )
        return answer

    def _wait(self, attempt: int, error: Transient) -> float:
        if error.retry_after is not None:
            return error.retry_after
        # Full jitter: many workers that failed together do not come back together.
        return random.uniform(0, min(20.0, self._longest_wait, 2.0 ** min(attempt - 1, 10)))

    def _licence(self, answer: Any) -> LicenceRecord:
        return read_licence(answer, self._zone, redact=self.redact)

    def _totals(self, answer: Any) -> Page:
        return read_summary(answer, redact=self.redact)

    def _page(self, answer: Any) -> Page:
        """A page of records. Those that will be kept as they came must not hold our own secret."""
        page = read_answer(answer, self._zone, redact=self.redact)
        if not any(isinstance(record, Unreadable) for record in page.records):
            return page
        records = tuple(
            replace(
                record,
                raw=self.redact(record.raw),
                reason=self.redact(record.reason),
                start_time=record.start_time and self.redact(record.start_time),
            )
            if isinstance(record, Unreadable)
            else record
            for record in page.records
        )
        return replace(page, records=records)

    def _exchange(
        self, endpoint: str, form: Mapping[str, str], read: Callable[[Any], A], deadline: _Deadline, started: float
    ) -> A | ProviderError:
        """One HTTP exchange and what it means."""
        response: requests.Response | None = None
        broken: Exception | None = None
        body = b""
        try:
            response = self._send(self._url + endpoint, form)
            if not 300 <= response.status_code < 400:
                limit = self._max_bytes if response.status_code == 200 else LONGEST_REFUSAL
                body = self._read(response, limit, started)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, _TooLarge) as error:
            broken = error
        finally:
            if response is not None:
                response.close()
        if response is None:
            return self._unanswered(broken, deadline)
        retry_after = _retry_after(response.headers.get("Retry-After"))
        if response.status_code != 200:
            answer: A | ProviderError = self._http_error(response, body)
        elif isinstance(broken, _TooLarge):
            answer = BadPayload(f"The answer is larger than {self._max_bytes} bytes and was not read to its end.")
        elif broken is not None or deadline.passed:
            answer = self._unanswered(broken, deadline)
        else:
            if len(body) > HEAVY:
                self._page_size = max(SMALLEST_PAGE, self._page_size * HEAVY // len(body))
            try:
                answer = self._read_elsewhere(endpoint, body) or read(decode(body))
            except ProviderError as error:
                answer = type(error)(error.message)
        if isinstance(answer, Transient):
            answer.retry_after = retry_after
        return answer

    def _read_elsewhere(self, endpoint: str, body: bytes) -> Any:
        """A page of meetings that another process has read; None where it is to be read here."""
        return self.reader(body) if self.reader is not None and endpoint == DETAIL else None

    def _send(self, url: str, form: Mapping[str, str]) -> requests.Response:
        """POST the form; returns as soon as the headers have come.

        Through the session's adapter, not Session.send: that would prepare to follow a redirect, which
        would carry the secret elsewhere, and read the redirect's body without any bound. The environment's
        proxies and certificates count; a netrc cannot, since requests looks for one only without `auth`.
        """
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "Roomledger"}
        request = self._session.prepare_request(
            requests.Request("POST", url, headers=headers, data=form, auth=self._credentials)
        )
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        timeout = (min(CONNECT_WITHIN, self._timeout), self._timeout)
        return self._session.get_adapter(url).send(
            request,
            stream=True,
            timeout=timeout,
            verify=True if settings["verify"] is None else settings["verify"],
            cert=settings["cert"],
            proxies=settings["proxies"],
        )

    def _read(self, response: requests.Response, limit: int, started: float) -> bytes:
        """The body, bounded in size (unpacked) and in time as a whole. Errors: _TooLarge, urllib3's."""
        body = bytearray()
        # read1: returns what is there, so that a server that drips bytes cannot hold us for ever.
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > limit:
                raise _TooLarge
            if time.monotonic() - started > DEADLINE * self._timeout:
                raise TimeoutError
        return bytes(body)

    def _unanswered(self, error: Exception | None, deadline: _Deadline) -> ProviderError:
        """What it means that no whole answer came."""
        url = urllib3.exceptions
        where = self._where
        kinds = _kinds(error)
        if deadline.passed:
            return Transient(f"{where} took more than {DEADLINE * self._timeout:g} seconds for one answer.")
        if kinds & {requests.exceptions.ProxyError, url.ProxyError, requests.exceptions.InvalidProxyURL}:
            return Transient(
                f"The proxy on the way to {where} does not let us through. Check HTTPS_PROXY and HTTP_PROXY."
            )
        if kinds & {ssl.SSLCertVerificationError}:
            return Refused(
                f"{where} has no certificate that can be trusted ({_innermost(error)}). Check UMEET_URL and the "
                "clock of this computer."
            )
        if kinds & {url.NewConnectionError, url.NameResolutionError}:
            return Transient(f"{where} cannot be reached ({_innermost(error)}). Check UMEET_URL and the network.")
        if kinds & {url.ConnectTimeoutError}:
            return Transient(f"{where} did not take the connection in time. Check UMEET_URL and the network.")
        if kinds & {url.ReadTimeoutError, TimeoutError}:
            return Transient(f"{where} did not answer within {self._timeout:g} seconds.")
        if kinds & {url.DecodeError}:
            return BadPayload("The answer is not packed the way it says.")
        if type(error) is OSError or isinstance(
            error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema
        ):
            # Before anything was sent: a CA file that is not there, an address that cannot be.
            return Refused(f"{where} cannot be asked. Check UMEET_URL, HTTPS_PROXY and REQUESTS_CA_BUNDLE.")
        return Transient(f"The answer of {where} was cut off on the way.")

    def _http_error(self, response: requests.Response, body: bytes) -> ProviderError:
        """What a status of HTTP other than 200 means."""
        status = response.status_code
        if 300 <= status < 400:
            target = clean_message(self.redact(response.headers.get("Location", ""))).partition("?")[0]
            return failure(status, f"it redirects to {target[:150] or 'elsewhere'}", http=True)
        answer = None
        with suppress(BadPayload):
            answer = decode(body)
        # An error page's words help nobody, and may be anything; only the API's own are told.
        words = self.redact(message_of(answer))
        error = failure(status, words, http=True)
        inner = status_of(answer)
        if isinstance(error, Refused) and inner not in (None, 200):
            # 400 of HTTP around a 401 or 429 of the API.
            told = failure(inner, words)
            error = told if isinstance(told, Transient | Denied) else error
        return error


def _identity(record: Record) -> str:
    """What tells two records of an answer apart."""
    match record:
        case MeetingRecord():
            return record.uuid
        case Unreadable():
            return record.uuid or record.raw
        case RoomTotals() if record.host_id:
            # Its figures may have changed since an earlier page: it is the same room all the same.
            return f"{record.host_id} {record.is_extra}"
        case _:
            return repr(record)


def _or_unknown(count: int | None) -> str:
    return "an unknown number of" if count is None else str(count)


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _kinds(error: BaseException | None) -> set[type]:
    """Every class of the error and of the errors wrapped in it."""
    kinds: set[type] = set()
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            kinds.update(type(current).__mro__)
            waiting += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
    return kinds


def _innermost(error: BaseException | None) -> str:
    """The plain reason in the heart of a connection error, without addresses of objects or requests."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, OSError) and current.strerror and not isinstance(current, requests.RequestException):
            return current.strerror
        inner = getattr(current, "reason", None) or (current.args[0] if current.args else None)
        following = inner if isinstance(inner, BaseException) else current.__cause__ or current.__context__
        current = following
    return "no connection"
