"""Targets that are not there, not clear or out of reach."""

from __future__ import annotations

from typing import Any
from typing import cast

import pytest

from async_alembic import AmbiguousRevisionError
from async_alembic import MultipleHeadsError
from async_alembic import RevisionError
from async_alembic import RevisionNotFoundError

from ..backends import by_id
from ..harness import write_revision
from .project import check_sentence
from .project import in_every_way
from .project import Project
from .project import ProjectFactory


@in_every_way
@pytest.mark.parametrize(
    "args",
    [
        ("upgrade", "x9"),
        ("upgrade", "x9@head"),
        ("upgrade", "x9+1"),
        ("downgrade", "x9"),
        ("downgrade", "x9@base"),
        ("stamp", "x9"),
    ],
    ids=" ".join,
)
def test_an_unknown_revision_is_named(project: Project, args: tuple[str, str]) -> None:
    project.upgrade("ab12")
    error = project.fail(RevisionNotFoundError, *args)
    assert "x9" in str(error)
    assert "'db log'" in str(error)
    assert "x9" in cast("RevisionNotFoundError", error).revision


@in_every_way
@pytest.mark.parametrize("method", ["upgrade", "downgrade", "stamp"])
def test_a_misspelt_id_of_digits_is_named(project: Project, method: str) -> None:
    """Our own ids are such numbers. It is no number of steps."""
    project.upgrade("ab12")
    error = project.fail(RevisionNotFoundError, method, "1795338893")
    assert "'1795338893'" in str(error)


@pytest.mark.parametrize("shell", ["awaited", "blocking"])
@pytest.mark.parametrize(
    "call",
    [
        lambda a: a.log(start="x9"),
        lambda a: a.log(end="x9"),
        lambda a: a.merge(["ab12", "x9"]),
        lambda a: a.revision("m", empty=True, parent="x9"),
        lambda a: a.revision("m", empty=True, parent="ab12", depend="x9"),
        lambda a: a.revision("m", empty=True, parent=["ab12", "x9"]),
    ],
    ids=["start", "end", "merge", "parent", "depend", "parents"],
)
def test_an_unknown_revision_is_named_where_only_files_are_read(
    shell: str, call: Any, project_for: ProjectFactory
) -> None:
    project = project_for(shell, "flask", by_id("sqlite-sqlite3"))
    write_revision(project.migrations, "a1")
    write_revision(project.migrations, "ab12", "a1")
    files = sorted(project.migrations.iterdir())

    with pytest.raises(RevisionNotFoundError, match="'x9'") as info:
        if shell == "awaited":
            project.look.run(call(project.alembic))
        else:
            call(project.alembic.sync)

    check_sentence(str(info.value))
    assert sorted(project.migrations.iterdir()) == files


@pytest.mark.parametrize(
    "args",
    [
        ("log", "--start", "x9"),
        ("log", "--end", "x9"),
        ("show", "x9"),
        ("show", "a1", "x9"),
        ("merge", "ab12", "x9"),
        ("revision", "m", "--empty", "-p", "x9"),
        ("revision", "m", "--empty", "-p", "ab12", "-d", "x9"),
    ],
    ids=" ".join,
)
def test_an_unknown_revision_is_named_on_the_command_line(
    args: tuple[str, ...], project_for: ProjectFactory
) -> None:
    project = project_for("command line", "flask", by_id("sqlite-sqlite3"))
    write_revision(project.migrations, "a1")
    write_revision(project.migrations, "ab12", "a1")
    assert "'x9'" in str(project.fail(RevisionNotFoundError, *args))


@in_every_way
def test_a_log_that_goes_nowhere_is_refused(project: Project) -> None:
    """From one branch to the other."""
    log = ("--start", "ab12", "--end", "ab34")
    args = log if project.way == "command line" else ("ab12", "ab34")
    assert "'db log'" in str(project.fail(RevisionError, "log", *args))


@in_every_way
@pytest.mark.parametrize("command", ["upgrade", "downgrade", "stamp"])
def test_an_ambiguous_revision_is_named(project: Project, command: str) -> None:
    project.upgrade("ab12")
    error = project.fail(AmbiguousRevisionError, command, "ab")
    assert "'ab'" in str(error)
    assert cast("AmbiguousRevisionError", error).revision == "ab"


@in_every_way
@pytest.mark.parametrize(
    "args", [("upgrade", "head"), ("revision", "message")], ids=" ".join
)
def test_several_heads_are_named_where_one_is_needed(
    project: Project, args: tuple[str, ...]
) -> None:
    project.upgrade()
    files = sorted(project.migrations.iterdir())
    error = project.fail(MultipleHeadsError, *args)
    assert sorted(cast("MultipleHeadsError", error).heads) == ["ab12", "ab34"]
    assert "ab12" in str(error) and "ab34" in str(error)
    assert "'db merge'" in str(error)
    assert sorted(project.migrations.iterdir()) == files


@in_every_way
@pytest.mark.parametrize(
    ("start", "args"),
    [
        ("heads", ("downgrade", "1")),
        ("base", ("upgrade", "2")),
        ("ab12", ("upgrade", "+9")),
        ("ab12", ("downgrade", "9")),
        ("base", ("downgrade", "1")),
        ("a1", ("downgrade", "ab12")),
        ("ab12", ("downgrade", "ab34")),
        ("a1", ("upgrade", "")),
    ],
    ids=str,
)
def test_a_target_that_cannot_be_reached_is_refused(
    project: Project, start: str, args: tuple[str, ...]
) -> None:
    if start != "base":
        project.upgrade(start)

    before = project.contents()
    raised = project._call(*args)
    assert isinstance(raised, RevisionError)
    check_sentence(str(raised))
    assert project.contents() == before
