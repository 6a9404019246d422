"""The pytest plugin, in runs of pytest under each of the runners that it works with."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

# In runs within this process, what is not there yet would be imported each time.
from async_alembic.testing.servers.base import PREFIX

from ..backends import Backend
from ..backends import BACKENDS
from ..backends import by_id
from ..backends import on
from ..conftest import server_of
from ..kits import server_url
from ..kits import write_history

aiosqlite = by_id("sqlite-aiosqlite")
asyncpg = by_id("postgresql-asyncpg")
asyncmy = by_id("mariadb-asyncmy")
on_sync = on([by_id("sqlite-sqlite3"), by_id("postgresql-psycopg2")])
on_aiosqlite = on([aiosqlite])

APP = """
import sqlalchemy as sa
from {module} import {framework}, request
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic

metadata = sa.MetaData()
sa.Table(
    "note",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.String(50), nullable=False),
    sa.Column("done", sa.Integer),
)


def create_app(url):
    app = {framework}(__name__)
    engine = {make}(url)
    Alembic(app, metadatas=metadata, engines=engine)

    @app.get("/notes")
    {async_}def notes():
        {async_}with engine.begin() as connection:
            {await_}connection.execute(sa.text("INSERT INTO note (text) VALUES ('x')"))
            notes = {await_}connection.execute(sa.text("SELECT text FROM note"))
            return [note.text for note in notes]

    return app
"""
CONFTEST = """
import pytest
from app import create_app


@pytest.fixture(scope="session")
def alembic_app():
    return create_app


@pytest.fixture(scope="session")
def alembic_server_url():
    return {url!r}
"""
#: Two tests that would see each other's row.
AWAITED = """
import pytest
import sqlalchemy as sa

{mark}


@pytest.fixture
async def client(fresh_database):
    async with fresh_database.app.test_app():
        yield fresh_database.app.test_client()


@pytest.mark.parametrize("number", range(2))
async def test_the_client(client, number):
    for count in 2, 3:
        response = await client.get("/notes")
        assert len(await response.get_json()) == count


@pytest.mark.parametrize("number", range(2))
async def test_the_engine(fresh_database, number):
    async with fresh_database.async_engine.begin() as connection:
        await connection.execute(sa.text("INSERT INTO note (text) VALUES ('x')"))
        result = await connection.execute(sa.text("SELECT text FROM note"))
        assert len(result.all()) == 2

    assert not await fresh_database.alembic.needs_upgrade()


async def test_several(make_fresh_database, migrated_to, no_leaks):
    first, second = make_fresh_database(), migrated_to("a1")
    assert not await first.alembic.needs_upgrade()
    assert [s.revision for s in await second.alembic.upgrade()] == ["b2"]
"""
BLOCKING = """
import pytest
import sqlalchemy as sa


@pytest.mark.parametrize("number", range(2))
def test_the_client(fresh_database, number):
    client = fresh_database.app.test_client()

    for count in 2, 3:
        assert len(client.get("/notes").get_json()) == count


def test_the_engine(fresh_database, no_leaks):
    with fresh_database.engine.begin() as connection:
        assert len(connection.execute(sa.text("SELECT text FROM note")).all()) == 1

    assert not fresh_database.alembic.sync.needs_upgrade()
"""


class Runs:
    """Runs of pytest in a project.

    :param pytester: Pytest's own.
    :param url: Where databases are made.
    """

    def __init__(self, pytester: pytest.Pytester, url: str) -> None:
        self.pytester = pytester
        self.plugins = ["no:cacheprovider", "pytest_asyncio.plugin"]
        self.url = url
        self.folder = pytester.path / "databases"
        write_history(pytester.path / "migrations")
        self.write(APP_ASYNC, CONFTEST.format(url=url))

    def write(self, app: str, conftest: str) -> None:
        self.pytester.makepyfile(app=app, conftest=conftest)

    def ini(self, *lines: str) -> None:
        lines = ("[pytest]", "filterwarnings = error", *lines)

        if not any("asyncio_default_fixture_loop_scope" in line for line in lines):
            lines += ("asyncio_default_fixture_loop_scope = function",)

        self.pytester.makeini("\n".join(lines))

    def run(self, *args: str) -> pytest.RunResult:
        """In this process, with few plugins, which would be imported each time."""
        named = ["async_alembic.testing.plugin", *self.plugins]
        options = [option for name in named for option in ("-p", name)]
        return self.pytester.runpytest_inprocess(*options, *args)

    def left(self) -> list[Path]:
        return [path for path in self.folder.glob("*") if PREFIX in path.name]


def app_of(framework: str, *, is_async: bool) -> str:
    return APP.format(
        module=framework.lower(),
        framework=framework,
        make="create_async_engine" if is_async else "sa.create_engine",
        async_="async " if is_async else "",
        await_="await " if is_async else "",
    )


APP_ASYNC = app_of("Quart", is_async=True)


@pytest.fixture(scope="module", autouse=True)
def drivers() -> None:
    """Import those that are written in C, which can be done once in a process."""
    for backend in BACKENDS:
        if backend.missing is None:
            sa.make_url(f"{backend.drivername}://").get_dialect().import_dbapi()


@pytest.fixture
def runs(
    pytester: pytest.Pytester,
    backend: Backend,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Runs]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    folder = pytester.path / "databases"
    folder.mkdir()
    server = server_of(backend, request)
    runs = Runs(pytester, server_url(backend, request, folder))
    yield runs
    assert not runs.left()
    names = server.database_names() if server else ()
    assert not [name for name in names if name.startswith(PREFIX)]


AUTO = ["asyncio_mode = auto"]
STRICT = ["asyncio_mode = strict"]
SESSION = [
    "asyncio_mode = auto",
    "asyncio_default_test_loop_scope = session",
    "asyncio_default_fixture_loop_scope = session",
]
ANYIO = ["anyio_mode = auto"]


@pytest.mark.parametrize(
    ("backend", "ini"),
    [
        pytest.param(aiosqlite, AUTO, id="auto"),
        pytest.param(aiosqlite, STRICT, id="strict"),
        pytest.param(aiosqlite, SESSION, id="session's loop"),
        pytest.param(aiosqlite, ANYIO, id="anyio"),
        pytest.param(asyncpg, AUTO, id="auto, PostgreSQL"),
        pytest.param(asyncpg, SESSION, id="session's loop, PostgreSQL"),
        pytest.param(asyncpg, ANYIO, id="anyio, PostgreSQL"),
        pytest.param(asyncmy, AUTO, id="auto, MariaDB"),
    ],
    indirect=["backend"],
)
def test_async_tests_have_databases(runs: Runs, ini: list[str]) -> None:
    marks = {
        STRICT[0]: "pytestmark = pytest.mark.asyncio",
        ANYIO[0]: "pytestmark = pytest.mark.anyio",
    }
    text = AWAITED.format(mark=marks.get(ini[0], ""))

    if ini is STRICT:
        text = text.replace("@pytest.fixture\n", "@pytest_asyncio.fixture\n")
        text = f"import pytest_asyncio\n{text}"

    if ini is ANYIO:
        runs.plugins[-1] = "anyio.pytest_plugin"
        runs.pytester.makeini("[pytest]\nfilterwarnings = error\n")
        text += textwrap.dedent(
            """
            @pytest.fixture
            def anyio_backend():
                return "asyncio"
            """
        )
    else:
        runs.ini(*ini)

    runs.pytester.makepyfile(text)
    runs.run().assert_outcomes(passed=5)


@on_sync
def test_sync_tests_have_databases(runs: Runs) -> None:
    runs.write(app_of("Flask", is_async=False), CONFTEST.format(url=runs.url))
    runs.ini()
    runs.pytester.makepyfile(BLOCKING)
    runs.run().assert_outcomes(passed=3)


@on([aiosqlite, asyncpg])
def test_sync_tests_have_databases_of_async_engines(runs: Runs) -> None:
    """Flask runs each async view in a loop of its own."""
    runs.write(app_of("Flask", is_async=True), CONFTEST.format(url=runs.url))
    runs.ini()
    runs.pytester.makepyfile(
        BLOCKING.split("def test_the_engine")[0],
    )
    runs.run().assert_outcomes(passed=2)


@on_sync
def test_workers_of_xdist_share_what_is_migrated(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = mark(runs)
    conftest = CONFTEST.format(url=runs.url) + BOTH_WORKERS
    runs.write(app_of("Flask", is_async=False), conftest)
    runs.pytester.makepyfile(BLOCKING.replace("range(2)", "range(7)"))
    plugins = ["xdist.plugin", "async_alembic.testing.plugin"]
    monkeypatch.setenv("PYTEST_PLUGINS", ",".join(plugins))
    args = ["-n", "2", "-p", "no:cacheprovider", "-W", "error"]
    runs.pytester.runpytest_subprocess(*args).assert_outcomes(passed=8)
    assert marks.read_text() == "x"


#: A worker that is done drops the templates if the other one has not begun.
BOTH_WORKERS = """

import time


@pytest.fixture(autouse=True)
def wait_for_both_workers(fresh_database, worker_id, pytestconfig):
    (pytestconfig.rootpath / f"begun_{worker_id}").touch()

    while len(list(pytestconfig.rootpath.glob("begun_*"))) < 2:
        time.sleep(0.01)
"""


def mark(runs: Runs) -> Path:
    """Let the last revision write to a file each time that it is applied."""
    marks = runs.pytester.path / "marks"
    file = runs.pytester.path / "migrations/b2.py"
    write = f"def upgrade():\n    with open({str(marks)!r}, 'a') as f: f.write('x')\n"
    file.write_text(file.read_text().replace("def upgrade():\n", write))
    return marks


@on_aiosqlite
def test_templates_are_reused_by_the_next_run(runs: Runs) -> None:
    """By default, files are kept in pytest's cache then."""
    marks = mark(runs)
    runs.write(APP_ASYNC, CONFTEST.partition("@pytest.fixture(scope")[0] + FIXTURE)
    runs.ini()
    runs.plugins.remove("no:cacheprovider")
    runs.pytester.makepyfile("def test_it(fresh_database): ...")

    for count in 1, 1:
        runs.run("--alembic-reuse").assert_outcomes(passed=1)
        assert len(marks.read_text()) == count

    file = runs.pytester.path / "migrations/b2.py"
    file.write_text(f"{file.read_text()}\n# Edited.\n")
    runs.run("--alembic-reuse").assert_outcomes(passed=1)
    assert len(marks.read_text()) == 2
    kept = runs.pytester.path.glob(f".pytest_cache/d/async-alembic/{PREFIX}*")
    assert len(list(kept)) == 1


FIXTURE = """
@pytest.fixture(scope="session")
def alembic_app():
    return create_app
"""


@on_aiosqlite
def test_by_default_files_are_made_in_pytests_own_folder(runs: Runs) -> None:
    runs.write(APP_ASYNC, CONFTEST.partition("@pytest.fixture(scope")[0] + FIXTURE)
    runs.ini()
    runs.pytester.makepyfile(
        """
        def test_it(fresh_database, tmp_path_factory):
            assert str(tmp_path_factory.getbasetemp()) in fresh_database.url
            assert fresh_database.url.startswith("sqlite+aiosqlite:")
        """
    )
    runs.run().assert_outcomes(passed=1)


@on_aiosqlite
def test_it_says_what_to_override(runs: Runs) -> None:
    runs.write(APP_ASYNC, "")
    runs.ini()
    runs.pytester.makepyfile("def test_it(fresh_database): ...")
    result = runs.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "*The fixture 'alembic_app' is not overridden. Define it in conftest.py*"
    )


@on_aiosqlite
def test_folders_may_have_apps_of_their_own(runs: Runs) -> None:
    """Although what is made for the one is kept for the whole run."""
    inner = runs.pytester.mkpydir("inner")
    write_history(inner / "migrations")
    (inner / "migrations/b2.py").unlink()
    (inner / "conftest.py").write_text(
        "import pytest\nfrom quart import Quart\nimport app\n"
        "@pytest.fixture(scope='session')\n"
        "def alembic_app():\n"
        "    def make(url):\n"
        "        made = app.create_app(url)\n"
        "        made.config['ALEMBIC']['script_location'] = 'inner/migrations'\n"
        "        return made\n"
        "    return make\n"
    )
    runs.ini()
    test = (
        "def test_it(fresh_database):\n"
        "    current = fresh_database.alembic.sync.current()\n"
        "    assert [s.revision for s in current] == [{!r}]\n"
    )
    (inner / "test_inner.py").write_text(test.format("a1"))
    runs.pytester.makepyfile(test_outer=test.format("b2"))
    runs.run().assert_outcomes(passed=2)


@on([aiosqlite, asyncpg])
def test_what_a_crashed_run_has_left_is_dropped_by_the_next(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_PLUGINS", "async_alembic.testing.plugin")
    runs.ini()
    runs.pytester.makepyfile(
        test_crash="""
        import os

        def test_it(fresh_database):
            os._exit(3)
        """
    )
    done = runs.pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    assert done.ret == 3
    (runs.pytester.path / "test_crash.py").unlink()
    runs.pytester.makepyfile("def test_it(fresh_database): ...")
    runs.run().assert_outcomes(passed=1)


@on_aiosqlite
def test_leaks_are_shown(runs: Runs) -> None:
    runs.ini()
    runs.write(app_of("Flask", is_async=False), CONFTEST.format(url=sync(runs.url)))
    runs.pytester.makepyfile(
        """
        import sqlalchemy as sa
        from alembic.operations import Operations
        from alembic.runtime.migration import MigrationContext

        kept = []

        def test_connections(no_leaks, fresh_database):
            kept.append(fresh_database.engine.connect())

        def test_contexts(no_leaks, fresh_database):
            kept.append(fresh_database.app.app_context())
            kept[-1].push()

        def test_operations(no_leaks):
            kept[-1].pop()
            context = MigrationContext.configure(dialect_name="sqlite")
            kept.append(Operations.context(context))
            kept[-1].__enter__()

        def test_none(no_leaks, fresh_database):
            kept[-1].__exit__(None, None, None)
            kept[0].invalidate()

            with fresh_database.engine.connect() as connection:
                connection.detach()
        """
    )
    result = runs.run()
    result.assert_outcomes(passed=4, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*Connections or contexts are left open. Close each*",
            "*a connection was checked out in",
            "*kept.append(fresh_database.engine.connect())",
            "*an app context was pushed and not popped",
            "*a migration context was entered and not left",
        ]
    )


@on_aiosqlite
def test_contexts_that_async_tests_leave_open_are_found(runs: Runs) -> None:
    """They are open in the task of the test, which nothing else sees."""
    runs.ini("asyncio_mode = auto")
    runs.pytester.makepyfile(
        """
        kept = []

        async def test_left(no_leaks, fresh_database):
            kept.append(fresh_database.app.app_context())
            await kept[-1].push()

        async def test_popped(no_leaks, fresh_database):
            async with fresh_database.app.app_context():
                pass

            async with fresh_database.app.test_app() as running:
                await running.test_client().get("/notes")
        """
    )
    result = runs.run()
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*an app context was pushed and not popped"])


@on_aiosqlite
def test_one_line_switches_ready_made_tests_on(runs: Runs) -> None:
    runs.ini()
    runs.pytester.makepyfile("from async_alembic.testing.migration_tests import *")
    runs.run().assert_outcomes(passed=7, skipped=3)

    conftest = (
        "from async_alembic.testing import RevisionData\n"
        "@pytest.fixture(scope='session')\n"
        "def alembic_data():\n"
        "    return {'b2': RevisionData(after={'note': [{'id': 9}]})}\n"
    )
    runs.write(APP_ASYNC, CONFTEST.format(url=runs.url) + conftest)
    runs.ini("alembic_release = a1")
    result = runs.run()
    result.assert_outcomes(passed=8, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*_ test_data_survives _*",
            "Revision b2 (*does not preserve the data: table 'note' lacks rows.*",
            "    - {'id': 9}",
        ]
    )
    # Neither a traceback nor what it was raised from.
    result.stdout.no_fnmatch_line("*During handling*")
    result.stdout.no_fnmatch_line("*CheckFailedError*")


def sync(url: str) -> str:
    return url.replace("+aiosqlite", "")


def test_it_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    """It is loaded in every run of pytest in an environment that has this package."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    heavy = {'sqlalchemy', 'alembic', 'mako', 'flask', 'quart', 'asyncio'}\n"
        "    ours = {n for n in sys.modules if n.startswith('async_alembic.testing')}\n"
        "    assert not heavy & sys.modules.keys()\n"
        "    assert ours == {'async_alembic.testing', 'async_alembic.testing.plugin'}\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "async_alembic.testing.plugin", "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
