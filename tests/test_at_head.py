"""What every process does at every start, when there is nothing to do, costs next to
nothing: no import of Alembic, one connection and one query.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import DatabaseError
from async_alembic import WaitTimeoutError

from .backends import Backend
from .backends import DatabaseFactory
from .backends import EngineFactory
from .backends import on
from .backends import SHARED_BACKENDS
from .harness import AnyEngine
from .harness import blocking_only
from .harness import Caller
from .harness import connections
from .harness import Framework
from .harness import ids
from .harness import on_both_frameworks
from .harness import ONE_OF_EACH_KIND
from .harness import queries_of
from .harness import write_revision
from .running.sites import Site

#: Calls the extension in a process whose app has connected before, and prints which
#: modules were imported by the end of each call, without those of Python, and those of
#: this package that are for the database.
PROGRAM = """
import asyncio
import json
import sys

import sqlalchemy as sa

framework, way, url, root, *calls = sys.argv[1:]
engine = None

if framework == "flask":
    from flask import Flask as App
else:
    from quart import Quart as App

app = App("shop", root_path=root)

if sa.make_url(url).get_dialect().is_async:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)

    async def connect():
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")

        await engine.dispose()

    asyncio.run(connect())
else:
    engine = sa.create_engine(url)

    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")

if way == "command":
    app.test_cli_runner().invoke(args=["routes"])

before = {*sys.modules}
from async_alembic import Alembic
from async_alembic import DatabaseError
from async_alembic import WaitTimeoutError

alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
roots = {*sys.stdlib_module_names, "async_alembic"}
others = {"sqlite", "postgresql", "mysql"} - {engine.dialect.name, "mariadb"}
found = {}


def look(call):
    new = [n for n in {*sys.modules} - before if n.partition(".")[0] not in roots]
    new += [n for n in sys.modules if n.startswith("async_alembic.dialects.")
            and n.split(".")[2] in others]
    found[call] = new


async def main():
    for call in calls:
        await eval(f"alembic.{call}")
        look(call)

    if hasattr(engine, "sync_engine"):
        await engine.dispose()


if way == "awaited":
    asyncio.run(main())
else:
    for call in calls:
        if way == "blocking":
            eval(f"alembic.sync.{call}")
        else:
            result = app.test_cli_runner().invoke(args=["db", *call.split()])
            assert result.exit_code == 0, result.output

        look(call)

print(json.dumps(found))
"""
CALLS = [
    "upgrade()",
    "upgrade('head')",
    "upgrade('c3')",
    "current()",
    "heads()",
    "heads(resolve_dependencies=True)",
    "needs_upgrade()",
    "status()",
    "wait_until_current()",
]
COMMANDS = ["current", "current --verbose", "heads", "upgrade", "status", "wait"]


@pytest.fixture
def at_head(database_factory: DatabaseFactory, backend: Backend, tmp_path: Path) -> str:
    """The URL of a database that is at the head of three revisions, with a label."""
    write_revision(tmp_path / "migrations", "a1")
    write_revision(tmp_path / "migrations", "b2", "a1", labels=["shop"])
    write_revision(tmp_path / "migrations/versions", "c3", "b2")
    (tmp_path / "migrations/script.py.mako").touch()
    url = database_factory(backend)
    stamp(url, "c3")
    return url.render_as_string(hide_password=False)


def stamp(url: sa.URL, *revisions: str) -> None:
    """Write a version table as Alembic does, by a driver that blocks."""
    blocking = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg2"}
    name = url.get_backend_name()
    engine = sa.create_engine(url.set(drivername=blocking.get(name, "mysql+pymysql")))
    version = sa.Column("version_num", sa.String(32), primary_key=True)
    table = sa.Table("alembic_version", sa.MetaData(), version)

    with engine.begin() as connection:
        table.create(connection)
        connection.execute(
            table.insert(), [{"version_num": revision} for revision in revisions]
        )

    engine.dispose()


def imported(
    framework: Framework, way: str, url: str, root: Path, calls: list[str]
) -> dict[str, list[str]]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, framework, way, url, str(root), *calls],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    modules: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return modules


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize("way", ["awaited", "blocking"])
def test_no_call_imports_a_package(
    way: str, backend: Backend, at_head: str, tmp_path: Path
) -> None:
    """Neither Alembic with its templates, nor the ORM, another dialect or a backend of
    anyio: each would take longer than the call.
    """
    found = imported("quart", way, at_head, tmp_path, CALLS)
    assert found == {call: [] for call in CALLS}


@on(ONE_OF_EACH_KIND)
@on_both_frameworks
def test_no_command_imports_a_package(
    framework: Framework,
    backend: Backend,
    at_head: str,
    tmp_path: Path,
) -> None:
    found = imported(framework, "command", at_head, tmp_path, COMMANDS)
    assert found == {command: [] for command in COMMANDS}


@on(SHARED_BACKENDS)
def test_an_upgrade_makes_one_connection_and_one_query(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    engine = engines(backend)
    site = Site(engine, tmp_path)
    alembic = site.alembic
    assert ids(caller(alembic, "upgrade")) == ["a1"]
    opened = connections_of(engine)
    queries = queries_of(engine)

    for _ in range(3):
        assert caller(alembic, "upgrade") == []

    assert len(opened) == 3
    assert len(queries) == 3
    assert all("alembic_version" in query for query in queries)


def connections_of(engine: AnyEngine) -> list[object]:
    """The connections that an engine and its copies make from now on."""
    made: list[object] = []
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine

    @sa.event.listens_for(sync_engine.pool, "connect")
    def add(connection: object, record: object) -> None:
        made.append(connection)

    return made


@on([backend for backend in SHARED_BACKENDS if not backend.is_async])
@blocking_only
def test_a_blocking_call_starts_no_thread(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alembic = Site(engines(backend), tmp_path).alembic
    caller(alembic, "upgrade")
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)

    for method in "upgrade", "current", "heads", "needs_upgrade", "status":
        caller(alembic, method)

    assert started == []


@on([backend for backend in ONE_OF_EACH_KIND if backend.database == "postgresql"])
def test_waiting_for_the_first_upgrade_does_not_fill_the_log_of_the_server(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """A query of a table that is missing is an error there."""
    engine = engines(backend)
    site = Site(engine, tmp_path)
    alembic = site.alembic
    queries = queries_of(engine)

    with pytest.raises(WaitTimeoutError, match="empty"):
        caller(alembic, "wait_until_current", 2)

    assert len(queries) > 2
    assert sum("FROM alembic_version" in query for query in queries) == 1


@on(SHARED_BACKENDS)
@pytest.mark.parametrize("method", ["current", "needs_upgrade", "status"])
def test_looking_takes_one_query(
    method: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """On a connection of the app's pool."""
    engine = engines(backend, **connections(backend, 1))
    site = Site(engine, tmp_path)
    alembic = site.alembic
    caller(alembic, "upgrade")
    queries = queries_of(engine)
    caller(alembic, method)
    assert len(queries) == 1


@on(ONE_OF_EACH_KIND)
def test_the_version_table_is_the_one_that_the_context_names(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """By its name and its schema, also as the engine translates it."""
    plain = engines(backend)
    schema = {"sqlite": "main", "postgresql": "public"}.get(backend.database)
    translated = {"own": schema or plain.url.database}
    # Alembic asks for the schema that is not translated, which MariaDB refuses.
    named = translated["own"] if backend.database == "mariadb" else "own"
    site = Site(plain.execution_options(schema_translate_map=translated), tmp_path)
    site.pass_in(version_table="history", version_table_schema=named)
    alembic = site.alembic
    assert caller(alembic, "needs_upgrade")
    assert ids(caller(alembic, "upgrade")) == ["a1"]
    rows = caller.query(plain, "SELECT version_num FROM history")
    assert rows == [("a1",)]
    queries = queries_of(plain)
    assert not caller(alembic, "needs_upgrade")
    assert ids(caller(alembic, "current")) == ["a1"]
    assert caller(alembic, "upgrade") == []
    assert len(queries) == 3


@on(ONE_OF_EACH_KIND)
def test_a_version_table_that_cannot_be_read_is_not_taken_for_none(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Else every revision would be run again."""
    engine = engines(backend)
    site = Site(engine, tmp_path)
    alembic = site.alembic
    caller.execute(engine, "CREATE TABLE alembic_version (version INTEGER)")

    for method in "current", "needs_upgrade", "upgrade", "status":
        with pytest.raises(DatabaseError, match="version_num"):
            caller(alembic, method)
