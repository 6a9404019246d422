"""The commands for histories that several branches of a repository add to."""

from __future__ import annotations

from ..backends import Backend
from ..harness import Framework
from ..harness import write_revision
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .project import ProjectFactory
from .project import write_history


@on_every_app
def test_rebase_prints_what_it_has_changed(db: Project) -> None:
    write_revision(db.migrations, "m1", "a1")
    write_revision(db.migrations, "m2", "m1")
    assert db("rebase", "m2") == "Put revision m1 on top of c3.\n"
    assert db("rebase") == "Nothing to rebase: there is one head.\n"


@on_one_app
def test_rebase_needs_to_know_which(db: Project) -> None:
    write_revision(db.migrations, "m1", "a1")
    assert "Name them: 'db rebase MINE --onto THEIRS'" in db("rebase", fails=1)
    assert db("rebase", "m1", "--onto", "c3") == "Put revision m1 on top of c3.\n"


@on_one_app
def test_rebase_names_the_head_file(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    db = project_for(framework, backend, config={"ALEMBIC": {"linear": True}})
    write_history(db.migrations)
    (db.migrations / "head").write_text("other\n")
    assert "'db rebase'" in db("check", "--single-head", fails=1)
    assert db("rebase").startswith("Wrote ")
    assert (db.migrations / "head").read_text() == "c3\n"


@on_every_app
def test_a_single_head_can_be_checked_without_a_database(db: Project) -> None:
    assert db("check", "--single-head") == "The history has one head.\n"
    write_revision(db.migrations, "m1", "a1")
    output = db("check", "--single-head", fails=1)
    assert "c3, m1" in output and "'db rebase'" in output
    assert db.tables == set()


@on_every_app
def test_squash_prints_what_it_has_written_and_removed(db: Project) -> None:
    output = db("squash", "base..b2", "-m", "first tables").splitlines()
    names = [line.rpartition("/")[2] for line in output]
    assert names == ["b2_first_tables.py", "a1.py", "b2.py"]
    assert [line.partition(" ")[0] for line in output] == ["Created", *["Removed"] * 2]
    db("upgrade")
    assert db.tables == {"users", "posts", "tags"}


@on_one_app
def test_squash_takes_a_range(db: Project) -> None:
    for text in "b2", "..b2", "base..":
        assert "'db squash base..REVISION'" in db("squash", text, fails=2)
