"""Notes: a Quart app that migrates its database when it starts.

In ``examples/notes``::

    pip install "async-alembic[quart,aiosqlite]"
    quart --app notes run
    quart --app notes db log

The notes are kept in the file ``notes.db``. To keep them in PostgreSQL, install the
extra ``asyncpg`` and set one variable::

    export DATABASE_URL=postgresql+asyncpg://user:password@localhost/notes
"""

from __future__ import annotations

import os
from typing import TypedDict

from quart import abort
from quart import Quart
from quart import redirect
from quart import render_template
from quart import request
from quart import url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic
from async_alembic import DatabaseConnectionError

from .models import Model
from .models import Note


class NoteData(TypedDict):
    """A note as JSON."""

    id: int
    text: str
    done: bool
    created_at: str


def create_app(database_url: str | None = None) -> Quart:
    """Make the app.

    :param database_url: The URL of the database, instead of ``DATABASE_URL``.
    """
    app = Quart(__name__)
    engine = create_async_engine(
        database_url
        or os.environ.get("DATABASE_URL")
        or "sqlite+aiosqlite:///notes.db",
        # The server may have closed a connection since it was last used.
        pool_pre_ping=True,
    )
    open_session = async_sessionmaker(engine)
    alembic = Alembic(app, metadatas=Model.metadata, engines=engine)

    @app.before_serving
    async def migrate() -> None:
        await alembic.upgrade()

    @app.after_serving
    async def disconnect() -> None:
        await engine.dispose()

    async def newest_first() -> list[Note]:
        async with open_session() as session:
            query = select(Note).order_by(Note.created_at.desc(), Note.id.desc())
            return list(await session.scalars(query))

    @app.get("/ready")
    async def ready() -> ResponseReturnValue:
        """Whether the database can be reached and has every revision of this code."""
        try:
            status = (await alembic.status())["default"]
        except DatabaseConnectionError:
            return {"database": "unreachable"}, 503

        if status.state == "current":
            return {"database": "current"}

        return {"database": status.state, "pending": len(status.pending)}, 503

    @app.get("/")
    async def index() -> str:
        return await render_template("index.html", notes=await newest_first())

    @app.get("/api/notes")
    async def as_json() -> list[NoteData]:
        return [
            {
                "id": note.id,
                "text": note.text,
                "done": note.done,
                "created_at": note.created_at.isoformat(),
            }
            for note in await newest_first()
        ]

    @app.post("/notes")
    async def add() -> ResponseReturnValue:
        text = (await request.form).get("text", "").strip()

        if not text:
            abort(400, "A note needs a text.")

        async with open_session.begin() as session:
            session.add(Note(text=text))

        return redirect(url_for("index"))

    @app.post("/notes/<int:id>/done")
    async def finish(id: int) -> ResponseReturnValue:
        async with open_session.begin() as session:
            note = await session.get(Note, id) or abort(404)
            note.done = True

        return redirect(url_for("index"))

    return app
