"""Tokens: what they open, what they do not, and that only their hash is kept."""

import base64
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from dashboard import tokens
from dashboard.models import ApiToken, AuditEntry
from reports.exports import TABLES
from tests.support import csv_rows, meeting, take

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(django_user_model):
    """Somebody who may download and use tokens, and nothing else."""
    user = django_user_model.objects.create_user("reader")
    user.user_permissions.set(Permission.objects.filter(codename__in=("download_csv", "use_tokens")))
    return user


@pytest.fixture
def secret(account) -> str:
    return tokens.make(account, "Sheet 7", None, timezone.now())[1]


def ask(path: str, secret: str, **query: str):
    return Client().get(path, query, headers={"authorization": f"Bearer {secret}"})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_token_opens_every_csv_table_and_makes_no_session(secret):
    take(meeting())
    for table in TABLES:
        response = ask(f"/{table}.csv", secret, period="all")
        assert response.status_code == 200, table
        b"".join(response.streaming_content)
        assert not response.cookies
        assert "Authorization" in response["Vary"]
        assert "no-store" in response["Cache-Control"]
    assert not Session.objects.exists()
    entry = AuditEntry.objects.filter(action="csv").latest("pk")
    assert (entry.account_name, entry.details["by"], entry.details["token"]) == ("reader", "token", "Sheet 7")


def test_excel_shows_it_as_the_password_of_any_user(secret):
    for user in ("", "reader", "Ünïcode"):
        response = Client().get("/rooms.csv", headers={"authorization": basic(user, secret)})
        assert response.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic",
        "Basic ???",
        basic("reader", "wrong"),
        "Basic bm9jb2xvbg==",
        "Digest x",
    ],
)
def test_what_is_no_token_is_told_so_in_one_line(secret, header):
    response = Client().get("/rooms.csv", headers={"authorization": header})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Basic ")
    assert response.content.decode().count("\n") == 1
    assert not response.cookies


def test_a_wrong_token_is_not_helped_by_a_session(admin, secret):
    assert admin.get("/rooms.csv", headers={"authorization": "Bearer wrong"}).status_code == 401


def test_expired_revoked_or_of_a_closed_account_it_opens_nothing(account, secret, rf, django_user_model):
    token = ApiToken.objects.get()
    now = timezone.now()
    for change, back in (
        ({"expires_at": now - timedelta(seconds=1)}, {"expires_at": now + timedelta(days=1)}),
        ({"revoked_at": now}, {"revoked_at": None}),
    ):
        ApiToken.objects.filter(pk=token.pk).update(**change)
        assert ask("/rooms.csv", secret).status_code == 401
        ApiToken.objects.filter(pk=token.pk).update(**back)
        assert ask("/rooms.csv", secret).status_code == 200
    account.is_active = False
    account.save()
    assert ask("/rooms.csv", secret).status_code == 401
    account.is_active = True
    account.save()
    account.user_permissions.clear()
    assert ask("/rooms.csv", secret).status_code == 403


def test_it_may_what_its_account_may_and_no_more(account, secret):
    take(meeting())
    body = b"".join(ask("/telephony.csv", secret, period="all").streaming_content)
    assert "912345678" not in body.decode()
    assert ask("/telephony.csv", secret, phone="+8613912345678").status_code == 400
    assert ask("/audit.csv", secret).status_code == 403
    account.user_permissions.add(Permission.objects.get(codename="see_phone_numbers"))
    account.user_permissions.add(Permission.objects.get(codename="see_audit"))
    (row,) = csv_rows(b"".join(ask("/telephony.csv", secret, period="all", raw="1").streaming_content))
    assert row["phone_number"] == "+8613912345678"
    assert ask("/audit.csv", secret).status_code == 200


def test_it_opens_the_csv_tables_alone_and_changes_nothing(secret):
    for path in ("/", "/meetings/", "/people/x.csv/", "/admin/", "/tokens/", "/data/"):
        response = ask(path, secret)
        assert response.status_code == 302, path
        assert "/login/" in response["Location"]
    # An address that is no table is no way in either.
    assert ask("/nothing.csv", secret).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    for method in (strict.post, strict.put, strict.delete, strict.patch):
        response = method("/rooms.csv", headers={"authorization": f"Bearer {secret}"})
        assert response.status_code == 405
    assert strict.head("/rooms.csv", headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_without_a_token_a_browser_is_still_led_to_the_sign_in():
    assert Client().get("/rooms.csv").status_code == 302


def test_the_last_use_is_written_down_once_an_hour(secret, django_assert_num_queries):
    ask("/rooms.csv", secret)
    token = ApiToken.objects.get()
    first = token.last_used_at
    assert first is not None
    ask("/rooms.csv", secret)
    token.refresh_from_db()
    assert token.last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(hours=2))
    ask("/rooms.csv", secret)
    token.refresh_from_db()
    assert token.last_used_at > first - timedelta(hours=1)


def test_the_secret_is_shown_once_and_kept_nowhere(account):
    client = Client()
    client.force_login(account)
    response = client.post("/tokens/new/", {"name": "Script", "expires": ""})
    secret = response.context["secret"]
    assert secret in response.content.decode()
    assert response["Cache-Control"] == "no-store"
    assert ask("/rooms.csv", secret).status_code == 200
    page = client.get("/tokens/").content.decode()
    assert secret not in page
    assert secret[: tokens.SHOWN] in page
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            assert secret not in str(cursor.fetchall()), table
    # The same again makes no second one.
    assert client.post("/tokens/new/", {"name": "Script", "expires": ""}).status_code == 400
    assert client.post("/tokens/new/", {"name": "Old", "expires": "2020-01-01"}).status_code == 400
    assert client.post("/tokens/new/", {"name": "Today", "expires": f"{timezone.localdate()}"}).status_code == 200
    assert ApiToken.objects.get(name="Today").is_good(timezone.now())
    assert ApiToken.objects.count() == 2


def test_who_may_make_and_who_may_revoke(account, secret, viewer, django_user_model):
    token = ApiToken.objects.get()
    other = django_user_model.objects.create_user("other")
    other.user_permissions.add(Permission.objects.get(codename="use_tokens"))
    theirs, owner, manager = Client(), Client(), Client()
    theirs.force_login(other)
    owner.force_login(account)
    assert viewer.get("/tokens/").status_code == 403
    assert viewer.post("/tokens/new/", {"name": "x"}).status_code == 403
    assert theirs.post(f"/tokens/{token.pk}/revoke/").status_code == 404
    assert "Sheet 7" not in theirs.get("/tokens/").content.decode()
    chief = django_user_model.objects.create_user("chief")
    manage, _made = Permission.objects.get_or_create(
        codename="manage_accounts",
        content_type__app_label="dashboard",
        defaults={"name": "m", "content_type": ContentType.objects.get_for_model(ApiToken)},
    )
    chief.user_permissions.add(manage)
    manager.force_login(chief)
    assert "Sheet 7" in manager.get("/tokens/").content.decode()
    assert manager.post("/tokens/new/", {"name": "x"}).status_code == 403
    assert owner.get(f"/tokens/{token.pk}/revoke/").status_code == 405
    assert manager.post(f"/tokens/{token.pk}/revoke/").status_code == 302
    assert ask("/rooms.csv", secret).status_code == 401
    assert owner.post(f"/tokens/{token.pk}/revoke/").status_code == 302  # it is revoked already
    done = list(
        AuditEntry.objects.filter(action__startswith="token").order_by("pk").values_list("action", "account_name")
    )
    assert done == [("token-made", "reader"), ("token-revoked", "chief")]
