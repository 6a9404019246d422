"""Apps as files, for what is measured from the command line on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .measuring import seconds_to_run
from .tools import AWAITED
from .tools import BLOCKING
from .tools import FLASK_ALEMBIC
from .tools import FLASK_MIGRATE

#: An app without migrations.
WITHOUT = "without migrations"
APPS = [WITHOUT, BLOCKING, FLASK_ALEMBIC, FLASK_MIGRATE]

FLASK_APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class User(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "{url}"
    db.init_app(app)
    {registration}
    return app
"""
#: The lines that each peer's documentation has for an app of Flask-SQLAlchemy.
REGISTRATIONS = {
    WITHOUT: "",
    BLOCKING: """
    from async_alembic import SyncAlembic
    SyncAlembic().init_app(app)
    """,
    FLASK_ALEMBIC: """
    from flask_alembic import Alembic
    Alembic().init_app(app)
    """,
    FLASK_MIGRATE: """
    from flask_migrate import Migrate
    Migrate().init_app(app, db)
    """,
}
QUART_APP = """
from quart import Quart
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic


def create_app():
    app = Quart(__name__)
    Alembic(
        app, metadatas=MetaData(), engines=create_async_engine("{url}")
    )
    return app
"""


def write_app(folder: Path, tool: str, url: str) -> None:
    if tool == AWAITED:
        text = QUART_APP.format(url=url)
    else:
        registration = REGISTRATIONS[tool].strip()
        text = FLASK_APP.format(url=url, registration=registration)

    (folder / "app.py").write_text(text)


def runner(folder: Path, tool: str, *args: str) -> Callable[[], float]:
    """What runs a command of an app, and returns its seconds."""
    framework = "quart" if tool == AWAITED else "flask"
    command = [sys.executable, "-m", framework, "--app", "app:create_app", *args]
    return partial(seconds_to_run, command, cwd=folder)
