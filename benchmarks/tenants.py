"""What tenants take that have a schema each, in one database of PostgreSQL, beside a
loop over ``alembic.command``.

Run it with ``python -m benchmarks.tenants``, with the number of runs, or with
``--quick``. Each process first upgrades one tenant, so that it has imported what it
needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from flask import Flask
from sqlalchemy.ext.asyncio import create_async_engine
from tests.direct import execute
from tests.servers import Server

from async_alembic import Alembic

from .distance import distant
from .distance import ROUND_TRIP
from .history import write_history
from .lab import Lab
from .measuring import alternate
from .measuring import code_to_call
from .measuring import compare
from .measuring import megabytes
from .measuring import Ratio
from .measuring import run_python
from .measuring import Scale
from .measuring import spread
from .measuring import Table
from .results import main
from .tools import shown

ASYNCPG = "async-alembic on asyncpg, 10 at a time"
PSYCOPG2 = "async-alembic on psycopg2, 10 at a time"
TWICE = "two processes of async-alembic on asyncpg"
LOOP = "a loop over alembic.command on psycopg2"
DRIVERS = {
    ASYNCPG: "asyncpg",
    PSYCOPG2: "psycopg2",
    TWICE: "asyncpg",
    LOOP: "psycopg2",
}
PROCESSES = {**dict.fromkeys(DRIVERS, 1), TWICE: 2}
LIMIT = 10
#: How much more one of ten times as many tenants may take, and still be called as much.
FLAT = 1.2

#: The sensible form: the caller connects, and each run is for one schema.
ENV_PY = """
from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    version_table_schema=context.config.attributes["schema"],
)

with context.begin_transaction():
    context.run_migrations()
"""

#: The last of ten revisions.
HEAD = f"{10:012x}"
#: Seconds from empty, seconds at head, and how large the process became, in MB.
Measured = tuple[float, float, float]


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    count = scale.tenants
    from_empty = f"{count:,} tenant schemas of {scale.small} revisions, from empty"
    at_head = f"{count:,} tenant schemas of {scale.small} revisions, at head"
    away = (
        f"{count // 10:,} tenant schemas of {scale.small} revisions, from empty, on a"
        f" server {1000 * ROUND_TRIP:.0f} ms away"
    )
    each = "one of many tenant schemas at head, on asyncpg"

    if missing := lab.missing("PostgreSQL"):
        titles = (from_empty, at_head, away, each)
        yield from (Table(title, skipped=missing) for title in titles)
        return

    server = lab.server("PostgreSQL")
    folder = lab.new_folder()
    write_projects(folder, scale.small)
    measures = {name: measure_of(server, folder, name, count) for name in DRIVERS}
    samples = alternate(measures, scale.few, warm_ups=0)
    ours = [name for name in DRIVERS if name != LOOP]
    yield compare(
        from_empty,
        {name: [empty for empty, _, _ in sample] for name, sample in samples.items()},
        [Ratio(name, LOOP, 0.35) for name in ours],
    )
    yield compare(
        at_head,
        {name: [head for _, head, _ in sample] for name, sample in samples.items()},
        [Ratio(name, LOOP, 0.05) for name in ours],
    )

    with distant(server.port) as port:
        measures = {
            name: measure_of(server, folder, name, count // 10, port)
            for name in DRIVERS
        }
        distant_samples = alternate(measures, scale.few, warm_ups=0)

    yield compare(
        away,
        {name: [s for s, _, _ in sample] for name, sample in distant_samples.items()},
        [Ratio(name, LOOP, 0.35) for name in ours],
    )

    sizes = (count // 10, count, 10 * count)
    at = {size: measure_at_head(server, folder, size) for size in sizes}
    of_sizes = alternate(at, scale.few, warm_ups=0)
    yield compare(
        each,
        {
            f"{size:,} tenants": [seconds / size for seconds, _ in sample]
            for size, sample in of_sizes.items()
        },
        [Ratio(f"{sizes[2]:,} tenants", f"{sizes[1]:,} tenants", FLAT)],
    )
    memory = {name: [size for _, _, size in sample] for name, sample in samples.items()}
    memory |= {
        f"async-alembic on asyncpg, {size:,} tenants at head": [mb for _, mb in sample]
        for size, sample in of_sizes.items()
    }
    rows = [[name, *spread(values, megabytes)] for name, values in memory.items()]
    yield Table("the most memory of a process that upgrades tenants", rows)


def write_projects(folder: Path, revisions: int) -> None:
    """Write the same revisions for us and for Alembic."""
    for versions in (folder / "tenant_migrations", folder / "migrations" / "versions"):
        versions.mkdir(parents=True)
        write_history(versions, revisions)

    (folder / "migrations" / "env.py").write_text(ENV_PY)
    compile_dir(folder, quiet=2)


def measure_of(
    server: Server, folder: Path, name: str, count: int, port: int | None = None
) -> Callable[[], Measured]:
    """Return a function that measures.

    :param port: That of the server; by default, the server is not away.
    """
    function = upgrade_in_loop if name == LOOP else upgrade_at_once
    code = code_to_call(function)

    def measure() -> Measured:
        with new_database(server, count) as database:
            url = server.url(f"postgresql+{DRIVERS[name]}", database)
            url = url.set(port=port or url.port)
            args = code, os.fspath(folder), shown(url), count

            with ThreadPoolExecutor() as pool:
                runs = [pool.submit(run_python, *args) for _ in range(PROCESSES[name])]
                measured = [run.result() for run in runs]

        empty, head, size = map(max, zip(*measured, strict=True))
        return empty, head, size

    return measure


def measure_at_head(
    server: Server, folder: Path, count: int
) -> Callable[[], tuple[float, float]]:
    code = code_to_call(find_at_head)

    def measure() -> tuple[float, float]:
        with new_database(server, count, at_head=True) as database:
            url = shown(server.url("postgresql+asyncpg", database))
            seconds, size = run_python(code, os.fspath(folder), url, count)

        return seconds, size

    return measure


@contextlib.contextmanager
def new_database(server: Server, count: int, at_head: bool = False) -> Iterator[str]:
    """Create a database with schemas, and drop it at the end.

    :param at_head: Whether they have version tables, at the last of ten revisions.
    """
    name = f"test_{uuid4().hex}"
    url = server.url("postgresql+psycopg2", name)
    # Not one that was used before: its catalogs would be large.
    server.execute(f'CREATE DATABASE "{name}" OWNER "{url.username}"')
    creates = [f"CREATE SCHEMA {schema}" for schema in schemas(count)]

    if at_head:
        creates += [
            f"CREATE TABLE {schema}.alembic_version (version_num VARCHAR(32) PRIMARY"
            f" KEY); INSERT INTO {schema}.alembic_version VALUES ('{HEAD}')"
            for schema in schemas(count)
        ]

    # A transaction can lock some thousand tables only.
    for start in range(0, len(creates), 1000):
        execute(url, "; ".join(creates[start : start + 1000]))

    yield name
    server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def schemas(count: int) -> list[str]:
    return [f"tenant_{number}" for number in range(count)]


def upgrade_at_once(folder: str, url: str, count: int) -> Measured:
    alembic, dispose = extension(folder, url, count)

    async def upgrade(*names: str) -> float:
        started = time.perf_counter()

        async for result in alembic.upgrade_tenants(only=names or None, limit=LIMIT):
            if result.error is not None:
                raise result.error

        return time.perf_counter() - started

    async def main() -> Measured:
        await upgrade("tenant_0")
        empty, head = await upgrade(), await upgrade()
        await dispose()
        return empty, head, peak_memory()

    return asyncio.run(main())


def find_at_head(folder: str, url: str, count: int) -> tuple[float, float]:
    """Upgrade schemas that are at head.

    :return: The seconds, and how large the process became, in MB.
    """
    _, seconds, size = upgrade_at_once(folder, url, count)
    return seconds, size


def extension(
    folder: str, url: str, count: int
) -> tuple[Alembic, Callable[[], object]]:
    app = Flask("app", root_path=folder)
    is_async = sa.make_url(url).get_dialect().is_async
    engine = create_async_engine(url) if is_async else sa.create_engine(url)

    async def dispose() -> None:
        disposing = engine.dispose()

        if disposing is not None:
            await disposing

    names = schemas(count)
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=engine, tenants=lambda: names
    )
    # The extension doesn't keep it.
    alembic.benchmarked_app = app  # type: ignore[attr-defined]
    return alembic, dispose


def upgrade_in_loop(folder: str, url: str, count: int) -> Measured:
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", os.path.join(folder, "migrations"))
    config.set_main_option("path_separator", "os")

    def upgrade(names: list[str]) -> float:
        started = time.perf_counter()

        for name in names:
            with engine.connect() as connection:
                connection.exec_driver_sql(f'SET search_path TO "{name}"')
                connection.commit()
                config.attributes.update(connection=connection, schema=name)
                command.upgrade(config, "head")
                connection.commit()

        return time.perf_counter() - started

    upgrade(["tenant_0"])
    empty, head = upgrade(schemas(count)), upgrade(schemas(count))
    engine.dispose()
    return empty, head, peak_memory()


def peak_memory() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main(benchmark)
