"""A computed column follows its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import comparators

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import function_bodies
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import Project

pytestmark = pytest.mark.skipif(
    not hasattr(comparators, "populate_with"),
    reason="Plugins are new in Alembic 1.18.",
)
on_postgresql = on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])


def models(
    expression: str,
    persisted: bool | None = True,
    metadata: sa.MetaData | None = None,
    *,
    has_index: bool = True,
) -> sa.MetaData:
    metadata = sa.MetaData() if metadata is None else metadata
    metadata.clear()
    sa.Table(
        "a",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("x", sa.Integer),
        sa.Column("name", sa.String(20)),
        sa.Column(
            "y", sa.String(30), sa.Computed(expression, persisted), index=has_index
        ),
        sa.Column("z", sa.Integer, sa.Computed("x + 1", True), unique=True),
    )
    return metadata


@on(ONE_OF_EACH_KIND)
def test_another_expression_is_applied(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Also where the server writes it in another way, which is no change."""
    metadata = models("lower(name)")
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "INSERT INTO a (id, x, name) VALUES (1, 2, 'Ann')")
    assert caller(project.alembic, "compare_metadata") == []
    models("upper( name )", metadata=metadata)
    (script,) = caller(project.alembic, "revision", "two")
    assert not any(change.losses for change in script.changes)

    for step, y in ("upgrade", "ANN"), ("downgrade", "ann"), ("upgrade", "ANN"):
        caller(project.alembic, step)
        assert caller.query(project.engine, "SELECT y, z FROM a") == [(y, 3)]

    assert caller(project.alembic, "compare_metadata") == []
    indexes = caller.begin(project.engine, lambda c: sa.inspect(c).get_indexes("a"))
    assert "ix_a_y" in {index["name"] for index in indexes}


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "expression",
    [
        "CASE WHEN x > 1 THEN 'more' ELSE name END",
        "replace(name, 'a', 'b')",
        "coalesce(name, 'none')",
    ],
)
def test_an_expression_that_the_server_writes_in_another_way_is_the_same(
    expression: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    metadata = models(expression)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []
    assert caller.tables(project.engine) == {"a"}


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(x + 1) * 2", "x + 1 * 2"),
        ("coalesce(name, 'None')", "coalesce(name, 'none')"),
        ("coalesce(name, 'no ne')", "coalesce(name, 'none')"),
    ],
)
def test_what_looks_much_the_same_is_another_expression(
    one: str,
    other: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    metadata = models(one)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    assert not caller(project.alembic, "needs_revision")
    models(other, metadata=metadata)
    assert caller(project.alembic, "needs_revision")


@on(ONE_OF_EACH_KIND)
def test_whether_it_is_stored_is_compared(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    metadata = models("lower(name)", has_index=False)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    dialect: Any = caller.begin(project.engine, lambda c: c.dialect)
    has_virtual = getattr(dialect, "supports_virtual_generated_columns", None)

    if backend.database == "postgresql" and not has_virtual:
        pytest.skip("All computed columns are stored.")

    models("lower(name)", False, metadata, has_index=False)
    caller(project.alembic, "revision", "two")

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)

    assert caller(project.alembic, "compare_metadata") == []


@on_postgresql
def test_a_revision_says_whether_it_is_stored(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """By default, that depends on the versions of PostgreSQL and SQLAlchemy."""
    metadata = models("lower(name)", None, has_index=False)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    dialect: Any = caller.begin(project.engine, lambda c: c.dialect)
    stored = not getattr(dialect, "supports_virtual_generated_columns", False)
    (script,) = caller(project.alembic, "revision", "one")
    text = function_bodies(script)["upgrade"]
    assert f"sa.Computed('lower(name)', persisted={stored})" in text
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize("change", ["type", "comment"])
def test_something_else_of_it_is_changed(
    change: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Alembic cannot write it on MySQL and MariaDB."""
    metadata = models("lower(name)")
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "INSERT INTO a (id, name) VALUES (1, 'Ann')")
    column = metadata.tables["a"].c.y

    if change == "type":
        column.type = sa.String(40)
    elif backend.database == "sqlite":
        pytest.skip("SQLite has no comments.")
    else:
        column.comment = "one more"

    caller(project.alembic, "revision", "two")

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)
        assert caller.query(project.engine, "SELECT y FROM a") == [("ann",)]

    assert caller(project.alembic, "compare_metadata") == []


def number(metadata: sa.MetaData, *items: Any, **options: Any) -> sa.MetaData:
    """Change the column ``z`` of the models."""
    metadata.clear()
    sa.Table(
        "a",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("x", sa.Integer),
        sa.Column("z", *items, **options),
    )
    return metadata


@on(ONE_OF_EACH_KIND)
class TestAColumn:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"nullable": False, "server_default": "7"},
            {"type_": sa.BigInteger(), "nullable": False, "index": True},
        ],
        ids=["plain", "with_default", "with_other_type"],
    )
    def test_stops_being_computed_and_keeps_its_values(
        self,
        options: dict[str, Any],
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
    ) -> None:
        options = {"type_": sa.Integer(), **options}
        metadata = number(sa.MetaData(), sa.Integer, sa.Computed("x + 1", True))
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        caller.begin(project.engine, metadata.create_all)
        caller.execute(project.engine, "INSERT INTO a (id, x) VALUES (1, 2)")
        number(metadata, **options)
        (script,) = caller(project.alembic, "revision", "stop")
        assert not any(change.losses for change in script.changes)

        for step in "upgrade", "downgrade", "upgrade":
            caller(project.alembic, step)
            assert caller.query(project.engine, "SELECT z FROM a") == [(3,)]

        assert caller(project.alembic, "compare_metadata") == []
        caller.execute(project.engine, "UPDATE a SET z = 4")

    def test_starts_being_computed_which_loses_its_values(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        plain: dict[str, Any] = {"nullable": False, "server_default": "7"}
        metadata = number(sa.MetaData(), sa.Integer, index=True, **plain)
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        caller.begin(project.engine, metadata.create_all)
        caller.execute(project.engine, "INSERT INTO a (id, x) VALUES (1, 2)")
        computed = sa.Computed("x + 1", persisted=True)
        number(metadata, sa.Integer, computed, index=True)
        (script,) = caller(project.alembic, "revision", "start")
        loss = "# Loses data: replaces the data of 'a.z' by computed values."
        assert loss in function_bodies(script)["upgrade"]

        for step in "upgrade", "downgrade", "upgrade":
            caller(project.alembic, step)
            assert caller.query(project.engine, "SELECT z FROM a") == [(3,)]

        assert caller(project.alembic, "compare_metadata") == []

    def test_stops_being_computed_when_it_is_read(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        """A server has no values that it could keep."""
        computed = sa.Computed("x + 1", persisted=False)
        metadata = number(sa.MetaData(), sa.Integer, computed)
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        dialect: Any = caller.begin(project.engine, lambda c: c.dialect)
        keeps = backend.database == "sqlite"

        if backend.database == "postgresql" and not getattr(
            dialect, "supports_virtual_generated_columns", False
        ):
            pytest.skip("All computed columns are stored.")

        caller.begin(project.engine, metadata.create_all)
        caller.execute(project.engine, "INSERT INTO a (id, x) VALUES (1, 2)")
        number(metadata, sa.Integer)
        (script,) = caller(project.alembic, "revision", "stop")
        loss = "# Loses data: drops the computed values of 'a.z'."
        assert (loss in function_bodies(script)["upgrade"]) is not keeps
        value = 3 if keeps else None

        for step, z in ("upgrade", value), ("downgrade", 3), ("upgrade", value):
            caller(project.alembic, step)
            assert caller.query(project.engine, "SELECT z FROM a") == [(z,)]

        assert caller(project.alembic, "compare_metadata") == []

    def test_is_one_of_several_that_change(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        one, other = (sa.Computed(f"x + {n}", persisted=True) for n in (1, 2))
        metadata = number(sa.MetaData(), sa.Integer, one)
        metadata.tables["a"].append_column(sa.Column("y", sa.Integer, other))
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        caller.begin(project.engine, metadata.create_all)
        one, other = (sa.Computed(f"x + {n}", persisted=True) for n in (3, 4))
        number(metadata, sa.Integer, one)
        metadata.tables["a"].append_column(sa.Column("y", sa.Integer, other))
        caller(project.alembic, "revision", "two")

        for step in "upgrade", "downgrade", "upgrade":
            caller(project.alembic, step)

        assert caller(project.alembic, "compare_metadata") == []
