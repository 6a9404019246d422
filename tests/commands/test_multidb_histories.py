"""Histories of several databases that other tools have begun, and new ones of binds."""

from __future__ import annotations

import ast
import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from async_alembic import Alembic
from async_alembic.errors import ConfigurationError
from async_alembic.errors import MigrationError
from async_alembic.errors import TargetError

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..engines import disposing_engines
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..peers import template_of

SYNC = [by_id("sqlite-sqlite3"), by_id("postgresql-psycopg2")]
ASYNC = [by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg")]
on_sqlite = on(SYNC[:1])
BY_NAME = "globals()[f'{direction}_{engine_name}']()"


class Shop:
    """An app whose models are in the default database and in the bind "log".

    With an async driver, the engines are passed to the extension, as Flask-SQLAlchemy
    has none.
    """

    def __init__(
        self,
        backend: Backend,
        databases: DatabaseFactory,
        engines: EngineFactory,
        root: Path,
        framework: Framework = "flask",
    ) -> None:
        self.app = make_app(framework, root)
        self.folder = root / "migrations"
        self.db = SQLAlchemy()
        self.urls = {name: databases(backend) for name in ("default", "log")}
        self.engines: Any = {n: engines(backend, url) for n, url in self.urls.items()}
        self.app.config["SQLALCHEMY_DATABASE_URI"] = self.urls["default"]
        self.app.config["SQLALCHEMY_BINDS"] = {"log": self.urls["log"]}

        if backend.is_async:
            self.db.metadatas["log"] = sa.MetaData()
        else:
            self.db.init_app(cast("Flask", self.app))

        self.is_async = backend.is_async

    def alembic(self, **arguments: Any) -> Alembic:
        if self.is_async:
            arguments["engines"] = self.engines
            arguments.setdefault("metadatas", self.db.metadatas)

        return Alembic(self.app, **arguments)

    def add_table(self, name: str, bind: str | None = None) -> None:
        column = sa.Column("id", sa.Integer, primary_key=True)
        self.db.Table(name, column, bind_key=bind)

    def begin_with_flask_migrate(self) -> None:
        """Write what ``flask db init --multidb`` and ``flask db migrate`` write."""
        self.folder.mkdir()
        template = template_of("flask_migrate", "flask-multidb")
        shutil.copy(template, self.folder)
        self.write_revision("a1", None, "", users="users", log="visits")

    def write_revision(
        self, revision: str, after: str | None, default: str, users: str, log: str
    ) -> None:
        tables = {default: users, "log": log}
        write_revision(
            self.folder / "versions",
            revision,
            after,
            BY_NAME.format(direction="upgrade", engine_name="{engine_name}"),
            BY_NAME.format(direction="downgrade", engine_name="{engine_name}"),
            args="engine_name",
            top="\n".join(
                f"def upgrade_{name}():\n    {create_table(table)}\n"
                f"def downgrade_{name}():\n    op.drop_table('{table}')\n"
                for name, table in tables.items()
            ),
        )

    def tables(self, caller: Caller) -> dict[str, set[str]]:
        return {name: caller.tables(engine) for name, engine in self.engines.items()}


@pytest.fixture
def shop(
    backend: Backend,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> Iterator[Shop]:
    with disposing_engines(runner):
        yield Shop(backend, database_factory, engines, tmp_path)


def functions_in(path: str) -> dict[str, str]:
    """The code of each function of a file."""
    tree = ast.parse(Path(path).read_text())
    return {
        node.name: ast.unparse(node.body)  # type: ignore[arg-type]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


@on([*SYNC, *ASYNC])
def test_a_multidb_history_of_flask_migrate_goes_on(shop: Shop, caller: Caller) -> None:
    """Its revisions call the default database "", and so does its template."""
    shop.begin_with_flask_migrate()
    shop.add_table("users")
    shop.add_table("visits", "log")
    alembic = shop.alembic()
    assert ids(caller(alembic, "upgrade")) == ["a1"]
    assert caller(alembic, "compare_metadata") == []

    shop.add_table("orders")
    shop.add_table("clicks", "log")

    with caller.inside(shop.app):
        [script] = caller(alembic, "revision", "more")

    assert script.down_revision == "a1"
    functions = functions_in(script.path)
    assert "'orders'" in functions["upgrade_"]
    assert "'clicks'" in functions["upgrade_log"]

    assert ids(caller(alembic, "upgrade")) == [script.revision]
    assert caller(alembic, "compare_metadata") == []
    assert [*caller(alembic, "status")] == ["default", "log"]
    assert shop.tables(caller) == {
        "default": {"users", "orders"},
        "log": {"visits", "clicks"},
    }
    caller(alembic, "downgrade", "base")
    assert shop.tables(caller) == {"default": set(), "log": set()}


@on_sqlite
def test_the_binds_of_a_multidb_history_need_no_models(
    shop: Shop, caller: Caller
) -> None:
    """A database whose last model is removed is still migrated."""
    shop.begin_with_flask_migrate()
    shop.add_table("users")
    alembic = shop.alembic()
    caller(alembic, "upgrade")
    [(change, table)] = caller(alembic, "compare_metadata")
    assert (change, table.name) == ("remove_table", "visits")


@on_sqlite
@pytest.mark.parametrize("default", ["default", None, ""], ids=repr)
def test_the_default_database_is_the_same_whatever_its_name_is(
    default: str | None, shop: Shop, caller: Caller
) -> None:
    shop.begin_with_flask_migrate()
    shop.add_table("users")
    shop.add_table("visits", "log")
    metadatas = {default: shop.db.metadatas[None], "log": shop.db.metadatas["log"]}
    alembic = shop.alembic(metadatas=metadatas)
    caller(alembic, "upgrade")
    shop.add_table("orders")

    with caller.inside(shop.app):
        [script] = caller(alembic, "revision", "more")

    assert "'orders'" in functions_in(script.path)["upgrade_"]


@on_sqlite
def test_a_multidb_history_goes_on_with_one_database(
    shop: Shop, caller: Caller
) -> None:
    """``flask db init --multidb`` is also run for binds that come later."""
    shop.begin_with_flask_migrate()
    shop.add_table("users")
    shop.app.config["SQLALCHEMY_BINDS"] = {}
    alembic = shop.alembic(metadatas=shop.db.metadata)
    caller(alembic, "upgrade")
    shop.add_table("orders")

    with caller.inside(shop.app):
        [script] = caller(alembic, "revision", "more")

    caller(alembic, "upgrade")
    assert "'orders'" in functions_in(script.path)["upgrade_"]
    assert shop.tables(caller) == {"default": {"users", "orders"}, "log": set()}


@on(SYNC[:1])
def test_without_flask_its_template_is_replaced(
    backend: Backend,
    caller: Caller,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    """The template asks Flask's current app for the binds, and Quart has another one.
    What Alembic's template writes is of the same form.
    """
    with disposing_engines(runner):
        shop = Shop(backend, database_factory, engines, tmp_path, "quart")
        shop.begin_with_flask_migrate()
        shop.add_table("users")
        shop.add_table("visits", "log")
        alembic = shop.alembic()
        caller(alembic, "upgrade")
        shop.add_table("orders")

        with pytest.raises(ConfigurationError, match=r"cannot be rendered.*'db mkdir'"):
            caller(alembic, "revision", "more")

        (shop.folder / "script.py.mako").unlink()
        again = shop.alembic(command_name="again")
        [script] = caller(again, "revision", "more")
        assert "'orders'" in functions_in(script.path)["upgrade_"]
        assert functions_in(script.path)["upgrade_log"].endswith("pass")
        assert ids(caller(again, "upgrade")) == [script.revision]


@on_sqlite
def test_a_template_that_would_lose_operations_is_refused(
    shop: Shop, caller: Caller
) -> None:
    """The one for several databases knows only the databases that its names say."""
    shop.begin_with_flask_migrate()
    shop.add_table("users")
    before = {*shop.folder.rglob("*.py")}
    engines = {"main": shop.engines["default"], "log": shop.engines["log"]}
    metadatas = {"main": shop.db.metadatas[None], "log": shop.db.metadatas["log"]}
    alembic = shop.alembic(metadatas=metadatas, engines=engines)
    caller(alembic, "stamp", "a1")

    with (
        caller.inside(shop.app),
        pytest.raises(ConfigurationError, match="does not write 'main_upgrades'"),
    ):
        caller(alembic, "revision", "more")

    assert {*shop.folder.rglob("*.py")} == before


@on([*SYNC, *ASYNC])
def test_revisions_from_when_there_was_one_database_are_for_the_default_one(
    shop: Shop, caller: Caller
) -> None:
    """Their functions take no name."""
    code = create_table("users")
    write_revision(shop.folder / "versions", "a1", None, code, "op.drop_table('users')")
    shop.write_revision("b2", "a1", "default", "orders", "visits")
    alembic = shop.alembic()

    assert ids(caller(alembic, "upgrade")) == ["a1", "b2"]
    assert shop.tables(caller) == {"default": {"users", "orders"}, "log": {"visits"}}
    assert [caller.versions(engine) for engine in shop.engines.values()] == [["b2"]] * 2

    caller(alembic, "downgrade", "base")
    assert shop.tables(caller) == {"default": set(), "log": set()}


@on([*SYNC, *ASYNC])
def test_a_database_can_be_added_later(
    shop: Shop, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """The older revisions have no functions for it."""
    shop.write_revision("a1", None, "default", "users", "visits")
    path = shop.folder / "versions" / "a1.py"
    path.write_text(path.read_text().replace("_log(", "_former("))
    shop.write_revision("b2", "a1", "default", "orders", "visits")
    shop.add_table("visits", "log")
    alembic = shop.alembic()

    assert "CREATE TABLE visits" in caller(alembic, "upgrade_sql")["log"]
    assert ids(caller(alembic, "upgrade")) == ["a1", "b2"]
    assert shop.tables(caller) == {"default": {"users", "orders"}, "log": {"visits"}}
    assert f"'{path}' has no upgrade_log(), so it changes nothing" in caplog.text

    caller(alembic, "downgrade", "base")
    assert shop.tables(caller) == {"default": set(), "log": set()}


@on_sqlite
def test_a_function_that_lacks_a_key_fails(shop: Shop, caller: Caller) -> None:
    """It is not the lookup of the function itself."""
    shop.write_revision("a1", None, "default", "users", "visits")
    path = shop.folder / "versions" / "a1.py"
    text = path.read_text().replace(create_table("visits"), "{}['upgrade_log']")
    path.write_text(text)

    with pytest.raises(MigrationError, match="KeyError: 'upgrade_log'"):
        caller(shop.alembic(), "upgrade")

    assert shop.tables(caller)["default"] == set()


@on_sqlite
def test_a_history_of_one_database_stays_one(
    shop: Shop, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """Flask-Migrate leaves binds alone, unless it was begun for several databases."""
    write_revision(shop.folder / "versions", "a1", None, create_table("users"))
    shop.add_table("users")
    shop.add_table("visits", "log")
    alembic = shop.alembic()
    caller(alembic, "upgrade")
    assert caller(alembic, "compare_metadata") == []
    assert shop.tables(caller) == {"default": {"users"}, "log": set()}
    [warning] = [r.getMessage() for r in caplog.records if "engines" in r.getMessage()]
    assert "The engines 'log' are not migrated" in warning


@on_sqlite
def test_a_new_history_has_the_binds_that_have_models(
    shop: Shop, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """What has no models may be the database of another app."""
    shop.add_table("users")
    shop.add_table("visits", "log")
    shop.db.metadatas["others"] = sa.MetaData()
    engines = cast("Any", shop.db)._app_engines[shop.app]
    engines["others"] = sa.create_engine("sqlite://")
    alembic = shop.alembic()

    [script] = caller(alembic, "revision", "begin")
    functions = functions_in(script.path)
    assert "'users'" in functions["upgrade_default"]
    assert "'visits'" in functions["upgrade_log"]
    assert "upgrade_others" not in functions

    caller(alembic, "upgrade")
    assert shop.tables(caller) == {"default": {"users"}, "log": {"visits"}}
    assert "The engines 'others' are not migrated" in caplog.text


@on_sqlite
def test_models_of_a_bind_without_an_engine_are_named(
    shop: Shop, caller: Caller
) -> None:
    shop.add_table("clicks", "typo")

    with pytest.raises(TargetError, match="Missing engine config for 'typo'"):
        caller(shop.alembic(), "status")
