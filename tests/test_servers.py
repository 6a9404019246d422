"""The servers and fixtures that all other tests stand on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from .backends import Backend
from .backends import DatabaseFactory
from .backends import EngineFactory
from .backends import MARIADB_BACKENDS
from .backends import on
from .backends import on_all_backends
from .backends import POSTGRESQL_BACKENDS
from .backends import SHARED_BACKENDS
from .conftest import require
from .conftest import server_of
from .servers import MariaDBServer
from .servers import PostgresServer
from .servers import Server
from .servers import ServerError

on_each_server = pytest.mark.parametrize("name", ["postgres", "mariadb"])


@pytest.fixture
def server(name: str, request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(f"{name}_server")
    return server


async def scalar(engine: sa.Engine | AsyncEngine, statement: str) -> object:
    if isinstance(engine, AsyncEngine):
        async with engine.connect() as connection:
            return await connection.scalar(sa.text(statement))

    with engine.connect() as sync_connection:
        return sync_connection.scalar(sa.text(statement))


@on_all_backends
async def test_each_backend_answers_through_its_driver(
    backend: Backend, engine_for: EngineFactory
) -> None:
    engine = engine_for(backend)
    assert await scalar(engine, "SELECT 1") == 1
    assert engine.dialect.is_async is backend.is_async
    driver = {"sqlite3": "pysqlite"}.get(backend.driver, backend.driver)
    assert engine.dialect.driver == driver


@on_all_backends
def test_a_synchronous_test_can_use_the_fixtures_too(
    backend: Backend, engine_for: EngineFactory
) -> None:
    engine = engine_for(backend)

    if isinstance(engine, sa.Engine):
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT 1")) == 1


@on(SHARED_BACKENDS)
async def test_each_database_is_new_and_shared_by_its_engines(
    backend: Backend, database_factory: DatabaseFactory, engine_for: EngineFactory
) -> None:
    url = database_factory(backend)
    assert url != database_factory(backend)

    for engine in engine_for(backend, url), engine_for(backend):
        if isinstance(engine, AsyncEngine):
            async with engine.begin() as connection:
                await connection.execute(sa.text("CREATE TABLE only_here (id INT)"))
        else:
            with engine.begin() as sync_connection:
                sync_connection.execute(sa.text("CREATE TABLE only_here (id INT)"))

    assert await scalar(engine_for(backend, url), "SELECT 1 FROM only_here") is None


@on([*POSTGRESQL_BACKENDS, *MARIADB_BACKENDS])
async def test_a_wrong_password_is_refused(
    backend: Backend, database_factory: DatabaseFactory, engine_for: EngineFactory
) -> None:
    """Otherwise no test could show what a user sees then."""
    engine = engine_for(backend, database_factory(backend).set(password="wrong"))

    with pytest.raises(Exception, match=r"(?i)password"):
        await scalar(engine, "SELECT 1")


def exists(server: Server | None, database: str) -> bool:
    if server is None:
        return Path(database).exists()

    return database in server.database_names()


@pytest.fixture
def must_be_gone() -> Iterator[list[Callable[[], bool]]]:
    """Checks to make when the fixtures requested after this one are torn down."""
    checks: list[Callable[[], bool]] = []
    yield checks
    assert checks and all(check() for check in checks)


@on(SHARED_BACKENDS)
async def test_a_database_is_gone_after_its_test(
    must_be_gone: list[Callable[[], bool]],
    backend: Backend,
    request: pytest.FixtureRequest,
    engine_for: EngineFactory,
) -> None:
    engine = engine_for(backend)
    await scalar(engine, "SELECT 1")
    database = engine.url.database
    assert database is not None

    server = server_of(backend, request)
    assert exists(server, database)
    must_be_gone.append(lambda: not exists(server, database))


@on_each_server
def test_a_new_database_has_nothing_of_one_that_was_dropped(
    name: str, server: Server
) -> None:
    """A server may use it again."""
    drivername = {"postgres": "postgresql+psycopg2", "mariadb": "mysql+pymysql"}[name]
    schema = {"postgres": "mine", "mariadb": None}[name]
    found = []

    for _ in range(2):
        server.create_database("test_again")
        engine = sa.create_engine(server.url(drivername, "test_again"))

        with engine.begin() as connection:
            found.append(sa.inspect(connection).get_table_names())

            if schema:
                found.append(sa.inspect(connection).get_schema_names())
                connection.execute(sa.schema.CreateSchema(schema))

            for place in {None, schema}:
                sa.Table("t", sa.MetaData(place), sa.Column("id", sa.Integer)).create(
                    connection
                )

        engine.dispose()
        server.drop_database("test_again")

    half = len(found) // 2
    assert found[:half] == found[half:]


@on_each_server
def test_a_database_is_dropped_although_connections_are_left(
    name: str, server: Server
) -> None:
    server.create_database("test_left")
    drivername = {"postgres": "postgresql+psycopg2", "mariadb": "mysql+pymysql"}[name]
    engine = sa.create_engine(server.url(drivername, "test_left"))
    connection = engine.connect()
    connection.execute(sa.text("CREATE TABLE t (id INT)"))

    assert len(server.connections("test_left")) == 1
    server.drop_database("test_left")
    assert "test_left" not in server.database_names()

    connection.invalidate()
    connection.close()
    engine.dispose()


@on_each_server
def test_a_server_stops_and_starts_with_its_data(name: str, server: Server) -> None:
    server.create_database("test_kept")
    port, pid = server.port, server.pid
    server.stop()
    assert not server.running

    with pytest.raises(Exception, match="(?i)connect|no such file"):
        server.execute("SELECT 1")

    server.start()
    server.start()
    assert server.port == port
    assert server.pid != pid
    assert "test_kept" in server.database_names()

    server.restart()
    server.drop_database("test_kept")
    assert "test_kept" not in server.database_names()


@on_each_server
def test_a_killed_test_run_leaves_no_server_behind(name: str, server: Server) -> None:
    """Not even its directory: a watchdog of each server clears up."""
    script = f"""
import time
from {__package__}.servers import {type(server).__name__}
server = {type(server).__name__}()
server.start()
print(server.pid, server.directory, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        pid, directory = run.stdout.readline().split()
        assert Path(directory).exists()
        run.kill()

    deadline = time.monotonic() + 20

    while Path(directory).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)

    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


@pytest.mark.parametrize("server_class", [PostgresServer, MariaDBServer])
def test_a_server_that_cannot_start_shows_its_log(
    server_class: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    require(server_class.missing())
    monkeypatch.setattr(server_class, "_settings", {"no_such_setting": 1})
    server = server_class()

    try:
        with pytest.raises(
            ServerError, match="(?s)did not start.*no_such_setting"
        ) as info:
            server.__enter__()

        assert str(server.log) in str(info.value)
        assert server.log.exists()
        assert not server.directory.exists()
    finally:
        server.log.unlink()


def run_pytest(*args: str | Path) -> str:
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
        + ["-c", root / "pyproject.toml", *args],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    return result.stdout


def test_no_server_starts_that_no_test_needs() -> None:
    output = run_pytest("--setup-show", "-k", "answers and sqlite", __file__)
    assert "4 passed" in output
    assert "_server" not in output.replace("test_servers", "")


def test_a_test_fails_that_leaves_connections_behind(tmp_path: Path) -> None:
    """So that every test of the suite is a test for leaks, too."""
    (tmp_path / "conftest.py").write_text(f"from {__package__}.conftest import *")
    path = tmp_path / "test_leaks.py"
    path.write_text(
        f"""
import pytest
import sqlalchemy as sa
from {__package__}.backends import by_id

kept = []

def leave(database_factory):
    engine = sa.create_engine(database_factory(by_id("postgresql-psycopg2")))
    kept.append(engine.connect())

def test_leaves_one(database_factory):
    leave(database_factory)

@pytest.mark.leaves_connections
def test_may_leave_one(database_factory):
    leave(database_factory)

def test_does_not_give_one_back(engine_for):
    kept.append(engine_for(by_id("sqlite-sqlite3")).connect())
"""
    )
    output = run_pytest(path)
    assert "Connections are left:" in output
    assert "Connections were not given back:" in output
    assert "3 passed, 2 errors" in output


def test_a_missing_driver_or_server_skips_but_fails_on_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = Backend("x", "sqlite", "sqlite+no_such_driver", False).missing
    assert missing == "'no_such_driver' is not installed."
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no_such_driver"):
        require(missing)

    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no_such_driver"):
        require(missing)
