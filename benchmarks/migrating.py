"""What it takes to upgrade an empty database through a long history.

Run it with ``python -m benchmarks.migrating``, or with the number of runs. The projects
of Alembic are those that its ``init`` makes, with the template that is meant for the
driver: ``async`` for asyncpg, which runs the revisions by ``run_sync``.
"""

from __future__ import annotations

from collections.abc import Iterator
from compileall import compile_dir
from functools import partial
from pathlib import Path

from .history import write_history
from .lab import Lab
from .measuring import alternate
from .measuring import compare
from .measuring import Ratio
from .measuring import Scale
from .measuring import Table
from .results import main
from .tools import ALEMBIC
from .tools import AWAITED
from .tools import BLOCKING

#: For each database: who contests on which driver, and what the first is to reach
#: beside each of the others.
CONTESTS: dict[str, list[tuple[str, str, float | None]]] = {
    "PostgreSQL": [
        (AWAITED, "postgresql+asyncpg", None),
        (BLOCKING, "postgresql+psycopg2", None),
        (ALEMBIC, "postgresql+psycopg2", 1.0),
        (ALEMBIC, "postgresql+asyncpg", None),
    ],
    "SQLite": [
        (AWAITED, "sqlite+aiosqlite", None),
        (BLOCKING, "sqlite", None),
        (ALEMBIC, "sqlite", 0.5),
    ],
}


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    for database, contestants in CONTESTS.items():
        title = f"{scale.large:,} revisions from empty, {database}"

        if missing := lab.missing(database):
            yield Table(title, skipped=missing)
            continue

        measures = {}
        ratios = []
        first, *_ = contestants

        for tool, driver, reach in contestants:
            folder, versions = lab.new_project(tool, lab.new_database(database, driver))
            write_history(versions, scale.large)
            compile_dir(versions, quiet=2)
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
