"""Databases that were made without migrations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Adoption
from async_alembic import MigrationError
from async_alembic import RevisionError
from async_alembic import UnknownRevisionInDatabaseError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import table
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..projects import Project

STAMPED = Adoption("stamped", ("b2",))
POSTGRESQL = by_id("postgresql-psycopg2")


def shop(root: Path, engines: EngineFactory, backend: Backend) -> Project:
    """An app with the table ``users`` and two revisions."""
    column: sa.Column[Any] = sa.Column("name", sa.String(20))
    metadata = table("users", column)
    project = Project(root, engines, backend=backend, metadatas=metadata)
    write_revision(project.folder, "a1", None, create_table("users"))
    add = "op.add_column('users', sa.Column('name', sa.String(20)))"
    write_revision(project.folder, "b2", "a1", add)
    return project


@on(ONE_OF_EACH_KIND)
class TestOneDatabase:
    @pytest.fixture
    def project(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> Project:
        return shop(tmp_path, engines, backend)

    def test_an_empty_one_is_upgraded(self, project: Project, caller: Caller) -> None:
        found = caller(project.alembic, "adopt")
        assert found == {"default": Adoption("upgraded", ("b2",))}
        assert caller.columns(project.engine, "users") == {"id", "name"}
        assert caller.versions(project.engine) == ["b2"]

    def test_one_that_is_equal_to_the_models_is_stamped(
        self, project: Project, caller: Caller
    ) -> None:
        """As ``create_all()`` makes it. A table of others is no hindrance."""
        caller.begin(project.engine, project.metadatas.create_all)
        caller.execute(
            project.engine,
            "CREATE TABLE legacy (id INTEGER)",
            "INSERT INTO users (id, name) VALUES (1, 'Ada')",
        )
        found = caller(project.alembic, "adopt")
        unknown = ("legacy",)
        assert found == {"default": Adoption("stamped", ("b2",), (), unknown)}
        assert caller.versions(project.engine) == ["b2"]
        assert caller.query(project.engine, "SELECT name FROM users") == [("Ada",)]
        assert caller(project.alembic, "upgrade") == []

    def test_one_in_between_is_described(
        self, project: Project, caller: Caller
    ) -> None:
        caller.execute(
            project.engine,
            "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, other INTEGER)",
            "CREATE TABLE legacy (id INTEGER)",
        )
        found = caller(project.alembic, "adopt")["default"]
        assert found.outcome == "different"
        assert {*found.differences} == {
            "add column users.name",
            "remove column users.other",
        }
        assert found.unknown_tables == ("legacy",)
        assert caller.tables(project.engine) == {"users", "legacy"}
        assert not caller.begin(
            project.engine, lambda c: sa.inspect(c).has_table("alembic_version")
        )

    def test_one_under_migrations_is_left_alone(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "upgrade", "a1")
        found = caller(project.alembic, "adopt")
        assert found == {"default": Adoption("managed", ("a1",))}
        assert caller.versions(project.engine) == ["a1"]

    def test_a_foreign_table_makes_it_no_empty_one(
        self, project: Project, caller: Caller
    ) -> None:
        """It may be the database of another app."""
        caller.execute(project.engine, "CREATE TABLE legacy (id INTEGER)")
        found = caller(project.alembic, "adopt")["default"]
        assert found.outcome == "different"
        assert "add table users" in found.differences
        assert found.unknown_tables == ("legacy",)
        assert caller.versions(project.engine) == []

    def test_a_version_table_without_rows_makes_it_no_empty_one(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "ensure_version")
        assert caller(project.alembic, "adopt")["default"].outcome == "different"
        caller.begin(project.engine, project.metadatas.create_all)
        assert caller(project.alembic, "adopt") == {"default": STAMPED}


@pytest.mark.parametrize(
    ("backend", "statement"),
    [
        (POSTGRESQL, "CREATE SEQUENCE s"),
        (POSTGRESQL, "CREATE TYPE mood AS ENUM ('good')"),
        (POSTGRESQL, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one"),
        (POSTGRESQL, "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)"),
        (POSTGRESQL, "CREATE VIEW v AS SELECT 1 AS one"),
        (by_id("mariadb-pymysql"), "CREATE SEQUENCE s"),
        (by_id("sqlite-sqlite3"), "CREATE VIEW v AS SELECT 1 AS one"),
    ],
    indirect=["backend"],
)
@blocking_only
def test_whatever_else_is_there_makes_it_no_empty_one(
    backend: Backend,
    statement: str,
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
) -> None:
    project = shop(tmp_path, engines, backend)
    caller.execute(project.engine, statement)
    assert caller(project.alembic, "adopt")["default"].outcome == "different"


@blocking_only
def test_without_models_nothing_is_equal(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """It may be the wrong database."""
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1", None, create_table("users"))
    caller.execute(project.engine, "CREATE TABLE legacy (id INTEGER)")
    adoption = caller(project.alembic, "adopt")["default"]
    assert adoption.outcome == "different"
    assert adoption.differences == ("the app has no models to compare it with",)
    assert caller.tables(project.engine) == {"legacy"}


@blocking_only
def test_a_database_that_is_ahead_is_not_under_these_migrations(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = shop(tmp_path, engines, by_id("sqlite-sqlite3"))
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "UPDATE alembic_version SET version_num = 'x9'")

    with pytest.raises(UnknownRevisionInDatabaseError, match="x9"):
        caller(project.alembic, "adopt")


@on(ONE_OF_EACH_KIND)
@blocking_only
def test_each_database_is_looked_at_by_itself(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    metadatas = {"default": table("users"), "other": table("events")}
    project = Project(tmp_path, engines, backend=backend, metadatas=metadatas)
    caller(project.alembic, "revision", "tables", rev_id="a1")
    caller.begin(project.engines["other"], metadatas["other"].create_all)
    assert caller(project.alembic, "adopt") == {
        "default": Adoption("upgraded", ("a1",)),
        "other": Adoption("stamped", ("a1",)),
    }


@on([by_id("postgresql-psycopg2"), by_id("sqlite-sqlite3")])
@blocking_only
def test_a_revision_that_fails_leaves_it_empty(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = shop(tmp_path, engines, backend)
    write_revision(project.folder, "c3", "b2", "raise ValueError('no')")

    with pytest.raises(MigrationError, match="c3"):
        caller(project.alembic, "adopt")

    assert caller.tables(project.engine) == set()
    assert caller.versions(project.engine) == []


@blocking_only
def test_all_unknown_tables_are_kept_whatever_the_settings_say(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = shop(tmp_path, engines, by_id("sqlite-sqlite3"))
    project.app.config["ALEMBIC_DROP_UNKNOWN_TABLES"] = True
    caller.begin(project.engine, project.metadatas.create_all)
    caller.execute(project.engine, "CREATE TABLE legacy (id INTEGER)")
    assert caller(project.alembic, "adopt")["default"].outcome == "stamped"


@blocking_only
def test_without_revisions_there_is_nothing_to_stamp(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, metadatas=table())

    with pytest.raises(RevisionError, match="no revisions.*'db revision'"):
        caller(project.alembic, "adopt")


@on([by_id("postgresql-asyncpg"), by_id("mariadb-asyncmy")])
async def test_of_several_at_once_one_adopts(
    backend: Backend, tmp_path: Path, engine_for: EngineFactory
) -> None:
    """Under the lock of an upgrade."""
    project = shop(tmp_path, engine_for, backend)
    found = await asyncio.gather(*(project.alembic.adopt() for _ in range(3)))
    outcomes = sorted(adopted["default"].outcome for adopted in found)
    assert outcomes == ["managed", "managed", "upgraded"]
