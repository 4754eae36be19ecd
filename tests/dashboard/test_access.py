"""Who may do what: every address of the site × every role, pinned in access.txt."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from dashboard import limits, roles, tasks
from dashboard.models import ApiToken, Budget, BudgetNotice, MailRecipient, MailReport, RoomGroup, SavedView
from reports.models import Meeting, Room
from tests.support import meeting, take, visit

pytestmark = pytest.mark.django_db

PINNED = Path(__file__).with_name("access.txt")
NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
# The last two may see one of the two rooms: a viewer and a manager.
WHO = ("anonymous", "viewer", "analyst", "manager", "administrator", "limited", "limited-manager")
LIMITED = {"limited": roles.VIEWER, "limited-manager": roles.MANAGER}
HOW = ("GET", "POST", "HTMX")
HEAD = f"{'address':<24}{'how':<6}" + "".join(f"{who:<15}" for who in WHO)


class Site:
    """A ledger of two rooms, one account of each role, and something at every address."""

    def __init__(self, settings: Any) -> None:
        take(
            meeting(),
            meeting(
                uuid="other",
                host_id="HOST-2",
                meeting_id="1579999999",
                topic="Secret",
                participants=[visit("Zora", "10:00:00", "11:00:00")],
            ),
        )
        self.mine, self.other = Room.objects.get(host_id="HOST-1"), Room.objects.get(host_id="HOST-2")
        self.users = {}
        for who in WHO[1:]:
            self.users[who] = user = User.objects.create_user(who)
            roles.give(user, LIMITED.get(who, who.title()))
            if who in LIMITED:
                limits.limit(user, [self.mine], [])
        owner = User.objects.create_user("owner", is_active=True)
        budget = Budget.objects.create(room=self.other, amount=10, recipients=["a@example.com"])
        notice = BudgetNotice.objects.create(budget=budget, month=NOW.date(), threshold=50, noticed_at=NOW)
        view = SavedView.objects.create(owner=owner, name="Kept", path="/meetings/", shared=True)
        report = MailReport.objects.create(owner=owner, name="Sent", path="/meetings/", next_due_at=NOW)
        reader = MailRecipient.objects.create(report=report, address="a@example.com")
        group = RoomGroup.objects.create(name="Group")
        token = default_token_generator.make_token(owner)
        owned = ApiToken.objects.create(account=owner, name="Token", hash="0" * 64, created_at=NOW)
        here, there = Meeting.objects.get(room=self.mine), Meeting.objects.get(room=self.other)
        # What stands in an address, by its name; "other": of the room that the limited account may not see.
        self.given: dict[str, dict[str, Any]] = {
            "room": {"host_id": "HOST-1"},
            "room other": {"host_id": "HOST-2"},
            "meeting": {"pk": here.pk},
            "meeting other": {"pk": there.pk},
            "person": {"name": "anna"},
            **{name: {"name": "anna"} for name in ("erase-name", "held")},
            **{f"{name} other": {"name": "zora"} for name in ("erase-name", "held")},
            "revoke-token": {"pk": owned.pk},
            "setup-link": {"secret": "none"},
            "person other": {"name": "zora"},
            "series-number": {"key": "1571106323"},
            "series-number other": {"key": "1579999999"},
            "series-topic": {"key": "周例会"},
            "series-topic other": {"key": "secret"},
            "budget": {"pk": budget.pk},
            "delete-budget": {"pk": budget.pk},
            "send-notice": {"pk": notice.pk},
            **{name: {"pk": view.pk} for name in ("view", "change-view", "delete-view")},
            **{name: {"pk": report.pk} for name in ("edit-mail", "pause-mail", "send-mail", "delete-mail")},
            "unsubscribe": {"token": reader.token},
            **{name: {"pk": owner.pk} for name in ("account", "account-active", "account-link")},
            **{name: {"pk": group.pk} for name in ("room-group", "delete-room-group")},
            "set-password": {"uidb64": urlsafe_base64_encode(force_bytes(owner.pk)), "token": token},
        }
        # What is posted, where nothing at all would not be understood.
        self.posted: dict[str, dict[str, Any]] = {
            "rename-room": {"host_id": "HOST-1", "label": "New"},
            "rename-room other": {"host_id": "HOST-2", "label": "New"},
            "set_language": {"language": "en"},
            **{name: {"sure": "on"} for name in ("erase-name", "erase-name other")},
        }

        self.client = Client()
        self.cookies: dict[str, SimpleCookie] = {}
        self.asked = {"new-mail": "path=/meetings/"}

    def path(self, name: str) -> str:
        if name == "admin":
            return "/admin/"
        return reverse(name.removesuffix(" other"), kwargs=self.given.get(name, {}))

    def signed_in(self, who: str) -> SimpleCookie:
        """The cookies of a browser in which somebody is signed in."""
        if who not in self.cookies:
            client = Client()
            client.force_login(self.users[who])
            self.cookies[who] = client.cookies
        return copy.copy(self.cookies[who])

    def status(self, who: str, how: str, name: str) -> int:
        """What somebody is answered; whatever it changes is taken back."""
        # One for all: it takes longer to make a client than to answer.
        client = self.client
        client.cookies = self.signed_in(who) if who != "anonymous" else SimpleCookie()
        headers = {"HX-Request": "true"} if how == "HTMX" else {}
        with undone():
            if how == "POST":
                return client.post(self.path(name), self.posted.get(name, {})).status_code
            return client.get(f"{self.path(name)}?{self.asked.get(name, '')}", headers=headers).status_code


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def names(resolver: URLResolver | None = None) -> list[str]:
    """Every name of the resolver in its order; what is included under a name of its own is one."""
    found: list[str] = []
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLPattern):
            assert pattern.name, f"{pattern.pattern} has no name, so that nobody says who may open it"
            found.append(pattern.name)
        elif pattern.namespace:
            found.append(pattern.namespace)
        else:
            found += names(pattern)
    return list(dict.fromkeys(found))


@pytest.fixture
def site(settings, monkeypatch) -> Iterator[Site]:
    monkeypatch.setattr(tasks, "wake", lambda task: True)
    with time_machine.travel(NOW, tick=False):
        yield Site(settings)


def test_every_address_answers_every_role_as_is_pinned(site):
    variants = [
        variant
        for name in names()
        for variant in (name, f"{name} other")
        if variant == name or variant in site.given or variant in site.posted
    ]
    rows = [
        f"{name:<24}{how:<6}" + "".join(f"{site.status(who, how, name):<15}" for who in WHO)
        for name in variants
        for how in HOW
    ]
    table = [line.rstrip() for line in (HEAD, *rows)]
    pinned = [line for line in PINNED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    if table != pinned:
        print("\n".join(["If this is meant, access.txt is:", *table]))  # noqa: T201 — to be read and taken over
    assert set(table) - set(pinned) == set(), "rows that are not pinned"
    assert set(pinned) - set(table) == set(), "rows that are not so any more"
    assert table == pinned


def test_the_table_keeps_what_the_roles_are_for():
    """The table itself is checked: a wrong row that was pinned in haste is seen here."""
    rows: dict[tuple[str, str], tuple[int, ...]] = {}
    for line in PINNED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "address")):
            name, _blank, how = " ".join(line.split()[: -len(WHO)]).rpartition(" ")
            rows[name, how] = tuple(map(int, line.split()[-len(WHO) :]))
    open_to_all = {
        "login",
        "logout",
        "set_language",
        "healthz",
        "unsubscribe",
        "set-password",
        "setup",
        "setup-link",
        "metrics",
    }
    for (name, how), statuses in rows.items():
        anonymous, viewer, analyst, manager, _administrator, limited, limited_manager = statuses
        assert 500 not in statuses, name
        if name not in open_to_all:
            # A part of a page leads the whole page to the sign-in.
            assert anonymous in ({401, 405} if how == "HTMX" else {302, 405}), name
        # Who sees some rooms only may do no more than who sees all.
        assert limited == viewer or limited in {403, 404}, name
        assert limited_manager == manager or limited_manager in {403, 404}, name
        if name.endswith(" other"):
            assert {limited, limited_manager} <= {403, 404, 405}, name
        if name.endswith("-csv"):
            own = 403 if name == "reconciliation-csv" else 200
            may = (403, 403, 403, 200, 403, 403) if name == "audit-csv" else (403, 200, 200, 200, 403, own)
            assert statuses[1:] == ((405,) * 6 if how == "POST" else may), name
        if name in {"accounts", "new-account", "account", "account-active", "account-link", "room-groups"}:
            assert {viewer, analyst, manager, limited, limited_manager} <= {403, 405}, name
    assert rows["admin", "GET"] == (302, 302, 302, 302, 200, 302, 302)


def test_who_has_lost_the_rooms_sees_nothing(site):
    """No room at all is not every room."""
    limits.limit(site.users["limited"], [], [])
    client = Client()
    client.force_login(site.users["limited"])
    assert client.get(site.path("meeting")).status_code == 404
    assert client.get(site.path("room")).status_code == 404
    page = client.get("/meetings/?period=all").content.decode()
    assert "周例会" not in page
    assert "HOST-1" not in page


def test_limits_follow_the_room_not_its_name(site):
    group = RoomGroup.objects.create(name="Both")
    limits.limit(site.users["limited"], [], [group])
    group.rooms.add(site.other)
    Room.objects.filter(pk=site.other.pk).update(host_id="HOST-RENAMED", label="Another")
    client = Client()
    client.force_login(site.users["limited"])
    assert client.get("/rooms/HOST-RENAMED/").status_code == 200
    assert client.get("/rooms/HOST-1/").status_code == 404
    group.delete()
    assert client.get("/rooms/HOST-RENAMED/").status_code == 404


def test_staff_that_is_limited_does_not_get_into_the_administration(site):
    user = site.users["administrator"]
    client = Client()
    client.force_login(user)
    assert client.get("/admin/").status_code == 200
    limits.limit(user, [site.mine], [])
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/reports/meeting/").status_code == 302
    assert client.get("/accounts/").status_code == 403
    assert b"/admin/" not in client.get("/").content


def test_the_links_to_csv_are_for_who_may_download(site):
    for who in WHO[1:]:
        client = Client()
        client.force_login(site.users[who])
        for name in ("overview", "rooms", "room", "meetings", "meeting", "booked", "pool", "telephony", "people"):
            page = client.get(f"{site.path(name)}?period=all").content.decode()
            assert (".csv" in page) is (who not in {"viewer", "limited"}), (who, name)


def test_a_csv_says_in_one_line_why_it_is_not_there(site):
    client = Client()
    client.force_login(site.users["viewer"])
    answer = client.get("/meetings.csv")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == "Your account may not download CSV. Ask an administrator.\n"
    answer = client.get("/budgets/")
    assert answer.status_code == 403
    assert "Not for this account" in answer.content.decode()


def test_raw_records_are_for_who_sees_numbers(site):
    take(meeting(uuid="", topic="x"), now=NOW + timedelta(minutes=1))
    for who in ("viewer", "analyst"):
        client = Client()
        client.force_login(site.users[who])
        assert ("+8613912345678" in client.get("/data/").content.decode()) is (who == "analyst")


def test_an_administrator_who_sees_some_rooms_gets_nothing_that_is_about_all(site):
    user = site.users["administrator"]
    limits.limit(user, [site.mine], [])
    client = Client()
    client.force_login(user)
    for path in ("/audit/", "/audit.csv", "/people/anna/erase/", "/people/anna/held.json", "/accounts/", "/data/"):
        assert client.get(path).status_code == 403, path
    assert client.post("/people/anna/erase/", {"sure": "1"}).status_code == 403
    page = client.get("/people/anna/").content.decode()
    assert "/erase/" not in page
    assert "/audit/" not in page
