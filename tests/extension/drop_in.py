"""The same app with Flask-Alembic and with ``SyncAlembic``."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import cast

import sqlalchemy as sa
from flask import Flask

from async_alembic import SyncAlembic

from ..backends import by_id
from ..harness import make_app

SQLITE = by_id("sqlite-sqlite3")
KINDS = ["plain", "flask_sqlalchemy", "flask_sqlalchemy_lite"]


class Model(sa.MetaData):
    """The metadata of one table, ``users``, with some columns."""

    def __init__(self, *columns: str) -> None:
        super().__init__()
        others = [sa.Column(name, sa.Integer) for name in columns]
        sa.Table("users", self, sa.Column("id", sa.Integer, primary_key=True), *others)


def make_flask(
    kind: str, root: Path, extension: type[Any], metadata: sa.MetaData, **config: Any
) -> tuple[Flask, Any]:
    """A Flask app on an SQLite file, with one of the SQLAlchemy extensions or without,
    and the Alembic extension. An id is the number of the revision.
    """
    url = f"sqlite:///{root / 'shop.db'}"
    app = cast("Flask", make_app("flask", root, **config))
    arguments: dict[str, Any] = {"metadatas": metadata}

    if kind == "flask_sqlalchemy":
        from flask_sqlalchemy import SQLAlchemy

        app.config["SQLALCHEMY_DATABASE_URI"] = url
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"poolclass": sa.NullPool}
        SQLAlchemy(app, metadata=metadata)
        arguments = {}
    elif kind == "flask_sqlalchemy_lite":
        from flask_sqlalchemy_lite import SQLAlchemy as Lite

        options = {"url": url, "poolclass": sa.NullPool}
        app.config["SQLALCHEMY_ENGINES"] = {"default": options}
        Lite(app)
    else:
        arguments["engines"] = sa.create_engine(url, poolclass=sa.NullPool)

    alembic = extension(app, **arguments)
    ids = map(str, itertools.count(1000))
    alembic.rev_id = lambda: next(ids)
    return app, alembic


def both(
    tmp_path: Path, original: type[Any], work: Callable[[Path, type[Any]], Any]
) -> Any:
    """Do the same with Flask-Alembic and with ours; the results must be the same.

    :return: The result.
    """
    expected = work(tmp_path / "original", original)
    found = work(tmp_path / "ours", SyncAlembic)
    assert found == expected
    return found


def state_of(root: Path) -> tuple[set[str], list[str]]:
    """The tables, and the revisions that the database is at."""
    engine = sa.create_engine(f"sqlite:///{root / 'shop.db'}", poolclass=sa.NullPool)

    with engine.connect() as connection:
        names = {*sa.inspect(connection).get_table_names()}
        versions = []

        if "alembic_version" in names:
            rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            versions = sorted(row[0] for row in rows)

    return names - {"alembic_version"}, versions
