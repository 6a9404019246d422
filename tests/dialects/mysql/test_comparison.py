"""What is compared on MySQL and MariaDB, and Alembic overlooks or changes for ever."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from async_alembic.autogenerate.plugins import HAS_PLUGINS

from ...backends import Backend
from ...backends import EngineFactory
from ...backends import MARIADB_BACKENDS
from ...backends import on
from ...generating import table
from ...harness import Caller
from ...projects import Project

on_mariadb = on(MARIADB_BACKENDS)
needs_plugins = pytest.mark.skipif(not HAS_PLUGINS, reason="Alembic 1.18 is needed")
KEYS = uuid.UUID(int=1), uuid.UUID("12345678123456781234567812345678")


def change(metadata: sa.MetaData, new: sa.MetaData) -> None:
    metadata.clear()

    for item in new.sorted_tables:
        item.to_metadata(metadata)


@on_mariadb
@pytest.mark.parametrize(
    "make",
    [
        lambda: sa.Text(100),
        lambda: sa.Text(2**17),
        lambda: sa.LargeBinary(5),
        lambda: sa.LargeBinary(2**24),
        lambda: mysql.LONGTEXT(),
        lambda: sa.NCHAR(5),
        lambda: sa.NVARCHAR(5),
    ],
)
def test_a_type_that_the_server_spells_in_another_way_is_the_same(
    make: Callable[[], Any],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    metadata = table("a", sa.Column("x", make()))
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller.begin(project.engine, metadata.create_all)
    assert caller(project.alembic, "compare_metadata") == []
    change(metadata, table("a", sa.Column("x", mysql.MEDIUMBLOB())))
    ((difference,),) = caller(project.alembic, "compare_metadata")
    assert difference[0] == "modify_type"


@needs_plugins
@on_mariadb
@pytest.mark.parametrize(
    ("type_", "default", "other"),
    [
        (mysql.BIT(4), "b'0101'", "b'0111'"),
        (sa.Integer(), "(1+1)", "(1+2)"),
        (sa.String(20), "(lower('A b'))", "(lower('a b'))"),
    ],
)
def test_a_default_that_the_server_writes_in_another_way_is_the_same(
    type_: Any,
    default: str,
    other: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """SQLAlchemy does not even read that of bits."""

    def models(default: str) -> sa.MetaData:
        return table("a", sa.Column("x", type_, server_default=sa.text(default)))

    metadata = models(default)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []
    change(metadata, models(other))
    caller(project.alembic, "revision", "two")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []


@needs_plugins
@on_mariadb
def test_a_colon_of_a_default_need_not_be_escaped(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    default = sa.text("(lower('50% :A'))")
    metadata = table("a", sa.Column("x", sa.String(20), server_default=default))
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []


@on_mariadb
@pytest.mark.parametrize(
    ("before", "after"), [(20, 40), (20, {"x": 30}), (None, 5), (5, None), (5, 50)]
)
def test_the_length_of_an_indexs_prefix_is_compared(
    before: Any,
    after: Any,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    def models(length: Any) -> sa.MetaData:
        metadata = table("a", sa.Column("x", sa.String(50)))
        options = {} if length is None else {"mysql_length": length}
        sa.Index("ix_x", metadata.tables["a"].c.x, **options)
        return metadata

    metadata = models(before)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)

    for step in 1, 2:
        caller(project.alembic, "revision", f"step {step}")

        for method in "upgrade", "downgrade", "upgrade":
            caller(project.alembic, method)

        assert caller(project.alembic, "compare_metadata") == []
        change(metadata, models(after))

    found = (
        caller.begin(
            project.engine,
            lambda c: sa.inspect(c).get_indexes("a")[0]["dialect_options"],
        )
        if after not in (None, 50)
        else {}
    )
    length = after["x"] if isinstance(after, dict) else after
    assert found == ({} if after in (None, 50) else {"mysql_length": {"x": length}})


@on_mariadb
def test_a_uuid_that_was_a_text_becomes_native_and_back(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """SQLAlchemy 2.1 has made it native. It finds no row until it is converted."""

    def models(is_native: bool) -> sa.MetaData:
        type_ = sa.Uuid(native_uuid=is_native)
        metadata = sa.MetaData()
        sa.Table("a", metadata, sa.Column("id", type_, primary_key=True))
        sa.Table("b", metadata, sa.Column("a_id", type_, sa.ForeignKey("a.id")))
        return metadata

    metadata = models(False)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    old = sorted(key.hex for key in KEYS)
    inserts = [f"INSERT INTO a VALUES ('{key}')" for key in old]
    caller.execute(project.engine, *inserts, f"INSERT INTO b VALUES ('{old[1]}')")
    change(metadata, models(True))
    select = sa.select(metadata.tables["a"].c.id)

    if not caller(project.alembic, "needs_revision"):
        pytest.skip("SQLAlchemy 2.0 has no native type for it.")

    (script,) = caller(project.alembic, "revision", "two")
    assert "modify type a.id" in [change.description for change in script.changes]

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)

        if step == "downgrade":
            found = caller.query(project.engine, "SELECT id FROM a ORDER BY id")
            assert found == [(text,) for text in old]
            assert caller.query(project.engine, "SELECT * FROM b") == [(old[1],)]
        else:
            rows = caller.begin(project.engine, lambda c: c.scalars(select).all())
            assert {*rows} == {*KEYS}
            assert caller(project.alembic, "compare_metadata") == []

    change(metadata, models(False))
    caller(project.alembic, "revision", "three")
    caller(project.alembic, "upgrade")
    assert caller.query(project.engine, "SELECT * FROM b") == [(old[1],)]
    assert caller(project.alembic, "compare_metadata") == []
