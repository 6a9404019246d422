"""A to-do list: a Flask app with an ``AsyncEngine`` and async views.

In ``examples/flask_async``::

    pip install "async-alembic[aiosqlite]" "flask[async]"
    flask db upgrade
    flask run

The tasks are kept in the file ``tasks.db``, or where ``DATABASE_URL`` says.
"""

from __future__ import annotations

import os

from flask import abort
from flask import Flask
from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import NullPool
from sqlalchemy import select
from sqlalchemy import String
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from async_alembic import Alembic


class Model(DeclarativeBase):
    pass


class Task(Model):
    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))


def create_app(database_url: str | None = None) -> Flask:
    """Make the app.

    :param database_url: The URL of the database, instead of ``DATABASE_URL``.
    """
    app = Flask(__name__)
    engine = create_async_engine(
        database_url
        or os.environ.get("DATABASE_URL")
        or "sqlite+aiosqlite:///tasks.db",
        # Flask runs each async view in an event loop of its own, and a connection can't
        # go from one loop to another.
        poolclass=NullPool,
    )
    open_session = async_sessionmaker(engine)
    alembic = Alembic(app, metadatas=Model.metadata, engines=engine)

    @app.get("/")
    async def index() -> list[str]:
        async with open_session() as session:
            return list(await session.scalars(select(Task.title).order_by(Task.id)))

    @app.post("/")
    async def add() -> ResponseReturnValue:
        if not (title := request.form.get("title", "").strip()):
            abort(400, "What is to be done?")

        async with open_session.begin() as session:
            session.add(Task(title=title))

        return "Added.", 201

    @app.get("/health")
    async def health() -> ResponseReturnValue:
        """Whether the database has every revision that this code has."""
        status = await alembic.status()
        state = status["default"].state
        return {"database": state}, 200 if state == "current" else 503

    return app
