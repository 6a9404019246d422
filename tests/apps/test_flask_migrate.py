"""What an app has said to Flask-Migrate counts, as long as its extension is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import Migrate  # type: ignore[import-untyped]
from flask_sqlalchemy import SQLAlchemy

from async_alembic import Alembic
from async_alembic import ConfigurationError
from async_alembic import ScriptLocationError
from async_alembic.apps.flask_migrate import MigrateArguments

from ..backends import by_id
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import make_app
from ..harness import write_revision


def ignore_legacy(object: object, name: str | None, *args: object) -> bool:
    return name != "legacy"


class Moving:
    """An app that has Flask-Migrate and this extension."""

    def __init__(self, root: Path, engines: EngineFactory, **arguments: Any) -> None:
        self.engine = engines(by_id("sqlite-sqlite3"))
        url = self.engine.url.render_as_string()
        self.app = make_app("flask", root, SQLALCHEMY_DATABASE_URI=url)
        db = SQLAlchemy(cast("Flask", self.app))
        self.migrate = Migrate(self.app, db, command="old", **arguments)
        self.alembic = Alembic(
            self.app, metadatas=sa.MetaData(), engines=self.engine, run_mkdir=False
        )


def test_its_arguments_are_taken(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    write_revision(tmp_path / "migrations", "a1")
    moving = Moving(
        tmp_path, engines, include_object=ignore_legacy, version_table="versions"
    )
    caller(moving.alembic, "upgrade")
    caller.execute(moving.engine, "CREATE TABLE legacy (id INTEGER)")
    assert caller(moving.alembic, "compare_metadata") == []
    assert caller.query(moving.engine, "SELECT * FROM versions") == [("a1",)]


def test_the_config_of_the_app_comes_first(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    write_revision(tmp_path / "migrations", "a1")
    moving = Moving(tmp_path, engines, version_table="theirs")
    moving.app.config["ALEMBIC_CONTEXT"]["version_table"] = "ours"
    caller(moving.alembic, "upgrade")
    assert caller.query(moving.engine, "SELECT * FROM ours") == [("a1",)]


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [({}, {}), ({"render_as_batch": False}, {"render_as_batch": False})],
)
def test_its_own_defaults_say_nothing(
    arguments: dict[str, bool],
    taken: dict[str, bool],
    tmp_path: Path,
    engines: EngineFactory,
) -> None:
    app = Moving(tmp_path, engines, **arguments).app
    assert MigrateArguments.of(app.extensions["migrate"]).context == taken


def test_a_function_that_edits_the_config_is_named(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    write_revision(tmp_path / "migrations", "a1")
    moving = Moving(tmp_path, engines)

    @moving.migrate.configure  # type: ignore[untyped-decorator]
    def add_template(config: Any) -> Any:
        raise AssertionError

    with pytest.raises(ConfigurationError, match=r"add_template' \(.*, line \d+\)"):
        caller(moving.alembic, "upgrade")

    moving.app.config["ALEMBIC_IGNORE_ENV_PY"] = True
    caller(moving.alembic, "upgrade")


def test_its_directory_is_searched(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_revision(tmp_path / "db/history/versions", "a1")
    moving = Moving(tmp_path / "shop", engines, directory="db/history")

    with pytest.raises(ScriptLocationError, match=r'"\.\./db/history"'):
        caller(moving.alembic, "upgrade")
