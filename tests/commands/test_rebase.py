"""Two branches of a repository that both add revisions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import MultipleHeadsError
from async_alembic import Rebase
from async_alembic import RevisionError
from async_alembic import RevisionFileError

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..projects import Project
from ..repositories import Repository


class Team(Project):
    """A project in a repository, with the revision ``a1`` on the branch ``main``."""

    def __init__(self, root: Path, engines: EngineFactory, **options: Any) -> None:
        super().__init__(root, engines, linear=True, **options)
        self.git = Repository(root)
        (root / ".gitignore").write_text("*.db*\n__pycache__/\n")

    def add(self, caller: Caller, revision: str, branch: str = "main") -> None:
        """Commit a revision that makes a table of the same name, on a branch."""
        if self.git("branch", "--show-current") != branch:
            self.git("switch", "--quiet", branch)

        [script] = caller(self.alembic, "revision", revision, True, rev_id=revision)
        path = Path(script.path)
        text = path.read_text().replace("pass", create_table(revision), 1)
        path.write_text(text.replace("pass", f"op.drop_table('{revision}')"))
        self.git.commit(revision)

    def branch(self, name: str) -> None:
        self.git("branch", name)

    @property
    def head(self) -> str:
        return (self.folder / "head").read_text()

    def path(self, revision: str) -> Path:
        [path] = self.folder.glob(f"{revision}_*.py")
        return path

    def history(self, caller: Caller) -> list[str]:
        """All revisions, the oldest first."""
        return ids(caller(self.alembic, "log"))[::-1]


Teams = Callable[..., Team]


@pytest.fixture
def teams(tmp_path: Path, engines: EngineFactory, caller: Caller) -> Teams:
    def make(**options: Any) -> Team:
        team = Team(tmp_path, engines, **options)
        team.add(caller, "a1")
        team.branch("mine")
        return team

    return make


@pytest.fixture
def team(teams: Teams, caller: Caller) -> Team:
    """``main`` has ``t1`` and ``t2``, and ``mine``, which is checked out, ``m1`` and
    ``m2``.
    """
    team = teams()
    team.add(caller, "t1")
    team.add(caller, "t2")
    team.add(caller, "m1", "mine")
    team.add(caller, "m2", "mine")
    return team


@on(ONE_OF_EACH_KIND)
def test_my_revisions_are_put_on_top_of_theirs(
    backend: Backend, teams: Teams, caller: Caller
) -> None:
    """As the docs tell it: the conflict, the rebase and the merged history."""
    team = teams(backend=backend)
    caller(team.alembic, "upgrade")
    team.add(caller, "t1")
    team.add(caller, "m1", "mine")
    before = team.path("m1").read_text()
    team.git("merge", "main", fails=True)
    assert team.git("diff", "--name-only", "--diff-filter=U") == "migrations/head"

    for method, *args in ("upgrade",), ("revision", "more", True):
        with pytest.raises(RevisionError, match=r"head' has a conflict.*'db rebase'"):
            caller(team.alembic, method, *args)

    done = caller(team.alembic, "rebase")
    assert done == Rebase(("m1",), "t1", (str(team.folder / "head"),))
    assert team.head == "m1\n"
    changed = team.path("m1").read_text()
    assert changed == before.replace("Revises: a1", "Revises: t1").replace(
        "None] = 'a1'", "None] = 't1'"
    )
    assert changed.count("t1") == 2
    team.git.commit("merge main")
    assert team.history(caller) == ["a1", "t1", "m1"]
    assert ids(caller(team.alembic, "upgrade")) == ["t1", "m1"]
    assert caller.tables(team.engine) == {"a1", "t1", "m1"}
    assert caller(team.alembic, "rebase") == Rebase()


@blocking_only
def test_only_the_first_of_mine_is_changed(team: Team, caller: Caller) -> None:
    before = team.files()
    team.git("merge", "main", fails=True)
    assert caller(team.alembic, "rebase").revisions == ("m1",)
    changed = {n for n, text in team.files().items() if before.get(n, text) != text}
    assert changed == {f"migrations/{team.path('m1').name}"}
    assert team.history(caller) == ["a1", "t1", "t2", "m1", "m2"]


@blocking_only
def test_it_works_in_a_rebase_of_git(team: Team, caller: Caller) -> None:
    """While git replays my commits, its HEAD is their branch."""
    team.git("rebase", "main", fails=True)
    assert caller(team.alembic, "rebase").onto == "t2"
    team.git("add", "--all")
    team.git("rebase", "--continue")
    assert team.history(caller) == ["a1", "t1", "t2", "m1", "m2"]
    assert team.head == "m2\n"
    assert team.git("status", "--porcelain") == ""


@blocking_only
def test_what_is_not_committed_yet_is_mine(team: Team, caller: Caller) -> None:
    team.git("switch", "--quiet", "main")
    write_revision(team.folder, "m3", "t1")
    assert caller(team.alembic, "rebase") == Rebase(
        ("m3",), "t2", (str(team.folder / "head"),)
    )


@blocking_only
@pytest.mark.parametrize("remote", [True, False])
def test_a_merge_that_is_done_can_be_rebased(
    remote: bool, team: Team, caller: Caller, tmp_path: Path
) -> None:
    """Without the head file, git finds no conflict."""
    for branch in "main", "mine":
        team.git("switch", "--quiet", branch)
        team.git("rm", "--quiet", "migrations/head")
        team.git.commit("no head file")

    if remote:
        origin = tmp_path / "origin.git"
        team.git("clone", "--quiet", "--bare", ".", str(origin))
        team.git("remote", "add", "origin", str(origin))
        team.git("push", "--quiet", "--set-upstream", "origin", "mine")
        team.git("update-ref", "refs/remotes/origin/main", "main")
        team.git(
            *("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
        )

    team.git("merge", "--quiet", "main")
    assert caller(team.alembic, "rebase").revisions == ("m1",)


@blocking_only
def test_what_was_published_stays_where_it_is(team: Team, caller: Caller) -> None:
    """Also where a branch is merged into the main one: databases have applied it."""
    team.git("update-ref", "refs/remotes/origin/main", "main")
    team.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    team.git("switch", "--quiet", "main")
    team.git("merge", "mine", fails=True)
    assert caller(team.alembic, "rebase").onto == "t2"
    assert team.history(caller) == ["a1", "t1", "t2", "m1", "m2"]


@blocking_only
@pytest.mark.parametrize(
    ("revision", "onto"),
    [("m1", "t2"), ("m2", None), (None, "t2"), ("m2", "t2")],
)
def test_the_sides_can_be_named(
    revision: str | None, onto: str | None, team: Team, caller: Caller
) -> None:
    team.git("merge", "main", fails=True)
    done = caller(team.alembic, "rebase", revision, onto)
    assert done.revisions == ("m1",)
    assert done.onto == "t2"


@blocking_only
def test_theirs_can_be_put_on_top_of_mine(team: Team, caller: Caller) -> None:
    team.git("merge", "main", fails=True)
    assert caller(team.alembic, "rebase", "t1").revisions == ("t1",)
    assert team.history(caller) == ["a1", "m1", "m2", "t1", "t2"]
    assert team.head == "t2\n"


@blocking_only
def test_git_must_tell_which_are_mine(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1")
    write_revision(project.folder, "b1", "a1")
    write_revision(project.folder, "b2", "a1")

    with pytest.raises(RevisionError, match="b1 and b2 is yours.*--onto"):
        caller(project.alembic, "rebase")

    assert caller(project.alembic, "rebase", "b1").onto == "b2"


@blocking_only
def test_three_heads_are_rebased_one_after_another(team: Team, caller: Caller) -> None:
    team.git("merge", "main", fails=True)
    write_revision(team.folder, "x1", "a1")

    with pytest.raises(MultipleHeadsError, match="one after another") as info:
        caller(team.alembic, "rebase")

    assert {*info.value.heads} == {"m2", "t2", "x1"}
    assert caller(team.alembic, "rebase", "m2", "t2").head_files == ()
    assert caller(team.alembic, "rebase", "x1", "m2").revisions == ("x1",)
    assert team.head == "x1\n"


@blocking_only
def test_a_merge_of_my_branches_moves_with_them(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """Each of the first ones of mine gets their head as parent, and a merge keeps those
    of mine.
    """
    project = Project(tmp_path, engines)
    folder = project.folder
    write_revision(folder, "a0")
    write_revision(folder, "a1", "a0")
    write_revision(folder, "t1", "a1")
    write_revision(folder, "m1", "a1")
    write_revision(folder, "m2", "a0")
    write_revision(folder, "m3", ("m1", "m2", "a1"))
    done = caller(project.alembic, "rebase", "m3")
    assert {*done.revisions} == {"m1", "m2", "m3"}
    parents = {s.revision: s.down_revision for s in caller(project.alembic, "log")}
    assert (parents["m1"], parents["m2"]) == ("t1", "t1")
    assert parents["m3"] == ("m1", "m2")
    caller(project.alembic, "upgrade")
    assert caller.versions(project.engine) == ["m3"]


@blocking_only
def test_the_first_revisions_of_two_branches_can_be_rebased(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_revision(project.folder, "t1")
    path = write_revision(project.folder, "m1")
    caller(project.alembic, "rebase", "m1")
    assert 'down_revision = "t1"' in path.read_text()


@blocking_only
def test_branches_of_their_own_are_no_conflict(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, version_locations=[("other", "other")])
    write_revision(project.folder, "a1")
    write_revision(tmp_path / "other", "o1", labels=["other"])
    assert caller(project.alembic, "rebase") == Rebase()

    with pytest.raises(RevisionError, match=r"no common ancestor.*o1"):
        caller(project.alembic, "rebase", "a1", "o1")


@blocking_only
def test_what_mine_depends_on_may_come_before_it_anyway(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1")
    write_revision(project.folder, "t1", "a1")
    write_revision(project.folder, "t2", "t1")
    write_revision(project.folder, "m1", "a1", depends_on="t1")
    caller(project.alembic, "rebase", "m1")
    assert ids(caller(project.alembic, "upgrade")) == ["a1", "t1", "t2", "m1"]
    assert caller.versions(project.engine) == ["m1"]


@blocking_only
def test_theirs_must_not_depend_on_mine(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1")
    write_revision(project.folder, "m1", "a1")
    write_revision(project.folder, "m2", "m1")
    write_revision(project.folder, "t1", "a1", depends_on="m1")
    before = project.files()

    with pytest.raises(RevisionError, match="t1, which would.* depends on m1"):
        caller(project.alembic, "rebase", "m2")

    assert project.files() == before


@on(ONE_OF_EACH_KIND)
def test_a_database_that_has_applied_mine_is_named(
    backend: Backend, teams: Teams, caller: Caller
) -> None:
    """It would count as having theirs, too. The downgrade that is advised helps."""
    team = teams(backend=backend)
    team.add(caller, "t1")
    team.add(caller, "m1", "mine")
    team.add(caller, "m2", "mine")
    caller(team.alembic, "upgrade")
    team.git("merge", "main", fails=True)
    before = team.files()

    with pytest.raises(
        RevisionError, match="'default' has applied revision m1"
    ) as info:
        caller(team.alembic, "rebase")

    assert team.files() == before
    [target] = re.findall(r"'db downgrade (.+)'", str(info.value))
    caller(team.alembic, "downgrade", target)
    assert caller.tables(team.engine) == {"a1"}
    caller(team.alembic, "rebase")
    assert ids(caller(team.alembic, "upgrade")) == ["t1", "m1", "m2"]


@on(ONE_OF_EACH_KIND)
def test_a_database_that_has_applied_both_keeps_theirs(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, backend=backend)

    for revision, parent in ("a1", None), ("t1", "a1"), ("m1", "a1"), ("m2", "m1"):
        drop = f"op.drop_table('{revision}')"
        table = create_table(revision)
        write_revision(project.folder, revision, parent, table, drop)

    caller(project.alembic, "upgrade")

    with pytest.raises(RevisionError, match="has applied revision m1") as info:
        caller(project.alembic, "rebase", "m1")

    [target] = re.findall(r"'db downgrade (.+)'", str(info.value))
    caller(project.alembic, "downgrade", target)
    assert caller.versions(project.engine) == ["t1"]
    assert caller.tables(project.engine) == {"a1", "t1"}


@blocking_only
def test_a_database_that_is_down_is_left_out(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """The files of a laptop are rebased without the database of production."""
    project = Project(
        tmp_path,
        engines,
        metadatas={"default": sa.MetaData(), "other": sa.MetaData()},
    )
    folder = tmp_path / "missing" / "app.db"
    project.engines["other"] = sa.create_engine(f"sqlite:///{folder}")
    project.alembic.__init__(  # type: ignore[misc]
        project.app, metadatas=project.metadatas, engines=project.engines
    )
    write_revision(project.folder, "a1")
    write_revision(project.folder, "m1", "a1")
    write_revision(project.folder, "t1", "a1")
    assert caller(project.alembic, "rebase", "m1").revisions == ("m1",)


@blocking_only
def test_parents_that_are_computed_are_not_replaced(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1")
    write_revision(project.folder, "t1", "a1")
    path = write_revision(project.folder, "m1", "a1")
    path.write_text(path.read_text().replace("'a1'", "'a' + '1'"))
    before = project.files()

    with pytest.raises(RevisionFileError, match=r'line 5: .* to "t1" by hand'):
        caller(project.alembic, "rebase", "m1")

    assert project.files() == before
