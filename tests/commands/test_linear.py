"""The ``head`` file of a linear history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from async_alembic import ConfigurationError
from async_alembic import HeadFileError
from async_alembic import MultipleHeadsError
from async_alembic import Rebase

from ..backends import EngineFactory
from ..harness import Caller
from ..harness import write_revision
from ..projects import Project


@pytest.fixture
def linear(tmp_path: Path, engines: EngineFactory) -> Project:
    return Project(tmp_path, engines, linear=True)


def add(project: Project, caller: Caller, revision: str, **options: Any) -> None:
    caller(project.alembic, "revision", revision, True, rev_id=revision, **options)


def test_it_names_the_last_revision(linear: Project, caller: Caller) -> None:
    head = linear.folder / "head"
    assert not head.exists()

    for revision in "a1", "b2":
        add(linear, caller, revision)
        assert head.read_text() == f"{revision}\n"


def test_it_is_written_only_if_it_is_wanted(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    add(project, caller, "a1")
    assert not (project.folder / "head").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alembic.ini", "[alembic]\nscript_location = migrations\nlinear = true\n"),
        ("pyproject.toml", "[tool.alembic]\nscript_location='migrations'\nlinear=true"),
    ],
)
def test_it_can_be_wanted_by_a_file_of_options(
    name: str, text: str, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    (tmp_path / name).write_text(text)
    project = Project(tmp_path, engines)
    add(project, caller, "a1")
    assert (project.folder / "head").read_text() == "a1\n"


@pytest.mark.parametrize("options", [{"parent": "base"}, {"parent": "a1"}])
def test_a_second_head_is_refused(
    options: dict[str, Any], linear: Project, caller: Caller
) -> None:
    add(linear, caller, "a1")
    add(linear, caller, "b2")
    before = linear.files()

    with pytest.raises(MultipleHeadsError, match="'db rebase'") as info:
        add(linear, caller, "c3", splice=True, branch="", **options)

    assert info.value.heads == ("b2", "c3")
    assert linear.files() == before
    assert (linear.folder / "head").read_text() == "b2\n"
    add(linear, caller, "c3")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a1", "names revision 'a1', but the last revision beside it is b2: run 'db"),
        ("<<<<<<< HEAD\na1\n=======\nb2\n>>>>>>> main\n", "has a conflict"),
    ],
)
def test_a_file_that_says_something_else_is_an_error(
    text: str, error: str, linear: Project, caller: Caller
) -> None:
    """Nothing is written or applied, until ``rebase`` has corrected it."""
    add(linear, caller, "a1")
    add(linear, caller, "b2")
    head = linear.folder / "head"
    head.write_text(text)

    for method, *args in (
        *(("upgrade",), ("revision", "more"), ("revision", "more", True)),
        ("merge", ["a1", "b2"]),
    ):
        with pytest.raises(HeadFileError, match=error) as info:
            caller(linear.alembic, method, *args)

        assert info.value.path == str(head)
        assert str(info.value).count(". ") == 0

    assert caller(linear.alembic, "rebase") == Rebase(head_files=(str(head),))
    caller(linear.alembic, "upgrade")
    assert caller.versions(linear.engine) == ["b2"]


def test_a_database_at_head_does_not_need_it(linear: Project, caller: Caller) -> None:
    add(linear, caller, "a1")
    caller(linear.alembic, "upgrade")
    (linear.folder / "head").write_text("other")
    assert caller(linear.alembic, "upgrade") == []


def test_two_heads_are_not_applied(linear: Project, caller: Caller) -> None:
    write_revision(linear.folder, "a1")
    write_revision(linear.folder, "b2")

    with pytest.raises(MultipleHeadsError, match="a1, b2.*'db rebase'"):
        caller(linear.alembic, "upgrade")

    assert caller.versions(linear.engine) == []


def test_each_folder_has_one(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """Where branches have folders of their own, each is linear."""
    project = Project(
        tmp_path,
        engines,
        linear=True,
        version_locations=[("shop", "shop"), ("blog", "migrations/blog")],
    )
    add(project, caller, "a1")

    for revision, branch in ("s1", "shop"), ("b1", "blog"), ("s2", "shop"):
        add(project, caller, revision, branch=branch)

    heads = (
        project.folder / "head",
        tmp_path / "shop/head",
        project.folder / "blog/head",
    )
    assert [head.read_text() for head in heads] == ["a1\n", "s2\n", "b1\n"]
    caller(project.alembic, "upgrade")


def test_a_merge_is_the_last_revision(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(
        tmp_path, engines, linear=True, version_locations=[("shop", "shop")]
    )
    add(project, caller, "a1")
    add(project, caller, "s1", branch="shop")
    caller(project.alembic, "merge", rev_id="m1")
    texts = {
        (folder / "head").read_text() for folder in (project.folder, tmp_path / "shop")
    }
    assert "m1\n" in texts and len(texts) == 2


def test_a_setting_that_is_neither_true_nor_false_is_named(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, linear="perhaps")

    with pytest.raises(ConfigurationError, match="'linear'"):
        add(project, caller, "a1")
