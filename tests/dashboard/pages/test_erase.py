"""The pages that erase a display name and hand out what is held on it, and what accounts have set up of it."""

import json
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from dashboard import audit, erasing
from dashboard.models import AuditEntry, MailReport, SavedView
from reports import privacy
from reports.models import ErasedName, Participant
from reports.text import REMOVED, fold
from tests.reports.test_privacy import where_is
from tests.support import NOW, meeting, take, visit

pytestmark = pytest.mark.django_db
NAME = "王伟 Quartz"


@pytest.fixture
def eraser(django_user_model) -> Client:
    """Somebody who may erase names, and nothing else."""
    user = django_user_model.objects.create_user("eraser")
    user.user_permissions.add(Permission.objects.get(codename="erase_names"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def met() -> None:
    take(meeting(participants=[visit(NAME, "10:00:00", "11:00:00"), visit("Bo", "10:00:00", "10:30:00")]))


def test_the_page_asks_first_and_then_erases(eraser, met):
    address = f"/people/{NAME}/erase/"
    page = eraser.get(address)
    assert page.status_code == 200
    assert NAME in page.content.decode()
    assert f'href="/people/{quote(fold(NAME))}/held.json"' in page.content.decode()
    # Who has not said that it is meant is asked again, at the box.
    again = eraser.post(address)
    assert again.status_code == 400
    assert 'id="id_sure_error"' in again.content.decode()
    assert 'aria-describedby="id_sure_error"' in again.content.decode()
    assert Participant.objects.filter(name=NAME).exists()
    response = eraser.post(address, {"sure": "on"}, follow=True)
    assert response.redirect_chain == [("/people/", 302)]
    assert "erased from 1 meeting" in response.content.decode()
    assert where_is(NAME) == []
    assert eraser.get(address).status_code == 404
    assert eraser.post(address, {"sure": "on"}).status_code == 404
    entry = AuditEntry.objects.get(action="name-erased")
    assert (entry.account_name, entry.object) == ("eraser", "")
    assert entry.details["visits"] == 1
    for session in Session.objects.all():
        assert NAME not in str(session.get_decoded())


def test_what_is_held_comes_as_a_download(eraser, met):
    response = eraser.get(f"/people/{NAME}/held.json")
    assert response["Content-Disposition"] == 'attachment; filename="held.json"'
    assert "no-store" in response["Cache-Control"]
    told = json.loads(response.content)
    assert [one["name"] for one in told["visits"]] == [NAME]
    assert "Bo" not in response.content.decode()
    entry = AuditEntry.objects.get(action="held-exported")
    assert NAME not in str(entry.details)
    assert where_is(NAME)


def test_only_whoever_may_is_led_there(eraser, viewer, met):
    for path in ("erase/", "held.json"):
        assert viewer.get(f"/people/{NAME}/{path}").status_code == 403
        assert Client().get(f"/people/{NAME}/{path}").status_code == 302
        assert eraser.get(f"/people/nobody/{path}").status_code == 404
    assert viewer.post(f"/people/{NAME}/erase/").status_code == 403
    assert "erase/" not in viewer.get(f"/people/{NAME}/").content.decode()
    assert "erase/" in eraser.get(f"/people/{NAME}/").content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="eraser"))
    assert strict.post(f"/people/{NAME}/erase/").status_code == 403
    assert not ErasedName.objects.exists()


def test_an_account_that_sees_some_rooms_only_may_do_neither(eraser, met, monkeypatch):
    from dataclasses import replace

    from dashboard.pages import base

    plain = base.parse_for
    monkeypatch.setattr(base, "parse_for", lambda *given: replace(plain(*given), allowed_rooms=frozenset({"HOST-1"})))
    assert eraser.get(f"/people/{NAME}/held.json").status_code == 403
    assert eraser.post(f"/people/{NAME}/erase/").status_code == 403


def test_it_goes_from_views_reports_and_the_audit_and_all_else_stays(admin, met):
    owner = User.objects.get(username="admin")

    def kept(model, name: str, path: str, query: str):
        return model.objects.create(owner=owner, name=name, path=path, query=query)

    for model in (SavedView, MailReport):
        kept(model, "a", "/people/%E7%8E%8B%E4%BC%9F%20quartz/", "")
        kept(model, "b", "/meetings/", "name=%E7%8E%8B%E4%BC%9F+quartz")
        kept(model, "c", "/meetings/", "q=%E7%8E%8B%E4%BC%9F+QUARTZ")
        kept(model, f"Of {NAME}", "/meetings/", "q=x")
        kept(model, "stays", "/meetings/", "q=quartz")
    b"".join(admin.get("/meetings.csv", {"q": NAME, "period": "all"}).streaming_content)
    admin.post("/views/save/", {"name": f"To {NAME}", "path": f"/people/{NAME}/", "query": ""})
    audit.note(owner, "view-changed", f"{NAME}'s", page=f"/people/{NAME}/", filter="", shared=True)
    view = SavedView.objects.get(name="b")
    admin.post(f"/admin/dashboard/savedview/{SavedView.objects.get(name=f'To {NAME}').pk}/delete/", {"post": "yes"})
    assert LogEntry.objects.filter(object_repr__contains=NAME).exists()
    assert len(where_is(NAME)) > 8
    entries = AuditEntry.objects.count()
    privacy.erase(NAME, NOW)
    assert where_is(NAME) == []
    for model in (SavedView, MailReport):
        names = set(model.objects.values_list("name", flat=True))
        assert "stays" in names
        assert len(names) == 2
        assert any(name.startswith(REMOVED) for name in names)
    assert not SavedView.objects.filter(pk=view.pk).exists()
    assert AuditEntry.objects.count() == entries + 1
    assert AuditEntry.objects.latest("pk").details["views"] == 8
    assert admin.get("/audit/").status_code == 200
    assert admin.get("/views/").status_code == 200


def test_an_account_of_the_same_name_stays_in_the_audit(django_user_model, met):
    user = django_user_model.objects.create_user("bo")
    audit.note(user, "account-changed", "bo", recipients=["bo@example.com"])
    privacy.erase("Bo", timezone.now())
    entry = AuditEntry.objects.get(action="account-changed")
    assert (entry.account_name, entry.object, entry.details) == ("bo", "bo", {"recipients": ["bo@example.com"]})


def test_an_address_is_of_a_name_by_its_page_its_filter_or_its_search():
    assert erasing.in_address("/people/Anna/", "", "anna")
    assert erasing.in_address("/people/a%2Fb/", "", "a/b")
    assert erasing.in_address("/", "period=all&name=ANNA", "anna")
    assert not erasing.in_address("/people/Annabel/", "topic=anna", "anna")


# How it is shown ------------------------------------------------------------------------------------------


def test_pages_say_that_names_were_removed(admin, settings):
    settings.RETENTION_NAMES_DAYS = 30
    for number in range(3):
        day = f"2026-03-0{number + 1}"
        take(
            meeting(
                uuid=str(number),
                start_time=f"{day} 10:00:00",
                end_time=f"{day} 11:00:00",
                participants=[visit("Anna", "10:00:00", "11:00:00", day), visit("Bo", "10:00:00", "10:30:00", day)],
            )
        )
    privacy.prune(NOW.replace(year=2027))
    settings.RETENTION_NAMES_DAYS = None
    take(meeting(uuid="new", participants=[visit("Cy", "10:00:00", "11:00:00")]))
    pk = Participant.objects.exclude(name="Cy").values_list("meeting", flat=True)[0]
    page = admin.get(f"/meetings/{pk}/").content.decode()
    assert "attendee 2 (name removed)" in page
    assert "(number removed)" in page
    chinese = admin.get(f"/meetings/{pk}/", headers={"accept-language": "zh-hans"}).content.decode()
    assert "name removed" not in chinese
    people = admin.get("/people/", {"period": "all"}).content.decode()
    assert people.count("(names removed)") == 1
    one = admin.get(f"/people/{REMOVED}/", {"period": "all"})
    assert one.context["page"].paginator.count == 6
    assert "erase/" not in one.content.decode()
    series = admin.get("/series/number/1571106323/", {"period": "all"}).content.decode()
    assert "Of 6 attendances the names were removed" in series
    assert 'title="names removed"' in series or "names removed" in series
    listed = admin.get("/series/", {"period": "all"})
    assert listed.status_code == 200
    telephony = admin.get("/telephony/", {"period": "all"}).content.decode()
    assert "(number removed)" in telephony
    for table in ("attendees", "participants", "telephony"):
        body = b"".join(admin.get(f"/{table}.csv", {"period": "all", "name": REMOVED}).streaming_content).decode()
        assert "Anna" not in body
        assert body.count("\n") > 1
