"""The page of one meeting, as a browser without JavaScript gets it."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from dashboard import changes as words
from reports.figures import record
from reports.models import Change, Meeting
from tests.support import NOW, SHANGHAI, call, csv_rows, meeting, take, visit

pytestmark = pytest.mark.django_db


def kept(**changes):
    """The id of one meeting, imported."""
    made = meeting(**changes)
    take(made)
    return Meeting.objects.get(uuid=made["uuid"]).pk


def text(body: str) -> str:
    """What is to be read on a page, blanks folded."""
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def page(client, pk, query="", **headers):
    response = client.get(f"/meetings/{pk}/{query}", **headers)
    assert response.status_code == 200
    return response.content.decode()


def section(body: str, name: str) -> str:
    return re.search(rf'<(section|details) [^>]*id="{name}".*?</\1>', body, re.S)[0]


def names_on_the_axis(body: str) -> list[str]:
    rows = section(body, "timeline").partition('<ul class="tl-rows">')[2].partition("</ul>")[0]
    return re.findall(r'class="tl-name"[^>]*>([^<]*)<', rows)


def test_one_look_tells_who_was_there_when(admin):
    body = page(admin, kept())
    axis = section(body, "timeline")
    assert names_on_the_axis(body) == ["王伟", "Anna"]
    assert "Anna, 10:10:00 – 10:40:00, 30.0 min" in axis
    assert "10.0 min late" in axis
    assert "+8613912345678" in axis
    assert "¥0.60" in axis
    assert re.search(r"<b data-peak>2</b>, 10:10:00 – 10:40:00", axis)
    assert "9 Mar 2026" in axis
    assert body.count("<h1") == 1


def test_the_drawing_needs_no_inline_style_or_script(admin):
    body = page(admin, kept())
    assert " style=" not in body
    assert "<style" not in body
    assert not re.search(r"<script(?![^>]* src=)", body)


@pytest.mark.parametrize(
    ("order", "names"),
    [("", ["Cleo", "Anna", "Ben"]), ("minutes", ["Ben", "Anna", "Cleo"]), ("name", ["Anna", "Ben", "Cleo"])],
)
def test_the_order_is_kept_in_the_address(admin, order, names):
    visits = [
        visit("Ben", "10:03:00", "11:00:00"),
        visit("Cleo", "10:00:00", "10:05:00"),
        visit("Anna", "10:02:00", "10:30:00"),
    ]
    body = page(admin, kept(participants=visits), f"?order={order}" if order else "")
    assert names_on_the_axis(body) == names
    assert re.findall(r'<a href="/people/[^"]*" dir="auto">([^<]*)<', section(body, "attendees")) == names
    assert f'id="order-{order or "join"}"' in re.search(r'<a [^>]*aria-current="true"', section(body, "timeline"))[0]


@pytest.mark.parametrize("query", ["?order=shoe-size", "?rows=some", "?present=0", "?present=101"])
def test_a_wrong_value_says_which_and_why(admin, query):
    response = admin.get(f"/meetings/{kept()}/{query}")
    assert response.status_code == 400
    assert query[1:] in response.content.decode()


def rule(body: str) -> dict[str, str]:
    """What the table of attendees says of each name by the rule, and of its leave."""
    rows = re.findall(r"<tr>.*?</tr>", section(body, "attendees"), re.S)[1:]
    cells = [[text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows]
    return {name: f"{present}; {leave}" for name, _join, leave, _visits, _minutes, _share, present in cells}


def test_who_was_present_late_or_left_early_by_the_rule_of_the_address(admin):
    pk = kept(
        participants=[
            visit("Anna", "10:00:00", "11:00:00"),
            visit("Ben", "10:30:00", "10:54:59"),
            visit("Cleo", "10:00:00", "10:30:00"),
            visit("Dan", "10:00:00", "10:10:00"),
            visit("Dan", "10:00:00", None),
        ]
    )
    body = page(admin, pk)
    assert rule(body) == {
        "Anna": "present; 11:00:00",
        "Cleo": "present; 10:30:00 left 30.0 min early",
        "Dan": "present; 11:00:00 assumed",
        "Ben": "there for less; 10:54:59 left 5.0 min early",
    }
    assert "3 of 4 present" in text(section(body, "attendees"))
    assert "30.0 min late" in section(body, "attendees")
    strict = page(admin, pk, "?present=51&order=name")
    assert rule(strict)["Cleo"].startswith("there for less")
    assert 'value="51"' in section(strict, "attendees")
    # Whatever else is chosen on the page, the rule stays, and the rule leaves the rest.
    assert 'href="?order=minutes&amp;present=51"' in strict
    assert '<input type="hidden" name="order" value="name">' in section(strict, "attendees")


def test_the_rule_of_a_meeting_without_used_time_is_a_dash(admin):
    assert rule(page(admin, kept(participants=[visit("Anna", "10:30:00", "10:20:00")])))["Anna"].startswith("–")


def test_the_same_number_leads_to_its_series(admin):
    take(meeting(uuid="before", start_time="2026-03-02 10:00:00", end_time="2026-03-02 11:00:00", participants=[]))
    body = page(admin, kept(), "?present=60")
    address = re.search(r'href="(/series/number/[^"]*)"', body)[1].replace("&amp;", "&")
    assert address == "/series/number/1571106323/?period=all&present=60"
    assert admin.get(address).status_code == 200


def test_long_tables_show_their_first_rows_and_a_way_to_all(admin):
    pk = kept(participants=[visit(f"guest {n:02}", f"10:{n % 60:02}:00", "11:00:00") for n in range(60)])
    some, every = page(admin, pk, "?order=name"), page(admin, pk, "?order=name&rows=all")
    assert len(names_on_the_axis(some)) == 60
    assert section(some, "attendees").count("<tr>") == 51
    assert 'href="?order=name&amp;rows=all#attendees"' in some
    assert section(every, "attendees").count("<tr>") == 61
    assert "Show all" not in every


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"end_time": "2026-03-09 10:01:00"}, "ended 59.0 min before the booked end"),
        ({"end_time": "2026-03-09 11:12:00"}, "ran 12.0 min over"),
        ({}, "ended as booked"),
        ({"participants": []}, "Nobody came: the room was open"),
        ({"participants": [visit("Anna", "10:10:00", "10:40:00")]}, "Only one attendee came"),
        ({"participants": None}, "participants of this meeting were not reported"),
    ],
)
def test_how_it_ended_is_said_in_words(admin, changes, told):
    assert told in text(page(admin, kept(**changes)))


def test_unreported_is_a_dash_and_never_zero(admin):
    body = page(admin, kept(participants=None, telephony_usage=None))
    for figure in ("attendees", "peak_attendees", "attendee_minutes", "used_minutes", "calls", "call_cost"):
        value = re.search(rf'data-figure="{figure}"[^>]*>\s*([^<]*?)\s*<', body)[1]
        assert value == "–", figure


def test_an_unpriced_call_is_no_call_for_nothing(admin):
    body = page(admin, kept(telephony_usage=[call("+8613912345678", "10:05:00", "10:15:00", 10, None)]))
    assert "unpriced" in section(body, "timeline")
    assert "¥0" not in section(body, "timeline") + section(body, "calls")


def test_a_call_without_a_time_is_told_beneath(admin):
    odd = {**call("+8613912345678", "10:05:00", "10:15:00", 10, 1), "start_time": None, "end_time": None}
    axis = section(page(admin, kept(telephony_usage=[odd])), "timeline")
    assert "Without a time: +8613912345678 (call-out)" in text(axis)
    assert "tl-calls" not in axis


def test_who_may_not_see_numbers_sees_them_nowhere(viewer, admin, django_user_model):
    pk = kept()
    take(
        meeting(
            telephony_usage=[
                call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6),
                call("+8613700001111", "10:06:00", "10:15:00", 9, 1),
            ]
        )
    )
    assert "13912345678" in page(admin, pk)
    seen = page(viewer, pk)
    assert "+8613" in seen
    for hidden in ("912345", "700001"):
        assert hidden not in seen
    django_user_model.objects.get(username="viewer").user_permissions.add(
        Permission.objects.get(codename="see_phone_numbers")
    )
    assert "13912345678" in page(viewer, pk)


def test_the_csv_links_lead_to_this_meeting_alone(admin):
    pk = kept()
    take(meeting(uuid="another", meeting_id="222222222"))
    body = page(admin, pk)
    for table, rows in (("attendees", 2), ("participants", 2), ("telephony", 1)):
        address = re.search(rf'href="(/{table}\.csv\?[^"]+)"', body)[1].replace("&amp;", "&")
        got = csv_rows(b"".join(admin.get(address).streaming_content))
        assert [row["uuid"] for row in got] == ["abc+/DEF12345678=="] * rows


@pytest.mark.parametrize("name", ["Anna", "", "a/b", "..", "Ünïcode 王", "50% & <b>"])
def test_every_name_leads_to_its_own_page(admin, name):
    body = page(admin, kept(participants=[visit(name, "10:00:00", "10:30:00"), visit("Zoe", "10:01:00", "11:00:00")]))
    address = re.search(r'href="(/people/[^"]*)"', section(body, "attendees"))[1].replace("&amp;", "&")
    answer = admin.get(address)
    assert answer.status_code == 200
    assert "周例会" in answer.content.decode()


def test_the_other_records_of_the_number_and_the_neighbours_in_the_room(admin):
    def day(n, hour=10):
        return {
            "start_time": f"2026-03-{n:02} {hour}:00:00",
            "end_time": f"2026-03-{n:02} {hour}:30:00",
            "participants": [],
        }

    for n in range(1, 9):
        take(meeting(uuid=f"week-{n}", **day(n)))
    take(meeting(uuid="before", meeting_id="333333333", topic="Earlier", **day(9, 12)))
    pk = kept(uuid="this", **day(9, 14))
    take(meeting(uuid="after", meeting_id="333333333", topic="Later", **day(9, 16)))
    take(meeting(uuid="elsewhere", meeting_id="333333333", host_id="HOST-2", topic="Elsewhere", **day(9, 15)))
    body = page(admin, pk)
    beside = re.search(r'<nav class="meeting-beside".*?</nav>', body, re.S)[0]
    assert re.findall(r'title="([^"]+)"', beside) == ["Earlier", "Later"]
    near = record.same_number(Meeting.objects.get(pk=pk), NOW)
    assert near.total == 8
    assert [other.uuid for other, _figures in near.near] == ["week-8", "week-7", "week-6", "week-5"]
    assert "The nearest of 8 other records." in text(body)


def test_a_change_is_told_in_words(admin):
    pk = kept()
    take(
        meeting(
            topic="New name",
            duration=45,
            end_time="2026-03-09 11:05:00",
            participants=[
                visit("王伟", "10:00:00", "11:05:00"),
                visit("Anna", "10:10:00", "10:40:00"),
                visit("Ben", "10:10:00", "10:40:00"),
            ],
            telephony_usage=[],
        )
    )
    body = text(section(page(admin, pk), "changes"))
    assert "Topic 周例会 New name" in body
    assert "Booked 60.0 min 45.0 min" in body
    assert "End 9 Mar 2026 11:00:00 9 Mar 2026 11:05:00" in body
    assert "2 visits 3 visits +1 visit: Ben corrected: 王伟" in body
    assert "no calls any more; those reported before are kept" in body
    assert "[" not in body


def test_every_note_of_the_importer_is_known_to_the_page(admin):
    kept()
    take(meeting(participants=[], telephony_usage=[]))
    told = Change.objects.get().note
    for known in words.NOTES:
        assert known in told
        told = told.replace(known, "")
    assert told.strip() == ""


def test_a_field_that_nobody_knows_is_told_as_text(admin):
    pk = kept()
    Change.objects.create(
        meeting_id=pk,
        seen_at=NOW,
        before={"mood": "good", "participants": "?", "duration": "x"},
        after={"mood": ["bad"], "participants": 3, "duration": None},
    )
    body = text(section(page(admin, pk), "changes"))
    assert "mood good [&#x27;bad&#x27;]" in body
    assert "Booked x –" in body
    assert "Visits ? 3" in body


def running(number: int, now):
    start = (now - timedelta(minutes=30)).astimezone(SHANGHAI)
    return meeting(
        start_time=start.strftime("%Y-%m-%d %H:%M:%S"),
        end_time=None,
        telephony_usage=[],
        participants=[
            visit(f"guest {n}", start.strftime("%H:%M:%S"), None, start.strftime("%Y-%m-%d")) for n in range(number)
        ],
    )


def test_the_reports_of_a_growing_meeting_are_one_line(admin):
    noon = NOW
    for number in range(1, 7):
        take(running(number, noon), now=noon + timedelta(minutes=number))
    body = section(page(admin, Meeting.objects.get().pk), "changes")
    assert body.count("<details") == 1
    assert "5 reports while it grew 1 visit → 6 visits" in text(body)


def test_changes_of_two_days_are_two_lines(db):
    changes = [
        Change(seen_at=NOW + timedelta(hours=hours), before={"participants": []}, after={"participants": []})
        for hours in (27, 26, 25, 2, 1, 0)
    ]
    assert [(group.folded, len(group.changes)) for group in record.grouped(changes)] == [(True, 3), (True, 3)]
    changes[1].after["end_time"] = None
    assert [(group.folded, len(group.changes)) for group in record.grouped(changes)] == [(False, 3), (True, 3)]


def test_only_a_running_meeting_asks_for_itself_again(admin):
    now = timezone.now()
    take(running(2, now), now=now)
    pk = Meeting.objects.get().pk
    body = page(admin, pk, "?order=name")
    assert 'hx-trigger="every 30s"' in body
    assert f'hx-get="/meetings/{pk}/?order=name"' in body
    assert "still there" in text(section(body, "attendees"))
    fragment = page(admin, pk, HTTP_HX_REQUEST="true")
    assert "<html" not in fragment
    assert 'id="timeline"' in fragment
    start = now.astimezone(SHANGHAI) - timedelta(minutes=30)
    ended = {**running(2, now), "end_time": (start + timedelta(minutes=20)).strftime("%Y-%m-%d %H:%M:%S")}
    take(ended, now=now)
    assert "every 30s" not in page(admin, pk)


def test_the_page_asks_the_database_as_often_for_many_as_for_few(admin, django_assert_max_num_queries):
    pk = kept(participants=[visit(f"guest {n}", f"10:{n % 60:02}:00", "11:00:00") for n in range(80)])
    with django_assert_max_num_queries(25):
        page(admin, pk)
