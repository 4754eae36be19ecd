"""The pages that set up a new installation: who may, what they refuse, and that nothing of a key is shown."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from dashboard import env, limits, roles, setup
from dashboard.models import SetupLink
from reports import access, pulling, schedule
from reports.models import Access, PulledDay, Source
from reports.provider import payloads
from tests.support import KEY, SECRET, meeting, take

pytestmark = pytest.mark.django_db
PASSWORD = "Kestrel-over-9-hills"
ADMINISTRATOR = {"username": "chief", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def bare(settings, tmp_path):
    """An installation whose environment gives neither key nor zone."""
    settings.UMEET_API_KEY = settings.UMEET_API_SECRET = ""
    settings.DATA_DIR = tmp_path
    settings.SET_BY_ENVIRONMENT = frozenset()
    return settings


@pytest.fixture
def opened(bare) -> Client:
    """A browser that opened the link."""
    client = Client()
    client.get(f"/setup/{setup.new_link(timezone.now())}/")
    return client


@pytest.fixture
def chief(opened) -> Client:
    """The same after the first step."""
    assert opened.post("/setup/", ADMINISTRATOR).url == "/setup/key/"
    return opened


def test_the_link_alone_opens_it_and_its_secret_leaves_the_address(bare):
    assert Client().get("/setup/").status_code == 410
    assert Client().get("/setup/wrong/").status_code == 410
    secret = setup.new_link(timezone.now())
    answer = Client().get(f"/setup/{secret}/")
    assert answer.url == "/setup/"
    assert "no-store" in answer["Cache-Control"]
    assert secret not in str(SetupLink.objects.values())
    # Whoever only looks at it does not end it.
    client = Client()
    client.get(f"/setup/{secret}/")
    assert client.get("/setup/").status_code == 200


def test_a_link_ends_after_a_day_with_the_next_one_and_with_an_administrator(bare, django_user_model):
    old = setup.new_link(timezone.now())
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert Client().get(f"/setup/{old}/").status_code == 410
    new = setup.new_link(timezone.now())
    assert Client().get(f"/setup/{old}/").status_code == 410
    client = Client()
    client.get(f"/setup/{new}/")
    django_user_model.objects.create_superuser("by-hand")
    assert client.post("/setup/", ADMINISTRATOR).url == "/accounts/login/"
    assert Client().get(f"/setup/{new}/").url == "/accounts/login/"
    assert get_user_model().objects.count() == 1


def test_an_administrator_by_role_ends_it_too_as_long_as_the_account_is_open(bare, django_user_model):
    secret = setup.new_link(timezone.now())
    user = django_user_model.objects.create_user("manager")
    roles.give(user, roles.MANAGER)
    client = Client()
    assert client.get(f"/setup/{secret}/").url == "/setup/"
    roles.give(user, roles.ADMINISTRATOR)
    assert setup.has_administrator()
    assert client.post("/setup/", ADMINISTRATOR).url == "/accounts/login/"
    assert Client().get(f"/setup/{secret}/").url == "/accounts/login/"
    assert get_user_model().objects.count() == 1
    django_user_model.objects.update(is_active=False)
    assert not setup.has_administrator()
    assert Client().get(f"/setup/{secret}/").url == "/setup/"


def test_of_two_who_have_the_link_one_makes_the_administrator(bare):
    secret = setup.new_link(timezone.now())
    one, two = Client(), Client()
    for client in (one, two):
        client.get(f"/setup/{secret}/")
    assert one.post("/setup/", ADMINISTRATOR).url == "/setup/key/"
    assert two.post("/setup/", {**ADMINISTRATOR, "username": "second"}).url == "/accounts/login/"
    with pytest.raises(setup.Closed):
        setup.make_administrator(setup.hashed(secret), "third", PASSWORD, timezone.now())
    assert list(get_user_model().objects.values_list("username", flat=True)) == ["chief"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "12345678", "again": "12345678"}, "too common"),
        ({"username": "kestrel-over", "password": "Kestrel-over-9", "again": "Kestrel-over-9"}, "too similar"),
        ({"again": "another"}, "differ"),
        ({"username": "a b"}, "valid username"),
        ({"username": ""}, "required"),
    ],
)
def test_a_weak_administrator_is_refused(opened, changes, said):
    answer = opened.post("/setup/", {**ADMINISTRATOR, **changes})
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert PASSWORD not in answer.content.decode()
    assert not get_user_model().objects.exists()


def test_a_key_is_tried_before_it_is_kept_and_never_shown(chief, api, caplog):
    answer = chief.post("/setup/key/", {"key": KEY, "secret": "wrong-secret"})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "does not accept our key" in page
    assert "Nothing was kept. Check what you typed" in page
    # They were typed: no variable holds them.
    assert "UMEET_API_KEY" not in page
    assert page.count('aria-invalid="true" aria-describedby="form-error"') == 2
    assert page.count("autofocus") == 1
    assert not access.is_kept()
    assert chief.post("/setup/key/", {"key": KEY, "secret": SECRET}).url == "/setup/zone/"
    assert access.credentials() == (KEY, SECRET)
    held = str(list(Access.objects.values()))
    pages = chief.get("/setup/key/").content.decode() + chief.get("/data/").content.decode() + page
    for secret in (KEY, SECRET, "wrong-secret"):
        assert secret not in held + pages + caplog.text
    with pulling.make_client() as client:
        assert list(client.rooms())


@pytest.mark.parametrize(("fault", "said"), [("timeout", "did not answer within"), ("500", "500"), ("html", "JSON")])
def test_a_provider_that_does_not_answer_is_told(chief, api, bare, fault, said):
    bare.UMEET_TIMEOUT = 0.3
    api.faults.on(fault)
    answer = chief.post("/setup/key/", {"key": KEY, "secret": SECRET})
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert "Nothing was kept. Try again in a moment." in answer.content.decode()
    assert "aria-invalid" not in answer.content.decode()
    assert not access.is_kept()


def test_a_key_of_the_environment_wins(chief, settings):
    settings.UMEET_API_KEY, settings.UMEET_API_SECRET = KEY, SECRET
    page = chief.get("/setup/key/").content.decode()
    assert "The environment of this installation gives" in page
    assert 'name="secret"' not in page
    assert chief.post("/setup/key/", {"key": "other", "secret": "other"}).url == "/setup/zone/"
    assert not access.is_kept()


def test_a_key_that_was_sealed_with_another_secret_key_is_asked_for_again(bare, settings):
    access.keep(KEY, SECRET)
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(access.NotConfigured, match="another SECRET_KEY"):
        access.credentials()


def test_zones_are_kept_for_all_processes(chief, api, bare):
    access.keep(KEY, SECRET)
    page = chief.get("/setup/zone/").content.decode()
    assert '<option value="Asia/Shanghai" selected>' in page
    assert chief.post("/setup/zone/", {"TIME_ZONE": "Mars", "UMEET_TIME_ZONE": "Asia/Shanghai"}).status_code == 400
    zones = {"TIME_ZONE": "Europe/Berlin", "UMEET_TIME_ZONE": "Asia/Shanghai"}
    assert chief.post("/setup/zone/", zones).url == "/setup/pull/"
    assert env.read_choices(bare.DATA_DIR) == {"TIME_ZONE": "Europe/Berlin"}


def test_zones_of_the_environment_are_shown_and_stay(chief, bare):
    access.keep(KEY, SECRET)
    bare.SET_BY_ENVIRONMENT = frozenset({"TIME_ZONE"})
    take(meeting())
    page = chief.get("/setup/zone/").content.decode()
    assert "Set by TIME_ZONE in the environment" in page
    assert "Meetings were read with it already" in page
    assert "<select" not in page
    assert chief.post("/setup/zone/", {"TIME_ZONE": "Europe/Berlin"}).url == "/setup/pull/"
    assert env.read_choices(bare.DATA_DIR) == {}


def test_the_first_pull_goes_back_as_far_as_was_said(chief, bare):
    access.keep(KEY, SECRET)
    now = timezone.now()
    chief.post("/setup/zone/", {"TIME_ZONE": "Asia/Shanghai", "UMEET_TIME_ZONE": "Asia/Shanghai"})
    # A worker that had a key from the environment may have begun with more.
    schedule.schedule_recent(now)
    assert PulledDay.objects.count() == 366
    page = chief.get("/data/").content.decode()
    assert "The set-up is not finished." in page
    assert chief.post("/setup/pull/", {"days": "7"}).status_code == 400
    answer = chief.post("/setup/pull/", {"days": "90"}, follow=True)
    page = answer.content.decode()
    assert 'id="progress"' in page
    # It only looks on: one button leads further, and what waits is not called nothing.
    assert page.count("btn-primary") == 1
    for part in (page, chief.get("/data/progress/?watch=1").content.decode()):
        assert "The worker goes on within a minute." in part
        assert "Nothing is being pulled" not in part
        assert "/data/progress/?watch=1" in part
        assert "Pull now" not in part
    assert PulledDay.objects.count() == 90
    schedule.schedule_recent(now)
    assert PulledDay.objects.count() == 90
    assert "The set-up is not finished." not in chief.get("/data/").content.decode()
    assert chief.get("/setup/").url == "/"


def test_a_set_up_goes_on_after_a_sign_in(chief, api):
    client = Client()
    answer = client.post("/accounts/login/", {"username": "chief", "password": PASSWORD})
    assert answer.status_code == 302
    assert "The set-up is not finished." in client.get("/data/").content.decode()
    assert client.get("/setup/").url == "/setup/key/"


def test_a_set_up_that_stopped_is_told_once(chief, viewer):
    page = chief.get("/data/").content.decode()
    assert page.count('role="alert"') == 1, "the notice of app.js alone"
    assert "The set-up is not finished." in page
    assert "are not set" not in page
    assert "are not set" not in chief.get("/data/freshness/").content.decode()
    # Whoever is not led to the set-up is told why nothing comes.
    assert "are not set" in viewer.get("/data/").content.decode()


def test_an_administrator_by_role_goes_on_with_it(chief, api, django_user_model):
    user = django_user_model.objects.create_user("second", password=PASSWORD)
    roles.give(user, roles.MANAGER)
    client = Client()
    client.force_login(user)
    assert client.get("/setup/key/").status_code == 403
    assert "The set-up is not finished." not in client.get("/data/").content.decode()
    roles.give(user, roles.ADMINISTRATOR)
    client.force_login(user)
    assert "The set-up is not finished." in client.get("/data/").content.decode()
    assert client.post("/setup/key/", {"key": KEY, "secret": SECRET}).url == "/setup/zone/"
    zones = {"TIME_ZONE": "Asia/Shanghai", "UMEET_TIME_ZONE": "Asia/Shanghai"}
    assert client.post("/setup/zone/", zones).url == "/setup/pull/"
    assert client.post("/setup/pull/", {"days": "30"}).status_code == 302
    assert setup.next_step() is None
    # To replace the key is for an administrator too, and for nobody who sees some rooms only.
    assert client.get("/setup/key/").status_code == 200
    limits.limit(user, [], [])
    assert client.get("/setup/key/").status_code == 403


def test_a_key_of_the_browser_that_is_refused_later_is_asked_for_there(bare, admin, settings):
    access.keep(KEY, SECRET)
    told = payloads.failure(401, "not yours").message
    Source.objects.create(name="dates", refused_at=timezone.now(), last_error=told)
    page = admin.get("/data/freshness/").content.decode()
    assert "give both again at /setup/key/." in page
    assert "UMEET_API_KEY" not in page
    settings.UMEET_API_KEY, settings.UMEET_API_SECRET = KEY, SECRET
    assert "Check UMEET_API_KEY and UMEET_API_SECRET." in admin.get("/data/freshness/").content.decode()


def test_an_installation_that_has_an_administrator_never_sees_it(admin, viewer):
    assert "set-up" not in admin.get("/data/").content.decode()
    for path in ("/setup/", "/setup/zone/", "/setup/pull/"):
        assert admin.get(path).url == "/"
    for path in ("/setup/key/", "/setup/zone/", "/setup/pull/"):
        assert viewer.get(path).status_code == 403
        assert Client().get(path).url.startswith("/accounts/login/")


def test_it_is_there_in_chinese(opened):
    assert "创建管理员" in opened.get("/setup/", headers={"Accept-Language": "zh-CN"}).content.decode()


@pytest.mark.parametrize("wrong", ["{", "[]", '{"TIME_ZONE": 1}', "\xff"])
def test_a_damaged_file_of_choices_stops_the_start(tmp_path, wrong):
    (tmp_path / env.CHOICES).write_bytes(wrong.encode("latin-1"))
    with pytest.raises(env.EnvError, match="cannot be read"):
        env.read_choices(tmp_path)
