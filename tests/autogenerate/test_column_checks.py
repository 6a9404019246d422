"""Checks that belong to a column of a model, rather than to its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from async_alembic.autogenerate.plugins import WRITES_CHECKS

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..generating import table
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import Project


def number(condition: str, name: str | None) -> sa.Column[Any]:
    return sa.Column("n", sa.Integer, sa.CheckConstraint(condition, name=name))


def is_refused(caller: Caller, project: Project) -> bool:
    try:
        caller.execute(project.engine, "INSERT INTO a (id, n) VALUES (1, -1)")
    except DBAPIError:
        return True

    return False


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize("name", [None, "positive"])
@pytest.mark.parametrize("condition", ["n > 0", r"n > 0 AND '100% \:x' <> ''"])
def test_are_created_with_a_table(
    condition: str,
    name: str | None,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    models = table("a", number(condition, name))
    project = Project(tmp_path, engines, backend=backend, metadatas=models)
    caller(project.alembic, "revision", "create")
    caller(project.alembic, "upgrade")
    assert is_refused(caller, project)
    assert caller(project.alembic, "compare_metadata") == []
    caller(project.alembic, "downgrade", "base")
    # The models are as they were.
    assert len(models.tables["a"].constraints) == 1


@pytest.mark.skipif(not WRITES_CHECKS, reason="An older Alembic cannot write it.")
@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "convention", [{}, {"ck": "ck_%(table_name)s_%(constraint_name)s"}]
)
def test_with_a_name_are_created_with_a_column(
    convention: dict[str, str],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    def models(*columns: sa.Column[Any]) -> sa.MetaData:
        metadata = sa.MetaData(naming_convention=convention or None)
        sa.Table("a", metadata, sa.Column("id", sa.Integer), *columns)
        return metadata

    project = Project(tmp_path, engines, backend=backend, metadatas=models())
    caller(project.alembic, "revision", "create")
    caller(project.alembic, "upgrade")
    project.use(models(number("n > 0", "positive")))
    caller(project.alembic, "revision", "add")

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)

    assert is_refused(caller, project)
    (check,) = caller.begin(
        project.engine, lambda c: sa.inspect(c).get_check_constraints("a")
    )
    assert check["name"] == ("ck_a_positive" if convention else "positive")
    assert caller(project.alembic, "compare_metadata") == []
