"""What a runner passes to the core: the open databases, and functions for whatever
depends on an engine, event loop or thread, which the core does not know.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: Calls a function that reads or writes files, where it may block.
Offload: t.TypeAlias = c.Callable[[c.Callable[[], t.Any]], t.Any]


class TimeLimit(t.Protocol):
    """Limits how long closing the connections may take."""

    def start(self) -> None:
        """Start the timer, unless it runs."""

    def stop(self) -> None:
        """Stop the timer."""


class OpenDatabases(t.NamedTuple):
    """The open databases of one call.

    :param connections: An open connection to each database, by name.
    :param offload: Calls a function that reads or writes files, where it may block.
    :param sleep: Sleeps for a number of seconds. Raises an exception early if the call
        is cancelled.
    :param pause: Yields to other tasks, unless it did so recently. Long computations
        call it regularly.
    :param wait_for: Awaits what a receiver of a signal returned, on the caller's event
        loop if there is one. Raises an exception early if the call is cancelled.
    :param connect: Opens another connection to a database by name, outside of the
        app's pool, and closes it at the end.
    :param kept_alive: Keeps the connections to databases alive, by their names, which
        are not used meanwhile.
    :param repeated: Calls a function every few seconds beside the work, even while that
        blocks, each time with another connection to a database by name.
    :param on_change: Called with the names of databases that may have been changed.
    :param private: The names of databases that no other connection can reach.
    :param time_limit: Started when nothing is left to do but to roll back or to close.
        At its end, the connections are dropped.
    """

    connections: dict[str, sa.Connection]
    offload: Offload
    sleep: c.Callable[[float], None]
    pause: c.Callable[[], None]
    wait_for: c.Callable[[c.Awaitable[t.Any]], object]
    connect: c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]]
    kept_alive: c.Callable[[c.Iterable[str]], contextlib.AbstractContextManager[None]]
    repeated: c.Callable[
        [str, c.Callable[[sa.Connection], None], float],
        contextlib.AbstractContextManager[None],
    ]
    on_change: c.Callable[[c.Iterable[str]], None]
    private: c.Collection[str]
    time_limit: TimeLimit
