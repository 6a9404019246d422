"""What a pooler between the app and PostgreSQL does to the lock."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from typing import Literal

import pytest
import sqlalchemy as sa

from async_alembic import LockTimeout
from async_alembic.dialects import digest

from ...backends import Backend
from ...backends import EngineFactory
from ...backends import on
from ...backends import POSTGRESQL_BACKENDS
from ...conftest import require
from ...direct import execute
from ...harness import AnyEngine
from ...harness import blocking_only
from ...harness import Caller
from ...harness import ids
from ...migration.sites import HOLD
from ...migration.sites import INSERT
from ...migration.sites import LOG
from ...migration.sites import migrating
from ...migration.sites import Site
from ...servers import PgBouncer
from ...servers import PostgresServer

# The pooler keeps them, as poolers do.
pytestmark = pytest.mark.leaves_connections

on_postgresql = on(POSTGRESQL_BACKENDS)
in_both_modes = pytest.mark.parametrize("mode", ["session", "transaction"])
in_transaction_mode = pytest.mark.parametrize("mode", ["transaction"])


@pytest.fixture
def pooler(
    mode: Literal["session", "transaction"], postgres_server: PostgresServer
) -> Iterator[PgBouncer]:
    require(PgBouncer.missing())

    with PgBouncer(postgres_server, mode) as pooler:
        yield pooler


@pytest.fixture
def direct(backend: Backend, engines: EngineFactory) -> AnyEngine:
    """An engine that connects to the server."""
    return engines(backend)


@pytest.fixture
def connect_through(
    pooler: PgBouncer, direct: AnyEngine, backend: Backend, engines: EngineFactory
) -> Callable[[], AnyEngine]:
    """Makes engines that connect to the same database through the pooler."""
    url = pooler.url(direct.url)
    return lambda: engines(backend, url, poolclass=sa.NullPool)


def advisory_locks(engine: AnyEngine) -> list[Any]:
    """The locks that are held in the database."""
    return execute(
        engine.url,
        "SELECT pid, objid FROM pg_locks WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
    )


#: Leaves its transaction between two others.
BLOCK = """
op.execute("INSERT INTO log VALUES (1)")
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY log_id ON log (id)")
op.execute("INSERT INTO log VALUES (2)")
"""


@on_postgresql
@in_both_modes
@pytest.mark.parametrize("per_migration", [False, True], ids=["one", "one_each"])
@blocking_only
def test_one_of_several_migrates_through_a_pooler(
    per_migration: bool,
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    caller: Caller,
    tmp_path: Path,
) -> None:
    """Also where a revision leaves its transaction, and so its session."""
    context = {"transaction_per_migration": per_migration}
    sites = [
        Site(connect_through(), tmp_path / f"app{number}", ALEMBIC_CONTEXT=context)
        for number in range(5)
    ]

    for site in sites:
        site.history(LOG, BLOCK, INSERT.format(3))

    # Old versions of anyio cannot be imported by several threads at once.
    caller(sites[0].alembic, "status")

    with ThreadPoolExecutor() as executor:
        applied = list(executor.map(lambda s: ids(s.alembic.sync.upgrade()), sites))

    assert sorted(itertools.chain(*applied)) == ["a1", "a2", "a3"]
    rows = caller.query(direct, "SELECT id FROM log ORDER BY id")
    assert rows == [(1,), (2,), (3,)]
    assert advisory_locks(direct) == []


@on_postgresql
@in_transaction_mode
@pytest.mark.parametrize("in_block", [False, True], ids=["transaction", "block"])
def test_who_is_connected_directly_waits_for_who_is_pooled(
    in_block: bool,
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    caller: Caller,
    tmp_path: Path,
) -> None:
    pooled = Site(connect_through(), tmp_path / "pooled")
    hold = HOLD

    if in_block:
        block = "with op.get_context().autocommit_block():\n"
        hold = block + textwrap.indent(HOLD, "    ")

    pooled.history(LOG, hold)
    other = Site(direct, tmp_path / "direct", ALEMBIC_LOCK_TIMEOUT=0.3)
    other.history(LOG, "pass")

    with migrating(pooled), pytest.raises(LockTimeout):
        caller(other.alembic, "upgrade")

    assert caller(other.alembic, "upgrade") == []
    assert advisory_locks(direct) == []


@on_postgresql
@in_transaction_mode
def test_who_is_pooled_waits_for_who_is_connected_directly(
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    caller: Caller,
    tmp_path: Path,
) -> None:
    other = Site(direct, tmp_path / "direct")
    other.history(LOG, HOLD)
    pooled = Site(connect_through(), tmp_path / "pooled", ALEMBIC_LOCK_TIMEOUT=0.3)
    pooled.history(LOG, "pass")

    with migrating(other), pytest.raises(LockTimeout):
        caller(pooled.alembic, "upgrade")


@on_postgresql
@in_transaction_mode
def test_settings_of_a_migration_do_not_stay_in_the_session_of_the_pooler(
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    caller: Caller,
    tmp_path: Path,
) -> None:
    session = {"lock_timeout": "7s"}
    site = Site(connect_through(), tmp_path, ALEMBIC_SESSION=session)
    setting = "current_setting('lock_timeout')"
    log = "CREATE TABLE log (value TEXT)"
    insert = f"INSERT INTO log SELECT {setting}"
    site.history(f"op.execute({log!r})", f"op.execute({insert!r})")
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]
    assert caller.query(direct, "SELECT value FROM log") == [("7s",)]
    # The pooler lends the same session again.
    assert caller.query(site.engine, f"SELECT {setting}") == [("0",)]


@on_postgresql
@in_transaction_mode
@blocking_only
def test_a_lock_that_a_pooler_keeps_for_nobody_is_named(
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    caller: Caller,
    tmp_path: Path,
) -> None:
    """As other tools leave it, which lock the session of whoever comes next."""
    site = Site(direct, tmp_path, ALEMBIC_LOCK_TIMEOUT=0.3)
    site.history(LOG)
    key = digest(direct.url.database, "public", "alembic_version")
    number = int.from_bytes(bytes.fromhex(key), signed=True)
    caller.query(connect_through(), f"SELECT pg_advisory_lock({number})")

    with pytest.raises(LockTimeout, match="idle, so it does not migrate") as caught:
        caller(site.alembic, "upgrade")

    assert caught.value.holder is not None
    [(pid, _)] = advisory_locks(direct)
    assert caught.value.holder.pid == pid
    execute(direct.url, "SELECT pg_terminate_backend(%s)", pid)
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
