"""A table or column that was renamed keeps its data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import comparators

from async_alembic import RevisionError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import function_bodies
from ..generating import table
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import AS_ALEMBIC
from ..projects import Project

pytestmark = pytest.mark.skipif(
    not hasattr(comparators, "populate_with"),
    reason="Plugins are new in Alembic 1.18.",
)
on_sqlite = on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
on_postgresql = on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def shop(
    user: str = "users",
    name: str = "name",
    author: str = "author_id",
    key: str = "id",
    *,
    has_convention: bool = True,
    length: int = 50,
    schema: str | None = None,
) -> sa.MetaData:
    """Posts of users, who are in a team."""
    metadata = sa.MetaData(
        naming_convention=CONVENTION if has_convention else None, schema=schema
    )
    prefix = f"{schema}." if schema else ""
    sa.Table("team", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        user,
        metadata,
        sa.Column(key, sa.Integer, primary_key=True),
        sa.Column(name, sa.String(length), server_default="x", index=True),
        sa.Column("mail", sa.String(20), unique=has_convention, nullable=False),
        sa.Column("team_id", sa.ForeignKey(f"{prefix}team.id")),
    )
    sa.Table(
        "post",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(author, sa.ForeignKey(f"{prefix}{user}.{key}"), index=True),
    )
    return metadata


class Site:
    """A database that was made of some models, with rows, and whose models change."""

    def __init__(
        self,
        root: Path,
        engines: EngineFactory,
        backend: Backend,
        caller: Caller,
        models: sa.MetaData,
        rows: Iterable[str],
        schema: str | None = None,
    ) -> None:
        self.caller = caller
        self.models = models
        self.project = Project(
            root,
            engines,
            backend=backend,
            metadatas=models,
            context={"include_schemas": schema is not None},
        )

        if schema is not None:
            caller.execute(self.project.engine, f"CREATE SCHEMA {schema}")

        self("revision", "one")
        self("upgrade")
        caller.execute(self.project.engine, *rows)

    def __call__(self, method: str, *args: Any, **options: Any) -> Any:
        return self.caller(self.project.alembic, method, *args, **options)

    def change(self, models: sa.MetaData) -> None:
        self.models.clear()

        for item in models.sorted_tables:
            item.to_metadata(self.models)

    def query(self, sql: str) -> Any:
        return self.caller.query(self.project.engine, sql)


ROWS = (
    "INSERT INTO team VALUES (1)",
    "INSERT INTO users VALUES (5, 'Ann', 'a@b', 1)",
    "INSERT INTO post VALUES (7, 5)",
)


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize("has_convention", [True, False])
def test_what_is_renamed_keeps_its_rows(
    has_convention: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Indexes, constraints and what else has changed follow."""
    models = shop(has_convention=has_convention)
    site = Site(tmp_path, engines, backend, caller, models, ROWS)
    new = shop(
        *("person", "full_name", "writer_id", "number"),
        has_convention=has_convention,
        length=60,
    )
    site.change(new)
    (script,) = site(
        "revision",
        "two",
        rename=[
            "users:person",
            "person.name:full_name",
            # It has the old name as well.
            "users.id:number",
            "post.author_id:writer_id",
        ],
    )
    assert "op.drop_table" not in Path(script.path).read_text()
    assert "drop_column" not in Path(script.path).read_text()
    assert not any(change.losses for change in script.changes)

    for step in "upgrade", "downgrade", "upgrade":
        site(step)

        if step == "downgrade":
            assert site.query("SELECT id, name FROM users") == [(5, "Ann")]
            assert site.query("SELECT author_id FROM post") == [(5,)]
        else:
            found = site.query("SELECT number, full_name, team_id FROM person")
            assert found == [(5, "Ann", 1)]
            assert site.query("SELECT writer_id FROM post") == [(5,)]
            assert site("compare_metadata") == []

    def names(connection: sa.Connection) -> set[str | None]:
        inspector = sa.inspect(connection)
        return {
            info["name"]
            for table in ("person", "post")
            for info in (
                *inspector.get_indexes(table),
                *inspector.get_foreign_keys(table),
                *inspector.get_unique_constraints(table),
            )
        }

    found = caller.begin(site.project.engine, names)
    assert {"ix_person_full_name", "ix_post_writer_id"} <= found

    if has_convention:
        assert {"uq_person_mail", "fk_post_writer_id_person"} <= found

    site("downgrade", "base")
    assert caller.tables(site.project.engine) == set()


@on([by_id("sqlite-aiosqlite")])
def test_each_of_several_columns_is_asked_about(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def models(*names: str) -> sa.MetaData:
        return table("users", *(sa.Column(name, sa.Integer) for name in names))

    project = Project(tmp_path, engines, backend=backend, metadatas=models("a", "c"))
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    project.use(models("b", "d"))
    caller(project.alembic, "revision", "two")
    assert caplog.text.count("--rename") == 2
    assert "--rename users.a:" in caplog.text and "--rename users.c:" in caplog.text
    assert caplog.text.count(":b") == caplog.text.count(":d") == 1


@pytest.mark.parametrize(
    "rename",
    [
        ["users.a:b", "users.c:b"],
        ["users.a:b", "users.a:d"],
        ["users:a", "users:b"],
        ["users:a", "posts:a"],
    ],
)
def test_names_that_contradict_each_other_are_refused(
    rename: list[str], caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, metadatas=table())

    with pytest.raises(RevisionError, match=f"'{rename[1]}' contradicts another"):
        caller(project.alembic, "revision", "x", rename=rename)


@on(ONE_OF_EACH_KIND)
def test_without_being_told_the_revision_asks(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(tmp_path, engines, backend, caller, shop(), ROWS)
    metadata = shop(author="writer_id")
    sa.Table("group", metadata, sa.Column("id", sa.Integer, primary_key=True))
    metadata.remove(metadata.tables["post"])
    sa.Table(
        "article",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("author_id", sa.ForeignKey("users.id")),
    )
    metadata.remove(metadata.tables["users"])
    sa.Table(
        "users",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("full_name", sa.String(50)),
        sa.Column("mail", sa.String(20), nullable=False),
    )
    site.change(metadata)
    found = site("possible_renames")
    assert found == {"default": ["post:article", "users.name:full_name"]}
    assert "--rename" not in caplog.text
    (script,) = site("revision", "two")
    text = function_bodies(script)["upgrade"]
    assert "# Was 'post' renamed to 'article'?" in text
    assert "'--rename post:article'" in text
    assert "# op.rename_table('post', 'article')" in text
    assert "# Was 'users.name' renamed to 'full_name'?" in text
    assert "new_column_name='full_name'" in text
    assert "--rename post:article --rename users.name:full_name" in caplog.text
    site("upgrade")
    assert site("compare_metadata") == []


@on_sqlite
@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ("users", r"'users' does not say what to rename\. Write 'old:new'"),
        ("a:b:c", "does not say what to rename"),
        (":b", "does not say what to rename"),
        ("nobody:person", "No database has a table or a column 'nobody'"),
        ("users.nothing:name", "No database has a table or a column 'users.nothing'"),
        ("users:nobody", "No model has the table 'nobody'"),
        ("users:team", "The database has the table 'team' already"),
        ("users.name:nothing", r"No model has the column 'users\.nothing'"),
        ("users.name:mail", "as one of them is there already"),
    ],
)
def test_only_what_can_be_renamed_is(
    rename: str,
    message: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, engines, backend, caller, shop(), ROWS)
    site.change(shop(name="full_name"))

    with pytest.raises(RevisionError, match=message):
        site("revision", "two", rename=rename)

    with pytest.raises(RevisionError, match="'empty' or 'rename'"):
        site("revision", "two", empty=True, rename="a:b")

    assert len([*site.project.folder.glob("*.py")]) == 1


@on_postgresql
def test_a_table_of_another_schema_is_renamed(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(
        tmp_path,
        engines,
        backend,
        caller,
        shop(schema="app"),
        [row.replace("INTO ", "INTO app.") for row in ROWS],
        schema="app",
    )
    site.change(shop("person", "full_name", schema="app"))
    site("revision", "two", rename=["app.users:person", "app.person.name:full_name"])

    for step in "upgrade", "downgrade", "upgrade":
        site(step)

    assert site.query("SELECT id, full_name FROM app.person") == [(5, "Ann")]
    assert site("compare_metadata") == []


@on_sqlite
def test_a_table_that_no_revision_has_created_is_renamed(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(tmp_path, engines, backend, caller, sa.MetaData(), ())
    site.project.app.config |= AS_ALEMBIC
    caller.execute(
        site.project.engine,
        "CREATE TABLE legacy (id INTEGER NOT NULL PRIMARY KEY)",
        "INSERT INTO legacy VALUES (3)",
    )
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    site.change(metadata)
    site("revision", "two", rename="legacy:users")
    site("upgrade")
    assert site.query("SELECT * FROM users") == [(3,)]
    assert site("compare_metadata") == []
