"""Lines of the log: JSON that programs read, which request, task and pull they belong to, nothing secret in them."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard import middleware
from reports import logs, pulling
from tests.faults.processes import ROOT
from tests.support import NOW, SECRET, meeting, take

WRITE = """
import django; django.setup()
import logging, sys
from reports import logs
with logs.belonging(request=sys.argv[1]):
    for number in range(300):
        logging.getLogger("reports.test").info("line %d %s", number, "长" * 9000)
"""


@pytest.fixture
def lines():
    """What is logged, as the file gets it."""
    found: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record):
            found.append(json.loads(logs.Json().format(record)))

    handler = Keep()
    handler.addFilter(logs.Belongs())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield found
    root.removeHandler(handler)
    root.setLevel(before)


def of_requests(lines):
    return [line for line in lines if line["logger"] == "dashboard.middleware"]


@pytest.mark.django_db
def test_each_request_has_an_id_and_one_line(viewer, lines):
    take(meeting())
    answer = viewer.get("/meetings/?period=all&q=geheim&room=HOST-1&state=ended")
    (line,) = of_requests(lines)
    assert line["request"] == answer["X-Request-ID"]
    assert logs.REQUEST_ID.fullmatch(line["request"])
    assert (line["method"], line["status"], line["level"]) == ("GET", 200, "INFO")
    assert line["path"] == "/meetings/?period=all&q=***&room=***&state=ended"
    assert isinstance(line["milliseconds"], int)
    assert isinstance(line["account"], int)
    assert line["time"].endswith("+00:00")
    other = viewer.get("/rooms/")["X-Request-ID"]
    assert other != line["request"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "taken"),
    [("abc-123.x:Y_z", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("a\r\nb", False), ("<b>", False)],
)
def test_an_id_of_plain_characters_is_taken_over(given, taken):
    answer = Client().get("/healthz", headers={"X-Request-ID": given})
    assert (answer["X-Request-ID"] == given) == taken


@pytest.mark.django_db
def test_names_topics_and_tokens_of_an_address_are_left_out(viewer, lines):
    take(meeting())
    viewer.get("/people/Anna/?period=all")
    viewer.get("/series/topic/%E5%91%A8%E4%BE%8B%E4%BC%9A/")
    viewer.get("/mail/unsubscribe/tokentoken/")
    viewer.get("/nowhere/?%00%0a=1&q=1")
    text = json.dumps(of_requests(lines), ensure_ascii=False)
    assert len(of_requests(lines)) == 4
    for word in ("Anna", "周例会", "tokentoken", "\\n", "\\u0000"):
        assert word not in text
    assert middleware.TOLD.isdisjoint({"q", "phone", "name", "room", "number", "topic", "uuid"})


@pytest.mark.django_db
def test_the_secret_of_a_set_up_link_is_left_out(lines):
    Client().get("/setup/quite-a-secret/")
    (line,) = [one for one in lines if one["logger"] == "dashboard.middleware"]
    assert line["path"] == "/setup/<str:secret>/"


def test_a_page_that_breaks_shows_the_id_that_its_lines_carry(viewer, lines, monkeypatch):
    from reports.figures import coverage

    def broken():
        raise ValueError("broken")

    monkeypatch.setattr(coverage, "freshness", broken)
    viewer.raise_request_exception = False
    answer = viewer.get("/data/")
    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.content.decode()
    (line,) = [line for line in lines if "error" in line]
    assert line["request"] == answer["X-Request-ID"]
    assert "ValueError: broken" in line["error"]


@pytest.mark.django_db
def test_lines_of_a_pull_carry_its_id(api, fixed, lines):
    fixed.records = [meeting()]
    with pulling.make_client() as client:
        pull = pulling.pull_numbers(client, lambda: NOW, numbers=["1571106323"])
    (line,) = [line for line in lines if line["message"].startswith("pull numbers done")]
    assert line["pull"] == pull.pk
    assert logs.current("pull") is None


def test_no_secret_gets_into_a_line_whatever_is_logged(settings):
    settings.UMEET_API_SECRET, settings.METRICS_TOKEN = SECRET, "token-of-metrics"
    record = logging.LogRecord("x", logging.INFO, "", 0, "said %s and %s", (SECRET, "token-of-metrics"), None)
    for formatter in (logs.Json(), logs.Line("%(message)s%(where)s")):
        text = formatter.format(record)
        assert SECRET not in text
        assert "token-of-metrics" not in text
        assert "***" in text


def test_many_processes_write_whole_lines_into_one_file(tmp_path):
    import os

    names = ("DATABASE_URL", "DATA_DIR")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in names},
        "DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
    }
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITE, f"writer-{number}"], env=environment, cwd=ROOT)
        for number in range(3)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    written = [json.loads(line) for line in (tmp_path / "roomledger.log").read_text(encoding="utf-8").splitlines()]
    assert len(written) == 900
    assert {(line["request"], line["message"].split()[1]) for line in written} == {
        (f"writer-{writer}", str(number)) for writer in range(3) for number in range(300)
    }


@pytest.mark.parametrize(("chosen", "json_there"), [("", True), ("json", True), ("line", False)])
def test_the_form_of_the_file_can_be_chosen(migrated, chosen, json_there):
    environment = {**migrated, "LOG_FORMAT": chosen, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    code = "import django; django.setup(); import logging; logging.getLogger('a.b').info('hello')"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)
    text = (Path(migrated["DATA_DIR"]) / "roomledger.log").read_text()
    assert text.startswith("{") == json_there
    assert "hello" in text
