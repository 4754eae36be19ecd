"""/metrics: for callers on this computer or with the token, 404 for all others; figures of the database, no names."""

from datetime import timedelta

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from reports import folding
from reports.models import Pull, PulledDay, Rejected, Source, TrackedNumber
from tests.support import NOW, meeting, take

pytestmark = pytest.mark.django_db
TOKEN = "metrics-token-1"


def read(client: Client, **asked) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics", **asked)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (
            sample.name.removeprefix("roomledger_"),
            *(value for _name, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("asked", "token", "status"),
    [
        ({}, "", 200),
        ({"REMOTE_ADDR": "::1"}, "", 200),
        ({"REMOTE_ADDR": "10.0.0.7"}, "", 404),
        ({"REMOTE_ADDR": ""}, "", 404),
        # A proxy on this computer passes on whoever comes.
        ({"headers": {"X-Forwarded-For": "10.0.0.7"}}, "", 404),
        ({"headers": {"X-Forwarded-Proto": "https"}}, "", 404),
        ({"headers": {"Authorization": f"Bearer {TOKEN}"}}, "", 404),
        ({"headers": {"Authorization": "Bearer "}, "REMOTE_ADDR": "10.0.0.7"}, "", 404),
        ({"headers": {"Authorization": f"Bearer {TOKEN}"}, "REMOTE_ADDR": "10.0.0.7"}, TOKEN, 200),
        ({"headers": {"Authorization": f"bearer {TOKEN}", "X-Forwarded-For": "10.0.0.7"}}, TOKEN, 200),
        ({"headers": {"Authorization": f"Bearer {TOKEN}x"}, "REMOTE_ADDR": "10.0.0.7"}, TOKEN, 404),
        ({"headers": {"Authorization": f"Basic {TOKEN}"}, "REMOTE_ADDR": "10.0.0.7"}, TOKEN, 404),
        ({}, TOKEN, 200),
    ],
)
def test_who_may_read_it(settings, asked, token, status):
    settings.METRICS_TOKEN = token
    assert Client().get("/metrics", **asked).status_code == status


def test_the_figures_are_those_of_the_database(time_machine):
    time_machine.move_to(NOW, tick=False)
    take(meeting())
    folding.fold()
    take(meeting(uuid="b", start_time="2026-03-01 10:00:00", end_time="2026-03-01 11:00:00"))
    Source.objects.create(name="dates", asked_at=NOW - timedelta(hours=5), failures=3, last_error="Anna")
    Source.objects.create(name="rooms", refused_at=NOW)
    PulledDay.objects.create(day=NOW.date(), next_due_at=NOW)
    TrackedNumber.objects.create(number="1571106323", next_due_at=NOW - timedelta(hours=2))
    Rejected.objects.create(identity="x", raw="{}", field="f", reason="Anna", first_seen_at=NOW)
    Pull.objects.update(ended_at=NOW)
    Pull.objects.create(source="dates", started_at=NOW)
    found = read(Client())
    assert found["pull_last_success_age_seconds", "dates"] == 5 * 3600
    assert ("pull_last_success_age_seconds", "rooms") not in found  # unknown is no zero
    assert [found["pull_failures", name] for name in ("dates", "rooms", "numbers", "summary")] == [3, 0, 0, 0]
    assert [found["pull_refused", name] for name in ("dates", "rooms")] == [0, 1]
    assert [found["due", what] for what in ("numbers", "days", "totals")] == [1, 1, 0]
    assert [found["late", what] for what in ("numbers", "days", "totals")] == [1, 0, 0]
    assert [found["kept_rows", what] for what in ("meetings", "visits", "calls", "rooms")] == [2, 4, 2, 1]
    assert found["days_to_add_up",] == 2
    assert (found["rejected_records",], found["pulls_running",], found["outage_seconds",]) == (1, 1, 5 * 3600)
    assert found["database_bytes",] > 100_000
    # Its labels come by their names: the database, the schema, the version.
    (build,) = [labels for labels in found if labels[0] == "build_info"]
    assert build[1] in {"SQLite", "PostgreSQL"}
    assert build[2].startswith("0")


def test_no_name_and_no_number_is_in_it():
    take(meeting())
    Source.objects.create(name="dates", failures=3, last_error="Anna 1571106323")
    text = Client().get("/metrics").content.decode()
    for word in ("Anna", "王伟", "1571106323", "HOST-1", "13912345678", "周例会"):
        assert word not in text


def test_an_empty_ledger_answers():
    found = read(Client())
    assert found["kept_rows", "meetings"] == 0
    assert Client().post("/metrics").status_code == 405
