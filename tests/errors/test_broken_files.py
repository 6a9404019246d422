"""Revision files that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from async_alembic import RevisionFileError

from ..harness import write_revision
from .project import in_every_way
from .project import Project


@in_every_way
@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("revision = 'x9'\ndown_revision = 'a1'\ndef upgrade(:\n", 3, "SyntaxError"),
        ("revision = 'x9'\ndown_revision = 'a1'\n  x = 1\n", 3, "IndentationError"),
        ("import gone\nrevision = 'x9'\ndown_revision = 'a1'\n", 1, "'gone'"),
        ("revision = 'x9'\ndown_revision = 'a1'\n\n1 / 0\n", 4, "division by zero"),
        ("revision = 'x9'\n", 1, "down_revision"),
        ("revision = 'x9'\ndown_revision = 'y9'\n", 2, "y9"),
        ("revision = 'a1'\ndown_revision = None\n", 1, "a1.py"),
        ("revision = 'x9'\ndown_revision = 'x9'\n", 2, "x9"),
        ("revision = 'x9'\ndown_revision = None\ndepends_on = 'y9'\n", 3, "y9"),
        ("revision = 9\ndown_revision = None\n", 1, "revision"),
        ("revision = 'x9'\ndown_revision = 9\n", 2, "down_revision"),
        ("revision = 'x-9'\ndown_revision = None\n", 1, "x-9"),
        (
            "revision = 'x9'\ndown_revision = None\nbranch_labels = ('ab12',)\n",
            3,
            "ab12",
        ),
    ],
    ids=[
        *(
            "syntax",
            "indentation",
            "import",
            "code",
            "no parent",
            "lost parent",
        ),
        *("duplicate", "own parent", "lost dependency", "number", "number as parent"),
        *("reserved character", "label like an id"),
    ],
)
@pytest.mark.parametrize("folder", ["", "versions"])
def test_a_broken_revision_file_is_named_with_its_line(
    project: Project, folder: str, text: str, line: int, named: str
) -> None:
    project.upgrade("a1")
    path = project.migrations / folder / "bad.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    error = cast("RevisionFileError", project.fail(RevisionFileError, "upgrade"))
    assert f"Revision file {path}, line {line}: " in str(error)
    assert named in str(error)
    assert (error.path, error.line) == (str(path), line)


@in_every_way
@pytest.mark.parametrize(
    ("args", "missing"), [(("upgrade", "x9"), "upgrade"), (("downgrade",), "downgrade")]
)
def test_a_revision_without_its_function_is_named(
    project: Project, args: tuple[str, ...], missing: str
) -> None:
    path = write_revision(project.migrations, "x9", "ab12")
    project.upgrade("x9" if missing == "downgrade" else "a1")
    path.write_text(path.read_text().replace(f"def {missing}(", "def forgotten("))
    error = cast("RevisionFileError", project.fail(RevisionFileError, *args))
    assert f"'{missing}'" in str(error)
    assert error.path == str(path)


@in_every_way
def test_revisions_in_a_circle_are_named(project: Project) -> None:
    project.upgrade("a1")
    write_revision(project.migrations, "x1", "x3")
    write_revision(project.migrations, "x2", "x1")
    write_revision(project.migrations, "x3", "x2")
    error = cast("RevisionFileError", project.fail(RevisionFileError, "upgrade"))
    assert "x1, x2, x3" in str(error)
    assert Path(error.path).name in {"x1.py", "x2.py", "x3.py"}
    assert error.line == 5


@in_every_way
@pytest.mark.parametrize(
    "command", ["current", "heads", "branches", "log", "stamp", "downgrade", "merge"]
)
def test_every_command_names_a_broken_file(project: Project, command: str) -> None:
    project.upgrade("a1")
    write_revision(project.migrations, "x9", "gone")
    project.fail(RevisionFileError, command)
