"""What a database or a revision says when it is migrated."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa

from async_alembic import DatabaseError
from async_alembic import MigrationError
from async_alembic import NotUpToDateError
from async_alembic import RevisionError
from async_alembic import UnknownRevisionInDatabaseError

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import create_table
from ..harness import write_revision
from .project import in_every_way
from .project import Project
from .project import ProjectFactory


@in_every_way
@pytest.mark.parametrize(
    "args",
    [
        ("current",),
        ("upgrade",),
        ("downgrade",),
        ("downgrade", "a1"),
        ("stamp", "a1"),
        ("revision", "message"),
    ],
    ids=" ".join,
)
def test_a_revision_that_only_the_database_knows_is_named(
    project: Project, args: tuple[str, ...]
) -> None:
    """As after a deploy was rolled back."""
    (project.migrations / "ab34.py").unlink()
    project.upgrade()
    assert project.engine is not None
    project.look.execute(project.engine, "UPDATE alembic_version SET version_num='x9'")
    error = project.fail(UnknownRevisionInDatabaseError, *args)
    assert "x9" in str(error) and "'default'" in str(error)
    assert "'db stamp --purge'" in str(error)
    error = cast("UnknownRevisionInDatabaseError", error)
    assert (error.database, error.revisions) == ("default", ("x9",))


@in_every_way
@pytest.mark.parametrize("args", [("upgrade",), ("upgrade", "d4")])
def test_a_revision_beside_one_that_it_follows_is_explained(
    project: Project, args: tuple[str, ...]
) -> None:
    """As after a row was inserted by hand."""
    first = (project.migrations / "ab34.py").stem
    write_revision(project.migrations, "c3", first)
    write_revision(project.migrations, "d4", "c3")
    project.upgrade("c3")
    assert project.engine is not None
    insert = f"INSERT INTO alembic_version VALUES ('{first}')"
    project.look.execute(project.engine, insert)
    error = str(project.fail(RevisionError, *args))
    assert "a revision together with one that it follows" in error
    assert "'db stamp --purge REVISION'" in error


@in_every_way
def test_of_several_databases_the_right_one_is_named(
    backend: Backend, engines: EngineFactory, make: ProjectFactory
) -> None:
    made: Any = {name: engines(backend) for name in ("default", "other")}
    names = {name: sa.MetaData() for name in made}
    project = make(engines=made, metadatas=names)
    write_revision(project.migrations, "a1", args="engine_name")
    project.upgrade()
    project.look.execute(made["other"], "UPDATE alembic_version SET version_num='x9'")
    error = project.fail(UnknownRevisionInDatabaseError, "upgrade")
    assert cast("UnknownRevisionInDatabaseError", error).database == "other"
    assert project.look.versions(made["default"]) == ["a1"]


@in_every_way
def test_a_type_without_its_import_names_the_template(project: Project) -> None:
    """It would be missing in the next revision as well."""
    write_revision(project.migrations, "ab34", upgrade="op.f(sqlmodel.x)")
    error = str(project.fail(MigrationError, "upgrade"))
    assert "Import 'sqlmodel'" in error and "'script.py.mako'" in error


@in_every_way
def test_a_database_that_is_behind_is_named_before_it_is_compared(
    project: Project,
) -> None:
    (project.migrations / "ab34.py").unlink()
    project.upgrade("a1")
    error = project.fail(NotUpToDateError, "revision", "message")
    assert "'default'" in str(error) and "'db upgrade'" in str(error)
    assert not [*project.migrations.glob("*message*")]


@in_every_way
def test_a_failing_revision_is_named(project: Project) -> None:
    path = write_revision(
        project.migrations, "c3", "ab12", f"{create_table('more')}\n1 / 0"
    )
    project.upgrade("a1")
    error = cast("MigrationError", project.fail(MigrationError, "upgrade", "c3"))
    assert "division by zero" in str(error)
    assert str(path) in str(error)
    assert (error.revision, error.database) == ("c3", "default")
    assert isinstance(error.__cause__, ZeroDivisionError)


@in_every_way
def test_what_a_revision_writes_into_the_database_is_not_shown(
    project: Project,
) -> None:
    """The parameters of a statement can be secrets, and errors end in logs."""
    statement = "sa.text('INSERT INTO users VALUES (:a, :b)').bindparams(a=1, b='s3c')"
    write_revision(project.migrations, "c3", "ab12", f"op.execute({statement})")
    error = project.fail(MigrationError, "upgrade", "c3")
    assert "INSERT INTO users" in str(error)
    assert "s3c" not in str(error)


@in_every_way
def test_a_database_that_refuses_is_told_from_a_failing_revision(
    project: Project,
) -> None:
    """A file that is no database is found out with the first statement."""
    assert project.engine is not None
    Path(str(project.engine.url.database)).write_text("no database, but a text " * 99)
    project.engine = None
    error = project.fail(DatabaseError, "upgrade")
    assert "file is not a database" in str(error)
