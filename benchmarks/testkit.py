"""What a fresh, migrated database costs a test, with a history of 500 revisions.

Run it with ``python -m benchmarks.testkit``, or with ``--quick``. On each database, it
prints for one test:

- the floor: the database is copied and dropped by the server alone, with ``CREATE
  DATABASE ... TEMPLATE``, by copying a file, or by replaying what makes it, all on one
  connection and without any test;
- the test kit's, by pytest, with one process and with two workers of pytest-xdist;
- what the test itself waits for, in the median;
- ``metadata.create_all()`` and running the history again, for each test.

What pytest takes for a test that does nothing is left out of all of them. The floor is
measured before and after the kit, as a machine is not always as fast.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from async_alembic.testing.servers.mysql_dump import dump_database

from .lab import DRIVERS
from .lab import Lab
from .measuring import milliseconds
from .measuring import QUICK
from .measuring import Scale
from .measuring import Table
from .measuring import times
from .measuring import Verdict
from .results import main
from .suite import REVISIONS
from .suite import run_tests
from .suite import write_project
from .tools import shown

#: What the kit may take, times the floor.
REACH = 1.3
#: How many tests run the history again, or make all tables.
SLOW = 4
#: How often each way to copy is tried, to take the faster one.
TRIES = 5


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    folder = lab.new_folder()
    write_project(folder)
    tests = 20 if scale == QUICK else 60

    for database, (driver, _) in DRIVERS.items():
        title = f"a migrated database for one test, {REVISIONS} revisions, {database}"

        if missing := lab.missing(database):
            yield Table(title, skipped=missing)
        else:
            yield measure(title, lab, database, driver, folder, tests)


def measure(
    title: str, lab: Lab, database: str, driver: str, folder: Path, tests: int
) -> Table:
    migrated = lab.new_database(database, driver)
    migrate(folder, migrated)
    url = server_url(lab, database, driver)
    # Files are copied in so little time that few would tell nothing.
    tests *= 10 if database == "SQLite" else 1
    nothing, _ = run_tests(folder, url, "nothing", tests)
    nothing_by_two, _ = run_tests(folder, url, "nothing", 2 * tests, 2)
    floors = [measure_floor(database, migrated, tests)]
    serial, wait = run_tests(folder, url, "kit", tests)
    floors.append(measure_floor(database, migrated, tests))
    parallel, parallel_wait = run_tests(folder, url, "kit", 2 * tests, 2)
    floors.append(measure_floor(database, migrated, tests))
    create_all, _ = run_tests(folder, url, "create_all", SLOW)
    rerun, _ = run_tests(folder, url, "rerun", SLOW)
    floor = statistics.median(floors)
    seconds = {
        "a copy by the server alone, at the least": min(floors),
        "a copy by the server alone, the floor": floor,
        "a copy by the server alone, at the most": max(floors),
        "the test kit, one process": serial - nothing,
        "the test kit, one process: a test waits": wait,
        "the test kit, two workers": parallel - nothing_by_two,
        "the test kit, two workers: a test waits": parallel_wait,
        "`create_all()`": create_all - nothing,
        "the history again": rerun - nothing,
    }
    reached = (serial - nothing) / floor
    return Table(
        title,
        [[name, milliseconds(s), times(s / floor)] for name, s in seconds.items()],
        ["for each test", "the floor"],
        [
            Verdict(
                "the test kit, one process / the floor",
                f"<= {times(REACH)}",
                times(reached),
                reached <= REACH,
            )
        ],
    )


def server_url(lab: Lab, database: str, driver: str) -> str:
    """Where the kit makes its databases."""
    if database == "SQLite":
        return shown(sa.URL.create(driver, database=f"{lab.new_folder()}/"))

    name = "postgres" if database == "PostgreSQL" else None
    return shown(lab.server(database).url(driver, "").set(database=name))


def migrate(folder: Path, url: sa.URL) -> None:
    """Make what the floor copies."""
    code = f"""
import sys
sys.path.insert(0, {str(folder)!r})
from app import create_app
app = create_app({shown(url)!r})
app.extensions["alembic"].sync.upgrade()
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=folder, capture_output=True
    )


@contextmanager
def postgresql_floor(url: sa.URL) -> Iterator[Callable[[int], None]]:
    import psycopg2

    server = url.set(drivername="postgresql", database="postgres")

    with closing(psycopg2.connect(shown(server))) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        tried: dict[str, list[float]] = {
            strategy: [] for strategy in ("FILE_COPY", "WAL_LOG")
        }

        def copy(number: int, strategy: str) -> None:
            cursor.execute(
                f"CREATE DATABASE floor_{number} TEMPLATE {url.database}"
                f" STRATEGY {strategy}"
            )
            cursor.execute(f"DROP DATABASE floor_{number}")

        for _ in range(TRIES):
            for strategy, seconds in tried.items():
                begin = time.perf_counter()
                copy(0, strategy)
                seconds.append(time.perf_counter() - begin)

        fastest = min(tried, key=lambda strategy: statistics.median(tried[strategy]))
        yield lambda number: copy(number, fastest)


@contextmanager
def mariadb_floor(url: sa.URL) -> Iterator[Callable[[int], None]]:
    import pymysql

    from async_alembic.testing.server_connection import ServerConnection

    link = ServerConnection(url)
    statements = dump_database(link, url.database or "")
    link.close()

    with closing(
        pymysql.connect(
            host=url.host or "",
            port=url.port or 0,
            user=url.username,
            password=url.password or "",
            autocommit=True,
        )
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SET SESSION foreign_key_checks = 0")

        def copy(number: int) -> None:
            for statement in statements:
                cursor.execute(
                    statement.format(name=f"test_floor_{number}", source=url.database)
                )

            cursor.execute(f"DROP DATABASE test_floor_{number}")

        yield copy


@contextmanager
def sqlite_floor(url: sa.URL) -> Iterator[Callable[[int], None]]:
    path = url.database or ""

    def copy(number: int) -> None:
        shutil.copyfile(path, f"{path}.{number}")
        os.unlink(f"{path}.{number}")

    yield copy


FLOORS: dict[str, Callable[[sa.URL], Any]] = {
    "SQLite": sqlite_floor,
    "PostgreSQL": postgresql_floor,
    "MariaDB": mariadb_floor,
}


def measure_floor(database: str, migrated: sa.URL, count: int) -> float:
    with FLOORS[database](migrated) as copy:
        begin = time.perf_counter()

        for number in range(count):
            copy(number)

        return (time.perf_counter() - begin) / count


if __name__ == "__main__":
    main(benchmark)
