"""Pages that are remembered are never older than the ledger, and are nobody else's."""

import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client

from dashboard import remembered
from dashboard.models import SavedView
from dashboard.remembered import Made, Shelf, shelf
from reports import folding, privacy
from reports.figures.version import Version
from reports.models import Licence, Meeting, Pull, PulledDay, Room
from tests.support import meeting, take, visit

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
PATHS = (
    *("/", "/pool/", "/booked/", "/series/", "/series/number/157000000/", "/rooms/", "/rooms/H0/", "/meetings/"),
    *("/telephony/", "/people/", "/people/anna/"),
)
FILTERS = ("", "period=all&q=周例")


def record(number: int, **changes: Any) -> dict[str, Any]:
    day = (NOW - timedelta(days=number)).date().isoformat()
    return meeting(
        **{
            "uuid": f"u{number}",
            "host_id": f"H{number % 2}",
            "meeting_id": "157000000",
            "start_time": f"{day} 10:00:00",
            "end_time": f"{day} 11:00:00",
            "participants": [visit("Anna", "10:00:00", "11:00:00", day), visit("Bo", "10:00:00", None, day)],
            **changes,
        }
    )


@pytest.fixture
def at_noon():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def ledger(db, at_noon):
    take(*(record(number) for number in range(1, 9)), record(3, uuid="extra", host_id="T0", is_extra=1))
    folding.fold()
    return at_noon


@pytest.fixture
def admin(django_user_model) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("root", password=None))
    return client


def plain(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return re.sub(r'(X-CSRFToken": "|csrfmiddlewaretoken" value=")\w+', r"\1", answer.content.decode())


def every(client: Client) -> dict[str, str]:
    paths = [
        *PATHS,
        *(f"/meetings/{pk}/" for pk in Meeting.objects.filter(uuid__in=("u3", "u4")).values_list("pk", flat=True)),
    ]
    return {f"{path}?{query}": plain(client, f"{path}?{query}") for path in paths for query in FILTERS}


def a_day_is_pulled_whole() -> None:
    PulledDay.objects.create(day=NOW.date() - timedelta(days=2), complete_at=NOW, asked_at=NOW, next_due_at=None)


CHANGES = {
    "a meeting comes": lambda: take(record(3, uuid="new", topic="周例会 neu")),
    "a meeting changes": lambda: take(record(2, duration=30, topic="周例会 anders")),
    "a visit changes": lambda: take(
        record(2, participants=[visit("Anna", "10:00:00", "10:30:00", (NOW - timedelta(days=2)).date().isoformat())])
    ),
    "a call costs more": lambda: take(
        record(
            2,
            telephony_usage=[
                {
                    "phone_number": "+86 21 6100 0000",
                    "type": "call-in",
                    "start_time": "2026-03-08 10:00:00",
                    "end_time": "2026-03-08 10:10:00",
                    "duration": 600,
                    "total": 99.5,
                }
            ],
        )
    ),
    "a meeting goes": lambda: Meeting.objects.get(uuid="u2").delete(),
    "its days are folded": lambda: (take(record(3, uuid="more")), folding.fold()),
    "a room is renamed": lambda: Room.objects.filter(host_id="H0").update(label="小会议室"),
    "a temporary room is named": lambda: Room.objects.filter(host_id="T0").update(label="临时"),
    "a temporary room comes": lambda: take(record(3, uuid="more extra", host_id="T1", is_extra=1)),
    "a temporary room turns out to be one of the pool": lambda: take(record(4, host_id="T0", is_extra=0)),
    "a room grows": lambda: Room.objects.filter(host_id="H0").update(capacity=500),
    "more rooms are rented": lambda: Licence.objects.create(
        capacity={"25": 7}, pay_type="1", first_seen_at=NOW, last_seen_at=NOW
    ),
    "a day is pulled whole": a_day_is_pulled_whole,
    "a view is saved": lambda: SavedView.objects.create(
        owner_id=SavedView.owner.field.related_model.objects.get(username="root").pk, name="Mine", path="/", query=""
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_page_shows_whatever_has_changed(ledger, admin, change):
    before = every(admin)
    assert shelf.size > 0
    CHANGES[change]()
    after = every(admin)
    shelf.clear()
    assert after == every(admin)
    assert after != before


def pruned(settings: Any) -> None:
    settings.RETENTION_NAMES_DAYS = 1
    assert privacy.prune(NOW)


OF_A_MEETING = {
    "a name is erased": lambda _settings: privacy.erase("Anna", NOW, fold_days=False),
    "a name is erased that a former report alone has": lambda _settings: privacy.erase("Cy", NOW, fold_days=False),
    "names are removed for their age": pruned,
    "another one of its number comes": lambda _settings: take(record(5, uuid="another")),
    "one beside it in its room goes": lambda _settings: Meeting.objects.get(uuid="beside").delete(),
    "its room is renamed": lambda _settings: Room.objects.filter(host_id="H1").update(label="小会议室"),
    "it is reported anew": lambda _settings: take(record(3, duration=30, participants=None)),
}


@pytest.mark.parametrize("change", OF_A_MEETING)
def test_the_page_of_a_meeting_shows_whatever_has_changed(ledger, admin, settings, change):
    day = (NOW - timedelta(days=3)).date().isoformat()
    take(
        record(3, participants=[visit("Cy", "10:00:00", None, day), visit("Anna", "10:00:00", None, day)]),
        record(3, uuid="beside", start_time=f"{day} 08:00:00", end_time=f"{day} 09:00:00", meeting_id="157000001"),
    )
    take(record(3))
    folding.fold()
    address = f"/meetings/{Meeting.objects.get(uuid='u3').pk}/"
    before = plain(admin, address)
    assert all(told in before for told in ("Cy", "Anna", "beside"))
    OF_A_MEETING[change](settings)
    after = plain(admin, address)
    shelf.clear()
    assert after == plain(admin, address)
    assert after != before


def test_a_page_that_nothing_changed_is_not_worked_out_again(ledger, admin, monkeypatch):
    before = every(admin)

    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("worked out again")

    monkeypatch.setattr("dashboard.pages.base.render_to_string", _only_own(never))
    assert every(admin) == before


def _only_own(never):
    from django.template.loader import render_to_string

    def render(template: str, *args: Any, **kwargs: Any) -> str:
        return render_to_string(template, *args, **kwargs) if template.startswith("components/") else never()

    return render


def test_a_running_meeting_grows_on_a_remembered_page(ledger, admin):
    take(record(0, uuid="running", start_time="2026-03-10 11:00:00", end_time=None, host_id="H0"))
    before = plain(admin, "/rooms/")
    ledger.shift(remembered.MOMENT)
    after = plain(admin, "/rooms/")
    shelf.clear()
    assert after == plain(admin, "/rooms/")
    ledger.shift(timedelta(minutes=5))
    assert plain(admin, "/rooms/") != before


def test_tomorrow_is_another_page(ledger, admin):
    before = plain(admin, "/meetings/?period=7d")
    ledger.shift(timedelta(days=3))
    admin.force_login(User.objects.get(username="root"))  # a session does not last that long
    assert plain(admin, "/meetings/?period=7d") != before


def test_a_pull_at_work_lets_a_page_stand_for_a_moment_only(ledger, admin):
    pull = Pull.objects.create(source="dates", started_at=NOW)
    before = plain(admin, "/rooms/")
    take(record(3, uuid="piece"), record(3, uuid="extra piece", host_id="T1", is_extra=1))
    assert plain(admin, "/rooms/") == before
    Room.objects.filter(host_id="H0").update(label="renamed at once")
    assert "renamed at once" in plain(admin, "/rooms/")
    take(record(3, uuid="another piece"))
    ledger.shift(remembered.MOMENT)
    moment_later = plain(admin, "/rooms/")
    shelf.clear()
    assert moment_later == plain(admin, "/rooms/")
    take(record(4, uuid="last piece"))
    pull.ended_at = NOW
    pull.save()
    ended = plain(admin, "/rooms/")
    shelf.clear()
    assert ended == plain(admin, "/rooms/")


def test_who_may_see_less_gets_another_page(ledger, admin, django_user_model):
    number = "+86 21 6100 0000"
    call = {"phone_number": number, "type": "call-in", "start_time": "2026-03-08 10:00:00", "duration": 600}
    take(record(2, telephony_usage=[{**call, "end_time": "2026-03-08 10:10:00", "total": 9.5}]))
    shown = plain(admin, "/telephony/")
    user = django_user_model.objects.create_user("viewer")
    viewer = Client()
    viewer.force_login(user)
    masked = plain(viewer, "/telephony/")
    assert "6100 0000" in shown.replace("61000000", "6100 0000")
    assert "6100" not in masked
    user.user_permissions.add(Permission.objects.get(codename="see_phone_numbers"))
    assert "6100" in plain(viewer, "/telephony/")
    user.user_permissions.clear()
    assert "6100" not in plain(viewer, "/telephony/")


def test_what_is_an_accounts_own_is_not_shown_to_another(ledger, admin, django_user_model):
    other = django_user_model.objects.create_superuser("other", password=None)
    SavedView.objects.create(owner=other, name="Quite private", path="/", query="")
    client = Client()
    client.force_login(other)
    assert "Quite private" in plain(client, "/")
    assert "Quite private" not in plain(admin, "/")
    tokens = {
        re.search(r'csrfmiddlewaretoken" value="(\w+)', one.get("/").content.decode())[1] for one in (admin, client)
    }
    assert len(tokens) == 2


def test_a_view_can_be_saved_from_a_remembered_page(ledger, admin):
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = admin.cookies
    for name in ("First", "Second"):
        page = browser.get("/rooms/").content.decode()
        form = page[page.index('<form id="save-view"') :]
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)', form[: form.index("</form>")])[1]
        given = {"name": name, "path": "/rooms/", "query": "", "csrfmiddlewaretoken": token}
        assert browser.post("/views/save/", given).status_code == 302
    assert SavedView.objects.count() == 2


def test_languages_and_fragments_are_told_apart(ledger, admin):
    page = admin.get("/rooms/").content
    fragment = admin.get("/rooms/", headers={"HX-Request": "true"}).content
    assert b"<html" in page
    assert b"<html" not in fragment
    assert "会议室" in admin.get("/rooms/", headers={"Accept-Language": "zh-hans"}).content.decode()
    assert b"<html" in admin.get("/rooms/").content


def test_errors_are_not_remembered(ledger, admin):
    assert admin.get("/rooms/none/").status_code == 404
    take(record(1, uuid="first", host_id="none"))
    assert admin.get("/rooms/none/").status_code == 200
    assert admin.get("/?period=x").status_code == 400
    assert admin.post("/").status_code == 405


# The shelf by itself --------------------------------------------------------------------------------------

VERSION = Version((1, 0), 0, False, False)


def made(size: int = 10) -> Made:
    return Made("page.html", "x" * size, {}, None)


def test_the_longest_unasked_goes_first_and_the_size_is_kept():
    three = 3 * sys.getsizeof(made().fragment)
    small = Shelf(most=three)
    for key in "abc":
        small.page(key, VERSION, NOW, made)
    small.page("a", VERSION, NOW, made)
    small.page("d", VERSION, NOW, made)
    assert small.size == three

    def told(key: str) -> bool:
        """Whether a page was made anew."""
        new: list[str] = []

        def make() -> Made:
            new.append(key)
            return made()

        small.page(key, VERSION, NOW, make)
        return bool(new)

    assert [key for key in "acdb" if told(key)] == ["b"]


@pytest.mark.parametrize(("letter", "width"), [("x", 1), ("会", 2), ("🎉", 4)])
def test_pages_take_no_more_memory_than_allowed_whatever_they_are_written_in(letter, width):
    most = 100_000
    small = Shelf(most)
    for number in range(50):
        small.page(number, VERSION, NOW, lambda: Made("page.html", letter * 10_000, {}, None))
    kept = [number for number in range(50) if small.page(number, VERSION, NOW, lambda: None)]
    assert len(kept) * 10_000 * width <= small.size <= most
    # No fewer than fit, too.
    assert (len(kept) + 1) * (10_000 * width + 100) > most


def test_the_address_of_a_page_counts_too():
    small = Shelf(most=100_000)
    for number in range(50):
        form = {"action": "/", "query": f"q={number}{'x' * 10_000}"}
        small.page(number, VERSION, NOW, lambda form=form: Made("page.html", "", {}, form))
    assert len([number for number in range(50) if small.page(number, VERSION, NOW, lambda: None)]) == 9


def test_many_who_ask_at_once_wait_for_one():
    shared, began, count = Shelf(), threading.Barrier(8), []

    def make() -> Made:
        count.append(1)
        return made()

    def ask() -> None:
        began.wait()
        shared.page("key", VERSION, NOW, make)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(count) == 1
    assert not shared._making


def test_a_failure_lets_the_next_one_try():
    shared = Shelf()

    def fail() -> Made:
        raise ValueError

    with pytest.raises(ValueError):
        shared.page("key", VERSION, NOW, fail)
    assert shared.page("key", VERSION, NOW, made) == made()
