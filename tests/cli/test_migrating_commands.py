"""``stamp``, ``upgrade`` and ``downgrade``."""

from __future__ import annotations

import re

import pytest

from ..backends import Backend
from ..harness import Framework
from ..harness import write_revision
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .project import ProjectFactory
from .project import TIME


@on_every_app
def test_stamp_sets_the_revision_and_runs_nothing(db: Project) -> None:
    assert db("stamp") == "stamp c3, Revision c3.\n"
    assert db.versions == ["c3"]
    assert db("stamp", "b2") == "stamp b2, Revision b2.\n"
    assert db.versions == ["b2"]
    assert db("stamp", "base") == "stamp base\n"
    assert db.versions == []
    assert db("stamp", "a1", "--quiet") == ""
    db("stamp", "base")
    assert db.tables == set()


@on_every_app
def test_stamp_takes_several_revisions(db: Project) -> None:
    write_revision(db.migrations, "d4", "b2")
    assert db("stamp", "c3", "d4") == "stamp c3, Revision c3.\nstamp d4, Revision d4.\n"
    assert db.versions == ["c3", "d4"]


@on_every_app
def test_stamp_can_forget_a_revision_that_the_code_does_not_have(db: Project) -> None:
    db("upgrade")
    db.look.execute(db.engine, "UPDATE alembic_version SET version_num = 'gone'")
    assert "gone" in db("stamp", "b2", fails=1)
    assert db.versions == ["gone"]
    db("stamp", "b2", "--purge")
    assert db.versions == ["b2"]


@on_every_app
def test_upgrade_shows_each_revision_with_its_time(db: Project) -> None:
    lines = db("upgrade").splitlines()

    for number, revision in enumerate(["a1", "b2", "c3"], 1):
        text = rf"{number} of 3: upgrade {revision}, Revision {revision}\. {TIME}"
        assert re.fullmatch(text, lines[number - 1])

    assert len(lines) == 3

    assert db.versions == ["c3"]
    assert db.tables == {"users", "posts", "tags"}


@on_every_app
def test_a_revision_is_shown_before_it_is_done(db: Project) -> None:
    """So that one sees what takes so long."""
    write_revision(
        db.migrations,
        "d4",
        "c3",
        "while b'2 of 2: upgrade d4' not in sys.stdout.buffer.getvalue():\n"
        "    time.sleep(0.01)",
        top="import sys, time",
    )
    db("upgrade", "b2")
    lines = db("upgrade").splitlines()
    assert re.fullmatch(rf"1 of 2: upgrade c3, Revision c3\. {TIME}", lines[0])
    assert re.fullmatch(rf"2 of 2: upgrade d4, Revision d4\. {TIME}", lines[1])


@on_one_app
def test_a_slow_revision_shows_seconds(db: Project) -> None:
    write_revision(db.migrations, "d4", "c3", "import time; time.sleep(1.1)")
    assert re.search(r"upgrade d4, Revision d4\. \(1\.\d s\)\n", db("upgrade"))


@on_every_app
def test_a_second_upgrade_finds_nothing_to_do(db: Project) -> None:
    db("upgrade")
    assert db("upgrade") == "Nothing to upgrade.\n"


@on_one_app
def test_an_upgrade_without_revisions_says_so(db: Project) -> None:
    """As when they are in another folder."""
    for path in db.migrations.glob("*.py"):
        path.unlink()

    assert "there are no revisions" in db("upgrade")


@on_every_app
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("b2", ["b2"]),
        ("+1", ["a1"]),
        ("+2", ["b2"]),
        ("2", ["b2"]),
        ("a1+1", ["b2"]),
        ("head", ["c3"]),
        ("heads", ["c3"]),
        ("branch@head", ["c3"]),
        ("branch@b2", ["b2"]),
    ],
)
def test_upgrade_takes_a_target(db: Project, target: str, expected: list[str]) -> None:
    text = (db.migrations / "a1.py").read_text()
    labelled = text.replace("branch_labels = None", "branch_labels = 'branch'")
    (db.migrations / "a1.py").write_text(labelled)
    db("upgrade", target)
    assert db.versions == expected


@on_every_app
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((), ["b2"]),
        (("1",), ["b2"]),
        (("-1",), ["b2"]),
        (("2",), ["a1"]),
        (("-2",), ["a1"]),
        (("a1",), ["a1"]),
        (("c3-2",), ["a1"]),
        (("base",), []),
    ],
)
def test_downgrade_takes_a_target(
    db: Project, target: tuple[str, ...], expected: list[str]
) -> None:
    """``-1`` is no option, though it looks like one."""
    db("upgrade")
    db("downgrade", *target)
    assert db.versions == expected


@on_every_app
def test_downgrade_shows_each_revision_with_its_time(db: Project) -> None:
    db("upgrade")
    lines = db("downgrade", "a1").splitlines()

    for number, revision in enumerate(["c3", "b2"], 1):
        text = rf"{number} of 2: downgrade {revision}, Revision {revision}\. {TIME}"
        assert re.fullmatch(text, lines[number - 1])

    assert db.tables == {"users"}


@on_every_app
def test_a_downgrade_to_where_the_database_is_does_nothing(db: Project) -> None:
    db("upgrade", "b2")
    assert db("downgrade", "b2") == "Nothing to downgrade.\n"


@on_every_app
def test_a_number_is_a_revision_id_if_there_is_such_a_revision(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    """Flask-Alembic's ids are numbers, and those of hand-written files often are."""
    db = project_for(framework, backend)
    write_revision(db.migrations, "1700000001")
    write_revision(db.migrations, "2", "1700000001")
    write_revision(db.migrations, "1700000003", "2")
    db("upgrade", "2")
    assert db.versions == ["2"]
    # There is no revision '1', so it counts.
    db("upgrade", "1")
    assert db.versions == ["1700000003"]
    db("downgrade", "2")
    assert db.versions == ["2"]
    db("upgrade", "1700000003")
    db("downgrade", "1700000001")
    assert db.versions == ["1700000001"]


@on_every_app
def test_a_failed_revision_is_named_and_the_database_as_it_was(db: Project) -> None:
    write_revision(db.migrations, "d4", "c3", "op.execute('SELEKT 1')")
    db("upgrade", "b2")
    lines = db("upgrade", fails=1).splitlines()
    assert re.fullmatch(rf"1 of 2: upgrade c3, Revision c3\. {TIME}", lines[0])
    assert lines[1] == "2 of 2: upgrade d4, Revision d4. failed"
    assert lines[2].startswith(
        "Error: The upgrade of database 'default' failed in revision d4"
    )
    assert "SELEKT 1" in lines[2]
    assert len(lines) == 3
    assert db.versions == ["b2"]
    assert db.tables == {"users", "posts"}
