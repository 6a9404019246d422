"""A shop with two databases: a Quart app that migrates both when it starts, or none.

In ``examples/two_databases``::

    pip install "async-alembic[quart,aiosqlite]"
    quart run
    quart db current

The orders are kept in ``shop.db`` and the audit trail in ``audit.db``, or where
``DATABASE_URL`` and ``AUDIT_DATABASE_URL`` say.
"""

from __future__ import annotations

import os

from quart import abort
from quart import Quart
from quart import request
from quart.typing import ResponseReturnValue
from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy import String
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from async_alembic import Alembic


class ShopModel(DeclarativeBase):
    pass


class Order(ShopModel):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    article: Mapped[str] = mapped_column(String(200))


class AuditModel(DeclarativeBase):
    pass


class Event(AuditModel):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(200))


def create_app(
    database_url: str | None = None, audit_database_url: str | None = None
) -> Quart:
    """Make the app.

    :param database_url: The URL of the database, instead of ``DATABASE_URL``.
    :param audit_database_url: That of the audit trail, instead of
        ``AUDIT_DATABASE_URL``.
    """
    app = Quart(__name__)
    urls = {
        "default": database_url
        or os.environ.get("DATABASE_URL")
        or "sqlite+aiosqlite:///shop.db",
        "audit": audit_database_url
        or os.environ.get("AUDIT_DATABASE_URL")
        or "sqlite+aiosqlite:///audit.db",
    }
    engines = {name: create_async_engine(url) for name, url in urls.items()}
    open_session = async_sessionmaker(
        # Each model knows its database.
        binds={ShopModel: engines["default"], AuditModel: engines["audit"]}
    )
    alembic = Alembic(
        app,
        metadatas={"default": ShopModel.metadata, "audit": AuditModel.metadata},
        engines=engines,
    )

    @app.before_serving
    async def migrate() -> None:
        await alembic.upgrade()

    @app.after_serving
    async def disconnect() -> None:
        for engine in engines.values():
            await engine.dispose()

    @app.get("/")
    async def index() -> dict[str, int]:
        async with open_session() as session:
            return {
                "orders": await session.scalar(select(func.count(Order.id))) or 0,
                "events": await session.scalar(select(func.count(Event.id))) or 0,
            }

    @app.post("/")
    async def order() -> ResponseReturnValue:
        if not (article := (await request.form).get("article", "").strip()):
            abort(400, "What do you want to order?")

        async with open_session.begin() as session:
            session.add(Order(article=article))
            session.add(Event(text=f"ordered {article}"))

        return "Ordered.", 201

    return app
