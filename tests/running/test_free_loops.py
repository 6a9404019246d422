"""The loop stays free while a migration runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from blockbuster import BlockBuster
from blockbuster import blockbuster_ctx
from sqlalchemy.ext.asyncio import AsyncEngine

from ..backends import Backend
from ..backends import BACKENDS
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import ids
from .sites import Site
from .sites import SLEEP


class Heartbeat:
    """A task that runs every millisecond, and notes when."""

    def __init__(self) -> None:
        self.beats: list[float] = []

    async def __aenter__(self) -> Heartbeat:
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *args: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.beats.append(time.monotonic())


@on([b for b in BACKENDS if not b.in_memory])
async def test_the_loop_runs_on_while_a_migration_waits(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    if backend.database == "sqlite" and backend.is_async:
        code = "op.get_bind().exec_driver_sql('SELECT pause()')"
    elif backend.is_async:
        code = f"op.execute('{SLEEP[backend.database].format(0.5)}')"
    else:
        code = "time.sleep(0.5)"

    engine = engine_for(backend)

    if backend.database == "sqlite" and isinstance(engine, AsyncEngine):

        @sa.event.listens_for(engine.sync_engine, "connect")
        def add_function(connection: Any, record: Any) -> None:
            connection.create_function("pause", 0, lambda: time.sleep(0.5))

    note = "op.get_context().opts['times'].append(time.monotonic())"
    site = Site(engine, tmp_path, f"import time\n{note}\n{code}\n{note}")
    times: list[float] = []
    site.pass_in(times=times)

    async with Heartbeat() as heartbeat:
        await site.alembic.upgrade()

    started, ended = times
    assert ended - started > 0.4
    # A busy machine takes turns of its own, but not for all of the time.
    assert sum(started < beat < ended for beat in heartbeat.beats) > 10


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
    alembic._registry.arguments.metadatas.tables["users"].append_column(column)  # type: ignore[union-attr]
    await alembic.upgrade()

    with no_blocking():
        assert len(await alembic.revision("a difference")) == 1
