"""Functions that Alembic calls, registered by decorators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import ConfigurationError

from ..backends import EngineFactory
from ..harness import Caller
from ..projects import names
from ..projects import Project


def tables(*table_names: str) -> sa.MetaData:
    metadata = sa.MetaData()

    for name in table_names:
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))

    return metadata


def created(project: Project, caller: Caller) -> set[str]:
    """Write and apply a revision, and return the tables of the database."""
    caller(project.alembic, "revision", "first")
    caller(project.alembic, "upgrade")
    tables: set[str] = caller.tables(project.engine)
    return tables


def test_all_filters_must_agree(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """Those of the config count as well: an app may have both while it changes over."""

    def without_a(object: Any, name: str, *args: Any) -> bool:
        return name != "a"

    project = Project(
        tmp_path,
        engines,
        metadatas=tables("a", "b", "c", "d"),
        context={"include_object": without_a},
    )

    @project.alembic.include_object
    def without_b(object: Any, name: str, *args: Any) -> bool:
        return name != "b"

    @project.alembic.include_object
    def without_c(object: Any, name: str, *args: Any) -> bool:
        return name != "c"

    assert created(project, caller) == {"d"}
    assert without_b(None, "a")


def test_names_are_left_out(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, metadatas=tables("a"))
    caller.begin(project.engine, tables("other").create_all)
    assert caller(project.alembic, "unknown_tables") == {"default": ["other"]}

    @project.alembic.include_name
    def only_own(name: str | None, type_: str, parents: Any) -> bool:
        return name != "other"

    assert caller(project.alembic, "unknown_tables") == {"default": []}


def test_the_first_that_renders_counts(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, metadatas=tables("a"))

    @project.alembic.render_item
    def leave(type_: str, obj: Any, context: Any) -> Any:
        return False

    @project.alembic.render_item
    def render(type_: str, obj: Any, context: Any) -> Any:
        return "sa.BigInteger()" if type_ == "type" else False

    @project.alembic.render_item
    def too_late(type_: str, obj: Any, context: Any) -> Any:
        return "sa.Text()" if type_ == "type" else False

    (script,) = caller(project.alembic, "revision", "first")
    assert "sa.BigInteger()" in Path(script.path).read_text()
    assert "sa.Text()" not in Path(script.path).read_text()


def test_all_change_the_directives(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, metadatas=tables("a"))

    @project.alembic.process_revision_directives
    def name(context: Any, revision: Any, directives: list[Any]) -> None:
        directives[0].message += ", changed"

    @project.alembic.process_revision_directives
    def name_again(context: Any, revision: Any, directives: list[Any]) -> None:
        directives[0].message += ", twice"

    (script,) = caller(project.alembic, "revision", "first")
    assert script.doc == "first, changed, twice"


def test_each_revision_is_told_with_the_commands_of_all_kinds(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, metadatas=tables("a"))
    seen: list[str] = []
    listeners: list[Any] = []

    @project.alembic.on_version_apply
    def note(*, step: Any, **kwargs: Any) -> None:
        seen.append(f"{'up' if step.is_upgrade else 'down'} {step.up_revision_id}")

    @project.alembic.on_version_apply
    def count(**kwargs: Any) -> None:
        listeners.append(kwargs["ctx"])

    (script,) = caller(project.alembic, "revision", "first")
    caller(project.alembic, "upgrade")
    caller(project.alembic, "downgrade")
    assert seen == [f"up {script.revision}", f"down {script.revision}"]
    assert len(listeners) == 2


@pytest.mark.parametrize("verdict", [True, False, None])
def test_what_compares_types_may_leave_it_to_alembic(
    tmp_path: Path, engines: EngineFactory, caller: Caller, verdict: bool | None
) -> None:
    """``a.number`` has another type; ``a.id`` has not."""
    metadata = tables("a")
    metadata.tables["a"].append_column(sa.Column("number", sa.Integer))
    project = Project(tmp_path, engines, metadatas=metadata)
    created(project, caller)
    metadata.tables["a"].c.number.type = sa.Text()

    @project.alembic.compare_type
    def leave(*args: Any) -> None:
        return None

    @project.alembic.compare_type
    def compare(context: Any, found: Any, wanted: Any, *types: Any) -> bool | None:
        return verdict

    differences = caller(project.alembic, "compare_metadata")
    changed = {change[3] for (change,) in differences}
    assert changed == {True: {"id", "number"}, False: set(), None: {"number"}}[verdict]


def test_defaults_are_compared_by_a_function(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    metadata = tables("a")
    metadata.tables["a"].append_column(
        sa.Column("number", sa.Integer, server_default="1")
    )
    project = Project(tmp_path, engines, metadatas=metadata)
    created(project, caller)
    assert not caller(project.alembic, "needs_revision")

    @project.alembic.compare_server_default
    def compare(context: Any, found: Any, *args: Any) -> bool | None:
        return found.name == "number" or None

    assert caller(project.alembic, "needs_revision")


def test_a_view_of_the_extension_has_them_too(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, metadatas=tables("a"))
    view = project.alembic.with_options(x_args=["x=1"])

    @project.alembic.include_object
    def nothing(*args: Any) -> bool:
        return False

    assert not caller(view, "needs_revision")
    assert names(caller(view, "heads")) == []


def test_a_coroutine_function_is_refused() -> None:
    """Its coroutine would count as true, without a word."""
    with pytest.raises(ConfigurationError, match=r"'mine' is a coroutine.*with 'def'"):

        @Alembic().include_object  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
        async def mine(*args: Any) -> bool:
            return False
