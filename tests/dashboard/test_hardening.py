"""What every answer carries, what is not taken in, where no redirect leads, and when a start is refused."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as site
from django.test import Client
from django.urls import path
from django.views.decorators.http import require_safe

from dashboard import launcher, urls
from reports.csvtable import FORMULA
from tests.faults.processes import ROOT

HEADERS = {
    "Content-Security-Policy": r"default-src 'self'",
    "X-Frame-Options": r"^DENY$",
    "X-Content-Type-Options": r"^nosniff$",
    "Referrer-Policy": r"^same-origin$",
    "Cross-Origin-Opener-Policy": r"^same-origin$",
    "Cross-Origin-Resource-Policy": r"^same-origin$",
    "Permissions-Policy": r"camera=\(\).*geolocation=\(\).*microphone=\(\)",
}


@require_safe
def broken(request):
    raise RuntimeError("as a test")


urlpatterns = [*urls.urlpatterns, path("broken/", broken)]
handler400 = urls.handler400


def static_file() -> str:
    from django.templatetags.static import static

    return static("js/theme.js")


@pytest.mark.django_db
@pytest.mark.urls("tests.dashboard.test_hardening")
@pytest.mark.parametrize(
    ("address", "status", "more"),
    [
        ("/accounts/login/", 200, {}),
        ("/", 302, {}),
        ("/nowhere/", 404, {}),
        ("/healthz", 200, {}),
        ("/setup/x/", 302, {}),
        ("/data/?period=x", 400, {}),
        ("/meetings.csv?period=all", 200, {}),
        ("/meetings.csv?period=x", 400, {}),
        ("/meetings/999/", 404, {}),
        ("/broken/", 500, {}),
        ("/data/", 400, {"HTTP_HOST": "rebound.evil.example"}),
        ("STATIC", 200, {}),
        ("/static/none.js", 404, {}),
    ],
)
def test_every_answer_carries_its_headers(admin, address, status, more):
    signed_in = address.startswith(("/data", "/meetings", "/broken", "/static"))
    client = admin if signed_in else Client()
    client.raise_request_exception = False
    answer = client.get(static_file() if address == "STATIC" else address, **more)
    answer.close()
    assert answer.status_code == status
    for name, pattern in HEADERS.items():
        assert re.search(pattern, answer.headers.get(name, "")), f"{address}: {name}: {answer.headers.get(name)}"
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    for part in ("object-src 'none'", "base-uri 'self'", "form-action 'self'", "frame-ancestors 'none'"):
        assert part in policy


def test_the_demo_answers_to_its_own_names_only(client):
    for host in ("rebound.evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8000"):
        assert client.get("/accounts/login/", HTTP_HOST=host).status_code == 400
    assert launcher._is_loopback("127.0.0.1")
    assert launcher._is_loopback("::1")
    for host in ("127.evil.example", "0.0.0.0", "192.168.0.1", "::", "localhost.evil.example"):
        assert not launcher._is_loopback(host)


# Bounds ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_form_that_is_too_large_is_not_taken_in(admin):
    upload = io.BytesIO(b"1571106323\n" * 700_000)
    upload.name = "numbers.txt"
    answer = admin.post("/data/track/", {"file": upload})
    assert answer.status_code == 413
    assert "6 MB" in answer.content.decode()
    # A text alone may hold less than a form with a file.
    answer = admin.post("/data/track/", {"numbers": "1571106323 " * 500_000})
    assert answer.status_code == 413
    assert (
        "表单连同文件最多"
        in admin.post(
            "/data/track/", {"numbers": "1" * 6 * 2**20}, headers={"Accept-Language": "zh-CN"}
        ).content.decode()
    )
    assert admin.post("/data/track/", {"numbers": "1571106323"}).status_code == 302


@pytest.mark.django_db
def test_too_many_values_are_told(admin):
    answer = admin.post("/data/track/", {f"n{number}": "1" for number in range(1200)})
    assert answer.status_code == 400
    assert "more than 1000 values" in answer.content.decode()
    answer = admin.get("/meetings/?" + "&".join(f"room={number}" for number in range(1200)))
    assert answer.status_code == 400
    assert "more than 1000 values" in answer.content.decode()
    line = admin.get("/meetings.csv?" + "&".join(f"room={number}" for number in range(1200)))
    assert line.status_code == 400
    assert line.content.count(b"\n") == 1


# Redirects -------------------------------------------------------------------------------------------

ELSEWHERE = (
    *("//", "///"),
    *(
        "//evil.example/",
        "https://evil.example/",
        "http:evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ),
    *(
        "http:///evil.example",
        "https://testserver@evil.example/",
        "https://testserver.evil.example/",
        "\t//evil.example",
        "data:x",
    ),
)


@pytest.mark.django_db
@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_redirect_leads_elsewhere(django_user_model, admin, target):
    django_user_model.objects.create_user("anna", password="Kestrel-over-9-hills")
    form = {"username": "anna", "password": "Kestrel-over-9-hills", "next": target}
    assert Client().post("/accounts/login/", form).url == "/"
    assert admin.get("/accounts/login/", {"next": target}).url == "/"
    # A target that is refused leads to the page it came from, or to the overview.
    assert Client().post("/language/", {"language": "en", "next": target}).url == "/"
    assert admin.post("/accounts/logout/", {"next": target}).url == "/accounts/login/"


# Templates and code ----------------------------------------------------------------------------------

# Where cells are written by code, a value of which is always escaped (tests/browser/test_injection.py tries), and where
# what a template has written is put together.
WRITES_HTML = {
    "dashboard/templatetags/shell.py",
    "dashboard/templatetags/rows.py",
    "dashboard/templatetags/views.py",
    "dashboard/pages/base.py",
}


def test_no_template_and_no_code_declares_data_safe(repository: Path):
    wrong = []
    for file in (repository / "templates").rglob("*.html"):
        # No mail program reads a style sheet.
        styled = r"" if file.parent.name == "mail" else r"|\sstyle="
        declared = r"\|\s*safe(seq)?\b|autoescape\s+off|<script(?![^>]*\bsrc=)|\son\w+=" + styled
        if re.search(declared, file.read_text("utf-8")):
            wrong.append(str(file))
    for package in ("dashboard", "reports"):
        for file in (repository / package).rglob("*.py"):
            name = str(file.relative_to(repository))
            if name not in WRITES_HTML and re.search(
                r"mark_safe|SafeString|SafeText|format_html|html_safe|__html__|autoescape=False",
                file.read_text("utf-8"),
            ):
                wrong.append(name)
    assert wrong == []


def test_code_that_writes_html_escapes_whatever_it_puts_in(repository: Path):
    """Each f-string with a tag in it holds nothing but calls of escape, and texts made of such."""
    import ast

    made = {"text", "bar", "view", "kind", "box", "told", "head", "link", "used", "name", "number", "label", "url"}
    made |= {"topic", "room", "state", "numbers", "extra", "sorted_by", "held", "when", "_SORT_MARK"}
    for name in WRITES_HTML:
        tree = ast.parse((repository / name).read_text("utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.JoinedStr) or "<" not in ast.unparse(node):
                continue
            for part in node.values:
                if not isinstance(part, ast.FormattedValue):
                    continue
                value = part.value
                called = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
                plain = isinstance(value, ast.IfExp) or (isinstance(value, ast.Name) and value.id in made)
                assert (
                    called in {"escape", "_mark", "_drawn", "_cell"}
                    or ast.unparse(value).startswith("secrets.")
                    or plain
                ), f"{name}:{node.lineno} {ast.unparse(value)}"


def test_what_a_spreadsheet_would_run_gets_an_apostrophe():
    assert set("=+-@\t\r") <= set(FORMULA)


# The start -------------------------------------------------------------------------------------------


def check(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    names = (
        "UMEET_",
        "DATA",
        "CELERY_",
        "SECRET_",
        "ALLOWED_",
        "CSRF_",
        "DEBUG",
        "EMAIL_",
        "SITE_",
        "SSO_",
        "TRUSTED_",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*names, "DJANGO_ALLOW"))}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *(arguments or ("check",))],
        env={**kept, "DATA_DIR": str(tmp_path / "data"), **environment},
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ALLOWED_HOSTS": "*"}, "any name leads to this site"),
        ({"DEBUG": "1", "ALLOWED_HOSTS": "rooms.example.com"}, "DEBUG is on and ALLOWED_HOSTS names rooms.example.com"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is too weak"),
        ({"SECRET_KEY": "django-insecure-" + "abcdefghij" * 6}, "SECRET_KEY is too weak"),
        ({"SSO_HEADER": "X-Remote-User"}, "TRUSTED_PROXIES is not"),
        ({"SSO_HEADER": "X Remote", "TRUSTED_PROXIES": "10.0.0.1"}, "SSO_HEADER is"),
        ({"SSO_CREATE": "admin"}, "SSO_CREATE is"),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "everybody"),
        ({"SESSION_HOURS": "0"}, "SESSION_HOURS"),
    ],
)
def test_unsafe_settings_stop_the_start(tmp_path, environment, said):
    done = check(tmp_path, **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_kept_is_closed_to_other_accounts(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    assert check(tmp_path, "migrate", "-v0").returncode == 0
    private = ("secret_key", "roomledger.sqlite3")
    assert [(folder / name).stat().st_mode & 0o777 for name in private] == [0o600, 0o600]
    # As an older version left them, or somebody who copied them.
    for name in private:
        (folder / name).chmod(0o644)
    assert check(tmp_path).returncode == 0
    assert [(folder / name).stat().st_mode & 0o777 for name in private] == [0o600, 0o600]
    # It may be shared on purpose.
    assert folder.stat().st_mode & 0o777 == 0o755


def test_debug_listens_on_this_computer_only(tmp_path):
    done = check(tmp_path, "start", "--address", "0.0.0.0:8000", DEBUG="1", DATA_DIR=str(tmp_path / "d"))
    assert done.returncode == 2
    assert "DEBUG is on" in done.stderr
    done = check(tmp_path, "start", "--demo", "--address", "127.evil.example:8000")
    assert done.returncode == 2


def test_production_settings_pass_the_deployment_checks(tmp_path):
    environment = {"ALLOWED_HOSTS": "rooms.example.com", "CSRF_TRUSTED_ORIGINS": "https://rooms.example.com"}
    done = check(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **environment)
    assert done.returncode == 0, done.stderr
    names = (
        *("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_NAME", "SESSION_COOKIE_SECURE"),
        *("CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH"),
    )
    code = f"from django.conf import settings; print(*(getattr(settings, name) for name in {names}))"
    told = check(tmp_path, "shell", "--no-imports", "-c", code, **environment).stdout
    assert told.split() == [
        *("__Host-sessionid", "__Host-csrftoken", "__Host-language", "True", "True", "31536000", "None", "/")
    ]


@pytest.mark.django_db
def test_cookies_are_out_of_reach_of_scripts_and_other_sites(django_user_model):
    django_user_model.objects.create_user("anna", password="Kestrel-over-9-hills")
    client = Client()
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"username": "anna", "password": "Kestrel-over-9-hills"})
    client.post("/language/", {"language": "en", "next": "/"})
    assert {site.SESSION_COOKIE_NAME, site.CSRF_COOKIE_NAME, site.LANGUAGE_COOKIE_NAME} <= client.cookies.keys()
    for name in (site.SESSION_COOKIE_NAME, site.CSRF_COOKIE_NAME, site.LANGUAGE_COOKIE_NAME):
        assert client.cookies[name]["httponly"], name
        assert client.cookies[name]["samesite"] == "Lax", name
        assert client.cookies[name]["path"] == "/", name
