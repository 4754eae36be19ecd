"""Saved views: one's own, shared ones, and those that are nobody else's business."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from dashboard import limits, places, saved_views
from dashboard.models import SavedView
from reports.models import Room
from tests.html import Page
from tests.support import meeting, take

pytestmark = pytest.mark.django_db


@pytest.fixture
def clients(django_user_model) -> dict[str, Client]:
    """Browsers of an owner, a colleague, and staff without and with the permission."""
    found = {}
    for name in ("owner", "colleague", "staff", "keeper"):
        user = django_user_model.objects.create_user(name, is_staff=name in {"staff", "keeper"})
        if name == "owner":
            user.user_permissions.add(Permission.objects.get(codename="share_views"))
        if name == "keeper":
            for codename in ("change_savedview", "delete_savedview"):
                user.user_permissions.add(Permission.objects.get(codename=codename))
        found[name] = Client()
        found[name].force_login(user)
    return found


def save(client: Client, path="/meetings/", query="state=empty", name="Empty ones", **more):
    return client.post("/views/save/", {"path": path, "query": query, "name": name, **more})


def picker(client: Client, address: str) -> dict[str, bool]:
    """The views in the list of a page, and whether each is the one that is shown."""
    page = Page(client.get(address).content.decode())
    (found,) = page.root.find("details", id="filter-views")
    links = [link for link in found.find("a") if not link.attributes["href"].startswith(("/views/", "/mail/"))]
    return {link.text: "aria-current" in link.attributes for link in links}


def test_a_view_is_saved_in_its_one_spelling_and_opened_by_a_plain_link(clients):
    owner = clients["owner"]
    answer = save(owner, query="calls=1&page=3&period=30d&q=&state=empty&sort=topic", name="  Empty\n ones ")
    view = SavedView.objects.get()
    assert (view.name, view.shared) == ("Empty ones", False)
    assert (view.path, view.query) == ("/meetings/", "state=empty&calls=1&sort=topic")
    assert answer["Location"] == view.url == "/meetings/?state=empty&calls=1&sort=topic"
    assert picker(owner, "/meetings/?calls=1&state=empty&sort=topic") == {"Empty ones": True}
    assert picker(owner, "/") == {"Empty ones": False}
    assert "Save this view" in owner.get("/").content.decode()
    assert owner.get(f"/views/{view.pk}/")["Location"] == view.url


@pytest.mark.parametrize("name", sorted(places.PLACES))
def test_every_page_with_a_filter_bar_can_be_kept(clients, name):
    take(
        meeting(
            host_id="a/b c?d",
            topic="A/b?",
            participants=[{"name": "x/y%", "join_time": "2026-03-09 10:00:00", "leave_time": None}],
        )
    )
    path = {
        "overview": "/",
        "room": "/rooms/a%2Fb%20c%3Fd/",
        "person": "/people/x%2Fy%25/",
        "series-list": "/series/",
        "series-number": "/series/number/1571106323/",
        "series-topic": "/series/topic/a%2Fb%3F/",
    }.get(name, f"/{name}/")
    page = Page(clients["owner"].get(f"{path}?period=all").content.decode())
    (form,) = page.root.find("form", id="save-view")
    given = {field.attributes["name"]: field.attributes["value"] for field in form.find("input")}
    answer = clients["owner"].post("/views/save/", {**given, "name": name})
    assert answer.status_code == 302
    assert clients["owner"].get(answer["Location"]).status_code == 200
    assert picker(clients["owner"], answer["Location"]) == {name: True}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": " "}, "This field is required."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"query": "state=flying"}, "state=flying: choose one of"),
        ({"path": "/data/"}, "This page cannot be kept as a view."),
        ({"path": "https://evil.example/meetings/"}, "This page cannot be kept as a view."),
        ({"path": "//evil.example/"}, "This page cannot be kept as a view."),
        ({"path": "/meetings/1/"}, "This page cannot be kept as a view."),
        ({"query": "q=" + "x" * 9000}, "This address is too long to be kept."),
    ],
)
def test_what_cannot_be_saved_says_why_and_keeps_what_was_typed(clients, change, why):
    answer = save(clients["owner"], **change)
    assert answer.status_code == 400
    page = Page(answer.content.decode())
    assert why in page.root.text
    assert SavedView.objects.count() == 0
    fields = {field.attributes["name"]: field.attributes.get("value") for field in page.root.find("input", name=None)}
    assert fields["path"] == change.get("path", "/meetings/")


def test_a_name_is_one_view_of_one_account(clients):
    save(clients["owner"])
    assert "already" in save(clients["owner"], query="state=solo").content.decode()
    assert save(clients["colleague"]).status_code == 302
    assert SavedView.objects.count() == 2


def test_a_private_view_is_there_for_its_owner_alone(clients):
    save(clients["owner"])
    pk = SavedView.objects.get().pk
    for name in ("colleague", "staff", "keeper"):
        assert picker(clients[name], "/meetings/") == {}
        assert "Empty ones" not in clients[name].get("/views/").content.decode()
        assert clients[name].get(f"/views/{pk}/").status_code == 404
        for deed in ("change", "delete"):
            assert clients[name].post(f"/views/{pk}/{deed}/", {"name": "x"}).status_code == 404
    assert Client().get(f"/views/{pk}/").status_code == 302
    assert SavedView.objects.get().name == "Empty ones"


def test_a_shared_view_is_opened_by_all_and_changed_by_few(clients):
    save(clients["owner"], shared="1")
    pk = SavedView.objects.get().pk
    for name in ("colleague", "staff"):
        assert picker(clients[name], "/meetings/?state=empty") == {"Empty ones owner": True}
        page = clients[name].get("/views/").content.decode()
        assert "shared by owner" in page
        assert f"/views/{pk}/change/" not in page
        assert clients[name].get(f"/views/{pk}/")["Location"] == "/meetings/?state=empty"
        for deed in ("change", "delete"):
            assert clients[name].post(f"/views/{pk}/{deed}/", {"name": "x"}).status_code == 403
    assert f"/views/{pk}/change/" in clients["keeper"].get("/views/").content.decode()
    # Who may change it but not share leaves it shared.
    clients["keeper"].post(f"/views/{pk}/change/", {"name": "Better"})
    assert SavedView.objects.filter(name="Better", shared=True).exists()
    clients["keeper"].post(f"/views/{pk}/delete/")
    assert SavedView.objects.count() == 0


def test_who_may_not_share_keeps_a_view_to_itself(clients):
    assert "Every account may open it" in clients["owner"].get("/meetings/").content.decode()
    assert "Every account may open it" not in clients["colleague"].get("/meetings/").content.decode()
    save(clients["colleague"], shared="1")
    assert SavedView.objects.get().shared is False
    assert "Every account may open it" not in clients["colleague"].get("/views/").content.decode()


def test_its_owner_renames_shares_and_deletes_a_view(clients):
    owner = clients["owner"]
    save(owner)
    save(owner, name="Other", query="state=solo")
    pk = SavedView.objects.get(name="Empty ones").pk
    wrong = owner.post(f"/views/{pk}/change/", {"name": "Other"})
    assert wrong.status_code == 400
    assert "There is a view of that name already." in wrong.content.decode()
    owner.post(f"/views/{pk}/change/", {"name": "New", "shared": "1"})
    assert SavedView.objects.filter(pk=pk, name="New", shared=True).exists()
    owner.post(f"/views/{pk}/change/", {"name": "New"})
    assert SavedView.objects.filter(pk=pk, shared=False).exists()
    owner.post(f"/views/{pk}/delete/")
    assert [view.name for view in SavedView.objects.all()] == ["Other"]


def test_the_list_says_what_a_view_shows_and_which_are_broken(clients, django_user_model):
    user = django_user_model.objects.get(username="owner")
    Room.objects.create(host_id="HOST-1", label="大厅")
    for name, path, query in (
        ("good", "/rooms/HOST-1/", "period=7d&room=HOST-1&state=ended"),
        ("wrong value", "/meetings/", "state=flying"),
        ("no page", "/gone/", ""),
        ("not for this account", "/telephony/", "phone=%2B8613912345678"),
    ):
        SavedView.objects.create(owner=user, name=name, path=path, query=query)
    text = Page(clients["owner"].get("/views/").content.decode()).root.text
    assert "Room: 大厅 · 7 days · Room: 大厅 · State: ended" in text
    assert "It cannot be opened: state=flying: choose one of" in text
    assert "It cannot be opened: This page is not there any more." in text
    assert "It cannot be opened: phone=+8613912345678: your account may not see telephone numbers" in text
    # The link itself answers as clearly.
    answer = clients["owner"].get(SavedView.objects.get(name="wrong value").url)
    assert answer.status_code == 400
    assert "state=flying" in answer.content.decode()


def test_a_name_is_shown_as_text(clients):
    save(clients["owner"], name="<script>alert(1)</script>")
    assert b"<script>alert(1)" not in clients["owner"].get("/meetings/").content
    assert picker(clients["owner"], "/meetings/") == {"<script>alert(1)</script>": False}


def test_the_pages_ask_for_a_sign_in_and_a_post(client, clients):
    for path in ("/views/", "/views/save/", "/views/1/change/"):
        assert client.get(path).status_code in {302, 405}
    assert clients["owner"].get("/views/save/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = clients["owner"].cookies
    assert save(strict).status_code == 403


def test_the_list_costs_one_query_however_many_views_there_are(clients, django_user_model, django_assert_num_queries):
    user = django_user_model.objects.get(username="owner")
    for number in range(20):
        SavedView.objects.create(owner=user, name=f"View {number}", path="/", shared=bool(number % 2))
    colleague = django_user_model.objects.get(username="colleague")
    for account, own, shared in ((user, 20, 0), (colleague, 0, 10)):
        limits.allowed_rooms(account)  # which every page asks for anyway
        with django_assert_num_queries(1):
            found = saved_views.grouped(account, "/")
        assert (len(found["own"]), len(found["shared"])) == (own, shared)
