"""Upgrades that are cancelled."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ..backends import ASYNC_BACKENDS
from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import ids
from ..harness import one_connection
from .sites import on_each_kind
from .sites import Site
from .sites import SLEEP
from .sites import tables_in


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
    backend: Backend,
    engine_for: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
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
    # A server whose limit for its start has expired says nothing of a migration.
    [line] = caplog.messages
    assert "database 'default' was interrupted in revision a2" in line
    end = "All of it was rolled back; the database is at base, as before."
    assert line.endswith(f"a2.py). {end}")
    site.revision("a2", "a1", "pass")
    assert ids(await site.alembic.upgrade()) == ["a1", "a2"]


@on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql")])
async def test_what_is_left_is_said_if_a_thread_is_interrupted(
    backend: Backend,
    engine_for: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its error does not reach the caller, who gets the cancellation."""
    running = threading.Event()
    site = Site(engine_for(backend), tmp_path)
    site.pass_in(running=running)
    sleep = SLEEP[backend.database].format(60)
    site.revision(
        "a2",
        "a1",
        f"""
        op.execute("CREATE TABLE begun (id INTEGER)")
        op.get_context().opts["running"].set()
        op.execute({sleep!r})
        """,
    )
    await cancel_an_upgrade(site, running)
    [line] = caplog.messages
    is_atomic = backend.database == "postgresql"
    left = "rolled back" if is_atomic else "half applied.*--resume"
    assert re.search(f"The upgrade of database 'default' .* a2 .*{left}", line)


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
