from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t
from collections import Counter

import sqlalchemy as sa
from sqlalchemy import event

from ..errors import ForeignKeyError
from .base import Dialect

#: The table, the rowid if it has one, and the table that the row refers to.
_Violation: t.TypeAlias = tuple[str, int | None, str]


class SQLite(Dialect):
    """SQLite rolls DDL back like anything else, if a transaction was begun.

    ``sqlite3`` begins one before DML only, so that a migration which fails half-way
    would stay half applied (https://docs.python.org/3/library/sqlite3.html,
    "Transaction control"). Foreign keys cannot be turned off inside of a transaction,
    and dropping a parent table, as batch migrations do, deletes its children while
    they are on (https://www.sqlite.org/lang_altertable.html, section 7).
    """

    transactional_ddl: bool | None = True

    @contextlib.contextmanager
    def migrating(self, connection: sa.Connection) -> c.Iterator[None]:
        """Begin a real transaction where SQLAlchemy begins one. Foreign keys, if they
        are enforced, are off until the end, and checked before each commit.

        :param connection: A connection that is not in a transaction.
        """
        enforced = _pragma(connection, "foreign_keys") == [(1,)]
        before: list[_Violation] = []

        def check(connection: sa.Connection) -> None:
            if new := _find_new(before, _violations(connection)):
                raise ForeignKeyError(*new)

        event.listen(connection, "before_cursor_execute", _begin, retval=True)

        if enforced:
            before += _violations(connection)
            _end_transaction(connection)
            _pragma(connection, "foreign_keys=OFF")
            event.listen(connection, "commit", check)

        try:
            yield
        finally:
            event.remove(connection, "before_cursor_execute", _begin)

            if enforced:
                event.remove(connection, "commit", check)

            if not connection.closed and not connection.invalidated:
                connection.rollback()
                # SQLAlchemy holds a transaction for done whose commit has failed.
                connection.connection.rollback()

                if enforced:
                    was_open = _end_transaction(connection)
                    _pragma(connection, "foreign_keys=ON")

                    if was_open:
                        _execute(connection, "BEGIN")


def _begin(
    connection: sa.Connection,
    cursor: t.Any,
    statement: str,
    parameters: t.Any,
    context: object,
    executemany: bool,
) -> tuple[str, t.Any]:
    """Begin a transaction before a statement that would run outside of one.

    Not when SQLAlchemy begins one: whether the app's engine has a listener that begins
    one itself is not known then.
    """
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        driver_connection: t.Any = connection.connection.driver_connection

        if statement.strip().rstrip(";").upper() in {"BEGIN", "BEGIN DEFERRED"}:
            return "BEGIN IMMEDIATE", parameters

        if not driver_connection.in_transaction:
            cursor.execute("BEGIN IMMEDIATE")

    return statement, parameters


def _violations(connection: sa.Connection) -> list[_Violation]:
    return [row[:3] for row in _pragma(connection, "foreign_key_check")]


def _find_new(before: list[_Violation], after: list[_Violation]) -> _Violation | None:
    """A violation that was not there before. Rows are counted for each pair of tables,
    as they can get other ids when a table is rebuilt.
    """
    counts_before = Counter((table, parent) for table, _, parent in before)
    counts = Counter((table, parent) for table, _, parent in after)
    grown = {pair for pair, count in counts.items() if count > counts_before[pair]}
    found = [v for v in after if (v[0], v[2]) in grown]
    return min(found, key=lambda v: (v in before, str(v)), default=None)


def _end_transaction(connection: sa.Connection) -> bool:
    """End the empty transaction that ``sqlite3`` always has open with its setting
    ``autocommit=False``, and in which foreign keys cannot be turned on or off.

    :return: Whether there was one.
    """
    driver_connection: t.Any = connection.connection.driver_connection

    if is_open := bool(driver_connection.in_transaction):
        _execute(connection, "COMMIT")

    return is_open


def _pragma(connection: sa.Connection, pragma: str) -> list[tuple[t.Any, ...]]:
    return _execute(connection, f"PRAGMA {pragma}")


def _execute(connection: sa.Connection, statement: str) -> list[tuple[t.Any, ...]]:
    # Through the driver: SQLAlchemy would begin a transaction.
    cursor = connection.connection.cursor()

    try:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]
    finally:
        cursor.close()
