"""Signing in: passwords, who guesses, how long a session lasts, and whose word counts on who somebody is."""

import re
from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.conf import settings as site
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from dashboard import proxies, signin, tasks
from dashboard.env import Env, EnvError

pytestmark = pytest.mark.django_db
PASSWORD = "Kestrel-over-9-hills"
LOGIN = "/accounts/login/"


@pytest.fixture
def anna(django_user_model):
    return django_user_model.objects.create_user("anna", password=PASSWORD)


def sign_in(name="anna", password=PASSWORD, client=None, **more):
    return (client or Client()).post(LOGIN, {"username": name, "password": password}, **more)


def fail(times: int, **more) -> list[int]:
    return [sign_in(password="wrong", **more).status_code for _ in range(times)]


# Passwords -------------------------------------------------------------------------------------------


def test_new_passwords_are_argon2_and_old_ones_become_it_at_the_next_sign_in(settings, django_user_model):
    # As the site has it, without the tests' fast hasher.
    settings.PASSWORD_HASHERS = [name for name in site.PASSWORD_HASHERS if "MD5" not in name]
    user = django_user_model.objects.create_user("old")
    user.password = make_password(PASSWORD, hasher="pbkdf2_sha256")
    user.save()
    assert sign_in("old").status_code == 302
    user.refresh_from_db()
    assert identify_hasher(user.password).algorithm == "argon2"
    assert make_password("x").startswith("argon2$argon2id$")


@pytest.mark.parametrize("name", ["anna", "nobody", "gone", "by-header"])
def test_a_wrong_password_costs_the_same_whoever_is_named(name, anna, django_user_model, monkeypatch):
    django_user_model.objects.create_user("gone", password=PASSWORD, is_active=False)
    django_user_model.objects.create_user("by-header")  # without a usable password
    hashed = []
    from django.contrib.auth.hashers import MD5PasswordHasher

    encode = MD5PasswordHasher.encode

    def counted(*given):
        hashed.append(1)
        return encode(*given)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    answer = sign_in(name, "wrong")
    assert answer.status_code == 200
    assert "correct" in answer.content.decode()
    assert len(hashed) == 1


# Who guesses -----------------------------------------------------------------------------------------


def test_five_failures_close_the_sign_in_of_an_account_from_one_address(anna):
    assert fail(5, REMOTE_ADDR="192.0.2.1") == [200, 200, 200, 200, 429]
    answer = sign_in(REMOTE_ADDR="192.0.2.1")
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 900
    assert "Try again in 15 minutes" in answer.content.decode()
    assert "sessionid" not in answer.cookies
    chinese = sign_in(REMOTE_ADDR="192.0.2.1", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "请在 15 分钟后重试" in chinese
    # The owner is let in elsewhere, and other accounts from here.
    assert sign_in(REMOTE_ADDR="192.0.2.2").status_code == 302
    assert sign_in("bert", REMOTE_ADDR="192.0.2.1").status_code == 200


def test_it_opens_again_after_a_while_and_trying_on_does_not_put_that_off(anna):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(5)
        clock.shift(timedelta(minutes=10))
        assert fail(3) == [429] * 3
        clock.shift(timedelta(minutes=6))
        assert sign_in().status_code == 302


def test_a_sign_in_forgives_its_own_failures_alone(anna, django_user_model):
    django_user_model.objects.create_user("mallory", password=PASSWORD)
    fail(4)
    assert sign_in("mallory").status_code == 302
    # Else who has an account would guess for ever at another.
    assert fail(1) == [429]
    AccessAttempt.objects.all().delete()
    fail(4)
    assert sign_in().status_code == 302
    assert fail(4) == [200] * 4


def test_an_address_that_tries_many_accounts_is_held_back(anna):
    for number in range(signin.ADDRESS_LIMIT - 1):
        assert sign_in(f"name{number}", "wrong", REMOTE_ADDR="2001:db8::1").status_code == 200
    # The whole of its network counts as one, a neighbour's does not.
    assert sign_in("another", "wrong", REMOTE_ADDR="2001:db8::ffff:2").status_code == 429
    assert sign_in(REMOTE_ADDR="2001:db8::3").status_code == 429
    assert sign_in(REMOTE_ADDR="2001:db8:0:1::1").status_code == 302


def test_the_administration_is_no_way_around_it(anna):
    for _ in range(5):
        answer = Client().post("/admin/login/", {"username": "anna", "password": "wrong"})
    assert answer.status_code == 429
    assert sign_in().status_code == 429


def test_neither_names_nor_passwords_that_were_tried_are_kept_for_long_or_logged(anna, caplog):
    sign_in("typed-my-password-here\r\nforged line", "also-secret")
    sign_in("anna\x00", "x")
    assert "typed-my" not in caplog.text
    assert "also-secret" not in caplog.text
    assert "also-secret" not in str(list(AccessAttempt.objects.values()))
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        tasks.tidy_accounts()
    assert not AccessAttempt.objects.exists()


# Behind proxies --------------------------------------------------------------------------------------


def seen(settings, peer: str, trusted: str, **headers: str) -> dict[str, str]:
    """What a view is told of a request."""
    settings.TRUSTED_PROXIES = Env({"T": trusted}).networks("T")
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)
    proxies.TrustedProxyMiddleware(lambda _: HttpResponse())(request)
    return request.META


@pytest.mark.parametrize(
    ("peer", "trusted", "forwarded", "client"),
    [
        # Nobody is trusted unless told.
        ("127.0.0.1", "", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.7", "10.0.0.0/24", "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.7", "10.0.0.0/24, 10.9.0.1", "1.2.3.4, 203.0.113.9, 10.9.0.1", "203.0.113.9"),
        ("198.51.100.1", "10.0.0.0/24", "203.0.113.9", "198.51.100.1"),
        ("10.0.0.7", "10.0.0.0/24", "203.0.113.9, rubbish", "10.0.0.7"),
        ("10.0.0.7", "10.0.0.0/24", "203.0.113.9:4711", "203.0.113.9"),
        ("::ffff:10.0.0.7", "10.0.0.0/24", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.7", "10.0.0.0/24", "", "10.0.0.7"),
    ],
)
def test_the_client_is_who_the_trusted_proxies_saw(settings, peer, trusted, forwarded, client):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert seen(settings, peer, trusted, **headers)["REMOTE_ADDR"] == client


def test_a_forged_chain_buys_no_more_guesses(anna):
    for number in range(5):
        answer = sign_in(password="wrong", headers={"X-Forwarded-For": f"203.0.113.{number}"})
    assert answer.status_code == 429


@pytest.mark.parametrize("wrong", ["proxy.example.com", "0.0.0.0/0", "10.0.0.1/8", "::/0"])
def test_proxies_that_are_none(wrong):
    with pytest.raises(EnvError, match="T has"):
        Env({"T": wrong}).networks("T")


# Sessions --------------------------------------------------------------------------------------------


def is_in(client: Client) -> bool:
    return client.get("/data/").status_code == 200


def test_a_session_ends_unused_and_a_week_after_its_sign_in(anna):
    client = Client()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        sign_in(client=client)
        clock.shift(timedelta(hours=11))
        assert is_in(client)
        clock.shift(timedelta(hours=11))
        assert is_in(client)
        clock.shift(timedelta(hours=12))
        assert not is_in(client)
        sign_in(client=client)
        for _ in range(16):
            clock.shift(timedelta(hours=10))
            assert is_in(client)
        clock.shift(timedelta(hours=10))
        assert not is_in(client)


def test_a_page_that_asks_by_itself_keeps_no_session_alive(anna):
    client = Client()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        sign_in(client=client)
        for _ in range(3):
            clock.shift(timedelta(hours=5))
            client.get("/data/freshness/")
        assert not is_in(client)


def test_a_used_session_is_written_now_and_then_only(anna, django_assert_num_queries):
    client = Client()
    sign_in(client=client)
    before = client.session.session_key, dict(client.session)
    is_in(client)
    assert (client.session.session_key, dict(client.session)) == before


def test_signing_in_changes_the_session_and_a_new_password_ends_the_others(anna):
    client, other = Client(), Client()
    session = client.session
    session["mine"] = 1
    session.save()
    fixed = session.session_key
    client.cookies[site.SESSION_COOKIE_NAME] = str(fixed)
    sign_in(client=client)
    assert client.session.session_key != fixed
    sign_in(client=other)
    assert is_in(other)
    anna.set_password("another-Long-one")
    anna.save()
    assert not is_in(client)
    assert not is_in(other)


def test_a_part_of_a_page_leads_the_whole_page_to_the_sign_in():
    page = "http://testserver/meetings/?q=a&room=1"
    answer = Client().get("/meetings/?q=b", headers={"HX-Request": "true", "HX-Current-URL": page})
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == f"{LOGIN}?next=%2Fmeetings%2F%3Fq%3Da%26room%3D1"
    assert answer.content == b""
    elsewhere = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/x"}
    assert Client().get("/meetings/", headers=elsewhere)["HX-Redirect"] == LOGIN
    assert Client().get("/meetings/").url == f"{LOGIN}?next=/meetings/"


def test_ended_sessions_are_removed_daily(anna):
    client = Client()
    sign_in(client=client)
    with time_machine.travel(timezone.now() + timedelta(hours=13)):
        assert Session.objects.count() == 1
        tasks.tidy_accounts()
        assert Session.objects.count() == 0
    assert "dashboard.tasks.tidy_accounts" in [entry["task"] for entry in site.CELERY_BEAT_SCHEDULE.values()]


# Another system says who it is -----------------------------------------------------------------------


@pytest.fixture
def sso(settings):
    """A site behind 10.0.0.7, which names the account."""
    settings.TRUSTED_PROXIES = Env({"T": "10.0.0.7"}).networks("T")
    settings.SSO_HEADER, settings.SSO_CREATE = "X-Remote-User", ""
    place = settings.MIDDLEWARE.index("dashboard.signin.SignInMiddleware")
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:place],
        "dashboard.signin.HeaderMiddleware",
        *settings.MIDDLEWARE[place:],
    ]
    settings.AUTHENTICATION_BACKENDS = ["dashboard.signin.HeaderBackend", *settings.AUTHENTICATION_BACKENDS]
    return {"REMOTE_ADDR": "10.0.0.7"}


def test_a_trusted_proxy_signs_in_who_has_an_account(sso, anna, settings, django_user_model):
    client = Client()
    anna_says = {"X-Remote-User": "anna"}
    assert client.get("/data/", headers=anna_says, **sso).status_code == 200
    # Anybody else who sends that header is nobody.
    assert Client().get("/data/", headers=anna_says, REMOTE_ADDR="203.0.113.9").status_code == 302
    # Without the header the sign-in ends.
    assert client.get("/data/", **sso).status_code == 302
    for _ in range(60):
        assert Client().get("/data/", headers={"X-Remote-User": "stranger"}, **sso).status_code == 302
    assert not django_user_model.objects.filter(username="stranger").exists()
    # Nor does it count as guessing.
    assert sign_in(**sso).status_code == 302
    settings.SSO_CREATE = "viewer"
    assert Client().get("/data/", headers={"X-Remote-User": "stranger"}, **sso).status_code == 200
    made = django_user_model.objects.get(username="stranger")
    assert not made.is_staff
    assert not made.is_superuser
    assert not made.has_usable_password()
    assert made.get_all_permissions() == set()


def test_an_account_that_was_closed_stays_closed(sso, anna):
    anna.is_active = False
    anna.save()
    assert Client().get("/data/", headers={"X-Remote-User": "anna"}, **sso).status_code == 302


def test_checks_are_quiet(db):
    call_command("check")


def test_what_is_wrong_at_the_sign_in_stands_at_its_field():
    client = Client()
    page = client.post("/accounts/login/", {"username": "anna", "password": ""}).content.decode()
    assert 'id="id_password_error" role="alert"' in page
    assert "Enter the password." in page
    assert "id_username_error" not in page
    (field,) = re.findall(r"<input[^>]*\bautofocus\b[^>]*>", page)
    assert 'name="password"' in field
    assert 'aria-describedby="id_password_error"' in field
    # Which of the two was wrong is not told.
    page = client.post("/accounts/login/", {"username": "anna", "password": "wrong"}).content.decode()
    assert len(re.findall(r'<input[^>]*aria-invalid="true"[^>]*aria-describedby="form-error"', page)) == 2
    assert 'id="form-error" role="alert"' in page
    (field,) = re.findall(r"<input[^>]*\bautofocus\b[^>]*>", page)
    assert 'name="username"' in field
