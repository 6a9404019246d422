"""Commands as a user runs them, in a process of their own."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import comparators

from ..backends import Backend
from ..harness import Framework
from ..harness import on_both_frameworks
from ..harness import write_revision
from .project import BOTH_KINDS
from .project import run
from .project import run_on_terminal
from .project import TIME
from .project import write_app


@pytest.mark.parametrize(
    ("framework", "backend"),
    [("flask", BOTH_KINDS[0]), ("quart", BOTH_KINDS[1])],
    ids=str,
    indirect=["backend"],
)
def test_the_command_line_finds_an_app_factory(
    framework: Framework, backend: Backend, tmp_path: Path
) -> None:
    write_app(framework, backend, tmp_path)
    db = ["-m", framework, "--app", "shop:create_app", "db"]
    _, output, errors = run(tmp_path, *db, "revision", "make users")
    assert re.fullmatch(
        r"  add table users\nCreated migrations/\d+_make_users\.py\n", output
    )
    assert errors == ""
    _, output, errors = run(tmp_path, *db, "upgrade")
    assert re.fullmatch(rf"upgrade \d+, make users {TIME}\n", output)
    assert errors == ""
    code, output, errors = run(tmp_path, *db, "upgrade", "x9", check=False)
    assert code == 1
    assert output == ""
    assert errors.startswith("Error: There is no revision or branch 'x9'.")
    assert errors.count("\n") == 1


@on_both_frameworks
def test_a_factory_can_be_called_with_arguments(
    framework: Framework, tmp_path: Path
) -> None:
    write_app(framework, BOTH_KINDS[0], tmp_path)
    db = ["-m", framework, "--app", "shop:create_app('stock')", "db"]
    assert run(tmp_path, *db, "heads") == (0, "", "")


@pytest.mark.parametrize(
    ("framework", "backend", "answer", "dropped"),
    [
        ("flask", BOTH_KINDS[0], "", ""),
        ("quart", BOTH_KINDS[1], "all", "bc"),
        ("flask", BOTH_KINDS[0], "b, c", "bc"),
        ("quart", BOTH_KINDS[1], "c", "c"),
    ],
    ids=str,
    indirect=["backend"],
)
def test_on_a_terminal_one_is_asked_what_to_drop(
    answer: str,
    dropped: str,
    framework: Framework,
    backend: Backend,
    tmp_path: Path,
) -> None:
    write_app(framework, backend, tmp_path)

    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript("CREATE TABLE b (id); CREATE TABLE c (id)")

    revision = "-m", framework, "--app", "shop:create_app", "db", "revision", "users"
    shown = run_on_terminal(tmp_path, *revision, answers=f"{answer}\n")
    assert "no revision has created them:\n  b\n  c\n" in shown
    (file,) = (tmp_path / "migrations").glob("*_users.py")
    found = re.findall(r"^    op.drop_table\('(.)'\)", file.read_text(), re.MULTILINE)
    # What a new revision has created is dropped by its downgrade.
    assert {*found} == {*dropped}


@pytest.mark.skipif(
    not hasattr(comparators, "populate_with"),
    reason="Plugins are new in Alembic 1.18.",
)
@pytest.mark.parametrize(("answer", "is_renamed"), [("y", True), ("", False)])
def test_on_a_terminal_one_is_asked_what_was_renamed(
    answer: str, is_renamed: bool, tmp_path: Path
) -> None:
    write_app("flask", BOTH_KINDS[0], tmp_path)
    db = "-m", "flask", "--app", "shop:create_app", "db"
    (tmp_path / "migrations").mkdir()
    code = "op.create_table('members', sa.Column('id', sa.Integer, primary_key=True))"
    write_revision(tmp_path / "migrations", "a1", None, code)
    run(tmp_path, *db, "upgrade")
    shown = run_on_terminal(tmp_path, *db, "revision", "users", answers=f"{answer}\n")
    assert "Was 'members' renamed to 'users'? [y/N]: " in shown
    (file,) = (tmp_path / "migrations").glob("*_users.py")
    text = file.read_text()
    assert ("    op.rename_table('members', 'users')" in text) is is_renamed
    assert ("    op.drop_table('members')" in text) is not is_renamed


def test_a_terminal_is_asked_nothing_where_nothing_is_unknown(tmp_path: Path) -> None:
    write_app("flask", BOTH_KINDS[0], tmp_path)
    db = "-m", "flask", "--app", "shop:create_app", "db"
    shown = run_on_terminal(tmp_path, *db, "revision", "users", answers="")
    assert "Created migrations/" in shown
    assert shown.count("\n") == 2
