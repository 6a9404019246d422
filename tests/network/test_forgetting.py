"""A router has forgotten the connection: whoever waits for an answer waits for ever,
if nothing ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import AsyncAlembicError

from ..backends import Backend
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..conftest import server_of
from ..direct import execute
from ..migration.sites import LOG
from ..migration.sites import SERVER_BACKENDS
from ..migration.sites import Site
from ..servers import SilentRouter

#: How long it may take to end, in seconds.
LIMIT = 15


@pytest.fixture
def url(database_factory: DatabaseFactory, backend: Backend) -> sa.URL:
    """The database, past the router."""
    return database_factory(backend)


@pytest.fixture
def router(backend: Backend, request: pytest.FixtureRequest) -> SilentRouter:
    server = server_of(backend, request)
    assert server is not None
    return SilentRouter(server, idle=1)


def is_migrated(url: sa.URL) -> bool:
    with contextlib.suppress(DBAPIError):
        return bool(execute(url, "SELECT version_num FROM alembic_version"))

    return False


def after_the_last_commit(
    monkeypatch: pytest.MonkeyPatch, site: Site, url: sa.URL, fn: Callable[[], None]
) -> None:
    """Call a function when the database is migrated, before what comes next."""
    engine = site.engine
    dialect = (
        engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    ).dialect
    commit = dialect.do_commit

    def commit_and_call(connection: Any) -> None:
        commit(connection)

        if is_migrated(url):
            fn()

    monkeypatch.setattr(dialect, "do_commit", commit_and_call)


@pytest.mark.full
@on(SERVER_BACKENDS)
def test_nothing_hangs_after_the_last_commit(
    backend: Backend,
    router: SilentRouter,
    url: sa.URL,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All is done: the app must not wait for the session to end before it starts."""
    engine = engines(backend, router.url(url), poolclass=sa.NullPool)
    site = Site(engine, tmp_path)
    site.history(LOG)
    after_the_last_commit(monkeypatch, site, url, router.forget)

    with ThreadPoolExecutor(1) as executor, router:
        upgrade = executor.submit(site.alembic.sync.upgrade)
        wait([upgrade], LIMIT)
        assert router.forgotten >= 1
        # Whatever hangs ends with the router.
        in_time = upgrade.done()

    with contextlib.suppress(AsyncAlembicError):
        upgrade.result()

    assert is_migrated(url)
    assert in_time


@pytest.mark.full
@on([backend for backend in SERVER_BACKENDS if backend.is_async])
async def test_an_upgrade_that_hangs_can_be_cancelled(
    backend: Backend,
    router: SilentRouter,
    url: sa.URL,
    engine_for: EngineFactory,
    tmp_path: Path,
) -> None:
    """A revision that computes for longer than a router remembers."""
    engine = engine_for(backend, router.url(url), poolclass=sa.NullPool)
    site = Site(engine, tmp_path)
    compute = "import time; time.sleep(1.3)"
    site.history(f"{LOG}\n{compute}\nop.execute('INSERT INTO log VALUES (1)')")

    with router:
        upgrade = asyncio.create_task(site.alembic.upgrade())
        deadline = time.monotonic() + 10

        while not router.forgotten:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)

        await asyncio.sleep(0.5)
        assert not upgrade.done()
        upgrade.cancel()
        ended, _ = await asyncio.wait([upgrade], timeout=LIMIT)
        # Whatever hangs ends with the router.
        in_time = bool(ended)

    with contextlib.suppress(AsyncAlembicError, asyncio.CancelledError):
        await upgrade

    assert not is_migrated(url)
    assert in_time
