"""Who may see some rooms only is told nothing of the others: neither a word nor a number.

Whatever a limited account can fetch is fetched twice: from a ledger that holds its room alone, and from the same ledger
after everything else came in beside it. Both are the same to the letter.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from dashboard import limits, mail_reports, roles, saved_views
from dashboard.models import Budget, MailReport, SavedView
from dashboard.pages import base
from reports import folding, schedule
from reports.exports import TABLES
from reports.models import Licence, Meeting, ProviderPeriod, Pull, PulledDay, Room, Source
from tests.dashboard.test_access import names
from tests.support import call, meeting, take, visit

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
TOPIC, NAME, PHONE, UUID = "Merger with Acme", "Zora Quint", "+8613900007777", "other/uuid+1=="
ROOM, HOST, NUMBER, TRACKED, MAIL = "Panther den", "HOST-OTHER", "1579999999", "1577777777", "panther@example.com"
SECRETS = (TOPIC, NAME, PHONE, "13900007777", UUID, ROOM, HOST, NUMBER, TRACKED, MAIL, "Merger view", "Merger mail")

SEARCHES = ("merger", "zora", NUMBER, PHONE, "anna", "周例会")
OF_ROWS = (
    f"period=all&q={quote(NAME)}",
    f"period=all&q={NUMBER}",
    f"period=all&uuid={quote(UUID)}",
    f"period=all&phone={quote(PHONE)}",
    "period=all&during=2026-03-09T10",
)
FILTERS = (
    "",
    "period=all",
    "period=30d&compare=1",
    "period=all&sort=name",
    "from=2026-03-09&to=2026-03-09&compare=1",
    f"period=all&room={HOST}",
    f"period=all&room=HOST-1&room={HOST}",
    *(f"period=all&q={quote(one)}" for one in SEARCHES),
    *OF_ROWS[2:],
    f"period=all&name={quote(NAME)}",
    "period=all&name=anna",
    f"period=all&number={NUMBER}",
    f"period=all&topic={quote(TOPIC)}",
    "period=all&extra=1",
    "period=all&extra=0&state=running",
    "period=all&by=topic&present=80",
)
# With a filter of their own, or none.
PLAIN = ("views", "mail", "budgets", "new-budget", "freshness", "password", "tokens")
PAGES = ("overview", "pool", "rooms", "booked", "meetings", "telephony", "people", "series-list")
OWN = ("/rooms/HOST-1/", "/people/anna/", "/people/%E7%8E%8B%E4%BC%9F/", "/series/number/1571106323/")
OTHERS = (
    f"/rooms/{HOST}/",
    f"/people/{quote(NAME)}/",
    f"/series/number/{NUMBER}/",
    f"/series/topic/{quote(TOPIC)}/",
)
# Of all rooms together, or nobody's page: not for who is limited, or without any figure (see access.txt).
ABOUT_ALL = {"data", "progress", "reconciliation", "reconciliation-csv", "admin", "login", "logout", "healthz"}
ABOUT_ALL |= {"set_language", "unsubscribe", "set-password", "view", "setup", "setup-link", "metrics"}


def own_room() -> None:
    """What the account may see: a room with three meetings, the last of which runs."""
    take(
        meeting(),
        meeting(uuid="mine-2", topic="Planning", start_time="2026-02-20 15:00:00", end_time="2026-02-20 15:20:00"),
        meeting(uuid="mine-3", start_time="2026-03-10 11:00:00", end_time=None, telephony_usage=[]),
    )
    Room.objects.filter(host_id="HOST-1").update(name="Garden", capacity=10)
    done()


def done() -> None:
    """Every pull is over, so that pages say the same of them."""
    Pull.objects.update(started_at=NOW, ended_at=NOW, state=Pull.State.DONE)
    folding.fold()


def other(number: int, day: str, **changes: Any) -> dict[str, Any]:
    """A meeting elsewhere, with somebody who is in ours too."""
    return meeting(
        **{
            "uuid": f"{UUID}{number}" if number else UUID,
            "host_id": HOST,
            "meeting_id": NUMBER,
            "topic": TOPIC,
            "start_time": f"{day} 10:00:00",
            "end_time": f"{day} 12:30:00",
            "participants": [
                visit(NAME, "10:00:00", "12:30:00", day),
                visit("ANNA", "10:20:00", "12:00:00", day),
            ],
            "telephony_usage": [call(PHONE, "10:05:00", "11:55:00", 110, 77.7, day)],
            **changes,
        }
    )


def everything_else(owner: User) -> None:
    """Another room, extra and unknown ones, earlier and later, and all that others set up."""
    take(
        other(0, "2026-03-09"),
        other(1, "2024-01-15"),
        other(2, "2026-02-20", topic="周例会", meeting_id="1571106323"),
        other(3, "2026-03-10", end_time=None),
        other(4, "2026-03-09", host_id="TEMP-1", is_extra=1),
        other(5, "2026-03-09", host_id=""),
        other(6, "2026-03-02", participants=[], telephony_usage=[]),
    )
    take({**other(7, "2026-03-03"), "start_time": f"{TOPIC} {PHONE}"})
    Room.objects.filter(host_id=HOST).update(name=ROOM, email=MAIL, capacity=10)
    Room.objects.create(host_id="HOST-IDLE", name="Panther annexe", capacity=10)
    schedule.track([TRACKED], NOW)
    Licence.objects.create(capacity={"10": 40}, first_seen_at=NOW, last_seen_at=NOW)
    ProviderPeriod.objects.create(first=datetime(2026, 3, 1).date(), last=datetime(2026, 3, 31).date())
    PulledDay.objects.create(day=datetime(2024, 1, 15).date(), asked_at=NOW)
    Budget.objects.create(room=Room.objects.get(host_id=HOST), amount=100, recipients=[MAIL])
    Budget.objects.create(amount=1000, recipients=[MAIL])
    SavedView.objects.create(owner=owner, name="Merger view", path="/meetings/", query=f"room={HOST}", shared=True)
    MailReport.objects.create(owner=owner, name="Merger mail", path="/meetings/", next_due_at=NOW + timedelta(days=1))
    done()


def addresses() -> list[str]:
    """Everything that a limited account can fetch."""
    found = []
    for name in PAGES:
        found += [f"{reverse(name)}?{chosen}" for chosen in FILTERS]
    for path in OWN:
        found += [f"{path}?{chosen}" for chosen in FILTERS[:9]]
    for name in TABLES:
        if name not in base.ABOUT_ALL_ROOMS:
            found += [f"/{name}.csv?{chosen}" for chosen in (*FILTERS[:2], *FILTERS[5:7], *OF_ROWS)]
    for pk in Meeting.objects.filter(room__host_id="HOST-1").order_by("pk").values_list("pk", flat=True):
        found += [f"/meetings/{pk}/", f"/meetings/{pk}/?rows=all"]
    return [*found, *(reverse(name) for name in PLAIN), *OTHERS, "/mail/new/?path=/meetings/&query=period%3Dall"]


def answer(client: Client, address: str, **headers: Any) -> str:
    response = client.get(address, headers=headers)
    body = b"".join(response.streaming_content) if response.streaming else response.content
    text = re.sub(r'(csrfmiddlewaretoken" value="|X-CSRFToken": ")\w+', r"\1", body.decode())
    return f"{response.status_code} {response.get('Content-Disposition', '')}\n{text}"


def answers(client: Client) -> Iterator[tuple[str, str]]:
    for address in addresses():
        yield address, answer(client, address)
        if address.endswith(("/?", "?period=all", "/", "compare=1")):
            yield f"{address} by htmx", answer(client, address, hx_request="true")


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def limited(frozen) -> Client:
    """A browser of a manager who may see one room: nobody who is limited gets more pages."""
    own_room()
    user = User.objects.create_user("limited")
    roles.give(user, roles.MANAGER)
    limits.limit(user, Room.objects.filter(host_id="HOST-1"), [])
    Budget.objects.create(room=Room.objects.get(host_id="HOST-1"), amount=50, recipients=["a@example.com"])
    SavedView.objects.create(owner=user, name="Mine", path="/rooms/HOST-1/", query="period=all")
    client = Client()
    client.force_login(user)
    return client


def test_nothing_of_other_rooms_is_told(limited):
    alone = dict(answers(limited))
    everything_else(User.objects.create_user("owner"))
    together = dict(answers(limited))
    different = [address for address in alone if alone[address] != together[address]]
    assert different == []
    for address, text in together.items():
        # What stands in one's own address is no news.
        said = unquote(address).casefold()
        assert not [one for one in SECRETS if one.casefold() not in said and one in text], address
    # The same addresses tell all of it to who may see it.
    admin = Client()
    admin.force_login(User.objects.create_superuser("root"))
    for address, secret in (
        ("/meetings/?period=all", TOPIC),
        ("/people/?period=all", NAME),
        ("/telephony/?period=all", PHONE),
        ("/rooms/?period=all", ROOM),
        ("/meetings.csv?period=all", UUID),
        ("/data/", TRACKED),
    ):
        assert secret in answer(admin, address), address
    assert answer(admin, "/?period=all") != together["/?period=all"]
    # Nothing leads to where a limited account does not get in.
    assert not [address for address, text in together.items() if '"/data/"' in text or '"/reconciliation/' in text]


def test_every_page_and_table_is_looked_at(limited):
    """An address that is added is added here too, or said to be about all rooms."""
    fetched = {name.removesuffix("-csv") for name in (*PAGES, *PLAIN, *TABLES)}
    fetched |= {"room", "meeting", "person", "series-number", "series-topic", "new-mail"}
    left = []
    for name in names():
        if name.removesuffix("-csv") in fetched or name in ABOUT_ALL:
            continue
        # Posted only, or of an object of others, or for who manages accounts.
        try:
            path = reverse(name)
        except NoReverseMatch:
            path = reverse(name, args=[10_000])
        if limited.get(path).status_code not in {403, 404, 405}:
            left.append(name)
    assert left == []


def test_what_is_not_allowed_is_not_there(limited):
    everything_else(User.objects.create_user("owner"))
    for pk in Meeting.objects.exclude(room__host_id="HOST-1").values_list("pk", flat=True):
        assert limited.get(f"/meetings/{pk}/").status_code == 404
    assert Meeting.objects.filter(room=None).exists()
    for path in OTHERS:
        assert limited.get(path).status_code == 404, path
    assert ROOM not in limited.get("/budgets/").content.decode()
    assert "of 1 room" in limited.get("/pool/?period=all").content.decode()


def test_a_meeting_that_came_from_another_room_does_not_name_it(limited):
    take(other(9, "2026-03-05"))
    Room.objects.filter(host_id=HOST).update(name=ROOM)
    take(other(9, "2026-03-05", host_id="HOST-1"), now=NOW + timedelta(minutes=1))
    moved = Meeting.objects.get(uuid=f"{UUID}9")
    assert moved.changes.exists()
    page = limited.get(f"/meetings/{moved.pk}/").content.decode()
    assert "Changed since" in page or "a room that is no longer kept" in page
    assert ROOM not in page
    assert HOST not in page


def test_what_stands_in_the_way_of_a_pull_names_nothing(limited):
    Source.objects.update_or_create(
        name=Source.Name.NUMBERS, defaults={"failures": 1, "last_error": f"The record of {TRACKED} cannot be read."}
    )
    page = limited.get("/").content.decode()
    assert TRACKED not in page
    assert "The last pulls did not go well. An administrator sees why." in page
    assert TRACKED not in limited.get("/data/freshness/").content.decode()


def test_mail_of_a_limited_owner_holds_its_rooms_alone(limited):
    owner = User.objects.get(username="limited")
    made = [
        MailReport.objects.create(
            owner=owner, name=f"{path} {table}", path=path, query="period=all", table=table, next_due_at=NOW
        )
        for path, table in (
            ("/", "participants"),
            ("/pool/", "sizes"),
            ("/meetings/", "meetings"),
            ("/telephony/", "telephony"),
            ("/people/anna/", "attendees"),
            (f"/rooms/{HOST}/", "meetings"),
        )
    ]

    def told() -> list[Any]:
        found = []
        for report in MailReport.objects.filter(pk__in=[one.pk for one in made]).order_by("pk"):
            content = mail_reports.content(report, NOW)
            parts = [part.get_payload(decode=True) for part in content.attached]
            found.append((content.subject, content.place, content.days, content.chips, content.cards, parts))
        return found

    alone = told()
    everything_else(User.objects.create_user("owner"))
    assert told() == alone
    assert all(ROOM not in str(one) and TOPIC not in str(one) for one in alone)


def test_views_of_others_are_for_who_sees_all_rooms(limited):
    user = User.objects.get(username="limited")
    # Kept before there was a limit: its own words are all that it is told.
    SavedView.objects.create(owner=user, name="From before", path=f"/rooms/{HOST}/", query=f"room={HOST}&q=merger")
    SavedView.objects.create(owner=user, name="Of a name", path=f"/people/{quote(NAME.casefold())}/")
    alone = answer(limited, "/views/")
    everything_else(User.objects.create_user("owner"))
    assert answer(limited, "/views/") == alone
    assert NAME not in alone
    assert {view.name for view in saved_views.visible(user)} == {"Mine", "From before", "Of a name"}
    view = SavedView.objects.get(name="Merger view")
    assert limited.get(reverse("view", args=[view.pk])).status_code == 404
    limits.lift(user)
    assert limited.get(reverse("view", args=[view.pk])).status_code == 302


def test_a_limit_without_a_room_shows_nothing(limited):
    everything_else(User.objects.create_user("owner"))
    user = User.objects.get(username="limited")
    limits.limit(user, [], [])
    for name in PAGES:
        text = answer(limited, f"{reverse(name)}?period=all")
        assert not any(secret in text for secret in (*SECRETS[:10], "Garden", "周例会", "Planning")), name
    for name in TABLES:
        if name in {"meetings", "participants", "attendees", "telephony", "rooms", "booked", "series"}:
            assert answer(limited, f"/{name}.csv?period=all").count("\r\n") == 1, name
