"""A real SMTP server on this computer: it keeps what it is given, and fails in the ways that a test asks for."""

import socketserver
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self


@dataclass(frozen=True)
class Mail:
    """One mail as it came: who sent it, who was to get it, its bytes."""

    sender: str
    to: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def part(self, kind: str) -> str:
        """The text of the first part of a kind, such as text/html."""
        return next(part.get_content() for part in self.message.walk() if part.get_content_type() == kind)

    @property
    def attached(self) -> dict[str, bytes]:
        """The attachments by their file names."""
        return {
            part.get_filename() or "": part.get_payload(decode=True) or b"" for part in self.message.iter_attachments()
        }


@dataclass
class SmtpServer:
    """Answers on 127.0.0.1. port: 0 for any free one.

    answers: what to say to a command that begins so, in capitals or not, instead of the usual (`RCPT TO:<x@y>`,
    `DATA`, `.` for the end of a mail).
    drops: commands after which the connection is cut without an answer; for `.` the mail was kept before.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    drops: set[str] = field(default_factory=set)
    mails: list[Mail] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.converse(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that is killed says no good-bye."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def converse(self, reads: Any, writes: Any) -> None:
        sender = ""
        to: list[str] = []
        writes.write(b"220 test\r\n")
        while line := reads.readline():
            command = line.decode().strip()
            self.said.append(command)
            usual = "250 OK"
            if command.upper().startswith("EHLO"):
                usual = "250-test\r\n250 AUTH PLAIN"
            elif command.upper().startswith("AUTH"):
                usual = "235 OK"
            elif command.upper().startswith("QUIT"):
                usual = "221 OK"
            elif command.upper().startswith("DATA"):
                usual = "354 go on"
            answer = self._answer(command, usual)
            if answer is None:
                return
            if answer.startswith("250") and command.upper().startswith("MAIL"):
                sender, to = command.partition("<")[2].partition(">")[0], []
            if answer.startswith("250") and command.upper().startswith("RCPT"):
                to.append(command.partition("<")[2].partition(">")[0])
            writes.write(f"{answer}\r\n".encode())
            if answer.startswith("354"):
                lines = []
                while (line := reads.readline()) not in {b".\r\n", b""}:
                    lines.append(line[1:] if line.startswith(b".") else line)
                answer = self._answer(".", "250 kept")
                if answer is None or answer.startswith("250"):
                    self.mails.append(Mail(sender, tuple(to), b"".join(lines)))
                if answer is None:
                    return
                writes.write(f"{answer}\r\n".encode())
            if command.upper().startswith("QUIT"):
                return

    def _answer(self, command: str, usual: str) -> str | None:
        """What to say; None to hang up."""
        plain = command.casefold()
        if any(plain.startswith(start.casefold()) for start in self.drops):
            return None
        return next((text for start, text in self.answers.items() if plain.startswith(start.casefold())), usual)
