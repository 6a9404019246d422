"""``--sql`` of the commands that migrate."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic

from ..backends import Backend
from ..harness import create_table
from ..harness import Framework
from ..harness import make_app
from ..harness import write_revision
from .project import invoke
from .project import on_every_app
from .project import on_one_app
from .project import Project


@on_every_app
def test_it_is_printed_instead_of_executed(db: Project) -> None:
    output = db("upgrade", "--sql")
    assert db.versions == []

    with contextlib.closing(sqlite3.connect(db.root / "other.db")) as connection:
        connection.executescript(output)
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        found = {name for (name,) in connection.execute(query)}

    db("upgrade")
    assert found == db.tables | {"alembic_version"}


@on_one_app
def test_a_range_says_where_the_database_is(db: Project) -> None:
    assert "CREATE TABLE users" in db("upgrade", "--sql", "b2")
    output = db("upgrade", "--sql", "a1:b2")
    assert "CREATE TABLE posts" in output
    assert "CREATE TABLE users" not in output
    assert "CREATE TABLE tags" not in output
    output = db("downgrade", "--sql", "c3:a1")
    assert output.index("DROP TABLE tags") < output.index("DROP TABLE posts")
    assert "DROP TABLE users" not in output
    output = db("stamp", "--sql", "a1:b2")
    assert "SET version_num='b2'" in output
    assert "CREATE TABLE" not in output
    assert db("upgrade", "--sql", "c3:heads") == "Nothing to do.\n"
    assert db.versions == []


@on_one_app
def test_each_database_has_a_section_or_a_file(
    framework: Framework, backend: Backend, tmp_path: Path
) -> None:
    app = make_app(framework, tmp_path)
    names = "default", "other"
    engines = {name: sa.create_engine("sqlite://") for name in names}
    metadatas: Any = {name: sa.MetaData() for name in names}
    Alembic(app, engines=engines, metadatas=metadatas)
    path = write_revision(tmp_path / "migrations", "a1", None, create_table("x"))
    # It takes the name.
    text = path.read_text().replace("def upgrade()", "def upgrade(engine_name)")
    path.write_text(text.replace("'x'", "engine_name"))
    first, second = invoke(app, "db", "upgrade", "--sql").output.split("'other'\n")
    assert "-- Database 'default'\n" in first
    assert 'CREATE TABLE "default"' in first
    assert "CREATE TABLE other" in second
    output = invoke(app, "db", "upgrade", "--sql", "--database", "other").output
    assert "CREATE TABLE other" in output
    assert "-- Database" not in output
    folder = tmp_path / "sql"
    output = invoke(app, "db", "upgrade", "--sql", "--output", str(folder)).output
    assert output.count("Created ") == 2
    assert "CREATE TABLE other" in (folder / "other.sql").read_text()


@on_one_app
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("upgrade", "--tag", "x"), "'--tag' needs '--sql'"),
        (("upgrade", "--output", "x"), "'--output' needs '--sql'"),
        (("downgrade", "--sql", "a1"), "'db downgrade --sql heads:a1'"),
        (("downgrade", "--sql"), "say where the database is"),
        (("stamp", "--sql", "a1", "b2"), "give one target"),
        (("stamp", "--sql", "--purge"), "no '--purge'"),
        (("upgrade", "a1:b2"), "'db upgrade --sql', which does not ask"),
        (("upgrade", "a1:b2"), "Run 'db upgrade b2'."),
        (("upgrade", "a1:"), "Run 'db upgrade heads'."),
        (("downgrade", "c3:-1"), "Run 'db downgrade -1'."),
        (("stamp", "a1", "a1:b2"), "Run 'db stamp b2'."),
        (("plan", "a1:b2"), "'db upgrade --sql', which does not ask"),
        (("plan", "a1:b2"), "Run 'db plan b2'."),
    ],
)
def test_what_does_not_belong_together_is_refused(
    args: tuple[str, ...], says: str, db: Project
) -> None:
    assert says in " ".join(db(*args, fails=2).split())


@on_one_app
def test_an_unknown_start_is_named(db: Project) -> None:
    assert "'x9'" in db("upgrade", "--sql", "x9:heads", fails=1)


@on_one_app
def test_a_folder_that_cannot_be_written_to_is_named(db: Project) -> None:
    (db.root / "file").touch()
    output = db("upgrade", "--sql", "--output", str(db.root / "file" / "x"), fails=1)
    assert "Cannot write" in output
