"""The environment, read strictly: every name is either right or stops the start with a sentence.

Each name may also be given as NAME_FILE, the path of a file that holds the value (the way container
platforms hand over secrets). An empty value counts as not set.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import time
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

# One entry a weekday, Monday first: (opens, closes), or None when closed all day.
OpeningHours = tuple[tuple[time, time] | None, ...]


ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]]+@[^\s@<>(),;:\\\"\[\]]+")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. tls: "" for none, "start" for STARTTLS, "whole" for TLS from the first byte."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = ""


class EnvError(Exception):
    """A name of the environment has a value that cannot be used; the text says which, why and what to do."""


CHOICES = "settings.json"
# Of what stands in the data folder, what holds names, numbers or keys.
PRIVATE = ("secret_key", CHOICES, "*.sqlite3", "*.sqlite3-wal", "*.sqlite3-shm", "*.log")
OTHERS = 0o077  # of a mode: what anybody but the owner may do


def keep_private(folder: Path) -> None:
    """Nobody but this account reads what is kept: neither what is made from now on nor what an older version has made.

    The folder itself is left as it is: it may be shared with others on purpose. Errors: EnvError where a file
    cannot be closed.
    """
    os.umask(OTHERS)
    for file in sorted(found for pattern in PRIVATE for found in folder.glob(pattern)):
        try:
            mode = file.stat().st_mode
            if mode & OTHERS:
                file.chmod(mode & 0o700)
        except FileNotFoundError:
            continue  # one that comes and goes, as the database's own
        except OSError as error:
            raise EnvError(
                f"{file} can be read by other accounts of this computer, and cannot be closed: {error.strerror}. "
                f"Run as its owner: chmod 600 {file}"
            ) from None


def read_choices(folder: Path) -> dict[str, str]:
    """What the set-up pages kept in the data folder, by the names of the environment, which wins over it.

    Errors: EnvError for a file that is not as `keep_choices` writes it.
    """
    file = folder / CHOICES
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise EnvError(f"{file} cannot be read. Mend it, or remove it and set TIME_ZONE and UMEET_TIME_ZONE.")
    return found


def keep_choices(folder: Path, changes: Mapping[str, str]) -> None:
    """Add to what is kept there. The file is replaced as a whole: readers get the old one or the new."""
    fresh = folder / f".{CHOICES}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        fresh.write_text(json.dumps({**read_choices(folder), **changes}, indent=2) + "\n", encoding="utf-8")
        fresh.replace(folder / CHOICES)
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()


class Env:
    """Typed reads of one mapping of names to texts.

    In: the mapping, `os.environ` unless told otherwise. Every method raises EnvError on a value it
    cannot use and returns its default when the name is not set.
    """

    def __init__(self, source: Mapping[str, str] | None = None) -> None:
        self._source = os.environ if source is None else source

    def text(self, name: str, default: str = "") -> str:
        value = self._source.get(name, "").strip()
        path = self._source.get(f"{name}_FILE", "").strip()
        if value and path:
            raise EnvError(f"{name} and {name}_FILE are both set. Set only one of them.")
        if path:
            try:
                value = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise EnvError(f"{name}_FILE names {path}, which cannot be read: {reason}.") from None
            if not value:
                raise EnvError(f"{name}_FILE names {path}, which is empty.")
        return value or default

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name)
        if not value:
            return default
        if value.lower() in TRUE:
            return True
        if value.lower() in FALSE:
            return False
        raise EnvError(f"{name} is '{value}'. Set it to 1 (on) or 0 (off).")

    def number(self, name: str, default: float, least: float, most: float) -> float:
        value = self.text(name)
        if not value:
            return default
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise EnvError(f"{name} is '{value}'. Set it to a number from {least:g} to {most:g}.")
        return number

    def whole(self, name: str, default: int | None, least: int, most: int) -> int | None:
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            raise EnvError(f"{name} is '{value}'. Set it to a whole number from {least} to {most}.")
        return int(value)

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """Several values, parted by commas or blanks."""
        return [word for word in re.split(r"[,\s]+", self.text(name)) if word] or list(default)

    def hosts(self, name: str, default: tuple[str, ...]) -> list[str]:
        hosts = self.words(name, default)
        for host in hosts:
            if host == "*":
                raise EnvError(
                    f"{name} is '*', so that any name leads to this site, also one that somebody else pointed at it. "
                    "Give the host names of the site, such as rooms.example.com."
                )
            if "/" in host or "://" in host:
                raise EnvError(f"{name} has '{host}'. Give host names only, such as rooms.example.com.")
        return hosts

    def origins(self, name: str) -> list[str]:
        origins = self.words(name)
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise EnvError(f"{name} has '{origin}'. Give whole origins, such as https://rooms.example.com.")
        return origins

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """Addresses and networks of proxies."""
        found = []
        for word in self.words(name):
            try:
                network = ip_network(word)
            except ValueError:
                raise EnvError(
                    f"{name} has '{word}'. Give addresses or networks, such as 127.0.0.1 or 10.0.0.0/24."
                ) from None
            if network.prefixlen == 0:
                raise EnvError(f"{name} has '{word}', which is everybody. Give the addresses of your proxies.")
            found.append(network)
        return found

    def zone(self, name: str, default: str) -> str:
        value = self.text(name, default)
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise EnvError(f"{name} is '{value}', no known time zone. Try Asia/Shanghai.") from None
        return value

    def url(self, name: str, default: str) -> str:
        """An http(s) address, with a slash at its end."""
        value = self.text(name, default)
        try:
            parts = urlsplit(value)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good or parts.query or parts.fragment or parts.username:
            # The value itself is not repeated: somebody may have put a password into it.
            raise EnvError(f"{name} is no web address. Set it to one such as {default or 'https://host/path/'}.")
        return value.rstrip("/") + "/"

    def mail_server(self, name: str) -> MailServer | None:
        """The SMTP server of an address such as smtp://user:password@mail.example.com:587?tls=1; None: no mail."""
        value = self.text(name)
        if not value:
            return None
        # Never repeat the value: it may hold a password.
        wrong = EnvError(
            f"{name} cannot be used. Set it to smtp://USER:PASSWORD@HOST:587?tls=1, smtps://USER:PASSWORD@HOST:465 or, "
            "for a server that asks for neither, smtp://HOST:25. Signs such as @ : / ? # % in a password are written "
            "as %40 %3A %2F %3F %23 %25."
        )
        try:
            parts = urlsplit(value)
            port = parts.port
            options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
            user, password = (
                unquote(parts.username or "", errors="strict"),
                unquote(parts.password or "", errors="strict"),
            )
        except ValueError:
            raise wrong from None
        tls = dict(options).get("tls", "0")
        good = (
            parts.scheme in {"smtp", "smtps"}
            and bool(parts.hostname)
            and port != 0
            and parts.path in {"", "/"}
            and not parts.fragment
            and [key for key, _ in options] in ([], ["tls"])
            and tls in {"0", "1"}
            and bool(user) == bool(password)
            # No mail server takes others, and smtplib would tell them in its own error.
            and bool(re.fullmatch(r"[\x21-\x7e]*", user + (parts.hostname or "")))
            and bool(re.fullmatch(r"[\x20-\x7e]*", password))
        )
        if not good or (parts.scheme == "smtps" and options):
            raise wrong
        if parts.scheme == "smtps":
            return MailServer(parts.hostname or "", port or 465, user, password, "whole")
        return MailServer(
            parts.hostname or "", port or (587 if tls == "1" else 25), user, password, "start" if tls == "1" else ""
        )

    def mail_from(self, name: str, default: str) -> str:
        """The sender of mail: an address, or a name and an address in angle brackets."""
        value = self.text(name, default)
        found = re.fullmatch(r"[^<>@]*<([^<>]+)>|([^<>]+)", value)
        address = (found[1] or found[2]) if found else ""
        if re.search(r"[\x00-\x1f\x7f]", value) or not ADDRESS.fullmatch(address):
            raise EnvError(f"{name} is '{value}'. Set it to something like Roomledger <roomledger@example.com>.")
        return value

    def choice(self, name: str, pattern: str, default: str, example: str) -> str:
        value = self.text(name, default)
        if not re.match(pattern, value):
            raise EnvError(f"{name} cannot be used. Set it to something like {example}.")
        return value

    def database(self, name: str, folder: Path) -> dict[str, object]:
        """Django's settings of the database: PostgreSQL by its URL, else SQLite in `folder`."""
        value = self.text(name)
        if not value:
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "roomledger.sqlite3")}
        try:
            found = dict(dj_database_url.parse(value))
        except (ValueError, KeyError, dj_database_url.ParseError):
            found = {}
        engine = found.get("ENGINE")
        if engine not in {"django.db.backends.sqlite3", "django.db.backends.postgresql"} or not found.get("NAME"):
            # Never repeat the value: it may hold a password.
            raise EnvError(
                f"{name} cannot be used. Set it to postgres://USER:PASSWORD@HOST:5432/NAME "
                "or sqlite:////absolute/path.sqlite3."
            )
        return found

    def folder(self, name: str, default: Path) -> Path:
        """A folder that can be written to; made if it is not there."""
        path = Path(self.text(name, str(default))).expanduser().absolute()
        probe = path / f".writable-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o750)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise EnvError(
                f"{name} is {path}, which cannot be written: {error.strerror}. "
                f"Set {name} to a folder that this account may write to."
            ) from None
        return path

    def secret_key(self, name: str, folder: Path) -> str:
        """The signing key: from the environment, else made once and kept in `folder`."""
        value = self.text(name)
        if value:
            if len(value) < 50 or len(set(value)) < 5 or value.startswith("django-insecure"):
                raise EnvError(f"{name} is too weak. Give 50 random characters or more, or leave it unset.")
            return value
        kept = folder / "secret_key"
        if not kept.exists():
            fresh = folder / f".secret_key-{os.getpid()}-{secrets.token_hex(4)}"
            try:
                descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(secrets.token_urlsafe(64))
                try:
                    # A link, not a rename: of two processes that start at once, the first one's key stays.
                    os.link(fresh, kept)
                except FileExistsError:
                    pass
                finally:
                    fresh.unlink()
            except OSError as error:
                raise EnvError(f"the key file {kept} cannot be written: {error.strerror}.") from None
        try:
            value = kept.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise EnvError(f"the key file {kept} cannot be read. Make it readable, or set {name}.") from None
        if len(value) < 50:
            raise EnvError(f"the key file {kept} is damaged. Remove it (everyone signs in anew), or set {name}.")
        return value

    def opening_hours(self, name: str, default: str) -> OpeningHours:
        """Opening hours such as `Mon-Fri 09:00-18:00; Sat 10:00-14:00`, one entry a weekday."""
        value = self.text(name, default)
        week: list[tuple[time, time] | None] = [None] * 7
        days = r"(?P<a>\w{3})(?:\s*[-–]\s*(?P<b>\w{3}))?"
        hours = r"(?P<h1>\d{1,2}):(?P<m1>\d\d)\s*[-–]\s*(?P<h2>\d{1,2}):(?P<m2>\d\d)"
        for part in re.split(r"[;,]", value):
            match = re.fullmatch(rf"{days}\s+{hours}", part.strip(), re.ASCII)
            try:
                if match is None:
                    raise ValueError
                first = DAYS.index(match["a"].capitalize())
                last = DAYS.index(match["b"].capitalize()) if match["b"] else first
                opens = time(int(match["h1"]), int(match["m1"]))
                # 24:00 is how people write the end of a day.
                whole_day = (match["h2"], match["m2"]) == ("24", "00")
                closes = time.max if whole_day else time(int(match["h2"]), int(match["m2"]))
                if first > last or opens >= closes:
                    raise ValueError
            except ValueError:
                raise EnvError(f"{name} is '{value}'. Set it to something like 'Mon-Fri 09:00-18:00'.") from None
            for day in range(first, last + 1):
                week[day] = (opens, closes)
        return tuple(week)
