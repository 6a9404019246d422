"""The ``env.py`` for tools that execute one: Alembic's own program, pytest-alembic."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.config import Config
from flask import Flask

from async_alembic import Alembic
from async_alembic import AppError
from async_alembic import ConfigurationError
from async_alembic import run_env_py

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import awaited_only
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision

SQLITE = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]

SHOP = """
import os
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from {framework} import {Framework}
from async_alembic import Alembic

metadata = sa.MetaData()
users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), server_default="x", index=True),
)
sa.Table("posts", metadata, sa.Column("user_id", sa.ForeignKey(users.c.id)))

def create_app():
    app = {Framework}(__name__)
    make = create_async_engine if {is_async} else sa.create_engine
    engine = make(os.environ["SHOP_URL"])
    Alembic(app, metadatas=metadata, engines=engine)
    return app
"""
PROGRAM = """
import shop
from alembic.config import main

shop.create_app().extensions["alembic"].sync.init(env_py=True)

for command in {commands!r}:
    main(command.split())
"""
COMMANDS = [
    *("revision --autogenerate -m one", "upgrade head", "check", "downgrade base"),
    *("upgrade head", "upgrade head --sql"),
]


def write_shop(folder: Path, backend: Backend, framework: str) -> None:
    name = framework.capitalize()
    text = SHOP.format(framework=framework, Framework=name, is_async=backend.is_async)
    (folder / "shop.py").write_text(text)


def run(folder: Path, engine: AnyEngine, code: str) -> str:
    """Run code in a process of its own, in a folder with an app."""
    url = engine.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "SHOP_URL": url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def schema(caller: Caller, engine: AnyEngine) -> list[str]:
    """What is in a database, as text."""

    def read(connection: sa.Connection) -> list[str]:
        look = sa.inspect(connection)
        readers = [look.get_columns, look.get_indexes, look.get_foreign_keys]
        tables = sorted(look.get_table_names())
        return [f"{table} {[read(table) for read in readers]}" for table in tables]

    return caller.begin(engine, read)


@on([*SQLITE[:1], by_id("postgresql-asyncpg"), by_id("mariadb-asyncmy")])
@blocking_only
def test_alembics_own_program_makes_the_same_database(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """With the same history, engine and models, in every kind of app."""
    write_shop(tmp_path, backend, "quart" if backend.is_async else "flask")
    theirs, ours = engines(backend), engines(backend)
    output = run(tmp_path, theirs, PROGRAM.format(commands=COMMANDS))
    assert "No new upgrade operations detected." in output
    assert "CREATE TABLE users" in output

    metadata = sa.MetaData()
    app = make_app("flask", tmp_path)
    shop: Any = Alembic(app, metadatas=metadata, engines=ours)
    (script,) = caller(shop, "upgrade")
    assert caller.versions(theirs) == caller.versions(ours) == [script.revision]
    assert schema(caller, theirs) == schema(caller, ours)


@pytest.fixture
def config(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Config]:
    """Alembic's config for an app in this process, whose own database is not used."""
    monkeypatch.setenv("SHOP_URL", f"{backend.drivername}:////nowhere/at/all")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path, backend, "flask")
    app: Any = importlib.import_module("shop").create_app()
    app.extensions["alembic"].sync.init(env_py=True)
    code, undo = create_table("log"), "op.drop_table('log')"
    write_revision(tmp_path / "migrations/versions", "a1", None, code, undo)
    yield Config("alembic.ini")
    del sys.modules["shop"]


@on(SQLITE)
@blocking_only
def test_an_engine_that_a_tool_gives_is_used(
    backend: Backend, caller: Caller, engines: EngineFactory, config: Config
) -> None:
    """pytest-alembic gives the one of its fixture."""
    engine = engines(backend)
    config.attributes["connection"] = engine
    alembic.command.upgrade(config, "head")
    assert caller.tables(engine) == {"log"}
    alembic.command.downgrade(config, "base")
    assert caller.tables(engine) == set()


@on(SQLITE)
@awaited_only
def test_it_runs_also_where_a_loop_is_running(
    backend: Backend, caller: Caller, engines: EngineFactory, config: Config
) -> None:
    """As in a test that is a coroutine, where Alembic's template cannot run."""
    config.attributes["connection"] = engine = engines(backend)

    async def upgrade() -> None:
        alembic.command.upgrade(config, "head")

    caller.run(upgrade())
    assert caller.tables(engine) == {"log"}


@on(SQLITE)
@blocking_only
def test_a_connection_that_a_tool_gives_is_used(
    backend: Backend, caller: Caller, engines: EngineFactory, config: Config
) -> None:
    def upgrade(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")

    engine = engines(backend)
    caller.begin(engine, upgrade)
    assert caller.tables(engine) == {"log"}


@on(SQLITE[:1])
@blocking_only
def test_our_own_commands_go_on_beside_it(
    backend: Backend, caller: Caller, engines: EngineFactory, config: Config
) -> None:
    """It sets nothing that the app's config would have to say, and nothing is left to
    be moved in.
    """
    app = importlib.import_module("shop").create_app()
    engine = engines(backend)
    shop = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    caller(shop, "upgrade")
    assert caller.versions(engine) == ["a1"]
    assert caller(shop, "move_in").by_hand == ()
    (script,) = caller(shop, "revision", "two", empty=True)
    assert Path(script.path).parent.name == "versions"


@on(SQLITE[:1])
@blocking_only
def test_an_app_that_is_a_variable_is_imported_by_its_name(
    backend: Backend, config: Config, tmp_path: Path, caller: Caller
) -> None:
    shop: Any = importlib.import_module("shop")
    shop.site = app = shop.create_app()
    (tmp_path / "migrations/env.py").unlink()
    app.extensions["alembic"].sync.init(env_py=True)
    text = (tmp_path / "migrations/env.py").read_text()
    assert "from shop import site\n\nrun_env_py(site)\n" in text


@on(SQLITE[:1])
@blocking_only
def test_what_alembic_itself_would_not_find_is_refused(
    backend: Backend, config: Config, tmp_path: Path, caller: Caller
) -> None:
    """It looks in ``versions``, and would take the ``env.py`` beside a revision for one
    too.
    """
    (tmp_path / "migrations/env.py").unlink()
    shop: Any = importlib.import_module("shop")
    app = shop.create_app()
    write_revision(tmp_path / "migrations", "b2", "a1")

    with pytest.raises(ConfigurationError, match="b2.py.*versions"):
        app.extensions["alembic"].sync.init(env_py=True)

    (tmp_path / "migrations/b2.py").unlink()
    del shop.create_app

    with pytest.raises(ConfigurationError, match="cannot import the app"):
        app.extensions["alembic"].sync.init(env_py=True)

    assert not (tmp_path / "migrations/env.py").exists()


@on([by_id("sqlite-aiosqlite"), by_id("postgresql-psycopg2")])
@blocking_only
def test_what_alembics_own_program_generates_is_compared_as_here(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """It keeps what is in no model, and finds no difference in spelling."""
    engine = engines(backend)
    write_shop(tmp_path, backend, "flask")
    caller.execute(engine, "CREATE TABLE legacy (id INTEGER PRIMARY KEY)")
    run(tmp_path, engine, PROGRAM.format(commands=COMMANDS[:3]))
    (path,) = (tmp_path / "migrations" / "versions").glob("*.py")
    assert "drop_table('legacy')" not in path.read_text()
    assert "legacy" in caller.tables(engine)


def test_an_app_without_migrations_is_named() -> None:
    with pytest.raises(AppError, match="'bare'"):
        run_env_py(Flask("bare"))
