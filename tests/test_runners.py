"""What the four ways to run owe to the loop, to the pool and to the caller."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from blockbuster import BlockBuster
from blockbuster import blockbuster_ctx
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool
from sqlalchemy.pool import StaticPool

from async_alembic import Alembic
from async_alembic.errors import DatabaseConnectionError
from async_alembic.errors import MigrationError

from .apps import AnyEngine
from .apps import awaited_only
from .apps import blocking_only
from .apps import Caller
from .apps import create_table
from .apps import Framework
from .apps import ids
from .apps import make_app
from .apps import on_both_frameworks
from .apps import one_connection
from .apps import ONE_OF_EACH_KIND
from .apps import write_revision
from .backends import ASYNC_BACKENDS
from .backends import Backend
from .backends import BACKENDS
from .backends import by_id
from .backends import EngineFactory
from .backends import MEMORY_BACKENDS
from .backends import on
from .backends import on_all_backends

on_each_kind = on(ONE_OF_EACH_KIND)
on_async_servers = on([b for b in ASYNC_BACKENDS if b.database != "sqlite"])
#: Of each database, what a query of it that takes a second looks like.
SLEEP = {"postgresql": "SELECT pg_sleep({})", "mariadb": "SELECT SLEEP({})"}


class Site:
    """An app with one database, and a history of one revision that makes "users"."""

    def __init__(self, engine: AnyEngine, root: Path, code: str = "") -> None:
        self.engine = engine
        self.migrations = root / "migrations"
        self.app = make_app("flask", root)
        metadata = sa.MetaData()
        sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
        self.alembic = Alembic(self.app, metadatas=metadata, engines=engine)
        self.revision("a1", None, f"{create_table('users')}\n{code}")

    def revision(self, revision: str, after: str | None, code: str) -> None:
        back = "pass" if after else "op.drop_table('users')"
        write_revision(self.migrations, revision, after, code, back)

    def pass_in(self, **values: Any) -> None:
        """Let the revisions have these in ``op.get_context().opts``."""
        self.app.config["ALEMBIC_CONTEXT"] |= values


async def tables_in(engine: AnyEngine) -> set[str]:
    def look(connection: sa.Connection) -> set[str]:
        return {*sa.inspect(connection).get_table_names()} - {"alembic_version"}

    if isinstance(engine, AsyncEngine):
        async with engine.connect() as async_connection:
            return await async_connection.run_sync(look)

    with engine.connect() as connection:
        return look(connection)


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
    """A connection works in the loop only that it was made in."""
    engine = engine_for.asynchronous(backend, **one_connection(backend))
    site = Site(engine, tmp_path)
    before = await scalar(engine, CONNECTION_ID[backend.database])

    for method in "upgrade", "current", "needs_revision", "downgrade":
        await asyncio.to_thread(getattr(site.alembic.sync, method))
        assert await scalar(engine, CONNECTION_ID[backend.database]) == before
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


class Heartbeat:
    """A task that should run every millisecond, and notes how late it is."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Heartbeat:
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *args: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.monotonic() - before)


@on([b for b in BACKENDS if not b.in_memory])
async def test_the_loop_runs_on_while_a_migration_waits(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    if backend.database == "sqlite" and backend.is_async:
        code = "op.get_bind().exec_driver_sql('SELECT pause()')"
    elif backend.is_async:
        code = f"op.execute('{SLEEP[backend.database].format(0.5)}')"
    else:
        code = "import time\ntime.sleep(0.5)"

    engine = engine_for(backend)

    if backend.database == "sqlite" and isinstance(engine, AsyncEngine):

        @sa.event.listens_for(engine.sync_engine, "connect")
        def add_function(connection: Any, record: Any) -> None:
            connection.create_function("pause", 0, lambda: time.sleep(0.5))

    site = Site(engine, tmp_path, code)
    # What is imported at first use may take its time.
    await site.alembic.needs_upgrade()

    async with Heartbeat() as heartbeat:
        started = time.monotonic()
        await site.alembic.upgrade()
        assert time.monotonic() - started > 0.5

    assert heartbeat.longest < 0.25


@contextlib.contextmanager
def no_blocking() -> Iterator[BlockBuster]:
    with blockbuster_ctx() as blockbuster:
        for function in blockbuster.functions.values():
            # Looks for files with passwords and certificates whenever it connects.
            function.can_block_in("connect_utils.py", "_parse_connect_arguments")

        yield blockbuster


@on([by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg"), by_id("sqlite-sqlite3")])
async def test_no_file_is_opened_on_the_loop(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """Neither a revision, nor the template of a new one."""
    site = Site(engine_for(backend), tmp_path)
    alembic = site.alembic
    # What is imported or resolved at first use is not the point.
    await alembic.current()
    (tmp_path / "migrations/script.py.mako").unlink()

    with no_blocking():
        await alembic.mkdir()
        assert ids(await alembic.upgrade()) == ["a1"]
        assert len(await alembic.revision("empty", empty=True)) == 1
        await alembic.upgrade()
        assert await alembic.revision("no difference") == []
        await alembic.downgrade("base")
        await alembic.stamp("a1")
        assert await alembic.heads() != await alembic.current()
        assert len(await alembic.log("current")) == 2
        await alembic.status()
        await alembic.compare_metadata()
        await alembic.branches()
        await alembic.merge()
        await alembic.op.execute("SELECT 1")
        await alembic.context.get_current_heads()

    column = sa.Column("name", sa.String(20))
    alembic._registry.metadatas.tables["users"].append_column(column)  # type: ignore[union-attr]
    await alembic.upgrade()

    with no_blocking():
        assert len(await alembic.revision("a difference")) == 1


async def cancel_an_upgrade(site: Site, running: threading.Event) -> None:
    """Cancel it a moment after a revision has said that it runs."""
    upgrade = asyncio.create_task(site.alembic.upgrade())
    await asyncio.to_thread(running.wait)
    await asyncio.sleep(0.05)
    upgrade.cancel()

    with pytest.raises(asyncio.CancelledError):
        await upgrade


@on([b for b in ASYNC_BACKENDS if b.database == "postgresql"])
async def test_a_cancelled_upgrade_is_rolled_back_and_the_pool_is_sound(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    running = threading.Event()
    engine = engine_for.asynchronous(backend, **one_connection(backend))
    site = Site(engine, tmp_path)
    site.pass_in(running=running)
    sleep = "op.execute('SELECT pg_sleep(60)')"
    site.revision("a2", "a1", f"op.get_context().opts['running'].set()\n{sleep}")
    await cancel_an_upgrade(site, running)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert await tables_in(engine) == set()
    site.revision("a2", "a1", "pass")
    assert ids(await site.alembic.upgrade()) == ["a1", "a2"]


@on([by_id("postgresql-asyncpg"), by_id("mariadb-asyncmy")])
async def test_what_a_revision_does_at_its_end_is_waited_for(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """As where it gives something back that it has had from elsewhere."""
    running = threading.Event()
    given_back: list[bool] = []
    site = Site(engine_for(backend, **one_connection(backend)), tmp_path)
    site.pass_in(running=running, given_back=given_back)
    site.revision(
        "a2",
        "a1",
        f"""
        import asyncio
        opts = op.get_context().opts
        opts["running"].set()

        try:
            op.execute({SLEEP[backend.database].format(60)!r})
        finally:
            op.run_async(lambda connection: asyncio.sleep(0.3))
            opts["given_back"].append(True)
        """,
    )
    await cancel_an_upgrade(site, running)
    assert given_back == [True]
    assert site.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@on_each_kind
async def test_a_cancelled_upgrade_has_ended_when_its_caller_goes_on(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """A thread cannot be cancelled; but it must not commit what was given up."""
    running = threading.Event()
    site = Site(engine_for(backend, **one_connection(backend)), tmp_path)
    site.pass_in(running=running)
    site.revision(
        "a2",
        "a1",
        """
        import time
        op.get_context().opts["running"].set()
        for _ in range(30):
            op.execute("SELECT 1")
            time.sleep(0.005)
        """,
    )
    upgrade = asyncio.create_task(site.alembic.upgrade())
    await asyncio.to_thread(running.wait)
    upgrade.cancel()

    with pytest.raises(asyncio.CancelledError):
        await upgrade

    assert site.engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    if backend.database != "mariadb":
        assert await tables_in(site.engine) == set()
        assert ids(await site.alembic.upgrade()) == ["a1", "a2"]


@on([by_id("sqlite-aiosqlite")])
async def test_a_connection_that_is_cancelled_while_it_is_made_is_closed(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """A driver with a thread may have it by then, and nobody to give it to."""
    loop = asyncio.get_running_loop()
    closed = []

    class Connection(sqlite3.Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            loop.call_soon_threadsafe(task.cancel)
            time.sleep(0.1)

        def close(self) -> None:
            closed.append(self)
            super().close()

    engine = engine_for(backend, connect_args={"factory": Connection})
    site = Site(engine, tmp_path)
    task = asyncio.create_task(site.alembic.upgrade())

    with pytest.raises(asyncio.CancelledError):
        await task

    await engine_for.dispose()
    assert len(closed) == 1


@on_each_kind
def test_a_pool_without_a_free_connection_is_named(
    backend: Backend, engines: EngineFactory, runner: asyncio.Runner, tmp_path: Path
) -> None:
    """As in a request that holds the only one."""
    options = one_connection(backend) | {"pool_timeout": 0.1}
    site = Site(engines(backend, **options), tmp_path)

    async def hold() -> None:
        if isinstance(site.engine, AsyncEngine):
            async with site.engine.connect():
                await site.alembic.upgrade()
        else:
            with site.engine.connect():
                await site.alembic.upgrade()

    with pytest.raises(DatabaseConnectionError, match="'default'.*QueuePool limit"):
        runner.run(hold())


tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@on_all_backends
def test_revisions_see_the_context_variables_of_the_caller(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.pass_in(tenant=tenant)
    site.revision("a2", "a1", "assert op.get_context().opts['tenant'].get() == 'acme'")
    caller.block(lambda: tenant.set("acme"))
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]


@on_both_frameworks
@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
def test_revisions_see_the_app_whose_context_it_is(
    framework: Framework,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    app = make_app(framework, tmp_path, TENANT="acme")
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engines(backend))
    code = f"from {framework} import current_app as app\nassert app.config['TENANT']"
    write_revision(tmp_path / "migrations", "a1", upgrade=code)

    with caller.inside(app):
        assert ids(caller(alembic, "upgrade")) == ["a1"]


@on_all_backends
def test_an_error_keeps_its_cause_and_its_place(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path, "raise LookupError('no such thing')")

    with pytest.raises(MigrationError, match="no such thing") as caught:
        caller(site.alembic, "upgrade")

    cause = caught.value.__cause__
    assert isinstance(cause, LookupError)
    frames = []
    traceback = cause.__traceback__

    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next

    assert frames[-1] == str(site.migrations / "a1.py") == caught.value.path


@on(ASYNC_BACKENDS)
def test_op_run_async_awaits_on_the_connection_of_the_migration(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """For what only the driver's own, async interface can do."""
    site = Site(engines(backend), tmp_path)
    site.revision(
        "a2",
        "a1",
        """
        async def insert(connection):
            await connection.execute(sa.text("INSERT INTO users (id) VALUES (1)"))

        op.run_async(insert)
        """,
    )
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]
    assert caller.query(site.engine, "SELECT id FROM users") == [(1,)]


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
