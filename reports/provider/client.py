"""The one place that speaks HTTP to the API: POST forms, time-outs, retries by remedy, bounded paging.

The key and the secret travel as form fields of every call. They are put into the body at the last
moment by `FormCredentials`, so that no URL, log line, exception or variable of ours holds them.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import quote, quote_plus, urlsplit
from zoneinfo import ZoneInfo

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from reports.provider.errors import BadPayload, ProviderError, StuckPaging, Transient
from reports.provider.payloads import (
    MeetingRecord,
    Page,
    Record,
    Unreadable,
    clean_message,
    decode,
    failure,
    read_answer,
)

logger = logging.getLogger(__name__)

MOST_NUMBERS = 200  # "At most 200 in one call" (share/reports)
MOST_PAGES = 10_000
CONNECT_WITHIN = 10.0
DEADLINE = 4  # an answer as a whole may take so many times the read time-out
CHUNK = 64 * 2**10


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


class Client:
    """Asks the share-rooms API and yields its answers page by page.

    In: `url` (http or https, the part before `share/…`), key and secret, the zone of times that name none,
    `timeout` in seconds for connecting and for each read, `attempts` for what is transient, `max_bytes` of
    one answer, `longest_wait`: seconds it may sleep before an attempt; when the provider asks for more, the
    call ends and `Transient.retry_after` says how long. Errors of every method: ProviderError.
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
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("UMEET_URL is no web address. Set it to one such as https://host/umeeting/.")
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
        self._session = requests.Session()
        # Retries are ours. A session's own credentials (netrc) are only looked for where no `auth` is given.
        self._session.mount("http://", HTTPAdapter(max_retries=0))
        self._session.mount("https://", HTTPAdapter(max_retries=0))
        self._session.auth = FormCredentials(self._key, self._secret)
        self._session.headers["Accept"] = "application/json"
        self._session.headers["User-Agent"] = "Roomledger"
        self.requests_made = 0

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
        for secret in (self._secret, self._key):
            plain = secret.reveal()
            for spelling in {plain, quote(plain, safe=""), quote_plus(plain), ascii(plain)[1:-1]}:
                if spelling:
                    text = text.replace(spelling, "***")
        return text

    # The endpoints ------------------------------------------------------------------------------------

    def reports(self, numbers: Sequence[str]) -> Iterator[Page]:
        """POST share/reports: what is reported of 1 to 200 meeting numbers. ValueError: none or too many."""
        if not 1 <= len(numbers) <= MOST_NUMBERS:
            raise ValueError(f"share/reports takes 1 to {MOST_NUMBERS} numbers, not {len(numbers)}")
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
        return self._pages("share/detail", form | ({"host_id": host_id} if host_id else {}))

    def rooms(self) -> Iterator[Page]:
        """POST share/rooms: every room of the pool with name and capacity."""
        return self._pages("share/rooms", {}, first_plain=True)

    # Paging -------------------------------------------------------------------------------------------

    def _pages(self, endpoint: str, form: Mapping[str, str], first_plain: bool = False) -> Iterator[Page]:
        seen: set[str] = set()
        number = 1
        while True:
            asked = dict(form) if number == 1 and first_plain else {**form, "page_number": str(number)}
            page = self._ask(endpoint, asked, number)
            before = len(seen)
            seen.update(_identity(record) for record in page.records)
            enough = page.total_record is not None and len(seen) >= page.total_record
            last = not page.has_next or not page.records
            # Some servers promise a next page for ever: what was announced is here, so it is the end.
            last = last or (enough and (page.total_page is None or number >= page.total_page))
            if not last:
                if page.page_number not in (None, number):
                    raise StuckPaging(
                        f"The provider was asked for page {number} and answered page {page.page_number}; "
                        f"{len(seen)} of {_or_unknown(page.total_record)} records came."
                    )
                if len(seen) == before:
                    raise StuckPaging(
                        f"Page {number} of the provider's answer brought nothing new but promises more; "
                        f"{len(seen)} of {_or_unknown(page.total_record)} records came."
                    )
                if number >= MOST_PAGES:
                    raise StuckPaging(f"The provider's answer has no end after {MOST_PAGES} pages.")
            if last and page.total_record is not None and len(seen) < page.total_record:
                short = f"The provider announced {page.total_record} records and delivered {len(seen)}."
                page = replace(page, complete=False, warnings=(*page.warnings, short))
            yield page
            if last:
                return
            number += 1

    # One call -----------------------------------------------------------------------------------------

    def _ask(self, endpoint: str, form: Mapping[str, str], page: int) -> Page:
        """One page, tried as often as it makes sense."""
        for attempt in range(1, self._attempts + 1):
            try:
                return self._safe(read_answer(decode(self._post(endpoint, form, page)), self._zone))
            except Transient as error:
                wait = self._wait(attempt, error)
                if attempt == self._attempts or wait > self._longest_wait:
                    tries = f" (tried {attempt} times)" if attempt > 1 else ""
                    raise Transient(self.redact(error.message) + tries, error.retry_after) from None
            except ProviderError as error:
                raise type(error)(self.redact(error.message)) from None
            self._sleep(wait)
        raise AssertionError("unreachable")

    def _wait(self, attempt: int, error: Transient) -> float:
        if error.retry_after is not None:
            return error.retry_after
        # Full jitter: many workers that failed together do not come back together.
        return random.uniform(0, min(20.0, 2.0 ** (attempt - 1)))

    def _safe(self, page: Page) -> Page:
        """Records that will be kept as they came must not hold our own secret."""
        if not any(isinstance(record, Unreadable) for record in page.records):
            return page
        records = tuple(
            replace(record, raw=self.redact(record.raw), reason=self.redact(record.reason))
            if isinstance(record, Unreadable)
            else record
            for record in page.records
        )
        return replace(page, records=records)

    def _post(self, endpoint: str, form: Mapping[str, str], page: int) -> bytes:
        """One HTTP exchange; returns the body of a 200. Errors: ProviderError."""
        started = time.monotonic()
        self.requests_made += 1
        problem: ProviderError
        try:
            with self._session.post(
                self._url + endpoint,
                data=form,
                timeout=(min(CONNECT_WITHIN, self._timeout), self._timeout),
                stream=True,
                # A redirect would carry the secret elsewhere.
                allow_redirects=False,
            ) as response:
                status = response.status_code
                body = self._read(response, started)
                retry_after = _retry_after(response.headers.get("Retry-After"))
                target = response.headers.get("Location", "")
            logger.debug(
                "POST %s page %d: HTTP %d, %d bytes, %d ms",
                *(endpoint, page, status, len(body), (time.monotonic() - started) * 1000),
            )
            if status == 200:
                return body
            problem = self._http_error(status, body, retry_after, target)
        except requests.exceptions.ConnectTimeout:
            problem = Transient(f"{self._where} did not take the connection in time. Check UMEET_URL and the network.")
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
            problem = Transient(f"{self._where} did not answer within {self._timeout:g} seconds.")
        except requests.exceptions.SSLError as error:
            problem = Transient(f"{self._where} has no certificate that can be trusted ({_innermost(error)}).")
        except requests.exceptions.ProxyError:
            problem = Transient(f"The proxy on the way to {self._where} does not answer. Check HTTPS_PROXY.")
        except (urllib3.exceptions.ProtocolError, urllib3.exceptions.DecodeError):
            problem = Transient(f"The answer of {self._where} was cut off on the way.")
        except requests.exceptions.ConnectionError as error:
            problem = Transient(
                f"{self._where} cannot be reached ({_innermost(error)}). Check UMEET_URL and the network."
            )
        except requests.exceptions.RequestException as error:
            problem = Transient(f"The question to {self._where} failed ({type(error).__name__}).")
        # Outside the except blocks: the original error knows the request and with it the secret.
        raise problem

    def _read(self, response: requests.Response, started: float) -> bytes:
        """The body, bounded in size (unpacked) and in time as a whole."""
        body = bytearray()
        # read1: returns what is there, so that a server that drips bytes cannot hold us for ever.
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_bytes:
                raise BadPayload(
                    f"The answer is larger than {self._max_bytes // 2**20} MB and was not read to its end."
                )
            if time.monotonic() - started > DEADLINE * self._timeout:
                raise Transient(f"{self._where} took more than {DEADLINE * self._timeout:g} seconds for one answer.")
        announced = response.headers.get("Content-Length", "")
        packed = response.headers.get("Content-Encoding")
        if announced.isdigit() and not packed and len(body) < int(announced):
            raise Transient(f"The answer of {self._where} was cut off on the way.")
        return bytes(body)

    def _http_error(self, status: int, body: bytes, retry_after: float | None, target: str) -> ProviderError:
        if 300 <= status < 400:
            return failure(status, f"it redirects to {clean_message(target) or 'elsewhere'}", http=True)
        message: Any = None
        try:
            answer = decode(body)
            message = answer.get("message") if isinstance(answer, dict) else None
        except BadPayload:
            if not body.lstrip().startswith(b"<"):
                message = body[:LONGEST_BODY].decode("utf-8", "replace")
        error = failure(status, message, http=True)
        if isinstance(error, Transient):
            error.retry_after = retry_after
        return error


LONGEST_BODY = 300


def _identity(record: Record) -> str:
    """What tells two records of an answer apart."""
    match record:
        case MeetingRecord():
            return record.uuid
        case Unreadable():
            return record.uuid or record.raw
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


def _innermost(error: BaseException) -> str:
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
