"""Nothing hangs where a router has forgotten the connection."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from async_alembic import AsyncAlembicError
from async_alembic.running import time_limit

from ..backends import Backend
from ..backends import EngineFactory
from ..conftest import require
from ..migration.sites import HOLD
from ..migration.sites import in_a_thread
from ..migration.sites import LOG
from ..migration.sites import on_servers
from ..migration.sites import Site
from ..servers import MariaDBServer
from ..servers import PostgresServer
from ..servers import SilentRouter

# The servers do not learn of it.
pytestmark = pytest.mark.leaves_connections


@pytest.fixture
def router(
    backend: Backend, postgres_server: PostgresServer, mariadb_server: MariaDBServer
) -> SilentRouter:
    require(SilentRouter.missing())
    is_postgresql = backend.database == "postgresql"
    return SilentRouter(postgres_server if is_postgresql else mariadb_server, idle=60)


@on_servers
@pytest.mark.parametrize("awaited", [False, True], ids=["blocking", "awaited"])
def test_a_revision_that_fails_on_a_forgotten_connection_ends(
    awaited: bool,
    backend: Backend,
    router: SilentRouter,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rollback has no answer, and neither has what closes the connection."""
    monkeypatch.setattr(time_limit, "CLOSING_TIMEOUT", 0.5)

    with router:
        site = Site(engines(backend, router.url(engines(backend).url)), tmp_path)
        site.history(LOG, f"{HOLD}raise ValueError('no')")

        def forget() -> None:
            assert site.running.wait(30)
            router.forget()
            site.go_on.set()

        started = time.monotonic()

        with in_a_thread(forget), pytest.raises(AsyncAlembicError, match="a2"):
            if awaited:
                asyncio.run(site.alembic.upgrade())
            else:
                site.alembic.sync.upgrade()

        assert time.monotonic() - started < 10


@on_servers
def test_a_cancelled_upgrade_on_a_forgotten_connection_ends(
    backend: Backend,
    router: SilentRouter,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time_limit, "CLOSING_TIMEOUT", 0.5)

    with router:
        site = Site(engines(backend, router.url(engines(backend).url)), tmp_path)
        site.history(LOG, f"{HOLD}op.execute('SELECT 1')")

        async def cancel() -> None:
            upgrade = asyncio.create_task(site.alembic.upgrade())
            forgotten = asyncio.to_thread(forget)
            await forgotten
            # It waits for the answer to its statement.
            await asyncio.sleep(0.3)
            upgrade.cancel()
            await upgrade

        def forget() -> None:
            assert site.running.wait(30)
            router.forget()
            site.go_on.set()

        started = time.monotonic()

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancel())

        assert time.monotonic() - started < 10
