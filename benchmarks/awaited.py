"""What is awaited while a task wakes up every millisecond: one process of
:mod:`benchmarks.loop`.

The peer is Alembic under ``run_sync``, with a connection that is shared with its
``env.py``, as Alembic's cookbook has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

OURS = "async-alembic"
PEER = "Alembic under `run_sync`"

ENV_PY = """
from alembic import context

connection = context.config.attributes["connection"]
metadata = context.config.attributes["metadata"]
context.configure(connection=connection, target_metadata=metadata)

with context.begin_transaction():
    context.run_migrations()
"""
PERIOD = 0.001

#: A folder, the URL of its database, and how many tables there are.
Project = tuple[str, str, int]
Calls = dict[str, Callable[[], Awaitable[Any]]]


def metadata_of(tables: int) -> sa.MetaData:
    metadata = sa.MetaData()

    for number in range(tables):
        sa.Table(
            f"order_{number}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("customer", sa.String(80), nullable=False, index=True),
            sa.Column("amount", sa.Numeric(10, 2)),
            sa.Column("created_at", sa.DateTime, server_default=sa.func.now()),
        )

    return metadata


@contextlib.asynccontextmanager
async def our_calls(project: Project) -> AsyncIterator[Calls]:
    from quart import Quart

    from async_alembic import Alembic

    folder, url, tables = project
    app = Quart("app", root_path=folder)
    engine = create_async_engine(url)
    # The database lacks one.
    alembic = Alembic(app, metadatas=metadata_of(tables + 1), engines=engine)
    yield {
        "upgrade": alembic.upgrade,
        "revision": lambda: alembic.revision("change"),
        "compare_metadata": alembic.compare_metadata,
    }
    await engine.dispose()


@contextlib.asynccontextmanager
async def calls_of_peer(project: Project) -> AsyncIterator[Calls]:
    from alembic import command
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext

    folder, url, tables = project
    config = Config(Path(folder, "alembic.ini"))
    metadata = metadata_of(tables + 1)
    engine = create_async_engine(url)

    async def run(work: Callable[[sa.Connection], Any]) -> Any:
        async with engine.begin() as connection:
            return await connection.run_sync(work)

    def share(connection: sa.Connection) -> Config:
        config.attributes |= {"connection": connection, "metadata": metadata}
        return config

    def revision(connection: sa.Connection) -> Any:
        return [command.revision(share(connection), "change", autogenerate=True)]

    yield {
        "upgrade": lambda: run(lambda c: command.upgrade(share(c), "heads")),
        "revision": lambda: run(revision),
        "compare_metadata": lambda: run(
            lambda c: compare_metadata(MigrationContext.configure(c), metadata)
        ),
    }
    await engine.dispose()


CALLS: dict[str, Callable[[Project], AbstractAsyncContextManager[Calls]]] = {
    OURS: our_calls,
    PEER: calls_of_peer,
}


async def beat(late: list[float]) -> None:
    """Wake up every millisecond, and note by how many seconds it is too late."""
    while True:
        started = time.perf_counter()
        await asyncio.sleep(PERIOD)
        late.append(time.perf_counter() - started - PERIOD)


@contextlib.asynccontextmanager
async def heartbeat(late: list[float]) -> AsyncIterator[None]:
    task = asyncio.create_task(beat(late))
    # It has to be asleep when a stall begins, and awake once more when it has ended.
    await asyncio.sleep(2 * PERIOD)
    yield
    await asyncio.sleep(2 * PERIOD)
    task.cancel()


def lateness(
    tool: str, name: str, first: Project | None, project: Project, repeats: int
) -> list[float]:
    """Await a call, and a heartbeat beside it.

    :param first: Where it is called once before, without one.
    """
    late: list[float] = []

    async def run() -> None:
        if first:
            await call_once(tool, name, first, [])

        for _ in range(repeats):
            await call_once(tool, name, project, late)

    asyncio.run(run())
    return late


async def call_once(tool: str, name: str, project: Project, late: list[float]) -> None:
    async with CALLS[tool](project) as calls:
        # A full collection is as long as what is alive, whoever has made it.
        gc.collect()

        async with heartbeat(late):
            result = await calls[name]()

    if name == "revision":
        for script in result:
            os.unlink(script.path)
