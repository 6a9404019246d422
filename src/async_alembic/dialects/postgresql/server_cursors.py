"""Cursors of the server for asyncpg, whose rows are fetched in portions.

The driver's own leave their portal open when they are closed, which blocks ``ALTER
TABLE`` (https://www.postgresql.org/docs/current/sql-declare.html).
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import itertools
import typing as t

from .splitting import Statement

_DML = {"INSERT", "UPDATE", "DELETE", "MERGE"}
_QUERIES = {"SELECT", "TABLE", "VALUES", "WITH"}
_numbers = itertools.count(1)

#: Executes a text with arguments, and returns the cursor that has its rows.
Execute: t.TypeAlias = c.Callable[[str, tuple[t.Any, ...]], t.Any]


def can_be_declared(statement: Statement) -> bool:
    """Return whether a statement with rows can have a cursor of the server."""
    changes_rows = statement.first_word == "WITH" and not _DML.isdisjoint(
        statement.words
    )
    return statement.first_word in _QUERIES and not changes_rows


class ServerCursor:
    """A :pep:`249` cursor of a query.

    :param execute: Executes a text.
    :param is_in_transaction: Returns whether the transaction of the cursor may be open.
    :param error: The class of the driver's errors.
    :param query: The query.
    :param arguments: What it has instead of ``$1`` and so on.
    """

    arraysize = 1
    rowcount = -1

    def __init__(
        self,
        execute: Execute,
        is_in_transaction: c.Callable[[], bool],
        error: type[Exception],
        query: str,
        arguments: tuple[t.Any, ...],
    ) -> None:
        self._execute = execute
        self._is_in_transaction = is_in_transaction
        self._error = error
        self._name = f"async_alembic_{next(_numbers)}"
        execute(f"DECLARE {self._name} NO SCROLL CURSOR FOR {query}", arguments)
        self._is_open = True
        #: The result columns.
        self.description: t.Any = None
        self._fetch("0")

    def fetchone(self) -> t.Any:
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[t.Any]:
        return self._fetch(str(size or self.arraysize))

    def fetchall(self) -> list[t.Any]:
        return self._fetch("ALL")

    def close(self) -> None:
        """Close the cursor, unless it ended with its transaction."""
        is_open, self._is_open = self._is_open, False

        # In a transaction that has failed, the first query fails.
        with contextlib.suppress(self._error):
            if is_open and self._is_in_transaction() and self._exists():
                self._execute(f"CLOSE {self._name}", ())

    def _fetch(self, count: str) -> list[t.Any]:
        try:
            with contextlib.closing(
                self._execute(f"FETCH FORWARD {count} FROM {self._name}", ())
            ) as cursor:
                self.description = cursor.description
                rows: list[t.Any] = cursor.fetchall()
        except BaseException:
            # The connection may be lost, or in the middle of something.
            self._is_open = False
            raise

        return rows

    def _exists(self) -> bool:
        query = f"SELECT FROM pg_cursors WHERE name = '{self._name}'"

        with contextlib.closing(self._execute(query, ())) as cursor:
            return bool(cursor.fetchall())
