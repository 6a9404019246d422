"""Fresh databases, on every database and driver, without pytest's plugin."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic import FreshDatabaseError
from async_alembic import MigrationError
from async_alembic.testing import fresh
from async_alembic.testing import fresh_database
from async_alembic.testing.servers.base import PREFIX

from ..backends import by_id
from ..backends import MEMORY_BACKENDS
from ..backends import on
from ..backends import on_all_backends
from ..direct import blocking_url
from ..harness import FRAMEWORKS
from ..harness import make_app
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..kits import Kit
from ..kits import kit as kit
from ..kits import METADATA
from ..kits import query

on_one_of_each_kind = on(ONE_OF_EACH_KIND)
on_each_server = on(
    [by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg"), by_id("mariadb-asyncmy")]
)
NOTES = "SELECT text FROM note ORDER BY id"


@on_all_backends
def test_each_database_is_migrated_and_has_no_rows_of_others(kit: Kit) -> None:
    databases = kit.databases()

    for _ in range(4):
        database = databases.make()
        assert query(database, "SELECT text, done FROM note") == [("first", None)]
        query(database, "INSERT INTO note (text) VALUES ('second')")
        assert query(database, NOTES) == [("first",), ("second",)]
        assert kit.backend.drivername == sa.make_url(database.url).drivername
        database.close()


@on_all_backends
def test_the_history_is_run_once(kit: Kit) -> None:
    """Which is what makes it fast."""
    marks = kit.root / "marks"
    write_revision(kit.migrations, "c3", "b2", marking(marks))
    databases = kit.databases()

    for _ in range(3):
        database = databases.make()
        database.app  # noqa: B018
        database.close()

    assert marks.read_text() == "x"


def marking(marks: Path) -> str:
    """What a revision does to tell that it was run."""
    return f"with open({str(marks)!r}, 'a') as f: f.write('x')"


@on_one_of_each_kind
def test_several_databases_are_there_at_once(kit: Kit) -> None:
    databases = kit.databases()
    made = [databases.make() for _ in range(4)]

    for number, database in enumerate(made):
        query(database, f"UPDATE note SET done = {number}")

    for number, database in enumerate(made):
        assert query(database, "SELECT done FROM note") == [(number,)]
        database.close()


@on_one_of_each_kind
def test_a_database_can_be_at_any_revision(kit: Kit) -> None:
    databases = kit.databases()
    database = databases.make("a1")
    with pytest.raises(Exception, match="done"):
        query(database, "SELECT done FROM note")

    alembic = database.alembic
    assert isinstance(alembic, Alembic)
    assert [s.revision for s in alembic.sync.upgrade()] == ["b2"]
    assert query(database, "SELECT text, done FROM note") == [("first", None)]
    empty = databases.make("base")
    assert not empty.fresh_app.on_databases(
        lambda access: sa.inspect(access.connections["default"]).get_table_names()
    )


@on_all_backends
@pytest.mark.parametrize("awaited", [True, False], ids=["async with", "with"])
def test_one_is_made_without_pytest(
    kit: Kit, awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = kit.session()
    monkeypatch.setattr(fresh, "_shared_servers", lambda: session)

    async def read(engine: Any) -> Any:
        if not isinstance(engine, AsyncEngine):
            with engine.connect() as connection:
                return connection.execute(sa.text(NOTES)).all()

        async with engine.connect() as connection:
            return (await connection.execute(sa.text(NOTES))).all()

    async def use() -> Any:
        async with fresh_database(kit.url, kit.app) as database:
            return await read(engine_of(database))

    if awaited:
        # Each in a loop of its own.
        assert asyncio.run(use()) == [("first",)]
        assert asyncio.run(use()) == [("first",)]
    else:
        with fresh_database(kit.url, upgrade=kit.app, target="a1") as database:
            assert asyncio.run(read(engine_of(database))) == [("first",)]


def engine_of(database: Any) -> Any:
    is_async = isinstance(database.fresh_app.app_engines["default"], AsyncEngine)
    right, wrong = (
        ("async_engine", "engine") if is_async else ("engine", "async_engine")
    )

    with pytest.raises(FreshDatabaseError, match=f"Use '{right}'"):
        getattr(database, wrong)

    return getattr(database, right)


@on([by_id("sqlite-aiosqlite")])
async def test_the_blocking_form_does_not_block_a_loop(kit: Kit) -> None:
    with pytest.raises(FreshDatabaseError, match="Use 'async with'"):
        with fresh_database(kit.url, kit.app):
            pass


def test_what_is_made_without_pytest_is_dropped_at_the_end(tmp_path: Path) -> None:
    """Also if nobody leaves the context, and although the thread is a daemon."""
    (tmp_path / "migrations").mkdir()
    code = f"""
import os, sqlalchemy as sa
from flask import Flask
from async_alembic import SyncAlembic
from async_alembic.testing import fresh_database

def make(url):
    app = Flask("app", root_path={str(tmp_path)!r})
    SyncAlembic(app, metadatas=sa.MetaData(), engines=sa.create_engine(url))
    return app

database = fresh_database("sqlite:///{tmp_path}/", make).__enter__()
print(len([name for name in os.listdir({str(tmp_path)!r}) if name.endswith(".db")]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 2
    assert not list(tmp_path.glob(f"{PREFIX}*"))


@on_one_of_each_kind
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_app_may_make_its_engine_when_it_starts(kit: Kit, framework: Any) -> None:
    engines: list[Any] = []
    started = False

    def make(url: str) -> Any:
        app = make_app(framework, kit.root)
        engines.append(kit.engine(url))
        found: Any = lambda: engines[-1] if started else None  # noqa: E731
        Alembic(app, metadatas=METADATA, engines=found)
        return app

    database = kit.databases(factory=make).make()
    database.app  # noqa: B018
    started = True
    assert engine_of(database) is engines[-1]
    assert query(database, NOTES) == [("first",)]
    database.close()


@on([by_id("sqlite-aiosqlite"), by_id("sqlite-sqlite3")])
def test_the_function_may_return_the_extension(kit: Kit) -> None:
    """Which keeps no app, and may be one for the apps of all tests."""
    shared = Alembic(metadatas=METADATA)

    def make(url: str) -> Alembic:
        app = make_app("flask", kit.root, ALEMBIC={"sqlalchemy.url": url})
        shared.init_app(app)
        return shared

    databases = kit.databases(factory=make)
    first, second = databases.make(), databases.make()
    assert first.alembic is second.alembic is shared
    assert first.app is not second.app
    query(first, "UPDATE note SET done = 1")
    assert query(second, "SELECT done FROM note") == [(None,)]
    first.close()
    second.close()


@on([by_id("sqlite-sqlite3"), by_id("sqlite-memory-sqlite3")])
def test_engines_may_be_those_of_an_extension(kit: Kit) -> None:
    from flask_sqlalchemy import SQLAlchemy

    def make(url: str) -> Any:
        app: Any = make_app("flask", kit.root, SQLALCHEMY_DATABASE_URI=url)
        SQLAlchemy(app, metadata=sa.MetaData())
        Alembic(app)
        return app

    databases = kit.databases(factory=make)

    for _ in range(2):
        database = databases.make()
        assert query(database, NOTES) == [("first",)]
        query(database, "DELETE FROM note")
        database.close()


@on(MEMORY_BACKENDS)
def test_an_app_that_would_lose_a_database_in_memory_is_refused(kit: Kit) -> None:
    def make(url: str) -> Any:
        app = make_app("flask", kit.root)
        maker: Any = type(kit.engine(url))
        engine: Any = sa.create_engine(
            url.replace("+aiosqlite", ""), poolclass=sa.NullPool
        )
        if maker is AsyncEngine:
            from sqlalchemy.ext.asyncio import create_async_engine

            engine = create_async_engine(url, poolclass=sa.NullPool)
        Alembic(app, metadatas=METADATA, engines=engine)
        return app

    database = kit.databases(factory=make).make()

    with pytest.raises(FreshDatabaseError, match="Give it a 'StaticPool'"):
        database.app  # noqa: B018


@on_each_server
def test_an_app_with_another_database_is_not_migrated(kit: Kit, tmp_path: Path) -> None:
    """Or the developer's own database would be."""
    other = tmp_path / "precious.db"

    def make(url: str) -> Any:
        app = make_app("flask", kit.root)
        engine = sa.create_engine(f"sqlite:///{other}")
        Alembic(app, metadatas=METADATA, engines=engine)
        return app

    with pytest.raises(
        FreshDatabaseError, match="precious.db'. Create the engine with"
    ) as e:
        kit.databases(factory=make).make()

    assert not other.exists()
    assert "s3cr" not in str(e.value)


@on([by_id("sqlite-aiosqlite")])
@pytest.mark.parametrize(
    ("made", "name"), [(None, "NoneType"), (make_app, "function"), ("app", "str")]
)
def test_what_is_no_app_is_refused(kit: Kit, made: Any, name: str) -> None:
    with pytest.raises(FreshDatabaseError, match=f"must return an app .* not {name}."):
        kit.databases(factory=lambda url: made).make()

    async def make(url: str) -> None: ...

    with pytest.raises(FreshDatabaseError, match="not coroutine."):
        kit.databases(factory=make).make()


@on_one_of_each_kind
def test_a_revision_that_fails_leaves_nothing(kit: Kit) -> None:
    write_revision(kit.migrations, "c3", "b2", "raise ValueError('broken')")

    for _ in range(2):
        with pytest.raises(MigrationError, match="c3.*broken"):
            kit.databases().make()

    assert not {name for name in kit.names() if not name.endswith(".lock")}
    write_revision(kit.migrations, "c3", "b2", "pass")
    kit.databases().make().close()


@on_each_server
def test_processes_of_a_run_share_one_template(kit: Kit) -> None:
    marks = kit.root / "marks"
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        f"import time; time.sleep(0.3)\n{marking(marks)}",
    )
    sessions = [kit.session("one run") for _ in range(3)]

    with ThreadPoolExecutor(3) as executor:
        made = list(executor.map(lambda s: kit.databases(s).make(), sessions))

    assert marks.read_text() == "x"
    assert len({database.url for database in made}) == 3

    # What the first one has made must outlive it.
    sessions[0].close()
    sessions[1].close()
    del kit._sessions[:2]
    database = kit.databases(sessions[2]).make()
    assert query(database, NOTES) == [("first",)]


@on_each_server
def test_what_a_killed_run_has_left_is_dropped(kit: Kit, tmp_path: Path) -> None:
    """And neither what a run has that goes on, nor what is not of the kit's."""
    others = others_of(kit)
    running = kit.databases().make()
    code = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.backends import by_id
from tests.kits import Kit
kit = Kit(Path({str(kit.root)!r}), by_id({kit.backend.id!r}), {kit.url!r}, None)
database = kit.databases().make()
print(database.url, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    killed = Path(sa.make_url(done.stdout.strip()).database or "").stem
    assert any(killed in name for name in kit.names())

    kit.databases().make()
    run = "_".join(killed.split("_")[:4])
    assert not [name for name in kit.names() if name.startswith(run)]
    assert query(running, NOTES) == [("first",)]
    assert others <= others_of(kit, make=False)


@on_each_server
@pytest.mark.leaves_connections
def test_a_connection_that_is_left_open_holds_nobody_up(kit: Kit) -> None:
    """Although it is in a transaction, for which the server would wait."""
    databases = kit.databases()
    database = databases.make()
    engine = sa.create_engine(blocking_url(sa.make_url(database.url)))
    connection = engine.connect()
    connection.exec_driver_sql("UPDATE note SET done = 1")
    database.close()

    for _ in range(3):
        databases.make().close()

    kit.close()
    assert kit.names() == set()
    connection.invalidate()


@on([by_id("postgresql-asyncpg")])
def test_what_another_user_has_left_is_let_alone(kit: Kit) -> None:
    assert kit.server is not None
    name = f"{PREFIX}00000000_000000_1"
    kit.server.execute(f"CREATE DATABASE {name}")

    try:
        database = kit.databases().make()
        assert query(database, NOTES) == [("first",)]
        database.close()
        kit.close()
        assert kit.names() == {name}
    finally:
        kit.server.execute(f"DROP DATABASE {name}")


def others_of(kit: Kit, *, make: bool = True) -> set[str]:
    """What is beside the databases of the kit."""
    names = [f"{PREFIX[:-1]}", "test_other"]

    if kit.server is None:
        folder = Path(sa.make_url(kit.url).database or "")

        for name in names if make else []:
            (folder / f"{name}.db").write_text("")

        return {path.name for path in folder.iterdir() if PREFIX not in path.name}

    for name in names if make else []:
        if name not in kit.server.database_names():
            kit.server.create_database(name)

    return {name for name in kit.server.database_names() if PREFIX not in name}


@on_each_server
def test_a_template_is_kept_if_that_is_wanted(kit: Kit) -> None:
    marks = kit.root / "marks"
    body = marking(marks)
    write_revision(kit.migrations, "c3", "b2", body)

    def run(target: str = "heads", *, keep: bool = True) -> int:
        session = kit.session(keep=keep)
        kit.databases(session).make(target).close()
        kit.close()
        kept = [name for name in kit.names() if name.startswith(f"{PREFIX}keep_")]
        counted = len(marks.read_text())
        marks.write_text("")
        return counted * 10 + len(kept)

    assert run() == 11
    assert run() == 1
    # Another target has a template of its own.
    assert run("c3") == 12
    assert run("c3") == run() == 2
    # Another content takes the place of the former one.
    write_revision(kit.migrations, "c3", "b2", f"{body}\npass")
    assert run() == 12
    # So does a file that a revision can read.
    (kit.migrations / "rows.csv").write_text("1")
    assert run() == 12
    assert run() == 2
    # Without that wish, all is made anew, and nothing is left of this history.
    assert run(keep=False) == 11
    assert run("c3", keep=False) == 10


@on([by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")])
def test_a_servers_url_with_somebodys_database_is_refused(kit: Kit) -> None:
    assert kit.server is not None
    kit.server.create_database("test_precious")
    kit.url = kit.server.url(kit.backend.drivername, "test_precious").render_as_string(
        hide_password=False
    )

    try:
        kit.databases().make().close()
        kit.close()
        engine = sa.create_engine(
            kit.server.url(
                {"postgresql": "postgresql+psycopg2", "mariadb": "mysql+pymysql"}[
                    kit.backend.database
                ],
                "test_precious",
            )
        )

        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (id INT)")

        engine.dispose()

        with pytest.raises(FreshDatabaseError, match="'test_precious' .* is not empty"):
            kit.databases().make()
    finally:
        kit.server.drop_database("test_precious")


@on([by_id("sqlite-sqlite3")])
def test_a_file_that_is_somebodys_is_refused(kit: Kit, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    precious = folder / "app.db"
    precious.write_text("")
    kit.url = f"sqlite:///{precious}"

    with pytest.raises(FreshDatabaseError, match="app.db' .* or a folder for files"):
        kit.databases()

    precious.unlink()
    database = kit.databases().make()
    assert Path(sa.make_url(database.url).database or "").parent == folder
    kit.close()
    assert not list(folder.iterdir())
    kit.url = f"sqlite:///{folder}/none/app.db"

    with pytest.raises(
        FreshDatabaseError, match="The folder '.*/none' .* does not exist"
    ):
        kit.databases()

    kit.url = f"sqlite:///{folder}"


@on([by_id("sqlite-sqlite3")])
def test_a_server_of_another_kind_is_refused(kit: Kit) -> None:
    kit.url, url = "oracle://me:secret@host/x", kit.url

    with pytest.raises(FreshDatabaseError, match="at 'oracle://me:\\*\\*\\*@host/x'"):
        kit.databases()

    kit.url = url
