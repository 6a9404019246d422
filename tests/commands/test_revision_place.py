"""Where a new revision stands in the history, and its file in the folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from async_alembic import AsyncAlembicError
from async_alembic import MultipleHeadsError
from async_alembic import RevisionError
from async_alembic import RevisionNotFoundError

from ..backends import EngineFactory
from ..harness import Caller
from ..harness import write_revision
from ..projects import names
from ..projects import Project


class TestPlace:
    """Parents, labels, dependencies and folders."""

    @pytest.fixture
    def history(self, project: Project) -> Project:
        """aaaa - bbbb - cccc, and dddd on a branch of its own."""
        write_revision(project.folder, "aaaa", labels=["default"])
        write_revision(project.folder, "bbbb", "aaaa")
        write_revision(project.folder, "cccc", "bbbb")
        write_revision(project.folder, "dddd", labels=["other"])
        return project

    def test_it_follows_the_head_of_its_branch(
        self, history: Project, caller: Caller
    ) -> None:
        (script,) = caller(history.alembic, "revision", "one", empty=True)
        assert script.down_revision == "cccc"
        (script,) = caller(history.alembic, "revision", "two", True, "other")
        assert script.down_revision == "dddd"

    @pytest.mark.parametrize(
        ("parent", "expected"),
        [
            ("cccc", "cccc"),
            ("ccc", "cccc"),
            ("default@head", "cccc"),
            (["cccc", "dddd"], ("cccc", "dddd")),
            ("heads", ("cccc", "dddd")),
            ("base", None),
            ("default@base", None),
        ],
    )
    def test_it_follows_the_parents_it_is_given(
        self, history: Project, caller: Caller, parent: Any, expected: Any
    ) -> None:
        (script,) = caller(
            history.alembic, "revision", "one", empty=True, branch="", parent=parent
        )
        assert script.down_revision == expected

    @pytest.mark.parametrize(("steps", "parent"), [(-1, "a1"), (-2, None), (-3, None)])
    def test_a_parent_may_be_some_steps_below_the_head(
        self, project: Project, caller: Caller, steps: int, parent: str | None
    ) -> None:
        write_revision(project.folder, "a1")
        write_revision(project.folder, "a2", "a1")

        def revision() -> Any:
            return caller(
                project.alembic, "revision", "one", True, parent=steps, splice=True
            )

        if parent is None:
            with pytest.raises(RevisionError, match="fewer revisions"):
                revision()
        else:
            assert revision()[0].down_revision == parent

    def test_a_script_is_a_parent_too(self, history: Project, caller: Caller) -> None:
        parents = caller(history.alembic, "heads")
        (script,) = caller(history.alembic, "revision", "one", True, parent=parents)
        assert {*script.down_revision} == {"cccc", "dddd"}
        (script,) = caller(history.alembic, "revision", "two", True, parent=script)
        assert script.is_head

    def test_a_parent_that_is_no_head_must_be_spliced(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(RevisionError, match="splice"):
            caller(history.alembic, "revision", "one", empty=True, parent="bbbb")

        assert history.files() == before
        (script,) = caller(
            history.alembic, "revision", "one", True, parent="bbbb", splice=True
        )
        assert script.down_revision == "bbbb"
        assert names(caller(history.alembic, "branches")) == ["bbbb"]

    def test_a_parent_that_is_not_there_is_named(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        for argument in "parent", "depend":
            with pytest.raises(RevisionNotFoundError, match="'zzzz'"):
                caller(history.alembic, "revision", "one", True, **{argument: "zzzz"})

        assert history.files() == before

    def test_the_head_is_not_clear_without_a_branch(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(MultipleHeadsError) as caught:
            caller(history.alembic, "revision", "one", empty=True, branch="")

        assert {*caught.value.heads} == {"cccc", "dddd"}
        assert history.files() == before

    @pytest.mark.parametrize(
        ("depend", "expected"),
        [("dddd", "dddd"), ("ddd", "dddd"), ("other", "other"), (["dddd"], "dddd")],
    )
    def test_it_depends_on_others(
        self, history: Project, caller: Caller, depend: Any, expected: str
    ) -> None:
        (script,) = caller(history.alembic, "revision", "one", True, depend=depend)
        assert script.dependencies == expected
        target = f"default@{script.revision}"
        assert "dddd" in names(caller(history.alembic, "upgrade", target))

    @pytest.mark.parametrize(
        ("label", "expected"),
        [("x", {"x"}), (["x", "y"], {"x", "y"}), (("x",), {"x"}), ([], set())],
    )
    def test_it_is_labelled(
        self, history: Project, caller: Caller, label: Any, expected: set[str]
    ) -> None:
        (script,) = caller(history.alembic, "revision", "one", True, label=label)
        assert {*(script.module.branch_labels or ())} == expected
        (head,) = caller(history.alembic, "heads")[:1]
        assert head.revision == script.revision
        assert head.branch_labels == {"default", *expected}

    def test_a_label_that_is_taken_is_refused(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(RevisionError, match="other"):
            caller(history.alembic, "revision", "one", True, label="other")

        assert history.files() == before

    def test_a_path_is_relative_to_the_apps_root(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines, version_locations=["more/revisions"])
        folder = tmp_path / "more" / "revisions"
        (script,) = caller(
            project.alembic, "revision", "one", True, path="more/revisions"
        )
        assert Path(script.path).parent == folder
        (script,) = caller(project.alembic, "revision", "two", True, path=str(folder))
        assert Path(script.path).parent == folder
        (script,) = caller(project.alembic, "revision", "three", True)
        assert Path(script.path).parent == folder
        (script,) = caller(project.alembic, "revision", "four", True, path="migrations")
        assert Path(script.path).parent == project.folder
        assert len(caller(project.alembic, "log")) == 4

    def test_a_path_that_is_not_read_is_refused(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(AsyncAlembicError, match="elsewhere"):
            caller(history.alembic, "revision", "one", True, path="elsewhere")

        assert history.files() == before
        assert not (history.root / "elsewhere").exists()
