"""Commands that show where a database is, and what the history has."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from ..backends import Backend
from ..harness import Framework
from ..harness import write_revision
from ..projects import AS_ALEMBIC
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .project import ProjectFactory


@on_every_app
def test_current_shows_where_the_database_is(db: Project) -> None:
    assert db("current") == ""
    db("upgrade", "b2")
    assert db("current") == "a1 -> b2, Revision b2.\n"
    db("upgrade")
    assert db("current") == "b2 -> c3 (head), Revision c3.\n"


@on_every_app
def test_current_with_check_heads_fails_until_all_is_applied(db: Project) -> None:
    db("upgrade", "b2")
    expected = "Database is not on all head revisions\n"
    assert db("current", "--check-heads", fails=1) == expected
    db("upgrade")
    expected = "b2 -> c3 (head), Revision c3.\n"
    assert db("current", "--check-heads") == expected


@on_one_app
@pytest.mark.parametrize("option", ["-v", "--verbose"])
@pytest.mark.parametrize(
    ("command", "revision"), [("current", "c3"), ("heads", "c3"), ("log", "a1")]
)
def test_verbose_shows_all_of_a_revision(
    db: Project, command: str, revision: str, option: str
) -> None:
    db("upgrade")
    output = db(command, option)
    assert f"Rev: {revision}" in output
    assert f"Path: {db.migrations / revision}.py" in output
    assert f"Revision {revision}." in output


@on_every_app
def test_heads_shows_the_newest_revisions(db: Project) -> None:
    write_revision(db.migrations, "d4", "b2")
    assert db("heads") == (
        "b2 -> c3 (head), Revision c3.\nb2 -> d4 (head), Revision d4.\n"
    )


@on_one_app
def test_heads_can_treat_dependencies_as_parents(db: Project) -> None:
    write_revision(db.migrations, "d4", None, labels=["other"], depends_on="c3")
    assert re.findall(r"-> (\w+)", db("heads")) == ["c3", "d4"]
    assert db("heads", "--resolve-dependencies") == (
        "<base> (c3) -> d4 (other) (head), Revision d4.\n"
    )


@on_every_app
def test_branches_shows_where_the_history_forks(db: Project) -> None:
    assert db("branches") == ""
    write_revision(db.migrations, "d4", "b2")
    assert db("branches") == (
        "a1 -> b2 (branchpoint), Revision b2.\n"
        "    -> b2 -> c3 (head), Revision c3.\n"
        "    -> b2 -> d4 (head), Revision d4.\n"
    )


@on_one_app
@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_branches_can_be_verbose(db: Project, option: str) -> None:
    write_revision(db.migrations, "d4", "b2")
    output = db("branches", option)
    assert "Branches into: " in output
    assert "    -> b2 -> d4 (head)" in output


@on_every_app
def test_log_shows_the_newest_first(db: Project) -> None:
    assert db("log") == (
        "b2 -> c3 (head), Revision c3.\n"
        "a1 -> b2, Revision b2.\n"
        "<base> -> a1, Revision a1.\n"
    )


@on_every_app
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--start", "b2"), ["c3", "b2"]),
        (("--end", "b2"), ["b2", "a1"]),
        (("--start", "b2", "--end", "b2"), ["b2"]),
        (("--start", "current"), ["c3", "b2"]),
        (("--end", "current"), ["b2", "a1"]),
    ],
)
def test_log_can_show_a_part(
    db: Project, options: tuple[str, ...], expected: list[str]
) -> None:
    db("upgrade", "b2")
    assert re.findall(r"-> (\w+)", db("log", *options)) == expected


@on_every_app
def test_show_shows_the_heads_by_default(db: Project) -> None:
    assert re.findall(r"Rev: (\w+)", db("show")) == ["c3"]


@on_every_app
def test_show_shows_the_given_revisions(db: Project) -> None:
    db("upgrade", "b2")
    assert re.findall(r"Rev: (\w+)", db("show", "a1", "c3")) == ["a1", "c3"]
    assert re.findall(r"Rev: (\w+)", db("show", "current")) == ["b2"]


@on_every_app
def test_check_compares_the_models_with_the_database(db: Project) -> None:
    db("upgrade")
    assert db("check") == "No changes detected.\n"
    db.look.execute(db.engine, "DROP TABLE tags", "CREATE TABLE extra (id INTEGER)")
    db.app.config |= AS_ALEMBIC
    output = db("check", fails=1)
    assert output.startswith("Changes detected.\n")
    assert "  add table tags\n" in output
    assert "  remove table extra\n" in output


@on_every_app
def test_check_fails_if_there_was_nothing_to_compare(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    """A job in CI that passes then is worth nothing."""
    db = project_for(framework, backend, metadatas=sa.MetaData())
    (db.root / "models.py").write_text("users = Table('users', metadata)")
    output = db("check", fails=1)
    assert output.startswith("Error: The metadata has no tables, so nothing was")
    assert "Nothing has imported 'models.py'" in output
    db.look.execute(db.engine, "CREATE TABLE users (id INTEGER)")
    db.app.config |= AS_ALEMBIC
    assert db("check", fails=1) == "Changes detected.\n  remove table users\n"


@on_one_app
def test_check_names_every_kind_of_difference(db: Project) -> None:
    """A line each, so that a failed job in CI tells what was forgotten."""
    db("stamp")
    db.look.execute(
        db.engine,
        "CREATE TABLE users (id INTEGER NOT NULL, name VARCHAR(9), PRIMARY KEY (id))",
        "CREATE INDEX by_name ON users (name)",
        "CREATE TABLE posts (id VARCHAR(5) NOT NULL PRIMARY KEY)",
        "CREATE TABLE tags (id INTEGER PRIMARY KEY NOT NULL, UNIQUE (id))",
    )
    expected = ["Changes detected.", "  modify type posts.id", "  remove column users"]
    lines = db("check", fails=1)
    assert all(line in lines for line in expected)
    assert "  remove index by_name on users" in lines
    assert "  remove column users.name" in lines


@on_every_app
def test_check_asks_for_an_upgrade_first(db: Project) -> None:
    """What an unapplied revision does would be listed as forgotten."""
    line = db("check", fails=1)
    assert line.startswith("Error: Database 'default' is not at head")
    assert "Run 'db upgrade' first" in line


@on_every_app
def test_status_says_how_far_the_database_is(db: Project) -> None:
    assert db("status", fails=3) == (
        "empty, 3 pending\n"
        "  heads: c3\n"
        "  pending: a1, Revision a1.\n"
        "  pending: b2, Revision b2.\n"
        "  pending: c3, Revision c3.\n"
    )
    db("upgrade", "b2")
    assert db("status", fails=3).startswith("behind at b2, 1 pending\n")
    db("upgrade")
    assert db("status") == "current at c3\n"
    version = "UPDATE alembic_version SET version_num = 'x9'"
    db.look.execute(db.engine, version)
    assert db("status", fails=4) == (
        "ahead at x9\n  not in the code: x9\n  heads: c3\n"
    )


@on_one_app
def test_status_names_the_next_ten_revisions(db: Project) -> None:
    parent = "c3"

    for number in range(9):
        write_revision(db.migrations, f"d{number}", parent)
        parent = f"d{number}"

    lines = db("status", fails=3).splitlines()
    assert lines[0] == "empty, 12 pending"
    assert lines[-2:] == ["  pending: d6, Revision d6.", "  pending: 2 more"]


@on_every_app
def test_wait_ends_when_the_database_is_current(db: Project) -> None:
    """For containers that must not migrate."""
    output = db("wait", "--timeout", "0.1", fails=1)
    assert output.startswith("Error: The databases did not become current within 0.1 s")
    db("upgrade")
    assert db("wait") == "No revision is pending.\n"
    assert db("wait", "--quiet") == ""
    db.look.execute(db.engine, "UPDATE alembic_version SET version_num = 'ffff'")
    assert "ffff" in db("wait", fails=1)
    assert db("wait", "--allow-ahead") == "No revision is pending.\n"


@on_every_app
def test_drift_is_shown_by_what_is_there_and_what_is_not(db: Project) -> None:
    db("upgrade")
    assert db("check", "--drift") == "The database is what its revisions make.\n"
    db.look.execute(db.engine, "CREATE TABLE other (id INTEGER)", "DROP TABLE tags")
    heading, *lines = db("check", "--drift", fails=1).splitlines()
    assert heading == "The database ('+') differs from what its revisions make ('-')."
    assert "  + table other" in lines and "  - table tags" in lines


@on_one_app
def test_one_check_at_a_time(db: Project) -> None:
    output = db("check", "--drift", "--single-head", fails=2)
    assert "Give one of '--single-head' and '--drift'." in output
