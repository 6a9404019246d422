"""On MariaDB, JSON is LONGTEXT with a check, which a change of the column can drop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from ...backends import Backend
from ...backends import EngineFactory
from ...backends import MARIADB_BACKENDS
from ...backends import on
from ...harness import Caller
from ...projects import Project

on_mariadb = on(MARIADB_BACKENDS)
CHECK = "json_valid(`j`)"


def models(*items: Any, type_: Any = sa.JSON, **options: Any) -> sa.MetaData:
    metadata = sa.MetaData()
    column = sa.Column("j", type_, **options)
    sa.Table(
        "a", metadata, sa.Column("id", sa.Integer, primary_key=True), column, *items
    )
    return metadata


@pytest.fixture
def project(backend: Backend, engines: EngineFactory, tmp_path: Path) -> Project:
    return Project(tmp_path, engines, backend=backend, metadatas=sa.MetaData())


def migrate(project: Project, caller: Caller, metadata: sa.MetaData) -> None:
    project.use(metadata)
    assert caller(project.alembic, "revision", "change")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []


def checks(project: Project, caller: Caller) -> list[Any]:
    query = (
        "SELECT check_clause FROM information_schema.check_constraints"
        " WHERE constraint_schema = DATABASE()"
    )
    return [clause for (clause,) in caller.query(project.engine, query)]


@on_mariadb
@pytest.mark.parametrize(
    "options",
    [
        {"nullable": False},
        {"comment": "as it came"},
        {"server_default": sa.text("'{}'")},
        {"nullable": False, "comment": "x", "server_default": sa.text("'[1]'")},
    ],
    ids=lambda options: "-".join(options),
)
def test_a_column_keeps_its_check(
    project: Project, caller: Caller, options: dict[str, Any]
) -> None:
    migrate(project, caller, models())
    migrate(project, caller, models(**options))
    assert checks(project, caller) == [CHECK]
    migrate(project, caller, models())
    assert checks(project, caller) == [CHECK]

    for _ in range(2):
        caller(project.alembic, "downgrade", "-1")
        assert checks(project, caller) == [CHECK]


@on_mariadb
def test_a_column_that_is_renamed_keeps_its_check(
    project: Project, caller: Caller
) -> None:
    migrate(project, caller, models(nullable=False))
    metadata = sa.MetaData()
    sa.Table(
        "a",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("k", sa.JSON),
    )
    project.use(metadata)
    assert caller(project.alembic, "revision", "rename", rename=["a.j:k"])
    caller(project.alembic, "upgrade")
    assert checks(project, caller) == ["json_valid(`k`)"]
    caller(project.alembic, "downgrade", "-1")
    assert checks(project, caller) == [CHECK]


@on_mariadb
def test_a_column_that_is_dropped_gets_its_check_again(
    project: Project, caller: Caller
) -> None:
    migrate(project, caller, models())
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True))
    migrate(project, caller, metadata)
    assert checks(project, caller) == []
    caller(project.alembic, "downgrade", "-1")
    assert checks(project, caller) == [CHECK]


@on_mariadb
def test_a_column_becomes_a_text_and_json_again(
    project: Project, caller: Caller
) -> None:
    migrate(project, caller, models())
    migrate(project, caller, models(type_=sa.Text))
    assert checks(project, caller) == []
    caller(project.alembic, "downgrade", "-1")
    assert checks(project, caller) == [CHECK]


@on_mariadb
def test_a_column_that_has_lost_its_check_gets_it_with_the_next_change(
    project: Project, caller: Caller
) -> None:
    """Where the same revision runs on another database, the column still has it."""
    migrate(project, caller, models())
    modify = "ALTER TABLE a MODIFY j LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    caller.execute(project.engine, modify)
    assert checks(project, caller) == []
    migrate(project, caller, models(nullable=False))
    assert checks(project, caller) == [CHECK]


@on_mariadb
@pytest.mark.parametrize(
    "type_", [sa.JSON(), mysql.JSON(), mysql.LONGTEXT(), sa.Text(2**24)], ids=repr
)
def test_json_and_long_texts_are_the_same(
    project: Project, caller: Caller, type_: Any
) -> None:
    """A model that calls the column a text has had no difference either."""
    caller.begin(project.engine, models().create_all)
    project.use(models(type_=type_))
    assert caller(project.alembic, "compare_metadata") == []


@on_mariadb
@pytest.mark.parametrize("default", [None, sa.text("7")])
def test_another_check_of_a_column_is_named_where_it_is_dropped(
    project: Project, caller: Caller, default: Any
) -> None:
    """The server keeps it as a part of the column. A new default leaves it alone."""
    check = "`x` > 0"

    def numbers(*args: Any, **options: Any) -> sa.MetaData:
        column = sa.Column("x", sa.Integer, *args, **options)
        return models(column)

    # Alembic itself does not write it.
    metadata = numbers(sa.CheckConstraint("x > 0"))
    caller.begin(project.engine, metadata.create_all)
    assert sorted(checks(project, caller)) == sorted([CHECK, check])
    options = {"server_default": default} if default is not None else {"comment": "c"}
    project.use(numbers(sa.CheckConstraint("x > 0"), **options))
    (script,) = caller(project.alembic, "revision", "change")
    comment = f"# Drops the check of the column 'x': {check}."
    caller(project.alembic, "upgrade")
    is_kept = check in checks(project, caller)
    assert is_kept == (default is not None)
    assert (comment in Path(script.path).read_text()) == (not is_kept)
