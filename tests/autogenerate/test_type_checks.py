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
    found = caller.begin(
        project.engine, lambda c: sa.inspect(c).get_check_constraints("a")
    )
    return sorted(f"{check['name']}: {check['sqltext']}" for check in found)


def migrate(caller: Caller, project: Project, metadata: sa.MetaData) -> Any:
    """Change the models, and the database, there and back and there again."""
    before = checks(caller, project)
    project.use(metadata)
    (script,) = caller(project.alembic, "revision", "change")

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
