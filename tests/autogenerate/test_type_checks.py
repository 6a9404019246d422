"""The checks of ``Enum`` and ``Boolean`` with ``create_constraint=True``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from async_alembic.autogenerate.comparison import is_made

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..generating import function_bodies
from ..generating import table
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import Project

PLUGIN = "alembic.ext.checkconstraint_byname"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("alembic.ext") is None
    or importlib.util.find_spec(PLUGIN) is None,
    reason="An older Alembic cannot write a check of a table that exists.",
)


def enum(*values: str, check: bool = True, name: str = "kind") -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=check)


def models(*types: Any) -> sa.MetaData:
    columns = [sa.Column(f"x{number}", type_) for number, type_ in enumerate(types)]
    return table("a", *columns)


def checks(caller: Caller, project: Project) -> list[str]:
    def read(connection: sa.Connection) -> list[str]:
        inspector = sa.inspect(connection)
        return sorted(
            f"{check['name']}: {check['sqltext']}"
            for name in inspector.get_table_names()
            for check in inspector.get_check_constraints(name)
        )

    return caller.begin(project.engine, read)


def migrate(
    caller: Caller, project: Project, metadata: sa.MetaData, **options: Any
) -> Any:
    """Change the models, and the database, there and back and there again."""
    before = checks(caller, project)
    project.use(metadata)
    (script,) = caller(project.alembic, "revision", "change", **options)

    for step in "upgrade", "downgrade", "upgrade":
        if step == "upgrade":
            caller(project.alembic, step)
            assert caller(project.alembic, "compare_metadata") == []
        else:
            caller(project.alembic, step)
            assert checks(caller, project) == before

    return script


def insert_value(caller: Caller, project: Project, table: sa.Table, value: str) -> None:
    insert = sa.insert(table).values(x0=value)
    caller.begin(project.engine, lambda connection: connection.execute(insert))


@on(ONE_OF_EACH_KIND)
class TestTheValuesOfAnEnum:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (enum("a", "b"), enum("a", "b", "c")),
            (enum("a", "b"), enum("a")),
            (enum("a"), enum("a", "longer")),
            (enum("it's", "100%", "b\\n", " :x"), enum("it's", "100%", "b\\m", " :y")),
            (enum("a", check=False), enum("a", "b")),
            (enum("a"), enum("a", "b", check=False)),
            (sa.String(3), enum("a", "bcd")),
        ],
        ids=["added", "removed", "longer", "signs", "check", "no_check", "from_text"],
    )
    def test_are_those_of_the_model(
        self,
        before: Any,
        after: Any,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
    ) -> None:
        project = Project(tmp_path, engines, backend=backend, metadatas=models(before))
        caller.begin(project.engine, models(before).create_all)
        assert caller(project.alembic, "compare_metadata") == []
        script = migrate(caller, project, models(after))
        assert not any(change.losses for change in script.changes)
        other = Project(tmp_path / "other", engines, backend=backend)
        caller.begin(other.engine, models(after).create_all)
        found, made = checks(caller, project), checks(caller, other)

        if backend.database == "postgresql":
            # It casts what the column was before.
            found, made = [item[:9] for item in found], [item[:9] for item in made]

        assert found == made

        for value in getattr(after, "enums", ()):
            insert_value(caller, project, models(after).tables["a"], value)

    def test_are_compared_for_each_of_several_columns(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        kinds = (
            enum("a", "b"),
            enum("a", "b", name="other"),
            enum("a", "b", check=False),
        )
        project = Project(tmp_path, engines, backend=backend, metadatas=models(*kinds))
        caller.begin(project.engine, models(*kinds).create_all)
        changed = enum("a", "b"), enum("a", "c", name="other"), enum("c", check=False)
        script = migrate(caller, project, models(*changed))
        text = function_bodies(script)["upgrade"]
        assert "'other'" in text
        assert "'kind'" not in text

    def test_are_left_to_a_check_of_the_app(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        metadata = models(enum("a", "b", check=False))
        own = sa.CheckConstraint("x0 IN ('a', 'b', 'c')", name="kind")
        metadata.tables["a"].append_constraint(own)
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        caller.begin(project.engine, metadata.create_all)
        assert caller(project.alembic, "compare_metadata") == []

    def test_are_beside_a_check_without_a_name(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        metadata = models(enum("a", "b"))
        metadata.tables["a"].append_constraint(sa.CheckConstraint("x0 <> 'c'"))
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        caller.begin(project.engine, metadata.create_all)
        assert caller(project.alembic, "compare_metadata") == []

    def test_are_in_a_check_with_the_old_name_of_the_table(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        """The name of a check stays when a table is renamed."""

        def named(name: str) -> sa.MetaData:
            metadata = sa.MetaData(
                naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"}
            )
            sa.Table(name, metadata, sa.Column("x", enum("a", "b")))
            return metadata

        metadata = named("b")
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        caller.begin(project.engine, named("a").create_all)
        caller.execute(project.engine, "ALTER TABLE a RENAME TO b")
        assert caller(project.alembic, "compare_metadata") == []


def named(
    table: str, column: str, type_: Any, convention: str = "%(constraint_name)s"
) -> sa.MetaData:
    metadata = sa.MetaData(naming_convention={"ck": convention})
    key = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table(table, metadata, key, sa.Column(column, type_))
    return metadata


def names(checks: list[str]) -> list[str]:
    return [check.split(":")[0] for check in checks]


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "after", [enum("a", "b"), enum("a", "longer")], ids=["same", "changed"]
)
@pytest.mark.parametrize(
    ("name", "rename"), [("a", ["a.x:z"]), ("b", ["a:b", "b.x:z"])]
)
def test_a_check_gets_the_name_of_its_renamed_column(
    name: str,
    rename: list[str],
    after: Any,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """A check with the old name would refuse new values."""
    convention = "ck_%(table_name)s_%(column_0_name)s_%(constraint_name)s"
    metadata = named("a", "x", enum("a", "b"), convention)
    changed = named(name, "z", after, convention)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller.begin(project.engine, metadata.create_all)
    migrate(caller, project, changed, rename=rename)
    assert names(checks(caller, project)) == [f"ck_{name}_z_kind"]
    insert = sa.insert(changed.tables[name]).values(z=after.enums[-1])
    caller.begin(project.engine, lambda connection: connection.execute(insert))


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "after",
    [
        enum("a", "b", "longer"),
        enum("a", check=False),
        sa.Boolean(name="kind", create_constraint=True),
    ],
    ids=["enum", "no_check", "boolean"],
)
def test_a_renamed_column_has_the_check_of_its_model(
    after: Any,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    before = after if isinstance(after, sa.Boolean) else enum("a", "b")
    metadata, changed = named("a", "x", before), named("a", "z", after)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller.begin(project.engine, metadata.create_all)
    migrate(caller, project, changed, rename="a.x:z")
    other = Project(tmp_path / "other", engines, backend=backend)
    caller.begin(other.engine, changed.create_all)
    assert names(checks(caller, project)) == names(checks(caller, other))


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "type_",
    [enum("it's", "100%", " :x"), sa.Boolean(name="kind", create_constraint=True)],
    ids=["enum", "boolean"],
)
def test_an_added_column_has_a_check_with_the_name_of_a_dropped_one(
    type_: Any, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Alembic adds the column first, so that two checks had the same name."""
    metadata, changed = named("a", "x", type_), named("a", "z", type_)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller.begin(project.engine, metadata.create_all)
    before = checks(caller, project)
    project.use(changed)
    caller(project.alembic, "revision", "change")

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)
        found = checks(caller, project)
        assert names(found) == names(before)
        assert all(("z" in check) == (step == "upgrade") for check in found)

    assert caller(project.alembic, "compare_metadata") == []


@on([b for b in ONE_OF_EACH_KIND if b.database != "postgresql"])
def test_a_boolean_gets_a_check_and_loses_it(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    plain = models(sa.Boolean(name="flag"))
    project = Project(tmp_path, engines, backend=backend, metadatas=plain)
    caller.begin(project.engine, plain.create_all)
    migrate(caller, project, models(sa.Boolean(name="flag", create_constraint=True)))

    with pytest.raises(DBAPIError):
        caller.execute(project.engine, "INSERT INTO a (x0) VALUES (2)")

    migrate(caller, project, plain)
    assert checks(caller, project) == []


@on(ONE_OF_EACH_KIND)
def test_alembics_plugin_does_the_same_once(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    importlib.import_module(PLUGIN)
    project = Project(
        tmp_path,
        engines,
        backend=backend,
        metadatas=models(enum("a", check=False)),
        context={"autogenerate_plugins": ["alembic.autogenerate.*", PLUGIN]},
    )
    caller.begin(project.engine, models(enum("a", check=False)).create_all)
    script = migrate(caller, project, models(enum("a")))
    assert function_bodies(script)["upgrade"].count("create_check_constraint") == 1


def test_a_comparison_leaves_the_models_as_they_are() -> None:
    """Else ``create_all()`` would make no check afterwards."""
    made = models(sa.Boolean(name="flag", create_constraint=True)).tables["a"]
    (check,) = (c for c in made.constraints if isinstance(c, sa.CheckConstraint))
    dialect = sqlite.dialect()
    assert [is_made(check, dialect) for _ in range(2)] == [True, True]
    assert "CHECK (x0 IN (0, 1))" in str(CreateTable(made).compile(dialect=dialect))
