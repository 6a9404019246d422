"""Whether an app's connections are in the database that was made for it.

Some servers and poolers ignore the name of the database in a URL. All tests would then
share one database.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from ..dialects.schemas.catalog import CURRENT_DATABASE
from ..errors import FreshDatabaseError


def refuse_other_database(
    engine: sa.Engine | AsyncEngine, expected: sa.URL | None
) -> None:
    """Let the first connection of an engine fail if it is in another database.

    :param engine: The engine.
    :param expected: The URL of the database.
    """
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    query = CURRENT_DATABASE.get(sync_engine.dialect.name)

    if query is None or expected is None:
        return

    def check(connection: t.Any, record: object) -> None:
        found = _query(connection, query)

        if found != expected.database:
            connection.close()
            raise FreshDatabaseError(
                f"The test database '{expected.database}' was created, but a connection"
                f" to it is in '{found}'. The server, a pooler in front of it or the"
                " app's engine ignores the name of the database. Use a server URL whose"
                " database name is heeded."
            )

    event.listen(sync_engine.pool, "first_connect", check)


def _query(connection: t.Any, query: str) -> object:
    cursor = connection.cursor()

    try:
        cursor.execute(query)
        return cursor.fetchone()[0]
    finally:
        cursor.close()
        connection.rollback()
