"""A guest book: a Flask app with a synchronous engine.

In ``examples/flask_sync``::

    pip install async-alembic
    flask db upgrade
    flask run

The entries are kept in the file ``guests.db``, or where ``DATABASE_URL`` says.
"""

from __future__ import annotations

import os

from flask import abort
from flask import Flask
from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import create_engine
from sqlalchemy import select
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import sessionmaker

from async_alembic import SyncAlembic


class Model(DeclarativeBase):
    pass


class Entry(Model):
    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))


def create_app(database_url: str | None = None) -> Flask:
    """Make the app.

    :param database_url: The URL of the database, instead of ``DATABASE_URL``.
    """
    app = Flask(__name__)
    engine = create_engine(
        database_url or os.environ.get("DATABASE_URL") or "sqlite:///guests.db"
    )
    open_session = sessionmaker(engine)
    SyncAlembic(app, metadatas=Model.metadata, engines=engine)

    @app.get("/")
    def index() -> list[str]:
        with open_session() as session:
            return list(session.scalars(select(Entry.name).order_by(Entry.id)))

    @app.post("/")
    def sign() -> ResponseReturnValue:
        if not (name := request.form.get("name", "").strip()):
            abort(400, "Who are you?")

        with open_session.begin() as session:
            session.add(Entry(name=name))

        return "Thank you.", 201

    return app
