"""What it takes to compare 500 tables with their models, which have server defaults.

Run it with ``python -m benchmarks.comparing``, or with the number of runs. The peer is
Alembic's own ``compare_metadata()``, with ``compare_server_default``. What is measured
are whole processes, from their start to their end: the CPU time of the process itself,
and its wall time, which also has that of the server. A process that does everything but
compare is what both are measured beyond.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.asyncio import create_async_engine
from tests.direct import blocking_url
from tests.zygote import ROOT

from .lab import DRIVERS
from .lab import Lab
from .measuring import alternate
from .measuring import answer_of
from .measuring import code_to_call
from .measuring import compare
from .measuring import output_of
from .measuring import python_command
from .measuring import Ratio
from .measuring import Scale
from .measuring import Table
from .results import main
from .tools import is_async
from .tools import shown

OURS = "async-alembic"
PEER = "Alembic"
NOTHING = "only connecting"
#: The driver, and what is to be reached beside Alembic on the same one.
CONTESTS = {
    "PostgreSQL": [(driver, 0.4) for driver in DRIVERS["PostgreSQL"]],
    "MariaDB": [(DRIVERS["MariaDB"][1], None)],
    "SQLite": [(DRIVERS["SQLite"][1], None)],
}
#: The tables beside those of :class:`.Scale`, so that there are 500.
FACTOR = 2.5


def metadata_of(tables: int) -> sa.MetaData:
    metadata = sa.MetaData()

    for number in range(tables):
        sa.Table(
            f"order_{number}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("state", sa.String(20), server_default="new", nullable=False),
            sa.Column("items", sa.Integer, server_default="0", nullable=False),
            sa.Column("price", sa.Numeric(10, 2), server_default=sa.text("9.50")),
            sa.Column("paid", sa.Boolean, server_default=sa.false()),
            sa.Column("code", sa.String(20), server_default=sa.text("('none')")),
            sa.Column("due", sa.Date, server_default="2030-01-01"),
            sa.Column("created_at", sa.DateTime, server_default=sa.func.now()),
        )

    return metadata


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    tables = int(scale.tables * FACTOR)

    for database, contests in CONTESTS.items():
        for driver, reach in contests:
            title = f"`compare_metadata()` of {tables} tables, {driver}"

            if missing := lab.missing(database):
                yield Table(title, skipped=missing)
                continue

            url = lab.new_database(database, driver)
            engine = sa.create_engine(blocking_url(url))
            metadata_of(tables).create_all(engine)
            engine.dispose()
            measures = {
                tool: partial(measure, lab, tool, shown(url), tables)
                for tool in (NOTHING, OURS, PEER)
            }
            measured = alternate(measures, scale.few)

            for number, what in enumerate(("CPU", "wall")):
                samples = {
                    f"{tool}, {what}": [
                        sample[number] - nothing[number]
                        for sample, nothing in zip(
                            measured[tool], measured[NOTHING], strict=True
                        )
                    ]
                    for tool in (OURS, PEER)
                }
                ratio = Ratio(f"{OURS}, {what}", f"{PEER}, {what}", reach)
                yield compare(f"{title}, {what} time", samples, [ratio])


def measure(lab: Lab, tool: str, url: str, tables: int) -> tuple[float, float]:
    """Run a process.

    :return: The seconds of CPU and of wall time that it took.
    """
    before, started = used(), time.perf_counter()
    folder = os.fspath(lab.new_folder())
    command = python_command(code_to_call(run), tool, url, tables, folder)
    differences = answer_of(output_of(command, ROOT))
    # Alembic finds some more on MariaDB.
    assert differences == (tool != NOTHING) or tool == PEER, differences
    return used() - before, time.perf_counter() - started


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(tool: str, url: str, tables: int, folder: str) -> int:
    """Be one of the processes.

    :return: How many differences there are.
    """
    # The database lacks one.
    metadata = metadata_of(tables + 1)
    # Both need these, so that neither is charged for them.
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"compare_server_default": True}

    def find(connection: sa.Connection) -> list[Any]:
        connection.execute(sa.text("SELECT 1"))

        if tool == NOTHING:
            return []

        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    if tool == OURS:
        return len(find_by_package(url, metadata, folder))

    if is_async(url):
        return len(asyncio.run(find_awaited(url, find)))

    with sa.create_engine(url).connect() as connection:
        return len(find(connection))


def find_by_package(url: str, metadata: sa.MetaData, folder: str) -> list[Any]:
    from flask import Flask

    from async_alembic import Alembic

    app = Flask("app", root_path=folder)
    engine: Any = create_async_engine(url) if is_async(url) else sa.create_engine(url)
    alembic = Alembic(app, metadatas=metadata, engines=engine)

    if not is_async(url):
        return list(alembic.sync.compare_metadata())

    async def find() -> list[Any]:
        found = list(await alembic.compare_metadata())
        await engine.dispose()
        return found

    return asyncio.run(find())


async def find_awaited(url: str, find: Any) -> list[Any]:
    engine = create_async_engine(url)
    connection: AsyncConnection

    async with engine.connect() as connection:
        found: list[Any] = await connection.run_sync(find)

    await engine.dispose()
    return found


if __name__ == "__main__":
    main(benchmark)
