"""Tenants whose databases are on several servers, one of which does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import DatabaseConnectionError

from ..backends import Backend
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..conftest import require
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..servers import PgBouncer
from ..servers import PostgresServer
from ..tenant_sites import on_schemas
from ..tenant_sites import Site
from ..tenant_sites import site as site

HEALTHY = [f"healthy_{number}" for number in range(12)]
LATE = [f"late_{number}" for number in range(6)]


@pytest.fixture
def healthy(
    backend: Backend, database_factory: DatabaseFactory, tmp_path: Path
) -> dict[str, sa.URL]:
    """Databases whose one revision takes a while."""
    folder = tmp_path / "tenant_migrations"
    write_revision(folder, "a1", None, "op.execute('SELECT pg_sleep(0.3)')")
    return {name: database_factory(backend) for name in HEALTHY}


@pytest.fixture
def second_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@on_schemas
def test_tenants_of_other_servers_are_not_held_up(
    healthy: dict[str, sa.URL],
    second_server: PostgresServer,
    backend: Backend,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are migrated as many at once as usual; the others when their server is
    there again.
    """
    late = {name: second_server.url(backend.drivername, name) for name in LATE}

    for name in LATE:
        second_server.create_database(name)

    second_server.stop()
    app = make_app("flask", tmp_path)
    alembic = Alembic(app, tenants={**late, **healthy})
    order, seconds, elapsed = [], 0.0, 0.0

    async def main() -> None:
        nonlocal seconds, elapsed
        started = time.monotonic()

        async for result in alembic.upgrade_tenants(limit=4):
            order.append(result.tenant)
            assert ids(result.applied) == ["a1"]

            if len(order) <= len(HEALTHY):
                seconds += result.seconds
                elapsed = time.monotonic() - started

            if len(order) == len(HEALTHY):
                await asyncio.to_thread(second_server.start)

    with caplog.at_level(logging.WARNING, "async_alembic"):
        asyncio.run(main())

    assert {*order[: len(HEALTHY)]} == {*HEALTHY}
    assert {*order[len(HEALTHY) :]} == {*LATE}
    assert seconds / elapsed > 2
    # Those that were at work at once, when it was noticed.
    assert len([r for r in caplog.records if "Trying again" in r.message]) == 1


@on_schemas
def test_a_server_that_keeps_silent_takes_one_turn(
    healthy: dict[str, sa.URL],
    backend: Backend,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        argument = "timeout" if backend.is_async else "connect_timeout"
        url = healthy[HEALTHY[0]].set(port=port)
        options = {"connect_args": {argument: 2}}
        late = {name: engines(backend, url, **options) for name in LATE}
        app = make_app("flask", tmp_path)
        alembic = Alembic(app, tenants={**late, **healthy})

        async def main() -> list[str]:
            found = []
            results = alembic.upgrade_tenants(limit=2)

            async with contextlib.aclosing(results):
                async for result in results:
                    found.append(result.tenant)

                    if len(found) == len(HEALTHY):
                        break

            return found

        assert {*asyncio.run(main())} == {*HEALTHY}


@on_schemas
def test_all_tenants_of_a_server_that_stays_away_are_errors(
    healthy: dict[str, sa.URL], backend: Backend, tmp_path: Path
) -> None:
    urls = {name: healthy[HEALTHY[0]].set(port=1) for name in LATE}
    app = make_app("flask", tmp_path)
    alembic = Alembic(app, tenants=urls)
    started = time.monotonic()

    async def main() -> list[object]:
        return [r.error async for r in alembic.upgrade_tenants(timeout=1)]

    errors = asyncio.run(main())
    assert [type(error) for error in errors] == [DatabaseConnectionError] * len(LATE)
    assert 1 <= time.monotonic() - started < 10


@on_schemas
def test_a_server_that_keeps_silent_for_too_long_is_given_up(
    healthy: dict[str, sa.URL],
    backend: Backend,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Its other tenants do not wait for an answer, one after another."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = healthy[HEALTHY[0]].set(port=silent.getsockname()[1])
        argument = "timeout" if backend.is_async else "connect_timeout"
        options = {"connect_args": {argument: 2}}
        late = {name: engines(backend, url, **options) for name in HEALTHY}
        tenants = {**late, "acme": healthy[HEALTHY[0]]}
        app = make_app("flask", tmp_path)
        alembic = Alembic(app, tenants=tenants)
        started = time.monotonic()

        async def main() -> dict[str, object]:
            results = alembic.upgrade_tenants(limit=2, timeout=1)
            return {r.tenant: type(r.error) async for r in results}

        errors = asyncio.run(main())

    assert time.monotonic() - started < 10
    assert errors.pop("acme") is type(None)
    assert errors == dict.fromkeys(HEALTHY, DatabaseConnectionError)


@on_schemas
def test_fewer_sessions_of_a_pooler_than_tenants_at_once_are_enough(
    site: Site,
    backend: Backend,
    postgres_server: PostgresServer,
    engines: EngineFactory,
) -> None:
    """A session that is kept for the next tenant is one that others wait for."""
    require(PgBouncer.missing())

    with PgBouncer(postgres_server, "session", pool_size=2) as pooler:
        url = pooler.url(site.engine.url)
        alembic = Alembic(
            site.app,
            metadatas=site.metadata,
            engines=engines(backend, url, poolclass=sa.NullPool),
            tenants=site.tenants,
        )

        async def main() -> list[object]:
            return [r.error async for r in alembic.upgrade_tenants()]

        errors = asyncio.run(asyncio.wait_for(main(), 20))

    assert errors == [None] * len(site.names)


@on_schemas
def test_nothing_is_computed_while_a_tenant_is_locked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could be tried again, but another one is at work, and no more may be."""
    monkeypatch.setattr("random.shuffle", lambda names: None)
    write_revision(site.folder, "c3", "b2", "op.execute('SELECT pg_sleep(2)')")
    locking = site.alembic.with_options(tenant="acme")

    async def main() -> float:
        async for _ in site.alembic.upgrade_tenants("b2"):
            pass

        async def upgrade() -> None:
            results = site.alembic.upgrade_tenants(only=["acme", "globex"], limit=1)
            assert [result.error async for result in results] == [None, None]

        lock = asyncio.create_task(locking.upgrade())
        await asyncio.sleep(0.5)
        task = asyncio.create_task(upgrade())
        await asyncio.sleep(0.5)
        before = time.process_time()
        await asyncio.sleep(1)
        used = time.process_time() - before
        await asyncio.gather(lock, task)
        return used

    assert asyncio.run(main()) < 0.5
