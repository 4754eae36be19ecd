"""Django's SMTP backend, with two things more that it knows of a mail: who was refused, and what nobody knows.

A server that has read a whole mail and then falls silent may have taken it or not. Sending it again could send
it twice; so that this case is told apart from all others, where the mail was surely not taken.
"""

import smtplib
from typing import Any

from django.core.mail.backends.smtp import EmailBackend


class Unsure(Exception):
    """The server had the whole mail and did not say whether it took it."""


class _Watched(smtplib.SMTP):
    """Remembers how far a mail came."""

    refused: dict[str, tuple[int, bytes]]
    _whole = False

    def sendmail(self, *args: Any, **kwargs: Any) -> dict[str, tuple[int, bytes]]:
        self._whole = False
        self.refused = super().sendmail(*args, **kwargs)
        return self.refused

    def send(self, s: Any) -> None:
        super().send(s)
        # Commands are texts; the one thing that is sent as bytes is a mail with the line that ends it.
        self._whole = isinstance(s, bytes)

    def data(self, msg: Any) -> tuple[int, bytes]:
        try:
            return super().data(msg)
        except smtplib.SMTPResponseException:
            raise
        except OSError as error:
            if self._whole:
                raise Unsure from error
            raise


class _WatchedTls(_Watched, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


class Backend(EmailBackend):
    """Errors of `send_messages`: those of smtplib, OSError, and Unsure."""

    connection: _Watched | None

    @property
    def connection_class(self) -> type[_Watched]:
        return _WatchedTls if self.use_ssl else _Watched

    @property
    def refused(self) -> dict[str, tuple[int, bytes]]:
        """Recipients of the last mail that the server refused while it took the mail for others."""
        return getattr(self.connection, "refused", {})
