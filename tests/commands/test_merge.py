"""Revisions that join several heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from async_alembic import RevisionError
from async_alembic import RevisionNotFoundError

from ..backends import EngineFactory
from ..generating import function_bodies
from ..generating import table
from ..harness import Caller
from ..harness import write_revision
from ..projects import docstring
from ..projects import names
from ..projects import Project


class TestMerge:
    @pytest.fixture
    def history(self, project: Project) -> Project:
        write_revision(project.folder, "aaaa", labels=["default"])
        write_revision(project.folder, "bbbb", "aaaa")
        write_revision(project.folder, "cccc", "aaaa")
        return project

    def test_two_heads_become_one(self, history: Project, caller: Caller) -> None:
        script = caller(history.alembic, "merge")
        assert {*script.down_revision} == {"bbbb", "cccc"}
        assert docstring(script) == "merge heads"
        assert names(caller(history.alembic, "heads")) == [script.revision]
        assert caller(history.alembic, "merge") is None
        assert len(caller(history.alembic, "upgrade")) == 4

    @pytest.mark.parametrize("revisions", [["bbbb", "cccc"], ("bbb", "ccc")])
    def test_the_revisions_can_be_named(
        self, history: Project, caller: Caller, revisions: Any
    ) -> None:
        script = caller(history.alembic, "merge", revisions, label="both")
        assert script.down_revision == ("bbbb", "cccc")
        assert docstring(script) == f"merge {', '.join(revisions)}"
        assert "both" in script.branch_labels

    def test_one_revision_needs_no_merge(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        for revisions in "bbbb", ["bbbb", "bbbb"], "default@bbbb", "aaaa":
            assert caller(history.alembic, "merge", revisions) is None

        assert history.files() == before

    def test_a_revision_that_is_no_head_must_be_spliced(
        self, history: Project, caller: Caller
    ) -> None:
        write_revision(history.folder, "dddd", "cccc")
        before = history.files()

        with pytest.raises(RevisionError, match="splice"):
            caller(history.alembic, "merge", ["bbbb", "cccc"])

        assert history.files() == before
        script = caller(history.alembic, "merge", ["bbbb", "cccc"], splice=True)
        assert {*names(caller(history.alembic, "heads"))} == {"dddd", script.revision}

    def test_a_revision_that_is_not_there_is_named(
        self, history: Project, caller: Caller
    ) -> None:
        with pytest.raises(RevisionNotFoundError, match="'zzzz'"):
            caller(history.alembic, "merge", ["bbbb", "zzzz"])

    def test_it_works_with_several_databases(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas={"default": table("users"), "log": table("events")},
        )
        for branch in "default", "other":
            caller(project.alembic, "revision", branch, True, branch)

        script = caller(project.alembic, "merge")
        assert {"upgrade_default", "upgrade_log"} <= {*function_bodies(script)}
        assert len(caller(project.alembic, "upgrade")) == 3
        (script,) = caller(project.alembic, "revision", "tables")
        assert names(caller(project.alembic, "upgrade")) == [script.revision]
        assert caller(project.alembic, "revision", "nothing") == []

    def test_it_goes_beside_its_parents(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines)
        folder = project.folder / "versions"
        write_revision(folder, "aaaa")
        write_revision(folder, "bbbb")
        script = caller(project.alembic, "merge")
        assert Path(script.path).parent == folder
