"""What is written down of what was done: by whom, in the same transaction, and nothing secret."""

import json
from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client, RequestFactory
from django.utils import timezone

from dashboard import audit
from dashboard.models import ApiToken, AuditEntry, Budget, MailReport, RoomGroup, SavedView
from reports.models import Room, TrackedNumber
from tests.support import csv_rows, meeting, take

pytestmark = pytest.mark.django_db
PHONE = "+8613912345678"


def entries() -> list[tuple[str, str, str]]:
    """(account, what was done, to what), oldest first."""
    return list(AuditEntry.objects.order_by("pk").values_list("account_name", "action", "object"))


def everything() -> str:
    return json.dumps(
        list(AuditEntry.objects.values("object", "details", "account_name", "client")), ensure_ascii=False
    )


def test_signing_in_failing_and_signing_out_are_written_down_without_what_was_typed(django_user_model):
    django_user_model.objects.create_user("anna", password="right-horse-77")
    AuditEntry._base_manager.all().delete()
    client = Client(REMOTE_ADDR="203.0.113.9")
    client.post("/accounts/login/", {"username": "anna", "password": "wrong-horse-78"})
    # A password that slipped into the wrong field is nobody's name.
    client.post("/accounts/login/", {"username": "right-horse-77", "password": "anna"})
    client.post("/accounts/login/", {"username": "anna", "password": "right-horse-77"})
    client.post("/accounts/logout/")
    assert entries() == [
        ("", "sign-in-failed", "anna"),
        ("", "sign-in-failed", ""),
        ("anna", "signed-in", ""),
        ("anna", "signed-out", ""),
    ]
    assert set(AuditEntry.objects.values_list("client", flat=True)) == {"203.0.113.9"}
    assert "horse" not in everything()


def test_a_download_is_written_down_with_its_filter_and_without_a_whole_telephone_number(admin):
    take(meeting())
    AuditEntry._base_manager.all().delete()
    assert admin.get("/meetings.csv", {"period": "all", "q": "139 1234-5678", "room": "HOST-1"}).status_code == 200
    assert admin.get("/telephony.csv", {"period": "all", "phone": PHONE}).status_code == 200
    admin.head("/meetings.csv")
    admin.get("/meetings.csv", {"state": "wrong"})
    assert entries() == [("admin", "csv", "meetings"), ("admin", "csv", "telephony")]
    details = list(AuditEntry.objects.order_by("pk").values_list("details", flat=True))
    assert [one["by"] for one in details] == ["session", "session"]
    assert "room=HOST-1" in details[0]["filter"]
    assert "1234" not in everything()


def test_views_reports_and_budgets_are_written_down(admin, settings):
    Room.objects.create(host_id="H", name="Linden")
    AuditEntry._base_manager.all().delete()
    admin.post("/views/save/", {"name": "Mine", "path": "/meetings/", "query": f"q={PHONE[1:]}"})
    view = SavedView.objects.get()
    admin.post(f"/views/{view.pk}/change/", {"name": "Ours", "shared": "on"})
    admin.post(f"/views/{view.pk}/delete/")
    given = {
        "name": "R",
        "frequency": "daily",
        "hour": "8",
        "table": "",
        "language": "en",
        "recipients": "a@example.com",
    }
    admin.post("/mail/new/", {**given, "path": "/meetings/", "query": ""})
    report = MailReport.objects.get()
    admin.post(f"/mail/{report.pk}/", {**given, "hour": "9"})
    admin.post(f"/mail/{report.pk}/pause/")
    admin.post(f"/mail/{report.pk}/pause/")
    admin.post(f"/mail/{report.pk}/delete/")
    budget = {"room": "", "amount": "100", "thresholds": "50", "recipients": "a@example.com", "language": "en"}
    admin.post("/budgets/new/", budget)
    pk = Budget.objects.get().pk
    admin.post(f"/budgets/{pk}/", {**budget, "amount": "200"})
    admin.post(f"/budgets/{pk}/delete/")
    assert [one[1] for one in entries()] == [
        *("view-made", "view-changed", "view-deleted"),
        *("mail-made", "mail-changed", "mail-paused", "mail-resumed", "mail-deleted"),
        *("budget-made", "budget-changed", "budget-deleted"),
    ]
    assert {one[0] for one in entries()} == {"admin"}
    assert "12345678" not in everything()


def test_rooms_numbers_and_pulls_are_written_down(admin):
    Room.objects.create(host_id="H", name="Linden")
    AuditEntry._base_manager.all().delete()
    admin.post("/rooms/rename/", {"host_id": "H", "label": "Oak"})
    admin.post("/rooms/rename/", {"host_id": "H", "label": "Oak"})  # changes nothing
    admin.post("/data/track/", {"numbers": "157-110-6323"})
    admin.post("/data/pull/")
    assert entries() == [
        ("admin", "room-renamed", "H"),
        ("admin", "numbers-tracked", ""),
        ("admin", "pull-started", ""),
    ]
    assert AuditEntry.objects.get(action="room-renamed").details == {"changes": {"label": ["", "Oak"]}}


def test_accounts_and_roles_are_written_down_whoever_changes_them(admin, django_user_model):
    AuditEntry._base_manager.all().delete()
    user = django_user_model.objects.create_user("bo", password="first-pass-1234")
    group = Group.objects.create(name="Readers")
    permission = Permission.objects.get(codename="see_audit")
    group.permissions.add(permission)
    user.groups.add(group)
    user.email = "bo@example.com"
    user.set_password("second-pass-1234")
    user.save()
    group.user_set.clear()
    user.user_permissions.set([permission])
    user.user_permissions.clear()
    # On the site, by whoever is signed in there.
    assert admin.post(f"/accounts/{user.pk}/active/", {"active": "0"}).status_code == 302
    user.delete()
    group.delete()
    assert [(who, did, what) for who, did, what in entries()] == [
        ("", "account-made", "bo"),
        ("", "group-made", "Readers"),
        ("", "group-changed", "Readers"),
        ("", "role-changed", "bo"),
        ("", "account-changed", "bo"),
        ("", "role-changed", "bo"),
        ("", "role-changed", "bo"),
        ("", "role-changed", "bo"),
        ("admin", "account-changed", "bo"),
        ("", "account-deleted", "bo"),
        ("", "group-deleted", "Readers"),
    ]
    changed = AuditEntry.objects.filter(action="account-changed").order_by("pk")
    assert changed[0].details == {"changes": {"email": ["", "bo@example.com"]}, "renewed": True}
    assert changed[1].details["changes"]["is_active"] == [True, False]
    assert "pass-1234" not in everything()
    assert user.password not in everything()


def test_an_entry_outlives_its_account_with_its_name(django_user_model):
    user = django_user_model.objects.create_user("gone")
    audit.note(user, "pull-started")
    user.delete()
    entry = AuditEntry.objects.get(action="pull-started")
    assert (entry.account_id, entry.account_name) == (None, "gone")


def test_whoever_deletes_the_own_account_is_known_by_name(django_user_model):
    root = django_user_model.objects.create_superuser("root2")
    request = RequestFactory().post("/")
    request.user = root
    mark = audit.asking.set(request)
    root.delete()
    audit.asking.reset(mark)
    entry = AuditEntry.objects.get(action="account-deleted")
    assert (entry.account_id, entry.account_name, entry.object) == (None, "root2", "root2")


def test_a_password_hashed_anew_at_sign_in_is_no_change(django_user_model, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher"]
    user = django_user_model.objects.create_user("anna", password="right-horse-77")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    AuditEntry._base_manager.all().delete()
    before = user.password
    Client().post("/accounts/login/", {"username": "anna", "password": "right-horse-77"})
    user.refresh_from_db()
    assert user.password != before
    assert [one[1] for one in entries()] == ["signed-in"]


def test_what_is_undone_was_not_done(admin):
    AuditEntry._base_manager.all().delete()

    def fails() -> None:
        with transaction.atomic():
            audit.note(None, "pull-started")
            TrackedNumber.objects.create(number="157110632")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not AuditEntry.objects.exists()


def test_a_change_whose_entry_cannot_be_written_is_not_made(admin, monkeypatch):
    Room.objects.create(host_id="H", name="Linden")

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(audit, "note", fails)
    given = {
        "name": "R",
        "frequency": "daily",
        "hour": "8",
        "table": "",
        "language": "en",
        "recipients": "a@example.com",
    }
    for path, data in (
        ("/rooms/rename/", {"host_id": "H", "label": "Oak"}),
        ("/views/save/", {"name": "Mine", "path": "/meetings/", "query": ""}),
        ("/data/track/", {"numbers": "157-110-6323"}),
        ("/mail/new/", {**given, "path": "/meetings/", "query": ""}),
        ("/tokens/new/", {"name": "t", "expires": ""}),
    ):
        with pytest.raises(ZeroDivisionError):
            admin.post(path, data)
    assert not Room.objects.filter(label="Oak").exists()
    for model in (SavedView, TrackedNumber, MailReport, ApiToken):
        assert not model._default_manager.exists()
    with pytest.raises(ZeroDivisionError):
        admin.get("/meetings.csv")


def test_entries_are_neither_changed_nor_removed(admin):
    audit.note(None, "pull-started")
    entry = AuditEntry.objects.latest("pk")
    for deed in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(action="x"),
        lambda: AuditEntry.objects.bulk_update([entry], ["action"]),
    ):
        with pytest.raises(TypeError), transaction.atomic():
            deed()
    address = f"/admin/dashboard/auditentry/{entry.pk}"
    assert admin.get(f"{address}/change/").status_code == 200
    assert admin.post(f"{address}/change/", {"action": "x"}).status_code == 403
    assert admin.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/dashboard/auditentry/add/").status_code == 403
    entry.refresh_from_db()
    assert entry.action == "pull-started"


def test_details_are_bounded_and_hold_no_secret():
    entry = audit.note(None, "csv", "x" * 5000, password="p", new_secret="s", list=list(range(1000)), text="y" * 9999)
    entry.refresh_from_db()
    assert len(entry.object) == 300
    assert entry.details["password"] == entry.details["new_secret"] == "…"
    assert entry.details["list"][-1] == "+980"
    assert len(json.dumps(audit.bounded({str(n): "z" * 300 for n in range(100)}))) < 5000 + 300 * 100
    huge = audit.bounded({str(n): ["z" * 300] * 20 for n in range(10)})
    assert huge == {"cut": True}


@pytest.mark.parametrize(
    ("trusted", "given", "told"),
    [
        ("", "198.51.100.7", "203.0.113.9"),
        ("203.0.113.9/32", "198.51.100.7, 192.0.2.4", "192.0.2.4"),
        ("203.0.113.9/32", "", "203.0.113.9"),
        ("203.0.113.9/32", "<script>", "203.0.113.9"),
    ],
)
def test_the_address_is_what_the_own_proxy_saw_and_never_what_a_client_wrote(admin, settings, trusted, given, told):
    settings.TRUSTED_PROXIES = [ip_network(trusted)] if trusted else []
    AuditEntry._base_manager.all().delete()
    admin.get("/meetings.csv", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR=given)
    assert AuditEntry.objects.get().client == told


def test_who_may_see_what_is_written_down(admin, django_user_model):
    user = django_user_model.objects.create_user("bo")
    Room.objects.create(host_id="H", name="Linden")
    given = {"username": "bo", "role": "Viewer", "sees": "some", "rooms": ["H"], "name": "", "email": ""}
    AuditEntry._base_manager.all().delete()
    assert admin.post("/accounts/groups/new/", {"name": "North", "rooms": ["H"]}).status_code == 302
    given["groups"] = [str(RoomGroup.objects.get().pk)]
    assert admin.post(f"/accounts/{user.pk}/", given).status_code == 302
    assert admin.post(f"/accounts/{user.pk}/", given).status_code == 302  # nothing changed
    assert admin.post(f"/accounts/{user.pk}/link/").status_code == 200
    assert admin.post(f"/accounts/{user.pk}/", {**given, "sees": "all"}).status_code == 302
    assert admin.post(f"/accounts/groups/{RoomGroup.objects.get().pk}/delete/").status_code == 302
    told = [(one.action, one.details) for one in AuditEntry.objects.order_by("pk")]
    assert [one for one in told if one[0] != "role-changed"] == [
        ("rooms-grouped", {"rooms": ["H"]}),
        ("limits-changed", {"rooms": ["H"], "room_groups": ["North"]}),
        ("link-made", {}),
        ("limits-changed", {"all_rooms": True}),
        ("rooms-ungrouped", {}),
    ]
    assert "set-password" not in everything()


def test_the_page_calls_rooms_and_roles_by_their_names(admin, django_user_model):
    user = django_user_model.objects.create_user("bo")
    room = Room.objects.create(host_id="HOST-7", name="Linden")
    given = {"username": "bo", "role": "Manager", "sees": "some", "rooms": [room.host_id], "name": "", "email": ""}
    admin.post(f"/accounts/{user.pk}/", given)
    admin.post("/accounts/groups/new/", {"name": "North", "rooms": [room.host_id]})
    admin.post("/rooms/rename/", {"host_id": room.host_id, "label": "Oak"})
    admin.post("/views/save/", {"name": "Kept", "path": f"/rooms/{room.host_id}/", "query": ""})
    page = admin.get("/audit/").content.decode()
    assert page.count("rooms: Oak") == 2
    assert "Room: Oak" in page
    assert room.host_id not in page
    chinese = admin.get("/audit/", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "授予的角色：主管" in chinese
    # A room that is not known any more is called as it was written down.
    room.delete()
    assert f"rooms: {room.host_id}" in admin.get("/audit/").content.decode()


# The page -------------------------------------------------------------------------------------------------


def test_the_page_and_its_csv_tell_the_same_in_words_and_each_value_narrows(admin, viewer, django_user_model):
    Room.objects.create(host_id="H", name="Linden")
    AuditEntry._base_manager.all().delete()
    admin.get("/meetings.csv", {"room": "H", "state": "empty"})
    admin.post("/rooms/rename/", {"host_id": "H", "label": "=Oak"})
    audit.note(django_user_model.objects.get(username="viewer"), "pull-started")
    page = admin.get("/audit/").content.decode()
    for words in ("downloaded a CSV table", "renamed a room", "started a pull", "State: empty", "own name: – → =Oak"):
        assert words in page, words
    for raw in ("room-renamed", "pull-started", "state=empty"):
        assert f">{raw}" not in page
    assert "action=room-renamed" in page
    assert "account=viewer" in page
    narrowed = admin.get("/audit/", {"action": "room-renamed"}).context["page"].object_list
    assert [entry.action for entry in narrowed] == ["room-renamed"]
    assert [entry.action for entry in admin.get("/audit/", {"account": "viewer"}).context["page"].object_list] == [
        "pull-started"
    ]
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    assert not admin.get("/audit/", {"from": tomorrow, "to": tomorrow}).context["page"].object_list
    response = admin.get("/audit.csv", {"action": "room-renamed"})
    body = b"".join(response.streaming_content)
    assert body.startswith(b"\xef\xbb\xbf")
    (row,) = csv_rows(body)
    assert (row["account"], row["action"], row["object"]) == ("admin", "room-renamed", "H")
    assert AuditEntry.objects.latest("pk").object == "audit"
    assert "Linden" not in body.decode()
    for wrong in ({"action": "nothing"}, {"from": "x"}):
        assert admin.get("/audit/", wrong).status_code == 400
        assert admin.get("/audit.csv", wrong).status_code == 400
    assert viewer.get("/audit/").status_code == 403
    assert viewer.get("/audit.csv").status_code == 403
    assert "/audit/" not in viewer.get("/").content.decode()
    assert "/audit/" in admin.get("/").content.decode()


def test_the_page_asks_the_database_no_oftener_for_more_entries(admin, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def asked(count: int) -> int:
        for number in range(count):
            audit.note(None, "csv", "meetings", filter=f"room=H{number}&period=all")
        with CaptureQueriesContext(connection) as queries:
            assert admin.get("/audit/").status_code == 200
        return len(queries)

    asked(1)
    assert asked(2) == asked(40)


def test_a_formula_in_an_entry_is_not_run_by_a_spreadsheet(admin):
    audit.note(None, "view-made", "=1+1")
    rows = csv_rows(b"".join(admin.get("/audit.csv", {"action": "view-made"}).streaming_content))
    assert [row["object"] for row in rows] == ["'=1+1"]


def test_every_deed_has_words_in_both_languages(admin):
    for code, _label in AuditEntry.Action.choices:
        audit.note(None, code, "x", meetings=1)
    for language in ("en", "zh-hans"):
        page = admin.get("/audit/", headers={"accept-language": language}).content.decode()
        assert page.count("<tr>") >= len(AuditEntry.Action.choices)
    assert "下载" in page


def test_tokens_of_a_deleted_account_go_with_it(django_user_model):
    user: User = django_user_model.objects.create_user("t")
    ApiToken.objects.create(account=user, name="n", hash="h", prefix="p", created_at=timezone.now())
    user.delete()
    assert not ApiToken.objects.exists()
