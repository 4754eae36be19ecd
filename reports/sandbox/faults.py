"""Named faults that the sandbox can be told to have, while it runs.

`NAME` is on until switched off. `NAME=N` strikes the next N calls and then heals; but `slow=SECONDS` is a
time. `429=N:SECONDS` also says the Retry-After (`429=:SECONDS` without an end).
"""

import math
import re
from collections.abc import Iterable
from threading import Lock

FAULTS = {
    "timeout": "takes the question and never answers",
    "drip": "answers one byte at a time",
    "slow": "waits before each answer (slow=SECONDS, 0.5 unless given)",
    "500": "HTTP 500 (500=N: the next N calls only, then it heals; so for every fault but slow)",
    "429": "HTTP 429 with Retry-After: 1 (429=N:SECONDS: N calls, Retry-After SECONDS)",
    "403-throttle": "HTTP 403, maximum number of api requests",
    "html": "HTTP 200 with a page of HTML, as a proxy gives it",
    "truncated": "JSON that ends in the middle",
    "cut": "the connection closes in the middle of the answer",
    "wrong-secret": "every call is denied, as with a wrong key or secret",
    "status-error": "HTTP 200 with status 500 inside",
    "string-status": 'status as a string: "200"',
    "data-null": "data is null",
    "stuck-paging": "always the first page, and always another one promised",
    "endless-paging": "a next page is promised for ever, and empty",
    "mid-page": "page 2 fails with HTTP 500",
    "bad-record": "one record of every answer has a start that is no time",
    "array-shape": "share/reports answers the array of the later revision",
    "late": "leaves out whatever ended within the last hour",
    "echo-secret": "fails and repeats key and secret in its message",
}


class UnknownFault(ValueError):
    """No fault has that name; the text lists those that there are."""


class FaultSet:
    """The faults that are on. Safe to change while the server answers."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._lock = Lock()
        self._on: dict[str, float | None] = {}
        self._retry_after = "1"
        for name in names:
            self.on(name)

    def on(self, name: str) -> None:
        """Switch on `NAME` or `NAME=VALUE`. Errors: UnknownFault, also for a value that makes no sense."""
        plain, given, value = name.partition("=")
        if plain not in FAULTS:
            raise UnknownFault(f"There is no fault '{name}'. There are: {', '.join(FAULTS)}.")
        number, retry_after = None, "1"
        if given:
            if plain == "429" and (parts := re.fullmatch(r"(\d{0,6}):(\d{1,6})", value, re.ASCII)):
                value, retry_after = parts.groups()
            try:
                number = float(value) if value or plain != "429" else None
            except ValueError:
                number = -1.0
            least = 0.0 if plain == "slow" else 1.0
            if number is not None and not (math.isfinite(number) and number >= least):
                what = "seconds" if plain == "slow" else "how many calls it strikes"
                raise UnknownFault(f"The fault '{name}' has no usable value: it is {what}, such as {plain}=2.")
        with self._lock:
            self._on[plain] = number
            if plain == "429":
                self._retry_after = retry_after

    def off(self, name: str) -> None:
        """Switch one off, whether it is on or not. Errors: UnknownFault."""
        plain = name.partition("=")[0]
        if plain not in FAULTS:
            raise UnknownFault(f"There is no fault '{name}'. There are: {', '.join(FAULTS)}.")
        with self._lock:
            self._on.pop(plain, None)

    def clear(self) -> None:
        with self._lock:
            self._on.clear()

    def names(self) -> list[str]:
        """Those that are on, in order, without their values."""
        with self._lock:
            return sorted(self._on)

    def strikes(self, name: str) -> bool:
        """Whether a fault strikes this call; one that was given a number of calls counts this one down."""
        with self._lock:
            if name not in self._on:
                return False
            left = self._on[name]
            if left is not None:
                if left <= 1:
                    del self._on[name]
                else:
                    self._on[name] = left - 1
            return True

    @property
    def retry_after(self) -> str:
        """Seconds that the fault 429 asks to wait."""
        with self._lock:
            return self._retry_after

    def seconds(self, name: str, default: float) -> float | None:
        """The value of a fault that is a time; None when it is off."""
        with self._lock:
            if name not in self._on:
                return None
            value = self._on[name]
            return default if value is None else value
