"""The environment is read strictly."""

import os
import subprocess
import sys
from datetime import time
from pathlib import Path

import pytest

from dashboard.env import Env, EnvError, MailServer

ROOT = Path(__file__).resolve().parent.parent.parent


def test_an_empty_value_counts_as_not_set():
    assert Env({"DEBUG": ""}).flag("DEBUG", default=True) is True


@pytest.mark.parametrize(("value", "flag"), [("1", True), ("On", True), ("true", True), ("0", False), ("NO", False)])
def test_flags(value, flag):
    assert Env({"X": value}).flag("X", default=not flag) is flag


def test_opening_hours():
    week = Env({"O": "Mon-Thu 09:00-18:00; fri 9:00-12:30, Sat 10:00-24:00"}).opening_hours("O", "")
    assert week[0] == week[3] == (time(9), time(18))
    assert week[4] == (time(9), time(12, 30))
    assert week[5] == (time(10), time.max)
    assert week[6] is None


@pytest.mark.parametrize("value", ["Mon 18:00-09:00", "Fri-Mon 09:00-18:00", "Mon 09:00", "Mon 25:00-26:00", "always"])
def test_wrong_opening_hours(value):
    with pytest.raises(EnvError, match="O is"):
        Env({"O": value}).opening_hours("O", "")


def test_an_address_ends_with_a_slash_and_never_shows_what_it_holds():
    assert Env({"U": "https://x.example/umeeting"}).url("U", "") == "https://x.example/umeeting/"
    with pytest.raises(EnvError) as caught:
        Env({"U": "https://user:hunter2@x.example/"}).url("U", "")
    assert "hunter2" not in str(caught.value)


def test_a_database_address_never_shows_its_password(tmp_path):
    with pytest.raises(EnvError) as caught:
        Env({"D": "postgre://u:hunter2@h/n"}).database("D", tmp_path)
    assert "hunter2" not in str(caught.value)
    found = Env({"D": "postgres://u:p@h:5433/n"}).database("D", tmp_path)
    assert (found["ENGINE"], found["NAME"], found["PORT"]) == ("django.db.backends.postgresql", "n", 5433)


def test_the_secret_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    first = Env({}).secret_key("SECRET_KEY", tmp_path)
    assert len(first) >= 50
    assert Env({}).secret_key("SECRET_KEY", tmp_path) == first
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


def test_numbers_have_bounds():
    assert Env({"N": "2.5"}).number("N", 1, 0, 10) == 2.5
    for value in ("-1", "11", "nan", "x"):
        with pytest.raises(EnvError, match="from 0 to 10"):
            Env({"N": value}).number("N", 1, 0, 10)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("smtp://mail.example.com", MailServer("mail.example.com", 25)),
        ("smtp://mail.example.com:2525/", MailServer("mail.example.com", 2525)),
        ("smtp://u%40x:p%3A%2F@mail.example.com?tls=1", MailServer("mail.example.com", 587, "u@x", "p:/", "start")),
        ("smtp://u:p@mail.example.com:587?tls=0", MailServer("mail.example.com", 587, "u", "p")),
        ("smtps://u:p@mail.example.com", MailServer("mail.example.com", 465, "u", "p", "whole")),
        ("smtp://[::1]:25", MailServer("::1", 25)),
    ],
)
def test_mail_servers(value, expected):
    assert Env({"E": value}).mail_server("E") == expected
    assert "p:/" not in repr(Env({"E": value}).mail_server("E"))


def test_without_an_address_there_is_no_mail(tmp_path):
    assert Env({}).mail_server("E") is None
    (tmp_path / "url").write_text("smtp://mail.example.com\n")
    assert Env({"E_FILE": str(tmp_path / "url")}).mail_server("E") == MailServer("mail.example.com", 25)


@pytest.mark.parametrize(
    "value",
    [
        "mail.example.com",
        "http://user:hunter2@mail.example.com",
        "smtp://user:hunter2@",
        "smtp://user:hunter2@mail.example.com:port",
        "smtp://user:hunter2@mail.example.com:0",
        "smtp://user:hunter2@mail.example.com/path",
        "smtp://user:hunter2@mail.example.com?tls=yes",
        "smtp://user:hunter2@mail.example.com?tls=1&tls=1",
        "smtp://user:hunter2@mail.example.com?ssl=1",
        "smtp://user:hunter2@mail.example.com#x",
        "smtps://user:hunter2@mail.example.com?tls=1",
        "smtp://user@mail.example.com",
        "smtp://:hunter2@mail.example.com",
        "smtp://user:hunter2%0d%0a@mail.example.com",
        "smtp://user:hunter2秘@mail.example.com",
        "smtp://user:hunter2@ma il.example.com",
    ],
)
def test_a_wrong_mail_address_never_shows_its_password(value):
    with pytest.raises(EnvError, match="E cannot be used") as caught:
        Env({"E": value}).mail_server("E")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or "hunter2" not in str(caught.value.__context__)


@pytest.mark.parametrize("value", ["Roomledger <a@example.com>", "a@localhost", "会议 <a@b.example>"])
def test_senders(value):
    assert Env({"F": value}).mail_from("F", "") == value


@pytest.mark.parametrize("value", ["nobody", "a@b, c@d", "A <a@b> <c@d>", "A\r\nBcc: x@y <a@b>", "A <a b@c>", "<>"])
def test_wrong_senders(value):
    with pytest.raises(EnvError, match="F is"):
        Env({"F": value}).mail_from("F", "")


def start(environment: dict[str, str]) -> str:
    """What reading the settings in a process of its own complains of."""
    code = "import dashboard.settings as s; print(s.EMAIL_ON, s.DEFAULT_FROM_EMAIL, s.EMAIL_BACKEND)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("EMAIL_", "SITE_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, cwd=ROOT, timeout=60, text=True
    )
    return done.stdout + done.stderr


def test_mail_needs_the_address_of_the_site(tmp_path):
    base = {"DATA_DIR": str(tmp_path)}
    assert start(base).startswith("False Roomledger <roomledger@localhost> django.core.mail.backends.dummy.")
    url = {"EMAIL_URL": "smtp://user:hunter2@mail.example.com"}
    said = start(base | url)
    assert "EMAIL_URL is set and SITE_URL is not" in said
    assert "hunter2" not in said
    said = start(base | url | {"SITE_URL": "https://rooms.example.com"})
    assert said.startswith("True Roomledger <roomledger@rooms.example.com> dashboard.smtp.Backend")


@pytest.mark.parametrize(
    ("url", "size", "says"),
    [
        ("", "4", "names no PostgreSQL"),
        ("postgres://u@h/n", "0", "DATABASE_POOL is '0'"),
        ("postgres://u@h/n", "many", "DATABASE_POOL is 'many'"),
        ("postgres://u@h/n?sslmode=require", "4", ""),
        ("postgres://u@h/n", "", ""),
    ],
)
def test_the_pool_of_connections(tmp_path, url, size, says):
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": url, "DATABASE_POOL": size}
    code = "from dashboard.settings import DATABASES as d; d = d['default']; print(d['CONN_MAX_AGE'], d.get('OPTIONS'))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    if says:
        assert says in done.stderr
        return
    age, _, options = done.stdout.strip().partition(" ")
    if size:
        assert age == "0"  # Django refuses anything else
        assert "'max_size': 4" in options
        assert "'sslmode': 'require'" in options
    else:
        assert age == "60"
        assert "pool" not in options
