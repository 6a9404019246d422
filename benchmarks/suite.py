"""The project whose tests :mod:`benchmarks.testkit` runs, in processes of pytest."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from tests.harness import create_table
from tests.harness import write_revision

REVISIONS = 500
TABLES = 50
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
