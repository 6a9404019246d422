"""Drivers of SQLite that lack some of what ``sqlite3`` has, and stand-ins for them."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

#: What Turso accepts, and does not do.
_IGNORED = re.compile(
    r'PRAGMA (data_version|legacy_alter_table|"\w+"\.foreign_key_check)'
)


class StandIn:
    """A connection that has only what drivers of SQLite have in common: no
    ``interrupt``, no ``backup``, and no codes in errors.

    :param args: The arguments of :func:`sqlite3.connect`.
    :cvar no_columns: The description of a statement without rows.
    :cvar no_rows: What ``fetchall()`` returns for it.
    """

    no_columns: Any = None
    no_rows: Any = None

    def __init__(self, *args: Any, factory: object, **kwargs: Any) -> None:
        self._connection = sqlite3.connect(*args, **kwargs)
        self.create_function = self._connection.create_function
        self.rollback = self._connection.rollback
        self.close = self._connection.close

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def commit(self) -> None:
        with self.errors():
            self._connection.commit()

    def cursor(self) -> StandInCursor:
        return StandInCursor(self, self._connection.cursor())

    def ignores(self, statement: str) -> bool:
        return False

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        raise NotImplementedError


class LibSQLStandIn(StandIn):
    no_columns: Any = ()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise ValueError(str(e)) from None


class TursoStandIn(StandIn):
    no_rows: Any = []

    def ignores(self, statement: str) -> bool:
        return _IGNORED.match(statement) is not None

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise type(e)(str(e)) from None


class StandInCursor:
    def __init__(self, connection: StandIn, cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor
        self._is_ignored = False
        self.close = cursor.close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    @property
    def description(self) -> Any:
        if self._is_ignored or self._cursor.description is None:
            return self._connection.no_columns

        return self._cursor.description

    def execute(self, statement: str, parameters: Any = ()) -> None:
        self._is_ignored = self._connection.ignores(statement)

        if not self._is_ignored:
            with self._connection.errors():
                self._cursor.execute(statement, parameters)

    def fetchall(self) -> Any:
        if not self.description:
            return self._connection.no_rows

        return self._cursor.fetchall()


#: By a name: the driver in the URL, the arguments to connect with, and the package.
DRIVERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "libsql-stand-in": ("sqlite", {"factory": LibSQLStandIn}, "sqlite3"),
    "turso-stand-in": ("sqlite", {"factory": TursoStandIn}, "sqlite3"),
    "libsql": ("sqlite+libsql", {}, "sqlalchemy_libsql"),
    "turso": ("sqlite+turso", {}, "turso"),
}


def missing(package: str) -> str | None:
    if importlib.util.find_spec(package) is None:
        return f"'{package}' is not installed."

    return None
