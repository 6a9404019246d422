"""Connections beside those that are open."""

from __future__ import annotations

import collections.abc as c
import contextlib

import sqlalchemy as sa

from ..apps.engines import own_arguments
from ..apps.engines import prepare_connection
from ..apps.engines import with_own_pool
from ..apps.engines import wrap_connection_errors
from .time_limit import TimeLimit

Connect = c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]]


def out_of_band_connector(
    engines: c.Mapping[str, sa.Engine], time_limit: TimeLimit | None = None
) -> Connect:
    """Return a function that opens an extra connection to a database by its name. It
    bypasses the engine's pool, because the open connection may be the last in the pool.

    :param engines: The engine of each database, by its name.
    :param time_limit: Drops the connections if they cannot be closed in time.
    """

    @contextlib.contextmanager
    def connect(name: str) -> c.Iterator[sa.Connection]:
        engine = with_own_pool(engines[name])

        try:
            with wrap_connection_errors(name, engine.url), own_arguments(engine):
                connection = engine.connect()

            with connection:
                if time_limit is not None:
                    time_limit.add(connection)

                prepare_connection(connection)
                yield connection
        finally:
            engine.dispose()

    return connect


def execute_out_of_band(connect: Connect, name: str, statement: str | None) -> None:
    """Execute a statement, if any, on an extra connection.

    :param connect: Opens an extra connection to a database, by its name.
    :param name: The name of the database.
    :param statement: The statement, or ``None`` to do nothing.
    """
    if statement is not None:
        # On failure, the server notices the cancellation after its current statement.
        with contextlib.suppress(Exception), connect(name) as connection:
            connection.exec_driver_sql(statement)
