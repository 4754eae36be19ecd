"""What these tests share: making a ledger on a server takes longer than most of what is tested."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests import services
from tests.faults.processes import manage
from tests.support import KEY, SECRET


@pytest.fixture(scope="session")
def on_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a PostgreSQL database with an empty ledger, to be copied."""
    with services.database() as url:
        changes = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path_factory.mktemp("ledger"))}
        manage({**os.environ, **changes, "UMEET_API_KEY": KEY, "UMEET_API_SECRET": SECRET}, "migrate", "-v0")
        yield urlsplit(url).path.strip("/")
