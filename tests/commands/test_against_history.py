"""What the revisions make stands for the database, or is compared with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import PlanError
from async_alembic import RevisionError
from async_alembic import UnknownRevisionInDatabaseError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import function_bodies
from ..generating import table
from ..harness import Caller
from ..harness import ids
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..projects import Project

USERS = (
    "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('name', sa.String(20)))"
)
AGE = "op.add_column('users', sa.Column('age', sa.Integer))"
on_one_of_each_kind = on(ONE_OF_EACH_KIND)
on_each_database = on(
    [by_id("sqlite-sqlite3"), by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")]
)


@pytest.fixture
def project(tmp_path: Path, engines: EngineFactory, backend: Backend) -> Project:
    """A history of two revisions, and models that have a column more."""
    columns = [sa.Column(name, sa.Integer) for name in ("age", "size")]
    metadata = table("users", sa.Column("name", sa.String(20)), *columns)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    write_revision(project.folder, "a1", None, USERS, "op.drop_table('users')")
    write_revision(project.folder, "b2", "a1", AGE, "op.drop_column('users', 'age')")
    return project


class TestRevision:
    @on_one_of_each_kind
    def test_what_somebody_did_to_the_database_stays_out(
        self, project: Project, caller: Caller
    ) -> None:
        """The developer's database is behind, and has a column of an experiment."""
        caller(project.alembic, "upgrade", "a1")
        caller.execute(project.engine, "ALTER TABLE users ADD size INTEGER")
        caller.execute(project.engine, "ALTER TABLE users ADD experiment INTEGER")
        (script,) = caller(project.alembic, "revision", "size", against_history=True)
        bodies = function_bodies(script)
        assert "sa.Column('size', sa.Integer(), nullable=True)" in bodies["upgrade"]
        assert "experiment" not in bodies["upgrade"]
        assert "age" not in bodies["upgrade"]
        assert ids(caller(project.alembic, "current")) == ["a1"]
        assert script.down_revision == "b2"
        again = caller(project.alembic, "revision", "nothing", against_history=True)
        assert again == []

    @on_each_database
    def test_a_table_without_a_model_is_dropped_as_the_history_made_it(
        self, project: Project, caller: Caller
    ) -> None:
        """Nobody else can have made a table in a new database."""
        made = "op.execute('CREATE TABLE ' + 'odd (id INTEGER)')"
        write_revision(project.folder, "c3", "b2", made)
        (script,) = caller(project.alembic, "revision", "odd", against_history=True)
        assert "drop_table('odd')" in function_bodies(script)["upgrade"]

    @on([by_id("sqlite-aiosqlite")])
    def test_a_history_that_keeps_its_head_in_a_file_goes_on(
        self, project: Project, caller: Caller
    ) -> None:
        project.app.config["ALEMBIC"]["linear"] = True
        (project.folder / "head").write_text("b2\n")
        (script,) = caller(project.alembic, "revision", "size", against_history=True)
        assert (project.folder / "head").read_text().split() == [script.revision]

    @on_each_database
    def test_a_revision_that_fails_is_named(
        self, project: Project, caller: Caller
    ) -> None:
        write_revision(project.folder, "c3", "b2", "op.drop_table('missing')")
        before = project.files()

        with pytest.raises(PlanError, match=r"revision c3 fails in .*c3\.py, line"):
            caller(project.alembic, "revision", "size", against_history=True)

        assert project.files() == before

    @on([by_id("sqlite-sqlite3")])
    def test_an_empty_revision_compares_nothing(
        self, project: Project, caller: Caller
    ) -> None:
        with pytest.raises(RevisionError, match=r"Leave out 'empty' or 'against"):
            caller(project.alembic, "revision", "x", empty=True, against_history=True)


class TestDrift:
    @on_one_of_each_kind
    def test_what_the_history_does_not_make_is_named(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "upgrade", "a1")
        assert caller(project.alembic, "drift") == {"default": []}
        caller.execute(project.engine, "ALTER TABLE users ADD experiment INTEGER")
        caller.execute(project.engine, "CREATE INDEX ix_mine ON users (name)")
        caller.execute(project.engine, "CREATE TABLE other (id INTEGER)")
        (lines,) = caller(project.alembic, "drift").values()
        text = "\n".join(lines)
        assert "+ column users.experiment" in text
        assert "+ index users.ix_mine (name)" in text
        assert "+ table other" in text
        assert not [line for line in lines if line.startswith("-")]
        assert ids(caller(project.alembic, "current")) == ["a1"]

    @on_each_database
    def test_what_is_missing_is_named(self, project: Project, caller: Caller) -> None:
        caller(project.alembic, "upgrade")
        caller.execute(project.engine, "ALTER TABLE users DROP COLUMN age")
        (lines,) = caller(project.alembic, "drift").values()
        assert any(line.startswith("- column users.age INTEGER") for line in lines)
        assert not [line for line in lines if line.startswith("+")]

    @on([by_id("postgresql-psycopg")])
    def test_what_comparisons_leave_out_is_left_out_with_all_that_it_has(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "upgrade")

        @project.alembic.include_name
        def include_name(name: str | None, type_: str, parents: Any) -> bool:
            return name != "legacy"

        @project.alembic.include_object
        def include_object(object: Any, name: str, *args: Any) -> bool:
            return name != "old"

        for statement in (
            "CREATE TABLE legacy (id serial PRIMARY KEY)",
            "CREATE TRIGGER nothing BEFORE UPDATE ON legacy"
            " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "CREATE POLICY everybody ON legacy",
            "CREATE TABLE old (id integer)",
            "CREATE TABLE parted (id integer) PARTITION BY RANGE (id)",
            "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (9)",
        ):
            caller.execute(project.engine, statement)

        (lines,) = caller(project.alembic, "drift").values()
        assert {line.split(".")[0] for line in lines if "parted" not in line} == set()
        assert any(line == "+ table parted" for line in lines)
        assert not any("parted_1" in line for line in lines)

    @on_each_database
    def test_a_database_without_revisions_is_compared_with_an_empty_one(
        self, project: Project, caller: Caller
    ) -> None:
        assert caller(project.alembic, "drift") == {"default": []}
        caller.execute(project.engine, "CREATE TABLE other (id INTEGER)")
        assert "+ table other" in caller(project.alembic, "drift")["default"]

    @on([by_id("sqlite-sqlite3")])
    def test_a_database_that_is_ahead_cannot_be_made_again(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "upgrade")
        (project.folder / "b2.py").unlink()

        with pytest.raises(UnknownRevisionInDatabaseError):
            caller(project.alembic, "drift")

    @on([by_id("sqlite-sqlite3")])
    def test_each_of_several_databases_is_compared_at_its_own_revision(
        self, tmp_path: Path, engines: EngineFactory, backend: Backend, caller: Caller
    ) -> None:
        metadatas = {"default": table("users"), "other": table("users")}
        project = Project(tmp_path, engines, backend=backend, metadatas=metadatas)
        args = "engine_name"
        write_revision(project.folder, "a1", None, USERS, args=args)
        undo = "op.drop_column('users', 'age')"
        write_revision(project.folder, "b2", "a1", AGE, undo, args=args)
        caller(project.alembic, "upgrade")
        only = project.alembic.with_options(database="other")
        caller(only, "downgrade")
        caller.execute(project.engines["other"], "DROP TABLE users")
        found = caller(project.alembic, "drift")
        assert found["default"] == []
        assert "- table users" in found["other"]
        assert not any("age" in line for line in found["other"])
