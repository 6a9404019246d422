"""An app that is migrated in every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic

from ..backends import on
from ..harness import AnyEngine
from ..harness import create_table
from ..harness import make_app
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision

on_each_kind = on(ONE_OF_EACH_KIND)
#: Of each database, what a query of it that takes a second looks like.
SLEEP = {"postgresql": "SELECT pg_sleep({})", "mariadb": "SELECT SLEEP({})"}


class Site:
    """An app with one database, and a history of one revision that makes "users"."""

    def __init__(self, engine: AnyEngine, root: Path, code: str = "") -> None:
        self.engine = engine
        self.migrations = root / "migrations"
        self.app = make_app("flask", root)
        metadata = sa.MetaData()
        sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
        self.alembic = Alembic(self.app, metadatas=metadata, engines=engine)
        self.revision("a1", None, f"{create_table('users')}\n{code}")

    def revision(self, revision: str, after: str | None, code: str) -> None:
        back = "pass" if after else "op.drop_table('users')"
        write_revision(self.migrations, revision, after, code, back)

    def pass_in(self, **values: Any) -> None:
        """Let the revisions have these in ``op.get_context().opts``."""
        self.app.config["ALEMBIC_CONTEXT"] |= values


async def tables_in(engine: AnyEngine) -> set[str]:
    def look(connection: sa.Connection) -> set[str]:
        return {*sa.inspect(connection).get_table_names()} - {"alembic_version"}

    if isinstance(engine, AsyncEngine):
        async with engine.connect() as async_connection:
            return await async_connection.run_sync(look)

    with engine.connect() as connection:
        return look(connection)
