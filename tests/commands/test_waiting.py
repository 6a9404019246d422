"""Waiting for the process that migrates, whatever the server does meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_alembic import DatabaseConnectionError
from async_alembic import WaitTimeoutError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..conftest import require
from ..harness import Caller
from ..migration.sites import in_a_thread
from ..migration.sites import LOG
from ..migration.sites import Site
from ..migration.sites import wait_until
from ..servers import MariaDBServer
from ..servers import PostgresServer
from ..servers import Server

on_drivers = on(
    [
        by_id("postgresql-asyncpg"),
        by_id("postgresql-psycopg2"),
        by_id("postgresql-psycopg-async"),
        by_id("mariadb-asyncmy"),
        by_id("mariadb-pymysql"),
    ]
)


@pytest.fixture(scope="module")
def own_servers() -> Iterator[dict[str, Server]]:
    """Servers that nobody else uses."""
    require(PostgresServer.missing())
    require(MariaDBServer.missing())

    with PostgresServer() as postgresql, MariaDBServer() as mariadb:
        yield {"postgresql": postgresql, "mariadb": mariadb}


@on_drivers
def test_a_server_that_restarts_is_waited_for(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    own_servers: dict[str, Server],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = own_servers[backend.database]
    name = f"test_{backend.driver}_{backend.is_async}_{caller.awaited}".lower()
    server.create_database(name)
    url = server.url(backend.drivername, name)
    site = Site(engines(backend, url), tmp_path / "one")
    other = Site(engines(backend, url), tmp_path / "two")
    site.history(LOG)
    other.history(LOG)
    caller.query(site.engine, "SELECT 1")
    server.stop()

    def migrate() -> None:
        wait_until(lambda: "Trying again" in caplog.text)
        server.start()
        other.alembic.sync.upgrade()

    with caplog.at_level(logging.WARNING, "async_alembic"), in_a_thread(migrate):
        caller(site.alembic, "wait_until_current", 30)


@on_drivers
def test_a_server_that_stays_away_is_named_at_the_end(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    url = engines(backend).url
    site = Site(engines(backend, url.set(port=1)), tmp_path)
    site.history(LOG)

    with pytest.raises(WaitTimeoutError, match="'default' is unreachable") as caught:
        caller(site.alembic, "wait_until_current", 0.2)

    assert caught.value.states == {"default": "unreachable"}


@on_drivers
@pytest.mark.parametrize("what", ["password", "database"])
def test_a_login_that_is_refused_is_not_waited_for(
    what: str, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    url = engines(backend).url
    url = url.set(password="wrong") if what == "password" else url.set(database="no")
    site = Site(engines(backend, url), tmp_path)
    site.history(LOG)
    started = time.monotonic()

    with pytest.raises(DatabaseConnectionError):
        caller(site.alembic, "wait_until_current", 30)

    assert time.monotonic() - started < 10
