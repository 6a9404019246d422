"""Run work in the caller's thread, blocking."""

from __future__ import annotations

import collections.abc as c
import contextlib
import time
import typing as t

import sqlalchemy as sa

from ..apps.engines import initialize_dialect
from ..apps.engines import out_of_band_connector
from ..apps.engines import resolve_option_engine
from ..apps.engines import wrap_connection_errors
from ..migration.open_databases import OpenDatabases
from .cancelling import release_cursors

T = t.TypeVar("T")
Work: t.TypeAlias = c.Callable[[OpenDatabases], T]


def run_directly(
    engines: dict[str, sa.Engine],
    work: Work[T],
    sleep: c.Callable[[float], None] = time.sleep,
) -> T:
    with contextlib.ExitStack() as stack, release_cursors():
        return work(open_databases(engines, stack, sleep))


def open_databases(
    engines: dict[str, sa.Engine],
    stack: contextlib.ExitStack,
    sleep: c.Callable[[float], None] = time.sleep,
) -> OpenDatabases:
    """Connect to each database, blocking.

    :param engines: The engine of each database, by its name.
    :param stack: The stack that closes the connections.
    :param sleep: See :class:`.OpenDatabases`.
    :raises DatabaseConnectionError: If connecting to a database fails.
    """
    connections = {}

    for name, engine in engines.items():
        base, options = resolve_option_engine(engine)

        with wrap_connection_errors(name, engine.url):
            connection = stack.enter_context(base.connect())
            initialize_dialect(connection)
            connections[name] = connection.execution_options(**options)

    return OpenDatabases(
        connections, _call_directly, sleep, _no_pause, out_of_band_connector(engines)
    )


def _call_directly(fn: c.Callable[[], T]) -> T:
    return fn()


def _no_pause() -> None:
    """Do nothing: no other task runs in this thread."""
