"""The environment is read strictly."""

from datetime import time

import pytest

from dashboard.env import Env, EnvError


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
