"""A project that moves from Flask-Alembic, and one that moves back."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import async_alembic
from async_alembic import SyncAlembic

from .drop_in import KINDS
from .drop_in import make_flask
from .drop_in import Model


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_project_can_move(
    kind: str, way: str, original: type[Any], tmp_path: Path
) -> None:
    """The migrations, the database and the config stay; the import is changed."""
    steps: list[type[Any]] = [original, SyncAlembic]
    steps = steps if way == "there" else steps[::-1]
    columns: list[str] = []

    for number, extension in enumerate(steps):
        columns.append(f"column_{number}")
        app, alembic = make_flask(kind, tmp_path, extension, Model(*columns))
        alembic.rev_id = lambda number=number: f"rev{number}"

        with app.app_context():
            assert alembic.needs_revision()
            alembic.revision(f"step {number}")
            alembic.upgrade()
            assert not alembic.needs_revision()
            assert not alembic.needs_upgrade()
            assert [s.revision for s in alembic.current()] == [f"rev{number}"]

    _, alembic = make_flask("plain", tmp_path, SyncAlembic, Model())
    scripts = alembic.log()
    assert [script.down_revision for script in scripts] == ["rev0", None]
    assert [script.branch_labels for script in scripts] == [{"default"}] * 2
    names = {path.name for path in (tmp_path / "migrations").glob("*.py")}
    assert names == {"rev0_step_0.py", "rev1_step_1.py"}


def test_nothing_warns(tmp_path: Path) -> None:
    """A user's ``filterwarnings = error`` holds, from the import to the teardown."""
    code = textwrap.dedent(
        f"""
        import sqlalchemy as sa
        from flask import Flask
        from flask_sqlalchemy import SQLAlchemy
        from async_alembic import SyncAlembic as Alembic

        app = Flask("shop", root_path={str(tmp_path)!r})
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.db"
        db = SQLAlchemy(app)
        class User(db.Model):
            id = db.Column(db.Integer, primary_key=True)
        alembic = Alembic(app)

        with app.app_context():
            alembic.revision("make user")
            alembic.upgrade()
            alembic.op.drop_table("user")
            print(alembic.context.get_current_revision() is not None)
            print([diff[0] for diff in alembic.compare_metadata()])
            alembic.stamp("base")

        with app.app_context():
            db.engine.dispose()
        """
    )
    source = str(Path(async_alembic.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    assert result.stdout == "True\n['add_table']\n"
