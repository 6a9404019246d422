"""The tables beside the version table, which no model knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import awaited_only
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import AS_ALEMBIC
from ..projects import Project

NAMES = ["_partial", "_lease", "_audit"]


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize("version_table", ["alembic_version", "revisions"])
def test_they_are_no_difference_between_models_and_database(
    version_table: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """A generated revision would drop the record of a half-applied one."""
    project = Project(
        tmp_path, engines, backend=backend, context={"version_table": version_table}
    )
    project.app.config |= AS_ALEMBIC

    for name in [*NAMES, "_other"]:
        caller.execute(project.engine, f"CREATE TABLE {version_table}{name} (x int)")

    ((kind, table),) = caller(project.alembic, "compare_metadata")
    assert (kind, table.name) == ("remove_table", f"{version_table}_other")
    (script,) = caller(project.alembic, "revision", "one")
    text = Path(script.path).read_text()
    assert text.count("op.drop_table") == text.count("op.create_table") == 1


@on(ONE_OF_EACH_KIND)
def test_what_a_batch_change_has_left_behind_is_none_either(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """It can hold the only copy of some rows."""
    project = Project(tmp_path, engines, backend=backend)
    caller.execute(project.engine, "CREATE TABLE _alembic_tmp_users (x int)")
    assert caller(project.alembic, "compare_metadata") == []


@on([by_id("sqlite-sqlite3")])
@awaited_only
def test_the_apps_own_filter_is_asked_about_everything_else(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def include_name(name: Any, type_: Any, parents: Any) -> bool:
        asked.append(name)
        return bool(name != "legacy")

    project = Project(
        tmp_path, engines, backend=backend, context={"include_name": include_name}
    )
    project.app.config |= AS_ALEMBIC

    for name in "alembic_version_partial", "legacy", "mine":
        caller.execute(project.engine, f"CREATE TABLE {name} (x int)")

    ((_, table),) = caller(project.alembic, "compare_metadata")
    assert table.name == "mine"
    assert {"legacy", "mine"} <= {*asked}
    assert "alembic_version_partial" not in asked


@on([by_id("postgresql-psycopg")])
@awaited_only
@pytest.mark.parametrize("schema", [None, "public", "app"])
def test_only_those_in_the_schema_of_the_version_table_are_meant(
    schema: str | None,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    context = {"version_table_schema": schema, "include_schemas": True}
    project = Project(tmp_path, engines, backend=backend, context=context)
    project.app.config |= AS_ALEMBIC
    caller.execute(project.engine, "CREATE SCHEMA app")

    for place in "public", "app":
        caller.execute(
            project.engine, f"CREATE TABLE {place}.alembic_version_partial (x int)"
        )

    ((_, table),) = caller(project.alembic, "compare_metadata")
    assert table.schema == (None if schema == "app" else "app")


@on([by_id("postgresql-psycopg")])
@awaited_only
def test_a_schema_of_the_version_table_is_translated(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """As by an engine for one tenant."""
    engine = engines.synchronous(backend)
    caller.execute(engine, "CREATE SCHEMA app")
    caller.execute(engine, "CREATE TABLE app.alembic_version_partial (x int)")
    options = {"schema_translate_map": {"tenant": "app"}}
    context = {"version_table_schema": "tenant", "include_schemas": True}
    project = Project(tmp_path, engines, backend=backend, context=context)
    project.engines["default"] = engine.execution_options(**options)
    project.alembic = type(project.alembic)(
        project.app, metadatas=sa.MetaData(), engines=project.engines
    )
    assert caller(project.alembic, "compare_metadata") == []
