"""The pages about accounts: roles, limits, passwords, and that nobody shuts out the last administrator."""

import re
import threading
from importlib import import_module
from itertools import pairwise

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client

from dashboard import accounts, limits, roles
from dashboard.models import RoomGroup, RoomLimit
from reports.models import Room
from tests.html import Page
from tests.support import meeting, take

pytestmark = pytest.mark.django_db

GIVEN = {"username": "wang.wei", "name": "王伟", "email": "wei@example.com", "role": "Analyst", "sees": "all"}


@pytest.fixture
def boss() -> Client:
    """A browser of an administrator who is no superuser."""
    return signed_in(of_role("boss", roles.ADMINISTRATOR))


def of_role(name: str, role: str) -> User:
    user = User.objects.create_user(name)
    roles.give(user, role)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return Page(answer.content.decode()).root.text


def rows(client: Client, query: str = "") -> list[list[str]]:
    page = Page(client.get(f"/accounts/?{query}").content.decode())
    (body,) = page.root.find("tbody")
    return [[cell.text for cell in [*row.find("th"), *row.find("td")]] for row in body.find("tr")]


# Roles -----------------------------------------------------------------------------------------------------------


def test_each_role_may_what_the_one_before_it_may():
    held = [
        {
            f"{app}.{name}"
            for app, name in Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
        }
        for role in roles.ROLES
    ]
    for less, more in pairwise(held):
        assert less < more
    assert held[0] == set()
    assert {roles.SEES_PHONES, roles.MAY_DOWNLOAD} <= held[1]
    assert {roles.MAY_MAIL, roles.MAY_SHARE, "reports.change_room", "dashboard.view_budget"} <= held[2] - held[1]
    assert roles.MAY_MANAGE_ACCOUNTS in held[3] - held[2]
    assert not any(name.startswith("auth.") for name in held[3])


def test_a_role_is_mended_after_the_next_migration_and_takes_up_new_permissions():
    kind = Permission.objects.get(codename="download_csv").content_type
    Group.objects.get(name=roles.VIEWER).permissions.add(Permission.objects.get(codename="change_room"))
    Group.objects.get(name=roles.ANALYST).delete()
    Permission.objects.get_or_create(codename="use_tokens", content_type=kind, defaults={"name": "x"})
    roles.sync()
    assert Group.objects.get(name=roles.VIEWER).permissions.count() == 0
    for role in roles.ROLES[1:]:
        assert Group.objects.get(name=role).permissions.filter(codename="use_tokens").exists()


def test_accounts_from_before_there_were_roles_keep_what_they_could():
    migration = import_module("dashboard.migrations.0002_roles")
    migration.forget_roles(apps, None)
    assert Group.objects.count() == 0
    phones = Permission.objects.get(codename="see_phone_numbers")
    own = Group.objects.create(name="Manager")
    own.permissions.add(phones)
    made = {name: User.objects.create_user(name) for name in ("plain", "full", "grouped", "staff")}
    made["full"].user_permissions.add(phones)
    made["grouped"].groups.add(own)
    made["staff"].is_staff = True
    made["staff"].save()
    root = User.objects.create_superuser("root")
    migration.make_roles(apps, None)
    roles.sync()
    found = {name: User.objects.get(username=name) for name in (*made, "root")}
    assert {name: roles.role_of(user) for name, user in found.items()} == {
        "plain": roles.VIEWER,
        "full": roles.ANALYST,
        "grouped": roles.ANALYST,
        "staff": roles.VIEWER,
        "root": roles.SUPERUSER,
    }
    for name, user in found.items():
        assert roles.may_download(user), name
        assert user.has_perm(roles.MAY_SHARE), name
        assert user.has_perm(roles.SEES_PHONES) is (name not in {"plain", "staff"}), name
        # Somebody's own group of that name makes nobody a manager.
        assert user.has_perm("reports.change_room") is (name == "root"), name
        assert limits.allowed_rooms(user) is None
    assert found["staff"].is_staff
    assert root.is_superuser
    assert Group.objects.get(name="Manager (own)").user_set.get() == found["grouped"]
    # And back: what a role allowed becomes the account's own.
    migration.forget_roles(apps, None)
    assert User.objects.get(username="full").has_perm(roles.MAY_DOWNLOAD)


# The list --------------------------------------------------------------------------------------------------------


def test_the_list_says_who_may_what_and_is_searched_and_sorted(boss):
    take(meeting(), meeting(uuid="two", host_id="HOST-2"))
    group = RoomGroup.objects.create(name="Both")
    group.rooms.set(Room.objects.all())
    anna = of_role("anna", roles.VIEWER)
    limits.limit(anna, [Room.objects.get(host_id="HOST-1")], [group])
    bert = of_role("bert", roles.MANAGER)
    limits.limit(bert, [], [])
    User.objects.filter(pk=bert.pk).update(is_active=False, first_name="Bert Brecht")
    User.objects.create_superuser("root")
    User.objects.create_user("nobody")
    assert rows(boss) == [
        ["anna", "Viewer", "2 rooms", "never signed in", "active"],
        ["bertBert Brecht", "Manager", "none", "never signed in", "closed"],
        ["boss", "Administrator", "all rooms", rows(boss)[2][3], "active"],
        ["nobody", "–", "all rooms", "never signed in", "active"],
        ["root", "Superuser", "all rooms", "never signed in", "active"],
    ]
    assert [row[0] for row in rows(boss, "sort=-role")] == ["root", "boss", "bertBert Brecht", "anna", "nobody"]
    assert [row[0] for row in rows(boss, "sort=rooms")][:2] == ["bertBert Brecht", "anna"]
    assert rows(boss, "sort=-last")[0][0] == "boss"
    assert [row[0] for row in rows(boss, "q=BRECHT")] == ["bertBert Brecht"]
    assert "No account has such a name or address" in text(boss, "/accounts/?q=xyz")
    assert boss.get("/accounts/?sort=password").status_code == 400


# One account -------------------------------------------------------------------------------------------------------


def test_an_account_is_made_without_a_password_and_gets_one_by_a_link_that_works_once(boss):
    answer = boss.post("/accounts/new/", GIVEN)
    user = User.objects.get(username="wang.wei")
    assert answer["Location"] == f"/accounts/{user.pk}/"
    assert (user.first_name, user.email, roles.role_of(user)) == ("王伟", "wei@example.com", roles.ANALYST)
    assert not user.has_usable_password()
    assert "It has no password yet." in text(boss, f"/accounts/{user.pk}/")
    page = boss.post(f"/accounts/{user.pk}/link/")
    assert page["Cache-Control"] == "no-store"
    link = re.search(r"http://testserver(/accounts/set-password/[^<\s]+)", page.content.decode())[1]
    assert link not in boss.get(f"/accounts/{user.pk}/").content.decode()
    other = Client()
    form = other.get(link)["Location"]
    assert "Choose a password for wang.wei." in text(other, form)
    short = other.post(form, {"new_password1": "short", "new_password2": "short"})
    assert "too short" in short.content.decode()
    # At the password itself, and in the language of the page.
    assert set(short.context["form"].errors) == {"new_password1"}
    short = other.post(form, {"new_password1": "short", "new_password2": "short"}, headers={"Accept-Language": "zh-CN"})
    assert "密码太短" in short.content.decode()
    done = other.post(form, {"new_password1": "a long good one", "new_password2": "a long good one"})
    assert done["Location"] == "/accounts/login/"
    signed_in = other.post("/accounts/login/", {"username": "wang.wei", "password": "a long good one"})
    assert signed_in["Location"] == "/"
    assert "This link was used already" in text(Client(), link)


def test_a_link_dies_with_its_account(boss):
    user = of_role("anna", roles.VIEWER)
    link = accounts.password_path(user)
    boss.post(f"/accounts/{user.pk}/active/", {"active": "0"})
    assert "This link was used already" in text(Client(), link)
    assert boss.post(f"/accounts/{user.pk}/link/").status_code == 302


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"username": ""}, "This field is required."),
        ({"username": "BOSS"}, "There is an account of that name already."),
        ({"username": "a b"}, "Enter a valid username."),
        ({"email": "nowhere"}, "Enter a valid email address."),
        ({"role": "Emperor"}, "Select a valid choice."),
        ({"role": "Administrator", "sees": "some"}, "An administrator sees all rooms."),
        ({"sees": "some", "rooms": ["HOST-X"]}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(boss, change, why):
    answer = boss.post("/accounts/new/", {**GIVEN, **change})
    assert answer.status_code == 400
    assert why in Page(answer.content.decode()).root.text
    assert User.objects.count() == 1


def test_an_account_is_limited_to_rooms_and_freed_again(boss):
    take(meeting(), meeting(uuid="two", host_id="HOST-2"))
    group = RoomGroup.objects.create(name="North")
    group.rooms.add(Room.objects.get(host_id="HOST-2"))
    user = of_role("anna", roles.VIEWER)
    path = f"/accounts/{user.pk}/"
    given = {**GIVEN, "username": "anna", "role": "Viewer"}
    for sees, allowed in (
        ({"sees": "some", "rooms": ["HOST-1"]}, {"HOST-1"}),
        ({"sees": "some", "groups": [group.pk]}, {"HOST-2"}),
        ({"sees": "some", "rooms": ["HOST-1"], "groups": [group.pk]}, {"HOST-1", "HOST-2"}),
        ({"sees": "some"}, set()),
        ({"sees": "all", "rooms": ["HOST-1"]}, None),
    ):
        assert boss.post(path, {**given, **sees}).status_code == 302
        assert limits.allowed_rooms(User.objects.get(pk=user.pk)) == allowed
        page = Page(boss.get(path).content.decode())
        ticked = {box.attributes.get("value") for box in page.root.find("input") if "checked" in box.attributes}
        assert ("some" in ticked) is (allowed is not None)
    assert RoomLimit.objects.count() == 0


def test_another_role_takes_away_what_was_held_besides(boss):
    user = of_role("anna", roles.VIEWER)
    user.user_permissions.add(Permission.objects.get(codename="download_csv"))
    path, given = f"/accounts/{user.pk}/", {**GIVEN, "username": "anna"}
    assert "This account is from before there were roles" in text(boss, path)
    boss.post(path, {**given, "role": "Viewer"})
    assert roles.may_download(User.objects.get(pk=user.pk))
    boss.post(path, {**given, "role": "Manager"})
    boss.post(path, {**given, "role": "Viewer"})
    assert not roles.may_download(User.objects.get(pk=user.pk))
    boss.post(path, {**given, "role": "Administrator"})
    assert User.objects.get(pk=user.pk).is_staff
    boss.post(path, {**given, "role": "Analyst"})
    assert not User.objects.get(pk=user.pk).is_staff


def test_a_closed_account_is_signed_out_and_may_be_opened_again(boss):
    user = of_role("anna", roles.VIEWER)
    anna = signed_in(user)
    assert anna.get("/").status_code == 200
    boss.post(f"/accounts/{user.pk}/active/", {"active": "0"})
    assert anna.get("/").status_code == 302
    boss.post(f"/accounts/{user.pk}/active/", {"active": "1"})
    assert signed_in(User.objects.get(pk=user.pk)).get("/").status_code == 200


# Nobody shuts out the last administrator ------------------------------------------------------------------------


def test_nobody_changes_their_own_role_or_closes_their_own_account(boss):
    me = User.objects.get(username="boss")
    path = f"/accounts/{me.pk}/"
    assert "Nobody changes their own role" in text(boss, path)
    assert boss.post(f"{path}active/", {"active": "0"}).status_code == 403
    boss.post(path, {**GIVEN, "username": "boss", "role": "Viewer", "sees": "some"})
    me = User.objects.get(pk=me.pk)
    assert (me.first_name, roles.role_of(me), me.is_active) == ("王伟", roles.ADMINISTRATOR, True)
    assert limits.allowed_rooms(me) is None


def test_a_superuser_is_changed_by_superusers_alone(boss, admin):
    root, other = User.objects.get(username="admin"), User.objects.create_superuser("other")
    for path in ("", "active/", "link/"):
        assert boss.post(f"/accounts/{root.pk}/{path}", GIVEN).status_code == 403
    admin.post(f"/accounts/{other.pk}/", {**GIVEN, "username": "other", "role": "Viewer"})
    other.refresh_from_db()
    assert (other.first_name, other.is_superuser, other.groups.count()) == ("王伟", True, 0)
    admin.post(f"/accounts/{other.pk}/active/", {"active": "0"})
    other.refresh_from_db()
    assert not other.is_active


def test_django_own_pages_of_accounts_are_no_way_around(admin):
    for path in ("/admin/auth/user/", "/admin/auth/group/", "/admin/auth/user/1/change/"):
        assert admin.get(path).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_close_each_other_leave_one():
    pair = [of_role(name, roles.ADMINISTRATOR) for name in ("one", "two")]
    clients = [signed_in(user) for user in pair]
    start = threading.Barrier(2)

    def close(client: Client, other: User) -> None:
        start.wait()
        try:
            client.post(f"/accounts/{other.pk}/active/", {"active": "0"})
        finally:
            connection.close()

    threads = [threading.Thread(target=close, args=pair) for pair in zip(clients, reversed(pair), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accounts.administrators().count() == 1


def test_who_may_not_any_more_changes_nothing():
    actor, other = of_role("one", roles.ADMINISTRATOR), of_role("two", roles.VIEWER)
    roles.give(actor, roles.VIEWER)
    with pytest.raises(accounts.Refused), accounts.changing(actor):
        User.objects.filter(pk=other.pk).update(is_active=False)
    assert User.objects.get(pk=other.pk).is_active


# Room groups and one's own password -----------------------------------------------------------------------------


def test_room_groups_are_made_renamed_and_deleted(boss):
    take(meeting(), meeting(uuid="two", host_id="HOST-2"))
    boss.post("/accounts/groups/new/", {"name": "  North\n wing ", "rooms": ["HOST-1"]})
    group = RoomGroup.objects.get()
    assert (group.name, [str(room) for room in group.rooms.all()]) == ("North wing", ["HOST-1"])
    user = of_role("anna", roles.VIEWER)
    limits.limit(user, [], [group])
    assert "1 account" in text(boss, "/accounts/groups/")
    boss.post(f"/accounts/groups/{group.pk}/", {"name": "South", "rooms": ["HOST-2"]})
    assert limits.allowed_rooms(User.objects.get(pk=user.pk)) == frozenset({"HOST-2"})
    again = boss.post("/accounts/groups/new/", {"name": "South"})
    assert again.status_code == 400
    assert "There is a room group of that name already." in again.content.decode()
    boss.post(f"/accounts/groups/{group.pk}/delete/")
    assert RoomGroup.objects.count() == 0
    # Whose only group is gone sees nothing, not everything.
    assert limits.allowed_rooms(User.objects.get(pk=user.pk)) == frozenset()


def test_everybody_changes_their_own_password(client):
    user = User.objects.create_user("anna", password="the old long one")
    client.post("/accounts/login/", {"username": "anna", "password": "the old long one"})
    assert "/accounts/password/" in client.get("/").content.decode()
    new = {"new_password1": "the new long one", "new_password2": "the new long one"}
    wrong = client.post("/accounts/password/", {"old_password": "no", **new})
    assert "Your old password was entered incorrectly" in wrong.content.decode()
    assert client.post("/accounts/password/", {"old_password": "the old long one", **new}).status_code == 302
    assert client.get("/").status_code == 200
    user.refresh_from_db()
    assert user.check_password("the new long one")


def test_who_has_no_password_is_not_asked_for_it():
    client = signed_in(User.objects.create_user("anna"))
    assert "/accounts/password/" not in client.get("/").content.decode()
    assert "This account has no password" in text(client, "/accounts/password/")
