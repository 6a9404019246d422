"""Executes statements without SQLAlchemy, which would begin a transaction."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError


def execute(connection: sa.Connection, statement: str) -> list[tuple[t.Any, ...]]:
    """Execute a statement, and fetch its rows.

    :raises sqlalchemy.exc.DBAPIError: If the statement fails, as in SQLAlchemy.
    """
    dbapi: t.Any = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()

    try:
        connection.dialect.do_execute(cursor, statement, ())
        return [tuple(row) for row in cursor.fetchall()]
    except dbapi.Error as e:
        raise DBAPIError.instance(
            statement, None, e, dbapi.Error, dialect=connection.dialect
        ) from e
    finally:
        cursor.close()


def pragma(connection: sa.Connection, text: str) -> list[tuple[t.Any, ...]]:
    return execute(connection, f"PRAGMA {text}")


def in_transaction(connection: sa.Connection) -> bool:
    driver_connection: t.Any = connection.connection.driver_connection
    return bool(driver_connection.in_transaction)


def end_transaction(connection: sa.Connection) -> None:
    """End the empty transaction that ``sqlite3`` keeps open with ``autocommit=False``.
    Within it, foreign keys cannot be turned on or off, and another connection could
    write first.
    """
    if in_transaction(connection):
        execute(connection, "COMMIT")
