"""What many databases take that one process upgrades, each with an app of its own, on
asyncpg.

Run it with ``python -m benchmarks.many``, or with the number of runs. Each process
first upgrades another database, so that it has imported what it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import Callable
from collections.abc import Iterator
from compileall import compile_dir
from pathlib import Path
from uuid import uuid4

import anyio
from quart import Quart
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine
from tests.servers import Server

from async_alembic import Alembic

from .history import write_history
from .lab import Lab
from .measuring import alternate
from .measuring import code_to_call
from .measuring import compare
from .measuring import Ratio
from .measuring import run_python
from .measuring import Scale
from .measuring import spread
from .measuring import Table
from .results import main
from .tools import shown

AT_ONCE = "at once"
IN_TURN = "one after another"
REACH = 0.5
#: How many are migrated at a time where an app has so many that it limits that.
LIMIT = 10
#: How much more one of the most may take than one of the fewest, and still be called
#: as much.
FLAT = 1.2


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    few, several, many = scale.databases
    upgrade = f"{several} databases of {scale.small} revisions on asyncpg"
    each = "one of many databases"

    if missing := lab.missing("PostgreSQL"):
        yield from (Table(title, skipped=missing) for title in (upgrade, each))
        return

    server = lab.server("PostgreSQL")
    versions = lab.new_folder() / "migrations"
    versions.mkdir()
    write_history(versions, scale.small)
    compile_dir(versions, quiet=2)
    cases = [(count, count) for count in scale.databases]
    cases += [(several, 1), (many, LIMIT)]
    measures = {case: measure_of(server, versions.parent, *case) for case in cases}
    samples = alternate(measures, scale.few, warm_ups=0)

    yield compare(
        upgrade,
        {
            AT_ONCE: [seconds for seconds, _ in samples[several, several]],
            IN_TURN: [seconds for seconds, _ in samples[several, 1]],
        },
        [Ratio(AT_ONCE, IN_TURN, REACH)],
    )
    yield compare(
        each,
        {
            name_of(*case): [seconds / case[0] for seconds, _ in sample]
            for case, sample in samples.items()
        },
        [
            Ratio(name_of(many, LIMIT), name_of(few, few), FLAT),
            Ratio(name_of(many, many), name_of(few, few), FLAT),
        ],
    )
    rows = [
        [name_of(*case), *spread(sizes, megabytes)]
        for case, sample in samples.items()
        if (sizes := [size for _, size in sample])
    ]
    yield Table("the most memory of such a process", rows)


def name_of(count: int, limit: int) -> str:
    if limit == count:
        return f"{count} {AT_ONCE}"

    return f"{count} {IN_TURN if limit == 1 else f'by {limit}'}"


def measure_of(
    server: Server, folder: Path, count: int, limit: int
) -> Callable[[], tuple[float, float]]:
    code = code_to_call(upgrade_many)

    def measure() -> tuple[float, float]:
        with new_databases(server, 1 + count) as urls:
            seconds, size = run_python(code, str(folder), urls, limit)

        return seconds, size

    return measure


@contextlib.contextmanager
def new_databases(server: Server, count: int) -> Iterator[list[str]]:
    names = [f"test_{uuid4().hex}" for _ in range(count)]

    for name in names:
        server.create_database(name)

    yield [shown(server.url("postgresql+asyncpg", name)) for name in names]

    for name in names:
        server.drop_database(name)


def upgrade_many(folder: str, urls: list[str], limit: int) -> tuple[float, float]:
    """Upgrade databases, the first of them before the others.

    :param limit: How many at a time.
    :return: The seconds, and how large the process became, in bytes.
    """
    engines = [create_async_engine(url) for url in urls]
    # The extension doesn't keep them.
    apps = [Quart("app", root_path=folder) for _ in engines]
    first, *others = [
        Alembic(app, metadatas=MetaData(), engines=engine)
        for app, engine in zip(apps, engines, strict=True)
    ]

    async def upgrade() -> float:
        await first.upgrade()
        limiter = anyio.CapacityLimiter(limit)

        async def upgrade_other(alembic: Alembic) -> None:
            async with limiter:
                await alembic.upgrade()

        started = time.perf_counter()
        await asyncio.gather(*map(upgrade_other, others))
        seconds = time.perf_counter() - started

        for engine in engines:
            await engine.dispose()

        return seconds

    seconds = asyncio.run(upgrade())
    return seconds, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


if __name__ == "__main__":
    main(benchmark)
