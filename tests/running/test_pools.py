"""One engine in several hands: tasks, threads and loops, and a server that restarts."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic import AsyncAlembicError

from ..backends import ASYNC_BACKENDS
from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import SHARED_BACKENDS
from ..backends import SYNC_BACKENDS
from ..conftest import require
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import connections
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..servers import MariaDBServer
from ..servers import PostgresServer
from ..servers import Server

on_async_files_and_servers = on([b for b in ASYNC_BACKENDS if not b.in_memory])
on_sync_files_and_servers = on([b for b in SYNC_BACKENDS if not b.in_memory])
on_shared_backends = on(SHARED_BACKENDS)
COUNT = 8


class Site:
    """An app with a history of three revisions, each of which makes a table."""

    def __init__(self, engine: AnyEngine, root: Path) -> None:
        self.engine = engine
        self.migrations = root / "migrations"
        self.app = make_app("flask", root)
        self.alembic = Alembic(self.app, metadatas=sa.MetaData(), engines=engine)

        for number in (1, 2, 3):
            write_revision(
                self.migrations,
                f"a{number}",
                f"a{number - 1}" if number > 1 else None,
                create_table(f"table{number}"),
                f"op.drop_table('table{number}')",
            )


async def use(engine: AsyncEngine, end: asyncio.Event) -> int:
    """Use an engine as an app does that serves requests. Returns how often."""
    count = 0

    while not end.is_set():
        async with engine.connect() as connection:
            assert (await connection.execute(sa.text("SELECT 1"))).scalar() == 1
            count += 1

        await asyncio.sleep(0.001)

    return count


@on_async_files_and_servers
async def test_a_blocking_call_in_a_thread_does_not_meet_the_loop_of_the_app(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """A connection that was made in one loop hangs or fails in another one."""
    engine = engine_for.asynchronous(backend, **connections(backend, 3))
    site = Site(engine, tmp_path)
    end = asyncio.Event()
    users = [asyncio.create_task(use(engine, end)) for _ in range(3)]

    for _ in range(3):
        upgraded = await asyncio.to_thread(site.alembic.sync.upgrade)
        assert ids(upgraded) == ["a1", "a2", "a3"]
        assert await site.alembic.needs_upgrade() is False
        assert len(await asyncio.to_thread(site.alembic.sync.downgrade, "base")) == 3

    end.set()
    assert all(await asyncio.gather(*users))


@on_shared_backends
def test_blocking_calls_of_several_threads_take_turns(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    caller.query(site.engine, "SELECT 1")

    with ThreadPoolExecutor(COUNT) as executor:
        upgrades = [executor.submit(site.alembic.sync.upgrade) for _ in range(COUNT)]
        applied = [ids(upgrade.result()) for upgrade in upgrades]

    assert sorted(applied, reverse=True)[0] == ["a1", "a2", "a3"]
    assert sum(map(len, applied)) == 3
    assert caller.tables(site.engine) == {"table1", "table2", "table3"}
    assert ids(caller(site.alembic, "current")) == ["a3"]


@on_shared_backends
async def test_awaited_calls_of_several_tasks_take_turns(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engine_for(backend, **connections(backend, COUNT)), tmp_path)
    upgrades = (site.alembic.upgrade() for _ in range(COUNT))
    applied = [ids(each) for each in await asyncio.gather(*upgrades)]
    assert sum(map(len, applied)) == 3
    assert ids(await site.alembic.current()) == ["a3"]


@on_shared_backends
async def test_awaited_and_blocking_calls_take_turns(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engine_for(backend, **connections(backend, COUNT)), tmp_path)
    calls = [
        asyncio.to_thread(site.alembic.sync.upgrade)
        if number % 2
        else site.alembic.upgrade()
        for number in range(COUNT)
    ]
    applied = await asyncio.gather(*calls)
    assert sum(map(len, applied)) == 3


@on_shared_backends
def test_no_connection_is_left_without_an_owner(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Python would warn of it when it is collected, and the server would keep it."""
    site = Site(engines(backend), tmp_path)
    write_revision(site.migrations, "a4", "a3", "raise ValueError('no')")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        for _ in range(2):
            caller(site.alembic, "upgrade", "a3")

            with pytest.raises(AsyncAlembicError):
                caller(site.alembic, "upgrade")

            caller(site.alembic, "downgrade", "base")

        gc.collect()

    left = [w for w in caught if issubclass(w.category, ResourceWarning)]
    assert not left


#: Holds a revision until it is told to go on, and then uses the database.
HOLD = """
opts = op.get_context().opts
opts["running"].set()
assert opts["go_on"].wait(60)
op.execute("SELECT 1")
"""


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Server]:
    require(PostgresServer.missing())

    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def own_mariadb() -> Iterator[Server]:
    require(MariaDBServer.missing())

    with MariaDBServer() as server:
        yield server


@on(
    [
        by_id("postgresql-asyncpg"),
        by_id("postgresql-psycopg-async"),
        by_id("postgresql-psycopg2"),
        by_id("mariadb-asyncmy"),
        by_id("mariadb-pymysql"),
    ]
)
def test_a_restart_of_the_server_is_told_and_can_be_repeated(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    fixture = "own_postgres" if backend.database == "postgresql" else "own_mariadb"
    server: Server = request.getfixturevalue(fixture)
    name = f"test_{backend.driver}_{caller.awaited}".lower()
    server.create_database(name)
    running, go_on = threading.Event(), threading.Event()
    site = Site(engines(backend, server.url(backend.drivername, name)), tmp_path)
    site.app.config["ALEMBIC_CONTEXT"] |= {"running": running, "go_on": go_on}
    write_revision(site.migrations, "a4", "a3", HOLD)

    def restart() -> None:
        assert running.wait(60)
        server.restart()
        go_on.set()

    with ThreadPoolExecutor(1) as executor:
        restarted = executor.submit(restart)

        with pytest.raises(AsyncAlembicError, match="'default'.*a4") as caught:
            caller(site.alembic, "upgrade")

        restarted.result()

    assert "\n" not in str(caught.value)
    # The app's connections were lost as well.
    dispose(caller, site.engine)
    is_atomic = backend.database == "postgresql"
    assert caller.versions(site.engine) == ([] if is_atomic else ["a3"])
    everything = ["a1", "a2", "a3", "a4"]
    assert ids(caller(site.alembic, "upgrade")) == everything[0 if is_atomic else 3 :]
    dispose(caller, site.engine)


def dispose(caller: Caller, engine: Any) -> None:
    if isinstance(engine, AsyncEngine):
        caller.run(engine.dispose())
    else:
        engine.dispose()


@on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql"), by_id("sqlite-sqlite3")])
async def test_an_interrupted_statement_ends_at_once_in_its_thread(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """A deploy that is cancelled has some seconds, and an ``ALTER TABLE`` has not."""
    site = Site(engine_for(backend), tmp_path)
    slow = {
        "postgresql": "SELECT pg_sleep(30)",
        "mariadb": "SELECT SLEEP(30)",
        "sqlite": (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
            " WHERE n < 300000000) SELECT count(*) FROM c"
        ),
    }
    running = threading.Event()
    site.app.config["ALEMBIC_CONTEXT"]["running"] = running
    execute = f"op.execute({slow[backend.database]!r})"
    code = f"op.get_context().opts['running'].set()\n{execute}"
    write_revision(site.migrations, "a4", "a3", code)
    upgrade = asyncio.create_task(site.alembic.upgrade())
    await asyncio.to_thread(running.wait)
    await asyncio.sleep(0.1)
    started = time.monotonic()
    upgrade.cancel()

    with pytest.raises(asyncio.CancelledError):
        await upgrade

    assert time.monotonic() - started < 5
    write_revision(site.migrations, "a4", "a3")
    await site.alembic.upgrade()
    assert ids(await site.alembic.current()) == ["a4"]


@pytest.mark.parametrize("awaits", [True, False], ids=["awaited", "blocking"])
@on([b for b in SHARED_BACKENDS if b.database != "sqlite"])
async def test_what_drivers_keep_of_the_old_schema_does_not_reach_the_app(
    backend: Backend, awaits: bool, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """Plans of prepared statements, and ids of types."""
    engine = engine_for(backend, **connections(backend, 2))
    migrations = tmp_path / "migrations"
    app = make_app("flask", tmp_path)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    is_postgresql = backend.database == "postgresql"
    enum = "CREATE TYPE mood AS ENUM ('good')" if is_postgresql else "SELECT 1"
    drop = "DROP TYPE mood" if is_postgresql else "SELECT 1"
    kind = "mood" if is_postgresql else "VARCHAR(9)"
    create = "CREATE TABLE note ({})"
    fill = "INSERT INTO note (mood) VALUES ('good')"
    write_revision(
        migrations,
        "a1",
        None,
        _executing(enum, create.format(f"mood {kind}"), fill),
    )
    create_again = create.format(f"x INT, mood {kind}")
    write_revision(
        migrations,
        "a2",
        "a1",
        _executing("DROP TABLE note", drop, enum, create_again, fill),
    )

    def look(connection: sa.Connection) -> list[int]:
        # psycopg prepares a statement at its sixth execution.
        return [
            len(connection.execute(sa.text("SELECT * FROM note")).one())
            for _ in range(7)
        ]

    async def look_twice() -> list[int]:
        """On two connections, whatever kind the engine is of."""
        if isinstance(engine, AsyncEngine):
            async with engine.connect() as one, engine.connect() as two:
                return await one.run_sync(look) + await two.run_sync(look)

        with engine.connect() as one_, engine.connect() as two_:
            return look(one_) + look(two_)

    async def upgrade(target: str) -> None:
        if awaits:
            await alembic.upgrade(target)
        else:
            await asyncio.to_thread(alembic.sync.upgrade, target)

    await upgrade("a1")
    assert await look_twice() == [1] * 14
    await upgrade("a2")
    assert await look_twice() == [2] * 14


def _executing(*statements: str) -> str:
    return "\n".join(f"op.execute({statement!r})" for statement in statements)
