"""One mail: how it is put together, handed to the mail server, and what went wrong in a sentence.

Nothing here knows who gets a mail or why. Sentences are kept in English, as those of the pulls are (sentences.py).
"""

import base64
import contextlib
import hashlib
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import encoders
from email.mime.base import MIMEBase
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from dashboard.env import ADDRESS
from dashboard.smtp import Unsure

LONGEST_SUBJECT = 200
LONGEST_ADDRESS = 254
BACKOFF = timedelta(minutes=1)
BACKOFF_AT_MOST = timedelta(hours=1)


class NotSent(Exception):
    """A mail was surely not taken; the text says why and what to do.

    for_good: another try would end the same. unreachable: no other mail can be sent at this time either.
    """

    def __init__(self, reason: str, *, for_good: bool = False, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail. to: all of them see one another. headers: besides the usual ones; attached: ready parts."""

    subject: str
    text: str
    html: str
    to: Sequence[str]
    message_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    attached: Sequence[MIMEBase] = ()


def is_on() -> bool:
    """Whether this site sends mail at all."""
    return bool(settings.EMAIL_ON)


def absolute(path: str) -> str:
    """The whole address of one of our paths."""
    return f"{settings.SITE_URL.rstrip('/')}{path}"


def message_id(*parts: object) -> str:
    """The same id for the same mail, however often it is tried; another one on every other installation."""
    told = "\n".join(map(str, (settings.SECRET_KEY, *parts)))
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    return (
        f"<{hashlib.sha256(told.encode()).hexdigest()[:40]}@{host if host.isascii() else host.encode('idna').decode()}>"
    )


def one_line(text: str) -> str:
    """A text for a header: no line break and no other control character, not too long."""
    plain = " ".join(re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]", " ", text).split())
    return plain if len(plain) <= LONGEST_SUBJECT else f"{plain[: LONGEST_SUBJECT - 1]}…"


def read_addresses(text: str, most: int) -> list[str]:
    """E-mail addresses as people paste them: parted by blanks, commas, semicolons or lines; each once.

    Errors: ValidationError that names those that are none.
    """
    found: dict[str, str] = {}
    wrong = []
    for piece in re.split(r"[\s,;，；、]+", text):
        address = piece.strip("<>")
        if not address:
            continue
        try:
            validate_email(address)
        except ValidationError:
            wrong.append(piece)
            continue
        if len(address) > LONGEST_ADDRESS or not ADDRESS.fullmatch(address) or re.search(r"[\x00-\x20\x7f]", address):
            wrong.append(piece)
            continue
        found.setdefault(address.casefold(), address)
    if wrong:
        shown = ", ".join(piece[:60] for piece in wrong[:5]) + (" …" if len(wrong) > 5 else "")
        raise ValidationError(_("No e-mail address: %(list)s") % {"list": shown})
    if not found:
        raise ValidationError(_("Give at least one e-mail address."))
    if len(found) > most:
        raise ValidationError(
            _("%(count)d addresses are too many. Give %(most)d at most, or the address of a list.")
            % {"count": len(found), "most": most}
        )
    return list(found.values())


def named(label: str, value: str) -> str:
    """A name and its value on one line."""
    return _("%(label)s: %(value)s") % {"label": label, "value": value}


def attachment(name: str, kind: str, content: bytes) -> MIMEBase:
    """Bytes as a part of a mail, exactly as they are. kind: such as text/csv."""
    main, _slash, sub = kind.partition("/")
    part = MIMEBase(main, sub)
    if main == "text":
        part.set_param("charset", "utf-8")
    part.set_payload(content)
    # Django would take a text apart and put other line ends into it.
    encoders.encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def running_from(now: datetime) -> Callable[[], datetime]:
    """A clock that shows a moment now and goes on: leases last by it while a slow server is waited for."""
    begun = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - begun)


def backoff(failures: int) -> timedelta:
    """How long to wait after so many failures."""
    return min(BACKOFF * (1 << min(failures, 10)), BACKOFF_AT_MOST)


class Post:
    """A connection to the mail server for some mails: opened with the first, opened anew after a failure.

    `ready` is the last step that can be repeated: whoever calls notes between it and `send` that the mail is
    on its way.
    """

    def __init__(self) -> None:
        self._server: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def ready(self) -> None:
        """Make sure of a connection. Errors: NotSent."""
        if self._server is not None:
            return
        server: Any = get_connection()
        try:
            server.open()
        except (OSError, smtplib.SMTPException) as error:
            _close(server)
            raise NotSent(_reason(error), unreachable=True) from None
        self._server = server

    def send(self, letter: Letter) -> str:
        """Hand over one mail. Out: "", or a sentence on recipients who were refused while others were not.

        Errors: NotSent when it was surely not taken, Unsure when nobody knows.
        """
        mail = EmailMultiAlternatives(
            subject=one_line(letter.subject),
            body=letter.text,
            to=list(letter.to),
            connection=self._server,
            headers={
                "Message-ID": letter.message_id,
                # Nobody's out-of-office need answer.
                "Auto-Submitted": "auto-generated",
                **letter.headers,
            },
        )
        mail.attach_alternative(letter.html, "text/html")
        for part in letter.attached:
            mail.attach(part)
        try:
            self._server.send_messages([mail])
        except Unsure:
            self._close()
            raise
        except (OSError, smtplib.SMTPException) as error:
            # What state the conversation is in, nobody knows.
            self._close()
            raise NotSent(_reason(error), for_good=_for_good(error)) from None
        refused: dict[str, tuple[int, bytes]] = getattr(self._server, "refused", {})
        return " ".join(
            f"The mail server does not take mail to {address} ({_answer(*answer)})."
            for address, answer in refused.items()
        )

    def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            _close(server)


def _close(server: Any) -> None:
    """Say good-bye; whatever comes of that changes nothing."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        server.close()


UNSURE = (
    "The mail server had the whole mail and did not answer: it may have arrived or not. Ask its readers, and send it "
    "again if it did not."
)
STOPPED = (
    "The worker stopped while it sent this mail: it may have arrived or not. Ask its readers, and send it again if it "
    "did not."
)


def stopped_by(error: Exception) -> str:
    """The sentence for a fault of our own."""
    return f"Stopped by an error of the program ({type(error).__name__}); its log tells more."


def _for_good(error: Exception) -> bool:
    """Whether another try would end the same: the server knows none of these recipients."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code >= 500 for code, _text in error.recipients.values()
    )


def _reason(error: Exception) -> str:
    """What went wrong in one sentence, without our password in any spelling."""
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    match error:
        case smtplib.SMTPAuthenticationError(smtp_code=code, smtp_error=text):
            told = _answer(code, text)
            return f"The mail server {where} does not accept the user name and password ({told}). Check EMAIL_URL."
        case smtplib.SMTPSenderRefused(smtp_code=code, smtp_error=text):
            told = _answer(code, text)
            return f"The mail server {where} does not take mail from this sender ({told}). Check EMAIL_FROM."
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            return " ".join(
                f"The mail server does not take mail to {address} ({_answer(*answer)})."
                for address, answer in refused.items()
            )
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
            return f"The mail server {where} does not take the mail ({_answer(code, text)})."
        case smtplib.SMTPServerDisconnected():
            return f"The mail server {where} ended the connection."
        case smtplib.SMTPNotSupportedError():
            return f"The mail server {where} does not offer what EMAIL_URL asks for ({_clean(str(error))})."
        case ssl.SSLError():
            told = _clean(error.reason or "TLS")
            return f"The mail server {where} cannot be spoken to in TLS ({told}). Check EMAIL_URL."
        case TimeoutError():
            return f"The mail server {where} did not answer within {settings.EMAIL_TIMEOUT} seconds."
        case OSError(strerror=str(text)):
            return f"The mail server {where} cannot be reached ({_clean(text)}). Check EMAIL_URL and the network."
        case _:
            return (
                f"The mail server {where} cannot be reached ({type(error).__name__}). Check EMAIL_URL and the network."
            )


def _answer(code: int, text: bytes | str) -> str:
    """An answer of the server in its own words."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return _clean(f"{code} {words}")


def _clean(text: str) -> str:
    """One line of somebody else's words, without our password as it is sent in any way of signing in."""
    user, password = settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD
    if password:
        whole = f"\0{user}\0{password}"
        spellings = {password, quote(password), quote(password, safe="")}
        spellings |= {base64.b64encode(one.encode()).decode() for one in (password, whole)}
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, "***")
    plain = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    return plain if len(plain) <= 300 else f"{plain[:300]}…"
