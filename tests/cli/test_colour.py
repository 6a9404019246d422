"""When the command line prints in colour."""

from __future__ import annotations

import contextlib
import io
from typing import Any
from typing import cast

import pytest

from ..harness import write_revision
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .terminal import Terminal
from .terminal import terminal as terminal

YELLOW, GREEN, RED = "\x1b[33m", "\x1b[32m", "\x1b[31m"
END = "\x1b[0m"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "NO_COLOR", "FORCE_COLOR":
        monkeypatch.delenv(name, raising=False)


def errors_of(db: Project, *args: str) -> str:
    group: Any = cast("Any", db.app).cli.commands["db"]

    with contextlib.redirect_stderr(io.StringIO()) as errors, pytest.raises(SystemExit):
        group.main(args)

    return errors.getvalue()


@on_every_app
def test_color_may_stand_before_the_command_or_after_it(db: Project) -> None:
    for args in ("--color", "always", "log"), ("log", "--color", "always"):
        assert f"a1 -> {YELLOW}b2{END}, Revision b2." in db(*args)


@on_one_app
def test_elsewhere_than_on_a_terminal_nothing_is_coloured(db: Project) -> None:
    for args in ("log",), ("upgrade",), ("log", "-i"), ("current",), ("show", "a1"):
        assert "\x1b" not in db(*args)

    assert "\x1b" not in errors_of(db, "show", "nowhere")


@on_one_app
def test_the_environment_forces_colours(
    db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a job of CI, whose log shows colours. It can draw no line again."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = db("upgrade")
    assert f"upgrade {YELLOW}a1{END}, Revision a1.{GREEN} (" in output
    assert "\r" not in output
    assert "\x1b" not in db("log", "--color", "never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in db("log")
    assert "\x1b" in db("log", "--color", "always")


@on_one_app
def test_no_color_leaves_a_terminal_without_escape_codes(
    db: Project, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.run(db.app, "upgrade")
    terminal.run(db.app, "log", "-i")
    terminal.close()
    assert "\x1b" not in terminal.written
    assert len(terminal.screen) == 6


@on_one_app
def test_an_empty_variable_says_nothing(
    db: Project, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As https://no-color.org has it."""
    monkeypatch.setenv("NO_COLOR", "")
    terminal.run(db.app, "log")
    terminal.close()
    assert YELLOW in terminal.written


@on_one_app
def test_errors_are_red(db: Project) -> None:
    write_revision(db.migrations, "d4", "c3", "op.execute('SELEKT 1')")
    text = errors_of(db, "--color", "always", "upgrade")
    assert text.startswith(f"{RED}Error: The upgrade of database 'default' failed")
    assert text.endswith(f"{END}\n")
    assert errors_of(db, "upgrade", "--color", "always").startswith(f"{RED}Error: ")
    assert errors_of(db, "upgrade").startswith("Error: ")


@on_one_app
@pytest.mark.parametrize("graph", [(), ("--graph",)], ids=str)
def test_the_current_revision_is_marked(db: Project, graph: tuple[str, ...]) -> None:
    db("upgrade", "b2")
    lines = db("--color", "always", "log", "-i", *graph).splitlines()
    marked = [line for line in lines if "(current)" in line]
    assert len(marked) == 1
    assert f"\x1b[33m\x1b[1mb2{END}{GREEN} (current){END}, Revision b2." in marked[0]


@on_one_app
def test_an_id_is_coloured_whatever_else_contains_it(db: Project) -> None:
    write_revision(db.migrations, "a", "c3")
    write_revision(db.migrations, "a.b", "a")
    first, second = db("log", "--color", "always").splitlines()[:2]
    assert first.startswith(f"a -> {YELLOW}a.b{END} (head), Revision a.b.")
    assert second.startswith(f"c3 -> {YELLOW}a{END}, Revision a.")


@on_one_app
def test_what_is_no_choice_is_refused(db: Project) -> None:
    db("--color", "blue", "log", fails=2)
