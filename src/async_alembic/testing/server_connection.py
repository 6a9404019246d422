"""A connection to a server, independent of any app."""

from __future__ import annotations

import asyncio
import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ..apps.engines import wrap_connection_errors

Rows: t.TypeAlias = list[tuple[t.Any, ...]]


class ServerConnection:
    """A blocking connection for any driver, in autocommit mode.

    Use it in one thread only, without a running event loop.

    :param url: The URL to connect to.
    :raises DatabaseConnectionError: If connecting fails.
    """

    def __init__(self, url: sa.URL) -> None:
        with contextlib.ExitStack() as stack, wrap_connection_errors("server", url):
            if url.get_dialect().is_async:
                self._execute = _connect_in_loop(url, stack)
            else:
                self._execute = _connect(url, stack)

            self._stack = stack.pop_all()

    def execute(self, statement: str, **parameters: t.Any) -> Rows:
        """Execute a statement. Without parameters, it needs no escaping."""
        return self._execute(lambda conn: _execute(conn, statement, parameters))

    def close(self) -> None:
        self._stack.close()


Work: t.TypeAlias = c.Callable[[sa.Connection], Rows]
_options: dict[str, t.Any] = {
    "poolclass": sa.NullPool,
    "isolation_level": "AUTOCOMMIT",
    "execution_options": {"no_parameters": True},
}


def _connect(url: sa.URL, stack: contextlib.ExitStack) -> c.Callable[[Work], Rows]:
    connection = stack.enter_context(sa.create_engine(url, **_options).connect())
    return lambda work: work(connection)


def _connect_in_loop(
    url: sa.URL, stack: contextlib.ExitStack
) -> c.Callable[[Work], Rows]:
    runner = stack.enter_context(asyncio.Runner())
    connection = create_async_engine(url, **_options).connect()
    runner.run(_await(connection.start()))
    stack.callback(lambda: runner.run(connection.close()))
    return lambda work: runner.run(connection.run_sync(work))


async def _await(awaitable: c.Awaitable[object]) -> None:
    await awaitable


def _execute(
    connection: sa.Connection, statement: str, parameters: dict[str, t.Any]
) -> Rows:
    if parameters:
        result = connection.execute(sa.text(statement), parameters)
    else:
        result = connection.exec_driver_sql(statement)

    return [tuple(row) for row in result] if result.returns_rows else []
