"""What it takes to upgrade an empty database through a long history.

Run it with ``python -m benchmarks.migrating``, or with the number of runs. The projects
of Alembic are those that its ``init`` makes, with the template that is meant for the
driver: ``async`` for asyncpg, which runs the revisions by ``run_sync``.

The upgrade alone is measured in a process that has imported everything. Whole processes
are measured from the start of their interpreter to its end: by the clock on PostgreSQL,
and on SQLite by CPU time and peak memory, where a disk costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from compileall import compile_dir
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import sqlalchemy as sa

from .history import write_history
from .lab import Lab
from .measuring import alternate
from .measuring import compare
from .measuring import megabytes
from .measuring import Ratio
from .measuring import Scale
from .measuring import Table
from .results import main
from .tools import ALEMBIC
from .tools import AWAITED
from .tools import BLOCKING
from .tools import FLASK_ALEMBIC
from .tools import shown
from .whole_processes import run
from .whole_processes import Usage

#: For each database: who contests on which driver, and what the first is to reach
#: beside each of the others.
CONTESTS: dict[str, list[tuple[str, str, float | None]]] = {
    "PostgreSQL": [
        (AWAITED, "postgresql+asyncpg", None),
        (BLOCKING, "postgresql+psycopg2", None),
        (ALEMBIC, "postgresql+psycopg2", 0.8),
        (ALEMBIC, "postgresql+asyncpg", None),
    ],
    "SQLite": [
        (AWAITED, "sqlite+aiosqlite", None),
        (BLOCKING, "sqlite", None),
        (ALEMBIC, "sqlite", 0.5),
    ],
    # What the journal costs, which Alembic does not have.
    "MariaDB": [
        (AWAITED, "mysql+asyncmy", None),
        (BLOCKING, "mysql+pymysql", None),
        (ALEMBIC, "mysql+pymysql", None),
    ],
}

AWAITING = """
import asyncio, sys
import sqlalchemy as sa
from async_alembic import Alembic
from quart import Quart
from sqlalchemy.ext.asyncio import create_async_engine

folder, url = sys.argv[1:]
app = Quart("app", root_path=folder)
engine = create_async_engine(url)
alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

async def main():
    await alembic.upgrade()
    await engine.dispose()

asyncio.run(main())
"""
WITH_FLASK = """
import sys
import sqlalchemy as sa
from {package} import {name} as Alembic
from flask import Flask

folder, url = sys.argv[1:]
app = Flask("app", root_path=folder)
alembic = Alembic(app, metadatas=sa.MetaData(), engines=sa.create_engine(url))

with app.app_context():
    alembic.upgrade()
"""
#: What a whole process runs.
SCRIPTS = {
    AWAITED: AWAITING,
    BLOCKING: WITH_FLASK.format(package="async_alembic", name="SyncAlembic"),
    FLASK_ALEMBIC: WITH_FLASK.format(package="flask_alembic", name="Alembic"),
    ALEMBIC: """
import sys
from alembic import command
from alembic.config import Config

folder, url = sys.argv[1:]
config = Config(f"{folder}/alembic.ini")
config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
command.upgrade(config, "heads")
""",
}
#: The file system of the kernel that is kept in memory.
IN_MEMORY = Path("/dev/shm")


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    yield from upgrades(lab, scale)
    yield from whole_processes_on_postgresql(lab, scale)
    yield from whole_processes_in_memory(lab, scale)


def whole_processes_on_postgresql(lab: Lab, scale: Scale) -> Iterator[Table]:
    title = f"{scale.large:,} revisions from empty, PostgreSQL, whole processes"

    if missing := lab.missing("PostgreSQL"):
        yield Table(title, skipped=missing)
        return

    contestants = [(AWAITED, "postgresql+asyncpg"), (ALEMBIC, "postgresql+psycopg2")]
    measures = {}

    for tool, driver in contestants:
        folder = new_history(lab, tool, lab.new_database("PostgreSQL", driver), scale)
        new_url = partial(lab.new_database, "PostgreSQL", driver)
        measures[named(tool, driver)] = partial(whole_process, tool, folder, new_url)

    samples = {
        name: [usage.wall for usage in usages]
        for name, usages in alternate(measures, scale.few).items()
    }
    yield compare(title, samples, [Ratio(*samples, 1.0)])


def whole_processes_in_memory(lab: Lab, scale: Scale) -> Iterator[Table]:
    title = f"{scale.large:,} revisions from empty, SQLite in memory, whole processes"

    if not IN_MEMORY.is_dir():
        yield Table(title, skipped=f"There is no {IN_MEMORY}.")
        return

    contestants = [
        (AWAITED, "sqlite+aiosqlite"),
        (BLOCKING, "sqlite"),
        (FLASK_ALEMBIC, "sqlite"),
    ]

    with TemporaryDirectory(dir=IN_MEMORY) as memory:
        measures = {}

        for tool, driver in contestants:
            new_url = partial(new_file, memory, driver)
            folder = new_history(lab, tool, new_url(), scale)
            measures[tool] = partial(whole_process, tool, folder, new_url)

        usages = alternate(measures, scale.few)

    cpu = {tool: [usage.cpu for usage in found] for tool, found in usages.items()}
    memories = {tool: [u.memory for u in found] for tool, found in usages.items()}
    reach = {AWAITED: 1.0, BLOCKING: 0.85}
    ratios = [Ratio(tool, FLASK_ALEMBIC, goal) for tool, goal in reach.items()]
    yield compare(f"{title}: CPU time", cpu, ratios)
    ratios = [Ratio(tool, FLASK_ALEMBIC, 1.0) for tool in reach]
    yield compare(f"{title}: peak memory", memories, ratios, megabytes)


def whole_process(tool: str, folder: Path, new_url: Callable[[], sa.URL]) -> Usage:
    return run(["-c", SCRIPTS[tool], str(folder), shown(new_url())])


def new_file(folder: str, driver: str) -> sa.URL:
    return sa.URL.create(driver, database=f"{folder}/{uuid4().hex}.db")


def new_history(lab: Lab, tool: str, url: sa.URL, scale: Scale) -> Path:
    folder, versions = lab.new_project(tool, url)
    write_history(versions, scale.large)
    compile_dir(versions, quiet=2)
    return folder


def upgrades(lab: Lab, scale: Scale) -> Iterator[Table]:
    for database, contestants in CONTESTS.items():
        title = f"{scale.large:,} revisions from empty, {database}"

        if missing := lab.missing(database):
            yield Table(title, skipped=missing)
            continue

        measures = {}
        ratios = []
        first, *_ = contestants

        for tool, driver, reach in contestants:
            folder = new_history(lab, tool, lab.new_database(database, driver), scale)
            name = named(tool, driver)
            measures[name] = partial(migrate, lab, database, tool, driver, folder)

            if tool == ALEMBIC:
                ratios.append(Ratio(named(*first[:2]), name, reach))

        ratios.append(Ratio(named(*contestants[1][:2]), named(*contestants[2][:2])))
        yield compare(title, alternate(measures, scale.few, warm_ups=0), ratios)


def named(tool: str, driver: str) -> str:
    return f"{tool} on {driver.partition('+')[2] or 'sqlite3'}"


def migrate(lab: Lab, database: str, tool: str, driver: str, folder: Path) -> float:
    return lab.zygote(tool).time((folder, lab.new_database(database, driver)))


if __name__ == "__main__":
    main(benchmark)
