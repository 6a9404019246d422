"""An app, and the ``db`` group to run commands of."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask.sansio.app import App

import async_alembic
from async_alembic import Alembic

from ..backends import Backend
from ..backends import by_id
from ..backends import on
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import on_both_frameworks
from ..harness import write_revision

TIME = r"\((\d+ ms|\d+\.\d s)\)"
BOTH_KINDS = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]


def invoke(app: App, *args: str, input: str | None = None) -> Result:
    """Run a command as the user's tests do. What is raised on purpose stays one
    sentence; everything else fails the test.
    """
    runner: Any = cast("Any", app).test_cli_runner()
    return cast("Result", runner.invoke(args=args, input=input, catch_exceptions=False))


@dataclass
class Project:
    """An app with a database, and the ``db`` group to run commands of."""

    app: App
    alembic: Alembic
    engine: AnyEngine
    root: Path
    look: Caller

    def __call__(self, *args: str, fails: int = 0) -> str:
        """Run a command of the group.

        :param fails: The exit code that is expected.
        :return: What it printed.
        """
        result = invoke(self.app, "db", *args)
        assert result.exit_code == fails, result.output
        return result.output

    @property
    def migrations(self) -> Path:
        return self.root / "migrations"

    @property
    def versions(self) -> list[str]:
        return self.look.versions(self.engine)

    @property
    def tables(self) -> set[str]:
        return self.look.tables(self.engine)

    def created(self, output: str) -> str:
        """The text of the file that a command says it has created."""
        match = re.fullmatch(r"(?:  .+\n)*Created (.+\.py)\n", output)
        assert match, output
        return Path(match[1]).read_text()


ProjectFactory = Callable[..., Project]


def metadata() -> sa.MetaData:
    metadata = sa.MetaData()

    for name in "users", "posts", "tags":
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))

    return metadata


def write_history(folder: Path) -> None:
    parent = None

    for revision, table in ("a1", "users"), ("b2", "posts"), ("c3", "tags"):
        write_revision(
            folder, revision, parent, create_table(table), f"op.drop_table('{table}')"
        )
        parent = revision


def on_every_app(test: Any) -> Any:
    """Run a test on both frameworks, with both kinds of engine."""
    return on(BOTH_KINDS)(on_both_frameworks(test))


def on_one_app(test: Any) -> Any:
    """Run a test once, as only the printed text is of interest."""
    test = pytest.mark.parametrize("framework", ["flask"])(test)
    return on(BOTH_KINDS[:1])(test)


APP = """
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from {framework} import {Framework}
from async_alembic import Alembic

def create_app(name="shop"):
    app = {Framework}(name, root_path={root!r})
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    engine = {make}({url!r})
    Alembic(app, metadatas=metadata, engines=engine)
    return app
"""
#: A line of ``python -X importtime``.
IMPORT = re.compile(r"^import time:[\s\d|]+\|\s+(\S+)$", re.MULTILINE)
MAKE = {False: "sa.create_engine", True: "create_async_engine"}


def run(root: Path, *args: str, check: bool = True) -> tuple[int, str, str]:
    """Run Python in a process of its own, where the module of the app is found.

    :return: The exit code, the output and the errors.
    """
    result = subprocess.run(
        [sys.executable, *args],
        cwd=root,
        env=environ_of(root),
        capture_output=True,
        text=True,
        timeout=60,
    )
    errors = [line for line in result.stderr.splitlines() if not IMPORT.search(line)]
    assert not check or result.returncode == 0, errors
    return result.returncode, result.stdout, result.stderr


def run_on_terminal(root: Path, *args: str, answers: str) -> str:
    """Run Python on a terminal, where somebody types.

    :return: What is on the terminal at the end.
    """
    terminal, other_end = pty.openpty()

    with subprocess.Popen(
        [sys.executable, *args],
        cwd=root,
        env=environ_of(root),
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
    ) as process:
        os.close(other_end)
        os.write(terminal, answers.encode())
        shown = b""

        # The terminal is gone with the process.
        with contextlib.suppress(OSError):
            while chunk := os.read(terminal, 4096):
                shown += chunk

    os.close(terminal)
    assert process.returncode == 0, shown
    return shown.decode().replace("\r\n", "\n")


def environ_of(root: Path) -> dict[str, str]:
    source = Path(async_alembic.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(source)])}


def write_app(
    framework: Framework, backend: Backend, root: Path, url: sa.URL | None = None
) -> None:
    """Write a module ``shop`` with an app factory."""
    url = url or sa.URL.create(backend.drivername, database=str(root / "shop.db"))
    text = APP.format(
        framework=framework,
        Framework=framework.title(),
        root=str(root),
        url=url.render_as_string(hide_password=False),
        make=MAKE[backend.is_async],
    )
    (root / "shop.py").write_text(text)
