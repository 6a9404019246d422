"""Escapes parameters as PyMySQL does, on drivers that have most of its code, but not
all.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa


@contextlib.contextmanager
def pymysql_escaping(connection: sa.Connection) -> c.Iterator[None]:
    """Make a connection bind lists, tuples, sets and bytes.

    :param connection: A connection of any driver. Does nothing on drivers that do so
        anyway.
    """
    if connection.dialect.driver not in {"aiomysql", "asyncmy"}:
        yield
        return

    driver_connection: t.Any = connection.connection.driver_connection
    escape = driver_connection.escape

    def escape_all(value: object, *args: t.Any) -> str:
        match value:
            case tuple() | list() | set() | frozenset():
                return f"({','.join(map(escape_all, value))})"
            case bytes() | bytearray():
                return f"_binary X'{value.hex()}'"

        return t.cast("str", escape(value, *args))

    # There's no public way to register how a type is escaped.
    driver_connection.escape = escape_all

    try:
        yield
    finally:
        del driver_connection.escape
