"""Connections that nothing answers on any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import AsyncAlembicError
from async_alembic.dialects.migrated import is_usable

from ..backends import ASYNC_BACKENDS
from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..conftest import server_of
from ..harness import awaited_only
from ..harness import Caller
from ..harness import ids
from ..migration.sites import LOG
from ..migration.sites import SERVER_BACKENDS
from ..migration.sites import Site
from ..servers import SilentRouter

# The server keeps what the router has forgotten.
pytestmark = pytest.mark.leaves_connections

TIMEOUT = 0.7


@pytest.fixture(autouse=True)
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in "time_limit", "background":
        monkeypatch.setattr(f"async_alembic.running.{module}.CLOSING_TIMEOUT", TIMEOUT)


@pytest.fixture
def router(backend: Backend, request: pytest.FixtureRequest) -> Iterator[SilentRouter]:
    server = server_of(backend, request)
    assert server is not None

    with SilentRouter(server, 30) as router:
        yield router


@pytest.fixture
def site(
    backend: Backend, router: SilentRouter, engines: EngineFactory, tmp_path: Path
) -> Site:
    """An app whose revisions can have the router forget all that is open."""
    direct = engines(backend)
    url = router.url(direct.url)
    site = Site(engines(backend, url, poolclass=sa.NullPool), tmp_path)
    site.app.config["ALEMBIC_CONTEXT"] |= {"forget": router.forget}
    return site


FORGET = "op.get_context().opts['forget']()"


@on(SERVER_BACKENDS)
def test_a_migration_that_is_done_ends_although_nothing_answers(
    site: Site, router: SilentRouter, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(connection: sa.Connection) -> bool:
        router.forget()
        return is_usable(connection)

    # Before the lock is released.
    monkeypatch.setattr("async_alembic.dialects.locks.is_usable", forget)
    site.history(LOG)
    started = time.monotonic()
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
    assert time.monotonic() - started < TIMEOUT + 2


@on(SERVER_BACKENDS)
@pytest.mark.parametrize("per_migration", [False, True], ids=["one", "one_each"])
def test_a_migration_that_fails_ends_although_nothing_answers(
    per_migration: bool, site: Site, caller: Caller
) -> None:
    context = {"transaction_per_migration": per_migration}
    site.app.config["ALEMBIC_CONTEXT"] |= context
    site.history(LOG, FORGET + "\nraise ValueError('as it should')")
    started = time.monotonic()

    with pytest.raises((AsyncAlembicError, ValueError)):
        caller(site.alembic, "upgrade")

    assert time.monotonic() - started < TIMEOUT + 2


@on([b for b in ASYNC_BACKENDS if b.database != "sqlite"])
@awaited_only
def test_a_migration_that_nothing_answers_can_be_cancelled(
    site: Site, caller: Caller
) -> None:
    site.history(LOG, FORGET, "op.execute('SELECT 1')")

    async def cancel() -> float:
        task = asyncio.create_task(site.alembic.upgrade())
        await asyncio.wait([task], timeout=1)
        assert not task.done()
        started = time.monotonic()
        task.cancel()
        await asyncio.wait([task], timeout=20)
        assert task.cancelled()
        return time.monotonic() - started

    assert caller.run(cancel()) < TIMEOUT + 2
