"""Work in the caller's thread, which may block."""

from __future__ import annotations

import collections.abc as c
import contextlib
import time
import typing as t

import sqlalchemy as sa

from ..apps.engines import connect_beside
from ..apps.engines import listenable
from ..apps.engines import named_errors
from ..apps.engines import see_to_dialect
from ..migration.open_databases import OpenDatabases
from .cancelling import cursors_freed

T = t.TypeVar("T")
Work: t.TypeAlias = c.Callable[[OpenDatabases], T]


def run_directly(
    engines: dict[str, sa.Engine],
    work: Work[T],
    sleep: c.Callable[[float], None] = time.sleep,
) -> T:
    with contextlib.ExitStack() as stack, cursors_freed():
        return work(open_databases(engines, stack, sleep))


def open_databases(
    engines: dict[str, sa.Engine],
    stack: contextlib.ExitStack,
    sleep: c.Callable[[float], None] = time.sleep,
) -> OpenDatabases:
    """Connect to each database, from code that may block.

    :param engines: The engine of each database, by its name.
    :param stack: Closes the connections.
    :param sleep: See :class:`.OpenDatabases`.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    connections = {}

    for name, engine in engines.items():
        base, options = listenable(engine)

        with named_errors(name, engine.url):
            connection = stack.enter_context(base.connect())
            see_to_dialect(connection)
            connections[name] = connection.execution_options(**options)

    return OpenDatabases(
        connections, _call_here, sleep, _go_on, connect_beside(engines)
    )


def _call_here(fn: c.Callable[[], T]) -> T:
    return fn()


def _go_on() -> None:
    """Nobody else runs in this thread."""
