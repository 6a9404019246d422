"""The connection of an upgrade: the only one, and not the app's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import DatabaseConnectionError
from async_alembic import LockTimeout

from ..backends import Backend
from ..backends import EngineFactory
from ..direct import sessions
from ..harness import Caller
from ..harness import ids
from ..servers import PostgresServer
from .sites import HOLD
from .sites import in_a_thread
from .sites import LOG
from .sites import migrating
from .sites import on_postgresql
from .sites import on_servers
from .sites import Site
from .sites import wait_until


@on_servers
def test_an_upgrade_has_one_session_which_is_its_own(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Whether it waits or works. Nothing of it is left in the app's pool."""
    first = Site(engines(backend), tmp_path / "one")
    second = Site(engines(backend, first.engine.url), tmp_path / "two")
    first.history(LOG, HOLD)
    second.history(LOG, "pass")
    pool: Any = second.engine.pool

    def count() -> int:
        return len(sessions(first.engine.url))

    with migrating(first):
        assert count() == 1

        with in_a_thread(lambda: caller(second.alembic, "upgrade")) as waiting:
            wait_until(lambda: count() == 2)
            counted = {count() for _ in range(10)}
            assert not waiting.done()
            first.go_on.set()

    assert max(counted) == 2
    assert waiting.result() == []
    assert (pool.checkedout(), pool.checkedin()) == (0, 0)
    wait_until(lambda: count() == 0)


@on_servers
@pytest.mark.parametrize("method", ["upgrade", "stamp", "downgrade"])
def test_settings_of_a_revision_do_not_reach_the_app(
    method: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path)
    setting = {
        "postgresql": ("SET application_name = 'revision'", "SHOW application_name"),
        "mariadb": ("SET SESSION sql_mode = 'ANSI'", "SELECT @@sql_mode"),
    }[backend.database]
    before = caller.query(site.engine, setting[1])
    site.history(f"op.execute({setting[0]!r})")
    caller(site.alembic, "upgrade")

    if method != "upgrade":
        caller(site.alembic, method, "base")

    assert caller.query(site.engine, setting[1]) == before


@on_postgresql
def test_a_role_that_may_connect_once_can_migrate(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    postgres_server: PostgresServer,
    tmp_path: Path,
) -> None:
    url = engines(backend).url
    role = f"once_{url.database}"[:60]
    postgres_server.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1 PASSWORD 'x'")
    postgres_server.execute(f'ALTER DATABASE "{url.database}" OWNER TO {role}')

    try:
        url = url.set(username=role, password="x")
        engine = engines(backend, url, poolclass=sa.NullPool)
        site = Site(engine, tmp_path / "one")
        site.history(LOG, HOLD)
        other = Site(engine, tmp_path / "two", ALEMBIC_LOCK_TIMEOUT=1)
        other.history(LOG, HOLD)

        with migrating(site):
            with pytest.raises(
                (DatabaseConnectionError, LockTimeout),
                match="too many connections.* The server admits no further connection",
            ):
                caller(other.alembic, "upgrade")

        assert ids(caller(site.alembic, "current")) == ["a2"]
    finally:
        postgres_server.execute(f'ALTER DATABASE "{url.database}" OWNER TO tester')
        postgres_server.execute(f"REASSIGN OWNED BY {role} TO tester")
