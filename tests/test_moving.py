"""The examples of moving: a database that the peer has made from ``before`` goes on
with ``after``, which has the same models and revisions.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from flask.sansio.app import App
from sqlalchemy import exc as sa_exc

from .engines import disposing_engines
from .peers import require_peer
from .test_examples import EXAMPLES
from .test_examples import run_cli

FLASK_MIGRATE = ("flask", "--app", "before", "db", "upgrade")


class Move(NamedTuple):
    """An example.

    :param name: Its folder, without what all have in common.
    :param package: What its users come from.
    :param command: What made the database.
    :param module: The module with the app.
    :param driver: That of the app.
    """

    name: str
    package: str = "flask_migrate"
    command: tuple[str, ...] = FLASK_MIGRATE
    module: str = "after"
    driver: str = "sqlite"

    def __str__(self) -> str:
        return self.name


RICH = Move("flask-migrate-env-py")
MOVES = [
    Move("flask-migrate"),
    Move("flask-migrate-multidb"),
    Move(
        "flask-migrate-package",
        command=("flask", "--app", "shop.before", "db", "upgrade"),
        module="shop.after",
    ),
    RICH,
    Move("flask-alembic", "flask_alembic"),
    Move(
        "alembic", "alembic", ("alembic", "upgrade", "head"), driver="sqlite+aiosqlite"
    ),
    Move(
        "advanced-alchemy",
        "advanced_alchemy",
        ("flask", "--app", "before", "database", "upgrade", "--no-prompt"),
    ),
]


class Project:
    """A copy of an example.

    :param move: The example.
    :param folder: Where to copy it to.
    """

    def __init__(self, move: Move, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(
            EXAMPLES / f"moving-from-{move.name}",
            folder,
            ignore=shutil.ignore_patterns("*.db", "instance", "__pycache__"),
        )
        self._module = move.module
        self._command = move.command
        self._files = [folder / "shop.db", folder / "log.db"]
        names = ["DATABASE_URL", "LOG_DATABASE_URL"]
        self.environ = {
            name: f"{move.driver}:///{file}"
            for name, file in zip(names, self._files, strict=True)
        }

    def begin(self) -> None:
        """Let the peer make the databases."""
        done = subprocess.run(
            [sys.executable, "-m", *self._command],
            cwd=self.folder,
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.execute("INSERT INTO user (id, name) VALUES (1, 'Ada')")

    @property
    def files(self) -> dict[Path, bytes]:
        """What is in each file, other than databases and bytecode."""
        return {
            path: path.read_bytes()
            for path in self.folder.rglob("*")
            if path.suffix in {".py", ".ini", ".mako"}
        }

    @property
    def schema(self) -> list[str]:
        statement = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY sql"
        existing = [file for file in self._files if file.exists()]
        return [row[0] for file in existing for row in _execute(file, statement)]

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        return _execute(self._files[0], statement)

    def load(self) -> tuple[App, dict[str, sa.Table]]:
        """Import the app that was moved, and its tables."""
        package = self._module.rpartition("after")[0]

        with warnings.catch_warnings():
            # Of Advanced Alchemy, which was written for SQLAlchemy 2.0.
            warnings.simplefilter("ignore", sa_exc.SADeprecationWarning)
            models = importlib.import_module(f"{package}models")
            app: App = importlib.import_module(self._module).create_app()

        mapped = [getattr(models, name, None) for name in ("User", "Visit")]
        return app, {model.__name__: model.__table__ for model in mapped if model}


def _execute(file: Path, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)

    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


@pytest.fixture
def project(
    move: Move,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    runner: asyncio.Runner,
) -> Iterator[Project]:
    require_peer(move.package)
    project = Project(move, tmp_path / "project")
    monkeypatch.syspath_prepend(project.folder)
    before = {*sys.modules}

    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)

    with disposing_engines(runner):
        yield project

    for name in {"after", "models", "shop", "shop.after", "shop.models"} - before:
        sys.modules.pop(name, None)


@pytest.fixture
def moved(project: Project) -> Iterator[tuple[App, dict[str, sa.Table]]]:
    app, tables = project.load()
    yield app, tables

    if (extension := app.extensions.get("advanced_alchemy")) is not None:
        extension.portal_provider.stop()


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_who_moves_loses_nothing(
    project: Project, moved: tuple[Any, dict[str, sa.Table]]
) -> None:
    app, tables = moved
    project.begin()
    files, schema = project.files, project.schema
    assert run_cli(app, "upgrade").output == "Nothing to upgrade.\n"
    assert run_cli(app, "check").output == "No changes detected.\n"

    for table in tables.values():
        table.append_column(sa.Column("note", sa.String(50)))

    assert run_cli(app, "revision", "add notes").exit_code == 0
    upgraded = run_cli(app, "upgrade").output.splitlines()
    assert len(upgraded) == len(tables)
    assert run_cli(app, "check").output == "No changes detected.\n"
    assert project.execute("SELECT id, name, note FROM user") == [(1, "Ada", None)]

    added = project.files.keys() - files.keys()
    [first] = project.folder.rglob("*create_user*.py")
    assert {path.parent for path in added} == {first.parent}
    assert project.files.items() >= files.items()

    run_cli(app, "downgrade", "base")
    assert not any("CREATE TABLE user" in statement for statement in project.schema)
    run_cli(app, "upgrade", "+1")
    assert project.schema == schema


@pytest.mark.parametrize("move", [RICH], ids=str)
def test_what_env_py_leaves_alone_is_not_dropped(
    project: Project, moved: tuple[Any, dict[str, sa.Table]]
) -> None:
    """As long as ``ALEMBIC_CONTEXT`` doesn't have what ``env.py`` has, nothing runs."""
    app, _ = moved
    run_cli(app, "upgrade")
    project.execute("CREATE TABLE legacy_stock (id INTEGER)")
    assert run_cli(app, "check").output == "No changes detected.\n"
    assert "No changes" in run_cli(app, "revision", "more").output

    app.config["ALEMBIC_CONTEXT"] = {}
    refused = run_cli(app, "revision", "more")
    assert refused.exit_code == 1
    assert "'include_object' in line" in refused.output
    assert "'version_table' in line" in refused.output
