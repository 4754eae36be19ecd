"""A real PostgreSQL and a real Redis for tests, each with a database made for one test alone."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
# In CI a missing service is a failure, elsewhere the tests that need it are left out.
REQUIRED = bool(os.environ.get("CI"))


def missing(reason: str) -> None:
    if REQUIRED:
        pytest.fail(f"{reason}, and in CI it has to be there")
    pytest.skip(reason)


@contextmanager
def database(source: str = "template1") -> Iterator[str]:
    """The URL of a fresh PostgreSQL database, dropped afterwards. source: the database that it is a copy of."""
    name = f"roomledger_{secrets.token_hex(6)}"
    try:
        server = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        missing("PostgreSQL does not answer")
        raise AssertionError from None
    with server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        try:
            yield urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def copied(source: str) -> Iterator[str]:
    """The name of a copy of a database to which nobody is connected, dropped afterwards."""
    name = f"roomledger_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    try:
        yield name
    finally:
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def replace(url: str, source: str) -> None:
    """Put a copy of a database in the place of the empty one of `url`."""
    name = urlsplit(url).path.strip("/")
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f'DROP DATABASE "{name}"')
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')


@contextmanager
def broker() -> Iterator[str]:
    """The URL of an empty Redis database, emptied afterwards."""
    # One of those that nothing else uses. Each process of the suite has its own and runs one test at a time.
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = f"{REDIS}/{8 + process % 4}"
    client = redis.Redis.from_url(url, socket_connect_timeout=3)
    try:
        client.flushdb()
    except redis.ConnectionError:
        missing("Redis does not answer")
    try:
        yield url
    finally:
        client.flushdb()
        client.close()
