from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reports.provider.client import Client

from .http_peer import Peer

SHANGHAI = ZoneInfo("Asia/Shanghai")
KEY = "key/K+y=äQ7"
SECRET = "sec&ret%S3 cr'et"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as server:
        yield server


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def make(peer: Peer, slept: list[float]) -> Iterator[Any]:
    """Makes clients of the peer that note their naps in `slept` and never take them."""
    made: list[Client] = []

    def build(url: str | None = None, **options: Any) -> Client:
        settings: dict[str, Any] = {"zone": SHANGHAI, "timeout": 5.0, "sleep": slept.append} | options
        made.append(Client(url or peer.url, KEY, SECRET, **settings))
        return made[-1]

    yield build
    for client in made:
        client.close()


@pytest.fixture
def client(make: Callable[..., Client]) -> Client:
    return make()
