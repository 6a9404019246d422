"""Revisions that are written at the same time, or to places of another kind."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import NotUpToDateError
from async_alembic import RevisionFileError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import table
from ..harness import awaited_only
from ..harness import blocking_only
from ..harness import Caller
from ..harness import ids
from ..harness import write_revision
from ..projects import Project

on_both_kinds = on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
COUNT = 4


def assert_one_head(project: Project, caller: Caller) -> None:
    assert len(caller(project.alembic, "heads")) == 1
    assert len(caller(project.alembic, "log")) == COUNT
    assert len(caller(project.alembic, "upgrade")) == COUNT


@on_both_kinds
@awaited_only
def test_revisions_of_several_tasks_follow_each_other(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """As of two requests of an admin page."""
    project = Project(tmp_path, engines, backend=backend)

    async def write() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(COUNT):
                group.create_task(project.alembic.revision(f"m{number}", empty=True))

    caller.run(write())
    assert_one_head(project, caller)


@on_both_kinds
@blocking_only
def test_revisions_of_several_threads_follow_each_other(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, backend=backend)

    def write(number: int) -> None:
        # Another extension that writes to the same folder.
        alembic = Alembic(
            project.app,
            metadatas=sa.MetaData(),
            engines=project.engines,
            command_name="",
        )
        alembic.sync.revision(f"m{number}", empty=True)

    with ThreadPoolExecutor(COUNT) as executor:
        [*executor.map(write, range(COUNT))]

    assert_one_head(project, caller)


@on_both_kinds
@awaited_only
def test_a_difference_is_written_once_although_it_is_asked_for_twice(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, backend=backend, metadatas=table())

    async def write() -> list[object]:
        calls = [project.alembic.revision(f"m{number}") for number in range(2)]
        return await asyncio.gather(*calls, return_exceptions=True)

    results = caller.run(write())
    assert sorted(type(result).__name__ for result in results) == [
        NotUpToDateError.__name__,
        "list",
    ]
    assert len(caller(project.alembic, "log")) == 1


def test_a_revision_follows_one_that_is_a_link(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """Kubernetes mounts files like this."""
    project = Project(tmp_path / "app", engines)
    path = write_revision(tmp_path / "elsewhere", "a1")
    folder = project.folder / "versions"
    folder.mkdir()
    (folder / path.name).symlink_to(path)
    (script,) = caller(project.alembic, "revision", "next", empty=True)
    assert script.down_revision == "a1"
    assert Path(script.path).parent == folder
    assert ids(caller(project.alembic, "upgrade")) == ["a1", script.revision]


def test_a_file_is_kept_if_the_failure_of_its_import_is_not_its_own(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where a package keeps a list of the revisions that it reads once."""
    (tmp_path / "chain_of_test.py").write_text(
        "known = ['a1']\ndef parent(revision):\n"
        "    return known[known.index(revision) - 1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "chain_of_test", raising=False)
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1")
    template = project.folder / "script.py.mako"
    text = template.read_text()
    template.write_text(
        "import chain_of_test\n"
        + text.replace("${repr(down_revision)}", "chain_of_test.parent(revision)", 1)
    )

    with pytest.raises(RevisionFileError, match="ValueError.* was kept"):
        caller(project.alembic, "revision", "next", empty=True, rev_id="a2")

    sys.modules["chain_of_test"].known.append("a2")
    assert ids(caller(project.alembic, "upgrade")) == ["a1", "a2"]


@pytest.mark.parametrize("code", ["undefined_name", "nonsense nonsense"])
def test_a_file_that_is_itself_at_fault_is_not_kept(
    code: str, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    template = project.folder / "script.py.mako"
    # The header must not be readable without the import.
    template.write_text(f"globals()['x'] = 1\n{code}\n{template.read_text()}")
    before = project.files()

    with pytest.raises(RevisionFileError, match="Error.* was removed"):
        caller(project.alembic, "revision", "next", empty=True)

    assert project.files() == before
