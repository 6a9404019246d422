"""What a fresh, migrated database costs a test, with a history of 500 revisions.

Run it with ``python -m benchmarks.testkit``, or with the number of tests of each run,
``python -m benchmarks.testkit 100``. On each database, it prints for one test:

- the floor: the database is copied and dropped by the server alone, with ``CREATE
  DATABASE ... TEMPLATE``, by copying a file, or by replaying what makes it, all on one
  connection and without any test;
- the test kit's, by pytest, with one process and with two workers of pytest-xdist;
- what the test itself waits for, in the median;
- ``metadata.create_all()`` and running the history again, for each test.

What pytest takes for a test with as many fixtures that do nothing is left out of all of
them. The floor is measured before and after the kit, as no machine is always as fast.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.apps import create_table
from tests.apps import write_revision
from tests.servers import MariaDBServer
from tests.servers import PostgresServer
from tests.servers import Server

from async_alembic.testing.servers.mysql_record import read_record

REVISIONS = 500
TABLES = 50
#: How many tests run the history again, or make all tables.
SLOW = 4
#: Those at the begin of each process are left out: the template is made then.
WARM_UP = 8

APP = """
import os
import sqlalchemy as sa
from quart import Quart
from sqlalchemy.ext.asyncio import create_async_engine
from async_alembic import Alembic

metadata = sa.MetaData()

for number in range({tables}):
    sa.Table(
        f"t{{number}}",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(f"c{{n}}", sa.String(50)) for n in range({columns})),
    )


def create_app(url):
    app = Quart(__name__)
    engine = create_async_engine(url, poolclass=sa.NullPool)
    app.alembic = Alembic(app, metadatas=metadata, engines=engine)
    app.engine = engine
    return app
"""
CONFTEST = """
import json, os, time
import pytest
from app import create_app, metadata

marks = []


@pytest.fixture(scope="session")
def alembic_app():
    return create_app


@pytest.fixture(scope="session")
def alembic_server_url():
    return os.environ["SERVER_URL"]


@pytest.fixture
def kit(request):
    begin = time.perf_counter()
    database = request.getfixturevalue("fresh_database")
    marks[-1].append(time.perf_counter() - begin)
    return database.url


@pytest.fixture
def make_nothing(request, alembic_app, alembic_server_url):
    yield lambda: None


@pytest.fixture
def nothing_fresh(make_nothing):
    return make_nothing()


@pytest.fixture
def nothing(request):
    # As many fixtures as the kit has.
    request.getfixturevalue("nothing_fresh")
    marks[-1].append(0)


@pytest.fixture
def empty(make_fresh_database):
    return make_fresh_database("base")


@pytest.fixture
def create_all(empty):
    import asyncio

    async def create():
        async with empty.app.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)

    asyncio.run(create())
    marks[-1].append(0)


@pytest.fixture
def rerun(empty):
    empty.alembic.sync.upgrade()
    marks[-1].append(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    marks.append([time.perf_counter()])
    result = yield
    marks[-1].append(time.perf_counter())
    return result


def pytest_sessionfinish(session):
    if marks:
        with open(f"marks.{os.getpid()}", "w") as file:
            json.dump(marks, file)
"""


@dataclass(frozen=True)
class Subject:
    """A database."""

    title: str
    drivername: str
    url: str
    server: Server | None
    #: Makes, with the database of this URL, what copies and drops it.
    floor: Callable[[sa.URL], Any]


def write_project(folder: Path) -> None:
    columns = REVISIONS // TABLES - 1
    (folder / "app.py").write_text(APP.format(tables=TABLES, columns=columns))
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    parent = None

    for number in range(REVISIONS):
        column, table = divmod(number, TABLES)
        body = f"op.add_column('t{table}', sa.Column('c{column - 1}', sa.String(50)))"

        if column == 0:
            body = create_table(f"t{table}")

        revision = f"r{number:04}"
        write_revision(folder / "migrations", revision, parent, body)
        parent = revision


@contextmanager
def postgresql_floor(url: sa.URL) -> Iterator[Callable[[int], None]]:
    import psycopg2

    server = url.set(drivername="postgresql", database="postgres")

    with closing(psycopg2.connect(shown(server))) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        times: dict[str, float] = {}

        def copy(number: int, strategy: str) -> None:
            cursor.execute(
                f"CREATE DATABASE floor_{number} TEMPLATE {url.database}"
                f" STRATEGY {strategy}"
            )
            cursor.execute(f"DROP DATABASE floor_{number}")

        for strategy in "FILE_COPY", "WAL_LOG":
            copy(0, strategy)
            begin = time.perf_counter()
            copy(0, strategy)
            times[strategy] = time.perf_counter() - begin

        fastest = min(times, key=lambda strategy: times[strategy])
        yield lambda number: copy(number, fastest)


@contextmanager
def mariadb_floor(url: sa.URL) -> Iterator[Callable[[int], None]]:
    import pymysql

    from async_alembic.testing.link import Link

    link = Link(url)
    record = read_record(link, url.database or "")
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
            for statement in record:
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


def measure_floor(subject: Subject, migrated: sa.URL, count: int) -> float:
    with subject.floor(migrated) as copy:
        begin = time.perf_counter()

        for number in range(count):
            copy(number)

        return (time.perf_counter() - begin) / count


def run_tests(
    folder: Path, url: str, fixture: str, count: int, workers: int = 0
) -> tuple[float, float]:
    """Seconds that each test takes, and that each waits for its fixture."""
    (folder / "test_it.py").write_text(
        "import pytest\n"
        f"@pytest.mark.parametrize('number', range({count}))\n"
        f"def test_it({fixture}, number): ...\n"
    )

    for path in folder.glob("marks.*"):
        path.unlink()

    plugins = ["async_alembic.testing.plugin", "xdist.plugin"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(["-n", str(workers)] if workers else []),
        ],
        cwd=folder,
        env={
            **os.environ,
            "SERVER_URL": url,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": ",".join(plugins),
        },
        capture_output=True,
        text=True,
    )

    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)

    marks = [json.loads(path.read_text()) for path in folder.glob("marks.*")]
    warm = WARM_UP if count > 2 * WARM_UP else 0
    # From when all processes are warm, until the last one ends.
    begin = max(tests[warm][0] for tests in marks)
    end = max(tests[-1][-1] for tests in marks)
    counted = [test for tests in marks for test in tests if test[0] >= begin]
    waits = [wait for _, wait, *_ in counted]
    return (end - begin) / len(counted), statistics.median(waits)


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


def shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def compare(subject: Subject, folder: Path, tests: int) -> None:
    name = "test_floor"

    if subject.server is not None:
        subject.server.create_database(name)
        migrated = subject.server.url(subject.drivername, name)
    else:
        migrated = sa.URL.create(subject.drivername, database=f"{folder}/{name}.db")

    # Files are copied in so little time that few would tell nothing.
    tests *= 1 if subject.server else 10
    migrate(folder, migrated)
    nothing, _ = run_tests(folder, subject.url, "nothing", tests)
    nothing_by_two, _ = run_tests(folder, subject.url, "nothing", 2 * tests, 2)
    floors = [measure_floor(subject, migrated, tests)]
    serial, wait = run_tests(folder, subject.url, "kit", tests)
    floors.append(measure_floor(subject, migrated, tests))
    parallel, parallel_wait = run_tests(folder, subject.url, "kit", 2 * tests, 2)
    floors.append(measure_floor(subject, migrated, tests))
    create_all, _ = run_tests(folder, subject.url, "create_all", SLOW)
    rerun, _ = run_tests(folder, subject.url, "rerun", SLOW)
    floor = statistics.median(floors)

    print(f"{subject.title}: {', '.join(f'{1e3 * f:.1f}' for f in floors)} ms floor")

    for title, seconds in [
        ("test kit, one process", serial - nothing),
        ("  of which a test waits", wait),
        ("test kit, two workers", parallel - nothing_by_two),
        ("  of which a test waits", parallel_wait),
        ("create_all()", create_all - nothing),
        ("history run again", rerun - nothing),
    ]:
        print(f"  {title:26} {1e3 * seconds:8.1f} ms {seconds / floor:8.2f} x floor")


def main() -> None:
    tests = int(sys.argv[1]) if len(sys.argv) > 1 else 60

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_project(folder)
        (folder / "databases").mkdir()
        subjects = [
            Subject(
                "SQLite",
                "sqlite+aiosqlite",
                f"sqlite+aiosqlite:///{folder}/databases/",
                None,
                sqlite_floor,
            )
        ]

        for title, driver, kind, floor in [
            ("PostgreSQL", "postgresql+asyncpg", PostgresServer, postgresql_floor),
            ("MariaDB", "mysql+asyncmy", MariaDBServer, mariadb_floor),
        ]:
            server: Server = stack.enter_context(kind())
            database = "postgres" if kind is PostgresServer else None
            url = server.url(driver, "").set(database=database)
            subjects.append(Subject(title, driver, shown(url), server, floor))

        for subject in subjects:
            compare(subject, folder, tests)


if __name__ == "__main__":
    main()
