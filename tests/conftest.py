"""What all tests share: real static files, a quiet broker, a simulated API of one's own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.utils import translation

from dashboard.celery import app
from dashboard.remembered import shelf
from reports.sandbox.server import Sandbox
from reports.sandbox.world import FixedWorld
from tests import services
from tests.smtp import SmtpServer
from tests.support import KEY, SECRET

# Playwright's loop runs in the test process; Django would take it for an async context.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


# What waits for browsers, processes and servers, or is long for another reason.
LONG = {"browser", "faults", "oracle", "services"}
TESTS = Path(__file__).resolve().parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run beside each other, the long ones do not come last: the others would be done and wait for them.

    Each worker begins with a stretch of all tests, as many as the others have, and later takes from what others have
    left. Every second one begins with some short ones: not all start browsers and processes at the same time.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers < 2:
        return
    long = [item for item in items if item.path.relative_to(TESTS).parts[0] in LONG]
    short = [item for item in items if item.path.relative_to(TESTS).parts[0] not in LONG]
    left, dealt = len(items), []
    for number in range(workers):
        size = left // (workers - number)
        mine = long[number::workers]
        others = [short.pop(0) for _ in range(min(len(short), max(0, size - len(mine))))]
        first = len(others) // 3 if number % 2 else 0
        dealt += [*others[:first], *mine, *others[first:]]
        left -= size
    items[:] = [*dealt, *short]


@pytest.fixture(scope="session", autouse=True)
def _installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Static files as a visitor gets them, and nothing of the tests in the real broker or data folder."""
    root = tmp_path_factory.mktemp("static")
    changes = {
        "STATIC_ROOT": root,
        "DATA_DIR": tmp_path_factory.mktemp("data"),
        "UMEET_API_KEY": KEY,
        "UMEET_API_SECRET": SECRET,
        "UMEET_URL": "http://127.0.0.1:9/umeeting/",  # nothing listens there: no test reaches the real service
        "UMEET_TIME_ZONE": "Asia/Shanghai",
        "UMEET_TIMEOUT": 5.0,
        "UMEET_PULL_DATES": True,
        "RETENTION_DAYS": None,
        "RETENTION_NAMES_DAYS": None,
        "SECURE_SSL_REDIRECT": False,
        "EMAIL_ON": False,
        # No test is about how long a password takes; tests/dashboard/test_signin.py hashes as the site does.
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS],
    }
    before = app.conf.broker_url
    app.conf.broker_url = "memory://"
    with override_settings(**changes):
        call_command("collectstatic", verbosity=0, interactive=False)
        yield
    app.conf.broker_url = before


@pytest.fixture(autouse=True)
def _nothing_of_before() -> None:
    """Each test has a ledger of its own, whose states count from the beginning, and begins in English."""
    shelf.clear()
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture
def installation(tmp_path, request) -> Iterator[dict[str, str]]:
    """The environment of an installation of its own, for processes that a test starts.

    On the database and broker that the suite itself runs on: SQLite and files, or a PostgreSQL database
    and a Redis database made for this test alone.
    """
    names = ("UMEET_", "DATA_DIR", "DATABASE_", "CELERY_", "SECRET_", "ALLOWED_", "CSRF_", "TIME_", "OPENING_")
    others = ("DEBUG", "EMAIL_", "SITE_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith((*names, *others))}
    environment |= {
        "DATA_DIR": str(tmp_path / "installation"),
        "UMEET_API_KEY": KEY,
        "UMEET_API_SECRET": SECRET,
        "UMEET_URL": "http://127.0.0.1:9/umeeting/",
        "UMEET_TIMEOUT": "5",
        "PYTHONUNBUFFERED": "1",
    }
    if connection.vendor == "sqlite":
        yield environment
        return
    with services.database() as url, services.broker() as broker:
        yield {**environment, "DATABASE_URL": url, "CELERY_BROKER_URL": broker}


@pytest.fixture(scope="session")
def _empty_ledger(django_db_setup, django_db_blocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | str]:
    """An empty ledger of the newest schema: a file, or the name of a database on a server."""
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            file = tmp_path_factory.mktemp("ledger") / "roomledger.sqlite3"
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [str(file)])
            yield file
            return
        # A database is copied only while nobody is connected to it.
        connection.close()
        with services.copied(connection.settings_dict["NAME"]) as name:
            yield name


@pytest.fixture
def migrated(installation: dict[str, str], _empty_ledger: Path | str) -> dict[str, str]:
    """The same of an installation whose database is there: making it takes longer than most of what is tested."""
    if isinstance(_empty_ledger, Path):
        folder = Path(installation["DATA_DIR"])
        folder.mkdir(parents=True)
        shutil.copy(_empty_ledger, folder)
    else:
        services.replace(installation["DATABASE_URL"], _empty_ledger)
    return installation


@pytest.fixture
def api(settings) -> Iterator[Sandbox]:
    """A simulated API that serves records written by the test; the settings point to it."""
    with Sandbox(FixedWorld(), key=KEY, secret=SECRET) as sandbox:
        settings.UMEET_URL = sandbox.url
        yield sandbox


@pytest.fixture
def fixed(api: Sandbox) -> FixedWorld:
    """What `api` serves."""
    assert isinstance(api.world, FixedWorld)
    return api.world


@pytest.fixture
def post(settings) -> Iterator[SmtpServer]:
    """A mail server of the test's own, and a site that sends its mail there."""
    with SmtpServer() as server:
        settings.EMAIL_ON = True
        settings.EMAIL_BACKEND = "dashboard.smtp.Backend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_TIMEOUT = 5
        settings.SITE_URL = "https://rooms.example.com/"
        settings.DEFAULT_FROM_EMAIL = "Roomledger <roomledger@example.com>"
        yield server


# Nobody signs in as these by a password: hashing one would take longer than most tests.
@pytest.fixture
def admin(django_user_model, db) -> Client:
    """A browser signed in as administrator."""
    user = django_user_model.objects.create_superuser("admin")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(django_user_model, db) -> Client:
    """A browser signed in as somebody who may download CSV, and nothing else."""
    client = Client()
    user = django_user_model.objects.create_user("viewer")
    user.user_permissions.add(Permission.objects.get(codename="download_csv"))
    client.force_login(user)
    return client


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parent.parent
