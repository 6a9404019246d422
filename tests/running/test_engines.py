"""Any engine, with any pool, is left as it was."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool
from sqlalchemy.pool import StaticPool

from async_alembic.apps.engines import with_other_database
from async_alembic.errors import DatabaseConnectionError

from ..backends import ASYNC_BACKENDS
from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import MEMORY_BACKENDS
from ..backends import on
from ..harness import awaited_only
from ..harness import blocking_only
from ..harness import Caller
from ..harness import ids
from ..harness import one_connection
from ..harness import ONE_OF_EACH_KIND
from .sites import on_each_kind
from .sites import Site
from .sites import tables_in

on_async_servers = on([b for b in ASYNC_BACKENDS if b.database != "sqlite"])


async def scalar(engine: AsyncEngine, statement: str) -> Any:
    async with engine.connect() as connection:
        return await connection.scalar(sa.text(statement))


CONNECTION_ID = {
    "postgresql": "SELECT pg_backend_pid()",
    "mariadb": "SELECT CONNECTION_ID()",
}


@on_async_servers
async def test_a_blocking_call_leaves_the_pool_of_the_app_alone(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """A connection works in the loop only that it was made in. After a migration, the
    pool replaces it there.
    """
    engine = engine_for.asynchronous(backend, **one_connection(backend))
    site = Site(engine, tmp_path)
    before = await scalar(engine, CONNECTION_ID[backend.database])

    for method in "current", "needs_revision", "upgrade", "downgrade":
        await asyncio.to_thread(getattr(site.alembic.sync, method))
        after = await scalar(engine, CONNECTION_ID[backend.database])
        assert (after == before) is (method in {"current", "needs_revision"})
        await site.alembic.current()


@on(ASYNC_BACKENDS)
def test_blocking_and_awaited_calls_take_turns(
    backend: Backend, engines: EngineFactory, runner: asyncio.Runner, tmp_path: Path
) -> None:
    """As a script does that migrates, and then runs the app."""
    site = Site(engines(backend), tmp_path)
    caller = Caller(runner, awaited=True)
    site.alembic.sync.upgrade()
    assert caller.tables(site.engine) == {"users"}
    caller(site.alembic, "downgrade")
    site.alembic.sync.upgrade()
    assert ids(caller(site.alembic, "current")) == ["a1"]
    assert caller.tables(site.engine) == {"users"}


@on_each_kind
def test_a_dialect_that_does_not_know_its_server_yet_learns_of_it(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Another thread can be at it, with the first connection that the engine made."""
    engine = engines(backend)
    site = Site(engine, tmp_path)
    caller.query(engine, "SELECT 1")
    engine.dialect.default_schema_name = None
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
    assert engine.dialect.default_schema_name is not None


def with_options(engine: Any) -> Any:
    return engine.execution_options(mark="kept")


def with_options_twice(engine: Any) -> Any:
    return engine.execution_options(mark="lost").execution_options(mark="kept")


@on_each_kind
@pytest.mark.parametrize("derive", [with_options, with_options_twice])
def test_an_engine_with_execution_options_keeps_them(
    derive: Callable[[Any], Any],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Its pool is that of the engine which it was derived from."""
    engine = engines(backend, **one_connection(backend))
    check = "assert op.get_bind().get_execution_options()['mark'] == 'kept'"
    site = Site(derive(engine), tmp_path, check)
    assert caller.tables(engine) == set()
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
    assert caller.tables(engine) == caller.tables(site.engine) == {"users"}


@on_each_kind
def test_listeners_of_the_engine_are_called_for_every_connection(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """They set a search path, a PRAGMA or a token, without which nothing may work."""
    engine = engines(backend)
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    happened = []

    def note(name: str) -> None:
        def listener(*args: Any, **kwargs: Any) -> None:
            happened.append(name)

        sa.event.listen(sync_engine, name, listener)

    for name in (
        "do_connect",
        "connect",
        "checkout",
        "engine_connect",
        "begin",
        "commit",
    ):
        note(name)

    site = Site(engine, tmp_path)
    caller(site.alembic, "upgrade")
    names = ["do_connect", "connect", "checkout", "engine_connect", "begin", "commit"]
    assert [*dict.fromkeys(n for n in happened if n in names)] == names


@on_each_kind
@pytest.mark.parametrize(
    "options",
    [lambda _: {"poolclass": NullPool}, one_connection, lambda _: {"pool_recycle": 1}],
    ids=["NullPool", "one_connection", "pool_recycle"],
)
def test_any_pool_will_do(
    options: Callable[[Backend], dict[str, Any]],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend, **options(backend)), tmp_path)
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
    assert caller(site.alembic, "upgrade") == []
    assert caller(site.alembic, "needs_revision") is False
    assert caller.tables(site.engine) == {"users"}


@on([b for b in ONE_OF_EACH_KIND if b.database == "postgresql"])
def test_a_pool_may_look_whether_its_connections_are_alive(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    options = one_connection(backend) | {"pool_pre_ping": True}
    site = Site(engines(backend, **options), tmp_path)

    for _ in range(2):
        caller.query(site.engine, "SELECT 1")
        caller(site.alembic, "upgrade")

    assert caller.tables(site.engine) == {"users"}


def static_pool(backend: Backend) -> dict[str, Any]:
    check = {} if backend.is_async else {"connect_args": {"check_same_thread": False}}
    return {"poolclass": StaticPool, **check}


@on(MEMORY_BACKENDS)
@pytest.mark.parametrize(
    "options", [lambda _: {}, static_pool], ids=["default_pool", "static_pool"]
)
def test_a_database_in_memory_is_migrated_where_it_is(
    options: Callable[[Backend], dict[str, Any]],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """What is in it stays, and is seen by the revisions."""
    engine = engines(backend, **options(backend))
    caller.execute(engine, "CREATE TABLE mine (id int)", "INSERT INTO mine VALUES (7)")
    site = Site(engine, tmp_path, "op.execute('INSERT INTO mine VALUES (8)')")
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
    assert caller.tables(engine) == {"mine", "users"}
    assert caller.query(engine, "SELECT id FROM mine") == [(7,), (8,)]
    caller(site.alembic, "downgrade")
    caller(site.alembic, "upgrade")
    assert len(caller.query(engine, "SELECT id FROM mine")) == 3


@on(MEMORY_BACKENDS)
async def test_a_database_in_memory_can_be_migrated_from_another_thread(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    engine = engine_for(backend, **static_pool(backend))
    site = Site(engine, tmp_path)
    assert await tables_in(engine) == set()
    await asyncio.to_thread(site.alembic.sync.upgrade)
    assert await tables_in(engine) == {"users"}
    await site.alembic.downgrade()
    assert await tables_in(engine) == set()


@on_each_kind
def test_a_pool_without_a_free_connection_is_named(
    backend: Backend, engines: EngineFactory, runner: asyncio.Runner, tmp_path: Path
) -> None:
    """As in a request that holds the only one. A migration needs none of the pool."""
    options = one_connection(backend) | {"pool_timeout": 0.1}
    site = Site(engines(backend, **options), tmp_path)

    async def hold(method: str) -> object:
        if isinstance(site.engine, AsyncEngine):
            async with site.engine.connect():
                return await getattr(site.alembic, method)()

        with site.engine.connect():
            return await getattr(site.alembic, method)()

    assert runner.run(hold("upgrade"))

    with pytest.raises(DatabaseConnectionError, match="'default'.*QueuePool limit"):
        runner.run(hold("current"))


@on([by_id("sqlite-sqlite3")])
async def test_more_calls_at_once_than_there_are_threads(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """A call must not wait for a second thread while it holds one."""
    site = Site(engine_for(backend, poolclass=NullPool), tmp_path)
    calls = [site.alembic.needs_upgrade() for _ in range(60)]
    assert await asyncio.gather(*calls) == [True] * 60


@on(ASYNC_BACKENDS)
@blocking_only
def test_the_sync_part_of_an_async_engine_is_refused(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """An easy mistake, with an error of SQLAlchemy's that tells nothing about it."""
    engine = engines.asynchronous(backend).sync_engine
    site = Site(engine, tmp_path)

    with pytest.raises(RuntimeError, match="AsyncEngine"):
        caller(site.alembic, "upgrade")


@awaited_only
@on(ASYNC_BACKENDS)
def test_a_connection_of_a_loop_that_is_gone_is_not_used(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Each blocking call has a loop of its own, and so must its connections."""
    site = Site(engines(backend), tmp_path)

    for _ in range(3):
        site.alembic.sync.current()

    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
    assert site.alembic.sync.needs_upgrade() is False


def test_listeners_of_an_engine_that_is_gone_are_not_taken_for_its_own(
    tmp_path: Path,
) -> None:
    """SQLAlchemy knows them by ids, which a new dialect can have again."""
    kept = []

    for number in range(50):
        engine = sa.create_engine(f"sqlite:///{tmp_path / 'app.db'}")
        path = str(tmp_path / f"{number}.db")
        other = with_other_database(engine, path)

        with other.connect() as connection:
            rows = connection.exec_driver_sql("PRAGMA database_list").all()

        assert [row[2] for row in rows] == [path]
        # As a copy of the dialect does.
        kept.append(engine.dialect.dispatch)
        other.dispose()
        engine.dispose()
        del engine, other
        gc.collect()
