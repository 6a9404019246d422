"""Executes statements without SQLAlchemy, which would begin a transaction, and reads
errors, on all drivers.
"""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

#: The primary codes SQLITE_BUSY and SQLITE_LOCKED (https://www.sqlite.org/rescode.html).
_BLOCKED = {5, 6}
_blocked_message = re.compile(r"database( table| schema)? is locked", re.IGNORECASE)


def query(
    connection: sa.Connection, statement: str
) -> tuple[list[str], list[tuple[t.Any, ...]]]:
    """Execute a statement, and fetch its rows.

    :return: The names of the columns, and the rows.
    :raises sqlalchemy.exc.DBAPIError: If the statement fails, as in SQLAlchemy.
    """
    cursor = connection.connection.cursor()

    try:
        connection.dialect.do_execute(cursor, statement, ())
        # libSQL returns None instead of no rows.
        rows = [tuple(row) for row in cursor.fetchall() or ()]
        return [column[0] for column in cursor.description or ()], rows
    except Exception as e:
        # libSQL raises ValueError instead of the errors of PEP 249.
        raise DBAPIError.instance(
            statement, None, e, Exception, dialect=connection.dialect
        ) from e
    finally:
        cursor.close()


def execute(connection: sa.Connection, statement: str) -> list[tuple[t.Any, ...]]:
    """Execute a statement, and return its rows.

    :raises sqlalchemy.exc.DBAPIError: If the statement fails, as in SQLAlchemy.
    """
    _, rows = query(connection, statement)
    return rows


def pragma(connection: sa.Connection, text: str) -> list[tuple[t.Any, ...]]:
    return execute(connection, f"PRAGMA {text}")


def find_file(connection: sa.Connection, schema: str | None) -> str | None:
    """Return the absolute path of a database, as SQLite resolves it; ``None`` if the
    database is in memory.
    """
    files = {name: path for _, name, path in pragma(connection, "database_list")}
    return files.get(schema or "main") or None


def data_version(connection: sa.Connection) -> list[tuple[t.Any, ...]]:
    """Return a value that changes when another connection commits
    (https://www.sqlite.org/pragma.html#pragma_data_version). It is empty on Turso.
    """
    return pragma(connection, "data_version")


def is_blocked(error: BaseException) -> bool:
    """Return whether a driver's error means that the database is locked."""
    code: int | None = getattr(error, "sqlite_errorcode", None)

    if code is None:
        # Not every driver has it.
        return _blocked_message.match(str(error)) is not None

    return code & 0xFF in _BLOCKED


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
